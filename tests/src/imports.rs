//! What was measured before comes in from files: our own exports come back equal, those of
//! others as they say, nothing twice, nothing from the future, and nobody is called.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use serde_json::{Value, json};

use crate::{
    control::Terminal,
    exports::{Past, columns, rfc3339, succeeds},
    payload::ECG,
    server::{Home, Server, program},
    tools::{ask, not_run, output, python, root},
    ward::{Device, Ward},
};

const HEART_RATE: &str = "MDC_ECG_HEART_RATE";
const SATURATION: &str = "MDC_PULS_OXIM_SAT_O2";

/// A ward to import into, with a terminal that hospital IT is signed in at.
struct Target {
    home: Home,
    server: Server,
    ward: Ward,
}

impl Target {
    fn new() -> Self {
        let home = Home::new();
        let server = Server::start(&home);
        let ward = Ward::build(&server);
        let target = Self { home, server, ward };
        target.sign_in("admin");
        target
    }

    fn sign_in(&self, login: &str) {
        let server = &self.server.ready.people;
        Terminal(&self.home).gets(&["sign-in", "--demo", "--login", login, "--server", server]);
    }

    fn import(&self, words: &[&str]) -> Vec<Value> {
        let found = Terminal(&self.home).gets_json(&[&["import"], words].concat());
        found.as_array().unwrap().clone()
    }

    fn refused(&self, words: &[&str]) -> String {
        Terminal(&self.home).refused(&[&["import"], words].concat())
    }

    /// Ends the server by `kill -9` and starts another on what it left.
    fn killed(self) -> Self {
        let Self { home, server, ward } = self;
        server.kill();
        let server = Server::start(&home);
        let target = Self { ward: ward.at(&server), home, server };
        target.sign_in("admin");
        target
    }
}

fn sum(told: &[Value], key: &str) -> u64 {
    told.iter().map(|it| it[key].as_u64().unwrap()).sum()
}

/// How many values and samples were taken, were there, and were refused.
fn counts(told: &[Value]) -> [u64; 6] {
    ["taken", "there", "refused"]
        .map(|what| [format!("values_{what}"), format!("samples_{what}")])
        .concat()
        .iter()
        .map(|key| sum(told, key))
        .collect::<Vec<_>>()
        .try_into()
        .unwrap()
}

/// The values of an export, without whose they are and how they came.
fn values(folder: &Path) -> Vec<Vec<String>> {
    columns(&folder.join("values.csv"), &["at", "channel", "code", "value", "unit", "missing"])
}

/// Everything of an export that a file can say.
fn content(folder: &Path) -> (Vec<Vec<String>>, Vec<Vec<String>>) {
    let names = ["at", "channel", "code", "unit", "rate_hz", "gain", "offset", "samples", "doubts"];
    let waves = columns(&folder.join("waves.csv"), &names);
    (values(folder), waves)
}

#[test]
fn own_exports_of_every_form_come_back_equal_and_nothing_comes_twice() {
    let test = "own_exports_of_every_form_come_back_equal_and_nothing_comes_twice";
    let python = match python() {
        Ok(python) => python,
        Err(why) => return not_run(test, &why),
    };
    let past = Past::make(&python, "IMPORT-1");
    let span = (-20, 90);
    let wanted = past.export("wanted", "csv", past.of_device(), span);
    let wanted = content(&wanted);
    assert!(wanted.0.len() == 20 && wanted.1.len() >= 2, "{} {}", wanted.0.len(), wanted.1.len());
    let samples: usize = wanted.1.iter().map(|row| row[7].split(' ').count()).sum();
    let (values, samples) = (wanted.0.len() as u64, samples as u64);
    let mut target = Target::new();
    let mut devices = Vec::new();
    for form in ["csv", "parquet", "wfdb", "edf"] {
        let serial = format!("BACK-{form}");
        let device = target.ward.enrol("bedside-monitor", &serial);
        let folder = past.export(form, form, past.of_device(), span);
        let folder = folder.to_str().unwrap().to_owned();
        let words = [folder.as_str(), "--device", &serial];
        let dry = target.import(&[&words[..], &["--dry-run"]].concat());
        assert_eq!(counts(&dry), [values, samples, 0, 0, 0, 0], "{form}");
        let told = target.import(&words);
        assert_eq!(counts(&told), [values, samples, 0, 0, 0, 0], "{form}");
        let again = target.import(&words);
        assert_eq!(counts(&again), [0, 0, values, samples, 0, 0], "{form} again");
        devices.push((form, serial, device, folder));
    }
    // What is in the journal and was not sealed yet is there after a crash, too.
    target = target.killed();
    for (form, serial, _, folder) in &devices {
        let again = target.import(&[folder, "--device", serial]);
        assert_eq!(counts(&again), [0, 0, values, samples, 0, 0], "{form} after a crash");
    }
    let listed = Terminal(&target.home).gets_json(&["imports"]);
    let listed = listed.as_array().unwrap();
    let ended = listed.iter().filter(|it| it["resource"].as_str().unwrap().contains(" ended: "));
    assert!(ended.count() >= 12, "{listed:?}");
    assert!(listed.iter().all(|it| it["actor"]["name"] == "admin"), "{listed:?}");
    target.server.kill();
    let at = |seconds: i64| rfc3339(past.turn_ns + seconds * 1_000_000_000);
    let (from, to) = (at(span.0), at(span.1));
    let target = Stopped { home: target.home };
    for (form, _, device, _) in &devices {
        let folder = target.exported(&device.id, (&from, &to), &format!("again-{form}"));
        assert_eq!(content(&folder), wanted, "{form}");
        // Whose it is, is not of the file: nobody had this device.
        let whose = columns(&folder.join("values.csv"), &["patient"]);
        assert!(whose.iter().all(|row| row[0].is_empty()), "{form}");
    }
}

#[test]
fn of_a_corrected_export_what_counts_comes_in_and_what_was_withdrawn_stays_away() {
    let test = "of_a_corrected_export_what_counts_comes_in_and_what_was_withdrawn_stays_away";
    let python = match python() {
        Ok(python) => python,
        Err(why) => return not_run(test, &why),
    };
    let past = Past::make(&python, "IMPORT-2");
    let span = (-20, 20);
    let received = values(&past.export("received", "csv", past.of_device(), span));
    let server = Server::start(&past.home);
    let path = format!("/api/v1/devices/{}/corrections", past.device.id);
    let charge = past.ward.at(&server).charge;
    let at = |row: usize| received[row][0].as_str();
    let other = json!({
        "channel": HEART_RATE, "at": at(5), "value": 70.25, "unit": "/min", "why": "mistyped",
    });
    charge.post(&path, &other);
    let withdrawn = json!({
        "channel": HEART_RATE, "from": at(6), "to": at(8), "why": "sensor_off",
    });
    charge.post(&path, &withdrawn);
    server.stop();
    let target = Target::new();
    let mut devices = Vec::new();
    for form in ["csv", "parquet", "wfdb", "edf"] {
        let serial = format!("MENDED-{form}");
        let device = target.ward.enrol("bedside-monitor", &serial);
        let folder = past.export(form, form, past.of_device(), span);
        assert!(folder.join("corrections.csv").is_file(), "{form}");
        let told = target.import(&[folder.to_str().unwrap(), "--device", &serial]);
        assert_eq!(counts(&told), [18, 0, 2, 0, 0, 0], "{form}");
        let file = folder.join("corrected.csv");
        let said = target.refused(&[file.to_str().unwrap(), "--device", &serial]);
        assert!(said.contains("corrected.csv"), "{form}: {said}");
        devices.push((form, device));
    }
    target.server.kill();
    let target = Stopped { home: target.home };
    let mut wanted = received.clone();
    wanted[5][3] = "70.25".to_owned();
    wanted.drain(6..8);
    let at = |seconds: i64| rfc3339(past.turn_ns + seconds * 1_000_000_000);
    let (from, to) = (at(span.0), at(span.1));
    for (form, device) in &devices {
        let folder = target.exported(&device.id, (&from, &to), form);
        assert_eq!(values(&folder), wanted, "{form}");
    }
}

/// A directory whose server has ended.
struct Stopped {
    home: Home,
}

impl Stopped {
    fn exported(&self, device: &str, (from, to): (&str, &str), name: &str) -> PathBuf {
        let folder = self.home.path().join(name);
        let mut command = Command::new(program());
        command.args(["store", "export"]).arg(self.home.data());
        command.args(["--device", device, "--from", from, "--to", to, "--as", "csv", "--out"]);
        succeeds(&output(command.arg(&folder)));
        folder
    }
}

/// A table of a day up to so many seconds ago, one value a second.
fn day(
    folder: &Path,
    name: &str,
    (seconds, ago): (i64, i64),
    value: impl Fn(i64) -> f64,
) -> PathBuf {
    let now = jiff::Timestamp::now().as_millisecond();
    let mut text = "time,SpO2,HR,remark\n".to_owned();
    for second in 0..seconds {
        let at = now - (seconds - second + ago) * 1_000;
        text += &format!("{at},{},{},\n", value(second), value(second) * 2.0);
    }
    let path = folder.join(name);
    fs::write(&path, text).unwrap();
    path
}

fn maps() -> [String; 2] {
    [format!("--map=SpO2={SATURATION}"), format!("--map=HR={HEART_RATE}")]
}

fn put_on(target: &Target, device: &Device) {
    let on = json!({ "patient": target.ward.patients[0] });
    target.ward.charge.post(&format!("/api/v1/devices/{}/association", device.id), &on);
}

#[test]
fn a_day_of_bad_vitals_fills_the_chart_and_calls_nobody() {
    let target = Target::new();
    let device = target.ward.enrol("bedside-monitor", "NIGHT-1");
    let unit = &target.ward.unit;
    let on = json!({
        "patient": target.ward.patients[0],
        "from": (jiff::Timestamp::now() - jiff::SignedDuration::from_hours(3)).to_string(),
    });
    target.ward.charge.post(&format!("/api/v1/devices/{}/association", device.id), &on);
    let before = target.ward.admin.get(&format!("/api/v1/devices/{}", device.id));
    let file = day(target.home.path(), "night.csv", (7_200, 1), |_| 60.0);
    let [first, second] = maps();
    let told = target.import(&[file.to_str().unwrap(), "--device", "NIGHT-1", &first, &second]);
    assert_eq!(counts(&told), [14_400, 0, 0, 0, 0, 0]);
    assert_eq!(told[0]["left_out"], "remark");
    let alarms = target.ward.nurse.get(&format!("/api/v1/alarms?care_unit={unit}"));
    assert_eq!(alarms["items"], json!([]), "{alarms}");
    let after = target.ward.admin.get(&format!("/api/v1/devices/{}", device.id));
    for key in ["connected", "last_heard_at"] {
        assert_eq!(after[key], before[key], "a file is no sign of life: {after}");
    }
    let patient = &target.ward.patients[0];
    let page = target.ward.nurse.get(&format!("/api/v1/patients/{patient}"));
    let page = page.to_string();
    assert!(!page.contains("\"60"), "no number on the page is of the file: {page}");
    // The chart has it: whose it is, the association says for its own time.
    let from = (jiff::Timestamp::now() - jiff::SignedDuration::from_hours(3)).to_string();
    let path = format!("/api/v1/patients/{patient}/measured?from={from}");
    let history = target.ward.nurse.get(&path).to_string();
    assert!(history.contains(SATURATION), "{}", &history[..history.len().min(2_000)]);
}

#[test]
fn what_cannot_be_true_or_read_is_refused_with_its_place() {
    let target = Target::new();
    target.ward.enrol("bedside-monitor", "REFUSE-1");
    let folder = target.home.path();
    let [map, _] = maps();
    let now = jiff::Timestamp::now().as_millisecond();
    let write = |name: &str, text: &str| {
        let path = folder.join(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let future = write(
        "future.csv",
        &format!(
            "time,SpO2\n{},97\n{},96\n1969-12-31T23:59:59Z,95\n",
            now - 60_000,
            now + 86_400_000
        ),
    );
    let words = [future.as_str(), "--device", "REFUSE-1", &map];
    let said = target.refused(&words);
    for part in [
        "future.csv, line 3: its time lies in the future",
        "line 4: its time lies before 1970",
        "nothing was changed",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    let told = target.import(&[&words[..], &["--skip-refused"]].concat());
    assert_eq!(counts(&told), [1, 0, 0, 0, 2, 0]);
    // Another value of an instant that has one would stand against it.
    let other = write("other.csv", &format!("time,SpO2\n{},55\n", now - 60_000));
    let said = target.refused(&[&other, "--device", "REFUSE-1", &map]);
    assert!(said.contains("line 2: that instant has another value"), "{said}");
    // The good line before the bad one counts for nothing.
    let torn = write("torn.csv", &format!("time,SpO2\n{},97\n{},high\n", now - 50_000, now));
    let said = target.refused(&[&torn, "--device", "REFUSE-1", &map, "--skip-refused"]);
    assert!(said.contains("torn.csv, line 3: `high` is no decimal number"), "{said}");
    for (name, text, part) in [
        ("empty.csv", "", "there is no line with the names"),
        ("no.parquet", "PAR1", "no.parquet"),
        ("no.edf", "0       ", "the file has 8 bytes, and its header asks for 256"),
        ("no.hea", "no 1 250\n", "no.hea: header announces 1 signals"),
        ("no.txt", "x", "say it with --format"),
    ] {
        let said = target.refused(&[&write(name, text), "--device", "REFUSE-1"]);
        assert!(said.contains(part), "{part}: {said}");
    }
    let said = target.refused(&[&torn, "--device", "NOBODY", &map]);
    assert!(said.contains("no device has the serial NOBODY"), "{said}");
    let said = target.refused(&[&torn, "--device", "REFUSE-1", "--map=SpO2=MDC_NONE"]);
    assert!(said.contains("the device has no channel MDC_NONE"), "{said}");
    let again = write("again.csv", &format!("time,SpO2\n{},97.0\n", now - 60_000));
    let told = target.import(&[&again, "--device", "REFUSE-1", &map]);
    assert_eq!(counts(&told), [0, 0, 1, 0, 0, 0], "one value, and it was there");
}

#[test]
fn who_may_not_is_refused_and_traced() {
    let target = Target::new();
    let own = target.ward.enrol("bedside-monitor", "WARD-1");
    let site = &target.ward.site;
    let unit = json!({ "site_id": site, "name": "3C" });
    let unit = target.ward.admin.add("/api/v1/care-units", &unit);
    let other = json!({
        "profile": "bedside-monitor", "serial": "WARD-2", "label": "M 2",
        "care_unit": unit, "site": site,
    });
    let other = target.ward.admin.add("/api/v1/devices", &other);
    let file = day(target.home.path(), "a.csv", (60, 60), |_| 97.0);
    let [map, _] = maps();
    let file = file.to_str().unwrap();
    target.sign_in("nora");
    let said = target.refused(&[file, "--device", "WARD-1", &map]);
    assert!(said.contains("403") && said.contains("`device.import` is not for nurses"), "{said}");
    target.sign_in("carl");
    let said = target.refused(&[file, "--device", "WARD-2", &map]);
    assert!(said.contains("403") && said.contains("charge nurses of the care unit"), "{said}");
    let told = target.import(&[file, "--device", "WARD-1", &map]);
    assert_eq!(counts(&told)[0], 60);
    let rows = target.ward.admin.get("/api/v1/audit?action=device.import&outcome=refused");
    let rows = rows["items"].as_array().unwrap();
    let about = |device: &str, login: &str| {
        rows.iter().any(|row| {
            row["resource"].as_str().unwrap().contains(device) && row["actor"]["name"] == login
        })
    };
    assert!(about(&own.id, "nora") && about(&other, "carl"), "{rows:?}");
}

/// An import that is under way, its progress read line by line.
fn begin(home: &Home, words: &[&str]) -> Child {
    let mut command = Command::new(program());
    command.args(["ctl", "import"]).args(words);
    command.env("WARDLINE_SESSION", home.path().join("session.json"));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    command.spawn().unwrap()
}

#[test]
fn an_import_that_was_cut_off_is_run_again_and_ends_equal() {
    let mut target = Target::new();
    let cut = target.ward.enrol("bedside-monitor", "CUT-1");
    let whole = target.ward.enrol("bedside-monitor", "WHOLE-1");
    put_on(&target, &cut);
    let file = day(target.home.path(), "long.csv", (43_200, 60), |at| 90.0 + (at % 9) as f64);
    let [first, second] = maps();
    let words = [file.to_str().unwrap(), "--device", "CUT-1", &first, &second];
    let mut child = begin(&target.home, &words);
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    // Some of it was taken, and most was not.
    let said = lines.by_ref().map(Result::unwrap).find(|line| line.contains(" values, "));
    let said = said.unwrap();
    target = target.killed();
    assert!(!child.wait().unwrap().success(), "{said}");
    let told = target.import(&words);
    let [taken, _, there, ..] = counts(&told);
    assert_eq!(taken + there, 86_400);
    assert!(there >= 10_000 && taken > 0, "{taken} {there} {said}");
    let told = target.import(&[words[0], "--device", "WHOLE-1", &first, &second]);
    assert_eq!(counts(&told), [86_400, 0, 0, 0, 0, 0]);
    target.server.kill();
    let now = jiff::Timestamp::now();
    let hours = |count| (now + jiff::SignedDuration::from_hours(count)).to_string();
    let (from, to) = (hours(-14), hours(1));
    let target = Stopped { home: target.home };
    let rows = |device: &Device, name: &str| {
        let folder = target.exported(&device.id, (&from, &to), name);
        columns(&folder.join("values.csv"), &["at", "channel", "value", "unit"])
    };
    let (one, other) = (rows(&cut, "cut"), rows(&whole, "whole"));
    assert_eq!(one.len(), 86_400);
    assert!(one == other, "what was cut off and run again is not the same");
}

#[test]
fn recordings_and_tables_of_others_come_in_as_they_say() {
    let test = "recordings_and_tables_of_others_come_in_as_they_say";
    let python = match python() {
        Ok(python) => python,
        Err(why) => return not_run(test, &why),
    };
    let target = Target::new();
    let folder = target.home.path().join("foreign");
    fs::create_dir(&folder).unwrap();
    let begins_ms = (jiff::Timestamp::now().as_second() - 7_200) * 1_000;
    let wish = json!({ "folder": folder, "begins_ms": begins_ms });
    let said = ask(&python, "write_recordings.py", &wish);
    let list = |value: &Value| -> Vec<i64> { serde_json::from_value(value.clone()).unwrap() };
    let files = [
        ("foreign16.hea", "MLII", ECG, 3_000, 0),
        ("foreign212.hea", "MLII", ECG, 3_000, 0),
        ("foreign.edf", "Lead 2", ECG, 3_000, 0),
        ("foreign.parquet", "pulse", HEART_RATE, 0, 429),
    ];
    let mut devices = Vec::new();
    for (name, column, channel, samples, values) in files {
        let device = target.ward.enrol("bedside-monitor", name);
        let path = folder.join(name);
        let map = format!("--map={column}={channel}");
        let start = format!("--start={}", rfc3339(begins_ms * 1_000_000));
        let mut words = vec![path.to_str().unwrap(), "--device", name, &map];
        if name.ends_with(".edf") {
            // EDF says no zone.
            let said = target.refused(&words);
            assert!(said.contains("say when it began with --start"), "{said}");
            words.push(&start);
        }
        let told = target.import(&words);
        assert_eq!(counts(&told), [values, samples, 0, 0, 0, 0], "{name}");
        let told = target.import(&words);
        assert_eq!(counts(&told), [0, 0, values, samples, 0, 0], "{name} again");
        devices.push(device);
    }
    target.server.kill();
    let target = Stopped { home: target.home };
    let at = |seconds: i64| rfc3339((begins_ms + seconds * 1_000) * 1_000_000);
    let export = |place: usize| {
        let device: &Device = &devices[place];
        target.exported(&device.id, (&at(-1), &at(3_600)), &format!("out{place}"))
    };
    let begins = rfc3339(begins_ms * 1_000_000);
    for (place, form) in [(0, "16"), (1, "212")] {
        let rows = columns(
            &export(place).join("waves.csv"),
            &["at", "rate_hz", "gain", "offset", "unit", "samples"],
        );
        assert_eq!(rows[0][..5], [begins.as_str(), "360/1", "0.005", "1024", "mV"]);
        assert_eq!(joined(&rows, 5), list(&said["wfdb"][form]), "{form}");
    }
    let rows =
        columns(&export(2).join("waves.csv"), &["at", "rate_hz", "gain", "offset", "samples"]);
    assert_eq!(rows[0][..2], [begins.as_str(), "250/1"]);
    let (gain, offset): (f64, i64) = (rows[0][2].parse().unwrap(), rows[0][3].parse().unwrap());
    let physical: Vec<f64> = serde_json::from_value(said["physical"].clone()).unwrap();
    for (count, value) in joined(&rows, 4).iter().zip(&physical) {
        let found = (count - offset) as f64 * gain;
        assert!((found - value).abs() < 1e-9, "{found} of {value}");
    }
    let rows = columns(&export(3).join("values.csv"), &["at", "channel", "value", "unit"]);
    let wanted: Vec<(i64, Option<f64>)> = serde_json::from_value(said["parquet"].clone()).unwrap();
    let wanted: Vec<(i64, f64)> =
        wanted.into_iter().filter_map(|(at, value)| Some((at, value?))).collect();
    assert_eq!(rows.len(), wanted.len());
    for (row, (at_ns, value)) in rows.iter().zip(wanted) {
        assert_eq!(row[0], rfc3339(at_ns));
        assert_eq!(row[1..], [HEART_RATE, &value.to_string(), "/min"]);
    }
}

fn joined(rows: &[Vec<String>], column: usize) -> Vec<i64> {
    let counts = |row: &Vec<String>| -> Vec<i64> {
        row[column].split(' ').map(|it| it.parse().unwrap()).collect()
    };
    rows.iter().flat_map(counts).collect()
}

/// A record of MIT-BIH as PhysioNet has it says no date: it has to be said when it began.
#[test]
fn a_record_of_physionet_comes_in_where_recordings_lie_beside() {
    let test = "a_record_of_physionet_comes_in_where_recordings_lie_beside";
    let folder = root().join("../shared/data/ecg/mitdb");
    let found = fs::read_dir(&folder).ok().and_then(|entries| {
        let mut paths: Vec<PathBuf> = entries.map(|it| it.unwrap().path()).collect();
        paths.sort();
        paths.into_iter().find(|it| it.extension().is_some_and(|it| it == "hea"))
    });
    let Some(path) = found else {
        return not_run(test, "recordings of MIT-BIH are not beside this checkout");
    };
    let target = Target::new();
    target.ward.enrol("bedside-monitor", "MIT-1");
    let map = format!("--map=MLII={ECG}");
    let words = [path.to_str().unwrap(), "--device", "MIT-1", &map];
    let said = target.refused(&words);
    assert!(said.contains("say it with --start"), "{said}");
    let words = [&words[..], &["--start", "2020-02-29T23:50:00Z"]].concat();
    let told = target.import(&words);
    assert_eq!(counts(&told), [0, 650_000, 0, 0, 0, 0]);
    let told = target.import(&words);
    assert_eq!(counts(&told), [0, 0, 0, 650_000, 0, 0]);
}
