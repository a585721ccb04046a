//! Python's values in Rust: [`Value`] and the types that keep what Rust has no type for.

mod arrow;
mod decimal;
mod decode;
mod dict;
mod dtypes;
mod encode;
mod error;
mod from_value;
mod into_value;
mod keys;
mod limits;
mod path;
mod record;
mod surrogates;
mod temporal;
mod tensor;

pub use arrow::{ArrowForm, ArrowStream};
pub use decimal::Decimal;
pub(crate) use decode::{decode_at, decode_response};
pub use dict::Dict;
pub(crate) use encode::encode_arguments;
pub use error::ValueError;
pub use from_value::FromValue;
pub use record::{Record, RecordForm};
pub use surrogates::SurrogateString;
pub use temporal::{Date, DateTime, Time, TimeDelta, TimeZone};
pub use tensor::{Element, Tensor};

use num_bigint::BigInt;
use num_complex::Complex64;
use uuid::Uuid;

/// One Python value, exactly: what arrives equals what was sent and has its type.
///
/// Rust's own types become values by `From` and come back by [`Value::to`], [`FromValue`] or `TryFrom`:
///
/// ```
/// use callgate::Value;
///
/// let value = Value::from(vec![1.0, 2.5]);
/// let numbers: Vec<f64> = value.to()?;
/// assert_eq!(numbers, [1.0, 2.5]);
/// # Ok::<(), callgate::ValueError>(())
/// ```
///
/// Two values are equal if they have the same type and, in sets and dicts too, the same elements in the same order: read
/// a set as a `HashSet` and a dict as a `HashMap` to compare them as Python does.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub enum Value {
    /// `None`.
    #[default]
    None,
    /// `bool`.
    Bool(bool),
    /// `int` within 64 bits.
    Int(i64),
    /// `int` beyond 64 bits; `Value::from` makes the shorter kind where that fits.
    BigInt(BigInt),
    /// `float`.
    Float(f64),
    /// `complex`.
    Complex(Complex64),
    /// `str` without lone surrogates.
    Str(String),
    /// `str` with lone surrogates.
    SurrogateStr(SurrogateString),
    /// `bytes`.
    Bytes(Vec<u8>),
    /// `list`; what holds only floats, ints, bools or strings travels packed.
    List(Vec<Value>),
    /// `tuple`.
    Tuple(Vec<Value>),
    /// `set`.
    Set(Vec<Value>),
    /// `frozenset`.
    FrozenSet(Vec<Value>),
    /// `dict`.
    Dict(Dict),
    /// `decimal.Decimal`.
    Decimal(Decimal),
    /// `datetime.date`.
    Date(Date),
    /// `datetime.time`.
    Time(Box<Time>),
    /// `datetime.datetime`.
    DateTime(Box<DateTime>),
    /// `datetime.timedelta`.
    TimeDelta(TimeDelta),
    /// `uuid.UUID`.
    Uuid(Uuid),
    /// `numpy.ndarray` or a numpy scalar.
    Tensor(Box<Tensor>),
    /// pyarrow data, pandas and polars frames.
    Arrow(Box<ArrowStream>),
    /// A dataclass, namedtuple, Enum, pydantic model or attrs class.
    Record(Box<Record>),
}

impl Value {
    /// Converts to a Rust type: `value.to::<f64>()`.
    ///
    /// # Errors
    /// If it is something else; the error's path says which part of it.
    pub fn to<T: FromValue>(self) -> Result<T, ValueError> {
        T::from_value(self)
    }

    /// The name of its Python type: `"int"`, `"list"`, `"ndarray"`.
    pub fn type_name(&self) -> &'static str {
        match self {
            Value::None => "None",
            Value::Bool(_) => "bool",
            Value::Int(_) | Value::BigInt(_) => "int",
            Value::Float(_) => "float",
            Value::Complex(_) => "complex",
            Value::Str(_) | Value::SurrogateStr(_) => "str",
            Value::Bytes(_) => "bytes",
            Value::List(_) => "list",
            Value::Tuple(_) => "tuple",
            Value::Set(_) => "set",
            Value::FrozenSet(_) => "frozenset",
            Value::Dict(_) => "dict",
            Value::Decimal(_) => "Decimal",
            Value::Date(_) => "date",
            Value::Time(_) => "time",
            Value::DateTime(_) => "datetime",
            Value::TimeDelta(_) => "timedelta",
            Value::Uuid(_) => "UUID",
            Value::Tensor(_) => "ndarray",
            Value::Arrow(_) => "Arrow stream",
            Value::Record(_) => "record",
        }
    }
}
