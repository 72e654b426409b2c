//! Legal holds: hospital IT alone puts and ends them, with a reason, and the audit has who did.

use serde_json::json;

use super::house::House;

#[tokio::test(flavor = "multi_thread")]
async fn a_hold_is_put_with_a_reason_shown_and_ended_and_traced() {
    let house = House::open().await;
    let ward = house.ward().await;
    let (patient, span) = (&ward.patient, ("2026-11-01T00:00:00Z", "2026-11-02T00:00:00Z"));
    for (given, status) in [
        (json!({ "patient": patient }), 400),
        (json!({ "why": "case 1" }), 400),
        (json!({ "patient": patient, "from": span.0, "to": span.1, "why": "case 1" }), 400),
        (json!({ "from": span.0, "why": "case 1" }), 400),
        (json!({ "patient": "0192f0c1-2b3a-7c4d-8e5f-00000000002a", "why": "case 1" }), 404),
    ] {
        assert_eq!(ward.admin.post("/holds", given.clone()).await.problem().0, status, "{given}");
    }
    for (given, part) in [
        (json!({ "patient": patient, "why": " " }), "reason"),
        (json!({ "from": span.1, "to": span.0, "why": "case 1" }), "before it begins"),
    ] {
        let (status, _, detail) = ward.admin.post("/holds", given).await.problem();
        assert!((400..500).contains(&status) && detail.contains(part), "{status} {detail}");
    }
    assert_eq!(ward.nurse.get("/holds").await.problem().0, 403);
    let given = json!({ "patient": patient, "why": "case 4711" });
    assert_eq!(ward.nurse.post("/holds", given.clone()).await.problem().0, 403);
    ward.admin.post("/holds", given).await.good();
    let given = json!({ "from": span.0, "to": span.1, "why": "case 4712" });
    let holds = ward.admin.post("/holds", given).await.good();
    let items = holds["items"].as_array().unwrap();
    assert_eq!(items.len(), 2);
    let first = items.iter().find(|it| it["patient"] == json!(patient)).unwrap();
    assert_eq!((&first["why"], &first["ended_at"]), (&json!("case 4711"), &json!(null)));
    assert_eq!(ward.admin.get("/system").await.good()["holds"], 2);
    let end = format!("/holds/{}/end", first["id"].as_str().unwrap());
    let why = json!({ "why": "the case is closed" });
    assert_eq!(ward.nurse.post(&end, why.clone()).await.problem().0, 403);
    let holds = ward.admin.post(&end, why.clone()).await.good();
    assert_eq!(holds["items"][1]["id"], first["id"], "what was ended comes last");
    assert!(holds["items"][1]["ended_at"].is_string() && holds["items"][1]["by"].is_string());
    assert_eq!(ward.admin.post(&end, why).await.problem().0, 409);
    let system = ward.admin.get("/system").await.good();
    assert_eq!((&system["holds"], &system["retention"]), (&json!(1), &json!(null)));
    let traced = house
        .until(async || {
            let rows = ward.admin.get("/audit?action=system.hold&actor=admin").await.good();
            let rows = rows["items"].as_array().unwrap().clone();
            let puts = rows.iter().filter(|row| {
                row["resource"].as_str().is_some_and(|it| it.contains("POST"))
                    && row["allowed"] == true
            });
            (puts.count() >= 3).then_some(rows)
        })
        .await;
    assert!(!traced.is_empty());
}
