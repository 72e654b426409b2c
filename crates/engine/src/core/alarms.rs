//! Alarms of all kinds about all subjects, each one run of the machine in `care`.
//!
//! A slot is kept for each thing that can alarm; it may see many alarms one after
//! the other. Which alarm covers which is said in `care`; what covers is looked up
//! as it stood before the record, so that live and replay see the same.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use care::{
    alarm::{Effect, Input, Rule, State, Verdict},
    kind::{AlarmKind, Facts},
    limit,
};
use model::{AlarmId, CareUnitId, DeviceId, PatientId, Timestamp, UserId, Vital};

use crate::{record::Raised, view::Told};

/// What an alarm is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the names say it all")]
pub enum About {
    Patient(PatientId),
    Device(DeviceId),
    CareUnit(CareUnitId),
}

/// Names one thing that can alarm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AlarmKey {
    /// About whom or what.
    pub about: About,
    /// What may be wrong.
    pub kind: AlarmKind,
    /// The vital that stands for the sensor, where a patient has several; `None` is the ECG.
    pub sensor: Option<Vital>,
}

impl AlarmKey {
    /// A key without a sensor.
    pub const fn new(about: About, kind: AlarmKind) -> Self {
        Self { about, kind, sensor: None }
    }
}

/// A piece of evidence with what the words of an alarm would rest on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Evidence {
    pub(super) verdict: Verdict,
    pub(super) taken_at: Timestamp,
    pub(super) received_at: Timestamp,
    pub(super) facts: Facts,
    pub(super) device: Option<DeviceId>,
}

impl Evidence {
    /// Of a condition that is known at this very instant.
    pub(super) const fn known(verdict: Verdict, at: Timestamp, device: Option<DeviceId>) -> Self {
        Self { verdict, taken_at: at, received_at: at, facts: Facts::Bare, device }
    }
}

/// One thing that can alarm.
#[derive(Clone, Debug)]
pub(super) struct Slot {
    pub(super) rule: Arc<Rule>,
    pub(super) state: State,
    /// What the newest evidence rests on; written by observation.
    pub(super) facts: Facts,
    pub(super) device: Option<DeviceId>,
    /// Its subject is gone: it is removed once it is quiet.
    pub(super) retired: bool,
    /// The alarm that is pending or stands; written by decisions.
    pub(super) open: Option<Open>,
    /// The deadline under which the slot is filed; the true one may be later.
    filed: Option<Timestamp>,
}

impl PartialEq for Slot {
    fn eq(&self, other: &Self) -> bool {
        (&self.rule, &self.state, &self.facts, self.device, self.retired, &self.open)
            == (&other.rule, &other.state, &other.facts, other.device, other.retired, &other.open)
    }
}

/// An alarm that is pending or stands, beyond what its machine knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Open {
    pub(super) id: AlarmId,
    pub(super) raised: Option<Raised>,
    pub(super) told: Vec<Told>,
    pub(super) nobody: bool,
    pub(super) changed_by: Option<UserId>,
}

/// Every slot, with the indexes that answer quickly.
#[derive(Clone, Debug, Default)]
pub(super) struct Alarms {
    pub(super) slots: BTreeMap<AlarmKey, Slot>,
    pub(super) by_id: BTreeMap<AlarmId, AlarmKey>,
    deadlines: BTreeSet<(Timestamp, AlarmKey)>,
    /// What stood and covers others when the record came.
    pub(super) covering: BTreeSet<AlarmKey>,
    /// Changes of the above that count from the next record on.
    pub(super) unsettled: Vec<(AlarmKey, bool)>,
    rules: Rules,
}

/// Rules that several slots share: next to all patients have the same, and what is shared
/// stays near the processor.
#[derive(Clone, Debug, Default)]
struct Rules(Vec<Arc<Rule>>);

/// So many rules are shared; further ones are each their slot's own.
const RULES_SHARED_MAX: usize = 64;

impl Rules {
    fn shared(&mut self, rule: Arc<Rule>) -> Arc<Rule> {
        if let Some(same) = self.0.iter().find(|known| **known == rule) {
            return Arc::clone(same);
        }
        if self.0.len() < RULES_SHARED_MAX {
            self.0.push(Arc::clone(&rule));
        }
        rule
    }
}

impl PartialEq for Alarms {
    fn eq(&self, other: &Self) -> bool {
        self.slots == other.slots
    }
}

impl Alarms {
    pub(super) fn first_deadline(&self) -> Option<Timestamp> {
        self.deadlines.first().map(|(at, _)| *at)
    }

    /// Slots whose alarm is raised.
    pub(super) fn standing(&self) -> impl Iterator<Item = (&AlarmKey, &Slot)> {
        self.slots.iter().filter(|(_, slot)| slot.state.raised_at().is_some())
    }

    /// The same of one subject; not while a record is being taken.
    pub(super) fn standing_about(&self, about: About) -> impl Iterator<Item = (&AlarmKey, &Slot)> {
        self.covering_about(about).filter_map(|key| self.slots.get_key_value(key))
    }

    /// The slots about one subject.
    pub(super) fn about(&self, about: About) -> impl Iterator<Item = (&AlarmKey, &Slot)> {
        let first = AlarmKey { about, kind: FIRST_KIND, sensor: None };
        self.slots.range(first..).take_while(move |(key, _)| key.about == about)
    }

    /// What stood about one subject and covers others when the record came.
    pub(super) fn covering_about(&self, about: About) -> impl Iterator<Item = &AlarmKey> {
        let first = AlarmKey { about, kind: FIRST_KIND, sensor: None };
        self.covering.range(first..).take_while(move |key| key.about == about)
    }

    pub(super) fn settle(&mut self) {
        for (key, covers) in self.unsettled.drain(..) {
            if covers {
                self.covering.insert(key);
            } else {
                self.covering.remove(&key);
            }
        }
    }

    /// Files the slot's next deadline, unless it is filed earlier already.
    pub(super) fn file(&mut self, key: AlarmKey) {
        if let Some(slot) = self.slots.get_mut(&key) {
            file_in(&mut self.deadlines, key, slot);
        }
    }

    /// Lets a slot that rests on this device already, or on none, take in evidence; `None` if
    /// there is no such slot. Answers with what follows, which is nothing nearly always, and
    /// then the slot is filed too.
    pub(super) fn observe(
        &mut self,
        key: AlarmKey,
        evidence: &Evidence,
        live_at: Option<Timestamp>,
    ) -> Option<Vec<Effect>> {
        let Evidence { verdict, taken_at, received_at, device, .. } = *evidence;
        let slot = self.slots.get_mut(&key)?;
        if device.is_some() && slot.device != device {
            return None;
        }
        if verdict == Verdict::Holds {
            slot.facts = evidence.facts;
        }
        slot.retired = false;
        let input = Input::Evidence { verdict, taken_at, received_at };
        let before = slot.state;
        slot.state.observe(&slot.rule, &input);
        let effects = live_at
            .map_or_else(Vec::new, |now| care::alarm::decide(&slot.rule, &before, &input, now));
        if effects.is_empty() {
            file_in(&mut self.deadlines, key, slot);
        }
        Some(effects)
    }

    /// Makes the slot if there is none, and lets it rest on this device by this rule.
    pub(super) fn rests_on(&mut self, key: AlarmKey, device: Option<DeviceId>, rule: Arc<Rule>) {
        let rule = self.rules.shared(rule);
        match self.slots.get_mut(&key) {
            Some(slot) => (slot.device, slot.rule) = (device, rule),
            None => {
                let slot = Slot { device, ..Slot::new(rule) };
                self.slots.insert(key, slot);
            }
        }
    }

    pub(super) fn remove(&mut self, key: AlarmKey) {
        if let Some(slot) = self.slots.remove(&key)
            && let Some(filed) = slot.filed
        {
            self.deadlines.remove(&(filed, key));
        }
    }

    pub(super) fn take_first(&mut self) -> Option<AlarmKey> {
        let (_, key) = self.deadlines.pop_first()?;
        if let Some(slot) = self.slots.get_mut(&key) {
            slot.filed = None;
        }
        Some(key)
    }

    /// Slots that were read from a checkpoint, with their indexes made anew.
    pub(super) fn of(slots: BTreeMap<AlarmKey, Slot>) -> Self {
        let mut alarms = Self { slots, ..Self::default() };
        alarms.index();
        alarms
    }

    fn index(&mut self) {
        let keys: Vec<AlarmKey> = self.slots.keys().copied().collect();
        for key in keys {
            if let Some(slot) = self.slots.get(&key) {
                if let Some(open) = &slot.open {
                    self.by_id.insert(open.id, key);
                }
                if slot.state.raised_at().is_some() {
                    self.covering.insert(key);
                }
            }
            self.file(key);
        }
    }
}

fn file_in(deadlines: &mut BTreeSet<(Timestamp, AlarmKey)>, key: AlarmKey, slot: &mut Slot) {
    let Some(due) = slot.state.next_deadline(&slot.rule) else { return };
    if slot.filed.is_none_or(|filed| due < filed) {
        if let Some(filed) = slot.filed.replace(due) {
            deadlines.remove(&(filed, key));
        }
        deadlines.insert((due, key));
    }
}

/// The kind that sorts first, for ranges.
const FIRST_KIND: AlarmKind = AlarmKind::Limit(Vital::BatteryLevel, limit::Side::Low);

impl Slot {
    pub(super) fn new(rule: Arc<Rule>) -> Self {
        Self {
            rule,
            state: State::default(),
            facts: Facts::Bare,
            device: None,
            retired: false,
            open: None,
            filed: None,
        }
    }
}
