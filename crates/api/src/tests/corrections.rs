//! What people say of stored readings: who may, what follows it, and what stays as it was.

use serde_json::{Value, json};

use super::{
    emergency::stranger,
    house::{House, Ward},
};

/// A value each ten seconds from a minute ago on, by the device's clock; milliseconds of the last.
async fn measure(house: &House, ward: &Ward, device: &str) -> i64 {
    let now = house.clock.now().unix_millis();
    let pack =
        |back: i64| json!({ "n": "MDC_ECG_HEART_RATE", "u": "/min", "t": -back, "v": 60 + back });
    let packs: Vec<Value> = [50, 40, 30, 20, 10].into_iter().map(pack).collect();
    house.say(ward, device, &Value::from(packs).to_string()).await.unwrap();
    now
}

struct Asked<'a> {
    house: &'a House,
    ward: &'a Ward,
    device: String,
    range: String,
}

impl Asked<'_> {
    /// The values of the patient's trend in their order.
    async fn values(&self) -> Vec<f64> {
        let path =
            format!("/patients/{}/trends?vital=heart_rate&{}", self.ward.patient, self.range);
        let found = self.ward.nurse.get(&path).await.good();
        let points = found["series"][0]["points"].as_array().unwrap().clone();
        points.iter().map(|it| it[1].as_f64().unwrap()).collect()
    }

    async fn measured(&self, more: &str) -> (u64, f64) {
        let path =
            format!("/patients/{}/measured?{}&columns=10{more}", self.ward.patient, self.range);
        let found = self.ward.nurse.get(&path).await.good();
        let line = &found["lines"][0];
        let greatest = line["greatest"].as_array().into_iter().flatten();
        let greatest = greatest.filter_map(Value::as_f64).fold(0.0, f64::max);
        (line["count"].as_u64().unwrap_or(0), greatest)
    }

    fn path(&self, rest: &str) -> String {
        format!("/devices/{}/{rest}", self.device)
    }

    async fn list(&self) -> Vec<Value> {
        let path = format!("/patients/{}/corrections?{}", self.ward.patient, self.range);
        self.ward.nurse.get(&path).await.good()["items"].as_array().unwrap().clone()
    }

    async fn until_there(&self, count: usize) {
        self.house.until(async || (self.values().await.len() == count).then_some(())).await;
    }
}

async fn asked<'a>(house: &'a House, ward: &'a Ward) -> (Asked<'a>, i64) {
    let device = house.monitor(ward).await;
    let now = measure(house, ward, &device).await;
    let range = format!("from={}&to={}", now - 55_000, now);
    let asked = Asked { house, ward, device, range };
    asked.until_there(5).await;
    let path = asked.path(&format!("receipts?{}", asked.range));
    let receipts = ward.nurse.get(&path).await.good();
    let at = receipts["items"][4]["at_ms"].as_f64().unwrap();
    (asked, at.floor() as i64)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_withdrawn_reading_counts_nowhere_stays_to_be_seen_and_comes_back() {
    let house = House::open().await;
    let ward = house.ward().await;
    let (asked, at) = asked(&house, &ward).await;
    assert_eq!(asked.values().await, [110.0, 100.0, 90.0, 80.0, 70.0]);
    let before = house.clock.now().unix_millis();
    let given = json!({
        "channel": "MDC_ECG_HEART_RATE", "from": (at - 40_000).to_string(),
        "to": (at - 20_000).to_string(), "why": "wrong_patient", "words": "the leads were on bed 2",
    });
    let shown = ward.nurse.post(&asked.path("corrections"), given).await.good();
    assert_eq!((&shown["kind"], &shown["why"]), (&json!("withdrawn"), &json!("wrong_patient")));
    assert!(shown["by"].is_string(), "{shown}");
    let originals: Vec<f64> = shown["originals"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["value"].as_f64().unwrap())
        .collect();
    assert_eq!(originals, [110.0, 100.0]);
    // At once, everywhere alike.
    assert_eq!(asked.values().await, [90.0, 80.0, 70.0]);
    assert_eq!(asked.measured("").await, (3, 90.0));
    let path = format!("/patients/{}/trends?vital=heart_rate&{}", ward.patient, asked.range);
    let gaps = ward.nurse.get(&path).await.good()["series"][0]["gaps"].clone();
    let reasons: Vec<&str> =
        gaps.as_array().unwrap().iter().map(|it| it["reason"].as_str().unwrap()).collect();
    assert!(reasons.contains(&"withdrawn"), "{gaps}");
    let path = format!("/patients/{}/coverage?{}", ward.patient, asked.range);
    let covered = ward.nurse.get(&path).await.good();
    let lacking = covered["channels"][0]["lacking"].as_array().unwrap();
    assert!(lacking.iter().any(|it| it["reason"] == "withdrawn"), "{covered}");
    // As it was received, and as it was known.
    assert_eq!(asked.measured("&originals=true").await, (5, 110.0));
    assert_eq!(asked.measured(&format!("&known_at={before}")).await, (5, 110.0));
    let path = asked.path(&format!("receipts?channel=MDC_ECG_HEART_RATE&{}", asked.range));
    let receipts = ward.nurse.get(&path).await.good();
    let counts: Vec<bool> = receipts["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["counts"].as_bool().unwrap())
        .collect();
    assert_eq!(counts, [false, false, true, true, true]);
    // Taken back by a further correction, once.
    let undo = asked.path(&format!("corrections/{}/undo", shown["id"].as_str().unwrap()));
    let undone = ward.charge.post(&undo, json!({ "words": "it was the right bed" })).await.good();
    assert_eq!((&undone["kind"], &undone["undoes"]), (&json!("taken_back"), &shown["id"]));
    assert_eq!(asked.values().await.len(), 5);
    assert_eq!(ward.charge.post(&undo, json!({})).await.problem().0, 409);
    let undo = asked.path(&format!("corrections/{}/undo", undone["id"].as_str().unwrap()));
    assert_eq!(ward.charge.post(&undo, json!({})).await.problem().0, 409);
    let all = asked.list().await;
    let kinds: Vec<&str> = all.iter().map(|it| it["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["withdrawn", "taken_back"]);
    assert_eq!(all[0]["undone_by"], undone["id"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reading_is_replaced_in_its_own_unit_and_the_score_follows() {
    let house = House::open().await;
    let ward = house.ward().await;
    let (asked, at) = asked(&house, &ward).await;
    let pulse = async || {
        let page = ward.nurse.get(&format!("/patients/{}", ward.patient)).await.good();
        let parts = page["news2"]["parts"].as_array().unwrap().clone();
        let pulse = parts.into_iter().find(|it| it["input"] == "pulse");
        pulse.map_or(Value::Null, |it| it["points"].clone())
    };
    assert_eq!(pulse().await, 0);
    let given = |more: Value| {
        let mut given = json!({
            "channel": "MDC_ECG_HEART_RATE", "at": at.to_string(), "value": 131.5, "why": "mistyped",
        });
        more.as_object().unwrap().iter().for_each(|(key, value)| given[key] = value.clone());
        given
    };
    let post = asked.path("corrections");
    for (more, status, part) in [
        (json!({ "unit": "{beats}/s" }), 400, "came in /min"),
        (json!({ "at": (at - 5_000).to_string() }), 404, "no reading"),
        (json!({ "at": null, "from": "0", "to": "1" }), 400, "say `at`"),
        (json!({ "from": "0" }), 400, "`from` and `to`"),
        (json!({ "value": 1e300 }), 400, "few digits"),
        (json!({ "why": "bad" }), 400, "use one of"),
        (json!({ "why": "other" }), 400, "in words"),
        (json!({ "channel": "NO" }), 404, "no reading"),
        (json!({ "value": null, "at": "2199-01-01T00:00:00Z" }), 400, "future"),
    ] {
        let (found, _, detail) = ward.nurse.post(&post, given(more.clone())).await.problem();
        assert!(found == status && detail.contains(part), "{more}: {found} {detail}");
    }
    let shown = ward.nurse.post(&post, given(json!({ "unit": "/min" }))).await.good();
    assert_eq!((&shown["value"], &shown["unit"]), (&json!(131.5), &json!("/min")));
    assert_eq!(asked.values().await, [110.0, 100.0, 90.0, 80.0, 131.5]);
    house.until(async || (pulse().await == 3).then_some(())).await;
    // The score that was given stays, and says that its input was corrected later.
    let path = format!("/patients/{}/scores?from={}", ward.patient, at - 60_000);
    let scores = house
        .until(async || {
            let scores = ward.nurse.get(&path).await.good()["scores"].as_array().unwrap().clone();
            (scores.len() > 1).then_some(scores)
        })
        .await;
    assert_eq!(scores[0]["corrected_later"], true, "{scores:?}");
    assert_eq!(scores.last().unwrap()["corrected_later"], false, "{scores:?}");
    // Withdrawn there is no pulse, and taken back there is the one before, corrected again.
    let withdrawn = ward.nurse.post(&post, given(json!({ "value": null }))).await.good();
    house.until(async || pulse().await.is_null().then_some(())).await;
    let undo = asked.path(&format!("corrections/{}/undo", withdrawn["id"].as_str().unwrap()));
    ward.nurse.post(&undo, json!({})).await.good();
    assert_eq!(asked.values().await.last(), Some(&131.5));
    house.until(async || (pulse().await == 3).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_those_who_look_after_the_patient_of_then_correct_and_each_try_leaves_a_trace() {
    let house = House::open().await;
    let ward = house.ward().await;
    let uma = stranger(&house, &ward).await;
    let (asked, at) = asked(&house, &ward).await;
    let given = json!({ "channel": "MDC_ECG_HEART_RATE", "at": at.to_string(), "why": "artefact" });
    let path = asked.path("corrections");
    for who in [&ward.admin, &uma] {
        assert_eq!(who.post(&path, given.clone()).await.problem().0, 403);
        let found = who.get(&format!("{path}?{}", asked.range)).await.good();
        assert_eq!((&found["items"], found["withheld"].as_array().unwrap().len()), (&json!([]), 1));
        let receipts = who.get(&asked.path(&format!("receipts?{}", asked.range))).await.good();
        assert_eq!(receipts["items"], json!([]));
    }
    assert_eq!(house.stranger().post(&path, given.clone()).await.problem().0, 401);
    assert_eq!(asked.values().await.len(), 5);
    for who in [&ward.physician, &ward.charge] {
        who.post(&path, given.clone()).await.good();
    }
    assert_eq!(asked.values().await.len(), 4);
    // A device that is on nobody then is of its own care unit.
    let early = json!({
        "channel": "MDC_ECG_HEART_RATE", "from": (at - 90_000_000).to_string(),
        "to": (at - 80_000_000).to_string(), "why": "sensor_off",
    });
    assert_eq!(uma.post(&path, early.clone()).await.problem().0, 403);
    ward.nurse.post(&path, early).await.good();
    let traced = house
        .until(async || {
            let rows = ward.admin.get("/audit?action=reading.correct").await.good();
            let rows = rows["items"].as_array().unwrap().clone();
            let of = |allowed: bool| rows.iter().filter(|it| it["allowed"] == allowed).count();
            (of(true) >= 3 && of(false) >= 3).then_some(rows)
        })
        .await;
    assert!(traced.iter().any(|row| row["patient"].is_string()), "{traced:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_device_sends_again_changes_nothing_and_what_comes_together_counts() {
    let house = House::open().await;
    let ward = house.ward().await;
    let device = house.monitor(&ward).await;
    let now = house.clock.now().unix_millis();
    let range = format!("from={}&to={}", now - 20_000, now + 10_000);
    let asked = Asked { house: &house, ward: &ward, device, range };
    let pack = |value: i64| json!({ "n": "MDC_ECG_HEART_RATE", "u": "/min", "t": -10, "v": value });
    let packs: Vec<Value> = [70, 75, 70, 91].into_iter().map(pack).collect();
    house.say(&ward, &asked.device, &Value::from(packs).to_string()).await.unwrap();
    asked.until_there(3).await;
    assert_eq!(asked.values().await, [70.0, 75.0, 91.0], "none came later than another");
    assert_eq!(asked.measured("").await, (1, 91.0), "a roll-up has one value an instant");
    let path = asked.path(&format!("receipts?channel=MDC_ECG_HEART_RATE&{}", asked.range));
    let receipts = ward.nurse.get(&path).await.good();
    let received = |it: &Value| (it["value"].as_f64().unwrap(), it["counts"].as_bool().unwrap());
    let received: Vec<_> = receipts["items"].as_array().unwrap().iter().map(received).collect();
    assert_eq!(received, [(70.0, true), (75.0, true), (91.0, true)]);
}
