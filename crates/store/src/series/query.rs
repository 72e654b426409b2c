//! Questions about a channel: what is in memory and what is sealed, as one.
//!
//! Memory is asked first and the disk after it: what is sealed in between is seen
//! twice, and doubles are taken out; the other way round it could be missed.

use model::{Channel, DeviceId, OrgId, Timestamp};
use rusqlite::{Connection, params};

use super::{Point, Series, SeriesId, SeriesKey, Stretch, WaveSpan, hot::HotSeries, seal::Item};
use crate::{
    hold::hold,
    row_sum,
    sqlite::{DatabaseError, Sql},
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

impl Series {
    /// Every channel of a device that was ever seen, waveforms and the program's own included,
    /// in the order of their names.
    pub fn channels_of(&self, org: OrgId, device: DeviceId) -> Vec<Channel> {
        hold(&self.0.hot).channels_of(org, device)
    }

    /// The points of a channel, ordered by their times.
    pub fn query(&self, question: &Question) -> Result<Vec<Stretch<Point>>, DatabaseError> {
        let hot = |series: &HotSeries| {
            let leaving = series.leaving.iter().flat_map(|batch| batch.points.iter());
            let points = leaving.chain(&series.points);
            points.filter(|point| overlaps(*point, question)).copied().collect()
        };
        let max = hold(&self.0.hot).limits.query_points_max;
        self.ask(question, hot, max, "points")
    }

    /// The stretches of a waveform that touch the span, ordered by their times; what lies
    /// between two of them is a gap.
    pub fn query_wave(&self, question: &Question) -> Result<Vec<Stretch<WaveSpan>>, DatabaseError> {
        let hot = |series: &HotSeries| {
            let leaving = series.leaving.iter().flat_map(|batch| batch.spans.iter());
            let spans = leaving.chain(&series.spans);
            spans.filter(|span| overlaps(*span, question)).cloned().collect()
        };
        let max = hold(&self.0.hot).limits.query_samples_max;
        self.ask(question, hot, max, "samples")
    }

    /// The same of what is sealed only, read from the disk: what memory alone has is left out.
    pub fn sealed_waves(
        &self,
        question: &Question,
    ) -> Result<Vec<Stretch<WaveSpan>>, DatabaseError> {
        let max = hold(&self.0.hot).limits.query_samples_max;
        self.ask(question, |_| Vec::new(), max, "samples")
    }

    fn ask<T: Item>(
        &self,
        question: &Question,
        hot: impl Fn(&HotSeries) -> Vec<T>,
        max: usize,
        what: &'static str,
    ) -> Result<Vec<Stretch<T>>, DatabaseError> {
        let source = (question.org, question.device, question.channel.clone());
        let in_memory: Vec<_> = hold(&self.0.hot)
            .of_source(&source)
            .into_iter()
            .map(|(id, series)| (id, series.key.clone(), hot(series)))
            .collect();
        let mut stretches = Vec::new();
        for (id, key, items) in in_memory {
            let sealed = self.0.database.read(|db| sealed::<T>(db, id, question, max))?;
            let mut all = match sealed {
                Found::Items(items) => items,
                Found::TooMany => return Err(DatabaseError::TooMuch { what, max }),
                Found::Damaged(first) => {
                    let channel = &question.channel;
                    let what = format!("the chunk of {channel} that begins with item {first}");
                    return Err(self.0.database.damaged(what));
                }
            };
            all.extend(items);
            if all.iter().map(Item::size).fold(0, usize::saturating_add) > max {
                return Err(DatabaseError::TooMuch { what, max });
            }
            all.sort_by_key(|item| (item.begin(), item.received()));
            all.dedup();
            if !all.is_empty() {
                let SeriesKey { kind, ucum, .. } = &*key;
                stretches.push(Stretch { kind: *kind, ucum: ucum.clone(), items: all });
            }
        }
        Ok(stretches)
    }
}

impl Series {
    /// Reads every sealed chunk, counts them, and names those that are damaged.
    pub fn check_chunks(&self) -> Result<(u64, Vec<String>), DatabaseError> {
        self.0.database.read(|db| {
            let ask =
                "SELECT series, codec, first, bytes, chunk.* FROM chunk ORDER BY series, codec, first";
            let mut statement = db.prepare(ask)?;
            let mut rows = statement.query([])?;
            let (mut count, mut damaged) = (0_u64, Vec::new());
            while let Some(row) = rows.next()? {
                let (series, codec, first): (u32, u8, i64) =
                    (row.get(0)?, row.get(1)?, row.get(2)?);
                let bytes = row.get_ref(3)?.as_blob()?;
                let sound = row_sum::is_sound(row, 4, "chunk")?
                    && match codec {
                        Point::CODEC => Point::decode(bytes).is_ok(),
                        WaveSpan::CODEC => WaveSpan::decode(bytes).is_ok(),
                        _ => false,
                    };
                if !sound {
                    damaged.push(format!("series {series}, codec {codec}, from item {first}"));
                }
                count = count.saturating_add(1);
            }
            Ok((count, damaged))
        })
    }
}

pub(super) fn overlaps<T: Item>(item: &T, question: &Question) -> bool {
    // A point has no width; a span that ends at `from` is over.
    let not_over = item.begin() >= question.from || item.end() > question.from;
    not_over && item.begin() < question.to
}

pub(super) enum Found<T> {
    Items(Vec<T>),
    TooMany,
    Damaged(i64),
}

pub(super) fn sealed<T: Item>(
    db: &Connection,
    id: SeriesId,
    question: &Question,
    max: usize,
) -> rusqlite::Result<Found<T>> {
    let ask = "SELECT first, bytes, chunk.* FROM chunk
               WHERE org = ?1 AND series = ?2 AND codec = ?3 AND max_at >= ?4 AND min_at < ?5";
    let mut statement = db.prepare_cached(ask)?;
    let (from, to) = (Sql(question.from), Sql(question.to));
    let mut rows = statement.query(params![Sql(question.org), id.0, T::CODEC, from, to])?;
    let (mut found, mut size) = (Vec::new(), 0_usize);
    while let Some(row) = rows.next()? {
        let bytes = row.get_ref(1)?.as_blob()?;
        let sound = row_sum::is_sound(row, 2, "chunk")?;
        let Some(items) = sound.then(|| T::decode(bytes).ok()).flatten() else {
            return Ok(Found::Damaged(row.get(0)?));
        };
        for item in items.into_iter().filter(|item| overlaps(item, question)) {
            size = size.saturating_add(item.size());
            found.push(item);
        }
        if size > max {
            return Ok(Found::TooMany);
        }
    }
    Ok(Found::Items(found))
}
