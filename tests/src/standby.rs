//! A ward lives and ships to a second site; the first one is lost, the second is promoted and
//! has everything up to what was shipped last.

use std::{
    fs::{self, File},
    path::PathBuf,
    process::{Child, Command, Output, Stdio},
    time::Duration,
};

use serde_json::Value;

use crate::{
    backups::{Hospital, key, succeeds, text},
    server::{Home, program, verify},
    tools::output,
    waiting::{eventually, until},
};

const WITHIN: Duration = Duration::from_secs(120);

/// `wardline standby` on this home's second site.
fn standby(home: &Home, words: &[&str]) -> Command {
    let mut command = Command::new(program());
    command.arg("standby").arg("--data").arg(second_site(home)).arg("--key").arg(key(home));
    command.args(words).stdin(Stdio::null());
    command
}

fn second_site(home: &Home) -> PathBuf {
    home.path().join("second-site")
}

fn complaint(done: &Output) -> String {
    assert_eq!(done.status.code(), Some(1));
    String::from_utf8_lossy(&done.stderr).into_owned()
}

/// The server and the program write zeros at the end of a fraction, or leave them out.
fn instant(text: &Value) -> jiff::Timestamp {
    text.as_str().unwrap().parse().unwrap()
}

/// A follower in the background; it is killed with this value.
struct Follower {
    child: Child,
    log: PathBuf,
}

impl Follower {
    fn start(home: &Home, words: &[&str]) -> Self {
        let log = home.path().join("standby.log");
        let mut command = standby(home, words);
        command.stdout(File::create(&log).unwrap()).stderr(Stdio::inherit());
        Self { child: command.spawn().unwrap(), log }
    }

    /// What it said when all of a backup had come.
    fn said_first(&self) -> Value {
        let said = fs::read_to_string(&self.log).unwrap();
        serde_json::from_str(said.lines().next().unwrap()).unwrap()
    }

    /// What it said last, as of when this backup was taken.
    fn has(&self, taken_at: jiff::Timestamp) -> Value {
        eventually("it has the newest backup", WITHIN, || {
            let said = fs::read_to_string(&self.log).unwrap();
            let last = said.lines().last().ok_or("it said nothing")?;
            let last: Value = serde_json::from_str(last).map_err(|error| error.to_string())?;
            if instant(&last["taken_at"]) == taken_at { Ok(last) } else { Err(last.to_string()) }
        })
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_second_site_follows_a_ward_and_takes_over_when_it_is_lost() {
    let home = Home::new();
    let backups = home.path().join("backups");
    let from = text(&backups);
    fs::write(key(&home), format!("wardline-backup-key-1 {}\n", "5a".repeat(32))).unwrap();
    let said = complaint(&output(&mut standby(&home, &["--from", from, "--once"])));
    assert!(said.contains("is no folder of backups"), "{said}");
    let said = complaint(&output(&mut standby(&home, &["--promote"])));
    assert!(said.contains("there is no backup in"), "{said}");

    let lines = format!("folder = {from:?}\nevery_hours = 24\nrehearse_every_hours = 24");
    let server = Hospital::start_with(&home, "data", 1, &lines);
    let shipped = |server: &Hospital| {
        let state = server.backup(&home, &[]);
        assert_eq!(state["problem"], Value::Null, "{state}");
        instant(&state["last_at"])
    };
    until("the first backup is there", WITHIN, || {
        let state = server.backup(&home, &["--status"]);
        state["under_way"].is_null() && state["last_at"].is_string()
    });
    let follower = Follower::start(&home, &["--from", from, "--every-s", "1", "--json"]);
    server.ctl(&home, &["places", "add-site", "Shipped first"]);
    follower.has(shipped(&server));
    let whole = follower.said_first();
    server.ctl(&home, &["places", "add-site", "Shipped last"]);
    let last_at = shipped(&server);
    let last = follower.has(last_at);
    // Only what changed came: of the databases and of the end of the journal, and no keys.
    let keys = fs::read_dir(home.path().join("data/keys")).unwrap().count() as u64;
    let blocks = |said: &Value| said["new_blocks"].as_u64().unwrap();
    assert!(keys > 0 && blocks(&last) > 0, "{keys}, {last}");
    assert!(blocks(&last) + keys < blocks(&whole), "{keys}, {last}, {whole}");
    assert_eq!((&last["is_other"], &whole["is_other"]), (&false.into(), &false.into()));
    assert!(last["behind_s"].as_u64().unwrap() < WITHIN.as_secs(), "{last}");
    server.ctl(&home, &["places", "add-site", "Never shipped"]);
    server.end("-KILL");

    // It holds the directory while it follows, and is no data directory until it is promoted.
    let said = complaint(&output(&mut standby(&home, &["--promote"])));
    assert!(said.contains("another program holds"), "{said}");
    drop(follower);
    let mut store = Command::new(program());
    let said = complaint(&output(store.args(["store", "verify"]).arg(second_site(&home))));
    assert!(said.contains("is not a data directory"), "{said}");

    // Its last backup is so young that it may well be alive.
    let said = complaint(&output(&mut standby(&home, &["--from", from, "--promote"])));
    assert!(said.contains("the first site may be alive"), "{said}");
    assert!(second_site(&home).join("STANDBY").exists());
    // The first site is gone with its backups: what was shipped is enough.
    fs::rename(&backups, home.path().join("lost")).unwrap();
    let words = ["--from", from, "--promote", "--first-site-is-off", "--json"];
    let promoted = output(&mut standby(&home, &words));
    let said = String::from_utf8_lossy(&promoted.stderr).into_owned();
    assert!(said.contains("nothing newer could be fetched"), "{said}");
    let promoted: Value = serde_json::from_str(&succeeds(&promoted, &words)).unwrap();
    assert_eq!(instant(&promoted["taken_at"]), last_at, "{promoted}");
    assert!(promoted["behind_s"].is_u64() && promoted["damage"] == Value::Array(Vec::new()));
    assert_eq!(promoted["gone"], Value::Array(Vec::new()));
    verify(&second_site(&home));
    let server = Hospital::start_with(&home, "second-site", 2, "folder = \"/nowhere/backups\"");
    let places = server.ctl(&home, &["places", "list"]);
    assert!(places.contains("Shipped first") && places.contains("Shipped last"), "{places}");
    assert!(!places.contains("Never shipped"), "{places}");
    server.end("-TERM");
}
