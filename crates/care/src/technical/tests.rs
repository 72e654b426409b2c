//! Each threshold at its edge, one step below, and one above.

use model::{Code, Measure};
use proptest::prelude::*;

use super::{Verdict::*, *};

fn at(millis: i64) -> Timestamp {
    Timestamp::from_unix_millis(1_790_000_000_000 + millis)
}

const NANO: Duration = Duration::from_nanos(1);

/// Over up to the way back, between up to the limit, and a breach beyond it.
#[track_caller]
fn check_edges(verdict: impl Fn(Duration) -> Verdict, clears_at: Duration, limit: Duration) {
    let found = [Duration::ZERO, clears_at, clears_at + NANO, limit, limit + NANO].map(verdict);
    assert_eq!(found, [Over, Over, Between, Between, Holds]);
}

// RC-016
#[test]
fn a_device_is_silent_at_the_end_of_its_profiles_patience() {
    let patience = Duration::from_secs(15);
    assert_eq!(device_silent(at(0), patience, at(14_999)), Over);
    assert_eq!(device_silent(at(0), patience, at(15_000)), Holds);
    assert_eq!(device_silent(at(20_000), patience, at(15_000)), Over);
    assert_eq!(silence_deadline(at(0), patience), at(15_000));
}

// RC-017
#[test]
fn only_a_detached_sensor_is_off_and_only_a_measuring_one_is_on() {
    use MissingReason::*;
    let value = Measure { kind: Code::Mdc(150_456), mantissa: 97, exp10: 0, ucum: "%".into() };
    assert_eq!(leads_off(&Sample::Measured(value)), Over);
    assert_eq!(leads_off(&Sample::Missing(SensorDetached)), Holds);
    for attached in [Implausible, OutOfRange] {
        assert_eq!(leads_off(&Sample::Missing(attached)), Over);
    }
    for unclear in [PoorSignal, DeviceFault, WarmingUp, NotMeasured, Unknown] {
        assert_eq!(leads_off(&Sample::Missing(unclear)), Between);
    }
}

// RC-018
#[test]
fn a_clock_is_wrong_beyond_two_seconds_or_when_it_breaks_its_promise() {
    use ClockPromise::{Synchronised, Unsynchronised};
    for sign in [1, -1] {
        let off = |span: Duration| {
            let offset_ns = sign * i64::try_from(span.as_nanos()).unwrap();
            clock_wrong(Clock::Synchronised { offset_ns }, Synchronised)
        };
        check_edges(off, Duration::from_millis(1_500), Duration::from_secs(2));
    }
    let farthest = Clock::Synchronised { offset_ns: i64::MIN };
    assert_eq!(clock_wrong(farthest, Unsynchronised), Holds);
    assert_eq!(clock_wrong(Clock::Unsynchronised, Synchronised), Holds);
    assert_eq!(clock_wrong(Clock::Unsynchronised, Unsynchronised), Over);
}

// RC-019
#[test]
fn data_are_late_a_minute_after_they_were_taken() {
    let times = |age: Duration, device_now, may_be_buffered| Times {
        device_at: at(0).before(age),
        device_now,
        gateway_at: None,
        received_at: at(0),
        clock: Clock::Unsynchronised,
        may_be_buffered,
    };
    let aged = |age| data_late(&times(age, Some(at(0)), true));
    check_edges(aged, Duration::from_secs(30), Duration::from_secs(60));
    // Nobody knows how old it is: that is no lateness.
    assert_eq!(data_late(&times(Duration::from_secs(90), None, true)), Between);
}

// RC-020
#[test]
fn a_battery_is_low_below_a_fifth_and_nearly_empty_below_a_tenth() {
    let check = |limit: Limit, values: [i64; 4]| {
        let found = values.map(|value| limit.weigh_thousandths(value));
        assert_eq!(found, [Holds, Between, Between, Over], "{values:?}");
    };
    check(battery_low(), [19_999, 20_000, 24_999, 25_000]);
    check(battery_nearly_empty(), [9_999, 10_000, 14_999, 15_000]);
}

// RC-021, RC-022
#[test]
fn the_program_watches_its_own_record_and_its_own_pace() {
    assert_eq!([Recording::On, Recording::Off].map(not_recording), [Over, Holds]);
    check_edges(pipeline_slow, Duration::from_millis(1_500), Duration::from_secs(2));
}

#[test]
fn a_waveform_is_broken_by_more_than_two_seconds_until_ten_are_whole() {
    let mut wave = Continuity::default();
    assert_eq!(wave.broken(), NoSignal);
    let mut next = |from, until, want| {
        wave.observe(at(from), at(until));
        assert_eq!(wave.broken(), want, "{from}..{until}");
    };
    next(0, 1_000, Over);
    next(3_000, 4_000, Over); // Two seconds exactly.
    next(6_001, 7_000, Holds);
    next(7_000, 16_000, Holds);
    next(5_000, 6_000, Holds); // A late block is no gap and closes none.
    next(16_000, 16_001, Over);
    assert_eq!(Continuity::restore(wave.snapshot()), wave);
}

proptest! {
    // RC-016
    #[test]
    fn silence_is_seen_at_its_deadline_and_not_a_moment_before(
        heard in 0_i64..1_000_000, patience_ms in 1_u64..600_000,
    ) {
        let (heard_at, patience) = (at(heard), Duration::from_millis(patience_ms));
        let due = silence_deadline(heard_at, patience);
        prop_assert_eq!(device_silent(heard_at, patience, due), Holds);
        prop_assert_eq!(device_silent(heard_at, patience, due.before(NANO)), Over);
        prop_assert_eq!(device_silent(due, patience, due), Over);
    }

    #[test]
    fn blocks_end_to_end_are_never_broken(lengths in prop::collection::vec(1_i64..5_000, 1..30)) {
        let (mut wave, mut now) = (Continuity::default(), 0);
        for length in lengths {
            wave.observe(at(now), at(now + length));
            now += length;
            prop_assert_eq!(wave.broken(), Over);
        }
    }
}
