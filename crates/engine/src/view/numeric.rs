//! One number with its unit, its time, its source and how far it may be trusted.

use model::{AlarmId, ClockUsed, DeviceId, MissingReason, Timestamp, Vital};

/// How a device was built: only medical grade may decide on its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the names say it all")]
pub enum Grade {
    Wellness,
    Medical,
}

/// How current a number is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Freshness {
    /// It comes as often as its device sends.
    Live,
    /// The next one is overdue; the page says its age.
    Ageing,
    /// The device says that there is none, and why.
    Missing,
    /// Too old to stand for the patient's state.
    Out,
}

/// On which side of a limit a number stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names say it all")]
pub enum Direction {
    Up,
    Down,
}

/// The latest of one vital of one patient.
#[derive(Clone, Debug, PartialEq)]
pub struct Numeric {
    /// Which vital.
    pub vital: Vital,
    /// In thousandths of the vital's own unit; `None` if there is none.
    pub thousandths: Option<i64>,
    /// As wards print it; empty if there is none.
    pub text: String,
    /// Why there is none.
    pub missing: Option<MissingReason>,
    /// When the body was measured, by the best estimate.
    pub taken_at: Timestamp,
    /// When it reached us.
    pub received_at: Timestamp,
    /// What measured it.
    pub device: DeviceId,
    /// How that device was built.
    pub grade: Grade,
    /// How current it is at the view's instant.
    pub state: Freshness,
    /// The low limit in force, in thousandths.
    pub low_thousandths: Option<i64>,
    /// The high limit in force, in thousandths.
    pub high_thousandths: Option<i64>,
    /// Beyond which limit it stands.
    pub direction: Option<Direction>,
    /// The standing alarm about it.
    pub alarm: Option<AlarmId>,
    /// The priority of that alarm.
    pub alarm_priority: Option<model::Priority>,
    /// Whose clock `taken_at` is from.
    pub clock: ClockUsed,
    /// Derived here from the ECG's beats, as no device gives a heart rate.
    pub from_beats: bool,
}
