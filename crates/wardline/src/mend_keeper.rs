//! Makes damaged chunks of a running server's series again, behind everything else: whenever one
//! is met, and after a look at all of them each day.

use std::{collections::BTreeMap, io, thread, time::Duration};

use engine::{EngineHandle, MendError, Remake, Setup};
use protocols::profile::Profile;
use store::{
    Clock, DamageState, DamagedChunk, DatabaseError, Journal, LogOffset, ReadError, Series,
};
use tokio::task::JoinHandle;

/// How soon one that could not be tried is tried again, and twice as late each time up to the most.
const AGAIN_AFTER: Duration = Duration::from_secs(60);
const AGAIN_AFTER_MAX: Duration = Duration::from_secs(3_600);
/// All chunks are looked at so long after a start, and each so long after the one before.
const FIRST_LOOK_AFTER: Duration = Duration::from_secs(3_600);
const LOOK_EVERY: Duration = Duration::from_secs(86_400);
/// It rests so many times as long as a piece of its work took.
const RESTS: u32 = 4;

/// What the keeper works with.
#[derive(Clone)]
pub(crate) struct MendKeeper {
    pub(crate) clock: Clock,
    pub(crate) journal: Journal,
    pub(crate) series: Series,
    pub(crate) engine: EngineHandle,
    pub(crate) profiles: BTreeMap<String, Profile>,
}

/// Why a round was cut short; the next one goes on.
#[derive(Debug, thiserror::Error)]
enum RoundError {
    #[error("what is damaged cannot be noted")]
    Series(#[source] DatabaseError),
    #[error("the journal's segments cannot be listed")]
    Segments(#[source] io::Error),
}

impl MendKeeper {
    /// Goes on in the background.
    pub(crate) fn start(self) -> JoinHandle<()> {
        tokio::spawn(self.keep())
    }

    async fn keep(self) {
        let mut met = self.series.damage_met();
        let mut looks_at = self.clock.elapsed().saturating_add(FIRST_LOOK_AFTER);
        // What an earlier program gave up is tried once more by each start.
        let mut tries = Tries::All;
        let mut again_after = AGAIN_AFTER;
        loop {
            met.borrow_and_update();
            let is_look = self.clock.elapsed() >= looks_at;
            let work = self.clone();
            let round = tokio::task::spawn_blocking(move || work.round(is_look, tries)).await;
            if is_look {
                looks_at = self.clock.elapsed().saturating_add(LOOK_EVERY);
            }
            let is_done = match round {
                Ok(Ok(waiting)) => {
                    tries = Tries::Waiting;
                    waiting == 0
                }
                Ok(Err(error)) => {
                    tracing::error!(error = &error as &dyn std::error::Error, "damage_not_mended");
                    false
                }
                Err(error) => {
                    tracing::error!(%error, "damage_not_mended");
                    false
                }
            };
            again_after = next_pause(again_after, is_done);
            // Whatever changed while it worked counts at once.
            let _ = tokio::time::timeout(again_after, met.changed()).await;
        }
    }

    /// Notes what was met, and mends it; blocks while it reads and writes. Says how many chunks
    /// could not be tried.
    fn round(&self, is_look: bool, tries: Tries) -> Result<usize, RoundError> {
        let mut begun = self.clock.elapsed();
        let mut rest = || {
            let took = self.clock.elapsed().saturating_sub(begun);
            thread::sleep(took.saturating_mul(RESTS));
            begun = self.clock.elapsed();
        };
        let dropped = self.series.drop_damaged_notes().map_err(RoundError::Series)?;
        if dropped > 0 {
            tracing::error!(notes = dropped, "notes_of_damage_damaged");
        }
        // What a dropped note told of is found by nothing else, if its row is gone.
        if is_look || dropped > 0 {
            self.series.look_for_damage(self.clock.now(), &mut rest).map_err(RoundError::Series)?;
        }
        let found = self.series.note_damage(self.clock.now()).map_err(RoundError::Series)?;
        if found > 0 {
            tracing::error!(chunks = found, "stored_values_damaged");
        }
        let mut chunks = self.series.damage().map_err(RoundError::Series)?;
        chunks.retain(|chunk| tries.has(chunk.state));
        if chunks.is_empty() {
            return Ok(0);
        }
        let segments = self.journal.segments().map_err(RoundError::Segments)?;
        let starts: Vec<LogOffset> = segments.iter().map(|it| it.start).collect();
        let read = |from: LogOffset, to: LogOffset| -> Result<engine::Reading, ReadError> {
            Ok(Box::new(self.journal.replay_between(from, to)))
        };
        let directory = self.engine.directory();
        let setup = Setup { profiles: self.profiles.clone(), cut: None };
        let remake = Remake { starts: &starts, read: &read, directory: &directory, setup: &setup };
        let now = || self.clock.now();
        Ok(remake.each(&self.series, &chunks, &now, &mut rest, &mut tell))
    }
}

/// After a round in which something could not be done, a longer one than before.
fn next_pause(before: Duration, is_done: bool) -> Duration {
    if is_done { AGAIN_AFTER } else { before.saturating_mul(2).min(AGAIN_AFTER_MAX) }
}

/// Which notes are tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tries {
    /// All that are not mended.
    All,
    /// Those that were not tried yet.
    Waiting,
}

impl Tries {
    fn has(self, state: DamageState) -> bool {
        match state {
            DamageState::Waits => true,
            DamageState::Mended => false,
            DamageState::Gone | DamageState::Differs => self == Self::All,
        }
    }
}

fn tell(chunk: &DamagedChunk, came: &Result<Option<DamageState>, MendError>) {
    let (device, from_ms) = (chunk.key.device, chunk.span.from.unix_millis());
    match came {
        Ok(Some(DamageState::Mended)) => tracing::info!(%device, from_ms, "chunk_made_again"),
        Ok(Some(DamageState::Waits)) => tracing::info!(%device, from_ms, "chunk_waits"),
        Ok(Some(state)) => tracing::error!(%device, from_ms, ?state, "chunk_not_made_again"),
        Ok(None) => {}
        Err(error) => {
            let error = error as &dyn std::error::Error;
            tracing::error!(%device, from_ms, error, "chunk_not_made_again");
        }
    }
}

#[test]
fn pauses_grow_while_something_cannot_be_done_and_end_with_it() {
    let mut pause = AGAIN_AFTER;
    for _ in 0..20 {
        let longer = next_pause(pause, false);
        assert!(longer > pause || longer == AGAIN_AFTER_MAX, "{pause:?}");
        pause = longer;
    }
    assert_eq!((pause, next_pause(pause, true)), (AGAIN_AFTER_MAX, AGAIN_AFTER));
}
