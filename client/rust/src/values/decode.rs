//! Wire → Rust: takes every kind, packed or not, and refuses what Python could not hold.
//!
//! Depths and elements are taken off the budget before a container is built.

use num_bigint::BigInt;
use num_complex::Complex64;
use prost::Message;
use uuid::Uuid;

use super::limits::Budget;
use super::path::{key_place, name_place};
use super::{
    ArrowForm, ArrowStream, Date, DateTime, Decimal, Dict, Record, RecordForm, SurrogateString, Tensor, Time,
    TimeDelta, TimeZone, Value, ValueError, keys,
};
use crate::v1;
use crate::v1::value::Kind;

impl TryFrom<v1::Value> for Value {
    type Error = ValueError;

    /// Refuses what Python could not hold; the error's path starts with `result`.
    fn try_from(value: v1::Value) -> Result<Value, ValueError> {
        decode_at(value, "result")
    }
}

impl Value {
    /// A value from the bytes of a `callgate.v1.Value`.
    ///
    /// # Errors
    /// If they are none, or what Python could not hold.
    pub fn parse(bytes: &[u8]) -> Result<Value, ValueError> {
        match v1::Value::decode(bytes) {
            Ok(value) => value.try_into(),
            Err(error) => Err(ValueError::new(format!("no callgate.v1.Value: {error}")).within("result")),
        }
    }
}

/// Decodes a value that stands at `path`.
pub(crate) fn decode_at(value: v1::Value, path: &str) -> Result<Value, ValueError> {
    decode(value, &mut Budget::new(), 0).map_err(|error| error.within(path))
}

/// Decodes the value of a response, which may lack it.
pub(crate) fn decode_response(value: Option<v1::Value>) -> Result<Value, ValueError> {
    decode_at(value.unwrap_or_default(), "result")
}

fn decode(value: v1::Value, budget: &mut Budget, depth: usize) -> Result<Value, ValueError> {
    let Some(kind) = value.kind else {
        return Err(ValueError::new("a Value with no kind set (a newer server's kind, or an empty message)"));
    };
    Ok(match kind {
        Kind::NullValue(_) => Value::None,
        Kind::BoolValue(flag) => Value::Bool(flag),
        Kind::IntValue(number) => Value::Int(number),
        Kind::DoubleValue(number) => Value::Float(number),
        Kind::StringValue(text) => Value::Str(text),
        Kind::BytesValue(bytes) => Value::Bytes(bytes),
        Kind::BigIntValue(bytes) if bytes.is_empty() => return Err(ValueError::new("a big_int_value is empty")),
        Kind::BigIntValue(bytes) => BigInt::from_signed_bytes_be(&bytes).into(),
        Kind::SurrogateStringValue(bytes) => match SurrogateString::from_wtf8(bytes)?.into_plain() {
            Ok(text) => Value::Str(text),
            Err(text) => Value::SurrogateStr(text),
        },
        Kind::ListValue(list) => Value::List(decode_items(list.values, budget, depth + 1)?),
        Kind::TupleValue(list) => Value::Tuple(decode_items(list.values, budget, depth + 1)?),
        Kind::SetValue(list) => {
            let items = decode_items(list.values, budget, depth + 1)?;
            keys::check_elements(&items, "set")?;
            Value::Set(items)
        }
        Kind::FrozensetValue(list) => {
            let items = decode_items(list.values, budget, depth + 1)?;
            keys::check_elements(&items, "frozenset")?;
            Value::FrozenSet(items)
        }
        Kind::DoubleList(list) => packed(list.values, Value::Float, budget, depth + 1)?,
        Kind::IntList(list) => packed(list.values, Value::Int, budget, depth + 1)?,
        Kind::BoolList(list) => packed(list.values, Value::Bool, budget, depth + 1)?,
        Kind::StringList(list) => packed(list.values, Value::Str, budget, depth + 1)?,
        Kind::MapValue(map) => Value::Dict(decode_map(map, budget, depth + 1)?),
        Kind::StringMap(map) => Value::Dict(decode_string_map(map, budget, depth + 1)?),
        Kind::RecordValue(record) => Value::Record(Box::new(decode_record(record, budget, depth + 1)?)),
        Kind::ComplexValue(number) => Value::Complex(Complex64::new(number.real(), number.imag())),
        Kind::DecimalValue(text) => Value::Decimal(text.parse::<Decimal>()?),
        Kind::DateValue(date) => Value::Date(read_date(Some(&date))?),
        Kind::TimeValue(time) => Value::Time(Box::new(read_time(Some(time))?)),
        Kind::DatetimeValue(datetime) => Value::DateTime(Box::new(DateTime {
            date: read_date(datetime.date.as_ref())?,
            time: read_time(datetime.time)?,
        })),
        Kind::TimedeltaValue(delta) => Value::TimeDelta(read_delta(&delta)?),
        Kind::UuidValue(bytes) => match Uuid::from_slice(&bytes) {
            Ok(uuid) => Value::Uuid(uuid),
            Err(_) => {
                return Err(ValueError::new(format!("a uuid_value has {} bytes; 16 are right", bytes.len())));
            }
        },
        Kind::TensorValue(tensor) => Value::Tensor(Box::new(read_tensor(tensor, budget)?)),
        Kind::ArrowValue(arrow) => match ArrowForm::from_number(arrow.form) {
            Some(form) => Value::Arrow(Box::new(ArrowStream { ipc_stream: arrow.ipc_stream, form })),
            None => return Err(ValueError::new(format!("an arrow_value has the unknown form {}", arrow.form))),
        },
        Kind::NestedValue(bytes) => {
            budget.open_nested()?;
            let inner = v1::Value::decode(bytes.as_slice())
                .map_err(|_| ValueError::new("a nested_value is not a serialized Value"))?;
            drop(bytes);
            let made = decode(inner, budget, depth)?;
            budget.close_nested();
            made
        }
    })
}

fn decode_items(values: Vec<v1::Value>, budget: &mut Budget, depth: usize) -> Result<Vec<Value>, ValueError> {
    budget.enter(depth, values.len())?;
    let mut items = Vec::with_capacity(values.len());
    for (index, value) in values.into_iter().enumerate() {
        items.push(decode(value, budget, depth).map_err(|error| error.within(format!("[{index}]")))?);
    }
    Ok(items)
}

fn packed<T>(values: Vec<T>, of: fn(T) -> Value, budget: &mut Budget, depth: usize) -> Result<Value, ValueError> {
    budget.enter(depth, values.len())?;
    Ok(Value::List(values.into_iter().map(of).collect()))
}

fn decode_map(map: v1::MapValue, budget: &mut Budget, depth: usize) -> Result<Dict, ValueError> {
    budget.enter(depth, map.entries.len())?;
    let mut entries = Vec::with_capacity(map.entries.len());
    for (index, entry) in map.entries.into_iter().enumerate() {
        let key = decode(entry.key.unwrap_or_default(), budget, depth)
            .map_err(|error| error.within(format!(".key({index})")))?;
        let value =
            decode(entry.value.unwrap_or_default(), budget, depth).map_err(|error| error.within(key_place(&key)))?;
        entries.push((key, value));
    }
    let dict = Dict::from(entries);
    keys::check_entries(&dict)?;
    Ok(dict)
}

fn decode_string_map(map: v1::StringMap, budget: &mut Budget, depth: usize) -> Result<Dict, ValueError> {
    if map.keys.len() != map.values.len() {
        return Err(ValueError::new(format!(
            "a string_map has {} keys and {} values",
            map.keys.len(),
            map.values.len()
        )));
    }
    budget.enter(depth, map.keys.len())?;
    keys::check_names(map.keys.iter().map(String::as_str))?;
    let mut entries = Vec::with_capacity(map.keys.len());
    for (name, value) in map.keys.into_iter().zip(map.values) {
        let value = decode(value, budget, depth).map_err(|error| error.within(name_place(&name)))?;
        entries.push((Value::Str(name), value));
    }
    Ok(Dict::from(entries))
}

fn decode_record(record: v1::Record, budget: &mut Budget, depth: usize) -> Result<Record, ValueError> {
    budget.enter(depth, record.fields.len())?;
    if keys::check_names(record.fields.iter().map(|field| field.name.as_str())).is_err() {
        return Err(ValueError::new("a field comes twice"));
    }
    let Some(form) = RecordForm::from_number(record.form) else {
        return Err(ValueError::new(format!("a record has the unknown form {}", record.form)));
    };
    let mut fields = Vec::with_capacity(record.fields.len());
    for field in record.fields {
        let place = || format!(".{}", field.name.chars().take(80).collect::<String>());
        let value = decode(field.value.unwrap_or_default(), budget, depth).map_err(|error| error.within(place()))?;
        fields.push((field.name, value));
    }
    Ok(Record { type_name: record.type_name, form, fields })
}

fn read_date(date: Option<&v1::Date>) -> Result<Date, ValueError> {
    date.map_or(Date::new(0, 0, 0), |date| Date::new(date.year, date.month, date.day))
}

fn read_time(time: Option<v1::TimeOfDay>) -> Result<Time, ValueError> {
    let time = time.unwrap_or_default();
    let made = Time::new(time.hour, time.minute, time.second, time.microsecond)?.with_fold(time.fold);
    Ok(match time.time_zone {
        Some(zone) => made.in_zone(read_zone(zone)?),
        None => made,
    })
}

fn read_zone(zone: v1::TimeZone) -> Result<TimeZone, ValueError> {
    let offset = zone.utc_offset.as_ref().map(read_delta).transpose()?;
    if zone.key.is_empty() {
        TimeZone::named(offset.unwrap_or_default(), zone.name)
    } else {
        TimeZone::iana(zone.key, offset)
    }
}

fn read_delta(delta: &v1::TimeDelta) -> Result<TimeDelta, ValueError> {
    TimeDelta::new(delta.days.into(), delta.seconds.into(), delta.microseconds.into())
}

fn read_tensor(tensor: v1::Tensor, budget: &Budget) -> Result<Tensor, ValueError> {
    if tensor.scalar && !tensor.shape.is_empty() {
        return Err(ValueError::new("a tensor is said to be a scalar and has a shape"));
    }
    let scalar = tensor.scalar;
    let made = if scalar {
        Tensor::scalar(tensor.dtype, tensor.data)?
    } else {
        Tensor::new(tensor.dtype, tensor.shape, tensor.data)?
    };
    if made.elements_without_bytes() > budget.elements_left() {
        return Err(ValueError::new("a tensor of elements without width has too many of them"));
    }
    Ok(made)
}
