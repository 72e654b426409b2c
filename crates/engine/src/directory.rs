//! Who, what and where: every noun with its histories, as the accepted commands left them.
//!
//! The loop owns the one that changes; everybody else reads an immutable
//! snapshot. Nothing here decides: a wish was accepted before it is applied.

use std::collections::{BTreeMap, BTreeSet};

use ::record::{Actor, Session};
use care::limit::{Layer, Layers, in_force};
use model::{
    AgeBand, Assignment, Association, Bed, BedId, Binding, CareUnit, CareUnitId, Certificate,
    CertificateId, CommandId, CorrectionId, Device, DeviceId, EmergencyId, Encounter, HandOver,
    HandOverId, HoldId, LimitSet, Org, OrgId, PartitionId, Patient, PatientId, Post, Role, Room,
    RoomId, SessionId, Site, SiteId, Staff, StaffId, Subject, Timestamp, User, UserId, Vital,
    as_of,
};

mod apply;
mod check;
mod correction;
mod disk;
mod emergency;
mod fleet;
mod hand_over;
mod hold;
mod share;
mod stay;

pub(crate) use check::Check;
pub use correction::Corrected;
pub use disk::DiskAlarm;
pub use emergency::{Dose, EmergencyState};
pub use fleet::{Answered, Claim, CommandState, ConfigState};
pub use hold::HoldState;
pub use share::ShareState;

/// A one-time link for a user without a password; only the token's hash is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it all")]
pub struct Invitation {
    pub user: UserId,
    pub expires_at: Timestamp,
}

/// Limits with who set them and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it all")]
pub struct Setting {
    pub limits: LimitSet,
    pub by: Actor,
    pub at: Timestamp,
}

/// For whom a care unit's limits hold: all ages, or those of a band.
pub type UnitLimitKey = ((CareUnitId, Option<AgeBand>), Vital);

/// A hand-over and how far it has come.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it all")]
pub struct HandOverState {
    pub hand_over: HandOver,
    pub offered_at: Timestamp,
    /// Whether it was accepted, and when it was over.
    pub ended: Option<(bool, Timestamp)>,
}

/// Everything that commands have put down, with the answers that others ask of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Directory {
    /// Organizations.
    pub orgs: BTreeMap<OrgId, Org>,
    /// Sites; their ids are unique in the installation.
    pub sites: BTreeMap<SiteId, Site>,
    /// Care units.
    pub care_units: BTreeMap<CareUnitId, CareUnit>,
    /// Rooms.
    pub rooms: BTreeMap<RoomId, Room>,
    /// Beds.
    pub beds: BTreeMap<BedId, Bed>,
    /// Patients.
    pub patients: BTreeMap<PatientId, Patient>,
    /// Members of staff.
    pub staff: BTreeMap<StaffId, Staff>,
    /// Logins.
    pub users: BTreeMap<UserId, User>,
    /// Devices.
    pub devices: BTreeMap<DeviceId, Device>,
    /// Certificates of devices, revoked ones included.
    pub certificates: BTreeMap<CertificateId, Certificate>,
    /// Sessions that are open; an expired one stays until its user signs in again.
    pub sessions: BTreeMap<SessionId, Session>,
    /// Unused invitations by the hash of their token.
    pub invitations: BTreeMap<[u8; 32], Invitation>,
    /// Whom each device measures, ever since.
    pub associations: BTreeMap<DeviceId, Vec<Association>>,
    /// Who lies in each bed, ever since.
    pub encounters: BTreeMap<BedId, Vec<Encounter>>,
    /// Who holds each post, ever since.
    pub assignments: BTreeMap<Post, Vec<Assignment>>,
    /// Limits that a person set; where there are none the defaults hold.
    pub limits: BTreeMap<(PatientId, Vital), Setting>,
    /// Limits of care units; a patient's own go before them.
    pub unit_limits: BTreeMap<UnitLimitKey, Setting>,
    /// The band of a patient's age when they were registered or last lay down in a bed, so
    /// that no birthday changes a limit unseen.
    pub age_bands: BTreeMap<PatientId, AgeBand>,
    /// Hand-overs that are open, and those that were over within a day.
    pub hand_overs: BTreeMap<HandOverId, HandOverState>,
    /// Commands to devices; of each device the latest are kept.
    pub commands: BTreeMap<CommandId, CommandState>,
    /// The configuration that each device shall have.
    pub configs: BTreeMap<DeviceId, ConfigState>,
    /// Which gateway speaks for each device, ever since.
    pub bindings: BTreeMap<DeviceId, Vec<Binding>>,
    /// Codes by which somebody who has a device in hand puts it in service; the last of each.
    pub claims: BTreeMap<[u8; 32], Claim>,
    /// Pages that were opened in an emergency, over or not; the latest are kept.
    pub emergencies: BTreeMap<EmergencyId, EmergencyState>,
    /// What each patient takes next, where somebody wrote it down.
    pub doses: BTreeMap<PatientId, Dose>,
    /// With whom patients share, by the login of whoever reads; over or not.
    pub shares: BTreeMap<UserId, ShareState>,
    /// What must stay as it was received, over or not.
    pub holds: BTreeMap<HoldId, HoldState>,
    /// The alarm about the disk of the data.
    pub disk: DiskAlarm,
    /// What people said of stored readings, as far as it can be taken back.
    pub corrections: BTreeMap<CorrectionId, Corrected>,
    pub(crate) now_holds: Current,
}

/// What holds at present, by the histories; rebuilt from them line by line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Current {
    bed_of: BTreeMap<PatientId, BedId>,
    patient_in: BTreeMap<BedId, PatientId>,
    subject_of: BTreeMap<DeviceId, Subject>,
    devices_on: BTreeMap<PatientId, BTreeSet<DeviceId>>,
    holder_of: BTreeMap<Post, StaffId>,
    session_by_token: BTreeMap<[u8; 32], SessionId>,
    rooms_of: BTreeMap<CareUnitId, BTreeSet<RoomId>>,
    beds_of: BTreeMap<RoomId, BTreeSet<BedId>>,
    /// Every bed that each patient was ever said to lie in, corrected or not.
    lain_in: BTreeMap<PatientId, BTreeSet<BedId>>,
    gateway_of: BTreeMap<DeviceId, DeviceId>,
}

impl Directory {
    /// The organization of a site.
    pub fn org_of_site(&self, site: SiteId) -> Option<OrgId> {
        self.sites.get(&site).map(|site| site.org)
    }

    /// The organization of a care unit.
    pub fn org_of_care_unit(&self, care_unit: CareUnitId) -> Option<OrgId> {
        self.org_of_site(self.care_units.get(&care_unit)?.site)
    }

    /// The site of a care unit.
    pub fn site_of(&self, care_unit: CareUnitId) -> Option<SiteId> {
        self.care_units.get(&care_unit).map(|care_unit| care_unit.site)
    }

    /// The care unit that a bed belongs to.
    pub fn care_unit_of_bed(&self, bed: BedId) -> Option<CareUnitId> {
        let room = self.beds.get(&bed)?.room;
        self.rooms.get(&room).map(|room| room.care_unit)
    }

    /// The bed that a patient lies in now.
    pub fn bed_of(&self, patient: PatientId) -> Option<BedId> {
        self.now_holds.bed_of.get(&patient).copied()
    }

    /// The patient who lies in a bed now.
    pub fn patient_in(&self, bed: BedId) -> Option<PatientId> {
        self.now_holds.patient_in.get(&bed).copied()
    }

    /// The care unit that a patient lies in now.
    pub fn care_unit_of(&self, patient: PatientId) -> Option<CareUnitId> {
        self.care_unit_of_bed(self.bed_of(patient)?)
    }

    /// Whom or what a device measures now.
    pub fn subject_of(&self, device: DeviceId) -> Subject {
        self.now_holds.subject_of.get(&device).copied().unwrap_or(Subject::Nobody)
    }

    /// Whom a device measured at `taken_at`, by what was known at `as_known_at`.
    pub fn who(&self, device: DeviceId, taken_at: Timestamp, as_known_at: Timestamp) -> Subject {
        let history = self.associations.get(&device).map_or(&[][..], Vec::as_slice);
        model::who(history, device, taken_at, as_known_at)
    }

    /// The devices that measure a patient now, in the order of their ids.
    pub fn devices_on(&self, patient: PatientId) -> impl Iterator<Item = DeviceId> + '_ {
        self.now_holds.devices_on.get(&patient).into_iter().flatten().copied()
    }

    /// Who holds a post now.
    pub fn holder_of(&self, post: Post) -> Option<StaffId> {
        self.now_holds.holder_of.get(&post).copied()
    }

    /// The nurse of a bed now.
    pub fn nurse_of(&self, bed: BedId) -> Option<StaffId> {
        self.holder_of(Post::Bed(bed))
    }

    /// The nurse in charge of a care unit now.
    pub fn charge_of(&self, care_unit: CareUnitId) -> Option<StaffId> {
        self.holder_of(Post::Charge(care_unit))
    }

    /// The rooms of a care unit, in the order of their names.
    pub fn rooms_of(&self, care_unit: CareUnitId) -> Vec<&Room> {
        let ids = self.now_holds.rooms_of.get(&care_unit);
        let mut rooms: Vec<&Room> =
            ids.into_iter().flatten().filter_map(|id| self.rooms.get(id)).collect();
        rooms.sort_by(|a, b| (&a.name, a.id).cmp(&(&b.name, b.id)));
        rooms
    }

    /// The beds of a care unit, in the order of their names.
    pub fn beds_of(&self, care_unit: CareUnitId) -> Vec<&Bed> {
        let rooms = self.now_holds.rooms_of.get(&care_unit).into_iter().flatten();
        let ids = rooms.filter_map(|room| self.now_holds.beds_of.get(room)).flatten();
        let mut beds: Vec<&Bed> = ids.filter_map(|id| self.beds.get(id)).collect();
        beds.sort_by(|a, b| (&a.name, a.id).cmp(&(&b.name, b.id)));
        beds
    }

    /// The patients who lie in a care unit now.
    pub fn patients_in(&self, care_unit: CareUnitId) -> Vec<PatientId> {
        self.beds_of(care_unit).iter().filter_map(|bed| self.patient_in(bed.id)).collect()
    }

    /// Everybody who holds a post in a care unit now: nurses of its beds and the one in charge.
    pub fn staff_on(&self, care_unit: CareUnitId) -> Vec<StaffId> {
        let nurses = self.beds_of(care_unit).into_iter().filter_map(|bed| self.nurse_of(bed.id));
        let staff: BTreeSet<StaffId> = nurses.chain(self.charge_of(care_unit)).collect();
        staff.into_iter().collect()
    }

    /// The user who signs in as this member of staff.
    pub fn user_of(&self, staff: StaffId) -> Option<&User> {
        self.users.values().find(|user| user.staff == Some(staff))
    }

    /// The user with this login in an organization.
    pub fn user_by_login(&self, org: OrgId, login: &str) -> Option<&User> {
        self.users.values().find(|user| user.org == org && user.login == login)
    }

    /// Every user with this login, whatever the organization.
    pub fn users_by_login<'a>(&'a self, login: &'a str) -> impl Iterator<Item = &'a User> + 'a {
        self.users.values().filter(move |user| user.login == login)
    }

    /// The session behind a cookie, if it has not expired and its user may still sign in.
    pub fn session(&self, token_hash: &[u8; 32], now: Timestamp) -> Option<(&Session, &User)> {
        let session = self.sessions.get(self.now_holds.session_by_token.get(token_hash)?)?;
        let user = self.users.get(&session.user).filter(|user| !user.disabled)?;
        (now < session.expires_at).then_some((session, user))
    }

    /// The user whom an unused, unexpired link invites.
    pub fn invitation(&self, token_hash: &[u8; 32], now: Timestamp) -> Option<&User> {
        let invitation = self.invitations.get(token_hash)?;
        let user = self.users.get(&invitation.user).filter(|user| !user.disabled)?;
        (now < invitation.expires_at).then_some(user)
    }

    /// The limits that hold for a vital of a patient, where they were set, and who set them.
    pub fn limits_in_force(
        &self,
        patient: PatientId,
        vital: Vital,
    ) -> Option<(LimitSet, Layer, Option<Setting>)> {
        let unit = self.care_unit_of(patient);
        let of_unit = |band| self.unit_limits.get(&((unit?, band), vital));
        let own = self.limits.get(&(patient, vital));
        let of_band = self.age_bands.get(&patient).and_then(|band| of_unit(Some(*band)));
        let of_all = of_unit(None);
        let limits = |setting: Option<&Setting>| setting.map(|it| it.limits);
        let layers =
            Layers { patient: limits(own), age_band: limits(of_band), care_unit: limits(of_all) };
        let (set, layer) = in_force(&layers, vital)?;
        let setting = match layer {
            Layer::Patient => own,
            Layer::AgeBand => of_band,
            Layer::CareUnit => of_all,
            Layer::BuiltIn => None,
        };
        Some((set, layer, setting.copied()))
    }

    /// The posts that a member of staff holds now.
    pub fn posts_of(&self, staff: StaffId) -> impl Iterator<Item = Post> + '_ {
        let held = self.now_holds.holder_of.iter();
        held.filter(move |(_, holder)| **holder == staff).map(|(post, _)| *post)
    }

    /// The care unit that a post belongs to.
    pub fn care_unit_of_post(&self, post: Post) -> Option<CareUnitId> {
        match post {
            Post::Bed(bed) => self.care_unit_of_bed(bed),
            Post::Charge(unit) => Some(unit),
        }
    }

    /// The login of a patient, if they have one.
    pub fn user_of_patient(&self, patient: PatientId) -> Option<&User> {
        let own = |user: &&User| user.role == Role::Patient && user.patient == Some(patient);
        self.users.values().find(own)
    }

    /// The certificates of a device, in the order of their ids.
    pub fn certificates_of(&self, device: DeviceId) -> impl Iterator<Item = &Certificate> + '_ {
        self.certificates.values().filter(move |certificate| certificate.device == device)
    }

    /// The serial numbers of the certificates that a person revoked.
    pub fn revoked_serials(&self) -> impl Iterator<Item = &[u8]> + '_ {
        let revoked = self.certificates.values().filter(|it| it.revoked_at.is_some());
        revoked.map(|it| it.serial.as_slice())
    }

    /// Where a device's messages stand in the journal: its care unit, else its site's `unassigned`.
    pub fn partition_of(&self, device: DeviceId) -> Option<PartitionId> {
        let device = self.devices.get(&device)?;
        Some(device.care_unit.map_or_else(|| device.site.into(), PartitionId::from))
    }

    /// The care unit that answers for a device: its patient's, else its place's, else its own.
    pub fn care_unit_of_device(&self, device: DeviceId) -> Option<CareUnitId> {
        let by_subject = match self.subject_of(device) {
            Subject::Patient(patient) => self.care_unit_of(patient),
            Subject::Place(_) | Subject::Nobody => None,
        };
        by_subject.or_else(|| self.devices.get(&device)?.care_unit)
    }

    /// Who lay in a bed at `valid_at`, by what was known at `as_known_at`.
    pub fn encounter_at(
        &self,
        bed: BedId,
        valid_at: Timestamp,
        as_known_at: Timestamp,
    ) -> Option<PatientId> {
        as_of(self.encounters.get(&bed)?, bed, valid_at, as_known_at).flatten()
    }
}
