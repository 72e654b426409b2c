//! The times of sealed points: near a regular grid, and reached us many at once.
//!
//! A device measures every second, give or take some milliseconds. Kept as differences
//! each wobble counts twice; kept as what is left of a grid it counts once. And what came
//! in one message, or one upload, reached us at one time, which is kept as it is.

use pco::DeltaSpec;

use super::chunk::{Malformed, put_column, put_smallest, take, take_column};

/// Times as differences, arrivals as delays.
const PLAIN: u8 = 0;
/// Times as steps of a grid and what is left of them.
const GRID: u8 = 1;
/// Arrivals as times of their own.
const OWN: u8 = 1;

/// A grid is as fine as this, so that wobble does not spoil its period.
const FINEST_NS: i64 = 10_000_000;

/// A grid near which most times lie.
struct Grid {
    first: i64,
    period: i64,
}

impl Grid {
    /// The grid of these times, if what is left of it would be small.
    fn of(times: &[i64]) -> Option<Self> {
        let first = *times.first()?;
        let mut apart: Vec<i64> =
            times.iter().zip(times.iter().skip(1)).map(|(a, b)| b.wrapping_sub(*a)).collect();
        let middle = apart.len().checked_sub(1)?.checked_div(2)?;
        let median = *apart.select_nth_unstable(middle).1;
        let half = FINEST_NS.checked_div(2)?;
        let period = median.checked_add(half)?.checked_div(FINEST_NS)?.checked_mul(FINEST_NS)?;
        let grid = Self { first, period };
        if period <= 0 {
            return None;
        }
        let wide = period.checked_div(8)?;
        let is_near = |at: &&i64| grid.split(**at).is_some_and(|(_, rest)| rest.abs() <= wide);
        let near = times.iter().filter(is_near).count();
        let lost = times.iter().any(|at| grid.split(*at).is_none());
        (!lost && near.checked_mul(20)? >= times.len().checked_mul(19)?).then_some(grid)
    }

    /// The number of the nearest step, and what is left.
    fn split(&self, at: i64) -> Option<(i64, i64)> {
        let elapsed = at.checked_sub(self.first)?;
        let half = self.period.checked_div(2)?;
        let number = elapsed.checked_add(half)?.checked_div_euclid(self.period)?;
        let rest = elapsed.checked_sub(number.checked_mul(self.period)?)?;
        Some((number, rest))
    }

    const fn join(&self, number: i64, rest: i64) -> i64 {
        self.first.wrapping_add(number.wrapping_mul(self.period)).wrapping_add(rest)
    }
}

/// Writes when points were measured and when they reached us, in nanoseconds.
pub(super) fn put(out: &mut Vec<u8>, at: &[i64], received: &[i64]) -> Result<(), Malformed> {
    match Grid::of(at) {
        Some(grid) => {
            let split: Option<Vec<(i64, i64)>> = at.iter().map(|at| grid.split(*at)).collect();
            let split = split.ok_or(Malformed)?;
            let before = std::iter::once(0).chain(split.iter().map(|it| it.0));
            let steps: Vec<i64> =
                split.iter().zip(before).map(|(it, before)| it.0.wrapping_sub(before)).collect();
            out.push(GRID);
            out.extend(grid.first.to_be_bytes());
            out.extend(grid.period.to_be_bytes());
            put_smallest(out, &steps, &[DeltaSpec::NoOp])?;
            let rests: Vec<i64> = split.iter().map(|it| it.1).collect();
            put_smallest(out, &rests, &[DeltaSpec::NoOp])?;
        }
        None => {
            out.push(PLAIN);
            put_smallest(out, at, &[DeltaSpec::TryConsecutive(1)])?;
        }
    }
    let together =
        received.iter().zip(received.iter().skip(1)).filter(|(one, next)| one == next).count();
    if together.saturating_mul(2) > received.len() {
        out.push(OWN);
        return put_column(out, received);
    }
    out.push(PLAIN);
    let delays = received.iter().zip(at).map(|(received, at)| received.wrapping_sub(*at));
    put_smallest(out, &delays.collect::<Vec<_>>(), &[DeltaSpec::NoOp])
}

/// Reads them back: when `count` points were measured, and when they reached us.
pub(super) fn take_both(rest: &mut &[u8], count: usize) -> Result<(Vec<i64>, Vec<i64>), Malformed> {
    let at = match take::<1>(rest)? {
        [GRID] => {
            let first = i64::from_be_bytes(take(rest)?);
            let grid = Grid { first, period: i64::from_be_bytes(take(rest)?) };
            let steps = take_column::<i64>(rest, count)?;
            let rests = take_column::<i64>(rest, count)?;
            let mut number = 0_i64;
            let join = |(step, rest): (i64, i64)| {
                number = number.wrapping_add(step);
                grid.join(number, rest)
            };
            steps.into_iter().zip(rests).map(join).collect()
        }
        [PLAIN] => take_column::<i64>(rest, count)?,
        _ => return Err(Malformed),
    };
    let received = match take::<1>(rest)? {
        [OWN] => take_column::<i64>(rest, count)?,
        [PLAIN] => {
            let delays = take_column::<i64>(rest, count)?;
            at.iter().zip(delays).map(|(at, delay)| i64::wrapping_add(*at, delay)).collect()
        }
        _ => return Err(Malformed),
    };
    Ok((at, received))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: i64 = 1_000_000_000;
    const MILLI: i64 = 1_000_000;

    fn len_of(at: &[i64], received: &[i64]) -> usize {
        let mut bytes = Vec::new();
        put(&mut bytes, at, received).unwrap();
        let mut rest = &bytes[..];
        assert_eq!(take_both(&mut rest, at.len()), Ok((at.to_vec(), received.to_vec())));
        assert!(rest.is_empty());
        bytes.len()
    }

    #[test]
    fn a_wobble_counts_once_and_a_missing_second_costs_little() {
        let wobble =
            |n: i64| (n.wrapping_mul(7_046_029_254_386_353_131) >> 40).rem_euclid(9) * MILLI;
        let all: Vec<i64> = (0..3_600).map(|n| n * SECOND + wobble(n)).collect();
        let one = vec![9_999; 3_600];
        // log2 9 bits each are 1,426 bytes; as differences they are 1,700.
        let whole = len_of(&all, &one);
        assert!(whole < 1_640, "{whole}");
        let kept = |n: &i64| n.div_euclid(SECOND) % 50 != 7;
        let some: Vec<i64> = all.iter().copied().filter(kept).collect();
        let fewer = len_of(&some, &one[..some.len()]);
        assert!(fewer < whole + 120, "{fewer}");
    }

    #[test]
    fn times_without_a_grid_and_at_the_ends_of_time_come_back_too() {
        for at in [
            vec![],
            vec![5],
            vec![i64::MIN, i64::MAX],
            vec![i64::MAX, i64::MIN, 0],
            vec![0, 0, 0, 1],
            vec![9, 8, 7],
            (0..100).map(|n| n * n * 1_003).collect(),
        ] {
            let received: Vec<i64> = at.iter().map(|at: &i64| at.wrapping_mul(3)).collect();
            let _ = len_of(&at, &received);
        }
    }

    proptest! {
        #[test]
        fn any_times_come_back(
            seed in prop::collection::vec((any::<i64>(), -20_i64..20, any::<i64>()), 0..60),
            is_wild: bool,
            is_together: bool,
        ) {
            let place = |(n, it): (i64, &(i64, i64, i64))| match is_wild {
                true => it.0,
                false => n * SECOND + it.1 * MILLI + (it.0 % 40 / 39) * 17 * SECOND,
            };
            let at: Vec<i64> = (0..).zip(&seed).map(place).collect();
            let received: Vec<i64> =
                seed.iter().map(|it| if is_together { it.1 / 19 } else { it.2 }).collect();
            let _ = len_of(&at, &received);
        }

        #[test]
        fn damaged_times_never_panic(bytes: Vec<u8>, count in 0_usize..100) {
            let _ = take_both(&mut &bytes[..], count);
        }
    }
}
