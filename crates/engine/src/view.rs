//! What screens are told: plain values that say what they show and how old it is.
//!
//! **Absent on purpose:** a wire format (the API owns its own) and anything that
//! depends on who is looking; times stay instants, so that a page can age them.

use std::{fmt, str::FromStr, sync::Arc};

use ::record::Actor;
use care::limit::Layer;
use model::{
    AgeBand, BedId, CareUnitId, Charting, DeviceId, LimitSet, MissingReason, OrgId, Patient,
    PatientId, SiteId, StaffId, Timestamp, Vital,
};

mod alarm;
mod news;
mod numeric;
mod report;
mod wave;

pub use alarm::{Alarm, AlarmEnd, AlarmPhase, AlarmScope, Told, ToldAs};
pub use news::{News2, News2Input, News2Part, PartState, Risk, Trend};
pub use numeric::{Direction, Freshness, Grade, Numeric};
pub use report::{DeviceReport, DoorUsed, EventSeen};
pub use wave::{Wave, WaveChannel, WaveSpanMark};

/// How far a view or a delta has come; a feed that starts from it misses and doubles nothing.
///
/// Cursors of an earlier start of the program are older than all of this one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cursor(pub u64);

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}", self.0)
    }
}

impl FromStr for Cursor {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        u64::from_str_radix(text, 16).map(Self)
    }
}

/// Whether what comes in reaches the disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names say it all")]
pub enum Recording {
    #[default]
    Yes,
    DiskFull,
    DiskFault,
}

impl Recording {
    /// Whether it does.
    pub const fn is_on(self) -> bool {
        matches!(self, Self::Yes)
    }
}

/// All beds of a care unit at one instant.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "the names say it all")]
pub struct Board {
    pub org: OrgId,
    pub site: SiteId,
    pub care_unit: CareUnitId,
    pub name: String,
    /// In the order of their names.
    pub beds: Vec<BoardBed>,
    pub charge: Option<StaffId>,
    /// Standing alarms of the care unit that belong to no bed.
    pub alarms: Vec<Alarm>,
    pub counts: Counts,
    pub recording: Recording,
    pub cursor: Cursor,
    pub now: Timestamp,
}

/// Standing alarms by priority; acknowledged ones count too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names say it all")]
pub struct Counts {
    pub high: u32,
    pub medium: u32,
    pub low: u32,
}

/// One bed with everything that its sector shows.
#[derive(Clone, Debug, PartialEq)]
pub struct BoardBed {
    /// Which bed.
    pub bed: BedId,
    /// What hangs above it.
    pub name: String,
    /// The name of its room.
    pub room: String,
    /// Who lies in it.
    pub patient: Option<Arc<Patient>>,
    /// The nurse of the bed.
    pub nurse: Option<StaffId>,
    /// The score of the patient.
    pub news2: Option<News2>,
    /// Heart rate, saturation, respiratory rate, systolic and diastolic pressure, where they are or were.
    pub numerics: Vec<Numeric>,
    /// The trace that the sector draws.
    pub wave: Option<WaveChannel>,
    /// Standing alarms, most urgent first.
    pub alarms: Vec<Alarm>,
    /// The devices on the patient.
    pub devices: Vec<DeviceId>,
    /// Since when no device of the patient says anything.
    pub silent_since: Option<Timestamp>,
}

/// One patient with everything but the past of the signals.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "the names say it all")]
pub struct PatientPage {
    pub patient: Arc<Patient>,
    pub bed: Option<BedId>,
    pub care_unit: Option<CareUnitId>,
    pub nurse: Option<StaffId>,
    pub charge: Option<StaffId>,
    pub devices: Vec<DeviceId>,
    pub numerics: Vec<Numeric>,
    pub waves: Vec<WaveChannel>,
    pub news2: News2,
    /// Standing alarms, most urgent first.
    pub alarms: Vec<Alarm>,
    /// The limits in force: those that a person set, else the defaults.
    pub limits: Vec<LimitInForce>,
    /// The newest first, at most twenty.
    pub charting: Vec<ChartingEntry>,
    pub recording: Recording,
    pub cursor: Cursor,
    pub now: Timestamp,
}

/// Limits that hold, and where they come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it all")]
pub struct LimitInForce {
    pub limits: LimitSet,
    pub layer: Layer,
    /// Of the patient.
    pub care_unit: Option<CareUnitId>,
    /// Of the patient.
    pub band: Option<AgeBand>,
    /// By whom and when, unless they are built in.
    pub set: Option<(Actor, Timestamp)>,
}

/// One act of charting, with who wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it all")]
pub struct ChartingEntry {
    pub charting: Arc<Charting>,
    pub by: Option<StaffId>,
    pub written_at: Timestamp,
}

/// What changed in a care unit since the delta before.
#[derive(Clone, Debug, PartialEq)]
pub struct Delta {
    /// The care unit.
    pub care_unit: CareUnitId,
    /// The place of this delta in the order of all.
    pub cursor: Cursor,
    /// The engine's instant.
    pub at: Timestamp,
    /// Numbers that changed, the newest of each patient and vital.
    pub numerics: Vec<BedNumeric>,
    /// Alarms that changed, whole, in the order of their changes.
    pub alarms: Vec<Alarm>,
    /// Beds whose patient, nurse or devices changed, whole.
    pub beds: Vec<BoardBed>,
    /// Scores that changed.
    pub news2: Vec<BedNews2>,
    /// Devices that said something about themselves, each whole.
    pub reports: Vec<DeviceReport>,
    /// The nurse in charge, if that changed; the inner value is nobody.
    pub charge: Option<Option<StaffId>>,
    /// When the newest cause of all this was measured and received.
    pub sent: Option<Sent>,
    /// Whether the journal records.
    pub recording: Recording,
}

/// The times of the newest cause of a delta.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it all")]
pub struct Sent {
    pub device_at: Timestamp,
    pub received_at: Timestamp,
}

/// A number and where it belongs.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "the names say it all")]
pub struct BedNumeric {
    pub patient: PatientId,
    pub bed: Option<BedId>,
    pub numeric: Numeric,
}

/// A score and where it belongs.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "the names say it all")]
pub struct BedNews2 {
    pub patient: PatientId,
    pub bed: Option<BedId>,
    pub news2: News2,
}

impl Delta {
    /// A delta in which nothing changed yet.
    pub(crate) fn empty(care_unit: CareUnitId, at: Timestamp, recording: Recording) -> Self {
        Self {
            care_unit,
            cursor: Cursor::default(),
            at,
            numerics: Vec::new(),
            alarms: Vec::new(),
            beds: Vec::new(),
            news2: Vec::new(),
            reports: Vec::new(),
            charge: None,
            sent: None,
            recording,
        }
    }
}

/// The watchdog's heartbeat, which travelled the whole way from a device through the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it all")]
pub struct Beat {
    pub site: SiteId,
    pub now: Timestamp,
    pub seq: u64,
    pub device_at: Timestamp,
    pub received_at: Timestamp,
    pub recording: Recording,
}

/// Text of a vital as wards print it: whole numbers, temperature with one decimal.
pub fn text_of(vital: Vital, thousandths: i64) -> String {
    match vital {
        Vital::Temperature => {
            let tenths = thousandths.saturating_add(50).div_euclid(100);
            format!("{}.{}", tenths.div_euclid(10), tenths.rem_euclid(10))
        }
        Vital::BatteryLevel
        | Vital::DiastolicPressure
        | Vital::Glucose
        | Vital::HeartRate
        | Vital::MeanPressure
        | Vital::PulseRate
        | Vital::RespiratoryRate
        | Vital::Saturation
        | Vital::SystolicPressure => thousandths.saturating_add(500).div_euclid(1_000).to_string(),
    }
}

/// Why a number is not there, in a nurse's words for that vital.
pub fn missing_words(vital: Vital, reason: MissingReason) -> &'static str {
    match (vital, reason) {
        (Vital::Saturation | Vital::PulseRate, MissingReason::SensorDetached) => "probe off",
        (Vital::HeartRate, MissingReason::SensorDetached) => "leads off",
        (_, MissingReason::SensorDetached) => "sensor off",
        (_, MissingReason::DeviceFault) => "device fault",
        (_, MissingReason::Implausible) => "implausible value",
        (_, MissingReason::OutOfRange) => "out of range",
        (_, MissingReason::PoorSignal) => "poor signal",
        (_, MissingReason::WarmingUp) => "warming up",
        (_, MissingReason::NotMeasured) => "not measured",
        (_, MissingReason::Unknown) => "no reason given",
        (_, MissingReason::Withdrawn) => "withdrawn by a person",
    }
}

#[test]
fn a_number_is_printed_as_the_ward_reads_it() {
    assert_eq!(text_of(Vital::HeartRate, 118_400), "118");
    assert_eq!(text_of(Vital::HeartRate, 118_500), "119");
    assert_eq!(text_of(Vital::Temperature, 36_850), "36.9");
    assert_eq!(text_of(Vital::Temperature, 39_000), "39.0");
    assert_eq!(missing_words(Vital::Saturation, MissingReason::SensorDetached), "probe off");
}

#[test]
fn a_cursor_survives_its_text() {
    for cursor in [Cursor(0), Cursor(7), Cursor(u64::MAX)] {
        assert_eq!(cursor.to_string().parse(), Ok(cursor));
    }
    assert!("gone".parse::<Cursor>().is_err());
}
