//! One of each wish about devices in use, with fixed contents.

use model::{DesiredConfig, DeviceCommand, Line, Subject};

use super::samples::{at, id};
use crate::Wish;

/// The wishes with their names among the golden lines.
pub(super) fn wishes() -> Vec<(&'static str, Wish)> {
    let command = DeviceCommand {
        id: id(21),
        device: id(7),
        name: "set-interval".into(),
        args: vec![("interval_s".into(), 60)],
        on: Subject::Patient(id(8)),
        needs_second: true,
        expires_at: at(60),
    };
    let config =
        DesiredConfig { device: id(7), version: "3".into(), json: r#"{"sound":false}"#.into() };
    let line = |value| Line { key: id(7), value, from: at(0), known_at: at(1) };
    let (device, code_hash, expires_at) = (id(7), [9; 32], at(600));
    vec![
        ("send-command", Wish::SendCommand(command)),
        ("second-command", Wish::SecondCommand(id(21))),
        ("withdraw-command", Wish::WithdrawCommand(id(21))),
        ("configure", Wish::Configure(config)),
        ("bind", Wish::Bind(line(Some(id(22))))),
        ("bind-none-2", Wish::Bind(line(None))),
        ("offer-claim", Wish::OfferClaim { device, code_hash, expires_at }),
        (
            "claim",
            Wish::Claim { code_hash, care_unit: Some(id(3)), subject: Subject::Place(id(5)) },
        ),
    ]
}
