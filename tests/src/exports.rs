//! What is stored leaves as files that the readers of others understand, sample by sample:
//! `wfdb`, `pyedflib` and `pyarrow` say what they read.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use serde_json::{Value, json};

use crate::{
    payload::{ECG, SENML_JSON, WAVE, Wave, heart_rate, senml_now},
    server::{Home, Server, program},
    strangers::{Message, talk},
    tools::{ask, not_run, output, python},
    ward::{Device, Ward},
};

const HEART_RATE: &str = "MDC_ECG_HEART_RATE";
const RATE_HZ: i64 = 250;
/// Samples of the two stretches of the ECG, and those that would lie between them.
const FIRST: usize = 2_500;
const GAP: usize = 875;
const SECOND: usize = 1_823;
/// Where the electrodes were off: the first sample, and how many.
const OFF: (usize, usize) = (1_000, 100);

/// A ward whose monitor was on one patient for half an hour and is on another since.
pub(crate) struct Past {
    pub(crate) home: Home,
    pub(crate) ward: Ward,
    pub(crate) device: Device,
    /// Nanoseconds since 1970 at which the monitor changed over, with odd nanoseconds.
    pub(crate) turn_ns: i64,
}

pub(crate) fn rfc3339(nanos: i64) -> String {
    jiff::Timestamp::from_nanosecond(nanos.into()).unwrap().to_string()
}

/// Counts that no rule would guess.
fn counts(len: usize, seed: i64) -> Vec<i64> {
    let next = |last: &i64| Some((last * 48_271) % 2_147_483_647);
    let walk = std::iter::successors(Some(seed), next).map(|it| it % 4_001 - 2_000);
    walk.take(len).collect()
}

/// Ten values of each patient, one of them missing, and an ECG of the second with a gap.
fn measured(device: &Device, turn_ns: i64) -> Vec<Message<'static>> {
    let now = senml_now();
    let turn = format!("{}.{:09}", turn_ns / 1_000_000_000, turn_ns % 1_000_000_000);
    let mut pack = format!(
        r#"[{{"bt":{turn}}},{{"n":"wl:boot","vs":"{:016x}"}},{{"n":"wl:seq","v":0}},{{"n":"wl:now","v":{now}}}"#,
        7
    );
    for at in -10..10 {
        let value = if at == 3 {
            r#""vs":"absent:sensor-detached""#.to_owned()
        } else {
            format!(r#""u":"beat/min","v":{}.50"#, 80 + at)
        };
        pack += &format!(r#",{{"n":"{HEART_RATE}","t":{at},{value}}}"#);
    }
    let mut messages = vec![(device.up("num"), Some(SENML_JSON), (pack + "]").into_bytes())];
    let mut seq = 0;
    for (first, len, seed) in [(0, FIRST, 11), (FIRST + GAP, SECOND, 23)] {
        for (number, part) in counts(len, seed).chunks(500).enumerate() {
            let sample = i64::try_from(first + number * 500).unwrap();
            let is_off = first == 0 && number == OFF.0 / 500;
            let block = Wave {
                t0_ns: turn_ns + 60_000_000_000 + sample * (1_000_000_000 / RATE_HZ),
                count: i64::try_from(part.len()).unwrap(),
                samples: part.iter().map(|it| i16::try_from(*it).unwrap()).collect(),
                off: is_off.then(|| i64::try_from(OFF.1).unwrap()),
                ..Wave::of(&device.id, 7, seq)
            };
            messages.push((device.up(&format!("wave/{ECG}")), Some(WAVE), block.encode()));
            seq += 1;
        }
    }
    messages
}

impl Past {
    /// Starts a server, builds a ward on it, hands in what was measured half an hour ago, and
    /// ends it by `kill -9` behind one last value.
    pub(crate) fn make(python: &Path, serial: &str) -> Self {
        let home = Home::new();
        let server = Server::start(&home);
        let ward = Ward::build(&server);
        let device = ward.enrol("bedside-monitor", serial);
        let now = i64::try_from(jiff::Timestamp::now().as_nanosecond()).unwrap();
        let second = 1_000_000_000;
        let turn_ns = (now / second - 1_800) * second + 123_456_789;
        for (bed, from) in [(0, turn_ns - 1_800 * second), (1, turn_ns)] {
            let on = json!({ "patient": ward.patients[bed], "from": rfc3339(from) });
            ward.charge.post(&format!("/api/v1/devices/{}/association", device.id), &on);
        }
        let last = (device.up("num"), Some(SENML_JSON), heart_rate(7, 1, "64.25"));
        let messages = [measured(&device, turn_ns), vec![last]].concat();
        let said = talk(python, &home, &server, (&device, "5"), &[], &messages);
        assert_eq!(said["puback"], json!(vec![0; messages.len()]));
        server.kill();
        Self { home, ward, device, turn_ns }
    }

    fn store(&self, words: &[&str]) -> Output {
        let mut command = Command::new(program());
        command.args(["store", words[0]]).arg(self.home.data()).args(&words[1..]);
        output(&mut command)
    }

    /// Exports what lies from so many seconds after the change-over up to so many.
    pub(crate) fn export(
        &self,
        name: &str,
        form: &str,
        whom: [&str; 2],
        span_s: (i64, i64),
    ) -> PathBuf {
        let folder = self.home.path().join(name);
        let at = |seconds: i64| rfc3339(self.turn_ns + seconds * 1_000_000_000);
        let (from, to) = (at(span_s.0), at(span_s.1));
        let out = folder.to_str().unwrap();
        let words =
            ["export", whom[0], whom[1], "--from", &from, "--to", &to, "--out", out, "--as", form];
        succeeds(&self.store(&words));
        let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
        let found = (mode(&folder), mode(&folder.join("coverage.json")));
        assert_eq!(found, (0o700, 0o600), "only its owner may read it");
        folder
    }

    pub(crate) fn of_device(&self) -> [&str; 2] {
        ["--device", &self.device.id]
    }
}

pub(crate) fn succeeds(done: &Output) -> String {
    let (said, complaint) =
        (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    assert!(done.status.success(), "{said}\n{complaint}");
    said.into_owned()
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The rows of a table, by the names of these columns.
pub(crate) fn columns(path: &Path, names: &[&str]) -> Vec<Vec<String>> {
    let text = read(path);
    let mut lines = text.lines().map(|line| line.split(',').map(str::to_owned).collect::<Vec<_>>());
    let head = lines.next().unwrap();
    let at: Vec<usize> =
        names.iter().map(|name| head.iter().position(|it| it == name).unwrap()).collect();
    lines.map(|row| at.iter().map(|at| row[*at].clone()).collect()).collect()
}

fn coverage(folder: &Path) -> Value {
    serde_json::from_str(&read(&folder.join("coverage.json"))).unwrap()
}

#[test]
fn exports_are_read_by_the_readers_of_others_sample_by_sample() {
    let test = "exports_are_read_by_the_readers_of_others_sample_by_sample";
    let python = match python() {
        Ok(python) => python,
        Err(why) => return not_run(test, &why),
    };
    let past = Past::make(&python, "EXPORT-1");
    let late_ns = belongs_to_whom_it_was_on(&past);
    let wave = (FIRST + GAP + SECOND) as i64 / RATE_HZ + 1;
    let whole = (55, 65 + wave);
    let wfdb = past.export("wfdb", "wfdb", past.of_device(), whole);
    let parquet = past.export("parquet", "parquet", past.of_device(), (-20, 65 + wave));
    // Up to the gap; what has gaps is EDF+D, which this reader does not know.
    let edf = past.export("edf", "edf", past.of_device(), (55, 72));
    let said = ask(
        &python,
        "read_exports.py",
        &json!({
            "wfdb": [wfdb.join("waves001")],
            "edf": [edf.join("waves001.edf")],
            "parquet": [parquet.join("values.parquet"), parquet.join("waves.parquet")],
        }),
    );
    let first = counts(FIRST, 11);
    let gap = vec![Value::Null; GAP];
    let all: Vec<Value> = first.iter().map(|it| json!(it)).chain(gap).collect();
    let all: Vec<Value> =
        all.into_iter().chain(counts(SECOND, 23).iter().map(|it| json!(it))).collect();
    let record = &said["wfdb"][0];
    assert_eq!(record["counts"], json!([all]));
    assert_eq!((&record["names"], &record["units"]), (&json!([ECG]), &json!(["mV"])));
    assert_eq!((&record["gains"], &record["baselines"]), (&json!([200.0]), &json!([0])));
    let file = &said["edf"][0];
    assert_eq!(file["counts"], json!([first]));
    assert_eq!((&file["labels"], &file["units"]), (&json!(["ECG II"]), &json!(["mV"])));
    let physical: Vec<f64> = serde_json::from_value(file["physical"][0].clone()).unwrap();
    for (value, count) in physical.iter().zip(&first) {
        assert!((value - *count as f64 * 0.005).abs() < 1e-6, "{value} of {count}");
    }
    let off = file["notes"].as_array().unwrap().iter().any(|note| {
        let at: f64 = note[0].as_str().unwrap().parse().unwrap();
        (at - 4.0).abs() < 0.13 && note[2].as_str().unwrap().contains("sensor-detached")
    });
    assert!(off, "{}", file["notes"]);
    pandas_sees_the_same(&past, &said["parquet"], late_ns);
}

/// Whose a value is, the associations say for the time at which it was measured. Answers with
/// how far the server took the device's clock to be behind, as the message was on its way.
fn belongs_to_whom_it_was_on(past: &Past) -> i64 {
    let [first, second] = [0, 1].map(|bed| past.ward.patients[bed].as_str());
    let names = ["at", "patient", "value", "unit", "missing"];
    let of_first = past.export("first", "csv", ["--patient", first], (-20, 20));
    let of_second = past.export("second", "csv", ["--patient", second], (-20, 20));
    let rows = |folder: &Path| columns(&folder.join("values.csv"), &names);
    let first_at: jiff::Timestamp = rows(&of_first)[0][0].parse().unwrap();
    let late_ns = i64::try_from(first_at.as_nanosecond()).unwrap() - past.turn_ns + 10_000_000_000;
    assert!((0..1_000_000_000).contains(&late_ns), "{first_at}");
    let row = |at: i64, patient: &str| -> Vec<String> {
        let (value, missing) = if at == 3 {
            (String::new(), "sensor-detached")
        } else {
            (format!("{}.50", 80 + at), "")
        };
        let when = rfc3339(past.turn_ns + late_ns + at * 1_000_000_000);
        [&when, patient, &value, "/min", missing].map(str::to_owned).to_vec()
    };
    assert_eq!(rows(&of_first), (-10..0).map(|at| row(at, first)).collect::<Vec<_>>());
    let mut found = rows(&of_second);
    found.sort();
    assert_eq!(found, (0..10).map(|at| row(at, second)).collect::<Vec<_>>());
    let said = coverage(&of_second);
    assert_eq!(said["of"]["patient"], second);
    let channel = said["values"].as_array().unwrap().iter().find(|it| it["channel"] == HEART_RATE);
    let channel = channel.unwrap();
    let promised = channel["promised_s"].as_f64().unwrap();
    // The change-over was told to the millisecond.
    assert!((promised - 20.0).abs() < 0.001, "{channel}");
    let covered = channel["covered_s"].as_f64().unwrap();
    assert!((9.0..14.0).contains(&covered), "{channel}");
    let reasons = channel["lacking"].as_array().unwrap();
    assert!(reasons.iter().any(|it| it["reason"] == "sensor_detached"), "{channel}");
    // The value that came just before the program was killed is there as well.
    let last = past.export("last", "csv", past.of_device(), (1_700, 3_600));
    let last = columns(&last.join("values.csv"), &["channel", "value"]);
    assert_eq!(last, [[HEART_RATE, "64.25"]]);
    late_ns
}

fn pandas_sees_the_same(past: &Past, said: &Value, late_ns: i64) {
    let rows = said[0]["rows"].as_array().unwrap();
    let mut found: Vec<(i64, Option<f64>, Option<&str>)> = rows
        .iter()
        .map(|row| (row["at"].as_i64().unwrap(), row["value"].as_f64(), row["missing"].as_str()))
        .collect();
    found.sort_by_key(|row| row.0);
    let want = (-10..10_i64).map(|at| {
        let when = past.turn_ns + late_ns + at * 1_000_000_000;
        let value = (at != 3).then_some((80 + at) as f64 + 0.5);
        (when, value, value.is_none().then_some("sensor-detached"))
    });
    assert_eq!(found, want.collect::<Vec<_>>());
    assert_eq!(said[0]["columns"]["at"], "timestamp[ns, tz=UTC]");
    let pieces = said[1]["rows"].as_array().unwrap();
    let samples =
        |row: &Value| -> Vec<i64> { serde_json::from_value(row["samples"].clone()).unwrap() };
    let all: Vec<i64> = pieces.iter().flat_map(samples).collect();
    assert_eq!(all, [counts(FIRST, 11), counts(SECOND, 23)].concat());
    assert_eq!((&pieces[0]["gain"], &pieces[0]["offset"]), (&json!("0.005"), &json!(0)));
}

#[test]
fn what_cannot_be_exported_is_refused_with_a_reason() {
    let test = "what_cannot_be_exported_is_refused_with_a_reason";
    let python = match python() {
        Ok(python) => python,
        Err(why) => return not_run(test, &why),
    };
    let past = Past::make(&python, "EXPORT-3");
    let (from, to) = (rfc3339(past.turn_ns), rfc3339(past.turn_ns + 60_000_000_000));
    let full = past.home.path().join("full");
    fs::create_dir(&full).unwrap();
    fs::write(full.join("a"), "b").unwrap();
    let nobody = "0192f0c1-2b3a-7c4d-8e5f-00000000002a";
    let export = |device: &str, from: &str, to: &str, out: &str| {
        past.store(&["export", "--device", device, "--from", from, "--to", to, "--out", out])
    };
    let own = past.device.id.as_str();
    let out = past.home.path().join("out");
    let out = out.to_str().unwrap();
    for (done, part) in [
        (export(nobody, &from, &to, out), "no device has the id"),
        (export(own, &to, &from, out), "the range ends before it begins"),
        (export(own, &from, &to, full.to_str().unwrap()), "is there and not empty"),
    ] {
        let said = String::from_utf8_lossy(&done.stderr);
        assert!(!done.status.success() && said.contains(part), "{part}: {said}");
        assert!(!Path::new(out).exists() && !past.home.path().join("out.unfinished").exists());
    }
}
