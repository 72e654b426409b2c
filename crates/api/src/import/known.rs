//! What of an import the series have already: single values by time and number, samples of
//! waveforms by time and count, however either side cut them into blocks.

use std::{collections::BTreeMap, time::Duration};

use model::{MissingReason, Timestamp};
use store::{DatabaseError, Point, Question, Series, WaveSpan};

use crate::past::{Span, at_sample};

/// Values are asked for in windows of at most this length: one a second fills no question.
const WINDOW: Duration = Duration::from_secs(6 * 3_600);
/// The times of two copies of a block may differ by so much, or by half a sample: exports say
/// the times of samples no closer.
const WOBBLE: Duration = Duration::from_millis(10);

/// A value without the spelling of its number.
type Bare = Result<(i64, i8), MissingReason>;

/// What is known of a value that is to come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Met {
    /// Nothing is known of that instant.
    New,
    /// That instant has another value, which stays.
    Other,
    /// It is there.
    There,
}

/// A number whose digits end in no zero, so that equal ones are spelled alike.
fn bare(value: Bare) -> Bare {
    value.map(|(mut mantissa, mut exp10)| {
        if mantissa == 0 {
            return (0, 0);
        }
        while mantissa % 10 == 0 && exp10 < i8::MAX {
            (mantissa, exp10) = (mantissa / 10, exp10.saturating_add(1));
        }
        (mantissa, exp10)
    })
}

/// Says of each of these values of one channel what is known of it; of two equal ones among
/// them the second is there already. `is_same` tells which series of the channel is meant.
pub(super) fn meet(
    series: &Series,
    of: &Question,
    is_same: impl Fn(&store::Stretch<Point>) -> bool,
    values: &[(Timestamp, Bare)],
) -> Result<Vec<Met>, DatabaseError> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by_key(|at| values.get(*at).map(|it| it.0));
    let time = |place: &usize| values.get(*place).map(|it| it.0).unwrap_or_default();
    let mut met = vec![Met::New; values.len()];
    let windows = order.chunk_by({
        let mut first = order.first().map(time).unwrap_or_default();
        move |_, next| {
            let goes_on = time(next).since(first) < WINDOW;
            if !goes_on {
                first = time(next);
            }
            goes_on
        }
    });
    for window in windows {
        let (Some(first), Some(last)) = (window.first().map(time), window.last().map(time)) else {
            continue;
        };
        let to = last.after(Duration::from_nanos(1));
        let asked = Question { from: first, to, ..of.clone() };
        let mut there: BTreeMap<Timestamp, Vec<Bare>> = BTreeMap::new();
        // What was received, also where it does not count any more, and what counts instead.
        let mut stretches = series.whole(&asked, series.receipts(&asked)?)?;
        stretches.extend(series.whole(&asked, series.query(&asked)?)?);
        for stretch in stretches.iter().filter(|it| is_same(it)) {
            for point in &stretch.items {
                there.entry(point.at).or_default().push(bare(point.value));
            }
        }
        for place in window {
            let (Some((at, value)), Some(met)) = (values.get(*place), met.get_mut(*place)) else {
                continue;
            };
            let own = there.entry(*at).or_default();
            let value = bare(*value);
            *met = if own.contains(&value) {
                Met::There
            } else if own.is_empty() {
                Met::New
            } else {
                Met::Other
            };
            if *met == Met::New {
                own.push(value);
            }
        }
    }
    Ok(met)
}

/// How far apart two copies of a block may be.
fn wobble((hz, per): (u32, u32)) -> Duration {
    let half = u64::from(per).saturating_mul(500_000_000).checked_div(hz.into()).unwrap_or(0);
    Duration::from_nanos(half).max(WOBBLE)
}

/// The same in whole samples.
fn slack((hz, per): (u32, u32)) -> i64 {
    let nanos = wobble((hz, per)).as_nanos();
    let second = 1_000_000_000_u128.saturating_mul(per.max(1).into());
    i64::try_from(nanos.saturating_mul(hz.into()) / second).unwrap_or(i64::MAX)
}

/// Where, in samples after the first of `new`, a stretch that is there begins; to the nearest.
fn place_of(new: &WaveSpan, at: Timestamp) -> i64 {
    let (hz, per) = new.rate_hz;
    let one = 1_000_000_000_i128.saturating_mul(per.max(1).into());
    let scaled = i128::from(at.nanos_after(new.at)).saturating_mul(hz.into());
    i64::try_from(scaled.saturating_add(one / 2).div_euclid(one)).unwrap_or(i64::MAX)
}

/// For each sample whether its count stands for nothing.
fn unmeasured(span: &WaveSpan) -> Vec<bool> {
    let mut is_none = vec![false; span.samples.len()];
    for it in span.invalid.iter().filter(|it| it.reason == MissingReason::NotMeasured) {
        let start = usize::try_from(it.start).unwrap_or(usize::MAX);
        let len = usize::try_from(it.len).unwrap_or(usize::MAX);
        let end = start.saturating_add(len).min(is_none.len());
        if let Some(these) = is_none.get_mut(start..end) {
            these.fill(true);
        }
    }
    is_none
}

/// The places of `new` that `old` fills if it begins at `place`.
fn filled(new: &WaveSpan, old: &WaveSpan, place: i64) -> std::ops::Range<usize> {
    let len = i64::try_from(old.samples.len()).unwrap_or(i64::MAX);
    let from = usize::try_from(place.max(0)).unwrap_or(usize::MAX);
    let to = usize::try_from(place.saturating_add(len).max(0)).unwrap_or(usize::MAX);
    from.min(new.samples.len())..to.min(new.samples.len())
}

/// Whether both have the same counts where they overlap, if `old` begins at `place` of `new`.
/// What `new` says was not measured is equal to anything: it brings nothing. What is stored as
/// not measured is not, or samples that somebody has would be lost. What was compared is taken
/// from `left`.
fn agree((new, is_none): (&WaveSpan, &[bool]), old: &WaveSpan, place: i64, left: &mut u64) -> bool {
    let overlap = filled(new, old, place);
    let len = overlap.len();
    let is_same = |at: &usize| {
        let there = i64::try_from(*at).ok().and_then(|at| usize::try_from(at - place).ok());
        let Some(there) = there else { return false };
        new.samples.get(*at) == old.samples.get(there) || is_none.get(*at) == Some(&true)
    };
    let same = overlap.take_while(is_same).count();
    *left = left.saturating_sub(u64::try_from(same).unwrap_or(u64::MAX).saturating_add(1));
    same == len
}

/// The stretches of samples of `new` that the series do not have, by their places in it. `old`
/// is everything of the same series that lies near it, in order of time.
///
/// Two copies may be a few samples apart, as exports tell times only so closely; the one place
/// is taken at which all counts agree. Where every place would do, as on a flat line, a rest
/// that is no longer than that doubt of two blocks is not new.
///
/// So many samples as `left` says are compared, and no more: `None` if that is not enough.
pub(super) fn lacking(
    new: &WaveSpan,
    old: &[WaveSpan],
    left: &mut u64,
) -> Option<Vec<std::ops::Range<usize>>> {
    let is_none = unmeasured(new);
    let slack = slack(new.rate_hz);
    // Each of two blocks that follow each other may be off, one forwards and one back.
    let apart = slack.saturating_mul(2).saturating_add(1);
    let mut there = vec![false; new.samples.len()];
    let (mut end, mut is_flat) = (None, false);
    for span in old {
        if *left == 0 {
            return None;
        }
        let nearest = place_of(new, span.at);
        let near = (1..=slack).flat_map(|off| [nearest - off, nearest + off]);
        let goes_on = end.filter(|end: &i64| end.abs_diff(nearest) <= apart.unsigned_abs());
        let mut places = goes_on.into_iter().chain([nearest]).chain(near);
        let mut agrees = |place: i64| agree((new, &is_none), span, place, left);
        let Some(place) = places.find(|place| agrees(*place)) else { continue };
        let overlap = filled(new, span, place);
        let overlaps = |place: i64| !filled(new, span, place).is_empty();
        let is_other = |other: i64| other != place && (!overlap.is_empty() || overlaps(other));
        is_flat = is_flat || places.any(|other| is_other(other) && agrees(other));
        for at in overlap {
            if let Some(there) = there.get_mut(at) {
                *there = true;
            }
        }
        end = Some(place.saturating_add(i64::try_from(span.samples.len()).unwrap_or(i64::MAX)));
    }
    let least = if is_flat { usize::try_from(apart).unwrap_or(0) } else { 0 };
    let mut rests = Vec::new();
    let mut from = 0;
    for same in there.chunk_by(|one, next| one == next) {
        let to = from + same.len();
        let is_rest = same.first() == Some(&false);
        if is_rest && (same.len() > least || same.len() == there.len()) {
            rests.push(from..to);
        }
        from = to;
    }
    Some(rests)
}

/// Where other stretches can touch one, or say the same.
fn window(new: &WaveSpan) -> Span {
    let wobble = wobble(new.rate_hz).saturating_mul(2);
    let to = at_sample(new.at, new.samples.len(), new.rate_hz).after(wobble);
    Span { from: new.at.before(wobble), to }
}

/// Whether counts of both mean the same.
fn is_alike(one: &WaveSpan, other: &WaveSpan) -> bool {
    let ((hz, per), (other_hz, other_per)) = (one.rate_hz, other.rate_hz);
    u64::from(hz).saturating_mul(other_per.into()) == u64::from(other_hz).saturating_mul(per.into())
        && bare(Ok(one.gain)) == bare(Ok(other.gain))
        && one.offset == other.offset
}

/// What a part brought so far of one series, by time.
#[derive(Default)]
pub(super) struct Fresh {
    spans: BTreeMap<Timestamp, Vec<WaveSpan>>,
    longest: Duration,
}

impl Fresh {
    pub(super) fn put(&mut self, span: WaveSpan) {
        let end = at_sample(span.at, span.samples.len(), span.rate_hz);
        self.longest = self.longest.max(end.since(span.at));
        self.spans.entry(span.at).or_default().push(span);
    }

    /// Those that lie near a stretch.
    pub(super) fn near(&self, new: &WaveSpan) -> impl Iterator<Item = &WaveSpan> {
        let Span { from, to } = window(new);
        let begun = self.spans.range(from.before(self.longest)..=to);
        let ends = |it: &WaveSpan| at_sample(it.at, it.samples.len(), it.rate_hz);
        begun.flat_map(|it| it.1).filter(move |it| ends(it) >= from && is_alike(it, new))
    }
}

/// What of one series lies near a stretch.
pub(super) fn near(
    series: &Series,
    of: &Question,
    is_same: impl Fn(&store::Stretch<WaveSpan>) -> bool,
    new: &WaveSpan,
) -> Result<Vec<WaveSpan>, DatabaseError> {
    let Span { from, to } = window(new);
    let asked = Question { from, to, ..of.clone() };
    let stretches = series.whole(&asked, series.uncorrected().query_wave(&asked)?)?;
    let same = stretches.into_iter().filter(|it| is_same(it)).flat_map(|it| it.items);
    let mut found: Vec<WaveSpan> = same.filter(|it| is_alike(it, new)).collect();
    found.sort_by_key(|it| it.at);
    Ok(found)
}

#[cfg(test)]
mod tests;
