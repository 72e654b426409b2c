//! `wardline store backup`, `restore`, `rehearse` and `prune`: sealed copies of a data directory
//! that nobody holds, the way back, and which of them stay.

use std::{fs, io::Write as _, os::unix::fs::OpenOptionsExt as _, path::PathBuf};

use anyhow::{Context as _, ensure};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use model::Timestamp;
use security::BackupKey;
use serde_json::{Value, json};
use store::{BackupError, BackupFolder, Clock, Keep, Manifest, Pruned, Rehearsed, Source};

use super::{
    open,
    stat::{size, time},
};
use crate::backup_site::{S3, Site, read_key};

#[derive(Debug, Args)]
pub(super) struct Backup {
    /// The data directory; a running server is backed up by `wardline ctl backup`.
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// The folder of backups, or s3://bucket/prefix; it is made if it is not there.
    #[arg(long, value_name = "FOLDER")]
    to: PathBuf,
    #[command(flatten)]
    key: Key,
    #[command(flatten)]
    s3: S3,
    /// Where the rehearsal restores to; inside of the data directory if it is left out.
    #[arg(long, value_name = "PLACE")]
    scratch: Option<PathBuf>,
    /// Say it as one JSON object.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct Key {
    /// The file with the folder's key.
    #[arg(long = "key", value_name = "FILE")]
    there: Option<PathBuf>,
    /// Makes a key and writes it to this file, which must not be there; keep it elsewhere too.
    #[arg(long = "new-key", value_name = "FILE")]
    new: Option<PathBuf>,
}

/// Backups that are there, and what opens them.
#[derive(Debug, Args)]
struct Used {
    /// The folder of backups, or s3://bucket/prefix.
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
    #[command(flatten)]
    s3: S3,
    /// The file with the folder's key.
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
}

impl Used {
    fn open(&self, clock: &Clock) -> anyhow::Result<BackupFolder> {
        let site = Site { place: self.folder.clone(), s3: self.s3.clone() };
        site.open_used(&self.key, clock)
    }
}

#[derive(Debug, Args)]
pub(super) struct Restore {
    #[command(flatten)]
    used: Used,
    /// The data directory to make; it must be empty or not there.
    #[arg(long, value_name = "DIR", required_unless_present = "list")]
    to: Option<PathBuf>,
    /// As it was at this moment, such as 2026-11-21T09:30:00Z; the newest backup if it is left out.
    #[arg(long, value_name = "TIME", value_parser = moment)]
    at: Option<Timestamp>,
    /// Only says which backups there are.
    #[arg(long, conflicts_with_all = ["to", "at"])]
    list: bool,
    /// Say it as one JSON object.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(super) struct Rehearse {
    #[command(flatten)]
    used: Used,
    /// Where it restores to; removed afterwards, and must not be there.
    #[arg(long, value_name = "PLACE")]
    scratch: PathBuf,
    /// Say it as one JSON object.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(super) struct Prune {
    #[command(flatten)]
    used: Used,
    /// The newest backup of each of so many days that have one stays.
    #[arg(long, value_name = "DAYS", default_value_t = 0)]
    keep_daily: u32,
    /// The newest backup of each of so many weeks.
    #[arg(long, value_name = "WEEKS", default_value_t = 0)]
    keep_weekly: u32,
    /// The newest backup of each of so many months.
    #[arg(long, value_name = "MONTHS", default_value_t = 0)]
    keep_monthly: u32,
    /// Deletes; without it, it is only said what would be deleted.
    #[arg(long)]
    yes: bool,
    /// Say it as one JSON object.
    #[arg(long)]
    json: bool,
}

/// A moment as people write it.
pub(super) fn moment(text: &str) -> Result<Timestamp, String> {
    let at: jiff::Timestamp = text.parse().map_err(|error: jiff::Error| error.to_string())?;
    let nanos = i64::try_from(at.as_nanosecond()).map_err(|error| error.to_string())?;
    Ok(Timestamp::from_unix_nanos(nanos))
}

/// Takes a backup and rehearses it.
pub(super) fn back_up(asked: &Backup) -> anyhow::Result<()> {
    let dir = open(&asked.dir)?;
    let clock = Clock::system();
    let site = Site { place: asked.to.clone(), s3: asked.s3.clone() };
    let folder = BackupFolder::open_at(site.reach(&clock)?, asked.key.read()?)?;
    let bar = self::bar("backing up")?;
    let source = Source { root: dir.path(), journal: None };
    let now = clock.now();
    let taken = folder.take(&source, now, &mut |done| bar.set_position(done));
    bar.finish_and_clear();
    let taken = taken.map_err(named)?;
    if taken.manifest.taken_at().unix_millis() != now.unix_millis() {
        eprintln!(
            "there was a backup that is dated later than it is here, by a clock that was ahead: this one is dated right behind it"
        );
    }
    let bar = self::bar("rehearsing")?;
    let tell = &mut |done| bar.set_position(done);
    let rehearsed = match &asked.scratch {
        Some(scratch) => folder.rehearse(&taken.listed, scratch, clock.now(), tell),
        None => folder.rehearse_below(&taken.listed, dir.path(), clock.now(), tell),
    };
    bar.finish_and_clear();
    let rehearsed = rehearsed.map_err(named)?;
    if asked.json {
        let mut json = json_of(&taken.manifest);
        if let Value::Object(fields) = &mut json {
            fields.insert("new_bytes".to_owned(), taken.new_bytes.into());
            fields.insert("new_blocks".to_owned(), taken.new_blocks.into());
            fields.insert("rehearsed".to_owned(), rehearsed_json(&rehearsed));
        }
        println!("{json}");
    } else {
        let (all, new) = (size(taken.manifest.bytes()), size(taken.new_bytes));
        println!("backed up {all}, {new} of it new, as of {}", time(taken.manifest.taken_at()));
        println!("{}", rehearsed_text(&rehearsed));
    }
    Ok(())
}

/// Makes a data directory out of a backup, or lists what there is.
pub(super) fn restore(asked: &Restore) -> anyhow::Result<()> {
    let folder = asked.used.open(&Clock::system())?;
    let Some(target) = asked.to.as_ref().filter(|_| !asked.list) else {
        return list(&folder, asked.json);
    };
    let bar = bar("restoring")?;
    let restored = folder.restore(target, asked.at, &mut |done| bar.set_position(done));
    bar.finish_and_clear();
    let restored = restored.map_err(named)?;
    if asked.json {
        let json = json!({
            "taken_at": time(restored.taken_at),
            "journal_ends": restored.end.bytes(),
            "bytes": restored.bytes,
            "has_rows_and_series": restored.has_derived,
        });
        println!("{json}");
        return Ok(());
    }
    let (bytes, at) = (size(restored.bytes), time(restored.taken_at));
    println!("restored {bytes} from the backup of {at} to {}", target.display());
    println!("the journal ends at offset {}", restored.end);
    if asked.at.is_some_and(|at| restored.taken_at < at) {
        println!("no backup is as new as that moment: what came in after this one is not in it");
    }
    if !restored.has_derived {
        println!("rows and series are made from the journal at the next start");
    }
    Ok(())
}

/// Restores the newest backup into a scratch place and compares it.
pub(super) fn rehearse(asked: &Rehearse) -> anyhow::Result<()> {
    let clock = Clock::system();
    let folder = asked.used.open(&clock)?;
    let newest = folder.list()?.pop().context("there is no backup in this folder")?;
    let (now, bar) = (clock.now(), bar("rehearsing")?);
    let tell = &mut |done| bar.set_position(done);
    let rehearsed = folder.rehearse(&newest, &asked.scratch, now, tell);
    bar.finish_and_clear();
    let rehearsed = rehearsed.map_err(named)?;
    if asked.json {
        println!("{}", rehearsed_json(&rehearsed));
    } else {
        println!("{}", rehearsed_text(&rehearsed));
    }
    Ok(())
}

/// Thins out old backups, or says which would go.
pub(super) fn prune(asked: &Prune) -> anyhow::Result<()> {
    let Prune { keep_daily: daily, keep_weekly: weekly, keep_monthly: monthly, .. } = *asked;
    let keep = Keep { daily, weekly, monthly };
    ensure!(!keep.is_nothing(), "say what stays, by --keep-daily, --keep-weekly or --keep-monthly");
    let clock = Clock::system();
    let folder = asked.used.open(&clock)?;
    let done = if asked.yes { folder.prune(keep, &clock) } else { folder.would_prune(keep) };
    let Pruned { stays, goes, objects, bytes, left } = done.map_err(named)?;
    if asked.json {
        let times = |all: &[Timestamp]| all.iter().map(|at| time(*at)).collect::<Vec<_>>();
        let (stays, goes) = (times(&stays), times(&goes));
        println!(
            "{}",
            json!({ "deleted": asked.yes, "stays": stays, "goes": goes, "objects": objects, "bytes": bytes, "left": left })
        );
        return Ok(());
    }
    for (word, all) in [("stays", &stays), ("goes ", &goes)] {
        all.iter().for_each(|at| println!("{word}  {}", time(*at)));
    }
    println!("{} backups and {objects} objects, {}", goes.len(), size(bytes));
    match (asked.yes, left) {
        (false, _) => println!("nothing was deleted; say --yes"),
        (true, 0) => println!("deleted"),
        (true, left) => println!("deleted, but for {left} objects; run it again for those"),
    }
    Ok(())
}

fn bar(what: &'static str) -> anyhow::Result<ProgressBar> {
    let style = ProgressStyle::with_template("{msg} {bytes}, {binary_bytes_per_sec}")?;
    Ok(ProgressBar::no_length().with_style(style).with_message(what))
}

/// Each thing that is missing or damaged in a line of its own.
pub(crate) fn named(error: BackupError) -> anyhow::Error {
    if let BackupError::Damaged { problems } = &error {
        for problem in problems {
            eprintln!("MISSING OR DAMAGED: {problem}");
        }
    }
    error.into()
}

impl Key {
    fn read(&self) -> anyhow::Result<BackupKey> {
        let Some(path) = &self.new else {
            return read_key(self.there.as_deref().context("no key was given")?);
        };
        let secret = security::random_bytes()?;
        let mut options = fs::File::options();
        let file = options.write(true).create_new(true).mode(0o600).open(path);
        let mut file = file.with_context(|| format!("cannot make the key {}", path.display()))?;
        file.write_all(BackupKey::text_of(&secret).as_bytes())
            .and_then(|()| file.sync_all())
            .with_context(|| format!("cannot write the key {}", path.display()))?;
        eprintln!(
            "made the key {}; without it nobody can restore, so keep a copy elsewhere",
            path.display()
        );
        Ok(BackupKey::of(&secret)?)
    }
}

fn list(folder: &BackupFolder, as_json: bool) -> anyhow::Result<()> {
    let mut found = Vec::new();
    for listed in folder.list()? {
        match folder.manifest(&listed) {
            Ok(manifest) => found.push(json_of(&manifest)),
            Err(error) => {
                found.push(json!({ "taken_at": time(listed.at), "damaged": error.to_string() }))
            }
        }
    }
    if as_json {
        println!("{}", Value::Array(found));
        return Ok(());
    }
    for it in found {
        let word = |name: &str| it.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let bytes = it.get("bytes").and_then(Value::as_u64).map_or_else(|| word("damaged"), size);
        println!("{}  {bytes}", word("taken_at"));
    }
    Ok(())
}

fn json_of(manifest: &Manifest) -> Value {
    json!({
        "taken_at": time(manifest.taken_at()),
        "bytes": manifest.bytes(),
        "files": manifest.files.len(),
        "journal_begins": manifest.journal_begins().bytes(),
        "journal_ends": manifest.journal_ends().bytes(),
        "checkpoint": manifest.checkpoint().map(|it| it.bytes()),
    })
}

fn rehearsed_json(it: &Rehearsed) -> Value {
    json!({ "taken_at": time(it.taken_at), "files": it.files, "bytes": it.bytes, "frames": it.frames, "chunks": it.chunks })
}

fn rehearsed_text(it: &Rehearsed) -> String {
    let Rehearsed { taken_at, files, bytes, frames, chunks } = it;
    format!(
        "the backup of {} was restored and compared: {files} files, {}, {frames} frames and {chunks} chunks, sound",
        time(*taken_at),
        size(*bytes)
    )
}

#[test]
fn a_moment_has_a_zone_and_is_read_to_the_nanosecond() {
    let at = moment("2026-11-21T09:30:00.000000001+01:00").unwrap();
    assert_eq!(time(at), "2026-11-21T08:30:00.000000001Z");
    for bad in ["yesterday", "2026-11-21", "2026-11-21T09:30:00"] {
        assert!(moment(bad).is_err(), "{bad}");
    }
}
