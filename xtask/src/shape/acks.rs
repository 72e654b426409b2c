//! A device is answered in one place: only `ingest` calls `acknowledge`, as only it holds what is durable.

use super::{
    Tree, Violation, allow_none, expect_these,
    tokens::{after_group, positions, tokens},
};

const METHOD: &[&str] = &[".", "acknowledge", "("];

fn violations(tree: &Tree) -> Vec<Violation> {
    let mut found = Vec::new();
    for (path, text) in tree.rust_below("crates") {
        let own_tests = path.starts_with("crates/transport/") && is_test_file(path);
        if path.starts_with("crates/ingest/") || own_tests {
            continue;
        }
        match tokens(path, text) {
            Ok(tokens) => {
                let product = without_tests(&tokens);
                let calls = positions(&product, METHOD);
                found.extend(calls.map(|call| {
                    let what = "acknowledges a device outside of ingest";
                    Violation::new(path, call.line, what, "hand the answer to ingest's loop")
                }));
            }
            Err(violation) => found.push(violation),
        }
    }
    found
}

fn is_test_file(path: &str) -> bool {
    path.ends_with("/tests.rs") || path.contains("/tests/")
}

/// The tokens without what stands under `#[test]` or `#[cfg(test)]`.
fn without_tests(tokens: &[super::tokens::Token]) -> Vec<super::tokens::Token> {
    let mut kept = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let text = |ahead: usize| tokens.get(at + ahead).map_or("", |it| it.text.as_str());
        let under_test = (text(0), text(1)) == ("#", "[")
            && (text(2) == "test"
                || (text(2), text(3), text(4), text(5)) == ("cfg", "(", "test", ")"));
        if !under_test {
            kept.push(tokens[at].clone());
            at += 1;
            continue;
        }
        at = after_group(tokens, at + 1);
        while let Some(token) = tokens.get(at) {
            let done = matches!(token.text.as_str(), "{" | ";");
            let opens = matches!(token.text.as_str(), "{" | "(" | "[");
            at = if opens { after_group(tokens, at) } else { at + 1 };
            if done {
                break;
            }
        }
    }
    kept
}

#[test]
fn have_one_caller() {
    allow_none(&violations(Tree::here()));
}

#[test]
fn an_acknowledgement_outside_of_ingest_is_found() {
    let call = "fn f(u: U) {\n u.acknowledge(&d); }";
    let tested = "#[cfg(test)]\nmod tests { fn g(u: U) { u.acknowledge(&d); } }\n#[test]\nfn h() { u.acknowledge(&d); }";
    let tree = Tree::of(&[
        ("crates/api/src/lib.rs", call),
        ("crates/ingest/src/lib.rs", call),
        ("crates/transport/src/lib.rs", tested),
        ("crates/transport/src/mqtt.rs", call),
        ("crates/transport/src/mqtt/tests.rs", call),
        ("crates/care/src/alarm.rs", "pub fn acknowledge(id: u8) {} // u.acknowledge(&d)"),
    ]);
    let want = [
        "crates/api/src/lib.rs:2: acknowledges a device outside of ingest",
        "crates/transport/src/mqtt.rs:2: acknowledges a device outside of ingest",
    ];
    expect_these(&violations(&tree), &want);
}
