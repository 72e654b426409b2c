//! The shape of the tree, as tests: what ARCHITECTURE.md promises about files, names and layers.
//!
//! A rule is a function from a [`Tree`] to all its [`Violation`]s; a test runs it on the real tree, and another
//! on samples that it must refuse.
//!
//! **Absent on purpose:** the behaviour of any crate.

use std::{collections::BTreeMap, fmt, fs, path::Path, process::Command, sync::OnceLock};

mod acks;
mod changelog;
mod docs;
mod effects;
mod files;
mod layers;
mod lints;
mod numbers;
mod safety;
mod tokens;

/// The files that git knows or would add, as text; a file that is not text is there with none.
pub struct Tree {
    files: BTreeMap<String, String>,
}

impl Tree {
    /// The working tree, read once.
    pub fn here() -> &'static Self {
        static HERE: OnceLock<Tree> = OnceLock::new();
        HERE.get_or_init(|| {
            let listing = git(&["ls-files", "-co", "--exclude-standard", "-z"]).unwrap();
            // A file that was deleted but not yet staged is still listed.
            let read = |path: &str| match fs::read(crate::root().join(path)) {
                Ok(bytes) => Some((path.to_owned(), String::from_utf8(bytes).unwrap_or_default())),
                Err(_) => None,
            };
            Self {
                files: listing.split('\0').filter(|it| !it.is_empty()).filter_map(read).collect(),
            }
        })
    }

    /// A sample.
    pub fn of(files: &[(&str, &str)]) -> Self {
        Self { files: files.iter().map(|(path, text)| ((*path).into(), (*text).into())).collect() }
    }

    pub fn get(&self, path: &str) -> Option<&str> {
        self.files.get(path).map(String::as_str)
    }

    /// Whether it is a file, or a folder with files.
    pub fn has(&self, path: &str) -> bool {
        let path = path.trim_end_matches('/');
        let folder = format!("{path}/");
        path.is_empty()
            || self.files.contains_key(path)
            || self.files.keys().any(|it| it.starts_with(&folder))
    }

    pub fn all(&self) -> impl Iterator<Item = (&str, &str)> {
        self.files.iter().map(|(path, text)| (path.as_str(), text.as_str()))
    }

    /// Files by their endings (without the dot), apart from what others wrote.
    pub fn ours<'a>(&'a self, endings: &'a [&str]) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.all().filter(move |(path, _)| {
            let ending = Path::new(path).extension().and_then(|it| it.to_str());
            ending.is_some_and(|it| endings.contains(&it))
                && !path.starts_with("web/vendor/")
                && !path.starts_with("assets/")
        })
    }

    /// The Rust files below a folder.
    pub fn rust_below<'a>(&'a self, folder: &str) -> impl Iterator<Item = (&'a str, &'a str)> {
        let folder = format!("{folder}/");
        self.ours(&["rs"]).filter(move |(path, _)| path.starts_with(&folder))
    }

    /// Our manifests by the name of their folder: `crates/*`, `tests`, `xtask`, `fuzz`.
    pub fn manifests(&self) -> impl Iterator<Item = (&str, &str, &str)> {
        self.all().filter_map(|(path, text)| {
            let folder = path.strip_suffix("/Cargo.toml")?;
            Some((path, folder.strip_prefix("crates/").unwrap_or(folder), text))
        })
    }
}

/// What is wrong, where, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    pub path: String,
    pub line: usize,
    pub what: String,
    pub remedy: String,
}

impl Violation {
    pub fn new(path: &str, line: usize, what: impl Into<String>, remedy: &str) -> Self {
        Self { path: path.into(), line, what: what.into(), remedy: remedy.into() }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}; {}", self.path, self.line, self.what, self.remedy)
    }
}

/// Fails with all violations, one per line.
#[track_caller]
pub fn allow_none(found: &[Violation]) {
    let lines: Vec<String> = found.iter().map(ToString::to_string).collect();
    assert!(found.is_empty(), "{} violations:\n{}\n", found.len(), lines.join("\n"));
}

/// Fails unless the violations of a sample are these, given as `path:line: what`.
#[track_caller]
pub fn expect_these(found: &[Violation], want: &[&str]) {
    let lines: Vec<String> =
        found.iter().map(|it| format!("{}:{}: {}", it.path, it.line, it.what)).collect();
    assert_eq!(lines, want);
    assert!(found.iter().all(|it| !it.remedy.is_empty()), "each violation names its remedy");
}

/// The first line, counted from one, that contains `needle`; one if none does.
pub fn line_of(text: &str, needle: &str) -> usize {
    text.lines().position(|line| line.contains(needle)).map_or(1, |at| at + 1)
}

/// The answer of git in the root of the repository, or nothing if it refuses.
pub fn git(args: &[&str]) -> Option<String> {
    let output = Command::new("git").args(args).current_dir(crate::root()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

#[test]
fn the_tree_lists_this_file_and_nothing_that_was_built() {
    let tree = Tree::here();
    assert!(tree.has("xtask/src/shape.rs") && tree.has("xtask/src") && tree.has("crates/"));
    assert!(!tree.has("target") && !tree.has("xtask/src/sha"));
}
