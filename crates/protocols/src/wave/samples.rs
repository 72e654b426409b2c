//! Packed samples: reading, packing, and what they mean in their unit.

use super::{Block, Doubt, Encoding, Span};

/// The samples of a block as they were sent, one by one.
#[derive(Clone, Debug)]
pub struct Raws<'a> {
    bytes: &'a [u8],
    encoding: Encoding,
    left: u32,
    last: i32,
}

impl<'a> Raws<'a> {
    pub(super) fn new(bytes: &'a [u8], encoding: Encoding, count: u32) -> Self {
        Self { bytes, encoding, left: count, last: 0 }
    }

    /// The bytes that so many varints take; `None` if they are cut short or leave 32 bits.
    pub(super) fn varint_len(bytes: &[u8], count: u32) -> Option<usize> {
        let mut raws = Raws::new(bytes, Encoding::DeltaVarint, count);
        for _ in 0..count {
            raws.delta()?;
        }
        bytes.len().checked_sub(raws.bytes.len())
    }

    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.bytes.split_first_chunk()?;
        self.bytes = rest;
        Some(*head)
    }

    fn delta(&mut self) -> Option<i32> {
        let (mut value, mut shift) = (0_u64, 0_u32);
        loop {
            let [byte] = self.take()?;
            value |= u64::from(byte & 0x7f).checked_shl(shift)?;
            if byte & 0x80 == 0 {
                break;
            }
            shift = shift.checked_add(7).filter(|shift| *shift <= 28)?;
        }
        // A difference of two samples has 33 bits.
        let magnitude = i64::try_from(value >> 1).ok()?;
        let delta = if value & 1 == 0 { magnitude } else { !magnitude };
        self.last = i32::try_from(i64::from(self.last).checked_add(delta)?).ok()?;
        Some(self.last)
    }
}

impl Iterator for Raws<'_> {
    type Item = f64;

    fn next(&mut self) -> Option<f64> {
        self.left = self.left.checked_sub(1)?;
        match self.encoding {
            Encoding::Int16Le => self.take().map(|bytes| f64::from(i16::from_le_bytes(bytes))),
            Encoding::Int24Le => self.take().map(|bytes| f64::from(int24(bytes))),
            Encoding::DeltaVarint => self.delta().map(f64::from),
            Encoding::Float32Le => self.take().map(|bytes| f64::from(f32::from_le_bytes(bytes))),
        }
    }
}

fn int24([a, b, c]: [u8; 3]) -> i32 {
    let sign = if c & 0x80 == 0 { 0 } else { 0xff };
    i32::from_le_bytes([a, b, c, sign])
}

pub(super) fn pack(samples: &[i32], encoding: Encoding) -> Vec<u8> {
    let mut out = Vec::with_capacity(samples.len().saturating_mul(4));
    let mut last = 0_i32;
    for sample in samples {
        match encoding {
            Encoding::Int16Le => {
                let held = (*sample).clamp(i16::MIN.into(), i16::MAX.into());
                out.extend(held.to_le_bytes().iter().take(2));
            }
            Encoding::Int24Le => {
                let held = (*sample).clamp(-0x80_0000, 0x7f_ffff);
                out.extend(held.to_le_bytes().iter().take(3));
            }
            Encoding::DeltaVarint => {
                let delta = i64::from(*sample).saturating_sub(i64::from(last));
                last = *sample;
                // Zigzag: small differences of either sign become small numbers.
                let folded = if delta < 0 { !delta } else { delta };
                let sign = u64::from(delta < 0);
                push_varint(&mut out, folded.unsigned_abs() << 1 | sign);
            }
            Encoding::Float32Le => {
                #[expect(clippy::cast_precision_loss, reason = "the sender chose floats")]
                let float = *sample as f32;
                out.extend_from_slice(&float.to_le_bytes());
            }
        }
    }
    out
}

fn push_varint(out: &mut Vec<u8>, mut value: u64) {
    loop {
        let [.., low] = value.to_be_bytes();
        value >>= 7;
        if value == 0 {
            return out.push(low & 0x7f);
        }
        out.push(low | 0x80);
    }
}

pub(super) fn physical(raw: f64, offset: i32, (mantissa, exp10): (i64, i8)) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a gain has few digits")]
    let mantissa = mantissa as f64;
    let value = (raw - f64::from(offset)) * mantissa;
    // One rounding: dividing by a power of ten is exact where multiplying by 0.001 is not.
    let power = 10_f64.powi(i32::from(exp10.unsigned_abs()));
    if exp10 < 0 { value / power } else { value * power }
}

/// Samples as whole counts, for stores and for detectors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counts {
    /// One count for each sample; what stands in a gap means nothing.
    pub samples: Vec<i32>,
    /// What one count is worth, as mantissa and power of ten of the unit.
    pub gain: (i64, i8),
    /// The count that means zero.
    pub offset: i32,
    /// Where samples are doubtful, the gaps that floats brought included.
    pub doubts: Vec<Span>,
}

/// Floats are kept to a millionth of the gain at most.
const FLOAT_PLACES_MAX: i8 = 6;

impl Counts {
    pub(super) fn of(block: &Block<'_>) -> Self {
        let mut doubts = block.validity.clone();
        let (gain, offset) = (block.gain, block.offset);
        if block.encoding != Encoding::Float32Le {
            let samples = block.raws().map(to_count).collect();
            return Self { samples, gain, offset, doubts };
        }
        let floats: Vec<f64> = block.raws().collect();
        let greatest = floats
            .iter()
            .filter(|value| value.is_finite())
            .fold(f64::from(offset).abs(), |greatest, value| greatest.max(value.abs()));
        let fits = |places: &i8| {
            greatest * 10_f64.powi(i32::from(*places)) < f64::from(i32::MAX)
                && block.gain.1.checked_sub(*places).is_some()
        };
        let places = (0..=FLOAT_PLACES_MAX).rev().find(fits).unwrap_or(0);
        let factor = 10_f64.powi(i32::from(places));
        for (start, value) in (0..block.count).zip(&floats) {
            if !value.is_finite() {
                extend_gap(&mut doubts, start);
            }
        }
        let scaled = |value: f64| to_count((value * factor).round());
        Self {
            samples: floats.iter().map(|value| scaled(*value)).collect(),
            gain: (gain.0, gain.1.saturating_sub(places)),
            offset: scaled(f64::from(offset)),
            doubts,
        }
    }
}

/// A whole number as a count; what is none becomes 0 and stands in a gap.
fn to_count(value: f64) -> i32 {
    #[expect(clippy::cast_possible_truncation, reason = "the cast holds at the ends")]
    let count = value as i32;
    count
}

fn extend_gap(doubts: &mut Vec<Span>, at: u32) {
    let next_to = |span: &&mut Span| {
        span.reason == Doubt::Gap && span.start.checked_add(span.len) == Some(at)
    };
    match doubts.last_mut().filter(next_to) {
        Some(span) => span.len = span.len.saturating_add(1),
        None => doubts.push(Span { start: at, len: 1, reason: Doubt::Gap }),
    }
}
