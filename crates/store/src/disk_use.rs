//! How much room the data takes, and how much is left beside it.

use std::{fs, io, path::Path};

/// Bytes on disk below a data directory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it all")]
pub struct DiskUse {
    pub journal_bytes: u64,
    pub series_bytes: u64,
    pub records_bytes: u64,
    /// What a file could still grow by on that file system.
    pub free_bytes: u64,
    /// The whole file system.
    pub total_bytes: u64,
    /// What is used of it, by us and by others.
    pub used_bytes: u64,
}

impl DiskUse {
    /// Measures the data directory at `root`; blocks while it reads the folders.
    pub fn of(root: &Path) -> io::Result<Self> {
        Ok(Self {
            journal_bytes: below(&root.join("journal"))?,
            series_bytes: below(&root.join("series"))?,
            records_bytes: beginning_with(root, "records")?,
            ..Self::around(root)?
        })
    }

    /// Measures the file system around `root` alone, and nothing of what lies below it.
    pub fn around(root: &Path) -> io::Result<Self> {
        let system = rustix::fs::statvfs(root)?;
        let bytes = |blocks: u64| blocks.saturating_mul(system.f_frsize);
        Ok(Self {
            free_bytes: bytes(system.f_bavail),
            total_bytes: bytes(system.f_blocks),
            used_bytes: bytes(system.f_blocks.saturating_sub(system.f_bfree)),
            ..Self::default()
        })
    }
}

/// All files of a folder and its folders; one that goes away meanwhile counts nothing.
fn below(folder: &Path) -> io::Result<u64> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        Err(error) => return Err(error),
    };
    let mut sum = 0_u64;
    for entry in entries {
        let entry = entry?;
        let Ok(metadata) = entry.metadata() else { continue };
        let len = if metadata.is_dir() { below(&entry.path())? } else { metadata.len() };
        sum = sum.saturating_add(len);
    }
    Ok(sum)
}

fn beginning_with(folder: &Path, name: &str) -> io::Result<u64> {
    let mut sum = 0_u64;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(name) {
            let Ok(metadata) = entry.metadata() else { continue };
            let len = if metadata.is_dir() { below(&entry.path())? } else { metadata.len() };
            sum = sum.saturating_add(len);
        }
    }
    Ok(sum)
}

#[test]
fn each_part_is_measured_and_what_is_not_there_is_nothing() -> io::Result<()> {
    let root = tempfile::tempdir()?;
    let use_now = DiskUse::of(root.path())?;
    assert_eq!((use_now.journal_bytes, use_now.series_bytes, use_now.records_bytes), (0, 0, 0));
    assert!(use_now.free_bytes > 0 && use_now.free_bytes <= use_now.total_bytes);
    fs::create_dir_all(root.path().join("journal/deep"))?;
    fs::write(root.path().join("journal/deep/one"), [0; 7])?;
    fs::write(root.path().join("journal/two"), [0; 5])?;
    fs::write(root.path().join("records.db"), [0; 3])?;
    fs::write(root.path().join("records.db-wal"), [0; 2])?;
    let use_now = DiskUse::of(root.path())?;
    assert_eq!((use_now.journal_bytes, use_now.records_bytes), (12, 5));
    Ok(())
}
