//! What the engine decided, as types and as frames of the journal: the one place
//! where a decision's stored form is known. Old versions stay readable for ever.
//!
//! A decision names its cause, so that a replay applies it right where it was
//! made, however much later it reached the disk.

use std::time::Duration;

use ::record::{BodyError, DECISIONS_FROM, Position};
use care::alarm::Verdict;
use model::{
    AlarmId, CareUnitId, DeviceId, PatientId, Priority, Redacted, SiteId, StaffId, Timestamp,
    UserId,
};
use store::LogOffset;

use crate::{
    core::AlarmKey,
    view::{News2Input, Recording, ToldAs},
};

pub(crate) mod stored;
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
    Alarm(Box<AlarmChanged>),
    /// Somebody was called, or nobody could be.
    Called(Called),
    /// Evidence that one alarm gives to another: a loss of signal.
    Weighed(Weighed),
    /// A patient's score changed.
    Scored(Scored),
    /// Time alone was looked at up to this instant, and something followed.
    TimePassed(Timestamp),
    /// The program noticed something about itself.
    Noticed(Notice),
}

/// What the program notices about itself, and no record tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice {
    /// The engine listens again after a pause; silence counts from here.
    Listening {
        /// Since when.
        at: Timestamp,
    },
    /// Whether the journal records changed.
    Recording {
        /// What it is now.
        recording: Recording,
        /// Since when.
        at: Timestamp,
    },
    /// A watchdog's beat took this long to be processed, and that changed what it means.
    Pace {
        /// Whose watchdog.
        site: SiteId,
        /// From being sent to being processed.
        took: Duration,
        /// When it was processed.
        at: Timestamp,
    },
    /// An earlier run ended while it was not recording: what it decided and sounded then
    /// may be in no journal.
    Unrecorded {
        /// Since when it had not recorded.
        since: Timestamp,
        /// When this run began, at the latest.
        until: Timestamp,
    },
}

/// Evidence that one alarm gives to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it all")]
pub struct Weighed {
    pub key: AlarmKey,
    pub verdict: Verdict,
    pub at: Timestamp,
    pub device: Option<DeviceId>,
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
    /// Which alarm; none if the change belongs to no alarm that stands or is pending.
    pub alarm: Option<AlarmId>,
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

/// The kind of the frames that hold decisions; the numbers from here on are the engine's.
pub const DECISIONS: u16 = DECISIONS_FROM;

/// The decisions of one turn: all of them are in the journal, or none.
#[derive(Clone, Debug, PartialEq)]
pub struct Decisions {
    /// The record that caused them.
    pub cause: Position,
    /// Where that record ends in the log.
    pub after: LogOffset,
    /// The index of the first; the others count on.
    pub first_index: u32,
    /// In the order in which they were made.
    pub list: Vec<Decision>,
}

impl Decisions {
    /// Kind, version and bytes of a frame's body.
    pub fn encode(&self) -> (u16, u8, Vec<u8>) {
        stored::encode(self)
    }

    /// Reads decisions of any version that was ever written.
    pub fn decode(kind: u16, version: u8, body: &[u8]) -> Result<Self, BodyError> {
        stored::decode(kind, version, body)
    }

    /// Each with its name.
    pub fn into_decided(self) -> impl Iterator<Item = Decided> {
        let Self { cause, after, first_index, list } = self;
        list.into_iter().zip(first_index..).map(move |(decision, index)| Decided {
            effect: EffectId { cause, index },
            after,
            decision,
        })
    }
}
