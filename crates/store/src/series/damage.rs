//! Chunks that are not what was sealed: met by whoever reads them, noted once, and remembered
//! until they were made again.
//!
//! Where a chunk lies in time is told by the index, and how many items it has by the chunk
//! behind it or by the tally of its series, so that a row whose bytes cannot be believed, and
//! one that is gone, can be told of all the same.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use model::{OrgId, Timestamp};
use rusqlite::{Connection, OptionalExtension as _, Transaction, params, params_from_iter};

use super::{Point, Series, SeriesId, SeriesKey, WaveSpan, query::items_at, seal::Item};
use crate::{
    hold::hold,
    limits::{DAMAGE_MET_MAX, DAMAGE_NOTED_MAX, LOOK_CHUNKS_AT_ONCE},
    row_sum,
    sqlite::{Change, DatabaseError, Sql, as_blob, is_corrupt},
};

pub(super) const SCHEMA: &str = "
-- How many items each series sealed.
CREATE TABLE tally (
    org BLOB NOT NULL, series INTEGER NOT NULL, codec INTEGER NOT NULL,
    items INTEGER NOT NULL, row_sum INTEGER,
    PRIMARY KEY (org, series, codec)
) WITHOUT ROWID, STRICT;
INSERT INTO tally (org, series, codec, items)
    SELECT org, series, codec, max(first + count) FROM chunk GROUP BY org, series, codec;
CREATE TABLE damage (
    org BLOB NOT NULL, series INTEGER NOT NULL, codec INTEGER NOT NULL, first INTEGER NOT NULL,
    count INTEGER NOT NULL, min_at INTEGER NOT NULL, max_at INTEGER NOT NULL,
    place INTEGER, -- The row of the chunk; null if that is gone.
    found_at INTEGER NOT NULL, state INTEGER NOT NULL, settled_at INTEGER,
    bytes BLOB, -- What stood there before it was made again.
    row_sum INTEGER,
    PRIMARY KEY (org, series, codec, first)
) STRICT;
";

/// A stretch of time of which what was sealed cannot be read, its end excluded. Values may have
/// been measured in it, and others of the same stretch may stand in sound chunks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the names say it all")]
pub struct DamagedSpan {
    pub from: Timestamp,
    pub to: Timestamp,
}

/// What becomes of a damaged chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DamageState {
    /// It was not tried yet.
    Waits,
    /// It was made again from the journal, read back and compared.
    Mended,
    /// The journal has its samples no longer.
    Gone,
    /// What the journal has does not come to what was sealed, or it could not be put in place.
    Differs,
}

impl DamageState {
    const fn code(self) -> i64 {
        match self {
            Self::Waits => 0,
            Self::Mended => 1,
            Self::Gone => 2,
            Self::Differs => 3,
        }
    }

    const fn of(code: i64) -> Self {
        match code {
            1 => Self::Mended,
            2 => Self::Gone,
            3 => Self::Differs,
            _ => Self::Waits,
        }
    }
}

/// A sealed chunk that was found damaged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DamagedChunk {
    /// What it has, or had, items of.
    pub key: Arc<SeriesKey>,
    /// Where it lies.
    pub span: DamagedSpan,
    /// How many points, or stretches of a waveform, it has.
    pub items: u64,
    /// Whether these are stretches of a waveform.
    pub is_wave: bool,
    /// When it was found.
    pub found_at: Timestamp,
    /// What became of it.
    pub state: DamageState,
    /// When that was known.
    pub settled_at: Option<Timestamp>,
    pub(super) id: SeriesId,
    pub(super) first: i64,
    /// The row of the chunk, unless that is gone.
    pub(super) place: Option<i64>,
}

/// A chunk that could not be read, where its index has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Met {
    pub(super) org: OrgId,
    pub(super) id: SeriesId,
    pub(super) codec: u8,
    /// The row of the chunk, unless that is noted as gone.
    pub(super) place: Option<i64>,
    pub(super) min_at: i64,
    pub(super) max_at: i64,
}

impl Met {
    pub(super) const fn span(&self) -> DamagedSpan {
        let to = self.max_at.saturating_add(1);
        DamagedSpan {
            from: Timestamp::from_unix_nanos(self.min_at),
            to: Timestamp::from_unix_nanos(to),
        }
    }
}

/// What was met since the start, so that each is noted once.
#[derive(Debug, Default)]
pub(super) struct Meetings {
    told: BTreeSet<(SeriesId, i64)>,
    pending: Vec<Met>,
}

impl Meetings {
    pub(super) fn forget(&mut self, of: (SeriesId, i64)) {
        self.told.remove(&of);
    }
}

impl Series {
    /// Counts up whenever a damaged chunk is met that was not met before.
    pub fn damage_met(&self) -> tokio::sync::watch::Receiver<u64> {
        self.0.meets.subscribe()
    }

    pub(super) fn met(&self, damaged: &[Met]) {
        let fresh = {
            let mut meetings = hold(&self.0.met);
            let before = meetings.pending.len();
            for met in damaged {
                let Some(place) = met.place else { continue };
                if meetings.told.len() < DAMAGE_MET_MAX && meetings.told.insert((met.id, place)) {
                    meetings.pending.push(*met);
                }
            }
            meetings.pending.len() > before
        };
        if fresh {
            self.0.meets.send_modify(|count| *count = count.wrapping_add(1));
        }
    }

    /// Notes durably what was met since the last time; says how many chunks that are new.
    pub fn note_damage(&self, now: Timestamp) -> Result<usize, DatabaseError> {
        let pending = std::mem::take(&mut hold(&self.0.met).pending);
        if pending.is_empty() {
            return Ok(0);
        }
        let noted = self.0.database.write(|tx| {
            let mut noted = 0_usize;
            for met in &pending {
                noted = noted.saturating_add(match note(tx, met, now) {
                    Ok(is_new) => usize::from(is_new),
                    // A note whose own key was hit stands in its way, and in that of no other.
                    Err(Change::Sqlite(error)) if is_corrupt(&error) => {
                        tracing::error!(%error, "damage_not_noted");
                        0
                    }
                    Err(error) => return Err(error),
                });
            }
            Ok(noted)
        });
        if noted.is_err() {
            hold(&self.0.met).pending.extend(pending);
        }
        noted
    }

    /// Looks for chunks that are gone, row and all, and for those that cannot be read, and notes
    /// them; says how many are new. Reads everything that is sealed of one series after the
    /// other, some chunks in each view of the data, and calls `rest` between two of them.
    pub fn look_for_damage(
        &self,
        now: Timestamp,
        rest: &mut dyn FnMut(),
    ) -> Result<usize, DatabaseError> {
        self.look_in_pages(now, LOOK_CHUNKS_AT_ONCE, rest)
    }

    pub(super) fn look_in_pages(
        &self,
        now: Timestamp,
        page: usize,
        rest: &mut dyn FnMut(),
    ) -> Result<usize, DatabaseError> {
        let series: Vec<(Arc<SeriesKey>, SeriesId)> = {
            let hot = hold(&self.0.hot);
            (0..).map(SeriesId).map_while(|id| Some((hot.key(id)?, id))).collect()
        };
        self.drop_damaged_notes()?;
        let mut noted = 0_usize;
        for (key, id) in series {
            let of = (key.org, id);
            noted = noted.saturating_add(self.look_at::<Point>(of, (now, page), rest)?);
            noted = noted.saturating_add(self.look_at::<WaveSpan>(of, (now, page), rest)?);
        }
        Ok(noted)
    }

    fn look_at<T: Item>(
        &self,
        (org, id): (OrgId, SeriesId),
        (now, page): (Timestamp, usize),
        rest: &mut dyn FnMut(),
    ) -> Result<usize, DatabaseError> {
        let mut scan = Scan::new(org, id, T::CODEC);
        let mut noted = 0_usize;
        while !scan.is_over {
            let found = self.0.database.read(|db| scan.page::<T>(db, page))?;
            let damaged: Vec<Met> = found.iter().filter_map(Flaw::met).collect();
            self.met(&damaged);
            noted = noted.saturating_add(self.note_damage(now)?);
            let gone: Vec<&Flaw> = found.iter().filter(|flaw| flaw.place.is_none()).collect();
            if !gone.is_empty() {
                noted = noted.saturating_add(self.0.database.write(|tx| {
                    let mut noted = 0_usize;
                    for flaw in &gone {
                        noted = noted.saturating_add(usize::from(note_gone(tx, flaw, now)?));
                    }
                    Ok(noted)
                })?);
            }
            rest();
        }
        Ok(noted)
    }

    /// Chunks that were found damaged, those that are not mended first and then the newest
    /// finding; of very many the first of these.
    pub fn damage(&self) -> Result<Vec<DamagedChunk>, DatabaseError> {
        let rows: Vec<Option<(SeriesId, Note)>> = self.0.database.read(|db| {
            let ask = "SELECT series, codec, first, count, min_at, max_at, place, found_at, state,
                       settled_at, damage.* FROM damage
                       ORDER BY state = 1, found_at DESC, min_at LIMIT ?1";
            let row = |row: &rusqlite::Row<'_>| {
                let is_sound = row_sum::is_sound(row, 10, "damage")?;
                is_sound.then(|| Ok((SeriesId(row.get(0)?), Note::of(row)?))).transpose()
            };
            let most = i64::try_from(DAMAGE_NOTED_MAX).unwrap_or(i64::MAX);
            db.prepare_cached(ask)?.query_map([most], row)?.collect()
        })?;
        let hot = hold(&self.0.hot);
        let chunk = |(id, note): (SeriesId, Note)| Some(note.chunk(id, hot.key(id)?));
        Ok(rows.into_iter().flatten().filter_map(chunk).collect())
    }

    /// Drops notes that are not what was written, as they may name a sound chunk; says how many.
    /// What they told of is found anew by who reads it, or by a look.
    pub fn drop_damaged_notes(&self) -> Result<usize, DatabaseError> {
        let ask = "SELECT rowid, damage.* FROM damage";
        let row = |row: &rusqlite::Row<'_>| {
            Ok((!row_sum::is_sound(row, 1, "damage")?).then_some(row.get(0)?))
        };
        let unsound: Vec<Option<i64>> =
            self.0.database.read(|db| db.prepare_cached(ask)?.query_map([], row)?.collect())?;
        let unsound: Vec<i64> = unsound.into_iter().flatten().collect();
        if unsound.is_empty() {
            return Ok(0);
        }
        let dropped = self.0.database.write(|tx| {
            let mut dropped = 0_usize;
            for place in &unsound {
                match tx.execute("DELETE FROM damage WHERE rowid = ?1", [place]) {
                    Ok(count) => dropped = dropped.saturating_add(count),
                    // Its own key was hit: it stays, and nobody believes it.
                    Err(error) if is_corrupt(&error) => {}
                    Err(error) => return Err(error.into()),
                }
            }
            Ok(dropped)
        })?;
        hold(&self.0.met).told.clear();
        Ok(dropped)
    }

    /// How many chunks were found damaged and are not mended, and how many were mended.
    pub fn damage_counts(&self) -> Result<(u64, u64), DatabaseError> {
        self.0.database.read(|db| {
            let ask = "SELECT count(*) FILTER (WHERE state <> 1), count(*) FILTER (WHERE state = 1)
                       FROM damage";
            db.prepare_cached(ask)?.query_row([], |row| {
                let count = |at| row.get::<_, i64>(at).map(|it| u64::try_from(it).unwrap_or(0));
                Ok((count(0)?, count(1)?))
            })
        })
    }

    /// Says what became of a damaged chunk that was not mended.
    pub fn settle_damage(
        &self,
        chunk: &DamagedChunk,
        state: DamageState,
        now: Timestamp,
    ) -> Result<(), DatabaseError> {
        self.0.database.write(|tx| {
            let note = Note { state, settled_at: Some(now.unix_nanos()), ..Note::from(chunk) };
            Ok(put(tx, (chunk.key.org, chunk.id), &note, None)?)
        })
    }
}

/// A row of the table of damage.
#[derive(Clone, Copy, Debug)]
pub(super) struct Note {
    pub(super) codec: u8,
    pub(super) first: i64,
    pub(super) count: i64,
    pub(super) min_at: i64,
    pub(super) max_at: i64,
    pub(super) place: Option<i64>,
    pub(super) found_at: i64,
    pub(super) state: DamageState,
    pub(super) settled_at: Option<i64>,
}

impl From<&DamagedChunk> for Note {
    fn from(chunk: &DamagedChunk) -> Self {
        Self {
            codec: if chunk.is_wave { WaveSpan::CODEC } else { Point::CODEC },
            first: chunk.first,
            count: i64::try_from(chunk.items).unwrap_or(i64::MAX),
            min_at: chunk.span.from.unix_nanos(),
            max_at: chunk.span.to.unix_nanos().saturating_sub(1),
            place: chunk.place,
            found_at: chunk.found_at.unix_nanos(),
            state: chunk.state,
            settled_at: chunk.settled_at.map(Timestamp::unix_nanos),
        }
    }
}

impl Note {
    /// Of a row whose first column is the series.
    fn of(row: &rusqlite::Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            codec: row.get(1)?,
            first: row.get(2)?,
            count: row.get(3)?,
            min_at: row.get(4)?,
            max_at: row.get(5)?,
            place: row.get(6)?,
            found_at: row.get(7)?,
            state: DamageState::of(row.get(8)?),
            settled_at: row.get(9)?,
        })
    }

    fn chunk(self, id: SeriesId, key: Arc<SeriesKey>) -> DamagedChunk {
        DamagedChunk {
            key,
            span: DamagedSpan {
                from: Timestamp::from_unix_nanos(self.min_at),
                to: Timestamp::from_unix_nanos(self.max_at.saturating_add(1)),
            },
            items: u64::try_from(self.count).unwrap_or(0),
            is_wave: self.codec == WaveSpan::CODEC,
            found_at: Timestamp::from_unix_nanos(self.found_at),
            state: self.state,
            settled_at: self.settled_at.map(Timestamp::from_unix_nanos),
            id,
            first: self.first,
            place: self.place,
        }
    }
}

/// Writes a note anew, with what stood in the chunk's place if that was put aside now; what was
/// put aside before is kept else.
pub(super) fn put(
    tx: &Transaction<'_>,
    (org, id): (OrgId, SeriesId),
    note: &Note,
    aside: Option<Vec<u8>>,
) -> rusqlite::Result<()> {
    let aside = match aside {
        Some(aside) => Some(aside),
        None => put_aside(tx, (org, id, note.codec), note.first)?,
    };
    let put = "INSERT OR REPLACE INTO damage (org, series, codec, first, count, min_at, max_at,
               place, found_at, state, settled_at, bytes, row_sum)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)";
    let row = vec![
        as_blob(org),
        id.0.into(),
        note.codec.into(),
        note.first.into(),
        note.count.into(),
        note.min_at.into(),
        note.max_at.into(),
        note.place.into(),
        note.found_at.into(),
        note.state.code().into(),
        note.settled_at.into(),
        aside.into(),
    ];
    tx.prepare_cached(put)?.execute(params_from_iter(row_sum::with("damage", row)))?;
    Ok(())
}

/// What stood in the place of a chunk before it was made again, if its note has that.
fn put_aside(
    tx: &Connection,
    (org, id, codec): (OrgId, SeriesId, u8),
    first: i64,
) -> rusqlite::Result<Option<Vec<u8>>> {
    let ask = "SELECT bytes FROM damage
               WHERE org = ?1 AND series = ?2 AND codec = ?3 AND first = ?4";
    let key = params![Sql(org), id.0, codec, first];
    Ok(tx.prepare_cached(ask)?.query_row(key, |row| row.get(0)).optional()?.flatten())
}

/// What is noted of the chunk that begins with this item.
fn noted(
    tx: &Connection,
    (org, id, codec): (OrgId, SeriesId, u8),
    first: i64,
) -> rusqlite::Result<Option<DamageState>> {
    let ask = "SELECT state, damage.* FROM damage WHERE org = ?1 AND series = ?2 AND codec = ?3 AND first = ?4";
    let key = params![Sql(org), id.0, codec, first];
    let state = |row: &rusqlite::Row<'_>| {
        let is_sound = row_sum::is_sound(row, 1, "damage")?;
        is_sound.then(|| row.get(0).map(DamageState::of)).transpose()
    };
    Ok(tx.prepare_cached(ask)?.query_row(key, state).optional()?.flatten())
}

/// Notes a chunk, unless it is noted or can be read after all; says whether it did.
fn note(tx: &Transaction<'_>, met: &Met, now: Timestamp) -> Result<bool, Change> {
    let (of, Some(place)) = ((met.org, met.id, met.codec), met.place) else { return Ok(false) };
    let is_sound = match met.codec {
        Point::CODEC => items_at::<Point>(tx, (met.org, met.id), place)?.is_some(),
        _ => items_at::<WaveSpan>(tx, (met.org, met.id), place)?.is_some(),
    };
    // The index knows it also where the row cannot be believed.
    let ask = "SELECT first FROM chunk INDEXED BY sqlite_autoindex_chunk_1
               WHERE org = ?1 AND series = ?2 AND codec = ?3 AND rowid = ?4";
    let key = params![Sql(met.org), met.id.0, met.codec, place];
    let first: Option<i64> = tx.prepare_cached(ask)?.query_row(key, |row| row.get(0)).optional()?;
    let Some(first) = first.filter(|_| !is_sound) else { return Ok(false) };
    if noted(tx, of, first)?.is_some_and(|state| state != DamageState::Mended) {
        return Ok(false);
    }
    let count = end_of(tx, of, first)?.saturating_sub(first);
    let (min_at, max_at) = (met.min_at, met.max_at);
    let (found_at, state) = (now.unix_nanos(), DamageState::Waits);
    let (codec, place) = (met.codec, met.place);
    let note =
        Note { codec, first, count, min_at, max_at, place, found_at, state, settled_at: None };
    put(tx, (met.org, met.id), &note, None)?;
    Ok(true)
}

fn note_gone(tx: &Transaction<'_>, flaw: &Flaw, now: Timestamp) -> Result<bool, Change> {
    let of = (flaw.org, flaw.id, flaw.codec);
    if noted(tx, of, flaw.first)?.is_some_and(|state| state != DamageState::Mended) {
        return Ok(false);
    }
    let note = Note {
        codec: flaw.codec,
        first: flaw.first,
        count: flaw.end.saturating_sub(flaw.first),
        min_at: flaw.min_at,
        max_at: flaw.max_at,
        place: None,
        found_at: now.unix_nanos(),
        state: DamageState::Waits,
        settled_at: None,
    };
    put(tx, (flaw.org, flaw.id), &note, None)?;
    Ok(true)
}

/// With which item the chunk behind this one begins, or would begin.
fn end_of(
    db: &Connection,
    (org, id, codec): (OrgId, SeriesId, u8),
    first: i64,
) -> rusqlite::Result<i64> {
    let ask = "SELECT min(first) FROM chunk
               WHERE org = ?1 AND series = ?2 AND codec = ?3 AND first > ?4";
    let key = params![Sql(org), id.0, codec, first];
    let next: Option<i64> = db.prepare_cached(ask)?.query_row(key, |row| row.get(0))?;
    match next {
        Some(next) => Ok(next),
        None => tally(db, (org, id, codec)).map(|all| all.unwrap_or(first)),
    }
}

/// How many items a series sealed; none if it sealed none, or if that cannot be believed.
pub(super) fn tally(
    db: &Connection,
    (org, id, codec): (OrgId, SeriesId, u8),
) -> rusqlite::Result<Option<i64>> {
    let ask = "SELECT items, tally.* FROM tally WHERE org = ?1 AND series = ?2 AND codec = ?3";
    let row =
        |row: &rusqlite::Row<'_>| Ok(row_sum::is_sound(row, 1, "tally")?.then_some(row.get(0)?));
    let key = params![Sql(org), id.0, codec];
    Ok(db.prepare_cached(ask)?.query_row(key, row).optional()?.flatten())
}

pub(super) fn put_tally(
    tx: &Transaction<'_>,
    (org, id, codec): (OrgId, SeriesId, u8),
    items: i64,
) -> rusqlite::Result<()> {
    let put = "INSERT OR REPLACE INTO tally (org, series, codec, items, row_sum)
               VALUES (?1, ?2, ?3, ?4, ?5)";
    let row = vec![as_blob(org), id.0.into(), codec.into(), items.into()];
    tx.prepare_cached(put)?.execute(params_from_iter(row_sum::with("tally", row)))?;
    Ok(())
}

/// Chunks of a question's time that are noted as gone, row and all.
pub(super) fn gone(
    db: &Connection,
    (org, id, codec): (OrgId, SeriesId, u8),
    (from, to): (Timestamp, Timestamp),
) -> rusqlite::Result<Vec<Met>> {
    let mut all = noted_in(db, (org, id, codec), (from, to))?;
    all.retain(|met| met.place.is_none());
    Ok(all)
}

/// Every chunk of a question's time that is noted as damaged and not mended.
pub(super) fn noted_in(
    db: &Connection,
    (org, id, codec): (OrgId, SeriesId, u8),
    (from, to): (Timestamp, Timestamp),
) -> rusqlite::Result<Vec<Met>> {
    let ask = "SELECT min_at, max_at, place, damage.* FROM damage
               WHERE org = ?1 AND series = ?2 AND codec = ?3
               AND state <> 1 AND max_at >= ?4 AND min_at < ?5";
    let met = |row: &rusqlite::Row<'_>| {
        let (min_at, max_at, place) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let is_sound = row_sum::is_sound(row, 3, "damage")?;
        Ok(is_sound.then_some(Met { org, id, codec, min_at, max_at, place }))
    };
    let key = params![Sql(org), id.0, codec, Sql(from), Sql(to)];
    let found: Vec<Option<Met>> =
        db.prepare_cached(ask)?.query_map(key, met)?.collect::<rusqlite::Result<_>>()?;
    Ok(found.into_iter().flatten().collect())
}

/// How far items are looked for that no chunk has, and that nothing bounds to one side: a day.
const UNBOUNDED_NS: i64 = 86_400_000_000_000;

/// A chunk that cannot be read, or items that no chunk has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Flaw {
    pub(super) org: OrgId,
    pub(super) id: SeriesId,
    pub(super) codec: u8,
    pub(super) first: i64,
    /// The item behind the last.
    pub(super) end: i64,
    /// Not before and not after; of items that are gone by what stands around them.
    min_at: i64,
    max_at: i64,
    pub(super) place: Option<i64>,
}

impl Flaw {
    /// A chunk of a form that this program does not know.
    pub(super) const fn of_unknown(org: OrgId, id: SeriesId, codec: u8) -> Self {
        Self { org, id, codec, first: 0, end: 0, min_at: 0, max_at: 0, place: Some(0) }
    }

    /// Where it is, and what it is if that is not plain.
    pub(super) fn words(&self) -> String {
        let Self { id: SeriesId(series), codec, first, end, .. } = self;
        match self.place {
            Some(_) => format!("series {series}, codec {codec}, from item {first}"),
            None => format!(
                "series {series}, codec {codec}, items {first} to {}, which no chunk has",
                end.saturating_sub(1)
            ),
        }
    }

    fn met(&self) -> Option<Met> {
        let Self { org, id, codec, place, min_at, max_at, .. } = *self;
        place.map(|place| Met { org, id, codec, place: Some(place), min_at, max_at })
    }
}

/// Reads all chunks of a series, and finds what cannot be read, and where their items do not follow each other.
pub(super) fn scan<T: Item>(
    db: &Connection,
    org: OrgId,
    id: SeriesId,
) -> rusqlite::Result<Vec<Flaw>> {
    Scan::new(org, id, T::CODEC).page::<T>(db, usize::MAX)
}

/// Where a look at the chunks of a series stands.
struct Scan {
    of: (OrgId, SeriesId, u8),
    /// With which item the last chunk begins that was looked at. It may have grown since.
    looked_to: Option<i64>,
    /// The item that comes next, unless the last chunk cannot be read.
    next: Option<i64>,
    known_to: i64,
    times: BTreeMap<i64, (i64, i64)>,
    is_over: bool,
}

impl Scan {
    const fn new(org: OrgId, id: SeriesId, codec: u8) -> Self {
        Self {
            of: (org, id, codec),
            looked_to: None,
            next: Some(0),
            known_to: i64::MIN,
            times: BTreeMap::new(),
            is_over: false,
        }
    }

    const fn gap(&self, (first, end): (i64, i64), (one, other): (i64, i64)) -> Flaw {
        let (org, id, codec) = self.of;
        let (min_at, max_at) = if one < other { (one, other) } else { (other, one) };
        Flaw { org, id, codec, first, end, min_at, max_at, place: None }
    }

    /// Looks at some chunks more, and once more at the one before them.
    fn page<T: Item>(&mut self, db: &Connection, most: usize) -> rusqlite::Result<Vec<Flaw>> {
        let (org, id, codec) = self.of;
        let ask = "SELECT first, rowid FROM chunk INDEXED BY sqlite_autoindex_chunk_1
                   WHERE org = ?1 AND series = ?2 AND codec = ?3 AND first >= ?4
                   ORDER BY first LIMIT ?5";
        let from = self.looked_to.unwrap_or(i64::MIN);
        let most = i64::try_from(most).unwrap_or(i64::MAX).saturating_add(1);
        let key = params![Sql(org), id.0, codec, from, most];
        let row = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?));
        let chunks: Vec<(i64, i64)> =
            db.prepare_cached(ask)?.query_map(key, row)?.collect::<rusqlite::Result<_>>()?;
        self.is_over = i64::try_from(chunks.len()).unwrap_or(i64::MAX) < most;
        if chunks.iter().any(|(_, place)| !self.times.contains_key(place)) {
            self.times = times_of(db, self.of)?;
        }
        let mut flaws = Vec::new();
        for (first, place) in chunks {
            self.chunk::<T>(db, (first, place), &mut flaws)?;
        }
        if self.is_over {
            let all = tally(db, self.of)?.unwrap_or(0);
            if let Some(expected) = self.next.filter(|expected| *expected < all) {
                // Behind the last chunk nothing stands either.
                let bounds = match self.known_to {
                    i64::MIN => (0, i64::MAX.saturating_sub(1)),
                    known_to => (known_to, known_to.saturating_add(UNBOUNDED_NS)),
                };
                flaws.push(self.gap((expected, all), bounds));
            }
        }
        Ok(flaws)
    }

    fn chunk<T: Item>(
        &mut self,
        db: &Connection,
        (first, place): (i64, i64),
        flaws: &mut Vec<Flaw>,
    ) -> rusqlite::Result<()> {
        let (org, id, _) = self.of;
        let unknown = (self.known_to, self.known_to);
        let (min_at, max_at) = self.times.get(&place).copied().unwrap_or(unknown);
        let is_new = self.looked_to != Some(first);
        if let Some(expected) = self.next.filter(|expected| is_new && *expected < first) {
            // Before the first chunk nothing stands that would bound it.
            let before = min_at.saturating_sub(UNBOUNDED_NS);
            let begins = if self.known_to == i64::MIN { before } else { self.known_to };
            flaws.push(self.gap((expected, first), (begins, min_at)));
        }
        let items = items_at::<T>(db, (org, id), place)?;
        let count = items.as_ref().and_then(|items| i64::try_from(items.len()).ok());
        self.next = count.map(|count| first.saturating_add(count));
        if items.is_none() && is_new {
            let end = end_of(db, self.of, first)?;
            let flaw = self.gap((first, end), (min_at, max_at));
            flaws.push(Flaw { place: Some(place), ..flaw });
        }
        self.known_to = self.known_to.max(max_at);
        self.looked_to = Some(first);
        Ok(())
    }
}

/// Where the chunks of a series lie in time, by their rows.
fn times_of(
    db: &Connection,
    (org, id, codec): (OrgId, SeriesId, u8),
) -> rusqlite::Result<BTreeMap<i64, (i64, i64)>> {
    let ask = "SELECT rowid, min_at, max_at FROM chunk INDEXED BY chunk_by_time
               WHERE org = ?1 AND series = ?2 AND codec = ?3";
    let row = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, (row.get(1)?, row.get(2)?)));
    db.prepare_cached(ask)?.query_map(params![Sql(org), id.0, codec], row)?.collect()
}
