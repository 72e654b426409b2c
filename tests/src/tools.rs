//! Other people's programs: where they are, and what happens when one is missing.

use std::{
    env, fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::Value;

/// The folder of the repository.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// Says that a test could not do its work; the gate reads this line.
pub(crate) fn not_run(test: &str, why: &str) {
    eprintln!("NOT RUN: {test}: {why}");
}

/// Where a program of the system is.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).map(|folder| folder.join(program)).find(|file| file.is_file())
}

/// A Python with paho-mqtt: the one that the gate names, or the one that its set-up made.
pub(crate) fn python() -> Result<PathBuf, String> {
    let made = root().join("target/test-env/venv/bin/python");
    let python = env::var_os("WARDLINE_TEST_PYTHON").map_or(made, PathBuf::from);
    if python.is_file() {
        Ok(python)
    } else {
        Err(format!("{} is missing; run `cargo xtask test --only set-up`", python.display()))
    }
}

/// A server that speaks S3: the one that the gate names, or the one that its set-up made.
pub(crate) fn s3_server() -> Result<PathBuf, String> {
    let made = root().join("target/test-env/s3/bin/s3s-fs");
    let server = env::var_os("WARDLINE_TEST_S3").map_or(made, PathBuf::from);
    if server.is_file() {
        Ok(server)
    } else {
        Err(format!("{} is missing; run `cargo xtask test --only set-up`", server.display()))
    }
}

/// A script of ours, to be run by [`python`].
pub(crate) fn script(name: &str) -> PathBuf {
    root().join("tests/python").join(name)
}

/// Whether the long form of a test was asked for.
pub(crate) fn is_long() -> bool {
    env::var_os("WARDLINE_LONG").is_some_and(|value| value == "1")
}

/// Lets this process, and the programs that it starts, have as many files and sockets open
/// as this user may; tells how many that is.
pub(crate) fn allow_many_files() -> u64 {
    let limit = getrlimit(Resource::Nofile);
    let most = limit.maximum.or(limit.current).unwrap_or(u64::MAX);
    // Who may not raise it has what there is.
    let raised = setrlimit(Resource::Nofile, Rlimit { current: Some(most), ..limit });
    if raised.is_ok() { most } else { limit.current.unwrap_or(most) }
}

/// Has a script of ours done what a wish says, and gives its answer, both in JSON.
pub(crate) fn ask(python: &Path, name: &str, wish: &Value) -> Value {
    let mut command = Command::new(python);
    command.arg(script(name)).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    // It reads to the end before it does anything.
    let _ = child.stdin.take().map(|mut stdin| stdin.write_all(wish.to_string().as_bytes()));
    let output = child.wait_with_output().unwrap();
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{name}: {}\n{complaint}", output.status);
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Runs a command to its end and gives what it printed; fails the test if the command failed.
pub(crate) fn run(command: &mut Command) -> String {
    let output = output(command);
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {}\n{printed}\n{complaint}", output.status);
    printed
}

/// Runs a command to its end, whatever that is.
pub(crate) fn output(command: &mut Command) -> Output {
    command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"))
}

/// Writes a file and gives its path.
pub(crate) fn file(folder: &Path, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
    let path = folder.join(name);
    fs::write(&path, content).unwrap();
    path
}
