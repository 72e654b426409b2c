//! What a person says of readings that are stored: whether it may be said.

use ::record::Actor;
use model::{Amendment, Correction, CorrectionReason};

use super::check::{Check, Checked, need, not_ahead, printable, text, words};
use crate::{
    limits::{CORRECTION_SPAN_MAX, TEXT_LEN_MAX},
    record::Reason,
};

/// Powers of ten that a person writes a value with.
const EXP10: std::ops::RangeInclusive<i8> = -12..=12;

impl Check<'_> {
    pub(super) fn correct(&self, actor: Actor, it: &Correction) -> Checked {
        let is_staff = self.staff_behind(actor).is_ok();
        need(is_staff, Reason::NotAllowed, "only a member of staff can correct a reading")?;
        need(it.org == self.org, Reason::OtherOrg, "the correction names another organization")?;
        self.device(it.device)?;
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
            }
        }
        let is_said = it.why != CorrectionReason::Other || !it.words.0.trim().is_empty();
        need(is_said, Reason::Unusable, "say in words what was wrong")?;
        words("explanation", &it.words.0)?;
        printable("explanation", &it.words.0)
    }
}
