//! The samples of a record, unpacked and checked against what its header promises.

use super::{Format, Header};

/// Why bytes are not the samples that a header describes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SamplesError {
    /// The header describes no signal.
    #[error("header describes no signal")]
    NoSignal,
    /// Signals lie in different files or formats, which one run of bytes cannot hold.
    #[error("signal {signal} differs from the first in file, format, or offset")]
    Mixed {
        /// The signal's place in the header, from 0.
        signal: usize,
    },
    /// More or fewer bytes than the header announces.
    #[error("samples take {found} bytes, expected {expected}")]
    Length {
        /// The bytes given.
        found: usize,
        /// The bytes that the header asks for.
        expected: u64,
    },
    /// A signal does not begin as its header says.
    #[error("signal {signal} begins with {found}, expected {expected}")]
    Initial {
        /// The signal's place in the header, from 0.
        signal: usize,
        /// The first sample found.
        found: i16,
        /// The first sample that the header gives.
        expected: i32,
    },
    /// A signal's sum is not the one in the header.
    #[error("signal {signal} has checksum {found}, expected {expected}")]
    Checksum {
        /// The signal's place in the header, from 0.
        signal: usize,
        /// The sum of the samples in 16 bits.
        found: i16,
        /// The sum that the header gives.
        expected: i16,
    },
}

/// One list of counts per signal, as converted; [`super::Signal::microvolts`] gives them their meaning.
pub fn samples(header: &Header, bytes: &[u8]) -> Result<Vec<Vec<i16>>, SamplesError> {
    let first = header.signals.first().ok_or(SamplesError::NoSignal)?;
    let same = |s: &super::Signal| {
        (&s.file, s.format, s.offset_bytes) == (&first.file, first.format, first.offset_bytes)
    };
    if let Some(signal) = header.signals.iter().position(|s| !same(s)) {
        return Err(SamplesError::Mixed { signal });
    }
    let body = checked_body(header, first.format, first.offset_bytes, bytes)?;
    let signals = header.signals.len();
    let mut counts = match first.format {
        Format::Bits16 => unpack_16(body),
        Format::Bits212 => unpack_212(body),
    };
    let whole_frames = counts.len().saturating_sub(counts.len().checked_rem(signals).unwrap_or(0));
    counts.truncate(
        header.samples.and_then(|n| usize::try_from(n).ok()).map_or(whole_frames, |n| n * signals),
    );
    let columns: Vec<Vec<i16>> = (0..signals)
        .map(|signal| counts.iter().copied().skip(signal).step_by(signals).collect())
        .collect();
    for (signal, (described, column)) in header.signals.iter().zip(&columns).enumerate() {
        check(signal, described, column)?;
    }
    Ok(columns)
}

/// The bytes after the offset; their number must be what the header announces, but for one odd byte of padding.
fn checked_body<'a>(
    header: &Header,
    format: Format,
    offset: u64,
    bytes: &'a [u8],
) -> Result<&'a [u8], SamplesError> {
    let expected = match header.samples {
        None => offset,
        Some(samples) => {
            let count = u128::from(samples) * header.signals.len() as u128;
            let packed = match format {
                Format::Bits16 => count * 2,
                Format::Bits212 => (count * 3).div_ceil(2),
            };
            u64::try_from(packed + u128::from(offset)).unwrap_or(u64::MAX)
        }
    };
    let wrong = SamplesError::Length { found: bytes.len(), expected };
    let found = bytes.len() as u64;
    let surplus = found.checked_sub(expected).ok_or(wrong)?;
    if header.samples.is_some() && surplus > 1 {
        return Err(wrong);
    }
    usize::try_from(offset).ok().and_then(|offset| bytes.get(offset..)).ok_or(wrong)
}

fn unpack_16(bytes: &[u8]) -> Vec<i16> {
    bytes.as_chunks().0.iter().map(|pair| i16::from_le_bytes(*pair)).collect()
}

/// Two samples in three bytes: low byte, both high nibbles, low byte; an odd last sample takes two bytes.
fn unpack_212(bytes: &[u8]) -> Vec<i16> {
    let (triples, rest) = bytes.as_chunks::<3>();
    let mut counts = Vec::with_capacity(triples.len() * 2 + 1);
    for [first, nibbles, second] in triples {
        counts.push(twelve_bits(*nibbles, *first));
        counts.push(twelve_bits(*nibbles >> 4, *second));
    }
    if let [first, nibbles] = rest {
        counts.push(twelve_bits(*nibbles, *first));
    }
    counts
}

/// Shifts the sign into place and back, which extends it.
fn twelve_bits(high: u8, low: u8) -> i16 {
    i16::from_be_bytes([high << 4 | low >> 4, low << 4]) >> 4
}

fn check(signal: usize, described: &super::Signal, column: &[i16]) -> Result<(), SamplesError> {
    if let (Some(expected), Some(found)) = (described.initial, column.first())
        && i32::from(*found) != expected
    {
        return Err(SamplesError::Initial { signal, found: *found, expected });
    }
    let found = column.iter().fold(0_i16, |sum, count| sum.wrapping_add(*count));
    match described.checksum {
        Some(expected) if expected != found => {
            Err(SamplesError::Checksum { signal, found, expected })
        }
        Some(_) | None => Ok(()),
    }
}
