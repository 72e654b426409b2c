//! Devices in use: their life, their commands, their codes, and what is said when they are refused.

use std::{slice, sync::Mutex, time::Duration};

use axum::http::StatusCode;
use engine::view::DeviceReport;
use model::DeviceId;
use rustls::pki_types::{CertificateDer, pem::PemObject as _};
use serde_json::{Value, json};
use transport::mqtt::Published;

use super::{
    browser::Browser,
    house::{House, Ward, someone},
};
use crate::warden::{Done, Down};

/// A device that lies in a drawer.
pub(super) async fn spare(ward: &Ward, serial: &str, ordered: bool) -> String {
    let body = json!({
        "profile": "monitor", "serial": serial, "label": format!("Monitor {serial}"),
        "care_unit": ward.unit, "ordered": ordered,
    });
    ward.admin.add("/devices", body).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_is_quarantined_with_a_reason_and_its_life_tells_it() {
    let house = House::open().await;
    let ward = house.ward().await;
    let id = house.monitor(&ward).await;
    let path = format!("/devices/{id}/lifecycle");
    let refused = ward.admin.put(&path, json!({ "state": "quarantined" })).await.problem();
    assert_eq!(refused.0, 400);
    assert!(refused.2.contains("say why"), "{}", refused.2);
    let state = json!({ "state": "quarantined", "why": "firmware recall" });
    let held = ward.admin.put(&path, state).await.good();
    assert_eq!(held["next_states"], json!(["in_service", "retired"]));
    let life = house
        .until(async || {
            let life = ward.nurse.get(&format!("/devices/{id}/life")).await.good();
            (life["items"][0]["what"] == "quarantined").then_some(life)
        })
        .await;
    let lines = life["items"].as_array().unwrap();
    let told: Vec<_> = lines.iter().map(|line| line["what"].as_str().unwrap()).collect();
    assert_eq!(told, ["quarantined", "put_on_patient", "in_service", "registered"]);
    assert_eq!(lines[0]["detail"], "firmware recall");
    assert_eq!(lines[0]["by"]["name"], "admin");
    assert_eq!(lines[1]["patient"]["name"], "Ilse Brandt");
    let by_it = ward.admin.get(&format!("/devices/{id}/life")).await.good();
    assert_eq!(by_it["items"][1]["patient"], Value::Null, "IT learns on whom it was");
    // What it sends now is refused and kept, and the reason is findable by its serial number.
    let said = house.say(&ward, &id, r#"[{"n":"MDC_ECG_HEART_RATE","u":"/min","v":72}]"#).await;
    assert!(said.unwrap_err().contains("quarantined"));
    let found = ward.nurse.get("/refusals?search=M-1").await.good();
    let refusal = &found["items"][0];
    assert_eq!(refusal["reason"], "device:quarantined");
    assert!(refusal["remedy"].as_str().unwrap().contains("in service again"), "{refusal}");
    assert_eq!(refusal["bed"]["name"], "01");
    assert_eq!(refusal["count"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_is_found_by_whatever_a_person_has_at_hand() {
    let house = House::open().await;
    let ward = house.ward().await;
    let id = house.monitor(&ward).await;
    house.publish(&ward, &id, "num", b"nonsense").await.unwrap_err();
    let count = async |search: &str| {
        let found = ward.nurse.get(&format!("/refusals?search={search}")).await.good();
        found["items"].as_array().unwrap().len()
    };
    for found in ["", "M-1", "m-1", "Monitor", &id, "bed%2001", "senml"] {
        assert_eq!(count(found).await, 1, "{found}");
    }
    // By each certificate that it was issued, as other programs print its numbers.
    let paper = ward.admin.post(&format!("/devices/{id}/certificate"), Value::Null).await.good();
    let shown = ward.admin.get(&format!("/devices/{id}")).await.good();
    let certificate = &shown["certificates"][0];
    let fingerprint = certificate["fingerprint"].as_str().unwrap();
    assert_eq!(paper["fingerprint"], fingerprint);
    let pem = paper["certificate_pem"].as_str().unwrap().as_bytes();
    let der = CertificateDer::from_pem_slice(pem);
    let hashed = security::hex(&security::sha256(&der.unwrap()));
    assert_eq!(fingerprint, hashed, "the SHA-256 of the file in a person's hand");
    let bytes: Vec<&str> = (0..32).map(|at| &fingerprint[2 * at..2 * at + 2]).collect();
    let printed = format!("sha256%20Fingerprint={}", bytes.join(":").to_uppercase());
    let serial = certificate["serial"].as_str().unwrap();
    for found in [fingerprint, &fingerprint[..12], &printed, serial, &format!("serial={serial}")] {
        assert_eq!(count(found).await, 1, "{found}");
    }
    let other = spare(&ward, "M-9", false).await;
    let foreign = ward.admin.post(&format!("/devices/{other}/certificate"), Value::Null).await;
    assert_eq!(count(foreign.good()["fingerprint"].as_str().unwrap()).await, 0, "another's");
    for missing in ["M-2", "10.0.0.1", "tls:"] {
        assert_eq!(count(missing).await, 0, "{missing}");
    }
    let by_it = ward.admin.get("/refusals").await.good();
    assert_eq!(by_it["items"][0]["bed"], Value::Null, "IT learns where the patient lies");
    let of = ward.nurse.get(&format!("/refusals?device={id}")).await.good();
    assert_eq!(of["items"].as_array().unwrap().len(), 1);
    let long = "x".repeat(crate::limits::SEARCH_LEN_MAX + 1);
    assert_eq!(ward.nurse.get(&format!("/refusals?search={long}")).await.problem().0, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_letter_is_replayed_once_when_its_cause_is_mended() {
    let house = House::open().await;
    let ward = house.ward().await;
    let id = house.monitor(&ward).await;
    let lifecycle = format!("/devices/{id}/lifecycle");
    let state = json!({ "state": "quarantined", "why": "a test" });
    ward.admin.put(&lifecycle, state).await.good();
    house.say(&ward, &id, r#"[{"n":"MDC_ECG_HEART_RATE","u":"/min","v":72}]"#).await.unwrap_err();
    let letter = house
        .until(async || {
            let letters = ward.admin.get("/dead-letters").await.good();
            letters["items"][0]["id"].as_str().map(str::to_owned)
        })
        .await;
    let replay = format!("/dead-letters/{letter}/replay");
    assert_eq!(ward.nurse.post(&replay, Value::Null).await.problem().0, 403);
    let stays = ward.admin.post(&replay, Value::Null).await.good();
    assert_eq!(stays["replays"][0]["mended"], false);
    assert_eq!(stays["replays"][0]["outcome"], "device:quarantined");
    ward.admin.put(&lifecycle, json!({ "state": "in_service" })).await.good();
    let mended = ward.admin.post(&replay, Value::Null).await.good();
    assert_eq!(
        (&mended["replays"][0]["mended"], &mended["replays"][0]["outcome"]),
        (&json!(true), &json!("stored"))
    );
    assert_eq!(ward.admin.post(&replay, Value::Null).await.problem().0, 409, "once");
    let shown = house
        .until(async || {
            let shown = ward.admin.get(&format!("/dead-letters/{letter}")).await.good();
            (shown["replays"].as_array()?.len() == 2).then_some(shown)
        })
        .await;
    assert_eq!(shown["replays"][0]["by"], "admin");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_puts_a_device_on_a_patient_and_works_once() {
    let house = House::open().await;
    let ward = house.ward().await;
    let id = spare(&ward, "M-7", true).await;
    assert_eq!(ward.admin.get(&format!("/devices/{id}")).await.good()["lifecycle"], "ordered");
    let path = format!("/devices/{id}/claim");
    assert_eq!(ward.nurse.post(&path, Value::Null).await.problem().0, 403);
    let offered = ward.admin.post(&path, Value::Null).await;
    assert_eq!(offered.status, StatusCode::CREATED);
    let offered = offered.good();
    let code = offered["code"].as_str().unwrap();
    assert!(offered["path"].as_str().unwrap().starts_with("/claim?code="));
    let typed = code.to_lowercase().replace('-', " ");
    let seen = ward.nurse.post("/claims/look", json!({ "code": typed })).await.good();
    for told in [&offered, &seen] {
        assert_eq!(told["mqtt"]["port"], 8_883);
        assert_eq!(
            told["https"],
            json!({
                "host": "ward.test", "port": 8_444, "url": "https://ward.test:8444"
            })
        );
    }
    assert_eq!((&seen["device"], &seen["serial"]), (&json!(id), &json!("M-7")));
    let wrong = ward.nurse.post("/claims/look", json!({ "code": "0000-0000" })).await;
    assert_eq!(wrong.problem().0, 404);
    let both = json!({ "code": code, "patient": ward.patient, "room": ward.room });
    assert_eq!(ward.nurse.post("/claims", both).await.problem().0, 400);
    let take = json!({ "code": code, "patient": ward.patient });
    let device = ward.nurse.post("/claims", take.clone()).await.good();
    assert_eq!(
        (&device["lifecycle"], &device["patient"]["name"]),
        (&json!("in_service"), &json!("Ilse Brandt"))
    );
    assert_eq!(ward.nurse.post("/claims", take).await.problem().0, 404, "used");
    // Another one into a room.
    let id = spare(&ward, "M-8", true).await;
    let offered = ward.admin.post(&format!("/devices/{id}/claim"), Value::Null).await.good();
    let take = json!({ "code": offered["code"], "room": ward.room });
    let device = ward.admin.post("/claims", take).await.good();
    assert_eq!((&device["place"]["name"], &device["patient"]), (&json!("1"), &Value::Null));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_for_a_device_on_a_patient_is_planned_sent_and_looked_at_by_two() {
    let house = House::open().await;
    let ward = house.ward().await;
    let id = house.monitor(&ward).await;
    let commands = format!("/devices/{id}/commands");
    let kinds = ward.nurse.get(&commands).await.good();
    assert_eq!(kinds["kinds"][0]["name"], "set-interval");
    let wish = json!({ "name": "set-interval", "args": { "interval_min": 15 } });
    assert_eq!(ward.nurse.post(&commands, wish.clone()).await.problem().0, 403);
    let plan = ward.charge.post(&format!("{commands}/plan"), wish.clone()).await.good();
    assert_eq!(plan["needs_second"], true);
    assert_eq!((&plan["patient"], &plan["bed"]), (&json!("Ilse Brandt"), &json!("01")));
    assert_eq!(plan["what"], "Measure: every 15 min");
    assert_eq!(plan["connected"], false);
    let it = ward.admin.post(&format!("{commands}/plan"), wish.clone()).await.good();
    assert_eq!((&it["patient"], &it["on"]), (&Value::Null, &json!("patient")));
    // Without the plan's word for whom it is on, nothing is given.
    assert_eq!(ward.charge.post(&commands, wish.clone()).await.problem().0, 409);
    let mut given = wish.clone();
    given["on"] = plan["on"].clone();
    let asked = ward.charge.post(&commands, given).await;
    assert_eq!(asked.status, StatusCode::CREATED);
    let asked = asked.good();
    assert_eq!(asked["phase"], "waits_for_second");
    let second = format!("{commands}/{}/second", asked["id"].as_str().unwrap());
    assert_eq!(ward.charge.post(&second, Value::Null).await.problem().0, 409, "the same person");
    assert_eq!(ward.admin.post(&second, Value::Null).await.problem().0, 403);
    let agreed = ward.nurse.post(&second, Value::Null).await.good();
    assert_eq!(
        (&agreed["phase"], &agreed["seconded_by"]["name"]),
        (&json!("sent"), &json!("priya"))
    );
    let out_of_range = json!({ "name": "set-interval", "args": { "interval_min": 500 } });
    assert_eq!(ward.charge.post(&format!("{commands}/plan"), out_of_range).await.problem().0, 409);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_configuration_is_set_off_the_patient_and_a_gateway_is_bound() {
    let house = House::open().await;
    let ward = house.ward().await;
    let worn = house.monitor(&ward).await;
    let config = json!({ "version": "2", "config": { "sound": false } });
    let refused = ward.admin.put(&format!("/devices/{worn}/configuration"), config.clone()).await;
    assert_eq!(refused.problem().0, 409);
    let id = spare(&ward, "M-2", false).await;
    let set = ward.admin.put(&format!("/devices/{id}/configuration"), config).await.good();
    assert_eq!((&set["wanted"], &set["in_force"]), (&json!("2"), &json!(false)));
    assert_eq!((&set["state"], &set["on_patient"]), (&json!("sent"), &json!(false)));
    assert_eq!(set["set_by"]["name"], "admin");
    // The device says which one it has; on a patient it waits for the one that it has not.
    let config = |version: &str| json!({ "version": version, "config": { "sound": true } });
    let path = format!("/devices/{id}/configuration");
    house.publish(&ward, &id, "cfg", br#"{"version": "2", "config": {}}"#).await.unwrap();
    let held = house
        .until(async || {
            let shown = ward.nurse.get(&path).await.good();
            (shown["state"] == "in_force").then_some(shown)
        })
        .await;
    assert!(held["reported_at"].is_string(), "{held}");
    ward.admin.put(&path, config("3")).await.good();
    let on = json!({ "patient": ward.patient });
    let lifecycle = format!("/devices/{id}/lifecycle");
    ward.admin.put(&lifecycle, json!({ "state": "in_service" })).await.good();
    ward.nurse.post(&format!("/devices/{id}/association"), on).await.good();
    let waits = ward.nurse.get(&path).await.good();
    assert_eq!((&waits["state"], &waits["on_patient"]), (&json!("on_patient"), &json!(true)));
    assert_eq!((&waits["wanted"], &waits["reported"]), (&json!("3"), &json!("2")));
    assert_eq!(ward.admin.put(&path, config("4")).await.problem().0, 409);
    ward.nurse.post(&format!("/devices/{id}/association"), json!({ "patient": null })).await.good();
    assert_eq!(ward.nurse.get(&path).await.good()["state"], "sent");
    assert_eq!(set["config"]["sound"], false);
    let gateway = spare(&ward, "GW-1", false).await;
    let bound =
        ward.admin.put(&format!("/devices/{id}/gateway"), json!({ "gateway": gateway })).await;
    assert_eq!(bound.good()["gateway"]["name"], "Monitor GW-1");
    let shown = ward.nurse.get(&format!("/devices/{gateway}")).await.good();
    assert_eq!(shown["speaks_for"], 1);
    let own = ward.admin.put(&format!("/devices/{id}/gateway"), json!({ "gateway": null })).await;
    assert_eq!(own.good()["gateway"], Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn it_watches_a_devices_messages_and_the_look_is_on_record_once() {
    let house = House::open().await;
    let ward = house.ward().await;
    let id = house.monitor(&ward).await;
    let path = format!("/devices/{id}/messages");
    assert_eq!(ward.nurse.get(&path).await.problem().0, 403);
    assert_eq!(ward.admin.get(&path).await.good()["begins"], true);
    house.measure(&ward, &id, 72).await;
    house.publish(&ward, &id, "num", b"nonsense").await.unwrap_err();
    let seen = ward.admin.get(&format!("{path}?after=0")).await.good();
    let messages = seen["messages"].as_array().unwrap();
    let told: Vec<_> = messages.iter().map(|it| it["outcome"].as_str().unwrap()).collect();
    assert_eq!(told[0], "stored");
    assert!(told[1].starts_with("senml:"), "{told:?}");
    assert!(!seen.to_string().contains("Brandt"), "a patient's name");
    let last = messages[1]["number"].as_u64().unwrap();
    let next = ward.admin.get(&format!("{path}?after={last}")).await.good();
    assert_eq!(next["messages"], json!([]));
    let looks = house
        .until(async || {
            let trail = ward.admin.get("/audit").await.good();
            let items = trail["items"].as_array().unwrap().iter();
            let looks = items.filter(|it| it["action"] == "device.watch" && it["allowed"] == true);
            let looks = looks.count();
            (looks > 0).then_some(looks)
        })
        .await;
    assert_eq!(looks, 1, "one look, one trace");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watched_message_names_the_gateway_that_passed_it_on_and_when_it_had_it() {
    let house = House::open().await;
    let ward = house.ward().await;
    let id = house.monitor(&ward).await;
    let gateway = spare(&ward, "GW-1", false).await;
    ward.admin.put(&format!("/devices/{id}/gateway"), json!({ "gateway": gateway })).await.good();
    let path = format!("/devices/{id}/messages");
    assert_eq!(ward.admin.get(&path).await.good()["begins"], true);
    let pack = format!(
        r#"[{{"bn":"{id}/","n":"MDC_ECG_HEART_RATE","u":"/min","v":72}},{{"n":"wl:gateway_at","v":1767258000.25}}]"#
    );
    let topic = format!("wl/1/{}/$gw/{gateway}/up/num", ward.site);
    let message = ingest::Message {
        topic: &topic,
        content_type: None,
        payload: pack.as_bytes(),
        received_at: house.clock.now(),
    };
    house.api.door.take(house.org, gateway.parse().unwrap(), "test", &message).await.unwrap();
    // The same from the device itself: what it says of a gateway is nobody's word.
    house.publish(&ward, &id, "num", pack.as_bytes()).await.unwrap();
    let seen = ward.admin.get(&format!("{path}?after=0")).await.good();
    let messages = seen["messages"].as_array().unwrap();
    let by = json!({ "id": gateway, "name": "Monitor GW-1" });
    assert_eq!(messages[0]["gateway"], by, "{seen}");
    assert_eq!(messages[0]["gateway_at"], "2026-01-01T09:00:00.250Z");
    assert_eq!((&messages[1]["gateway"], &messages[1]["gateway_at"]), (&Value::Null, &Value::Null));
}

#[tokio::test(flavor = "multi_thread")]
async fn each_viewer_of_a_devices_messages_and_each_patient_of_it_is_on_record() {
    let house = House::open().await;
    let ward = house.ward().await;
    let id = house.monitor(&ward).await;
    let path = format!("/devices/{id}/messages");
    let look = async |who: &Browser| {
        let seen = who.get(&path).await.good();
        (seen["begins"] == true, seen["messages"].as_array().unwrap().len())
    };
    assert_eq!(look(&ward.admin).await, (true, 0));
    house.measure(&ward, &id, 72).await;
    let second = house.click("admin").await;
    assert_eq!(look(&second).await, (true, 0), "what came before its own beginning");
    house.measure(&ward, &id, 73).await;
    assert_eq!(look(&second).await, (false, 1));
    assert_eq!(look(&ward.admin).await, (false, 2));
    // The device goes to somebody else, whose messages are another look.
    let other = ward.charge.add("/patients", someone("BR 002", "Otto", "Kern")).await;
    let bed = format!("/beds/{}/patient", ward.beds[1]);
    ward.charge.post(&bed, json!({ "patient": other })).await.good();
    let on = json!({ "patient": other });
    ward.charge.post(&format!("/devices/{id}/association"), on).await.good();
    house.measure(&ward, &id, 74).await;
    assert_eq!(look(&ward.admin).await, (true, 0));
    assert_eq!(look(&second).await, (true, 0));
    let patients = house
        .until(async || {
            let trail = ward.admin.get("/audit").await.good();
            let items = trail["items"].as_array().unwrap().iter();
            let looks = items.filter(|it| it["action"] == "device.watch" && it["allowed"] == true);
            let of: Vec<_> = looks.map(|it| it["patient"].clone()).collect();
            (of.len() >= 4).then_some(of)
        })
        .await;
    let (first, other) = (json!(ward.patient), json!(other));
    assert_eq!(patients, [other.clone(), other, first.clone(), first]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_is_put_in_a_room_by_whoever_works_there() {
    let house = House::open().await;
    let ward = house.ward().await;
    let id = house.monitor(&ward).await;
    let path = format!("/devices/{id}/association");
    let both = json!({ "patient": ward.patient, "room": ward.room });
    assert_eq!(ward.charge.post(&path, both).await.problem().0, 400);
    let nowhere = json!({ "room": "0192f0c1-2b3a-7c4d-8e5f-00000000002a" });
    assert_eq!(ward.charge.post(&path, nowhere).await.problem().0, 404);
    let stands = ward.nurse.post(&path, json!({ "room": ward.room })).await.good();
    assert_eq!((&stands["place"]["name"], &stands["patient"]), (&json!("1"), &Value::Null));
    // In a room of another ward it is put by those who work there.
    let unit = ward.admin.add("/care-units", json!({ "site_id": ward.site, "name": "5C" })).await;
    let room = ward.admin.add("/rooms", json!({ "care_unit_id": unit, "name": "9" })).await;
    assert_eq!(ward.nurse.post(&path, json!({ "room": room })).await.problem().0, 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_dates_a_device_back_over_a_patient_of_another_ward() {
    let house = House::open().await;
    let ward = house.ward().await;
    let id = house.monitor(&ward).await;
    let unit = ward.admin.add("/care-units", json!({ "site_id": ward.site, "name": "5C" })).await;
    let room = ward.admin.add("/rooms", json!({ "care_unit_id": unit, "name": "9" })).await;
    let bed = ward.admin.add("/beds", json!({ "room_id": room, "name": "91" })).await;
    let leo = ward.charge.add("/patients", someone("BR 002", "Leo", "Osei")).await;
    let lies = json!({ "patient": leo });
    ward.physician.post(&format!("/beds/{bed}/patient"), lies).await.good();
    // Leo wore it for a while between two times of Ilse.
    let path = format!("/devices/{id}/association");
    let ago = |seconds| house.clock.now().before(Duration::from_secs(seconds)).unix_millis();
    let on =
        |patient: &str, seconds| json!({ "patient": patient, "from": ago(seconds).to_string() });
    ward.physician.post(&path, on(&leo, 40)).await.good();
    ward.physician.post(&path, on(&ward.patient, 20)).await.good();
    let off = json!({ "patient": null, "from": ago(30).to_string() });
    for body in [on(&ward.patient, 30), on(&ward.patient, 50), off] {
        assert_eq!(ward.nurse.post(&path, body.clone()).await.problem().0, 403, "{body}");
    }
    let traced = async |who: &str| {
        let path = format!("/audit?patient={leo}&action=device.associate&{who}");
        ward.admin.get(&path).await.good()["items"].as_array().unwrap().len()
    };
    let refused = "actor=priya&outcome=refused";
    house.until(async || (traced(refused).await == 3).then_some(())).await;
    // What is her own patient's she may mend, and a physician mends both, with a trace on both.
    ward.nurse.post(&path, on(&ward.patient, 10)).await.good();
    ward.physician.post(&path, on(&ward.patient, 30)).await.good();
    // Put on Leo, taken off him, and his past given away.
    house.until(async || (traced("actor=mara&outcome=allowed").await == 3).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_puts_a_device_only_where_its_finder_works_and_it_anywhere() {
    let house = House::open().await;
    let ward = house.ward().await;
    let unit = ward.admin.add("/care-units", json!({ "site_id": ward.site, "name": "5C" })).await;
    let room = ward.admin.add("/rooms", json!({ "care_unit_id": unit, "name": "9" })).await;
    let code = async |serial: &str| {
        let id = spare(&ward, serial, true).await;
        let offered = ward.admin.post(&format!("/devices/{id}/claim"), Value::Null).await.good();
        offered["code"].clone()
    };
    let first = code("M-7").await;
    for there in [
        json!({ "code": first, "room": room }),
        json!({ "code": first, "care_unit": unit }),
        json!({ "code": first, "care_unit": unit, "room": ward.room }),
        json!({ "code": first, "care_unit": unit, "patient": ward.patient }),
    ] {
        assert_eq!(ward.nurse.post("/claims", there.clone()).await.problem().0, 403, "{there}");
    }
    let nowhere = "0192f0c1-2b3a-7c4d-8e5f-00000000002a";
    let unknown = json!({ "code": first, "care_unit": nowhere });
    assert_eq!(ward.nurse.post("/claims", unknown).await.problem().0, 404);
    // The code is not spent by what was refused.
    let own = json!({ "code": first, "care_unit": ward.unit, "room": ward.room });
    assert_eq!(ward.nurse.post("/claims", own).await.good()["place"]["name"], "1");
    let in_service = json!({ "code": code("M-8").await });
    assert_eq!(ward.nurse.post("/claims", in_service).await.good()["lifecycle"], "in_service");
    let by_it = json!({ "code": code("M-9").await, "care_unit": unit, "room": room });
    assert_eq!(ward.admin.post("/claims", by_it).await.good()["place"]["name"], "9");
    let on_patient = json!({ "code": code("M-10").await, "patient": ward.patient });
    assert_eq!(ward.admin.post("/claims", on_patient).await.problem().0, 403);
}

/// The way down to devices, which writes down what goes there.
#[derive(Default)]
struct Wire {
    told: Mutex<Vec<String>>,
    /// Who is not there.
    away: Vec<DeviceId>,
    /// Topics on which something is retained from before.
    kept: Vec<String>,
}

impl Wire {
    /// What went down since the last look, without site and device.
    fn told(&self) -> Vec<String> {
        std::mem::take(&mut self.told.lock().unwrap())
    }

    fn tell(&self, what: &str, topic: &str, payload: &[u8]) {
        let by_gateway = if topic.contains("/$gw/") { "$gw " } else { "" };
        let topic = topic.split_once("/down/").unwrap().1;
        let topic = format!("{by_gateway}{topic}");
        let payload = String::from_utf8_lossy(payload);
        self.told.lock().unwrap().push(format!("{what} {topic} {payload}").trim_end().to_owned());
    }
}

impl Down for Wire {
    fn is_there(&self, device: DeviceId) -> bool {
        !self.away.contains(&device)
    }

    fn publish(&self, _: DeviceId, published: Published) -> bool {
        let what = if published.retain { "retain" } else { "send" };
        self.tell(what, &published.topic, &published.payload);
        true
    }

    fn withdraw(&self, _: DeviceId, topic: &str) {
        self.tell("withdraw", topic, b"");
    }

    fn retained(&self, device: DeviceId) -> Vec<String> {
        let topics = self.kept.iter().filter(|topic| topic.contains(&device.to_string()));
        topics.cloned().collect()
    }
}

/// What one round of the warden does, without asking for reports.
fn carry_out(done: &mut Done, house: &House, later: Duration) -> Vec<String> {
    carry_out_by(&Wire::default(), done, house, later)
}

/// The same by this way down.
fn carry_out_by(wire: &Wire, done: &mut Done, house: &House, later: Duration) -> Vec<String> {
    let directory = house.api.engine.directory();
    let now = house.clock.now().after(later);
    done.take_back(wire, &directory, now);
    done.configure(wire, &directory);
    done.send(wire, &directory, now);
    wire.told()
}

/// Asks for a command to the monitor on its patient and has it agreed to.
async fn agreed(ward: &Ward, id: &str) -> (String, Vec<String>) {
    let commands = format!("/devices/{id}/commands");
    let mut wish = json!({ "name": "set-interval", "args": { "interval_min": 15 } });
    let plan = ward.charge.post(&format!("{commands}/plan"), wish.clone()).await.good();
    wish["on"] = plan["on"].clone();
    let asked = ward.charge.post(&commands, wish).await.good();
    let number = asked["id"].as_str().unwrap().to_owned();
    ward.nurse.post(&format!("{commands}/{number}/second"), Value::Null).await.good();
    let taken_back = vec![format!("withdraw cmd/{number}")];
    (number, taken_back)
}

const AT_ONCE: Duration = Duration::ZERO;

#[tokio::test(flavor = "multi_thread")]
async fn a_command_is_taken_back_when_its_device_is_put_on_somebody_else_or_it_expires() {
    let house = House::open().await;
    let ward = house.ward().await;
    let id = house.monitor(&ward).await;
    let (number, taken_back) = agreed(&ward, &id).await;
    let mut done = Done::default();
    let sent = carry_out(&mut done, &house, AT_ONCE);
    assert!(sent[0].starts_with(&format!("send cmd/{number} ")), "{sent:?}");
    assert!(sent[0].contains(r#""expires_at":"#), "{sent:?}");
    assert!(carry_out(&mut done, &house, AT_ONCE).is_empty(), "it is on its way");
    let mut expiring = Done::default();
    assert_eq!(carry_out(&mut expiring, &house, AT_ONCE).len(), 1, "once after each start");
    assert_eq!(carry_out(&mut expiring, &house, Duration::from_secs(61)), taken_back);
    assert!(carry_out(&mut expiring, &house, Duration::from_secs(62)).is_empty());
    // Down in between: the next start looks for what is over.
    assert_eq!(carry_out(&mut Done::default(), &house, Duration::from_secs(61)), taken_back);
    let room = json!({ "room": ward.room });
    ward.charge.post(&format!("/devices/{id}/association"), room).await.good();
    assert_eq!(carry_out(&mut done, &house, AT_ONCE), taken_back);
    assert!(carry_out(&mut done, &house, AT_ONCE).is_empty(), "never again");
    assert_eq!(carry_out(&mut Done::default(), &house, AT_ONCE), taken_back);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_configuration_reaches_no_device_that_is_on_a_patient() {
    let house = House::open().await;
    let ward = house.ward().await;
    let id = house.monitor(&ward).await;
    let path = format!("/devices/{id}/association");
    let on = async |patient: Value| {
        ward.charge.post(&path, json!({ "patient": patient })).await.good();
    };
    on(Value::Null).await;
    let config = json!({ "version": "2", "config": { "sound": false } });
    ward.admin.put(&format!("/devices/{id}/configuration"), config).await.good();
    let retained = [r#"retain cfg {"version":"2","config":{"sound":false}}"#];
    let mut done = Done::default();
    let withhold = |done: &mut Done, in_force: Option<&str>| {
        let (wire, directory) = (Wire::default(), house.api.engine.directory());
        let devices = done.in_doubt(&directory);
        let reports: Vec<_> = devices
            .iter()
            .map(|id| DeviceReport {
                config: in_force.map(str::to_owned),
                ..DeviceReport::new(*id)
            })
            .collect();
        done.withhold(&wire, &directory, &devices, &reports);
        wire.told()
    };
    assert_eq!(carry_out(&mut done, &house, AT_ONCE), retained);
    assert!(withhold(&mut done, None).is_empty(), "it is free");
    on(json!(ward.patient)).await;
    assert!(withhold(&mut Done::default(), Some("2")).is_empty(), "it is in force already");
    let taken_back = ["retain cfg", "withdraw cfg"];
    assert_eq!(withhold(&mut done, Some("1")), taken_back);
    assert!(withhold(&mut done, Some("1")).is_empty(), "once");
    assert!(carry_out(&mut done, &house, AT_ONCE).is_empty());
    let mut restarted = Done::default();
    assert!(carry_out(&mut restarted, &house, AT_ONCE).is_empty(), "nor after a restart");
    assert_eq!(withhold(&mut restarted, None), taken_back);
    on(Value::Null).await;
    assert_eq!(carry_out(&mut done, &house, AT_ONCE), retained, "it waited for this");
}

/// Says which gateway speaks for a device.
async fn bind(ward: &Ward, id: &str, gateway: Option<&str>) {
    let path = format!("/devices/{id}/gateway");
    ward.admin.put(&path, json!({ "gateway": gateway })).await.good();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_goes_by_the_gateway_while_the_device_itself_is_away_and_only_while_it_speaks() {
    let house = House::open().await;
    let ward = house.ward().await;
    let id = house.monitor(&ward).await;
    let (first, second) = (spare(&ward, "GW-1", false).await, spare(&ward, "GW-2", false).await);
    bind(&ward, &id, Some(&first)).await;
    let (number, _) = agreed(&ward, &id).await;
    let here = Wire::default();
    let away = Wire { away: vec![id.parse().unwrap()], ..Wire::default() };
    let nobody =
        Wire { away: vec![id.parse().unwrap(), first.parse().unwrap()], ..Wire::default() };
    let mut done = Done::default();
    assert!(carry_out_by(&nobody, &mut done, &house, AT_ONCE).is_empty());
    let sent = carry_out_by(&here, &mut Done::default(), &house, AT_ONCE);
    assert!(sent[0].starts_with(&format!("send cmd/{number} {{\"command\"")), "itself: {sent:?}");
    let sent = carry_out_by(&away, &mut done, &house, AT_ONCE);
    let by_gateway = format!("send $gw cmd/{number} {{\"device\":\"{id}\",\"command\"");
    assert!(sent[0].starts_with(&by_gateway), "{sent:?}");
    assert!(carry_out_by(&here, &mut done, &house, AT_ONCE).is_empty(), "it is on its way");
    // Another gateway speaks for it now: the first is not to carry it out any more.
    bind(&ward, &id, Some(&second)).await;
    let told = carry_out_by(&away, &mut done, &house, AT_ONCE);
    assert_eq!(told[0], format!("withdraw $gw cmd/{number}"));
    assert!(told[1].starts_with(&by_gateway), "{told:?}");
    let later = Duration::from_secs(61);
    let over = carry_out_by(&away, &mut done, &house, later);
    assert_eq!(over, [format!("withdraw $gw cmd/{number}")]);
    // A start in between does not know which way it went.
    let both = [format!("withdraw cmd/{number}"), format!("withdraw $gw cmd/{number}")];
    assert_eq!(carry_out_by(&away, &mut Done::default(), &house, later), both);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_configuration_is_left_with_the_gateway_that_speaks_for_the_device_and_no_other() {
    let house = House::open().await;
    let ward = house.ward().await;
    let id = spare(&ward, "M-2", false).await;
    let (first, second) = (spare(&ward, "GW-1", false).await, spare(&ward, "GW-2", false).await);
    let config = json!({ "version": "2", "config": { "sound": false } });
    ward.admin.put(&format!("/devices/{id}/configuration"), config).await.good();
    let own = r#"retain cfg {"version":"2","config":{"sound":false}}"#.to_owned();
    let left = format!(
        r#"retain $gw cfg/{id} {{"device":"{id}","version":"2","config":{{"sound":false}}}}"#
    );
    let ended = [format!("retain $gw cfg/{id}"), format!("withdraw $gw cfg/{id}")];
    let mut done = Done::default();
    assert_eq!(carry_out(&mut done, &house, AT_ONCE), slice::from_ref(&own));
    bind(&ward, &id, Some(&first)).await;
    assert_eq!(carry_out(&mut done, &house, AT_ONCE), [own.clone(), left.clone()]);
    assert!(carry_out(&mut done, &house, AT_ONCE).is_empty());
    bind(&ward, &id, Some(&second)).await;
    let moved = [&ended[..], &[own.clone(), left.clone()]].concat();
    assert_eq!(carry_out(&mut done, &house, AT_ONCE), moved);
    bind(&ward, &id, None).await;
    assert_eq!(carry_out(&mut done, &house, AT_ONCE), ended);
    // A start in between finds what was left with a gateway that does not speak for it.
    let topic = format!("wl/1/{}/$gw/{first}/down/cfg/{id}", ward.site);
    let found = Wire { kept: vec![topic], ..Wire::default() };
    let alone = [&ended[..], slice::from_ref(&own)].concat();
    assert_eq!(carry_out_by(&found, &mut Done::default(), &house, AT_ONCE), alone);
    // On a patient, it is taken back from both.
    bind(&ward, &id, Some(&first)).await;
    carry_out(&mut done, &house, AT_ONCE);
    let lifecycle = format!("/devices/{id}/lifecycle");
    ward.admin.put(&lifecycle, json!({ "state": "in_service" })).await.good();
    let path = format!("/devices/{id}/association");
    ward.charge.post(&path, json!({ "patient": ward.patient })).await.good();
    let (wire, directory) = (Wire::default(), house.api.engine.directory());
    let devices = done.in_doubt(&directory);
    done.withhold(&wire, &directory, &devices, &[]);
    let taken_back = [vec!["retain cfg".to_owned(), "withdraw cfg".to_owned()], ended.to_vec()];
    assert_eq!(wire.told(), taken_back.concat());
}
