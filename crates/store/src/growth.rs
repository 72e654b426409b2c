//! How quickly the data grows, and when the disk will be full if it goes on like that.

use std::time::Duration;

use model::Timestamp;

use crate::{
    DiskUse,
    limits::{GROWTH_FORESEEN_MAX, GROWTH_SPAN_MIN, NEARLY_FULL_PERCENT},
};

const DAY_NS: u128 = 86_400_000_000_000;

/// Where the journal ended at some instant, in bytes since it began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it all")]
pub struct Ended {
    pub at: Timestamp,
    pub journal_bytes: u64,
}

/// How quickly the data grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it all")]
pub struct Growth {
    pub bytes_per_day: u64,
}

impl Growth {
    /// From two ends of the journal, if they lie far enough apart. Series and records are
    /// taken to grow with the journal as they did so far.
    pub fn between(first: Ended, last: Ended, disk: &DiskUse) -> Option<Self> {
        let span = last.at.since(first.at);
        let grown = last.journal_bytes.saturating_sub(first.journal_bytes);
        if span < GROWTH_SPAN_MIN {
            return None;
        }
        let journal = u128::from(grown).saturating_mul(DAY_NS).checked_div(span.as_nanos())?;
        let beside = u128::from(disk.series_bytes.saturating_add(disk.records_bytes));
        let written = u128::from(last.journal_bytes.max(1));
        let with_rest = written.saturating_add(beside);
        let all = journal.saturating_mul(with_rest).checked_div(written)?;
        Some(Self { bytes_per_day: u64::try_from(all).unwrap_or(u64::MAX) })
    }

    /// When what is free will be used up; `None` if nothing grows, or for longer than a lifetime.
    pub fn full_in(self, disk: &DiskUse) -> Option<Duration> {
        let ns = u128::from(disk.free_bytes).saturating_mul(DAY_NS);
        let ns = ns.checked_div(u128::from(self.bytes_per_day))?;
        let span = Duration::from_secs(u64::try_from(ns.checked_div(1_000_000_000)?).ok()?);
        (span < GROWTH_FORESEEN_MAX).then_some(span)
    }
}

impl DiskUse {
    /// How much of what files may take is used, rounded up as `df` does; what the file system
    /// keeps for itself counts on neither side.
    pub fn used_percent(&self) -> u64 {
        let all = self.used_bytes.saturating_add(self.free_bytes).max(1);
        let percent = u128::from(self.used_bytes).saturating_mul(100).div_ceil(all.into());
        u64::try_from(percent).unwrap_or(100)
    }

    /// Whether somebody has to make room soon.
    pub fn is_nearly_full(&self) -> bool {
        self.used_percent() >= NEARLY_FULL_PERCENT
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(minute: i64, journal_bytes: u64) -> Ended {
        Ended { at: Timestamp::from_unix_millis(minute * 60_000), journal_bytes }
    }

    #[test]
    fn growth_is_by_the_day_and_counts_what_grows_beside_the_journal() {
        let disk = DiskUse {
            series_bytes: 30,
            records_bytes: 20,
            free_bytes: 8_640,
            ..DiskUse::default()
        };
        let of = |minutes, grown: u64| {
            Growth::between(ended(0, 100 - grown), ended(minutes, 100), &disk)
        };
        // 10 bytes in 10 minutes are 1,440 a day, and half as much again beside them.
        assert_eq!(of(10, 10), Some(Growth { bytes_per_day: 2_160 }));
        assert_eq!(
            of(10, 10).and_then(|it| it.full_in(&disk)),
            Some(Duration::from_secs(4 * 86_400))
        );
        assert_eq!(of(5, 0), Some(Growth { bytes_per_day: 0 }));
        assert_eq!(of(5, 0).and_then(|it| it.full_in(&disk)), None);
        assert_eq!(
            Growth::between(
                ended(0, 1),
                Ended { at: ended(5, 0).at.before(Duration::from_nanos(1)), journal_bytes: 9 },
                &disk
            ),
            None
        );
    }

    #[test]
    fn eighty_of_a_hundred_are_nearly_full() {
        for (used_bytes, free_bytes, percent, nearly) in [
            (790, 210, 79, false),
            (791, 209, 80, true),
            (800, 200, 80, true),
            (1_000, 0, 100, true),
            (0, 0, 0, false),
        ] {
            let disk = DiskUse { used_bytes, free_bytes, ..DiskUse::default() };
            assert_eq!((disk.used_percent(), disk.is_nearly_full()), (percent, nearly));
        }
    }
}
