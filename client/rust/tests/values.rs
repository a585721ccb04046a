//! The golden values of tests/conformance/cases: what they decode to, and that encoding gives their bytes again.

mod cases;

use callgate::{Date, DateTime, Decimal, Dict, SurrogateString, Time, TimeDelta, TimeZone, Value};

#[test]
fn every_golden_value_survives_decoding_and_encoding() {
    let golden = cases::golden();
    assert!(golden.len() > 50, "only {} cases", golden.len());
    for case in golden {
        for bytes in std::iter::once(&case.value).chain(&case.also) {
            let value = Value::parse(bytes).unwrap_or_else(|error| panic!("{}: {error}", case.name));
            let again = value.clone().serialize().unwrap_or_else(|error| panic!("{}: {error}", case.name));
            assert_eq!(again, case.value, "{}: {value:?}", case.name);
        }
    }
}

#[test]
fn every_bad_value_is_refused() {
    let bad = cases::refused();
    assert!(bad.len() > 30, "only {} cases", bad.len());
    for case in bad {
        let refused = Value::parse(&case.value).err();
        assert!(refused.is_some(), "{} was taken", case.name);
    }
}

fn golden(name: &str) -> Value {
    let case = cases::golden().into_iter().find(|case| case.name == name).unwrap_or_else(|| panic!("no case {name:?}"));
    Value::parse(&case.value).unwrap()
}

#[test]
fn golden_values_are_the_values_that_they_are_named_for() {
    let big = "9223372036854775808".parse().unwrap();
    let paris = TimeZone::iana("Europe/Paris", Some(TimeDelta::new(0, 3600, 0).unwrap())).unwrap();
    let named = TimeZone::named(TimeDelta::new(0, -5 * 3600, 0).unwrap(), "EST").unwrap();
    let midnight = Time::new(0, 0, 0, 0).unwrap();
    let mixed = vec![(Value::from("a"), Value::Int(1)), (Value::Int(2), Value::Int(2))];
    for (name, value) in [
        ("none", Value::None),
        ("int smallest of 64 bits", Value::Int(i64::MIN)),
        ("int beyond 64 bits", Value::BigInt(big)),
        ("float integral", Value::Float(2.0)),
        ("str with a lone surrogate", SurrogateString::from_wtf8(vec![0xed, 0xb3, 0xbf]).unwrap().into()),
        ("bytes", Value::Bytes(vec![0, 255])),
        ("list of strs", vec!["a", ""].into()),
        ("tuple", (1, 2).into()),
        ("frozenset", Value::FrozenSet(vec!["a".into()])),
        ("dict with mixed keys", Value::Dict(Dict::from(mixed))),
        ("decimal signalling NaN", "sNaN12".parse::<Decimal>().unwrap().into()),
        ("time naive", midnight.clone().into()),
        (
            "datetime at a named offset",
            DateTime { date: Date::new(2024, 2, 29).unwrap(), time: midnight.in_zone(named) }.into(),
        ),
        (
            "datetime in a zone, the second of two equal times",
            DateTime {
                date: Date::new(2024, 10, 27).unwrap(),
                time: Time::new(2, 30, 0, 0).unwrap().with_fold(true).in_zone(paris),
            }
            .into(),
        ),
        ("timedelta", TimeDelta::new(0, -1, 0).unwrap().into()),
    ] {
        assert_eq!(golden(name), value, "{name}");
    }
}

#[test]
fn an_error_names_the_place() {
    // {"a": [1, (nothing)]}, as a string_map.
    let bytes = [0x8a, 0x01, 0x0d, 0x0a, 0x01, 0x61, 0x12, 0x08, 0x42, 0x06, 0x0a, 0x02, 0x18, 0x02, 0x0a, 0x00];
    let error = Value::parse(&bytes).unwrap_err();
    assert_eq!(error.path, "result['a'][1]");
    assert!(error.to_string().starts_with("result['a'][1]: a Value with no kind set"), "{error}");
}

#[test]
fn what_python_could_not_hold_is_not_sent() {
    let mut twice = Dict::new();
    twice.push(1, "a");
    twice.push(true, "b");
    let mut unhashable = Dict::new();
    unhashable.push(vec![1], "a");
    let mut deep = Value::from("bottom");
    for _ in 0..101 {
        deep = Value::List(vec![deep]);
    }
    for (value, path, problem) in [
        (Value::Dict(twice), "result[0]", "a key comes twice"),
        (Value::Dict(unhashable), "result[0]", "a list is not hashable, and no key"),
        (Value::Set(vec![Value::Int(1), Value::Float(1.0)]), "result[0]", "a set has an element twice"),
        (Value::FrozenSet(vec![Value::Bytes(vec![]), Value::List(vec![])]), "result[0][1]", "a list is not hashable"),
    ] {
        let error = Value::Tuple(vec![value]).serialize().unwrap_err();
        assert_eq!(error.path, path);
        assert!(error.problem.starts_with(problem), "{error}");
    }
    assert!(deep.serialize().unwrap_err().problem.contains("more than 100 levels deep"));
}

#[test]
fn distinct_nans_and_equal_strings_of_other_types_are_different_keys() {
    let nan = Value::Float(f64::NAN);
    let keys = vec![nan.clone(), nan, "a".into(), Value::Bytes(b"a".to_vec()), Value::None, Value::Int(0)];
    assert!(Value::Set(keys).serialize().is_ok());
}
