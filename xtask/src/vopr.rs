//! Runs the simulator of storage under faults, and shows that it finds planted bugs.
//!
//! The simulator is an example of the crate `store`. Bugs are planted in a copy of the few
//! crates that it needs, in `target/vopr/tree`, so that the tree stays as it is; only
//! `store` and the simulator are compiled anew for each.
//!
//! **Absent on purpose:** the simulator itself, as this program uses no crate of ours.

use std::{
    collections::BTreeSet,
    env,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
    time::Duration,
};

use toml::Table;

use crate::{
    cargo,
    child::{self, End, Progress},
    refuse, root, target,
};

pub const HELP: &str = "\
Simulate the storage under faults: journal, series and records live and die on a disk that breaks.

usage: cargo xtask vopr [--seeds N] [--seed S] [--minutes M] [--jobs J] [--report FILE]
       cargo xtask vopr --bugs [NAME]...

options:
  --seeds N     how many seeds, 100 if not told; each is a run of 1,000 operations or more
  --seed S      the first of them, 0 if not told
  --minutes M   stop after so long, however many seeds are left
  --jobs J      how many at once, one for each core if not told
  --report FILE write a page about the run: how often each fault fired, what was checked
  --bugs        plant each bug of crates/store/vopr/bugs/ in a copy and show that it is found

The same seed makes the same run. A seed that fails is printed with the command that repeats it.

examples:
  cargo xtask vopr --seeds 10000
  cargo xtask vopr --seeds 1 --seed 4711
  cargo xtask vopr --bugs
";

const BUGS: &str = "crates/store/vopr/bugs";
/// A bug must show itself within so many seeds, and within so long.
const BUG_SEEDS: u64 = 1_000;
const BUG_LIMIT: Duration = Duration::from_secs(600);

pub fn main(args: &[&str]) -> ExitCode {
    let done = match args.split_first() {
        Some((&"--bugs", names)) => bugs(names),
        _ => {
            if !are_options(args) {
                let what = "options are --seeds, --seed, --minutes and --jobs, each with a number, and --report with a file";
                return refuse(what, "cargo xtask vopr --help");
            }
            run(args)
        }
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
    }
}

/// Whether the simulator understands these.
fn are_options(args: &[&str]) -> bool {
    args.chunks(2).all(|pair| match pair {
        ["--seeds" | "--seed" | "--minutes" | "--jobs", number] => number.parse::<u64>().is_ok(),
        ["--report", _] => true,
        _ => false,
    })
}

/// Builds and runs the simulator with these options; false if a seed failed.
fn run(options: &[&str]) -> Result<bool, String> {
    let built = build().status();
    if !built.map_err(|error| format!("cargo could not be started: {error}"))?.success() {
        return Err("the simulator does not build".into());
    }
    let status = Command::new(program()).args(options).status();
    let status = status.map_err(|error| format!("the simulator could not be started: {error}"))?;
    Ok(status.success())
}

fn workshop() -> PathBuf {
    target().join("vopr")
}

fn tree() -> PathBuf {
    workshop().join("tree")
}

/// The simulator as it was built last.
pub fn program() -> PathBuf {
    target().join("release/examples/vopr")
}

/// The command that builds the simulator.
pub fn build() -> Command {
    let mut command = cargo();
    command.args(["build", "--release", "--package", "store", "--example", "vopr"]);
    // The program is named for its features alone: with them its release build is used.
    command.args(["--package", "wardline"]);
    command
}

/// The simulator with a bug in it.
fn faulty() -> PathBuf {
    workshop().join("release/examples/vopr")
}

/// The command that builds the simulator from the copy.
fn build_faulty() -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(["build", "--release", "--package", "store", "--example", "vopr"]);
    command.arg("--target-dir").arg(workshop()).current_dir(tree());
    command
}

/// Brings the copy up to date; a file that is the same keeps its time, so that cargo
/// compiles only what changed.
fn copy_tree() -> Result<(), String> {
    let said = |error: io::Error| format!("{}: {error}", tree().display());
    for name in copied()? {
        let folder = Path::new("crates").join(name);
        mirror(&root().join(&folder), &tree().join(&folder)).map_err(said)?;
    }
    let manifest = fs::read_to_string(root().join("Cargo.toml")).map_err(said)?;
    put(&tree().join("Cargo.toml"), alone(&manifest).as_bytes()).map_err(said)?;
    let lock = tree().join("Cargo.lock");
    if !lock.exists() {
        fs::copy(root().join("Cargo.lock"), lock).map_err(said)?;
    }
    Ok(())
}

/// The crates that the simulator is built from: `store`, and those of ours that it needs.
fn copied() -> Result<BTreeSet<String>, String> {
    let mut found = BTreeSet::from(["store".to_owned()]);
    let mut open = vec!["store".to_owned()];
    while let Some(name) = open.pop() {
        let path = root().join("crates").join(name).join("Cargo.toml");
        let said = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
        let text = fs::read_to_string(&path).map_err(|error| said(&error))?;
        let manifest: Table = text.parse().map_err(|error| said(&error))?;
        let tables = ["dependencies", "dev-dependencies", "build-dependencies"];
        let names = tables.iter().filter_map(|table| manifest.get(*table)?.as_table());
        for name in names.flat_map(Table::keys) {
            let is_ours = root().join("crates").join(name).is_dir();
            if is_ours && found.insert(name.clone()) {
                open.push(name.clone());
            }
        }
    }
    Ok(found)
}

/// The manifest of a workspace that has only the copied crates.
fn alone(manifest: &str) -> String {
    let lines = manifest.lines().filter(|line| !line.starts_with("default-members"));
    let lines = lines
        .map(|line| if line.starts_with("members = ") { "members = [\"crates/*\"]" } else { line });
    lines.flat_map(|line| [line, "\n"]).collect()
}

fn mirror(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(to)? {
        let entry = entry?;
        if !from.join(entry.file_name()).exists() {
            let path = entry.path();
            if path.is_dir() { fs::remove_dir_all(path)? } else { fs::remove_file(path)? }
        }
    }
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let copy = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            mirror(&entry.path(), &copy)?;
        } else {
            put(&copy, &fs::read(entry.path())?)?;
        }
    }
    Ok(())
}

/// Writes a file unless it says the same already.
fn put(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if fs::read(path).is_ok_and(|found| found == bytes) { Ok(()) } else { fs::write(path, bytes) }
}

/// The names of the planted bugs, in order.
fn planted() -> Vec<String> {
    let entries = fs::read_dir(root().join(BUGS)).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let mut names: Vec<String> =
        names.filter_map(|name| name.strip_suffix(".patch").map(str::to_owned)).collect();
    names.sort();
    names
}

/// The command that plants a bug in the copy.
fn plant(name: &str) -> Command {
    let mut command = Command::new("git");
    command.arg("apply").arg(root().join(BUGS).join(format!("{name}.patch")));
    // The copy lies in a folder that git ignores; without a repository it looks at the files.
    command.env("GIT_CEILING_DIRECTORIES", workshop()).current_dir(tree());
    command
}

/// Plants one bug after the other; false if one of them was not found.
fn bugs(names: &[&str]) -> Result<bool, String> {
    let all = planted();
    if let Some(name) = names.iter().find(|name| !all.iter().any(|it| it == *name)) {
        return Err(format!("there is no bug `{name}`, only {}", all.join(", ")));
    }
    let chosen: Vec<&String> =
        all.iter().filter(|name| names.is_empty() || names.contains(&name.as_str())).collect();
    let mut missed = 0;
    for (number, name) in chosen.iter().enumerate() {
        let progress = Progress::start(format!("[{}/{}] {name}", number + 1, chosen.len()));
        match find(name, progress)? {
            Some(how) => println!("{name:<28} found: {how}"),
            None => {
                missed += 1;
                println!("{name:<28} NOT FOUND in {BUG_SEEDS} seeds");
            }
        }
    }
    copy_tree()?;
    println!("{} of {} planted bugs found", chosen.len() - missed, chosen.len());
    Ok(missed == 0)
}

/// Plants a bug, and tells how it was found.
fn find(name: &str, mut progress: Progress) -> Result<Option<String>, String> {
    copy_tree()?;
    let planted = plant(name).output().map_err(|error| format!("no git: {error}"))?;
    if !planted.status.success() {
        let why = String::from_utf8_lossy(&planted.stderr).into_owned();
        return Err(format!("{name} cannot be planted any more, renew it: {why}"));
    }
    let path = workshop().join(format!("{name}.log"));
    let log = File::create(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    let fault = |error: io::Error| format!("{name}: {error}");
    if child::run(&mut build_faulty(), &log, BUG_LIMIT, &mut progress).map_err(fault)?
        != End::Success
    {
        return Err(format!("{name} does not build: {}", path.display()));
    }
    let mut simulator = Command::new(faulty());
    simulator.args(["--seeds", &BUG_SEEDS.to_string()]);
    let ended = child::run(&mut simulator, &log, BUG_LIMIT, &mut progress).map_err(fault)?;
    let printed = fs::read_to_string(&path).map_err(fault)?;
    let how = printed.lines().find_map(|line| line.strip_prefix("error: ")).map(str::to_owned);
    progress.end(if how.is_some() { "found" } else { "NOT FOUND" });
    match ended {
        End::Failure(code) if code.ends_with(": 1") => Ok(how),
        End::Failure(code) => Err(format!("{name}: the simulator ended with {code}")),
        End::TimedOut => Err(format!("{name}: the simulator hangs")),
        End::Success => Ok(None),
    }
}

#[test]
fn options_come_with_a_number_or_a_file() {
    let understood: [&[&str]; 3] =
        [&[], &["--seeds", "7", "--seed", "0"], &["--report", "a.md", "--minutes", "3"]];
    let refused: [&[&str]; 4] =
        [&["--seeds"], &["--seeds", "many"], &["--sed", "1"], &["--seeds", "7", "--report"]];
    assert!(understood.iter().all(|args| are_options(args)));
    assert!(!refused.iter().any(|args| are_options(args)));
}

#[test]
fn the_copy_is_a_workspace_of_its_own() {
    let manifest =
        "[workspace]\nmembers = [\"crates/*\", \"tests\"]\ndefault-members = [\"a\"]\nx = 1\n";
    assert_eq!(alone(manifest), "[workspace]\nmembers = [\"crates/*\"]\nx = 1\n");
}

#[test]
fn every_planted_bug_still_fits_the_tree() {
    assert!(planted().len() >= 8, "{:?}", planted());
    let place = target().join("vopr-check");
    for name in copied().unwrap() {
        let folder = Path::new("crates").join(name);
        mirror(&root().join(&folder), &place.join(&folder)).unwrap();
    }
    for name in planted() {
        let mut check = plant(&name);
        check.arg("--check").env("GIT_CEILING_DIRECTORIES", target()).current_dir(&place);
        let said = check.output().unwrap();
        let why = String::from_utf8_lossy(&said.stderr);
        assert!(said.status.success(), "{name} cannot be planted any more, renew it: {why}");
    }
}
