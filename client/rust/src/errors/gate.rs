//! Getting to a function failed.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use tonic::{Code, Status};

/// Getting to the function failed; unless the reason says otherwise, it did not run.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct GateError {
    /// The gRPC code.
    pub code: Code,
    /// Why, by name of `callgate.v1.ErrorReason` without its prefix: `"FUNCTION_NOT_FOUND"`. Empty if the failure did not
    /// come from a Callgate server, but from gRPC: no connection, or it broke.
    pub reason: String,
    /// One sentence for people.
    pub message: String,
    /// More about the reason, by name.
    pub metadata: BTreeMap<String, String>,
    /// The time after which a retry is welcome, if the server said so.
    pub retry_after: Option<Duration>,
    /// The id under which the server logged the call; empty if it said none.
    pub call_id: String,
    /// What the transport said, if the failure came from it.
    pub(crate) transport: Option<Status>,
}

impl GateError {
    pub(crate) fn new(code: Code, reason: &str, message: impl Into<String>) -> GateError {
        GateError {
            code,
            reason: reason.to_owned(),
            message: message.into(),
            metadata: BTreeMap::new(),
            retry_after: None,
            call_id: String::new(),
            transport: None,
        }
    }

    /// A call with no time left, which was not sent.
    pub(crate) fn no_time() -> GateError {
        let message = "the deadline passed before the call left this client; it never started";
        GateError::new(Code::DeadlineExceeded, "EXPIRED_IN_QUEUE", message)
    }

    /// A call whose deadline passed before one of the gate's places was free.
    pub(crate) fn no_place(in_flight: usize) -> GateError {
        let message = format!(
            "the deadline passed while the call waited in this client, which has {in_flight} on their way at once \
             (in_flight); it never started"
        );
        GateError::new(Code::DeadlineExceeded, "EXPIRED_IN_QUEUE", message)
    }

    /// A call without an answer at its deadline.
    pub(crate) fn late() -> GateError {
        GateError::new(Code::DeadlineExceeded, "", "the deadline passed before an answer came")
    }

    /// A message that is larger than this side sends or takes, or than the server does.
    pub(crate) fn too_large(reason: &str, size: u64, limit: u64) -> GateError {
        let what = if reason == "RESPONSE_TOO_LARGE" { "answer" } else { "request" };
        let message = format!("the {what} is {size} bytes; at most {limit} are taken (max_message)");
        let about = [("size", size.to_string()), ("limit", limit.to_string()), ("unit", "bytes".to_owned())];
        let metadata = about.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        GateError { metadata, ..GateError::new(Code::ResourceExhausted, reason, message) }
    }

    /// The gRPC code's canonical name: `"NOT_FOUND"`.
    pub fn code_name(&self) -> &'static str {
        code_name(self.code)
    }
}

impl fmt::Display for GateError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let why = if self.reason.is_empty() { self.code_name() } else { &self.reason };
        write!(out, "{} [{why}]", self.message)
    }
}

impl std::error::Error for GateError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        // The status itself says what this error says.
        self.transport.as_ref().and_then(std::error::Error::source)
    }
}

/// The canonical names (<https://grpc.github.io/grpc/core/md_doc_statuscodes.html>).
pub(super) fn code_name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}
