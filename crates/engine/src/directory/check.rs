//! Whether a wish can be granted, from the directory alone: references, uniqueness, legal moves.
//!
//! The answer depends on what was accepted before and on the instant of receipt,
//! on nothing else, so a wish is judged alike whenever it is judged.

use std::{collections::BTreeSet, time::Duration};

use fleet::lifecycle::{self, NoMove, Wanted};

use ::record::{Actor, Session, Wish};
use model::{
    Assignment, Association, Bed, BedId, CareUnitId, Certificate, CertificateId, Charting, Device,
    DeviceId, Encounter, Lifecycle, LimitSet, OrgId, Patient, PatientId, Post, Role, SessionId,
    Staff, StaffId, Subject, Timestamp, User, UserId,
};

use super::Directory;
use crate::{
    limits::{CHARTING_AGE_MAX, FUTURE_MAX, QUIET_MAX, TEXT_LEN_MAX, WORDS_LEN_MAX},
    record::{Reason, Refusal},
};

pub(super) type Checked = Result<(), Refusal>;

pub(super) fn refuse(reason: Reason, words: impl Into<String>) -> Checked {
    Err(Refusal { reason, words: words.into() })
}

pub(super) fn need(holds: bool, reason: Reason, words: &str) -> Checked {
    if holds { Ok(()) } else { refuse(reason, words) }
}

pub(super) fn text(what: &str, text: &str) -> Checked {
    let words = || format!("the {what} is empty or longer than {TEXT_LEN_MAX} bytes");
    let holds = !text.trim().is_empty() && text.len() <= TEXT_LEN_MAX;
    if holds { printable(what, text) } else { refuse(Reason::Unusable, words()) }
}

/// Refuses what a screen cannot show or shows in another order: control characters and
/// marks that turn the direction of writing.
pub(super) fn printable(what: &str, text: &str) -> Checked {
    let turns = |c: char| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let words = || format!("the {what} holds a character that no screen can show");
    let holds = !text.chars().any(|c| c.is_control() || turns(c));
    if holds { Ok(()) } else { refuse(Reason::Unusable, words()) }
}

pub(super) fn words(what: &str, words: &str) -> Checked {
    let too_long = || format!("the {what} is longer than {WORDS_LEN_MAX} bytes");
    if words.len() <= WORDS_LEN_MAX { Ok(()) } else { refuse(Reason::Unusable, too_long()) }
}

fn sane(limits: &LimitSet) -> Checked {
    let sane = care::limit::check(limits);
    sane.or_else(|error| refuse(Reason::LimitsNotSane, error.to_string()))
}

pub(super) fn not_ahead(from: Timestamp, at: Timestamp) -> Checked {
    need(from <= at.after(FUTURE_MAX), Reason::WrongTime, "the time named lies in the future")
}

/// Judges one wish of one organization.
pub(crate) struct Check<'a> {
    pub(crate) directory: &'a Directory,
    pub(crate) org: OrgId,
    pub(crate) at: Timestamp,
    pub(crate) knows_profile: &'a dyn Fn(&str) -> bool,
}

impl Check<'_> {
    /// Whether the wish can be granted; wishes about alarms are only checked for their asker.
    #[expect(clippy::too_many_lines, reason = "an arm for each wish, and nothing else")]
    pub(crate) fn wish(&self, actor: Actor, wish: &Wish) -> Checked {
        match wish {
            Wish::PutOrg(_)
            | Wish::PutSite(_)
            | Wish::PutCareUnit(_)
            | Wish::PutRoom(_)
            | Wish::PutBed(_) => self.place(wish),
            Wish::PutPatient(patient) => self.put_patient(patient),
            Wish::PutStaff(staff) => self.put_staff(staff),
            Wish::PutUser(user) => self.put_user(user),
            Wish::PutDevice(device) => self.put_device(device),
            Wish::SetLifecycle { device, lifecycle, why } => {
                self.lifecycle(*device, *lifecycle, why.as_deref())
            }
            Wish::PutCertificate(certificate) => self.put_certificate(certificate),
            Wish::RevokeCertificate(id) => self.revoke(*id),
            Wish::Associate(line) => self.associate(line),
            Wish::Occupy(line) => self.occupy(line),
            Wish::Assign(line) => self.assign(line),
            Wish::SetLimits { patient, limits } => {
                self.patient(*patient).and_then(|_| sane(limits))
            }
            Wish::ClearLimits { patient, .. } => self.patient(*patient).map(drop),
            Wish::SetUnitLimits { care_unit, limits, .. } => {
                self.care_unit(*care_unit).and_then(|()| sane(limits))
            }
            Wish::ClearUnitLimits { care_unit, .. } => self.care_unit(*care_unit),
            Wish::OfferHandOver(hand_over) => self.offer_hand_over(actor, hand_over),
            Wish::AcceptHandOver(id) => self.accept_hand_over(actor, *id),
            Wish::EndHandOver(id) => self.end_hand_over(actor, *id),
            Wish::NotePulse(_) | Wish::NoteDisk(_) => {
                let words = "only the program notes how it did";
                need(actor == Actor::System, Reason::NotAllowed, words)
            }
            Wish::SetSpO2Scale { patient, .. } => self.patient(*patient).map(drop),
            Wish::Chart(charting) => self.chart(actor, charting),
            Wish::Acknowledge { quiet_for, .. } => {
                self.staff_behind(actor)?;
                let holds = (Duration::from_secs(1)..=QUIET_MAX).contains(quiet_for);
                need(holds, Reason::Unusable, "an acknowledgement lasts from 1 s to 1 h")
            }
            Wish::EndAlarm { words: said, .. } => {
                self.staff_behind(actor)?;
                words("explanation", &said.0)
            }
            Wish::Invite { user, expires_at, .. } => {
                self.user(*user)?;
                need(*expires_at > self.at, Reason::WrongTime, "the link would be expired already")
            }
            Wish::SetPassword { user, password_hash } => {
                self.user(*user)?;
                need(!password_hash.0.is_empty(), Reason::Unusable, "the password hash is empty")
            }
            Wish::OpenSession(session) => self.open_session(session),
            Wish::SendCommand(command) => self.send_command(command),
            Wish::SecondCommand(id) => self.second_command(*id, actor),
            Wish::WithdrawCommand(id) => self.withdraw_command(*id),
            Wish::Configure(config) => self.configure(config),
            Wish::Bind(line) => self.bind(line),
            Wish::OfferClaim { device, expires_at, .. } => self.offer_claim(*device, *expires_at),
            Wish::Claim { code_hash, care_unit, subject } => {
                self.claim(code_hash, *care_unit, *subject)
            }
            Wish::CloseSession(id) => self.close_session(*id),
            Wish::OpenInEmergency(access) => self.open_in_emergency(actor, access),
            Wish::ReviewEmergency(id) => self.review_emergency(actor, *id),
            Wish::PlanDose(dose) => self.plan_dose(dose),
            Wish::ClearDose(patient) => self.clear_dose(*patient),
            Wish::Share(share) => self.share(actor, share),
            Wish::EndShare(user) => self.end_share(actor, *user),
            Wish::PutHold(hold) => self.put_hold(hold),
            Wish::EndHold { hold, why } => self.end_hold(*hold, &why.0),
            Wish::Correct(correction) => self.correct(actor, correction),
        }
    }

    // RC-046
    /// A part of the building; any other wish is none.
    fn place(&self, wish: &Wish) -> Checked {
        match wish {
            Wish::PutOrg(org) => {
                need(org.id == self.org, Reason::OtherOrg, "this is another organization")?;
                text("name", &org.name)
            }
            Wish::PutSite(site) => self.site(site),
            Wish::PutCareUnit(care_unit) => {
                self.own(self.directory.org_of_site(care_unit.site), "site")?;
                self.unmoved(self.directory.org_of_care_unit(care_unit.id))?;
                text("name", &care_unit.name)
            }
            Wish::PutRoom(room) => {
                self.care_unit(room.care_unit)?;
                text("name", &room.name)
            }
            Wish::PutBed(bed) => self.bed(bed),
            _ => Ok(()),
        }
    }

    fn revoke(&self, id: CertificateId) -> Checked {
        let certificate = self.directory.certificates.get(&id);
        match certificate.map(|certificate| certificate.device) {
            Some(device) => self.device(device).map(drop),
            None => refuse(Reason::NotFound, "there is no such certificate"),
        }
    }

    fn close_session(&self, id: SessionId) -> Checked {
        match self.directory.sessions.get(&id) {
            Some(session) => self.user(session.user).map(drop),
            None => refuse(Reason::NotFound, "there is no such session"),
        }
    }

    /// The member of staff who asks; alarms are answered by people with a name.
    pub(crate) fn staff_behind(&self, actor: Actor) -> Result<(UserId, StaffId), Refusal> {
        let user = match actor {
            Actor::User(user) => self.directory.users.get(&user),
            Actor::Device(_) | Actor::System => None,
        };
        let staff = user.and_then(|user| Some((user.id, user.staff?)));
        let words = "only a member of staff can answer an alarm".to_owned();
        staff.ok_or(Refusal { reason: Reason::NotAllowed, words })
    }

    fn own(&self, org: Option<OrgId>, what: &str) -> Checked {
        match org {
            Some(org) if org == self.org => Ok(()),
            // Another organization's nouns are as unknown as those that do not exist.
            Some(_) | None => refuse(Reason::NotFound, format!("there is no such {what}")),
        }
    }

    fn unmoved(&self, org: Option<OrgId>) -> Checked {
        let holds = org.is_none_or(|org| org == self.org);
        need(holds, Reason::OtherOrg, "the id belongs to another organization")
    }

    pub(super) fn care_unit(&self, care_unit: CareUnitId) -> Checked {
        self.own(self.directory.org_of_care_unit(care_unit), "care unit")
    }

    pub(super) fn patient(&self, id: PatientId) -> Result<&Patient, Refusal> {
        let patient = self.directory.patients.get(&id).filter(|it| it.org == self.org);
        let words = "there is no such patient".to_owned();
        patient.ok_or(Refusal { reason: Reason::NotFound, words })
    }

    pub(super) fn device(&self, id: DeviceId) -> Result<&Device, Refusal> {
        let device = self.directory.devices.get(&id).filter(|it| it.org == self.org);
        let words = "there is no such device".to_owned();
        device.ok_or(Refusal { reason: Reason::NotFound, words })
    }

    pub(super) fn staff(&self, id: StaffId) -> Checked {
        self.own(self.directory.staff.get(&id).map(|it| it.org), "member of staff")
    }

    fn user(&self, id: UserId) -> Result<&User, Refusal> {
        let user = self.directory.users.get(&id).filter(|it| it.org == self.org);
        let words = "there is no such user".to_owned();
        user.ok_or(Refusal { reason: Reason::NotFound, words })
    }

    fn site(&self, site: &model::Site) -> Checked {
        need(site.org == self.org, Reason::OtherOrg, "the site names another organization")?;
        self.own(self.directory.orgs.get(&site.org).map(|org| org.id), "organization")?;
        self.unmoved(self.directory.org_of_site(site.id))?;
        text("name", &site.name)
    }

    fn bed(&self, bed: &Bed) -> Checked {
        let room = self.directory.rooms.get(&bed.room);
        match room {
            Some(room) => self.care_unit(room.care_unit)?,
            None => return refuse(Reason::NotFound, "there is no such room"),
        }
        text("name", &bed.name)?;
        let twin = |other: &Bed| {
            (other.id != bed.id) && (other.room, &other.name) == (bed.room, &bed.name)
        };
        let holds = !self.directory.beds.values().any(twin);
        need(holds, Reason::NotUnique, "the room has a bed of this name already")
    }

    fn put_patient(&self, patient: &Patient) -> Checked {
        need(patient.org == self.org, Reason::OtherOrg, "the patient names another organization")?;
        self.own(self.directory.orgs.get(&patient.org).map(|org| org.id), "organization")?;
        self.unmoved(self.directory.patients.get(&patient.id).map(|old| old.org))?;
        text("record number", &patient.record_number.0)?;
        text("family name", &patient.family_name.0)?;
        if !patient.given_name.0.is_empty() {
            text("given name", &patient.given_name.0)?;
        }
        words("reason for being here", &patient.here_for.0)?;
        let twin = |other: &Patient| {
            other.id != patient.id
                && other.org == patient.org
                && other.record_number == patient.record_number
        };
        let holds = !self.directory.patients.values().any(twin);
        need(holds, Reason::NotUnique, "another patient has this record number")
    }

    fn put_staff(&self, staff: &Staff) -> Checked {
        need(
            staff.org == self.org,
            Reason::OtherOrg,
            "the member of staff names another organization",
        )?;
        self.own(self.directory.org_of_site(staff.site), "site")?;
        self.unmoved(self.directory.staff.get(&staff.id).map(|old| old.org))?;
        text("name", &staff.name.0)
    }

    fn put_user(&self, user: &User) -> Checked {
        need(user.org == self.org, Reason::OtherOrg, "the user names another organization")?;
        self.own(self.directory.orgs.get(&user.org).map(|org| org.id), "organization")?;
        self.unmoved(self.directory.users.get(&user.id).map(|old| old.org))?;
        text("login", &user.login)?;
        let lower = !user.login.chars().any(|c| c.is_uppercase() || c.is_whitespace());
        need(lower, Reason::Unusable, "a login is lower-case and has no spaces")?;
        if let Some(staff) = user.staff {
            self.staff(staff)?;
        }
        if let Some(patient) = user.patient {
            self.patient(patient)?;
        }
        let was = self.directory.users.get(&user.id);
        let was_family = was.is_some_and(|was| was.role == Role::Family);
        let words = "with whom a patient shares stays that, and nobody else becomes it";
        need(was_family == (user.role == Role::Family), Reason::Unusable, words)?;
        let fits = match user.role {
            Role::Patient => user.patient.is_some() && user.staff.is_none(),
            // Only a share makes one, and it stays with who shared.
            Role::Family => was.is_some_and(|was| was.patient == user.patient),
            Role::Nurse | Role::ChargeNurse | Role::Physician | Role::It => user.patient.is_none(),
        };
        let words = "a patient's login is one patient's, and no other login is a patient's";
        need(fits, Reason::Unusable, words)?;
        let twin = |other: &User| {
            other.id != user.id && other.org == user.org && other.login == user.login
        };
        need(!self.directory.users.values().any(twin), Reason::NotUnique, "this login is taken")?;
        let was_it = |it: &User| it.org == self.org && it.role == Role::It && !it.disabled;
        let others = self.directory.users.values().any(|it| it.id != user.id && was_it(it));
        let is_last = self.directory.users.get(&user.id).is_some_and(was_it) && !others;
        let words = "this is the last user who can manage users";
        need(!is_last || was_it(user), Reason::IllegalMove, words)
    }

    fn put_device(&self, device: &Device) -> Checked {
        need(device.org == self.org, Reason::OtherOrg, "the device names another organization")?;
        self.own(self.directory.org_of_site(device.site), "site")?;
        if let Some(care_unit) = device.care_unit {
            self.care_unit(care_unit)?;
            let site = self.directory.site_of(care_unit);
            need(site == Some(device.site), Reason::Unusable, "the care unit is of another site")?;
        }
        text("serial number", &device.serial)?;
        text("label", &device.label)?;
        if !(self.knows_profile)(&device.profile) {
            let words = format!("there is no device profile `{}`", device.profile);
            return refuse(Reason::NotFound, words);
        }
        let twin = |other: &Device| {
            other.id != device.id
                && (other.org, &other.profile, &other.serial)
                    == (device.org, &device.profile, &device.serial)
        };
        let holds = !self.directory.devices.values().any(twin);
        need(holds, Reason::NotUnique, "a device of this profile has this serial number already")?;
        match self.directory.devices.get(&device.id) {
            Some(old) => {
                need(
                    old.org == self.org,
                    Reason::OtherOrg,
                    "the id belongs to another organization",
                )?;
                let is_on_patient =
                    matches!(self.directory.subject_of(device.id), Subject::Patient(_));
                let (from, to) = (old.lifecycle, device.lifecycle);
                // Words of a device are changed here; its life is moved on its own.
                moves(Wanted { from, to, is_on_patient, has_reason: from == to })
            }
            None => Ok(()),
        }
    }

    fn lifecycle(&self, id: DeviceId, to: Lifecycle, why: Option<&str>) -> Checked {
        let device = self.device(id)?;
        if let Some(why) = why {
            text("reason", why)?;
        }
        let wanted = Wanted {
            from: device.lifecycle,
            to,
            is_on_patient: matches!(self.directory.subject_of(id), Subject::Patient(_)),
            has_reason: why.is_some(),
        };
        moves(wanted)
    }

    fn put_certificate(&self, certificate: &Certificate) -> Checked {
        let device = self.device(certificate.device)?;
        let is_in_use = device.lifecycle != Lifecycle::Retired;
        need(is_in_use, Reason::IllegalMove, "a retired device gets no certificate")?;
        need(!certificate.serial.is_empty(), Reason::Unusable, "the serial number is empty")?;
        let span = certificate.not_before < certificate.not_after;
        need(span, Reason::WrongTime, "the certificate ends before it begins")?;
        let twin = |it: &Certificate| it.id != certificate.id && it.serial == certificate.serial;
        let holds = !self.directory.certificates.values().any(twin);
        need(holds, Reason::NotUnique, "another certificate has this serial number")
    }

    fn associate(&self, line: &Association) -> Checked {
        let device = self.device(line.key)?;
        not_ahead(line.from, self.at)?;
        self.takes_from_nobody_unseen(line)?;
        match line.value {
            Subject::Patient(patient) => {
                self.patient(patient)?;
                let words = "only a device in service can be put on a patient";
                need(device.lifecycle == Lifecycle::InService, Reason::NotInService, words)
            }
            Subject::Place(_) => {
                let words = "only a device in service can be put in a place";
                need(device.lifecycle == Lifecycle::InService, Reason::NotInService, words)
            }
            Subject::Nobody => Ok(()),
        }
    }

    /// Whoever asked was permitted for those who wore the device by what was known then:
    /// nobody else loses readings to a line that is dated back.
    fn takes_from_nobody_unseen(&self, line: &Association) -> Checked {
        let seen = self.directory.worn_by_what_was_known(line.key, line.from, line.known_at);
        let worn = self.directory.worn_since(line.key, line.from);
        let is_named = |patient: &PatientId| {
            seen.contains(patient) || line.value == Subject::Patient(*patient)
        };
        let words = "the device was put on somebody else meanwhile; look again before it is moved";
        need(worn.iter().all(is_named), Reason::IllegalMove, words)
    }

    fn occupy(&self, line: &Encounter) -> Checked {
        let care_unit = self.directory.care_unit_of_bed(line.key);
        self.own(care_unit.and_then(|it| self.directory.org_of_care_unit(it)), "bed")?;
        not_ahead(line.from, self.at)?;
        let left = line.value.and_then(|patient| self.directory.bed_of(patient));
        if let Some(patient) = line.value {
            self.patient(patient)?;
            let other = self.directory.patient_in(line.key).filter(|there| *there != patient);
            need(other.is_none(), Reason::Occupied, "another patient lies in this bed")?;
        } else {
            self.empties_nobody_unseen(line)?;
        }
        // A stay that begins before one already recorded would leave two truths.
        let histories = [Some(line.key), left].into_iter().flatten();
        let lines = histories.filter_map(|bed| self.directory.encounters.get(&bed)).flatten();
        let newest = lines.map(|line| line.from).max();
        let holds = newest.is_none_or(|newest| line.from >= newest);
        need(holds, Reason::WrongTime, "a later change of this bed is recorded already")
    }

    /// Whoever empties a bed saw somebody there, by what was known then: nobody who came into it
    /// since loses it.
    fn empties_nobody_unseen(&self, line: &Encounter) -> Checked {
        let seen = self.directory.encounter_at(line.key, self.at, line.known_at);
        let there = self.directory.patient_in(line.key);
        let words = "somebody else lies in this bed by now; look again";
        need(there.is_none() || there == seen, Reason::Occupied, words)
    }

    fn assign(&self, line: &Assignment) -> Checked {
        let care_unit = match line.key {
            Post::Bed(bed) => self.directory.care_unit_of_bed(bed),
            Post::Charge(care_unit) => Some(care_unit),
        };
        self.own(care_unit.and_then(|it| self.directory.org_of_care_unit(it)), "post")?;
        not_ahead(line.from, self.at)?;
        line.value.map_or(Ok(()), |staff| self.staff(staff))
    }

    /// A patient says how they feel, and nothing else; nobody says it for them.
    fn charts_own(&self, actor: Actor, charting: &Charting) -> Checked {
        let user = match actor {
            Actor::User(user) => self.directory.users.get(&user),
            Actor::Device(_) | Actor::System => None,
        };
        let patient = user.and_then(|user| user.patient);
        if user.is_some_and(|user| user.role == Role::Patient) {
            let is_own = patient == Some(charting.patient);
            need(is_own, Reason::NotFound, "there is no such patient")?;
            let is_feeling = charting.consciousness.is_none()
                && charting.oxygen.is_none()
                && charting.breaths_per_min.is_none();
            need(is_feeling, Reason::NotAllowed, "a patient says how they feel")
        } else {
            let words = "only the patient can say how they feel";
            need(charting.feeling.is_none(), Reason::NotAllowed, words)
        }
    }

    fn chart(&self, actor: Actor, charting: &Charting) -> Checked {
        self.patient(charting.patient)?;
        self.charts_own(actor, charting)?;
        not_ahead(charting.observed_at, self.at)?;
        let is_recent = self.at.since(charting.observed_at) <= CHARTING_AGE_MAX;
        need(is_recent, Reason::WrongTime, "an observation is charted within 24 h")?;
        words("note", &charting.note.0)?;
        let holds = charting.consciousness.is_some()
            || charting.oxygen.is_some()
            || charting.breaths_per_min.is_some()
            || charting.feeling.is_some();
        need(holds, Reason::Unusable, "nothing is charted: no consciousness, oxygen or breaths")?;
        let plausible = charting.breaths_per_min.is_none_or(|breaths| breaths <= 150);
        need(plausible, Reason::Unusable, "breaths are not between 0 and 150 /min")
    }

    fn open_session(&self, session: &Session) -> Checked {
        let user = self.user(session.user)?;
        need(!user.disabled, Reason::NotAllowed, "this user may no longer sign in")?;
        let span = session.expires_at > self.at;
        need(span, Reason::WrongTime, "the session would be expired already")?;
        let is_new = !self.directory.sessions.contains_key(&session.id);
        need(is_new, Reason::NotUnique, "the session is open already")
    }
}

impl Directory {
    /// Every patient whom a device was on at any instant since `from`, as all that is known
    /// has it; whoever it is on now is one of them.
    pub fn worn_since(&self, device: DeviceId, from: Timestamp) -> BTreeSet<PatientId> {
        self.worn_by_what_was_known(device, from, Timestamp::from_unix_nanos(i64::MAX))
    }

    /// When the last that is known of whom a device measures was recorded; a wish that is
    /// `known_at` this instant is refused once more is known.
    pub fn associations_known_at(&self, device: DeviceId) -> Timestamp {
        let history = self.associations.get(&device).into_iter().flatten();
        let last = history.map(|line| line.known_at).max();
        last.unwrap_or(Timestamp::from_unix_nanos(0))
    }

    /// When the last that is known of who lies in a bed was recorded; a wish to empty it that is
    /// `known_at` this instant is refused once somebody else lies there.
    pub fn encounters_known_at(&self, bed: BedId) -> Timestamp {
        let history = self.encounters.get(&bed).into_iter().flatten();
        let last = history.map(|line| line.known_at).max();
        last.unwrap_or(Timestamp::from_unix_nanos(0))
    }

    fn worn_by_what_was_known(
        &self,
        device: DeviceId,
        from: Timestamp,
        as_known_at: Timestamp,
    ) -> BTreeSet<PatientId> {
        // Between two of these instants nothing changes.
        let history = self.associations.get(&device).into_iter().flatten();
        let later = history.map(|line| line.from).filter(|it| *it > from);
        let instants: BTreeSet<Timestamp> = later.chain([from]).collect();
        let wearer = |at| match self.who(device, at, as_known_at) {
            Subject::Patient(patient) => Some(patient),
            Subject::Place(_) | Subject::Nobody => None,
        };
        instants.into_iter().filter_map(wearer).collect()
    }
}

/// Whether a device may be moved along its life.
fn moves(wanted: Wanted) -> Checked {
    let refused = |why: NoMove| {
        let reason = match why {
            NoMove::NotAMove { .. } | NoMove::OnAPatient => Reason::IllegalMove,
            NoMove::NoReason { .. } => Reason::Unusable,
        };
        Refusal { reason, words: why.to_string() }
    };
    lifecycle::may_move(wanted).map_err(refused)
}
