//! The running of the house: limits of care units, hand-overs, places, logins, the trail, the system.

use serde_json::{Value, json};

use super::house::{For, House, someone};

fn low(limit: f64) -> Value {
    let side = json!({ "limit": limit, "clears_at": limit, "delay_s": 10, "priority": "medium" });
    json!({ "low": side, "high": null })
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_of_a_care_unit_hold_with_their_provenance() {
    let house = House::open().await;
    let ward = house.ward().await;
    let path = format!("/care-units/{}/limits", ward.unit);
    let fresh = ward.nurse.get(&path).await.good();
    assert_eq!((&fresh["set"], &fresh["bands"][5]["from_years"]), (&json!([]), &json!(75)));
    assert!(fresh["built_in"].as_array().unwrap().len() > 5);
    // Whoever is in charge sets them; a nurse and IT do not.
    let saturation = format!("{path}/saturation");
    for browser in [&ward.nurse, &ward.admin] {
        assert_eq!(browser.put(&saturation, low(88.0)).await.problem().0, 403);
    }
    ward.charge.put(&saturation, low(88.0)).await.good();
    let of_patient = async || {
        let page = ward.nurse.get(&format!("/patients/{}", ward.patient)).await.good();
        let limits = page["limits"].as_array().unwrap();
        limits.iter().find(|it| it["vital"] == "saturation").unwrap().clone()
    };
    let set = of_patient().await;
    assert_eq!((&set["low"]["limit"], &set["is_default"]), (&json!(88.0), &json!(true)));
    let from = &set["from"];
    assert_eq!(
        (&from["layer"], &from["care_unit"]["name"], &from["by"], from["at"].is_string()),
        (&json!("care_unit"), &json!("4B"), &json!("TOM"), true)
    );
    // Ilse is 71: what is for her age goes before, her own before that, and back.
    ward.physician.put(&format!("{saturation}?band=adult"), low(86.0)).await.good();
    assert_eq!(of_patient().await["from"]["layer"], "age_band");
    let own = format!("/patients/{}/limits/saturation", ward.patient);
    ward.nurse.put(&own, low(84.0)).await.good();
    assert_eq!(of_patient().await["from"]["layer"], "patient");
    assert!(ward.nurse.delete(&own).await.status.is_success());
    let set = of_patient().await;
    assert_eq!(
        (&set["from"]["layer"], &set["from"]["band"]),
        (&json!("age_band"), &json!("adult"))
    );
    ward.charge.delete(&format!("{saturation}?band=adult")).await.good();
    let left = ward.charge.delete(&saturation).await.good();
    assert_eq!(left["set"], json!([]));
    assert_eq!(of_patient().await["from"]["layer"], "built_in");
    assert_eq!(ward.charge.put(&format!("{path}/mood"), low(1.0)).await.problem().0, 400);
    assert_eq!(
        ward.charge.put(&format!("{saturation}?band=teen"), low(88.0)).await.problem().0,
        400
    );
    assert_eq!(ward.charge.put(&saturation, low(101.0)).await.problem().0, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shift_is_handed_over_when_the_next_accepts() {
    let house = House::open().await;
    let ward = house.ward().await;
    let staff = ward.admin.add("/staff", json!({ "site_id": ward.site, "name": "UMA" })).await;
    let login = json!({ "login": "uma", "role": "nurse", "staff_id": staff });
    ward.admin.add("/users", login).await;
    let uma = house.click("uma").await;
    let shift = format!("/care-units/{}/shift", ward.unit);
    let now = ward.nurse.get(&shift).await.good();
    assert_eq!(
        (&now["beds"][0]["nurse"]["name"], &now["charge"]["name"]),
        (&json!("PRIYA"), &json!("TOM"))
    );
    assert_eq!(now["beds"][1]["is_unassigned"], false, "an empty bed needs nobody");
    let offer =
        json!({ "to": staff, "posts": [{ "bed": ward.beds[0], "note": "sleeps at last" }] });
    let path = format!("/care-units/{}/hand-overs", ward.unit);
    // Whoever does not hold the bed cannot hand it over; whoever is not of the unit cannot offer.
    assert_eq!(ward.charge.post(&path, offer.clone()).await.problem().0, 409);
    assert_eq!(uma.post(&path, offer.clone()).await.problem().0, 403);
    let made = ward.nurse.post(&path, offer).await.good();
    let hand_over = &made["hand_overs"][0];
    assert_eq!(
        (&hand_over["state"], &hand_over["is_mine"], &hand_over["is_for_me"]),
        (&json!("open"), &json!(true), &json!(false))
    );
    let accept = format!("/hand-overs/{}/acceptance", hand_over["id"].as_str().unwrap());
    assert_eq!(ward.charge.post(&accept, Value::Null).await.problem().0, 403);
    assert_eq!(ward.admin.post(&accept, Value::Null).await.problem().0, 403);
    let seen = uma.get(&shift).await.good();
    assert_eq!(seen["hand_overs"][0]["is_for_me"], true);
    assert_eq!(seen["hand_overs"][0]["posts"][0]["patient"]["name"], "Ilse Brandt");
    let after = uma.post(&accept, Value::Null).await.good();
    assert_eq!(after["beds"][0]["nurse"]["name"], "UMA");
    assert_eq!(after["hand_overs"][0]["state"], "accepted");
    assert_eq!(uma.post(&accept, Value::Null).await.problem().0, 409);
    // Without a nurse the bed is said to be nobody's.
    ward.charge
        .post(&format!("/posts/bed/{}", ward.beds[0]), json!({ "staff": null }))
        .await
        .good();
    assert_eq!(ward.charge.get(&shift).await.good()["beds"][0]["is_unassigned"], true);
    let nothing = "/hand-overs/0192f0c1-2b3a-7c4d-8e5f-00000000002a";
    assert_eq!(uma.delete(nothing).await.problem().0, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_place_is_renamed_and_a_bed_remembers_who_lay_there() {
    let house = House::open().await;
    let ward = house.ward().await;
    for (path, name) in [
        (format!("/sites/{}", ward.site), "South Hospital"),
        (format!("/care-units/{}", ward.unit), "4C"),
        (format!("/rooms/{}", ward.room), "9"),
        (format!("/beds/{}", ward.beds[0]), "11"),
    ] {
        let body = json!({ "name": name });
        assert_eq!(ward.charge.put(&path, body.clone()).await.problem().0, 403, "{path}");
        assert_eq!(ward.admin.put(&path, body).await.good()["name"], name);
    }
    let twin = ward.admin.put(&format!("/beds/{}", ward.beds[0]), json!({ "name": "02" })).await;
    assert_eq!(twin.problem().0, 409);
    let tree = ward.nurse.get("/places").await.good();
    let site = &tree["sites"][0];
    let room = &site["care_units"][0]["rooms"][0];
    let names = (&site["name"], &site["care_units"][0]["name"], &room["name"]);
    assert_eq!(names, (&json!("South Hospital"), &json!("4C"), &json!("9")));
    let bed = room["beds"].as_array().unwrap().iter().find(|it| it["name"] == "11").unwrap();
    assert_eq!(bed["patient"]["name"], "Ilse Brandt");
    let by_it = ward.admin.get("/places").await.good();
    assert!(!by_it.to_string().contains("Brandt"), "IT learns who lies where: {by_it}");

    // Somebody lay down an hour ago, and it is recorded now.
    let leo = ward.charge.add("/patients", someone("BR 002", "Leo", "Osei")).await;
    let before_it_was_known = house.clock.now().unix_millis();
    let from = before_it_was_known - 3_600_000;
    let late = json!({ "patient": leo, "from": from.to_string() });
    ward.charge.post(&format!("/beds/{}/patient", ward.beds[1]), late).await.good();
    let path = format!("/beds/{}/history", ward.beds[1]);
    let at = from + 60_000;
    let now = ward.nurse.get(&format!("{path}?at={at}")).await.good();
    assert_eq!(
        (&now["patient"]["name"], &now["lines"][0]["is_late"]),
        (&json!("Leo Osei"), &json!(true))
    );
    let then = ward.nurse.get(&format!("{path}?at={at}&known={before_it_was_known}")).await.good();
    assert_eq!((&then["patient"], &then["lines"]), (&Value::Null, &json!([])));
    assert_eq!(ward.admin.get(&path).await.problem().0, 403);
    // The look is one at Leo.
    let traced = house.until(async || {
        let list = ward.admin.get(&format!("/audit?patient={leo}&actor=priya")).await.good();
        list["items"].as_array().unwrap().first().cloned()
    });
    assert_eq!(traced.await["action"], "patient.read");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_is_changed_shut_and_invited_again() {
    let house = House::open_for(For::Hospital).await;
    let link = house.invitation.replace("/invite/", "/invitations/");
    let answer = house.stranger().post(&link, json!({ "password": "ten letters" })).await;
    let admin = house.stranger().signed_in_by(&answer);
    let site = admin.add("/sites", json!({ "name": "North" })).await;
    let body = json!({ "login": "amara", "role": "nurse", "name": "Amara", "site_id": site });
    let made = admin.post("/users", body).await.good();
    let path = format!("/users/{}", made["id"].as_str().unwrap());
    assert!(made["invited_until"].is_string());
    let changed = admin.put(&path, json!({ "role": "charge_nurse" })).await.good();
    assert_eq!(changed["role"], "charge_nurse");
    let again = admin.post(&format!("{path}/invitation"), Value::Null).await.good();
    let enter = async |link: &Value, status: u16| {
        let link = link.as_str().unwrap().replace("/invite/", "/invitations/");
        let answer = house.stranger().post(&link, json!({ "password": "ten letters" })).await;
        assert_eq!(answer.status.as_u16(), status);
        answer
    };
    enter(&made["invitation"], 404).await;
    let amara = house.stranger().signed_in_by(&enter(&again["invitation"], 204).await);
    admin.put(&path, json!({ "disabled": true })).await.good();
    assert_eq!(amara.get("/session").await.problem().0, 401);
    let shut = admin.post(&format!("{path}/invitation"), Value::Null).await.problem();
    assert_eq!(shut.0, 409);
    let me = admin.get("/session").await.good();
    let own = format!("/users/{}", me["user"]["id"].as_str().unwrap());
    assert_eq!(admin.put(&own, json!({ "disabled": true })).await.problem().0, 409);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_trail_is_filtered_exported_and_itself_audited() {
    let house = House::open().await;
    let ward = house.ward().await;
    ward.physician.get(&format!("/patients/{}", ward.patient)).await.good();
    ward.nurse.get("/audit").await.problem();
    let find = async |query: &str| {
        let list = ward.admin.get(&format!("/audit?limit=200&{query}")).await.good();
        list["items"].as_array().unwrap().clone()
    };
    let looked =
        house.until(async || find("action=patient.read&actor=mara").await.first().cloned()).await;
    assert_eq!(
        (&looked["patient_number"], &looked["actor"]["full_name"], &looked["actor"]["role"]),
        (&json!("BR 001"), &json!("MARA"), &json!("physician"))
    );
    assert_eq!(find("patient=br%20001&action=patient.read").await.len(), 1);
    // The records follow the journal; what was refused may come a moment after the look.
    let refused = house
        .until(async || {
            let rows = find("outcome=refused").await;
            let is_it = |it: &Value| it["action"] == "audit.read" && it["actor"]["name"] == "priya";
            rows.iter().any(is_it).then_some(rows)
        })
        .await;
    assert!(refused.iter().all(|it| it["allowed"] == false));
    let far = "from=2001-01-01T00:00:00Z&to=2001-01-02T00:00:00Z";
    assert!(find(far).await.is_empty());
    for (query, status) in [
        ("outcome=maybe", 400),
        ("from=yesterday", 400),
        ("patient=P-9", 404),
        ("actor=nobody", 404),
    ] {
        assert_eq!(ward.admin.get(&format!("/audit?{query}")).await.problem().0, status, "{query}");
    }
    let file = ward.admin.get("/audit/export?action=patient.read").await;
    assert!(file.header("content-type").starts_with("text/csv"), "{file:?}");
    assert!(file.header("content-disposition").contains("audit.csv"));
    let text = String::from_utf8(file.bytes).unwrap();
    let mut lines = text.lines();
    assert!(lines.next().unwrap().starts_with("at,actor_kind,actor,role,action"));
    assert!(lines.next().unwrap().contains(",user,MARA,physician,patient.read,BR 001,"));
    assert_eq!(ward.charge.get("/audit/export").await.problem().0, 403);
    // Who reads the audit stands in it.
    let read = house.until(async || {
        let rows = find("action=audit.read&actor=admin").await;
        rows.iter().find(|it| it["resource"] == "GET /api/v1/audit/export").cloned()
    });
    assert_eq!(read.await["allowed"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_system_says_what_it_holds_and_keeps_its_history() {
    let house = House::open().await;
    let ward = house.ward().await;
    let system = ward.nurse.get("/system").await.good();
    assert!(system["storage"]["free_bytes"].as_u64().unwrap() > 0, "{system}");
    assert!(system["storage"]["journal_bytes"].as_u64().unwrap() > 0);
    assert!(system["journal"]["commits"].as_u64().unwrap() > 0);
    assert_eq!((&system["certificates"], &system["quarantined"]), (&json!([]), &json!(0)));
    let pulse = tokio::spawn(crate::keep_pulse(house.api.clone(), house.org));
    let history = house
        .until(async || {
            let history = ward.admin.get("/system/history").await.good();
            (!history["points"].as_array().unwrap().is_empty()).then_some(history)
        })
        .await;
    assert!(history["points"][0]["journal_bytes"].as_u64().unwrap() > 0);
    assert_eq!(history["gaps"], json!([]));
    for query in ["from=2001-01-01T00:00:00Z", "from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z"]
    {
        let asked = ward.admin.get(&format!("/system/history?{query}")).await;
        assert_eq!(asked.problem().0, 400, "{query}");
    }
    // The minute's loop ends with the server.
    house.api.stop();
    pulse.await.unwrap();
}
