//! Where a log begins and ends, compared with what rests on it: a segment that is gone at
//! either end leaves no hole that a reader could fall into, and neither does one whose samples
//! went before the series had them.

use std::{io, path::Path};

use rusqlite::{Connection, OpenFlags, OptionalExtension as _};

use super::{LogOffset, OpenError, find_tail};
use crate::{DatabaseError, Form, Segment, Storage, sqlite::Sql};

/// The two ends of a log, and how far what was made of it has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ends {
    /// Where the oldest segment begins.
    pub begins: LogOffset,
    /// Where the durable log ends.
    pub ends: LogOffset,
    /// Where the newest segment ends that was thinned; 0 if none was.
    pub thinned: LogOffset,
    /// Where the newest checkpoint stands, if there is one.
    pub checkpoint: Option<LogOffset>,
    /// The greatest place whose rows are in the records.
    pub applied: LogOffset,
}

/// Something of the log that must have been there and is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it all")]
pub enum Lack {
    #[error("the journal begins at offset {begins}; what stood before is gone")]
    Beginning { begins: LogOffset },
    #[error(
        "the journal begins at offset {begins}, and the checkpoint is of {checkpoint}; what stood between is gone"
    )]
    Between { checkpoint: LogOffset, begins: LogOffset },
    #[error(
        "the checkpoint is of offset {checkpoint}, and the journal ends at {ends}; its end is gone"
    )]
    EndOfCheckpoint { checkpoint: LogOffset, ends: LogOffset },
    #[error(
        "the records have rows of offset {applied}, and the journal ends at {ends}; its end is gone"
    )]
    EndOfRows { applied: LogOffset, ends: LogOffset },
    #[error(
        "the journal was thinned up to offset {thinned}, and the checkpoint is of {checkpoint}; samples that went between are in neither"
    )]
    Samples { checkpoint: LogOffset, thinned: LogOffset },
    #[error(
        "the journal was thinned up to offset {thinned}, and there is no file of series with a checkpoint: only that has the samples that went"
    )]
    Series { thinned: LogOffset },
}

impl Lack {
    /// Whether nobody may go on from here: new entries would stand in places that others had,
    /// or what a checkpoint goes on from is not there.
    pub const fn is_fatal(&self) -> bool {
        match self {
            Self::Beginning { .. } => false,
            Self::Between { .. }
            | Self::EndOfCheckpoint { .. }
            | Self::EndOfRows { .. }
            | Self::Samples { .. }
            | Self::Series { .. } => true,
        }
    }

    /// Whether samples are gone that only series could have had: no rebuild brings them back.
    pub const fn is_of_samples(&self) -> bool {
        matches!(self, Self::Samples { .. } | Self::Series { .. })
    }
}

impl Ends {
    /// Everything that is gone, the beginning first.
    pub fn lacks(&self) -> Vec<Lack> {
        let Self { begins, ends, thinned, checkpoint, applied } = *self;
        let beginning = (begins > LogOffset::default()).then_some(Lack::Beginning { begins });
        let between = checkpoint
            .filter(|checkpoint| *checkpoint < begins)
            .map(|checkpoint| Lack::Between { checkpoint, begins });
        let behind = checkpoint
            .filter(|checkpoint| *checkpoint > ends)
            .map(|checkpoint| Lack::EndOfCheckpoint { checkpoint, ends });
        let rows = (applied > ends).then_some(Lack::EndOfRows { applied, ends });
        // A segment goes only when a checkpoint stands behind it: an older one is of other series.
        let samples = match checkpoint {
            None => (thinned > LogOffset::default()).then_some(Lack::Series { thinned }),
            Some(at) => (at < thinned).then_some(Lack::Samples { checkpoint: at, thinned }),
        };
        [beginning, between, behind, rows, samples].into_iter().flatten().collect()
    }
}

/// Where the oldest segment of a log begins; 0 of an empty one.
pub fn begins_at(storage: &dyn Storage) -> io::Result<LogOffset> {
    let segments = storage.segments()?;
    Ok(segments.first().map_or(LogOffset::default(), |oldest| oldest.start))
}

/// Where the durable log ends, of one that nobody has open.
pub fn ends_at(storage: &dyn Storage) -> Result<LogOffset, OpenError> {
    Ok(find_tail(storage)?.0)
}

/// Where the newest segment of a log ends that was thinned; 0 if none was.
pub fn thinned_to(storage: &dyn Storage) -> io::Result<LogOffset> {
    Ok(newest_thinned(&storage.segments()?))
}

fn newest_thinned(segments: &[Segment]) -> LogOffset {
    let newest = segments.iter().rposition(|it| it.form == Form::Thinned);
    // The newest segment of all is never thinned; where that is all that is left, its begin counts.
    let next = |at: usize| segments.get(at.saturating_add(1)).or_else(|| segments.get(at));
    newest.and_then(next).map_or(LogOffset::default(), |it| it.start)
}

/// Where the checkpoint of a file of series stands, and nothing else of it is read or changed.
pub(crate) fn checkpoint_of(series: &Path) -> Result<Option<LogOffset>, DatabaseError> {
    ask(series, "checkpoint", "SELECT offset FROM checkpoint")
}

/// The greatest place whose rows a file of records has.
pub(crate) fn applied_of(records: &Path) -> Result<Option<LogOffset>, DatabaseError> {
    ask(records, "applied", "SELECT log_offset FROM applied")
}

fn ask(path: &Path, table: &str, ask: &str) -> Result<Option<LogOffset>, DatabaseError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let look = |db: Connection| {
        // A file that was cut off at its very first start has no tables yet.
        let there = db.table_exists(None, table)?;
        let row = || db.query_row(ask, [], |row| row.get::<_, Sql<LogOffset>>(0)).optional();
        if there { row() } else { Ok(None) }
    };
    let found = Connection::open_with_flags(path, flags).and_then(look);
    let found = found.map_err(|source| DatabaseError::Sqlite { path: path.to_owned(), source })?;
    Ok(found.map(|it| it.0))
}

#[test]
fn what_is_gone_at_either_end_is_named_and_what_may_be_missed_is_not() {
    let at = LogOffset::from_bytes;
    let (begins, ends) = (at(100), at(900));
    let gone = Lack::Beginning { begins };
    for (begins, checkpoint, applied, expected) in [
        (at(0), None, at(0), vec![]),
        (at(0), Some(at(900)), at(900), vec![]),
        (at(0), Some(at(0)), at(0), vec![]),
        (at(0), Some(at(901)), at(900), vec![Lack::EndOfCheckpoint { checkpoint: at(901), ends }]),
        (at(0), Some(at(900)), at(901), vec![Lack::EndOfRows { applied: at(901), ends }]),
        (begins, Some(at(100)), at(100), vec![gone]),
        (begins, None, at(0), vec![gone]),
        (begins, Some(at(99)), at(99), vec![gone, Lack::Between { checkpoint: at(99), begins }]),
    ] {
        let found = Ends { begins, ends, checkpoint, applied, thinned: at(0) };
        assert_eq!(found.lacks(), expected, "{found:?}");
        let is_fatal = found.lacks().iter().any(Lack::is_fatal);
        assert_eq!(is_fatal, expected.iter().any(|lack| *lack != gone), "{found:?}");
    }
    for (thinned, checkpoint, lack) in [
        (at(0), None, None),
        (at(300), Some(at(300)), None),
        (at(300), Some(at(299)), Some(Lack::Samples { checkpoint: at(299), thinned: at(300) })),
        (at(300), None, Some(Lack::Series { thinned: at(300) })),
    ] {
        let found = Ends { ends, thinned, checkpoint, ..Ends::default() }.lacks();
        assert_eq!(found, Vec::from_iter(lack), "{thinned}, {checkpoint:?}");
        assert!(found.iter().all(|it| it.is_fatal() && it.is_of_samples()));
    }
    // Without a single segment nothing can have rested on it.
    let empty = Ends { applied: at(1), ..Ends::default() };
    assert_eq!(empty.lacks(), [Lack::EndOfRows { applied: at(1), ends: at(0) }]);
}

#[test]
fn a_log_is_thinned_up_to_where_its_newest_thinned_segment_ends() {
    let segment = |start, form| Segment { start: LogOffset::from_bytes(start), len: 9, form };
    let all = [(0, Form::Whole), (50, Form::Thinned), (80, Form::Thinned), (120, Form::Whole)];
    let all = all.map(|(start, form)| segment(start, form));
    for (count, to) in [(0, 0), (1, 0), (2, 50), (3, 80), (4, 120)] {
        assert_eq!(newest_thinned(&all[..count]), LogOffset::from_bytes(to), "{count}");
    }
}
