//! `wardline sim`: a scripted ward against the real server, scored by what was written beside it.

use std::{fs, process::Command};

use serde_json::Value;

use crate::{server::program, tools::output};

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

#[test]
fn a_script_that_is_wrong_is_refused_with_its_line() {
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("wrong.toml");
    fs::write(&script, SCRIPT.replace("leads-off", "gremlin")).unwrap();
    let (good, _, words) = run(&["sim", script.to_str().unwrap()]);
    assert!(!good);
    assert!(words.contains("line 35: `fault` is `gremlin`; use one of: battery"), "{words}");
}
