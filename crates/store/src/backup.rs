//! Backups: a place of sealed objects, each named by its content, and one manifest for each
//! moment that can be restored.
//!
//! Files are cut into blocks. A block that is there already is not written again, so that
//! only what is new since the last backup costs room and time. A manifest is written last
//! and durably: a backup that was cut short is none, and the next one uses what it wrote.

mod cut;
mod manifest;
mod place;
mod prune;
#[cfg(test)]
mod prune_tests;
mod restore;
mod standby;
#[cfg(test)]
mod standby_tests;
mod take;
#[cfg(test)]
mod tests;
mod work_note;

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use model::Timestamp;
use security::{BackupKey, ObjectName, SEALING_LEN, SealingError};

pub use manifest::{Kept, Manifest};
pub use place::{BackupPlace, FolderPlace, Stored};
pub use prune::{Keep, Pruned};
pub use restore::{Rehearsed, Restored};
pub use standby::{Promoted, Shipped, Standby};
pub use take::{Source, Taken};
pub use work_note::Work;

use crate::{
    DataDir, DataDirError, DatabaseError, DiskUse, Lack, OpenError,
    derived::ScratchError,
    limits::{BACKUP_AHEAD_MAX, BACKUP_BLOCK_LEN, BACKUP_RESERVE_LEN, MANIFEST_LEN_MAX},
    verify::VerifyError,
};

/// Where the manifests are.
const BACKUPS: &str = "backups";
/// Where the sealed blocks are.
const OBJECTS: &str = "objects";
/// The most bytes of a sealed block.
const OBJECT_LEN_MAX: u64 = BACKUP_BLOCK_LEN as u64 + SEALING_LEN;
/// The most bytes of a short text of ours.
const NOTE_LEN_MAX: u64 = 4_096;
/// The file that says with which key a folder is written.
const KEY_FILE: &str = "KEY";
/// The file that says how the newest rehearsal went.
const REHEARSAL_FILE: &str = "REHEARSAL";

/// Why a backup was not made, found, or restored.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages name every field")]
pub enum BackupError {
    #[error("{} cannot be read or written", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("{} was written with the key {found}, and this one is {given}; use the key of the folder", path.display())]
    OtherKey { path: PathBuf, found: String, given: String },
    #[error("{} is no backup folder and is not empty; choose another one", path.display())]
    Foreign { path: PathBuf },
    #[error("an object could not be sealed")]
    Sealing(#[source] SealingError),
    #[error("the backup of {} ms since 1970 cannot be read: {what}", at.unix_millis())]
    Manifest { at: Timestamp, what: String },
    #[error("the backup of {} ms since 1970 is not whole, use another one: {lack}", at.unix_millis())]
    NotWhole { at: Timestamp, lack: Lack },
    #[error("there is no backup in {}", path.display())]
    None { path: PathBuf },
    #[error("{} places are missing, damaged or cannot be read; nothing was changed", problems.len())]
    Damaged { problems: Vec<String> },
    #[error("{} is there and not empty; restore to a new place", path.display())]
    NotEmpty { path: PathBuf },
    #[error("{needed} bytes have to be free at {}, {reserve} of them for what comes in meanwhile, and {free} are; make room on that disk or use a larger one", path.display())]
    NoRoom { path: PathBuf, needed: u64, reserve: u64, free: u64 },
    #[error("{} is in use: {work}", path.display())]
    Busy { path: PathBuf, work: Work },
    #[error("{} went on without this program, which was believed to be dead; look after the clocks, and try again", path.display())]
    Forgotten { path: PathBuf },
    #[error("{} is not the place of backups that was opened; look whether its disk is mounted", path.display())]
    Gone { path: PathBuf },
    #[error("what the standby {} holds cannot be told: {what}; begin anew in another directory", path.display())]
    Standby { path: PathBuf, what: String },
    #[error("the newest backup in {} is dated {} ms since 1970, later than it is here: put the clock right, or delete by hand what is dated later than now below `backups/`, and then take one", path.display(), at.unix_millis())]
    Ahead { path: PathBuf, at: Timestamp },
    #[error("no backup reaches back to {} ms since 1970: {what}", at.unix_millis())]
    NotKept { at: Timestamp, what: &'static str },
    #[error("the journal cannot be opened")]
    Journal(#[source] OpenError),
    #[error("a database cannot be copied")]
    Database(#[source] DatabaseError),
    #[error("there is no place for a copy of the databases")]
    Scratch(#[source] ScratchError),
    #[error("what was restored cannot be opened")]
    Restored(#[source] DataDirError),
    #[error("what was restored cannot be read")]
    Verify(#[source] VerifyError),
}

fn io_at(path: &Path) -> impl Fn(io::Error) -> BackupError + '_ {
    |source| BackupError::Io { path: path.to_owned(), source }
}

/// A folder of backups, or another place for them, and its key.
#[derive(Debug)]
pub struct BackupFolder {
    place: Box<dyn BackupPlace>,
    key: BackupKey,
    /// Bytes that stay free on a disk that is written to.
    reserve: u64,
}

/// Why a block cannot be had.
#[derive(Debug, thiserror::Error)]
enum Lost {
    #[error("the object is missing")]
    Missing,
    /// This says nothing about the object: the next reading may succeed.
    #[error("the object cannot be read now: {0}")]
    Unread(#[source] io::Error),
    #[error(transparent)]
    Damaged(SealingError),
    #[error("the manifest has no name for it")]
    Nameless,
}

/// One backup of a folder, by its file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Listed {
    /// When it was taken.
    pub at: Timestamp,
    name: ObjectName,
}

impl Listed {
    fn file(&self) -> String {
        format!("{:015}-{}.backup", self.at.unix_millis(), self.name.text())
    }

    /// Where its manifest is.
    fn place(&self) -> String {
        format!("{BACKUPS}/{}", self.file())
    }

    fn parse(file: &str) -> Option<Self> {
        let (millis, name) = file.strip_suffix(".backup")?.split_once('-')?;
        let at = Timestamp::from_unix_millis(millis.parse().ok()?);
        Some(Self { at, name: ObjectName::parse(name)? })
    }
}

impl BackupFolder {
    /// Opens a folder, or makes it; one that was written with another key is refused.
    pub fn open(root: &Path, key: BackupKey) -> Result<Self, BackupError> {
        Self::open_at(Box::new(FolderPlace::open(root).map_err(io_at(root))?), key)
    }

    /// Opens a place; one that was written with another key, or for something else, is refused.
    pub fn open_at(place: Box<dyn BackupPlace>, key: BackupKey) -> Result<Self, BackupError> {
        let this = Self { place, key, reserve: BACKUP_RESERVE_LEN };
        let (path, given) = (this.place.address(), this.key.id());
        match this.place.get(KEY_FILE, NOTE_LEN_MAX) {
            Ok(found) if found.trim_ascii() == given.as_bytes() => {}
            Ok(found) => {
                let found = String::from_utf8_lossy(&found).trim().chars().take(40).collect();
                return Err(BackupError::OtherKey { path, found, given });
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                if !this.place.is_unused().map_err(io_at(&path))? {
                    return Err(BackupError::Foreign { path });
                }
                this.put_note(KEY_FILE, &format!("{given}\n"))?;
                this.settle(BACKUPS)?;
            }
            Err(error) => return Err(this.io_of(KEY_FILE)(error)),
        }
        Ok(this)
    }

    /// Makes sure that this is still the place that was opened. Where a disk was unmounted there
    /// is an empty folder of another disk, and a backup there would look like a good one.
    fn is_still_there(&self) -> Result<(), BackupError> {
        let gone = || BackupError::Gone { path: self.place.address() };
        match self.place.get(KEY_FILE, NOTE_LEN_MAX) {
            Ok(found) if found.trim_ascii() == self.key.id().as_bytes() => Ok(()),
            Ok(_) => Err(gone()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(gone()),
            Err(error) => Err(self.io_of(KEY_FILE)(error)),
        }
    }

    /// Says which thing of the place an error is about.
    fn io_of(&self, name: &str) -> impl Fn(io::Error) -> BackupError + use<> {
        let path = self.place.address().join(name);
        move |source| BackupError::Io { path: path.clone(), source }
    }

    fn settle(&self, part: &str) -> Result<(), BackupError> {
        self.place.settle(part).map_err(self.io_of(part))
    }

    /// Refuses to fill a disk: so many bytes and the reserve have to be free at `place`.
    fn make_sure_of_room(&self, place: &Path, bytes: u64) -> Result<(), BackupError> {
        let free = DiskUse::of(place).map_err(io_at(place))?.free_bytes;
        let (reserve, needed) = (self.reserve, bytes.saturating_add(self.reserve));
        if free < needed {
            return Err(BackupError::NoRoom { path: place.to_owned(), needed, reserve, free });
        }
        Ok(())
    }

    /// All backups, the oldest first.
    pub fn list(&self) -> Result<Vec<Listed>, BackupError> {
        let stored = self.place.list(BACKUPS).map_err(self.io_of(BACKUPS))?;
        let mut found: Vec<_> = stored
            .iter()
            .filter_map(|it| Listed::parse(it.name.strip_prefix(BACKUPS)?.strip_prefix('/')?))
            .collect();
        found.sort();
        Ok(found)
    }

    /// By what time a backup goes that is taken now. The newest is told by its time, so a clock
    /// that was ahead may not leave an older one the newest.
    fn dated(&self, now: Timestamp) -> Result<Timestamp, BackupError> {
        let next = self.list()?.last().map(|it| it.at.after(Duration::from_millis(1)));
        Ok(next.map_or(now, |next| now.max(next)))
    }

    /// Whether a backup was dated by a clock that was ahead of this one: then its time does not
    /// say how old it is.
    pub fn is_ahead(taken_at: Timestamp, now: Timestamp) -> bool {
        taken_at > now.after(BACKUP_AHEAD_MAX)
    }

    /// An error if the newest of these is dated later than it is.
    pub fn make_sure_of_dates(&self, listed: &[Listed], now: Timestamp) -> Result<(), BackupError> {
        match listed.iter().map(|it| it.at).max().filter(|at| Self::is_ahead(*at, now)) {
            Some(at) => Err(BackupError::Ahead { path: self.place.address(), at }),
            None => Ok(()),
        }
    }

    /// What the newest backup holds; `None` if there is none.
    pub fn newest(&self) -> Result<Option<Manifest>, BackupError> {
        self.list()?.last().map(|listed| self.manifest(listed)).transpose()
    }

    /// What a backup holds.
    pub fn manifest(&self, listed: &Listed) -> Result<Manifest, BackupError> {
        let broken = |what: String| BackupError::Manifest { at: listed.at, what };
        let name = listed.place();
        let sealed = match self.place.get(&name, MANIFEST_LEN_MAX) {
            Err(error) if error.kind() == io::ErrorKind::FileTooLarge => {
                return Err(broken(error.to_string()));
            }
            sealed => sealed.map_err(self.io_of(&name))?,
        };
        let content = self.key.open(listed.name, &sealed);
        let content = content.map_err(|error| broken(error.to_string()))?;
        let manifest = Manifest::read(&content).map_err(broken)?;
        // Which backup serves a moment follows from the files' names, which are not sealed.
        let said = manifest.taken_at();
        if said != listed.at {
            let said = said.unix_millis();
            return Err(broken(format!("it was taken at {said} ms, and its file was renamed")));
        }
        Ok(manifest)
    }

    /// Writes the manifest, which makes the backup one.
    fn put_manifest(&self, manifest: &Manifest) -> Result<Listed, BackupError> {
        // Also the objects of a backup that was cut short.
        self.settle(OBJECTS)?;
        let content = manifest.write();
        let name = self.key.name_of(&content);
        let sealed = self.key.seal(name, &content).map_err(BackupError::Sealing)?;
        let listed = Listed { at: manifest.taken_at(), name };
        let name = listed.place();
        self.place.put(&name, &sealed).map_err(self.io_of(&name))?;
        self.settle(BACKUPS)?;
        Ok(listed)
    }

    /// Every object that is there, with its length in bytes.
    fn objects(&self) -> Result<BTreeMap<ObjectName, u64>, BackupError> {
        let stored = self.place.list(OBJECTS).map_err(self.io_of(OBJECTS))?;
        Ok(objects_of(&stored))
    }

    /// Puts a block in, if it is not among the objects that are there; says its name, and
    /// whether it was new.
    fn put(
        &self,
        block: &[u8],
        there: &mut BTreeMap<ObjectName, u64>,
    ) -> Result<(ObjectName, bool), BackupError> {
        let name = self.key.name_of(block);
        let len = u64::try_from(block.len()).unwrap_or(u64::MAX).saturating_add(SEALING_LEN);
        if there.get(&name) == Some(&len) {
            return Ok((name, false));
        }
        let object = object(name);
        let sealed = self.key.seal(name, block).map_err(BackupError::Sealing)?;
        self.place.put(&object, &sealed).map_err(self.io_of(&object))?;
        there.insert(name, len);
        Ok((name, true))
    }

    /// Reads a block and makes sure that it is the one that was put in.
    fn get(&self, name: ObjectName) -> Result<Vec<u8>, Lost> {
        match self.place.get(&object(name), OBJECT_LEN_MAX) {
            Ok(sealed) => self.key.open(name, &sealed).map_err(Lost::Damaged),
            Err(error) => Err(match error.kind() {
                io::ErrorKind::NotFound => Lost::Missing,
                io::ErrorKind::FileTooLarge => Lost::Damaged(SealingError::Damaged),
                _ => Lost::Unread(error),
            }),
        }
    }

    /// When a rehearsal last went well, and for the backup of when.
    pub fn last_rehearsal(&self) -> Option<(Timestamp, Timestamp)> {
        self.rehearsal().ok().flatten()
    }

    /// The same; an error if that cannot be known.
    fn rehearsal(&self) -> Result<Option<(Timestamp, Timestamp)>, BackupError> {
        let text = match self.place.get(REHEARSAL_FILE, NOTE_LEN_MAX) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            text => text.map_err(self.io_of(REHEARSAL_FILE))?,
        };
        let text = String::from_utf8_lossy(&text);
        let mut millis =
            text.split_whitespace().map(|it| it.parse().map(Timestamp::from_unix_millis));
        Ok(match (millis.next(), millis.next()) {
            (Some(Ok(at)), Some(Ok(of))) => Some((at, of)),
            _ => None,
        })
    }

    /// Remembers that a backup was restored and compared.
    fn note_rehearsal(&self, at: Timestamp, of: Timestamp) -> Result<(), BackupError> {
        self.put_note(REHEARSAL_FILE, &format!("{} {}\n", at.unix_millis(), of.unix_millis()))
    }

    fn put_note(&self, name: &str, text: &str) -> Result<(), BackupError> {
        self.place.put(name, text.as_bytes()).map_err(self.io_of(name))
    }
}

/// The objects among these, with their lengths in bytes.
fn objects_of(stored: &[Stored]) -> BTreeMap<ObjectName, u64> {
    let named = |it: &Stored| Some((ObjectName::parse(it.name.rsplit('/').next()?)?, it.len));
    stored.iter().filter_map(named).collect()
}

/// Where an object is.
fn object(name: ObjectName) -> String {
    let text = name.text();
    let shelf = text.get(..2).unwrap_or_default();
    format!("{OBJECTS}/{shelf}/{text}")
}

/// Removes what a backup or a rehearsal that was cut short left in a data directory, where it
/// would take room until the next one.
pub fn clear_leftovers(dir: &DataDir) -> Result<(), BackupError> {
    for name in [take::COPIES, restore::REHEARSAL, restore::REHEARSAL_BUILDING] {
        clear(&dir.path().join(name))?;
    }
    Ok(())
}

/// Removes a folder, if it is there.
fn clear(folder: &Path) -> Result<(), BackupError> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed.map_err(io_at(folder)),
    }
}

fn make_folder(path: &Path) -> Result<(), BackupError> {
    place::make_folder(path).map_err(io_at(path))
}
