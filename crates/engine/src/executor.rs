//! What is done with each effect of a decider; every variant is named here.

use care::{
    alarm::{Effect, Verdict},
    escalation::{self, Capacity, Staffing},
    kind::AlarmKind,
};
use model::{Redacted, Timestamp, UserId};

use crate::{
    core::{About, AlarmKey, Core, Turn},
    record::{Called, Decision, Weighed},
    view::ToldAs,
};

impl Core {
    /// Carries out what one alarm's decision asks for, in its order.
    pub(crate) fn carry_out(
        &mut self,
        turn: &mut Turn<'_>,
        key: AlarmKey,
        effects: Vec<Effect>,
        by: Option<(UserId, Redacted<String>)>,
    ) {
        let mut changed_at = turn.now;
        for effect in effects {
            match effect {
                Effect::Record(step) => {
                    changed_at = step.at;
                    self.change(turn, key, step, by.as_ref());
                }
                // Every screen of the care unit sounds by the alarm's state, which the change
                // just told it; no further party is rung in this edition.
                Effect::Sound(_) | Effect::Hush => {}
                Effect::Call { step, passed } => self.call(turn, key, step, passed),
                Effect::WeighSignal(verdict) => self.weigh_signal(turn, key, verdict, changed_at),
                // The asker learns it from the refused command.
                Effect::Refuse(_) => {}
            }
        }
    }

    fn call(&mut self, turn: &mut Turn<'_>, key: AlarmKey, step: u8, passed: u8) {
        let Some(alarm) = self.alarm_standing(key) else { return };
        let staffing = self.staffing_of(key.about);
        let staff = match escalation::responders(step, &staffing) {
            escalation::Called::People { people, .. } => {
                people.iter().map(|told| (told.staff, told_as(told.capacity))).collect()
            }
            escalation::Called::Nobody => Vec::new(),
        };
        let called = Called { alarm, key, at: turn.now, step, passed, staff };
        self.decide(turn, Decision::Called(called));
    }

    /// Who holds the posts around what an alarm is about, at this instant.
    fn staffing_of(&self, about: About) -> Staffing {
        let directory = self.directory();
        let bed = self.patient_of(about).and_then(|patient| directory.bed_of(patient));
        let care_unit = self.care_unit_about(about);
        Staffing {
            assigned: bed.and_then(|bed| directory.nurse_of(bed)),
            charge: care_unit.and_then(|care_unit| directory.charge_of(care_unit)),
            unit: care_unit.map(|care_unit| directory.staff_on(care_unit)).unwrap_or_default(),
        }
    }

    fn weigh_signal(
        &mut self,
        turn: &mut Turn<'_>,
        key: AlarmKey,
        verdict: Verdict,
        at: Timestamp,
    ) {
        // What nobody measures any more has no signal to lose.
        if !key.kind.needs_signal() || self.is_retired(key) {
            return;
        }
        let device = self.device_behind(key);
        let sensor = self.sensor_of_key(key, device);
        let key = AlarmKey { about: key.about, kind: AlarmKind::NoSignal, sensor };
        let is_covered = self.is_covered_now(key, device);
        let verdict = if is_covered { verdict.under_cover() } else { verdict };
        let weighed = Weighed { key, verdict, at, device };
        self.decide(turn, Decision::Weighed(weighed));
    }
}

const fn told_as(capacity: Capacity) -> ToldAs {
    match capacity {
        Capacity::AssignedNurse => ToldAs::AssignedNurse,
        Capacity::ChargeNurse => ToldAs::ChargeNurse,
        Capacity::CareUnit => ToldAs::CareUnit,
    }
}
