//! What was acknowledged is there, once, however often the program is killed under load.
//!
//! Two judges look: screens' own interface after each restart, and at the end a
//! checker in another language that holds what the clients were told against the
//! dump of the journal, the exported series and the records.
//!
//! A program that is killed loses nothing that it has handed to the system. A disk whose power
//! is cut does: there every write that was not synced is dropped.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use serde_json::Value;

use crate::{
    payload::{ECG, SENML_JSON, Wave, heart_rate, now_ns},
    postgres::{Postgres, does},
    server::{Home, Server, dump, program, verify},
    small_disk::SmallDisk,
    strangers::Publisher,
    tools::{self, file, is_long, not_run, run, script},
    waiting::{eventually, now, until},
    ward::{Device, Span, Ward},
    wire::{Version, Wire},
};

/// How often the program is killed.
const ROUNDS: u64 = 50;
const ROUNDS_LONG: u64 = 500;
/// The short form ends early rather than late: the gate has other parts.
const SHORT_WITHIN: Duration = Duration::from_secs(200);
/// So many kills must have happened by then all the same.
const ROUNDS_MIN: u64 = 25;
/// How long what was sent before a kill may take to be acknowledged after it.
const SETTLED_WITHIN: Duration = Duration::from_secs(20);
/// Samples in a block of the device with the ECG.
const WAVE_BLOCK_LEN: usize = 25;
/// The newest acknowledged messages that are looked up after each restart.
const LOOKED_UP: usize = 100;

#[test]
fn what_was_acknowledged_survives_being_killed_under_load() {
    let test = "what_was_acknowledged_survives_being_killed_under_load";
    let python = match tools::python() {
        Ok(python) => python,
        Err(why) => return not_run(test, &why),
    };
    let home = Home::new();
    let rounds = Rounds::of((ROUNDS, ROUNDS_LONG), ROUNDS_MIN, SHORT_WITHIN);
    let start = || Server::start(&home);
    let stood = besiege((&python, &home), rounds, start(), |_, server| server.kill(), start);
    stood.server.kill();
    stood.survivors.judge((&python, &home), &home.data());
}

/// How often the power is cut.
const CUTS: u64 = 8;
const CUTS_LONG: u64 = 500;
const CUTS_WITHIN: Duration = Duration::from_secs(40);
const CUTS_MIN: u64 = 3;
/// Room for the journal's segments and the databases of all rounds.
const DISK_MIB: u32 = 512;

#[test]
fn what_was_acknowledged_survives_a_disk_that_drops_what_was_not_synced() {
    let test = "what_was_acknowledged_survives_a_disk_that_drops_what_was_not_synced";
    let python = match tools::python() {
        Ok(python) => python,
        Err(why) => return not_run(test, &why),
    };
    let home = Home::new();
    let disk = match SmallDisk::of_blocks(&home, DISK_MIB) {
        Ok(disk) => disk,
        Err(why) => return not_run(test, &why),
    };
    let (data, log) = (disk.path().join("data"), home.path().join("server.log"));
    let fall = |_, server: Server| {
        // A machine without power answers nobody: the program stands still before its disk does.
        server.freeze();
        disk.cut_power(&python);
        server.kill();
    };
    let rise = || {
        disk.power_on();
        Server::start_on(&data, &log)
    };
    let rounds = Rounds::of((CUTS, CUTS_LONG), CUTS_MIN, CUTS_WITHIN);
    let server = Server::start_on(&data, &log);
    let stood = besiege((&python, &home), rounds, server, fall, rise);
    stood.server.kill();
    stood.survivors.judge((&python, &home), &data);
}

/// How often the program is killed whose records are in PostgreSQL; every second time that
/// crashes before it.
const POSTGRES_ROUNDS: u64 = 6;
const POSTGRES_ROUNDS_LONG: u64 = 100;
const POSTGRES_WITHIN: Duration = Duration::from_secs(200);

#[test]
fn what_was_acknowledged_survives_kills_and_crashes_of_the_postgres_with_its_records() {
    let test = "what_was_acknowledged_survives_kills_and_crashes_of_the_postgres_with_its_records";
    let python = match tools::python() {
        Ok(python) => python,
        Err(why) => return not_run(test, &why),
    };
    let mut postgres = match Postgres::start() {
        Ok(postgres) => postgres,
        Err(why) => return not_run(test, &why),
    };
    let home = Home::new();
    let server = Server::start_with(&home, &["--records", &postgres.place("postgres")]);
    let fall = |round: u64, server: Server| {
        if round % 2 == 1 {
            postgres.order("crash");
        }
        server.kill();
    };
    // The note in the directory says where the records are.
    let rise = || Server::start(&home);
    let rounds = (POSTGRES_ROUNDS, POSTGRES_ROUNDS_LONG);
    let rounds = Rounds::of(rounds, POSTGRES_ROUNDS, POSTGRES_WITHIN);
    let stood = besiege((&python, &home), rounds, server, fall, rise);
    stood.server.stop();
    // The checker reads SQLite; moving compares every table by its count and hash.
    does(&["migrate", "--to", "sqlite"], &home.data());
    stood.survivors.judge((&python, &home), &home.data());
    postgres.end();
}

/// How often a server falls: at most and at least; the short form ends early rather than late.
struct Rounds {
    most: u64,
    least: u64,
    within: Duration,
}

impl Rounds {
    fn of((short, long): (u64, u64), least: u64, within: Duration) -> Self {
        if is_long() {
            Self { most: long, least: long, within: Duration::MAX }
        } else {
            Self { most: short, least, within }
        }
    }
}

/// What stands after the last fall.
struct Stood {
    server: Server,
    survivors: Survivors,
}

/// What was told and shown of a ward, to be held against what is stored.
struct Survivors {
    ward: Ward,
    devices: Vec<(Device, &'static str)>,
    publisher: Publisher,
    waves: PathBuf,
}

/// Lets a server fall under load and rise, round after round, and once more when all is quiet.
fn besiege(
    (python, home): (&Path, &Home),
    rounds: Rounds,
    mut server: Server,
    mut fall: impl FnMut(u64, Server),
    rise: impl Fn() -> Server,
) -> Stood {
    let mut ward = Ward::build(&server);
    let devices = devices(&ward);
    let mut publisher = Publisher::start(python, home, &devices, None);
    // Alone on its patient, so that the trend is this device's.
    let mut watched = Watched { device: devices[0].0.id.clone(), ..Watched::default() };
    let (began, mut done) = (now(), 0);
    while done < rounds.most && began.elapsed() < rounds.within {
        work(&mut publisher, &server, done);
        fall(done, server);
        publisher.pause();
        server = rise();
        ward = ward.at(&server);
        watched.hear(publisher.news());
        watched.is_readable(&ward);
        done += 1;
    }
    assert!(done >= rounds.least, "only {done} rounds in {:?}", began.elapsed());
    settle(&mut publisher, &server, &format!("{done} falls"));
    fall(done, server);
    server = rise();
    ward = ward.at(&server);
    let waves = shown_waves(home, (&ward, &devices), (&publisher.told, done));
    Stood { server, survivors: Survivors { ward, devices, publisher, waves } }
}

/// Loads the program until something was acknowledged, for another while in each round, so that
/// its end falls on different deeds of it.
fn work(publisher: &mut Publisher, server: &Server, round: u64) {
    publisher.go(server);
    let (_, before) = publisher.count();
    let load = Duration::from_millis(150 + 37 * round % 250);
    let started = now();
    until("messages are acknowledged under load", Duration::from_secs(20), || {
        publisher.count().1 > before && started.elapsed() > load
    });
}

/// Waits until everything that was sent is acknowledged, and sends no more.
fn settle(publisher: &mut Publisher, server: &Server, after: &str) {
    publisher.go(server);
    publisher.settle(SETTLED_WITHIN);
    let (sent, acked) = publisher.count();
    eprintln!("{after}, {sent} messages sent, {acked} acknowledged");
    publisher.pause();
}

/// The patient of each of [`devices`].
const BEDS: [usize; 6] = [0, 1, 1, 1, 1, 1];

/// Five devices with a heart rate on two patients, by each version of MQTT and by HTTPS, and one
/// with an ECG.
fn devices(ward: &Ward) -> Vec<(Device, &'static str)> {
    let kinds = ["3.1.1", "5", "3.1.1", "5", "https", "wave"].into_iter().zip(BEDS);
    let enrol = |(index, (version, bed)): (usize, (&'static str, usize))| {
        (ward.enrol_on("bedside-monitor", &format!("KILL-{index}"), bed), version)
    };
    kinds.enumerate().map(enrol).collect()
}

/// A device whose messages are looked up after each restart.
#[derive(Default)]
struct Watched {
    device: String,
    /// By number: what was sent and when, in milliseconds.
    sent: BTreeMap<u64, (String, i64)>,
    /// Numbers that were acknowledged, newest last.
    acked: Vec<u64>,
}

impl Watched {
    fn hear(&mut self, news: Vec<Value>) {
        for line in news.iter().filter(|line| line["device"] == *self.device) {
            let seq = line["seq"].as_u64().unwrap();
            if line["what"] == "acked" {
                self.acked.push(seq);
            } else {
                let value = line["value"].as_str().unwrap().to_owned();
                self.sent.insert(seq, (value, line["at_ms"].as_i64().unwrap()));
            }
        }
    }

    /// The newest messages that the device was told to be safe are on the patient's trend, once.
    fn is_readable(&self, ward: &Ward) {
        let newest = self.acked.iter().rev().take(LOOKED_UP).map(|seq| &self.sent[seq]);
        let newest: Vec<&(String, i64)> = newest.collect();
        let Some(first) = newest.iter().map(|(_, at_ms)| *at_ms).min() else { return };
        // One that was sent again after a kill may bear the time of its second arrival, and one
        // by a clock that is believed lies up to two seconds before what that clock said.
        let span = Span::since_millis(first - 2_000);
        eventually("the acknowledged readings are readable", Duration::from_secs(10), || {
            let mut found: BTreeMap<String, usize> = BTreeMap::new();
            for (_, value) in ward.trend(0, "heart_rate", &span) {
                *found.entry(format!("{:.3}", value.unwrap_or(f64::NAN))).or_default() += 1;
            }
            let times = |value: &String| found.get(value).copied().unwrap_or(0);
            let wrong = newest.iter().find(|(value, _)| times(value) != 1);
            wrong.map_or(Ok(()), |wrong| {
                let (from, to) = (&span.from, &span.to);
                let all: usize = found.values().sum();
                Err(format!(
                    "{wrong:?} is there {} times among {all} from {from} to {to}",
                    times(&wrong.0)
                ))
            })
        });
    }
}

/// Every sample of the acknowledged blocks of the last device, as a nurse sees them after so many
/// rounds, in most of which there was one at least.
fn shown_waves(home: &Home, (ward, devices): Ours<'_>, (told, rounds): (&Path, u64)) -> PathBuf {
    let (device, _) = devices.last().unwrap();
    let told = fs::read_to_string(told).unwrap();
    let told = told.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let told: Vec<Value> = told.filter(|line| line["device"] == *device.id).collect();
    let begin = told.iter().filter_map(|line| line["at_ms"].as_i64()).min().unwrap();
    let acked = told.iter().filter(|line| line["what"] == "acked").count();
    assert!(acked as u64 * 2 >= rounds, "only {acked} blocks of the ECG in {rounds} rounds");
    let mut spans = Vec::new();
    eventually("the acknowledged samples are shown", Duration::from_secs(10), || {
        let hours = Span::hours_since_millis(begin - 2_000);
        spans = hours.iter().flat_map(|hour| ward.waves(1, ECG, hour)).collect();
        let found: usize = spans.iter().map(|it| it["samples"].as_array().unwrap().len()).sum();
        if found >= acked * WAVE_BLOCK_LEN { Ok(()) } else { Err(format!("{found} of {acked}")) }
    });
    let path = home.path().join("waves.json");
    fs::write(&path, Value::from(spans).to_string()).unwrap();
    path
}

/// The ward and its devices.
type Ours<'a> = (&'a Ward, &'a [(Device, &'static str)]);

impl Survivors {
    /// Asks the checker whether clients, journal, series and records tell the same story, and
    /// what a nurse was shown.
    fn judge(&self, (python, home): (&Path, &Home), data: &Path) {
        let Self { ward, devices, publisher, waves } = self;
        verify(data);
        let dump = file(home.path(), "dump.jsonl", dump(data));
        let mut check = Command::new(python);
        check.arg(script("check_acks.py")).arg(&publisher.told).arg(dump).arg("--data").arg(data);
        let Span { from, to } = Span::days_around_now();
        for ((device, _), bed) in devices.iter().zip(BEDS) {
            let out = home.path().join(format!("export-{}", device.id));
            let mut export = Command::new(program());
            export
                .args(["store", "export"])
                .arg(data)
                .args(["--device", &device.id, "--as", "csv"]);
            export.args(["--from", &from, "--to", &to, "--out"]);
            run(export.arg(&out));
            let values = out.join("values.csv");
            check.arg(format!("{}={}={}", device.id, ward.patients[bed], values.display()));
        }
        let (tracer, _) = devices.last().unwrap();
        check.arg("--waves").arg(format!("{}={}", tracer.id, waves.display()));
        eprint!("{}", run(&mut check));
    }
}

#[test]
fn a_message_that_comes_again_after_a_kill_is_stored_once() {
    let home = Home::new();
    let server = Server::start(&home);
    let ward = Ward::build(&server);
    let device = ward.enrol_on("bedside-monitor", "TWICE-1", 0);
    let message = heart_rate(5, 1, "64.125");
    let tell = |server: &Server| {
        let mut wire = Wire::connect(server, &device, Version::V5);
        let answer = wire.told(&device.up("num"), Some(SENML_JSON), &message).unwrap();
        assert_eq!(answer.code, 0);
    };
    tell(&server);
    server.kill();
    let server = Server::start(&home);
    let ward = ward.at(&server);
    tell(&server);
    ward.counts("duplicates", 1);
    ward.sees(0, "heart_rate", 64.125);
    let points = ward.trend(0, "heart_rate", &Span::around_now());
    assert_eq!(points.iter().filter(|(_, value)| *value == Some(64.125)).count(), 1, "{points:?}");
}

#[test]
fn a_waveform_that_comes_in_jerks_is_readable_to_the_last_sample() {
    let home = Home::new();
    let server = Server::start(&home);
    let ward = Ward::build(&server);
    let device = ward.enrol_on("bedside-monitor", "JERK-1", 0);
    let mut wire = Wire::connect(&server, &device, Version::V311);
    let topic = device.up(&format!("wave/{ECG}"));
    let (begin, mut sent) = (now_ns(), 0_i64);
    while sent < 50 {
        // The network holds blocks of 100 ms back, more of them each time, and lets them go at once.
        let due = begin + (sent + 1 + sent % 7) * 100_000_000;
        until("the held blocks are over", Duration::from_secs(5), || now_ns() >= due);
        while begin + (sent + 1) * 100_000_000 <= now_ns() {
            let samples = (0..25).map(|at| i16::try_from(sent * 25 + at).unwrap()).collect();
            let t0_ns = begin + sent * 100_000_000;
            let now_ns = t0_ns + 100_000_000;
            let rest = Wave::of(&device.id, 1, sent);
            let block = Wave { t0_ns, now_ns, count: 25, samples, ..rest };
            wire.publish(&topic, None, &block.encode());
            sent += 1;
        }
    }
    let want: Vec<i64> = (0..sent * 25).collect();
    for _ in 0..sent {
        assert_eq!(wire.puback().unwrap().code, 0);
    }
    eventually("all samples are readable, in order and once", Duration::from_secs(5), || {
        let spans = ward.waves(0, ECG, &Span::around_now());
        let samples = spans.iter().flat_map(|span| span["samples"].as_array().unwrap());
        let found: Vec<i64> = samples.map(|sample| sample.as_i64().unwrap()).collect();
        if found == want {
            Ok(())
        } else {
            Err(format!("{} samples of {}", found.len(), want.len()))
        }
    });
}

#[test]
fn a_first_start_that_is_killed_at_any_moment_starts_again() {
    for millis in (0..160).step_by(4) {
        let home = Home::new();
        Server::start_and_kill(&home, Duration::from_millis(millis));
        let server = Server::start(&home);
        assert_eq!(
            server.rest().click("admin").get("/api/v1/sites")["items"],
            serde_json::json!([])
        );
    }
}
