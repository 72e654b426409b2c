//! Licences, bans and sources of all that we build on; docs/adr/0003 says why this is a check of our own.
//!
//! Licences are what each crate says in its manifest, for all platforms. `cargo deny` is run beside if it is there.
//!
//! **Absent on purpose:** advisories, which need a database from elsewhere.

use std::{fs, process::Command};

use toml::{Table, Value};

use super::{Context, Outcome, counts::Counts};
use crate::{cargo, root};

/// Rule 2 of docs/adr/0002.
const LICENCES: &[&str] = &[
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BlueOak-1.0.0",
    "ISC",
    "MIT",
    "MIT-0",
    "Unicode-3.0",
    "Zlib",
];

/// A crate that may have a licence which no other may have, and why.
const EXCEPTIONS: &[(&str, &str, &str)] = &[
    (
        "webpki-root-certs",
        "CDLA-Permissive-2.0",
        "a list of root certificates, data and not code; built on other platforms than Linux only",
    ),
    (
        "tiny-keccak",
        "CC0-1.0",
        "given to everybody without conditions; built where there is no operating system only",
    ),
];

/// One of each: what would be a second one, and what is there already.
const BANS: &[(&str, &str)] = &[
    ("async-std", "tokio is the one runtime"),
    ("chrono", "jiff is the one calendar"),
    ("native-tls", "rustls is the one TLS stack"),
    ("openssl", "rustls is the one TLS stack"),
    ("openssl-sys", "rustls is the one TLS stack"),
    ("ring", "aws-lc-rs is the one crypto provider"),
    ("smol", "tokio is the one runtime"),
    ("ureq", "reqwest is the one HTTP client"),
];

/// Crates of others that may bring a banned one along for themselves; nothing else may use it.
const WRAPPERS: &[(&str, &str)] = &[("chrono", "parquet")];

/// Heavy crates that must not be built in two versions.
const HEAVY: &[&str] = &[
    "aws-lc-rs",
    "aws-lc-sys",
    "axum",
    "hyper",
    "libsqlite3-sys",
    "rusqlite",
    "rustls",
    "tokio",
    "tokio-rustls",
    "tokio-tungstenite",
    "zstd-sys",
];

const REGISTRY: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// The lock files whose sources are checked; the fuzzer is a workspace of its own.
const LOCKS: &[&str] = &["Cargo.lock", "fuzz/Cargo.lock"];

/// A crate of others and what its manifest says of its licence.
struct Licensed {
    name: String,
    licence: String,
}

pub fn check(context: &mut Context) -> Outcome {
    let mut complaints: Vec<String> = Vec::new();
    let mut counts = Counts::default();
    let built = built(context);
    for checked in [built].into_iter().chain(LOCKS.iter().map(|lock| locked(lock))) {
        match checked {
            Ok((checked, wrong)) => {
                counts.passed += checked.saturating_sub(wrong.len());
                counts.failed += wrong.len();
                complaints.extend(wrong);
            }
            Err(reason) => return Outcome::failed(reason, counts),
        }
    }
    let deny = Command::new("cargo-deny").arg("--version").output();
    if deny.is_ok_and(|out| out.status.success()) {
        let mut command = cargo();
        match context.run(command.args(["deny", "check", "licenses", "bans", "sources"])) {
            Ok(()) => counts.passed += 1,
            Err(reason) => complaints.push(reason),
        }
    }
    if complaints.is_empty() {
        Outcome::passed(counts)
    } else {
        Outcome::failed(format!("\n    {}\n   ", complaints.join("\n    ")), counts)
    }
}

/// How many crates were checked, and what is wrong.
type Checked = Result<(usize, Vec<String>), String>;

/// `cargo tree` reads the same metadata as `cargo metadata`, and prints it so that no JSON has to be read.
/// Unlike the lock file it leaves out what no feature of ours asks for.
fn built(context: &mut Context) -> Checked {
    let mut command = cargo();
    command.args([
        "tree",
        "--locked",
        "--workspace",
        "--target",
        "all",
        "--edges",
        "normal,build,dev",
    ]);
    command.args(["--prefix", "none", "--no-dedupe", "--format", "{p}|{l}"]);
    let printed = context.run_apart(&mut command, "licences.txt")?;
    let mut lines: Vec<&str> = printed.lines().filter(|line| !line.is_empty()).collect();
    lines.sort_unstable();
    lines.dedup();
    let crates: Vec<Licensed> = lines.iter().filter_map(|line| licensed(line)).collect();
    let mut wrong: Vec<String> = crates.iter().filter_map(wrong_licence).collect();
    wrong.extend(banned(&crates));
    Ok((crates.len(), wrong))
}

/// A line such as `toml v1.1.2|MIT OR Apache-2.0`; nothing for a crate of ours, which has a path.
fn licensed(line: &str) -> Option<Licensed> {
    let (package, licence) = line.split_once('|')?;
    let ours = package.contains(" (/");
    let name = package.split(' ').next()?.to_owned();
    (!ours).then(|| Licensed { name, licence: licence.trim().to_owned() })
}

/// What is there as a second one, or twice.
fn banned(crates: &[Licensed]) -> Vec<String> {
    let mut wrong = Vec::new();
    for (at, Licensed { name, .. }) in crates.iter().enumerate() {
        // Who brings it along stands in the lock file.
        let is_wrapped = WRAPPERS.iter().any(|(banned, _)| name == *banned);
        let ban = BANS.iter().find(|(banned, _)| name == *banned);
        if let Some((_, why)) = ban.filter(|_| !is_wrapped) {
            wrong.push(format!("{name} is banned: {why}"));
        }
        let again = crates.iter().take(at).any(|before| before.name == *name);
        if HEAVY.contains(&name.as_str()) && again {
            wrong.push(format!("{name} is there in two versions; it is built twice"));
        }
    }
    wrong
}

fn wrong_licence(it: &Licensed) -> Option<String> {
    let excepted =
        EXCEPTIONS.iter().any(|(name, licence, _)| it.name == *name && it.licence == *licence);
    let fine = excepted || is_allowed(&it.licence);
    (!fine).then(|| {
        format!(
            "{} is under `{}`, which rule 2 of docs/adr/0002 does not know",
            it.name, it.licence
        )
    })
}

/// Whether an expression of SPDX can be satisfied by the allowed licences; a slash is the old way to write OR.
fn is_allowed(expression: &str) -> bool {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut at = 0;
    !words.is_empty() && any_of(&words, &mut at) && at == words.len()
}

fn any_of(words: &[&str], at: &mut usize) -> bool {
    let mut allowed = all_of(words, at);
    while words.get(*at) == Some(&"OR") {
        *at += 1;
        // Both sides are read in any case, as reading moves on.
        allowed |= all_of(words, at);
    }
    allowed
}

fn all_of(words: &[&str], at: &mut usize) -> bool {
    let mut allowed = single(words, at);
    while words.get(*at) == Some(&"AND") {
        *at += 1;
        allowed &= single(words, at);
    }
    allowed
}

fn single(words: &[&str], at: &mut usize) -> bool {
    let Some(word) = words.get(*at) else { return false };
    *at += 1;
    if *word == "(" {
        let allowed = any_of(words, at);
        let closed = words.get(*at) == Some(&")");
        *at += 1;
        return allowed && closed;
    }
    if words.get(*at) == Some(&"WITH") {
        let exception = words.get(*at + 1).unwrap_or(&"");
        *at += 2;
        return LICENCES.contains(&format!("{word} WITH {exception}").as_str());
    }
    LICENCES.contains(word)
}

/// Sources and checksums, from a lock file.
fn locked(lock: &str) -> Checked {
    let path = root().join(lock);
    let text = fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    let lock: Table = text.parse().map_err(|error| format!("{}: {error}", path.display()))?;
    let packages = lock.get("package").and_then(Value::as_array);
    let packages: Vec<&Table> =
        packages.into_iter().flatten().filter_map(Value::as_table).collect();
    let wrong = packages.iter().filter_map(|package| wrong_source(package));
    Ok((packages.len(), wrong.chain(packages.iter().flat_map(|it| wrong_users(it))).collect()))
}

/// What a package needs that only others may bring along.
fn wrong_users(package: &Table) -> Vec<String> {
    let name = package.get("name").and_then(Value::as_str).unwrap_or_default();
    let needs = package.get("dependencies").and_then(Value::as_array).into_iter().flatten();
    let needs = needs.filter_map(Value::as_str).filter_map(|it| it.split(' ').next());
    let wrong = |needed: &str| {
        let allowed = WRAPPERS.iter().filter(|(banned, _)| *banned == needed);
        let mut allowed = allowed.map(|(_, wrapper)| *wrapper).peekable();
        allowed.peek()?;
        let why = BANS.iter().find(|(banned, _)| *banned == needed).map_or("", |it| it.1);
        (!allowed.any(|it| it == name)).then(|| format!("{name} uses {needed}: {why}"))
    };
    needs.filter_map(wrong).collect()
}

fn wrong_source(package: &Table) -> Option<String> {
    let text = |key| package.get(key).and_then(Value::as_str);
    let name = text("name").unwrap_or_default();
    match text("source") {
        Some(source) if source != REGISTRY => {
            Some(format!("{name} comes from {source}; take it from crates.io"))
        }
        Some(_) if text("checksum").is_none() => {
            Some(format!("{name} has no checksum in its lock file"))
        }
        Some(_) | None => None,
    }
}

#[test]
fn an_expression_is_allowed_if_some_choice_in_it_is() {
    let check =
        |expression: &str, want: bool| assert_eq!(is_allowed(expression), want, "{expression}");
    check("MIT", true);
    check("MIT/Apache-2.0", true);
    check("GPL-3.0-only", false);
    check("GPL-3.0-only OR MIT", true);
    check("GPL-3.0-only AND MIT", false);
    check("(MIT OR Apache-2.0) AND Unicode-3.0", true);
    check("(MIT OR Apache-2.0) AND GPL-3.0-only", false);
    check("MIT OR GPL-3.0-only AND ISC", true);
    check("Apache-2.0 WITH LLVM-exception OR GPL-3.0-only", true);
    check("GPL-3.0-only WITH Classpath-exception-2.0", false);
    check("MIT OR", true);
    check("MIT MIT", false);
    check("(MIT", false);
    check("", false);
}

#[test]
fn a_crate_of_ours_has_no_licence_to_check_and_an_exception_is_for_one_crate() {
    assert!(licensed("model v0.0.0 (/home/me/wardline/crates/model)|Apache-2.0").is_none());
    let check = |line: &str, want: bool| {
        assert_eq!(licensed(line).and_then(|it| wrong_licence(&it)).is_none(), want, "{line}");
    };
    check("toml v1.1.2|MIT OR Apache-2.0", true);
    check("webpki-root-certs v1.0.11|CDLA-Permissive-2.0", true);
    check("another v1.0.0|CDLA-Permissive-2.0", false);
    check("tiny-keccak v2.0.2|CC0-1.0", true);
    check("another v1.0.0|CC0-1.0", false);
    check("nameless v1.0.0|", false);
}

#[test]
fn a_second_one_is_found() {
    let lines = [
        "ring v0.17.0|ISC",
        "tokio v1.0.0|MIT",
        "tokio v2.0.0|MIT",
        "syn v1.0.0|MIT",
        "syn v2.0.0|MIT",
    ];
    let crates: Vec<Licensed> = lines.iter().filter_map(|line| licensed(line)).collect();
    let want = [
        "ring is banned: aws-lc-rs is the one crypto provider",
        "tokio is there in two versions; it is built twice",
    ];
    assert_eq!(banned(&crates), want);
    assert!(EXCEPTIONS.iter().all(|(.., why)| why.len() > 20));
}

#[test]
fn the_lists_for_cargo_deny_are_these() {
    let deny: Table = fs::read_to_string(root().join("deny.toml")).unwrap().parse().unwrap();
    let texts = |list: &Value, key: Option<&str>| -> Vec<String> {
        let item = |it: &Value| key.map_or(it.clone(), |key| it[key].clone());
        list.as_array().unwrap().iter().map(|it| item(it).as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(texts(&deny["licenses"]["allow"], None), LICENCES);
    assert_eq!(
        texts(&deny["licenses"]["exceptions"], Some("crate")),
        EXCEPTIONS.iter().map(|it| it.0).collect::<Vec<_>>()
    );
    assert_eq!(
        texts(&deny["bans"]["deny"], Some("crate")),
        BANS.iter().map(|it| it.0).collect::<Vec<_>>()
    );
    let wrapped = deny["bans"]["deny"].as_array().unwrap().iter().flat_map(|it| {
        let name = it["crate"].as_str().unwrap().to_owned();
        let wrappers = it.get("wrappers").and_then(Value::as_array).into_iter().flatten();
        wrappers.map(move |by| (name.clone(), by.as_str().unwrap().to_owned()))
    });
    let known = WRAPPERS.iter().map(|(name, by)| ((*name).to_owned(), (*by).to_owned()));
    assert_eq!(wrapped.collect::<Vec<_>>(), known.collect::<Vec<_>>());
    assert_eq!(
        texts(&deny["bans"]["deny"], Some("reason")),
        BANS.iter().map(|it| it.1).collect::<Vec<_>>()
    );
}

#[test]
fn what_is_banned_is_used_by_its_wrapper_alone() {
    let check = |package: &str, want: &[&str]| {
        let package: Table = package.parse().unwrap();
        assert_eq!(wrong_users(&package), want, "{package:?}");
    };
    check("name = 'parquet'\ndependencies = ['bytes', 'chrono', 'snap']", &[]);
    check("name = 'parquet'\ndependencies = ['chrono 0.4.45']", &[]);
    let wrong = ["api uses chrono: jiff is the one calendar"];
    check("name = 'api'\ndependencies = ['axum', 'chrono']", &wrong);
    check("name = 'api'\ndependencies = ['chrono 0.4.45', 'parquet']", &wrong);
    check("name = 'chrono'", &[]);
    let is_banned = |(name, _): &(&str, &str)| BANS.iter().any(|it| it.0 == *name);
    assert!(WRAPPERS.iter().all(is_banned));
}

#[test]
fn a_foreign_source_is_found() {
    let check = |package: &str, want: Option<&str>| {
        let package: Table = package.parse().unwrap();
        assert_eq!(wrong_source(&package).as_deref(), want);
    };
    check("name = 'model'", None);
    check(&format!("name = 'x'\nsource = '{REGISTRY}'\nchecksum = '1'"), None);
    check(
        &format!("name = 'x'\nsource = '{REGISTRY}'"),
        Some("x has no checksum in its lock file"),
    );
    let foreign = "x comes from git+https://example.org/x; take it from crates.io";
    check("name = 'x'\nsource = 'git+https://example.org/x'", Some(foreign));
}
