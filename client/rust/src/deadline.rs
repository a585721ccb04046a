//! How long a call may take.

use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use crate::errors::{Error, GateError};

/// Timeouts from here on, a hundred years, are none: `grpc-timeout` has eight digits.
const FOREVER: Duration = Duration::from_secs(100 * 365 * 86_400);

/// When a call has to be done; never, if there is no timeout.
#[derive(Clone, Copy)]
pub(crate) struct Deadline(Option<Instant>);

impl Deadline {
    pub(crate) fn after(timeout: Option<Duration>) -> Deadline {
        Deadline(timeout.filter(|timeout| *timeout < FOREVER).map(|timeout| Instant::now() + timeout))
    }

    /// What is left of it; none if there is no limit.
    pub(crate) fn left(self) -> Result<Option<Duration>, Error> {
        match self.0.map(|at| at.saturating_duration_since(Instant::now())) {
            Some(Duration::ZERO) => Err(GateError::no_time().into()),
            left => Ok(left),
        }
    }

    pub(crate) fn at(self) -> Option<Instant> {
        self.0
    }

    /// Waits for a future until then.
    pub(crate) async fn bound<T>(
        self,
        future: impl Future<Output = T>,
        late: impl FnOnce() -> GateError,
    ) -> Result<T, Error> {
        match self.0 {
            // Boxed: without a deadline, the timer would take memory in each call's future all the same.
            Some(at) => Box::pin(timeout_at(at, future)).await.map_err(|_| late().into()),
            None => Ok(future.await),
        }
    }
}
