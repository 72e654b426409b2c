//! Roll-ups against points that are counted one by one, whatever came late, twice or corrected.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::{
    super::{roll, roll_store},
    *,
};
use crate::{Column, Pace, Resolution, Roll, RollRule, SeriesLimits};

const SECOND: i64 = 1_000_000_000;
const MINUTE: i64 = 60 * SECOND;
const DAY: i64 = 86_400 * SECOND;
/// The first instant of a day.
const MIDNIGHT: i64 = 19_700 * DAY;

fn instant(nanos: i64) -> Timestamp {
    Timestamp::from_unix_nanos(nanos)
}

fn ask(from: i64, to: i64) -> Question {
    Question { from: instant(from), to: instant(to), ..question(0, 0) }
}

fn value(at: i64, received: i64, value: Result<(i64, i8), MissingReason>) -> Point {
    Point { at: instant(at), received_at: instant(received), value, marks: GOOD }
}

/// Millionths by text: slow, and without the arithmetic of what it checks.
fn slow_micros((mantissa, exp10): (i64, i8)) -> i64 {
    let digits = format!("{mantissa}{}", "0".repeat(usize::try_from(exp10 + 6).unwrap()));
    digits.parse().unwrap()
}

/// What the points of one stretch come to, each instant looked at by itself.
fn slow(points: &[Point], (from, to): (i64, i64), rule: RollRule) -> Roll {
    // What came again counts as having come when it came first.
    let mut firsts: BTreeMap<(i64, Option<(i64, i8)>), Timestamp> = BTreeMap::new();
    for point in points {
        let key = (point.at.unix_nanos(), point.value.ok());
        let first = firsts.entry(key).or_insert(point.received_at);
        *first = (*first).min(point.received_at);
    }
    let mut current: BTreeMap<i64, (Timestamp, Option<i64>)> = BTreeMap::new();
    for ((at_ns, value), received_at) in firsts {
        let found = (received_at, value.map(slow_micros));
        let at = current.entry(at_ns).or_insert(found);
        *at = (*at).max(found);
    }
    let mut roll = Roll::default();
    let here: Vec<(i64, i64)> =
        current.range(from..to).filter_map(|(at, (_, value))| Some((*at, (*value)?))).collect();
    let spot = |(at_ns, micros): (i64, i64)| crate::Spot { at_ns, micros };
    if let (Some(first), Some(last)) = (here.first(), here.last()) {
        let least = here.iter().map(|it| it.1).min().unwrap();
        let greatest = here.iter().map(|it| it.1).max().unwrap();
        let find = |value| *here.iter().find(|it| it.1 == value).unwrap();
        roll.count = u64::try_from(here.len()).unwrap();
        roll.sum_micros = here.iter().map(|it| i128::from(it.1)).sum();
        roll.extremes = Some(crate::Extremes {
            first: spot(*first),
            least: spot(find(least)),
            greatest: spot(find(greatest)),
            last: spot(*last),
        });
    }
    let mut silent = current.range(from..to).filter(|(_, (_, value))| value.is_none());
    roll.said = silent.next().map(|_| MissingReason::SensorDetached);
    // Between two of these instants nothing changes.
    let mut edges: BTreeSet<i64> = [from, to].into();
    edges.extend(current.keys().flat_map(|at| [*at, at + rule.reach_ns]));
    let edges: Vec<i64> = edges.range(from..=to).copied().collect();
    for pair in edges.windows(2) {
        let Some((at, (_, Some(micros)))) = current.range(..=pair[0]).next_back() else { continue };
        if pair[0] >= at + rule.reach_ns {
            continue;
        }
        roll.covered_ns += pair[1] - pair[0];
        if rule.range_micros.is_some_and(|(low, high)| low <= *micros && *micros <= high) {
            roll.in_range_ns += pair[1] - pair[0];
        }
    }
    roll
}

fn slow_steps(points: &[Point], (from, to): (i64, i64), step: i64, rule: RollRule) -> Vec<Column> {
    let mut columns = Vec::new();
    let mut begin = from.div_euclid(step) * step;
    while from < to && begin < to {
        let roll = slow(points, (begin.max(from), (begin + step).min(to)), rule);
        if roll != Roll::default() {
            columns.push(Column { from: instant(begin), roll });
        }
        begin += step;
    }
    columns
}

fn rolled(series: &Series, (from, to): (i64, i64), step_min: i64, rule: RollRule) -> Vec<Column> {
    let mut found = series.rolled(&ask(from, to), None, step_min, &|_| rule).unwrap().stretches;
    assert!(found.len() <= 1);
    found.pop().map(|it| it.items).unwrap_or_default()
}

#[derive(Clone, Debug)]
enum Act {
    Push(Vec<Point>),
    /// What was pushed before comes once more, later.
    PushAgain(i64),
    Seal,
    Tend {
        days_later: i64,
    },
    Forget,
    Restart,
}

fn any_act() -> impl Strategy<Value = Act> {
    let value_of = prop_oneof![
        8 => (-50_i64..200, -2_i8..2).prop_map(Ok),
        1 => Just(Err(MissingReason::SensorDetached)),
    ];
    // Half seconds around midnight, so that instants repeat and days are crossed.
    let at = prop_oneof![-400_i64..400, -8_000_i64..8_000].prop_map(|half| half * SECOND / 2);
    let one = (at, 0_i64..5, value_of)
        .prop_map(|(at, late, given)| value(MIDNIGHT + at, MIDNIGHT + at + late * SECOND, given));
    prop_oneof![
        4 => prop::collection::vec(one, 1..30).prop_map(Act::Push),
        1 => (0_i64..9).prop_map(Act::PushAgain),
        3 => Just(Act::Seal),
        3 => (-1_i64..3).prop_map(|days_later| Act::Tend { days_later }),
        1 => Just(Act::Forget),
        1 => Just(Act::Restart),
    ]
}

fn any_rule() -> impl Strategy<Value = RollRule> {
    let reach = prop::sample::select(vec![0, 1, 7, 90, 3_600, 30_000]);
    (reach, any::<bool>()).prop_map(|(reach, has_range)| RollRule {
        reach_ns: reach * SECOND,
        range_micros: has_range.then_some((-3_000_000, 60_000_000)),
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn rolls_are_those_of_points_counted_one_by_one(
        acts in prop::collection::vec(any_act(), 1..14),
        (one, other) in (any_rule(), any_rule()),
        (from, to) in (-9_000_i64..9_000, -9_000_i64..9_000),
    ) {
        let place = Place::new();
        let mut series = place.open();
        let (mut all, mut unsealed): (Vec<Point>, Vec<Point>) = (Vec::new(), Vec::new());
        let push = |series: &Series, points: &[Point]| {
            let id = series.series(&key("HR", "/min"));
            for point in points {
                let _ = series.push(id, *point);
            }
        };
        for (n, act) in acts.iter().enumerate() {
            match act {
                Act::Push(points) => {
                    push(&series, points);
                    all.extend(points);
                    unsealed.extend(points);
                }
                Act::PushAgain(later) => {
                    let again: Vec<Point> = all.iter().rev().take(8).map(|it| Point {
                        received_at: instant(it.received_at.unix_nanos() + later * SECOND), ..*it
                    }).collect();
                    push(&series, &again);
                    all.extend(&again);
                    unsealed.extend(&again);
                }
                Act::Seal => {
                    series.seal(offset(0), b"").unwrap();
                    unsealed.clear();
                }
                Act::Tend { days_later } => {
                    series.tend(instant(MIDNIGHT + days_later * DAY), &|_| one, 100).unwrap();
                }
                Act::Forget => series.forget_rolls().unwrap(),
                Act::Restart => {
                    series = place.open();
                    // The engine reads the journal from the checkpoint on.
                    push(&series, &unsealed);
                }
            }
            let whole = (MIDNIGHT - 9_000 * SECOND, MIDNIGHT + 9_000 * SECOND);
            let part = (MIDNIGHT + from * SECOND / 3, MIDNIGHT + to * SECOND / 3);
            for (range, step) in [(whole, 1), (whole, 15), ((MIDNIGHT - DAY, MIDNIGHT + DAY), 60), (part, 1), (part, 7)] {
                let rule = if n % 4 == 3 { other } else { one };
                let want = slow_steps(&all, range, step * MINUTE, rule);
                prop_assert_eq!(rolled(&series, range, step, rule), want, "act {} step {}", n, step);
            }
        }
    }
}

#[test]
fn a_value_counts_for_a_day_at_most_however_rarely_its_device_promises_one() {
    let check = |reach_ns: i64, want: i64| {
        let rule = RollRule { reach_ns, range_micros: None };
        let samples = [roll::Sample { at_ns: MIDNIGHT, micros: Ok(1) }];
        let grid = roll::Grid { origin_ns: MIDNIGHT, step_ns: 3 * DAY };
        let rolls = roll::by_step(&samples, (MIDNIGHT, MIDNIGHT + 3 * DAY), &rule, grid);
        let (_, roll) = rolls.iter().next().copied().unwrap_or_default();
        assert_eq!(roll.covered_ns, want, "{reach_ns}");
    };
    assert_eq!(u128::try_from(DAY).unwrap(), crate::limits::ROLL_REACH_MAX.as_nanos());
    check(-1, 0);
    check(DAY - 1, DAY - 1);
    check(DAY, DAY);
    check(DAY + 1, DAY);
    check(i64::MAX, DAY);
}

fn minutes_of(series: &Series) -> i64 {
    let ask = "SELECT count(*) FROM roll";
    series.0.database.read(|db| db.query_row(ask, [], |row| row.get(0))).unwrap()
}

const RULE: RollRule =
    RollRule { reach_ns: 3 * SECOND, range_micros: Some((60_000_000, 100_000_000)) };

#[test]
fn ninety_days_are_answered_from_hours_and_late_data_makes_only_its_minutes_again() {
    let place = Place::new();
    let series = place.open();
    let id = series.series(&key("HR", "/min"));
    let mut all = Vec::new();
    for minute in 0..90 * 1_440 {
        let at = MIDNIGHT + minute * MINUTE + 500;
        all.push(value(at, at, Ok((70 + minute % 50, 0))));
    }
    for point in &all {
        let _ = series.push(id, *point);
    }
    series.seal(offset(0), b"").unwrap();
    let now = instant(MIDNIGHT + 90 * DAY);
    assert_eq!(series.tend(now, &|_| RULE, 1_000).unwrap(), 90);
    assert_eq!(minutes_of(&series), 3 * 90);
    let range = (MIDNIGHT, MIDNIGHT + 90 * DAY);
    let pace = Pace::of(instant(range.0), instant(range.1), 1_200);
    let drawn = |series: &Series| {
        series.drawn(&ask(range.0, range.1), None, &pace, &|_| RULE).unwrap().stretches
    };
    let found = drawn(&series);
    assert_eq!((pace.step_ns, pace.resolution), (60 * MINUTE, Resolution::Minutes(60)));
    assert_eq!(found[0].items, slow_steps_by_count(&all, range, 60 * MINUTE));

    // One late value in the middle: seen before it is sealed, before it is made, and after.
    let late = value(MIDNIGHT + 44 * DAY + 30 * SECOND, MIDNIGHT + 80 * DAY, Ok((250, 0)));
    all.push(late);
    let _ = series.push(id, late);
    let greatest = |series: &Series| {
        let drawn = drawn(series);
        let rolls = drawn[0].items.iter().filter_map(|it| it.roll.extremes);
        rolls.map(|it| it.greatest.micros).max().unwrap()
    };
    assert_eq!(greatest(&series), 250_000_000);
    series.seal(offset(1), b"").unwrap();
    assert_eq!(greatest(&series), 250_000_000);
    assert_eq!(series.tend(now, &|_| RULE, 1_000).unwrap(), 1);
    assert_eq!(greatest(&series), 250_000_000);
    assert_eq!(series.tend(now, &|_| RULE, 1_000).unwrap(), 0);
}

/// As `slow_steps`, where each step can be told from its own points.
fn slow_steps_by_count(points: &[Point], (from, to): (i64, i64), step: i64) -> Vec<Column> {
    let mut columns = Vec::new();
    let mut rest = points;
    let mut begin = from;
    while begin < to {
        let here = rest.partition_point(|it| it.at.unix_nanos() < begin + step);
        let (now, after) = rest.split_at(here);
        columns.push(Column { from: instant(begin), roll: slow(now, (begin, begin + step), RULE) });
        (rest, begin) = (after, begin + step);
    }
    columns
}

#[test]
fn a_narrow_range_is_drawn_from_points_and_keeps_its_extremes() {
    let place = Place::new();
    let series = place.open();
    let id = series.series(&key("HR", "/min"));
    for second in 0..3_600 {
        let spike = if second == 1_777 { 180 } else { 0 };
        let at = MIDNIGHT + second * SECOND;
        let _ = series.push(id, value(at, at, Ok((70 + second % 3 + spike, 0))));
    }
    let (from, to) = (MIDNIGHT, MIDNIGHT + 3_600 * SECOND);
    let pace = Pace::of(instant(from), instant(to), 100);
    assert_eq!((pace.step_ns, pace.resolution), (36 * SECOND, Resolution::Points));
    let found = series.drawn(&ask(from, to), None, &pace, &|_| RULE).unwrap().stretches;
    let columns = &found[0].items;
    assert_eq!(columns.len(), 100);
    let count: u64 = columns.iter().map(|it| it.roll.count).sum();
    assert_eq!(count, 3_600);
    let spike = columns[49].roll.extremes.unwrap().greatest;
    assert_eq!((spike.at_ns, spike.micros), (MIDNIGHT + 1_777 * SECOND, 251_000_000));
    assert_eq!(columns[0].roll.mean_micros(), Some(71_000_000));
    // The last value counts for its reach only, and nothing follows the range.
    assert!(columns.iter().all(|it| it.roll.covered_ns == 36 * SECOND));
}

#[test]
fn a_value_of_before_the_edge_does_not_reach_over_it_though_a_block_has_it() {
    let place = Place::new();
    let series = place.open();
    let id = series.series(&key("HR", "/min"));
    let points: Vec<Point> = (0..80)
        .map(|n| MIDNIGHT + (6 + n * 36) * MINUTE)
        .map(|at| value(at, at, Ok((70, 0))))
        .collect();
    for point in &points {
        let _ = series.push(id, *point);
    }
    // Each value counts until the next one.
    let rule = RollRule { reach_ns: 40 * MINUTE, ..RULE };
    let of = |edge: i64, series: &Series, step_min: i64| {
        let to = MIDNIGHT + 2 * DAY;
        let asked = ask(edge, to);
        let found = series.rolled(&asked, Some(instant(edge)), step_min, &|_| rule).unwrap();
        let found = found.stretches.into_iter().next().map(|it| it.items).unwrap_or_default();
        let since: Vec<Point> =
            points.iter().filter(|it| it.at.unix_nanos() >= edge).copied().collect();
        assert_eq!(found, slow_steps(&since, (edge, to), step_min * MINUTE, rule), "{edge}");
        let pace = Pace { origin_ns: edge, step_ns: SECOND, resolution: Resolution::Points };
        let narrow = ask(edge, edge + MINUTE);
        series.drawn(&narrow, Some(instant(edge)), &pace, &|_| rule).unwrap().stretches
    };
    // In a minute, within one, and where the second day begins, of which the block is whole.
    let edges = [MIDNIGHT + 40 * MINUTE, MIDNIGHT + 45 * MINUTE + SECOND, MIDNIGHT + DAY];
    series.seal(offset(1), b"").unwrap();
    for _ in 0..2 {
        for edge in edges {
            for step in [1, 15, 60] {
                assert!(of(edge, &series, step).is_empty(), "{edge}");
            }
        }
        // The same out of blocks.
        series.tend(instant(MIDNIGHT + 9 * DAY), &|_| rule, 100).unwrap();
    }
    // Without an edge the value before reaches in.
    let range = (MIDNIGHT + 40 * MINUTE, MIDNIGHT + 60 * MINUTE);
    assert_eq!(rolled(&series, range, 1, rule), slow_steps(&points, range, MINUTE, rule));
    assert!(!rolled(&series, range, 1, rule).is_empty());
}

#[test]
fn more_than_can_be_drawn_is_refused_and_so_much_is_drawn() {
    let dir = tempfile::tempdir().unwrap();
    let limits = SeriesLimits { query_points_max: 4, ..SeriesLimits::default() };
    let series = Series::open_with(dir.path().join("series.sqlite"), limits).unwrap();
    let id = series.series(&key("HR", "/min"));
    for second in 0..5 {
        let at = MIDNIGHT + second * SECOND;
        let _ = series.push(id, value(at, at, Ok((1, 0))));
    }
    let refusal = |from, to, step: i64| match series.rolled(&ask(from, to), None, step, &|_| RULE) {
        Ok(found) => {
            found.stretches.first().map(|it| it.items.len().to_string()).unwrap_or_default()
        }
        Err(error) => error.to_string(),
    };
    let (from, to) = (MIDNIGHT, MIDNIGHT + 4 * SECOND);
    assert_eq!(refusal(from, to, 1), "1");
    assert!(refusal(from, to + 1, 1).starts_with("a question for more than 4 points"));
    let columns = i64::try_from(limits::COLUMNS_MAX).unwrap();
    let before = from - 30 * DAY;
    assert_eq!(refusal(before - columns * MINUTE, before, 1), "");
    let refused = refusal(before - (columns + 1) * MINUTE, before, 1);
    assert!(refused.starts_with("a question for more than 50000 columns"), "{refused}");
    let days = limits::DRAWN_DAYS_MAX;
    assert_eq!(refusal(before - days * DAY, before, 1_440), "");
    let refused = refusal(before - (days + 1) * DAY, before, 1_440);
    assert!(refused.starts_with("a question for more than 3660 days"), "{refused}");
}

#[test]
fn values_of_any_size_have_millionths() {
    for (mantissa, exp10, want) in [
        (725, -1, 72_500_000),
        (-5, -7, -1),
        (-4, -7, 0),
        (5, -7, 1),
        (i64::MAX, i8::MAX, 1_000_000_000_000_000),
        (i64::MIN, 0, -1_000_000_000_000_000),
        (i64::MAX, i8::MIN, 0),
        (0, i8::MAX, 0),
        (1_000_000_000, 0, 1_000_000_000_000_000),
    ] {
        assert_eq!(roll::micros(mantissa, exp10), want, "{mantissa}e{exp10}");
    }
}

#[test]
fn a_damaged_block_is_made_again_from_the_points() {
    let place = Place::new();
    let series = place.open();
    let id = series.series(&key("HR", "/min"));
    let points: Vec<_> =
        (0..200).map(|n| value(MIDNIGHT + n * SECOND, MIDNIGHT, Ok((60 + n, 0)))).collect();
    for point in &points {
        let _ = series.push(id, *point);
    }
    series.seal(offset(0), b"").unwrap();
    let (now, range) = (instant(MIDNIGHT + DAY), (MIDNIGHT, MIDNIGHT + DAY));
    assert_eq!(series.tend(now, &|_| RULE, 9).unwrap(), 1);
    let rot = "UPDATE roll SET bytes = zeroblob(12)";
    series.0.database.write(|tx| Ok(tx.execute(rot, [])?)).unwrap();
    assert_eq!(rolled(&series, range, 1, RULE), slow_steps(&points, range, MINUTE, RULE));
    // It was asked for and not there, so that it is made again.
    assert_eq!(series.tend(now, &|_| RULE, 9).unwrap(), 1);
    let sound = "SELECT count(*) FROM roll WHERE bytes != zeroblob(12)";
    let sound: i64 =
        series.0.database.read(|db| db.query_row(sound, [], |row| row.get(0))).unwrap();
    assert_eq!(sound, 3);
    assert_eq!(rolled(&series, range, 60, RULE), slow_steps(&points, range, 60 * MINUTE, RULE));
}

/// A block is made, more comes, and a bit is flipped in the note of what is out of date by it.
#[test]
fn a_note_of_what_is_out_of_date_that_was_flipped_lets_no_old_block_be_believed() {
    for rot in ["day = day + 1", "series = series + 1", "from_min = 1439", "to_min = 0"] {
        let place = Place::new();
        let series = place.open();
        let id = series.series(&key("HR", "/min"));
        let (now, range) = (instant(MIDNIGHT + DAY), (MIDNIGHT, MIDNIGHT + DAY));
        let mut points = Vec::new();
        for from in [600, 900] {
            let more = from..from + 100;
            points.extend(more.map(|n| value(MIDNIGHT + n * SECOND, MIDNIGHT, Ok((n, 0)))));
            for point in &points[points.len() - 100..] {
                let _ = series.push(id, *point);
            }
            series.seal(offset(0), b"").unwrap();
            if from == 600 {
                assert_eq!(series.tend(now, &|_| RULE, 9).unwrap(), 1);
            }
        }
        let rot = format!("UPDATE roll_stale SET {rot}");
        series.0.database.write(|tx| Ok(tx.execute(&rot, [])?)).unwrap();
        drop(series);
        let series = place.open();
        assert_eq!(
            rolled(&series, range, 1, RULE),
            slow_steps(&points, range, MINUTE, RULE),
            "{rot}"
        );
        assert!(series.0.database.read(roll_store::has_sound_marks).unwrap());
    }
}

#[test]
fn a_day_made_after_the_next_one_reaches_into_it() {
    let place = Place::new();
    let series = place.open();
    let rule = RollRule { reach_ns: 90 * SECOND, range_micros: None };
    let id = series.series(&key("HR", "/min"));
    let mut all = Vec::new();
    let mut put = |series: &Series, seconds: &[i64]| {
        for second in seconds {
            let point = value(MIDNIGHT + second * SECOND, MIDNIGHT, Ok((60, 0)));
            let _ = series.push(id, point);
            all.push(point);
        }
        series.seal(offset(0), b"").unwrap();
        series.tend(instant(MIDNIGHT + 9 * DAY), &|_| rule, 9).unwrap();
        let range = (MIDNIGHT - 7_200 * SECOND, MIDNIGHT + 7_200 * SECOND);
        assert_eq!(rolled(series, range, 1, rule), slow_steps(&all, range, MINUTE, rule));
    };
    put(&series, &[4_000]);
    // The last second of the day before, and something of the next, at once.
    put(&series, &[-1, 5_000]);
    put(&series, &[-3_600, 30]);
}

#[test]
fn columns_are_as_wide_as_the_range_wants_and_the_roll_ups_can() {
    let check = |seconds: i64, columns, want_s: i64, resolution| {
        let pace = Pace::of(instant(MIDNIGHT), instant(MIDNIGHT + seconds * SECOND), columns);
        assert_eq!((pace.step_ns / SECOND, pace.resolution), (want_s, resolution), "{seconds}");
    };
    check(3_600, 1_200, 3, Resolution::Points);
    check(71_999, 1_200, 59, Resolution::Points);
    check(72_000, 1_200, 60, Resolution::Minutes(1));
    check(86_400, 1_200, 60, Resolution::Minutes(1));
    check(7 * 86_400, 1_200, 8 * 60, Resolution::Minutes(1));
    check(30 * 86_400, 1_200, 30 * 60, Resolution::Minutes(15));
    check(90 * 86_400, 1_200, 3_600, Resolution::Minutes(60));
    check(3_660 * 86_400, 1_200, 73 * 3_600, Resolution::Minutes(60));
    check(0, 0, 0, Resolution::Points);
}

#[test]
fn what_is_drawn_in_minutes_has_no_minute_that_is_cut() {
    const MINUTE: i64 = 60_000_000_000;
    let check = |(from, to): (i64, i64), columns, want: (i64, i64)| {
        let (from, to) = (instant(from), instant(to));
        let widened = Pace::of(from, to, columns).widened(from, to);
        assert_eq!((widened.0.unix_nanos(), widened.1.unix_nanos()), want);
    };
    let day = (MIDNIGHT + 1, MIDNIGHT + DAY + 1);
    check(day, 1_200, (MIDNIGHT, MIDNIGHT + DAY + MINUTE));
    check((MIDNIGHT, MIDNIGHT + DAY), 1_200, (MIDNIGHT, MIDNIGHT + DAY));
    // Shorter than a minute a column: as it was asked for.
    check(day, 2_000, day);
}
