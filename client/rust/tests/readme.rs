//! The README's program is examples/quickstart.rs, and does what it says.

mod server;

use std::process::Command;

use server::Server;

#[test]
fn the_readmes_program_runs() {
    let readme = include_str!("../README.md");
    let program = include_str!("../examples/quickstart.rs");
    assert!(readme.contains(&format!("```rust\n{program}```\n")), "README.md differs from examples/quickstart.rs");

    let server = Server::shared();
    // …/target/PROFILE/deps/readme-HASH; Cargo builds examples before tests run.
    let own = std::env::current_exe().expect("a test knows where it is");
    let built = own.ancestors().nth(2).expect("it is in deps/").join("examples/quickstart");
    let said = Command::new(&built)
        .env("CALLGATE_SERVER", &server.address)
        .output()
        .unwrap_or_else(|error| panic!("{}: {error}", built.display()));
    let lines = String::from_utf8(said.stdout).expect("it prints text");
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    let lines: Vec<&str> = lines.lines().collect();
    assert_eq!(lines[..6], ["4", "3.14", "3", "2", "1", "1000 roots"]);
    assert!(lines[6].starts_with("Python: ValueError: "), "{}", lines[6]);
}
