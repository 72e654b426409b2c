//! Recordings of EDF and EDF+, our own or those of others.

use std::{fs, path::Path};

use model::{MissingReason, Timestamp};
use protocols::{Decimal, senml::reason_of};
use signal::edf::{DataRecord, Header, Note, Signal, read as decode};

use super::{ImportError, Reading, Stretch, gain_of, instant, rate};
use crate::past::{at_sample, samples_between};

/// Records that follow each other by this are one stretch.
const JOIN_NS: u64 = 1_000;
/// The end of a note that says where a record is filled up.
const FILLED: &str = "samples of filling follow";

/// The stretches of a recording, signal by signal.
pub(super) fn read(path: &Path, reading: &Reading) -> Result<Vec<Stretch>, ImportError> {
    let fault = |source| ImportError::Read { path: path.to_owned(), source };
    let recording =
        decode(&fs::read(path).map_err(fault)?).map_err(|error| ImportError::file(path, error))?;
    let header = &recording.header;
    let second = second(header).or(reading.begins_at).ok_or(ImportError::NoTime)?;
    let device = reading.device.or_else(|| header.recording.split(' ').next_back()?.parse().ok());
    let device = device.ok_or(ImportError::NoDevice)?;
    let notes: Vec<&Note> = recording.records.iter().flat_map(|it| &it.notes).collect();
    let is_end = |note: &&&Note| note.text.starts_with("end, ") && note.text.ends_with(FILLED);
    let mut ends: Vec<i64> = notes.iter().filter(is_end).map(|note| note.onset_ns).collect();
    ends.sort_unstable();
    let mut stretches = Vec::new();
    for (number, signal) in header.signals.iter().enumerate() {
        let scale = Scale::of(signal, header)
            .ok_or_else(|| ImportError::file(path, format!("`{}` has no scale", signal.label)))?;
        let named = if signal.transducer.is_empty() || !scale.is_ours {
            &signal.label
        } else {
            &signal.transducer
        };
        let channel = reading.channels.get(named).unwrap_or(named).clone();
        let mut own: Vec<Stretch> = Vec::new();
        for record in &recording.records {
            let at =
                Timestamp::from_unix_nanos(second.unix_nanos().saturating_add(record.onset_ns));
            let Some(counts) = record.samples.get(number) else { continue };
            let len = true_len(record, &ends, counts.len(), scale.rate_hz);
            let counts = counts.iter().take(len).map(|count| i32::from(*count));
            let follows = |last: &&mut Stretch| {
                let end = at_sample(last.at, last.samples.len(), scale.rate_hz);
                at.nanos_after(end).unsigned_abs() <= JOIN_NS
            };
            match own.last_mut().filter(follows) {
                Some(last) => last.samples.extend(counts),
                None => own.push(Stretch {
                    device,
                    channel: channel.clone(),
                    at,
                    unit: signal.unit.clone(),
                    rate_hz: scale.rate_hz,
                    gain: scale.gain,
                    offset: scale.offset,
                    samples: counts.collect(),
                    doubts: Vec::new(),
                }),
            }
        }
        for stretch in &mut own {
            stretch.doubts = doubts(stretch, number, second, &notes);
            if scale.is_ours {
                mark_missing(stretch, signal.digital_min);
            }
        }
        stretches.extend(own.into_iter().filter(|it| !it.samples.is_empty()));
    }
    Ok(stretches)
}

/// What counts of a signal are worth, and how often they come.
struct Scale {
    gain: (i64, i8),
    offset: i32,
    rate_hz: (u32, u32),
    is_ours: bool,
}

impl Scale {
    fn of(signal: &Signal, header: &Header) -> Option<Self> {
        let words: Vec<&str> = signal.prefiltering.split(' ').collect();
        if let ["gain", gain, "offset", offset, "rate", hz] = words.as_slice() {
            let gain = Decimal::parse(gain)?;
            let (gain, offset) = ((gain.mantissa, gain.exp10), offset.parse().ok()?);
            return Some(Self { gain, offset, rate_hz: rate(hz)?, is_ours: true });
        }
        let (low, high): (f64, f64) =
            (signal.physical_min.parse().ok()?, signal.physical_max.parse().ok()?);
        let counts = f64::from(signal.digital_max) - f64::from(signal.digital_min);
        let unit = (high - low) / counts;
        let gain = gain_of(unit)?;
        let offset = (f64::from(signal.digital_min) - low / unit).round();
        let in_range = offset.abs() <= f64::from(i32::MAX);
        #[expect(clippy::cast_possible_truncation, reason = "checked to be within i32")]
        let offset = in_range.then_some(offset as i32)?;
        let lasts = Decimal::parse(&header.record_s).filter(|it| it.mantissa > 0)?;
        let places = u32::from(lasts.exp10.min(0).unsigned_abs());
        let samples = u64::try_from(signal.samples_of_record).ok()?;
        let hz = samples.checked_mul(10_u64.checked_pow(places)?)?;
        let per = u64::try_from(lasts.mantissa).ok()?;
        let shared = shared(hz, per).max(1);
        let rate_hz = (u32::try_from(hz / shared).ok()?, u32::try_from(per / shared).ok()?);
        (rate_hz.0 > 0).then_some(Self { gain, offset, rate_hz, is_ours: false })
    }
}

/// The greatest number that divides both.
fn shared(mut one: u64, mut other: u64) -> u64 {
    while let Some(rest) = one.checked_rem(other) {
        (one, other) = (other, rest);
    }
    one
}

/// How many samples of a record are of the recording: a note says where it is filled up.
fn true_len(record: &DataRecord, ends: &[i64], len: usize, rate_hz: (u32, u32)) -> usize {
    let begin = Timestamp::from_unix_nanos(record.onset_ns);
    let end = at_sample(begin, len, rate_hz).unix_nanos();
    let next = ends.partition_point(|at| *at < record.onset_ns);
    let cut = ends.get(next).copied().filter(|at| *at < end);
    cut.map_or(len, |at| {
        let samples = samples_between(begin, Timestamp::from_unix_nanos(at), rate_hz);
        usize::try_from(samples).unwrap_or(len).min(len)
    })
}

/// What notes say of a signal's samples: `signal N why COUNT samples`.
fn doubts(
    stretch: &Stretch,
    signal: usize,
    second: Timestamp,
    notes: &[&Note],
) -> Vec<(u64, u64, MissingReason)> {
    let end = at_sample(stretch.at, stretch.samples.len(), stretch.rate_hz);
    let mut doubts = Vec::new();
    for note in notes {
        let at = Timestamp::from_unix_nanos(second.unix_nanos().saturating_add(note.onset_ns));
        let words: Vec<&str> = note.text.split(' ').collect();
        let ["signal", number, why, len, "samples"] = words.as_slice() else { continue };
        let is_own = number.parse() == Ok(signal) && stretch.at <= at && at < end;
        if let (true, Some(why), Ok(len)) = (is_own, reason_of(why), len.parse()) {
            doubts.push((samples_between(stretch.at, at, stretch.rate_hz), len, why));
        }
    }
    doubts
}

/// Where no value was taken stands the least count in our files, whatever that is.
fn mark_missing(stretch: &mut Stretch, least: i16) {
    for (start, len, why) in &stretch.doubts {
        let start = usize::try_from(*start).unwrap_or(usize::MAX);
        let len = usize::try_from(*len).unwrap_or(usize::MAX);
        let own = stretch.samples.iter_mut().skip(start).take(len);
        if *why == MissingReason::NotMeasured {
            own.filter(|it| **it == i32::from(least)).for_each(|it| *it = i16::MIN.into());
        }
    }
}

/// The second in which a recording began: years before 85 are of this century.
fn second(header: &Header) -> Option<Timestamp> {
    let mut date = header.date.split('.');
    let (day, month, year) = (date.next()?, date.next()?, date.next()?);
    let year: u16 = year.parse().ok()?;
    let year = if year < 85 { 2_000_u16 } else { 1_900 }.checked_add(year)?;
    let mut time = header.time.split('.');
    let (hour, minute, second) = (time.next()?, time.next()?, time.next()?);
    instant(&format!("{year:04}-{month:0>2}-{day:0>2}T{hour:0>2}:{minute:0>2}:{second:0>2}Z"))
}
