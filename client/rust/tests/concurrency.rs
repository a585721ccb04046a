//! Many callers at once: no answer is another's.

mod server;

use std::time::Duration;

use callgate::{Dict, Error, Gate, Value};
use server::Server;
use tokio::task::JoinSet;

const CALLERS: i64 = 64;
const CALLS: i64 = 1000;
/// What one call may take: a lost answer fails the test instead of hanging it.
const LIMIT: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread")]
async fn sixty_four_callers_get_their_own_answers_to_a_thousand_calls_each() {
    let server = Server::shared();
    let gate = Gate::builder(format!("http://{}", server.address)).timeout(LIMIT).connect().await.unwrap();
    let mut callers = JoinSet::new();
    for caller in 0..CALLERS {
        let gate = gate.clone();
        callers.spawn(async move {
            for call in 0..CALLS {
                one(&gate, caller, call).await.unwrap_or_else(|error| panic!("caller {caller}, call {call}: {error}"));
            }
            CALLS
        });
    }
    let made: i64 = callers.join_all().await.into_iter().sum();
    assert_eq!(made, CALLERS * CALLS);
}

async fn one(gate: &Gate, caller: i64, call: i64) -> Result<(), Error> {
    let n = caller * CALLS + call;
    match n % 4 {
        0 => {
            let root = n as f64;
            assert_eq!(gate.call::<f64>("math", "sqrt", (root * root,)).await?, root);
        }
        1 => {
            let list = vec![Value::from(n), Value::from("x")];
            assert_eq!(gate.call::<String>("json", "dumps", (list,)).await?, format!("[{n}, \"x\"]"));
        }
        2 => assert_eq!(gate.call::<i64>("builtins", "abs", (-n,)).await?, n),
        _ => {
            let own: Dict = [("caller", caller), ("call", call)].into_iter().collect();
            let answer = gate.call::<Dict>("conformance_functions", "echo", (own.clone(),)).await?;
            assert_eq!(answer, own);
        }
    }
    Ok(())
}
