//! gRPC's failures → `Error`: from the rich status if there is one, else from the code.

use std::collections::BTreeMap;
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
    let metadata: BTreeMap<String, String> = info.metadata;
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
    let (reason, size, limit) = if let Some((_, rest)) = text.split_once("message length too large: found ") {
        let (size, limit) = rest.strip_suffix(" bytes")?.split_once(" bytes, the limit is: ")?;
        (if text.contains("decoded") { "RESPONSE_TOO_LARGE" } else { "REQUEST_TOO_LARGE" }, size, limit)
    } else if status.code() == Code::ResourceExhausted {
        let (_, rest) = text.split_once("eceived message larger than max (")?;
        let (size, limit) = rest.strip_suffix(')')?.split_once(" vs. ")?;
        ("REQUEST_TOO_LARGE", size, limit)
    } else {
        return None;
    };
    let (size, limit): (u64, u64) = (size.parse().ok()?, limit.parse().ok()?);
    let what = if reason == "RESPONSE_TOO_LARGE" { "answer" } else { "request" };
    let message = format!("the {what} is {size} bytes; at most {limit} are taken (max_message)");
    let about = [("size", size.to_string()), ("limit", limit.to_string()), ("unit", "bytes".to_owned())];
    let metadata = about.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    Some(GateError { metadata, ..GateError::new(Code::ResourceExhausted, reason, message) })
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
