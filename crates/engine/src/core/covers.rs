//! One alarm in the place of several: what a raised alarm tells as well as others would.
//!
//! Which kinds cover which is said in `care`; here is who is about the same, or rests
//! on the same device.

use care::{
    alarm::{Input, Phase, Verdict},
    kind::AlarmKind,
};
use model::{DeviceId, Vital};

use super::{About, AlarmKey, Core, Turn, alarms::Slot};
use crate::record::{Decision, Weighed};

impl Core {
    /// Whether something that `stands` tells all that this would.
    pub(super) fn is_covered(
        &self,
        key: AlarmKey,
        device: Option<DeviceId>,
        stands: impl Fn(&AlarmKey) -> bool,
    ) -> bool {
        let covers = |other: &AlarmKey| {
            other.kind.covers(key.kind) && other.sensor == key.sensor && stands(other)
        };
        let by_same = self.alarms.about(key.about).any(|(other, _)| covers(other));
        let silent = device.map(|it| AlarmKey::new(About::Device(it), AlarmKind::DeviceSilent));
        let by_silence =
            silent.is_some_and(|silent| silent.kind.covers(key.kind) && stands(&silent));
        by_same || by_silence
    }

    /// The same of this very instant, for evidence that is journalled as it was weighed.
    pub(crate) fn is_covered_now(&self, key: AlarmKey, device: Option<DeviceId>) -> bool {
        self.is_covered(key, device, |other| {
            let slot = self.alarms.slots.get(other);
            slot.is_some_and(|slot| slot.state.raised_at().is_some())
        })
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
        abouts
            .into_iter()
            .flatten()
            .flat_map(|about| self.alarms.about(about))
            .filter(|(other, slot)| concerns(other, slot))
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
