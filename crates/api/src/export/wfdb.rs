//! Waveforms as WFDB: a record over segments of format 16 and the gaps between them.
//!
//! Counts, gains and baselines are exact. A header counts time in samples, so what it cannot
//! say stands in comments of each segment: the nanosecond of the first sample, the rate as a
//! fraction, the unit as sent, whose it is, and which samples are doubtful and why; and where
//! the device's clock was off against its rate, the time of the sample there. Where no value was
//! taken the format's own mark for a missing sample stands.

use model::{MissingReason, Timestamp};
use protocols::senml::word_of;
use signal::wfdb::{Described, Recording, Segment};

use super::{
    ExportError, Folder, Writing, civil, csv, rfc3339,
    tracks::{Run, Source, Stretch, Track, doubts_in, parted},
};
use crate::past::samples_between;

/// A segment is in memory while it is written.
const SEGMENT_S: u64 = 3_600;
/// The most samples of one signal of a segment.
const SEGMENT_SAMPLES_MAX: u64 = 4_000_000;

/// Writes the record of tracks that go together.
pub(super) fn write(
    number: usize,
    group: &[Track],
    out: &mut Folder,
    writing: &mut Writing<'_>,
) -> Result<(), ExportError> {
    let Some(first) = group.first() else { return Ok(()) };
    let recording = recording(number, group);
    let rate_hz = first.source.rate_hz;
    let (mut segments, mut place) = (Vec::new(), 0_u64);
    let begins_at = first.runs.first().map_or_else(Timestamp::default, |run| run.at);
    let laid: Vec<(&Track, Vec<Stretch>)> = group.iter().map(|it| (it, it.stretches())).collect();
    for (nth, stretch) in first.stretches().iter().enumerate() {
        if nth > 0 {
            // However fast the converter was: where there is a gap, one is seen.
            let should_be = samples_between(begins_at, stretch.all.at, rate_hz);
            let gap = should_be.saturating_sub(place).max(1);
            segments.push(Segment::Gap(gap));
            place = place.saturating_add(gap);
        }
        for (from, len) in parted(stretch.all.len, rate_hz, (SEGMENT_S, SEGMENT_SAMPLES_MAX)) {
            let at = stretch.time_of(from);
            let name = format!("{}_{:04}", recording.name, segments.len().saturating_add(1));
            let (mut counts, mut comments) = (Vec::new(), vec![about_all(at, rate_hz)]);
            comments.extend(about_times(stretch, from, len));
            for (signal, (track, stretches)) in laid.iter().enumerate() {
                let own = stretches.get(nth).map_or(&stretch.all, |it| &it.all);
                let doubts = doubts_in(own, from, len);
                counts.push(narrow(track, own, (from, len), &doubts)?);
                comments.push(about_signal(signal, &track.source));
                let about = |(at, len, why): &(u64, u64, _)| {
                    format!("doubt {signal} {at} {len} {}", word_of(*why))
                };
                comments.extend(doubts.iter().map(about));
            }
            let (header, samples) = recording.segment(&name, &begins(at), &counts, &comments);
            out.write(&format!("{name}.dat"), &samples)?;
            out.write(&format!("{name}.hea"), header.as_bytes())?;
            segments.push(Segment::There(name, len));
            place = place.saturating_add(len);
            for _ in group {
                writing.has_written(len);
            }
        }
    }
    let master = recording.master(&begins(begins_at), &segments);
    out.write(&format!("{}.hea", recording.layout_name()), recording.layout().as_bytes())?;
    out.write(&format!("{}.hea", recording.name), master.as_bytes())?;
    let channels: Vec<&str> = group.iter().map(|it| &*it.source.channel.0).collect();
    let samples = group.iter().map(Track::len).sum();
    out.wrote(&format!("{}.hea", recording.name), &channels.join(" "), samples);
    Ok(())
}

fn recording(number: usize, group: &[Track]) -> Recording {
    let described = |track: &Track| Described {
        gain_adu_per_unit: counts_per_unit(track.source.gain),
        baseline: track.source.offset,
        unit: track.source.ucum.as_str().to_owned(),
        description: track.source.channel.0.to_string(),
    };
    let (hz, per) = group.first().map_or((1, 1), |it| it.source.rate_hz);
    let rate_hz = if per == 1 {
        hz.to_string()
    } else {
        format!("{:.3}", f64::from(hz) / f64::from(per.max(1)))
    };
    let signals = group.iter().map(described).collect();
    Recording { name: format!("waves{number:03}"), rate_hz, signals }
}

/// Time and date as WFDB spells them.
fn begins(at: Timestamp) -> String {
    let it = civil(at);
    let (hour, minute, second) = (it.hour(), it.minute(), it.second());
    let millis = it.subsec_nanosecond() / 1_000_000;
    let (day, month, year) = (it.day(), it.month(), it.year());
    format!("{hour:02}:{minute:02}:{second:02}.{millis:03} {day:02}/{month:02}/{year:04}")
}

fn about_all(at: Timestamp, (hz, per): (u32, u32)) -> String {
    format!("at {} rate {hz}/{per}", rfc3339(at))
}

/// The times of the samples at which a run of the piece begins, by their place in it.
fn about_times(stretch: &Stretch, from: u64, len: u64) -> impl Iterator<Item = String> {
    let marks =
        stretch.marks.iter().filter(move |it| it.0 > from && it.0.saturating_sub(from) < len);
    marks.map(move |(place, at)| format!("time {} {}", place.saturating_sub(from), rfc3339(*at)))
}

fn about_signal(signal: usize, source: &Source) -> String {
    let Source { patient, device, channel, ucum, gain, offset, .. } = source;
    let patient = patient.map_or_else(|| "nobody".to_owned(), |it| it.to_string());
    let gain = csv::number(*gain);
    format!(
        "signal {signal} patient {patient} device {device} channel {channel} gain {gain} offset {offset} unit {ucum}"
    )
}

/// How many counts one unit has; the exact value of one count stands in a comment.
fn counts_per_unit((mantissa, exp10): (i64, i8)) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a gain has a few digits")]
    let mantissa = mantissa as f64;
    let power = 10_f64.powi(i32::from(exp10).abs());
    if exp10 < 0 { power / mantissa } else { 1.0 / (mantissa * power) }
}

/// Samples of a run in 16 bits; where no value was taken stands `i16::MIN`.
pub(super) fn narrow(
    track: &Track,
    run: &Run,
    (from, len): (u64, u64),
    doubts: &[(u64, u64, MissingReason)],
) -> Result<Vec<i16>, ExportError> {
    let counts = track.samples(run.start.saturating_add(from), len)?;
    let mut counts: Vec<i16> =
        counts.into_iter().map(|it| i16::try_from(it).unwrap_or(i16::MIN)).collect();
    for (start, len, why) in doubts {
        if *why == MissingReason::NotMeasured {
            let start = usize::try_from(*start).unwrap_or(usize::MAX);
            let len = usize::try_from(*len).unwrap_or(usize::MAX);
            counts.iter_mut().skip(start).take(len).for_each(|it| *it = i16::MIN);
        }
    }
    Ok(counts)
}
