//! `wardline eval alarms`: what was true against what was raised, each case listed.

use std::{fmt::Write as _, path::PathBuf};

use anyhow::Context as _;
use serde::de::DeserializeOwned;
use sim::{Raised, Row, Score, Told};

/// Which files are compared.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Ground truth, a JSON object a line, as `wardline sim --truth` writes it.
    truth: PathBuf,
    /// The alarms that were raised, a JSON object a line, as `wardline sim --alarms` writes them.
    alarms: PathBuf,
    /// One JSON object instead of a table.
    #[arg(long)]
    json: bool,
}

/// Compares two files; an error names the line that cannot be read.
pub(super) fn run(asked: &Arguments) -> anyhow::Result<()> {
    let truth: Vec<Row> = lines(&asked.truth)?;
    let alarms: Vec<Raised> = lines(&asked.alarms)?;
    print!("{}", report(&sim::score(&truth, &alarms), asked.json)?);
    Ok(())
}

fn lines<T: DeserializeOwned>(path: &PathBuf) -> anyhow::Result<Vec<T>> {
    let text =
        std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let read = |(index, line): (usize, &str)| {
        serde_json::from_str(line)
            .with_context(|| format!("{}, line {}: not a JSON object", path.display(), index + 1))
    };
    let rows = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    rows.map(read).collect()
}

/// The score in words, or as one JSON object.
pub(crate) fn report(score: &Score, json: bool) -> anyhow::Result<String> {
    if json {
        return Ok(format!("{}\n", serde_json::to_string(score)?));
    }
    let mut text = String::new();
    let mut say = |line: std::fmt::Arguments<'_>| {
        // Writing to a string does not fail.
        let _ = writeln!(text, "{line}");
    };
    say(format_args!(
        "detected {}  late {}  missed {}  false {}  right alarms {}",
        score.detected.len(),
        score.late.len(),
        score.missed.len(),
        score.false_alarms.len(),
        score.right_count
    ));
    for (word, told) in [("detected", &score.detected), ("late", &score.late)] {
        for Told { truth, alarm, after_ms } in told {
            say(format_args!(
                "{word:9} {:20} {:14} {:5} {} after {:.1} s",
                truth.what,
                truth.unit,
                truth.bed,
                alarm.key,
                *after_ms as f64 / 1_000.0
            ));
        }
    }
    for row in &score.missed {
        let wanted = row.expect.join(" or ");
        say(format_args!("missed    {:20} {:14} {:5} {wanted}", row.what, row.unit, row.bed));
    }
    for alarm in &score.false_alarms {
        let about = alarm.patient.as_ref().or(alarm.device.as_ref());
        let about = about.map_or("", String::as_str);
        say(format_args!("false     {:20} {} {about}", alarm.key, alarm.title));
    }
    Ok(text)
}

#[test]
fn two_files_are_compared_and_a_broken_line_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let truth = file(
        "truth.jsonl",
        "{\"kind\":\"fault\",\"what\":\"leads-off\",\"patient\":\"p\",\"expect\":[\"leads_off\"],\"from_ms\":1000,\"by_ms\":9000}\n\n",
    );
    let alarms = file(
        "alarms.jsonl",
        "{\"code\":\"MDC_EVT_LEADS_OFF\",\"title\":\"Monitor not on the patient\",\"patient\":\"p\",\"raised_ms\":6000}\n",
    );
    let rows: Vec<Row> = lines(&truth).unwrap();
    let raised: Vec<Raised> = lines(&alarms).unwrap();
    let score = sim::score(&rows, &raised);
    let table = report(&score, false).unwrap();
    assert!(table.starts_with("detected 1  late 0  missed 0  false 0"), "{table}");
    assert!(table.contains("leads_off after 5.0 s"), "{table}");
    let json: serde_json::Value = serde_json::from_str(&report(&score, true).unwrap()).unwrap();
    assert_eq!(json["detected"][0]["after_ms"], 5_000);
    let broken = file("broken.jsonl", "{}\n{\n");
    let error = lines::<Row>(&broken).unwrap_err().to_string();
    assert!(error.ends_with("line 2: not a JSON object"), "{error}");
}
