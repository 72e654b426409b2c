//! From memory to disk: all points and spans, the checkpoint, one transaction.
//!
//! Small batches are added to the newest chunk of their series until it is full, so that
//! sealing often does not make many small chunks. What was written is read back and
//! compared inside the transaction; anything else than what went in undoes it.

use std::sync::atomic::Ordering;

use model::{Id, Kind, Timestamp};
use rusqlite::{OptionalExtension, Transaction, params, params_from_iter, types::Value};

use super::{
    Point, Series, WaveSpan,
    chunk::{self, Malformed, POINTS, SPANS},
    hot::{Leaving, code_columns},
    roll_store,
};
use crate::{
    LogOffset,
    hold::hold,
    limits::{CHUNK_POINTS_MAX, CHUNK_SAMPLES_MAX, CHUNK_SPAN_MAX, CHUNK_WAVE_SPAN_MAX},
    row_sum,
    sqlite::{Change, DatabaseError, Sql},
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
}

impl Series {
    /// Takes everything in memory for sealing, with the engine's state at the same moment.
    /// Quick; [`Sealing::finish`] does the work and may run on another thread.
    ///
    /// Everything pushed so far comes from records up to `up_to`, and nothing else does.
    pub fn begin_seal(&self, up_to: LogOffset, checkpoint: Vec<u8>) -> Result<Sealing, SealError> {
        if self.0.sealing.swap(true, Ordering::AcqRel) {
            return Err(SealError::UnderWay);
        }
        let leaving = hold(&self.0.hot).leave();
        Ok(Sealing { series: self.clone(), up_to, checkpoint, leaving })
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
        Ok(sealed)
    }
}

impl Drop for Sealing {
    fn drop(&mut self) {
        hold(&self.series.0.hot).stay(&self.leaving);
        self.series.0.sealing.store(false, Ordering::Release);
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
            blob(key.org),
            id.0.into(),
            blob(key.device),
            key.channel.0.to_string().into(),
            system.into(),
            code.into(),
            check.into(),
            key.ucum.as_str().to_owned().into(),
        ];
        tx.prepare_cached(put)?.execute(params_from_iter(row_sum::with("series", row)))?;
    }
    roll_store::mark(tx, key.org, *id, &batch.points)?;
    sealed.points = sealed.points.saturating_add(batch.points.len());
    let samples = batch.spans.iter().map(|span| span.samples.len());
    sealed.samples = samples.fold(sealed.samples, usize::saturating_add);
    write_items(tx, leaving, batch.points.clone(), sealed)?;
    write_items(tx, leaving, batch.spans.clone(), sealed)
}

/// What a chunk is made of.
pub(super) trait Item: Clone + PartialEq {
    const CODEC: u8;
    fn encode(items: &[Self]) -> Result<Vec<u8>, Malformed>;
    fn decode(bytes: &[u8]) -> Result<Vec<Self>, Malformed>;
    fn begin(&self) -> Timestamp;
    fn end(&self) -> Timestamp;
    fn received(&self) -> Timestamp;
    /// How much of a chunk it takes.
    fn size(&self) -> usize;
    /// Whether `other` may stand in the same chunk, which is `size` full and spans `nanos`.
    fn joins(&self, other: &Self, size: usize, nanos: i64) -> bool;
}

impl Item for Point {
    const CODEC: u8 = POINTS;
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
    fn size(&self) -> usize {
        1
    }
    fn joins(&self, _: &Self, size: usize, nanos: i64) -> bool {
        size <= CHUNK_POINTS_MAX && fits(nanos, CHUNK_SPAN_MAX)
    }
}

impl Item for WaveSpan {
    const CODEC: u8 = SPANS;
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
    fn size(&self) -> usize {
        self.samples.len()
    }
    fn joins(&self, other: &Self, size: usize, nanos: i64) -> bool {
        size <= CHUNK_SAMPLES_MAX
            && fits(nanos, CHUNK_WAVE_SPAN_MAX)
            && chunk::are_alike(self, other)
    }
}

fn fits(nanos: i64, span: std::time::Duration) -> bool {
    u128::try_from(nanos).is_ok_and(|nanos| nanos <= span.as_nanos())
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
    let mut bounds = Bounds::of(&chunk);
    for item in items {
        let wider = bounds.with(&item);
        let joins = chunk.first().is_none_or(|one| one.joins(&item, wider.size, wider.nanos()));
        if joins {
            bounds = wider;
        } else {
            write_chunk(tx, leaving, first, &chunk, &bounds, sealed)?;
            first = first.saturating_add(i64::try_from(chunk.len()).unwrap_or(i64::MAX));
            chunk.clear();
            bounds = Bounds::of::<T>(&[]).with(&item);
        }
        chunk.push(item);
    }
    write_chunk(tx, leaving, first, &chunk, &bounds, sealed)
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
    let ask = "SELECT first, count, bytes, chunk.* FROM chunk
               WHERE org = ?1 AND series = ?2 AND codec = ?3 ORDER BY first DESC LIMIT 1";
    let key = params![Sql(leaving.key.org), leaving.id.0, T::CODEC];
    let row = |row: &rusqlite::Row<'_>| {
        let sound = row_sum::is_sound(row, 3, "chunk")?;
        Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?, row.get(2)?, sound))
    };
    let found = tx.prepare_cached(ask)?.query_row(key, row).optional()?;
    let Some((first, count, bytes, sound)) = found else {
        return Ok(Newest { first: 0, items: Vec::new() });
    };
    let bytes: Vec<u8> = bytes;
    match T::decode(&bytes) {
        Ok(items) if sound => Ok(Newest { first, items }),
        // A damaged chunk stays as it is, for whoever mends it.
        Ok(_) | Err(Malformed) => {
            Ok(Newest { first: first.saturating_add(count), items: Vec::new() })
        }
    }
}

fn blob<K: Kind>(id: Id<K>) -> Value {
    Value::Blob(id.uuid().to_be_bytes().to_vec())
}

fn write_chunk<T: Item>(
    tx: &Transaction<'_>,
    leaving: &Leaving,
    first: i64,
    items: &[T],
    bounds: &Bounds,
    sealed: &mut Sealed,
) -> Result<(), Change> {
    let Some((min_at, max_at)) = bounds.times else { return Ok(()) };
    let what =
        || Change::Damaged(format!("a chunk of series {} that was just written", leaving.id.0));
    let bytes = T::encode(items).map_err(|Malformed| what())?;
    let count = i64::try_from(items.len()).unwrap_or(i64::MAX);
    let crc = crc32c::crc32c(&bytes);
    let put = "INSERT OR REPLACE INTO chunk
        (org, series, codec, first, count, min_at, max_at, crc, bytes, row_sum)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";
    let len = bytes.len();
    let row = vec![
        blob(leaving.key.org),
        leaving.id.0.into(),
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
    let key = params![Sql(leaving.key.org), leaving.id.0, T::CODEC, first];
    let read: Vec<u8> = tx.prepare_cached(back)?.query_row(key, |row| row.get(0))?;
    // RC-044
    if T::decode(&read).ok().as_deref() != Some(items) {
        return Err(what());
    }
    sealed.chunks = sealed.chunks.saturating_add(1);
    sealed.bytes = sealed.bytes.saturating_add(len);
    Ok(())
}
