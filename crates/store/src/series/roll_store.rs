//! Roll-ups on disk: one block a day, series and step, and what of them is out of date.
//!
//! A sealing marks the minutes that its points touch, in its own transaction, so that a
//! block is never believed over a point that it does not know. [`Series::tend`] makes the
//! marked minutes again. All of it can be thrown away: [`Series::forget_rolls`].

use std::{collections::BTreeMap, sync::Arc};

use model::{OrgId, Timestamp};
use rusqlite::{
    Connection, OptionalExtension as _, Transaction, params, params_from_iter, types::Value,
};

use super::{
    Point, Question, Series, SeriesId, SeriesKey,
    query::sealed,
    roll::{Grid, MINUTE_NS, RollRule, Rolls, by_step, current},
    roll_block,
};
use crate::{
    hold::hold,
    limits::ROLL_MINUTES_SOON,
    row_sum,
    sqlite::{Change, DatabaseError, Sql},
};

pub(super) const SCHEMA: &str = "
CREATE TABLE roll (
    org BLOB NOT NULL, series INTEGER NOT NULL, step_min INTEGER NOT NULL, day INTEGER NOT NULL,
    reach_ns INTEGER NOT NULL, low INTEGER NOT NULL, high INTEGER NOT NULL, -- The rule.
    crc INTEGER NOT NULL, bytes BLOB NOT NULL,
    PRIMARY KEY (org, series, step_min, day)
) STRICT;
-- Minutes of the day with new points; minutes up to which a new value of the day before reaches.
CREATE TABLE roll_stale (
    org BLOB NOT NULL, series INTEGER NOT NULL, day INTEGER NOT NULL,
    from_min INTEGER NOT NULL, to_min INTEGER NOT NULL, spill_min INTEGER NOT NULL,
    PRIMARY KEY (org, series, day)
) WITHOUT ROWID, STRICT;
";

/// Every day that has points.
pub(super) const FILL: &str = "
INSERT OR IGNORE INTO roll_stale (org, series, day, from_min, to_min, spill_min)
    SELECT org, series, (min_at - (min_at < 0) * 86399999999999) / 86400000000000, 0, 1439, -1
    FROM chunk WHERE codec = 1
    UNION
    SELECT org, series, (max_at - (max_at < 0) * 86399999999999) / 86400000000000, 0, 1439, -1
    FROM chunk WHERE codec = 1;
";

/// Checksums of the marks: one that a flipped bit hid would let a block be believed that is of
/// before.
pub(super) const MARK_SUMS: &str = "ALTER TABLE roll_stale ADD COLUMN row_sum INTEGER;";

/// Minutes of a day, and of the steps that are kept.
pub(super) const DAY_MIN: i64 = 1_440;
pub(super) const STEPS_MIN: [i64; 3] = [1, 15, 60];
/// Blocks that are made in one transaction.
const BLOCKS_AT_ONCE: usize = 32;
/// The table of what is out of date.
const MARKS: &str = "roll_stale";

pub(super) const fn day_of(at_ns: i64) -> i64 {
    at_ns.div_euclid(MINUTE_NS).div_euclid(DAY_MIN)
}

pub(super) const fn day_begin(day: i64) -> i64 {
    day.saturating_mul(DAY_MIN).saturating_mul(MINUTE_NS)
}

/// What is out of date in the block of one day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stale {
    pub(super) day: i64,
    /// The first and the last minute of the day with new points; the first is greater if there is none.
    pub(super) minutes: (i64, i64),
    /// The last minute that a new value of the day before may reach; -1 if there is none.
    pub(super) spill: i64,
}

const WHOLE: (i64, i64) = (0, DAY_MIN - 1);
const NO_MINUTES: (i64, i64) = (DAY_MIN, -1);

impl Stale {
    /// The stretches of time (nanoseconds) that are to be made again, with what reaches past the day.
    pub(super) fn stretches(&self, reach_ns: i64) -> impl Iterator<Item = (i64, i64)> + use<> {
        let begin = day_begin(self.day);
        let minute = move |minute: i64| begin.saturating_add(minute.saturating_mul(MINUTE_NS));
        let (first, last) = self.minutes;
        let end = minute(last.saturating_add(1)).saturating_add(reach_ns);
        let touched = (first <= last).then(|| (minute(first), end));
        let spilled = (self.spill >= 0).then(|| (begin, minute(self.spill.saturating_add(1))));
        touched.into_iter().chain(spilled)
    }
}

/// The minutes that points touch, day by day.
pub(super) fn touched<'a>(points: impl IntoIterator<Item = &'a Point>) -> Vec<Stale> {
    let mut days: BTreeMap<i64, (i64, i64)> = BTreeMap::new();
    for point in points {
        let minute = Grid::MINUTES.number(point.at.unix_nanos());
        let (first, last) = days.entry(minute.div_euclid(DAY_MIN)).or_insert(NO_MINUTES);
        *first = (*first).min(minute.rem_euclid(DAY_MIN));
        *last = (*last).max(minute.rem_euclid(DAY_MIN));
    }
    days.into_iter().map(|(day, minutes)| Stale { day, minutes, spill: -1 }).collect()
}

/// Marks what these points make out of date.
pub(super) fn mark(
    tx: &Transaction<'_>,
    org: OrgId,
    id: SeriesId,
    points: &[Point],
) -> rusqlite::Result<()> {
    touched(points).iter().try_for_each(|stale| put_mark(tx, org, id, stale))
}

fn put_mark(tx: &Transaction<'_>, org: OrgId, id: SeriesId, stale: &Stale) -> rusqlite::Result<()> {
    let mut minutes = stale.minutes;
    let mut spill = stale.spill;
    for before in marks(tx, org, id, (stale.day, stale.day))? {
        minutes = (minutes.0.min(before.minutes.0), minutes.1.max(before.minutes.1));
        spill = spill.max(before.spill);
    }
    let put = "INSERT OR REPLACE INTO roll_stale
               (org, series, day, from_min, to_min, spill_min, row_sum)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
    let org = Value::Blob(org.uuid().to_be_bytes().to_vec());
    let numbers = [i64::from(id.0), stale.day, minutes.0, minutes.1, spill];
    let row = [org].into_iter().chain(numbers.map(Value::Integer)).collect();
    tx.prepare_cached(put)?.execute(params_from_iter(row_sum::with(MARKS, row)))?;
    Ok(())
}

/// Whether every mark is what was written; if not, no block can be believed.
pub(super) fn has_sound_marks(db: &Connection) -> rusqlite::Result<bool> {
    let mut statement = db.prepare("SELECT * FROM roll_stale")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        if !row_sum::is_sound(row, 0, MARKS)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Marks a span (nanoseconds) in which what counts became another.
pub(super) fn mark_span(
    tx: &Transaction<'_>,
    org: OrgId,
    id: SeriesId,
    (from, to): (i64, i64),
) -> rusqlite::Result<()> {
    let minutes = Grid::MINUTES;
    let (first, last) = (minutes.number(from), minutes.number(to.saturating_sub(1)));
    for day in first.div_euclid(DAY_MIN)..=last.div_euclid(DAY_MIN) {
        let begin = day.saturating_mul(DAY_MIN);
        let of_day = |minute: i64| minute.saturating_sub(begin).clamp(WHOLE.0, WHOLE.1);
        let stale = Stale { day, minutes: (of_day(first), of_day(last)), spill: -1 };
        put_mark(tx, org, id, &stale)?;
    }
    Ok(())
}

/// What is out of date in these days of a series, both included.
pub(super) fn marks(
    db: &Connection,
    org: OrgId,
    id: SeriesId,
    (first, last): (i64, i64),
) -> rusqlite::Result<Vec<Stale>> {
    let ask = "SELECT day, from_min, to_min, spill_min, roll_stale.* FROM roll_stale
               WHERE org = ?1 AND series = ?2 AND day BETWEEN ?3 AND ?4 ORDER BY day";
    let row = |row: &rusqlite::Row<'_>| {
        let day = row.get(0)?;
        if !row_sum::is_sound(row, 4, MARKS)? {
            return Ok(Stale { day, minutes: WHOLE, spill: WHOLE.1 });
        }
        let minutes = (row.get(1)?, row.get(2)?);
        Ok(Stale { day, minutes, spill: row.get(3)? })
    };
    db.prepare_cached(ask)?.query_map(params![Sql(org), id.0, first, last], row)?.collect()
}

/// The block of a day, if it is there, sound, and made by this rule.
pub(super) fn block(
    db: &Connection,
    (org, id): (OrgId, SeriesId),
    (step_min, day): (i64, i64),
    rule: &RollRule,
) -> rusqlite::Result<Option<Rolls>> {
    let ask = "SELECT crc, bytes FROM roll WHERE org = ?1 AND series = ?2 AND step_min = ?3
               AND day = ?4 AND reach_ns = ?5 AND low = ?6 AND high = ?7";
    let (reach, low, high) = rule.columns();
    let key = params![Sql(org), id.0, step_min, day, reach, low, high];
    let row = |row: &rusqlite::Row<'_>| {
        let bytes = row.get_ref(1)?.as_blob()?;
        let sound = row.get::<_, u32>(0)? == sum((org, id), (step_min, day), rule, bytes);
        Ok(sound.then(|| roll_block::decode(bytes, day_begin(day)).ok()).flatten())
    };
    Ok(db.prepare_cached(ask)?.query_row(key, row).optional()?.flatten())
}

impl Series {
    /// Makes roll-ups again where points were added since, at most `most` blocks: days that
    /// are over, and the day that goes on once enough of it is new. Says how many it made.
    pub fn tend(
        &self,
        now: Timestamp,
        rule: &dyn Fn(&SeriesKey) -> RollRule,
        most: usize,
    ) -> Result<usize, DatabaseError> {
        self.mark_wanted()?;
        let today = day_of(now.unix_nanos());
        let mut made = 0_usize;
        while made < most {
            let due = self.due(today, most.saturating_sub(made).min(BLOCKS_AT_ONCE))?;
            if due.is_empty() {
                break;
            }
            let max = hold(&self.0.hot).limits.query_points_max;
            self.0.database.write(|tx| {
                for (id, key, day) in &due {
                    // Making the day before may just have marked more of this one.
                    for stale in marks(tx, key.org, *id, (*day, *day))? {
                        remake(tx, (self, *id, key), &stale, (&rule(key), max))?;
                    }
                }
                Ok(())
            })?;
            made = made.saturating_add(due.len());
        }
        Ok(made)
    }

    /// Throws all roll-ups away; they are made again from the points.
    pub fn forget_rolls(&self) -> Result<(), DatabaseError> {
        self.0.database.write(|tx| {
            tx.execute_batch("DELETE FROM roll; DELETE FROM roll_stale;")?;
            tx.execute_batch(FILL)?;
            // A row of another table that has lost its checksum must go on being missed.
            Ok(row_sum::fill_bare(tx, MARKS)?)
        })
    }

    /// Marks whole days that were asked for and had no block.
    fn mark_wanted(&self) -> Result<(), DatabaseError> {
        let wanted = std::mem::take(&mut *hold(&self.0.wanted));
        if wanted.is_empty() {
            return Ok(());
        }
        let keyed: Vec<_> = {
            let hot = hold(&self.0.hot);
            wanted.iter().filter_map(|(id, day)| Some((hot.key(*id)?.org, *id, *day))).collect()
        };
        self.0.database.write(|tx| {
            for (org, id, day) in keyed {
                put_mark(tx, org, id, &Stale { day, minutes: WHOLE, spill: -1 })?;
            }
            Ok(())
        })
    }

    /// Blocks that are to be made now.
    fn due(
        &self,
        today: i64,
        most: usize,
    ) -> Result<Vec<(SeriesId, Arc<SeriesKey>, i64)>, DatabaseError> {
        let found: Vec<(SeriesId, i64)> = self.0.database.read(|db| {
            let ask = "SELECT series, day FROM roll_stale
                       WHERE day < ?1 OR to_min - from_min >= ?2 LIMIT ?3";
            let row = |row: &rusqlite::Row<'_>| Ok((SeriesId(row.get(0)?), row.get(1)?));
            let most = i64::try_from(most).unwrap_or(i64::MAX);
            db.prepare_cached(ask)?
                .query_map(params![today, ROLL_MINUTES_SOON, most], row)?
                .collect()
        })?;
        let hot = hold(&self.0.hot);
        Ok(found.into_iter().filter_map(|(id, stale)| Some((id, hot.key(id)?, stale))).collect())
    }
}

/// Makes the blocks of one day again where they are out of date.
fn remake(
    tx: &Transaction<'_>,
    (all, id, key): (&Series, SeriesId, &SeriesKey),
    stale: &Stale,
    (rule, max): (&RollRule, usize),
) -> Result<(), Change> {
    let (org, day) = (key.org, stale.day);
    let (begin, end) = (day_begin(day), day_begin(day.saturating_add(1)));
    let known = block(tx, (org, id), (1, day), rule)?;
    let mut stretches: Vec<(i64, i64)> = stale.stretches(rule.reach()).collect();
    if known.is_none() {
        stretches.push((begin, end));
    }
    let mut minutes = known.unwrap_or_default();
    let past = stretches.iter().map(|(_, to)| *to).max().unwrap_or(end);
    if past > end {
        let spill = Grid::MINUTES.number(past.saturating_sub(end).saturating_sub(1));
        let next = day.saturating_add(1);
        let spill = spill.min(WHOLE.1);
        put_mark(tx, org, id, &Stale { day: next, minutes: NO_MINUTES, spill })?;
    }
    let gone = "DELETE FROM roll_stale WHERE org = ?1 AND series = ?2 AND day = ?3";
    tx.prepare_cached(gone)?.execute(params![Sql(org), id.0, day])?;
    for stretch in merged(stretches, (begin, end)) {
        let Some(rolls) = sealed_minutes(tx, (all, id, key), stretch, (rule, max))? else {
            // Whoever asks reads the points, and is told which chunk is damaged.
            let drop = "DELETE FROM roll WHERE org = ?1 AND series = ?2 AND day = ?3";
            tx.prepare_cached(drop)?.execute(params![Sql(org), id.0, day])?;
            return Ok(());
        };
        let (from, to) = stretch;
        let inside = Grid::MINUTES.number(from)..=Grid::MINUTES.number(to.saturating_sub(1));
        minutes.replace(&inside, rolls);
    }
    for step_min in STEPS_MIN {
        put_block(tx, (org, id), (step_min, day), &minutes.coarser(step_min), rule)?;
    }
    Ok(())
}

/// The stretches inside of `bounds`, widened to whole minutes, in order, those that touch joined.
pub(super) fn merged(mut stretches: Vec<(i64, i64)>, bounds: (i64, i64)) -> Vec<(i64, i64)> {
    let grid = Grid::MINUTES;
    for (from, to) in &mut stretches {
        let last = grid.number(to.saturating_sub(1)).saturating_add(1);
        *from = grid.begin(grid.number(*from)).max(bounds.0);
        *to = grid.begin(last).min(bounds.1);
    }
    stretches.retain(|(from, to)| from < to);
    stretches.sort_unstable();
    let mut joined: Vec<(i64, i64)> = Vec::new();
    for (from, to) in stretches {
        match joined.last_mut() {
            Some(last) if from <= last.1 => last.1 = last.1.max(to),
            _ => joined.push((from, to)),
        }
    }
    joined
}

/// The question for everything that counts in a stretch: also what reaches into it.
pub(super) fn reaching(key: &SeriesKey, (from, to): (i64, i64), rule: &RollRule) -> Question {
    Question {
        org: key.org,
        device: key.device,
        channel: key.channel.clone(),
        from: Timestamp::from_unix_nanos(from.saturating_sub(rule.reach())),
        to: Timestamp::from_unix_nanos(to),
    }
}

fn sealed_minutes(
    tx: &Transaction<'_>,
    (all, id, key): (&Series, SeriesId, &SeriesKey),
    stretch: (i64, i64),
    (rule, max): (&RollRule, usize),
) -> rusqlite::Result<Option<Rolls>> {
    let question = reaching(key, stretch, rule);
    let found = sealed::<Point>(tx, id, &question, max)?;
    let points = found.filter(|it| it.damaged.is_empty()).map(|it| it.items);
    Ok(points.map(|points| {
        let held = all.held_in(&question);
        let samples = current(points, &key.ucum, &held);
        by_step(&samples, stretch, rule, Grid::MINUTES)
    }))
}

/// The checksum of a block with all that says whose it is.
fn sum(
    (org, id): (OrgId, SeriesId),
    (step_min, day): (i64, i64),
    rule: &RollRule,
    bytes: &[u8],
) -> u32 {
    let (reach, low, high) = rule.columns();
    let names = [i64::from(id.0), step_min, day, reach, low, high];
    let names = names.iter().fold(crc32c::crc32c(&org.uuid().to_be_bytes()), |crc, name| {
        crc32c::crc32c_append(crc, &name.to_be_bytes())
    });
    crc32c::crc32c_append(names, bytes)
}

fn put_block(
    tx: &Transaction<'_>,
    (org, id): (OrgId, SeriesId),
    (step_min, day): (i64, i64),
    rolls: &Rolls,
    rule: &RollRule,
) -> Result<(), Change> {
    let bytes = roll_block::encode(rolls, day_begin(day))
        .map_err(|_| Change::Damaged(format!("a roll-up of series {}", id.0)))?;
    let (reach, low, high) = rule.columns();
    let put = "INSERT OR REPLACE INTO roll
        (org, series, step_min, day, reach_ns, low, high, crc, bytes)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
    let crc = sum((org, id), (step_min, day), rule, &bytes);
    let row = params![Sql(org), id.0, step_min, day, reach, low, high, crc, bytes];
    tx.prepare_cached(put)?.execute(row)?;
    Ok(())
}
