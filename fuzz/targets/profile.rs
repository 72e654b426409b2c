//! Profiles: any text is a profile or an error, and what is a profile reads a message.

#![no_main]

use libfuzzer_sys::fuzz_target;
use model::Timestamp;
use protocols::{profile::Profile, senml};

const PACK: &[u8] = include_bytes!("../../profiles/bedside-monitor/numerics.json");

fuzz_target!(|data: &[u8]| {
    let Ok(text) = str::from_utf8(data) else { return };
    if let Ok(profile) = Profile::parse(text) {
        let now = Timestamp::from_unix_nanos(1_700_000_000_000_000_000);
        assert!(senml::decode(&profile, None, PACK, now).is_ok());
    }
});
