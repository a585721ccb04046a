//! A real server on a port of its own, shared by the tests that run at the same time.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError, Weak};

const TARGETS: [&str; 8] = [
    "math",
    "json.dumps",
    "json.loads",
    "builtins.abs",
    "builtins.len",
    "examples/",
    "tests/conformance/functions/conformance_events.py",
    "tests/conformance/functions/conformance_functions.py",
];

pub struct Server {
    process: Child,
    pub address: String,
}

impl Server {
    /// The server that other tests use, too; it ends with the last of them.
    pub fn shared() -> Arc<Server> {
        static SHARED: Mutex<Weak<Server>> = Mutex::new(Weak::new());
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        shared.upgrade().unwrap_or_else(|| {
            let made = Arc::new(Server::start());
            *shared = Arc::downgrade(&made);
            made
        })
    }

    /// A server of the test's own.
    pub fn start() -> Server {
        let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..");
        let callgate = std::env::var_os("CALLGATE").map_or_else(|| root.join(".venv/bin/callgate"), PathBuf::from);
        assert!(
            callgate.exists(),
            "there is no server to test against: {} does not exist; run `make .venv/.server` at the top of the \
             repository, or set CALLGATE to a callgate command",
            callgate.display()
        );
        let mut process = Command::new(&callgate)
            .arg("serve")
            .args(TARGETS)
            .args(["--executor", "threads", "--listen", "127.0.0.1:0"])
            .current_dir(&root)
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap_or_else(|error| panic!("{} does not start: {error}", callgate.display()));
        let mut lines = BufReader::new(process.stdout.take().expect("it is piped")).lines();
        // "callgate … serves … on 127.0.0.1:43210 …"
        let address = lines.by_ref().map_while(Result::ok).find_map(|line| {
            line.split_whitespace()
                .find(|word| word.starts_with("127.0.0.1:"))
                .map(|word| word.trim_end_matches(|char: char| !char.is_ascii_digit()).to_owned())
        });
        let Some(address) = address else {
            let _ = process.kill();
            panic!("the server ended without saying where it listens");
        };
        // Nobody reads what it says from here on: a full pipe must not stop it.
        std::thread::spawn(move || lines.for_each(drop));
        Server { process, address }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
