//! A stretch of one signal of a recording, cut into pieces that a part of an import can hold.

use std::path::Path;

use model::{MissingReason, Timestamp};
use protocols::{Decimal, senml::word_of};

use super::{
    super::part::{Doubt, Wave},
    FileError, Piece, Place, Reading, Take,
};
use crate::past::at_sample;

/// The most samples of a piece.
const PIECE_SAMPLES: usize = 5_000;

/// What all samples of a signal have in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Signal {
    pub(super) channel: String,
    pub(super) unit: Option<String>,
    pub(super) rate_hz: (u32, u32),
    /// As decimal text, in the unit.
    pub(super) gain: String,
    pub(super) offset: i32,
}

/// Samples without a gap.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Stretch {
    /// The first sample's place in the file.
    pub(super) place: u64,
    pub(super) samples: Vec<i32>,
    /// Samples by their place in the stretch, and their times; the first is sample 0.
    pub(super) times: Vec<(usize, Timestamp)>,
    /// From, how many, why.
    pub(super) doubts: Vec<(usize, usize, MissingReason)>,
}

impl Stretch {
    /// Hands it on piece by piece; `false` if no more is wanted.
    pub(super) fn tell(&self, signal: &Signal, take: &mut Take<'_>) -> bool {
        let ends = self.times.iter().skip(1).map(|it| it.0).chain([self.samples.len()]);
        for ((start, at), end) in self.times.iter().zip(ends) {
            let mut from = *start;
            while from < end.min(self.samples.len()) {
                let to = from.saturating_add(PIECE_SAMPLES).min(end).min(self.samples.len());
                let time = at_sample(*at, from.saturating_sub(*start), signal.rate_hz);
                let place = self.place.saturating_add(u64::try_from(from).unwrap_or(u64::MAX));
                let piece = Piece::Wave(self.piece(signal, from..to, time));
                if !take(piece, Place("sample", place)) {
                    return false;
                }
                from = to;
            }
        }
        true
    }

    fn piece(&self, signal: &Signal, range: std::ops::Range<usize>, at: Timestamp) -> Wave {
        let narrow = |(start, len, why): &(usize, usize, MissingReason)| {
            let from = (*start).max(range.start);
            let to = start.saturating_add(*len).min(range.end);
            let start = u32::try_from(from.checked_sub(range.start)?).ok()?;
            let len = u32::try_from(to.checked_sub(from)?).ok().filter(|len| *len > 0)?;
            Some(Doubt { start, len, reason: word_of(*why).to_owned() })
        };
        let Signal { channel, unit, rate_hz, gain, offset } = signal.clone();
        Wave {
            channel,
            code: None,
            unit,
            at_ns: at.unix_nanos(),
            rate_hz,
            gain,
            offset,
            doubts: self.doubts.iter().filter_map(narrow).collect(),
            samples: self.samples.get(range).unwrap_or_default().to_vec(),
        }
    }

    /// Says that a sample was not measured.
    pub(super) fn not_measured(&mut self, at: usize) {
        match self.doubts.last_mut() {
            Some((from, len, MissingReason::NotMeasured)) if from.saturating_add(*len) == at => {
                *len = len.saturating_add(1);
            }
            _ => self.doubts.push((at, 1, MissingReason::NotMeasured)),
        }
    }
}

/// The channel of a signal by any of its names; else the first of them is left out.
pub(super) fn channel_of(
    reading: &Reading,
    names: &[&str],
    unmapped: &mut Vec<String>,
) -> Option<(String, Option<String>)> {
    let found = names.iter().find_map(|name| reading.channel_of(name));
    if found.is_none() {
        unmapped.extend(names.first().map(|name| super::table::shown(name)));
    }
    found
}

/// Why a recording without a signal for any channel is not read.
pub(super) fn nothing_mapped(path: &Path, names: &[String]) -> FileError {
    let names = names.join(", ");
    let what =
        format!("no signal is of a channel; say which with --map 'SIGNAL=CHANNEL' ({names})");
    FileError::Whole { path: path.to_owned(), what }
}

/// A unit of a file as UCUM spells it, as far as others spell it otherwise.
pub(super) fn ucum_of(unit: &str) -> Option<String> {
    match unit {
        "" => None,
        "µV" | "μV" => Some("uV".to_owned()),
        "mmHg" => Some("mm[Hg]".to_owned()),
        "bpm" => Some("/min".to_owned()),
        "degC" => Some("Cel".to_owned()),
        "NU" => Some("1".to_owned()),
        other => Some(other.to_owned()),
    }
}

/// A number as decimal text with all of its digits.
pub(super) fn decimal(value: f64) -> Option<String> {
    Decimal::from_f64(value).filter(|it| it.mantissa != 0).map(|it| it.to_string())
}

/// A fraction without a common divisor, if it fits.
pub(super) fn reduced(hz: u64, per: u64) -> Option<(u32, u32)> {
    let (mut a, mut b) = (hz, per);
    while b != 0 {
        (a, b) = (b, a.checked_rem(b)?);
    }
    let part = |it: u64| u32::try_from(it.checked_div(a)?).ok().filter(|it| *it > 0);
    Some((part(hz)?, part(per)?))
}
