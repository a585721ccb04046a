//! Rust → wire: the canonical form that Python's own client writes.

use std::collections::BTreeMap;

use prost::Message;

use super::limits::{Budget, NESTING_STRIDE};
use super::path::key_place;
use super::{Dict, Record, Tensor, TimeDelta, TimeZone, Value, ValueError, keys, temporal};
use crate::v1;
use crate::v1::value::Kind;

impl TryFrom<Value> for v1::Value {
    type Error = ValueError;

    /// Refuses what nests too deeply, and sets and dicts that Python could not hold.
    fn try_from(value: Value) -> Result<v1::Value, ValueError> {
        encode(value, &mut Budget::new(), 0).map_err(|error| error.within("result"))
    }
}

impl Value {
    /// The bytes of a `callgate.v1.Value`.
    ///
    /// # Errors
    /// If it nests too deeply, or holds a set or dict that Python could not hold.
    pub fn serialize(self) -> Result<Vec<u8>, ValueError> {
        Ok(v1::Value::try_from(self)?.encode_to_vec())
    }
}

/// The arguments of a call, as its request has them.
pub(crate) fn encode_arguments(
    args: Vec<Value>,
    kwargs: Vec<(String, Value)>,
) -> Result<(Vec<v1::Value>, BTreeMap<String, v1::Value>), ValueError> {
    // Collected, not pushed: where a Value is as large as what it becomes, the vector's memory serves again.
    let positional = args
        .into_iter()
        .enumerate()
        .map(|(index, value)| {
            encode(value, &mut Budget::new(), 0).map_err(|error| error.within(format!("args[{index}]")))
        })
        .collect::<Result<Vec<_>, _>>()?;
    let mut named = BTreeMap::new();
    for (name, value) in kwargs {
        let place = || format!("kwargs{}", super::path::name_place(&name));
        let encoded = encode(value, &mut Budget::new(), 0).map_err(|error| error.within(place()))?;
        if named.contains_key(&name) {
            return Err(ValueError::new("a keyword argument comes twice").within(place()));
        }
        named.insert(name, encoded);
    }
    Ok((positional, named))
}

fn encode(value: Value, budget: &mut Budget, depth: usize) -> Result<v1::Value, ValueError> {
    let kind = match value {
        Value::None => Kind::NullValue(v1::NullValue::Unspecified as i32),
        Value::Bool(flag) => Kind::BoolValue(flag),
        Value::Int(number) => Kind::IntValue(number),
        Value::BigInt(number) => match i64::try_from(&number) {
            Ok(short) => Kind::IntValue(short),
            Err(_) => Kind::BigIntValue(number.to_signed_bytes_be()),
        },
        Value::Float(number) => Kind::DoubleValue(number),
        Value::Complex(number) => Kind::ComplexValue(v1::Complex { real: part(number.re), imag: part(number.im) }),
        Value::Str(text) => Kind::StringValue(text),
        Value::SurrogateStr(text) => match text.into_plain() {
            Ok(text) => Kind::StringValue(text),
            Err(text) => Kind::SurrogateStringValue(text.into_wtf8()),
        },
        Value::Bytes(bytes) => Kind::BytesValue(bytes),
        Value::List(items) => return encode_list(items, budget, depth + 1),
        Value::Tuple(items) => return encode_items(items, Kind::TupleValue, budget, depth + 1),
        Value::Set(items) => {
            keys::check_elements(&items, "set")?;
            return encode_items(items, Kind::SetValue, budget, depth + 1);
        }
        Value::FrozenSet(items) => {
            keys::check_elements(&items, "frozenset")?;
            return encode_items(items, Kind::FrozensetValue, budget, depth + 1);
        }
        Value::Dict(dict) => return encode_dict(dict, budget, depth + 1),
        Value::Decimal(decimal) => Kind::DecimalValue(decimal.into_text()),
        Value::Date(date) => Kind::DateValue(wire_date(&date)),
        Value::Time(time) => Kind::TimeValue(wire_time(*time)),
        Value::DateTime(datetime) => Kind::DatetimeValue(v1::DateTime {
            date: Some(wire_date(&datetime.date)),
            time: Some(wire_time(datetime.time)),
        }),
        Value::TimeDelta(delta) => Kind::TimedeltaValue(wire_delta(&delta)),
        Value::Uuid(uuid) => Kind::UuidValue(uuid.into_bytes().to_vec()),
        Value::Tensor(tensor) => Kind::TensorValue(wire_tensor(*tensor)),
        Value::Arrow(arrow) => Kind::ArrowValue(v1::Arrow { ipc_stream: arrow.ipc_stream, form: arrow.form.number() }),
        Value::Record(record) => return encode_record(*record, budget, depth + 1),
    };
    Ok(v1::Value { kind: Some(kind) })
}

/// A container at `depth`, serialized on its own where parsers would not follow.
fn placed(kind: Kind, depth: usize) -> v1::Value {
    let made = v1::Value { kind: Some(kind) };
    if depth.is_multiple_of(NESTING_STRIDE) {
        return v1::Value { kind: Some(Kind::NestedValue(made.encode_to_vec())) };
    }
    made
}

fn encode_items(
    items: Vec<Value>,
    kind: fn(v1::ListValue) -> Kind,
    budget: &mut Budget,
    depth: usize,
) -> Result<v1::Value, ValueError> {
    budget.enter(depth, items.len())?;
    let mut values = Vec::with_capacity(items.len());
    for (index, item) in items.into_iter().enumerate() {
        values.push(encode(item, budget, depth).map_err(|error| error.within(format!("[{index}]")))?);
    }
    Ok(placed(kind(v1::ListValue { values }), depth))
}

/// A list goes packed if all of its elements are floats, ints of 64 bits, bools or strings.
fn encode_list(items: Vec<Value>, budget: &mut Budget, depth: usize) -> Result<v1::Value, ValueError> {
    macro_rules! pack {
        ($variant:ident, $kind:ident, $message:ident) => {
            if items.iter().all(|item| matches!(item, Value::$variant(_))) {
                budget.enter(depth, items.len())?;
                let part = |item| if let Value::$variant(part) = item { Some(part) } else { None };
                let values = items.into_iter().filter_map(part).collect();
                return Ok(v1::Value { kind: Some(Kind::$kind(v1::$message { values })) });
            }
        };
    }
    match items.first() {
        Some(Value::Float(_)) => pack!(Float, DoubleList, DoubleList),
        Some(Value::Int(_)) => pack!(Int, IntList, IntList),
        Some(Value::Bool(_)) => pack!(Bool, BoolList, BoolList),
        Some(Value::Str(_)) => pack!(Str, StringList, StringList),
        _ => {}
    }
    encode_items(items, Kind::ListValue, budget, depth)
}

/// A dict goes packed if all of its keys are strings.
fn encode_dict(dict: Dict, budget: &mut Budget, depth: usize) -> Result<v1::Value, ValueError> {
    budget.enter(depth, dict.len())?;
    let kind = if dict.entries().iter().all(|(key, _)| matches!(key, Value::Str(_))) {
        keys::check_names(dict.entries().iter().filter_map(|(key, _)| match key {
            Value::Str(name) => Some(name.as_str()),
            _ => None,
        }))?;
        encode_string_map(dict, budget, depth)?
    } else {
        keys::check_entries(&dict)?;
        encode_map(dict, budget, depth)?
    };
    Ok(placed(kind, depth))
}

fn encode_string_map(dict: Dict, budget: &mut Budget, depth: usize) -> Result<Kind, ValueError> {
    let mut packed = v1::StringMap { keys: Vec::with_capacity(dict.len()), values: Vec::with_capacity(dict.len()) };
    for (key, value) in dict {
        packed.values.push(encode(value, budget, depth).map_err(|error| error.within(key_place(&key)))?);
        if let Value::Str(name) = key {
            packed.keys.push(name);
        }
    }
    Ok(Kind::StringMap(packed))
}

fn encode_map(dict: Dict, budget: &mut Budget, depth: usize) -> Result<Kind, ValueError> {
    let mut entries = Vec::with_capacity(dict.len());
    for (key, value) in dict {
        let place = key_place(&key);
        let value = encode(value, budget, depth).map_err(|error| error.within(&place))?;
        let key = encode(key, budget, depth).map_err(|error| error.within(format!(".key({})", entries.len())))?;
        entries.push(v1::MapEntry { key: Some(key), value: Some(value) });
    }
    Ok(Kind::MapValue(v1::MapValue { entries }))
}

fn encode_record(record: Record, budget: &mut Budget, depth: usize) -> Result<v1::Value, ValueError> {
    budget.enter(depth, record.fields.len())?;
    if keys::check_names(record.fields.iter().map(|(name, _)| name.as_str())).is_err() {
        return Err(ValueError::new("a field comes twice"));
    }
    let mut fields = Vec::with_capacity(record.fields.len());
    for (name, value) in record.fields {
        let value = encode(value, budget, depth).map_err(|error| error.within(format!(".{name}")))?;
        fields.push(v1::RecordField { name, value: Some(value) });
    }
    let record = v1::Record { type_name: record.type_name, form: record.form.number(), fields };
    Ok(placed(Kind::RecordValue(record), depth))
}

/// A part of a complex number as proto3 writes it: a zero is left out, unless it has a sign.
fn part(number: f64) -> Option<f64> {
    (number.to_bits() != 0).then_some(number)
}

fn wire_date(date: &temporal::Date) -> v1::Date {
    v1::Date { year: date.year(), month: date.month(), day: date.day() }
}

fn wire_time(time: temporal::Time) -> v1::TimeOfDay {
    v1::TimeOfDay {
        hour: time.hour(),
        minute: time.minute(),
        second: time.second(),
        microsecond: time.microsecond(),
        fold: time.fold(),
        time_zone: time.zone().map(wire_zone),
    }
}

fn wire_zone(zone: &TimeZone) -> v1::TimeZone {
    v1::TimeZone {
        utc_offset: zone.utc_offset().as_ref().map(wire_delta),
        key: zone.key().to_owned(),
        name: zone.name().to_owned(),
    }
}

fn wire_delta(delta: &TimeDelta) -> v1::TimeDelta {
    v1::TimeDelta { days: delta.days(), seconds: delta.seconds(), microseconds: delta.microseconds() }
}

fn wire_tensor(tensor: Tensor) -> v1::Tensor {
    let (dtype, shape, data, scalar) = tensor.into_parts();
    v1::Tensor { dtype, shape, data, scalar }
}
