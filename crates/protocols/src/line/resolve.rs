//! From the fields of a line to samples, by what the profile knows.

use model::{Measure, MissingReason, Sample, Timestamp, Ucum};

use super::{DEVICE_TAG, Line, LineError, Precision, Value, spelled_out};
use crate::{
    decimal::Decimal,
    limits::SERIES_LEN_MAX,
    profile::{ChannelSpec, NumericSpec, Profile, UNMAPPED},
    senml::RawSample,
};

/// The samples of one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolved {
    /// One for each field, in order.
    pub samples: Vec<RawSample>,
    /// How many of them no profile names.
    pub unmapped: usize,
    /// How many of them have no value that could be kept as one.
    pub refused: usize,
}

// RC-051
/// The samples that a line means for a device of this profile.
///
/// A line without a time is of the instant `untimed_at`: the sender's own time at sending
/// if it said one, so that a clock that is off ages nothing, and else ours at receipt. A tag that the profile does not name tells
/// two sources apart, so a field beside it is nobody's vital: it is kept, spelled out.
pub fn resolve(
    profile: &Profile,
    line: &Line<'_>,
    precision: Precision,
    untimed_at: Timestamp,
) -> Result<Resolved, LineError> {
    let device_at = match line.time {
        Some(time) => precision.instant(time).ok_or(LineError::TimeRange)?,
        None => untimed_at,
    };
    let ours = |tag: &str| tag == DEVICE_TAG || profile.line_tags.iter().any(|known| known == tag);
    let is_plain = line.tags.iter().all(|(tag, _)| ours(tag));
    let known: Vec<&str> =
        line.tags.iter().map(|(tag, _)| &**tag).filter(|tag| ours(tag)).collect();
    let mut resolved =
        Resolved { samples: Vec::with_capacity(line.fields.len()), unmapped: 0, refused: 0 };
    for (field, value) in &line.fields {
        let spec = profile.line_channel(&line.measurement, field).filter(|_| is_plain);
        let channel = match spec {
            Some((spec, _)) => spec.channel(),
            None => spelled_out(line, field, &known),
        };
        if channel.0.len() > SERIES_LEN_MAX {
            return Err(LineError::SeriesTooLong);
        }
        resolved.unmapped = resolved.unmapped.saturating_add(usize::from(spec.is_none()));
        let (sample, refused) = read(spec, value);
        resolved.refused = resolved.refused.saturating_add(usize::from(refused.is_some()));
        resolved.samples.push(RawSample { channel, device_at, sample, refused });
    }
    Ok(resolved)
}

/// The value as a sample, and its bytes if it could not be kept as one.
fn read(
    spec: Option<(&ChannelSpec, &NumericSpec)>,
    value: &Value<'_>,
) -> (Sample, Option<Vec<u8>>) {
    let missing = |reason, bytes: &[u8]| (Sample::Missing(reason), Some(bytes.to_vec()));
    match (value, spec) {
        (Value::Number(number), Some((spec, numeric))) => {
            let Decimal { mantissa, exp10 } = *number;
            if !number.is_within(numeric.min, numeric.max) {
                return missing(MissingReason::Implausible, number.to_string().as_bytes());
            }
            let (kind, ucum) = (spec.code, spec.ucum.clone());
            (Sample::Measured(Measure { kind, mantissa, exp10, ucum }), None)
        }
        (Value::Number(Decimal { mantissa, exp10 }), None) => {
            let (mantissa, exp10, ucum) = (*mantissa, *exp10, Ucum::new(""));
            (Sample::Measured(Measure { kind: UNMAPPED, mantissa, exp10, ucum }), None)
        }
        (Value::NotANumber(word), _) => missing(MissingReason::Implausible, word.as_bytes()),
        (Value::Bool(value), _) => missing(MissingReason::Unknown, value.to_string().as_bytes()),
        (Value::Text(text), _) => missing(MissingReason::Unknown, text.as_bytes()),
    }
}
