//! SenML (RFC 8428) in JSON and CBOR: a pack becomes raw samples and notes.
//!
//! A bad record costs only itself: it becomes a sample without a value, with the
//! bytes that were refused and a note. Only a pack that cannot be taken apart, or
//! that forbids it, is refused whole.

use model::{Channel, MissingReason, Sample, Timestamp};

use self::item::{Item, Record};
use crate::{limits, passed_on::instant, profile::Profile};

mod cbor;
mod encode;
mod item;
mod json;
mod plain;
mod resolve;
mod source;
#[cfg(test)]
mod tests;

pub(crate) use json::Fields;

pub use encode::{Outgoing, OutgoingSample, encode_cbor, encode_json};
pub use source::base_name;

/// The media type of a pack in JSON.
pub const JSON: &str = "application/senml+json";
/// The media type of a pack in CBOR.
pub const CBOR: &str = "application/senml+cbor";
/// The channel of a sample whose name could not be read.
pub const UNNAMED: &str = "unnamed";

/// Everything that one message said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pack {
    /// Whom the base name claims to be the source, such as `urn:dev:mac:0024befffe804ff1`.
    pub source: Option<String>,
    /// The boot id (`wl:boot`).
    pub boot: Option<u64>,
    /// The message's place in the device's count (`wl:seq`).
    pub seq: Option<u64>,
    /// The device's own time at sending (`wl:now`); also known if all its times are «ago».
    pub device_now: Option<Timestamp>,
    /// The time of the first sample by the device's clock, or of receipt if there is none.
    pub base_at: Timestamp,
    /// One entry for each record that is not about the message itself, in order.
    pub samples: Vec<RawSample>,
    /// What was found beside the samples.
    pub notes: Vec<Note>,
}

/// One record of a pack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawSample {
    /// The output of the device.
    pub channel: Channel,
    /// Its time by the device's clock.
    pub device_at: Timestamp,
    /// The value as sent, or why there is none.
    pub sample: Sample,
    /// The bytes of a value or record that was refused.
    pub refused: Option<Vec<u8>>,
}

/// A finding that does not stop the message; it holds no values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// The index of the record in the pack, from 0.
    pub record: usize,
    /// The output, or [`UNNAMED`].
    pub channel: Channel,
    /// What was found.
    pub finding: Finding,
}

/// What was found in one record.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it all")]
pub enum Finding {
    #[error("the profile has no such channel; the value is kept and decides nothing")]
    UnmappedChannel,
    #[error("the profile does not know unit `{unit}` here; the value is kept and decides nothing")]
    UnmappedUnit { unit: String },
    #[error("the profile does not know reason `{reason}`; the value is missing")]
    UnmappedReason { reason: String },
    #[error("the value is not between {min} and {max} {unit}")]
    OutOfRange { min: i64, max: i64, unit: String },
    #[error("the value is not a number that can be kept exactly")]
    NotANumber,
    #[error("the channel gives numbers, and this is none")]
    NotNumeric,
    #[error("{what}")]
    Malformed { what: &'static str },
}

impl Finding {
    /// Whether the value is kept although nobody knows what it means.
    pub const fn is_unmapped(&self) -> bool {
        matches!(
            self,
            Self::UnmappedChannel | Self::UnmappedUnit { .. } | Self::UnmappedReason { .. }
        )
    }
}

/// Why a pack is refused whole.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it all")]
pub enum SenmlError {
    #[error("a pack of {len} bytes is longer than {} bytes", limits::PAYLOAD_LEN_MAX)]
    TooLong { len: usize },
    #[error("a pack has at most {} records", limits::RECORDS_MAX)]
    TooMany,
    #[error("a pack is at most {} lists and maps deep", limits::DEPTH_MAX)]
    TooDeep,
    #[error(
        "content type `{found}` is none of application/senml+json, application/senml+cbor, application/sensml+json, application/sensml+cbor"
    )]
    ContentType { found: String },
    #[error("the pack is not JSON: {what}")]
    Json { what: String },
    #[error("the pack is not CBOR: {what}")]
    Cbor { what: String },
    #[error("a pack is a list of records")]
    NotAList,
    #[error("label `{label}` must be understood and is not known")]
    NotUnderstood { label: String },
    #[error("version {found} of SenML is not known; this program reads up to 10")]
    Version { found: i64 },
    #[error("a pack speaks for one device, this one for `{first}` and `{second}`")]
    TwoSources { first: String, second: String },
}

impl SenmlError {
    /// A short stable word for the reason, for dead letters and counters.
    pub const fn field(&self) -> &'static str {
        match self {
            Self::TooLong { .. } => "len",
            Self::TooMany => "records",
            Self::TooDeep => "depth",
            Self::ContentType { .. } => "content_type",
            Self::Json { .. } => "json",
            Self::Cbor { .. } => "cbor",
            Self::NotAList => "list",
            Self::NotUnderstood { .. } => "label",
            Self::Version { .. } => "bver",
            Self::TwoSources { .. } => "bn",
        }
    }
}

/// Takes a pack apart by what the profile knows; `received_at` is «now» for relative times.
pub fn decode(
    profile: &Profile,
    content_type: Option<&str>,
    payload: &[u8],
    received_at: Timestamp,
) -> Result<Pack, SenmlError> {
    if payload.len() > limits::PAYLOAD_LEN_MAX {
        return Err(SenmlError::TooLong { len: payload.len() });
    }
    let mut pack = resolve::Resolver::new(profile, received_at);
    match Format::of(content_type, payload)? {
        Format::Json => json::each(payload, |record| pack.take(&record))?,
        Format::Cbor => cbor::each(payload, |record| pack.take(&record))?,
    }
    Ok(pack.finish())
}

/// When the gateway that passed a pack on had it, by its own clock (`wl:gateway_at`); `None`
/// if the pack does not say so, or is none.
pub(crate) fn gateway_at(payload: &[u8]) -> Option<Timestamp> {
    let mut found = None;
    let mut look = |record: Record<'_>| {
        if record.name.as_deref() == Some(GATEWAY_AT)
            && let Some((Item::Number(number), _)) = record.value
        {
            found = found.or_else(|| instant(number));
        }
        Ok(())
    };
    match Format::of(None, payload).ok()? {
        Format::Json => json::each(payload, &mut look).ok()?,
        Format::Cbor => cbor::each(payload, &mut look).ok()?,
    }
    found
}

/// The name of the record that says it.
const GATEWAY_AT: &str = "wl:gateway_at";

enum Format {
    Json,
    Cbor,
}

impl Format {
    fn of(content_type: Option<&str>, payload: &[u8]) -> Result<Self, SenmlError> {
        let Some(found) = content_type else {
            let first = payload.iter().find(|byte| !byte.is_ascii_whitespace());
            return Ok(if first == Some(&b'[') { Self::Json } else { Self::Cbor });
        };
        let essence = found.split(';').next().unwrap_or_default().trim();
        let is = |known: [&str; 2]| known.iter().any(|known| essence.eq_ignore_ascii_case(known));
        if is([JSON, "application/sensml+json"]) {
            Ok(Self::Json)
        } else if is([CBOR, "application/sensml+cbor"]) {
            Ok(Self::Cbor)
        } else {
            Err(SenmlError::ContentType { found: found.chars().take(80).collect() })
        }
    }
}

/// Reasons as they are spelled in `vs:"absent:<reason>"`.
const REASONS: [(&str, MissingReason); 8] = [
    ("sensor-detached", MissingReason::SensorDetached),
    ("device-fault", MissingReason::DeviceFault),
    ("implausible", MissingReason::Implausible),
    ("out-of-range", MissingReason::OutOfRange),
    ("poor-signal", MissingReason::PoorSignal),
    ("warming-up", MissingReason::WarmingUp),
    ("not-measured", MissingReason::NotMeasured),
    ("unknown", MissingReason::Unknown),
];

/// How files that we write spell what no device can say.
const WITHDRAWN: &str = "withdrawn";

/// The reason of this spelling.
pub fn reason_of(word: &str) -> Option<MissingReason> {
    REASONS.iter().find(|(spelling, _)| *spelling == word).map(|(_, reason)| *reason)
}

/// How a reason is spelled on the wire.
pub fn word_of(reason: MissingReason) -> &'static str {
    if reason == MissingReason::Withdrawn {
        return WITHDRAWN;
    }
    REASONS.iter().find(|(_, known)| *known == reason).map_or("unknown", |(word, _)| word)
}
