//! Finds heartbeats in one lead of an ECG while it streams in: our own detector, whole numbers from end to end.
//!
//! ```text
//! microvolts, 100–1,000 Hz ─► resampler, 250 Hz ─► energy and its peaks ─► judge ─► beats
//! ```
//!
//! It works on any lead, upright or inverted, of any amplitude between about 0.15 and 20 mV. All is integer arithmetic,
//! so that the same samples give the same beats on every machine, and a restored snapshot goes on as if nothing had
//! happened. It names no rhythm and no kind of beat, and calls nothing asystole: it only says when a beat was.

mod energy;
mod judge;
mod resampler;
#[cfg(test)]
mod tests;

use crate::SampleRate;
use crate::snapshot::{Fields, SnapshotError};

use energy::Energy;
use judge::Judge;
use resampler::{Resampler, TICKS_PER_SECOND};

/// A beat, reported once, in rising order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Beat {
    /// The sample of its R wave's top, counted from the first sample, lost ones included.
    pub sample: u64,
    /// Whether it was weak, and taken for a beat only because none came in its time.
    pub searched_back: bool,
}

/// A rate at which beats cannot be found well.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("sample rate of {numerator}/{denominator} Hz is not between 100 and 1000 Hz")]
pub struct UnsupportedRate {
    /// The upper number of the refused rate.
    pub numerator: u32,
    /// The lower number of the refused rate.
    pub denominator: u32,
}

/// The detector and all it remembers, about 1.2 KiB.
#[derive(Clone, Debug, PartialEq)]
pub struct QrsDetector {
    resampler: Resampler,
    /// `None` until the first sample after the start or a gap.
    energy: Option<Energy>,
    judge: Judge,
}

impl QrsDetector {
    /// Changes with every change that can move, add, or lose a beat; recorded beside what was decided from beats.
    pub const VERSION: u16 = 1;
    /// How long after its R wave a beat is reported at the latest, unless it was searched back.
    pub const LATENCY_MS: u64 = 410;
    /// How long after its R wave a beat that was searched back is reported at the latest.
    pub const SEARCH_BACK_LATENCY_MS: u64 = 3_000;
    /// How long after its start, or after a gap, the detector reports nothing.
    pub const LEARNING_MS: u64 = 3_000;
    const BYTES: usize = 2 + Resampler::BYTES + 1 + Energy::BYTES + Judge::BYTES;

    /// A detector that has seen nothing, for 100 to 1,000 samples per second.
    pub fn new(rate: SampleRate) -> Result<Self, UnsupportedRate> {
        if !is_supported(rate) {
            return Err(UnsupportedRate {
                numerator: rate.numerator(),
                denominator: rate.denominator(),
            });
        }
        Ok(Self { resampler: Resampler::new(rate), energy: None, judge: Judge::new(0) })
    }

    /// Takes the next sample in microvolts; answers with the beat that it makes known.
    pub fn push(&mut self, microvolts: i32) -> Option<Beat> {
        let mut tick = self.resampler.tick();
        let mut found = None;
        for value in self.resampler.push(microvolts).into_iter().flatten() {
            let energy = self.energy.get_or_insert_with(|| Energy::settled_at(value));
            let peak = energy.push(value, tick);
            found = self.judge.weigh(peak, tick).or(found);
            tick = tick.saturating_add(1);
        }
        // Peaks are 200 ms apart and a sample lasts 10 ms at most, so that a sample makes known one beat or none.
        let found = found.or_else(|| self.judge.search_back(tick))?;
        Some(Beat {
            sample: self.resampler.sample_at(found.tick),
            searched_back: found.searched_back,
        })
    }

    /// Passes over samples that are missing or worthless: an electrode off, a lost block. What follows is learned anew.
    pub fn lost(&mut self, samples: u64) {
        if samples > 0 {
            self.resampler.skip(samples);
            self.energy = None;
            self.judge = Judge::new(self.resampler.tick());
        }
    }

    /// The rate for which it was made.
    pub fn rate(&self) -> SampleRate {
        self.resampler.rate()
    }

    /// Samples so far, pushed and lost; the next one has this number.
    pub fn position(&self) -> u64 {
        self.resampler.position()
    }

    /// All it remembers, for a checkpoint: the version, then fixed fields, big-endian.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(Self::BYTES);
        out.extend(Self::VERSION.to_be_bytes());
        self.resampler.encode(&mut out);
        out.push(u8::from(self.energy.is_some()));
        self.energy.as_ref().unwrap_or(&Energy::settled_at(0)).encode(&mut out);
        self.judge.encode(&mut out);
        out
    }

    /// Takes up what [`Self::encode`] wrote; bytes of another version or from elsewhere are refused.
    pub fn decode(bytes: &[u8]) -> Result<Self, SnapshotError> {
        let mut fields = Fields::open(bytes, Self::VERSION, Self::BYTES)?;
        let resampler = Resampler::decode(&mut fields)?;
        let has_energy = fields.flag()?;
        let energy = Energy::decode(&mut fields)?;
        let judge = Judge::decode(&mut fields, resampler.tick())?;
        Ok(Self { resampler, energy: has_energy.then_some(energy), judge })
    }
}

/// Whether a rate lies between 100 and 1,000 Hz.
fn is_supported(rate: SampleRate) -> bool {
    let (numerator, denominator) = (u64::from(rate.numerator()), u64::from(rate.denominator()));
    (100 * denominator..=1000 * denominator).contains(&numerator)
}

// The stages' delays and the longest sample stay within what is promised.
const _: () =
    assert!(energy::DELAY_MAX as u64 * 1000 / TICKS_PER_SECOND + 10 <= QrsDetector::LATENCY_MS);
