//! What happened to a patient, one line an event.

use engine::Directory;
use model::{BedId, DeviceId, StaffId, Timestamp};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    alarm::{Alarm, Person},
    bed::Named,
    patient::Charted,
    words::time,
};

/// What happened to a patient in a stretch of time, the latest first.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Timeline {
    pub(crate) from: String,
    pub(crate) to: String,
    pub(crate) items: Vec<TimelineEvent>,
    /// More happened than one answer holds; ask again with `to` as the time of the last.
    pub(crate) more: bool,
}

/// One thing that happened.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct TimelineEvent {
    pub(crate) at: String,
    /// `alarm`, `charted`, `device` or `place`.
    pub(crate) kind: &'static str,
    /// `raised`, `ended`, `charted`, `put_on`, `taken_off`, `came`, `left` or `nurse`.
    pub(crate) what: &'static str,
    /// Of an alarm.
    pub(crate) alarm: Option<Alarm>,
    /// Of an act of charting.
    pub(crate) charted: Option<Charted>,
    /// Put on or taken off.
    pub(crate) device: Option<Named>,
    /// Come to or left, or whose nurse changed.
    pub(crate) bed: Option<Named>,
    /// Who has the bed from then on; null is nobody.
    pub(crate) nurse: Option<Person>,
}

/// An event with its instant, before it is told.
pub(crate) enum Happened {
    Raised(Alarm),
    Ended(Alarm),
    Charted(Charted),
    Device(DeviceId, Put),
    Bed(BedId, Put),
    Nurse(BedId, Option<StaffId>),
}

/// Which way something went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Put {
    On,
    Off,
}

impl TimelineEvent {
    pub(crate) fn of(at: Timestamp, it: Happened, directory: &Directory) -> Self {
        let blank = |kind, what| Self {
            at: time(at),
            kind,
            what,
            alarm: None,
            charted: None,
            device: None,
            bed: None,
            nurse: None,
        };
        let bed = |id: BedId| {
            let name = directory.beds.get(&id).map_or_else(String::new, |bed| bed.name.clone());
            Some(Named { id: id.to_string(), name })
        };
        match it {
            Happened::Raised(alarm) => Self { alarm: Some(alarm), ..blank("alarm", "raised") },
            Happened::Ended(alarm) => Self { alarm: Some(alarm), ..blank("alarm", "ended") },
            Happened::Charted(charted) => {
                Self { charted: Some(charted), ..blank("charted", "charted") }
            }
            Happened::Device(id, put) => {
                let found = directory.devices.get(&id);
                let name = found.map_or_else(String::new, |device| device.label.clone());
                let device = Some(Named { id: id.to_string(), name });
                let what = if put == Put::On { "put_on" } else { "taken_off" };
                Self { device, ..blank("device", what) }
            }
            Happened::Bed(id, put) => {
                let what = if put == Put::On { "came" } else { "left" };
                Self { bed: bed(id), ..blank("place", what) }
            }
            Happened::Nurse(id, staff) => {
                let nurse = staff.map(|staff| Person::of(directory, staff));
                Self { bed: bed(id), nurse, ..blank("place", "nurse") }
            }
        }
    }
}
