//! The recordings that the demo replays, from inside the binary.

use anyhow::Context as _;
use rust_embed::RustEmbed;
use signal::wfdb;
use sim::Recording;

#[derive(RustEmbed)]
#[folder = "../../assets/ecg"]
struct Files;

/// Every shipped recording: its first lead in microvolts, with its annotated beats.
pub(crate) fn recordings() -> anyhow::Result<Vec<Recording>> {
    let mut names: Vec<String> =
        Files::iter().filter_map(|file| file.strip_suffix(".hea").map(str::to_owned)).collect();
    names.sort();
    names.iter().map(|name| recording(name)).collect()
}

fn recording(name: &str) -> anyhow::Result<Recording> {
    let file = |suffix: &str| {
        Files::get(&format!("{name}.{suffix}"))
            .with_context(|| format!("{name}.{suffix} was not built in"))
    };
    let header = file("hea")?;
    let header = wfdb::Header::parse(std::str::from_utf8(&header.data)?)?;
    let leads = wfdb::samples(&header, &file("dat")?.data)?;
    let (first, lead) =
        header.signals.first().zip(leads.first()).context("a recording without a lead")?;
    let beats = wfdb::annotations(&file("atr")?.data)?;
    let beats = beats
        .iter()
        .filter(|beat| beat.is_beat())
        .filter_map(|beat| usize::try_from(beat.sample).ok());
    Ok(Recording {
        name: format!("mitdb/{name}"),
        rate_hz: header.rate.hz(),
        microvolts: lead.iter().map(|adu| first.microvolts(*adu).unwrap_or_default()).collect(),
        beats: beats.collect(),
    })
}
