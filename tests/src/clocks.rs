//! Clocks that are wrong, jump, repeat a second or change over: what was measured is kept with
//! what its clock said, and no alarm is lost over it.

use std::{collections::BTreeMap, fs, ops::Range, process::Command, time::Duration};

use serde_json::{Value, json};

use crate::{
    device_https::{Curl, lacks_curl},
    payload::{SENML_JSON, pack},
    server::{Home, Server, dump, program},
    tools::run,
    waiting::{eventually, let_pass, now},
    ward::{Device, READABLE_WITHIN, Span, Ward},
    wire::{Version, Wire},
};

const HEART_RATE: &str = "MDC_ECG_HEART_RATE";
const YEAR_S: i64 = 365 * 86_400;
/// An alarm about a clock waits for half a minute, so that no start is one.
const CLOCK_ALARM_WITHIN: Duration = Duration::from_secs(90);

/// By which door a device speaks.
#[derive(Clone, Copy, Debug)]
enum Door {
    Mqtt,
    Https,
    Lines,
}

/// Sends one heart rate, with the time of a clock that is so far off.
fn say(
    (home, server): (&Home, &Server),
    (device, door): (&Device, Door),
    (seq, off_s): (u64, i64),
    value: &str,
) {
    let at_ms = jiff::Timestamp::now().as_millisecond() + off_s * 1_000;
    let at = format!("{}.{:03}", at_ms / 1_000, at_ms % 1_000);
    let body = pack(3, seq, &at, &[(HEART_RATE, "/min", value)]);
    let curl = Curl::of(home, server, device);
    match door {
        Door::Mqtt => {
            let mut wire = Wire::connect(server, device, Version::V5);
            let told = wire.told(&device.up("num"), Some(SENML_JSON), &body);
            assert_eq!(told.unwrap().code, 0);
        }
        Door::Https => assert_eq!(curl.post("/v1/num", SENML_JSON, &body).status, 204),
        Door::Lines => {
            let path = format!("/write?precision=ms&now={at_ms}");
            let line = format!("vitals hr={value} {at_ms}\n");
            assert_eq!(curl.post(&path, "", line.as_bytes()).status, 204);
        }
    }
}

/// Standing alarms whose key is this.
fn standing(ward: &Ward, key: &str) -> Vec<Value> {
    let alarms = ward.nurse.all("/api/v1/alarms?scope=all&state=standing");
    alarms.into_iter().filter(|alarm| alarm["key"] == key).collect()
}

#[test]
fn a_device_that_is_a_year_off_is_kept_marked_and_alarms_all_the_same() {
    let test = "a_device_that_is_a_year_off_is_kept_marked_and_alarms_all_the_same";
    if lacks_curl(test) {
        return;
    }
    let home = Home::new();
    let server = Server::start(&home);
    let ward = Ward::build(&server);
    let limits = json!({
        "low": null,
        "high": { "limit": 120, "clears_at": 115, "delay_s": 0, "priority": "medium" },
    });
    ward.nurse.put(&format!("/api/v1/patients/{}/limits/heart_rate", ward.patients[0]), &limits);
    let begun = jiff::Timestamp::now();
    let doors = [Door::Mqtt, Door::Https, Door::Lines];
    let cases = doors.into_iter().flat_map(|door| [(door, YEAR_S), (door, -YEAR_S)]);
    let mut devices = Vec::new();
    for (number, (door, off_s)) in cases.enumerate() {
        let device = ward.enrol_on("bedside-monitor", &format!("YEAR-{number}"), 0);
        let high = format!("{}", 150 + number);
        say((&home, &server), (&device, door), (1, off_s), &high);
        let words = format!("{door:?}, {off_s} s off: the high heart rate alarms");
        eventually(&words, READABLE_WITHIN, || {
            let alarms = standing(&ward, "heart_rate.high");
            let of_it = |alarm: &&Value| alarm["title"].as_str().unwrap().contains(&high);
            if alarms.iter().any(|it| of_it(&it)) { Ok(()) } else { Err(json!(alarms).to_string()) }
        });
        say((&home, &server), (&device, door), (2, off_s), "72");
        eventually("and ends when it is over", READABLE_WITHIN, || {
            let alarms = standing(&ward, "heart_rate.high");
            if alarms.is_empty() { Ok(()) } else { Err(json!(alarms).to_string()) }
        });
        devices.push((device, off_s, high));
    }
    eventually("every such clock is an alarm of its own", CLOCK_ALARM_WITHIN, || {
        let wrong = standing(&ward, "clock_wrong");
        let has = |device: &Device| wrong.iter().any(|alarm| alarm["device"] == device.id.as_str());
        let lacking: Vec<_> = devices.iter().filter(|(device, ..)| !has(device)).collect();
        if lacking.is_empty() { Ok(()) } else { Err(format!("{} lack it", lacking.len())) }
    });
    server.stop();
    for (device, off_s, high) in &devices {
        is_kept_as_its_clock_said(&home, (device, *off_s), (high, begun));
        is_marked_in_the_export(&home, device, (high, begun));
    }
}

/// The journal has the device's own time, ours beside it, and how far the two are apart.
fn is_kept_as_its_clock_said(
    home: &Home,
    (device, off_s): (&Device, i64),
    (high, begun): (&str, jiff::Timestamp),
) {
    let dump = String::from_utf8(dump(&home.data())).unwrap();
    let records = dump.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let of_it = |record: &Value| {
        let is_readings = record["name"] == "readings" || record["name"] == "lines";
        is_readings && record["body"]["device"] == device.id.as_str()
    };
    let said = format!("{high} /min");
    let is_said = |record: &Value| record["body"]["samples"][0]["value"] == said.as_str();
    let found: Vec<Value> = records.filter(|it| of_it(it) && is_said(it)).collect();
    let [record] = &found[..] else { panic!("{high} is in the journal {} times", found.len()) };
    let time = |value: &Value| value.as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    let received_at = time(&record["received_at"]);
    let device_at = time(&record["body"]["samples"][0]["device_at"]);
    let apart = device_at.as_second() - received_at.as_second();
    assert!((apart - off_s).abs() <= 5, "{record}");
    let offset = record["body"]["clock_offset_ns"].as_i64().unwrap() / 1_000_000_000;
    assert!((offset - off_s).abs() <= 5, "{record}");
    assert!(received_at >= begun, "{record}");
}

/// A chart and an export say that the time is ours.
fn is_marked_in_the_export(home: &Home, device: &Device, (high, begun): (&str, jiff::Timestamp)) {
    let rows = exported(home, device);
    let row = rows.iter().find(|row| row["value"].trim_end_matches(".000") == high);
    let row = row.unwrap_or_else(|| panic!("no {high} in {rows:?}"));
    assert_eq!((row["clock"].as_str(), row["age_known"].as_str()), ("receiver", "true"), "{row:?}");
    assert!(row["at"].parse::<jiff::Timestamp>().unwrap() >= begun - Duration::from_secs(2));
}

/// What a device's export has, row by row, by the names of its columns.
fn exported(home: &Home, device: &Device) -> Vec<BTreeMap<String, String>> {
    let Span { from, to } = Span::days_around_now();
    exported_between(home, device, (&from, &to), "UTC")
}

fn exported_between(
    home: &Home,
    device: &Device,
    (from, to): (&str, &str),
    zone: &str,
) -> Vec<BTreeMap<String, String>> {
    let out = home.path().join("export");
    let mut export = Command::new(program());
    export.args(["store", "export"]).arg(home.data()).args(["--device", &device.id]);
    export.args(["--as", "csv", "--from", from, "--to", to, "--out"]).arg(&out);
    run(export.env("TZ", zone));
    let text = fs::read_to_string(out.join("values.csv")).unwrap();
    fs::remove_dir_all(out).unwrap();
    let mut lines = text.lines();
    let names: Vec<&str> = lines.next().unwrap().split(',').collect();
    let row = |line: &str| {
        names.iter().zip(line.split(',')).map(|(name, it)| ((*name).into(), it.into())).collect()
    };
    lines.map(row).collect()
}

/// Between two readings of [`a_leap_second_loses_no_reading_however_a_clock_counts_it`], and the
/// reading behind which the second is inserted.
const STEP_MS: i64 = 250;
const LEAP_AT: i64 = 8;
const READINGS: i64 = 24;

/// The steps whose instants each clock says once more, to the nanosecond: the series have room for
/// one value at an instant and show the later one. The journal has both.
const SHARED: [Range<i64>; 3] = [5..9, 8..12, 0..0];

#[test]
fn a_leap_second_loses_no_reading_however_a_clock_counts_it() {
    let home = Home::new();
    let server = Server::start(&home);
    let ward = Ward::build(&server);
    // What a clock says so many steps after it was started, and what is left of it at the end.
    let repeats = |step: i64| step * STEP_MS - if step > LEAP_AT { 1_000 } else { 0 };
    let stands = |step: i64| step.min(LEAP_AT).max(step - 4) * STEP_MS;
    let smears = |step: i64| step * STEP_MS - 1_000 * step / READINGS;
    let clocks: [(&str, &dyn Fn(i64) -> i64); 3] =
        [("REPEATS", &repeats), ("STANDS", &stands), ("SMEARS", &smears)];
    let devices = clocks.map(|(name, clock)| (ward.enrol("bedside-monitor", name), clock));
    let mut wires: Vec<_> =
        devices.iter().map(|(device, _)| Wire::connect(&server, device, Version::V5)).collect();
    let (begun, begun_ms) = (now(), jiff::Timestamp::now().as_millisecond());
    for step in 0..READINGS {
        let_pass(begun, Duration::from_millis(u64::try_from(step * STEP_MS).unwrap()));
        for ((device, clock), wire) in devices.iter().zip(&mut wires) {
            let at_ms = begun_ms + clock(step);
            let at = format!("{}.{:03}", at_ms / 1_000, at_ms % 1_000);
            let value = format!("{}.125", 60 + step);
            let body = pack(4, u64::try_from(step).unwrap(), &at, &[(HEART_RATE, "/min", &value)]);
            assert_eq!(wire.told(&device.up("num"), Some(SENML_JSON), &body).unwrap().code, 0);
        }
    }
    drop(wires);
    server.stop();
    let journal = String::from_utf8(dump(&home.data())).unwrap();
    for (((device, _), (name, _)), shared) in devices.iter().zip(clocks).zip(SHARED) {
        let of_it = journal.lines().filter(|line| line.contains(&device.id));
        let rows = exported(&home, device);
        for step in 0..READINGS {
            let value = format!("{}.125", 60 + step);
            let said = format!("\"value\":\"{value} /min\"");
            let kept = of_it.clone().filter(|line| line.contains(&said)).count();
            assert_eq!(kept, 1, "{name}: {value} in the journal");
            let shown: Vec<_> = rows.iter().filter(|row| row["value"] == value).collect();
            if shared.contains(&step) && shown.is_empty() {
                continue;
            }
            let [row] = shown[..] else { panic!("{name}: {value} is exported {shown:?}") };
            let at = row["at"].parse::<jiff::Timestamp>().unwrap().as_millisecond();
            let apart = at - begun_ms - step * STEP_MS;
            assert!((-2_000..=2_000).contains(&apart), "{name}: {row:?} is {apart} ms off");
        }
    }
}

/// Both switches of a year in Europe and in America, an hour before to an hour after, in UTC.
const SWITCHES: [&str; 4] = [
    "2025-03-30T00:00:00Z",
    "2024-10-27T00:00:00Z",
    "2025-03-09T06:00:00Z",
    "2024-11-03T05:00:00Z",
];
const ZONES: [&str; 3] = ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe"];

#[test]
fn no_time_zone_of_the_machine_moves_a_reading_at_the_switches_of_daylight_saving() {
    let test = "no_time_zone_of_the_machine_moves_a_reading_at_the_switches_of_daylight_saving";
    if lacks_curl(test) {
        return;
    }
    let home = Home::new();
    let server = Server::start_under(&["env", "TZ=Europe/Berlin"], &home);
    let ward = Ward::build(&server);
    let device = ward.enrol("bedside-monitor", "ZONE-1");
    let mut lines = String::new();
    let mut number = 0;
    let want = SWITCHES.map(|begin| {
        let begin: jiff::Timestamp = begin.parse().unwrap();
        // Every seven minutes, so that no two of an hour that comes twice are alike.
        let seconds = (begin.as_second() + 60..begin.as_second() + 3 * 3_600).step_by(420);
        let row = |second: i64| {
            number += 1;
            let value = format!("{}.5", 60 + number);
            lines += &format!("vitals hr={value} {second}000\n");
            (second, value)
        };
        (begin, seconds.map(row).collect::<Vec<_>>())
    });
    let curl = Curl::of(&home, &server, &device);
    let now_ms = jiff::Timestamp::now().as_millisecond();
    let told = curl.post(&format!("/write?precision=ms&now={now_ms}"), "", lines.as_bytes());
    assert_eq!(told.status, 204, "{told:?}");
    server.stop();
    for (zone, (begin, want)) in ZONES.iter().flat_map(|zone| want.iter().map(move |it| (zone, it)))
    {
        let end = *begin + Duration::from_secs(3 * 3_600);
        let span = (&*begin.to_string(), &*end.to_string());
        let rows = exported_between(&home, &device, span, zone);
        let found = rows.iter().map(|row| {
            assert!(row["at"].ends_with('Z'), "{row:?}");
            let at = row["at"].parse::<jiff::Timestamp>().unwrap();
            // Less what the clock of the sender is off: the time on the way.
            ((at.as_millisecond() + 1_000).div_euclid(60_000) * 60, row["value"].clone())
        });
        assert_eq!(found.collect::<Vec<_>>(), *want, "{zone}, {begin}");
    }
    // The hour that comes twice in Berlin is two hours, told apart by their offsets.
    for (from, to, count) in [
        ("2024-10-27T02:00:00+02:00", "2024-10-27T03:00:00+02:00", 9),
        ("2024-10-27T02:00:00+01:00", "2024-10-27T03:00:00+01:00", 8),
        ("2024-10-27T02:00:00+02:00", "2024-10-27T03:00:00+01:00", 17),
    ] {
        let rows = exported_between(&home, &device, (from, to), "Europe/Berlin");
        assert_eq!(rows.len(), count, "{from} to {to}");
    }
}
