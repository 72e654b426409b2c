//! A patient's own page: their own data, everything else refused, and what the team sees of it.

use axum::{body::Body, http::Method};
use serde_json::{Value, json};

use super::{
    browser::Browser,
    house::{House, Ward, someone},
};
use crate::routes::{Access, BASE, Scope, table};

/// The patient of the first bed, signed in by the link that their nurse made.
pub(super) async fn patient(house: &House, ward: &Ward) -> Browser {
    let path = format!("/patients/{}/login", ward.patient);
    let made = ward.nurse.post(&path, json!({})).await.good();
    assert_eq!((&made["login"], &made["role"]), (&json!("br001"), &json!("patient")));
    assert_eq!(made["name"], "Ilse Brandt");
    let link = made["invitation"].as_str().unwrap().replace("/invite/", "/invitations/");
    let stranger = house.stranger();
    stranger.post(&link, json!({ "password": "ten letters" })).await.good();
    let entered =
        stranger.post("/session", json!({ "login": "BR001", "password": "ten letters" })).await;
    stranger.signed_in_by(&entered)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_patient_sees_their_own_numbers_without_a_score_or_an_alarm() {
    let house = House::open().await;
    let ward = house.ward().await;
    let device = house.monitor(&ward).await;
    let ilse = patient(&house, &ward).await;
    let empty = ilse.get("/own").await.good();
    assert_eq!((&empty["given_name"], &empty["numbers"]), (&json!("Ilse"), &json!([])));
    assert_eq!((&empty["bed"]["name"], &empty["nurse"]["name"]), (&json!("01"), &json!("PRIYA")));
    house.measure(&ward, &device, 150).await;
    let own = house
        .until(async || {
            let own = ilse.get("/own").await.good();
            (own["numbers"][0]["value"] == 150.0).then_some(own)
        })
        .await;
    let number = &own["numbers"][0];
    assert_eq!((&number["vital"], &number["place"]), (&json!("heart_rate"), &json!("above")));
    assert_eq!((&number["state"], &number["alarm"]), (&json!("live"), &Value::Null));
    assert_eq!((&number["high"], &number["measured_by"]), (&json!(120.0), &json!("Monitor")));
    let text = own.to_string();
    for word in ["news2", "priority\":\"", "score"] {
        assert!(!text.contains(word), "{word} is on a patient's page: {text}");
    }
    let me = ilse.get("/session").await.good();
    assert_eq!((&me["user"]["name"], &me["care_units"]), (&json!("Ilse Brandt"), &json!([])));
    let home = ilse.send(ilse.request(Method::GET, "/", Body::empty())).await;
    assert_eq!(home.header("location"), "/own");
}

#[tokio::test(flavor = "multi_thread")]
async fn how_a_patient_feels_is_charted_and_the_team_sees_it() {
    let house = House::open().await;
    let ward = house.ward().await;
    let ilse = patient(&house, &ward).await;
    let felt = json!({ "feeling": "bit_worse", "words": "dizzy when I sit up" });
    let own = ilse.post("/own/feeling", felt).await.good();
    assert_eq!(own["felt"][0]["feeling"], "bit_worse");
    let page = ward.nurse.get(&format!("/patients/{}", ward.patient)).await.good();
    let charted = &page["charting"][0];
    assert_eq!(
        (&charted["feeling"], &charted["note"], &charted["by"]),
        (&json!("bit_worse"), &json!("dizzy when I sit up"), &Value::Null)
    );
    let unknown = ilse.post("/own/feeling", json!({ "feeling": "fine" })).await.problem();
    assert_eq!(unknown.2, "feeling is `fine`; use one of: better, same, bit_worse, much_worse");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_patient_is_told_who_looked() {
    let house = House::open().await;
    let ward = house.ward().await;
    let ilse = patient(&house, &ward).await;
    ward.physician.get(&format!("/patients/{}", ward.patient)).await.good();
    let look = house
        .until(async || {
            let own = ilse.get("/own").await.good();
            let looks = own["looks"].as_array().unwrap();
            looks.iter().find(|it| it["name"] == "MARA" && it["count"] == 1).cloned()
        })
        .await;
    assert_eq!(look["role"], "physician");
    // The ward may ask the same; a nurse and the patient may not ask it there.
    let path = format!("/patients/{}/looks", ward.patient);
    let looks = ward.charge.get(&path).await.good();
    assert_eq!(looks["record_number"], "BR 001");
    assert!(looks["items"].as_array().unwrap().iter().all(|it| it["name"] != "Ilse Brandt"));
    assert_eq!(ward.nurse.get(&path).await.problem().0, 403);
    assert_eq!(ilse.get(&path).await.problem().0, 403);
    ward.admin.get(&path).await.good();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_patient_reaches_nothing_else() {
    let house = House::open().await;
    let ward = house.ward().await;
    let device = house.monitor(&ward).await;
    let ilse = patient(&house, &ward).await;
    let other = ward.charge.add("/patients", someone("BR 002", "Leo", "Osei")).await;
    let mut refused = 0;
    for route in table() {
        let Access::Permitted(_, scope) = route.access else { continue };
        let id = match scope {
            Scope::Own => continue,
            Scope::CareUnit | Scope::ChargePost => ward.unit.as_str(),
            Scope::Bed => ward.beds[0].as_str(),
            Scope::Room => ward.room.as_str(),
            Scope::Site => ward.site.as_str(),
            Scope::Device => device.as_str(),
            // Neither through the pages of the ward, nor anybody else.
            Scope::Patient => ward.patient.as_str(),
            Scope::Org
            | Scope::CareUnitOfQuery
            | Scope::Alarm
            | Scope::HandOver
            | Scope::Emergency => "0192f0c1-2b3a-7c4d-8e5f-00000000002a",
        };
        let path = route.path.replace("{id}", id).replace("{vital}", "heart_rate");
        let path = path.replace("{certificate}", id);
        for query in ["", &format!("?care_unit={}", ward.unit)] {
            let path = format!("{BASE}{path}{query}");
            let request = ilse.request(route.method.clone(), &path, Body::from("{}"));
            let (status, ..) = ilse.send(request).await.problem();
            assert!([403, 404].contains(&status), "{} {path}: {status}", route.method);
            refused += 1;
        }
    }
    assert!(refused > 100, "{refused}");
    assert_eq!(ilse.get(&format!("/patients/{other}")).await.problem().0, 403);
    // The feed of the ward, with their own traces or another's, does not open.
    for query in [
        format!("care_unit={}", ward.unit),
        format!("care_unit={}&waves=patient&patient={}", ward.unit, ward.patient),
        format!("care_unit={}&waves=patient&patient={other}", ward.unit),
    ] {
        assert_eq!(ilse.feed(&query, None).await.err(), Some(403), "{query}");
    }
    // Nobody of the staff has an own page, and IT gives no patient a login.
    for browser in [&ward.nurse, &ward.charge, &ward.physician, &ward.admin] {
        assert_eq!(browser.get("/own").await.problem().0, 403);
        let felt = json!({ "feeling": "same" });
        assert_eq!(browser.post("/own/feeling", felt).await.problem().0, 403);
    }
    let path = format!("/patients/{}/login", ward.patient);
    assert_eq!(ward.admin.post(&path, json!({})).await.problem().0, 403);
    let by_it = json!({ "login": "x", "role": "patient" });
    assert_eq!(ward.admin.post("/users", by_it).await.problem().0, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_link_opens_the_same_login_again() {
    let house = House::open().await;
    let ward = house.ward().await;
    let ilse = patient(&house, &ward).await;
    let path = format!("/patients/{}/login", ward.patient);
    let again = ward.charge.post(&path, json!({})).await.good();
    assert_eq!(again["login"], "br001");
    let link = again["invitation"].as_str().unwrap().replace("/invite/", "/invitations/");
    house.stranger().post(&link, json!({ "password": "another ten" })).await.good();
    // Whoever held the old password is signed out.
    assert_eq!(ilse.get("/own").await.problem().0, 401);
    let users = ward.admin.get("/users?limit=200").await.good();
    let own = users["items"].as_array().unwrap().iter().filter(|it| it["role"] == "patient");
    assert_eq!(own.count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_made_a_link_for_a_patients_login_is_named_to_the_patient_and_the_ward() {
    let house = House::open().await;
    let ward = house.ward().await;
    let ilse = patient(&house, &ward).await;
    let path = format!("/patients/{}", ward.patient);
    ward.physician.get(&path).await.good();
    ward.charge.post(&format!("{path}/login"), json!({})).await.good();
    let of = |looks: &Value, name: &str| {
        let found = looks.as_array()?.iter().find(|it| it["name"] == name)?;
        found.get("link_made_at").cloned()
    };
    let looks = house
        .until(async || {
            let looks = ilse.get("/own").await.good()["looks"].clone();
            (of(&looks, "TOM")?.is_string() && of(&looks, "MARA").is_some()).then_some(looks)
        })
        .await;
    assert!(of(&looks, "PRIYA").unwrap().is_string(), "she made the first link: {looks}");
    assert_eq!(of(&looks, "MARA"), Some(Value::Null), "she only looked");
    let told = ward.physician.get(&format!("{path}/looks")).await.good();
    assert!(of(&told["items"], "TOM").unwrap().is_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn it_makes_no_link_by_which_it_would_become_a_patient() {
    let house = House::open().await;
    let ward = house.ward().await;
    let ilse = patient(&house, &ward).await;
    let user = ilse.get("/session").await.good()["user"]["id"].as_str().unwrap().to_owned();
    let again = ward.admin.post(&format!("/users/{user}/invitation"), Value::Null).await;
    assert_eq!(again.problem().0, 403);
    let directory = house.api.engine.directory();
    assert!(directory.invitations.values().all(|it| it.user.to_string() != user));
    // The attempt stands in the patient's trail.
    let tried = format!("/audit?patient={}&action=patient.invite&outcome=refused", ward.patient);
    let found = async || ward.admin.get(&tried).await.good()["items"].as_array().unwrap().len();
    house.until(async || (found().await == 1).then_some(())).await;
    ilse.get("/own").await.good();
    let users = ward.admin.get("/users?limit=200").await.good();
    let nurse = users["items"].as_array().unwrap().iter().find(|it| it["login"] == "priya");
    let path = format!("/users/{}/invitation", nurse.unwrap()["id"].as_str().unwrap());
    ward.admin.post(&path, Value::Null).await.good();
}

/// The path of Anna's login: nobody makes somebody of the ward, or the patient, out of her.
async fn stays_family(ward: &Ward) -> String {
    let users = ward.admin.get("/users?limit=200").await.good();
    let user = users["items"].as_array().unwrap().iter().find(|it| it["name"] == "Anna");
    let user = format!("/users/{}", user.unwrap()["id"].as_str().unwrap());
    for role in ["patient", "it", "nurse"] {
        let changed = ward.admin.put(&user, json!({ "role": role })).await;
        assert_eq!(changed.problem().0, 400, "{role}");
    }
    let link = ward.admin.post(&format!("{user}/invitation"), json!({})).await;
    assert_eq!(link.problem().0, 403);
    user
}

#[tokio::test(flavor = "multi_thread")]
async fn a_share_has_a_name_and_a_day_and_is_the_patients_to_make() {
    let house = House::open().await;
    let ward = house.ward().await;
    let ilse = patient(&house, &ward).await;
    for (given, words) in [
        (json!({ "name": " ", "days": 7 }), "the name is empty or longer than"),
        (json!({ "name": "Anna", "days": 0 }), "days is 0; a page is shared for 1 to 90 days"),
        (json!({ "name": "Anna", "days": 91 }), "days is 91; a page is shared for 1 to 90 days"),
        (json!({ "name": "Anna" }), ""),
    ] {
        let (status, _, detail) = ilse.post("/own/shares", given.clone()).await.problem();
        assert!(status == 400 && detail.starts_with(words), "{given}: {detail}");
    }
    // Nobody shares what is somebody else's.
    for other in [&ward.nurse, &ward.charge, &ward.physician, &ward.admin] {
        let given = json!({ "name": "Anna", "days": 7 });
        assert_eq!(other.post("/own/shares", given).await.problem().0, 403);
    }
}

/// What a patient reads of themselves and does not share.
fn keeps_to_themselves(own: &Value, shared: &Value) {
    // What they tell the team, who looked and who else may.
    for private in ["felt", "looks", "shares"] {
        assert_eq!(shared[private], json!([]), "{private}");
    }
    // Where they lie, and who looks after them.
    for private in ["bed", "care_unit", "nurse"] {
        assert!(own[private].is_object(), "{private}: {own}");
    }
    for private in ["bed", "care_unit", "nurse", "charge"] {
        assert_eq!(shared[private], Value::Null, "{private}");
    }
}

/// Whoever has the password is told why they are not let in, and nobody else is told anything;
/// answers the words.
async fn is_told_that_it_is_over(house: &House, enter: Value) -> &'static str {
    let guessed = json!({ "login": enter["login"], "password": "ten numbers" });
    assert_eq!(house.stranger().post("/session", guessed).await.problem().0, 401);
    let (status, kind, detail) = house.stranger().post("/session", enter).await.problem();
    let over = "nothing is shared with you any more";
    assert_eq!((status, kind.as_str(), detail.as_str()), (403, "share-over", over));
    over
}

#[tokio::test(flavor = "multi_thread")]
async fn a_patient_shares_their_page_for_a_while_sees_who_read_it_and_takes_it_back() {
    let house = House::open().await;
    let ward = house.ward().await;
    let device = house.monitor(&ward).await;
    house.measure(&ward, &device, 72).await;
    let ilse = patient(&house, &ward).await;
    ilse.post("/own/feeling", json!({ "feeling": "same", "words": "for you only" })).await.good();
    let made = ilse.post("/own/shares", json!({ "name": "Anna", "days": 7 })).await.good();
    let shown = &made["own"]["shares"][0];
    assert_eq!((&shown["name"], &shown["has_entered"]), (&json!("Anna"), &json!(false)));
    let link = made["invitation"].as_str().unwrap().replace("/invite/", "/invitations/");
    let stranger = house.stranger();
    // Looking at a link leaves no trace, so it tells no name; it does not use the link.
    let invited = stranger.get(&link).await.good();
    assert_eq!(invited, json!({ "login": made["login"] }));
    stranger.post(&link, json!({ "password": "ten letters" })).await.good();
    assert_eq!(stranger.get(&link).await.problem().0, 404);
    let (status, _, detail) =
        stranger.post(&link, json!({ "password": "ten letters" })).await.problem();
    assert_eq!(status, 404);
    assert!(detail.ends_with("or the patient who shares their page with you"), "{detail}");
    let enter = json!({ "login": made["login"], "password": "ten letters" });
    let anna = stranger.signed_in_by(&stranger.post("/session", enter.clone()).await);
    let read = house
        .until(async || {
            let read = anna.get("/own").await.good();
            (read["numbers"][0]["value"] == 72.0).then_some(read)
        })
        .await;
    assert_eq!((&read["given_name"], &read["shared_until"]), (&json!("Ilse"), &shown["until"]));
    keeps_to_themselves(&ilse.get("/own").await.good(), &read);
    let me = anna.get("/session").await.good();
    assert_eq!((&me["user"]["name"], &me["user"]["role"]), (&json!("Anna"), &json!("family")));
    // To read is all.
    let page = format!("/patients/{}", ward.patient);
    for path in [page.as_str(), "/patients", "/audit", "/staff"] {
        assert_eq!(anna.get(path).await.problem().0, 403, "{path}");
    }
    let felt = json!({ "feeling": "same" });
    assert_eq!(anna.post("/own/feeling", felt).await.problem().0, 403);
    let more = json!({ "name": "Bert", "days": 1 });
    assert_eq!(anna.post("/own/shares", more).await.problem().0, 403);
    // The patient and the ward see that she read it, and the team with whom it is shared.
    let look = house
        .until(async || {
            let own = ilse.get("/own").await.good();
            let looks = own["looks"].as_array().unwrap().clone();
            looks.into_iter().find(|it| it["name"] == "Anna")
        })
        .await;
    assert_eq!(look["role"], "family");
    let looks = ward.charge.get(&format!("{page}/looks")).await.good();
    assert!(looks["items"].as_array().unwrap().iter().any(|it| it["name"] == "Anna"));
    assert_eq!(ward.nurse.get(&page).await.good()["shared_with"], json!(["Anna"]));
    let user = stays_family(&ward).await;
    // Taken back: signed out at once, and not let in again.
    let path = format!("/own/shares/{}", shown["id"].as_str().unwrap());
    assert_eq!(anna.delete(&path).await.problem().0, 403);
    assert_eq!(ilse.delete(&path).await.good()["shares"], json!([]));
    assert_eq!(anna.get("/own").await.problem().0, 401);
    let over = is_told_that_it_is_over(&house, enter).await;
    assert_eq!(ilse.delete(&path).await.problem().0, 409);
    // Even somebody who is let in by another way reads nothing.
    ward.admin.put(&user, json!({ "disabled": false })).await.good();
    let again = house.click(made["login"].as_str().unwrap()).await;
    let (status, kind, detail) = again.get("/own").await.problem();
    assert_eq!((status, kind.as_str(), detail.as_str()), (403, "share-over", over));
    let rows = ward.admin.get("/audit?action=own.share").await.good();
    assert!(
        rows["items"]
            .as_array()
            .unwrap()
            .iter()
            .any(|row| { row["patient_number"] == "BR 001" && row["allowed"] == true })
    );
}
