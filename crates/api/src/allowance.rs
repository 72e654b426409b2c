//! How often somebody may do something: some at once, and then so many a second.

use std::time::Duration;

use model::Timestamp;

/// What is left, and how fast more comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Allowance {
    left: u32,
    most: u32,
    /// One more comes after each of these.
    every: Duration,
    counted_at: Timestamp,
}

impl Allowance {
    /// `most` at once, and one more after each `every`.
    pub(crate) const fn new(most: u32, every: Duration, now: Timestamp) -> Self {
        Self { left: most, most, every, counted_at: now }
    }

    /// Whether it may be done once more now.
    pub(crate) fn take(&mut self, now: Timestamp) -> bool {
        let passed = now.since(self.counted_at).as_nanos();
        let more = passed.checked_div(self.every.as_nanos()).unwrap_or(0);
        let more = u32::try_from(more).unwrap_or(u32::MAX);
        if more > 0 {
            self.left = self.left.saturating_add(more).min(self.most);
            self.counted_at = self.counted_at.after(self.every.saturating_mul(more));
        }
        let may = self.left > 0;
        self.left = self.left.saturating_sub(1);
        may
    }
}

#[test]
fn some_may_be_done_at_once_and_then_so_many_a_second() {
    let at = |millis: i64| Timestamp::from_unix_millis(1_700_000_000_000 + millis);
    let mut allowance = Allowance::new(3, Duration::from_millis(250), at(0));
    let mut check = |millis: i64, want: bool| {
        assert_eq!(allowance.take(at(millis)), want, "at {millis} ms");
    };
    [0, 0, 0].into_iter().for_each(|millis| check(millis, true));
    check(0, false);
    check(249, false);
    check(250, true);
    check(499, false);
    check(500, true);
    // A long rest gives no more than at the beginning.
    [60_000, 60_000, 60_000].into_iter().for_each(|millis| check(millis, true));
    check(60_000, false);
}
