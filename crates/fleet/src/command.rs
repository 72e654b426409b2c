//! A command to a device: whether it may be given, and how far it has come.
//!
//! ```text
//! asked ─▶ waits for a second look ─▶ sent ─▶ running ─▶ done
//!   └──────── not on a patient ────────▲  └─▶ failed, refused, not confirmed, expired
//! ```
//! Done is only what the device reports itself, before the command expires. Nothing that
//! could matter to a patient reaches a device on one without a second person's look.

use std::time::Duration;

use model::{Lifecycle, Timestamp};
use protocols::profile::{CommandSpec, OnPatient};

/// What will happen if the command is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Whether a second person has to agree first.
    pub needs_second: bool,
}

/// Why a command is not given.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it all")]
pub enum NoPlan {
    #[error("the device is {}; only one in service takes commands", crate::lifecycle::word(*.0))]
    NotInService(Lifecycle),
    #[error("not while the device is on a patient; take it off first")]
    OnAPatient,
    #[error("`{name}` is missing; {words} has to be between {min} and {max}")]
    Missing { name: String, words: String, min: i64, max: i64 },
    #[error("`{name}` is {found}; {words} has to be between {min} and {max}")]
    OutOfRange { name: String, words: String, found: i64, min: i64, max: i64 },
    #[error("the command takes no `{name}`, or takes it once")]
    Surplus { name: String },
}

/// Plans a command for a device as it is now; each argument is in the unit that the profile says.
pub fn plan(
    spec: &CommandSpec,
    args: &[(String, i64)],
    lifecycle: Lifecycle,
    is_on_patient: bool,
) -> Result<Plan, NoPlan> {
    if lifecycle != Lifecycle::InService {
        return Err(NoPlan::NotInService(lifecycle));
    }
    for (place, (name, _)) in args.iter().enumerate() {
        let is_known = spec.args.iter().any(|arg| arg.name == *name);
        let is_twice = args.iter().take(place).any(|(other, _)| other == name);
        if !is_known || is_twice {
            return Err(NoPlan::Surplus { name: name.clone() });
        }
    }
    for arg in &spec.args {
        let (name, words, min, max) = (arg.name.clone(), arg.words.clone(), arg.min, arg.max);
        match args.iter().find(|(given, _)| *given == arg.name) {
            None => return Err(NoPlan::Missing { name, words, min, max }),
            Some((_, found)) if !(min..=max).contains(found) => {
                return Err(NoPlan::OutOfRange { name, words, found: *found, min, max });
            }
            Some(_) => {}
        }
    }
    match (is_on_patient, spec.on_patient) {
        (false, _) | (true, OnPatient::Free) => Ok(Plan { needs_second: false }),
        (true, OnPatient::SecondLook) => Ok(Plan { needs_second: true }),
        (true, OnPatient::Never) => Err(NoPlan::OnAPatient),
    }
}

/// What the device's answer means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// It has it, or works on it.
    Running,
    /// It reports the new state.
    Done,
    /// It says that it is done and does not report the new state.
    NotConfirmed,
    /// It could not.
    Failed,
    /// It would not.
    Refused,
}

/// What a device says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names say it all")]
pub enum Said {
    Received,
    Running,
    Done,
    Failed,
    Refused,
}

/// Judges an answer by what it reports: what is named like an argument has its value, in the
/// unit that the profile says.
pub fn judge(
    said: Said,
    reports: &[String],
    args: &[(String, i64)],
    reported: &[(String, i64)],
) -> Verdict {
    let holds = |name: &String| {
        let found = reported.iter().find(|(it, _)| it == name).map(|(_, value)| *value);
        let wanted = args.iter().find(|(it, _)| it == name).map(|(_, value)| *value);
        found.is_some_and(|found| wanted.is_none_or(|wanted| wanted == found))
    };
    match said {
        Said::Received | Said::Running => Verdict::Running,
        Said::Done if reports.iter().all(holds) => Verdict::Done,
        Said::Done => Verdict::NotConfirmed,
        Said::Failed => Verdict::Failed,
        Said::Refused => Verdict::Refused,
    }
}

/// What happened to a command so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Life {
    /// When the device has to have reported by.
    pub expires_at: Timestamp,
    /// Whether a second person has to agree first.
    pub needs_second: bool,
    /// Whether one has.
    pub is_seconded: bool,
    /// Whether it was taken back before it was sent.
    pub is_withdrawn: bool,
    /// The device's last answer.
    pub answer: Option<(Timestamp, Verdict)>,
}

/// How far a command has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names say it all")]
pub enum Phase {
    WaitsForSecond,
    /// It is published as soon as the device is connected.
    Sent,
    Running,
    Done,
    NotConfirmed,
    Failed,
    Refused,
    Expired,
    Withdrawn,
}

impl Phase {
    /// Whether nothing more can come of it.
    pub const fn is_over(self) -> bool {
        match self {
            Self::WaitsForSecond | Self::Sent | Self::Running => false,
            Self::Done
            | Self::NotConfirmed
            | Self::Failed
            | Self::Refused
            | Self::Expired
            | Self::Withdrawn => true,
        }
    }
}

/// How far a command has come at `now`; an answer after its end counts for nothing.
pub fn phase(life: &Life, now: Timestamp) -> Phase {
    if life.is_withdrawn {
        return Phase::Withdrawn;
    }
    let in_time = life.answer.filter(|(at, _)| *at < life.expires_at).map(|(_, verdict)| verdict);
    match in_time {
        Some(Verdict::Done) => return Phase::Done,
        Some(Verdict::NotConfirmed) => return Phase::NotConfirmed,
        Some(Verdict::Failed) => return Phase::Failed,
        Some(Verdict::Refused) => return Phase::Refused,
        Some(Verdict::Running) | None => {}
    }
    if now >= life.expires_at {
        Phase::Expired
    } else if life.needs_second && !life.is_seconded {
        Phase::WaitsForSecond
    } else if in_time.is_some() {
        Phase::Running
    } else {
        Phase::Sent
    }
}

/// Why nobody can agree to a command or take it back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it all")]
pub enum NoChange {
    #[error("the command does not wait for a second look")]
    DoesNotWait,
    #[error("the second look is somebody else's than who asked for the command")]
    SamePerson,
    #[error("the command is with the device already, or over")]
    TooLate,
}

/// Whether somebody may agree to a command.
pub fn may_second(life: &Life, is_same_person: bool, now: Timestamp) -> Result<(), NoChange> {
    if phase(life, now) != Phase::WaitsForSecond {
        return Err(NoChange::DoesNotWait);
    }
    if is_same_person { Err(NoChange::SamePerson) } else { Ok(()) }
}

/// Whether a command may be taken back: only before it could have reached the device.
pub fn may_withdraw(life: &Life, now: Timestamp) -> Result<(), NoChange> {
    match phase(life, now) {
        Phase::WaitsForSecond => Ok(()),
        Phase::Sent
        | Phase::Running
        | Phase::Done
        | Phase::NotConfirmed
        | Phase::Failed
        | Phase::Refused
        | Phase::Expired
        | Phase::Withdrawn => Err(NoChange::TooLate),
    }
}

/// The longest that a command waits for its device, whatever its profile says.
pub const LASTS_MAX: Duration = Duration::from_secs(86_400);

#[cfg(test)]
mod tests;
