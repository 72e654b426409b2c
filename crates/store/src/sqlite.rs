//! SQLite as both databases use it: one writer, a few readers, every commit synced, and
//! our ids and times as columns.

use std::{
    fs,
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    sync::Mutex,
};

use model::{Id, Kind, Timestamp};
use rusqlite::{
    Connection, ErrorCode, OpenFlags, ToSql, Transaction, TransactionBehavior,
    backup::{Backup, StepResult},
    types::{FromSql, FromSqlError, FromSqlResult, ToSqlOutput, Value, ValueRef},
};

use crate::{
    LogOffset, derived,
    hold::hold,
    limits::{BUSY_WAIT, READERS_MAX, UPGRADE_ROOM_TIMES},
    row_sum,
};

/// Why a database did not answer.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages name every field")]
pub enum DatabaseError {
    #[error("the database {} could not be read or written", path.display())]
    Sqlite { path: PathBuf, source: rusqlite::Error },
    #[error(
        "the database {} has schema {found}; this program knows schemas up to {known}",
        path.display()
    )]
    UnknownSchema { path: PathBuf, found: i64, known: i64 },
    #[error(
        "there is no room to bring the database {} to this program's version; it is as it was, and the program before still reads it: make sure that {need_mib} MiB are free and start again",
        path.display()
    )]
    NoRoomToUpgrade { path: PathBuf, need_mib: u64, source: rusqlite::Error },
    #[error("{what} in the database {} is damaged; restore a backup or rebuild it from the journal", path.display())]
    Damaged { path: PathBuf, what: String },
    #[error("a question for more than {max} {what} at once; ask for a shorter span")]
    TooMuch { what: &'static str, max: usize },
}

impl DatabaseError {
    /// Whether what stands in the database is the trouble, and no disk or lock.
    pub(crate) fn is_of_damage(&self) -> bool {
        match self {
            Self::Damaged { .. } => true,
            Self::Sqlite { source, .. } => is_corrupt(source),
            Self::UnknownSchema { .. } | Self::NoRoomToUpgrade { .. } | Self::TooMuch { .. } => {
                false
            }
        }
    }
}

/// Whether SQLite lost its way in the file.
pub(crate) fn is_corrupt(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::DatabaseCorrupt)
}

/// Makes the file readable for its owner only, before anything stands in it; what SQLite
/// writes beside it gets the same mode. A file that cannot be had is the opener's to report.
pub(crate) fn own_file(path: &Path) {
    let mut options = fs::OpenOptions::new();
    options.read(true).append(true).create(true).mode(0o600);
    if let Ok(file) = options.open(path) {
        let _ = file.set_permissions(fs::Permissions::from_mode(0o600));
    }
}

/// Bytes of a page of a database that is made now: several sealed chunks share one, and what a
/// chunk leaves of its last page is lost.
const PAGE_LEN: u32 = 16 << 10;

/// One file, its writer and its resting readers.
#[derive(Debug)]
pub(crate) struct Database {
    path: PathBuf,
    writer: Mutex<Connection>,
    readers: Mutex<Vec<Connection>>,
}

impl Database {
    /// Opens the file and brings its schema up: `schemas` are the steps from each version to the next.
    pub(crate) fn open(path: &Path, schemas: &[&str]) -> Result<Self, DatabaseError> {
        let fault = |source| DatabaseError::Sqlite { path: path.to_owned(), source };
        own_file(path);
        let mut writer = Connection::open(path).map_err(fault)?;
        // Only a database that is made now heeds it.
        writer.pragma_update(None, "page_size", PAGE_LEN).map_err(fault)?;
        prepare(&writer).map_err(fault)?;
        check_names(&writer, path)?;
        let found: i64 =
            writer.query_row("PRAGMA user_version", [], |row| row.get(0)).map_err(fault)?;
        let known = i64::try_from(schemas.len()).unwrap_or(i64::MAX);
        let done = usize::try_from(found).ok().filter(|done| *done <= schemas.len());
        let Some(done) = done else {
            return Err(DatabaseError::UnknownSchema { path: path.to_owned(), found, known });
        };
        if done < schemas.len() {
            bring_up(&mut writer, path, schemas.get(done..).unwrap_or_default(), known)?;
        }
        let (writer, readers) = (Mutex::new(writer), Mutex::new(Vec::new()));
        Ok(Self { path: path.to_owned(), writer, readers })
    }

    pub(crate) fn damaged(&self, what: impl Into<String>) -> DatabaseError {
        DatabaseError::Damaged { path: self.path.clone(), what: what.into() }
    }

    fn fault(&self, source: rusqlite::Error) -> DatabaseError {
        DatabaseError::Sqlite { path: self.path.clone(), source }
    }

    /// Asks on a connection of its own, in one view of the data.
    pub(crate) fn read<T>(
        &self,
        ask: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, DatabaseError> {
        let resting = hold(&self.readers).pop();
        let asked = match resting {
            Some(reader) => Ok(reader),
            None => self.reader(),
        };
        let reader = asked.map_err(|error| self.fault(error))?;
        let answer = reader
            .unchecked_transaction()
            .and_then(|view| {
                let answer = ask(&view)?;
                view.finish()?;
                Ok(answer)
            })
            .map_err(|error| self.fault(error));
        let mut readers = hold(&self.readers);
        if readers.len() < READERS_MAX {
            readers.push(reader);
        }
        answer
    }

    fn reader(&self) -> rusqlite::Result<Connection> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let reader = Connection::open_with_flags(&self.path, flags)?;
        reader.busy_timeout(BUSY_WAIT)?;
        reader.set_prepared_statement_cache_capacity(64);
        Ok(reader)
    }

    /// Changes all or nothing; on return it survives a crash.
    pub(crate) fn write<T>(
        &self,
        change: impl FnOnce(&Transaction<'_>) -> Result<T, Change>,
    ) -> Result<T, DatabaseError> {
        let mut writer = hold(&self.writer);
        let begun = writer.transaction_with_behavior(TransactionBehavior::Immediate);
        let tx = begun.map_err(|error| self.fault(error))?;
        match change(&tx) {
            Ok(done) => tx.commit().map(|()| done).map_err(|error| self.fault(error)),
            Err(Change::Sqlite(error)) => Err(self.fault(error)),
            Err(Change::Damaged(what)) => Err(self.damaged(what)),
        }
    }
}

/// Takes all steps that a database lacks and raises its version, or leaves it as it was.
fn bring_up(
    writer: &mut Connection,
    path: &Path,
    steps: &[&str],
    known: i64,
) -> Result<(), DatabaseError> {
    let all = |writer: &mut Connection| {
        let tx = writer.transaction_with_behavior(TransactionBehavior::Immediate)?;
        for step in steps {
            tx.execute_batch(step)?;
        }
        row_sum::fill_all(&tx)?;
        tx.pragma_update(None, "user_version", known)?;
        tx.commit()
    };
    let path = || path.to_owned();
    all(writer).map_err(|source| match room_to_upgrade_mib(writer, &source) {
        Some(need_mib) => DatabaseError::NoRoomToUpgrade { path: path(), need_mib, source },
        None => DatabaseError::Sqlite { path: path(), source },
    })
}

/// How much room has to be free for a database to become a newer version, in MiB, if it did
/// not as there was no room.
pub(crate) fn room_to_upgrade_mib(db: &Connection, error: &rusqlite::Error) -> Option<u64> {
    if error.sqlite_error_code() != Some(ErrorCode::DiskFull) {
        return None;
    }
    let of = |name| db.pragma_query_value(None, name, |row| row.get::<_, u32>(0)).unwrap_or(0);
    let len = u64::from(of("page_count")).saturating_mul(of("page_size").into());
    Some(len.saturating_mul(UPGRADE_ROOM_TIMES).div_ceil(1 << 20))
}

/// Why a change was not made.
pub(crate) enum Change {
    Sqlite(rusqlite::Error),
    Damaged(String),
}

// Inside a change every statement can fail for one reason only.
impl From<rusqlite::Error> for Change {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

fn prepare(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(BUSY_WAIT)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", "ON")?;
    connection.pragma_update(None, "trusted_schema", "OFF")?;
    connection.set_prepared_statement_cache_capacity(128);
    Ok(())
}

/// A name that is no text is damage, and the driver panics where it is asked for one.
fn check_names(connection: &Connection, path: &Path) -> Result<(), DatabaseError> {
    match row_sum::shapes(connection) {
        Ok(_) => Ok(()),
        Err(source) if is_corrupt(&source) => {
            Err(DatabaseError::Sqlite { path: path.to_owned(), source })
        }
        Err(source) => {
            let what = format!("a name of a table or a column ({source})");
            Err(DatabaseError::Damaged { path: path.to_owned(), what })
        }
    }
}

/// Copies a database as it is at one moment, also while it is written; the copy is one file
/// and durable. Whoever writes need not wait.
pub(crate) fn copy_database(from: &Path, to: &Path) -> Result<(), DatabaseError> {
    let fault = |path: &Path| {
        let path = path.to_owned();
        move |source| DatabaseError::Sqlite { path, source }
    };
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let source = Connection::open_with_flags(from, flags).map_err(fault(from))?;
    source.busy_timeout(BUSY_WAIT).map_err(fault(from))?;
    own_file(to);
    let mut target = Connection::open(to).map_err(fault(to))?;
    // All pages in one step are one view of the source.
    let copied = Backup::new(&source, &mut target).and_then(|copy| copy.step(-1));
    match copied.map_err(fault(from))? {
        StepResult::Done => {}
        _ => return Err(fault(from)(rusqlite::Error::InvalidQuery)),
    }
    target.close().map_err(|(_, error)| fault(to)(error))?;
    derived::settle(to)
}

/// A value of ours as a column.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sql<T>(pub(crate) T);

/// An id as a value of a row that gets its checksum.
pub(crate) fn as_blob<K: Kind>(id: Id<K>) -> Value {
    Value::Blob(id.uuid().to_be_bytes().to_vec())
}

impl<K: Kind> ToSql for Sql<Id<K>> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.0.uuid().to_be_bytes().to_vec().into())
    }
}

impl<K: Kind> FromSql for Sql<Id<K>> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let bytes = <[u8; 16]>::column_result(value)?;
        let id = Id::from_uuid(u128::from_be_bytes(bytes));
        id.map(Self).map_err(|error| FromSqlError::Other(Box::new(error)))
    }
}

impl ToSql for Sql<Timestamp> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.0.unix_nanos().into())
    }
}

impl FromSql for Sql<Timestamp> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        Ok(Self(Timestamp::from_unix_nanos(i64::column_result(value)?)))
    }
}

impl ToSql for Sql<LogOffset> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(i64::try_from(self.0.bytes()).unwrap_or(i64::MAX).into())
    }
}

impl FromSql for Sql<LogOffset> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let bytes = i64::column_result(value)?;
        let bytes = u64::try_from(bytes).map_err(|_| FromSqlError::OutOfRange(bytes))?;
        Ok(Self(LogOffset::from_bytes(bytes)))
    }
}

#[cfg(test)]
mod tests;
