//! How a call fails: the function raised, or getting to it failed; never mixed up.
//!
//! ```text
//! Error ── Python(PythonError)  the function raised; source(): the exception's cause or context
//!       ├─ Gate(GateError)      getting to it failed; source(): the transport's error, if there is one
//!       └─ Value(ValueError)    an argument or result is not what was said, found here
//! ```

mod exception;
mod gate;
mod status;

use std::fmt;

pub use exception::{Exception, Frame, PythonError};
pub use gate::GateError;
pub(crate) use status::{from_rpc_status, from_transport, of_batch};

use crate::values::ValueError;

/// Why a call failed.
#[derive(Clone)]
pub enum Error {
    /// The function raised.
    Python(Box<PythonError>),
    /// Getting to the function failed.
    Gate(Box<GateError>),
    /// An argument could not be sent, or the result is of another type than the one wanted.
    Value(ValueError),
}

impl Error {
    /// What the function raised, if it did.
    pub fn python(&self) -> Option<&PythonError> {
        match self {
            Error::Python(error) => Some(error),
            _ => None,
        }
    }

    /// How getting to the function failed, if it did.
    pub fn gate(&self) -> Option<&GateError> {
        match self {
            Error::Gate(error) => Some(error),
            _ => None,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Python(error) => error.fmt(out),
            Error::Gate(error) => error.fmt(out),
            Error::Value(error) => error.fmt(out),
        }
    }
}

/// As the error itself: for what a function raised with Python's traceback, since this is what `unwrap` and a `main`
/// that returns an error print.
impl fmt::Debug for Error {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Python(error) => error.fmt(out),
            Error::Gate(error) => error.fmt(out),
            Error::Value(error) => error.fmt(out),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        // The error within prints as this one does: what follows in the chain is its own source.
        match self {
            Error::Python(error) => error.source(),
            Error::Gate(error) => error.source(),
            Error::Value(_) => None,
        }
    }
}

impl From<PythonError> for Error {
    fn from(error: PythonError) -> Error {
        Error::Python(Box::new(error))
    }
}

impl From<GateError> for Error {
    fn from(error: GateError) -> Error {
        Error::Gate(Box::new(error))
    }
}

impl From<ValueError> for Error {
    fn from(error: ValueError) -> Error {
        Error::Value(error)
    }
}
