//! EDF, EDF+C and EDF+D. What our own exports say beyond the format, in free fields and notes,
//! is read back: gains, rates as fractions, doubts, times within records, and filling.

use std::path::Path;

use jiff::civil::Date;
use model::{MissingReason, Timestamp};
use protocols::Decimal;
use signal::edf::{self, DataRecord, Header, Note};

use super::{
    super::part::reason_of,
    FileError, Read, Reading, Take,
    recording::{Signal, Stretch, channel_of, decimal, nothing_mapped, reduced, ucum_of},
    table::{instant, rate},
    whole,
};
use crate::past::at_sample;

/// Counts are made so many times finer at most, where the zero of a signal lies between two.
const FINER_MAX: i32 = 1_000;

/// What free fields of an own export say of a signal.
struct Said {
    gain: String,
    offset: i32,
    rate_hz: (u32, u32),
}

/// The second at which a file begins, by the clock beside its device; in UTC if it is our own.
fn begins_at(header: &Header) -> Option<Timestamp> {
    const MONTHS: [&str; 12] =
        ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
    let number = |text: Option<&str>| text.and_then(|text| text.parse::<i16>().ok());
    let small = |text: Option<&str>| text.and_then(|text| text.parse::<i8>().ok());
    // The recording's own words have all four digits of the year.
    let mut words = header.recording.split_whitespace();
    let mut own = || {
        let mut parts = words.nth(1)?.split('-');
        let day = small(parts.next())?;
        let month = parts.next()?.to_ascii_uppercase();
        let month = MONTHS.iter().position(|it| *it == month)?;
        Date::new(number(parts.next())?, i8::try_from(month).ok()?.checked_add(1)?, day).ok()
    };
    let date = own().or_else(|| {
        let mut parts = header.date.split('.');
        let (day, month) = (small(parts.next())?, small(parts.next())?);
        let year = number(parts.next())?;
        let year = year.checked_add(if year >= 85 { 1_900 } else { 2_000 })?;
        Date::new(year, month, day).ok()
    })?;
    let time = header.time.replace('.', ":");
    instant(&format!("{date}T{time}Z")).ok().map(Timestamp::from_unix_nanos)
}

impl Said {
    fn of(text: &str) -> Option<Self> {
        let words: Vec<&str> = text.split_whitespace().collect();
        let ["gain", gain, "offset", offset, "rate", hz] = words.as_slice() else { return None };
        let (offset, rate_hz) = (offset.parse().ok()?, rate(hz).ok()?);
        Decimal::parse(gain)?;
        Some(Self { gain: (*gain).to_owned(), offset, rate_hz })
    }
}

/// How the counts of a signal of others become ours: so many times finer, what one is worth, and
/// where zero is.
fn scale_of(signal: &edf::Signal) -> Option<(i32, String, i32)> {
    let number = |text: &str| text.parse::<f64>().ok().filter(|it| it.is_finite());
    let (low, high) = (number(&signal.physical_min)?, number(&signal.physical_max)?);
    let (least, most) = (f64::from(signal.digital_min), f64::from(signal.digital_max));
    let gain = (high - low) / (most - least);
    let zero = least - low / gain;
    if !gain.is_finite() || gain == 0.0 || !zero.is_finite() {
        return None;
    }
    let is_exact = |finer: &i32| {
        let moved = zero * f64::from(*finer);
        (moved - moved.round()).abs() < 1e-6
    };
    let finer = (1..=FINER_MAX).find(is_exact).unwrap_or(FINER_MAX);
    let moved = (zero * f64::from(finer)).round();
    #[expect(clippy::cast_possible_truncation, reason = "checked to be within i32")]
    let offset = (moved.abs() < f64::from(i32::MAX)).then_some(moved as i32)?;
    Some((finer, decimal(gain / f64::from(finer))?, offset))
}

/// A recording with its begin.
struct Recorded<'a> {
    records: &'a [DataRecord],
    notes: Vec<&'a Note>,
    begins: Timestamp,
    record_ns: i64,
}

impl Recorded<'_> {
    fn time(&self, onset_ns: i64) -> Timestamp {
        Timestamp::from_unix_nanos(self.begins.unix_nanos().saturating_add(onset_ns))
    }

    /// The samples of a signal as stretches without a gap.
    fn stretches(&self, number: usize, finer: i32, rate_hz: (u32, u32)) -> Vec<Stretch> {
        let mut stretches: Vec<Stretch> = Vec::new();
        let mut place = 0_u64;
        for record in self.records {
            let Some(counts) = record.samples.get(number) else { continue };
            let at = self.time(record.onset_ns);
            let filling = self.filling(record).min(counts.len());
            let kept = counts.len().saturating_sub(filling);
            let goes_on = stretches.last().is_some_and(|last| follows(last, at, rate_hz));
            if !goes_on {
                stretches.push(Stretch { place, ..Stretch::default() });
            }
            if let Some(last) = stretches.last_mut() {
                let len = last.samples.len();
                if !last.times.last().is_some_and(|it| tells(*it, (len, at), rate_hz)) {
                    last.times.push((len, at));
                }
                for (from, onset_ns) in self.times_in(record) {
                    if from > 0 && from < kept {
                        last.times.push((len.saturating_add(from), self.time(onset_ns)));
                    }
                }
                let own = counts.iter().take(kept);
                last.samples.extend(own.map(|it| i32::from(*it).saturating_mul(finer)));
            }
            place = place.saturating_add(u64::try_from(counts.len()).unwrap_or(u64::MAX));
        }
        for stretch in &mut stretches {
            stretch.doubts = self.doubts(number, stretch, rate_hz);
        }
        stretches
    }

    fn is_in(&self, record: &DataRecord, onset_ns: i64) -> bool {
        onset_ns >= record.onset_ns && onset_ns < record.onset_ns.saturating_add(self.record_ns)
    }

    /// How many samples at the end of a record are none.
    fn filling(&self, record: &DataRecord) -> usize {
        let own = self.notes.iter().filter(|it| self.is_in(record, it.onset_ns));
        let count = own.filter_map(|note| {
            let text = note.text.strip_prefix("end, ")?;
            text.strip_suffix(" samples of filling follow")?.parse().ok()
        });
        count.max().unwrap_or(0)
    }

    /// Samples of a record that have times of their own.
    fn times_in(&self, record: &DataRecord) -> Vec<(usize, i64)> {
        // A time of its own may lie outside of the record that it is of, by as much as a clock
        // is off: the place within it says which it is.
        let of = |note: &&&Note| {
            let text = note.text.strip_prefix("time of sample ")?;
            let place = text.strip_suffix(" of its record")?.parse::<usize>().ok()?;
            let count = record.samples.first().map_or(1, Vec::len).max(1);
            let share = i64::try_from(place).ok()?.checked_mul(self.record_ns)?;
            let usual =
                record.onset_ns.checked_add(share.checked_div(i64::try_from(count).ok()?)?)?;
            let off = note.onset_ns.checked_sub(usual)?.unsigned_abs();
            (off < self.record_ns.unsigned_abs() / 2).then_some((place, note.onset_ns))
        };
        self.notes.iter().filter_map(|note| of(&note)).collect()
    }

    fn doubts(
        &self,
        number: usize,
        stretch: &Stretch,
        rate_hz: (u32, u32),
    ) -> Vec<(usize, usize, MissingReason)> {
        let head = format!("signal {number} ");
        let read = |note: &&Note| {
            let text = note.text.strip_prefix(&head)?;
            let (why, len) = text.strip_suffix(" samples")?.split_once(' ')?;
            let (why, len) = (reason_of(why)?, len.parse().ok()?);
            let from = place_at(stretch, self.time(note.onset_ns), rate_hz)?;
            (from < stretch.samples.len()).then_some((from, len, why))
        };
        self.notes.iter().filter_map(read).collect()
    }
}

/// How many samples lie between two instants, which of a count is rounded to the nearest.
fn samples_between(from: Timestamp, to: Timestamp, rate_hz: (u32, u32)) -> Option<usize> {
    if to < from {
        return None;
    }
    usize::try_from(crate::past::samples_between(from, to, rate_hz)).ok()
}

/// The place of the sample that is measured at an instant.
fn place_at(stretch: &Stretch, at: Timestamp, rate_hz: (u32, u32)) -> Option<usize> {
    let next = stretch.times.partition_point(|it| it.1 <= at);
    let (from, time) = stretch.times.get(next.checked_sub(1)?)?;
    from.checked_add(samples_between(*time, at, rate_hz)?)
}

/// Whether what is told of one sample tells the time of another, to the nanosecond or two that
/// rounding takes.
fn tells(one: (usize, Timestamp), other: (usize, Timestamp), rate_hz: (u32, u32)) -> bool {
    let should_be = at_sample(one.1, other.0.saturating_sub(one.0), rate_hz);
    other.1.nanos_after(should_be).unsigned_abs() <= 2
}

/// Whether a record goes on where a stretch ends: within half a sample, or as far as clocks of
/// devices are off within what an export calls one stretch.
fn follows(last: &Stretch, at: Timestamp, rate_hz: (u32, u32)) -> bool {
    let Some((from, time)) = last.times.last() else { return false };
    let end = at_sample(*time, last.samples.len().saturating_sub(*from), rate_hz);
    let (hz, per) = rate_hz;
    let half = u64::from(per).saturating_mul(500_000_000).checked_div(hz.into()).unwrap_or(0);
    at.nanos_after(end).unsigned_abs() <= half.max(100_000_000)
}

/// How a signal's counts are to be understood, and how many times finer they are made.
fn signal_of(
    signal: &edf::Signal,
    (channel, unit): (String, Option<String>),
    record_ns: i64,
) -> Result<(i32, Signal), String> {
    let unit = unit.or_else(|| ucum_of(&signal.unit));
    if let Some(Said { gain, offset, rate_hz }) = Said::of(&signal.prefiltering) {
        return Ok((1, Signal { channel, unit, rate_hz, gain, offset }));
    }
    let (finer, gain, offset) =
        scale_of(signal).ok_or_else(|| format!("{} has no scale", signal.label))?;
    let samples = u64::try_from(signal.samples_of_record).unwrap_or(u64::MAX);
    let rate_hz = samples
        .checked_mul(1_000_000_000)
        .and_then(|hz| reduced(hz, record_ns.unsigned_abs()))
        .ok_or_else(|| format!("{} has no rate", signal.label))?;
    Ok((finer, Signal { channel, unit, rate_hz, gain, offset }))
}

pub(super) fn read(path: &Path, reading: &Reading, take: &mut Take<'_>) -> Result<Read, FileError> {
    let refused = |what: String| FileError::Whole { path: path.to_owned(), what };
    let found = edf::read(&whole(path)?).map_err(|error| refused(error.to_string()))?;
    let header = &found.header;
    let record_ns = Decimal::parse(&header.record_s).and_then(|it| i64::try_from(it.nanos()?).ok());
    let record_ns = record_ns.filter(|it| *it > 0);
    let record_ns = record_ns.ok_or_else(|| refused("its records have no length".to_owned()))?;
    // Our exports are in UTC; of others nobody says of which zone the clock was.
    let is_own = header.signals.iter().any(|it| Said::of(&it.prefiltering).is_some());
    let begins = reading.start.or_else(|| begins_at(header).filter(|_| is_own));
    let begins = begins.ok_or_else(|| {
        let words = "it does not say in which zone it began; say when it began with --start";
        refused(words.to_owned())
    })?;
    let notes = found.records.iter().flat_map(|it| &it.notes).collect();
    let recorded = Recorded { records: &found.records, notes, begins, record_ns };
    let mut read = Read::default();
    let mut is_any = false;
    for (number, signal) in header.signals.iter().enumerate() {
        let names = [signal.label.as_str(), signal.transducer.as_str()];
        let Some(of) = channel_of(reading, &names, &mut read.unmapped) else { continue };
        is_any = true;
        let (finer, own) = signal_of(signal, of, record_ns).map_err(refused)?;
        for stretch in recorded.stretches(number, finer, own.rate_hz) {
            if !stretch.tell(&own, take) {
                return Err(FileError::Stopped);
            }
        }
    }
    if is_any { Ok(read) } else { Err(nothing_mapped(path, &read.unmapped)) }
}
