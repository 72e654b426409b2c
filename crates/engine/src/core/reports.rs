//! What devices say about themselves. It decides nothing: an event of a device is no
//! alarm, and that it says it is there is no proof of it.

use ::record::{CommandResult, DeviceConfig, DeviceEvent, DeviceState};
use fleet::coverage::Link;
use model::{DeviceId, Timestamp};

use super::{Core, Turn};
use crate::{
    limits::EVENTS_SHOWN_MAX,
    view::{DeviceReport, DoorUsed, EventSeen},
};

impl Core {
    /// The latest that a device said about itself, if it ever did.
    pub fn report_of(&self, device: DeviceId) -> Option<DeviceReport> {
        self.reports.get(&device).cloned()
    }

    /// A device used this door, from this address. No screen is told: it says nothing of now.
    pub(super) fn note_door(&mut self, device: DeviceId, door: &str, remote: &str, at: Timestamp) {
        let report = self.reports.entry(device).or_insert_with(|| DeviceReport::new(device));
        let (door, remote) = (door.to_owned(), remote.to_owned());
        report.door = Some(DoorUsed { door, remote, at });
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
        self.heard_unless_kept(event.device, event.gateway_at, turn);
        // One that lay here as a dead letter takes its place among the others.
        let received_at = event.gateway_at.unwrap_or(received_at);
        let seen = EventSeen {
            received_at,
            device_at: event.device_at,
            name: event.name.clone(),
            severity: event.severity,
            text: event.text.0.clone(),
        };
        let events = &mut self.report_mut(event.device).events;
        let place = match event.gateway_at {
            Some(at) => events.partition_point(|other| other.received_at <= at),
            None => events.len(),
        };
        events.insert(place, seen);
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
            self.heard_unless_kept(state.device, state.gateway_at, turn);
        }
        let known = self.reports.get(&state.device).and_then(|report| report.online);
        if let Some(online) = state.online.filter(|it| known != Some(*it))
            && state.gateway_at.is_none()
        {
            self.note_link(state.device, if online { Link::Up } else { Link::Away }, turn);
        }
        let report = self.report_mut(state.device);
        let DeviceState { online, battery_percent, .. } = *state;
        let (firmware, config) = (state.firmware.clone(), state.config.clone());
        if is_outdated(report, state.gateway_at) {
            // What came since stands; what nobody has said since is as it was.
            report.online = report.online.or(online);
            report.battery_percent = report.battery_percent.or(battery_percent);
            report.firmware = report.firmware.take().or(firmware);
            report.config = report.config.take().or(config);
            return;
        }
        report.online = online.or(report.online);
        report.battery_percent = battery_percent.or(report.battery_percent);
        report.firmware = firmware.or(report.firmware.take());
        report.config = config.or(report.config.take());
        report.state_at = Some(state.gateway_at.unwrap_or(received_at));
    }

    pub(super) fn take_config(
        &mut self,
        config: &DeviceConfig,
        received_at: Timestamp,
        turn: &mut Turn<'_>,
    ) {
        self.counters.stored += 1;
        self.heard_unless_kept(config.device, config.gateway_at, turn);
        let report = self.report_mut(config.device);
        if is_outdated(report, config.gateway_at) {
            report.config.get_or_insert_with(|| config.version.clone());
            return;
        }
        report.config = Some(config.version.clone());
        report.state_at = Some(config.gateway_at.unwrap_or(received_at));
    }

    /// A device says how far a command has come.
    pub(super) fn take_result(&mut self, result: &CommandResult, turn: &mut Turn<'_>) {
        self.counters.stored += 1;
        self.heard_unless_kept(result.device, result.gateway_at, turn);
        let state = self.directory.commands.get(&result.command);
        let answered_at = state.and_then(|state| Some(state.answer.as_ref()?.at));
        // What the device said since stands.
        if result.gateway_at.is_none_or(|at| answered_at.is_none_or(|answered| answered <= at)) {
            self.command_answered(result, turn);
        }
    }
}

/// Whether a report that lay here as a dead letter since `gateway_at` is older than what
/// the device has said since; one that came just now never is.
fn is_outdated(report: &DeviceReport, gateway_at: Option<Timestamp>) -> bool {
    gateway_at.is_some_and(|at| report.state_at.is_some_and(|newest| newest > at))
}
