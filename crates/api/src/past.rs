//! What was: numbers and traces of a patient out of the series, as a chart needs them.
//!
//! A series belongs to a device, so the patient's associations, as known now, say which
//! stretches of which devices are theirs. Extremes survive the thinning, and where there
//! is nothing the chart is told so, with the reason if one was given.

use std::time::Duration;

use engine::Directory;
use model::{DeviceId, MissingReason, PatientId, Subject, Timestamp};
use store::{DamagedSpan, Invalid, WaveSpan};

#[cfg(test)]
mod tests;

/// A stretch of time, its end excluded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) from: Timestamp,
    pub(crate) to: Timestamp,
}

impl Span {
    /// What of it cannot be read.
    pub(crate) fn of(&self, damaged: DamagedSpan) -> Option<Self> {
        let (from, to) = (self.from.max(damaged.from), self.to.min(damaged.to));
        (from < to).then_some(Self { from, to })
    }
}

/// The stretches of `span` during which each device measured the patient, by what is known now.
pub(crate) fn worn(
    directory: &Directory,
    patient: PatientId,
    span: Span,
    now: Timestamp,
) -> Vec<(DeviceId, Vec<Span>)> {
    let worn = |device: &DeviceId| {
        let spans = worn_of(directory, (*device, patient), span, now);
        (!spans.is_empty()).then_some((*device, spans))
    };
    directory.associations.keys().filter_map(worn).collect()
}

/// The stretches of `span` during which one device measured the patient, by what is known now.
pub(crate) fn worn_of(
    directory: &Directory,
    (device, patient): (DeviceId, PatientId),
    span: Span,
    now: Timestamp,
) -> Vec<Span> {
    let history = directory.associations.get(&device).map_or(&[][..], Vec::as_slice);
    let mut changes: Vec<Timestamp> = history.iter().map(|line| line.from).collect();
    changes.extend([span.from, span.to]);
    changes.retain(|at| (span.from..=span.to).contains(at));
    changes.sort_unstable();
    changes.dedup();
    let mut spans: Vec<Span> = Vec::new();
    for (from, to) in changes.iter().copied().zip(changes.iter().copied().skip(1)) {
        if directory.who(device, from, now) != Subject::Patient(patient) {
            continue;
        }
        match spans.last_mut() {
            Some(last) if last.to == from => last.to = to,
            _ => spans.push(Span { from, to }),
        }
    }
    spans
}

/// One value of a trend, or why there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Dot {
    pub(crate) at: Timestamp,
    /// In thousandths of the vital's unit.
    pub(crate) value: Result<i64, MissingReason>,
    /// For how long after it the next one is not missed yet.
    pub(crate) reach: Duration,
}

/// Why nothing is drawn over a stretch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Nothing {
    /// The device said why.
    Said(MissingReason),
    /// Nothing came.
    NoData,
    /// No device that measures this was on the patient.
    NoDevice,
    /// What was stored of it is damaged.
    Damaged,
}

/// A stretch without values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hole {
    pub(crate) span: Span,
    pub(crate) why: Nothing,
}

/// One line out of several sources, the best of them first: a lesser one speaks only
/// where the better ones are silent, so that two devices never make a zigzag.
pub(crate) fn merged(sources: Vec<Vec<Dot>>) -> Vec<Dot> {
    let mut line: Vec<Dot> = Vec::new();
    for source in sources {
        let is_covered = |dot: &Dot| {
            let next = line.partition_point(|it| it.at <= dot.at);
            let near = |it: Option<&Dot>| {
                it.is_some_and(|it| {
                    it.value.is_ok() && it.at.since(dot.at).max(dot.at.since(it.at)) <= it.reach
                })
            };
            let before = next.checked_sub(1).and_then(|before| line.get(before));
            // Who says that there is nothing leaves the word to the next at once.
            before.is_none_or(|it| it.value.is_ok()) && (near(before) || near(line.get(next)))
        };
        let fresh: Vec<Dot> = source.into_iter().filter(|dot| !is_covered(dot)).collect();
        line.extend(fresh);
        line.sort_by_key(|dot| dot.at);
    }
    line
}

/// At most about `count` of the points, the least and the greatest of each stretch among them.
pub(crate) fn thinned(points: &[(i64, i64)], count: usize) -> Vec<(i64, i64)> {
    let (Some((first, _)), Some((last, _))) = (points.first(), points.last()) else {
        return Vec::new();
    };
    if points.len() <= count {
        return points.to_vec();
    }
    let stretches = i64::try_from((count / 2).max(1)).unwrap_or(i64::MAX);
    let span = last.saturating_sub(*first).saturating_add(1);
    let stretch_of =
        |at: i64| i128::from(at.saturating_sub(*first)) * i128::from(stretches) / i128::from(span);
    let mut kept = Vec::with_capacity(count);
    for group in points.chunk_by(|a, b| stretch_of(a.0) == stretch_of(b.0)) {
        let least = group.iter().min_by_key(|(_, value)| *value);
        let greatest = group.iter().max_by_key(|(_, value)| *value);
        if let Some((least, greatest)) = least.zip(greatest) {
            let (first, second) =
                if least.0 <= greatest.0 { (least, greatest) } else { (greatest, least) };
            kept.push(*first);
            if first != second {
                kept.push(*second);
            }
        }
    }
    kept
}

/// A stretch of a trace with its unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Trace {
    pub(crate) unit: String,
    pub(crate) span: WaveSpan,
}

const SECOND_NS: i128 = 1_000_000_000;

/// The number of samples that lie before `at`, for a stretch that begins at `start`.
fn samples_before(start: Timestamp, at: Timestamp, (numerator, denominator): (u32, u32)) -> usize {
    let elapsed = i128::from(at.nanos_after(start)).max(0) * i128::from(numerator);
    let one = SECOND_NS * i128::from(denominator.max(1));
    usize::try_from((elapsed + one - 1) / one).unwrap_or(usize::MAX)
}

/// The time of a sample so many after `start`, rounded down to a nanosecond.
pub(crate) fn at_sample(
    start: Timestamp,
    sample: impl TryInto<i128>,
    (numerator, denominator): (u32, u32),
) -> Timestamp {
    let samples = sample.try_into().unwrap_or(i128::MAX);
    let nanos =
        samples.saturating_mul(SECOND_NS * i128::from(denominator)) / i128::from(numerator.max(1));
    Timestamp::from_unix_nanos(
        start.unix_nanos().saturating_add(i64::try_from(nanos).unwrap_or(i64::MAX)),
    )
}

/// How many samples lie between two instants, rounded to the nearest.
pub(crate) fn samples_between(
    from: Timestamp,
    to: Timestamp,
    (numerator, denominator): (u32, u32),
) -> u64 {
    let nanos = i128::from(to.nanos_after(from)).max(0);
    let second = SECOND_NS.saturating_mul(denominator.max(1).into());
    let samples = nanos.saturating_mul(numerator.into()).saturating_add(second / 2) / second;
    u64::try_from(samples).unwrap_or(u64::MAX)
}

/// The part of a stretch that lies in `span`; `None` if none does.
pub(crate) fn cut(it: &WaveSpan, span: Span) -> Option<WaveSpan> {
    let len = it.samples.len();
    let first = samples_before(it.at, span.from, it.rate_hz).min(len);
    let end = samples_before(it.at, span.to, it.rate_hz).min(len);
    let samples = it.samples.get(first..end).filter(|samples| !samples.is_empty())?;
    let narrow = |invalid: &Invalid| {
        let from = usize::try_from(invalid.start).ok()?.max(first);
        let to = usize::try_from(invalid.start.saturating_add(invalid.len)).ok()?.min(end);
        let start = u32::try_from(from.checked_sub(first)?).ok()?;
        let len = u32::try_from(to.checked_sub(from)?).ok()?;
        (len > 0).then_some(Invalid { start, len, reason: invalid.reason })
    };
    Some(WaveSpan {
        at: at_sample(it.at, first, it.rate_hz),
        samples: samples.into(),
        invalid: it.invalid.iter().filter_map(narrow).collect(),
        ..it.clone()
    })
}

/// Blocks of one device may touch or overlap by so much when the estimate of its clock moves.
const CLOCK_JITTER: Duration = Duration::from_millis(10);

/// Stretches in the order of time; those that follow each other without a gap are one.
///
/// Everything of the first source is kept: its blocks may overlap a little, where its
/// clock was better known one block later. Of a lesser source only what lies mostly where
/// the better ones are silent.
pub(crate) fn joined(sources: Vec<Vec<Trace>>) -> Vec<Trace> {
    let mut kept: Vec<Trace> = Vec::new();
    for source in sources {
        let longest =
            kept.iter().map(|it| it.span.end().since(it.span.at)).max().unwrap_or_default();
        let fresh = |trace: &Trace| {
            let (from, to) = (trace.span.at, trace.span.end());
            // What began longer ago than the longest stretch lasts is over.
            let first = kept.partition_point(|it| it.span.at < from.before(longest));
            let near = kept.iter().skip(first).take_while(|it| it.span.at < to);
            let covered: Duration =
                near.map(|it| to.min(it.span.end()).since(from.max(it.span.at))).sum();
            covered * 2 <= to.since(from)
        };
        let fresh: Vec<Trace> = source.into_iter().filter(fresh).collect();
        kept.extend(fresh);
        kept.sort_by_key(|trace| trace.span.at);
    }
    let mut whole: Vec<Vec<Trace>> = Vec::new();
    for trace in kept {
        match whole.last_mut() {
            Some(run) if run.last().is_some_and(|last| follows(last, &trace)) => run.push(trace),
            _ => whole.push(vec![trace]),
        }
    }
    whole.into_iter().filter_map(glue).collect()
}

fn half_sample((numerator, denominator): (u32, u32)) -> Duration {
    Duration::from_nanos(u64::from(denominator) * 500_000_000 / u64::from(numerator.max(1)))
}

fn follows(last: &Trace, next: &Trace) -> bool {
    let alike = |it: &Trace| (it.unit.clone(), it.span.rate_hz, it.span.gain, it.span.offset);
    let apart = next.span.at.nanos_after(last.span.end()).unsigned_abs();
    let apart = Duration::from_nanos(apart);
    alike(last) == alike(next) && apart <= half_sample(last.span.rate_hz).max(CLOCK_JITTER)
}

fn glue(run: Vec<Trace>) -> Option<Trace> {
    let (mut samples, mut invalid) = (Vec::new(), Vec::new());
    for trace in &run {
        let shift = u32::try_from(samples.len()).unwrap_or(u32::MAX);
        samples.extend_from_slice(&trace.span.samples);
        let moved = |it: &Invalid| Invalid { start: it.start.saturating_add(shift), ..*it };
        invalid.extend(trace.span.invalid.iter().map(moved));
    }
    let first = run.into_iter().next()?;
    let span = WaveSpan { samples: samples.into(), invalid: invalid.into(), ..first.span };
    Some(Trace { unit: first.unit, span })
}

/// Where traces have nothing: before, between and behind them, and where electrodes were off.
pub(crate) fn trace_holes(traces: &[Trace], span: Span, has_device: bool) -> Vec<Hole> {
    let silent = if has_device { Nothing::NoData } else { Nothing::NoDevice };
    let mut holes = Vec::new();
    let mut until = span.from;
    for trace in traces {
        let half = half_sample(trace.span.rate_hz);
        if trace.span.at.since(until) > half.saturating_mul(3) {
            holes.push(Hole { span: Span { from: until, to: trace.span.at }, why: silent });
        }
        for invalid in trace.span.invalid.iter() {
            let at = |sample: u32| {
                at_sample(trace.span.at, usize::try_from(sample).unwrap_or(0), trace.span.rate_hz)
            };
            let span =
                Span { from: at(invalid.start), to: at(invalid.start.saturating_add(invalid.len)) };
            holes.push(Hole { span, why: Nothing::Said(invalid.reason) });
        }
        until = until.max(trace.span.end());
    }
    if span.to > until {
        holes.push(Hole { span: Span { from: until, to: span.to }, why: silent });
    }
    holes
}

/// The holes of a trace, those apart that are there because what was stored of it is damaged.
pub(crate) fn with_damage(holes: Vec<Hole>, damaged: &[Span]) -> Vec<Hole> {
    let mut all = Vec::new();
    for hole in holes {
        let mut from = hole.span.from;
        for it in damaged.iter().filter(|it| it.from < hole.span.to && it.to > hole.span.from) {
            let lost = Span { from: it.from.max(from), to: it.to.min(hole.span.to) };
            if from < lost.from {
                all.push(Hole { span: Span { from, to: lost.from }, ..hole });
            }
            all.push(Hole { span: lost, why: Nothing::Damaged });
            from = lost.to;
        }
        if from < hole.span.to {
            all.push(Hole { span: Span { from, to: hole.span.to }, ..hole });
        }
    }
    all
}
