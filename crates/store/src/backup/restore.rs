//! Restoring: first everything is read and every fault named, then a directory is made, whole
//! or not at all.

use std::{
    fs::{self, File},
    io::{self, Read as _, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use model::Timestamp;
use security::hex;

use super::{
    BackupError, BackupFolder, Kept, Listed, Lost, Manifest, OBJECT_LEN_MAX, clear, cut, io_at,
    make_folder, object,
};
use crate::{
    DataDir, FileStorage, Lack, LogOffset, data_dir::sync_dir, limits::BACKUP_BLOCK_LEN, verify,
};

/// Where a running server rehearses, below the data directory.
pub(super) const REHEARSAL: &str = "rehearsal";
/// What is there until a rehearsal's files are whole; [`beside`] makes the same name.
pub(super) const REHEARSAL_BUILDING: &str = "rehearsal.restoring";

/// What was restored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restored {
    /// When the backup was taken that the journal is from.
    pub taken_at: Timestamp,
    /// Where the restored journal ends.
    pub end: LogOffset,
    /// Bytes of content of all files.
    pub bytes: u64,
    /// Whether rows and series were restored too; if not, the next start makes them from the journal.
    pub has_derived: bool,
}

/// What a rehearsal compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rehearsed {
    /// When the backup was taken.
    pub taken_at: Timestamp,
    /// Files that were restored and are what was backed up.
    pub files: usize,
    /// Their bytes.
    pub bytes: u64,
    /// Frames of the journal that were read.
    pub frames: u64,
    /// Sealed chunks that were read.
    pub chunks: u64,
}

/// Which files of which backups make a directory.
struct Plan<'a> {
    files: Vec<&'a Kept>,
    cut: Option<Timestamp>,
    taken_at: Timestamp,
    has_derived: bool,
    /// Where the journal ended once the rows and series had been copied.
    derived_ends: LogOffset,
    /// The segment that it ended in then, if that is another backup than the journal's.
    derived_tail: Option<&'a Kept>,
    /// From where on the journal has everything that came in.
    whole_from: LogOffset,
}

/// A directory that is written and does not have its name yet.
struct Built {
    end: LogOffset,
    has_derived: bool,
}

const DERIVED: [&str; 2] = ["series/series.sqlite", "records.sqlite"];

fn is_derived(file: &Kept) -> bool {
    DERIVED.contains(&file.path.as_str())
}

impl BackupFolder {
    /// Makes a data directory out of the newest backup, or as it was at a moment. Nothing is
    /// changed unless all of it is there and sound; `tell` hears how many bytes are done.
    pub fn restore(
        &self,
        target: &Path,
        at: Option<Timestamp>,
        tell: &mut dyn FnMut(u64),
    ) -> Result<Restored, BackupError> {
        refuse_full(target)?;
        let none = || BackupError::None { path: self.place.address() };
        let listed = self.list()?;
        let Some(at) = at else {
            let manifest = self.manifest(listed.last().ok_or_else(none)?)?;
            return self.carry_out(&Plan::whole(&manifest)?, target, tell);
        };
        // The journal of the first backup after the moment has all of it; else the newest ends before.
        let journal = listed.iter().find(|it| it.at >= at).or(listed.last()).ok_or_else(none)?;
        let journal = self.manifest(journal)?;
        // Rows and series of the last backup before the moment. They may know what arrived while it
        // was taken, which is after the moment: once the journal is cut, its end is asked.
        let mut derived = None;
        for older in listed.iter().rev().filter(|it| it.at <= at) {
            let older = self.manifest(older)?;
            // Those of a journal that went another way, as after a restore, are not of this one.
            if journal.goes_on_from(&older) {
                derived = Some(older);
                break;
            }
        }
        let plan = Plan::at(at, &journal, derived.as_ref())?;
        self.carry_out(&plan, target, tell)
    }

    /// Restores a backup into a scratch place and compares all of it with what was backed up.
    /// What is damaged is put aside, so that the next backup writes it again.
    pub fn rehearse(
        &self,
        listed: &Listed,
        scratch: &Path,
        now: Timestamp,
        tell: &mut dyn FnMut(u64),
    ) -> Result<Rehearsed, BackupError> {
        refuse_full(scratch)?;
        self.is_still_there()?;
        let manifest = self.manifest(listed)?;
        let plan = Plan::whole(&manifest)?;
        if let Err(error) = self.carry_out(&plan, scratch, tell) {
            if matches!(error, BackupError::Damaged { .. }) {
                self.put_aside(&manifest);
            }
            return Err(error);
        }
        let compared = compare(&manifest, scratch);
        fs::remove_dir_all(scratch).map_err(io_at(scratch))?;
        let rehearsed = compared?;
        self.note_rehearsal(now, manifest.taken_at())?;
        Ok(rehearsed)
    }

    /// Rehearses below a data directory, where what an interrupted rehearsal left is in nobody's way.
    pub fn rehearse_below(
        &self,
        listed: &Listed,
        data: &Path,
        now: Timestamp,
        tell: &mut dyn FnMut(u64),
    ) -> Result<Rehearsed, BackupError> {
        let scratch = data.join(REHEARSAL);
        clear(&scratch)?;
        self.rehearse(listed, &scratch, now, tell)
    }

    /// Gives another name to what was read and is not what its name says: only a whole object may
    /// stand under it. One that could not be read stays, for a disk or a network may answer again.
    fn put_aside(&self, manifest: &Manifest) {
        for name in manifest.files.iter().flat_map(Kept::names).flatten() {
            if let Err(Lost::Damaged(_)) = self.get(name) {
                let object = object(name);
                // What is too long to be an object is not kept for anybody to look at.
                if let Ok(bytes) = self.place.get(&object, OBJECT_LEN_MAX) {
                    let _ = self.place.put(&format!("{object}.damaged"), &bytes);
                }
                // If it stays, the next rehearsal names it again.
                let _ = self.place.delete(&object);
            }
        }
    }

    /// Everything that the files lack, before anything is changed.
    fn problems(&self, files: &[&Kept]) -> Vec<String> {
        let mut problems = Vec::new();
        for file in files {
            let mut hash = security::Sha256::new();
            let before = problems.len();
            for (number, name) in (1_usize..).zip(file.names()) {
                let of = file.blocks.len();
                match name.ok_or(Lost::Nameless).and_then(|name| self.get(name)) {
                    Ok(block) => hash.add(&block),
                    Err(what) => {
                        problems.push(format!("{}, block {number} of {of}: {what}", file.path))
                    }
                }
            }
            if problems.len() == before && hex(&hash.finish()) != file.sha256 {
                problems.push(format!("{}: its blocks are not what was backed up", file.path));
            }
        }
        problems
    }

    fn carry_out(
        &self,
        plan: &Plan<'_>,
        target: &Path,
        tell: &mut dyn FnMut(u64),
    ) -> Result<Restored, BackupError> {
        let problems = self.problems(&plan.files);
        if !problems.is_empty() {
            return Err(BackupError::Damaged { problems });
        }
        let building = beside(target);
        clear(&building)?;
        make_folder(&building)?;
        let bytes = plan.files.iter().map(|file| file.used).fold(0, u64::saturating_add);
        let room = self.make_sure_of_room(&building, bytes);
        let Built { end, has_derived } = match room.and_then(|()| self.build(plan, &building, tell))
        {
            Ok(built) => built,
            Err(error) => {
                // What is left says so by its name.
                let _ = fs::remove_dir_all(&building);
                return Err(error);
            }
        };
        fs::rename(&building, target).map_err(io_at(target))?;
        if let Some(parent) = target.parent().filter(|it| !it.as_os_str().is_empty()) {
            sync_dir(parent).map_err(io_at(parent))?;
        }
        Ok(Restored { taken_at: plan.taken_at, end, bytes, has_derived })
    }

    /// Writes all files and takes off what came later, also rows and series that know of it.
    fn build(
        &self,
        plan: &Plan<'_>,
        root: &Path,
        tell: &mut dyn FnMut(u64),
    ) -> Result<Built, BackupError> {
        for folder in ["journal", "series"] {
            make_folder(&root.join(folder))?;
        }
        let mut done = 0_u64;
        for file in &plan.files {
            self.write(file, &root.join(&file.path))?;
            done = done.saturating_add(file.used);
            tell(done);
        }
        let folder = root.join("journal");
        let storage = FileStorage::folder(&folder).map_err(io_at(&folder))?;
        let mut has_derived = plan.has_derived;
        if let Some(at) = plan.cut {
            let is_other = match plan.derived_tail {
                Some(tail) => !begins_with(root, tail).map_err(io_at(&folder))?,
                None => false,
            };
            let end = cut::end_at(&storage, at).map_err(BackupError::Journal)?;
            let what = "the journal begins later";
            let end = end.ok_or(BackupError::NotKept { at, what })?;
            if !cut::can_end_at(&storage, end).map_err(io_at(&folder))? {
                let what =
                    "the journal of that time was thinned, and it can end only where it is whole";
                return Err(BackupError::NotKept { at, what });
            }
            cut::cut(&folder, end).map_err(io_at(&folder))?;
            if has_derived && (is_other || plan.derived_ends > end) {
                plan.make_sure_of_rebuild(at)?;
                drop_derived(root)?;
                has_derived = false;
            }
        }
        for folder in ["journal", "series", "."] {
            let folder = root.join(folder);
            sync_dir(&folder).map_err(io_at(&folder))?;
        }
        let end = crate::journal::find_tail(&storage).map_err(BackupError::Journal)?.0;
        Ok(Built { end, has_derived })
    }

    fn write(&self, file: &Kept, path: &Path) -> Result<(), BackupError> {
        if let Some(folder) = path.parent() {
            make_folder(folder)?;
        }
        let write = || -> io::Result<()> {
            let mut options = File::options();
            let mut out = options.write(true).create_new(true).mode(0o600).open(path)?;
            for name in file.names() {
                let block = name.ok_or(Lost::Nameless).and_then(|name| self.get(name));
                out.write_all(&block.map_err(io::Error::other)?)?;
            }
            out.set_len(file.len)?;
            out.sync_all()
        };
        write().map_err(io_at(path))
    }
}

impl<'a> Plan<'a> {
    fn whole(manifest: &'a Manifest) -> Result<Self, BackupError> {
        manifest.make_sure_of_samples()?;
        let files: Vec<&Kept> = manifest.files.iter().collect();
        let has_derived = files.iter().any(|file| is_derived(file));
        Ok(Self {
            files,
            cut: None,
            taken_at: manifest.taken_at(),
            has_derived,
            derived_ends: manifest.journal_ends(),
            derived_tail: None,
            whole_from: manifest.whole_from(),
        })
    }

    fn at(
        at: Timestamp,
        journal: &'a Manifest,
        derived: Option<&'a Manifest>,
    ) -> Result<Self, BackupError> {
        let mut files: Vec<&Kept> = journal.files.iter().filter(|file| !is_derived(file)).collect();
        // Its state goes on from a place that the journal still holds.
        let derived = derived.filter(|it| {
            it.checkpoint().is_some_and(|checkpoint| checkpoint >= journal.whole_from())
        });
        let older = derived.map_or(&[][..], |it| &it.files);
        files.extend(older.iter().filter(|file| is_derived(file)));
        let plan = Self {
            files,
            cut: Some(at),
            taken_at: journal.taken_at(),
            has_derived: derived.is_some(),
            derived_ends: derived.map_or(LogOffset::default(), Manifest::journal_ends),
            derived_tail: derived.and_then(Manifest::tail),
            whole_from: journal.whole_from(),
        };
        if derived.is_none() {
            plan.make_sure_of_rebuild(at)?;
        }
        Ok(plan)
    }

    /// Without rows and series they are made from the journal, which must have its beginning.
    fn make_sure_of_rebuild(&self, at: Timestamp) -> Result<(), BackupError> {
        if self.whole_from > LogOffset::default() {
            let what = "the journal was thinned or trimmed, and no backup of before has its state";
            return Err(BackupError::NotKept { at, what });
        }
        Ok(())
    }
}

/// Removes rows and series that know more than the journal, so that the next start makes them anew.
fn drop_derived(root: &Path) -> Result<(), BackupError> {
    for path in DERIVED.map(|path| root.join(path)) {
        match fs::remove_file(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            removed => removed.map_err(io_at(&path))?,
        }
    }
    Ok(())
}

/// The place where a directory is made before it gets its name.
fn beside(target: &Path) -> PathBuf {
    let mut name = target.as_os_str().to_owned();
    name.push(".restoring");
    name.into()
}

fn refuse_full(target: &Path) -> Result<(), BackupError> {
    match fs::read_dir(target) {
        Ok(mut entries) => match entries.next() {
            None => Ok(()),
            Some(_) => Err(BackupError::NotEmpty { path: target.to_owned() }),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(io_at(target)(error)),
    }
}

/// Reads what was restored as if it had never been a backup.
fn compare(manifest: &Manifest, root: &Path) -> Result<Rehearsed, BackupError> {
    let mut problems = Vec::new();
    for file in &manifest.files {
        let path = root.join(&file.path);
        if hash_of(&path, file.used).map_err(io_at(&path))? != file.sha256 {
            problems.push(format!("{} is not what was backed up", file.path));
        }
    }
    let dir = DataDir::open(root).map_err(BackupError::Restored)?;
    let report = verify::verify(&dir).map_err(BackupError::Verify)?;
    problems.extend(report.damage.iter().map(|it| format!("{}: {}", it.place, it.what)));
    // A beginning that was gone already when the backup was taken is no fault of the backup.
    problems.extend(report.lacks.iter().filter(|it| it.is_fatal()).map(Lack::to_string));
    if report.begins != manifest.journal_begins() {
        let (found, wanted) = (report.begins, manifest.journal_begins());
        problems.push(format!("the journal begins at {found} and not at {wanted}"));
    }
    if report.end != manifest.journal_ends() {
        let (found, wanted) = (report.end, manifest.journal_ends());
        problems.push(format!("the journal ends at {found} and not at {wanted}"));
    }
    if !problems.is_empty() {
        return Err(BackupError::Damaged { problems });
    }
    Ok(Rehearsed {
        taken_at: manifest.taken_at(),
        files: manifest.files.len(),
        bytes: manifest.bytes(),
        frames: report.frames.values().copied().fold(0, u64::saturating_add),
        chunks: report.chunks,
    })
}

/// Whether a directory's journal has what a segment of an older backup had. One that was thinned
/// or trimmed since cannot be compared.
pub(super) fn begins_with(root: &Path, older: &Kept) -> io::Result<bool> {
    match hash_of(&root.join(&older.path), older.used) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
        found => Ok(found? == older.sha256),
    }
}

pub(super) fn hash_of(path: &Path, used: u64) -> io::Result<String> {
    let mut rest = File::open(path)?.take(used);
    let mut hash = security::Sha256::new();
    let mut block = vec![0; BACKUP_BLOCK_LEN];
    loop {
        let read = rest.read(&mut block)?;
        match block.get(..read) {
            Some(bytes) if !bytes.is_empty() => hash.add(bytes),
            _ => return Ok(hex(&hash.finish())),
        }
    }
}
