//! What makes a QRS complex stand out: it is steep and fast at once, where a T wave is slow and noise is thin.
//!
//! ```text
//! 250 Hz ─► means of 16 and 20 ms ─┬─► slow pair, about 15 Hz ─┐
//!           (nothing left of mains) └─► fast pair, about 30 Hz ─┴─► √(slow × fast) ─► mean of 64 ms ─► peaks
//! ```
//!
//! A pair is the first and the second difference of neighbouring means, the first without the trend of the 200 ms
//! around, which a T wave or a wandering baseline has and a QRS complex has not. One is large where the other crosses
//! zero, so that the root of their squares is one smooth hump, upright or upside down. A peak is the highest hump within 200 ms
//! on either side: two beats cannot follow each other faster (300 /min).

use crate::snapshot::{Fields, SnapshotError};

/// Outputs that no greater one may stand within, before or after a peak: 200 ms.
const APART: usize = 50;
/// Means over 16 and 20 ms have their zeros at 62.5 and 50 Hz, and leave 60 Hz a twentieth.
const MEANS: [usize; 2] = [4, 5];
/// Widths of the boxes whose differences make the slow and the fast pair.
const SLOW: Pair = Pair { first: 6, second: 7 };
const FAST: Pair = Pair { first: 2, second: 3 };
/// Where the pairs look, as an age in `smooth`.
const CENTRE: usize = FAR;
/// How far around it the trend is taken that a wandering baseline has and a QRS complex has not, and how wide its ends.
const FAR: usize = 25;
const FAR_WIDTH: usize = 10;
/// The mean that makes one hump of the wave's several flanks.
const HUMP: usize = 16;
/// Smoothed values are eighths of a microvolt, so that small waves keep their shape.
const FINENESS: i64 = 8;
/// Ages of a peak when it is known as one: among humps, and in the smoothed signal.
const PEAK_AGE: usize = APART + HUMP / 2 + CENTRE;
/// How far the R wave's top may lie from the hump's: 48 ms.
const TOP_WITHIN: usize = 12;
const SMOOTH: usize = PEAK_AGE + TOP_WITHIN + 1;
const HUMPS: usize = 2 * APART + 1;
/// The delay of the two means, in whole ticks.
const MEANS_DELAY: usize = (MEANS[0] + MEANS[1]) / 2 - 1;
/// How long after the middle of its complex a peak is known, in ticks.
pub(super) const DELAY: usize = PEAK_AGE + MEANS_DELAY;
/// How long after its R wave a peak is known at the latest, in ticks.
pub(super) const DELAY_MAX: usize = DELAY + TOP_WITHIN;
/// No value can be larger, as inputs are bounded; saved state is checked against it.
const VALUE_MAX: i32 = 1 << 26;

struct Pair {
    first: usize,
    second: usize,
}

/// A hump that may be a QRS complex.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Peak {
    /// The 250 Hz sample of the R wave's top.
    pub(super) tick: u64,
    /// How steep and strong, in eighths of a microvolt.
    pub(super) height: i64,
}

/// Recent values, the newest first.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Energy {
    raw: [i32; MEANS[0]],
    half_smooth: [i32; MEANS[1]],
    smooth: [i32; SMOOTH],
    energy: [i32; HUMP],
    humps: [i32; HUMPS],
}

impl Energy {
    /// As if the first value had always been there, so that a standing offset is no step.
    pub(super) fn settled_at(microvolts: i64) -> Self {
        let value = narrow(microvolts);
        let level = narrow(microvolts * FINENESS);
        Self {
            raw: [value; MEANS[0]],
            half_smooth: [level; MEANS[1]],
            smooth: [level; SMOOTH],
            energy: [0; HUMP],
            humps: [0; HUMPS],
        }
    }

    /// Takes the value of 250 Hz sample `tick`; answers with the peak that it confirms.
    pub(super) fn push(&mut self, microvolts: i64, tick: u64) -> Option<Peak> {
        shift_in(&mut self.raw, microvolts);
        shift_in(&mut self.half_smooth, total(&self.raw) * FINENESS / MEANS[0] as i64);
        shift_in(&mut self.smooth, total(&self.half_smooth) / MEANS[1] as i64);
        let both = self.pair(&SLOW) * self.pair(&FAST);
        shift_in(&mut self.energy, both.isqrt().cast_signed());
        shift_in(&mut self.humps, total(&self.energy) / HUMP as i64);
        self.peak(tick)
    }

    /// The root of the squares of first and second difference, in eighths of a microvolt.
    fn pair(&self, widths: &Pair) -> u64 {
        let mean = |from: usize, width: usize| {
            total(self.smooth.get(from..from + width).unwrap_or(&[])) / width as i64
        };
        let width = widths.first;
        let trend = mean(CENTRE - FAR, FAR_WIDTH) - mean(CENTRE + FAR - FAR_WIDTH, FAR_WIDTH);
        let first = mean(CENTRE - width, width)
            - mean(CENTRE, width)
            - trend * width as i64 / (2 * FAR - FAR_WIDTH) as i64;
        let width = widths.second;
        let middle = CENTRE - width / 2;
        let second =
            mean(middle, width) - (mean(middle - width, width) + mean(middle + width, width)) / 2;
        (first * first + second * second).unsigned_abs().isqrt()
    }

    fn peak(&self, tick: u64) -> Option<Peak> {
        let (newer, rest) = self.humps.split_at_checked(APART)?;
        let (height, older) = rest.split_first()?;
        let highest =
            *height > 0 && newer.iter().all(|h| h < height) && older.iter().all(|h| h <= height);
        if !highest {
            return None;
        }
        let age = (self.age_of_top() + MEANS_DELAY) as u64;
        Some(Peak { tick: tick.saturating_sub(age), height: i64::from(*height) })
    }

    /// The age of the sample that stands out most from its surroundings.
    fn age_of_top(&self) -> usize {
        let first = PEAK_AGE - TOP_WITHIN;
        let around = self.smooth.get(first..).unwrap_or(&[]);
        let mean = total(around) / around.len().max(1) as i64;
        let standing_out = |(index, value): &(usize, &i32)| {
            let nearness = 2 * TOP_WITHIN - index.abs_diff(TOP_WITHIN);
            (i64::from(**value) - mean).abs() * nearness as i64
        };
        first
            + around
                .iter()
                .enumerate()
                .max_by_key(standing_out)
                .map_or(TOP_WITHIN, |(index, _)| index)
    }

    pub(super) const BYTES: usize = 4 * (MEANS[0] + MEANS[1] + SMOOTH + HUMP + HUMPS);

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        let all: [&[i32]; 5] =
            [&self.raw, &self.half_smooth, &self.smooth, &self.energy, &self.humps];
        out.extend(all.into_iter().flatten().flat_map(|value| value.to_be_bytes()));
    }

    pub(super) fn decode(fields: &mut Fields<'_>) -> Result<Self, SnapshotError> {
        let mut energy = Self::settled_at(0);
        let all: [&mut [i32]; 5] = [
            &mut energy.raw,
            &mut energy.half_smooth,
            &mut energy.smooth,
            &mut energy.energy,
            &mut energy.humps,
        ];
        for value in all.into_iter().flatten() {
            *value = fields.i32()?;
            if value.unsigned_abs() > VALUE_MAX.unsigned_abs() {
                return Err(SnapshotError::Impossible { field: "sample" });
            }
        }
        Ok(energy)
    }
}

/// Puts a value at the front and lets the last one go.
fn shift_in<const N: usize>(values: &mut [i32; N], value: i64) {
    values.rotate_right(1);
    if let Some(first) = values.first_mut() {
        *first = narrow(value);
    }
}

fn total(values: &[i32]) -> i64 {
    values.iter().copied().map(i64::from).sum()
}

/// Values are bounded far below where this would change one.
fn narrow(value: i64) -> i32 {
    i32::try_from(value.clamp(i64::from(-VALUE_MAX), i64::from(VALUE_MAX))).unwrap_or(0)
}
