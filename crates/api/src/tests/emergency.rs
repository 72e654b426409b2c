//! A closed page, the reason that opens it, who is told; and the next dose.

use std::time::Duration;

use record::Body;
use serde_json::{Value, json};
use store::{FaultyDisk, LogOffset};

use super::{
    browser::Browser,
    house::{House, Ward},
};

/// A nurse who holds no post anywhere.
pub(super) async fn stranger(house: &House, ward: &Ward) -> Browser {
    let staff = ward.admin.add("/staff", json!({ "site_id": ward.site, "name": "UMA" })).await;
    let login = json!({ "login": "uma", "role": "nurse", "staff_id": staff });
    ward.admin.add("/users", login).await;
    house.click("uma").await
}

async fn trail(house: &House, ward: &Ward, action: &str, rule: &str) -> Value {
    house
        .until(async || {
            let rows = ward.admin.get(&format!("/audit?action={action}&actor=uma")).await.good();
            let rows = rows["items"].as_array().unwrap().clone();
            rows.into_iter().find(|row| row["rule"] == rule)
        })
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_another_care_unit_opens_in_an_emergency_and_everybody_learns_of_it() {
    let house = House::open().await;
    let ward = house.ward().await;
    let uma = stranger(&house, &ward).await;
    let page = format!("/patients/{}", ward.patient);
    let closed = [
        page.clone(),
        format!("{page}/timeline"),
        format!("{page}/trends?from=0&to=1000"),
        format!("/beds/{}/history", ward.beds[0]),
    ];
    for path in &closed {
        let (status, kind, detail) = uma.get(path).await.problem();
        assert_eq!((status, kind.as_str()), (403, "closed"), "{path}: {detail}");
    }
    assert_eq!(trail(&house, &ward, "patient.read", "emergency").await["allowed"], false);
    let open = format!("{page}/emergency");
    for (given, status) in [
        (json!({ "reason": "curiosity" }), 400),
        (json!({ "reason": "other", "words": " " }), 400),
        (json!({}), 400),
    ] {
        assert_eq!(uma.post(&open, given.clone()).await.problem().0, status, "{given}");
    }
    let why = json!({ "reason": "called_to_help", "words": "Priya called" });
    let opened = uma.post(&open, why.clone()).await.good();
    assert_eq!((&opened["reason"], &opened["is_open"]), (&json!("called_to_help"), &json!(true)));
    let shown = uma.get(&page).await.good();
    assert_eq!(shown["open_until"], opened["until"]);
    uma.get(&format!("{page}/timeline")).await.good();
    // To read is not to act, one page is not another, and once is enough.
    assert_eq!(uma.post(&format!("{page}/chart"), json!({})).await.problem().0, 403);
    assert_eq!(uma.post(&open, why.clone()).await.problem().0, 409);
    // Whoever may read it anyway, and those who read none, open nothing.
    assert_eq!(ward.nurse.post(&open, why.clone()).await.problem().0, 409);
    assert_eq!(ward.physician.post(&open, why.clone()).await.problem().0, 403);
    assert_eq!(ward.admin.post(&open, why).await.problem().0, 403);
    // The audit has the reason, and each look by that rule.
    let granted = trail(&house, &ward, "patient.emergency", "emergency called_to_help").await;
    assert_eq!((&granted["allowed"], &granted["patient_number"]), (&json!(true), &json!("BR 001")));
    house
        .until(async || {
            let rows = ward.admin.get("/audit?action=patient.read&outcome=allowed").await.good();
            let rows = rows["items"].as_array().unwrap().clone();
            rows.iter().any(|row| row["rule"] == "emergency").then_some(())
        })
        .await;
    // The patient's page says it.
    let ilse = super::own::patient(&house, &ward).await;
    let look = house
        .until(async || {
            let own = ilse.get("/own").await.good();
            own["looks"].as_array().unwrap().iter().find(|it| it["name"] == "UMA").cloned()
        })
        .await;
    assert_eq!(look["emergency"]["reason"], "called_to_help");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_runs_the_care_unit_is_told_and_looks_at_the_reason() {
    let house = House::open().await;
    let ward = house.ward().await;
    let uma = stranger(&house, &ward).await;
    let list = format!("/care-units/{}/emergencies", ward.unit);
    let board = format!("/care-units/{}/board", ward.unit);
    let waits = async || ward.charge.get(&board).await.good()["to_review"].clone();
    assert_eq!(
        (ward.charge.get(&list).await.good()["items"].clone(), waits().await),
        (json!([]), json!(0))
    );
    let mut feed = ward.charge.feed(&format!("care_unit={}", ward.unit), None).await.unwrap();
    let why = json!({ "reason": "life_at_risk" });
    uma.post(&format!("/patients/{}/emergency", ward.patient), why).await.good();
    // It is on the screen in front of them at once.
    feed.until(|frame| frame["to_review"] == 1).await;
    assert_eq!(waits().await, json!(1));
    let item = ward.charge.get(&list).await.good()["items"][0].clone();
    assert_eq!(
        (&item["by"]["name"], &item["patient"]["name"], &item["reviewed_at"], &item["is_mine"]),
        (&json!("UMA"), &json!("Ilse Brandt"), &Value::Null, &json!(false))
    );
    let review = format!("/emergencies/{}/review", item["id"].as_str().unwrap());
    for other in [&uma, &ward.nurse, &ward.physician, &ward.admin] {
        assert_eq!(other.get(&list).await.problem().0, 403);
        assert_eq!(other.post(&review, json!({})).await.problem().0, 403);
    }
    let nothing = "/emergencies/0192f0c1-2b3a-7c4d-8e5f-00000000002a/review";
    assert_eq!(ward.charge.post(nothing, json!({})).await.problem().0, 404);
    let left = ward.charge.post(&review, json!({})).await.good();
    assert_eq!(left["items"][0]["reviewed_by"], "TOM");
    assert_eq!(waits().await, json!(0));
    assert_eq!(ward.charge.post(&review, json!({})).await.problem().0, 409);
}

/// Whoever was in a bed of the ward until so many hours ago, by what is said now.
async fn gone(house: &House, ward: &Ward, number: &str, hours: u64) -> String {
    let ago = |hours: u64| {
        let then = house.clock.now().before(Duration::from_secs(hours * 3_600));
        then.unix_millis().to_string()
    };
    let patient = json!({ "record_number": number, "given_name": "Otto", "family_name": number });
    let patient = ward.charge.add("/patients", patient).await;
    let bed = format!("/beds/{}/patient", ward.beds[1]);
    let from = ago(hours.saturating_add(1));
    ward.charge.post(&bed, json!({ "patient": patient, "from": from })).await.good();
    ward.charge.post(&bed, json!({ "patient": null, "from": ago(hours) })).await.good();
    patient
}

#[tokio::test(flavor = "multi_thread")]
async fn who_left_every_bed_is_known_to_their_ward_for_a_day_and_then_opens_for_a_reason() {
    let house = House::open().await;
    let ward = house.ward().await;
    let uma = stranger(&house, &ward).await;
    let new = json!({ "record_number": "N 1", "given_name": "Nora", "family_name": "New" });
    let new = ward.charge.add("/patients", new).await;
    let long_gone = gone(&house, &ward, "L 25", 25).await;
    let left = gone(&house, &ward, "L 23", 23).await;
    let listed = async |who: &Browser| {
        let items = who.get("/patients").await.good()["items"].as_array().unwrap().clone();
        [&new, &left, &long_gone].map(|id| items.iter().any(|it| it["id"] == **id))
    };
    // Whom nobody took in yet is open to those who could; of the others each by its rule.
    assert_eq!(listed(&uma).await, [true, false, false]);
    assert_eq!(listed(&ward.nurse).await, [true, true, false]);
    assert_eq!(listed(&ward.physician).await, [true, true, true]);
    let page = |id: &str| format!("/patients/{id}");
    ward.nurse.get(&page(&left)).await.good();
    house
        .until(async || {
            let path = "/audit?action=patient.read&actor=priya";
            let rows = ward.admin.get(path).await.good()["items"].as_array().unwrap().clone();
            rows.iter()
                .any(|row| row["rule"] == "left lately" && row["patient_number"] == "L 23")
                .then_some(())
        })
        .await;
    for (who, id) in [(&uma, &left), (&uma, &long_gone), (&ward.nurse, &long_gone)] {
        for path in [page(id), format!("{}/timeline", page(id))] {
            let (status, kind, _) = who.get(&path).await.problem();
            assert_eq!((status, kind.as_str()), (403, "closed"), "{path}");
        }
        // Nor do their traces come on the feed of a ward where they are not.
        let traces = format!("care_unit={}&waves=patient&patient={id}", ward.unit);
        assert_eq!(who.feed(&traces, None).await.err(), Some(403));
    }
    // To read on is not to act, and a reason opens what is closed; their last ward is told.
    assert_eq!(
        ward.nurse.post(&format!("{}/chart", page(&left)), json!({})).await.problem().0,
        403
    );
    let mut feed = ward.charge.feed(&format!("care_unit={}", ward.unit), None).await.unwrap();
    let why = json!({ "reason": "called_to_help", "words": "she calls from home" });
    ward.nurse.post(&format!("{}/emergency", page(&long_gone)), why).await.good();
    ward.nurse.get(&page(&long_gone)).await.good();
    feed.until(|frame| frame["to_review"] == 1).await;
    let list = ward.charge.get(&format!("/care-units/{}/emergencies", ward.unit)).await.good();
    assert_eq!(list["items"][0]["patient"]["id"], long_gone);
    assert_eq!(list["items"][0]["bed"], Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_left_with_a_device_of_a_care_unit_on_is_known_to_that_unit_while_it_is_on() {
    let house = House::open().await;
    let ward = house.ward().await;
    let uma = stranger(&house, &ward).await;
    let long_gone = gone(&house, &ward, "L 25", 25).await;
    let page = format!("/patients/{long_gone}");
    assert_eq!(ward.nurse.get(&page).await.problem().0, 403);
    let device = house.monitor(&ward).await;
    let on = json!({ "patient": long_gone });
    ward.charge.post(&format!("/devices/{device}/association"), on).await.good();
    let traces = format!("care_unit={}&waves=patient&patient={long_gone}", ward.unit);
    for path in [page.clone(), format!("{page}/trends?from=0&to=1000")] {
        ward.nurse.get(&path).await.good();
        assert_eq!(uma.get(&path).await.problem().0, 403);
    }
    ward.nurse.feed(&traces, None).await.unwrap();
    assert_eq!(uma.feed(&traces, None).await.err(), Some(403));
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_patient_has_moved_both_care_units_are_told_and_one_look_is_enough() {
    let house = House::open().await;
    let ward = house.ward().await;
    let uma = stranger(&house, &ward).await;
    let why = json!({ "reason": "life_at_risk" });
    uma.post(&format!("/patients/{}/emergency", ward.patient), why).await.good();
    // Another care unit, with somebody who runs it.
    let unit = ward.admin.add("/care-units", json!({ "site_id": ward.site, "name": "ICU" })).await;
    let room = ward.admin.add("/rooms", json!({ "care_unit_id": unit, "name": "9" })).await;
    let bed = ward.admin.add("/beds", json!({ "room_id": room, "name": "91" })).await;
    let staff = ward.admin.add("/staff", json!({ "site_id": ward.site, "name": "INA" })).await;
    let login = json!({ "login": "ina", "role": "charge_nurse", "staff_id": staff });
    ward.admin.add("/users", login).await;
    let ina = house.click("ina").await;
    ina.post(&format!("/posts/charge/{unit}"), json!({ "staff": staff })).await.good();
    let waits = async |who: &Browser, unit: &str| {
        let board = who.get(&format!("/care-units/{unit}/board")).await.good();
        let list = who.get(&format!("/care-units/{unit}/emergencies")).await.good();
        let items = list["items"].as_array().unwrap().clone();
        let open = items.iter().filter(|it| it["reviewed_at"] == Value::Null).count();
        assert_eq!(board["to_review"], json!(open));
        (open, items.first().map(|it| it["id"].as_str().unwrap().to_owned()))
    };
    assert_eq!(waits(&ina, &unit).await, (0, None));
    let id = waits(&ward.charge, &ward.unit).await.1.unwrap();
    let review = format!("/emergencies/{id}/review");
    assert_eq!(ina.post(&review, json!({})).await.problem().0, 403);
    let mut new = ina.feed(&format!("care_unit={unit}"), None).await.unwrap();
    let mut old = ward.charge.feed(&format!("care_unit={}", ward.unit), None).await.unwrap();
    ina.post(&format!("/beds/{bed}/patient"), json!({ "patient": ward.patient })).await.good();
    new.until(|frame| frame["to_review"] == 1).await;
    assert_eq!(waits(&ina, &unit).await, (1, Some(id.clone())));
    assert_eq!(waits(&ward.charge, &ward.unit).await, (1, Some(id)));
    // The answer is the list of the one who looked; the other screen is told as well.
    let left = ina.post(&review, json!({})).await.good();
    assert_eq!(left["care_unit"]["id"], unit);
    assert_eq!(left["items"][0]["reviewed_by"], "INA");
    old.until(|frame| frame["to_review"] == 0).await;
    assert_eq!(waits(&ward.charge, &ward.unit).await.0, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn traces_of_a_closed_page_are_not_sent_and_those_who_are_to_take_over_may_read() {
    let house = House::open().await;
    let ward = house.ward().await;
    let uma = stranger(&house, &ward).await;
    let page = format!("/patients/{}", ward.patient);
    let traces = format!("care_unit={}&waves=patient&patient={}", ward.unit, ward.patient);
    assert_eq!(uma.feed(&traces, None).await.err(), Some(403));
    // Those of the board are what the wall shows.
    uma.feed(&format!("care_unit={}&waves=board", ward.unit), None).await.unwrap();
    let staff = ward.admin.get("/staff").await.good();
    let staff = staff["items"].as_array().unwrap().iter().find(|it| it["name"] == "UMA");
    let posts = json!([{ "bed": ward.beds[0], "note": "" }]);
    let offer = json!({ "to": staff.unwrap()["id"], "posts": posts });
    let path = format!("/care-units/{}/hand-overs", ward.unit);
    let offered = ward.nurse.post(&path, offer).await.good();
    uma.get(&page).await.good();
    uma.feed(&traces, None).await.unwrap();
    // An offer that was taken back closes it again.
    let id = offered["hand_overs"][0]["id"].as_str().unwrap().to_owned();
    ward.nurse.delete(&format!("/hand-overs/{id}")).await.good();
    assert_eq!(uma.get(&page).await.problem().0, 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_dose_is_on_the_patients_own_page() {
    let house = House::open().await;
    let ward = house.ward().await;
    let ilse = super::own::patient(&house, &ward).await;
    let page = format!("/patients/{}", ward.patient);
    let path = format!("{page}/next-dose");
    assert_eq!(ilse.get("/own").await.good()["next_dose"], Value::Null);
    let due = house.clock.now().after(std::time::Duration::from_secs(7_200)).unix_millis();
    let dose = json!({ "words": "1 g paracetamol", "due_at": due.to_string() });
    for other in [&ward.admin, &ilse, &stranger(&house, &ward).await] {
        assert_eq!(other.put(&path, dose.clone()).await.problem().0, 403);
    }
    let planned = ward.nurse.put(&path, dose).await.good();
    let own = ilse.get("/own").await.good();
    assert_eq!(own["next_dose"], planned["next_dose"]);
    assert_eq!(
        (&own["next_dose"]["words"], &own["next_dose"]["by"]),
        (&json!("1 g paracetamol"), &json!("PRIYA"))
    );
    assert_eq!(ward.nurse.get(&page).await.good()["next_dose"], own["next_dose"]);
    let wrong = json!({ "words": "1 g", "due_at": "tomorrow" });
    assert_eq!(ward.nurse.put(&path, wrong).await.problem().0, 400);
    assert_eq!(ward.nurse.delete(&path).await.good()["next_dose"], Value::Null);
    assert_eq!(ilse.get("/own").await.good()["next_dose"], Value::Null);
}

const UNRECORDED: &str = "emergency, not recording";

#[tokio::test(flavor = "multi_thread")]
async fn while_the_journal_does_not_record_a_page_is_open_without_a_reason() {
    let disk = FaultyDisk::new();
    let house = House::open_on(&disk).await;
    let ward = house.ward().await;
    let uma = stranger(&house, &ward).await;
    let page = format!("/patients/{}", ward.patient);
    assert_eq!(uma.get(&page).await.problem().0, 403);
    disk.fail_sync_in(0);
    // The first one who looks finds out.
    uma.get(&page).await.good();
    let why = json!({ "reason": "life_at_risk" });
    let (status, kind, _) = uma.post(&format!("{page}/emergency"), why).await.problem();
    assert_eq!((status, kind.as_str()), (503, "not-recording"));
    uma.get(&page).await.good();
    uma.get(&format!("{page}/timeline")).await.good();
    let traces = format!("care_unit={}&waves=patient&patient={}", ward.unit, ward.patient);
    uma.feed(&traces, None).await.unwrap();
    // To read is not to act, and nobody else reads more.
    assert_eq!(uma.post(&format!("{page}/chart"), json!({})).await.problem().0, 403);
    assert_eq!(ward.admin.get(&page).await.problem().0, 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_disk_hangs_a_page_opens_soon_and_closes_when_it_comes_back() {
    let disk = FaultyDisk::new();
    let house = House::open_on(&disk).await;
    let ward = house.ward().await;
    let uma = stranger(&house, &ward).await;
    let page = format!("/patients/{}", ward.patient);
    disk.hold_syncs();
    let soon = Duration::from_secs(10);
    let why = json!({ "reason": "life_at_risk" });
    let open = format!("{page}/emergency");
    let asked = tokio::time::timeout(soon, uma.post(&open, why)).await.unwrap();
    assert_eq!(asked.problem().0, 503);
    tokio::time::timeout(soon, uma.get(&page)).await.unwrap().good();
    disk.release_syncs();
    // The look is in the audit after all, by its own rule, and the page is closed again.
    let look = trail(&house, &ward, "patient.read", UNRECORDED).await;
    assert_eq!(look["allowed"], true);
    assert_eq!(uma.get(&page).await.problem().0, 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_was_opened_is_said_to_be_open_though_the_trace_of_it_is_lost() {
    // Which sync is that of the trace depends on what the engine writes beside it.
    for syncs in 0..8 {
        let disk = FaultyDisk::new();
        let house = House::open_on(&disk).await;
        let ward = house.ward().await;
        let uma = stranger(&house, &ward).await;
        disk.fail_sync_in(syncs);
        let page = format!("/patients/{}", ward.patient);
        let why = json!({ "reason": "transfer" });
        let opened = uma.post(&format!("{page}/emergency"), why).await;
        uma.get(&page).await.good();
        let is_durable = || {
            house.api.journal.replay(LogOffset::default()).any(|record| {
                let frame = record.unwrap().frame;
                let body = Body::decode(frame.kind, frame.body_version, &frame.body);
                matches!(body, Ok(Body::Audit(entry)) if entry.resource.starts_with("GRANTED "))
            })
        };
        // It is on its way: sooner or later it is there, or the disk has failed.
        if opened.status.as_u16() == 201
            && house
                .until(async || {
                    let has_failed = !house.api.records();
                    let is_durable = is_durable();
                    (has_failed || is_durable).then_some(!is_durable)
                })
                .await
        {
            return;
        }
    }
    unreachable!("an error was said whenever the trace was lost");
}
