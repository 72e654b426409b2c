//! `wardline ctl` from a terminal of its own: signed in once, then tables for people and JSON for scripts;
//! and the figures that a monitoring system reads, by the rules of its own checker.

use std::{
    fs,
    io::Write as _,
    os::unix::fs::PermissionsExt as _,
    process::{Command, Output, Stdio},
};

use serde_json::Value;

use crate::{
    server::{Home, Server, program},
    tools::{find, not_run, root, run},
};

/// A terminal whose session is a file of this home.
pub(crate) struct Terminal<'a>(pub(crate) &'a Home);

impl Terminal<'_> {
    pub(crate) fn asks(&self, words: &[&str], typed: &str) -> Output {
        let mut command = Command::new(program());
        command.arg("ctl").args(words).env("WARDLINE_SESSION", self.0.path().join("session.json"));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(typed.as_bytes()).unwrap();
        child.wait_with_output().unwrap()
    }

    /// What a command that does its work prints.
    pub(crate) fn gets(&self, words: &[&str]) -> String {
        let done = self.asks(words, "");
        let said = String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success(), "{words:?}: {said}");
        String::from_utf8(done.stdout).unwrap()
    }

    pub(crate) fn gets_json(&self, words: &[&str]) -> Value {
        serde_json::from_str(&self.gets(&[words, &["--json"]].concat())).unwrap()
    }

    /// What a command says that ends with 1.
    pub(crate) fn refused(&self, words: &[&str]) -> String {
        let done = self.asks(words, "");
        assert_eq!(done.status.code(), Some(1), "{words:?}");
        String::from_utf8(done.stderr).unwrap()
    }
}

#[test]
fn an_administrator_builds_a_ward_and_enrols_a_device_from_a_terminal() {
    let home = Home::new();
    let server = Server::start(&home);
    let terminal = Terminal(&home);
    assert!(terminal.refused(&["status"]).contains("nobody is signed in"));
    terminal.gets(&["sign-in", "--demo", "--login", "admin", "--server", &server.ready.people]);
    let mode = fs::metadata(home.path().join("session.json")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "the session is its owner's");
    assert!(terminal.gets(&["status"]).contains("journal          recording"));

    let id = |words: &[&str]| terminal.gets_json(words)["id"].as_str().unwrap().to_owned();
    let site = id(&["places", "add-site", "North"]);
    let unit = id(&["places", "add-care-unit", "--site", &site, "4B"]);
    let room = id(&["places", "add-room", "--care-unit", &unit, "12"]);
    terminal.gets(&["places", "add-bed", "--room", &room, "12-1"]);
    let places = terminal.gets(&["places", "list"]);
    let names: Vec<_> =
        places.lines().skip(1).filter_map(|l| l.get(9..)).map(str::trim_end).collect();
    assert!(names.iter().any(|line| line.trim_start().starts_with("12-1")), "{places}");

    let add = ["devices", "add", "--profile", "oximeter", "--serial", "OX-7", "--label", "Ox 7"];
    let device = id(&[&add[..], &["--care-unit", &unit]].concat());
    let out = home.path().join("papers");
    let wrote = terminal.gets(&["devices", "certificate", &device, "--out", out.to_str().unwrap()]);
    assert!(wrote.contains("nothing else has the key"), "{wrote}");
    let mode = fs::metadata(out.join("device.key")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "the key is its owner's");
    run(Command::new("openssl")
        .arg("verify")
        .arg("-CAfile")
        .args([out.join("ca.pem"), out.join("device.pem")]));

    let shown = terminal.gets_json(&["devices", "show", &device]);
    let certificate = shown["certificates"][0]["id"].as_str().unwrap();
    terminal.gets(&["devices", "revoke", &device, certificate]);
    let shown = terminal.gets_json(&["devices", "show", &device]);
    assert!(shown["certificates"][0]["revoked_at"].is_string(), "{shown}");

    terminal.gets(&["sign-out"]);
    assert!(terminal.refused(&["devices", "list"]).contains("nobody is signed in"));
}

#[test]
fn a_password_comes_from_stdin_and_a_refusal_says_what_to_do() {
    let home = Home::new();
    let server = Server::start(&home);
    let terminal = Terminal(&home);
    let enter = ["sign-in", "--demo", "--login", "admin", "--server", &server.ready.people];
    terminal.gets(&enter);
    let site = terminal.gets_json(&["places", "add-site", "North"]);
    let site = site["id"].as_str().unwrap();
    let add = ["users", "add", "--login", "wendy", "--name", "Wendy", "--role", "nurse"];
    let refused = terminal.refused(&add);
    assert!(refused.contains("site_id"), "{refused}");
    let invited = terminal.gets(&[&add[..], &["--site", site]].concat());
    let token = invited.trim_end().rsplit('/').next().unwrap();
    let accept = format!("/api/v1/invitations/{token}");
    let password = serde_json::json!({ "password": "correct horse battery" });
    assert_eq!(server.rest().ask(reqwest::Method::POST, &accept, Some(&password)).status, 204);

    let enter = ["sign-in", "--login", "wendy", "--server", &server.ready.people];
    let wrong = terminal.asks(&enter, "not this one\n");
    let said = String::from_utf8_lossy(&wrong.stderr).into_owned();
    assert!(said.contains("the login or the password is wrong"), "{said}");
    let right = terminal.asks(&enter, "correct horse battery\n");
    assert!(right.status.success(), "{}", String::from_utf8_lossy(&right.stderr));
    let refused = terminal.refused(&["users", "list"]);
    assert!(refused.contains("403"), "{refused}");
}

#[test]
fn the_metrics_keep_the_rules_of_promtool() {
    let Some(promtool) = find("promtool") else {
        return not_run("metrics by promtool", "promtool is missing");
    };
    let home = Home::new();
    let server = Server::start(&home);
    let file = home.path().join("metrics");
    fs::write(&file, server.metrics()).unwrap();
    let checked = Command::new(&promtool)
        .args(["check", "metrics"])
        .stdin(fs::File::open(&file).unwrap())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&checked.stdout) + String::from_utf8_lossy(&checked.stderr);
    assert!(checked.status.success(), "{said}");
    let rules = root().join("packaging/prometheus/wardline.rules.yml");
    run(Command::new(&promtool).args(["check", "rules"]).arg(rules));
}

/// Every figure that a panel or a rule asks for is one that the server gives.
#[test]
fn the_dashboard_and_the_rules_name_figures_that_exist() {
    let home = Home::new();
    let server = Server::start(&home);
    let given = server.metrics();
    for file in ["grafana/wardline.json", "prometheus/wardline.rules.yml"] {
        let text = fs::read_to_string(root().join("packaging").join(file)).unwrap();
        let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        for name in words.filter(|word| word.starts_with("wardline_")) {
            let line = format!("\n{name} ");
            assert!(given.contains(&line), "{file} asks for {name}");
        }
    }
}
