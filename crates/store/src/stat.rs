//! What a data directory holds and how it grows, by looking at every frame; nothing is changed.

use std::{collections::BTreeMap, io, path::Path};

use model::Timestamp;
use record::Kinds;
use rusqlite::{Connection, OpenFlags};

use crate::{
    DataDir, DatabaseError, DiskUse, FileStorage, Form, LogOffset, OpenError, Shortened, Storage,
    growth::{Ended, Growth, ThinnedPart},
    journal::{COMMIT, find_tail, read_whole, walk},
};

/// Frames of one kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it all")]
pub struct Frames {
    pub count: u64,
    /// With their envelopes.
    pub bytes: u64,
}

/// Sealed chunks of one codec: 1 has points, 2 has waveforms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it all")]
pub struct Chunks {
    pub count: u64,
    /// Points, or stretches of a waveform.
    pub items: u64,
    pub bytes: u64,
    pub oldest: Option<Timestamp>,
    pub newest: Option<Timestamp>,
}

/// What a data directory holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stat {
    /// Segments of the journal.
    pub segments: usize,
    /// Where the oldest segment begins; not 0 once the beginning was trimmed.
    pub begins_at: LogOffset,
    /// Where the durable log ends.
    pub ends_at: LogOffset,
    /// Commits, each once synced as a whole.
    pub commits: u64,
    /// Segments that were thinned.
    pub thinned_segments: usize,
    /// What of them went.
    pub shortened: Shortened,
    /// By the number of their kind, without those of the log itself.
    pub frames: BTreeMap<u16, Frames>,
    /// The receipts of the oldest and the newest frame.
    pub received: Option<(Timestamp, Timestamp)>,
    /// Bytes of frames by the hour of their receipt, counted from 1970.
    pub hours: BTreeMap<i64, u64>,
    /// Where the newest checkpoint stands, and its bytes.
    pub checkpoint: Option<(LogOffset, u64)>,
    /// Series, each a channel of a device in one unit.
    pub series: u64,
    /// Sealed chunks by codec.
    pub chunks: BTreeMap<u8, Chunks>,
    /// Rows of each table of the records.
    pub rows: BTreeMap<String, u64>,
    /// Files, and the disk that they are on.
    pub disk: DiskUse,
}

/// Why a directory could not be counted.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it all")]
pub enum StatError {
    #[error("the journal's segments cannot be read")]
    Journal(#[source] io::Error),
    #[error("the journal cannot be opened")]
    Open(#[source] OpenError),
    #[error("a database cannot be read")]
    Database(#[source] DatabaseError),
    #[error("the files cannot be measured")]
    Disk(#[source] io::Error),
}

const HOUR_NS: i64 = 3_600_000_000_000;
/// Growth is taken over the newest week.
const GROWTH_HOURS: i64 = 7 * 24;

/// Counts everything in a data directory.
pub fn stat(dir: &DataDir) -> Result<Stat, StatError> {
    let storage = FileStorage::open(dir).map_err(StatError::Journal)?;
    let mut stat = stat_journal(&storage)?;
    if dir.series().exists() {
        let read = look(&dir.series(), |db| count_series(db, &mut stat));
        read.map_err(StatError::Database)?;
    }
    if dir.records().exists() {
        stat.rows = look(&dir.records(), count_rows).map_err(StatError::Database)?;
    }
    stat.disk = DiskUse::of(dir.path()).map_err(StatError::Disk)?;
    Ok(stat)
}

/// Counts the frames of a journal.
pub(crate) fn stat_journal(storage: &dyn Storage) -> Result<Stat, StatError> {
    let segments = storage.segments().map_err(StatError::Journal)?;
    let (end, _) = find_tail(storage).map_err(StatError::Open)?;
    let begins_at = segments.first().map_or(LogOffset::default(), |first| first.start);
    let mut stat = Stat { segments: segments.len(), begins_at, ends_at: end, ..Stat::default() };
    for segment in &segments {
        let bytes = read_whole(storage, *segment).map_err(StatError::Open)?;
        let mut begin = segment.start;
        let walked = walk(&bytes, segment.form, begin, &BTreeMap::new(), |end, frame| {
            let came = end.bytes().saturating_sub(begin.bytes());
            begin = end;
            let stays = u64::try_from(frame.len()).unwrap_or(u64::MAX);
            stat.count(frame.envelope.kind, (came, stays), frame.envelope.received_at);
        });
        stat.commits = stat.commits.saturating_add(walked.commits);
        let is_thinned = segment.form == Form::Thinned;
        stat.thinned_segments = stat.thinned_segments.saturating_add(usize::from(is_thinned));
        stat.shortened = stat.shortened.with(walked.shortened);
    }
    Ok(stat)
}

impl Stat {
    fn count(&mut self, kind: u16, (came, stays): (u64, u64), at: Timestamp) {
        let hour = at.unix_nanos().div_euclid(HOUR_NS);
        let bytes = self.hours.entry(hour).or_insert(0);
        *bytes = bytes.saturating_add(came);
        if kind == COMMIT || kind == Kinds::SEGMENT_HEAD {
            return;
        }
        let frames = self.frames.entry(kind).or_default();
        frames.count = frames.count.saturating_add(1);
        frames.bytes = frames.bytes.saturating_add(stays);
        let (oldest, newest) = self.received.unwrap_or((at, at));
        self.received = Some((oldest.min(at), newest.max(at)));
    }

    /// How quickly all of it grew in the newest week of the journal.
    pub fn growth(&self) -> Option<Growth> {
        let (oldest, newest) = self.received?;
        let last = newest.unix_nanos().div_euclid(HOUR_NS);
        let first = last.saturating_sub(GROWTH_HOURS);
        let grown = self.hours.range(first..).map(|(_, bytes)| *bytes).fold(0, u64::saturating_add);
        let begun = Timestamp::from_unix_nanos(first.saturating_mul(HOUR_NS)).max(oldest);
        let (end, begin) = (self.ends_at.bytes(), self.ends_at.bytes().saturating_sub(grown));
        let first = Ended { at: begun, journal_bytes: begin };
        let last = Ended { at: newest, journal_bytes: end };
        // Whether a server will thin what came since, nobody knows who looks from outside.
        Growth::between(first, last, ThinnedPart::default(), &self.disk)
    }

    /// Bytes that came by the day of their receipt (UTC), counted from 1970, also those that
    /// were thinned since.
    pub fn days(&self) -> BTreeMap<i64, u64> {
        let mut days = BTreeMap::new();
        for (hour, bytes) in &self.hours {
            let day: &mut u64 = days.entry(hour.div_euclid(24)).or_insert(0);
            *day = day.saturating_add(*bytes);
        }
        days
    }
}

fn look<T>(
    path: &Path,
    ask: impl FnOnce(&Connection) -> rusqlite::Result<T>,
) -> Result<T, DatabaseError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    Connection::open_with_flags(path, flags)
        .and_then(|db| ask(&db))
        .map_err(|source| DatabaseError::Sqlite { path: path.to_owned(), source })
}

fn count_series(db: &Connection, stat: &mut Stat) -> rusqlite::Result<()> {
    stat.series = db.query_row("SELECT count(*) FROM series", [], |row| number(row, 0))?;
    let ask = "SELECT codec, count(*), sum(count), sum(length(bytes)), min(min_at), max(max_at)
               FROM chunk GROUP BY codec";
    let mut statement = db.prepare(ask)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let time = |at| row.get::<_, Option<i64>>(at).map(|it| it.map(Timestamp::from_unix_nanos));
        let chunks = Chunks {
            count: number(row, 1)?,
            items: number(row, 2)?,
            bytes: number(row, 3)?,
            oldest: time(4)?,
            newest: time(5)?,
        };
        stat.chunks.insert(row.get(0)?, chunks);
    }
    let ask = "SELECT offset, length(bytes) FROM checkpoint";
    let mut statement = db.prepare(ask)?;
    let mut rows = statement.query([])?;
    if let Some(row) = rows.next()? {
        stat.checkpoint = Some((LogOffset::from_bytes(number(row, 0)?), number(row, 1)?));
    }
    Ok(())
}

fn number(row: &rusqlite::Row<'_>, at: usize) -> rusqlite::Result<u64> {
    Ok(u64::try_from(row.get::<_, i64>(at)?).unwrap_or(0))
}

fn count_rows(db: &Connection) -> rusqlite::Result<BTreeMap<String, u64>> {
    let ask = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'";
    let mut statement = db.prepare(ask)?;
    let tables = statement.query_map([], |row| row.get(0))?;
    let tables = tables.collect::<rusqlite::Result<Vec<String>>>()?;
    let count = |table: String| {
        let ask = format!("SELECT count(*) FROM {table}");
        Ok((table, db.query_row(&ask, [], |row| number(row, 0))?))
    };
    tables.into_iter().map(count).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use model::{OrgId, PartitionId};

    use super::*;
    use crate::{Clock, Entry, FaultyDisk, Journal, JournalLimits, Stub};

    fn start() -> Timestamp {
        // Half past eleven in the evening (UTC).
        Timestamp::from_unix_millis(1_700_006_400_000 - 1_800_000)
    }

    fn minute(minute: u64) -> Timestamp {
        start().after(Duration::from_secs(60 * minute))
    }

    /// An hour with an entry a minute.
    fn live(disk: &FaultyDisk) -> Journal {
        let limits = JournalLimits { segment_len: 4 << 10, ..JournalLimits::default() };
        let clock = Clock::manual(start());
        let (journal, _) = Journal::open(disk.clone(), clock.clone(), limits).unwrap();
        for n in 0..60 {
            clock.advance_to(minute(n));
            let entry = Entry {
                kind: if n % 3 == 0 { 2_000 } else { 3_000 },
                body_version: 1,
                org: OrgId::v7(start(), 1),
                partition: PartitionId::v7(start(), 2),
                received_at: minute(n),
                key_id: 0,
                body: vec![7; 400],
            };
            journal.append(vec![entry]).wait().unwrap();
        }
        journal
    }

    #[test]
    fn what_was_thinned_came_all_the_same() {
        let disk = FaultyDisk::new();
        let journal = live(&disk);
        let before = stat_journal(&disk).unwrap();
        let (from, to) = journal.thinnable().unwrap()[0];
        let stub = || Stub { kind: 3_001, body_version: 1, body: Vec::new() };
        let records = journal.replay_between(from, to).map(Result::unwrap);
        let stubs = records.map(|it| (it.offset, stub())).collect();
        journal.thin(from, &stubs, |_| true).unwrap();
        journal.close();
        let after = stat_journal(&disk).unwrap();
        assert_eq!((before.thinned_segments, after.thinned_segments), (0, 1));
        assert_eq!((after.days(), after.growth()), (before.days(), before.growth()));
        let bytes = |stat: &Stat| stat.frames.values().map(|it| it.bytes).sum::<u64>();
        assert!(bytes(&after) < bytes(&before));
    }

    #[test]
    fn frames_are_counted_by_kind_and_day_and_growth_is_that_of_the_newest_week() {
        let disk = FaultyDisk::new();
        let journal = live(&disk);
        let end = journal.end();
        journal.close();
        let stat = stat_journal(&disk).unwrap();
        assert!(stat.segments > 1 && (stat.begins_at, stat.ends_at) == (LogOffset::default(), end));
        assert_eq!((stat.frames[&2_000].count, stat.frames[&3_000].count), (20, 40));
        assert!(stat.frames[&2_000].bytes > 20 * 400);
        assert_eq!((stat.commits, stat.received), (60, Some((minute(0), minute(59)))));
        // Every byte up to the end is a frame's, and belongs to a day.
        assert_eq!(stat.days().values().sum::<u64>(), end.bytes());
        assert_eq!(stat.days().len(), 2);
        let day = stat.growth().unwrap().bytes_per_day;
        let expected = end.bytes() * 1_440 / 59;
        assert!(day.abs_diff(expected) <= expected / 100, "{day} of {expected}");
    }

    #[test]
    fn an_empty_directory_holds_nothing_and_does_not_grow() {
        let place = tempfile::tempdir().unwrap();
        let dir = DataDir::open(place.path()).unwrap();
        let stat = stat(&dir).unwrap();
        assert_eq!((stat.segments, stat.series, stat.growth()), (0, 0, None));
        assert!(stat.rows.is_empty() && stat.disk.total_bytes > 0);
    }
}
