//! What devices say about themselves. It decides nothing: an event of a device is no
//! alarm, and that it says it is there is no proof of it.

use ::record::{CommandResult, DeviceConfig, DeviceEvent, DeviceState};
use model::{DeviceId, Timestamp};

use super::{Core, Turn};
use crate::{
    limits::EVENTS_SHOWN_MAX,
    view::{DeviceReport, EventSeen},
};

impl Core {
    /// The latest that a device said about itself, if it ever did.
    pub fn report_of(&self, device: DeviceId) -> Option<DeviceReport> {
        self.reports.get(&device).cloned()
    }

    fn report_mut(&mut self, device: DeviceId) -> &mut DeviceReport {
        self.changes.reports.insert(device);
        self.reports.entry(device).or_insert_with(|| DeviceReport::new(device))
    }

    pub(super) fn take_event(
        &mut self,
        event: &DeviceEvent,
        received_at: Timestamp,
        turn: &mut Turn<'_>,
    ) {
        self.counters.stored += 1;
        self.heard(event.device, turn);
        let seen = EventSeen {
            received_at,
            device_at: event.device_at,
            name: event.name.clone(),
            severity: event.severity,
            text: event.text.0.clone(),
        };
        let events = &mut self.report_mut(event.device).events;
        events.push(seen);
        let over = events.len().saturating_sub(EVENTS_SHOWN_MAX);
        events.drain(..over);
    }

    pub(super) fn take_state(
        &mut self,
        state: &DeviceState,
        received_at: Timestamp,
        turn: &mut Turn<'_>,
    ) {
        self.counters.stored += 1;
        // A last will is no word of the device.
        if state.online != Some(false) {
            self.heard(state.device, turn);
        }
        let report = self.report_mut(state.device);
        let DeviceState { online, firmware, battery_percent, config, .. } = state;
        report.online = online.or(report.online);
        report.battery_percent = battery_percent.or(report.battery_percent);
        if firmware.is_some() {
            report.firmware.clone_from(firmware);
        }
        if config.is_some() {
            report.config.clone_from(config);
        }
        report.state_at = Some(received_at);
    }

    pub(super) fn take_config(
        &mut self,
        config: &DeviceConfig,
        received_at: Timestamp,
        turn: &mut Turn<'_>,
    ) {
        self.counters.stored += 1;
        self.heard(config.device, turn);
        let report = self.report_mut(config.device);
        report.config = Some(config.version.clone());
        report.state_at = Some(received_at);
    }

    /// A device says how far a command has come.
    pub(super) fn take_result(&mut self, result: &CommandResult, turn: &mut Turn<'_>) {
        self.counters.stored += 1;
        self.heard(result.device, turn);
        self.command_answered(result, turn);
    }
}
