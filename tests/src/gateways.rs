//! Gateways: what goes down through one to the devices behind it, and that no gateway hears
//! another.

use serde_json::{Value, json};

use crate::{
    devices::{FOUND_WITHIN, delivered, scene, subscribe},
    server::Server,
    waiting::eventually,
    ward::{Device, Ward},
    wire::{Version, Wire, packet, text, tls},
};

fn bind(ward: &Ward, device: &Device, gateway: &Device) {
    let wish = json!({ "gateway": gateway.id });
    ward.admin.put(&format!("/api/v1/devices/{}/gateway", device.id), &wish);
}

#[test]
fn a_device_behind_a_gateway_is_commanded_and_done_when_it_reports_the_new_state() {
    let (_home, server, ward) = scene();
    let gateway = ward.enrol("gateway", "GW-1");
    let child = ward.enrol("bedside-monitor", "CHILD-1");
    bind(&ward, &child, &gateway);
    let root = format!("wl/1/{}/$gw/{}", ward.site, gateway.id);
    let mut wire = Wire::connect(&server, &gateway, Version::V5);
    assert_eq!(subscribe(&mut wire, &format!("{root}/down/#")), 1);
    let path = format!("/api/v1/devices/{}/commands", child.id);
    let asked = ward.admin.post(&path, &json!({ "name": "identify", "on": "nobody" }));
    let number = asked["id"].as_str().unwrap();
    let (topic, message) = delivered(&mut wire);
    assert_eq!(topic, format!("{root}/down/cmd/{number}"));
    assert_eq!((&message["device"], &message["command"]), (&json!(child.id), &json!("identify")));
    let phase = |want: &str| {
        eventually(&format!("the command is {want}"), FOUND_WITHIN, || {
            let newest = ward.admin.get(&path)["commands"][0].clone();
            if newest["phase"] == want { Ok(newest) } else { Err(newest.to_string()) }
        })
    };
    let mut say = |leaf: &str, answer: Value| {
        let payload = answer.to_string();
        let topic = format!("{root}/up/{leaf}");
        let told = wire.told(&topic, Some("application/json"), payload.as_bytes());
        told.unwrap().code
    };
    // The gateway's word about itself is nobody's result.
    let result = format!("cmd/{number}");
    let done = json!({ "status": "done", "state": { "blinking": 1 } });
    assert_eq!(say(&result, done.clone()), 0x99, "it names nobody");
    phase("sent");
    let of_child = |mut said: Value| {
        said["device"] = json!(child.id);
        said
    };
    assert_eq!(say(&result, of_child(json!({ "status": "running" }))), 0);
    phase("running");
    assert_eq!(say(&result, of_child(done)), 0);
    phase("done");
    // What it shall be set to waits with the gateway, and is in force when the device says so.
    let configuration = format!("/api/v1/devices/{}/configuration", child.id);
    ward.admin.put(&configuration, &json!({ "version": "7", "config": { "alarm_volume": 3 } }));
    let (topic, message) = delivered(&mut wire);
    assert_eq!(topic, format!("{root}/down/cfg/{}", child.id));
    let wanted = json!({ "device": child.id, "version": "7", "config": { "alarm_volume": 3 } });
    assert_eq!(message, wanted);
    let mut say = |leaf: &str, answer: Value| {
        let payload = answer.to_string();
        let topic = format!("{root}/up/{leaf}");
        wire.told(&topic, Some("application/json"), payload.as_bytes()).unwrap().code
    };
    assert_eq!(say("cfg", of_child(json!({ "version": "7" }))), 0);
    eventually("the configuration is in force", FOUND_WITHIN, || {
        let shown = ward.admin.get(&configuration);
        if shown["in_force"] == true { Ok(()) } else { Err(shown.to_string()) }
    });
    // Another gateway speaks for it now: the first hears that it is taken back.
    let other = ward.enrol("gateway", "GW-2");
    bind(&ward, &child, &other);
    let (topic, message) = delivered(&mut wire);
    assert_eq!((topic, message), (format!("{root}/down/cfg/{}", child.id), Value::Null));
    let mut wire = Wire::connect(&server, &other, Version::V5);
    let root = format!("wl/1/{}/$gw/{}", ward.site, other.id);
    assert_eq!(subscribe(&mut wire, &format!("{root}/down/cfg/+")), 1);
    assert_eq!(delivered(&mut wire).1, wanted);
}

#[test]
fn a_live_message_says_which_gateway_passed_it_on_and_when_that_had_it() {
    let (_home, server, ward) = scene();
    let gateway = ward.enrol("gateway", "GW-1");
    let child = ward.enrol("bedside-monitor", "CHILD-1");
    bind(&ward, &child, &gateway);
    let path = format!("/api/v1/devices/{}/messages", child.id);
    assert_eq!(ward.admin.get(&path)["begins"], true);
    let mut wire = Wire::connect(&server, &gateway, Version::V5);
    let root = format!("wl/1/{}/$gw/{}/up", ward.site, gateway.id);
    let mut say = |leaf: &str, kind: &str, payload: String| {
        let told = wire.told(&format!("{root}/{leaf}"), Some(kind), payload.as_bytes());
        assert_eq!(told.unwrap().code, 0, "{payload}");
    };
    let pack = |at: &str| {
        format!(
            r#"[{{"bn":"urn:dev:wardline:{}/","n":"MDC_ECG_HEART_RATE","u":"/min","v":72}}{at}]"#,
            child.id
        )
    };
    let passed = r#",{"n":"wl:gateway_at","v":1767258000.25}"#;
    say("num", "application/senml+json", pack(passed));
    say("num", "application/senml+json", pack(""));
    let state = json!({ "device": child.id, "online": true, "gateway_at": 1_767_258_001 });
    say("state", "application/json", state.to_string());
    // The device speaks for itself.
    let mut own = Wire::connect(&server, &child, Version::V5);
    let told = own.told(&child.up("num"), Some("application/senml+json"), pack(passed).as_bytes());
    assert_eq!(told.unwrap().code, 0);
    let seen = ward.admin.get(&path)["messages"].as_array().unwrap().clone();
    let had: Vec<Value> = seen.iter().map(|it| it["gateway_at"].clone()).collect();
    let at = |text: &str| Value::from(text);
    let (first, second) = (at("2026-01-01T09:00:00.250Z"), at("2026-01-01T09:00:01.000Z"));
    assert_eq!(had, [first, Value::Null, second, Value::Null]);
    let by: Vec<Value> = seen.iter().map(|it| it["gateway"]["name"].clone()).collect();
    let name = at("gateway GW-1");
    assert_eq!(by, [name.clone(), name.clone(), name, Value::Null]);
}

#[test]
fn gateways_of_one_site_do_not_hear_each_other_under_the_same_words() {
    let (home, server, ward) = scene();
    let [one, two] = ["GW-1", "GW-2"].map(|serial| ward.enrol("gateway", serial));
    let said = |gateway: &Device, payload: &[u8]| {
        let own = (gateway.certificate_pem.as_str(), gateway.key_pem.as_str());
        let mut wire = Wire::dial(&server, tls(&gateway.ca_pem, Some(own)), Version::V5);
        assert_eq!(wire.greet("speaker"), Ok(0));
        // QoS 1 and to be retained.
        let topic = text("zigbee2mqtt/lamp");
        wire.send(&packet(0x33, &[&topic[..], &[0, 1, 0], payload].concat()));
        assert_eq!(wire.puback().unwrap().code, 0);
    };
    said(&one, br#"{"by":"one"}"#);
    let mut wire = Wire::connect(&server, &two, Version::V5);
    assert_eq!(subscribe(&mut wire, "zigbee2mqtt/#"), 1);
    said(&one, br#"{"by":"one, again"}"#);
    said(&two, br#"{"by":"two"}"#);
    assert_eq!(delivered(&mut wire).1["by"], "two");
    drop(wire);
    server.kill();
    let server = Server::start(&home);
    for (gateway, by) in [(&one, "one, again"), (&two, "two")] {
        let mut wire = Wire::connect(&server, gateway, Version::V5);
        assert_eq!(subscribe(&mut wire, "zigbee2mqtt/#"), 1);
        assert_eq!(delivered(&mut wire).1["by"], by);
    }
}
