//! `wardline eval`: its scores against those of a script that reads the same files in its own way.

use std::{fs, path::Path, process::Command};

use serde_json::Value;

use crate::{
    server::program,
    tools::{not_run, output, python, root, run, script},
};

fn eval(folder: &Path, more: &[&str]) -> Value {
    let out = run(Command::new(program()).args(["eval", "qrs", "--json"]).arg(folder).args(more));
    serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}: {out}"))
}

/// Every record's counts are those of the script, from this second on.
fn agrees(folder: &Path, scores: &Value, beats: &Path, first_s: u64) {
    let python = match python() {
        Ok(python) => python,
        Err(why) => return not_run("the independent scores", &why),
    };
    for record in scores["records"].as_array().unwrap() {
        let name = record["record"].as_str().unwrap();
        let mut command = Command::new(&python);
        command
            .arg(script("score_beats.py"))
            .arg(folder.join(name).with_extension("atr"))
            .arg(beats.join(name).with_extension("csv"))
            // 150 ms at 360 Hz.
            .args(["54", &(first_s * 360).to_string()]);
        let theirs: Value = serde_json::from_str(&run(&mut command)).unwrap();
        for key in ["true_positives", "false_positives", "false_negatives"] {
            assert_eq!(record[key], theirs[key], "{key} of {name}");
        }
    }
}

#[test]
fn the_shipped_recordings_are_scored_as_a_stranger_scores_them() {
    let (folder, out) = (root().join("assets/ecg"), tempfile::tempdir().unwrap());
    let scores = eval(&folder, &["--out", out.path().to_str().unwrap()]);
    assert_eq!(scores["records"].as_array().unwrap().len(), 8);
    agrees(&folder, &scores, out.path(), 300);
    let all = eval(&folder, &["--all"]);
    assert!(all["true_positives"].as_u64() > scores["true_positives"].as_u64());
}

#[test]
fn the_whole_database_is_found_and_scored_as_a_stranger_scores_it() {
    let folder = root().join("../shared/data/ecg/mitdb");
    if !folder.is_dir() {
        return not_run("eval qrs on the whole database", "../shared/data is absent");
    }
    let out = tempfile::tempdir().unwrap();
    let scores = eval(&folder, &["--out", out.path().to_str().unwrap()]);
    for key in ["sensitivity", "positive_predictivity"] {
        assert!(scores[key].as_f64().unwrap() >= 0.997, "{key} in {scores}");
    }
    agrees(&folder, &scores, out.path(), 300);
}

#[test]
fn recordings_of_the_challenge_are_read_and_their_beats_written_though_nobody_marked_them() {
    let folder = root().join("../shared/data/ecg/cinc2017");
    if !folder.is_dir() {
        return not_run("eval qrs on a Challenge set", "../shared/data is absent");
    }
    let out = tempfile::tempdir().unwrap();
    let scores = eval(&folder, &["--out", out.path().to_str().unwrap()]);
    let records = scores["records"].as_array().unwrap();
    assert!(records.iter().all(|it| it["marked"] == false) && scores["sensitivity"].is_null());
    assert_eq!(fs::read_dir(out.path()).unwrap().count(), records.len());
}

#[test]
fn a_folder_without_records_and_a_broken_record_are_refused_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let refused = || {
        let done = output(Command::new(program()).args(["eval", "qrs"]).arg(folder.path()));
        assert_eq!(done.status.code(), Some(1));
        String::from_utf8(done.stderr).unwrap()
    };
    let said = refused();
    assert!(said.contains("holds no .hea file; name a folder of WFDB records"), "{said}");
    fs::write(folder.path().join("x.hea"), "x 1 360 5\nx.dat 8\n").unwrap();
    let said = refused();
    assert!(said.contains("x.hea cannot be read: line 2 has format `8`, expected"), "{said}");
}
