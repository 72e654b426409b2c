//! What stands beside exported files: whose data it is, what was promised, how much of it is
//! there and why the rest is not, and which files hold it.

use fleet::coverage::{Stretch, ledger};
use model::{MissingReason, OrgId};
use serde_json::{Value, json};
use store::WaveThere;

use super::{
    ExportError, Folder, Form, Lost, Stored, Whom, Wish, groups::Groups, rfc3339, tracks::Track,
};
use crate::{
    dto::history::ChannelCoverage,
    history::{Kept, Part, Source, Wanted, cadence, evidence, on_of, present},
    limits::{OUTAGES_MAX, PULSE_EVERY},
    past::{Span, at_sample},
};

/// Writes `coverage.json`, and gives the covered share of all that was promised.
pub(super) fn write(
    stored: &Stored,
    wish: &Wish,
    (org, parts, lost): (OrgId, &[Part], &[Lost]),
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
    let waves = waves(&source, (parts, lost), (asked, &outages), groups)?;
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
        "damaged": lost.iter().map(lost_json).collect::<Vec<_>>(),
        "parts": parts.iter().map(part_json).collect::<Vec<_>>(),
        "values": values,
        "waveforms": waves,
        "files": out.files,
        "notes": [
            "Times are UTC. A sample's time is that of its stretch's first sample and the rate; the times of blocks may differ from that by up to 10 ms or half a sample.",
            "`damaged` lists stretches of which what was stored cannot be read: nothing of that is in these files.",
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

fn lost_json(it: &Lost) -> Value {
    json!({
        "device": it.device.to_string(),
        "patient": it.patient.map(|it| it.to_string()),
        "channel": it.channel.to_string(),
        "from": rfc3339(it.span.from),
        "to": rfc3339(it.span.to),
    })
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
    (parts, lost): (&[Part], &[Lost]),
    (asked, outages): (Span, &[Stretch]),
    groups: &Groups,
) -> Result<Vec<ChannelCoverage>, ExportError> {
    let mut found = Vec::new();
    for part in parts {
        let (links, on) = (source.links(part.device, asked)?, on_of(part, asked));
        for (spec, rate_hz) in source.waveforms(part.device) {
            let own = groups.all().filter(|it| {
                (it.source.device, it.source.patient) == (part.device, part.patient)
                    && it.source.channel == spec.channel
            });
            let (covered, said) = present(own.flat_map(there));
            let own = lost.iter().filter(|it| {
                (it.device, it.patient) == (part.device, part.patient) && it.channel == spec.channel
            });
            let damaged = own.map(|it| Stretch { from: it.span.from, to: it.span.to }).collect();
            let kept = Kept { covered, said, damaged };
            let ledger = ledger(&evidence((asked, &on), &kept, &links, outages));
            let channel = source.channel(part, (spec, cadence(rate_hz)), ledger);
            found.push(ChannelCoverage { is_waveform: true, ..channel });
        }
    }
    Ok(found)
}

/// The stretches of a track, each with what its device doubted.
fn there(track: &Track) -> impl Iterator<Item = WaveThere> {
    let rate_hz = track.source.rate_hz;
    track.runs.iter().map(move |run| {
        let doubt = |(start, len, why): &(u64, u64, MissingReason)| {
            let end = at_sample(run.at, start.saturating_add(*len), rate_hz);
            (at_sample(run.at, *start, rate_hz), end, *why)
        };
        let doubts = run.doubts.iter().map(doubt).collect();
        WaveThere { from: run.at, to: run.end(rate_hz), doubts }
    })
}
