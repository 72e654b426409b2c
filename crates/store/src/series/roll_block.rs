//! The roll-ups of one day of a series as bytes.
//!
//! They are derived, so this form may change with its table's rows thrown away; a block
//! that does not read is made again from the points.

use super::{
    chunk::{Malformed, missing_code, missing_reason, put_column, put_len, take_column, take_len},
    roll::{Extremes, Roll, Rolls, Spot},
};
use crate::limits::ROLLS_OF_BLOCK_MAX;

const LOW_BITS: u32 = 32;

/// Roll-ups by their number, counted in steps since 1970; times are kept from `origin_ns` on.
pub(super) fn encode(rolls: &Rolls, origin_ns: i64) -> Result<Vec<u8>, Malformed> {
    let mut out = Vec::new();
    put_len(&mut out, rolls.len())?;
    let mut column = |of: &dyn Fn(i64, &Roll) -> i64| {
        put_column(&mut out, &rolls.iter().map(|(at, roll)| of(*at, roll)).collect::<Vec<_>>())
    };
    column(&|at, _| at)?;
    column(&|_, roll| i64::try_from(roll.count).unwrap_or(i64::MAX))?;
    column(&|_, roll| i64::try_from(roll.sum_micros >> LOW_BITS).unwrap_or(i64::MAX))?;
    column(&|_, roll| i64::try_from(roll.sum_micros & i128::from(u32::MAX)).unwrap_or(0))?;
    column(&|_, roll| roll.covered_ns)?;
    column(&|_, roll| roll.in_range_ns)?;
    column(&|_, roll| roll.said.map_or(0, missing_code))?;
    for spot in SPOTS {
        let at = |roll: &Roll| roll.extremes.map_or(origin_ns, |it| spot(&it).at_ns);
        column(&|_, roll| at(roll).saturating_sub(origin_ns))?;
        column(&|_, roll| roll.extremes.map_or(0, |it| spot(&it).micros))?;
    }
    Ok(out)
}

const SPOTS: [fn(&Extremes) -> Spot; 4] =
    [|it| it.first, |it| it.least, |it| it.greatest, |it| it.last];

pub(super) fn decode(bytes: &[u8], origin_ns: i64) -> Result<Rolls, Malformed> {
    let mut rest = bytes;
    let count = take_len(&mut rest, ROLLS_OF_BLOCK_MAX)?;
    let mut column = || take_column::<i64>(&mut rest, count);
    let (at, counts, high, low) = (column()?, column()?, column()?, column()?);
    let (covered, in_range, said) = (column()?, column()?, column()?);
    let mut spots = || -> Result<Vec<Spot>, Malformed> {
        let (at, micros) = (column()?, column()?);
        let spot = |(at, micros): (i64, i64)| Spot { at_ns: origin_ns.saturating_add(at), micros };
        Ok(at.into_iter().zip(micros).map(spot).collect())
    };
    let (first, least, greatest, last) = (spots()?, spots()?, spots()?, spots()?);
    if !rest.is_empty() {
        return Err(Malformed);
    }
    let extremes = first.into_iter().zip(least).zip(greatest).zip(last);
    let extremes = extremes.map(|(((first, least), greatest), last)| Extremes {
        first,
        least,
        greatest,
        last,
    });
    let sums = high.into_iter().zip(low);
    let sums = sums.map(|(high, low)| (i128::from(high) << LOW_BITS) | i128::from(low));
    let rows = at.into_iter().zip(counts).zip(sums).zip(covered.into_iter().zip(in_range));
    let rolls = rows.zip(extremes).zip(said).map(|(((((at, count), sum), ns), it), said)| {
        let (covered_ns, in_range_ns) = ns;
        let said = if said == 0 { None } else { Some(missing_reason(said)?) };
        let count = u64::try_from(count).map_err(|_| Malformed)?;
        let extremes = (count > 0).then_some(it);
        Ok((at, Roll { count, sum_micros: sum, extremes, covered_ns, in_range_ns, said }))
    });
    Rolls::of_ordered(rolls.collect::<Result<_, _>>()?).ok_or(Malformed)
}
