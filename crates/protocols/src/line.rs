//! InfluxDB line protocol: `measurement,tag=value field=value timestamp`, one a line.
//!
//! Each field of a line is one sample. Its channel is the one whose profile names the
//! field in `line`; what no profile names is kept under a channel of its own, spelled
//! out, and decides nothing. A bad line costs only itself.
//!
//! ```text
//!   body ─▶ parse: lines, or why one is none ─▶ resolve: samples by the profile
//! ```

use std::borrow::Cow;

use model::{Channel, Timestamp};

use crate::{
    decimal::Decimal,
    limits::{LINE_FIELDS_MAX, LINE_LEN_MAX, LINE_TAGS_MAX, LINES_MAX},
};

mod read;
mod resolve;
#[cfg(test)]
mod tests;
mod write;

pub use resolve::{Resolved, resolve};
pub use write::write;

/// The tag that names the device; a device may leave it out.
pub const DEVICE_TAG: &str = "device";

/// One line, taken apart; names and values are without their escapes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line<'a> {
    /// Its place in the body, from 1.
    pub number: usize,
    /// The line as it came, without its end.
    pub raw: &'a [u8],
    /// What was measured, in the sender's words.
    pub measurement: Cow<'a, str>,
    /// Names and values, in the order of the line.
    pub tags: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    /// Names and values, in the order of the line; at least one.
    pub fields: Vec<(Cow<'a, str>, Value<'a>)>,
    /// Since 1970, in the precision of the request.
    pub time: Option<i64>,
}

/// The value of a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    /// A float or an integer, exactly as it was sent.
    Number(Decimal),
    /// What stands where a number is expected and cannot be kept as one, such as `NaN`.
    NotANumber(&'a str),
    /// A truth value.
    Bool(bool),
    /// A text.
    Text(Cow<'a, str>),
}

/// A line that is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadLine<'a> {
    /// Its place in the body, from 1.
    pub number: usize,
    /// The line as it came, without its end.
    pub raw: &'a [u8],
    /// What is wrong with it.
    pub why: LineError,
}

/// What is wrong with a line; the words are short and hold nothing of the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it all")]
pub enum LineError {
    #[error("the line is not UTF-8")]
    NotText,
    #[error("the line is longer than {LINE_LEN_MAX} bytes")]
    TooLong,
    #[error("missing measurement")]
    NoMeasurement,
    #[error("missing fields")]
    NoFields,
    #[error("missing tag value")]
    NoTagValue,
    #[error("missing tag key")]
    NoTagKey,
    #[error("missing field value")]
    NoFieldValue,
    #[error("missing field key")]
    NoFieldKey,
    #[error(
        "invalid field value; use a number, an integer with `i` or `u`, true, false or a text in quotes"
    )]
    FieldValue,
    #[error("unbalanced quotes")]
    Quotes,
    #[error("a tag stands twice")]
    TagTwice,
    #[error("more than {LINE_TAGS_MAX} tags")]
    TooManyTags,
    #[error("more than {LINE_FIELDS_MAX} fields")]
    TooManyFields,
    #[error("bad timestamp; a whole number in the precision of the request is expected")]
    Time,
    #[error("the timestamp is outside of the years 1677 to 2262")]
    TimeRange,
    #[error(
        "the names of the line make a channel of more than {} bytes",
        crate::limits::SERIES_LEN_MAX
    )]
    SeriesTooLong,
    #[error("the body has more than {LINES_MAX} lines")]
    TooManyLines,
    #[error("the tag `device` names neither this device nor one that is bound to it")]
    NotYours,
}

impl LineError {
    /// A short stable word for the reason, for dead letters and counters.
    pub const fn word(self) -> &'static str {
        match self {
            Self::NotText => "utf8",
            Self::TooLong => "len",
            Self::NoMeasurement => "measurement",
            Self::NoFields | Self::NoFieldValue | Self::NoFieldKey => "fields",
            Self::NoTagValue | Self::NoTagKey | Self::TagTwice => "tags",
            Self::FieldValue => "value",
            Self::Quotes => "quotes",
            Self::TooManyTags | Self::TooManyFields | Self::TooManyLines => "count",
            Self::Time | Self::TimeRange => "time",
            Self::SeriesTooLong => "series",
            Self::NotYours => "not_yours",
        }
    }
}

/// What a timestamp counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names say it all")]
pub enum Precision {
    Nanoseconds,
    Microseconds,
    Milliseconds,
    Seconds,
    Minutes,
    Hours,
}

impl Precision {
    /// As clients spell it; `u`, `n`, `m` and `h` are those of version 1.
    pub fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "n" | "ns" => Self::Nanoseconds,
            "u" | "us" | "µ" | "µs" => Self::Microseconds,
            "ms" => Self::Milliseconds,
            "s" => Self::Seconds,
            "m" => Self::Minutes,
            "h" => Self::Hours,
            _ => return None,
        })
    }

    const fn nanos(self) -> i64 {
        match self {
            Self::Nanoseconds => 1,
            Self::Microseconds => 1_000,
            Self::Milliseconds => 1_000_000,
            Self::Seconds => 1_000_000_000,
            Self::Minutes => 60_000_000_000,
            Self::Hours => 3_600_000_000_000,
        }
    }

    /// The instant that a number means; `None` outside of what nanoseconds can say.
    pub fn instant(self, time: i64) -> Option<Timestamp> {
        time.checked_mul(self.nanos()).map(Timestamp::from_unix_nanos)
    }
}

/// Takes a body apart; comments and empty lines are passed over.
///
/// A body with more than [`LINES_MAX`] lines ends with one bad line that is the rest.
pub fn parse(body: &[u8]) -> impl Iterator<Item = Result<Line<'_>, BadLine<'_>>> {
    read::Lines::new(body)
}

impl<'a> Line<'a> {
    /// The value of a tag.
    pub fn tag(&self, name: &str) -> Option<&str> {
        self.tags.iter().find(|(tag, _)| tag == name).map(|(_, value)| &**value)
    }

    /// The line as one that is refused.
    pub const fn refused(&self, why: LineError) -> BadLine<'a> {
        BadLine { number: self.number, raw: self.raw, why }
    }
}

/// The channel of a field that no profile names.
fn spelled_out(line: &Line<'_>, field: &str, tags: &[&str]) -> Channel {
    let mut name = format!("{}.{field}", line.measurement);
    for (tag, value) in &line.tags {
        if !tags.contains(&&**tag) {
            name.push(';');
            name.push_str(tag);
            name.push('=');
            name.push_str(value);
        }
    }
    Channel::from(name.as_str())
}
