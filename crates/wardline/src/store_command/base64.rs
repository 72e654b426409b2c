//! Bytes as text (RFC 4648, section 4), for payloads in a dump.

const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// The bytes as base64 with padding.
pub(super) fn base64(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let mut padded = [0; 4];
        for (place, byte) in padded.iter_mut().skip(1).zip(group) {
            *place = *byte;
        }
        let number = u32::from_be_bytes(padded);
        for place in 0..4 {
            let sextet = (number >> (18 - 6 * place)) & 0x3f;
            let letter = LETTERS.get(sextet as usize).copied().unwrap_or(b'=');
            text.push(if place as usize > group.len() { '=' } else { char::from(letter) });
        }
    }
    text
}

#[test]
fn the_examples_of_the_standard_hold() {
    for (bytes, text) in [
        ("", ""),
        ("f", "Zg=="),
        ("fo", "Zm8="),
        ("foo", "Zm9v"),
        ("foob", "Zm9vYg=="),
        ("fooba", "Zm9vYmE="),
        ("foobar", "Zm9vYmFy"),
    ] {
        assert_eq!(base64(bytes.as_bytes()), text);
    }
    assert_eq!(base64(&[0xfb, 0xff, 0xbf]), "+/+/");
}
