//! Coverage-guided fuzzing with libFuzzer on stable Rust; docs/adr/0004 says how and why.
//!
//! **Absent on purpose:** the targets, which are in `fuzz/`, and a memory sanitizer, as no crate of ours has unsafe code.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Command, ExitCode, Stdio},
};

use toml::{Table, Value};

use crate::{cargo, refuse, root, target};

pub const HELP: &str = "\
Fuzz the decoders: bytes that no device would send must cost nothing but an error.

usage: cargo xtask fuzz [--seconds N] [--keep] [TARGET]...

options:
  --seconds N   how long in all, shared by the targets; 240 if not told
  --keep        afterwards adds the inputs that reached something new to the committed ones

A target starts from its committed inputs in fuzz/corpus/TARGET/ and works on a copy in target/fuzz/corpus/.
An input that crashes it is kept in target/fuzz/crashes/TARGET/, and its path is printed.

examples:
  cargo xtask fuzz
  cargo xtask fuzz --seconds 3600 senml_cbor
";

const SECONDS: u64 = 240;

/// The passes that `cargo fuzz` uses, apart from the sanitizer that only nightly has.
const FLAGS: &str = "--cfg fuzzing \
    -Cpasses=sancov-module \
    -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
    -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares \
    -Ccodegen-units=1";

/// An input may take this long, and a target this much memory.
const INPUT_TIMEOUT_S: u64 = 10;
const MEMORY_MAX_MIB: u64 = 2_048;

/// What was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Wish {
    seconds: u64,
    keep: bool,
    targets: Vec<String>,
}

pub fn main(args: &[&str]) -> ExitCode {
    let all = match targets() {
        Ok(all) => all,
        Err(error) => {
            eprintln!("error: {error}");
            return ExitCode::from(2);
        }
    };
    let wish = match parse(args, &all) {
        Ok(wish) => wish,
        Err(what) => return refuse(&what, "cargo xtask fuzz --help"),
    };
    match fuzz(&wish) {
        Ok(crashes) if crashes.is_empty() => {
            eprintln!("{} targets, no crash", wish.targets.len());
            ExitCode::SUCCESS
        }
        Ok(crashes) => {
            for crash in crashes {
                eprintln!("error: {crash}");
            }
            ExitCode::from(1)
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
    }
}

fn parse(args: &[&str], all: &[String]) -> Result<Wish, String> {
    let mut wish = Wish { seconds: SECONDS, keep: false, targets: Vec::new() };
    let mut rest = args.iter();
    while let Some(arg) = rest.next() {
        match *arg {
            "--seconds" => {
                let told = rest.next().and_then(|it| it.parse().ok()).filter(|it| *it > 0);
                wish.seconds = told.ok_or("--seconds wants a whole number above zero")?;
            }
            "--keep" => wish.keep = true,
            name if all.iter().any(|it| it == name) => wish.targets.push(name.to_owned()),
            name => return Err(format!("there is no target `{name}`, only {}", all.join(", "))),
        }
    }
    if wish.targets.is_empty() {
        wish.targets = all.to_vec();
    }
    if wish.targets.is_empty() { Err("fuzz/Cargo.toml names no target".into()) } else { Ok(wish) }
}

/// Runs the targets one after another, and tells what crashed.
fn fuzz(wish: &Wish) -> Result<Vec<String>, String> {
    let built = build(&wish.targets)?.status();
    if !built.map_err(|error| format!("cargo could not be started: {error}"))?.success() {
        return Err("the targets do not build".into());
    }
    let share = share(wish.seconds, wish.targets.len());
    let mut crashes = Vec::new();
    for (at, name) in wish.targets.iter().enumerate() {
        eprintln!("[{}/{}] {name}, {share} s", at + 1, wish.targets.len());
        let log = target().join("fuzz").join(format!("{name}.log"));
        let file = File::create(&log).map_err(|error| format!("{}: {error}", log.display()))?;
        let mut command = prepare(name, share)?;
        let status = command.stderr(file).status();
        let status = status.map_err(|error| format!("{name} could not be started: {error}"))?;
        let printed = fs::read_to_string(&log).unwrap_or_default();
        if !status.success() {
            crashes.push(explain(name, &format!("{status}, all of it: {}", log.display())));
            continue;
        }
        eprintln!("    {}", statistics(&printed));
        if wish.keep {
            let kept = keep(name)?.stderr(Stdio::null()).status();
            kept.map_err(|error| format!("{name} could not be started: {error}"))?;
        }
    }
    Ok(crashes)
}

/// Seconds for each of so many targets.
pub fn share(seconds: u64, targets: usize) -> u64 {
    u64::try_from(targets).map_or(seconds, |targets| seconds / targets.max(1)).max(1)
}

/// The last line of libFuzzer that tells how far it came.
fn statistics(printed: &str) -> &str {
    let done = printed.lines().rfind(|line| line.contains(" cov: "));
    done.unwrap_or("no coverage was reported").trim()
}

/// The names of the targets: the binaries of `fuzz/Cargo.toml`.
pub fn targets() -> Result<Vec<String>, String> {
    let path = root().join("fuzz/Cargo.toml");
    let text = fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    let manifest: Table = text.parse().map_err(|error| format!("{}: {error}", path.display()))?;
    let binaries = manifest.get("bin").and_then(Value::as_array);
    let names = binaries.into_iter().flatten().filter_map(|it| it.get("name")?.as_str());
    Ok(names.map(str::to_owned).collect())
}

/// The platform of this machine; naming it keeps the flags away from build scripts.
fn platform() -> Result<String, String> {
    let output = Command::new("rustc").arg("-vV").current_dir(root()).output();
    let output = output.map_err(|error| format!("rustc could not be started: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).ok_or_else(|| "rustc does not tell its host".into())
}

/// The command that builds these targets.
pub fn build(names: &[String]) -> Result<Command, String> {
    let mut command = cargo();
    command.args(["build", "--release", "--manifest-path", "fuzz/Cargo.toml"]);
    command.arg("--target").arg(platform()?).arg("--target-dir").arg(target().join("fuzz"));
    for name in names {
        command.args(["--bin", name]);
    }
    command.env("RUSTFLAGS", FLAGS).env_remove("CARGO_ENCODED_RUSTFLAGS");
    Ok(command)
}

fn program(name: &str) -> Result<PathBuf, String> {
    Ok(target().join("fuzz").join(platform()?).join("release").join(name))
}

fn crashes(name: &str) -> PathBuf {
    target().join("fuzz/crashes").join(name)
}

/// The command that runs a target, with a fresh copy of its committed corpus.
pub fn prepare(name: &str, seconds: u64) -> Result<Command, String> {
    let corpus = target().join("fuzz/corpus").join(name);
    let said = |path: &Path| {
        let path = path.display().to_string();
        move |error: std::io::Error| format!("{path}: {error}")
    };
    for folder in [&corpus, &crashes(name)] {
        if folder.exists() {
            fs::remove_dir_all(folder).map_err(said(folder))?;
        }
        fs::create_dir_all(folder).map_err(said(folder))?;
    }
    let committed = root().join("fuzz/corpus").join(name);
    for entry in fs::read_dir(&committed).into_iter().flatten().flatten() {
        fs::copy(entry.path(), corpus.join(entry.file_name())).map_err(said(&entry.path()))?;
    }
    let mut command = Command::new(program(name)?);
    command.arg(format!("-max_total_time={seconds}"));
    command
        .arg(format!("-timeout={INPUT_TIMEOUT_S}"))
        .arg(format!("-rss_limit_mb={MEMORY_MAX_MIB}"));
    command
        .arg(format!("-artifact_prefix={}/", crashes(name).display()))
        .arg("-print_final_stats=1");
    let words = root().join("fuzz/words").join(format!("{name}.dict"));
    if words.is_file() {
        command.arg(format!("-dict={}", words.display()));
    }
    command.arg(corpus).current_dir(root());
    Ok(command)
}

/// The command that adds what reached something new to the committed corpus.
fn keep(name: &str) -> Result<Command, String> {
    let mut command = Command::new(program(name)?);
    // The fewest inputs that reach every branch; how often they do is not worth a file each.
    command
        .args(["-set_cover_merge=1", "-use_counters=0"])
        .arg(root().join("fuzz/corpus").join(name));
    command.arg(target().join("fuzz/corpus").join(name)).current_dir(root());
    Ok(command)
}

/// What to tell about a target that ended badly.
pub fn explain(name: &str, reason: &str) -> String {
    let inputs = fs::read_dir(crashes(name)).into_iter().flatten().flatten();
    let mut inputs: Vec<String> = inputs.map(|entry| entry.path().display().to_string()).collect();
    inputs.sort();
    let found = if inputs.is_empty() { "kept no input".into() } else { inputs.join(", ") };
    format!("{name} crashed ({reason}): {found}; mend it and keep the input in fuzz/corpus/{name}/")
}

#[test]
fn seconds_and_targets_are_understood_or_refused_by_name() {
    let all = ["frame".to_owned(), "topic".to_owned()];
    let wish =
        |seconds, targets: &[String]| Wish { seconds, keep: false, targets: targets.to_vec() };
    let check = |args: &[&str], want: Result<Wish, &str>| {
        assert_eq!(parse(args, &all), want.map_err(str::to_owned), "{args:?}");
    };
    check(&[], Ok(wish(SECONDS, &all)));
    check(&["topic", "--seconds", "9"], Ok(wish(9, &all[1..])));
    check(&["--keep"], Ok(Wish { keep: true, ..wish(SECONDS, &all) }));
    check(&["--seconds", "0"], Err("--seconds wants a whole number above zero"));
    check(&["--seconds"], Err("--seconds wants a whole number above zero"));
    check(&["wave"], Err("there is no target `wave`, only frame, topic"));
    assert_eq!(parse(&[], &[]), Err("fuzz/Cargo.toml names no target".into()));
}

#[test]
fn every_target_gets_an_equal_share_and_at_least_a_second() {
    assert_eq!([share(240, 9), share(240, 0), share(3, 9)], [26, 240, 1]);
}

#[test]
fn the_last_line_with_coverage_tells_how_far_a_target_came() {
    let printed = "#2\tINITED cov: 8 ft: 8\n#9\tDONE   cov: 12 ft: 13\nstat::x: 1\n";
    assert_eq!(statistics(printed), "#9\tDONE   cov: 12 ft: 13");
    assert_eq!(statistics(""), "no coverage was reported");
}
