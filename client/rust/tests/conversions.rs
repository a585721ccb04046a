//! Rust's own types to values and back.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use callgate::num_bigint::BigInt;
use callgate::{Decimal, FromValue, Record, Tensor, TimeDelta, Value, ValueError};

fn there_and_back<T>(value: T, kind: &str)
where
    T: Clone + PartialEq + std::fmt::Debug + Into<Value> + FromValue,
{
    let made: Value = value.clone().into();
    assert_eq!(made.type_name(), kind);
    assert_eq!(made.to::<T>().unwrap(), value);
}

#[test]
fn rusts_own_types_come_back_as_they_went() {
    there_and_back((), "None");
    there_and_back(true, "bool");
    there_and_back(-7_i8, "int");
    there_and_back(u64::MAX, "int");
    there_and_back(i128::MIN, "int");
    there_and_back(0.5, "float");
    there_and_back("né".to_owned(), "str");
    there_and_back(vec![0_u8, 255], "bytes");
    there_and_back(vec![1.0, 2.0], "list");
    there_and_back(vec![Some(1_i64), None], "list");
    there_and_back((1_i64, "a".to_owned(), vec![true]), "tuple");
    there_and_back(HashSet::from([1_i64, 2]), "set");
    there_and_back(HashMap::from([("a".to_owned(), 1_i64), ("b".to_owned(), 2)]), "dict");
    there_and_back(BTreeMap::from([(1_i64, 0.5)]), "dict");
    there_and_back("1.50".parse::<Decimal>().unwrap(), "Decimal");
    there_and_back(TimeDelta::new(1, 2, 3).unwrap(), "timedelta");
    there_and_back(Tensor::from_elements(&[2], &[1_i16, -1]).unwrap(), "ndarray");
}

#[test]
fn conversions_are_exact() {
    assert_eq!(Value::Int(3).to::<f64>().unwrap(), 3.0);
    for wrong in [
        Value::Float(2.0).to::<i64>().map(drop),
        Value::Int(300).to::<i8>().map(drop),
        Value::Int((1 << 53) + 1).to::<f64>().map(drop),
        Value::from("2").to::<i64>().map(drop),
        Value::Bool(true).to::<i64>().map(drop),
        Value::None.to::<String>().map(drop),
        Value::List(vec![Value::Int(1)]).to::<(i64, i64)>().map(drop),
    ] {
        assert!(wrong.is_err());
    }
}

#[test]
fn an_int_that_fits_is_the_short_kind() {
    assert_eq!(Value::from(BigInt::from(5)), Value::Int(5));
    assert_eq!(Value::from(5_u64), Value::Int(5));
    assert_eq!(Value::BigInt(BigInt::from(5)).serialize().unwrap(), Value::Int(5).serialize().unwrap());
}

#[test]
fn a_conversion_that_fails_names_the_place() {
    let value = Value::from(vec![Value::from(HashMap::from([("model", Value::from("x"))]))]);
    let error = value.to::<Vec<HashMap<String, f64>>>().unwrap_err();
    assert_eq!(error.to_string(), "[0]['model']: a Python str where a float is wanted");
}

#[test]
fn try_from_converts_too() {
    let numbers: Vec<f64> = Value::from([1.0, 2.0]).try_into().unwrap();
    assert_eq!(numbers, [1.0, 2.0]);
    let refused: Result<bool, ValueError> = Value::Int(1).try_into();
    assert!(refused.is_err());
}

#[test]
fn a_record_gives_its_fields() {
    let mut record = Record::new("pricing:Quote").field("symbol", "X").field("price", 1.5);
    assert_eq!(record.get("price"), Some(&Value::Float(1.5)));
    assert_eq!(record.take::<f64>("price").unwrap(), 1.5);
    assert!(record.take::<f64>("price").unwrap_err().to_string().contains("no field \"price\""));
    assert_eq!(record.take::<i64>("symbol").unwrap_err().path, ".symbol");
}

#[test]
fn a_span_of_time_is_normalized_as_python_does() {
    let delta = TimeDelta::new(0, -1, 0).unwrap();
    assert_eq!((delta.days(), delta.seconds(), delta.microseconds()), (-1, 86_399, 0));
    assert!(Duration::try_from(delta).is_err());
    assert!(TimeDelta::try_from(Duration::from_nanos(1)).is_err());
    let half = TimeDelta::try_from(Duration::from_millis(500)).unwrap();
    assert_eq!(Duration::try_from(half).unwrap(), Duration::from_millis(500));
    assert!(TimeDelta::new(1_000_000_000, 0, 0).is_err());
}

#[test]
fn decimals_are_what_python_writes() {
    for text in ["0", "-0E+3", "1.50", ".5", "5.", "1e10", "NaN", "sNaN12", "-Infinity"] {
        assert_eq!(text.parse::<Decimal>().unwrap().as_str(), text);
    }
    for text in ["", "-", ".", "+1", "1_0", " 1", "1e", "0x1", "infinite", "nan-1", "٣", "E5"] {
        assert!(text.parse::<Decimal>().is_err(), "{text:?} was taken");
    }
}

#[test]
fn a_tensor_is_what_its_shape_says() {
    assert!(Tensor::new("float64", vec![2], vec![0; 15]).is_err());
    assert!(Tensor::new("float128", vec![], vec![0; 16]).is_err());
    assert!(Tensor::new("int8", vec![-1], vec![]).is_err());
    assert!(Tensor::new("int8", vec![i64::MAX, i64::MAX], vec![]).is_err());
    for dtype in ["datetime64[25s]", "timedelta64", "S0", "U3", "bfloat16", "longdouble[x87]"] {
        assert!(Tensor::new(dtype, vec![0], vec![]).is_ok(), "{dtype}");
    }
    for dtype in ["datetime64[0s]", "S01", "U", "object", "S1000000000"] {
        assert!(Tensor::new(dtype, vec![0], vec![]).is_err(), "{dtype} was taken");
    }
    assert!(Tensor::from_elements(&[1], &[1.0_f32]).unwrap().elements::<f64>().is_err());
}
