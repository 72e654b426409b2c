//! The power goes while SQLite writes: of what it had not synced, any part may be lost.
//!
//! ```text
//! commit      frames ─▶ log ─▶ sync ─▶ answer
//! checkpoint  log ─▶ pages ─▶ database ─▶ sync       the log is whole until then
//! next commit new header ─▶ log ─▶ sync ─▶ frames    old frames are worth nothing from then on
//! ```
//!
//! What each of these steps wrote shows by the files before and after it, so what a power cut
//! within it may leave is made of the two: nothing of the step, the first part of it, or any
//! of its sectors. That SQLite does sync where the arrows say so is not seen here.

use std::{
    cell::Cell,
    fs,
    path::{Path, PathBuf},
};

use rusqlite::Connection;
use store::{Draw, Records, Series};

use super::{Broken, RECORDS, SERIES, broken};

const SECTOR: usize = 512;
/// Bytes of a log's header, which changes when the log begins anew.
const HEADER: usize = 32;

/// One of the two databases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    Records,
    Series,
}

impl Which {
    const fn name(self) -> &'static str {
        match self {
            Self::Records => RECORDS,
            Self::Series => SERIES,
        }
    }
}

/// Writes all that stands in a log into its database, as SQLite does by itself now and then.
pub fn empty_log(home: &Path, which: Which) -> rusqlite::Result<()> {
    let database = Connection::open(home.join(which.name()))?;
    database.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
}

/// The files of a database as they were at one moment.
#[derive(Debug)]
pub struct Shot {
    which: Which,
    database: Vec<u8>,
    log: Vec<u8>,
}

/// What is left of a database after a power cut, in a place of its own.
#[derive(Debug)]
pub struct Survivor {
    pub which: Which,
    /// What befell it.
    pub fault: &'static str,
    /// Whether what was written had been answered.
    pub must_be_new: bool,
    place: PathBuf,
    opened: Cell<bool>,
}

impl Survivor {
    fn put(
        (which, place): (Which, &Path),
        (fault, must_be_new): (&'static str, bool),
        [database, log]: [&[u8]; 2],
    ) -> Result<Self, Broken> {
        let put = || {
            drop(fs::remove_dir_all(place));
            fs::create_dir_all(place)?;
            fs::write(place.join("database"), database)?;
            fs::write(place.join("database-wal"), log)
        };
        put().map_err(|error| broken("a copy failed", error))?;
        let (place, opened) = (place.to_owned(), Cell::new(false));
        Ok(Self { which, fault, must_be_new, place, opened })
    }

    /// Opens it as the next start does.
    pub fn series(&self) -> Result<Series, Broken> {
        self.opened.set(true);
        Series::open(self.place.join("database")).map_err(|it| broken("cut off", it))
    }

    /// The same of the records.
    pub fn records(&self) -> Result<Records, Broken> {
        self.opened.set(true);
        Records::open(&self.place.join("database")).map_err(|it| broken("cut off", it))
    }

    /// A finding with what it is about.
    pub fn told(&self, Broken(what): &Broken) -> Broken {
        Broken(format!("{}: {}: {what}", self.which.name(), self.fault))
    }
}

impl Drop for Survivor {
    fn drop(&mut self) {
        debug_assert!(self.opened.get(), "nobody looked");
        drop(fs::remove_dir_all(&self.place));
    }
}

impl Shot {
    pub fn of(home: &Path, which: Which) -> Result<Self, Broken> {
        let database = fs::read(home.join(which.name()));
        let database = database.map_err(|error| broken("a database cannot be read", error))?;
        // Closed in peace it has no log.
        let log = fs::read(home.join(format!("{}-wal", which.name()))).unwrap_or_default();
        Ok(Self { which, database, log })
    }

    /// What a power cut leaves within what was written since; nothing if nothing was.
    pub fn cut(&self, home: &Path, to: &Path, draw: &mut Draw) -> Result<Option<Survivor>, Broken> {
        let now = Self::of(home, self.which)?;
        let header = |log: &[u8]| log.get(..HEADER).map(<[u8]>::to_vec);
        let goes_on = header(&self.log) == header(&now.log);
        let place = (self.which, to);
        if goes_on && now.database != self.database && draw.once_in(2) {
            // A checkpoint followed the commit: the log has all of it, synced.
            let (pages, how) = unsynced(&self.database, &now.database, 0, draw);
            return Survivor::put(place, (how.of_pages(), true), [&pages, &now.log]).map(Some);
        }
        if now.log == self.log {
            return Ok(None);
        }
        // A new header is synced before any frame is written.
        let from = if goes_on { 0 } else { HEADER };
        let mut before = self.log.clone();
        if !goes_on && let Some(header) = now.log.get(..HEADER) {
            before.resize(before.len().max(HEADER), 0);
            before.splice(..HEADER, header.iter().copied());
        }
        let (log, how) = unsynced(&before, &now.log, from, draw);
        Survivor::put(place, (how.of_a_commit(), false), [&self.database, &log]).map(Some)
    }

    /// What a power cut leaves while the log was emptied into the database at the end.
    pub fn emptied(
        &self,
        home: &Path,
        to: &Path,
        draw: &mut Draw,
    ) -> Result<Option<Survivor>, Broken> {
        let now = Self::of(home, self.which)?;
        if now.database == self.database {
            return Ok(None);
        }
        let (pages, how) = unsynced(&self.database, &now.database, 0, draw);
        let fate = (how.of_pages(), true);
        Survivor::put((self.which, to), fate, [&pages, &self.log]).map(Some)
    }
}

/// What was kept of what had not been synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Left {
    Nothing,
    TheFirstPart,
    /// Something that was written after something that was lost.
    AnyPart,
}

impl Left {
    const fn of_a_commit(self) -> &'static str {
        match self {
            Self::Nothing => "commit of a database lost",
            Self::TheFirstPart => "commit of a database torn",
            Self::AnyPart => "commit of a database reordered",
        }
    }

    const fn of_pages(self) -> &'static str {
        match self {
            Self::Nothing | Self::TheFirstPart => "pages of a database lost",
            Self::AnyPart => "pages of a database reordered",
        }
    }
}

/// A file of which what was written behind `from` had not been synced.
fn unsynced(before: &[u8], after: &[u8], from: usize, draw: &mut Draw) -> (Vec<u8>, Left) {
    let changed: Vec<usize> = (from / SECTOR..after.len().div_ceil(SECTOR))
        .filter(|sector| part(before, *sector) != part(after, *sector))
        .collect();
    let mut left = before.to_vec();
    let way = draw.below(3);
    if way == 1 {
        // Up to any byte of it.
        let sector = changed.get(draw.below(changed.len())).copied().unwrap_or(0);
        let end = sector.saturating_mul(SECTOR).saturating_add(draw.below(SECTOR));
        let end = end.clamp(from, after.len().max(from));
        overwrite(&mut left, after, from, end);
        return (left, Left::TheFirstPart);
    }
    let (mut lost, mut how) = (0_u64, Left::Nothing);
    for sector in changed {
        if way == 0 || draw.once_in(2) {
            lost = lost.saturating_add(1);
            continue;
        }
        let begin = sector.saturating_mul(SECTOR);
        overwrite(&mut left, after, begin.max(from), begin.saturating_add(SECTOR));
        how = match (how, lost) {
            (Left::AnyPart, _) | (_, 1..) => Left::AnyPart,
            (_, 0) => Left::TheFirstPart,
        };
    }
    (left, how)
}

fn part(bytes: &[u8], sector: usize) -> Option<&[u8]> {
    let begin = sector.saturating_mul(SECTOR);
    let end = begin.saturating_add(SECTOR).min(bytes.len());
    bytes.get(begin..end).filter(|part| !part.is_empty())
}

/// Takes over a range of `after`; what lies between the end and it is zeros, as in any file.
fn overwrite(left: &mut Vec<u8>, after: &[u8], begin: usize, end: usize) {
    let end = end.min(after.len());
    if left.len() < end {
        left.resize(end, 0);
    }
    if let (Some(to), Some(from)) = (left.get_mut(begin..end), after.get(begin..end)) {
        to.copy_from_slice(from);
    }
}
