//! Bodies of records: any bytes of any kind and version give a body or an error, and what was read is written alike.

#![no_main]

use libfuzzer_sys::fuzz_target;
use record::Body;

// The first three bytes are the kind and the version, as in a frame.
fuzz_target!(|data: &[u8]| {
    let Some(([kind_high, kind_low, version], bytes)) = data.split_first_chunk::<3>() else {
        return;
    };
    let Ok(body) = Body::decode(u16::from_be_bytes([*kind_high, *kind_low]), *version, bytes)
    else {
        return;
    };
    let (kind, version, written) = body.encode();
    assert_eq!(Body::decode(kind, version, &written), Ok(body));
});
