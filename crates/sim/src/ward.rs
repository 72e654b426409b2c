//! The ward: bodies on their courses, devices that measure them, faults on a script,
//! and out of it the messages in the order in which they leave.

use std::{sync::Arc, time::Duration};

use model::{MissingReason, Timestamp};

use crate::{
    course::Course,
    device::{Enrolled, Kind, Numeric, Source, Wave},
    ecg::{Heart, Recording},
    encode,
    fault::{Fault, Script},
    physiology::Body,
    rng::Rng,
};

/// How often waves leave, in milliseconds of the ward's time.
const STEP_MS: u32 = 200;
/// Messages that a buffering device keeps while it cannot send.
const KEPT_MAX: usize = 20_000;

/// What a device does next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deed {
    /// When, by true time.
    pub at: Timestamp,
    /// The device's place in the ward's list.
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

/// A virtual ward; the same seed gives the same messages.
#[derive(Clone, Debug)]
pub struct Ward {
    started_at: Timestamp,
    courses: Vec<Course>,
    patients: Vec<Patient>,
    devices: Vec<Device>,
    script: Script,
    steps: u64,
}

#[derive(Clone, Debug)]
struct Patient {
    heart: Heart,
    rng: Rng,
    body: Body,
    breath_phase: f64,
    since_beat_s: f64,
    /// Samples of this step, at 250 Hz, in microvolts, and its pulse beside it.
    ecg_uv: Vec<f64>,
    pleth: Vec<f64>,
    breath: Vec<f64>,
}

#[derive(Clone, Debug)]
struct Device {
    enrolled: Enrolled,
    boot: u64,
    seq: u64,
    wave_seq: Vec<u64>,
    is_cut: bool,
    kept: Vec<Kept>,
    battery_percent: f64,
    cuff: Option<Body>,
}

/// A message before its last minute: the sending time is written when it leaves.
#[derive(Clone, Debug)]
enum Kept {
    Numerics {
        taken_at: Timestamp,
        device_at: Timestamp,
        seq: u64,
        values: Vec<Numeric>,
    },
    Block {
        taken_at: Timestamp,
        device_at: Timestamp,
        wave: Wave,
        seq: u64,
        raw: Vec<i16>,
        leads_off: bool,
    },
}

impl Ward {
    /// A ward with one patient for each course, and these devices at their beds.
    ///
    /// Patient `n` has the heart of recording `n`, in turn.
    pub fn new(
        seed: u64,
        started_at: Timestamp,
        courses: Vec<Course>,
        devices: Vec<Enrolled>,
        recordings: &[Recording],
        script: Script,
    ) -> Self {
        let patient = |(bed, course): (usize, &Course)| {
            let mut rng = Rng::new(seed, bed as u64);
            let recording = recordings.get(bed % recordings.len().max(1))?;
            let heart = Heart::new(recording.clone(), &mut rng);
            let (body, breath_phase) = (course.at(0.0), rng.unit_fraction());
            let (ecg_uv, pleth, breath) = (Vec::new(), Vec::new(), Vec::new());
            Some(Patient {
                heart,
                rng,
                body,
                breath_phase,
                since_beat_s: 9.0,
                ecg_uv,
                pleth,
                breath,
            })
        };
        let patients = courses.iter().enumerate().filter_map(patient).collect();
        let device = |(index, enrolled): (usize, Enrolled)| {
            let mut rng = Rng::new(seed, 1_000 + index as u64);
            Device {
                boot: rng.next(),
                seq: 0,
                wave_seq: vec![0; enrolled.kind.waves().len()],
                is_cut: false,
                kept: Vec::new(),
                battery_percent: 60.0 + 40.0 * rng.unit_fraction(),
                cuff: None,
                enrolled,
            }
        };
        let devices = devices.into_iter().enumerate().map(device).collect();
        Self { started_at, courses, patients, devices, script, steps: 0 }
    }

    /// When the next step is due.
    pub fn next_at(&self) -> Timestamp {
        let millis = self.steps.saturating_add(1).saturating_mul(STEP_MS.into());
        self.started_at.after(Duration::from_millis(millis))
    }

    /// The true state of the patient in this bed, to score detections against.
    pub fn body(&self, bed_index: usize) -> Option<&Body> {
        self.patients.get(bed_index).map(|patient| &patient.body)
    }

    /// Lives through one step and answers what the devices do in it.
    pub fn step(&mut self) -> Vec<Deed> {
        let at = self.next_at();
        self.steps += 1;
        let second = (self.steps * u64::from(STEP_MS)) as f64 / 1_000.0;
        for (patient, course) in self.patients.iter_mut().zip(&self.courses) {
            patient.live(course.at(second));
        }
        let mut deeds = Vec::new();
        for (index, device) in self.devices.iter_mut().enumerate() {
            let Some(patient) = self.patients.get_mut(device.enrolled.bed_index) else { continue };
            let faults: Vec<_> = self.script.of(index, second).collect();
            let acts = device.act(patient, self.steps, at, &faults);
            deeds.extend(acts.into_iter().map(|act| Deed { at, device_index: index, act }));
        }
        deeds
    }
}

impl Patient {
    fn live(&mut self, body: Body) {
        self.body = body;
        let samples = STEP_MS * 250 / 1_000;
        let step_s = 1.0 / 250.0;
        (self.ecg_uv, self.pleth, self.breath) = Default::default();
        for _ in 0..samples {
            let (level, is_beat) = self.heart.next(
                step_s,
                body.heart_rate_per_min,
                body.irregular_fraction,
                &mut self.rng,
            );
            self.since_beat_s = if is_beat { 0.0 } else { self.since_beat_s + step_s };
            self.breath_phase = (self.breath_phase + step_s * body.breaths_per_min / 60.0).fract();
            self.ecg_uv.push(level + 8.0 * self.rng.normal_fraction());
            self.pleth.push(pulse(self.since_beat_s));
            self.breath.push((std::f64::consts::TAU * self.breath_phase).sin());
        }
    }

    /// Samples of this step at the wave's rate, as counts.
    fn counts(&self, wave: &Wave) -> Vec<i16> {
        let per_count = wave.gain.0 as f64 * 10_f64.powi(wave.gain.1.into());
        let (samples, scale) = match wave.source {
            Source::Ecg => (&self.ecg_uv, 1e-3),
            Source::Pleth => (&self.pleth, 1.0),
            Source::Breath => (&self.breath, 1.0),
        };
        let every = (250 / wave.rate_hz.max(1)) as usize;
        // A float becomes the nearest count that fits.
        let count = |level: &f64| (level * scale / per_count).round() as i16;
        samples.iter().step_by(every.max(1)).map(count).collect()
    }
}

/// The finger's volume so long after a beat: a wave and its dicrotic echo, without a unit.
fn pulse(since_beat_s: f64) -> f64 {
    let bump = |centre: f64, width: f64| (-((since_beat_s - centre) / width).powi(2)).exp();
    bump(0.28, 0.09) + 0.35 * bump(0.52, 0.12)
}

impl Device {
    fn act(
        &mut self,
        patient: &mut Patient,
        step: u64,
        at: Timestamp,
        faults: &[Fault],
    ) -> Vec<Act> {
        let mut acts = Vec::new();
        let is_cut = faults.contains(&Fault::NetworkCut);
        if is_cut != self.is_cut {
            acts.push(if is_cut { Act::Cut } else { Act::Restore });
            self.is_cut = is_cut;
        }
        let ahead_s = faults.iter().find_map(|fault| match fault {
            Fault::ClockWrong { ahead_s } => Some(*ahead_s),
            _ => None,
        });
        let clock = |true_at: Timestamp| shifted(true_at, ahead_s.unwrap_or(0.0));
        self.measure(patient, step, at, clock(at), faults);
        if is_cut {
            let surplus = self.kept.len().saturating_sub(if self.enrolled.kind.buffers() {
                KEPT_MAX
            } else {
                0
            });
            self.kept.drain(..surplus);
            return acts;
        }
        for kept in std::mem::take(&mut self.kept) {
            let sent = self.sent(kept, clock(at));
            let again = Sent { intent: Intent::Repeat, ..sent.clone() };
            acts.push(Act::Send(sent));
            if faults.contains(&Fault::Repeats) {
                acts.push(Act::Send(again));
            }
        }
        if faults.contains(&Fault::Garbage) && step.is_multiple_of(5) {
            let payload: Vec<u8> =
                (0..40).map(|_| patient.rng.next().to_be_bytes()[0] | 0x80).collect();
            let (leaf, content_type) = ("num".to_owned(), encode::SENML_JSON);
            let (payload, intent) = (payload.into(), Intent::Garbage);
            acts.push(Act::Send(Sent {
                leaf,
                content_type,
                payload,
                intent,
                wave_samples: 0,
                taken_at: at,
            }));
        }
        acts
    }

    fn measure(
        &mut self,
        patient: &mut Patient,
        step: u64,
        at: Timestamp,
        device_at: Timestamp,
        faults: &[Fault],
    ) {
        let leads_off = faults.contains(&Fault::LeadsOff);
        let waves = self.enrolled.kind.waves().iter().zip(&mut self.wave_seq);
        for (wave, seq) in waves {
            let leads_off = leads_off && wave.source == Source::Ecg;
            let raw = patient.counts(wave);
            let raw = if leads_off { vec![0; raw.len()] } else { raw };
            let begin = |end: Timestamp| end.before(Duration::from_millis(STEP_MS.into()));
            self.kept.push(Kept::Block {
                taken_at: at,
                device_at: begin(device_at),
                wave: *wave,
                seq: *seq,
                raw,
                leads_off,
            });
            *seq += 1;
        }
        let battery = faults.iter().find_map(|fault| match fault {
            Fault::Battery { percent } => Some(*percent),
            _ => None,
        });
        self.battery_percent = (self.battery_percent - 1e-5).max(5.0);
        let every = u64::from(self.enrolled.kind.cadence_s()) * 1_000 / u64::from(STEP_MS);
        if step % every == if self.enrolled.kind == Kind::Cuff { 10 } else { 0 } {
            let charge = battery.unwrap_or(self.battery_percent);
            let values = self.numerics(patient, step, charge, leads_off);
            self.kept.push(Kept::Numerics { taken_at: at, device_at, seq: self.seq, values });
            self.seq += 1;
        }
    }

    fn numerics(
        &mut self,
        patient: &mut Patient,
        step: u64,
        charge: f64,
        leads_off: bool,
    ) -> Vec<Numeric> {
        let body = patient.body;
        let mut noise = |spread: f64| spread * patient.rng.normal_fraction();
        let number = |channel, unit, decimals, value: f64| Numeric {
            channel,
            unit,
            decimals,
            value: Ok(value),
        };
        let counted = patient.heart.counted_per_min();
        let rate = match counted {
            _ if leads_off => Err(MissingReason::SensorDetached),
            Some(rate) => Ok(rate),
            None => Ok(0.0),
        };
        let rate =
            Numeric { channel: "MDC_ECG_HEART_RATE", unit: "/min", decimals: 0, value: rate };
        let pulse = counted.ok_or(MissingReason::PoorSignal);
        let pulse =
            Numeric { channel: "MDC_PULS_OXIM_PULS_RATE", unit: "/min", decimals: 0, value: pulse };
        let saturation = body.saturation_percent + noise(0.3);
        let saturation = number("MDC_PULS_OXIM_SAT_O2", "%", 0, saturation.clamp(50.0, 100.0));
        let breaths =
            number("MDC_RESP_RATE", "/min", 0, (body.breaths_per_min + noise(0.4)).max(0.0));
        let temperature = number("MDC_TEMP", "Cel", 1, body.temperature_cel + noise(0.03));
        let battery = number("MDC_ATTR_VAL_BATT_CHARGE", "%", 0, charge);
        let fresh = step % 600 == 10;
        if fresh || self.cuff.is_none() {
            self.cuff = Some(body);
        }
        let pressures = |body: &Body| {
            [
                number("MDC_PRESS_BLD_NONINV_SYS", "mm[Hg]", 0, body.systolic_mmhg),
                number("MDC_PRESS_BLD_NONINV_DIA", "mm[Hg]", 0, body.diastolic_mmhg),
                number("MDC_PRESS_BLD_NONINV_MEAN", "mm[Hg]", 0, body.mean_mmhg()),
            ]
        };
        match self.enrolled.kind {
            Kind::BedsideMonitor => {
                let mut values = vec![rate, saturation, pulse, breaths];
                if step % 50 == 5 {
                    values.extend([temperature, battery]);
                }
                if fresh {
                    values.extend(pressures(&body));
                }
                values
            }
            Kind::EcgPatch => vec![rate, breaths, temperature, battery],
            Kind::Oximeter => vec![saturation, pulse, battery],
            Kind::Cuff => pressures(&body).into_iter().chain([battery]).collect(),
        }
    }

    fn sent(&self, kept: Kept, device_now: Timestamp) -> Sent {
        let intent = Intent::New;
        match kept {
            Kept::Numerics { taken_at, device_at, seq, values } => Sent {
                leaf: "num".to_owned(),
                content_type: encode::SENML_JSON,
                payload: encode::numerics(self.boot, seq, (device_at, device_now), &values).into(),
                intent,
                wave_samples: 0,
                taken_at,
            },
            Kept::Block { taken_at, device_at, wave, seq, raw, leads_off } => {
                let (number, times) = ((self.boot, seq), (device_at, device_now));
                let payload = encode::block(&self.enrolled, number, times, &wave, &raw, leads_off);
                let wave_samples = u32::try_from(raw.len()).unwrap_or(u32::MAX);
                let leaf = format!("wave/{}", wave.channel);
                Sent {
                    leaf,
                    content_type: encode::WAVE,
                    payload: payload.into(),
                    intent,
                    wave_samples,
                    taken_at,
                }
            }
        }
    }
}

fn shifted(at: Timestamp, ahead_s: f64) -> Timestamp {
    let span = Duration::from_secs_f64(ahead_s.abs());
    if ahead_s >= 0.0 { at.after(span) } else { at.before(span) }
}
