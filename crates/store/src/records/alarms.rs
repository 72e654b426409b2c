//! Alarms of the past: how each stands or ended, and its whole life.

use model::{
    AlarmClass, AlarmId, BedId, CareUnitId, DeviceId, Id, Kind, OrgId, PatientId, Priority,
    StaffId, Timestamp, Vital,
};

use super::{
    Records, RecordsError, count,
    db::Found,
    row::{blob, int, time, vital},
};

/// An alarm in its latest form.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are those of the alarm's view")]
pub struct AlarmRow {
    pub id: AlarmId,
    pub care_unit: Option<CareUnitId>,
    pub patient: Option<PatientId>,
    pub device: Option<DeviceId>,
    pub bed: Option<BedId>,
    pub class: AlarmClass,
    pub priority: Priority,
    pub code: String,
    pub title: String,
    pub detail: String,
    /// `active`, `acknowledged` or `ended`.
    pub state: String,
    pub since: Timestamp,
    pub raised_at: Timestamp,
    pub ended_at: Option<Timestamp>,
    /// How it ended, in words.
    pub ending: Option<String>,
    /// The stable word of what it is about, such as `heart_rate.high`; empty for one of an older release.
    pub kind: String,
    pub vital: Option<Vital>,
}

/// One thing that happened to an alarm.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it all")]
pub struct LifeRow {
    pub alarm: AlarmId,
    pub at: Timestamp,
    pub what: String,
    pub detail: String,
    pub by: Option<StaffId>,
}

/// Which alarms are asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AlarmFilter {
    /// Only this care unit's.
    pub care_unit: Option<CareUnitId>,
    /// Only this patient's.
    pub patient: Option<PatientId>,
    /// Only about this vital.
    pub vital: Option<Vital>,
    /// Only ended ones, or only standing ones.
    pub ended: Option<bool>,
    /// Only those raised before this; the next page begins at the oldest of the page before.
    pub before: Option<Timestamp>,
}

/// An id from a column.
pub(super) fn id<K: Kind>(bytes: &[u8]) -> Result<Id<K>, RecordsError> {
    let unreadable = || RecordsError::Unreadable { what: format!("a broken id of a {}", K::NAME) };
    let bytes: [u8; 16] = bytes.try_into().map_err(|_| unreadable())?;
    Id::from_uuid(u128::from_be_bytes(bytes)).map_err(|_| unreadable())
}

pub(super) fn maybe_id<K: Kind>(bytes: Option<Vec<u8>>) -> Result<Option<Id<K>>, RecordsError> {
    bytes.as_deref().map(id).transpose()
}

/// The vital of a column's number.
fn vital_of(number: i64) -> Option<Vital> {
    Vital::ALL.iter().copied().find(|it| vital(*it) == number)
}

const COLUMNS: &str = "id, care_unit, patient, device, bed, class, priority, code, title, detail, \
    state, since, raised_at, ended_at, ending, kind, vital";

fn own_columns() -> (usize, &'static str) {
    (COLUMNS.split(',').count(), "alarm")
}

fn read(row: &Found<'_>) -> Result<AlarmRow, RecordsError> {
    let at = |nanos: i64| Timestamp::from_unix_nanos(nanos);
    let unreadable =
        |what: &str, code: i64| RecordsError::Unreadable { what: format!("{what} {code}") };
    let class = match row.get::<i64>(5)? {
        1 => AlarmClass::Physiological,
        2 => AlarmClass::Technical,
        other => return Err(unreadable("class of alarm", other)),
    };
    let priority = match row.get::<i64>(6)? {
        1 => Priority::Low,
        2 => Priority::Medium,
        3 => Priority::High,
        other => return Err(unreadable("priority", other)),
    };
    Ok(AlarmRow {
        id: id(&row.get::<Vec<u8>>(0)?)?,
        care_unit: maybe_id(row.get(1)?)?,
        patient: maybe_id(row.get(2)?)?,
        device: maybe_id(row.get(3)?)?,
        bed: maybe_id(row.get(4)?)?,
        class,
        priority,
        code: row.get(7)?,
        title: row.get(8)?,
        detail: row.get(9)?,
        state: row.get(10)?,
        since: at(row.get(11)?),
        raised_at: at(row.get(12)?),
        ended_at: row.get::<Option<i64>>(13)?.map(at),
        ending: row.get(14)?,
        kind: row.get(15)?,
        vital: row.get::<Option<i64>>(16)?.and_then(vital_of),
    })
}

impl Records {
    /// Alarms of an organization, the latest raised first, at most `limit`.
    pub fn alarms(
        &self,
        org: OrgId,
        filter: &AlarmFilter,
        limit: usize,
    ) -> Result<Vec<AlarmRow>, RecordsError> {
        let mut sql = format!("SELECT {COLUMNS}, alarm.* FROM alarm WHERE org = $1");
        let mut values = vec![blob(org)];
        let mut narrow = |condition: &str, value| {
            values.push(value);
            sql.push_str(&format!(" AND {condition} ${}", values.len()));
        };
        if let Some(care_unit) = filter.care_unit {
            narrow("care_unit =", blob(care_unit));
        }
        if let Some(patient) = filter.patient {
            narrow("patient =", blob(patient));
        }
        if let Some(it) = filter.vital {
            narrow("vital =", int(vital(it)));
        }
        if let Some(before) = filter.before {
            narrow("raised_at <", time(before));
        }
        match filter.ended {
            Some(true) => sql.push_str(" AND ended_at IS NOT NULL"),
            Some(false) => sql.push_str(" AND ended_at IS NULL"),
            None => {}
        }
        values.push(count(limit));
        sql.push_str(&format!(" ORDER BY raised_at DESC, id DESC LIMIT ${}", values.len()));
        self.all(&sql, &values, own_columns(), read)
    }

    /// One alarm, if the organization has it.
    pub fn alarm(&self, org: OrgId, alarm: AlarmId) -> Result<Option<AlarmRow>, RecordsError> {
        let sql = format!("SELECT {COLUMNS}, alarm.* FROM alarm WHERE org = $1 AND id = $2");
        self.one(&sql, &[blob(org), blob(alarm)], own_columns(), read)
    }

    /// What happened to an alarm, oldest first.
    pub fn alarm_life(&self, org: OrgId, alarm: AlarmId) -> Result<Vec<LifeRow>, RecordsError> {
        let ask = "SELECT at, what, detail, by_staff, alarm_life.* FROM alarm_life \
                   WHERE org = $1 AND alarm = $2 ORDER BY at, log_offset, row_index";
        self.all(ask, &[blob(org), blob(alarm)], (4, "alarm_life"), |row| {
            Ok(LifeRow {
                alarm,
                at: Timestamp::from_unix_nanos(row.get(0)?),
                what: row.get(1)?,
                detail: row.get(2)?,
                by: maybe_id(row.get(3)?)?,
            })
        })
    }
}
