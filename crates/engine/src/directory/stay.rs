//! Patients who left: which care units they lay in, and who reads their page for how long.
//!
//! ```text
//! never in a bed ──▶ in a bed ──▶ left lately ──▶ left
//!  open to all        the care      those of the care units that were left,
//!  who could          unit's        for a day; then for a reason only
//!  take them in
//! ```

use std::time::Duration;

use model::{BedId, CareUnitId, Encounter, PatientId, Timestamp, as_of};

use super::Directory;
use crate::limits::OPEN_AFTER_LEAVING;

/// The shortest time that a timestamp tells.
const INSTANT: Duration = Duration::from_nanos(1);

/// Who left a bed by `now`, as known then, with when; the same one twice if they came back.
fn departures(
    history: &[Encounter],
    bed: BedId,
    now: Timestamp,
) -> impl Iterator<Item = (PatientId, Timestamp)> + '_ {
    let known = history.iter().filter(move |line| line.known_at <= now && line.from <= now);
    known.filter_map(move |line| {
        let before = as_of(history, bed, line.from.before(INSTANT), now).flatten()?;
        let after = as_of(history, bed, line.from, now).flatten();
        (after != Some(before)).then_some((before, line.from))
    })
}

// RC-045
/// Whether a page is open still to those of a care unit that was left at `left_at`.
fn is_open_after(left_at: Timestamp, now: Timestamp) -> bool {
    now.since(left_at) < OPEN_AFTER_LEAVING
}

impl Directory {
    /// Whether a patient lay in a bed before, and lies in none now.
    pub fn has_left(&self, patient: PatientId) -> bool {
        self.bed_of(patient).is_none() && self.now_holds.lain_in.contains_key(&patient)
    }

    /// The patients who lie in no bed now, and left one of this care unit so lately that
    /// those who hold a post there may read their pages still.
    pub fn left_lately(&self, care_unit: CareUnitId, now: Timestamp) -> Vec<PatientId> {
        let earliest = now.before(OPEN_AFTER_LEAVING);
        let mut found = Vec::new();
        for bed in self.beds_of(care_unit) {
            let Some(history) = self.encounters.get(&bed.id) else { continue };
            // Most beds changed nothing that lately, and their histories are long.
            if history.iter().any(|line| line.from > earliest) {
                let gone = departures(history, bed.id, now);
                let lately = gone.filter(|(_, at)| is_open_after(*at, now));
                found.extend(lately.map(|(patient, _)| patient));
            }
        }
        found.retain(|patient| self.bed_of(*patient).is_none());
        found.sort_unstable();
        found.dedup();
        found
    }

    /// The care unit that a patient lies in, or else lay in last: whoever runs it answers
    /// for what happens to their page.
    pub fn unit_answering_for(&self, patient: PatientId, now: Timestamp) -> Option<CareUnitId> {
        let last = || {
            let beds = self.now_holds.lain_in.get(&patient)?.iter();
            let left = beds.flat_map(|bed| {
                let history = self.encounters.get(bed).map_or(&[][..], Vec::as_slice);
                let own = departures(history, *bed, now).filter(|(whom, _)| *whom == patient);
                own.map(|(_, at)| (at, *bed))
            });
            left.max().and_then(|(_, bed)| self.care_unit_of_bed(bed))
        };
        self.care_unit_of(patient).or_else(last)
    }
}
