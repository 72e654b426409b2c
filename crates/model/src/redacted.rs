//! A wrapper that keeps patients out of logs (invariant I17).

use std::fmt;

/// A name, a birth date or a free text: readable by code, never by `Debug`.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Redacted<T>(pub T);

impl<T> fmt::Debug for Redacted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("‹redacted›")
    }
}

#[test]
fn a_name_does_not_reach_a_log_line() {
    assert_eq!(format!("{:?}", Redacted("Ilse Brandt")), "‹redacted›");
}
