//! Records in a real PostgreSQL that fails, and a program that is killed: what is there at the
//! end is what the journal says, and it can be moved there and back.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    path::Path,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use reqwest::Method;
use serde_json::Value;

use crate::{
    payload::{SENML_JSON, heart_rate},
    server::{Home, Server, program, verify},
    tools::{not_run, output, root},
    waiting::{eventually, until},
    ward::{Device, Ward},
    wire::{Version, Wire},
};

/// How long an alarm, a crash of PostgreSQL and a write that waited for it may take.
const SOON: Duration = Duration::from_secs(60);

/// A PostgreSQL of this test's own, which ends with it.
pub(crate) struct Postgres {
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
    child: Child,
    /// Its folder, as an address has it.
    host: String,
}

impl Postgres {
    pub(crate) fn start() -> Result<Self, String> {
        let mut command = Command::new("sh");
        command.arg(root().join("tests/postgres.sh"));
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let orders = child.stdin.take().unwrap();
        let mut answers = BufReader::new(child.stdout.take().unwrap());
        match ready(&mut answers) {
            Ok(folder) => Ok(Self { orders, answers, child, host: folder.replace('/', "%2F") }),
            Err(why) => {
                child.wait().unwrap();
                Err(why)
            }
        }
    }

    /// The address of a database.
    pub(crate) fn place(&self, database: &str) -> String {
        format!("postgres://ward@{}:5432/{database}", self.host)
    }

    /// Gives an order, and returns when it is done.
    pub(crate) fn order(&mut self, order: &str) {
        writeln!(self.orders, "{order}").unwrap();
        ready(&mut self.answers).unwrap();
    }

    /// Lets it end, and waits until it has cleaned up.
    pub(crate) fn end(self) {
        let Self { orders, mut child, .. } = self;
        drop(orders);
        assert!(child.wait().unwrap().success());
    }
}

fn ready(answers: &mut BufReader<ChildStdout>) -> Result<String, String> {
    let mut line = String::new();
    answers.read_line(&mut line).unwrap();
    let folder = line.trim_end().strip_prefix("ready ").map(str::to_owned);
    folder.ok_or_else(|| line.trim_end().to_owned())
}

/// A device that publishes low heart rates and a nurse who looks, until told to stop.
fn lives(server: &Server, ward: &Ward, device: &Device, boot: u64, is_over: &AtomicBool) {
    let mut wire = Wire::connect(server, device, Version::V5);
    wire.wait_at_most(SOON);
    for seq in 1.. {
        let told = wire.told(&device.up("num"), Some(SENML_JSON), &heart_rate(boot, seq, "31"));
        told.unwrap();
        let _ = ward.vital(0, "heart_rate");
        if is_over.load(Ordering::Relaxed) {
            return;
        }
    }
}

/// The patient's alarms, as they are told with all that happened to them.
fn alarms(ward: &Ward) -> Vec<Value> {
    let patient = &ward.patients[0];
    ward.charge.all(&format!("/api/v1/alarms?state=any&patient={patient}"))
}

/// The newest look at the patient in the records, if they answer.
fn newest_look(ward: &Ward) -> Result<Value, String> {
    let path = format!("/api/v1/audit?limit=1&patient={}", ward.patients[0]);
    let answer = ward.admin.ask(Method::GET, &path, None);
    let look = answer.json()["items"][0].take();
    if answer.is_good() && look.is_object() { Ok(look) } else { Err(answer.to_string()) }
}

fn store(arguments: &[&str], data: &Path) -> (bool, String) {
    let mut command = Command::new(program());
    let [verb, rest @ ..] = arguments else { return (false, String::new()) };
    let done = output(command.args(["store", verb]).arg(data).args(rest));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (done.status.success(), text(&done.stdout) + &text(&done.stderr))
}

#[track_caller]
pub(crate) fn does(arguments: &[&str], data: &Path) -> String {
    let (good, said) = store(arguments, data);
    assert!(good, "store {arguments:?}: {said}");
    said
}

#[test]
fn a_ward_on_postgres_outlives_crashes_of_both_and_its_rows_are_those_of_the_journal() {
    let test = "a_ward_on_postgres_outlives_crashes_of_both_and_its_rows_are_those_of_the_journal";
    let mut postgres = match Postgres::start() {
        Ok(postgres) => postgres,
        Err(why) => return not_run(test, &why),
    };
    let home = Home::new();
    let place = postgres.place("postgres");
    let mut server = Server::start_with(&home, &["--records", &place]);
    let mut ward = Ward::build(&server);
    let device = ward.enrol_on("bedside-monitor", "PG-1", 0);
    for boot in 1..=2 {
        let is_over = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| lives(&server, &ward, &device, boot, &is_over));
            until("the patient's alarm is in the records", SOON, || !alarms(&ward).is_empty());
            postgres.order("crash");
            let before = eventually("the records answer", SOON, || newest_look(&ward));
            eventually("the trail goes on", SOON, || match newest_look(&ward)? {
                now if now != before => Ok(()),
                _ => Err("nothing new".to_owned()),
            });
            is_over.store(true, Ordering::Relaxed);
        });
        // The note in the directory says where the records are.
        server.kill();
        server = Server::start(&home);
        ward = ward.at(&server);
    }
    let before = alarms(&ward);
    server.stop();
    let data = home.data();
    its_rows_are_those_of_the_journal_and_can_be_moved(&postgres, &data);
    let server = Server::start(&home);
    let ward = ward.at(&server);
    let ids = |all: &[Value]| all.iter().map(|it| it["id"].clone()).collect::<Vec<_>>();
    let after = alarms(&ward);
    assert!(ids(&after).ends_with(&ids(&before)), "{after:?} after {before:?}");
    server.stop();
    assert!(!data.join("records.sqlite").exists());
    postgres.end();
}

fn its_rows_are_those_of_the_journal_and_can_be_moved(postgres: &Postgres, data: &Path) {
    let place = postgres.place("postgres");
    verify(data);
    let counted = does(&["stat", "--json"], data);
    let counted: Value = serde_json::from_str(&counted).unwrap();
    let (good, said) = store(&["rebuild", "--check"], data);
    assert!(!good && said.contains(&place), "{said}");
    let back = does(&["migrate", "--to", "sqlite", "--json"], data);
    let back: Value = serde_json::from_str(&back).unwrap();
    for table in back["tables"].as_array().unwrap() {
        let name = table["table"].as_str().unwrap();
        assert_eq!(table["rows"], counted["rows"][name], "{name} of {counted}");
    }
    // Every row of every table, made again from the journal by SQLite alone.
    does(&["rebuild", "--check"], data);
    verify(data);
    let (good, said) = store(&["migrate", "--to", &place], data);
    assert!(!good && said.contains("there are records at"), "{said}");
    assert!(data.join("records.sqlite").exists() && !data.join("records.at").exists());
    // Another database of the same PostgreSQL.
    let other = postgres.place("template1");
    let there = does(&["migrate", "--to", &other, "--json"], data);
    let there: Value = serde_json::from_str(&there).unwrap();
    assert_eq!(there["tables"], back["tables"]);
    verify(data);
}
