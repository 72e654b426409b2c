//! Roll-ups against the points of the model: minute by minute, each from all points anew.

use std::{collections::BTreeMap, time::Duration};

use model::{MissingReason, Timestamp};
use store::{Column, Point, Question, Roll, RollRule, Series, SeriesKey};

use crate::model::{Broken, DEVICES, Model, begin, device, ensure, org};

const MINUTE_NS: i64 = 60_000_000_000;
/// A value counts for so long; devices mostly send one every few seconds.
const REACH_NS: i64 = 25_000_000_000;
/// In range are so many millionths.
const RANGE: (i64, i64) = (5_000_000, 20_000_000);
/// Mostly points are of this span; some are a year ahead.
const SPAN: Duration = Duration::from_secs(4 * 3_600);
const YEAR: Duration = Duration::from_secs(365 * 86_400);
/// The lengths of steps, in minutes, that are kept, and one that is made of them.
const STEPS_MIN: [i64; 4] = [1, 15, 60, 30];

pub fn rule(_: &SeriesKey) -> RollRule {
    RollRule { reach_ns: REACH_NS, range_micros: Some(RANGE) }
}

/// After every day that anything was measured on.
pub fn afterwards() -> Timestamp {
    begin().after(YEAR.saturating_mul(2))
}

/// Whole hours around what was measured, and the same a year later.
fn spans() -> [(Timestamp, Timestamp); 2] {
    let hour_ns = 60 * MINUTE_NS;
    let whole = |at: Timestamp| {
        let at = at.unix_nanos();
        Timestamp::from_unix_nanos(at.saturating_sub(at.rem_euclid(hour_ns)))
    };
    let from = whole(begin().before(SPAN));
    let later = whole(from.after(YEAR));
    let len = SPAN.saturating_mul(2);
    [(from, from.after(len)), (later, later.after(len))]
}

/// What was found of roll-ups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rolled {
    /// They are those of the model's points.
    Right,
    /// Where not, it was said.
    Named,
    /// One of them is another, which is told.
    Wrong(String),
}

/// Compares all roll-ups with those of what was measured up to a place.
pub fn check_rolls(series: &Series, points: impl Fn(u64) -> Vec<Point>) -> Rolled {
    for number in 0..DEVICES {
        let points = points(number);
        for (from, to) in spans() {
            let inside: Vec<Point> =
                points.iter().filter(|point| (from..to).contains(&point.at)).copied().collect();
            let minutes = by_minute(&inside);
            for step_min in STEPS_MIN {
                let channel = "HR".into();
                let question = Question { org: org(), device: device(number), channel, from, to };
                let Ok(found) = series.rolled(&question, None, step_min, &rule) else {
                    return Rolled::Named;
                };
                if !found.damaged.is_empty() {
                    return Rolled::Named;
                }
                let found: Vec<Column> =
                    found.stretches.into_iter().flat_map(|it| it.items).collect();
                let want = in_steps(&minutes, step_min);
                if found != want {
                    let (count, wants) = (found.len(), want.len());
                    let wrong = found.iter().zip(&want).find(|(found, want)| found != want);
                    return Rolled::Wrong(format!(
                        "device {number} has {count} roll-ups of {step_min} min instead of {wants}: {wrong:?}"
                    ));
                }
            }
        }
    }
    Rolled::Right
}

/// The same, where nothing is damaged.
pub fn check_all_rolls(
    series: &Series,
    model: &Model,
    up_to: store::LogOffset,
) -> Result<(), Broken> {
    let found = check_rolls(series, |device| model.points(up_to, device));
    ensure!(found == Rolled::Right, "roll-ups are not those of the points: {found:?}");
    Ok(())
}

fn micros(point: &Point) -> Result<i64, MissingReason> {
    point.value.map(|(tenths, _)| tenths.saturating_mul(100_000))
}

/// What each minute comes to in which anything was measured or reached.
fn by_minute(points: &[Point]) -> BTreeMap<i64, Roll> {
    let mut minutes = BTreeMap::new();
    for point in points {
        let at = point.at.unix_nanos();
        for touched in [at, at.saturating_add(REACH_NS)] {
            minutes.insert(touched.div_euclid(MINUTE_NS), Roll::default());
        }
    }
    for (minute, roll) in &mut minutes {
        *roll = of_minute(points, minute.saturating_mul(MINUTE_NS));
    }
    minutes.retain(|_, roll| *roll != Roll::default());
    minutes
}

fn of_minute(points: &[Point], begin: i64) -> Roll {
    let end = begin.saturating_add(MINUTE_NS);
    let mut roll = Roll::default();
    for (place, point) in points.iter().enumerate() {
        let at = point.at.unix_nanos();
        let is_here = (begin..end).contains(&at);
        let micros = match micros(point) {
            Ok(micros) => micros,
            Err(reason) => {
                roll.said = roll.said.or(is_here.then_some(reason));
                continue;
            }
        };
        if is_here {
            let spot = store::Spot { at_ns: at, micros };
            let extremes = roll.extremes.get_or_insert(store::Extremes {
                first: spot,
                least: spot,
                greatest: spot,
                last: spot,
            });
            if micros < extremes.least.micros {
                extremes.least = spot;
            }
            if micros > extremes.greatest.micros {
                extremes.greatest = spot;
            }
            extremes.last = spot;
            roll.count = roll.count.saturating_add(1);
            roll.sum_micros = roll.sum_micros.saturating_add(micros.into());
        }
        let next = points.get(place.saturating_add(1)).map_or(i64::MAX, |it| it.at.unix_nanos());
        let counts_until = at.saturating_add(REACH_NS).min(next);
        let covered = counts_until.min(end).saturating_sub(at.max(begin)).max(0);
        roll.covered_ns = roll.covered_ns.saturating_add(covered);
        if (RANGE.0..=RANGE.1).contains(&micros) {
            roll.in_range_ns = roll.in_range_ns.saturating_add(covered);
        }
    }
    roll
}

/// Minutes put together.
fn in_steps(minutes: &BTreeMap<i64, Roll>, step_min: i64) -> Vec<Column> {
    let mut steps: BTreeMap<i64, Roll> = BTreeMap::new();
    for (minute, roll) in minutes {
        let step = steps.entry(minute.div_euclid(step_min)).or_default();
        *step = step.then(*roll);
    }
    let column = |(step, roll): (i64, Roll)| {
        let from = step.saturating_mul(step_min).saturating_mul(MINUTE_NS);
        Column { from: Timestamp::from_unix_nanos(from), roll }
    };
    steps.into_iter().map(column).collect()
}
