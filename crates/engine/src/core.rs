//! The whole fold: from records to state, decisions, points, rows and deltas. It does
//! no IO, reads no clock and draws nothing, so that a replay is what was live.
//!
//! ```text
//! record ─▶ advance (deadlines up to its receipt) ─▶ observe and decide ─▶ apply ─▶ Out
//! replay ─▶ advance ─▶ observe ───────────────────▶ apply what was journalled
//! ```
//!
//! What `observe` writes never depends on what `apply` writes within the same
//! record, so both orders lead to the same state. A decision is applied at its
//! cause, however much later its frame reached the log.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::Arc,
};

use ::record::{Actor, Body, Position, Wish};
use model::{AlarmId, DeviceId, Id, Kind, LimitSet, OrgId, PatientId, SiteId, Timestamp, Vital};
use protocols::profile::Profile;
use store::{LogOffset, Record};

use crate::{
    directory::Directory,
    record::{Decided, Decision, EffectId},
    view,
};

mod alarms;
mod changes;
mod commands;
mod corrections;
mod covers;
mod deadlines;
mod ecg;
mod facts;
mod fleet;
mod imports;
mod links;
mod machine;
mod news;
mod out;
mod readings;
mod reports;
mod restore;
mod rows;
mod technical;
#[cfg(test)]
mod tests;
mod views;
mod waves;

pub use alarms::{About, AlarmKey};
pub use links::LINK_CHANNEL;
pub(crate) use out::DecidedOf;
pub use out::{Out, OutcomeOf, PointOf, WaveOf};
pub use restore::RestoreError;
pub(crate) use rows::ROOM as ROWS_OF_AN_EFFECT;
pub(crate) use waves::{SealedForm, left_of, made_again, start_of};

use alarms::Alarms;
use changes::Changes;
use deadlines::Timers;
use facts::ProfileFacts;
use readings::DeviceRun;

/// A stage that a test cuts out, to see that the whole notices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are those of the stages")]
pub enum Cut {
    Series,
    Deciders,
    Alarms,
    Escalation,
    LiveFeed,
}

impl Cut {
    /// The stage of this name.
    pub fn find(name: &str) -> Option<Self> {
        match name {
            "series" => Some(Self::Series),
            "deciders" => Some(Self::Deciders),
            "alarms" => Some(Self::Alarms),
            "escalation" => Some(Self::Escalation),
            "live_feed" => Some(Self::LiveFeed),
            _ => None,
        }
    }
}

/// What the engine is given once and journals nowhere.
#[derive(Clone, Debug, Default)]
pub struct Setup {
    /// The device profiles by name.
    pub profiles: BTreeMap<String, Profile>,
    /// For tests only.
    pub cut: Option<Cut>,
}

/// The record that is being taken, or was taken last: what decisions name as their cause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cause {
    pub(crate) position: Position,
    pub(crate) after: LogOffset,
    pub(crate) org: OrgId,
    pub(crate) received_at: Timestamp,
    pub(crate) next_index: u32,
}

/// A command that is being judged.
#[derive(Clone, Debug)]
struct Asked {
    actor: Actor,
    wish: Arc<Wish>,
    at: Timestamp,
}

/// Whether decisions are made, or read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Live,
    Replay,
}

/// One record or one tick on its way through.
#[derive(Debug)]
pub(crate) struct Turn<'a> {
    mode: Mode,
    out: &'a mut Out,
    pub(crate) now: Timestamp,
    asked: Option<Asked>,
    /// What was decided in this turn.
    decided: Vec<Decided>,
    /// Whether a timer did something, which a replay must repeat.
    acted: bool,
}

impl<'a> Turn<'a> {
    const fn new(mode: Mode, now: Timestamp, out: &'a mut Out) -> Self {
        Self { mode, out, now, asked: None, decided: Vec::new(), acted: false }
    }

    const fn is_live(&self) -> bool {
        matches!(self.mode, Mode::Live)
    }
}

/// Counts of what was taken live; they begin at zero with each start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it all")]
pub struct Counters {
    pub records: u64,
    pub stored: u64,
    pub duplicates: u64,
    pub dead_letters: u64,
    pub readings: u64,
    pub waveform_samples: u64,
    pub unreadable: u64,
    pub alarms_raised: u64,
    pub alarms_acknowledged: u64,
    pub alarms_escalated: u64,
    pub alarms_ended: u64,
    pub commands_accepted: u64,
    pub commands_refused: u64,
}

/// Everything that the engine knows, and how it changes.
#[derive(Clone, Debug)]
pub struct Core {
    setup: Arc<Setup>,
    facts: BTreeMap<String, Arc<ProfileFacts>>,
    // From here on: state, equal after any number of restarts.
    now: Timestamp,
    came_to: LogOffset,
    cause: Option<Cause>,
    directory: Arc<Directory>,
    devices: BTreeMap<DeviceId, DeviceRun>,
    patients: BTreeMap<PatientId, news::PatientRun>,
    sites: BTreeMap<SiteId, technical::SiteRun>,
    /// What devices say about themselves.
    reports: BTreeMap<DeviceId, view::DeviceReport>,
    recording: view::Recording,
    /// Since when silence counts: the last start after a pause.
    listening_since: Timestamp,
    alarms: Alarms,
    // From here on: made anew at each start.
    timers: Timers,
    changes: Changes,
    counters: Counters,
    ended: VecDeque<view::Alarm>,
    /// The limits that hold by the directory as it is; asked by key only.
    limits: HashMap<(PatientId, Vital), Option<LimitSet>>,
}

impl PartialEq for Core {
    /// Whether both know the same; what is made anew at each start does not count.
    fn eq(&self, other: &Self) -> bool {
        self.now == other.now
            && self.came_to == other.came_to
            && self.cause == other.cause
            && self.directory == other.directory
            && self.devices == other.devices
            && self.patients == other.patients
            && self.sites == other.sites
            && self.reports == other.reports
            && self.recording == other.recording
            && self.listening_since == other.listening_since
            && self.alarms == other.alarms
    }
}

impl Core {
    /// A core that knows nothing yet.
    pub fn new(setup: Setup) -> Self {
        let facts = facts::of_all(&setup.profiles);
        Self {
            setup: Arc::new(setup),
            facts,
            now: Timestamp::default(),
            came_to: LogOffset::default(),
            cause: None,
            directory: Arc::default(),
            devices: BTreeMap::new(),
            patients: BTreeMap::new(),
            sites: BTreeMap::new(),
            reports: BTreeMap::new(),
            recording: view::Recording::Yes,
            listening_since: Timestamp::default(),
            alarms: Alarms::default(),
            timers: Timers::default(),
            changes: Changes::default(),
            counters: Counters::default(),
            ended: VecDeque::new(),
            limits: HashMap::new(),
        }
    }

    /// A core that knows the nouns and nothing else: what records would fill the series with again
    /// follows from them alone.
    pub(crate) fn of_directory(setup: Setup, directory: Arc<Directory>) -> Self {
        Self { directory, ..Self::new(setup) }
    }

    /// Takes one record live: decides what follows and applies it at once.
    ///
    /// Decisions of our own that come back from the journal are known already.
    pub fn step(&mut self, record: &Record, out: &mut Out) {
        if record.frame.kind >= ::record::DECISIONS_FROM {
            self.came_to = record.offset.max(self.came_to);
            return;
        }
        let mut turn = Turn::new(Mode::Live, self.now, out);
        self.take(record, &mut turn);
        self.counters.records += 1;
        self.finish(turn);
    }

    /// Takes one record of the past with what was decided about it then; nothing is decided again.
    pub fn observe_only(&mut self, record: &Record, decided: Vec<Decided>, out: &mut Out) {
        if record.frame.kind >= ::record::DECISIONS_FROM {
            self.came_to = record.offset.max(self.came_to);
            return;
        }
        let mut turn = Turn::new(Mode::Replay, self.now, out);
        self.take(record, &mut turn);
        for one in decided {
            self.apply(&mut turn, &one);
        }
        self.finish(turn);
    }

    /// Applies decisions whose record was taken before: what time alone had brought.
    pub fn apply_only(&mut self, decided: Vec<Decided>, out: &mut Out) {
        let mut turn = Turn::new(Mode::Replay, self.now, out);
        for one in decided {
            self.apply(&mut turn, &one);
        }
        self.finish(turn);
    }

    /// Looks at time alone: meets every deadline up to `now`.
    pub fn tick(&mut self, now: Timestamp, out: &mut Out) {
        let is_due = self.next_deadline().is_some_and(|due| due <= now);
        if !is_due || self.cause.is_none() || now < self.now {
            return;
        }
        let before = self.now;
        let mut turn = Turn::new(Mode::Live, now, out);
        self.decide(&mut turn, Decision::TimePassed(now));
        if turn.decided.len() == 1 && !turn.acted {
            // Nothing followed: it is as if nobody had looked.
            turn.decided.clear();
            self.now = before;
            if let Some(cause) = &mut self.cause {
                cause.next_index -= 1;
            }
        }
        self.finish(turn);
    }

    /// The instant at which the next [`Core::tick`] is wanted, if any; it may turn out to be early.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        [self.timers.first(), self.alarms.first_deadline()].into_iter().flatten().min()
    }

    /// Where the last record that was taken ends.
    pub const fn came_to(&self) -> LogOffset {
        self.came_to
    }

    /// The newest instant that was seen.
    pub const fn now(&self) -> Timestamp {
        self.now
    }

    /// The nouns.
    pub fn directory(&self) -> Arc<Directory> {
        Arc::clone(&self.directory)
    }

    /// What was counted since the start.
    pub const fn counters(&self) -> Counters {
        self.counters
    }

    /// Alarms that stand.
    pub fn standing(&self) -> usize {
        self.alarms.standing().count()
    }

    /// The record that was taken last.
    pub(crate) const fn cause(&self) -> Option<Cause> {
        self.cause
    }

    /// A record that was taken will not be in the journal: what follows is named by another.
    pub(crate) fn lost(&mut self, position: Position, instead: Option<Cause>) {
        if self.cause.is_some_and(|cause| cause.position == position) {
            self.cause = instead;
        }
    }

    /// Up to where decisions are applied already: the newest cause and its next index.
    pub(crate) fn applied_up_to(&self) -> Option<(LogOffset, u32)> {
        self.cause.map(|cause| (cause.after, cause.next_index))
    }

    fn take(&mut self, record: &Record, turn: &mut Turn<'_>) {
        let frame = &record.frame;
        self.came_to = record.offset.max(self.came_to);
        self.cause = Some(Cause {
            position: frame.position,
            after: record.offset,
            org: frame.org,
            received_at: frame.received_at,
            next_index: 0,
        });
        self.advance(turn, frame.received_at.max(self.now));
        turn.now = self.now;
        match Body::decode(frame.kind, frame.body_version, &frame.body) {
            Ok(body) => self.take_body(body, frame.received_at, turn),
            Err(_) => self.counters.unreadable += 1,
        }
    }

    fn take_body(&mut self, body: Body, received_at: Timestamp, turn: &mut Turn<'_>) {
        match body {
            Body::Readings(readings) => self.take_readings(&readings, received_at, turn),
            Body::Wave(wave) => self.take_wave(&wave, received_at, turn),
            Body::Upward(upward) => self.take_upward(&upward, received_at, turn),
            Body::Event(event) => self.take_event(&event, received_at, turn),
            Body::State(state) => self.take_state(&state, received_at, turn),
            Body::Config(config) => self.take_config(&config, received_at, turn),
            Body::CommandResult(result) => self.take_result(&result, turn),
            Body::Presence(presence) => self.take_presence(&presence, turn),
            Body::Spoke(spoke) => self.take_spoke(&spoke, turn),
            // Its samples are in the series, and what followed from them was decided long ago.
            Body::SealedWave(it) => {
                self.heard_unless_kept(it.block.device, it.block.gateway_at, turn);
            }
            Body::Command(command) => {
                let (actor, wish) = (command.actor, Arc::new(command.wish));
                turn.asked = Some(Asked { actor, wish, at: received_at });
                self.take_command(turn);
            }
            Body::DeadLetter(letter) => {
                self.counters.dead_letters += 1;
                self.dead_letter_row(&letter, received_at, turn);
            }
            Body::Duplicate(duplicate) => {
                self.counters.duplicates += 1;
                self.heard(duplicate.device, turn);
            }
            Body::Audit(entry) => self.audit_row(entry, received_at, turn),
            Body::Replayed(replayed) => self.replayed_row(replayed, received_at, turn),
            Body::Imported(part) => self.take_imported(part, received_at, turn),
            // Sessions belong to the door, heads and parts to the journal itself.
            Body::TurnedAway(_)
            | Body::Thinned(_)
            | Body::ClockStep(_)
            | Body::MqttSession(_)
            | Body::MqttRetained(_)
            | Body::MqttQueued(_)
            | Body::MqttNote(_)
            | Body::SegmentHead(_)
            | Body::Part(_) => {}
        }
    }

    /// Makes a decision: names it, keeps it for the journal, and applies it at once.
    pub(crate) fn decide(&mut self, turn: &mut Turn<'_>, decision: Decision) {
        let Some(cause) = &mut self.cause else { return };
        let effect = EffectId { cause: cause.position, index: cause.next_index };
        let decided = Decided { effect, after: cause.after, decision };
        cause.next_index += 1;
        // What follows from applying it is decided after it, so its place is taken first.
        turn.decided.push(decided.clone());
        self.fold(turn, &decided);
    }

    /// Applies a decision that was read.
    fn apply(&mut self, turn: &mut Turn<'_>, decided: &Decided) {
        if let Some(cause) = &mut self.cause {
            cause.next_index = cause.next_index.max(decided.effect.index + 1);
        }
        self.fold(turn, decided);
    }

    /// The one way in which a decision changes the state, live and in replay alike.
    fn fold(&mut self, turn: &mut Turn<'_>, decided: &Decided) {
        match &decided.decision {
            Decision::Accepted => self.accepted(turn, decided),
            Decision::Refused(refusal) => {
                self.counters.commands_refused += u64::from(turn.is_live());
                turn.out.answer(decided.effect.cause, Err(refusal.clone()));
            }
            Decision::Alarm(changed) => self.alarm_changed(turn, decided, changed),
            Decision::Called(called) => self.called(turn, decided, called),
            Decision::Weighed(weighed) => self.weighed(turn, weighed),
            Decision::Scored(scored) => self.scored(turn, decided, scored),
            Decision::TimePassed(to) => self.advance(turn, (*to).max(self.now)),
            Decision::Noticed(notice) => self.noticed(turn, *notice),
        }
    }

    fn finish(&mut self, mut turn: Turn<'_>) {
        self.alarms.settle();
        if let Some(cause) = self.cause.filter(|_| !turn.decided.is_empty()) {
            let decided = std::mem::take(&mut turn.decided);
            turn.out.decided.push(out::DecidedOf { cause, at: self.now, decided });
        }
    }

    fn directory_mut(&mut self) -> &mut Directory {
        self.limits.clear();
        Arc::make_mut(&mut self.directory)
    }

    fn is_cut(&self, stage: Cut) -> bool {
        self.setup.cut == Some(stage)
    }
}

/// An id that a replay or another machine would make again: from the cause and the index.
pub(crate) fn id_of<K: Kind>(effect: EffectId, at: Timestamp) -> Id<K> {
    // Two rounds of a 128-bit multiply-and-fold; it needs to spread, not to hide.
    const ODD: u128 = 0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835;
    let mut mixed = effect.cause.partition.uuid();
    for part in [u128::from(effect.cause.seq), u128::from(effect.index)] {
        mixed = (mixed ^ part).wrapping_mul(ODD);
        mixed ^= mixed >> 64;
    }
    Id::v7(at, mixed.wrapping_mul(ODD))
}

/// The id of the alarm that begins with this effect.
pub(crate) fn alarm_id_of(effect: EffectId, at: Timestamp) -> AlarmId {
    id_of(effect, at)
}
