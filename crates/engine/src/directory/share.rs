//! With whom patients share their own page.
//!
//! ```text
//! shared ──▶ over    when its time is up, by itself
//!    └─────▶ ended   taken back by the patient, or the patient's own login was shut;
//!                    the login is shut
//! ```

use ::record::Actor;
use model::{PatientId, Role, Share, Timestamp, User, UserId};

use super::{
    Directory, Invitation,
    check::{Check, Checked, need, printable, text},
};
use crate::{
    limits::{SHARE_LASTS_MAX, SHARES_EVER_OF_A_PATIENT_MAX, SHARES_OF_A_PATIENT_MAX},
    record::Reason,
};

/// A share and how far it has come.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it all")]
pub struct ShareState {
    pub share: Share,
    pub since: Timestamp,
    /// When the patient took it back, or lost the login that it came from.
    pub ended_at: Option<Timestamp>,
}

impl ShareState {
    /// Whether it holds at `now`.
    pub fn holds(&self, now: Timestamp) -> bool {
        self.ended_at.is_none() && now < self.share.until
    }
}

// RC-045
impl Check<'_> {
    /// The patient who asks; nobody shares what is somebody else's.
    fn shares_own(&self, actor: Actor, patient: PatientId) -> Checked {
        let user = match actor {
            Actor::User(user) => self.directory.users.get(&user),
            Actor::Device(_) | Actor::System => None,
        };
        let own = user.filter(|user| user.role == Role::Patient && !user.disabled);
        let is_own = own.is_some_and(|user| user.patient == Some(patient));
        need(is_own, Reason::NotAllowed, "only the patient shares their own page")
    }

    pub(super) fn share(&self, actor: Actor, it: &Share) -> Checked {
        self.patient(it.patient)?;
        self.shares_own(actor, it.patient)?;
        text("name", &it.name.0)?;
        printable("name", &it.name.0)?;
        text("login", &it.login)?;
        let lower = !it.login.chars().any(|c| c.is_uppercase() || c.is_whitespace());
        need(lower, Reason::Unusable, "a login is lower-case and has no spaces")?;
        let known = self.directory.users.contains_key(&it.user);
        need(!known, Reason::NotUnique, "this login is there already")?;
        let taken = self.directory.user_by_login(self.org, &it.login).is_some();
        need(!taken, Reason::NotUnique, "this login is taken")?;
        let ahead = self.at < it.until && it.until <= self.at.after(SHARE_LASTS_MAX);
        need(ahead, Reason::WrongTime, "a page is shared for at most 90 days")?;
        let link = self.at < it.link_until && it.link_until <= it.until;
        need(link, Reason::WrongTime, "the link ends before what it opens")?;
        let count = self.directory.shares_of(it.patient, self.at).count();
        let words = "the page is shared with so many people that somebody has to go first";
        need(count < SHARES_OF_A_PATIENT_MAX, Reason::NotAllowed, words)?;
        let ever = self.directory.shares.values().filter(|of| of.share.patient == it.patient);
        let words = "the page was shared as often as it can be; ask the ward to show it";
        need(ever.count() < SHARES_EVER_OF_A_PATIENT_MAX, Reason::NotAllowed, words)
    }

    pub(super) fn end_share(&self, actor: Actor, user: UserId) -> Checked {
        let found = self.directory.shares.get(&user);
        let own = found.filter(|it| self.shares_own(actor, it.share.patient).is_ok());
        let Some(own) = own else {
            return need(false, Reason::NotFound, "nothing is shared with them");
        };
        need(own.ended_at.is_none(), Reason::IllegalMove, "it was taken back already")
    }
}

impl Directory {
    /// With whom a patient shares at `now`.
    pub fn shares_of(
        &self,
        patient: PatientId,
        now: Timestamp,
    ) -> impl Iterator<Item = &ShareState> + '_ {
        self.shares.values().filter(move |it| it.share.patient == patient && it.holds(now))
    }

    /// The patient who shares with this login at `now`, if one does.
    pub fn shares_with(&self, user: UserId, now: Timestamp) -> Option<PatientId> {
        self.shares.get(&user).filter(|it| it.holds(now)).map(|it| it.share.patient)
    }

    pub(super) fn share(&mut self, it: &Share, at: Timestamp) {
        let Some(org) = self.patients.get(&it.patient).map(|patient| patient.org) else { return };
        let user = User {
            id: it.user,
            org,
            login: it.login.clone(),
            role: Role::Family,
            staff: None,
            patient: Some(it.patient),
            password_hash: None,
            disabled: false,
        };
        self.put_user(&user, at);
        let invitation = Invitation { user: it.user, expires_at: it.link_until };
        self.invitations.insert(it.token_hash, invitation);
        let state = ShareState { share: it.clone(), since: at, ended_at: None };
        self.shares.insert(it.user, state);
    }

    pub(super) fn end_share(&mut self, user: UserId, at: Timestamp) {
        if let Some(state) = self.shares.get_mut(&user) {
            state.ended_at.get_or_insert(at);
        }
        self.invitations.retain(|_, invitation| invitation.user != user);
        if let Some(shut) = self.users.get(&user).map(|it| User { disabled: true, ..it.clone() }) {
            self.put_user(&shut, at);
        }
    }

    /// Takes back everything that a patient shares.
    pub(super) fn end_shares_of(&mut self, patient: PatientId, at: Timestamp) {
        let open = self.shares.values().filter(|it| it.ended_at.is_none());
        let open = open.filter(|it| it.share.patient == patient);
        let users: Vec<UserId> = open.map(|it| it.share.user).collect();
        users.into_iter().for_each(|user| self.end_share(user, at));
    }
}
