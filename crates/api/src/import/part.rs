//! A part of an import as it travels: values and stretches of waveforms of one device, with
//! where in the file they stand left to whoever sends it.

use model::MissingReason;
use protocols::senml;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What a file is, said once before its parts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ImportSource)]
pub struct Source {
    /// The file's name, without its folder.
    pub file: String,
    /// `csv`, `parquet`, `wfdb` or `edf`.
    pub form: String,
    /// SHA-256 of the file's bytes, in hexadecimal.
    pub sha256: String,
}

/// A part of a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ImportPart)]
pub struct Part {
    /// The import that was begun; none asks what would become of it, and changes nothing.
    #[serde(default)]
    pub import: Option<String>,
    /// The file that it is of.
    pub source: Source,
    /// Single values.
    #[serde(default)]
    pub values: Vec<Values>,
    /// Stretches of waveforms without a gap.
    #[serde(default)]
    pub waves: Vec<Wave>,
}

/// Single values of one channel in one unit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ImportValues)]
pub struct Values {
    /// The output of the device.
    pub channel: String,
    /// Such as `MDC 147842` or `LOINC 2339-0`; without it what the profile says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// Without it that of the profile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// The values, in any order.
    pub points: Vec<Point>,
}

/// One value, or why there is none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ImportPoint)]
pub struct Point {
    /// When it was measured, in nanoseconds since 1970.
    pub at_ns: i64,
    /// A decimal number with all of its digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// Why there is no value, such as `sensor-detached`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missing: Option<String>,
}

/// A stretch of a waveform without a gap.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ImportWave)]
pub struct Wave {
    /// The output of the device.
    pub channel: String,
    /// Such as `MDC 131330`; without it what the profile says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// Without it that of the profile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// The time of the first sample, in nanoseconds since 1970.
    pub at_ns: i64,
    /// Samples a second, as numerator and denominator.
    pub rate_hz: (u32, u32),
    /// What one count is worth, as a decimal number.
    pub gain: String,
    /// Subtracted from a count before the gain is applied.
    pub offset: i32,
    /// The counts.
    pub samples: Vec<i32>,
    /// Samples that are there and mean nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub doubts: Vec<Doubt>,
}

/// Samples of a stretch without a signal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ImportDoubt)]
pub struct Doubt {
    /// The first of them, by its place in the stretch.
    pub start: u32,
    /// How many.
    pub len: u32,
    /// `sensor-detached`, `out-of-range`, `poor-signal` or `not-measured`.
    pub reason: String,
}

/// What became of a part, or would become of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = ImportPartTaken)]
pub struct PartTaken {
    /// How much of it.
    pub counts: Counts,
    /// What was refused, in the order of the part.
    pub refused: Vec<Refused>,
}

/// How much was taken in, was there already, or was refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
#[schema(as = ImportCounts)]
pub struct Counts {
    /// Values that are new.
    pub values_taken: u64,
    /// Values that are there with the same time, or that a person had withdrawn.
    pub values_there: u64,
    /// Values that were refused.
    pub values_refused: u64,
    /// Samples of waveforms that are new.
    pub samples_taken: u64,
    /// Samples that are there with the same time.
    pub samples_there: u64,
    /// Samples that were refused.
    pub samples_refused: u64,
}

/// Something of a part that is not taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = ImportRefused)]
pub struct Refused {
    /// Whether it stands among the waveforms of the part, else among its values.
    pub is_wave: bool,
    /// Its place in `values` or `waves`.
    pub place: usize,
    /// The value's place in `points`; none means all of them, or the stretch.
    pub point: Option<usize>,
    /// Why, for people.
    pub why: String,
}

/// The reason that a word of a file names. Unlike a device's word it may be that a person
/// withdrew what was measured, as exports of our own say.
pub(super) fn reason_of(word: &str) -> Option<MissingReason> {
    let withdrawn = MissingReason::Withdrawn;
    senml::reason_of(word).or_else(|| (word == senml::word_of(withdrawn)).then_some(withdrawn))
}

impl Counts {
    /// Adds those of another part.
    pub fn add(&mut self, other: &Self) {
        for (own, more) in [
            (&mut self.values_taken, other.values_taken),
            (&mut self.values_there, other.values_there),
            (&mut self.values_refused, other.values_refused),
            (&mut self.samples_taken, other.samples_taken),
            (&mut self.samples_there, other.samples_there),
            (&mut self.samples_refused, other.samples_refused),
        ] {
            *own = own.saturating_add(more);
        }
    }
}
