//! What a device says about itself: its state, its configuration, its latest events.

use ::record::{Severity, coded};
use model::{DeviceId, Timestamp};

/// The latest that one device said about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceReport {
    /// Who says it.
    pub device: DeviceId,
    /// Whether it says that it is there; its last will says that it is not.
    pub online: Option<bool>,
    /// The version of its firmware.
    pub firmware: Option<String>,
    /// What its battery holds, in percent.
    pub battery_percent: Option<u8>,
    /// The version of the configuration in force.
    pub config: Option<String>,
    /// When the newest of these reached us.
    pub state_at: Option<Timestamp>,
    /// The latest events, newest last, at most [`crate::limits::EVENTS_SHOWN_MAX`].
    pub events: Vec<EventSeen>,
    /// How it reached us last.
    pub door: Option<DoorUsed>,
}

/// The door that a device used, as the journal knows it: each connection by MQTT, and by
/// HTTPS the first message, one from another address, and one an hour.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DoorUsed {
    /// Its word, such as `mqtt`.
    pub door: String,
    /// Address and port that the device spoke from.
    pub remote: String,
    /// When it was noted.
    pub at: Timestamp,
}

/// One event of a device.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it all")]
pub struct EventSeen {
    pub received_at: Timestamp,
    pub device_at: Option<Timestamp>,
    pub name: String,
    pub severity: Severity,
    pub text: String,
}

coded! {
    struct DeviceReport {
        0 device, 1 online, 2 firmware, 3 battery_percent, 4 config, 5 state_at, 6 events, 7 door
    }
    struct DoorUsed { 0 door, 1 remote, 2 at }
    struct EventSeen { 0 received_at, 1 device_at, 2 name, 3 severity, 4 text }
}

impl DeviceReport {
    /// Of a device that said nothing yet.
    pub const fn new(device: DeviceId) -> Self {
        Self {
            device,
            online: None,
            firmware: None,
            battery_percent: None,
            config: None,
            state_at: None,
            events: Vec::new(),
            door: None,
        }
    }

    /// Whether the device itself ever said anything of this.
    pub const fn is_said(&self) -> bool {
        self.state_at.is_some() || !self.events.is_empty()
    }
}
