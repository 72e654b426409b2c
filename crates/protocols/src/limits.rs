//! What a message may be at most, so that no sender costs another one anything.

/// Bytes of one payload, numeric or waveform (protocols §1.4).
pub const PAYLOAD_LEN_MAX: usize = 64 * 1_024;
/// Records of one SenML pack.
pub const RECORDS_MAX: usize = 1_000;
/// Lists and maps inside each other in one SenML pack.
pub const DEPTH_MAX: u8 = 4;
/// Bytes of a resolved SenML name.
pub const NAME_LEN_MAX: usize = 128;
/// Bytes of a unit.
pub const UNIT_LEN_MAX: usize = 32;
/// Bytes of a topic (protocols §1.1).
pub const TOPIC_LEN_MAX: usize = 512;
/// The depth of a topic, in levels.
pub const TOPIC_LEVELS_MAX: usize = 16;
/// Characters of a channel or a kind in a topic.
pub const CHANNEL_LEN_MAX: usize = 64;
/// Samples of one waveform block: the most that varints of one byte can hold.
pub const BLOCK_SAMPLES_MAX: u32 = 65_536;
/// The shortest waveform block, in milliseconds.
pub const BLOCK_MS_MIN: u64 = 100;
/// The longest waveform block, in milliseconds.
pub const BLOCK_MS_MAX: u64 = 5_000;
/// Numerator and denominator of a sampling rate.
pub const RATE_PART_MAX: u32 = 1_000_000;
/// Spans of doubtful samples in one block.
pub const SPANS_MAX: u64 = 1_000;
/// Channels of one profile.
pub const CHANNELS_MAX: usize = 256;
/// Lines of one body of line protocol.
pub const LINES_MAX: usize = 10_000;
/// Bytes of one line of line protocol.
pub const LINE_LEN_MAX: usize = 16 * 1_024;
/// Tags of one line.
pub const LINE_TAGS_MAX: usize = 32;
/// Fields of one line.
pub const LINE_FIELDS_MAX: usize = 256;
/// Bytes of the channel of a field that no profile names.
pub const SERIES_LEN_MAX: usize = 256;
/// Bytes of a device's own words in an event or a result.
pub const REPORT_TEXT_LEN_MAX: usize = 4 * 1_024;
/// Characters of a version in a device's state.
pub const VERSION_LEN_MAX: usize = 64;

/// How many filters of foreign topics one profile may grant.
pub const GRANTS_MAX: usize = 32;
/// How many settings one profile may declare.
pub const SETTINGS_MAX: usize = 64;
