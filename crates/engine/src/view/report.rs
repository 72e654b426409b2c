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
        0 device, 1 online, 2 firmware, 3 battery_percent, 4 config, 5 state_at, 6 events
    }
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
        }
    }
}
