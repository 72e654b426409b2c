//! Packs in JSON: any bytes give samples or an error, each record one sample, and no time or number is made up.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use model::{Sample, Timestamp};
use protocols::{limits, profile::Profile, senml};

static PROFILE: LazyLock<Profile> = LazyLock::new(|| {
    let text = include_str!("../../profiles/bedside-monitor/profile.toml");
    Profile::parse(text).unwrap_or_else(|error| unreachable!("{error}"))
});

fuzz_target!(|data: &[u8]| {
    let now = Timestamp::from_unix_nanos(1_700_000_000_000_000_000);
    let Ok(pack) = senml::decode(&PROFILE, Some(senml::JSON), data, now) else { return };
    assert!(pack.samples.len() <= limits::RECORDS_MAX && pack.notes.len() <= pack.samples.len());
    for raw in &pack.samples {
        // What was refused has no value.
        assert!(raw.refused.is_none() || matches!(raw.sample, Sample::Missing(_)));
    }
});
