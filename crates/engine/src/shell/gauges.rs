//! Rates and latencies as the loop sees them, for the system page.

use model::Timestamp;
use store::Record;

use crate::{
    core::Counters,
    status::{EngineStatus, Latencies, Rate},
};

/// What is measured between two looks.
#[derive(Debug)]
pub(super) struct Gauges {
    started_at: Timestamp,
    to_engine: Latencies,
    to_decided: Latencies,
    /// Receipts of this batch, a few of them, until it is told.
    received: Vec<Timestamp>,
    messages: Rate,
    readings: Rate,
    seen: (u64, u64),
}

/// Latencies of at most so many records of a batch are kept.
const SAMPLED_MAX: usize = 64;

impl Gauges {
    pub(super) fn new(started_at: Timestamp) -> Self {
        Self {
            started_at,
            to_engine: Latencies::default(),
            to_decided: Latencies::default(),
            received: Vec::with_capacity(SAMPLED_MAX),
            messages: Rate::default(),
            readings: Rate::default(),
            seen: (0, 0),
        }
    }

    /// A durable record came.
    pub(super) fn came(&mut self, record: &Record, now: Timestamp) {
        let is_input = record.frame.kind < ::record::DECISIONS_FROM;
        if is_input && self.received.len() < SAMPLED_MAX {
            self.to_engine.add(now.since(record.frame.received_at));
            self.received.push(record.frame.received_at);
        }
    }

    /// Everything that follows from the batch was told.
    pub(super) fn told(&mut self, now: Timestamp) {
        for received_at in self.received.drain(..) {
            self.to_decided.add(now.since(received_at));
        }
    }

    pub(super) fn status(&mut self, counters: &Counters, now: Timestamp) -> EngineStatus {
        let (stored, readings) = self.seen;
        self.messages.add(now, counters.stored.saturating_sub(stored));
        self.readings.add(now, counters.readings.saturating_sub(readings));
        self.seen = (counters.stored, counters.readings);
        EngineStatus {
            now,
            started_at: self.started_at,
            records: counters.records,
            stored: counters.stored,
            duplicates: counters.duplicates,
            dead_letters: counters.dead_letters,
            readings: counters.readings,
            waveform_samples_stored: counters.waveform_samples,
            alarms_raised: counters.alarms_raised,
            alarms_acknowledged: counters.alarms_acknowledged,
            alarms_escalated: counters.alarms_escalated,
            alarms_ended: counters.alarms_ended,
            commands_accepted: counters.commands_accepted,
            commands_refused: counters.commands_refused,
            messages_per_s: self.messages.per_second(now),
            readings_per_s: self.readings.per_second(now),
            receive_to_engine: self.to_engine.spread(),
            receive_to_decided: self.to_decided.spread(),
            ..EngineStatus::default()
        }
    }
}
