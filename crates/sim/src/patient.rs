//! One virtual patient: a body with its illnesses, a heart that plays a recording, and
//! the traces of the last step.

use std::time::Duration;

use crate::{
    device::{Source, Wave},
    ecg::{Heart, Recording},
    hospital::STEP_MS,
    illness::{Case, Drives, Illness},
    physiology::{AtRest, Body, Physiology, Rhythm},
    rng::Rng,
    treatment::Treatment,
};

/// Samples per second in which traces are made; each device takes from them at its own rate.
const BASE_HZ: u32 = 250;
/// A finger's last values stay for so long without a pulse, in seconds.
const HELD_FOR_S: f64 = 8.0;
/// Less of a pulse than this is none.
const PULSE_MIN: f64 = 0.08;
/// Compressions end when nobody gives any for so long, in seconds.
const COMPRESSED_FOR_S: f64 = 120.0;

/// A virtual patient.
#[derive(Clone, Debug)]
pub(crate) struct Patient {
    physiology: Physiology,
    cases: Vec<Case>,
    heart: Heart,
    rng: Rng,
    slowed: f64,
    slowed_to: f64,
    infuses: f64,
    compressed_until_s: f64,
    breath_phase: f64,
    quiver_phase: f64,
    since_beat_s: f64,
    finger: Finger,
    pulseless_s: f64,
    /// Whether any device wants its traces.
    pub(crate) is_traced: bool,
    /// Steps that one block of samples spans.
    pub(crate) block_steps: u32,
    steps_in_block: u32,
    /// The traces of this block, at [`BASE_HZ`]: microvolts, the finger's volume, the chest.
    ecg_uv: Vec<f64>,
    pleth: Vec<f64>,
    breath: Vec<f64>,
    second: f64,
}

impl Patient {
    pub(crate) fn new(at_rest: AtRest, recording: Recording, seed: u64, index: usize) -> Self {
        let mut rng = Rng::new(seed, index as u64);
        let heart = Heart::new(recording, &mut rng);
        Self {
            physiology: Physiology::new(at_rest),
            cases: Vec::new(),
            heart,
            breath_phase: rng.unit_fraction(),
            rng,
            slowed: 0.0,
            slowed_to: 0.0,
            infuses: 0.0,
            compressed_until_s: 0.0,
            quiver_phase: 0.0,
            since_beat_s: 9.0,
            finger: Finger::default(),
            pulseless_s: 0.0,
            is_traced: false,
            block_steps: 1,
            steps_in_block: 0,
            ecg_uv: Vec::new(),
            pleth: Vec::new(),
            breath: Vec::new(),
            second: 0.0,
        }
    }

    pub(crate) const fn body(&self) -> Body {
        self.physiology.body()
    }

    /// Whether the ventricles move without beating.
    pub(crate) fn quivers(&self) -> bool {
        self.body().rhythm == Rhythm::VentricularFibrillation
    }

    /// Whether a sensor on a finger finds a pulse, or still shows the last one.
    pub(crate) fn is_felt(&self) -> bool {
        self.pulseless_s < HELD_FOR_S
    }

    /// Beats per minute as a monitor counts them; `None` without beats.
    pub(crate) fn counted_per_min(&self) -> Option<f64> {
        if self.is_traced {
            return self.heart.counted_per_min();
        }
        let rate = self.body().heart_rate_per_min;
        (rate > 0.0).then_some(rate)
    }

    pub(crate) fn fall_ill(&mut self, case: Case) {
        // The same again takes the place of what is passing.
        self.cases.retain(|other| other.illness != case.illness || !other.is_over(case.from_s));
        self.cases.push(case);
    }

    /// The illnesses that it has now.
    pub(crate) fn illnesses(&self) -> impl Iterator<Item = Illness> + '_ {
        let second = self.second;
        self.cases.iter().filter(move |case| case.level(second) > 0.02).map(|case| case.illness)
    }

    /// Somebody does something for this patient; answers whether it worked on anything.
    pub(crate) fn treat(&mut self, treatment: Treatment) -> bool {
        let second = self.second;
        let mut works = false;
        for case in self.cases.iter_mut().filter(|case| case.level(second) > 0.0) {
            works |= case.treat(treatment);
        }
        match treatment {
            Treatment::Oxygen => self.physiology.oxygen = 0.45,
            Treatment::Fluids => self.infuses = (self.infuses + 0.16).min(0.3),
            Treatment::Glucose => self.physiology.sugar_mg_per_dl += 55.0,
            Treatment::RateControl => self.slowed_to = 1.0,
            Treatment::Compressions => self.compressed_until_s = second + COMPRESSED_FOR_S,
            _ => return works,
        }
        true
    }

    pub(crate) fn live(&mut self, second: f64) {
        self.second = second;
        let step_s = f64::from(STEP_MS) / 1_000.0;
        for case in &mut self.cases {
            case.live(step_s);
        }
        self.cases.retain(|case| !case.is_over(second));
        self.slowed += (self.slowed_to - self.slowed) * step_s / 420.0;
        // Over a quarter of an hour; what is too much is passed as water.
        self.physiology.infused += (self.infuses - self.physiology.infused) * step_s / 900.0;
        let mut drives = Drives {
            slowed: self.slowed,
            is_compressed: second < self.compressed_until_s,
            ..Drives::default()
        };
        for case in &self.cases {
            case.drive(second, &mut drives);
        }
        if drives.blood_lost < 0.02 && drives.infection < 0.1 {
            self.infuses = (self.infuses - step_s / 36_000.0).max(0.0);
        }
        self.physiology.live(step_s, &drives);
        let has_pulse = self.body().pulse_fraction > PULSE_MIN;
        self.pulseless_s = if has_pulse { 0.0 } else { self.pulseless_s + step_s };
        if self.is_traced {
            self.trace();
        }
    }

    /// Makes the samples of one step.
    fn trace(&mut self) {
        if self.steps_in_block >= self.block_steps {
            self.steps_in_block = 0;
            (self.ecg_uv, self.pleth, self.breath) = Default::default();
        }
        self.steps_in_block += 1;
        let body = self.body();
        let step_s = 1.0 / f64::from(BASE_HZ);
        let depth = if body.breaths_per_min > 0.0 { body.tidal_fraction } else { 0.0 };
        for _ in 0..STEP_MS * BASE_HZ / 1_000 {
            let (level, is_beat) = self.heart.next(
                step_s,
                body.heart_rate_per_min,
                body.irregular_fraction(),
                &mut self.rng,
            );
            self.since_beat_s = if is_beat { 0.0 } else { self.since_beat_s + step_s };
            self.breath_phase = (self.breath_phase + step_s * body.breaths_per_min / 60.0).fract();
            let chest = (std::f64::consts::TAU * self.breath_phase).sin();
            let level = match body.rhythm {
                Rhythm::VentricularFibrillation => self.quiver(step_s),
                Rhythm::Tachycardia => wide_uv(self.since_beat_s),
                _ => level,
            };
            // The baseline rides on the breath, as on any chest.
            self.ecg_uv.push(level + 30.0 * chest * depth + 8.0 * self.rng.normal_fraction());
            let volume = self.finger.next(step_s, is_beat, body.pulse_fraction);
            self.pleth.push(volume * (1.0 + 0.06 * chest));
            self.breath.push(chest * depth);
        }
    }

    /// Ventricles that quiver: coarse waves whose pace and height wander, in microvolts.
    fn quiver(&mut self, step_s: f64) -> f64 {
        let pace_hz = 4.6 + 0.8 * (self.second * 0.9).sin();
        self.quiver_phase = (self.quiver_phase + step_s * pace_hz).fract();
        let height_uv = 180.0 + 60.0 * (self.second * 1.7).sin();
        height_uv * (std::f64::consts::TAU * self.quiver_phase).sin()
    }

    /// Whether a whole block of samples is there.
    pub(crate) const fn has_waves(&self) -> bool {
        self.is_traced && self.steps_in_block == self.block_steps
    }

    /// How long the samples of a block last.
    pub(crate) fn span(&self) -> Duration {
        Duration::from_millis(u64::from(STEP_MS) * u64::from(self.block_steps))
    }

    /// Samples of this block at the wave's rate, as counts.
    pub(crate) fn counts(&self, wave: &Wave) -> Vec<i16> {
        let per_count = wave.gain.0 as f64 * 10_f64.powi(wave.gain.1.into());
        let (samples, scale) = match wave.source {
            Source::Ecg => (&self.ecg_uv, 1e-3),
            Source::Pleth => (&self.pleth, 1.0),
            Source::Breath => (&self.breath, 1.0),
        };
        let count = (STEP_MS * self.steps_in_block * wave.rate_hz / 1_000) as usize;
        let nearest = |n: usize| samples.get(n * samples.len() / count.max(1));
        // A float becomes the nearest count that fits.
        (0..count)
            .filter_map(nearest)
            .map(|level| (level * scale / per_count).round() as i16)
            .collect()
    }
}

/// Beats whose waves are still under way in a finger, at any rate that a heart can have.
const WAVES_MAX: usize = 6;
/// A wave is over so long after its beat, in seconds.
const WAVE_LASTS_S: f64 = 1.1;

/// The volume of a finger. A wave that comes rides on what is left of those before it, so
/// that no beat, however early, breaks the trace.
#[derive(Clone, Debug, Default)]
pub(crate) struct Finger {
    /// Seconds since the beats whose waves are under way, with the strength of each; newest last.
    waves: Vec<(f64, f64)>,
}

impl Finger {
    /// Its volume `step_s` seconds on, without a unit.
    pub(crate) fn next(&mut self, step_s: f64, is_beat: bool, pulse_fraction: f64) -> f64 {
        for (since_s, _) in &mut self.waves {
            *since_s += step_s;
        }
        self.waves.retain(|(since_s, _)| *since_s < WAVE_LASTS_S);
        if is_beat {
            let surplus = (self.waves.len() + 1).saturating_sub(WAVES_MAX);
            self.waves.drain(..surplus);
            self.waves.push((0.0, pulse_fraction));
        }
        self.waves.iter().map(|(since_s, strength)| pulse(*since_s) * strength).sum()
    }
}

/// The finger's volume so long after a beat: a wave and its dicrotic echo, without a unit.
fn pulse(since_beat_s: f64) -> f64 {
    let bump = |centre: f64, width: f64| (-((since_beat_s - centre) / width).powi(2)).exp();
    bump(0.28, 0.09) + 0.35 * bump(0.52, 0.12)
}

/// The wide complex of a ventricle that beats by itself, so long after its begin, in microvolts.
fn wide_uv(since_beat_s: f64) -> f64 {
    let bump = |centre: f64, width: f64| (-((since_beat_s - centre) / width).powi(2)).exp();
    1_100.0 * bump(0.06, 0.035) - 650.0 * bump(0.18, 0.05)
}
