//! What follows from records that are not durable yet: rows and samples wait here until
//! their record is confirmed, and are dropped with it if it is lost.
//!
//! Screens and sounds do not wait. What was decided about a lost record is journalled
//! behind another, and its rows move there with it, so that a rebuild makes the same.

use std::collections::{BTreeMap, VecDeque};

use ::record::Position;
use store::{Noun, Row};

use super::{appends::Moved, writer::Job};
use crate::core::{Out, OutcomeOf, PointOf, ROWS_OF_AN_EFFECT, WaveOf};

// RC-031
/// Everything that waits, in the order in which it was taken.
#[derive(Debug, Default)]
pub(super) struct Held(VecDeque<Derived>);

/// What followed from one record, or from time behind it.
#[derive(Debug)]
struct Derived {
    position: Position,
    points: Vec<PointOf>,
    waves: Vec<WaveOf>,
    rows: Vec<Row>,
    outcomes: Vec<OutcomeOf>,
}

impl Derived {
    fn is_empty(&self) -> bool {
        self.points.is_empty()
            && self.waves.is_empty()
            && self.rows.is_empty()
            && self.outcomes.is_empty()
    }

    fn job(self) -> Job {
        let Self { points, waves, rows, outcomes, .. } = self;
        Job::Batch { points, waves, rows, outcomes }
    }
}

impl Held {
    /// Keeps back what would be written now: it follows from the record at this position.
    pub(super) fn keep(&mut self, position: Position, out: &mut Out) {
        let derived = Derived {
            position,
            points: std::mem::take(&mut out.points),
            waves: std::mem::take(&mut out.waves),
            rows: std::mem::take(&mut out.rows),
            outcomes: std::mem::take(&mut out.outcomes),
        };
        if !derived.is_empty() {
            self.0.push_back(derived);
        }
    }

    /// The record is durable: what followed from it may be written.
    pub(super) fn confirmed(&mut self, position: Position) -> Vec<Job> {
        self.remove(position).map(Derived::job).collect()
    }

    /// The record will never be in the journal: no sample and no row of it is written, but
    /// those of the decisions that stand elsewhere now.
    pub(super) fn lost(&mut self, position: Position, moved: Option<&Moved>) -> Vec<Job> {
        let jobs = self.remove(position).filter_map(|derived| {
            let rows = derived.rows.into_iter().filter_map(|row| moved_row(row, moved?)).collect();
            let left = Derived {
                position,
                points: Vec::new(),
                waves: Vec::new(),
                rows,
                outcomes: Vec::new(),
            };
            (!left.is_empty()).then(|| left.job())
        });
        jobs.collect()
    }

    fn remove(&mut self, position: Position) -> impl Iterator<Item = Derived> {
        let all = std::mem::take(&mut self.0);
        let (of_it, rest): (VecDeque<_>, VecDeque<_>) =
            all.into_iter().partition(|derived| derived.position == position);
        self.0 = rest;
        of_it.into_iter()
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
