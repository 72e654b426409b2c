//! The devices' HTTPS over real sockets and certificates.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use axum::{
    body::Body,
    http::{Method, Request},
};
use model::DeviceId;
use serde_json::{Value, json};
use store::FaultyDisk;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::{TlsConnector, client::TlsStream};
use transport::{ClientAuth, client_config, server_config};

use super::{
    browser::{Answer, Browser},
    house::{House, Ward},
};
use crate::{
    device::{DoorBounds, serve_within},
    limits::DEVICE_LINES_LEN_MAX,
};

/// The devices' listener of a house, and a device with its papers.
struct Door<'h> {
    house: &'h House,
    address: SocketAddr,
    own: Option<(String, String)>,
}

impl<'h> Door<'h> {
    async fn open(house: &'h House, device: &str) -> Self {
        Self::open_within(DoorBounds::USUAL, house, device).await
    }

    async fn open_within(bounds: DoorBounds, house: &'h House, device: &str) -> Self {
        let (authority, clock) = (&house.api.authority, &house.clock);
        let valid = Duration::from_secs(3_600);
        let names = ["localhost".to_owned()];
        let server = authority.issue_server(&names, clock.now(), valid).unwrap();
        let ca_pem = authority.certificate_pem().to_owned();
        let offered = ClientAuth::Offered { ca_pem, revocations: house.api.revocations.clone() };
        let (certificate, key) = (&server.certificate_pem, &server.key_pem.0);
        let tls = server_config(certificate, key, &offered, clock).unwrap();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(serve_within(bounds, Arc::clone(&house.api), listener, tls));
        let device: DeviceId = device.parse().unwrap();
        let own = authority.issue_device(house.org, device, clock.now(), valid).unwrap();
        Self { house, address, own: Some((own.certificate_pem, own.key_pem.0)) }
    }

    async fn dial(&self) -> TlsStream<TcpStream> {
        let own = self.own.as_ref().map(|(certificate, key)| (&**certificate, &**key));
        let ca_pem = self.house.api.authority.certificate_pem();
        let config = client_config(ca_pem, own, &self.house.clock).unwrap();
        let stream = TcpStream::connect(self.address).await.unwrap();
        let name = "localhost".try_into().unwrap();
        TlsConnector::from(config).connect(name, stream).await.unwrap()
    }

    async fn ask(&self, method: Method, path: &str, kind: &str, body: Vec<u8>) -> Answer {
        let request = Request::builder().method(method).uri(path).header("host", "localhost");
        let request = request.header("content-type", kind).body(Body::from(body)).unwrap();
        Browser::send_over(self.dial().await, request).await
    }

    async fn post(&self, path: &str, body: impl Into<Vec<u8>>) -> Answer {
        self.ask(Method::POST, path, "application/json", body.into()).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_whose_note_was_refused_is_not_taken_for_noted() {
    let disk = FaultyDisk::new();
    let house = House::open_on(&disk).await;
    let ward = house.ward().await;
    let device = house.monitor(&ward).await;
    let door = Door::open(&house, &device).await;
    disk.fail_sync_in(0);
    let pack = br#"[{"n":"MDC_ECG_HEART_RATE","u":"/min","v":72}]"#;
    let told = door.ask(Method::POST, "/v1/num", "application/senml+json", pack.to_vec()).await;
    assert_eq!(told.status.as_u16(), 503);
    let id = device.parse().unwrap();
    house.until(async || house.api.doors.heard()[&id].noted.is_none().then_some(())).await;
}

async fn ward() -> (House, Ward, String) {
    let house = House::open().await;
    let ward = house.ward().await;
    let device = house.monitor(&ward).await;
    (house, ward, device)
}

fn told(answer: &Answer) -> (u16, String) {
    (answer.status.as_u16(), answer.header("wardline-result").to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_spoke_by_https_counts_as_connected_as_long_as_it_may_be_silent() {
    let (house, ward, device) = ward().await;
    let door = Door::open(&house, &device).await;
    let shown = async || ward.admin.get(&format!("/devices/{device}")).await.good();
    let before = shown().await;
    assert_eq!((&before["door"], &before["connected"]), (&Value::Null, &json!(false)));
    let told = door.ask(Method::GET, "/v1/time", "text/plain", Vec::new()).await;
    assert_eq!(told.status.as_u16(), 200);
    assert_eq!(shown().await["door"], Value::Null, "a question is no word of the device");
    let pack = br#"[{"n":"MDC_ECG_HEART_RATE","u":"/min","v":72}]"#;
    let told = door.ask(Method::POST, "/v1/num", "application/senml+json", pack.to_vec()).await;
    assert_eq!(told.status.as_u16(), 204);
    let after = shown().await;
    assert_eq!((&after["door"], &after["connected"]), (&json!("https"), &json!(true)));
    assert!(after["last_heard_at"].is_string(), "{after}");
    let address = after["last_address"].as_str().unwrap();
    assert!(address.parse::<SocketAddr>().unwrap().ip().is_loopback(), "{address}");
    assert_eq!(before["last_address"], Value::Null);
    assert_eq!(after["report"], Value::Null, "by which door it came is no word of the device");
    // When it spoke is all that is kept; how long that counts is its profile's.
    let heard = house.api.doors.heard();
    let (id, silence) = (device.parse().unwrap(), after["silence_after_s"].as_u64().unwrap());
    let at = heard[&id].at;
    for (later, connected) in [(silence * 1_000 - 1, true), (silence * 1_000, false)] {
        let now = at.after(Duration::from_millis(later));
        let spoken = house.api.spoken(&house.engine.directory(), now);
        assert_eq!(spoken[&id].is_connected, connected, "{later} ms later");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_is_answered_by_what_became_of_it() {
    let (house, _, device) = ward().await;
    let door = Door::open(&house, &device).await;
    let senml = "application/senml+json";
    let pack = |seq: u32| {
        format!(
            r#"[{{"n":"wl:boot","vs":"0000000000000007"}},{{"n":"wl:seq","v":{seq}}},{{"n":"MDC_ECG_HEART_RATE","u":"/min","v":72}}]"#
        )
    };
    for (seq, want) in [(1, "stored"), (1, "repeated"), (2, "stored")] {
        let answer = door.ask(Method::POST, "/v1/num", senml, pack(seq).into()).await;
        assert_eq!(told(&answer), (204, want.to_owned()), "{seq}");
    }
    let bad = door.post("/v1/event", r#"{"event":7}"#).await;
    let (letter, reason) = (bad.json()["dead_letter"].clone(), bad.json()["reason"].clone());
    assert_eq!((letter.is_string(), reason), (true, json!("event:event")));
    let (status, kind, detail) = bad.problem();
    assert_eq!((status, &*kind), (422, "dead-letter"));
    assert!(detail.contains("`event` is not a text") && detail.contains(letter.as_str().unwrap()));
    let nowhere = door.post("/v1/wave/a%2Fb", "x").await;
    assert_eq!(nowhere.json()["reason"], "topic");
    for (method, path, want) in [
        (Method::GET, "/v1/num", 405),
        (Method::POST, "/v1/nothing", 404),
        (Method::POST, "/v1/time", 405),
        (Method::GET, "/mqtt", 400),
    ] {
        assert_eq!(door.ask(method, path, senml, Vec::new()).await.problem().0, want, "{path}");
    }
    let time = door.ask(Method::GET, "/v1/time", senml, Vec::new()).await;
    assert!(time.json()["unix_s"].as_i64().is_some_and(|s| s > 1_700_000_000), "{time:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_speaks_for_the_devices_that_are_bound_to_it() {
    let (house, ward, device) = ward().await;
    let gateway = super::devices::spare(&ward, "GW-1", false).await;
    let door = Door::open(&house, &gateway).await;
    let senml = "application/senml+json";
    let pack = |seq: u32| {
        format!(
            r#"[{{"bn":"urn:dev:wardline:{device}/","n":"wl:boot","vs":"0000000000000007"}},{{"n":"wl:seq","v":{seq}}},{{"n":"MDC_ECG_HEART_RATE","u":"/min","v":72}}]"#
        )
    };
    let unbound = door.ask(Method::POST, "/v1/gw/num", senml, pack(1).into()).await;
    assert_eq!(unbound.json()["reason"], "gateway:not_bound");
    let bind = json!({ "gateway": gateway });
    ward.admin.put(&format!("/devices/{device}/gateway"), bind).await.good();
    for (seq, want) in [(1, "stored"), (1, "repeated"), (2, "stored")] {
        let answer = door.ask(Method::POST, "/v1/gw/num", senml, pack(seq).into()).await;
        assert_eq!(told(&answer), (204, want.to_owned()), "{seq}");
    }
    let said = format!(r#"{{"device":"{device}","battery_percent":42}}"#);
    assert_eq!(told(&door.post("/v1/gw/state", said).await).0, 204);
    let nobody = door.post("/v1/gw/event", r#"{"event":"nurse-call"}"#).await;
    assert_eq!(nobody.json()["reason"], "gateway:no_child");
    for (method, path, want) in [
        (Method::GET, "/v1/gw/num", 405),
        (Method::POST, "/v1/gw/nothing", 404),
        (Method::POST, "/v1/gw/", 404),
    ] {
        assert_eq!(door.ask(method, path, senml, Vec::new()).await.problem().0, want, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_device_says_of_itself_is_on_its_page() {
    let (house, ward, device) = ward().await;
    let door = Door::open(&house, &device).await;
    for (path, said) in [
        ("/v1/event", r#"{"event":"nurse-call","severity":"warning","text":"Ilse rang"}"#),
        ("/v1/state", r#"{"online":true,"firmware":"2.4.1","battery_percent":81}"#),
        ("/v1/state", r#"{"battery_percent":80}"#),
        ("/v1/cfg", r#"{"version":"12"}"#),
    ] {
        assert_eq!(door.post(path, said).await.status, 204, "{path}");
    }
    let path = format!("/devices/{device}");
    let look = async |who: &Browser| {
        let page = who.get(&path).await.good();
        (page["report"]["config"] == "12").then(|| page["report"].clone())
    };
    let seen = house.until(async || look(&ward.nurse).await).await;
    assert_eq!((&seen["online"], &seen["firmware"]), (&json!(true), &json!("2.4.1")));
    assert_eq!(
        (&seen["battery_percent"], &seen["events"][0]["text"]),
        (&json!(80), &json!("Ilse rang"))
    );
    // Its own words may name a patient, whom those who look after machines do not see.
    let by_it = house.until(async || look(&ward.admin).await).await;
    assert_eq!(
        (&by_it["events"][0]["name"], &by_it["events"][0]["text"]),
        (&json!("nurse-call"), &json!(""))
    );
    assert_eq!(door.post("/v1/state", r#"{"online":false}"#).await.status, 204);
    house
        .until(async || {
            let report = ward.nurse.get(&path).await.good()["report"].clone();
            (report["online"] == false && report["firmware"] == "2.4.1").then_some(())
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn line_protocol_is_answered_as_its_clients_expect() {
    let (house, _, device) = ward().await;
    let door = Door::open(&house, &device).await;
    let now = house.clock.now().unix_millis();
    let good = format!("vitals MDC_ECG_HEART_RATE=72 {now}");
    for path in ["/write?db=x&precision=ms", "/api/v2/write?bucket=b&org=o&precision=ms"] {
        assert_eq!(door.post(path, good.clone()).await.status, 204, "{path}");
    }
    let check = async |path: &str, body: &str, want: (u16, Value)| {
        let answer = door.post(path, body).await;
        let mut said = answer.json();
        let letter = said.as_object_mut().and_then(|said| said.remove("dead_letter"));
        assert_eq!((answer.status.as_u16(), said), want, "{path} {body}");
        letter
    };
    let words = "unable to parse: line 1: missing fields (1 of 1 lines)";
    let letter = check("/write", "vitals", (400, json!({ "error": words }))).await;
    assert!(letter.is_some_and(|letter| letter.is_string()));
    let words = "partial write: line 2: missing field value (1 of 2 lines; the others are stored)";
    let two = json!({ "code": "invalid", "message": words });
    let letter = check("/api/v2/write", "v MDC_ECG_HEART_RATE=73\nv hr", (400, two)).await;
    assert!(letter.is_some());
    let empty = json!({ "error": "the body has no line" });
    assert_eq!(check("/write", "\n# x\n", (400, empty)).await, None);
    let minutes = json!({ "code": "invalid", "message": "precision is none of ns, us, ms, s" });
    check("/api/v2/write?precision=m", &good, (400, minutes)).await;
    assert_eq!(
        door.post("/write?precision=m", "v MDC_ECG_HEART_RATE=71 29454300").await.status,
        204
    );
    let ping = door.ask(Method::HEAD, "/ping", "", Vec::new()).await;
    assert_eq!((ping.status.as_u16(), ping.header("x-influxdb-version")), (204, "wardline-0.0.0"));
    let at_limit = [b"#".repeat(DEVICE_LINES_LEN_MAX - 1), b"\n".to_vec()].concat();
    assert_eq!(door.post("/write", at_limit).await.status, 400);
    let over = door.post("/write", b"#".repeat(DEVICE_LINES_LEN_MAX + 1)).await;
    assert_eq!(over.status, 413);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_speak_is_told_why_and_a_revoked_one_is_cut_off() {
    let (house, ward, device) = ward().await;
    let mut door = Door::open(&house, &device).await;
    let pack = r#"[{"n":"MDC_ECG_HEART_RATE","u":"/min","v":72}]"#;
    let state = async |state: &str| {
        let path = format!("/devices/{device}/lifecycle");
        ward.admin.put(&path, json!({ "state": state, "why": "a test" })).await.good();
    };
    state("quarantined").await;
    let (status, _, detail) = door.post("/v1/num", pack).await.problem();
    assert!(status == 403 && detail.contains("quarantined"), "{status} {detail}");
    state("in_service").await;
    let mut open = door.dial().await;
    open.write_all(b"GET /v1/time HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    let mut head = [0; 15];
    open.read_exact(&mut head).await.unwrap();
    assert_eq!(&head, b"HTTP/1.1 200 OK");
    let certificate = door.own.as_ref().map(|(pem, _)| pem.clone()).unwrap();
    house.api.revocations.revoke(&serial(&certificate));
    let mut rest = Vec::new();
    let ended = tokio::time::timeout(Duration::from_secs(10), open.read_to_end(&mut rest)).await;
    assert!(ended.is_ok(), "the connection of a revoked certificate stays open");
    door.own = None;
    let (status, kind, _) = door.post("/v1/num", pack).await.problem();
    assert_eq!((status, &*kind), (401, "no-certificate"));
    assert_eq!(door.ask(Method::GET, "/health", "", Vec::new()).await.json()["status"], "pass");
    assert_eq!(door.post("/api/v2/write", "m f=1").await.json()["code"], "unauthorized");
}

/// Whether the door answers on an open connection.
async fn is_answered(open: &mut TlsStream<TcpStream>) -> bool {
    let request = b"GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n";
    if open.write_all(request).await.is_err() {
        return false;
    }
    let mut seen = Vec::new();
    while !seen.ends_with(b"}") {
        let read = open.read_buf(&mut seen);
        let read = tokio::time::timeout(Duration::from_secs(10), read).await;
        if !read.is_ok_and(|read| read.is_ok_and(|len| len > 0)) {
            return false;
        }
    }
    seen.starts_with(b"HTTP/1.1 200")
}

#[tokio::test(flavor = "multi_thread")]
async fn those_without_a_certificate_have_little_room_and_leave_that_of_devices() {
    let (house, _, device) = ward().await;
    let bounds = DoorBounds { strangers: 2, ..DoorBounds::USUAL };
    let mut door = Door::open_within(bounds, &house, &device).await;
    let own = door.own.take();
    let mut strangers = [door.dial().await, door.dial().await];
    for stranger in &mut strangers {
        assert!(is_answered(stranger).await);
    }
    let mut further = door.dial().await;
    assert!(!is_answered(&mut further).await, "one stranger more than there is room for");
    door.own = own;
    assert!(is_answered(&mut door.dial().await).await, "a device is kept out by strangers");
    drop(strangers);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_without_a_certificate_that_says_nothing_more_is_hung_up_on_and_a_device_is_not() {
    let (house, _, device) = ward().await;
    let strangers_headers_within = Duration::from_millis(200);
    let bounds = DoorBounds { strangers_headers_within, ..DoorBounds::USUAL };
    let mut door = Door::open_within(bounds, &house, &device).await;
    let mut own = door.dial().await;
    assert!(is_answered(&mut own).await);
    door.own = None;
    let mut stranger = door.dial().await;
    let mut rest = Vec::new();
    let ended = tokio::time::timeout(Duration::from_secs(10), stranger.read_to_end(&mut rest));
    assert!(ended.await.is_ok(), "a stranger is idle for as long as it likes");
    assert!(is_answered(&mut own).await, "a device has more time");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_address_never_has_all_connections_of_devices() {
    let (house, _, device) = ward().await;
    let mut bounds = DoorBounds::USUAL;
    (bounds.all.places, bounds.all.of_address) = (2, 1);
    let door = Door::open_within(bounds, &house, &device).await;
    let mut open = door.dial().await;
    assert!(is_answered(&mut open).await);
    let mut further = TcpStream::connect(door.address).await.unwrap();
    let ended = tokio::time::timeout(Duration::from_secs(10), further.read(&mut [0])).await;
    assert!(matches!(ended, Ok(Ok(0) | Err(_))), "one more than an address may have");
    assert!(is_answered(&mut open).await);
}

/// The serial number of a certificate in PEM.
fn serial(pem: &str) -> Vec<u8> {
    use rustls::pki_types::{CertificateDer, pem::PemObject as _};
    let der = CertificateDer::from_pem_slice(pem.as_bytes()).unwrap();
    security::from_certificate(&der).unwrap().serial
}
