//! The audit trail: who looked at what, who changed what, by which rule.

use model::{OrgId, PatientId, Timestamp, UserId};
use record::{Actor, AuditEntry};
use rusqlite::{params_from_iter, types::Value};

use super::{
    Records, RecordsError,
    alarms::{id, maybe_id},
    number,
    row::blob,
};
use crate::LogOffset;

/// An audit record with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it all")]
pub struct AuditRow {
    pub offset: LogOffset,
    pub at: Timestamp,
    pub entry: AuditEntry,
}

/// Which audit records are asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// Only about this patient.
    pub patient: Option<PatientId>,
    /// Only by this user.
    pub user: Option<UserId>,
    /// Only those before this place; the next page begins at the oldest of the page before.
    pub before: Option<LogOffset>,
}

impl Records {
    /// Audit records of an organization, newest first, at most `limit`.
    pub fn audit(
        &self,
        org: OrgId,
        filter: &AuditFilter,
        limit: usize,
    ) -> Result<Vec<AuditRow>, RecordsError> {
        let mut sql = "SELECT log_offset, at, actor_kind, actor, action, patient, resource, allowed, rule, remote \
             FROM audit WHERE org = ?"
            .to_owned();
        let mut values = vec![blob(org)];
        if let Some(patient) = filter.patient {
            sql.push_str(" AND patient = ?");
            values.push(blob(patient));
        }
        if let Some(user) = filter.user {
            sql.push_str(" AND actor = ?");
            values.push(blob(user));
        }
        if let Some(before) = filter.before {
            sql.push_str(" AND log_offset < ?");
            values.push(Value::Integer(number(before.bytes())));
        }
        sql.push_str(" ORDER BY log_offset DESC, row_index DESC LIMIT ?");
        values.push(Value::Integer(i64::try_from(limit).unwrap_or(i64::MAX)));
        self.read(|reader| {
            let mut statement = reader.prepare_cached(&sql)?;
            let mut rows = statement.query(params_from_iter(values))?;
            let mut found = Vec::new();
            while let Some(row) = rows.next()? {
                found.push(read(row)?);
            }
            Ok(found)
        })
    }
}

fn read(row: &rusqlite::Row<'_>) -> Result<AuditRow, RecordsError> {
    let actor: Option<Vec<u8>> = row.get(3)?;
    let actor = match (row.get::<_, i64>(2)?, actor) {
        (0, None) => Actor::System,
        (1, Some(user)) => Actor::User(id(&user)?),
        (2, Some(device)) => Actor::Device(id(&device)?),
        (kind, _) => {
            return Err(RecordsError::Unreadable { what: format!("actor of kind {kind}") });
        }
    };
    let entry = AuditEntry {
        actor,
        action: row.get(4)?,
        patient: maybe_id(row.get(5)?)?,
        resource: row.get(6)?,
        allowed: row.get(7)?,
        rule: row.get(8)?,
        remote: row.get(9)?,
    };
    let offset = LogOffset::from_bytes(u64::try_from(row.get::<_, i64>(0)?).unwrap_or(0));
    Ok(AuditRow { offset, at: Timestamp::from_unix_nanos(row.get(1)?), entry })
}
