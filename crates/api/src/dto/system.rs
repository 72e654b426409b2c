//! The state of the server on a screen.

use serde::Serialize;
use utoipa::ToSchema;

use super::damage::DamageNow;

/// How the server is doing; counters begin at zero with each start.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct System {
    pub(crate) journal: Journal,
    pub(crate) rates: Rates,
    pub(crate) counters: Counters,
    /// Devices that are connected.
    pub(crate) connections: usize,
    pub(crate) latencies: Latencies,
    pub(crate) engine: EngineNow,
    /// What a person has to look after, the worst first.
    pub(crate) troubles: Vec<TroubleNow>,
    pub(crate) screens: Screens,
    pub(crate) storage: Storage,
    /// Null if nothing is set and nothing was ever thinned.
    pub(crate) retention: Option<RetentionNow>,
    /// What is stored and damaged; null if nothing ever was.
    pub(crate) damage: Option<DamageNow>,
    /// Legal holds that hold.
    pub(crate) holds: usize,
    /// Null where no folder for backups is configured.
    pub(crate) backup: Option<BackupNow>,
    /// Certificates that end within 30 days or have ended, the soonest first.
    pub(crate) certificates: Vec<Expiring>,
    /// Devices that are cut off.
    pub(crate) quarantined: usize,
    pub(crate) version: &'static str,
    pub(crate) started_at: String,
    pub(crate) uptime_s: u64,
    pub(crate) now: String,
}

/// The engine's figures.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct EngineNow {
    /// Records taken live since the start.
    pub(crate) records: u64,
    /// Journal bytes that are durable and not yet taken.
    pub(crate) behind_bytes: u64,
    pub(crate) alarms_standing: u64,
    pub(crate) commands_accepted: u64,
    pub(crate) commands_refused: u64,
    /// Journal bytes that a start now would read again, behind the newest checkpoint.
    pub(crate) since_checkpoint_bytes: u64,
    /// Lists and charts were given up until a restart, because the disk could not keep up.
    pub(crate) derived_behind: bool,
    /// Lists or charts lack what the journal has, until a restart makes them from it.
    pub(crate) derived_lacking: bool,
    /// Rows of lists that wait for their disk.
    pub(crate) rows_waiting: u64,
    /// Turns of decisions that sounded and are not in the journal yet.
    pub(crate) decisions_waiting: u64,
    /// Turns of decisions that sounded and will never be in the journal.
    pub(crate) decisions_dropped: u64,
}

/// Something about the server that a person has to look after.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct TroubleNow {
    /// The stable word for it.
    pub(crate) code: &'static str,
    /// What is so, and what to do about it.
    pub(crate) words: String,
}

/// What goes out to pages.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub struct Screens {
    /// Pages that listen.
    pub(crate) open: u64,
    /// Requests answered since the start.
    pub(crate) requests: u64,
    /// Requests that failed by our fault since the start.
    pub(crate) faults: u64,
    pub(crate) sign_ins_refused: u64,
}

/// Room on the disk; null where it could not be measured.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
pub struct Storage {
    pub(crate) journal_bytes: Option<u64>,
    pub(crate) series_bytes: Option<u64>,
    pub(crate) records_bytes: Option<u64>,
    pub(crate) free_bytes: Option<u64>,
    pub(crate) total_bytes: Option<u64>,
    /// How much of the disk is used, by us or by others.
    pub(crate) used_percent: Option<u64>,
    /// By how much all of it grew, as a day would at the rate of the last day; null while that
    /// is too short to tell.
    pub(crate) growth_bytes_per_day: Option<u64>,
    /// When the disk will be full if it goes on like that; null if it will not, or nobody can tell.
    pub(crate) full_in_s: Option<u64>,
    /// The alarm that stands about it: `nearly_full` or `almost_full`; null if none does.
    pub(crate) alarm: Option<&'static str>,
    /// Since when it stands.
    pub(crate) alarm_since: Option<String>,
}

/// What the journal keeps whole, and what of it was thinned.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct RetentionNow {
    /// For so many days waveform blocks stay whole, if that is set.
    pub(crate) keep_days: Option<u64>,
    /// Up to so many bytes of journal they stay whole, if that is set.
    pub(crate) keep_bytes: Option<u64>,
    /// Segments that were thinned.
    pub(crate) segments: usize,
    /// Waveform blocks whose samples are in the series only.
    pub(crate) blocks: u64,
    /// Bytes that the journal has less by it.
    pub(crate) saved_bytes: u64,
    /// When the oldest of these blocks was received.
    pub(crate) oldest_at: Option<String>,
    /// When the newest of them was.
    pub(crate) newest_at: Option<String>,
    /// Bytes that the journal has beyond `keep_bytes`, and that may not go: they are too young,
    /// held, or no samples.
    pub(crate) over_bytes: u64,
    /// Blocks that were found to be sealed otherwise than they were received; they stay whole.
    pub(crate) faults: u64,
    pub(crate) problem: Option<String>,
}

/// How the backups do.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct BackupNow {
    /// Where they go, as the configuration says.
    pub(crate) folder: String,
    /// Seconds from one to the next.
    pub(crate) every_s: u64,
    pub(crate) count: usize,
    pub(crate) last_at: Option<String>,
    /// Bytes of everything in the newest.
    pub(crate) last_bytes: Option<u64>,
    pub(crate) last_age_s: Option<u64>,
    /// When one was last restored into a scratch place and compared.
    pub(crate) rehearsed_at: Option<String>,
    /// When the one that was rehearsed was taken.
    pub(crate) rehearsed_of: Option<String>,
    /// `backup` or `rehearsal`.
    pub(crate) under_way: Option<&'static str>,
    /// Why the last thing that was tried failed.
    pub(crate) problem: Option<String>,
}

/// A device whose newest certificate ends soon.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Expiring {
    pub(crate) device: String,
    pub(crate) label: String,
    pub(crate) not_after: String,
    pub(crate) has_ended: bool,
}

/// How the server did, minute by minute, over all its starts.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SystemHistory {
    pub(crate) from: String,
    pub(crate) to: String,
    pub(crate) points: Vec<PulseShown>,
    /// When nothing was noted, and why.
    pub(crate) gaps: Vec<SystemGap>,
}

/// One minute.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub struct PulseShown {
    /// Its end, in unix milliseconds.
    pub(crate) at_ms: i64,
    pub(crate) messages_per_s: f64,
    pub(crate) readings_per_s: f64,
    pub(crate) durable_ms_p99: f64,
    pub(crate) decided_ms_p99: f64,
    pub(crate) journal_bytes: u64,
    pub(crate) connections: u64,
}

/// A stretch without pulses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct SystemGap {
    pub(crate) from_ms: i64,
    pub(crate) to_ms: i64,
    /// `restart`, or `not_recording` while the program ran.
    pub(crate) why: &'static str,
}

/// The journal's figures.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Journal {
    /// `recording` or `not_recording`.
    pub(crate) status: &'static str,
    /// `full` or `poisoned`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) why: Option<&'static str>,
    /// Since when it does not record.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) since: Option<String>,
    pub(crate) bytes: u64,
    pub(crate) fsync_us_p50: u64,
    pub(crate) fsync_us_p99: u64,
    /// Entries made durable since the start.
    pub(crate) entries: u64,
    /// Syncs since the start.
    pub(crate) commits: u64,
    /// Entries that were never recorded since the start.
    pub(crate) lost: u64,
    /// Groups that wait for the disk.
    pub(crate) queue_groups: usize,
    /// Bytes that wait for the disk.
    pub(crate) queue_bytes: usize,
}

/// What comes in, over the last ten seconds.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub struct Rates {
    pub(crate) messages_per_s: f64,
    pub(crate) readings_per_s: f64,
}

/// What came in since the start.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub struct Counters {
    pub(crate) stored: u64,
    pub(crate) duplicates: u64,
    pub(crate) refused: u64,
    pub(crate) dead_letters: u64,
    pub(crate) waveform_samples_stored: u64,
}

/// How long each part of the way takes, in milliseconds.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub struct Latencies {
    pub(crate) receive_to_durable_ms_p50: f64,
    pub(crate) receive_to_durable_ms_p99: f64,
    pub(crate) receive_to_decided_ms_p50: f64,
    pub(crate) receive_to_decided_ms_p99: f64,
}
