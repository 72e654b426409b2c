//! One alarm in the place of several: what a raised alarm tells as well as others would.
//!
//! Which kinds cover which is said in `care`; here is who is about the same, or rests
//! on the same device.

use care::{
    alarm::{Input, Phase, Rule, Verdict},
    kind::AlarmKind,
    source::{self, Source},
};
use model::{DeviceId, Vital};

use super::{About, AlarmKey, Core, Turn, alarms::Slot};
use crate::record::{Decision, Weighed};

/// Whether an alarm about the same tells all that one with this key would.
fn covers(other: &AlarmKey, key: AlarmKey) -> bool {
    other.kind.covers(key.kind) && other.sensor == key.sensor
}

/// The silence of the device that would tell all that this would.
fn silence_covers(key: AlarmKey, device: Option<DeviceId>) -> Option<AlarmKey> {
    let silent = AlarmKey::new(About::Device(device?), AlarmKind::DeviceSilent);
    silent.kind.covers(key.kind).then_some(silent)
}

impl Core {
    /// Whether something that stood when the record came tells all that this would.
    pub(super) fn was_covered(&self, key: AlarmKey, device: Option<DeviceId>) -> bool {
        // Asked for each reading, and next to nothing stands: only that is looked at.
        let alarms = &self.alarms;
        let mut others = alarms.covering_about(key.about);
        others.any(|other| covers(other, key) && self.tells_for(*other, key, device))
            || silence_covers(key, device).is_some_and(|it| alarms.covering.contains(&it))
    }

    /// The same of this very instant, for evidence that is journalled as it was weighed.
    pub(crate) fn is_covered_now(&self, key: AlarmKey, device: Option<DeviceId>) -> bool {
        let stands = |slot: &Slot| slot.state.raised_at().is_some();
        let mut others = self.alarms.about(key.about);
        let tells = |other: &AlarmKey| covers(other, key) && self.tells_for(*other, key, device);
        others.any(|(other, slot)| tells(other) && stands(slot))
            || silence_covers(key, device)
                .is_some_and(|silent| self.alarms.slots.get(&silent).is_some_and(stands))
    }

    // RC-053
    /// Whether a raised alarm tells what one of a kind that it covers would, by what both see now.
    fn tells_for(&self, told: AlarmKey, other: AlarmKey, device: Option<DeviceId>) -> bool {
        let Some(slot) = self.alarms.slots.get(&told).filter(|slot| !slot.retired) else {
            return false;
        };
        let found = self.alarms.slots.get(&other).filter(|slot| slot.device == device);
        let rule = found.map_or_else(|| self.rule_of(other, device), |slot| slot.rule.clone());
        source::tells_for(&self.source(told, &slot.rule), &self.source(other, &rule))
    }

    fn source(&self, key: AlarmKey, rule: &Rule) -> Source {
        let run = match key.about {
            About::Patient(patient) => self.patients.get(&patient),
            About::Device(_) | About::CareUnit(_) => None,
        };
        let latest = match key.kind {
            AlarmKind::Limit(vital, _) => run.and_then(|run| run.latest.get(&vital)),
            _ => None,
        };
        let latest = latest.filter(|latest| latest.decides);
        let newest = latest.and_then(|it| Some((it.value.ok()?, self.now.since(it.taken_at))));
        Source { kind: key.kind, priority: rule.priority, max_age: rule.max_age, newest }
    }

    /// What one alarm tells as well as others would: those about the same, and those of its device.
    fn covered_by(&self, key: AlarmKey) -> Vec<AlarmKey> {
        let patient = self.patient_of(key.about).map(About::Patient);
        let abouts = [Some(key.about), patient.filter(|it| *it != key.about)];
        let device = match key.about {
            About::Device(device) => Some(device),
            About::Patient(_) | About::CareUnit(_) => None,
        };
        let concerns = |other: &AlarmKey, slot: &Slot| {
            let same_source = match device {
                Some(_) => slot.device == device,
                None => other.sensor == key.sensor,
            };
            key.kind.covers(other.kind) && same_source
        };
        let tells = |other: &AlarmKey, slot: &Slot| self.tells_for(key, *other, slot.device);
        abouts
            .into_iter()
            .flatten()
            .flat_map(|about| self.alarms.about(about))
            .filter(|(other, slot)| concerns(other, slot) && tells(other, slot))
            .map(|(other, _)| *other)
            .collect()
    }

    /// Ends what the alarm that was just raised tells as well, or keeps it from being raised.
    pub(super) fn supersede_covered(&mut self, turn: &mut Turn<'_>, key: AlarmKey) {
        let Some(by) = self.alarms.slots.get(&key).and_then(|slot| Some(slot.open.as_ref()?.id))
        else {
            return;
        };
        for other in self.covered_by(key) {
            let Some(slot) = self.alarms.slots.get(&other) else { continue };
            let device = slot.device;
            match slot.state.phase() {
                Phase::Active { .. } | Phase::Acknowledged { .. } => {
                    self.put(turn, other, Input::Supersede(by), None);
                }
                Phase::Pending { .. } => {
                    let (verdict, at) = (Verdict::Holds.under_cover(), turn.now);
                    let weighed = Weighed { key: other, verdict, at, device };
                    self.decide(turn, Decision::Weighed(weighed));
                }
                Phase::Quiet => {}
            }
        }
    }

    /// A raised alarm of the preferred source that holds again takes the place of what spoke
    /// for itself while it did not see.
    pub(super) fn take_over(&mut self, turn: &mut Turn<'_>, key: AlarmKey) {
        let slot = self.alarms.slots.get(&key);
        if slot.is_some_and(|slot| slot.state.raised_at().is_some()) {
            self.supersede_covered(turn, key);
        }
    }

    /// Looks again at what was covered by an alarm that is over: a signal that is still lost is told now.
    pub(super) fn uncover(&mut self, turn: &mut Turn<'_>, key: AlarmKey) {
        for other in self.covered_by(key) {
            let Some(slot) = self.alarms.slots.get(&other) else { continue };
            let device = slot.device;
            let is_blind = |(it, slot): (&AlarmKey, &Slot)| {
                it.kind.needs_signal()
                    && !slot.state.has_signal()
                    && self.sensor_of_key(*it, slot.device) == other.sensor
            };
            if other.kind == AlarmKind::NoSignal && self.alarms.about(other.about).any(is_blind) {
                let (verdict, at) = (Verdict::Holds, turn.now);
                let weighed = Weighed { key: other, verdict, at, device };
                self.decide(turn, Decision::Weighed(weighed));
            }
        }
    }

    /// Which sensor an alarm rests on.
    pub(crate) fn sensor_of_key(&self, key: AlarmKey, device: Option<DeviceId>) -> Option<Vital> {
        match key.kind {
            AlarmKind::Limit(vital, _) => self.sensor_behind(device, vital),
            AlarmKind::Desaturation => Some(Vital::Saturation),
            // The rhythm comes from the electrodes, and so does whatever else is without a vital.
            _ => key.sensor,
        }
    }
}
