//! Runs the alarm machine of `care` over the slots: evidence in, changes journalled,
//! folded, shown; and what happens to an alarm whose subject is gone.

use std::sync::Arc;

use care::{
    alarm::{self, Change, EndedBy, Input, Rule, State, Transition, Verdict},
    kind::AlarmKind,
    limit, rules,
};
use model::{
    AlarmId, CareUnitId, DeviceId, EndReason, PatientId, Redacted, Subject, Timestamp, UserId,
    Vital,
};

use super::{
    About, AlarmKey, Core, Cut, Turn, alarm_id_of,
    alarms::{Evidence, Open, Slot},
    facts::sensor_words,
};
use crate::{
    limits::ENDED_ALARMS_KEPT_MAX,
    record::{AlarmChanged, Called, Decided, Decision, EffectId, Raised, Weighed},
    view::{AlarmPhase, Told},
};

impl Core {
    /// Weighs evidence: decides on it if live, and takes it in.
    pub(super) fn weigh(&mut self, turn: &mut Turn<'_>, key: AlarmKey, evidence: Evidence) {
        let is_covered = self.was_covered(key, evidence.device);
        let verdict = if is_covered { evidence.verdict.under_cover() } else { evidence.verdict };
        self.take_evidence(turn, key, Evidence { verdict, ..evidence });
        if verdict == Verdict::Holds && key.kind.is_preferred_source() && turn.is_live() {
            self.take_over(turn, key);
        }
    }

    fn take_evidence(&mut self, turn: &mut Turn<'_>, key: AlarmKey, evidence: Evidence) {
        if self.is_cut(Cut::Deciders) || self.is_cut(Cut::Alarms) {
            return;
        }
        let live_at = turn.is_live().then_some(turn.now);
        let effects = self.alarms.observe(key, &evidence, live_at).or_else(|| {
            // Another device may give this vital more often, or less.
            let rule = self.rule_of(key, evidence.device);
            self.alarms.rests_on(key, evidence.device, rule);
            self.alarms.observe(key, &evidence, live_at)
        });
        if let Some(effects) = effects.filter(|effects| !effects.is_empty()) {
            self.carry_out(turn, key, effects, None);
            self.alarms.file(key);
        }
    }

    /// Meets the deadlines of the alarm whose deadline comes first.
    pub(super) fn meet_first_deadline(&mut self, turn: &mut Turn<'_>, to: Timestamp) {
        let Some(key) = self.alarms.take_first() else { return };
        if let Some(slot) = self.alarms.slots.get(&key) {
            let effects = alarm::decide(&slot.rule, &slot.state, &Input::Tick, to);
            if !effects.is_empty() {
                self.now = self.now.max(to);
                turn.now = self.now;
                self.carry_out(turn, key, effects, None);
            }
        }
        self.alarms.file(key);
    }

    /// Gives a person's or another alarm's input to one alarm; only live.
    pub(super) fn put(
        &mut self,
        turn: &mut Turn<'_>,
        key: AlarmKey,
        input: Input,
        by: Option<(UserId, Redacted<String>)>,
    ) -> bool {
        let Some(slot) = self.alarms.slots.get(&key) else { return false };
        let effects = alarm::decide(&slot.rule, &slot.state, &input, turn.now);
        let is_refused = effects.iter().any(|it| matches!(it, alarm::Effect::Refuse(_)));
        self.carry_out(turn, key, effects, by);
        self.alarms.file(key);
        !is_refused
    }

    /// Journals one change of an alarm, with its words if it is raised now.
    pub(crate) fn change(
        &mut self,
        turn: &mut Turn<'_>,
        key: AlarmKey,
        step: Transition,
        by: Option<&(UserId, Redacted<String>)>,
    ) {
        let Some(slot) = self.alarms.slots.get(&key) else { return };
        let alarm = match step.change {
            Change::Began => self.cause.map(|cause| {
                let effect = EffectId { cause: cause.position, index: cause.next_index };
                alarm_id_of(effect, step.at)
            }),
            Change::Subsided
            | Change::Raised
            | Change::Escalated { .. }
            | Change::Acknowledged { .. }
            | Change::AcknowledgementExpired
            | Change::SignalLost
            | Change::SignalFound
            | Change::Ended(_) => slot.open.as_ref().map(|open| open.id),
        };
        let raised = (step.change == Change::Raised).then(|| self.words_of(key, slot));
        let is_end = matches!(step.change, Change::Ended(_));
        let words = by.map(|by| by.1.clone()).filter(|words| is_end && !words.0.is_empty());
        let by = by.map(|by| by.0);
        let changed = AlarmChanged { alarm, key, step, raised, by, words };
        self.decide(turn, Decision::Alarm(Box::new(changed)));
        match step.change {
            Change::Raised => self.supersede_covered(turn, key),
            Change::Ended(_) => self.uncover(turn, key),
            Change::Began
            | Change::Subsided
            | Change::Escalated { .. }
            | Change::Acknowledged { .. }
            | Change::AcknowledgementExpired
            | Change::SignalLost
            | Change::SignalFound => {}
        }
    }

    fn words_of(&self, key: AlarmKey, slot: &Slot) -> Raised {
        let about_sensor = matches!(key.kind, AlarmKind::NoSignal | AlarmKind::LeadsOff);
        let source = if about_sensor {
            sensor_words(key.sensor).to_owned()
        } else {
            slot.device.map_or_else(String::new, |device| self.facts_of(device).words.clone())
        };
        let patient = self.patient_of(key.about);
        Raised {
            title: key.kind.title(&slot.facts, &source),
            detail: key.kind.detail(&slot.facts),
            priority: slot.rule.priority,
            latching: slot.rule.latching,
            patient,
            care_unit: self.care_unit_about(key.about),
            device: slot.device,
        }
    }

    pub(crate) fn patient_of(&self, about: About) -> Option<PatientId> {
        match about {
            About::Patient(patient) => Some(patient),
            About::Device(device) => match self.directory.subject_of(device) {
                Subject::Patient(patient) => Some(patient),
                Subject::Place(_) | Subject::Nobody => None,
            },
            About::CareUnit(_) => None,
        }
    }

    /// The care unit that answers for an alarm about this now.
    pub(crate) fn care_unit_about(&self, about: About) -> Option<CareUnitId> {
        match about {
            About::CareUnit(care_unit) => Some(care_unit),
            About::Device(device) => self.directory.care_unit_of_device(device),
            // Who left with nothing of a care unit's on is on the board of the one left last.
            About::Patient(patient) => self.directory.unit_answering_for(patient, self.now),
        }
    }

    /// The rule of a thing that can alarm: a person's limit, else the defaults of its kind.
    pub(super) fn rule_of(&self, key: AlarmKey, device: Option<DeviceId>) -> Arc<Rule> {
        let cadence = |vital| device.and_then(|it| self.facts_of(it).cadence_of(vital));
        let mut rule = match (key.kind, key.about) {
            (AlarmKind::Limit(vital, side), About::Patient(patient)) => {
                let set = self.limits_in_force(patient, vital);
                let side = set.as_ref().and_then(|set| limit::side_of(set, side));
                side.map_or_else(
                    || rules::rule(key.kind, cadence(vital)),
                    |side| rules::limit_rule(vital, side, cadence(vital)),
                )
            }
            (AlarmKind::Desaturation, _) => rules::rule(key.kind, cadence(Vital::Saturation)),
            (AlarmKind::BatteryLow | AlarmKind::BatteryNearlyEmpty, _) => {
                rules::rule(key.kind, cadence(Vital::BatteryLevel))
            }
            (_, _) => rules::rule(key.kind, None),
        };
        if self.is_cut(Cut::Escalation) {
            rule.escalate_after.clear();
        }
        Arc::new(rule)
    }

    /// Folds a journalled change into its slot, and everything that shows it.
    pub(super) fn alarm_changed(
        &mut self,
        turn: &mut Turn<'_>,
        decided: &Decided,
        changed: &AlarmChanged,
    ) {
        let key = changed.key;
        if !self.alarms.slots.contains_key(&key) {
            if matches!(changed.step.change, Change::SignalLost | Change::SignalFound) {
                // The slot was forgotten with the command that led to this.
                return;
            }
            let rule = self.rule_of(key, None);
            self.alarms.slots.insert(key, Slot::new(rule));
        }
        let Some(slot) = self.alarms.slots.get_mut(&key) else { return };
        let was_raised = slot.state.raised_at().is_some();
        let before = slot.state;
        slot.state.apply(&changed.step);
        let is_raised = slot.state.raised_at().is_some();
        if let (Change::Began, Some(id)) = (changed.step.change, changed.alarm) {
            let (raised, told, nobody, changed_by) = (None, Vec::new(), false, None);
            slot.open = Some(Open { id, raised, told, nobody, changed_by });
            self.alarms.by_id.insert(id, key);
        }
        if let Some(open) = &mut slot.open {
            open.changed_by = changed.by.or(open.changed_by);
            if let Some(raised) = &changed.raised {
                open.raised = Some(raised.clone());
            }
        }
        if is_raised != was_raised {
            self.alarms.unsettled.push((key, is_raised));
        }
        self.count(turn, changed.step.change);
        if was_raised || is_raised {
            self.show(turn, decided, changed, before);
        }
        if matches!(changed.step.change, Change::Subsided | Change::Ended(_)) {
            self.close(key);
        }
        self.alarms.file(key);
    }

    fn count(&mut self, turn: &Turn<'_>, change: Change) {
        let live = u64::from(turn.is_live());
        match change {
            Change::Raised => self.counters.alarms_raised += live,
            Change::Acknowledged { .. } => self.counters.alarms_acknowledged += live,
            Change::Escalated { .. } => self.counters.alarms_escalated += live,
            Change::Ended(_) => self.counters.alarms_ended += live,
            Change::Began
            | Change::Subsided
            | Change::AcknowledgementExpired
            | Change::SignalLost
            | Change::SignalFound => {}
        }
    }

    /// Tells screens and records of a change of an alarm that is or was raised.
    fn show(
        &mut self,
        turn: &mut Turn<'_>,
        decided: &Decided,
        changed: &AlarmChanged,
        before: State,
    ) {
        let Some(id) = changed.alarm else { return };
        self.changes.alarm(id);
        if let Some(patient) = self.patient_of(changed.key.about)
            && let AlarmKind::Limit(vital, _) = changed.key.kind
        {
            self.changes.numerics.insert((patient, vital));
        }
        let mut shown = self.alarm_view(changed.key);
        if let (Some(alarm), Change::Ended(end)) = (&mut shown, changed.step.change) {
            alarm.phase = AlarmPhase::Ended;
            alarm.raised_at = before.raised_at().unwrap_or(alarm.raised_at);
            alarm.since = before.began_at().unwrap_or(alarm.since);
            alarm.ended_at = Some(changed.step.at);
            alarm.end = Some(super::views::end_of(end, changed));
            if let Some(care_unit) = alarm.care_unit {
                self.changes.ended_in.insert(id, care_unit);
            }
            self.ended.push_back(alarm.clone());
            if self.ended.len() > ENDED_ALARMS_KEPT_MAX {
                self.ended.pop_front();
            }
        }
        if let Some(alarm) = shown {
            self.alarm_row(turn, decided, changed, &alarm);
        }
    }

    /// Forgets the alarm that is over, and the slot too if its subject is gone.
    fn close(&mut self, key: AlarmKey) {
        let Some(slot) = self.alarms.slots.get_mut(&key) else { return };
        if let Some(open) = slot.open.take() {
            self.alarms.by_id.remove(&open.id);
        }
        if slot.retired {
            self.alarms.remove(key);
        }
    }

    /// Whether what the alarm is about is gone.
    pub(crate) fn is_retired(&self, key: AlarmKey) -> bool {
        self.alarms.slots.get(&key).is_some_and(|slot| slot.retired)
    }

    /// Forgets a slot that nothing weighs any more, at once or when its alarm is over.
    pub(super) fn forget_when_quiet(&mut self, key: AlarmKey) {
        let Some(slot) = self.alarms.slots.get_mut(&key) else { return };
        slot.retired = true;
        if slot.open.is_none() {
            self.alarms.remove(key);
        }
    }

    /// Folds a call into the alarm that it is about.
    pub(super) fn called(&mut self, turn: &mut Turn<'_>, decided: &Decided, called: &Called) {
        let slot = self.alarms.slots.get_mut(&called.key);
        let Some(open) = slot.and_then(|slot| slot.open.as_mut()) else { return };
        open.nobody = called.staff.is_empty();
        for (staff, told_as) in &called.staff {
            // Who was told before stays told since then, unless the alarm sounds anew.
            if called.step == 0 || open.told.iter().all(|told| told.staff != *staff) {
                open.told.retain(|told| told.staff != *staff);
                let step = u32::from(called.step);
                open.told.push(Told { staff: *staff, told_as: *told_as, at: called.at, step });
            }
        }
        self.changes.alarm(called.alarm);
        self.called_row(turn, decided, called);
    }

    /// Takes in what one alarm says to another.
    pub(super) fn weighed(&mut self, turn: &mut Turn<'_>, weighed: &Weighed) {
        let known = Evidence::known(weighed.verdict, weighed.at, weighed.device);
        let now = std::mem::replace(&mut turn.now, weighed.at);
        self.take_evidence(turn, weighed.key, known);
        turn.now = now;
    }

    /// Ends every alarm for which `concerns` is true, because its subject is gone, and forgets the slots.
    pub(super) fn retire(
        &mut self,
        turn: &mut Turn<'_>,
        about: About,
        reason: EndReason,
        concerns: impl Fn(&AlarmKey, &Slot) -> bool,
    ) {
        let keys = self.alarms.about(about).filter(|(key, slot)| concerns(key, slot));
        let keys: Vec<AlarmKey> = keys.map(|(key, _)| *key).collect();
        for key in keys {
            let Some(slot) = self.alarms.slots.get_mut(&key) else { continue };
            slot.retired = true;
            if slot.open.is_none() {
                self.alarms.remove(key);
                continue;
            }
            if turn.is_live() {
                self.put(turn, key, Input::End(EndedBy::Entry, reason), None);
                // What was only pending subsides, as there is nothing left to hold.
                let over = Input::known(Verdict::Over, turn.now);
                self.put(turn, key, over, None);
            }
        }
    }

    /// The alarms that a person ended or acknowledged are found by their id.
    pub(super) fn key_of(&self, alarm: AlarmId) -> Option<AlarmKey> {
        self.alarms.by_id.get(&alarm).copied()
    }
}
