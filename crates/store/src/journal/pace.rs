//! How far the reader that decides may fall behind: whoever takes messages from a socket
//! waits for it, so that a flood fills sockets and not the time between a reading and its
//! alarm, nor what a restart has to decide.
//!
//! **Absent on purpose:** any hold on the log itself. What is appended is written, and
//! decisions never wait here.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use tokio::sync::Notify;

use super::{LogOffset, Shared};
use crate::limits::BEHIND_LEN_MAX;

/// Where the reader is that sets the pace.
pub(super) struct Pace {
    /// In bytes since the log began; the greatest number while nobody sets the pace.
    came_to: AtomicU64,
    advanced: Notify,
}

impl Pace {
    pub(super) fn new() -> Self {
        Self { came_to: AtomicU64::new(u64::MAX), advanced: Notify::new() }
    }

    /// Returns once the reader is near enough to `end`, or `is_over`.
    pub(super) async fn near(&self, end: impl Fn() -> LogOffset, is_over: impl Fn() -> bool) {
        loop {
            let advanced = self.advanced.notified();
            let behind = end().bytes().saturating_sub(self.came_to.load(Ordering::Acquire));
            if behind <= BEHIND_LEN_MAX || is_over() {
                return;
            }
            advanced.await;
        }
    }

    /// Whether the reader comes to a place; not if nobody sets the pace any more.
    pub(super) async fn reached(&self, place: LogOffset) -> bool {
        loop {
            let mut advanced = std::pin::pin!(self.advanced.notified());
            advanced.as_mut().enable();
            match self.came_to.load(Ordering::Acquire) {
                u64::MAX => return false,
                came_to if came_to >= place.bytes() => return true,
                _ => advanced.await,
            }
        }
    }

    /// Lets everybody look again.
    pub(super) fn wake(&self) {
        self.advanced.notify_waiters();
    }
}

/// Sets the pace for as long as it exists.
pub struct Pacer(Arc<Shared>);

impl std::fmt::Debug for Pacer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pacer").finish_non_exhaustive()
    }
}

impl Pacer {
    pub(super) fn new(shared: Arc<Shared>, from: LogOffset) -> Self {
        let pacer = Self(shared);
        pacer.came_to(from);
        pacer
    }

    /// Everything before this place has been decided.
    pub fn came_to(&self, place: LogOffset) {
        self.0.pace.came_to.store(place.bytes(), Ordering::Release);
        self.0.pace.wake();
    }
}

impl Drop for Pacer {
    fn drop(&mut self) {
        self.came_to(LogOffset::from_bytes(u64::MAX));
    }
}
