//! Places, posts, staff and devices: what may be built, by whom, and what is refused.

use serde_json::{Value, json};

use super::house::{House, someone};

#[tokio::test(flavor = "multi_thread")]
async fn a_ward_is_built_and_listed_as_it_was_built() {
    let house = House::open().await;
    let ward = house.ward().await;
    let names = async |path: &str| -> Vec<String> {
        let list = ward.nurse.get(path).await.good();
        list["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|it| it["name"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(names("/sites").await, ["North Hospital"]);
    assert_eq!(names("/care-units").await, ["4B"]);
    assert_eq!(names(&format!("/rooms?care_unit={}", ward.unit)).await, ["1"]);
    assert_eq!(names(&format!("/beds?care_unit={}", ward.unit)).await, ["01", "02"]);
    assert_eq!(names("/staff").await, ["MARA", "PRIYA", "TOM"]);
    assert_eq!(ward.admin.get("/users?limit=2").await.good()["items"].as_array().unwrap().len(), 2);
    let me = ward.nurse.get("/session").await.good();
    assert_eq!(me["care_units"][0]["mine"], true);
    assert_eq!(me["shift"]["beds"][0]["name"], "01");
    let twin =
        ward.admin.post("/beds", json!({ "room_id": ward.room, "name": "01" })).await.problem();
    assert_eq!((twin.0, twin.1.as_str()), (409, "conflict"));
    let beds = ward.admin.get("/beds").await.good();
    assert_eq!(
        beds["items"][0]["patient"],
        Value::Null,
        "those who look after machines learn who lies where"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_in_charge_takes_the_post_and_the_next_is_given_it() {
    let house = House::open().await;
    let ward = house.ward().await;
    // Another charge nurse cannot take what somebody holds.
    let staff = ward.admin.add("/staff", json!({ "site_id": ward.site, "name": "UMA" })).await;
    ward.admin
        .add("/users", json!({ "login": "uma", "role": "charge_nurse", "staff_id": staff }))
        .await;
    let (uma, post) = (house.click("uma").await, format!("/posts/charge/{}", ward.unit));
    assert_eq!(uma.post(&post, json!({ "staff": staff })).await.problem().0, 403);
    let now = ward.admin.post(&post, json!({ "staff": staff })).await.good();
    assert_eq!(now["charge"]["name"], "UMA");
    assert_eq!(ward.charge.post(&post, json!({ "staff": null })).await.problem().0, 403);
    let empty = uma.post(&post, json!({ "staff": null })).await.good();
    assert_eq!(empty["charge"], Value::Null);
    ward.charge.post(&post, json!({ "staff": ward.staff[1] })).await.good();
    // A nurse never.
    ward.charge.post(&post, json!({ "staff": null })).await.good();
    assert_eq!(ward.nurse.post(&post, json!({ "staff": ward.staff[0] })).await.problem().0, 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_login_gets_a_link_and_with_it_a_password() {
    let house = House::open().await;
    let ward = house.ward().await;
    let body =
        json!({ "login": "Amara", "role": "nurse", "name": "Amara Okoye", "site_id": ward.site });
    let made = ward.admin.post("/users", body.clone()).await.good();
    assert_eq!(
        (made["login"].as_str(), made["has_password"].as_bool()),
        (Some("amara"), Some(false))
    );
    assert_eq!(made["name"], "Amara Okoye");
    let link = made["invitation"].as_str().unwrap().replace("/invite/", "/invitations/");
    let stranger = house.stranger();
    stranger.post(&link, json!({ "password": "ten letters" })).await.good();
    let entered =
        stranger.post("/session", json!({ "login": "amara", "password": "ten letters" })).await;
    let amara = stranger.signed_in_by(&entered);
    assert_eq!(amara.get("/session").await.good()["user"]["name"], "Amara Okoye");
    assert_eq!(ward.admin.post("/users", body).await.problem().0, 409);
    let nameless = json!({ "login": "x", "role": "nurse" });
    assert_eq!(ward.admin.post("/users", nameless).await.problem().0, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_is_enrolled_worn_and_revoked() {
    let house = House::open().await;
    let ward = house.ward().await;
    let id = house.monitor(&ward).await;
    let seen = ward.nurse.get(&format!("/devices/{id}")).await.good();
    assert_eq!(
        (seen["patient"]["name"].as_str(), seen["bed"]["name"].as_str()),
        (Some("Ilse Brandt"), Some("01"))
    );
    let by_it = ward.admin.get("/devices").await.good();
    assert_eq!(by_it["items"][0]["patient"]["name"], "on a patient");
    let made = ward.admin.post(&format!("/devices/{id}/certificate"), Value::Null).await.good();
    assert!(made["certificate_pem"].as_str().unwrap().starts_with("-----BEGIN CERTIFICATE-----"));
    assert!(made["key_pem"].as_str().unwrap().contains("PRIVATE KEY"));
    assert_eq!(made["mqtt"]["topic_prefix"], format!("wl/1/{}/{id}/up", ward.site));
    let listed = ward.admin.get(&format!("/devices/{id}")).await.good();
    assert!(!listed.to_string().contains("PRIVATE KEY"));
    let certificate = listed["certificates"][0]["id"].as_str().unwrap().to_owned();
    let serial = house.api.engine.directory().certificates.values().next().unwrap().serial.clone();
    assert!(!house.api.revocations.is_revoked(&serial));
    let after =
        ward.admin.delete(&format!("/devices/{id}/certificates/{certificate}")).await.good();
    assert!(after["certificates"][0]["revoked_at"].is_string());
    assert!(house.api.revocations.is_revoked(&serial));
    // Off the patient, and then no longer in service.
    let off = ward
        .charge
        .post(&format!("/devices/{id}/association"), json!({ "patient": null }))
        .await
        .good();
    assert_eq!(off["patient"], Value::Null);
    let held = ward
        .admin
        .put(
            &format!("/devices/{id}/lifecycle"),
            json!({ "state": "quarantined", "why": "a test" }),
        )
        .await
        .good();
    assert_eq!(held["lifecycle"], "quarantined");
    let again = ward
        .charge
        .post(&format!("/devices/{id}/association"), json!({ "patient": ward.patient }))
        .await;
    assert_eq!(again.problem().0, 409);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_nurse_of_another_ward_cannot_take_a_device_or_a_bed_by_naming_them_in_the_body() {
    let house = House::open().await;
    let ward = house.ward().await;
    let other = ward.admin.add("/care-units", json!({ "site_id": ward.site, "name": "5C" })).await;
    let staff = ward.admin.add("/staff", json!({ "site_id": ward.site, "name": "NINA" })).await;
    ward.admin
        .add("/users", json!({ "login": "nina", "role": "charge_nurse", "staff_id": staff }))
        .await;
    let nina = house.click("nina").await;
    nina.post(&format!("/posts/charge/{other}"), json!({ "staff": staff })).await.good();
    let body =
        json!({ "profile": "monitor", "serial": "M-9", "label": "Monitor 9", "care_unit": other });
    let device = ward.admin.add("/devices", body).await;
    ward.admin
        .put(&format!("/devices/{device}/lifecycle"), json!({ "state": "in_service" }))
        .await
        .good();
    // The device is hers, the patient is not.
    let on = json!({ "patient": ward.patient });
    assert_eq!(nina.post(&format!("/devices/{device}/association"), on).await.problem().0, 403);
    // Neither looking nor charting is for the whole house.
    let closed = nina.get(&format!("/patients/{}", ward.patient)).await.problem();
    assert_eq!((closed.0, closed.1.as_str()), (403, "closed"));
    let chart = json!({ "consciousness": "alert" });
    assert_eq!(
        nina.post(&format!("/patients/{}/chart", ward.patient), chart).await.problem().0,
        403
    );
    let taken = nina
        .post(&format!("/beds/{}/patient", ward.beds[1]), json!({ "patient": ward.patient }))
        .await;
    assert_eq!(taken.problem().0, 403);
    // A query that hides its care unit from the guard does not open another one.
    let hidden = ward.nurse.get(&format!("/patients?care%5Funit={other}")).await.good();
    assert_eq!(hidden["items"].as_array().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_patient_is_registered_moved_and_discharged() {
    let house = House::open().await;
    let ward = house.ward().await;
    let second = ward.charge.add("/patients", someone("BR 002", "Ana", "Ferreira")).await;
    let twin = ward.charge.post("/patients", someone("BR 002", "Eva", "Other")).await.problem();
    assert_eq!((twin.0, twin.2.as_str()), (409, "another patient has this record number"));
    let into = json!({ "patient": second });
    let full =
        ward.charge.post(&format!("/beds/{}/patient", ward.beds[0]), into.clone()).await.problem();
    assert_eq!((full.0, full.2.as_str()), (409, "another patient lies in this bed"));
    ward.charge.post(&format!("/beds/{}/patient", ward.beds[1]), into).await.good();
    let board = ward.nurse.get(&format!("/care-units/{}/board", ward.unit)).await.good();
    let who: Vec<_> = board["beds"]
        .as_array()
        .unwrap()
        .iter()
        .map(|bed| bed["patient"]["name"].as_str())
        .collect();
    assert_eq!(who, [Some("Ilse Brandt"), Some("Ana Ferreira")]);
    assert_eq!(board["charge"]["name"], "TOM");
    assert_eq!(board["beds"][0]["nurse"]["name"], "PRIYA");
    let left = ward
        .charge
        .post(&format!("/beds/{}/patient", ward.beds[1]), json!({ "patient": null }))
        .await
        .good();
    assert_eq!(left["patient"], Value::Null);
    let listed = ward.nurse.get(&format!("/patients?care_unit={}", ward.unit)).await.good();
    assert_eq!(listed["items"].as_array().unwrap().len(), 1);
}
