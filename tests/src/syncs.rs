//! No acknowledgement leaves the socket before the sync that covers it, seen from
//! outside: by the system calls of the running program.
//!
//! TLS hides what a write to the socket says. With one client and one message at a
//! time the order per message is enough: its bytes are written to the journal, the
//! journal is synced, and only then anything is sent to that client.

use std::{
    fs,
    path::Path,
    process::{Child, Command},
    time::Duration,
};

use reqwest::Method;
use serde_json::json;

use crate::{
    payload::{SENML_JSON, heart_rate},
    server::{Home, Server, strace},
    tools::{not_run, output},
    waiting::{eventually, until},
    ward::Ward,
    wire::{End, Version, Wire},
};

const MESSAGES: usize = 40;

#[test]
fn no_acknowledgement_leaves_before_its_sync() {
    let test = "no_acknowledgement_leaves_before_its_sync";
    let strace = match strace() {
        Ok(strace) => strace,
        Err(why) => return not_run(test, &why),
    };
    let home = Home::new();
    let log = home.path().join("calls");
    let calls = "trace=fdatasync,fsync,write,pwrite64,writev,pwritev,sendto,sendmsg";
    let [strace, log_name] = [&strace, &log].map(|path| path.to_str().unwrap());
    let outer = [strace, "-f", "-yy", "-s", "65536", "-e", calls, "-o", log_name];
    let server = Server::start_under(&outer, &home);
    let ward = Ward::build(&server);
    let device = ward.enrol("bedside-monitor", "SYNC-1");
    let mut wire = Wire::connect(&server, &device, Version::V311);
    let port = wire.port();
    for number in 0..MESSAGES {
        let answer = wire.told(&device.up("event"), None, marker(number).as_bytes());
        assert_eq!(answer.unwrap().code, 0);
    }
    server.kill();
    let text = || fs::read_to_string(&log).unwrap();
    until("the tracer wrote its log", Duration::from_secs(10), || text().contains("killed by"));
    let checked = check(&text(), port, MESSAGES);
    assert_eq!(checked, Ok(()), "the log of calls says otherwise");
}

#[test]
fn a_failed_sync_stops_acknowledgements_until_a_restart_and_no_alarm() {
    let test = "a_failed_sync_stops_acknowledgements_until_a_restart_and_no_alarm";
    let strace = match strace() {
        Ok(strace) => strace,
        Err(why) => return not_run(test, &why),
    };
    let home = Home::new();
    let server = Server::start(&home);
    let ward = Ward::build(&server);
    let device = ward.enrol_on("bedside-monitor", "EIO-1", 0);
    let limits = json!({
        "low": null,
        "high": { "limit": 120, "clears_at": 115, "delay_s": 0, "priority": "medium" },
    });
    let path = format!("/api/v1/patients/{}/limits/heart_rate", ward.patients[0]);
    ward.nurse.put(&path, &limits);
    let mut before = Wire::connect(&server, &device, Version::V5);
    let num = device.up("num");
    let good = before.told(&num, Some(SENML_JSON), &heart_rate(1, 1, "71.5"));
    assert_eq!(good.unwrap().code, 0);
    let fault = Fault::begin(&strace, &home, &server);
    before.publish(&num, Some(SENML_JSON), &heart_rate(1, 2, "150"));
    is_sounded_all_the_same(&ward);
    before.wait_at_most(Duration::from_secs(60));
    let end = before.end();
    assert!(matches!(end, End::PutOut(0x97 | 0x89)), "{end:?}");
    assert_eq!(server.rest().ask(Method::GET, "/readyz", None).status, 503);
    // The disk is well again; what it lost is not, so nothing is acknowledged before a restart.
    fault.end();
    let mut after = Wire::connect(&server, &device, Version::V5);
    after.wait_at_most(Duration::from_secs(3));
    let refused = after.told(&num, Some(SENML_JSON), &heart_rate(1, 3, "151"));
    assert!(matches!(refused, Err(End::Silence | End::PutOut(0x97 | 0x89))), "{refused:?}");
    server.stop();
    let server = Server::start(&home);
    let mut wire = Wire::connect(&server, &device, Version::V5);
    for (seq, value) in [(2, "150"), (3, "151")] {
        let answer = wire.told(&num, Some(SENML_JSON), &heart_rate(1, seq, value));
        assert_eq!(answer.unwrap().code, 0, "message {seq} after the restart");
    }
    ward.at(&server).sees(0, "heart_rate", 151.0);
}

/// The reading that cannot be kept raises its alarm, and the screen says what is wrong.
fn is_sounded_all_the_same(ward: &Ward) {
    eventually("an alarm that cannot be kept sounds", Duration::from_secs(5), || {
        let board = ward.nurse.get(&format!("/api/v1/care-units/{}/board", ward.unit));
        let bed = &board["beds"].as_array().unwrap()[0];
        let alarms = bed["alarms"].as_array().unwrap();
        let is_there = alarms.iter().any(|alarm| alarm["class"] == "physiological");
        let is_told = board["recording"] == false;
        if is_there && is_told { Ok(()) } else { Err(board.to_string()) }
    });
}

/// Syncs of the journal fail with EIO while this lasts.
struct Fault(Child);

impl Fault {
    fn begin(strace: &Path, home: &Home, server: &Server) -> Self {
        let segments = fs::read_dir(home.data().join("journal")).unwrap().flatten();
        let segments = segments.map(|entry| entry.path());
        let said = home.path().join("fault.log");
        let mut command = Command::new(strace);
        command.args(["-f", "-p", &server.ready.pid.to_string(), "-o", "/dev/null"]);
        command.args(["-e", "trace=fdatasync,fsync", "-e", "inject=fdatasync,fsync:error=EIO"]);
        for segment in segments.filter(|path| path.extension().is_some_and(|it| it == "seg")) {
            command.arg("-P").arg(segment);
        }
        let child = command.stderr(fs::File::create(&said).unwrap()).spawn().unwrap();
        until("the tracer holds the program", Duration::from_secs(10), || {
            fs::read_to_string(&said).unwrap().contains("attached")
        });
        Self(child)
    }

    fn end(mut self) {
        // It lets go of the program when it is asked to end; killed, it would take it along.
        output(Command::new("kill").args(["-TERM", &self.0.id().to_string()]));
        self.0.wait().unwrap();
    }
}

fn marker(number: usize) -> String {
    format!("marker-{number:04}-of-the-sync")
}

/// A system call of the log: the lines at which it began and ended.
#[derive(Debug)]
struct Call {
    text: String,
    began: usize,
    ended: usize,
}

/// The calls of a log of `strace -f`, with those that others interrupted put together.
fn calls(log: &str) -> Vec<Call> {
    let (mut calls, mut open): (Vec<Call>, Vec<(String, usize)>) = (Vec::new(), Vec::new());
    for (at, line) in log.lines().enumerate() {
        let Some((thread, text)) = line.split_once(' ') else { continue };
        let text = text.trim_start();
        if let Some(begun) = text.strip_suffix(" <unfinished ...>") {
            open.push((thread.to_owned(), calls.len()));
            calls.push(Call { text: begun.to_owned(), began: at, ended: usize::MAX });
        } else if text.starts_with("<... ") {
            if let Some(place) = open.iter().position(|(of, _)| of == thread) {
                let (_, index) = open.swap_remove(place);
                calls[index].text += text.rsplit_once("resumed>").map_or("", |(_, rest)| rest);
                calls[index].ended = at;
            }
        } else {
            calls.push(Call { text: text.to_owned(), began: at, ended: at });
        }
    }
    calls
}

/// Whether each of these messages was synced before anything was sent to the client of this port.
fn check(log: &str, port: u16, messages: usize) -> Result<(), String> {
    let calls = calls(log);
    let is = |call: &&Call, names: &[&str]| names.iter().any(|name| call.text.starts_with(name));
    let is_write = |call: &&Call| is(call, &["write(", "pwrite64(", "writev(", "pwritev("]);
    let is_send = |call: &&Call| is(call, &["write(", "writev(", "sendto(", "sendmsg("]);
    let to_client = format!("->127.0.0.1:{port}]>");
    let sends: Vec<&Call> =
        calls.iter().filter(is_send).filter(|call| call.text.contains(&to_client)).collect();
    // Before them come the handshake and the CONNACK; nothing comes after them.
    let first = sends.len().checked_sub(messages).ok_or(format!("{} sends", sends.len()))?;
    for (number, send) in sends[first..].iter().enumerate() {
        let marker = marker(number);
        let in_journal = |call: &&Call| call.text.contains(".seg>") && call.text.contains(&marker);
        let written = calls.iter().filter(is_write).find(in_journal);
        let written = written.ok_or_else(|| format!("message {number} is not in the journal"))?;
        let is_good_sync = |call: &&Call| {
            is(call, &["fdatasync(", "fsync("])
                && call.text.contains(".seg>")
                && call.text.ends_with("= 0")
        };
        let covers = |sync: &&Call| sync.began > written.ended && sync.ended < send.began;
        if !calls.iter().filter(is_good_sync).any(|sync| covers(&sync)) {
            return Err(format!(
                "message {number} was written at line {}, sent at line {}, and not synced between",
                written.ended + 1,
                send.began + 1
            ));
        }
    }
    Ok(())
}

#[test]
fn the_judge_of_system_calls_tells_a_sync_from_none() {
    let write =
        |number| format!("7 pwrite64(9</d/journal/0.seg>, \"..{}\", 60, 0) = 60", marker(number));
    let sync = "7 fdatasync(9</d/journal/0.seg>) = 0".to_owned();
    let failed = "7 fdatasync(9</d/journal/0.seg>) = -1 EIO (Input/output error)".to_owned();
    let other = "7 fdatasync(5</d/records.sqlite-wal>) = 0".to_owned();
    let begun = "7 fdatasync(9</d/journal/0.seg> <unfinished ...>".to_owned();
    let ended = "7 <... fdatasync resumed>) = 0".to_owned();
    let send =
        "8 sendto(11<TCP:[127.0.0.1:8883->127.0.0.1:777]>, \"..\", 26, 0, NULL, 0) = 26".to_owned();
    let check = |lines: &[&String], messages, good: bool| {
        let log: Vec<&str> = lines.iter().map(|line| line.as_str()).collect();
        let checked = check(&log.join("\n"), 777, messages);
        assert_eq!(checked.is_ok(), good, "{checked:?} of {lines:#?}");
    };
    let (first, second) = (write(0), write(1));
    check(&[&send, &first, &sync, &send], 1, true);
    check(&[&send, &first, &begun, &ended, &send], 1, true);
    check(&[&first, &sync, &send, &second, &sync, &send], 2, true);
    check(&[&send, &first, &send], 1, false);
    check(&[&send, &first, &send, &sync], 1, false);
    check(&[&send, &sync, &first, &send], 1, false);
    check(&[&send, &first, &other, &send], 1, false);
    check(&[&send, &first, &failed, &send], 1, false);
    check(&[&send, &first, &begun, &send, &ended], 1, false);
    check(&[&first, &sync, &send, &second, &send], 2, false);
    check(&[&sync, &send], 1, false);
    check(&[], 1, false);
}
