//! Carries out at the doors what was decided about devices: who is revoked or cut off is
//! put out, commands and configurations go down to whom they are for.
//!
//! The directory alone says what is to be done, so nothing is forgotten when a person's
//! page goes away in the middle of a request, or after a restart. What waits for a device is
//! taken back when it may not reach whoever is on the device now, or when it waits with a
//! gateway that does not speak for the device any more.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError},
};

use engine::{CommandState, Directory, view::DeviceReport};
use fleet::{
    command::{LASTS_MAX, Phase, phase},
    lifecycle::may_speak,
};
use model::{CommandId, DeviceId, Timestamp};
use transport::mqtt::{MqttHandle, Published, Reason};

use self::way::{Way, config_of, ways};
use crate::{Api, limits::WARDEN_EVERY};

mod way;

/// The way down to devices.
pub(crate) trait Down {
    /// Whether the device is connected.
    fn is_there(&self, device: DeviceId) -> bool;
    /// Whether the message is on its way, or retained.
    fn publish(&self, device: DeviceId, published: Published) -> bool;
    /// Takes back what waits for the device on a topic, or went out and was not answered.
    fn withdraw(&self, device: DeviceId, topic: &str);
    /// The topics on which something is retained for the device.
    fn retained(&self, device: DeviceId) -> Vec<String>;
}

impl Down for MqttHandle {
    fn is_there(&self, device: DeviceId) -> bool {
        self.connections().iter().any(|connection| connection.device == device)
    }

    fn publish(&self, device: DeviceId, published: Published) -> bool {
        self.publish_to(device, published).is_ok()
    }

    fn withdraw(&self, device: DeviceId, topic: &str) {
        Self::withdraw(self, device, topic);
    }

    fn retained(&self, device: DeviceId) -> Vec<String> {
        Self::retained(self, device)
    }
}

/// What was carried out already.
#[derive(Debug, Default)]
pub(crate) struct Warden(Mutex<Done>);

#[derive(Debug, Default)]
pub(crate) struct Done {
    seen: Option<Arc<Directory>>,
    /// Whether it was looked for what an earlier start left on its way.
    has_looked_back: bool,
    /// Commands that may lie in a session; a device knows one again by its number.
    sent: BTreeMap<CommandId, Sent>,
    /// What is settled of each device's configuration since the start.
    configured: BTreeMap<DeviceId, Settled>,
    /// The gateway with which a device's configuration is retained.
    left_with: BTreeMap<DeviceId, DeviceId>,
}

#[derive(Debug)]
struct Sent {
    /// Where it may lie: whose sessions, and the topic.
    at: Vec<(DeviceId, String)>,
    /// The gateway that has it for the device.
    with: Option<DeviceId>,
}

/// What became of the configuration that a device shall have.
#[derive(Debug, PartialEq, Eq)]
enum Settled {
    /// This version is retained for the device.
    Retained(String),
    /// The device was put on a patient and had reported its version already.
    InForce,
    /// The device is on a patient and did not report its version: it is taken back.
    Withheld,
}

impl Api {
    /// Carries out what is due until the server stops.
    pub async fn keep_watch(self: Arc<Self>) {
        let mut stopping = self.stopping();
        loop {
            // At once after a start: what lies in sessions may be meant for somebody else.
            self.carry_out();
            self.withhold_configurations().await;
            tokio::select! {
                _ = stopping.wait_for(|stop| *stop) => return,
                () = self.clock.sleep_until(self.clock.now().after(WARDEN_EVERY)) => {}
            }
        }
    }

    /// Carries out what is due now.
    pub(crate) fn carry_out(&self) {
        let mut done = self.warden.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Read when it is our turn, so that nothing is sent by what held a moment ago.
        let directory = self.engine.directory();
        let now = self.clock.now();
        let is_new = !done.seen.as_ref().is_some_and(|seen| Arc::ptr_eq(seen, &directory));
        if is_new {
            self.put_out_revoked(&directory);
        }
        if let Some(mqtt) = &self.mqtt {
            if is_new {
                put_out_cut_off(mqtt, &directory);
            }
            done.take_back(mqtt, &directory, now);
            done.configure(mqtt, &directory);
            done.send(mqtt, &directory, now);
        }
        done.seen = Some(directory);
    }

    /// Takes back the configurations that devices on patients have not taken up yet.
    async fn withhold_configurations(&self) {
        let Some(mqtt) = &self.mqtt else { return };
        let done = || self.warden.0.lock().unwrap_or_else(PoisonError::into_inner);
        let devices = done().in_doubt(&self.engine.directory());
        if devices.is_empty() {
            return;
        }
        let Some(reports) = self.engine.device_reports(devices.clone()).await else { return };
        done().withhold(mqtt, &self.engine.directory(), &devices, &reports);
    }

    /// Revokes at the doors what a person revoked, and closes the connections of its devices.
    fn put_out_revoked(&self, directory: &Directory) {
        for certificate in directory.certificates.values() {
            let is_new = certificate.revoked_at.is_some()
                && !self.revocations.is_revoked(&certificate.serial);
            if is_new {
                self.revocations.revoke(&certificate.serial);
                if let Some(mqtt) = &self.mqtt {
                    mqtt.disconnect(certificate.device, Reason::NotAuthorized);
                }
            }
        }
    }
}

fn put_out_cut_off(mqtt: &MqttHandle, directory: &Directory) {
    let connected: BTreeSet<DeviceId> =
        mqtt.connections().into_iter().map(|connection| connection.device).collect();
    for id in connected {
        let state = directory.devices.get(&id).map(|device| device.lifecycle);
        // The program's own watchdog is no device of the directory's life.
        if state.is_some_and(|state| !may_speak(state)) {
            mqtt.disconnect(id, Reason::Banned);
        }
    }
}

impl Done {
    /// Takes back the commands that may not reach their devices any more: what is over, was
    /// withdrawn, is not kept any more, or was meant for somebody who is not on the device now.
    pub(crate) fn take_back(&mut self, down: &impl Down, directory: &Directory, now: Timestamp) {
        if !self.has_looked_back {
            self.has_looked_back = true;
            self.look_back(directory, now);
            self.left_with = config_of(down, directory);
        }
        self.sent.retain(|id, sent| {
            let state = directory.commands.get(id);
            let may = state.is_some_and(|state| directory.may_reach(state, now));
            let speaks = |state: &CommandState| directory.gateway_of(state.command.device);
            let still = sent.with.is_none() || sent.with == state.and_then(speaks);
            if !(may && still) {
                sent.at.iter().for_each(|(owner, topic)| down.withdraw(*owner, topic));
            }
            may && still
        });
    }

    /// Finds the commands that were sent before this start; those still to be sent are sent again.
    fn look_back(&mut self, directory: &Directory, now: Timestamp) {
        for (id, state) in &directory.commands {
            let life = state.life();
            let was_sent = !life.needs_second || life.is_seconded;
            let is_past = now > state.command.expires_at.after(LASTS_MAX);
            let is_running = phase(&life, now) == Phase::Running;
            if !was_sent || is_past || (directory.may_reach(state, now) && !is_running) {
                continue;
            }
            let ways = ways(directory, state.command.device);
            let at = ways.iter().map(|way| (way.owner, way.command(*id))).collect();
            self.sent.insert(*id, Sent { at, with: None });
        }
    }

    /// Publishes commands to devices that are there, or whose gateway is; the others are tried
    /// again until they expire.
    pub(crate) fn send(&mut self, down: &impl Down, directory: &Directory, now: Timestamp) {
        for (id, state) in &directory.commands {
            // Whoever is on the device now is whom the person had in mind.
            if self.sent.contains_key(id) || !directory.is_to_be_sent(state, now) {
                continue;
            }
            let takes = |way: &Way| {
                down.is_there(way.owner) && down.publish(way.owner, way.telling(&state.command))
            };
            if let Some(way) = ways(directory, state.command.device).into_iter().find(takes) {
                let at = vec![(way.owner, way.command(*id))];
                self.sent.insert(*id, Sent { at, with: way.gateway() });
            }
        }
    }

    /// Publishes the configuration that a device shall have; it is kept for devices that come
    /// later, but not for one on a patient.
    pub(crate) fn configure(&mut self, down: &impl Down, directory: &Directory) {
        self.leave_former_gateways(down, directory);
        for (id, state) in &directory.configs {
            let version = &state.config.version;
            let is_settled = match self.configured.get(id) {
                Some(Settled::Retained(settled)) => settled == version,
                Some(Settled::InForce | Settled::Withheld) | None => false,
            };
            let gateway = directory.gateway_of(*id);
            let is_with_it = gateway == self.left_with.get(id).copied();
            if (is_settled && is_with_it) || directory.is_on_patient(*id) {
                continue;
            }
            let ways = ways(directory, *id);
            // All of them, however the first one goes.
            let unsent =
                ways.iter().filter(|way| !down.publish(way.owner, way.configuring(&state.config)));
            if unsent.count() == 0 && !ways.is_empty() {
                self.configured.insert(*id, Settled::Retained(version.clone()));
                self.left_with.extend(gateway.map(|gateway| (*id, gateway)));
            }
        }
    }

    /// Ends the configurations of devices that their gateway does not speak for any more.
    fn leave_former_gateways(&mut self, down: &impl Down, directory: &Directory) {
        self.left_with.retain(|device, gateway| {
            let speaks = directory.gateway_of(*device) == Some(*gateway);
            let way = Way::by(directory, *gateway, *device);
            speaks || way.is_some_and(|way| !end(down, &way))
        });
    }

    /// The devices on patients of which it has to be asked whether their configuration is in force.
    pub(crate) fn in_doubt(&self, directory: &Directory) -> Vec<DeviceId> {
        let configured = directory.configs.keys().copied();
        configured
            .filter(|id| directory.is_on_patient(*id))
            .filter(|id| match self.configured.get(id) {
                Some(Settled::Retained(_)) | None => true,
                Some(Settled::InForce | Settled::Withheld) => false,
            })
            .collect()
    }

    /// Takes back the configuration of each of these `devices` that is on a patient and did not
    /// report its version; it is published again when the device is taken off.
    pub(crate) fn withhold(
        &mut self,
        down: &impl Down,
        directory: &Directory,
        devices: &[DeviceId],
        reports: &[DeviceReport],
    ) {
        for id in self.in_doubt(directory).into_iter().filter(|id| devices.contains(id)) {
            let wanted = directory.configs.get(&id).map(|state| &state.config.version);
            let report = reports.iter().find(|report| report.device == id);
            if wanted.is_some() && report.and_then(|report| report.config.as_ref()) == wanted {
                self.configured.insert(id, Settled::InForce);
                continue;
            }
            let ways = ways(directory, id);
            let unended = ways.iter().filter(|way| !end(down, way)).count();
            if unended == 0 && !ways.is_empty() {
                self.configured.insert(id, Settled::Withheld);
                self.left_with.remove(&id);
            }
        }
    }
}

/// Ends the configuration that is retained on a way; it goes as well from where it waits.
fn end(down: &impl Down, way: &Way) -> bool {
    let ends = way.configuring_nothing();
    let topic = ends.topic.clone();
    let is_ended = down.publish(way.owner, ends);
    down.withdraw(way.owner, &topic);
    is_ended
}
