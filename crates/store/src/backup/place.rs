//! Where a backup's objects, manifests and notes are: a folder here, or a store behind a network.

use std::{
    fmt,
    fs::{self, File},
    io::{self, Read as _, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};

use crate::data_dir::sync_dir;

/// A thing that a place holds.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stored {
    /// Its name, such as `objects/0a/0a4f…`.
    pub name: String,
    /// Its length in bytes.
    pub len: u64,
}

/// A place for backups. Names are parts of digits, letters, `.` and `-`, with `/` between them.
///
/// What was put is there for every later get and list, of whoever asks. Each call ends within
/// a bounded time, and whoever calls may be kept waiting for that long.
pub trait BackupPlace: fmt::Debug + Send + Sync {
    /// What people call it, such as `/mnt/backup` or `s3://ward/backups`.
    fn address(&self) -> PathBuf;

    /// Whether nothing is in it yet, or nothing but what a first opening left that was cut short.
    fn is_unused(&self) -> io::Result<bool>;

    /// All bytes of a thing. [`io::ErrorKind::NotFound`] is said of none, and
    /// [`io::ErrorKind::FileTooLarge`] of one with more than `most` bytes.
    fn get(&self, name: &str, most: u64) -> io::Result<Vec<u8>>;

    /// Puts a thing in, whole or not at all, in place of one of the same name.
    fn put(&self, name: &str, bytes: &[u8]) -> io::Result<()>;

    /// Everything whose name begins with this part, in no order; nothing if there is no such part.
    fn list(&self, part: &str) -> io::Result<Vec<Stored>>;

    /// Takes a thing away; it is no error if it is not there.
    fn delete(&self, name: &str) -> io::Result<()>;

    /// Makes what was put and deleted below this part survive a loss of power.
    fn settle(&self, part: &str) -> io::Result<()>;
}

/// A folder of this machine, which may be a network's.
#[derive(Debug)]
pub struct FolderPlace {
    root: PathBuf,
}

/// How a file's name ends that is not whole yet.
pub(super) const UNFINISHED: &str = ".unfinished";
/// Numbers the files that this program puts.
static PUT: AtomicU64 = AtomicU64::new(0);

impl FolderPlace {
    /// Takes a folder, and makes it if it is not there.
    pub fn open(root: &Path) -> io::Result<Self> {
        make_folder(root)?;
        Ok(Self { root: root.to_owned() })
    }

    /// Makes the folders that a name stands in, and never the place itself: where a disk was
    /// unmounted everything would go to the wrong one.
    fn make_folders_of(&self, name: &str) -> io::Result<()> {
        let mut folder = self.root.clone();
        for part in Path::new(name).parent().into_iter().flatten() {
            folder.push(part);
            match fs::DirBuilder::new().mode(0o700).create(&folder) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                made => made?,
            }
        }
        Ok(())
    }

    /// A new file beside the one of this name. Two programs may put the same thing at once.
    fn unfinished(&self, name: &str) -> io::Result<(PathBuf, File)> {
        let mut options = File::options();
        options.write(true).create_new(true).mode(0o600);
        loop {
            let number = PUT.fetch_add(1, Ordering::Relaxed);
            let pid = std::process::id();
            let path = self.root.join(format!("{name}.{pid}-{number}{UNFINISHED}"));
            match options.open(&path) {
                // Another machine's, or of one that was killed.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                opened => return Ok((path, opened?)),
            }
        }
    }

    fn list_into(&self, part: &str, found: &mut Vec<Stored>) -> io::Result<()> {
        let entries = match fs::read_dir(self.root.join(part)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            entries => entries?,
        };
        for entry in entries {
            let entry = entry?;
            // No name of ours is anything but text.
            let Ok(name) = entry.file_name().into_string() else { continue };
            let name = format!("{part}/{name}");
            let metadata = match entry.metadata() {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                metadata => metadata?,
            };
            if metadata.is_dir() {
                self.list_into(&name, found)?;
            } else {
                found.push(Stored { name, len: metadata.len() });
            }
        }
        Ok(())
    }
}

impl BackupPlace for FolderPlace {
    fn address(&self) -> PathBuf {
        self.root.clone()
    }

    fn is_unused(&self) -> io::Result<bool> {
        for entry in fs::read_dir(&self.root)? {
            let name = entry?.file_name();
            let is_half_a_key = name.to_str().is_some_and(|it| {
                it.strip_prefix(super::KEY_FILE)
                    .is_some_and(|it| it.starts_with('.') && it.ends_with(UNFINISHED))
            });
            if !is_half_a_key {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn get(&self, name: &str, most: u64) -> io::Result<Vec<u8>> {
        let file = File::open(self.root.join(name))?;
        let len = file.metadata()?.len();
        if len > most {
            let what = format!("it has {len} bytes");
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, what));
        }
        let mut bytes = Vec::with_capacity(usize::try_from(len).unwrap_or_default());
        file.take(most).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    fn put(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        self.make_folders_of(name)?;
        let (unfinished, mut file) = self.unfinished(name)?;
        let written = file
            .write_all(bytes)
            .and_then(|()| file.sync_all())
            .and_then(|()| fs::rename(&unfinished, self.root.join(name)));
        if written.is_err() {
            // One that stays is none of ours, and goes when the place is thinned out.
            let _ = fs::remove_file(&unfinished);
        }
        written
    }

    fn list(&self, part: &str) -> io::Result<Vec<Stored>> {
        let mut found = Vec::new();
        self.list_into(part, &mut found)?;
        Ok(found)
    }

    fn delete(&self, name: &str) -> io::Result<()> {
        match fs::remove_file(self.root.join(name)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => removed,
        }
    }

    fn settle(&self, part: &str) -> io::Result<()> {
        let folder = self.root.join(part);
        let entries = match fs::read_dir(&folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return sync_dir(&self.root),
            entries => entries?,
        };
        for entry in entries {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                sync_dir(&entry.path())?;
            }
        }
        sync_dir(&folder)?;
        sync_dir(&self.root)
    }
}

/// Makes a folder that nobody else looks into.
pub(super) fn make_folder(path: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_put_where_a_disk_was_unmounted() {
        let tempdir = tempfile::tempdir().unwrap();
        let root = tempdir.path().join("mnt/backup");
        let place = FolderPlace::open(&root).unwrap();
        place.put("objects/0a/0a4f", b"block").unwrap();
        place.put("KEY", b"key").unwrap();
        assert_eq!(place.get("objects/0a/0a4f", 9).unwrap(), b"block");
        fs::remove_dir_all(tempdir.path().join("mnt")).unwrap();
        for name in ["objects/0a/0a4f", "KEY"] {
            assert_eq!(place.put(name, b"block").unwrap_err().kind(), io::ErrorKind::NotFound);
        }
        assert!(!tempdir.path().join("mnt").exists());
    }

    #[test]
    fn two_that_put_the_same_thing_at_once_write_to_two_files() {
        let tempdir = tempfile::tempdir().unwrap();
        let place = FolderPlace::open(tempdir.path()).unwrap();
        let (one, mut first) = place.unfinished("KEY").unwrap();
        let (other, mut second) = place.unfinished("KEY").unwrap();
        first.write_all(b"half of").unwrap();
        second.write_all(b"a whole key").unwrap();
        assert_ne!(one, other);
        assert_eq!(fs::read(other).unwrap(), b"a whole key");
        assert!(place.is_unused().unwrap());
        // What another machine or a killed program left under the next name stays as it is.
        let next = PUT.load(Ordering::Relaxed);
        for number in next..next + 9 {
            let name = format!("KEY.{}-{number}{UNFINISHED}", std::process::id());
            fs::write(tempdir.path().join(name), "theirs").unwrap();
        }
        place.put("KEY", b"key").unwrap();
        for number in next..next + 9 {
            let name = format!("KEY.{}-{number}{UNFINISHED}", std::process::id());
            assert_eq!(fs::read(tempdir.path().join(name)).unwrap(), b"theirs");
        }
        assert_eq!(fs::read(tempdir.path().join("KEY")).unwrap(), b"key");
    }
}
