//! Calls, streams and batches against a real server.

mod server;

use std::time::Duration;

use callgate::tonic::Code;
use callgate::{Error, Gate, HealthStatus, Request, Value};
use server::Server;

const FUNCTIONS: &str = "conformance_functions";
/// What a test takes at most that waits for something.
const PATIENCE: Duration = Duration::from_secs(20);

async fn gate(server: &Server) -> Gate {
    Gate::builder(&server.address).timeout(PATIENCE).connect().await.unwrap()
}

#[tokio::test]
async fn a_call_gives_the_type_that_is_asked_for() {
    let server = Server::shared();
    let gate = gate(&server).await;
    let root: f64 = gate.call("math", "sqrt", (16.0,)).await.unwrap();
    assert_eq!(root, 4.0);
    let (mantissa, exponent): (f64, i64) = gate.call("math", "frexp", [8.0]).await.unwrap();
    assert_eq!((mantissa, exponent), (0.5, 4));
    gate.call::<()>(FUNCTIONS, "nothing", ()).await.unwrap();
    let value = gate.call::<Value>(FUNCTIONS, "echo", ((1, "a", None::<i64>),)).await.unwrap();
    assert_eq!(value, Value::from((1, "a", ())));
}

#[tokio::test]
async fn keyword_arguments_go_through_the_builder() {
    let server = Server::shared();
    let gate = gate(&server).await;
    let sum: i64 = gate.call(FUNCTIONS, "add", (1,)).kwarg("right", 5).await.unwrap();
    assert_eq!(sum, 6);
    let own: i64 = gate.call(FUNCTIONS, "keyworded", ()).kwarg("timeout", 7).timeout(PATIENCE).await.unwrap();
    assert_eq!(own, 7);
}

#[tokio::test]
async fn a_result_of_another_type_names_the_place() {
    let server = Server::shared();
    let gate = gate(&server).await;
    let error = gate.call::<Vec<i64>>(FUNCTIONS, "echo", (vec![Value::from(1), Value::from("x")],)).await.unwrap_err();
    assert_eq!(error.to_string(), "result[1]: a Python str where an int is wanted");
    assert!(matches!(error, Error::Value(_)));
}

#[tokio::test]
async fn a_bad_argument_is_refused_before_anything_is_sent() {
    // Nobody listens there: what is sent would fail with UNAVAILABLE.
    let gate = Gate::builder("127.0.0.1:1").connect_lazy().unwrap();
    let twice = Value::Set(vec![Value::Int(1), Value::Int(1)]);
    let error = gate.call::<Value>("m", "f", (1, vec![twice.clone()])).await.unwrap_err();
    assert_eq!(error.to_string(), "args[1][0]: a set has an element twice");
    let error = gate.call::<Value>("m", "f", ()).kwarg("x", twice).await.unwrap_err();
    assert_eq!(error.to_string(), "kwargs['x']: a set has an element twice");
    let error = gate.call::<Value>("m", "f", ()).kwarg("x", 1).kwarg("x", 2).await.unwrap_err();
    assert_eq!(error.to_string(), "kwargs['x']: a keyword argument comes twice");
}

#[tokio::test]
async fn a_call_runs_until_its_deadline() {
    let server = Server::shared();
    let gate = gate(&server).await;
    let error = gate
        .call::<Value>(FUNCTIONS, "until_cancelled", ("rust-deadline",))
        .timeout(Duration::from_secs(2))
        .await
        .unwrap_err();
    assert_eq!(error.gate().unwrap().code, Code::DeadlineExceeded);
    // The server ended the function, too.
    wait(&gate, "rust-deadline cancelled").await;
    let error = gate.call::<f64>("math", "sqrt", (1.0,)).timeout(Duration::ZERO).await.unwrap_err();
    assert_eq!(error.gate().unwrap().reason, "EXPIRED_IN_QUEUE");
    let forever: f64 = gate.call("math", "sqrt", (1.0,)).timeout(Duration::MAX).await.unwrap();
    assert_eq!(forever, 1.0);
}

/// Waits for an event of conformance_events.
async fn wait(gate: &Gate, event: &str) {
    let came: bool = gate.call("conformance_events", "wait", (event, PATIENCE.as_secs_f64())).await.unwrap();
    assert!(came, "{event} did not come");
}

#[tokio::test]
async fn dropping_a_call_cancels_it_on_the_server() {
    let server = Server::shared();
    let gate = gate(&server).await;
    let other = gate.clone();
    let call = tokio::spawn(async move { other.call::<Value>(FUNCTIONS, "until_cancelled", ("rust-drop",)).await });
    wait(&gate, "rust-drop started").await;
    call.abort();
    assert!(call.await.unwrap_err().is_cancelled());
    wait(&gate, "rust-drop cancelled").await;
}

#[tokio::test]
async fn more_calls_than_fit_wait_for_their_turn() {
    let server = Server::shared();
    let gate = Gate::builder(&server.address).in_flight(1).timeout(PATIENCE).connect().await.unwrap();
    let second = self::gate(&server).await;
    let first = gate.clone();
    let holder = tokio::spawn(async move { first.call::<i64>(FUNCTIONS, "hold", ("rust-place", 7)).await });
    wait(&second, "rust-place started").await;
    let error = gate.call::<f64>("math", "sqrt", (1.0,)).timeout(Duration::from_millis(50)).await.unwrap_err();
    let error = error.gate().unwrap();
    assert_eq!((error.code, error.reason.as_str()), (Code::DeadlineExceeded, "EXPIRED_IN_QUEUE"));
    assert!(error.message.contains("in_flight"), "{error}");
    second.call::<()>("conformance_events", "signal", ("rust-place",)).await.unwrap();
    assert_eq!(holder.await.unwrap().unwrap(), 7);
    assert_eq!(gate.call::<f64>("math", "sqrt", (1.0,)).await.unwrap(), 1.0);
}

#[tokio::test]
async fn a_stream_gives_its_items_then_ends() {
    let server = Server::shared();
    let gate = gate(&server).await;
    let mut items = gate.stream::<i64>("examples.countdown", "down", (3,)).await.unwrap();
    let mut numbers = Vec::new();
    while let Some(item) = items.next().await {
        numbers.push(item.unwrap());
    }
    assert_eq!(numbers, [3, 2, 1]);
    assert!(items.next().await.is_none());
}

#[tokio::test]
async fn a_stream_fails_after_its_items() {
    let server = Server::shared();
    let gate = gate(&server).await;
    let items = gate.stream::<i64>(FUNCTIONS, "count_then_fail", (2,)).await.unwrap();
    let all: Vec<Result<i64, Error>> = tokio_stream::StreamExt::collect(items).await;
    assert_eq!(all.len(), 3);
    assert_eq!(all[1].as_ref().unwrap(), &1);
    assert!(all[2].as_ref().unwrap_err().python().unwrap().is("LookupError"));
}

#[tokio::test]
async fn dropping_a_stream_closes_its_generator() {
    let server = Server::shared();
    let gate = gate(&server).await;
    let mut items = gate.stream::<i64>(FUNCTIONS, "endless", ("rust-stream",)).await.unwrap();
    assert_eq!(items.next().await.unwrap().unwrap(), 0);
    drop(items);
    wait(&gate, "rust-stream closed").await;
}

#[tokio::test]
async fn a_streams_deadline_ends_it() {
    let server = Server::shared();
    let gate = gate(&server).await;
    let mut items = gate
        .stream::<String>(FUNCTIONS, "first_then_hold", ("rust-late",))
        .timeout(Duration::from_secs(2))
        .await
        .unwrap();
    assert_eq!(items.next().await.unwrap().unwrap(), "first");
    let error = items.next().await.unwrap().unwrap_err();
    assert_eq!(error.gate().unwrap().code, Code::DeadlineExceeded);
    assert!(items.next().await.is_none());
    wait(&gate, "rust-late closed").await;
}

#[tokio::test]
async fn a_batch_has_each_calls_own_result() {
    let server = Server::shared();
    let gate = gate(&server).await;
    let unhashable = Value::Set(vec![Value::List(vec![])]);
    let calls = [
        Request::new("math", "sqrt", (4.0,)),
        Request::new(FUNCTIONS, "divide", (1.0, 0.0)),
        Request::new(FUNCTIONS, "echo", (unhashable,)),
        Request::new("math", "no_such", ()),
        Request::new(FUNCTIONS, "echo", ("text",)),
        Request::new("math", "pow", (2.0, 3.0)),
    ];
    let results = gate.batch::<f64>(calls).call_timeout(PATIENCE).await.unwrap();
    assert_eq!(results.len(), 6);
    assert_eq!(*results[0].as_ref().unwrap(), 2.0);
    assert!(results[1].as_ref().unwrap_err().python().unwrap().is("ZeroDivisionError"));
    assert!(results[2].as_ref().unwrap_err().to_string().starts_with("args[0][0]: "));
    assert_eq!(results[3].as_ref().unwrap_err().gate().unwrap().reason, "FUNCTION_NOT_FOUND");
    assert!(results[4].as_ref().unwrap_err().to_string().starts_with("result: a Python str"));
    assert_eq!(*results[5].as_ref().unwrap(), 8.0);
    assert!(gate.batch::<f64>([]).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_batch_of_thousands_comes_back_in_order() {
    let server = Server::shared();
    let gate = gate(&server).await;
    let calls = (0..3000).map(|n| Request::new("builtins", "abs", (-n,)));
    let results = gate.batch::<i64>(calls).await.unwrap();
    for (n, result) in results.into_iter().enumerate() {
        assert_eq!(result.unwrap(), n as i64);
    }
}

#[tokio::test]
async fn functions_are_listed_and_described() {
    let server = Server::shared();
    let gate = gate(&server).await;
    let all = gate.functions(None).await.unwrap();
    let math = gate.functions(Some("math")).await.unwrap();
    assert!(all.len() > math.len() && math.iter().all(|function| function.module == "math"));
    let area = gate.function("examples.shapes", "area").await.unwrap();
    assert_eq!(area.signature, "(width: float, height: float | None = None) -> float");
    let error = gate.function("math", "no_such").await.unwrap_err();
    assert_eq!(error.gate().unwrap().reason, "FUNCTION_NOT_FOUND");
}

#[tokio::test]
async fn health_is_the_servers_or_one_of_its_services() {
    let server = Server::shared();
    let gate = gate(&server).await;
    for service in ["", "callgate.v1.FunctionService"] {
        assert_eq!(gate.health(service).await.unwrap(), HealthStatus::Serving);
    }
    let unknown = gate.health("no.such.Service").await.unwrap();
    assert_eq!((unknown, unknown.to_string()), (HealthStatus::ServiceUnknown, "SERVICE_UNKNOWN".to_owned()));
    let nobody = Gate::builder("127.0.0.1:1").connect_lazy().unwrap();
    assert_eq!(nobody.health("").await.unwrap_err().gate().unwrap().code, Code::Unavailable);
}

#[tokio::test]
async fn everything_can_be_done_from_another_task() {
    let server = Server::shared();
    let gate = gate(&server).await;
    let done = tokio::spawn(async move {
        gate.functions(Some("math")).await?;
        gate.function("math", "sqrt").await?;
        gate.health("").await?;
        gate.batch::<f64>([Request::new("math", "sqrt", (1.0,))]).await?;
        gate.stream::<i64>(FUNCTIONS, "count", (1,)).await?.next().await;
        gate.call::<f64>("math", "sqrt", (1.0,)).await
    });
    assert_eq!(done.await.unwrap().unwrap(), 1.0);
}
