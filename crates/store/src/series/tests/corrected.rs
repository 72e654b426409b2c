//! What counts, against a plain list: whatever came twice, late or otherwise, whatever people
//! said of it, and wherever it was sealed, lost from memory, rolled up or made anew.

use std::collections::BTreeMap;

use model::{Amendment, Correction, CorrectionId, CorrectionReason, Redacted};
use proptest::prelude::*;
use record::Actor;

use super::*;
use crate::{GivenCorrection, Pace, Resolution, RollRule};

type Said = Result<(i64, i8), MissingReason>;

const RULE: RollRule = RollRule { reach_ns: 90_000_000_000, range_micros: Some((0, 72_000_000)) };

fn received(at: Timestamp, received_at: Timestamp, value: Said) -> Point {
    Point { at, received_at, value, marks: GOOD }
}

pub(super) fn correction(
    number: u128,
    (from, to): (i64, i64),
    amendment: Amendment,
) -> GivenCorrection {
    let correction = Correction {
        id: CorrectionId::v7(at(0), number),
        org: org(),
        device: device(),
        channel: "HR".into(),
        from: at(from),
        to: at(to),
        amendment,
        why: CorrectionReason::WrongPatient,
        words: Redacted("the cuff was on bed 3".to_owned()),
    };
    let known_at = at(i64::try_from(number).unwrap() * 1_000);
    GivenCorrection { correction, by: Actor::System, known_at }
}

fn replaced(mantissa: i64) -> Amendment {
    Amendment::Replace { mantissa, exp10: -1, ucum: "/min".into() }
}

fn answer(series: &Series, from: i64, to: i64) -> Vec<Point> {
    let mut found = series.query(&question(from, to)).unwrap();
    found.stretches.pop().map(|stretch| stretch.items).unwrap_or_default()
}

fn kept(series: &Series) -> Vec<Point> {
    let mut found = series.receipts(&question(-9_000_000, 90_000_000)).unwrap();
    found.stretches.pop().map(|stretch| stretch.items).unwrap_or_default()
}

/// How many bytes all chunks have.
fn chunk_bytes(series: &Series) -> i64 {
    let ask = "SELECT coalesce(sum(length(bytes)), 0) FROM chunk";
    series.0.database.read(|db| db.query_row(ask, [], |row| row.get(0))).unwrap()
}

#[test]
fn the_newest_correction_counts_and_else_what_came_last() {
    let place = Place::new();
    let series = place.open();
    let id = series.series(&key("HR", "/min"));
    for point in [
        received(at(1_000), at(1_040), Ok((700, -1))),
        received(at(2_000), at(2_040), Ok((710, -1))),
        // The device itself says it otherwise, and then says again what it said first.
        received(at(2_000), at(5_000), Ok((650, -1))),
        received(at(2_000), at(9_000), Ok((710, -1))),
        received(at(3_000), at(3_040), Err(MissingReason::SensorDetached)),
    ] {
        let _ = series.push(id, point);
    }
    let said = |series: &Series| -> Vec<Said> {
        answer(series, 0, 10_000).iter().map(|point| point.value).collect()
    };
    let off = Err(MissingReason::SensorDetached);
    let withdrawn = Err(MissingReason::Withdrawn);
    assert_eq!(said(&series), [Ok((700, -1)), Ok((650, -1)), off]);
    assert_eq!(kept(&series).len(), 4, "what came again is the one that came first");
    series.correct(correction(10, (1_000, 3_000), Amendment::Withdraw));
    assert_eq!(said(&series), [withdrawn, withdrawn, off], "the end of a span is not in it");
    series.correct(correction(20, (2_000, 2_001), replaced(605)));
    assert_eq!(said(&series), [withdrawn, Ok((605, -1)), off]);
    // It holds for what comes late as well, and nothing is changed in what was received.
    let _ = series.push(id, received(at(1_500), at(99_000), Ok((1, 0))));
    assert_eq!(answer(&series, 1_500, 1_501)[0].value, withdrawn);
    assert_eq!(kept(&series)[1].value, Ok((1, 0)));
    let before = CorrectionId::v7(at(0), 20);
    series.correct(correction(30, (2_000, 2_001), Amendment::Undo(before)));
    assert_eq!(answer(&series, 2_000, 2_001)[0].value, withdrawn, "the one before holds again");
    // As it was known, and as it was received.
    let known = |millis| answer(&series.as_known(at(millis)), 2_000, 2_001)[0].value;
    assert_eq!((known(9_999), known(10_000)), (Ok((650, -1)), withdrawn));
    assert_eq!((known(20_000), known(30_000)), (Ok((605, -1)), withdrawn));
    assert_eq!(answer(&series.uncorrected(), 2_000, 2_001)[0].value, Ok((650, -1)));
    // Another channel, another unit and another device are others.
    let other = series.series(&key("HR", "{beats}/min"));
    let _ = series.push(other, received(at(2_000), at(2_001), Ok((5, 0))));
    series.correct(correction(40, (2_000, 2_001), replaced(1)));
    let all = series.query(&question(2_000, 2_001)).unwrap().stretches;
    let values: Vec<_> = all.iter().map(|it| (it.ucum.as_str(), it.items[0].value)).collect();
    assert_eq!(values, [("/min", Ok((1, -1))), ("{beats}/min", withdrawn)]);
}

#[test]
fn a_burst_that_is_dated_by_its_receipt_counts_whole() {
    let place = Place::new();
    let series = place.open();
    let id = series.series(&key("HR", "/min"));
    let values = [700, 690, 710, 705];
    for value in values {
        let _ = series.push(id, received(at(1_000), at(1_000), Ok((value, -1))));
    }
    // One that the device's own clock dates is said once more, and otherwise.
    let _ = series.push(id, received(at(2_000), at(2_040), Ok((720, -1))));
    let _ = series.push(id, received(at(2_000), at(2_050), Ok((730, -1))));
    let check = |series: &Series| {
        let mut said: Vec<i64> =
            answer(series, 0, 10_000).iter().map(|it| it.value.unwrap().0).collect();
        said.sort_unstable();
        assert_eq!(said, [690, 700, 705, 710, 730]);
    };
    check(&series);
    series.seal(offset(1), b"").unwrap();
    check(&series);
    drop(series);
    check(&place.open());
}

#[test]
fn a_correction_survives_a_restart_and_a_damaged_one_is_not_believed() {
    let place = Place::new();
    let series = place.open();
    let id = series.series(&key("HR", "/min"));
    let _ = series.push(id, point(1_000, 700));
    let all = [
        correction(1, (0, 2_000), Amendment::Withdraw),
        correction(2, (1_000, 1_001), replaced(650)),
        correction(3, (1_000, 1_001), Amendment::Undo(CorrectionId::v7(at(0), 2))),
    ];
    all.iter().for_each(|it| series.correct(it.clone()));
    // One that failed to be sealed is sealed by the next.
    drop(series.begin_seal(offset(1), Vec::new()).unwrap());
    series.seal(offset(1), b"").unwrap();
    all.iter().for_each(|it| series.correct(it.clone()));
    assert_eq!(series.all_corrections(), all);
    drop(series);
    let series = place.open();
    assert_eq!(series.all_corrections(), all);
    assert_eq!(series.corrections_of(org(), device(), (at(1_000), at(1_001))), all);
    assert_eq!(series.corrections_of(org(), device(), (at(1_001), at(1_500))), all[..1]);
    assert_eq!(answer(&series, 0, 5_000)[0].value, Err(MissingReason::Withdrawn));
    let rot = "UPDATE correction SET from_at = from_at + 1 WHERE amendment = 0";
    series.0.database.write(|tx| Ok(tx.execute(rot, [])?)).unwrap();
    drop(series);
    let path = place.0.path().join("series.sqlite");
    let error = Series::open(&path).unwrap_err().to_string();
    assert!(error.starts_with("the list of corrections in the database"), "{error}");
    // A start gives all of them again, and the next sealing takes the place of what stood there.
    let series = Series::open_for_start(&path).unwrap();
    assert!(series.lacks_corrections() && series.all_corrections().is_empty());
    all[..2].iter().for_each(|it| series.correct(it.clone()));
    drop(series.begin_seal(offset(2), Vec::new()).unwrap());
    assert!(series.lacks_corrections());
    series.seal(offset(2), b"").unwrap();
    assert!(!series.lacks_corrections());
    drop(series);
    assert_eq!(place.open().all_corrections(), all[..2]);
    assert!(!Series::open_for_start(&path).unwrap().lacks_corrections());
}

#[test]
fn what_is_taken_in_again_at_any_distance_takes_no_room() {
    let place = Place::new();
    let mut series = place.open();
    // A day by one value in ten seconds, in an order of its own, and an hour of a waveform.
    let day = |later: i64| {
        let point = move |n: i64| Point {
            received_at: at(90_000_000 + later + n),
            ..point((n * 7_919 % 8_640) * 10_000, 600 + n % 200)
        };
        (0..8_640).map(point)
    };
    let hour = |later: i64| {
        let block = move |n: i64| {
            let it = span(n * 1_000, 250);
            WaveSpan { received_at: at(90_000_000 + later), ..it }
        };
        (0..600).map(block)
    };
    let take = |series: &Series, later: i64, at_once: usize| {
        let points: Vec<Point> = day(later).collect();
        let id = series.series(&key("HR", "/min"));
        let ecg = series.series(&key("ECG", "uV"));
        for some in points.chunks(at_once) {
            let _ = series.push_all(some.iter().map(|it| (id, *it)));
            series.seal(offset(0), b"").unwrap();
        }
        hour(later).for_each(|it| _ = series.push_wave(ecg, it));
        // What is in memory only is the same as what is sealed.
        let ecg = Question { channel: "ECG".into(), ..question(0, 90_000_000) };
        assert_eq!(series.query_wave(&ecg).unwrap().stretches[0].items.len(), 600);
        series.seal(offset(0), b"").unwrap()
    };
    take(&series, 0, 8_640);
    let all = question(0, 90_000_000);
    let pace = Pace { origin_ns: 0, step_ns: 60_000_000_000, resolution: Resolution::Minutes(1) };
    let drawn = |series: &Series| series.drawn(&all, None, &pace, &|_| RULE).unwrap().stretches;
    let (bytes, first, rolled) =
        (chunk_bytes(&series), series.query(&all).unwrap(), drawn(&series));
    assert_eq!(first.stretches[0].items.len(), 8_640);
    // At once, after a restart, days later, and in pieces of another size.
    for (later, at_once) in [(0, 8_640), (1, 1_000), (864_000_000, 3_000)] {
        series = place.open();
        let sealed = take(&series, later, at_once);
        assert_eq!((sealed.points, sealed.samples), (0, 0));
        assert_eq!(chunk_bytes(&series), bytes, "{later}");
        assert_eq!(series.query(&all).unwrap(), first);
        assert_eq!(kept(&series), first.stretches[0].items);
        assert_eq!(drawn(&series), rolled);
    }
    // One that says something else is kept beside the other.
    let id = series.series(&key("HR", "/min"));
    let _ = series.push(id, Point { received_at: at(99_000_000), ..point(0, 1) });
    assert_eq!(series.seal(offset(0), b"").unwrap().points, 1);
    assert_eq!(answer(&series, 0, 1)[0].value, Ok((1, -1)));
}

#[test]
fn a_withdrawn_stretch_of_a_waveform_is_there_and_means_nothing() {
    let place = Place::new();
    let series = place.open();
    let id = series.series(&key("HR", "uV"));
    for n in [1, 2, 3] {
        let _ = series.push_wave(id, WaveSpan { invalid: [].into(), ..span(n * 1_000, 250) });
    }
    series.correct(correction(1, (1_500, 3_004), Amendment::Withdraw));
    let doubts = |series: &Series| -> Vec<Vec<(u32, u32)>> {
        let found = series.query_wave(&question(0, 9_000)).unwrap();
        let doubts = |it: &WaveSpan| it.invalid.iter().map(|it| (it.start, it.len)).collect();
        found.stretches[0].items.iter().map(doubts).collect()
    };
    assert_eq!(doubts(&series), [vec![(125, 125)], vec![(0, 250)], vec![(0, 1)]]);
    series.seal(offset(1), b"").unwrap();
    assert_eq!(doubts(&series), [vec![(125, 125)], vec![(0, 250)], vec![(0, 1)]]);
    assert_eq!(doubts(&series.uncorrected()), [vec![], vec![], vec![]]);
    // What is compared with the journal is what was received.
    let sealed = series.sealed_waves(&question(0, 9_000)).unwrap();
    assert!(sealed[0].items.iter().all(|it| it.invalid.is_empty()));
}

#[derive(Clone, Debug)]
enum Event {
    Comes(i64, i64, Said),
    Corrected((i64, i64), Option<i64>),
    TakenBack(usize),
    Sealed,
    Tended,
    Restarted,
}

fn event() -> impl Strategy<Value = Event> {
    let said = prop_oneof![
        4 => (600_i64..606).prop_map(|it| Ok((it, -1))),
        1 => Just(Err(MissingReason::PoorSignal)),
    ];
    // Few instants, so that they meet: 40 of them in six hours around the end of a day.
    let instant = || (0_i64..40).prop_map(|it| it * 540_000);
    prop_oneof![
        12 => (instant(), 0_i64..5_000, said).prop_map(|(at, came, said)| Event::Comes(at, came, said)),
        2 => (instant(), 1_i64..4_000_000).prop_map(|(at, len)| Event::Corrected((at, at + len), None)),
        2 => (instant(), 500_i64..700).prop_map(|(at, it)| Event::Corrected((at, at + 1), Some(it))),
        2 => (0_usize..8).prop_map(Event::TakenBack),
        2 => Just(Event::Sealed),
        1 => Just(Event::Tended),
        1 => Just(Event::Restarted),
    ]
}

/// Everything that ever came, as the journal has it.
#[derive(Default)]
struct Plain {
    points: Vec<Point>,
    corrections: Vec<GivenCorrection>,
}

impl Plain {
    fn firsts(&self) -> Vec<Point> {
        let mut firsts: BTreeMap<(Timestamp, String), Point> = BTreeMap::new();
        for point in &self.points {
            let key = (point.at, format!("{:?}", point.value));
            let first = firsts.entry(key).or_insert(*point);
            if point.received_at < first.received_at {
                *first = *point;
            }
        }
        let greatness = |it: &Point| it.value.map_or(i64::MIN, |(digits, _)| digits);
        let mut firsts: Vec<Point> = firsts.into_values().collect();
        firsts.sort_by_key(|it| (it.at, it.received_at, greatness(it)));
        firsts
    }

    fn counted(&self, known_at: Timestamp) -> Vec<Point> {
        let known = || self.corrections.iter().filter(move |it| it.known_at <= known_at);
        let is_undone =
            |id: CorrectionId| known().any(|it| it.correction.amendment == Amendment::Undo(id));
        let mut last: BTreeMap<(Timestamp, usize), Point> = BTreeMap::new();
        for (number, point) in self.firsts().into_iter().enumerate() {
            let before = last.last_entry().filter(|it| it.key().0 == point.at);
            match before {
                Some(mut before) if before.get().received_at != point.received_at => {
                    before.insert(point);
                }
                Some(_) | None => drop(last.insert((point.at, number), point)),
            }
        }
        for given in known().filter(|it| !is_undone(it.correction.id)) {
            let it = &given.correction;
            for (_, point) in last.range_mut((it.from, 0)..(it.to, 0)) {
                point.value = match it.amendment {
                    Amendment::Withdraw => Err(MissingReason::Withdrawn),
                    Amendment::Replace { mantissa, exp10, .. } => Ok((mantissa, exp10)),
                    Amendment::Undo(_) => point.value,
                };
            }
        }
        let mut counted: Vec<Point> = last.into_values().collect();
        counted.dedup_by(|next, kept| (next.at, next.value) == (kept.at, kept.value));
        counted
    }
}

/// What has only these points: it draws as what has more, and was corrected to them.
fn plainly(points: &[Point]) -> (Place, Series) {
    let place = Place::new();
    let series = place.open();
    let id = series.series(&key("HR", "/min"));
    points.iter().for_each(|it| _ = series.push(id, *it));
    (place, series)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn whatever_happens_the_same_counts_as_on_a_plain_list(
        events in prop::collection::vec(event(), 1..60),
        known in 0_i64..12,
    ) {
        let place = Place::new();
        let (mut series, mut plain) = (place.open(), Plain::default());
        let (mut sealed, mut number) = ((0, 0), 0_u128);
        for event in &events {
            let id = series.series(&key("HR", "/min"));
            match event {
                Event::Comes(millis, came, said) => {
                    let point = received(at(*millis), at(millis + came), *said);
                    let _ = series.push(id, point);
                    plain.points.push(point);
                }
                Event::Corrected(span, value) => {
                    number += 1;
                    let amendment = value.map_or(Amendment::Withdraw, replaced);
                    let given = correction(number, *span, amendment);
                    series.correct(given.clone());
                    plain.corrections.push(given);
                }
                Event::TakenBack(which) => {
                    let Some(it) = plain.corrections.get(*which).cloned() else { continue };
                    if !matches!(it.correction.amendment, Amendment::Undo(_)) {
                        number += 1;
                        // Whatever span it names, it is about that of the other one.
                        let undo = Amendment::Undo(it.correction.id);
                        let given = correction(number, (0, 1), undo);
                        series.correct(given.clone());
                        plain.corrections.push(given);
                    }
                }
                Event::Sealed => {
                    series.seal(offset(1), b"").unwrap();
                    sealed = (plain.points.len(), plain.corrections.len());
                }
                Event::Tended => drop(series.tend(at(900_000_000), &|_| RULE, 99).unwrap()),
                Event::Restarted => {
                    // Memory is gone; the journal is read again from the last sealing on.
                    series = place.open();
                    let id = series.series(&key("HR", "/min"));
                    plain.points[sealed.0..].iter().for_each(|it| _ = series.push(id, *it));
                    plain.corrections[sealed.1..].iter().for_each(|it| series.correct(it.clone()));
                }
            }
        }
        let then = at(known * 1_000);
        prop_assert_eq!(answer(&series, -1, 90_000_000), plain.counted(at(i64::from(i32::MAX))));
        prop_assert_eq!(answer(&series.as_known(then), -1, 90_000_000), plain.counted(then));
        prop_assert_eq!(answer(&series.uncorrected(), -1, 90_000_000), plain.counted(at(-1)));
        prop_assert_eq!(kept(&series), plain.firsts());

        // Drawn by the minute, from blocks where they are there, and by the hour.
        let ask = question(-3_600_000, 30_000_000);
        for (series, at) in [(series.clone(), at(i64::from(i32::MAX))), (series.as_known(then), then)] {
            let (_place, alike) = plainly(&plain.counted(at));
            for minutes in [1, 60] {
                let step_ns = minutes * 60_000_000_000;
                let pace = Pace { origin_ns: 0, step_ns, resolution: Resolution::Minutes(minutes) };
                let drawn = |it: &Series| it.drawn(&ask, None, &pace, &|_| RULE).unwrap().stretches;
                prop_assert_eq!(drawn(&series), drawn(&alike));
            }
        }

        // Made anew from the journal, in one go.
        let anew = Place::new();
        let rebuilt = anew.open();
        let id = rebuilt.series(&key("HR", "/min"));
        plain.corrections.iter().for_each(|it| rebuilt.correct(it.clone()));
        plain.points.iter().for_each(|it| _ = rebuilt.push(id, *it));
        rebuilt.seal(offset(1), b"").unwrap();
        prop_assert_eq!(kept(&rebuilt), kept(&series));
        prop_assert_eq!(answer(&rebuilt, -1, 90_000_000), answer(&series, -1, 90_000_000));
        prop_assert_eq!(rebuilt.all_corrections(), series.all_corrections());
    }
}
