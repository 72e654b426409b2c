//! What is in memory: all points and spans since the last sealing, by series.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use model::{Channel, Code, DeviceId, OrgId, Ucum};
use rusqlite::Connection;

use super::{Point, SeriesId, SeriesKey, WaveSpan};
use crate::{limits, row_sum, sqlite::Sql};

/// What became of a pushed sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[must_use = "the engine seals when it is told to"]
pub enum Pushed {
    /// It is in memory.
    Kept,
    /// It is in memory, and memory is filling: seal now.
    SealSoon,
    /// There is no room left; it stays in the journal only.
    Refused,
}

/// Bounds that tests and small machines set otherwise; the default is [`limits`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is described in `limits` under the same name")]
pub struct SeriesLimits {
    pub points_soon: usize,
    pub points_max: usize,
    pub samples_soon: usize,
    pub samples_max: usize,
    pub query_points_max: usize,
    pub query_samples_max: usize,
}

impl Default for SeriesLimits {
    fn default() -> Self {
        Self {
            points_soon: limits::HOT_POINTS_SOON,
            points_max: limits::HOT_POINTS_MAX,
            samples_soon: limits::HOT_SAMPLES_SOON,
            samples_max: limits::HOT_SAMPLES_MAX,
            query_points_max: limits::QUERY_POINTS_MAX,
            query_samples_max: limits::QUERY_SAMPLES_MAX,
        }
    }
}

/// All series that were ever seen, and what of them is not sealed.
#[derive(Debug, Default)]
pub(super) struct Hot {
    pub(super) limits: SeriesLimits,
    /// Order never leaks: it is only asked by key.
    by_key: HashMap<SeriesKey, SeriesId>,
    by_source: BTreeMap<(OrgId, DeviceId, Channel), Vec<SeriesId>>,
    series: Vec<HotSeries>,
    /// In memory, with those that a sealing has and did not finish with.
    points: usize,
    samples: usize,
    /// Of these, what the sealing has.
    leaving_points: usize,
    leaving_samples: usize,
}

#[derive(Debug)]
pub(super) struct HotSeries {
    pub(super) key: Arc<SeriesKey>,
    /// Whether the database has a row for it.
    pub(super) saved: bool,
    pub(super) points: Vec<Point>,
    pub(super) spans: Vec<WaveSpan>,
    /// Handed to a sealing that is under way; still answered from here.
    pub(super) leaving: Option<Arc<Batch>>,
}

/// What one sealing takes of one series.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) points: Vec<Point>,
    pub(super) spans: Vec<WaveSpan>,
}

/// A batch on its way to the disk.
#[derive(Clone, Debug)]
pub(super) struct Leaving {
    pub(super) id: SeriesId,
    pub(super) key: Arc<SeriesKey>,
    pub(super) saved: bool,
    pub(super) batch: Arc<Batch>,
}

impl Hot {
    pub(super) fn series(&mut self, key: &SeriesKey) -> SeriesId {
        match self.by_key.get(key) {
            Some(id) => *id,
            None => self.add(key.clone(), false),
        }
    }

    fn add(&mut self, key: SeriesKey, saved: bool) -> SeriesId {
        let id = SeriesId(u32::try_from(self.series.len()).unwrap_or(u32::MAX));
        let source = (key.org, key.device, key.channel.clone());
        self.by_source.entry(source).or_default().push(id);
        self.by_key.insert(key.clone(), id);
        let (points, spans) = (Vec::new(), Vec::new());
        self.series.push(HotSeries { key: Arc::new(key), saved, points, spans, leaving: None });
        id
    }

    fn get(&mut self, id: SeriesId) -> Option<&mut HotSeries> {
        self.series.get_mut(usize::try_from(id.0).unwrap_or(usize::MAX))
    }

    /// What a series is of, if there is one of this number.
    pub(super) fn key(&self, id: SeriesId) -> Option<Arc<SeriesKey>> {
        let series = self.series.get(usize::try_from(id.0).ok()?)?;
        Some(Arc::clone(&series.key))
    }

    pub(super) fn push(&mut self, id: SeriesId, point: Point) -> Pushed {
        if self.points >= self.limits.points_max {
            return Pushed::Refused;
        }
        let Some(series) = self.get(id) else { return Pushed::Refused };
        series.points.push(point);
        self.points = self.points.saturating_add(1);
        // What is on its way to the disk needs no second sealing.
        let staying = self.points.saturating_sub(self.leaving_points);
        if staying < self.limits.points_soon { Pushed::Kept } else { Pushed::SealSoon }
    }

    pub(super) fn push_wave(&mut self, id: SeriesId, span: WaveSpan) -> Pushed {
        let samples = self.samples.saturating_add(span.samples.len());
        if samples > self.limits.samples_max {
            return Pushed::Refused;
        }
        let Some(series) = self.get(id) else { return Pushed::Refused };
        series.spans.push(span);
        self.samples = samples;
        let staying = samples.saturating_sub(self.leaving_samples);
        if staying < self.limits.samples_soon { Pushed::Kept } else { Pushed::SealSoon }
    }

    pub(super) const fn unsealed(&self) -> (usize, usize) {
        (self.points, self.samples)
    }

    #[cfg(test)]
    pub(super) const fn count_points(&mut self, points: usize) {
        self.points = points;
    }

    /// The series of a channel, with everything of them that is in memory.
    pub(super) fn of_source(
        &self,
        source: &(OrgId, DeviceId, Channel),
    ) -> Vec<(SeriesId, &HotSeries)> {
        let ids = self.by_source.get(source).map(Vec::as_slice).unwrap_or_default();
        let find = |id: &SeriesId| {
            let series = self.series.get(usize::try_from(id.0).ok()?)?;
            Some((*id, series))
        };
        ids.iter().filter_map(find).collect()
    }

    /// Every channel of a device that was ever seen, in the order of their names.
    pub(super) fn channels_of(&self, org: OrgId, device: DeviceId) -> Vec<Channel> {
        let first = (org, device, Channel::from(""));
        let known = self.by_source.range(first..).map(|(source, _)| source);
        let own = known.take_while(|source| (source.0, source.1) == (org, device));
        own.map(|source| source.2.clone()).collect()
    }

    /// Hands everything to a sealing.
    pub(super) fn leave(&mut self) -> Vec<Leaving> {
        (self.leaving_points, self.leaving_samples) = (self.points, self.samples);
        let mut leaving = Vec::new();
        for (number, series) in (0..).zip(&mut self.series) {
            if series.points.is_empty() && series.spans.is_empty() {
                continue;
            }
            let points = std::mem::take(&mut series.points);
            let spans = std::mem::take(&mut series.spans);
            let batch = Arc::new(Batch { points, spans });
            series.leaving = Some(Arc::clone(&batch));
            let (key, saved) = (Arc::clone(&series.key), series.saved);
            leaving.push(Leaving { id: SeriesId(number), key, saved, batch });
        }
        leaving
    }

    /// The sealing of these has been read back: memory lets go of them.
    pub(super) fn gone(&mut self, leaving: &[Leaving]) {
        (self.leaving_points, self.leaving_samples) = (0, 0);
        for Leaving { id, batch, .. } in leaving {
            if let Some(series) = self.get(*id) {
                series.leaving = None;
                series.saved = true;
            }
            self.points = self.points.saturating_sub(batch.points.len());
            let samples = batch.spans.iter().map(|span| span.samples.len());
            self.samples = samples.fold(self.samples, usize::saturating_sub);
        }
    }

    /// The sealing of these failed: they stay, before what came meanwhile.
    pub(super) fn stay(&mut self, leaving: &[Leaving]) {
        (self.leaving_points, self.leaving_samples) = (0, 0);
        for Leaving { id, batch, .. } in leaving {
            let Some(series) = self.get(*id) else { continue };
            series.leaving = None;
            series.points.splice(0..0, batch.points.iter().copied());
            series.spans.splice(0..0, batch.spans.iter().cloned());
        }
    }
}

/// Reads the names of all series; none if one of them is not what was written.
pub(super) fn load(db: &Connection) -> rusqlite::Result<Option<Hot>> {
    let mut hot = Hot::default();
    let ask =
        "SELECT org, device, channel, code_system, code, code_check, ucum, id, series.* FROM series
               ORDER BY id";
    let mut statement = db.prepare(ask)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let key = SeriesKey {
            org: row.get::<_, Sql<OrgId>>(0)?.0,
            device: row.get::<_, Sql<DeviceId>>(1)?.0,
            channel: Channel(row.get(2)?),
            kind: code(row.get(3)?, row.get(4)?, row.get(5)?)?,
            ucum: Ucum::new(&row.get::<_, String>(6)?),
        };
        let id = SeriesId(row.get(7)?);
        // Chunks name series by these numbers, which count up without a gap.
        if !row_sum::is_sound(row, 8, "series")? || hot.add(key, true) != id {
            return Ok(None);
        }
    }
    Ok(Some(hot))
}

/// A code as three columns.
pub(super) const fn code_columns(code: Option<Code>) -> (u8, u32, u8) {
    match code {
        None => (0, 0, 0),
        Some(Code::Mdc(number)) => (1, number, 0),
        Some(Code::Loinc(number, check)) => (2, number, check),
    }
}

fn code(system: u8, number: u32, check: u8) -> rusqlite::Result<Option<Code>> {
    match system {
        0 => Ok(None),
        1 => Ok(Some(Code::Mdc(number))),
        2 => Ok(Some(Code::Loinc(number, check))),
        unknown => Err(rusqlite::Error::IntegralValueOutOfRange(3, unknown.into())),
    }
}
