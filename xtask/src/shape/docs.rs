//! Links between our pages lead somewhere, and no two decisions share a number.

use std::collections::BTreeMap;

use super::{Tree, Violation, allow_none, expect_these};

/// The lines of a page that are prose, with code blanked out.
fn prose(text: &str) -> Vec<String> {
    let mut in_code = false;
    let line = |line: &str| {
        let fence = line.trim_start().starts_with("```");
        in_code ^= fence;
        if in_code || fence {
            return String::new();
        }
        line.split('`')
            .enumerate()
            .map(|(at, piece)| if at % 2 == 0 { piece } else { "‹›" })
            .collect()
    };
    text.lines().map(line).collect()
}

/// The targets of the links of one line: `[text](target)` and `[name]: target`.
fn links(line: &str) -> Vec<String> {
    let inline = line.split("](").skip(1).filter_map(|rest| rest.split_once(')').map(|(to, _)| to));
    let named =
        line.strip_prefix('[').and_then(|rest| rest.split_once("]: ")).map(|(_, to)| to.trim());
    let targets = inline.chain(named).filter_map(|to| to.split_whitespace().next());
    targets.map(str::to_owned).collect()
}

/// The anchors of a page, made of its headings as hosting sites make them.
fn anchors(text: &str) -> Vec<String> {
    let mut in_code = false;
    let headings = text.lines().filter(|line| {
        in_code ^= line.starts_with("```");
        !in_code && line.starts_with('#')
    });
    let mut found: Vec<String> = Vec::new();
    let mut times = BTreeMap::new();
    for heading in headings {
        let words = heading.trim_start_matches('#').trim().to_lowercase();
        let kept = words.chars().filter(|it| it.is_alphanumeric() || matches!(it, ' ' | '-' | '_'));
        let anchor: String = kept.map(|it| if it == ' ' { '-' } else { it }).collect();
        let seen: &mut usize = times.entry(anchor.clone()).or_default();
        found.push(if *seen == 0 { anchor } else { format!("{anchor}-{seen}") });
        *seen += 1;
    }
    found
}

/// The path that a link in a page means, or nothing if it leaves the tree.
fn resolve(page: &str, to: &str) -> Option<String> {
    let folder: Vec<&str> = page.split('/').collect();
    let mut steps: Vec<&str> = folder[..folder.len() - 1].to_vec();
    if to.starts_with('/') {
        steps.clear();
    }
    for step in to.split('/').filter(|it| !it.is_empty() && *it != ".") {
        if step == ".." {
            steps.pop()?;
        } else {
            steps.push(step);
        }
    }
    Some(steps.join("/"))
}

fn dead_links(tree: &Tree) -> Vec<Violation> {
    let mut found = Vec::new();
    for (page, text) in tree.ours(&["md"]) {
        for (at, line) in prose(text).iter().enumerate() {
            let outside = |to: &String| to.contains("://") || to.starts_with("mailto:");
            for to in links(line).into_iter().filter(|to| !outside(to)) {
                let (path, anchor) = to.split_once('#').unwrap_or((&to, ""));
                let path =
                    if path.is_empty() { Some(page.to_owned()) } else { resolve(page, path) };
                let there = path.filter(|it| tree.has(it));
                let target = there.as_deref().map(|it| tree.get(it).unwrap_or_default());
                let has_anchor = anchor.is_empty()
                    || target.is_some_and(|it| anchors(it).contains(&anchor.into()));
                if there.is_none() {
                    let what = format!("the link to {to} is dead");
                    found.push(Violation::new(page, at + 1, what, "name a file that is there"));
                } else if !has_anchor {
                    let what = format!("the link to {to} names no heading");
                    found.push(Violation::new(page, at + 1, what, "name a heading that is there"));
                }
            }
        }
    }
    found
}

fn wrong_numbers(tree: &Tree) -> Vec<Violation> {
    let mut by_number: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    let mut found = Vec::new();
    for (path, text) in tree.all() {
        let Some(name) = path.strip_prefix("docs/adr/").filter(|it| it.ends_with(".md")) else {
            continue;
        };
        let number: String = name.chars().take_while(char::is_ascii_digit).collect();
        if number.len() == 4 && name[4..].starts_with('-') {
            let heading = text.lines().next().unwrap_or_default();
            if !heading.starts_with(&format!("# {number} ")) {
                let what = format!("the heading does not start with `# {number} `");
                found.push(Violation::new(path, 1, what, "give the page the number of its file"));
            }
            by_number.entry(number).or_default().push(path);
        } else {
            let remedy = "name it NNNN-title.md";
            found.push(Violation::new(path, 1, "a decision has no number of four digits", remedy));
        }
    }
    for paths in by_number.values() {
        for path in paths.iter().skip(1) {
            let what = format!("has the number of {}", paths[0]);
            found.push(Violation::new(path, 1, what, "take the next free number"));
        }
    }
    found
}

#[test]
fn links_resolve() {
    allow_none(&dead_links(Tree::here()));
}

#[test]
fn adr_numbers_are_unique() {
    allow_none(&wrong_numbers(Tree::here()));
}

#[test]
fn a_dead_link_is_found_but_not_in_code() {
    let page = "# A page, with `code`\n[up](../README.md#one-two) [no](gone.md) `[x](y)`\n\
                ```\n[code](is.md)\n```\n[here](#a-page-with-code) [site](https://example.org)\n\
                [folder](../crates) [no](../README.md#three)\n[named]: gone.md\n[out](../../x.md)";
    let tree = Tree::of(&[
        ("docs/a.md", page),
        ("README.md", "# One *two*\n```\n# three\n```"),
        ("crates/a.rs", ""),
    ]);
    let want = [
        "docs/a.md:2: the link to gone.md is dead",
        "docs/a.md:7: the link to ../README.md#three names no heading",
        "docs/a.md:8: the link to gone.md is dead",
        "docs/a.md:9: the link to ../../x.md is dead",
    ];
    expect_these(&dead_links(&tree), &want);
}

#[test]
fn two_decisions_with_one_number_are_found() {
    let tree = Tree::of(&[
        ("docs/adr/0001-a.md", "# 0001 A"),
        ("docs/adr/0002-b.md", "# 0002 B"),
        ("docs/adr/0002-c.md", "# C"),
        ("docs/adr/12-d.md", ""),
    ]);
    let want = [
        "docs/adr/0002-c.md:1: the heading does not start with `# 0002 `",
        "docs/adr/12-d.md:1: a decision has no number of four digits",
        "docs/adr/0002-c.md:1: has the number of docs/adr/0002-b.md",
    ];
    expect_these(&wrong_numbers(&tree), &want);
}
