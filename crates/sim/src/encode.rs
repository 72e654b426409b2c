//! A device's measurements as the bytes that it sends.

use model::Timestamp;
use protocols::{
    Decimal,
    senml::{self, Outgoing, OutgoingSample},
    wave::{self, Block, Doubt, Encoding, Epoch, Span, TimeQuality},
};

use crate::device::{Enrolled, Numeric, Wave};

/// The media type of numerics.
pub(crate) const SENML_JSON: &str = "application/senml+json";
/// The media type of waves.
pub(crate) const WAVE: &str = wave::MEDIA_TYPE;

/// One message of numerics, counted and with the sending time.
pub(crate) fn numerics(
    boot: u64,
    seq: u64,
    (taken, sent): (Timestamp, Timestamp),
    values: &[Numeric],
) -> Vec<u8> {
    let sample = |numeric: &Numeric| OutgoingSample {
        channel: numeric.channel,
        unit: numeric.unit,
        at: taken,
        value: numeric.value.map(|value| decimal(value, numeric.decimals)),
    };
    let samples: Vec<_> = values.iter().map(sample).collect();
    let (boot, seq, now) = (Some(boot), Some(seq), Some(sent));
    senml::encode_json(&Outgoing {
        base_name: "",
        base_at: taken,
        boot,
        seq,
        now,
        samples: &samples,
    })
}

/// A number as a display with so many decimals shows it.
fn decimal(value: f64, decimals: u8) -> Decimal {
    let exp10 = i8::try_from(decimals).map_or(0, |places| -places);
    Decimal { mantissa: (value * 10_f64.powi(decimals.into())).round() as i64, exp10 }
}

/// One block of a wave.
pub(crate) fn block(
    enrolled: &Enrolled,
    (boot, seq): (u64, u64),
    (begin, sent): (Timestamp, Timestamp),
    wave: &Wave,
    counts: &[i16],
    leads_off: bool,
) -> Vec<u8> {
    let samples: Vec<u8> = counts.iter().flat_map(|count| count.to_le_bytes()).collect();
    let count = u32::try_from(counts.len()).unwrap_or(u32::MAX);
    let off = leads_off.then_some(Span { start: 0, len: count, reason: Doubt::LeadOff });
    wave::encode(&Block {
        device: enrolled.id,
        channel: wave.channel,
        lead: wave.lead,
        seq,
        boot,
        t0: begin,
        epoch: Epoch::Utc,
        rate_hz: (wave.rate_hz, 1),
        count,
        gain: wave.gain,
        offset: 0,
        unit: wave.unit,
        bits: 16,
        encoding: Encoding::Int16Le,
        samples: &samples,
        validity: off.into_iter().collect(),
        filters: None,
        time_quality: Some(TimeQuality {
            synchronised: enrolled.kind.is_synchronised(),
            error_ns: 5_000_000,
        }),
        now: Some(sent),
    })
}
