//! `cargo xtask package`: the Debian package, from the release build and the files in `packaging/`.
//!
//! The same tree gives the same bytes: times come from the last commit, and owners are root.

use std::{
    collections::BTreeSet,
    env, fs, io,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

use crate::{cargo, refuse, root, target};

pub(crate) const HELP: &str = "\
Build the Debian package, target/wardline_VERSION_ARCHITECTURE.deb.

usage: cargo xtask package [--no-build]

It needs dpkg-deb and strip. --no-build packs the release build that is there.

examples:
  cargo xtask package
  sudo apt install ./target/wardline_*.deb
";

/// What goes where, with its mode; the program itself is added to it.
const FILES: &[(&str, &str, u32)] = &[
    ("packaging/systemd/wardline.service", "usr/lib/systemd/system/wardline.service", 0o644),
    ("packaging/wardline.toml", "etc/wardline/wardline.toml", 0o640),
    ("packaging/grafana/wardline.json", "usr/share/wardline/grafana/wardline.json", 0o644),
    (
        "packaging/prometheus/wardline.rules.yml",
        "usr/share/wardline/prometheus/wardline.rules.yml",
        0o644,
    ),
    ("README.md", "usr/share/doc/wardline/README.md", 0o644),
    ("LICENSE", "usr/share/doc/wardline/copyright", 0o644),
];
/// The parts of the package's own description.
const SCRIPTS: &[(&str, u32)] =
    &[("conffiles", 0o644), ("postinst", 0o755), ("prerm", 0o755), ("postrm", 0o755)];
/// Shells, and where Debian looks for their completions.
const COMPLETIONS: &[(&str, &str)] = &[
    ("bash", "usr/share/bash-completion/completions/wardline"),
    ("zsh", "usr/share/zsh/vendor-completions/_wardline"),
    ("fish", "usr/share/fish/vendor_completions.d/wardline.fish"),
];

pub(crate) fn main(options: &[&str]) -> ExitCode {
    let builds = match options {
        [] => true,
        ["--no-build"] => false,
        [other, ..] => {
            return refuse(&format!("there is no option `{other}`"), "cargo xtask package --help");
        }
    };
    match package(builds) {
        Ok(path) => {
            println!("{}", path.display());
            ExitCode::SUCCESS
        }
        Err(why) => {
            eprintln!("error: {why}");
            ExitCode::from(2)
        }
    }
}

fn package(builds: bool) -> Result<PathBuf, String> {
    if builds {
        run(cargo().args(["build", "--release", "--locked", "--package", "wardline"]))?;
    }
    // The tests name the build that they test.
    let built = target().join("release/wardline");
    let program = env::var_os("WARDLINE_BIN").map_or(built, PathBuf::from);
    let bytes = fs::read(&program).map_err(|error| format!("{}: {error}", program.display()))?;
    let tree = target().join("package");
    if tree.exists() {
        fs::remove_dir_all(&tree).map_err(|error| format!("{}: {error}", tree.display()))?;
    }
    let installed = tree.join("usr/bin/wardline");
    put(&installed, &bytes, 0o755)?;
    // Symbols are four fifths of it; a backtrace still names functions.
    run(Command::new("strip").arg("--strip-debug").arg(&installed))?;
    for (from, to, mode) in FILES {
        let from = root().join(from);
        let content = fs::read(&from).map_err(|error| format!("{}: {error}", from.display()))?;
        put(&tree.join(to), &content, *mode)?;
    }
    for (shell, to) in COMPLETIONS {
        let script = run(Command::new(&program).args(["completions", shell]))?;
        put(&tree.join(to), script.as_bytes(), 0o644)?;
    }
    let size_kib = size_of(&tree).map_err(|error| error.to_string())?.div_ceil(1024);
    let architecture = run(Command::new("dpkg").arg("--print-architecture"))?.trim().to_owned();
    let version = version()?;
    let debian = root().join("packaging/debian");
    let control = fs::read_to_string(debian.join("control"))
        .map_err(|error| format!("packaging/debian/control: {error}"))?
        .replace("@VERSION@", &version)
        .replace("@ARCHITECTURE@", &architecture)
        .replace("@SIZE_KIB@", &size_kib.to_string())
        .replace("@GLIBC@", &glibc_needed(&bytes).ok_or("the program names no version of glibc")?);
    put(&tree.join("DEBIAN/control"), control.as_bytes(), 0o644)?;
    for (name, mode) in SCRIPTS {
        let content = fs::read(debian.join(name)).map_err(|error| format!("{name}: {error}"))?;
        put(&tree.join("DEBIAN").join(name), &content, *mode)?;
    }
    let package = target().join(format!("wardline_{version}_{architecture}.deb"));
    let mut build = Command::new("dpkg-deb");
    build.args(["--root-owner-group", "-Zxz", "--build"]).arg(&tree).arg(&package);
    run(build.env("SOURCE_DATE_EPOCH", last_commit_s()?))?;
    Ok(package)
}

/// The workspace's version, with the last commit while there is no release.
fn version() -> Result<String, String> {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).map_err(|e| e.to_string())?;
    let manifest: toml::Table = manifest.parse().map_err(|e| format!("Cargo.toml: {e}"))?;
    let keys = ["workspace", "package", "version"];
    let mut found = Some(&toml::Value::Table(manifest)).cloned();
    for key in keys {
        found = found.and_then(|value| value.get(key).cloned());
    }
    let version = found.as_ref().and_then(toml::Value::as_str).ok_or("no workspace version")?;
    Ok(if version == "0.0.0" { format!("0.0.0+{}", last_commit_s()?) } else { version.to_owned() })
}

/// When the last commit was made, in seconds of Unix time.
fn last_commit_s() -> Result<String, String> {
    let mut git = Command::new("git");
    git.current_dir(root()).args(["log", "-1", "--format=%ct"]);
    Ok(run(&mut git)?.trim().to_owned())
}

/// The newest version of glibc among the symbols that a program asks for.
fn glibc_needed(program: &[u8]) -> Option<String> {
    let mark = b"GLIBC_2.";
    let versions: BTreeSet<u32> = program
        .windows(mark.len() + 2)
        .filter_map(|window| {
            let digits = window.strip_prefix(mark)?;
            let digits: String =
                digits.iter().map(|b| char::from(*b)).take_while(char::is_ascii_digit).collect();
            digits.parse().ok()
        })
        .collect();
    versions.last().map(|minor| format!("2.{minor}"))
}

fn put(path: &Path, content: &[u8], mode: u32) -> Result<(), String> {
    let write = || -> io::Result<()> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(path, content)?;
        fs::set_permissions(path, fs::Permissions::from_mode(mode))
    };
    write().map_err(|error| format!("{}: {error}", path.display()))
}

fn size_of(path: &Path) -> io::Result<u64> {
    let mut bytes = 0_u64;
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        let found = entry.metadata()?;
        let size = if found.is_dir() { size_of(&entry.path())? } else { found.len() };
        bytes = bytes.saturating_add(size);
    }
    Ok(bytes)
}

/// Runs a command to its end; what it printed, or what it complained of.
fn run(command: &mut Command) -> Result<String, String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.env("LC_ALL", "C").output();
    let output = output.map_err(|error| format!("{name} could not be started: {error}"))?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        Err(format!("{name}: {}\n{}", output.status, String::from_utf8_lossy(&output.stderr)))
    }
}

#[test]
fn the_newest_glibc_is_asked_for() {
    let program = b"\0GLIBC_2.2.5\0GLIBC_2.34\0GLIBC_2.9\0GLIBC_PRIVATE\0";
    assert_eq!(glibc_needed(program).as_deref(), Some("2.34"));
    assert_eq!(glibc_needed(b"static"), None);
}
