//! What stands beside exported files: whose data it is, what was promised, how much of it is
//! there and why the rest is not, and which files hold it.

use std::{collections::BTreeMap, time::Duration};

use fleet::coverage::{Evidence, Ledger, Stretch, ledger};
use model::{MissingReason, OrgId, Timestamp};
use protocols::profile::{ChannelSpec, Profile};
use serde_json::{Value, json};

use super::{
    ExportError, Folder, Form, Stored, Whom, Wish, groups::Groups, rfc3339, tracks::Track,
};
use crate::{
    dto::history::ChannelCoverage,
    history::{Part, Source, Wanted},
    limits::{OUTAGES_MAX, PULSE_EVERY},
    past::{Span, at_sample},
};

/// Stretches of a waveform that lie apart by no more are one in the statement.
const JOIN: Duration = Duration::from_millis(250);

/// Writes `coverage.json`, and gives the covered share of all that was promised.
pub(super) fn write(
    stored: &Stored,
    wish: &Wish,
    (org, parts): (OrgId, &[Part]),
    groups: &Groups,
    out: &mut Folder,
) -> Result<Option<u16>, ExportError> {
    let asked = Span { from: wish.from, to: wish.to.min(stored.now).max(wish.from) };
    let longest = PULSE_EVERY.saturating_mul(2);
    let outages = stored.records.outages(org, (asked.from, asked.to), longest, OUTAGES_MAX)?;
    let outages: Vec<Stretch> =
        outages.into_iter().map(|(from, to)| Stretch { from, to }).collect();
    let source = Source {
        series: stored.series.clone(),
        directory: std::sync::Arc::clone(&stored.directory),
        profiles: std::sync::Arc::clone(&stored.profiles),
        org,
        wanted: Wanted::All,
        known_at: wish.known_at,
    };
    let values = source.coverage(parts, asked, &outages)?;
    let waves = waves(&source, parts, (asked, &outages), groups)?;
    let promised: f64 = values.iter().chain(&waves).map(|it| it.promised_s).sum();
    let covered: f64 = values.iter().chain(&waves).map(|it| it.covered_s).sum();
    let text = json!({
        "made_by": "wardline export 1",
        "made_at": rfc3339(stored.now),
        "of": match wish.whom {
            Whom::Patient(patient) => json!({ "patient": patient.to_string() }),
            Whom::Device(device) => json!({ "device": device.to_string() }),
        },
        "from": rfc3339(wish.from),
        "to": rfc3339(wish.to),
        "known_at": rfc3339(wish.known_at),
        "form": match wish.form {
            Form::Csv => "csv",
            Form::Wfdb => "wfdb",
            Form::Edf => "edf",
            Form::Parquet => "parquet",
        },
        "promised_s": promised,
        "covered_s": covered,
        "parts": parts.iter().map(part_json).collect::<Vec<_>>(),
        "values": values,
        "waveforms": waves,
        "files": out.files,
        "notes": [
            "Times are UTC. A sample's time is that of its stretch's first sample and the rate; the times of blocks may differ from that by up to 10 ms or half a sample.",
            "A row without a value says why in its column `missing`. Doubtful samples of waveforms are listed; where no value was taken, 16-bit files have -32768.",
            "Waveforms with counts of more than 16 bits stand in waves.csv, whatever the form.",
        ],
    });
    const NAME: &str = "coverage.json";
    let text = serde_json::to_vec_pretty(&text).unwrap_or_default();
    out.write(NAME, &text)?;
    out.wrote(NAME, "what was promised, what is there, and why not", 1);
    Ok(permille(covered, promised))
}

fn permille(covered: f64, promised: f64) -> Option<u16> {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 1,000")]
    let share = (promised > 0.0).then(|| (covered / promised * 1_000.0).clamp(0.0, 1_000.0) as u16);
    share
}

fn part_json(part: &Part) -> Value {
    let spans = part.spans.iter().map(|it| json!([rfc3339(it.from), rfc3339(it.to)]));
    json!({
        "device": part.device.to_string(),
        "patient": part.patient.map(|it| it.to_string()),
        "spans": spans.collect::<Vec<_>>(),
    })
}

/// What each waveform of the devices' profiles promised, and what came.
fn waves(
    source: &Source,
    parts: &[Part],
    (asked, outages): (Span, &[Stretch]),
    groups: &Groups,
) -> Result<Vec<ChannelCoverage>, ExportError> {
    let mut found = Vec::new();
    for part in parts {
        let link = source.link(part.device, asked)?;
        let gateway = source.directory.gateway_of(part.device);
        let gateway = gateway.map(|gateway| source.link(gateway, asked)).transpose()?;
        let until = |it: &Span| Stretch { from: it.from, to: it.to.min(asked.to) };
        let on: Vec<Stretch> = part.spans.iter().map(until).filter(|it| it.from < it.to).collect();
        for (spec, rate_hz) in waves_of(source, part) {
            let own = groups.all().filter(|it| {
                (it.source.device, it.source.patient) == (part.device, part.patient)
                    && it.source.channel == spec.channel
            });
            let (covered, said) = there(own);
            let ledger: Ledger = ledger(&Evidence {
                asked: Stretch { from: asked.from, to: asked.to },
                on: &on,
                covered: &covered,
                said: &said,
                link: &link,
                gateway: gateway.as_deref(),
                outages,
            });
            let cadence =
                Duration::from_secs_f64(f64::from(rate_hz.1) / f64::from(rate_hz.0.max(1)));
            found.push(source.channel(part.device, (spec, cadence), ledger));
        }
    }
    Ok(found)
}

fn waves_of<'a>(source: &'a Source, part: &Part) -> Vec<(&'a ChannelSpec, (u32, u32))> {
    let device = source.directory.devices.get(&part.device);
    let profiles: &BTreeMap<String, Profile> = &source.profiles;
    let profile = device.and_then(|it| profiles.get(&it.profile));
    let waves = profile.into_iter().flat_map(Profile::waves);
    waves.map(|(spec, wave)| (spec, wave.rate_hz)).collect()
}

/// While there was a signal, and when and why there was none.
fn there<'a>(
    tracks: impl Iterator<Item = &'a Track>,
) -> (Vec<Stretch>, Vec<(Timestamp, MissingReason)>) {
    let (mut stretches, mut said) = (Vec::new(), Vec::new());
    for track in tracks {
        let rate_hz = track.source.rate_hz;
        for run in &track.runs {
            let mut from = run.at;
            for (start, len, why) in &run.doubts {
                let begin = at_sample(run.at, *start, rate_hz);
                let end = at_sample(run.at, start.saturating_add(*len), rate_hz);
                said.push((begin, *why));
                if from < begin {
                    stretches.push(Stretch { from, to: begin });
                }
                from = from.max(end);
            }
            let end = run.end(rate_hz);
            if from < end {
                stretches.push(Stretch { from, to: end });
            }
        }
    }
    stretches.sort_unstable();
    said.sort_by_key(|it| it.0);
    let mut joined: Vec<Stretch> = Vec::new();
    for next in stretches {
        let is_said = |last: &Stretch| said.iter().any(|it| it.0 >= last.to && it.0 < next.from);
        match joined.last_mut() {
            Some(last) if next.from <= last.to => last.to = last.to.max(next.to),
            Some(last) if next.from.since(last.to) <= JOIN && !is_said(last) => last.to = next.to,
            _ => joined.push(next),
        }
    }
    (joined, said)
}
