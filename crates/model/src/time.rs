//! Instants on the one clock that all decisions share.
//!
//! **Absent on purpose:** a `now` function. The outer shell reads the clock once
//! per input and passes it down, so a test runs a night shift in a millisecond.

use std::time::Duration;

/// Nanoseconds since the Unix epoch, in UTC; negative before 1970.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The instant `nanos` nanoseconds after the Unix epoch.
    pub const fn from_unix_nanos(nanos: i64) -> Self {
        Self(nanos)
    }

    /// Nanoseconds since the Unix epoch, for stored forms.
    pub const fn unix_nanos(self) -> i64 {
        self.0
    }

    /// This instant moved later by `span`, stopping at the end of time.
    pub fn after(self, span: Duration) -> Self {
        let nanos = i64::try_from(span.as_nanos()).unwrap_or(i64::MAX);
        Self(self.0.saturating_add(nanos))
    }

    /// This instant moved earlier by `span`, stopping at the beginning of time.
    pub fn before(self, span: Duration) -> Self {
        let nanos = i64::try_from(span.as_nanos()).unwrap_or(i64::MAX);
        Self(self.0.saturating_sub(nanos))
    }

    /// The instant `millis` milliseconds after the Unix epoch, stopping at the ends of time.
    pub const fn from_unix_millis(millis: i64) -> Self {
        Self(millis.saturating_mul(1_000_000))
    }

    /// Whole milliseconds since the Unix epoch, for screens.
    pub const fn unix_millis(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    /// This instant minus `other`, in nanoseconds; negative if `other` is later.
    pub const fn nanos_after(self, other: Self) -> i64 {
        self.0.saturating_sub(other.0)
    }

    /// How long ago `earlier` was; zero if it lies in the future.
    pub fn since(self, earlier: Self) -> Duration {
        let nanos = i128::from(self.0) - i128::from(earlier.0);
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(0))
    }
}
