//! Packs in CBOR (RFC 8428, section 6), of definite or indefinite lengths.

use std::borrow::Cow;

use minicbor::{
    Decoder,
    data::{Tag, Type},
};

use super::{
    SenmlError,
    item::{Item, Label, Record, check_unknown},
};
use crate::{decimal::Decimal, limits};

/// Hands each record to `take`, in order.
pub(super) fn each<'a>(
    payload: &'a [u8],
    mut take: impl FnMut(Record<'a>) -> Result<(), SenmlError>,
) -> Result<(), SenmlError> {
    let mut d = Decoder::new(payload);
    if !matches!(d.datatype(), Ok(Type::Array | Type::ArrayIndef)) {
        return Err(SenmlError::NotAList);
    }
    let mut items = Items::new(d.array().map_err(why)?);
    let mut count = 0_usize;
    while items.next(&mut d)? {
        count = count.saturating_add(1);
        if count > limits::RECORDS_MAX {
            return Err(SenmlError::TooMany);
        }
        take(record(&mut d)?)?;
    }
    if d.position() != payload.len() {
        return Err(SenmlError::Cbor { what: "bytes are left over".to_owned() });
    }
    Ok(())
}

fn why(error: minicbor::decode::Error) -> SenmlError {
    SenmlError::Cbor { what: error.to_string() }
}

/// Walks the items of a list or the entries of a map.
struct Items(Option<u64>);

impl Items {
    fn new(len: Option<u64>) -> Self {
        Self(len)
    }

    /// Whether another item follows; takes the mark at the end of an indefinite length.
    fn next(&mut self, d: &mut Decoder<'_>) -> Result<bool, SenmlError> {
        match &mut self.0 {
            Some(left) => {
                let Some(fewer) = left.checked_sub(1) else { return Ok(false) };
                *left = fewer;
                Ok(true)
            }
            None if d.datatype().map_err(why)? == Type::Break => {
                d.set_position(d.position().saturating_add(1));
                Ok(false)
            }
            None => Ok(true),
        }
    }
}

fn record<'a>(d: &mut Decoder<'a>) -> Result<Record<'a>, SenmlError> {
    let start = d.position();
    if !matches!(d.datatype().map_err(why)?, Type::Map | Type::MapIndef) {
        skip(d, limits::DEPTH_MAX.saturating_sub(1))?;
        let mut record = Record::new(since(d, start));
        record.spoil("a record is a map");
        return Ok(record);
    }
    let mut record = Record::default();
    let mut entries = Items::new(d.map().map_err(why)?);
    while entries.next(d)? {
        let label = label(d)?;
        let start = d.position();
        let item = item(d)?;
        if let Some(label) = label {
            record.set(label, item, since(d, start));
        }
    }
    record.raw = since(d, start);
    Ok(record)
}

/// The bytes from `start` to where the decoder stands.
fn since<'a>(d: &Decoder<'a>, start: usize) -> &'a [u8] {
    d.input().get(start..d.position()).unwrap_or_default()
}

fn label(d: &mut Decoder<'_>) -> Result<Option<Label>, SenmlError> {
    match d.datatype().map_err(why)? {
        Type::String => {
            let text = d.str().map_err(why)?;
            let label = Label::of_text(text);
            if label.is_none() {
                check_unknown(text)?;
            }
            Ok(label)
        }
        Type::U8 | Type::U16 | Type::U32 | Type::U64 => {
            let number = d.u64().map_err(why)?;
            Ok(i64::try_from(number).ok().and_then(Label::of_number))
        }
        Type::I8 | Type::I16 | Type::I32 | Type::I64 => d.i64().map(Label::of_number).map_err(why),
        _ => {
            skip(d, limits::DEPTH_MAX.saturating_sub(2))?;
            Ok(None)
        }
    }
}

fn item<'a>(d: &mut Decoder<'a>) -> Result<Item<'a>, SenmlError> {
    let number = |number: Option<Decimal>| number.map_or(Item::NotANumber, Item::Number);
    let whole = |mantissa: i64| Item::Number(Decimal { mantissa, exp10: 0 });
    Ok(match d.datatype().map_err(why)? {
        Type::U8 | Type::U16 | Type::U32 | Type::U64 => {
            let value = d.u64().map_err(why)?;
            i64::try_from(value).map_or(Item::NotANumber, whole)
        }
        Type::I8 | Type::I16 | Type::I32 | Type::I64 => d.i64().map(whole).map_err(why)?,
        Type::F16 | Type::F32 => number(Decimal::from_f32(float(d)?)),
        Type::F64 => number(Decimal::from_f64(d.f64().map_err(why)?)),
        Type::Tag => tagged(d)?,
        Type::String => Item::Text(Cow::Borrowed(d.str().map_err(why)?)),
        Type::Bool => d.bool().map(|_| Item::Bool).map_err(why)?,
        Type::Bytes => d.bytes().map(|_| Item::Data).map_err(why)?,
        _ => {
            skip(d, limits::DEPTH_MAX.saturating_sub(2))?;
            Item::Other
        }
    })
}

fn float(d: &mut Decoder<'_>) -> Result<f32, SenmlError> {
    if d.datatype().map_err(why)? != Type::F16 {
        return d.f32().map_err(why);
    }
    let start = d.position();
    let after = start.saturating_add(3);
    let Some([_, high, low]) = d.input().get(start..after) else {
        return Err(SenmlError::Cbor { what: "the pack is cut short".to_owned() });
    };
    let bits = u16::from_be_bytes([*high, *low]);
    d.set_position(after);
    Ok(half(bits))
}

/// A number of half precision (IEEE 754-2008, section 3.6), exactly.
fn half(bits: u16) -> f32 {
    let sign = u32::from(bits >> 15) << 31;
    let (exponent, fraction) = (u32::from(bits >> 10 & 0x1f), u32::from(bits & 0x3ff));
    match exponent {
        0 => {
            // Subnormal: so many parts of 2^-24.
            let parts = f32::from(bits & 0x3ff) / 16_777_216.0;
            f32::from_bits(parts.to_bits() | sign)
        }
        0x1f => f32::from_bits(sign | 0x7f80_0000 | fraction << 13),
        _ => f32::from_bits(sign | exponent.saturating_add(112) << 23 | fraction << 13),
    }
}

/// A decimal fraction (tag 4) is the one tagged value that a record may have.
fn tagged<'a>(d: &mut Decoder<'a>) -> Result<Item<'a>, SenmlError> {
    let start = d.position();
    let fraction = (d.tag().ok() == Some(Tag::new(4)) && d.array().ok() == Some(Some(2)))
        .then(|| (d.i64().ok(), d.i64().ok()));
    if let Some((Some(exp10), Some(mantissa))) = fraction {
        let number = i8::try_from(exp10).ok().map(|exp10| Decimal { mantissa, exp10 });
        return Ok(number.map_or(Item::NotANumber, Item::Number));
    }
    d.set_position(start);
    skip(d, limits::DEPTH_MAX.saturating_sub(2))?;
    Ok(Item::Other)
}

/// Passes over an item that is at most `depth` lists and maps deep.
fn skip(d: &mut Decoder<'_>, depth: u8) -> Result<(), SenmlError> {
    while d.datatype().map_err(why)? == Type::Tag {
        d.tag().map_err(why)?;
    }
    let (len, per_item) = match d.datatype().map_err(why)? {
        Type::Array | Type::ArrayIndef => (d.array().map_err(why)?, 1_u8),
        Type::Map | Type::MapIndef => (d.map().map_err(why)?, 2),
        Type::Break => return Err(SenmlError::Cbor { what: "an end without a beginning".into() }),
        _ => return d.skip().map_err(why),
    };
    let depth = depth.checked_sub(1).ok_or(SenmlError::TooDeep)?;
    let mut items = Items::new(len);
    while items.next(d)? {
        for _ in 0..per_item {
            skip(d, depth)?;
        }
    }
    Ok(())
}
