//! What a person says of readings that are stored: whether it may be said.

use ::record::Actor;
use model::{Amendment, Channel, Correction, CorrectionId, CorrectionReason, DeviceId, Timestamp};

use super::{
    Directory,
    check::{Check, Checked, need, not_ahead, printable, refuse, text, words},
};
use crate::{
    limits::{CORRECTION_SPAN_MAX, TEXT_LEN_MAX},
    record::Reason,
};

/// Powers of ten that a person writes a value with.
const EXP10: std::ops::RangeInclusive<i8> = -12..=12;

/// What of a correction says whether it can be taken back.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it all")]
pub struct Corrected {
    pub device: DeviceId,
    pub channel: Channel,
    pub from: Timestamp,
    pub to: Timestamp,
    /// It took another one back itself.
    pub is_undo: bool,
    /// It was taken back.
    pub is_undone: bool,
}

impl Directory {
    pub(super) fn note_correction(&mut self, it: &Correction) {
        let Correction { device, from, to, .. } = *it;
        let (channel, mut is_undo) = (it.channel.clone(), false);
        if let Amendment::Undo(id) = it.amendment {
            is_undo = true;
            if let Some(undone) = self.corrections.get_mut(&id) {
                undone.is_undone = true;
            }
        }
        let noted = Corrected { device, channel, from, to, is_undo, is_undone: false };
        self.corrections.insert(it.id, noted);
    }
}

impl Check<'_> {
    /// Whether a correction takes back what stands, and all of it.
    fn undo(&self, it: &Correction, id: CorrectionId) -> Checked {
        let Some(undone) = self.directory.corrections.get(&id) else {
            return refuse(Reason::NotFound, "there is no such correction to take back");
        };
        let is_same = (undone.device, &undone.channel, undone.from, undone.to)
            == (it.device, &it.channel, it.from, it.to);
        need(is_same, Reason::Unusable, "what it takes back is about other readings")?;
        let said = "what took another one back is not taken back; correct the reading again";
        need(!undone.is_undo, Reason::Unusable, said)?;
        need(!undone.is_undone, Reason::NotUnique, "it was taken back already")
    }

    pub(super) fn correct(&self, actor: Actor, it: &Correction) -> Checked {
        let is_staff = self.staff_behind(actor).is_ok();
        need(is_staff, Reason::NotAllowed, "only a member of staff can correct a reading")?;
        need(it.org == self.org, Reason::OtherOrg, "the correction names another organization")?;
        self.device(it.device)?;
        let is_new = !self.directory.corrections.contains_key(&it.id);
        need(is_new, Reason::NotUnique, "there is a correction with this id")?;
        text("channel", &it.channel.0)?;
        need(it.from < it.to, Reason::WrongTime, "the span ends before it begins")?;
        let is_short = it.to.since(it.from) <= CORRECTION_SPAN_MAX;
        need(is_short, Reason::WrongTime, "a correction spans at most 31 days")?;
        not_ahead(it.to, self.at)?;
        match &it.amendment {
            Amendment::Withdraw => {}
            Amendment::Replace { exp10, ucum, .. } => {
                let is_instant = it.to.nanos_after(it.from) == 1;
                let said = "a value is given to one instant; a span can be withdrawn";
                need(is_instant, Reason::WrongTime, said)?;
                need(EXP10.contains(exp10), Reason::Unusable, "nobody writes such a number")?;
                let fits = ucum.as_str().len() <= TEXT_LEN_MAX;
                need(fits, Reason::Unusable, "no unit is so long")?;
            }
            Amendment::Undo(id) => {
                need(*id != it.id, Reason::Unusable, "a correction does not take itself back")?;
                self.undo(it, *id)?;
            }
        }
        let is_said = it.why != CorrectionReason::Other || !it.words.0.trim().is_empty();
        need(is_said, Reason::Unusable, "say in words what was wrong")?;
        words("explanation", &it.words.0)?;
        printable("explanation", &it.words.0)
    }
}
