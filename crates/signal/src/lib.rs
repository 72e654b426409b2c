//! Maths on samples: heartbeats and heart rate from an ECG, how well they were found, and the records to find them in,
//! as WFDB and EDF+.
//!
//! **Absent on purpose:** state between calls, except in values that the caller owns; files, clocks, and names of
//! rhythms. What a beat or its absence means is decided elsewhere.

pub mod ec57;
pub mod edf;
mod qrs;
mod rate;
mod sample_rate;
mod snapshot;
pub mod wfdb;

pub use qrs::{Beat, QrsDetector, UnsupportedRate};
pub use rate::HeartRateFilter;
pub use sample_rate::{InvalidSampleRate, SampleRate};
pub use snapshot::SnapshotError;
