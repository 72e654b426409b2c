//! `wardline ctl status`: how the server is doing, for a glance and for a script.

use super::{answer::Answer, table::Column};
use crate::rest::Rest;

const COLUMNS: [Column; 17] = [
    ("version", "version"),
    ("up for, s", "uptime_s"),
    ("journal", "journal.status"),
    ("  since", "journal.since"),
    ("  why", "journal.why"),
    ("  bytes", "journal.bytes"),
    ("  sync p50, µs", "journal.fsync_us_p50"),
    ("  sync p99, µs", "journal.fsync_us_p99"),
    ("connections", "connections"),
    ("messages/s", "rates.messages_per_s"),
    ("readings/s", "rates.readings_per_s"),
    ("stored", "counters.stored"),
    ("duplicates", "counters.duplicates"),
    ("refused", "counters.refused"),
    ("dead letters", "counters.dead_letters"),
    ("durable p99, ms", "latencies.receive_to_durable_ms_p99"),
    ("decided p99, ms", "latencies.receive_to_decided_ms_p99"),
];

/// The system page's figures.
pub(super) async fn ask(server: &Rest) -> anyhow::Result<Answer> {
    Ok(Answer::one(server.get("/api/v1/system").await?, &COLUMNS))
}
