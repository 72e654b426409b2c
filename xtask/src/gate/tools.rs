//! What the tests need from the machine: finds it, installs it on Debian and Ubuntu, or says what to install.
//!
//! Everything that is ours alone goes below `target/test-env`; only packages of the distribution go elsewhere.
//!
//! **Absent on purpose:** a question to the person at the terminal, and a download of a browser.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use super::{Context, Outcome, counts::Counts};
use crate::{root, target};

/// One thing that tests need.
struct Tool {
    name: &'static str,
    /// Any of these programs will do; without one, `installed` looks.
    programs: &'static [&'static str],
    /// Its packages on Debian and Ubuntu; empty if it is made below `target/test-env`.
    packages: &'static [&'static str],
    elsewhere: &'static str,
}

const TOOLS: &[Tool] = &[
    Tool {
        name: "cc",
        programs: &["cc"],
        packages: &["build-essential"],
        elsewhere: "a C compiler",
    },
    Tool {
        name: "c++",
        programs: &["c++"],
        packages: &["build-essential"],
        elsewhere: "a C++ compiler",
    },
    Tool {
        name: "chromium",
        programs: &["chromium", "chromium-browser", "google-chrome"],
        packages: &["chromium"],
        elsewhere: "Chromium or Chrome on the PATH",
    },
    Tool {
        name: "node",
        programs: &["node"],
        packages: &["nodejs"],
        elsewhere: "Node.js 20 or newer",
    },
    Tool { name: "npm", programs: &["npm"], packages: &["npm"], elsewhere: "npm" },
    Tool {
        name: "mosquitto_pub",
        programs: &["mosquitto_pub"],
        packages: &["mosquitto-clients"],
        elsewhere: "the clients of Mosquitto 2",
    },
    Tool {
        name: "python3",
        programs: &["python3"],
        packages: &["python3", "python3-venv"],
        elsewhere: "Python 3.9 or newer with venv",
    },
    Tool {
        name: "strace",
        programs: &["strace"],
        packages: &["strace"],
        elsewhere: "strace (Linux only)",
    },
    Tool { name: "curl", programs: &["curl"], packages: &["curl"], elsewhere: "curl with OpenSSL" },
    Tool {
        name: "openssl",
        programs: &["openssl"],
        packages: &["openssl"],
        elsewhere: "OpenSSL's program",
    },
    Tool {
        name: "promtool",
        programs: &["promtool"],
        packages: &["prometheus"],
        elsewhere: "Prometheus, for its promtool",
    },
    Tool {
        name: "debootstrap",
        programs: &["debootstrap"],
        packages: &["debootstrap"],
        elsewhere: "debootstrap (Debian and Ubuntu only)",
    },
    Tool {
        name: "postgres",
        programs: &[],
        packages: &["postgresql"],
        elsewhere: "PostgreSQL 15 or newer with its initdb",
    },
    Tool {
        name: "mkfs.ext4",
        programs: &["mkfs.ext4"],
        packages: &["e2fsprogs", "mount"],
        elsewhere: "e2fsprogs, and a user who may mount",
    },
    Tool { name: "ps", programs: &["ps"], packages: &["procps"], elsewhere: "ps" },
    Tool {
        name: "fonts",
        programs: &[],
        packages: &["fonts-noto-core"],
        elsewhere: "the Noto fonts",
    },
    Tool {
        name: "python",
        programs: &[],
        packages: &[],
        elsewhere: "cargo xtask test --only set-up",
    },
    Tool {
        name: "playwright",
        programs: &[],
        packages: &[],
        elsewhere: "cargo xtask test --only set-up",
    },
    Tool {
        name: "s3-server",
        programs: &[],
        packages: &[],
        elsewhere: "cargo xtask test --only set-up",
    },
];

/// Pinned clients, one per line, as pip reads them.
const PYTHON_PINS: &str = "tests/requirements.txt";
/// A pinned server that speaks S3, as cargo names it.
const S3_PIN: &str = "tests/s3-server.txt";
/// Pinned tools of the browser tests, as npm reads them.
const NODE_PINS: &str = "tests/browser";

fn env_folder() -> PathBuf {
    target().join("test-env")
}

fn python() -> PathBuf {
    env_folder().join("venv/bin/python")
}

fn s3_folder() -> PathBuf {
    env_folder().join("s3")
}

fn s3_server() -> PathBuf {
    s3_folder().join("bin/s3s-fs")
}

fn node_modules() -> PathBuf {
    env_folder().join("node/node_modules")
}

/// Where a program is, also where only administrators look for it.
fn find(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let folders = env::split_paths(&path).chain(["/usr/sbin".into(), "/usr/local/bin".into()]);
    folders.map(|folder| folder.join(program)).find(|file| file.is_file())
}

fn is_there(tool: &Tool) -> bool {
    match tool.name {
        "fonts" => {
            let listing = Command::new("fc-list").args([":", "family"]).output();
            listing.is_ok_and(|out| String::from_utf8_lossy(&out.stdout).contains("Noto Sans"))
        }
        "postgres" => has_postgres(),
        "python" => is_stamped(&env_folder().join("venv"), &root().join(PYTHON_PINS)),
        "s3-server" => is_stamped(&s3_folder(), &root().join(S3_PIN)) && s3_server().is_file(),
        "playwright" => {
            let lock = root().join(NODE_PINS).join("package-lock.json");
            is_stamped(&env_folder().join("node"), &lock) && node_modules().is_dir()
        }
        _ => tool.programs.iter().any(|program| find(program).is_some()),
    }
}

/// Whether there is a PostgreSQL that tests can start; Debian keeps each version's programs apart.
fn has_postgres() -> bool {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    find("initdb").is_some()
        || versions.into_iter().any(|it| it.path().join("bin/initdb").is_file())
}

/// Why a part cannot run, if any of these is not there.
pub fn missing(names: &[&str]) -> Option<String> {
    let lacks = TOOLS.iter().filter(|tool| names.contains(&tool.name) && !is_there(tool));
    let lacks: Vec<String> =
        lacks.map(|tool| format!("{} is missing, install {}", tool.name, tool.elsewhere)).collect();
    (!lacks.is_empty()).then(|| lacks.join("; "))
}

/// Tells a test where everything is; docs/guide/testing.md has the list.
pub fn tell(command: &mut Command, wardline: &Path) {
    command.env("WARDLINE_BIN", wardline).env("WARDLINE_TEST_PYTHON", python());
    command.env("WARDLINE_TEST_S3", s3_server());
    let chromium = TOOLS.iter().find(|tool| tool.name == "chromium");
    let mut programs = chromium.into_iter().flat_map(|tool| tool.programs);
    if let Some(path) = programs.find_map(|program| find(program)) {
        command.env("WARDLINE_TEST_CHROMIUM", path);
    }
}

pub fn set_up(context: &mut Context) -> Outcome {
    let mut reasons = Vec::new();
    let lacks: Vec<&Tool> =
        TOOLS.iter().filter(|tool| !tool.packages.is_empty() && !is_there(tool)).collect();
    if !lacks.is_empty()
        && let Err(reason) = install(context, &lacks)
    {
        reasons.push(reason);
    }
    let venv = make_venv(context);
    let node = make_node(context);
    let s3 = make_s3_server(context);
    reasons.extend([venv, node, s3].into_iter().filter_map(Result::err));
    let made = TOOLS.iter().filter(|tool| is_there(tool)).count();
    if reasons.is_empty() {
        Outcome::passed(Counts { passed: made, ..Counts::default() })
    } else {
        Outcome::not_run(reasons.join("; "))
    }
}

/// Asks the distribution, if it is one that we know, without asking the person.
fn install(context: &mut Context, lacks: &[&Tool]) -> Result<(), String> {
    let mut packages: Vec<&str> =
        lacks.iter().flat_map(|tool| tool.packages.iter().copied()).collect();
    packages.sort_unstable();
    packages.dedup();
    let release = fs::read_to_string("/etc/os-release").unwrap_or_default();
    if !is_debian(&release) {
        let wanted: Vec<&str> = lacks.iter().map(|tool| tool.elsewhere).collect();
        return Err(format!("install {}", wanted.join(", ")));
    }
    let by_hand = format!("run `apt-get install {}`", packages.join(" "));
    let is_root = Command::new("id").arg("-u").output().is_ok_and(|out| out.stdout == b"0\n");
    if !is_root && find("sudo").is_none() {
        return Err(format!("we are not root; {by_hand}"));
    }
    let apt = |args: &[&str]| {
        let mut command = Command::new(if is_root { "apt-get" } else { "sudo" });
        if !is_root {
            // Without a password or not at all: nobody may be at the terminal.
            command.args(["-n", "--preserve-env=DEBIAN_FRONTEND", "apt-get"]);
        }
        command.args(args).env("DEBIAN_FRONTEND", "noninteractive");
        command
    };
    let mut arguments = vec!["install", "-y", "--no-install-recommends"];
    arguments.extend(&packages);
    context.run(&mut apt(&["update"])).map_err(|error| format!("{error}; {by_hand}"))?;
    context.run(&mut apt(&arguments)).map_err(|error| format!("{error}; {by_hand}"))
}

fn is_debian(release: &str) -> bool {
    let values = release
        .lines()
        .filter_map(|line| line.strip_prefix("ID=").or_else(|| line.strip_prefix("ID_LIKE=")));
    values
        .flat_map(|it| it.trim_matches('"').split(' '))
        .any(|it| matches!(it, "debian" | "ubuntu"))
}

/// Whether `folder` was made from these very pins.
fn is_stamped(folder: &Path, pins: &Path) -> bool {
    let stamp = fs::read(folder.join("made-from"));
    matches!((stamp, fs::read(pins)), (Ok(stamp), Ok(pins)) if stamp == pins)
}

fn make_venv(context: &mut Context) -> Result<(), String> {
    let (folder, pins) = (env_folder().join("venv"), root().join(PYTHON_PINS));
    if is_stamped(&folder, &pins) {
        return Ok(());
    }
    let mut venv = Command::new("python3");
    context.run(venv.args(["-m", "venv", "--clear"]).arg(&folder))?;
    let mut pip = Command::new(python());
    pip.args(["-m", "pip", "install", "--quiet", "--requirement"]).arg(&pins);
    context
        .run(&mut pip)
        .map_err(|error| format!("{PYTHON_PINS} could not be installed: {error}"))?;
    stamp(&folder, &pins)
}

fn make_node(context: &mut Context) -> Result<(), String> {
    let (folder, pins) = (env_folder().join("node"), root().join(NODE_PINS));
    let lock = pins.join("package-lock.json");
    if !(is_stamped(&folder, &lock) && node_modules().is_dir()) {
        let said = |error: std::io::Error| format!("{}: {error}", folder.display());
        fs::create_dir_all(&folder).map_err(said)?;
        for file in ["package.json", "package-lock.json"] {
            fs::copy(pins.join(file), folder.join(file)).map_err(said)?;
        }
        let mut npm = Command::new("npm");
        npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]).current_dir(&folder);
        context
            .run(&mut npm)
            .map_err(|error| format!("{NODE_PINS} could not be installed: {error}"))?;
        stamp(&folder, &lock)?;
    }
    link(&node_modules(), &pins.join("node_modules"))
}

/// Built by itself: it is no dependency of ours, and what it needs is nobody's business here.
fn make_s3_server(context: &mut Context) -> Result<(), String> {
    let (folder, pin) = (s3_folder(), root().join(S3_PIN));
    if is_stamped(&folder, &pin) && s3_server().is_file() {
        return Ok(());
    }
    let said = |error: std::io::Error| format!("{}: {error}", folder.display());
    let name = fs::read_to_string(&pin).map_err(said)?;
    let build = folder.join("build");
    let mut cargo = Command::new("cargo");
    cargo.args(["install", "--locked", "--debug", "--force", "--features", "binary", name.trim()]);
    cargo
        .arg("--root")
        .arg(&folder)
        .arg("--target-dir")
        .arg(&build)
        .env("CARGO_PROFILE_DEV_DEBUG", "0");
    let made = context.run(&mut cargo);
    // Only the program is needed.
    let _ = fs::remove_dir_all(&build);
    made.map_err(|error| format!("{S3_PIN} could not be installed: {error}"))?;
    stamp(&folder, &pin)
}

fn stamp(folder: &Path, pins: &Path) -> Result<(), String> {
    fs::copy(pins, folder.join("made-from"))
        .map(drop)
        .map_err(|error| format!("{}: {error}", folder.display()))
}

/// Node looks for modules beside the file that imports them, so a link stands there.
fn link(to: &Path, at: &Path) -> Result<(), String> {
    let said = |error: std::io::Error| format!("{}: {error}", at.display());
    match fs::symlink_metadata(at) {
        // A folder that somebody made with npm does as well.
        Ok(it) if !it.is_symlink() => return Ok(()),
        Ok(_) if fs::read_link(at).is_ok_and(|is| is == to) => return Ok(()),
        Ok(_) => fs::remove_file(at).map_err(said)?,
        Err(_) => {}
    }
    std::os::unix::fs::symlink(to, at).map_err(said)
}

#[test]
fn distributions_that_descend_from_debian_are_known() {
    let check = |release: &str, want: bool| assert_eq!(is_debian(release), want, "{release}");
    check("ID=debian\nVERSION_ID=12", true);
    check("NAME=x\nID=linuxmint\nID_LIKE=\"ubuntu debian\"", true);
    check("ID=\"ubuntu\"", true);
    check("ID=fedora\nID_LIKE=\"rhel\"\nHOME_URL=debian", false);
    check("", false);
}

#[test]
fn every_tool_says_how_to_get_it() {
    for tool in TOOLS {
        let made_by_us = matches!(tool.name, "python" | "playwright" | "s3-server");
        assert_eq!(tool.packages.is_empty(), made_by_us, "{}", tool.name);
        assert!(!tool.elsewhere.is_empty(), "{}", tool.name);
    }
}
