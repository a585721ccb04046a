//! The client's errors, as the runner protocol shows them.

use callgate::{Error, Exception, Value};
use serde_json::{Value as Json, json};

use crate::{Fault, Object, hex};

pub fn of(error: &Error) -> Result<Json, Fault> {
    Ok(match error {
        Error::Python(error) => json!({
            "class": "PythonError",
            "raised": true,
            "code": error.code_name(),
            "reason": error.reason,
            "message": error.exception.message,
            "metadata": error.metadata,
            "retry_after": null,
            "call_id": error.call_id,
            "exception": exception(&error.exception)?,
        }),
        Error::Gate(error) => json!({
            "class": "GateError",
            "raised": false,
            "code": error.code_name(),
            "reason": error.reason,
            "message": error.message,
            "metadata": error.metadata,
            "retry_after": error.retry_after.map(|time| time.as_secs_f64()),
            "call_id": error.call_id,
            "exception": null,
        }),
        Error::Value(error) => json!({
            "class": "ValueError",
            "raised": false,
            "code": "",
            "reason": "",
            "message": error.to_string(),
            "metadata": {"path": error.path},
            "retry_after": null,
            "call_id": "",
            "exception": null,
        }),
    })
}

/// What this client's user knows of a call that was cancelled by dropping it.
pub fn dropped() -> Json {
    json!({
        "class": "(dropped)",
        "raised": false,
        "code": "CANCELLED",
        "reason": "",
        "message": "the future was dropped",
        "metadata": {},
        "retry_after": null,
        "call_id": "",
        "exception": null,
    })
}

fn exception(error: &Exception) -> Result<Json, Fault> {
    let inner = |inner: &Option<Box<Exception>>| inner.as_deref().map_or(Ok(Json::Null), exception);
    let frame = |frame: &callgate::Frame| json!({"file": frame.file, "line": frame.line, "function": frame.function, "source": frame.source});
    let mut attributes = Object::new();
    for (name, value) in &error.attributes {
        attributes.insert(name.clone(), value_hex(value)?);
    }
    Ok(json!({
        "type": error.class,
        "module": error.module,
        "qualname": error.qualname,
        "message": error.message,
        "args": error.args.iter().flatten().map(value_hex).collect::<Result<Vec<_>, _>>()?,
        "notes": error.notes,
        "frames": error.frames.iter().map(frame).collect::<Vec<_>>(),
        "cause": inner(&error.cause)?,
        "context": inner(&error.context)?,
        "suppress_context": error.suppress_context,
        "exceptions": error.exceptions.iter().map(exception).collect::<Result<Vec<_>, _>>()?,
        "builtin_bases": error.builtin_bases,
        "truncated": error.truncated,
        "attributes": attributes,
    }))
}

pub fn value_hex(value: &Value) -> Result<Json, Fault> {
    Ok(hex::text(&value.clone().serialize()?).into())
}
