//! Tables of others and of ours, and bytes that are no table at all.

use proptest::prelude::*;

use super::*;
use crate::{
    import::files::{Mapped, Piece},
    limits::{IMPORT_STRETCH_DOUBTS_MAX, IMPORT_STRETCH_SAMPLES_MAX},
};

const HR: &str = "MDC_ECG_HEART_RATE";

fn mapped(name: &str) -> Reading {
    let map =
        Mapped { name: name.to_owned(), channel: HR.to_owned(), unit: Some("/min".to_owned()) };
    Reading { maps: vec![map], ..Reading::default() }
}

type Found = Result<Vec<(u64, Piece)>, String>;

fn pieces(text: &[u8], reading: &Reading) -> Found {
    let mut found = Vec::new();
    let take = &mut |piece: Piece, Place(_, line): Place| {
        found.push((line, piece));
        true
    };
    let read = read_from(text, Path::new("a.csv"), reading, take);
    read.map(|_| found).map_err(|error| error.to_string())
}

fn values(text: &str, reading: &Reading) -> Result<Vec<(u64, i64, Option<String>)>, String> {
    let found = pieces(text.as_bytes(), reading)?;
    let value = |(line, piece)| match piece {
        Piece::Value(it) => Some((line, it.at_ns, it.value)),
        Piece::Wave(_) => None,
    };
    Ok(found.into_iter().filter_map(value).collect())
}

#[test]
fn a_table_of_others_has_its_columns_mapped() {
    let text = "\u{feff}Time,\"Pulse, bpm\",Note\r\n\
                2026-11-21T08:30:00.123456789Z,72.50,fine\r\n\
                1795250000123,,\"said \"\"no\"\"\nand left\"\r\n\
                1795250000124.5,1e2,\r\n";
    let found = values(text, &mapped("Pulse, bpm")).unwrap();
    let first = "2026-11-21T08:30:00.123456789Z".parse::<jiff::Timestamp>().unwrap();
    let first = i64::try_from(first.as_nanosecond()).unwrap();
    assert_eq!(
        found,
        [
            (2, first, Some("72.50".to_owned())),
            (5, 1_795_250_000_124_500_000, Some("1e2".to_owned())),
        ]
    );
}

#[test]
fn what_cannot_be_read_is_told_with_its_line() {
    let long = format!("time,hr\n1,{}\n", "7".repeat(IMPORT_LINE_LEN_MAX));
    let many = ["x"; IMPORT_COLUMNS_MAX + 1].join(",");
    for (text, want) in [
        ("", "line 1: there is no line with the names"),
        ("time,pulse\n1,2\n", "line 1: no column is of a channel"),
        ("when,hr\n1,2\n", "line 1: no column is the time"),
        ("time,hr\n1795250000123,2\n\n1,2,3\n", "line 4: it has 3 fields, and the header 2"),
        ("time,hr\nnoon,72\n", "line 2: `noon` is no time"),
        ("time,hr\n2026-11-21T08:30:00,72\n", "line 2: `2026-11-21T08:30:00` is no time"),
        ("time,hr\n1795250000123,high\n", "line 2: `high` is no decimal number"),
        ("time,hr\n1795250000,72\n", "line 2: `1795250000` is no time; a number is milliseconds"),
        ("time,hr\n-5,72\n", "line 2: `-5` is no time"),
        ("time,hr\n1,\"72\n", "line 2: a field that begins"),
        ("time,hr\n1,\"72\"x\n", "line 2: a field that begins"),
        (&long, "line 2: it has more than 1048576 bytes"),
        (&many, "line 1: it has more than 1024 fields"),
    ] {
        let error = values(text, &mapped("hr")).unwrap_err();
        assert!(error.contains(want), "{want}: {error}");
    }
    let error = pieces(b"time,hr\n1,\xff\n", &mapped("hr")).unwrap_err();
    assert!(error.contains("line 2: it is not UTF-8 at byte 2"), "{error}");
}

#[test]
fn a_table_of_two_devices_has_to_be_asked_for_one() {
    let text = "at,device,channel,value,unit,missing\n\
                1970-01-01T00:00:01Z,one,MDC_ECG_HEART_RATE,72,/min,\n\
                1970-01-01T00:00:02Z,two,MDC_ECG_HEART_RATE,,/min,sensor-detached\n";
    let error = values(text, &Reading::default()).unwrap_err();
    assert!(error.contains("line 3: it is of device two, and those before are of one"), "{error}");
    let of_two = Reading { of_device: Some("two".to_owned()), ..Reading::default() };
    assert_eq!(values(text, &of_two).unwrap(), [(3, 2_000_000_000, None)]);
}

#[test]
fn a_stretch_that_no_part_can_hold_is_told_with_its_line() {
    let head = "at,channel,rate_hz,gain,offset,samples,doubts\n";
    let stretch = |samples: usize, doubts: usize| {
        let (samples, doubts) = ("1 ".repeat(samples), "0+1:not-measured ".repeat(doubts));
        let text = format!("{head}1970-01-01T00:00:01Z,a,250,1,0,{samples},{doubts}\n");
        pieces(text.as_bytes(), &Reading::default()).map(|found| found.len())
    };
    assert_eq!(stretch(IMPORT_STRETCH_SAMPLES_MAX, 2), Ok(1));
    let error = stretch(IMPORT_STRETCH_SAMPLES_MAX + 1, 0).unwrap_err();
    assert!(error.contains("line 2: its stretch has 10001 samples"), "{error}");
    let error = stretch(1, IMPORT_STRETCH_DOUBTS_MAX + 1).unwrap_err();
    assert!(error.contains("line 2: its stretch has 5001 doubts"), "{error}");
}

proptest! {
    /// Any bytes are either a table or refused; nothing panics and nothing goes on for ever.
    #[test]
    fn any_bytes_are_read_or_refused(
        head in prop_oneof![
            Just(&b""[..]),
            Just(&b"time,hr\n"[..]),
            Just(&b"at,device,channel,value,unit,missing\n"[..]),
            Just(&b"at,channel,rate_hz,gain,offset,samples,doubts\n"[..]),
        ],
        body in prop_oneof![
            prop::collection::vec(any::<u8>(), 0..200),
            "[0-9a-zA-Z,\"\n\r .:+/-]{0,200}".prop_map(String::into_bytes),
        ],
    ) {
        let _ = pieces(&[head, &body].concat(), &mapped("hr"));
    }

    /// A line is the fields that it was made of.
    #[test]
    fn fields_are_what_was_written(written in prop::collection::vec(".*", 1..8)) {
        let quoted = written.iter().map(|it| format!("\"{}\"", it.replace('"', "\"\"")));
        let line = quoted.collect::<Vec<_>>().join(",");
        let read: Vec<String> =
            fields(line.as_bytes()).unwrap().into_iter().map(Cow::into_owned).collect();
        prop_assert_eq!(read, written);
    }
}
