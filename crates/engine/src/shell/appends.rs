//! Decisions on their way to the journal: appended in order, tried again when a full
//! disk has room, held back while the record that caused them may yet be lost.
//!
//! What was decided about a lost record has sounded all the same, so it is journalled
//! behind the last record that was not lost, as something that time brought.

use std::{
    collections::{BTreeSet, VecDeque},
    future::pending,
};

use ::record::Position;
use store::{AppendError, Durable, Entry, Journal, LogOffset, Record, Ticket};
use tokio::sync::oneshot;

use super::held::Effects;
use crate::{
    core::{Cause, DecidedOf},
    limits::{DECISIONS_IN_FLIGHT_MAX, TURNS_OF_A_GROUP_MAX},
    record::{Decided, Decision, Decisions, EffectId},
};

/// Where the decisions about a lost record went.
#[derive(Debug)]
pub(super) struct Moved {
    /// The end of the record behind which they stand.
    pub(super) to: LogOffset,
    pub(super) effects: Effects,
}

/// Groups that were handed to the journal, those that wait, and who waits for them.
#[derive(Debug)]
pub(super) struct Appends {
    journal: Journal,
    in_flight: VecDeque<(Ticket, Vec<Entry>)>,
    /// Refused for now; they go before anything new.
    refused: VecDeque<Vec<Entry>>,
    /// Caused by records that are not durable yet.
    held: Vec<DecidedOf>,
    unsettled: BTreeSet<Position>,
    /// The last durable record before the unsettled ones, and the index after its last decision.
    base: Option<Cause>,
    /// A sealing that may go on once so many more groups are durable.
    sealing: Option<(usize, oneshot::Sender<bool>)>,
    /// Decisions that the journal will never have.
    dropped: u64,
}

impl Appends {
    pub(super) const fn new(journal: Journal) -> Self {
        Self {
            journal,
            in_flight: VecDeque::new(),
            refused: VecDeque::new(),
            held: Vec::new(),
            unsettled: BTreeSet::new(),
            base: None,
            sealing: None,
            dropped: 0,
        }
    }

    /// Appends decisions, the turns of a batch as one group, or as several if there are many.
    pub(super) fn append(&mut self, decided: Vec<DecidedOf>) {
        let (held, ready): (Vec<_>, Vec<_>) =
            decided.into_iter().partition(|turn| self.unsettled.contains(&turn.cause.position));
        self.held.extend(held);
        let mut ready = ready.into_iter().map(entry).peekable();
        while ready.peek().is_some() {
            self.push(ready.by_ref().take(TURNS_OF_A_GROUP_MAX).collect());
        }
    }

    fn push(&mut self, group: Vec<Entry>) {
        if self.refused.is_empty() {
            let ticket = self.journal.append(group.clone());
            self.in_flight.push_back((ticket, group));
        } else if self.refused.len() < DECISIONS_IN_FLIGHT_MAX {
            self.refused.push_back(group);
        } else {
            self.drop_turns(group.len());
        }
    }

    fn drop_turns(&mut self, turns: usize) {
        if turns > 0 {
            self.dropped = self.dropped.saturating_add(u64::try_from(turns).unwrap_or(u64::MAX));
            tracing::error!(dropped = self.dropped, "decisions_dropped");
        }
    }

    /// Turns whose decisions sounded and are not in the journal yet, though it should have them.
    pub(super) fn waiting(&self) -> u64 {
        let turns = self.refused.iter().map(Vec::len).sum::<usize>() + self.held.len();
        u64::try_from(turns).unwrap_or(u64::MAX)
    }

    /// Turns whose decisions the journal will never have, though they sounded.
    pub(super) const fn dropped(&self) -> u64 {
        self.dropped
    }

    /// What became of the oldest group; waits for ever while there is none.
    pub(super) async fn next(&mut self) -> Result<Durable, AppendError> {
        match self.in_flight.front_mut() {
            Some((ticket, _)) => ticket.await,
            None => pending().await,
        }
    }

    /// Takes the answer for the oldest group.
    pub(super) fn settle(&mut self, answer: Result<Durable, AppendError>) {
        let Some((_, group)) = self.in_flight.pop_front() else { return };
        match answer {
            Ok(_) => {
                if let Some((left, _)) = &mut self.sealing {
                    *left = left.saturating_sub(1);
                }
            }
            Err(error) => {
                tracing::warn!(%error, "decisions_not_recorded");
                let may_come = matches!(error, AppendError::Full | AppendError::Busy);
                if may_come && self.refused.len() < DECISIONS_IN_FLIGHT_MAX {
                    self.refused.push_back(group);
                } else {
                    self.drop_turns(group.len());
                }
                // A checkpoint may not know what the journal does not.
                if let Some((_, go)) = self.sealing.take() {
                    let _ = go.send(false);
                }
            }
        }
    }

    /// Hands on again what was refused.
    pub(super) fn retry(&mut self) {
        for group in std::mem::take(&mut self.refused) {
            let ticket = self.journal.append(group.clone());
            self.in_flight.push_back((ticket, group));
        }
    }

    /// The record at this position is not durable yet; `cause` is that of the record before.
    pub(super) fn unsettled(&mut self, position: Position, cause: Option<Cause>) {
        if self.unsettled.is_empty() {
            self.base = cause;
        }
        self.unsettled.insert(position);
    }

    /// It is durable now: what it caused is appended.
    pub(super) fn confirmed(&mut self, record: &Record) {
        let frame = &record.frame;
        self.unsettled.remove(&frame.position);
        let of_it = self.held.iter().filter(|turn| turn.cause.position == frame.position);
        let next_index = of_it.map(next_index_of).max().unwrap_or(0);
        self.base = Some(Cause {
            position: frame.position,
            after: record.offset,
            org: frame.org,
            received_at: frame.received_at,
            next_index,
        });
        let held = std::mem::take(&mut self.held);
        self.append(held);
    }

    /// Whether the record at this position is not durable yet.
    pub(super) fn is_unsettled(&self, position: Position) -> bool {
        self.unsettled.contains(&position)
    }

    /// It will never be: what it caused stands behind the record before. Says which cause
    /// stands in its place, and where its effects went.
    pub(super) fn lost(&mut self, position: Position) -> (Option<Cause>, Option<Moved>) {
        self.unsettled.remove(&position);
        let held = std::mem::take(&mut self.held);
        let (orphans, held): (Vec<_>, Vec<_>) =
            held.into_iter().partition(|turn| turn.cause.position == position);
        self.held = held;
        let orphaned = orphans.len();
        let moved = self.base.as_mut().map(|base| {
            let mut effects = Effects::new();
            let adopted = orphans.into_iter().map(|turn| adopt(turn, base, &mut effects));
            (adopted.collect::<Vec<_>>(), Moved { to: base.after, effects })
        });
        let moved = moved.map(|(adopted, moved)| {
            self.append(adopted);
            moved
        });
        if moved.is_none() {
            self.drop_turns(orphaned);
        }
        (self.base, moved)
    }

    /// Whether every record that was taken is durable and no decision was refused or dropped.
    pub(super) fn is_settled(&self) -> bool {
        let waits = [self.unsettled.is_empty(), self.refused.is_empty(), self.held.is_empty()];
        waits == [true; 3] && self.dropped == 0
    }

    /// Whether a group is on its way.
    pub(super) fn is_waiting(&self) -> bool {
        !self.in_flight.is_empty()
    }

    /// Says `true` once everything appended so far is durable, and `false` if it never will be.
    pub(super) fn when_durable(&mut self) -> oneshot::Receiver<bool> {
        let (go, gone) = oneshot::channel();
        self.sealing = Some((self.in_flight.len(), go));
        gone
    }

    /// Lets a sealing go on whose decisions are durable.
    pub(super) fn release(&mut self) {
        if let Some((_, go)) = self.sealing.take_if(|(left, _)| *left == 0) {
            let _ = go.send(true);
        }
    }
}

/// The index behind the last decision of a turn.
fn next_index_of(turn: &DecidedOf) -> u32 {
    turn.decided.last().map_or(0, |last| last.effect.index + 1)
}

/// The same decisions as something that time brought behind another record.
fn adopt(turn: DecidedOf, base: &mut Cause, effects: &mut Effects) -> DecidedOf {
    let DecidedOf { at, decided, .. } = turn;
    // One place is for the time, behind which the others stand in their order.
    let places = base.next_index.saturating_add(1)..;
    effects.extend(decided.iter().map(|one| one.effect.index).zip(places));
    let time = Decision::TimePassed(at);
    let decisions = std::iter::once(time).chain(decided.into_iter().map(|one| one.decision));
    let (cause, after) = (base.position, base.after);
    let named = decisions.zip(base.next_index..).map(|(decision, index)| Decided {
        effect: EffectId { cause, index },
        after,
        decision,
    });
    let turn = DecidedOf { cause: *base, at, decided: named.collect() };
    base.next_index = next_index_of(&turn);
    turn
}

/// The decisions of one turn as an entry of the journal, where their cause stands.
pub(crate) fn entry(turn: DecidedOf) -> Entry {
    let DecidedOf { cause, at, decided } = turn;
    let first_index = decided.first().map_or(0, |first| first.effect.index);
    let decisions = Decisions {
        cause: cause.position,
        after: cause.after,
        first_index,
        list: decided.into_iter().map(|one| one.decision).collect(),
    };
    let (kind, body_version, body) = decisions.encode();
    Entry {
        kind,
        body_version,
        org: cause.org,
        partition: cause.position.partition,
        received_at: at,
        key_id: 0,
        body,
    }
}

#[tokio::test]
async fn so_many_refused_decisions_wait_for_room_and_one_more_is_told_as_dropped() {
    use model::{Id, Timestamp};
    let disk = store::FaultyDisk::new();
    disk.set_room(Some(0));
    let clock = store::Clock::manual(Timestamp::from_unix_millis(1_795_262_400_000));
    let limits = store::JournalLimits::default();
    let (journal, _) = Journal::open(disk, clock, limits).unwrap();
    let mut appends = Appends::new(journal);
    let id = 0x7000_8000_0000_0000_0000 | 7;
    let group = || {
        let (org, partition) = (Id::from_uuid(id).unwrap(), Id::from_uuid(id).unwrap());
        let received_at = Timestamp::from_unix_millis(1_795_262_400_000);
        let (kind, body_version, key_id, body) = (0x1000, 1, 0, Vec::new());
        vec![Entry { kind, body_version, org, partition, received_at, key_id, body }]
    };
    appends.push(group());
    let answer = appends.next().await;
    assert!(matches!(answer, Err(AppendError::Full)), "{answer:?}");
    appends.settle(answer);
    for _ in 1..DECISIONS_IN_FLIGHT_MAX {
        appends.push(group());
    }
    let most = u64::try_from(DECISIONS_IN_FLIGHT_MAX).unwrap();
    assert_eq!((appends.waiting(), appends.dropped()), (most, 0), "at the limit");
    appends.push(group());
    assert_eq!((appends.waiting(), appends.dropped()), (most, 1), "one above");
    assert!(!appends.is_settled());
}
