//! Waveform blocks: any bytes give a block or an error, and a block is written back as it was read.

#![no_main]

use libfuzzer_sys::fuzz_target;
use protocols::wave;

fuzz_target!(|data: &[u8]| {
    let Ok(block) = wave::decode(data) else { return };
    let counts = block.counts();
    assert_eq!(u32::try_from(counts.samples.len()), Ok(block.count));
    assert!(counts.doubts.iter().all(|span| span.start + span.len <= block.count));
    let written = wave::encode(&block);
    assert_eq!(wave::decode(&written), Ok(block));
});
