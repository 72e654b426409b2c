//! Files are short, their names say something, they open with a sentence, and nothing is left lying in them.

use std::path::Path;

use super::{
    Tree, Violation, allow_none, expect_these,
    tokens::{positions, tokens},
};

const LINES_MAX: usize = 1_000;
const SOURCES: &[&str] = &["rs", "js", "mjs", "css", "py"];
const TEXTS: &[&str] = &["rs", "js", "mjs", "css", "html", "toml", "md", "py", "sql", "yml"];
const EMPTY_NAMES: &[&str] =
    &["util", "utils", "common", "helper", "helpers", "misc", "shared", "types", "manager", "mod"];
/// Written apart, so that this file does not contain them.
const LEFTOVERS: &[&str] = &[concat!("FIX", "ME"), concat!("TO", "DO")];

fn long(tree: &Tree) -> Vec<Violation> {
    let files = tree.ours(SOURCES).map(|(path, text)| (path, text.lines().count()));
    let long = files.filter(|(_, lines)| *lines >= LINES_MAX);
    let remedy = "one idea per file: take one out";
    long.map(|(path, lines)| Violation::new(path, lines, format!("has {lines} lines"), remedy))
        .collect()
}

fn nameless(tree: &Tree) -> Vec<Violation> {
    let remedy = "name it after the idea that it holds";
    let mut found = Vec::new();
    for (path, _) in tree.ours(SOURCES) {
        let stems = Path::new(path).iter().filter_map(|it| Path::new(it).file_stem()?.to_str());
        for stem in stems.filter(|stem| EMPTY_NAMES.contains(stem)) {
            found.push(Violation::new(path, 1, format!("the name `{stem}` says nothing"), remedy));
        }
    }
    found
}

/// The text of the comment that a file opens with, or nothing.
fn header(path: &str, text: &str) -> String {
    if path.ends_with(".rs") {
        let lines = text.lines().map_while(|line| line.strip_prefix("//!"));
        return lines.collect::<Vec<_>>().join("\n");
    }
    let comment = text.strip_prefix("/**").and_then(|rest| rest.split_once("*/"));
    comment.map_or_else(String::new, |(comment, _)| comment.replace('*', " "))
}

fn headless(tree: &Tree) -> Vec<Violation> {
    let is_sentence = |header: &str| {
        let first = header.split("\n\n").next().unwrap_or_default().trim();
        // A `//!` block separates its paragraphs by a line of its own, which is empty here.
        let first =
            first.lines().take_while(|line| !line.trim().is_empty()).collect::<Vec<_>>().join(" ");
        let ends = [". ", ".", ": ", "?", "!"];
        first.split_whitespace().count() >= 3
            && ends.iter().any(|end| first.trim_end().contains(end))
    };
    let files = tree.ours(&["rs", "js", "mjs"]);
    let headless = files.filter(|(path, text)| !is_sentence(&header(path, text)));
    headless
        .map(|(path, _)| {
            let opening = if path.ends_with(".rs") { "//!" } else { "/** … */" };
            let what = format!("does not open with a {opening} sentence");
            Violation::new(path, 1, what, "say what the file is and why")
        })
        .collect()
}

fn leftovers(tree: &Tree) -> Vec<Violation> {
    let mut found = Vec::new();
    for (path, text) in tree.ours(TEXTS) {
        let is_prose = path.ends_with(".md");
        let is_script = path.ends_with("js");
        for (at, line) in text.lines().enumerate() {
            let mut complain = |what: String, remedy| {
                found.push(Violation::new(path, at + 1, what, remedy));
            };
            let words = || line.split(|it: char| !it.is_ascii_alphanumeric());
            for left in LEFTOVERS.iter().filter(|left| !is_prose && words().any(|it| it == **left))
            {
                complain(format!("{left} is left"), "do it, or open an issue");
            }
            if is_script && line.contains(concat!("console", ".log")) {
                complain("console.log is left".into(), "take it out");
            }
            if line.ends_with([' ', '\t']) {
                complain("the line ends in spaces".into(), "trim it");
            }
        }
    }
    for (path, text) in tree.ours(&["rs"]) {
        let Ok(tokens) = tokens(path, text) else { continue };
        for it in positions(&tokens, &["dbg", "!"]) {
            found.push(Violation::new(path, it.line, "dbg! is left", "take it out"));
        }
        for it in positions(&tokens, &["#", "[", "ignore"]) {
            let remedy = "run it, or assert the wrong behaviour as it is, with the reason";
            found.push(Violation::new(path, it.line, "the test is ignored", remedy));
        }
    }
    found
}

#[test]
fn are_short() {
    allow_none(&long(Tree::here()));
}

#[test]
fn have_names_that_say_something() {
    allow_none(&nameless(Tree::here()));
}

#[test]
fn open_with_a_header() {
    allow_none(&headless(Tree::here()));
}

#[test]
fn have_no_leftovers() {
    allow_none(&leftovers(Tree::here()));
}

#[test]
fn a_file_of_a_thousand_lines_is_long() {
    let (short, long_) = ("x\n".repeat(LINES_MAX - 1), "x\n".repeat(LINES_MAX));
    let tree = Tree::of(&[("a.rs", &short), ("b.mjs", &long_), ("web/vendor/c.js", &long_)]);
    expect_these(&long(&tree), &["b.mjs:1000: has 1000 lines"]);
}

#[test]
fn a_name_without_a_meaning_is_found_in_files_and_folders() {
    let tree = Tree::of(&[("a/mod.rs", ""), ("shared/a.js", ""), ("b/alarm_types.rs", "")]);
    let want = [
        "a/mod.rs:1: the name `mod` says nothing",
        "shared/a.js:1: the name `shared` says nothing",
    ];
    expect_these(&nameless(&tree), &want);
}

#[test]
fn a_header_is_a_sentence_in_the_first_line() {
    let tree = Tree::of(&[
        ("a.rs", "//! Says what it is.\n//!\n//! More.\nuse b;"),
        ("b.rs", "// Not a header of the file.\n//! Too late for it."),
        ("c.rs", "//! alarm."),
        ("d.mjs", "/**\n * Draws one bed\n * with its age.\n */"),
        ("e.js", "import a;\n/** Too late for it. */"),
        ("f.rs", "//! A title without an end\n//!\n//! A sentence comes later."),
    ]);
    let want = [
        "b.rs:1: does not open with a //! sentence",
        "c.rs:1: does not open with a //! sentence",
        "e.js:1: does not open with a /** … */ sentence",
        "f.rs:1: does not open with a //! sentence",
    ];
    expect_these(&headless(&tree), &want);
}

#[test]
fn what_is_left_lying_is_found_in_code_but_not_in_strings() {
    let rust =
        format!("// {} later\nfn f() {{ dbg!(\"dbg!\") }} \n#[ignore]\nfn g() {{}}", LEFTOVERS[0]);
    let script = format!("{}(1)", concat!("console", ".log"));
    let tree =
        Tree::of(&[("a.rs", &rust), ("b.mjs", &script), ("c.md", LEFTOVERS[0]), ("d.md", "x\t")]);
    let want = [
        &format!("a.rs:1: {} is left", LEFTOVERS[0]),
        "a.rs:2: the line ends in spaces",
        "b.mjs:1: console.log is left",
        "d.md:1: the line ends in spaces",
        "a.rs:2: dbg! is left",
        "a.rs:3: the test is ignored",
    ];
    expect_these(&leftovers(&tree), &want);
}
