//! The records: every noun with all that it ever was, in a file of SQLite or in PostgreSQL.
//!
//! Rows are only added. Each names the place in the log that it came from, so that
//! applying the log again adds nothing, and a question can be asked as of any place.
//! Histories carry two times besides: since when something held, and since when we
//! know. The few rows that say how an alarm stands now are replaced by newer ones.
//!
//! **Absent on purpose:** any decision; what stands here was accepted before.

mod alarms;
mod db;
mod devices;
mod failure;
mod histories;
mod home;
mod letters;
mod look;
mod moving;
mod place;
mod pulses;
mod row;
mod schema;
mod scores;
mod statement;
#[cfg(test)]
mod tests;
mod trail;

use std::{borrow::Cow, collections::BTreeMap, io, path::Path, sync::Arc, time::Duration};

pub use alarms::{AlarmFilter, AlarmRow, LifeRow};
pub use devices::{DeviceLifeRow, ReplayRow};
pub use failure::PostgresFailure;
pub use histories::{ChartingRow, HistoryRow};
pub(crate) use home::is_elsewhere;
pub use home::{HomeError, elsewhere as records_elsewhere};
pub use letters::LetterRow;
pub use look::look_elsewhere;
pub use moving::{Moved, move_to_file, move_to_postgres};
pub use place::PostgresPlace;
pub use pulses::PulseRow;
pub use row::{HandOverStep, Noun, Row};
pub(crate) use schema::VERSION;
pub use scores::ScoreRow;
pub use trail::{AuditFilter, AuditRow, LookRow};

use crate::{LogOffset, row_sum};
use db::{
    Change, Db, Found, Patience, Val,
    postgres::{self, Postgres},
    sqlite::Sqlite,
};
use row::{Insert, Inserts};

/// Why the records cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it all")]
pub enum RecordsError {
    #[error("the records database failed")]
    Database(#[from] rusqlite::Error),
    #[error("PostgreSQL, which holds the records, failed")]
    Postgres(#[from] PostgresFailure),
    #[error("PostgreSQL, which holds the records, did not answer within {} s", after.as_secs())]
    NoAnswer { after: Duration },
    #[error("another program writes the records at {place}; stop it first")]
    Held { place: String },
    #[error(
        "the records at {place} lack what was written to them: this is an older copy; start the program again, which makes the missing rows from the journal"
    )]
    Older { place: String },
    #[error("the address of the records is not understood: {why}")]
    Place { why: String },
    #[error(
        "the database at {place} keeps texts as {encoding}, which lacks characters of names; make one with `createdb -E UTF8 -T template0`"
    )]
    Encoding { place: String, encoding: String },
    #[error(
        "the schema for records at {place} has tables of another program; nothing was changed: name a database of its own"
    )]
    Foreign { place: String },
    #[error("there are no records at {place}; the server makes them from the journal at its start")]
    Nothing { place: String },
    #[error("PostgreSQL has as many questions as it may have at once; ask again")]
    Busy,
    #[error("the thread that speaks to PostgreSQL could not be started")]
    Thread(#[source] io::Error),
    #[error("only a file can be told how much room it has")]
    NotAFile,
    #[error(
        "the records are of version {found}, and this program knows up to {known}; use a newer program"
    )]
    Newer { found: u32, known: u32 },
    #[error(
        "there is no room to bring the records to this program's version; they are as they were: make sure that {need_mib} MiB are free and start again"
    )]
    NoRoomToUpgrade { need_mib: u64, source: rusqlite::Error },
    #[error("{what} is damaged; restore a backup or rebuild the records from the journal")]
    Damaged { what: String },
    #[error("a record holds {what}, which this program cannot read")]
    Unreadable { what: String },
}

/// A handle on the records; clones are the same database.
#[derive(Clone, Debug)]
pub struct Records(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    db: Box<dyn Db>,
    inserts: Inserts,
}

impl Records {
    /// Opens a file of SQLite, and makes or migrates its tables.
    pub fn open(path: &Path) -> Result<Self, RecordsError> {
        Self::over(Box::new(Sqlite::open(path)?))
    }

    /// Connects to PostgreSQL, and makes or migrates the tables in a schema of their own. One
    /// program writes there at a time; a connection that is lost later is made anew.
    pub fn connect(place: &PostgresPlace) -> Result<Self, RecordsError> {
        Self::over(Box::new(Postgres::open(place, postgres::SCHEMA)?))
    }

    /// Connects to PostgreSQL to read what is there: nothing is made or migrated, and whoever
    /// writes there goes on.
    pub fn look_at(place: &PostgresPlace) -> Result<Self, RecordsError> {
        Self::over(Box::new(Postgres::look(place, postgres::SCHEMA)?))
    }

    fn over(db: Box<dyn Db>) -> Result<Self, RecordsError> {
        let tables = db.tables()?;
        let inserts = tables.iter().map(|table| (table.0.clone(), Insert::into(table))).collect();
        Ok(Self(Arc::new(Inner { db, inserts })))
    }

    /// Adds rows in one transaction; a row that is there already stays as it is.
    pub fn apply(&self, rows: &[Row]) -> Result<(), RecordsError> {
        self.apply_as(rows, Patience::Long)
    }

    /// The same for whoever has others waiting: a PostgreSQL that does not answer is an error
    /// within seconds.
    pub fn apply_soon(&self, rows: &[Row]) -> Result<(), RecordsError> {
        self.apply_as(rows, Patience::Short)
    }

    fn apply_as(&self, rows: &[Row], patience: Patience) -> Result<(), RecordsError> {
        let Some(newest) = rows.iter().map(|row| row.offset).max() else { return Ok(()) };
        let added = rows.iter().map(|row| row::change(row, &self.0.inserts));
        let mut changes = added.chain([reached(newest)]);
        self.0.db.write(&mut changes, patience)
    }

    /// Before all rows are made again from the journal: empties a PostgreSQL, which may have
    /// rows of another history; those of a file are of its directory's journal.
    pub fn begin_anew(&self) -> Result<(), RecordsError> {
        self.0.db.begin_anew()
    }

    /// Whether they are in PostgreSQL, and not in a file beside the journal.
    pub fn are_elsewhere(&self) -> bool {
        self.0.db.is_elsewhere()
    }

    /// Lets the file grow by so many pages and no more, as a full disk would; for tests.
    pub fn set_room(&self, pages: Option<u32>) -> Result<(), RecordsError> {
        self.0.db.set_room(pages)
    }

    /// The greatest place in the log whose rows are here.
    pub fn applied(&self) -> Result<LogOffset, RecordsError> {
        let ask = "SELECT log_offset, applied.* FROM applied";
        let found = self.one(ask, &[], (1, "applied"), |row| row.get::<i64>(0))?;
        let offset = found.ok_or_else(|| RecordsError::Damaged { what: "`applied`".to_owned() })?;
        Ok(LogOffset::from_bytes(u64::try_from(offset).unwrap_or(0)))
    }

    /// Whether all rows up to where a checkpoint stands are here, as far as can be told: if
    /// not, they have to be made again from the journal, and the checkpoint has to wait.
    pub fn reach(&self, checkpoint: LogOffset) -> Result<bool, RecordsError> {
        let applied = number(self.applied()?.bytes());
        self.0.db.reaches(number(checkpoint.bytes()), applied)
    }

    /// Notes durably that all rows up to a place are here; before a checkpoint is made there.
    pub fn note_reached(&self, place: LogOffset) -> Result<(), RecordsError> {
        self.0.db.note_reached(number(place.bytes()))
    }

    /// How many rows each table has.
    pub fn row_counts(&self) -> Result<BTreeMap<String, u64>, RecordsError> {
        let mut counts = BTreeMap::new();
        for (table, _) in self.0.db.tables()? {
            self.0.db.query(&format!("SELECT count(*) FROM {table}"), &[], &mut |row| {
                counts.insert(table.clone(), u64::try_from(row.get::<i64>(0)?).unwrap_or(0));
                Ok(())
            })?;
        }
        Ok(counts)
    }

    /// Reads every row, and names those that are not what was written.
    pub fn damaged(&self) -> Result<Vec<String>, RecordsError> {
        let mut damaged = Vec::new();
        for (table, _) in self.0.db.tables()? {
            self.0.db.scan(&table, &mut |row| {
                if !row.is_sound(0, &table)? {
                    damaged.push(row.called(&table));
                }
                Ok(())
            })?;
        }
        Ok(damaged)
    }

    /// Asks a question whose rows end, from the given place on, with all columns of a table,
    /// and checks each of them.
    fn all<T>(
        &self,
        sql: &str,
        values: &[Val],
        (own, table): (usize, &str),
        mut read: impl FnMut(&Found<'_>) -> Result<T, RecordsError>,
    ) -> Result<Vec<T>, RecordsError> {
        let mut found = Vec::new();
        self.0.db.query(sql, values, &mut |row| {
            row.sound(own, table)?;
            found.push(read(row)?);
            Ok(())
        })?;
        Ok(found)
    }

    /// The same for a question that finds one row at most.
    fn one<T>(
        &self,
        sql: &str,
        values: &[Val],
        from: (usize, &str),
        read: impl FnMut(&Found<'_>) -> Result<T, RecordsError>,
    ) -> Result<Option<T>, RecordsError> {
        Ok(self.all(sql, values, from, read)?.into_iter().next())
    }
}

/// Notes how far the rows have come, if that is farther than before.
fn reached(newest: LogOffset) -> Change<'static> {
    let newest = number(newest.bytes());
    let sum = row_sum::of("applied", [row_sum::Cell::Int(newest)]);
    let sql = "UPDATE applied SET log_offset = $1, row_sum = $2 WHERE log_offset < $1";
    Change { sql: Cow::Borrowed(sql), values: vec![Val::Int(newest), Val::Int(sum)] }
}

/// A place or count as a database keeps it; none here comes near 2^63.
fn number(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// A count of rows as a database takes it.
fn count(limit: usize) -> Val {
    Val::Int(i64::try_from(limit).unwrap_or(i64::MAX))
}
