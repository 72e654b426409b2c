//! What a person observes at the bedside and writes down.

use crate::{PatientId, Redacted, Timestamp};

/// ACVPU, as NEWS2 asks it (RCP 2017, chart 1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the chart's own words")]
pub enum Consciousness {
    Alert,
    NewConfusion,
    Voice,
    Pain,
    Unresponsive,
}

/// How a patient breathes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Oxygen {
    /// Room air.
    Air,
    /// Added oxygen; the flow in thousandths of a litre a minute, if known.
    Added {
        /// Thousandths of L/min.
        flow_ml_per_min: Option<u32>,
        /// What delivers it.
        by: OxygenDevice,
    },
}

/// What delivers added oxygen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names say it all")]
pub enum OxygenDevice {
    NasalCannula,
    SimpleMask,
    VenturiMask,
    ReservoirMask,
    HighFlow,
    Cpap,
    Other,
}

/// How a patient says they feel, against the day before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the patient's own words")]
pub enum Feeling {
    Better,
    Same,
    BitWorse,
    MuchWorse,
}

/// One act of charting; at least one of the observations is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Charting {
    /// About whom.
    pub patient: PatientId,
    /// When it was observed; may lie before the moment of writing.
    pub observed_at: Timestamp,
    /// How awake.
    pub consciousness: Option<Consciousness>,
    /// Air or oxygen.
    pub oxygen: Option<Oxygen>,
    /// Breaths counted, per minute.
    pub breaths_per_min: Option<u16>,
    /// Words beside it.
    pub note: Redacted<String>,
    /// How the patient says they feel; only they can say it.
    pub feeling: Option<Feeling>,
}

/// What a patient is to take next, as somebody who looks after them wrote it down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NextDose {
    /// Who takes it.
    pub patient: PatientId,
    /// When.
    pub due_at: Timestamp,
    /// What, in words that the patient reads too.
    pub words: Redacted<String>,
}
