//! Departures against their slow definition, and in long histories.

use std::cell::Cell;

use model::Line;
use proptest::prelude::*;

use super::*;

thread_local! {
    static COMPARED: Cell<usize> = const { Cell::new(0) };
}

/// A bed that counts how often a line was looked at for it.
#[derive(Clone, Copy, Debug)]
struct Bed;

impl PartialEq for Bed {
    fn eq(&self, _: &Self) -> bool {
        COMPARED.set(COMPARED.get() + 1);
        true
    }
}

type History = Vec<Line<Bed, Option<PatientId>>>;

fn second(n: i64) -> Timestamp {
    Timestamp::from_unix_millis(1_795_262_400_000 + n * 1_000)
}

fn patient(n: u64) -> PatientId {
    PatientId::v7(second(0), n.into())
}

fn line(patient_number: Option<u64>, from: i64, known_at: i64) -> Line<Bed, Option<PatientId>> {
    let value = patient_number.map(patient);
    Line { key: Bed, value, from: second(from), known_at: second(known_at) }
}

/// What a departure is, word by word.
fn slowly(
    history: &History,
    since: Option<Timestamp>,
    now: Timestamp,
) -> Vec<(Timestamp, PatientId)> {
    let known = history.iter().filter(|line| line.known_at <= now && line.from <= now);
    let young = known.filter(|line| since.is_none_or(|since| line.from > since));
    let mut found: Vec<_> = young
        .filter_map(|line| {
            let before = as_of(history, Bed, line.from.before(INSTANT), now).flatten()?;
            let after = as_of(history, Bed, line.from, now).flatten();
            (after != Some(before)).then_some((line.from, before))
        })
        .collect();
    found.sort_unstable();
    found.dedup();
    found.reverse();
    found
}

fn quickly(
    history: &History,
    since: Option<Timestamp>,
    now: Timestamp,
) -> Vec<(Timestamp, PatientId)> {
    departures(history, Bed, since, now).map(|(whom, at)| (at, whom)).collect()
}

proptest! {
    #[test]
    fn departures_are_those_of_the_definition_newest_first(
        lines in prop::collection::vec((prop::option::of(0_u64..3), 0_i64..12, 0_i64..12), 0..24),
        since in prop::option::of(0_i64..12),
        now in 0_i64..14,
    ) {
        let history: History =
            lines.into_iter().map(|(whom, from, known_at)| line(whom, from, known_at)).collect();
        let (since, now) = (since.map(second), second(now));
        prop_assert_eq!(quickly(&history, since, now), slowly(&history, since, now));
    }
}

#[test]
fn a_long_history_is_gone_through_once_and_not_once_per_line() {
    let count = 10_000;
    let history: History = (0..count).map(|n| line((n % 2 == 0).then_some(7), n, n)).collect();
    for (since, left) in [
        (None, 5_000),
        (Some(second(-1)), 5_000),
        (Some(second(count - 2)), 1),
        (Some(second(count - 1)), 0),
    ] {
        COMPARED.set(0);
        assert_eq!(departures(&history, Bed, since, second(count)).count(), left, "{since:?}");
        assert!(COMPARED.get() <= history.len(), "{since:?}: {}", COMPARED.get());
    }
}

#[test]
fn whoever_was_put_into_a_bed_by_mistake_never_left_it() {
    let history = vec![line(Some(1), 5, 5), line(None, 5, 6)];
    let gone = |now| quickly(&history, None, second(now));
    assert_eq!((gone(5), gone(9)), (vec![], vec![]));
    // By what was known before the correction somebody lay there.
    let later = vec![line(Some(1), 5, 5), line(None, 7, 7), line(Some(1), 7, 8)];
    assert_eq!(quickly(&later, None, second(7)), [(second(7), patient(1))]);
    assert_eq!(quickly(&later, None, second(8)), []);
}
