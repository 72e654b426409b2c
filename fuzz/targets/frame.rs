//! Frames of the journal: any bytes give frames or an error, and a frame is written back as it was read.

#![no_main]

use libfuzzer_sys::fuzz_target;
use record::FrameRef;

fuzz_target!(|data: &[u8]| {
    let mut rest = data;
    loop {
        let before = rest;
        let Ok(frame) = FrameRef::decode(&mut rest) else {
            assert_eq!(rest, before, "a refusal takes nothing");
            return;
        };
        let mut written = Vec::new();
        assert_eq!(frame.envelope.encode(frame.body(), &mut written), Ok(()));
        assert_eq!(written.len(), frame.len());
        assert!(before.starts_with(&written) && before.len() == written.len() + rest.len());
    }
});
