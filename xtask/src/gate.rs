//! The gate: every part of it in order, whatever became of the one before, and one line that sums up.
//!
//! **Absent on purpose:** a way to leave a part out silently; what did not run is listed.

use std::{
    fs::{self, File},
    io,
    path::PathBuf,
    process::{Command, ExitCode},
    time::Duration,
};

use crate::{
    child::{self, End, Progress},
    refuse, target,
};

mod counts;
mod licences;
mod parts;
mod tools;

use counts::Counts;
use parts::{PARTS, Part};

pub const HELP: &str = "\
Run the gate: everything that must be green before a change is merged.

usage: cargo xtask test [--quick | --long] [--strict] [--only PART]...

options:
  --quick       the inner loop, about a minute: shape tests, the pure crates, a few seeds; no set-up, no network
  --long        everything, for hours: long fuzzing, WARDLINE_LONG=1 for the tests that know it
  --strict      a part that could not run fails the gate, as in CI
  --only PART   this part and what it needs; may be given more than once

parts, in order:
  set-up     installs what the tests need (Debian and Ubuntu), or says what to install
  fmt        cargo fmt --check
  clippy     lints as errors, all targets
  doc        rustdoc without warnings
  licences   licences, bans and sources of all dependencies
  shape      cargo xtask check
  unit       the tests of all crates and of the documentation
  build      the release build of wardline
  e2e        the built program against programs that we did not write
  browser    every screen in Chromium
  fuzz       every decoder, four minutes in all, one decoder on each core
  vopr       journal, series and records under faults, three minutes of seeds
  demo       wardline demo --check --json

What a part prints goes to target/xtask/PART.log; its end is shown if the part fails.
The last line reads `test: N passed, N failed, N skipped`; a part that did not run counts as skipped.

examples:
  cargo xtask test
  cargo xtask test --quick
  cargo xtask test --only e2e --only browser
";

/// How many lines of a failed part's log are shown.
const TAIL_LINES: usize = 60;

/// What was asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Options {
    quick: bool,
    long: bool,
    strict: bool,
    only: Vec<String>,
}

/// How a part ended.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Verdict {
    Passed,
    Failed(String),
    NotRun(String),
}

/// A part's end, its tests, and the tests inside of it that said that they could not run.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Outcome {
    verdict: Verdict,
    counts: Counts,
    not_run: Vec<String>,
}

impl Outcome {
    fn not_run(reason: impl Into<String>) -> Self {
        let counts = Counts { skipped: 1, ..Counts::default() };
        Self { verdict: Verdict::NotRun(reason.into()), counts, not_run: Vec::new() }
    }

    fn failed(reason: impl Into<String>, counts: Counts) -> Self {
        // A crate that does not compile has no failed test, and has failed.
        let counts = Counts { failed: counts.failed.max(1), ..counts };
        Self { verdict: Verdict::Failed(reason.into()), counts, not_run: Vec::new() }
    }

    fn passed(counts: Counts) -> Self {
        Self { verdict: Verdict::Passed, counts, not_run: Vec::new() }
    }
}

/// What a part works with: the options, its log, and its line of progress.
struct Context<'a> {
    options: &'a Options,
    log_path: PathBuf,
    log: File,
    progress: Progress,
    limit: Duration,
}

impl Context<'_> {
    /// Runs a command into the part's log.
    fn run(&mut self, command: &mut Command) -> Result<(), String> {
        let end = child::run(command, &self.log, self.limit, &mut self.progress);
        self.judge(command, end)
    }

    /// The same with its stdout in a file beside the log.
    fn run_apart(&mut self, command: &mut Command, stdout: &str) -> Result<String, String> {
        let path = self.log_path.with_file_name(stdout);
        let file = File::create(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        let end = child::run_apart(command, file, &self.log, self.limit, &mut self.progress);
        self.judge(command, end)?;
        fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))
    }

    /// Runs commands at the same time, `at_once` of them.
    /// Each has a log beside the part's while it runs; afterwards it is in the part's, in their order.
    fn run_side_by_side(
        &mut self,
        named: Vec<(&str, Command)>,
        at_once: usize,
    ) -> Vec<Result<(), String>> {
        let stem = self.log_path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let path = |name: &str| self.log_path.with_file_name(format!("{stem}-{name}.log"));
        let mut logs = Vec::new();
        for (name, _) in &named {
            match File::create(path(name)) {
                Ok(log) => logs.push(log),
                Err(error) => return vec![Err(format!("{}: {error}", path(name).display()))],
            }
        }
        let (names, commands): (Vec<&str>, Vec<Command>) = named.into_iter().unzip();
        // An end is judged by its program's name, which the run takes away.
        let again: Vec<Command> =
            commands.iter().map(|command| Command::new(command.get_program())).collect();
        let commands = commands.into_iter().zip(logs).collect();
        let ends = child::run_side_by_side(commands, at_once, self.limit, &mut self.progress);
        let mut judged = Vec::new();
        for ((name, command), end) in names.iter().zip(&again).zip(ends) {
            let copied =
                File::open(path(name)).and_then(|mut log| io::copy(&mut log, &mut self.log));
            let copied = copied.map_err(|error| format!("{}: {error}", path(name).display()));
            judged.push(self.judge(command, end).and(copied.map(drop)));
        }
        judged
    }

    fn judge(&self, command: &Command, end: std::io::Result<End>) -> Result<(), String> {
        let name = command.get_program().to_string_lossy().into_owned();
        let name = name.rsplit('/').next().unwrap_or_default();
        match end {
            Ok(End::Success) => Ok(()),
            Ok(End::Failure(how)) => Err(format!("{name}: {how}")),
            Ok(End::TimedOut) => Err(format!("{name}: not done after {} s", self.limit.as_secs())),
            Err(error) => Err(format!("{name} could not be started: {error}")),
        }
    }

    /// What the part has printed so far.
    fn printed(&self) -> String {
        let bytes = fs::read(&self.log_path).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

pub fn main(args: &[&str]) -> ExitCode {
    let options = match parse(args) {
        Ok(options) => options,
        Err(what) => return refuse(&what, "cargo xtask test --help"),
    };
    let logs = target().join("xtask");
    if let Err(error) = fs::create_dir_all(&logs) {
        eprintln!("error: {} cannot be made: {error}", logs.display());
        return ExitCode::from(2);
    }
    let chosen = choose(&options);
    let mut outcomes: Vec<(&Part, Outcome)> = Vec::new();
    for (at, part) in chosen.iter().enumerate() {
        let title = format!("[{}/{}] {}", at + 1, chosen.len(), part.name);
        let broken = outcomes.iter().find(|(before, outcome)| {
            part.needs.contains(&before.name) && matches!(outcome.verdict, Verdict::Failed(_))
        });
        let outcome = match broken {
            Some((before, _)) => {
                let progress = Progress::start(title);
                let outcome = Outcome::not_run(format!("{} failed", before.name));
                progress.end(&describe(&outcome));
                outcome
            }
            None => run(part, &options, title, logs.join(format!("{}.log", part.name))),
        };
        outcomes.push((part, outcome));
    }
    sum_up(&outcomes, options.strict)
}

fn run(part: &Part, options: &Options, title: String, log_path: PathBuf) -> Outcome {
    let log = match File::options().create(true).truncate(true).write(true).open(&log_path) {
        // Several processes write to it in turn, so each write must go to the end.
        Ok(_) => File::options().append(true).open(&log_path),
        Err(error) => Err(error),
    };
    let log = match log {
        Ok(log) => log,
        Err(error) => {
            return Outcome::failed(format!("{}: {error}", log_path.display()), Counts::default());
        }
    };
    let minutes = if options.long { part.long_limit_min } else { part.limit_min };
    let limit = Duration::from_secs(60 * minutes);
    let progress = Progress::start(title);
    let mut context = Context { options, log_path, log, progress, limit };
    let mut outcome = (part.run)(&mut context);
    let printed = context.printed();
    outcome.not_run = counts::not_run_inside(&printed);
    outcome.counts = outcome.counts.with_skipped_inside(outcome.not_run.len());
    context.progress.end(&describe(&outcome));
    if let Verdict::Failed(reason) = &outcome.verdict {
        let lines: Vec<&str> = printed.lines().collect();
        let from = lines.len().saturating_sub(TAIL_LINES);
        for line in lines.iter().skip(from) {
            eprintln!("    {line}");
        }
        eprintln!("    {reason}; all of it: {}", context.log_path.display());
    }
    outcome
}

fn describe(outcome: &Outcome) -> String {
    let Counts { passed, failed, skipped } = outcome.counts;
    match &outcome.verdict {
        Verdict::Passed if skipped == 0 => format!("passed, {passed}"),
        Verdict::Passed => format!("passed, {passed}, and {skipped} skipped"),
        Verdict::Failed(_) => format!("FAILED, {failed} of {}", passed + failed),
        Verdict::NotRun(reason) => format!("NOT RUN: {reason}"),
    }
}

fn parse(args: &[&str]) -> Result<Options, String> {
    let mut options = Options::default();
    let mut rest = args.iter();
    while let Some(arg) = rest.next() {
        match *arg {
            "--quick" => options.quick = true,
            "--long" => options.long = true,
            "--strict" => options.strict = true,
            "--only" => {
                let name = rest.next().ok_or("--only wants the name of a part")?;
                if !PARTS.iter().any(|part| part.name == *name) {
                    let names: Vec<&str> = PARTS.iter().map(|part| part.name).collect();
                    return Err(format!("there is no part `{name}`, only {}", names.join(", ")));
                }
                options.only.push((*name).to_owned());
            }
            other => return Err(format!("there is no option `{other}`")),
        }
    }
    if options.quick && (options.long || !options.only.is_empty()) {
        return Err("--quick is a choice of parts of its own".into());
    }
    Ok(options)
}

/// The parts to run, in their order, with what they need.
fn choose(options: &Options) -> Vec<&'static Part> {
    if options.quick {
        return PARTS.iter().filter(|part| part.quick).collect();
    }
    let wanted = |part: &Part| {
        options.only.is_empty()
            || options.only.iter().any(|name| {
                let named = PARTS.iter().find(|it| it.name == name);
                part.name == name || named.is_some_and(|it| it.needs.contains(&part.name))
            })
    };
    // `pure` is the part of the inner loop alone; `unit` does the same and more.
    let loop_only =
        |part: &Part| part.name == parts::PURE && !options.only.iter().any(|it| it == parts::PURE);
    PARTS.iter().filter(|part| wanted(part) && !loop_only(part)).collect()
}

fn sum_up(outcomes: &[(&Part, Outcome)], strict: bool) -> ExitCode {
    let mut sum = Counts::default();
    let mut red = false;
    for (part, outcome) in outcomes {
        let mut counts = outcome.counts;
        match &outcome.verdict {
            Verdict::Passed => {}
            Verdict::Failed(reason) => {
                red = true;
                eprintln!("FAILED: {} ({reason})", part.name);
            }
            Verdict::NotRun(reason) => {
                eprintln!("NOT RUN: {} ({reason})", part.name);
                if strict {
                    red = true;
                    counts = Counts { failed: 1, ..Counts::default() };
                }
            }
        }
        for inside in &outcome.not_run {
            eprintln!("NOT RUN: {}: {inside}", part.name);
        }
        sum = sum.plus(counts);
    }
    println!("test: {} passed, {} failed, {} skipped", sum.passed, sum.failed, sum.skipped);
    if red { ExitCode::from(1) } else { ExitCode::SUCCESS }
}

#[test]
fn options_are_understood_or_refused_by_name() {
    let check = |args: &[&str], want: Result<Options, &str>| {
        assert_eq!(parse(args), want.map_err(str::to_owned), "{args:?}");
    };
    check(&[], Ok(Options::default()));
    check(
        &["--quick", "--strict"],
        Ok(Options { quick: true, strict: true, ..Options::default() }),
    );
    check(&["--only", "fmt"], Ok(Options { only: vec!["fmt".into()], ..Options::default() }));
    check(&["--only"], Err("--only wants the name of a part"));
    check(&["--fast"], Err("there is no option `--fast`"));
    check(&["--quick", "--long"], Err("--quick is a choice of parts of its own"));
    assert!(
        parse(&["--only", "e3e"])
            .unwrap_err()
            .starts_with("there is no part `e3e`, only set-up, fmt,")
    );
}

#[test]
fn a_part_alone_brings_what_it_needs_and_the_gate_brings_all() {
    let names = |args: &[&str]| -> Vec<&str> {
        choose(&parse(args).unwrap()).iter().map(|part| part.name).collect()
    };
    assert_eq!(names(&["--quick"]), ["shape", "pure", "vopr"]);
    assert_eq!(names(&["--only", "browser"]), ["set-up", "build", "browser"]);
    assert_eq!(names(&["--only", "demo", "--only", "fmt"]), ["fmt", "build", "demo"]);
    let all = names(&[]);
    for name in all.iter().chain(["pure"].iter()).filter(|name| **name != "pure") {
        assert!(HELP.contains(&format!("\n  {name} ")), "--help does not name {name}");
    }
    assert_eq!(all.len(), PARTS.len() - 1);
}
