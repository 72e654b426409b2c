//! Devices in use: their life, their commands, their codes, and what is said when they are refused.

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::house::{House, Ward};

/// A device that lies in a drawer.
async fn spare(ward: &Ward, serial: &str, ordered: bool) -> String {
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
