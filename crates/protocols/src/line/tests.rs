//! Line protocol: the grammar by table, the mapping by profile, and a round trip.

use std::{borrow::Cow, path::Path};

use model::Sample;
use proptest::prelude::*;

use super::*;
use crate::{limits, profile::Profile};

fn monitor() -> Profile {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../profiles/bedside-monitor/profile.toml");
    Profile::parse(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// A line as a text that is easy to compare.
fn shown(line: &Line<'_>) -> String {
    let tags: Vec<String> = line.tags.iter().map(|(tag, value)| format!("{tag}={value}")).collect();
    let fields = line.fields.iter().map(|(field, value)| match value {
        Value::Number(number) => format!("{field}:{number}"),
        Value::NotANumber(word) => format!("{field}:?{word}"),
        Value::Bool(value) => format!("{field}:{value}"),
        Value::Text(text) => format!("{field}:'{text}'"),
    });
    let fields: Vec<String> = fields.collect();
    let time = line.time.map(|time| time.to_string()).unwrap_or_default();
    format!("{}|{}|{}|{time}", line.measurement, tags.join("&"), fields.join("&"))
}

fn check(body: &str, want: &[&str]) {
    let got: Vec<String> = parse(body.as_bytes())
        .map(|line| match line {
            Ok(line) => shown(&line),
            Err(bad) => format!("{}: {}", bad.number, bad.why),
        })
        .collect();
    assert_eq!(got, want, "{body:?}");
}

#[test]
fn a_line_is_taken_apart_by_the_book() {
    check("vitals hr=82i 1700000000", &["vitals||hr:82|1700000000"]);
    check(
        "vitals,bed=b00,device=x hr=82i,spo2=96.0,temp=3.7e1,n=5u -5\r\n",
        &["vitals|bed=b00&device=x|hr:82&spo2:96.0&temp:37&n:5|-5"],
    );
    check(
        "m a=t,b=FALSE,c=\"x, \\\"y\\\" = z\",d=NaN",
        &["m||a:true&b:false&c:'x, \"y\" = z'&d:?NaN|"],
    );
    check("my\\ m\\,x,tag\\ a=b\\=c\\,d f\\ 1=1", &["my m,x|tag a=b=c,d|f 1:1|"]);
    check("# a comment\n\n  m f=1\n", &["m||f:1|"]);
    check("m f=\"two\nlines\" 1\nm f=2", &["m||f:'two\nlines'|1", "m||f:2|"]);
    check("m f=+1.5,g=-2,h=.5", &["m||f:1.5&g:-2&h:0.5|"]);
    check("m f=123456789012345678901234567890.1", &["m||f:?123456789012345678901234567890.1|"]);
    check("m\\x f=1", &["m\\x||f:1|"]);
    // A quote means something at the beginning of a value only.
    check("m a\"b=1\nm c=2", &["m||a\"b:1|", "m||c:2|"]);
}

#[test]
fn a_bad_line_costs_only_itself() {
    let good = "vitals hr=1";
    for (bad, why) in [
        ("vitals", "missing fields"),
        ("vitals ", "missing fields"),
        ("vitals hr", "missing field value"),
        ("vitals hr= 7", "missing field value"),
        ("vitals =1", "missing field key"),
        ("vitals hr=1,", "missing field value"),
        (",a=b hr=1", "missing measurement"),
        ("vitals,a hr=1", "missing tag value"),
        ("vitals,a= hr=1", "missing tag value"),
        ("vitals,=b hr=1", "missing tag key"),
        ("vitals,a=b,a=c hr=1", "a tag stands twice"),
        (
            "vitals hr=eighty",
            "invalid field value; use a number, an integer with `i` or `u`, true, false or a text in quotes",
        ),
        (
            "vitals hr=1.5i",
            "invalid field value; use a number, an integer with `i` or `u`, true, false or a text in quotes",
        ),
        (
            "vitals hr=\"x\"y",
            "invalid field value; use a number, an integer with `i` or `u`, true, false or a text in quotes",
        ),
        ("vitals hr=\"open", "unbalanced quotes"),
        (
            "vitals hr=1 soon",
            "bad timestamp; a whole number in the precision of the request is expected",
        ),
        (
            "vitals hr=1 1.5",
            "bad timestamp; a whole number in the precision of the request is expected",
        ),
        (
            "vitals hr=1 99999999999999999999",
            "bad timestamp; a whole number in the precision of the request is expected",
        ),
    ] {
        let told = format!("2: {why}");
        check(&format!("{good}\n{bad}\n{good}"), &["vitals||hr:1|", &told, "vitals||hr:1|"]);
    }
    let latin = [b"m f=1\nm\xff f=1\nm f=2" as &[u8]].concat();
    let got: Vec<bool> = parse(&latin).map(|line| line.is_ok()).collect();
    assert_eq!(got, [true, false, true]);
}

#[test]
fn each_limit_holds_at_it_and_not_above() {
    let many = |count: usize, each: &str, before: &str, behind: &str| {
        let all: Vec<String> = (0..count).map(|n| each.replace('N', &n.to_string())).collect();
        format!("{before}{}{behind}", all.join(","))
    };
    let is_fine = |line: &str| parse(line.as_bytes()).all(|line| line.is_ok());
    assert!(is_fine(&many(limits::LINE_FIELDS_MAX, "fN=1", "m ", "")));
    assert!(!is_fine(&many(limits::LINE_FIELDS_MAX + 1, "fN=1", "m ", "")));
    assert!(is_fine(&many(limits::LINE_TAGS_MAX, "tN=1", "m,", " f=1")));
    assert!(!is_fine(&many(limits::LINE_TAGS_MAX + 1, "tN=1", "m,", " f=1")));
    let text = |len: usize| format!("m f=\"{}\"", "x".repeat(len - 6));
    assert!(is_fine(&text(limits::LINE_LEN_MAX)));
    assert!(!is_fine(&text(limits::LINE_LEN_MAX + 1)));
    let lines = |count: usize| "m f=1\n".repeat(count);
    assert!(is_fine(&lines(limits::LINES_MAX)));
    let mut over = lines(limits::LINES_MAX + 2);
    over.push_str("# the end");
    let last = parse(over.as_bytes()).last().unwrap().unwrap_err();
    assert_eq!((last.why, last.number), (LineError::TooManyLines, limits::LINES_MAX + 1));
    assert_eq!(last.raw, b"m f=1\nm f=1\n# the end");
}

#[test]
fn a_forgotten_quote_swallows_no_line_behind_it() {
    check("m f=\"open\nm f=1\nm f=2", &["1: unbalanced quotes", "m||f:1|", "m||f:2|"]);
}

fn samples(line: &str) -> (Vec<String>, usize, usize) {
    let profile = monitor();
    let line = parse(line.as_bytes()).next().unwrap().unwrap();
    let now = Timestamp::from_unix_millis(1_700_000_000_000);
    let found = resolve(&profile, &line, Precision::Milliseconds, now).unwrap();
    let shown = found.samples.iter().map(|raw| {
        let value = match &raw.sample {
            Sample::Measured(measure) => measure.to_string(),
            Sample::Missing(reason) => reason.to_string(),
        };
        format!("{} {value} {}", raw.channel, raw.device_at.unix_millis())
    });
    (shown.collect(), found.unmapped, found.refused)
}

#[test]
fn a_field_becomes_the_channel_that_its_profile_names() {
    let check = |line: &str, want: &[&str], unmapped, refused| {
        let (found, no_channel, no_value) = samples(line);
        assert_eq!(
            (found, no_channel, no_value),
            (want.iter().map(|it| (*it).to_owned()).collect(), unmapped, refused),
            "{line}"
        );
    };
    check(
        "vitals hr=82i,temp=36.6 5",
        &["MDC_ECG_HEART_RATE 82 /min 5", "MDC_TEMP 36.6 Cel 5"],
        0,
        0,
    );
    check("vitals MDC_TEMP=36.6 5", &["MDC_TEMP 36.6 Cel 5"], 0, 0);
    check("MDC_TEMP value=36.6 5", &["MDC_TEMP 36.6 Cel 5"], 0, 0);
    check("vitals,host=pi,device=d hr=82 5", &["MDC_ECG_HEART_RATE 82 /min 5"], 0, 0);
    // Without a time it is of now.
    check("vitals hr=82", &["MDC_ECG_HEART_RATE 82 /min 1700000000000"], 0, 0);
    // What is out of range or no number is missing, and its bytes are kept.
    check("vitals hr=351 5", &["MDC_ECG_HEART_RATE implausible value 5"], 0, 1);
    check("vitals hr=350 5", &["MDC_ECG_HEART_RATE 350 /min 5"], 0, 0);
    check("vitals hr=NaN 5", &["MDC_ECG_HEART_RATE implausible value 5"], 0, 1);
    check("vitals hr=\"82\" 5", &["MDC_ECG_HEART_RATE no reason given 5"], 0, 1);
    // Two beds behind one certificate are nobody's vital.
    check("vitals,bed=b00 hr=82 5", &["vitals.hr;bed=b00 82  5"], 1, 0);
    check("vitals,bed=b00,host=pi art_sys=122i 5", &["vitals.art_sys;bed=b00 122  5"], 1, 0);
    // A waveform does not come as single values.
    check("vitals MDC_ECG_ELEC_POTL_II=5 5", &["vitals.MDC_ECG_ELEC_POTL_II 5  5"], 1, 0);
}

#[test]
fn a_time_outside_of_all_clocks_and_a_name_without_end_are_refused() {
    let profile = monitor();
    let check = |line: &str, precision, want| {
        let line = parse(line.as_bytes()).next().unwrap().unwrap();
        let got = resolve(&profile, &line, precision, Timestamp::default());
        assert_eq!(got.err(), want, "{line:?}");
    };
    check("m f=1 9223372036", Precision::Seconds, None);
    check("m f=1 9223372037", Precision::Seconds, Some(LineError::TimeRange));
    check("m f=1 9223372037", Precision::Nanoseconds, None);
    check("m f=1 9223372037", Precision::Hours, Some(LineError::TimeRange));
    let named = |len: usize| format!("{} f=1", "m".repeat(len - 2));
    check(&named(limits::SERIES_LEN_MAX), Precision::Seconds, None);
    check(&named(limits::SERIES_LEN_MAX + 1), Precision::Seconds, Some(LineError::SeriesTooLong));
}

#[test]
fn a_precision_is_spelled_as_either_version_spells_it() {
    let at = |word: &str| {
        Precision::parse(word).map(|precision| precision.instant(2).unwrap().unix_nanos())
    };
    for (word, want) in [
        ("n", Some(2)),
        ("ns", Some(2)),
        ("u", Some(2_000)),
        ("us", Some(2_000)),
        ("ms", Some(2_000_000)),
        ("s", Some(2_000_000_000)),
        ("m", Some(120_000_000_000)),
        ("h", Some(7_200_000_000_000)),
        ("", None),
        ("d", None),
    ] {
        assert_eq!(at(word), want, "{word}");
    }
}

/// Names that a writer can spell: a backslash stands only where it means itself.
fn any_name() -> impl Strategy<Value = String> {
    "[a-zA-Z0-9_.,= µ-]{0,12}[a-z]".prop_filter("a comment", |name| !name.starts_with(['#', ' ']))
}

fn any_value() -> impl Strategy<Value = Value<'static>> {
    prop_oneof![
        (any::<i64>(), -30_i8..=30)
            .prop_map(|(mantissa, exp10)| { Value::Number(Decimal { mantissa, exp10 }) }),
        any::<bool>().prop_map(Value::Bool),
        "[^\0]{0,20}".prop_map(|text| Value::Text(Cow::Owned(text))),
    ]
}

proptest! {
    #[test]
    fn what_is_written_is_read(
        measurement in any_name(),
        tags in prop::collection::btree_map(any_name(), any_name(), 0..4),
        fields in prop::collection::vec((any_name(), any_value()), 1..5),
        time in prop::option::of(any::<i64>()),
    ) {
        let line = Line {
            number: 1,
            raw: b"",
            measurement: Cow::Owned(measurement),
            tags: tags.into_iter().map(|(tag, value)| (Cow::Owned(tag), Cow::Owned(value))).collect(),
            fields: fields.into_iter().map(|(field, value)| (Cow::Owned(field), value)).collect(),
            time,
        };
        let mut text = String::new();
        write(&line, &mut text);
        let mut read = parse(text.as_bytes());
        let back = read.next().unwrap().unwrap();
        prop_assert!(read.next().is_none());
        prop_assert_eq!(&back.measurement, &line.measurement);
        prop_assert_eq!(&back.tags, &line.tags);
        prop_assert_eq!(back.time, line.time);
        for ((name, value), (field, want)) in back.fields.iter().zip(&line.fields) {
            prop_assert_eq!(name, field);
            match (value, want) {
                (Value::Number(read), Value::Number(wrote)) => {
                    // Zero has as many spellings as powers of ten.
                    prop_assert!(read == wrote || read.mantissa == 0 && wrote.mantissa == 0
                        || read.plus(Decimal::ZERO) == wrote.plus(Decimal::ZERO), "{read:?} {wrote:?}");
                }
                (value, want) => prop_assert_eq!(value, want),
            }
        }
    }

    #[test]
    fn no_bytes_panic_and_no_byte_of_a_line_is_lost(bytes in prop::collection::vec(prop::sample::select(
        b"ab,= \\\"\n\r#1i.\xff".to_vec()), 0..80))
    {
        let mut left: Vec<u8> = bytes.clone();
        for line in parse(&bytes) {
            let raw = match &line { Ok(line) => line.raw, Err(bad) => bad.raw };
            let at = left.windows(raw.len()).position(|part| part == raw);
            prop_assert!(at.is_some());
            left.drain(..at.unwrap() + raw.len());
            if let Ok(line) = line {
                prop_assert!(!line.fields.is_empty());
                let _ = resolve(&monitor(), &line, Precision::Hours, Timestamp::default());
            }
        }
    }
}
