//! Real heartbeats at the rate that the body asks for.
//!
//! A recording is cut into cycles at its annotated beats. Each cycle is played with
//! its P wave and QRS untouched, and what follows is stretched or squeezed to the
//! length that the rate wants, as the QT and TP intervals of a heart do.

use std::sync::Arc;

use crate::rng::Rng;

/// A recorded lead with its annotated beats.
#[derive(Clone, Debug, PartialEq)]
pub struct Recording {
    /// Where it comes from, such as `mitdb/100`.
    pub name: String,
    /// Samples per second.
    pub rate_hz: f64,
    /// The lead, in microvolts.
    pub microvolts: Arc<[i32]>,
    /// The sample of each beat's R wave, rising.
    pub beats: Arc<[usize]>,
}

impl Recording {
    /// A heart of which nothing was recorded.
    pub(crate) fn silent() -> Self {
        let (microvolts, beats) = (Arc::default(), Arc::default());
        Self { name: String::new(), rate_hz: 250.0, microvolts, beats }
    }
}

/// Before the R wave, so that a cycle begins between T and P.
const LEAD_IN_S: f64 = 0.25;
/// From the cycle's begin to the end of QRS: never stretched.
const KEPT_S: f64 = 0.37;
/// A cycle shorter or longer than this is a gap in the annotations.
const CYCLE_S: std::ops::RangeInclusive<f64> = 0.3..=2.5;

/// Plays a recording; asks at each beat how long the next cycle shall be.
#[derive(Clone, Debug)]
pub struct Heart {
    recording: Recording,
    /// The next beat of the recording to be played.
    beat: usize,
    /// Where we are in the present cycle, and how long it is, in seconds.
    at_s: f64,
    cycle_s: f64,
    /// Begin of the cycle in the recording, and its length there, in seconds.
    source: Option<(f64, f64)>,
    /// The level that a stopped heart leaves, in microvolts.
    level_uv: f64,
    /// Lengths of the last cycles, newest last, in seconds.
    last_s: Vec<f64>,
    /// Seconds since the last R wave.
    since_beat_s: f64,
}

impl Heart {
    /// A heart that starts somewhere in the recording.
    pub fn new(recording: Recording, rng: &mut Rng) -> Self {
        let beats = recording.beats.len().max(1);
        let beat = usize::try_from(rng.next()).unwrap_or(0) % beats;
        Self {
            recording,
            beat,
            at_s: 0.0,
            cycle_s: 0.0,
            source: None,
            level_uv: 0.0,
            last_s: Vec::new(),
            since_beat_s: 0.0,
        }
    }

    /// The next sample `step_s` seconds on, in microvolts, and whether its R wave fell into the step.
    pub fn next(
        &mut self,
        step_s: f64,
        rate_per_min: f64,
        irregular: f64,
        rng: &mut Rng,
    ) -> (f64, bool) {
        let before = self.at_s;
        self.at_s += step_s;
        self.since_beat_s += step_s;
        let is_beat = self.source.is_some() && before < LEAD_IN_S && self.at_s >= LEAD_IN_S;
        if is_beat {
            self.since_beat_s = 0.0;
        }
        if self.at_s >= self.cycle_s {
            self.at_s -= self.cycle_s;
            self.begin_cycle(rate_per_min, irregular, rng);
        }
        let Some((from_s, length_s)) = self.source else { return (self.level_uv, false) };
        let stretch = (length_s - KEPT_S).max(0.05) / (self.cycle_s - KEPT_S).max(0.05);
        let in_source =
            if self.at_s <= KEPT_S { self.at_s } else { KEPT_S + (self.at_s - KEPT_S) * stretch };
        self.level_uv = self.sample_uv(from_s + in_source);
        (self.level_uv, is_beat)
    }

    /// Beats per minute over the last eight cycles, as a monitor counts; `None` without beats.
    pub fn counted_per_min(&self) -> Option<f64> {
        let count = self.last_s.len();
        let is_beating = count >= 2 && self.since_beat_s < 3.0;
        is_beating.then(|| 60.0 * count as f64 / self.last_s.iter().sum::<f64>())
    }

    fn begin_cycle(&mut self, rate_per_min: f64, irregular: f64, rng: &mut Rng) {
        if rate_per_min < 1.0 {
            // No beat: look again in half a second.
            (self.source, self.at_s, self.cycle_s) = (None, 0.0, 0.5);
            return;
        }
        self.source = self.next_cycle();
        let noise = 1.0 + irregular * rng.normal_fraction();
        self.cycle_s = (60.0 / rate_per_min * noise).clamp(0.27, 4.0);
        self.last_s.push(self.cycle_s);
        if self.last_s.len() > 8 {
            self.last_s.remove(0);
        }
    }

    /// Begin and length, in seconds, of the next sound cycle of the recording.
    fn next_cycle(&mut self) -> Option<(f64, f64)> {
        for _ in 0..self.recording.beats.len() {
            let pair = self.recording.beats.get(self.beat..self.beat.saturating_add(2));
            self.beat = if pair.is_some() { self.beat + 1 } else { 0 };
            if let Some(&[from, to]) = pair {
                let length_s = to.saturating_sub(from) as f64 / self.recording.rate_hz;
                let from_s = from as f64 / self.recording.rate_hz - LEAD_IN_S;
                if CYCLE_S.contains(&length_s) && from_s >= 0.0 {
                    return Some((from_s, length_s));
                }
            }
        }
        None
    }

    /// The recording between its samples, in microvolts.
    fn sample_uv(&self, at_s: f64) -> f64 {
        let place = (at_s * self.recording.rate_hz).max(0.0);
        let (floor, part) = (place.floor(), place.fract());
        // A place in a recording of minutes fits.
        let index = floor as usize;
        let at = |index: usize| {
            self.recording.microvolts.get(index).map_or(self.level_uv, |v| f64::from(*v))
        };
        at(index) * (1.0 - part) + at(index.saturating_add(1)) * part
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A spike of a millivolt each 0.8 s at 360 Hz.
    fn recording() -> Recording {
        let beats: Vec<usize> = (1..60).map(|n| n * 288).collect();
        let mut microvolts = vec![0; 60 * 288];
        for beat in &beats {
            microvolts[*beat] = 1_000;
        }
        let name = "spikes".to_owned();
        Recording { name, rate_hz: 360.0, microvolts: microvolts.into(), beats: beats.into() }
    }

    #[track_caller]
    fn check(rate_per_min: f64, seconds: u32, beats: std::ops::RangeInclusive<usize>) {
        let mut rng = Rng::new(1, 1);
        let mut heart = Heart::new(recording(), &mut rng);
        let played: Vec<_> = (0..seconds * 250)
            .map(|_| heart.next(1.0 / 250.0, rate_per_min, 0.0, &mut rng))
            .collect();
        let counted = played.iter().filter(|(_, is_beat)| *is_beat).count();
        assert!(beats.contains(&counted), "{counted} beats at {rate_per_min}");
        let spikes =
            played.windows(3).filter(|w| w[1].0 > 200.0 && w[1].0 >= w[0].0 && w[1].0 > w[2].0);
        assert!(beats.contains(&spikes.count()), "at {rate_per_min}");
        if rate_per_min > 0.0 {
            assert!((heart.counted_per_min().unwrap() - rate_per_min).abs() < 1.0);
        }
    }

    #[test]
    fn the_heart_beats_at_the_rate_that_the_body_asks_for() {
        check(60.0, 60, 58..=61);
        check(120.0, 60, 117..=121);
        check(180.0, 30, 87..=91);
        check(40.0, 60, 38..=41);
        check(0.0, 10, 0..=0);
    }
}
