//! What follows from records that are not durable yet: rows and samples wait here until
//! their record is confirmed, and are dropped with it if it is lost.
//!
//! Screens and sounds do not wait. What was decided about a lost record is journalled
//! behind another, and its rows move there with it, so that a rebuild makes the same.

use std::collections::BTreeMap;

use ::record::Position;
use store::{GivenCorrection, Noun, Row};

use super::{appends::Moved, writer::Job};
use crate::core::{Out, OutcomeOf, PointOf, ROWS_OF_AN_EFFECT, WaveOf};

// RC-031
/// Everything that waits, by the record that it follows from, in the order in which it was
/// taken. A disk that stands still holds back very many, so none is looked at but its own.
#[derive(Debug, Default)]
pub(super) struct Held {
    of: BTreeMap<Position, Vec<Derived>>,
    /// How many were taken in hand while records settled.
    #[cfg(test)]
    moves: usize,
}

/// What followed from one record, or from time behind it.
#[derive(Debug)]
struct Derived {
    points: Vec<PointOf>,
    waves: Vec<WaveOf>,
    corrections: Vec<GivenCorrection>,
    rows: Vec<Row>,
    outcomes: Vec<OutcomeOf>,
}

impl Derived {
    fn is_empty(&self) -> bool {
        self.points.is_empty()
            && self.waves.is_empty()
            && self.corrections.is_empty()
            && self.rows.is_empty()
            && self.outcomes.is_empty()
    }

    fn job(self) -> Job {
        let Self { points, waves, corrections, rows, outcomes } = self;
        Job::Batch { points, waves, corrections, rows, outcomes }
    }
}

impl Held {
    /// Keeps back what would be written now: it follows from the record at this position.
    pub(super) fn keep(&mut self, position: Position, out: &mut Out) {
        let derived = Derived {
            points: std::mem::take(&mut out.points),
            waves: std::mem::take(&mut out.waves),
            corrections: std::mem::take(&mut out.corrections),
            rows: std::mem::take(&mut out.rows),
            outcomes: std::mem::take(&mut out.outcomes),
        };
        if !derived.is_empty() {
            self.of.entry(position).or_default().push(derived);
        }
    }

    /// The record is durable: what followed from it may be written.
    pub(super) fn confirmed(&mut self, position: Position) -> Vec<Job> {
        self.remove(position).into_iter().map(Derived::job).collect()
    }

    /// The record will never be in the journal: no sample and no row of it is written, but
    /// those of the decisions that stand elsewhere now.
    pub(super) fn lost(&mut self, position: Position, moved: Option<&Moved>) -> Vec<Job> {
        let jobs = self.remove(position).into_iter().filter_map(|derived| {
            let rows = derived.rows.into_iter().filter_map(|row| moved_row(row, moved?)).collect();
            let (points, waves, corrections) = (Vec::new(), Vec::new(), Vec::new());
            let left = Derived { points, waves, corrections, rows, outcomes: Vec::new() };
            (!left.is_empty()).then(|| left.job())
        });
        jobs.collect()
    }

    fn remove(&mut self, position: Position) -> Vec<Derived> {
        let of_it = self.of.remove(&position).unwrap_or_default();
        #[cfg(test)]
        {
            self.moves += of_it.len();
        }
        of_it
    }
}

/// A row of a decision, where that decision stands now; other rows tell what the lost
/// record said, and nobody else does.
fn moved_row(row: Row, moved: &Moved) -> Option<Row> {
    if !matches!(row.noun, Noun::Alarm(_) | Noun::AlarmLife(_) | Noun::Score(_)) {
        return None;
    }
    let (effect, within) = (row.index / ROWS_OF_AN_EFFECT, row.index % ROWS_OF_AN_EFFECT);
    let effect = moved.effects.get(&effect)?;
    let index = effect.saturating_mul(ROWS_OF_AN_EFFECT).saturating_add(within);
    Some(Row { offset: moved.to, index, ..row })
}

/// Old and new numbers of effects, of all turns of one record.
pub(super) type Effects = BTreeMap<u32, u32>;

#[cfg(test)]
mod tests {
    use super::*;

    const RECORDS: u64 = 20_000;

    fn position(seq: u64) -> Position {
        Position { partition: model::PartitionId::from(model::SiteId::v7(at(), 1)), seq }
    }

    fn at() -> model::Timestamp {
        model::Timestamp::from_unix_millis(1_700_000_000_000)
    }

    fn followed() -> Out {
        let point = PointOf {
            org: None,
            device: model::Id::v7(at(), 2),
            channel: model::Channel::from("MDC_TEMP"),
            kind: None,
            ucum: "1".into(),
            at: at(),
            received_at: at(),
            value: Ok((1, 0)),
            is_late: false,
            clock: model::ClockUsed::Device,
            age_known: true,
        };
        Out { points: vec![point], ..Out::default() }
    }

    #[test]
    fn what_a_long_stall_held_back_is_taken_in_hand_once_each() {
        for is_lost in [false, true] {
            let mut held = Held::default();
            for seq in 0..RECORDS {
                held.keep(position(seq), &mut followed());
                // Time behind a record adds to it.
                held.keep(position(seq), &mut followed());
            }
            // What nothing followed from looks at nothing.
            assert!(held.confirmed(position(RECORDS)).is_empty());
            let settle = |seq| {
                if is_lost { held.lost(position(seq), None) } else { held.confirmed(position(seq)) }
            };
            let jobs: usize = (0..RECORDS).map(settle).map(|jobs| jobs.len()).sum();
            let all = 2 * RECORDS as usize;
            assert_eq!(jobs, if is_lost { 0 } else { all });
            assert_eq!(held.moves, all, "each once, however many wait behind it");
            assert!(held.of.is_empty());
        }
    }
}
