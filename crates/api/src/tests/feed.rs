//! The feed: what a page is told, and when it is told no more; alarms on their way through.

use serde_json::{Value, json};

use super::{
    browser::{Browser, Feed},
    house::{House, Ward},
};

/// Limits with no delay, so that one reading raises an alarm.
async fn tight(ward: &Ward) {
    let high = json!({ "limit": 120.0, "clears_at": 115.0, "delay_s": 0, "priority": "high" });
    let path = format!("/patients/{}/limits/heart_rate", ward.patient);
    ward.nurse.put(&path, json!({ "low": null, "high": high })).await.good();
}

fn alarm_in(frame: &Value, state: &str) -> bool {
    let alarms = frame["alarms"].as_array().into_iter().flatten();
    frame["t"] == "delta"
        && alarms.into_iter().any(|alarm| alarm["state"] == state && alarm["vital"] == "heart_rate")
}

/// A house with a raised alarm, the nurse's feed, and the alarm as the feed told it.
async fn raised() -> (House, Ward, Feed, Value) {
    let house = House::open().await;
    let ward = house.ward().await;
    let device = house.monitor(&ward).await;
    tight(&ward).await;
    let mut feed =
        ward.nurse.feed(&format!("care_unit={}&waves=board", ward.unit), None).await.unwrap();
    let hello = feed.next().await;
    assert_eq!((&hello["t"], &hello["resumed"]), (&json!("hello"), &json!(false)));
    house.measure(&ward, &device, 150).await;
    let raised = feed.until(|frame| alarm_in(frame, "active")).await;
    assert!(raised["cursor"].is_string() && raised["recording"] == true);
    let alarm = raised["alarms"]
        .as_array()
        .unwrap()
        .iter()
        .find(|it| it["vital"] == "heart_rate")
        .unwrap()
        .clone();
    assert_eq!(
        (&alarm["priority"], &alarm["patient_name"], &alarm["bed_name"]),
        (&json!("high"), &json!("Ilse Brandt"), &json!("01"))
    );
    assert_eq!((&alarm["mine"], &alarm["told"][0]["name"]), (&json!(true), &json!("PRIYA")));
    (house, ward, feed, alarm)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alarm_is_listed_and_answered_only_by_those_who_may() {
    let (house, ward, _feed, alarm) = raised().await;
    let id = alarm["id"].as_str().unwrap();
    let first = async |query: &str| {
        let list = ward.nurse.get(&format!("/alarms?{query}")).await.good();
        list["items"][0]["id"].as_str().map(str::to_owned)
    };
    let found = Some(id.to_owned());
    assert_eq!(first("scope=mine&state=standing").await, found);
    assert_eq!(first(&format!("scope=care_unit&care_unit={}", ward.unit)).await, found);
    assert_eq!(first(&format!("patient={}", ward.patient)).await, found);
    assert_eq!(first("scope=all").await, found);
    assert_eq!(first("scope=all&state=ended").await, None);
    let answer = async |who: &Browser, quiet_for_s: u32| {
        let path = format!("/alarms/{id}/acknowledge");
        who.post(&path, json!({ "quiet_for_s": quiet_for_s })).await.problem().0
    };
    assert_eq!(answer(&house.stranger(), 60).await, 401);
    assert_eq!(answer(&ward.admin, 60).await, 403);
    assert_eq!(answer(&ward.nurse, 0).await, 400);
    assert_eq!(answer(&ward.nurse, 3_601).await, 400);
    let end =
        async |body: Value| ward.nurse.post(&format!("/alarms/{id}/end"), body).await.problem().0;
    assert_eq!(end(json!({ "reason": "other", "words": " " })).await, 400);
    assert_eq!(end(json!({ "reason": "boredom" })).await, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alarm_reaches_the_page_is_answered_and_ends_with_a_reason() {
    let (house, ward, mut feed, alarm) = raised().await;
    let path = format!("/alarms/{}", alarm["id"].as_str().unwrap());
    let acknowledge = async || {
        ward.nurse.post(&format!("{path}/acknowledge"), json!({ "quiet_for_s": 60 })).await
    };
    let answered = acknowledge().await.good();
    assert_eq!(answered["state"], "acknowledged");
    assert_eq!(answered["acknowledged_by"]["name"], "PRIYA");
    feed.until(|frame| alarm_in(frame, "acknowledged")).await;
    let ended = ward.nurse.post(&format!("{path}/end"), json!({ "reason": "artefact" })).await;
    let ended = ended.good();
    assert_eq!(
        (&ended["state"], &ended["end"]),
        (&json!("ended"), &json!("ended by PRIYA, artefact"))
    );
    feed.until(|frame| alarm_in(frame, "ended")).await;
    // Nothing is raised any more.
    let (status, kind, _) = acknowledge().await.problem();
    assert_eq!((status, kind.as_str()), (409, "conflict"));
    let past = house.until(async || {
        let query = format!("/alarms?care_unit={}&state=ended", ward.unit);
        let list = ward.nurse.get(&query).await.good();
        list["items"].as_array().unwrap().iter().find(|it| it["id"] == alarm["id"]).cloned()
    });
    let past = past.await;
    assert_eq!(past["state"], "ended");
    // What it was about is known of the past too, and found by it.
    assert_eq!((&past["key"], &past["vital"]), (&alarm["key"], &alarm["vital"]));
    assert_eq!((&ended["key"], alarm["vital"].is_string()), (&alarm["key"], true));
    let count = async |vital: &str, state: &str| {
        let query = format!("/alarms?care_unit={}&state={state}&vital={vital}", ward.unit);
        let list = ward.nurse.get(&query).await.good();
        let items = list["items"].as_array().unwrap();
        items.iter().filter(|it| it["id"] == alarm["id"]).count()
    };
    let vital = alarm["vital"].as_str().unwrap();
    assert_eq!((count(vital, "ended").await, count(vital, "any").await), (1, 1));
    assert_eq!((count("glucose", "ended").await, count("glucose", "any").await), (0, 0));
    let wrong = ward.nurse.get("/alarms?vital=mood").await.problem();
    assert_eq!(wrong.0, 400);
    let whole = ward.nurse.get(&path).await.good();
    let life = whole["life"].as_array().unwrap();
    assert!(life.len() >= 3, "{life:?}");
    assert!(life.iter().any(|event| event["by"] == "PRIYA"), "{life:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_goes_on_where_it_was_or_is_told_to_begin_again() {
    let house = House::open().await;
    let ward = house.ward().await;
    let device = house.monitor(&ward).await;
    let board = ward.nurse.get(&format!("/care-units/{}/board", ward.unit)).await.good();
    let query = |cursor: &str| format!("care_unit={}&from={cursor}", ward.unit);
    // What happens between the board and the feed is told by the feed.
    house.measure(&ward, &device, 88).await;
    let mut feed = ward.nurse.feed(&query(board["cursor"].as_str().unwrap()), None).await.unwrap();
    let hello = feed.next().await;
    assert_eq!(hello["resumed"], true, "{hello}");
    let told = |frame: &Value, value: f64| {
        let numerics = frame["numerics"].as_array().into_iter().flatten();
        numerics.into_iter().any(|it| it["numeric"]["value"] == value)
    };
    let delta = feed.until(|frame| told(frame, 88.0)).await;
    assert!(delta["sent"]["received_at"].is_string(), "{delta}");
    drop(feed);
    house.measure(&ward, &device, 91).await;
    let mut feed = ward.nurse.feed(&query(delta["cursor"].as_str().unwrap()), None).await.unwrap();
    assert_eq!(feed.next().await["resumed"], true);
    let next = feed.until(|frame| frame["t"] == "delta").await;
    assert!(!told(&next, 88.0), "told twice: {next}");
    // A cursor of an earlier start is too old.
    let mut old = ward.nurse.feed(&query("1"), None).await.unwrap();
    assert_eq!(old.next().await["resumed"], false);
    assert_eq!(old.next().await["t"], "gone");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_feed_opens_only_for_those_who_may_look_and_for_our_own_pages() {
    let house = House::open().await;
    let ward = house.ward().await;
    let unit = format!("care_unit={}", ward.unit);
    let ours = format!("http://{}", house.address);
    let status = async |browser: &Browser, query: &str, origin: Option<&str>| {
        browser.feed(query, origin).await.err()
    };
    assert_eq!(status(&ward.nurse, &unit, Some(&ours)).await, None);
    assert_eq!(status(&ward.nurse, &unit, Some("https://evil.example")).await, Some(403));
    assert_eq!(status(&ward.nurse, &unit, Some("null")).await, Some(403));
    assert_eq!(status(&house.stranger(), &unit, Some(&ours)).await, Some(401));
    assert_eq!(status(&ward.admin, &unit, Some(&ours)).await, Some(403));
    assert_eq!(status(&ward.nurse, "", None).await, Some(400));
    assert_eq!(status(&ward.nurse, &format!("{unit}&from=zz"), None).await, Some(400));
    assert_eq!(status(&ward.nurse, &format!("{unit}&waves=all"), None).await, Some(400));
    assert_eq!(status(&ward.nurse, &format!("{unit}&waves=patient"), None).await, Some(400));
    let plain = ward.nurse.get(&format!("/feed?{unit}")).await.problem();
    assert_eq!(plain.0, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_feed_hears_wishes_and_ends_with_its_session() {
    let house = House::open().await;
    let ward = house.ward().await;
    let mut feed = ward.nurse.feed(&format!("care_unit={}", ward.unit), None).await.unwrap();
    assert_eq!(feed.next().await["t"], "hello");
    feed.say(json!({ "t": "want", "waves": "patient", "patient": ward.patient })).await;
    feed.say(json!({ "t": "dance" })).await;
    let said = feed.until(|frame| frame["t"] == "problem").await;
    assert_eq!(said["status"], 400);
    ward.nurse.delete("/session").await.good();
    let end = feed.until(|frame| frame["t"] == "problem").await;
    assert_eq!((&end["status"], &end["type"]), (&json!(401), &json!("/problems/signed-out")));
    assert_eq!(feed.until(|frame| frame["t"] == "closed").await["code"], 4401);
    // Opening, the look at the traces, and the close have left their traces.
    let trail = async || {
        let list = ward.admin.get("/audit?limit=200").await.good();
        list["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|it| it["resource"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    let closed = format!("CLOSED /api/v1/feed?care_unit={}", ward.unit);
    house.until(async || trail().await.contains(&closed).then_some(())).await;
    let trail = trail().await;
    assert!(trail.contains(&"GET /api/v1/feed".to_owned()), "{trail:?}");
    assert!(trail.contains(&format!("GET /api/v1/feed patient {}", ward.patient)), "{trail:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_changes_its_mind_without_end_is_told_to_slow_down() {
    use crate::limits::WISHES_AT_ONCE_MAX;
    let house = House::open().await;
    let ward = house.ward().await;
    let mut feed =
        ward.nurse.feed(&format!("care_unit={}&waves=board", ward.unit), None).await.unwrap();
    let want = json!({ "t": "want", "waves": "patient", "patient": ward.patient });
    for _ in 0..WISHES_AT_ONCE_MAX * 2 {
        feed.say(want.clone()).await;
    }
    let told = feed.until(|frame| frame["t"] == "problem").await;
    assert_eq!((&told["status"], &told["type"]), (&json!(429), &json!("/problems/slow-down")));
    // Those that were not heard left no trace of a look either.
    let most = WISHES_AT_ONCE_MAX as usize;
    let looks = async || {
        let trail = ward.admin.get("/audit?limit=200").await.good();
        let items = trail["items"].as_array().unwrap().iter();
        let count = items.filter(|it| it.to_string().contains("/feed patient")).count();
        (count >= most).then_some(count)
    };
    let heard = house.until(looks).await;
    assert!(heard < 2 * most, "{heard} looks");
}

#[tokio::test(flavor = "multi_thread")]
async fn alarms_of_a_stopped_engine_are_a_fault_and_not_an_empty_list() {
    let house = House::open().await;
    let ward = house.ward().await;
    assert_eq!(ward.nurse.get("/alarms?scope=all").await.status, 200);
    house.engine.stop().await;
    let (status, kind, detail) = ward.nurse.get("/alarms?scope=all").await.problem();
    assert_eq!((status, &*kind), (503, "not-recording"));
    assert!(detail.contains("alarms are not watched"), "{detail}");
}
