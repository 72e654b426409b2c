//! The audit trail: who looked at what, who changed what, by which rule.

use std::collections::{BTreeMap, BTreeSet};

use model::{OrgId, PatientId, Timestamp, UserId};
use record::{Actor, AuditEntry};

use super::{
    Records, RecordsError,
    alarms::{id, maybe_id},
    count,
    db::{Found, Val},
    number,
    row::{blob, int, text, time},
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
             audit.* FROM audit WHERE org = $1"
            .to_owned();
        let mut values = vec![blob(org)];
        let mut narrow = |condition: &str, value: Option<Val>| {
            if let Some(value) = value {
                values.push(value);
                sql.push_str(&format!(" AND {condition} ${}", values.len()));
            }
        };
        narrow("patient =", filter.patient.map(blob));
        narrow("actor =", filter.user.map(blob));
        narrow("action =", filter.action.as_deref().map(text));
        narrow("allowed =", filter.allowed.map(int));
        narrow("at >=", filter.from.map(time));
        narrow("at <", filter.to.map(time));
        narrow("log_offset <", filter.before.map(|place| Val::Int(number(place.bytes()))));
        values.push(count(limit));
        let end = format!(" ORDER BY log_offset DESC, row_index DESC LIMIT ${}", values.len());
        sql.push_str(&end);
        self.all(&sql, &values, (10, "audit"), read)
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
        let ask = "SELECT actor, at, audit.* FROM audit \
                   WHERE org = $1 AND patient = $2 AND actor_kind = 1 AND allowed = 1";
        let all = self.all(ask, &[blob(org), blob(patient)], (2, "audit"), |row| {
            let user: UserId = id(&row.get::<Vec<u8>>(0)?)?;
            Ok((user, Timestamp::from_unix_nanos(row.get(1)?)))
        })?;
        let mut found: BTreeMap<UserId, BTreeSet<Timestamp>> = BTreeMap::new();
        for (user, at) in all {
            found.entry(user).or_default().insert(at);
        }
        let mut found: Vec<LookRow> = found.into_iter().filter_map(looks).collect();
        found.sort_by_key(|look| std::cmp::Reverse(look.last_at));
        found.truncate(limit);
        Ok(found)
    }
}

/// The times at which somebody looked, as one row.
fn looks((user, times): (UserId, BTreeSet<Timestamp>)) -> Option<LookRow> {
    let (first_at, last_at) = (*times.first()?, *times.last()?);
    let minutes = times.iter().map(|at| at.unix_nanos() / 60_000_000_000);
    let count = u64::try_from(minutes.collect::<BTreeSet<_>>().len()).unwrap_or(u64::MAX);
    Some(LookRow { user, count, first_at, last_at })
}

fn read(row: &Found<'_>) -> Result<AuditRow, RecordsError> {
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
    let offset = LogOffset::from_bytes(u64::try_from(row.get::<i64>(0)?).unwrap_or(0));
    Ok(AuditRow { offset, at: Timestamp::from_unix_nanos(row.get(1)?), entry })
}
