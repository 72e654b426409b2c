//! Records of WFDB, of one segment or several, in formats 16 and 212. What our own exports say
//! in comments beyond the format is read back: nanoseconds, rates as fractions, gains, doubts.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use model::Timestamp;
use signal::wfdb::{Header, Segment, Signal as Described, samples, segments};

use super::{
    super::part::reason_of,
    FileError, Read, Reading, Take,
    recording::{Signal, Stretch, channel_of, decimal, nothing_mapped, reduced, ucum_of},
    table::{instant, rate},
    whole,
};
use crate::past::at_sample;

/// The longest header, in bytes.
const HEADER_LEN_MAX: usize = 16 * 1_024 * 1_024;
/// The most segments of a record.
const SEGMENTS_MAX: usize = 100_000;

fn text(path: &Path) -> Result<String, FileError> {
    let refused = |what: &str| FileError::Whole { path: path.to_owned(), what: what.to_owned() };
    let bytes = whole(path)?;
    if bytes.len() > HEADER_LEN_MAX {
        return Err(refused("the header is too long"));
    }
    String::from_utf8(bytes).map_err(|_| refused("the header is no text"))
}

/// A file beside a header; a name that leads elsewhere is none.
fn beside(path: &Path, name: &str) -> Result<PathBuf, FileError> {
    if name.contains(['/', '\\']) || name.starts_with('.') || name.is_empty() {
        let what = "it names a file that does not lie beside it".to_owned();
        return Err(FileError::Whole { path: path.to_owned(), what });
    }
    Ok(path.with_file_name(name))
}

/// The headers of the segments of a record, in order; of one of one segment its own.
fn headers_of(path: &Path, text: &str) -> Result<Vec<Result<PathBuf, u64>>, FileError> {
    let Some(parts) = segments(text) else { return Ok(vec![Ok(path.to_owned())]) };
    if parts.len() > SEGMENTS_MAX {
        let what = format!("it has more than {SEGMENTS_MAX} segments");
        return Err(FileError::Whole { path: path.to_owned(), what });
    }
    let of = |it: &Segment| match it {
        Segment::There(name, _) => beside(path, &format!("{name}.hea")).map(Ok),
        Segment::Gap(len) => Ok(Err(*len)),
    };
    parts.iter().map(of).collect()
}

fn parsed(path: &Path, text: &str) -> Result<Header, FileError> {
    Header::parse(text)
        .map_err(|error| FileError::Whole { path: path.to_owned(), what: error.to_string() })
}

/// The file that holds a segment's samples.
fn samples_of(path: &Path, header: &Header) -> Result<Option<PathBuf>, FileError> {
    header.signals.first().map(|it| beside(path, &it.file)).transpose()
}

/// The files of a record behind its own header: further headers, and samples.
pub(super) fn files_of(path: &Path) -> Result<Vec<PathBuf>, FileError> {
    let own = text(path)?;
    let mut files = Vec::new();
    for part in headers_of(path, &own)?.into_iter().flatten() {
        let header = parsed(&part, &text(&part)?)?;
        if part != path {
            files.push(part.clone());
        }
        files.extend(samples_of(&part, &header)?);
    }
    Ok(files)
}

/// Headers among these that are parts of others among them, layouts included.
pub(super) fn parts_of<'a>(
    headers: impl Iterator<Item = &'a Path>,
) -> Result<BTreeSet<PathBuf>, FileError> {
    let mut parts = BTreeSet::new();
    for path in headers {
        let own = text(path)?;
        if segments(&own).is_none() {
            continue;
        }
        let lines = own.lines().map(str::trim).filter(|it| !it.is_empty() && !it.starts_with('#'));
        for line in lines.skip(1) {
            let name = line.split_whitespace().next().unwrap_or_default();
            if name != "~" {
                parts.insert(beside(path, &format!("{name}.hea"))?);
            }
        }
    }
    Ok(parts)
}

/// What comments of an own export say of a segment.
#[derive(Debug, Default)]
struct Said {
    at: Option<i64>,
    rate_hz: Option<(u32, u32)>,
    signals: Vec<(usize, Vec<String>)>,
    times: Vec<(usize, i64)>,
    doubts: Vec<(usize, usize, usize, model::MissingReason)>,
}

impl Said {
    fn of(header: &Header) -> Self {
        let mut said = Self::default();
        for comment in &header.comments {
            let words: Vec<&str> = comment.split_whitespace().collect();
            match words.as_slice() {
                ["at", at, "rate", hz] => {
                    (said.at, said.rate_hz) = (instant(at).ok(), rate(hz).ok());
                }
                ["time", place, at] => {
                    said.times.extend(place.parse().ok().zip(instant(at).ok()));
                }
                ["doubt", signal, from, len, why] => {
                    let read = || {
                        let (signal, from) = (signal.parse().ok()?, from.parse().ok()?);
                        Some((signal, from, len.parse().ok()?, reason_of(why)?))
                    };
                    said.doubts.extend(read());
                }
                ["signal", number, rest @ ..] => {
                    let rest = rest.iter().map(|it| (*it).to_owned()).collect();
                    said.signals.extend(number.parse().ok().map(|number| (number, rest)));
                }
                _ => {}
            }
        }
        said
    }

    /// The word behind another in what is said of a signal.
    fn word(&self, signal: usize, name: &str) -> Option<&str> {
        let words = &self.signals.iter().find(|it| it.0 == signal)?.1;
        let at = words.iter().position(|it| it == name)?;
        words.get(at.checked_add(1)?).map(String::as_str)
    }
}

/// The time at which a record begins, as its first line says in WFDB's words, in UTC.
fn begins_at(text: &str) -> Option<Timestamp> {
    let line = text.lines().map(str::trim).find(|it| !it.is_empty() && !it.starts_with('#'))?;
    let mut words = line.split_whitespace().skip(4);
    let (time, date) = (words.next()?, words.next()?);
    let mut parts = date.splitn(3, '/');
    let (day, month, year) = (parts.next()?, parts.next()?, parts.next()?);
    let text = format!("{year:0>4}-{month:0>2}-{day:0>2}T{time:0>8}Z");
    instant(&text).ok().map(Timestamp::from_unix_nanos)
}

/// A record under work.
struct Record<'a> {
    reading: &'a Reading,
    /// When it begins by its own words, or by those of whoever asks.
    begins: Option<Timestamp>,
    /// By how much all times move where another begin was asked for.
    shift: Option<i64>,
    /// Samples of each signal so far, gaps included.
    place: u64,
    read: Read,
    is_any: bool,
}

/// What all signals of a segment share.
struct Part<'a> {
    path: &'a Path,
    said: Said,
    at: Timestamp,
    rate_hz: (u32, u32),
}

impl Part<'_> {
    fn refused(&self, what: &str) -> FileError {
        FileError::Whole { path: self.path.to_owned(), what: what.to_owned() }
    }
}

impl Record<'_> {
    /// When a segment begins.
    fn time_of(&mut self, said: &Said, rate_hz: (u32, u32)) -> Option<Timestamp> {
        match (said.at.map(Timestamp::from_unix_nanos), self.reading.start) {
            (Some(at), Some(start)) => {
                let by = *self.shift.get_or_insert_with(|| start.nanos_after(at));
                Some(Timestamp::from_unix_nanos(at.unix_nanos().saturating_add(by)))
            }
            (Some(at), None) => Some(at),
            (None, _) => Some(at_sample(self.begins?, self.place, rate_hz)),
        }
    }

    fn segment(&mut self, path: &Path, take: &mut Take<'_>) -> Result<(), FileError> {
        let header = parsed(path, &text(path)?)?;
        let said = Said::of(&header);
        let refused = |what: &str| FileError::Whole { path: path.to_owned(), what: what.into() };
        let rate = reduced(header.rate.numerator().into(), header.rate.denominator().into());
        let rate_hz = said.rate_hz.or(rate).ok_or_else(|| refused("its rate does not fit"))?;
        let at = self.time_of(&said, rate_hz);
        let at = at.ok_or_else(|| refused("it does not say when it began; say it with --start"))?;
        let Some(file) = samples_of(path, &header)? else { return Ok(()) };
        let columns = samples(&header, &whole(&file)?)
            .map_err(|error| FileError::Whole { path: file, what: error.to_string() })?;
        let len = columns.first().map_or(0, Vec::len);
        let part = Part { path, said, at, rate_hz };
        for (number, (described, column)) in header.signals.iter().zip(columns).enumerate() {
            let Some(signal) = self.signal(&part, number, described)? else { continue };
            self.is_any = true;
            if !self.stretch(&part, number, described, column).tell(&signal, take) {
                return Err(FileError::Stopped);
            }
        }
        self.place = self.place.saturating_add(u64::try_from(len).unwrap_or(u64::MAX));
        Ok(())
    }

    /// What a signal is of, if it is of a channel.
    fn signal(
        &mut self,
        part: &Part<'_>,
        number: usize,
        described: &Described,
    ) -> Result<Option<Signal>, FileError> {
        let name = described.description.as_str();
        let of = part.said.word(number, "channel").unwrap_or(name);
        let found = channel_of(self.reading, &[of, name], &mut self.read.unmapped);
        let Some((channel, unit)) = found else { return Ok(None) };
        let gain = part.said.word(number, "gain").map(str::to_owned);
        let gain = gain.or_else(|| decimal(1.0 / described.gain_adu_per_unit));
        let gain = gain.ok_or_else(|| part.refused("a gain is no number that fits"))?;
        let unit = unit.or_else(|| part.said.word(number, "unit").map(str::to_owned));
        let unit = unit.or_else(|| ucum_of(&described.unit));
        let (rate_hz, offset) = (part.rate_hz, described.baseline);
        Ok(Some(Signal { channel, unit, rate_hz, gain, offset }))
    }

    /// The samples of a signal with their times and doubts.
    fn stretch(
        &self,
        part: &Part<'_>,
        number: usize,
        described: &Described,
        column: Vec<i16>,
    ) -> Stretch {
        let said = &part.said;
        let mut stretch =
            Stretch { place: self.place, times: vec![(0, part.at)], ..Stretch::default() };
        let by = self.shift.unwrap_or(0);
        let times = said.times.iter().filter(|it| it.0 > 0 && it.0 < column.len());
        stretch.times.extend(
            times.map(|(place, at)| (*place, Timestamp::from_unix_nanos(at.saturating_add(by)))),
        );
        let own = said.doubts.iter().filter(|it| it.0 == number);
        stretch.doubts.extend(own.map(|it| (it.1, it.2, it.3)));
        for (at, count) in column.iter().enumerate() {
            // Our own exports say in words what was not measured.
            if said.at.is_none() && *count == described.format.missing() {
                stretch.not_measured(at);
            }
        }
        stretch.samples = column.into_iter().map(i32::from).collect();
        stretch
    }
}

pub(super) fn read(path: &Path, reading: &Reading, take: &mut Take<'_>) -> Result<Read, FileError> {
    let own = text(path)?;
    let begins = reading.start.or_else(|| begins_at(&own));
    let (shift, place, read, is_any) = (None, 0, Read::default(), false);
    let mut record = Record { reading, begins, shift, place, read, is_any };
    for part in headers_of(path, &own)? {
        match part {
            Ok(part) => record.segment(&part, take)?,
            Err(gap) => record.place = record.place.saturating_add(gap),
        }
    }
    let Record { mut read, is_any, .. } = record;
    read.unmapped.sort_unstable();
    read.unmapped.dedup();
    if is_any { Ok(read) } else { Err(nothing_mapped(path, &read.unmapped)) }
}
