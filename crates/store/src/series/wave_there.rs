//! While a waveform was there: when its blocks came and what their device doubted, without
//! a sample of them, so that days can be asked about.

use std::time::Duration;

use model::{Amendment, MissingReason, Timestamp};
use rusqlite::Connection;

use super::{
    DamagedSpan, Series, SeriesId, WaveSpan, at_sample, chunk,
    damage::{self, Met},
    hot::HotSeries,
    query::{Question, bytes_at, chunks_of, ordered, overlaps},
    seal::Item as _,
};
use crate::{hold::hold, sqlite::DatabaseError};

/// A stretch of a waveform that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WaveThere {
    /// The time of its first sample.
    pub from: Timestamp,
    /// The end of its last sample's interval.
    pub to: Timestamp,
    /// What of it means nothing, from when to when, and why.
    pub doubts: Vec<(Timestamp, Timestamp, MissingReason)>,
}

/// How closely is looked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WaveDetail {
    /// At each block with its doubts; reads every sealed row of the range.
    Blocks,
    /// At the times of sealed chunks, each of a minute at most, without doubts.
    Chunks,
}

impl Series {
    /// Where a waveform is there. What lies apart by no more than `join`, and is not doubted, is
    /// one stretch; the order is that of the ends of chunks, so stretches may overlap. Also where
    /// sealed chunks cannot be read; those that nobody has met yet count as there among chunks.
    pub fn wave_there(
        &self,
        question: &Question,
        detail: WaveDetail,
        join: Duration,
    ) -> Result<(Vec<WaveThere>, Vec<DamagedSpan>), DatabaseError> {
        let source = (question.org, question.device, question.channel.clone());
        let in_memory: Vec<_> = {
            let hot = hold(&self.0.hot);
            let there = |series: &HotSeries| {
                let leaving = series.leaving.iter().flat_map(|batch| batch.spans.iter());
                let spans = leaving.chain(&series.spans).filter(|span| overlaps(*span, question));
                spans.map(of_span).collect::<Vec<_>>()
            };
            hot.of_source(&source).into_iter().map(|(id, series)| (id, there(series))).collect()
        };
        let held = self.held_in(question).into_iter();
        let withdrawn = held.filter(|it| it.amendment == Amendment::Withdraw);
        let withdrawn = withdrawn.map(|it| (it.from, it.to)).collect();
        let mut found = Found { all: Vec::new(), join, withdrawn };
        let mut damaged = Vec::new();
        for (id, memory) in in_memory {
            // As in every question memory is looked at first, and what is there twice is one.
            let unread = self.0.database.read(|db| match detail {
                WaveDetail::Blocks => blocks(db, id, question, &mut found),
                WaveDetail::Chunks => chunks(db, id, question, &mut found),
            })?;
            self.met(&unread);
            damaged.extend(unread.iter().map(Met::span));
            memory.into_iter().for_each(|there| found.put(there));
        }
        Ok((found.all, ordered(damaged)))
    }
}

struct Found {
    all: Vec<WaveThere>,
    join: Duration,
    /// What a person withdrew is there and means nothing.
    withdrawn: Vec<(Timestamp, Timestamp)>,
}

impl Found {
    fn put(&mut self, mut next: WaveThere) {
        let join = self.join;
        for (from, to) in &self.withdrawn {
            let (from, to) = ((*from).max(next.from), (*to).min(next.to));
            if from < to {
                next.doubts.push((from, to, MissingReason::Withdrawn));
            }
        }
        next.doubts.sort_by_key(|it| it.0);
        let goes_on = |last: &&mut WaveThere| {
            let is_near = next.from >= last.from && next.from.since(last.to) <= join;
            is_near && last.doubts.is_empty() && next.doubts.is_empty()
        };
        match self.all.last_mut().filter(goes_on) {
            Some(last) => last.to = last.to.max(next.to),
            None => self.all.push(next),
        }
    }
}

fn of_span(span: &WaveSpan) -> WaveThere {
    there(span.at, span.samples.len(), span.rate_hz, &span.invalid)
}

fn there(
    at: Timestamp,
    samples: usize,
    rate_hz: (u32, u32),
    invalid: &[super::Invalid],
) -> WaveThere {
    let time = |sample: u32| at_sample(at, usize::try_from(sample).unwrap_or(usize::MAX), rate_hz);
    let doubt =
        |it: &super::Invalid| (time(it.start), time(it.start.saturating_add(it.len)), it.reason);
    WaveThere {
        from: at,
        to: at_sample(at, samples, rate_hz),
        doubts: invalid.iter().map(doubt).collect(),
    }
}

/// Puts every sealed block; says which chunks cannot be read.
fn blocks(
    db: &Connection,
    id: SeriesId,
    question: &Question,
    found: &mut Found,
) -> rusqlite::Result<Vec<Met>> {
    let of = (question.org, id, WaveSpan::CODEC);
    let mut unread = damage::gone(db, of, (question.from, question.to))?;
    let mut sealed = chunks_of(db, of, (question.from, question.to))?;
    sealed.sort_by_key(|met| met.max_at);
    for met in sealed {
        let bytes = met.place.map(|place| bytes_at(db, of, place)).transpose()?.flatten();
        let Some((rate_hz, spans)) = bytes.and_then(|it| chunk::decode_heads(&it).ok()) else {
            unread.push(met);
            continue;
        };
        for (at, len, invalid) in spans {
            let there = there(at, len, rate_hz, &invalid);
            if there.to > question.from && there.from < question.to {
                found.put(there);
            }
        }
    }
    Ok(unread)
}

/// Puts the times of sealed chunks, out of the index alone; says which are noted as damaged.
fn chunks(
    db: &Connection,
    id: SeriesId,
    question: &Question,
    found: &mut Found,
) -> rusqlite::Result<Vec<Met>> {
    let of = (question.org, id, WaveSpan::CODEC);
    let span = (question.from, question.to);
    let unread = damage::noted_in(db, of, span)?;
    let mut sealed = chunks_of(db, of, span)?;
    sealed.sort_by_key(|met| met.max_at);
    let is_sound = |met: &Met| unread.iter().all(|it| it.place != met.place);
    let is_inside = |met: &Met| met.max_at > question.from.unix_nanos();
    for met in sealed.into_iter().filter(|met| is_sound(met) && is_inside(met)) {
        let at = Timestamp::from_unix_nanos;
        let (from, to) = (at(met.min_at), at(met.max_at));
        found.put(WaveThere { from, to, doubts: Vec::new() });
    }
    Ok(unread)
}
