//! Rust's own types → `Value`.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use num_bigint::BigInt;
use num_complex::Complex64;
use uuid::Uuid;

use super::{ArrowStream, Date, DateTime, Decimal, Dict, Record, SurrogateString, Tensor, Time, TimeDelta, Value};

macro_rules! from {
    ($($kind:ty => |$value:ident| $made:expr;)*) => {$(
        impl From<$kind> for Value {
            fn from($value: $kind) -> Value {
                $made
            }
        }
    )*};
}

from! {
    () => |_nothing| Value::None;
    bool => |flag| Value::Bool(flag);
    i8 => |number| Value::Int(number.into());
    i16 => |number| Value::Int(number.into());
    i32 => |number| Value::Int(number.into());
    i64 => |number| Value::Int(number);
    u16 => |number| Value::Int(number.into());
    u32 => |number| Value::Int(number.into());
    u64 => |number| BigInt::from(number).into();
    usize => |number| BigInt::from(number).into();
    isize => |number| BigInt::from(number).into();
    i128 => |number| BigInt::from(number).into();
    u128 => |number| BigInt::from(number).into();
    BigInt => |number| i64::try_from(&number).map_or_else(|_| Value::BigInt(number), Value::Int);
    f32 => |number| Value::Float(number.into());
    f64 => |number| Value::Float(number);
    Complex64 => |number| Value::Complex(number);
    &str => |text| Value::Str(text.to_owned());
    &String => |text| Value::Str(text.clone());
    String => |text| Value::Str(text);
    Cow<'_, str> => |text| Value::Str(text.into_owned());
    char => |char| Value::Str(char.to_string());
    SurrogateString => |text| Value::SurrogateStr(text);
    &[u8] => |bytes| Value::Bytes(bytes.to_vec());
    Vec<u8> => |bytes| Value::Bytes(bytes);
    Decimal => |decimal| Value::Decimal(decimal);
    Date => |date| Value::Date(date);
    Time => |time| Value::Time(Box::new(time));
    DateTime => |datetime| Value::DateTime(Box::new(datetime));
    TimeDelta => |delta| Value::TimeDelta(delta);
    Uuid => |uuid| Value::Uuid(uuid);
    Tensor => |tensor| Value::Tensor(Box::new(tensor));
    ArrowStream => |arrow| Value::Arrow(Box::new(arrow));
    Record => |record| Value::Record(Box::new(record));
    Dict => |dict| Value::Dict(dict);
}

impl<const N: usize> From<&[u8; N]> for Value {
    fn from(bytes: &[u8; N]) -> Value {
        Value::Bytes(bytes.to_vec())
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Value {
        value.map_or(Value::None, Into::into)
    }
}

/// A list; `Vec<u8>` is bytes.
impl<T: Into<Value>> From<Vec<T>> for Value {
    fn from(items: Vec<T>) -> Value {
        Value::List(items.into_iter().map(Into::into).collect())
    }
}

impl<T: Into<Value>, const N: usize> From<[T; N]> for Value {
    fn from(items: [T; N]) -> Value {
        Value::List(items.into_iter().map(Into::into).collect())
    }
}

impl<T: Into<Value> + Clone> From<&[T]> for Value {
    fn from(items: &[T]) -> Value {
        Value::List(items.iter().cloned().map(Into::into).collect())
    }
}

impl<T: Into<Value>, S> From<HashSet<T, S>> for Value {
    fn from(items: HashSet<T, S>) -> Value {
        Value::Set(items.into_iter().map(Into::into).collect())
    }
}

impl<T: Into<Value>> From<BTreeSet<T>> for Value {
    fn from(items: BTreeSet<T>) -> Value {
        Value::Set(items.into_iter().map(Into::into).collect())
    }
}

impl<K: Into<Value>, V: Into<Value>, S> From<HashMap<K, V, S>> for Value {
    fn from(entries: HashMap<K, V, S>) -> Value {
        Value::Dict(entries.into_iter().collect())
    }
}

impl<K: Into<Value>, V: Into<Value>> From<BTreeMap<K, V>> for Value {
    fn from(entries: BTreeMap<K, V>) -> Value {
        Value::Dict(entries.into_iter().collect())
    }
}

macro_rules! tuples {
    ($(($($name:ident),+))*) => {$(
        impl<$($name: Into<Value>),+> From<($($name,)+)> for Value {
            fn from(items: ($($name,)+)) -> Value {
                #[expect(non_snake_case, reason = "the type parameters' names serve for the parts, too")]
                let ($($name,)+) = items;
                Value::Tuple(vec![$($name.into()),+])
            }
        }
    )*};
}

tuples! {
    (A) (A, B) (A, B, C) (A, B, C, D) (A, B, C, D, E) (A, B, C, D, E, F) (A, B, C, D, E, F, G)
    (A, B, C, D, E, F, G, H)
}
