//! Waveforms of an export as tracks: the samples of one channel under one description, as
//! stretches without a gap, in order of time.
//!
//! Blocks of a device follow each other with the wobble of its clock, and a converter is never
//! as fast as its rate says. So a block is compared with the end of the block before it: if it
//! abuts that, the stretch goes on. A run is a part of a stretch within which the rate tells
//! every time, give or take half a sample or ten milliseconds; where a block is off by more, a
//! run with a time of its own begins, without a gap. What overlaps by more than a clock is off,
//! such as a second copy under another number, goes to a track of its own: nothing is left out.

use std::{
    fs::File,
    io::{self, BufWriter, Read as _, Seek as _, SeekFrom, Write as _},
    path::Path,
    time::Duration,
};

use model::{Channel, Code, DeviceId, MissingReason, PatientId, Timestamp, Ucum};
use store::WaveSpan;

use super::{ExportError, Reading, Stored, values::asked, windows};
use crate::past::{Span, at_sample, cut};

#[cfg(test)]
mod tests;

/// At a thousand samples a second a question answers less than half of what it may; a faster
/// channel is asked in shorter ones.
const WINDOW_S: u64 = 3_600;
/// The wobble of a clock between two blocks.
const WOBBLE: Duration = Duration::from_millis(10);
/// The times of two blocks that abut may be off by so much where they are stamped on arrival,
/// but by no more than half a block: what lies further apart is a lost block, or a second copy.
const JITTER: Duration = Duration::from_millis(100);

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

/// Samples whose times the first one's and the rate tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) at: Timestamp,
    /// Whether no gap lies before it, but only a clock that was off.
    pub(super) goes_on: bool,
    /// The first sample's place in the track.
    pub(super) start: u64,
    pub(super) len: u64,
    /// Doubtful samples by their place in the run: from, how many, why.
    pub(super) doubts: Vec<(u64, u64, MissingReason)>,
}

/// A stretch without a gap: the runs that follow each other, as one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stretch {
    /// All of its samples and doubts; its rate alone does not tell their times.
    pub(super) all: Run,
    /// The place and the time of each run's first sample.
    pub(super) marks: Vec<(u64, Timestamp)>,
    rate_hz: (u32, u32),
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
    /// When the last block ends by its own time, and how long it is.
    last: Option<(Timestamp, Duration)>,
}

impl Stretch {
    fn of(runs: &[Run], rate_hz: (u32, u32)) -> Option<Self> {
        let mut all = Run { len: 0, doubts: Vec::new(), ..runs.first()?.clone() };
        let mut marks = Vec::new();
        for run in runs {
            let shift = all.len;
            marks.push((shift, run.at));
            let moved = run.doubts.iter().map(|it| (it.0.saturating_add(shift), it.1, it.2));
            all.doubts.extend(moved);
            all.len = shift.saturating_add(run.len);
        }
        Some(Self { all, marks, rate_hz })
    }

    /// The time of a sample by its place, of what lies behind the last one too.
    pub(super) fn time_of(&self, place: u64) -> Timestamp {
        let next = self.marks.partition_point(|it| it.0 <= place);
        let mark = next.checked_sub(1).and_then(|at| self.marks.get(at));
        let (from, at) = mark.copied().unwrap_or((0, self.all.at));
        at_sample(at, place.saturating_sub(from), self.rate_hz)
    }

    pub(super) fn end(&self) -> Timestamp {
        self.time_of(self.all.len)
    }
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
        Ok(Self { source, runs: Vec::new(), is_narrow: true, aside, len: 0, last: None })
    }

    /// How many samples it has.
    pub(super) const fn len(&self) -> u64 {
        self.len
    }

    /// Its stretches without a gap, in order of time.
    pub(super) fn stretches(&self) -> Vec<Stretch> {
        let stretches = self.runs.chunk_by(|_, next| next.goes_on);
        stretches.filter_map(|runs| Stretch::of(runs, self.source.rate_hz)).collect()
    }

    /// Whether a block can follow behind a gap.
    fn takes(&self, span: &WaveSpan) -> bool {
        self.last.is_none_or(|(end, _)| span.at.after(self.wobble()) >= end)
    }

    /// How far a block begins from where the last one ends, if it goes on there.
    fn abuts(&self, span: &WaveSpan) -> Option<Duration> {
        let (end, last) = self.last?;
        let apart = Duration::from_nanos(span.at.nanos_after(end).unsigned_abs());
        let half = last.max(span.end().since(span.at)) / 2;
        (apart <= JITTER.min(half).max(self.wobble())).then_some(apart)
    }

    fn wobble(&self) -> Duration {
        let (hz, per) = self.source.rate_hz;
        let half = u64::from(per).saturating_mul(500_000_000) / u64::from(hz.max(1));
        Duration::from_nanos(half).max(WOBBLE)
    }

    fn push(&mut self, span: &WaveSpan) -> io::Result<()> {
        let goes_on = self.abuts(span).is_some();
        let tells_its_time = self.runs.last().is_some_and(|run| {
            let off = span.at.nanos_after(run.end(self.source.rate_hz)).unsigned_abs();
            Duration::from_nanos(off) <= self.wobble()
        });
        if !(goes_on && tells_its_time) {
            let (at, start) = (span.at, self.len);
            self.runs.push(Run { at, goes_on, start, len: 0, doubts: Vec::new() });
        }
        self.last = Some((span.end(), span.end().since(span.at)));
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
        let mut pieces = Vec::new();
        for run in &self.runs {
            for (from, len) in parted(run.len, self.source.rate_hz, (seconds, samples)) {
                pieces.push((run, at_sample(run.at, from, self.source.rate_hz), from, len));
            }
        }
        pieces
    }
}

/// Pieces of at most so many seconds and samples, as even as can be: place and length of each.
pub(super) fn parted(
    all: u64,
    (hz, per): (u32, u32),
    (seconds, samples): (u64, u64),
) -> Vec<(u64, u64)> {
    let of_time = seconds.saturating_mul(hz.into()) / u64::from(per.max(1));
    let count = all.div_ceil(of_time.min(samples).max(1));
    let edge = |it: u64| {
        let place = u128::from(all) * u128::from(it) / u128::from(count.max(1));
        u64::try_from(place).unwrap_or(all)
    };
    let piece = |number: u64| {
        let (from, to) = (edge(number), edge(number.saturating_add(1)));
        (from, to.saturating_sub(from))
    };
    (0..count).map(piece).collect()
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
    let series = stored.series.as_known(reading.wish.known_at);
    let mut tracks: Vec<Track> = Vec::new();
    for part in reading.parts {
        for channel in stored.channels(reading.org, part.device) {
            let first = tracks.len();
            for span in &part.spans {
                for window in windows(*span, WINDOW_S) {
                    let of = (part.device, &channel);
                    let ask = |window| series.query_wave(&reading.question(of, window));
                    let damaged = asked(window, ask, |window, stretch| {
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
                        Ok(())
                    })?;
                    reading.lacks(part, &channel, (&damaged, window));
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
    let own = || (first..).zip(tracks.iter().skip(first)).filter(|(_, it)| it.source == source);
    let nearest = own().filter_map(|(at, it)| Some((it.abuts(span)?, at))).min();
    let found = nearest.map(|(_, at)| at);
    let found = found.or_else(|| own().find(|(_, it)| it.takes(span)).map(|(at, _)| at));
    if let Some(track) = found.and_then(|at| tracks.get_mut(at)) {
        return track.push(span).map_err(ExportError::Aside);
    }
    let mut track = Track::begin(source, folder)?;
    track.push(span).map_err(ExportError::Aside)?;
    tracks.push(track);
    Ok(())
}
