//! The grammar of a line: where it ends, what its escapes mean, what a value is.

use std::borrow::Cow;

use super::{BadLine, Line, LineError, Value};
use crate::{
    decimal::Decimal,
    limits::{LINE_FIELDS_MAX, LINE_LEN_MAX, LINE_TAGS_MAX, LINES_MAX},
};

/// The lines of a body, one after the other.
pub(super) struct Lines<'a> {
    rest: &'a [u8],
    number: usize,
    taken: usize,
}

impl<'a> Lines<'a> {
    pub(super) const fn new(body: &'a [u8]) -> Self {
        Self { rest: body, number: 0, taken: 0 }
    }

    /// Cuts the next line off; a text in quotes may hold line ends.
    fn cut(&mut self) -> &'a [u8] {
        let end = end_of(self.rest);
        let (line, rest) = self.rest.split_at_checked(end).unwrap_or((self.rest, &[]));
        self.rest = rest.strip_prefix(b"\n").unwrap_or(rest);
        self.number = self.number.saturating_add(1);
        line.strip_suffix(b"\r").unwrap_or(line)
    }
}

impl<'a> Iterator for Lines<'a> {
    type Item = Result<Line<'a>, BadLine<'a>>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.rest.is_empty() {
            if self.taken == LINES_MAX {
                let raw = std::mem::take(&mut self.rest);
                let number = self.number.saturating_add(1);
                return Some(Err(BadLine { number, raw, why: LineError::TooManyLines }));
            }
            let raw = self.cut();
            let text = raw.trim_ascii_start();
            if text.is_empty() || text.starts_with(b"#") {
                continue;
            }
            self.taken = self.taken.saturating_add(1);
            let number = self.number;
            return Some(line(number, raw).map_err(|why| BadLine { number, raw, why }));
        }
        None
    }
}

/// Where the line ends that `bytes` begins with.
///
/// Quotes count in the values of fields only. Where they never close, the line ends at the first
/// line end, so that one forgotten quote does not swallow all lines behind it. That costs
/// one look at the whole body, and only once: the quote of a later line closes an earlier.
fn end_of(bytes: &[u8]) -> usize {
    let (mut in_fields, mut in_quotes, mut escaped) = (false, false, false);
    let (mut first_end, mut before) = (None, b'\n');
    for (at, byte) in bytes.iter().enumerate() {
        let opens = before == b'=';
        before = *byte;
        match byte {
            b'\n' if in_quotes => {
                first_end.get_or_insert(at);
            }
            b'\n' => return at,
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b' ' => in_fields = true,
            b'"' if in_fields && (in_quotes || opens) => in_quotes = !in_quotes,
            _ => {}
        }
    }
    first_end.unwrap_or(bytes.len())
}

fn line(number: usize, raw: &[u8]) -> Result<Line<'_>, LineError> {
    if raw.len() > LINE_LEN_MAX {
        return Err(LineError::TooLong);
    }
    let text = std::str::from_utf8(raw).map_err(|_| LineError::NotText)?.trim_start_matches(' ');
    let (series, rest) = split(text, b" ").ok_or(LineError::NoFields)?;
    let rest = rest.trim_start_matches(' ');
    let (measurement, tags) = match split(series, b",") {
        Some((measurement, tags)) => (measurement, Some(tags)),
        None => (series, None),
    };
    if measurement.is_empty() {
        return Err(LineError::NoMeasurement);
    }
    let (fields, time) = fields(rest)?;
    Ok(Line {
        number,
        raw,
        measurement: unescape(measurement, b", "),
        tags: tags.map(read_tags).transpose()?.unwrap_or_default(),
        fields,
        time,
    })
}

/// Tags in the order of the line: name and value, unescaped.
type Tags<'a> = Vec<(Cow<'a, str>, Cow<'a, str>)>;

fn read_tags(text: &str) -> Result<Tags<'_>, LineError> {
    let mut tags: Vec<(Cow<'_, str>, Cow<'_, str>)> = Vec::new();
    let mut rest = Some(text);
    while let Some(text) = rest {
        let (tag, behind) = match split(text, b",") {
            Some((tag, behind)) => (tag, Some(behind)),
            None => (text, None),
        };
        rest = behind;
        let (key, value) = split(tag, b"=").ok_or(LineError::NoTagValue)?;
        if key.is_empty() {
            return Err(LineError::NoTagKey);
        }
        if value.is_empty() {
            return Err(LineError::NoTagValue);
        }
        if tags.len() == LINE_TAGS_MAX {
            return Err(LineError::TooManyTags);
        }
        let (key, value) = (unescape(key, b",= "), unescape(value, b",= "));
        if tags.iter().any(|(known, _)| *known == key) {
            return Err(LineError::TagTwice);
        }
        tags.push((key, value));
    }
    Ok(tags)
}

type Fields<'a> = Vec<(Cow<'a, str>, Value<'a>)>;

/// The fields and the timestamp behind them.
fn fields(text: &str) -> Result<(Fields<'_>, Option<i64>), LineError> {
    let mut fields: Fields<'_> = Vec::new();
    let mut rest = text;
    loop {
        let at = find(rest, b"= ").ok_or(match rest {
            "" if fields.is_empty() => LineError::NoFields,
            _ => LineError::NoFieldValue,
        })?;
        let (key, behind) = rest.split_at_checked(at).unwrap_or((rest, ""));
        let Some(behind) = behind.strip_prefix('=') else { return Err(LineError::NoFieldValue) };
        if key.is_empty() {
            return Err(LineError::NoFieldKey);
        }
        if fields.len() == LINE_FIELDS_MAX {
            return Err(LineError::TooManyFields);
        }
        let (value, behind) = value(behind)?;
        fields.push((unescape(key, b",= "), value));
        if let Some(next) = behind.strip_prefix(',') {
            rest = next;
            continue;
        }
        let time = behind.trim_matches(' ');
        let time = if time.is_empty() { None } else { Some(whole(time).ok_or(LineError::Time)?) };
        return Ok((fields, time));
    }
}

/// The value that the text begins with, and what stands behind it.
fn value(text: &str) -> Result<(Value<'_>, &str), LineError> {
    if let Some(inside) = text.strip_prefix('"') {
        let mut escaped = false;
        let end = inside.bytes().position(|byte| {
            let ends = byte == b'"' && !escaped;
            escaped = byte == b'\\' && !escaped;
            ends
        });
        let (quoted, behind) =
            end.and_then(|end| inside.split_at_checked(end)).ok_or(LineError::Quotes)?;
        let behind = behind.strip_prefix('"').unwrap_or(behind);
        if !(behind.is_empty() || behind.starts_with([',', ' '])) {
            return Err(LineError::FieldValue);
        }
        return Ok((Value::Text(unescape(quoted, b"\"\\")), behind));
    }
    let end = text.find([',', ' ']).unwrap_or(text.len());
    let (word, behind) = text.split_at_checked(end).unwrap_or((text, ""));
    Ok((bare(word)?, behind))
}

fn bare(word: &str) -> Result<Value<'_>, LineError> {
    match word {
        "" => return Err(LineError::NoFieldValue),
        "t" | "T" | "true" | "True" | "TRUE" => return Ok(Value::Bool(true)),
        "f" | "F" | "false" | "False" | "FALSE" => return Ok(Value::Bool(false)),
        _ => {}
    }
    let unsigned = word.strip_prefix(['-', '+']).unwrap_or(word);
    if unsigned.eq_ignore_ascii_case("nan")
        || unsigned.eq_ignore_ascii_case("inf")
        || unsigned.eq_ignore_ascii_case("infinity")
    {
        return Ok(Value::NotANumber(word));
    }
    let (digits, whole) = match word.strip_suffix('i').or_else(|| word.strip_suffix('u')) {
        Some(digits) => (digits, true),
        None => (word.strip_prefix('+').unwrap_or(word), false),
    };
    let allowed = |byte: u8| match byte {
        b'0'..=b'9' | b'-' => true,
        b'.' | b'e' | b'E' | b'+' => !whole,
        _ => false,
    };
    let looks_right =
        digits.bytes().any(|byte| byte.is_ascii_digit()) && digits.bytes().all(allowed);
    match Decimal::parse(digits) {
        Some(number) if looks_right => Ok(Value::Number(number)),
        // A number that nothing here can hold exactly is kept as it was written.
        None if looks_right && is_number(digits) => Ok(Value::NotANumber(word)),
        Some(_) | None => Err(LineError::FieldValue),
    }
}

/// Whether the text is spelled as a number, however large.
fn is_number(text: &str) -> bool {
    text.parse::<f64>().is_ok()
}

fn whole(text: &str) -> Option<i64> {
    let is_digits =
        text.strip_prefix('-').unwrap_or(text).bytes().all(|byte| byte.is_ascii_digit());
    if is_digits { text.parse().ok() } else { None }
}

/// Where the first of these characters stands that no backslash precedes.
fn find(text: &str, of: &[u8]) -> Option<usize> {
    let mut escaped = false;
    text.bytes().position(|byte| {
        let found = !escaped && of.contains(&byte);
        escaped = byte == b'\\' && !escaped;
        found
    })
}

/// What stands before and behind the first of these characters.
fn split<'a>(text: &'a str, at: &[u8]) -> Option<(&'a str, &'a str)> {
    let (before, behind) = text.split_at_checked(find(text, at)?)?;
    Some((before, behind.get(1..)?))
}

/// Takes the backslash away before these characters, and only before them.
fn unescape<'a>(text: &'a str, special: &[u8]) -> Cow<'a, str> {
    if !text.contains('\\') {
        return Cow::Borrowed(text);
    }
    let mut plain = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        let escapes = character == '\\'
            && characters
                .peek()
                .is_some_and(|next| u8::try_from(*next).is_ok_and(|next| special.contains(&next)));
        if escapes {
            plain.extend(characters.next());
        } else {
            plain.push(character);
        }
    }
    Cow::Owned(plain)
}
