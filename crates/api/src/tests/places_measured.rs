//! What was measured in a place of any size, of whom one may read, page by page; and how much of
//! a trend, a score and a waveform is there.

use std::time::Duration;

use serde_json::{Value, json};

use super::{
    browser::Browser,
    history::measure,
    house::{House, Ward},
    waves::{CHANNEL, block},
};

/// Somebody who has lain in a new bed of a room for two minutes, with a monitor on for one.
struct Lying {
    patient: String,
    device: String,
}

async fn lying(house: &House, ward: &Ward, room: &str, name: &str) -> Lying {
    let bed = ward.admin.add("/beds", json!({ "room_id": room, "name": name })).await;
    let person = json!({ "record_number": name, "given_name": name, "family_name": "Ott" });
    let patient = ward.charge.add("/patients", person).await;
    let ago = |s: u64| house.clock.now().before(Duration::from_secs(s)).unix_millis().to_string();
    let lies = json!({ "patient": patient, "from": ago(120) });
    ward.physician.post(&format!("/beds/{bed}/patient"), lies).await.good();
    let device =
        json!({ "profile": "monitor", "serial": name, "label": name, "care_unit": ward.unit });
    let device = ward.admin.add("/devices", device).await;
    let state = json!({ "state": "in_service" });
    ward.admin.put(&format!("/devices/{device}/lifecycle"), state).await.good();
    let on = json!({ "patient": patient, "from": ago(60) });
    ward.physician.post(&format!("/devices/{device}/association"), on).await.good();
    Lying { patient, device }
}

/// Another care unit of the site with one room.
async fn next_door(ward: &Ward) -> (String, String) {
    let unit = json!({ "site_id": ward.site, "name": "5A" });
    let unit = ward.admin.add("/care-units", unit).await;
    let room = ward.admin.add("/rooms", json!({ "care_unit_id": unit, "name": "1" })).await;
    (unit, room)
}

fn names(found: &Value, of: &str) -> Vec<String> {
    let items = found["items"].as_array().unwrap();
    items.iter().map(|it| it[of]["name"].as_str().unwrap_or_default().to_owned()).collect()
}

async fn count(who: &Browser, path: &str) -> u64 {
    let found = who.get(path).await.good();
    let lines = found["lines"].as_array().unwrap();
    lines.iter().map(|it| it["count"].as_u64().unwrap()).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_place_answers_for_all_who_lay_in_it_as_far_as_one_may_read_them() {
    let house = House::open().await;
    let ward = house.ward().await;
    let (unit, room) = next_door(&ward).await;
    let ida = lying(&house, &ward, &ward.room, "Ida").await;
    let leo = lying(&house, &ward, &room, "Leo").await;
    let base = measure(&house, &ward, &ida.device, 40, 5).await;
    measure(&house, &ward, &leo.device, 9, 8).await;
    let range = format!("from={}&to={base}", base - 60_000);
    let site = format!("/sites/{}", ward.site);
    let of = |place: &str, more: &str| format!("{place}/measured?{range}&columns=10{more}");
    let all = of(&site, "");
    house.until(async || (count(&ward.physician, &all).await == 36).then_some(())).await;
    let own = format!("/care-units/{}", ward.unit);
    for (place, want) in [
        (format!("/rooms/{}", ward.room), 35),
        (format!("/rooms/{room}"), 1),
        (own.clone(), 35),
        (format!("/care-units/{unit}"), 1),
    ] {
        assert_eq!(count(&ward.physician, &of(&place, "")).await, want, "{place}");
    }
    // By device, by patient, by channel, each together with the place.
    for (more, want) in [
        (format!("&device={}", leo.device), 1),
        (format!("&patient={}", ida.patient), 35),
        ("&channel=MDC_ECG_HEART_RATE".to_owned(), 36),
        ("&vital=heart_rate".to_owned(), 36),
        ("&channel=MDC_TEMP".to_owned(), 0),
    ] {
        assert_eq!(count(&ward.physician, &of(&site, &more)).await, want, "{more}");
    }

    // A nurse of the one care unit is told of the other one's patient no more than that.
    assert_eq!(count(&ward.nurse, &all).await, 35);
    let path = format!("{site}/measured-by?{range}");
    let found = ward.nurse.get(&path).await.good();
    assert_eq!(names(&found, "patient"), ["Ida Ott"], "{found}");
    assert_eq!(found["withheld"][0]["rule"], "emergency", "{found}");
    let found = ward.physician.get(&path).await.good();
    let mut both = names(&found, "patient");
    both.sort_unstable();
    assert_eq!((both, &found["next"]), (vec!["Ida Ott".into(), "Leo Ott".into()], &Value::Null));
    let mut items = found["items"].as_array().unwrap().iter();
    let it = items.find(|it| it["patient"]["id"] == json!(ida.patient)).unwrap();
    assert_eq!((&it["beds"][0]["name"], &it["device"]["name"]), (&json!("Ida"), &json!("Ida")));
    let channels = it["channels"].as_array().unwrap();
    let waves = channels.iter().filter(|it| it["is_waveform"] == true).count();
    assert_eq!((channels.len(), waves), (2, 1), "{it}");
    // Whoever looks after machines sees nobody here, and asking leaves each patient a trace.
    assert_eq!(ward.admin.get(&path).await.status, 403);
    house
        .until(async || {
            let looks = ward.admin.get(&format!("/audit?patient={}", leo.patient)).await.good();
            let looks = looks["items"].as_array().unwrap().clone().into_iter();
            let asked = format!("GET /api/v1{site}/measured-by");
            let of_site = looks.filter(|it| it["resource"] == asked);
            let mut allowed: Vec<bool> =
                of_site.map(|it| it["allowed"].as_bool().unwrap()).collect();
            allowed.sort_unstable();
            (allowed == [false, true]).then_some(())
        })
        .await;
    let path = format!("{site}/coverage?{range}&vital=heart_rate");
    let found = ward.physician.get(&path).await.good();
    assert_eq!(found["channels"].as_array().unwrap().len(), 2, "{found}");
    let nowhere = "/rooms/0192f0c1-2b3a-7c4d-8e5f-00000000002a/measured";
    assert_eq!(ward.physician.get(nowhere).await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_place_answers_by_what_was_known_at_an_instant() {
    let house = House::open().await;
    let ward = house.ward().await;
    let (_, room) = next_door(&ward).await;
    let ida = lying(&house, &ward, &ward.room, "Ida").await;
    let leo = lying(&house, &ward, &room, "Leo").await;
    let base = measure(&house, &ward, &ida.device, 40, 5).await;
    let of = |more: &str| {
        let range = format!("from={}&to={base}&columns=10", base - 60_000);
        format!("/care-units/{}/measured?{range}{more}", ward.unit)
    };
    house.until(async || (count(&ward.physician, &of("")).await == 35).then_some(())).await;
    let before = house.clock.now().unix_millis();
    // The last twenty seconds were Leo's, as is said only now.
    let on = json!({ "patient": leo.patient, "from": (base - 20_000).to_string() });
    ward.physician.post(&format!("/devices/{}/association", ida.device), on).await.good();
    let now = house
        .until(async || Some(count(&ward.physician, &of("")).await).filter(|it| *it < 35))
        .await;
    assert!((19..=21).contains(&now), "{now}");
    let then = of(&format!("&known_at={before}"));
    assert_eq!(count(&ward.physician, &then).await, 35);
    // What is known now to be another unit's is closed to this one's nurse, whatever was known.
    assert_eq!(count(&ward.nurse, &then).await, now);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_stands_in_a_room_measures_it_and_nobody() {
    let house = House::open().await;
    let ward = house.ward().await;
    let device = house.monitor(&ward).await;
    let stands = json!({ "room": ward.room });
    ward.charge.post(&format!("/devices/{device}/association"), stands).await.good();
    house.measure(&ward, &device, 61).await;
    let room = format!("/rooms/{}/measured?columns=10", ward.room);
    house.until(async || (count(&ward.nurse, &room).await == 1).then_some(())).await;
    let found = ward.nurse.get(&format!("/care-units/{}/measured-by", ward.unit)).await.good();
    let items = found["items"].as_array().unwrap();
    let it = items.iter().find(|it| it["patient"].is_null()).unwrap();
    assert_eq!((&it["device"]["id"], &it["beds"]), (&json!(device), &json!([])), "{found}");
    // What it measured on somebody before is that one's still.
    assert!(items.iter().any(|it| it["patient"]["id"] == json!(ward.patient)), "{found}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_stands_in_a_closed_care_unit_is_closed_and_the_look_is_traced() {
    let house = House::open().await;
    let ward = house.ward().await;
    let (unit, room) = next_door(&ward).await;
    lying(&house, &ward, &room, "Leo").await;
    let device = house.monitor(&ward).await;
    let stands = json!({ "room": room });
    ward.physician.post(&format!("/devices/{device}/association"), stands).await.good();
    house.measure(&ward, &device, 61).await;
    for place in [format!("/rooms/{room}"), format!("/care-units/{unit}")] {
        let path = format!("{place}/measured?columns=10&device={device}");
        house.until(async || (count(&ward.physician, &path).await > 0).then_some(())).await;
        let found = ward.nurse.get(&path).await.good();
        assert_eq!(found["lines"], json!([]), "{place} {found}");
        assert_eq!(found["withheld"][0]["rule"], "emergency", "{place} {found}");
    }
    let looks = async |path: &str| -> Vec<Value> {
        let looks = ward.admin.get("/audit?limit=200").await.good();
        let looks = looks["items"].as_array().unwrap().clone().into_iter();
        looks.filter(|it| it["resource"] == format!("GET /api/v1{path}")).collect()
    };
    let asked = format!("/rooms/{room}/measured");
    house
        .until(async || {
            let denied = |it: &Value| it["allowed"] == false && it["action"] == "patient.read";
            looks(&asked).await.iter().any(denied).then_some(())
        })
        .await;
    // Of whom nothing can be answered, nobody is asked for, and so nothing is withheld.
    let nothing = format!("/rooms/{room}/coverage");
    let found = ward.nurse.get(&format!("{nothing}?channel=MDC_NOTHING")).await.good();
    assert_eq!((&found["channels"], &found["withheld"]), (&json!([]), &json!([])));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_place_comes_page_by_page() {
    let house = House::open().await;
    let ward = house.ward().await;
    // Two lines each, so that one more than half the lines of an answer fills a page.
    let people = crate::limits::HISTORY_LINES_MAX / 2 + 1;
    for n in 0..people {
        lying(&house, &ward, &ward.room, &format!("P{n}")).await;
    }
    let path = format!("/rooms/{}/measured-by", ward.room);
    let first = ward.physician.get(&path).await.good();
    assert_eq!(names(&first, "patient").len(), people - 1);
    let next = first["next"].as_str().unwrap();
    let second = ward.physician.get(&format!("{path}?cursor={next}")).await.good();
    assert_eq!((names(&second, "patient").len(), &second["next"]), (1, &Value::Null));
    let mut all = [names(&first, "patient"), names(&second, "patient")].concat();
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), people);
    assert_eq!(ward.physician.get(&format!("{path}?cursor=soon")).await.status, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trend_and_a_score_say_how_much_of_them_is_there_and_why_not() {
    let house = House::open().await;
    let ward = house.ward().await;
    let device = house.monitor(&ward).await;
    let base = measure(&house, &ward, &device, 50, 20).await;
    let range = format!("from={}&to={base}", base - 100_000);
    let path = format!("/patients/{}/trends?{range}&vital=heart_rate,temperature", ward.patient);
    let found = house
        .until(async || {
            let found = ward.nurse.get(&path).await.good();
            (found["series"][0]["count"] == 30).then_some(found)
        })
        .await;
    let covered = &found["series"][0]["covered"];
    let seconds = |of: &str| covered[of].as_f64().unwrap();
    assert!((31.0..=33.0).contains(&seconds("covered_s")), "{found}");
    let (promised, alone) = (seconds("promised_s"), seconds("no_device_s"));
    assert!((promised + alone - 100.0).abs() < 0.01, "{found}");
    assert_eq!(covered["lacking"][0]["reason"], "silent", "{found}");
    // The trend's bands are the ledger's, those without a device among them.
    let path = format!("/patients/{}/coverage?{range}&vital=heart_rate", ward.patient);
    let ledger = ward.nurse.get(&path).await.good();
    assert_eq!(ledger["channels"][0]["percent"], covered["percent"], "{ledger}");
    let gaps = found["series"][0]["gaps"].as_array().unwrap();
    let silent = gaps.iter().filter(|it| it["reason"] == "silent").count();
    assert_eq!(silent, ledger["channels"][0]["gaps"].as_array().unwrap().len(), "{found}");
    // Nothing on the patient measures a temperature.
    let none = &found["series"][1];
    assert_eq!(
        (&none["covered"]["percent"], &none["gaps"][0]["reason"]),
        (&Value::Null, &json!("no_device"))
    );
    assert_eq!(none["covered"]["no_device_s"], 100.0, "{none}");

    let path = format!("/patients/{}/scores?from={}", ward.patient, base - 100_000);
    let scored = house
        .until(async || {
            let found = ward.nurse.get(&path).await.good();
            (!found["scores"].as_array().unwrap().is_empty()).then_some(found)
        })
        .await;
    assert_eq!(scored["covered"]["percent"], 0.0, "{scored}");
    let why = |input: &str| {
        let inputs = scored["inputs"].as_array().unwrap();
        let it = inputs.iter().find(|it| it["input"] == input).unwrap();
        it["lacking"][0]["reason"].as_str().unwrap().to_owned()
    };
    assert_eq!(why("temperature"), "no_device");
    assert_eq!(why("consciousness"), "not_charted");
    let last = scored["scores"].as_array().unwrap().last().unwrap();
    assert_eq!(last["why"].as_array().unwrap().len(), last["missing"].as_array().unwrap().len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_waveform_has_its_share_and_its_gaps_with_their_reasons() {
    let house = House::open().await;
    let ward = house.ward().await;
    let device = house.monitor(&ward).await;
    let start = house.clock.now().before(Duration::from_secs(4));
    // Blocks of 200 ms; two seconds of them never came.
    for seq in (0..5).chain(15..20) {
        let t0 = start.after(Duration::from_millis(200 * seq));
        let block = block(&device, seq, t0, house.clock.now(), 0);
        house.publish(&ward, &device, &format!("wave/{CHANNEL}"), &block).await.unwrap();
    }
    let from = start.unix_millis();
    let path = format!(
        "/patients/{}/coverage?from={from}&to={}&channel={CHANNEL}",
        ward.patient,
        from + 4_000
    );
    let found = house
        .until(async || {
            let found = ward.nurse.get(&path).await.good();
            let percent = found["channels"][0]["percent"].as_f64()?;
            (49.0..=51.0).contains(&percent).then_some(found)
        })
        .await;
    let channel = &found["channels"][0];
    assert_eq!(found["channels"].as_array().unwrap().len(), 1, "{found}");
    assert_eq!((&channel["is_waveform"], &channel["is_coarse"]), (&json!(true), &json!(false)));
    assert_eq!((&channel["promised_s"], &channel["cadence_s"]), (&json!(4.0), &json!(0.004)));
    // Times are those of the device's clock as far as it is known, to a few milliseconds.
    let is_two_seconds = |ms: f64| (1_950.0..=2_050.0).contains(&ms);
    let lacking = &channel["lacking"][0];
    assert_eq!(lacking["reason"], "silent", "{channel}");
    assert!(is_two_seconds(lacking["seconds"].as_f64().unwrap() * 1_000.0), "{channel}");
    let gaps = channel["gaps"].as_array().unwrap().iter();
    let lengths = gaps.map(|it| it["to_ms"].as_f64().unwrap() - it["from_ms"].as_f64().unwrap());
    assert_eq!(lengths.filter(|ms| is_two_seconds(*ms)).count(), 1, "{channel}");
    // Over a long range it is told by what is stored, and the range's rest was nobody's promise.
    let path = format!(
        "/patients/{}/coverage?from={}&channel={CHANNEL}",
        ward.patient,
        from - 9 * 86_400_000
    );
    let found = ward.nurse.get(&path).await.good();
    assert_eq!(found["channels"][0]["is_coarse"], true, "{found}");
}
