//! Handing records on: a ring of the newest events, and followers that read the files
//! until they have caught up with it.
//!
//! A record whose sync is late is handed on as provisional, so that alarms never wait
//! for a disk. Every provisional batch is followed by exactly one of two: confirmed,
//! or lost. A watcher thread measures the lateness, as the writer stands in the sync.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Condvar, Mutex, PoisonError},
    time::Duration,
};

use tokio::sync::watch;

use super::{
    JournalLimits, LogOffset, ReadError, Record, Shared,
    segment::{Reader, len},
};
use crate::{Clock, hold::hold};

/// What a follower is told.
#[derive(Debug)]
pub enum Followed {
    /// These survive a crash.
    Durable(Arc<[Record]>),
    /// Their sync is late or will never come; decide and sound at once.
    Provisional(Arc<[Record]>),
    /// These were provisional and now survive a crash; they have been decided already.
    Confirmed(Arc<[Record]>),
    /// These were provisional and will not be in the log; a device may send them again.
    Lost(Arc<[Record]>),
    /// So many provisional records went by unseen, as the follower was far too slow.
    Missed(u64),
    /// The log cannot be read on; nothing follows.
    Unreadable(ReadError),
}

/// What became of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Durable,
    Lost,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    Provisional,
    Settled(Outcome),
}

/// Something that happened to a batch.
#[derive(Clone)]
struct Event {
    batch: u64,
    what: What,
    start: LogOffset,
    end: LogOffset,
    records: Arc<[Record]>,
    len: usize,
    /// How many records had been lost before.
    lost_before: u64,
}

struct InFlight {
    batch: u64,
    start: LogOffset,
    end: LogOffset,
    records: Arc<[Record]>,
    begun: Duration,
    announced: bool,
}

pub(super) struct Ring {
    limits: JournalLimits,
    state: Mutex<State>,
    /// Wakes the watcher.
    begun: Condvar,
    /// Counts events; wakes followers.
    changed: watch::Sender<u64>,
}

struct State {
    events: VecDeque<Event>,
    /// The number of the first event that is still here.
    first: u64,
    len: usize,
    durable_end: LogOffset,
    /// From here on the ring has every durable record.
    covers_from: LogOffset,
    lost: u64,
    batches: u64,
    in_flight: Option<InFlight>,
    watcher_rests: bool,
    closed: bool,
}

/// How finely the watcher looks at a late sync.
const LOOK_EVERY: Duration = Duration::from_millis(20);

impl Ring {
    pub(super) fn new(end: LogOffset, limits: JournalLimits) -> Self {
        let state = State {
            events: VecDeque::new(),
            first: 0,
            len: 0,
            durable_end: end,
            covers_from: end,
            lost: 0,
            batches: 0,
            in_flight: None,
            watcher_rests: false,
            closed: false,
        };
        let (state, begun) = (Mutex::new(state), Condvar::new());
        Self { limits, state, begun, changed: watch::Sender::new(0) }
    }

    pub(super) fn durable_end(&self) -> LogOffset {
        hold(&self.state).durable_end
    }

    /// For how long the disk has had the batch that it has now; not at all if it has none.
    pub(super) fn in_flight_for(&self, now: Duration) -> Duration {
        let state = hold(&self.state);
        let begun = state.in_flight.as_ref().map(|flight| flight.begun);
        begun.map_or(Duration::ZERO, |begun| now.saturating_sub(begun))
    }

    /// A batch goes to the disk now.
    pub(super) fn begin(&self, end: LogOffset, records: Arc<[Record]>, now: Duration) {
        let mut state = hold(&self.state);
        let (batch, start) = (state.batches, state.durable_end);
        state.batches = batch.saturating_add(1);
        let announced = records.is_empty();
        state.in_flight = Some(InFlight { batch, start, end, records, begun: now, announced });
        if std::mem::take(&mut state.watcher_rests) {
            self.begun.notify_one();
        }
    }

    /// The batch that was begun is durable, or will never be.
    pub(super) fn settle(&self, outcome: Outcome) {
        let mut state = hold(&self.state);
        let Some(mut flight) = state.in_flight.take() else { return };
        match outcome {
            Outcome::Durable => state.durable_end = flight.end,
            Outcome::Lost => flight.end = flight.start,
        }
        let unannounced = outcome == Outcome::Lost && !flight.announced;
        if unannounced {
            self.push(&mut state, &flight, What::Provisional);
        }
        if !flight.records.is_empty() || outcome == Outcome::Durable {
            self.push(&mut state, &flight, What::Settled(outcome));
        }
        if outcome == Outcome::Lost {
            state.lost = state.lost.saturating_add(len(flight.records.len()));
        }
        drop(state);
        self.wake();
    }

    fn push(&self, state: &mut State, flight: &InFlight, what: What) {
        let InFlight { batch, start, end, .. } = *flight;
        let records = Arc::clone(&flight.records);
        let size = |record: &Record| record.frame.body.len().saturating_add(size_of::<Record>());
        let len = match what {
            // Shared with the provisional event.
            What::Settled(_) if flight.announced => 0,
            What::Settled(_) | What::Provisional => {
                records.iter().map(size).fold(0, usize::saturating_add)
            }
        };
        let lost_before = state.lost;
        state.events.push_back(Event { batch, what, start, end, records, len, lost_before });
        state.len = state.len.saturating_add(len);
        let too_long = |state: &State| {
            state.len > self.limits.ring_len_max || state.events.len() > self.limits.ring_events_max
        };
        while state.events.len() > 1 && too_long(state) {
            let Some(event) = state.events.pop_front() else { break };
            state.first = state.first.saturating_add(1);
            state.len = state.len.saturating_sub(event.len);
            if event.what == What::Settled(Outcome::Durable) {
                state.covers_from = event.end;
            }
        }
    }

    fn wake(&self) {
        self.changed.send_modify(|count| *count = count.wrapping_add(1));
    }

    pub(super) fn close(&self) {
        hold(&self.state).closed = true;
        self.begun.notify_all();
        self.wake();
    }

    // RC-030
    /// Hands on late batches, until the ring is closed.
    pub(super) fn watch(&self, clock: &Clock) {
        let mut last_batch = None;
        let mut state = hold(&self.state);
        while !state.closed {
            let late = self.limits.provisional_after;
            let waits = state.in_flight.as_mut().filter(|flight| !flight.announced);
            if let Some(flight) = waits
                && clock.elapsed().saturating_sub(flight.begun) >= late
            {
                flight.announced = true;
                let flight = state.in_flight.take();
                if let Some(flight) = &flight {
                    self.push(&mut state, flight, What::Provisional);
                }
                state.in_flight = flight;
                drop(state);
                self.wake();
                state = hold(&self.state);
                continue;
            }
            // Rests only when nothing began for a while, so that the writer need not wake it each time.
            let idle = state.in_flight.is_none() && last_batch == Some(state.batches);
            last_batch = Some(state.batches);
            state.watcher_rests = idle;
            state = if idle {
                self.begun.wait(state).unwrap_or_else(PoisonError::into_inner)
            } else {
                let waited = self.begun.wait_timeout(state, LOOK_EVERY);
                waited.unwrap_or_else(PoisonError::into_inner).0
            };
        }
    }

    /// What there is for a follower at `offset` that expects the event `next`, if it was
    /// ever so far.
    fn look(&self, offset: LogOffset, next: Option<u64>, company: Company) -> Look {
        let state = hold(&self.state);
        let end = state.first.saturating_add(len(state.events.len()));
        let from = match next.filter(|next| *next >= state.first) {
            Some(next) => next,
            None if offset < state.covers_from => return Look::Files { until: state.durable_end },
            None => state.first.saturating_add(len(state.joining(offset, company))),
        };
        let skip = usize::try_from(from.saturating_sub(state.first)).unwrap_or(usize::MAX);
        let events: Vec<_> = state.events.iter().skip(skip).take(EVENTS_AT_ONCE).cloned().collect();
        let lost_before = events.first().map_or(state.lost, |event| event.lost_before);
        if events.is_empty() && state.closed {
            return Look::Closed;
        }
        Look::Events { next: from.saturating_add(len(events.len())).min(end), events, lost_before }
    }
}

const EVENTS_AT_ONCE: usize = 64;

impl State {
    /// The first event that tells something new to whoever has seen all that is durable
    /// before `offset`.
    fn joining(&self, offset: LogOffset, company: Company) -> usize {
        let lost = |batch| {
            let is_lost = |event: &Event| event.what == What::Settled(Outcome::Lost);
            self.events.iter().any(|event| event.batch == batch && is_lost(event))
        };
        let news = |event: &Event| match event.what {
            What::Settled(Outcome::Durable) => event.end > offset,
            What::Provisional => {
                let open =
                    self.in_flight.as_ref().is_some_and(|flight| flight.batch == event.batch);
                open || (company == Company::FellBehind && lost(event.batch))
            }
            What::Settled(Outcome::Lost) => false,
        };
        self.events.iter().position(news).unwrap_or(self.events.len())
    }
}

/// Whether a follower was with the ring before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Company {
    /// What was lost before it came is none of its business.
    New,
    FellBehind,
}

enum Look {
    Events { events: Vec<Event>, next: u64, lost_before: u64 },
    Files { until: LogOffset },
    Closed,
}

/// Reads the log to its end and then waits for more.
pub struct Follower {
    shared: Arc<Shared>,
    changed: watch::Receiver<u64>,
    /// Every durable record up to here has been handed on or is ready to be.
    absorbed: LogOffset,
    /// Every durable record up to here has been handed on.
    offset: LogOffset,
    next: Option<u64>,
    /// Batches handed on as provisional and not yet settled: where they would stand.
    provisional: BTreeMap<u64, (LogOffset, LogOffset)>,
    lost: Option<u64>,
    /// News, each with the place up to which everything is handed on with it.
    ready: VecDeque<(Followed, LogOffset)>,
    ended: bool,
}

impl std::fmt::Debug for Follower {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Follower").field("offset", &self.offset).finish_non_exhaustive()
    }
}

impl Follower {
    pub(super) fn new(shared: Arc<Shared>, from: LogOffset) -> Self {
        let changed = shared.ring.changed.subscribe();
        let end = shared.ring.durable_end();
        let beyond = ReadError::Beyond { offset: from, end };
        let ready: VecDeque<_> =
            (from > end).then_some((Followed::Unreadable(beyond), from)).into_iter().collect();
        let (provisional, ended) = (BTreeMap::new(), !ready.is_empty());
        let (absorbed, offset, next, lost) = (from, from, None, None);
        Self { shared, changed, absorbed, offset, next, provisional, lost, ready, ended }
    }

    /// Up to where every durable record has been handed on, once what `next` gave is done.
    pub const fn offset(&self) -> LogOffset {
        self.offset
    }

    /// The next news, in the order of the log; `None` once the journal is closed.
    ///
    /// Cancelling it loses nothing.
    pub async fn next(&mut self) -> Option<Followed> {
        loop {
            if let Some((ready, up_to)) = self.ready.pop_front() {
                self.offset = up_to;
                return Some(ready);
            }
            // Nothing waits: what stands before `absorbed` and told nothing counts too.
            self.offset = self.absorbed;
            if self.ended {
                return None;
            }
            self.changed.borrow_and_update();
            let company = if self.lost.is_some() { Company::FellBehind } else { Company::New };
            match self.shared.ring.look(self.absorbed, self.next, company) {
                Look::Closed => self.ended = true,
                Look::Files { until } => self.read_files(until).await,
                Look::Events { events, next, lost_before } => {
                    let nothing = events.is_empty();
                    self.count_missed(lost_before);
                    self.next = Some(next);
                    for event in events {
                        self.absorb(event);
                    }
                    if nothing && self.ready.is_empty() && self.changed.changed().await.is_err() {
                        self.ended = true;
                    }
                }
            }
        }
    }

    fn count_missed(&mut self, lost_before: u64) {
        let missed = lost_before.saturating_sub(self.lost.unwrap_or(lost_before));
        if missed > 0 {
            self.ready.push_back((Followed::Missed(missed), self.absorbed));
        }
        self.lost = Some(lost_before);
    }

    fn absorb(&mut self, event: Event) {
        let Event { batch, what, start, end, records, lost_before, .. } = event;
        match what {
            // It fell behind, and has read from the files what became of these.
            What::Provisional if end > start && end <= self.absorbed => {}
            What::Provisional => {
                self.provisional.insert(batch, (start, end));
                self.ready.push_back((Followed::Provisional(records), self.absorbed));
            }
            What::Settled(Outcome::Lost) => {
                self.lost = Some(lost_before.saturating_add(len(records.len())));
                if self.provisional.remove(&batch).is_some() {
                    self.ready.push_back((Followed::Lost(records), self.absorbed));
                }
            }
            What::Settled(Outcome::Durable) => {
                let decided = self.provisional.remove(&batch).is_some();
                let records = after(records, self.absorbed);
                self.absorbed = self.absorbed.max(end);
                if records.is_empty() {
                    return;
                }
                let told =
                    if decided { Followed::Confirmed(records) } else { Followed::Durable(records) };
                self.ready.push_back((told, self.absorbed));
            }
        }
    }

    /// Reads one piece of the files and hands it on.
    async fn read_files(&mut self, until: LogOffset) {
        self.next = None;
        let mut reader = Reader::new(Arc::clone(&self.shared.storage), self.absorbed, until);
        let read = tokio::task::spawn_blocking(move || (reader.read(), reader.at)).await;
        match read {
            Ok((Ok(records), at)) => {
                self.absorbed = at;
                self.hand_on(records);
            }
            Ok((Err(error), _)) => {
                self.ready.push_back((Followed::Unreadable(error), self.absorbed));
                self.ended = true;
            }
            // The runtime is going down.
            Err(_) => self.ended = true,
        }
    }

    /// Records from files, in runs of those that were decided as provisional and those that were not.
    fn hand_on(&mut self, records: Vec<Record>) {
        let ranges: Vec<_> = self.provisional.values().copied().collect();
        let decided = |record: &Record| {
            ranges.iter().any(|(start, end)| record.offset > *start && record.offset <= *end)
        };
        let mut records = records.into_iter().peekable();
        while let Some(first) = records.next() {
            let was = decided(&first);
            let mut run = vec![first];
            while let Some(record) = records.next_if(|record| decided(record) == was) {
                run.push(record);
            }
            // Behind the last of them nothing stands but marks of the log itself.
            let last = run.last().filter(|_| records.peek().is_some());
            let up_to = last.map_or(self.absorbed, |record| record.offset);
            let run = run.into();
            let told = if was { Followed::Confirmed(run) } else { Followed::Durable(run) };
            self.ready.push_back((told, up_to));
        }
        let offset = self.absorbed;
        self.provisional.retain(|_, (_, end)| *end > offset);
    }
}

/// Those that end after `offset`; the same allocation if that is all of them.
fn after(records: Arc<[Record]>, offset: LogOffset) -> Arc<[Record]> {
    if records.first().is_none_or(|record| record.offset > offset) {
        return records;
    }
    records.iter().filter(|record| record.offset > offset).cloned().collect()
}
