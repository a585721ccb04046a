//! numpy's element types, by their names on the wire.

use super::ValueError;

const X87: &str = "longdouble[x87]";
const X87_COMPLEX: &str = "clongdouble[x87]";

/// Refuses x87 numbers whose leading bit, which that format writes out, contradicts their exponent: processors refuse
/// them, and libraries disagree about them.
pub(super) fn check_elements(dtype: &str, data: &[u8]) -> Result<(), ValueError> {
    let per_element = match dtype {
        X87 => 1,
        X87_COMPLEX => 2,
        _ => return Ok(()),
    };
    let wrong = |number: &[u8]| (number[7] & 0x80 != 0) == (number[8] == 0 && number[9] & 0x7f == 0);
    match data.chunks_exact(10).position(wrong) {
        None => Ok(()),
        Some(index) => Err(ValueError::new(format!(
            "a tensor's element {} is no number of {dtype}: its leading bit contradicts its exponent",
            index / per_element
        ))),
    }
}

/// Bytes of an element.
pub(super) fn element_size(dtype: &str) -> Result<usize, ValueError> {
    let size = match dtype {
        "bool" | "int8" | "uint8" => Some(1),
        "int16" | "uint16" | "float16" | "bfloat16" => Some(2),
        "int32" | "uint32" | "float32" => Some(4),
        "int64" | "uint64" | "float64" | "complex64" => Some(8),
        "complex128" => Some(16),
        // Those of ml_dtypes.
        "float8_e3m4" | "float8_e4m3" | "float8_e4m3b11fnuz" | "float8_e4m3fn" | "float8_e4m3fnuz" | "float8_e5m2"
        | "float8_e5m2fnuz" | "float8_e8m0fnu" => Some(1),
        // numpy's long doubles, by their format (docs/adr/0009-long-doubles.md).
        X87 => Some(10),
        "longdouble[binary128]" | "longdouble[double-double]" => Some(16),
        X87_COMPLEX => Some(20),
        "clongdouble[binary128]" | "clongdouble[double-double]" => Some(32),
        _ => built_size(dtype),
    };
    size.ok_or_else(|| {
        let shown: String = dtype.chars().take(40).collect();
        ValueError::new(format!("a tensor has an unknown dtype: {shown:?}"))
    })
}

/// Of `datetime64[25s]`, `timedelta64`, `S5`, `U3`.
fn built_size(dtype: &str) -> Option<usize> {
    if let Some(unit) = dtype.strip_prefix("datetime64").or_else(|| dtype.strip_prefix("timedelta64")) {
        return is_unit(unit).then_some(8);
    }
    let width = |text: &str| (text == "0" || is_number(text)).then(|| text.parse::<usize>().ok()).flatten();
    match dtype.split_at_checked(1)? {
        ("S", text) => width(text),
        ("U", text) => width(text)?.checked_mul(4),
        _ => None,
    }
}

fn is_unit(text: &str) -> bool {
    const UNITS: [&str; 13] = ["Y", "M", "W", "D", "h", "m", "s", "ms", "us", "ns", "ps", "fs", "as"];
    if text.is_empty() {
        return true;
    }
    let Some(inner) = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) else { return false };
    let unit = inner.trim_start_matches(|char: char| char.is_ascii_digit());
    let number = &inner[..inner.len() - unit.len()];
    UNITS.contains(&unit) && (number.is_empty() || is_number(number))
}

/// Of one to nine digits, without leading zeros.
fn is_number(text: &str) -> bool {
    (1..=9).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit()) && !text.starts_with('0')
}
