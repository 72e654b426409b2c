//! What goes down to a device as a command, and what its answer reports.

use model::{DeviceId, Timestamp};
use serde::{Deserialize, Serialize};

/// The message on `down/cmd/{id}`:
/// `{"command": "set-interval", "args": {"interval_s": 60}, "expires_at": 1767258060}`.
///
/// The last is in seconds since 1970, so that a device with a clock refuses what comes late.
/// To a gateway it says first which of the devices behind it is meant: `"device": "…"`.
pub fn encode(
    name: &str,
    args: &[(String, i64)],
    expires_at: Timestamp,
    behind: Option<DeviceId>,
) -> String {
    #[derive(Serialize)]
    struct Message<'a> {
        #[serde(skip_serializing_if = "Option::is_none")]
        device: Option<String>,
        command: &'a str,
        args: serde_json::Map<String, serde_json::Value>,
        expires_at: i64,
    }
    // The second that has begun: it never means later than was meant.
    let expires_at = expires_at.unix_millis().div_euclid(1_000);
    let args = args.iter().map(|(name, value)| (name.clone(), (*value).into())).collect();
    // Texts and numbers always have a form in JSON.
    let device = behind.map(|device| device.to_string());
    let message = Message { device, command: name, args, expires_at };
    serde_json::to_string(&message).unwrap_or_default()
}

/// The whole numbers below `state` of an answer, such as `{"status": "done", "state": {"interval_s": 60}}`;
/// what is not a whole number reports nothing.
pub fn reported(payload: &[u8]) -> Vec<(String, i64)> {
    #[derive(Deserialize)]
    struct Answer {
        #[serde(default)]
        state: serde_json::Map<String, serde_json::Value>,
    }
    let answer: Option<Answer> = serde_json::from_slice(payload).ok();
    let state = answer.map(|answer| answer.state).unwrap_or_default();
    state.into_iter().filter_map(|(name, value)| Some((name, value.as_i64()?))).collect()
}

#[test]
fn a_command_is_a_map_and_its_answer_reports_whole_numbers() {
    let args = [("interval_s".to_owned(), 60)];
    assert_eq!(
        encode("set-interval", &args, Timestamp::from_unix_millis(1_767_258_060_999), None),
        r#"{"command":"set-interval","args":{"interval_s":60},"expires_at":1767258060}"#
    );
    assert_eq!(
        encode("blink", &[], Timestamp::from_unix_millis(1_000), None),
        r#"{"command":"blink","args":{},"expires_at":1}"#
    );
    let behind = "0192f0c1-2b3a-7c4d-8e5f-000000000003".parse().ok();
    assert_eq!(
        encode("blink", &[], Timestamp::from_unix_millis(1_000), behind),
        r#"{"device":"0192f0c1-2b3a-7c4d-8e5f-000000000003","command":"blink","args":{},"expires_at":1}"#
    );
    let check = |text: &str, want: &[(&str, i64)]| {
        let want: Vec<_> = want.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect();
        assert_eq!(reported(text.as_bytes()), want, "{text}");
    };
    check(r#"{"status":"done","state":{"interval_s":60}}"#, &[("interval_s", 60)]);
    check(r#"{"state":{"a":1,"b":1.5,"c":"2","d":null}}"#, &[("a", 1)]);
    check(r#"{"status":"done"}"#, &[]);
    check(r#"{"state":7}"#, &[]);
    check("nonsense", &[]);
}
