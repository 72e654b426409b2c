//! From memory to disk: all points and spans, the checkpoint, one transaction.
//!
//! Small batches are added to the newest chunk of their series until it is full, so that
//! sealing often does not make many small chunks. What was written is read back and
//! compared inside the transaction; anything else than what went in undoes it.

use std::{cmp::Ordering, sync::atomic};

use model::{OrgId, Timestamp};
use rusqlite::{OptionalExtension, Transaction, params, params_from_iter, types::Value};

use super::{
    Point, Series, SeriesId, WaveSpan,
    chunk::{self, Malformed, POINTS, SPANS},
    corrections,
    counts::{compare_points, compare_waves, firsts, without_stored},
    damage,
    hot::{Leaving, code_columns},
    query::items_at,
    roll_store,
};
use crate::{
    LogOffset,
    hold::hold,
    limits::{CHUNK_POINTS_MAX, CHUNK_SAMPLES_MAX, CHUNK_SPAN_MAX, CHUNK_WAVE_SPAN_MAX},
    row_sum,
    sqlite::{Change, DatabaseError, Sql, as_blob},
};

/// Why nothing was sealed; everything is still in memory.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it all")]
pub enum SealError {
    #[error("another sealing is under way")]
    UnderWay,
    #[error("the chunks and the checkpoint could not be written")]
    Database(#[source] DatabaseError),
}

/// What a sealing wrote.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it all")]
pub struct Sealed {
    pub chunks: usize,
    pub points: usize,
    pub samples: usize,
    pub bytes: usize,
}

/// A sealing that has its points and not yet its transaction; dropping it puts them back.
#[derive(Debug)]
#[must_use = "nothing is sealed before `finish`"]
pub struct Sealing {
    series: Series,
    up_to: LogOffset,
    checkpoint: Vec<u8>,
    leaving: Vec<Leaving>,
    corrections: corrections::Batch,
}

impl Series {
    /// Takes everything in memory for sealing, with the engine's state at the same moment.
    /// Quick; [`Sealing::finish`] does the work and may run on another thread.
    ///
    /// Everything pushed so far comes from records up to `up_to`, and nothing else does.
    pub fn begin_seal(&self, up_to: LogOffset, checkpoint: Vec<u8>) -> Result<Sealing, SealError> {
        if self.0.sealing.swap(true, atomic::Ordering::AcqRel) {
            return Err(SealError::UnderWay);
        }
        let (leaving, corrections) = {
            let mut hot = hold(&self.0.hot);
            (hot.leave(), hold(&self.0.corrections).leave(&hot))
        };
        Ok(Sealing { series: self.clone(), up_to, checkpoint, leaving, corrections })
    }

    /// [`Self::begin_seal`] and [`Sealing::finish`] in one.
    pub fn seal(&self, up_to: LogOffset, checkpoint: &[u8]) -> Result<Sealed, SealError> {
        self.begin_seal(up_to, checkpoint.to_vec())?.finish()
    }
}

impl Sealing {
    /// Writes chunks and checkpoint, all or nothing; blocks for as long as the disk takes.
    pub fn finish(mut self) -> Result<Sealed, SealError> {
        let database = &self.series.0.database;
        let written = database.write(|tx| {
            let mut sealed = Sealed::default();
            for leaving in &self.leaving {
                seal_series(tx, leaving, &mut sealed)?;
            }
            corrections::seal(tx, &self.corrections)?;
            let put = "INSERT OR REPLACE INTO checkpoint (one, offset, crc, bytes, row_sum)
                       VALUES (?1, ?2, ?3, ?4, ?5)";
            let crc = crc32c::crc32c(&self.checkpoint);
            let offset = i64::try_from(self.up_to.bytes()).unwrap_or(i64::MAX);
            let bytes = Value::Blob(self.checkpoint.clone());
            let row = vec![1.into(), offset.into(), crc.into(), bytes];
            tx.execute(put, params_from_iter(row_sum::with("checkpoint", row)))?;
            Ok(sealed)
        });
        let sealed = written.map_err(SealError::Database)?;
        hold(&self.series.0.hot).gone(&std::mem::take(&mut self.leaving));
        hold(&self.series.0.corrections).gone(&self.corrections);
        Ok(sealed)
    }
}

impl Drop for Sealing {
    fn drop(&mut self) {
        hold(&self.series.0.hot).stay(&self.leaving);
        self.series.0.sealing.store(false, atomic::Ordering::Release);
    }
}

fn seal_series(tx: &Transaction<'_>, leaving: &Leaving, sealed: &mut Sealed) -> Result<(), Change> {
    let Leaving { id, key, saved, batch } = leaving;
    if !saved {
        let (system, code, check) = code_columns(key.kind);
        let put = "INSERT INTO series
            (org, id, device, channel, code_system, code, code_check, ucum, row_sum)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
        let row = vec![
            as_blob(key.org),
            id.0.into(),
            as_blob(key.device),
            key.channel.0.to_string().into(),
            system.into(),
            code.into(),
            check.into(),
            key.ucum.as_str().to_owned().into(),
        ];
        tx.prepare_cached(put)?.execute(params_from_iter(row_sum::with("series", row)))?;
    }
    let points = unstored(tx, leaving, &batch.points)?;
    let spans = unstored(tx, leaving, &batch.spans)?;
    roll_store::mark(tx, key.org, *id, &points)?;
    sealed.points = sealed.points.saturating_add(points.len());
    let samples = spans.iter().map(|span| span.samples.len());
    sealed.samples = samples.fold(sealed.samples, usize::saturating_add);
    write_items(tx, leaving, points, sealed)?;
    write_items(tx, leaving, spans, sealed)
}

/// Those that are not stored already: what is taken in again takes no room. What of a damaged
/// chunk cannot be compared is stored once more, and counts once.
fn unstored<T: Item>(
    tx: &Transaction<'_>,
    leaving: &Leaving,
    items: &[T],
) -> rusqlite::Result<Vec<T>> {
    let mut items = firsts(items.to_vec());
    items.sort_by(Item::compare);
    let begins = items.first().zip(items.last()).map(|(one, last)| (one.begin(), last.begin()));
    let Some((first, last)) = begins else { return Ok(items) };
    let ask = "SELECT rowid, min_at, max_at FROM chunk INDEXED BY chunk_by_time
               WHERE org = ?1 AND series = ?2 AND codec = ?3 AND max_at >= ?4 AND min_at <= ?5";
    let of = (leaving.key.org, leaving.id);
    let key = params![Sql(of.0), of.1.0, T::CODEC, Sql(first), Sql(last)];
    let row = |row: &rusqlite::Row<'_>| {
        Ok((row.get(0)?, row.get::<_, Sql<Timestamp>>(1)?.0, row.get::<_, Sql<Timestamp>>(2)?.0))
    };
    let chunks: Vec<(i64, Timestamp, Timestamp)> =
        tx.prepare_cached(ask)?.query_map(key, row)?.collect::<rusqlite::Result<_>>()?;
    for (place, min_at, max_at) in chunks {
        // One that came very late reaches back over chunks that have nothing to do with it.
        let next = items.partition_point(|it| it.begin() < min_at);
        if items.get(next).is_some_and(|it| it.begin() <= max_at)
            && let Some(stored) = items_at::<T>(tx, of, place)?
        {
            without_stored(&mut items, &stored);
        }
    }
    Ok(items)
}

/// What a chunk is made of.
pub(super) trait Item: Clone + PartialEq {
    const CODEC: u8;
    /// The longest span of a chunk, in nanoseconds.
    const SPAN_NS: i64;
    fn encode(items: &[Self]) -> Result<Vec<u8>, Malformed>;
    fn decode(bytes: &[u8]) -> Result<Vec<Self>, Malformed>;
    fn begin(&self) -> Timestamp;
    fn end(&self) -> Timestamp;
    fn received(&self) -> Timestamp;
    /// By time and by what it says; whatever says the same is equal, whenever it came.
    fn compare(&self, other: &Self) -> Ordering;
    /// Those that are rolled up.
    fn points(items: &[Self]) -> &[Point];
    /// How much of a chunk it takes.
    fn size(&self) -> usize;
    /// Whether `other` may stand in the same chunk, which is `size` full and spans `nanos`.
    fn joins(&self, other: &Self, size: usize, nanos: i64) -> bool;
}

impl Item for Point {
    const CODEC: u8 = POINTS;
    const SPAN_NS: i64 = nanos(CHUNK_SPAN_MAX);
    fn encode(items: &[Self]) -> Result<Vec<u8>, Malformed> {
        chunk::encode_points(items)
    }
    fn decode(bytes: &[u8]) -> Result<Vec<Self>, Malformed> {
        chunk::decode_points(bytes)
    }
    fn begin(&self) -> Timestamp {
        self.at
    }
    fn end(&self) -> Timestamp {
        self.at
    }
    fn received(&self) -> Timestamp {
        self.received_at
    }
    fn compare(&self, other: &Self) -> Ordering {
        compare_points(self, other)
    }
    fn points(items: &[Self]) -> &[Point] {
        items
    }
    fn size(&self) -> usize {
        1
    }
    fn joins(&self, _: &Self, size: usize, nanos: i64) -> bool {
        size <= CHUNK_POINTS_MAX && nanos <= Self::SPAN_NS
    }
}

impl Item for WaveSpan {
    const CODEC: u8 = SPANS;
    const SPAN_NS: i64 = nanos(CHUNK_WAVE_SPAN_MAX);
    fn encode(items: &[Self]) -> Result<Vec<u8>, Malformed> {
        chunk::encode_spans(items)
    }
    fn decode(bytes: &[u8]) -> Result<Vec<Self>, Malformed> {
        chunk::decode_spans(bytes)
    }
    fn begin(&self) -> Timestamp {
        self.at
    }
    fn end(&self) -> Timestamp {
        Self::end(self)
    }
    fn received(&self) -> Timestamp {
        self.received_at
    }
    fn compare(&self, other: &Self) -> Ordering {
        compare_waves(self, other)
    }
    fn points(_: &[Self]) -> &[Point] {
        &[]
    }
    fn size(&self) -> usize {
        self.samples.len()
    }
    fn joins(&self, other: &Self, size: usize, nanos: i64) -> bool {
        size <= CHUNK_SAMPLES_MAX && nanos <= Self::SPAN_NS && chunk::are_alike(self, other)
    }
}

#[expect(clippy::cast_possible_truncation, reason = "an hour at most")]
const fn nanos(span: std::time::Duration) -> i64 {
    span.as_nanos() as i64
}

/// The newest chunk of a series: where it begins in the count, and its items.
struct Newest<T> {
    first: i64,
    items: Vec<T>,
}

fn write_items<T: Item>(
    tx: &Transaction<'_>,
    leaving: &Leaving,
    mut items: Vec<T>,
    sealed: &mut Sealed,
) -> Result<(), Change> {
    if items.is_empty() {
        return Ok(());
    }
    items.sort_by_key(|item| (item.begin(), item.received()));
    let newest = newest_chunk::<T>(tx, leaving)?;
    let (mut first, mut chunk) = (newest.first, newest.items);
    let of = (leaving.key.org, leaving.id);
    let mut bounds = Bounds::of(&chunk);
    for item in items {
        let wider = bounds.with(&item);
        let joins = chunk.first().is_none_or(|one| one.joins(&item, wider.size, wider.nanos()));
        if joins {
            bounds = wider;
        } else {
            write_chunk(tx, of, first, &chunk, sealed)?;
            first = behind(first, &chunk);
            chunk.clear();
            bounds = Bounds::of::<T>(&[]).with(&item);
        }
        chunk.push(item);
    }
    write_chunk(tx, of, first, &chunk, sealed)?;
    Ok(damage::put_tally(tx, (of.0, of.1, T::CODEC), behind(first, &chunk))?)
}

/// How many items a series has with these at the end.
fn behind<T>(first: i64, items: &[T]) -> i64 {
    first.saturating_add(i64::try_from(items.len()).unwrap_or(i64::MAX))
}

/// The times and the size of a chunk.
#[derive(Clone, Copy)]
struct Bounds {
    times: Option<(Timestamp, Timestamp)>,
    size: usize,
}

impl Bounds {
    fn of<T: Item>(items: &[T]) -> Self {
        items.iter().fold(Self { times: None, size: 0 }, |bounds, item| bounds.with(item))
    }

    fn with<T: Item>(self, item: &T) -> Self {
        let (begin, end) = (item.begin(), item.end());
        let times = self.times.map_or((begin, end), |(min, max)| (min.min(begin), max.max(end)));
        Self { times: Some(times), size: self.size.saturating_add(item.size()) }
    }

    fn nanos(&self) -> i64 {
        self.times.map_or(0, |(min, max)| max.nanos_after(min))
    }
}

fn newest_chunk<T: Item>(tx: &Transaction<'_>, leaving: &Leaving) -> Result<Newest<T>, Change> {
    let ask = "SELECT first, rowid FROM chunk INDEXED BY sqlite_autoindex_chunk_1
               WHERE org = ?1 AND series = ?2 AND codec = ?3 ORDER BY first DESC LIMIT 1";
    let (org, id) = (leaving.key.org, leaving.id);
    let key = params![Sql(org), id.0, T::CODEC];
    let row = |row: &rusqlite::Row<'_>| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?));
    let found = tx.prepare_cached(ask)?.query_row(key, row).optional()?;
    let tally = damage::tally(tx, (org, id, T::CODEC))?;
    let Some((first, place)) = found else {
        return Ok(Newest { first: tally.unwrap_or(0), items: Vec::new() });
    };
    // A damaged chunk stays as it is, for whoever mends it, and so does the place of one that is gone.
    match items_at::<T>(tx, (org, id), place)? {
        Some(items) if tally.is_none_or(|all| all == behind(first, &items)) => {
            Ok(Newest { first, items })
        }
        Some(items) => {
            let known = behind(first, &items);
            Ok(Newest { first: tally.map_or(known, |all| all.max(known)), items: Vec::new() })
        }
        None => {
            let most = i64::try_from(CHUNK_SAMPLES_MAX).unwrap_or(i64::MAX);
            let behind_all = first.saturating_add(most);
            let known = tally.filter(|all| *all > first);
            Ok(Newest { first: known.unwrap_or(behind_all), items: Vec::new() })
        }
    }
}

/// Writes a chunk, reads it back and compares.
pub(super) fn write_chunk<T: Item>(
    tx: &Transaction<'_>,
    (org, id): (OrgId, SeriesId),
    first: i64,
    items: &[T],
    sealed: &mut Sealed,
) -> Result<(), Change> {
    let Some((min_at, max_at)) = Bounds::of(items).times else { return Ok(()) };
    let what = || Change::Damaged(format!("a chunk of series {} that was just written", id.0));
    let bytes = T::encode(items).map_err(|Malformed| what())?;
    let count = i64::try_from(items.len()).unwrap_or(i64::MAX);
    let crc = crc32c::crc32c(&bytes);
    let put = "INSERT OR REPLACE INTO chunk
        (org, series, codec, first, count, min_at, max_at, crc, bytes, row_sum)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";
    let len = bytes.len();
    let row = vec![
        as_blob(org),
        id.0.into(),
        T::CODEC.into(),
        first.into(),
        count.into(),
        min_at.unix_nanos().into(),
        max_at.unix_nanos().into(),
        crc.into(),
        Value::Blob(bytes),
    ];
    tx.prepare_cached(put)?.execute(params_from_iter(row_sum::with("chunk", row)))?;
    let back =
        "SELECT bytes FROM chunk WHERE org = ?1 AND series = ?2 AND codec = ?3 AND first = ?4";
    let key = params![Sql(org), id.0, T::CODEC, first];
    let read: Vec<u8> = tx.prepare_cached(back)?.query_row(key, |row| row.get(0))?;
    // RC-044
    if T::decode(&read).ok().as_deref() != Some(items) {
        return Err(what());
    }
    sealed.chunks = sealed.chunks.saturating_add(1);
    sealed.bytes = sealed.bytes.saturating_add(len);
    Ok(())
}
