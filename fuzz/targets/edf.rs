//! Files of EDF and EDF+: any bytes are a recording or a refusal, and what was read is written alike.

#![no_main]

use libfuzzer_sys::fuzz_target;
use signal::edf;

fuzz_target!(|data: &[u8]| {
    let Ok(found) = edf::read(data) else { return };
    let mut written = found.header.encode(found.records.len());
    found.records.iter().for_each(|record| written.extend(found.header.encode_record(record)));
    if let Ok(again) = edf::read(&written) {
        assert_eq!(again.header.signals.len(), found.header.signals.len());
    }
});
