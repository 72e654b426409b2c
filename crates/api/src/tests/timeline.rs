//! What happened to a patient, in one list by time.

use serde_json::{Value, json};

use super::house::House;

fn told(answer: &Value) -> Vec<String> {
    let line = |event: &Value| {
        let of = |key: &str| {
            let name = event[key].get("name").or_else(|| event[key].get("title"));
            name.and_then(Value::as_str).map_or_else(String::new, |name| format!(" {name}"))
        };
        let what = event["what"].as_str().unwrap();
        format!("{what}{}{}{}{}", of("alarm"), of("device"), of("bed"), of("nurse"))
    };
    answer["items"].as_array().unwrap().iter().map(line).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happened_to_a_patient_is_one_list_the_latest_first() {
    let house = House::open().await;
    let ward = house.ward().await;
    let device = house.monitor(&ward).await;
    let path = format!("/patients/{}", ward.patient);
    ward.nurse.post(&format!("{path}/chart"), json!({ "breaths_per_min": 18 })).await.good();
    let bed = format!("/beds/{}/patient", ward.beds[1]);
    ward.charge.post(&bed, json!({ "patient": ward.patient })).await.good();
    ward.charge
        .post(&format!("/devices/{device}/association"), json!({ "patient": null }))
        .await
        .good();
    let all = ward.nurse.get(&format!("{path}/timeline")).await.good();
    let lines = told(&all);
    let has = |line: &str| assert!(lines.iter().any(|it| it == line), "{line} in {lines:?}");
    for line in [
        "came 01",
        "nurse 01 PRIYA",
        "put_on Monitor 1",
        "charted",
        "left 01",
        "came 02",
        "taken_off Monitor 1",
    ] {
        has(line);
    }
    assert_eq!(lines.len(), 7, "{lines:?}");
    assert_eq!(lines.first().map(String::as_str), Some("taken_off Monitor 1"));
    let times: Vec<&str> =
        all["items"].as_array().unwrap().iter().map(|it| it["at"].as_str().unwrap()).collect();
    assert!(times.is_sorted_by(|a, b| a >= b), "{times:?}");
    assert_eq!(all["more"], false);
    let some = ward.nurse.get(&format!("{path}/timeline?kinds=charted,device")).await.good();
    assert_eq!(told(&some), ["taken_off Monitor 1", "charted", "put_on Monitor 1"]);
    let early = ward.nurse.get(&format!("{path}/timeline?to=1000&from=0")).await.good();
    assert_eq!(told(&early), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alarm_is_in_the_list_when_it_was_raised_and_when_it_ended() {
    let house = House::open().await;
    let ward = house.ward().await;
    let device = house.monitor(&ward).await;
    let path = format!("/patients/{}", ward.patient);
    let side = |limit: f64| json!({ "limit": limit, "clears_at": limit, "delay_s": 0.0, "priority": "medium" });
    let limits = json!({ "low": side(50.0), "high": side(120.0) });
    ward.nurse.put(&format!("{path}/limits/heart_rate"), limits).await.good();
    house.measure(&ward, &device, 140).await;
    let list = async || told(&ward.nurse.get(&format!("{path}/timeline?kinds=alarm")).await.good());
    let raised = house.until(async || list().await.into_iter().next()).await;
    assert!(raised.starts_with("raised "), "{raised}");
    let alarms =
        ward.nurse.get(&format!("/alarms?patient={}&state=standing", ward.patient)).await.good();
    let id = alarms["items"][0]["id"].as_str().unwrap().to_owned();
    ward.nurse.post(&format!("/alarms/{id}/end"), json!({ "reason": "artefact" })).await.good();
    let both = house.until(async || {
        let lines = list().await;
        (lines.len() == 2).then_some(lines)
    });
    assert_eq!(both.await, [raised.replace("raised", "ended"), raised]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_list_is_refused_with_a_reason() {
    let house = House::open().await;
    let ward = house.ward().await;
    let ask = async |query: &str| {
        let path = format!("/patients/{}/timeline{query}", ward.patient);
        ward.nurse.get(&path).await.problem()
    };
    assert_eq!(
        ask("?kinds=alarm,gossip").await.2,
        "kinds has `gossip`; use some of: alarm, charted, device, place"
    );
    assert_eq!(ask("?from=2000&to=2000").await.2, "from is not before to");
    assert_eq!(ask("?from=yesterday").await.0, 400);
    let path = format!("/patients/{}/timeline", ward.patient);
    assert_eq!(ward.admin.get(&path).await.problem().0, 403);
}
