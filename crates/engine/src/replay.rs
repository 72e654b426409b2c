//! Reading the past: what was decided is applied where it was decided, never decided again.
//!
//! The journal is read twice. The first pass collects decisions, which stand in the
//! log behind the records that caused them; the second takes the records in order.
//! Records behind the last cause were decided on nowhere: those are taken live.

use std::collections::BTreeMap;

use store::{LogOffset, Record};

use crate::{
    core::{Core, Out},
    record::{DECISIONS, Decided, Decisions},
};

/// The decisions of a stretch of journal, in the order in which they were made.
#[derive(Debug, Default)]
pub struct Ahead {
    decided: BTreeMap<(LogOffset, u32), Decided>,
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
                for decided in decisions.into_decided() {
                    self.last_cause = self.last_cause.max(decided.after);
                    self.decided.insert((decided.after, decided.effect.index), decided);
                }
            }
            Err(_) => self.unreadable += 1,
        }
    }

    /// Drops what is in the core's state already, as it came from a checkpoint.
    pub fn forget_known(&mut self, core: &Core) {
        if let Some(next) = core.applied_up_to() {
            self.decided = self.decided.split_off(&next);
        }
    }

    /// Frames of decisions that could not be read.
    pub const fn unreadable(&self) -> u64 {
        self.unreadable
    }

    fn before(&mut self, end: LogOffset) -> Vec<Decided> {
        let rest = self.decided.split_off(&(end, 0));
        std::mem::replace(&mut self.decided, rest).into_values().collect()
    }

    fn at(&mut self, end: LogOffset) -> Vec<Decided> {
        let rest = self.decided.split_off(&(end, u32::MAX));
        std::mem::replace(&mut self.decided, rest).into_values().collect()
    }

    /// Takes one record of the second pass: as it was decided then, or live if nobody decided on it yet.
    pub fn take(&mut self, core: &mut Core, record: &Record, out: &mut Out) {
        if record.frame.kind >= ::record::DECISIONS_FROM {
            core.step(record, out);
            return;
        }
        let before = self.before(record.offset);
        if !before.is_empty() {
            core.apply_only(before, out);
        }
        if record.offset <= self.last_cause {
            let decided = self.at(record.offset);
            core.observe_only(record, decided, out);
        } else {
            core.step(record, out);
        }
    }

    /// Applies what is left: decisions behind the last record.
    pub fn finish(&mut self, core: &mut Core, out: &mut Out) {
        let rest: Vec<Decided> = std::mem::take(&mut self.decided).into_values().collect();
        if !rest.is_empty() {
            core.apply_only(rest, out);
        }
    }
}
