//! Waveform samples on their way to a trace, as counts of the source.

use std::sync::Arc;

use model::{CareUnitId, Channel, DeviceId, PatientId, Timestamp};

/// A channel that can be drawn.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "the names say it all")]
pub struct WaveChannel {
    pub device: DeviceId,
    pub channel: Channel,
    /// The lead, such as `II`; `None` where there is no such thing.
    pub lead: Option<String>,
    /// What the trace is called: `II`, `Pleth`, `Resp`.
    pub label: String,
    pub unit: String,
    /// Samples per second, as a fraction.
    pub rate_hz: (u32, u32),
    /// Which family it is drawn in: `ecg`, `spo2`, `resp`, `bp`.
    pub param: &'static str,
}

/// A stretch of samples that is not what it seems; the numbers are those of the block's validity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it all")]
pub struct WaveSpanMark {
    pub first_sample: u32,
    pub len_samples: u32,
    /// 1 lead off, 2 saturated, 3 artefact, 4 pacing, 5 gap.
    pub reason: u8,
}

/// One block as it is drawn: `(count − offset) × mantissa × 10^exp10` of the unit.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "the names say it all")]
pub struct Wave {
    pub care_unit: CareUnitId,
    pub patient: PatientId,
    pub device: DeviceId,
    pub channel: Channel,
    /// When the first sample was taken.
    pub start: Timestamp,
    pub rate_hz: (u32, u32),
    pub gain: (i64, i8),
    pub offset_counts: i32,
    pub unit: Arc<str>,
    pub samples_counts: Arc<[i32]>,
    pub marks: Vec<WaveSpanMark>,
    /// Samples are missing between the block before and this one.
    pub gap_before: bool,
    /// Whether this is the trace that the ward board draws.
    pub on_board: bool,
}
