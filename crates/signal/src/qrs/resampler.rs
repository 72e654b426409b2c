//! Samples of any rate become samples of 250 Hz, so that everything after is written for one rate.
//!
//! Each input holds its value until the next; each output is the mean of that staircase over its 4 ms. Time is counted
//! in units of 1/(250 × numerator) s, in which both steps are whole numbers, so nothing drifts.

use crate::SampleRate;
use crate::snapshot::{Fields, SnapshotError};

/// Outputs per second.
pub(super) const TICKS_PER_SECOND: u64 = 250;
/// Bounds of an input in microvolts; electrodes may be 300 mV apart, and nothing real is 1 V.
const MICROVOLTS_MAX: i64 = 1_000_000;
/// No gap leads further; at 1,000 Hz these are a hundred million years, and their ticks still fit a `u64`.
const SKIP_TO_MAX: u64 = 1 << 62;

/// Where the staircase stands.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Resampler {
    rate: SampleRate,
    /// Inputs so far, taken or lost.
    position: u64,
    /// Outputs so far, taken or lost.
    tick: u64,
    /// Units of the current output that have passed.
    filled: u64,
    /// Microvolts times units of the current output.
    sum: i64,
    /// The next input also stands for what passed of its output before it.
    fresh: bool,
}

/// The outputs that one input completes, oldest first; up to three at the lowest rate.
pub(super) type Outputs = [Option<i64>; 3];

impl Resampler {
    pub(super) fn new(rate: SampleRate) -> Self {
        Self { rate, position: 0, tick: 0, filled: 0, sum: 0, fresh: true }
    }

    /// Takes one input; an output is in microvolts.
    pub(super) fn push(&mut self, microvolts: i32) -> Outputs {
        let value = i64::from(microvolts).clamp(-MICROVOLTS_MAX, MICROVOLTS_MAX);
        let full = u64::from(self.rate.numerator());
        if std::mem::take(&mut self.fresh) {
            self.sum = value * self.filled.cast_signed();
        }
        self.position = self.position.saturating_add(1);
        let mut left = TICKS_PER_SECOND * u64::from(self.rate.denominator());
        let mut outputs = [None; 3];
        for output in &mut outputs {
            let needed = full - self.filled;
            if left < needed {
                break;
            }
            *output = Some((self.sum + value * needed.cast_signed()) / full.cast_signed());
            self.tick = self.tick.saturating_add(1);
            left -= needed;
            (self.filled, self.sum) = (0, 0);
        }
        self.filled += left;
        self.sum += value * left.cast_signed();
        outputs
    }

    /// Passes over inputs that never came.
    pub(super) fn skip(&mut self, samples: u64) {
        self.position = self.position.max(self.position.saturating_add(samples).min(SKIP_TO_MAX));
        (self.tick, self.filled) = passed(self.rate, self.position);
        self.sum = 0;
        self.fresh = true;
    }

    /// Inputs so far, taken or lost.
    pub(super) fn position(&self) -> u64 {
        self.position
    }

    /// Outputs so far; the next one has this number.
    pub(super) fn tick(&self) -> u64 {
        self.tick
    }

    /// The rate of the inputs.
    pub(super) fn rate(&self) -> SampleRate {
        self.rate
    }

    /// The input under the middle of an output.
    pub(super) fn sample_at(&self, tick: u64) -> u64 {
        let units = (2 * u128::from(tick) + 1) * u128::from(self.rate.numerator());
        let sample =
            units / (2 * u128::from(TICKS_PER_SECOND) * u128::from(self.rate.denominator()));
        u64::try_from(sample).unwrap_or(u64::MAX)
    }

    pub(super) const BYTES: usize = 4 + 4 + 8 + 8 + 1;

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        out.extend(self.rate.numerator().to_be_bytes());
        out.extend(self.rate.denominator().to_be_bytes());
        out.extend(self.position.to_be_bytes());
        out.extend(self.sum.to_be_bytes());
        out.push(u8::from(self.fresh));
    }

    pub(super) fn decode(fields: &mut Fields<'_>) -> Result<Self, SnapshotError> {
        let impossible = |field| SnapshotError::Impossible { field };
        let rate =
            SampleRate::new(fields.u32()?, fields.u32()?).map_err(|_| impossible("sample rate"))?;
        if !super::is_supported(rate) {
            return Err(impossible("sample rate"));
        }
        let position = fields.u64()?;
        if position > 2 * SKIP_TO_MAX {
            return Err(impossible("position"));
        }
        let (tick, filled) = passed(rate, position);
        let sum = fields.i64()?;
        if sum.unsigned_abs() > filled * MICROVOLTS_MAX.unsigned_abs() {
            return Err(impossible("sum"));
        }
        let fresh = fields.flag()?;
        Ok(Self { rate, position, tick, filled, sum, fresh })
    }
}

/// Whole outputs, and units of the next, that have passed after this many inputs.
fn passed(rate: SampleRate, position: u64) -> (u64, u64) {
    let units =
        u128::from(position) * u128::from(TICKS_PER_SECOND) * u128::from(rate.denominator());
    let full = u128::from(rate.numerator());
    let tick = u64::try_from(units / full).unwrap_or(u64::MAX);
    (tick, u64::try_from(units % full).unwrap_or(0))
}
