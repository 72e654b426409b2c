//! A damaged chunk made again from what its journal still says.
//!
//! Whoever reads the journal offers everything of the chunk's time that the series once was
//! given. What sound chunks have is not missing; the rest has to come to the number of items
//! that was sealed, and to its times; of a chunk without its row nobody knows those, so everything
//! has to be offered. Only then it takes the place of what is damaged, which is put aside in the
//! same transaction; what was written is read back and compared before that holds.

use std::sync::Arc;

use model::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Transaction, params};

use super::{
    DamageState, DamagedChunk, DamagedSpan, Point, Series, SeriesId, SeriesKey, WaveSpan,
    damage::{self, Met, Note},
    query::{Question, items_at, sealed},
    roll_store,
    seal::{Item, Sealed, write_chunk},
};
use crate::{
    LogOffset,
    hold::hold,
    sqlite::{Change, DatabaseError, Sql},
};

/// Damaged chunks of one series that lie over each other in time, while they are made again.
#[derive(Debug)]
pub struct Mend {
    series: Series,
    id: SeriesId,
    key: Arc<SeriesKey>,
    chunks: Vec<DamagedChunk>,
    span: DamagedSpan,
    up_to: LogOffset,
    pool: Pool,
    /// Another chunk lies over these that cannot be read and is not noted yet.
    waits: bool,
}

#[derive(Debug)]
enum Pool {
    Points(Offered<Point>),
    Waves(Offered<WaveSpan>),
}

/// What was offered of one series.
#[derive(Debug)]
struct Offered<T> {
    /// What sound chunks have, less what was offered of it.
    others: Vec<T>,
    /// What was offered of that.
    known: Vec<T>,
    missing: Vec<T>,
    /// What says the same as something else: mostly it came again, and was not sealed again. But
    /// what came again after a chunk was damaged was.
    doubles: Vec<T>,
    want: usize,
    span: DamagedSpan,
    /// Whether the times of the span are only those of what stands around it.
    may_be_shorter: bool,
}

impl<T: Item> Offered<T> {
    fn offer(&mut self, item: T) {
        if item.begin() < self.span.from || item.end() > self.last() {
            return;
        }
        let says_it = |all: &[T]| all.iter().any(|it| it.compare(&item).is_eq());
        if let Some(at) = self.others.iter().position(|other| *other == item) {
            self.known.push(self.others.swap_remove(at));
        } else if [&self.missing, &self.known, &self.others].into_iter().any(|all| says_it(all)) {
            self.doubles.push(item);
        } else {
            self.missing.push(item);
        }
    }

    /// The last instant of the span.
    fn last(&self) -> Timestamp {
        Timestamp::from_unix_nanos(self.span.to.unix_nanos().saturating_sub(1))
    }

    fn has_sealed(&self, at: Timestamp, received_at: Timestamp) -> bool {
        let mut sealed = self.others.iter().chain(&self.known);
        sealed.any(|it| (it.begin(), it.received()) == (at, received_at))
    }

    /// Never if the times are not known: whatever comes later may be what was sealed.
    fn has_all(&self) -> bool {
        let is_enough = self.missing.len() >= self.want && !self.may_be_shorter;
        is_enough && self.is_from_end_to_end(&self.missing)
    }

    fn is_from_end_to_end(&self, items: &[T]) -> bool {
        let begins = items.iter().map(Item::begin).min() == Some(self.span.from);
        begins && items.iter().map(Item::end).max() == Some(self.last())
    }

    /// What was sealed, in the order of time, if that was offered: as many items over the same
    /// time.
    fn all(&self) -> Option<Vec<T>> {
        let mut all = self.missing.clone();
        if all.len() < self.want {
            all.extend(self.doubles.iter().cloned());
        }
        all.sort_by_key(|item| (item.begin(), item.received()));
        let is_over_its_time = self.may_be_shorter || self.is_from_end_to_end(&all);
        (all.len() == self.want && is_over_its_time).then_some(all)
    }
}

impl Series {
    /// Begins to make a damaged chunk again, together with those that lie over it; `None` if it
    /// needs none, as it was mended meanwhile.
    pub fn begin_mend(&self, chunk: &DamagedChunk) -> Result<Option<Mend>, DatabaseError> {
        let mut near = self.damage()?;
        near.retain(|it| {
            it.id == chunk.id && it.is_wave == chunk.is_wave && it.state != DamageState::Mended
        });
        let Some(own) = near.iter().position(|it| it.first == chunk.first) else {
            return Ok(None);
        };
        let mut chunks = vec![near.swap_remove(own)];
        let mut span = chunk.span;
        // A waveform that goes on from one chunk to the next is told apart at their border; two
        // values of one instant are not.
        let end = |it: DamagedSpan| {
            let last = it.to.unix_nanos().saturating_sub(i64::from(chunk.is_wave));
            Timestamp::from_unix_nanos(last)
        };
        let touches =
            |it: DamagedSpan, span: DamagedSpan| it.from < end(span) && span.from < end(it);
        while let Some(at) = near.iter().position(|it| touches(it.span, span)) {
            let next = near.swap_remove(at);
            span =
                DamagedSpan { from: span.from.min(next.span.from), to: span.to.max(next.span.to) };
            chunks.push(next);
        }
        chunks.sort_by_key(|it| it.first);
        let want = chunks.iter().map(|it| it.items).fold(0, u64::saturating_add);
        let want = usize::try_from(want).unwrap_or(usize::MAX);
        let Some((up_to, _)) = self.load_checkpoint()? else { return Ok(None) };
        let of = (chunk, &chunks[..]);
        let (pool, mut unread) = match chunk.is_wave {
            true => self.offered(of, (span, want)).map(|(it, met)| (Pool::Waves(it), met))?,
            false => self.offered(of, (span, want)).map(|(it, met)| (Pool::Points(it), met))?,
        };
        unread.retain(|met| touches(met.span(), span));
        // What such a chunk has would be taken for what is missing here.
        self.met(&unread);
        let (id, key, waits) = (chunk.id, Arc::clone(&chunk.key), !unread.is_empty());
        Ok(Some(Mend { series: self.clone(), id, key, chunks, span, up_to, pool, waits }))
    }

    /// What sound chunks have, and which others than these cannot be read.
    fn offered<T: Item>(
        &self,
        (chunk, chunks): (&DamagedChunk, &[DamagedChunk]),
        (span, want): (DamagedSpan, usize),
    ) -> Result<(Offered<T>, Vec<Met>), DatabaseError> {
        let key = &chunk.key;
        let question = Question {
            org: key.org,
            device: key.device,
            channel: key.channel.clone(),
            from: span.from,
            to: span.to,
        };
        let found = self.0.database.read(|db| sealed::<T>(db, chunk.id, &question, usize::MAX))?;
        let (others, mut unread) = found.map(|it| (it.items, it.damaged)).unwrap_or_default();
        let is_of = |met: &Met| {
            chunks.iter().any(|it| match met.place {
                None => it.place.is_none() && it.span == met.span(),
                place => it.place == place,
            })
        };
        unread.retain(|met| !is_of(met));
        let (known, missing, doubles) = (Vec::new(), Vec::new(), Vec::new());
        let may_be_shorter = chunks.iter().any(|it| it.place.is_none());
        Ok((Offered { others, known, missing, doubles, want, span, may_be_shorter }, unread))
    }
}

impl Mend {
    /// What the chunks have items of.
    pub fn key(&self) -> &SeriesKey {
        &self.key
    }

    /// Whether the items are stretches of a waveform.
    pub const fn is_wave(&self) -> bool {
        matches!(self.pool, Pool::Waves(_))
    }

    /// Everything that is missing was measured then.
    pub const fn span(&self) -> DamagedSpan {
        self.span
    }

    /// All of it stands in the journal up to here.
    pub const fn up_to(&self) -> LogOffset {
        self.up_to
    }

    /// Offers a point that the series was given once.
    pub fn offer(&mut self, point: Point) {
        if let Pool::Points(offered) = &mut self.pool {
            offered.offer(point);
        }
    }

    /// Offers a stretch of a waveform that the series was given once.
    pub fn offer_wave(&mut self, span: WaveSpan) {
        if let Pool::Waves(offered) = &mut self.pool {
            offered.offer(span);
        }
    }

    /// Whether a sound chunk has what begins then and came then, so that it is not missing.
    pub fn has_sealed(&self, at: Timestamp, received_at: Timestamp) -> bool {
        match &self.pool {
            Pool::Points(offered) => offered.has_sealed(at, received_at),
            Pool::Waves(offered) => offered.has_sealed(at, received_at),
        }
    }

    /// Whether as much was offered as is missing, so that nothing more need be read.
    pub fn has_all(&self) -> bool {
        let has_all = match &self.pool {
            Pool::Points(offered) => offered.has_all(),
            Pool::Waves(offered) => offered.has_all(),
        };
        self.waits || has_all
    }

    /// Puts what was offered in the place of what is damaged, if it is what was sealed, and
    /// notes it; else notes that the journal has it no longer, or says otherwise. It goes on
    /// waiting where another chunk has to be noted first.
    pub fn finish(self, is_gone: bool, now: Timestamp) -> Result<DamageState, DatabaseError> {
        if self.waits {
            return Ok(DamageState::Waits);
        }
        let state = match &self.pool {
            Pool::Points(offered) => self.put_back(offered, now)?,
            Pool::Waves(offered) => self.put_back(offered, now)?,
        };
        if state == DamageState::Mended {
            self.series.forget_met(&self.chunks);
            return Ok(state);
        }
        let state = if is_gone { DamageState::Gone } else { state };
        for chunk in &self.chunks {
            self.series.settle_damage(chunk, state, now)?;
        }
        Ok(state)
    }

    fn put_back<T: Item>(
        &self,
        offered: &Offered<T>,
        now: Timestamp,
    ) -> Result<DamageState, DatabaseError> {
        // Of how many items there are nothing may be known: then nothing can come to them.
        let is_counted = self.chunks.iter().all(|it| it.items > 0);
        let Some(all) = offered.all().filter(|_| is_counted) else {
            return Ok(DamageState::Differs);
        };
        let written = self.series.0.database.write(|tx| {
            let mut rest = &all[..];
            for chunk in &self.chunks {
                let count = usize::try_from(chunk.items).unwrap_or(usize::MAX).min(rest.len());
                let (items, after) = rest.split_at_checked(count).unwrap_or((rest, &[]));
                rest = after;
                replace(tx, (self.id, &self.key), chunk, items, now)?;
            }
            Ok(())
        });
        match written {
            Ok(()) => Ok(DamageState::Mended),
            // Where the row's own keys are damaged, no database takes it out of its indexes; and
            // what cannot be read back as it was written does not take its place.
            Err(error) if error.is_of_damage() => Ok(DamageState::Differs),
            Err(error) => Err(error),
        }
    }
}

impl Series {
    /// What is mended may be damaged again.
    fn forget_met(&self, chunks: &[DamagedChunk]) {
        let mut met = hold(&self.0.met);
        chunks.iter().filter_map(|it| Some((it.id, it.place?))).for_each(|it| met.forget(it));
    }
}

/// Puts a chunk in the place of a damaged one, whose bytes go into its note.
fn replace<T: Item>(
    tx: &Transaction<'_>,
    (id, key): (SeriesId, &SeriesKey),
    chunk: &DamagedChunk,
    items: &[T],
    now: Timestamp,
) -> Result<(), Change> {
    let (codec, first) = (T::CODEC, chunk.first);
    let refused = || Change::Damaged(format!("the place of a chunk of series {}", id.0));
    if items.is_empty() {
        return Err(refused());
    }
    let mut aside = None;
    if let Some(place) = chunk.place {
        aside = bytes_at(tx, place);
        let is_sound = items_at::<T>(tx, (key.org, id), place)?.is_some();
        // Whatever a note says, only this chunk goes, and only if it cannot be read.
        let delete = "DELETE FROM chunk
                      WHERE rowid = ?1 AND org = ?2 AND series = ?3 AND codec = ?4 AND first = ?5";
        let row = params![place, Sql(key.org), id.0, codec, first];
        if is_sound || tx.prepare_cached(delete)?.execute(row)? != 1 {
            return Err(refused());
        }
    }
    let there = "SELECT 1 FROM chunk WHERE org = ?1 AND series = ?2 AND codec = ?3 AND first = ?4";
    if tx.prepare_cached(there)?.exists(params![Sql(key.org), id.0, codec, first])? {
        return Err(refused());
    }
    write_chunk(tx, (key.org, id), first, items, &mut Sealed::default())?;
    let settled_at = Some(now.unix_nanos());
    let note = Note { state: DamageState::Mended, settled_at, ..Note::from(chunk) };
    damage::put(tx, (key.org, id), &note, aside)?;
    // What was rolled up of the day meanwhile did without these.
    roll_store::mark(tx, key.org, id, T::points(items))?;
    Ok(())
}

/// What can be read of the damaged bytes.
fn bytes_at(db: &Connection, place: i64) -> Option<Vec<u8>> {
    let ask = "SELECT bytes FROM chunk WHERE rowid = ?1";
    let found = db.prepare_cached(ask).ok()?.query_row(params![place], |row| row.get(0));
    found.optional().ok().flatten()
}
