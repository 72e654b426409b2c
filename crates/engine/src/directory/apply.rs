//! Folds one accepted wish into the directory; it cannot fail, as it was checked before.

use std::collections::BTreeMap;

use ::record::{Actor, Session, Wish};
use model::{
    AgeBand, Assignment, Association, BedId, Date, DeviceId, Encounter, Lifecycle, Line, PatientId,
    Post, Redacted, Role, StaffId, Subject, Timestamp, User, UserId, as_of,
};

use super::{Current, Directory, Invitation, Setting};

/// Keeps every line, and says what holds at `at` now that there is one more.
pub(super) fn add<K: Copy + Ord, V: Copy>(
    histories: &mut BTreeMap<K, Vec<Line<K, V>>>,
    line: Line<K, V>,
    at: Timestamp,
) -> Option<V> {
    let history = histories.entry(line.key).or_default();
    history.push(Line { known_at: at, ..line });
    as_of(history, line.key, at, at)
}

impl Directory {
    /// Folds a wish of `by` that was accepted and reached us at `at` into the directory.
    ///
    /// Wishes about alarms and charting change nothing here.
    #[expect(clippy::too_many_lines, reason = "an arm for each wish, and nothing else")]
    pub(crate) fn apply(&mut self, wish: &Wish, by: Actor, at: Timestamp) {
        match wish {
            Wish::PutOrg(_)
            | Wish::PutSite(_)
            | Wish::PutCareUnit(_)
            | Wish::PutRoom(_)
            | Wish::PutBed(_) => self.put_place(wish),
            Wish::PutPatient(patient) => {
                drop(self.patients.insert(patient.id, patient.clone()));
                self.age(patient.id, at);
            }
            Wish::PutStaff(staff) => drop(self.staff.insert(staff.id, staff.clone())),
            Wish::PutUser(user) => self.put_user(user, at),
            Wish::PutDevice(device) => drop(self.devices.insert(device.id, device.clone())),
            Wish::SetLifecycle { device, lifecycle, .. } => {
                self.set_lifecycle(*device, *lifecycle, at);
            }
            Wish::PutCertificate(certificate) => {
                drop(self.certificates.insert(certificate.id, certificate.clone()));
            }
            Wish::RevokeCertificate(id) => {
                if let Some(certificate) = self.certificates.get_mut(id) {
                    certificate.revoked_at.get_or_insert(at);
                }
            }
            Wish::Associate(line) => self.associate(*line, at),
            Wish::SendCommand(command) => self.send_command(command, by, at),
            Wish::SecondCommand(id) => self.second_command(*id, by, at),
            Wish::WithdrawCommand(id) => self.withdraw_command(*id, by, at),
            Wish::Configure(config) => self.configure(config, by, at),
            Wish::Bind(line) => self.bind(*line, at),
            Wish::OfferClaim { device, code_hash, expires_at } => {
                self.offer_claim(*device, *code_hash, *expires_at);
            }
            Wish::Claim { code_hash, care_unit, subject } => {
                self.claim(*code_hash, *care_unit, *subject, at);
            }
            Wish::Occupy(line) => self.occupy(*line, at),
            Wish::Assign(line) => self.assign(*line, at),
            Wish::SetLimits { .. }
            | Wish::ClearLimits { .. }
            | Wish::SetUnitLimits { .. }
            | Wish::ClearUnitLimits { .. } => self.put_limits(wish, by, at),
            Wish::OfferHandOver(hand_over) => self.offer(hand_over, at),
            Wish::AcceptHandOver(id) => self.accept(*id, at),
            Wish::EndHandOver(id) => self.end_hand_over(*id, false, at),
            Wish::OpenInEmergency(access) => self.open_in_emergency(access, by, at),
            Wish::ReviewEmergency(id) => self.review_emergency(*id, by, at),
            Wish::PlanDose(dose) => self.plan_dose(dose, by, at),
            Wish::ClearDose(patient) => drop(self.doses.remove(patient)),
            Wish::Share(share) => self.share(share, at),
            Wish::EndShare(user) => self.end_share(*user, at),
            Wish::PutHold(hold) => self.put_hold(hold, by, at),
            Wish::EndHold { hold, .. } => self.end_hold(*hold, by, at),
            Wish::NoteDisk(note) => self.disk = self.disk.after(*note, at),
            Wish::SetSpO2Scale { patient, scale } => {
                if let Some(patient) = self.patients.get_mut(patient) {
                    patient.spo2_scale = *scale;
                }
            }
            Wish::Invite { user, token_hash, expires_at } => {
                // A new link makes older ones of the same user worthless.
                self.invitations.retain(|_, other| other.user != *user);
                let invitation = Invitation { user: *user, expires_at: *expires_at };
                self.invitations.insert(*token_hash, invitation);
            }
            Wish::SetPassword { user, password_hash } => self.set_password(*user, password_hash),
            Wish::OpenSession(session) => self.open_session(session, at),
            Wish::CloseSession(id) => self.close_sessions(|session| session.id == *id),
            Wish::Correct(correction) => self.note_correction(correction),
            Wish::Chart(_)
            | Wish::Acknowledge { .. }
            | Wish::EndAlarm { .. }
            | Wish::NotePulse(_) => {}
        }
    }

    /// A part of the building; any other wish changes none.
    fn put_place(&mut self, wish: &Wish) {
        match wish {
            Wish::PutOrg(org) => drop(self.orgs.insert(org.id, org.clone())),
            Wish::PutSite(site) => drop(self.sites.insert(site.id, site.clone())),
            Wish::PutCareUnit(unit) => drop(self.care_units.insert(unit.id, unit.clone())),
            Wish::PutRoom(room) => {
                self.rooms.insert(room.id, room.clone());
                self.now_holds.index_rooms(self.rooms.values().map(|it| (it.care_unit, it.id)));
            }
            Wish::PutBed(bed) => {
                self.beds.insert(bed.id, bed.clone());
                self.now_holds.index_beds(self.beds.values().map(|it| (it.room, it.id)));
            }
            _ => {}
        }
    }

    /// Limits of a patient or of a care unit; any other wish changes none.
    fn put_limits(&mut self, wish: &Wish, by: Actor, at: Timestamp) {
        match wish {
            Wish::SetLimits { patient, limits } => {
                self.limits.insert((*patient, limits.vital), Setting { limits: *limits, by, at });
            }
            Wish::ClearLimits { patient, vital } => drop(self.limits.remove(&(*patient, *vital))),
            Wish::SetUnitLimits { care_unit, band, limits } => {
                let key = ((*care_unit, *band), limits.vital);
                self.unit_limits.insert(key, Setting { limits: *limits, by, at });
            }
            Wish::ClearUnitLimits { care_unit, band, vital } => {
                self.unit_limits.remove(&((*care_unit, *band), *vital));
            }
            _ => {}
        }
    }

    pub(super) fn assign(&mut self, line: Assignment, at: Timestamp) {
        let holder = add(&mut self.assignments, line, at).flatten();
        self.now_holds.hold(line.key, holder);
    }

    /// Files a patient under the age of this day.
    fn age(&mut self, patient: PatientId, at: Timestamp) {
        let born = self.patients.get(&patient).and_then(|it| it.birth_date.as_ref());
        match born {
            Some(born) => {
                let band = AgeBand::of_years(born.0.years_until(Date::of(at)));
                self.age_bands.insert(patient, band);
            }
            None => drop(self.age_bands.remove(&patient)),
        }
    }

    fn set_lifecycle(&mut self, id: DeviceId, lifecycle: Lifecycle, at: Timestamp) {
        if let Some(device) = self.devices.get_mut(&id) {
            device.lifecycle = lifecycle;
        }
        if !fleet::lifecycle::may_speak(lifecycle) {
            self.claims.retain(|_, claim| claim.device != id || lifecycle == Lifecycle::Ordered);
        }
        if fleet::lifecycle::revokes(lifecycle) {
            for certificate in self.certificates.values_mut().filter(|it| it.device == id) {
                certificate.revoked_at.get_or_insert(at);
            }
        }
    }

    // RC-045
    pub(super) fn put_user(&mut self, user: &User, at: Timestamp) {
        if user.disabled {
            self.close_sessions(|session| session.user == user.id);
        }
        let patient_of =
            |user: &User| user.patient.filter(|_| user.role == Role::Patient && !user.disabled);
        let before = self.users.insert(user.id, user.clone()).as_ref().and_then(patient_of);
        // Whoever may not read their own page any more lets nobody else read it.
        if let Some(patient) = before.filter(|before| patient_of(user) != Some(*before)) {
            self.end_shares_of(patient, at);
        }
    }

    fn set_password(&mut self, user: UserId, password_hash: &Redacted<String>) {
        self.invitations.retain(|_, invitation| invitation.user != user);
        if let Some(user) = self.users.get_mut(&user) {
            user.password_hash = Some(password_hash.clone());
        }
        // Whoever knew the old password is signed out.
        self.close_sessions(|session| session.user == user);
    }

    fn open_session(&mut self, session: &Session, at: Timestamp) {
        self.close_sessions(|old| old.user == session.user && old.expires_at <= at);
        self.now_holds.session_by_token.insert(session.token_hash, session.id);
        self.sessions.insert(session.id, session.clone());
    }

    fn close_sessions(&mut self, is_over: impl Fn(&Session) -> bool) {
        let now_holds = &mut self.now_holds;
        self.sessions.retain(|_, session| {
            let over = is_over(session);
            if over {
                now_holds.forget_token(&session.token_hash);
            }
            !over
        });
    }

    pub(super) fn associate(&mut self, line: Association, at: Timestamp) {
        let subject = add(&mut self.associations, line, at).unwrap_or(Subject::Nobody);
        self.withdraw_commands_of(line.key, subject, at);
        self.now_holds.measure(line.key, subject);
    }

    /// One patient lies in one bed: whoever moves in leaves the bed of before at that instant.
    fn occupy(&mut self, line: Encounter, at: Timestamp) {
        if let Some(patient) = line.value
            && let Some(left) = self.bed_of(patient).filter(|left| *left != line.key)
        {
            let leaves = Line { key: left, value: None, from: line.from, known_at: at };
            let now = add(&mut self.encounters, leaves, at).flatten();
            self.now_holds.lie(left, now);
        }
        self.now_holds.lay(&line);
        let was_there = self.patient_in(line.key);
        let now = add(&mut self.encounters, line, at).flatten();
        self.now_holds.lie(line.key, now);
        // Nobody gives a dose to somebody who has left.
        if let Some(gone) = was_there.filter(|patient| self.bed_of(*patient).is_none()) {
            self.doses.remove(&gone);
        }
        if let Some(patient) = line.value {
            self.age(patient, at);
        }
    }

    /// Makes the indexes anew after the histories were read from a checkpoint; `at` is its instant.
    pub(crate) fn index(&mut self, at: Timestamp) {
        let mut now_holds = Current::default();
        now_holds.index_rooms(self.rooms.values().map(|it| (it.care_unit, it.id)));
        now_holds.index_beds(self.beds.values().map(|it| (it.room, it.id)));
        for (device, history) in &self.associations {
            let subject = as_of(history, *device, at, at).unwrap_or(Subject::Nobody);
            now_holds.measure(*device, subject);
        }
        for (bed, history) in &self.encounters {
            now_holds.lie(*bed, as_of(history, *bed, at, at).flatten());
            history.iter().for_each(|line| now_holds.lay(line));
        }
        for (post, history) in &self.assignments {
            now_holds.hold(*post, as_of(history, *post, at, at).flatten());
        }
        for session in self.sessions.values() {
            now_holds.session_by_token.insert(session.token_hash, session.id);
        }
        for (device, history) in &self.bindings {
            now_holds.speak(*device, as_of(history, *device, at, at).flatten());
        }
        self.now_holds = now_holds;
    }
}

impl Current {
    fn index_rooms(&mut self, rooms: impl Iterator<Item = (model::CareUnitId, model::RoomId)>) {
        self.rooms_of.clear();
        for (unit, room) in rooms {
            self.rooms_of.entry(unit).or_default().insert(room);
        }
    }

    fn index_beds(&mut self, beds: impl Iterator<Item = (model::RoomId, BedId)>) {
        self.beds_of.clear();
        for (room, bed) in beds {
            self.beds_of.entry(room).or_default().insert(bed);
        }
    }

    fn forget_token(&mut self, token_hash: &[u8; 32]) {
        self.session_by_token.remove(token_hash);
    }

    fn measure(&mut self, device: DeviceId, subject: Subject) {
        if let Some(Subject::Patient(before)) = self.subject_of.insert(device, subject)
            && let Some(devices) = self.devices_on.get_mut(&before)
        {
            devices.remove(&device);
            if devices.is_empty() {
                self.devices_on.remove(&before);
            }
        }
        if let Subject::Patient(patient) = subject {
            self.devices_on.entry(patient).or_default().insert(device);
        }
    }

    /// Remembers the bed of a line, whether the line holds now or not.
    fn lay(&mut self, line: &Encounter) {
        if let Some(patient) = line.value {
            self.lain_in.entry(patient).or_default().insert(line.key);
        }
    }

    fn lie(&mut self, bed: BedId, patient: Option<PatientId>) {
        if let Some(before) = self.patient_in.remove(&bed)
            && self.bed_of.get(&before) == Some(&bed)
        {
            self.bed_of.remove(&before);
        }
        if let Some(patient) = patient {
            // Only a correction of the past can find the patient elsewhere; the newer line counts.
            if let Some(other) = self.bed_of.insert(patient, bed) {
                self.patient_in.remove(&other);
            }
            self.patient_in.insert(bed, patient);
        }
    }

    pub(super) fn speak(&mut self, device: DeviceId, gateway: Option<DeviceId>) {
        match gateway {
            Some(gateway) => drop(self.gateway_of.insert(device, gateway)),
            None => drop(self.gateway_of.remove(&device)),
        }
    }

    fn hold(&mut self, post: Post, holder: Option<StaffId>) {
        match holder {
            Some(staff) => drop(self.holder_of.insert(post, staff)),
            None => drop(self.holder_of.remove(&post)),
        }
    }
}
