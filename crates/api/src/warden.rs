//! Carries out at the doors what was decided about devices: who is revoked or cut off is
//! put out, commands and configurations go down to whom they are for.
//!
//! The directory alone says what is to be done, so nothing is forgotten when a person's
//! page goes away in the middle of a request, or after a restart.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError},
};

use engine::Directory;
use fleet::{
    command::{Phase, phase},
    lifecycle::may_speak,
};
use model::{CommandId, DeviceId, Timestamp};
use transport::mqtt::{MqttHandle, Published, Qos, Reason};

use crate::{Api, limits::WARDEN_EVERY};

/// What was carried out already.
#[derive(Debug, Default)]
pub(crate) struct Warden(Mutex<Done>);

#[derive(Debug, Default)]
struct Done {
    seen: Option<Arc<Directory>>,
    /// Commands that were published since the start; a device knows one again by its number.
    sent: BTreeSet<CommandId>,
    /// The version that was published to each device since the start.
    configured: BTreeMap<DeviceId, String>,
}

impl Api {
    /// Carries out what is due until the server stops.
    pub async fn keep_watch(self: Arc<Self>) {
        let mut stopping = self.stopping();
        loop {
            tokio::select! {
                _ = stopping.wait_for(|stop| *stop) => return,
                () = self.clock.sleep_until(self.clock.now().after(WARDEN_EVERY)) => {}
            }
            self.carry_out();
        }
    }

    /// Carries out what is due now.
    pub(crate) fn carry_out(&self) {
        let directory = self.engine.directory();
        let now = self.clock.now();
        let mut done = self.warden.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_new = !done.seen.as_ref().is_some_and(|seen| Arc::ptr_eq(seen, &directory));
        if is_new {
            self.put_out_revoked(&directory);
        }
        if let Some(mqtt) = &self.mqtt {
            if is_new {
                put_out_cut_off(mqtt, &directory);
                configure(mqtt, &directory, &mut done.configured);
            }
            send(mqtt, &directory, now, &mut done.sent);
        }
        done.seen = Some(directory);
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

/// Publishes commands to devices that are there; the others are tried again until they expire.
fn send(mqtt: &MqttHandle, directory: &Directory, now: Timestamp, sent: &mut BTreeSet<CommandId>) {
    sent.retain(|id| directory.commands.contains_key(id));
    for (id, state) in &directory.commands {
        if sent.contains(id) || phase(&state.life(), now) != Phase::Sent {
            continue;
        }
        let command = &state.command;
        let Some(device) = directory.devices.get(&command.device) else { continue };
        // Whoever is on the device now is whom the person had in mind.
        if directory.subject_of(device.id) != command.on {
            continue;
        }
        let published = Published {
            topic: format!("wl/1/{}/{}/down/cmd/{id}", device.site, device.id),
            content_type: Some("application/json".to_owned()),
            payload: protocols::command::encode(&command.name, &command.args).into(),
            qos: Qos::AtLeastOnce,
            expires_at: Some(command.expires_at),
            retain: false,
        };
        let is_there = mqtt.connections().iter().any(|connection| connection.device == device.id);
        if is_there && mqtt.publish_to(device.id, published).is_ok() {
            sent.insert(*id);
        }
    }
}

/// Publishes the configuration that a device shall have; it is kept for devices that come later.
fn configure(
    mqtt: &MqttHandle,
    directory: &Directory,
    configured: &mut BTreeMap<DeviceId, String>,
) {
    for (id, state) in &directory.configs {
        if configured.get(id) == Some(&state.config.version) {
            continue;
        }
        let Some(device) = directory.devices.get(id) else { continue };
        let version = &state.config.version;
        let published = Published {
            topic: format!("wl/1/{}/{id}/down/cfg", device.site),
            content_type: Some("application/json".to_owned()),
            payload: config_message(version, &state.config.json).into(),
            qos: Qos::AtLeastOnce,
            expires_at: None,
            retain: true,
        };
        if mqtt.publish_to(*id, published).is_ok() {
            configured.insert(*id, version.clone());
        }
    }
}

/// `{"version": "3", "config": {…}}`; what a person wrote was checked to be a map.
fn config_message(version: &str, json: &str) -> String {
    let version = serde_json::Value::from(version);
    format!(r#"{{"version":{version},"config":{json}}}"#)
}

#[test]
fn a_configuration_goes_down_with_its_version() {
    let message = config_message("3 \"b\"", r#"{"sound":false}"#);
    let read: serde_json::Value = serde_json::from_str(&message).unwrap();
    assert_eq!(read["version"], "3 \"b\"");
    assert_eq!(read["config"]["sound"], false);
}
