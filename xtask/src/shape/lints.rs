//! Every crate inherits the lints of the root, and the root has them all.

use toml::{Table, Value};

use super::{Tree, Violation, allow_none, expect_these, tokens::tokens};

const FOR_ALL: &[(&str, &str, &str)] = &[
    ("rust", "unsafe_code", "forbid"),
    ("rust", "missing_docs", "warn"),
    ("clippy", "unwrap_used", "deny"),
    ("clippy", "expect_used", "deny"),
    ("clippy", "panic", "deny"),
    ("clippy", "indexing_slicing", "deny"),
    ("clippy", "allow_attributes_without_reason", "deny"),
    ("clippy", "too_many_lines", "deny"),
];

/// A clock is read in the outer shell only.
const CLOCKS: &[&str] = &["std::time::Instant::now", "std::time::SystemTime::now"];

/// What the `lib.rs` of some crates denies beside.
const BY_CRATE: &[(&str, &[&str])] = &[
    ("wildcard_enum_match_arm", &["model", "care", "fleet", "facility"]),
    ("arithmetic_side_effects", &["protocols", "record", "store"]),
];

fn at<'a>(table: &'a Table, path: &[&str]) -> Option<&'a Value> {
    let (first, rest) = path.split_first()?;
    rest.iter().try_fold(table.get(*first)?, |value, key| value.get(*key))
}

fn violations(tree: &Tree) -> Vec<Violation> {
    let root: Table = tree.get("Cargo.toml").unwrap_or_default().parse().unwrap();
    let mut found = Vec::new();
    for (tool, lint, level) in FOR_ALL {
        let is = at(&root, &["workspace", "lints", tool, lint]).and_then(Value::as_str);
        if is != Some(level) {
            let what = format!("[workspace.lints.{tool}] does not set {lint} to {level}");
            found.push(Violation::new("Cargo.toml", 1, what, "put the lint back"));
        }
    }
    let clippy: Table = tree.get("clippy.toml").unwrap_or_default().parse().unwrap();
    let disallowed =
        at(&clippy, &["disallowed-methods"]).map(|it| format!("{it:?}")).unwrap_or_default();
    for clock in CLOCKS.iter().filter(|clock| !disallowed.contains(**clock)) {
        let what = format!("{clock} is not disallowed");
        found.push(Violation::new("clippy.toml", 1, what, "time is an argument; disallow it"));
    }
    for (path, name, text) in tree.manifests() {
        let manifest: Table = text.parse().unwrap();
        if at(&manifest, &["lints", "workspace"]) != Some(&Value::Boolean(true)) {
            let what = format!("{name} does not inherit the lints");
            found.push(Violation::new(path, 1, what, "add `[lints]` with `workspace = true`"));
        }
        let own = at(&manifest, &["workspace", "lints"]);
        if manifest.contains_key("workspace") && own != at(&root, &["workspace", "lints"]) {
            let what = format!("{name} is a workspace with lints of its own");
            found.push(Violation::new(path, 1, what, "copy [workspace.lints] of the root"));
        }
    }
    for (lint, crates) in BY_CRATE {
        for name in *crates {
            let path = format!("crates/{name}/src/lib.rs");
            if tree.get(&path).is_some_and(|text| !denies(&path, text, lint)) {
                let what = format!("{name} does not deny clippy::{lint}");
                found.push(Violation::new(&path, 1, what, "deny it for the whole crate"));
            }
        }
    }
    found
}

/// Whether an inner attribute denies or forbids the lint, for the product code at least.
fn denies(path: &str, text: &str, lint: &str) -> bool {
    let Ok(tokens) = tokens(path, text) else { return false };
    let texts: Vec<&str> = tokens.iter().map(|it| it.text.as_str()).collect();
    let mut starts = texts.windows(3).enumerate().filter(|(_, it)| *it == ["#", "!", "["]);
    starts.any(|(start, _)| {
        let attribute = &texts[start..super::tokens::after_group(&tokens, start + 2)];
        let outright = matches!(attribute[3], "deny" | "forbid");
        let in_the_product =
            attribute[3..].starts_with(&["cfg_attr", "(", "not", "(", "test", ")", ",", "deny"]);
        (outright || in_the_product) && attribute.contains(&lint)
    })
}

#[test]
fn every_crate_inherits_them() {
    allow_none(&violations(Tree::here()));
}

#[test]
fn a_missing_lint_is_found_wherever_it_is_missing() {
    let real = |path| Tree::here().get(path).unwrap();
    let weaker = real("Cargo.toml").replace("panic = \"deny\"", "panic = \"warn\"");
    let inherits = "[lints]\nworkspace = true";
    let denies = "#![deny(clippy::wildcard_enum_match_arm)]";
    let tree = Tree::of(&[
        ("Cargo.toml", &weaker),
        ("clippy.toml", "disallowed-methods = ['std::time::Instant::now']"),
        ("crates/model/Cargo.toml", inherits),
        ("crates/model/src/lib.rs", denies),
        ("crates/care/Cargo.toml", "[lints.clippy]\npanic = 'allow'"),
        ("crates/care/src/lib.rs", "//! #![deny(clippy::wildcard_enum_match_arm)]"),
        ("crates/record/Cargo.toml", inherits),
        (
            "crates/record/src/lib.rs",
            "#![cfg_attr(not(test), deny(clippy::arithmetic_side_effects))]",
        ),
        ("crates/store/Cargo.toml", inherits),
        ("crates/store/src/lib.rs", "#![cfg_attr(test, deny(clippy::arithmetic_side_effects))]"),
        ("fuzz/Cargo.toml", "[workspace]\n[lints]\nworkspace = true"),
    ]);
    let want = [
        "Cargo.toml:1: [workspace.lints.clippy] does not set panic to deny",
        "clippy.toml:1: std::time::SystemTime::now is not disallowed",
        "crates/care/Cargo.toml:1: care does not inherit the lints",
        "fuzz/Cargo.toml:1: fuzz is a workspace with lints of its own",
        "crates/care/src/lib.rs:1: care does not deny clippy::wildcard_enum_match_arm",
        "crates/store/src/lib.rs:1: store does not deny clippy::arithmetic_side_effects",
    ];
    expect_these(&violations(&tree), &want);
}
