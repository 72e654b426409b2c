//! Questions with two times: what held then, as we knew it then.

use model::{BedId, DeviceId, OrgId, PatientId, Timestamp};
use rusqlite::{OptionalExtension as _, params};

use super::{Records, RecordsError, alarms::maybe_id, sound};

/// One line of a history, with whom it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it all")]
pub struct HistoryRow {
    pub patient: Option<PatientId>,
    pub from: Timestamp,
    pub known_at: Timestamp,
}

/// One act of charting as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it all")]
pub struct ChartingRow {
    pub observed_at: Timestamp,
    pub written_at: Timestamp,
    pub consciousness: Option<i64>,
    pub oxygen: Option<i64>,
    pub breaths_per_min: Option<i64>,
}

impl Records {
    /// Who lay in a bed at `valid_at`, as known at `as_known_at`.
    pub fn who_was_in_bed(
        &self,
        org: OrgId,
        bed: BedId,
        valid_at: Timestamp,
        as_known_at: Timestamp,
    ) -> Result<Option<PatientId>, RecordsError> {
        self.read(|reader| {
            let mut statement = reader.prepare_cached(
                "SELECT patient, encounter.* FROM encounter WHERE org = ? AND bed = ? AND valid_from <= ? AND known_at <= ? \
                 ORDER BY valid_from DESC, known_at DESC, log_offset DESC LIMIT 1",
            )?;
            let key = params![
                org.uuid().to_be_bytes(),
                bed.uuid().to_be_bytes(),
                valid_at.unix_nanos(),
                as_known_at.unix_nanos()
            ];
            let patient = |row: &rusqlite::Row<'_>| {
                Ok(sound(row, 1, "encounter").and_then(|()| Ok(row.get::<_, Option<Vec<u8>>>(0)?)))
            };
            let found = statement.query_row(key, patient).optional()?.transpose()?;
            maybe_id(found.flatten())
        })
    }

    /// Every line about a bed, in the order in which we learned it.
    pub fn bed_history(&self, org: OrgId, bed: BedId) -> Result<Vec<HistoryRow>, RecordsError> {
        self.read(|reader| {
            let mut statement = reader.prepare_cached(
                "SELECT patient, valid_from, known_at, encounter.* FROM encounter \
                 WHERE org = ? AND bed = ? ORDER BY log_offset, row_index",
            )?;
            let mut rows =
                statement.query(params![org.uuid().to_be_bytes(), bed.uuid().to_be_bytes()])?;
            let mut found = Vec::new();
            while let Some(row) = rows.next()? {
                sound(row, 3, "encounter")?;
                found.push(HistoryRow {
                    patient: maybe_id(row.get(0)?)?,
                    from: Timestamp::from_unix_nanos(row.get(1)?),
                    known_at: Timestamp::from_unix_nanos(row.get(2)?),
                });
            }
            Ok(found)
        })
    }

    /// Every patient whom a device measured, in the order in which we learned it.
    pub fn patients_of_device(
        &self,
        org: OrgId,
        device: DeviceId,
    ) -> Result<Vec<HistoryRow>, RecordsError> {
        self.read(|reader| {
            let mut statement = reader.prepare_cached(
                "SELECT CASE subject_kind WHEN 1 THEN subject END, valid_from, known_at, association.* FROM association \
                 WHERE org = ? AND device = ? ORDER BY log_offset, row_index",
            )?;
            let mut rows =
                statement.query(params![org.uuid().to_be_bytes(), device.uuid().to_be_bytes()])?;
            let mut found = Vec::new();
            while let Some(row) = rows.next()? {
                sound(row, 3, "association")?;
                found.push(HistoryRow {
                    patient: maybe_id(row.get(0)?)?,
                    from: Timestamp::from_unix_nanos(row.get(1)?),
                    known_at: Timestamp::from_unix_nanos(row.get(2)?),
                });
            }
            Ok(found)
        })
    }

    /// What was charted about a patient, the newest observation first, at most `limit`.
    pub fn charting(
        &self,
        org: OrgId,
        patient: PatientId,
        limit: usize,
    ) -> Result<Vec<ChartingRow>, RecordsError> {
        self.read(|reader| {
            let mut statement = reader.prepare_cached(
                "SELECT observed_at, known_at, consciousness, oxygen, breaths_per_min, charting.* FROM charting \
                 WHERE org = ? AND patient = ? ORDER BY observed_at DESC LIMIT ?",
            )?;
            let limit = i64::try_from(limit).unwrap_or(i64::MAX);
            let mut rows = statement.query(params![
                org.uuid().to_be_bytes(),
                patient.uuid().to_be_bytes(),
                limit
            ])?;
            let mut found = Vec::new();
            while let Some(row) = rows.next()? {
                sound(row, 5, "charting")?;
                found.push(ChartingRow {
                    observed_at: Timestamp::from_unix_nanos(row.get(0)?),
                    written_at: Timestamp::from_unix_nanos(row.get(1)?),
                    consciousness: row.get(2)?,
                    oxygen: row.get(3)?,
                    breaths_per_min: row.get(4)?,
                });
            }
            Ok(found)
        })
    }
}
