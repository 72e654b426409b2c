//! Which of the two databases holds the records of a data directory.
//!
//! A file of SQLite does, unless the note `records.at` names a PostgreSQL. Nobody comes to
//! another place by mistake: what was left behind there would be taken for all that there is.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use model::OrgId;

use super::{
    PostgresPlace, Records, RecordsError,
    alarms::id,
    db::postgres::{Postgres, SCHEMA},
    moving::{MOVING, clear_moving},
};
use crate::{DataDir, LogOffset, data_dir::sync_dir};

/// The note, whose one line is an address without its password.
const NOTE: &str = "records.at";

/// Why the records of a data directory cannot be had.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages name every field")]
pub enum HomeError {
    #[error(transparent)]
    Records(#[from] RecordsError),
    #[error(
        "the records of {} are at {at}; name them with --records or WARDLINE_RECORDS, or bring them back with `wardline store migrate {} --to sqlite`",
        dir.display(), dir.display()
    )]
    Elsewhere { dir: PathBuf, at: String },
    #[error(
        "the records of {} are in its file records.sqlite; bring them along with `wardline store migrate {} --to {asked}`, or delete records.sqlite* to have them made anew from the journal",
        dir.display(), dir.display()
    )]
    InTheFile { dir: PathBuf, asked: String },
    #[error("the records of {} are in its file records.sqlite already", dir.display())]
    NotElsewhere { dir: PathBuf },
    #[error(
        "{} has no records.sqlite to move; start the server with --records, and it makes the records there from the journal",
        dir.display()
    )]
    NoFile { dir: PathBuf },
    #[error("the records at {place} are another hospital's; name an empty database")]
    Others { place: String },
    #[error(
        "there are records at {place} already; drop the schema `wardline` there, or name another database"
    )]
    Taken { place: String },
    #[error(
        "the records at {place} lack rows of before the checkpoint; start the server once, which makes them from the journal"
    )]
    Lacking { place: String },
    #[error("the note in {} of where the records are cannot be read or written", dir.display())]
    Note { dir: PathBuf, source: io::Error },
}

impl Records {
    /// Opens the records of a data directory: those in its file, or those at the place that is
    /// named. A file that has rows is not left for another place, nor another place for a new file.
    /// Nothing is noted or removed before the rows there are known to be of `org`, whose journal
    /// the directory has.
    pub fn of(
        dir: &DataDir,
        asked: Option<&PostgresPlace>,
        org: Option<OrgId>,
    ) -> Result<Self, HomeError> {
        clear_moving(dir).map_err(note_error(dir))?;
        let noted = elsewhere(dir)?;
        let Some(place) = asked else {
            return match noted {
                None => Ok(Self::open(&dir.records())?),
                Some(at) => Err(HomeError::Elsewhere { dir: dir.path().to_owned(), at }),
            };
        };
        if noted.is_none()
            && dir.records().exists()
            && Self::open(&dir.records())?.applied()? > LogOffset::default()
        {
            let (dir, asked) = (dir.path().to_owned(), place.to_string());
            return Err(HomeError::InTheFile { dir, asked });
        }
        let db = Postgres::open(place, SCHEMA)?;
        // Whoever moves records there holds the lock that we have now.
        db.run(&format!("DROP SCHEMA IF EXISTS {MOVING} CASCADE"))?;
        let records = Self::over(Box::new(db))?;
        records.refuse_others(org, place)?;
        // Without rows, or left by a move that was cut short: rows are at the noted place.
        if dir.records().exists() {
            remove_file(dir).map_err(note_error(dir))?;
        }
        if noted.is_none_or(|at| at != place.to_string()) {
            note(dir, place)?;
        }
        Ok(records)
    }

    /// Refuses records of others than the organization whose journal this is; one that has
    /// recorded nothing may have no records yet.
    pub fn refuse_others(
        &self,
        org: Option<OrgId>,
        place: &PostgresPlace,
    ) -> Result<(), HomeError> {
        self.refuse_others_at(org, || place.to_string())
    }

    pub(super) fn refuse_others_at(
        &self,
        org: Option<OrgId>,
        place: impl FnOnce() -> String,
    ) -> Result<(), HomeError> {
        let found = self.organizations()?;
        if found.is_empty() || org.is_some_and(|org| found.contains(&org)) {
            return Ok(());
        }
        Err(HomeError::Others { place: place() })
    }

    /// The organizations whose records these are; each is there from its first start on.
    fn organizations(&self) -> Result<BTreeSet<OrgId>, RecordsError> {
        let ask = "SELECT org, organization.* FROM organization";
        let all = self.all(ask, &[], (1, "organization"), |row| id(&row.get::<Vec<u8>>(0)?))?;
        Ok(all.into_iter().collect())
    }
}

/// Whether the note of a data directory's folder says that its records are not in its file; a
/// file that is there all the same was left by a move that was cut short.
pub(crate) fn is_elsewhere(root: &Path) -> bool {
    root.join(NOTE).exists()
}

/// Where the records of a data directory are, if they are not in its file.
pub fn elsewhere(dir: &DataDir) -> Result<Option<String>, HomeError> {
    match fs::read_to_string(dir.path().join(NOTE)) {
        Ok(text) => Ok(Some(text.trim_end().to_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(note_error(dir)(error)),
    }
}

pub(super) fn note_error(dir: &DataDir) -> impl Fn(io::Error) -> HomeError {
    let dir = dir.path().to_owned();
    move |source| HomeError::Note { dir: dir.clone(), source }
}

/// Notes durably that the records are at a place from now on.
pub(super) fn note(dir: &DataDir, place: &PostgresPlace) -> Result<(), HomeError> {
    let write = || -> io::Result<()> {
        let unfinished = dir.path().join("records.at.new");
        let mut file = File::create(&unfinished)?;
        writeln!(file, "{place}")?;
        file.sync_all()?;
        fs::rename(unfinished, dir.path().join(NOTE))?;
        sync_dir(dir.path())
    };
    write().map_err(note_error(dir))
}

/// From now on they are in the file again.
pub(super) fn forget(dir: &DataDir) -> Result<(), HomeError> {
    let remove = || fs::remove_file(dir.path().join(NOTE)).and_then(|()| sync_dir(dir.path()));
    remove().map_err(note_error(dir))
}

/// Removes the file, and first what SQLite keeps beside it.
pub(super) fn remove_file(dir: &DataDir) -> io::Result<()> {
    remove_beside(&dir.records())?;
    fs::remove_file(dir.records())?;
    sync_dir(dir.path())
}

/// Removes what SQLite keeps beside a file that nobody has open.
pub(super) fn remove_beside(path: &Path) -> io::Result<()> {
    for beside in ["-wal", "-shm", "-journal"] {
        let mut path = path.to_owned().into_os_string();
        path.push(beside);
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}
