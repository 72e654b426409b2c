//! Questions with two times: what held then, as we knew it then.

use model::{BedId, DeviceId, OrgId, PatientId, Timestamp};

use super::{
    Records, RecordsError,
    alarms::maybe_id,
    count,
    db::Found,
    row::{blob, time},
};

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

fn line(row: &Found<'_>) -> Result<HistoryRow, RecordsError> {
    Ok(HistoryRow {
        patient: maybe_id(row.get(0)?)?,
        from: Timestamp::from_unix_nanos(row.get(1)?),
        known_at: Timestamp::from_unix_nanos(row.get(2)?),
    })
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
        let ask = "SELECT patient, encounter.* FROM encounter \
                   WHERE org = $1 AND bed = $2 AND valid_from <= $3 AND known_at <= $4 \
                   ORDER BY valid_from DESC, known_at DESC, log_offset DESC LIMIT 1";
        let values = [blob(org), blob(bed), time(valid_at), time(as_known_at)];
        let patient = self.one(ask, &values, (1, "encounter"), |row| maybe_id(row.get(0)?))?;
        Ok(patient.flatten())
    }

    /// Every line about a bed, in the order in which we learned it.
    pub fn bed_history(&self, org: OrgId, bed: BedId) -> Result<Vec<HistoryRow>, RecordsError> {
        let ask = "SELECT patient, valid_from, known_at, encounter.* FROM encounter \
                   WHERE org = $1 AND bed = $2 ORDER BY log_offset, row_index";
        self.all(ask, &[blob(org), blob(bed)], (3, "encounter"), line)
    }

    /// Every patient whom a device measured, in the order in which we learned it.
    pub fn patients_of_device(
        &self,
        org: OrgId,
        device: DeviceId,
    ) -> Result<Vec<HistoryRow>, RecordsError> {
        let ask = "SELECT CASE subject_kind WHEN 1 THEN subject END, valid_from, known_at, association.* \
                   FROM association WHERE org = $1 AND device = $2 ORDER BY log_offset, row_index";
        self.all(ask, &[blob(org), blob(device)], (3, "association"), line)
    }

    /// What was charted about a patient, the newest observation first, at most `limit`.
    pub fn charting(
        &self,
        org: OrgId,
        patient: PatientId,
        limit: usize,
    ) -> Result<Vec<ChartingRow>, RecordsError> {
        let ask = "SELECT observed_at, known_at, consciousness, oxygen, breaths_per_min, charting.* FROM charting \
                   WHERE org = $1 AND patient = $2 ORDER BY observed_at DESC LIMIT $3";
        let values = [blob(org), blob(patient), count(limit)];
        self.all(ask, &values, (5, "charting"), |row| {
            Ok(ChartingRow {
                observed_at: Timestamp::from_unix_nanos(row.get(0)?),
                written_at: Timestamp::from_unix_nanos(row.get(1)?),
                consciousness: row.get(2)?,
                oxygen: row.get(3)?,
                breaths_per_min: row.get(4)?,
            })
        })
    }
}
