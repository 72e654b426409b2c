//! Who works in a place: a backup takes objects for granted that thinning out would delete, so
//! each says first that it is there, and then looks for the other.
//!
//! No store that we know of can be relied on to lock. Whoever is later sees the earlier one, and
//! of two that begin at once both may go back, which costs another try and no object. A note of
//! one that was killed is removed after its time, by one that goes back as well: clocks of two
//! machines differ, and whoever is believed to be dead may live.

use std::{io, time::Duration};

use model::Timestamp;

use super::{BackupError, BackupFolder};

/// Where it is said who works.
const WORK: &str = "work";
/// A backup takes less than this; one that was killed is forgotten then.
const TAKING_FOR_MAX: Duration = Duration::from_secs(24 * 3_600);
/// Thinning out stops itself long before this; one that was killed is forgotten then.
const THINNING_FOR_MAX: Duration = Duration::from_secs(1_800);

/// What somebody does in a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// Takes a backup.
    Taking,
    /// Thins out old ones.
    Thinning,
}

impl Work {
    const ALL: [Self; 2] = [Self::Taking, Self::Thinning];

    const fn word(self) -> &'static str {
        match self {
            Self::Taking => "taking",
            Self::Thinning => "thinning",
        }
    }

    const fn lasts_at_most(self) -> Duration {
        match self {
            Self::Taking => TAKING_FOR_MAX,
            Self::Thinning => THINNING_FOR_MAX,
        }
    }

    /// Two backups write the same objects under the same names, and are in nobody's way.
    const fn bears(self, other: Self) -> bool {
        matches!((self, other), (Self::Taking, Self::Taking))
    }
}

impl std::fmt::Display for Work {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Taking => "a backup is being taken; one that was killed is forgotten after a day",
            Self::Thinning => {
                "old backups are being thinned out; that ends within ten minutes, and one that was killed is forgotten after thirty"
            }
        })
    }
}

/// Somebody works; it ends when this goes.
#[derive(Debug)]
pub(super) struct WorkNote<'a> {
    folder: &'a BackupFolder,
    name: String,
    stays: bool,
}

impl<'a> WorkNote<'a> {
    /// Says that `work` begins, unless somebody is there whom it would hurt. Whoever is believed
    /// to be dead is so from the next time on: one that lives looks for its note before each
    /// step that hurts, and has stopped by then.
    pub(super) fn begin(
        folder: &'a BackupFolder,
        work: Work,
        now: Timestamp,
    ) -> Result<Self, BackupError> {
        folder.is_still_there()?;
        let name = format!("{WORK}/{:020}-{}", now.unix_nanos(), work.word());
        folder.put_note(&name, work.word())?;
        let this = Self { folder, name, stays: false };
        let mut in_the_way = None;
        for stored in folder.place.list(WORK).map_err(folder.io_of(WORK))? {
            let Some((since, other)) = parse(&stored.name).filter(|_| stored.name != this.name)
            else {
                continue;
            };
            if work.bears(other) {
                continue;
            }
            // A clock that was years ahead may not keep everybody out for years.
            let apart = now.since(since).max(since.since(now));
            if apart > other.lasts_at_most() {
                folder.place.delete(&stored.name).map_err(folder.io_of(&stored.name))?;
            }
            in_the_way = Some(other);
        }
        match in_the_way {
            Some(work) => Err(BackupError::Busy { path: folder.place.address(), work }),
            None => Ok(this),
        }
    }

    /// Makes sure that nobody has taken it away meanwhile.
    pub(super) fn is_there(&self) -> Result<(), BackupError> {
        let (folder, name) = (self.folder, &self.name);
        match folder.place.get(name, super::NOTE_LEN_MAX) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(BackupError::Forgotten { path: folder.place.address() })
            }
            found => found.map(drop).map_err(folder.io_of(name)),
        }
    }

    /// Leaves the note: what went wrong may still be carried out, by a store or a disk that did
    /// not answer in time. It is forgotten after its time.
    pub(super) fn stay(mut self) {
        self.stays = true;
    }
}

impl Drop for WorkNote<'_> {
    fn drop(&mut self) {
        if !self.stays {
            // What cannot be deleted is forgotten after its time.
            let _ = self.folder.place.delete(&self.name);
        }
    }
}

impl BackupFolder {
    /// Whether somebody takes a backup, or was killed while taking one and is not forgotten yet.
    pub fn is_taken_now(&self, now: Timestamp) -> Result<bool, BackupError> {
        let notes = self.place.list(WORK).map_err(self.io_of(WORK))?;
        Ok(notes.iter().filter_map(|it| parse(&it.name)).any(|(since, work)| {
            let apart = now.since(since).max(since.since(now));
            work == Work::Taking && apart <= work.lasts_at_most()
        }))
    }
}

fn parse(name: &str) -> Option<(Timestamp, Work)> {
    let (nanos, word) = name.strip_prefix(WORK)?.strip_prefix('/')?.split_once('-')?;
    let work = Work::ALL.into_iter().find(|work| work.word() == word)?;
    Some((Timestamp::from_unix_nanos(nanos.parse().ok()?), work))
}
