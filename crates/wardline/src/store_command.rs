//! `wardline store`: offline work on a data directory that nobody holds.
//!
//! It reads and never mends: a server that starts does that, and reports it.

use std::{
    io::{self, BufWriter, Write as _},
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context as _, bail, ensure};
use clap::{Args, Subcommand};
use serde_json::json;
use store::{DataDir, FileStorage, LogOffset, Storage, replay};

mod base64;
mod dump;

use dump::{Privacy, line_of};

const EXAMPLES: &str = "\
Examples:
  wardline store verify wardline-data
  wardline store verify wardline-data --json
  wardline store dump wardline-data | grep dead_letter";

/// What `wardline store` is asked for.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Reads every frame of the journal, and says where one is damaged.
    Verify(Verify),
    /// Prints one JSON line for each record of the journal.
    Dump(Dump),
}

#[derive(Debug, Args)]
struct Verify {
    /// The data directory.
    #[arg(value_name = "DIR")]
    dir: PathBuf,
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
    }
}

/// Opens a directory that is there already; opening makes one otherwise.
fn open(dir: &Path) -> anyhow::Result<(DataDir, Arc<dyn Storage>)> {
    ensure!(
        dir.join("FORMAT").exists(),
        "{} is not a data directory: it has no FORMAT file",
        dir.display()
    );
    let dir = DataDir::open(dir)?;
    let storage = FileStorage::open(&dir).context("the journal cannot be opened")?;
    Ok((dir, Arc::new(storage)))
}

fn verify(asked: &Verify) -> anyhow::Result<()> {
    let (_dir, storage) = open(&asked.dir)?;
    let segments = storage.segments().context("the journal's folder cannot be read")?.len();
    let (mut records, mut bytes, mut end) = (0_u64, 0_u64, LogOffset::default());
    for record in replay(storage, LogOffset::default())? {
        let record = record?;
        records += 1;
        bytes += record.frame.body.len() as u64;
        end = record.offset;
    }
    if asked.json {
        let report = json!({
            "sound": true, "segments": segments, "records": records,
            "body_bytes": bytes, "end": end.bytes(),
        });
        println!("{report}");
    } else {
        println!("sound: {records} records in {segments} segments, up to offset {end}");
    }
    Ok(())
}

fn dump(asked: &Dump) -> anyhow::Result<()> {
    let (_dir, storage) = open(&asked.dir)?;
    let privacy = if asked.with_patient_data { Privacy::Told } else { Privacy::Kept };
    let mut out = BufWriter::new(io::stdout().lock());
    for record in replay(storage, LogOffset::default())? {
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
