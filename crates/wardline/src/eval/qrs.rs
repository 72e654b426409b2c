//! `wardline eval qrs`: the streaming detector of the product on recordings that people marked beat by beat.
//!
//! It reads the first signal of each record, as a bedside monitor would send it: sample after sample, once, with
//! nothing known of what follows. Records without marks are detected and not scored.

use std::{
    fs,
    io::{self, IsTerminal as _, Write as _},
    ops::Range,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, bail, ensure};
use clap::Args;
use serde_json::{Map, Value, json};
use signal::{
    QrsDetector, SampleRate,
    ec57::{Rules, Score, score},
    wfdb,
};
use store::Clock;

const NOTES: &str = "\
Each record is NAME.hea with the file of samples that it names (.dat in format 16 or 212, or .mat of the
PhysioNet challenges) and NAME.atr with the reference beats.

A beat is found if a detection lies within 150 ms of it. The first five minutes are for learning, and stretches
of ventricular flutter are scored apart; --all counts both with the rest.

Examples:
  wardline eval qrs mitdb
  wardline eval qrs mitdb --json
  wardline eval qrs mitdb --all --out beats";

/// What to score, and where to write.
#[derive(Debug, Args)]
#[command(after_help = NOTES)]
pub(super) struct Arguments {
    /// The folder of records, or one header file.
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// Say it as one JSON object.
    #[arg(long)]
    json: bool,
    /// Write the found beats of each record to OUT/RECORD.csv, a column `sample`.
    #[arg(long, value_name = "OUT")]
    out: Option<PathBuf>,
    /// Count the first five minutes and ventricular flutter too.
    #[arg(long)]
    all: bool,
}

/// The last value is held this long, so that a beat at the very end is still told.
const HELD_MS: u64 = 500;

/// One record's first signal, as the detector takes it.
struct Recording {
    name: String,
    lead: String,
    rate: SampleRate,
    /// Microvolts; `None` where no sample was taken.
    samples: Vec<Option<i32>>,
    /// `None` where nobody marked it.
    marks: Option<Marks>,
}

/// What people marked.
struct Marks {
    beats: Vec<u64>,
    flutter: Vec<Range<u64>>,
}

/// What came of one record.
struct Outcome {
    name: String,
    lead: String,
    duration_s: f64,
    detected: usize,
    /// `None` where there are no marks.
    scored: Option<Scored>,
    took: Duration,
}

/// A record's scores: what counts, and the flutter apart.
#[derive(Clone, Copy, Default)]
struct Scored {
    counted: Score,
    flutter: Score,
}

impl Scored {
    fn plus(self, other: Self) -> Self {
        Self {
            counted: self.counted.plus(other.counted),
            flutter: self.flutter.plus(other.flutter),
        }
    }
}

/// Reads, detects and scores every record below the folder.
pub(super) fn run(asked: &Arguments) -> anyhow::Result<()> {
    let headers = headers(&asked.dir)?;
    if let Some(out) = &asked.out {
        fs::create_dir_all(out)
            .with_context(|| format!("{} cannot be made; is it writable?", out.display()))?;
    }
    let mut outcomes = Vec::with_capacity(headers.len());
    for (index, path) in headers.iter().enumerate() {
        let recording = read(path).with_context(|| format!("{} cannot be read", path.display()))?;
        if io::stderr().is_terminal() {
            eprint!("\r{} of {}: {:<12}", index + 1, headers.len(), recording.name);
        }
        outcomes.push(evaluate(recording, asked)?);
    }
    if io::stderr().is_terminal() {
        eprintln!("\r{} records read{:<20}", outcomes.len(), "");
    }
    let text = if asked.json {
        format!("{}\n", json_of(&outcomes, asked.all))
    } else {
        table_of(&outcomes)
    };
    io::stdout().lock().write_all(text.as_bytes()).context("the result cannot be written")
}

/// The header files that were asked for, by name.
fn headers(path: &Path) -> anyhow::Result<Vec<PathBuf>> {
    if path.is_file() {
        return Ok(vec![path.with_extension("hea")]);
    }
    let entries = fs::read_dir(path).with_context(|| {
        format!("{} cannot be read; name a folder of WFDB records", path.display())
    })?;
    let mut found = Vec::new();
    for entry in entries {
        let file = entry.with_context(|| format!("{} cannot be listed", path.display()))?.path();
        if file.extension().is_some_and(|extension| extension == "hea") {
            found.push(file);
        }
    }
    ensure!(
        !found.is_empty(),
        "{} holds no .hea file; name a folder of WFDB records",
        path.display()
    );
    found.sort();
    Ok(found)
}

/// A record's first signal with its marks.
fn read(path: &Path) -> anyhow::Result<Recording> {
    let mut header = wfdb::Header::parse(&fs::read_to_string(path)?)?;
    let Some(first) = header.signals.first().cloned() else {
        bail!("the header describes no signal")
    };
    // Signals in other files are not needed, and may be packed otherwise.
    header.signals.retain(|signal| signal.file == first.file);
    let folder = path.parent().unwrap_or(Path::new("."));
    let bytes = fs::read(folder.join(&first.file))
        .with_context(|| format!("its samples in {} cannot be read", first.file))?;
    let signals = wfdb::samples(&header, &bytes)?;
    let counts = signals.first().map(Vec::as_slice).unwrap_or_default();
    let samples: Vec<_> = counts.iter().map(|count| first.microvolts(*count)).collect();
    ensure!(
        samples.is_empty() || samples.iter().any(Option::is_some),
        "its first signal is in {}, not a voltage",
        first.unit
    );
    let name = path.file_stem().map(|stem| stem.to_string_lossy().into_owned());
    let name = name.unwrap_or_else(|| header.record.clone());
    let marks = marks(&path.with_extension("atr"))?;
    Ok(Recording { name, lead: first.description, rate: header.rate, samples, marks })
}

/// The reference beats and flutter of an annotation file, if there is one.
fn marks(path: &Path) -> anyhow::Result<Option<Marks>> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => {
            return Err(error).with_context(|| format!("its marks in {}", path.display()));
        }
    };
    let found = wfdb::annotations(&bytes)?;
    let beats = found.iter().filter(|mark| mark.is_beat()).map(|mark| mark.sample).collect();
    Ok(Some(Marks { beats, flutter: wfdb::flutter(&found) }))
}

/// Detects, scores, and writes what was found.
fn evaluate(recording: Recording, asked: &Arguments) -> anyhow::Result<Outcome> {
    let clock = Clock::system();
    let started_at = clock.now();
    let detected = detect(&recording)?;
    let took = clock.now().since(started_at);
    if let Some(out) = &asked.out {
        let path = out.join(&recording.name).with_extension("csv");
        let lines: String = detected.iter().map(|sample| format!("{sample}\n")).collect();
        fs::write(&path, format!("sample\n{lines}"))
            .with_context(|| format!("{} cannot be written", path.display()))?;
    }
    let duration_s = recording.samples.len() as f64 / recording.rate.hz();
    let scored = recording.marks.map(|marks| scored(&marks, &detected, recording.rate, asked.all));
    let (name, lead) = (recording.name, recording.lead);
    Ok(Outcome { name, lead, duration_s, detected: detected.len(), scored, took })
}

/// The samples of the found beats, in rising order.
fn detect(recording: &Recording) -> anyhow::Result<Vec<u64>> {
    let mut detector = QrsDetector::new(recording.rate)?;
    let held = usize::try_from(recording.rate.samples_in_ms(HELD_MS))?;
    let last = recording.samples.last().copied().flatten();
    let tail = std::iter::repeat_n(last, held);
    let mut beats = Vec::new();
    for sample in recording.samples.iter().copied().chain(tail) {
        match sample {
            Some(microvolts) => beats.extend(detector.push(microvolts).map(|beat| beat.sample)),
            None => detector.lost(1),
        }
    }
    beats.retain(|sample| *sample < recording.samples.len() as u64);
    Ok(beats)
}

/// By the standard's rules, or over everything.
fn scored(marks: &Marks, detected: &[u64], rate: SampleRate, all: bool) -> Scored {
    let rules = Rules::standard(rate);
    if all {
        let rules = Rules { learning_until: 0, ..rules };
        return Scored {
            counted: score(&marks.beats, detected, &rules),
            flutter: Score::default(),
        };
    }
    let outside = Rules { excluded: marks.flutter.clone(), ..rules.clone() };
    let inside = Rules { excluded: between(&marks.flutter), ..rules };
    Scored {
        counted: score(&marks.beats, detected, &outside),
        flutter: score(&marks.beats, detected, &inside),
    }
}

/// Everything but these stretches, which rise and do not touch.
fn between(stretches: &[Range<u64>]) -> Vec<Range<u64>> {
    let starts = std::iter::once(0).chain(stretches.iter().map(|stretch| stretch.end));
    let ends = stretches.iter().map(|stretch| stretch.start).chain(std::iter::once(u64::MAX));
    starts.zip(ends).map(|(start, end)| start..end).collect()
}

/// Every marked record together.
fn sum(outcomes: &[Outcome]) -> Scored {
    outcomes.iter().filter_map(|outcome| outcome.scored).fold(Scored::default(), Scored::plus)
}

/// How many seconds of one lead pass in a second of work, on one core.
fn times_real_time(outcomes: &[Outcome]) -> f64 {
    let took: f64 = outcomes.iter().map(|outcome| outcome.took.as_secs_f64()).sum();
    let duration: f64 = outcomes.iter().map(|outcome| outcome.duration_s).sum();
    duration / took.max(f64::MIN_POSITIVE)
}

fn counts(score: Score) -> Map<String, Value> {
    let counts = [
        ("true_positives", json!(score.true_positives)),
        ("false_positives", json!(score.false_positives)),
        ("false_negatives", json!(score.false_negatives)),
        ("sensitivity", json!(score.sensitivity())),
        ("positive_predictivity", json!(score.positive_predictivity())),
    ];
    counts.map(|(name, value)| (name.to_owned(), value)).into_iter().collect()
}

fn json_of_record(outcome: &Outcome) -> Value {
    let mut object = Map::new();
    object.insert("record".to_owned(), json!(outcome.name));
    object.insert("lead".to_owned(), json!(outcome.lead));
    object.insert("seconds".to_owned(), json!(outcome.duration_s));
    object.insert("detected".to_owned(), json!(outcome.detected));
    object.insert("marked".to_owned(), json!(outcome.scored.is_some()));
    if let Some(scored) = outcome.scored {
        object.extend(counts(scored.counted));
        object.insert("flutter".to_owned(), counts(scored.flutter).into());
    }
    object.into()
}

fn json_of(outcomes: &[Outcome], all: bool) -> Value {
    let total = sum(outcomes);
    let mut object = Map::new();
    object.insert("name".to_owned(), json!("qrs"));
    object.insert("detector_version".to_owned(), json!(QrsDetector::VERSION));
    object.insert("window_ms".to_owned(), json!(150));
    object.insert("learning_s".to_owned(), json!(if all { 0 } else { 300 }));
    object.insert("counts_flutter".to_owned(), json!(all));
    object.extend(counts(total.counted));
    object.insert("flutter".to_owned(), counts(total.flutter).into());
    object.insert("times_real_time".to_owned(), json!(times_real_time(outcomes).round()));
    object.insert("records".to_owned(), outcomes.iter().map(json_of_record).collect());
    object.into()
}

fn percent(part: Option<f64>) -> String {
    part.map_or_else(|| "none".to_owned(), |part| format!("{:.2}", part * 100.0))
}

fn row(name: &str, score: Score) -> String {
    format!(
        "{name:<12} {:>8} {:>7} {:>7} {:>8} {:>8}\n",
        score.true_positives,
        score.false_positives,
        score.false_negatives,
        percent(score.sensitivity()),
        percent(score.positive_predictivity()),
    )
}

fn table_of(outcomes: &[Outcome]) -> String {
    let mut text = format!(
        "{:<12} {:>8} {:>7} {:>7} {:>8} {:>8}\n",
        "record", "found", "false", "missed", "Se %", "+P %"
    );
    for outcome in outcomes {
        match outcome.scored {
            Some(scored) => text += &row(&outcome.name, scored.counted),
            None => {
                text += &format!("{:<12} {:>8} beats, not marked\n", outcome.name, outcome.detected)
            }
        }
    }
    let total = sum(outcomes);
    text += &row("all", total.counted);
    if total.flutter != Score::default() {
        text += &row("flutter", total.flutter);
    }
    text + &format!("{:.0} times real time, one lead on one core\n", times_real_time(outcomes))
}

#[cfg(test)]
mod tests;
