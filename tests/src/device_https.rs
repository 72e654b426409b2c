//! The devices' HTTPS: curl, influxdb-client, paho over WebSocket and a program of our
//! own speak to it; each good answer is durable, each refusal says what to do.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::{Read as _, Write as _},
    net::TcpStream,
    path::Path,
    process::{Command, Stdio},
    thread,
    time::Duration,
};

use rustls::{ClientConnection, StreamOwned, pki_types::ServerName};
use serde_json::{Value, json};

use crate::{
    payload::{ECG, SENML_JSON, WAVE, Wave, heart_rate, pack, senml_now},
    server::{self, Home, Server},
    tools::{self, file, find, not_run, run, script},
    waiting::{eventually, until},
    ward::{Device, READABLE_WITHIN, Span, Ward},
    wire::{Version, Wire, tls},
};

/// What the server answered to curl.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) status: u16,
    head: String,
    body: String,
}

impl Told {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or(Value::Null)
    }

    pub(crate) fn header(&self, name: &str) -> String {
        let line = self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
        });
        line.unwrap_or_default()
    }

    fn is_problem(&self, status: u16) -> bool {
        let is_typed = self.header("content-type").starts_with("application/problem+json");
        self.status == status && is_typed && self.json()["status"] == status
    }
}

/// curl at the devices' door, with a device's papers or without any.
pub(crate) struct Curl<'a> {
    home: &'a Home,
    port: u16,
    ca: String,
    own: Option<(String, String)>,
}

impl<'a> Curl<'a> {
    pub(crate) fn of(home: &'a Home, server: &Server, device: &Device) -> Self {
        let papers = device.papers(home);
        let text = |path: &Path| path.display().to_string();
        let own = Some((text(&papers.certificate), text(&papers.key)));
        Self { home, port: server.https_port(), ca: text(&papers.ca), own }
    }

    fn without_papers(self) -> Self {
        Self { own: None, ..self }
    }

    fn command(&self, path: &str) -> Command {
        let mut command = Command::new("curl");
        command.args(["-sS", "--max-time", "30", "--cacert", &self.ca]);
        if let Some((certificate, key)) = &self.own {
            command.args(["--cert", certificate, "--key", key]);
        }
        command.arg(format!("https://localhost:{}{path}", self.port));
        command
    }

    fn ask(&self, path: &str, more: &[&str], body: Option<&[u8]>) -> Told {
        let at = |name: &str| self.home.path().join(name);
        let mut command = self.command(path);
        command.args(more).arg("-D").arg(at("head")).arg("-o").arg(at("answer"));
        command.args(["-w", "%{http_code}"]);
        if let Some(body) = body {
            let body = file(self.home.path(), "body", body);
            command.arg("--data-binary").arg(format!("@{}", body.display()));
        }
        let _ = fs::remove_file(at("answer"));
        let status = run(&mut command);
        let read = |name: &str| fs::read(at(name)).unwrap_or_default();
        let text = |name: &str| String::from_utf8_lossy(&read(name)).into_owned();
        Told { status: status.parse().unwrap(), head: text("head"), body: text("answer") }
    }

    pub(crate) fn post(&self, path: &str, kind: &str, body: &[u8]) -> Told {
        self.ask(path, &["-H", &format!("content-type: {kind}")], Some(body))
    }
}

pub(crate) fn lacks_curl(test: &str) -> bool {
    let lacks = find("curl").is_none();
    if lacks {
        not_run(test, "curl is missing; install curl");
    }
    lacks
}

#[test]
fn curl_with_a_certificate_says_all_that_a_device_says() {
    if lacks_curl("curl_with_a_certificate_says_all_that_a_device_says") {
        return;
    }
    let home = Home::new();
    let server = Server::start(&home);
    let ward = Ward::build(&server);
    let device = ward.enrol_on("bedside-monitor", "CURL-1", 0);
    let curl = Curl::of(&home, &server, &device);
    let numerics = heart_rate(3, 1, "71.5");
    let told = curl.post("/v1/num", SENML_JSON, &numerics);
    assert_eq!((told.status, told.header("wardline-result").as_str()), (204, "stored"), "{told:?}");
    ward.sees(0, "heart_rate", 71.5);
    let again = curl.post("/v1/num", SENML_JSON, &numerics);
    assert_eq!((again.status, again.header("wardline-result").as_str()), (204, "repeated"));
    let wave = Wave::of(&device.id, 3, 0);
    let told = curl.post(&format!("/v1/wave/{ECG}"), WAVE, &wave.encode());
    assert_eq!(told.status, 204, "{told:?}");
    eventually("the waveform is readable", READABLE_WITHIN, || {
        ward.waves(0, ECG, &Span::around_now())
            .into_iter()
            .next()
            .ok_or_else(|| "it is not".to_owned())
    });
    for (path, body) in [
        ("/v1/event", r#"{"event":"nurse-call","severity":"warning","text":"button"}"#),
        ("/v1/log", r#"{"level":"error","text":"3 retries"}"#),
        ("/v1/state", r#"{"online":true,"firmware":"2.4.1","battery_percent":81.9}"#),
        ("/v1/cfg", r#"{"version":"12","config":{"volume":3}}"#),
    ] {
        let told = curl.post(path, "application/json", body.as_bytes());
        assert_eq!(told.status, 204, "{path}: {told:?}");
    }
    let seen = eventually("the device's page shows its state", READABLE_WITHIN, || {
        let seen = ward.nurse.get(&format!("/api/v1/devices/{}", device.id))["report"].clone();
        if seen["config"] == "12" { Ok(seen) } else { Err(seen.to_string()) }
    });
    assert_eq!((&seen["online"], &seen["firmware"]), (&json!(true), &json!("2.4.1")));
    assert_eq!(seen["battery_percent"], 81);
    assert_eq!(
        (&seen["events"][0]["name"], &seen["events"][0]["severity"]),
        (&json!("log"), &json!("error"))
    );
    assert_eq!(
        (&seen["events"][1]["name"], &seen["events"][1]["text"]),
        (&json!("nurse-call"), &json!("button"))
    );
    let told = curl.ask("/v1/time", &[], None);
    let (ours, theirs) = (jiff::Timestamp::now().as_second(), told.json()["unix_s"].as_i64());
    assert!(theirs.is_some_and(|theirs| (ours - theirs).abs() <= 5), "{told:?}");
}

#[test]
fn each_refusal_says_what_it_is_and_keeps_what_can_be_kept() {
    if lacks_curl("each_refusal_says_what_it_is_and_keeps_what_can_be_kept") {
        return;
    }
    let home = Home::new();
    let server = Server::start(&home);
    let ward = Ward::build(&server);
    let device = ward.enrol("bedside-monitor", "CURL-2");
    let curl = Curl::of(&home, &server, &device);
    let garbage = b"[{\"n\":\"MDC_ECG_HEART_RATE\"";
    let told = curl.post("/v1/num", SENML_JSON, garbage);
    assert!(told.is_problem(422), "{told:?}");
    let letter = ward.letter(garbage);
    assert_eq!(
        (&told.json()["dead_letter"], &told.json()["reason"]),
        (&letter["id"], &json!("senml:json"))
    );
    assert_eq!((&letter["door"], &letter["device"]), (&json!("https"), &json!(device.id)));
    let event = curl.post("/v1/event", "application/json", b"{\"event\":7}");
    assert!(event.is_problem(422) && event.json()["reason"] == "event:event", "{event:?}");
    // A block that speaks for another device.
    let other = ward.enrol("bedside-monitor", "CURL-3");
    let told = curl.post(&format!("/v1/wave/{ECG}"), WAVE, &Wave::of(&other.id, 3, 0).encode());
    assert!(told.is_problem(403), "{told:?}");
    let long = vec![b' '; 256 * 1_024 + 1];
    assert!(curl.post("/v1/num", SENML_JSON, &long).is_problem(413));
    let chunked = ["-H", "transfer-encoding: chunked", "-H", "content-type: application/json"];
    assert!(curl.ask("/v1/num", &chunked, Some(&long)).is_problem(413));
    let packed = ["-H", "content-encoding: br"];
    assert!(curl.ask("/v1/num", &packed, Some(b"x")).is_problem(415));
    assert!(curl.ask("/v1/num", &[], None).is_problem(405));
    assert!(curl.ask("/v2/num", &[], None).is_problem(404));
    ward.admin.put(
        &format!("/api/v1/devices/{}/lifecycle", other.id),
        &json!({ "state": "quarantined", "why": "a test" }),
    );
    let told =
        Curl::of(&home, &server, &other).post("/v1/num", SENML_JSON, &heart_rate(1, 1, "70"));
    assert!(told.is_problem(403) && told.body.contains("quarantined"), "{told:?}");
    let nobody = curl.without_papers();
    assert!(nobody.post("/v1/num", SENML_JSON, &heart_rate(1, 1, "70")).is_problem(401));
    assert_eq!(nobody.ask("/ping", &[], None).status, 204);
    assert_eq!(nobody.ask("/health", &[], None).json()["status"], "pass");
    let answers = server.metrics();
    for line in [r#"path="/v1/num",status="422""#, r#"path="/v1/num",status="401""#] {
        assert!(answers.contains(line), "{line} in\n{answers}");
    }
}

#[test]
fn a_foreign_certificate_is_refused_and_a_revoked_one_loses_its_connection() {
    let home = Home::new();
    let server = Server::start(&home);
    let ward = Ward::build(&server);
    let device = ward.enrol("bedside-monitor", "TLS-1");
    let elsewhere = Home::new();
    let other = Server::start(&elsewhere);
    let stranger = Ward::build(&other).enrol("bedside-monitor", "TLS-2");
    let dial = |certificate: &str, key: &str| {
        let config = tls(&device.ca_pem, Some((certificate, key)));
        let tcp = TcpStream::connect(&server.ready.https).unwrap();
        tcp.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        StreamOwned::new(ClientConnection::new(config, name).unwrap(), tcp)
    };
    let ask = b"GET /v1/time HTTP/1.1\r\nhost: localhost\r\n\r\n";
    let mut foreign = dial(&stranger.certificate_pem, &stranger.key_pem);
    let mut answer = [0; 64];
    let refused = foreign.write_all(ask).and_then(|()| foreign.read(&mut answer));
    assert!(refused.is_err(), "a foreign certificate was let in");
    let mut own = dial(&device.certificate_pem, &device.key_pem);
    own.write_all(ask).unwrap();
    let len = own.read(&mut answer).unwrap();
    assert!(answer[..len].starts_with(b"HTTP/1.1 200"), "{:?}", &answer[..len]);
    let path = format!("/api/v1/devices/{}/certificates/{}", device.id, device.certificate);
    let revoked = ward.admin.ask(reqwest::Method::DELETE, &path, None);
    assert!(revoked.is_good(), "{revoked}");
    let began = crate::waiting::now();
    // The rest of the answer, and then the end.
    let mut rest = Vec::new();
    let _ = own.read_to_end(&mut rest);
    let took = began.elapsed();
    assert!(took < Duration::from_secs(3), "the connection was open for {took:?}");
}

#[test]
fn the_client_of_influxdb_writes_and_is_told() {
    let test = "the_client_of_influxdb_writes_and_is_told";
    let python = match tools::python() {
        Ok(python) => python,
        Err(why) => return not_run(test, &why),
    };
    let home = Home::new();
    let server = Server::start(&home);
    let ward = Ward::build(&server);
    let device = ward.enrol_on("bedside-monitor", "INFLUX-1", 0);
    let now = jiff::Timestamp::now().as_millisecond();
    let good =
        |rate: &str, at: i64| format!("vitals,host=pi,device={} hr={rate},odd=1 {at}", device.id);
    let other = format!("vitals,device=0192f0c1-2b3a-7c4d-8e5f-000000000009 hr=99 {now}");
    let papers = device.papers(&home);
    let wish = json!({
        "url": format!("https://localhost:{}", server.https_port()),
        "ca": papers.ca, "certificate": papers.certificate, "key": papers.key,
        "writes": [
            { "precision": "ms", "gzip": false, "lines": [good("81.5", now - 2)] },
            { "precision": "ms", "gzip": true, "lines": [good("82.5", now - 1), "vitals hr", good("83.5", now)] },
            { "precision": "ms", "gzip": false, "lines": [good("83.5", now)] },
            { "precision": "ms", "gzip": false, "lines": [other] },
        ],
    });
    let said = tools::ask(&python, "influx.py", &wish);
    assert_eq!((&said["ping"], &said["health"]), (&json!(true), &json!("pass")), "{said}");
    assert!(said["version"].as_str().unwrap().starts_with("wardline-"), "{said}");
    assert_eq!((&said["wrote"][0], &said["wrote"][2]), (&Value::Null, &Value::Null), "{said}");
    let partial = &said["wrote"][1];
    assert_eq!((&partial["status"], &partial["body"]["code"]), (&json!(400), &json!("invalid")));
    let message = partial["body"]["message"].as_str().unwrap();
    assert!(
        message.starts_with("partial write: line 2: missing field value (1 of 3 lines"),
        "{message}"
    );
    assert_eq!(partial["body"]["dead_letter"], ward.letter(b"vitals hr")["id"]);
    assert_eq!(said["wrote"][3]["status"], 400);
    ward.sees(0, "heart_rate", 83.5);
    server.stop();
    // The good lines of all three are there once, the unknown field beside them.
    let stored = samples_of(&home, &device.id);
    let rates: Vec<&str> = stored
        .iter()
        .filter(|(channel, _)| channel == "MDC_ECG_HEART_RATE")
        .map(|(_, value)| &**value)
        .collect();
    assert_eq!(rates, ["81.5 /min", "82.5 /min", "83.5 /min"]);
    let odd = stored.iter().filter(|(channel, _)| channel == "vitals.odd").count();
    assert_eq!(odd, 3);
}

/// Channel and value of each sample of a device, as the journal has them.
fn samples_of(home: &Home, device: &str) -> Vec<(String, String)> {
    let dump = server::dump(&home.data());
    let text = String::from_utf8(dump).unwrap();
    let records = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let own = records.filter(|it| it["name"] == "readings" && it["body"]["device"] == device);
    let text = |value: &Value| value.as_str().unwrap_or_default().trim().to_owned();
    let samples = own.flat_map(|it| it["body"]["samples"].as_array().cloned().unwrap_or_default());
    samples.map(|sample| (text(&sample["channel"]), text(&sample["value"]))).collect()
}

/// The first block of shell in a page of the guide that holds this, without its indentation.
fn shell_of(page: &str, holds: &str) -> String {
    let path = format!("{}/../docs/guide/{page}", env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(path).unwrap();
    let blocks = text.split("```sh\n").skip(1).filter_map(|rest| rest.split("```").next());
    let block = blocks.into_iter().find(|block| block.contains(holds)).unwrap();
    block.lines().map(|line| line.trim_start().to_owned() + "\n").collect()
}

#[test]
fn the_curl_line_of_the_guide_sends_a_first_reading() {
    if lacks_curl("the_curl_line_of_the_guide_sends_a_first_reading") {
        return;
    }
    let home = Home::new();
    let server = Server::start(&home);
    let ward = Ward::build(&server);
    let device = ward.enrol_on("oximeter", "GUIDE-1", 0);
    let issued = ward.admin.post(&format!("/api/v1/devices/{}/certificate", device.id), &json!({}));
    assert_eq!(issued["https"]["port"], server.https_port());
    let papers = device.papers(&home);
    let mut line = shell_of("first-device.md", "curl ");
    for (name, path) in [
        ("oximeter-77/ca.pem", &papers.ca),
        ("oximeter-77/device.pem", &papers.certificate),
        ("oximeter-77/device.key", &papers.key),
    ] {
        assert!(line.contains(name), "{line}");
        line = line.replace(name, &path.display().to_string());
    }
    line = line.replace("URL", issued["https"]["url"].as_str().unwrap());
    let told = run(Command::new("sh").arg("-c").arg(&line)).to_lowercase();
    assert!(told.contains("204 no content") && told.contains("wardline-result: stored"), "{told}");
    ward.sees(0, "saturation", 97.0);
    let shown = ward.admin.get(&format!("/api/v1/devices/{}", device.id));
    assert_eq!((&shown["door"], &shown["connected"]), (&json!("https"), &json!(true)));
}

#[test]
fn telegrafs_second_output_is_taken_with_its_token_and_its_gzip() {
    let test = "telegrafs_second_output_is_taken_with_its_token_and_its_gzip";
    if lacks_curl(test) {
        return;
    }
    let home = Home::new();
    let server = Server::start(&home);
    let ward = Ward::build(&server);
    let device = ward.enrol_on("bedside-monitor", "TELEGRAF-2", 0);
    let curl = Curl::of(&home, &server, &device);
    let second = jiff::Timestamp::now().as_second();
    let plain = file(
        home.path(),
        "lines",
        format!("vitals,host=ward3 hr=84i,spo2=95i {second}000000000\n").as_bytes(),
    );
    let packed = Command::new("gzip").arg("-c").arg(&plain).output().unwrap().stdout;
    let headers = ["authorization: Token unused", "content-encoding: gzip", "user-agent: Telegraf"];
    let more: Vec<&str> = headers
        .into_iter()
        .chain(["content-type: text/plain; charset=utf-8"])
        .flat_map(|header| ["-H", header])
        .collect();
    let path = "/api/v2/write?bucket=unused&org=unused";
    let told = curl.ask(path, &more, Some(&packed));
    assert_eq!(told.status, 204, "{told:?}");
    ward.sees(0, "heart_rate", 84.0);
    // A tag that tells two sources apart is nobody's vital.
    let of_a_bed = format!("vitals,bed=04,host=ward3 hr=181i {second}500000000\n");
    let told = curl.post(path, "text/plain; charset=utf-8", of_a_bed.as_bytes());
    assert_eq!(told.status, 204, "{told:?}");
    ward.sees(0, "heart_rate", 84.0);
    server.stop();
    let stored = samples_of(&home, &device.id);
    assert!(stored.iter().any(|(channel, _)| channel == "vitals.hr;bed=04"), "{stored:?}");
}

#[test]
fn telegraf_and_a_wards_day_are_taken_by_the_first_version() {
    if lacks_curl("telegraf_and_a_wards_day_are_taken_by_the_first_version") {
        return;
    }
    let home = Home::new();
    let server = Server::start(&home);
    let ward = Ward::build(&server);
    let device = ward.enrol("bedside-monitor", "TELEGRAF-1");
    let curl = Curl::of(&home, &server, &device);
    let second = jiff::Timestamp::now().as_second();
    // As Telegraf's serializer writes it: sorted tags, integers with `i`, nanoseconds.
    let telegraf = format!(
        "cpu,cpu=cpu-total,host=ward\\ 3 usage_idle=97.5,usage_user=1.25 {second}000000000\n\
         mem,host=ward\\ 3 active=8123i,swapped=false,name=\"a \\\"b\\\", c\" {second}000000000\n"
    );
    let told = curl.post(
        "/write?db=telegraf&consistency=any",
        "text/plain; charset=utf-8",
        telegraf.as_bytes(),
    );
    assert_eq!(told.status, 204, "{told:?}");
    let mut day = String::new();
    for at in 0..200_i64 {
        for bed in 0..24 {
            let ms = (second - 200 + at) * 1_000 + bed % 9;
            day += &format!(
                "vitals,bed=b{bed:02} hr=87i,spo2=96i,rr=17i,art_sys=122i,art_dia=70i,temp=36.9 {ms}\n"
            );
        }
    }
    for _ in 0..2 {
        // The same body twice: what a client sends that did not hear the first answer.
        let told = curl.post("/write?precision=ms", "", day.as_bytes());
        assert_eq!(told.status, 204, "{told:?}");
    }
    let bad = curl.post("/write?precision=ms", "", b"vitals\nvitals hr=1 soon");
    assert_eq!(bad.status, 400, "{bad:?}");
    let words = bad.json()["error"].as_str().unwrap().to_owned();
    assert_eq!(words, "unable to parse: line 1: missing fields (2 of 2 lines)");
    assert_eq!(bad.json()["dead_letter"], ward.letter(b"vitals\nvitals hr=1 soon")["id"]);
    assert_eq!(curl.post("/write?precision=weeks", "", b"m f=1").status, 400);
    let huge = vec![b'#'; 2 * 1_024 * 1_024 + 1];
    assert_eq!(curl.post("/api/v2/write", "", &huge).json()["code"], "request too large");
    server.stop();
    let stored = samples_of(&home, &device.id);
    assert_eq!(stored.len(), 5 + 200 * 24 * 6);
    let of_a_bed = stored.iter().filter(|(channel, _)| channel == "vitals.art_sys;bed=b07").count();
    assert_eq!(of_a_bed, 200);
}

#[test]
fn paho_speaks_mqtt_over_websocket_in_both_versions() {
    let test = "paho_speaks_mqtt_over_websocket_in_both_versions";
    let python = match tools::python() {
        Ok(python) => python,
        Err(why) => return not_run(test, &why),
    };
    let home = Home::new();
    let server = Server::start(&home);
    let ward = Ward::build(&server);
    let device = ward.enrol_on("bedside-monitor", "WEBSOCKET-1", 0);
    let papers = device.papers(&home);
    for (version, rate) in [("3.1.1", 71), ("5", 72)] {
        let record = format!("{rate}");
        let payload = pack(5, rate, &senml_now(), &[("MDC_ECG_HEART_RATE", "beat/min", &record)]);
        let wish = json!({
            "host": "localhost", "port": server.https_port(), "path": "/mqtt",
            "ca": papers.ca, "certificate": papers.certificate, "key": papers.key,
            "version": version, "client_id": device.id,
            "subscribe": [device.down("#")],
            "messages": [{ "topic": device.up("num"), "kind": SENML_JSON, "payload": crate::ward::base64(&payload) }],
        });
        let said = tools::ask(&python, "talk.py", &wish);
        assert_eq!((&said["connack"], &said["suback"]), (&json!(0), &json!([1])), "{said}");
        assert_eq!(said["puback"], json!([0]), "{said}");
        ward.sees(0, "heart_rate", f64::from(u32::try_from(rate).unwrap()));
    }
}

#[test]
fn a_device_without_a_clock_is_told_the_time_when_it_subscribes() {
    let test = "a_device_without_a_clock_is_told_the_time_when_it_subscribes";
    if find("mosquitto_sub").is_none() {
        return not_run(test, "mosquitto_sub is missing; install mosquitto-clients");
    }
    let home = Home::new();
    let server = Server::start(&home);
    let device = Ward::build(&server).enrol("bedside-monitor", "CLOCK-1");
    let papers = device.papers(&home);
    for version in ["mqttv311", "mqttv5"] {
        let mut subscribe = Command::new("mosquitto_sub");
        subscribe.args(["-V", version, "-h", "localhost", "-p", &server.mqtt_port().to_string()]);
        subscribe.args(["-i", &device.id, "-C", "1", "-W", "10", "-t", &device.down("#")]);
        subscribe.arg("--cafile").arg(&papers.ca).arg("--cert").arg(&papers.certificate);
        subscribe.arg("--key").arg(&papers.key);
        let told: Value = serde_json::from_str(run(&mut subscribe).trim()).unwrap();
        let (ours, theirs) = (jiff::Timestamp::now().as_second(), told["unix_s"].as_i64());
        assert!(theirs.is_some_and(|theirs| (ours - theirs).abs() <= 10), "{version}: {told}");
    }
}

#[test]
fn what_was_answered_with_204_survives_kill_9_and_is_there_once() {
    let test = "what_was_answered_with_204_survives_kill_9_and_is_there_once";
    let python = match tools::python() {
        Ok(python) => python,
        Err(why) => return not_run(test, &why),
    };
    let home = Home::new();
    let server = Server::start(&home);
    let device = Ward::build(&server).enrol("bedside-monitor", "KILL-1");
    let papers = device.papers(&home);
    let told = home.path().join("told");
    let publish = |server: &Server, first: usize, count: usize| {
        let mut command = Command::new(&python);
        command.arg(script("https_publisher.py")).arg(server.https_port().to_string());
        command.arg(&papers.ca).arg(&papers.certificate).arg(&papers.key);
        command.args([first.to_string(), count.to_string()]).arg(&told);
        command.stdin(Stdio::null()).spawn().unwrap()
    };
    let heard = || -> BTreeMap<u64, String> {
        let text = fs::read_to_string(&told).unwrap_or_default();
        let whole = text.lines().filter_map(|line| line.split_once(' '));
        whole.filter_map(|(seq, result)| Some((seq.parse().ok()?, result.to_owned()))).collect()
    };
    let mut publisher = publish(&server, 0, 1_000_000);
    until("fifty messages are answered", Duration::from_secs(30), || heard().len() >= 50);
    server.kill();
    assert!(publisher.wait().unwrap().success());
    let before: BTreeSet<u64> = heard().into_keys().collect();
    let newest = *before.last().unwrap();
    let server = Server::start(&home);
    fs::remove_file(&told).unwrap();
    // All of it again, as a device does that heard nothing of the last ones.
    let count = usize::try_from(newest).unwrap() + 2;
    assert!(publish(&server, 0, count).wait().unwrap().success());
    let after = heard();
    assert_eq!(after.len(), count);
    for seq in &before {
        assert_eq!(after[seq], "repeated", "{seq} after it was acknowledged");
    }
    server.stop();
    let mut times: BTreeMap<u64, u32> = BTreeMap::new();
    let dump = String::from_utf8(server::dump(&home.data())).unwrap();
    for line in dump.lines() {
        let record: Value = serde_json::from_str(line).unwrap();
        if record["name"] == "readings" && record["body"]["device"] == device.id.as_str() {
            *times.entry(record["body"]["counted"]["seq"].as_u64().unwrap()).or_default() += 1;
        }
    }
    for seq in 0..=newest {
        assert_eq!(times.get(&seq), Some(&1), "message {seq}");
    }
    server::verify(&home.data());
}

#[test]
fn the_door_that_a_device_used_and_its_address_outlive_a_restart() {
    if lacks_curl("device_https::the_door_that_a_device_used_and_its_address_outlive_a_restart") {
        return;
    }
    let home = Home::new();
    let server = Server::start(&home);
    let ward = Ward::build(&server);
    let [by_https, by_mqtt, by_none] =
        ["H-1", "M-1", "N-1"].map(|serial| ward.enrol("bedside-monitor", serial));
    let told =
        Curl::of(&home, &server, &by_https).post("/v1/num", SENML_JSON, &heart_rate(7, 1, "71"));
    assert_eq!(told.status, 204);
    drop(Wire::connect(&server, &by_mqtt, Version::V5));
    let shown = |ward: &Ward, device: &Device| {
        let it = ward.admin.get(&format!("/api/v1/devices/{}", device.id));
        (it["door"].clone(), it["last_address"].clone())
    };
    let known = |ward: &Ward, device: &Device, door: &str| {
        eventually(&format!("{door} is known"), READABLE_WITHIN, || {
            let (found, address) = shown(ward, device);
            if found == door { Ok(address) } else { Err(found.to_string()) }
        })
    };
    let before =
        [(&by_https, "https"), (&by_mqtt, "mqtt")].map(|(it, door)| known(&ward, it, door));
    server.kill();
    let server = Server::start(&home);
    let ward = ward.at(&server);
    for ((device, door), address) in [(&by_https, "https"), (&by_mqtt, "mqtt")].iter().zip(&before)
    {
        assert_eq!(&known(&ward, device, door), address, "{door}");
        let address = address.as_str().unwrap();
        assert!(address.starts_with("127.0.0.1:") || address.starts_with("[::1]:"), "{address}");
    }
    assert_eq!(shown(&ward, &by_none), (Value::Null, Value::Null));
    let mqtt = ward.admin.get(&format!("/api/v1/devices/{}", by_mqtt.id));
    assert_eq!(mqtt["connected"], false, "that was before the restart");
}

#[test]
fn a_body_that_never_ends_costs_nobody_else_anything() {
    if lacks_curl("a_body_that_never_ends_costs_nobody_else_anything") {
        return;
    }
    let home = Home::new();
    let server = Server::start(&home);
    let ward = Ward::build(&server);
    let (slow, quick) =
        (ward.enrol("bedside-monitor", "SLOW-1"), ward.enrol_on("bedside-monitor", "QUICK-1", 0));
    let own = (slow.certificate_pem.as_str(), slow.key_pem.as_str());
    let config = tls(&slow.ca_pem, Some(own));
    let begin = || {
        let tcp = TcpStream::connect(&server.ready.https).unwrap();
        tcp.set_read_timeout(Some(Duration::from_secs(40))).unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let mut stream =
            StreamOwned::new(ClientConnection::new(config.clone(), name).unwrap(), tcp);
        stream
            .write_all(b"POST /v1/num HTTP/1.1\r\nhost: localhost\r\ncontent-length: 100\r\n\r\n[")
            .unwrap();
        stream.flush().unwrap();
        stream
    };
    let mut open: Vec<_> = (0..8).map(|_| begin()).collect();
    let curl = Curl::of(&home, &server, &slow);
    eventually("the ninth request of the device is told to wait", READABLE_WITHIN, || {
        let told = curl.post("/v1/num", SENML_JSON, &heart_rate(1, 1, "70"));
        if told.is_problem(429) { Ok(()) } else { Err(format!("{told:?}")) }
    });
    let told =
        Curl::of(&home, &server, &quick).post("/v1/num", SENML_JSON, &heart_rate(1, 1, "64"));
    assert_eq!(told.status, 204, "{told:?}");
    ward.sees(0, "heart_rate", 64.0);
    let answers: Vec<_> = open
        .drain(..)
        .map(|mut stream| {
            thread::spawn(move || {
                let mut head = [0; 64];
                let len = stream.read(&mut head).unwrap_or(0);
                String::from_utf8_lossy(&head[..len]).into_owned()
            })
        })
        .collect();
    for answer in answers {
        let head = answer.join().unwrap();
        assert!(head.starts_with("HTTP/1.1 408 "), "{head}");
    }
}
