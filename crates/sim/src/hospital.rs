//! The virtual hospital: bodies with their illnesses, devices that measure them, faults,
//! and out of it the messages in the order in which they leave.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use model::{DeviceId, Timestamp};

use crate::{
    device::Enrolled,
    ecg::Recording,
    fault::{Fault, Planned},
    illness::{Case, Illness},
    instrument::{Instrument, Trouble},
    patient::Patient,
    physiology::Body,
    script::{Happening, Order, OrderError, Plan, Script},
    treatment::Treatment,
    truth::{Recorder, Row},
};

/// How often the hospital moves on, in milliseconds of its time.
pub(crate) const STEP_MS: u32 = 200;
/// Steps in a second.
const STEPS_A_SECOND: u64 = 1_000 / STEP_MS as u64;

/// What a device does next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deed {
    /// When, by true time.
    pub at: Timestamp,
    /// The device's place in the hospital's list.
    pub device_index: usize,
    /// What.
    pub act: Act,
}

/// The kinds of deed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    /// Publish this at QoS 1.
    Send(Sent),
    /// Break the connection without a goodbye.
    Cut,
    /// Break the connection, and try to come back with a certificate that has expired.
    Expire,
    /// Connect again.
    Restore,
}

/// A message on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// The part of the topic after `up/`.
    pub leaf: String,
    /// Its media type.
    pub content_type: &'static str,
    /// Its bytes.
    pub payload: Arc<[u8]>,
    /// What the sender means by it.
    pub intent: Intent,
    /// Samples inside, if it is a block of a wave.
    pub wave_samples: u32,
    /// When the newest value inside was taken, by true time.
    pub taken_at: Timestamp,
}

/// What a sender means by a message; the check counts by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Intent {
    /// Something new.
    New,
    /// The same again, on purpose.
    Repeat,
    /// Not a message.
    Garbage,
}

/// How finely a hospital is lived; a test in virtual time wants less.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fidelity {
    /// The places of the devices that send traces; `None` is all.
    pub traced: Option<BTreeSet<usize>>,
    /// Steps of 200 ms that one block of samples spans.
    pub block_steps: u32,
    /// Of the messages that come each second only each so manieth is sent, counted from 1.
    pub every_nth: u64,
}

impl Default for Fidelity {
    fn default() -> Self {
        Self { traced: None, block_steps: 1, every_nth: 1 }
    }
}

/// A virtual hospital; the same script and seed give the same messages.
#[derive(Clone, Debug)]
pub struct Hospital {
    started_at: Timestamp,
    script: Arc<Script>,
    patients: Vec<Patient>,
    instruments: Vec<Instrument>,
    faults: Vec<Planned>,
    /// What the script still has in store.
    plans: Vec<Plan>,
    steps: u64,
    truth: Recorder,
}

impl Hospital {
    /// A hospital by its script, with these devices at its beds in the order of
    /// [`Script::devices`]; each patient has the heart of a recording, in turn.
    pub fn new(
        seed: u64,
        started_at: Timestamp,
        script: Script,
        devices: Vec<Enrolled>,
        recordings: &[Recording],
        fidelity: &Fidelity,
    ) -> Self {
        let mut patients: Vec<Patient> = Vec::new();
        for (index, bedded) in script.patients.iter().enumerate() {
            let recording = recordings.get(index % recordings.len().max(1)).cloned();
            let recording = recording.unwrap_or_else(Recording::silent);
            let mut patient = Patient::new(bedded.at_rest, recording, seed, index);
            patient.block_steps = fidelity.block_steps.max(1);
            patients.push(patient);
        }
        let mut instruments = Vec::new();
        for (index, enrolled) in devices.into_iter().enumerate() {
            let is_at_home = script.is_at_home(enrolled.bed_index);
            let sends = fidelity.traced.as_ref().is_none_or(|traced| traced.contains(&index));
            let is_traced = sends && !enrolled.kind.waves().is_empty();
            if let Some(patient) = patients.get_mut(enrolled.bed_index) {
                patient.is_traced |= is_traced;
            }
            let mut instrument = Instrument::new(enrolled, index, is_at_home, seed);
            instrument.sends_waves = sends;
            instrument.every = fidelity.every_nth.max(1);
            instruments.push(instrument);
        }
        let truth = Recorder::new(&script, &instruments, fidelity.every_nth);
        let plans = script.plans.clone();
        let (script, faults) = (Arc::new(script), Vec::new());
        Self { started_at, script, patients, instruments, faults, plans, steps: 0, truth }
    }

    /// Says under which names the patients are known, in the order of the script.
    pub fn name_patients(&mut self, names: &[String]) {
        self.truth.name_patients(names);
    }

    /// The script that it lives.
    pub fn script(&self) -> &Script {
        &self.script
    }

    /// When the next step is due.
    pub fn next_at(&self) -> Timestamp {
        self.instant(self.steps.saturating_add(1))
    }

    fn instant(&self, steps: u64) -> Timestamp {
        self.started_at.after(Duration::from_millis(steps.saturating_mul(STEP_MS.into())))
    }

    /// Seconds of its life so far.
    pub fn lived_s(&self) -> f64 {
        (self.steps * u64::from(STEP_MS)) as f64 / 1_000.0
    }

    /// The true state of the patient in this place of the script.
    pub fn body(&self, patient_index: usize) -> Option<Body> {
        self.patients.get(patient_index).map(Patient::body)
    }

    /// What this patient suffers from now.
    pub fn illnesses(&self, patient_index: usize) -> Vec<Illness> {
        self.patients.get(patient_index).map(|it| it.illnesses().collect()).unwrap_or_default()
    }

    /// The place of a device in the hospital's list.
    pub fn find_device(&self, device: DeviceId) -> Option<usize> {
        self.instruments.iter().position(|it| it.enrolled.id == device)
    }

    /// Lives through one step and answers what the devices do in it.
    pub fn step(&mut self) -> Vec<Deed> {
        let at = self.next_at();
        self.steps += 1;
        let second = self.lived_s();
        self.follow_script(second, at);
        for patient in &mut self.patients {
            patient.live(second);
        }
        self.faults.retain(|planned| planned.until_s > second);
        let mut deeds = Vec::new();
        for (index, instrument) in self.instruments.iter_mut().enumerate() {
            let Some(patient) = self.patients.get(instrument.enrolled.bed_index) else { continue };
            let mine = |planned: &&Planned| planned.device_index == index && planned.holds(second);
            let faults: Vec<(Fault, f64)> = self
                .faults
                .iter()
                .filter(mine)
                .map(|planned| (planned.fault, second - planned.from_s))
                .collect();
            let acts = instrument.act(patient, (self.steps, at), Trouble { faults: &faults });
            deeds.extend(acts.into_iter().map(|act| Deed { at, device_index: index, act }));
        }
        if self.steps.is_multiple_of(STEPS_A_SECOND) {
            for (index, patient) in self.patients.iter().enumerate() {
                self.truth.observe(index, &patient.body(), at, &self.faults, second);
            }
        }
        deeds
    }

    fn follow_script(&mut self, second: f64, at: Timestamp) {
        let (due, mut later): (Vec<Plan>, Vec<Plan>) =
            std::mem::take(&mut self.plans).into_iter().partition(|plan| plan.at_s <= second);
        for plan in &due {
            if let Some(every_s) = plan.every_s {
                later.push(Plan { at_s: plan.at_s + every_s, ..plan.clone() });
            }
        }
        self.plans = later;
        for plan in due {
            self.happen(&plan, second, at);
        }
    }

    fn happen(&mut self, plan: &Plan, second: f64, at: Timestamp) {
        match &plan.what {
            Happening::Illness { illness, rises_in_s, lasts_s, severity } => {
                for index in &plan.patients {
                    let Some(patient) = self.patients.get_mut(*index) else { continue };
                    let mut case = Case::new(*illness, second);
                    case.rises_in_s = rises_in_s.unwrap_or(case.rises_in_s);
                    case.until_s = lasts_s.map_or(f64::INFINITY, |lasts_s| second + lasts_s);
                    case.severity = *severity;
                    patient.fall_ill(case);
                    self.truth.onset(*index, *illness, plan, at);
                }
            }
            Happening::Fault { fault, lasts_s } => {
                let until_s = second + lasts_s.unwrap_or(f64::INFINITY);
                for device_index in plan.devices.iter().copied() {
                    let planned = Planned { device_index, fault: *fault, from_s: second, until_s };
                    self.faults.push(planned);
                    if let Some(instrument) = self.instruments.get(device_index) {
                        self.truth.fault(instrument, &planned, at);
                    }
                }
            }
            Happening::Treatment(treatment) => {
                for index in plan.patients.clone() {
                    self.treat(index, *treatment);
                }
            }
        }
    }

    /// Makes something happen now that is not in the script, as somebody at a screen asked.
    pub fn order(&mut self, order: &Order) -> Result<(), OrderError> {
        let plan = self.script.plan(order)?;
        let at = self.instant(self.steps);
        self.happen(&plan, self.lived_s(), at);
        Ok(())
    }

    /// Somebody does something for a patient; answers whether it worked on anything.
    pub fn treat(&mut self, patient_index: usize, treatment: Treatment) -> bool {
        let at = self.instant(self.steps);
        let Some(patient) = self.patients.get_mut(patient_index) else { return false };
        let works = patient.treat(treatment);
        self.truth.treated(patient_index, treatment, at);
        works
    }

    /// Somebody sees to a device: puts electrodes back, charges it, plugs it in again.
    pub fn mend(&mut self, device_index: usize) {
        let second = self.lived_s();
        let at = self.instant(self.steps);
        for planned in &mut self.faults {
            if planned.device_index == device_index && planned.holds(second) {
                planned.until_s = second;
            }
        }
        if let Some(instrument) = self.instruments.get_mut(device_index) {
            instrument.battery_percent = instrument.battery_percent.max(95.0);
            self.truth.mended(instrument, at);
        }
    }

    /// The rows of ground truth that are complete by now.
    pub fn take_truth(&mut self) -> Vec<Row> {
        self.truth.take(self.instant(self.steps))
    }

    /// Every row of ground truth that is still open, as it stands now.
    pub fn close_truth(&mut self) -> Vec<Row> {
        let at = self.instant(self.steps);
        self.truth.close(at)
    }
}

#[cfg(test)]
mod tests;
