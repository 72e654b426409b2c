//! Derived state made anew beside the live one, and put in its place by one rename.
//!
//! A rebuild writes into the folder `rebuilding`. Renaming it to `rebuilt` is the moment at
//! which the new state holds: whoever opens the directory from then on moves its files into
//! place, however often that is cut short. Before that moment the live files are untouched.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use rusqlite::{Connection, OpenFlags};

use crate::{DataDir, data_dir::sync_dir, sqlite};

pub(crate) mod compare;

/// Where a rebuild is under way; it means nothing to anybody else.
const SCRATCH: &str = "rebuilding";
/// A rebuild that is whole, and replaces what is there.
const READY: &str = "rebuilt";

/// The files of derived state: their name in a rebuild, and their place below the root.
const FILES: [(&str, &str); 2] =
    [("records.sqlite", "records.sqlite"), ("series.sqlite", "series/series.sqlite")];

/// A place for new derived state inside of a data directory; dropping it leaves the live state.
#[derive(Debug)]
pub struct Scratch {
    dir: DataDir,
    is_installed: bool,
}

impl Scratch {
    /// An empty place; what an interrupted rebuild left is removed.
    pub fn begin(dir: &DataDir) -> io::Result<Self> {
        remove_folder(&dir.path().join(SCRATCH))?;
        fs::create_dir(dir.path().join(SCRATCH))?;
        Ok(Self { dir: dir.clone(), is_installed: false })
    }

    /// Begins with what is there: the databases as they are, for a journal whose beginning was trimmed.
    pub fn begin_with_copy(dir: &DataDir) -> Result<Self, ScratchError> {
        let scratch = Self::begin_with_file_of_series(dir)?;
        sqlite::copy_database(&dir.records(), &scratch.records())
            .map_err(ScratchError::Database)?;
        Ok(scratch)
    }

    /// Begins with the samples as they are and without records, for a journal that was thinned:
    /// every row can be made of it, and only the series have the samples that went. What people
    /// said of readings stays in such a journal, and is made anew as well.
    pub fn begin_with_series(dir: &DataDir) -> Result<Self, ScratchError> {
        let scratch = Self::begin_with_file_of_series(dir)?;
        forget_corrections(&scratch.series()).map_err(ScratchError::Database)?;
        Ok(scratch)
    }

    fn begin_with_file_of_series(dir: &DataDir) -> Result<Self, ScratchError> {
        let scratch = Self::begin(dir).map_err(ScratchError::Io)?;
        sqlite::copy_database(&dir.series(), &scratch.series()).map_err(ScratchError::Database)?;
        Ok(scratch)
    }

    /// Where the new records go.
    pub fn records(&self) -> PathBuf {
        self.dir.path().join(SCRATCH).join("records.sqlite")
    }

    /// Where the new series go.
    pub fn series(&self) -> PathBuf {
        self.dir.path().join(SCRATCH).join("series.sqlite")
    }

    /// Replaces the live state, whose databases must be closed, as must be the new ones.
    pub fn install(mut self) -> Result<(), ScratchError> {
        let root = self.dir.path().to_owned();
        for (name, _) in FILES {
            settle(&root.join(SCRATCH).join(name)).map_err(ScratchError::Database)?;
        }
        let swap = || {
            sync_dir(&root.join(SCRATCH))?;
            fs::rename(root.join(SCRATCH), root.join(READY))?;
            sync_dir(&root)?;
            finish_swap(&root)
        };
        self.is_installed = true;
        swap().map_err(ScratchError::Io)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if !self.is_installed {
            // What cannot be removed now is removed by the next rebuild.
            let _ = remove_folder(&self.dir.path().join(SCRATCH));
        }
    }
}

/// Why new derived state could not be made ready or put in place.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it all")]
pub enum ScratchError {
    #[error("the files of the rebuild cannot be made or moved")]
    Io(#[source] io::Error),
    #[error("a database of the rebuild cannot be written")]
    Database(#[source] sqlite::DatabaseError),
}

fn remove_folder(path: &Path) -> io::Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

fn remove_file(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

/// Leaves one file of a database, with everything in it and durable; nobody has it open.
pub(crate) fn settle(path: &Path) -> Result<(), sqlite::DatabaseError> {
    let fault = |source| sqlite::DatabaseError::Sqlite { path: path.to_owned(), source };
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(path, flags).map_err(fault)?;
    db.pragma_update(None, "synchronous", "FULL").map_err(fault)?;
    db.pragma_update_and_check(None, "journal_mode", "DELETE", |_| Ok(())).map_err(fault)?;
    db.close().map_err(|(_, error)| fault(error))?;
    let synced = fs::File::open(path).and_then(|file| file.sync_all());
    synced.map_err(|error| fault(rusqlite::Error::ToSqlConversionFailure(Box::new(error))))
}

/// Empties the list of corrections of a database that nobody has open, if its version has one.
fn forget_corrections(path: &Path) -> Result<(), sqlite::DatabaseError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let forget = || {
        let db = Connection::open_with_flags(path, flags)?;
        if db.table_exists(None, "correction")? {
            db.execute("DELETE FROM correction", [])?;
        }
        db.close().map_err(|(_, error)| error)
    };
    forget().map_err(|source| sqlite::DatabaseError::Sqlite { path: path.to_owned(), source })
}

/// One step of the way from a whole rebuild to the live state; each may be done again.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    /// What SQLite keeps beside the old file belongs to the old file.
    Remove(PathBuf),
    Rename(PathBuf, PathBuf),
    Sync(PathBuf),
    RemoveFolder(PathBuf),
}

impl Step {
    fn take(&self) -> io::Result<()> {
        match self {
            Self::Remove(path) => remove_file(path),
            Self::Rename(from, to) => fs::rename(from, to),
            Self::Sync(folder) => sync_dir(folder),
            Self::RemoveFolder(path) => remove_folder(path),
        }
    }
}

fn steps(root: &Path) -> Vec<Step> {
    let ready = root.join(READY);
    let mut steps = Vec::new();
    for (name, place) in FILES {
        // A file that is in place already may have live companions.
        if ready.join(name).exists() {
            let target = root.join(place);
            for beside in ["-wal", "-shm", "-journal"] {
                let mut path = target.clone().into_os_string();
                path.push(beside);
                steps.push(Step::Remove(path.into()));
            }
            steps.push(Step::Rename(ready.join(name), target));
        }
    }
    steps.push(Step::Sync(root.join("series")));
    steps.push(Step::Sync(root.to_owned()));
    steps.push(Step::RemoveFolder(ready));
    steps
}

/// Moves a rebuild that is whole into place, if there is one.
pub(crate) fn finish_swap(root: &Path) -> io::Result<()> {
    if !root.join(READY).exists() {
        return Ok(());
    }
    steps(root).iter().try_for_each(Step::take)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(path: &Path, text: &str) {
        let db = Connection::open(path).unwrap();
        db.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(())).unwrap();
        db.execute_batch(&format!(
            "CREATE TABLE said (text TEXT); INSERT INTO said VALUES ('{text}')"
        ))
        .unwrap();
    }

    fn read(path: &Path) -> String {
        let db = Connection::open(path).unwrap();
        db.query_row("SELECT text FROM said", [], |row| row.get(0)).unwrap()
    }

    /// A directory with old state whose last writes are beside the files, as a crash leaves them.
    fn old(place: &Path) -> DataDir {
        let dir = DataDir::open(place).unwrap();
        for path in [dir.records(), dir.series()] {
            let donor = place.join("donor");
            write(&donor, "old");
            let db = Connection::open(&donor).unwrap();
            db.execute("UPDATE said SET text = 'old and late'", []).unwrap();
            for end in ["", "-wal"] {
                let (from, to) =
                    (format!("{}{end}", donor.display()), format!("{}{end}", path.display()));
                fs::copy(from, to).unwrap();
            }
            drop(db);
            for end in ["", "-wal", "-shm"] {
                remove_file(Path::new(&format!("{}{end}", donor.display()))).unwrap();
            }
            assert_eq!(
                fs::metadata(format!("{}-wal", path.display())).map(|it| it.len() > 0).ok(),
                Some(true)
            );
        }
        dir
    }

    #[test]
    fn a_swap_that_is_cut_short_anywhere_is_finished_by_the_next_opening() {
        for cut in 0.. {
            let place = tempfile::tempdir().unwrap();
            let dir = old(place.path());
            let scratch = Scratch::begin(&dir).unwrap();
            write(&scratch.records(), "new");
            write(&scratch.series(), "new");
            for (name, _) in FILES {
                settle(&place.path().join(SCRATCH).join(name)).unwrap();
            }
            fs::rename(place.path().join(SCRATCH), place.path().join(READY)).unwrap();
            let steps = steps(place.path());
            for step in &steps[..cut] {
                step.take().unwrap();
            }
            let (records, series) = (dir.records(), dir.series());
            drop(scratch);
            drop(dir);
            let again = DataDir::open(place.path()).unwrap();
            assert_eq!(
                (read(&records), read(&series)),
                ("new".into(), "new".into()),
                "after {cut}"
            );
            assert!(!again.path().join(READY).exists() && !again.path().join(SCRATCH).exists());
            if cut == steps.len() {
                assert!(cut > 8, "{steps:?}");
                break;
            }
        }
    }

    #[test]
    fn a_rebuild_that_is_not_whole_changes_nothing() {
        let place = tempfile::tempdir().unwrap();
        let dir = old(place.path());
        fs::create_dir(place.path().join(SCRATCH)).unwrap();
        write(&place.path().join(SCRATCH).join("records.sqlite"), "half");
        let records = dir.records();
        drop(dir);
        let again = DataDir::open(place.path()).unwrap();
        assert_eq!(read(&records), "old and late");
        let scratch = Scratch::begin(&again).unwrap();
        assert!(!scratch.records().exists());
        drop(scratch);
        assert!(!place.path().join(SCRATCH).exists());
    }

    #[test]
    fn beside_a_thinned_journal_corrections_are_made_anew_and_beside_a_trimmed_one_they_stay() {
        let place = tempfile::tempdir().unwrap();
        let dir = DataDir::open(place.path()).unwrap();
        drop(crate::Records::open(&dir.records()).unwrap());
        drop(crate::Series::open(dir.series()).unwrap());
        let said = "INSERT INTO correction (org, id, device, channel, from_at, to_at, amendment,
                    why, words, by_what, known_at)
                    VALUES (x'01', x'02', x'03', 'HR', 1, 2, 0, 0, '', 0, 3)";
        // Its checksum is not that of its columns.
        Connection::open(dir.series()).unwrap().execute(said, []).unwrap();
        assert!(crate::Series::open(dir.series()).is_err());
        let scratch = Scratch::begin_with_series(&dir).unwrap();
        assert!(crate::Series::open(scratch.series()).unwrap().all_corrections().is_empty());
        drop(scratch);
        let scratch = Scratch::begin_with_copy(&dir).unwrap();
        assert!(crate::Series::open(scratch.series()).is_err(), "it is not taken for none");
    }

    #[test]
    fn what_is_installed_is_one_file_with_all_that_was_written() {
        let place = tempfile::tempdir().unwrap();
        let dir = old(place.path());
        let scratch = Scratch::begin_with_copy(&dir).unwrap();
        assert_eq!(read(&scratch.records()), "old and late");
        Connection::open(scratch.series())
            .unwrap()
            .execute("UPDATE said SET text = 'newest'", [])
            .unwrap();
        scratch.install().unwrap();
        assert_eq!(read(&dir.records()), "old and late");
        assert_eq!(read(&dir.series()), "newest");
        assert!(!place.path().join(READY).exists());
    }
}
