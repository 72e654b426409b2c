//! Who looked at what, on a screen.

use engine::Directory;
use record::Actor;
use serde::Serialize;
use store::AuditRow;
use utoipa::ToSchema;

use super::words::{Spelt as _, time};
use crate::rest::session::name_of;

/// One look, change or refusal.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct AuditRecord {
    pub(crate) at: String,
    actor: AuditActor,
    /// The policy's word, such as `patient.read`.
    pub(crate) action: String,
    /// The patient's id; names are not repeated here.
    pub(crate) patient: Option<String>,
    /// The number on the patient's wristband.
    pub(crate) patient_number: Option<String>,
    /// Method and address.
    pub(crate) resource: String,
    pub(crate) allowed: bool,
    pub(crate) rule: String,
    /// Where the asker was.
    pub(crate) remote: String,
}

/// Who it was.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct AuditActor {
    /// `user`, `device` or `system`.
    kind: &'static str,
    id: Option<String>,
    /// Login or label.
    name: Option<String>,
    /// What a person is called.
    full_name: Option<String>,
    role: Option<&'static str>,
}

impl AuditActor {
    /// Whoever acted, by what is known of them now.
    pub(crate) fn of(actor: Actor, directory: &Directory) -> Self {
        let (kind, id, name) = match actor {
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
        let user = match actor {
            Actor::User(id) => directory.users.get(&id),
            Actor::Device(_) | Actor::System => None,
        };
        let full_name = user.map(|user| name_of(directory, user));
        let role = user.map(|user| user.role.word());
        Self { kind, id, name, full_name, role }
    }
}

impl AuditRecord {
    pub(crate) fn of(it: &AuditRow, directory: &Directory) -> Self {
        let entry = &it.entry;
        let about = entry.patient.and_then(|patient| directory.patients.get(&patient));
        Self {
            at: time(it.at),
            actor: AuditActor::of(entry.actor, directory),
            action: entry.action.clone(),
            patient: entry.patient.map(|patient| patient.to_string()),
            patient_number: about.map(|it| it.record_number.0.clone()),
            resource: entry.resource.clone(),
            allowed: entry.allowed,
            rule: entry.rule.clone(),
            remote: entry.remote.clone(),
        }
    }

    /// Kind, name and role of whoever it was.
    pub(crate) fn who(&self) -> (&'static str, &str, Option<&'static str>) {
        let AuditActor { kind, name, full_name, role, .. } = &self.actor;
        (kind, full_name.as_deref().or(name.as_deref()).unwrap_or_default(), *role)
    }
}
