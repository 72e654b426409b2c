//! People at the door of the screens: links that work once, passwords, rights, headers,
//! the trail of every look, slow readers, and sessions that outlive a restart.

use std::{collections::BTreeSet, io, net::TcpStream, time::Duration};

use futures_util::StreamExt as _;
use reqwest::Method;
use serde_json::{Value, json};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, client_async, connect_async,
    tungstenite::{Message, client::IntoClientRequest as _},
};

use crate::{
    companion::Companion,
    payload::{SENML_JSON, heart_rate},
    rest::Rest,
    server::{Home, Server},
    waiting::{block_on, eventually},
    ward::{Device, Ward},
    wire::{Version, Wire},
};

const SOON: Duration = Duration::from_secs(10);
/// What every page and answer of the people's listener carries.
const CSP: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
    connect-src 'self'; font-src 'self'; manifest-src 'self'; worker-src 'self'; base-uri 'none'; \
    form-action 'none'; frame-ancestors 'none'";

#[test]
fn a_one_time_link_makes_a_login_once() {
    let home = Home::new();
    let server = Server::start(&home);
    let ward = Ward::build(&server);
    let nobody = server.rest();
    let user =
        json!({ "login": "wendy", "name": "Wendy Hale", "role": "nurse", "site_id": ward.site });
    let invited = ward.admin.post("/api/v1/users", &user);
    let link = invited["invitation"].as_str().unwrap();
    assert_eq!(nobody.ask(Method::GET, link, None).status, 200, "the link's page");
    let path = format!("/api/v1/invitations/{}", link.rsplit('/').next().unwrap());
    let use_it =
        |password: &str| nobody.ask(Method::POST, &path, Some(&json!({ "password": password })));
    let long_enough = "correct horse battery";
    let refused = use_it("short");
    assert!(refused.is_problem(400), "{refused}");
    assert!(nobody.sign_in("wendy", long_enough).is_problem(401), "no password is set yet");
    let first = use_it(long_enough);
    assert_eq!(first.status, 204, "{first}");
    assert_eq!(nobody.with_cookie_of(&first).get("/api/v1/session")["user"]["login"], "wendy");
    let second = use_it("another long password");
    assert!(second.is_problem(404), "{second}");
    assert!(nobody.sign_in("wendy", "another long password").is_problem(401));
    assert_eq!(nobody.sign_in("wendy", long_enough).status, 204);
}

#[test]
fn wrong_passwords_are_refused_and_then_have_to_wait() {
    let home = Home::new();
    let server = Server::start(&home);
    let ward = Ward::build(&server);
    let nobody = server.rest();
    let words = |login: &str| nobody.sign_in(login, "not the password").json()["detail"].clone();
    assert_eq!(words("nora"), words("nobody-of-this-name"), "a refusal names no login");
    let waits =
        (0..10).map(|_| nobody.sign_in("nora", "not the password")).find(|it| it.status != 401);
    let waits = waits.unwrap_or_else(|| panic!("guessing goes on for ever"));
    assert!(waits.is_problem(429), "{waits}");
    // One-click sign-in takes no password, and another login is not held up.
    assert!(nobody.sign_in("carl", "not the password").is_problem(401));
    assert_eq!(ward.nurse.get("/api/v1/session")["user"]["login"], "nora");
}

#[test]
fn nobody_reads_anything_and_each_role_only_its_own() {
    let home = Home::new();
    let server = Server::start(&home);
    let ward = Ward::build(&server);
    let nobody = server.rest();
    let (patient, unit, bed) = (&ward.patients[0], &ward.unit, &ward.beds[0]);
    let page = format!("/api/v1/patients/{patient}");
    let board = format!("/api/v1/care-units/{unit}/board");
    let chart = format!("{page}/chart");
    let scale = format!("{page}/spo2-scale");
    let charted = json!({ "consciousness": "alert" });
    let post = format!("/api/v1/posts/bed/{bed}");
    let site = json!({ "name": "East" });
    // Method, path, body, then who may: it, nurse, charge nurse, physician.
    let cases: [(Method, &str, Option<Value>, &str); 12] = [
        (Method::GET, &board, None, "-ncp"),
        (Method::GET, &page, None, "-ncp"),
        (Method::POST, &chart, Some(charted), "-ncp"),
        (Method::PUT, &scale, Some(json!({ "scale": 1 })), "---p"),
        (Method::POST, &post, Some(json!({ "staff": null })), "--c-"),
        (Method::GET, "/api/v1/alarms?scope=all", None, "-ncp"),
        (Method::GET, "/api/v1/devices", None, "incp"),
        (Method::GET, "/api/v1/dead-letters", None, "i---"),
        (Method::GET, "/api/v1/audit", None, "i---"),
        (Method::GET, "/api/v1/users", None, "i---"),
        (Method::POST, "/api/v1/sites", Some(site), "i---"),
        (Method::GET, "/api/v1/system", None, "incp"),
    ];
    let people = [&ward.admin, &ward.nurse, &ward.charge, &ward.physician];
    for (method, path, body, may) in cases {
        let answer = nobody.ask(method.clone(), path, body.as_ref());
        assert!(answer.is_problem(401), "nobody, {method} {path}: {answer}");
        for (person, may) in people.iter().zip(may.chars()) {
            let answer = person.ask(method.clone(), path, body.as_ref());
            let is_right = if may == '-' { answer.is_problem(403) } else { answer.is_good() };
            assert!(is_right, "`{may}`, {method} {path}: {answer}");
        }
    }
    let forged = nobody.with_cookie(&format!("wardline={}", "0".repeat(64)));
    assert!(forged.ask(Method::GET, &page, None).is_problem(401));
    ward.nurse.ask(Method::DELETE, "/api/v1/session", None);
    assert!(ward.nurse.ask(Method::GET, &page, None).is_problem(401), "a session that was ended");
}

#[test]
fn bad_requests_are_refused_with_their_reason() {
    let home = Home::new();
    let server = Server::start(&home);
    let ward = Ward::build(&server);
    let companion = Companion::start(&server, &ward);
    let chart = format!("/api/v1/patients/{}/chart", ward.patients[0]);
    let send =
        |kind: &str, body: Vec<u8>| ward.nurse.try_ask(Method::POST, &chart, Some((kind, body)));
    let json = |body: &str| send("application/json", body.as_bytes().to_vec()).unwrap();
    let answer = json("{\"consciousness\":");
    assert!(answer.is_problem(400), "half an object: {answer}");
    let answer = json("{\"consciousness\":\"cheerful\"}");
    assert!(answer.is_problem(400) && answer.text().contains("cheerful"), "{answer}");
    let answer = json("{}");
    assert!((400..500).contains(&answer.status), "nothing charted: {answer}");
    // The server may close before it read all of it, which some clients see as a broken pipe.
    for len in [300 * 1_024, 64 * 1_024 * 1_024] {
        match send("application/json", vec![b' '; len]) {
            Ok(answer) => assert!(answer.is_problem(413), "{len} bytes: {answer}"),
            Err(why) => assert!(len > 1 << 20, "{len} bytes: {why}"),
        }
    }
    for (id, status) in [("not-an-id", 400), ("0192f0c1-2b3a-7c4d-8e5f-000000000001", 404)] {
        let answer = ward.nurse.ask(Method::GET, &format!("/api/v1/patients/{id}"), None);
        assert!(answer.is_problem(status), "{id}: {answer}");
    }
    let answer = ward.nurse.ask(Method::GET, "/api/v1/no-such-thing", None);
    assert!(answer.is_problem(404), "{answer}");
    companion.ends_unharmed();
}

#[test]
fn a_change_without_our_own_header_is_refused() {
    let home = Home::new();
    let server = Server::start(&home);
    let ward = Ward::build(&server);
    let cookie = ward.nurse.cookie.clone().unwrap();
    let path = format!("{}/api/v1/patients/{}/chart", server.ready.people, ward.patients[0]);
    let body = json!({ "consciousness": "alert" }).to_string();
    let request = reqwest::Client::builder().no_proxy().build().unwrap().post(path);
    let request = request.header("cookie", cookie).header("content-type", "application/json");
    let answer = block_on(request.body(body).send()).unwrap();
    assert_eq!(answer.status().as_u16(), 403);
}

#[test]
fn every_page_and_every_answer_wears_its_armour() {
    let home = Home::new();
    let server = Server::start(&home);
    let ward = Ward::build(&server);
    let (unit, patient) = (&ward.unit, &ward.patients[0]);
    let pages = [
        "/".to_owned(),
        "/sign-in".to_owned(),
        "/invite/0".to_owned(),
        format!("/ward/{unit}"),
        format!("/patients/{patient}"),
        "/alarms".to_owned(),
        "/devices".to_owned(),
        "/system".to_owned(),
        "/no-such-page".to_owned(),
        "/api/v1/session".to_owned(),
        format!("/api/v1/patients/{patient}"),
        "/healthz".to_owned(),
    ];
    for who in [&server.rest(), &ward.nurse] {
        for path in &pages {
            let answer = who.ask(Method::GET, path, None);
            assert_eq!(answer.header("content-security-policy"), CSP, "{path}");
            assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
            assert!(!answer.header("referrer-policy").is_empty(), "{path}");
            assert!(!answer.header("permissions-policy").is_empty(), "{path}");
        }
    }
    for path in &pages[1..8] {
        let page = ward.nurse.ask(Method::GET, path, None);
        assert!(page.is_good() && page.header("content-type").starts_with("text/html"), "{path}");
        let text = page.text();
        assert!(!text.contains("<script>") && !text.contains(" style="), "{path} has inline parts");
    }
    let cookie = server.rest().ask(Method::POST, "/api/v1/demo-sign-in/nora", None);
    let cookie = cookie.header("set-cookie").to_owned();
    for word in ["HttpOnly", "SameSite=Strict", "Path=/"] {
        assert!(cookie.contains(word), "{cookie}");
    }
    assert_eq!(
        server.rest().ask(Method::GET, "/metrics", None).status,
        404,
        "figures are not for people"
    );
}

#[test]
fn each_look_at_a_patient_and_each_change_leaves_a_trace() {
    let home = Home::new();
    let server = Server::start(&home);
    let ward = Ward::build(&server);
    let patient = &ward.patients[0];
    let path = format!("/api/v1/patients/{patient}");
    let trail = || ward.admin.all(&format!("/api/v1/audit?patient={patient}"));
    let is_there = |action: &str, allowed: bool, more_than: usize| {
        let fits = |it: &&Value| it["action"] == action && it["allowed"] == allowed;
        eventually(&format!("{action} is in the trail"), SOON, || {
            let found = trail().iter().filter(fits).count();
            if found > more_than { Ok(found) } else { Err(format!("{found} times: {:?}", trail())) }
        })
    };
    ward.nurse.get(&path);
    let once = is_there("patient.read", true, 0);
    ward.physician.get(&path);
    is_there("patient.read", true, once);
    ward.nurse.post(&format!("{path}/chart"), &json!({ "consciousness": "alert" }));
    is_there("patient.chart", true, 0);
    assert_eq!(ward.admin.ask(Method::GET, &path, None).status, 403);
    is_there("patient.read", false, 0);
    let text = json!(trail()).to_string();
    assert!(!text.contains("Ames"), "the trail names patients by id and number only: {text}");
}

#[test]
fn a_restart_keeps_sessions_people_and_alarms() {
    let home = Home::new();
    let server = Server::start(&home);
    let ward = Ward::build(&server);
    let alarm = raise(&server, &ward);
    let id = alarm["id"].as_str().unwrap().to_owned();
    let quiet = json!({ "quiet_for_s": 600 });
    ward.nurse.post(&format!("/api/v1/alarms/{id}/acknowledge"), &quiet);
    let before = server_state(&ward, &id);
    server.stop();
    let server = Server::start(&home);
    assert_eq!(server_state(&ward.at(&server), &id), before, "after a stop");
    server.kill();
    let server = Server::start(&home);
    assert_eq!(server_state(&ward.at(&server), &id), before, "after a kill");
}

/// What must not change by a restart: who I am, who lies where, and the alarm with its life.
fn server_state(ward: &Ward, alarm: &str) -> Value {
    let alarm = ward.nurse.get(&format!("/api/v1/alarms/{alarm}"));
    let keys =
        ["id", "title", "state", "priority", "raised_at", "acknowledged_by", "quiet_until", "life"];
    let kept: Vec<&Value> = keys.iter().map(|key| &alarm[key]).collect();
    let me = ward.nurse.get("/api/v1/session")["user"].clone();
    let patients = ward.nurse.get(&format!("/api/v1/patients?care_unit={}", ward.unit));
    json!({ "alarm": kept, "me": me, "patients": patients["items"] })
}

/// A limit that is broken by one reading at once, and the alarm of it.
fn raise(server: &Server, ward: &Ward) -> Value {
    let device = ward.enrol_on("bedside-monitor", "ALARM-1", 0);
    let limits = json!({
        "low": null,
        "high": { "limit": 120, "clears_at": 115, "delay_s": 0, "priority": "medium" },
    });
    let path = format!("/api/v1/patients/{}/limits/heart_rate", ward.patients[0]);
    ward.nurse.put(&path, &limits);
    breach(server, &device);
    eventually("the limit's alarm is raised", SOON, || {
        let alarms = ward.nurse.all("/api/v1/alarms?scope=all&state=standing");
        let fits =
            |it: &Value| it["patient"] == *ward.patients[0] && it["class"] == "physiological";
        alarms.iter().find(|it| fits(it)).cloned().ok_or(format!("{alarms:?}"))
    })
}

fn breach(server: &Server, device: &Device) {
    let mut wire = Wire::connect(server, device, Version::V5);
    let answer = wire.told(&device.up("num"), Some(SENML_JSON), &heart_rate(3, 1, "150"));
    assert_eq!(answer.unwrap().code, 0);
}

type Feed = WebSocketStream<MaybeTlsStream<tokio::net::TcpStream>>;

fn feed_url(server: &Server, ward: &Ward) -> String {
    let host = server.ready.people.strip_prefix("http://").unwrap();
    format!("ws://{host}/api/v1/feed?care_unit={}&waves=board", ward.unit)
}

fn feed_request(server: &Server, ward: &Ward) -> tokio_tungstenite::tungstenite::http::Request<()> {
    let mut request = feed_url(server, ward).into_client_request().unwrap();
    let headers = request.headers_mut();
    headers.insert("cookie", ward.nurse.cookie.clone().unwrap().parse().unwrap());
    headers.insert("origin", server.ready.people.parse().unwrap());
    request
}

#[test]
fn a_reader_of_the_feed_that_does_not_read_slows_nobody() {
    let home = Home::new();
    let server = Server::start(&home);
    let ward = Ward::build(&server);
    let companion = Companion::start(&server, &ward);
    // They take the first frame and read no more; their sockets fill, and the server lets them go.
    // One sign-in has at most sixteen feeds open; twelve of them do not read.
    let slow: Vec<_> = (0..12).map(|_| slow_reader(&server, &ward)).collect();
    let device = ward.enrol_on("bedside-monitor", "FEED-1", 0);
    let mut wire = Wire::connect(&server, &device, Version::V5);
    let (mut good, _): (Feed, _) = block_on(connect_async(feed_request(&server, &ward))).unwrap();
    let mut seen = BTreeSet::new();
    for seq in 0..300_u64 {
        let value = format!("{}.5", 60 + seq % 50);
        let payload = heart_rate(11, seq, &value);
        assert_eq!(wire.told(&device.up("num"), Some(SENML_JSON), &payload).unwrap().code, 0);
        if seq % 50 == 49 {
            let value: f64 = value.parse().unwrap();
            sees_on_feed(&mut good, &ward.patients[0], value);
            seen.insert(seq);
        }
    }
    assert_eq!(seen.len(), 6);
    companion.ends_unharmed();
    drop(slow);
}

/// Waits for the delta that shows this heart rate.
fn sees_on_feed(feed: &mut Feed, patient: &str, value: f64) {
    let shows = async {
        while let Some(frame) = feed.next().await {
            let Ok(Message::Text(text)) = frame else { continue };
            let frame: Value = serde_json::from_str(&text).unwrap();
            let numerics = frame["numerics"].as_array().cloned().unwrap_or_default();
            let fits = |it: &Value| {
                it["patient"] == *patient
                    && it["numeric"]["vital"] == "heart_rate"
                    && it["numeric"]["value"].as_f64() == Some(value)
            };
            if numerics.iter().any(fits) {
                return;
            }
        }
        panic!("the feed ended");
    };
    let within = Duration::from_secs(2);
    let waited = block_on(async { tokio::time::timeout(within, shows).await });
    waited.unwrap_or_else(|_| panic!("{value} is not on the feed within {within:?}"));
}

/// Opens the feed with the smallest buffer that the system gives, and reads nothing.
fn slow_reader(server: &Server, ward: &Ward) -> WebSocketStream<tokio::net::TcpStream> {
    let host = server.ready.people.strip_prefix("http://").unwrap();
    let port = host.rsplit_once(':').unwrap().1;
    let request = feed_request(server, ward);
    let (feed, _) = block_on(async {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(1_024).unwrap();
        let tcp = socket.connect(format!("127.0.0.1:{port}").parse().unwrap()).await.unwrap();
        client_async(request, tcp).await.unwrap()
    });
    feed
}

#[test]
fn a_feed_is_opened_by_own_pages_of_signed_in_people_only() {
    let home = Home::new();
    let server = Server::start(&home);
    let ward = Ward::build(&server);
    let check = |cookie: Option<&str>, origin: Option<&str>, want: u16| {
        let mut request = feed_url(&server, &ward).into_client_request().unwrap();
        for (name, value) in [("cookie", cookie), ("origin", origin)] {
            if let Some(value) = value {
                request.headers_mut().insert(name, value.parse().unwrap());
            }
        }
        let got = match block_on(connect_async(request)) {
            Ok((_, answer)) => answer.status().as_u16(),
            Err(tokio_tungstenite::tungstenite::Error::Http(answer)) => answer.status().as_u16(),
            Err(error) => panic!("{error}"),
        };
        assert_eq!(got, want, "cookie {cookie:?}, origin {origin:?}");
    };
    let own = server.ready.people.as_str();
    let cookie = |who: &Rest| who.cookie.clone().unwrap();
    check(Some(&cookie(&ward.nurse)), Some(own), 101);
    check(None, Some(own), 401);
    check(Some(&cookie(&ward.nurse)), Some("https://elsewhere.example"), 403);
    check(Some(&cookie(&ward.admin)), Some(own), 403);
}

#[test]
fn the_figures_for_monitoring_are_well_formed_and_name_nobody() {
    let home = Home::new();
    let server = Server::start(&home);
    let ward = Ward::build(&server);
    let text = server.metrics();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (name, value) = line.rsplit_once(' ').unwrap();
        assert!(name.starts_with("wardline_") && value.parse::<f64>().is_ok(), "{line}");
    }
    for id in [&ward.patients[0], &ward.site, &ward.unit] {
        assert!(!text.contains(id), "{id} in {text}");
    }
    assert!(server.metric("wardline_journal_recording") == 1.0);
}

#[test]
fn half_a_request_costs_nobody_anything() {
    let home = Home::new();
    let server = Server::start(&home);
    let ward = Ward::build(&server);
    let host = server.ready.people.strip_prefix("http://localhost:").unwrap();
    let begun: Vec<TcpStream> = (0..200)
        .map(|_| {
            let mut stream = TcpStream::connect(format!("127.0.0.1:{host}")).unwrap();
            io::Write::write_all(&mut stream, b"GET /api/v1/session HT").unwrap();
            stream
        })
        .collect();
    assert_eq!(ward.nurse.get("/api/v1/session")["user"]["login"], "nora");
    drop(begun);
}
