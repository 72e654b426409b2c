//! The records: every noun with all that it ever was, in one SQLite file.
//!
//! Rows are only added. Each names the place in the log that it came from, so that
//! applying the log again adds nothing, and a question can be asked as of any place.
//! Histories carry two times besides: since when something held, and since when we
//! know. The few rows that say how an alarm stands now are replaced by newer ones.
//!
//! **Absent on purpose:** any decision; what stands here was accepted before.

mod alarms;
mod devices;
mod histories;
mod letters;
mod pulses;
mod row;
mod schema;
mod scores;
mod statement;
#[cfg(test)]
mod tests;
mod trail;

use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use rusqlite::{Connection, OpenFlags, params, types::ValueRef};

pub use alarms::{AlarmFilter, AlarmRow, LifeRow};
pub use devices::{DeviceLifeRow, ReplayRow};
pub use histories::{ChartingRow, HistoryRow};
pub use letters::LetterRow;
pub use pulses::PulseRow;
pub use row::{HandOverStep, Noun, Row};
pub(crate) use schema::VERSION;
pub use scores::ScoreRow;
pub use trail::{AuditFilter, AuditRow, LookRow};

use crate::{
    LogOffset,
    row_sum::{self, Places},
    sqlite::own_file,
};

/// Readers that are open at once; a further one waits for its turn.
const READERS: usize = 4;
/// How long one connection waits for another's lock.
const BUSY_FOR: Duration = Duration::from_secs(10);

/// Why the records cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it all")]
pub enum RecordsError {
    #[error("the records database failed")]
    Database(#[from] rusqlite::Error),
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
    writer: Mutex<Connection>,
    readers: [Mutex<Connection>; READERS],
    /// Where the checksum stands in the rows of each table.
    sums: Places,
}

impl Records {
    /// Opens the database, and makes or migrates its tables.
    pub fn open(path: &Path) -> Result<Self, RecordsError> {
        own_file(path);
        let mut writer = Connection::open(path)?;
        prepare(&writer)?;
        let sums = schema::migrate(&mut writer)?;
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let reader = || -> Result<Mutex<Connection>, RecordsError> {
            let reader = Connection::open_with_flags(path, flags)?;
            reader.busy_timeout(BUSY_FOR)?;
            Ok(Mutex::new(reader))
        };
        let readers = [reader()?, reader()?, reader()?, reader()?];
        Ok(Self(Arc::new(Inner { writer: Mutex::new(writer), readers, sums })))
    }

    /// Adds rows in one transaction; a row that is there already stays as it is.
    pub fn apply(&self, rows: &[Row]) -> Result<(), RecordsError> {
        if rows.is_empty() {
            return Ok(());
        }
        let mut writer = self.0.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let transaction = writer.transaction()?;
        for row in rows {
            row::insert(&transaction, row, &self.0.sums)?;
        }
        let newest = rows.iter().map(|row| row.offset).max().unwrap_or_default();
        let newest = number(newest.bytes());
        if newest > applied(&transaction)? {
            let sum = row_sum::of("applied", [ValueRef::Integer(newest)]);
            transaction.execute(
                "UPDATE applied SET log_offset = ?1, row_sum = ?2",
                params![newest, sum],
            )?;
        }
        transaction.commit()?;
        Ok(())
    }

    /// Lets the file grow by so many pages and no more, as a full disk would; for tests.
    pub fn set_room(&self, pages: Option<u32>) -> Result<(), RecordsError> {
        let writer = self.0.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let used: u32 = writer.pragma_query_value(None, "page_count", |row| row.get(0))?;
        let max = pages.map_or(u32::MAX - 1, |pages| used.saturating_add(pages));
        writer.pragma_update_and_check(None, "max_page_count", max, |_| Ok(()))?;
        Ok(())
    }

    /// The greatest place in the log whose rows are here.
    pub fn applied(&self) -> Result<LogOffset, RecordsError> {
        self.read(|reader| {
            let offset = applied(reader)?;
            Ok(LogOffset::from_bytes(u64::try_from(offset).unwrap_or(0)))
        })
    }

    /// Asks a question on whichever reader is free.
    fn read<T>(
        &self,
        ask: impl FnOnce(&Connection) -> Result<T, RecordsError>,
    ) -> Result<T, RecordsError> {
        let free = self.0.readers.iter().find_map(|reader| reader.try_lock().ok());
        if let Some(reader) = free {
            return ask(&reader);
        }
        let [first, ..] = &self.0.readers;
        let reader = first.lock().unwrap_or_else(PoisonError::into_inner);
        ask(&reader)
    }
}

fn prepare(writer: &Connection) -> Result<(), RecordsError> {
    writer.busy_timeout(BUSY_FOR)?;
    writer.pragma_update(None, "page_size", 8_192)?;
    writer.pragma_update(None, "journal_mode", "WAL")?;
    writer.pragma_update(None, "synchronous", "FULL")?;
    writer.pragma_update(None, "foreign_keys", true)?;
    Ok(())
}

fn applied(db: &Connection) -> Result<i64, RecordsError> {
    let ask = "SELECT log_offset, applied.* FROM applied";
    db.query_row(ask, [], |row| Ok(sound(row, 1, "applied").map(|()| row.get(0))))??
        .map_err(RecordsError::Database)
}

/// Whether the columns from `from` on, which are all of the table's, are as they were written.
fn sound(row: &rusqlite::Row<'_>, from: usize, table: &str) -> Result<(), RecordsError> {
    if row_sum::is_sound(row, from, table)? {
        return Ok(());
    }
    Err(RecordsError::Damaged { what: row_sum::name(row, table) })
}

/// A place or count as SQLite keeps it; none here comes near 2^63.
fn number(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
