//! Where values are placed in a column, and which gaps are told.

use super::*;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_unix_nanos(1_700_000_040 * SECOND_NS + seconds * SECOND_NS)
}

fn roll(first_s: Option<i64>, covered_s: i64, said: Option<MissingReason>) -> Roll {
    let spot = |at_s: i64| store::Spot { at_ns: at(at_s).unix_nanos(), micros: 1 };
    let extremes = first_s.map(|first| {
        let spot = spot(first);
        store::Extremes { first: spot, least: spot, greatest: spot, last: spot }
    });
    let count = u64::from(first_s.is_some());
    Roll { count, extremes, covered_ns: covered_s * SECOND_NS, said, ..Roll::default() }
}

#[test]
fn a_minute_that_is_covered_in_part_begins_with_its_first_value_unless_the_last_one_goes_on() {
    let (mut covered, mut said) = (Vec::new(), Vec::new());
    let mut put = |minute: i64, roll: Roll| {
        place(&mut covered, &mut said, at(minute * 60).unix_nanos(), &roll);
    };
    put(0, roll(Some(50), 10, None));
    put(1, roll(Some(60), 60, None));
    // A value reached into it, and then electrodes fell off.
    put(2, roll(None, 3, Some(MissingReason::SensorDetached)));
    put(4, roll(Some(245), 20, Some(MissingReason::PoorSignal)));
    let stretch = |from, to| Stretch { from: at(from), to: at(to) };
    assert_eq!(covered, [stretch(50, 123), stretch(245, 265)]);
    assert_eq!(
        said,
        [(at(123), MissingReason::SensorDetached), (at(240), MissingReason::PoorSignal)]
    );
}

#[test]
fn of_very_many_gaps_the_longest_are_told_in_order_of_time() {
    let gap = |n: i64| Gap {
        at: Stretch { from: at(n * 100), to: at(n * 100 + 1 + n % 7) },
        why: Why::Silent,
    };
    let most = i64::try_from(GAPS_MAX).unwrap();
    let all: Vec<Gap> = (0..most).map(gap).collect();
    assert_eq!(longest(all.clone()), (all, false));
    let (kept, is_cut) = longest((0..=most).map(gap).collect());
    assert!(is_cut && kept.len() == GAPS_MAX && kept.is_sorted_by_key(|gap| gap.at.from));
    let least = kept.iter().map(|gap| gap.at.to.since(gap.at.from)).min().unwrap();
    assert_eq!(least, Duration::from_secs(1));
}

#[test]
fn a_short_range_is_looked_at_by_the_second_and_a_long_one_by_the_minute() {
    let of = |hours: i64| fine(Span { from: at(0), to: at(hours * 3_600) }).step_ns / SECOND_NS;
    assert_eq!((of(1), of(6), of(7)), (1, 1, 60));
}
