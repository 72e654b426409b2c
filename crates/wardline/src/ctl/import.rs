//! `wardline ctl import`: files become history of a device of the running server. Every file is
//! read to its end, and asked about, before anything changes.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use api::import::{
    batch::Batch,
    files::{self, FileError, Form, Mapped, Piece, Place, Reading},
    part::{Counts, PartTaken, Source},
};
use clap::{Args, ValueEnum};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::{
    answer::{Answer, items},
    table::Column,
};
use crate::rest::{Rest, text};

/// Refusals that are shown of one file; the others are counted.
const REFUSALS_SHOWN: usize = 20;
/// Batches that wait between reading and sending.
const AHEAD: usize = 2;

#[derive(Debug, Args)]
pub(super) struct Asked {
    /// A file, the header of a WFDB record, or a folder of such, like that of an export.
    path: PathBuf,
    /// The device that measured, by its serial number or its id.
    #[arg(long, value_name = "SERIAL")]
    device: String,
    /// Which column or signal is of which channel, such as 'Pulse=MDC_ECG_HEART_RATE', with a
    /// unit if it has another than the profile: `Temp=MDC_TEMP_BODY@[degF]`.
    #[arg(long = "map", value_name = "NAME=CHANNEL[@UNIT]", value_parser = map_of)]
    maps: Vec<Mapped>,
    /// The form, where the names of the files do not tell it.
    #[arg(long)]
    format: Option<Format>,
    /// The column of the time, where it is not called `time`, `timestamp` or the like.
    #[arg(long, value_name = "COLUMN")]
    time: Option<String>,
    /// When a recording began that does not say so, such as 2026-11-21T08:30:00Z.
    #[arg(long, value_name = "TIME")]
    start: Option<jiff::Timestamp>,
    /// Of tables of several devices only what is of this one, by its id there.
    #[arg(long, value_name = "ID")]
    from_device: Option<String>,
    /// Only says what would become of it.
    #[arg(long)]
    dry_run: bool,
    /// Takes the rest where some of it is refused.
    #[arg(long)]
    skip_refused: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    Csv,
    Parquet,
    Wfdb,
    Edf,
}

const COLUMNS: [Column; 10] = [
    ("file", "file"),
    ("first", "first"),
    ("last", "last"),
    ("values", "values_taken"),
    ("there", "values_there"),
    ("refused", "values_refused"),
    ("samples", "samples_taken"),
    ("there", "samples_there"),
    ("refused", "samples_refused"),
    ("left out", "left_out"),
];

const LISTED: [Column; 3] = [("at", "at"), ("by", "actor.name"), ("what", "resource")];

fn map_of(text: &str) -> Result<Mapped, String> {
    let (name, of) = text.rsplit_once('=').ok_or("write it like 'Pulse=MDC_ECG_HEART_RATE'")?;
    let (channel, unit) = match of.split_once('@') {
        Some((channel, unit)) => (channel, Some(unit.to_owned())),
        None => (of, None),
    };
    let (name, channel) = (name.trim().to_owned(), channel.trim().to_owned());
    Ok(Mapped { name, channel, unit })
}

/// What was brought in, the latest first.
pub(super) async fn list(server: &Rest) -> anyhow::Result<Answer> {
    Ok(Answer::list(items(server, "/api/v1/imports", None).await?, &LISTED))
}

/// Does it.
pub(super) async fn ask(server: &Rest, asked: Asked) -> anyhow::Result<Answer> {
    let form = asked.format.map(|it| match it {
        Format::Csv => Form::Csv,
        Format::Parquet => Form::Parquet,
        Format::Wfdb => Form::Wfdb,
        Format::Edf => Form::Edf,
    });
    let (device, channels) = device_of(server, &asked.device).await?;
    if let Some(map) = asked.maps.iter().find(|it| !channels.contains(&it.channel)) {
        let known = channels.iter().cloned().collect::<Vec<_>>().join(", ");
        bail!("the device has no channel {}; it has {known}", map.channel);
    }
    let start = asked.start.map(|it| i64::try_from(it.as_nanosecond())).transpose()?;
    let reading = Reading {
        maps: asked.maps,
        channels,
        time: asked.time,
        start: start.map(model::Timestamp::from_unix_nanos),
        of_device: asked.from_device,
    };
    let work = Work { server, device, reading };
    let mut told = Vec::new();
    let mut is_refused = false;
    let found = files::found(&asked.path, form)?;
    // All of them are looked through before the first changes anything.
    for (path, form) in &found {
        let looked = work.send(path, *form, None).await?;
        is_refused |= looked.is_refused();
        told.push(looked);
    }
    if asked.dry_run {
        return Ok(shown(&told).with("\nnothing was changed; this is what would become of it\n"));
    }
    if is_refused && !asked.skip_refused {
        eprint!("{}", shown(&told).text());
        bail!("nothing was changed, as some of it would be refused; --skip-refused takes the rest");
    }
    told.clear();
    for (path, form) in &found {
        told.push(work.import(path, *form).await?);
    }
    // Two of the files may say otherwise of one instant, and so may a device meanwhile.
    if !asked.skip_refused && told.iter().any(Told::is_refused) {
        eprint!("{}", shown(&told).text());
        bail!("some of it was refused, which was not so when it was looked through");
    }
    Ok(shown(&told))
}

/// The device's id, and the channels of its profile.
async fn device_of(
    server: &Rest,
    wanted: &str,
) -> anyhow::Result<(String, std::collections::BTreeSet<String>)> {
    let devices = items(server, "/api/v1/devices", None).await?;
    let is = |it: &Value, key: &str, text: &str| {
        it.get(key).and_then(Value::as_str).is_some_and(|found| found == text)
    };
    let mut found = devices.iter().filter(|it| is(it, "serial", wanted) || is(it, "id", wanted));
    let device = found.next().with_context(|| format!("no device has the serial {wanted}"))?;
    ensure!(found.next().is_none(), "several devices have the serial {wanted}; say its id");
    let profile = text(device, &["profile"])?;
    let profiles = server.get("/api/v1/profiles").await?;
    let profiles = profiles.get("items").unwrap_or(&profiles).as_array();
    let of = profiles.into_iter().flatten().find(|it| is(it, "name", profile));
    let channels = of.and_then(|it| it.get("channels")?.as_array()).into_iter().flatten();
    let channels = channels.filter_map(|it| it.as_str().map(str::to_owned)).collect();
    Ok((text(device, &["id"])?.to_owned(), channels))
}

/// What became of a file.
struct Told {
    file: String,
    counts: Counts,
    left_out: Vec<String>,
    /// The times of the first and the last that it holds, in nanoseconds since 1970.
    times: Option<(i64, i64)>,
}

impl Told {
    const fn is_refused(&self) -> bool {
        self.counts.values_refused > 0 || self.counts.samples_refused > 0
    }

    fn spans(&mut self, batch: &Batch) {
        for at_ns in batch.times() {
            let (first, last) = self.times.unwrap_or((at_ns, at_ns));
            self.times = Some((first.min(at_ns), last.max(at_ns)));
        }
    }
}

fn time(at_ns: i64) -> String {
    let at = jiff::Timestamp::from_nanosecond(at_ns.into());
    at.map(|it| it.to_string()).unwrap_or_default()
}

fn shown(told: &[Told]) -> Answer {
    let rows = told.iter().map(|it| {
        let mut row = serde_json::to_value(it.counts).unwrap_or_default();
        if let Some(row) = row.as_object_mut() {
            row.insert("file".to_owned(), json!(it.file));
            row.insert("left_out".to_owned(), json!(it.left_out.join(", ")));
            row.insert("first".to_owned(), json!(it.times.map(|it| time(it.0))));
            row.insert("last".to_owned(), json!(it.times.map(|it| time(it.1))));
        }
        row
    });
    Answer::list(rows.collect(), &COLUMNS)
}

/// Where files go, and how they are understood.
struct Work<'a> {
    server: &'a Rest,
    device: String,
    reading: Reading,
}

impl Work<'_> {
    /// Takes a file in, as one import.
    async fn import(&self, path: &Path, form: Form) -> anyhow::Result<Told> {
        let source = source_of(path, form)?;
        let imports = format!("/api/v1/devices/{}/imports", self.device);
        let begun = self.server.post(&imports, &json!(source)).await?;
        let import = text(&begun, &["import"])?;
        let told = self.send(path, form, Some(import)).await?;
        let ended = json!({ "import": import, "source": source, "counts": told.counts });
        self.server.post(&format!("{imports}/end"), &ended).await?;
        Ok(told)
    }

    /// Sends a file part by part; without an import it is only asked about.
    async fn send(&self, path: &Path, form: Form, import: Option<&str>) -> anyhow::Result<Told> {
        let source = source_of(path, form)?;
        let (give, mut parts) = mpsc::channel(AHEAD);
        let (from, reading, of) = (path.to_owned(), self.reading.clone(), source.clone());
        let reader = tokio::task::spawn_blocking(move || read(&from, form, &reading, &of, &give));
        let (counts, left_out) = (Counts::default(), Vec::new());
        let mut told = Told { file: source.file, counts, left_out, times: None };
        let mut refusals = 0_usize;
        let to = format!("/api/v1/devices/{}/imports/part", self.device);
        while let Some(mut batch) = parts.recv().await {
            let batch: &mut Batch = &mut batch;
            told.spans(batch);
            batch.part.import = import.map(str::to_owned);
            let answer = self.server.post_when_free(&to, &json!(batch.part)).await?;
            let answer: PartTaken = serde_json::from_value(answer)?;
            told.counts.add(&answer.counts);
            for refused in &answer.refused {
                refusals = refusals.saturating_add(1);
                if refusals <= REFUSALS_SHOWN {
                    let place = batch.place_of(refused).unwrap_or(Place("line", 0));
                    eprintln!("{}, {place}: {}", told.file, refused.why);
                }
            }
            if import.is_some() {
                let Counts { values_taken, samples_taken, .. } = told.counts;
                eprintln!("{}: {values_taken} values, {samples_taken} samples", told.file);
            }
        }
        if refusals > REFUSALS_SHOWN {
            eprintln!("{}: {} more like these", told.file, refusals.saturating_sub(REFUSALS_SHOWN));
        }
        let read = reader.await.context("reading broke off")??;
        told.left_out = read.unmapped;
        if read.of_others > 0 {
            told.left_out.push(format!("{} rows of other devices", read.of_others));
        }
        Ok(told)
    }
}

fn source_of(path: &Path, form: Form) -> anyhow::Result<Source> {
    let name = path.file_name().and_then(|it| it.to_str());
    let file = name.context("the file's name is no text")?.to_owned();
    let sha256 = security::hex(&files::digest(path, form)?);
    Ok(Source { file, form: form.word().to_owned(), sha256 })
}

/// Reads a file and hands on its batches; waits where they are not taken as quickly.
fn read(
    path: &Path,
    form: Form,
    reading: &Reading,
    source: &Source,
    give: &mpsc::Sender<Batch>,
) -> Result<files::Read, FileError> {
    let mut batch = Batch::new(source);
    let take = &mut |piece: Piece, place: Place| {
        let is_full = batch.put(piece, place);
        if is_full {
            let full = std::mem::replace(&mut batch, Batch::new(source));
            return give.blocking_send(full).is_ok();
        }
        true
    };
    let read = files::read(path, form, reading, take)?;
    if !batch.is_empty() {
        give.blocking_send(batch).map_err(|_| FileError::Stopped)?;
    }
    Ok(read)
}

#[test]
fn what_was_refused_is_told_with_the_times_of_a_file() {
    use api::import::files::Value;
    let source = Source { file: "a.csv".into(), form: "csv".into(), sha256: "0".repeat(64) };
    let mut batch = Batch::new(&source);
    for at_ns in [2_000_000_000, 1_000_000_000, 5_000_000_000] {
        let (channel, value) = ("a".to_owned(), Some("1".to_owned()));
        let (code, unit, missing) = (None, None, None);
        let value = Value { channel, code, unit, at_ns, value, missing };
        batch.put(Piece::Value(value), Place("line", 1));
    }
    let (file, counts, left_out) = ("a.csv".to_owned(), Counts::default(), Vec::new());
    let mut told = Told { file, counts, left_out, times: None };
    told.spans(&batch);
    assert!(!told.is_refused());
    told.counts.samples_refused = 1;
    assert!(told.is_refused());
    let sheet = shown(&[told]);
    let text = sheet.text();
    for part in ["1970-01-01T00:00:01Z", "1970-01-01T00:00:05Z"] {
        assert!(text.contains(part), "{part}: {text}");
    }
}
