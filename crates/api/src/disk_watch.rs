//! Watches the room on the disk: raises the alarm about it, makes it more urgent, and ends it.
//!
//! What stands is a fact of the journal, so that a restart goes on with it. One that cannot be
//! recorded is tried again at the next look; until then «not recording» says the same, louder.

use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use model::OrgId;
use record::{Actor, DiskLevel, DiskNote, Wish};
use store::DiskUse;
use tokio::time::{MissedTickBehavior, interval};

use crate::{Api, limits::DISK_LOOK_EVERY, problem::Problem};

/// What the watch saw last; a reader never waits for a disk that hangs.
#[derive(Debug)]
pub(crate) struct LastLook(Mutex<Option<DiskUse>>);

impl LastLook {
    pub(crate) fn at(data: &Path) -> Self {
        Self(Mutex::new(DiskUse::around(data).ok()))
    }

    pub(crate) fn seen(&self) -> Option<DiskUse> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn show(&self, room: Option<DiskUse>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = room;
    }
}

// RC-057
/// Looks at once and then every few seconds, until [`Api::stop`].
pub async fn keep_disk_watch(api: Arc<Api>, org: OrgId) {
    let mut every = interval(DISK_LOOK_EVERY);
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut stop = api.stopping();
    loop {
        tokio::select! {
            _ = every.tick() => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
        if let Err(problem) = look(&api, org).await {
            tracing::warn!(why = %problem.for_caller, "disk_alarm_not_recorded");
        }
    }
}

async fn look(api: &Api, org: OrgId) -> Result<(), Problem> {
    let data = api.data.clone();
    let room = tokio::task::spawn_blocking(move || DiskUse::around(&data)).await;
    let room = room.map_err(Problem::fault)?;
    api.disk.show(room.as_ref().ok().copied());
    let was = api.engine.directory().disk.level();
    match room.map_err(Problem::fault)?.comes_from(was) {
        Some(note) => note_level(api, org, note).await,
        None => Ok(()),
    }
}

async fn note_level(api: &Api, org: OrgId, note: DiskNote) -> Result<(), Problem> {
    let DiskNote { used_percent, free_bytes, .. } = note;
    match note.level {
        DiskLevel::Roomy => tracing::info!(used_percent, free_bytes, "disk_has_room_again"),
        DiskLevel::NearlyFull => tracing::warn!(used_percent, free_bytes, "disk_nearly_full"),
        DiskLevel::AlmostFull => tracing::error!(used_percent, free_bytes, "disk_almost_full"),
    }
    api.ask_as(Actor::System, org, org.into(), Wish::NoteDisk(note)).await.map(drop)
}
