//! Backups to a store that speaks S3 and checks signatures: all that a folder can, and what is
//! said when the store is gone, damaged, or not ours.

use std::{
    fs::{self, File, Permissions},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::Duration,
};

use serde_json::Value;

use crate::{
    backups::{Hospital, key, succeeds, text},
    server::{Home, Server, program, verify},
    tools::{not_run, output, s3_server},
    waiting::{eventually, until},
};

const WITHIN: Duration = Duration::from_secs(120);
const ACCESS: &str = "WARDACCESS";
const SECRET: &str = "never-to-be-printed";
const PLACE: &str = "s3://ward/site-1/backups";

/// More objects than a store names at once.
const ORPHANS: u64 = 1_205;

/// The store, with one bucket; it is killed with this value.
struct Store {
    child: Child,
    folder: PathBuf,
    port: String,
}

impl Store {
    /// Starts it, on the port that it had before; `None` if it is not installed.
    fn start(test: &str, home: &Home, port: &str) -> Option<Self> {
        let server = s3_server().map_err(|why| not_run(test, &why)).ok()?;
        let (folder, log) = (home.path().join("s3"), home.path().join("s3.log"));
        fs::create_dir_all(folder.join("ward")).unwrap();
        let mut command = Command::new(server);
        command.args(["--host", "127.0.0.1", "--port", port]);
        command.args(["--access-key", ACCESS, "--secret-key", SECRET]).arg(&folder);
        let out = File::create(&log).unwrap();
        command.env("RUST_LOG", "s3s_fs=info").env("NO_COLOR", "1").stdin(Stdio::null());
        command.stdout(out.try_clone().unwrap()).stderr(out);
        let child = command.spawn().unwrap();
        let mut this = Self { child, folder, port: String::new() };
        this.port = eventually("the store says where it serves", WITHIN, || {
            let said = fs::read_to_string(&log).unwrap();
            let (_, rest) = said.split_once("http://127.0.0.1:").ok_or(said.clone())?;
            let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
            if rest.len() > digits.len() { Ok(digits) } else { Err(said) }
        });
        Some(this)
    }

    fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// `wardline store …` with this store and these keys in its environment.
    fn ask_as(&self, access: &str, secret: &str, words: &[&str]) -> Output {
        let mut command = Command::new(program());
        command.arg("store").args(words).stdin(Stdio::null());
        command.env("AWS_ACCESS_KEY_ID", access).env("AWS_SECRET_ACCESS_KEY", secret);
        command.env("AWS_ENDPOINT_URL", self.endpoint()).env_remove("AWS_SESSION_TOKEN");
        let done = output(&mut command);
        let said = [&done.stdout[..], &done.stderr].concat();
        assert!(!String::from_utf8_lossy(&said).contains(SECRET), "the secret was printed");
        done
    }

    fn ask(&self, words: &[&str]) -> Output {
        self.ask_as(ACCESS, SECRET, words)
    }

    fn does(&self, words: &[&str]) -> String {
        succeeds(&self.ask(words), words)
    }

    fn json(&self, words: &[&str]) -> Value {
        serde_json::from_str(&self.does(&[words, &["--json"]].concat())).unwrap()
    }

    fn objects(&self) -> Vec<PathBuf> {
        let inside = |folder: PathBuf| {
            fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path())
        };
        let objects = inside(self.folder.join("ward/site-1/backups/objects")).flat_map(inside);
        objects.filter(|it| it.extension().is_none()).collect()
    }

    fn kill(mut self) -> String {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.port.clone()
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A data directory that a server has written and left.
fn lived(home: &Home) -> PathBuf {
    Server::start(home).stop();
    home.data()
}

fn complaint(done: &Output) -> String {
    assert_eq!(done.status.code(), Some(1));
    String::from_utf8_lossy(&done.stderr).into_owned()
}

#[test]
fn what_a_folder_does_for_backups_a_store_does_too() {
    let home = Home::new();
    let Some(store) = Store::start("backups to S3", &home, "0") else { return };
    let (data, key) = (lived(&home), key(&home));
    let (data, key) = (text(&data), text(&key));
    let first = store.json(&["backup", data, "--to", PLACE, "--new-key", key]);
    assert!(first["new_blocks"].as_u64().unwrap() > 0 && first["rehearsed"].is_object());
    let again = store.json(&["backup", data, "--to", PLACE, "--key", key]);
    assert_eq!(again["new_blocks"], 0, "{again}");
    assert_eq!(store.does(&["restore", PLACE, "--key", key, "--list"]).lines().count(), 2);

    let stat: Value = serde_json::from_str(&store.does(&["stat", data, "--json"])).unwrap();
    let newest = stat["journal"]["newest"].as_str().unwrap();
    let (whole, then) = (home.path().join("whole"), home.path().join("then"));
    store.does(&["restore", PLACE, "--key", key, "--to", text(&whole)]);
    verify(&whole);
    store.does(&["restore", PLACE, "--key", key, "--to", text(&then), "--at", newest]);
    verify(&then);

    // A bit of an object is flipped: it is named, and the next backup writes it again.
    let object = store.objects().into_iter().max_by_key(|it| it.metadata().unwrap().len());
    let object = object.unwrap();
    let mut bytes = fs::read(&object).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 4;
    fs::write(&object, bytes).unwrap();
    let (other, scratch) = (home.path().join("other"), home.path().join("scratch"));
    let said = complaint(&store.ask(&["restore", PLACE, "--key", key, "--to", text(&other)]));
    assert!(
        said.contains("MISSING OR DAMAGED: ") && said.contains("nothing was changed"),
        "{said}"
    );
    assert!(!other.exists());
    let rehearse = ["rehearse", PLACE, "--key", key, "--scratch", text(&scratch)];
    complaint(&store.ask(&rehearse));
    let mended = store.json(&["backup", data, "--to", PLACE, "--key", key]);
    assert_eq!(mended["new_blocks"], 1, "{mended}");
    assert!(store.does(&rehearse).contains("sound"));

    // What backups that were cut short left is more than a page of names.
    let shelf = store.folder.join("ward/site-1/backups/objects/ee");
    fs::create_dir_all(&shelf).unwrap();
    for number in 0..ORPHANS {
        fs::write(shelf.join(format!("ee{number:062x}")), "left").unwrap();
    }
    let left = || fs::read_dir(&shelf).map_or(0, Iterator::count);
    let before = left();

    // All three are of one day: the newest stays, and what only the others name goes.
    let prune = ["prune", PLACE, "--key", key, "--keep-daily", "7"];
    assert!(store.does(&prune).contains("nothing was deleted"));
    let would = store.json(&prune);
    assert_eq!((would["goes"].as_array().unwrap().len(), &would["deleted"]), (2, &false.into()));
    let done = store.json(&[&prune[..], &["--yes"]].concat());
    assert_eq!((&done["goes"], &done["objects"]), (&would["goes"], &would["objects"]), "{done}");
    assert!(done["objects"].as_u64().unwrap() >= ORPHANS && done["left"] == 0, "{done}");
    assert!(before - left() >= usize::try_from(ORPHANS).unwrap());
    assert_eq!(store.does(&["restore", PLACE, "--key", key, "--list"]).lines().count(), 1);
    assert!(store.does(&rehearse).contains("sound"));
}

#[test]
fn a_store_that_is_not_ours_says_what_to_mend() {
    let home = Home::new();
    let Some(store) = Store::start("refusals of S3", &home, "0") else { return };
    let (data, key) = (lived(&home), key(&home));
    let (data, key) = (text(&data), text(&key));
    store.does(&["backup", data, "--to", PLACE, "--new-key", key]);
    let list = |place: &'static str| ["restore", place, "--key", key, "--list"];
    for (access, secret, place, words) in [
        (ACCESS, "guessed", PLACE, "the secret key does not belong to the access key"),
        ("nobody", SECRET, PLACE, "does not know the access key"),
        (ACCESS, SECRET, "s3://other/site-1", "no bucket `other` in the store; make it"),
        (ACCESS, SECRET, "s3://ward/site-2", "has no backups"),
        (ACCESS, SECRET, "s3://ward/site-1", "is no backup folder and is not empty"),
        ("", "", PLACE, "no credentials for the S3 store: set AWS_ACCESS_KEY_ID"),
    ] {
        let said = complaint(&store.ask_as(access, secret, &list(place)));
        assert!(said.contains(words), "{words}: {said}");
    }
    // What is said on the command line is not believed of a stranger's machine without TLS.
    let plain = [&list(PLACE)[..], &["--endpoint", "http://s3.example.org"]].concat();
    assert!(complaint(&store.ask(&plain)).contains("is not https"));
    let file = home.path().join("s3.toml");
    fs::write(&file, format!("access_key = \"{ACCESS}\"\nsecret_key = {SECRET}\n")).unwrap();
    let with_file = [&list(PLACE)[..], &["--credentials", text(&file)]].concat();
    fs::set_permissions(&file, Permissions::from_mode(0o640)).unwrap();
    assert!(complaint(&store.ask_as("", "", &with_file)).contains("chmod 600"));
    fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
    assert!(complaint(&store.ask_as("", "", &with_file)).contains("are not understood"));
    fs::write(&file, format!("access_key = \"{ACCESS}\"\nsecret_key = \"{SECRET}\"\n")).unwrap();
    assert_eq!(succeeds(&store.ask_as("", "", &with_file), &with_file).lines().count(), 1);
}

#[test]
fn a_backup_whose_store_dies_under_it_is_none_and_the_next_one_goes_on() {
    let home = Home::new();
    let Some(mut store) = Store::start("a killed S3 store", &home, "0") else { return };
    let (data, key) = (lived(&home), key(&home));
    // Something that takes a while: blocks that are all different.
    let long: Vec<u8> = (0..24_u32 << 20).map(|it| (it >> 20) as u8 ^ (it % 251) as u8).collect();
    fs::write(data.join("keys/long"), long).unwrap();
    let mut command = Command::new(program());
    command.args(["store", "backup", text(&data), "--to", PLACE, "--new-key", text(&key)]);
    command.env("AWS_ACCESS_KEY_ID", ACCESS).env("AWS_SECRET_ACCESS_KEY", SECRET);
    command.env("AWS_ENDPOINT_URL", store.endpoint());
    let child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    until("some objects are there", WITHIN, || store.objects().len() >= 5);
    let port = store.kill();
    let done = child.wait_with_output().unwrap();
    assert!(complaint(&done).contains("cannot be reached"), "{done:?}");

    store = Store::start("a killed S3 store", &home, &port).unwrap();
    let list = ["restore", PLACE, "--key", text(&key), "--list"];
    assert_eq!(store.does(&list).lines().count(), 0);
    let taken = store.json(&["backup", text(&data), "--to", PLACE, "--key", text(&key)]);
    let new = taken["new_blocks"].as_u64().unwrap();
    assert!((1..=25).contains(&new) && taken["rehearsed"].is_object(), "{taken}");
    assert_eq!(store.does(&list).lines().count(), 1);
}

#[test]
fn a_server_whose_store_is_away_starts_and_ships_once_it_is_back() {
    let home = Home::new();
    let Some(store) = Store::start("a server and its S3 store", &home, "0") else { return };
    fs::write(key(&home), format!("wardline-backup-key-1 {}\n", "5a".repeat(32))).unwrap();
    let file = home.path().join("s3.toml");
    fs::write(&file, format!("access_key = \"{ACCESS}\"\nsecret_key = \"{SECRET}\"\n")).unwrap();
    fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
    let lines = format!(
        "folder = {PLACE:?}\nendpoint = {:?}\ncredentials = {file:?}\nkeep_daily = 7\nevery_minutes = 1",
        store.endpoint()
    );
    let port = store.kill();
    let server = Hospital::start_with(&home, "data", 1, &lines);
    until("it says that the store is away", WITHIN, || {
        let state = server.backup(&home, &["--status"]);
        state["problem"].as_str().is_some_and(|it| it.contains("cannot be reached"))
    });
    let store = Store::start("a server and its S3 store", &home, &port).unwrap();
    let state = eventually("a backup is there and rehearsed", WITHIN, || {
        let state = server.backup(&home, &["--status"]);
        let is_well = state["under_way"].is_null() && state["rehearsed_of"].is_string();
        if is_well && state["problem"].is_null() { Ok(state) } else { Err(state.to_string()) }
    });
    assert_eq!(state["folder"], PLACE, "{state}");
    let state = server.backup(&home, &[]);
    assert_eq!(state["problem"], Value::Null, "{state}");
    server.end("-KILL");
    for log in ["1.log", "s3.log"] {
        assert!(!read(&home.path().join(log)).contains(SECRET), "{log} has the secret");
    }
    let again = home.path().join("again");
    store.does(&["restore", PLACE, "--key", text(&key(&home)), "--to", text(&again)]);
    verify(&again);
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap()
}
