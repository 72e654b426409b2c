//! A change that a user can notice comes with a line for the changelog.

use super::{Violation, allow_none, expect_these, git};

const NOTICED: &[&str] = &["crates/api/", "crates/wardline/", "web/", "profiles/"];
const FOLDER: &str = "changelog.d/";

/// The commit that the work started from: `BASE_COMMIT`, else where it left `origin/main`.
fn base() -> Option<String> {
    let named = std::env::var("BASE_COMMIT").ok().filter(|it| !it.is_empty());
    let base = named.or_else(|| git(&["merge-base", "HEAD", "origin/main"]))?;
    let base = git(&["rev-parse", "--verify", "--quiet", &format!("{}^{{commit}}", base.trim())])?;
    Some(base.trim().to_owned())
}

/// `changes` are lines of `git diff --name-status`.
fn violations(changes: &str) -> Vec<Violation> {
    let paths = changes
        .lines()
        .filter_map(|line| Some((line.chars().next()?, line.split('\t').next_back()?)));
    let paths: Vec<(char, &str)> = paths.collect();
    let noticed = paths.iter().find(|(_, path)| NOTICED.iter().any(|it| path.starts_with(it)));
    let is_line = |(how, path): &(char, &str)| {
        *how != 'D' && path.starts_with(FOLDER) && !path.ends_with("README.md")
    };
    let what = "changed, and nothing was added to changelog.d/";
    let remedy = "add one small file as changelog.d/README.md says";
    match noticed {
        Some((_, path)) if !paths.iter().any(is_line) => {
            vec![Violation::new(path, 1, what, remedy)]
        }
        _ => Vec::new(),
    }
}

#[test]
fn was_touched() {
    let Some(base) = base() else {
        eprintln!(
            "changelog: no BASE_COMMIT and no origin/main, so there is nothing to compare with"
        );
        return;
    };
    allow_none(&violations(&git(&["diff", "--name-status", &base]).unwrap()));
}

#[test]
fn a_change_of_a_screen_without_a_line_is_found() {
    let want = ["web/ward/bed.js:1: changed, and nothing was added to changelog.d/"];
    expect_these(&violations("M\tweb/ward/bed.js\nM\tREADME.md"), &want);
    expect_these(&violations("M\tweb/ward/bed.js\nD\tchangelog.d/old.md"), &want);
    expect_these(&violations("R100\tx.js\tweb/ward/bed.js"), &want);
    expect_these(&violations("M\tweb/ward/bed.js\nA\tchangelog.d/age.md"), &[]);
    expect_these(&violations("M\tcrates/care/src/lib.rs"), &[]);
}
