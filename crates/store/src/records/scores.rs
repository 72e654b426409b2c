//! How a patient's early warning score went.

use model::{OrgId, PatientId, Timestamp};

use super::{
    Records, RecordsError, count,
    row::{blob, time},
};

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
        let ask = "SELECT at, total, single_red, missing, score.* FROM score \
                   WHERE org = $1 AND patient = $2 AND at < $3 AND at >= coalesce( \
                     (SELECT max(at) FROM score WHERE org = $1 AND patient = $2 AND at <= $4), $4) \
                   ORDER BY at DESC, log_offset DESC, row_index DESC LIMIT $5";
        let values = [blob(org), blob(patient), time(to), time(from), count(limit)];
        let mut found = self.all(ask, &values, (4, "score"), |row| {
            Ok(ScoreRow {
                patient,
                at: Timestamp::from_unix_nanos(row.get(0)?),
                total: row.get(1)?,
                single_red: row.get(2)?,
                missing: words(&row.get::<String>(3)?),
            })
        })?;
        found.reverse();
        Ok(found)
    }
}

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}
