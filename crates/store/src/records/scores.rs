//! How a patient's early warning score went.

use model::{OrgId, PatientId, Timestamp};
use rusqlite::params;

use super::{Records, RecordsError, sound};

/// A score as it was decided; it held until the next one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScoreRow {
    /// Whose it is.
    pub patient: PatientId,
    /// Since when it held.
    pub at: Timestamp,
    /// Points, 0 to 20; none while an input is missing.
    pub total: Option<u8>,
    /// Whether one input alone asks for somebody.
    pub single_red: bool,
    /// The inputs that were missing or too old, by name.
    pub missing: Vec<String>,
}

impl Records {
    /// A patient's scores from `from` on and before `to`, oldest first. The newest `limit`
    /// of them, with the one before `from`, which still held then, if there is room.
    pub fn scores(
        &self,
        org: OrgId,
        patient: PatientId,
        (from, to): (Timestamp, Timestamp),
        limit: usize,
    ) -> Result<Vec<ScoreRow>, RecordsError> {
        self.read(|reader| {
            let (org, patient_key) = (org.uuid().to_be_bytes(), patient.uuid().to_be_bytes());
            let mut statement = reader.prepare_cached(
                "SELECT at, total, single_red, missing, score.* FROM score \
                 WHERE org = ?1 AND patient = ?2 AND at < ?4 AND at >= coalesce( \
                   (SELECT max(at) FROM score WHERE org = ?1 AND patient = ?2 AND at <= ?3), ?3) \
                 ORDER BY at DESC, log_offset DESC, row_index DESC LIMIT ?5",
            )?;
            let limit = i64::try_from(limit).unwrap_or(i64::MAX);
            let span = (from.unix_nanos(), to.unix_nanos());
            let mut rows = statement.query(params![org, patient_key, span.0, span.1, limit])?;
            let mut found = Vec::new();
            while let Some(row) = rows.next()? {
                sound(row, 4, "score")?;
                found.push(ScoreRow {
                    patient,
                    at: Timestamp::from_unix_nanos(row.get(0)?),
                    total: row.get(1)?,
                    single_red: row.get(2)?,
                    missing: words(&row.get::<_, String>(3)?),
                });
            }
            found.reverse();
            Ok(found)
        })
    }
}

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}
