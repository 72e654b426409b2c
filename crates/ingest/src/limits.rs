//! What the door holds at most; each limit has a test that exceeds it.

/// Spans of message numbers that are remembered of one boot; a device without losses needs one.
pub const SPANS_MAX: usize = 512;

/// Boots of one device whose numbers are remembered.
pub const BOOTS_MAX: usize = 4;

/// Samples of a device that does not count, remembered to recognise repeats.
pub const UNCOUNTED_MAX: usize = 512;

/// Messages of a device that does not count, remembered with all their samples.
pub const UNCOUNTED_MESSAGES: usize = 16;

/// Samples of a device that does not count, remembered however many it sends at once.
pub const UNCOUNTED_OF_BATCHES_MAX: usize = 65_536;

/// Samples of one record; a body of line protocol with more becomes several.
pub const SAMPLES_OF_A_RECORD_MAX: usize = 4_096;

/// Messages whose offset to our clock is remembered for each device.
pub const OFFSETS_MAX: usize = 16;

/// Messages that wait for their group commit.
pub const UNANSWERED_MAX: usize = 8_192;

/// How long a request waits for room before it is asked to come again.
pub const ROOM_WITHIN: std::time::Duration = std::time::Duration::from_secs(5);

/// Bytes of journal after which what the MQTT door keeps is written once more.
pub const SNAPSHOT_EVERY: u64 = 32 << 20;

/// Arrivals that are drawn from a listener at once.
pub const DRAWN_AT_ONCE: usize = 64;

/// Refusals of devices that are remembered, one for each device and reason.
pub const REFUSALS_OF_DEVICES_MAX: usize = 4_096;

/// Refusals of strangers that are remembered, one for each certificate or address and reason.
pub const REFUSALS_OF_STRANGERS_MAX: usize = 512;

/// More refusals of one kind are journalled together, at most so often.
pub const REFUSALS_WRITTEN_EVERY: std::time::Duration = std::time::Duration::from_secs(60);

/// Records of strangers in one minute; what comes on top is counted in memory only.
pub const STRANGERS_WRITTEN_PER_MINUTE_MAX: u32 = 60;

/// Devices whose messages are watched at once.
pub const WATCHED_MAX: usize = 16;

/// Sign-ins that watch one device at once.
pub const WATCHERS_OF_ONE_MAX: usize = 16;

/// Messages of a watched device that are kept for whoever watches.
pub const WATCHED_MESSAGES_MAX: usize = 50;

/// Bytes of one watched message that are kept.
pub const WATCHED_BYTES_MAX: usize = 4_096;

/// How long a device is watched after somebody last looked.
pub const WATCHED_FOR: std::time::Duration = std::time::Duration::from_secs(30);
