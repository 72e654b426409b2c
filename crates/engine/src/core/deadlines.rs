//! Time alone: what becomes due, in order, at the instant at which it was due.
//!
//! Timers belong to observation (silence, aging) and run in replay too; the
//! deadlines of alarms belong to decisions and are only met live. Both are kept
//! lazily: one that fires too early looks again and goes back.

use std::collections::{BTreeMap, BTreeSet};

use model::{DeviceId, PatientId, SiteId, Timestamp};

use super::{Core, Turn};

/// What a timer is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timer {
    /// A device may have fallen silent.
    Silence(DeviceId),
    /// An input of a patient's score becomes too old.
    Aging(PatientId),
    /// The watchdog of a site may have fallen silent.
    Beat(SiteId),
}

/// Instants with what is to be looked at then, earliest first.
#[derive(Clone, Debug, Default)]
pub(super) struct Timers {
    due: BTreeSet<(Timestamp, Timer)>,
    at: BTreeMap<Timer, Timestamp>,
}

impl Timers {
    pub(super) fn first(&self) -> Option<Timestamp> {
        self.due.first().map(|(at, _)| *at)
    }

    /// Makes sure that the timer fires at `at` or earlier.
    pub(super) fn by(&mut self, timer: Timer, at: Timestamp) {
        let earlier = self.at.get(&timer).is_none_or(|present| at < *present);
        if earlier {
            if let Some(present) = self.at.insert(timer, at) {
                self.due.remove(&(present, timer));
            }
            self.due.insert((at, timer));
        }
    }

    fn take_due(&mut self, to: Timestamp) -> Option<(Timestamp, Timer)> {
        let first = *self.due.first().filter(|(at, _)| *at <= to)?;
        self.due.remove(&first);
        self.at.remove(&first.1);
        Some(first)
    }

    pub(super) fn clear(&mut self) {
        self.due.clear();
        self.at.clear();
    }
}

impl Core {
    /// Meets everything that is due up to `to`, in order; afterwards it is `to`.
    pub(super) fn advance(&mut self, turn: &mut Turn<'_>, to: Timestamp) {
        loop {
            let timer = self.timers.first().filter(|at| *at <= to);
            let alarm = self.alarms.first_deadline().filter(|at| turn.is_live() && *at <= to);
            match (timer, alarm) {
                (None, None) => break,
                (Some(timer), alarm) if alarm.is_none_or(|alarm| timer <= alarm) => {
                    if let Some((at, timer)) = self.timers.take_due(to) {
                        self.now = self.now.max(at);
                        turn.now = self.now;
                        self.fire(turn, timer, at);
                    }
                }
                (_, _) => self.meet_first_deadline(turn, to),
            }
        }
        self.now = self.now.max(to);
        turn.now = self.now;
    }

    fn fire(&mut self, turn: &mut Turn<'_>, timer: Timer, at: Timestamp) {
        match timer {
            Timer::Silence(device) => self.silence_due(turn, device, at),
            Timer::Aging(patient) => self.aging_due(turn, patient, at),
            Timer::Beat(site) => self.beat_due(turn, site, at),
        }
    }
}
