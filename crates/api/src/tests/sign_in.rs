//! Who gets in, and how often one may try.

use axum::{
    body::Body,
    http::{Method, header},
};
use serde_json::{Value, json};

use super::house::{For, House};

#[tokio::test(flavor = "multi_thread")]
async fn the_first_link_makes_the_administrator_once() {
    let house = House::open_for(For::Hospital).await;
    let stranger = house.stranger();
    let link = house.invitation.replace("/invite/", "/invitations/");
    assert_eq!(
        stranger.post(&link, json!({ "password": "short" })).await.problem().1,
        "bad-request"
    );
    let password = json!({ "password": "correct horse battery" });
    let admin = stranger.signed_in_by(&stranger.post(&link, password.clone()).await);
    let me = admin.get("/session").await.good();
    assert_eq!(
        (me["user"]["login"].as_str(), me["user"]["role"].as_str()),
        (Some("admin"), Some("it"))
    );
    assert_eq!(me["org"]["name"], "North");
    assert_eq!(stranger.post(&link, password).await.problem().0, 404);

    let again = json!({ "login": " Admin ", "password": "correct horse battery" });
    let answer = stranger.post("/session", again).await;
    let cookie = answer.header("set-cookie").to_owned();
    for part in ["wardline=", "HttpOnly", "SameSite=Strict", "Path=/", "Max-Age=43200"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    let second = stranger.signed_in_by(&answer);
    second.delete("/session").await.good();
    assert_eq!(second.get("/session").await.problem().0, 401);
    // The other session stays.
    admin.get("/session").await.good();
}

#[tokio::test(flavor = "multi_thread")]
async fn two_uses_of_one_link_at_once_give_one_session() {
    let house = House::open_for(For::Hospital).await;
    let stranger = house.stranger();
    let link = house.invitation.replace("/invite/", "/invitations/");
    let attempt = |password: &str| stranger.post(&link, json!({ "password": password }));
    let (one, two) = (attempt("the first password"), attempt("the second password"));
    let (one, two) = tokio::join!(one, two);
    let mut statuses = [one.status.as_u16(), two.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [204, 404]);
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_passwords_are_refused_alike_and_then_have_to_wait() {
    let house = House::open_for(For::Hospital).await;
    let stranger = house.stranger();
    let link = house.invitation.replace("/invite/", "/invitations/");
    stranger.post(&link, json!({ "password": "correct horse battery" })).await.good();
    let attempt = async |login: &str, password: &str| {
        stranger.post("/session", json!({ "login": login, "password": password })).await.problem()
    };
    let wrong = attempt("admin", "wrong").await;
    assert_eq!(
        wrong,
        (401, "signed-out".to_owned(), "the login or the password is wrong".to_owned())
    );
    assert_eq!(attempt("nobody", "wrong").await, wrong);
    for _ in 0..4 {
        assert_eq!(attempt("admin", "wrong").await.0, 401);
    }
    // Now even the right one waits.
    assert_eq!(attempt("admin", "correct horse battery").await.0, 429);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_click_sign_in_exists_in_the_demo_only() {
    let house = House::open_for(For::Hospital).await;
    let stranger = house.stranger();
    assert_eq!(stranger.get("/demo-sign-ins").await.problem().0, 404);
    assert_eq!(stranger.post("/demo-sign-in/admin", Value::Null).await.problem().0, 404);
    let demo = House::open().await;
    let listed = demo.stranger().get("/demo-sign-ins").await.good();
    assert_eq!(listed["items"], json!([{ "login": "admin", "name": "admin", "role": "it" }]));
    demo.click("admin").await.get("/session").await.good();
    assert_eq!(demo.stranger().post("/demo-sign-in/nobody", Value::Null).await.problem().0, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_needs_the_header_that_other_sites_cannot_send() {
    let house = House::open().await;
    let admin = house.click("admin").await;
    let mut request =
        admin.request(Method::POST, "/api/v1/sites", Body::from(r#"{"name":"North"}"#));
    request.headers_mut().remove("x-wardline");
    assert_eq!(admin.send(request).await.problem().0, 403);
    let mut forged = admin.request(Method::GET, "/api/v1/session", Body::empty());
    forged.headers_mut().insert(header::COOKIE, "wardline=0000".parse().unwrap());
    assert_eq!(admin.send(forged).await.problem().0, 401);
}
