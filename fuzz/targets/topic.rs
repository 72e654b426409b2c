//! Topics and filters: any text is a topic that prints alike or none, and no foreign filter is let in.

#![no_main]

use libfuzzer_sys::fuzz_target;
use model::Id;
use protocols::topic;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = str::from_utf8(data) else { return };
    if let Ok(topic) = topic::parse(text) {
        assert_eq!(topic.to_string(), text);
    }
    let ids = ["0192f0c1-2b3a-7c4d-8e5f-000000000001", "0192f0c1-2b3a-7c4d-8e5f-000000000002"];
    let (Ok(site), Ok(device)) = (ids[0].parse::<Id<_>>(), ids[1].parse::<Id<_>>()) else { return };
    if topic::may_subscribe(text, site, device) {
        let own = |way: &str| format!("wl/1/{}/{way}{}/down", ids[0], ids[1]);
        assert!(text.starts_with(&own("")) || text.starts_with(&own("$gw/")));
    }
});
