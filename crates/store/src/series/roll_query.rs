//! Drawing: a channel over any range in about so many columns, extremes kept.
//!
//! Where a column is a minute or longer, roll-ups answer, and points only where these are
//! out of date and at the ends of the range; where it is shorter, the points do.

use std::{cell::RefCell, sync::Arc};

use model::Timestamp;
use rusqlite::Connection;

use super::{
    Answer, DamagedSpan, Point, Question, Series, SeriesId, SeriesKey, Stretch,
    corrections::Held,
    damage::Met,
    hot::HotSeries,
    query::{ordered, overlaps, sealed},
    roll::{Grid, MINUTE_NS, Roll, RollRule, Rolls, Sample, by_step, current},
    roll_store::{STEPS_MIN, Stale, block, day_begin, day_of, marks, merged, reaching, touched},
};
use crate::{
    hold::hold,
    limits::{COLUMNS_MAX, DRAWN_DAYS_MAX},
    sqlite::DatabaseError,
};

/// What one column of a drawing shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it all")]
pub struct Column {
    /// When it begins; the first and the last may be cut by the range.
    pub from: Timestamp,
    pub roll: Roll,
}

/// What a drawing was made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resolution {
    /// The points themselves.
    Points,
    /// Roll-ups of so many minutes.
    Minutes(i64),
}

/// How wide the columns of a drawing are, and where they begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// A column begins here, in nanoseconds since 1970, and others around it.
    pub origin_ns: i64,
    /// How long a column is, in nanoseconds.
    pub step_ns: i64,
    /// What it is made of.
    pub resolution: Resolution,
}

impl Pace {
    /// A range in `columns` columns, or up to twice as many where that suits the roll-ups.
    pub fn of(from: Timestamp, to: Timestamp, columns: u32) -> Self {
        let span = to.nanos_after(from).max(1);
        let columns = i64::from(columns.max(1));
        let minutes = span.checked_div(columns.saturating_mul(MINUTE_NS)).unwrap_or(0);
        if minutes > 0 {
            let coarse = STEPS_MIN.into_iter().rev().find(|step| *step <= minutes).unwrap_or(1);
            let step = minutes.saturating_sub(minutes.checked_rem(coarse).unwrap_or(0));
            let step_ns = step.saturating_mul(MINUTE_NS);
            return Self { origin_ns: 0, step_ns, resolution: Resolution::Minutes(coarse) };
        }
        let step_ns = span.saturating_add(columns.saturating_sub(1)).checked_div(columns);
        let step_ns = step_ns.unwrap_or(span);
        Self { origin_ns: from.unix_nanos(), step_ns, resolution: Resolution::Points }
    }

    /// The range that is drawn: in whole minutes where roll-ups answer, as one that the range
    /// cuts would have to be made from points.
    pub fn widened(&self, from: Timestamp, to: Timestamp) -> (Timestamp, Timestamp) {
        if self.resolution == Resolution::Points {
            return (from, to);
        }
        let (grid, last) = (Grid::MINUTES, to.unix_nanos().saturating_sub(1));
        let begin = |minute| Timestamp::from_unix_nanos(grid.begin(minute));
        let first = grid.number(from.unix_nanos());
        (begin(first), begin(grid.number(last).saturating_add(1)))
    }
}

/// What one series answered.
type Rolled = (Arc<SeriesKey>, Rolls);

/// Steps, and how many minutes each has.
type Steps = (Rolls, i64);

/// What a database answered, or why what it holds cannot be served.
type Looked<T> = rusqlite::Result<Result<T, Trouble>>;

/// Days without a block that are remembered at most.
const WANTED_MAX: usize = 65_536;

impl Series {
    /// A channel at this pace. What was measured before `since` counts nowhere, so that the
    /// last value of one patient does not reach into the time of the next.
    pub fn drawn(
        &self,
        question: &Question,
        since: Option<Timestamp>,
        pace: &Pace,
        rule: &dyn Fn(&SeriesKey) -> RollRule,
    ) -> Result<Answer<Column>, DatabaseError> {
        if let Resolution::Minutes(_) = pace.resolution {
            let step_min = pace.step_ns.checked_div(MINUTE_NS).unwrap_or(1);
            return self.rolled(question, since, step_min, rule);
        }
        let grid = Grid { origin_ns: pace.origin_ns, step_ns: pace.step_ns };
        let range = (question.from.unix_nanos(), question.to.unix_nanos());
        let answered = self.each_series(question, |db, one| {
            let rule = rule(&one.key);
            let asked = one.asked(range, rule, since);
            Ok(asked
                .points(db, range)?
                .map(|points| by_step(&asked.current(points), range, &rule, grid)))
        })?;
        Ok(placed(answered, grid))
    }

    /// The roll-ups of a channel over a range in steps of so many minutes, counted from
    /// 1970 on; the first and the last are cut by the range. What was measured before
    /// `since` counts nowhere. Where a damaged chunk was rolled up before it was damaged, the
    /// roll-ups answer, and nothing lacks.
    pub fn rolled(
        &self,
        question: &Question,
        since: Option<Timestamp>,
        step_min: i64,
        rule: &dyn Fn(&SeriesKey) -> RollRule,
    ) -> Result<Answer<Column>, DatabaseError> {
        let range = (question.from.unix_nanos(), question.to.unix_nanos());
        let step_min = step_min.max(1);
        let step_ns = step_min.saturating_mul(MINUTE_NS);
        let count = question.to.nanos_after(question.from).checked_div(step_ns).unwrap_or(0);
        if usize::try_from(count).is_ok_and(|count| count > COLUMNS_MAX) {
            return Err(DatabaseError::TooMuch { what: "columns", max: COLUMNS_MAX });
        }
        let grid = Grid { origin_ns: 0, step_ns };
        let answered = self.each_series(question, |db, one| {
            let rule = rule(&one.key);
            self.steps(db, &one.asked(range, rule, since), range, step_min)
        })?;
        Ok(placed(answered, grid))
    }

    /// Asks each series of a channel, and leaves out those without an answer; and where what they
    /// were asked for could not be read.
    fn each_series(
        &self,
        question: &Question,
        ask: impl Fn(&Connection, &One<'_>) -> Looked<Rolls>,
    ) -> Result<(Vec<Rolled>, Vec<DamagedSpan>), DatabaseError> {
        let source = (question.org, question.device, question.channel.clone());
        let day = day_begin(1);
        let from = question.from.unix_nanos().saturating_sub(day);
        let wide = Question { from: Timestamp::from_unix_nanos(from), ..question.clone() };
        let (in_memory, max) = {
            let hot = hold(&self.0.hot);
            let points = |series: &HotSeries| {
                let leaving = series.leaving.iter().flat_map(|batch| batch.points.iter());
                let points = leaving.chain(&series.points).filter(|it| overlaps(*it, &wide));
                points.copied().collect::<Vec<Point>>()
            };
            let found = hot.of_source(&source).into_iter();
            let found: Vec<_> =
                found.map(|(id, series)| (id, Arc::clone(&series.key), points(series))).collect();
            (found, hot.limits.query_points_max)
        };
        let corrected = Corrected {
            held: self.held_in(&wide),
            unlike_blocks: hold(&self.0.corrections).unlike_blocks(&source, self.1),
        };
        let (mut answers, mut damaged) = (Vec::new(), Vec::new());
        for (id, key, hot) in in_memory {
            let key_of = Arc::clone(&key);
            let (corrected, unread) = (&corrected, RefCell::default());
            let one = One { id, key: key_of, hot: &hot, max, corrected, unread };
            match self.0.database.read(|db| ask(db, &one))? {
                Ok(answer) if answer.is_empty() => {}
                Ok(answer) => answers.push((key, answer)),
                Err(Trouble::TooMany) => {
                    return Err(DatabaseError::TooMuch { what: "points", max });
                }
                Err(Trouble::TooLong) => {
                    let max = usize::try_from(DRAWN_DAYS_MAX).unwrap_or(usize::MAX);
                    return Err(DatabaseError::TooMuch { what: "days", max });
                }
            }
            let met = one.unread.into_inner();
            self.met(&met);
            damaged.extend(met.iter().map(Met::span));
        }
        Ok((answers, ordered(damaged)))
    }

    /// Steps of one series, out of blocks where they are up to date.
    fn steps(
        &self,
        db: &Connection,
        asked: &Asked<'_>,
        (from, to): (i64, i64),
        step_min: i64,
    ) -> Looked<Rolls> {
        let mut steps = Rolls::default();
        if from >= to {
            return Ok(Ok(steps));
        }
        let days = (day_of(from), day_of(to.saturating_sub(1)));
        if days.1.saturating_sub(days.0) >= DRAWN_DAYS_MAX {
            return Ok(Err(Trouble::TooLong));
        }
        // A value of the day before may reach into the first day.
        let earlier = (days.0.saturating_sub(1), days.1);
        let org = asked.one.key.org;
        let mut stale = marks(db, org, asked.one.id, earlier)?;
        stale.extend(touched(asked.one.hot));
        let fit = |step: &i64| step_min.checked_rem(*step) == Some(0);
        let coarse = STEPS_MIN.into_iter().rev().find(fit).unwrap_or(1);
        let mut day = days.0;
        while day <= days.1 {
            let (rolls, unit) = match self.day(db, asked, (from, to), (day, coarse), &stale)? {
                Ok(found) => found,
                Err(trouble) => return Ok(Err(trouble)),
            };
            for (number, roll) in rolls {
                steps.add(number.saturating_mul(unit).div_euclid(step_min), roll);
            }
            day = day.saturating_add(1);
        }
        Ok(Ok(steps))
    }

    /// What lies of a range in one day, and in steps of how many minutes.
    fn day(
        &self,
        db: &Connection,
        asked: &Asked<'_>,
        range: (i64, i64),
        (day, coarse): (i64, i64),
        stale: &[Stale],
    ) -> Looked<Steps> {
        let (begin, end) = (day_begin(day), day_begin(day.saturating_add(1)));
        let bounds = (range.0.max(begin), range.1.min(end));
        let is_whole = bounds == (begin, end);
        let reach = asked.rule.reach();
        let stale = stale.iter().flat_map(|stale| stale.stretches(reach));
        let unlike = &asked.one.corrected.unlike_blocks;
        let unlike = unlike.iter().map(|(from, to)| (*from, to.saturating_add(reach)));
        let before = asked.without_what_was_before(range.0);
        let stretches = stale.chain(unlike).chain(before).collect();
        let mut fresh = merged(stretches, bounds);
        let of = (asked.one.key.org, asked.one.id);
        if is_whole
            && fresh.is_empty()
            && let Some(rolls) = block(db, of, (coarse, day), &asked.rule)?
        {
            return Ok(Ok((rolls, coarse)));
        }
        let known = if fresh == [bounds] { None } else { block(db, of, (1, day), &asked.rule)? };
        let mut minutes = known.unwrap_or_else(|| {
            if fresh != [bounds] {
                self.wants(asked.one.id, day);
            }
            fresh = vec![bounds];
            Rolls::default()
        });
        // Minutes that the range cuts are not those of the block.
        let minute = |at: i64| (at, at.saturating_add(1));
        for (edge, one) in [(bounds.0, bounds.0), (bounds.1, bounds.1.saturating_sub(1))] {
            if edge.rem_euclid(MINUTE_NS) != 0 {
                fresh.push(minute(one));
            }
        }
        let first = Grid::MINUTES.number(bounds.0);
        let last = Grid::MINUTES.number(bounds.1.saturating_sub(1));
        minutes = minutes.within(&(first..=last));
        for stretch in merged(fresh, bounds) {
            let points = match asked.points(db, stretch)? {
                Ok(points) => points,
                Err(trouble) => return Ok(Err(trouble)),
            };
            let first = Grid::MINUTES.number(stretch.0);
            let last = Grid::MINUTES.number(stretch.1.saturating_sub(1));
            let made = by_step(&asked.current(points), stretch, &asked.rule, Grid::MINUTES);
            minutes.replace(&(first..=last), made);
        }
        Ok(Ok((minutes, 1)))
    }

    fn wants(&self, id: SeriesId, day: i64) {
        let mut wanted = hold(&self.0.wanted);
        if wanted.len() < WANTED_MAX {
            wanted.insert((id, day));
        }
    }
}

/// Why a series gave no answer.
enum Trouble {
    TooMany,
    TooLong,
}

/// What people said of a channel.
struct Corrected {
    held: Vec<Held>,
    /// Where blocks show something else than what counts; nanoseconds since 1970.
    unlike_blocks: Vec<(i64, i64)>,
}

/// One series with what of it is in memory.
struct One<'a> {
    id: SeriesId,
    key: Arc<SeriesKey>,
    hot: &'a [Point],
    max: usize,
    corrected: &'a Corrected,
    /// Chunks that could not be read.
    unread: RefCell<Vec<Met>>,
}

/// One series, the rule for it, and the points in memory that count in the range.
struct Asked<'a> {
    one: &'a One<'a>,
    rule: RollRule,
    /// What was measured before counts nowhere; nanoseconds since 1970.
    since_ns: i64,
    hot: Vec<Point>,
}

impl One<'_> {
    fn asked(&self, range: (i64, i64), rule: RollRule, since: Option<Timestamp>) -> Asked<'_> {
        let question = reaching(&self.key, range, &rule);
        let hot = self.hot.iter().filter(|point| overlaps(*point, &question)).copied().collect();
        Asked { one: self, rule, since_ns: since.map_or(i64::MIN, Timestamp::unix_nanos), hot }
    }
}

impl Asked<'_> {
    fn current(&self, points: Vec<Point>) -> Vec<Sample> {
        current(points, &self.one.key.ucum, &self.one.corrected.held)
    }

    /// The stretch from the beginning of the range on into which a value of before `since`
    /// reaches; a block counts that value, so it is not used there.
    fn without_what_was_before(&self, from: i64) -> Option<(i64, i64)> {
        let end = self.since_ns.saturating_add(self.rule.reach());
        (end > from).then_some((from, end))
    }

    /// Every point that counts in a stretch, from disk and memory.
    fn points(&self, db: &Connection, stretch: (i64, i64)) -> Looked<Vec<Point>> {
        let question = reaching(&self.one.key, stretch, &self.rule);
        let found = sealed::<Point>(db, self.one.id, &question, self.one.max)?;
        let Some(found) = found else { return Ok(Err(Trouble::TooMany)) };
        self.one.unread.borrow_mut().extend(found.damaged);
        let mut points = found.items;
        points.extend(self.hot.iter().filter(|point| overlaps(*point, &question)));
        points.retain(|point| point.at.unix_nanos() >= self.since_ns);
        if points.len() > self.one.max {
            return Ok(Err(Trouble::TooMany));
        }
        Ok(Ok(points))
    }
}

fn placed((answered, damaged): (Vec<Rolled>, Vec<DamagedSpan>), grid: Grid) -> Answer<Column> {
    let placed = |(key, rolls): Rolled| {
        let column = |(number, roll): (i64, Roll)| Column {
            from: Timestamp::from_unix_nanos(grid.begin(number)),
            roll,
        };
        let items = rolls.into_iter().map(column).collect();
        Stretch { kind: key.kind, ucum: key.ucum.clone(), items }
    };
    Answer { stretches: answered.into_iter().map(placed).collect(), damaged }
}
