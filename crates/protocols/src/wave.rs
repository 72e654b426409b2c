//! Waveform blocks in CBOR (protocols §1.4): one map, checked field by field, so
//! that the answer names what was wrong.
//!
//! **Absent on purpose:** interpolation. A gap stays a gap, a doubtful sample says so.

use model::{DeviceId, Timestamp};

use crate::limits;

mod decode;
mod encode;
mod samples;
#[cfg(test)]
mod tests;

pub use samples::{Counts, Raws};

/// The media type of a block.
pub const MEDIA_TYPE: &str = "application/vnd.wardline.wave+cbor;v=1";

/// A block of samples; texts and samples stay in the payload that they came in.
#[derive(Clone, Debug, PartialEq)]
pub struct Block<'a> {
    /// Which device measured (key 1).
    pub device: DeviceId,
    /// The output, such as `MDC_ECG_ELEC_POTL_II` (key 2).
    pub channel: &'a str,
    /// Where the electrodes sit (key 3).
    pub lead: Option<&'a str>,
    /// The block's place since boot, from 0 (key 4).
    pub seq: u64,
    /// The boot id (key 5).
    pub boot: u64,
    /// The first sample's time by the device's clock (key 6).
    pub t0: Timestamp,
    /// What that clock counts from (key 7).
    pub epoch: Epoch,
    /// Samples in a second, as numerator and denominator (key 8).
    pub rate_hz: (u32, u32),
    /// How many samples (key 9).
    pub count: u32,
    /// What one count is worth, as mantissa and power of ten of the unit (key 10).
    pub gain: (i64, i8),
    /// The count that means zero (key 11).
    pub offset: i32,
    /// The unit in UCUM (key 12).
    pub unit: &'a str,
    /// Bits of one sample (key 13).
    pub bits: u8,
    /// How samples are packed (key 14).
    pub encoding: Encoding,
    /// The packed samples (key 15).
    pub samples: &'a [u8],
    /// Where samples are doubtful (key 16).
    pub validity: Vec<Span>,
    /// What was filtered away, in the maker's words (key 17).
    pub filters: Option<&'a str>,
    /// What the device thinks of its clock (key 18).
    pub time_quality: Option<TimeQuality>,
    /// The device's own time at sending (key 20).
    pub now: Option<Timestamp>,
}

/// What a device's clock counts from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names say it all")]
pub enum Epoch {
    Utc,
    Uptime,
}

/// How samples are packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names say it all")]
pub enum Encoding {
    Int16Le,
    Int24Le,
    /// The difference to the sample before, zigzag, in bytes of seven bits.
    DeltaVarint,
    Float32Le,
}

/// Samples that are not what they seem.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Span {
    /// The first of them, counted from 0.
    pub start: u32,
    /// How many.
    pub len: u32,
    /// What is wrong with them.
    pub reason: Doubt,
}

/// What is wrong with samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names say it all")]
pub enum Doubt {
    LeadOff,
    Saturated,
    Artefact,
    Pacing,
    /// No value was taken.
    Gap,
}

/// What a device thinks of its own clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TimeQuality {
    /// Whether it follows another clock.
    pub synchronised: bool,
    /// How far it may be off, in nanoseconds.
    pub error_ns: u64,
}

/// Why bytes are not a block: the field, and what was wrong with it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("wave:{field}: {what}")]
pub struct WaveError {
    pub(crate) field: &'static str,
    pub(crate) what: String,
}

impl WaveError {
    /// The field's name; with `wave:` before it, the reason string of the answer.
    pub const fn field(&self) -> &'static str {
        self.field
    }

    fn new(field: &'static str, what: impl Into<String>) -> Self {
        Self { field, what: what.into() }
    }
}

/// Reads a block; every field is checked, and the samples against each other.
pub fn decode(payload: &[u8]) -> Result<Block<'_>, WaveError> {
    decode::decode(payload)
}

/// Reads what is left of a block without its samples; the checks of these are left out.
pub fn decode_head(payload: &[u8]) -> Result<Block<'_>, WaveError> {
    decode::decode_head(payload)
}

/// The block as deterministic CBOR (RFC 8949, section 4.2), its checksum computed.
pub fn encode(block: &Block<'_>) -> Vec<u8> {
    encode::encode(block)
}

/// Packs whole samples; a value beyond the encoding's width is held at its end.
pub fn pack(samples: &[i32], encoding: Encoding) -> Vec<u8> {
    samples::pack(samples, encoding)
}

impl Block<'_> {
    /// The samples as they were sent, before gain and offset; not finite where none was taken.
    pub fn raws(&self) -> Raws<'_> {
        Raws::new(self.samples, self.encoding, self.count)
    }

    /// The samples as counts with their own gain and offset.
    ///
    /// For whole samples these are the block's; floats are brought to the finest
    /// power of ten at which all fit, and samples that are none become gaps.
    pub fn counts(&self) -> Counts {
        Counts::of(self)
    }

    /// A raw sample in the block's unit.
    pub fn physical(&self, raw: f64) -> f64 {
        samples::physical(raw, self.offset, self.gain)
    }

    /// How long the block is, in nanoseconds.
    pub fn duration_ns(&self) -> u64 {
        let (numerator, denominator) = self.rate_hz;
        let nanos = u64::from(self.count)
            .saturating_mul(u64::from(denominator))
            .saturating_mul(1_000_000_000);
        nanos.checked_div(u64::from(numerator)).unwrap_or(u64::MAX)
    }
}

impl Encoding {
    /// Bytes of one sample, where all have the same.
    const fn width(self) -> Option<usize> {
        match self {
            Self::Int16Le => Some(2),
            Self::Int24Le => Some(3),
            Self::DeltaVarint => None,
            Self::Float32Le => Some(4),
        }
    }

    const fn bits_max(self) -> u8 {
        match self {
            Self::Int16Le => 16,
            Self::Int24Le => 24,
            Self::DeltaVarint | Self::Float32Le => 32,
        }
    }
}

/// Whether a block's samples take between 100 ms and 5 s.
fn is_long_enough(count: u32, rate_hz: (u32, u32)) -> bool {
    // At most 2^17 × 10^6 × 10^3, which fits.
    let span = u64::from(count).saturating_mul(u64::from(rate_hz.1)).saturating_mul(1_000);
    let of = |millis: u64| millis.saturating_mul(u64::from(rate_hz.0));
    (of(limits::BLOCK_MS_MIN)..=of(limits::BLOCK_MS_MAX)).contains(&span)
}
