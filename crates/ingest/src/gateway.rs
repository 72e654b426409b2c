//! For whom a gateway speaks: the child that its message names, if it is bound to it, or the
//! gateway itself.
//!
//! A pack names it by its base name, such as `urn:dev:wardline:{device}/`, a waveform block
//! by its device, and a report by its key `device`.

use model::{DeviceId, OrgId};
use protocols::{
    senml,
    topic::{Leaf, Speaker, Topic},
    wave,
};
use serde::Deserialize;

use crate::{
    accept::{Parcel, Undecodable},
    identify::{DeviceRef, Registry},
};

/// What a gateway passes on for a device.
#[derive(Clone, Debug)]
pub(crate) struct Behind {
    /// The device that the message is of.
    pub(crate) child: DeviceRef,
    /// The topic on which the child would have sent it.
    pub(crate) topic: String,
    /// Who passed it on.
    pub(crate) gateway: DeviceId,
}

/// Of whom a gateway's message is; `None` if the sender speaks for itself.
pub(crate) fn child_of(
    registry: &Registry,
    org: OrgId,
    gateway: &DeviceRef,
    parcel: &Parcel<'_>,
) -> Result<Option<Behind>, Undecodable> {
    // Asked for each message: nobody else's topic has this level.
    if !parcel.topic.contains("/$gw/") {
        return Ok(None);
    }
    let Ok(topic) = parcel.topic.parse::<Topic>() else { return Ok(None) };
    let is_own = (topic.site, topic.device) == (gateway.site, gateway.id);
    if topic.speaker == Speaker::Device || !is_own {
        return Ok(None);
    }
    let no_child = || {
        let explanation = "the message does not name the device that the gateway speaks for";
        Undecodable::new("gateway:no_child", explanation)
    };
    let named = named_child(&topic.leaf, parcel.payload).ok_or_else(no_child)?;
    let on_its_own = |device: &DeviceRef| {
        let (site, speaker) = (device.site, Speaker::Device);
        Topic { site, device: device.id, speaker, leaf: topic.leaf.clone() }.to_string()
    };
    if named == gateway.id {
        let topic = on_its_own(gateway);
        return Ok(Some(Behind { child: gateway.clone(), topic, gateway: gateway.id }));
    }
    let unknown = |error| Undecodable {
        not_yours: true,
        ..Undecodable::new("gateway:child", format!("the gateway speaks for a device, but {error}"))
    };
    let child = registry.identify(org, named).map_err(unknown)?;
    if child.gateway != Some(gateway.id) {
        let words = format!("device {named} is not bound to gateway {}", gateway.id);
        return Err(Undecodable {
            not_yours: true,
            ..Undecodable::new("gateway:not_bound", words)
        });
    }
    let topic = on_its_own(&child);
    Ok(Some(Behind { child, topic, gateway: gateway.id }))
}

fn named_child(leaf: &Leaf, payload: &[u8]) -> Option<DeviceId> {
    #[derive(Deserialize)]
    struct Report {
        device: String,
    }
    match leaf {
        Leaf::Num => id_in(&senml::base_name(payload)?),
        Leaf::Wave(_) => wave::decode(payload).ok().map(|block| block.device),
        Leaf::Alarm
        | Leaf::Event
        | Leaf::State
        | Leaf::Log
        | Leaf::Cfg
        | Leaf::Raw(_)
        | Leaf::CmdResult(_) => {
            let report: Report = serde_json::from_slice(payload).ok()?;
            id_in(&report.device)
        }
        Leaf::DownCmd(_) | Leaf::DownCfg | Leaf::DownTime => None,
    }
}

/// The device's number in a name that may have words before and after it.
fn id_in(name: &str) -> Option<DeviceId> {
    let words = name.split(|letter: char| !letter.is_ascii_hexdigit() && letter != '-');
    words.into_iter().find_map(|word| word.parse().ok())
}

#[test]
fn a_name_holds_the_number_of_a_device_or_names_nobody() {
    let number = "0192f0c1-2b3a-7c4d-8e5f-000000000003";
    let id: DeviceId = number.parse().unwrap();
    for name in [
        number.to_owned(),
        format!("urn:uuid:{number}"),
        format!("urn:dev:wardline:{number}/"),
        format!("{number}:"),
    ] {
        assert_eq!(id_in(&name), Some(id), "{name}");
    }
    for name in ["", "urn:dev:mac:0024befffe804ff1/", "0192f0c1-2b3a-4c4d-8e5f-000000000003"] {
        assert_eq!(id_in(name), None, "{name}");
    }
}
