//! What a person holds: it stays in the journal as it was received, until somebody ends the hold.

use ::record::Actor;
use model::{Hold, HoldId, HoldOf, Timestamp};

use super::{
    Directory,
    check::{Check, Checked, need, text},
};
use crate::{limits::HOLDS_MAX, record::Reason};

/// A hold and how far it has come.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it all")]
pub struct HoldState {
    pub hold: Hold,
    pub by: Actor,
    pub since: Timestamp,
    /// Who ended it, and when.
    pub ended: Option<(Actor, Timestamp)>,
}

impl Check<'_> {
    pub(super) fn put_hold(&self, it: &Hold) -> Checked {
        need(it.org == self.org, Reason::OtherOrg, "the hold names another organization")?;
        match it.of {
            HoldOf::Patient(patient) => self.patient(patient).map(drop)?,
            HoldOf::Received { from, to } => {
                need(from < to, Reason::WrongTime, "the span ends before it begins")?;
            }
        }
        text("reason", &it.why.0)?;
        let known = self.directory.holds.contains_key(&it.id);
        need(!known, Reason::NotUnique, "this hold is there already")?;
        let words = "there are so many holds that one has to be ended first";
        need(self.directory.holding().count() < HOLDS_MAX, Reason::NotAllowed, words)
    }

    pub(super) fn end_hold(&self, id: HoldId, why: &str) -> Checked {
        let found = self.directory.holds.get(&id).filter(|it| it.hold.org == self.org);
        let Some(found) = found else {
            return need(false, Reason::NotFound, "there is no such hold");
        };
        text("reason", why)?;
        need(found.ended.is_none(), Reason::IllegalMove, "it was ended already")
    }
}

impl Directory {
    /// Holds that hold.
    pub fn holding(&self) -> impl Iterator<Item = &HoldState> + '_ {
        self.holds.values().filter(|it| it.ended.is_none())
    }

    pub(super) fn put_hold(&mut self, hold: &Hold, by: Actor, at: Timestamp) {
        let state = HoldState { hold: hold.clone(), by, since: at, ended: None };
        self.holds.insert(hold.id, state);
    }

    pub(super) fn end_hold(&mut self, id: HoldId, by: Actor, at: Timestamp) {
        if let Some(state) = self.holds.get_mut(&id) {
            state.ended.get_or_insert((by, at));
        }
    }
}
