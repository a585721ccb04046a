//! How calls fail, against a real server.

mod server;

use std::error::Error as _;
use std::time::Duration;

use callgate::tonic::Code;
use callgate::{Error, Gate, PythonError, Value};
use server::Server;

const FUNCTIONS: &str = "conformance_functions";
const PATIENCE: Duration = Duration::from_secs(20);

async fn gate(server: &Server) -> Gate {
    Gate::builder(&server.address).timeout(PATIENCE).connect().await.unwrap()
}

async fn raised(function: &str, args: Vec<Value>) -> (Error, PythonError) {
    let server = Server::shared();
    let error = gate(&server).await.call::<Value>(FUNCTIONS, function, args).await.unwrap_err();
    let python = error.python().unwrap_or_else(|| panic!("{error:?}")).clone();
    (error, python)
}

#[tokio::test]
async fn what_a_function_raised_is_told_whole() {
    let (error, python) = raised("divide", vec![1.0.into(), 0.0.into()]).await;
    assert_eq!((python.code, python.reason.as_str()), (Code::Unknown, "FUNCTION_RAISED"));
    assert!(!python.call_id.is_empty());
    assert_eq!(python.exception.class, "ZeroDivisionError");
    assert!(python.is("ZeroDivisionError") && python.is("ArithmeticError") && !python.is("ValueError"));
    assert_eq!(error.to_string(), format!("ZeroDivisionError: {}", python.exception.message));
    let printed = format!("{error:?}");
    assert!(printed.starts_with("Remote traceback (most recent call last):\n  File \""), "{printed}");
    assert!(printed.contains(", in divide\n    return left / right\n"), "{printed}");
    assert_eq!(format!("{python:#}"), printed);
}

#[tokio::test]
async fn causes_are_sources() {
    let (error, python) = raised("refuse_order", vec![7.into()]).await;
    assert_eq!(error.to_string(), "conformance_functions.OrderRefused: ('no such order', 7)");
    assert_eq!(python.exception.args, Some(vec!["no such order".into(), 7.into()]));
    let cause = error.source().expect("a cause");
    assert_eq!(cause.to_string(), "KeyError: 7");
    assert!(cause.source().is_none());
    let printed = format!("{error:?}");
    assert!(printed.contains("The above exception was the direct cause of the following exception:"), "{printed}");

    let (error, _) = raised("fail_while_failing", vec![]).await;
    assert!(error.source().unwrap().to_string().starts_with("ZeroDivisionError"));
    let (error, python) = raised("fail_from_nothing", vec![]).await;
    assert!(error.source().is_none() && python.exception.context.is_some());
}

#[tokio::test]
async fn groups_and_notes_come_along() {
    let (error, python) = raised("fail_in_a_group", vec![]).await;
    let members: Vec<_> = python.exception.exceptions.iter().map(|member| member.class.as_str()).collect();
    assert_eq!(members, ["ValueError", "ExceptionGroup"]);
    assert!(format!("{error:?}").contains("TypeError: three"));
    let (error, _) = raised("fail_with_notes", vec![]).await;
    assert!(format!("{error:?}").ends_with("first note\nsecond note: größer"));
}

#[tokio::test]
async fn as_much_as_trailers_hold_arrives() {
    let (_, python) = raised("fail_with_much", vec![]).await;
    assert!(python.exception.truncated);
    assert!(!python.exception.exceptions.is_empty());
    let (_, python) = raised("fail_at_length", vec![100_000.into()]).await;
    assert!(python.exception.message.len() > 1000 && python.exception.message.ends_with('…'), "{python:?}");
}

#[tokio::test]
async fn a_status_error_chooses_the_code() {
    let (_, python) = raised("choose_status", vec!["NOT_FOUND".into(), "no customer 17".into()]).await;
    assert_eq!((python.code_name(), python.exception.message.as_str()), ("NOT_FOUND", "no customer 17"));
}

#[tokio::test]
async fn a_function_that_is_not_there_is_a_gate_error() {
    let server = Server::shared();
    let error = gate(&server).await.call::<Value>("math", "sqrtt", (1.0,)).await.unwrap_err();
    let error = error.gate().unwrap();
    assert_eq!((error.code, error.reason.as_str()), (Code::NotFound, "FUNCTION_NOT_FOUND"));
    assert!(error.metadata["suggestions"].contains("sqrt"), "{error:?}");
    assert!(error.to_string().ends_with("[FUNCTION_NOT_FOUND]"));
}

#[tokio::test]
async fn messages_that_are_too_large_say_so() {
    let server = Server::shared();
    let gate = Gate::builder(&server.address).max_message(10_000).timeout(PATIENCE).connect().await.unwrap();
    let error = gate.call::<i64>(FUNCTIONS, "size_of", (vec![0_u8; 20_000],)).await.unwrap_err();
    let error = error.gate().unwrap();
    assert_eq!((error.code, error.reason.as_str()), (Code::ResourceExhausted, "REQUEST_TOO_LARGE"), "{error:?}");
    assert_eq!(error.metadata["limit"], "10000");
    let error = gate.call::<Value>(FUNCTIONS, "sized", (20_000,)).await.unwrap_err();
    let error = error.gate().unwrap();
    assert_eq!((error.code, error.reason.as_str()), (Code::ResourceExhausted, "RESPONSE_TOO_LARGE"), "{error:?}");
}

#[tokio::test]
async fn a_server_that_is_not_there_is_unavailable() {
    let error = Gate::connect("http://127.0.0.1:1").await.unwrap_err();
    let unavailable = error.gate().unwrap();
    assert_eq!((unavailable.code, unavailable.reason.as_str()), (Code::Unavailable, ""));
    assert!(unavailable.message.starts_with("cannot connect to http://127.0.0.1:1: nothing listens there"), "{error}");
    assert!(error.source().is_some());
    let lazy = Gate::builder("127.0.0.1:1").connect_lazy().unwrap();
    let error = lazy.call::<Value>("math", "sqrt", (1.0,)).await.unwrap_err();
    assert_eq!(error.gate().unwrap().message, unavailable.message.replace("http://", ""));
}

#[tokio::test]
async fn a_connection_that_breaks_is_unavailable() {
    let server = Server::start();
    let gate = gate(&server).await;
    let other = gate.clone();
    let call = tokio::spawn(async move { other.call::<Value>(FUNCTIONS, "hold", ("rust-broken",)).await });
    gate.call::<bool>("conformance_events", "wait", ("rust-broken started", 20.0)).await.unwrap();
    drop(server);
    let error = call.await.unwrap().unwrap_err();
    let error = error.gate().unwrap();
    assert_eq!((error.code, error.reason.as_str()), (Code::Unavailable, ""), "{error:?}");
    assert!(error.message.contains("the function may have run"), "{error}");
}

#[tokio::test]
async fn what_does_not_go_together_is_told_before_connecting() {
    for (builder, part) in [
        (Gate::builder("http://localhost:1").ca("-----BEGIN CERTIFICATE-----"), "want https://"),
        (Gate::builder("localhost:1").ca("no PEM"), "ca is not PEM"),
        (Gate::builder("localhost:1").token("two words"), "one word of printable ASCII"),
        (Gate::builder("local host"), "is no target"),
        (Gate::builder("localhost:1").in_flight(0), "1 or more"),
    ] {
        let error = builder.connect_lazy().unwrap_err();
        assert!(matches!(error, Error::Value(_)));
        assert!(error.to_string().contains(part), "{error}");
    }
}
