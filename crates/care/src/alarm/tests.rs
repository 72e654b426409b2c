//! A night shift in virtual time: tables of scripts, a slower twin, and an inspector.

use model::{
    AlarmId, EndReason, HeartRate, Id, Kind, Measure, MissingReason, Priority, Quantity, Sample,
    Saturation, Vital,
};

use super::*;
use crate::limit::{Limit, Side};

mod inspector;
mod properties;
mod twin;

/// One thing that happens at one second of a script.
#[derive(Clone, Copy, Debug)]
enum Step {
    Reads(i64),
    /// So many seconds late.
    Late(u64, i64),
    LeadOff,
    Ack,
    /// For so many seconds.
    AckFor(u64),
    Dismiss,
    Replace,
}
use Step::{Ack, AckFor, Dismiss, Late, LeadOff, Reads, Replace};

const LIMIT: i64 = 130;
const CLEARS_AT: i64 = 120;
/// Scripts start at noon, so that a reading can be older than its script.
const NOON: u64 = 43_200;

fn high_rate() -> Limit {
    let (limit_thousandths, clears_at_thousandths) = (LIMIT * 1_000, CLEARS_AT * 1_000);
    Limit { vital: Vital::HeartRate, side: Side::High, limit_thousandths, clears_at_thousandths }
}

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// No delay and nobody to call; each row says what it changes.
fn rule() -> Rule {
    let (priority, latching, escalate_after) = (Priority::High, false, vec![]);
    let [delay, quiet_for_max, max_age] = [0, 5, 20].map(secs);
    Rule { priority, latching, delay, quiet_for_max, escalate_after, max_age }
}

fn instant(second: u64) -> Timestamp {
    Timestamp::default().after(secs(NOON + second))
}

fn id<K: Kind>(tail: u128) -> Id<K> {
    Id::from_uuid(0x7000_8000_0000_0000_0000 | tail).unwrap()
}

fn input(limit: &Limit, at: u64, step: Step) -> Input {
    let measured = |mantissa| {
        let of_heart = limit.vital == Vital::HeartRate;
        let kind = if of_heart { HeartRate::CODES[0] } else { Saturation::CODES[0] };
        let ucum = limit.vital.unit();
        Sample::Measured(Measure { kind, mantissa, exp10: 0, ucum: ucum.into() })
    };
    let evidence = |sample, age| {
        let verdict = limit.weigh(&sample).unwrap();
        let (taken_at, received_at) = (instant(at).before(secs(age)), instant(at));
        Input::Evidence { verdict, taken_at, received_at }
    };
    match step {
        Reads(value) => evidence(measured(value), 0),
        Late(age, value) => evidence(measured(value), age),
        LeadOff => evidence(Sample::Missing(MissingReason::SensorDetached), 0),
        Ack => input(limit, at, AckFor(1_000)),
        AckFor(seconds) => Input::Acknowledge { by: id(3), quiet_for: secs(seconds) },
        Dismiss => Input::End(EndedBy::Staff(id(3)), EndReason::Artefact),
        Replace => Input::Supersede(id(4)),
    }
}

fn inputs(limit: &Limit, script: &[(u64, Step)]) -> Vec<(u64, Input)> {
    script.iter().map(|(at, step)| (*at, input(limit, *at, *step))).collect()
}

/// What the journal holds: facts to observe and decisions to apply.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Entry {
    Happened(Input),
    Changed(Transition),
}

fn replay(rule: &Rule, from: State, entries: &[Entry]) -> State {
    let mut state = from;
    for entry in entries {
        match entry {
            Entry::Happened(input) => state.observe(rule, input),
            Entry::Changed(step) => state.apply(step),
        }
    }
    state
}

/// The engine in small: live state, journal, last checkpoint, and what the nurse notices.
struct Ward<'a> {
    rule: &'a Rule,
    state: State,
    journal: Vec<Entry>,
    checkpoint: (usize, Snapshot),
    audible: bool,
    /// The second of each call, its step, and how many steps it passed over.
    calls: Vec<(u64, u8, u8)>,
}

impl<'a> Ward<'a> {
    fn new(rule: &'a Rule) -> Self {
        let (state, checkpoint) = (State::default(), (0, Snapshot::default()));
        Self { rule, state, journal: vec![], checkpoint, audible: false, calls: vec![] }
    }

    /// Ticks if the alarm is due and `awake`, then takes the inputs of this second.
    fn second(&mut self, at: u64, awake: bool, script: &[(u64, Input)]) {
        let due = self.state.next_deadline(self.rule).is_some_and(|due| due <= instant(at));
        let tick = (due && awake).then_some(Input::Tick);
        let inputs = script.iter().filter(|(when, _)| *when == at).map(|(_, input)| *input);
        for input in tick.into_iter().chain(inputs) {
            self.take(at, input);
        }
    }

    fn take(&mut self, at: u64, input: Input) {
        let effects = decide(self.rule, &self.state, &input, instant(at));
        self.state.observe(self.rule, &input);
        self.journal.push(Entry::Happened(input));
        for effect in effects {
            match effect {
                Effect::Record(step) => {
                    self.state.apply(&step);
                    self.journal.push(Entry::Changed(step));
                }
                Effect::Sound(_) => self.audible = true,
                Effect::Hush => self.audible = false,
                Effect::Call { step, passed } => self.calls.push((at, step, passed)),
                Effect::WeighSignal(_) | Effect::Refuse(_) => {}
            }
        }
    }

    fn save(&mut self) {
        self.checkpoint = (self.journal.len(), self.state.snapshot());
    }

    /// Forgets everything but the checkpoint and the journal.
    fn restart(&mut self) {
        let (read, snapshot) = &self.checkpoint;
        self.state = replay(self.rule, State::restore(snapshot), &self.journal[*read..]);
    }

    fn seen(&self) -> char {
        match self.state.phase() {
            _ if !self.audible => '.',
            _ if !self.state.has_signal() => '?',
            _ if self.state.is_unanswered(self.rule) => '!',
            Phase::Active { step, .. } if step > 0 => char::from(b'0' + step),
            Phase::Quiet
            | Phase::Pending { .. }
            | Phase::Active { .. }
            | Phase::Acknowledged { .. } => '#',
        }
    }
}

/// Plays a script as the engine would, looking at deadlines after every `nap`,
/// and draws for each second what the nurse hears and sees at its end.
fn play<'a>(rule: &'a Rule, script: &[(u64, Input)], end: u64, nap: u64) -> (String, Ward<'a>) {
    let mut ward = Ward::new(rule);
    let second = |at| {
        ward.second(at, at % nap == 0, script);
        ward.seen()
    };
    let row = (0..=end).map(second).collect();
    (row, ward)
}

/// The single place where a table row meets the machine. A second with sound is
/// `#`, or the number of the responder called, `!` when nobody is left to call,
/// `?` without a signal; a second without sound is `.`.
#[track_caller]
fn check(limit: &Limit, rule: &Rule, script: &[(u64, Step)], want: &str) {
    let (got, _) = play(rule, &inputs(limit, script), want.len() as u64 - 1, 1);
    assert_eq!(got, want, "{rule:?}, {script:?}");
}

#[test]
fn an_alarm_sounds_and_falls_silent_when_it_should() {
    let (tachy, now) = (high_rate(), rule());
    let delayed = Rule { delay: secs(3), ..rule() };
    // A breach shorter than the delay makes no sound; one as long does.
    check(&tachy, &delayed, &[(1, Reads(140)), (3, Reads(90))], "......");
    check(&tachy, &delayed, &[(1, Reads(140))], "....##");
    check(&tachy, &now, &[(1, Reads(140))], ".#####");
    // The limit itself is no breach, and clearing waits for the lower level.
    check(&tachy, &now, &[(1, Reads(LIMIT))], "......");
    check(&tachy, &now, &[(1, Reads(140)), (3, Reads(125)), (4, Reads(CLEARS_AT))], ".###..");
    // An acknowledgement expires while the breach stands, and not after it.
    let brief = Rule { quiet_for_max: secs(3), ..rule() };
    check(&tachy, &brief, &[(1, Reads(140)), (2, Ack)], ".#...##");
    check(&tachy, &brief, &[(1, Reads(140)), (2, Ack), (4, Reads(90))], ".#.....");
    // A person may end it, with a reason; a more telling alarm may take its place.
    check(&tachy, &now, &[(1, Reads(140)), (3, Dismiss)], ".##...........");
    check(&tachy, &now, &[(1, Reads(140)), (3, Replace)], ".##...........");
    // If the condition still holds, the next evidence begins it anew.
    check(&tachy, &now, &[(1, Reads(140)), (3, Dismiss), (5, Reads(140))], ".##..##");
}

#[test]
fn a_person_chooses_how_long_it_is_quiet_up_to_the_rules_maximum() {
    let tachy = high_rate();
    check(&tachy, &rule(), &[(1, Reads(140)), (2, AckFor(2))], ".#..##");
    check(&tachy, &rule(), &[(1, Reads(140)), (2, AckFor(5))], ".#.....##");
    check(&tachy, &rule(), &[(1, Reads(140)), (2, AckFor(6))], ".#.....##");
    check(&tachy, &rule(), &[(1, Reads(140)), (2, AckFor(0))], ".#####");
    // Acknowledging again renews it, longer or shorter.
    check(&tachy, &rule(), &[(1, Reads(140)), (2, AckFor(3)), (4, AckFor(4))], ".#......##");
    check(&tachy, &rule(), &[(1, Reads(140)), (2, AckFor(5)), (3, AckFor(1))], ".#..##");
}

#[test]
fn a_latching_alarm_outlives_its_condition_until_somebody_has_seen_it() {
    let (tachy, latching) = (high_rate(), Rule { latching: true, ..rule() });
    check(&tachy, &latching, &[(1, Reads(140)), (2, Reads(90))], ".###########");
    check(&tachy, &latching, &[(1, Reads(140)), (2, Reads(90)), (4, Ack)], ".###...........");
    check(&tachy, &latching, &[(1, Reads(140)), (2, Ack), (4, Reads(90))], ".#.............");
    check(&tachy, &latching, &[(1, Reads(140)), (3, Dismiss)], ".##...........");
    check(&tachy, &latching, &[(1, Reads(140)), (3, Replace)], ".##...........");
    let latched = |script: &[(u64, Step)]| {
        play(&latching, &inputs(&tachy, script), 3, 1).1.state.is_latched()
    };
    assert!(latched(&[(1, Reads(140)), (2, Reads(90))]));
    assert!(!latched(&[(1, Reads(140))]), "its condition still holds");
    assert!(!latched(&[(1, Reads(90))]), "there was no alarm");
}

// RC-002
#[test]
fn an_unanswered_alarm_climbs_and_then_stays() {
    let climbing = Rule { escalate_after: [3, 2].map(secs).to_vec(), ..rule() };
    check(&high_rate(), &climbing, &[(1, Reads(140))], ".###11!!!!!!!");
    check(&high_rate(), &climbing, &[(1, Reads(140)), (5, Ack)], ".###1.....###11!!");
    // Each call is made once, at its second, and the first at the sound.
    let (_, ward) = play(&climbing, &inputs(&high_rate(), &[(1, Reads(140))]), 40, 1);
    assert_eq!(ward.calls, [(1, 0, 0), (4, 1, 0), (6, 2, 0)]);
}

#[test]
fn after_a_long_sleep_only_the_highest_step_due_is_called() {
    let climbing = Rule { escalate_after: [3, 2, 10].map(secs).to_vec(), ..rule() };
    let calls = |script: &[(u64, Step)], nap| {
        let (_, ward) = play(&climbing, &inputs(&high_rate(), script), 30, nap);
        (ward.calls, ward.state.phase())
    };
    // Raised on time, asleep until second 7: step 2 was due at 6 and step 1 is passed over.
    let (called, phase) = calls(&[(1, Reads(140))], 7);
    assert_eq!(called, [(1, 0, 0), (7, 2, 1), (21, 3, 0)]);
    // The steps after it keep the instants that they would have had.
    assert_eq!(phase, Phase::Active { step: 3, since: instant(16) });
    // An alarm that matures in the sleep is sounded once, and step 0 is passed over too.
    let delayed = Rule { delay: secs(2), max_age: secs(60), ..climbing.clone() };
    let (row, ward) = play(&delayed, &inputs(&high_rate(), &[(1, Reads(140))]), 11, 10);
    assert_eq!((row.as_str(), ward.calls), ("..........22", vec![(10, 2, 2)]));
    // Whoever answers in the waking second is not called.
    let (called, _) = calls(&[(1, Reads(140)), (8, Ack)], 30);
    assert_eq!(called[..1], [(1, 0, 0)]);
    assert!(called[1..].iter().all(|(at, ..)| *at > 8), "{called:?}");
}

#[test]
fn without_a_signal_nothing_matures_and_nothing_ends() {
    let (tachy, delayed) = (high_rate(), Rule { delay: secs(2), ..rule() });
    let sleepy = Rule { max_age: secs(3), ..rule() };
    check(&tachy, &delayed, &[(1, Reads(140)), (2, LeadOff)], "......");
    check(&tachy, &delayed, &[(1, Reads(140)), (2, LeadOff), (5, Reads(140))], ".....##");
    check(&tachy, &delayed, &[(1, Reads(140)), (4, LeadOff), (6, Reads(90))], "...#??..");
    check(&tachy, &sleepy, &[(1, Reads(140)), (6, Reads(140))], ".###??##");
    // Silence for exactly `max_age` wins a tie with the end of the delay.
    let tie = Rule { max_age: secs(2), ..delayed };
    check(&tachy, &tie, &[(1, Reads(140))], "........");
    // Seen to be over and then blind: a person's answer alone does not end it.
    let latching = Rule { latching: true, ..rule() };
    let blind = [(1, Reads(140)), (2, Reads(90)), (3, LeadOff), (4, Ack), (6, Reads(90))];
    check(&tachy, &latching, &blind, ".##?.......");
    let blind = [(1, Reads(140)), (2, Reads(90)), (3, LeadOff), (4, Ack)];
    check(&tachy, &latching, &blind, ".##?.....??");
}

// RC-004
#[test]
fn late_evidence_neither_raises_nor_clears() {
    let (tachy, sleepy) = (high_rate(), Rule { max_age: secs(3), ..rule() });
    // What was true long ago, or before the newest reading, decides nothing.
    check(&tachy, &sleepy, &[(1, Reads(140)), (5, Late(3, 90)), (6, Late(2, 90))], ".###??..");
    check(&tachy, &sleepy, &[(5, Late(3, 140))], "........");
    check(&tachy, &rule(), &[(2, Reads(140)), (4, Late(3, 60))], "..####");
    // Of two readings of one instant, the one that came last counts.
    check(&tachy, &rule(), &[(2, Reads(140)), (4, Late(2, 60))], "..##..");
}

#[test]
fn a_sample_of_unknown_age_is_no_evidence() {
    let at = instant(0);
    let times = |device_now, may_be_buffered| Times {
        device_at: at.before(secs(9)),
        device_now,
        gateway_at: None,
        received_at: at,
        clock: model::Clock::Unsynchronised,
        may_be_buffered,
    };
    assert_eq!(Input::evidence(Verdict::Holds, &times(None, true)), None);
    let aged = Input::evidence(Verdict::Holds, &times(Some(at), true));
    let (verdict, taken_at) = (Verdict::Holds, at.before(secs(9)));
    assert_eq!(aged, Some(Input::Evidence { verdict, taken_at, received_at: at }));
    let fresh = Input::evidence(Verdict::Holds, &times(None, false));
    assert_eq!(fresh, Some(Input::known(Verdict::Holds, at)));
}

#[test]
fn a_second_vital_needs_no_second_machine() {
    let (limit_thousandths, clears_at_thousandths) = (90_000, 92_000);
    let (vital, side) = (Vital::Saturation, Side::Low);
    let low = Limit { vital, side, limit_thousandths, clears_at_thousandths };
    let delayed = Rule { priority: Priority::Medium, delay: secs(3), ..rule() };
    check(
        &low,
        &delayed,
        &[(1, Reads(90)), (2, Reads(89)), (7, Reads(91)), (8, Reads(92))],
        ".....###.",
    );
}

#[test]
fn a_condition_that_knows_itself_never_loses_its_signal() {
    let known = Rule { max_age: NEVER_OLD, ..rule() };
    check(&high_rate(), &known, &[(1, Reads(140))], ".#####################################");
    let (_, ward) = play(&known, &inputs(&high_rate(), &[(1, Reads(140))]), 40, 1);
    assert_eq!(ward.state.next_deadline(&known), None);
}

#[test]
fn answering_silence_or_a_pending_alarm_is_refused_with_a_reason() {
    let (by, slow) = (id(3), Rule { delay: secs(9), ..rule() });
    let pending = play(&slow, &inputs(&high_rate(), &[(0, Reads(140))]), 1, 1).1.state;
    assert_eq!(pending.phase(), Phase::Pending { since: instant(0) });
    let answers = [
        Input::Acknowledge { by, quiet_for: secs(1) },
        Input::End(EndedBy::Staff(by), EndReason::Other),
        Input::End(EndedBy::Entry, EndReason::PatientLeft),
        Input::Supersede(AlarmId::v7(instant(0), 0)),
    ];
    for (state, answer) in [State::default(), pending].iter().flat_map(|s| answers.map(|a| (s, a)))
    {
        let effects = decide(&slow, state, &answer, instant(1));
        assert_eq!(effects, [Effect::Refuse(NothingRaised)], "{state:?}, {answer:?}");
    }
    assert_eq!(NothingRaised.to_string(), "there is no raised alarm to acknowledge or end");
}

#[test]
fn the_effects_of_a_raise_come_in_their_order() {
    let climbing = Rule { escalate_after: vec![secs(3)], ..rule() };
    let at = instant(1);
    let record = |change| Effect::Record(Transition { at, change });
    let raise = Input::known(Verdict::Holds, at);
    assert_eq!(
        decide(&climbing, &State::default(), &raise, at),
        [
            record(Change::SignalFound),
            Effect::WeighSignal(Verdict::Over),
            record(Change::Began),
            record(Change::Raised),
            Effect::Sound(Priority::High),
            Effect::Call { step: 0, passed: 0 },
        ]
    );
}

#[test]
fn a_snapshot_names_who_has_it_and_since_when() {
    let delayed = Rule { delay: secs(2), ..rule() };
    let script = inputs(&high_rate(), &[(1, Reads(140)), (4, AckFor(3))]);
    let (_, ward) = play(&delayed, &script, 5, 1);
    let phase = Phase::Acknowledged { by: id(3), since: instant(4), until: instant(7) };
    let (signal_since, newest) = (Some(instant(1)), Some(instant(1)));
    let (began_at, raised_at) = (Some(instant(1)), Some(instant(3)));
    let want = Snapshot { phase, began_at, raised_at, signal_since, newest, over: false };
    assert_eq!(ward.state.snapshot(), want);
    assert_eq!(State::restore(&want), ward.state);
    assert_eq!(ward.state.next_deadline(&delayed), Some(instant(7)));
}

#[test]
fn a_covered_condition_is_not_begun_anew_and_may_still_end() {
    use Verdict::{Between, Holds, NoSignal, Over};
    let covered = [Holds, Between, Over, NoSignal].map(Verdict::under_cover);
    assert_eq!(covered, [Between, Between, Over, NoSignal]);
}
