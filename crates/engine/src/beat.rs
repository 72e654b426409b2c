//! What the built-in watchdog device says each second on `up/event`.
//!
//! The beat goes the whole way of a reading: socket, door, journal, engine, screen.
//! A page that does not see it for five seconds says that it is blind.

use model::Timestamp;

/// The profile of the watchdog device; the shell enrols one for each site.
pub const PROFILE: &str = "watchdog";
/// The leaf of its topic after `up/`.
pub const LEAF: &str = "event";

// RC-048
/// The message for beat number `seq`, sent at `at`.
pub fn payload(seq: u64, at: Timestamp) -> Vec<u8> {
    format!("beat {seq} {}", at.unix_nanos()).into_bytes()
}

/// Number and time of a beat; `None` if the message is not one.
pub fn parse(payload: &[u8]) -> Option<(u64, Timestamp)> {
    let text = std::str::from_utf8(payload).ok()?;
    let mut words = text.split(' ');
    let (Some("beat"), Some(seq), Some(at), None) =
        (words.next(), words.next(), words.next(), words.next())
    else {
        return None;
    };
    Some((seq.parse().ok()?, Timestamp::from_unix_nanos(at.parse().ok()?)))
}

#[test]
fn a_beat_survives_its_way() {
    let at = Timestamp::from_unix_nanos(1_700_000_000_000_000_001);
    assert_eq!(parse(&payload(7, at)), Some((7, at)));
    for other in ["", "beat", "beat 7", "beat 7 x", "beat 7 1 1", "boat 7 1", "beat -7 1"] {
        assert_eq!(parse(other.as_bytes()), None, "{other}");
    }
    assert_eq!(parse(&[0xff]), None);
}
