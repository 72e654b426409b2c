//! Dead letters: messages that could not be taken in, whole and with their reason.

use model::{DeadLetterId, OrgId, Timestamp};
use record::DeadLetter;

use super::{
    Records, RecordsError,
    alarms::{id, maybe_id},
    count,
    db::{Found, Val},
    number,
    row::blob,
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

fn own_columns() -> (usize, &'static str) {
    (COLUMNS.split(',').count(), "dead_letter")
}

fn read(row: &Found<'_>) -> Result<LetterRow, RecordsError> {
    let letter = DeadLetter {
        id: id(&row.get::<Vec<u8>>(2)?)?,
        device: maybe_id(row.get(3)?)?,
        door: row.get(4)?,
        topic: row.get(5)?,
        content_type: row.get(6)?,
        reason: row.get(7)?,
        explanation: row.get(8)?,
        payload: row.get(9)?,
    };
    let offset = LogOffset::from_bytes(u64::try_from(row.get::<i64>(0)?).unwrap_or(0));
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
        let ask = format!(
            "SELECT {COLUMNS}, dead_letter.* FROM dead_letter WHERE org = $1 AND log_offset < $2 \
             ORDER BY log_offset DESC LIMIT $3"
        );
        self.all(&ask, &[blob(org), Val::Int(before), count(limit)], own_columns(), read)
    }

    /// One dead letter, if the organization has it.
    pub fn dead_letter(
        &self,
        org: OrgId,
        letter: DeadLetterId,
    ) -> Result<Option<LetterRow>, RecordsError> {
        let ask =
            format!("SELECT {COLUMNS}, dead_letter.* FROM dead_letter WHERE org = $1 AND id = $2");
        self.one(&ask, &[blob(org), blob(letter)], own_columns(), read)
    }
}
