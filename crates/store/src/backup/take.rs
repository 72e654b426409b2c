//! Taking a backup, of a running server or of a directory that nobody holds.
//!
//! The order makes the copy consistent: first the series with their checkpoint, then the
//! records, which have every row up to it, then the journal, which has all that both rest on.

use std::{
    fs::{self, File},
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use model::Timestamp;
use security::hex;

use super::{BackupError, BackupFolder, Kept, Manifest, clear, io_at};
use crate::{
    FileStorage, Journal, LogOffset, Storage,
    journal::{checkpoint_of, find_tail},
    limits::BACKUP_BLOCK_LEN,
    sqlite,
};

/// Where copies of databases wait to be read, below the data directory.
pub(super) const COPIES: &str = "backing-up";

/// What is backed up.
#[derive(Debug)]
pub struct Source<'a> {
    /// The data directory.
    pub root: &'a Path,
    /// The journal, if a server has it open.
    pub journal: Option<&'a Journal>,
}

/// What a backup took.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    /// What it holds.
    pub manifest: Manifest,
    /// Blocks that were not in the folder before.
    pub new_blocks: u64,
    /// Their bytes.
    pub new_bytes: u64,
}

struct Taking<'a> {
    folder: &'a BackupFolder,
    root: &'a Path,
    files: Vec<Kept>,
    new_blocks: u64,
    new_bytes: u64,
    tell: &'a mut dyn FnMut(u64),
    done: u64,
}

impl BackupFolder {
    /// Takes a backup; blocks for as long as that takes, and tells after each block how many
    /// bytes were looked at. `now` is its name.
    pub fn take(
        &self,
        source: &Source<'_>,
        now: Timestamp,
        tell: &mut dyn FnMut(u64),
    ) -> Result<Taken, BackupError> {
        let mut taking = Taking {
            folder: self,
            root: source.root,
            files: Vec::new(),
            new_blocks: 0,
            new_bytes: 0,
            tell,
            done: 0,
        };
        let copies = Copies::begin(source.root)?;
        let checkpoint = taking.databases(&copies)?;
        drop(copies);
        taking.keys()?;
        let journal = taking.journal(source.journal)?;
        taking.file("FORMAT", &source.root.join("FORMAT"), None)?;
        let Taking { files, new_blocks, new_bytes, .. } = taking;
        let manifest = Manifest::new(now, journal, checkpoint, files);
        self.put_manifest(&manifest)?;
        Ok(Taken { manifest, new_blocks, new_bytes })
    }
}

/// A folder for copies, which goes when this does.
struct Copies(PathBuf);

impl Copies {
    fn begin(root: &Path) -> Result<Self, BackupError> {
        let folder = root.join(COPIES);
        let copies = Self(folder);
        clear(&copies.0)?;
        super::make_folder(&copies.0)?;
        Ok(copies)
    }
}

impl Drop for Copies {
    fn drop(&mut self) {
        // What cannot be removed now is removed by the next backup, or at the next start.
        let _ = clear(&self.0);
    }
}

impl Taking<'_> {
    /// Both databases as they are, the series first; says where their checkpoint stands.
    fn databases(&mut self, copies: &Copies) -> Result<Option<LogOffset>, BackupError> {
        let mut checkpoint = None;
        for path in ["series/series.sqlite", "records.sqlite"] {
            let live = self.root.join(path);
            if !live.exists() {
                continue;
            }
            let copy = copies.0.join("copy");
            self.folder.make_sure_of_room(&copies.0, len_of_database(&live)?)?;
            sqlite::copy_database(&live, &copy).map_err(BackupError::Database)?;
            if path.starts_with("series") {
                checkpoint = checkpoint_of(&copy).map_err(BackupError::Database)?;
            }
            self.file(path, &copy, None)?;
            fs::remove_file(&copy).map_err(io_at(&copy))?;
        }
        Ok(checkpoint)
    }

    fn keys(&mut self) -> Result<(), BackupError> {
        let folder = self.root.join("keys");
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(io_at(&folder)(error)),
        };
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry.map_err(io_at(&folder))?;
            if entry.file_type().map_err(io_at(&folder))?.is_file() {
                // A manifest has texts only, and a key that is left out is a backup that lies.
                let unnamed = |_| io_at(&entry.path())(io::ErrorKind::InvalidFilename.into());
                names.push(entry.file_name().into_string().map_err(unnamed)?);
            }
        }
        names.sort();
        names
            .iter()
            .try_for_each(|name| self.file(&format!("keys/{name}"), &folder.join(name), None))
    }

    /// Every segment up to the durable end; says where the journal begins and ends.
    fn journal(&mut self, open: Option<&Journal>) -> Result<(LogOffset, LogOffset), BackupError> {
        let folder = self.root.join("journal");
        let storage = FileStorage::folder(&folder).map_err(io_at(&folder))?;
        let end = match open {
            Some(journal) => journal.end(),
            None => find_tail(&storage).map_err(BackupError::Journal)?.0,
        };
        let segments = storage.segments().map_err(io_at(&folder))?;
        let begin = segments.first().map_or(LogOffset::default(), |first| first.start);
        for (place, segment) in segments.iter().enumerate() {
            if segment.start >= end {
                break;
            }
            let next =
                segments.get(place.saturating_add(1)).map_or(end, |next| next.start.min(end));
            let name = format!("{:020}.seg", segment.start.bytes());
            let content = (next.minus(segment.start), segment.len);
            self.file(&format!("journal/{name}"), &folder.join(&name), Some(content))?;
        }
        Ok((begin, end))
    }

    /// One file, as blocks; `content` says how much of it counts, and how long it is.
    fn file(
        &mut self,
        path: &str,
        from: &Path,
        content: Option<(u64, u64)>,
    ) -> Result<(), BackupError> {
        let file = File::open(from).map_err(io_at(from))?;
        let found = file.metadata().map_err(io_at(from))?.len();
        let (used, len) = content.unwrap_or((found, found));
        let mut rest = file.take(used);
        let (mut hash, mut blocks, mut read) = (security::Sha256::new(), Vec::new(), 0_u64);
        let mut block = Vec::with_capacity(BACKUP_BLOCK_LEN);
        loop {
            block.clear();
            let most = u64::try_from(BACKUP_BLOCK_LEN).unwrap_or(u64::MAX);
            let count = rest.by_ref().take(most).read_to_end(&mut block).map_err(io_at(from))?;
            if count == 0 {
                break;
            }
            let count = u64::try_from(count).unwrap_or(u64::MAX);
            hash.add(&block);
            let (name, is_new) = self.folder.put(&block)?;
            if is_new {
                self.new_blocks = self.new_blocks.saturating_add(1);
                self.new_bytes = self.new_bytes.saturating_add(count);
            }
            blocks.push(name.text());
            read = read.saturating_add(count);
            self.done = self.done.saturating_add(count);
            (self.tell)(self.done);
        }
        if read != used {
            return Err(io_at(from)(io::ErrorKind::UnexpectedEof.into()));
        }
        let sha256 = hex(&hash.finish());
        self.files.push(Kept { path: path.to_owned(), len, used, sha256, blocks });
        Ok(())
    }
}

/// The most bytes that a copy of a database takes: the file, and what SQLite keeps beside it.
fn len_of_database(live: &Path) -> Result<u64, BackupError> {
    let mut beside = live.as_os_str().to_owned();
    beside.push("-wal");
    let file = fs::metadata(live).map_err(io_at(live))?.len();
    // It is there only while somebody writes.
    let beside = fs::metadata(beside).map_or(0, |it| it.len());
    Ok(file.saturating_add(beside))
}
