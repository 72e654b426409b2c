//! The two databases as files: killed, copied at any moment, cut short and flipped.
//!
//! They live in a data directory of their own, in memory where the machine has such a
//! place; the journal beside them lives on the simulated disk.

mod cuts;

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use model::Timestamp;
use rusqlite::{Connection, config::DbConfig};
use store::{
    AuditFilter, DamageState, DamagedSpan, DataDir, DataDirError, Draw, LogOffset, Noun, Point,
    Question, Records, Row, Series, WaveSpan, verify,
};

use crate::{
    model::{Broken, DEVICES, Measured, Model, channel, device, ensure, org, rows},
    rolls::{Rolled, check_rolls},
};

pub use cuts::{Shot, Survivor, Which};

const HOME: &str = "home";
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
    dir: DataDir,
    pub series: Series,
    pub records: Records,
}

/// How a flipped bit in a file was met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Met {
    /// A read named it.
    Named,
    /// A read answered the rest and said over which time it lacks something, and the chunk was
    /// made again from the journal.
    Remade,
    /// The same, but for the making: SQLite itself says that its file is not whole, as where the
    /// row's own keys were hit.
    Lacking,
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
        let copied = copy(template, &root.join(HOME));
        copied.map_err(|error| broken("the template cannot be copied", error))?;
        Self::open(root.to_owned())
    }

    /// Makes the template.
    pub fn template(place: &Path) -> Result<(), Broken> {
        let dir = DataDir::open(place).map_err(|error| broken("no data directory", error))?;
        open(&dir).map(drop)
    }

    fn open(root: PathBuf) -> Result<Self, Broken> {
        let dir = DataDir::open(root.join(HOME));
        let dir = dir.map_err(|error| broken("no data directory", error))?;
        let (series, records) = open(&dir)?;
        Ok(Self { root, dir, series, records })
    }

    /// What the next start finds if the program is killed now.
    pub fn killed(self) -> Result<Self, Broken> {
        let root = self.close_as_a_kill()?;
        Self::open(root)
    }

    /// Ends without a last word: what is in the write-ahead logs stays there, and nothing else.
    fn close_as_a_kill(self) -> Result<PathBuf, Broken> {
        let (root, place) = (self.root.clone(), self.dir.path().to_owned());
        let keepers = [RECORDS, SERIES].map(|name| keeper(&place.join(name)));
        drop(self);
        for keeper in keepers {
            drop(keeper.map_err(|error| broken("a database cannot be kept as it is", error))?);
        }
        // What the dead program had in memory.
        for name in [RECORDS, SERIES] {
            drop(fs::remove_file(place.join(format!("{name}-shm"))));
        }
        Ok(root)
    }

    /// The program stops in peace. What a power cut just then would leave of a database, if that
    /// is asked for, is looked at before the next start.
    pub fn restarted(
        self,
        cut: Option<Which>,
        draw: &mut Draw,
        judge: impl FnOnce(&Survivor) -> Result<(), Broken>,
    ) -> Result<Self, Broken> {
        let root = self.root.clone();
        let home = root.join(HOME);
        let before = cut.map(|which| Shot::of(&home, which)).transpose()?;
        drop(self);
        if let Some(which) = cut {
            cuts::empty_log(&home, which).map_err(|error| broken("a log stays full", error))?;
        }
        if let Some(before) = before
            && let Some(survivor) = before.emptied(&home, &root.join("cut"), draw)?
        {
            judge(&survivor)?;
        }
        Self::open(root)
    }

    /// A database as it is, before something is written to it.
    pub fn shot(&self, which: Which) -> Result<Shot, Broken> {
        Shot::of(self.dir.path(), which)
    }

    /// What a power cut would leave of a database during what was written since the shot.
    pub fn survivor(&self, before: &Shot, draw: &mut Draw) -> Result<Option<Survivor>, Broken> {
        before.cut(self.dir.path(), &self.root.join("cut"), draw)
    }

    /// Nobody else may open what is open.
    pub fn refuses_a_second(&self) -> Result<(), Broken> {
        let second = DataDir::open(self.dir.path());
        ensure!(matches!(second, Err(DataDirError::Held { .. })), "a second program was let in");
        Ok(())
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
            // Else the log would have everything, and nobody would read the database.
            for which in [Which::Records, Which::Series] {
                cuts::empty_log(place, which).map_err(|it| broken("a log stays full", it))?;
            }
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
    let (mut short, mut is_named) = (false, false);
    for number in 0..DEVICES {
        let (want, waves) = (model.points(up_to, number), model.waves(up_to, number));
        let Ok(found) = series.query(&question(number, "HR")) else { return Ok(Met::Named) };
        is_named |= !found.damaged.is_empty();
        let points: Vec<Point> = found.stretches.into_iter().flat_map(|it| it.items).collect();
        ensure!(points.iter().all(|it| want.contains(it)), "a garbled point was served");
        let lost = want.iter().filter(|it| !points.contains(it)).map(|it| it.at);
        short |= !named(lost, &found.damaged);
        let Ok(found) = series.query_wave(&question(number, "ECG_II")) else {
            return Ok(Met::Named);
        };
        is_named |= !found.damaged.is_empty();
        let spans: Vec<WaveSpan> = found.stretches.into_iter().flat_map(|it| it.items).collect();
        ensure!(spans.iter().all(|it| waves.contains(it)), "a garbled waveform was served");
        let lost = waves.iter().filter(|it| !spans.contains(it)).map(|it| it.at);
        short |= !named(lost, &found.damaged);
    }
    if is_named && !short {
        return remade(dir, &series, model, up_to);
    }
    // Where an index led astray, a stretch lacks points that a longer one has (decision 0026).
    match check_rolls(&series, |device| model.points(up_to, device)) {
        Rolled::Right => {}
        Rolled::Named => return Ok(Met::Named),
        Rolled::Wrong(_) => short = true,
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

/// Whether all that lacks lies where an answer says that something does.
fn named(mut lost: impl Iterator<Item = Timestamp>, damaged: &[DamagedSpan]) -> bool {
    lost.all(|at| damaged.iter().any(|it| it.from <= at && at < it.to))
}

/// Makes damaged chunks again of what the journal has, and compares.
fn remade(dir: &DataDir, series: &Series, model: &Model, up_to: LogOffset) -> Result<Met, Broken> {
    let is_whole = is_whole(&dir.series());
    match mended(series, model, up_to, is_whole) {
        // SQLite itself says that the file is not what it was.
        Err(Broken(what)) if what.contains("DatabaseCorrupt") => Ok(Met::Named),
        other => other,
    }
}

/// Whether pages, rows and indexes of a database agree, whatever stands in the values.
fn is_whole(path: &Path) -> bool {
    let asked = Connection::open(path).and_then(|db| {
        db.query_row("PRAGMA integrity_check(1)", [], |row| row.get::<_, String>(0))
    });
    asked.is_ok_and(|said| said == "ok")
}

fn mended(series: &Series, model: &Model, up_to: LogOffset, is_whole: bool) -> Result<Met, Broken> {
    let failed = |error| broken("damage cannot be noted or mended", error);
    let now = crate::model::begin();
    series.note_damage(now).map_err(failed)?;
    let noted = series.damage().map_err(failed)?;
    for chunk in &noted {
        let Some(mut mend) = series.begin_mend(chunk).map_err(failed)? else { continue };
        let of = mend.key().device;
        for number in (0..DEVICES).filter(|number| device(*number) == of) {
            model.points(up_to, number).into_iter().for_each(|it| mend.offer(it));
            model.waves(up_to, number).into_iter().for_each(|it| mend.offer_wave(it));
        }
        ensure!(mend.has_all() || !is_whole, "a chunk is wanted of which the journal has less");
        mend.finish(false, now).map_err(failed)?;
    }
    let after = series.damage().map_err(failed)?;
    let are_mended = after.iter().all(|it| it.state == DamageState::Mended);
    if noted.is_empty() || !are_mended {
        // Where an index led a read astray nothing is noted; and a row whose keys were hit cannot
        // be taken out of the indexes.
        ensure!(!is_whole, "a chunk was not made again of a journal that has it: {after:?}");
        check_but_damaged(series, model, up_to)?;
        return Ok(Met::Lacking);
    }
    check_series(series, model, up_to)?;
    let (_, damaged) = series.check_chunks().map_err(failed)?;
    ensure!(damaged.is_empty(), "a chunk was made again, and is damaged: {damaged:?}");
    Ok(Met::Remade)
}

/// Compares the series with what was measured up to a place, but for what they say is damaged.
fn check_but_damaged(series: &Series, model: &Model, up_to: LogOffset) -> Result<(), Broken> {
    for number in 0..DEVICES {
        let found = series.query(&question(number, "HR"));
        let found = found.map_err(|error| broken("points cannot be read", error))?;
        let points: Vec<Point> = found.stretches.into_iter().flat_map(|it| it.items).collect();
        let want = model.points(up_to, number);
        ensure!(points.iter().all(|it| want.contains(it)), "a garbled point was served");
        let lost = want.iter().filter(|it| !points.contains(it)).map(|it| it.at);
        ensure!(named(lost, &found.damaged), "points went where none was called damaged");
        let found = series.query_wave(&question(number, "ECG_II"));
        let found = found.map_err(|error| broken("waveforms cannot be read", error))?;
        let spans: Vec<WaveSpan> = found.stretches.into_iter().flat_map(|it| it.items).collect();
        let want = model.waves(up_to, number);
        ensure!(spans.iter().all(|it| want.contains(it)), "a garbled waveform was served");
        let lost = want.iter().filter(|it| !spans.contains(it)).map(|it| it.at);
        ensure!(named(lost, &found.damaged), "waveforms went where none was called damaged");
    }
    Ok(())
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
        ensure!(found.damaged.is_empty(), "points of device {number} are called damaged");
        let found: Vec<Point> = found.stretches.into_iter().flat_map(|it| it.items).collect();
        let want = model.points(up_to, number);
        ensure!(
            found == want,
            "device {number} has {} points, and {} were acknowledged",
            found.len(),
            want.len()
        );
        let found = series.query_wave(&question(number, "ECG_II"));
        let found = found.map_err(|error| broken("waveforms cannot be read", error))?;
        ensure!(found.damaged.is_empty(), "waveforms of device {number} are called damaged");
        let found: Vec<WaveSpan> = found.stretches.into_iter().flat_map(|it| it.items).collect();
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

/// Another reader of a database, open while the program closes its own: the last to close it
/// empties its log into it, and this one is told not to.
fn keeper(path: &Path) -> rusqlite::Result<Connection> {
    let keeper = Connection::open(path)?;
    keeper.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    keeper.query_row("PRAGMA schema_version", [], |_| Ok(()))?;
    Ok(keeper)
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
