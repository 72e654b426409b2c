//! The desk of a demo: orders reach the virtual hospital, and nobody else has such an address.

use serde_json::{Value, json};

use super::house::{For, House};

#[tokio::test(flavor = "multi_thread")]
async fn a_hospital_and_a_demo_without_one_have_no_desk() {
    let hospital = House::open_for(For::Hospital).await;
    let link = hospital.invitation.replace("/invite/", "/invitations/");
    let answer = hospital.stranger().post(&link, json!({ "password": "ten letters" })).await;
    let admin = hospital.stranger().signed_in_by(&answer);
    // Even where somebody would take orders.
    hospital.api.demo_desk().describe(&json!({}));
    let _orders = hospital.api.demo_desk().orders();
    assert_eq!(admin.get("/demo/events").await.problem().0, 404);
    assert_eq!(admin.post("/demo/events", json!({ "bed": "04" })).await.problem().0, 404);
    assert_eq!(admin.get("/session").await.good()["product"]["demo"], false);
    let demo = House::open().await;
    let ines = demo.click("admin").await;
    assert_eq!(ines.get("/demo/events").await.problem().0, 404);
    assert_eq!(ines.post("/demo/events", json!({ "bed": "04" })).await.problem().0, 404);
    assert_eq!(ines.get("/session").await.good()["product"]["demo"], true);
    assert_eq!(demo.stranger().get("/demo/events").await.problem().0, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_reaches_the_virtual_hospital_and_its_refusal_comes_back() {
    let demo = House::open().await;
    let desk = demo.api.demo_desk();
    let mut orders = desk.orders();
    let bed = json!({ "unit": "4B", "room": "Room 2", "bed": "04", "devices": ["oximeter"] });
    let catalogue = json!({
        "title": "x", "beds": [bed], "illnesses": ["arrest"], "treatments": ["shock"], "faults": ["stall"],
    });
    desk.describe(&catalogue);
    let taking = tokio::spawn(async move {
        let mut taken: Vec<Value> = Vec::new();
        while let Some((order, answer)) = orders.recv().await {
            let is_known = order["illness"] == "arrest";
            taken.push(order);
            answer
                .send(if is_known { Ok(()) } else { Err("use one of: arrest".to_owned()) })
                .unwrap();
            if !is_known {
                break;
            }
        }
        taken
    });
    let nurse = demo.click("admin").await;
    assert_eq!(nurse.get("/demo/events").await.good(), catalogue);
    let arrest = json!({ "bed": "04", "illness": "arrest" });
    nurse.post("/demo/events", arrest.clone()).await.good();
    let unknown = nurse.post("/demo/events", json!({ "bed": "04", "illness": "hiccups" })).await;
    let (status, _, detail) = unknown.problem();
    assert_eq!((status, detail.as_str()), (400, "use one of: arrest"));
    assert_eq!(taking.await.unwrap()[0], arrest);
    let strange = nurse.post("/demo/events", json!({ "bed": "04", "spell": "x" })).await;
    assert_eq!(strange.problem().0, 400);
}
