//! Many calls in one message.

use std::future::IntoFuture;
use std::marker::PhantomData;
use std::time::Duration;

use tokio_stream::StreamExt;
use tonic::{Code, Status};

use crate::Gate;
use crate::call::BoxFuture;
use crate::deadline::Deadline;
use crate::errors::{Error, GateError, of_batch};
use crate::request::Request;
use crate::v1::batch_result::Outcome;
use crate::v1::{BatchCallFunctionsRequest, BatchResult};
use crate::values::{FromValue, Value, decode_response};

/// A batch about to be sent; made by [`Gate::batch`], and sent by `.await`.
#[must_use = "a batch is sent by .await"]
pub struct Batch<'g, T> {
    gate: &'g Gate,
    calls: Vec<Request>,
    timeout: Option<Duration>,
    call_timeout: Option<Duration>,
    result: PhantomData<fn() -> T>,
}

impl<'g, T> Batch<'g, T> {
    pub(crate) fn new(gate: &'g Gate, calls: Vec<Request>) -> Batch<'g, T> {
        Batch { gate, calls, timeout: None, call_timeout: None, result: PhantomData }
    }

    /// How long the whole batch may take.
    pub fn timeout(mut self, timeout: Duration) -> Batch<'g, T> {
        self.timeout = Some(timeout);
        self
    }

    /// How long each call may take, from when it starts to run.
    pub fn call_timeout(mut self, timeout: Duration) -> Batch<'g, T> {
        self.call_timeout = Some(timeout);
        self
    }
}

impl<'g, T: FromValue + 'g> IntoFuture for Batch<'g, T> {
    type Output = Result<Vec<Result<T, Error>>, Error>;
    type IntoFuture = BoxFuture<'g, Vec<Result<T, Error>>>;

    /// Each call's result, in the order of the calls: what a function raised, or an argument that cannot be sent, stands
    /// in its place. The error of the whole is one that comes before any result; later, it is that of each call that has
    /// none.
    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let results = send(self.gate, self.calls, self.timeout, self.call_timeout).await?;
            let convert = |value| T::from_value(value).map_err(|error| error.within("result").into());
            Ok(results.into_iter().map(|result| result.and_then(convert)).collect())
        })
    }
}

async fn send(
    gate: &Gate,
    calls: Vec<Request>,
    timeout: Option<Duration>,
    call_timeout: Option<Duration>,
) -> Result<Vec<Result<Value, Error>>, Error> {
    let deadline = gate.deadline(timeout);
    let mut slots: Vec<Option<Result<Value, Error>>> = Vec::with_capacity(calls.len());
    let mut sent = Vec::with_capacity(calls.len());
    let mut message = BatchCallFunctionsRequest::default();
    for call in calls {
        match call.into_wire() {
            Ok(call) => {
                sent.push(slots.len());
                message.calls.push(call);
                slots.push(None);
            }
            Err(error) => slots.push(Some(Err(error.into()))),
        }
    }
    // A timeout beyond protobuf's durations is none.
    message.call_timeout = call_timeout.and_then(|timeout| timeout.max(Duration::from_nanos(1)).try_into().ok());
    if !sent.is_empty() {
        let mut answered = 0;
        if let Err(failure) = exchange(gate, message, deadline, &sent, &mut slots, &mut answered).await {
            if answered == 0 {
                return Err(failure.error(gate));
            }
            for slot in slots.iter_mut().filter(|slot| slot.is_none()) {
                *slot = Some(Err(failure.error(gate)));
            }
        }
    }
    let unanswered = || {
        let message = "the server ended the batch without an answer to this call";
        Err(GateError::new(Code::Internal, "", message).into())
    };
    Ok(slots.into_iter().map(|slot| slot.unwrap_or_else(unanswered)).collect())
}

/// How a batch failed as a whole; each call left without an answer gets an error of its own.
enum Failure {
    Rpc(Status),
    Here(Error),
}

impl Failure {
    fn error(&self, gate: &Gate) -> Error {
        match self {
            Failure::Rpc(status) => gate.failure(status.clone()),
            Failure::Here(error) => error.clone(),
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        Failure::Here(error)
    }
}

async fn exchange(
    gate: &Gate,
    message: BatchCallFunctionsRequest,
    deadline: Deadline,
    sent: &[usize],
    slots: &mut [Option<Result<Value, Error>>],
    answered: &mut usize,
) -> Result<(), Failure> {
    let _place = gate.place(deadline).await?;
    let request = gate.request(message, deadline)?;
    let mut stub = gate.stub();
    let response = deadline.bound(stub.batch_call_functions(request), GateError::late).await?;
    let mut answers = response.map_err(Failure::Rpc)?.into_inner();
    while let Some(answer) = deadline.bound(answers.next(), GateError::late).await? {
        for result in answer.map_err(Failure::Rpc)?.results {
            fill(result, sent, slots)?;
            *answered += 1;
        }
    }
    Ok(())
}

fn fill(result: BatchResult, sent: &[usize], slots: &mut [Option<Result<Value, Error>>]) -> Result<(), Error> {
    let place = usize::try_from(result.index).ok().and_then(|index| sent.get(index)).map(|at| &mut slots[*at]);
    match place {
        Some(slot @ None) => {
            *slot = match result.outcome {
                Some(Outcome::Response(response)) => Some(decode_response(response.value).map_err(Into::into)),
                Some(Outcome::Error(status)) => Some(Err(of_batch(status))),
                None => return Ok(()),
            };
            Ok(())
        }
        _ => {
            let message = format!("the server answered call {} of a batch twice, or unasked", result.index);
            Err(GateError::new(Code::Internal, "", message).into())
        }
    }
}
