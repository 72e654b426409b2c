//! The journal: one log for everything, one writer, one sync for all who wait.
//!
//! ```text
//! append ─▶ queue ─▶ writer: number, encode, write, sync ─▶ tickets (Durable)
//!                               │                     └───▶ ring ─▶ followers
//!                               └ 100 ms without a sync ──▶ ring (Provisional)
//! ```
//!
//! The frames of one commit are followed by a commit frame that names where they
//! began. A restart keeps whole commits only, so a group is never half there; and it
//! can tell a torn tail from damage even if the disk kept the sectors of the last
//! write in any order (see `recover`).
//!
//! **Absent on purpose:** any way to change or delete an entry, but for what is long over and
//! may be replaced by something shorter in its place (see `thin`); and any meaning of one.

mod ends;
mod follow;
mod pace;
mod queue;
mod recover;
mod segment;
mod status;
#[cfg(test)]
mod tests;
mod thin;
mod writer;

use std::{
    fmt, io,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll},
    thread::JoinHandle,
    time::Duration,
};

use model::{OrgId, PartitionId, Timestamp};
use record::{Frame, FrameError, Position};
use tokio::sync::{oneshot, watch};

pub use ends::{Ends, Lack, begins_at, ends_at, thinned_to};
pub(crate) use ends::{applied_of, checkpoint_of};
pub use follow::{Followed, Follower};
pub use pace::Pacer;
pub use recover::{OpenError, Recovery, Torn};
pub(crate) use recover::{find_tail, read_whole};
pub(crate) use segment::{COMMIT, walk};
pub use segment::{ReadError, Replay, Shortened, replay};
pub use status::{Condition, JournalStatus, WhyNot};
pub use thin::{Stub, ThinError, Thinned};

use self::{follow::Ring, pace::Pace, queue::Queue, status::Gauges, writer::Writer};
use crate::{Clock, Storage, hold::hold, limits};

/// A place in the log: so many bytes after its beginning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LogOffset(u64);

impl LogOffset {
    /// The place `bytes` after the beginning.
    pub const fn from_bytes(bytes: u64) -> Self {
        Self(bytes)
    }

    /// Bytes since the beginning, for stored forms.
    pub const fn bytes(self) -> u64 {
        self.0
    }

    pub(crate) const fn plus(self, bytes: u64) -> Self {
        Self(self.0.saturating_add(bytes))
    }

    pub(crate) const fn minus(self, other: Self) -> u64 {
        self.0.saturating_sub(other.0)
    }
}

impl fmt::Display for LogOffset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// What is to be written; the journal gives it its place.
#[derive(Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are those of a frame")]
pub struct Entry {
    pub kind: u16,
    pub body_version: u8,
    pub org: OrgId,
    pub partition: PartitionId,
    pub received_at: Timestamp,
    pub key_id: u32,
    pub body: Vec<u8>,
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry")
            .field("kind", &self.kind)
            .field("partition", &self.partition)
            .field("body_len", &self.body.len())
            .finish_non_exhaustive()
    }
}

/// An entry in its place. A body that was written in parts is whole here, and stands
/// where its last part stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Where the record ends: whoever has seen it resumes here.
    pub offset: LogOffset,
    /// The entry.
    pub frame: Frame,
}

/// Proof that a group survives a crash; nobody but the journal can make one.
///
/// ```compile_fail,E0451
/// let forged = store::Durable { positions: vec![] };
/// ```
#[derive(Debug)]
pub struct Durable {
    positions: Vec<Position>,
}

impl Durable {
    /// Whether the entry at this position is among those proved.
    pub fn covers(&self, position: Position) -> bool {
        self.positions.contains(&position)
    }

    /// The place of each entry of the group, in its order.
    pub fn positions(&self) -> &[Position] {
        &self.positions
    }
}

/// Why a group was not made durable.
#[derive(Clone, Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it all")]
pub enum AppendError {
    #[error("the group cannot be written as frames")]
    Frame(#[source] FrameError),
    #[error("a group of {len} bytes is longer than {} bytes", limits::GROUP_LEN_MAX)]
    TooLong { len: usize },
    #[error("the log has {max} partitions and takes no further one; use those that are there")]
    Partitions { max: usize },
    #[error("too many groups wait for the disk; try again when it has caught up")]
    Busy,
    #[error("the journal could not be synced, and takes nothing until a restart")]
    Fault(#[source] Arc<io::Error>),
    #[error("the journal takes nothing since a sync failed; restart to read what survived")]
    Poisoned,
    #[error("the disk is full; the journal goes on by itself when there is room")]
    Full,
    #[error("the journal is closed")]
    Closed,
}

/// The answer to an append, when it comes.
///
/// A dropped ticket changes nothing: the group is written all the same.
#[derive(Debug)]
#[must_use = "nothing may be acknowledged before the ticket says so"]
pub struct Ticket(Answer);

#[derive(Debug)]
enum Answer {
    Refused(Option<AppendError>),
    Waiting(oneshot::Receiver<Result<Durable, AppendError>>),
}

impl Ticket {
    const fn refused(error: AppendError) -> Self {
        Self(Answer::Refused(Some(error)))
    }

    /// Blocks until the answer is there; not for use inside the async runtime.
    pub fn wait(self) -> Result<Durable, AppendError> {
        match self.0 {
            Answer::Refused(error) => Err(error.unwrap_or(AppendError::Closed)),
            Answer::Waiting(answer) => answer.blocking_recv().unwrap_or(Err(AppendError::Closed)),
        }
    }
}

impl Future for Ticket {
    type Output = Result<Durable, AppendError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.0 {
            Answer::Refused(error) => Poll::Ready(Err(error.take().unwrap_or(AppendError::Closed))),
            Answer::Waiting(answer) => Pin::new(answer)
                .poll(context)
                .map(|answered| answered.unwrap_or(Err(AppendError::Closed))),
        }
    }
}

/// Bounds that tests and small machines set otherwise; the default is [`limits`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is described in `limits` under the same name")]
pub struct JournalLimits {
    pub segment_len: u64,
    pub commit_len_max: usize,
    pub queue_groups_max: usize,
    pub queue_len_max: usize,
    pub ring_len_max: usize,
    pub ring_events_max: usize,
    pub provisional_after: Duration,
    pub full_retry: Duration,
    pub partitions_max: usize,
}

impl Default for JournalLimits {
    fn default() -> Self {
        Self {
            segment_len: limits::SEGMENT_LEN,
            commit_len_max: limits::COMMIT_LEN_MAX,
            queue_groups_max: limits::QUEUE_GROUPS_MAX,
            queue_len_max: limits::QUEUE_LEN_MAX,
            ring_len_max: limits::RING_LEN_MAX,
            ring_events_max: limits::RING_EVENTS_MAX,
            provisional_after: limits::PROVISIONAL_AFTER,
            full_retry: limits::FULL_RETRY,
            partitions_max: limits::PARTITIONS_MAX,
        }
    }
}

/// A handle on the log; clones are the same log. When the last one goes, what is
/// queued is still written, and the threads end.
#[derive(Clone)]
pub struct Journal(Arc<Owner>);

struct Owner {
    shared: Arc<Shared>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

/// What the writer, the followers and the handles share.
struct Shared {
    storage: Arc<dyn Storage>,
    clock: Clock,
    limits: JournalLimits,
    queue: Queue,
    pace: Pace,
    ring: Ring,
    gauges: Gauges,
    condition: watch::Sender<Condition>,
    /// Since when nothing was recorded, as the mark beside the log says.
    unrecorded_since: watch::Sender<Option<Timestamp>>,
    /// Held while that mark is changed.
    marking: Mutex<()>,
    /// Held while a segment is thinned, and while a backup copies what has its samples.
    thinning: Mutex<()>,
}

impl Shared {
    /// Puts the mark down if `is_wanted` by what is known, or says with `None` that everything
    /// was told; a disk that refuses it is the trouble itself. Blocks for a sync, which may
    /// hang: whoever only asks what is known never waits for it.
    fn mark(&self, since: Option<Timestamp>, is_wanted: impl FnOnce(Option<Timestamp>) -> bool) {
        // One at a time, so that the mark and what is known agree.
        let _one = hold(&self.marking);
        let known = *self.unrecorded_since.borrow();
        if !is_wanted(known) {
            return;
        }
        match self.storage.put_mark(&status::mark_of(since)) {
            Ok(()) => {
                self.unrecorded_since.send_replace(since);
            }
            Err(error) => tracing::error!(%error, "trouble_not_marked"),
        }
    }
}

impl fmt::Debug for Journal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Journal").field("end", &self.end()).finish_non_exhaustive()
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.shared.queue.close();
        self.shared.pace.wake();
    }
}

impl Journal {
    /// Reads what a restart needs, mends a torn tail, and starts the writer.
    pub fn open(
        storage: impl Storage + 'static,
        clock: Clock,
        limits: JournalLimits,
    ) -> Result<(Self, Recovery), OpenError> {
        let storage: Arc<dyn Storage> = Arc::new(storage);
        let (tail, recovery) = recover::recover(&*storage)?;
        if let Some(last_at) = recovery.last_at {
            clock.never_before(last_at);
        }
        if recovery.unrecorded_since.is_none() {
            // Makes the room that a full disk would not have.
            storage.put_mark(&status::mark_of(None)).map_err(OpenError::Io)?;
        }
        let shared = Arc::new(Shared {
            storage,
            clock,
            limits,
            queue: Queue::new(limits),
            pace: Pace::new(),
            ring: Ring::new(recovery.end, limits),
            gauges: Gauges::default(),
            condition: watch::Sender::new(Condition::Recording),
            unrecorded_since: watch::Sender::new(recovery.unrecorded_since),
            marking: Mutex::new(()),
            thinning: Mutex::new(()),
        });
        let owner = Owner { shared: Arc::clone(&shared), threads: Mutex::new(Vec::new()) };
        let journal = Self(Arc::new(owner));
        journal.start("journal-watch", {
            let shared = Arc::clone(&shared);
            move || shared.ring.watch(&shared.clock)
        })?;
        let (spare, wanted) = std::sync::mpsc::sync_channel(1);
        journal.start("journal-spare", {
            let storage = Arc::clone(&shared.storage);
            move || writer::keep_a_spare(&*storage, &wanted)
        })?;
        let writer = Writer::new(shared, tail, spare);
        journal.start("journal-writer", move || writer.run())?;
        Ok((journal, recovery))
    }

    fn start(&self, name: &str, work: impl FnOnce() + Send + 'static) -> Result<(), OpenError> {
        let thread = std::thread::Builder::new().name(name.to_owned()).spawn(work);
        hold(&self.0.threads).push(thread.map_err(OpenError::Io)?);
        Ok(())
    }

    /// Queues a group: its frames will stand together in the log, and survive a crash
    /// together or not at all. Groups are written in the order of their appends.
    pub fn append(&self, group: Vec<Entry>) -> Ticket {
        self.0.shared.queue.push(group)
    }

    /// Returns when the queue is less than half full, and whoever sets the pace is not far
    /// behind: whoever takes messages from a socket asks before taking the next, so that
    /// appends are never refused as `Busy` and a flood waits where it comes from.
    pub async fn room(&self) {
        let shared = &self.0.shared;
        shared.pace.near(|| self.end(), || shared.queue.is_closed()).await;
        shared.queue.room().await;
    }

    /// Returns once whoever sets the pace has come to where the log ends now, and whether it
    /// did; if nobody sets the pace any more, it never will.
    pub async fn decided(&self) -> bool {
        self.0.shared.pace.reached(self.end()).await
    }

    /// Lets a reader that has come to `from` set the pace; the newest one counts.
    pub fn pace(&self, from: LogOffset) -> Pacer {
        Pacer::new(Arc::clone(&self.0.shared), from)
    }

    /// The records after `from`, first from the files and then as they come, without
    /// gap or repetition.
    pub fn follow(&self, from: LogOffset) -> Follower {
        Follower::new(Arc::clone(&self.0.shared), from)
    }

    /// The durable records after `from` as the log stands now; blocks while it reads.
    pub fn replay(&self, from: LogOffset) -> Replay {
        Replay::until(Arc::clone(&self.0.shared.storage), from, self.end())
    }

    /// The newest place at or before `offset` at which a segment begins: a replay that
    /// wants about so much of the log's end can start there. No earlier than the log begins.
    pub fn segment_before(&self, offset: LogOffset) -> io::Result<LogOffset> {
        let segments = self.0.shared.storage.segments()?;
        let mut starts = segments.iter().map(|segment| segment.start);
        let oldest = starts.next().unwrap_or_default();
        Ok(starts.take_while(|start| *start <= offset).last().unwrap_or(oldest))
    }

    /// Where the oldest segment begins; not 0 once the beginning is gone.
    pub fn begins_at(&self) -> io::Result<LogOffset> {
        ends::begins_at(&*self.0.shared.storage)
    }

    /// Where the durable log ends.
    pub fn end(&self) -> LogOffset {
        self.0.shared.ring.durable_end()
    }

    /// Whether the journal records, and how fast.
    pub fn status(&self) -> JournalStatus {
        let shared = &self.0.shared;
        shared.gauges.status(*shared.condition.borrow(), self.end(), shared.queue.depth())
    }

    /// Whether it records, and no commit has kept the disk longer than `patience`: a disk
    /// that hangs says nothing, and is as good as none to whoever waits for it.
    pub fn records_within(&self, patience: Duration) -> bool {
        let shared = &self.0.shared;
        let is_recording = *shared.condition.borrow() == Condition::Recording;
        is_recording && shared.ring.in_flight_for(shared.clock.elapsed()) <= patience
    }

    /// Since when nothing was recorded, now or before the start, if nobody has yet said
    /// by [`Self::told_unrecorded`] that all of it was told; and every change of it.
    pub fn unrecorded_since(&self) -> watch::Receiver<Option<Timestamp>> {
        self.0.shared.unrecorded_since.subscribe()
    }

    /// Everything that followed from not recording since then is in the journal now: the
    /// next start need not tell. Later trouble stays marked. Blocks for a sync.
    pub fn told_unrecorded(&self, since: Timestamp) {
        let shared = &self.0.shared;
        shared.mark(None, |known| {
            let is_over = *shared.condition.borrow() == Condition::Recording;
            known == Some(since) && is_over
        });
    }

    /// Tells of every change between recording and not recording.
    pub fn condition(&self) -> watch::Receiver<Condition> {
        self.0.shared.condition.subscribe()
    }

    /// Takes nothing more, writes what is queued, and returns when the threads have ended.
    pub fn close(self) {
        self.0.shared.queue.close();
        self.0.shared.pace.wake();
        for thread in std::mem::take(&mut *hold(&self.0.threads)) {
            // A thread that panicked has already closed the queue.
            let _ = thread.join();
        }
    }
}
