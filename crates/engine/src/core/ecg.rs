//! One ECG channel: its samples in microvolts through the detector to the rhythm.
//!
//! Time is counted in samples from an anchor, so that a jitter of the network is not
//! taken for one of the heart; a gap sets a new anchor.

use std::time::Duration;

use care::rhythm::{Rhythm, Seen};
use model::Timestamp;
use protocols::wave::{Counts, Doubt};
use signal::{HeartRateFilter, QrsDetector, SampleRate};

/// The detector of one ECG channel and what its beats mean.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Ecg {
    pub(super) detector: QrsDetector,
    pub(super) filter: HeartRateFilter,
    pub(super) rhythm: Rhythm,
    /// When the detector's sample 0 would have been taken.
    pub(super) anchor: Timestamp,
    /// Up to where the rhythm was told of the signal.
    pub(super) told_until: Option<Timestamp>,
}

/// A detector's beats are told this long after they were, at the latest.
const LATENCY: Duration = Duration::from_millis(QrsDetector::LATENCY_MS);
/// No gap is told to a detector as longer than this; it has relearned long before.
const LOST_MAX: u64 = 1 << 20;

fn nanos_of(samples: u64, (numerator, denominator): (u32, u32)) -> i64 {
    let nanos = u128::from(samples) * u128::from(denominator) * 1_000_000_000;
    let nanos = nanos.checked_div(u128::from(numerator)).unwrap_or(0);
    i64::try_from(nanos).unwrap_or(i64::MAX)
}

pub(super) fn plus(at: Timestamp, nanos: i64) -> Timestamp {
    Timestamp::from_unix_nanos(at.unix_nanos().saturating_add(nanos))
}

impl Ecg {
    pub(super) fn new(rate_hz: (u32, u32)) -> Option<Self> {
        let rate = SampleRate::new(rate_hz.0, rate_hz.1).ok()?;
        Some(Self {
            detector: QrsDetector::new(rate).ok()?,
            filter: HeartRateFilter::new(rate),
            rhythm: Rhythm::default(),
            anchor: Timestamp::default(),
            told_until: None,
        })
    }

    fn at(&self, sample: u64) -> Timestamp {
        let rate = self.detector.rate();
        plus(self.anchor, nanos_of(sample, (rate.numerator(), rate.denominator())))
    }

    /// Passes over samples that are missing or worthless.
    pub(super) fn lost(&mut self, samples: u64) {
        self.detector.lost(samples.clamp(1, LOST_MAX));
        self.filter.gap();
        self.rhythm.observe(Seen::Lost);
        self.told_until = None;
    }

    /// Sets the clock of samples so that the next one was taken at `at`.
    pub(super) fn anchor_next(&mut self, at: Timestamp) {
        let rate = self.detector.rate();
        let before = nanos_of(self.detector.position(), (rate.numerator(), rate.denominator()));
        self.anchor = plus(at, before.saturating_neg());
    }

    /// Takes in a stretch of valid samples.
    fn push(&mut self, microvolts: impl Iterator<Item = i32>) {
        let from = self.told_until.unwrap_or_else(|| self.at(self.detector.position()));
        for value in microvolts {
            if let Some(beat) = self.detector.push(value) {
                self.filter.beat(beat.sample);
                self.rhythm.observe(Seen::Beat(self.at(beat.sample)));
            }
        }
        let until = self.at(self.detector.position()).before(LATENCY).max(from);
        self.rhythm.observe(Seen::Span { from, until });
        self.told_until = Some(until);
    }

    /// Takes in a whole block, valid stretch by valid stretch.
    pub(super) fn take(&mut self, counts: &Counts, scale: Scale) {
        let worthless = |doubt: &Doubt| matches!(doubt, Doubt::LeadOff | Doubt::Gap);
        let mut spans: Vec<(usize, usize)> = counts
            .doubts
            .iter()
            .filter(|span| worthless(&span.reason))
            .map(|span| (index(span.start), index(span.start.saturating_add(span.len))))
            .collect();
        spans.sort_unstable();
        let mut at = 0;
        let end = counts.samples.len();
        for (start, stop) in spans.into_iter().chain([(end, end)]) {
            let (start, stop) = (start.min(end), stop.min(end));
            if let Some(valid) = counts.samples.get(at..start).filter(|valid| !valid.is_empty()) {
                self.push(valid.iter().map(|count| scale.microvolts(*count)));
            }
            let from = at.max(start);
            if stop > from {
                self.lost(u64::try_from(stop - from).unwrap_or(1));
            }
            at = at.max(stop);
        }
    }
}

fn index(sample: u32) -> usize {
    usize::try_from(sample).unwrap_or(usize::MAX)
}

/// How counts become microvolts, in whole numbers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scale {
    offset: i64,
    times: i128,
    divided_by: i128,
}

impl Scale {
    pub(super) fn of(counts: &Counts, unit: &str) -> Option<Self> {
        let to_micro = match unit {
            "V" => 6,
            "mV" => 3,
            "uV" => 0,
            _ => return None,
        };
        let power = i32::from(counts.gain.1) + to_micro;
        let factor = 10_i128.checked_pow(power.unsigned_abs())?;
        let mantissa = i128::from(counts.gain.0);
        let (times, divided_by) =
            if power < 0 { (mantissa, factor) } else { (mantissa.checked_mul(factor)?, 1) };
        Some(Self { offset: i64::from(counts.offset), times, divided_by })
    }

    fn microvolts(self, count: i32) -> i32 {
        let micro = i128::from(i64::from(count) - self.offset)
            .saturating_mul(self.times)
            .checked_div(self.divided_by)
            .unwrap_or(0);
        i32::try_from(micro.clamp(i32::MIN.into(), i32::MAX.into())).unwrap_or(0)
    }
}

pub(super) fn samples_in(nanos: u64, (numerator, denominator): (u32, u32)) -> u64 {
    let product = u128::from(nanos) * u128::from(numerator);
    let samples = product.checked_div(u128::from(denominator) * 1_000_000_000).unwrap_or(0);
    u64::try_from(samples).unwrap_or(LOST_MAX)
}
