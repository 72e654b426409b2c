//! How quickly the data grows, and when the disk will be full if it goes on like that.

use std::time::Duration;

use model::Timestamp;
use record::{DiskLevel, DiskNote};

use crate::{
    DiskUse,
    limits::{
        ALMOST_FULL_PERCENT, DISK_CALM_PERCENT, GROWTH_FORESEEN_MAX, GROWTH_SPAN_MIN,
        NEARLY_FULL_PERCENT,
    },
};

const DAY_NS: u128 = 86_400_000_000_000;

/// Where the journal ended at some instant, in bytes since it began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it all")]
pub struct Ended {
    pub at: Timestamp,
    pub journal_bytes: u64,
}

/// What a journal gave up so far, where it will go on to; the default where it will not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ThinnedPart {
    /// Where the newest thinned segment ends, in bytes since the journal began; 0 if none was.
    pub to_bytes: u64,
    /// What the journal has less by it.
    pub saved_bytes: u64,
}

impl ThinnedPart {
    /// What stays in the end of so many bytes of the journal, by what stayed so far.
    fn stays_of(self, grown: u128) -> u128 {
        let (to, saved) = (u128::from(self.to_bytes), u128::from(self.saved_bytes));
        grown.saturating_mul(to.saturating_sub(saved)).checked_div(to).unwrap_or(grown)
    }
}

/// How quickly the data grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it all")]
pub struct Growth {
    pub bytes_per_day: u64,
}

impl Growth {
    /// From two ends of the journal, if they lie far enough apart. Series and records are
    /// taken to grow with the journal as they did so far, and the journal to give up of what
    /// comes now the same share as of what is thinned: each day as much as a day brought.
    pub fn between(
        first: Ended,
        last: Ended,
        thinned: ThinnedPart,
        disk: &DiskUse,
    ) -> Option<Self> {
        let span = last.at.since(first.at);
        let grown = last.journal_bytes.saturating_sub(first.journal_bytes);
        if span < GROWTH_SPAN_MIN {
            return None;
        }
        let journal = u128::from(grown).saturating_mul(DAY_NS).checked_div(span.as_nanos())?;
        let beside = u128::from(disk.series_bytes.saturating_add(disk.records_bytes));
        let written = u128::from(last.journal_bytes.max(1));
        let rest = journal.saturating_mul(beside).checked_div(written)?;
        let all = thinned.stays_of(journal).saturating_add(rest);
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
        level_at(self.used_percent()) >= DiskLevel::NearlyFull
    }

    /// The level that the disk comes to from `was`, if that is another: up at once, down only
    /// where it is well below the mark, so that an alarm does not come and go with each file.
    pub fn comes_from(&self, was: DiskLevel) -> Option<DiskNote> {
        let percent = self.used_percent();
        let reached = level_at(percent);
        let calm_from = level_at(percent.saturating_add(DISK_CALM_PERCENT).saturating_sub(1));
        let level = reached.max(was.min(calm_from));
        let (free_bytes, total_bytes) = (self.free_bytes, self.total_bytes);
        let note = DiskNote { level, used_percent: percent, free_bytes, total_bytes };
        (level != was).then_some(note)
    }
}

const fn level_at(used_percent: u64) -> DiskLevel {
    match used_percent {
        0..NEARLY_FULL_PERCENT => DiskLevel::Roomy,
        NEARLY_FULL_PERCENT..ALMOST_FULL_PERCENT => DiskLevel::NearlyFull,
        _ => DiskLevel::AlmostFull,
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
            let none = ThinnedPart::default();
            Growth::between(ended(0, 100 - grown), ended(minutes, 100), none, &disk)
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
                ThinnedPart::default(),
                &disk
            ),
            None
        );
    }

    #[test]
    fn a_journal_that_is_thinned_grows_by_what_stays_of_it() {
        let check = |(to_bytes, saved_bytes), bytes_per_day| {
            let disk = DiskUse { series_bytes: 50, ..DiskUse::default() };
            let thinned = ThinnedPart { to_bytes, saved_bytes };
            let found = Growth::between(ended(0, 90), ended(10, 100), thinned, &disk);
            assert_eq!(found, Some(Growth { bytes_per_day }), "{to_bytes} {saved_bytes}");
        };
        // 1,440 a day come into the journal, and half as much beside it.
        check((0, 0), 2_160);
        check((80, 0), 2_160);
        check((80, 60), 1_080);
        check((80, 80), 720);
        // No more can have gone than there was.
        check((80, 81), 720);
    }

    #[test]
    fn used_is_rounded_up_as_df_does() {
        for (used_bytes, free_bytes, percent) in
            [(790, 210, 79), (791, 209, 80), (800, 200, 80), (1_000, 0, 100), (0, 0, 0)]
        {
            let disk = DiskUse { used_bytes, free_bytes, ..DiskUse::default() };
            assert_eq!(disk.used_percent(), percent);
        }
    }

    #[test]
    fn an_alarm_about_the_disk_rises_at_its_mark_and_falls_three_points_below() {
        use DiskLevel::{AlmostFull, NearlyFull, Roomy};
        // Each row: from what, at how many percent, to what.
        for (was, percent, becomes) in [
            (Roomy, 0, Roomy),
            (Roomy, 79, Roomy),
            (Roomy, 80, NearlyFull),
            (Roomy, 94, NearlyFull),
            (Roomy, 95, AlmostFull),
            (NearlyFull, 78, NearlyFull),
            (NearlyFull, 77, Roomy),
            (NearlyFull, 94, NearlyFull),
            (NearlyFull, 95, AlmostFull),
            (AlmostFull, 100, AlmostFull),
            (AlmostFull, 93, AlmostFull),
            (AlmostFull, 92, NearlyFull),
            (AlmostFull, 78, NearlyFull),
            (AlmostFull, 77, Roomy),
        ] {
            let (used_bytes, free_bytes) = (percent, 100 - percent);
            let disk = DiskUse { used_bytes, free_bytes, total_bytes: 110, ..DiskUse::default() };
            let note =
                DiskNote { level: becomes, used_percent: percent, free_bytes, total_bytes: 110 };
            assert_eq!(disk.comes_from(was), (becomes != was).then_some(note), "{was:?} {percent}");
        }
    }
}
