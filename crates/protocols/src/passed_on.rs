//! When a gateway had what it passes on, by the gateway's own clock, if it says so.
//!
//! A pack says it by a record `wl:gateway_at`, a waveform block by its key 21, a report by
//! its key `gateway_at`. The gateway's clock was compared with nobody's: the time is for
//! people who look for where a message lay, and dates no measurement.

use minicbor::{Decoder, data::Type};
use model::Timestamp;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::{decimal::Decimal, senml};

/// The key of a waveform block.
const WAVE_KEY: u64 = 21;

/// The gateway's time in a message of any form; `None` if it says none that can be read.
pub fn gateway_at(payload: &[u8]) -> Option<Timestamp> {
    if payload.trim_ascii_start().starts_with(b"{") {
        return in_report(payload);
    }
    match Decoder::new(payload).datatype() {
        Ok(Type::Map) => in_wave(payload),
        _ => senml::gateway_at(payload),
    }
}

fn in_report(payload: &[u8]) -> Option<Timestamp> {
    #[derive(Deserialize)]
    struct Report<'a> {
        #[serde(borrow)]
        gateway_at: Option<&'a RawValue>,
    }
    let report: Report<'_> = serde_json::from_slice(payload).ok()?;
    instant(Decimal::parse(report.gateway_at?.get())?)
}

fn in_wave(payload: &[u8]) -> Option<Timestamp> {
    let mut d = Decoder::new(payload);
    let keys = d.map().ok()??;
    for _ in 0..keys {
        if d.u64().ok()? == WAVE_KEY {
            return d.i64().ok().map(Timestamp::from_unix_nanos);
        }
        d.skip().ok()?;
    }
    None
}

/// Seconds since 1970 as an instant.
pub(crate) fn instant(seconds: Decimal) -> Option<Timestamp> {
    i64::try_from(seconds.nanos()?).ok().map(Timestamp::from_unix_nanos)
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: Timestamp = Timestamp::from_unix_millis(1_767_258_000_250);

    #[track_caller]
    fn check(payload: &[u8], want: Option<Timestamp>) {
        assert_eq!(gateway_at(payload), want, "{}", String::from_utf8_lossy(payload));
    }

    #[test]
    fn each_form_of_message_says_when_its_gateway_had_it() {
        let pack = br#"[{"bn":"urn:dev:x:7/","n":"MDC_TEMP","u":"Cel","v":36.6},{"n":"wl:gateway_at","v":1767258000.25}]"#;
        check(pack, Some(AT));
        check(br#" {"device":"x","gateway_at":1767258000.25,"online":true}"#, Some(AT));
        // [{0: "wl:gateway_at", 2: 1767258000}]
        let mut cbor = vec![0x81, 0xa2, 0x00, 0x6d];
        cbor.extend_from_slice(b"wl:gateway_at");
        cbor.extend_from_slice(&[0x02, 0x1a]);
        cbor.extend_from_slice(&1_767_258_000_u32.to_be_bytes());
        check(&cbor, Some(Timestamp::from_unix_millis(1_767_258_000_000)));
        // {0: 1, 21: 1767258000250000000}
        let mut block = vec![0xa2, 0x00, 0x01, 0x15, 0x1b];
        block.extend_from_slice(&1_767_258_000_250_000_000_i64.to_be_bytes());
        check(&block, Some(AT));
    }

    #[test]
    fn what_says_no_time_or_no_sound_one_has_none() {
        for none in [
            &b"[]"[..],
            b"",
            b"{",
            b"{}",
            br#"{"gateway_at":"now"}"#,
            br#"{"gateway_at":1e30}"#,
            br#"[{"n":"wl:gateway_at","vs":"now"}]"#,
            br#"[{"n":"wl:now","v":1767258000}]"#,
            &[0xa1, 0x15, 0x61, b'x'],
            &[0xa1, 0x14, 0x07],
            &[0xbb, 0xff],
        ] {
            check(none, None);
        }
    }
}
