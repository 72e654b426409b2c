//! A patient's page on a screen, and what a person charts and sets there.

use engine::{Directory, Layer, view};
use model::{LimitSide, Oxygen, StaffId, Timestamp};
use record::Actor;
use security::Who;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    alarm::{Alarm, Person},
    bed::Named,
    history::Covered,
    news::News2,
    numeric::Numeric,
    words::{Spelt as _, age_years, day, label, number, scale, time, unit},
};
use crate::rest::doses::Dose;

/// A person under care.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Patient {
    pub(crate) id: String,
    record_number: String,
    given_name: String,
    family_name: String,
    birth_date: Option<String>,
    age_years: Option<i16>,
    sex: &'static str,
    here_for: String,
    spo2_scale: u8,
    bed: Option<Named>,
    care_unit: Option<Named>,
}

impl Patient {
    /// The patient as known now.
    pub(crate) fn of(it: &model::Patient, directory: &Directory, now: Timestamp) -> Self {
        let bed = directory.bed_of(it.id).and_then(|bed| directory.beds.get(&bed));
        let unit = directory.care_unit_of(it.id).and_then(|unit| directory.care_units.get(&unit));
        Self {
            id: it.id.to_string(),
            record_number: it.record_number.0.clone(),
            given_name: it.given_name.0.clone(),
            family_name: it.family_name.0.clone(),
            birth_date: it.birth_date.as_ref().map(|born| day(born.0)),
            age_years: it.birth_date.as_ref().and_then(|born| age_years(born.0, now)),
            sex: it.sex.word(),
            here_for: it.here_for.0.clone(),
            spo2_scale: scale(it.spo2_scale),
            bed: bed.map(|bed| Named { id: bed.id.to_string(), name: bed.name.clone() }),
            care_unit: unit.map(|unit| Named { id: unit.id.to_string(), name: unit.name.clone() }),
        }
    }
}

/// A patient to be added.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPatient {
    pub(crate) record_number: String,
    pub(crate) given_name: String,
    pub(crate) family_name: String,
    /// Like `1955-03-31`.
    pub(crate) birth_date: Option<String>,
    /// `female`, `male`, `other` or `unknown`.
    pub(crate) sex: Option<String>,
    #[serde(default)]
    pub(crate) here_for: String,
}

/// A trace that can be drawn.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Wave {
    device: String,
    channel: String,
    lead: Option<String>,
    label: String,
    unit: String,
    rate_hz: f64,
    /// `ecg`, `spo2`, `resp` or `bp`.
    param: &'static str,
}

impl Wave {
    pub(crate) fn of(it: &view::WaveChannel) -> Self {
        Self {
            device: it.device.to_string(),
            channel: it.channel.to_string(),
            lead: it.lead.clone(),
            label: it.label.clone(),
            unit: it.unit.clone(),
            rate_hz: f64::from(it.rate_hz.0) / f64::from(it.rate_hz.1.max(1)),
            param: it.param,
        }
    }
}

/// One side of a limit.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Side {
    /// Breached beyond this.
    pub(crate) limit: f64,
    /// Over again from here.
    pub(crate) clears_at: f64,
    /// How long the breach must hold.
    pub(crate) delay_s: f64,
    /// `high`, `medium` or `low`.
    pub(crate) priority: String,
}

/// The limits of one vital.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Limits {
    vital: &'static str,
    label: &'static str,
    unit: &'static str,
    low: Option<Side>,
    high: Option<Side>,
    /// Nobody set them for this patient.
    is_default: bool,
    from: Provenance,
}

/// Where limits come from.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Provenance {
    /// `patient`, `age_band`, `care_unit` or `built_in`, the nearest first.
    layer: &'static str,
    /// The care unit whose limits they are.
    care_unit: Option<Named>,
    /// The ages that they are for.
    band: Option<&'static str>,
    /// Who set them.
    pub(crate) by: Option<String>,
    /// When they were set.
    pub(crate) at: Option<String>,
}

impl Provenance {
    fn of(it: &view::LimitInForce, directory: &Directory) -> Self {
        let is_of_unit = matches!(it.layer, Layer::AgeBand | Layer::CareUnit);
        let unit = it.care_unit.filter(|_| is_of_unit);
        let unit = unit.and_then(|unit| directory.care_units.get(&unit));
        Self {
            layer: match it.layer {
                Layer::Patient => "patient",
                Layer::AgeBand => "age_band",
                Layer::CareUnit => "care_unit",
                Layer::BuiltIn => "built_in",
            },
            care_unit: unit.map(|unit| Named { id: unit.id.to_string(), name: unit.name.clone() }),
            band: it.band.filter(|_| it.layer == Layer::AgeBand).map(|band| band.word()),
            by: it.set.map(|(by, _)| actor_name(by, directory)),
            at: it.set.map(|(_, at)| time(at)),
        }
    }
}

/// What somebody who set something is called.
pub(crate) fn actor_name(actor: Actor, directory: &Directory) -> String {
    match actor {
        Actor::User(user) => directory.users.get(&user).map_or_else(String::new, |user| {
            user.staff.map_or_else(|| user.login.clone(), |it| Person::of(directory, it).name)
        }),
        Actor::Device(device) => {
            directory.devices.get(&device).map_or_else(String::new, |it| it.label.clone())
        }
        Actor::System => "Wardline".to_owned(),
    }
}

impl Limits {
    pub(crate) fn of(it: &view::LimitInForce, directory: &Directory) -> Self {
        let side = |side: &LimitSide| Side {
            limit: number(side.limit_thousandths),
            clears_at: number(side.clears_at_thousandths),
            delay_s: side.delay.as_secs_f64(),
            priority: side.priority.word().to_owned(),
        };
        let vital = it.limits.vital;
        Self {
            vital: vital.word(),
            label: label(vital),
            unit: unit(vital),
            low: it.limits.low.as_ref().map(side),
            high: it.limits.high.as_ref().map(side),
            is_default: it.layer != Layer::Patient,
            from: Provenance::of(it, directory),
        }
    }
}

/// New limits of a vital. Both sides are said: null takes one away, leaving one out is refused.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetLimits {
    #[serde(deserialize_with = "Option::deserialize")]
    #[schema(required)]
    pub(crate) low: Option<Side>,
    #[serde(deserialize_with = "Option::deserialize")]
    #[schema(required)]
    pub(crate) high: Option<Side>,
}

/// The SpO₂ scale of NEWS2, an order.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetScale {
    /// 1 or 2.
    pub(crate) scale: u8,
}

/// What a person observed; at least one of the observations.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Chart {
    /// RFC 3339; now if it is left out.
    pub(crate) observed_at: Option<String>,
    /// `alert`, `new_confusion`, `voice`, `pain` or `unresponsive`.
    pub(crate) consciousness: Option<String>,
    pub(crate) oxygen: Option<ChartOxygen>,
    pub(crate) breaths_per_min: Option<u16>,
    #[serde(default)]
    pub(crate) note: String,
}

/// Air or oxygen.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum ChartOxygen {
    /// Room air.
    Air {},
    /// Added oxygen.
    Added {
        /// L/min, if known.
        flow_l_per_min: Option<f64>,
        /// What delivers it, such as `nasal_cannula`.
        by: String,
    },
}

/// What was charted.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Charted {
    observed_at: String,
    written_at: String,
    by: Option<Person>,
    consciousness: Option<&'static str>,
    oxygen: Option<ChartOxygen>,
    breaths_per_min: Option<u16>,
    /// What the patient says: `better`, `same`, `bit_worse` or `much_worse`.
    feeling: Option<&'static str>,
    note: String,
}

impl Charted {
    pub(crate) fn of(it: &view::ChartingEntry, directory: &Directory) -> Self {
        let charting = &it.charting;
        let oxygen = |oxygen: Oxygen| match oxygen {
            Oxygen::Air => ChartOxygen::Air {},
            Oxygen::Added { flow_ml_per_min, by } => ChartOxygen::Added {
                flow_l_per_min: flow_ml_per_min.map(|flow| f64::from(flow) / 1_000.0),
                by: by.word().to_owned(),
            },
        };
        Self {
            observed_at: time(charting.observed_at),
            written_at: time(it.written_at),
            by: it.by.map(|staff| Person::of(directory, staff)),
            consciousness: charting.consciousness.map(|it| it.word()),
            oxygen: charting.oxygen.map(oxygen),
            breaths_per_min: charting.breaths_per_min,
            feeling: charting.feeling.map(|it| it.word()),
            note: charting.note.0.clone(),
        }
    }
}

/// A device on a patient.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct WornDevice {
    id: String,
    label: String,
    profile: String,
}

/// One patient with everything but the past of the signals.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PatientPage {
    patient: Patient,
    bed: Option<Named>,
    /// Whether the patient lay in a bed before, and lies in none now.
    has_left: bool,
    care_unit: Option<Named>,
    nurse: Option<Person>,
    charge: Option<Person>,
    devices: Vec<WornDevice>,
    numerics: Vec<Numeric>,
    waves: Vec<Wave>,
    news2: News2,
    alarms: Vec<Alarm>,
    limits: Vec<Limits>,
    charting: Vec<Charted>,
    /// What the patient takes next; null where nobody planned it.
    next_dose: Option<Dose>,
    /// The names of those with whom the patient shares their own page.
    shared_with: Vec<String>,
    /// Until when the caller may read this page, if they opened it in an emergency.
    open_until: Option<String>,
    recording: bool,
    cursor: String,
    now: String,
}

impl PatientPage {
    /// The page as this member of staff sees it.
    pub(crate) fn of(it: &view::PatientPage, directory: &Directory, who: &Who) -> Self {
        let me = who.staff;
        let mut opened = directory.emergencies.values();
        let opened = opened.find(|access| {
            (access.by, access.access.patient) == (who.user, it.patient.id) && it.now < access.until
        });
        let worn = |id: &model::DeviceId| {
            let device = directory.devices.get(id)?;
            let (label, profile) = (device.label.clone(), device.profile.clone());
            Some(WornDevice { id: id.to_string(), label, profile })
        };
        let patient = Patient::of(&it.patient, directory, it.now);
        let person = |staff: Option<StaffId>| staff.map(|staff| Person::of(directory, staff));
        Self {
            bed: patient.bed.clone(),
            has_left: directory.has_left(it.patient.id),
            care_unit: patient.care_unit.clone(),
            patient,
            nurse: person(it.nurse),
            charge: person(it.charge),
            devices: it.devices.iter().filter_map(worn).collect(),
            numerics: it.numerics.iter().map(|numeric| Numeric::at(numeric, it.now)).collect(),
            waves: it.waves.iter().map(Wave::of).collect(),
            news2: News2::at(&it.news2, it.now),
            alarms: it.alarms.iter().map(|alarm| Alarm::of(alarm, directory, me)).collect(),
            limits: it.limits.iter().map(|it| Limits::of(it, directory)).collect(),
            charting: it.charting.iter().map(|entry| Charted::of(entry, directory)).collect(),
            next_dose: Dose::next(directory, it.patient.id),
            shared_with: directory
                .shares_of(it.patient.id, it.now)
                .map(|it| it.share.name.0.clone())
                .collect(),
            open_until: opened.map(|access| time(access.until)),
            recording: it.recording.is_on(),
            cursor: it.cursor.to_string(),
            now: time(it.now),
        }
    }
}

/// Trends of a patient over a range.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Trends {
    pub(crate) from: String,
    pub(crate) to: String,
    pub(crate) series: Vec<Trend>,
}

/// One vital over a range; extremes survive the thinning.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Trend {
    pub(crate) vital: &'static str,
    pub(crate) label: &'static str,
    pub(crate) unit: &'static str,
    /// `[unix milliseconds, value]`, in order of time.
    pub(crate) points: Vec<(i64, f64)>,
    /// Where there is nothing, and why: a reason as in `ReasonedGap`, or `no_device`; of very
    /// many the longest.
    pub(crate) gaps: Vec<Gap>,
    /// How much of what devices promised is there.
    pub(crate) covered: Covered,
    /// Points before thinning.
    pub(crate) count: usize,
}

/// A stretch without values.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Gap {
    pub(crate) from: String,
    pub(crate) to: String,
    pub(crate) reason: String,
}

/// Waveforms of a patient over a range.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Waves {
    pub(crate) channel: String,
    pub(crate) spans: Vec<WaveSpan>,
    pub(crate) gaps: Vec<Gap>,
}

/// A stretch of samples: `(sample − offset) × gain` of the unit.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct WaveSpan {
    pub(crate) start: String,
    pub(crate) rate_hz: f64,
    pub(crate) unit: String,
    pub(crate) gain: f64,
    pub(crate) offset: i32,
    pub(crate) samples: Vec<i32>,
}

/// Who lies in a bed.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PutPatient {
    /// Null empties the bed.
    pub(crate) patient: Option<String>,
    /// Who is meant to leave, where the bed is emptied: refused if somebody else lies there.
    pub(crate) leaves: Option<String>,
    /// RFC 3339; now if it is left out.
    pub(crate) from: Option<String>,
    /// Devices that come off whoever leaves the bed or moves into it, at that instant; one that
    /// was put on them after it comes off now.
    #[serde(default)]
    pub(crate) take_off: Vec<String>,
}

/// Who holds a post.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PutStaff {
    /// Null leaves the post empty.
    pub(crate) staff: Option<String>,
}
