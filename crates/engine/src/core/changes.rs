//! What screens do not know yet: collected while a batch is taken, told once at its end.

use std::collections::{BTreeMap, BTreeSet};

use model::{AlarmId, BedId, CareUnitId, DeviceId, PatientId, Vital};

use crate::view::Sent;

/// Everything that changed since the last delta.
#[derive(Clone, Debug, Default)]
pub(super) struct Changes {
    pub(super) numerics: BTreeSet<(PatientId, Vital)>,
    pub(super) scores: BTreeSet<PatientId>,
    pub(super) beds: BTreeSet<BedId>,
    /// Devices that said something about themselves.
    pub(super) reports: BTreeSet<DeviceId>,
    /// Care units whose nurse in charge changed.
    pub(super) posts: BTreeSet<CareUnitId>,
    /// In the order of their changes; one that changed twice is told twice only if it ended between.
    pub(super) alarms: Vec<AlarmId>,
    /// Alarms that ended belong to a care unit that they may no longer name.
    pub(super) ended_in: BTreeMap<AlarmId, CareUnitId>,
    /// The times of the newest message of each patient.
    pub(super) sent: BTreeMap<PatientId, Sent>,
}

impl Changes {
    pub(super) fn is_empty(&self) -> bool {
        self.numerics.is_empty()
            && self.scores.is_empty()
            && self.beds.is_empty()
            && self.reports.is_empty()
            && self.posts.is_empty()
            && self.alarms.is_empty()
    }

    pub(super) fn alarm(&mut self, alarm: AlarmId) {
        if !self.alarms.contains(&alarm) {
            self.alarms.push(alarm);
        }
    }
}
