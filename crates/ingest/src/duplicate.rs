//! Recognising what came before: the spans of numbers that were seen for devices that
//! count, and the fingerprints of the last samples for devices that do not. In doubt
//! a message is new: stored twice is a blemish, acknowledged and not stored is a loss.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    hash::{DefaultHasher, Hash, Hasher},
};

use model::{Channel, Timestamp};
use record::{Counted, SampleAt};

use crate::limits::{
    BOOTS_MAX, SPANS_MAX, UNCOUNTED_MAX, UNCOUNTED_MESSAGES, UNCOUNTED_OF_BATCHES_MAX,
};

// RC-040
/// What one device has sent of late.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    /// For each stream (numerics, or a wave channel) its boots, newest last.
    counted: HashMap<Option<Channel>, VecDeque<(u64, Numbers)>>,
    uncounted: HashSet<u64>,
    uncounted_order: VecDeque<u64>,
    /// How many of them are remembered beyond the usual, for a device that sends many at once.
    uncounted_more: usize,
}

/// The numbers of one boot, as spans from first to last, ascending and apart.
///
/// A device that counts without gaps needs one span, however far back it repeats. Any
/// loss splits one; beyond the limit the lowest is forgotten, and what it held is new.
#[derive(Clone, Debug)]
struct Numbers(Vec<(u64, u64)>);

impl Seen {
    /// Whether this number of this stream came before; it is remembered from now on.
    pub(crate) fn repeats(&mut self, stream: Option<&Channel>, counted: Counted) -> bool {
        let boots = self.counted.entry(stream.cloned()).or_default();
        if let Some((_, numbers)) = boots.iter_mut().find(|(boot, _)| *boot == counted.boot) {
            return numbers.repeats(counted.seq);
        }
        if boots.len() >= BOOTS_MAX {
            boots.pop_front();
        }
        boots.push_back((counted.boot, Numbers::starting_at(counted.seq)));
        false
    }

    /// Forgets a number whose message did not become durable.
    pub(crate) fn forget(&mut self, stream: Option<&Channel>, counted: Counted) {
        let boots = self.counted.get_mut(&stream.cloned());
        let found = boots.into_iter().flatten().find(|(boot, _)| *boot == counted.boot);
        if let Some((_, numbers)) = found {
            numbers.forget(counted.seq);
        }
    }

    /// Whether this number of this stream is remembered.
    pub(crate) fn holds(&self, stream: Option<&Channel>, counted: Counted) -> bool {
        let boots = self.counted.get(&stream.cloned());
        let found = boots.into_iter().flatten().find(|(boot, _)| *boot == counted.boot);
        found.is_some_and(|(_, numbers)| numbers.holds(counted.seq))
    }

    /// Whether this sample of a device that does not count is remembered.
    pub(crate) fn holds_sample(&self, fingerprint: u64) -> bool {
        self.uncounted.contains(&fingerprint)
    }

    /// Remembers more, if so many samples come at once: a message that is sent again is
    /// recognised whole, and so are some before it.
    pub(crate) fn widen(&mut self, samples: usize) {
        let wanted = samples.saturating_mul(UNCOUNTED_MESSAGES).min(UNCOUNTED_OF_BATCHES_MAX);
        self.uncounted_more = self.uncounted_more.max(wanted);
    }

    /// Whether this sample of a device that does not count came before.
    pub(crate) fn repeats_sample(&mut self, fingerprint: u64) -> bool {
        if !self.uncounted.insert(fingerprint) {
            return true;
        }
        self.uncounted_order.push_back(fingerprint);
        if self.uncounted_order.len() > UNCOUNTED_MAX.max(self.uncounted_more)
            && let Some(oldest) = self.uncounted_order.pop_front()
        {
            self.uncounted.remove(&oldest);
        }
        false
    }

    /// Forgets a sample whose message did not become durable.
    pub(crate) fn forget_sample(&mut self, fingerprint: u64) {
        if self.uncounted.remove(&fingerprint) {
            self.uncounted_order.retain(|kept| *kept != fingerprint);
        }
    }
}

/// Channel, device time and value of one sample in a word.
pub(crate) fn fingerprint(base: Timestamp, sample: &SampleAt) -> u64 {
    let mut hasher = DefaultHasher::new();
    let at = base.unix_nanos().saturating_add(sample.device_at_delta_ns);
    (&sample.channel, at, &sample.sample).hash(&mut hasher);
    hasher.finish()
}

impl Numbers {
    fn starting_at(seq: u64) -> Self {
        Self(vec![(seq, seq)])
    }

    /// The place of the span that holds a number, or where one would stand.
    fn find(&self, seq: u64) -> Result<usize, usize> {
        // The newest span is nearly always the one.
        if let Some((first, last)) = self.0.last()
            && *first <= seq
        {
            let at = self.0.len() - 1;
            return if seq <= *last { Ok(at) } else { Err(at + 1) };
        }
        let after = self.0.partition_point(|(first, _)| *first <= seq);
        match after.checked_sub(1).and_then(|at| Some((at, self.0.get(at)?))) {
            Some((at, (_, last))) if seq <= *last => Ok(at),
            Some(_) | None => Err(after),
        }
    }

    fn holds(&self, seq: u64) -> bool {
        self.find(seq).is_ok()
    }

    fn repeats(&mut self, seq: u64) -> bool {
        let Err(at) = self.find(seq) else { return true };
        let before = at.checked_sub(1);
        let follows = before
            .and_then(|before| self.0.get(before))
            .is_some_and(|(_, last)| last.checked_add(1) == Some(seq));
        let leads = self.0.get(at).is_some_and(|(first, _)| seq.checked_add(1) == Some(*first));
        match (before.filter(|_| follows), leads) {
            (Some(before), true) => {
                let (_, last) = self.0.remove(at);
                if let Some(span) = self.0.get_mut(before) {
                    span.1 = last;
                }
            }
            (Some(before), false) => {
                if let Some(span) = self.0.get_mut(before) {
                    span.1 = seq;
                }
            }
            (None, true) => {
                if let Some(span) = self.0.get_mut(at) {
                    span.0 = seq;
                }
            }
            (None, false) => {
                self.0.insert(at, (seq, seq));
                self.bound();
            }
        }
        false
    }

    fn forget(&mut self, seq: u64) {
        let Ok(at) = self.find(seq) else { return };
        let Some((first, last)) = self.0.get(at).copied() else { return };
        let below = seq.checked_sub(1).filter(|below| *below >= first).map(|below| (first, below));
        let above = seq.checked_add(1).filter(|above| *above <= last).map(|above| (above, last));
        self.0.splice(at..=at, below.into_iter().chain(above));
        self.bound();
    }

    fn bound(&mut self) {
        if self.0.len() > SPANS_MAX {
            self.0.remove(0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_number_is_new_once_for_each_boot_and_stream() {
        let mut seen = Seen::default();
        let wave = Channel::from("MDC_ECG_ELEC_POTL_II");
        for (stream, boot, seq, want) in [
            (None, 1, 5, false),
            (None, 1, 5, true),
            (None, 1, 4, false),
            (None, 2, 5, false),
            (Some(&wave), 1, 5, false),
            // However far ahead it is, what came before is remembered.
            (None, 1, 5_000_000, false),
            (None, 1, 5, true),
            (None, 1, 3, false),
            (None, 1, 3, true),
        ] {
            assert_eq!(seen.repeats(stream, Counted { boot, seq }), want, "{boot} {seq}");
        }
    }

    #[test]
    fn a_device_that_does_not_count_is_recognised_by_its_samples() {
        let mut seen = Seen::default();
        assert!(!seen.repeats_sample(7));
        assert!(seen.repeats_sample(7));
        (100..100 + UNCOUNTED_MAX as u64).for_each(|print| assert!(!seen.repeats_sample(print)));
        assert!(!seen.repeats_sample(7), "the oldest is forgotten at the limit");
        seen.forget_sample(7);
        assert!(!seen.repeats_sample(7));
    }

    #[test]
    fn the_lowest_span_is_forgotten_beyond_the_limit_and_then_its_numbers_are_new() {
        let mut numbers = Numbers::starting_at(0);
        // Every second number: as many spans as there may be, and one more.
        for n in 1..SPANS_MAX as u64 {
            assert!(!numbers.repeats(2 * n));
        }
        assert!(numbers.holds(0));
        assert!(!numbers.repeats(2 * SPANS_MAX as u64));
        assert_eq!((numbers.0.len(), numbers.holds(0), numbers.holds(2)), (SPANS_MAX, false, true));
        // Within the newest 1,024 numbers nothing is ever forgotten.
        const { assert!(2 * SPANS_MAX >= 1_024) };
    }

    #[test]
    fn a_backlog_and_what_is_measured_now_are_both_recognised() {
        let mut numbers = Numbers::starting_at(1_000_000);
        for n in 1..50_000 {
            assert!(!numbers.repeats(1_000_000 + n));
            assert!(!numbers.repeats(n));
        }
        assert!((1..50_000).all(|n| numbers.repeats(n)));
        assert_eq!(numbers.0, [(1, 49_999), (1_000_000, 1_049_999)]);
    }

    proptest! {
        /// A set of every number seen says the same, as long as there are few gaps.
        #[test]
        fn it_agrees_with_a_plain_set(
            steps in prop::collection::vec((0..2_000_u64, prop::bool::weighted(0.1)), 1..300),
            base in prop::sample::select(vec![0, 5, u64::MAX - 2_000]),
        ) {
            let (mut seen, mut set) = (Seen::default(), HashSet::new());
            for (seq, forget) in steps {
                let counted = Counted { boot: 9, seq: base + seq };
                prop_assert_eq!(seen.holds(None, counted), set.contains(&seq));
                if forget {
                    seen.forget(None, counted);
                    set.remove(&seq);
                } else {
                    prop_assert_eq!(seen.repeats(None, counted), !set.insert(seq), "{}", seq);
                }
            }
        }
    }
}
