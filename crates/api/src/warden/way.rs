//! The ways down to a device: its own topics, and those of the gateway that speaks for it.
//!
//! ```text
//!   itself        wl/1/{site}/{device}/down/cmd/{id}             …/down/cfg
//!   its gateway   wl/1/{site}/$gw/{gateway}/down/cmd/{id}        …/down/cfg/{device}
//! ```
//! What goes to a gateway names the device, as what comes from one does. A configuration has
//! a topic for each device, as one message is retained on each.

use std::collections::BTreeMap;

use engine::Directory;
use model::{CommandId, DesiredConfig, DeviceCommand, DeviceId};
use transport::mqtt::{Published, Qos};

use super::Down;

/// One way down to a device.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Way {
    /// Whose session it goes by.
    pub(super) owner: DeviceId,
    /// What its topics begin with.
    down: String,
    /// The device behind the owner, if the owner is its gateway.
    behind: Option<DeviceId>,
}

/// The ways down to a device as it is now, its own first.
pub(super) fn ways(directory: &Directory, device: DeviceId) -> Vec<Way> {
    let own = directory.devices.get(&device).map(|it| Way {
        owner: device,
        down: format!("wl/1/{}/{device}/down", it.site),
        behind: None,
    });
    let gateway = directory.gateway_of(device);
    own.into_iter().chain(gateway.and_then(|it| Way::by(directory, it, device))).collect()
}

/// The devices of which a configuration is retained with a gateway, each with that gateway.
pub(super) fn config_of(down: &impl Down, directory: &Directory) -> BTreeMap<DeviceId, DeviceId> {
    let of = |gateway: DeviceId| {
        let begins = format!("/$gw/{gateway}/down/cfg/");
        let topics = down.retained(gateway).into_iter();
        topics.filter_map(move |topic| {
            let (_, device) = topic.split_once(&begins)?;
            Some((device.parse().ok()?, gateway))
        })
    };
    directory.devices.keys().flat_map(|device| of(*device)).collect()
}

impl Way {
    /// The way down to a device by a gateway.
    pub(super) fn by(directory: &Directory, gateway: DeviceId, device: DeviceId) -> Option<Self> {
        let site = directory.devices.get(&gateway)?.site;
        let down = format!("wl/1/{site}/$gw/{gateway}/down");
        Some(Self { owner: gateway, down, behind: Some(device) })
    }

    /// The gateway, if it goes by one.
    pub(super) fn gateway(&self) -> Option<DeviceId> {
        self.behind.map(|_| self.owner)
    }

    /// The topic of a command.
    pub(super) fn command(&self, id: CommandId) -> String {
        format!("{}/cmd/{id}", self.down)
    }

    /// A command, until it expires.
    pub(super) fn telling(&self, command: &DeviceCommand) -> Published {
        let (name, args, expires_at) = (&command.name, &command.args, command.expires_at);
        let payload = protocols::command::encode(name, args, expires_at, self.behind);
        let topic = self.command(command.id);
        Published { expires_at: Some(expires_at), ..published(topic, payload) }
    }

    /// A configuration, to be retained.
    pub(super) fn configuring(&self, config: &DesiredConfig) -> Published {
        let message = config_message(&config.version, &config.json, self.behind);
        Published { retain: true, ..published(self.configuration(), message) }
    }

    /// The end of what is retained.
    pub(super) fn configuring_nothing(&self) -> Published {
        Published { retain: true, ..published(self.configuration(), String::new()) }
    }

    fn configuration(&self) -> String {
        match self.behind {
            None => format!("{}/cfg", self.down),
            Some(device) => format!("{}/cfg/{device}", self.down),
        }
    }
}

/// A message in JSON that nobody keeps and that has no end.
fn published(topic: String, payload: String) -> Published {
    Published {
        topic,
        content_type: Some("application/json".to_owned()),
        payload: payload.into(),
        qos: Qos::AtLeastOnce,
        expires_at: None,
        retain: false,
    }
}

/// `{"version": "3", "config": {…}}`; what a person wrote was checked to be a map.
fn config_message(version: &str, json: &str, behind: Option<DeviceId>) -> String {
    let version = serde_json::Value::from(version);
    let device = behind.map(|device| format!(r#""device":"{device}","#)).unwrap_or_default();
    format!(r#"{{{device}"version":{version},"config":{json}}}"#)
}

#[test]
fn a_configuration_goes_down_with_its_version_and_to_a_gateway_with_its_device() {
    let number = "0192f0c1-2b3a-7c4d-8e5f-000000000003";
    for (behind, named) in [(None, serde_json::Value::Null), (number.parse().ok(), number.into())] {
        let message = config_message("3 \"b\"", r#"{"sound":false}"#, behind);
        let read: serde_json::Value = serde_json::from_str(&message).unwrap();
        assert_eq!((&read["version"], &read["device"]), (&"3 \"b\"".into(), &named));
        assert_eq!(read["config"]["sound"], false);
    }
}
