//! One patient: charted, limited, measured, looked at and looked after.

use serde_json::{Value, json};

use super::house::House;

#[tokio::test(flavor = "multi_thread")]
async fn what_is_charted_counts_in_the_score_of_the_page() {
    let house = House::open().await;
    let ward = house.ward().await;
    let path = format!("/patients/{}", ward.patient);
    let before = ward.nurse.get(&path).await.good();
    let missing = before["news2"]["missing"].as_array().unwrap().clone();
    assert!(missing.contains(&json!("consciousness")) && missing.contains(&json!("oxygen")));
    assert_eq!(before["patient"]["age_years"].as_u64().map(|age| age >= 70), Some(true));
    let chart = json!({
        "consciousness": "voice",
        "oxygen": { "kind": "added", "flow_l_per_min": 2.5, "by": "nasal_cannula" },
        "breaths_per_min": 26,
        "note": "sleepy",
    });
    let answer = ward.nurse.post(&format!("{path}/chart"), chart).await;
    assert_eq!(answer.status, 201);
    let after = answer.good();
    let part = |input: &str| {
        let parts = after["news2"]["parts"].as_array().unwrap();
        parts.iter().find(|part| part["input"] == input).unwrap().clone()
    };
    assert_eq!(
        (&part("consciousness")["points"], &part("consciousness")["state"]),
        (&json!(3), &json!("charted"))
    );
    assert_eq!(part("oxygen")["points"], 2);
    assert_eq!(part("respiratory_rate")["points"], 3);
    assert_eq!(after["news2"]["complete"], false);
    assert_eq!(after["news2"]["total"], Value::Null);
    let charted = &after["charting"][0];
    assert_eq!((&charted["by"]["name"], &charted["note"]), (&json!("PRIYA"), &json!("sleepy")));
    assert_eq!(
        charted["oxygen"],
        json!({ "kind": "added", "flow_l_per_min": 2.5, "by": "nasal_cannula" })
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn nonsense_is_not_charted_limited_or_ordered() {
    let house = House::open().await;
    let ward = house.ward().await;
    let path = format!("/patients/{}", ward.patient);
    let chart = async |body: Value| ward.nurse.post(&format!("{path}/chart"), body).await.problem();
    assert_eq!(chart(json!({})).await.2, "nothing is charted: no consciousness, oxygen or breaths");
    assert_eq!(chart(json!({ "consciousness": "asleep" })).await.0, 400);
    assert_eq!(
        chart(json!({ "breaths_per_min": 12, "observed_at": "2199-01-01T00:00:00Z" })).await.0,
        400
    );
    assert_eq!(
        chart(json!({ "breaths_per_min": 12, "observed_at": "2001-01-01T00:00:00Z" })).await.0,
        400
    );
    let flow = json!({ "oxygen": { "kind": "added", "flow_l_per_min": -1, "by": "other" } });
    assert!(chart(flow).await.2.starts_with("flow_l_per_min is -1"));
    assert_eq!(chart(json!({ "oxygen": { "kind": "helium" } })).await.0, 400);

    let limits = async |vital: &str, low: Value, high: Value| {
        ward.nurse.put(&format!("{path}/limits/{vital}"), json!({ "low": low, "high": high })).await
    };
    let side = |limit: f64, clears_at: f64| json!({ "limit": limit, "clears_at": clears_at, "delay_s": 5, "priority": "medium" });
    let set = limits("heart_rate", side(45.0, 48.0), side(130.0, 125.0)).await.good();
    assert_eq!(
        (&set["low"]["limit"], &set["high"]["delay_s"], &set["is_default"]),
        (&json!(45.0), &json!(5.0), &json!(false))
    );
    assert_eq!(limits("heart_rate", side(140.0, 142.0), side(130.0, 125.0)).await.problem().0, 400);
    assert_eq!(limits("mood", Value::Null, Value::Null).await.problem().0, 400);
    let page = ward.nurse.get(&path).await.good();
    let heart =
        page["limits"].as_array().unwrap().iter().find(|it| it["vital"] == "heart_rate").unwrap();
    assert_eq!(heart["high"]["limit"], 130.0);

    let scale = |scale: u8| json!({ "scale": scale });
    assert_eq!(ward.nurse.put(&format!("{path}/spo2-scale"), scale(2)).await.problem().0, 403);
    assert_eq!(ward.physician.put(&format!("{path}/spo2-scale"), scale(3)).await.problem().0, 400);
    let ordered = ward.physician.put(&format!("{path}/spo2-scale"), scale(2)).await.good();
    assert_eq!(ordered["spo2_scale"], 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_number_is_on_the_page_in_the_trend_and_gone_with_the_device() {
    let house = House::open().await;
    let ward = house.ward().await;
    let device = house.monitor(&ward).await;
    let path = format!("/patients/{}", ward.patient);
    for rate in [70, 71, 72] {
        house.measure(&ward, &device, rate).await;
    }
    let number = house.until(async || {
        let page = ward.nurse.get(&path).await.good();
        page["numerics"].as_array().unwrap().iter().find(|it| it["value"] == 72.0).cloned()
    });
    let number = number.await;
    assert_eq!(
        (&number["vital"], &number["text"], &number["state"]),
        (&json!("heart_rate"), &json!("72"), &json!("live"))
    );
    assert_eq!(number["device"], json!(device));
    let heard = ward.admin.get(&format!("/devices/{device}")).await.good();
    assert!(heard["last_heard_at"].is_string(), "{heard}");
    let trend =
        async || ward.nurse.get(&format!("{path}/trends?vital=heart_rate,saturation")).await.good();
    let line =
        house.until(async || Some(trend().await).filter(|it| it["series"][0]["count"] == 3)).await;
    let values: Vec<_> = line["series"][0]["points"]
        .as_array()
        .unwrap()
        .iter()
        .map(|point| point[1].as_f64().unwrap())
        .collect();
    assert_eq!(values, [70.0, 71.0, 72.0]);
    // Nobody promised anything before the monitor was put on, and from then on it said nothing.
    let gaps = line["series"][0]["gaps"].as_array().unwrap();
    assert_eq!((&gaps[0]["reason"], &gaps[1]["reason"]), (&json!("no_device"), &json!("silent")));
    assert_eq!(
        (&line["series"][1]["points"], &line["series"][1]["gaps"][0]["reason"]),
        (&json!([]), &json!("no_device"))
    );
    // Another patient's chart has nothing of it.
    let other = ward.charge.add("/patients", super::house::someone("BR 007", "Eva", "Other")).await;
    let none = ward.nurse.get(&format!("/patients/{other}/trends?vital=heart_rate")).await.good();
    assert_eq!(none["series"][0]["count"], 0);
    for wrong in [
        "from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z",
        "from=0",
        "points=1",
        "vital=mood",
        "from=yesterday",
    ] {
        assert_eq!(
            ward.nurse.get(&format!("{path}/trends?{wrong}")).await.problem().0,
            400,
            "{wrong}"
        );
    }
    assert_eq!(ward.nurse.get(&format!("{path}/waves")).await.problem().0, 400);
    let waves = ward.nurse.get(&format!("{path}/waves?channel=MDC_ECG_ELEC_POTL_II")).await.good();
    assert_eq!(waves["spans"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_look_at_a_patient_leaves_a_trace_and_so_does_a_refusal() {
    let house = House::open().await;
    let ward = house.ward().await;
    let path = format!("/patients/{}", ward.patient);
    ward.nurse.get(&path).await.good();
    ward.admin.get(&path).await.problem();
    let trail = async || {
        let list =
            ward.admin.get(&format!("/audit?patient={}&limit=200", ward.patient)).await.good();
        let lines = list["items"].as_array().unwrap().iter().map(|it| {
            let text = |key: &str| it[key].as_str().unwrap().to_owned();
            let sign = if it["allowed"] == true { '+' } else { '-' };
            format!(
                "{sign}{} {} {}",
                it["actor"]["name"].as_str().unwrap(),
                text("action"),
                text("resource")
            )
        });
        lines.collect::<Vec<_>>()
    };
    let looked = format!("+priya patient.read GET /api/v1{path}");
    let refused = format!("-admin patient.read GET /api/v1{path}");
    let moved = format!("+tom patient.move POST /api/v1/beds/{}/patient", ward.beds[0]);
    house
        .until(async || {
            let trail = trail().await;
            [&looked, &refused, &moved].iter().all(|line| trail.contains(line)).then_some(())
        })
        .await;
    assert_eq!(ward.nurse.get("/audit").await.problem().0, 403);
    // Page by page it is the same trail.
    let whole = trail().await;
    let first = ward.admin.get(&format!("/audit?patient={}&limit=1", ward.patient)).await.good();
    assert!(first["next"].is_string());
    let second = format!(
        "/audit?patient={}&limit=1&cursor={}",
        ward.patient,
        first["next"].as_str().unwrap()
    );
    assert_eq!(ward.admin.get(&second).await.good()["items"].as_array().unwrap().len(), 1);
    assert!(whole.len() >= 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_list_of_the_house_has_those_whom_one_may_read_and_no_others() {
    let house = House::open().await;
    let ward = house.ward().await;
    let uma = super::emergency::stranger(&house, &ward).await;
    // She lies in no care unit, so nobody there could be asked.
    ward.charge.add("/patients", super::house::someone("BR 007", "Eva", "Other")).await;
    let numbers = async |who: &super::browser::Browser| {
        let list = who.get("/patients").await.good();
        let items = list["items"].as_array().unwrap().iter();
        items.map(|it| it["record_number"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(numbers(&uma).await, ["BR 007"]);
    for other in [&ward.nurse, &ward.charge, &ward.physician] {
        assert_eq!(numbers(other).await, ["BR 001", "BR 007"]);
    }
    assert_eq!(ward.admin.get("/patients").await.problem().0, 403);
    let of_unit = format!("/patients?care_unit={}", ward.unit);
    let (status, kind, _) = uma.get(&of_unit).await.problem();
    assert_eq!((status, kind.as_str()), (403, "closed"));
    // Whom she opened in an emergency she finds as well.
    let why = json!({ "reason": "life_at_risk" });
    uma.post(&format!("/patients/{}/emergency", ward.patient), why).await.good();
    assert_eq!(numbers(&uma).await, ["BR 001", "BR 007"]);
    house
        .until(async || {
            let rows = ward.admin.get("/audit?action=patient.list&actor=uma").await.good();
            (rows["items"].as_array().unwrap().len() == 2).then_some(())
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_nobody_can_read_is_kept_whole_for_hospital_it() {
    let house = House::open().await;
    let ward = house.ward().await;
    let device = house.monitor(&ward).await;
    let refused = house.say(&ward, &device, "not SenML").await.unwrap_err();
    assert!(refused.contains("kept as dead letter"), "{refused}");
    let letters = async || ward.admin.get("/dead-letters").await.good();
    let list =
        house.until(async || Some(letters().await).filter(|it| it["items"][0].is_object())).await;
    let letter = &list["items"][0];
    assert_eq!(
        (&letter["device_label"], &letter["size"], &letter["payload"]),
        (&json!("Monitor 1"), &json!(9), &Value::Null)
    );
    let whole =
        ward.admin.get(&format!("/dead-letters/{}", letter["id"].as_str().unwrap())).await.good();
    assert_eq!(whole["payload"], "bm90IFNlbk1M");
    assert_eq!(ward.nurse.get("/dead-letters").await.problem().0, 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_history_of_the_score_says_what_was_missing() {
    let house = House::open().await;
    let ward = house.ward().await;
    let path = format!("/patients/{}", ward.patient);
    let chart = json!({ "breaths_per_min": 26, "consciousness": "alert" });
    assert_eq!(ward.nurse.post(&format!("{path}/chart"), chart).await.status, 201);
    let scores = format!("{path}/scores");
    let history = ward.nurse.get(&scores).await.good();
    let newest = history["scores"].as_array().unwrap().last().unwrap();
    assert_eq!((&newest["total"], &newest["single_red"]), (&Value::Null, &json!(true)));
    let missing = newest["missing"].as_array().unwrap();
    assert!(missing.contains(&json!("oxygen")) && !missing.contains(&json!("respiratory_rate")));
    assert_eq!(history["is_cut"], false);
    // A range that is over before anybody charted is empty, and a bad one is refused.
    let of = async |range: &str| ward.nurse.get(&format!("{scores}?{range}")).await;
    let before = of("from=2001-01-01T00:00:00Z&to=2001-01-02T00:00:00Z").await.good();
    assert_eq!(before["scores"], json!([]));
    for wrong in ["from=2001-01-01T00:00:00Z", "from=now", "from=5&to=5"] {
        assert_eq!(of(wrong).await.problem().0, 400, "{wrong}");
    }
}
