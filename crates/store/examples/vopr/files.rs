//! The two databases as files: killed, copied at any moment, cut short and flipped.
//!
//! They live in a data directory of their own, in memory where the machine has such a
//! place; the journal beside them lives on the simulated disk.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use model::Timestamp;
use store::{
    AuditFilter, DataDir, DataDirError, Draw, LogOffset, Noun, Point, Question, Records, Row,
    Series, WaveSpan, verify,
};

use crate::model::{Broken, DEVICES, Measured, Model, channel, device, ensure, org, rows};

const RECORDS: &str = "records.sqlite";
const SERIES: &str = "series/series.sqlite";
/// What stands in a data directory apart from locks and what SQLite makes anew.
const KEPT: [&str; 5] =
    ["FORMAT", RECORDS, "records.sqlite-wal", SERIES, "series/series.sqlite-wal"];

fn broken(what: &str, error: impl std::fmt::Debug) -> Broken {
    Broken(format!("{what}: {error:?}"))
}

/// An open data directory.
pub struct Files {
    root: PathBuf,
    generation: u64,
    dir: DataDir,
    pub series: Series,
    pub records: Records,
}

/// How a flipped bit in a file was met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Met {
    /// A read named it.
    Named,
    /// It hit nothing that is read.
    Harmless,
    /// Reads gave less than there was, and the look at every byte named it.
    Verified,
    /// The write-ahead log ends before it: an earlier commit is there, whole.
    Earlier,
}

impl Files {
    /// New databases below `root`, from a template as making tables is slow.
    pub fn new(root: &Path, template: &Path) -> Result<Self, Broken> {
        let place = root.join("0");
        copy(template, &place).map_err(|error| broken("the template cannot be copied", error))?;
        Self::open(root.to_owned(), 0)
    }

    /// Makes the template.
    pub fn template(place: &Path) -> Result<(), Broken> {
        let dir = DataDir::open(place).map_err(|error| broken("no data directory", error))?;
        open(&dir).map(drop)
    }

    fn open(root: PathBuf, generation: u64) -> Result<Self, Broken> {
        let place = root.join(generation.to_string());
        let dir = DataDir::open(place).map_err(|error| broken("no data directory", error))?;
        let (series, records) = open(&dir)?;
        Ok(Self { root, generation, dir, series, records })
    }

    fn place(&self, generation: u64) -> PathBuf {
        self.root.join(generation.to_string())
    }

    /// What the next start finds if the program is killed now.
    pub fn killed(self) -> Result<Self, Broken> {
        let next = self.generation.saturating_add(1);
        let place = self.place(next);
        copy(self.dir.path(), &place).map_err(|error| broken("a copy failed", error))?;
        let (root, old) = (self.root.clone(), self.place(self.generation));
        drop(self);
        drop(fs::remove_dir_all(old));
        Self::open(root, next)
    }

    /// The program is stopped and started.
    pub fn restarted(self) -> Result<Self, Broken> {
        let (root, generation) = (self.root.clone(), self.generation);
        drop(self);
        Self::open(root, generation)
    }

    /// Nobody else may open what is open.
    pub fn refuses_a_second(&self) -> Result<(), Broken> {
        let second = DataDir::open(self.dir.path());
        ensure!(matches!(second, Err(DataDirError::Held { .. })), "a second program was let in");
        Ok(())
    }

    /// Length of the series' write-ahead log, and the database as it is.
    pub fn series_state(&self) -> Result<(u64, Vec<u8>), Broken> {
        let wal = self.dir.path().join("series/series.sqlite-wal");
        let len = fs::metadata(wal).map_or(0, |it| it.len());
        let bytes = fs::read(self.dir.path().join(SERIES));
        Ok((len, bytes.map_err(|error| broken("the series cannot be read", error))?))
    }

    /// A copy whose series log was cut at `len`, as if the program had been killed there.
    pub fn cut(&self, len: u64) -> Result<Option<(LogOffset, Vec<u8>)>, Broken> {
        let place = self.root.join("cut");
        let cut = || {
            copy(self.dir.path(), &place)?;
            let wal = place.join("series/series.sqlite-wal");
            fs::OpenOptions::new().write(true).open(wal)?.set_len(len)
        };
        cut().map_err(|error| broken("a copy failed", error))?;
        let series = Series::open(place.join(SERIES)).map_err(|it| broken("cut short", it))?;
        let found = series.load_checkpoint().map_err(|it| broken("cut short", it))?;
        drop(series);
        drop(fs::remove_dir_all(place));
        Ok(found)
    }

    /// Flips a bit in a copy of one of the files, and asks everything.
    pub fn flip(&self, model: &Model, asked: &Asked, draw: &mut Draw) -> Result<Met, Broken> {
        let place = self.root.join("flipped");
        drop(fs::remove_dir_all(&place));
        copy(self.dir.path(), &place).map_err(|error| broken("a copy failed", error))?;
        let flipped = self.flip_in(&place, model, asked, draw);
        drop(fs::remove_dir_all(&place));
        flipped
    }

    fn flip_in(
        &self,
        place: &Path,
        model: &Model,
        asked: &Asked,
        draw: &mut Draw,
    ) -> Result<Met, Broken> {
        let in_log = draw.once_in(4);
        if !in_log {
            // The last to close a database empties its log into it.
            let dir = DataDir::open(place).map_err(|error| broken("no data directory", error))?;
            drop(open(&dir)?);
        }
        let name = match (draw.once_in(2), in_log) {
            (true, true) => "records.sqlite-wal",
            (true, false) => RECORDS,
            (false, true) => "series/series.sqlite-wal",
            (false, false) => SERIES,
        };
        let path = place.join(name);
        let mut bytes = fs::read(&path).unwrap_or_default();
        // Half of them hit what was written, the others anything.
        let used: Vec<usize> = match draw.once_in(2) {
            true => (0..bytes.len()).filter(|at| bytes.get(*at).is_some_and(|b| *b != 0)).collect(),
            false => Vec::new(),
        };
        let at = match used.get(draw.below(used.len())) {
            Some(at) => *at,
            None => draw.below(bytes.len()),
        };
        let bit = 1_u8.wrapping_shl(u32::try_from(draw.below(8)).unwrap_or(0));
        let Some(byte) = bytes.get_mut(at) else { return Ok(Met::Harmless) };
        *byte ^= bit;
        fs::write(&path, &bytes).map_err(|error| broken("a copy failed", error))?;
        let dir = DataDir::open(place).map_err(|error| broken("no data directory", error))?;
        let judged = judge(&dir, model, asked);
        judged
            .map_err(|Broken(what)| Broken(format!("bit {bit:#x} of byte {at} of {name}: {what}")))
    }
}

/// What the databases must answer.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    /// Checkpoints that were ever made, the newest last.
    pub sealed: Vec<(LogOffset, Vec<u8>)>,
    /// Places up to which rows were applied, the newest last.
    pub applied: Vec<LogOffset>,
}

fn open(dir: &DataDir) -> Result<(Series, Records), Broken> {
    let series = Series::open(dir.series()).map_err(|it| broken("the series do not open", it))?;
    let records =
        Records::open(&dir.records()).map_err(|it| broken("the records do not open", it))?;
    Ok((series, records))
}

/// Asks a directory with a flipped bit everything, and compares.
fn judge(dir: &DataDir, model: &Model, asked: &Asked) -> Result<Met, Broken> {
    let Ok(series) = Series::open(dir.series()) else { return Ok(Met::Named) };
    let Ok(records) = Records::open(&dir.records()) else { return Ok(Met::Named) };
    let (Ok(checkpoint), Ok(applied)) = (series.load_checkpoint(), records.applied()) else {
        return Ok(Met::Named);
    };
    let is_newest = checkpoint.as_ref() == asked.sealed.last()
        && applied == asked.applied.last().copied().unwrap_or_default();
    ensure!(
        checkpoint.as_ref().is_none_or(|it| asked.sealed.contains(it)),
        "a checkpoint was served that nobody made"
    );
    let up_to = checkpoint.map_or(LogOffset::default(), |(offset, _)| offset);
    let mut short = false;
    for number in 0..DEVICES {
        let (want, waves) = (model.points(up_to, number), model.waves(up_to, number));
        let Ok(found) = series.query(&question(number, "HR")) else { return Ok(Met::Named) };
        let found: Vec<Point> = found.into_iter().flat_map(|it| it.items).collect();
        ensure!(found.iter().all(|it| want.contains(it)), "a garbled point was served");
        short |= found != want;
        let Ok(found) = series.query_wave(&question(number, "ECG_II")) else {
            return Ok(Met::Named);
        };
        let found: Vec<WaveSpan> = found.into_iter().flat_map(|it| it.items).collect();
        ensure!(found.iter().all(|it| waves.contains(it)), "a garbled waveform was served");
        short |= found != waves;
    }
    let want: Vec<Row> = model.up_to(applied).flat_map(rows).collect();
    let Ok(found) = audit(&records) else { return Ok(Met::Named) };
    let wanted = audit_of(&want);
    ensure!(found.iter().all(|it| wanted.contains(it)), "a garbled audit row was served");
    short |= found != wanted;
    let Ok(found) = beds(&records) else { return Ok(Met::Named) };
    let wanted = beds_of(&want);
    ensure!(found.iter().all(|it| wanted.contains(it)), "a garbled line of a bed was served");
    short |= found != wanted;
    if !short && is_newest {
        return Ok(Met::Harmless);
    }
    let is_known = asked.applied.contains(&applied) || applied == LogOffset::default();
    if !short && is_known {
        return Ok(Met::Earlier);
    }
    drop((series, records));
    let report = verify(dir);
    ensure!(
        report.as_ref().map_or(true, |report| !report.is_sound()),
        "something is missing, and nothing names it"
    );
    Ok(Met::Verified)
}

fn question(number: u64, channel: &str) -> Question {
    let (from, to) = (i64::MIN, i64::MAX);
    Question {
        org: org(),
        device: device(number),
        channel: channel.into(),
        from: Timestamp::from_unix_nanos(from),
        to: Timestamp::from_unix_nanos(to),
    }
}

type AuditLine = (LogOffset, Timestamp, record::AuditEntry);

fn audit(records: &Records) -> Result<Vec<AuditLine>, store::RecordsError> {
    let found = records.audit(org(), &AuditFilter::default(), 1 << 20)?;
    Ok(found.into_iter().rev().map(|row| (row.offset, row.at, row.entry)).collect())
}

fn audit_of(rows: &[Row]) -> Vec<AuditLine> {
    let audit = |row: &Row| match &row.noun {
        Noun::Audit(entry) => Some((row.offset, row.known_at, entry.clone())),
        _ => None,
    };
    rows.iter().filter_map(audit).collect()
}

type BedLine = (Option<model::PatientId>, Timestamp, Timestamp);

fn beds(records: &Records) -> Result<Vec<BedLine>, store::RecordsError> {
    let bed = model::BedId::v7(crate::model::begin(), 1);
    let found = records.bed_history(org(), bed)?;
    Ok(found.into_iter().map(|row| (row.patient, row.from, row.known_at)).collect())
}

fn beds_of(rows: &[Row]) -> Vec<BedLine> {
    let line = |row: &Row| match &row.noun {
        Noun::Encounter(line) => Some((line.value, line.from, line.known_at)),
        _ => None,
    };
    rows.iter().filter_map(line).collect()
}

/// Compares the series with all that was measured up to a place.
pub fn check_series(series: &Series, model: &Model, up_to: LogOffset) -> Result<(), Broken> {
    for number in 0..DEVICES {
        let found = series.query(&question(number, "HR"));
        let found = found.map_err(|error| broken("points cannot be read", error))?;
        let found: Vec<Point> = found.into_iter().flat_map(|it| it.items).collect();
        let want = model.points(up_to, number);
        ensure!(
            found == want,
            "device {number} has {} points, and {} were acknowledged",
            found.len(),
            want.len()
        );
        let found = series.query_wave(&question(number, "ECG_II"));
        let found = found.map_err(|error| broken("waveforms cannot be read", error))?;
        let found: Vec<WaveSpan> = found.into_iter().flat_map(|it| it.items).collect();
        let want = model.waves(up_to, number);
        ensure!(found == want, "device {number} has {} of {} spans", found.len(), want.len());
    }
    Ok(())
}

/// Whether the sealed chunks have a stretch of a device's waveform, every sample of it.
pub fn is_sealed(series: &Series, device: u64, wave: &WaveSpan) -> Result<bool, Broken> {
    let found = series.sealed_waves(&question(device, "ECG_II"));
    let found = found.map_err(|error| broken("sealed waveforms cannot be read", error))?;
    Ok(found.iter().any(|stretch| stretch.items.contains(wave)))
}

/// Compares the records with all rows up to a place.
pub fn check_records(records: &Records, model: &Model, up_to: LogOffset) -> Result<(), Broken> {
    let applied = records.applied().map_err(|error| broken("`applied` cannot be read", error))?;
    ensure!(applied == up_to, "rows are applied up to {applied}, and were up to {up_to}");
    let want: Vec<Row> = model.up_to(up_to).flat_map(rows).collect();
    let found = audit(records).map_err(|error| broken("the audit cannot be read", error))?;
    let wanted = audit_of(&want);
    ensure!(found == wanted, "{} audit rows instead of {}", found.len(), wanted.len());
    let found = beds(records).map_err(|error| broken("a bed cannot be read", error))?;
    ensure!(found == beds_of(&want), "a bed has another history");
    Ok(())
}

/// The series into which a measurement goes.
pub fn push(series: &Series, device: u64, measured: Measured) {
    let key = crate::model::key(device, &measured);
    debug_assert_eq!(key.channel, channel(&measured));
    let id = series.series(&key);
    // Memory is far from full, and everything is compared later.
    let _ = match measured {
        Measured::Point(point) => series.push(id, point),
        Measured::Wave(wave) => series.push_wave(id, wave),
    };
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to.join("series"))?;
    for name in KEPT {
        if from.join(name).exists() {
            fs::copy(from.join(name), to.join(name))?;
        }
    }
    Ok(())
}
