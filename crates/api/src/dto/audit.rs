//! Who looked at what, on a screen.

use engine::Directory;
use record::Actor;
use serde::Serialize;
use store::AuditRow;
use utoipa::ToSchema;

use super::words::time;

/// One look, change or refusal.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct AuditRecord {
    at: String,
    actor: AuditActor,
    /// The policy's word, such as `patient.read`.
    action: String,
    /// The patient's id; names are not repeated here.
    patient: Option<String>,
    /// Method and address.
    resource: String,
    allowed: bool,
    rule: String,
    /// Where the asker was.
    remote: String,
}

/// Who it was.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct AuditActor {
    /// `user`, `device` or `system`.
    kind: &'static str,
    id: Option<String>,
    /// Login or label.
    name: Option<String>,
}

impl AuditRecord {
    pub(crate) fn of(it: &AuditRow, directory: &Directory) -> Self {
        let entry = &it.entry;
        let (kind, id, name) = match entry.actor {
            Actor::User(id) => (
                "user",
                Some(id.to_string()),
                directory.users.get(&id).map(|user| user.login.clone()),
            ),
            Actor::Device(id) => (
                "device",
                Some(id.to_string()),
                directory.devices.get(&id).map(|it| it.label.clone()),
            ),
            Actor::System => ("system", None, None),
        };
        Self {
            at: time(it.at),
            actor: AuditActor { kind, id, name },
            action: entry.action.clone(),
            patient: entry.patient.map(|patient| patient.to_string()),
            resource: entry.resource.clone(),
            allowed: entry.allowed,
            rule: entry.rule.clone(),
            remote: entry.remote.clone(),
        }
    }
}
