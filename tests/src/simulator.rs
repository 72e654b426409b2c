//! `wardline sim`: a scripted ward against the real server, scored by what was written beside it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::{BufRead as _, BufReader},
    net::{Ipv4Addr, Shutdown, TcpListener, TcpStream},
    path::Path,
    process::{Command, Stdio},
    sync::{Arc, Mutex},
    thread,
};

use serde_json::{Value, json};

use crate::{
    rest::Rest,
    server::{Home, Server, dump, program},
    tools::output,
};

/// A ward of one, in which a heart stops, a lung fails and an electrode falls off.
const SCRIPT: &str = r#"
title = "A ward of one"
site = "North"
lasts = "4min"

[[unit]]
name = "4B"
kind = "ward"

[[staff]]
login = "tom"
name = "Tom"
role = "charge_nurse"
charge_of = ["4B"]

[[patient]]
unit = "4B"
room = "Room 1"
bed = "01"
given_name = "A"
family_name = "B"
born = "1960-01-01"
sex = "male"
here_for = "x"
devices = ["bedside-monitor"]

[[event]]
at = "40s"
bed = "01"
illness = "asystole"
lasts = "12s"
expect = ["asystole"]
within = "10s"

[[event]]
at = "80s"
bed = "01"
fault = "leads-off"
lasts = "20s"

[[event]]
at = "110s"
bed = "01"
illness = "pneumonia"
rises_in = "5s"
severity = 1.8
expect = ["desaturation"]
within = "50s"
"#;

fn run(arguments: &[&str]) -> (bool, String, String) {
    let done = output(Command::new(program()).args(arguments));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (done.status.success(), text(&done.stdout), text(&done.stderr))
}

fn count(score: &Value, key: &str) -> usize {
    score[key].as_array().unwrap().len()
}

#[test]
fn a_script_is_lived_and_what_it_did_is_told_in_time() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (script, truth, alarms) = (file("one.toml"), file("truth.jsonl"), file("alarms.jsonl"));
    fs::write(&script, SCRIPT).unwrap();
    let (good, json, words) = run(&[
        "sim",
        &script,
        "--speed",
        "4",
        "--no-staff",
        "--json",
        "--truth",
        &truth,
        "--alarms",
        &alarms,
    ]);
    assert!(good, "{words}");
    let score: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(score["missed"], Value::Array(Vec::new()), "{json}");
    let detected = score["detected"].as_array().unwrap();
    for what in ["asystole", "leads-off", "pneumonia"] {
        assert!(detected.iter().any(|it| it["truth"]["what"] == what), "{what}: {json}");
    }
    assert_eq!(count(&score, "false_alarms"), 0, "{json}");
    // The files say the same again.
    let (good, again, words) = run(&["eval", "alarms", &truth, &alarms, "--json"]);
    assert!(good, "{words}");
    assert_eq!(serde_json::from_str::<Value>(&again).unwrap(), score);
    // Without the alarms everything that was due is missed.
    let none = file("none.jsonl");
    fs::write(&none, "").unwrap();
    let (_, table, _) = run(&["eval", "alarms", &truth, &none]);
    let due = detected.len() + count(&score, "late");
    assert!(table.starts_with(&format!("detected 0  late 0  missed {due}  false 0")), "{table}");
}

/// A way to the server that stays where it is while the server comes and goes.
struct Way {
    port: u16,
    leads_to: Arc<Mutex<String>>,
}

impl Way {
    fn to(address: &str) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let leads_to = Arc::new(Mutex::new(address.to_owned()));
        let target = Arc::clone(&leads_to);
        thread::spawn(move || {
            for near in listener.incoming().map_while(Result::ok) {
                let address = target.lock().unwrap().clone();
                // Who comes while nobody is there finds a closed line.
                let Ok(far) = TcpStream::connect(address) else { continue };
                join(near.try_clone().unwrap(), far.try_clone().unwrap());
                join(far, near);
            }
        });
        Self { port, leads_to }
    }
}

/// Passes bytes on until one end is gone, and then closes the other.
fn join(mut from: TcpStream, mut to: TcpStream) {
    thread::spawn(move || {
        let _ = std::io::copy(&mut from, &mut to);
        let _ = to.shutdown(Shutdown::Both);
    });
}

/// What the journal holds of numerics: for each device and boot, the counts of its messages.
fn stored(data: &Path) -> BTreeMap<(String, String), BTreeSet<u64>> {
    let mut found = BTreeMap::<_, BTreeSet<u64>>::new();
    for line in dump(data).split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let record: Value = serde_json::from_slice(line).unwrap();
        let body = &record["body"];
        let counted = &body["counted"];
        if record["name"] != "readings" || counted.is_null() {
            continue;
        }
        let device = body["device"].as_str().unwrap().to_owned();
        let boot = format!("{:016x}", counted["boot"].as_u64().unwrap());
        let seqs = found.entry((device, boot)).or_default();
        assert!(seqs.insert(counted["seq"].as_u64().unwrap()), "stored twice: {record}");
    }
    found
}

#[test]
fn a_load_of_devices_comes_back_after_a_crash_and_all_that_was_acknowledged_is_stored_once() {
    const DEVICES: usize = 200;
    let home = Home::new();
    let server = Server::start(&home);
    let way = Way::to(&server.ready.mqtt);
    let address = format!("localhost:{}", way.port);
    let ledger = home.path().join("ledger.jsonl");
    let mut load = Command::new(program());
    load.args(["sim", "--devices", &DEVICES.to_string(), "--people", &server.ready.people])
        .args(["--server", &address, "--ramp", "2", "--seconds", "8", "--seed", "7"])
        .args(["--on-patients", "3", "--json", "--ledger"])
        .arg(&ledger)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut load = load.spawn().unwrap();
    let (done, printed) = (load.stdout.take().unwrap(), load.stderr.take().unwrap());
    let mut said = BufReader::new(printed).lines().map_while(Result::ok);
    // Once all are in and speak, the server dies and comes back.
    let all = format!(" {DEVICES} of {DEVICES} connected");
    let heard: Vec<String> = said.by_ref().take_while(|line| !line.contains(&all)).collect();
    server.kill();
    let server = Server::start(&home);
    way.leads_to.lock().unwrap().clone_from(&server.ready.mqtt);
    let rest: Vec<String> = said.collect();
    let sheet = std::io::read_to_string(done).unwrap();
    let status = load.wait().unwrap();
    assert!(status.success(), "{}\n{}\n{sheet}", heard.join("\n"), rest.join("\n"));
    let figure = |name: &str| {
        let lines = sheet.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let found = lines.into_iter().find(|it| it["name"] == name);
        found.unwrap_or_else(|| panic!("no {name} in {sheet}"))["value"].as_f64().unwrap()
    };
    assert_eq!(figure("sim.refused"), 0.0);
    assert_eq!(figure("sim.unanswered"), 0.0);
    assert!(figure("sim.reconnects") >= DEVICES as f64, "{sheet}");
    assert!(figure("sim.acknowledged") >= 4.0 * DEVICES as f64, "{sheet}");
    server.kill();
    let mut stored = stored(&home.data());
    let accounts: Vec<Value> = fs::read_to_string(&ledger)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(accounts.len(), DEVICES);
    for it in accounts {
        let text = |key: &str| it[key].as_str().unwrap().to_owned();
        let found = stored.remove(&(text("device"), text("boot"))).unwrap_or_default();
        let sent = it["sent"].as_u64().unwrap();
        assert_eq!(it["acknowledged"].as_u64(), Some(sent), "{it}");
        assert_eq!(found, (0..sent).collect(), "{it}");
    }
    assert!(stored.is_empty(), "of nobody: {stored:?}");
}

#[test]
fn a_load_clears_its_house_away_and_says_what_stays() {
    let home = Home::new();
    let server = Server::start(&home);
    let (good, _, words) = run(&[
        "sim",
        "--devices",
        "3",
        "--people",
        &server.ready.people,
        "--server",
        &server.ready.mqtt,
        "--ramp",
        "0",
        "--seconds",
        "1",
        "--on-patients",
        "1",
    ]);
    assert!(good, "{words}");
    assert!(
        words.contains("3 devices are retired, 1 beds are empty, the login is shut"),
        "{words}"
    );
    let admin = Rest::new(&server.ready.people).click("admin");
    let devices = admin.all("/api/v1/devices");
    let left: Vec<_> = devices.iter().map(|it| (&it["lifecycle"], &it["patient"])).collect();
    let retired = json!("retired");
    assert_eq!(left, [(&retired, &Value::Null); 3]);
    let house = admin.get("/api/v1/places");
    assert_eq!(house["sites"][0]["care_units"][0]["rooms"][0]["beds"][0]["is_empty"], json!(true));
    let users = admin.all("/api/v1/users");
    let charge = users.iter().find(|it| it["role"] == "charge_nurse").unwrap();
    assert_eq!(charge["disabled"], json!(true));
}

#[test]
fn a_script_that_is_wrong_is_refused_with_its_line() {
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("wrong.toml");
    fs::write(&script, SCRIPT.replace("leads-off", "gremlin")).unwrap();
    let (good, _, words) = run(&["sim", script.to_str().unwrap()]);
    assert!(!good);
    assert!(words.contains("line 35: `fault` is `gremlin`; use one of: battery"), "{words}");
}
