//! What of the journal was thinned, as screens and programs see it.
//!
//! The shell does the work; nothing here knows how.

use std::sync::{Arc, Mutex, PoisonError};

use model::Timestamp;

/// How the retention of waveforms does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RetentionState {
    /// For so many days blocks stay whole; nothing is a setting that is not there.
    pub keep_days: Option<u64>,
    /// Up to so many bytes of journal blocks stay whole.
    pub keep_bytes: Option<u64>,
    /// Segments that were thinned.
    pub segments: usize,
    /// Waveform blocks whose samples are in the series only.
    pub blocks: u64,
    /// Bytes that the journal has less by it.
    pub saved_bytes: u64,
    /// When the oldest and the newest of these blocks were received.
    pub received: Option<(Timestamp, Timestamp)>,
    /// Bytes that the journal has beyond the setting, and that may not go.
    pub over_bytes: u64,
    /// Blocks that were found to be sealed otherwise than they were received; they stay.
    pub faults: u64,
    /// Why the last attempt failed.
    pub problem: Option<String>,
}

/// The desk: the shell shows on one side, screens look from the other.
#[derive(Clone, Debug, Default)]
pub struct RetentionDesk(Arc<Mutex<Option<RetentionState>>>);

impl RetentionDesk {
    /// Says how it does.
    pub fn show(&self, state: RetentionState) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(state);
    }

    /// How it does; `None` if nothing is set and nothing was ever thinned.
    pub fn state(&self) -> Option<RetentionState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
