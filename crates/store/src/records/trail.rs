//! The audit trail: who looked at what, who changed what, by which rule.

use std::collections::{BTreeMap, BTreeSet};

use model::{OrgId, PatientId, Timestamp, UserId};
use record::{Actor, AuditEntry};
use rusqlite::{params_from_iter, types::Value};

use super::{
    Records, RecordsError,
    alarms::{id, maybe_id},
    number,
    row::blob,
    sound,
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
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// Only about this patient.
    pub patient: Option<PatientId>,
    /// Only by this user.
    pub user: Option<UserId>,
    /// Only this word of the policy, such as `patient.read`.
    pub action: Option<String>,
    /// Only what was allowed, or only what was refused.
    pub allowed: Option<bool>,
    /// Only from this instant on.
    pub from: Option<Timestamp>,
    /// Only before this instant.
    pub to: Option<Timestamp>,
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
        let mut sql = "SELECT log_offset, at, actor_kind, actor, action, patient, resource, allowed, rule, remote, \
             audit.* FROM audit WHERE org = ?"
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
        if let Some(action) = &filter.action {
            sql.push_str(" AND action = ?");
            values.push(Value::Text(action.clone()));
        }
        if let Some(allowed) = filter.allowed {
            sql.push_str(" AND allowed = ?");
            values.push(Value::Integer(i64::from(allowed)));
        }
        if let Some(from) = filter.from {
            sql.push_str(" AND at >= ?");
            values.push(Value::Integer(from.unix_nanos()));
        }
        if let Some(to) = filter.to {
            sql.push_str(" AND at < ?");
            values.push(Value::Integer(to.unix_nanos()));
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

/// Who it was, from the two columns that say it.
pub(super) fn actor_of(kind: i64, actor: Option<Vec<u8>>) -> Result<Actor, RecordsError> {
    match (kind, actor) {
        (0, None) => Ok(Actor::System),
        (1, Some(user)) => Ok(Actor::User(id(&user)?)),
        (2, Some(device)) => Ok(Actor::Device(id(&device)?)),
        (kind, _) => Err(RecordsError::Unreadable { what: format!("actor of kind {kind}") }),
    }
}

/// Who looked at a patient, all their looks in one; those of one minute are one look, as a
/// page asks for several things at once.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it all")]
pub struct LookRow {
    pub user: UserId,
    pub count: u64,
    pub first_at: Timestamp,
    pub last_at: Timestamp,
}

impl Records {
    /// Everybody who was let at a patient's data, the latest look first, at most `limit`.
    pub fn looks_at(
        &self,
        org: OrgId,
        patient: PatientId,
        limit: usize,
    ) -> Result<Vec<LookRow>, RecordsError> {
        self.read(|reader| {
            let mut statement = reader.prepare_cached(
                "SELECT actor, at, audit.* FROM audit \
                 WHERE org = ? AND patient = ? AND actor_kind = 1 AND allowed = 1",
            )?;
            let mut rows = statement.query(params_from_iter([blob(org), blob(patient)]))?;
            let mut found: BTreeMap<UserId, BTreeSet<Timestamp>> = BTreeMap::new();
            while let Some(row) = rows.next()? {
                sound(row, 2, "audit")?;
                let user = id(&row.get::<_, Vec<u8>>(0)?)?;
                found.entry(user).or_default().insert(Timestamp::from_unix_nanos(row.get(1)?));
            }
            let mut found: Vec<LookRow> = found.into_iter().filter_map(looks).collect();
            found.sort_by_key(|look| std::cmp::Reverse(look.last_at));
            found.truncate(limit);
            Ok(found)
        })
    }
}

/// The times at which somebody looked, as one row.
fn looks((user, times): (UserId, BTreeSet<Timestamp>)) -> Option<LookRow> {
    let (first_at, last_at) = (*times.first()?, *times.last()?);
    let minutes = times.iter().map(|at| at.unix_nanos() / 60_000_000_000);
    let count = u64::try_from(minutes.collect::<BTreeSet<_>>().len()).unwrap_or(u64::MAX);
    Some(LookRow { user, count, first_at, last_at })
}

fn read(row: &rusqlite::Row<'_>) -> Result<AuditRow, RecordsError> {
    sound(row, 10, "audit")?;
    let actor = actor_of(row.get(2)?, row.get(3)?)?;
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
