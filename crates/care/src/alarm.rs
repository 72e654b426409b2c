//! The one alarm machine, for every condition that can say a [`Verdict`].
//!
//! ```text
//!        Holds            held for `delay`          acknowledged
//!  Quiet ─────▶ Pending ───────────────────▶ Active ─────────────▶ Acknowledged ─┐
//!    ▲             │        with a signal    │    ▲                   │  │   ▲    │
//!    ├─ not held ──┘                         │    └── it has expired ─┘  │   └────┘
//!    └── Ended: condition over (if latching, only when acknowledged), ────┘  again
//!        superseded by a named alarm, or ended by a person with a reason
//! ```
//!
//! Unanswered, an active alarm climbs step by step; at the last step it stays.
//! Without a signal nothing matures and nothing ends: a detached electrode is no
//! recovery. Late evidence fills the chart and decides nothing. After a long sleep
//! the journal tells every change at the instant at which it was due, and only what
//! is to be heard now is announced.

use std::time::Duration;

use model::{AlarmId, EndReason, Priority, StaffId, Times, Timestamp};

#[cfg(test)]
mod tests;

/// What one piece of evidence says about a condition; hysteresis is `Between`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the diagram shows what each leads to")]
pub enum Verdict {
    Holds,
    Between,
    Over,
    NoSignal,
}

impl Verdict {
    /// What this means to an alarm while a more telling one stands in its place:
    /// it is not begun anew, and what is over is over.
    pub const fn under_cover(self) -> Self {
        match self {
            Self::Holds | Self::Between => Self::Between,
            Self::Over => Self::Over,
            Self::NoSignal => Self::NoSignal,
        }
    }
}

/// The `max_age` of a condition that knows by itself when it holds, such as «not recording».
pub const NEVER_OLD: Duration = Duration::MAX;

/// How an alarm behaves, whatever its condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// How it sounds and who hears it first.
    pub priority: Priority,
    /// Whether it outlives its condition until a person has acknowledged it.
    pub latching: bool,
    /// How long the condition must hold before the alarm is raised.
    pub delay: Duration,
    /// The longest that one acknowledgement keeps it quiet.
    pub quiet_for_max: Duration,
    /// How long each responder has before the next is called.
    pub escalate_after: Vec<Duration>,
    /// The age from which evidence is late, and silence is “no signal”.
    pub max_age: Duration,
}

/// Everything that can happen to an alarm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// A reading became durable, and the condition has weighed it.
    #[expect(missing_docs, reason = "the names say it all")]
    Evidence { verdict: Verdict, taken_at: Timestamp, received_at: Timestamp },
    /// This person takes responsibility for a while; the rule bounds how long.
    #[expect(missing_docs, reason = "the names say it all")]
    Acknowledge { by: StaffId, quiet_for: Duration },
    /// A person ends it.
    End(EndedBy, EndReason),
    /// A more telling alarm takes its place.
    Supersede(AlarmId),
    /// Time passed; see [`State::next_deadline`].
    Tick,
}

impl Input {
    /// Evidence from a reading; `None` if nobody knows the reading's age, as it then decides nothing.
    pub fn evidence(verdict: Verdict, times: &Times) -> Option<Self> {
        let (taken, received_at) = (times.taken(), times.received_at);
        taken.age_known.then_some(Self::Evidence { verdict, taken_at: taken.at, received_at })
    }

    /// Evidence of a condition that is known at this very instant.
    pub const fn known(verdict: Verdict, at: Timestamp) -> Self {
        Self::Evidence { verdict, taken_at: at, received_at: at }
    }
}

/// Through whom an alarm was ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EndedBy {
    /// A member of staff, at the alarm.
    Staff(StaffId),
    /// A person's entry elsewhere: a discharge or a taking-off, recorded here or by ADT.
    Entry,
}

/// What the engine must do, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Append this to the journal, then apply it to the live state.
    Record(Transition),
    /// Start the alarm signal.
    Sound(Priority),
    /// Stop the alarm signal.
    Hush,
    /// Call the responders of `step`; step 0 is the first.
    Call {
        /// The step now due.
        step: u8,
        /// How many steps right below it were due too and are passed over in silence.
        passed: u8,
    },
    /// Weigh this in the channel's technical alarm «no signal», which is another of these machines.
    WeighSignal(Verdict),
    /// Answer the person who asked.
    Refuse(NothingRaised),
}

/// Why a person's wish was not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no raised alarm to acknowledge or end")]
pub struct NothingRaised;

/// One journalled change, at the instant it belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it all")]
pub struct Transition {
    pub at: Timestamp,
    pub change: Change,
}

/// The ways in which an alarm changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the diagram at the top of this module describes every one")]
pub enum Change {
    Began,
    Subsided,
    Raised,
    Escalated {
        /// The step reached; step 0 was called when the alarm was raised.
        step: u8,
        /// How many steps right below it were passed over, as a late wake-up found them due too.
        passed: u8,
    },
    Acknowledged {
        by: StaffId,
        until: Timestamp,
    },
    AcknowledgementExpired,
    SignalLost,
    SignalFound,
    Ended(End),
}

/// The only ways in which a raised alarm ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it all")]
pub enum End {
    ConditionOver,
    Superseded(AlarmId),
    ByPerson(EndedBy, EndReason),
}

/// Where the alarm stands; `since` is when that began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the diagram at the top of this module describes every phase")]
pub enum Phase {
    #[default]
    Quiet,
    Pending {
        since: Timestamp,
    },
    Active {
        /// The responders called last; step 0 is the first.
        step: u8,
        since: Timestamp,
    },
    Acknowledged {
        by: StaffId,
        since: Timestamp,
        until: Timestamp,
    },
}

/// What is remembered between inputs. `apply` writes the first four fields and
/// `observe` the others, so only the order within each matters in replay.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct State {
    phase: Phase,
    began_at: Option<Timestamp>,
    raised_at: Option<Timestamp>,
    signal_since: Option<Timestamp>,
    newest: Option<Timestamp>,
    over: bool,
}

/// A [`State`] laid open, for checkpoints; its stored form belongs to the engine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// Where the alarm stands.
    pub phase: Phase,
    /// When the condition of the pending or raised alarm began.
    pub began_at: Option<Timestamp>,
    /// When the alarm that stands was raised.
    pub raised_at: Option<Timestamp>,
    /// Since when there is a signal; `None` is “no signal”.
    pub signal_since: Option<Timestamp>,
    /// When the newest evidence was taken.
    pub newest: Option<Timestamp>,
    /// Whether `Over` was seen after the last `Holds`.
    pub over: bool,
}

/// Deadlines at the end of time are none.
const END_OF_TIME: Timestamp = Timestamp::from_unix_nanos(i64::MAX);

impl State {
    /// Where the alarm stands.
    pub const fn phase(&self) -> Phase {
        self.phase
    }

    /// When the condition of the pending or raised alarm began.
    pub const fn began_at(&self) -> Option<Timestamp> {
        self.began_at
    }

    /// When the alarm that stands was raised; `None` if none stands.
    pub const fn raised_at(&self) -> Option<Timestamp> {
        self.raised_at
    }

    /// Whether the alarm can see; if not, screens mark it «no signal».
    pub const fn has_signal(&self) -> bool {
        self.signal_since.is_some()
    }

    /// Whether it stands only because nobody has acknowledged it yet: its condition is over.
    pub const fn is_latched(&self) -> bool {
        self.raised_at.is_some() && self.over
    }

    /// Whether everybody was called and nobody answered: it stays, and screens say so.
    pub fn is_unanswered(&self, rule: &Rule) -> bool {
        let last = rule.escalate_after.len();
        matches!(self.phase, Phase::Active { step, .. } if step > 0 && usize::from(step) >= last)
    }

    /// When the next responders are called if nobody answers; `None` if nobody is left to call.
    pub fn next_step_at(&self, rule: &Rule) -> Option<Timestamp> {
        self.climb(rule, Timestamp::from_unix_nanos(i64::MIN)).map(|(at, _)| at)
    }

    /// The instant at which the alarm wants an [`Input::Tick`], if any.
    pub fn next_deadline(&self, rule: &Rule) -> Option<Timestamp> {
        self.due(rule, Timestamp::from_unix_nanos(i64::MIN)).map(|(at, _)| at)
    }

    /// Lays the state open for a checkpoint (RC-025).
    pub const fn snapshot(&self) -> Snapshot {
        let Self { phase, began_at, raised_at, signal_since, newest, over } = *self;
        Snapshot { phase, began_at, raised_at, signal_since, newest, over }
    }

    /// Goes on from a checkpoint.
    pub const fn restore(snapshot: &Snapshot) -> Self {
        let Snapshot { phase, began_at, raised_at, signal_since, newest, over } = *snapshot;
        Self { phase, began_at, raised_at, signal_since, newest, over }
    }

    /// Takes in evidence, live and in replay alike.
    pub fn observe(&mut self, rule: &Rule, input: &Input) {
        if let Some((verdict, taken_at)) = self.news(rule, input) {
            self.newest = Some(taken_at);
            self.over = match verdict {
                Verdict::Over => true,
                Verdict::Holds => false,
                Verdict::Between | Verdict::NoSignal => self.over,
            };
        }
    }

    /// Folds one journalled change into the state, live and in replay alike.
    pub fn apply(&mut self, step: &Transition) {
        let since = step.at;
        match step.change {
            Change::Began => (self.phase, self.began_at) = (Phase::Pending { since }, Some(since)),
            Change::Raised => {
                (self.phase, self.raised_at) = (Phase::Active { step: 0, since }, Some(since));
            }
            Change::AcknowledgementExpired => self.phase = Phase::Active { step: 0, since },
            Change::Escalated { step, .. } => self.phase = Phase::Active { step, since },
            Change::Acknowledged { by, until } => {
                self.phase = Phase::Acknowledged { by, since, until };
            }
            Change::Subsided | Change::Ended(_) => {
                (self.phase, self.began_at, self.raised_at) = (Phase::Quiet, None, None);
            }
            Change::SignalLost => self.signal_since = None,
            Change::SignalFound => self.signal_since = Some(since),
        }
    }

    /// Evidence that is neither late nor older than what was already seen (RC-004).
    fn news(&self, rule: &Rule, input: &Input) -> Option<(Verdict, Timestamp)> {
        let &Input::Evidence { verdict, taken_at, received_at } = input else { return None };
        let is_late = received_at.since(taken_at) >= rule.max_age;
        let is_overtaken = self.newest.is_some_and(|newest| taken_at < newest);
        (!is_late && !is_overtaken).then_some((verdict, taken_at))
    }

    /// The next change that time alone will bring; a lost signal comes first.
    fn due(&self, rule: &Rule, now: Timestamp) -> Option<(Timestamp, Due)> {
        let newest = self.newest.filter(|_| self.has_signal());
        let lost = newest.map(|newest| (newest.after(rule.max_age), Due::SignalLost));
        let next = match self.phase {
            // RC-003: without a signal a pending alarm has no deadline at all.
            Phase::Pending { since } => {
                self.signal_since.map(|signal| (since.after(rule.delay).max(signal), Due::Raised))
            }
            Phase::Active { .. } => {
                self.climb(rule, now).map(|(at, step)| (at, Due::Escalated(step)))
            }
            Phase::Acknowledged { until, .. } => Some((until, Due::AcknowledgementExpired)),
            Phase::Quiet => None,
        };
        let first = [lost, next].into_iter().flatten().min_by_key(|(at, _)| *at);
        first.filter(|(at, _)| *at < END_OF_TIME)
    }

    /// The highest step due at `now`, or else the next one, with its instant (RC-002).
    fn climb(&self, rule: &Rule, now: Timestamp) -> Option<(Timestamp, u8)> {
        let Phase::Active { step, since } = self.phase else { return None };
        let mut found = None;
        let (mut step, mut at) = (step, since);
        while let Some(wait) = rule.escalate_after.get(usize::from(step)) {
            (step, at) = (step.checked_add(1)?, at.after(*wait));
            if found.is_some() && at > now {
                break;
            }
            found = Some((at, step));
        }
        found
    }
}

/// What time alone can bring.
#[derive(Clone, Copy)]
enum Due {
    SignalLost,
    Raised,
    Escalated(u8),
    AcknowledgementExpired,
}

/// Decides what one input at one instant leads to; the state is as it was before.
///
/// A late wake-up changes nothing but lateness: a deadline that has passed is
/// met first, stamped with the instant at which it was due. For a record `now`
/// is its `received_at`, so a backlog is decided as if it had been on time.
pub fn decide(rule: &Rule, state: &State, input: &Input, now: Timestamp) -> Vec<Effect> {
    let mut draft = Draft::new(rule, *state);
    draft.meet_deadlines(now);
    if let Some((verdict, _)) = draft.state.news(rule, input) {
        draft.state.observe(rule, input);
        draft.weigh(verdict, now);
    }
    match *input {
        Input::Acknowledge { by, quiet_for } => {
            let until = now.after(quiet_for.min(rule.quiet_for_max));
            draft.answer(now, Change::Acknowledged { by, until });
        }
        Input::End(by, reason) => draft.answer(now, Change::Ended(End::ByPerson(by, reason))),
        Input::Supersede(by) => draft.answer(now, Change::Ended(End::Superseded(by))),
        Input::Evidence { .. } | Input::Tick => {}
    }
    draft.end_if_over(now);
    draft.meet_deadlines(now);
    draft.announce()
}

/// A decision in the making: a scratch copy of the state and the effects so far.
struct Draft<'a> {
    rule: &'a Rule,
    state: State,
    effects: Vec<Effect>,
    /// Whether the alarm signal starts (again) with this decision.
    sounds: bool,
    /// Whether the alarm signal stops with this decision.
    hushes: bool,
    /// The lowest step that became due in this decision and was not called.
    uncalled: Option<u8>,
}

impl<'a> Draft<'a> {
    const fn new(rule: &'a Rule, state: State) -> Self {
        Self { rule, state, effects: Vec::new(), sounds: false, hushes: false, uncalled: None }
    }

    fn record(&mut self, at: Timestamp, change: Change) {
        let step = Transition { at, change };
        self.state.apply(&step);
        self.effects.push(Effect::Record(step));
        match change {
            Change::Raised | Change::AcknowledgementExpired => {
                (self.sounds, self.hushes, self.uncalled) = (true, false, Some(0));
            }
            Change::Acknowledged { .. } | Change::Ended(_) => {
                (self.sounds, self.hushes, self.uncalled) = (false, true, None);
            }
            Change::Escalated { step, passed } => {
                self.uncalled = Some(step.saturating_sub(passed));
            }
            Change::SignalLost => self.effects.push(Effect::WeighSignal(Verdict::Holds)),
            Change::SignalFound => self.effects.push(Effect::WeighSignal(Verdict::Over)),
            Change::Began | Change::Subsided => {}
        }
    }

    fn meet_deadlines(&mut self, now: Timestamp) {
        while let Some((at, due)) = self.state.due(self.rule, now).filter(|(at, _)| *at <= now) {
            let change = match due {
                Due::SignalLost => Change::SignalLost,
                Due::Raised => Change::Raised,
                Due::AcknowledgementExpired => Change::AcknowledgementExpired,
                Due::Escalated(step) => Change::Escalated { step, passed: self.passed(step) },
            };
            self.record(at, change);
        }
    }

    /// How many steps below `step` are due with it and were called by nobody.
    const fn passed(&self, step: u8) -> u8 {
        let from = match (self.uncalled, self.state.phase) {
            (Some(uncalled), _) => uncalled,
            (None, Phase::Active { step, .. }) => step.saturating_add(1),
            (None, Phase::Quiet | Phase::Pending { .. } | Phase::Acknowledged { .. }) => 0,
        };
        step.saturating_sub(from)
    }

    fn weigh(&mut self, verdict: Verdict, at: Timestamp) {
        let has_signal = verdict != Verdict::NoSignal;
        if has_signal != self.state.has_signal() {
            self.record(at, if has_signal { Change::SignalFound } else { Change::SignalLost });
        }
        match self.state.phase {
            Phase::Quiet if verdict == Verdict::Holds => self.record(at, Change::Began),
            Phase::Pending { .. } if matches!(verdict, Verdict::Between | Verdict::Over) => {
                self.record(at, Change::Subsided);
            }
            Phase::Quiet
            | Phase::Pending { .. }
            | Phase::Active { .. }
            | Phase::Acknowledged { .. } => {}
        }
    }

    fn answer(&mut self, at: Timestamp, change: Change) {
        match self.state.phase {
            Phase::Active { .. } | Phase::Acknowledged { .. } => self.record(at, change),
            Phase::Quiet | Phase::Pending { .. } => {
                self.effects.push(Effect::Refuse(NothingRaised));
            }
        }
    }

    /// RC-005: an alarm ends by itself only if its condition is seen to be over.
    fn end_if_over(&mut self, at: Timestamp) {
        let known_to_be_over = self.state.over && self.state.has_signal();
        let may_end = match self.state.phase {
            Phase::Active { .. } => !self.rule.latching,
            Phase::Acknowledged { .. } => true,
            Phase::Quiet | Phase::Pending { .. } => false,
        };
        if known_to_be_over && may_end {
            self.record(at, Change::Ended(End::ConditionOver));
        }
    }

    /// Closes with what is to be heard now, once: RC-001 for the sound and the first call.
    fn announce(mut self) -> Vec<Effect> {
        if self.sounds {
            self.effects.push(Effect::Sound(self.rule.priority));
        }
        if self.hushes {
            self.effects.push(Effect::Hush);
        }
        if let (Some(from), Phase::Active { step, .. }) = (self.uncalled, self.state.phase) {
            self.effects.push(Effect::Call { step, passed: step.saturating_sub(from) });
        }
        self.effects
    }
}
