//! The past of patients, devices and beds: drawn, covered, explained, and shut where it must be.

use serde_json::{Value, json};

use super::house::{House, Ward};

/// A value a second, from the one `from_back` seconds ago to the one after `to_back` seconds
/// ago, through the device's door; milliseconds of a moment just before.
pub(super) async fn measure(
    house: &House,
    ward: &Ward,
    device: &str,
    from_back: i64,
    to_back: i64,
) -> i64 {
    let base = house.clock.now().unix_millis();
    let pack = |back: i64| json!({ "n": "MDC_ECG_HEART_RATE", "u": "/min", "t": -back, "v": 60 + back % 50 });
    let packs: Vec<Value> = (to_back..from_back).rev().map(pack).collect();
    house.say(ward, device, &Value::from(packs).to_string()).await.unwrap();
    base
}

#[tokio::test(flavor = "multi_thread")]
async fn a_patients_hour_is_drawn_with_its_extremes_and_its_share() {
    let house = House::open().await;
    let ward = house.ward().await;
    let device = house.monitor(&ward).await;
    let base = measure(&house, &ward, &device, 50, 20).await;
    let range = format!("from={}&to={base}", base - 100_000);
    let path = format!("/patients/{}/measured?{range}&columns=10", ward.patient);
    let found = house
        .until(async || {
            let found = ward.nurse.get(&path).await.good();
            (found["lines"][0]["count"] == 30).then_some(found)
        })
        .await;
    assert_eq!((&found["made_of"], &found["step_ms"]), (&json!("points"), &json!(10_000.0)));
    let line = &found["lines"][0];
    assert_eq!((&line["vital"], &line["unit"]), (&json!("heart_rate"), &json!("/min")));
    assert_eq!(line["usual"], json!([50.0, 120.0]));
    let numbers = |of: &str| -> Vec<f64> {
        line[of].as_array().unwrap().iter().map(|it| it.as_f64().unwrap()).collect()
    };
    // 60 + 49 at first, 60 + 20 at last.
    assert_eq!(numbers("greatest").into_iter().fold(0.0, f64::max), 109.0);
    assert_eq!(numbers("least").into_iter().fold(999.0, f64::min), 80.0);
    assert_eq!(line["in_range_ms"], line["covered_ms"]);
    assert!(numbers("n").len() >= 3 && numbers("n").len() <= 4, "{line}");

    let path = format!("/patients/{}/coverage?{range}", ward.patient);
    let found = ward.nurse.get(&path).await.good();
    let channel = &found["channels"][0];
    // On the patient since a minute before it was put on, which is what was promised.
    let (promised, covered) = (&channel["promised_s"], &channel["covered_s"]);
    let (promised, covered) = (promised.as_f64().unwrap(), covered.as_f64().unwrap());
    assert!((59.0..=100.0).contains(&promised), "{channel}");
    assert!((31.0..=33.0).contains(&covered), "{channel}");
    let lacking = channel["lacking"].as_array().unwrap();
    assert_eq!((lacking.len(), &lacking[0]["reason"]), (1, &json!("silent")), "{channel}");
    assert_eq!(channel["gaps"].as_array().unwrap().len(), 2, "{channel}");
}

#[tokio::test(flavor = "multi_thread")]
async fn whose_it_was_is_answered_as_known_at_an_instant() {
    let house = House::open().await;
    let ward = house.ward().await;
    let device = house.monitor(&ward).await;
    let base = measure(&house, &ward, &device, 50, 5).await;
    let before = house.clock.now().unix_millis();
    let range = format!("from={}&to={base}&columns=10", base - 100_000);
    let count = async |path: &str| {
        let found = ward.physician.get(path).await.good();
        let lines = found["lines"].as_array().unwrap();
        lines.iter().map(|it| it["count"].as_u64().unwrap()).sum::<u64>()
    };
    let patient = format!("/patients/{}/measured?{range}", ward.patient);
    house.until(async || (count(&patient).await == 45).then_some(())).await;
    // It was Leo's for the last half minute, as is said only now.
    let leo = json!({ "record_number": "LEO 2", "given_name": "Leo", "family_name": "Ott" });
    let leo = ward.charge.add("/patients", leo).await;
    ward.charge
        .post(&format!("/beds/{}/patient", ward.beds[1]), json!({ "patient": leo }))
        .await
        .good();
    let on = json!({ "patient": leo, "from": (base - 30_000).to_string() });
    ward.charge.post(&format!("/devices/{device}/association"), on).await.good();
    let leos = format!("/patients/{leo}/measured?{range}");
    let late = house.until(async || Some(count(&leos).await).filter(|count| *count > 0)).await;
    assert_eq!(count(&patient).await + late, 45);
    assert!((25..=26).contains(&late), "{late}");
    assert_eq!(count(&format!("{patient}&known_at={before}")).await, 45);
    assert_eq!(count(&format!("{leos}&known_at={before}")).await, 0);
    // Of the device all of it, as two people's.
    let of_device = format!("/devices/{device}/measured?{range}");
    let found = ward.physician.get(&of_device).await.good();
    assert_eq!(found["lines"].as_array().unwrap().len(), 2, "{found}");
    assert_eq!(found["withheld"], json!([]));
    // Of the second bed nothing yet: Leo was measured before he lay there.
    let of_bed = format!("/beds/{}/measured?{range}", ward.beds[1]);
    assert_eq!(count(&of_bed).await, 0);
    // Whoever looks after machines sees that there is something, and not what.
    let found = ward.admin.get(&of_device).await.good();
    assert_eq!(found["lines"], json!([]));
    assert_eq!(found["withheld"].as_array().unwrap().len(), 2, "{found}");
    assert_eq!(found["withheld"][0]["rule"], "role");
    // Each look at Leo through his device left a trace, and nothing else did.
    house
        .until(async || {
            let looks = ward.admin.get(&format!("/audit?patient={leo}")).await.good();
            let looks = looks["items"].as_array().unwrap().iter();
            let of_device = looks.filter(|it| it["resource"] == of_device_path(&device));
            let mut allowed: Vec<bool> =
                of_device.map(|it| it["allowed"].as_bool().unwrap()).collect();
            allowed.sort_unstable();
            (allowed == [false, true]).then_some(())
        })
        .await;
    // Of the second bed what is Leo's since he lies there, and of the first one nothing of it.
    let now = measure(&house, &ward, &device, 1, 0).await;
    let since = format!("from={base}&to={}&columns=10", now + 60_000);
    let of_bed = |bed: usize| format!("/beds/{}/measured?{since}", ward.beds[bed]);
    house.until(async || (count(&of_bed(1)).await == 1).then_some(())).await;
    assert_eq!(count(&of_bed(0)).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instant_before_anything_was_known_opens_nothing() {
    let house = House::open().await;
    let ward = house.ward().await;
    let uma = super::emergency::stranger(&house, &ward).await;
    let device = house.monitor(&ward).await;
    let base = measure(&house, &ward, &device, 50, 5).await;
    let range = format!("from={}&to={base}&known_at=0", base - 40_000);
    let measured = format!("/devices/{device}/measured?{range}");
    let coverage = format!("/devices/{device}/coverage?{range}");
    let patient = format!("/patients/{}/measured?from={}&to={base}", ward.patient, base - 40_000);
    house
        .until(async || {
            let found = ward.nurse.get(&patient).await.good();
            found["lines"][0]["count"].as_u64().filter(|count| *count > 30)
        })
        .await;
    for (who, rule) in [(&ward.admin, "role"), (&uma, "emergency")] {
        for (path, inside) in [(&measured, "lines"), (&coverage, "channels")] {
            let found = who.get(path).await.good();
            assert_eq!(found[inside], json!([]), "{found}");
            assert_eq!(found["withheld"][0]["rule"], rule, "{found}");
        }
    }
    // Whoever may see it sees it as nobody's, as was known then, and the patient learns of it.
    let found = ward.physician.get(&measured).await.good();
    let line = &found["lines"][0];
    assert_eq!((&line["patient"], &found["withheld"]), (&Value::Null, &json!([])), "{found}");
    assert!(line["count"].as_u64().unwrap() > 30, "{found}");
    house
        .until(async || {
            let path = format!("/audit?patient={}&actor=mara", ward.patient);
            let looks = ward.admin.get(&path).await.good();
            let mut looks = looks["items"].as_array().unwrap().clone().into_iter();
            looks.any(|it| it["resource"] == of_device_path(&device)).then_some(())
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_called_ones_own_by_mistake_is_closed_once_it_is_known_to_be_anothers() {
    let house = House::open().await;
    let ward = house.ward().await;
    let device = house.monitor(&ward).await;
    let base = measure(&house, &ward, &device, 50, 31).await;
    let before = house.clock.now().unix_millis();
    // It was on somebody of another care unit for the last half minute.
    let unit = json!({ "site_id": ward.site, "name": "5A" });
    let unit = ward.admin.add("/care-units", unit).await;
    let room = ward.admin.add("/rooms", json!({ "care_unit_id": unit, "name": "1" })).await;
    let bed = ward.admin.add("/beds", json!({ "room_id": room, "name": "01" })).await;
    let leo = json!({ "record_number": "LEO 2", "given_name": "Leo", "family_name": "Ott" });
    let leo = ward.charge.add("/patients", leo).await;
    let lies = json!({ "patient": leo });
    ward.physician.post(&format!("/beds/{bed}/patient"), lies).await.good();
    let on = json!({ "patient": leo, "from": (base - 30_000).to_string() });
    ward.physician.post(&format!("/devices/{device}/association"), on).await.good();
    let range = format!("from={}&to={base}", base - 50_000);
    // The last value was Ilse's, a second before: it covers nothing of Leo's time.
    let of_leo = format!("/patients/{leo}/coverage?{range}");
    let found = ward.physician.get(&of_leo).await.good();
    assert_eq!(found["channels"][0]["covered_s"], 0.0, "{found}");
    let of_leo = format!("/patients/{leo}/measured?{range}");
    assert_eq!(ward.physician.get(&of_leo).await.good()["lines"], json!([]));
    // By what was known before all of it is Ilse's; Leo's half minute stays closed.
    let known = format!("{range}&known_at={before}");
    for path in [
        format!("/patients/{}/measured?{known}", ward.patient),
        format!("/patients/{}/coverage?{known}", ward.patient),
        format!("/beds/{}/measured?{known}", ward.beds[0]),
    ] {
        let found = ward.nurse.get(&path).await.good();
        let closed = json!([{ "from_ms": base - 30_000, "to_ms": base, "rule": "emergency" }]);
        let is_bed = path.starts_with("/beds/");
        assert!(is_bed || found["withheld"] == closed, "{path} {found}");
        for line in found["lines"].as_array().into_iter().flatten() {
            assert_eq!(line["on_ms"].as_array().unwrap().last().unwrap()[1], base - 30_000);
        }
    }
    let path = format!("/patients/{}/measured?{known}", ward.patient);
    let found = ward.physician.get(&path).await.good();
    assert_eq!(found["lines"][0]["on_ms"], json!([[base - 50_000, base]]), "{found}");
}

fn of_device_path(device: &str) -> String {
    format!("GET /api/v1/devices/{device}/measured")
}

#[tokio::test(flavor = "multi_thread")]
async fn ranges_and_columns_are_taken_to_their_bounds() {
    let house = House::open().await;
    let ward = house.ward().await;
    let now = house.clock.now().unix_millis();
    let days = |days: i64| now - days * 86_400_000;
    let status = async |query: String| {
        ward.nurse.get(&format!("/patients/{}/{query}", ward.patient)).await.status
    };
    for of in ["measured", "coverage"] {
        assert_eq!(status(format!("{of}?from={}&to={now}", days(400))).await, 200);
        assert_eq!(status(format!("{of}?from={}&to={now}", days(400) - 1)).await, 400);
        assert_eq!(status(format!("{of}?from={now}&to={now}")).await, 400);
        assert_eq!(status(format!("{of}?vital=heart_rate,shoe_size")).await, 400);
        assert_eq!(status(format!("{of}?known_at=soon")).await, 400);
    }
    for (columns, want) in [(9, 400), (10, 200), (5_000, 200), (5_001, 400)] {
        assert_eq!(status(format!("measured?columns={columns}")).await, want, "{columns}");
    }
}
