//! Taking a backup, of a running server or of a directory that nobody holds.
//!
//! The order makes the copy consistent: first the series with their checkpoint, then the
//! records, which have every row up to it, then the journal, which has all that both rest on.
//! Nothing is thinned until the journal is copied: the series have only what was sealed before.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, Read as _},
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
};

use model::Timestamp;
use security::{ObjectName, SEALING_LEN, hex};

use super::{
    BACKUPS, BackupError, BackupFolder, Kept, Listed, Manifest, clear, io_at,
    work_note::{Work, WorkNote},
};
use crate::{
    FileStorage, Form, Journal, LogOffset, Storage,
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
    /// Which one it is.
    pub listed: Listed,
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
    /// The objects that are in the place, with their lengths in bytes.
    there: BTreeMap<ObjectName, u64>,
    /// Whole segments of the newest backup that is there, by their paths.
    before: BTreeMap<String, Kept>,
    files: Vec<Kept>,
    new_blocks: u64,
    new_bytes: u64,
    tell: &'a mut dyn FnMut(u64),
    done: u64,
}

impl BackupFolder {
    /// Takes a backup; blocks for as long as that takes, and tells after each block how many
    /// bytes were looked at. `now` is its name, unless there is one that is dated later: it goes
    /// right behind that one then.
    pub fn take(
        &self,
        source: &Source<'_>,
        now: Timestamp,
        tell: &mut dyn FnMut(u64),
    ) -> Result<Taken, BackupError> {
        let note = WorkNote::begin(self, Work::Taking, now)?;
        let taken_at = self.dated(now)?;
        let mut taking = Taking {
            folder: self,
            root: source.root,
            there: self.objects()?,
            before: self.segments_before(),
            files: Vec::new(),
            new_blocks: 0,
            new_bytes: 0,
            tell,
            done: 0,
        };
        let as_it_is = source.journal.map(Journal::keep_whole);
        let copies = Copies::begin(source.root)?;
        let checkpoint = taking.databases(&copies)?;
        drop(copies);
        taking.keys()?;
        let journal = taking.journal(source.journal)?;
        drop(as_it_is);
        taking.file("FORMAT", &source.root.join("FORMAT"), None)?;
        let Taking { files, new_blocks, new_bytes, .. } = taking;
        let manifest = Manifest::new(taken_at, journal, checkpoint, files);
        manifest.make_sure_of_samples()?;
        note.is_there()?;
        let listed = self.put_manifest(&manifest)?;
        // Whoever thins out and believed us dead before that has not seen it, and may have begun
        // to delete what it names.
        if let Err(error) = note.is_there() {
            let name = listed.place();
            self.place.delete(&name).map_err(self.io_of(&name))?;
            self.settle(BACKUPS)?;
            return Err(error);
        }
        Ok(Taken { listed, manifest, new_blocks, new_bytes })
    }
}

impl BackupFolder {
    /// Whole segments of the newest backup; none if that cannot be read, for then all are read.
    fn segments_before(&self) -> BTreeMap<String, Kept> {
        let files = self.newest().ok().flatten().map(|it| it.files).unwrap_or_default();
        let segments = files.into_iter().filter(|file| file.path.starts_with("journal/"));
        segments.map(|file| (file.path.clone(), file)).collect()
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
            let is_left = path == "records.sqlite" && crate::records::is_elsewhere(self.root);
            if is_left || !live.exists() {
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
            let is_over = next < end;
            let name = format!("{:020}", segment.start.bytes());
            if segment.form == Form::Whole {
                let content = (next.minus(segment.start), segment.len);
                self.segment(&folder, &format!("{name}.seg"), content, is_over)?;
                continue;
            }
            let name = format!("{name}.thin");
            let from = folder.join(&name);
            let len = fs::metadata(&from).map_err(io_at(&from))?.len();
            self.segment(&folder, &name, (len, len), is_over)?;
        }
        Ok((begin, end))
    }

    /// One segment; one that is over is not read again.
    fn segment(
        &mut self,
        folder: &Path,
        name: &str,
        content: (u64, u64),
        is_over: bool,
    ) -> Result<(), BackupError> {
        let (path, from) = (format!("journal/{name}"), folder.join(name));
        if is_over && self.holds(&path, &from, content).map_err(io_at(&from))? {
            return Ok(());
        }
        self.file(&path, &from, Some(content))
    }

    /// Takes a segment as the newest backup has it. Nothing is added to a whole segment, so its
    /// length and its ends say that it is the same: another one of the same place, from a
    /// journal that was restored to a moment and went on, ends with other times.
    fn holds(&mut self, path: &str, from: &Path, content: (u64, u64)) -> io::Result<bool> {
        let Some(before) = self.before.remove(path).filter(|it| (it.used, it.len) == content)
        else {
            return Ok(false);
        };
        let file = File::open(from)?;
        let block_len = u64::try_from(BACKUP_BLOCK_LEN).unwrap_or(u64::MAX);
        let last = before.blocks.len().saturating_sub(1);
        for (number, name) in before.names().enumerate() {
            let Some(name) = name else { return Ok(false) };
            let at = block_len.saturating_mul(u64::try_from(number).unwrap_or(u64::MAX));
            let len = before.used.saturating_sub(at).min(block_len);
            if self.there.get(&name) != Some(&len.saturating_add(SEALING_LEN)) {
                return Ok(false);
            }
            if number == 0 || number == last {
                let mut block = vec![0; usize::try_from(len).unwrap_or(BACKUP_BLOCK_LEN)];
                file.read_exact_at(&mut block, at)?;
                if self.folder.key.name_of(&block) != name {
                    return Ok(false);
                }
            }
        }
        self.done = self.done.saturating_add(before.used);
        (self.tell)(self.done);
        self.files.push(before);
        Ok(true)
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
            let (name, is_new) = self.folder.put(&block, &mut self.there)?;
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
