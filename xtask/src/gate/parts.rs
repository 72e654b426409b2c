//! The parts of the gate, in their order.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    thread,
};

use super::{
    Context, Outcome,
    counts::{self, Counts},
    licences, tools,
};
use crate::{cargo, fuzz, root, target, vopr};

/// One part of the gate.
pub struct Part {
    pub name: &'static str,
    /// Earlier parts without which this one cannot run.
    pub needs: &'static [&'static str],
    /// Whether it belongs to the inner loop.
    pub quick: bool,
    /// The time of any one of its commands, in minutes; a part that hangs must not hang the gate.
    pub limit_min: u64,
    pub long_limit_min: u64,
    pub run: fn(&mut Context) -> Outcome,
}

/// The part of the inner loop that stands for `unit`.
pub const PURE: &str = "pure";
const PURE_CRATES: &[&str] = &["model", "record", "protocols", "signal", "care", "sim", "security"];

/// Seconds of fuzzing in all.
const FUZZ_S: u64 = 240;
const FUZZ_LONG_S: u64 = 4 * 3_600;

/// The test in the browser whose figures are of the machine, and not only of the page.
const MEASURED_BROWSER_TEST: &str = "load.test.mjs";
/// Those that take longest.
const LONG_BROWSER_TESTS: [&str; 3] = ["house.test.mjs", "looks.test.mjs", "states.test.mjs"];

/// Minutes of the simulator.
const VOPR_MIN: u64 = 3;
const VOPR_LONG_MIN: u64 = 60;

const fn part(name: &'static str, limit_min: u64, run: fn(&mut Context) -> Outcome) -> Part {
    Part { name, needs: &[], quick: false, limit_min, long_limit_min: 600, run }
}

pub const PARTS: &[Part] = &[
    part("set-up", 15, tools::set_up),
    part("fmt", 5, fmt),
    part("clippy", 20, clippy),
    part("doc", 20, doc),
    part("licences", 10, licences::check),
    Part { quick: true, ..part("shape", 20, shape) },
    Part { quick: true, ..part(PURE, 20, pure) },
    part("unit", 20, unit),
    part("build", 30, build),
    Part { needs: &["set-up", "build"], ..part("e2e", 20, e2e) },
    Part { needs: &["set-up", "build"], ..part("browser", 20, browser) },
    part("fuzz", 20, run_fuzz),
    Part { quick: true, ..part("vopr", 20, run_vopr) },
    Part { needs: &["build"], ..part("demo", 4, demo) },
];

/// A command that is a test by itself.
fn one(context: &mut Context, command: &mut Command) -> Outcome {
    match context.run(command) {
        Ok(()) => Outcome::passed(Counts::ONE),
        Err(reason) => Outcome::failed(reason, Counts::default()),
    }
}

/// A command for the workspace, and the same for the fuzzer's.
fn both(context: &mut Context, command: fn(bool) -> Command) -> Outcome {
    let ran = [false, true].map(|fuzz| context.run(&mut command(fuzz)));
    let failed = ran.iter().filter(|it| it.is_err()).count();
    let counts = Counts { passed: ran.len() - failed, failed, skipped: 0 };
    match ran.into_iter().find_map(Result::err) {
        None => Outcome::passed(counts),
        Some(reason) => Outcome::failed(reason, counts),
    }
}

/// A command whose tests are counted in what it prints.
fn many(context: &mut Context, command: &mut Command, count: fn(&str) -> Counts) -> Outcome {
    let ran = context.run(command);
    judged(ran, count(&context.printed()))
}

/// How a part ended whose commands ended so and whose tests are counted.
fn judged(ran: Result<(), String>, counts: Counts) -> Outcome {
    match ran {
        Ok(()) if counts.failed == 0 => Outcome::passed(counts),
        Ok(()) => Outcome::failed("tests failed", counts),
        Err(reason) => Outcome::failed(reason, counts),
    }
}

fn fmt(context: &mut Context) -> Outcome {
    both(context, |fuzz| {
        let mut command = cargo();
        // With `--all` it would go on to the crates that the targets use.
        command.args([
            "fmt",
            if fuzz { "--manifest-path=fuzz/Cargo.toml" } else { "--all" },
            "--check",
        ]);
        command
    })
}

fn clippy(context: &mut Context) -> Outcome {
    both(context, |fuzz| {
        let mut command = cargo();
        command.arg("clippy");
        if fuzz {
            command.arg("--manifest-path=fuzz/Cargo.toml").arg("--target-dir").arg(target());
        } else {
            command.arg("--workspace");
        }
        command.args(["--all-targets", "--", "-D", "warnings"]);
        command
    })
}

fn doc(context: &mut Context) -> Outcome {
    one(
        context,
        cargo().args(["doc", "--no-deps", "--workspace"]).env("RUSTDOCFLAGS", "-Dwarnings"),
    )
}

fn shape(context: &mut Context) -> Outcome {
    let mut command = cargo();
    command.args(["test", "--package", "xtask", "--", "--show-output"]).env("RUST_BACKTRACE", "0");
    many(context, &mut command, counts::of_libtest)
}

fn pure(context: &mut Context) -> Outcome {
    let mut command = cargo();
    command.args(["test", "--lib", "--no-fail-fast"]);
    for name in PURE_CRATES {
        command.args(["--package", name]);
    }
    many(context, &mut command, counts::of_libtest)
}

fn unit(context: &mut Context) -> Outcome {
    let mut command = cargo();
    command.args([
        "test",
        "--workspace",
        "--exclude",
        "xtask",
        "--exclude",
        "e2e",
        "--no-fail-fast",
    ]);
    // The output of tests that pass tells which of them could not run.
    command.args(["--", "--show-output"]);
    let command = lengthen(context, &mut command);
    many(context, command, counts::of_libtest)
}

fn build(context: &mut Context) -> Outcome {
    one(context, cargo().args(["build", "--release", "--package", "wardline"]))
}

fn e2e(context: &mut Context) -> Outcome {
    if let Some(reason) = tools::missing(&["python", "curl", "mosquitto_pub", "openssl", "strace"])
    {
        return Outcome::not_run(reason);
    }
    let test = |target: &[&str], last: &[&str]| {
        let mut command = cargo();
        // The program is named for its features alone: with them the build of before is used.
        command.args(["test", "--release", "--package", "e2e", "--package", "wardline"]);
        command.args(target).args(last);
        tools::tell(&mut command, &wardline());
        lengthen(context, &mut command);
        command
    };
    // Most of them wait for sockets and programs most of the time.
    let threads = (2 * cores()).to_string();
    let mut built = test(&["--lib", "--test", "day"], &["--no-run"]);
    let (sockets, day) = (
        test(&["--lib"], &["--", "--show-output", "--test-threads", &threads]),
        yielding(&test(&["--test", "day"], &["--", "--show-output"])),
    );
    if let Err(reason) = context.run(&mut built) {
        return Outcome::failed(reason, Counts::default());
    }
    // The one waits for sockets and clocks; the other computes while it waits.
    let ran = context.run_side_by_side(vec![("sockets", sockets), ("day", day)], cores());
    let ran = ran.into_iter().collect();
    judged(ran, counts::of_libtest(&context.printed()))
}

fn browser(context: &mut Context) -> Outcome {
    if let Some(reason) = tools::missing(&["node", "playwright", "chromium"]) {
        return Outcome::not_run(reason);
    }
    let tests = files_in(&root().join("tests/browser"), ".test.mjs");
    if tests.is_empty() {
        return Outcome::not_run("tests/browser has no *.test.mjs");
    }
    let node = |file: &Path| {
        let mut command = Command::new("node");
        command.args(["--test", "--test-reporter=tap"]).arg(file).current_dir(root());
        tools::tell(&mut command, &wardline());
        lengthen(context, &mut command);
        command
    };
    let name = |file: &Path| file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let named: Vec<(String, Command)> = tests.iter().map(|file| (name(file), node(file))).collect();
    // What counts the work of a frame has the machine to itself; the others mostly wait. The
    // longest begin first, so that none of them is left alone in the end.
    let (measured, mut others): (Vec<_>, Vec<_>) =
        named.into_iter().partition(|(name, _)| name == MEASURED_BROWSER_TEST);
    others.sort_by_key(|(name, _)| !LONG_BROWSER_TESTS.contains(&name.as_str()));
    let mut ended = Ok(());
    for (_, mut command) in measured {
        ended = ended.and(context.run(&mut command));
    }
    let (names, commands): (Vec<String>, Vec<Command>) = others.into_iter().unzip();
    let others = names.iter().map(String::as_str).zip(commands).collect();
    let ran = context.run_side_by_side(others, cores() + 1);
    let ended = ran.into_iter().fold(ended, Result::and);
    judged(ended, counts::of_node(&context.printed()))
}

fn run_fuzz(context: &mut Context) -> Outcome {
    let targets = match fuzz::targets() {
        Ok(targets) => targets,
        Err(reason) => return Outcome::failed(reason, Counts::default()),
    };
    if targets.is_empty() {
        return Outcome::not_run("fuzz/Cargo.toml names no target yet");
    }
    if let Some(reason) = tools::missing(&["c++"]) {
        return Outcome::not_run(reason);
    }
    let all_s = if context.options.long { FUZZ_LONG_S } else { FUZZ_S };
    if let Err(reason) = fuzz::build(&targets).and_then(|mut command| context.run(&mut command)) {
        return Outcome::failed(reason, Counts::default());
    }
    let seconds = fuzz::share(all_s, targets.len());
    let prepared: Result<Vec<Command>, String> =
        targets.iter().map(|name| fuzz::prepare(name, seconds)).collect();
    let commands = match prepared {
        Ok(commands) => targets.iter().map(String::as_str).zip(commands).collect(),
        Err(reason) => return Outcome::failed(reason, Counts::default()),
    };
    let mut counts = Counts::default();
    let mut reasons = Vec::new();
    for (name, ran) in targets.iter().zip(context.run_side_by_side(commands, cores())) {
        match ran {
            Ok(()) => counts.passed += 1,
            Err(reason) => {
                counts.failed += 1;
                reasons.push(fuzz::explain(name, &reason));
            }
        }
    }
    if reasons.is_empty() {
        Outcome::passed(counts)
    } else {
        Outcome::failed(reasons.join("; "), counts)
    }
}

fn run_vopr(context: &mut Context) -> Outcome {
    if context.options.quick {
        let mut command = cargo();
        command.args(["test", "--package", "store", "--example", "vopr"]);
        return many(context, &mut command, counts::of_libtest);
    }
    if let Err(reason) = context.run(&mut vopr::build()) {
        return Outcome::failed(reason, Counts::default());
    }
    let minutes = if context.options.long { VOPR_LONG_MIN } else { VOPR_MIN };
    let mut command = Command::new(vopr::program());
    command.args(["--seeds", "1000000", "--minutes", &minutes.to_string()]);
    let simulated = one(context, &mut command);
    if !context.options.long || simulated.counts.failed > 0 {
        return simulated;
    }
    one(context, cargo().args(["run", "--quiet", "--package", "xtask", "--", "vopr", "--bugs"]))
}

fn demo(context: &mut Context) -> Outcome {
    let mut command = Command::new(wardline());
    command.args(["demo", "--check", "--json"]).current_dir(root());
    match context.run_apart(&mut command, "demo.json") {
        Ok(printed) if printed.trim_start().starts_with('{') && printed.lines().count() == 1 => {
            Outcome::passed(Counts::ONE)
        }
        Ok(printed) => {
            let lines = printed.lines().count();
            let reason = format!("stdout has {lines} lines instead of one line of JSON");
            Outcome::failed(reason, Counts::default())
        }
        Err(reason) => Outcome::failed(reason, Counts::default()),
    }
}

/// The release build of the program.
fn wardline() -> PathBuf {
    target().join("release/wardline")
}

/// The same command behind everything else: what waits for a clock beside it is not late.
fn yielding(command: &Command) -> Command {
    let mut behind = Command::new("nice");
    behind.args(["-n", "10"]).arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => behind.env(name, value),
            None => behind.env_remove(name),
        };
    }
    if let Some(folder) = command.get_current_dir() {
        behind.current_dir(folder);
    }
    behind
}

/// How many programs the machine runs at the same time.
pub fn cores() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

fn lengthen<'a>(context: &Context, command: &'a mut Command) -> &'a mut Command {
    if context.options.long { command.env("WARDLINE_LONG", "1") } else { command }
}

/// The files of a folder by their ending, in the order of their names.
fn files_in(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut found: Vec<PathBuf> =
        entries.filter(|path| path.to_string_lossy().ends_with(ending)).collect();
    found.sort();
    found
}

#[test]
fn a_command_that_yields_is_the_same_command() {
    let mut command = Command::new("sh");
    command.args(["-c", "nice; echo $WARDLINE_LONG $HOME; pwd"]);
    command.env("WARDLINE_LONG", "1").env_remove("HOME").current_dir("/");
    let printed = yielding(&command).output().unwrap().stdout;
    let printed = String::from_utf8(printed).unwrap();
    let (nice, rest) = printed.split_once('\n').unwrap();
    assert!(nice.parse::<i32>().unwrap() >= 10, "{printed}");
    assert_eq!(rest, "1\n/\n");
}
