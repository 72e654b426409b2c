//! Reading the past: what was decided is applied where it was decided, never decided again.
//!
//! The journal is read twice. The first pass collects decisions, which stand in the
//! log behind the records that caused them; the second takes the records in order.
//! Records behind the last cause were decided on nowhere: those are taken live.

use std::collections::BTreeMap;

use model::Timestamp;
use store::{LogOffset, Record};

use crate::{
    core::{Core, Out},
    record::{DECISIONS, Decided, Decision, Decisions},
};

/// The decisions of a stretch of journal, in the order in which they were made.
#[derive(Debug, Default)]
pub struct Ahead {
    frames: BTreeMap<(LogOffset, u32), Vec<Decided>>,
    last_cause: LogOffset,
    unreadable: u64,
}

impl Ahead {
    /// What a core that has come so far is still to be told; it forgets what it applied already.
    pub fn of<'a>(core: &Core, records: impl Iterator<Item = &'a Record>) -> Self {
        let mut ahead = Self::default();
        records.for_each(|record| ahead.look(record));
        ahead.forget_known(core);
        ahead
    }

    /// Collects the decisions of one record of the first pass.
    pub fn look(&mut self, record: &Record) {
        let frame = &record.frame;
        if frame.kind != DECISIONS {
            return;
        }
        match Decisions::decode(frame.kind, frame.body_version, &frame.body) {
            Ok(decisions) => {
                let key = (decisions.after, decisions.first_index);
                self.last_cause = self.last_cause.max(decisions.after);
                self.frames.insert(key, decisions.into_decided().collect());
            }
            Err(_) => self.unreadable += 1,
        }
    }

    /// Drops what is in the core's state already, as it came from a checkpoint.
    pub fn forget_known(&mut self, core: &Core) {
        if let Some(next) = core.applied_up_to() {
            self.frames = self.frames.split_off(&next);
        }
    }

    /// Whether everything up to here was decided, and stands in the journal.
    pub(crate) fn has_decided(&self, offset: LogOffset) -> bool {
        offset <= self.last_cause
    }

    /// Frames of decisions that could not be read.
    pub const fn unreadable(&self) -> u64 {
        self.unreadable
    }

    /// Applies the frames of records that end before `end`, each as a turn of its own.
    fn apply_before(&mut self, end: (LogOffset, u32), core: &mut Core, out: &mut Out) {
        let rest = self.frames.split_off(&end);
        for decided in std::mem::replace(&mut self.frames, rest).into_values() {
            core.apply_only(decided, out);
        }
    }

    /// The frame of what a record itself led to; what time or the program led to stands apart.
    fn own(&mut self, end: LogOffset) -> Vec<Decided> {
        let is_own =
            self.frames.get(&(end, 0)).and_then(|frame| frame.first()).is_some_and(|first| {
                !matches!(first.decision, Decision::TimePassed(_) | Decision::Noticed(_))
            });
        let own = is_own.then(|| self.frames.remove(&(end, 0)));
        own.flatten().unwrap_or_default()
    }

    // RC-033
    /// Takes one record of the second pass: as it was decided then, or live if nobody decided on it yet.
    pub fn take(&mut self, core: &mut Core, record: &Record, out: &mut Out) {
        if record.frame.kind >= ::record::DECISIONS_FROM {
            core.step(record, out);
            return;
        }
        self.apply_before((record.offset, 0), core, out);
        if record.offset <= self.last_cause {
            let own = self.own(record.offset);
            core.observe_only(record, own, out);
        } else {
            meet_deadlines(core, record.frame.received_at, out);
            core.step(record, out);
        }
    }

    /// Applies what is left: decisions behind the last record.
    pub fn finish(&mut self, core: &mut Core, out: &mut Out) {
        for decided in std::mem::take(&mut self.frames).into_values() {
            core.apply_only(decided, out);
        }
    }
}

/// Looks at the time before an undecided record as the loop would have: deadline by deadline.
fn meet_deadlines(core: &mut Core, to: Timestamp, out: &mut Out) {
    let mut last = None;
    while let Some(due) = core.next_deadline().filter(|due| *due <= to) {
        // A deadline that is still there was met as far as it can be.
        if last.replace(due) == Some(due) {
            break;
        }
        core.tick(due.max(core.now()), out);
    }
}
