//! What may be a dict's key or a set's element, and which of them Python takes for the same.

use std::collections::HashSet;

use num_bigint::{BigInt, ToBigInt};

use super::decimal::Number;
use super::{Dict, Value, ValueError};

/// Up to so many keys are compared with each other instead of being hashed; arbitrary.
const FEW: usize = 8;

/// Refuses a set's elements if one is not hashable or comes twice.
pub(super) fn check_elements(elements: &[Value], kind: &str) -> Result<(), ValueError> {
    let mut keys = Keys::default();
    let mut seen = HashSet::with_capacity(elements.len());
    for (index, element) in elements.iter().enumerate() {
        let key = keys.of(element).map_err(|kind| {
            ValueError::new(format!("a {kind} is not hashable, and no element of a set")).within(format!("[{index}]"))
        })?;
        if !seen.insert(key) {
            return Err(ValueError::new(format!("a {kind} has an element twice")));
        }
    }
    Ok(())
}

/// Refuses a dict's entries if a key is not hashable or comes twice.
pub(super) fn check_entries(entries: &Dict) -> Result<(), ValueError> {
    let entries = entries.entries();
    let mut keys = Keys::default();
    let mut seen = HashSet::with_capacity(entries.len());
    for (key, _) in entries {
        let key = keys.of(key).map_err(|kind| ValueError::new(format!("a {kind} is not hashable, and no key")))?;
        if !seen.insert(key) {
            return Err(ValueError::new("a key comes twice"));
        }
    }
    Ok(())
}

/// Refuses names if one comes twice.
pub(super) fn check_names<'a>(names: impl Iterator<Item = &'a str> + Clone) -> Result<(), ValueError> {
    let count = names.clone().count();
    let twice = if count <= FEW {
        let mut rest = names;
        std::iter::from_fn(|| rest.next().map(|name| rest.clone().any(|other| other == name))).any(|twice| twice)
    } else {
        let mut seen = HashSet::with_capacity(count);
        !names.into_iter().all(|name| seen.insert(name))
    };
    if twice { Err(ValueError::new("a key comes twice")) } else { Ok(()) }
}

/// What makes two keys the same in Python: `1`, `True` and `1.0` are.
#[derive(PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Key<'a> {
    None,
    Int(i64),
    BigInt(BigInt),
    /// The bits of a float that is no whole number.
    Float(u64),
    /// Never the same as another.
    Nan(usize),
    Complex(u64, u64),
    Decimal(String, i64),
    DecimalText(&'a str),
    Str(&'a str),
    Surrogates(&'a [u8]),
    Bytes(&'a [u8]),
    Tuple(Vec<Key<'a>>),
    /// Sorted.
    Set(Vec<Key<'a>>),
    Date(super::Date),
    Time(i64, bool),
    DateTime(i64, bool),
    TimeDelta(super::TimeDelta),
    Uuid(uuid::Uuid),
    Scalar(&'a str, &'a [u8]),
    /// Fields sorted by name.
    Record(&'a str, i32, Vec<(&'a str, Key<'a>)>),
}

#[derive(Default)]
struct Keys {
    nans: usize,
}

impl Keys {
    /// The key of a value, or the name of the type that is not hashable.
    fn of<'a>(&mut self, value: &'a Value) -> Result<Key<'a>, &'static str> {
        Ok(match value {
            Value::None => Key::None,
            Value::Bool(flag) => Key::Int(i64::from(*flag)),
            Value::Int(number) => Key::Int(*number),
            Value::BigInt(number) => whole(number.clone()),
            Value::Float(number) => self.float(*number),
            Value::Complex(number) if number.im == 0.0 => self.float(number.re),
            Value::Complex(number) if number.is_nan() => self.nan(),
            Value::Complex(number) => Key::Complex((number.re + 0.0).to_bits(), (number.im + 0.0).to_bits()),
            Value::Str(text) => Key::Str(text),
            Value::SurrogateStr(text) => Key::Surrogates(text.as_wtf8()),
            Value::Bytes(bytes) => Key::Bytes(bytes),
            Value::Tuple(items) => Key::Tuple(self.all(items)?),
            Value::FrozenSet(items) => {
                let mut keys = self.all(items)?;
                keys.sort();
                Key::Set(keys)
            }
            Value::Decimal(decimal) => match decimal.number() {
                Number::Int(number) => whole(number),
                Number::Scaled(digits, exponent) => Key::Decimal(digits, exponent),
                Number::Infinity(negative) => self.float(if negative { f64::NEG_INFINITY } else { f64::INFINITY }),
                Number::Nan => self.nan(),
                Number::SignalingNan => return Err("signalling NaN"),
                Number::Text(text) => Key::DecimalText(text),
            },
            Value::Date(date) => Key::Date(*date),
            Value::Time(time) => {
                let (at, aware) = time.instant();
                Key::Time(at, aware)
            }
            Value::DateTime(datetime) => {
                let (at, aware) = datetime.instant();
                Key::DateTime(at, aware)
            }
            Value::TimeDelta(delta) => Key::TimeDelta(*delta),
            Value::Uuid(uuid) => Key::Uuid(*uuid),
            Value::Tensor(tensor) if tensor.is_scalar() => Key::Scalar(tensor.dtype(), tensor.data()),
            Value::Record(record) => {
                let mut fields = Vec::with_capacity(record.fields.len());
                for (name, field) in &record.fields {
                    fields.push((name.as_str(), self.of(field)?));
                }
                fields.sort();
                Key::Record(&record.type_name, record.form.number(), fields)
            }
            Value::List(_) | Value::Set(_) | Value::Dict(_) | Value::Tensor(_) | Value::Arrow(_) => {
                return Err(value.type_name());
            }
        })
    }

    fn all<'a>(&mut self, items: &'a [Value]) -> Result<Vec<Key<'a>>, &'static str> {
        items.iter().map(|item| self.of(item)).collect()
    }

    fn float<'a>(&mut self, number: f64) -> Key<'a> {
        if number.is_nan() {
            return self.nan();
        }
        if number.fract() == 0.0
            && let Some(number) = number.to_bigint()
        {
            return whole(number);
        }
        Key::Float(number.to_bits())
    }

    fn nan<'a>(&mut self) -> Key<'a> {
        self.nans += 1;
        Key::Nan(self.nans)
    }
}

fn whole<'a>(number: BigInt) -> Key<'a> {
    i64::try_from(&number).map_or_else(|_| Key::BigInt(number), Key::Int)
}
