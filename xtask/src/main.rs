//! Chores of the repository: the shape tests, the gate, the fuzzer, and the simulator.
//!
//! Data goes to stdout, everything else to stderr.
//! Exit 0 is done, 1 is a red test or a request that cannot be understood, 2 is a fault of the chore itself.
//!
//! **Absent on purpose:** any crate of ours, so that it builds when they do not.

use std::{
    env,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

mod child;
mod fuzz;
mod gate;
mod package;
#[cfg(test)]
mod shape;
mod vopr;

const HELP: &str = "\
Chores of the Wardline repository.

usage: cargo xtask <command> [options]

commands:
  check   the shape tests: layers, lints, names, links, controls
  test    the gate: everything that must be green before a change is merged
  fuzz    coverage-guided fuzzing of every decoder, on stable Rust
  vopr    the simulator of storage under faults, and the bugs that it must find
  package the Debian package

`cargo xtask <command> --help` says more about one command.

examples:
  cargo xtask test --quick      the inner loop, about a minute
  cargo xtask test              the gate, under 40 minutes on two cores
";

const HELP_OF_CHECK: &str = "\
Run the shape tests: the rules of ARCHITECTURE.md that are about the tree and not about behaviour.

usage: cargo xtask check [NAME]

Each rule is a test of the crate `xtask`, prints all its violations with path, line and remedy,
and has samples of its own that it must refuse.

examples:
  cargo xtask check             all rules
  cargo xtask check layers      the rules whose names contain `layers`
";

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    let wants_help = words.iter().any(|word| matches!(*word, "--help" | "-h"));
    match words.split_first() {
        None | Some((&("--help" | "-h" | "help"), _)) => {
            eprint!("{HELP}");
            if words.is_empty() { ExitCode::from(1) } else { ExitCode::SUCCESS }
        }
        Some((&"check", _)) if wants_help => help(HELP_OF_CHECK),
        Some((&"check", names)) => check(names),
        Some((&"test", _)) if wants_help => help(gate::HELP),
        Some((&"test", options)) => gate::main(options),
        Some((&"fuzz", _)) if wants_help => help(fuzz::HELP),
        Some((&"fuzz", options)) => fuzz::main(options),
        Some((&"vopr", _)) if wants_help => help(vopr::HELP),
        Some((&"vopr", options)) => vopr::main(options),
        Some((&"package", _)) if wants_help => help(package::HELP),
        Some((&"package", options)) => package::main(options),
        Some((other, _)) => refuse(&format!("there is no command `{other}`"), "cargo xtask --help"),
    }
}

fn help(text: &str) -> ExitCode {
    eprint!("{text}");
    ExitCode::SUCCESS
}

/// One line for what is wrong, one for what to do; exit 1.
fn refuse(what: &str, hint: &str) -> ExitCode {
    eprintln!("error: {what}\n\nhint: {hint}");
    ExitCode::from(1)
}

/// Every check is a `#[test]` of this crate, so that editors and CI run the same.
fn check(names: &[&str]) -> ExitCode {
    let mut command = cargo();
    command.args(["test", "--quiet", "--package", "xtask", "--"]).args(names);
    // The list of violations is all that helps; it needs no stack.
    command.env("RUST_BACKTRACE", "0");
    match command.status() {
        Ok(status) if status.success() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::from(1),
        Err(error) => {
            eprintln!("error: cargo could not be started: {error}");
            ExitCode::from(2)
        }
    }
}

/// The cargo that runs us, in the root of the repository.
fn cargo() -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root());
    command
}

/// The root of the repository, absolute.
fn root() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here)
}

/// Where cargo puts what it builds.
fn target() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), |set| root().join(set))
}
