//! What devices say about themselves: events, their state, the configuration in force,
//! and what became of commands. Each keeps the message as it came beside what was read.

use model::{CommandId, DeviceId, Redacted, Timestamp};

use crate::{Counted, coded};

coded! {
    struct DeviceEvent {
        0 device, 1 counted, 2 device_at, 3 name, 4 severity, 5 text, 6 payload,
        7 gateway_at
    }
    enum Severity { 0 Debug, 1 Info, 2 Warning, 3 Error }
    struct DeviceState {
        0 device, 1 counted, 2 device_at, 3 online, 4 firmware, 5 battery_percent, 6 config,
        7 payload, 8 gateway_at
    }
    struct DeviceConfig {
        0 device, 1 counted, 2 device_at, 3 version, 4 payload, 5 gateway_at
    }
    struct CommandResult {
        0 device, 1 command, 2 counted, 3 device_at, 4 status, 5 text, 6 payload,
        7 gateway_at
    }
    enum CommandStatus { 0 Received, 1 Running, 2 Done, 3 Failed, 4 Refused }
}

/// Something that a device says happened, or a line of its log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceEvent {
    /// Who says it.
    pub device: DeviceId,
    /// Its place in the device's count, if it counts.
    pub counted: Option<Counted>,
    /// When it happened, by the device's clock.
    pub device_at: Option<Timestamp>,
    /// The device's word for it, such as `nurse-call`; `log` for a line of its log.
    pub name: String,
    /// How much it matters to those who look after devices.
    pub severity: Severity,
    /// The device's own words.
    pub text: Redacted<String>,
    /// The message.
    pub payload: Vec<u8>,
    /// When it reached us first, if it lay as a dead letter since; it says nothing of now.
    pub gateway_at: Option<Timestamp>,
}

/// How much an event matters to those who look after devices; it is no alarm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the names say it all")]
pub enum Severity {
    Debug,
    Info,
    Warning,
    Error,
}

/// How a device says it is; what it leaves out is as it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceState {
    /// Who says it, or whose last will says it.
    pub device: DeviceId,
    /// Its place in the device's count, if it counts.
    pub counted: Option<Counted>,
    /// Since when it is so, by the device's clock.
    pub device_at: Option<Timestamp>,
    /// Whether the device is there.
    pub online: Option<bool>,
    /// The version of its firmware.
    pub firmware: Option<String>,
    /// What its battery holds, in percent.
    pub battery_percent: Option<u8>,
    /// The version of the configuration in force.
    pub config: Option<String>,
    /// The message.
    pub payload: Vec<u8>,
    /// When it reached us first, if it lay as a dead letter since; it says nothing of now.
    pub gateway_at: Option<Timestamp>,
}

/// The configuration that is in force on a device, as it reports it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceConfig {
    /// Who reports it.
    pub device: DeviceId,
    /// Its place in the device's count, if it counts.
    pub counted: Option<Counted>,
    /// Since when it is in force, by the device's clock.
    pub device_at: Option<Timestamp>,
    /// The version that the desired configuration was given.
    pub version: String,
    /// The message.
    pub payload: Vec<u8>,
    /// When it reached us first, if it lay as a dead letter since; it says nothing of now.
    pub gateway_at: Option<Timestamp>,
}

/// What a device says became of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandResult {
    /// Who says it.
    pub device: DeviceId,
    /// Which command.
    pub command: CommandId,
    /// Its place in the device's count, if it counts.
    pub counted: Option<Counted>,
    /// When, by the device's clock.
    pub device_at: Option<Timestamp>,
    /// What became of it.
    pub status: CommandStatus,
    /// The device's own words.
    pub text: Redacted<String>,
    /// The message.
    pub payload: Vec<u8>,
    /// When it reached us first, if it lay as a dead letter since; it says nothing of now.
    pub gateway_at: Option<Timestamp>,
}

/// How far a command has come on the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names say it all")]
pub enum CommandStatus {
    Received,
    Running,
    Done,
    Failed,
    Refused,
}
