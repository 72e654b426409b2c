//! The series: every sample by its own time, hot in memory and sealed on disk.
//!
//! Points and waveform spans are kept in memory until the engine seals: then all of them
//! become compressed chunks in the same transaction as the engine's checkpoint, so that
//! the two always agree. A restart replays the journal from the checkpoint on and pushes
//! again what was in memory. A chunk is read back before memory lets go of its points.
//!
//! **Absent on purpose:** the patient. A series is of a device's channel; whose it is,
//! is asked at each question.

mod chunk;
mod hot;
mod query;
mod roll;
mod roll_block;
mod roll_query;
mod roll_store;
mod seal;
#[cfg(test)]
mod tests;
mod times;

use std::{
    collections::BTreeSet,
    path::Path,
    sync::{Arc, Mutex, atomic::AtomicBool},
};

use model::{Channel, ClockUsed, Code, DeviceId, MissingReason, OrgId, Timestamp, Ucum};
use rusqlite::OptionalExtension;

pub use hot::{Pushed, SeriesLimits};
pub use query::Question;
pub use roll::{Extremes, Roll, RollRule, Spot};
pub use roll_query::{Column, Pace, Resolution};
pub use seal::{SealError, Sealed, Sealing};

use self::hot::Hot;
use crate::{
    LogOffset,
    hold::hold,
    row_sum,
    sqlite::{Database, DatabaseError, Sql},
};

/// What makes two samples belong to one series.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SeriesKey {
    /// Whose data it is.
    pub org: OrgId,
    /// Which device measured.
    pub device: DeviceId,
    /// Its output.
    pub channel: Channel,
    /// What was measured, if the profile knows.
    pub kind: Option<Code>,
    /// The unit as sent.
    pub ucum: Ucum,
}

/// A series while the program runs; the next start may number it otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SeriesId(u32);

/// One sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Point {
    /// When the body was measured, by the best estimate; it orders everything.
    pub at: Timestamp,
    /// When it reached us.
    pub received_at: Timestamp,
    /// Mantissa and power of ten in the unit of the series, or why there is none.
    pub value: Result<(i64, i8), MissingReason>,
    /// What a chart marks.
    pub marks: Marks,
}

/// What is known about the time of a sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Marks {
    /// The clock that `at` was taken from.
    pub clock: ClockUsed,
    /// Whether its age was known; if not, it may be older than it looks.
    pub age_known: bool,
    /// Whether it came too late to decide anything.
    pub late: bool,
}

/// A stretch of a waveform without a gap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WaveSpan {
    /// The time of the first sample.
    pub at: Timestamp,
    /// When it reached us.
    pub received_at: Timestamp,
    /// Samples a second, as numerator and denominator.
    pub rate_hz: (u32, u32),
    /// Mantissa and power of ten of one step, in the unit of the series.
    pub gain: (i64, i8),
    /// Subtracted from a sample before the gain is applied.
    pub offset: i32,
    /// The samples as sent.
    pub samples: Arc<[i32]>,
    /// Stretches without a signal, by index.
    pub invalid: Arc<[Invalid]>,
    /// What a chart marks.
    pub marks: Marks,
}

/// Samples that are there and mean nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it all")]
pub struct Invalid {
    pub start: u32,
    pub len: u32,
    pub reason: MissingReason,
}

impl WaveSpan {
    /// The end of the last sample's interval.
    pub fn end(&self) -> Timestamp {
        let count = u128::try_from(self.samples.len()).unwrap_or(0);
        let (numerator, denominator) = self.rate_hz;
        let nanos = count
            .saturating_mul(1_000_000_000)
            .saturating_mul(denominator.into())
            .checked_div(numerator.into());
        let nanos = nanos.and_then(|nanos| i64::try_from(nanos).ok()).unwrap_or(i64::MAX);
        Timestamp::from_unix_nanos(self.at.unix_nanos().saturating_add(nanos))
    }
}

/// The answer to a question about a channel: usually one, more if its unit or code changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stretch<T> {
    /// What was measured, if the profile knew.
    pub kind: Option<Code>,
    /// The unit of every item.
    pub ucum: Ucum,
    /// Ordered by their times, without doubles.
    pub items: Vec<T>,
}

/// A handle on all series; clones are the same.
#[derive(Clone, Debug)]
pub struct Series(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    hot: Mutex<Hot>,
    database: Database,
    sealing: AtomicBool,
    /// Days whose roll-ups were asked for and not there: series and day since 1970.
    wanted: Mutex<BTreeSet<(SeriesId, i64)>>,
}

/// The steps from each version of the database to the next.
const SCHEMAS: [&str; 4] = [SCHEMA, roll_store::SCHEMA, roll_store::FILL, SUMS];
/// The version of the database that this program writes.
#[expect(clippy::cast_possible_truncation, reason = "there are few")]
pub(crate) const VERSION: u32 = SCHEMAS.len() as u32;

const SCHEMA: &str = "
CREATE TABLE series (
    org BLOB NOT NULL, id INTEGER NOT NULL,
    device BLOB NOT NULL, channel TEXT NOT NULL,
    code_system INTEGER NOT NULL, code INTEGER NOT NULL, code_check INTEGER NOT NULL,
    ucum TEXT NOT NULL,
    PRIMARY KEY (org, id)
) WITHOUT ROWID, STRICT;
CREATE INDEX series_by_source ON series (org, device, channel);
CREATE TABLE chunk (
    org BLOB NOT NULL, series INTEGER NOT NULL, codec INTEGER NOT NULL,
    first INTEGER NOT NULL, -- How many items the series sealed before.
    count INTEGER NOT NULL, min_at INTEGER NOT NULL, max_at INTEGER NOT NULL,
    crc INTEGER NOT NULL, bytes BLOB NOT NULL,
    PRIMARY KEY (org, series, codec, first)
) STRICT;
CREATE INDEX chunk_by_time ON chunk (org, series, codec, max_at, min_at);
CREATE TABLE checkpoint (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    offset INTEGER NOT NULL, crc INTEGER NOT NULL, bytes BLOB NOT NULL
) STRICT;
";

/// A checksum over each whole row; the rows of roll-ups have theirs in `crc`.
const SUMS: &str = "
ALTER TABLE series ADD COLUMN row_sum INTEGER;
ALTER TABLE chunk ADD COLUMN row_sum INTEGER;
ALTER TABLE checkpoint ADD COLUMN row_sum INTEGER;
";

impl Series {
    /// Opens the database, or makes it.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, DatabaseError> {
        Self::open_with(path, SeriesLimits::default())
    }

    /// The same with other bounds.
    pub fn open_with(path: impl AsRef<Path>, limits: SeriesLimits) -> Result<Self, DatabaseError> {
        let database = Database::open(path.as_ref(), &SCHEMAS)?;
        let Some(mut hot) = database.read(hot::load)? else {
            return Err(database.damaged("the list of series"));
        };
        hot.limits = limits;
        let hot = Mutex::new(hot);
        Ok(Self(Arc::new(Inner {
            hot,
            database,
            sealing: AtomicBool::new(false),
            wanted: Mutex::default(),
        })))
    }

    /// The series of this key; the first question makes it.
    pub fn series(&self, key: &SeriesKey) -> SeriesId {
        hold(&self.0.hot).series(key)
    }

    /// Adds a point; it can be asked for at once.
    pub fn push(&self, id: SeriesId, point: Point) -> Pushed {
        hold(&self.0.hot).push(id, point)
    }

    /// Adds many points under one lock; the worst of their answers.
    pub fn push_all(&self, points: impl IntoIterator<Item = (SeriesId, Point)>) -> Pushed {
        let mut hot = hold(&self.0.hot);
        points.into_iter().map(|(id, point)| hot.push(id, point)).max().unwrap_or(Pushed::Kept)
    }

    /// Adds a stretch of a waveform; it can be asked for at once.
    pub fn push_wave(&self, id: SeriesId, span: WaveSpan) -> Pushed {
        hold(&self.0.hot).push_wave(id, span)
    }

    /// Points and samples in memory that are not sealed yet.
    pub fn unsealed(&self) -> (usize, usize) {
        hold(&self.0.hot).unsealed()
    }

    /// The newest checkpoint: the log offset that it covers, and the engine's bytes.
    pub fn load_checkpoint(&self) -> Result<Option<(LogOffset, Vec<u8>)>, DatabaseError> {
        let found = self.0.database.read(|db| {
            let ask = "SELECT offset, bytes, checkpoint.* FROM checkpoint";
            let row = |row: &rusqlite::Row<'_>| {
                let sound = row_sum::is_sound(row, 2, "checkpoint")?;
                Ok((row.get::<_, Sql<LogOffset>>(0)?.0, row.get(1)?, sound))
            };
            db.query_row(ask, [], row).optional()
        })?;
        match found {
            Some((_, _, false)) => Err(self.0.database.damaged("the checkpoint")),
            Some((offset, bytes, true)) => Ok(Some((offset, bytes))),
            None => Ok(None),
        }
    }
}
