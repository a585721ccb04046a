//! Bytes as hexadecimal digits.

use std::fmt::Write;

use crate::Fault;

pub fn text(bytes: &[u8]) -> String {
    let mut made = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        write!(made, "{byte:02x}").expect("a String takes everything");
    }
    made
}

pub fn bytes(text: &str) -> Result<Vec<u8>, Fault> {
    if !text.len().is_multiple_of(2) || !text.is_ascii() {
        return Err(format!("no hexadecimal digits: {text:.40}").into());
    }
    (0..text.len()).step_by(2).map(|at| Ok(u8::from_str_radix(&text[at..at + 2], 16)?)).collect()
}
