//! How much may be asked for at once: at the limit, and one beyond it.

use std::sync::Arc;

use serde_json::json;

use super::house::House;
use crate::limits::{
    EMERGENCIES_SHOWN_MAX, FEEDS_MAX, HISTORY_LINES_MAX, LOGIN_LEN_MAX, SCORES_MAX,
    TREND_POINTS_MAX, TRENDS_SPAN_MAX, WAVES_SPAN_MAX,
};

#[tokio::test(flavor = "multi_thread")]
async fn a_server_has_so_many_feeds_and_a_further_page_is_told_to_come_later() {
    let house = House::open().await;
    let ward = house.ward().await;
    let others = u32::try_from(FEEDS_MAX - 1).unwrap();
    let taken = Arc::clone(&house.api.feeds).try_acquire_many_owned(others).unwrap();
    let query = format!("care_unit={}", ward.unit);
    let mut last = ward.nurse.feed(&query, None).await.unwrap();
    assert_eq!(last.next().await["t"], "hello");
    assert_eq!(ward.charge.feed(&query, None).await.err(), Some(429));
    // A page that goes makes room.
    drop(taken);
    assert!(ward.charge.feed(&query, None).await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_range_and_its_points_are_bounded() {
    let house = House::open().await;
    let ward = house.ward().await;
    let of = async |what: &str, range_ms: u128, rest: &str| {
        let (from, to) = (1_700_000_000_000_u128, 1_700_000_000_000 + range_ms);
        let path = format!("/patients/{}/{what}?from={from}&to={to}{rest}", ward.patient);
        ward.nurse.get(&path).await.status.as_u16()
    };
    let (trends, waves) = (TRENDS_SPAN_MAX.as_millis(), WAVES_SPAN_MAX.as_millis());
    for (what, most, rest) in [
        ("trends", trends, "&vital=heart_rate"),
        ("scores", trends, ""),
        ("waves", waves, "&channel=ecg"),
    ] {
        assert_eq!(of(what, most, rest).await, 200, "{what} at the limit");
        assert_eq!(of(what, most + 1, rest).await, 400, "{what} beyond it");
        assert_eq!(of(what, 0, rest).await, 400, "{what} of nothing");
    }
    for (points, status) in
        [(1, 400), (2, 200), (TREND_POINTS_MAX, 200), (TREND_POINTS_MAX + 1, 400)]
    {
        let rest = format!("&vital=heart_rate&points={points}");
        assert_eq!(of("trends", 1_000, &rest).await, status, "{points} points");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_history_of_scores_has_so_many_and_says_that_older_ones_are_left_out() {
    let house = House::open().await;
    let ward = house.ward().await;
    let patient = ward.patient.parse().unwrap();
    let begun = 1_700_000_000_000_i64;
    let row = |number: usize| {
        let at = model::Timestamp::from_unix_millis(begun + number as i64);
        let (total, missing) = (Some((number % 21) as u8), Vec::new());
        let score = store::ScoreRow { patient, at, total, single_red: false, missing };
        let (offset, noun) = (store::LogOffset::from_bytes(1), store::Noun::Score(score));
        store::Row { org: house.org, offset, index: number as u32, known_at: at, noun }
    };
    let of = async || {
        let to = begun + 1_000_000;
        let path = format!("/patients/{}/scores?from={begun}&to={to}", ward.patient);
        let answer = ward.nurse.get(&path).await.good();
        (answer["scores"].as_array().unwrap().len(), answer["is_cut"].clone())
    };
    house.api.records.apply(&(0..SCORES_MAX).map(row).collect::<Vec<_>>()).unwrap();
    assert_eq!(of().await, (SCORES_MAX, json!(false)));
    house.api.records.apply(&[row(SCORES_MAX)]).unwrap();
    assert_eq!(of().await, (SCORES_MAX, json!(true)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_is_as_long_as_it_may_be_and_no_longer() {
    let house = House::open().await;
    let stranger = house.stranger();
    let sign_in = async |len: usize| {
        let body = json!({ "login": "n".repeat(len), "password": "a password that is wrong" });
        stranger.post("/session", body).await.status.as_u16()
    };
    let refused = sign_in(LOGIN_LEN_MAX).await;
    assert!(refused != 400 && refused != 404, "{refused}");
    assert_eq!(sign_in(LOGIN_LEN_MAX + 1).await, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_history_has_so_many_lines_and_one_more_is_on_the_next_page() {
    let house = House::open().await;
    let ward = house.ward().await;
    let path = format!("/patients/{}/coverage?vital=heart_rate", ward.patient);
    let lines = |found: &serde_json::Value| found["channels"].as_array().unwrap().len();
    let from = house.clock.now().before(std::time::Duration::from_secs(60)).unix_millis();
    for count in 1..=HISTORY_LINES_MAX + 1 {
        let body = json!({ "profile": "monitor", "serial": format!("LINE-{count}"), "label": "M", "care_unit": ward.unit });
        let id = ward.admin.add("/devices", body).await;
        let state = json!({ "state": "in_service" });
        ward.admin.put(&format!("/devices/{id}/lifecycle"), state).await.good();
        let on = json!({ "patient": ward.patient, "from": from.to_string() });
        ward.charge.post(&format!("/devices/{id}/association"), on).await.good();
        if count + 1 < HISTORY_LINES_MAX {
            continue;
        }
        let found = ward.nurse.get(&path).await.good();
        assert_eq!(lines(&found), count.min(HISTORY_LINES_MAX));
        assert_eq!(found["next"].is_string(), count > HISTORY_LINES_MAX, "{}", found["next"]);
        if let Some(next) = found["next"].as_str() {
            let found = ward.nurse.get(&format!("{path}&cursor={next}")).await.good();
            assert_eq!((lines(&found), &found["next"]), (1, &serde_json::Value::Null));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_of_emergencies_shows_so_many_and_those_that_wait_before_the_others() {
    const OF_EACH: usize = engine::limits::EMERGENCIES_OF_A_USER_MAX;
    let house = House::open().await;
    let ward = house.ward().await;
    let mut patients = Vec::new();
    for number in 0..OF_EACH {
        let names = json!({ "record_number": format!("EM {number}"), "given_name": "E", "family_name": "M" });
        let patient = ward.charge.add("/patients", names).await;
        let bed = json!({ "room_id": ward.room, "name": format!("E{number}") });
        let bed = ward.admin.add("/beds", bed).await;
        let lies = json!({ "patient": patient });
        ward.charge.post(&format!("/beds/{bed}/patient"), lies).await.good();
        patients.push(patient);
    }
    let list = format!("/care-units/{}/emergencies", ward.unit);
    let shown = async || ward.charge.get(&list).await.good()["items"].as_array().unwrap().clone();
    let mut opened = 0;
    for user in 0..=EMERGENCIES_SHOWN_MAX / OF_EACH {
        let login = format!("guest{user}");
        let staff = json!({ "site_id": ward.site, "name": login });
        let staff = ward.admin.add("/staff", staff).await;
        let body = json!({ "login": login, "role": "nurse", "staff_id": staff });
        ward.admin.add("/users", body).await;
        let guest = house.click(&login).await;
        for patient in patients.iter().take(EMERGENCIES_SHOWN_MAX + 1 - opened) {
            let why = json!({ "reason": "life_at_risk" });
            guest.post(&format!("/patients/{patient}/emergency"), why).await.good();
            opened += 1;
            if opened == 1 {
                let first = shown().await[0]["id"].as_str().unwrap().to_owned();
                let review = format!("/emergencies/{first}/review");
                ward.charge.post(&review, json!({})).await.good();
            }
            if opened + 1 >= EMERGENCIES_SHOWN_MAX {
                let items = shown().await;
                assert_eq!(items.len(), opened.min(EMERGENCIES_SHOWN_MAX), "of {opened}");
                let looked_at = items.iter().filter(|it| !it["reviewed_at"].is_null()).count();
                // The one that somebody has looked at makes room for those that wait.
                assert_eq!(looked_at, usize::from(opened <= EMERGENCIES_SHOWN_MAX));
            }
        }
    }
    assert_eq!(opened, EMERGENCIES_SHOWN_MAX + 1);
}
