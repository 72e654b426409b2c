//! Packs in JSON: numbers are read from their own digits, never by way of a float.

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{Error, IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use serde_json::value::RawValue;

use super::{
    SenmlError,
    item::{Item, Label, Record, check_unknown},
    plain,
};
use crate::{decimal::Decimal, limits};

/// Hands each record to `take`, in order.
pub(super) fn each<'a>(
    payload: &'a [u8],
    take: impl FnMut(Record<'a>) -> Result<(), SenmlError>,
) -> Result<(), SenmlError> {
    match plain::records(payload) {
        Some(records) => records.into_iter().try_for_each(take),
        None => each_in_any_spelling(payload, take),
    }
}

/// The same for everything that JSON allows.
pub(super) fn each_in_any_spelling<'a>(
    payload: &'a [u8],
    mut take: impl FnMut(Record<'a>) -> Result<(), SenmlError>,
) -> Result<(), SenmlError> {
    check_depth(payload)?;
    let List(records) = serde_json::from_slice(payload).map_err(why)?;
    for raw in records.ok_or(SenmlError::TooMany)? {
        take(record(raw.get())?)?;
    }
    Ok(())
}

/// Counts brackets outside of texts; the rest of the grammar is the parser's.
fn check_depth(payload: &[u8]) -> Result<(), SenmlError> {
    let (mut depth, mut in_text, mut escaped) = (0_u32, false, false);
    for byte in payload {
        if in_text {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => in_text = false,
                _ => {}
            }
            continue;
        }
        match byte {
            b'"' => in_text = true,
            b'[' | b'{' => {
                depth = depth.saturating_add(1);
                if depth > u32::from(limits::DEPTH_MAX) {
                    return Err(SenmlError::TooDeep);
                }
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    Ok(())
}

fn why(error: serde_json::Error) -> SenmlError {
    if error.is_data() && error.to_string().starts_with(NOT_A_LIST) {
        return SenmlError::NotAList;
    }
    // The parser names places and what it expected there, never the text itself.
    SenmlError::Json { what: error.to_string() }
}

const NOT_A_LIST: &str = "not a list";

/// The records of a pack; `None` if there are too many.
struct List<'a>(Option<Vec<&'a RawValue>>);

impl<'de: 'a, 'a> Deserialize<'de> for List<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ListVisitor).map(Self)
    }
}

struct ListVisitor;

impl<'de> Visitor<'de> for ListVisitor {
    type Value = Option<Vec<&'de RawValue>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of records")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut records = Vec::with_capacity(16);
        while let Some(record) = list.next_element()? {
            if records.len() == limits::RECORDS_MAX {
                while list.next_element::<IgnoredAny>()?.is_some() {}
                return Ok(None);
            }
            records.push(record);
        }
        Ok(Some(records))
    }

    fn visit_map<A: MapAccess<'de>>(self, _: A) -> Result<Self::Value, A::Error> {
        Err(A::Error::custom(NOT_A_LIST))
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<Self::Value, E> {
        Err(E::custom(NOT_A_LIST))
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Self::Value, E> {
        Err(E::custom(NOT_A_LIST))
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<Self::Value, E> {
        Err(E::custom(NOT_A_LIST))
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Self::Value, E> {
        Err(E::custom(NOT_A_LIST))
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Self::Value, E> {
        Err(E::custom(NOT_A_LIST))
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Err(E::custom(NOT_A_LIST))
    }
}

fn record(raw: &str) -> Result<Record<'_>, SenmlError> {
    let mut record = Record::new(raw.as_bytes());
    let Ok(Fields(fields)) = serde_json::from_str(raw) else {
        record.spoil("a record is a map");
        return Ok(record);
    };
    for (label, value) in fields {
        match Label::of_text(&label) {
            Some(label) => record.set(label, item(value.get()), value.get().as_bytes()),
            None => check_unknown(&label)?,
        }
    }
    Ok(record)
}

/// The labels and values of one record, in order.
pub(crate) struct Fields<'a>(pub(crate) Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Fields<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(FieldsVisitor).map(Self)
    }
}

struct FieldsVisitor;

impl<'de> Visitor<'de> for FieldsVisitor {
    type Value = Vec<(Cow<'de, str>, &'de RawValue)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map of labels")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut fields = Vec::with_capacity(8);
        while let Some(Text(label)) = map.next_key()? {
            fields.push((label, map.next_value()?));
        }
        Ok(fields)
    }
}

/// A text that is borrowed wherever it has no escapes.
struct Text<'a>(Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(TextVisitor).map(Self)
    }
}

struct TextVisitor;

impl<'de> Visitor<'de> for TextVisitor {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text")
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(text))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(text.to_owned()))
    }
}

/// A value by its first character; the parser has checked the rest.
fn item(raw: &str) -> Item<'_> {
    match raw.as_bytes().first() {
        Some(b'"') => {
            let inside = raw.get(1..raw.len().saturating_sub(1)).unwrap_or_default();
            if !inside.contains('\\') {
                return Item::Text(Cow::Borrowed(inside));
            }
            serde_json::from_str(raw).map_or(Item::Other, |Text(text)| Item::Text(text))
        }
        Some(b'-' | b'0'..=b'9') => Decimal::parse(raw).map_or(Item::NotANumber, Item::Number),
        Some(b't' | b'f') => Item::Bool,
        _ => Item::Other,
    }
}
