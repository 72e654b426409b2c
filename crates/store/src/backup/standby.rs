//! A second site that follows: a directory that is kept as the newest backup has it, block by
//! block, and becomes a data directory when it is promoted.
//!
//! New blocks are fetched beside the directory first, and put in only when all are there with
//! the manifest that says where they belong. Until then nothing is changed, and from then on no
//! network is needed: whoever is stopped in the middle puts the same blocks in again.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File},
    io,
    os::unix::fs::{FileExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use model::Timestamp;
use security::{BackupKey, ObjectName};

use super::{
    BackupError, BackupFolder, Kept, Lost, Manifest, clear, io_at, make_folder,
    place::{BackupPlace as _, FolderPlace},
    restore::{begins_with, hash_of},
};
use crate::{
    DataDir, Lack, LogOffset,
    data_dir::{STANDBY, sync_dir, take_lock},
    limits::{BACKUP_BLOCK_LEN, MANIFEST_LEN_MAX},
    verify,
};

/// Where blocks wait until all are there.
const INCOMING: &str = "incoming";
/// Written last among them: what they make.
const INCOMING_MANIFEST: &str = "incoming/MANIFEST";
/// The file that makes a data directory one. A standby has it under another name.
const FORMAT: &str = "FORMAT";
const FORMAT_WAITING: &str = "FORMAT.standby";

/// A directory that follows a place of backups.
#[derive(Debug)]
pub struct Standby {
    root: PathBuf,
    here: FolderPlace,
    /// The backup that the directory is.
    held: Option<Manifest>,
    /// Blocks, by file and number, that are not what the manifest says.
    spoilt: BTreeSet<(String, usize)>,
    /// Another program would write between our blocks.
    _lock: File,
}

/// What following did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shipped {
    /// When the backup was taken that the directory now is.
    pub taken_at: Timestamp,
    /// Where its journal ends.
    pub journal_ends: LogOffset,
    /// Blocks that were fetched; none if there was nothing new.
    pub new_blocks: u64,
    /// Their bytes.
    pub new_bytes: u64,
    /// Whether its journal does not go on from the one that the directory had before: the first
    /// site was restored, or another one writes to its place.
    pub is_other: bool,
}

/// What a promoted standby is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Promoted {
    /// When the backup was taken that it is.
    pub taken_at: Timestamp,
    /// Where its journal ends.
    pub journal_ends: LogOffset,
    /// Bytes of content of all files.
    pub bytes: u64,
    /// Places that were damaged already when they were backed up, or cannot be read.
    pub damage: Vec<String>,
    /// What of the journal is gone, so that no server starts on it.
    pub lacks: Vec<Lack>,
}

impl Standby {
    /// Opens the directory of a standby, or makes one where nothing is yet; puts in what was
    /// fetched whole before the program ended, and finds blocks that the disk has spoilt.
    pub fn open(root: &Path, key: &BackupKey) -> Result<Self, BackupError> {
        let here = FolderPlace::open(root).map_err(io_at(root))?;
        let held = match here.get(STANDBY, MANIFEST_LEN_MAX) {
            Ok(text) => read_manifest(root, &text)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                if holds_something(root).map_err(io_at(root))? {
                    return Err(BackupError::NotEmpty { path: root.to_owned() });
                }
                None
            }
            Err(error) => return Err(io_at(&root.join(STANDBY))(error)),
        };
        let lock = take_lock(root).map_err(BackupError::Restored)?;
        let mut this =
            Self { root: root.to_owned(), here, held, spoilt: BTreeSet::new(), _lock: lock };
        if this.held.is_none() {
            this.put(STANDBY, b"")?;
        }
        // A promotion that was cut short is taken back; it can be had again.
        match fs::rename(root.join(FORMAT), root.join(FORMAT_WAITING)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            renamed => renamed.map_err(io_at(root))?,
        }
        if let Some(manifest) = this.fetched()? {
            this.put_in(manifest, key)?;
        }
        this.spoilt = this.find_spoilt(key)?;
        Ok(this)
    }

    /// When the backup was taken that the directory is; `None` if nothing has come yet.
    pub fn taken_at(&self) -> Option<Timestamp> {
        self.held.as_ref().map(Manifest::taken_at)
    }

    /// How many blocks the disk has spoilt; following fetches them again.
    pub fn spoilt_blocks(&self) -> usize {
        self.spoilt.len()
    }

    /// Fetches what the newest backup has and the directory has not, and puts it in.
    pub fn follow(
        &mut self,
        folder: &BackupFolder,
        tell: &mut dyn FnMut(u64),
    ) -> Result<Shipped, BackupError> {
        let none = || BackupError::None { path: folder.place.address() };
        let listed = folder.list()?.pop().ok_or_else(none)?;
        let is_whole = self.spoilt.is_empty();
        let is_held = |at| at > listed.at || (at == listed.at && is_whole);
        if let Some(held) = self.held.as_ref().filter(|it| is_held(it.taken_at())) {
            return Ok(Shipped {
                taken_at: held.taken_at(),
                journal_ends: held.journal_ends(),
                new_blocks: 0,
                new_bytes: 0,
                is_other: false,
            });
        }
        let manifest = folder.manifest(&listed)?;
        // What it holds stays: an older backup that is whole is worth more.
        manifest.make_sure_of_samples()?;
        let wanted: BTreeSet<ObjectName> = self.lacks(&manifest).into_values().collect();
        let most = u64::try_from(wanted.len().saturating_mul(BACKUP_BLOCK_LEN));
        // Once beside the directory, and once in it.
        let most = most.unwrap_or(u64::MAX).saturating_mul(2);
        folder.make_sure_of_room(&self.root, most)?;
        let (mut new_bytes, mut problems) = (0_u64, Vec::new());
        for name in &wanted {
            match self.fetch(folder, *name) {
                Ok(len) => new_bytes = new_bytes.saturating_add(len),
                Err(Fetching::Lost(Lost::Unread(error))) => {
                    return Err(folder.io_of(&super::object(*name))(error));
                }
                Err(Fetching::Lost(what)) => problems.push(format!("{}: {what}", name.text())),
                Err(Fetching::Here(error)) => return Err(error),
            }
            tell(new_bytes);
        }
        if !problems.is_empty() {
            return Err(BackupError::Damaged { problems });
        }
        self.here.settle(INCOMING).map_err(io_at(&self.root))?;
        self.put(INCOMING_MANIFEST, &manifest.write())?;
        let (taken_at, journal_ends) = (manifest.taken_at(), manifest.journal_ends());
        let before = self.held.clone();
        let goes_on = before.as_ref().is_none_or(|it| manifest.goes_on_from(it));
        self.put_in(manifest, &folder.key)?;
        let is_other = match before.as_ref().and_then(Manifest::tail).filter(|_| goes_on) {
            Some(tail) => !begins_with(&self.root, tail).map_err(io_at(&self.root))?,
            None => !goes_on,
        };
        let new_blocks = u64::try_from(wanted.len()).unwrap_or(u64::MAX);
        Ok(Shipped { taken_at, journal_ends, new_blocks, new_bytes, is_other })
    }

    /// Compares every file with what was backed up, and makes the directory one that a server
    /// starts on. What is damaged is named, and then it stays a standby; what was so already
    /// when it was backed up is named and promoted, for there is nothing better.
    pub fn promote(self) -> Result<Promoted, BackupError> {
        let none = || BackupError::None { path: self.root.clone() };
        let manifest = self.held.as_ref().ok_or_else(none)?;
        manifest.make_sure_of_samples()?;
        let mut problems = Vec::new();
        for file in &manifest.files {
            let path = self.path_of(file);
            if !hash_of(&path, file.used).is_ok_and(|found| found == file.sha256) {
                problems.push(format!("{} is not what was backed up", file.path));
            }
        }
        if !problems.is_empty() {
            return Err(BackupError::Damaged { problems });
        }
        let (taken_at, journal_ends) = (manifest.taken_at(), manifest.journal_ends());
        let (root, bytes) = (self.root.clone(), manifest.bytes());
        clear(&root.join(INCOMING))?;
        for folder in ["journal", "series"] {
            make_folder(&root.join(folder))?;
        }
        let fault = io_at(&root);
        fs::rename(root.join(FORMAT_WAITING), root.join(FORMAT)).map_err(&fault)?;
        sync_dir(&root).map_err(&fault)?;
        // From here on it is a data directory.
        fs::remove_file(root.join(STANDBY)).map_err(&fault)?;
        sync_dir(&root).map_err(&fault)?;
        drop(self);
        let (damage, lacks) = faults_of(&root);
        Ok(Promoted { taken_at, journal_ends, bytes, damage, lacks })
    }

    fn path_of(&self, file: &Kept) -> PathBuf {
        self.root.join(if file.path == FORMAT { FORMAT_WAITING } else { &file.path })
    }

    /// Which blocks of which files are not here as the manifest has them.
    pub(super) fn lacks(&self, manifest: &Manifest) -> BTreeMap<(String, usize), ObjectName> {
        let held = by_path(self.held.as_ref());
        let mut lacks = BTreeMap::new();
        for file in &manifest.files {
            let old = held.get(file.path.as_str());
            for (number, (text, name)) in file.blocks.iter().zip(file.names()).enumerate() {
                let is_held = old.and_then(|it| it.blocks.get(number)) == Some(text);
                let place = (file.path.clone(), number);
                if (!is_held || self.spoilt.contains(&place))
                    && let Some(name) = name
                {
                    lacks.insert(place, name);
                }
            }
        }
        lacks
    }

    /// Gets a block beside the directory, unless it is there from before; says its length.
    fn fetch(&self, folder: &BackupFolder, name: ObjectName) -> Result<u64, Fetching> {
        let place = format!("{INCOMING}/{}", name.text());
        let most = u64::try_from(BACKUP_BLOCK_LEN).unwrap_or(u64::MAX);
        if let Ok(block) = self.here.get(&place, most)
            && folder.key.name_of(&block) == name
        {
            return Ok(u64::try_from(block.len()).unwrap_or(u64::MAX));
        }
        let block = folder.get(name).map_err(Fetching::Lost)?;
        self.put(&place, &block).map_err(Fetching::Here)?;
        Ok(u64::try_from(block.len()).unwrap_or(u64::MAX))
    }

    /// What was fetched whole and not put in.
    fn fetched(&self) -> Result<Option<Manifest>, BackupError> {
        match self.here.get(INCOMING_MANIFEST, MANIFEST_LEN_MAX) {
            Ok(text) => read_manifest(&self.root, &text),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(io_at(&self.root.join(INCOMING_MANIFEST))(error)),
        }
    }

    /// Makes the directory what the manifest says, out of what it is and what was fetched.
    fn put_in(&mut self, manifest: Manifest, key: &BackupKey) -> Result<(), BackupError> {
        let mut lacks = self.lacks(&manifest);
        self.add_waiting(&manifest, key, &mut lacks)?;
        let held = by_path(self.held.as_ref());
        for file in &manifest.files {
            let path = self.path_of(file);
            let numbers = lacks.range((file.path.clone(), 0)..=(file.path.clone(), usize::MAX));
            let blocks: Vec<_> = numbers.map(|((_, number), name)| (*number, *name)).collect();
            if !blocks.is_empty() || held.get(file.path.as_str()) != Some(&file) {
                self.write(file, &path, &blocks).map_err(io_at(&path))?;
            }
        }
        let stays: BTreeSet<&str> = manifest.files.iter().map(|file| file.path.as_str()).collect();
        for file in held.values().filter(|file| !stays.contains(file.path.as_str())) {
            let name = file.path.as_str();
            self.here.delete(name).map_err(io_at(&self.root.join(name)))?;
        }
        for part in ["journal", "series", "keys"] {
            self.here.settle(part).map_err(io_at(&self.root))?;
        }
        self.put(STANDBY, &manifest.write())?;
        self.held = Some(manifest);
        self.spoilt.clear();
        clear(&self.root.join(INCOMING))
    }

    /// Adds the blocks that were fetched although they are held by what the notes say: the disk
    /// had spoilt them, which a program that was killed meanwhile does not know any more.
    fn add_waiting(
        &self,
        manifest: &Manifest,
        key: &BackupKey,
        lacks: &mut BTreeMap<(String, usize), ObjectName>,
    ) -> Result<(), BackupError> {
        let incoming = self.root.join(INCOMING);
        let fault = io_at(&incoming);
        let mut waiting = BTreeSet::new();
        for entry in fs::read_dir(&incoming).map_err(&fault)? {
            waiting.extend(entry.map_err(&fault)?.file_name().into_string());
        }
        for file in &manifest.files {
            for (number, (text, name)) in file.blocks.iter().zip(file.names()).enumerate() {
                let Some(name) = name.filter(|_| waiting.contains(text)) else { continue };
                let place = (file.path.clone(), number);
                // One that an earlier try left need not be whole.
                let is_whole = || {
                    let block = fs::read(incoming.join(text));
                    block.is_ok_and(|block| key.name_of(&block) == name)
                };
                if !lacks.contains_key(&place) && is_whole() {
                    lacks.insert(place, name);
                }
            }
        }
        Ok(())
    }

    fn write(&self, file: &Kept, path: &Path, blocks: &[(usize, ObjectName)]) -> io::Result<()> {
        if let Some(folder) = path.parent() {
            super::place::make_folder(folder)?;
        }
        let mut options = File::options();
        let out = options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let out = out.open(path)?;
        for (number, name) in blocks {
            let block = fs::read(self.root.join(INCOMING).join(name.text()))?;
            out.write_all_at(&block, offset_of(*number))?;
        }
        // Behind the content there are zeros.
        out.set_len(file.used)?;
        out.set_len(file.len)?;
        out.sync_all()
    }

    /// Blocks whose content is not what their name says.
    fn find_spoilt(&self, key: &BackupKey) -> Result<BTreeSet<(String, usize)>, BackupError> {
        let mut spoilt = BTreeSet::new();
        let mut block = Vec::with_capacity(BACKUP_BLOCK_LEN);
        for file in self.held.iter().flat_map(|it| &it.files) {
            let path = self.path_of(file);
            let open = match File::open(&path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => None,
                open => Some(open.map_err(io_at(&path))?),
            };
            for (number, name) in file.names().enumerate() {
                let left = file.used.saturating_sub(offset_of(number));
                let len = usize::try_from(left).unwrap_or(usize::MAX).min(BACKUP_BLOCK_LEN);
                block.resize(len, 0);
                let read = open.as_ref().map(|it| it.read_exact_at(&mut block, offset_of(number)));
                let is_read = matches!(read, Some(Ok(())));
                if !is_read || name != Some(key.name_of(&block)) {
                    spoilt.insert((file.path.clone(), number));
                }
            }
        }
        Ok(spoilt)
    }

    fn put(&self, name: &str, bytes: &[u8]) -> Result<(), BackupError> {
        let fault = io_at(&self.root);
        self.here.put(name, bytes).map_err(&fault)?;
        sync_dir(self.root.join(name).parent().unwrap_or(&self.root)).map_err(&fault)
    }
}

/// What is wrong with a directory that was promoted: it is a data directory by then, and an
/// error would say that it is none.
fn faults_of(root: &Path) -> (Vec<String>, Vec<Lack>) {
    let dir = DataDir::open(root).map_err(BackupError::Restored);
    match dir.and_then(|dir| verify::verify(&dir).map_err(BackupError::Verify)) {
        Ok(report) => {
            let damage = report.damage.iter().map(|it| format!("{}: {}", it.place, it.what));
            (damage.collect(), report.lacks.into_iter().filter(Lack::is_fatal).collect())
        }
        Err(error) => {
            let mut words = error.to_string();
            let mut cause = std::error::Error::source(&error);
            while let Some(error) = cause {
                words.push_str(&format!(": {error}"));
                cause = error.source();
            }
            (vec![words], Vec::new())
        }
    }
}

/// Why a block did not come.
enum Fetching {
    /// It cannot be had from the backups.
    Lost(Lost),
    /// There is no room for it here.
    Here(BackupError),
}

fn by_path(manifest: Option<&Manifest>) -> BTreeMap<&str, &Kept> {
    manifest.iter().flat_map(|it| &it.files).map(|file| (file.path.as_str(), file)).collect()
}

/// Where a block begins in its file, in bytes.
fn offset_of(number: usize) -> u64 {
    u64::try_from(number.saturating_mul(BACKUP_BLOCK_LEN)).unwrap_or(u64::MAX)
}

/// An empty text is that of a standby to which nothing has come yet.
fn read_manifest(root: &Path, text: &[u8]) -> Result<Option<Manifest>, BackupError> {
    if text.is_empty() {
        return Ok(None);
    }
    let broken = |what| BackupError::Standby { path: root.to_owned(), what };
    Manifest::read(text).map(Some).map_err(broken)
}

fn holds_something(root: &Path) -> io::Result<bool> {
    for entry in fs::read_dir(root)? {
        if entry?.file_name() != "LOCK" {
            return Ok(true);
        }
    }
    Ok(false)
}
