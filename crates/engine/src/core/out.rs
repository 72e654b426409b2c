//! What a turn hands out: decided, measured, and to be told; emitted, never performed here.

use std::sync::Arc;

use ::record::Position;
use model::{AlarmId, Channel, ClockUsed, Code, DeviceId, MissingReason, OrgId, Timestamp, Ucum};
use store::{GivenCorrection, Invalid, Marks, Point, WaveSpan};

use super::Cause;
use crate::{
    record::{Decided, Refusal},
    view,
};

/// One sample for the series store.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "the names say it all")]
pub struct PointOf {
    pub org: Option<OrgId>,
    pub device: DeviceId,
    pub channel: Channel,
    pub kind: Option<Code>,
    pub ucum: Ucum,
    pub at: Timestamp,
    pub received_at: Timestamp,
    pub value: Result<(i64, i8), MissingReason>,
    /// It came too late to decide anything.
    pub is_late: bool,
    /// Whose clock its time is from.
    pub clock: ClockUsed,
    /// Whether its age was known.
    pub age_known: bool,
}

/// One waveform block for the series store.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "the names say it all")]
pub struct WaveOf {
    pub org: Option<OrgId>,
    pub device: DeviceId,
    pub channel: Channel,
    pub kind: Option<Code>,
    pub at: Timestamp,
    pub received_at: Timestamp,
    pub is_late: bool,
    pub clock: ClockUsed,
    pub age_known: bool,
    pub rate_hz: (u32, u32),
    pub gain: (i64, i8),
    pub offset_counts: i32,
    pub unit: Arc<str>,
    pub samples_counts: Arc<[i32]>,
    pub marks: Vec<view::WaveSpanMark>,
}

impl PointOf {
    /// As it is sealed.
    pub(crate) const fn point(&self) -> Point {
        let (at, received_at, value) = (self.at, self.received_at, self.value);
        let (clock, age_known, late) = (self.clock, self.age_known, self.is_late);
        Point { at, received_at, value, marks: Marks { clock, age_known, late } }
    }
}

impl WaveOf {
    /// As it is sealed.
    pub(crate) fn into_span(self) -> WaveSpan {
        let Self { at, received_at, rate_hz, gain, clock, age_known, .. } = self;
        WaveSpan {
            at,
            received_at,
            rate_hz,
            gain,
            offset: self.offset_counts,
            samples: self.samples_counts,
            invalid: self.marks.iter().filter_map(invalid).collect(),
            marks: Marks { clock, age_known, late: self.is_late },
        }
    }
}

/// A stretch without a signal; filters and pacing leave the samples what they are.
fn invalid(mark: &view::WaveSpanMark) -> Option<Invalid> {
    let reason = match mark.reason {
        1 => MissingReason::SensorDetached,
        2 => MissingReason::OutOfRange,
        3 => MissingReason::PoorSignal,
        5 => MissingReason::NotMeasured,
        _ => return None,
    };
    Some(Invalid { start: mark.first_sample, len: mark.len_samples, reason })
}

/// What became of a command.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "the names say it all")]
pub struct OutcomeOf {
    pub command: Position,
    pub answer: Result<Option<AlarmId>, Refusal>,
}

/// The decisions of one turn, which are journalled as one frame.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct DecidedOf {
    pub(crate) cause: Cause,
    pub(crate) at: Timestamp,
    pub(crate) decided: Vec<Decided>,
}

/// Everything that follows from the records and ticks given since it was last emptied.
#[derive(Clone, Debug, Default)]
pub struct Out {
    pub(crate) decided: Vec<DecidedOf>,
    /// Samples for the series store.
    pub points: Vec<PointOf>,
    /// Blocks for the series store.
    pub waves: Vec<WaveOf>,
    /// What people said of stored readings, for the series store.
    pub corrections: Vec<GivenCorrection>,
    /// Rows for the records.
    pub rows: Vec<store::Row>,
    /// Answers to commands.
    pub outcomes: Vec<OutcomeOf>,
    /// Blocks for screens.
    pub traces: Vec<view::Wave>,
    /// Watchdog beats for screens.
    pub beats: Vec<view::Beat>,
    /// What changed on screens; filled by [`super::Core::flush`].
    pub deltas: Vec<view::Delta>,
    /// Whether the directory changed.
    pub directory_changed: bool,
}

impl Out {
    /// Every decision, in order.
    pub fn decisions(&self) -> impl Iterator<Item = &Decided> {
        self.decided.iter().flat_map(|of| &of.decided)
    }

    /// Empties it for the next batch and keeps the room.
    pub fn clear(&mut self) {
        self.decided.clear();
        self.points.clear();
        self.waves.clear();
        self.corrections.clear();
        self.rows.clear();
        self.outcomes.clear();
        self.traces.clear();
        self.beats.clear();
        self.deltas.clear();
        self.directory_changed = false;
    }

    pub(crate) fn answer(&mut self, command: Position, answer: Result<Option<AlarmId>, Refusal>) {
        self.outcomes.push(OutcomeOf { command, answer });
    }
}
