//! Whoever leaves a bed: what is on them comes off at once, or is shown until it does.

use serde_json::{Value, json};

use super::house::{House, Ward, someone};
use crate::limits::TAKEN_OFF_MAX;

/// A second device in service, on the ward's patient.
async fn patch(ward: &Ward) -> String {
    let body = json!({ "profile": "monitor", "serial": "P-1", "label": "Patch 1", "care_unit": ward.unit });
    let id = ward.admin.add("/devices", body).await;
    let state = json!({ "state": "in_service" });
    ward.admin.put(&format!("/devices/{id}/lifecycle"), state).await.good();
    let on = json!({ "patient": ward.patient });
    ward.charge.post(&format!("/devices/{id}/association"), on).await.good();
    id
}

async fn on_whom(ward: &Ward, device: &str) -> Value {
    ward.charge.get(&format!("/devices/{device}")).await.good()["patient"]["name"].clone()
}

fn labels(still_on: &Value) -> Vec<&str> {
    let of = |it: &'_ Value| it["device"]["name"].as_str().map(str::to_owned);
    assert!(still_on.as_array().unwrap().iter().all(|it| of(it).is_some()), "{still_on}");
    still_on.as_array().unwrap().iter().map(|it| it["device"]["name"].as_str().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_leaves_is_taken_off_what_is_named_and_the_rest_is_shown_until_it_is_off() {
    let house = House::open().await;
    let ward = house.ward().await;
    let (monitor, patch) = (house.monitor(&ward).await, patch(&ward).await);
    let bed = format!("/beds/{}/patient", ward.beds[0]);
    let board_path = format!("/care-units/{}/board", ward.unit);
    let board = async || ward.nurse.get(&board_path).await.good()["still_on"].clone();
    assert_eq!(board().await, json!([]), "nobody has left");
    let mut feed = ward.nurse.feed(&format!("care_unit={}", ward.unit), None).await.unwrap();
    // Named twice, it comes off once.
    let twice = [&monitor, &monitor];
    let leaves = json!({ "patient": null, "leaves": ward.patient, "take_off": twice });
    let now = ward.charge.post(&bed, leaves).await.good();
    assert_eq!((&now["patient"], labels(&now["still_on"])), (&Value::Null, vec!["Patch 1"]));
    assert_eq!(on_whom(&ward, &monitor).await, Value::Null);
    assert_eq!(on_whom(&ward, &patch).await, "Ilse Brandt");
    // It is on every screen of the care unit, and on the devices' page, also for IT.
    let told = feed.until(|frame| frame["still_on"].as_array().is_some_and(|it| it.len() == 1));
    assert_eq!(told.await["still_on"][0]["patient"]["name"], "Ilse Brandt");
    assert_eq!(labels(&board().await), ["Patch 1"]);
    for browser in [&ward.admin, &ward.nurse] {
        let listed = browser.get("/devices").await.good()["items"].clone();
        let left: Vec<_> = listed.as_array().unwrap().iter().collect();
        let left = left.into_iter().filter(|it| it["patient_left"] == true);
        assert_eq!(left.map(|it| it["label"].as_str().unwrap()).collect::<Vec<_>>(), ["Patch 1"]);
    }
    let page = ward.charge.get(&format!("/patients/{}", ward.patient)).await.good();
    assert_eq!((&page["has_left"], page["devices"].as_array().unwrap().len()), (&json!(true), 1));
    let off = json!({ "patient": null });
    ward.charge.post(&format!("/devices/{patch}/association"), off).await.good();
    feed.until(|frame| frame["still_on"] == json!([])).await;
    assert_eq!(board().await, json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_moves_keeps_what_is_not_named_and_is_nobody_who_left() {
    let house = House::open().await;
    let ward = house.ward().await;
    let (monitor, patch) = (house.monitor(&ward).await, patch(&ward).await);
    let bed = format!("/beds/{}/patient", ward.beds[1]);
    let moves = json!({ "patient": ward.patient, "take_off": [monitor] });
    let now = ward.charge.post(&bed, moves).await.good();
    assert_eq!(
        (now["patient"]["id"] == ward.patient, labels(&now["still_on"])),
        (true, vec!["Patch 1"])
    );
    assert_eq!(on_whom(&ward, &monitor).await, Value::Null);
    let shown = ward.charge.get(&format!("/devices/{patch}")).await.good();
    assert_eq!((&shown["patient_left"], &shown["bed"]["name"]), (&json!(false), &json!("02")));
    let board = ward.nurse.get(&format!("/care-units/{}/board", ward.unit)).await.good();
    assert_eq!(board["still_on"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_measured_before_somebody_left_stays_theirs_and_nothing_after_it_is() {
    let house = House::open().await;
    let ward = house.ward().await;
    let monitor = house.monitor(&ward).await;
    let left_at = house.clock.now().unix_millis();
    // A value a second, of which only some were before the patient left.
    let pack = |at: i64| json!({ "n": "MDC_ECG_HEART_RATE", "u": "/min", "t": -at, "v": 70 });
    let said: Vec<Value> = (1..=20).rev().map(pack).collect();
    house.say(&ward, &monitor, &Value::from(said).to_string()).await.unwrap();
    let count = async || {
        let path = format!(
            "/patients/{}/measured?from={}&to={}&columns=10",
            ward.patient,
            left_at - 60_000,
            left_at + 60_000
        );
        let found = ward.physician.get(&path).await.good();
        found["lines"][0]["count"].as_u64().unwrap_or(0)
    };
    house.until(async || (count().await == 20).then_some(())).await;
    let bed = format!("/beds/{}/patient", ward.beds[0]);
    let leaves = json!({ "patient": null, "from": left_at.to_string(), "take_off": [monitor] });
    ward.charge.post(&bed, leaves).await.good();
    assert_eq!(count().await, 20, "all of it was measured before");
    house.measure(&ward, &monitor, 88).await;
    let of_device = format!(
        "/devices/{monitor}/measured?from={}&to={}&columns=10",
        left_at - 60_000,
        left_at + 60_000
    );
    let all = async || {
        let found = ward.physician.get(&of_device).await.good();
        let lines = found["lines"].as_array().unwrap().clone();
        lines.iter().map(|it| it["count"].as_u64().unwrap()).sum::<u64>()
    };
    house.until(async || (all().await == 21).then_some(())).await;
    assert_eq!(count().await, 20, "what came after is nobody's");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_emptied_or_taken_off_by_those_who_saw_something_else() {
    let house = House::open().await;
    let ward = house.ward().await;
    let monitor = house.monitor(&ward).await;
    let other = ward.charge.add("/patients", someone("BR 002", "Ana", "Ferreira")).await;
    let bed = format!("/beds/{}/patient", ward.beds[0]);
    let empty = format!("/beds/{}/patient", ward.beds[1]);
    let refused = [
        (&bed, json!({ "patient": null, "leaves": other }), 409, "somebody else lies in this bed"),
        (&empty, json!({ "patient": null, "take_off": [monitor] }), 409, "nobody lies in this bed"),
        (
            &empty,
            json!({ "patient": other, "take_off": [monitor] }),
            409,
            "is not on them any more",
        ),
        (&bed, json!({ "patient": null, "take_off": ["no id"] }), 400, ""),
        (
            &bed,
            json!({ "patient": null, "take_off": vec![monitor.clone(); TAKEN_OFF_MAX + 1] }),
            400,
            "at most 64 devices are taken off in one request",
        ),
    ];
    for (path, body, status, words) in refused {
        let problem = ward.charge.post(path, body.clone()).await.problem();
        assert!(problem.0 == status && problem.2.contains(words), "{body}: {problem:?}");
    }
    assert_eq!(on_whom(&ward, &monitor).await, "Ilse Brandt");
    let page = ward.charge.get(&format!("/patients/{}", ward.patient)).await.good();
    assert_eq!((&page["bed"]["name"], &page["has_left"]), (&json!("01"), &json!(false)));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_put_on_after_somebody_is_said_to_have_left_comes_off_now() {
    let house = House::open().await;
    let ward = house.ward().await;
    let left_at = house.clock.now().unix_millis();
    let patch = patch(&ward).await;
    house.measure(&ward, &patch, 77).await;
    let bed = format!("/beds/{}/patient", ward.beds[0]);
    let leaves = json!({ "patient": null, "from": left_at.to_string(), "take_off": [patch] });
    ward.charge.post(&bed, leaves).await.good();
    assert_eq!(on_whom(&ward, &patch).await, Value::Null);
    let path = format!(
        "/patients/{}/measured?from={}&to={}&columns=10",
        ward.patient,
        left_at - 60_000,
        left_at + 600_000
    );
    let theirs = house.until(async || {
        let found = ward.physician.get(&path).await.good();
        found["lines"][0]["count"].as_u64()
    });
    assert_eq!(theirs.await, 1, "it was on them when it measured");
}
