//! Where screens and programs ask for a backup or for its rehearsal, and see how the last went.
//!
//! The shell holds the folder and its key and does the work; nothing here opens either.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use model::Timestamp;
use tokio::sync::mpsc;

/// What may be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BackupAsked {
    /// A backup now, and its rehearsal.
    Backup,
    /// The newest backup is restored into a scratch place and compared.
    Rehearsal,
}

impl BackupAsked {
    /// The word for it in the interface.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Backup => "backup",
            Self::Rehearsal => "rehearsal",
        }
    }
}

/// The newest backup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it all")]
pub struct BackupMade {
    pub at: Timestamp,
    pub bytes: u64,
}

/// How the backups do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BackupState {
    /// Where they go, as the configuration says.
    pub folder: String,
    /// How long it is from one to the next.
    pub every: Duration,
    /// How many there are.
    pub count: usize,
    /// The newest.
    pub last: Option<BackupMade>,
    /// When one was last restored and compared, and when that one was taken.
    pub rehearsed: Option<(Timestamp, Timestamp)>,
    /// Why the last thing that was tried failed.
    pub problem: Option<String>,
    /// What is under way.
    pub under_way: Option<BackupAsked>,
}

/// The desk: screens ask on one side, the shell does it on the other.
#[derive(Clone, Debug)]
pub struct BackupDesk(Arc<Desk>);

#[derive(Debug)]
struct Desk {
    asks: mpsc::Sender<BackupAsked>,
    taken_from: Mutex<Option<mpsc::Receiver<BackupAsked>>>,
    state: Mutex<Option<BackupState>>,
}

/// What became of asking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Begun {
    Yes,
    /// Something is under way already.
    Busy,
    /// No folder is configured.
    Nowhere,
}

impl Default for BackupDesk {
    fn default() -> Self {
        // One waits at most: whoever asks during a backup is told that one is under way.
        let (asks, taken_from) = mpsc::channel(1);
        let (taken_from, state) = (Mutex::new(Some(taken_from)), Mutex::new(None));
        Self(Arc::new(Desk { asks, taken_from, state }))
    }
}

impl BackupDesk {
    /// What is asked for, for the first who takes it; a second one gets nothing.
    pub fn asks(&self) -> mpsc::Receiver<BackupAsked> {
        let taken = self.0.taken_from.lock().unwrap_or_else(PoisonError::into_inner).take();
        taken.unwrap_or_else(|| mpsc::channel(1).1)
    }

    /// Says how the backups do.
    pub fn show(&self, state: BackupState) {
        *self.0.state.lock().unwrap_or_else(PoisonError::into_inner) = Some(state);
    }

    /// How the backups do; `None` if no folder is configured.
    pub fn state(&self) -> Option<BackupState> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Asks for something.
    pub(crate) fn ask(&self, asked: BackupAsked) -> Begun {
        let mut state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *state {
            None => Begun::Nowhere,
            Some(state) if state.under_way.is_some() => Begun::Busy,
            Some(state) => match self.0.asks.try_send(asked) {
                Ok(()) => {
                    state.under_way = Some(asked);
                    Begun::Yes
                }
                Err(_) => Begun::Busy,
            },
        }
    }
}

#[test]
fn one_thing_is_under_way_at_a_time_and_without_a_folder_nothing() {
    let desk = BackupDesk::default();
    let mut asks = desk.asks();
    assert_eq!(desk.ask(BackupAsked::Backup), Begun::Nowhere);
    desk.show(BackupState::default());
    assert_eq!(desk.ask(BackupAsked::Backup), Begun::Yes);
    assert_eq!(desk.ask(BackupAsked::Rehearsal), Begun::Busy);
    assert_eq!(asks.try_recv(), Ok(BackupAsked::Backup));
    desk.show(BackupState { count: 1, ..BackupState::default() });
    assert_eq!(desk.ask(BackupAsked::Rehearsal), Begun::Yes);
    assert_eq!(desk.state().and_then(|it| it.under_way), Some(BackupAsked::Rehearsal));
}
