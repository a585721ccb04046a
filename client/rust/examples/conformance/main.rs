//! The conformance runner: see tests/conformance/README.md at the top of the repository.

mod calls;
mod failures;
mod hex;
mod load;

use std::collections::HashMap;
use std::io::{BufRead, Write};

use callgate::Gate;
use serde_json::{Map, Value as Json, json};

/// What a request cannot be carried out for; it is answered as a fault of this runner.
pub type Fault = Box<dyn std::error::Error + Send + Sync>;

/// A request's or an answer's keys.
pub type Object = Map<String, Json>;

/// A connection, and what a bare stub needs to make one like it.
pub struct Connected {
    pub gate: Gate,
    pub target: String,
    pub token: Option<String>,
}

fn main() -> Result<(), Fault> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let mut gates = HashMap::new();
    for line in std::io::stdin().lock().lines() {
        let request: Object = serde_json::from_str(&line?)?;
        let mut answer = runtime
            .block_on(answer(&request, &mut gates))
            .unwrap_or_else(|fault| Object::from_iter([("fault".to_owned(), fault.to_string().into())]));
        answer.insert("id".to_owned(), request.get("id").cloned().unwrap_or_default());
        let mut out = std::io::stdout().lock();
        serde_json::to_writer(&mut out, &answer)?;
        out.write_all(b"\n")?;
        out.flush()?;
    }
    Ok(())
}

async fn answer(request: &Object, gates: &mut HashMap<String, Connected>) -> Result<Object, Fault> {
    let op = text(request, "op")?;
    let made = match op {
        "hello" => hello(),
        "value" => value(request)?,
        "connect" => connect(request, gates).await?,
        "close" => {
            gates.remove(text(request, "gate")?);
            json!({"closed": true})
        }
        "call" | "stream" | "batch" | "list" | "describe" | "concurrent" | "shared" | "bench" => {
            let name = text(request, "gate")?;
            let connected = gates.get(name).ok_or_else(|| format!("no gate {name:?}"))?;
            match op {
                "call" => calls::call(&connected.gate, request).await?,
                "stream" => calls::stream(&connected.gate, request).await?,
                "batch" => calls::batch(&connected.gate, request).await?,
                "list" => calls::list(&connected.gate, request).await,
                "describe" => calls::describe(&connected.gate, request).await?,
                "concurrent" => load::concurrent(&connected.gate, request).await?,
                "bench" => load::bench(connected, request).await?,
                _ => json!({"unsupported": "this client makes a batch where it is told to, and none by itself"}),
            }
        }
        other => return Err(format!("unknown op {other:?}").into()),
    };
    match made {
        Json::Object(made) => Ok(made),
        other => Err(format!("the answer is no object: {other}").into()),
    }
}

fn hello() -> Json {
    // ./conformance says which compiler there is; else the oldest that there can be.
    let version = std::env::var("RUSTC_VERSION").unwrap_or(env!("CARGO_PKG_RUST_VERSION").into());
    json!({"language": "rust", "version": version, "grpc": format!("tonic {}", pinned("tonic"))})
}

/// The version of a dependency, as Cargo.toml pins it.
fn pinned(name: &str) -> &'static str {
    let line = include_str!("../../Cargo.toml").lines().find(|line| line.split(' ').next() == Some(name));
    line.and_then(|line| line.split('"').find_map(|part| part.strip_prefix('='))).unwrap_or_default()
}

fn value(request: &Object) -> Result<Json, Fault> {
    let bytes = hex::bytes(text(request, "value")?)?;
    Ok(match callgate::Value::parse(&bytes).and_then(callgate::Value::serialize) {
        Ok(bytes) => json!({"value": hex::text(&bytes)}),
        Err(error) => json!({"failure": failures::of(&error.into())?}),
    })
}

async fn connect(request: &Object, gates: &mut HashMap<String, Connected>) -> Result<Json, Fault> {
    let optional = |key| request.get(key).and_then(Json::as_str);
    let target = text(request, "target")?;
    let mut builder = Gate::builder(target);
    if let Some(ca) = optional("tls_ca") {
        builder = builder.ca(std::fs::read(ca)?);
    }
    if let (Some(certificate), Some(key)) = (optional("tls_certificate"), optional("tls_key")) {
        builder = builder.identity(std::fs::read(certificate)?, std::fs::read(key)?);
    }
    if let Some(token) = optional("token") {
        builder = builder.token(token);
    }
    Ok(match builder.connect().await {
        Ok(gate) => {
            let token = optional("token").map(str::to_owned);
            gates.insert(text(request, "gate")?.to_owned(), Connected { gate, target: target.to_owned(), token });
            json!({"connected": true})
        }
        Err(error) => json!({"failure": failures::of(&error)?}),
    })
}

/// A key that must be there, and text.
pub fn text<'a>(request: &'a Object, key: &str) -> Result<&'a str, Fault> {
    request.get(key).and_then(Json::as_str).ok_or_else(|| format!("{key} is missing, or no text").into())
}

/// A key that may be missing or null, in seconds.
pub fn seconds(request: &Object, key: &str) -> Result<Option<std::time::Duration>, Fault> {
    match request.get(key).and_then(Json::as_f64) {
        Some(seconds) => Ok(Some(std::time::Duration::try_from_secs_f64(seconds)?)),
        None => Ok(None),
    }
}
