//! A full disk: long before it is one there is an alarm; then nothing is acknowledged that is not
//! kept, everybody can see it, and the program heals by itself when there is room again.

use std::{path::Path, process::Command, time::Duration};

use reqwest::Method;
use serde_json::Value;

use crate::{
    device_https::{Curl, lacks_curl},
    payload::{SENML_JSON, heart_rate},
    server::{Home, Server, dump, verify},
    small_disk::SmallDisk,
    strangers::Publisher,
    tools::{self, file, not_run, run, script},
    waiting::{eventually, until},
    ward::{Device, READABLE_WITHIN, Span, Ward},
    wire::{End, Version, Wire},
};

/// Room for two segments of the journal, the databases, and little else.
const DISK_MIB: u32 = 160;
/// Room for what the journal makes ahead, and a fifth beside it.
const SLOW_DISK_MIB: u32 = 320;
/// Long messages fill the journal fast, and do not fit into what is left of it.
const PAYLOAD_LEN: usize = 60_000;
/// How long the disk may take to be full, and to be of use again.
const SOON: Duration = Duration::from_secs(60);

#[test]
fn a_full_disk_acknowledges_nothing_and_heals_by_itself() {
    let test = "a_full_disk_acknowledges_nothing_and_heals_by_itself";
    let python = match tools::python() {
        Ok(python) => python,
        Err(why) => return not_run(test, &why),
    };
    let home = Home::new();
    let disk = match SmallDisk::in_memory(&home, DISK_MIB) {
        Ok(disk) => disk,
        Err(why) => return not_run(test, &why),
    };
    let data = disk.path().join("data");
    let server = Server::start_on(&data, &home.path().join("server.log"));
    let ward = Ward::build(&server);
    let devices = [("FULL-1", "5"), ("FULL-2", "3.1.1")]
        .map(|(serial, version)| (ward.enrol("bedside-monitor", serial), version));
    let probe = ward.enrol("bedside-monitor", "FULL-3");
    let mut publisher = Publisher::start(&python, &home, &devices, Some(PAYLOAD_LEN));
    publisher.go(&server);
    until("messages are acknowledged", SOON, || publisher.count().1 > 20);
    disk.fill();
    fills_up(&server);
    // Once for whatever was on its way when the disk became full, and once to be sure.
    is_refused_without_an_answer(&server, &probe, Version::V5);
    let (_, acked_while_full) = publisher.count();
    is_refused_without_an_answer(&server, &probe, Version::V311);
    assert_eq!(publisher.count().1, acked_while_full, "a full disk acknowledged a message");
    disk.clear();
    until("messages are acknowledged again", SOON, || publisher.count().1 > acked_while_full + 20);
    eventually("the program says that it is ready", SOON, || is_ready(&server));
    publisher.hush();
    publisher.settle(SOON);
    publisher.pause();
    server.stop();
    nothing_is_lost(&python, &home, &data, &publisher.told);
}

/// The alarm about the disk and what goes with it, as the System page and the metrics have it.
fn alarm(server: &Server, ward: &Ward) -> (Value, f64, Vec<String>) {
    let system = ward.admin.get("/api/v1/system");
    let troubles = system["troubles"].as_array().cloned().unwrap_or_default();
    let codes = troubles.iter().filter_map(|it| it["code"].as_str().map(str::to_owned));
    let level = server.metric("wardline_disk_alarm");
    (system["storage"]["alarm"].clone(), level, codes.collect())
}

/// Fills the disk so far, and waits until the alarm is this one; the program looks by itself.
fn fills_slowly_to(percent: u64, want: Option<&str>, stage: (&SmallDisk, &Server, &Ward)) {
    let (disk, server, ward) = stage;
    disk.fill_to(percent);
    let level = match want {
        None => 0.0,
        Some("nearly_full") => 1.0,
        Some(_) => 2.0,
    };
    let code = want.map(|word| format!("disk_{word}"));
    eventually(&format!("at {percent} % the alarm is {want:?}"), SOON, || {
        let seen = server.metric("wardline_disk_used_percent");
        let (word, found, codes) = alarm(server, ward);
        let told = codes.iter().find(|code| code.starts_with("disk_"));
        let is_so = word.as_str() == want && found == level && told == code.as_ref();
        let has_looked = seen >= percent as f64;
        if is_so && has_looked { Ok(()) } else { Err(format!("{word} {found} {codes:?} {seen}")) }
    });
}

#[test]
fn a_disk_that_fills_slowly_is_an_alarm_long_before_it_is_full_and_heals_by_itself() {
    let test = "a_disk_that_fills_slowly_is_an_alarm_long_before_it_is_full_and_heals_by_itself";
    if lacks_curl(test) {
        return;
    }
    let python = match tools::python() {
        Ok(python) => python,
        Err(why) => return not_run(test, &why),
    };
    let home = Home::new();
    let disk = match SmallDisk::of_blocks(&home, SLOW_DISK_MIB) {
        Ok(disk) => disk,
        Err(why) => return not_run(test, &why),
    };
    let data = disk.path().join("data");
    let server = Server::start_on(&data, &home.path().join("server.log"));
    let ward = Ward::build(&server);
    let devices = [("SLOW-1", "5"), ("SLOW-2", "3.1.1")]
        .map(|(serial, version)| (ward.enrol("bedside-monitor", serial), version));
    let probe = ward.enrol_on("bedside-monitor", "SLOW-3", 0);
    let curl = Curl::of(&home, &server, &probe);
    for (percent, want) in [
        (70, None),
        (79, None),
        (80, Some("nearly_full")),
        (94, Some("nearly_full")),
        (95, Some("almost_full")),
    ] {
        fills_slowly_to(percent, want, (&disk, &server, &ward));
        eprintln!("{} % used: {want:?}", disk.used_percent());
    }
    let since = ward.admin.get("/api/v1/system")["storage"]["alarm_since"].clone();
    assert!(since.is_string(), "{since}");
    disk.fill();
    // The journal still has room of its own, the databases have none.
    let letter = br#"[{"n":"MDC_ECG_HEART_RATE","u":"furlong","v":"#;
    curl.post("/v1/num", SENML_JSON, letter);
    let mut publisher = Publisher::start(&python, &home, &devices, Some(PAYLOAD_LEN));
    publisher.go(&server);
    fills_up(&server);
    is_refused_everywhere(&server, &curl, &probe);
    let (_, acked_while_full) = publisher.count();
    // What waits is acknowledged; more would fill the small disk again.
    publisher.hush();
    disk.clear();
    eventually("the program says that it is ready", SOON, || is_ready(&server));
    until("messages are acknowledged again", SOON, || publisher.count().1 > acked_while_full);
    fills_slowly_to(0, None, (&disk, &server, &ward));
    assert!(ward.admin.get("/api/v1/system")["storage"]["alarm_since"].is_null());
    is_taken_now_and_only_now(&ward, &curl, letter);
    publisher.settle(SOON);
    publisher.pause();
    server.stop();
    nothing_is_lost(&python, &home, &data, &publisher.told);
    let levels = ["NearlyFull", "AlmostFull", "Roomy"];
    assert_eq!(noted_levels(&data), levels, "what the journal says of the alarm");
}

/// Heart rates that are sent while nothing can be recorded.
const REFUSED: [&str; 2] = ["61.125", "62.125"];

/// By HTTPS it is 503 with when to come again, as JSON and as lines; by MQTT no answer at all.
fn is_refused_everywhere(server: &Server, curl: &Curl<'_>, probe: &Device) {
    let [json, lines] = REFUSED;
    let lines = format!("vitals hr={lines}\n");
    for (path, kind, body) in [
        ("/v1/num", SENML_JSON, heart_rate(9, 1, json)),
        ("/write?precision=ms", "", lines.into_bytes()),
    ] {
        let told = curl.post(path, kind, &body);
        assert_eq!(told.status, 503, "{path}: {told:?}");
        let seconds: u64 = told.header("retry-after").parse().unwrap_or_default();
        assert!((1..=60).contains(&seconds), "{path}: {told:?}");
    }
    is_refused_without_an_answer(server, probe, Version::V5);
    is_refused_without_an_answer(server, probe, Version::V311);
}

/// What was refused is nowhere; sent again it is there once. What no database had room for is
/// in its list by now.
fn is_taken_now_and_only_now(ward: &Ward, curl: &Curl<'_>, letter: &[u8]) {
    let [json, lines] = REFUSED.map(|value| value.parse::<f64>().unwrap());
    let times = |value: f64| {
        let points = ward.trend(0, "heart_rate", &Span::around_now());
        points.iter().filter(|(_, found)| *found == Some(value)).count()
    };
    assert_eq!((times(json), times(lines)), (0, 0), "what was refused is stored");
    let told = curl.post("/v1/num", SENML_JSON, &heart_rate(9, 1, REFUSED[0]));
    assert_eq!((told.status, told.header("wardline-result").as_str()), (204, "stored"), "{told:?}");
    eventually("it is there once", READABLE_WITHIN, || match (times(json), times(lines)) {
        (1, 0) => Ok(()),
        other => Err(format!("{other:?}")),
    });
    ward.letter(letter);
    eventually("no row waits", SOON, || {
        let waiting = ward.admin.get("/api/v1/system")["engine"]["rows_waiting"].clone();
        if waiting == 0 { Ok(()) } else { Err(waiting.to_string()) }
    });
}

/// The levels of the alarm in the order in which the journal has them.
fn noted_levels(data: &Path) -> Vec<String> {
    let dump = String::from_utf8(dump(data)).unwrap();
    let levels = dump.lines().filter_map(|line| {
        let (_, rest) = line.split_once("NoteDisk(DiskNote { level: ")?;
        rest.split_once(',').map(|(level, _)| level.to_owned())
    });
    levels.collect()
}

/// Waits until the journal's own room is used up too.
fn fills_up(server: &Server) {
    let nobody = server.rest();
    eventually("the program says that it does not record", SOON, || {
        let answer = nobody.ask(Method::GET, "/readyz", None);
        if answer.status == 503 { Ok(()) } else { Err(answer.to_string()) }
    });
    assert_eq!(nobody.ask(Method::GET, "/healthz", None).status, 200, "a full disk is no death");
}

fn is_ready(server: &Server) -> Result<(), String> {
    let answer = server.rest().ask(Method::GET, "/readyz", None);
    if answer.status == 200 { Ok(()) } else { Err(answer.to_string()) }
}

/// A device is put out so that it comes again, and never gets an acknowledgement.
fn is_refused_without_an_answer(server: &Server, device: &Device, version: Version) {
    let mut wire = Wire::connect(server, device, version);
    wire.wait_at_most(SOON);
    let payload = vec![b'y'; PAYLOAD_LEN];
    match wire.told(&device.up("log"), None, &payload) {
        Err(End::PutOut(0x97 | 0x89)) if version == Version::V5 => {}
        Err(End::Closed) if version == Version::V311 => {}
        other => panic!("{other:?} instead of DISCONNECT 0x97 or 0x89, or the end of 3.1.1"),
    }
}

fn nothing_is_lost(python: &Path, home: &Home, data: &Path, told: &Path) {
    verify(data);
    let dump = file(home.path(), "dump.jsonl", dump(data));
    eprint!("{}", run(Command::new(python).arg(script("check_acks.py")).arg(told).arg(dump)));
}
