//! The device profiles from inside the binary.

use std::collections::BTreeMap;

use anyhow::Context as _;
use protocols::profile::Profile;
use rust_embed::RustEmbed;

#[derive(RustEmbed)]
#[folder = "../../profiles"]
struct Files;

/// Every shipped profile by its name.
pub(crate) fn profiles() -> anyhow::Result<BTreeMap<String, Profile>> {
    let mut profiles = BTreeMap::new();
    for name in Files::iter().filter(|name| name.ends_with("/profile.toml")) {
        let file = Files::get(&name).with_context(|| format!("{name} was not built in"))?;
        let text =
            std::str::from_utf8(&file.data).with_context(|| format!("{name} is not UTF-8"))?;
        let profile = Profile::parse(text).with_context(|| format!("{name} is not a profile"))?;
        profiles.insert(profile.name.clone(), profile);
    }
    Ok(profiles)
}
