//! Sealed chunks as bytes: one column after the other, each compressed by pco, or one
//! number if all are the same.
//!
//! A change of this form is a new codec number, or a new form that its first byte tells;
//! old ones are read for ever.

use model::{ClockUsed, MissingReason, Timestamp};
use pco::{ChunkConfig, DeltaSpec, data_types::Number, standalone};

use super::{Invalid, Marks, Point, WaveSpan, times};
use crate::limits::{CHUNK_POINTS_MAX, CHUNK_SAMPLES_MAX};

/// Codec 1: points.
pub(super) const POINTS: u8 = 1;
/// Codec 2: spans of a waveform with one rate, gain and offset.
pub(super) const SPANS: u8 = 2;

/// Bytes are not a chunk of this codec.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Malformed;

/// The second form of codec 1 begins with this; the first began with a count below 2^24.
const POINTS_FORM_2: u8 = 2;

pub(super) fn encode_points(points: &[Point]) -> Result<Vec<u8>, Malformed> {
    let mut out = vec![POINTS_FORM_2];
    put_len(&mut out, points.len())?;
    let column = |out: &mut Vec<u8>, of: &dyn Fn(&Point) -> i64| {
        put_column(out, &points.iter().map(of).collect::<Vec<_>>())
    };
    let at: Vec<i64> = points.iter().map(|point| point.at.unix_nanos()).collect();
    let received: Vec<i64> = points.iter().map(|it| it.received_at.unix_nanos()).collect();
    times::put(&mut out, &at, &received)?;
    column(&mut out, &|point| point.value.map_or(0, |(mantissa, _)| mantissa))?;
    column(&mut out, &|point| point.value.map_or(0, |(_, exp10)| exp10.into()))?;
    column(&mut out, &|point| point.value.map_or_else(missing_code, |_| 0))?;
    column(&mut out, &|point| marks_code(point.marks))?;
    Ok(out)
}

pub(super) fn decode_points(bytes: &[u8]) -> Result<Vec<Point>, Malformed> {
    let mut rest = bytes;
    let is_form_2 = bytes.first() == Some(&POINTS_FORM_2);
    if is_form_2 {
        let [_] = take::<1>(&mut rest)?;
    }
    let count = take_len(&mut rest, CHUNK_POINTS_MAX)?;
    let (at, received) = if is_form_2 {
        times::take_both(&mut rest, count)?
    } else {
        let at = take_column::<i64>(&mut rest, count)?;
        let delays = take_column::<i64>(&mut rest, count)?;
        let received =
            at.iter().zip(delays).map(|(at, delay)| i64::wrapping_add(*at, delay)).collect();
        (at, received)
    };
    let mantissa = take_column::<i64>(&mut rest, count)?;
    let exp10 = take_column::<i64>(&mut rest, count)?;
    let missing = take_column::<i64>(&mut rest, count)?;
    let marks = take_column::<i64>(&mut rest, count)?;
    if !rest.is_empty() {
        return Err(Malformed);
    }
    let rows = at.into_iter().zip(received).zip(mantissa).zip(exp10).zip(missing).zip(marks);
    let point = |(((((at, received), mantissa), exp10), missing), marks): (_, i64)| {
        let value = match missing {
            0 => Ok((mantissa, i8::try_from(exp10).map_err(|_| Malformed)?)),
            code => Err(missing_reason(code)?),
        };
        let received_at = Timestamp::from_unix_nanos(received);
        let at = Timestamp::from_unix_nanos(at);
        Ok(Point { at, received_at, value, marks: read_marks(marks)? })
    };
    rows.map(point).collect()
}

/// Whether two spans can stand in one chunk.
pub(super) fn are_alike(one: &WaveSpan, other: &WaveSpan) -> bool {
    let form = |span: &WaveSpan| (span.rate_hz, span.gain, span.offset);
    form(one) == form(other)
}

pub(super) fn encode_spans(spans: &[WaveSpan]) -> Result<Vec<u8>, Malformed> {
    let first = spans.first().ok_or(Malformed)?;
    let mut out = Vec::new();
    put_len(&mut out, spans.len())?;
    out.extend(first.rate_hz.0.to_be_bytes());
    out.extend(first.rate_hz.1.to_be_bytes());
    out.extend(first.gain.0.to_be_bytes());
    out.extend(first.gain.1.to_be_bytes());
    out.extend(first.offset.to_be_bytes());
    let column = |out: &mut Vec<u8>, of: &dyn Fn(&WaveSpan) -> i64| {
        put_column(out, &spans.iter().map(of).collect::<Vec<_>>())
    };
    column(&mut out, &|span| span.at.unix_nanos())?;
    column(&mut out, &|span| span.received_at.unix_nanos().wrapping_sub(span.at.unix_nanos()))?;
    column(&mut out, &|span| i64::try_from(span.samples.len()).unwrap_or(i64::MAX))?;
    column(&mut out, &|span| marks_code(span.marks))?;
    column(&mut out, &|span| i64::try_from(span.invalid.len()).unwrap_or(i64::MAX))?;
    let invalid: Vec<_> = spans.iter().flat_map(|span| span.invalid.iter().copied()).collect();
    put_len(&mut out, invalid.len())?;
    put_column(&mut out, &invalid.iter().map(|each| i64::from(each.start)).collect::<Vec<_>>())?;
    put_column(&mut out, &invalid.iter().map(|each| i64::from(each.len)).collect::<Vec<_>>())?;
    let reasons = invalid.iter().map(|each| missing_code(each.reason));
    put_column(&mut out, &reasons.collect::<Vec<_>>())?;
    let samples: Vec<i32> = spans.iter().flat_map(|span| span.samples.iter().copied()).collect();
    put_len(&mut out, samples.len())?;
    // Most devices have 16 bits or fewer, and pco is better at those.
    let narrow: Result<Vec<i16>, _> = samples.iter().copied().map(i16::try_from).collect();
    out.push(u8::from(narrow.is_ok()));
    match narrow {
        Ok(narrow) => put_smallest(&mut out, &narrow, &OF_SAMPLES)?,
        Err(_) => put_smallest(&mut out, &samples, &OF_SAMPLES)?,
    }
    Ok(out)
}

/// A span without its samples.
struct Head {
    at: i64,
    delay: i64,
    len: i64,
    marks: i64,
    invalid_len: i64,
}

/// What stands before the samples of a chunk.
struct Heads {
    rate_hz: (u32, u32),
    gain: (i64, i8),
    offset: i32,
    spans: Vec<Head>,
    invalid: Vec<Invalid>,
}

fn take_heads(rest: &mut &[u8]) -> Result<Heads, Malformed> {
    let count = take_len(rest, CHUNK_SAMPLES_MAX)?;
    let rate_hz = (u32::from_be_bytes(take(rest)?), u32::from_be_bytes(take(rest)?));
    let gain = (i64::from_be_bytes(take(rest)?), i8::from_be_bytes(take(rest)?));
    let offset = i32::from_be_bytes(take(rest)?);
    let at = take_column::<i64>(rest, count)?;
    let delay = take_column::<i64>(rest, count)?;
    let len = take_column::<i64>(rest, count)?;
    let marks = take_column::<i64>(rest, count)?;
    let invalid_len = take_column::<i64>(rest, count)?;
    let invalid = take_invalid(rest)?;
    let rows = at.into_iter().zip(delay).zip(len).zip(marks).zip(invalid_len);
    let head =
        |((((at, delay), len), marks), invalid_len)| Head { at, delay, len, marks, invalid_len };
    Ok(Heads { rate_hz, gain, offset, spans: rows.map(head).collect(), invalid })
}

/// The spans of a chunk with no samples in them: when each begins, how many samples it has, and
/// which of those mean nothing, with the chunk's rate.
pub(super) fn decode_heads(bytes: &[u8]) -> Result<SpanHeads, Malformed> {
    let heads = take_heads(&mut &bytes[..])?;
    let mut invalid = &heads.invalid[..];
    let head = |it: &Head| {
        let len = usize::try_from(it.len).map_err(|_| Malformed)?;
        let doubts = take_items(&mut invalid, it.invalid_len)?.to_vec();
        Ok((Timestamp::from_unix_nanos(it.at), len, doubts))
    };
    let spans: Result<Vec<_>, Malformed> = heads.spans.iter().map(head).collect();
    Ok((heads.rate_hz, spans?))
}

/// The rate of a chunk, and of each of its spans the first sample's time, how many samples
/// there are, and which mean nothing.
pub(super) type SpanHeads = ((u32, u32), Vec<(Timestamp, usize, Vec<Invalid>)>);

pub(super) fn decode_spans(bytes: &[u8]) -> Result<Vec<WaveSpan>, Malformed> {
    let mut rest = bytes;
    let rest = &mut rest;
    let Heads { rate_hz, gain, offset, spans, invalid } = take_heads(rest)?;
    let sample_count = take_len(rest, CHUNK_SAMPLES_MAX)?;
    let [narrow] = take::<1>(rest)?;
    let samples: Vec<i32> = if narrow == 1 {
        take_column::<i16>(rest, sample_count)?.into_iter().map(i32::from).collect()
    } else {
        take_column(rest, sample_count)?
    };
    if !rest.is_empty() {
        return Err(Malformed);
    }
    let (mut samples, mut invalid) = (&samples[..], &invalid[..]);
    let span = |Head { at, delay, len, marks, invalid_len }| {
        let received_at = Timestamp::from_unix_nanos(i64::wrapping_add(at, delay));
        Ok(WaveSpan {
            at: Timestamp::from_unix_nanos(at),
            received_at,
            rate_hz,
            gain,
            offset,
            samples: take_items(&mut samples, len)?.into(),
            invalid: take_items(&mut invalid, invalid_len)?.into(),
            marks: read_marks(marks)?,
        })
    };
    spans.into_iter().map(span).collect()
}

fn take_invalid(rest: &mut &[u8]) -> Result<Vec<Invalid>, Malformed> {
    let count = take_len(rest, CHUNK_SAMPLES_MAX)?;
    let start = take_column::<i64>(rest, count)?;
    let len = take_column::<i64>(rest, count)?;
    let reason = take_column::<i64>(rest, count)?;
    let invalid = |((start, len), reason): ((i64, i64), i64)| {
        let start = u32::try_from(start).map_err(|_| Malformed)?;
        let len = u32::try_from(len).map_err(|_| Malformed)?;
        Ok(Invalid { start, len, reason: missing_reason(reason)? })
    };
    start.into_iter().zip(len).zip(reason).map(invalid).collect()
}

fn take_items<'a, T>(items: &mut &'a [T], count: i64) -> Result<&'a [T], Malformed> {
    let count = usize::try_from(count).map_err(|_| Malformed)?;
    let (taken, rest) = items.split_at_checked(count).ok_or(Malformed)?;
    *items = rest;
    Ok(taken)
}

const LEVEL: usize = 8;
/// All numbers of the column are the one that follows.
const SAME: u8 = 0;
/// The length of the compressed bytes follows.
const PCO: u8 = 1;

/// What a column is tried with: what pco finds itself misses that a number which hardly ever
/// moves is small as differences.
const OF_NUMBERS: [DeltaSpec; 2] = [DeltaSpec::Auto, DeltaSpec::TryConsecutive(1)];
/// A beat is foretold better by some samples before it than by differences, noise is not.
pub(super) const OF_SAMPLES: [DeltaSpec; 2] = [DeltaSpec::Auto, DeltaSpec::TryConv1(12)];
/// So many numbers pco foretells at once. It panics if the rest is shorter than it looks back,
/// so such a column is not foretold.
const FORETOLD_AT_ONCE: usize = 512;

pub(super) fn put_column<T: Number + PartialEq + Into<i64>>(
    out: &mut Vec<u8>,
    numbers: &[T],
) -> Result<(), Malformed> {
    put_smallest(out, numbers, &OF_NUMBERS)
}

/// The smallest of some ways to write how the numbers follow each other; all are read alike.
pub(super) fn put_smallest<T: Number + PartialEq + Into<i64>>(
    out: &mut Vec<u8>,
    numbers: &[T],
    ways: &[DeltaSpec],
) -> Result<(), Malformed> {
    if numbers.windows(2).all(|pair| matches!(pair, [a, b] if a == b)) {
        let number: i64 = numbers.first().map_or(0, |number| (*number).into());
        out.push(SAME);
        out.extend(number.to_be_bytes());
        return Ok(());
    }
    let mut packed: Option<Vec<u8>> = None;
    let rest = numbers.len() % FORETOLD_AT_ONCE;
    let is_safe = |way: &&DeltaSpec| match way {
        DeltaSpec::TryConv1(back) => rest == 0 || rest > *back,
        _ => true,
    };
    for way in ways.iter().filter(is_safe) {
        let config = ChunkConfig::default().with_compression_level(LEVEL);
        let config = config.with_delta_spec(way.clone());
        let one = standalone::simple_compress(numbers, &config).map_err(|_| Malformed)?;
        if packed.as_ref().is_none_or(|best| one.len() < best.len()) {
            packed = Some(one);
        }
    }
    let packed = packed.ok_or(Malformed)?;
    out.push(PCO);
    put_len(out, packed.len())?;
    out.extend(packed);
    Ok(())
}

pub(super) fn take_column<T: Number + TryFrom<i64>>(
    rest: &mut &[u8],
    count: usize,
) -> Result<Vec<T>, Malformed> {
    if take::<1>(rest)? == [SAME] {
        let number = T::try_from(i64::from_be_bytes(take(rest)?)).map_err(|_| Malformed)?;
        return Ok(vec![number; count]);
    }
    let len = take_len(rest, usize::MAX)?;
    let (packed, after) = rest.split_at_checked(len).ok_or(Malformed)?;
    *rest = after;
    let numbers: Vec<T> = standalone::simple_decompress(packed).map_err(|_| Malformed)?;
    if numbers.len() == count { Ok(numbers) } else { Err(Malformed) }
}

pub(super) fn put_len(out: &mut Vec<u8>, len: usize) -> Result<(), Malformed> {
    out.extend(u32::try_from(len).map_err(|_| Malformed)?.to_be_bytes());
    Ok(())
}

pub(super) fn take_len(rest: &mut &[u8], max: usize) -> Result<usize, Malformed> {
    let len = usize::try_from(u32::from_be_bytes(take(rest)?)).map_err(|_| Malformed)?;
    if len <= max { Ok(len) } else { Err(Malformed) }
}

pub(super) fn take<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], Malformed> {
    let (head, after) = rest.split_first_chunk().ok_or(Malformed)?;
    *rest = after;
    Ok(*head)
}

pub(super) const fn missing_code(reason: MissingReason) -> i64 {
    match reason {
        MissingReason::SensorDetached => 1,
        MissingReason::DeviceFault => 2,
        MissingReason::Implausible => 3,
        MissingReason::OutOfRange => 4,
        MissingReason::PoorSignal => 5,
        MissingReason::WarmingUp => 6,
        MissingReason::NotMeasured => 7,
        MissingReason::Unknown => 8,
        MissingReason::Withdrawn => 9,
    }
}

pub(super) const fn missing_reason(code: i64) -> Result<MissingReason, Malformed> {
    Ok(match code {
        1 => MissingReason::SensorDetached,
        2 => MissingReason::DeviceFault,
        3 => MissingReason::Implausible,
        4 => MissingReason::OutOfRange,
        5 => MissingReason::PoorSignal,
        6 => MissingReason::WarmingUp,
        7 => MissingReason::NotMeasured,
        8 => MissingReason::Unknown,
        9 => MissingReason::Withdrawn,
        _ => return Err(Malformed),
    })
}

fn marks_code(marks: Marks) -> i64 {
    let clock = match marks.clock {
        ClockUsed::Device => 0,
        ClockUsed::Gateway => 1,
        ClockUsed::Receiver => 2,
    };
    clock | i64::from(!marks.age_known) << 2 | i64::from(marks.late) << 3
}

const fn read_marks(code: i64) -> Result<Marks, Malformed> {
    let clock = match code & 0b11 {
        0 => ClockUsed::Device,
        1 => ClockUsed::Gateway,
        2 => ClockUsed::Receiver,
        _ => return Err(Malformed),
    };
    if code & !0b1111 != 0 {
        return Err(Malformed);
    }
    Ok(Marks { clock, age_known: code & 0b100 == 0, late: code & 0b1000 != 0 })
}
