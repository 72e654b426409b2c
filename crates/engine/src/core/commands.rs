//! What people ask for: judged from the state as it is, applied at once, with what follows from it.

use std::{sync::Arc, time::Duration};

use ::record::{Actor, Wish};
use care::{
    alarm::{EndedBy, Input, Verdict},
    kind::AlarmKind,
    limit::{self, Side},
};
use model::{
    AlarmId, Assignment, Association, BedId, CareUnitId, DeviceId, EmergencyId, Encounter,
    EndReason, HandOverId, LimitSet, PatientId, Post, Redacted, StaffId, Subject, Timestamp,
    UserId, Vital,
};

use super::{About, AlarmKey, Asked, Core, Turn, alarms::Evidence};
use crate::{
    directory::Check,
    record::{Decided, Decision, Reason, Refusal},
    view::ChartingEntry,
};

impl Core {
    /// Judges a command; in replay the journal says how it was judged.
    pub(super) fn take_command(&mut self, turn: &mut Turn<'_>) {
        let Some(asked) = turn.asked.clone().filter(|_| turn.is_live()) else { return };
        match self.judge(&asked) {
            Err(refusal) => self.decide(turn, Decision::Refused(refusal)),
            Ok(()) => {
                self.counters.commands_accepted += 1;
                self.decide(turn, Decision::Accepted);
                self.answer_alarm(turn, &asked);
            }
        }
    }

    fn judge(&self, asked: &Asked) -> Result<(), Refusal> {
        let org = self.org_now().ok_or_else(nothing_raised)?;
        let knows_profile = |name: &str| self.facts.contains_key(name);
        let check =
            Check { directory: &self.directory, org, at: asked.at, knows_profile: &knows_profile };
        check.wish(asked.actor, &asked.wish)?;
        match &*asked.wish {
            Wish::Acknowledge { alarm, .. } | Wish::EndAlarm { alarm, .. } => {
                let key = self.key_of(*alarm).ok_or_else(nothing_raised)?;
                let slot = self.alarms.slots.get(&key);
                let stands = slot.is_some_and(|slot| slot.state.raised_at().is_some());
                let is_own = self.org_about(key.about) == Some(org);
                if stands && is_own { Ok(()) } else { Err(nothing_raised()) }
            }
            Wish::SendCommand(command) => self.judge_command(command),
            Wish::Configure(config) => self.judge_config(config),
            _ => Ok(()),
        }
    }

    pub(super) fn org_about(&self, about: About) -> Option<model::OrgId> {
        match about {
            About::Patient(patient) => self.directory.patients.get(&patient).map(|it| it.org),
            About::Device(device) => self.directory.devices.get(&device).map(|it| it.org),
            About::CareUnit(care_unit) => self.directory.org_of_care_unit(care_unit),
        }
    }

    /// Gives a person's answer to the alarm's machine.
    fn answer_alarm(&mut self, turn: &mut Turn<'_>, asked: &Asked) {
        let Some((user, staff)) = self.staff_of_actor(asked.actor) else { return };
        match &*asked.wish {
            Wish::Acknowledge { alarm, quiet_for } => {
                let input = Input::Acknowledge { by: staff, quiet_for: *quiet_for };
                self.answer_with(turn, *alarm, input, (user, Redacted(String::new())));
            }
            Wish::EndAlarm { alarm, reason, words } => {
                let input = Input::End(EndedBy::Staff(staff), *reason);
                self.answer_with(turn, *alarm, input, (user, words.clone()));
            }
            _ => {}
        }
    }

    fn answer_with(
        &mut self,
        turn: &mut Turn<'_>,
        alarm: AlarmId,
        input: Input,
        by: (UserId, Redacted<String>),
    ) {
        if let Some(key) = self.key_of(alarm) {
            self.put(turn, key, input, Some(by));
        }
    }

    pub(super) fn staff_of_actor(&self, actor: Actor) -> Option<(UserId, StaffId)> {
        match actor {
            Actor::User(user) => Some((user, self.directory.users.get(&user)?.staff?)),
            Actor::Device(_) | Actor::System => None,
        }
    }

    /// Folds a granted command into the state, with everything that follows from it.
    pub(super) fn accepted(&mut self, turn: &mut Turn<'_>, decided: &Decided) {
        let Some(asked) = turn.asked.clone() else { return };
        let asked = asked.begun();
        let alarm = match &*asked.wish {
            Wish::Acknowledge { alarm, .. } | Wish::EndAlarm { alarm, .. } => Some(*alarm),
            _ => None,
        };
        match &*asked.wish {
            Wish::Associate(line) => self.associate(turn, line, &asked),
            Wish::Claim { subject, .. } => self.claimed(turn, *subject, &asked),
            Wish::Occupy(line) => self.occupy(turn, line, &asked),
            Wish::Assign(line) => {
                self.directory_mut().apply(&asked.wish, asked.actor, asked.at);
                self.post_changed(line.key);
            }
            Wish::SetLimits { .. }
            | Wish::ClearLimits { .. }
            | Wish::SetUnitLimits { .. }
            | Wish::ClearUnitLimits { .. } => self.limits_set(turn, &asked),
            Wish::AcceptHandOver(id) => self.handed_over(turn, decided, *id, &asked),
            Wish::SetSpO2Scale { patient, .. } => {
                self.directory_mut().apply(&asked.wish, asked.actor, asked.at);
                self.rescore(turn, *patient);
                self.patient_changed(*patient);
            }
            Wish::PutPatient(patient) => {
                self.directory_mut().apply(&asked.wish, asked.actor, asked.at);
                if self.patients.contains_key(&patient.id) {
                    self.rescore(turn, patient.id);
                }
                // Another date of birth may be another age.
                self.all_limits_changed(turn, patient.id);
                self.patient_changed(patient.id);
            }
            Wish::PutBed(bed) => {
                self.directory_mut().apply(&asked.wish, asked.actor, asked.at);
                self.changes.beds.insert(bed.id);
                // Another room may be of another care unit.
                if let Some(patient) = self.directory.patient_in(bed.id) {
                    self.all_limits_changed(turn, patient);
                }
            }
            Wish::PutRoom(room) => {
                self.directory_mut().apply(&asked.wish, asked.actor, asked.at);
                for patient in self.directory.patients_in(room.care_unit) {
                    self.all_limits_changed(turn, patient);
                }
            }
            Wish::OpenInEmergency(access) => {
                self.directory_mut().apply(&asked.wish, asked.actor, asked.at);
                self.emergency_changed(access.id);
            }
            Wish::ReviewEmergency(id) => {
                self.directory_mut().apply(&asked.wish, asked.actor, asked.at);
                self.emergency_changed(*id);
            }
            Wish::Chart(charting) => {
                let by = self.staff_of_actor(asked.actor).map(|(_, staff)| staff);
                let charting = Arc::new(charting.clone());
                self.charted(turn, ChartingEntry { charting, by, written_at: asked.at });
            }
            Wish::Correct(correction) => {
                self.directory_mut().apply(&asked.wish, asked.actor, asked.at);
                self.corrected(turn, correction, &asked);
            }
            Wish::Acknowledge { .. } | Wish::EndAlarm { .. } => {}
            _ => self.directory_mut().apply(&asked.wish, asked.actor, asked.at),
        }
        turn.out.directory_changed = true;
        self.wish_rows(turn, decided, &asked.wish, asked.actor, asked.at);
        turn.out.answer(decided.effect.cause, Ok(alarm));
    }

    /// Every screen of a care unit that is told of it learns how many wait now.
    fn emergency_changed(&mut self, id: EmergencyId) {
        let Some(it) = self.directory.emergencies.get(&id) else { return };
        let (patient, opened_in) = (it.access.patient, it.care_unit);
        self.patient_changed(patient);
        // A patient who lies elsewhere by now changes no bed where the page was opened.
        if let Some(unit) = opened_in {
            self.board_changed(unit);
        }
    }

    /// Tells a board what it says beside its beds; any of them carries the news.
    fn board_changed(&mut self, unit: CareUnitId) {
        let first = self.directory.beds_of(unit).first().map(|bed| bed.id);
        self.changes.beds.extend(first);
    }

    /// Tells the boards that name a device while it is on somebody who left.
    fn wearing_changed(&mut self, device: DeviceId, patient: PatientId) {
        let own = self.directory.devices.get(&device).and_then(|it| it.care_unit);
        let unit = own.or_else(|| self.care_unit_about(About::Patient(patient)));
        if let Some(unit) = unit {
            self.board_changed(unit);
        }
    }

    /// Limits of a patient or of a care unit were set, or hold no longer.
    fn limits_set(&mut self, turn: &mut Turn<'_>, asked: &Asked) {
        self.directory_mut().apply(&asked.wish, asked.actor, asked.at);
        match &*asked.wish {
            Wish::SetLimits { patient, limits: LimitSet { vital, .. } }
            | Wish::ClearLimits { patient, vital } => self.limits_changed(turn, *patient, *vital),
            Wish::SetUnitLimits { care_unit, limits: LimitSet { vital, .. }, .. }
            | Wish::ClearUnitLimits { care_unit, vital, .. } => {
                for patient in self.directory.patients_in(*care_unit) {
                    self.limits_changed(turn, patient, *vital);
                }
            }
            _ => {}
        }
    }

    /// The posts of a hand-over have changed hands.
    fn handed_over(
        &mut self,
        turn: &mut Turn<'_>,
        decided: &Decided,
        id: HandOverId,
        asked: &Asked,
    ) {
        let lines = self.directory.posts_to_change(id, asked.at);
        self.directory_mut().apply(&asked.wish, asked.actor, asked.at);
        for line in &lines {
            self.post_changed(line.key);
        }
        self.handed_over_rows(turn, decided, &lines);
    }

    fn post_changed(&mut self, post: Post) {
        match post {
            Post::Bed(bed) => drop(self.changes.beds.insert(bed)),
            Post::Charge(care_unit) => drop(self.changes.posts.insert(care_unit)),
        }
    }

    fn patient_changed(&mut self, patient: PatientId) {
        if let Some(bed) = self.directory.bed_of(patient) {
            self.changes.beds.insert(bed);
        }
    }

    /// A device is put on somebody, or taken off.
    pub(super) fn associate(&mut self, turn: &mut Turn<'_>, line: &Association, asked: &Asked) {
        let device = line.key;
        let before = self.directory.subject_of(device);
        self.directory_mut().apply(&asked.wish, asked.actor, asked.at);
        let after = self.directory.subject_of(device);
        if before == after {
            return;
        }
        if let Subject::Patient(patient) = before {
            self.taken_off(turn, device, patient);
        }
        self.retire(turn, About::Device(device), EndReason::DeviceTakenOff, |_, _| true);
        let run = self.devices.entry(device).or_default();
        (run.is_silent, run.expected_since) = (false, Some(turn.now));
        // A trace of somebody else's heart teaches a detector nothing.
        run.waves.clear();
        self.watch(device);
        for subject in [before, after] {
            if let Subject::Patient(patient) = subject {
                self.patient_changed(patient);
                if self.directory.has_left(patient) {
                    self.wearing_changed(device, patient);
                }
            }
        }
    }

    /// What a device had said of a patient stands for nothing any more.
    fn taken_off(&mut self, turn: &mut Turn<'_>, device: DeviceId, patient: PatientId) {
        let about = About::Patient(patient);
        let by_it = |_: &AlarmKey, slot: &super::alarms::Slot| slot.device == Some(device);
        self.retire(turn, about, EndReason::DeviceTakenOff, by_it);
        let Some(run) = self.patients.get_mut(&patient) else { return };
        let gone: Vec<_> = run
            .latest
            .iter()
            .filter(|(_, latest)| latest.device == device)
            .map(|(vital, _)| *vital)
            .collect();
        for vital in gone {
            run.latest.remove(&vital);
            self.changes.numerics.insert((patient, vital));
        }
        self.rescore(turn, patient);
    }

    /// Somebody lies down in a bed, or leaves it.
    fn occupy(&mut self, turn: &mut Turn<'_>, line: &Encounter, asked: &Asked) {
        let left: Option<BedId> = line.value.and_then(|patient| self.directory.bed_of(patient));
        let was_there = self.directory.patient_in(line.key);
        self.directory_mut().apply(&asked.wish, asked.actor, asked.at);
        self.changes.beds.extend([Some(line.key), left].into_iter().flatten());
        if let Some(left) = left.filter(|left| *left != line.key) {
            let leaves = Encounter { key: left, value: None, from: line.from, known_at: asked.at };
            self.vacated_row(turn, leaves);
        }
        if let Some(patient) = was_there.filter(|patient| self.directory.bed_of(*patient).is_none())
        {
            self.retire(turn, About::Patient(patient), EndReason::PatientLeft, |_, _| true);
        }
        // A device may be of another care unit than the bed.
        for patient in [was_there, line.value].into_iter().flatten() {
            let worn: Vec<DeviceId> = self.directory.devices_on(patient).collect();
            worn.into_iter().for_each(|device| self.wearing_changed(device, patient));
        }
        // Another care unit has other limits; who left has no alarms any more.
        if let Some(patient) = line.value {
            self.all_limits_changed(turn, patient);
        }
    }

    fn all_limits_changed(&mut self, turn: &mut Turn<'_>, patient: PatientId) {
        for vital in Vital::ALL {
            self.limits_changed(turn, patient, *vital);
        }
    }

    /// New limits hold at once: for what is known, and for what is to come.
    fn limits_changed(&mut self, turn: &mut Turn<'_>, patient: PatientId, vital: Vital) {
        let limits = self.limits_in_force(patient, vital);
        for side in [Side::Low, Side::High] {
            let key = AlarmKey::new(About::Patient(patient), AlarmKind::Limit(vital, side));
            let device = self.device_behind(key);
            let rule = self.rule_of(key, device);
            let Some(slot) = self.alarms.slots.get_mut(&key) else { continue };
            slot.rule = rule;
            if limits.is_none_or(|limits| limit::side_of(&limits, side).is_none()) {
                // Nothing can hold any more.
                let over = Evidence::known(Verdict::Over, turn.now, device);
                self.weigh(turn, key, over);
                self.forget_when_quiet(key);
            }
        }
        self.changes.numerics.insert((patient, vital));
        let latest = self.patients.get(&patient).and_then(|run| run.latest.get(&vital)).copied();
        let is_current = |at: Timestamp| turn.now.since(at) < RECENT;
        if let Some(latest) = latest.filter(|it| it.decides && is_current(it.taken_at)) {
            self.weigh_vital(turn, patient, vital, &latest);
        }
    }
}

impl Asked {
    /// The same, where what begins ahead of our clock begins at its receipt: nothing looks
    /// again when that instant comes.
    fn begun(mut self) -> Self {
        let at = self.at;
        let begun = match &*self.wish {
            Wish::Associate(line) if line.from > at => {
                Wish::Associate(Association { from: at, ..*line })
            }
            Wish::Occupy(line) if line.from > at => Wish::Occupy(Encounter { from: at, ..*line }),
            Wish::Assign(line) if line.from > at => Wish::Assign(Assignment { from: at, ..*line }),
            _ => return self,
        };
        self.wish = Arc::new(begun);
        self
    }
}

/// A value this young is weighed again when a limit changes; an older one waits for the next.
const RECENT: Duration = Duration::from_secs(10);

fn nothing_raised() -> Refusal {
    let words = care::alarm::NothingRaised.to_string();
    Refusal { reason: Reason::NothingRaised, words }
}
