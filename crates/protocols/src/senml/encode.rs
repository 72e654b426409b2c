//! Packs as our own devices send them, in both encodings with the same content.

use std::fmt::Write as _;

use model::{MissingReason, Timestamp};

use super::word_of;
use crate::{cbor::Writer, decimal::Decimal};

/// One message to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing<'a> {
    /// The base name, such as `urn:dev:mac:0024befffe804ff1/`; empty for none.
    pub base_name: &'a str,
    /// The base time: by the device's clock, and absolute.
    pub base_at: Timestamp,
    /// The boot id, if the device counts.
    pub boot: Option<u64>,
    /// The message's place in the count.
    pub seq: Option<u64>,
    /// The device's own time at sending.
    pub now: Option<Timestamp>,
    /// The samples.
    pub samples: &'a [OutgoingSample<'a>],
}

/// One sample to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutgoingSample<'a> {
    /// The output.
    pub channel: &'a str,
    /// The unit as the device spells it; left out for a missing value.
    pub unit: &'a str,
    /// Its time by the device's clock.
    pub at: Timestamp,
    /// The value, or why there is none.
    pub value: Result<Decimal, MissingReason>,
}

/// Seconds as a decimal without zeros at its end.
fn seconds(nanos: i64) -> Decimal {
    let (mut mantissa, mut exp10) = (nanos, -9_i8);
    while exp10 < 0 && mantissa.checked_rem(10) == Some(0) {
        mantissa = mantissa.checked_div(10).unwrap_or(0);
        exp10 = exp10.saturating_add(1);
    }
    Decimal { mantissa, exp10 }
}

/// The message as `application/senml+json`.
pub fn encode_json(pack: &Outgoing<'_>) -> Vec<u8> {
    let mut out = String::with_capacity(pack.samples.len().saturating_mul(80).saturating_add(160));
    let base = seconds(pack.base_at.unix_nanos());
    out.push_str("[{");
    if !pack.base_name.is_empty() {
        out.push_str("\"bn\":");
        push_text(&mut out, pack.base_name);
        out.push(',');
    }
    // Writing to a `String` cannot fail.
    let _ = write!(out, "\"bt\":{base}}}");
    if let Some(boot) = pack.boot {
        let _ = write!(out, ",{{\"n\":\"wl:boot\",\"vs\":\"{boot:016x}\"}}");
    }
    if let Some(seq) = pack.seq {
        let _ = write!(out, ",{{\"n\":\"wl:seq\",\"v\":{seq}}}");
    }
    if let Some(now) = pack.now {
        let _ = write!(out, ",{{\"n\":\"wl:now\",\"v\":{}}}", seconds(now.unix_nanos()));
    }
    for sample in pack.samples {
        out.push_str(",{\"n\":");
        push_text(&mut out, sample.channel);
        if sample.at != pack.base_at {
            let _ = write!(out, ",\"t\":{}", seconds(sample.at.nanos_after(pack.base_at)));
        }
        match sample.value {
            Ok(value) => {
                if !sample.unit.is_empty() {
                    out.push_str(",\"u\":");
                    push_text(&mut out, sample.unit);
                }
                let _ = write!(out, ",\"v\":{value}}}");
            }
            Err(reason) => {
                let _ = write!(out, ",\"vs\":\"absent:{}\"}}", word_of(reason));
            }
        }
    }
    out.push(']');
    out.into_bytes()
}

fn push_text(out: &mut String, text: &str) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => out.extend(['\\', character]),
            control if control.is_control() => {
                let _ = write!(out, "\\u{:04x}", u32::from(control));
            }
            plain => out.push(plain),
        }
    }
    out.push('"');
}

/// The message as `application/senml+cbor`.
pub fn encode_cbor(pack: &Outgoing<'_>) -> Vec<u8> {
    let mut w = Writer::default();
    let about = [pack.boot.is_some(), pack.seq.is_some(), pack.now.is_some()];
    let about = about.into_iter().filter(|there| *there).count();
    w.array(pack.samples.len().saturating_add(about).saturating_add(1));
    w.map(if pack.base_name.is_empty() { 1 } else { 2 });
    if !pack.base_name.is_empty() {
        w.int(-2);
        w.text(pack.base_name);
    }
    w.int(-3);
    decimal(&mut w, seconds(pack.base_at.unix_nanos()));
    if let Some(boot) = pack.boot {
        w.map(2);
        w.int(0);
        w.text("wl:boot");
        w.int(3);
        w.text(&format!("{boot:016x}"));
    }
    if let Some(seq) = pack.seq {
        w.map(2);
        w.int(0);
        w.text("wl:seq");
        w.int(2);
        w.uint(seq);
    }
    if let Some(now) = pack.now {
        w.map(2);
        w.int(0);
        w.text("wl:now");
        w.int(2);
        decimal(&mut w, seconds(now.unix_nanos()));
    }
    for sample in pack.samples {
        cbor_sample(&mut w, sample, pack.base_at);
    }
    w.0
}

fn cbor_sample(w: &mut Writer, sample: &OutgoingSample<'_>, base_at: Timestamp) {
    let has_unit = sample.value.is_ok() && !sample.unit.is_empty();
    let has_time = sample.at != base_at;
    w.map([true, has_unit, true, has_time].into_iter().filter(|there| *there).count());
    w.int(0);
    w.text(sample.channel);
    if has_unit {
        w.int(1);
        w.text(sample.unit);
    }
    match sample.value {
        Ok(value) => {
            w.int(2);
            decimal(w, value);
        }
        Err(reason) => {
            w.int(3);
            w.text(&format!("absent:{}", word_of(reason)));
        }
    }
    if has_time {
        w.int(6);
        decimal(w, seconds(sample.at.nanos_after(base_at)));
    }
}

fn decimal(w: &mut Writer, number: Decimal) {
    w.decimal(number.mantissa, number.exp10);
}
