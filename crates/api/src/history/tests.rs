//! Where values are placed in a column, and which gaps are told.

use model::{Association, Encounter};

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

#[test]
fn what_stood_at_a_bed_is_divided_by_who_lay_there() {
    let (device, bed, patient) =
        (DeviceId::v7(at(0), 1), BedId::v7(at(0), 2), PatientId::v7(at(0), 3));
    let known_at = at(0);
    let place = PlaceId::from(bed);
    let stands = Association { key: device, value: Subject::Place(place), from: at(0), known_at };
    let lies = |value, from| Encounter { key: bed, value, from, known_at };
    let mut directory = Directory::default();
    directory.associations.insert(device, vec![stands]);
    directory.encounters.insert(bed, vec![lies(Some(patient), at(10)), lies(None, at(20))]);
    let span = |from, to| Span { from: at(from), to: at(to) };
    let part = |spans| Part { device, patient: None, spans };
    let found = by_all_known(&directory, vec![part(vec![span(5, 30)])]);
    let want = [
        (part(vec![span(5, 10), span(20, 30)]), Met::Place(place, None)),
        (part(vec![span(10, 20)]), Met::Place(place, Some(patient))),
    ];
    assert_eq!(found, want);
}
