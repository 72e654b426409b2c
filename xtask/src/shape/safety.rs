//! Every risk control names the code that does it and the tests that show it, and the code names the control.

use std::collections::{BTreeMap, BTreeSet};

use toml::{Table, Value};

use super::{
    Tree, Violation, allow_none, expect_these, line_of,
    tokens::{Token, after_group, tokens},
};

const PAGE: &str = "docs/safety/controls.toml";
const TEXTS: &[&str] = &["id", "hazard", "measure", "class"];
const CLASSES: &[&str] = &["A", "B", "C"];

/// The tests of the tree by name, and whether each is a property test.
fn all_tests(tree: &Tree) -> BTreeMap<String, bool> {
    let mut found = BTreeMap::new();
    for (path, text) in tree.ours(&["rs"]) {
        for (name, is_property) in tokens(path, text).map(|it| tests_of(&it)).unwrap_or_default() {
            *found.entry(name).or_default() |= is_property;
        }
    }
    for (_, text) in tree.ours(&["py"]) {
        let names = text.lines().filter_map(|line| line.trim().strip_prefix("def test_"));
        let names = names.filter_map(|rest| Some(format!("test_{}", rest.split_once('(')?.0)));
        found.extend(names.map(|name| (name, false)));
    }
    for (_, text) in tree.ours(&["mjs"]) {
        for call in ["test(", "it("] {
            let rest = text.split(call).skip(1).filter_map(|rest| {
                let quote = rest.chars().next().filter(|it| matches!(it, '"' | '\'' | '`'))?;
                rest.split(quote).nth(1)
            });
            found.extend(rest.map(|name| (name.to_owned(), false)));
        }
    }
    found
}

/// The functions under an attribute that ends in `test`, also inside of `proptest!`.
fn tests_of(tokens: &[Token]) -> Vec<(String, bool)> {
    let mut found = Vec::new();
    let mut property_until = 0;
    let mut under_test = false;
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        let next = tokens.get(at + 1).map_or("", |it| it.text.as_str());
        match (token.text.as_str(), next) {
            ("proptest", "!") => property_until = after_group(tokens, at + 2).max(property_until),
            ("#", "[") => {
                let end = after_group(tokens, at + 1);
                let path = tokens[at + 2..end].iter().map(|it| it.text.as_str());
                let path: Vec<&str> =
                    path.take_while(|it| !matches!(*it, "(" | "=" | "]")).collect();
                under_test |= path.last() == Some(&"test");
                at = end;
                continue;
            }
            ("fn", name) => {
                if under_test {
                    let body =
                        tokens.iter().skip(at).position(|it| it.text == "{").unwrap_or_default();
                    let body = &tokens[at..after_group(tokens, at + body)];
                    let runs =
                        body.iter().any(|it| matches!(it.text.as_str(), "TestRunner" | "proptest"));
                    found.push((name.to_owned(), runs || at < property_until));
                }
                under_test = false;
            }
            (";" | "{", _) => under_test = false,
            _ => {}
        }
        at += 1;
    }
    found
}

/// Every marker in a comment of the sources, with its place. Our own samples are no markers.
fn markers(tree: &Tree) -> Vec<(String, String, usize)> {
    let mut found = Vec::new();
    for (path, text) in tree.ours(&["rs", "js", "mjs", "css", "py"]) {
        if path.starts_with("xtask/") {
            continue;
        }
        for (at, line) in text.lines().enumerate() {
            let comment = ["//", "/*", "# "].iter().filter_map(|it| line.split_once(it)).next();
            for piece in comment.map_or("", |(_, comment)| comment).split("RC-").skip(1) {
                let digits: String = piece.chars().take_while(char::is_ascii_digit).collect();
                if digits.len() == 3 {
                    found.push((format!("RC-{digits}"), path.to_owned(), at + 1));
                }
            }
        }
    }
    found
}

/// One text or a list of texts.
fn texts(control: &Table, key: &str) -> Vec<String> {
    match control.get(key) {
        Some(Value::String(one)) => vec![one.clone()],
        Some(Value::Array(many)) => {
            many.iter().filter_map(|it| Some(it.as_str()?.into())).collect()
        }
        _ => Vec::new(),
    }
}

fn violations(tree: &Tree) -> Vec<Violation> {
    let Some(page) = tree.get(PAGE) else {
        return vec![Violation::new(
            PAGE,
            1,
            "there is no such file",
            "list the risk controls in it",
        )];
    };
    let controls: Table = match page.parse() {
        Ok(controls) => controls,
        Err(error) => {
            return vec![Violation::new(PAGE, 1, format!("is no TOML: {error}"), "mend it")];
        }
    };
    let controls = controls.get("control").and_then(Value::as_array);
    let (tests, markers) = (all_tests(tree), markers(tree));
    let mut known = BTreeSet::new();
    let mut found = Vec::new();
    for control in controls.into_iter().flatten().filter_map(Value::as_table) {
        let id = texts(control, "id").concat();
        let line = line_of(page, &format!("\"{id}\""));
        for (what, remedy) in complaints(&id, control, tree, &tests, &markers) {
            found.push(Violation::new(PAGE, line, what, remedy));
        }
        if !known.insert(id.clone()) {
            found.push(Violation::new(
                PAGE,
                line,
                format!("{id} is there twice"),
                "number it anew",
            ));
        }
    }
    for (id, path, line) in markers.iter().filter(|(id, ..)| !known.contains(id)) {
        let what = format!("{id} names no control");
        found.push(Violation::new(path, *line, what, "add the control, or take the marker out"));
    }
    found
}

fn complaints(
    id: &str,
    control: &Table,
    tree: &Tree,
    tests: &BTreeMap<String, bool>,
    markers: &[(String, String, usize)],
) -> Vec<(String, &'static str)> {
    let mut found = Vec::new();
    for key in TEXTS.iter().filter(|key| texts(control, key).concat().is_empty()) {
        found.push((format!("{id} has no {key}"), "say it"));
    }
    let class = texts(control, "class").concat();
    if !class.is_empty() && !CLASSES.contains(&class.as_str()) {
        found.push((format!("{id} is of class {class}"), "write A, B or C (IEC 62304)"));
    }
    let (code, shown) = (texts(control, "code"), texts(control, "test"));
    if code.is_empty() {
        found.push((format!("{id} names no code"), "name the file that does it"));
    }
    for file in &code {
        if tree.get(file).is_none() {
            found.push((
                format!("{id} names {file}, which is not there"),
                "name the file that does it",
            ));
        } else if !markers.iter().any(|(marker, path, _)| marker == id && path == file) {
            found.push((
                format!("{file} does not carry the marker {id}"),
                "put `// RC-nnn` beside the code",
            ));
        }
    }
    if shown.is_empty() {
        found.push((format!("{id} names no test"), "a control without a test is an open defect"));
    }
    for name in shown.iter().filter(|name| !tests.contains_key(*name)) {
        found.push((format!("{id} names the test {name}, which is not there"), "write the test"));
    }
    if class == "C" && !shown.iter().any(|name| tests.get(name).copied().unwrap_or_default()) {
        found.push((format!("{id} is of class C without a property test"), "add one to its tests"));
    }
    found
}

#[test]
fn controls_point_both_ways() {
    allow_none(&violations(Tree::here()));
}

#[test]
fn a_control_without_code_or_test_and_a_marker_without_control_are_found() {
    let page = r#"
[[control]]
id = "RC-001"
hazard = "nobody hears it"
measure = "it climbs"
class = "C"
code = "a.rs"
test = "it_climbs"
[[control]]
id = "RC-002"
hazard = "it is lost"
measure = ""
class = "D"
code = ["b.rs", "c.rs"]
test = ["it_is_kept", "in the browser"]
[[control]]
id = "RC-001"
hazard = "x"
measure = "x"
class = "C"
code = "a.rs"
test = ["it_climbs", "in_all_orders"]
"#;
    let tests = "#[test]\nfn it_climbs() {}\nproptest! {\n#[test]\nfn in_all_orders(x in 0..9) {} }\nfn it_is_kept() {}";
    let tree = Tree::of(&[
        (PAGE, page),
        ("a.rs", "// RC-001: climbs.\n// RC-003\n// RC-002, but elsewhere\nlet x = \"RC-004\";"),
        ("b.rs", ""),
        ("a/tests.rs", tests),
        ("d.mjs", "test('in the browser', () => {})"),
        ("xtask/src/a.rs", "// RC-009"),
    ]);
    let page_says = |line: usize, what: &str| format!("{PAGE}:{line}: {what}");
    let want = [
        page_says(3, "RC-001 is of class C without a property test"),
        page_says(10, "RC-002 has no measure"),
        page_says(10, "RC-002 is of class D"),
        page_says(10, "b.rs does not carry the marker RC-002"),
        page_says(10, "RC-002 names c.rs, which is not there"),
        page_says(10, "RC-002 names the test it_is_kept, which is not there"),
        page_says(3, "RC-001 is there twice"),
        "a.rs:2: RC-003 names no control".into(),
    ];
    let want: Vec<&str> = want.iter().map(String::as_str).collect();
    expect_these(&violations(&tree), &want);
    let none = Tree::of(&[]);
    expect_these(&violations(&none), &[&page_says(1, "there is no such file")]);
}

#[test]
fn tests_are_found_by_their_attribute_and_not_by_their_name() {
    let text = "#[tokio::test]\nasync fn a() {}\n#[test]\n#[should_panic]\nfn b() {}\nfn c() {}\n\
                #[cfg(test)]\nmod t { fn d() {} }\n#[test]\nfn e() { TestRunner::new() }";
    let found = tests_of(&tokens("a.rs", text).unwrap());
    let want = [("a", false), ("b", false), ("e", true)].map(|(it, is)| (it.to_owned(), is));
    assert_eq!(found, want);
}
