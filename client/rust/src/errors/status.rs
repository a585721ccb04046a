//! gRPC's failures → `Error`: from the rich status if there is one, else from the code.

use std::error::Error as StdError;
use std::io;
use std::time::Duration;

use prost::Message;
use prost_types::Any;
use tonic::{Code, ConnectError, Status, TimeoutExpired};

use super::exception::{Exception, PythonError};
use super::{Error, GateError};
use crate::rpc;
use crate::v1::PythonException;

/// `ErrorInfo.domain` of every failure that Callgate reports.
const DOMAIN: &str = "callgate";

/// The error of a failed RPC.
pub(crate) fn from_rpc_status(status: Status, target: &str) -> Error {
    let call_id = status.metadata().get("callgate-call-id").and_then(|id| id.to_str().ok()).unwrap_or_default();
    // Another code than the trailer's: somebody on the way, a proxy, changed the answer, and the code counts.
    match rpc::Status::decode(status.details()) {
        Ok(rich) if !status.details().is_empty() && rich.code == status.code() as i32 => of_status(rich, call_id),
        _ => GateError { call_id: call_id.to_owned(), ..of_code(status, target) }.into(),
    }
}

/// The error of a call in a batch.
pub(crate) fn of_batch(status: rpc::Status) -> Error {
    of_status(status, "")
}

fn of_status(status: rpc::Status, call_id: &str) -> Error {
    let mut info = rpc::ErrorInfo::default();
    let mut exception: Option<PythonException> = None;
    let mut retry_after = None;
    let mut details = Vec::new();
    for detail in status.details {
        // A detail that is not what it says is none.
        if let Some(found) = unpack::<rpc::ErrorInfo>(&detail, "google.rpc.ErrorInfo") {
            if found.domain == DOMAIN {
                info = found;
            }
        } else if let Some(found) = unpack(&detail, "callgate.v1.PythonException") {
            exception = Some(found);
        } else {
            if let Some(found) = unpack::<rpc::RetryInfo>(&detail, "google.rpc.RetryInfo") {
                retry_after = found.retry_delay.and_then(|delay| Duration::try_from(delay).ok());
            }
            details.push(detail);
        }
    }
    let code = Code::from(status.code);
    let metadata = info.metadata;
    if let Some(exception) = exception {
        let named = metadata.get("call_id").map_or("", String::as_str);
        let call_id = if call_id.is_empty() { named } else { call_id }.to_owned();
        let exception = Exception::from(exception);
        return PythonError { exception, code, reason: info.reason, metadata, details, call_id }.into();
    }
    let message = if status.message.is_empty() { super::gate::code_name(code).to_owned() } else { status.message };
    let mut error = GateError::new(code, &info.reason, message);
    error.metadata = metadata;
    error.retry_after = retry_after;
    error.call_id = call_id.to_owned();
    error.into()
}

fn unpack<M: Message + Default>(detail: &Any, name: &str) -> Option<M> {
    let (_, found) = detail.type_url.rsplit_once('/')?;
    if found == name { M::decode(detail.value.as_slice()).ok() } else { None }
}

/// A failure that gRPC itself reports, on either side.
fn of_code(status: Status, target: &str) -> GateError {
    if let Some(error) = too_large(&status) {
        return error;
    }
    if status.source().is_some() {
        return of_transport(status, target);
    }
    let message = match status.code() {
        Code::DeadlineExceeded => return GateError::late(),
        code if status.message().is_empty() => super::gate::code_name(code),
        _ => status.message(),
    };
    GateError::new(status.code(), "", message)
}

/// A connection that cannot be made, or that broke.
fn of_transport(status: Status, target: &str) -> GateError {
    if find::<TimeoutExpired>(&status).is_some() {
        return GateError::late();
    }
    let root = root_of(&status);
    let reset = status.message().starts_with("h2 protocol error: ") && !root.starts_with("connection error");
    let (code, message) = if find::<ConnectError>(&status).is_some() {
        (Code::Unavailable, unreachable(&status, target, &root))
    } else if reset && status.code() != Code::Unknown {
        (status.code(), format!("the server ended the call: {root}"))
    } else {
        // tonic says CANCELLED or UNKNOWN where other clients, and the protocol, say UNAVAILABLE.
        let message = format!("the connection to {target} broke, and the function may have run: {root}");
        (Code::Unavailable, message)
    };
    GateError { transport: Some(status), ..GateError::new(code, "", message) }
}

fn unreachable(error: &(dyn StdError + 'static), target: &str, root: &str) -> String {
    let refused = find::<io::Error>(error)
        .is_some_and(|error| matches!(error.kind(), io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound));
    if refused {
        return format!(
            "cannot connect to {target}: nothing listens there; is the server running (`callgate serve`)? ({root})"
        );
    }
    format!("cannot connect to {target}: {root}")
}

/// The error of a connection that could not be made on `connect`.
pub(crate) fn from_transport(error: tonic::transport::Error, target: &str) -> Error {
    let message = unreachable(&error, target, &root_of(&error));
    let transport = Some(Status::from_error(Box::new(error)));
    GateError { transport, ..GateError::new(Code::Unavailable, "", message) }.into()
}

/// How tonic and grpcio refuse a message, with the reason and numbers that Callgate would have given.
fn too_large(status: &Status) -> Option<GateError> {
    let text = status.message();
    let (reason, size, limit) = if let Some((_, rest)) = text.split_once("decoded message length too large: found ") {
        let (size, limit) = rest.strip_suffix(" bytes")?.split_once(" bytes, the limit is: ")?;
        ("RESPONSE_TOO_LARGE", size, limit)
    } else if status.code() == Code::ResourceExhausted {
        let (_, rest) = text.split_once("eceived message larger than max (")?;
        let (size, limit) = rest.strip_suffix(')')?.split_once(" vs. ")?;
        ("REQUEST_TOO_LARGE", size, limit)
    } else {
        return None;
    };
    Some(GateError::too_large(reason, size.parse().ok()?, limit.parse().ok()?))
}

fn find<'a, E: StdError + 'static>(error: &'a (dyn StdError + 'static)) -> Option<&'a E> {
    chain(error).find_map(|error| error.downcast_ref())
}

fn root_of(error: &(dyn StdError + 'static)) -> String {
    chain(error).last().map(ToString::to_string).unwrap_or_default()
}

fn chain<'a>(error: &'a (dyn StdError + 'static)) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |error: &&'a (dyn StdError + 'static)| (*error).source())
}

#[cfg(test)]
mod tests {
    use super::*;

    const RAISED: &str = "type.googleapis.com/callgate.v1.PythonException";

    fn any(type_url: &str, message: &impl Message) -> Any {
        Any { type_url: type_url.to_owned(), value: message.encode_to_vec() }
    }

    fn info(domain: &str) -> Any {
        let info = rpc::ErrorInfo { reason: "OVERLOADED".into(), domain: domain.into(), ..Default::default() };
        any("type.googleapis.com/google.rpc.ErrorInfo", &info)
    }

    fn failed(code: Code, details: Vec<Any>) -> Error {
        let rich = rpc::Status { code: Code::ResourceExhausted as i32, message: "rich".into(), details };
        from_rpc_status(Status::with_details(code, "plain", rich.encode_to_vec().into()), "there")
    }

    fn gate_error(error: Error) -> GateError {
        error.gate().unwrap_or_else(|| panic!("{error:?}")).clone()
    }

    #[test]
    fn a_failure_has_its_reason_and_when_to_retry() {
        let delay = prost_types::Duration { seconds: 1, nanos: 500_000_000 };
        let retry = rpc::RetryInfo { retry_delay: Some(delay) };
        let retry = any("type.googleapis.com/google.rpc.RetryInfo", &retry);
        let error = gate_error(failed(Code::ResourceExhausted, vec![info("callgate"), retry]));
        assert_eq!((error.reason.as_str(), error.message.as_str()), ("OVERLOADED", "rich"));
        assert_eq!(error.retry_after, Some(Duration::from_millis(1500)));
    }

    #[test]
    fn another_domains_reason_is_not_ours() {
        assert_eq!(gate_error(failed(Code::ResourceExhausted, vec![info("elsewhere")])).reason, "");
    }

    #[test]
    fn a_code_that_a_proxy_changed_counts() {
        let error = gate_error(failed(Code::Unavailable, vec![info("callgate")]));
        assert_eq!((error.code, error.reason.as_str(), error.message.as_str()), (Code::Unavailable, "", "plain"));
    }

    #[test]
    fn details_that_cannot_be_read_are_none() {
        let garbage = Any { type_url: RAISED.to_owned(), value: vec![0xff] };
        let error = gate_error(failed(Code::ResourceExhausted, vec![garbage, info("callgate")]));
        assert_eq!(error.reason, "OVERLOADED");
        let status = Status::with_details(Code::Internal, "plain", vec![0xff].into());
        assert_eq!(gate_error(from_rpc_status(status, "there")).message, "plain");
    }

    #[test]
    fn an_exception_makes_it_the_functions_own() {
        let exception =
            PythonException { r#type: "ValueError".into(), module: "builtins".into(), ..Default::default() };
        let error = failed(Code::ResourceExhausted, vec![info("callgate"), any(RAISED, &exception)]);
        let python = error.python().unwrap_or_else(|| panic!("{error:?}"));
        assert_eq!((python.exception.full_name().as_str(), python.code), ("ValueError", Code::ResourceExhausted));
    }

    #[test]
    fn grpcs_own_refusal_of_a_message_has_a_reason() {
        let status = Status::resource_exhausted("SERVER: Received message larger than max (1048603 vs. 1048576)");
        let error = gate_error(from_rpc_status(status, "there"));
        assert_eq!((error.reason.as_str(), error.metadata["size"].as_str()), ("REQUEST_TOO_LARGE", "1048603"));
    }
}
