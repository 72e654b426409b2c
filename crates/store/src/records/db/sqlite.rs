//! The records in a file of SQLite beside the journal: the default.

use std::{
    path::Path,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use rusqlite::{
    Connection, OpenFlags, ToSql, params_from_iter,
    types::{ToSqlOutput, ValueRef},
};

use super::{Change, Columns, Db, Each, Found, Patience, Table, Val};
use crate::{
    hold::hold,
    records::{RecordsError, schema},
    row_sum::{self, Cell},
    sqlite::own_file,
};

/// Readers that are open at once; a further one waits for its turn.
const READERS: usize = 4;
/// How long one connection waits for another's lock.
const BUSY_FOR: Duration = Duration::from_secs(10);

/// One file, its writer and its readers.
#[derive(Debug)]
pub(in crate::records) struct Sqlite {
    writer: Mutex<Connection>,
    readers: [Mutex<Connection>; READERS],
}

impl Sqlite {
    /// Opens the file, and makes or migrates its tables.
    pub(in crate::records) fn open(path: &Path) -> Result<Self, RecordsError> {
        own_file(path);
        let mut writer = Connection::open(path)?;
        prepare(&writer)?;
        schema::migrate(&mut writer)?;
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let reader = || -> Result<Mutex<Connection>, RecordsError> {
            let reader = Connection::open_with_flags(path, flags)?;
            reader.busy_timeout(BUSY_FOR)?;
            Ok(Mutex::new(reader))
        };
        let readers = [reader()?, reader()?, reader()?, reader()?];
        Ok(Self { writer: Mutex::new(writer), readers })
    }

    /// Asks a question on whichever reader is free.
    fn read<T>(
        &self,
        ask: impl FnOnce(&Connection) -> Result<T, RecordsError>,
    ) -> Result<T, RecordsError> {
        let free = self.readers.iter().find_map(|reader| reader.try_lock().ok());
        if let Some(reader) = free {
            return ask(&reader);
        }
        let [first, ..] = &self.readers;
        let reader = first.lock().unwrap_or_else(PoisonError::into_inner);
        ask(&reader)
    }
}

fn prepare(writer: &Connection) -> Result<(), RecordsError> {
    writer.busy_timeout(BUSY_FOR)?;
    // Rows are short, and each commit writes every page that it touches.
    writer.pragma_update(None, "page_size", 4_096)?;
    writer.pragma_update(None, "journal_mode", "WAL")?;
    writer.pragma_update(None, "synchronous", "FULL")?;
    writer.pragma_update(None, "foreign_keys", true)?;
    Ok(())
}

impl ToSql for Val {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Null => ValueRef::Null,
            Self::Int(number) => ValueRef::Integer(*number),
            Self::Text(text) => ValueRef::Text(text.as_bytes()),
            Self::Blob(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

/// A row of SQLite.
struct Line<'a>(&'a rusqlite::Row<'a>);

impl Columns for Line<'_> {
    fn width(&self) -> usize {
        self.0.as_ref().column_count()
    }

    fn name(&self, place: usize) -> Result<&str, RecordsError> {
        Ok(self.0.as_ref().column_name(place)?)
    }

    fn cell(&self, place: usize) -> Result<Cell<'_>, RecordsError> {
        Ok(self.0.get_ref(place)?.into())
    }
}

impl Db for Sqlite {
    fn write(
        &self,
        changes: &mut dyn Iterator<Item = Change<'_>>,
        _patience: Patience,
    ) -> Result<(), RecordsError> {
        let mut writer = hold(&self.writer);
        let transaction = writer.transaction()?;
        for Change { sql, values } in changes {
            transaction.prepare_cached(&sql)?.execute(params_from_iter(values))?;
        }
        transaction.commit()?;
        Ok(())
    }

    fn query(&self, sql: &str, values: &[Val], each: Each<'_>) -> Result<(), RecordsError> {
        self.read(|reader| {
            let mut statement = reader.prepare_cached(sql)?;
            let mut rows = statement.query(params_from_iter(values))?;
            while let Some(row) = rows.next()? {
                each(&Found(&Line(row)))?;
            }
            Ok(())
        })
    }

    fn scan(&self, table: &str, each: Each<'_>) -> Result<(), RecordsError> {
        self.query(&format!("SELECT * FROM {table}"), &[], each)
    }

    fn tables(&self) -> Result<Vec<Table>, RecordsError> {
        self.read(|reader| Ok(row_sum::shapes(reader)?))
    }

    /// The file lies beside the journal and comes and goes with it: rows that were there once
    /// are there, and without any it is a new file.
    fn reaches(&self, _checkpoint: i64, applied: i64) -> Result<bool, RecordsError> {
        Ok(applied > 0)
    }

    fn note_reached(&self, _place: i64) -> Result<(), RecordsError> {
        Ok(())
    }

    fn begin_anew(&self) -> Result<(), RecordsError> {
        Ok(())
    }

    fn is_elsewhere(&self) -> bool {
        false
    }

    fn set_room(&self, pages: Option<u32>) -> Result<(), RecordsError> {
        let writer = hold(&self.writer);
        let used: u32 = writer.pragma_query_value(None, "page_count", |row| row.get(0))?;
        let max = pages.map_or(u32::MAX - 1, |pages| used.saturating_add(pages));
        writer.pragma_update_and_check(None, "max_page_count", max, |_| Ok(()))?;
        Ok(())
    }
}
