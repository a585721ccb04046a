//! How an error's path shows a key: `['model']`, `[3]`, `[<tuple>]`.

use super::Value;

/// Characters of a key that are shown; arbitrary.
const MOST: usize = 40;

pub(super) fn key_place(key: &Value) -> String {
    format!("[{}]", short(key))
}

pub(super) fn name_place(name: &str) -> String {
    format!("[{}]", quoted(name))
}

fn short(key: &Value) -> String {
    match key {
        Value::Str(text) => quoted(text),
        Value::Int(number) => number.to_string(),
        Value::Float(number) => format!("{number:?}"),
        Value::Bool(true) => "True".into(),
        Value::Bool(false) => "False".into(),
        Value::None => "None".into(),
        other => format!("<{}>", other.type_name()),
    }
}

/// As Python's `repr` quotes, as good as; cut.
fn quoted(text: &str) -> String {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    let mut made = String::from(quote);
    for (index, char) in text.chars().enumerate() {
        if index == MOST {
            made.push('…');
            break;
        }
        if char == quote || char == '\\' || char.is_control() {
            made.extend(char.escape_default());
        } else {
            made.push(char);
        }
    }
    made.push(quote);
    made
}
