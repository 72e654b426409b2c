//! Packs as devices send them, and as they should not.

use model::{MissingReason, Sample, Timestamp};
use proptest::prelude::*;

use super::*;
use crate::decimal::Decimal;

const NOW_S: i64 = 1_700_000_100;

fn now() -> Timestamp {
    Timestamp::from_unix_nanos(NOW_S * 1_000_000_000)
}

fn monitor() -> Profile {
    Profile::parse(include_str!("../../../../profiles/bedside-monitor/profile.toml")).unwrap()
}

fn json(text: &str) -> Result<Pack, SenmlError> {
    decode(&monitor(), Some(JSON), text.as_bytes(), now())
}

/// A pack as lines of channel, seconds before now, what it reads, refused bytes, and findings.
fn told(pack: &Pack) -> Vec<String> {
    let line = |(number, raw): (usize, &RawSample)| {
        let ago = now().nanos_after(raw.device_at) / 1_000_000_000;
        let reads = match &raw.sample {
            Sample::Measured(measure) => measure.to_string(),
            Sample::Missing(reason) => reason.to_string(),
        };
        let refused = raw
            .refused
            .as_ref()
            .map_or(String::new(), |bytes| format!(" refused {}", String::from_utf8_lossy(bytes)));
        let _ = number;
        format!("{} -{ago}s {reads}{refused}", raw.channel)
    };
    let notes = pack.notes.iter().map(|note| format!("note {}: {}", note.record, note.finding));
    pack.samples.iter().enumerate().map(line).chain(notes).collect()
}

fn check(text: &str, want: &[&str]) {
    assert_eq!(told(&json(text).unwrap()), want, "{text}");
}

fn refused(text: &str, want: &str) {
    assert_eq!(json(text).unwrap_err().to_string(), want, "{text}");
}

#[test]
fn the_example_of_the_reference_is_read() {
    let text = r#"[{"bn":"urn:dev:mac:0024befffe804ff1/","bt":1.7e9,"n":"MDC_PULS_OXIM_SAT_O2","u":"%","v":97},{"n":"MDC_PULS_OXIM_PULS_RATE","u":"beat/min","v":72}]"#;
    check(text, &["MDC_PULS_OXIM_SAT_O2 -100s 97 %", "MDC_PULS_OXIM_PULS_RATE -100s 72 /min"]);
    let pack = json(text).unwrap();
    assert_eq!(pack.source.as_deref(), Some("urn:dev:mac:0024befffe804ff1"));
    assert_eq!(pack.base_at, Timestamp::from_unix_nanos(1_700_000_000_000_000_000));
    assert_eq!((pack.boot, pack.seq, pack.device_now), (None, None, None));
}

#[test]
fn base_fields_hold_for_all_records_after_them() {
    check(
        r#"[{"bn":"MDC_","bt":-10,"bu":"Cel","bv":30,"n":"TEMP","v":6.6,"t":-1},{"n":"TEMP","v":7},{"bt":-5,"bv":0,"bn":"","n":"MDC_TEMP","v":37}]"#,
        &["MDC_TEMP -11s 36.6 Cel", "MDC_TEMP -10s 37 Cel", "MDC_TEMP -5s 37 Cel"],
    );
}

#[test]
fn records_about_the_message_are_not_samples() {
    let pack = json(
        r#"[{"bn":"urn:dev:ow:10e2073a01080063:","n":"wl:boot","vs":"00000000000000a3"},{"n":"wl:seq","v":117},{"n":"wl:now","v":1700000099.5},{"n":"MDC_TEMP","u":"Cel","v":36.60,"t":1700000090}]"#,
    )
    .unwrap();
    assert_eq!(told(&pack), ["MDC_TEMP -10s 36.60 Cel"]);
    assert_eq!((pack.boot, pack.seq), (Some(0xa3), Some(117)));
    assert_eq!(pack.device_now, Some(Timestamp::from_unix_nanos(1_700_000_099_500_000_000)));
}

#[test]
fn times_that_are_all_ago_are_counted_from_receipt() {
    let device_now = |text: &str| json(text).unwrap().device_now;
    assert_eq!(device_now(r#"[{"n":"MDC_TEMP","u":"Cel","v":37,"t":-60}]"#), Some(now()));
    // One instant by a clock, and the moment of sending is not known.
    let mixed = r#"[{"n":"MDC_TEMP","u":"Cel","v":37,"t":-60},{"n":"MDC_TEMP","u":"Cel","v":37,"t":1700000000}]"#;
    assert_eq!(device_now(mixed), None);
    // 2^28 s is the first that is an instant.
    let at = |t: i64| {
        let text = format!(r#"[{{"n":"MDC_TEMP","u":"Cel","v":37,"t":{t}}}]"#);
        json(&text).unwrap().samples[0].device_at.unix_nanos() / 1_000_000_000
    };
    assert_eq!(at(268_435_455), NOW_S + 268_435_455);
    assert_eq!(at(268_435_456), 268_435_456);
}

#[test]
fn good_samples_survive_bad_neighbours() {
    check(
        r#"[{"n":"MDC_ECG_HEART_RATE","u":"/min","v":350},
{"n":"MDC_ECG_HEART_RATE","u":"/min","v":350.001},
{"n":"MDC_ECG_HEART_RATE","u":"/min","v":-1},
{"n":"MDC_ECG_HEART_RATE","u":"/min","v":1e999},
{"n":"MDC_ECG_HEART_RATE","u":"/min","v":"72"},
{"n":"MDC_ECG_HEART_RATE","u":"/min","v":72,"vs":"x"},
{"n":"MDC_ECG_HEART_RATE","u":"/min"},
{"n":"MDC_ECG_HEART_RATE","vb":true},
{"n":"MDC_ECG_HEART_RATE","vs":"NaN"},
{"n":"MDC_ECG_HEART_RATE","u":"/min","v":72,"t":1e40},
17,
{"n":"-x","v":1},
{"n":"MDC_ECG_HEART_RATE","u":"/min","v":0}]"#,
        &[
            "MDC_ECG_HEART_RATE -0s 350 /min",
            "MDC_ECG_HEART_RATE -0s implausible value refused 350.001",
            "MDC_ECG_HEART_RATE -0s implausible value refused -1",
            "MDC_ECG_HEART_RATE -0s implausible value refused 1e999",
            "unnamed -0s no reason given refused {\"n\":\"MDC_ECG_HEART_RATE\",\"u\":\"/min\",\"v\":\"72\"}",
            "unnamed -0s no reason given refused {\"n\":\"MDC_ECG_HEART_RATE\",\"u\":\"/min\",\"v\":72,\"vs\":\"x\"}",
            "MDC_ECG_HEART_RATE -0s no reason given refused {\"n\":\"MDC_ECG_HEART_RATE\",\"u\":\"/min\"}",
            "MDC_ECG_HEART_RATE -0s no reason given refused true",
            "MDC_ECG_HEART_RATE -0s no reason given refused \"NaN\"",
            "unnamed -0s no reason given refused {\"n\":\"MDC_ECG_HEART_RATE\",\"u\":\"/min\",\"v\":72,\"t\":1e40}",
            "unnamed -0s no reason given refused 17",
            "unnamed -0s no reason given refused {\"n\":\"-x\",\"v\":1}",
            "MDC_ECG_HEART_RATE -0s 0 /min",
            "note 1: the value is not between 0 and 350 /min",
            "note 2: the value is not between 0 and 350 /min",
            "note 3: the value is not a number that can be kept exactly",
            "note 4: the value is not of its label's type",
            "note 5: a record has exactly one of v, vs, vb, vd",
            "note 6: a record has exactly one of v, vs, vb, vd",
            "note 7: the channel gives numbers, and this is none",
            "note 8: the channel gives numbers, and this is none",
            "note 9: the time is beyond all calendars",
            "note 10: a record is a map",
            "note 11: the name is not one that RFC 8428 allows",
        ],
    );
}

#[test]
fn an_unknown_channel_or_unit_is_kept_and_decides_nothing() {
    check(
        r#"[{"n":"MDC_NEW","u":"V","v":1.50},{"n":"MDC_TEMP","u":"K","v":310},{"n":"MDC_TEMP","v":37},{"n":"MDC_NEW","vs":"on"},{"n":"MDC_ECG_ELEC_POTL_II","u":"mV","v":1}]"#,
        &[
            "MDC_NEW -0s 1.50 V",
            "MDC_TEMP -0s 310 K",
            "MDC_TEMP -0s 37 ",
            "MDC_NEW -0s no reason given refused \"on\"",
            "MDC_ECG_ELEC_POTL_II -0s 1 mV",
            "note 0: the profile has no such channel; the value is kept and decides nothing",
            "note 1: the profile does not know unit `K` here; the value is kept and decides nothing",
            "note 2: the profile does not know unit `` here; the value is kept and decides nothing",
            "note 3: the profile has no such channel; the value is kept and decides nothing",
            "note 4: the profile has no such channel; the value is kept and decides nothing",
        ],
    );
    // No vital takes them: neither the code of an unknown channel nor an unknown unit.
    let pack = json(r#"[{"n":"MDC_NEW","u":"/min","v":72},{"n":"MDC_TEMP","u":"K","v":37}]"#);
    for raw in pack.unwrap().samples {
        let Sample::Measured(measure) = raw.sample else { unreachable!() };
        let vital = model::Vital::of(measure.kind);
        assert!(vital.is_none_or(|vital| vital.thousandths(&measure).is_err()), "{measure}");
    }
}

#[test]
fn a_value_in_another_unit_is_held_to_the_same_range() {
    check(
        r#"[{"n":"MDC_PRESS_BLD_NONINV_SYS","u":"kPa","v":39.9},{"n":"MDC_PRESS_BLD_NONINV_SYS","u":"kPa","v":40.1},{"n":"MDC_TEMP","u":"degF","v":98.6}]"#,
        &[
            "MDC_PRESS_BLD_NONINV_SYS -0s 39.9 kPa",
            "MDC_PRESS_BLD_NONINV_SYS -0s implausible value refused 40.1",
            "MDC_TEMP -0s 98.6 [degF]",
            "note 1: the value is not between 0 and 300 mm[Hg]",
        ],
    );
}

#[test]
fn an_absence_says_its_reason() {
    for (word, reason) in REASONS {
        check(
            &format!(r#"[{{"n":"MDC_TEMP","vs":"absent:{word}"}}]"#),
            &[&format!("MDC_TEMP -0s {reason}")],
        );
        assert_eq!(word_of(reason), word);
    }
    check(
        r#"[{"n":"MDC_TEMP","vs":"absent:eaten"}]"#,
        &[
            "MDC_TEMP -0s no reason given refused \"absent:eaten\"",
            "note 0: the profile does not know reason `eaten`; the value is missing",
        ],
    );
}

#[test]
fn a_wrong_count_or_clock_is_kept_and_not_believed() {
    for (record, finding) in [
        (r#"{"n":"wl:boot","vs":"a3"}"#, "`wl:boot` is a text of 16 hex digits"),
        (r#"{"n":"wl:boot","vs":"+0000000000000a3"}"#, "`wl:boot` is a text of 16 hex digits"),
        (r#"{"n":"wl:seq","v":-1}"#, "`wl:seq` is a whole number below 2^53"),
        (r#"{"n":"wl:seq","v":9007199254740992}"#, "`wl:seq` is a whole number below 2^53"),
        (r#"{"n":"wl:seq","v":1.5}"#, "`wl:seq` is a whole number below 2^53"),
        (r#"{"n":"wl:now","v":1e30}"#, "`wl:now` is a time in seconds"),
        (r#"{"n":"wl:gateway_at","vs":"x"}"#, "`wl:gateway_at` is a time in seconds since 1970"),
        (r#"{"n":"wl:gateway_at","v":1e30}"#, "`wl:gateway_at` is a time in seconds since 1970"),
        (
            r#"{"n":"wl:who","v":1}"#,
            "of the names with `wl:` only wl:boot, wl:seq, wl:now and wl:gateway_at are known",
        ),
    ] {
        let kept = format!("unnamed -0s no reason given refused {record}");
        check(&format!("[{record}]"), &[&kept, &format!("note 0: {finding}")]);
    }
    let most = json(r#"[{"n":"wl:seq","v":9007199254740991}]"#).unwrap();
    assert_eq!(most.seq, Some((1 << 53) - 1));
}

#[test]
fn a_pack_that_cannot_be_taken_apart_is_refused_whole() {
    refused("", "the pack is not JSON: EOF while parsing a value at line 1 column 0");
    refused("{}", "a pack is a list of records");
    refused("7", "a pack is a list of records");
    refused("[{\"v\":NaN}]", "the pack is not JSON: expected value at line 1 column 7");
    refused(
        "[{\"n\":\"x\"",
        "the pack is not JSON: EOF while parsing an object at line 1 column 9",
    );
    refused("[] 1", "the pack is not JSON: trailing characters at line 1 column 4");
    refused(
        r#"[{"n":"x","v":1,"later_":2}]"#,
        "label `later_` must be understood and is not known",
    );
    refused(
        r#"[{"bver":11,"n":"x","v":1}]"#,
        "version 11 of SenML is not known; this program reads up to 10",
    );
    refused(r#"[{"y":[[[1]]]}]"#, "a pack is at most 4 lists and maps deep");
    refused(
        r#"[{"bn":"urn:dev:mac:1/","n":"x","v":1},{"bn":"urn:dev:mac:2/","n":"x","v":1}]"#,
        "a pack speaks for one device, this one for `urn:dev:mac:1` and `urn:dev:mac:2`",
    );
    let type_of = |content_type| decode(&monitor(), Some(content_type), b"[]", now());
    assert!(type_of("application/senml+json; charset=utf-8").is_ok());
    assert!(type_of("Application/SensML+JSON").is_ok());
    let error = type_of("text/plain").unwrap_err();
    assert!(error.to_string().starts_with("content type `text/plain` is none of"), "{error}");
    assert_eq!(error.field(), "content_type");
}

#[test]
fn what_need_not_be_understood_is_passed_over() {
    check(
        r#"[{"bver":10,"n":"MDC_TEMP","u":"Cel","v":37,"later":[{"a":"]"}],"ut":5,"bs":1}]"#,
        &["MDC_TEMP -0s 37 Cel"],
    );
    check(r#"[{"\u006e":"MDC_\u0054EMP","u":"Cel","v":37}]"#, &["MDC_TEMP -0s 37 Cel"]);
    check("[]", &[]);
    // A record may set bases alone; one that says nothing at all is not passed over.
    check(r#"[{"bt":5}]"#, &[]);
    let unnamed = "unnamed -0s no reason given refused {\"later\":1}";
    let note = "note 0: the name is not one that RFC 8428 allows";
    check(r#"[{"later":1}]"#, &[unnamed, note]);
}

#[test]
fn every_limit_of_a_pack_holds_from_both_sides() {
    let records = |count: usize| format!("[{}]", vec![r#"{"n":"x","v":1}"#; count].join(","));
    assert_eq!(json(&records(limits::RECORDS_MAX)).unwrap().samples.len(), limits::RECORDS_MAX);
    assert_eq!(json(&records(limits::RECORDS_MAX + 1)), Err(SenmlError::TooMany));

    let cbor = |count: u16| {
        let head = [&[0x99][..], &count.to_be_bytes()].concat();
        let record = [0xa2, 0x00, 0x61, b'x', 0x02, 0x01];
        let pack = [head, record.repeat(count.into())].concat();
        decode(&monitor(), Some(CBOR), &pack, now()).map(|pack| pack.samples.len())
    };
    let most = u16::try_from(limits::RECORDS_MAX).unwrap();
    assert_eq!(cbor(most), Ok(limits::RECORDS_MAX));
    assert_eq!(cbor(most + 1), Err(SenmlError::TooMany));

    let padded = |len: usize| format!("[{}]", " ".repeat(len - 2));
    assert!(json(&padded(limits::PAYLOAD_LEN_MAX)).is_ok());
    let len = limits::PAYLOAD_LEN_MAX + 1;
    assert_eq!(json(&padded(len)), Err(SenmlError::TooLong { len }));

    assert!(json(r#"[{"y":[[1]]}]"#).is_ok());
    let name = |len: usize| json(&format!(r#"[{{"n":"{}","v":1}}]"#, "x".repeat(len))).unwrap();
    assert_ne!(&*name(limits::NAME_LEN_MAX).samples[0].channel.0, UNNAMED);
    assert_eq!(&*name(limits::NAME_LEN_MAX + 1).samples[0].channel.0, UNNAMED);
}

#[test]
fn cbor_says_the_same_in_every_spelling() {
    let read = |hex: &str| {
        let hex = hex.replace(' ', "");
        let byte = |at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
        let bytes: Vec<u8> = (0..hex.len()).step_by(2).map(byte).collect();
        decode(&monitor(), None, &bytes, now()).map(|pack| told(&pack))
    };
    let temp = "00 68 4d44435f54454d50 01 63 43656c"; // "n": "MDC_TEMP", "u": "Cel"
    let check = |rest: &str, want: &str| {
        assert_eq!(
            read(&format!("81 a3 {temp} {rest}")).unwrap()[0],
            format!("MDC_TEMP -0s {want}")
        );
    };
    check("02 18 25", "37 Cel");
    check("02 fb 40424ccccccccccd", "36.6 Cel");
    check("02 fa 42126666", "36.6 Cel");
    check("02 f9 50a0", "37 Cel");
    check("02 c4 82 20 19 0172", "37.0 Cel");
    for not_finite in ["02 f9 7e00", "02 fa 7f800000", "02 fb fff0000000000000"] {
        assert_eq!(
            read(&format!("81 a3 {temp} {not_finite}")).unwrap()[1],
            "note 0: the value is not a number that can be kept exactly"
        );
    }
    // Of indefinite length, with an unknown key, and with labels as texts.
    let spelled = format!("9f bf {temp} 18 63 81 81 01 61 76 18 25 ff ff");
    assert_eq!(read(&spelled).unwrap(), ["MDC_TEMP -0s 37 Cel"]);
    // Key 99 holds a list that is three deep: five in all.
    let deep = read("81 a1 18 63 81 81 81 01");
    assert_eq!(deep, Err(SenmlError::TooDeep));
    assert_eq!(read("81 a1 61 5f 01"), Err(SenmlError::NotUnderstood { label: "_".into() }));
    assert_eq!(read("a0"), Err(SenmlError::NotAList));
    assert!(read("81").is_err());
    assert!(read("80 00").is_err());
}

fn any_decimal() -> impl Strategy<Value = Decimal> {
    (any::<i64>(), -18_i8..=18).prop_map(|(mantissa, exp10)| Decimal { mantissa, exp10 })
}

fn any_value() -> impl Strategy<Value = Result<Decimal, MissingReason>> {
    let reasons = REASONS.map(|(_, reason)| reason).to_vec();
    prop_oneof![any_decimal().prop_map(Ok), prop::sample::select(reasons).prop_map(Err)]
}

proptest! {
    #[test]
    fn what_a_device_sends_is_what_is_read_in_both_encodings(
        values in prop::collection::vec((any_value(), -86_400_000_i64..86_400_000), 0..20),
        counted: Option<(u64, u32)>, now_ms in 1_600_000_000_000_i64..1_900_000_000_000,
    ) {
        let at = Timestamp::from_unix_millis(now_ms);
        let sample = |(value, ago): &(Result<Decimal, MissingReason>, i64)| OutgoingSample {
            channel: "x-y.z_1",
            unit: "\"q\\",
            at: Timestamp::from_unix_millis(now_ms - ago),
            value: *value,
        };
        let samples: Vec<_> = values.iter().map(sample).collect();
        let out = Outgoing {
            base_name: "urn:dev:mac:0024befffe804ff1/",
            base_at: at,
            boot: counted.map(|(boot, _)| boot),
            seq: counted.map(|(_, seq)| seq.into()),
            now: Some(at),
            samples: &samples,
        };
        let json = decode(&monitor(), None, &encode_json(&out), now()).unwrap();
        let cbor = decode(&monitor(), None, &encode_cbor(&out), now()).unwrap();
        prop_assert_eq!(&json, &cbor);
        prop_assert_eq!((json.boot, json.seq, json.device_now), (out.boot, out.seq, out.now));
        prop_assert_eq!(json.samples.len(), samples.len());
        for (raw, sent) in json.samples.iter().zip(&samples) {
            prop_assert_eq!(raw.device_at, sent.at);
            match (&raw.sample, sent.value) {
                (Sample::Measured(measure), Ok(value)) => {
                    let same = Decimal { mantissa: measure.mantissa, exp10: measure.exp10 };
                    prop_assert_eq!(same, value);
                    prop_assert_eq!(measure.ucum.as_str(), sent.unit);
                }
                (Sample::Missing(reason), Err(sent)) => prop_assert_eq!(*reason, sent),
                other => prop_assert!(false, "{:?}", other),
            }
        }
    }

    #[test]
    fn no_bytes_panic_and_no_record_vanishes(bytes: Vec<u8>, text in "[\\[\\]{}\",:a-z0-9 .eE-]{0,60}") {
        for payload in [&bytes[..], text.as_bytes()] {
            for content_type in [None, Some(JSON), Some(CBOR)] {
                let _ = decode(&monitor(), content_type, payload, now());
            }
        }
    }

    #[test]
    fn a_damaged_pack_is_read_or_refused(at: prop::sample::Index, to: u8) {
        let corpus: [&[u8]; 2] = [
            include_bytes!("../../../../profiles/ecg-patch/kept.cbor"),
            include_bytes!("../../../../profiles/bedside-monitor/numerics.json"),
        ];
        for whole in corpus {
            let mut bytes = whole.to_vec();
            let at = at.index(bytes.len());
            bytes[at] = to;
            let _ = decode(&monitor(), None, &bytes, now());
            let _ = decode(&monitor(), None, &whole[..at], now());
        }
    }
}
