//! Backups: a folder of sealed objects, each named by its content, and one manifest for each
//! moment that can be restored.
//!
//! Files are cut into blocks. A block that is there already is not written again, so that
//! only what is new since the last backup costs room and time. A manifest is written last
//! and durably: a backup that was cut short is none, and the next one uses what it wrote.
//!
//! **Absent on purpose:** deleting. Nothing here removes a backup or an object.

mod cut;
mod manifest;
mod restore;
mod take;
#[cfg(test)]
mod tests;

use std::{
    fs::{self, File},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use model::Timestamp;
use security::{BackupKey, ObjectName, SEALING_LEN, SealingError};

pub use manifest::{Kept, Manifest};
pub use restore::{Rehearsed, Restored};
pub use take::{Source, Taken};

use crate::{
    DataDir, DataDirError, DatabaseError, DiskUse, OpenError,
    data_dir::sync_dir,
    derived::ScratchError,
    limits::{BACKUP_RESERVE_LEN, MANIFEST_LEN_MAX},
    verify::VerifyError,
};

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
    #[error("there is no backup in {}", path.display())]
    None { path: PathBuf },
    #[error("{} places are missing, damaged or cannot be read; nothing was changed", problems.len())]
    Damaged { problems: Vec<String> },
    #[error("{} is there and not empty; restore to a new place", path.display())]
    NotEmpty { path: PathBuf },
    #[error("{needed} bytes have to be free at {}, {reserve} of them for what comes in meanwhile, and {free} are; make room on that disk or use a larger one", path.display())]
    NoRoom { path: PathBuf, needed: u64, reserve: u64, free: u64 },
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

/// A folder of backups, and its key.
#[derive(Debug)]
pub struct BackupFolder {
    root: PathBuf,
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

    fn parse(file: &str) -> Option<Self> {
        let (millis, name) = file.strip_suffix(".backup")?.split_once('-')?;
        let at = Timestamp::from_unix_millis(millis.parse().ok()?);
        Some(Self { at, name: ObjectName::parse(name)? })
    }
}

impl BackupFolder {
    /// Opens a folder, or makes it; one that was written with another key is refused.
    pub fn open(root: &Path, key: BackupKey) -> Result<Self, BackupError> {
        make_folder(root)?;
        let (path, given) = (root.join(KEY_FILE), key.id());
        match fs::read_to_string(&path) {
            Ok(found) if found.trim() == given => {}
            Ok(found) => {
                let found = found.trim().chars().take(40).collect();
                return Err(BackupError::OtherKey { path: root.to_owned(), found, given });
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                // A first opening that was cut short leaves half of the key's name.
                let half = std::ffi::OsStr::new("KEY.unfinished");
                for entry in fs::read_dir(root).map_err(io_at(root))? {
                    if entry.map_err(io_at(root))?.file_name() != half {
                        return Err(BackupError::Foreign { path: root.to_owned() });
                    }
                }
                write_whole(&path, format!("{given}\n").as_bytes())?;
            }
            Err(error) => return Err(io_at(&path)(error)),
        }
        for folder in ["objects", "backups"] {
            make_folder(&root.join(folder))?;
        }
        sync_dir(root).map_err(io_at(root))?;
        Ok(Self { root: root.to_owned(), key, reserve: BACKUP_RESERVE_LEN })
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
        let folder = self.root.join("backups");
        let mut found = Vec::new();
        for entry in fs::read_dir(&folder).map_err(io_at(&folder))? {
            let name = entry.map_err(io_at(&folder))?.file_name();
            found.extend(name.to_str().and_then(Listed::parse));
        }
        found.sort();
        Ok(found)
    }

    /// What the newest backup holds; `None` if there is none.
    pub fn newest(&self) -> Result<Option<Manifest>, BackupError> {
        self.list()?.last().map(|listed| self.manifest(listed)).transpose()
    }

    /// What a backup holds.
    pub fn manifest(&self, listed: &Listed) -> Result<Manifest, BackupError> {
        let broken = |what: String| BackupError::Manifest { at: listed.at, what };
        let path = self.root.join("backups").join(listed.file());
        let len = fs::metadata(&path).map_err(io_at(&path))?.len();
        if len > MANIFEST_LEN_MAX {
            return Err(broken(format!("it has {len} bytes")));
        }
        let sealed = fs::read(&path).map_err(io_at(&path))?;
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

    /// Makes the names of all objects survive a crash, also of those from a backup that was cut short.
    fn sync_objects(&self) -> Result<(), BackupError> {
        let objects = self.root.join("objects");
        for shelf in fs::read_dir(&objects).map_err(io_at(&objects))? {
            let shelf = shelf.map_err(io_at(&objects))?.path();
            sync_dir(&shelf).map_err(io_at(&shelf))?;
        }
        sync_dir(&objects).map_err(io_at(&objects))
    }

    /// Writes the manifest, which makes the backup one.
    fn put_manifest(&self, manifest: &Manifest) -> Result<(), BackupError> {
        self.sync_objects()?;
        let content = manifest.write();
        let name = self.key.name_of(&content);
        let sealed = self.key.seal(name, &content).map_err(BackupError::Sealing)?;
        let listed = Listed { at: manifest.taken_at(), name };
        let folder = self.root.join("backups");
        write_whole(&folder.join(listed.file()), &sealed)?;
        sync_dir(&folder).map_err(io_at(&folder))
    }

    fn object(&self, name: ObjectName) -> PathBuf {
        let text = name.text();
        let shelf = text.get(..2).unwrap_or_default();
        self.root.join("objects").join(shelf).join(&text)
    }

    /// Puts a block in; says its name, and whether it was new.
    fn put(&self, block: &[u8]) -> Result<(ObjectName, bool), BackupError> {
        let name = self.key.name_of(block);
        let path = self.object(name);
        let len = u64::try_from(block.len()).unwrap_or(u64::MAX).saturating_add(SEALING_LEN);
        if fs::metadata(&path).is_ok_and(|found| found.len() == len) {
            return Ok((name, false));
        }
        if let Some(shelf) = path.parent() {
            make_folder(shelf)?;
        }
        write_whole(&path, &self.key.seal(name, block).map_err(BackupError::Sealing)?)?;
        Ok((name, true))
    }

    /// Reads a block and makes sure that it is the one that was put in.
    fn get(&self, name: ObjectName) -> Result<Vec<u8>, Lost> {
        match fs::read(self.object(name)) {
            Ok(sealed) => self.key.open(name, &sealed).map_err(Lost::Damaged),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(Lost::Missing),
            Err(error) => Err(Lost::Unread(error)),
        }
    }

    /// When a rehearsal last went well, and for the backup of when.
    pub fn last_rehearsal(&self) -> Option<(Timestamp, Timestamp)> {
        let text = fs::read_to_string(self.root.join(REHEARSAL_FILE)).ok()?;
        let mut millis =
            text.split_whitespace().map(|it| it.parse().map(Timestamp::from_unix_millis));
        Some((millis.next()?.ok()?, millis.next()?.ok()?))
    }

    /// Remembers that a backup was restored and compared.
    fn note_rehearsal(&self, at: Timestamp, of: Timestamp) -> Result<(), BackupError> {
        let text = format!("{} {}\n", at.unix_millis(), of.unix_millis());
        write_whole(&self.root.join(REHEARSAL_FILE), text.as_bytes())
    }
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
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(io_at(path))
}

/// Writes a file that is there with all of its bytes or not at all.
fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), BackupError> {
    let unfinished = path.with_extension("unfinished");
    let write = || {
        let mut options = File::options();
        options.write(true).create(true).truncate(true).mode(0o600);
        let mut file = options.open(&unfinished)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&unfinished, path)
    };
    write().map_err(io_at(path))
}
