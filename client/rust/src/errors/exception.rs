//! What a function raised.

use std::collections::BTreeMap;
use std::fmt;

use tonic::Code;

use super::gate::code_name;
use crate::v1;
use crate::values::{Value, decode_at};

/// The function raised.
///
/// `{}` prints one line, `{:#}` and `{:?}` print Python's traceback, where the server tells it.
#[derive(Clone)]
#[non_exhaustive]
pub struct PythonError {
    /// What it raised.
    pub exception: Exception,
    /// The gRPC code: `Unknown`, or what a `callgate.StatusError` chose.
    pub code: Code,
    /// `"FUNCTION_RAISED"`, or `"NO_VALUE_FORM"` if the function returned what cannot travel.
    pub reason: String,
    /// The ErrorInfo's metadata.
    pub metadata: BTreeMap<String, String>,
    /// Further details of the status: what a `StatusError` attached.
    pub details: Vec<prost_types::Any>,
    /// The id under which the server logged the call; empty if it said none.
    pub call_id: String,
}

impl PythonError {
    /// Whether the exception is of that class or derives from it: `error.is("LookupError")`.
    pub fn is(&self, class: &str) -> bool {
        self.exception.is(class)
    }

    /// The gRPC code's canonical name: `"UNKNOWN"`.
    pub fn code_name(&self) -> &'static str {
        code_name(self.code)
    }
}

impl fmt::Display for PythonError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.exception.fmt(out)
    }
}

impl fmt::Debug for PythonError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:#}", self.exception)
    }
}

impl std::error::Error for PythonError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.exception.source()
    }
}

/// A Python exception, with all that it carries.
///
/// `{}` prints its class and message, `{:#}` the traceback as Python would print it. The `source()` is the cause
/// (`raise … from …`), else the context, unless that is suppressed.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Exception {
    /// The class's name: `"ZeroDivisionError"`.
    pub class: String,
    /// The class's module: `"builtins"`, `"decimal"`.
    pub module: String,
    /// The class's qualified name: as `class`, but for a nested class.
    pub qualname: String,
    /// `str(exception)`.
    pub message: String,
    /// `exception.args`; none if one of them has no Value form or did not fit.
    pub args: Option<Vec<Value>>,
    /// `__notes__`.
    pub notes: Vec<String>,
    /// The traceback, outermost frame first; empty if the server keeps it.
    pub frames: Vec<Frame>,
    /// `__cause__`.
    pub cause: Option<Box<Exception>>,
    /// `__context__`.
    pub context: Option<Box<Exception>>,
    /// `__suppress_context__`.
    pub suppress_context: bool,
    /// The members of an ExceptionGroup.
    pub exceptions: Vec<Exception>,
    /// The builtin classes it derives from, nearest first.
    pub builtin_bases: Vec<String>,
    /// Whether something was left out because it did not fit.
    pub truncated: bool,
    /// The own fields of builtin classes: `"errno"`, `"filename"`, ….
    pub attributes: BTreeMap<String, Value>,
}

/// One frame of a Python traceback.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Frame {
    /// The file on the server.
    pub file: String,
    /// The line, from 1.
    pub line: i32,
    /// The function's qualified name.
    pub function: String,
    /// The source line; empty if unknown.
    pub source: String,
    /// How many times more the frame came in a row (recursion).
    pub repeated: i32,
}

impl Exception {
    /// The class with its module, where that is not builtins: `"decimal.DivisionByZero"`.
    pub fn full_name(&self) -> String {
        if self.module == "builtins" { self.qualname.clone() } else { format!("{}.{}", self.module, self.qualname) }
    }

    /// Whether it is of that class or derives from it; the class by its name if it is a builtin, else by its full name.
    pub fn is(&self, class: &str) -> bool {
        self.full_name() == class || self.builtin_bases.iter().any(|base| base == class)
    }

    fn shown_source(&self) -> Option<&Exception> {
        self.cause.as_deref().or(if self.suppress_context { None } else { self.context.as_deref() })
    }

    fn print_traceback(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(source) = self.shown_source() {
            source.print_traceback(out)?;
            out.write_str(if self.cause.is_some() {
                "\n\nThe above exception was the direct cause of the following exception:\n\n"
            } else {
                "\n\nDuring handling of the above exception, another exception occurred:\n\n"
            })?;
        }
        if !self.frames.is_empty() {
            out.write_str("Remote traceback (most recent call last):\n")?;
        }
        for frame in &self.frames {
            writeln!(out, "  File \"{}\", line {}, in {}", frame.file, frame.line, frame.function)?;
            if !frame.source.is_empty() {
                writeln!(out, "    {}", frame.source)?;
            }
            if frame.repeated > 0 {
                writeln!(out, "  [the frame above repeated {} more times]", frame.repeated)?;
            }
        }
        write!(out, "{self}")?;
        for note in &self.notes {
            write!(out, "\n{note}")?;
        }
        for (index, member) in self.exceptions.iter().enumerate() {
            write!(out, "\n---------------- {} ----------------\n", index + 1)?;
            member.print_traceback(out)?;
        }
        Ok(())
    }
}

impl fmt::Display for Exception {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if out.alternate() {
            return write!(out, "{}", Traceback(self));
        }
        out.write_str(&self.full_name())?;
        if !self.message.is_empty() {
            write!(out, ": {}", self.message)?;
        }
        Ok(())
    }
}

/// Prints without the alternate flag, which the inner exceptions' own lines must not see.
struct Traceback<'a>(&'a Exception);

impl fmt::Display for Traceback<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.print_traceback(out)
    }
}

impl std::error::Error for Exception {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.shown_source().map(|source| source as _)
    }
}

impl From<v1::PythonException> for Exception {
    fn from(wire: v1::PythonException) -> Exception {
        let boxed = |inner: Option<Box<v1::PythonException>>| inner.map(|inner| Box::new(Exception::from(*inner)));
        // What cannot be read here is left out: an error must not hide behind another.
        let read = |(index, value)| decode_at(value, &format!("args[{index}]")).ok();
        let args = wire.args.into_iter().enumerate().map(read).collect();
        Exception {
            qualname: if wire.qualname.is_empty() { wire.r#type.clone() } else { wire.qualname },
            class: wire.r#type,
            module: wire.module,
            message: wire.message,
            args: if wire.args_omitted { None } else { args },
            notes: wire.notes,
            frames: wire.frames.into_iter().map(Frame::from).collect(),
            cause: boxed(wire.cause),
            context: boxed(wire.context),
            suppress_context: wire.suppress_context,
            exceptions: wire.exceptions.into_iter().map(Exception::from).collect(),
            builtin_bases: wire.builtin_bases,
            truncated: wire.truncated,
            attributes: wire
                .attributes
                .into_iter()
                .filter_map(|(name, value)| Some((name, decode_at(value, "attribute").ok()?)))
                .collect(),
        }
    }
}

impl From<v1::TracebackFrame> for Frame {
    fn from(wire: v1::TracebackFrame) -> Frame {
        Frame {
            file: wire.file,
            line: wire.line,
            function: wire.function,
            source: wire.source,
            repeated: wire.repeated,
        }
    }
}
