//! The stored form of [`Readings`], written by hand because thousands of them
//! pass each second.
//!
//! Each source (channel, kind and unit, or channel alone for a missing value) is
//! spelled once in a table; a sample is `[source, delta, mantissa, exp10]`, or
//! `[source, delta, reason]` if it is missing. Refused bytes follow as one more item.

use std::collections::BTreeMap;

use minicbor::Decoder;
use model::{Channel, Code, Measure, Sample, Ucum};

use crate::{
    BodyError, Coded, Counted, Encoder, Readings, SampleAt,
    coded::{array_len, bounded, key, map_len, need, put, skip},
};

/// A line of the table: what a sample repeats.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Source<'a> {
    channel: &'a str,
    /// The code in a form that can be ordered, and the unit; none for a missing value.
    measured: Option<(bool, u32, u8, &'a str)>,
}

impl<'a> Source<'a> {
    fn of(at: &'a SampleAt) -> Self {
        let measured = match &at.sample {
            Sample::Measured(measure) => {
                let (is_loinc, number, check) = match measure.kind {
                    Code::Mdc(number) => (false, number, 0),
                    Code::Loinc(number, check) => (true, number, check),
                };
                Some((is_loinc, number, check, measure.ucum.as_str()))
            }
            Sample::Missing(_) => None,
        };
        Self { channel: &at.channel.0, measured }
    }

    fn write(self, e: &mut Encoder<'_>) {
        match self.measured {
            None => {
                e.array(1);
                e.text(self.channel);
            }
            Some((is_loinc, number, check, ucum)) => {
                e.array(3);
                e.text(self.channel);
                if is_loinc { Code::Loinc(number, check) } else { Code::Mdc(number) }.write(e);
                e.text(ucum);
            }
        }
    }
}

/// So few lines are compared one by one sooner than they are sorted.
const FEW: usize = 16;

/// The table in the order of first use, and the line of each sample.
fn table(samples: &[SampleAt]) -> (Vec<Source<'_>>, Vec<usize>) {
    let mut lines: Vec<Source<'_>> = Vec::new();
    let mut numbers = BTreeMap::new();
    let mut uses = Vec::with_capacity(samples.len());
    let mut next = 0_usize;
    for at in samples {
        let source = Source::of(at);
        // Messages repeat their channels in turn, so the line after the last one is tried first.
        let guess = if next < lines.len() { next } else { 0 };
        let line = if lines.get(guess) == Some(&source) {
            guess
        } else if lines.len() < FEW {
            lines.iter().position(|line| *line == source).unwrap_or(lines.len())
        } else {
            if numbers.is_empty() {
                numbers.extend(lines.iter().copied().zip(0..));
            }
            *numbers.entry(source).or_insert(lines.len())
        };
        if line == lines.len() {
            lines.push(source);
        }
        uses.push(line);
        next = line.saturating_add(1);
    }
    (lines, uses)
}

impl Coded for Readings {
    fn write(&self, e: &mut Encoder<'_>) {
        let head: [(u64, Option<i64>); 2] = [
            (4, self.device_now.map(|at| at.unix_nanos())),
            (5, self.gateway_at.map(|at| at.unix_nanos())),
        ];
        let optional = head.iter().filter(|(_, at)| at.is_some()).count();
        e.map(optional.saturating_add(if self.counted.is_some() { 7 } else { 6 }));
        e.uint(0);
        self.device.write(e);
        if let Some(counted) = self.counted {
            e.uint(1);
            counted.write(e);
        }
        e.uint(3);
        self.device_at.write(e);
        for (index, at) in head {
            if let Some(at) = at {
                e.uint(index);
                e.int(at);
            }
        }
        e.uint(6);
        self.clock.write(e);
        e.uint(7);
        e.bool(self.may_be_buffered);
        let (lines, uses) = table(&self.samples);
        e.uint(8);
        e.array(lines.len());
        for line in lines {
            line.write(e);
        }
        e.uint(9);
        e.array(uses.len());
        for (at, line) in self.samples.iter().zip(uses) {
            write_sample(at, line, e);
        }
    }

    fn read(d: &mut Decoder<'_>) -> Result<Self, BodyError> {
        let (mut device, mut counted, mut device_at) = (None, None::<Option<Counted>>, None);
        let (mut device_now, mut gateway_at) = (None, None);
        let (mut clock, mut may_be_buffered) = (None, None);
        let mut table: Option<Vec<Line>> = None;
        let mut samples = None;
        for _ in 0..map_len(d)? {
            match key(d)? {
                0 => put(&mut device, d, "device")?,
                1 => put(&mut counted, d, "counted")?,
                3 => put(&mut device_at, d, "device_at")?,
                4 => put(&mut device_now, d, "device_now")?,
                5 => put(&mut gateway_at, d, "gateway_at")?,
                6 => put(&mut clock, d, "clock")?,
                7 => put(&mut may_be_buffered, d, "may_be_buffered")?,
                8 => put(&mut table, d, "table")?,
                9 if samples.is_none() => {
                    let table = table.as_deref();
                    let table =
                        table.ok_or_else(|| BodyError::malformed("samples before table"))?;
                    samples = Some(read_samples(d, table)?);
                }
                9 => return Err(BodyError::malformed("`samples` stands twice")),
                _ => skip(d)?,
            }
        }
        Ok(Self {
            device: need(device, "device")?,
            counted: need(counted, "counted")?,
            device_at: need(device_at, "device_at")?,
            device_now: need(device_now, "device_now")?,
            gateway_at: need(gateway_at, "gateway_at")?,
            clock: need(clock, "clock")?,
            may_be_buffered: need(may_be_buffered, "may_be_buffered")?,
            samples: samples.ok_or_else(|| BodyError::malformed("`samples` is not there"))?,
        })
    }
}

fn write_sample(at: &SampleAt, line: usize, e: &mut Encoder<'_>) {
    let refused = usize::from(at.refused.is_some());
    let line = u64::try_from(line).unwrap_or(u64::MAX);
    match &at.sample {
        Sample::Measured(measure) => {
            e.array(refused.saturating_add(4));
            e.uint(line);
            e.int(at.device_at_delta_ns);
            e.int(measure.mantissa);
            e.int(i64::from(measure.exp10));
        }
        Sample::Missing(reason) => {
            e.array(refused.saturating_add(3));
            e.uint(line);
            e.int(at.device_at_delta_ns);
            reason.write(e);
        }
    }
    if let Some(refused) = &at.refused {
        e.bytes(refused);
    }
}

/// A line of the table as it was read.
struct Line {
    channel: Channel,
    measured: Option<(Code, Ucum)>,
}

impl Coded for Line {
    fn write(&self, _: &mut Encoder<'_>) {}

    fn read(d: &mut Decoder<'_>) -> Result<Self, BodyError> {
        let len = array_len(d)?;
        let channel = Channel::read(d)?;
        let measured = match len {
            1 => None,
            3 => Some((Code::read(d)?, Ucum::read(d)?)),
            _ => return Err(BodyError::malformed("a line of the table has one item or three")),
        };
        Ok(Self { channel, measured })
    }
}

fn read_samples(d: &mut Decoder<'_>, table: &[Line]) -> Result<Vec<SampleAt>, BodyError> {
    let len = array_len(d)?;
    // A sample has at least four bytes, so a false length costs little.
    let mut samples = Vec::with_capacity(bounded(len.saturating_mul(4), d) / 4);
    for _ in 0..len {
        let items = array_len(d)?;
        let line = d.u64().map_err(BodyError::cbor)?;
        let line = usize::try_from(line).ok().and_then(|line| table.get(line));
        let line = line.ok_or_else(|| BodyError::malformed("a sample names no line"))?;
        let device_at_delta_ns = d.i64().map_err(BodyError::cbor)?;
        let (sample, own) = match &line.measured {
            Some((kind, ucum)) => {
                let mantissa = d.i64().map_err(BodyError::cbor)?;
                let exp10 = d.i8().map_err(BodyError::cbor)?;
                let (kind, ucum) = (*kind, ucum.clone());
                (Sample::Measured(Measure { kind, mantissa, exp10, ucum }), 4)
            }
            None => (Sample::Missing(Coded::read(d)?), 3),
        };
        let refused = match items.checked_sub(own) {
            Some(0) => None,
            Some(1) => Some(d.bytes().map_err(BodyError::cbor)?.to_vec()),
            Some(_) | None => return Err(BodyError::malformed("a sample has a wrong length")),
        };
        let channel = line.channel.clone();
        samples.push(SampleAt { channel, device_at_delta_ns, sample, refused });
    }
    Ok(samples)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// The reference looks through all lines for each sample.
        #[test]
        fn the_table_names_each_source_once_in_the_order_of_its_first_use(
            channels in prop::collection::vec(0_u8..40, 0..120),
        ) {
            let sample = |channel: &u8| SampleAt {
                channel: Channel::from(format!("c{channel}").as_str()),
                device_at_delta_ns: 0,
                sample: Sample::Missing(model::MissingReason::Unknown),
                refused: None,
            };
            let samples: Vec<SampleAt> = channels.iter().map(sample).collect();
            let (lines, uses) = table(&samples);
            let mut wanted: Vec<Source<'_>> = Vec::new();
            for (at, line) in samples.iter().zip(&uses) {
                let source = Source::of(at);
                if !wanted.contains(&source) {
                    wanted.push(source);
                }
                prop_assert!(wanted.get(*line) == Some(&source));
            }
            prop_assert!(lines == wanted);
        }
    }
}
