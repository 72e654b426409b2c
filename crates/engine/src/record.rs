//! What the engine decided, as types and as frames of the journal: the one place
//! where a decision's stored form is known. Old versions stay readable for ever.
//!
//! A decision names its cause, so that a replay applies it right where it was
//! made, however much later it reached the disk.

use model::{
    AlarmId, CareUnitId, DeviceId, PatientId, Priority, Redacted, StaffId, Timestamp, UserId,
};
use ::record::{BodyError, DECISIONS_FROM, Position};
use store::LogOffset;

use crate::{
    core::AlarmKey,
    view::{News2Input, ToldAs},
};

mod stored;
#[cfg(test)]
mod tests;

/// Names one effect: the record that caused it, and its place among that record's effects.
///
/// What time alone brought is counted on behind the effects of the record before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the names say it all")]
pub struct EffectId {
    pub cause: Position,
    pub index: u32,
}

/// One decision with its name; `after` is where its cause ends in the log.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "the names say it all")]
pub struct Decided {
    pub effect: EffectId,
    pub after: LogOffset,
    pub decision: Decision,
}

/// Everything that is decided.
#[derive(Clone, Debug, PartialEq)]
pub enum Decision {
    /// The command at the cause is granted.
    Accepted,
    /// The command at the cause is not granted.
    Refused(Refusal),
    /// An alarm changed.
    Alarm(AlarmChanged),
    /// Somebody was called, or nobody could be.
    Called(Called),
    /// A patient's score changed.
    Scored(Scored),
    /// Time alone was looked at up to this instant, and something followed.
    TimePassed(Timestamp),
}

/// Why a command was not granted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{words}")]
pub struct Refusal {
    /// For programs.
    pub reason: Reason,
    /// For people: what was found, and what would be accepted.
    pub words: String,
}

/// The kinds of refusal, as an asker can react to them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// Something that the wish names does not exist for this organization.
    NotFound,
    /// The wish names another organization than its frame.
    OtherOrg,
    /// A name or number is taken.
    NotUnique,
    /// The state of the thing does not permit this move.
    IllegalMove,
    /// The device is not in service.
    NotInService,
    /// Another patient lies there.
    Occupied,
    /// There is no raised alarm to answer.
    NothingRaised,
    /// The limits contradict each other or the vital's range.
    LimitsNotSane,
    /// A time lies in the future, too far in the past, or before what is recorded.
    WrongTime,
    /// A text or number is empty, too long or out of its range.
    Unusable,
    /// The asker may not.
    NotAllowed,
    /// The engine is not running.
    Stopped,
}

/// One change of one alarm, with the words that stood on screens then.
#[derive(Clone, Debug, PartialEq)]
pub struct AlarmChanged {
    /// Which alarm.
    pub alarm: AlarmId,
    /// What it is about.
    pub key: AlarmKey,
    /// When, and how.
    pub step: care::alarm::Transition,
    /// What it says from now on, if it was raised.
    pub raised: Option<Raised>,
    /// Which user's wish it was.
    pub by: Option<UserId>,
    /// Words of the person who ended it.
    pub words: Option<Redacted<String>>,
}

/// What a raised alarm says.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it all")]
pub struct Raised {
    pub title: String,
    pub detail: String,
    pub priority: Priority,
    pub latching: bool,
    pub patient: Option<PatientId>,
    pub care_unit: Option<CareUnitId>,
    pub device: Option<DeviceId>,
}

/// Who was called about an alarm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Called {
    /// Which alarm.
    pub alarm: AlarmId,
    /// What it is about.
    pub key: AlarmKey,
    /// When.
    pub at: Timestamp,
    /// The step of escalation; 0 is the first call.
    pub step: u8,
    /// How many steps right below it were passed over.
    pub passed: u8,
    /// Everybody called; empty if there is nobody to call, which the alarm shows.
    pub staff: Vec<(StaffId, ToldAs)>,
}

/// A patient's early warning score, when it changed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it all")]
pub struct Scored {
    pub patient: PatientId,
    pub at: Timestamp,
    /// `None` while the set is incomplete.
    pub total: Option<u8>,
    pub single_red: bool,
    /// What is missing or aged.
    pub missing: Vec<News2Input>,
}

/// The numbers of the kinds; never reused.
pub(crate) mod kinds {
    use super::DECISIONS_FROM;

    pub(crate) const ACCEPTED: u16 = DECISIONS_FROM;
    pub(crate) const REFUSED: u16 = DECISIONS_FROM + 1;
    pub(crate) const ALARM: u16 = DECISIONS_FROM + 2;
    pub(crate) const CALLED: u16 = DECISIONS_FROM + 3;
    pub(crate) const SCORED: u16 = DECISIONS_FROM + 4;
    pub(crate) const TIME_PASSED: u16 = DECISIONS_FROM + 5;
}

impl Decision {
    /// The number of its kind in frames.
    pub const fn kind(&self) -> u16 {
        match self {
            Self::Accepted => kinds::ACCEPTED,
            Self::Refused(_) => kinds::REFUSED,
            Self::Alarm(_) => kinds::ALARM,
            Self::Called(_) => kinds::CALLED,
            Self::Scored(_) => kinds::SCORED,
            Self::TimePassed(_) => kinds::TIME_PASSED,
        }
    }
}

impl Decided {
    /// Kind, version and bytes of a frame's body.
    pub fn encode(&self) -> (u16, u8, Vec<u8>) {
        stored::encode(self)
    }

    /// Reads a decision of any version that was ever written.
    pub fn decode(kind: u16, version: u8, body: &[u8]) -> Result<Self, BodyError> {
        stored::decode(kind, version, body)
    }
}
