//! Dead letters: messages that could not be taken in, whole and with their reason.

use model::{DeadLetterId, OrgId, Timestamp};
use record::DeadLetter;
use rusqlite::{OptionalExtension as _, params, params_from_iter};

use super::{
    Records, RecordsError,
    alarms::{id, maybe_id},
    number,
    row::blob,
    sound,
};
use crate::LogOffset;

/// A dead letter with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it all")]
pub struct LetterRow {
    pub offset: LogOffset,
    pub at: Timestamp,
    pub letter: DeadLetter,
}

const COLUMNS: &str =
    "log_offset, at, id, device, door, topic, content_type, reason, explanation, payload";

fn read(row: &rusqlite::Row<'_>) -> Result<LetterRow, RecordsError> {
    sound(row, COLUMNS.split(',').count(), "dead_letter")?;
    let letter = DeadLetter {
        id: id(&row.get::<_, Vec<u8>>(2)?)?,
        device: maybe_id(row.get(3)?)?,
        door: row.get(4)?,
        topic: row.get(5)?,
        content_type: row.get(6)?,
        reason: row.get(7)?,
        explanation: row.get(8)?,
        payload: row.get(9)?,
    };
    let offset = LogOffset::from_bytes(u64::try_from(row.get::<_, i64>(0)?).unwrap_or(0));
    Ok(LetterRow { offset, at: Timestamp::from_unix_nanos(row.get(1)?), letter })
}

impl Records {
    /// Dead letters of an organization, newest first, those before a place, at most `limit`.
    pub fn dead_letters(
        &self,
        org: OrgId,
        before: Option<LogOffset>,
        limit: usize,
    ) -> Result<Vec<LetterRow>, RecordsError> {
        let before = before.map_or(i64::MAX, |place| number(place.bytes()));
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.read(|reader| {
            let mut statement = reader.prepare_cached(&format!(
                "SELECT {COLUMNS}, dead_letter.* FROM dead_letter WHERE org = ? AND log_offset < ? \
                 ORDER BY log_offset DESC LIMIT ?"
            ))?;
            let mut rows = statement.query(params![org.uuid().to_be_bytes(), before, limit])?;
            let mut found = Vec::new();
            while let Some(row) = rows.next()? {
                found.push(read(row)?);
            }
            Ok(found)
        })
    }

    /// One dead letter, if the organization has it.
    pub fn dead_letter(
        &self,
        org: OrgId,
        letter: DeadLetterId,
    ) -> Result<Option<LetterRow>, RecordsError> {
        self.read(|reader| {
            let sql = format!(
                "SELECT {COLUMNS}, dead_letter.* FROM dead_letter WHERE org = ? AND id = ?"
            );
            let mut statement = reader.prepare_cached(&sql)?;
            let found = statement
                .query_row(params_from_iter([blob(org), blob(letter)]), |row| Ok(read(row)));
            found.optional()?.transpose()
        })
    }
}
