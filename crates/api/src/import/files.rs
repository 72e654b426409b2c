//! Files that hold what was measured, read piece by piece: each piece says where it stands.
//! What cannot be read is told with its place, and then nothing of the file counts.

mod csv;
mod edf;
mod parquet;
mod recording;
mod table;
#[cfg(test)]
mod tests;
mod wfdb;

use std::{
    collections::BTreeSet,
    fs::File,
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use model::Timestamp;
use security::Sha256;

use super::part::Wave;
use crate::limits::IMPORT_RECORDING_LEN_MAX;

/// In which form a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A table of text.
    Csv,
    /// A table of Parquet.
    Parquet,
    /// A record of WFDB, by its header.
    Wfdb,
    /// EDF, EDF+C or EDF+D.
    Edf,
}

impl Form {
    /// The word for it, as the interface spells it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Parquet => "parquet",
            Self::Wfdb => "wfdb",
            Self::Edf => "edf",
        }
    }

    /// The form that a name's ending tells.
    pub fn of(path: &Path) -> Option<Self> {
        match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
            "csv" => Some(Self::Csv),
            "parquet" => Some(Self::Parquet),
            "hea" => Some(Self::Wfdb),
            "edf" => Some(Self::Edf),
            _ => None,
        }
    }
}

/// What a column or a signal of a file is of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapped {
    /// The column's or the signal's name in the file.
    pub name: String,
    /// The channel of the device.
    pub channel: String,
    /// The unit, if it is not that of the profile or of the file.
    pub unit: Option<String>,
}

/// How a file is to be understood.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// What is of which channel. What has a channel's own name needs no entry.
    pub maps: Vec<Mapped>,
    /// The channels of the device's profile.
    pub channels: BTreeSet<String>,
    /// The column of the time, if it has another name than those that are usual.
    pub time: Option<String>,
    /// When a recording began that does not say so itself, or says it wrongly.
    pub start: Option<Timestamp>,
    /// Of a table of several devices only what is of this one, by its id there.
    pub of_device: Option<String>,
}

impl Reading {
    /// The channel and the unit of a column or a signal.
    fn channel_of(&self, name: &str) -> Option<(String, Option<String>)> {
        let mapped = self.maps.iter().find(|it| it.name == name);
        let mapped = mapped.map(|it| (it.channel.clone(), it.unit.clone()));
        mapped.or_else(|| self.channels.contains(name).then(|| (name.to_owned(), None)))
    }
}

/// One value, or why there is none.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "as in a part")]
pub struct Value {
    pub channel: String,
    pub code: Option<String>,
    pub unit: Option<String>,
    pub at_ns: i64,
    pub value: Option<String>,
    pub missing: Option<String>,
}

/// A piece of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// A value.
    Value(Value),
    /// A stretch of a waveform.
    Wave(Wave),
}

/// Where in a file something stands: `line 7`, `row 7`, `sample 7`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place(pub &'static str, pub u64);

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.0, self.1)
    }
}

/// What was read besides its pieces.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Read {
    /// Columns or signals that are of no channel, and were left out.
    pub unmapped: Vec<String>,
    /// Rows of other devices, which were left out.
    pub of_others: u64,
}

/// Why a file is not read.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it all")]
pub enum FileError {
    #[error("{} cannot be read", .0.display())]
    Io(PathBuf, #[source] io::Error),
    #[error("{}, {place}: {what}", .path.display())]
    At { path: PathBuf, place: Place, what: String },
    #[error("{}: {what}", .path.display())]
    Whole { path: PathBuf, what: String },
    #[error("reading was ended")]
    Stopped,
}

/// Takes the pieces of a file in their order; `false` ends the reading.
pub type Take<'a> = dyn FnMut(Piece, Place) -> bool + 'a;

/// Reads a file from its beginning to its end.
pub fn read(
    path: &Path,
    form: Form,
    reading: &Reading,
    take: &mut Take<'_>,
) -> Result<Read, FileError> {
    match form {
        Form::Csv => csv::read(path, reading, take),
        Form::Parquet => parquet::read(path, reading, take),
        Form::Wfdb => wfdb::read(path, reading, take),
        Form::Edf => edf::read(path, reading, take),
    }
}

/// Tables beside the values of an own export, which say what does not count and why.
const BESIDE: [&str; 2] = ["corrected.csv", "corrections.csv"];

fn is_beside(path: &Path) -> bool {
    path.file_name().is_some_and(|name| BESIDE.iter().any(|it| name.eq_ignore_ascii_case(it)))
}

/// The files of a folder that can be imported, or the one file, each with its form, in the order
/// of their names. The parts of a recording of several segments are left to its header.
pub fn found(path: &Path, form: Option<Form>) -> Result<Vec<(PathBuf, Form)>, FileError> {
    let fault = |source| FileError::Io(path.to_owned(), source);
    if !path.is_dir() {
        if is_beside(path) {
            let what = "it says what does not count of an export; import the folder, or values.csv";
            return Err(FileError::Whole { path: path.to_owned(), what: what.to_owned() });
        }
        let form = form.or_else(|| Form::of(path)).ok_or_else(|| FileError::Whole {
            path: path.to_owned(),
            what: "its name does not tell its form; say it with --format".to_owned(),
        })?;
        return Ok(vec![(path.to_owned(), form)]);
    }
    let mut files = Vec::new();
    for entry in std::fs::read_dir(path).map_err(fault)? {
        let path = entry.map_err(fault)?.path();
        if is_beside(&path) {
            continue;
        }
        files.extend(
            Form::of(&path)
                .filter(|it| form.is_none_or(|form| form == *it))
                .map(|form| (path, form)),
        );
    }
    files.sort_by(|one, other| one.0.cmp(&other.0));
    let parts = wfdb::parts_of(files.iter().filter(|it| it.1 == Form::Wfdb).map(|it| &*it.0))?;
    files.retain(|(path, _)| !parts.contains(path));
    if files.is_empty() {
        let what = "there is no file in it that can be imported".to_owned();
        return Err(FileError::Whole { path: path.to_owned(), what });
    }
    Ok(files)
}

/// SHA-256 of a file, of a recording with the files of its samples behind its header.
pub fn digest(path: &Path, form: Form) -> Result<[u8; 32], FileError> {
    let mut sum = Sha256::new();
    let more = if form == Form::Wfdb { wfdb::files_of(path)? } else { Vec::new() };
    for path in [path.to_owned()].into_iter().chain(more) {
        let fault = |source| FileError::Io(path.clone(), source);
        let mut file = File::open(&path).map_err(fault)?;
        let mut bytes = vec![0; 1 << 16];
        loop {
            let len = file.read(&mut bytes).map_err(fault)?;
            if len == 0 {
                break;
            }
            sum.add(bytes.get(..len).unwrap_or_default());
        }
    }
    Ok(sum.finish())
}

/// A whole file in memory, if it is not too long for that.
fn whole(path: &Path) -> Result<Vec<u8>, FileError> {
    let fault = |source| FileError::Io(path.to_owned(), source);
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(fault)?;
    file.take(IMPORT_RECORDING_LEN_MAX.saturating_add(1)).read_to_end(&mut bytes).map_err(fault)?;
    if u64::try_from(bytes.len()).is_ok_and(|len| len > IMPORT_RECORDING_LEN_MAX) {
        let what = format!("it has more than {IMPORT_RECORDING_LEN_MAX} bytes");
        return Err(FileError::Whole { path: path.to_owned(), what });
    }
    Ok(bytes)
}
