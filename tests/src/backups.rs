//! The server backs itself up while it runs; after a `kill -9` a new directory is made out of
//! the backup, and everything that can be derived is derived again and is the same.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::Duration,
};

use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    rest::Rest,
    server::{Home, program, verify},
    tools::output,
    waiting::until,
};

const WITHIN: Duration = Duration::from_secs(120);
const PASSWORD: &str = "correct horse battery";

/// A server as a hospital starts it, on a configuration file.
pub(crate) struct Hospital {
    child: Child,
    people: String,
}

impl Hospital {
    fn start(home: &Home, data: &str, number: usize) -> Self {
        Self::start_with(home, data, number, &format!("folder = {:?}", folder(home)))
    }

    /// Starts it with these lines about backups.
    pub(crate) fn start_with(home: &Home, data: &str, number: usize, backups: &str) -> Self {
        let (config, log) =
            (home.path().join(format!("{number}.toml")), home.path().join(format!("{number}.log")));
        let text = format!(
            "data = {data:?}\nmetrics = \"127.0.0.1:0\"\n\
             [people]\nlisten = \"127.0.0.1:0\"\ntls = false\n\
             [devices]\nmqtt = \"127.0.0.1:0\"\nhttps = \"127.0.0.1:0\"\n\
             [backup]\nkey = {:?}\n{backups}\n",
            key(home),
            data = home.path().join(data),
        );
        fs::write(&config, text).unwrap();
        let mut command = Command::new(program());
        command.arg("serve").arg("--config").arg(&config).stdin(Stdio::null());
        let child =
            command.stdout(Stdio::null()).stderr(File::create(&log).unwrap()).spawn().unwrap();
        let mut people = None;
        until("the server says where it serves", WITHIN, || {
            let said = fs::read_to_string(&log).unwrap();
            people = said
                .lines()
                .find_map(|line| Some(line.strip_prefix("Wardline serves ")?.to_owned()));
            people.is_some() && said.contains("Devices connect")
        });
        let this = Self { child, people: people.unwrap() };
        if number == 1 {
            let mut token = None;
            until("the administrator's link is there", WITHIN, || {
                let said = fs::read_to_string(&log).unwrap();
                token = said
                    .lines()
                    .find_map(|line| Some(line.trim().rsplit_once("/invite/")?.1.to_owned()));
                token.is_some()
            });
            let accept = format!("/api/v1/invitations/{}", token.unwrap());
            let password = json!({ "password": PASSWORD });
            let answer = Rest::new(&this.people).ask(Method::POST, &accept, Some(&password));
            assert_eq!(answer.status, 204);
        }
        this.ctl(home, &["sign-in", "--login", "admin", "--server", &this.people]);
        this
    }

    pub(crate) fn ctl(&self, home: &Home, words: &[&str]) -> String {
        let mut command = Command::new(program());
        command.arg("ctl").args(words).env("WARDLINE_SESSION", home.path().join("session.json"));
        let typed = home.path().join("password");
        fs::write(&typed, format!("{PASSWORD}\n")).unwrap();
        command.stdin(File::open(typed).unwrap());
        succeeds(&output(&mut command), words)
    }

    pub(crate) fn backup(&self, home: &Home, words: &[&str]) -> Value {
        let all = [&["backup"], words, &["--json"]].concat();
        serde_json::from_str(&self.ctl(home, &all)).unwrap()
    }

    pub(crate) fn end(mut self, signal: &str) {
        output(Command::new("kill").arg(signal).arg(self.child.id().to_string()));
        self.child.wait().unwrap();
    }
}

impl Drop for Hospital {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn folder(home: &Home) -> PathBuf {
    home.path().join("backups")
}

pub(crate) fn key(home: &Home) -> PathBuf {
    home.path().join("backup.key")
}

pub(crate) fn succeeds(done: &Output, words: &[&str]) -> String {
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{words:?}: {said}");
    String::from_utf8(done.stdout.clone()).unwrap()
}

pub(crate) fn store(words: &[&str]) -> Output {
    output(Command::new(program()).arg("store").args(words))
}

pub(crate) fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn a_server_that_is_lost_is_restored_from_the_backup_it_took_while_it_ran() {
    let home = Home::new();
    fs::write(key(&home), format!("wardline-backup-key-1 {}\n", "5a".repeat(32))).unwrap();
    let server = Hospital::start(&home, "data", 1);
    until("the first backup is there and rehearsed", WITHIN, || {
        let state = server.backup(&home, &["--status"]);
        state["under_way"].is_null() && state["rehearsed_of"].is_string()
    });
    for number in 1..=20 {
        server.ctl(&home, &["places", "add-site", &format!("Site {number}")]);
    }
    let state = server.backup(&home, &[]);
    assert_eq!(state["count"], 2, "{state}");
    assert_eq!((&state["rehearsed_of"], &state["problem"]), (&state["last_at"], &Value::Null));
    server.ctl(&home, &["places", "add-site", "After the backup"]);
    server.end("-KILL");

    let (backups, key) = (folder(&home), key(&home));
    let (backups, key) = (text(&backups), text(&key));
    let object = damage_one(&folder(&home));
    let again = home.path().join("again");
    let refused = store(&["restore", backups, "--key", key, "--to", text(&again)]);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(refused.status.code() == Some(1) && said.contains("MISSING OR DAMAGED: "), "{said}");
    assert!(!again.exists());
    fs::rename(object.with_extension("kept"), object).unwrap();

    let listed = succeeds(&store(&["restore", backups, "--key", key, "--list"]), &["list"]);
    assert_eq!(listed.lines().count(), 2, "{listed}");
    succeeds(&store(&["restore", backups, "--key", key, "--to", text(&again)]), &["restore"]);
    verify(&again);
    let server = Hospital::start(&home, "again", 2);
    let places = server.ctl(&home, &["places", "list"]);
    assert!(places.contains("Site 1") && places.contains("Site 20"), "{places}");
    assert!(!places.contains("After the backup"), "{places}");
    server.end("-TERM");
    succeeds(&store(&["rebuild", text(&again), "--check"]), &["rebuild --check"]);
}

/// Flips a bit of the object that was written last, which the newest backup needs, and keeps
/// the whole one beside it.
fn damage_one(backups: &Path) -> PathBuf {
    let inside = |folder: PathBuf| fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let objects = inside(backups.join("objects")).flat_map(inside);
    let object = objects.max_by_key(|it| it.metadata().unwrap().modified().unwrap()).unwrap();
    fs::copy(&object, object.with_extension("kept")).unwrap();
    let mut bytes = fs::read(&object).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 4;
    fs::write(&object, bytes).unwrap();
    object
}

#[test]
fn a_directory_that_nobody_holds_is_counted_rebuilt_backed_up_and_restored_to_a_moment() {
    let home = Home::new();
    let server = crate::server::Server::start(&home);
    server.stop();
    let data = home.data();
    let data = text(&data);
    let stat: Value =
        serde_json::from_str(&succeeds(&store(&["stat", data, "--json"]), &["stat"])).unwrap();
    assert!(stat["journal"]["frames"]["command"]["count"].as_u64().unwrap() > 0, "{stat}");
    assert!(stat["rows"]["audit"].is_u64() && stat["disk"]["total_bytes"].as_u64().unwrap() > 0);
    assert!(succeeds(&store(&["stat", data]), &["stat"]).contains("journal: 1 segments"));

    // The databases are lost: the journal has everything.
    for path in ["records.sqlite", "series/series.sqlite"] {
        fs::write(home.data().join(path), "lost").unwrap();
    }
    assert_eq!(store(&["verify", data]).status.code(), Some(1));
    succeeds(&store(&["rebuild", data]), &["rebuild"]);
    verify(&home.data());
    succeeds(&store(&["rebuild", data, "--check"]), &["rebuild --check"]);

    let (backups, key) = (folder(&home), key(&home));
    let (backups, key) = (text(&backups), text(&key));
    let made = store(&["backup", data, "--to", backups, "--new-key", key]);
    assert!(succeeds(&made, &["backup"]).contains("sound"));
    let again = store(&["backup", data, "--to", backups, "--key", key, "--json"]);
    let again: Value = serde_json::from_str(&succeeds(&again, &["backup"])).unwrap();
    assert_eq!(again["new_blocks"], 0, "{again}");
    let scratch = home.path().join("scratch");
    let rehearsed = store(&["rehearse", backups, "--key", key, "--scratch", text(&scratch)]);
    assert!(succeeds(&rehearsed, &["rehearse"]).contains("sound") && !scratch.exists());

    let newest = stat["journal"]["newest"].as_str().unwrap();
    let target = home.path().join("moment");
    let words = ["restore", backups, "--key", key, "--to", text(&target), "--at", newest];
    let restored = succeeds(&store(&words), &words);
    assert!(restored.contains("made from the journal at the next start"), "{restored}");
    verify(&target);
    let refused = store(&words);
    assert!(String::from_utf8_lossy(&refused.stderr).contains("not empty"));
}
