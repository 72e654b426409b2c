//! One virtual device: what it measures of a body, what it keeps, and what leaves it.

use std::{sync::Arc, time::Duration};

use model::{Consciousness, MissingReason, Timestamp};

use crate::{
    device::{Enrolled, Kind, NIBP_EVERY_S, Numeric, Source, Wave},
    encode,
    fault::Fault,
    hospital::{Act, Intent, STEP_MS, Sent},
    patient::Patient,
    physiology::Body,
    rng::Rng,
};

/// Messages that a buffering device keeps while it cannot send.
const KEPT_MAX: usize = 20_000;
/// Seconds between two messages that end in their middle.
const HALF_EVERY_S: u64 = 5;

/// A virtual device.
#[derive(Clone, Debug)]
pub(crate) struct Instrument {
    pub(crate) enrolled: Enrolled,
    pub(crate) is_at_home: bool,
    /// It sends waves; without, a long script is lived quickly.
    pub(crate) sends_waves: bool,
    /// Charge, in percent.
    pub(crate) battery_percent: f64,
    /// How hurriedly a test lives: only each so manieth message of numerics is sent.
    pub(crate) every: u64,
    /// Tells its counts apart from those before it was switched on.
    pub(crate) boot: u64,
    seq: u64,
    wave_seq: Vec<u64>,
    is_cut: bool,
    kept: Vec<Kept>,
    /// The step of its rounds at which it sends.
    phase: u64,
    rng: Rng,
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

/// What is wrong with it in this step.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Trouble<'a> {
    /// The faults, each with the seconds for which it has held.
    pub(crate) faults: &'a [(Fault, f64)],
}

impl Trouble<'_> {
    fn find<T>(&self, read: impl Fn(&Fault, f64) -> Option<T>) -> Option<T> {
        self.faults.iter().find_map(|(fault, since_s)| read(fault, *since_s))
    }

    fn has(&self, wanted: Fault) -> bool {
        self.faults.iter().any(|(fault, _)| *fault == wanted)
    }

    /// How far the clock is ahead, in seconds.
    fn ahead_s(&self) -> f64 {
        self.find(|fault, since_s| match fault {
            Fault::ClockWrong { ahead_s } => Some(*ahead_s),
            Fault::ClockDrift { gains_s_per_hour } => Some(gains_s_per_hour * since_s / 3_600.0),
            _ => None,
        })
        .unwrap_or(0.0)
    }

    /// What the sensor adds to the truth.
    fn beside(&self) -> f64 {
        self.find(|fault, since_s| match fault {
            Fault::SensorDrift { gains_per_hour_units } => {
                Some(gains_per_hour_units * since_s / 3_600.0)
            }
            _ => None,
        })
        .unwrap_or(0.0)
    }
}

/// When a step is, by both clocks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    /// Counted from the start.
    pub(crate) step: u64,
    /// By true time.
    pub(crate) at: Timestamp,
    /// By the device's own clock.
    pub(crate) by_device: Timestamp,
}

impl Instrument {
    pub(crate) fn new(enrolled: Enrolled, index: usize, is_at_home: bool, seed: u64) -> Self {
        let mut rng = Rng::new(seed, 1_000 + index as u64);
        Self {
            boot: rng.next(),
            seq: 0,
            wave_seq: vec![0; enrolled.kind.waves().len()],
            is_cut: false,
            kept: Vec::new(),
            battery_percent: 60.0 + 40.0 * rng.unit_fraction(),
            is_at_home,
            sends_waves: true,
            every: 1,
            // Slow devices do not all speak in the same breath.
            phase: 10 + index as u64 % 40,
            rng,
            enrolled,
        }
    }

    pub(crate) fn act(
        &mut self,
        patient: &Patient,
        (step, at): (u64, Timestamp),
        trouble: Trouble<'_>,
    ) -> Vec<Act> {
        let mut acts = Vec::new();
        let is_expired = trouble.has(Fault::Expired);
        let is_cut = trouble.has(Fault::NetworkCut) || is_expired;
        if is_cut != self.is_cut {
            acts.push(match (is_cut, is_expired) {
                (true, true) => Act::Expire,
                (true, false) => Act::Cut,
                (false, _) => Act::Restore,
            });
            self.is_cut = is_cut;
        }
        let by_device = shifted(at, trouble.ahead_s());
        self.measure(patient, Moment { step, at, by_device }, trouble);
        let is_stalled = trouble.has(Fault::Stall);
        if is_cut || is_stalled {
            let keeps = self.enrolled.kind.buffers() || is_stalled;
            let surplus = self.kept.len().saturating_sub(if keeps { KEPT_MAX } else { 0 });
            self.kept.drain(..surplus);
            return acts;
        }
        let repeats = trouble.has(Fault::Repeats);
        for kept in std::mem::take(&mut self.kept) {
            let sent = self.sent(kept, by_device);
            let again = Sent { intent: Intent::Repeat, ..sent.clone() };
            acts.push(Act::Send(sent));
            if repeats {
                acts.push(Act::Send(again));
            }
        }
        if trouble.has(Fault::Garbage) && step.is_multiple_of(5) {
            let payload: Vec<u8> =
                (0..40).map(|_| self.rng.next().to_be_bytes()[0] | 0x80).collect();
            acts.push(Act::Send(unreadable(payload, at)));
        }
        let halves = HALF_EVERY_S * 1_000 / u64::from(STEP_MS);
        if trouble.has(Fault::HalfWritten) && step.is_multiple_of(halves) {
            let whole = encode::numerics(self.boot, self.seq, (by_device, by_device), &[]);
            let half = whole.get(..whole.len() / 2).unwrap_or_default().to_vec();
            acts.extend([Act::Send(unreadable(half, at)), Act::Cut, Act::Restore]);
        }
        acts
    }

    fn measure(&mut self, patient: &Patient, moment: Moment, trouble: Trouble<'_>) {
        let leads_off = trouble.has(Fault::LeadsOff);
        let moves = trouble.has(Fault::Motion);
        if self.sends_waves && patient.has_waves() {
            for (index, wave) in self.enrolled.kind.waves().iter().enumerate() {
                let leads_off = leads_off && wave.source == Source::Ecg;
                let mut raw = patient.counts(wave);
                if leads_off {
                    raw.fill(0);
                } else if moves {
                    for count in &mut raw {
                        let noise = 260.0 * self.rng.normal_fraction();
                        *count = count.saturating_add(noise as i16);
                    }
                }
                let Some(seq) = self.wave_seq.get_mut(index) else { continue };
                let device_at = moment.by_device.before(patient.span());
                let (taken_at, wave) = (moment.at, *wave);
                self.kept.push(Kept::Block {
                    taken_at,
                    device_at,
                    wave,
                    seq: *seq,
                    raw,
                    leads_off,
                });
                *seq += 1;
            }
        }
        self.drain(trouble);
        let every =
            u64::from(self.enrolled.kind.cadence_s(self.is_at_home)) * 1_000 / u64::from(STEP_MS);
        let (every, phase) = if every < 50 { (every * self.every, 0) } else { (every, self.phase) };
        if moment.step % every == phase % every {
            let values = self.numerics(patient, moment.step, trouble);
            let Moment { at: taken_at, by_device: device_at, .. } = moment;
            self.kept.push(Kept::Numerics { taken_at, device_at, seq: self.seq, values });
            self.seq += 1;
        }
    }

    fn drain(&mut self, trouble: Trouble<'_>) {
        let per_hour = trouble.find(|fault, _| match fault {
            Fault::BatteryDrain { percent_per_hour } => Some(*percent_per_hour),
            _ => None,
        });
        let hours = f64::from(STEP_MS) / 3_600_000.0;
        let left = self.battery_percent - per_hour.unwrap_or(0.18) * hours;
        // What is plugged in now and then never gets low by itself.
        let least = if per_hour.is_some() { 1.0 } else { 30.0_f64.min(self.battery_percent) };
        self.battery_percent = left.max(least);
    }

    fn numerics(&mut self, patient: &Patient, step: u64, trouble: Trouble<'_>) -> Vec<Numeric> {
        let body = patient.body();
        let leads_off = trouble.has(Fault::LeadsOff);
        let moves = trouble.has(Fault::Motion);
        let beside = trouble.beside();
        let mut rng = self.rng.clone();
        let mut noise = |spread: f64| spread * rng.normal_fraction();
        let counted = patient.counted_per_min();
        let rate = match counted {
            _ if leads_off => Err(MissingReason::SensorDetached),
            _ if moves && noise(1.0) > 0.6 => Err(MissingReason::PoorSignal),
            Some(rate) => Ok(rate + if moves { noise(14.0).abs() } else { 0.0 }),
            None if patient.quivers() => Err(MissingReason::PoorSignal),
            None => Ok(0.0),
        };
        let is_felt = patient.is_felt() && !(moves && noise(1.0) > 0.3);
        let felt = |value: f64| if is_felt { Ok(value) } else { Err(MissingReason::PoorSignal) };
        let pulse = counted.map_or(Err(MissingReason::PoorSignal), felt);
        let artefact = if moves { -noise(5.0).abs() } else { 0.0 };
        let saturation = body.saturation_percent + noise(0.3) + artefact;
        let saturation = felt(saturation.clamp(50.0, 100.0));
        let breaths = (body.breaths_per_min + noise(0.4)).max(0.0);
        let breaths = if body.breaths_per_min < 1.0 { 0.0 } else { breaths };
        let temperature = body.temperature_cel + noise(0.03) + beside;
        let glucose = (body.glucose_mg_per_dl + noise(2.0) + beside).clamp(20.0, 600.0);
        // Others draw no chance for it, so that they say what they always said.
        let is_spirometer = self.enrolled.kind == Kind::Spirometer;
        // No blow is better than the best.
        let effort_fraction = if is_spirometer { 1.0 - noise(0.02).abs() } else { 1.0 };
        self.rng = rng;
        let percent = trouble.find(|fault, _| match fault {
            Fault::Battery { percent } => Some(*percent),
            _ => None,
        });
        let round = |of_s: u32, at: u64| {
            let steps = u64::from(of_s) * 1_000 / u64::from(STEP_MS);
            // The first message at or after that step of each round.
            (step + steps - at) % steps < 5 * self.every
        };
        let rounds = Rounds { has_cuff: round(NIBP_EVERY_S, 10), has_slow: round(10, 5) };
        let read =
            Reading { rate, pulse, saturation, breaths, temperature, glucose, effort_fraction };
        let battery =
            numeric("MDC_ATTR_VAL_BATT_CHARGE", "%", 0, percent.unwrap_or(self.battery_percent));
        read.message(self.enrolled.kind, &body, rounds, battery)
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
                Sent {
                    leaf: format!("wave/{}", wave.channel),
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

/// What else a monitor sends in this second.
#[derive(Clone, Copy)]
struct Rounds {
    has_cuff: bool,
    has_slow: bool,
}

/// What the sensors say of a body at an instant.
struct Reading {
    rate: Result<f64, MissingReason>,
    pulse: Result<f64, MissingReason>,
    saturation: Result<f64, MissingReason>,
    breaths: f64,
    temperature: f64,
    glucose: f64,
    /// How hard somebody blew: 1 is as hard as they can.
    effort_fraction: f64,
}

const fn numeric(channel: &'static str, unit: &'static str, decimals: u8, value: f64) -> Numeric {
    Numeric { channel, unit, decimals, value: Ok(value) }
}

impl Reading {
    fn message(&self, kind: Kind, body: &Body, rounds: Rounds, battery: Numeric) -> Vec<Numeric> {
        let perhaps = |channel, unit, value| Numeric { channel, unit, decimals: 0, value };
        let rate = perhaps("MDC_ECG_HEART_RATE", "/min", self.rate);
        let pulse = perhaps("MDC_PULS_OXIM_PULS_RATE", "/min", self.pulse);
        let saturation = perhaps("MDC_PULS_OXIM_SAT_O2", "%", self.saturation);
        let breaths = numeric("MDC_RESP_RATE", "/min", 0, self.breaths);
        let temperature = numeric("MDC_TEMP", "Cel", 1, self.temperature);
        let pressures = |channels: [&'static str; 3]| {
            let values = [body.systolic_mmhg, body.diastolic_mmhg, body.mean_mmhg()];
            channels
                .into_iter()
                .zip(values)
                .map(|(channel, value)| numeric(channel, "mm[Hg]", 0, value))
        };
        let cuff = || {
            pressures([
                "MDC_PRESS_BLD_NONINV_SYS",
                "MDC_PRESS_BLD_NONINV_DIA",
                "MDC_PRESS_BLD_NONINV_MEAN",
            ])
        };
        let line = || {
            pressures([
                "MDC_PRESS_BLD_ART_ABP_SYS",
                "MDC_PRESS_BLD_ART_ABP_DIA",
                "MDC_PRESS_BLD_ART_ABP_MEAN",
            ])
        };
        match kind {
            Kind::BedsideMonitor => {
                let mut values = vec![rate, saturation, pulse, breaths];
                if rounds.has_slow {
                    values.extend([temperature, battery]);
                }
                if rounds.has_cuff {
                    values.extend(cuff());
                }
                values
            }
            Kind::IcuMonitor => {
                let mut values = vec![rate, saturation, pulse, breaths];
                values.extend(line());
                values.push(numeric("MDC_CONC_AWAY_CO2_ET", "mm[Hg]", 0, body.end_tidal_co2_mmhg));
                if rounds.has_slow {
                    values.extend([temperature, battery]);
                }
                values
            }
            Kind::EcgPatch => vec![rate, breaths, temperature, battery],
            Kind::Oximeter | Kind::HomeOximeter => vec![saturation, pulse, battery],
            Kind::Cuff => cuff().chain([battery]).collect(),
            Kind::GlucoseSensor => {
                vec![numeric("MDC_CONC_GLU_ISF", "mg/dL", 0, self.glucose), battery]
            }
            Kind::GlucoseMeter => vec![
                numeric("MDC_CONC_GLU_CAPILLARY_WHOLEBLOOD", "mg/dL", 0, self.glucose),
                battery,
            ],
            Kind::WeightScale => {
                vec![numeric("MDC_MASS_BODY_ACTUAL", "kg", 1, body.weight_kg), battery]
            }
            Kind::Spirometer => self.blow(body).into_iter().chain([battery]).collect(),
        }
    }
}

impl Reading {
    /// One hard blow, of somebody who is awake enough to be asked for it.
    fn blow(&self, body: &Body) -> [Numeric; 3] {
        let is_able = body.consciousness == Consciousness::Alert;
        let blown = |channel, unit, decimals, most: f64| {
            let value = most * self.effort_fraction;
            let value = if is_able { Ok(value) } else { Err(MissingReason::NotMeasured) };
            Numeric { channel, unit, decimals, value }
        };
        let peak = body.peak_flow_litres_per_min;
        [
            blown("MDC_VOL_AWAY_EXP_FORCED_1S", "L", 2, body.fev1_litres),
            blown("MDC_VOL_AWAY_EXP_FORCED_CAPACITY", "L", 2, body.fvc_litres),
            blown("MDC_FLOW_AWAY_EXP_FORCED_PEAK", "L/min", 0, peak),
        ]
    }
}

fn unreadable(payload: Vec<u8>, at: Timestamp) -> Sent {
    let payload: Arc<[u8]> = payload.into();
    let (leaf, content_type) = ("num".to_owned(), encode::SENML_JSON);
    Sent { leaf, content_type, payload, intent: Intent::Garbage, wave_samples: 0, taken_at: at }
}

fn shifted(at: Timestamp, ahead_s: f64) -> Timestamp {
    let span = Duration::from_secs_f64(ahead_s.abs());
    if ahead_s >= 0.0 { at.after(span) } else { at.before(span) }
}
