//! How a type becomes CBOR and comes back: index keys for fields, numbers for
//! variants, both written by hand once and never reused.
//!
//! A reader skips keys that it does not know, so a field can be added; it names
//! a missing one, so a field cannot be lost. Nothing here panics on any bytes.

use std::{sync::Arc, time::Duration};

use minicbor::{Decoder, data::Type};
use model::{Id, Kind, Redacted, Timestamp};

use crate::{BodyError, Encoder};

/// A type with a stored form.
pub trait Coded: Sized {
    /// Appends the value as one CBOR item.
    fn write(&self, e: &mut Encoder<'_>);

    /// Takes one CBOR item as the value.
    fn read(d: &mut Decoder<'_>) -> Result<Self, BodyError>;

    /// Whether the value is left out of a map; only an `Option` can be.
    fn is_absent(&self) -> bool {
        false
    }

    /// What an absent key means; for all but an `Option` it is an error.
    fn absent() -> Option<Self> {
        None
    }

    /// Appends a list of values; bytes are packed.
    fn write_all(items: &[Self], e: &mut Encoder<'_>) {
        e.array(items.len());
        for item in items {
            item.write(e);
        }
    }

    /// Takes a list of values.
    fn read_all(d: &mut Decoder<'_>) -> Result<Vec<Self>, BodyError> {
        let len = array_len(d)?;
        // The length is a claim: each item costs at least one byte, so no more are believed.
        let mut items = Vec::with_capacity(bounded(len, d).min(1_024));
        for _ in 0..len {
            items.push(Self::read(d)?);
        }
        Ok(items)
    }
}

/// Gives structs and enums a stored form.
///
/// A struct is a map from index to field, an absent `Option` is no entry. A variant
/// without a value is its number; with a value or fields it is `[number, value]`.
///
/// ```
/// struct Bed { name: String, floor: Option<u8> }
/// enum Move { Stay, To(Bed), Lift { by: u8 } }
/// record::coded! {
///     struct Bed { 0 name, 1 floor }
///     enum Move { 0 Stay, 1 To(bed), 2 Lift { 0 by } }
/// }
/// let mut bytes = Vec::new();
/// let wish = Move::To(Bed { name: "04".into(), floor: None });
/// record::Coded::write(&wish, &mut record::Encoder::new(&mut bytes));
/// assert_eq!(bytes, [0x82, 1, 0xa1, 0, 0x62, b'0', b'4']);
/// ```
#[macro_export]
macro_rules! coded {
    () => {};
    (struct $name:ident { $($key:literal $field:ident),* $(,)? } $($rest:tt)*) => {
        impl $crate::Coded for $name {
            fn write(&self, e: &mut $crate::Encoder<'_>) {
                $crate::coded!(@write e, $($key &self.$field,)*);
            }
            fn read(d: &mut $crate::Decoder<'_>) -> Result<Self, $crate::BodyError> {
                $crate::coded!(@read d, $($key $field,)*);
                Ok(Self { $($field),* })
            }
        }
        $crate::coded!($($rest)*);
    };
    (enum $name:ident { $($code:literal $variant:ident $(($value:ident))? $({ $($key:literal $field:ident),* $(,)? })?),* $(,)? } $($rest:tt)*) => {
        impl $crate::Coded for $name {
            fn write(&self, e: &mut $crate::Encoder<'_>) {
                match self { $(
                    Self::$variant $(($value))? $({ $($field),* })? => {
                        $crate::coded!(@variant e, $code $(($value))? $({ $($key $field),* })?);
                    }
                )* }
            }
            fn read(d: &mut $crate::Decoder<'_>) -> Result<Self, $crate::BodyError> {
                let variant = $crate::Variant::read(d)?;
                match variant.code { $(
                    $code => {
                        variant.holds_a_value($crate::coded!(@has $(($value))? $({ $($field),* })?), stringify!($variant))?;
                        $(let $value = $crate::Coded::read(d)?;)?
                        $($crate::coded!(@read d, $($key $field,)*);)?
                        Ok(Self::$variant $(($value))? $({ $($field),* })?)
                    }
                )*
                    found => Err($crate::BodyError::unknown_variant(stringify!($name), found)),
                }
            }
        }
        $crate::coded!($($rest)*);
    };
    (@has) => { false };
    (@has $($any:tt)+) => { true };
    (@variant $e:ident, $code:literal) => { $e.uint($code) };
    (@variant $e:ident, $code:literal ($value:ident)) => {
        $e.array(2);
        $e.uint($code);
        $crate::Coded::write($value, $e);
    };
    (@variant $e:ident, $code:literal { $($key:literal $field:ident),* }) => {
        $e.array(2);
        $e.uint($code);
        $crate::coded!(@write $e, $($key $field,)*);
    };
    (@write $e:ident, $($key:literal $field:expr,)*) => {
        let present = [$(!$crate::Coded::is_absent($field)),*];
        $e.map(present.into_iter().filter(|present| *present).count());
        $(if !$crate::Coded::is_absent($field) {
            $e.uint($key);
            $crate::Coded::write($field, $e);
        })*
    };
    (@read $d:ident, $($key:literal $field:ident,)*) => {
        $(let mut $field = None;)*
        for _ in 0..$crate::map_len($d)? {
            match $crate::key($d)? {
                $($key => $crate::put(&mut $field, $d, stringify!($field))?,)*
                _ => $crate::skip($d)?,
            }
        }
        $(let $field = $crate::need($field, stringify!($field))?;)*
    };
}

/// The head of a variant in its stored form; for [`coded!`].
#[doc(hidden)]
#[derive(Debug)]
pub struct Variant {
    pub code: u64,
    has_value: bool,
}

impl Variant {
    pub fn read(d: &mut Decoder<'_>) -> Result<Self, BodyError> {
        let has_value = d.datatype().map_err(BodyError::cbor)? == Type::Array;
        if has_value && array_len(d)? != 2 {
            return Err(BodyError::malformed("a variant with a value is a list of two"));
        }
        Ok(Self { code: d.u64().map_err(BodyError::cbor)?, has_value })
    }

    pub fn holds_a_value(&self, wanted: bool, variant: &str) -> Result<(), BodyError> {
        if self.has_value == wanted {
            return Ok(());
        }
        Err(BodyError::malformed(&format!("`{variant}` has a value too many or too few")))
    }
}

/// Reads a field into its slot; for [`coded!`].
#[doc(hidden)]
pub fn put<T: Coded>(
    slot: &mut Option<T>,
    d: &mut Decoder<'_>,
    field: &str,
) -> Result<(), BodyError> {
    if slot.is_some() {
        return Err(BodyError::malformed(&format!("`{field}` stands twice")));
    }
    *slot = Some(T::read(d)?);
    Ok(())
}

/// The field's value, its meaning when absent, or an error that names it; for [`coded!`].
#[doc(hidden)]
pub fn need<T: Coded>(slot: Option<T>, field: &str) -> Result<T, BodyError> {
    slot.or_else(T::absent).ok_or_else(|| BodyError::malformed(&format!("`{field}` is not there")))
}

/// The number of entries of the map that comes next; a map without a length is refused.
pub fn map_len(d: &mut Decoder<'_>) -> Result<u64, BodyError> {
    let len = d.map().map_err(BodyError::cbor)?;
    len.ok_or_else(|| BodyError::malformed("a map does not say its length"))
}

/// The number of items of the list that comes next; a list without a length is refused.
pub fn array_len(d: &mut Decoder<'_>) -> Result<u64, BodyError> {
    let len = d.array().map_err(BodyError::cbor)?;
    len.ok_or_else(|| BodyError::malformed("a list does not say its length"))
}

/// The index key that comes next.
pub fn key(d: &mut Decoder<'_>) -> Result<u64, BodyError> {
    d.u64().map_err(BodyError::cbor)
}

/// Passes over the item that comes next, as a reader does with a key of the future.
pub fn skip(d: &mut Decoder<'_>) -> Result<(), BodyError> {
    d.skip().map_err(BodyError::cbor)
}

/// A claimed number of items, cut down to what the remaining bytes can hold.
pub(crate) fn bounded(claimed: u64, d: &Decoder<'_>) -> usize {
    let rest = d.input().len().saturating_sub(d.position());
    usize::try_from(claimed).map_or(rest, |claimed| claimed.min(rest))
}

macro_rules! uints {
    ($($t:ty)*) => { $(
        impl Coded for $t {
            fn write(&self, e: &mut Encoder<'_>) {
                e.uint(u64::from(*self));
            }
            fn read(d: &mut Decoder<'_>) -> Result<Self, BodyError> {
                let value = d.u64().map_err(BodyError::cbor)?;
                Self::try_from(value).map_err(|_| BodyError::malformed("a number is out of range"))
            }
        }
    )* };
}
uints! { u16 u32 u64 }

macro_rules! ints {
    ($($t:ty)*) => { $(
        impl Coded for $t {
            fn write(&self, e: &mut Encoder<'_>) {
                e.int(i64::from(*self));
            }
            fn read(d: &mut Decoder<'_>) -> Result<Self, BodyError> {
                let value = d.i64().map_err(BodyError::cbor)?;
                Self::try_from(value).map_err(|_| BodyError::malformed("a number is out of range"))
            }
        }
    )* };
}
ints! { i8 i16 i32 i64 }

impl Coded for u8 {
    fn write(&self, e: &mut Encoder<'_>) {
        e.uint(u64::from(*self));
    }

    fn read(d: &mut Decoder<'_>) -> Result<Self, BodyError> {
        d.u8().map_err(BodyError::cbor)
    }

    fn write_all(items: &[Self], e: &mut Encoder<'_>) {
        e.bytes(items);
    }

    fn read_all(d: &mut Decoder<'_>) -> Result<Vec<Self>, BodyError> {
        d.bytes().map(<[u8]>::to_vec).map_err(BodyError::cbor)
    }
}

impl Coded for bool {
    fn write(&self, e: &mut Encoder<'_>) {
        e.bool(*self);
    }

    fn read(d: &mut Decoder<'_>) -> Result<Self, BodyError> {
        d.bool().map_err(BodyError::cbor)
    }
}

impl Coded for String {
    fn write(&self, e: &mut Encoder<'_>) {
        e.text(self);
    }

    fn read(d: &mut Decoder<'_>) -> Result<Self, BodyError> {
        d.str().map(str::to_owned).map_err(BodyError::cbor)
    }
}

impl Coded for Arc<str> {
    fn write(&self, e: &mut Encoder<'_>) {
        e.text(self);
    }

    fn read(d: &mut Decoder<'_>) -> Result<Self, BodyError> {
        d.str().map(Self::from).map_err(BodyError::cbor)
    }
}

impl<T: Coded> Coded for Vec<T> {
    fn write(&self, e: &mut Encoder<'_>) {
        T::write_all(self, e);
    }

    fn read(d: &mut Decoder<'_>) -> Result<Self, BodyError> {
        T::read_all(d)
    }
}

impl<const N: usize> Coded for [u8; N] {
    fn write(&self, e: &mut Encoder<'_>) {
        e.bytes(self);
    }

    fn read(d: &mut Decoder<'_>) -> Result<Self, BodyError> {
        let bytes = d.bytes().map_err(BodyError::cbor)?;
        let wrong = |_| BodyError::malformed(&format!("expected {N} bytes, found {}", bytes.len()));
        Self::try_from(bytes).map_err(wrong)
    }
}

impl<T: Coded> Coded for Option<T> {
    fn write(&self, e: &mut Encoder<'_>) {
        match self {
            Some(value) => value.write(e),
            None => e.null(),
        }
    }

    fn read(d: &mut Decoder<'_>) -> Result<Self, BodyError> {
        if d.datatype().map_err(BodyError::cbor)? == Type::Null {
            return d.null().map(|()| None).map_err(BodyError::cbor);
        }
        T::read(d).map(Some)
    }

    fn is_absent(&self) -> bool {
        self.is_none()
    }

    fn absent() -> Option<Self> {
        Some(None)
    }
}

impl<T: Coded> Coded for Box<T> {
    fn write(&self, e: &mut Encoder<'_>) {
        T::write(self, e);
    }

    fn read(d: &mut Decoder<'_>) -> Result<Self, BodyError> {
        T::read(d).map(Self::new)
    }
}

impl<A: Coded, B: Coded> Coded for (A, B) {
    fn write(&self, e: &mut Encoder<'_>) {
        e.array(2);
        self.0.write(e);
        self.1.write(e);
    }

    fn read(d: &mut Decoder<'_>) -> Result<Self, BodyError> {
        if array_len(d)? != 2 {
            return Err(BodyError::malformed("a pair is a list of two"));
        }
        Ok((A::read(d)?, B::read(d)?))
    }
}

impl<K: Kind> Coded for Id<K> {
    fn write(&self, e: &mut Encoder<'_>) {
        e.bytes(&self.uuid().to_be_bytes());
    }

    fn read(d: &mut Decoder<'_>) -> Result<Self, BodyError> {
        let uuid = u128::from_be_bytes(Coded::read(d)?);
        Self::from_uuid(uuid).map_err(|error| BodyError::malformed(&error.to_string()))
    }
}

impl Coded for Timestamp {
    fn write(&self, e: &mut Encoder<'_>) {
        e.int(self.unix_nanos());
    }

    fn read(d: &mut Decoder<'_>) -> Result<Self, BodyError> {
        d.i64().map(Self::from_unix_nanos).map_err(BodyError::cbor)
    }
}

impl Coded for Duration {
    fn write(&self, e: &mut Encoder<'_>) {
        (self.as_secs(), self.subsec_nanos()).write(e);
    }

    fn read(d: &mut Decoder<'_>) -> Result<Self, BodyError> {
        let (secs, nanos) = <(u64, u32)>::read(d)?;
        if nanos >= 1_000_000_000 {
            return Err(BodyError::malformed("a span has a second's worth of nanoseconds"));
        }
        Ok(Self::new(secs, nanos))
    }
}

impl<T: Coded> Coded for Redacted<T> {
    fn write(&self, e: &mut Encoder<'_>) {
        self.0.write(e);
    }

    fn read(d: &mut Decoder<'_>) -> Result<Self, BodyError> {
        T::read(d).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq)]
    struct Bed {
        name: String,
        floor: Option<u8>,
    }
    #[derive(Debug, PartialEq)]
    enum Move {
        Stay,
        To(Bed),
        Lift { by: i8 },
    }
    coded! {
        struct Bed { 0 name, 5 floor }
        enum Move { 0 Stay, 1 To(bed), 7 Lift { 0 by } }
    }

    fn check(bytes: &[u8], want: Result<Move, &str>) {
        let got = Move::read(&mut Decoder::new(bytes)).map_err(|error| error.to_string());
        assert_eq!(got, want.map_err(str::to_owned), "{bytes:02x?}");
    }

    #[test]
    fn a_field_can_be_added_and_none_can_be_lost() {
        let bed = |floor| Move::To(Bed { name: "4".into(), floor });
        check(&[0], Ok(Move::Stay));
        check(&[0x82, 1, 0xa1, 0, 0x61, b'4'], Ok(bed(None)));
        check(&[0x82, 1, 0xa2, 0, 0x61, b'4', 5, 0xf6], Ok(bed(None)));
        check(&[0x82, 1, 0xa2, 0, 0x61, b'4', 5, 2], Ok(bed(Some(2))));
        // Key 9 is from the future, and so is the list that it holds.
        check(&[0x82, 1, 0xa2, 0, 0x61, b'4', 9, 0x82, 1, 2], Ok(bed(None)));
        check(&[0x82, 7, 0xa1, 0, 0x20], Ok(Move::Lift { by: -1 }));
        check(&[0x82, 1, 0xa1, 5, 2], Err("the body is malformed: `name` is not there"));
        let twice = "the body is malformed: `floor` stands twice";
        check(&[0x82, 1, 0xa3, 0, 0x61, b'4', 5, 2, 5, 2], Err(twice));
        check(&[3], Err("the body is malformed: Move 3 is not known"));
        let too_few = "the body is malformed: `To` has a value too many or too few";
        check(&[1], Err(too_few));
        check(
            &[0x83, 1, 2, 3],
            Err("the body is malformed: a variant with a value is a list of two"),
        );
        check(&[0x82, 7, 0xbf, 0xff], Err("the body is malformed: a map does not say its length"));
    }

    #[test]
    fn a_claimed_length_is_not_believed() {
        // A list of 2^62 numbers in ten bytes.
        let bytes = [0x9b, 0x40, 0, 0, 0, 0, 0, 0, 0, 1];
        assert!(Vec::<u64>::read(&mut Decoder::new(&bytes)).is_err());
    }
}
