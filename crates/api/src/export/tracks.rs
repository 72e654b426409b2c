//! Waveforms of an export as tracks: the samples of one channel under one description, as
//! stretches without a gap, in order of time.
//!
//! Blocks of a device follow each other with the wobble of its clock. A block belongs to the
//! stretch before it if it begins where that ends by its own rate, give or take half a sample
//! or ten milliseconds; else it begins a stretch. What overlaps a stretch by more, such as a
//! second copy under another number, goes to a track of its own: nothing is left out.

use std::{
    fs::File,
    io::{self, BufWriter, Read as _, Seek as _, SeekFrom, Write as _},
    path::Path,
    time::Duration,
};

use model::{Channel, Code, DeviceId, MissingReason, PatientId, Timestamp, Ucum};
use store::{Question, WaveSpan};

use super::{ExportError, Reading, Stored, windows};
use crate::past::{Span, at_sample, cut};

/// At a thousand samples a second a question answers less than half of what it may.
const WINDOW_S: u64 = 3_600;
/// The wobble of a clock between two blocks.
const WOBBLE: Duration = Duration::from_millis(10);

/// What all samples of a track have in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Source {
    pub(super) patient: Option<PatientId>,
    pub(super) device: DeviceId,
    pub(super) channel: Channel,
    pub(super) code: Option<Code>,
    pub(super) ucum: Ucum,
    pub(super) rate_hz: (u32, u32),
    pub(super) gain: (i64, i8),
    pub(super) offset: i32,
}

/// A stretch without a gap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) at: Timestamp,
    /// The first sample's place in the track.
    pub(super) start: u64,
    pub(super) len: u64,
    /// Doubtful samples by their place in the run: from, how many, why.
    pub(super) doubts: Vec<(u64, u64, MissingReason)>,
}

/// Samples of one channel under one description.
#[derive(Debug)]
pub(super) struct Track {
    pub(super) source: Source,
    pub(super) runs: Vec<Run>,
    /// Whether all counts fit into 16 bits, the mark for a missing one apart.
    pub(super) is_narrow: bool,
    aside: BufWriter<File>,
    len: u64,
}

impl Run {
    pub(super) fn end(&self, rate_hz: (u32, u32)) -> Timestamp {
        at_sample(self.at, self.len, rate_hz)
    }
}

impl Track {
    fn begin(source: Source, folder: &Path) -> Result<Self, ExportError> {
        let aside = tempfile::tempfile_in(folder).map_err(ExportError::Aside)?;
        let aside = BufWriter::new(aside);
        Ok(Self { source, runs: Vec::new(), is_narrow: true, aside, len: 0 })
    }

    /// How many samples it has.
    pub(super) const fn len(&self) -> u64 {
        self.len
    }

    fn end(&self) -> Option<Timestamp> {
        self.runs.last().map(|run| run.end(self.source.rate_hz))
    }

    /// Whether a block that begins then can follow.
    fn takes(&self, at: Timestamp) -> bool {
        self.end().is_none_or(|end| at.after(self.wobble()) >= end)
    }

    fn wobble(&self) -> Duration {
        let (hz, per) = self.source.rate_hz;
        let half = u64::from(per).saturating_mul(500_000_000) / u64::from(hz.max(1));
        Duration::from_nanos(half).max(WOBBLE)
    }

    fn push(&mut self, span: &WaveSpan) -> io::Result<()> {
        let follows = self.end().is_some_and(|end| {
            Duration::from_nanos(span.at.nanos_after(end).unsigned_abs()) <= self.wobble()
        });
        if !follows {
            let (at, start) = (span.at, self.len);
            self.runs.push(Run { at, start, len: 0, doubts: Vec::new() });
        }
        let Some(run) = self.runs.last_mut() else { return Ok(()) };
        for doubt in span.invalid.iter() {
            let start = run.len.saturating_add(doubt.start.into());
            match run.doubts.last_mut() {
                Some((from, len, why))
                    if from.saturating_add(*len) == start && *why == doubt.reason =>
                {
                    *len = len.saturating_add(doubt.len.into());
                }
                _ => run.doubts.push((start, doubt.len.into(), doubt.reason)),
            }
        }
        for count in span.samples.iter() {
            self.is_narrow &= signal::wfdb::fits_format_16(*count);
            self.aside.write_all(&count.to_le_bytes())?;
        }
        let len = u64::try_from(span.samples.len()).unwrap_or(u64::MAX);
        run.len = run.len.saturating_add(len);
        self.len = self.len.saturating_add(len);
        Ok(())
    }

    /// Samples of the track, by their place in it.
    pub(super) fn samples(&self, start: u64, len: u64) -> Result<Vec<i32>, ExportError> {
        let read = || -> io::Result<Vec<i32>> {
            let mut file = self.aside.get_ref();
            file.seek(SeekFrom::Start(start.saturating_mul(4)))?;
            let mut bytes = vec![0; usize::try_from(len.saturating_mul(4)).unwrap_or(0)];
            file.read_exact(&mut bytes)?;
            Ok(bytes.as_chunks().0.iter().map(|it| i32::from_le_bytes(*it)).collect())
        };
        read().map_err(ExportError::Aside)
    }

    /// The runs in pieces of at most so many seconds and samples, as even as can be: each
    /// with its time, its place in the run, and its length.
    pub(super) fn pieces(&self, seconds: u64, samples: u64) -> Vec<(&Run, Timestamp, u64, u64)> {
        let (hz, per) = self.source.rate_hz;
        let of_time = seconds.saturating_mul(hz.into()) / u64::from(per.max(1));
        let most = of_time.min(samples).max(1);
        let mut pieces = Vec::new();
        for run in &self.runs {
            let count = run.len.div_ceil(most);
            for number in 0..count {
                let edge = |it: u64| {
                    let place = u128::from(run.len) * u128::from(it) / u128::from(count.max(1));
                    u64::try_from(place).unwrap_or(run.len)
                };
                let (from, to) = (edge(number), edge(number.saturating_add(1)));
                let at = at_sample(run.at, from, self.source.rate_hz);
                pieces.push((run, at, from, to.saturating_sub(from)));
            }
        }
        pieces
    }
}

/// The doubts of a run that touch a piece of it, by their place in the piece.
pub(super) fn doubts_in(run: &Run, from: u64, len: u64) -> Vec<(u64, u64, MissingReason)> {
    let to = from.saturating_add(len);
    let narrow = |(start, count, why): &(u64, u64, MissingReason)| {
        let end = start.saturating_add(*count).min(to);
        let begin = (*start).max(from);
        (begin < end).then(|| (begin.saturating_sub(from), end.saturating_sub(begin), *why))
    };
    run.doubts.iter().filter_map(narrow).collect()
}

/// Reads every waveform of the parts, and keeps the samples aside in the folder's disk.
pub(super) fn read(
    stored: &Stored,
    reading: &mut Reading<'_>,
    folder: &Path,
) -> Result<Vec<Track>, ExportError> {
    let mut tracks: Vec<Track> = Vec::new();
    for part in reading.parts {
        for channel in stored.channels(reading.org, part.device) {
            let first = tracks.len();
            for span in &part.spans {
                for window in windows(*span, WINDOW_S) {
                    let question = Question {
                        org: reading.org,
                        device: part.device,
                        channel: channel.clone(),
                        from: window.from,
                        to: window.to,
                    };
                    for stretch in stored.series.query_wave(&question)? {
                        let own = stretch.items.iter().filter(|it| begins_in(it, window, *span));
                        for found in own.filter_map(|it| cut(it, *span)) {
                            let source = Source {
                                patient: part.patient,
                                device: part.device,
                                channel: channel.clone(),
                                code: stretch.kind,
                                ucum: stretch.ucum.clone(),
                                rate_hz: found.rate_hz,
                                gain: found.gain,
                                offset: found.offset,
                            };
                            put(&mut tracks, first, source, &found, folder)?;
                        }
                    }
                    reading.has_read(window);
                }
            }
        }
    }
    for track in &mut tracks {
        track.aside.flush().map_err(ExportError::Aside)?;
    }
    Ok(tracks)
}

/// A stretch over the end of a window is of the window in which it begins, and one that began
/// before the part is of the part's first.
fn begins_in(it: &WaveSpan, window: Span, part: Span) -> bool {
    let at = it.at.max(part.from);
    window.from <= at && at < window.to
}

fn put(
    tracks: &mut Vec<Track>,
    first: usize,
    source: Source,
    span: &WaveSpan,
    folder: &Path,
) -> Result<(), ExportError> {
    let fits = |track: &&mut Track| track.source == source && track.takes(span.at);
    if let Some(track) = tracks.iter_mut().skip(first).find(fits) {
        return track.push(span).map_err(ExportError::Aside);
    }
    let mut track = Track::begin(source, folder)?;
    track.push(span).map_err(ExportError::Aside)?;
    tracks.push(track);
    Ok(())
}
