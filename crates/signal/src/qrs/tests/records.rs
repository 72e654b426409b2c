//! The detector on recordings that people marked beat by beat, scored as ANSI/AAMI EC57 asks.

use std::fs;
use std::path::{Path, PathBuf};

use super::*;
use crate::ec57::{Outcome, Rules, Score, pair, score};
use crate::wfdb;

/// The eight excerpts that lie beside the code; learning takes 5 s here, as each has only ten minutes.
const EXCERPTS: [&str; 8] = [
    "mitdb_100",
    "mitdb_105",
    "mitdb_106",
    "mitdb_107",
    "mitdb_108",
    "mitdb_109",
    "mitdb_119",
    "mitdb_124",
];

struct Recording {
    rate: SampleRate,
    microvolts: Vec<i32>,
    beats: Vec<u64>,
    flutter: Vec<std::ops::Range<u64>>,
}

/// The first lead of a record.
fn read(folder: &Path, name: &str) -> Recording {
    let path = |extension: &str| folder.join(name).with_extension(extension);
    let header = wfdb::Header::parse(&fs::read_to_string(path("hea")).unwrap()).unwrap();
    let leads = wfdb::samples(&header, &fs::read(path("dat")).unwrap()).unwrap();
    let annotations = wfdb::annotations(&fs::read(path("atr")).unwrap()).unwrap();
    let microvolts =
        leads[0].iter().map(|count| header.signals[0].microvolts(*count).unwrap()).collect();
    let beats = annotations.iter().filter(|a| a.is_beat()).map(|a| a.sample).collect();
    Recording { rate: header.rate, microvolts, beats, flutter: wfdb::flutter(&annotations) }
}

/// The last value is held for half a second, so that a beat at the very end can still be told.
fn detect(recording: &Recording) -> Vec<u64> {
    let mut detector = QrsDetector::new(recording.rate).unwrap();
    let held = recording.rate.samples_in_ms(500) as usize;
    let tail = std::iter::repeat_n(recording.microvolts.last().unwrap(), held);
    let signal: Vec<i32> = recording.microvolts.iter().chain(tail).copied().collect();
    beats(&mut detector, &signal)
}

fn scored(recording: &Recording, learning_ms: u64) -> Score {
    let learning_until = recording.rate.samples_in_ms(learning_ms);
    let excluded = recording.flutter.clone();
    let rules = Rules { learning_until, excluded, ..Rules::standard(recording.rate) };
    score(&recording.beats, &detect(recording), &rules)
}

fn check(name: &str, score: Score, sensitivity_min: f64, positive_predictivity_min: f64) {
    let (sensitivity, predictivity) =
        (score.sensitivity().unwrap(), score.positive_predictivity().unwrap());
    println!("{name}: {score:?} Se {:.3} % +P {:.3} %", sensitivity * 100.0, predictivity * 100.0);
    assert!(sensitivity >= sensitivity_min, "{name}: sensitivity {sensitivity}");
    assert!(
        predictivity >= positive_predictivity_min,
        "{name}: positive predictivity {predictivity}"
    );
}

fn assets() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../assets/ecg")
}

#[test]
fn the_shipped_records_are_read_and_their_beats_found() {
    let mut gross = Score::default();
    for name in EXCERPTS {
        let score = scored(&read(&assets(), name), 5_000);
        check(name, score, 0.99, 0.975);
        gross = gross.plus(score);
    }
    check("all eight", gross, 0.998, 0.996);
}

#[test]
fn found_beats_lie_where_people_marked_them() {
    let recording = read(&assets(), "mitdb_100");
    let mut apart: Vec<u64> = pair(&recording.beats, &detect(&recording), 54)
        .into_iter()
        .filter_map(|outcome| match outcome {
            Outcome::Matched { reference, detected } => Some(reference.abs_diff(detected)),
            Outcome::Missed(_) | Outcome::Extra(_) => None,
        })
        .collect();
    apart.sort_unstable();
    assert!(apart[apart.len() / 2] <= 1 && apart[apart.len() * 99 / 100] <= 3, "{apart:?}");
}

#[test]
fn the_same_recording_at_another_rate_has_the_same_beats() {
    let original = read(&assets(), "mitdb_119");
    for rate in [SampleRate::new(125, 1), SampleRate::new(200, 1), SampleRate::new(1000, 1)]
        .map(Result::unwrap)
    {
        let score = scored(&at_rate(&original, rate), 5_000);
        check(&format!("mitdb_119 at {} Hz", rate.hz()), score, 0.998, 0.998);
    }
}

/// Straight lines between the samples, read at another rate.
fn at_rate(original: &Recording, rate: SampleRate) -> Recording {
    let step = original.rate.hz() / rate.hz();
    let there = |sample: u64| (sample as f64 / step).round() as u64;
    let between = |index: u64| {
        let at = index as f64 * step;
        let pair = original.microvolts.get(at as usize..=at as usize + 1)?;
        Some((f64::from(pair[0]) + f64::from(pair[1] - pair[0]) * at.fract()).round() as i32)
    };
    Recording {
        rate,
        microvolts: (0..).map_while(between).collect(),
        beats: original.beats.iter().map(|sample| there(*sample)).collect(),
        flutter: Vec::new(),
    }
}

/// The 24 records of the data folder, where there is one, by the standard's own rules.
#[test]
fn the_whole_database_is_scored_where_it_is_present() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/ecg/mitdb");
    let Ok(entries) = fs::read_dir(&folder) else {
        eprintln!("NOT RUN: mitdb (../shared/data absent)");
        return;
    };
    let names = entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "hea"));
    let mut names: Vec<String> =
        names.map(|path| path.file_stem().unwrap().to_string_lossy().into_owned()).collect();
    names.sort();
    let mut gross = Score::default();
    for name in &names {
        let score = scored(&read(&folder, name), 300_000);
        check(name, score, 0.989, 0.987);
        gross = gross.plus(score);
    }
    check("all records", gross, 0.9985, 0.9985);
}
