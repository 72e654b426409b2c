//! Hand-overs: who may offer, accept and end one, and how posts change hands.
//!
//! ```text
//! offered ──▶ accepted   the posts that whoever goes still holds are whoever comes'
//!    └──────▶ ended      taken back, not taken up, or replaced by a newer offer
//! ```

use ::record::Actor;
use model::{Assignment, HandOver, HandOverId, Line, PostNote, Timestamp};

use super::{
    Directory, HandOverState,
    check::{Check, Checked, need, printable, words},
};
use crate::{
    limits::{HAND_OVER_KEPT_FOR, HAND_OVER_POSTS_MAX},
    record::{Reason, Refusal},
};

impl Check<'_> {
    pub(super) fn offer_hand_over(&self, actor: Actor, it: &HandOver) -> Checked {
        let (_, staff) = self.staff_behind(actor)?;
        let words = "a hand-over is offered by whoever holds the posts";
        need(staff == it.from, Reason::NotAllowed, words)?;
        self.care_unit(it.care_unit)?;
        self.staff(it.to)?;
        need(it.from != it.to, Reason::Unusable, "nobody hands over to themselves")?;
        let count = it.posts.len();
        let words = format!("{count} posts are handed over; 1 to {HAND_OVER_POSTS_MAX} can be");
        need((1..=HAND_OVER_POSTS_MAX).contains(&count), Reason::Unusable, &words)?;
        need(
            !self.directory.hand_overs.contains_key(&it.id),
            Reason::NotUnique,
            "this hand-over was offered already",
        )?;
        let mut seen = std::collections::BTreeSet::new();
        for PostNote { post, note } in &it.posts {
            let is_here = self.directory.care_unit_of_post(*post) == Some(it.care_unit);
            need(is_here, Reason::NotFound, "there is no such post in the care unit")?;
            need(seen.insert(*post), Reason::NotUnique, "a post is handed over once")?;
            let holds = self.directory.holder_of(*post) == Some(it.from);
            need(holds, Reason::IllegalMove, "somebody else holds a post that is handed over")?;
            text_of_note(&note.0)?;
        }
        Ok(())
    }

    fn open_hand_over(&self, id: HandOverId) -> Result<&HandOver, Refusal> {
        let found = self.directory.hand_overs.get(&id);
        let own = |it: &&HandOverState| {
            self.directory.org_of_care_unit(it.hand_over.care_unit) == Some(self.org)
        };
        let refusal = |reason, words: &str| Refusal { reason, words: words.to_owned() };
        let found = found.filter(own);
        let found = found.ok_or_else(|| refusal(Reason::NotFound, "there is no such hand-over"))?;
        match found.ended {
            None => Ok(&found.hand_over),
            Some((true, _)) => Err(refusal(Reason::IllegalMove, "it was accepted already")),
            Some((false, _)) => Err(refusal(Reason::IllegalMove, "it was taken back")),
        }
    }

    pub(super) fn accept_hand_over(&self, actor: Actor, id: HandOverId) -> Checked {
        let (_, staff) = self.staff_behind(actor)?;
        let to = self.open_hand_over(id)?.to;
        need(staff == to, Reason::NotAllowed, "only the one to whom it is offered can accept it")
    }

    pub(super) fn end_hand_over(&self, actor: Actor, id: HandOverId) -> Checked {
        let (_, staff) = self.staff_behind(actor)?;
        let it = self.open_hand_over(id)?;
        let may = [it.from, it.to].contains(&staff)
            || self.directory.charge_of(it.care_unit) == Some(staff);
        let words = "only the two who hand over, or the nurse in charge, can end it";
        need(may, Reason::NotAllowed, words)
    }
}

fn text_of_note(note: &str) -> Checked {
    words("note", note)?;
    // Lines are kept: a note is read, not scanned.
    printable("note", &note.replace(['\n', '\r', '\t'], " "))
}

impl Directory {
    /// A new offer takes the place of the same person's older one in the same care unit.
    pub(super) fn offer(&mut self, hand_over: &HandOver, at: Timestamp) {
        self.hand_overs.retain(|_, it| {
            it.ended.is_none_or(|(_, ended_at)| at.since(ended_at) < HAND_OVER_KEPT_FOR)
        });
        let key = (hand_over.care_unit, hand_over.from);
        for other in self.hand_overs.values_mut() {
            if (other.hand_over.care_unit, other.hand_over.from) == key {
                other.ended.get_or_insert((false, at));
            }
        }
        let state = HandOverState { hand_over: hand_over.clone(), offered_at: at, ended: None };
        self.hand_overs.insert(hand_over.id, state);
    }

    /// The posts that are to change hands when a hand-over is accepted: those that the one
    /// who goes still holds.
    pub(crate) fn posts_to_change(&self, id: HandOverId, at: Timestamp) -> Vec<Assignment> {
        let Some(HandOverState { hand_over, .. }) = self.hand_overs.get(&id) else {
            return Vec::new();
        };
        let held = hand_over.posts.iter().map(|it| it.post);
        let held = held.filter(|post| self.holder_of(*post) == Some(hand_over.from));
        let line = |key| Line { key, value: Some(hand_over.to), from: at, known_at: at };
        held.map(line).collect()
    }

    pub(super) fn accept(&mut self, id: HandOverId, at: Timestamp) {
        for line in self.posts_to_change(id, at) {
            self.assign(line, at);
        }
        self.end_hand_over(id, true, at);
    }

    pub(super) fn end_hand_over(&mut self, id: HandOverId, accepted: bool, at: Timestamp) {
        if let Some(state) = self.hand_overs.get_mut(&id) {
            state.ended.get_or_insert((accepted, at));
        }
    }
}
