//! Questions about a channel: what is in memory and what is sealed, as one.
//!
//! Memory is asked first and the disk after it: what is sealed in between is seen
//! twice, and doubles are taken out; the other way round it could be missed. A chunk that is
//! not what was sealed gives nothing, and the answer says over which time.

use model::{Channel, DeviceId, OrgId, Timestamp};
use rusqlite::{Connection, params};

use super::{
    DamagedSpan, Point, Series, SeriesId, SeriesKey, Stretch, WaveSpan,
    corrections::Held,
    counts::{counted, firsts, without},
    damage::{self, Flaw, Met},
    hot::HotSeries,
    seal::Item,
};
use crate::{
    hold::hold,
    row_sum,
    sqlite::{DatabaseError, Sql, is_corrupt},
};

/// A channel of a device, and a span of time that includes `from` and excludes `to`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it all")]
pub struct Question {
    pub org: OrgId,
    pub device: DeviceId,
    pub channel: Channel,
    pub from: Timestamp,
    pub to: Timestamp,
}

/// What a question found, and over which time it may lack something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer<T> {
    /// Usually one; more if the channel's unit or code changed.
    pub stretches: Vec<Stretch<T>>,
    /// Where sealed chunks could not be read, in order of time; nothing of them is in the rest.
    pub damaged: Vec<DamagedSpan>,
}

impl<T> Default for Answer<T> {
    fn default() -> Self {
        Self { stretches: Vec::new(), damaged: Vec::new() }
    }
}

impl Series {
    /// Every channel of a device that was ever seen, waveforms and the program's own included,
    /// in the order of their names.
    pub fn channels_of(&self, org: OrgId, device: DeviceId) -> Vec<Channel> {
        hold(&self.0.hot).channels_of(org, device)
    }

    /// The points of a channel that count, one an instant, ordered by their times.
    pub fn query(&self, question: &Question) -> Result<Answer<Point>, DatabaseError> {
        let held = self.held_in(question);
        let mut answer = self.receipts(question)?;
        for it in &mut answer.stretches {
            it.items = counted(std::mem::take(&mut it.items), &it.ucum, &held);
        }
        Ok(answer)
    }

    /// What counts of a stretch of receipts that a question was answered with.
    pub fn counted(&self, question: &Question, stretch: &Stretch<Point>) -> Vec<Point> {
        counted(stretch.items.clone(), &stretch.ucum, &self.held_in(question))
    }

    /// Everything that was received of a channel, also what does not count: each value of each
    /// instant once, as it came first, ordered by their times and receipts.
    pub fn receipts(&self, question: &Question) -> Result<Answer<Point>, DatabaseError> {
        let hot = |series: &HotSeries| {
            let leaving = series.leaving.iter().flat_map(|batch| batch.points.iter());
            let points = leaving.chain(&series.points);
            points.filter(|point| overlaps(*point, question)).copied().collect()
        };
        let max = hold(&self.0.hot).limits.query_points_max;
        self.ask(question, hot, max, "points")
    }

    /// The stretches of a waveform that touch the span, ordered by their times; what lies
    /// between two of them is a gap. What a person withdrew is there and means nothing.
    pub fn query_wave(&self, question: &Question) -> Result<Answer<WaveSpan>, DatabaseError> {
        let hot = |series: &HotSeries| {
            let leaving = series.leaving.iter().flat_map(|batch| batch.spans.iter());
            let spans = leaving.chain(&series.spans);
            spans.filter(|span| overlaps(*span, question)).cloned().collect()
        };
        let max = hold(&self.0.hot).limits.query_samples_max;
        let held = self.held_in(question);
        let mut answer = self.ask(question, hot, max, "samples")?;
        answer.stretches.iter_mut().for_each(|it| without(&mut it.items, &held));
        Ok(answer)
    }

    /// What changes values in a span, by what this handle knows, the newest last.
    pub(super) fn held_in(&self, question: &Question) -> Vec<Held> {
        hold(&self.0.corrections).held_in(question, self.1)
    }

    /// The same of what is sealed only, read from the disk: what memory alone has is left out,
    /// and a damaged chunk is an error.
    pub fn sealed_waves(
        &self,
        question: &Question,
    ) -> Result<Vec<Stretch<WaveSpan>>, DatabaseError> {
        let max = hold(&self.0.hot).limits.query_samples_max;
        self.whole(question, self.ask(question, |_| Vec::new(), max, "samples")?)
    }

    /// What an answer found, if nothing of it may be lacking.
    pub fn whole<T>(
        &self,
        question: &Question,
        answer: Answer<T>,
    ) -> Result<Vec<Stretch<T>>, DatabaseError> {
        match answer.damaged.first() {
            None => Ok(answer.stretches),
            Some(span) => {
                let (channel, at) = (&question.channel, span.from.unix_millis());
                let what = format!("the chunk of {channel} that begins {at} ms after 1970");
                Err(self.0.database.damaged(what))
            }
        }
    }

    fn ask<T: Item>(
        &self,
        question: &Question,
        hot: impl Fn(&HotSeries) -> Vec<T>,
        max: usize,
        what: &'static str,
    ) -> Result<Answer<T>, DatabaseError> {
        let source = (question.org, question.device, question.channel.clone());
        let in_memory: Vec<_> = hold(&self.0.hot)
            .of_source(&source)
            .into_iter()
            .map(|(id, series)| (id, series.key.clone(), hot(series)))
            .collect();
        let mut answer = Answer::default();
        for (id, key, items) in in_memory {
            let found = self.0.database.read(|db| sealed::<T>(db, id, question, max))?;
            let Some(found) = found else { return Err(DatabaseError::TooMuch { what, max }) };
            self.met(&found.damaged);
            answer.damaged.extend(found.damaged.iter().map(Met::span));
            let mut all = found.items;
            all.extend(items);
            if all.iter().map(Item::size).fold(0, usize::saturating_add) > max {
                return Err(DatabaseError::TooMuch { what, max });
            }
            let all = firsts(all);
            if !all.is_empty() {
                let SeriesKey { kind, ucum, .. } = &*key;
                let (kind, ucum) = (*kind, ucum.clone());
                answer.stretches.push(Stretch { kind, ucum, items: all });
            }
        }
        answer.damaged = ordered(answer.damaged);
        Ok(answer)
    }
}

/// Spans in order of time; those that touch are one.
pub(super) fn ordered(mut spans: Vec<DamagedSpan>) -> Vec<DamagedSpan> {
    spans.sort_unstable();
    let mut joined: Vec<DamagedSpan> = Vec::new();
    for span in spans {
        match joined.last_mut() {
            Some(last) if span.from <= last.to => last.to = last.to.max(span.to),
            _ => joined.push(span),
        }
    }
    joined
}

impl Series {
    /// Reads every sealed chunk, counts them, and names those that are damaged or gone.
    pub fn check_chunks(&self) -> Result<(u64, Vec<String>), DatabaseError> {
        let (count, flaws) = self.0.database.read(|db| {
            let count =
                db.query_row("SELECT count(*) FROM chunk", [], |row| row.get::<_, i64>(0))?;
            // Chunks of series that nobody knows, and of tallies without a chunk, count as well.
            let ask =
                "SELECT org, series, codec FROM chunk UNION SELECT org, series, codec FROM tally
                       ORDER BY 2, 3, 1";
            let row = |row: &rusqlite::Row<'_>| {
                Ok((row.get::<_, Sql<OrgId>>(0)?.0, SeriesId(row.get(1)?), row.get::<_, u8>(2)?))
            };
            let all: Vec<_> =
                db.prepare(ask)?.query_map([], row)?.collect::<rusqlite::Result<_>>()?;
            let mut flaws: Vec<Flaw> = Vec::new();
            for (org, id, codec) in all {
                flaws.extend(match codec {
                    Point::CODEC => damage::scan::<Point>(db, org, id)?,
                    WaveSpan::CODEC => damage::scan::<WaveSpan>(db, org, id)?,
                    _ => vec![Flaw::of_unknown(org, id, codec)],
                });
            }
            Ok((count, flaws))
        })?;
        let count = u64::try_from(count).unwrap_or(0);
        Ok((count, flaws.iter().map(Flaw::words).collect()))
    }
}

pub(super) fn overlaps<T: Item>(item: &T, question: &Question) -> bool {
    // A point has no width; a span that ends at `from` is over.
    let not_over = item.begin() >= question.from || item.end() > question.from;
    not_over && item.begin() < question.to
}

/// What sealed chunks have of a question.
pub(super) struct Found<T> {
    pub(super) items: Vec<T>,
    /// Chunks that touch the question's time and cannot be read.
    pub(super) damaged: Vec<Met>,
}

/// `None` if that is more than `max`.
pub(super) fn sealed<T: Item>(
    db: &Connection,
    id: SeriesId,
    question: &Question,
    max: usize,
) -> rusqlite::Result<Option<Found<T>>> {
    let (org, span) = (question.org, (question.from, question.to));
    let of = (org, id, T::CODEC);
    let mut found = Found { items: Vec::new(), damaged: damage::gone(db, of, span)? };
    let mut size = 0_usize;
    for met in chunks_of(db, of, span)? {
        let items = met.place.map(|place| items_at::<T>(db, (org, id), place)).transpose()?;
        let Some(items) = items.flatten() else {
            found.damaged.push(met);
            continue;
        };
        for item in items.into_iter().filter(|item| overlaps(item, question)) {
            size = size.saturating_add(item.size());
            found.items.push(item);
        }
        if size > max {
            return Ok(None);
        }
    }
    Ok(Some(found))
}

/// The chunks of a span. The index alone says where they lie, whatever their rows say.
pub(super) fn chunks_of(
    db: &Connection,
    (org, id, codec): (OrgId, SeriesId, u8),
    (from, to): (Timestamp, Timestamp),
) -> rusqlite::Result<Vec<Met>> {
    let ask = "SELECT rowid, min_at, max_at FROM chunk INDEXED BY chunk_by_time
               WHERE org = ?1 AND series = ?2 AND codec = ?3 AND max_at >= ?4 AND min_at < ?5";
    let met = |row: &rusqlite::Row<'_>| {
        Ok(Met { org, id, codec, place: row.get(0)?, min_at: row.get(1)?, max_at: row.get(2)? })
    };
    let key = params![Sql(org), id.0, codec, Sql(from), Sql(to)];
    db.prepare_cached(ask)?.query_map(key, met)?.collect()
}

/// The items of the chunk in a row; `None` if they are not what was sealed of this series.
pub(super) fn items_at<T: Item>(
    db: &Connection,
    (org, id): (OrgId, SeriesId),
    place: i64,
) -> rusqlite::Result<Option<Vec<T>>> {
    let bytes = bytes_at(db, (org, id, T::CODEC), place)?;
    Ok(bytes.and_then(|bytes| T::decode(&bytes).ok()))
}

// RC-055
/// The bytes of the chunk in a row, if the row is what was sealed of this series.
pub(super) fn bytes_at(
    db: &Connection,
    of: (OrgId, SeriesId, u8),
    place: i64,
) -> rusqlite::Result<Option<Vec<u8>>> {
    let ask = "SELECT chunk.* FROM chunk WHERE rowid = ?1";
    let mut statement = db.prepare_cached(ask)?;
    let mut rows = statement.query([place])?;
    let row = match rows.next() {
        Ok(Some(row)) => row,
        Ok(None) => return Ok(None),
        Err(error) if is_corrupt(&error) => return Ok(None),
        Err(error) => return Err(error),
    };
    if !row_sum::is_sound(row, 0, "chunk")? {
        return Ok(None);
    }
    let own = (row.get::<_, Sql<OrgId>>("org")?.0, SeriesId(row.get("series")?), row.get("codec")?);
    let bytes = row.get_ref("bytes")?.as_blob()?;
    let is_it = own == of && row.get::<_, u32>("crc")? == crc32c::crc32c(bytes);
    Ok(is_it.then(|| bytes.to_vec()))
}
