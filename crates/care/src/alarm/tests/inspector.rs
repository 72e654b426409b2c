//! Reads a journal as an inspector would: was every change allowed to happen?

use super::*;

/// What the inspector remembers of the alarm whose journal is open.
#[derive(Default)]
struct File {
    /// The condition began and the alarm is not raised yet.
    pending: Option<Timestamp>,
    stands: bool,
    acknowledged_until: Option<Timestamp>,
    step: u8,
    over: bool,
    signal: bool,
    newest: Timestamp,
    cause: Option<Input>,
}

/// Checks that every raised alarm has at most one end, each end its right, each
/// raise its evidence, and each step its turn. Answers whether an alarm still stands.
pub(super) fn inspect(rule: &Rule, journal: &[Entry]) -> bool {
    let mut file = File::default();
    for entry in journal {
        match *entry {
            Entry::Happened(input) => file.happened(rule, input),
            Entry::Changed(step) => file.changed(rule, step),
        }
    }
    file.stands
}

impl File {
    fn happened(&mut self, rule: &Rule, input: Input) {
        self.cause = Some(input);
        if let Input::Evidence { verdict, taken_at, received_at } = input
            && taken_at >= self.newest
            && received_at.since(taken_at) < rule.max_age
        {
            self.newest = taken_at;
            self.over = verdict == Verdict::Over || self.over && verdict != Verdict::Holds;
        }
    }

    fn changed(&mut self, rule: &Rule, Transition { at, change }: Transition) {
        let cause = self.cause.unwrap();
        match change {
            Change::Began => {
                assert!(!self.stands && self.pending.is_none() && self.signal, "began twice");
                self.pending = Some(at);
            }
            Change::Subsided => assert!(self.pending.take().is_some(), "nothing to subside"),
            Change::Raised => {
                let began_at = self.pending.take().unwrap();
                assert!(at.since(began_at) >= rule.delay && self.signal, "raised blindly");
                (self.stands, self.step, self.acknowledged_until) = (true, 0, None);
            }
            Change::Escalated { step, passed } => {
                assert!(self.stands && self.acknowledged_until.is_none(), "climbed unasked");
                // A step is called in its turn or named as passed over; step 0 may be both.
                let called = self.step.saturating_add(1);
                assert!(step - passed == called || step - passed == 0 && self.step == 0);
                assert!(step > self.step && usize::from(step) <= rule.escalate_after.len());
                self.step = step;
            }
            Change::Acknowledged { by, until } => {
                let asked = matches!(cause, Input::Acknowledge { by: who, .. } if who == by);
                let short = until.since(at) <= rule.quiet_for_max;
                assert!(self.stands && asked && short, "{change:?} after {cause:?}");
                self.acknowledged_until = Some(until);
            }
            Change::AcknowledgementExpired => {
                let until = self.acknowledged_until.take();
                assert!(self.stands && until == Some(at), "expired at {at:?}, not {until:?}");
                self.step = 0;
            }
            Change::SignalLost => assert!(std::mem::take(&mut self.signal), "lost twice"),
            Change::SignalFound => assert!(!std::mem::replace(&mut self.signal, true)),
            Change::Ended(end) => {
                let seen = self.acknowledged_until.is_some() || !rule.latching;
                let allowed = match end {
                    End::ConditionOver => self.over && self.signal && seen,
                    End::ByPerson(by, why) => cause == Input::End(by, why),
                    End::Superseded(by) => cause == Input::Supersede(by),
                };
                assert!(self.stands && allowed, "{end:?} after {cause:?}");
                (self.stands, self.acknowledged_until) = (false, None);
            }
        }
    }
}
