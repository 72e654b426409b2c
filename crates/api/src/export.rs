//! Export: everything measured of a patient, or by a device, over a range, as files that
//! other programs read, with a statement of how much of what was promised is there.
//!
//! Whose a value is, is asked of the associations for the time of measurement, as for every
//! chart. Single values become a table; waveforms become tracks first, which each form of
//! file then writes in its own way: nothing is resampled, rounded, or filled in.
//!
//! **Absent on purpose:** who may ask. Whoever holds the data directory holds everything; a
//! route that offers this must ask the policy for each part.

mod corrected;
mod csv;
mod edf;
mod groups;
mod parquet;
mod statement;
mod tracks;
mod values;
mod wfdb;

use std::{
    collections::BTreeMap,
    fs::{self, DirBuilder, File},
    io::{self, BufWriter, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    sync::Arc,
};

use engine::Directory;
use jiff::{civil::DateTime, tz::TimeZone};
use model::{Channel, DeviceId, OrgId, PatientId, Timestamp};
use protocols::profile::Profile;
use store::{DamagedSpan, DatabaseError, Question, Records, RecordsError, Series};

use crate::{
    history::{Part, parts_of_device, parts_of_patient},
    past::Span,
};

/// What an export reads.
#[derive(Debug)]
#[expect(missing_docs, reason = "the types say it all")]
pub struct Stored {
    pub series: Series,
    pub records: Records,
    pub directory: Arc<Directory>,
    pub profiles: Arc<BTreeMap<String, Profile>>,
    /// Nothing is missing from the future.
    pub now: Timestamp,
}

/// Whose data is exported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it all")]
pub enum Whom {
    Patient(PatientId),
    Device(DeviceId),
}

/// In which files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Values and waveforms as tables of text.
    Csv,
    /// Values as a table of text, waveforms as WFDB records of format 16.
    Wfdb,
    /// Values as a table of text, waveforms as EDF+.
    Edf,
    /// Values and waveforms as tables of Parquet.
    Parquet,
}

/// What is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it all")]
pub struct Wish {
    pub whom: Whom,
    pub from: Timestamp,
    pub to: Timestamp,
    /// Whose a value is, is answered by what was known then.
    pub known_at: Timestamp,
    pub form: Form,
    /// Whether names, birth dates and record numbers are written too.
    pub with_names: bool,
}

/// How far an export is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Reading: so many seconds of so many, over all channels.
    Read {
        /// Seconds read.
        done_s: u64,
        /// Seconds to read.
        of_s: u64,
    },
    /// Writing: so many samples of waveforms of so many.
    Write {
        /// Samples written.
        done_samples: u64,
        /// Samples to write.
        of_samples: u64,
    },
}

/// One file that was written.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Written {
    /// Its name in the folder.
    pub name: String,
    /// What it holds, in a few words.
    pub holds: String,
    /// Rows of a table, or samples of all signals.
    pub count: u64,
}

/// What an export came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exported {
    /// Single values, those that say why there is none included.
    pub values: u64,
    /// Samples of waveforms.
    pub samples: u64,
    /// The covered share of what was promised of all channels, in thousandths; none of nothing.
    pub covered_permille: Option<u16>,
    /// Every file.
    pub files: Vec<Written>,
}

/// Why there is no export.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it all")]
pub enum ExportError {
    #[error("no patient has the id {0}")]
    NoPatient(PatientId),
    #[error("no device has the id {0}")]
    NoDevice(DeviceId),
    #[error("the range ends before it begins")]
    Range,
    #[error("{} is there and not empty; name a folder that is new", .0.display())]
    NotEmpty(PathBuf),
    #[error(
        "{} is what an export left that did not finish; remove it, or name another folder",
        .0.display()
    )]
    Unfinished(PathBuf),
    #[error("the series cannot be read")]
    Series(#[from] DatabaseError),
    #[error("the records cannot be read")]
    Records(#[from] RecordsError),
    #[error("{} cannot be written", path.display())]
    Write { path: PathBuf, source: io::Error },
    #[error("waveforms cannot be kept aside while they are read")]
    Aside(#[source] io::Error),
}

impl Stored {
    /// Writes the files of an export into a folder that is new or empty, and that is there only
    /// once they are whole; `tell` is told how far it is. Blocks for as long as that takes.
    pub fn export(
        &self,
        wish: &Wish,
        folder: &Path,
        tell: &mut dyn FnMut(Step),
    ) -> Result<Exported, ExportError> {
        if wish.from >= wish.to {
            return Err(ExportError::Range);
        }
        let (org, parts) = self.parts(wish)?;
        let mut out = Folder::open(folder)?;
        let mut reading =
            Reading { wish, org, parts: &parts, tell, done_s: 0, of_s: 0, lost: Vec::new() };
        reading.of_s = self.seconds(&reading);
        let values = values::export(self, &mut reading, &mut out)?;
        corrected::corrections(self, &reading, &mut out)?;
        let tracks = tracks::read(self, &mut reading, &out.path)?;
        let lost = std::mem::take(&mut reading.lost);
        let samples = tracks.iter().map(tracks::Track::len).sum();
        let mut writing = Writing { done: 0, of: samples, tell: &mut *reading.tell };
        let about = About { stored: self, wish };
        let groups = match wish.form {
            Form::Csv => groups::Groups::default().with_wide(tracks),
            Form::Parquet => {
                parquet::waves(&tracks, &mut out, &mut writing)?;
                groups::Groups::default().with_read(tracks)
            }
            Form::Wfdb | Form::Edf => groups::Groups::of(tracks),
        };
        for (number, group) in (1..).zip(&groups.alike) {
            match wish.form {
                Form::Edf => edf::write(&about, number, group, &mut out, &mut writing)?,
                Form::Wfdb | Form::Csv | Form::Parquet => {
                    wfdb::write(number, group, &mut out, &mut writing)?;
                }
            }
        }
        if !groups.wide.is_empty() {
            csv::waves(&groups.wide, &mut out, &mut writing)?;
        }
        let covered_permille =
            statement::write(self, wish, (org, &parts, &lost), &groups, &mut out)?;
        let files = out.finish()?;
        Ok(Exported { values, samples, covered_permille, files })
    }

    fn parts(&self, wish: &Wish) -> Result<(OrgId, Vec<Part>), ExportError> {
        let span = Span { from: wish.from, to: wish.to };
        let directory = &self.directory;
        match wish.whom {
            Whom::Patient(patient) => {
                let known = directory.patients.get(&patient);
                let org = known.ok_or(ExportError::NoPatient(patient))?.org;
                Ok((org, parts_of_patient(directory, patient, span, wish.known_at)))
            }
            Whom::Device(device) => {
                let known = directory.devices.get(&device);
                let org = known.ok_or(ExportError::NoDevice(device))?.org;
                Ok((org, parts_of_device(directory, device, span, wish.known_at)))
            }
        }
    }

    /// The channels of a device, without what the program notes of it.
    fn channels(&self, org: OrgId, device: DeviceId) -> Vec<Channel> {
        let mut channels = self.series.channels_of(org, device);
        channels.retain(|channel| !channel.0.starts_with("wardline/"));
        channels
    }

    /// Seconds that are read, over all channels, for their values and for their waveforms.
    fn seconds(&self, reading: &Reading<'_>) -> u64 {
        let of = |part: &Part| {
            let spans: u64 = part.spans.iter().map(|it| it.to.since(it.from).as_secs()).sum();
            let channels = self.channels(reading.org, part.device).len();
            spans.saturating_mul(u64::try_from(channels).unwrap_or(0)).saturating_mul(2)
        };
        reading.parts.iter().map(of).sum()
    }
}

/// What is being read, and how far.
struct Reading<'a> {
    wish: &'a Wish,
    org: OrgId,
    parts: &'a [Part],
    tell: &'a mut dyn FnMut(Step),
    done_s: u64,
    of_s: u64,
    lost: Vec<Lost>,
}

/// What is stored of a channel and cannot be read.
struct Lost {
    device: DeviceId,
    patient: Option<PatientId>,
    channel: Channel,
    span: Span,
}

impl Reading<'_> {
    /// Remembers what of a window could not be read.
    fn lacks(&mut self, part: &Part, channel: &Channel, (damaged, window): (&[DamagedSpan], Span)) {
        for span in damaged.iter().filter_map(|it| window.of(*it)) {
            let (device, patient, channel) = (part.device, part.patient, channel.clone());
            self.lost.push(Lost { device, patient, channel, span });
        }
    }

    /// Asks a channel of a device for a window.
    fn question(&self, (device, channel): (DeviceId, &Channel), window: Span) -> Question {
        let (org, channel) = (self.org, channel.clone());
        Question { org, device, channel, from: window.from, to: window.to }
    }

    fn has_read(&mut self, span: Span) {
        self.done_s = self.done_s.saturating_add(span.to.since(span.from).as_secs());
        (self.tell)(Step::Read { done_s: self.done_s.min(self.of_s), of_s: self.of_s });
    }
}

/// How much of the waveforms is written.
struct Writing<'a> {
    done: u64,
    of: u64,
    tell: &'a mut dyn FnMut(Step),
}

impl Writing<'_> {
    fn has_written(&mut self, samples: u64) {
        self.done = self.done.saturating_add(samples);
        (self.tell)(Step::Write { done_samples: self.done, of_samples: self.of });
    }
}

/// What a file says about whom it is of.
struct About<'a> {
    stored: &'a Stored,
    wish: &'a Wish,
}

/// The folder that files are written into: `.unfinished` beside the one that was asked for,
/// whose name it gets at the end. Only its owner may read what patients are in.
struct Folder {
    path: PathBuf,
    wanted: PathBuf,
    files: Vec<Written>,
    is_finished: bool,
}

impl Folder {
    fn open(path: &Path) -> Result<Self, ExportError> {
        let fault = |source| ExportError::Write { path: path.to_owned(), source };
        let private = |recursive| {
            let mut builder = DirBuilder::new();
            builder.recursive(recursive).mode(0o700);
            builder
        };
        // Also says what `.` is called, and makes what the folder is to stand in.
        private(true).create(path).map_err(fault)?;
        let wanted = path.canonicalize().map_err(fault)?;
        if fs::read_dir(&wanted).map_err(fault)?.next().is_some() {
            return Err(ExportError::NotEmpty(path.to_owned()));
        }
        let mut unfinished = wanted.clone().into_os_string();
        unfinished.push(".unfinished");
        let unfinished = PathBuf::from(unfinished);
        fs::remove_dir(&wanted).map_err(fault)?;
        match private(false).create(&unfinished) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                return Err(ExportError::Unfinished(unfinished));
            }
            Err(source) => return Err(ExportError::Write { path: unfinished, source }),
        }
        Ok(Self { path: unfinished, wanted, files: Vec::new(), is_finished: false })
    }

    /// Gives the folder its name, once everything in it survives a crash.
    fn finish(mut self) -> Result<Vec<Written>, ExportError> {
        let all = || -> io::Result<()> {
            for entry in fs::read_dir(&self.path)? {
                File::open(entry?.path())?.sync_all()?;
            }
            File::open(&self.path)?.sync_all()?;
            fs::rename(&self.path, &self.wanted)?;
            self.wanted.parent().map_or(Ok(()), |parent| File::open(parent)?.sync_all())
        };
        all().map_err(|source| ExportError::Write { path: self.wanted.clone(), source })?;
        self.is_finished = true;
        Ok(std::mem::take(&mut self.files))
    }

    fn fault(&self, name: &str) -> impl Fn(io::Error) -> ExportError + use<> {
        let path = self.path.join(name);
        move |source| ExportError::Write { path: path.clone(), source }
    }

    fn create(&self, name: &str) -> Result<BufWriter<File>, ExportError> {
        let mut options = File::options();
        options.write(true).create_new(true).mode(0o600);
        options.open(self.path.join(name)).map(BufWriter::new).map_err(self.fault(name))
    }

    fn write(&self, name: &str, bytes: &[u8]) -> Result<(), ExportError> {
        let mut file = self.create(name)?;
        file.write_all(bytes).and_then(|()| file.flush()).map_err(self.fault(name))
    }

    fn wrote(&mut self, name: &str, holds: &str, count: u64) {
        self.files.push(Written { name: name.to_owned(), holds: holds.to_owned(), count });
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if !self.is_finished {
            // Whoever asked hears why there is none; what cannot be removed says by its name
            // that it is not whole.
            let _ = fs::remove_dir_all(&self.path);
        }
    }
}

/// An instant as RFC 3339 with all of its digits.
fn rfc3339(at: Timestamp) -> String {
    jiff::Timestamp::from_nanosecond(at.unix_nanos().into())
        .map_or_else(|_| at.unix_nanos().to_string(), |at| at.to_string())
}

/// An instant by the calendar of UTC.
fn civil(at: Timestamp) -> DateTime {
    jiff::Timestamp::from_nanosecond(at.unix_nanos().into())
        .unwrap_or_default()
        .to_zoned(TimeZone::UTC)
        .datetime()
}

/// Parts of a range of at most so many seconds.
fn windows(span: Span, seconds: u64) -> impl Iterator<Item = Span> {
    let length = std::time::Duration::from_secs(seconds.max(1));
    let next = move |last: &Span| {
        (last.to < span.to).then(|| Span { from: last.to, to: last.to.after(length).min(span.to) })
    };
    let first = Span { from: span.from, to: span.from.after(length).min(span.to) };
    std::iter::successors((span.from < span.to).then_some(first), next)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn mode(path: &Path) -> u32 {
        path.metadata().unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn only_their_owner_may_read_what_was_exported() {
        let place = tempfile::tempdir().unwrap();
        let wanted = place.path().join("all/of/it");
        let mut out = Folder::open(&wanted).unwrap();
        out.write("values.csv", b"a").unwrap();
        out.wrote("values.csv", "values", 1);
        assert_eq!(mode(&out.path), 0o700);
        assert!(!wanted.exists(), "it is not whole yet");
        assert_eq!(out.finish().unwrap().len(), 1);
        assert_eq!((mode(&wanted), mode(&wanted.join("values.csv"))), (0o700, 0o600));
        assert_eq!(fs::read_dir(place.path().join("all/of")).unwrap().count(), 1);
        // A folder that was there and empty is not left open to others either.
        let there = place.path().join("there");
        fs::create_dir(&there).unwrap();
        fs::set_permissions(&there, fs::Permissions::from_mode(0o755)).unwrap();
        Folder::open(&there).unwrap().finish().unwrap();
        assert_eq!(mode(&there), 0o700);
    }

    #[test]
    fn an_export_that_fails_in_the_middle_leaves_no_folder() {
        let place = tempfile::tempdir().unwrap();
        let wanted = place.path().join("out");
        let out = Folder::open(&wanted).unwrap();
        out.write("values.csv", b"a").unwrap();
        assert!(out.write("values.csv", b"b").is_err(), "it is there already");
        let second = Folder::open(&wanted).err().unwrap();
        assert!(matches!(second, ExportError::Unfinished(_)), "{second}");
        drop(out);
        assert_eq!(fs::read_dir(place.path()).unwrap().count(), 0);
        fs::create_dir(&wanted).unwrap();
        fs::write(wanted.join("a"), "b").unwrap();
        let refused = Folder::open(&wanted).err().unwrap();
        assert!(matches!(refused, ExportError::NotEmpty(_)), "{refused}");
        assert_eq!(fs::read_dir(place.path()).unwrap().count(), 1);
    }
}
