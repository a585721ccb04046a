//! Many callers at once: whether answers get swapped, and how fast they come.

use std::time::{Duration, Instant};

use callgate::v1::function_service_client::FunctionServiceClient;
use callgate::v1::value::Kind;
use callgate::v1::{CallFunctionRequest, Value as Wire};
use callgate::{Dict, Gate, Value, tonic};
use serde_json::{Value as Json, json};
use tokio::task::JoinSet;

use crate::{Connected, Fault, Object, text};

fn number(request: &Object, key: &str) -> Result<i64, Fault> {
    request.get(key).and_then(Json::as_i64).ok_or_else(|| format!("{key} is missing, or no whole number").into())
}

pub async fn concurrent(gate: &Gate, request: &Object) -> Result<Json, Fault> {
    let (callers, calls) = (number(request, "callers")?, number(request, "calls")?);
    let mut tasks = JoinSet::new();
    for caller in 0..callers {
        let gate = gate.clone();
        tasks.spawn(async move {
            let mut wrong = Vec::new();
            for call in 0..calls {
                if let Err(sentence) = one(&gate, caller, call, caller * calls + call).await {
                    wrong.push(sentence);
                }
            }
            wrong
        });
    }
    let wrong: Vec<String> = tasks.join_all().await.into_iter().flatten().take(10).collect();
    Ok(json!({"made": callers * calls, "wrong": wrong}))
}

async fn one(gate: &Gate, caller: i64, call: i64, n: i64) -> Result<(), String> {
    let same = match n % 4 {
        0 => {
            let root = n as f64;
            gate.call::<f64>("math", "sqrt", (root * root,)).await.map(|answer| answer == root)
        }
        1 => {
            let list = vec![Value::from(n), Value::from("x")];
            gate.call::<String>("json", "dumps", (list,)).await.map(|answer| answer == format!("[{n}, \"x\"]"))
        }
        2 => gate.call::<i64>("builtins", "abs", (-n,)).await.map(|answer| answer == n),
        _ => {
            let mut own = Dict::new();
            own.push("caller", caller);
            own.push("call", call);
            let own = Value::from(own);
            gate.call::<Value>("conformance_functions", "echo", (own.clone(),)).await.map(|answer| answer == own)
        }
    };
    match same {
        Ok(true) => Ok(()),
        Ok(false) => Err(format!("caller {caller}, call {call} (n = {n}): another answer than its own")),
        Err(error) => Err(format!("caller {caller}, call {call} (n = {n}): {error}")),
    }
}

pub async fn bench(connected: &Connected, request: &Object) -> Result<Json, Fault> {
    let callers = number(request, "callers")?;
    let seconds = request.get("seconds").and_then(Json::as_f64).ok_or("seconds is missing")?;
    let time = Duration::try_from_secs_f64(seconds)?;
    let start = Instant::now();
    let times = match text(request, "what")? {
        "wrapper" => {
            let gate = connected.gate.clone();
            loops(callers, time, move || wrapped(gate.clone())).await?
        }
        "stub" => {
            let stub = bare(connected).await?;
            let request = prepared();
            let token = connected.token.as_ref().map(|token| format!("Bearer {token}").parse()).transpose()?;
            loops(callers, time, move || stubbed(stub.clone(), request.clone(), token.clone())).await?
        }
        other => return Err(format!("there is no {other:?} to measure").into()),
    };
    let took = start.elapsed().as_secs_f64();
    let at = |share: f64| times.get((share * times.len() as f64) as usize).map(Duration::as_secs_f64);
    Ok(json!({"calls": times.len(), "seconds": took, "p50": at(0.5), "p99": at(0.99)}))
}

/// How long each call took, sorted: so many callers, each waiting for its answer before its next call.
async fn loops<C, F>(callers: i64, time: Duration, call: C) -> Result<Vec<Duration>, Fault>
where
    C: Fn() -> F + Clone + Send + 'static,
    F: Future<Output = Result<f64, Fault>> + Send,
{
    let until = Instant::now() + time;
    let mut tasks = JoinSet::new();
    for _ in 0..callers {
        let call = call.clone();
        tasks.spawn(async move {
            let mut times = Vec::new();
            while Instant::now() < until {
                let start = Instant::now();
                let root = call().await?;
                if root != 4.0 {
                    return Err(format!("math.sqrt(16.0) is {root}").into());
                }
                times.push(start.elapsed());
            }
            Ok::<_, Fault>(times)
        });
    }
    let mut all = Vec::new();
    for times in tasks.join_all().await {
        all.extend(times?);
    }
    all.sort_unstable();
    Ok(all)
}

async fn wrapped(gate: Gate) -> Result<f64, Fault> {
    Ok(gate.call("math", "sqrt", (16.0,)).await?)
}

type Stub = FunctionServiceClient<tonic::transport::Channel>;

async fn bare(connected: &Connected) -> Result<Stub, Fault> {
    Ok(FunctionServiceClient::connect(format!("http://{}", connected.target)).await?)
}

fn prepared() -> CallFunctionRequest {
    CallFunctionRequest {
        module: "math".into(),
        function: "sqrt".into(),
        args: vec![Wire { kind: Some(Kind::DoubleValue(16.0)) }],
        ..CallFunctionRequest::default()
    }
}

async fn stubbed(
    mut stub: Stub,
    request: CallFunctionRequest,
    token: Option<tonic::metadata::AsciiMetadataValue>,
) -> Result<f64, Fault> {
    let mut request = tonic::Request::new(request);
    if let Some(token) = token {
        request.metadata_mut().insert("authorization", token);
    }
    match stub.call_function(request).await?.into_inner().value.and_then(|value| value.kind) {
        Some(Kind::DoubleValue(root)) => Ok(root),
        other => Err(format!("math.sqrt(16.0) is {other:?}").into()),
    }
}
