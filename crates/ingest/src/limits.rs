//! What the door holds at most; each limit has a test that exceeds it.

/// Message numbers behind the newest that are still told apart from repeats.
pub const SEQ_WINDOW: u64 = 1_024;

/// Boots of one device whose numbers are remembered.
pub const BOOTS_MAX: usize = 4;

/// Samples of a device that does not count, remembered to recognise repeats.
pub const UNCOUNTED_MAX: usize = 512;

/// Messages whose offset to our clock is remembered for each device.
pub const OFFSETS_MAX: usize = 16;

/// Messages that wait for their group commit.
pub const UNANSWERED_MAX: usize = 8_192;

/// Arrivals that are drawn from a listener at once.
pub const DRAWN_AT_ONCE: usize = 64;
