//! What a person says of readings that are stored: that they do not count, or what they were.

use crate::{Channel, CorrectionId, DeviceId, OrgId, Redacted, Timestamp, Ucum};

/// Why a person corrected a reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names say it all")]
pub enum CorrectionReason {
    WrongPatient,
    SensorOff,
    Artefact,
    Mistyped,
    /// The words say it.
    Other,
}

/// What a correction does.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Amendment {
    /// What was measured in the span does not count, also what of it comes later.
    Withdraw,
    /// The reading of one instant counts as this; only one that came in the same unit.
    Replace {
        /// The digits.
        mantissa: i64,
        /// The power of ten that they are multiplied by.
        exp10: i8,
        /// The unit in which the reading came.
        ucum: Ucum,
    },
    /// An earlier correction does not hold any more; one that takes another back is final.
    Undo(CorrectionId),
}

/// A correction of what one channel of a device measured; what was received stays as it is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Correction {
    /// Names it.
    pub id: CorrectionId,
    /// Whose data it is.
    pub org: OrgId,
    /// Which device measured.
    pub device: DeviceId,
    /// Its output.
    pub channel: Channel,
    /// The first instant.
    pub from: Timestamp,
    /// The first instant after it.
    pub to: Timestamp,
    /// What it does.
    pub amendment: Amendment,
    /// Why, from a short list.
    pub why: CorrectionReason,
    /// And in words, if there are any.
    pub words: Redacted<String>,
}
