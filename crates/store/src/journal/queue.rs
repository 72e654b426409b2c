//! The groups that wait for the writer, in the order of their appends.
//!
//! The queue is bounded twice. Below half, callers that ask first may go on; at the
//! full bound an append is refused. In between there is room for what may not wait,
//! such as the engine's decisions.

use std::{
    collections::VecDeque,
    sync::{Condvar, Mutex, PoisonError},
    time::Duration,
};

use record::{BODY_LEN_MAX, FRAME_LEN_MIN};
use tokio::sync::{Notify, oneshot};

use super::{Answer, AppendError, Durable, Entry, JournalLimits, Ticket};
use crate::{hold::hold, limits::GROUP_LEN_MAX};

/// A group and whoever waits for it.
pub(super) struct Pending {
    pub(super) group: Vec<Entry>,
    /// No less than its frames take.
    pub(super) len: usize,
    pub(super) answer: oneshot::Sender<Result<Durable, AppendError>>,
}

/// What the writer finds.
pub(super) enum Taken {
    Groups(Vec<Pending>),
    /// Nobody came within the time.
    Nothing,
    Closed,
}

pub(super) struct Queue {
    limits: JournalLimits,
    state: Mutex<State>,
    filled: Condvar,
    drained: Notify,
}

#[derive(Default)]
struct State {
    pending: VecDeque<Pending>,
    len: usize,
    closed: bool,
    writer_waits: bool,
}

impl Queue {
    pub(super) fn new(limits: JournalLimits) -> Self {
        let (state, filled, drained) = (Mutex::default(), Condvar::new(), Notify::new());
        Self { limits, state, filled, drained }
    }

    pub(super) fn push(&self, group: Vec<Entry>) -> Ticket {
        let len = group.iter().map(frames_len).fold(0, usize::saturating_add);
        // A group fits into a new segment, beside its head.
        let room =
            usize::try_from((self.limits.segment_len / 4).saturating_mul(3)).unwrap_or(usize::MAX);
        if len > GROUP_LEN_MAX.min(room) {
            return Ticket::refused(AppendError::TooLong { len });
        }
        let (answer, ticket) = oneshot::channel();
        let mut state = hold(&self.state);
        if state.closed {
            return Ticket::refused(AppendError::Closed);
        }
        let queued = state.len.saturating_add(len);
        if state.pending.len() >= self.limits.queue_groups_max || queued > self.limits.queue_len_max
        {
            return Ticket::refused(AppendError::Busy);
        }
        state.len = queued;
        state.pending.push_back(Pending { group, len, answer });
        let wake = std::mem::take(&mut state.writer_waits);
        drop(state);
        if wake {
            self.filled.notify_one();
        }
        Ticket(Answer::Waiting(ticket))
    }

    pub(super) async fn room(&self) {
        loop {
            let drained = self.drained.notified();
            if self.has_room(&hold(&self.state)) {
                return;
            }
            drained.await;
        }
    }

    fn has_room(&self, state: &State) -> bool {
        let (groups, len) = (self.limits.queue_groups_max / 2, self.limits.queue_len_max / 2);
        state.closed || (state.pending.len() < groups && state.len < len)
    }

    /// Groups up to the bound of a commit, or at least one; waits for the first.
    pub(super) fn take(&self, patience: Option<Duration>) -> Taken {
        let mut state = hold(&self.state);
        while state.pending.is_empty() {
            if state.closed {
                return Taken::Closed;
            }
            state.writer_waits = true;
            let Some(patience) = patience else {
                state = self.filled.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let waited = self.filled.wait_timeout(state, patience);
            let (woken, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
            state = woken;
            if timeout.timed_out() && state.pending.is_empty() && !state.closed {
                state.writer_waits = false;
                return Taken::Nothing;
            }
        }
        state.writer_waits = false;
        let (groups, len) = self.drain(&mut state);
        state.len = state.len.saturating_sub(len);
        let room = self.has_room(&state);
        drop(state);
        if room {
            self.drained.notify_waiters();
        }
        Taken::Groups(groups)
    }

    fn drain(&self, state: &mut State) -> (Vec<Pending>, usize) {
        if state.len <= self.limits.commit_len_max {
            return (std::mem::take(&mut state.pending).into(), state.len);
        }
        let (mut count, mut len) = (0_usize, 0_usize);
        for pending in &state.pending {
            let longer = len.saturating_add(pending.len);
            if count > 0 && longer > self.limits.commit_len_max {
                break;
            }
            (count, len) = (count.saturating_add(1), longer);
        }
        (state.pending.drain(..count).collect(), len)
    }

    /// Takes nothing more; the writer still gets what is there.
    pub(super) fn close(&self) {
        hold(&self.state).closed = true;
        self.filled.notify_all();
        self.drained.notify_waiters();
    }

    /// Whether it takes nothing more.
    pub(super) fn is_closed(&self) -> bool {
        hold(&self.state).closed
    }

    /// Drops what waits, so that every ticket is answered with `Closed`.
    pub(super) fn abandon(&self) {
        let mut state = hold(&self.state);
        state.closed = true;
        state.len = 0;
        let pending = std::mem::take(&mut state.pending);
        drop(state);
        drop(pending);
        self.drained.notify_waiters();
    }

    /// How many groups and bytes wait.
    pub(super) fn depth(&self) -> (usize, usize) {
        let state = hold(&self.state);
        (state.pending.len(), state.len)
    }
}

/// No less than the bytes of an entry's frames, in parts if it is long.
fn frames_len(entry: &Entry) -> usize {
    const PART_HEAD_MAX: usize = 128;
    let frames = entry.body.len() / (BODY_LEN_MAX - PART_HEAD_MAX);
    let heads = frames.saturating_add(1).saturating_mul(FRAME_LEN_MIN + PART_HEAD_MAX);
    if entry.body.len() <= BODY_LEN_MAX {
        entry.body.len().saturating_add(FRAME_LEN_MIN)
    } else {
        entry.body.len().saturating_add(heads)
    }
}
