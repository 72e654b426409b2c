//! Patients who left: which care units they lay in, and who reads their page for how long.
//!
//! ```text
//! never in a bed ──▶ in a bed ──▶ left lately ──▶ left
//!  open to all        the care      those of the care units that were left,
//!  who could          unit's        for a day; then for a reason only
//!  take them in
//! ```
//!
//! Whoever lies in no bed and has a device of a care unit on is that care unit's besides.

use std::time::Duration;

use model::{BedId, CareUnitId, DeviceId, Line, PatientId, Subject, Timestamp, as_of};

use super::Directory;
use crate::limits::OPEN_AFTER_LEAVING;

/// The shortest time that a timestamp tells.
const INSTANT: Duration = Duration::from_nanos(1);
/// By then everything that is written down is known.
const END_OF_TIME: Timestamp = Timestamp::from_unix_nanos(i64::MAX);

/// What is said of a bed at `now`, as known then, newest first: one line for each instant
/// after `since` at which something was said to begin, the line that was known last.
fn steps<K>(
    history: &[Line<K, Option<PatientId>>],
    since: Option<Timestamp>,
    now: Timestamp,
) -> Vec<&Line<K, Option<PatientId>>> {
    let is_young = |from| since.is_none_or(|since| from > since);
    let known = history.iter().filter(|line| line.known_at <= now && line.from <= now);
    let mut lines: Vec<_> = known.filter(|line| is_young(line.from)).collect();
    // Histories are nearly in this order already, and of equals the last one counts.
    lines.sort_by_key(|line| (line.from, line.known_at));
    lines.reverse();
    lines.dedup_by_key(|line| line.from);
    lines
}

/// Who left a bed after `since` and by `now`, as known then, with when, newest first; the same
/// one twice if they came back.
fn departures<K: Copy + PartialEq>(
    history: &[Line<K, Option<PatientId>>],
    bed: K,
    since: Option<Timestamp>,
    now: Timestamp,
) -> impl Iterator<Item = (PatientId, Timestamp)> {
    let steps = steps(history, since, now);
    // A history is gone through once for whoever lay there before, and not once per line.
    let earliest = steps.last().map(|line| line.from.before(INSTANT));
    let at_first = earliest.and_then(|at| as_of(history, bed, at, now).flatten());
    let befores: Vec<_> = steps.iter().skip(1).map(|line| line.value).chain([at_first]).collect();
    let steps: Vec<_> = steps.into_iter().map(|line| (line.value, line.from)).collect();
    steps.into_iter().zip(befores).filter_map(|((after, from), before)| {
        let before = before?;
        (after != Some(before)).then_some((before, from))
    })
}

impl Directory {
    /// Whether a patient lay in a bed before, and lies in none now. Whoever was put into a bed
    /// by mistake, and taken out of it from the same instant on, never lay there.
    pub fn has_left(&self, patient: PatientId) -> bool {
        self.bed_of(patient).is_none() && self.bed_left_last(patient, END_OF_TIME).is_some()
    }

    // RC-045
    /// The patients who lie in no bed now, and left one of this care unit so lately that
    /// those who hold a post there may read their pages still.
    pub fn left_lately(&self, care_unit: CareUnitId, now: Timestamp) -> Vec<PatientId> {
        let since = Some(now.before(OPEN_AFTER_LEAVING));
        let mut found = Vec::new();
        for bed in self.beds_of(care_unit) {
            let Some(history) = self.encounters.get(&bed.id) else { continue };
            found.extend(departures(history, bed.id, since, now).map(|(patient, _)| patient));
        }
        found.retain(|patient| self.bed_of(*patient).is_none());
        found.sort_unstable();
        found.dedup();
        found
    }

    /// The care unit that cares for a patient: that of their bed, else that of a device on
    /// them. Its board shows their alarms, so those who hold a post there read the page.
    pub fn care_unit_caring_for(&self, patient: PatientId) -> Option<CareUnitId> {
        let of_devices = || {
            let mut devices = self.devices_on(patient);
            devices.find_map(|device| self.devices.get(&device)?.care_unit)
        };
        self.care_unit_of(patient).or_else(of_devices)
    }

    /// The care unit that cares for a patient, or else in which they lay last: whoever runs it
    /// answers for what happens to their page, and its board shows their alarms.
    pub fn unit_answering_for(&self, patient: PatientId, now: Timestamp) -> Option<CareUnitId> {
        let last = || self.care_unit_of_bed(self.bed_left_last(patient, now)?);
        self.care_unit_caring_for(patient).or_else(last)
    }

    /// The patient who left every bed and whom this device is on still.
    pub fn left_wearing(&self, device: DeviceId) -> Option<PatientId> {
        match self.subject_of(device) {
            Subject::Patient(patient) => Some(patient).filter(|it| self.has_left(*it)),
            Subject::Place(_) | Subject::Nobody => None,
        }
    }

    /// The devices that are still on patients who left: those of this care unit, and those of
    /// none whose patient left it last. In the order of patients and devices.
    pub fn still_on(&self, care_unit: CareUnitId, now: Timestamp) -> Vec<(DeviceId, PatientId)> {
        let worn = self.now_holds.devices_on.iter();
        let left = worn.filter(|(patient, _)| self.has_left(**patient));
        let each = left.flat_map(|(patient, on)| on.iter().map(|device| (*device, *patient)));
        let mine = |(device, patient): &(DeviceId, PatientId)| {
            let own = self.devices.get(device).and_then(|it| it.care_unit);
            own.or_else(|| self.unit_answering_for(*patient, now)) == Some(care_unit)
        };
        each.filter(mine).collect()
    }

    /// Since when a device is on whom it is on now, by all that is known.
    pub fn worn_since_when(&self, device: DeviceId, now: Timestamp) -> Option<Timestamp> {
        let history = self.associations.get(&device)?;
        history.iter().map(|line| line.from).filter(|from| *from <= now).max()
    }

    /// The bed that a patient left last, as known at `now`.
    fn bed_left_last(&self, patient: PatientId, now: Timestamp) -> Option<BedId> {
        let beds = self.now_holds.lain_in.get(&patient)?.iter();
        let left = beds.filter_map(|bed| {
            let history = self.encounters.get(bed)?;
            let mut gone = departures(history, *bed, None, now);
            gone.find(|(whom, _)| *whom == patient).map(|(_, at)| (at, *bed))
        });
        left.max().map(|(_, bed)| bed)
    }
}

#[cfg(test)]
mod tests;
