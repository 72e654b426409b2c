//! The state of the server on a screen.

use serde::Serialize;
use utoipa::ToSchema;

/// How the server is doing; counters begin at zero with each start.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct System {
    pub(crate) journal: Journal,
    pub(crate) rates: Rates,
    pub(crate) counters: Counters,
    /// Devices that are connected.
    pub(crate) connections: usize,
    pub(crate) latencies: Latencies,
    pub(crate) version: &'static str,
    pub(crate) uptime_s: u64,
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
