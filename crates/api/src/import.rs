//! Import: what files hold, taken in through the one door as if its device had sent it late.
//!
//! A value or a stretch that is stored already, equal and at its time, is left out, and the
//! door recognises blocks that it has seen; so a file may be imported again. What the door
//! cannot understand becomes a dead letter, as it would from a device. Whose the data is, the
//! device's associations say, as for everything else.
//!
//! **Absent on purpose:** any way around the door, and names of patients: a file's own are
//! not believed.

mod csv;
mod edf;
mod wfdb;

use std::{
    collections::BTreeMap,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    io,
    path::{Path, PathBuf},
};

use ingest::{Door, Message, Refusal};
use model::{Channel, DeviceId, MissingReason, Timestamp};
use protocols::{
    Decimal,
    senml::{Outgoing, OutgoingSample, encode_json},
    topic::{Leaf, Speaker, Topic},
    wave::{self, Block, Doubt, Encoding, Epoch},
};
use store::{Clock, DatabaseError, Question};

use crate::{export::Stored, past::at_sample};

/// Values of one message.
const VALUES_AT_ONCE: usize = 400;
/// The longest block, in seconds, and the most samples of one.
const BLOCK_S: u64 = 4;
const BLOCK_SAMPLES_MAX: u64 = 10_000;
/// Two copies of a sample lie apart by no more.
const WOBBLE: std::time::Duration = std::time::Duration::from_millis(20);

/// How a file is to be understood.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// Everything is this device's, whatever the file says.
    pub device: Option<DeviceId>,
    /// Other names for channels, by the names of the file.
    pub channels: BTreeMap<String, String>,
    /// When a recording began whose file does not say so.
    pub begins_at: Option<Timestamp>,
}

/// What became of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Imported {
    /// Values that are stored now and were not before.
    pub values: u64,
    /// Samples of waveforms that are stored now and were not before.
    pub samples: u64,
    /// Values and samples that were there already.
    pub known: u64,
    /// Messages that are kept as dead letters, and why the first one is.
    pub dead_letters: u64,
    /// Why the first dead letter is one.
    pub first_reason: Option<String>,
}

/// Why a file cannot be imported.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it all")]
pub enum ImportError {
    #[error("{} cannot be read", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("{}: {what}", path.display())]
    File { path: PathBuf, what: String },
    #[error("{}, line {line}: {what}", path.display())]
    Line { path: PathBuf, line: usize, what: String },
    #[error("{0} is neither values.csv, waves.csv, a header of WFDB (.hea), nor EDF (.edf)")]
    Unknown(PathBuf),
    #[error("the file does not say which device measured; name one with --device")]
    NoDevice,
    #[error("no device has the id {0}; register it, or name another with --device")]
    UnknownDevice(DeviceId),
    #[error("the file does not say when it began; say it with --begins")]
    NoTime,
    #[error("the series cannot be read")]
    Series(#[from] DatabaseError),
    #[error("a message could not be made durable")]
    NotDurable(#[source] Refusal),
}

impl ImportError {
    fn file(path: &Path, what: impl ToString) -> Self {
        Self::File { path: path.to_owned(), what: what.to_string() }
    }
}

/// One value of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Value {
    device: DeviceId,
    channel: String,
    at: Timestamp,
    unit: String,
    value: Result<Decimal, MissingReason>,
}

/// A stretch of samples of a file without a gap.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Stretch {
    device: DeviceId,
    channel: String,
    at: Timestamp,
    unit: String,
    rate_hz: (u32, u32),
    gain: (i64, i8),
    offset: i32,
    samples: Vec<i32>,
    doubts: Vec<(u64, u64, MissingReason)>,
}

/// What became of one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Taken {
    New,
    Known,
    Dead,
}

/// Where files go, and what is there already.
#[derive(Debug)]
#[expect(missing_docs, reason = "the types say it all")]
pub struct Importer<'a> {
    pub stored: &'a Stored,
    pub door: &'a Door,
    pub clock: &'a Clock,
    pub reading: &'a Reading,
}

impl Importer<'_> {
    /// Takes in one file; `tell` is told after each message how many bytes or samples of how
    /// many are done.
    pub async fn import(
        &self,
        path: &Path,
        tell: &mut dyn FnMut(u64, u64),
    ) -> Result<Imported, ImportError> {
        let mut imported = Imported::default();
        let name = path.file_name().and_then(|it| it.to_str()).unwrap_or_default();
        let ending = path.extension().and_then(|it| it.to_str()).unwrap_or_default();
        match ending {
            "csv" => self.table(path, &mut imported, tell).await?,
            "hea" if name.ends_with("_layout.hea") => {}
            "hea" => {
                let stretches = wfdb::read(path, self.reading)?;
                self.stretches(stretches, &mut imported, tell).await?;
            }
            "edf" => {
                let stretches = edf::read(path, self.reading)?;
                self.stretches(stretches, &mut imported, tell).await?;
            }
            _ => return Err(ImportError::Unknown(path.to_owned())),
        }
        Ok(imported)
    }

    async fn table(
        &self,
        path: &Path,
        imported: &mut Imported,
        tell: &mut dyn FnMut(u64, u64),
    ) -> Result<(), ImportError> {
        let mut table = csv::Table::open(path)?;
        let mut held: Vec<Value> = Vec::new();
        while let Some(row) = table.next(self.reading)? {
            match row {
                csv::Row::Value(value) => {
                    let is_other = held.first().is_some_and(|first| {
                        (first.device, &first.channel) != (value.device, &value.channel)
                    });
                    if is_other || held.len() >= VALUES_AT_ONCE {
                        self.values(std::mem::take(&mut held), imported).await?;
                        tell(table.done(), table.len());
                    }
                    held.push(value);
                }
                csv::Row::Stretch(stretch) => {
                    self.stretch(&stretch, imported).await?;
                    tell(table.done(), table.len());
                }
            }
        }
        self.values(held, imported).await
    }

    async fn stretches(
        &self,
        stretches: Vec<Stretch>,
        imported: &mut Imported,
        tell: &mut dyn FnMut(u64, u64),
    ) -> Result<(), ImportError> {
        let len = |it: &Stretch| u64::try_from(it.samples.len()).unwrap_or(u64::MAX);
        let (all, mut done) = (stretches.iter().map(len).sum(), 0_u64);
        for stretch in stretches {
            for piece in pieces(&stretch) {
                self.stretch(&piece, imported).await?;
                done = done.saturating_add(len(&piece));
                tell(done, all);
            }
        }
        Ok(())
    }

    /// Values of one channel of one device.
    async fn values(&self, values: Vec<Value>, imported: &mut Imported) -> Result<(), ImportError> {
        let Some(first) = values.first() else { return Ok(()) };
        let (device, channel) = (first.device, Channel::from(first.channel.as_str()));
        let from = values.iter().map(|it| it.at).min().unwrap_or_default();
        let to = values.iter().map(|it| it.at).max().unwrap_or_default();
        let org = self.device(device)?.0;
        let to = Timestamp::from_unix_nanos(to.unix_nanos().saturating_add(1));
        let question = Question { org, device, channel, from, to };
        let there = self.stored.series.query(&question)?;
        let ucum = self.ucum(device, &first.channel, &first.unit);
        let is_there = |it: &Value| {
            there.iter().any(|stretch| {
                let same = |value: Result<(i64, i8), MissingReason>| match (value, it.value) {
                    (Ok(one), Ok(other)) => one == (other.mantissa, other.exp10),
                    (one, other) => one.err() == other.err(),
                };
                let is_unit = it.value.is_err() || stretch.ucum.as_str() == ucum;
                is_unit && stretch.items.iter().any(|point| point.at == it.at && same(point.value))
            })
        };
        let new: Vec<&Value> = values.iter().filter(|it| !is_there(it)).collect();
        let count = |len: usize| u64::try_from(len).unwrap_or(u64::MAX);
        imported.known += count(values.len().saturating_sub(new.len()));
        if new.is_empty() {
            return Ok(());
        }
        let sample = |it: &&Value| OutgoingSample {
            channel: &first.channel,
            unit: &first.unit,
            at: it.at,
            value: it.value,
        };
        let samples: Vec<OutgoingSample<'_>> = new.iter().map(sample).collect();
        let now = self.clock.now();
        let payload = encode_json(&Outgoing {
            base_name: "",
            base_at: from,
            boot: None,
            seq: None,
            now: Some(now),
            samples: &samples,
        });
        let leaf = Leaf::Num;
        match self.take(device, leaf, "application/senml+json", &payload, now, imported).await? {
            Taken::New => imported.values += count(new.len()),
            Taken::Known => imported.known += count(new.len()),
            Taken::Dead => {}
        }
        Ok(())
    }

    async fn stretch(&self, it: &Stretch, imported: &mut Imported) -> Result<(), ImportError> {
        let (org, _) = self.device(it.device)?;
        let len = u64::try_from(it.samples.len()).unwrap_or(u64::MAX);
        let question = Question {
            org,
            device: it.device,
            channel: Channel::from(it.channel.as_str()),
            from: it.at.before(WOBBLE),
            to: at_sample(it.at, it.samples.len(), it.rate_hz).after(WOBBLE),
        };
        let there = self.stored.series.query_wave(&question)?.into_iter().any(|stretch| {
            let own = stretch.items.iter().filter(|span| {
                (span.rate_hz, span.gain, span.offset) == (it.rate_hz, it.gain, it.offset)
            });
            let all: Vec<i32> = own.flat_map(|span| span.samples.iter().copied()).collect();
            stretch.ucum.as_str() == it.unit
                && all.windows(it.samples.len().max(1)).any(|part| part == it.samples)
        });
        if there {
            imported.known += len;
            return Ok(());
        }
        let now = self.clock.now();
        let payload = block(it, now);
        let leaf = Leaf::Wave(it.channel.clone());
        match self.take(it.device, leaf, wave::MEDIA_TYPE, &payload, now, imported).await? {
            Taken::New => imported.samples += len,
            Taken::Known => imported.known += len,
            Taken::Dead => {}
        }
        Ok(())
    }

    fn device(&self, device: DeviceId) -> Result<(model::OrgId, model::SiteId), ImportError> {
        let known = self.stored.directory.devices.get(&device);
        known.map(|it| (it.org, it.site)).ok_or(ImportError::UnknownDevice(device))
    }

    /// The unit under which a device's value of this spelling is stored.
    fn ucum(&self, device: DeviceId, channel: &str, unit: &str) -> String {
        let known = self.stored.directory.devices.get(&device);
        let profile = known.and_then(|it| self.stored.profiles.get(&it.profile));
        let spec = profile.and_then(|it| it.channel(channel));
        spec.and_then(|it| it.unit(unit)).map_or_else(|| unit.to_owned(), ToString::to_string)
    }

    /// What the door made of a message.
    async fn take(
        &self,
        device: DeviceId,
        leaf: Leaf,
        content_type: &str,
        payload: &[u8],
        received_at: Timestamp,
        imported: &mut Imported,
    ) -> Result<Taken, ImportError> {
        let (org, site) = self.device(device)?;
        let topic = Topic { site, device, speaker: Speaker::Device, leaf }.to_string();
        let content_type = Some(content_type);
        let message = Message { topic: &topic, content_type, payload, received_at };
        match self.door.take(org, device, "import", &message).await {
            Ok(ingest::Durably::Stored(_)) => Ok(Taken::New),
            Ok(ingest::Durably::Repeated(_)) => Ok(Taken::Known),
            Err(Refusal::Dead { explanation, .. }) => {
                imported.dead_letters += 1;
                imported.first_reason.get_or_insert(explanation);
                Ok(Taken::Dead)
            }
            Err(refusal @ Refusal::NotDurable(_)) => Err(ImportError::NotDurable(refusal)),
        }
    }
}

/// A block, named by what it holds: the same one is known again.
fn block(it: &Stretch, now: Timestamp) -> Vec<u8> {
    let mut hasher = DefaultHasher::new();
    (it.at, &it.channel, it.rate_hz, it.gain, it.offset, &it.samples, &it.unit).hash(&mut hasher);
    let doubt = |(start, len, why): &(u64, u64, MissingReason)| {
        let reason = match why {
            MissingReason::SensorDetached => Doubt::LeadOff,
            MissingReason::OutOfRange => Doubt::Saturated,
            MissingReason::NotMeasured => Doubt::Gap,
            MissingReason::PoorSignal
            | MissingReason::DeviceFault
            | MissingReason::Implausible
            | MissingReason::WarmingUp
            | MissingReason::Unknown => Doubt::Artefact,
        };
        let (start, len) = (u32::try_from(*start).ok()?, u32::try_from(*len).ok()?);
        Some(wave::Span { start, len, reason })
    };
    let is_narrow = it.samples.iter().all(|count| i16::try_from(*count).is_ok());
    let (bits, encoding) =
        if is_narrow { (16, Encoding::Int16Le) } else { (32, Encoding::DeltaVarint) };
    let samples = wave::pack(&it.samples, encoding);
    wave::encode(&Block {
        device: it.device,
        channel: &it.channel,
        lead: None,
        seq: 0,
        boot: hasher.finish(),
        t0: it.at,
        epoch: Epoch::Utc,
        rate_hz: it.rate_hz,
        count: u32::try_from(it.samples.len()).unwrap_or(u32::MAX),
        gain: it.gain,
        offset: it.offset,
        unit: &it.unit,
        bits,
        encoding,
        samples: &samples,
        validity: it.doubts.iter().filter_map(doubt).collect(),
        filters: None,
        time_quality: None,
        now: Some(now),
    })
}

/// A stretch in blocks as even as can be.
fn pieces(it: &Stretch) -> Vec<Stretch> {
    let len = u64::try_from(it.samples.len()).unwrap_or(u64::MAX);
    let (hz, per) = it.rate_hz;
    let of_time = BLOCK_S.saturating_mul(hz.into()).checked_div(per.into()).unwrap_or(0);
    let most = of_time.clamp(1, BLOCK_SAMPLES_MAX);
    let count = len.div_ceil(most);
    let edge = |number: u64| {
        let place = u128::from(len) * u128::from(number) / u128::from(count.max(1));
        u64::try_from(place).unwrap_or(len)
    };
    let piece = |number: u64| {
        let (from, to) = (edge(number), edge(number.saturating_add(1)));
        let (start, end) = (usize::try_from(from).ok()?, usize::try_from(to).ok()?);
        let doubt = |(begin, count, why): &(u64, u64, MissingReason)| {
            let end = begin.saturating_add(*count).min(to);
            let begin = (*begin).max(from);
            (begin < end).then(|| (begin.saturating_sub(from), end.saturating_sub(begin), *why))
        };
        Some(Stretch {
            at: at_sample(it.at, start, it.rate_hz),
            samples: it.samples.get(start..end)?.to_vec(),
            doubts: it.doubts.iter().filter_map(doubt).collect(),
            device: it.device,
            channel: it.channel.clone(),
            unit: it.unit.clone(),
            rate_hz: it.rate_hz,
            gain: it.gain,
            offset: it.offset,
        })
    };
    (0..count).filter_map(piece).collect()
}

/// An instant as RFC 3339.
fn instant(text: &str) -> Option<Timestamp> {
    let at: jiff::Timestamp = text.parse().ok()?;
    i64::try_from(at.as_nanosecond()).ok().map(Timestamp::from_unix_nanos)
}

/// A rate as a fraction, such as `250/1`.
fn rate(text: &str) -> Option<(u32, u32)> {
    let (hz, per) = text.split_once('/')?;
    let rate = (hz.parse().ok()?, per.parse().ok()?);
    (rate.0 > 0 && rate.1 > 0).then_some(rate)
}

/// What one count is worth, of how many counts a unit has: the shortest decimal that says it.
fn gain_of(units_per_count: f64) -> Option<(i64, i8)> {
    // The last digits of a quotient of doubles are noise.
    let text = format!("{units_per_count:.12e}");
    let number = Decimal::parse(&text)?;
    let (mut mantissa, mut exp10) = (number.mantissa, number.exp10);
    while mantissa != 0 && mantissa % 10 == 0 {
        (mantissa, exp10) = (mantissa / 10, exp10.checked_add(1)?);
    }
    (mantissa != 0).then_some((mantissa, exp10))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gain_is_the_decimal_that_was_meant() {
        for (value, gain) in [
            (1.0 / 200.0, Some((5, -3))),
            (1.0, Some((1, 0))),
            (0.002_44, Some((244, -5))),
            (100.0, Some((1, 2))),
            (0.0, None),
            (f64::NAN, None),
        ] {
            assert_eq!(gain_of(value), gain, "{value}");
        }
    }

    #[test]
    fn a_long_stretch_becomes_even_blocks_with_their_doubts() {
        let stretch = Stretch {
            device: "0192f0c1-2b3a-7c4d-8e5f-000000000003".parse().unwrap(),
            channel: "X".to_owned(),
            at: Timestamp::from_unix_nanos(1_000_000_007),
            unit: "mV".to_owned(),
            rate_hz: (250, 1),
            gain: (5, -3),
            offset: 0,
            samples: (0..1_001).collect(),
            doubts: vec![(490, 20, MissingReason::SensorDetached)],
        };
        let found = pieces(&stretch);
        let lens: Vec<usize> = found.iter().map(|it| it.samples.len()).collect();
        assert_eq!(lens, [500, 501]);
        assert_eq!(found[0].doubts, [(490, 10, MissingReason::SensorDetached)]);
        assert_eq!(found[1].doubts, [(0, 10, MissingReason::SensorDetached)]);
        assert_eq!(found[1].at, Timestamp::from_unix_nanos(3_000_000_007));
        let whole: Vec<i32> = found.iter().flat_map(|it| it.samples.clone()).collect();
        assert_eq!(whole, stretch.samples);
    }
}
