use std::collections::HashMap;
use std::time::Duration;

use callgate::{Error, Gate, Request};

#[tokio::main]
async fn main() -> Result<(), Error> {
    let server = std::env::var("CALLGATE_SERVER").unwrap_or("localhost:50051".into());
    let gate = Gate::connect(server).await?;

    // The type on the left says what the result has to be.
    let root: f64 = gate.call("math", "sqrt", (16.0,)).await?;
    println!("{root}");

    // Keyword arguments and a deadline.
    let circle: HashMap<String, f64> =
        gate.call("examples.shapes", "circle", (1.0,)).kwarg("digits", 2).timeout(Duration::from_secs(5)).await?;
    println!("{}", circle["area"]);

    // Items as a generator makes them.
    let mut items = gate.stream::<i64>("examples.countdown", "down", (3,)).await?;
    while let Some(item) = items.next().await {
        println!("{}", item?);
    }

    // Many calls in one message.
    let calls = (0..1000).map(|n| Request::new("math", "sqrt", (f64::from(n),)));
    let roots = gate.batch::<f64>(calls).await?;
    println!("{} roots", roots.len());

    // What the function raised, and how getting there failed, are never mixed up.
    match gate.call::<f64>("math", "sqrt", (-1.0,)).await {
        Ok(root) => println!("{root}"),
        Err(Error::Python(error)) if error.is("ValueError") => println!("Python: {error}"),
        Err(Error::Gate(error)) => println!("no answer: {} {}", error.reason, error.message),
        Err(error) => return Err(error),
    }
    Ok(())
}
