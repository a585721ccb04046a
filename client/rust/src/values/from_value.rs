//! `Value` → Rust's own types.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::hash::{BuildHasher, Hash};

use num_bigint::BigInt;
use num_complex::Complex64;
use uuid::Uuid;

use super::path::key_place;
use super::{
    ArrowStream, Date, DateTime, Decimal, Dict, Record, SurrogateString, Tensor, Time, TimeDelta, Value, ValueError,
};

/// A Rust type that Python's values convert to.
///
/// Conversions are exact: `2.0` is no `i64`, `"2"` is none, and an `int` becomes an `f64` only if that holds it. A `list`
/// and a `tuple` stand in for each other, as do a `set` and a `frozenset`. `Vec<u8>` is `bytes`.
///
/// ```
/// use callgate::{FromValue, Value, ValueError};
///
/// struct Quote { symbol: String, price: f64 }
///
/// impl FromValue for Quote {
///     fn from_value(value: Value) -> Result<Quote, ValueError> {
///         let mut record: callgate::Record = value.to()?;
///         Ok(Quote { symbol: record.take("symbol")?, price: record.take("price")? })
///     }
/// }
/// ```
pub trait FromValue: Sized {
    /// Converts a value.
    ///
    /// # Errors
    /// If it is something else; the error's path says which part of it.
    fn from_value(value: Value) -> Result<Self, ValueError>;
}

fn wanted(value: &Value, what: &str) -> ValueError {
    ValueError::new(format!("a Python {} where {what} is wanted", value.type_name()))
}

impl FromValue for Value {
    fn from_value(value: Value) -> Result<Value, ValueError> {
        Ok(value)
    }
}

macro_rules! plain {
    ($($kind:ty, $what:literal: $($pattern:pat $(if $guard:expr)? => $made:expr),+;)*) => {$(
        impl FromValue for $kind {
            fn from_value(value: Value) -> Result<$kind, ValueError> {
                match value {
                    $($pattern $(if $guard)? => Ok($made),)+
                    other => Err(wanted(&other, $what)),
                }
            }
        }

        impl TryFrom<Value> for $kind {
            type Error = ValueError;

            fn try_from(value: Value) -> Result<$kind, ValueError> {
                <$kind>::from_value(value)
            }
        }
    )*};
}

plain! {
    (), "None": Value::None => ();
    bool, "a bool": Value::Bool(flag) => flag;
    f64, "a float": Value::Float(number) => number,
        Value::Int(number) if (number as f64) as i128 == i128::from(number) => number as f64;
    BigInt, "an int": Value::Int(number) => number.into(), Value::BigInt(number) => number;
    Complex64, "a complex": Value::Complex(number) => number, Value::Float(number) => number.into();
    String, "a str": Value::Str(text) => text;
    SurrogateString, "a str with surrogates": Value::SurrogateStr(text) => text;
    Vec<u8>, "bytes": Value::Bytes(bytes) => bytes;
    Dict, "a dict": Value::Dict(dict) => dict;
    Decimal, "a Decimal": Value::Decimal(decimal) => decimal;
    Date, "a date": Value::Date(date) => date;
    Time, "a time": Value::Time(time) => *time;
    DateTime, "a datetime": Value::DateTime(datetime) => *datetime;
    TimeDelta, "a timedelta": Value::TimeDelta(delta) => delta;
    Uuid, "a UUID": Value::Uuid(uuid) => uuid;
    Tensor, "an array": Value::Tensor(tensor) => *tensor;
    ArrowStream, "an Arrow stream": Value::Arrow(arrow) => *arrow;
    Record, "a record": Value::Record(record) => *record;
}

macro_rules! integers {
    ($($kind:ty)*) => {$(
        impl FromValue for $kind {
            fn from_value(value: Value) -> Result<$kind, ValueError> {
                let made = match &value {
                    Value::Int(number) => <$kind>::try_from(*number).ok(),
                    Value::BigInt(number) => <$kind>::try_from(number).ok(),
                    _ => return Err(wanted(&value, "an int")),
                };
                made.ok_or_else(|| ValueError::new(concat!("the int is out of range for ", stringify!($kind))))
            }
        }

        impl TryFrom<Value> for $kind {
            type Error = ValueError;

            fn try_from(value: Value) -> Result<$kind, ValueError> {
                <$kind>::from_value(value)
            }
        }
    )*};
}

integers!(i8 i16 i32 i64 i128 isize u16 u32 u64 u128 usize);

/// `None` is none.
impl<T: FromValue> FromValue for Option<T> {
    fn from_value(value: Value) -> Result<Option<T>, ValueError> {
        match value {
            Value::None => Ok(None),
            value => T::from_value(value).map(Some),
        }
    }
}

fn convert_all<T: FromValue, C: FromIterator<T>>(items: Vec<Value>) -> Result<C, ValueError> {
    let convert = |(index, item)| T::from_value(item).map_err(|error| error.within(format!("[{index}]")));
    items.into_iter().enumerate().map(convert).collect()
}

/// A list or tuple.
impl<T: FromValue> FromValue for Vec<T> {
    fn from_value(value: Value) -> Result<Vec<T>, ValueError> {
        match value {
            Value::List(items) | Value::Tuple(items) => convert_all(items),
            other => Err(wanted(&other, "a list")),
        }
    }
}

/// A set or frozenset.
impl<T: FromValue + Eq + Hash, S: BuildHasher + Default> FromValue for HashSet<T, S> {
    fn from_value(value: Value) -> Result<HashSet<T, S>, ValueError> {
        match value {
            Value::Set(items) | Value::FrozenSet(items) => convert_all(items),
            other => Err(wanted(&other, "a set")),
        }
    }
}

/// A set or frozenset.
impl<T: FromValue + Ord> FromValue for BTreeSet<T> {
    fn from_value(value: Value) -> Result<BTreeSet<T>, ValueError> {
        match value {
            Value::Set(items) | Value::FrozenSet(items) => convert_all(items),
            other => Err(wanted(&other, "a set")),
        }
    }
}

fn convert_entries<K: FromValue, V: FromValue, C: FromIterator<(K, V)>>(value: Value) -> Result<C, ValueError> {
    let Value::Dict(dict) = value else {
        return Err(wanted(&value, "a dict"));
    };
    let convert = |(key, value): (Value, Value)| {
        let place = key_place(&key);
        let key = K::from_value(key).map_err(|error| error.within(format!(".key({place})")))?;
        Ok((key, V::from_value(value).map_err(|error| error.within(place))?))
    };
    dict.into_iter().map(convert).collect()
}

/// A dict.
impl<K: FromValue + Eq + Hash, V: FromValue, S: BuildHasher + Default> FromValue for HashMap<K, V, S> {
    fn from_value(value: Value) -> Result<HashMap<K, V, S>, ValueError> {
        convert_entries(value)
    }
}

/// A dict.
impl<K: FromValue + Ord, V: FromValue> FromValue for BTreeMap<K, V> {
    fn from_value(value: Value) -> Result<BTreeMap<K, V>, ValueError> {
        convert_entries(value)
    }
}

/// Beside `FromValue`, which alone can be had for `Option`.
macro_rules! try_from {
    ($(($($parameters:tt)+) $kind:ty;)*) => {$(
        impl<$($parameters)+> TryFrom<Value> for $kind {
            type Error = ValueError;

            fn try_from(value: Value) -> Result<$kind, ValueError> {
                <$kind>::from_value(value)
            }
        }
    )*};
}

try_from! {
    (T: FromValue) Vec<T>;
    (T: FromValue + Eq + Hash, S: BuildHasher + Default) HashSet<T, S>;
    (T: FromValue + Ord) BTreeSet<T>;
    (K: FromValue + Eq + Hash, V: FromValue, S: BuildHasher + Default) HashMap<K, V, S>;
    (K: FromValue + Ord, V: FromValue) BTreeMap<K, V>;
    (A: FromValue) (A,);
    (A: FromValue, B: FromValue) (A, B);
    (A: FromValue, B: FromValue, C: FromValue) (A, B, C);
    (A: FromValue, B: FromValue, C: FromValue, D: FromValue) (A, B, C, D);
}

macro_rules! tuples {
    ($($count:literal: ($($name:ident $index:literal),+))*) => {$(
        /// A tuple or list of as many elements.
        impl<$($name: FromValue),+> FromValue for ($($name,)+) {
            fn from_value(value: Value) -> Result<($($name,)+), ValueError> {
                let items = match value {
                    Value::Tuple(items) | Value::List(items) => items,
                    other => return Err(wanted(&other, "a tuple")),
                };
                let count = items.len();
                let Ok([$($name),+]) = <[Value; $count]>::try_from(items) else {
                    return Err(ValueError::new(format!("{} elements where {} are wanted", count, $count)));
                };
                Ok(($($name::from_value($name).map_err(|error| error.within(concat!("[", $index, "]")))?,)+))
            }
        }
    )*};
}

#[expect(non_snake_case, reason = "the type parameters' names serve for the parts, too")]
mod tuples {
    use super::{FromValue, Value, ValueError, wanted};

    tuples! {
        1: (A 0)
        2: (A 0, B 1)
        3: (A 0, B 1, C 2)
        4: (A 0, B 1, C 2, D 3)
        5: (A 0, B 1, C 2, D 3, E 4)
        6: (A 0, B 1, C 2, D 3, E 4, F 5)
        7: (A 0, B 1, C 2, D 3, E 4, F 5, G 6)
        8: (A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7)
    }
}
