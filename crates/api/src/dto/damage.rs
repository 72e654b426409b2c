//! What is stored and damaged, and what became of it.

use serde::Serialize;
use utoipa::ToSchema;

use super::bed::Named;

/// Sealed chunks that were found damaged.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct DamageNow {
    /// How many are damaged: charts show a gap there.
    pub(crate) standing: usize,
    /// How many were made again from the journal, read back and compared.
    pub(crate) mended: usize,
    /// Each of them, those that are damaged first; of very many the newest.
    pub(crate) chunks: Vec<DamagedNow>,
}

/// One damaged chunk.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct DamagedNow {
    pub(crate) device: Named,
    pub(crate) channel: String,
    /// The vital sign that it measures, if the device's profile knows one.
    pub(crate) vital: Option<&'static str>,
    /// What people call it, in English; the channel where no profile knows it.
    pub(crate) label: String,
    pub(crate) is_waveform: bool,
    /// When what it has was measured, in unix milliseconds.
    pub(crate) from_ms: i64,
    pub(crate) to_ms: i64,
    /// How many values, or blocks of samples, it has.
    pub(crate) items: u64,
    /// `waits` until it is made again, `mended`, `gone` where the journal has its samples no
    /// longer, or `differs` where what the journal has is not what was sealed.
    pub(crate) state: &'static str,
    pub(crate) found_at: String,
    /// When its state was known.
    pub(crate) settled_at: Option<String>,
}
