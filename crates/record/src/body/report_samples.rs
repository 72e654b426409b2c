//! What devices say about themselves, to test with.

use model::{Redacted, Timestamp};
use proptest::{option, prelude::*};

use super::samples::id;
use crate::{
    Body, CommandResult, CommandStatus, Counted, DeviceConfig, DeviceEvent, DeviceState, Severity,
};

fn at(second: i64) -> Timestamp {
    Timestamp::from_unix_nanos((1_700_000_000 + second) * 1_000_000_000)
}

fn event() -> DeviceEvent {
    DeviceEvent {
        device: id(7),
        counted: Some(Counted { boot: 3, seq: 9 }),
        device_at: Some(at(0)),
        name: "nurse-call".into(),
        severity: Severity::Warning,
        text: Redacted("button".into()),
        payload: b"{}".to_vec(),
        gateway_at: None,
    }
}

fn state() -> DeviceState {
    DeviceState {
        device: id(7),
        counted: None,
        device_at: Some(at(1)),
        online: Some(true),
        firmware: Some("2.4.1".into()),
        battery_percent: Some(81),
        config: Some("12".into()),
        payload: b"{}".to_vec(),
        gateway_at: None,
    }
}

fn result() -> CommandResult {
    CommandResult {
        device: id(7),
        command: id(15),
        counted: None,
        device_at: None,
        status: CommandStatus::Done,
        text: Redacted(String::new()),
        payload: b"{}".to_vec(),
        gateway_at: None,
    }
}

/// One of each shape, by the name of its golden line.
pub(crate) fn reports() -> Vec<(&'static str, Body)> {
    let bare = DeviceState {
        device_at: None,
        online: None,
        firmware: None,
        battery_percent: None,
        config: None,
        ..state()
    };
    let config = DeviceConfig {
        device: id(7),
        counted: None,
        device_at: None,
        version: "12".into(),
        payload: b"{}".to_vec(),
        gateway_at: None,
    };
    let gateway_at = Some(at(2));
    vec![
        ("event", Body::Event(event())),
        ("state", Body::State(state())),
        ("state-bare", Body::State(bare)),
        ("config", Body::Config(config.clone())),
        ("command-result", Body::CommandResult(result())),
        ("event-replayed", Body::Event(DeviceEvent { gateway_at, ..event() })),
        ("state-replayed", Body::State(DeviceState { gateway_at, ..state() })),
        ("config-replayed", Body::Config(DeviceConfig { gateway_at, ..config })),
        ("command-result-replayed", Body::CommandResult(CommandResult { gateway_at, ..result() })),
    ]
}

/// Any report of a device.
pub(crate) fn any_report() -> impl Strategy<Value = Body> {
    let at = || option::of(any::<i64>().prop_map(Timestamp::from_unix_nanos));
    let counted = || option::of(any::<(u64, u64)>().prop_map(|(boot, seq)| Counted { boot, seq }));
    let severity = prop::sample::select(vec![
        Severity::Debug,
        Severity::Info,
        Severity::Warning,
        Severity::Error,
    ]);
    let status = prop::sample::select(vec![
        CommandStatus::Received,
        CommandStatus::Running,
        CommandStatus::Done,
        CommandStatus::Failed,
        CommandStatus::Refused,
    ]);
    prop_oneof![
        (counted(), at(), severity, any::<(String, String, Vec<u8>)>()).prop_map(
            |(counted, device_at, severity, (name, text, payload))| {
                let text = Redacted(text);
                let event = event();
                Body::Event(DeviceEvent {
                    counted,
                    device_at,
                    severity,
                    name,
                    text,
                    payload,
                    ..event
                })
            }
        ),
        (at(), any::<(Option<bool>, Option<u8>, Option<String>, Option<String>)>()).prop_map(
            |(device_at, (online, battery_percent, firmware, config))| {
                let state = state();
                Body::State(DeviceState {
                    device_at,
                    online,
                    battery_percent,
                    firmware,
                    config,
                    ..state
                })
            }
        ),
        (counted(), status, any::<Vec<u8>>()).prop_map(|(counted, status, payload)| {
            Body::CommandResult(CommandResult { counted, status, payload, ..result() })
        }),
    ]
}
