//! The one thread that writes: it takes all who wait, writes their frames with one
//! call, syncs once, and answers them.
//!
//! While one commit is synced the next gathers, so the groups of a commit grow with
//! the load by themselves, and on an idle system a group is committed at once.

use std::{
    io,
    sync::{
        Arc,
        mpsc::{Receiver, SyncSender},
    },
};

use model::PartitionId;
use record::{BODY_LEN_MAX, Envelope, Frame, FrameError, Position, split_parts};
use tokio::sync::oneshot;

use super::{
    AppendError, Condition, Durable, Entry, LogOffset, Record, Shared, WhyNot,
    follow::Outcome,
    queue::{Pending, Taken},
    recover::Tail,
    segment::{COMMIT_LEN_MAX, encode_commit, encode_head, len},
};
use crate::{Form, Segment, Storage, storage::write_full};

/// More than this is given back after a large commit.
const BUFFER_KEPT_LEN_MAX: usize = 8 << 20;
/// No less than a partition takes in the head of a segment.
const HEAD_LEN_OF_PARTITION_MAX: u64 = 48;

pub(super) struct Writer {
    shared: Arc<Shared>,
    tail: Tail,
    buffer: Vec<u8>,
    /// Room that was asked for and not there.
    wanted: u64,
    spare: SyncSender<u64>,
    /// The segment after which a spare was ordered.
    spare_after: Option<LogOffset>,
}

type Answer = oneshot::Sender<Result<Durable, AppendError>>;

/// A commit that is ready to be written.
struct Staged {
    /// The log's own frames can be too long only if a bound is wrong; then nothing is written.
    whole: Result<(), FrameError>,
    records: Arc<[Record]>,
    answers: Vec<(Answer, Vec<Position>)>,
}

enum Failure {
    Full,
    Fault(Arc<io::Error>),
    Poisoned,
}

/// Gets the next segment ready whenever one is wanted; a failure shows when it is needed.
pub(super) fn keep_a_spare(storage: &dyn Storage, wanted: &Receiver<u64>) {
    while let Ok(segment_len) = wanted.recv() {
        if let Err(error) = storage.prepare(segment_len) {
            tracing::warn!(%error, "segment_not_prepared");
        }
    }
}

/// Closes everything when the writer ends, in whatever way.
struct LastWords(Arc<Shared>);

impl Drop for LastWords {
    fn drop(&mut self) {
        self.0.queue.abandon();
        self.0.pace.wake();
        self.0.ring.settle(Outcome::Lost);
        self.0.ring.close();
    }
}

impl Writer {
    pub(super) fn new(shared: Arc<Shared>, tail: Tail, spare: SyncSender<u64>) -> Self {
        Self { shared, tail, buffer: Vec::new(), wanted: 0, spare, spare_after: None }
    }

    pub(super) fn run(mut self) {
        let _last_words = LastWords(Arc::clone(&self.shared));
        loop {
            let patience =
                (self.why_not() == Some(WhyNot::Full)).then_some(self.shared.limits.full_retry);
            match self.shared.queue.take(patience) {
                Taken::Groups(groups) => self.commit(groups),
                // A commit of nothing tries whether there is room again.
                Taken::Nothing => self.commit(Vec::new()),
                Taken::Closed => return,
            }
        }
    }

    fn commit(&mut self, groups: Vec<Pending>) {
        let count = groups.len();
        let need = groups.iter().map(|pending| len(pending.len)).fold(0, u64::saturating_add);
        let room = match self.why_not() {
            Some(WhyNot::Poisoned) => Err(Failure::Poisoned),
            Some(WhyNot::Full) => self.make_room(need.max(self.wanted)),
            None => self.make_room(need),
        };
        let staged = self.stage(groups);
        let end = self.end().plus(len(self.buffer.len()));
        self.shared.ring.begin(end, Arc::clone(&staged.records), self.shared.clock.elapsed());
        let begun = self.shared.clock.elapsed();
        let whole = staged.whole.clone().map_err(io::Error::other);
        let whole = whole.map_err(|error| Failure::Fault(Arc::new(error)));
        match room.and(whole).and_then(|()| self.write_and_sync()) {
            // RC-028
            Ok(()) => {
                let took = self.shared.clock.elapsed().saturating_sub(begun);
                self.tail.used = self.tail.used.saturating_add(len(self.buffer.len()));
                self.set_condition(None);
                self.shared.ring.settle(Outcome::Durable);
                self.shared.gauges.committed(count, staged.records.len(), took);
                for (answer, positions) in staged.answers {
                    // Nobody may be waiting any more.
                    let _ = answer.send(Ok(Durable { positions }));
                }
                self.order_a_spare();
            }
            Err(failure) => self.give_up(staged, &failure, need),
        }
        self.buffer.clear();
        self.buffer.shrink_to(BUFFER_KEPT_LEN_MAX);
    }

    fn give_up(&mut self, staged: Staged, failure: &Failure, need: u64) {
        let error = match failure {
            Failure::Full => {
                self.wanted = self.wanted.max(need);
                self.set_condition(Some(WhyNot::Full));
                AppendError::Full
            }
            Failure::Fault(error) => {
                tracing::error!(%error, "journal_poisoned");
                self.set_condition(Some(WhyNot::Poisoned));
                AppendError::Fault(Arc::clone(error))
            }
            // RC-032
            Failure::Poisoned => AppendError::Poisoned,
        };
        self.shared.ring.settle(Outcome::Lost);
        self.shared.gauges.lost(staged.records.len());
        for (answer, _) in staged.answers {
            let _ = answer.send(Err(error.clone()));
        }
    }

    /// Where the next frame will stand.
    fn end(&self) -> LogOffset {
        let start = self.tail.segment.map_or_else(LogOffset::default, |segment| segment.start);
        start.plus(self.tail.used)
    }

    /// Makes a segment if `need` bytes do not fit into the one that is written.
    fn make_room(&mut self, need: u64) -> Result<(), Failure> {
        let need = need.saturating_add(COMMIT_LEN_MAX);
        let head = len(self.tail.next.len()).saturating_mul(HEAD_LEN_OF_PARTITION_MAX);
        let with_head = need.saturating_add(head).saturating_add(COMMIT_LEN_MAX);
        let fits = |segment: &Segment| {
            let need = if self.tail.used == 0 { with_head } else { need };
            self.tail.used.saturating_add(need) <= segment.len
        };
        if self.tail.segment.as_ref().is_some_and(fits) {
            return Ok(());
        }
        let start = self.end();
        let empty = self.tail.segment.is_some() && self.tail.used == 0;
        if empty {
            // Made before a crash and too small; two segments cannot begin at one place.
            let error = io::Error::other("the newest segment is empty and too small");
            return Err(Failure::Fault(Arc::new(error)));
        }
        let segment_len = self.shared.limits.segment_len.max(with_head);
        match self.shared.storage.create(start, segment_len) {
            Ok(()) => {
                self.tail.segment = Some(Segment { start, len: segment_len, form: Form::Whole });
                self.tail.used = 0;
                self.wanted = 0;
                Ok(())
            }
            Err(error) if is_full(&error) => Err(Failure::Full),
            Err(error) => Err(Failure::Fault(Arc::new(error))),
        }
    }

    /// Numbers the entries and encodes their frames into the buffer.
    fn stage(&mut self, groups: Vec<Pending>) -> Staged {
        let now = self.shared.clock.now();
        let base = self.end();
        let mut whole = Ok(());
        if self.tail.used == 0 {
            whole = encode_head(base, &self.tail.next, now, &mut self.buffer);
        }
        let mut records = Vec::with_capacity(groups.iter().map(|each| each.group.len()).sum());
        let mut answers = Vec::with_capacity(groups.len());
        for Pending { group, answer, .. } in groups {
            let (staged, encoded) = (records.len(), self.buffer.len());
            match self.stage_group(group, base, &mut records) {
                Ok(positions) => answers.push((answer, positions)),
                Err(error) => {
                    records.truncate(staged);
                    self.buffer.truncate(encoded);
                    let _ = answer.send(Err(error));
                }
            }
        }
        let at = base.plus(len(self.buffer.len()));
        let whole = whole.and_then(|()| encode_commit(base, at, now, &mut self.buffer));
        Staged { whole, records: records.into(), answers }
    }

    fn stage_group(
        &mut self,
        group: Vec<Entry>,
        base: LogOffset,
        records: &mut Vec<Record>,
    ) -> Result<Vec<Position>, AppendError> {
        let mut positions = Vec::with_capacity(group.len());
        for entry in group {
            let Entry { kind, body_version, org, partition, received_at, key_id, body } = entry;
            let place = |seq| Position { partition, seq };
            let envelope = |kind, body_version, position| Envelope {
                kind,
                body_version,
                org,
                position,
                received_at,
                key_id,
            };
            let mut position = place(self.number(&partition)?);
            if body.len() <= BODY_LEN_MAX {
                let envelope = envelope(kind, body_version, position);
                envelope.encode(&body, &mut self.buffer).map_err(AppendError::Frame)?;
            } else {
                let parts = split_parts(kind, body_version, body.clone());
                for (number, (kind, version, part)) in parts.into_iter().enumerate() {
                    if number > 0 {
                        position = place(self.number(&partition)?);
                    }
                    let envelope = envelope(kind, version, position);
                    envelope.encode(&part, &mut self.buffer).map_err(AppendError::Frame)?;
                }
            }
            let offset = base.plus(len(self.buffer.len()));
            let frame = Frame { kind, body_version, org, position, received_at, key_id, body };
            records.push(Record { offset, frame });
            positions.push(position);
        }
        Ok(positions)
    }

    /// The next number of a partition. Those of a commit that fails are not used again,
    /// as followers have seen them.
    fn number(&mut self, partition: &PartitionId) -> Result<u64, AppendError> {
        let max = self.shared.limits.partitions_max;
        if self.tail.next.len() >= max && !self.tail.next.contains_key(partition) {
            return Err(AppendError::Partitions { max });
        }
        let next = self.tail.next.entry(*partition).or_insert(1);
        let number = *next;
        *next = number.saturating_add(1);
        Ok(number)
    }

    fn write_and_sync(&self) -> Result<(), Failure> {
        let fault = |error| Failure::Fault(Arc::new(error));
        let Some(segment) = self.tail.segment else {
            return Err(fault(io::ErrorKind::NotFound.into()));
        };
        let storage = &*self.shared.storage;
        match write_full(storage, segment.start, self.tail.used, &self.buffer) {
            Ok(()) => {}
            // What was written lies behind the end, without its commit frame, and is written over.
            Err(error) if is_full(&error) => return Err(Failure::Full),
            Err(error) => return Err(fault(error)),
        }
        storage.sync(segment.start).map_err(fault)
    }

    /// Has the next segment made ready once this one is half full.
    fn order_a_spare(&mut self) {
        let Some(segment) = self.tail.segment else { return };
        let wanted = self.tail.used > segment.len / 2 && self.spare_after != Some(segment.start);
        if wanted && self.spare.try_send(self.shared.limits.segment_len).is_ok() {
            self.spare_after = Some(segment.start);
        }
    }

    fn why_not(&self) -> Option<WhyNot> {
        match *self.shared.condition.borrow() {
            Condition::Recording => None,
            Condition::NotRecording { why, .. } => Some(why),
        }
    }

    fn set_condition(&self, why: Option<WhyNot>) {
        if self.why_not() == why {
            return;
        }
        let since = self.shared.clock.now();
        self.shared.condition.send_replace(match why {
            None => Condition::Recording,
            Some(why) => Condition::NotRecording { since, why },
        });
        // RC-027
        if why.is_some() {
            // The first instant of a trouble that nobody has told yet is the one that counts.
            self.shared.mark(Some(since), |known| known.is_none());
        }
    }
}

fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}
