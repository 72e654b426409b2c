//! Pages that were opened in an emergency, and the next dose of each patient.
//!
//! ```text
//! opened ──▶ over     after an hour, by itself
//!    └─────▶ reviewed by whoever runs the care unit; it may be open still
//! ```

use ::record::Actor;
use model::{
    CareUnitId, EmergencyAccess, EmergencyId, EmergencyReason, NextDose, PatientId, Timestamp,
    UserId,
};

use super::{
    Directory,
    check::{Check, Checked, need, printable, text, words},
};
use crate::{
    limits::{
        DOSE_AGE_MAX, DOSE_AHEAD_MAX, EMERGENCIES_KEPT_MAX, EMERGENCIES_OF_A_USER_MAX,
        EMERGENCY_LASTS,
    },
    record::Reason,
};

/// A page that was opened in an emergency.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it all")]
pub struct EmergencyState {
    pub access: EmergencyAccess,
    pub by: UserId,
    /// Who cared for the patient then, or had last; who runs it answers for the review.
    pub care_unit: Option<CareUnitId>,
    pub opened_at: Timestamp,
    /// From here on the page is closed again.
    pub until: Timestamp,
    /// Who looked at the reason, and when.
    pub reviewed: Option<(UserId, Timestamp)>,
}

/// What a patient takes next, with who wrote it down and when.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it all")]
pub struct Dose {
    pub next: NextDose,
    pub by: Actor,
    pub at: Timestamp,
}

impl Check<'_> {
    pub(super) fn open_in_emergency(&self, actor: Actor, it: &EmergencyAccess) -> Checked {
        let (user, _) = self.staff_behind(actor)?;
        self.patient(it.patient)?;
        words("explanation", &it.words.0)?;
        printable("explanation", &it.words.0)?;
        if it.reason == EmergencyReason::Other {
            text("explanation", &it.words.0)?;
        }
        let known = self.directory.emergencies.contains_key(&it.id);
        need(!known, Reason::NotUnique, "this page was opened already")?;
        let is_open = self.directory.open_to(user, self.at).any(|patient| patient == it.patient);
        need(!is_open, Reason::IllegalMove, "the page is open to you already")?;
        let count = self.directory.open_to(user, self.at).count();
        let words = "so many pages are open to you already that another one opens only later";
        need(count < EMERGENCIES_OF_A_USER_MAX, Reason::NotAllowed, words)
    }

    pub(super) fn review_emergency(&self, actor: Actor, id: EmergencyId) -> Checked {
        let (user, _) = self.staff_behind(actor)?;
        let found = self.directory.emergencies.get(&id);
        let own = found.filter(|it| self.patient(it.access.patient).is_ok());
        let Some(own) = own else {
            return need(false, Reason::NotFound, "there is no such access");
        };
        need(own.by != user, Reason::NotAllowed, "nobody reviews what they opened themselves")?;
        need(own.reviewed.is_none(), Reason::IllegalMove, "it was reviewed already")
    }

    pub(super) fn plan_dose(&self, it: &NextDose) -> Checked {
        self.patient(it.patient)?;
        text("dose", &it.words.0)?;
        let ahead = it.due_at <= self.at.after(DOSE_AHEAD_MAX);
        need(ahead, Reason::WrongTime, "a dose is planned at most 7 days ahead")?;
        let recent = self.at.since(it.due_at) <= DOSE_AGE_MAX;
        need(recent, Reason::WrongTime, "the time of the dose is over")
    }

    pub(super) fn clear_dose(&self, id: PatientId) -> Checked {
        self.patient(id)?;
        let is_there = self.directory.doses.contains_key(&id);
        need(is_there, Reason::NotFound, "no dose is planned for this patient")
    }
}

impl EmergencyState {
    /// Whether a care unit is told of it: where it was opened, and which cares for them now.
    pub fn concerns(&self, care_unit: CareUnitId, directory: &Directory) -> bool {
        self.care_unit == Some(care_unit)
            || directory.care_unit_caring_for(self.access.patient) == Some(care_unit)
    }
}

impl Directory {
    /// How many pages were opened in an emergency, of which a care unit is told and at whose
    /// reason nobody has looked.
    pub fn to_review(&self, care_unit: CareUnitId) -> usize {
        let waits = self.emergencies.values().filter(|it| it.reviewed.is_none());
        waits.filter(|it| it.concerns(care_unit, self)).count()
    }

    /// The patients whose pages a user opened in an emergency and may read still.
    pub fn open_to(&self, user: UserId, now: Timestamp) -> impl Iterator<Item = PatientId> + '_ {
        let own = self.emergencies.values().filter(move |it| it.by == user && now < it.until);
        own.map(|it| it.access.patient)
    }

    pub(super) fn open_in_emergency(&mut self, it: &EmergencyAccess, by: Actor, at: Timestamp) {
        let Actor::User(by) = by else { return };
        let care_unit = self.unit_answering_for(it.patient, at);
        let until = at.after(EMERGENCY_LASTS);
        let (access, opened_at, reviewed) = (it.clone(), at, None);
        let state = EmergencyState { access, by, care_unit, opened_at, until, reviewed };
        self.emergencies.insert(it.id, state);
        while self.emergencies.len() > EMERGENCIES_KEPT_MAX {
            // What somebody has looked at goes before what waits for it; the audit keeps all.
            let order = |it: &EmergencyState| (it.reviewed.is_none(), it.opened_at);
            let oldest = self.emergencies.iter().min_by_key(|(id, it)| (order(it), **id));
            let Some(oldest) = oldest.map(|(id, _)| *id) else { return };
            self.emergencies.remove(&oldest);
        }
    }

    pub(super) fn review_emergency(&mut self, id: EmergencyId, by: Actor, at: Timestamp) {
        if let (Some(state), Actor::User(by)) = (self.emergencies.get_mut(&id), by) {
            state.reviewed.get_or_insert((by, at));
        }
    }

    pub(super) fn plan_dose(&mut self, it: &NextDose, by: Actor, at: Timestamp) {
        self.doses.insert(it.patient, Dose { next: it.clone(), by, at });
    }
}
