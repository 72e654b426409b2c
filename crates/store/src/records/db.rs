//! One face for the databases that can hold the records, and the values that pass through it.
//!
//! Statements are in the SQL that SQLite and PostgreSQL share, with `$1`, `$2` … numbered in
//! the order of their first use, as SQLite counts them so.

pub(super) mod postgres;
pub(super) mod sqlite;

use std::{borrow::Cow, fmt::Debug};

use super::RecordsError;
use crate::row_sum::{self, Cell};

/// A value on its way into a database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Val {
    Null,
    Int(i64),
    Text(String),
    Blob(Vec<u8>),
}

impl Val {
    pub(super) fn cell(&self) -> Cell<'_> {
        match self {
            Self::Null => Cell::Null,
            Self::Int(number) => Cell::Int(*number),
            Self::Text(text) => Cell::Text(text.as_bytes()),
            Self::Blob(bytes) => Cell::Blob(bytes),
        }
    }

    /// What stands in a column, if it is of a kind that the records have.
    pub(super) fn of(cell: Cell<'_>) -> Option<Self> {
        Some(match cell {
            Cell::Null => Self::Null,
            Cell::Int(number) => Self::Int(number),
            Cell::Real(_) => return None,
            Cell::Text(text) => Self::Text(String::from_utf8(text.to_vec()).ok()?),
            Cell::Blob(bytes) => Self::Blob(bytes.to_vec()),
        })
    }
}

/// One statement that changes something.
#[derive(Clone, Debug)]
pub(super) struct Change<'a> {
    pub(super) sql: Cow<'a, str>,
    pub(super) values: Vec<Val>,
}

/// A row as a database has it.
pub(super) trait Columns {
    fn width(&self) -> usize;
    fn name(&self, place: usize) -> Result<&str, RecordsError>;
    fn cell(&self, place: usize) -> Result<Cell<'_>, RecordsError>;
}

/// A row that was found; it lives until the next one.
pub(super) struct Found<'a>(pub(super) &'a dyn Columns);

impl Found<'_> {
    /// The value at a place, which must be of the type that is asked for.
    pub(super) fn get<T: FromCell>(&self, place: usize) -> Result<T, RecordsError> {
        let unreadable = || {
            let name = self.0.name(place).unwrap_or("?").to_owned();
            RecordsError::Unreadable { what: format!("a value of another type in `{name}`") }
        };
        T::from_cell(self.0.cell(place)?).ok_or_else(unreadable)
    }

    // RC-055
    /// Refuses a row whose columns from `from` on, which are all of the table's, are not as
    /// they were written.
    pub(super) fn sound(&self, from: usize, table: &str) -> Result<(), RecordsError> {
        if self.is_sound(from, table)? {
            return Ok(());
        }
        Err(RecordsError::Damaged { what: self.called(table) })
    }

    pub(super) fn is_sound(&self, from: usize, table: &str) -> Result<bool, RecordsError> {
        let (cell, name) = (|place| self.0.cell(place), |place| self.0.name(place));
        row_sum::is_sound_of(from..self.0.width(), table, cell, name)
    }

    /// What a damaged row is called.
    pub(super) fn called(&self, table: &str) -> String {
        let mut places = 0..self.0.width();
        let offset = places.find(|place| self.0.name(*place).is_ok_and(|it| it == "log_offset"));
        row_sum::name(offset.and_then(|place| self.get(place).ok()), table)
    }

    /// The whole row.
    pub(super) fn values(&self) -> Result<Vec<Val>, RecordsError> {
        let value = |place| {
            let unreadable = || RecordsError::Unreadable { what: "a value of no type".to_owned() };
            Val::of(self.0.cell(place)?).ok_or_else(unreadable)
        };
        (0..self.0.width()).map(value).collect()
    }
}

/// What can be read from a column.
pub(super) trait FromCell: Sized {
    fn from_cell(cell: Cell<'_>) -> Option<Self>;
}

impl FromCell for i64 {
    fn from_cell(cell: Cell<'_>) -> Option<Self> {
        if let Cell::Int(number) = cell { Some(number) } else { None }
    }
}

impl FromCell for u8 {
    fn from_cell(cell: Cell<'_>) -> Option<Self> {
        i64::from_cell(cell).and_then(|number| Self::try_from(number).ok())
    }
}

impl FromCell for bool {
    fn from_cell(cell: Cell<'_>) -> Option<Self> {
        i64::from_cell(cell).map(|number| number != 0)
    }
}

impl FromCell for String {
    fn from_cell(cell: Cell<'_>) -> Option<Self> {
        let Cell::Text(text) = cell else { return None };
        std::str::from_utf8(text).ok().map(str::to_owned)
    }
}

impl FromCell for Vec<u8> {
    fn from_cell(cell: Cell<'_>) -> Option<Self> {
        if let Cell::Blob(bytes) = cell { Some(bytes.to_vec()) } else { None }
    }
}

impl<T: FromCell> FromCell for Option<T> {
    fn from_cell(cell: Cell<'_>) -> Option<Self> {
        if cell == Cell::Null { Some(None) } else { T::from_cell(cell).map(Some) }
    }
}

/// What is done with each row that a question finds.
pub(super) type Each<'a> = &'a mut dyn FnMut(&Found<'_>) -> Result<(), RecordsError>;

/// A table and the names of its columns in their order.
pub(super) type Table = (String, Vec<String>);

/// How long a write may take, where another program does it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Patience {
    /// Nobody waits behind it.
    Long,
    /// Others do, such as those who ask for something.
    Short,
}

/// A database that holds the records.
pub(super) trait Db: Debug + Send + Sync {
    /// Makes all changes, durable on return, or none of them.
    fn write(
        &self,
        changes: &mut dyn Iterator<Item = Change<'_>>,
        patience: Patience,
    ) -> Result<(), RecordsError>;

    /// Asks one question, which sees one moment of the data.
    fn query(&self, sql: &str, values: &[Val], each: Each<'_>) -> Result<(), RecordsError>;

    /// Reads a whole table as it is at one moment, however large it is.
    fn scan(&self, table: &str, each: Each<'_>) -> Result<(), RecordsError>;

    /// All tables, by name.
    fn tables(&self) -> Result<Vec<Table>, RecordsError>;

    /// Whether the rows up to where a checkpoint stands are all here, as far as can be told.
    fn reaches(&self, checkpoint: i64, applied: i64) -> Result<bool, RecordsError>;

    /// Notes durably that all rows up to here are in.
    fn note_reached(&self, place: i64) -> Result<(), RecordsError>;

    /// Empties what may have rows of another history than the journal's.
    fn begin_anew(&self) -> Result<(), RecordsError>;

    /// Whether it stands somewhere else than beside the journal.
    fn is_elsewhere(&self) -> bool;

    /// Lets a file grow by so many pages and no more; for tests.
    fn set_room(&self, pages: Option<u32>) -> Result<(), RecordsError>;
}
