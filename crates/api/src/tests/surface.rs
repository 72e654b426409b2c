//! What every answer has: headers, limits, problems by name; the screens and the health.

use axum::{
    body::Body,
    http::{Method, Request, StatusCode, header},
};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::{
    browser::Browser,
    house::{For, House},
};
use crate::{limits::BODY_LEN_MAX, serve_metrics};

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_understood_is_a_problem_by_name() {
    let house = House::open().await;
    let ward = house.ward().await;
    let (admin, charge) = (&ward.admin, &ward.charge);
    let huge = Body::from(vec![b' '; BODY_LEN_MAX + 1]);
    let request = admin.request(Method::POST, "/api/v1/session", huge);
    assert_eq!(
        admin.send(request).await.problem(),
        (413, "too-large".to_owned(), "a body has at most 262144 bytes".to_owned())
    );
    let full = Body::from(vec![b' '; BODY_LEN_MAX]);
    let request = admin.request(Method::POST, "/api/v1/session", full);
    assert_eq!(admin.send(request).await.problem().0, 400);
    for garbage in ["{", "[]", r#"{"name":7}"#, r#"{"name":"x","more":1}"#, "\u{0}"] {
        let request = admin.request(Method::POST, "/api/v1/sites", Body::from(garbage));
        let (status, kind, _) = admin.send(request).await.problem();
        assert_eq!((status, kind.as_str()), (400, "bad-request"), "{garbage}");
    }
    let nobody = "0192f0c1-2b3a-7c4d-8e5f-00000000002a";
    assert_eq!(charge.get("/patients/P-42").await.problem().0, 400);
    assert_eq!(charge.get(&format!("/patients/{nobody}")).await.problem().0, 404);
    assert_eq!(charge.get(&format!("/patients/{}", ward.unit)).await.problem().0, 404);
    assert_eq!(charge.get(&format!("/alarms/{nobody}")).await.problem().0, 404);
    assert_eq!(charge.get("/nowhere").await.problem().0, 404);
    assert_eq!(charge.get("/alarms?scope=ours").await.problem().0, 400);
    assert_eq!(charge.get("/alarms?state=gone").await.problem().0, 400);
    assert_eq!(charge.get("/patients?limit=0").await.problem().0, 400);
    assert_eq!(charge.get("/patients?cursor=x").await.problem().0, 400);
    // The address is one, the method is not.
    assert_eq!(charge.ask(Method::PUT, "/session", json!({})).await.problem().0, 405);
    assert_eq!(charge.delete("/patients").await.problem().0, 405);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_carries_the_headers_that_keep_pages_safe() {
    let house = House::open().await;
    let stranger = house.stranger();
    for path in [
        "/",
        "/sign-in",
        "/api/v1/session",
        "/assets/app.js",
        "/nowhere",
        "/healthz",
        "/assets/nothing.js",
    ] {
        let answer = stranger.send(stranger.request(Method::GET, path, Body::empty())).await;
        let policy = answer.header("content-security-policy");
        assert!(policy.starts_with("default-src 'none'; script-src 'self';"), "{path}: {policy}");
        assert!(!policy.contains("unsafe"), "{policy}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(answer.header("referrer-policy"), "no-referrer", "{path}");
        assert!(answer.header("permissions-policy").contains("camera=()"), "{path}");
        let no_store = answer.header("cache-control") == "no-store";
        assert_eq!(no_store, path.starts_with("/api/"), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_shell_stands_at_every_page_and_files_are_known_by_their_content() {
    let house = House::open().await;
    let stranger = house.stranger();
    let get =
        async |path: &str| stranger.send(stranger.request(Method::GET, path, Body::empty())).await;
    for path in
        ["/sign-in", "/ward/x", "/patients/x", "/alarms", "/devices", "/system", "/invite/x"]
    {
        let page = get(path).await;
        assert_eq!(
            (page.status, page.header("content-type")),
            (StatusCode::OK, "text/html; charset=utf-8"),
            "{path}"
        );
        let text = String::from_utf8(page.bytes).unwrap();
        assert!(text.contains("/assets/app.js") && !text.contains("<script>"), "{path}");
    }
    let home = get("/").await;
    assert_eq!((home.status, home.header("location")), (StatusCode::SEE_OTHER, "/sign-in"));
    let file = get("/assets/app.js").await;
    assert_eq!(file.header("content-type"), "text/javascript; charset=utf-8");
    let tag = file.header("etag").to_owned();
    assert_eq!((tag.len(), file.header("cache-control")), (34, "no-cache"));
    let mut again = stranger.request(Method::GET, "/assets/app.js", Body::empty());
    again.headers_mut().insert(header::IF_NONE_MATCH, tag.parse().unwrap());
    let again = stranger.send(again).await;
    assert_eq!((again.status, again.bytes.len()), (StatusCode::NOT_MODIFIED, 0));
    let version = tag.trim_matches('"');
    let named = get(&format!("/assets/app.js?v={version}")).await;
    assert!(named.header("cache-control").contains("immutable"));
    assert_eq!(get("/assets/app.js?v=00000000").await.header("cache-control"), "no-cache");
    for outside in [
        "/assets/../Cargo.toml",
        "/assets/%2e%2e/Cargo.toml",
        "/assets/vendor/README.md",
        "/assets//etc/passwd",
    ] {
        assert_eq!(get(outside).await.status, StatusCode::NOT_FOUND, "{outside}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_screen_is_the_one_of_the_role() {
    let house = House::open().await;
    let ward = house.ward().await;
    let home = async |browser: &Browser| {
        let answer = browser.send(browser.request(Method::GET, "/", Body::empty())).await;
        answer.header("location").to_owned()
    };
    assert_eq!(home(&ward.nurse).await, format!("/ward/{}", ward.unit));
    assert_eq!(home(&ward.physician).await, format!("/ward/{}", ward.unit));
    assert_eq!(home(&ward.admin).await, "/devices");
}

#[tokio::test(flavor = "multi_thread")]
async fn health_and_metrics_say_how_it_is() {
    let house = House::open().await;
    let stranger = house.stranger();
    let get =
        async |path: &str| stranger.send(stranger.request(Method::GET, path, Body::empty())).await;
    assert_eq!(get("/healthz").await.bytes, b"ok\n");
    let ready = get("/readyz").await.good();
    assert_eq!((&ready["ready"], &ready["recording"]), (&json!(true), &json!(true)));
    // The metrics have a listener of their own, without a sign-in.
    assert_eq!(get("/metrics").await.status, StatusCode::NOT_FOUND);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let other = Browser::new(listener.local_addr().unwrap());
    tokio::spawn(serve_metrics(house.api.clone(), listener));
    let open = "application/openmetrics-text; version=1.0.0";
    for (accepted, kind, lines) in [
        ("*/*", "text/plain; version=0.0.4", ["# TYPE wardline_http_requests_total counter", ""]),
        (open, open, ["# TYPE wardline_http_requests counter", "# EOF"]),
    ] {
        let request = Request::get("/metrics")
            .header(header::HOST, "localhost")
            .header(header::ACCEPT, accepted)
            .body(Body::empty())
            .unwrap();
        let answer = other.send(request).await;
        assert!(answer.header("content-type").starts_with(kind));
        let text = String::from_utf8(answer.bytes).unwrap();
        for line in ["wardline_journal_recording 1"].into_iter().chain(lines) {
            assert!(text.contains(line), "{line} is not in\n{text}");
        }
    }
    assert_eq!(other.get("/session").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_ends_the_listener_and_its_feeds() {
    let house = House::open().await;
    let ward = house.ward().await;
    let mut feed = ward.nurse.feed(&format!("care_unit={}", ward.unit), None).await.unwrap();
    assert_eq!(feed.next().await["t"], "hello");
    house.api.stop();
    let end = feed.until(|frame| frame["t"] == "closed").await;
    assert_eq!(end["code"], 1001);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_system_page_has_what_the_screens_show() {
    let house = House::open().await;
    let ward = house.ward().await;
    let system = ward.nurse.get("/system").await.good();
    assert_eq!(system["journal"]["status"], "recording");
    for (group, key) in [
        ("journal", "fsync_us_p99"),
        ("rates", "readings_per_s"),
        ("counters", "dead_letters"),
        ("latencies", "receive_to_durable_ms_p50"),
    ] {
        assert!(system[group][key].is_number(), "{group}.{key}: {system}");
    }
    assert_ne!(system["journal"]["bytes"], Value::from(0));
    let api = house.stranger().get("/openapi.json").await.good();
    assert_eq!(api["info"]["title"], "Wardline");
}

#[tokio::test(flavor = "multi_thread")]
async fn heads_and_messages_that_are_too_long_are_cut_off() {
    let house = House::open().await;
    let ward = house.ward().await;
    let mut request = ward.nurse.request(Method::GET, "/api/v1/session", Body::empty());
    let long = "x".repeat(4 * crate::limits::HEADERS_LEN_MAX);
    request.headers_mut().insert("x-long", long.parse().unwrap());
    let answer = ward.nurse.send(request).await;
    assert_eq!(answer.status, StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
    let mut feed = ward.nurse.feed(&format!("care_unit={}", ward.unit), None).await.unwrap();
    let wish = json!({ "t": "x".repeat(crate::limits::WISH_LEN_MAX) });
    feed.say(wish).await;
    feed.until_over().await;
    // Everybody else goes on.
    ward.nurse.get("/session").await.good();
}

#[tokio::test(flavor = "multi_thread")]
async fn over_tls_the_cookie_stays_on_tls() {
    let house = House::open_for(For::DemoOverTls).await;
    let answer = house.over_tls(Method::POST, "/api/v1/demo-sign-in/admin").await;
    assert_eq!(answer.status, StatusCode::NO_CONTENT);
    assert!(answer.header("set-cookie").contains("; Secure"), "{answer:?}");
    assert_eq!(answer.header("strict-transport-security"), "max-age=31536000");
    assert!(answer.header("content-security-policy").starts_with("default-src 'none'"));
}
