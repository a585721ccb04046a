//! Calls, streams, batches, listing and describing.

use std::time::Instant;

use callgate::{Error, Function, Gate, Request, Value};
use serde_json::{Value as Json, json};

use crate::{Fault, Object, failures, hex, seconds, text};

fn value(hex: &Json) -> Result<Value, Fault> {
    let bytes = hex::bytes(hex.as_str().ok_or("a value is hexadecimal text")?)?;
    Ok(Value::parse(&bytes)?)
}

fn args(request: &Object) -> Result<Vec<Value>, Fault> {
    request.get("args").and_then(Json::as_array).map_or(Ok(Vec::new()), |args| args.iter().map(value).collect())
}

fn kwargs(request: &Object) -> Result<Vec<(String, Value)>, Fault> {
    let one = |(name, hex): (&String, &Json)| Ok((name.clone(), value(hex)?));
    request.get("kwargs").and_then(Json::as_object).map_or(Ok(Vec::new()), |kwargs| kwargs.iter().map(one).collect())
}

fn outcome(result: Result<Value, Error>) -> Result<Json, Fault> {
    Ok(match result {
        Ok(value) => json!({"value": failures::value_hex(&value)?}),
        Err(error) => json!({"failure": failures::of(&error)?}),
    })
}

pub async fn call(gate: &Gate, request: &Object) -> Result<Json, Fault> {
    let mut call = gate.call::<Value>(text(request, "module")?, text(request, "function")?, args(request)?);
    for (name, value) in kwargs(request)? {
        call = call.kwarg(name, value);
    }
    if let Some(timeout) = seconds(request, "timeout")? {
        call = call.timeout(timeout);
    }
    let start = Instant::now();
    let mut answer = match seconds(request, "cancel_after")? {
        None => outcome(call.await)?,
        Some(after) => match tokio::time::timeout(after, call.into_future()).await {
            Ok(result) => outcome(result)?,
            Err(_) => json!({"failure": failures::dropped()}),
        },
    };
    answer["seconds"] = start.elapsed().as_secs_f64().into();
    Ok(answer)
}

pub async fn stream(gate: &Gate, request: &Object) -> Result<Json, Fault> {
    let mut call = gate.stream::<Value>(text(request, "module")?, text(request, "function")?, args(request)?);
    for (name, value) in kwargs(request)? {
        call = call.kwarg(name, value);
    }
    if let Some(timeout) = seconds(request, "timeout")? {
        call = call.timeout(timeout);
    }
    let take = request.get("take").and_then(Json::as_u64);
    let mut values = Vec::new();
    let read = async {
        let mut items = call.await?;
        while take.is_none_or(|take| (values.len() as u64) < take) {
            match items.next().await {
                Some(item) => values.push(item?),
                None => break,
            }
        }
        Ok::<(), Error>(())
    };
    let failure = match seconds(request, "cancel_after")? {
        None => read.await.err().map(|error| failures::of(&error)).transpose()?,
        Some(after) => match tokio::time::timeout(after, read).await {
            Ok(result) => result.err().map(|error| failures::of(&error)).transpose()?,
            Err(_) => Some(failures::dropped()),
        },
    };
    let values = values.iter().map(failures::value_hex).collect::<Result<Vec<_>, _>>()?;
    Ok(json!({"values": values, "failure": failure}))
}

pub async fn batch(gate: &Gate, request: &Object) -> Result<Json, Fault> {
    let mut calls = Vec::new();
    for call in request.get("calls").and_then(Json::as_array).ok_or("calls is missing")? {
        let call = call.as_object().ok_or("a call is an object")?;
        let mut made = Request::new(text(call, "module")?, text(call, "function")?, args(call)?);
        for (name, value) in kwargs(call)? {
            made = made.kwarg(name, value);
        }
        calls.push(made);
    }
    let mut batch = gate.batch::<Value>(calls);
    if let Some(timeout) = seconds(request, "timeout")? {
        batch = batch.timeout(timeout);
    }
    if let Some(timeout) = seconds(request, "call_timeout")? {
        batch = batch.call_timeout(timeout);
    }
    Ok(match batch.await {
        Ok(results) => json!({"results": results.into_iter().map(outcome).collect::<Result<Vec<_>, _>>()?}),
        Err(error) => json!({"failure": failures::of(&error)?}),
    })
}

fn function(described: &Function) -> Json {
    json!({
        "module": described.module,
        "function": described.function,
        "signature": described.signature,
        "doc": described.doc,
        "executor": described.executor,
    })
}

pub async fn list(gate: &Gate, request: &Object) -> Json {
    match gate.functions(request.get("module").and_then(Json::as_str)).await {
        Ok(functions) => json!({"functions": functions.iter().map(function).collect::<Vec<_>>()}),
        Err(error) => failed(&error),
    }
}

pub async fn describe(gate: &Gate, request: &Object) -> Result<Json, Fault> {
    Ok(match gate.function(text(request, "module")?, text(request, "function")?).await {
        Ok(described) => json!({"function": function(&described)}),
        Err(error) => failed(&error),
    })
}

fn failed(error: &Error) -> Json {
    failures::of(error).map_or_else(|fault| json!({"fault": fault.to_string()}), |failure| json!({"failure": failure}))
}
