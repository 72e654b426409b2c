//! The scripts that come with the program, from inside the binary, and those of a user.

use std::path::Path;

use anyhow::Context as _;
use rust_embed::RustEmbed;
use sim::Script;

#[derive(RustEmbed)]
#[folder = "../../assets/scenarios"]
struct Files;

/// The shipped script of this name, such as `ward`.
pub(crate) fn shipped(name: &str) -> anyhow::Result<Script> {
    let file = Files::get(&format!("{name}.toml"))
        .with_context(|| format!("`{name}` is no shipped script; use one of: {}", names()))?;
    Script::parse(std::str::from_utf8(&file.data)?).with_context(|| format!("script `{name}`"))
}

/// A script from a file, or a shipped one if there is no file of this name.
pub(crate) fn find(name: &str) -> anyhow::Result<Script> {
    let path = Path::new(name);
    if !path.exists() {
        return shipped(name);
    }
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {name}"))?;
    Script::parse(&text).with_context(|| name.to_owned())
}

fn names() -> String {
    let mut names: Vec<String> =
        Files::iter().filter_map(|file| file.strip_suffix(".toml").map(str::to_owned)).collect();
    names.sort();
    names.join(", ")
}

#[test]
fn every_shipped_script_is_one() {
    for file in Files::iter() {
        let name = file.strip_suffix(".toml").unwrap();
        let script = shipped(name).unwrap();
        assert!(!script.patients.is_empty() && !script.devices().is_empty(), "{name}");
    }
}
