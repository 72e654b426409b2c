//! Recognising what came before: a high-water mark and a bitmap for devices that
//! count, and the fingerprints of the last samples for devices that do not. In doubt
//! a message is new: stored twice is a blemish, acknowledged and not stored is a loss.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    hash::{DefaultHasher, Hash, Hasher},
};

use model::{Channel, Timestamp};
use record::{Counted, SampleAt};

use crate::limits::{BOOTS_MAX, SEQ_WINDOW, UNCOUNTED_MAX};

/// What one device has sent of late.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    /// For each stream (numerics, or a wave channel) its boots, newest last.
    counted: HashMap<Option<Channel>, VecDeque<(u64, Window)>>,
    uncounted: HashSet<u64>,
    uncounted_order: VecDeque<u64>,
}

/// The numbers of one boot: a high-water mark and the bitmap below it.
#[derive(Clone, Debug)]
struct Window {
    newest: u64,
    /// Bit `n` of word `w` is the number `newest - (64 w + n)`.
    bits: [u64; (SEQ_WINDOW / 64) as usize],
}

impl Seen {
    /// Whether this number of this stream came before; it is remembered from now on.
    pub(crate) fn repeats(&mut self, stream: Option<&Channel>, counted: Counted) -> bool {
        let boots = self.counted.entry(stream.cloned()).or_default();
        if let Some((_, window)) = boots.iter_mut().find(|(boot, _)| *boot == counted.boot) {
            return window.repeats(counted.seq);
        }
        if boots.len() >= BOOTS_MAX {
            boots.pop_front();
        }
        boots.push_back((counted.boot, Window::starting_at(counted.seq)));
        false
    }

    /// Forgets a number whose message did not become durable.
    pub(crate) fn forget(&mut self, stream: Option<&Channel>, counted: Counted) {
        let boots = self.counted.get_mut(&stream.cloned());
        let found = boots.into_iter().flatten().find(|(boot, _)| *boot == counted.boot);
        if let Some((_, window)) = found {
            window.forget(counted.seq);
        }
    }

    /// Whether this sample of a device that does not count came before.
    pub(crate) fn repeats_sample(&mut self, fingerprint: u64) -> bool {
        if !self.uncounted.insert(fingerprint) {
            return true;
        }
        self.uncounted_order.push_back(fingerprint);
        if self.uncounted_order.len() > UNCOUNTED_MAX
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

impl Window {
    const fn starting_at(seq: u64) -> Self {
        let mut bits = [0; (SEQ_WINDOW / 64) as usize];
        let [first, ..] = &mut bits;
        *first = 1;
        Self { newest: seq, bits }
    }

    fn repeats(&mut self, seq: u64) -> bool {
        if seq > self.newest {
            self.advance(seq - self.newest);
            self.newest = seq;
        }
        let behind = self.newest - seq;
        match self.bit(behind) {
            // Older than the bitmap: a backlog sent newest first, a counter set back, or a
            // repeat. Nobody can tell, and what is acknowledged must be stored.
            None => false,
            Some((word, mask)) => {
                let was = *word & mask != 0;
                *word |= mask;
                was
            }
        }
    }

    fn forget(&mut self, seq: u64) {
        if let Some(behind) = self.newest.checked_sub(seq)
            && let Some((word, mask)) = self.bit(behind)
        {
            *word &= !mask;
        }
    }

    fn bit(&mut self, behind: u64) -> Option<(&mut u64, u64)> {
        let word = self.bits.get_mut(usize::try_from(behind / 64).ok()?)?;
        Some((word, 1 << (behind % 64)))
    }

    fn advance(&mut self, by: u64) {
        let (words, bits) = (usize::try_from(by / 64).unwrap_or(usize::MAX), by % 64);
        let len = self.bits.len();
        self.bits.rotate_right(words.min(len) % len);
        self.bits.iter_mut().take(words).for_each(|word| *word = 0);
        if bits > 0 {
            let mut carry = 0;
            for word in &mut self.bits {
                (*word, carry) = (*word << bits | carry, *word >> (64 - bits));
            }
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
            (None, 1, 5 + SEQ_WINDOW, false),
            // Outside the bitmap nothing can be told apart any more: it is stored.
            (None, 1, 3, false),
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

    proptest! {
        /// A set of every number seen says the same, as long as nothing leaves the window.
        #[test]
        fn it_agrees_with_a_plain_set(
            steps in prop::collection::vec((0..SEQ_WINDOW, prop::bool::weighted(0.1)), 1..300),
        ) {
            let (mut seen, mut set) = (Seen::default(), HashSet::new());
            for (seq, forget) in steps {
                let counted = Counted { boot: 9, seq };
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
