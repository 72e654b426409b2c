//! The program under test as a child process: started on a folder of data, asked
//! where it listens, stopped kindly or killed without warning.

use std::{
    env,
    ffi::OsStr,
    fs::{self, File},
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use reqwest::Method;
use serde::Deserialize;
use tempfile::TempDir;

use crate::{
    rest::Rest,
    tools::{find, output, root},
    waiting::{let_pass, now, until},
};

/// How long a start may take, in a debug build on a busy machine.
const START_WITHIN: Duration = Duration::from_secs(60);
/// How long a kind stop may take.
const STOP_WITHIN: Duration = Duration::from_secs(30);

/// A folder of a test's own: data, logs and papers.
pub(crate) struct Home(TempDir);

impl Home {
    pub(crate) fn new() -> Self {
        Self(tempfile::Builder::new().prefix("wardline-e2e-").tempdir().unwrap())
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    /// Where the program keeps everything.
    pub(crate) fn data(&self) -> PathBuf {
        self.path().join("data")
    }
}

/// What the program says when it serves.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Ready {
    pub(crate) people: String,
    pub(crate) mqtt: String,
    pub(crate) https: String,
    pub(crate) metrics: String,
    pub(crate) pid: u32,
}

/// The running program; it is killed with this value.
pub(crate) struct Server {
    child: Child,
    pub(crate) ready: Ready,
    log: PathBuf,
}

/// The program's file: the one that the gate names, or the release build.
pub(crate) fn program() -> PathBuf {
    let built = root().join("target/release/wardline");
    let program = env::var_os("WARDLINE_BIN").map_or(built, PathBuf::from);
    assert!(
        program.is_file(),
        "{} is missing; run `cargo build --release` first, or set WARDLINE_BIN",
        program.display()
    );
    program
}

impl Server {
    /// Starts the program on this home's data, new or used.
    pub(crate) fn start(home: &Home) -> Self {
        Self::start_on(&home.data(), &home.path().join("server.log"))
    }

    /// Starts the program on a folder of data.
    pub(crate) fn start_on(data: &Path, log: &Path) -> Self {
        Self::spawn(&mut Command::new(program()), data, log, &[])
    }

    /// Starts the program on this home's data with more arguments.
    pub(crate) fn start_with(home: &Home, more: &[&str]) -> Self {
        let log = home.path().join("server.log");
        Self::spawn(&mut Command::new(program()), &home.data(), &log, more)
    }

    /// Starts the program under another one, such as `strace`.
    pub(crate) fn start_under<S: AsRef<OsStr>>(outer: &[S], home: &Home) -> Self {
        let [first, rest @ ..] = outer else { panic!("no program to start it under") };
        let mut command = Command::new(first);
        command.args(rest).arg(program());
        Self::spawn(&mut command, &home.data(), &home.path().join("server.log"), &[])
    }

    fn spawn(command: &mut Command, data: &Path, log: &Path, more: &[&str]) -> Self {
        let errors = File::options().create(true).append(true).open(log).unwrap();
        command.args(["demo", "--empty", "--port", "0", "--json", "--data"]).arg(data).args(more);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(errors);
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let (sender, receiver) = mpsc::channel();
        let printed = BufReader::new(child.stdout.take().unwrap());
        // Reads to the end, so that the program never waits for somebody who reads.
        thread::spawn(move || {
            for line in printed.lines().map_while(Result::ok) {
                if let Some(ready) = line.strip_prefix("ready ") {
                    let _ = sender.send(serde_json::from_str::<Ready>(ready).unwrap());
                }
            }
        });
        match receiver.recv_timeout(START_WITHIN) {
            Ok(ready) => Self { child, ready, log: log.to_owned() },
            Err(why) => {
                let _ = child.kill();
                let _ = child.wait();
                panic!("the program did not say `ready …` ({why}); it said:\n{}", tail(log));
            }
        }
    }

    /// Starts the program and kills it so soon after, whatever it is doing by then.
    pub(crate) fn start_and_kill(home: &Home, after: Duration) {
        let mut command = Command::new(program());
        command.args(["demo", "--empty", "--port", "0", "--json", "--data"]).arg(home.data());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let_pass(now(), after);
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Nobody, at this server.
    pub(crate) fn rest(&self) -> Rest {
        Rest::new(&self.ready.people)
    }

    /// The port of MQTT over TLS.
    pub(crate) fn mqtt_port(&self) -> u16 {
        self.ready.mqtt.rsplit_once(':').unwrap().1.parse().unwrap()
    }

    /// The port of HTTPS for devices.
    pub(crate) fn https_port(&self) -> u16 {
        self.ready.https.rsplit_once(':').unwrap().1.parse().unwrap()
    }

    /// Whether the program is still there.
    pub(crate) fn is_alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// `kill -9`: no goodbye, no last write.
    pub(crate) fn kill(mut self) {
        self.signal("-KILL");
        self.child.wait().unwrap();
    }

    /// Stops the program where it stands; it can only be killed after that.
    pub(crate) fn freeze(&self) {
        self.signal("-STOP");
    }

    /// Asks the program to end, and waits until it has.
    pub(crate) fn stop(mut self) {
        self.signal("-TERM");
        until("the program ends when asked to", STOP_WITHIN, || !self.is_alive());
    }

    fn signal(&self, signal: &str) {
        // To the program itself, which may be the child of a tracer.
        output(Command::new("kill").arg(signal).arg(self.ready.pid.to_string()));
    }

    /// What the program holds of memory, in KiB; nothing where the system does not tell.
    pub(crate) fn memory_kib(&self) -> Option<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.ready.pid)).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        line.trim().strip_suffix(" kB")?.trim().parse().ok()
    }

    /// What a monitoring system reads.
    pub(crate) fn metrics(&self) -> String {
        Rest::new("").ask(Method::GET, &self.ready.metrics, None).text()
    }

    /// A figure of the metrics, by its name there.
    pub(crate) fn metric(&self, name: &str) -> f64 {
        let text = self.metrics();
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        let value = value.unwrap_or_else(|| panic!("no {name} in\n{text}"));
        value.trim().parse().unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if self.is_alive() {
            self.signal("-KILL");
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
        if thread::panicking() {
            eprintln!("the program said last:\n{}", tail(&self.log));
        }
    }
}

/// The last lines of a log.
fn tail(log: &Path) -> String {
    let text = fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(30)..].join("\n")
}

/// What `wardline store dump` says about a folder that nobody holds: one record a line.
pub(crate) fn dump(data: &Path) -> Vec<u8> {
    let mut command = Command::new(program());
    let done = output(command.args(["store", "dump"]).arg(data));
    let complaint = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "store dump: {}\n{complaint}", done.status);
    done.stdout
}

/// What `wardline store verify` says about a folder that nobody holds; it must be sound.
pub(crate) fn verify(data: &Path) {
    let done = output(Command::new(program()).args(["store", "verify"]).arg(data));
    let printed = String::from_utf8_lossy(&done.stdout);
    let complaint = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "store verify: {}\n{printed}\n{complaint}", done.status);
}

/// Whether `strace` may be used here.
pub(crate) fn strace() -> Result<PathBuf, String> {
    let strace = find("strace").ok_or("strace is missing; install strace")?;
    let tried = output(Command::new(&strace).args(["-o", "/dev/null", "true"]));
    if tried.status.success() { Ok(strace) } else { Err("processes may not be traced here".into()) }
}
