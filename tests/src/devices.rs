//! Devices in use, on real sockets: cut off at once, told why, commanded and believed only
//! when they report themselves what was asked for.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    payload::{SENML_JSON, heart_rate, pack, senml_now},
    server::{Home, Server},
    waiting::{eventually, now},
    ward::{Device, Ward},
    wire::{End, Packet, Version, Wire, packet, text, tls},
};

/// What a person waits at most for the reason of a refusal; the promise is a minute.
pub(crate) const FOUND_WITHIN: Duration = Duration::from_secs(10);
/// Within what a revoked device is off.
const OFF_WITHIN: Duration = Duration::from_secs(1);

pub(crate) fn scene() -> (Home, Server, Ward) {
    let home = Home::new();
    let server = Server::start(&home);
    let ward = Ward::build(&server);
    (home, server, ward)
}

/// The newest refusal that a search finds, of this reason.
#[track_caller]
fn refusal(ward: &Ward, search: &str, reason: &str) -> Value {
    eventually(&format!("{reason} is found by `{search}`"), FOUND_WITHIN, || {
        let found = ward.admin.all(&format!("/api/v1/refusals?search={search}"));
        let wanted = found.iter().find(|it| it["reason"] == reason);
        wanted.cloned().ok_or_else(|| format!("{found:?}"))
    })
}

fn dial(server: &Server, device: &Device) -> Wire {
    let own = (device.certificate_pem.as_str(), device.key_pem.as_str());
    Wire::dial(server, tls(&device.ca_pem, Some(own)), Version::V5)
}

fn serial(ward: &Ward, device: &Device) -> String {
    let shown = ward.admin.get(&format!("/api/v1/devices/{}", device.id));
    shown["certificates"][0]["serial"].as_str().unwrap().to_owned()
}

fn move_to(ward: &Ward, device: &Device, state: &str) {
    let to = json!({ "state": state, "why": "a test" });
    ward.admin.put(&format!("/api/v1/devices/{}/lifecycle", device.id), &to);
}

#[test]
fn a_revoked_certificate_closes_its_connection_within_a_second_and_does_not_come_back() {
    let (_home, server, ward) = scene();
    let device = ward.enrol("bedside-monitor", "REV-1");
    let mut wire = Wire::connect(&server, &device, Version::V5);
    let path = format!("/api/v1/devices/{}/certificates/{}", device.id, device.certificate);
    let began = now();
    assert!(ward.admin.ask(Method::DELETE, &path, None).is_good());
    assert_eq!(wire.end(), End::PutOut(0x87));
    assert!(began.elapsed() < OFF_WITHIN, "it took {:?}", began.elapsed());
    let again = dial(&server, &device).greet(&device.id);
    assert!(matches!(&again, Err(End::Tls(alert)) if alert.contains("evoked")), "{again:?}");
    let found = refusal(&ward, &serial(&ward, &device), "tls:revoked");
    assert_eq!(found["named"], device.id);
    assert_eq!(found["device"]["serial"], "REV-1");
    assert_eq!(found["is_proved"], false, "a certificate that is not taken proves nothing");
    assert!(found["remote"].as_str().unwrap().starts_with("127.0.0.1:"), "{found}");
    assert!(found["remedy"].as_str().unwrap().contains("new one"), "{found}");
    // By its fingerprint too, and by the device's own number.
    let fingerprint = found["fingerprint"].as_str().unwrap();
    refusal(&ward, &fingerprint[..16], "tls:revoked");
    refusal(&ward, &device.id, "tls:revoked");
}

#[test]
fn quarantine_cuts_a_device_off_and_a_retired_one_never_comes_back() {
    let (_home, server, ward) = scene();
    let device = ward.enrol("bedside-monitor", "QUA-1");
    let mut wire = Wire::connect(&server, &device, Version::V5);
    move_to(&ward, &device, "quarantined");
    assert!(matches!(wire.end(), End::PutOut(_)));
    assert_eq!(dial(&server, &device).greet(&device.id), Ok(0x8a), "banned");
    let found = refusal(&ward, "QUA-1", "device:quarantined");
    assert_eq!((&found["is_proved"], &found["named"]), (&json!(true), &json!(device.id)));
    // Whoever has the certificate in hand finds it too, by the number that it hashes to.
    let shown = ward.admin.get(&format!("/api/v1/devices/{}", device.id));
    let fingerprint = shown["certificates"][0]["fingerprint"].as_str().unwrap();
    refusal(&ward, fingerprint, "device:quarantined");
    move_to(&ward, &device, "in_service");
    let mut wire = Wire::connect(&server, &device, Version::V5);
    move_to(&ward, &device, "retired");
    assert!(matches!(wire.end(), End::PutOut(_)));
    let shown = ward.admin.get(&format!("/api/v1/devices/{}", device.id));
    assert!(shown["certificates"][0]["revoked_at"].is_string(), "{shown}");
    assert!(matches!(dial(&server, &device).greet(&device.id), Err(End::Tls(_))));
    refusal(&ward, "QUA-1", "tls:revoked");
    // Its life says who did what and why.
    let life = ward.admin.all(&format!("/api/v1/devices/{}/life", device.id));
    let told: Vec<_> = life.iter().map(|line| line["what"].as_str().unwrap()).collect();
    assert_eq!(told[..3], ["retired", "in_service", "quarantined"]);
    assert_eq!((&life[0]["detail"], &life[0]["by"]["name"]), (&json!("a test"), &json!("admin")));
}

#[test]
fn whoever_is_turned_away_is_found_by_the_address_with_what_to_do() {
    let (_home, server, ward) = scene();
    let device = ward.enrol("bedside-monitor", "TLS-1");
    // Without a certificate.
    let mut bare = Wire::dial(&server, tls(&device.ca_pem, None), Version::V5);
    assert!(bare.greet(&device.id).is_err());
    let found = refusal(&ward, "127.0.0.1", "tls:no_certificate");
    assert_eq!(found["device"], Value::Null);
    // With one of another authority that names the device.
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::default();
    let org = "0192f0c1-2b3a-7c4d-8e5f-000000000001";
    let name = format!("urn:wardline:{org}:device:{}", device.id);
    params.distinguished_name.push(rcgen::DnType::CommonName, "Monitor of the fourth floor");
    params.subject_alt_names = vec![rcgen::SanType::URI(name.as_str().try_into().unwrap())];
    let foreign = params.self_signed(&key).unwrap();
    let own = (foreign.pem(), key.serialize_pem());
    let config = tls(&device.ca_pem, Some((&own.0, &own.1)));
    let mut stranger = Wire::dial(&server, config, Version::V5);
    assert!(stranger.greet(&device.id).is_err());
    let found = refusal(&ward, &device.id, "tls:foreign");
    assert_eq!(found["is_proved"], false);
    assert_eq!(found["device"]["serial"], "TLS-1", "whom it claims to be is shown");
    let found = refusal(&ward, "subject=CN%20=%20Monitor%20of%20the%20fourth", "tls:foreign");
    assert!(found["subject"].as_str().unwrap().contains("fourth floor"), "{found}");
    // Whoever does not trust us: a clock that is years off looks like this.
    let others = rcgen::generate_simple_self_signed(vec!["x".to_owned()]).unwrap().cert.pem();
    let own = (device.certificate_pem.as_str(), device.key_pem.as_str());
    let mut distrusts = Wire::dial(&server, tls(&others, Some(own)), Version::V5);
    assert!(distrusts.greet(&device.id).is_err());
    let found = refusal(&ward, "127.0.0.1", "tls:refused_us");
    assert!(found["remedy"].as_str().unwrap().contains("clock"), "{found}");
    // A client id that is another's, and a subscription to what is another's.
    let mut wire = dial(&server, &device);
    assert_eq!(wire.greet("somebody-else"), Ok(0x85));
    refusal(&ward, "TLS-1", "mqtt:client_id");
    let mut wire = Wire::connect(&server, &device, Version::V5);
    subscribe(&mut wire, "wl/1/#");
    refusal(&ward, "TLS-1", "mqtt:filter");
    // Nurses see what is about devices and nothing of strangers.
    let seen = ward.nurse.all("/api/v1/refusals");
    assert!(seen.iter().all(|it| it["device"].is_object()), "{seen:?}");
}

#[test]
fn a_device_whose_clock_is_three_years_off_is_found_with_those_words() {
    let (_home, server, ward) = scene();
    let device = ward.enrol_on("bedside-monitor", "CLK-1", 0);
    let mut wire = Wire::connect(&server, &device, Version::V5);
    let seconds: f64 = senml_now().parse().unwrap();
    let old = format!("{:.3}", seconds - 3.2 * 365.0 * 86_400.0);
    let payload = pack(7, 1, &old, &[("MDC_ECG_HEART_RATE", "beat/min", "72")]);
    let answer = wire.told(&device.up("num"), Some(SENML_JSON), &payload);
    assert_eq!(answer.map(|it| it.code), Ok(0), "it is kept all the same");
    let found = refusal(&ward, "CLK-1", "clock:off");
    assert_eq!(found["words"], "its clock is 3 years behind ours, so its own times are not used");
    assert_eq!(found["is_kept"], true);
    let seen = ward.nurse.all("/api/v1/refusals?search=bed%2001");
    assert_eq!(seen[0]["reason"], "clock:off", "a nurse finds it by the bed");
}

#[test]
fn refusals_are_known_after_the_program_was_killed() {
    let (home, server, ward) = scene();
    let device = ward.enrol("bedside-monitor", "KIL-1");
    move_to(&ward, &device, "quarantined");
    assert_eq!(dial(&server, &device).greet(&device.id), Ok(0x8a));
    refusal(&ward, "KIL-1", "device:quarantined");
    // A message of another device that is acknowledged stands behind the refusal in the log.
    let other = ward.enrol("bedside-monitor", "KIL-2");
    let mut wire = Wire::connect(&server, &other, Version::V5);
    let told = wire.told(&other.up("num"), Some(SENML_JSON), &heart_rate(1, 1, "72"));
    assert_eq!(told.map(|it| it.code), Ok(0));
    server.kill();
    let server = Server::start(&home);
    let ward = ward.at(&server);
    let found = refusal(&ward, "KIL-1", "device:quarantined");
    assert_eq!(found["count"], 1);
}

/// Subscribes with QoS 1; gives the code of the SUBACK.
pub(crate) fn subscribe(wire: &mut Wire, filter: &str) -> u8 {
    let body = [&[0x12, 0x34, 0][..], &text(filter), &[1]].concat();
    wire.send(&packet(0x82, &body));
    let answer = wire.receive().unwrap();
    assert_eq!(answer.head, 0x90, "{answer:?} is no SUBACK");
    *answer.body.last().unwrap()
}

/// Topic and payload of a PUBLISH of MQTT 5 with QoS 1, which is acknowledged; an empty payload
/// is null.
pub(crate) fn delivered(wire: &mut Wire) -> (String, Value) {
    let Packet { head, body } = wire.receive().unwrap();
    assert_eq!(head & 0xf6, 0x32, "{head:x} is no PUBLISH with QoS 1");
    let len = usize::from(u16::from_be_bytes([body[0], body[1]]));
    let topic = String::from_utf8(body[2..2 + len].to_vec()).unwrap();
    let id = [body[2 + len], body[3 + len]];
    let properties = usize::from(body[4 + len]);
    let payload = &body[5 + len + properties..];
    let payload =
        if payload.is_empty() { Value::Null } else { serde_json::from_slice(payload).unwrap() };
    wire.send(&packet(0x40, &id));
    (topic, payload)
}

fn command_phase(ward: &Ward, device: &Device, want: &str) -> Value {
    let path = format!("/api/v1/devices/{}/commands", device.id);
    eventually(&format!("the command is {want}"), FOUND_WITHIN, || {
        let commands = ward.admin.get(&path);
        let newest = commands["commands"][0].clone();
        if newest["phase"] == want { Ok(newest) } else { Err(newest.to_string()) }
    })
}

#[test]
fn a_command_goes_down_and_is_done_when_the_device_reports_the_new_state() {
    let (_home, server, ward) = scene();
    let device = ward.enrol("bedside-monitor", "CMD-1");
    let path = format!("/api/v1/devices/{}/commands", device.id);
    // It is not connected yet: the command waits for it.
    let wish = json!({ "name": "identify", "on": "nobody" });
    let asked = ward.admin.post(&path, &wish);
    assert_eq!(asked["phase"], "sent");
    let mut wire = Wire::connect(&server, &device, Version::V5);
    assert_eq!(subscribe(&mut wire, &device.down("cmd/#")), 1);
    let (topic, message) = delivered(&mut wire);
    let number = asked["id"].as_str().unwrap();
    assert_eq!(topic, device.down(&format!("cmd/{number}")));
    assert_eq!((&message["command"], &message["args"]), (&json!("identify"), &json!({})));
    assert!(message["expires_at"].is_i64(), "{message}");
    let result = device.up(&format!("cmd/{number}"));
    let mut say = |answer: &Value| {
        let payload = answer.to_string();
        let told = wire.told(&result, Some("application/json"), payload.as_bytes());
        assert_eq!(told.map(|it| it.code), Ok(0), "{answer}");
    };
    say(&json!({ "status": "running" }));
    command_phase(&ward, &device, "running");
    say(&json!({ "status": "done", "state": { "blinking": 1 } }));
    let done = command_phase(&ward, &device, "done");
    assert_eq!(done["is_over"], true);
    // A device that only says that it is done is not believed.
    let asked = ward.admin.post(&path, &wish);
    delivered(&mut wire);
    let result = device.up(&format!("cmd/{}", asked["id"].as_str().unwrap()));
    let told = wire.told(&result, Some("application/json"), br#"{"status":"done"}"#);
    assert_eq!(told.map(|it| it.code), Ok(0));
    command_phase(&ward, &device, "not_confirmed");
    // One that is never answered expires.
    ward.admin.post(&path, &json!({ "name": "identify", "on": "nobody", "lasts_s": 1 }));
    command_phase(&ward, &device, "expired");
}

#[test]
fn a_command_for_a_device_on_a_patient_is_not_sent_before_a_second_person_looked() {
    let (_home, server, ward) = scene();
    let device = ward.enrol_on("bedside-monitor", "CMD-2", 0);
    let mut wire = Wire::connect(&server, &device, Version::V5);
    assert_eq!(subscribe(&mut wire, &device.down("cmd/#")), 1);
    let path = format!("/api/v1/devices/{}/commands", device.id);
    let mut wish = json!({ "name": "set-pressure-interval", "args": { "interval_min": 15 } });
    let plan = ward.charge.post(&format!("{path}/plan"), &wish);
    assert_eq!((&plan["needs_second"], &plan["bed"]), (&json!(true), &json!("01")));
    wish["on"] = plan["on"].clone();
    let asked = ward.charge.post(&path, &wish);
    assert_eq!(asked["phase"], "waits_for_second");
    // It is not sent before somebody looked.
    wire.is_silent_for(Duration::from_millis(500));
    let number = asked["id"].as_str().unwrap();
    ward.nurse.post(&format!("{path}/{number}/second"), &json!({}));
    let (topic, message) = delivered(&mut wire);
    assert_eq!(topic, device.down(&format!("cmd/{number}")));
    assert_eq!(message["args"]["interval_min"], 15);
}

#[test]
fn the_configuration_that_a_device_shall_have_waits_for_it() {
    let (_home, server, ward) = scene();
    let device = ward.enrol("bedside-monitor", "CFG-1");
    let path = format!("/api/v1/devices/{}/configuration", device.id);
    let wanted = json!({ "version": "7", "config": { "alarm_volume": 3 } });
    assert_eq!(ward.admin.put(&path, &wanted)["in_force"], false);
    let mut wire = Wire::connect(&server, &device, Version::V5);
    assert_eq!(subscribe(&mut wire, &device.down("cfg")), 1);
    let (topic, message) = delivered(&mut wire);
    assert_eq!((topic, message), (device.down("cfg"), wanted));
    let told = wire.told(&device.up("cfg"), Some("application/json"), br#"{"version":"7"}"#);
    assert_eq!(told.map(|it| it.code), Ok(0));
    eventually("the configuration is in force", FOUND_WITHIN, || {
        let shown = ward.admin.get(&path);
        if shown["in_force"] == true { Ok(()) } else { Err(shown.to_string()) }
    });
}

#[test]
fn a_code_claims_a_device_that_may_speak_from_then_on() {
    let (_home, server, ward) = scene();
    let new = json!({
        "profile": "oximeter", "serial": "NEW-1", "label": "Oximeter NEW-1",
        "site": ward.site, "ordered": true,
    });
    let id = ward.admin.add("/api/v1/devices", &new);
    let paper = ward.admin.post(&format!("/api/v1/devices/{id}/certificate"), &json!({}));
    let part = |key: &str| paper[key].as_str().unwrap().to_owned();
    let device = Device {
        id: id.clone(),
        site: ward.site.clone(),
        certificate: part("id"),
        certificate_pem: part("certificate_pem"),
        key_pem: part("key_pem"),
        ca_pem: part("ca_pem"),
    };
    assert_ne!(dial(&server, &device).greet(&device.id), Ok(0), "it is only ordered");
    let offered = ward.admin.post(&format!("/api/v1/devices/{id}/claim"), &json!({}));
    let take = json!({ "code": offered["code"], "patient": ward.patients[0] });
    let taken = ward.nurse.post("/api/v1/claims", &take);
    assert_eq!(taken["lifecycle"], "in_service");
    let mut wire = Wire::connect(&server, &device, Version::V5);
    let payload = pack(3, 1, &senml_now(), &[("MDC_PULS_OXIM_SAT_O2", "%", "96")]);
    let told = wire.told(&device.up("num"), Some(SENML_JSON), &payload);
    assert_eq!(told.map(|it| it.code), Ok(0));
    ward.sees(0, "saturation", 96.0);
}

#[test]
fn a_gateway_speaks_for_the_devices_that_are_bound_to_it_and_for_no_other() {
    let (_home, server, ward) = scene();
    let gateway = ward.enrol("bedside-monitor", "GW-1");
    let child = ward.enrol_on("oximeter", "CHILD-1", 0);
    let mut wire = Wire::connect(&server, &gateway, Version::V5);
    let topic = format!("wl/1/{}/$gw/{}/up/num", ward.site, gateway.id);
    let pack = |seq: u32, value: u32| {
        format!(
            r#"[{{"bn":"urn:dev:wardline:{}/","bt":{},"n":"wl:boot","vs":"00000000000000b7"}},{{"n":"wl:seq","v":{seq}}},{{"n":"MDC_PULS_OXIM_SAT_O2","u":"%","v":{value}}}]"#,
            child.id,
            senml_now(),
        )
    };
    let unbound = pack(1, 91);
    let told = wire.told(&topic, Some(SENML_JSON), unbound.as_bytes()).unwrap();
    assert_eq!(told.code, 0x87, "{told:?}");
    refusal(&ward, "GW-1", "gateway:not_bound");
    let letter = ward.letter(unbound.as_bytes());
    assert_eq!(letter["reason"], "gateway:not_bound");
    // Once it is bound, the device is heard through the gateway, and the letter can be taken in.
    let bind = json!({ "gateway": gateway.id });
    let bound = ward.admin.put(&format!("/api/v1/devices/{}/gateway", child.id), &bind);
    assert_eq!(bound["gateway"]["id"], gateway.id);
    let told = wire.told(&topic, Some(SENML_JSON), pack(2, 95).as_bytes()).unwrap();
    assert_eq!(told.code, 0, "{told:?}");
    ward.sees(0, "saturation", 95.0);
    let replay = format!("/api/v1/dead-letters/{}/replay", letter["id"].as_str().unwrap());
    let mended = ward.admin.post(&replay, &json!({}));
    assert_eq!(mended["replays"][0]["outcome"], "stored", "{mended}");
    assert!(ward.admin.ask(Method::POST, &replay, Some(&json!({}))).is_problem(409), "once");
    // It fills the chart, and what is read now is still what came last.
    ward.sees(0, "saturation", 95.0);
}
