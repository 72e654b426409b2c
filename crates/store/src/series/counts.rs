//! What counts: of one series and one instant, one value.
//!
//! A person's newest correction counts if there is one, else the value that came last; where
//! several came together at one instant, all of these do. A value
//! that comes again changes nothing: it counts as having come when it came first, so that what
//! was taken in once may be taken in again, at any distance and in any order. Everything else
//! that was received is kept, and [`Series::receipts`](super::Series::receipts) has it.

use std::cmp::Ordering;

use model::{Amendment, MissingReason, Timestamp, Ucum};

use super::{
    Invalid, Point, WaveSpan, chunk::missing_code, corrections::Held, roll::micros, seal::Item,
};

/// How values of one instant that came together are told apart: a value before none, the
/// greater before the lesser, and then by how it is written.
fn rank(point: &Point) -> (Option<i64>, i64, Option<(i64, i8)>) {
    let greatness = point.value.ok().map(|(mantissa, exp10)| micros(mantissa, exp10));
    (greatness, point.value.map_or_else(missing_code, |_| 0), point.value.ok())
}

/// By time and value: equal are those that say the same, whenever they came.
pub(super) fn compare_points(one: &Point, other: &Point) -> Ordering {
    one.at.cmp(&other.at).then_with(|| rank(one).cmp(&rank(other)))
}

/// By time, form and samples: equal are those that say the same, whenever they came.
pub(super) fn compare_waves(one: &WaveSpan, other: &WaveSpan) -> Ordering {
    let form = |it: &WaveSpan| (it.at, it.rate_hz, it.gain, it.offset);
    let doubts = |it: &WaveSpan| -> Vec<(u32, u32, i64)> {
        it.invalid.iter().map(|it| (it.start, it.len, missing_code(it.reason))).collect()
    };
    let by_samples = || one.samples.cmp(&other.samples);
    form(one).cmp(&form(other)).then_with(by_samples).then_with(|| doubts(one).cmp(&doubts(other)))
}

/// Each of these once, as it was received first, by time and then by receipt.
pub(super) fn firsts<T: Item>(mut items: Vec<T>) -> Vec<T> {
    if items.is_sorted_by(|one, next| one.begin() < next.begin()) {
        return items;
    }
    let by_receipt = |one: &T, other: &T| one.received().cmp(&other.received());
    items.sort_by(|one, other| one.compare(other).then_with(|| by_receipt(one, other)));
    items.dedup_by(|next, first| next.compare(first).is_eq());
    // What says the same stands together, so equal receipts keep that order.
    items.sort_by(|one, other| one.begin().cmp(&other.begin()).then(by_receipt(one, other)));
    items
}

/// What counts of these points, by time, where these corrections hold.
pub(super) fn counted(points: Vec<Point>, ucum: &Ucum, held: &[Held]) -> Vec<Point> {
    let mut points = firsts(points);
    // The first receipts of an instant are in their order: the last of them counts. A file never
    // says otherwise than a device did, whichever came first.
    points.dedup_by(|next, kept| {
        // What came together stands at one instant only where a clock ran ahead: a burst is
        // dated by its receipt, and none of it came later than the others.
        let is_of_it = next.at == kept.at && next.received_at != kept.received_at;
        if is_of_it && (kept.marks.is_of_a_file() || !next.marks.is_of_a_file()) {
            *kept = *next;
        }
        is_of_it
    });
    if held.is_empty() {
        return points;
    }
    for point in &mut points {
        if let Some(value) = held.iter().rev().find_map(|it| it.value_at(point.at, ucum)) {
            point.value = value;
        }
    }
    // What was said of an instant is one, however much came in at it.
    points.dedup_by(|next, kept| next.at == kept.at && next.value == kept.value);
    points
}

impl Held {
    /// What a reading of this instant and unit is by this correction, if that says it.
    fn value_at(&self, at: Timestamp, ours: &Ucum) -> Option<Result<(i64, i8), MissingReason>> {
        if !(self.from..self.to).contains(&at) {
            return None;
        }
        match &self.amendment {
            Amendment::Withdraw => Some(Err(MissingReason::Withdrawn)),
            Amendment::Replace { mantissa, exp10, ucum } => {
                (ucum == ours).then_some(Ok((*mantissa, *exp10)))
            }
            Amendment::Undo(_) => None,
        }
    }
}

/// Marks the samples of stretches that a person withdrew: they mean nothing.
pub(super) fn without(spans: &mut [WaveSpan], held: &[Held]) {
    for span in spans {
        let withdrawn = held.iter().filter(|it| it.amendment == Amendment::Withdraw);
        let doubts: Vec<Invalid> = withdrawn.filter_map(|it| it.part_of(span)).collect();
        if !doubts.is_empty() {
            span.invalid = span.invalid.iter().copied().chain(doubts).collect();
        }
    }
}

impl Held {
    /// Which samples of a stretch begin in the span of this correction.
    fn part_of(&self, span: &WaveSpan) -> Option<Invalid> {
        let before = |at: Timestamp| {
            let elapsed = i128::from(at.nanos_after(span.at)).max(0);
            let one = 1_000_000_000_i128.saturating_mul(span.rate_hz.1.max(1).into());
            let samples =
                elapsed.saturating_mul(span.rate_hz.0.into()).saturating_add(one.saturating_sub(1));
            let samples = samples.checked_div(one).unwrap_or(0);
            usize::try_from(samples).unwrap_or(usize::MAX).min(span.samples.len())
        };
        let (start, end) = (before(self.from), before(self.to));
        let len = u32::try_from(end.checked_sub(start)?).ok().filter(|len| *len > 0)?;
        Some(Invalid { start: u32::try_from(start).ok()?, len, reason: MissingReason::Withdrawn })
    }
}

/// Of items that are firsts and sorted by what they say: those that none of the stored ones
/// says, or says only of a later receipt.
pub(super) fn without_stored<T: Item>(items: &mut Vec<T>, stored: &[T]) {
    let mut repeats = vec![false; items.len()];
    for known in stored {
        let found = items.binary_search_by(|it| it.compare(known)).ok();
        if let Some((place, item)) = found.and_then(|place| Some((place, items.get(place)?)))
            && known.received() <= item.received()
            && let Some(repeat) = repeats.get_mut(place)
        {
            *repeat = true;
        }
    }
    let mut repeats = repeats.into_iter();
    items.retain(|_| !repeats.next().unwrap_or(false));
}

#[test]
fn a_file_never_replaces_what_a_device_said_whichever_came_first() {
    use super::Marks;
    let live = Marks { late: false, age_known: true, ..Marks::OF_A_FILE };
    let at = Timestamp::from_unix_millis(1_790_000_000_000);
    let point = |came: i64, value: i64, marks: Marks| Point {
        at,
        received_at: Timestamp::from_unix_nanos(at.unix_nanos().saturating_add(came)),
        value: Ok((value, 0)),
        marks,
    };
    let file = Marks::OF_A_FILE;
    for (points, want) in [
        (vec![point(1, 72, live), point(2, 60, file)], 72),
        (vec![point(1, 60, file), point(2, 72, live)], 72),
        (vec![point(1, 72, live), point(2, 60, file), point(3, 73, live)], 73),
        (vec![point(1, 72, live), point(2, 60, file), point(3, 61, file)], 72),
        (vec![point(1, 60, file), point(2, 61, file)], 61),
    ] {
        let found: Vec<_> =
            counted(points, &Ucum::new("/min"), &[]).into_iter().map(|it| it.value).collect();
        assert_eq!(found, [Ok((want, 0))]);
    }
}
