//! What to call: a module, a function and its arguments.

use crate::v1;
use crate::values::{Value, ValueError, encode_arguments};

/// Positional arguments: a tuple, an array or a `Vec`.
pub trait Args {
    /// The arguments, in order.
    fn into_args(self) -> Vec<Value>;
}

impl Args for () {
    fn into_args(self) -> Vec<Value> {
        Vec::new()
    }
}

impl<T: Into<Value>> Args for Vec<T> {
    fn into_args(self) -> Vec<Value> {
        self.into_iter().map(Into::into).collect()
    }
}

impl<T: Into<Value>, const N: usize> Args for [T; N] {
    fn into_args(self) -> Vec<Value> {
        self.into_iter().map(Into::into).collect()
    }
}

macro_rules! tuples {
    ($(($($name:ident),+))*) => {$(
        impl<$($name: Into<Value>),+> Args for ($($name,)+) {
            fn into_args(self) -> Vec<Value> {
                #[expect(non_snake_case, reason = "the type parameters' names serve for the parts, too")]
                let ($($name,)+) = self;
                vec![$($name.into()),+]
            }
        }
    )*};
}

tuples! {
    (A) (A, B) (A, B, C) (A, B, C, D) (A, B, C, D, E) (A, B, C, D, E, F) (A, B, C, D, E, F, G)
    (A, B, C, D, E, F, G, H)
}

/// One call of a batch: `Request::new("math", "pow", (2.0, 0.5))`.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    module: String,
    function: String,
    args: Vec<Value>,
    kwargs: Vec<(String, Value)>,
}

impl Request {
    /// A call of a function with positional arguments.
    pub fn new(module: impl Into<String>, function: impl Into<String>, args: impl Args) -> Request {
        Request { module: module.into(), function: function.into(), args: args.into_args(), kwargs: Vec::new() }
    }

    /// Adds a keyword argument.
    #[must_use]
    pub fn kwarg(mut self, name: impl Into<String>, value: impl Into<Value>) -> Request {
        self.kwargs.push((name.into(), value.into()));
        self
    }

    pub(crate) fn into_wire(self) -> Result<v1::CallFunctionRequest, ValueError> {
        let (args, kwargs) = encode_arguments(self.args, self.kwargs)?;
        Ok(v1::CallFunctionRequest { module: self.module, function: self.function, args, kwargs, takes_more: false })
    }
}
