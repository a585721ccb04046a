//! What changes nothing is asked again where the server cannot be reached; tonic has no retry policy of its own.
//!
//! Calls of functions are never repeated: nobody knows whether they ran.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use prost::Message;
use tonic::transport::Channel;
use tonic::{Code, Response, Status};

use crate::Gate;
use crate::errors::{Error, GateError};
use crate::v1::function_service_client::FunctionServiceClient;

const ATTEMPTS: u32 = 4;
const FIRST_WAIT: Duration = Duration::from_millis(100);
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// Sends a request, up to four times while the server is UNAVAILABLE.
pub(crate) async fn retried<M: Message + Clone, R>(
    gate: &Gate,
    message: M,
    send: impl AsyncFn(FunctionServiceClient<Channel>, tonic::Request<M>) -> Result<Response<R>, Status>,
) -> Result<R, Error> {
    let deadline = gate.deadline(None);
    let mut wait = FIRST_WAIT;
    for attempt in 1.. {
        let request = gate.request(message.clone(), deadline)?;
        let status = match deadline.bound(send(gate.stub(), request), GateError::late).await? {
            Ok(response) => return Ok(response.into_inner()),
            Err(status) => status,
        };
        let error = gate.failure(status);
        let unavailable = error.gate().is_some_and(|error| error.code == Code::Unavailable);
        if !unavailable || attempt == ATTEMPTS {
            return Err(error);
        }
        let pause = tokio::time::sleep(wait.mul_f64(jitter()));
        if deadline.bound(pause, GateError::late).await.is_err() {
            return Err(error);
        }
        wait = (wait * 2).min(LONGEST_WAIT);
    }
    unreachable!("the last attempt returns")
}

/// 0.8 to 1.2, as gRPC's own retries (<https://github.com/grpc/proposal/blob/master/A6-client-retries.md>).
fn jitter() -> f64 {
    // The standard library's one source of randomness.
    let random = RandomState::new().hash_one(());
    0.8 + 0.4 * (random as f64 / u64::MAX as f64)
}
