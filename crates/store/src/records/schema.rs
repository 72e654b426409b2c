//! The tables, and the way from one version of them to the next.
//!
//! Migrations go forward only and run at start, in one transaction each. A database
//! that is newer than the program is refused, because nobody knows what it means.

use rusqlite::Connection;

use super::RecordsError;
use crate::row_sum::{self, Places};

/// Each migration makes the version of its place, counted from 1. None is ever edited.
pub(super) const MIGRATIONS: &[&str] = &[
    include_str!("schema/0001_spine.sql"),
    include_str!("schema/0002_house.sql"),
    include_str!("schema/0003_device_life.sql"),
    include_str!("schema/0004_scores.sql"),
    include_str!("schema/0005_alarm_kind.sql"),
    include_str!("schema/0006_row_sums.sql"),
];

/// Brings the tables to the newest version, and says where the checksums stand in them.
pub(super) fn migrate(writer: &mut Connection) -> Result<Places, RecordsError> {
    let found: u32 = writer.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let known = u32::try_from(MIGRATIONS.len()).unwrap_or(u32::MAX);
    if found > known {
        return Err(RecordsError::Newer { found, known });
    }
    let done = usize::try_from(found).unwrap_or(usize::MAX);
    for (version, migration) in (1_u32..).zip(MIGRATIONS).skip(done) {
        let transaction = writer.transaction()?;
        transaction.execute_batch(migration)?;
        transaction.pragma_update(None, "user_version", version)?;
        transaction.commit()?;
    }
    Ok(row_sum::prepare(writer, found < known)?)
}
