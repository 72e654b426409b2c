//! Files of EDF and EDF+: any bytes are a recording or a refusal, and what was read is written alike.

#![no_main]

use libfuzzer_sys::fuzz_target;
use signal::edf::{self, DataRecord, Note};

/// A record's own time, which its list of notes begins with, has no more bytes.
const TIME_LEN: usize = 32;

fuzz_target!(|data: &[u8]| {
    let Ok(mut found) = edf::read(data) else { return };
    // The signal of the notes is one more, of 256 at most.
    if found.header.signals.len() > 255 {
        return;
    }
    // Another writer may say more in as many bytes.
    let room = |it: &DataRecord| TIME_LEN + it.notes.iter().map(Note::len_bytes).sum::<usize>();
    let room = found.records.iter().map(room).max().unwrap_or(TIME_LEN);
    found.header.notes_len_bytes = room.next_multiple_of(2);
    let mut written = found.header.encode(found.records.len());
    found.records.iter().for_each(|record| written.extend(found.header.encode_record(record)));
    let plain = |it: &edf::Recording| {
        let records = it.records.iter().map(|it| (it.onset_ns, it.samples.clone()));
        (it.header.signals.len(), it.header.has_gaps, records.collect::<Vec<_>>())
    };
    assert_eq!(edf::read(&written).map(|it| plain(&it)), Ok(plain(&found)));
});
