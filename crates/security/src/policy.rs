//! One table that says who may do what; everything that is not in it is denied.
//!
//! A wall comes first: nobody reaches another organization. Then the role gives
//! each action a reach: anywhere in the organization, the patients of the
//! person's own care units, or also everybody else's. The answer names its rule,
//! because the audit record keeps it.

use model::{CareUnitId, DeviceId, OrgId, PatientId, Role, SiteId, StaffId, UserId};

use crate::DeviceIdentity;

/// A person who signed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Who {
    /// The login.
    pub user: UserId,
    /// Whose data it may see.
    pub org: OrgId,
    /// What it may be.
    pub role: Role,
    /// Whose login it is, if a member of staff's.
    pub staff: Option<StaffId>,
    /// The care units that the person works in now; in all others it is a guest.
    pub care_units: Vec<CareUnitId>,
}

/// What is to be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resource {
    /// Whose data it is.
    pub org: OrgId,
    /// The care unit that it belongs to, if one does.
    pub care_unit: Option<CareUnitId>,
    /// The patient whom it is about, if about one.
    pub patient: Option<PatientId>,
}

/// The answer, with the rule that gave it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "a decision that is not looked at protects nobody"]
pub enum Decision {
    /// It may be done.
    Allowed {
        /// The rule's short stable name.
        rule: &'static str,
    },
    /// It may not.
    Denied {
        /// The rule's short stable name.
        rule: &'static str,
        /// Who could, or what is missing, for the person who asked.
        explanation: String,
    },
}

impl Decision {
    /// Whether it may be done.
    pub const fn is_allowed(&self) -> bool {
        matches!(self, Self::Allowed { .. })
    }

    /// The name of the rule that decided.
    pub const fn rule(&self) -> &'static str {
        match self {
            Self::Allowed { rule } | Self::Denied { rule, .. } => rule,
        }
    }
}

/// How far a role's grant of an action goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reach {
    /// The whole organization.
    Organization,
    /// Every patient: those of the own units as theirs, others as site staff.
    Site,
    /// Patients and places of the own care units.
    OwnUnit,
    Nowhere,
}

macro_rules! actions {
    ($($action:ident $word:literal $doc:literal : $nurse:ident $charge:ident $physician:ident $it:ident;)*) => {
        /// Everything that a person can ask the server for.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Action { $(#[doc = $doc] $action,)* }

        impl Action {
            /// All of them, for tests and for the table in the documentation.
            pub const ALL: &'static [Self] = &[$(Self::$action,)*];

            /// The policy's word for it, as audit records spell it.
            pub const fn word(self) -> &'static str {
                match self { $(Self::$action => $word,)* }
            }

            const fn reach(self, role: Role) -> Reach {
                let [nurse, charge, physician, it] = match self {
                    $(Self::$action =>
                        [Reach::$nurse, Reach::$charge, Reach::$physician, Reach::$it],)*
                };
                match role {
                    Role::Nurse => nurse,
                    Role::ChargeNurse => charge,
                    Role::Physician => physician,
                    Role::It => it,
                }
            }
        }
    };
}

actions! {
    // Action                                                 nurse   charge nurse physician  it
    ReadPlaces "place.read" "Sites, units, rooms, beds.":     Organization Organization Organization Organization;
    WritePlaces "place.write" "Adds or renames places.":      Nowhere Nowhere Nowhere Organization;
    ReadBoard "board.read" "The ward board and its feed.":    Site Site Site Nowhere;
    ReadPatient "patient.read" "A patient's page, trends and waveforms.": Site Site Site Nowhere;
    RegisterPatient "patient.register" "Adds a patient.":     Organization Organization Organization Nowhere;
    ChartPatient "patient.chart" "Charts an observation.":    OwnUnit OwnUnit Site Nowhere;
    SetLimits "patient.limits" "Sets alarm limits.":          OwnUnit OwnUnit Site Nowhere;
    SetSpO2Scale "patient.spo2_scale" "Orders the SpO₂ scale of NEWS2.": Nowhere Nowhere Site Nowhere;
    MovePatient "patient.move" "Puts a patient into a bed, or out of it.": OwnUnit OwnUnit Site Nowhere;
    Assign "assignment.write" "Says who looks after a bed.": Nowhere OwnUnit Nowhere Nowhere;
    // Somebody has to name the first one in charge of a new unit.
    AssignCharge "assignment.charge" "Says who runs a care unit.": Nowhere OwnUnit Nowhere Organization;
    ReadAlarms "alarm.read" "Alarms and their life.":         Site Site Site Nowhere;
    AcknowledgeAlarm "alarm.acknowledge" "Answers an alarm.": Site Site Site Nowhere;
    EndAlarm "alarm.end" "Ends an alarm with a reason.":      OwnUnit OwnUnit Site Nowhere;
    ReadDevices "device.read" "Devices, their profiles and state.": Organization Organization Organization Organization;
    WriteDevices "device.write" "Adds a device or changes its words.": Nowhere Nowhere Nowhere Organization;
    IssueCertificate "device.certify" "Issues a device's certificate and key.": Nowhere Nowhere Nowhere Organization;
    RevokeCertificate "device.revoke" "Revokes a certificate.": Nowhere Nowhere Nowhere Organization;
    SetLifecycle "device.lifecycle" "Moves a device along its life.": Nowhere Nowhere Nowhere Organization;
    AssociateDevice "device.associate" "Puts a device on a patient, or takes it off.": OwnUnit OwnUnit Site Nowhere;
    ReadDeadLetters "dead_letter.read" "Messages that could not be taken in.": Nowhere Nowhere Nowhere Organization;
    ReadAudit "audit.read" "Who looked at what.":             Nowhere Nowhere Nowhere Organization;
    ReadUsers "user.read" "Logins.":                          Nowhere Nowhere Nowhere Organization;
    WriteUsers "user.write" "Adds, invites or disables a login.": Nowhere Nowhere Nowhere Organization;
    ReadStaff "staff.read" "Names of the people who work here.": Organization Organization Organization Organization;
    WriteStaff "staff.write" "Adds a member of staff.":       Nowhere Nowhere Nowhere Organization;
    ReadSystem "system.read" "The state of the server.":      Organization Organization Organization Organization;
}

/// Whether `actor` may do `action` to `resource`.
pub fn permit(actor: &Who, action: Action, resource: &Resource) -> Decision {
    if actor.org != resource.org {
        let explanation = "this belongs to another organization".to_owned();
        return Decision::Denied { rule: "organization", explanation };
    }
    let at_home = resource.care_unit.is_some_and(|unit| actor.care_units.contains(&unit));
    match action.reach(actor.role) {
        Reach::Organization => Decision::Allowed { rule: "role" },
        Reach::Site | Reach::OwnUnit if at_home => Decision::Allowed { rule: "own unit" },
        Reach::Site => Decision::Allowed { rule: "site staff" },
        Reach::OwnUnit => {
            let explanation = format!(
                "`{}` is for {} of the care unit; ask there, or be posted to it first",
                action.word(),
                plural(actor.role)
            );
            Decision::Denied { rule: "own unit", explanation }
        }
        Reach::Nowhere => {
            let explanation = format!("`{}` is not for {}", action.word(), plural(actor.role));
            Decision::Denied { rule: "role", explanation }
        }
    }
}

const fn plural(role: Role) -> &'static str {
    match role {
        Role::Nurse => "nurses",
        Role::ChargeNurse => "charge nurses",
        Role::Physician => "physicians",
        Role::It => "hospital IT",
    }
}

/// What a device asks of a topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names say it all")]
pub enum DeviceAct {
    Publish,
    Subscribe,
}

/// The topics that are a device's own; made once per connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceTopics {
    up: String,
    gateway_up: String,
    down: String,
}

impl DeviceTopics {
    /// The topics of a device at its site.
    pub fn new(identity: &DeviceIdentity, site: SiteId) -> Self {
        let device: DeviceId = identity.device;
        Self {
            up: format!("wl/1/{site}/{device}/up/"),
            gateway_up: format!("wl/1/{site}/$gw/{device}/up/"),
            down: format!("wl/1/{site}/{device}/down/"),
        }
    }

    /// What each topic of messages to the device begins with, such as `wl/1/…/down/`.
    pub fn down(&self) -> &str {
        &self.down
    }

    /// The device's own `up/state`.
    pub fn is_state(&self, topic: &str) -> bool {
        topic.strip_prefix(&self.up) == Some("state")
    }
}

/// Whether a device may publish to a topic, or subscribe to a filter.
///
/// It publishes below its own `up/`, as a gateway below its own `$gw/…/up/`, and
/// hears what lies below its own `down/`: a filter's wildcards stand after that.
pub fn permit_device(topics: &DeviceTopics, act: DeviceAct, topic: &str) -> Decision {
    let below = |prefix: &str| topic.strip_prefix(prefix).is_some_and(|leaf| !leaf.is_empty());
    match act {
        DeviceAct::Publish if below(&topics.up) || below(&topics.gateway_up) => {
            Decision::Allowed { rule: "own up" }
        }
        DeviceAct::Publish => {
            let explanation = format!("the device may publish below `{}` only", topics.up);
            Decision::Denied { rule: "own up", explanation }
        }
        DeviceAct::Subscribe if below(&topics.down) => Decision::Allowed { rule: "own down" },
        DeviceAct::Subscribe => {
            let explanation = format!("the device may subscribe below `{}` only", topics.down);
            Decision::Denied { rule: "own down", explanation }
        }
    }
}

#[cfg(test)]
mod tests;
