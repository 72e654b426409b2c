//! One record as it stands in a pack, whatever the encoding: labels with their values.

use std::borrow::Cow;

use super::SenmlError;
use crate::decimal::Decimal;

/// A value of any label.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Item<'a> {
    Number(Decimal),
    /// A number that is not finite or cannot be kept exactly.
    NotANumber,
    Text(Cow<'a, str>),
    Bool,
    Data,
    Other,
}

/// The labels of RFC 8428, table 4.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Label {
    BaseVersion,
    BaseName,
    BaseTime,
    BaseUnit,
    BaseValue,
    BaseSum,
    Name,
    Unit,
    Value,
    ValueText,
    ValueBool,
    ValueData,
    Sum,
    Time,
    UpdateTime,
}

impl Label {
    pub(super) fn of_text(text: &str) -> Option<Self> {
        Some(match text {
            "bver" => Self::BaseVersion,
            "bn" => Self::BaseName,
            "bt" => Self::BaseTime,
            "bu" => Self::BaseUnit,
            "bv" => Self::BaseValue,
            "bs" => Self::BaseSum,
            "n" => Self::Name,
            "u" => Self::Unit,
            "v" => Self::Value,
            "vs" => Self::ValueText,
            "vb" => Self::ValueBool,
            "vd" => Self::ValueData,
            "s" => Self::Sum,
            "t" => Self::Time,
            "ut" => Self::UpdateTime,
            _ => return None,
        })
    }

    pub(super) fn of_number(number: i64) -> Option<Self> {
        Some(match number {
            -1 => Self::BaseVersion,
            -2 => Self::BaseName,
            -3 => Self::BaseTime,
            -4 => Self::BaseUnit,
            -5 => Self::BaseValue,
            -6 => Self::BaseSum,
            0 => Self::Name,
            1 => Self::Unit,
            2 => Self::Value,
            3 => Self::ValueText,
            4 => Self::ValueBool,
            5 => Self::Sum,
            6 => Self::Time,
            7 => Self::UpdateTime,
            8 => Self::ValueData,
            _ => return None,
        })
    }
}

/// Labels that end so must be understood (RFC 8428, section 4.4).
pub(super) fn check_unknown(label: &str) -> Result<(), SenmlError> {
    if label.ends_with('_') {
        return Err(SenmlError::NotUnderstood { label: label.chars().take(40).collect() });
    }
    Ok(())
}

/// One record; a label of the wrong type spoils the record and not the pack.
#[derive(Debug, Default)]
pub(super) struct Record<'a> {
    /// The bytes of the whole record.
    pub(super) raw: &'a [u8],
    pub(super) base_version: Option<Decimal>,
    pub(super) base_name: Option<Cow<'a, str>>,
    pub(super) base_time: Option<Decimal>,
    pub(super) base_unit: Option<Cow<'a, str>>,
    pub(super) base_value: Option<Decimal>,
    pub(super) name: Option<Cow<'a, str>>,
    pub(super) unit: Option<Cow<'a, str>>,
    pub(super) time: Option<Decimal>,
    pub(super) has_sum: bool,
    /// The one value, with the bytes that it stands in.
    pub(super) value: Option<(Item<'a>, &'a [u8])>,
    /// Why the record cannot be used.
    pub(super) spoiled: Option<&'static str>,
}

impl<'a> Record<'a> {
    pub(super) fn new(raw: &'a [u8]) -> Self {
        Self { raw, ..Self::default() }
    }

    /// Puts a value under its label.
    pub(super) fn set(&mut self, label: Label, item: Item<'a>, raw: &'a [u8]) {
        match label {
            Label::BaseVersion => self.number(item, |record| &mut record.base_version),
            Label::BaseTime => self.number(item, |record| &mut record.base_time),
            Label::BaseValue => self.number(item, |record| &mut record.base_value),
            Label::Time => self.number(item, |record| &mut record.time),
            Label::BaseName => self.text(item, |record| &mut record.base_name),
            Label::BaseUnit => self.text(item, |record| &mut record.base_unit),
            Label::Name => self.text(item, |record| &mut record.name),
            Label::Unit => self.text(item, |record| &mut record.unit),
            Label::Sum => self.has_sum = true,
            // Neither sums nor update times decide anything; their record is kept.
            Label::BaseSum | Label::UpdateTime => {}
            Label::Value | Label::ValueText | Label::ValueBool | Label::ValueData => {
                let fits = match label {
                    Label::Value => matches!(item, Item::Number(_) | Item::NotANumber),
                    Label::ValueBool => matches!(item, Item::Bool),
                    Label::ValueData => matches!(item, Item::Text(_) | Item::Data),
                    _ => matches!(item, Item::Text(_)),
                };
                if !fits {
                    self.spoil("the value is not of its label's type");
                } else if self.value.is_some() {
                    self.spoil("a record has exactly one of v, vs, vb, vd");
                } else {
                    // Base64 is no text: only `vs` can name a reason.
                    let item = if label == Label::ValueData { Item::Data } else { item };
                    self.value = Some((item, raw));
                }
            }
        }
    }

    /// Marks the record as unusable; the first reason counts.
    pub(super) fn spoil(&mut self, why: &'static str) {
        self.spoiled.get_or_insert(why);
    }

    /// Whether the record only sets bases for those after it.
    pub(super) fn is_base_only(&self) -> bool {
        let has_base = self.base_name.is_some()
            || self.base_time.is_some()
            || self.base_unit.is_some()
            || self.base_value.is_some()
            || self.base_version.is_some();
        let plain = self.name.is_none() && self.unit.is_none() && self.time.is_none();
        has_base && plain && self.value.is_none() && !self.has_sum && self.spoiled.is_none()
    }

    fn number(&mut self, item: Item<'a>, place: impl Fn(&mut Self) -> &mut Option<Decimal>) {
        match item {
            Item::Number(number) if place(self).is_none() => *place(self) = Some(number),
            Item::Number(_) => self.spoil("a label stands twice"),
            _ => self.spoil("a base, a time or a sum is not a number that can be kept exactly"),
        }
    }

    fn text(&mut self, item: Item<'a>, place: impl Fn(&mut Self) -> &mut Option<Cow<'a, str>>) {
        match item {
            Item::Text(text) if place(self).is_none() => *place(self) = Some(text),
            Item::Text(_) => self.spoil("a label stands twice"),
            _ => self.spoil("a name or a unit is not a text"),
        }
    }
}
