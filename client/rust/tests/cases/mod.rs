//! Reads what it needs of tests/conformance/cases, whose lines are as regular as their generator writes them: no YAML
//! parser for that.

use std::fs;
use std::path::Path;

#[derive(Debug, Default)]
pub struct Case {
    pub name: String,
    pub value: Vec<u8>,
    /// Other bytes that decode to the same.
    pub also: Vec<Vec<u8>>,
}

pub fn golden() -> Vec<Case> {
    read("values.yaml")
}

pub fn refused() -> Vec<Case> {
    read("bad_values.yaml")
}

fn read(file: &str) -> Vec<Case> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/conformance/cases").join(file);
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut cases: Vec<Case> = Vec::new();
    for line in text.lines() {
        if let Some(name) = line.strip_prefix("- \"name\": \"") {
            cases.push(Case { name: name.trim_end_matches('"').to_owned(), ..Case::default() });
        } else if let Some(case) = cases.last_mut() {
            let quoted = |prefix| line.strip_prefix(prefix)?.strip_suffix('"').map(bytes);
            if let Some(value) = quoted("  \"value\": \"").or_else(|| quoted("  \"decode\": !hex \"")) {
                case.value = value;
            } else if let Some(value) = quoted("  - \"") {
                case.also.push(value);
            }
        }
    }
    cases
}

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).expect("hexadecimal digits")).collect()
}
