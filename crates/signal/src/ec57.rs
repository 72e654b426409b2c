//! How well found beats agree with reference beats, counted as ANSI/AAMI EC57 asks.
//!
//! Reference and detection belong together when they lie within 150 ms of each other, each used once, the nearest
//! first. The first five minutes are for learning, and stretches of flutter are scored elsewhere; what falls into them
//! is paired like the rest, so that a beat at an edge keeps its partner, but is not counted.

use std::ops::Range;

use crate::SampleRate;

/// Which differences are forgiven, and which stretches do not count. All positions are in samples.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// The largest distance of a pair, inclusive.
    pub window: u64,
    /// Beats before this sample are not counted.
    pub learning_until: u64,
    /// Stretches that are not counted, in any order.
    pub excluded: Vec<Range<u64>>,
}

impl Rules {
    /// A window of 150 ms and five minutes of learning (EC57:2012 4.3; `bxb` has the same defaults).
    pub fn standard(rate: SampleRate) -> Self {
        Self {
            window: rate.samples_in_ms(150),
            learning_until: rate.samples_in_ms(300_000),
            excluded: Vec::new(),
        }
    }

    fn counts(&self, sample: u64) -> bool {
        sample >= self.learning_until
            && !self.excluded.iter().any(|stretch| stretch.contains(&sample))
    }
}

/// Counts of beats found, invented, and missed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Score {
    /// Reference beats with a detection.
    pub true_positives: u64,
    /// Detections without a reference beat.
    pub false_positives: u64,
    /// Reference beats without a detection.
    pub false_negatives: u64,
}

impl Score {
    /// The part of the reference beats that was found, 0 to 1; `None` where there was none to find.
    pub fn sensitivity(&self) -> Option<f64> {
        part(self.true_positives, self.false_negatives)
    }

    /// The part of the detections that are beats, 0 to 1; `None` where nothing was detected.
    pub fn positive_predictivity(&self) -> Option<f64> {
        part(self.true_positives, self.false_positives)
    }

    /// The counts of two records together (EC57 calls these gross statistics).
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            true_positives: self.true_positives.saturating_add(other.true_positives),
            false_positives: self.false_positives.saturating_add(other.false_positives),
            false_negatives: self.false_negatives.saturating_add(other.false_negatives),
        }
    }
}

/// What became of one beat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A reference beat and the detection that found it.
    Matched {
        /// The reference beat's sample.
        reference: u64,
        /// The detection's sample.
        detected: u64,
    },
    /// The sample of a reference beat that nothing found.
    Missed(u64),
    /// The sample of a detection where there is no reference beat.
    Extra(u64),
}

/// Pairs detections with reference beats and counts; both must rise from sample to sample.
pub fn score(reference: &[u64], detected: &[u64], rules: &Rules) -> Score {
    let mut score = Score::default();
    for outcome in pair(reference, detected, rules.window) {
        match outcome {
            Outcome::Matched { reference, .. } if rules.counts(reference) => {
                score.true_positives += 1
            }
            Outcome::Missed(reference) if rules.counts(reference) => score.false_negatives += 1,
            Outcome::Extra(detected) if rules.counts(detected) => score.false_positives += 1,
            Outcome::Matched { .. } | Outcome::Missed(_) | Outcome::Extra(_) => {}
        }
    }
    score
}

/// Pairs detections with reference beats no more than `window` samples away, in one pass; both must rise.
pub fn pair(reference: &[u64], detected: &[u64], window: u64) -> Vec<Outcome> {
    let (mut beats, mut finds) = (reference, detected);
    let mut outcomes = Vec::new();
    loop {
        match (beats, finds) {
            ([], []) => return outcomes,
            ([beat, later @ ..], []) => {
                outcomes.push(Outcome::Missed(*beat));
                beats = later;
            }
            ([], [find, later @ ..]) => {
                outcomes.push(Outcome::Extra(*find));
                finds = later;
            }
            ([beat, later_beats @ ..], [find, later_finds @ ..]) => {
                let distance = beat.abs_diff(*find);
                let better = |other: Option<&u64>, than: u64| {
                    other.is_some_and(|o| o.abs_diff(than) < distance)
                };
                if *find < *beat && (distance > window || better(later_finds.first(), *beat)) {
                    outcomes.push(Outcome::Extra(*find));
                    finds = later_finds;
                } else if *beat < *find && (distance > window || better(later_beats.first(), *find))
                {
                    outcomes.push(Outcome::Missed(*beat));
                    beats = later_beats;
                } else {
                    outcomes.push(Outcome::Matched { reference: *beat, detected: *find });
                    (beats, finds) = (later_beats, later_finds);
                }
            }
        }
    }
}

fn part(hits: u64, others: u64) -> Option<f64> {
    let all = hits.saturating_add(others);
    #[expect(clippy::cast_precision_loss, reason = "counts of beats stay far below 2^52")]
    let fraction = (all > 0).then(|| hits as f64 / all as f64);
    fraction
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn counts(reference: &[u64], detected: &[u64], rules: &Rules) -> [u64; 3] {
        let score = score(reference, detected, rules);
        [score.true_positives, score.false_positives, score.false_negatives]
    }

    #[test]
    fn pairs_are_counted_as_the_standard_asks() {
        let rules =
            Rules { window: 54, learning_until: 1000, excluded: vec![5000..5400, 5400..6000] };
        let check = |reference: &[u64], detected: &[u64], expected: [u64; 3]| {
            assert_eq!(counts(reference, detected, &rules), expected, "{reference:?} {detected:?}");
        };
        check(&[], &[], [0, 0, 0]);
        check(&[2000], &[1946], [1, 0, 0]); // The window's edge is inside,
        check(&[2000], &[2054], [1, 0, 0]);
        check(&[2000], &[1945], [0, 1, 1]); // one sample further is not.
        check(&[2000], &[2055], [0, 1, 1]);
        check(&[2000], &[1990, 2003], [1, 1, 0]); // One beat is found once,
        check(&[2000, 2040], &[2030], [1, 0, 1]); // and one detection finds one beat.
        check(&[999, 1000], &[999, 1000], [1, 0, 0]); // Learning ends before its last sample.
        check(&[990], &[1010], [0, 0, 0]); // A pair across the edge is as its beat: not counted,
        check(&[1010], &[990], [1, 0, 0]); // or found.
        check(&[], &[999, 1000], [0, 1, 0]);
        check(&[4999, 5500, 6000], &[], [0, 0, 2]); // Flutter is scored elsewhere.
        check(&[], &[4999, 5000, 5999, 6000], [0, 2, 0]);
    }

    #[test]
    fn the_nearest_detection_is_the_beats_own() {
        let nearest = Outcome::Matched { reference: 100, detected: 103 };
        assert_eq!(pair(&[100], &[90, 103], 54), [Outcome::Extra(90), nearest]);
        assert_eq!(pair(&[70, 100], &[103], 54), [Outcome::Missed(70), nearest]);
    }

    #[test]
    fn the_standard_rules_are_150_ms_and_five_minutes() {
        let rules = Rules::standard(SampleRate::new(360, 1).unwrap());
        assert_eq!((rules.window, rules.learning_until), (54, 108_000));
    }

    #[test]
    fn parts_of_nothing_are_unknown_and_records_add_up() {
        assert_eq!(
            (Score::default().sensitivity(), Score::default().positive_predictivity()),
            (None, None)
        );
        let one = Score { true_positives: 3, false_positives: 1, false_negatives: 0 };
        let two = Score { true_positives: 1, false_positives: 0, false_negatives: 4 };
        assert_eq!(one.plus(two).sensitivity(), Some(0.5));
        assert_eq!(one.plus(two).positive_predictivity(), Some(0.8));
    }

    proptest! {
        #[test]
        fn every_beat_and_detection_is_told_once_and_pairs_are_as_many_as_beats_with_a_partner(
            gaps in prop::collection::vec((109_u64..400, prop::option::of(-80_i64..80)), 0..40),
        ) {
            // Beats lie more than two windows apart here, so that each detection has one possible partner.
            let mut at = 200;
            let (mut reference, mut detected, mut near) = (vec![], vec![], 0);
            for (gap, offset) in gaps {
                at += gap + 80;
                reference.push(at);
                detected.extend(offset.map(|offset| at.saturating_add_signed(offset)));
                near += u64::from(offset.is_some_and(|offset| offset.abs() <= 54));
            }
            let rules = Rules { window: 54, learning_until: 0, excluded: vec![] };
            let [found, invented, missed] = counts(&reference, &detected, &rules);
            prop_assert_eq!(found, near);
            prop_assert_eq!(found + missed, reference.len() as u64);
            prop_assert_eq!(found + invented, detected.len() as u64);
        }

        #[test]
        fn whatever_the_times_no_pair_is_wider_than_the_window_and_nothing_is_lost(
            mut reference in prop::collection::vec(0_u64..3000, 0..60),
            mut detected in prop::collection::vec(0_u64..3000, 0..60),
        ) {
            reference.sort_unstable();
            detected.sort_unstable();
            let (mut told_beats, mut told_finds) = (vec![], vec![]);
            for outcome in pair(&reference, &detected, 54) {
                match outcome {
                    Outcome::Matched { reference, detected } => {
                        prop_assert!(reference.abs_diff(detected) <= 54);
                        told_beats.push(reference);
                        told_finds.push(detected);
                    }
                    Outcome::Missed(beat) => told_beats.push(beat),
                    Outcome::Extra(find) => told_finds.push(find),
                }
            }
            prop_assert_eq!(told_beats, reference);
            prop_assert_eq!(told_finds, detected);
        }
    }
}
