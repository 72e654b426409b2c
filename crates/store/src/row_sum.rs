//! A checksum in each row of a database, over the whole row: a flipped bit is named when
//! the row is read, and never served.
//!
//! The column `row_sum` holds a CRC-32C over the table's name and all other columns in
//! their order. Nulls at the end of a row do not count, so that a later version can add
//! columns that are null in old rows and leave their checksums alone.
//!
//! **Absent on purpose:** SQL functions. The sums are made and compared here, so that
//! every other program reads the same files.

use std::ops::Range;

use rusqlite::{
    Connection, Row, Transaction, params_from_iter,
    types::{Value, ValueRef},
};

/// The name of the column.
pub(crate) const COLUMN: &str = "row_sum";

/// A value of a row, whichever database has it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Cell<'a> {
    Null,
    Int(i64),
    Real(f64),
    Text(&'a [u8]),
    Blob(&'a [u8]),
}

impl<'a> From<ValueRef<'a>> for Cell<'a> {
    fn from(value: ValueRef<'a>) -> Self {
        match value {
            ValueRef::Null => Self::Null,
            ValueRef::Integer(number) => Self::Int(number),
            ValueRef::Real(number) => Self::Real(number),
            ValueRef::Text(bytes) => Self::Text(bytes),
            ValueRef::Blob(bytes) => Self::Blob(bytes),
        }
    }
}

/// The checksum of a row while it is being made.
struct Sum {
    crc: u32,
    nulls: usize,
}

impl Sum {
    fn of_table(name: &str) -> Self {
        Self { crc: crc32c::crc32c(name.as_bytes()), nulls: 0 }
    }

    /// Each value with its kind and, where that differs, its length.
    fn add(&mut self, value: Cell<'_>) {
        let (kind, number, bytes): (u8, [u8; 8], &[u8]) = match value {
            Cell::Null => {
                self.nulls = self.nulls.saturating_add(1);
                return;
            }
            Cell::Int(number) => (1, number.to_be_bytes(), &[]),
            Cell::Real(number) => (2, number.to_be_bytes(), &[]),
            Cell::Text(bytes) => (3, len(bytes), bytes),
            Cell::Blob(bytes) => (4, len(bytes), bytes),
        };
        for _ in 0..std::mem::take(&mut self.nulls) {
            self.crc = crc32c::crc32c_append(self.crc, &[0]);
        }
        let mut head = [kind; 9];
        if let Some((_, place)) = head.split_first_mut() {
            place.copy_from_slice(&number);
        }
        self.crc = crc32c::crc32c_append(crc32c::crc32c_append(self.crc, &head), bytes);
    }
}

fn len(bytes: &[u8]) -> [u8; 8] {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX).to_be_bytes()
}

/// The checksum of a row with these values, in the order of the table's columns.
pub(crate) fn of<'a>(table: &str, values: impl IntoIterator<Item = Cell<'a>>) -> i64 {
    let mut sum = Sum::of_table(table);
    values.into_iter().for_each(|value| sum.add(value));
    sum.crc.into()
}

// RC-055
/// Whether the columns from `from` on, which are all of the table's, are what was written.
pub(crate) fn is_sound(row: &Row<'_>, from: usize, table: &str) -> rusqlite::Result<bool> {
    let columns = row.as_ref();
    let places = from..columns.column_count();
    let cell = |place| row.get_ref(place).map(Cell::from);
    is_sound_of(places, table, cell, |place| columns.column_name(place))
}

/// The same of any database's row. Only an integer can be the checksum, so only the names of
/// those are asked for.
pub(crate) fn is_sound_of<'a, E>(
    places: Range<usize>,
    table: &str,
    cell: impl Fn(usize) -> Result<Cell<'a>, E>,
    name: impl Fn(usize) -> Result<&'a str, E>,
) -> Result<bool, E> {
    let (mut sum, mut written) = (Sum::of_table(table), None);
    for place in places {
        match cell(place)? {
            Cell::Int(number) if name(place)? == COLUMN => written = Some(number),
            value => sum.add(value),
        }
    }
    Ok(written == Some(sum.crc.into()))
}

/// The values of a row and behind them their checksum, for a statement that names it last.
pub(crate) fn with(table: &str, mut values: Vec<Value>) -> Vec<Value> {
    let sum = of(table, values.iter().map(|value| ValueRef::from(value).into()));
    values.push(Value::Integer(sum));
    values
}

/// Gives every table the column and every row its checksum, where they have none yet.
/// Rows are filled in tables that had no column, and in all if `all` is set, as after a
/// migration that may have changed rows: in its transaction, so that no version is without
/// its checksums.
pub(crate) fn prepare(transaction: &Transaction<'_>, all: bool) -> rusqlite::Result<()> {
    for (table, found) in tables(transaction)? {
        if found.is_none() {
            let add = format!("ALTER TABLE {table} ADD COLUMN {COLUMN} INTEGER");
            transaction.execute_batch(&add)?;
        }
        if found.is_none() || all {
            fill(transaction, &table, Fill::Every)?;
        }
    }
    Ok(())
}

/// All tables with the names of their columns in order.
pub(crate) fn shapes(db: &Connection) -> rusqlite::Result<Vec<(String, Vec<String>)>> {
    let shape = |(table, _): (String, Option<usize>)| {
        let names = columns(db, &table)?.into_iter().map(|(name, _)| name);
        Ok((table, names.collect()))
    };
    tables(db)?.into_iter().map(shape).collect()
}

/// All tables, each with the place of its checksum if it has one.
fn tables(db: &Connection) -> rusqlite::Result<Vec<(String, Option<usize>)>> {
    let ask = "SELECT each.name, sum.cid FROM sqlite_schema AS each
               LEFT JOIN pragma_table_info(each.name) AS sum ON sum.name = ?1
               WHERE each.type = 'table' AND each.name NOT LIKE 'sqlite%' ORDER BY each.name";
    let mut statement = db.prepare(ask)?;
    let row = |row: &Row<'_>| {
        let place: Option<u32> = row.get(1)?;
        Ok((row.get(0)?, place.and_then(|place| usize::try_from(place).ok())))
    };
    statement.query_map([COLUMN], row)?.collect()
}

/// The columns of a table, and whether each belongs to its key.
fn columns(db: &Connection, table: &str) -> rusqlite::Result<Vec<(String, bool)>> {
    let mut statement =
        db.prepare("SELECT name, pk > 0 FROM pragma_table_info(?1) ORDER BY cid")?;
    let row = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?));
    statement.query_map([table], row)?.collect()
}

/// Gives every row of the tables that have the column its checksum, where it has none: one that
/// fails its own must go on failing it.
pub(crate) fn fill_all(db: &Connection) -> rusqlite::Result<()> {
    let tables = tables(db)?;
    let mut summed = tables.iter().filter(|(_, place)| place.is_some());
    summed.try_for_each(|(table, _)| fill(db, table, Fill::Bare))
}

/// The same of one table alone.
pub(crate) fn fill_bare(db: &Connection, table: &str) -> rusqlite::Result<()> {
    fill(db, table, Fill::Bare)
}

/// Which rows of a table get a checksum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fill {
    Every,
    /// Those that have none.
    Bare,
}

fn fill(db: &Connection, table: &str, which: Fill) -> rusqlite::Result<()> {
    let columns = columns(db, table)?;
    let mut key: Vec<&str> =
        columns.iter().filter(|(_, is_key)| *is_key).map(|(name, _)| name.as_str()).collect();
    if key.is_empty() {
        key.push("rowid");
    }
    let is_key: Vec<String> = key.iter().map(|name| format!("{name} IS ?")).collect();
    let put = format!("UPDATE {table} SET {COLUMN} = ? WHERE {}", is_key.join(" AND "));
    let mut put = db.prepare(&put)?;
    let only = match which {
        Fill::Every => String::new(),
        Fill::Bare => format!(" WHERE {COLUMN} IS NULL"),
    };
    let ask = format!("SELECT {}, {table}.* FROM {table}{only}", key.join(", "));
    let mut all = db.prepare(&ask)?;
    let names: Vec<String> = all.column_names().map(str::to_owned).collect();
    let mut rows = all.query([])?;
    while let Some(row) = rows.next()? {
        let mut sum = Sum::of_table(table);
        for (place, _) in names.iter().enumerate().skip(key.len()).filter(|(_, it)| *it != COLUMN) {
            sum.add(row.get_ref(place)?.into());
        }
        let mut values = vec![Value::Integer(sum.crc.into())];
        for place in 0..key.len() {
            values.push(row.get(place)?);
        }
        put.execute(params_from_iter(values))?;
    }
    Ok(())
}

/// Reads every row of every table but one, and names those that are not what was written.
pub(crate) fn check_rows(db: &Connection, except: &str) -> rusqlite::Result<Vec<String>> {
    let mut damaged = Vec::new();
    let summed = |(table, place): &(String, Option<usize>)| place.is_some() && table != except;
    for (table, _) in tables(db)?.into_iter().filter(summed) {
        let mut statement = db.prepare(&format!("SELECT * FROM {table}"))?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            if !is_sound(row, 0, &table)? {
                damaged.push(name(row.get("log_offset").ok(), &table));
            }
        }
    }
    Ok(damaged)
}

/// What a damaged row is called: its table, and its place in the log if that can be read.
pub(crate) fn name(log_offset: Option<i64>, table: &str) -> String {
    match log_offset {
        Some(offset) => format!("a row of `{table}` from offset {offset} of the log"),
        None => format!("a row of `{table}`"),
    }
}

#[test]
fn rows_that_differ_have_different_sums_and_nulls_at_the_end_do_not_count() {
    let text = |text: &'static str| Cell::Text(text.as_bytes());
    let sum = |values: &[Cell<'static>]| of("bed", values.iter().copied());
    let rows: [&[Cell<'static>]; 9] = [
        &[],
        &[Cell::Int(0)],
        &[Cell::Int(1)],
        &[Cell::Real(0.0)],
        &[text("")],
        &[Cell::Blob(b"")],
        &[text("a"), text("b")],
        &[text("ab")],
        &[Cell::Null, Cell::Int(1)],
    ];
    let sums: std::collections::BTreeSet<i64> = rows.iter().map(|row| sum(row)).collect();
    assert_eq!(sums.len(), rows.len());
    assert_eq!(sum(&[text("ab"), Cell::Null, Cell::Null]), sum(&[text("ab")]));
    assert_ne!(of("room", [text("ab")]), sum(&[text("ab")]), "of another table");
}
