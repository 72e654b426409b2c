//! `wardline store import`: what files hold, taken into a data directory that nobody holds,
//! through the door of devices and under the eyes of the engine, as on a running server.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context as _, ensure};
use api::{
    export::Stored,
    import::{Imported, Importer, Reading},
};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use model::{DeviceId, Timestamp};
use serde_json::{Value, json};
use store::Clock;

use super::{backup::moment, open};
use crate::{
    profiles::profiles,
    program::{Kept, door, recall, start_engine},
};

const EXAMPLES: &str = "\
Examples:
  wardline store import wardline-data ecg/values.csv ecg/waves001.hea
  wardline store import wardline-data night.edf --device 0197… --channel 'ECG II=MDC_ECG_ELEC_POTL_II'
  wardline store import wardline-data 100.hea --device 0197… --channel MLII=MDC_ECG_ELEC_POTL_II --begins 2026-11-21T09:30:00Z

What is stored already is left out, so a file may be imported again.
Whose the data is, the device's associations say for the time of measurement.";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Import {
    /// The data directory.
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// Files: values.csv, waves.csv, headers of WFDB (.hea), EDF and EDF+ (.edf).
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// Everything is this device's, whatever the files say.
    #[arg(long, value_name = "ID")]
    device: Option<DeviceId>,
    /// A channel of the files and its name here.
    #[arg(long = "channel", value_name = "THEIRS=OURS", value_parser = pair)]
    channels: Vec<(String, String)>,
    /// When a recording began whose file does not say so, such as 2026-11-21T09:30:00Z.
    #[arg(long, value_name = "TIME", value_parser = moment)]
    begins: Option<Timestamp>,
    /// Say what became of it as one JSON object.
    #[arg(long)]
    json: bool,
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (theirs, ours) = text.split_once('=').ok_or("write it like MLII=MDC_ECG_ELEC_POTL_II")?;
    Ok((theirs.to_owned(), ours.to_owned()))
}

/// Takes the files in, one after the other.
pub(super) async fn run(asked: &Import) -> anyhow::Result<()> {
    let dir = open(&asked.dir)?;
    let (clock, profiles) = (Clock::system(), profiles()?);
    let kept = Kept::open(&dir, &clock)?;
    let (engine, task) = start_engine(&kept, &clock, &profiles).await?;
    let directory = engine.directory();
    let org = directory.orgs.keys().next().copied();
    let org = org.context("this data directory has no organization yet; start the server once")?;
    let door = door(&kept.journal, &engine, &profiles, org)?;
    recall(&kept.journal, &door)?;
    let stored = Stored {
        series: kept.series.clone(),
        records: kept.records.clone(),
        directory,
        profiles: Arc::new(profiles),
        now: clock.now(),
    };
    let channels: BTreeMap<String, String> = asked.channels.iter().cloned().collect();
    let reading = Reading { device: asked.device, channels, begins_at: asked.begins };
    let importer = Importer { stored: &stored, door: &door, clock: &clock, reading: &reading };
    let mut outcome = Ok(Vec::new());
    for file in &asked.files {
        let imported = take_in(&importer, file).await;
        match (&mut outcome, imported) {
            (Ok(done), Ok(imported)) => done.push((file.clone(), imported)),
            (_, Err(error)) => {
                outcome = Err(error);
                break;
            }
            (Err(_), Ok(_)) => break,
        }
    }
    // What was taken in is durable, whatever came after it.
    engine.stop().await;
    let _ = task.await;
    drop((door, stored));
    let journal = kept.journal;
    tokio::task::spawn_blocking(move || journal.close()).await?;
    let done = outcome?;
    if asked.json {
        println!("{}", json!(done.iter().map(json_of).collect::<Vec<_>>()));
    } else {
        done.iter().for_each(|it| print!("{}", text_of(it)));
    }
    let letters: u64 = done.iter().map(|it| it.1.dead_letters).sum();
    ensure!(letters == 0, "{letters} messages are kept as dead letters");
    Ok(())
}

async fn take_in(importer: &Importer<'_>, file: &Path) -> anyhow::Result<Imported> {
    let bar = ProgressBar::new(1);
    bar.set_style(ProgressStyle::with_template("{msg} {bar:30} {percent} %, {eta} left")?);
    bar.set_message(file.display().to_string());
    let mut tell = |done, of| {
        bar.set_length(of);
        bar.set_position(done);
    };
    let imported = importer.import(file, &mut tell).await;
    bar.finish_and_clear();
    Ok(imported?)
}

fn json_of((file, it): &(PathBuf, Imported)) -> Value {
    json!({
        "file": file.display().to_string(),
        "values": it.values,
        "samples": it.samples,
        "known": it.known,
        "dead_letters": it.dead_letters,
        "first_reason": it.first_reason,
    })
}

fn text_of((file, it): &(PathBuf, Imported)) -> String {
    let Imported { values, samples, known, dead_letters, first_reason } = it;
    let mut text = format!(
        "{}: {values} values and {samples} samples are new, {known} were there\n",
        file.display()
    );
    if let Some(reason) = first_reason {
        text.push_str(&format!("  {dead_letters} dead letters; the first: {reason}\n"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_import_says_what_was_new_and_what_could_not_be_understood() {
        let imported = Imported {
            values: 3,
            known: 4,
            dead_letters: 1,
            first_reason: Some("no such channel".to_owned()),
            ..Imported::default()
        };
        let done = (PathBuf::from("a.csv"), imported);
        let text = text_of(&done);
        assert!(text.contains("3 values") && text.contains("4 were there"), "{text}");
        assert!(text.contains("1 dead letters; the first: no such channel"), "{text}");
        assert_eq!(json_of(&done)["known"], json!(4));
        assert_eq!(pair("II=X=Y"), Ok(("II".to_owned(), "X=Y".to_owned())));
        assert!(pair("II").is_err());
    }
}
