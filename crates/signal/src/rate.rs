//! Heart rate from the last beats.
//!
//! The median of the last eight intervals, so that one early beat and the pause after it, or one artefact, move nothing.
//! No rate is better than an old one: it is gone four seconds after the last beat.

use crate::SampleRate;
use crate::snapshot::{Fields, SnapshotError};

/// Intervals in the median.
const INTERVALS: usize = 8;
/// Intervals that must be there before there is a rate: three beats.
const INTERVALS_MIN: usize = 2;
/// Without a beat for longer than this there is no rate, and what came before it does not count (asystole: no QRS for
/// 4 s, PhysioNet/CinC Challenge 2015).
const SILENCE_MAX_MS: u64 = 4_000;

/// The last intervals between beats, in samples.
#[derive(Clone, Debug, PartialEq)]
pub struct HeartRateFilter {
    rate: SampleRate,
    last_beat: Option<u64>,
    /// The newest first; only the first `known` are filled.
    intervals: [u64; INTERVALS],
    known: usize,
}

impl HeartRateFilter {
    /// Changes with every change that can move a rate; recorded beside what was decided from it.
    pub const VERSION: u16 = 1;
    const BYTES: usize = 2 + 4 + 4 + 1 + 8 + 8 * INTERVALS + 1;

    /// A filter that knows no beat, for beats counted in samples of this rate.
    pub fn new(rate: SampleRate) -> Self {
        Self { rate, last_beat: None, intervals: [0; INTERVALS], known: 0 }
    }

    /// Takes a beat's sample number; one that is not after the last is passed over.
    pub fn beat(&mut self, sample: u64) {
        let interval = self.last_beat.map(|last| sample.saturating_sub(last));
        match interval {
            Some(0) => return,
            Some(interval) if interval <= self.silence_max() => {
                self.intervals.rotate_right(1);
                if let Some(newest) = self.intervals.first_mut() {
                    *newest = interval;
                }
                self.known = (self.known + 1).min(INTERVALS);
            }
            Some(_) | None => self.known = 0,
        }
        self.last_beat = Some(sample);
    }

    /// Forgets all beats: samples were lost, and an interval across a gap would be none.
    pub fn gap(&mut self) {
        (self.last_beat, self.known) = (None, 0);
    }

    /// The heart rate at sample `now` in thousandths per minute, rounded; `None` before the third beat in a row, and
    /// more than four seconds after the last.
    pub fn rate_at(&self, now: u64) -> Option<u32> {
        let is_current = now.saturating_sub(self.last_beat?) <= self.silence_max();
        if !is_current || self.known < INTERVALS_MIN {
            return None;
        }
        let doubled = u128::from(self.doubled_median()?) * u128::from(self.rate.denominator());
        let doubled_per_thousand_minutes = 2 * 60_000 * u128::from(self.rate.numerator());
        u32::try_from((doubled_per_thousand_minutes + doubled / 2).checked_div(doubled)?).ok()
    }

    /// Twice the median interval, so that the mean of two in the middle stays whole.
    fn doubled_median(&self) -> Option<u64> {
        let mut sorted = self.intervals;
        let known = sorted.get_mut(..self.known)?;
        known.sort_unstable();
        let upper = known.get(self.known / 2)?;
        let lower = known.get(self.known.checked_sub(1)? / 2)?;
        Some(upper.saturating_add(*lower))
    }

    fn silence_max(&self) -> u64 {
        self.rate.samples_in_ms(SILENCE_MAX_MS)
    }

    /// All it remembers, for a checkpoint: the version, then fixed fields, big-endian.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(Self::BYTES);
        out.extend(Self::VERSION.to_be_bytes());
        out.extend(self.rate.numerator().to_be_bytes());
        out.extend(self.rate.denominator().to_be_bytes());
        out.push(u8::from(self.last_beat.is_some()));
        out.extend(self.last_beat.unwrap_or(0).to_be_bytes());
        out.extend(self.intervals.iter().flat_map(|interval| interval.to_be_bytes()));
        out.push(u8::try_from(self.known).unwrap_or(0));
        out
    }

    /// Takes up what [`Self::encode`] wrote; bytes of another version or from elsewhere are refused.
    pub fn decode(bytes: &[u8]) -> Result<Self, SnapshotError> {
        let impossible = |field| SnapshotError::Impossible { field };
        let mut fields = Fields::open(bytes, Self::VERSION, Self::BYTES)?;
        let rate =
            SampleRate::new(fields.u32()?, fields.u32()?).map_err(|_| impossible("sample rate"))?;
        let last_beat = (fields.flag()?, fields.u64()?);
        let mut intervals = [0; INTERVALS];
        for interval in &mut intervals {
            *interval = fields.u64()?;
        }
        let known = usize::from(fields.u8()?);
        let filled = intervals.get(..known).ok_or(impossible("number of intervals"))?;
        let longest = rate.samples_in_ms(SILENCE_MAX_MS);
        if filled.iter().any(|interval| *interval == 0 || *interval > longest) {
            return Err(impossible("interval"));
        }
        Ok(Self { rate, last_beat: last_beat.0.then_some(last_beat.1), intervals, known })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Feeds intervals in samples of 1,000 Hz and asks `wait` samples after the last beat.
    fn check(intervals: &[u64], wait: u64, expected: Option<u32>) {
        let mut filter = HeartRateFilter::new(SampleRate::new(1000, 1).unwrap());
        let mut at = 10;
        filter.beat(at);
        for interval in intervals {
            at += interval;
            filter.beat(at);
        }
        assert_eq!(filter.rate_at(at + wait), expected, "{intervals:?} + {wait}");
    }

    #[test]
    fn the_rate_is_the_median_of_at_most_eight_intervals_while_it_is_fresh() {
        check(&[], 0, None); // One beat has no interval,
        check(&[1000], 0, None); // and two are not yet a rhythm.
        check(&[1000, 1000], 0, Some(60_000));
        check(&[1000, 1000], 4_000, Some(60_000)); // Four seconds are still fresh,
        check(&[1000, 1000], 4_001, None); // one sample more is not.
        check(&[800, 600], 0, Some(85_714)); // 60,000 over the mean of the two, rounded down here
        check(&[700, 700, 701], 0, Some(85_714)); // and up in the next row.
        check(&[300, 301], 0, Some(199_667));
        check(&[1000, 400, 1600, 1000, 1000], 0, Some(60_000)); // An early beat and its pause move nothing.
        check(&[500, 500, 1000, 1000, 1000, 1000, 1000, 1000, 1000, 1000], 0, Some(60_000)); // The ninth is forgotten.
        check(&[1000, 1000, 4_001], 0, None); // A rhythm begins anew after silence,
        check(&[1000, 1000, 4_001, 500, 500], 0, Some(120_000)); // without what was before,
        check(&[4_000, 4_000], 0, Some(15_000)); // but four seconds are a slow rhythm.
        check(&[1000, 0, 1000], 0, Some(60_000)); // The same beat told twice is one beat.
    }

    #[test]
    fn a_gap_forgets_the_beats_before_it() {
        let mut filter = HeartRateFilter::new(SampleRate::new(250, 1).unwrap());
        [0, 250, 500].into_iter().for_each(|sample| filter.beat(sample));
        assert_eq!(filter.rate_at(600), Some(60_000));
        filter.gap();
        assert_eq!(filter.rate_at(600), None);
        [700, 825].into_iter().for_each(|sample| filter.beat(sample));
        assert_eq!(filter.rate_at(825), None);
        filter.beat(950);
        assert_eq!(filter.rate_at(950), Some(120_000));
    }

    /// Keeps all beats and looks at them from scratch each time.
    fn reference_rate(beats: &[u64], now: u64) -> Option<u32> {
        let mut runs: Vec<Vec<u64>> = vec![vec![]];
        for beat in beats {
            match runs.last().unwrap().last() {
                Some(before) if beat - before > 1440 => runs.push(vec![*beat]),
                _ => runs.last_mut().unwrap().push(*beat),
            }
        }
        let run = runs.pop().unwrap();
        let mut intervals: Vec<u64> =
            run.windows(2).map(|pair| pair[1] - pair[0]).rev().take(8).collect();
        if intervals.len() < 2 || now - run.last().unwrap() > 1440 {
            return None;
        }
        intervals.sort_unstable();
        let n = intervals.len();
        let median = if n % 2 == 1 {
            intervals[n / 2] as f64
        } else {
            (intervals[n / 2 - 1] + intervals[n / 2]) as f64 / 2.0
        };
        Some((60_000.0 * 360.0 / median).round() as u32)
    }

    proptest! {
        #[test]
        fn it_agrees_with_its_reference_and_survives_a_restart_at_any_beat(
            intervals in prop::collection::vec(1_u64..1800, 0..40), wait in 0_u64..2000, restart in 0_usize..40,
        ) {
            let mut filter = HeartRateFilter::new(SampleRate::new(360, 1).unwrap());
            let mut beats = Vec::new();
            let mut at = 5;
            for (index, interval) in intervals.iter().enumerate() {
                at += interval;
                beats.push(at);
                filter.beat(at);
                if index == restart {
                    filter = HeartRateFilter::decode(&filter.encode()).unwrap();
                }
                prop_assert_eq!(filter.rate_at(at + wait), reference_rate(&beats, at + wait));
            }
            prop_assert_eq!(HeartRateFilter::decode(&filter.encode()), Ok(filter));
        }

        #[test]
        fn no_bytes_make_it_panic(mut bytes in prop::collection::vec(any::<u8>(), HeartRateFilter::BYTES), now: u64) {
            bytes[..2].copy_from_slice(&HeartRateFilter::VERSION.to_be_bytes());
            if let Ok(mut filter) = HeartRateFilter::decode(&bytes) {
                filter.rate_at(now);
                filter.beat(now);
            }
        }
    }

    #[test]
    fn saved_state_from_elsewhere_is_refused_by_name() {
        let good = HeartRateFilter::new(SampleRate::new(360, 1).unwrap()).encode();
        let mut future = good.clone();
        future[1] = 2;
        let refused = HeartRateFilter::decode(&future).unwrap_err();
        assert_eq!(refused.to_string(), "saved state is of version 2, expected version 1");
        let refused = HeartRateFilter::decode(&good[1..]).unwrap_err();
        assert!(matches!(refused, SnapshotError::Version { .. } | SnapshotError::Length { .. }));
        let mut longer = good.clone();
        longer.push(0);
        let refused = HeartRateFilter::decode(&longer).unwrap_err();
        assert_eq!(refused, SnapshotError::Length { found: good.len() + 1, expected: good.len() });
    }
}
