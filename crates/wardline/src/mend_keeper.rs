//! Makes damaged chunks of a running server's series again, behind everything else: whenever one
//! is met, and after a look at all of them each day.

use std::{collections::BTreeMap, io, thread, time::Duration};

use engine::{EngineHandle, MendError, Remake, Setup};
use protocols::profile::Profile;
use store::{
    Clock, DamageState, DamagedChunk, DatabaseError, Journal, LogOffset, ReadError, Series,
};
use tokio::task::JoinHandle;

/// How soon one that could not be tried is tried again.
const AGAIN_AFTER: Duration = Duration::from_secs(60);
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
    #[error(transparent)]
    Mend(MendError),
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
        loop {
            met.borrow_and_update();
            let is_look = self.clock.elapsed() >= looks_at;
            let work = self.clone();
            let round = tokio::task::spawn_blocking(move || work.round(is_look, tries)).await;
            if is_look {
                looks_at = self.clock.elapsed().saturating_add(LOOK_EVERY);
            }
            match round {
                Ok(Ok(())) => tries = Tries::Waiting,
                Ok(Err(error)) => {
                    tracing::error!(error = &error as &dyn std::error::Error, "damage_not_mended");
                }
                Err(error) => tracing::error!(%error, "damage_not_mended"),
            }
            // Whatever changed while it worked counts at once.
            let _ = tokio::time::timeout(AGAIN_AFTER, met.changed()).await;
        }
    }

    /// Notes what was met, and mends it; blocks while it reads and writes.
    fn round(&self, is_look: bool, tries: Tries) -> Result<(), RoundError> {
        let mut begun = self.clock.elapsed();
        let mut rest = || {
            let took = self.clock.elapsed().saturating_sub(begun);
            thread::sleep(took.saturating_mul(RESTS));
            begun = self.clock.elapsed();
        };
        if is_look {
            self.series.look_for_damage(self.clock.now(), &mut rest).map_err(RoundError::Series)?;
        }
        let found = self.series.note_damage(self.clock.now()).map_err(RoundError::Series)?;
        if found > 0 {
            tracing::error!(chunks = found, "stored_values_damaged");
        }
        let mut chunks = self.series.damage().map_err(RoundError::Series)?;
        chunks.retain(|chunk| tries.has(chunk.state));
        if chunks.is_empty() {
            return Ok(());
        }
        let segments = self.journal.segments().map_err(RoundError::Segments)?;
        let starts: Vec<LogOffset> = segments.iter().map(|it| it.start).collect();
        let read = |from: LogOffset, to: LogOffset| -> Result<engine::Reading, ReadError> {
            Ok(Box::new(self.journal.replay_between(from, to)))
        };
        let directory = self.engine.directory();
        let setup = Setup { profiles: self.profiles.clone(), cut: None };
        let remake = Remake { starts: &starts, read: &read, directory: &directory, setup: &setup };
        for chunk in chunks {
            let now = self.clock.now();
            let came = remake.chunk(&self.series, &chunk, now, &mut rest);
            tell(&chunk, came.map_err(RoundError::Mend)?);
            rest();
        }
        Ok(())
    }
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

fn tell(chunk: &DamagedChunk, came: Option<DamageState>) {
    let (device, from_ms) = (chunk.key.device, chunk.span.from.unix_millis());
    match came {
        Some(DamageState::Mended) => tracing::info!(%device, from_ms, "chunk_made_again"),
        Some(state) => tracing::error!(%device, from_ms, ?state, "chunk_not_made_again"),
        None => {}
    }
}
