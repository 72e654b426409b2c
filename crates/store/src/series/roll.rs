//! Roll-ups as values: what a stretch of points comes to, and how two stretches add up.
//!
//! A value counts for its reach, or until the next point if that comes sooner; what no
//! value reaches is gap. What counts of several points of one instant says `counts`.

use std::ops::RangeInclusive;

use model::{MissingReason, Ucum};

use super::{Point, corrections::Held, counts::counted};
use crate::limits::ROLL_REACH_MAX;

/// How many nanoseconds a minute has, the finest roll-up.
pub(super) const MINUTE_NS: i64 = 60_000_000_000;
/// Values beyond this many millionths of the unit count as this, in roll-ups only.
const MICROS_MAX: i64 = 1_000_000_000_000_000;

/// How the points of a series are rolled up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RollRule {
    /// For how long a value counts, in nanoseconds; at most a day is believed.
    pub reach_ns: i64,
    /// The least and the greatest value, in millionths of the unit, that are «in range».
    pub range_micros: Option<(i64, i64)>,
}

impl RollRule {
    pub(super) fn reach(&self) -> i64 {
        let most = i64::try_from(ROLL_REACH_MAX.as_nanos()).unwrap_or(i64::MAX);
        self.reach_ns.clamp(0, most)
    }

    /// As three columns: reach, and a range that is empty if there is none.
    pub(super) fn columns(&self) -> (i64, i64, i64) {
        let (low, high) = self.range_micros.unwrap_or((i64::MAX, i64::MIN));
        (self.reach(), low, high)
    }

    fn holds(&self, micros: i64) -> bool {
        self.range_micros.is_some_and(|(low, high)| (low..=high).contains(&micros))
    }
}

/// One value at its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spot {
    /// Nanoseconds since 1970.
    pub at_ns: i64,
    /// Millionths of the unit.
    pub micros: i64,
}

/// The values by which a stretch is drawn; of equals the earliest stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it all")]
pub struct Extremes {
    pub first: Spot,
    pub least: Spot,
    pub greatest: Spot,
    pub last: Spot,
}

impl Extremes {
    const fn of(spot: Spot) -> Self {
        Self { first: spot, least: spot, greatest: spot, last: spot }
    }

    const fn then(self, next: Self) -> Self {
        Self {
            first: self.first,
            least: if next.least.micros < self.least.micros { next.least } else { self.least },
            greatest: if next.greatest.micros > self.greatest.micros {
                next.greatest
            } else {
                self.greatest
            },
            last: next.last,
        }
    }
}

/// What the points of a stretch of time come to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Roll {
    /// Values, one an instant.
    pub count: u64,
    /// Their sum, in millionths of the unit.
    pub sum_micros: i128,
    /// First, least, greatest and last of them, if there is any.
    pub extremes: Option<Extremes>,
    /// For how long a value counted, in nanoseconds; the rest of the stretch is gap.
    pub covered_ns: i64,
    /// For how much of that the value was in range.
    pub in_range_ns: i64,
    /// Why there was no value, as the device said first in this stretch, if it did.
    pub said: Option<MissingReason>,
}

impl Roll {
    /// The mean of the values in millionths of the unit, rounded down, if there is any.
    pub fn mean_micros(&self) -> Option<i64> {
        // Nearly all sums are short, and dividing 64 bits is much quicker.
        if let (Ok(sum), Ok(count)) = (i64::try_from(self.sum_micros), i64::try_from(self.count)) {
            return sum.checked_div_euclid(count);
        }
        let mean = self.sum_micros.checked_div_euclid(self.count.into())?;
        i64::try_from(mean).ok()
    }

    /// This stretch and the one that follows it.
    #[must_use]
    pub fn then(self, next: Self) -> Self {
        let extremes = match (self.extremes, next.extremes) {
            (Some(one), Some(other)) => Some(one.then(other)),
            (one, other) => one.or(other),
        };
        Self {
            count: self.count.saturating_add(next.count),
            sum_micros: self.sum_micros.saturating_add(next.sum_micros),
            extremes,
            covered_ns: self.covered_ns.saturating_add(next.covered_ns),
            in_range_ns: self.in_range_ns.saturating_add(next.in_range_ns),
            said: self.said.or(next.said),
        }
    }
}

/// Roll-ups by the number of their step, in its order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Rolls(Vec<(i64, Roll)>);

impl Rolls {
    /// Adds what follows in a step; steps mostly come in their order.
    pub(super) fn add(&mut self, number: i64, roll: Roll) {
        if let Some((last, before)) = self.0.last_mut()
            && number <= *last
        {
            if *last == number {
                *before = before.then(roll);
                return;
            }
            let place = self.0.partition_point(|(it, _)| *it < number);
            match self.0.get_mut(place) {
                Some((it, before)) if *it == number => *before = before.then(roll),
                _ => self.0.insert(place, (number, roll)),
            }
            return;
        }
        self.0.push((number, roll));
    }

    /// Puts others in the place of these steps.
    pub(super) fn replace(&mut self, steps: &RangeInclusive<i64>, others: Self) {
        let first = self.0.partition_point(|(it, _)| it < steps.start());
        let end = self.0.partition_point(|(it, _)| it <= steps.end());
        self.0.splice(first..end.max(first), others.0);
    }

    /// Only these steps.
    #[must_use]
    pub(super) fn within(mut self, steps: &RangeInclusive<i64>) -> Self {
        self.0.retain(|(it, _)| steps.contains(it));
        self
    }

    /// Those of steps `factor` times as long.
    #[must_use]
    pub(super) fn coarser(&self, factor: i64) -> Self {
        let mut coarse = Self::default();
        for (number, roll) in &self.0 {
            coarse.add(number.div_euclid(factor.max(1)), *roll);
        }
        coarse
    }

    pub(super) const fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &(i64, Roll)> {
        self.0.iter()
    }

    /// Takes in what is in its order already; `None` if it is not.
    pub(super) fn of_ordered(rolls: Vec<(i64, Roll)>) -> Option<Self> {
        rolls.is_sorted_by(|(one, _), (other, _)| one < other).then_some(Self(rolls))
    }
}

impl IntoIterator for Rolls {
    type Item = (i64, Roll);
    type IntoIter = std::vec::IntoIter<(i64, Roll)>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

/// What counts at an instant: a value in millionths of the unit, or why there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sample {
    pub(super) at_ns: i64,
    pub(super) micros: Result<i64, MissingReason>,
}

/// Millionths of the unit, rounded half away from zero, bounded.
pub(super) fn micros(mantissa: i64, exp10: i8) -> i64 {
    let power = i32::from(exp10).saturating_add(6);
    // Beyond 10^19 every number but zero is past the bound, or rounds to zero.
    let factor = 10_i128.saturating_pow(power.unsigned_abs().min(20));
    let digits = i128::from(mantissa);
    let value = if power >= 0 {
        digits.saturating_mul(factor)
    } else {
        let half = factor.checked_div(2).unwrap_or(0);
        let half = if digits < 0 { half.saturating_neg() } else { half };
        digits.saturating_add(half).checked_div(factor).unwrap_or(0)
    };
    let most = i128::from(MICROS_MAX);
    i64::try_from(value.clamp(most.saturating_neg(), most)).unwrap_or(0)
}

/// What counts of these points in the unit of their series, by time; of a burst that is dated
/// by its receipt the last, as a roll-up has one value an instant.
pub(super) fn current(points: Vec<Point>, ucum: &Ucum, held: &[Held]) -> Vec<Sample> {
    let sample = |point: Point| Sample {
        at_ns: point.at.unix_nanos(),
        micros: point.value.map(|(mantissa, exp10)| micros(mantissa, exp10)),
    };
    let mut points = counted(points, ucum, held);
    points.dedup_by(|next, kept| {
        let is_of_it = next.at == kept.at;
        if is_of_it {
            *kept = *next;
        }
        is_of_it
    });
    points.into_iter().map(sample).collect()
}

/// Steps of equal length, in nanoseconds, counted from an origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Grid {
    pub(super) origin_ns: i64,
    pub(super) step_ns: i64,
}

impl Grid {
    pub(super) const MINUTES: Self = Self { origin_ns: 0, step_ns: MINUTE_NS };

    pub(super) const fn number(self, at_ns: i64) -> i64 {
        let step_ns = if self.step_ns < 1 { 1 } else { self.step_ns };
        at_ns.saturating_sub(self.origin_ns).div_euclid(step_ns)
    }

    pub(super) const fn begin(self, number: i64) -> i64 {
        self.origin_ns.saturating_add(number.saturating_mul(self.step_ns))
    }
}

/// The roll-ups of `from..to` (nanoseconds) by step, without empty ones. `samples` are
/// those of `from` less the reach up to `to`.
pub(super) fn by_step(
    samples: &[Sample],
    (from, to): (i64, i64),
    rule: &RollRule,
    grid: Grid,
) -> Rolls {
    let mut steps = Rolls::default();
    let reach = rule.reach();
    let nexts = samples.iter().skip(1).map(|next| next.at_ns).chain([i64::MAX]);
    for (sample, next) in samples.iter().zip(nexts) {
        let is_here = (from..to).contains(&sample.at_ns);
        let micros = match sample.micros {
            Ok(micros) => micros,
            Err(reason) => {
                if is_here {
                    let said = Roll { said: Some(reason), ..Roll::default() };
                    steps.add(grid.number(sample.at_ns), said);
                }
                continue;
            }
        };
        if is_here {
            let spot = Extremes::of(Spot { at_ns: sample.at_ns, micros });
            let one = Roll {
                count: 1,
                sum_micros: micros.into(),
                extremes: Some(spot),
                ..Roll::default()
            };
            steps.add(grid.number(sample.at_ns), one);
        }
        let end = sample.at_ns.saturating_add(reach).min(next).min(to);
        let mut begin = sample.at_ns.max(from);
        while begin < end {
            let number = grid.number(begin);
            let until = end.min(grid.begin(number.saturating_add(1)));
            let ns = until.saturating_sub(begin);
            let in_range_ns = if rule.holds(micros) { ns } else { 0 };
            let covered = Roll { covered_ns: ns, in_range_ns, ..Roll::default() };
            steps.add(number, covered);
            begin = until;
        }
    }
    steps
}
