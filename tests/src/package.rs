//! The Debian package in a clean root: installed, running as its own user, removed, and the records kept.

use std::{
    env,
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use crate::{
    server::{Home, program},
    tools::{find, not_run, output, root, run},
    waiting::until,
};

/// A minimal Debian below the folder of builds, made once.
fn clean_debian() -> Result<PathBuf, String> {
    let target =
        env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    let made = target.join("test-env/debian");
    if made.join("etc/debian_version").is_file() {
        return Ok(made);
    }
    let debootstrap = find("debootstrap")
        .or_else(|| Some(PathBuf::from("/usr/sbin/debootstrap")).filter(|it| it.is_file()))
        .ok_or("debootstrap is missing; run `cargo xtask test --only set-up`")?;
    let (suite, mirror) = sources().ok_or("this machine has no source of Debian packages")?;
    let unfinished = target.join("test-env/debian.unfinished");
    // What an interrupted run left.
    let _ = fs::remove_dir_all(&unfinished);
    let mut command = Command::new(debootstrap);
    command.args(["--variant=minbase", &suite]).arg(&unfinished).arg(mirror);
    let done = output(&mut command);
    if !done.status.success() {
        let said = String::from_utf8_lossy(&done.stdout).into_owned();
        return Err(format!("debootstrap: {}", said.lines().last().unwrap_or_default()));
    }
    fs::rename(&unfinished, &made).map_err(|error| error.to_string())?;
    Ok(made)
}

/// The suite and the address from which this machine takes its own packages.
fn sources() -> Option<(String, String)> {
    let mut texts: Vec<String> = fs::read_to_string("/etc/apt/sources.list").into_iter().collect();
    for file in fs::read_dir("/etc/apt/sources.list.d").into_iter().flatten().flatten() {
        texts.extend(fs::read_to_string(file.path()));
    }
    let release = fs::read_to_string("/etc/os-release").ok()?;
    let suite = release.lines().find_map(|line| line.strip_prefix("VERSION_CODENAME="))?;
    let addresses = texts.iter().flat_map(|text| text.split_whitespace());
    let mirror = addresses.into_iter().find(|word| {
        (word.starts_with("http://") || word.starts_with("https://"))
            && word.trim_end_matches('/').ends_with("/debian")
            && !word.contains("snapshot")
    })?;
    Some((suite.trim_matches('"').to_owned(), mirror.to_owned()))
}

/// A copy of the clean Debian, thrown away with this value.
struct Root(Home);

impl Root {
    fn path(&self) -> PathBuf {
        self.0.path().join("root")
    }

    fn inside(&self, words: &[&str]) -> Command {
        let mut command = Command::new("chroot");
        command.arg(self.path()).args(words).env("LC_ALL", "C");
        command
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .env("DEBIAN_FRONTEND", "noninteractive");
        command
    }
}

/// A server that is ended with its test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn is_root() -> bool {
    output(Command::new("id").arg("-u")).stdout == b"0\n"
}

fn package() -> Result<PathBuf, String> {
    let mut build = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    build.current_dir(root()).args(["xtask", "package", "--no-build"]);
    build.env("WARDLINE_BIN", program());
    let done = output(&mut build);
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    if !done.status.success() {
        return Err(said);
    }
    Ok(PathBuf::from(String::from_utf8_lossy(&done.stdout).trim()))
}

#[test]
fn the_package_installs_runs_and_goes_and_leaves_what_was_recorded() {
    const NAME: &str = "the Debian package in a clean root";
    if find("dpkg-deb").is_none() || !is_root() {
        return not_run(NAME, "it needs dpkg-deb, and root for its own root folder");
    }
    let debian = match clean_debian() {
        Ok(debian) => debian,
        Err(why) => return not_run(NAME, &why),
    };
    let here = Root(Home::new());
    run(Command::new("cp").args(["--archive", "--reflink=auto"]).arg(&debian).arg(here.path()));
    let package = package().unwrap_or_else(|why| panic!("{why}"));
    fs::copy(&package, here.path().join("wardline.deb")).unwrap();

    run(&mut here.inside(&["dpkg", "--install", "/wardline.deb"]));
    let version = run(&mut here.inside(&["wardline", "--version"]));
    assert!(version.starts_with("wardline "), "{version}");
    let data = here.path().join("var/lib/wardline");
    let owner = run(&mut here.inside(&["stat", "--format=%U %a", "/var/lib/wardline"]));
    assert_eq!(owner.trim(), "wardline 700");
    let settings = ["stat", "--format=%U %G %a", "/etc/wardline/wardline.toml"];
    assert_eq!(run(&mut here.inside(&settings)).trim(), "root wardline 640");
    serves_as_its_own_user(&here);
    assert!(data.join("FORMAT").is_file(), "the server kept its data in the package's folder");

    run(&mut here.inside(&["dpkg", "--remove", "wardline"]));
    assert!(!here.path().join("usr/bin/wardline").exists());
    assert!(
        here.path().join("etc/wardline/wardline.toml").is_file(),
        "a removal keeps the settings"
    );
    let purged = output(&mut here.inside(&["dpkg", "--purge", "wardline"]));
    assert!(purged.status.success());
    assert!(String::from_utf8_lossy(&purged.stderr).contains("it holds records of patients"));
    assert!(!here.path().join("etc/wardline/wardline.toml").exists());
    assert!(data.join("FORMAT").is_file(), "nobody's records were thrown away");
}

/// Starts the installed program as the package's user, on free ports, until it says where it serves.
fn serves_as_its_own_user(here: &Root) {
    let settings = "data = \"/var/lib/wardline\"\nmetrics = \"127.0.0.1:0\"\n\
        [people]\nlisten = \"127.0.0.1:0\"\n[devices]\nmqtt = \"127.0.0.1:0\"\nhttps = \"127.0.0.1:0\"\n";
    let file = here.path().join("etc/wardline/test.toml");
    fs::write(&file, settings).unwrap();
    let log = here.0.path().join("server.log");
    let user = ["setpriv", "--reuid=wardline", "--regid=wardline", "--clear-groups"];
    let serve = ["wardline", "serve", "--config", "/etc/wardline/test.toml"];
    let mut command = here.inside(&[&user[..], &serve].concat());
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(File::create(&log).unwrap());
    let mut running = Running(command.spawn().unwrap());
    let said = |path: &Path| fs::read_to_string(path).unwrap_or_default();
    until("the installed server says where it serves", Duration::from_secs(60), || {
        let ended = running.0.try_wait().unwrap();
        assert!(ended.is_none(), "it ended: {ended:?}\n{}", said(&log));
        said(&log).contains("Wardline serves https://")
    });
    output(Command::new("kill").arg("-TERM").arg(running.0.id().to_string()));
    until("it ends when asked to", Duration::from_secs(30), || {
        running.0.try_wait().unwrap().is_some_and(|status| status.success())
    });
    fs::remove_file(file).unwrap();
}
