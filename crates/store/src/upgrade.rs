//! Whether both databases of a directory can become this program's version, asked before
//! either is changed.
//!
//! They are upgraded one after the other, each in one transaction of its own. A directory of
//! which one is newer than the program, or for which the disk has no room, is refused while
//! both are as they were, so that the program before still reads it.

use std::{
    io,
    path::{Path, PathBuf},
};

use rusqlite::{Connection, OpenFlags};

use crate::{
    DataDir, DiskUse,
    limits::{BUSY_WAIT, UPGRADE_ROOM_TIMES},
    records, series,
};

/// Why the databases were not brought to this program's version; both are as they were.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages name every field")]
pub enum UpgradeError {
    #[error(
        "the database {} is newer than this program: it has version {found}, and this program knows up to {known}; use the program that wrote it",
        path.display()
    )]
    Newer { path: PathBuf, found: u32, known: u32 },
    #[error(
        "there is no room to bring the databases to this program's version: {need_mib} MiB have to be free, twice the length of the larger one that has to change, and {free_mib} are; nothing was changed, and the program before still reads them"
    )]
    NoRoom { need_mib: u64, free_mib: u64 },
    #[error(
        "the database {} is of version {found}, and this program's is {known}; start the server once, which brings it there, or use the program that wrote it",
        path.display()
    )]
    Older { path: PathBuf, found: u32, known: u32 },
    #[error("there is no database {}; start the server once, which makes it", path.display())]
    Missing { path: PathBuf },
    #[error("the version of the database {} could not be read", path.display())]
    Sqlite { path: PathBuf, source: rusqlite::Error },
    #[error("it could not be found out how much room the disk has")]
    Disk(#[source] io::Error),
}

/// A database that is there, its version, and how many bytes it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Found {
    version: u32,
    len: u64,
}

/// Refuses a directory whose databases this program could not bring both to its version.
///
/// They are brought there one after the other, so the larger one says how much room is needed.
pub fn check_upgrade(dir: &DataDir) -> Result<(), UpgradeError> {
    let (series, records) = (dir.series(), dir.records());
    let found = [(&series, series::VERSION), (&records, records::VERSION)];
    let mut there = Vec::new();
    for (path, known) in found {
        there.extend(look(path)?.map(|found| (path.as_path(), found, known)));
    }
    let need = need_of(there)?;
    if need == 0 {
        return Ok(());
    }
    let free = DiskUse::of(dir.path()).map_err(UpgradeError::Disk)?.free_bytes;
    fits(need, free)
}

/// Refuses a directory whose databases are not both of this program's version, for whoever reads
/// them and may change nothing.
pub fn check_current(dir: &DataDir) -> Result<(), UpgradeError> {
    for (path, known) in [(dir.series(), series::VERSION), (dir.records(), records::VERSION)] {
        match look(&path)?.map(|it| it.version) {
            None => return Err(UpgradeError::Missing { path }),
            Some(found) if found > known => return Err(UpgradeError::Newer { path, found, known }),
            Some(found) if found < known => return Err(UpgradeError::Older { path, found, known }),
            Some(_) => {}
        }
    }
    Ok(())
}

/// What stands in a database that is there; one that was never written has nothing to lose.
fn look(path: &Path) -> Result<Option<Found>, UpgradeError> {
    if !path.metadata().is_ok_and(|file| file.len() > 0) {
        return Ok(None);
    }
    let asked = || {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        // Not only for reading, as what a crash left in the log beside it belongs to it.
        let db = Connection::open_with_flags(path, flags)?;
        db.busy_timeout(BUSY_WAIT)?;
        let of = |name| db.pragma_query_value(None, name, |row| row.get::<_, u32>(0));
        let len = u64::from(of("page_count")?).saturating_mul(of("page_size")?.into());
        Ok(Found { version: of("user_version")?, len })
    };
    asked().map(Some).map_err(|source| UpgradeError::Sqlite { path: path.to_owned(), source })
}

/// How many bytes a database needs to become the version that is known; none if it has it.
fn room_for(path: &Path, found: Found, known: u32) -> Result<u64, UpgradeError> {
    if found.version > known {
        let path = path.to_owned();
        return Err(UpgradeError::Newer { path, found: found.version, known });
    }
    let grows = found.version < known;
    Ok(if grows { found.len.saturating_mul(UPGRADE_ROOM_TIMES) } else { 0 })
}

/// The most that one of them needs.
fn need_of<'a>(
    there: impl IntoIterator<Item = (&'a Path, Found, u32)>,
) -> Result<u64, UpgradeError> {
    there
        .into_iter()
        .try_fold(0, |need, (path, found, known)| Ok(need.max(room_for(path, found, known)?)))
}

fn fits(need: u64, free: u64) -> Result<(), UpgradeError> {
    if need <= free {
        return Ok(());
    }
    Err(UpgradeError::NoRoom { need_mib: need.div_ceil(1 << 20), free_mib: free >> 20 })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Records, Series};

    /// A directory with both databases, each said to be of this version.
    fn directory(series: u32, records: u32) -> (tempfile::TempDir, DataDir) {
        let place = tempfile::tempdir().unwrap();
        let dir = DataDir::open(place.path()).unwrap();
        drop(Series::open(dir.series()).unwrap());
        drop(Records::open(&dir.records()).unwrap());
        for (path, version) in [(dir.series(), series), (dir.records(), records)] {
            let db = Connection::open(path).unwrap();
            db.pragma_update(None, "user_version", version).unwrap();
        }
        (place, dir)
    }

    fn versions(dir: &DataDir) -> [u32; 2] {
        [dir.series(), dir.records()].map(|path| look(&path).unwrap().unwrap().version)
    }

    #[test]
    fn both_are_looked_at_before_either_is_changed() {
        let (series, records) = (series::VERSION, records::VERSION);
        for (found, newer) in [
            ([series, records], None),
            ([series - 1, records], None),
            ([series - 1, records - 1], None),
            ([series - 1, records + 1], Some("records.sqlite")),
            ([series + 1, records - 1], Some("series.sqlite")),
        ] {
            let (_place, dir) = directory(found[0], found[1]);
            match (check_upgrade(&dir), newer) {
                (Ok(()), None) => {}
                (Err(UpgradeError::Newer { path, found, known }), Some(name)) => {
                    assert!(path.ends_with(name) && found == known + 1, "{}", path.display());
                }
                other => unreachable!("{found:?}: {other:?}"),
            }
            assert_eq!(versions(&dir), found, "nothing was changed");
        }
    }

    #[test]
    fn who_may_change_nothing_is_refused_any_other_version() {
        let (series, records) = (series::VERSION, records::VERSION);
        for (found, is_current) in [
            ([series, records], true),
            ([series - 1, records], false),
            ([series, records - 1], false),
            ([series + 1, records], false),
            ([series, records + 1], false),
        ] {
            let (_place, dir) = directory(found[0], found[1]);
            assert_eq!(check_current(&dir).is_ok(), is_current, "{found:?}");
            assert_eq!(versions(&dir), found, "nothing was changed");
        }
        let place = tempfile::tempdir().unwrap();
        let dir = DataDir::open(place.path()).unwrap();
        assert!(matches!(check_current(&dir), Err(UpgradeError::Missing { .. })));
        assert!(!dir.records().exists() && !dir.series().exists());
    }

    #[test]
    fn a_directory_without_databases_needs_nothing() {
        let place = tempfile::tempdir().unwrap();
        let dir = DataDir::open(place.path()).unwrap();
        check_upgrade(&dir).unwrap();
        assert!(!dir.records().exists() && !dir.series().exists());
    }

    #[test]
    fn the_larger_of_both_says_how_much_room_is_asked_for() {
        let path = Path::new("x");
        let of = |version, len| room_for(path, Found { version, len }, 3).unwrap();
        assert_eq!([of(3, 100), of(2, 100), of(0, 100)], [0, 200, 200]);
        assert_eq!(
            need_of([(3, 100), (2, 70), (0, 60)].map(|(version, len)| (
                path,
                Found { version, len },
                3
            )))
            .unwrap(),
            140
        );
        let need = (3 << 20) + 1;
        fits(need, need).unwrap();
        fits(need, need + 1).unwrap();
        let UpgradeError::NoRoom { need_mib, free_mib } = fits(need, need - 1).unwrap_err() else {
            unreachable!()
        };
        assert_eq!((need_mib, free_mib), (4, 3));
    }
}
