//! Whether the journal records, and how fast: what `/metrics` and the screens show.

use std::{collections::VecDeque, sync::Mutex, time::Duration};

use model::Timestamp;

use super::LogOffset;
use crate::{hold::hold, limits::SYNC_SAMPLES, storage::Mark};

/// Whether what comes in is made durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// It is.
    Recording,
    /// It is not; records are handed on as provisional, and nothing is acknowledged.
    NotRecording {
        /// When that began.
        since: Timestamp,
        /// What stopped it.
        why: WhyNot,
    },
}

/// What stopped the recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WhyNot {
    /// A sync or a write failed; nobody knows what the disk holds until a restart reads it.
    Poisoned,
    /// The disk is full; it goes on by itself when there is room.
    Full,
}

/// The journal's figures at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JournalStatus {
    /// Whether it records.
    pub condition: Condition,
    /// Where the durable log ends, in bytes since it began.
    pub end: LogOffset,
    /// Groups made durable since the start.
    pub groups: u64,
    /// Entries made durable since the start.
    pub entries: u64,
    /// Commits, each with one sync, since the start.
    pub commits: u64,
    /// Entries that were never recorded since the start, because the log was full or poisoned.
    pub lost: u64,
    /// The median of the latest syncs, in microseconds.
    pub fsync_p50_us: u64,
    /// 99 of 100 of the latest syncs took no longer, in microseconds.
    pub fsync_p99_us: u64,
    /// Groups that wait for the writer.
    pub queue_groups: usize,
    /// Bytes that wait for the writer.
    pub queue_len: usize,
}

/// The mark that says since when nothing is recorded: the instant, and a check over it.
pub(super) fn mark_of(since: Option<Timestamp>) -> Mark {
    let mut mark = Mark::default();
    if let (Some(since), [first, second]) = (since, mark.as_chunks_mut::<8>().0) {
        *first = since.unix_nanos().to_be_bytes();
        *second = u64::from(crc32c::crc32c(&*first)).to_be_bytes();
    }
    mark
}

/// What a mark says; one that was never put down, or only half, says nothing.
pub(super) fn unrecorded_since(mark: &Mark) -> Option<Timestamp> {
    let (first, _) = mark.split_first_chunk::<8>()?;
    let since = Some(Timestamp::from_unix_nanos(i64::from_be_bytes(*first)));
    since.filter(|_| mark_of(since) == *mark)
}

/// Counters and the latest syncs.
#[derive(Debug, Default)]
pub(super) struct Gauges(Mutex<Counted>);

#[derive(Debug, Default)]
struct Counted {
    groups: u64,
    entries: u64,
    commits: u64,
    lost: u64,
    syncs_us: VecDeque<u64>,
}

impl Gauges {
    pub(super) fn committed(&self, groups: usize, entries: usize, sync: Duration) {
        let mut counted = hold(&self.0);
        counted.groups = counted.groups.saturating_add(count(groups));
        counted.entries = counted.entries.saturating_add(count(entries));
        counted.commits = counted.commits.saturating_add(1);
        if counted.syncs_us.len() >= SYNC_SAMPLES {
            counted.syncs_us.pop_front();
        }
        counted.syncs_us.push_back(u64::try_from(sync.as_micros()).unwrap_or(u64::MAX));
    }

    pub(super) fn lost(&self, entries: usize) {
        let mut counted = hold(&self.0);
        counted.lost = counted.lost.saturating_add(count(entries));
    }

    pub(super) fn status(
        &self,
        condition: Condition,
        end: LogOffset,
        (queue_groups, queue_len): (usize, usize),
    ) -> JournalStatus {
        let counted = hold(&self.0);
        let mut syncs: Vec<_> = counted.syncs_us.iter().copied().collect();
        let (groups, entries) = (counted.groups, counted.entries);
        let (commits, lost) = (counted.commits, counted.lost);
        drop(counted);
        syncs.sort_unstable();
        let [fsync_p50_us, fsync_p99_us] = [50, 99].map(|percent| percentile(&syncs, percent));
        JournalStatus {
            condition,
            end,
            groups,
            entries,
            commits,
            lost,
            fsync_p50_us,
            fsync_p99_us,
            queue_groups,
            queue_len,
        }
    }
}

/// The value that `percent` of the sorted ones do not exceed; 0 of none.
fn percentile(sorted: &[u64], percent: usize) -> u64 {
    let rank = sorted.len().saturating_mul(percent).div_ceil(100);
    sorted.get(rank.saturating_sub(1)).copied().unwrap_or(0)
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

#[test]
fn a_mark_says_since_when_and_half_a_mark_says_nothing() {
    assert_eq!(mark_of(None), Mark::default());
    assert_eq!(unrecorded_since(&Mark::default()), None);
    for nanos in [1, -5, i64::MAX, 1_700_000_000_000_000_000] {
        let since = Some(Timestamp::from_unix_nanos(nanos));
        let mark = mark_of(since);
        assert_eq!(unrecorded_since(&mark), since);
        let mut half = mark;
        half[8..].fill(0);
        assert_eq!(unrecorded_since(&half), None, "{nanos}");
    }
}

#[test]
fn percentiles_are_those_of_the_latest_syncs() {
    let gauges = Gauges::default();
    let status =
        |gauges: &Gauges| gauges.status(Condition::Recording, LogOffset::default(), (0, 0));
    assert_eq!(status(&gauges).fsync_p99_us, 0);
    for micros in 1..=2_000 {
        gauges.committed(1, 2, Duration::from_micros(micros));
    }
    let status = status(&gauges);
    // The last 1,024 are 977 to 2,000.
    assert_eq!((status.fsync_p50_us, status.fsync_p99_us), (1_488, 1_990));
    assert_eq!((status.groups, status.entries, status.commits), (2_000, 4_000, 2_000));
}
