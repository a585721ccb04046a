//! What is wrong with a value, and where.

use std::convert::Infallible;
use std::fmt;

/// A value that has no form on the wire, none in Python, or is not of the Rust type that is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ValueError {
    /// Where it stands: `result[3]['model']`.
    pub path: String,
    /// What is wrong with it.
    pub problem: String,
}

impl ValueError {
    /// An error about a value as a whole; for implementations of [`FromValue`](crate::FromValue).
    pub fn new(problem: impl Into<String>) -> ValueError {
        ValueError { path: String::new(), problem: problem.into() }
    }

    /// The same error, seen from the container: `error.within("[3]")`.
    #[must_use]
    pub fn within(mut self, place: impl AsRef<str>) -> ValueError {
        self.path.insert_str(0, place.as_ref());
        self
    }
}

impl fmt::Display for ValueError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.path.is_empty() {
            write!(out, "{}: ", self.path)?;
        }
        out.write_str(&self.problem)
    }
}

impl std::error::Error for ValueError {}

impl From<Infallible> for ValueError {
    fn from(never: Infallible) -> ValueError {
        match never {}
    }
}
