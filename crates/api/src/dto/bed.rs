//! The ward board on a screen.

use engine::{Directory, view};
use model::{CareUnitId, DeviceId, PatientId, StaffId, Timestamp};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    alarm::{Alarm, Person},
    news::News2,
    numeric::Numeric,
    patient::Wave,
    words::{Spelt as _, age_years, time},
};

/// All beds of a care unit at one instant.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Board {
    care_unit: Named,
    beds: Vec<BoardBed>,
    charge: Option<Person>,
    /// Standing alarms that belong to no bed.
    alarms: Vec<Alarm>,
    /// Devices of the care unit that are still on patients who left.
    still_on: Vec<StillOn>,
    counts: Counts,
    /// How many pages were opened in an emergency, of which this care unit is told and at whose
    /// reason nobody has looked.
    to_review: usize,
    recording: bool,
    cursor: String,
    now: String,
}

/// A thing with its name.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Named {
    pub(crate) id: String,
    pub(crate) name: String,
}

/// A device on somebody who left every bed: what it measures is theirs until it is taken off.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct StillOn {
    device: Named,
    patient: Named,
}

impl StillOn {
    /// Those of a care unit, by what people call the devices.
    pub(crate) fn of_unit(directory: &Directory, unit: CareUnitId, now: Timestamp) -> Vec<Self> {
        Self::named(directory, directory.still_on(unit, now))
    }

    /// These devices on these patients, by what people call the devices.
    pub(crate) fn named(directory: &Directory, pairs: Vec<(DeviceId, PatientId)>) -> Vec<Self> {
        let one = |(device, patient): (DeviceId, PatientId)| {
            let (it, whom) = (directory.devices.get(&device)?, directory.patients.get(&patient)?);
            let name = format!("{} {}", whom.given_name.0, whom.family_name.0).trim().to_owned();
            Some(Self {
                device: Named { id: device.to_string(), name: it.label.clone() },
                patient: Named { id: patient.to_string(), name },
            })
        };
        let mut all: Vec<Self> = pairs.into_iter().filter_map(one).collect();
        all.sort_by(|a, b| (&a.device.name, &a.device.id).cmp(&(&b.device.name, &b.device.id)));
        all
    }
}

/// Standing alarms by priority.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub struct Counts {
    high: u32,
    medium: u32,
    low: u32,
}

/// One bed sector.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct BoardBed {
    bed: String,
    name: String,
    room: String,
    patient: Option<BoardPatient>,
    nurse: Option<Person>,
    news2: Option<News2>,
    numerics: Vec<Numeric>,
    wave: Option<Wave>,
    alarms: Vec<Alarm>,
    devices: Vec<String>,
    silent_since: Option<String>,
}

/// The patient of a sector.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct BoardPatient {
    id: String,
    name: String,
    age_years: Option<i16>,
    sex: &'static str,
    here_for: String,
}

impl Board {
    /// The board as this member of staff sees it.
    pub(crate) fn of(it: &view::Board, directory: &Directory, me: Option<StaffId>) -> Self {
        let view::Counts { high, medium, low } = it.counts;
        Self {
            care_unit: Named { id: it.care_unit.to_string(), name: it.name.clone() },
            beds: it.beds.iter().map(|bed| BoardBed::of(bed, directory, me, it.now)).collect(),
            charge: it.charge.map(|staff| Person::of(directory, staff)),
            alarms: it.alarms.iter().map(|alarm| Alarm::of(alarm, directory, me)).collect(),
            still_on: StillOn::of_unit(directory, it.care_unit, it.now),
            counts: Counts { high, medium, low },
            to_review: directory.to_review(it.care_unit),
            recording: it.recording.is_on(),
            cursor: it.cursor.to_string(),
            now: time(it.now),
        }
    }
}

impl BoardBed {
    /// The sector as this member of staff sees it.
    pub(crate) fn of(
        it: &view::BoardBed,
        directory: &Directory,
        me: Option<StaffId>,
        now: Timestamp,
    ) -> Self {
        let patient = |patient: &model::Patient| BoardPatient {
            id: patient.id.to_string(),
            name: format!("{} {}", patient.given_name.0, patient.family_name.0),
            age_years: patient.birth_date.as_ref().and_then(|born| age_years(born.0, now)),
            sex: patient.sex.word(),
            here_for: patient.here_for.0.clone(),
        };
        Self {
            bed: it.bed.to_string(),
            name: it.name.clone(),
            room: it.room.clone(),
            patient: it.patient.as_deref().map(patient),
            nurse: it.nurse.map(|staff| Person::of(directory, staff)),
            news2: it.news2.as_ref().map(|news| News2::at(news, now)),
            numerics: it.numerics.iter().map(|numeric| Numeric::at(numeric, now)).collect(),
            wave: it.wave.as_ref().map(Wave::of),
            alarms: it.alarms.iter().map(|alarm| Alarm::of(alarm, directory, me)).collect(),
            devices: it.devices.iter().map(ToString::to_string).collect(),
            silent_since: it.silent_since.map(time),
        }
    }
}
