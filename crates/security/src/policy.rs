//! One table that says who may do what; everything that is not in it is denied.
//!
//! A wall comes first: nobody reaches another organization. Then the role gives
//! each action a reach: anywhere in the organization, the patients of the
//! person's own care units, or also everybody else's; a patient reaches what is
//! about themselves. The answer names its rule, because the audit record keeps it.

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
    /// Whose login it is, if a patient's own; if family's, who shares with them now.
    pub patient: Option<PatientId>,
    /// The care units that the person works in now; in all others it is a guest.
    pub care_units: Vec<CareUnitId>,
    /// The care units in which a hand-over waits for the person to accept it.
    pub coming_to: Vec<CareUnitId>,
    /// The patients whose pages the person opened in an emergency, and may read still.
    pub opened: Vec<PatientId>,
    /// The patients who lie in no bed any more, and left the person's care units so lately
    /// that their pages are open still.
    pub left_lately: Vec<PatientId>,
    /// Whether what the person does can be recorded now; if not, no reason can be given.
    pub is_recorded: bool,
}

/// What is to be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resource {
    /// Whose data it is.
    pub org: OrgId,
    /// The care unit that it belongs to, if one does; a patient's is that of their bed, else
    /// that of a device on them.
    pub care_unit: Option<CareUnitId>,
    /// The patient whom it is about, if about one.
    pub patient: Option<PatientId>,
    /// Whether the patient lay in a bed before, and lies in none now.
    pub has_left: bool,
}

impl Resource {
    /// A whole organization.
    pub const fn org(org: OrgId) -> Self {
        Self { org, care_unit: None, patient: None, has_left: false }
    }
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
    /// Patients of the own care units, of those that are about to be the own ones, who left
    /// the own ones lately, and who were in none yet; anybody else's only in an emergency,
    /// with a reason.
    Emergency,
    /// Patients and places of the own care units.
    OwnUnit,
    /// What is about the person who asks.
    Own,
    Nowhere,
}

macro_rules! actions {
    ($($action:ident $word:literal $doc:literal : $nurse:ident $charge:ident $physician:ident $it:ident $patient:ident;)*) => {
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
                let [nurse, charge, physician, it, patient] = match self {
                    $(Self::$action => [
                        Reach::$nurse,
                        Reach::$charge,
                        Reach::$physician,
                        Reach::$it,
                        Reach::$patient,
                    ],)*
                };
                match role {
                    Role::Nurse => nurse,
                    Role::ChargeNurse => charge,
                    Role::Physician => physician,
                    Role::It => it,
                    Role::Patient => patient,
                    // What a patient shares is to be read, whatever a patient may do besides.
                    Role::Family if matches!(self, Self::ReadOwn) => Reach::Own,
                    Role::Family => Reach::Nowhere,
                }
            }
        }
    };
}

actions! {
    // Action                                                 nurse   charge nurse physician  it  patient
    ReadPlaces "place.read" "Sites, units, rooms, beds.":     Organization Organization Organization Organization Nowhere;
    WritePlaces "place.write" "Adds or renames places.":      Nowhere Nowhere Nowhere Organization Nowhere;
    ReadBoard "board.read" "The ward board and its feed.":    Site Site Site Nowhere Nowhere;
    ListPatients "patient.list" "The list of those patients whom one may read.": Site Site Site Nowhere Nowhere;
    // Physicians hold no posts: their patients lie all over the house.
    ReadPatient "patient.read" "A patient's page, trends and waveforms.": Emergency Emergency Site Nowhere Nowhere;
    OpenInEmergency "patient.emergency" "Opens a closed page for an hour, with a reason.": Site Site Nowhere Nowhere Nowhere;
    ReviewEmergency "emergency.review" "Pages that were opened in an emergency, and why.": Nowhere OwnUnit Nowhere Nowhere Nowhere;
    RegisterPatient "patient.register" "Adds a patient.":     Organization Organization Organization Nowhere Nowhere;
    ChartPatient "patient.chart" "Charts an observation.":    OwnUnit OwnUnit Site Nowhere Nowhere;
    CorrectReadings "reading.correct" "Withdraws or replaces what was measured.": OwnUnit OwnUnit Site Nowhere Nowhere;
    SetLimits "patient.limits" "Sets alarm limits.":          OwnUnit OwnUnit Site Nowhere Nowhere;
    SetSpO2Scale "patient.spo2_scale" "Orders the SpO₂ scale of NEWS2.": Nowhere Nowhere Site Nowhere Nowhere;
    MovePatient "patient.move" "Puts a patient into a bed, or out of it.": OwnUnit OwnUnit Site Nowhere Nowhere;
    Assign "assignment.write" "Says who looks after a bed.": Nowhere OwnUnit Nowhere Nowhere Nowhere;
    // Somebody has to name the first one in charge of a new unit.
    AssignCharge "assignment.charge" "Says who runs a care unit.": Nowhere OwnUnit Nowhere Organization Nowhere;
    ReadAlarms "alarm.read" "Alarms and their life.":         Site Site Site Nowhere Nowhere;
    AcknowledgeAlarm "alarm.acknowledge" "Answers an alarm.": Site Site Site Nowhere Nowhere;
    EndAlarm "alarm.end" "Ends an alarm with a reason.":      OwnUnit OwnUnit Site Nowhere Nowhere;
    ReadDevices "device.read" "Devices, their profiles and state.": Organization Organization Organization Organization Nowhere;
    WriteDevices "device.write" "Adds a device or changes its words.": Nowhere Nowhere Nowhere Organization Nowhere;
    IssueCertificate "device.certify" "Issues a device's certificate and key.": Nowhere Nowhere Nowhere Organization Nowhere;
    RevokeCertificate "device.revoke" "Revokes a certificate.": Nowhere Nowhere Nowhere Organization Nowhere;
    SetLifecycle "device.lifecycle" "Moves a device along its life.": Nowhere Nowhere Nowhere Organization Nowhere;
    AssociateDevice "device.associate" "Puts a device on a patient, or takes it off.": OwnUnit OwnUnit Site Nowhere Nowhere;
    ReadDeadLetters "dead_letter.read" "Messages that could not be taken in.": Nowhere Nowhere Nowhere Organization Nowhere;
    ReplayDeadLetter "dead_letter.replay" "Takes a dead letter again.": Nowhere Nowhere Nowhere Organization Nowhere;
    WatchDevice "device.watch" "A device's messages as they come.": Nowhere Nowhere Nowhere Organization Nowhere;
    SendCommand "device.command" "Tells a device to do something.": Nowhere OwnUnit Nowhere Organization Nowhere;
    // Whoever looks after the patient looks before the device is touched.
    SecondCommand "device.second" "Agrees to a command for a device on a patient.": OwnUnit OwnUnit Site Nowhere Nowhere;
    ConfigureDevice "device.configure" "Sets a device's configuration.": Nowhere Nowhere Nowhere Organization Nowhere;
    BindDevice "device.bind" "Says which gateway speaks for a device.": Nowhere Nowhere Nowhere Organization Nowhere;
    OfferClaim "device.offer_claim" "Makes a code for whoever has a device in hand.": Nowhere Nowhere Nowhere Organization Nowhere;
    ClaimDevice "device.claim" "Puts a device in service by its code.": Organization Organization Nowhere Organization Nowhere;
    ReadAudit "audit.read" "Who looked at what.":             Nowhere Nowhere Nowhere Organization Nowhere;
    ReadUsers "user.read" "Logins.":                          Nowhere Nowhere Nowhere Organization Nowhere;
    WriteUsers "user.write" "Adds, invites or disables a login.": Nowhere Nowhere Nowhere Organization Nowhere;
    ReadStaff "staff.read" "Names of the people who work here.": Organization Organization Organization Organization Nowhere;
    WriteStaff "staff.write" "Adds a member of staff.":       Nowhere Nowhere Nowhere Organization Nowhere;
    ReadUnitLimits "limits.read" "The limits of a care unit.": Organization Organization Organization Organization Nowhere;
    SetUnitLimits "limits.default" "Sets the limits of a care unit.": Nowhere OwnUnit Site Nowhere Nowhere;
    ReadHandOvers "hand_over.read" "What one shift tells the next.": Site Site Site Nowhere Nowhere;
    OfferHandOver "hand_over.offer" "Offers the own posts to the next shift.": OwnUnit OwnUnit Nowhere Nowhere Nowhere;
    // Whoever comes holds no post there yet; that it is offered to them is checked later.
    TakeHandOver "hand_over.take" "Takes posts over from the shift before.": Site Site Nowhere Nowhere Nowhere;
    ReadPatientAudit "patient.audit" "Who looked at a patient.": Nowhere OwnUnit Site Organization Nowhere;
    InvitePatient "patient.invite" "Gives a patient a login of their own.": OwnUnit OwnUnit Site Nowhere Nowhere;
    ReadOwn "own.read" "What a patient sees of themselves.": Nowhere Nowhere Nowhere Nowhere Own;
    ShareOwn "own.share" "Lets somebody see the own page, or takes it back.": Nowhere Nowhere Nowhere Nowhere Own;
    ReportFeeling "own.report" "How a patient says they feel.": Nowhere Nowhere Nowhere Nowhere Own;
    ReadSystem "system.read" "The state of the server.":      Organization Organization Organization Organization Nowhere;
    HoldData "system.hold" "What the journal has to keep whole, and why.": Nowhere Nowhere Nowhere Organization Nowhere;
    // Whoever runs the ward knows which recording is whose, hospital IT which device's.
    ImportData "device.import" "Brings in what a device measured before, from files.": Nowhere OwnUnit Nowhere Organization Nowhere;
    BackUp "system.backup" "Takes a backup, or rehearses its restore.": Nowhere Nowhere Nowhere Organization Nowhere;
}

// RC-045
/// Whether `actor` may do `action` to `resource`.
pub fn permit(actor: &Who, action: Action, resource: &Resource) -> Decision {
    if actor.org != resource.org {
        let explanation = "this belongs to another organization".to_owned();
        return Decision::Denied { rule: "organization", explanation };
    }
    let at_home = resource.care_unit.is_some_and(|unit| actor.care_units.contains(&unit));
    match action.reach(actor.role) {
        Reach::Organization => Decision::Allowed { rule: "role" },
        // A look of theirs that leaves no trace is none that the patient agreed to.
        Reach::Own
            if actor.role == Role::Family && actor.patient.is_some() && !actor.is_recorded =>
        {
            let explanation = "nothing can be recorded now, and what is shared with you is not \
                               shown without a record"
                .to_owned();
            Decision::Denied { rule: SHARED_UNRECORDED, explanation }
        }
        Reach::Own if actor.patient.is_some() && actor.patient == resource.patient => {
            let is_shared = actor.role == Role::Family;
            Decision::Allowed { rule: if is_shared { SHARED } else { "own data" } }
        }
        Reach::Own if actor.role == Role::Family => {
            let explanation = "nothing is shared with you any more".to_owned();
            Decision::Denied { rule: SHARED, explanation }
        }
        Reach::Own => {
            let explanation = format!("`{}` is for what is about yourself", action.word());
            Decision::Denied { rule: "own data", explanation }
        }
        Reach::Site | Reach::OwnUnit | Reach::Emergency if at_home => {
            Decision::Allowed { rule: "own unit" }
        }
        Reach::Emergency => in_emergency(actor, action, resource),
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

/// Whether somebody who holds no post there may read it: before a hand-over, just after the
/// patient left, in an emergency, because no emergency can be recorded, or because it is a
/// patient whom no care unit has taken in yet.
fn in_emergency(actor: &Who, action: Action, resource: &Resource) -> Decision {
    match (resource.care_unit, resource.patient) {
        (None, Some(_)) if !resource.has_left => return Decision::Allowed { rule: "site staff" },
        // A device that another care unit has on them takes nothing from those who were left.
        (_, Some(patient)) if resource.has_left && actor.left_lately.contains(&patient) => {
            return Decision::Allowed { rule: "left lately" };
        }
        (Some(unit), _) if actor.coming_to.contains(&unit) => {
            return Decision::Allowed { rule: "hand-over" };
        }
        // Nobody in particular, anywhere in the house, is everybody in it.
        _ => {}
    }
    if resource.patient.is_some_and(|patient| actor.opened.contains(&patient)) {
        return Decision::Allowed { rule: EMERGENCY };
    }
    // A page that no reason can open would stay shut in every emergency.
    if resource.patient.is_some() && !actor.is_recorded {
        return Decision::Allowed { rule: EMERGENCY_UNRECORDED };
    }
    let explanation = format!(
        "`{}` is for those who hold a post in the care unit; in an emergency the page opens for a reason",
        action.word()
    );
    Decision::Denied { rule: EMERGENCY, explanation }
}

/// The rule by which a page is closed to those who could open it in an emergency, and by
/// which it is open to those who have.
pub const EMERGENCY: &str = "emergency";

/// The rule by which a patient's own page is open to whom they share it with, and closed when
/// it is over.
pub const SHARED: &str = "shared";

/// The rule by which such a page is closed to them while their look cannot be recorded.
pub const SHARED_UNRECORDED: &str = "shared, not recording";

/// The rule by which a closed page is open while nothing can be recorded.
pub const EMERGENCY_UNRECORDED: &str = "emergency, not recording";

const fn plural(role: Role) -> &'static str {
    match role {
        Role::Nurse => "nurses",
        Role::ChargeNurse => "charge nurses",
        Role::Physician => "physicians",
        Role::It => "hospital IT",
        Role::Patient => "patients",
        Role::Family => "those with whom a patient shares",
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
    own: String,
    up: String,
    gateway: String,
    gateway_up: String,
    down: String,
    grants: Vec<TopicGrant>,
}

/// Topics beside its own that a gateway may use, by its profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicGrant {
    /// A filter; it covers the topics that it hears, and narrower filters.
    pub filter: String,
    /// Whether it may publish there.
    pub publish: bool,
    /// Whether it may subscribe there.
    pub subscribe: bool,
}

impl DeviceTopics {
    /// The topics of a device at its site.
    pub fn new(identity: &DeviceIdentity, site: SiteId) -> Self {
        let device: DeviceId = identity.device;
        Self {
            own: format!("wl/1/{site}/{device}/"),
            up: format!("wl/1/{site}/{device}/up/"),
            gateway: format!("wl/1/{site}/$gw/{device}/"),
            gateway_up: format!("wl/1/{site}/$gw/{device}/up/"),
            down: format!("wl/1/{site}/{device}/down/"),
            grants: Vec::new(),
        }
    }

    /// The same with topics beside its own; none of ours can be granted.
    pub fn granted(mut self, grants: Vec<TopicGrant>) -> Self {
        self.grants = grants;
        self.grants.retain(|grant| is_foreign(&grant.filter));
        self
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
/// hears all that is its own: a filter's wildcards stand after its name. A gateway does
/// both where its profile grants it. A shared subscription is judged by its filter.
pub fn permit_device(topics: &DeviceTopics, act: DeviceAct, topic: &str) -> Decision {
    let below = |prefix: &str| topic.strip_prefix(prefix).is_some_and(|leaf| !leaf.is_empty());
    let shared = topic.strip_prefix("$share/").and_then(|rest| rest.split_once('/'));
    let filter = shared.map_or(topic, |(_, filter)| filter);
    let granted = |topic: &str, wanted: fn(&TopicGrant) -> bool| {
        let mut grants = topics.grants.iter();
        is_foreign(topic) && grants.any(|grant| wanted(grant) && covers(&grant.filter, topic))
    };
    match act {
        DeviceAct::Publish if below(&topics.up) || below(&topics.gateway_up) => {
            Decision::Allowed { rule: "own up" }
        }
        DeviceAct::Publish if granted(topic, |grant| grant.publish) => {
            Decision::Allowed { rule: "profile's grant" }
        }
        DeviceAct::Publish => {
            let explanation = format!("the device may publish below `{}` only", topics.up);
            Decision::Denied { rule: "own up", explanation }
        }
        DeviceAct::Subscribe
            if [&topics.own, &topics.gateway]
                .into_iter()
                .any(|own| filter.len() > own.len() && filter.starts_with(own)) =>
        {
            Decision::Allowed { rule: "own topics" }
        }
        DeviceAct::Subscribe if granted(filter, |grant| grant.subscribe) => {
            Decision::Allowed { rule: "profile's grant" }
        }
        DeviceAct::Subscribe => {
            let explanation = format!("the device may subscribe below `{}` only", topics.own);
            Decision::Denied { rule: "own topics", explanation }
        }
    }
}

/// Whether a topic or filter cannot be one of ours, nor one of the server's.
fn is_foreign(topic: &str) -> bool {
    let first = topic.split('/').next().unwrap_or_default();
    first != "wl" && !first.starts_with(['$', '+', '#'])
}

/// Whether all that a topic or filter names is named by the granted filter too.
pub fn covers(granted: &str, asked: &str) -> bool {
    let (mut granted, mut asked) = (granted.split('/'), asked.split('/'));
    loop {
        match (granted.next(), asked.next()) {
            (Some("#"), _) | (None, None) => return true,
            (Some(_), Some("#")) => return false,
            (Some("+"), Some(_)) => {}
            (Some(granted), Some(asked)) if granted == asked => {}
            (Some(_), Some(_) | None) | (None, Some(_)) => return false,
        }
    }
}

#[cfg(test)]
mod tests;
