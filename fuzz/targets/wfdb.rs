//! Files of PhysioNet: any header, samples and annotations give what they hold or an error.

#![no_main]

use libfuzzer_sys::fuzz_target;
use signal::wfdb;

// A header in text, a zero, and the bytes of the samples; and all of it as annotations.
fuzz_target!(|data: &[u8]| {
    if let Ok(found) = wfdb::annotations(data) {
        let _ = wfdb::flutter(&found);
    }
    let at = data.iter().position(|byte| *byte == 0).unwrap_or(data.len());
    let Some((header, samples)) = data.split_at_checked(at) else { return };
    let Ok(header) = str::from_utf8(header) else { return };
    let _ = wfdb::segments(header);
    if let Ok(header) = wfdb::Header::parse(header) {
        let _ = wfdb::samples(&header, samples.get(1..).unwrap_or_default());
    }
});
