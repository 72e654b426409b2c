//! Beats drawn as intervals: what alarms, when, and what never does.

use std::collections::BTreeMap;

use model::{LimitSet, Vital};
use proptest::prelude::*;

use super::*;
use crate::{
    alarm::{self, Effect, Input},
    kind::AlarmKind,
    limit::{Side, extreme_rate},
    rules,
};

fn at(millis: u64) -> Timestamp {
    Timestamp::from_unix_nanos(1_790_000_000_000_000_000).after(Duration::from_millis(millis))
}

fn extreme(side: Side) -> Limit {
    extreme_rate(&LimitSet { vital: Vital::HeartRate, low: None, high: None }, side).unwrap()
}

/// Signal from 0 on, with beats after these intervals in milliseconds, seen until `more` after the last.
fn rhythm(intervals: &[u64], more: u64) -> Rhythm {
    let (mut rhythm, mut now) = (Rhythm::default(), 0);
    rhythm.observe(Seen::Span { from: at(0), until: at(0) });
    for interval in intervals {
        now += interval;
        rhythm.observe(Seen::Beat(at(now)));
        let from = at(now - interval);
        rhythm.observe(Seen::Span { from, until: at(now) });
    }
    rhythm.observe(Seen::Span { from: at(now), until: at(now + more) });
    rhythm
}

/// Asystole, extreme bradycardia below 40, extreme tachycardia above 140, as one letter each.
#[track_caller]
fn check(intervals: &[u64], more: u64, want: &str) {
    let rhythm = rhythm(intervals, more);
    let verdicts = [
        rhythm.asystole(),
        rhythm.extreme_bradycardia(&extreme(Side::Low)),
        rhythm.extreme_tachycardia(&extreme(Side::High)),
    ];
    let letter = |verdict| match verdict {
        Verdict::Holds => '#',
        Verdict::Between => '~',
        Verdict::Over => '.',
        Verdict::NoSignal => '?',
    };
    let got: String = verdicts.map(letter).iter().collect();
    assert_eq!(got, want, "{intervals:?} and {more} ms");
}

// RC-014
#[test]
fn four_seconds_of_signal_without_a_beat_are_asystole() {
    check(&[800; 20], 3_999, "...");
    check(&[800; 20], 4_000, "#~~");
    check(&[3_999; 4], 0, ".~~");
    // After a pause of four seconds one beat is no rhythm, the second is.
    check(&[800, 800, 4_000], 0, "~~~");
    check(&[800, 800, 4_000, 900], 0, ".~~");
    // A detector that has just begun gets time to learn, but not for ever.
    check(&[], 7_999, "~~~");
    check(&[], 8_000, "#~~");
}

// RC-015
#[test]
fn five_slow_beats_are_extreme_bradycardia() {
    // 40 a minute itself is no breach; four intervals need five beats.
    check(&[1_500; 5], 0, ".~~");
    check(&[1_501; 5], 0, ".#~");
    check(&[1_501; 4], 0, ".~~");
    // A lone pause is no bradycardia, though the mean is 35 a minute.
    check(&[1_000, 1_000, 1_000, 1_000, 3_900], 0, ".~~");
    // An early beat between slow ones does not hide them.
    check(&[2_000, 2_000, 800, 2_600, 2_000], 0, ".#~");
    // Intervals at the limit itself are not slow, so that only two of these are.
    check(&[1_000, 1_500, 1_500, 1_501, 1_501], 0, ".~~");
    // It is over at 45 a minute, not at 41.
    check(&[2_000, 2_000, 1_450, 1_450, 1_450, 1_450], 0, ".~~");
    check(&[2_000, 2_000, 1_333, 1_333, 1_333, 1_333], 0, "..~");
}

// RC-015
#[test]
fn seventeen_fast_beats_are_extreme_tachycardia() {
    check(&[428; 17], 0, "..#"); // 140.2 a minute
    check(&[429; 17], 0, "..~"); // 139.9 a minute
    check(&[428; 16], 0, "..~");
    // Irregular as in atrial fibrillation, 150 in the mean.
    check(
        &[300, 500, 350, 450, 400, 300, 500, 400, 350, 450, 400, 400, 300, 500, 400, 350, 450],
        0,
        "..#",
    );
    // A missed beat does not hide 160 a minute.
    check(
        &[375, 375, 375, 375, 375, 375, 375, 375, 750, 375, 375, 375, 375, 375, 375, 375, 375],
        0,
        "..#",
    );
    check(&[800; 17], 0, "...");
}

#[test]
fn a_gap_in_the_samples_is_no_pause_of_the_heart() {
    let mut rhythm = rhythm(&[1_501; 5], 0);
    let end = 5 * 1_501;
    // A quarter of a second between blocks is the same stretch, more is a gap.
    let mut same = rhythm.clone();
    same.observe(Seen::Span { from: at(end + 250), until: at(end + 4_000) });
    assert_eq!(same.asystole(), Verdict::Holds);
    rhythm.observe(Seen::Span { from: at(end + 251), until: at(end + 8_250) });
    assert_eq!(rhythm.asystole(), Verdict::Between);
    assert_eq!(rhythm.extreme_bradycardia(&extreme(Side::Low)), Verdict::Between);
    rhythm.observe(Seen::Span { from: at(end + 8_250), until: at(end + 8_251) });
    assert_eq!(rhythm.asystole(), Verdict::Holds);
    // A beat told before its block belongs to the new stretch.
    let mut rhythm = Rhythm::default();
    rhythm.observe(Seen::Span { from: at(0), until: at(1_000) });
    rhythm.observe(Seen::Beat(at(9_500)));
    rhythm.observe(Seen::Span { from: at(9_000), until: at(10_000) });
    assert_eq!(rhythm.quiet_for(), Some(Duration::from_millis(500)));
    // So does one in its very first sample; and one that is told twice is one.
    let mut rhythm = Rhythm::default();
    rhythm.observe(Seen::Span { from: at(0), until: at(1_000) });
    rhythm.observe(Seen::Beat(at(9_000)));
    rhythm.observe(Seen::Beat(at(9_000)));
    rhythm.observe(Seen::Span { from: at(9_000), until: at(10_000) });
    let snapshot = rhythm.snapshot();
    assert_eq!((snapshot.last_beat, snapshot.run), (Some(at(9_000)), vec![at(9_000)]));
    rhythm.observe(Seen::Lost);
    assert_eq!((rhythm.asystole(), rhythm.quiet_for()), (Verdict::NoSignal, None));
    assert_eq!(rhythm.extreme_tachycardia(&extreme(Side::High)), Verdict::NoSignal);
}

// RC-014
#[test]
fn asystole_sounds_within_ten_seconds_of_its_onset() {
    // Blocks of a second, told a detector's half second late: the worst that profiles allow.
    let (latency, block, onset) = (500_u64, 1_000_u64, 20_300_u64);
    let rule = rules::rule(AlarmKind::Asystole, None);
    let (mut rhythm, mut state, mut sounded) = (Rhythm::default(), alarm::State::default(), None);
    for received in (1..60).map(|number| number * block) {
        let seen = received - latency;
        for beat in (500..onset)
            .step_by(700)
            .filter(|beat| (seen.saturating_sub(block)..seen).contains(beat))
        {
            rhythm.observe(Seen::Beat(at(beat)));
        }
        rhythm.observe(Seen::Span { from: at(seen.saturating_sub(block)), until: at(seen) });
        let (taken_at, received_at) = (at(seen), at(received));
        let input = Input::Evidence { verdict: rhythm.asystole(), taken_at, received_at };
        for effect in alarm::decide(&rule, &state, &input, received_at) {
            if let Effect::Record(step) = effect {
                state.apply(&step);
            }
            if let Effect::Sound(_) = effect {
                sounded.get_or_insert(received);
            }
        }
        state.observe(&rule, &input);
    }
    let after_onset = sounded.unwrap() - onset;
    assert!((4_000..=10_000).contains(&after_onset), "{after_onset} ms");
}

/// The challenge's definitions read literally, on the last beats of a steady signal.
fn literal(intervals: &[u64]) -> BTreeMap<&'static str, bool> {
    let last = |count: usize| intervals.len().checked_sub(count).map(|from| &intervals[from..]);
    let slow = last(5).is_some_and(|last| last[1..].iter().all(|i| *i > 1_500));
    let fast = last(17).is_some_and(|last| last[1..].iter().all(|i| *i < 428));
    BTreeMap::from([("slow", slow), ("fast", fast)])
}

proptest! {
    // RC-015
    #[test]
    fn whatever_the_challenge_calls_extreme_is_extreme(
        intervals in prop_oneof![
            prop::collection::vec(1_400_u64..3_999, 5..12),
            prop::collection::vec(300_u64..440, 17..24),
            prop::collection::vec(300_u64..3_999, 1..30),
        ],
    ) {
        let rhythm = rhythm(&intervals, 0);
        let literal = literal(&intervals);
        if literal["slow"] {
            prop_assert_eq!(rhythm.extreme_bradycardia(&extreme(Side::Low)), Verdict::Holds);
        }
        if literal["fast"] {
            prop_assert_eq!(rhythm.extreme_tachycardia(&extreme(Side::High)), Verdict::Holds);
        }
        prop_assert_eq!(rhythm.asystole() == Verdict::Holds, false);
        prop_assert!(rhythm.snapshot().run.len() <= FAST_BEATS);
        prop_assert_eq!(Rhythm::restore(rhythm.snapshot()), rhythm);
    }

    // RC-014
    #[test]
    fn asystole_is_exactly_four_seconds_without_a_beat(
        intervals in prop::collection::vec(200_u64..6_000, 1..20), more in 0_u64..9_000, cut in 1_u64..900,
    ) {
        // Told in blocks of any length, the verdict is that of a look at the whole strip.
        let (mut rhythm, mut beats, mut now) = (Rhythm::default(), vec![], 0);
        for interval in &intervals {
            now += interval;
            beats.push(now);
        }
        let end = now + more;
        let mut from = 0;
        while from < end {
            let until = (from + cut).min(end);
            for beat in beats.iter().filter(|beat| (from..until).contains(*beat)) {
                rhythm.observe(Seen::Beat(at(*beat)));
            }
            rhythm.observe(Seen::Span { from: at(from), until: at(until) });
            from = until;
        }
        let last = beats.iter().rfind(|beat| **beat < end).copied();
        let quiet = last.map_or(end >= 8_000, |last| end - last >= 4_000);
        prop_assert_eq!(rhythm.asystole() == Verdict::Holds, quiet);
    }
}
