//! `wardline store`: offline work on a data directory that nobody holds.
//!
//! The journal is read and never mended: a server that starts does that, and reports it.

use std::{
    io::{self, BufWriter, Write as _},
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context as _, bail, ensure};
use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};
use store::{
    Damage, DataDir, FileStorage, Lack, LogOffset, PostgresPlace, Report, Series, Shortened, Torn,
    begins_at, look_elsewhere, replay,
};

mod backup;
mod base64;
mod dump;
mod export;
mod migrate;
mod rebuild;
mod retention;
mod stat;

pub(crate) use backup::named;
pub(crate) use stat::{size, time};

use dump::{Privacy, line_of, name_of};

use crate::records_place::{noted, org_of};

const EXAMPLES: &str = "\
Examples:
  wardline store verify wardline-data
  wardline store verify wardline-data --json
  wardline store dump wardline-data | grep dead_letter
  wardline store stat wardline-data
  wardline store rebuild wardline-data --check
  wardline store retention wardline-data --keep-days 30
  wardline store migrate wardline-data --to postgres://ward@localhost/ward
  wardline store export wardline-data --device 0197… --from 2026-11-21T08:00:00Z --to 2026-11-21T09:00:00Z --out ecg --as wfdb
  wardline store backup wardline-data --to /mnt/backup --new-key backup.key
  wardline store backup wardline-data --to s3://ward/backups --endpoint https://s3.example.org --credentials s3.toml --key backup.key
  wardline store restore /mnt/backup --key backup.key --to wardline-data --at 2026-11-21T09:30:00Z
  wardline store prune /mnt/backup --key backup.key --keep-daily 7 --keep-weekly 5 --keep-monthly 12";

/// What `wardline store` is asked for.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Reads every frame of the journal and every sealed chunk, and says where one is damaged.
    Verify(Verify),
    /// Prints one JSON line for each record of the journal.
    Dump(Dump),
    /// Takes a sealed backup, and rehearses its restore.
    Backup(backup::Backup),
    /// Makes a data directory out of a backup.
    Restore(backup::Restore),
    /// Thins out old backups; says which would go, and deletes them with --yes.
    Prune(backup::Prune),
    /// Restores the newest backup into a scratch place and compares it.
    Rehearse(backup::Rehearse),
    /// Writes what was measured as CSV, WFDB, EDF+ or Parquet, with what is missing and why.
    Export(export::Export),
    /// Makes rows, series, scores and open alarms anew from the journal.
    Rebuild(rebuild::Rebuild),
    /// Moves all records into PostgreSQL, or back into the directory's file.
    Migrate(migrate::Migrate),
    /// Compares every waveform block with what is sealed of it, and says what a retention would thin.
    Retention(retention::Asked),
    /// Says what there is, how it grows, and when the disk will be full.
    Stat(stat::Asked),
}

#[derive(Debug, Args)]
struct Verify {
    /// The data directory.
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// Also compares every waveform block of the journal, and what stands for one that was thinned,
    /// with its sealed chunk; reads the journal once more.
    #[arg(long)]
    deep: bool,
    /// Say it as one JSON object.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct Dump {
    /// The data directory.
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// Names, birth dates and free texts too; without it they are left out.
    #[arg(long)]
    with_patient_data: bool,
    /// Lines are JSON already; taken so that scripts may say it everywhere.
    #[arg(long)]
    json: bool,
}

/// Does it; an error is a damage with its place, or a directory that cannot be read.
pub(crate) fn run(arguments: Arguments) -> anyhow::Result<()> {
    match arguments.verb {
        Verb::Verify(asked) => verify(&asked),
        Verb::Dump(asked) => dump(&asked),
        Verb::Backup(asked) => backup::back_up(&asked),
        Verb::Restore(asked) => backup::restore(&asked),
        Verb::Prune(asked) => backup::prune(&asked),
        Verb::Rehearse(asked) => backup::rehearse(&asked),
        Verb::Export(asked) => export::run(&asked),
        Verb::Rebuild(asked) => rebuild::run(&asked),
        Verb::Migrate(asked) => migrate::run(&asked),
        Verb::Retention(asked) => retention::run(&asked),
        Verb::Stat(asked) => stat::run(&asked),
    }
}

/// Takes a directory that is there already; a mistyped path would become a new one otherwise.
fn open(dir: &Path) -> anyhow::Result<DataDir> {
    ensure!(
        dir.join("FORMAT").exists(),
        "{} is not a data directory: it has no FORMAT file",
        dir.display()
    );
    Ok(DataDir::open(dir)?)
}

/// Refuses a directory whose records are not in its file, for work that is on files alone.
fn refuse_elsewhere(dir: &DataDir, instead: &str) -> anyhow::Result<()> {
    match store::records_elsewhere(dir)? {
        None => Ok(()),
        Some(at) => bail!(
            "the records of {} are at {at}; {instead}, or bring them back first with `wardline store migrate {} --to sqlite`",
            dir.path().display(),
            dir.path().display()
        ),
    }
}

fn verify(asked: &Verify) -> anyhow::Result<()> {
    let dir = open(&asked.dir)?;
    let mut report = store::verify(&dir)?;
    if let Some(place) = noted(&dir)? {
        let found = match in_postgres(&dir, &place, &report) {
            Ok(found) => found,
            Err(error) => vec![format!("they could not be compared with the journal: {error:#}")],
        };
        let damage = |what| Damage { place: place.to_string(), what };
        report.damage.extend(found.into_iter().map(damage));
    }
    if asked.deep {
        let found = retention::look_deep(&dir);
        let found = found.unwrap_or_else(|error| {
            vec![(String::from("journal"), format!("blocks could not be compared: {error:#}"))]
        });
        report.damage.extend(found.into_iter().map(|(place, what)| Damage { place, what }));
    }
    if asked.json {
        println!("{}", json_of(&report));
    } else {
        print!("{}", text_of(&report));
    }
    let (damaged, gone) = (report.damage.len(), report.lacks.len());
    ensure!(damaged == 0, "{damaged} places are damaged; restore a backup");
    ensure!(gone == 0, "segments of the journal are gone; restore a backup");
    Ok(())
}

/// What is wrong with the records there; a damaged journal says nothing of them.
fn in_postgres(
    dir: &DataDir,
    place: &PostgresPlace,
    report: &Report,
) -> anyhow::Result<Vec<String>> {
    if !report.damage.is_empty() {
        return Ok(Vec::new());
    }
    let checkpoint = match dir.series().exists() {
        true => Series::open(dir.series())?.load_checkpoint()?.map(|(offset, _)| offset),
        false => None,
    };
    let checkpoint = checkpoint.unwrap_or_default();
    Ok(look_elsewhere(place, org_of(dir)?, checkpoint, report.end))
}

fn json_of(report: &Report) -> Value {
    let frames: Map<String, Value> =
        report.frames.iter().map(|(kind, count)| (name_of(*kind), (*count).into())).collect();
    let torn = report.torn.map(
        |it| json!({ "offset": it.offset.bytes(), "bytes": it.len, "whole_frames": it.frames }),
    );
    let damage = report.damage.iter().map(|it| json!({ "place": it.place, "what": it.what }));
    json!({
        "sound": report.is_sound(),
        "segments": report.segments,
        "begins": report.begins.bytes(),
        "end": report.end.bytes(),
        "commits": report.commits,
        "frames": frames,
        "thinned": stat::shortened_json(&report.shortened),
        "torn": torn,
        "chunks": report.chunks,
        "damage": damage.collect::<Vec<_>>(),
        "gone": report.lacks.iter().map(Lack::to_string).collect::<Vec<_>>(),
    })
}

fn text_of(report: &Report) -> String {
    let Report { segments, end, commits, chunks, .. } = report;
    let all: u64 = report.frames.values().sum();
    let mut text = format!(
        "journal: {all} frames in {commits} commits and {segments} segments, up to offset {end}\n"
    );
    for (kind, count) in &report.frames {
        text.push_str(&format!("  {count:>12} {}\n", name_of(*kind)));
    }
    if let Some(Torn { offset, len, frames }) = report.torn {
        text.push_str(&format!(
            "torn tail: {len} bytes at offset {offset}, {frames} whole frames among them; never acknowledged, set aside at the next start\n"
        ));
    }
    let Shortened { frames, bytes_before, bytes, received } = report.shortened;
    if let Some((oldest, newest)) = received {
        let saved = bytes_before.saturating_sub(bytes);
        text.push_str(&format!(
            "thinned: the samples of {frames} waveform blocks, received {} to {}, are in the series only; {saved} bytes less\n",
            stat::time(oldest),
            stat::time(newest)
        ));
    }
    text.push_str(&format!("series: {chunks} sealed chunks\n"));
    for Damage { place, what } in &report.damage {
        text.push_str(&format!("DAMAGED: {place}: {what}\n"));
    }
    for lack in &report.lacks {
        text.push_str(&format!("GONE: {lack}\n"));
    }
    if report.is_sound() {
        text.push_str("sound\n");
    }
    text
}

fn dump(asked: &Dump) -> anyhow::Result<()> {
    let storage = FileStorage::open(&open(&asked.dir)?).context("the journal cannot be opened")?;
    let privacy = if asked.with_patient_data { Privacy::Told } else { Privacy::Kept };
    let mut out = BufWriter::new(io::stdout().lock());
    let begins = begins_at(&storage).context("the journal's segments cannot be listed")?;
    if begins > LogOffset::default() {
        eprintln!("the journal begins at offset {begins}; what stood before is gone");
    }
    for record in replay(Arc::new(storage), begins)? {
        let line = line_of(&record?, privacy);
        match writeln!(out, "{line}") {
            Ok(()) => {}
            // Whoever read has seen enough.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(()),
            Err(error) => bail!("the dump cannot be written: {error}"),
        }
    }
    out.flush().context("the dump cannot be written")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_names_frames_the_torn_tail_and_each_damage() {
        let torn = Torn { offset: LogOffset::from_bytes(900), len: 17, frames: 0 };
        let damage = Damage { place: "journal segment 0, offset 70".into(), what: "a bit".into() };
        let report = Report {
            segments: 1,
            end: LogOffset::from_bytes(900),
            commits: 4,
            frames: [(1, 3), (0x1000, 2)].into(),
            torn: Some(torn),
            damage: vec![damage],
            ..Report::default()
        };
        let json = json_of(&report);
        assert_eq!(json["frames"], json!({ "readings": 3, "decisions": 2 }));
        assert_eq!(json["torn"]["bytes"], 17);
        assert_eq!((&json["sound"], &json["damage"][0]["what"]), (&json!(false), &json!("a bit")));
        let text = text_of(&report);
        for part in ["5 frames in 4 commits", "3 readings", "17 bytes at offset 900", "DAMAGED"] {
            assert!(text.contains(part), "{part} in {text}");
        }
        assert!(!text.contains("sound"));
    }

    #[test]
    fn a_database_that_is_away_is_one_finding_beside_all_others() {
        let folder = tempfile::tempdir().unwrap();
        let dir = DataDir::open(folder.path()).unwrap();
        let nowhere = folder.path().display().to_string().replace('/', "%2F");
        let place = PostgresPlace::parse(&format!("postgres://ward@{nowhere}/it")).unwrap();
        let report = store::verify(&dir).unwrap();
        let found = in_postgres(&dir, &place, &report).unwrap();
        assert!(found.len() == 1 && found[0].contains("PostgreSQL"), "{found:?}");
    }

    #[test]
    fn a_path_that_is_no_data_directory_is_refused_and_not_made() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("typo");
        let error = open(&path).unwrap_err().to_string();
        assert!(error.ends_with("is not a data directory: it has no FORMAT file"), "{error}");
        assert!(!path.exists());
    }
}
