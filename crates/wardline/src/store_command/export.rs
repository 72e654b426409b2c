//! `wardline store export`: what was measured of a patient or by a device, as files that other
//! programs read, out of a data directory that nobody holds.

use std::{path::PathBuf, sync::Arc};

use anyhow::{Context as _, bail, ensure};
use api::export::{Exported, Form, Step, Stored, Whom, Wish};
use clap::{Args, ValueEnum};
use engine::{Setup, read_back};
use indicatif::{ProgressBar, ProgressStyle};
use model::{DeviceId, PatientId, Timestamp};
use serde_json::{Value, json};
use store::{Clock, DataDir, FileStorage, Records, Series, Storage};

use super::{backup::moment, open, refuse_elsewhere};
use crate::profiles::profiles;

const EXAMPLES: &str = "\
Examples:
  wardline store export wardline-data --device 0197… --from 2026-11-21T08:00:00Z --to 2026-11-21T09:00:00Z --out ecg --as wfdb
  wardline store export wardline-data --patient 0197… --from 2026-11-20T00:00:00Z --to 2026-11-21T00:00:00Z --out day --as edf
  wardline store export wardline-data --patient 0197… --from 2026-11-01T00:00:00Z --to 2026-11-21T00:00:00Z --out weeks --as parquet --json

Beside the files stands coverage.json: what was promised, how much of it is there, and why the rest is not.";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Export {
    /// The data directory.
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    #[command(flatten)]
    of: Of,
    /// From this moment on, such as 2026-11-21T09:30:00Z.
    #[arg(long, value_name = "TIME", value_parser = moment)]
    from: Timestamp,
    /// Up to this moment, itself left out.
    #[arg(long, value_name = "TIME", value_parser = moment)]
    to: Timestamp,
    /// Whose a value is, is answered by what was known then; by all that is known if left out.
    #[arg(long, value_name = "TIME", value_parser = moment)]
    known_at: Option<Timestamp>,
    /// The folder to write into; it must be new or empty, and is there once all is written.
    #[arg(long, value_name = "FOLDER")]
    out: PathBuf,
    /// In which files.
    #[arg(long = "as", value_name = "FORM", default_value = "csv")]
    form: As,
    /// Names, birth dates and record numbers too; without it people are their ids.
    #[arg(long)]
    with_patient_data: bool,
    /// Say what was written as one JSON object.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct Of {
    /// Everything measured of this patient, by whatever device, while it was on them.
    #[arg(long, value_name = "ID")]
    patient: Option<PatientId>,
    /// Everything that this device measured, each value with whom it was on then.
    #[arg(long, value_name = "ID")]
    device: Option<DeviceId>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum As {
    /// Tables of text.
    Csv,
    /// Waveforms as WFDB records of format 16, values as a table of text.
    Wfdb,
    /// Waveforms as EDF+, values as a table of text.
    Edf,
    /// Tables of Parquet.
    Parquet,
}

/// Writes the files and says what they hold.
pub(super) fn run(asked: &Export) -> anyhow::Result<()> {
    let whom = match (asked.of.patient, asked.of.device) {
        (Some(patient), _) => Whom::Patient(patient),
        (None, Some(device)) => Whom::Device(device),
        (None, None) => bail!("name a patient or a device"),
    };
    let dir = open(&asked.dir)?;
    let stored = read_stored(&dir)?;
    let wish = Wish {
        whom,
        from: asked.from,
        to: asked.to,
        known_at: asked.known_at.unwrap_or(stored.now),
        form: match asked.form {
            As::Csv => Form::Csv,
            As::Wfdb => Form::Wfdb,
            As::Edf => Form::Edf,
            As::Parquet => Form::Parquet,
        },
        with_names: asked.with_patient_data,
    };
    let bar = ProgressBar::new(1);
    let template = "{msg} {bar:30} {human_pos} of {human_len}, {eta} left";
    bar.set_style(ProgressStyle::with_template(template)?);
    let exported = stored.export(&wish, &asked.out, &mut |step| {
        let (what, done, of) = match step {
            Step::Read { done_s, of_s } => ("reading seconds", done_s, of_s),
            Step::Write { done_samples, of_samples } => {
                ("writing samples", done_samples, of_samples)
            }
        };
        bar.set_message(what);
        bar.set_length(of);
        bar.set_position(done);
    });
    bar.finish_and_clear();
    let exported = exported?;
    if asked.json {
        println!("{}", json_of(&exported));
    } else {
        print!("{}", text_of(&exported));
    }
    Ok(())
}

/// Opens what is stored as it would be asked of a server, and changes nothing: what a server
/// would bring up first, or not start from, is refused.
fn read_stored(dir: &DataDir) -> anyhow::Result<Stored> {
    let Kept { storage, series, records, setup } = open_stored(dir)?;
    let bar = ProgressBar::new_spinner();
    bar.set_style(ProgressStyle::with_template("{msg} {spinner} {binary_bytes}")?);
    bar.set_message("reading what is not sealed yet");
    let directory = read_back(&storage, &series, &records, &setup, &mut |_, at| {
        bar.set_position(at.bytes());
    });
    bar.finish_and_clear();
    let directory = directory.context("the journal cannot be taken up; try `store rebuild`")?;
    let profiles = Arc::new(setup.profiles);
    Ok(Stored { series, records, directory, profiles, now: Clock::system().now() })
}

/// What a data directory that nobody holds has to be asked.
pub(super) struct Kept {
    pub(super) storage: Arc<dyn Storage>,
    pub(super) series: Series,
    pub(super) records: Records,
    pub(super) setup: Setup,
}

/// Opens it as it would be asked of a server; what no server would start from is refused.
pub(super) fn open_stored(dir: &DataDir) -> anyhow::Result<Kept> {
    refuse_elsewhere(dir, "ask the running server")?;
    store::check_current(dir)?;
    let lacks = store::lacks(dir)?;
    if let Some(lack) = lacks.iter().find(|it| it.is_fatal()) {
        let else_rebuild =
            if lack.is_of_samples() { "" } else { ", or run `wardline store rebuild`" };
        bail!("{lack}; nothing was read: restore a backup{else_rebuild}");
    }
    let storage: Arc<dyn Storage> =
        Arc::new(FileStorage::open(dir).context("the journal cannot be opened")?);
    let (series, records) = (Series::open(dir.series())?, Records::open(&dir.records())?);
    ensure!(
        lacks.is_empty() || series.load_checkpoint()?.is_some(),
        "the journal's beginning is gone, and there is no checkpoint; restore a backup"
    );
    let setup = Setup { profiles: profiles()?, cut: None };
    Ok(Kept { storage, series, records, setup })
}

fn json_of(it: &Exported) -> Value {
    json!({
        "values": it.values,
        "samples": it.samples,
        "covered_permille": it.covered_permille,
        "files": it.files,
    })
}

fn text_of(it: &Exported) -> String {
    let Exported { values, samples, covered_permille, files } = it;
    let mut text = format!("{values} values and {samples} samples of waveforms\n");
    for file in files {
        text.push_str(&format!("  {:<20} {:>12}  {}\n", file.name, file.count, file.holds));
    }
    text.push_str(&match covered_permille {
        Some(permille) => {
            format!(
                "covered: {}.{} % of what was promised; coverage.json says what is missing, and why\n",
                permille / 10,
                permille % 10
            )
        }
        None => "covered: nothing was promised in this range\n".to_owned(),
    });
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_export_says_its_coverage() {
        let file = api::export::Written {
            name: "values.csv".to_owned(),
            holds: "single values, one a row".to_owned(),
            count: 7,
        };
        let mut exported =
            Exported { values: 7, samples: 0, covered_permille: Some(987), files: vec![file] };
        let text = text_of(&exported);
        assert!(
            text.contains("98.7 % of what was promised") && text.contains("values.csv"),
            "{text}"
        );
        assert_eq!(json_of(&exported)["files"][0]["count"], json!(7));
        exported.covered_permille = None;
        assert!(text_of(&exported).ends_with("nothing was promised in this range\n"));
    }
}
