//! Items as a function makes them.

use std::future::IntoFuture;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::{Sleep, sleep_until};
use tokio_stream::{Stream, StreamExt};
use tonic::Streaming;

use crate::Gate;
use crate::call::BoxFuture;
use crate::errors::{Error, GateError};
use crate::request::Request;
use crate::v1::StreamFunctionResponse;
use crate::values::{FromValue, Value, decode_at};

/// A stream about to be opened; made by [`Gate::stream`], and opened by `.await`.
#[must_use = "a stream is opened by .await"]
pub struct StreamCall<'g, T> {
    gate: &'g Gate,
    request: Request,
    timeout: Option<Duration>,
    item: PhantomData<fn() -> T>,
}

impl<'g, T> StreamCall<'g, T> {
    pub(crate) fn new(gate: &'g Gate, request: Request) -> StreamCall<'g, T> {
        StreamCall { gate, request, timeout: None, item: PhantomData }
    }

    /// Adds a keyword argument.
    pub fn kwarg(mut self, name: impl Into<String>, value: impl Into<Value>) -> StreamCall<'g, T> {
        self.request = self.request.kwarg(name, value);
        self
    }

    /// How long the whole stream may take.
    pub fn timeout(mut self, timeout: Duration) -> StreamCall<'g, T> {
        self.timeout = Some(timeout);
        self
    }

    async fn open(self) -> Result<Items<T>, Error> {
        let deadline = self.gate.deadline(self.timeout);
        let request = self.gate.request(self.request.into_wire()?, deadline)?;
        let mut stub = self.gate.stub();
        let response = deadline.bound(stub.stream_function(request), GateError::late).await?;
        let source = response.map_err(|status| self.gate.failure(status))?.into_inner();
        let deadline = deadline.at().map(|at| Box::pin(sleep_until(at)));
        Ok(Items { gate: self.gate.clone(), source: Some(source), deadline, count: 0, item: PhantomData })
    }
}

impl<'g, T: FromValue + 'g> IntoFuture for StreamCall<'g, T> {
    type Output = Result<Items<T>, Error>;
    type IntoFuture = BoxFuture<'g, Items<T>>;

    fn into_future(self) -> BoxFuture<'g, Items<T>> {
        Box::pin(self.open())
    }
}

/// The items of a stream, as they are made. Dropping it closes the generator on the server.
#[must_use = "a stream makes items as they are asked for"]
pub struct Items<T> {
    gate: Gate,
    /// None once it has ended.
    source: Option<Streaming<StreamFunctionResponse>>,
    deadline: Option<Pin<Box<Sleep>>>,
    count: usize,
    item: PhantomData<fn() -> T>,
}

impl<T: FromValue> Items<T> {
    /// The next item; none at the end, and after a failure.
    pub async fn next(&mut self) -> Option<Result<T, Error>> {
        StreamExt::next(self).await
    }

    fn convert(&mut self, response: StreamFunctionResponse) -> Result<T, Error> {
        let path = format!("items[{}]", self.count);
        self.count += 1;
        let value = decode_at(response.value.unwrap_or_default(), &path)?;
        Ok(T::from_value(value).map_err(|error| error.within(path))?)
    }
}

impl<T: FromValue> Stream for Items<T> {
    type Item = Result<T, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let items = &mut *self;
        let Some(source) = &mut items.source else {
            return Poll::Ready(None);
        };
        if let Poll::Ready(answer) = Pin::new(source).poll_next(cx) {
            let item = match answer {
                Some(Ok(response)) => Some(items.convert(response)),
                Some(Err(status)) => Some(Err(items.gate.failure(status))),
                None => None,
            };
            if !matches!(item, Some(Ok(_))) {
                items.source = None;
            }
            return Poll::Ready(item);
        }
        let Some(deadline) = &mut items.deadline else {
            return Poll::Pending;
        };
        ready!(deadline.as_mut().poll(cx));
        items.source = None;
        Poll::Ready(Some(Err(GateError::late().into())))
    }
}
