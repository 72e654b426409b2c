//! What a device says about itself, on a screen.

use record::Severity;
use serde::Serialize;
use utoipa::ToSchema;

use super::words::time;

/// The latest that a device said about itself; it is the device's word and no proof.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct DeviceReport {
    /// Whether it says that it is there; its last will says that it is not.
    online: Option<bool>,
    firmware: Option<String>,
    /// What its battery holds, in percent.
    battery_percent: Option<u8>,
    /// The version of the configuration in force.
    config: Option<String>,
    /// When the newest of these reached us.
    state_at: Option<String>,
    /// The latest events, newest first.
    events: Vec<DeviceEvent>,
}

/// Something that a device says happened; it is no alarm.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct DeviceEvent {
    /// When it reached us.
    received_at: String,
    /// When it happened, by the device's clock.
    device_at: Option<String>,
    /// The device's word for it; `log` for a line of its log.
    name: String,
    /// `debug`, `info`, `warning` or `error`.
    severity: &'static str,
    /// The device's own words.
    text: String,
}

impl DeviceReport {
    pub(crate) fn of(it: &engine::view::DeviceReport) -> Self {
        let event = |it: &engine::view::EventSeen| DeviceEvent {
            received_at: time(it.received_at),
            device_at: it.device_at.map(time),
            name: it.name.clone(),
            severity: match it.severity {
                Severity::Debug => "debug",
                Severity::Info => "info",
                Severity::Warning => "warning",
                Severity::Error => "error",
            },
            text: it.text.clone(),
        };
        Self {
            online: it.online,
            firmware: it.firmware.clone(),
            battery_percent: it.battery_percent,
            config: it.config.clone(),
            state_at: it.state_at.map(time),
            events: it.events.iter().rev().map(event).collect(),
        }
    }

    /// Without the device's own words, for those who see no patients: they may name one.
    pub(crate) fn without_words(mut self) -> Self {
        for event in &mut self.events {
            event.text.clear();
        }
        self
    }
}
