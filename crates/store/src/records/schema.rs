//! The tables, and the way from one version of them to the next.
//!
//! Migrations go forward only and run at start, all in one transaction with the checksums of
//! the rows: either all is done, or the tables are as they were and the program before still
//! reads them. A database that is newer than the program is refused, because nobody knows
//! what it means.

use rusqlite::{Connection, TransactionBehavior};

use super::RecordsError;
use crate::{row_sum, sqlite::room_to_upgrade_mib};

/// Each migration of SQLite makes the version of its place, counted from 1. None is ever edited.
pub(super) const MIGRATIONS: &[&str] = &[
    include_str!("schema/0001_spine.sql"),
    include_str!("schema/0002_house.sql"),
    include_str!("schema/0003_device_life.sql"),
    include_str!("schema/0004_scores.sql"),
    include_str!("schema/0005_alarm_kind.sql"),
    include_str!("schema/0006_row_sums.sql"),
];

/// The same for PostgreSQL, which came when SQLite was at version 6.
pub(super) const POSTGRES_MIGRATIONS: &[&str] = &[include_str!("schema/postgres/0001_records.sql")];

/// The version of SQLite's tables that this program writes.
#[expect(clippy::cast_possible_truncation, reason = "there are few")]
pub(crate) const VERSION: u32 = MIGRATIONS.len() as u32;

/// Brings the tables of a file to the newest version.
pub(super) fn migrate(writer: &mut Connection) -> Result<(), RecordsError> {
    let found: u32 = writer.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let known = VERSION;
    if found > known {
        return Err(RecordsError::Newer { found, known });
    }
    bring_up(writer, found, known).map_err(|source| match room_to_upgrade_mib(writer, &source) {
        Some(need_mib) => RecordsError::NoRoomToUpgrade { need_mib, source },
        None => RecordsError::Database(source),
    })
}

fn bring_up(writer: &mut Connection, found: u32, known: u32) -> rusqlite::Result<()> {
    let transaction = writer.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let done = usize::try_from(found).unwrap_or(usize::MAX);
    for migration in MIGRATIONS.iter().skip(done) {
        transaction.execute_batch(migration)?;
    }
    row_sum::prepare(&transaction, found < known)?;
    if found < known {
        transaction.pragma_update(None, "user_version", known)?;
    }
    transaction.commit()
}
