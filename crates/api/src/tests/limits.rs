//! How much may be asked for at once: at the limit, and one beyond it.

use std::sync::Arc;

use serde_json::json;

use super::house::House;
use crate::limits::{
    FEEDS_MAX, LOGIN_LEN_MAX, SCORES_MAX, TREND_POINTS_MAX, TRENDS_SPAN_MAX, WAVES_SPAN_MAX,
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
