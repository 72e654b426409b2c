//! Reads the map of a block, each key once, and checks what the fields say together.

use minicbor::{Decoder, data::Type};
use model::{DeviceId, Timestamp};

use super::{Block, Doubt, Encoding, Epoch, Raws, Span, TimeQuality, WaveError, is_long_enough};
use crate::{limits, topic::is_word};

type Read<T> = Result<T, WaveError>;

/// Names of the fields by their keys; they are part of our answers and never change.
const FIELDS: [&str; 21] = [
    "ver",
    "device",
    "channel",
    "lead",
    "seq",
    "boot",
    "t0",
    "epoch",
    "rate",
    "n",
    "gain",
    "offset",
    "unit",
    "bits",
    "encoding",
    "samples",
    "validity",
    "filters",
    "time_quality",
    "crc32c",
    "now",
];

/// Fields as they came, not yet held against each other.
#[derive(Default)]
struct Fields<'a> {
    ver: Option<u64>,
    device: Option<DeviceId>,
    channel: Option<&'a str>,
    lead: Option<&'a str>,
    seq: Option<u64>,
    boot: Option<u64>,
    t0: Option<i64>,
    epoch: Option<Epoch>,
    rate: Option<(u32, u32)>,
    n: Option<u32>,
    gain: Option<(i64, i8)>,
    offset: Option<i32>,
    unit: Option<&'a str>,
    bits: Option<u8>,
    encoding: Option<Encoding>,
    samples: Option<&'a [u8]>,
    validity: Option<Vec<Span>>,
    filters: Option<&'a str>,
    time_quality: Option<TimeQuality>,
    crc: Option<u32>,
    now: Option<i64>,
}

pub(super) fn decode(payload: &[u8]) -> Read<Block<'_>> {
    let block = fields(payload)?.check()?;
    check_count(&block)?;
    check_spans(&block)?;
    Ok(block)
}

/// Everything but what the samples would say: there are none.
pub(super) fn decode_head(payload: &[u8]) -> Read<Block<'_>> {
    let block = fields(payload)?.check()?;
    if !block.samples.is_empty() {
        return Err(WaveError::new("samples", "there are some"));
    }
    check_spans(&block)?;
    Ok(block)
}

fn fields(payload: &[u8]) -> Read<Fields<'_>> {
    if payload.len() > limits::PAYLOAD_LEN_MAX {
        let what = format!("{} bytes are more than {}", payload.len(), limits::PAYLOAD_LEN_MAX);
        return Err(WaveError::new("len", what));
    }
    let mut d = Decoder::new(payload);
    let entries = d.map().map_err(|error| cbor("cbor", &error))?;
    let entries =
        entries.ok_or_else(|| WaveError::new("cbor", "the map does not say its length"))?;
    let mut fields = Fields::default();
    let mut seen = 0_u32;
    for _ in 0..entries {
        let key = d.u64().map_err(|error| cbor("cbor", &error))?;
        let Some(field) = usize::try_from(key).ok().and_then(|key| FIELDS.get(key)) else {
            d.skip().map_err(|error| cbor("cbor", &error))?;
            continue;
        };
        let bit = u32::try_from(key).ok().and_then(|key| 1_u32.checked_shl(key)).unwrap_or(0);
        if seen & bit != 0 {
            return Err(WaveError::new(field, "the key stands twice"));
        }
        seen |= bit;
        fields.read(key, field, &mut d)?;
    }
    if d.position() != payload.len() {
        return Err(WaveError::new("cbor", "bytes are left over"));
    }
    Ok(fields)
}

impl<'a> Fields<'a> {
    fn read(&mut self, key: u64, field: &'static str, d: &mut Decoder<'a>) -> Read<()> {
        if d.datatype().is_ok_and(|kind| kind == Type::Null) {
            return d.null().map_err(|error| cbor(field, &error));
        }
        let wrong = |error| cbor(field, &error);
        match key {
            0 => self.ver = Some(d.u64().map_err(wrong)?),
            1 => self.device = Some(device(d)?),
            2 => self.channel = Some(d.str().map_err(wrong)?),
            3 => self.lead = Some(d.str().map_err(wrong)?),
            4 => self.seq = Some(d.u64().map_err(wrong)?),
            5 => self.boot = Some(boot(d)?),
            6 => self.t0 = Some(d.i64().map_err(wrong)?),
            7 => self.epoch = Some(epoch(d)?),
            8 => self.rate = Some(rate(d)?),
            9 => self.n = Some(d.u32().map_err(wrong)?),
            10 => self.gain = Some(gain(d)?),
            11 => self.offset = Some(d.i32().map_err(wrong)?),
            12 => self.unit = Some(d.str().map_err(wrong)?),
            13 => self.bits = Some(d.u8().map_err(wrong)?),
            14 => self.encoding = Some(encoding(d)?),
            15 => self.samples = Some(d.bytes().map_err(wrong)?),
            16 => self.validity = Some(validity(d)?),
            17 => self.filters = Some(d.str().map_err(wrong)?),
            18 => self.time_quality = Some(time_quality(d)?),
            19 => self.crc = Some(d.u32().map_err(wrong)?),
            _ => self.now = Some(d.i64().map_err(wrong)?),
        }
        Ok(())
    }

    /// Holds the fields against each other.
    fn check(self) -> Read<Block<'a>> {
        let ver = need(self.ver, "ver")?;
        if ver != 1 {
            return Err(WaveError::new("ver", format!("version {ver} is not known; 1 is")));
        }
        let block = Block {
            device: need(self.device, "device")?,
            channel: need(self.channel, "channel")?,
            lead: self.lead,
            seq: need(self.seq, "seq")?,
            boot: need(self.boot, "boot")?,
            t0: Timestamp::from_unix_nanos(need(self.t0, "t0")?),
            epoch: need(self.epoch, "epoch")?,
            rate_hz: need(self.rate, "rate")?,
            count: need(self.n, "n")?,
            gain: need(self.gain, "gain")?,
            offset: need(self.offset, "offset")?,
            unit: need(self.unit, "unit")?,
            bits: need(self.bits, "bits")?,
            encoding: need(self.encoding, "encoding")?,
            samples: need(self.samples, "samples")?,
            validity: self.validity.unwrap_or_default(),
            filters: self.filters,
            time_quality: self.time_quality,
            now: self.now.map(Timestamp::from_unix_nanos),
        };
        if !is_word(block.channel) {
            return Err(WaveError::new("channel", "it is a word of `A-Z a-z 0-9 . _ -`"));
        }
        if block.unit.len() > limits::UNIT_LEN_MAX {
            return Err(WaveError::new("unit", "it is longer than 32 bytes"));
        }
        if !(1..=block.encoding.bits_max()).contains(&block.bits) {
            let what = format!("1 to {} bits fit the encoding", block.encoding.bits_max());
            return Err(WaveError::new("bits", what));
        }
        let crc = crc32c::crc32c(block.samples);
        if need(self.crc, "crc32c")? != crc {
            return Err(WaveError::new("crc32c", "the samples fail their checksum"));
        }
        Ok(block)
    }
}

fn check_count(block: &Block<'_>) -> Read<()> {
    let count = block.count;
    if count > limits::BLOCK_SAMPLES_MAX {
        let what = format!("{count} samples are more than {}", limits::BLOCK_SAMPLES_MAX);
        return Err(WaveError::new("n", what));
    }
    if !is_long_enough(count, block.rate_hz) {
        let (numerator, denominator) = block.rate_hz;
        let what = format!(
            "{count} samples at {numerator}/{denominator} Hz are not between {} and {} ms",
            limits::BLOCK_MS_MIN,
            limits::BLOCK_MS_MAX
        );
        return Err(WaveError::new("n", what));
    }
    let len = block.samples.len();
    let held = match block.encoding.width() {
        Some(width) => usize::try_from(count).ok().and_then(|count| count.checked_mul(width)),
        None => Raws::varint_len(block.samples, count),
    };
    if held != Some(len) {
        let what = format!("{count} samples are not what {len} bytes hold");
        return Err(WaveError::new("n", what));
    }
    Ok(())
}

fn check_spans(block: &Block<'_>) -> Read<()> {
    for span in &block.validity {
        let end = span.start.checked_add(span.len);
        if span.len == 0 || end.is_none_or(|end| end > block.count) {
            return Err(WaveError::new("validity", "a span lies within the block's samples"));
        }
    }
    Ok(())
}

fn need<T>(value: Option<T>, field: &'static str) -> Read<T> {
    value.ok_or_else(|| WaveError::new(field, "it is not there"))
}

fn cbor(field: &'static str, error: &minicbor::decode::Error) -> WaveError {
    WaveError::new(field, error.to_string())
}

/// A list of exactly this many items.
fn list(d: &mut Decoder<'_>, field: &'static str, items: u64) -> Read<()> {
    let found = d.array().map_err(|error| cbor(field, &error))?;
    if found == Some(items) {
        return Ok(());
    }
    Err(WaveError::new(field, format!("it is a list of {items}")))
}

fn device(d: &mut Decoder<'_>) -> Read<DeviceId> {
    let bytes = d.bytes().map_err(|error| cbor("device", &error))?;
    let uuid = bytes.try_into().map(u128::from_be_bytes).ok();
    let id = uuid.and_then(|uuid| DeviceId::from_uuid(uuid).ok());
    id.ok_or_else(|| WaveError::new("device", "it is the 16 bytes of a UUIDv7"))
}

fn boot(d: &mut Decoder<'_>) -> Read<u64> {
    let bytes = d.bytes().map_err(|error| cbor("boot", &error))?;
    let boot = bytes.try_into().map(u64::from_be_bytes);
    boot.map_err(|_| WaveError::new("boot", "it is 8 bytes"))
}

fn epoch(d: &mut Decoder<'_>) -> Read<Epoch> {
    match d.u64().map_err(|error| cbor("epoch", &error))? {
        0 => Ok(Epoch::Utc),
        1 => Ok(Epoch::Uptime),
        _ => Err(WaveError::new("epoch", "it is 0 for UTC or 1 for uptime")),
    }
}

fn rate(d: &mut Decoder<'_>) -> Read<(u32, u32)> {
    list(d, "rate", 2)?;
    let mut part = || d.u32().map_err(|error| cbor("rate", &error));
    let (numerator, denominator) = (part()?, part()?);
    let sound = |part: u32| (1..=limits::RATE_PART_MAX).contains(&part);
    if sound(numerator) && sound(denominator) {
        return Ok((numerator, denominator));
    }
    Err(WaveError::new("rate", format!("each part is 1 to {}", limits::RATE_PART_MAX)))
}

fn gain(d: &mut Decoder<'_>) -> Read<(i64, i8)> {
    list(d, "gain", 2)?;
    let mantissa = d.i64().map_err(|error| cbor("gain", &error))?;
    let exp10 = d.i8().map_err(|error| cbor("gain", &error))?;
    if mantissa == 0 {
        return Err(WaveError::new("gain", "a gain of zero leaves nothing"));
    }
    Ok((mantissa, exp10))
}

fn encoding(d: &mut Decoder<'_>) -> Read<Encoding> {
    match d.u64().map_err(|error| cbor("encoding", &error))? {
        0 => Ok(Encoding::Int16Le),
        1 => Ok(Encoding::Int24Le),
        2 => Ok(Encoding::DeltaVarint),
        3 => Ok(Encoding::Float32Le),
        _ => Err(WaveError::new("encoding", "it is 0, 1, 2 or 3")),
    }
}

fn validity(d: &mut Decoder<'_>) -> Read<Vec<Span>> {
    let len = d.array().map_err(|error| cbor("validity", &error))?;
    let Some(len) = len.filter(|len| *len <= limits::SPANS_MAX) else {
        let what = format!("it is a list of at most {} spans", limits::SPANS_MAX);
        return Err(WaveError::new("validity", what));
    };
    let mut spans = Vec::new();
    for _ in 0..len {
        list(d, "validity", 3)?;
        let mut part = || d.u32().map_err(|error| cbor("validity", &error));
        let (start, len, reason) = (part()?, part()?, part()?);
        let reason = match reason {
            1 => Doubt::LeadOff,
            2 => Doubt::Saturated,
            3 => Doubt::Artefact,
            4 => Doubt::Pacing,
            5 => Doubt::Gap,
            _ => return Err(WaveError::new("validity", "a reason is 1, 2, 3, 4 or 5")),
        };
        spans.push(Span { start, len, reason });
    }
    Ok(spans)
}

fn time_quality(d: &mut Decoder<'_>) -> Read<TimeQuality> {
    list(d, "time_quality", 2)?;
    let synchronised = d.bool().map_err(|error| cbor("time_quality", &error))?;
    let error_ns = d.u64().map_err(|error| cbor("time_quality", &error))?;
    Ok(TimeQuality { synchronised, error_ns })
}
