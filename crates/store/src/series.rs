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
mod corrections;
mod counts;
mod damage;
mod hot;
mod mend;
mod query;
mod roll;
mod roll_block;
mod roll_query;
mod roll_store;
mod seal;
#[cfg(test)]
mod tests;
mod times;
mod wave_there;

use std::{
    collections::BTreeSet,
    path::Path,
    sync::{Arc, Mutex, atomic::AtomicBool},
};

use model::{Channel, ClockUsed, Code, DeviceId, MissingReason, OrgId, Timestamp, Ucum};
use rusqlite::OptionalExtension;
use tokio::sync::watch;

pub use corrections::GivenCorrection;
pub use damage::{DamageState, DamagedChunk, DamagedSpan};
pub use hot::{Pushed, SeriesLimits};
pub use mend::Mend;
pub use query::{Answer, Question};
pub use roll::{Extremes, Roll, RollRule, Spot};
pub use roll_query::{Column, Pace, Resolution};
pub use seal::{SealError, Sealed, Sealing};
pub use wave_there::{WaveDetail, WaveThere};

use self::{corrections::Corrections, hot::Hot};
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

impl Marks {
    /// The marks of what came from a file: a time by the device's clock that nobody compared
    /// with ours. A device's own word is never marked so, as its clock is believed only once it
    /// was compared.
    pub const OF_A_FILE: Self = Self { clock: ClockUsed::Device, age_known: false, late: true };

    /// Whether it came from a file, and so says nothing of when its device spoke.
    pub fn is_of_a_file(self) -> bool {
        self == Self::OF_A_FILE
    }
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
        at_sample(self.at, self.samples.len(), self.rate_hz)
    }
}

/// The time of a sample so many after the first one, rounded down to a nanosecond.
fn at_sample(first: Timestamp, sample: usize, (numerator, denominator): (u32, u32)) -> Timestamp {
    let count = u128::try_from(sample).unwrap_or(0);
    let nanos = count
        .saturating_mul(1_000_000_000)
        .saturating_mul(denominator.into())
        .checked_div(numerator.into());
    let nanos = nanos.and_then(|nanos| i64::try_from(nanos).ok()).unwrap_or(i64::MAX);
    Timestamp::from_unix_nanos(first.unix_nanos().saturating_add(nanos))
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

/// A handle on all series; clones are the same. It answers by the corrections that were known
/// at an instant: a usual one by all of them.
#[derive(Clone, Debug)]
pub struct Series(Arc<Inner>, Timestamp);

#[derive(Debug)]
struct Inner {
    hot: Mutex<Hot>,
    database: Database,
    /// Asked behind `hot` where both are held.
    corrections: Mutex<Corrections>,
    sealing: AtomicBool,
    /// Days whose roll-ups were asked for and not there: series and day since 1970.
    wanted: Mutex<BTreeSet<(SeriesId, i64)>>,
    /// Damaged chunks that were met, and how often there were new ones.
    met: Mutex<damage::Meetings>,
    meets: watch::Sender<u64>,
}

/// By all that is known.
const KNOWN_NOW: Timestamp = Timestamp::from_unix_nanos(i64::MAX);

/// The steps from each version of the database to the next.
const SCHEMAS: [&str; 7] = [
    SCHEMA,
    roll_store::SCHEMA,
    roll_store::FILL,
    SUMS,
    damage::SCHEMA,
    corrections::SCHEMA,
    roll_store::MARK_SUMS,
];
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
        Self::open_as(path.as_ref(), limits, false)
    }

    /// The same for a start, which can read the journal from its beginning: a list of corrections
    /// that is not what was written is no reason to serve nobody, and
    /// [`Self::lacks_corrections`] says that all of them have to be given again first.
    pub fn open_for_start(path: impl AsRef<Path>) -> Result<Self, DatabaseError> {
        Self::open_as(path.as_ref(), SeriesLimits::default(), true)
    }

    fn open_as(path: &Path, limits: SeriesLimits, is_start: bool) -> Result<Self, DatabaseError> {
        let database = Database::open(path, &SCHEMAS)?;
        let Some(mut hot) = database.read(hot::load)? else {
            return Err(database.damaged("the list of series"));
        };
        hot.limits = limits;
        let corrections = match database.read(corrections::load)? {
            Some(corrections) => corrections,
            None if is_start => {
                tracing::error!("corrections_damaged_and_read_again_from_the_journal");
                Corrections::lost()
            }
            None => return Err(database.damaged("the list of corrections")),
        };
        let inner = Inner {
            hot: Mutex::new(hot),
            corrections: Mutex::new(corrections),
            database,
            sealing: AtomicBool::new(false),
            wanted: Mutex::default(),
            met: Mutex::default(),
            meets: watch::Sender::new(0),
        };
        let series = Self(Arc::new(inner), KNOWN_NOW);
        if !series.0.database.read(roll_store::has_sound_marks)? {
            tracing::warn!("roll_ups_are_made_anew");
            series.forget_rolls()?;
        }
        Ok(series)
    }

    /// The same series, answering by the corrections that were known at an instant; what was
    /// measured is all that is there now.
    #[must_use]
    pub fn as_known(&self, at: Timestamp) -> Self {
        Self(Arc::clone(&self.0), at)
    }

    /// The same series without any correction: what its devices said last of each instant.
    #[must_use]
    pub fn uncorrected(&self) -> Self {
        self.as_known(Timestamp::from_unix_nanos(i64::MIN))
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
