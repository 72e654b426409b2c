//! Whose a pack is, by the base name of its first record, without reading the rest.

use std::borrow::Cow;

use minicbor::Decoder;
use serde::Deserialize;

/// The label of a base name in CBOR (RFC 8428, table 4).
const BASE_NAME: i64 = -2;

/// The base name of the first record of a pack, in JSON or CBOR; `None` if it has none or
/// the bytes are no pack.
pub fn base_name(payload: &[u8]) -> Option<String> {
    if payload.trim_ascii_start().starts_with(b"[") { in_json(payload) } else { in_cbor(payload) }
}

fn in_json(payload: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct First<'a> {
        #[serde(borrow)]
        bn: Option<Cow<'a, str>>,
    }
    let pack: Vec<First<'_>> = serde_json::from_slice(payload).ok()?;
    pack.into_iter().next()?.bn.map(Cow::into_owned)
}

fn in_cbor(payload: &[u8]) -> Option<String> {
    let mut d = Decoder::new(payload);
    d.array().ok()?;
    let fields = d.map().ok()??;
    for _ in 0..fields {
        if d.i64().ok()? == BASE_NAME {
            return d.str().ok().map(str::to_owned);
        }
        d.skip().ok()?;
    }
    None
}

#[test]
fn the_base_name_of_the_first_record_says_whose_a_pack_is() {
    let json = |text: &str| base_name(text.as_bytes());
    assert_eq!(json(r#" [{"bn":"urn:dev:x:7/","n":"a","v":1}]"#).as_deref(), Some("urn:dev:x:7/"));
    assert_eq!(json(r#"[{"bn":"a\u0062"}]"#).as_deref(), Some("ab"));
    for none in ["[]", r#"[{"n":"a","v":1},{"bn":"x"}]"#, "{", "", r#"[{"bn":7}]"#] {
        assert_eq!(json(none), None, "{none}");
    }
    // [{-2: "x", 2: 7}] and the same with the name behind.
    assert_eq!(base_name(&[0x81, 0xa2, 0x21, 0x61, b'x', 2, 7]).as_deref(), Some("x"));
    assert_eq!(base_name(&[0x81, 0xa2, 2, 7, 0x21, 0x61, b'x']).as_deref(), Some("x"));
    assert_eq!(base_name(&[0x81, 0xa1, 2, 7]), None);
    assert_eq!(base_name(&[0x9b, 0xff]), None);
}
