//! From records to samples: bases, names, times, units, and what the profile knows.

use std::borrow::Cow;

use model::{Channel, Code, Measure, MissingReason, Sample, Timestamp, Ucum};

use super::{
    Finding, Note, Pack, RawSample, SenmlError, UNNAMED,
    item::{Item, Record},
    reason_of,
};
use crate::{
    decimal::Decimal,
    limits,
    passed_on::instant,
    profile::{ChannelSpec, NumericSpec, Profile, UNMAPPED},
};

/// Times below 2^28 seconds are relative to now (RFC 8428, section 4.5.3).
const RELATIVE_BELOW_S: i128 = 1 << 28;
const NANOS: i128 = 1_000_000_000;
const SEQ_BELOW: i64 = 1 << 53;

/// Collects the samples of one pack.
pub(super) struct Resolver<'p> {
    profile: &'p Profile,
    received_at: Timestamp,
    base: Base,
    /// Whether a time was given by a clock, and whether one was given as «ago».
    absolute: bool,
    record: usize,
    unnamed: Channel,
    pack: Pack,
}

/// What base fields say for all records after them.
#[derive(Default)]
struct Base {
    name: String,
    /// The name without its source, where that can be told without the rest.
    channel: Option<String>,
    time: i128,
    unit: Option<String>,
    value: Option<Decimal>,
}

/// A value that became a sample, with what was refused and found.
struct Read<'a> {
    sample: Sample,
    refused: Option<&'a [u8]>,
    finding: Option<Finding>,
}

impl Read<'_> {
    fn fine(sample: Sample) -> Self {
        Self { sample, refused: None, finding: None }
    }
}

impl<'p> Resolver<'p> {
    pub(super) fn new(profile: &'p Profile, received_at: Timestamp) -> Self {
        Self {
            profile,
            received_at,
            base: Base::default(),
            absolute: false,
            record: 0,
            unnamed: Channel::from(UNNAMED),
            pack: Pack {
                source: None,
                boot: None,
                seq: None,
                device_now: None,
                base_at: received_at,
                samples: Vec::with_capacity(16),
                notes: Vec::new(),
            },
        }
    }

    /// Takes the next record; an error refuses the whole pack.
    pub(super) fn take(&mut self, record: &Record<'_>) -> Result<(), SenmlError> {
        if let Some(version) = record.base_version {
            let found = version.integer().unwrap_or(i64::MAX);
            if found > 10 {
                return Err(SenmlError::Version { found });
            }
        }
        self.rebase(record)?;
        if !record.is_base_only() {
            self.resolve(record)?;
        }
        self.record = self.record.saturating_add(1);
        Ok(())
    }

    pub(super) fn finish(self) -> Pack {
        let Self { mut pack, received_at, absolute, .. } = self;
        if let Some(first) = pack.samples.first() {
            pack.base_at = first.device_at;
            // Times that are all «ago» are counted from the moment of sending.
            if !absolute && pack.device_now.is_none() {
                pack.device_now = Some(received_at);
            }
        }
        pack
    }

    fn rebase(&mut self, record: &Record<'_>) -> Result<(), SenmlError> {
        if let Some(name) = &record.base_name {
            self.base.name = name.chars().take(limits::NAME_LEN_MAX).collect();
            let (source, rest) = without_source(&self.base.name);
            let known = source.is_some() || !self.base.name.starts_with(URN);
            self.base.channel = known.then(|| rest.to_owned());
            if let Some(source) = source.map(str::to_owned) {
                self.claim(&source)?;
            }
        }
        if let Some(time) = record.base_time {
            // Half the range, so that no sum of base and time can wrap.
            let bound = i128::MAX / 4;
            self.base.time = time.nanos().unwrap_or(bound).clamp(bound.saturating_neg(), bound);
        }
        if let Some(unit) = &record.base_unit {
            self.base.unit = Some(unit.chars().take(limits::UNIT_LEN_MAX).collect());
        }
        if record.base_value.is_some() {
            self.base.value = record.base_value;
        }
        Ok(())
    }

    fn claim(&mut self, source: &str) -> Result<(), SenmlError> {
        match &self.pack.source {
            Some(first) if first != source => {
                Err(SenmlError::TwoSources { first: first.clone(), second: source.to_owned() })
            }
            Some(_) => Ok(()),
            None => {
                self.pack.source = Some(source.to_owned());
                Ok(())
            }
        }
    }

    fn resolve(&mut self, record: &Record<'_>) -> Result<(), SenmlError> {
        let name = self.name(record)?;
        if let Some(what) = record.spoiled {
            self.keep_whole(record, what);
            return Ok(());
        }
        let Some(name) = name else {
            self.keep_whole(record, "the name is not one that RFC 8428 allows");
            return Ok(());
        };
        if let Some(special) = name.strip_prefix("wl:") {
            if let Err(what) = self.special(special, record) {
                self.keep_whole(record, what);
            }
            return Ok(());
        }
        let Some(device_at) = self.time(record) else {
            self.keep_whole(record, "the time is beyond all calendars");
            return Ok(());
        };
        let spec = self.profile.channel(&name);
        let channel = spec.map_or_else(|| Channel::from(&*name), ChannelSpec::channel);
        let read = self.value(spec, record);
        self.push(channel, device_at, read);
        Ok(())
    }

    fn push(&mut self, channel: Channel, device_at: Timestamp, read: Read<'_>) {
        if let Some(finding) = read.finding {
            let channel = channel.clone();
            self.pack.notes.push(Note { record: self.record, channel, finding });
        }
        let refused = read.refused.map(<[u8]>::to_vec);
        self.pack.samples.push(RawSample { channel, device_at, sample: read.sample, refused });
    }

    /// A record that cannot be used, kept with all its bytes.
    fn keep_whole(&mut self, record: &Record<'_>, what: &'static str) {
        let read = Read {
            sample: Sample::Missing(MissingReason::Unknown),
            refused: Some(record.raw),
            finding: Some(Finding::Malformed { what }),
        };
        self.push(self.unnamed.clone(), self.received_at, read);
    }

    /// The name of the channel; `None` if it is not allowed.
    fn name<'a>(&mut self, record: &'a Record<'_>) -> Result<Option<Cow<'a, str>>, SenmlError> {
        let own = record.name.as_deref().unwrap_or_default();
        let name = match &self.base.channel {
            Some(base) if base.is_empty() => Cow::Borrowed(own),
            Some(base) => Cow::Owned([base, own].concat()),
            None if self.base.name.is_empty() => Cow::Borrowed(own),
            None => Cow::Owned([&self.base.name, own].concat()),
        };
        if name.len() > limits::NAME_LEN_MAX || !is_name(&name) {
            return Ok(None);
        }
        if !name.starts_with(URN) {
            return Ok(Some(name));
        }
        let (Some(source), rest) = without_source(&name) else { return Ok(None) };
        self.claim(source)?;
        Ok(is_name(rest).then(|| Cow::Owned(rest.to_owned())))
    }

    /// The time by the device's clock; `None` if it cannot be held.
    fn time(&mut self, record: &Record<'_>) -> Option<Timestamp> {
        let own = match record.time {
            Some(time) => time.nanos()?,
            None => 0,
        };
        let at = self.base.time.checked_add(own)?;
        let at = if at < RELATIVE_BELOW_S.checked_mul(NANOS)? {
            at.checked_add(self.received_at.unix_nanos().into())?
        } else {
            self.absolute = true;
            at
        };
        i64::try_from(at).ok().map(Timestamp::from_unix_nanos)
    }

    /// A record about the message itself.
    fn special(&mut self, name: &str, record: &Record<'_>) -> Result<(), &'static str> {
        let number = match &record.value {
            Some((Item::Number(number), _)) => Some(*number),
            _ => None,
        };
        match name {
            "boot" => {
                let Some((Item::Text(text), _)) = &record.value else {
                    return Err("`wl:boot` is a text of 16 hex digits");
                };
                let sound = text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
                let boot = sound.then(|| u64::from_str_radix(text, 16).ok()).flatten();
                once(&mut self.pack.boot, boot.ok_or("`wl:boot` is a text of 16 hex digits")?)
            }
            "seq" => {
                let seq = number.and_then(Decimal::integer).filter(|seq| *seq < SEQ_BELOW);
                let seq = seq.and_then(|seq| u64::try_from(seq).ok());
                once(&mut self.pack.seq, seq.ok_or("`wl:seq` is a whole number below 2^53")?)
            }
            "now" => {
                let wrong = "`wl:now` is a time in seconds";
                let nanos = number.and_then(Decimal::nanos).ok_or(wrong)?;
                let relative = nanos < RELATIVE_BELOW_S.saturating_mul(NANOS);
                let from = if relative { i128::from(self.received_at.unix_nanos()) } else { 0 };
                let at = nanos.checked_add(from).and_then(|at| i64::try_from(at).ok());
                let at = at.map(Timestamp::from_unix_nanos).ok_or(wrong)?;
                once(&mut self.pack.device_now, at)
            }
            // Whoever looks at the way of a message reads it; it dates nothing.
            "gateway_at" if number.and_then(instant).is_some() => Ok(()),
            "gateway_at" => Err("`wl:gateway_at` is a time in seconds since 1970"),
            _ => Err(
                "of the names with `wl:` only wl:boot, wl:seq, wl:now and wl:gateway_at are known",
            ),
        }
    }

    fn value<'a>(&self, spec: Option<&ChannelSpec>, record: &'a Record<'_>) -> Read<'a> {
        let missing = |reason, refused, finding| Read {
            sample: Sample::Missing(reason),
            refused: Some(refused),
            finding: Some(finding),
        };
        let unknown = MissingReason::Unknown;
        let not_numeric = || match spec {
            Some(_) => Finding::NotNumeric,
            None => Finding::UnmappedChannel,
        };
        match &record.value {
            Some((Item::Number(number), raw)) => self.number(spec, record, *number, raw),
            Some((Item::NotANumber, raw)) => {
                missing(MissingReason::Implausible, raw, Finding::NotANumber)
            }
            Some((Item::Text(text), raw)) => match text.strip_prefix("absent:") {
                Some(word) => match reason_of(word) {
                    Some(reason) => Read::fine(Sample::Missing(reason)),
                    None => {
                        let reason = word.chars().take(limits::UNIT_LEN_MAX).collect();
                        missing(unknown, raw, Finding::UnmappedReason { reason })
                    }
                },
                None => missing(unknown, raw, not_numeric()),
            },
            Some((Item::Bool | Item::Data | Item::Other, raw)) => {
                missing(unknown, raw, not_numeric())
            }
            None => {
                let what = if record.has_sum {
                    "a sum without a value is kept and decides nothing"
                } else {
                    "a record has exactly one of v, vs, vb, vd"
                };
                missing(unknown, record.raw, Finding::Malformed { what })
            }
        }
    }

    fn number<'a>(
        &self,
        spec: Option<&ChannelSpec>,
        record: &Record<'_>,
        number: Decimal,
        raw: &'a [u8],
    ) -> Read<'a> {
        let implausible = |finding| Read {
            sample: Sample::Missing(MissingReason::Implausible),
            refused: Some(raw),
            finding: Some(finding),
        };
        let sum = match self.base.value {
            Some(base) => base.plus(number),
            None => Some(number),
        };
        let Some(number) = sum else { return implausible(Finding::NotANumber) };
        let spelled = record.unit.as_deref().or(self.base.unit.as_deref()).unwrap_or_default();
        let measured = |kind, ucum| {
            let Decimal { mantissa, exp10 } = number;
            Sample::Measured(Measure { kind, mantissa, exp10, ucum })
        };
        let short: String;
        let spelled = if spelled.len() > limits::UNIT_LEN_MAX {
            short = spelled.chars().take(limits::UNIT_LEN_MAX).collect();
            short.as_str()
        } else {
            spelled
        };
        let Some((spec, numeric)) = spec.and_then(|spec| Some((spec, spec.numeric()?))) else {
            let sample = measured(UNMAPPED, Ucum::new(spelled));
            return Read { sample, refused: None, finding: Some(Finding::UnmappedChannel) };
        };
        let Some(ucum) = spec.unit(spelled) else {
            let (unit, ucum) = (spelled.to_owned(), Ucum::new(spelled));
            let sample = measured(spec.code, ucum);
            return Read { sample, refused: None, finding: Some(Finding::UnmappedUnit { unit }) };
        };
        if is_plausible(spec, numeric, number, ucum) {
            return Read::fine(measured(spec.code, ucum.clone()));
        }
        let NumericSpec { min, max, .. } = *numeric;
        implausible(Finding::OutOfRange { min, max, unit: spec.ucum.to_string() })
    }
}

/// Whether the value lies in the profile's range, or, in another unit, in the vital's.
fn is_plausible(spec: &ChannelSpec, numeric: &NumericSpec, number: Decimal, ucum: &Ucum) -> bool {
    if *ucum == spec.ucum {
        return number.is_within(numeric.min, numeric.max);
    }
    let Decimal { mantissa, exp10 } = number;
    let kind: Code = spec.code;
    let measure = Measure { kind, mantissa, exp10, ucum: ucum.clone() };
    spec.vital().is_none_or(|vital| {
        let thousandths = vital.thousandths(&measure);
        thousandths.is_ok_and(|mantissa| {
            let number = Decimal { mantissa, exp10: -3 };
            vital.unit() != spec.ucum.as_str() || number.is_within(numeric.min, numeric.max)
        })
    })
}

fn once<T>(slot: &mut Option<T>, value: T) -> Result<(), &'static str> {
    if slot.is_some() {
        return Err("a record about the message stands twice");
    }
    *slot = Some(value);
    Ok(())
}

const URN: &str = "urn:dev:";

/// Splits `urn:dev:{type}:{id}` and its separator from the channel (RFC 9039).
fn without_source(name: &str) -> (Option<&str>, &str) {
    let found = name.strip_prefix(URN).and_then(|rest| {
        let (_, rest) = rest.split_once(':')?;
        let (_, channel) = rest.split_once([':', '/'])?;
        let source = name.strip_suffix(channel)?;
        Some((source.strip_suffix([':', '/'])?, channel))
    });
    found.map_or((None, name), |(source, channel)| (Some(source), channel))
}

/// The characters of a name (RFC 8428, section 4.5.1).
fn is_name(name: &str) -> bool {
    let allowed =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b':' | b'.' | b'/' | b'_');
    name.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric())
        && name.bytes().all(allowed)
}
