//! What thousands of devices did so far, in a few counters that all of them share.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

/// Buckets in each doubling of a time, so that one is about 4 % wide.
const BUCKETS_A_DOUBLING: f64 = 16.0;
/// From a microsecond to more than an hour.
const BUCKETS: usize = 33 * 16;
/// Different reasons of refusals that are told apart; the others count as one.
const REASONS_MAX: usize = 16;

/// The counters.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// Lines that are up now.
    pub(super) connected: AtomicU64,
    pub(super) sent: AtomicU64,
    pub(super) acknowledged: AtomicU64,
    /// Messages that were answered and not taken.
    pub(super) refused: AtomicU64,
    /// Times a device came back after its line had broken.
    pub(super) reconnects: AtomicU64,
    /// Attempts to connect that failed.
    pub(super) turned_away: AtomicU64,
    pub(super) ack: Spread,
    reasons: Mutex<BTreeMap<String, u64>>,
}

impl Tally {
    fn reasons(&self) -> MutexGuard<'_, BTreeMap<String, u64>> {
        self.reasons.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes note of why something was refused or a line broke.
    pub(super) fn because(&self, why: &str) {
        let mut reasons = self.reasons();
        let is_known = reasons.contains_key(why) || reasons.len() < REASONS_MAX;
        *reasons.entry(if is_known { why } else { "other reasons" }.to_owned()).or_default() += 1;
    }

    /// Why, with how often each, the most frequent first.
    pub(super) fn reasons_by_count(&self) -> Vec<(String, u64)> {
        let mut all: Vec<_> =
            self.reasons().iter().map(|(why, count)| (why.clone(), *count)).collect();
        all.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        all
    }
}

/// How long things took, each to within 4 %, in a place that does not grow.
#[derive(Debug)]
pub(super) struct Spread(Box<[AtomicU64]>);

impl Default for Spread {
    fn default() -> Self {
        Self((0..BUCKETS).map(|_| AtomicU64::new(0)).collect())
    }
}

impl Spread {
    /// Counts one.
    pub(super) fn add(&self, took: Duration) {
        let doublings = (took.as_secs_f64() * 1e6).max(1.0).log2();
        // Beyond the last bucket nothing is told apart.
        let bucket = ((doublings * BUCKETS_A_DOUBLING) as usize).min(BUCKETS - 1);
        if let Some(bucket) = self.0.get(bucket) {
            bucket.fetch_add(1, Relaxed);
        }
    }

    /// The time within which this share of them was done, in milliseconds; `None` of none.
    pub(super) fn within_ms(&self, share: f64) -> Option<f64> {
        let counts: Vec<u64> = self.0.iter().map(|count| count.load(Relaxed)).collect();
        let all: u64 = counts.iter().sum();
        let wanted = ((all as f64 * share).ceil() as u64).max(1);
        let mut so_far = 0;
        let bucket = counts.iter().position(|count| {
            so_far += count;
            so_far >= wanted
        })?;
        Some(((bucket + 1) as f64 / BUCKETS_A_DOUBLING).exp2() / 1e3)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_of_times_is_known_to_within_a_twentieth() {
        let spread = Spread::default();
        assert_eq!(spread.within_ms(0.5), None);
        for ms in 1..=1_000 {
            spread.add(Duration::from_millis(ms));
        }
        for (share, want) in [(0.001, 1.0), (0.5, 500.0), (0.99, 990.0), (1.0, 1_000.0)] {
            let found = spread.within_ms(share).unwrap();
            assert!((want..want * 1.05).contains(&found), "{share}: {found} ms, not {want}");
        }
    }

    #[test]
    fn times_beyond_both_ends_count_in_the_last_buckets() {
        let spread = Spread::default();
        spread.add(Duration::ZERO);
        assert!(spread.within_ms(1.0).unwrap() < 0.002);
        spread.add(Duration::from_secs(1_000_000));
        assert!(spread.within_ms(1.0).unwrap() > 3_600_000.0);
    }

    #[test]
    fn so_many_reasons_are_told_apart_and_the_rest_are_one() {
        let tally = Tally::default();
        for number in 0..REASONS_MAX + 5 {
            tally.because(&format!("reason {number}"));
        }
        tally.because("reason 0");
        let reasons = tally.reasons_by_count();
        assert_eq!(reasons.len(), REASONS_MAX + 1);
        assert_eq!(reasons[0], ("other reasons".to_owned(), 5));
        assert_eq!(reasons[1], ("reason 0".to_owned(), 2));
    }
}
