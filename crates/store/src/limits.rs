//! Every bound of this crate, by name: what is queued, kept in memory, or believed.

use std::time::Duration;

/// How many bytes a segment of the journal is given when it is made.
pub const SEGMENT_LEN: u64 = 32 << 20;
/// So many of the newest segments stay whole: starts read them for repeats and for state.
pub const SEGMENTS_WHOLE_MIN: usize = 4;
/// The most bytes of one appended group, envelopes included; it fits into a segment.
pub const GROUP_LEN_MAX: usize = 24 << 20;
/// A commit takes no further group beyond this many bytes, so that none waits long.
pub const COMMIT_LEN_MAX: usize = 4 << 20;
/// The most groups that wait for the writer; one more is refused.
pub const QUEUE_GROUPS_MAX: usize = 65_536;
/// The most bytes that wait for the writer; a group more is refused.
pub const QUEUE_LEN_MAX: usize = 96 << 20;
/// Whoever takes messages from a socket waits while the reader that decides is further behind.
pub const BEHIND_LEN_MAX: u64 = 6 << 20;
/// The most partitions of one log; the head of a segment names them all in one frame.
pub const PARTITIONS_MAX: usize = 16_384;
/// How many bytes of the newest records stay in memory for followers.
pub const RING_LEN_MAX: usize = 8 << 20;
/// How many events stay in memory for followers.
pub const RING_EVENTS_MAX: usize = 65_536;
/// How many bytes a follower reads from a file at once.
pub const READ_LEN: usize = 256 << 10;
/// A record whose sync takes longer is handed on before it is durable.
pub const PROVISIONAL_AFTER: Duration = Duration::from_millis(100);
/// How often a full disk is tried again when nobody appends.
pub const FULL_RETRY: Duration = Duration::from_secs(1);
/// Over how many of the latest syncs the percentiles are taken.
pub const SYNC_SAMPLES: usize = 1_024;

/// The most points of a sealed chunk of numerics.
pub const CHUNK_POINTS_MAX: usize = 3_600;
/// The longest span of a sealed chunk of numerics.
pub const CHUNK_SPAN_MAX: Duration = Duration::from_secs(3_600);
/// The longest span of a sealed chunk of a waveform.
pub const CHUNK_WAVE_SPAN_MAX: Duration = Duration::from_secs(60);
/// The most samples of a sealed chunk of a waveform.
pub const CHUNK_SAMPLES_MAX: usize = 120_000;
/// Damaged chunks that are remembered as met, so that each is noted once.
pub const DAMAGE_MET_MAX: usize = 65_536;
/// Chunks that a look for damage reads in one view of the data, so that the database's log can
/// be emptied in between.
pub const LOOK_CHUNKS_AT_ONCE: usize = 256;
/// Notes of damaged chunks that are told at once.
pub const DAMAGE_NOTED_MAX: usize = 4_096;
/// The longest that one value counts in a roll-up, however rarely its device promises one.
pub const ROLL_REACH_MAX: Duration = Duration::from_secs(86_400);
/// The most roll-ups of one block: the minutes of a day.
pub const ROLLS_OF_BLOCK_MAX: usize = 1_440;
/// Roll-ups of a day that goes on are made once so many of its minutes have new points.
pub const ROLL_MINUTES_SOON: i64 = 30;
/// The longest range that is drawn at once, in days.
pub const DRAWN_DAYS_MAX: i64 = 3_660;
/// The most columns of one drawn answer, for each series.
pub const COLUMNS_MAX: usize = 50_000;
/// How many points may be in memory before the engine is asked to seal.
pub const HOT_POINTS_SOON: usize = 1_000_000;
/// The most points in memory; one more is refused, and stays in the journal.
pub const HOT_POINTS_MAX: usize = 4_000_000;
/// How many waveform samples may be in memory before the engine is asked to seal.
pub const HOT_SAMPLES_SOON: usize = 8_000_000;
/// The most waveform samples in memory; a span more is refused, and stays in the journal.
pub const HOT_SAMPLES_MAX: usize = 32_000_000;
/// The most points that one query answers.
pub const QUERY_POINTS_MAX: usize = 2_000_000;
/// The most samples that one query of a waveform answers.
pub const QUERY_SAMPLES_MAX: usize = 8_000_000;

/// How many times its own length a database needs as free room to become a newer version, at
/// most: the log beside it has every page once, and rows that grow split pages.
pub const UPGRADE_ROOM_TIMES: u64 = 2;
/// How many connections read from a database at once.
pub const READERS_MAX: usize = 4;
/// How long a reader waits for a lock of SQLite.
pub const BUSY_WAIT: Duration = Duration::from_secs(5);

/// Bytes that a copy, a rehearsal or a restore leaves free on the disk that it fills, so that
/// the journal has room for what comes in meanwhile.
pub const BACKUP_RESERVE_LEN: u64 = 512 << 20;
/// Bytes that a thinning leaves free, so that it never takes the room of what comes in.
pub const THINNING_RESERVE_LEN: u64 = BACKUP_RESERVE_LEN;
/// A block of a backup has so many bytes; the last one of a file may have fewer.
pub const BACKUP_BLOCK_LEN: usize = 1 << 20;
/// A backup that is dated so much later than the clock shows was dated by a wrong one.
pub const BACKUP_AHEAD_MAX: Duration = Duration::from_secs(60);
/// Bytes of a backup's manifest beyond which it is not believed.
pub const MANIFEST_LEN_MAX: u64 = 256 << 20;

/// From so much of the disk on somebody has to make room.
pub const NEARLY_FULL_PERCENT: u64 = 80;
/// From so much of it on there is no time left to buy another.
pub const ALMOST_FULL_PERCENT: u64 = 95;
/// So far below its mark the disk has to be before an alarm about it is over.
pub const DISK_CALM_PERCENT: u64 = 3;
/// Growth over less than this says nothing of a day.
pub const GROWTH_SPAN_MIN: Duration = Duration::from_secs(300);
/// Nobody plans a disk for longer.
pub const GROWTH_FORESEEN_MAX: Duration = Duration::from_secs(100 * 365 * 86_400);

/// How long PostgreSQL may take for one answer before its connection is given up.
pub const POSTGRES_ANSWER_MAX: Duration = Duration::from_secs(30);
/// The same for a write behind which askers of commands wait.
pub const POSTGRES_SOON: Duration = Duration::from_secs(4);
/// How long a question waits until fewer than [`POSTGRES_READERS_MAX`] are under way.
pub(crate) const POSTGRES_TURN_MAX: Duration = Duration::from_secs(5);
/// Questions to PostgreSQL at once, and connections that rest until somebody asks again.
pub(crate) const POSTGRES_READERS_MAX: usize = 4;
/// Statements that one connection keeps prepared.
pub(crate) const POSTGRES_STATEMENTS_MAX: usize = 128;
/// Rows that are under way to PostgreSQL before one answer has come back.
pub(crate) const POSTGRES_PIPELINED_MAX: usize = 30;
/// Rows of a table that are fetched at once when all of it is read.
pub(crate) const POSTGRES_SCANNED_ROWS: u32 = 1_000;
/// Rows that are moved from one database of records to another in one transaction.
pub(crate) const ROWS_MOVED_AT_ONCE: usize = 1_000;
