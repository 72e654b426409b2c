//! A full disk: nothing is acknowledged that is not kept, everybody can see it, and
//! the program heals by itself when there is room again.

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use reqwest::Method;

use crate::{
    server::{Home, Server, dump, verify},
    strangers::Publisher,
    tools::{self, file, find, not_run, output, run, script},
    waiting::{eventually, until},
    ward::{Device, Ward},
    wire::{End, Version, Wire},
};

/// Room for two segments of the journal, the databases, and little else.
const DISK_MIB: u32 = 160;
/// Long messages fill the journal fast, and do not fit into what is left of it.
const PAYLOAD_LEN: usize = 60_000;
/// How long the disk may take to be full, and to be of use again.
const SOON: Duration = Duration::from_secs(60);

/// A small disk in memory, unmounted with this value.
struct Disk(PathBuf);

impl Disk {
    fn mount(home: &Home) -> Result<Self, String> {
        let place = home.path().join("disk");
        fs::create_dir(&place).unwrap();
        find("mount").ok_or("mount is missing")?;
        let size = format!("size={DISK_MIB}m");
        let mut mount = Command::new("mount");
        let tried = output(mount.args(["-t", "tmpfs", "-o", &size, "wardline-e2e"]).arg(&place));
        if tried.status.success() {
            return Ok(Self(place));
        }
        let why = String::from_utf8_lossy(&tried.stderr).trim().to_owned();
        Err(format!("no small disk can be mounted; run as root ({why})"))
    }

    /// Takes all the room that is left.
    fn fill(&self) -> PathBuf {
        let path = self.0.join("filler");
        let mut filler = fs::File::create(&path).unwrap();
        let block = vec![7; 64 * 1_024];
        while filler.write_all(&block).is_ok() {}
        path
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        output(Command::new("umount").arg(&self.0));
    }
}

#[test]
fn a_full_disk_acknowledges_nothing_and_heals_by_itself() {
    let test = "a_full_disk_acknowledges_nothing_and_heals_by_itself";
    let python = match tools::python() {
        Ok(python) => python,
        Err(why) => return not_run(test, &why),
    };
    let home = Home::new();
    let disk = match Disk::mount(&home) {
        Ok(disk) => disk,
        Err(why) => return not_run(test, &why),
    };
    let data = disk.0.join("data");
    let server = Server::start_on(&data, &home.path().join("server.log"));
    let ward = Ward::build(&server);
    let devices = [("FULL-1", "5"), ("FULL-2", "3.1.1")]
        .map(|(serial, version)| (ward.enrol("bedside-monitor", serial), version));
    let probe = ward.enrol("bedside-monitor", "FULL-3");
    let mut publisher = Publisher::start(&python, &home, &devices, Some(PAYLOAD_LEN));
    publisher.go(&server);
    until("messages are acknowledged", SOON, || publisher.count().1 > 20);
    let filler = disk.fill();
    fills_up(&server);
    // Once for whatever was on its way when the disk became full, and once to be sure.
    is_refused_without_an_answer(&server, &probe, Version::V5);
    let (_, acked_while_full) = publisher.count();
    is_refused_without_an_answer(&server, &probe, Version::V311);
    assert_eq!(publisher.count().1, acked_while_full, "a full disk acknowledged a message");
    fs::remove_file(filler).unwrap();
    until("messages are acknowledged again", SOON, || publisher.count().1 > acked_while_full + 20);
    eventually("the program says that it is ready", SOON, || is_ready(&server));
    publisher.hush();
    publisher.settle(SOON);
    publisher.pause();
    server.stop();
    nothing_is_lost(&python, &home, &data, &publisher.told);
}

/// Waits until the journal's own room is used up too.
fn fills_up(server: &Server) {
    let nobody = server.rest();
    eventually("the program says that it does not record", SOON, || {
        let answer = nobody.ask(Method::GET, "/readyz", None);
        if answer.status == 503 { Ok(()) } else { Err(answer.to_string()) }
    });
    assert_eq!(nobody.ask(Method::GET, "/healthz", None).status, 200, "a full disk is no death");
}

fn is_ready(server: &Server) -> Result<(), String> {
    let answer = server.rest().ask(Method::GET, "/readyz", None);
    if answer.status == 200 { Ok(()) } else { Err(answer.to_string()) }
}

/// A device is put out so that it comes again, and never gets an acknowledgement.
fn is_refused_without_an_answer(server: &Server, device: &Device, version: Version) {
    let mut wire = Wire::connect(server, device, version);
    wire.wait_at_most(SOON);
    let payload = vec![b'y'; PAYLOAD_LEN];
    match wire.told(&device.up("log"), None, &payload) {
        Err(End::PutOut(0x97 | 0x89)) if version == Version::V5 => {}
        Err(End::Closed) if version == Version::V311 => {}
        other => panic!("{other:?} instead of DISCONNECT 0x97 or 0x89, or the end of 3.1.1"),
    }
}

fn nothing_is_lost(python: &Path, home: &Home, data: &Path, told: &Path) {
    verify(data);
    let dump = file(home.path(), "dump.jsonl", dump(data));
    eprint!("{}", run(Command::new(python).arg(script("check_acks.py")).arg(told).arg(dump)));
}
