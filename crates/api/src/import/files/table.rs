//! Tables, whatever holds them: those of our own exports, and those of others with a column for
//! the time and one for each channel.

use std::borrow::Cow;

use protocols::Decimal;

use super::{
    super::part::{Doubt, Wave},
    Piece, Reading, Value,
};
use crate::limits::{IMPORT_MILLIS_MIN, IMPORT_STRETCH_DOUBTS_MAX, IMPORT_STRETCH_SAMPLES_MAX};

/// What stands in a field.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Cell<'a> {
    Nothing,
    Text(Cow<'a, str>),
    /// Nanoseconds since 1970.
    Instant(i64),
    /// A time without its zone, which may be any instant of a day.
    Local,
    /// The samples of a waveform.
    Counts(Vec<i32>),
    /// What no column that is asked for holds.
    Other,
}

impl FromIterator<i32> for Cell<'_> {
    fn from_iter<I: IntoIterator<Item = i32>>(counts: I) -> Self {
        Self::Counts(counts.into_iter().collect())
    }
}

impl Cell<'_> {
    /// As text; nothing of an empty one.
    fn text(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Nothing | Self::Instant(_) | Self::Local | Self::Counts(_) | Self::Other => None,
            Self::Text(text) => Some(text.trim()).filter(|it| !it.is_empty()).map(Cow::Borrowed),
        }
    }

    /// As counts, in a list or in text with spaces between them.
    fn counts(&self) -> Result<Vec<i32>, String> {
        match self {
            Self::Counts(counts) => Ok(counts.clone()),
            _ => self.text().unwrap_or_default().split_ascii_whitespace().map(whole).collect(),
        }
    }

    /// As an instant, in nanoseconds since 1970.
    fn instant(&self) -> Result<i64, String> {
        match self {
            Self::Nothing => Err("there is no time".to_owned()),
            Self::Counts(_) | Self::Other => Err("what stands there is no time".to_owned()),
            Self::Local => Err("the column's times are of no zone; write them in UTC".to_owned()),
            Self::Instant(at_ns) => Ok(*at_ns),
            Self::Text(text) => instant(text.trim()),
        }
    }
}

/// RFC 3339 with an offset, or milliseconds since 1970.
pub(super) fn instant(text: &str) -> Result<i64, String> {
    let refused = || {
        format!(
            "`{}` is no time; write it like 2026-11-21T08:30:00Z, or as milliseconds since 1970",
            shown(text)
        )
    };
    if let Some(millis) = Decimal::parse(text) {
        if !millis.is_within(IMPORT_MILLIS_MIN, i64::MAX) {
            return Err(format!(
                "`{}` is no time; a number is milliseconds since 1970, and these are too few, as \
                 if they were seconds",
                shown(text)
            ));
        }
        // As if it were seconds, and then a thousandth of it.
        let seconds = Decimal { exp10: millis.exp10.checked_sub(3).ok_or_else(refused)?, ..millis };
        return seconds.nanos().and_then(|it| i64::try_from(it).ok()).ok_or_else(refused);
    }
    let at: jiff::Timestamp = text.parse().map_err(|_| refused())?;
    i64::try_from(at.as_nanosecond()).map_err(|_| refused())
}

/// So much of a text as a message may repeat.
pub(super) fn shown(text: &str) -> String {
    text.chars().take(40).filter(|it| !it.is_control()).collect()
}

/// Which columns mean what.
#[derive(Debug)]
pub(super) struct Layout {
    kind: Kind,
    width: usize,
    device: Option<usize>,
    /// The device of the rows before.
    seen: Option<String>,
    pub(super) unmapped: Vec<String>,
    pub(super) of_others: u64,
}

#[derive(Debug)]
enum Kind {
    Values(Values),
    Waves(Waves),
    Wide { time: usize, columns: Vec<(usize, String, Option<String>)> },
}

#[derive(Debug)]
struct Values {
    at: usize,
    channel: usize,
    value: usize,
    value_text: Option<usize>,
    code: Option<usize>,
    unit: Option<usize>,
    missing: Option<usize>,
}

#[derive(Debug)]
struct Waves {
    at: usize,
    channel: usize,
    /// One column, or numerator and denominator.
    rate: (usize, Option<usize>),
    gain: usize,
    offset: usize,
    samples: usize,
    code: Option<usize>,
    unit: Option<usize>,
    doubts: Option<usize>,
}

/// What a column of times is usually called.
const TIMES: [&str; 6] = ["time", "timestamp", "at", "datetime", "date_time", "measured_at"];

impl Layout {
    /// By the names of the columns.
    pub(super) fn of(names: &[String], reading: &Reading) -> Result<Self, String> {
        let find = |name: &str| names.iter().position(|it| it == name);
        let need = |name: &str| find(name).ok_or(());
        let values = || {
            Ok::<_, ()>(Kind::Values(Values {
                at: need("at")?,
                channel: need("channel")?,
                value: need("value")?,
                value_text: find("value_text"),
                code: find("code"),
                unit: find("unit"),
                missing: find("missing"),
            }))
        };
        let waves = || {
            Ok::<_, ()>(Kind::Waves(Waves {
                at: need("at")?,
                channel: need("channel")?,
                rate: match find("rate_hz") {
                    Some(at) => (at, None),
                    None => (need("rate_hz_numerator")?, Some(need("rate_hz_denominator")?)),
                },
                gain: need("gain")?,
                offset: need("offset")?,
                samples: need("samples")?,
                code: find("code"),
                unit: find("unit"),
                doubts: find("doubts"),
            }))
        };
        let mut unmapped = Vec::new();
        let (kind, device) = match waves().or_else(|()| values()) {
            Ok(kind) => (kind, find("device")),
            Err(()) => (wide(names, reading, &mut unmapped)?, None),
        };
        Ok(Self { kind, width: names.len(), device, seen: None, unmapped, of_others: 0 })
    }

    /// Hands on what a row says; `false` if no more is wanted.
    pub(super) fn row(
        &mut self,
        cells: &[Cell<'_>],
        reading: &Reading,
        take: &mut dyn FnMut(Piece) -> bool,
    ) -> Result<bool, String> {
        if cells.len() != self.width {
            return Err(format!("it has {} fields, and the header {}", cells.len(), self.width));
        }
        let cell = |at: usize| cells.get(at).unwrap_or(&Cell::Nothing);
        if !self.is_of(cell(self.device.unwrap_or(usize::MAX)), reading)? {
            self.of_others = self.of_others.saturating_add(1);
            return Ok(true);
        }
        let text = |at: Option<usize>| at.and_then(|at| cell(at).text().map(Cow::into_owned));
        match &self.kind {
            Kind::Values(of) => {
                let value = match text(of.value_text).or_else(|| text(Some(of.value))) {
                    Some(text) => Some(number(&text)?),
                    None => None,
                };
                Ok(take(Piece::Value(Value {
                    channel: text(Some(of.channel)).ok_or("there is no channel")?,
                    code: text(of.code),
                    unit: text(of.unit),
                    at_ns: cell(of.at).instant()?,
                    missing: text(of.missing).filter(|_| value.is_none()),
                    value,
                })))
            }
            Kind::Waves(of) => Ok(take(Piece::Wave(Wave {
                channel: text(Some(of.channel)).ok_or("there is no channel")?,
                code: text(of.code),
                unit: text(of.unit),
                at_ns: cell(of.at).instant()?,
                rate_hz: match (text(Some(of.rate.0)).unwrap_or_default(), of.rate.1) {
                    (hz, None) => rate(&hz)?,
                    (hz, per) => (whole(&hz)?, whole(&text(per).unwrap_or_default())?),
                },
                gain: number(&text(Some(of.gain)).unwrap_or_default())?,
                offset: whole(&text(Some(of.offset)).unwrap_or_default())?,
                samples: bounded(
                    cell(of.samples).counts()?,
                    (IMPORT_STRETCH_SAMPLES_MAX, "samples"),
                )?,
                doubts: bounded(
                    doubts(&text(of.doubts).unwrap_or_default())?,
                    (IMPORT_STRETCH_DOUBTS_MAX, "doubts"),
                )?,
            }))),
            Kind::Wide { time, columns } => {
                let at_ns = cell(*time).instant()?;
                for (at, channel, unit) in columns {
                    if matches!(
                        cell(*at),
                        Cell::Instant(_) | Cell::Local | Cell::Counts(_) | Cell::Other
                    ) {
                        return Err(format!("what stands for {channel} is no number"));
                    }
                    let Some(value) = text(Some(*at)) else { continue };
                    if value.eq_ignore_ascii_case("nan") {
                        continue;
                    }
                    let value = Some(number(&value)?);
                    let (channel, unit) = (channel.clone(), unit.clone());
                    let (code, missing) = (None, None);
                    let value = Value { channel, code, unit, at_ns, value, missing };
                    if !take(Piece::Value(value)) {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
        }
    }

    /// Whether a row is of the device that is wanted.
    fn is_of(&mut self, device: &Cell<'_>, reading: &Reading) -> Result<bool, String> {
        let Some(device) = device.text() else { return Ok(true) };
        if let Some(wanted) = &reading.of_device {
            return Ok(*wanted == device);
        }
        match &self.seen {
            None => self.seen = Some(device.into_owned()),
            Some(seen) if *seen == device => {}
            Some(seen) => {
                return Err(format!(
                    "it is of device {}, and those before are of {}; say with --from-device which \
                     of them it is",
                    shown(&device),
                    shown(seen)
                ));
            }
        }
        Ok(true)
    }
}

fn wide(names: &[String], reading: &Reading, unmapped: &mut Vec<String>) -> Result<Kind, String> {
    let time = match &reading.time {
        Some(name) => names.iter().position(|it| it == name),
        None => {
            let usual =
                |name: &&str| names.iter().position(|it| it.trim().eq_ignore_ascii_case(name));
            TIMES.iter().find_map(usual)
        }
    };
    let time = time.ok_or("no column is the time; name it with --time")?;
    let mut columns = Vec::new();
    for (at, name) in names.iter().enumerate().filter(|it| it.0 != time) {
        match reading.channel_of(name.trim()) {
            Some((channel, unit)) => columns.push((at, channel, unit)),
            None => unmapped.push(shown(name)),
        }
    }
    if columns.is_empty() {
        return Err(format!(
            "no column is of a channel; say which with --map 'COLUMN=CHANNEL' (columns: {})",
            unmapped.join(", ")
        ));
    }
    Ok(Kind::Wide { time, columns })
}

/// A decimal number, as it stands there.
fn number(text: &str) -> Result<String, String> {
    match Decimal::parse(text) {
        Some(_) => Ok(text.to_owned()),
        None => Err(format!("`{}` is no decimal number that fits", shown(text))),
    }
}

fn whole<N: std::str::FromStr>(text: &str) -> Result<N, String> {
    text.parse().map_err(|_| format!("`{}` is no whole number that fits", shown(text)))
}

/// So many of a stretch that a part can hold it.
fn bounded<T>(items: Vec<T>, (most, what): (usize, &str)) -> Result<Vec<T>, String> {
    if items.len() > most {
        return Err(format!("its stretch has {} {what}, and may have {most}", items.len()));
    }
    Ok(items)
}

/// `250/1`, or `250`.
pub(super) fn rate(text: &str) -> Result<(u32, u32), String> {
    let (hz, per) = text.split_once('/').unwrap_or((text, "1"));
    Ok((whole(hz)?, whole(per)?))
}

/// `from+count:why` with spaces between them.
fn doubts(text: &str) -> Result<Vec<Doubt>, String> {
    let one = |text: &str| {
        let (place, reason) = text.split_once(':')?;
        let (start, len) = place.split_once('+')?;
        let (start, len) = (start.parse().ok()?, len.parse().ok()?);
        Some(Doubt { start, len, reason: reason.to_owned() })
    };
    let read = |it| one(it).ok_or_else(|| format!("`{}` is no doubt", shown(it)));
    text.split_ascii_whitespace().map(read).collect()
}
