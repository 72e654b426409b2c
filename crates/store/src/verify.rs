//! A look at a data directory that no server holds: whether every byte is what it was
//! when it was written, and the log as text.
//!
//! **Absent on purpose:** mending. Opening the journal mends a torn tail; damage needs a
//! person.

use std::{
    collections::BTreeMap,
    io::{self, Write},
    path::{Path, PathBuf},
    sync::Arc,
};

use record::Kinds;
use rusqlite::{Connection, OpenFlags};

use crate::{
    DataDir, DatabaseError, Ends, FileStorage, Form, Lack, LogOffset, OpenError, ReadError,
    Segment, Series, Shortened, Storage, Torn, begins_at,
    journal::{COMMIT, applied_of, checkpoint_of, find_tail, read_whole, replay, walk},
    records::is_elsewhere,
    row_sum, thinned_to,
};

/// What a look at a data directory found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Segments of the journal.
    pub segments: usize,
    /// Where the oldest segment begins.
    pub begins: LogOffset,
    /// Where the durable log ends, in bytes since it began.
    pub end: LogOffset,
    /// Commits, each once synced as a whole.
    pub commits: u64,
    /// Frames by the number of their kind, without those of the log itself; parts count one by one.
    pub frames: BTreeMap<u16, u64>,
    /// What of the journal was thinned; no damage.
    pub shortened: Shortened,
    /// The remains of an unfinished write, which the next opening zeroes; no damage.
    pub torn: Option<Torn>,
    /// Sealed chunks.
    pub chunks: u64,
    /// Everything that is not what it was when it was written.
    pub damage: Vec<Damage>,
    /// What of the journal is gone at either end; nothing in the product takes a segment away.
    pub lacks: Vec<Lack>,
}

/// Something that is not what it was when it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// Where, such as `journal segment 0, offset 4711`.
    pub place: String,
    /// What was found.
    pub what: String,
}

impl Report {
    /// Whether nothing is damaged and nothing is gone.
    pub const fn is_sound(&self) -> bool {
        self.damage.is_empty() && self.lacks.is_empty()
    }

    fn add(&mut self, place: String, what: impl Into<String>) {
        self.damage.push(Damage { place, what: what.into() });
    }
}

/// Why a directory could not be looked at.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it all")]
pub enum VerifyError {
    #[error("the journal's segments cannot be read")]
    Journal(#[source] io::Error),
    #[error("the series cannot be read")]
    Series(#[source] DatabaseError),
    #[error("what the databases rest on cannot be read")]
    Databases(#[source] DatabaseError),
}

/// Reads every frame, every chunk and every page of a data directory.
pub fn verify(dir: &DataDir) -> Result<Report, VerifyError> {
    let storage = FileStorage::open(dir).map_err(VerifyError::Journal)?;
    let mut report = verify_journal(&storage)?;
    let records = records_of(dir);
    for (name, path) in [("series.sqlite", Some(dir.series())), ("records.sqlite", records)] {
        let Some(path) = path else { continue };
        for what in check_pages(&path) {
            report.add(name.to_owned(), what);
        }
    }
    if report.damage.is_empty() {
        let thinned = thinned_to(&storage).map_err(VerifyError::Journal)?;
        report.lacks = ends(dir, &report, thinned).map_err(VerifyError::Databases)?.lacks();
    }
    if dir.series().exists() {
        check_chunks(dir, &mut report)?;
    }
    Ok(report)
}

/// Looks at every chunk, also where something else is damaged: what then keeps the look from its
/// end is told instead.
fn check_chunks(dir: &DataDir, report: &mut Report) -> Result<(), VerifyError> {
    let looked = Series::open(dir.series()).and_then(|series| series.check_chunks());
    match looked {
        Ok((chunks, damaged)) => {
            report.chunks = chunks;
            for place in damaged {
                report.add(format!("series.sqlite, {place}"), "what was sealed cannot be read");
            }
        }
        Err(error) if report.damage.is_empty() => return Err(VerifyError::Series(error)),
        Err(error) => {
            let what = format!("not every chunk could be looked at: {error}");
            report.add("series.sqlite".to_owned(), what);
        }
    }
    Ok(())
}

/// What of a journal that nobody has open is gone, by the ends of it and of what rests on it.
pub fn lacks(dir: &DataDir) -> Result<Vec<Lack>, VerifyError> {
    let storage = FileStorage::open(dir).map_err(VerifyError::Journal)?;
    let begins = begins_at(&storage).map_err(VerifyError::Journal)?;
    let (end, _) = find_tail(&storage).map_err(|error| match error {
        OpenError::Io(error) => VerifyError::Journal(error),
        error => VerifyError::Journal(io::Error::other(error)),
    })?;
    let report = Report { begins, end, ..Report::default() };
    let thinned = thinned_to(&storage).map_err(VerifyError::Journal)?;
    Ok(ends(dir, &report, thinned).map_err(VerifyError::Databases)?.lacks())
}

/// The file of the records, unless it is known to be what a move that was cut short left.
fn records_of(dir: &DataDir) -> Option<PathBuf> {
    (!is_elsewhere(dir.path())).then(|| dir.records())
}

/// The ends of the journal and of what rests on it, in databases that are sound.
fn ends(dir: &DataDir, report: &Report, thinned: LogOffset) -> Result<Ends, DatabaseError> {
    let there = |path: PathBuf| path.exists().then_some(path);
    let checkpoint = there(dir.series()).map(|path| checkpoint_of(&path)).transpose()?.flatten();
    let applied =
        records_of(dir).and_then(there).map(|path| applied_of(&path)).transpose()?.flatten();
    let (begins, ends) = (report.begins, report.end);
    Ok(Ends { begins, ends, thinned, checkpoint, applied: applied.unwrap_or_default() })
}

/// Reads every frame of a journal, in all segments, and changes nothing.
pub fn verify_journal(storage: &dyn Storage) -> Result<Report, VerifyError> {
    let segments = storage.segments().map_err(VerifyError::Journal)?;
    let begins = segments.first().map_or(LogOffset::default(), |oldest| oldest.start);
    let mut report = Report { segments: segments.len(), begins, ..Report::default() };
    let mut next = BTreeMap::new();
    for (place, segment) in segments.iter().enumerate() {
        let after = segments.get(place.saturating_add(1));
        let bytes = match read_whole(storage, *segment) {
            Ok(bytes) => bytes,
            Err(OpenError::Io(error)) => return Err(VerifyError::Journal(error)),
            Err(error) => return Err(VerifyError::Journal(io::Error::other(error))),
        };
        next = verify_segment(&bytes, *segment, after, &next, &mut report);
    }
    match find_tail(storage) {
        Ok((end, torn)) => (report.end, report.torn) = (end, torn),
        Err(OpenError::Io(error)) => return Err(VerifyError::Journal(error)),
        // Damage is named above already, unless only the tail tells of it.
        Err(error) if report.is_sound() => report.add("journal".to_owned(), error.to_string()),
        Err(_) => {}
    }
    report.lacks = Ends { begins, ends: report.end, ..Ends::default() }.lacks();
    Ok(report)
}

type Next = BTreeMap<model::PartitionId, u64>;

fn verify_segment(
    bytes: &[u8],
    segment: Segment,
    after: Option<&Segment>,
    next: &Next,
    report: &mut Report,
) -> Next {
    // All but the newest end where the next begins; a thinned one ends with its file as well.
    let end = after.map(|after| after.start.minus(segment.start));
    let used = end.filter(|_| segment.form == Form::Whole);
    let used = used.and_then(|end| usize::try_from(end).ok()).unwrap_or(bytes.len());
    let bytes = bytes.get(..used).unwrap_or(bytes);
    let walked = walk(bytes, segment.form, segment.start, next, |_, frame| {
        let kind = frame.envelope.kind;
        if kind != COMMIT && kind != Kinds::SEGMENT_HEAD {
            let count = report.frames.entry(kind).or_insert(0);
            *count = count.saturating_add(1);
        }
    });
    report.commits = report.commits.saturating_add(walked.commits);
    report.shortened = report.shortened.with(walked.shortened);
    if end.is_some_and(|end| !walked.is_whole(segment.form, end)) {
        let offset = segment.start.plus(walked.ended);
        let place = format!("journal segment {}, offset {offset}", segment.start);
        report.add(place, walked.bad.unwrap_or_else(|| "frames are missing".to_owned()));
        // What is missing is not known, so the next head is believed.
        return Next::new();
    }
    walked.next
}

/// What SQLite itself finds, and rows that fail their checksums; nothing if there is no such file.
fn check_pages(path: &Path) -> Vec<String> {
    if !path.exists() {
        return Vec::new();
    }
    let check = || -> rusqlite::Result<Vec<String>> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let db = Connection::open_with_flags(path, flags)?;
        let mut statement = db.prepare("PRAGMA integrity_check")?;
        let pages: Vec<String> =
            statement.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
        if pages.iter().any(|line| line != "ok") {
            return Ok(pages);
        }
        // Chunks are named more exactly by their own look.
        row_sum::check_rows(&db, "chunk")
    };
    match check() {
        Ok(found) => found.into_iter().filter(|line| line != "ok").collect(),
        Err(error) => vec![error.to_string()],
    }
}

/// Whether a dump shows what people said and devices measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bodies {
    /// Only their lengths.
    Hidden,
    /// Their bytes in hexadecimal; patients are in there.
    Shown,
}

/// Why a dump ended early.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it all")]
pub enum DumpError {
    #[error("the journal cannot be opened")]
    Open(#[source] OpenError),
    #[error("the journal cannot be read on")]
    Read(#[source] ReadError),
    #[error("the text cannot be written")]
    Write(#[source] io::Error),
}

/// Writes one JSON line for each record after `from`, and says how many.
pub fn dump(
    storage: Arc<dyn Storage>,
    from: LogOffset,
    bodies: Bodies,
    out: &mut dyn Write,
) -> Result<u64, DumpError> {
    let mut count = 0_u64;
    for record in replay(storage, from).map_err(DumpError::Open)? {
        let record = record.map_err(DumpError::Read)?;
        let frame = &record.frame;
        write!(
            out,
            "{{\"offset\":{},\"kind\":{},\"body_version\":{},\"org\":\"{}\",\"partition\":\"{}\",\
             \"seq\":{},\"received_at_ns\":{},\"key_id\":{},\"body_len\":{}",
            record.offset,
            frame.kind,
            frame.body_version,
            frame.org,
            frame.position.partition,
            frame.position.seq,
            frame.received_at.unix_nanos(),
            frame.key_id,
            frame.body.len(),
        )
        .and_then(|()| match bodies {
            Bodies::Hidden => writeln!(out, "}}"),
            Bodies::Shown => {
                out.write_all(b",\"body\":\"")?;
                frame.body.iter().try_for_each(|byte| write!(out, "{byte:02x}"))?;
                writeln!(out, "\"}}")
            }
        })
        .map_err(DumpError::Write)?;
        count = count.saturating_add(1);
    }
    Ok(count)
}

#[cfg(test)]
#[expect(clippy::panic, reason = "a test ends by it")]
mod tests {
    use model::{Channel, ClockUsed, DeviceId, Org, OrgId, PartitionId, Timestamp};

    use super::*;
    use crate::{
        Clock, Entry, FaultyDisk, Journal, JournalLimits, Marks, Noun, Point, Records, Row,
        SeriesKey,
    };

    fn now() -> Timestamp {
        Timestamp::from_unix_millis(1_700_000_000_000)
    }

    fn entry(kind: u16, len: usize) -> Entry {
        Entry {
            kind,
            body_version: 1,
            org: OrgId::v7(now(), 1),
            partition: PartitionId::v7(now(), 2),
            received_at: now(),
            key_id: 0,
            body: vec![0xab; len],
        }
    }

    fn fill(storage: impl Storage + 'static, count: usize) {
        let limits = JournalLimits { segment_len: 16 << 10, ..JournalLimits::default() };
        let (journal, _) = Journal::open(storage, Clock::manual(now()), limits).unwrap();
        for n in 0..count {
            let kind = if n % 3 == 0 { 2_000 } else { 3_000 };
            journal.append(vec![entry(kind, 400)]).wait().unwrap();
        }
        journal.close();
    }

    #[test]
    fn every_flipped_bit_of_an_older_segment_is_named() {
        let disk = FaultyDisk::new();
        fill(disk.clone(), 90);
        let report = verify_journal(&disk).unwrap();
        assert!(report.is_sound() && report.segments > 2, "{report:?}");
        assert_eq!(report.frames, BTreeMap::from([(2_000, 30), (3_000, 60)]));
        assert_eq!(report.commits, 90);
        let second = disk.segments().unwrap()[1].start;
        for at in (0..second.bytes()).step_by(97) {
            let copy = disk.after_worst_crash();
            copy.rot(LogOffset::default(), usize::try_from(at).unwrap());
            let report = verify_journal(&copy).unwrap();
            let [damage] = &report.damage[..] else { panic!("{at}: {:?}", report.damage) };
            assert!(damage.place.starts_with("journal segment 0, offset "), "{damage:?}");
            assert!(copy.happened().is_empty());
        }
    }

    #[test]
    fn a_segment_that_is_gone_is_missed_wherever_it_was() {
        let disk = FaultyDisk::new();
        fill(disk.clone(), 90);
        let (whole, segments) = (verify_journal(&disk).unwrap(), disk.segments().unwrap());
        assert!(segments.len() > 2 && whole.begins == LogOffset::default(), "{whole:?}");
        for (place, segment) in segments.iter().enumerate() {
            let copy = disk.copy();
            copy.lose(segment.start);
            let report = verify_journal(&copy).unwrap();
            let begins = segments[1].start;
            if place == 0 {
                assert_eq!(report.lacks, [Lack::Beginning { begins }]);
                assert!(report.damage.is_empty() && !report.is_sound());
                assert_eq!((report.begins, report.end), (begins, whole.end));
            } else if place + 1 < segments.len() {
                assert!(!report.damage.is_empty(), "{place}: {report:?}");
            } else {
                // The log alone cannot tell; whatever had come further can.
                assert!(report.is_sound() && report.end == segment.start, "{report:?}");
            }
        }
    }

    #[test]
    fn rows_and_checkpoints_miss_the_end_that_they_rest_on() {
        let place = tempfile::tempdir().unwrap();
        let dir = DataDir::open(place.path()).unwrap();
        fill(FileStorage::open(&dir).unwrap(), 90);
        let storage = FileStorage::open(&dir).unwrap();
        let (end, segments) = (verify(&dir).unwrap().end, storage.segments().unwrap());
        let [.., before, newest] = &segments[..] else { panic!("{segments:?}") };
        let series = Series::open(dir.series()).unwrap();
        series.seal(end, b"state").unwrap();
        drop(series);
        let records = Records::open(&dir.records()).unwrap();
        let (org, ends) = (OrgId::v7(now(), 1), newest.start);
        let noun = Noun::Org(Org { id: org, name: "ward".to_owned() });
        records.apply(&[Row { org, offset: end, index: 0, known_at: now(), noun }]).unwrap();
        drop(records);
        assert!(verify(&dir).unwrap().is_sound());
        let file = |start: LogOffset| dir.journal().join(format!("{:020}.seg", start.bytes()));
        std::fs::remove_file(file(newest.start)).unwrap();
        let told = [
            Lack::EndOfCheckpoint { checkpoint: end, ends },
            Lack::EndOfRows { applied: end, ends },
        ];
        assert_eq!(verify(&dir).unwrap().lacks, told);
        assert_eq!(lacks(&dir).unwrap(), told, "without reading all of it");
        std::fs::remove_file(dir.series()).unwrap();
        assert_eq!(verify(&dir).unwrap().lacks, told[1..]);
        std::fs::remove_file(file(before.start)).unwrap();
        let rows = [Lack::EndOfRows { applied: end, ends: before.start }];
        assert_eq!(verify(&dir).unwrap().lacks, rows);
        assert_eq!(lacks(&dir).unwrap(), rows);
    }

    #[test]
    fn a_torn_tail_is_reported_and_is_no_damage() {
        let disk = FaultyDisk::new();
        fill(disk.clone(), 3);
        let end = verify_journal(&disk).unwrap().end;
        disk.write(LogOffset::default(), end.bytes(), &[7; 30]).unwrap();
        let report = verify_journal(&disk).unwrap();
        assert!(report.is_sound(), "{report:?}");
        assert_eq!(report.torn, Some(Torn { offset: end, len: 30, frames: 0 }));
    }

    #[test]
    fn a_whole_directory_is_looked_at() {
        let place = tempfile::tempdir().unwrap();
        let dir = DataDir::open(place.path()).unwrap();
        assert_eq!(verify(&dir).unwrap(), Report::default());
        fill(FileStorage::open(&dir).unwrap(), 10);
        drop(Records::open(&dir.records()).unwrap());
        let series = Series::open(dir.series()).unwrap();
        let key = SeriesKey {
            org: OrgId::v7(now(), 1),
            device: DeviceId::v7(now(), 2),
            channel: Channel::from("HR"),
            kind: None,
            ucum: "/min".into(),
        };
        let marks = Marks { clock: ClockUsed::Device, age_known: true, late: false };
        let point = Point { at: now(), received_at: now(), value: Ok((72, 0)), marks };
        let _ = series.push(series.series(&key), point);
        series.seal(LogOffset::default(), b"").unwrap();
        drop(series);
        let report = verify(&dir).unwrap();
        assert!(report.is_sound(), "{report:?}");
        assert_eq!((report.chunks, report.frames.values().sum::<u64>()), (1, 10));

        let db = Connection::open(dir.series()).unwrap();
        db.execute("UPDATE chunk SET crc = crc + 1", []).unwrap();
        let report = verify(&dir).unwrap();
        assert_eq!(report.damage[0].place, "series.sqlite, series 0, codec 1, from item 0");
        drop(db);
        std::fs::write(dir.records(), [0x55; 20_000]).unwrap();
        let report = verify(&dir).unwrap();
        assert_eq!(report.damage[0].place, "records.sqlite");
    }

    #[test]
    fn a_dump_shows_places_and_hides_bodies_unless_asked() {
        let disk = FaultyDisk::new();
        fill(disk.clone(), 2);
        let text = |from, bodies| {
            let mut out = Vec::new();
            let count = dump(Arc::new(disk.clone()), from, bodies, &mut out).unwrap();
            (count, String::from_utf8(out).unwrap())
        };
        let (count, hidden) = text(LogOffset::default(), Bodies::Hidden);
        assert_eq!((count, hidden.lines().count()), (2, 2));
        let line = hidden.lines().next().unwrap();
        assert!(line.contains("\"kind\":2000") && line.ends_with("\"body_len\":400}"), "{line}");
        assert!(!hidden.contains("abab"));
        let (_, shown) = text(LogOffset::default(), Bodies::Shown);
        assert!(shown.contains(&format!("\"body\":\"{}\"", "ab".repeat(400))));
        let offset = line.split([':', ',']).nth(1).unwrap().parse().unwrap();
        assert_eq!(text(LogOffset::from_bytes(offset), Bodies::Hidden).0, 1);
    }
}
