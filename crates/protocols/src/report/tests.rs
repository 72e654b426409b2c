//! Reports: what is read, what is refused by name, and no bytes that panic.

use proptest::prelude::*;

use super::*;

#[test]
fn the_examples_of_the_reference_are_read() {
    let page = include_str!("../../../../docs/reference/device-protocol.md");
    let mut read = 0;
    for block in page.split("```json ").skip(1) {
        let (kind, rest) = block.split_once('\n').unwrap();
        let example = rest.split("```").next().unwrap().as_bytes();
        let outcome = match kind {
            "event" => event(Some(JSON), example).map(drop),
            "log" => log(Some(JSON), example).map(drop),
            "state" => state(Some(JSON), example).map(drop),
            "cfg" => config(Some(JSON), example).map(drop),
            "cmd" => command_result(Some(JSON), example).map(drop),
            other => unreachable!("no report is called {other}"),
        };
        assert_eq!(outcome, Ok(()), "{}", String::from_utf8_lossy(example));
        read += 1;
    }
    assert!(read >= 6, "{read} examples");
}

#[test]
fn an_event_says_what_when_and_how_much_it_matters() {
    let said = br#"{"event":"nurse-call","severity":"warning","text":"button",
        "at":1700000000.25,"boot":"00000000000000a3","seq":7,"more":{"x":[1]}}"#;
    let stamp = Stamp {
        at: Some(Timestamp::from_unix_nanos(1_700_000_000_250_000_000)),
        counted: Some((0xa3, 7)),
    };
    let (name, text) = ("nurse-call".to_owned(), Redacted("button".to_owned()));
    let want = Event { stamp, name, severity: Severity::Warning, text };
    assert_eq!(event(None, said), Ok(want));
    let bare = event(Some("application/json; charset=utf-8"), br#"{"event":"a"}"#).unwrap();
    assert_eq!((bare.severity, bare.stamp), (Severity::Info, Stamp::default()));
}

#[test]
fn a_state_leaves_out_what_is_as_it_was() {
    let check = |said: &str, want: (Option<bool>, Option<u8>, Option<&str>)| {
        let state = state(None, said.as_bytes()).unwrap();
        assert_eq!((state.online, state.battery_percent, state.config.as_deref()), want, "{said}");
    };
    check("{}", (None, None, None));
    check(r#"{"online":false}"#, (Some(false), None, None));
    check(r#"{"battery_percent":81.9,"config":"12"}"#, (None, Some(81), Some("12")));
    check(r#"{"battery_percent":100}"#, (None, Some(100), None));
    check(r#"{"battery_percent":0}"#, (None, Some(0), None));
}

#[test]
fn what_is_no_report_is_refused_by_name() {
    let check = |said: &str, want: &str| {
        let events = event(None, said.as_bytes()).map(drop);
        let told =
            events.and_then(|()| state(None, said.as_bytes()).map(drop)).unwrap_err().to_string();
        assert_eq!(told, want, "{said}");
    };
    check("", "the report is not a map in JSON at line 1, column 0");
    check("[]", "the report is not a map in JSON at line 1, column 0");
    check("{\"event\"", "the report is not a map in JSON at line 1, column 8");
    check("{}", "`event` is missing; a text of 1 to 64 of `A-Z a-z 0-9 . _ -` is expected");
    check(r#"{"event":"two words"}"#, "`event` is not a text of 1 to 64 of `A-Z a-z 0-9 . _ -`");
    check(r#"{"event":"a","event":"b"}"#, "`event` stands twice");
    check(r#"{"event":"a","severity":"bad"}"#, &format!("`severity` is not {A_SEVERITY}"));
    check(
        r#"{"event":"a","seq":1}"#,
        "`boot` is missing; `boot` and `seq`, or neither, is expected",
    );
    check(r#"{"event":"a","at":"now"}"#, "`at` is not seconds since 1970");
    check(r#"{"event":"a","at":1e30}"#, "`at` is not seconds since 1970");
    check(
        r#"{"event":"a","battery_percent":100.1}"#,
        "`battery_percent` is not a number from 0 to 100",
    );
    check(
        r#"{"event":"a","battery_percent":-1}"#,
        "`battery_percent` is not a number from 0 to 100",
    );
    check(r#"{"event":"a","online":"yes"}"#, "`online` is not true or false");
    check(r#"{"event":"a","firmware":""}"#, "`firmware` is not a text of 1 to 64 characters");
    let long = format!(r#"{{"event":"a","text":"{}"}}"#, "x".repeat(REPORT_TEXT_LEN_MAX + 1));
    check(&long, "`text` is not a text of at most 4096 bytes");
    let fits = format!(r#"{{"event":"a","text":"{}"}}"#, "x".repeat(REPORT_TEXT_LEN_MAX));
    assert!(event(None, fits.as_bytes()).is_ok());
    let huge = vec![b' '; PAYLOAD_LEN_MAX + 1];
    assert_eq!(event(None, &huge).unwrap_err().field(), "len");
    let cbor = event(Some("application/cbor"), b"{}").unwrap_err();
    assert_eq!(cbor.to_string(), "content type `application/cbor` is not application/json");
    assert_eq!(config(None, b"{}").unwrap_err().field(), "version");
    assert_eq!(command_result(None, br#"{"status":"maybe"}"#).unwrap_err().field(), "status");
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes: Vec<u8>) {
        let _ = (event(None, &bytes), log(None, &bytes), state(None, &bytes));
        let _ = (config(None, &bytes), command_result(None, &bytes));
    }

    #[test]
    fn a_percentage_is_never_shown_as_fuller_than_it_is(thousandths in 0_u32..=100_000) {
        let said = format!(r#"{{"battery_percent":{}.{:03}}}"#, thousandths / 1_000, thousandths % 1_000);
        let read = state(None, said.as_bytes()).unwrap().battery_percent;
        prop_assert_eq!(read.map(u32::from), Some(thousandths / 1_000));
    }
}
