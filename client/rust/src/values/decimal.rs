//! `decimal.Decimal` as its text, which keeps trailing zeros, signed zeros, NaNs with payloads and any exponent.

use std::fmt;
use std::str::FromStr;

use num_bigint::BigInt;

use super::ValueError;

/// The most digits with which a decimal is compared to ints as a key of a dict or an element of a set; arbitrary.
const MOST_DIGITS: i64 = 1000;

/// A Python `decimal.Decimal`, as the text that `str()` gives: `"1.50"`, `"-0E+3"`, `"sNaN12"`.
///
/// Rust has no decimal type that holds all of them; parse the text with the library of your choice.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Decimal(String);

impl Decimal {
    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(super) fn into_text(self) -> String {
        self.0
    }

    /// What makes two decimals equal in Python, whatever their trailing zeros.
    pub(super) fn number(&self) -> Number<'_> {
        let (negative, text) = match self.0.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, self.0.as_str()),
        };
        match text.as_bytes()[0].to_ascii_lowercase() {
            b'i' => return Number::Infinity(negative),
            b'n' => return Number::Nan,
            b's' => return Number::SignalingNan,
            _ => {}
        }
        let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
        let Ok(exponent) = exponent.parse::<i64>() else { return Number::Text(&self.0) };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits = format!("{whole}{fraction}");
        let significant = digits.trim_start_matches('0').trim_end_matches('0');
        if significant.is_empty() {
            return Number::Int(BigInt::ZERO);
        }
        let zeros = digits.len() - digits.trim_end_matches('0').len();
        let exponent = exponent.saturating_sub(fraction.len() as i64).saturating_add(zeros as i64);
        let sign = if negative { "-" } else { "" };
        if (0..=MOST_DIGITS).contains(&exponent)
            && let Ok(number) = format!("{sign}{significant}{:0<1$}", "", exponent as usize).parse()
        {
            return Number::Int(number);
        }
        Number::Scaled(format!("{sign}{significant}"), exponent)
    }
}

/// A decimal's value, comparable with others'.
pub(super) enum Number<'a> {
    Int(BigInt),
    Scaled(String, i64),
    Infinity(bool),
    Nan,
    SignalingNan,
    Text(&'a str),
}

impl FromStr for Decimal {
    type Err = ValueError;

    /// Takes what `str(Decimal)` gives: no underscores, blanks, plus sign or digits of other scripts.
    fn from_str(text: &str) -> Result<Decimal, ValueError> {
        if is_decimal(text) {
            Ok(Decimal(text.to_owned()))
        } else {
            let shown: String = text.chars().take(40).collect();
            Err(ValueError::new(format!("no decimal number: {shown:?}")))
        }
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

fn is_decimal(text: &str) -> bool {
    let text = text.strip_prefix('-').unwrap_or(text);
    if text.eq_ignore_ascii_case("infinity") {
        return true;
    }
    let lower = text.to_ascii_lowercase();
    if let Some(payload) = lower.strip_prefix("snan").or_else(|| lower.strip_prefix("nan")) {
        return payload.bytes().all(|b| b.is_ascii_digit());
    }
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent.strip_prefix(['+', '-']).unwrap_or(exponent))),
        None => (text, None),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    // libmpdec's exponents have at most 18 digits; more are no Decimal in Python.
    let plausible = |text: &str| (1..=19).contains(&text.len()) && digits(text);
    digits(whole) && digits(fraction) && whole.len() + fraction.len() > 0 && exponent.is_none_or(plausible)
}
