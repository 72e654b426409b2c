//! Numerics: whose they are, what they are worth, and who has to weigh them.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    sync::Arc,
};

use ::record::{Readings, SampleAt};
use care::{
    kind::{AlarmKind, Facts},
    limit::{self, Limit, Side},
    rules, technical,
};
use model::{
    Channel, ClockUsed, Code, DeviceId, LimitSet, MissingReason, PatientId, Sample, Subject, Taken,
    Times, Timestamp, Ucum, Vital,
};

use super::{
    About, AlarmKey, Core, Turn,
    alarms::Evidence,
    facts::{ChannelFacts, ProfileFacts},
    out::PointOf,
    waves::WaveRun,
};
use crate::view::{Grade, Sent};
use care::alarm::Verdict;

/// What is remembered of a device between its messages.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct DeviceRun {
    /// When its last message reached us.
    pub(super) heard_at: Option<Timestamp>,
    /// Since when it is on whom it is on.
    pub(super) expected_since: Option<Timestamp>,
    /// It counts as silent.
    pub(super) is_silent: bool,
    /// Its connection is up, as far as the door told.
    pub(super) is_connected: bool,
    /// Since when.
    pub(super) connected_at: Option<Timestamp>,
    /// Its waveforms.
    pub(super) waves: BTreeMap<Channel, WaveRun>,
}

/// The latest of one vital of one patient.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Latest {
    pub(super) device: DeviceId,
    pub(super) grade: Grade,
    /// In thousandths of the vital's own unit.
    pub(super) value: Result<i64, MissingReason>,
    pub(super) taken_at: Timestamp,
    pub(super) received_at: Timestamp,
    pub(super) by: ClockUsed,
    /// It may stand for the present: its age is known and it is of medical grade.
    pub(super) decides: bool,
}

/// A message's share in all of its samples.
struct Message<'a> {
    device: DeviceId,
    facts: &'a ProfileFacts,
    readings: &'a Readings,
    received_at: Timestamp,
    /// Whom the device is on now.
    on: Subject,
}

impl Message<'_> {
    /// Whether it says how its device is now: one that lay here as a dead letter does not.
    const fn is_current(&self) -> bool {
        self.readings.gateway_at.is_none()
    }

    fn times(&self, delta_ns: i64) -> Times {
        let base = self.readings.device_at.unix_nanos();
        Times {
            device_at: Timestamp::from_unix_nanos(base.saturating_add(delta_ns)),
            device_now: self.readings.device_now,
            gateway_at: self.readings.gateway_at,
            received_at: self.received_at,
            clock: self.readings.clock,
            may_be_buffered: self.readings.may_be_buffered,
        }
    }
}

impl Core {
    /// What is known of a device by its profile.
    pub(super) fn facts_of(&self, device: DeviceId) -> Arc<ProfileFacts> {
        let profile = self.directory.devices.get(&device).map(|it| it.profile.as_str());
        let facts = profile.and_then(|profile| self.facts.get(profile));
        facts.map_or_else(|| Arc::new(ProfileFacts::unknown()), Arc::clone)
    }

    /// Takes in a message of numerics.
    pub(super) fn take_readings(
        &mut self,
        readings: &Readings,
        received_at: Timestamp,
        turn: &mut Turn<'_>,
    ) {
        let device = readings.device;
        self.counters.stored += 1;
        self.heard_unless_kept(device, readings.gateway_at, turn);
        let facts = self.facts_of(device);
        let on = self.directory.subject_of(device);
        let message = Message { device, facts: &facts, readings, received_at, on };
        if message.is_current() {
            self.weigh_clock(turn, &message);
        }
        let mut newest: Option<(Times, Taken, Subject)> = None;
        let mut whose: Option<(Timestamp, Subject)> = None;
        let mut to_score: Vec<PatientId> = Vec::new();
        for sample in &readings.samples {
            let times = message.times(sample.device_at_delta_ns);
            let taken = times.taken();
            // RC-036
            let subject = match whose {
                Some((at, subject)) if at == taken.at => subject,
                _ => self.directory.who(device, taken.at, received_at),
            };
            whose = Some((taken.at, subject));
            let scored = self.take_sample(turn, &message, sample, taken, subject);
            to_score.extend(scored.filter(|patient| !to_score.contains(patient)));
            if newest.as_ref().is_none_or(|(_, newest, _)| taken.at > newest.at) {
                newest = Some((times, taken, subject));
            }
        }
        // What came together is scored together: no score mixes one message with the one before.
        for patient in to_score {
            self.rescore(turn, patient);
        }
        self.counters.readings += u64::try_from(readings.samples.len()).unwrap_or(0);
        if let Some((times, taken, subject)) = newest.filter(|_| message.is_current()) {
            // A device that was away is late with all but its newest sample.
            let key = AlarmKey::new(About::Device(device), AlarmKind::DataLate);
            let late = received_at.since(taken.at);
            let verdict = technical::data_late(&times);
            self.weigh_technical(turn, key, verdict, Facts::Lasting(late));
            if let Subject::Patient(patient) = subject {
                let sent = Sent { device_at: times.device_at, received_at };
                self.changes.sent.insert(patient, sent);
            }
        }
    }

    fn weigh_clock(&mut self, turn: &mut Turn<'_>, message: &Message<'_>) {
        let clock = message.readings.clock;
        let verdict = technical::clock_wrong(clock, message.facts.promise);
        let facts = match clock {
            model::Clock::Synchronised { offset_ns } => Facts::ClockOff { offset_ns },
            model::Clock::Unsynchronised => Facts::Bare,
        };
        let key = AlarmKey::new(About::Device(message.device), AlarmKind::ClockWrong);
        self.weigh_technical(turn, key, verdict, facts);
    }

    /// Weighs a condition of a device that is on somebody.
    pub(super) fn weigh_technical(
        &mut self,
        turn: &mut Turn<'_>,
        key: AlarmKey,
        verdict: Verdict,
        facts: Facts,
    ) {
        let About::Device(device) = key.about else { return };
        if self.directory.subject_of(device) == Subject::Nobody {
            return;
        }
        // A condition that never held has no alarm to end. One that goes on holding is
        // weighed each time, as the first time may have been under the cover of another.
        if verdict == Verdict::Holds || self.alarms.slots.contains_key(&key) {
            let known = Evidence::known(verdict, turn.now, Some(device));
            self.weigh(turn, key, Evidence { facts, ..known });
        }
    }

    /// Takes in one sample; answers with whom it is to score.
    fn take_sample(
        &mut self,
        turn: &mut Turn<'_>,
        message: &Message<'_>,
        sample: &SampleAt,
        taken: Taken,
        subject: Subject,
    ) -> Option<PatientId> {
        let channel = message.facts.channels.get(&sample.channel.0);
        let vital = channel.and_then(|it| it.vital);
        let cadence = channel.and_then(|it| it.cadence);
        let max_age = vital.map(|vital| rules::max_age(vital, cadence));
        let age = message.received_at.since(taken.at);
        let is_late = !taken.age_known || max_age.is_some_and(|max_age| age >= max_age);
        turn.out.points.push(point(self.org_now(), message, sample, channel, taken, is_late));
        let vital = vital?;
        let value = match &sample.sample {
            // A unit or range that the vital does not accept is no value; the raw bytes are kept.
            Sample::Measured(measure) => {
                vital.thousandths(measure).map_err(|_| MissingReason::Implausible)
            }
            Sample::Missing(reason) => Err(*reason),
        };
        if vital == Vital::BatteryLevel {
            self.weigh_battery(turn, message, value, taken);
            return None;
        }
        let Subject::Patient(patient) = subject else { return None };
        if message.on != subject {
            // What a device had kept of whom it left behind fills that chart.
            return None;
        }
        let grade = message.facts.grade;
        let latest = Latest {
            device: message.device,
            grade,
            value,
            taken_at: taken.at,
            received_at: message.received_at,
            by: taken.by,
            decides: taken.age_known && grade == Grade::Medical,
        };
        self.take_vital(turn, patient, vital, latest, is_late)
    }

    fn weigh_battery(
        &mut self,
        turn: &mut Turn<'_>,
        message: &Message<'_>,
        value: Result<i64, MissingReason>,
        taken: Taken,
    ) {
        let device = message.device;
        let is_on = message.on != Subject::Nobody;
        if !is_on || !taken.age_known || !message.is_current() {
            return;
        }
        // The lesser alarm first, so that the greater one finds it and takes its place.
        for (kind, limit) in [
            (AlarmKind::BatteryLow, technical::battery_low()),
            (AlarmKind::BatteryNearlyEmpty, technical::battery_nearly_empty()),
        ] {
            let key = AlarmKey::new(About::Device(device), kind);
            let evidence = level(&limit, value, taken.at, message.received_at, device);
            let exists = self.alarms.slots.contains_key(&key);
            if exists || evidence.verdict == Verdict::Holds {
                self.weigh(turn, key, evidence);
            }
        }
    }

    /// Takes in one value of one patient: keeps it if it is the latest, and weighs it.
    /// Answers with the patient if the score is to be made anew.
    fn take_vital(
        &mut self,
        turn: &mut Turn<'_>,
        patient: PatientId,
        vital: Vital,
        latest: Latest,
        is_late: bool,
    ) -> Option<PatientId> {
        let run = self.patients.entry(patient).or_default();
        match run.latest.entry(vital) {
            Entry::Occupied(before) if !replaces(before.get(), &latest) => return None,
            Entry::Occupied(mut before) => *before.get_mut() = latest,
            Entry::Vacant(place) => drop(place.insert(latest)),
        }
        self.changes.numerics.insert((patient, vital));
        if !latest.decides {
            return None;
        }
        if !is_late {
            self.weigh_vital(turn, patient, vital, &latest);
        }
        // The score has ages of its own, which are longer.
        super::news::is_input(vital).then_some(patient)
    }

    /// Weighs the latest value against everything that watches this vital of this patient.
    pub(super) fn weigh_vital(
        &mut self,
        turn: &mut Turn<'_>,
        patient: PatientId,
        vital: Vital,
        latest: &Latest,
    ) {
        let about = About::Patient(patient);
        let detached = latest.value == Err(MissingReason::SensorDetached);
        let sensor = self.sensor_behind(Some(latest.device), vital);
        let leads = AlarmKey { about, kind: AlarmKind::LeadsOff, sensor };
        if detached || self.alarms.slots.contains_key(&leads) {
            let verdict = match latest.value {
                Ok(_) => Verdict::Over,
                Err(reason) => technical::leads_off_by(reason),
            };
            // The ECG's electrodes are watched by its samples where there are any.
            if sensor.is_some() || !self.watches_ecg(patient) {
                let Latest { taken_at, received_at, device, .. } = *latest;
                let known = Evidence::known(verdict, taken_at, Some(device));
                self.weigh(turn, leads, Evidence { received_at, ..known });
            }
        }
        if let Some(set) = self.limits_now(patient, vital) {
            for side in [Side::Low, Side::High] {
                if let Some(limit) = Limit::of(&set, side) {
                    let key = AlarmKey::new(about, AlarmKind::Limit(vital, side));
                    self.weigh_level(turn, key, &limit, latest);
                }
            }
        }
        if vital == Vital::Saturation {
            let key = AlarmKey::new(about, AlarmKind::Desaturation);
            self.weigh_level(turn, key, &limit::desaturation(), latest);
        }
    }

    fn weigh_level(&mut self, turn: &mut Turn<'_>, key: AlarmKey, limit: &Limit, latest: &Latest) {
        let Latest { value, taken_at, received_at, device, .. } = *latest;
        self.weigh(turn, key, level(limit, value, taken_at, received_at, device));
    }

    /// The limits that hold for a vital of a patient now.
    pub(super) fn limits_in_force(&self, patient: PatientId, vital: Vital) -> Option<LimitSet> {
        match self.limits.get(&(patient, vital)) {
            Some(known) => *known,
            None => self.directory.limits_in_force(patient, vital).map(|(limits, _, _)| limits),
        }
    }

    /// The same, looked up once and remembered until the directory changes.
    fn limits_now(&mut self, patient: PatientId, vital: Vital) -> Option<LimitSet> {
        let directory = &self.directory;
        let look = || directory.limits_in_force(patient, vital).map(|(limits, _, _)| limits);
        *self.limits.entry((patient, vital)).or_insert_with(look)
    }

    /// Which vital stands for the sensor behind this one on this device.
    pub(crate) fn sensor_behind(&self, device: Option<DeviceId>, vital: Vital) -> Option<Vital> {
        match device {
            Some(device) => self.facts_of(device).sensor_of(vital),
            None => ProfileFacts::unknown().sensor_of(vital),
        }
    }

    /// The device that the newest evidence of an alarm came from.
    pub(crate) fn device_behind(&self, key: AlarmKey) -> Option<DeviceId> {
        self.alarms.slots.get(&key).and_then(|slot| slot.device)
    }

    pub(super) fn org_now(&self) -> Option<model::OrgId> {
        self.cause.map(|cause| cause.org)
    }
}

/// How long a medical value keeps a wellness value from taking its place.
const MEDICAL_PREFERRED_FOR: std::time::Duration = std::time::Duration::from_secs(300);

/// Whether a value takes the place of the one before: newer, and not of a lesser grade.
fn replaces(before: &Latest, new: &Latest) -> bool {
    let is_newer = new.taken_at >= before.taken_at;
    let is_lesser = new.grade < before.grade;
    let is_outdated = new.taken_at.since(before.taken_at) >= MEDICAL_PREFERRED_FOR;
    is_newer && (!is_lesser || is_outdated)
}

/// What a value means to a limit, with the numbers for its words.
fn level(
    limit: &Limit,
    value: Result<i64, MissingReason>,
    taken_at: Timestamp,
    received_at: Timestamp,
    device: DeviceId,
) -> Evidence {
    let (verdict, facts) = match value {
        Ok(value_thousandths) => {
            let (vital, limit_thousandths) = (limit.vital, limit.limit_thousandths);
            let facts = Facts::Level { vital, value_thousandths, limit_thousandths };
            (limit.weigh_thousandths(value_thousandths), facts)
        }
        Err(_) => (Verdict::NoSignal, Facts::Bare),
    };
    Evidence { verdict, taken_at, received_at, facts, device: Some(device) }
}

fn point(
    org: Option<model::OrgId>,
    message: &Message<'_>,
    sample: &SampleAt,
    channel: Option<&ChannelFacts>,
    taken: Taken,
    is_late: bool,
) -> PointOf {
    let (kind, ucum, value) = match &sample.sample {
        Sample::Measured(measure) => (
            (measure.kind != protocols::profile::UNMAPPED).then_some(measure.kind),
            measure.ucum.clone(),
            Ok((measure.mantissa, measure.exp10)),
        ),
        Sample::Missing(reason) => {
            let known: Option<(Code, Ucum)> = channel.map(|it| (it.code, it.ucum.clone()));
            let (kind, ucum) = known.map_or((None, Ucum::new("1")), |it| (Some(it.0), it.1));
            (kind, ucum, Err(*reason))
        }
    };
    PointOf {
        org,
        device: message.device,
        channel: sample.channel.clone(),
        kind,
        ucum,
        at: taken.at,
        received_at: message.received_at,
        value,
        is_late,
        clock: taken.by,
        age_known: taken.age_known,
    }
}
