//! One call.

use std::future::IntoFuture;
use std::marker::PhantomData;
use std::pin::{Pin, pin};
use std::time::Duration;

use crate::Gate;
use crate::errors::{Error, GateError};
use crate::request::Request;
use crate::values::{FromValue, Value, decode_response};

/// A call about to be made; made by [`Gate::call`], and sent by `.await`.
#[must_use = "a call is sent by .await"]
pub struct Call<'g, T> {
    gate: &'g Gate,
    request: Request,
    timeout: Option<Duration>,
    result: PhantomData<fn() -> T>,
}

impl<'g, T> Call<'g, T> {
    pub(crate) fn new(gate: &'g Gate, request: Request) -> Call<'g, T> {
        Call { gate, request, timeout: None, result: PhantomData }
    }

    /// Adds a keyword argument.
    pub fn kwarg(mut self, name: impl Into<String>, value: impl Into<Value>) -> Call<'g, T> {
        self.request = self.request.kwarg(name, value);
        self
    }

    /// How long all of it may take: waiting here and on the server, running, travelling. The server ends the function
    /// when it passes.
    pub fn timeout(mut self, timeout: Duration) -> Call<'g, T> {
        self.timeout = Some(timeout);
        self
    }
}

/// What `.await` on a call is: a future that can be sent to another task.
pub(crate) type BoxFuture<'g, T> = Pin<Box<dyn Future<Output = Result<T, Error>> + Send + 'g>>;

impl<'g, T: FromValue + 'g> IntoFuture for Call<'g, T> {
    type Output = Result<T, Error>;
    type IntoFuture = BoxFuture<'g, T>;

    fn into_future(self) -> BoxFuture<'g, T> {
        Box::pin(async move {
            let value = send(self.gate, self.request, self.timeout).await?;
            T::from_value(value).map_err(|error| error.within("result").into())
        })
    }
}

async fn send(gate: &Gate, request: Request, timeout: Option<Duration>) -> Result<Value, Error> {
    let deadline = gate.deadline(timeout);
    let message = request.into_wire()?;
    let _place = gate.place(deadline).await?;
    let request = gate.request(message, deadline)?;
    // In its place from the start: tonic's future is large, and would be copied with each move.
    let sent = pin!(gate.call_function(request));
    let response = deadline.bound(sent, GateError::late).await?;
    let response = response.map_err(|status| gate.failure(status))?;
    Ok(decode_response(response.into_inner().value)?)
}
