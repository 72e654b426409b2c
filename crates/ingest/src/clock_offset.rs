//! How far a device's clock is off, learned from its own messages.
//!
//! A message says the device's time at sending, and we know our time at receipt:
//! the difference is the offset less the time on the way. The way only ever makes
//! it smaller, so the greatest difference of late is the best estimate. A jump
//! throws everything away, or a clock set to 1970 would be believed for a while.

use std::{collections::VecDeque, time::Duration};

use model::{Clock, Timestamp};

use crate::limits::OFFSETS_MAX;

/// A difference this far from the estimate is a jump of the clock, not the network.
const JUMP: Duration = Duration::from_secs(2);

/// What is known of one device's clock.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ClockOffset {
    /// Device minus ours, in nanoseconds, newest last.
    differences_ns: VecDeque<i64>,
}

impl ClockOffset {
    /// Takes in the device's time at sending; answers how far the clock can be trusted.
    pub(crate) fn observe(&mut self, device_now: Timestamp, received_at: Timestamp) -> Clock {
        let difference = device_now.nanos_after(received_at);
        let jumped = self.estimate_ns().is_some_and(|estimate| {
            Duration::from_nanos(difference.saturating_sub(estimate).unsigned_abs()) > JUMP
        });
        if jumped {
            self.differences_ns.clear();
        }
        if self.differences_ns.len() >= OFFSETS_MAX {
            self.differences_ns.pop_front();
        }
        self.differences_ns.push_back(difference);
        Clock::Synchronised { offset_ns: self.estimate_ns().unwrap_or(difference) }
    }

    fn estimate_ns(&self) -> Option<i64> {
        self.differences_ns.iter().copied().max()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_unix_millis(millis)
    }

    /// Feeds (device time, our time) pairs; the last estimate in milliseconds must be `want`.
    #[track_caller]
    fn check(pairs: &[(i64, i64)], want: i64) {
        let mut clock = ClockOffset::default();
        let mut last = Clock::Unsynchronised;
        for (device, ours) in pairs {
            last = clock.observe(at(*device), at(*ours));
        }
        assert_eq!(last, Clock::Synchronised { offset_ns: want * 1_000_000 }, "{pairs:?}");
    }

    #[test]
    fn the_fastest_message_of_late_tells_the_offset() {
        check(&[(1_000, 1_005)], -5);
        check(&[(1_000, 1_090), (2_000, 2_004), (3_000, 3_300)], -4);
        check(&[(5_000, 4_000), (6_000, 5_020)], 1_000);
    }

    #[test]
    fn a_jump_is_believed_at_once_and_not_after_sixteen_messages() {
        check(&[(100_000, 100_004), (0, 101_000)], -101_000);
        check(&[(100_000, 100_004), (0, 101_000), (102_000, 102_001)], -1);
    }

    #[test]
    fn only_the_latest_messages_count() {
        let mut clock = ClockOffset::default();
        clock.observe(at(1_000), at(1_001));
        for n in 1..=OFFSETS_MAX as i64 {
            clock.observe(at(1_000 * n), at(1_000 * n + 7));
        }
        assert_eq!(clock.estimate_ns(), Some(-7_000_000));
    }
}
