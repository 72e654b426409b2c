//! Lines as clients write them, for devices of our own and for tests.

use std::fmt::Write as _;

use super::{Line, Value};

/// Appends the line and its end; `number` and `raw` do not matter.
///
/// Integers are written as floats, which no reader tells apart by value.
pub fn write(line: &Line<'_>, out: &mut String) {
    escape(&line.measurement, &[',', ' '], out);
    for (tag, value) in &line.tags {
        out.push(',');
        escape(tag, &[',', '=', ' '], out);
        out.push('=');
        escape(value, &[',', '=', ' '], out);
    }
    let mut before = ' ';
    for (field, value) in &line.fields {
        out.push(before);
        before = ',';
        escape(field, &[',', '=', ' '], out);
        out.push('=');
        // Writing to a `String` cannot fail.
        let _ = match value {
            Value::Number(number) => write!(out, "{number}"),
            Value::NotANumber(word) => write!(out, "{word}"),
            Value::Bool(value) => write!(out, "{value}"),
            Value::Text(text) => {
                out.push('"');
                escape(text, &['"', '\\'], out);
                out.push('"');
                Ok(())
            }
        };
    }
    if let Some(time) = line.time {
        let _ = write!(out, " {time}");
    }
    out.push('\n');
}

fn escape(text: &str, special: &[char], out: &mut String) {
    for character in text.chars() {
        if special.contains(&character) {
            out.push('\\');
        }
        out.push(character);
    }
}
