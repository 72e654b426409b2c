//! Every effect that a decider can ask for is named in `engine`, which carries it out.

use std::collections::BTreeSet;

use super::{Tree, Violation, allow_none, expect_these, tokens::tokens};

const DECIDERS: &[&str] = &["care", "fleet", "facility"];

fn violations(tree: &Tree) -> Vec<Violation> {
    let mut found = Vec::new();
    let mut handled = BTreeSet::new();
    for (path, text) in tree.rust_below("crates/engine/src") {
        match tokens(path, text) {
            Ok(tokens) => {
                for window in tokens.windows(4) {
                    let [of, a, b, variant] = window else { continue };
                    // Imported under another name it still ends in `Effect`.
                    if of.text.ends_with("Effect") && a.text == ":" && b.text == ":" {
                        handled.insert(variant.text.clone());
                    }
                }
            }
            Err(violation) => found.push(violation),
        }
    }
    for name in DECIDERS {
        for (path, text) in tree.rust_below(&format!("crates/{name}/src")) {
            let Ok(file) = syn::parse_file(text) else { continue };
            let mut enums = Vec::new();
            collect(&file.items, &mut enums);
            for variant in enums.iter().flat_map(|it| &it.variants) {
                if !handled.contains(&variant.ident.to_string()) {
                    let what = format!("engine never names Effect::{}", variant.ident);
                    let line = variant.ident.span().start().line;
                    found.push(Violation::new(
                        path,
                        line,
                        what,
                        "carry it out in engine::Executor",
                    ));
                }
            }
        }
    }
    found
}

fn collect<'a>(items: &'a [syn::Item], enums: &mut Vec<&'a syn::ItemEnum>) {
    for item in items {
        match item {
            syn::Item::Enum(it) if it.ident == "Effect" => enums.push(it),
            syn::Item::Mod(it) => {
                let inside = it.content.as_ref().map(|(_, items)| items.as_slice());
                collect(inside.unwrap_or_default(), enums);
            }
            _ => {}
        }
    }
}

#[test]
fn are_all_handled() {
    allow_none(&violations(Tree::here()));
}

#[test]
fn an_effect_that_only_a_comment_of_the_engine_names_is_not_handled() {
    let tree = Tree::of(&[
        (
            "crates/care/src/alarm.rs",
            "pub enum Effect {\n Sound,\n Call(u8),\n}\nenum Other { Not }",
        ),
        ("crates/care/src/lib.rs", "mod rpm { pub enum Effect {\n Task } }"),
        (
            "crates/engine/src/lib.rs",
            "// Effect::Call\nfn f(e: E) { if matches!(e, AlarmEffect::Sound) {} }",
        ),
    ]);
    let want = [
        "crates/care/src/alarm.rs:3: engine never names Effect::Call",
        "crates/care/src/lib.rs:2: engine never names Effect::Task",
    ];
    expect_these(&violations(&tree), &want);
}
