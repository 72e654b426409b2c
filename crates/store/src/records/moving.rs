//! All records from one database into the other, table by table, read back and compared.
//!
//! They go to a place where nobody looks, and are put in place at the end in one step:
//! whatever fails before leaves everything as it was.

use std::{fs, io, path::PathBuf};

use model::OrgId;

use super::{
    PostgresPlace, Records, RecordsError,
    db::{Change, Found, Patience, Val, postgres::Postgres},
    home::{HomeError, elsewhere, forget, note, note_error, remove_beside, remove_file},
    postgres::SCHEMA,
    row::Insert,
};
use crate::{
    DataDir, LogOffset, data_dir::sync_dir, derived::settle, limits::ROWS_MOVED_AT_ONCE,
    sqlite::DatabaseError,
};

/// The schema of records on their way.
pub(super) const MOVING: &str = "wardline_moving";

/// A table that was moved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moved {
    /// Its name.
    pub table: String,
    /// How many rows it has, in both places.
    pub rows: u64,
}

/// Is told the table and how many of its rows have been moved.
pub type Tell<'a> = &'a mut dyn FnMut(&str, u64);

/// Moves the records of a data directory from its file into PostgreSQL; the file is removed.
/// `org` is whose journal the directory has, and `checkpoint` where its newest one stands.
pub fn move_to_postgres(
    dir: &DataDir,
    place: &PostgresPlace,
    (org, checkpoint): (Option<OrgId>, LogOffset),
    tell: Tell<'_>,
) -> Result<Vec<Moved>, HomeError> {
    if let Some(at) = elsewhere(dir)? {
        return Err(HomeError::Elsewhere { dir: dir.path().to_owned(), at });
    }
    if !dir.records().exists() {
        return Err(HomeError::NoFile { dir: dir.path().to_owned() });
    }
    let from = Records::open(&dir.records())?;
    from.refuse_others_at(org, || dir.records().display().to_string())?;
    if Records::connect(place)?.applied()? > LogOffset::default() {
        return Err(HomeError::Taken { place: place.to_string() });
    }
    let live = Postgres::open(place, SCHEMA)?;
    live.run(&format!("DROP SCHEMA IF EXISTS {MOVING} CASCADE"))?;
    let to = Records::over(Box::new(Postgres::open(place, MOVING)?))?;
    let moved = copy(&from, &to, tell).and_then(|moved| {
        to.note_reached(checkpoint)?;
        Ok(moved)
    });
    drop((from, to));
    match moved {
        Ok(moved) => {
            let install = format!(
                "BEGIN; DROP SCHEMA {SCHEMA} CASCADE; ALTER SCHEMA {MOVING} RENAME TO {SCHEMA}; COMMIT"
            );
            live.run(&install)?;
            note(dir, place)?;
            remove_file(dir).map_err(note_error(dir))?;
            Ok(moved)
        }
        Err(error) => {
            // What is left of it is removed by the next attempt otherwise.
            let _ = live.run(&format!("DROP SCHEMA IF EXISTS {MOVING} CASCADE"));
            Err(error.into())
        }
    }
}

/// Moves the records of a data directory from PostgreSQL into its file; what is there stays
/// there, and nobody looks at it any more.
pub fn move_to_file(
    dir: &DataDir,
    place: &PostgresPlace,
    (org, checkpoint): (Option<OrgId>, LogOffset),
    tell: Tell<'_>,
) -> Result<Vec<Moved>, HomeError> {
    if elsewhere(dir)?.is_none() {
        return Err(HomeError::NotElsewhere { dir: dir.path().to_owned() });
    }
    let from = Records::connect(place)?;
    from.refuse_others(org, place)?;
    if !from.reach(checkpoint)? {
        return Err(HomeError::Lacking { place: place.to_string() });
    }
    clear_moving(dir).map_err(note_error(dir))?;
    let path = moving(dir);
    let copied = Records::open(&path).and_then(|to| copy(&from, &to, tell));
    let settled = copied.map_err(HomeError::from).and_then(|moved| {
        settle(&path).map_err(|error| match error {
            DatabaseError::Sqlite { source, .. } => RecordsError::Database(source),
            other => RecordsError::Unreadable { what: other.to_string() },
        })?;
        Ok(moved)
    });
    let moved = match settled {
        Ok(moved) => moved,
        Err(error) => {
            // What is left of it is removed by the next attempt otherwise.
            let _ = clear_moving(dir);
            return Err(error);
        }
    };
    let install = || {
        remove_beside(&dir.records())?;
        fs::rename(&path, dir.records())?;
        sync_dir(dir.path())
    };
    install().map_err(note_error(dir))?;
    forget(dir)?;
    Ok(moved)
}

/// The file of records on their way.
fn moving(dir: &DataDir) -> PathBuf {
    dir.path().join("records.sqlite.moving")
}

/// Removes what a move that was cut short left beside the records.
pub(super) fn clear_moving(dir: &DataDir) -> io::Result<()> {
    let path = moving(dir);
    remove_beside(&path)?;
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// How many rows there are, and a sum of their hashes, which no order changes.
#[derive(Debug, Default, PartialEq, Eq)]
struct Digest {
    rows: u64,
    sum: u128,
}

impl Digest {
    /// Takes in a row that is as it was written.
    fn take(&mut self, row: &Found<'_>, table: &str) -> Result<Vec<Val>, RecordsError> {
        row.sound(0, table)?;
        let values = row.values()?;
        let mut bytes = Vec::new();
        for value in &values {
            let (kind, number, content): (u8, i64, &[u8]) = match value {
                Val::Null => (0, 0, &[]),
                Val::Int(number) => (1, *number, &[]),
                Val::Text(text) => (2, len(text.as_bytes()), text.as_bytes()),
                Val::Blob(blob) => (3, len(blob), blob),
            };
            bytes.push(kind);
            bytes.extend(number.to_be_bytes());
            bytes.extend(content);
        }
        let hash = security::sha256(&bytes);
        let head = hash.first_chunk().copied().map_or(0, u128::from_be_bytes);
        self.sum = self.sum.wrapping_add(head);
        self.rows = self.rows.saturating_add(1);
        Ok(values)
    }
}

fn len(bytes: &[u8]) -> i64 {
    i64::try_from(bytes.len()).unwrap_or(i64::MAX)
}

/// Copies every table, and reads it back.
fn copy(from: &Records, to: &Records, tell: Tell<'_>) -> Result<Vec<Moved>, RecordsError> {
    let tables = from.0.db.tables()?;
    if tables != to.0.db.tables()? {
        return Err(RecordsError::Unreadable { what: "tables of another version".to_owned() });
    }
    let mut moved = Vec::new();
    for shape in &tables {
        let table = shape.0.as_str();
        let insert = Insert::into(shape).sql;
        // Where nothing was applied yet, one row says so.
        let first = Change { sql: format!("DELETE FROM {table}").into(), values: Vec::new() };
        let (mut batch, mut sent) = (vec![first], Digest::default());
        from.0.db.scan(table, &mut |row| {
            let values = sent.take(row, table)?;
            batch.push(Change { sql: insert.as_str().into(), values });
            if batch.len() >= ROWS_MOVED_AT_ONCE {
                to.0.db.write(&mut batch.drain(..), Patience::Long)?;
                tell(table, sent.rows);
            }
            Ok(())
        })?;
        to.0.db.write(&mut batch.drain(..), Patience::Long)?;
        tell(table, sent.rows);
        let mut found = Digest::default();
        to.0.db.scan(table, &mut |row| found.take(row, table).map(drop))?;
        if found != sent {
            return Err(RecordsError::Damaged { what: format!("the copy of `{table}`") });
        }
        moved.push(Moved { table: table.to_owned(), rows: found.rows });
    }
    Ok(moved)
}
