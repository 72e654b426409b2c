//! Keeps three things in step: the statements of the standards, the tests that show them,
//! and the page of the reference that a reader looks them up in.
//!
//! `UPDATE=1 cargo test -p e2e conformance::table` rewrites the page.

use std::{
    collections::{BTreeMap, BTreeSet},
    env,
    fmt::Write as _,
    fs,
};

use crate::tools::root;

const FOLDER: &str = "tests/src/conformance";
const PAGE: &str = "docs/reference/mqtt-conformance.md";

const V311: &str = include_str!("statements-3.1.1.txt");
const V5: &str = include_str!("statements-5.0.txt");
const BEYOND: &str = include_str!("statements-beyond.txt");

/// Modules whose tests are about the tests.
const TOOLS: [&str; 4] = ["client", "field", "packets", "table"];

/// One normative statement and what became of it.
#[derive(Debug)]
struct Statement<'a> {
    id: &'a str,
    bound: &'a str,
    words: &'a str,
    fate: Fate<'a>,
}

#[derive(Debug)]
enum Fate<'a> {
    Shown(Vec<&'a str>),
    Client(&'a str),
    NotApplicable(&'a str),
    NotShown(&'a str),
    /// The server does something else; the tests assert what it does.
    FallsShort(&'a str, Vec<&'a str>),
}

impl<'a> Fate<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let (kind, rest) = text.split_once(": ")?;
        let tests = |text: &'a str| text.split(' ').collect::<Vec<_>>();
        Some(match kind {
            "shown" => Self::Shown(tests(rest)),
            "client" => Self::Client(rest),
            "n/a" => Self::NotApplicable(rest),
            "not shown" => Self::NotShown(rest),
            "falls short" => {
                let (why, named) = rest.rsplit_once("; ")?;
                Self::FallsShort(why, tests(named))
            }
            _ => return None,
        })
    }

    fn tests(&self) -> &[&'a str] {
        match self {
            Self::Shown(tests) | Self::FallsShort(_, tests) => tests,
            Self::Client(_) | Self::NotApplicable(_) | Self::NotShown(_) => &[],
        }
    }

    /// The column of the summary.
    const fn column(&self) -> usize {
        match self {
            Self::Shown(_) => 0,
            Self::Client(_) => 1,
            Self::NotApplicable(_) => 2,
            Self::FallsShort(..) => 3,
            Self::NotShown(_) => 4,
        }
    }

    fn markdown(&self) -> String {
        let tests = self.tests().iter().map(|test| format!("`{test}`"));
        let tests = tests.collect::<Vec<_>>().join("<br>");
        match self {
            Self::Shown(_) => tests,
            Self::Client(why) => format!("client's duty: {why}"),
            Self::NotApplicable(why) => format!("not applicable: {why}"),
            Self::NotShown(why) => format!("**not shown**: {why}"),
            Self::FallsShort(why, _) => format!("**falls short**: {why}<br>{tests}"),
        }
    }
}

/// The rows of a file; a line that is none fails the test.
fn statements(file: &str) -> Vec<Statement<'_>> {
    let rows = file.lines().filter(|line| !line.starts_with('#'));
    let parsed = rows.map(|line| {
        let fields: Vec<&str> = line.split(" | ").collect();
        let [id, bound, words, fate] = fields[..] else { panic!("not four fields: {line}") };
        assert!(matches!(bound, "server" | "client" | "both"), "{line}");
        let fate = Fate::parse(fate).unwrap_or_else(|| panic!("no fate: {line}"));
        Statement { id, bound, words, fate }
    });
    parsed.collect()
}

/// The tests of the modules, as `module::test`.
fn tests() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(root().join(FOLDER)).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "rs") {
            continue;
        }
        let module = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let source = fs::read_to_string(&path).unwrap();
        let mut lines = source.lines();
        while let Some(line) = lines.next() {
            if line == "#[test]" {
                let signature = lines.next().unwrap_or_default();
                let name = signature.trim_start_matches("fn ").split('(').next().unwrap();
                found.insert(format!("{module}::{name}"));
            }
        }
    }
    found
}

#[test]
fn every_statement_is_there_once_and_in_order() {
    let sections = |file: &'static str| {
        let mut sections: BTreeMap<&str, Vec<u32>> = BTreeMap::new();
        for statement in statements(file) {
            let (section, number) = statement.id.rsplit_once('-').unwrap();
            sections.entry(section).or_default().push(number.parse().unwrap());
        }
        sections
    };
    for (file, count) in [(V311, 141), (V5, 251)] {
        assert_eq!(statements(file).len(), count);
        for (section, numbers) in sections(file) {
            // Version 5.0 has no [MQTT-2.2.1-1].
            let first = if (file, section) == (V5, "2.2.1") { 2 } else { 1 };
            let expected: Vec<u32> = (first..).take(numbers.len()).collect();
            assert_eq!(numbers, expected, "section {section}");
        }
    }
}

#[test]
fn every_named_test_is_there_and_every_test_is_named() {
    let all = [V311, V5, BEYOND].map(statements);
    let named: BTreeSet<String> = all
        .iter()
        .flatten()
        .flat_map(|statement| statement.fate.tests())
        .map(|test| (*test).to_owned())
        .collect();
    let tests: BTreeSet<String> = tests()
        .into_iter()
        .filter(|test| !TOOLS.contains(&test.split("::").next().unwrap()))
        .collect();
    let missing: Vec<_> = named.difference(&tests).collect();
    let unnamed: Vec<_> = tests.difference(&named).collect();
    assert!(missing.is_empty(), "named, and not there: {missing:#?}");
    assert!(unnamed.is_empty(), "there, and named by no statement: {unnamed:#?}");
}

const HEAD: &str = "\
# MQTT conformance

Every normative statement of [MQTT 3.1.1](https://docs.oasis-open.org/mqtt/mqtt/v3.1.1/os/mqtt-v3.1.1-os.html)
and [MQTT 5.0](https://docs.oasis-open.org/mqtt/mqtt/v5.0/os/mqtt-v5.0-os.html), by the numbers of their appendix B
and in our own words, with the tests that show it on the running program.
The tests are in [tests/src/conformance](../../tests/src/conformance): clients that send and read bytes over TLS with a
device's certificate, and clients that others wrote.
A statement that binds clients is shown from the other side: by what the server does with a client that breaks it, or
by the server's own packets where it sends and receives as a client does.
Each packet of the server is read strictly in all of them: flags, lengths, identifiers, properties and codes by the
tables of the standards.

This page is generated: `UPDATE=1 cargo test -p e2e conformance::table` writes it from the `statements-*.txt` there,
and a test compares it.

";

fn page() -> String {
    let versions =
        [("MQTT 3.1.1", V311), ("MQTT 5.0", V5)].map(|(name, file)| (name, statements(file)));
    let mut page = HEAD.to_owned();
    page.push_str("| Standard | Statements | Shown | Client's duty | Not applicable | Falls short | Not shown |\n");
    page.push_str("|---|---|---|---|---|---|---|\n");
    for (name, statements) in &versions {
        let mut columns = [0_usize; 5];
        statements.iter().for_each(|statement| columns[statement.fate.column()] += 1);
        let columns = columns.map(|count| count.to_string()).join(" | ");
        writeln!(page, "| {name} | {} | {columns} |", statements.len()).unwrap();
    }
    for (name, statements) in &versions {
        write!(page, "\n## {name}\n").unwrap();
        let mut section = "";
        for statement in statements {
            let (own, _) = statement.id.rsplit_once('-').unwrap();
            let own = own.match_indices('.').nth(1).map_or(own, |(end, _)| &own[..end]);
            if own != section {
                section = own;
                write!(page, "\n### Section {section}\n\n").unwrap();
                page.push_str("| Statement | Binds | In short | Shown by |\n|---|---|---|---|\n");
            }
            let Statement { id, bound, words, fate } = statement;
            writeln!(page, "| MQTT-{id} | {bound} | {words} | {} |", fate.markdown()).unwrap();
        }
    }
    page.push_str("\n## Beyond the numbered statements\n\n");
    page.push_str("| Section | Binds | In short | Shown by |\n|---|---|---|---|\n");
    for Statement { id, bound, words, fate } in statements(BEYOND) {
        writeln!(page, "| {id} | {bound} | {words} | {} |", fate.markdown()).unwrap();
    }
    page
}

#[test]
fn the_page_of_the_reference_is_up_to_date() {
    let (path, page) = (root().join(PAGE), page());
    if env::var_os("UPDATE").is_some_and(|value| value == "1") {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, &page).unwrap();
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    let remedy = "run `UPDATE=1 cargo test -p e2e conformance::table`";
    assert!(committed == page, "{PAGE} is not what is generated; {remedy}");
}
