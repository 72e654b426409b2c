//! How far a device's clock is off, learned from its own messages.
//!
//! A message says the device's time at sending, and we know our time at receipt:
//! the difference is the offset less the time on the way. The way only ever makes
//! it smaller, so the greatest difference of a while is the best estimate.
//!
//! ```text
//!   greater than the estimate by a jump   the clock was set forward: believed at once
//!   smaller than the estimate by a jump   the network stood still, or the clock was set back:
//!                                         the estimate stays until messages far apart agree
//! ```
//! A stall ends, and what it held back comes at once with differences that grow; a
//! clock that was set back stays behind. Until that is known a sample may look older
//! than it is, and never newer.

use std::{collections::VecDeque, time::Duration};

use model::{Clock, Timestamp};

use crate::limits::OFFSETS_MAX;

/// A difference this far from the estimate is no jitter of the network.
const JUMP: Duration = Duration::from_secs(2);
/// Messages of one clock that was set back agree to within this.
const AGREES: Duration = Duration::from_secs(1);
/// So far apart they have to come before it is believed.
const BELIEVED_AFTER: Duration = Duration::from_secs(5);
/// The greatest difference is kept for each stretch of this length.
const STRETCH: Duration = Duration::from_secs(10);

// RC-049
/// What is known of one device's clock.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ClockOffset {
    /// Device minus ours, in nanoseconds: the greatest of each stretch, newest last.
    greatest: VecDeque<Stretch>,
    /// What would be believed if it stayed.
    doubt: Option<Stretch>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stretch {
    since: Timestamp,
    difference_ns: i64,
}

impl ClockOffset {
    /// Takes in the device's time at sending; answers how far the clock can be trusted.
    pub(crate) fn observe(&mut self, device_now: Timestamp, received_at: Timestamp) -> Clock {
        let now =
            Stretch { since: received_at, difference_ns: device_now.nanos_after(received_at) };
        match self.estimate_ns() {
            Some(estimate) if is_apart(now.difference_ns, estimate, JUMP) => {
                if now.difference_ns > estimate || self.is_believed(now) {
                    self.greatest.clear();
                    self.doubt = None;
                    self.keep(now);
                }
            }
            Some(_) | None => {
                self.doubt = None;
                self.keep(now);
            }
        }
        Clock::Synchronised { offset_ns: self.estimate_ns().unwrap_or(now.difference_ns) }
    }

    /// Whether a clock that seems to be set back has been so for long enough.
    fn is_believed(&mut self, now: Stretch) -> bool {
        match &mut self.doubt {
            Some(doubt) if !is_apart(now.difference_ns, doubt.difference_ns, AGREES) => {
                now.since.since(doubt.since) >= BELIEVED_AFTER
            }
            doubt => {
                *doubt = Some(now);
                false
            }
        }
    }

    fn keep(&mut self, now: Stretch) {
        if let Some(last) = self.greatest.back_mut()
            && now.since.since(last.since) < STRETCH
        {
            last.difference_ns = last.difference_ns.max(now.difference_ns);
            return;
        }
        if self.greatest.len() >= OFFSETS_MAX {
            self.greatest.pop_front();
        }
        self.greatest.push_back(now);
    }

    fn estimate_ns(&self) -> Option<i64> {
        self.greatest.iter().map(|stretch| stretch.difference_ns).max()
    }
}

fn is_apart(one: i64, other: i64, span: Duration) -> bool {
    Duration::from_nanos(one.saturating_sub(other).unsigned_abs()) > span
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_unix_millis(millis)
    }

    /// The estimates in milliseconds after each (device time, our time) pair.
    fn estimates(pairs: &[(i64, i64)]) -> Vec<i64> {
        let mut clock = ClockOffset::default();
        let estimate = |(device, ours): &(i64, i64)| match clock.observe(at(*device), at(*ours)) {
            Clock::Synchronised { offset_ns } => offset_ns / 1_000_000,
            other => unreachable!("{other:?}"),
        };
        pairs.iter().map(estimate).collect()
    }

    #[track_caller]
    fn check(pairs: &[(i64, i64)], want: &[i64]) {
        assert_eq!(estimates(pairs), want, "{pairs:?}");
    }

    #[test]
    fn the_fastest_message_of_late_tells_the_offset() {
        check(&[(1_000, 1_005)], &[-5]);
        check(&[(1_000, 1_090), (2_000, 2_004), (3_000, 3_300)], &[-90, -4, -4]);
        check(&[(5_000, 4_000), (6_000, 5_020)], &[1_000, 1_000]);
    }

    #[test]
    fn a_stall_of_the_network_makes_no_sample_look_newer() {
        // Seven seconds of messages come at once, and then it goes on as before.
        let stalled = [
            (1_000, 1_005),
            (2_000, 9_000),
            (3_000, 9_000),
            (4_000, 9_001),
            (5_000, 9_001),
            (6_000, 9_002),
            (7_000, 9_002),
            (8_000, 9_003),
            (9_000, 9_004),
        ];
        check(&stalled, &[-5, -5, -5, -5, -5, -5, -5, -5, -4]);
        // Two stalls of the same length, far apart, are no clock either.
        check(&[(0, 5), (1_000, 4_000), (9_000, 9_005), (10_000, 13_000)], &[-5; 4]);
        // A message of an hour ago, sent again when the connection is back, is an hour old.
        check(&[(0, 5), (1_000, 3_600_000), (3_600_000, 3_600_010)], &[-5, -5, -5]);
    }

    #[test]
    fn a_clock_that_is_set_back_is_believed_when_it_stays_so() {
        // One message each second; the clock loses 100 s.
        let pairs: Vec<_> = (101..=107).map(|s| ((s - 100) * 1_000, s * 1_000)).collect();
        let pairs = [vec![(100_000, 100_004)], pairs].concat();
        check(&pairs, &[-4, -4, -4, -4, -4, -4, -100_000, -100_000]);
        // At the limit, and one millisecond before it.
        for (last, want) in [(10_999, -4), (11_000, -100_000)] {
            let pairs = [(5_000, 5_004), (6_000 - 100_000, 6_000), (last - 100_000, last)];
            check(&pairs, &[-4, -4, want]);
        }
    }

    #[test]
    fn a_clock_that_is_set_forward_is_believed_at_once() {
        // The network cannot make a message come before it was sent.
        check(&[(100_000, 100_004), (103_000, 101_000)], &[-4, 2_000]);
        check(&[(100_000, 100_004), (102_990, 101_000)], &[-4, 1_990]);
        check(&[(100_000, 100_004), (0, 101_000), (102_000, 102_001)], &[-4, -4, -1]);
    }

    #[test]
    fn only_the_latest_stretches_count() {
        let mut clock = ClockOffset::default();
        clock.observe(at(1_000), at(1_001));
        for n in 1..=OFFSETS_MAX as i64 {
            assert_eq!(clock.estimate_ns(), Some(-1_000_000), "{n}");
            let now = 1_000 + 10_000 * n;
            clock.observe(at(now), at(now + 7));
        }
        assert_eq!(clock.estimate_ns(), Some(-7_000_000));
    }

    proptest! {
        /// Whatever the network does to a sound clock, no sample looks newer than it is, by more
        /// than the fastest way that was seen.
        #[test]
        fn delays_never_make_the_estimate_smaller_than_the_first_fast_message(
            delays in prop::collection::vec(0_i64..60_000, 1..40),
        ) {
            let mut clock = ClockOffset::default();
            clock.observe(at(0), at(2));
            let (mut sent, mut received) = (0, 2);
            for delay in delays.into_iter().take(15) {
                sent += 1_000;
                // Messages of one connection do not overtake each other.
                received = received.max(sent + delay);
                // A stall is over within the time that would be believed.
                received = received.min(sent + 1_900);
                let Clock::Synchronised { offset_ns } = clock.observe(at(sent), at(received)) else {
                    unreachable!()
                };
                prop_assert!((-2_000_000..=0).contains(&offset_ns));
            }
        }
    }
}
