//! Records of WFDB, of one segment or of several, our own or those of others.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use model::{MissingReason, Timestamp};
use protocols::{Decimal, senml::reason_of};
use signal::wfdb::{Header, Segment, samples, segments};

use super::{ImportError, Reading, Stretch, gain_of, instant, rate};
use crate::past::at_sample;

/// The stretches of a record, signal by signal.
pub(super) fn read(path: &Path, reading: &Reading) -> Result<Vec<Stretch>, ImportError> {
    let text = text_of(path)?;
    let Some(parts) = segments(&text) else {
        return segment(path, &text, reading, begins(&text).or(reading.begins_at));
    };
    let folder = path.parent().unwrap_or(Path::new("."));
    let (mut stretches, mut place) = (Vec::new(), 0_usize);
    let first = begins(&text).or(reading.begins_at);
    for part in parts {
        let (name, len) = match part {
            Segment::Gap(len) => (None, len),
            Segment::There(name, len) => (Some(name), len),
        };
        if let Some(name) = name {
            if name.contains(['/', '\\']) {
                return Err(ImportError::file(path, format!("it names the segment `{name}`")));
            }
            let own = folder.join(format!("{name}.hea"));
            let text = text_of(&own)?;
            let rate_hz = rate_of(&text).unwrap_or((250, 1));
            let at = begins(&text).or_else(|| first.map(|at| at_sample(at, place, rate_hz)));
            stretches.extend(segment(&own, &text, reading, at)?);
        }
        place = place.saturating_add(usize::try_from(len).unwrap_or(usize::MAX));
    }
    Ok(stretches)
}

fn text_of(path: &Path) -> Result<String, ImportError> {
    fs::read_to_string(path).map_err(|source| ImportError::Read { path: path.to_owned(), source })
}

fn segment(
    path: &Path,
    text: &str,
    reading: &Reading,
    begins_at: Option<Timestamp>,
) -> Result<Vec<Stretch>, ImportError> {
    let header = Header::parse(text).map_err(|error| ImportError::file(path, error))?;
    let Some(first) = header.signals.first() else { return Ok(Vec::new()) };
    if first.file.contains(['/', '\\']) {
        return Err(ImportError::file(path, format!("it names the file `{}`", first.file)));
    }
    let data: PathBuf = path.parent().unwrap_or(Path::new(".")).join(&first.file);
    let bytes = fs::read(&data).map_err(|source| ImportError::Read { path: data, source })?;
    let counts = samples(&header, &bytes).map_err(|error| ImportError::file(path, error))?;
    let said = Said::of(&header.comments);
    let at = said.at.or(begins_at).ok_or(ImportError::NoTime)?;
    let rate_hz = said.rate_hz.or_else(|| rate_of(text)).ok_or(ImportError::NoTime)?;
    let mut stretches = Vec::new();
    for (number, (signal, counts)) in header.signals.iter().zip(counts).enumerate() {
        let own = said.signals.get(&number);
        let own = |name: &str| own.and_then(|it| it.get(name)).map(String::as_str);
        let device = reading.device.or_else(|| own("device")?.parse().ok());
        let named = own("channel").unwrap_or(&signal.description);
        let channel = reading.channels.get(named).map_or(named, String::as_str).to_owned();
        let gain = own("gain").and_then(Decimal::parse).map(|it| (it.mantissa, it.exp10));
        let gain = gain.or_else(|| gain_of(1.0 / signal.gain_adu_per_unit));
        let mut doubts = said.doubts.get(&number).cloned().unwrap_or_default();
        for (place, count) in (0_u64..).zip(&counts) {
            let end = |(from, len, _): &(u64, u64, _)| from.saturating_add(*len);
            let is_said = || doubts.iter().any(|it| (it.0..end(it)).contains(&place));
            if *count == signal.format.missing() && !is_said() {
                match doubts.last_mut() {
                    Some(last) if last.2 == MissingReason::NotMeasured && end(last) == place => {
                        last.1 = last.1.saturating_add(1);
                    }
                    _ => doubts.push((place, 1, MissingReason::NotMeasured)),
                }
            }
        }
        stretches.push(Stretch {
            device: device.ok_or(ImportError::NoDevice)?,
            channel,
            at,
            unit: own("unit").unwrap_or(&signal.unit).to_owned(),
            rate_hz,
            gain: gain.ok_or_else(|| ImportError::file(path, "a signal has no gain"))?,
            offset: signal.baseline,
            samples: counts.into_iter().map(i32::from).collect(),
            doubts,
        });
    }
    Ok(stretches)
}

/// What our own comments say beyond the format.
#[derive(Default)]
struct Said {
    at: Option<Timestamp>,
    rate_hz: Option<(u32, u32)>,
    signals: BTreeMap<usize, BTreeMap<String, String>>,
    doubts: BTreeMap<usize, Vec<(u64, u64, MissingReason)>>,
}

impl Said {
    fn of(comments: &[String]) -> Self {
        let mut said = Self::default();
        for comment in comments {
            let words: Vec<&str> = comment.split(' ').collect();
            match words.as_slice() {
                ["at", at, "rate", hz] => (said.at, said.rate_hz) = (instant(at), rate(hz)),
                ["signal", number, pairs @ ..] => {
                    let Ok(number) = number.parse() else { continue };
                    let pair = |it: &[&str]| match it {
                        [name, value] => Some(((*name).to_owned(), (*value).to_owned())),
                        _ => None,
                    };
                    said.signals.insert(number, pairs.chunks(2).filter_map(pair).collect());
                }
                ["doubt", number, start, len, why] => {
                    let parsed = (number.parse(), start.parse(), len.parse(), reason_of(why));
                    if let (Ok(number), Ok(start), Ok(len), Some(why)) = parsed {
                        let doubts: &mut Vec<_> = said.doubts.entry(number).or_default();
                        doubts.push((start, len, why));
                    }
                }
                _ => {}
            }
        }
        said
    }
}

fn record_line(text: &str) -> Vec<&str> {
    let mut lines = text.lines().map(str::trim).filter(|it| !it.is_empty() && !it.starts_with('#'));
    lines.next().unwrap_or_default().split_whitespace().collect()
}

/// The rate of the record line as a fraction.
fn rate_of(text: &str) -> Option<(u32, u32)> {
    let text = record_line(text).get(2)?.split(['/', '(']).next()?.to_owned();
    let (whole, places) = text.split_once('.').unwrap_or((&text, ""));
    let per = 10_u32.checked_pow(u32::try_from(places.len()).ok()?)?;
    let hz: u32 = format!("{whole}{places}").parse().ok()?;
    (hz > 0).then_some((hz, per))
}

/// The time and date of the record line, in UTC.
fn begins(text: &str) -> Option<Timestamp> {
    let line = record_line(text);
    let (time, date) = (line.get(4)?, line.get(5)?);
    let mut parts = date.split('/');
    let (day, month, year) = (parts.next()?, parts.next()?, parts.next()?);
    let mut clock = time.split(':');
    let (hour, minute, second) = (clock.next()?, clock.next()?, clock.next()?);
    instant(&format!("{year:0>4}-{month:0>2}-{day:0>2}T{hour:0>2}:{minute:0>2}:{second:0>2}Z"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_line_says_when_it_began_and_how_fast_it_is() {
        let at = |millis| Some(Timestamp::from_unix_millis(millis));
        for (line, began, fast) in [
            ("r 1 250 500 09:30:00.250 21/11/2026", at(1_795_253_400_250), Some((250, 1))),
            ("r/3 1 62.475 500 09:30:00 21/11/2026", at(1_795_253_400_000), Some((62_475, 1_000))),
            ("r 1 360/25(0) 500", None, Some((360, 1))),
            ("r 1 0 500 09:30:00", None, None),
        ] {
            assert_eq!((begins(line), rate_of(line)), (began, fast), "{line}");
        }
    }
}
