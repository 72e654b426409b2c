//! A crate may use only crates of earlier rows, and a pure one only what is pure.

use toml::{Table, Value};

use super::{Tree, Violation, allow_none, expect_these, line_of, tokens::tokens};

/// One row of the table in ARCHITECTURE.md.
struct Row {
    pure: &'static [&'static str],
    io: &'static [&'static str],
}

/// Changing this list is changing the design. A crate of later work may be missing from the tree.
const ROWS: &[Row] = &[
    Row { pure: &["model"], io: &[] },
    Row { pure: &["record", "protocols", "signal", "interop", "security"], io: &[] },
    Row { pure: &["care", "fleet", "facility", "sim"], io: &["store"] },
    Row { pure: &[], io: &["transport"] },
    Row { pure: &[], io: &["ingest", "engine"] },
    Row { pure: &[], io: &["api"] },
    Row { pure: &[], io: &["wardline"] },
];

/// Crates that stand outside of the rows: nothing may depend on them.
const OUTSIDE_OF_ROWS: &[&str] = &["e2e", "tests", "xtask", "fuzz"];

/// The crates of others that a pure crate may use, beside its tests; docs/adr/0002 says why.
const OUTSIDE_OF_PURE: &[&str] = &[
    "biquad",
    "crc32c",
    "geo",
    "minicbor",
    "nalgebra",
    "pco",
    "prost",
    "realfft",
    "serde",
    "serde_json",
    "thiserror",
    "toml",
];
const OUTSIDE_OF_SECURITY: &[&str] = &["aws-lc-rs", "cedar-policy", "rcgen", "x509-parser"];

/// What `xtask` may use: it must build when nothing else does.
const OUTSIDE_OF_XTASK: &[&str] = &["proc-macro2", "syn", "toml"];

/// The crates that do no IO, also for other rules.
pub fn pure() -> impl Iterator<Item = &'static str> {
    ROWS.iter().flat_map(|row| row.pure.iter().copied())
}

/// The row and whether the crate is pure; `None` for a crate that is not ours.
fn place_of(name: &str) -> Option<(usize, bool)> {
    let row = ROWS.iter().position(|row| [row.pure, row.io].concat().contains(&name))?;
    Some((row + 1, ROWS[row].pure.contains(&name)))
}

struct Dependency {
    /// The name under which the sources know it.
    key: String,
    /// Its real name, however it was renamed.
    name: String,
    for_tests: bool,
}

fn dependencies(manifest: &Table, renamed: &Table) -> Vec<Dependency> {
    let targets = manifest.get("target").and_then(Value::as_table);
    let targets = targets.into_iter().flat_map(Table::values).filter_map(Value::as_table);
    let mut found = Vec::new();
    for tables in targets.chain([manifest]) {
        for kind in ["dependencies", "build-dependencies", "dev-dependencies"] {
            let entries = tables.get(kind).and_then(Value::as_table);
            for (key, value) in entries.into_iter().flatten() {
                let package = |value: &Value| Some(value.get("package")?.as_str()?.to_owned());
                let name = package(value).or_else(|| renamed.get(key).and_then(package));
                let name = name.unwrap_or_else(|| key.clone());
                let for_tests = kind == "dev-dependencies";
                found.push(Dependency { key: key.clone(), name, for_tests });
            }
        }
    }
    found
}

fn workspace_dependencies(tree: &Tree) -> Table {
    let root: Table = tree.get("Cargo.toml").unwrap_or_default().parse().unwrap();
    let found = root.get("workspace").and_then(|it| it.get("dependencies"));
    found.and_then(Value::as_table).cloned().unwrap_or_default()
}

/// What is wrong with one dependency of one crate, with the remedy.
fn complaint(name: &str, dependency: &Dependency) -> Option<(String, &'static str)> {
    let dep = dependency.name.as_str();
    if OUTSIDE_OF_ROWS.contains(&dep) {
        return Some((
            format!("{name} uses {dep}, which stands outside of the rows"),
            "nothing may",
        ));
    }
    if name == "xtask" {
        let fine = OUTSIDE_OF_XTASK.contains(&dep);
        let what = || (format!("xtask may not use {dep}"), "it must build when nothing else does");
        return (!fine).then(what);
    }
    let (row, pure) = place_of(name)?;
    match place_of(dep) {
        Some((above, _)) if above >= row => Some((
            format!("{name} (row {row}) may not use {dep} (row {above})"),
            "use only earlier rows, or move the code",
        )),
        Some(_) => None,
        None => {
            let by_security = name == "security" && OUTSIDE_OF_SECURITY.contains(&dep);
            let fine =
                !pure || dependency.for_tests || by_security || OUTSIDE_OF_PURE.contains(&dep);
            let what = || {
                let what = format!("{name} is pure and may not use {dep}");
                (
                    what,
                    "do it in a crate that does IO, or decide by ADR to add it to OUTSIDE_OF_PURE",
                )
            };
            (!fine).then(what)
        }
    }
}

fn wrong_dependencies(tree: &Tree) -> Vec<Violation> {
    let renamed = workspace_dependencies(tree);
    let mut found = Vec::new();
    for (path, name, text) in tree.manifests() {
        if place_of(name).is_none() && !OUTSIDE_OF_ROWS.contains(&name) {
            let what = format!("{name} stands in no row");
            found.push(Violation::new(
                path,
                1,
                what,
                "give it a place in ROWS and in ARCHITECTURE.md",
            ));
            continue;
        }
        for dependency in dependencies(&text.parse().unwrap(), &renamed) {
            if let Some((what, remedy)) = complaint(name, &dependency) {
                found.push(Violation::new(path, line_of(text, &dependency.key), what, remedy));
            }
        }
    }
    found
}

fn unused_dependencies(tree: &Tree) -> Vec<Violation> {
    let renamed = workspace_dependencies(tree);
    let mut found = Vec::new();
    for (path, name, text) in tree.manifests() {
        let folder = path.trim_end_matches("/Cargo.toml");
        let mut mentioned = std::collections::BTreeSet::new();
        for (source, code) in tree.rust_below(folder) {
            match tokens(source, code) {
                Ok(tokens) => mentioned.extend(tokens.into_iter().map(|token| token.text)),
                Err(violation) => found.push(violation),
            }
        }
        for dependency in dependencies(&text.parse().unwrap(), &renamed) {
            if !mentioned.contains(&dependency.key.replace('-', "_")) {
                let what = format!("{name} never mentions {}", dependency.key);
                let line = line_of(text, &dependency.key);
                found.push(Violation::new(path, line, what, "take it out of the manifest"));
            }
        }
    }
    found
}

/// The rows as ARCHITECTURE.md has them: row, crate, kind, with the line of each.
fn rows_of_the_docs(page: &str) -> Vec<((String, String, String), usize)> {
    let cells = |line: &str| -> Vec<String> {
        line.split('|').skip(1).map(|cell| cell.trim().trim_matches('`').to_owned()).collect()
    };
    let after_head = page.lines().enumerate().skip_while(|(_, line)| !line.starts_with("| Row |"));
    let rows = after_head.skip(2).take_while(|(_, line)| line.starts_with('|'));
    let rows = rows.filter_map(|(at, line)| match &cells(line)[..] {
        [row, name, kind, ..] => Some(((row.clone(), name.clone(), kind.clone()), at + 1)),
        _ => None,
    });
    rows.filter(|((row, ..), _)| row != "–").collect()
}

fn differences_to_the_docs(tree: &Tree) -> Vec<Violation> {
    let page = tree.get("ARCHITECTURE.md").unwrap_or_default();
    let told = rows_of_the_docs(page);
    let mut is = Vec::new();
    for (at, row) in ROWS.iter().enumerate() {
        for (names, kind) in [(row.pure, "pure"), (row.io, "IO")] {
            is.extend(
                names.iter().map(|it| ((at + 1).to_string(), (*it).to_owned(), kind.to_owned())),
            );
        }
    }
    let mut found = Vec::new();
    for row in is.iter().filter(|row| !told.iter().any(|(it, _)| it == *row)) {
        let what = format!("the table of rows lacks `{}` as {} of row {}", row.1, row.2, row.0);
        found.push(Violation::new("ARCHITECTURE.md", 1, what, "make the page and ROWS agree"));
    }
    for (row, line) in told.iter().filter(|(row, _)| !is.contains(row)) {
        let what = format!("ROWS lacks `{}` as {} of row {}", row.1, row.2, row.0);
        found.push(Violation::new("ARCHITECTURE.md", *line, what, "make the page and ROWS agree"));
    }
    found
}

#[test]
fn every_crate_depends_only_on_earlier_rows() {
    allow_none(&wrong_dependencies(Tree::here()));
}

#[test]
fn every_dependency_is_used() {
    allow_none(&unused_dependencies(Tree::here()));
}

#[test]
fn the_table_in_the_docs_is_the_table() {
    allow_none(&differences_to_the_docs(Tree::here()));
}

#[test]
fn no_row_puts_io_before_something_pure() {
    let first_io = ROWS.iter().position(|row| !row.io.is_empty());
    let last_pure = ROWS.iter().rposition(|row| !row.pure.is_empty());
    assert!(last_pure <= first_io, "a pure crate could reach one that does IO");
}

#[test]
fn a_wrong_dependency_is_found_however_it_is_written() {
    let root = "[workspace.dependencies]\nnurse = { package = \"care\", path = \"\" }";
    let check = |folder: &str, manifest: &str, want: &[&str]| {
        let path = format!("{folder}/Cargo.toml");
        let tree = Tree::of(&[("Cargo.toml", root), (&path, manifest)]);
        let want: Vec<String> = want.iter().map(|it| format!("{path}:{it}")).collect();
        let want: Vec<&str> = want.iter().map(String::as_str).collect();
        expect_these(&wrong_dependencies(&tree), &want);
    };
    let upward = "1: model (row 1) may not use care (row 3)";
    check("crates/model", "dev-dependencies.care.workspace = true", &[upward]);
    check("crates/model", "dependencies.nurse.workspace = true", &[upward]);
    check("crates/model", "build-dependencies.x = { package = 'care', path = '' }", &[upward]);
    check("crates/model", "target.'cfg(unix)'.dependencies.care = { path = '' }", &[upward]);
    let all =
        ["3: care (row 3) may not use store (row 3)", "4: care is pure and may not use tokio"];
    check("crates/care", "[dependencies]\nmodel.path = ''\nstore.path = ''\ntokio = '1'", &all);
    check("crates/care", "dev-dependencies.proptest = '1'", &[]);
    check("crates/security", "dependencies.rcgen = '1'", &[]);
    check("crates/model", "dependencies.rcgen = '1'", &["1: model is pure and may not use rcgen"]);
    check("crates/api", "[dependencies]\ntokio = '1'\nengine.path = ''", &[]);
    check("crates/utils", "", &["1: utils stands in no row"]);
    check("xtask", "dependencies.serde = '1'", &["1: xtask may not use serde"]);
    check("xtask", "dependencies.model.path = ''", &["1: xtask may not use model"]);
    let outward = "1: api uses e2e, which stands outside of the rows";
    check("crates/api", "dev-dependencies.e2e.path = ''", &[outward]);
    check("fuzz", "[dependencies]\nprotocols.path = ''\nlibfuzzer-sys = '0.4'", &[]);
}

#[test]
fn a_dependency_that_only_a_comment_names_is_unused() {
    let manifest =
        "[dependencies]\naws-lc-rs = '1'\nserde = '1'\n[dev-dependencies]\nproptest = '1'";
    let source = "//! Uses serde.\nuse aws_lc_rs::digest;\nproptest::proptest! {}";
    let tree = Tree::of(&[
        ("crates/security/Cargo.toml", manifest),
        ("crates/security/src/lib.rs", source),
    ]);
    let want = ["crates/security/Cargo.toml:3: security never mentions serde"];
    expect_these(&unused_dependencies(&tree), &want);
}

#[test]
fn a_row_that_only_one_of_both_knows_is_found() {
    let mut page = String::from("| Row | Crate | Kind |\n|---|---|---|\n");
    for (at, row) in ROWS.iter().enumerate() {
        for (names, kind) in [(row.pure, "pure"), (row.io, "IO")] {
            for name in names.iter().filter(|name| **name != "store") {
                page += &format!("| {} | `{name}` | {kind} |\n", at + 1);
            }
        }
    }
    page += "| 4 | `store` | IO |\n| – | `xtask` | – |\n";
    let want = [
        "ARCHITECTURE.md:1: the table of rows lacks `store` as IO of row 3",
        "ARCHITECTURE.md:18: ROWS lacks `store` as IO of row 4",
    ];
    expect_these(&differences_to_the_docs(&Tree::of(&[("ARCHITECTURE.md", &page)])), &want);
}
