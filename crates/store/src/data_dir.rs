//! The directory that holds everything: its format, its lock, and who lives where.
//!
//! One program at a time: the lock is the kernel's, so it falls with its holder, and a
//! directory without `FORMAT` that is not empty is somebody else's.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use rustix::fs::{FlockOperation, flock};

use crate::derived;

/// What `FORMAT` says of the layout that this program writes.
const FORMAT: &str = "wardline 1";
/// What it says once a segment of the journal was thinned, which older programs cannot read.
const FORMAT_THINNED: &str = "wardline 2";

/// A data directory that this process holds until the last clone is gone.
#[derive(Clone, Debug)]
pub struct DataDir(Arc<Held>);

#[derive(Debug)]
struct Held {
    root: PathBuf,
    /// Its lock ends when it is closed.
    _lock: File,
}

/// Why a data directory cannot be used.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages name every field")]
pub enum DataDirError {
    #[error("another program holds {}{}; stop it first", path.display(), holder_text(holder.as_ref()))]
    Held { path: PathBuf, holder: Option<String> },
    #[error(
        "{} has the format `{found}`; this program reads `{FORMAT}` and `{FORMAT_THINNED}`",
        path.display()
    )]
    UnknownFormat { path: PathBuf, found: String },
    #[error("{} is not empty and has no FORMAT file, so it is not ours; choose another directory", path.display())]
    Foreign { path: PathBuf },
    #[error("{} is a standby; promote it by `wardline standby --promote` before a server starts on it", path.display())]
    Standby { path: PathBuf },
    #[error("{} cannot be used as a data directory", path.display())]
    Io { path: PathBuf, source: io::Error },
}

fn holder_text(holder: Option<&String>) -> String {
    holder.map_or_else(String::new, |holder| format!(" (process {holder})"))
}

impl DataDir {
    /// Opens the directory, makes it if it is not there, and takes its lock.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, DataDirError> {
        let path = path.as_ref();
        let fault = |source| DataDirError::Io { path: path.to_owned(), source };
        fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(fault)?;
        let root = fs::canonicalize(path).map_err(fault)?;
        refuse_a_foreign(&root)?;
        let lock = take_lock(&root)?;
        check_format(&root)?;
        for folder in ["journal", "series"] {
            fs::DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(root.join(folder))
                .map_err(fault)?;
        }
        sync_dir(&root).map_err(fault)?;
        derived::finish_swap(&root).map_err(fault)?;
        Ok(Self(Arc::new(Held { root, _lock: lock })))
    }

    /// The directory itself.
    pub fn path(&self) -> &Path {
        &self.0.root
    }

    /// Where the journal's segments are.
    pub fn journal(&self) -> PathBuf {
        self.0.root.join("journal")
    }

    /// Says in `FORMAT` that segments may be thinned from now on, before the first one is: a
    /// program that cannot read them refuses the directory.
    pub(crate) fn allow_thinned(&self) -> io::Result<()> {
        let path = self.path().join("FORMAT");
        if fs::read_to_string(&path)?.trim_end() == FORMAT_THINNED {
            return Ok(());
        }
        put_format(self.path(), FORMAT_THINNED)?;
        sync_dir(self.path())
    }

    /// The database of records.
    pub fn records(&self) -> PathBuf {
        self.0.root.join("records.sqlite")
    }

    /// The database of sealed chunks and the checkpoint.
    pub fn series(&self) -> PathBuf {
        self.0.root.join("series").join("series.sqlite")
    }
}

/// The file that says that a directory follows backups and is no data directory yet.
pub(crate) const STANDBY: &str = "STANDBY";

/// Names that may stand in a directory whose first opening was interrupted.
const BEFORE_FORMAT: [&str; 2] = ["LOCK", "FORMAT.new"];

fn refuse_a_foreign(root: &Path) -> Result<(), DataDirError> {
    let fault = |source| DataDirError::Io { path: root.to_owned(), source };
    if root.join(STANDBY).exists() {
        return Err(DataDirError::Standby { path: root.to_owned() });
    }
    if root.join("FORMAT").exists() {
        return Ok(());
    }
    for entry in fs::read_dir(root).map_err(fault)? {
        let name = entry.map_err(fault)?.file_name();
        if !BEFORE_FORMAT.iter().any(|known| name == *known) {
            return Err(DataDirError::Foreign { path: root.to_owned() });
        }
    }
    Ok(())
}

/// Takes the lock of a directory, which ends when the file is closed.
pub(crate) fn take_lock(root: &Path) -> Result<File, DataDirError> {
    let fault = |source| DataDirError::Io { path: root.to_owned(), source };
    let path = root.join("LOCK");
    let mut lock = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)
        .map_err(fault)?;
    if let Err(error) = flock(&lock, FlockOperation::NonBlockingLockExclusive) {
        if error != rustix::io::Errno::WOULDBLOCK {
            return Err(fault(error.into()));
        }
        let mut holder = String::new();
        // The holder's number is a courtesy; the refusal stands without it.
        let _ = (&lock).take(32).read_to_string(&mut holder);
        let holder = Some(holder.trim().to_owned()).filter(|holder| !holder.is_empty());
        return Err(DataDirError::Held { path: root.to_owned(), holder });
    }
    lock.set_len(0).and_then(|()| writeln!(lock, "{}", std::process::id())).map_err(fault)?;
    Ok(lock)
}

fn check_format(root: &Path) -> Result<(), DataDirError> {
    let fault = |source| DataDirError::Io { path: root.to_owned(), source };
    let path = root.join("FORMAT");
    match fs::read_to_string(&path) {
        Ok(text) if [FORMAT, FORMAT_THINNED].contains(&text.trim_end()) => Ok(()),
        Ok(text) => {
            let found = text.lines().next().unwrap_or_default().chars().take(40).collect();
            Err(DataDirError::UnknownFormat { path: root.to_owned(), found })
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            put_format(root, FORMAT).map_err(fault)
        }
        Err(error) => Err(fault(error)),
    }
}

/// Writes `FORMAT`, whole or not at all.
fn put_format(root: &Path, format: &str) -> io::Result<()> {
    let new = root.join("FORMAT.new");
    let mut file = File::create(&new)?;
    writeln!(file, "{format}")?;
    file.sync_all()?;
    fs::rename(new, root.join("FORMAT"))
}

/// Makes the names in a directory survive a crash.
pub(crate) fn sync_dir(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_program_is_refused_by_a_clear_message() {
        let dir = tempfile::tempdir().unwrap();
        let held = DataDir::open(dir.path().join("ward")).unwrap();
        let error = DataDir::open(dir.path().join("ward")).unwrap_err().to_string();
        let (path, process) = (held.path().display(), std::process::id());
        let want = format!("another program holds {path} (process {process}); stop it first");
        assert_eq!(error, want);
        let clone = held.clone();
        drop(held);
        assert!(DataDir::open(dir.path().join("ward")).is_err());
        drop(clone);
        DataDir::open(dir.path().join("ward")).unwrap();
    }

    #[test]
    fn a_newer_format_and_a_foreign_directory_are_refused_by_name() {
        let dir = tempfile::tempdir().unwrap();
        let ours = DataDir::open(dir.path()).unwrap();
        assert_eq!(fs::read_to_string(ours.path().join("FORMAT")).unwrap(), "wardline 1\n");
        drop(ours);
        fs::write(dir.path().join("FORMAT"), "wardline 3\n").unwrap();
        let error = DataDir::open(dir.path()).unwrap_err().to_string();
        let told = "has the format `wardline 3`; this program reads `wardline 1` and `wardline 2`";
        assert!(error.ends_with(told), "{error}");

        let other = tempfile::tempdir().unwrap();
        fs::write(other.path().join("thesis.txt"), "years of work").unwrap();
        let error = DataDir::open(other.path()).unwrap_err();
        assert!(matches!(error, DataDirError::Foreign { .. }), "{error}");
        assert!(!other.path().join("LOCK").exists());
    }

    #[test]
    fn a_directory_says_so_before_its_journal_is_thinned() {
        let place = tempfile::tempdir().unwrap();
        let dir = DataDir::open(place.path()).unwrap();
        for _ in 0..2 {
            dir.allow_thinned().unwrap();
            assert_eq!(fs::read_to_string(dir.path().join("FORMAT")).unwrap(), "wardline 2\n");
        }
        drop(dir);
        DataDir::open(place.path()).unwrap();
        assert_eq!(fs::read_to_string(place.path().join("FORMAT")).unwrap(), "wardline 2\n");
    }

    #[test]
    fn an_interrupted_first_opening_is_taken_up_again() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("LOCK"), "").unwrap();
        fs::write(dir.path().join("FORMAT.new"), "ward").unwrap();
        DataDir::open(dir.path()).unwrap();
    }
}
