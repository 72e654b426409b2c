//! The live feed: what the loop publishes and each page reads at its own speed.
//!
//! A slow page gets its numbers conflated and its traces with gaps marked; an
//! alarm always waits for it, and if too many wait the page is told to start
//! again from a snapshot. No reader ever holds up the loop or another reader.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, PoisonError, Weak},
};

use model::{CareUnitId, Channel, DeviceId, PatientId, SiteId};
use tokio::sync::Notify;

use crate::{
    limits::{DELTAS_KEPT_MAX, READER_ALARMS_MAX, READER_DELTAS_MAX, READER_WAVES_MAX},
    view::{Beat, Cursor, Delta, Wave},
};

#[cfg(test)]
mod tests;

/// One thing that a page is told.
#[derive(Clone, Debug, PartialEq)]
pub enum FeedItem {
    /// What changed.
    Delta(Arc<Delta>),
    /// A block to draw.
    Wave(Arc<Wave>),
    /// The watchdog came through.
    Beat(Beat),
    /// Blocks of this channel were dropped, because the page was too slow for them.
    WaveGap {
        /// Whose trace has the gap.
        patient: PatientId,
        /// The source.
        device: DeviceId,
        /// The trace.
        channel: Channel,
    },
    /// The page missed something that it must not miss: it starts again from a snapshot.
    Gone,
}

/// Which traces a page draws.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WavesWanted {
    /// The one trace of each bed.
    Board,
    /// Every trace of one patient.
    Patient(PatientId),
    /// None.
    #[default]
    None,
}

/// Where a page's feed begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FeedStart {
    /// With whatever comes next.
    Now,
    /// Right after this cursor, if it is still kept; else the first item is [`FeedItem::Gone`].
    After(Cursor),
}

/// A page's end of the feed; dropping it ends the subscription.
#[derive(Debug)]
pub struct FeedReader {
    queue: Arc<Queue>,
    resumed_at: Cursor,
}

impl FeedReader {
    /// The next thing to tell; `None` once the engine has stopped. May be cancelled.
    pub async fn next(&mut self) -> Option<FeedItem> {
        loop {
            let told = self.queue.told.notified();
            {
                let mut inner = self.queue.lock();
                if let Some(item) = inner.take() {
                    return Some(item);
                }
                if inner.is_over {
                    return None;
                }
            }
            told.await;
        }
    }

    /// What is there to tell without waiting.
    pub fn try_next(&mut self) -> Option<FeedItem> {
        self.queue.lock().take()
    }

    /// Changes which traces are sent.
    pub fn want(&self, waves: WavesWanted) {
        let mut inner = self.queue.lock();
        inner.wanted = waves;
        inner.waves.clear();
    }

    /// The cursor that the feed starts behind.
    pub const fn starts_after(&self) -> Cursor {
        self.resumed_at
    }
}

#[derive(Debug, Default)]
struct Queue {
    inner: Mutex<Inner>,
    told: Notify,
}

impl Queue {
    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What waits for one page.
#[derive(Debug, Default)]
struct Inner {
    wanted: WavesWanted,
    gone: bool,
    is_over: bool,
    beat: Option<Beat>,
    deltas: VecDeque<Arc<Delta>>,
    alarms_waiting: usize,
    waves: VecDeque<Arc<Wave>>,
    gaps: VecDeque<(PatientId, DeviceId, Channel)>,
}

impl Inner {
    /// Alarms and numbers come before the beat that vouches for them, and before traces.
    fn take(&mut self) -> Option<FeedItem> {
        if self.gone {
            self.gone = false;
            return Some(FeedItem::Gone);
        }
        if let Some(delta) = self.deltas.pop_front() {
            self.alarms_waiting = self.alarms_waiting.saturating_sub(delta.alarms.len());
            return Some(FeedItem::Delta(delta));
        }
        if let Some(beat) = self.beat.take() {
            return Some(FeedItem::Beat(beat));
        }
        if let Some((patient, device, channel)) = self.gaps.pop_front() {
            return Some(FeedItem::WaveGap { patient, device, channel });
        }
        self.waves.pop_front().map(FeedItem::Wave)
    }

    fn push(&mut self, delta: &Arc<Delta>) {
        if self.gone {
            return;
        }
        self.alarms_waiting += delta.alarms.len();
        self.deltas.push_back(Arc::clone(delta));
        // RC-041
        if self.alarms_waiting > READER_ALARMS_MAX {
            self.start_again();
        } else if self.deltas.len() > READER_DELTAS_MAX {
            self.conflate();
        }
    }

    /// Nothing that waits is worth telling any more: a fresh snapshot holds it all.
    fn start_again(&mut self) {
        self.deltas.clear();
        self.alarms_waiting = 0;
        self.gone = true;
    }

    /// Makes one delta of all that wait: every alarm stays, of numbers only the newest.
    fn conflate(&mut self) {
        let Some(newest) = self.deltas.back() else { return };
        let mut one = Delta::empty(newest.care_unit, newest.at, newest.recording);
        (one.cursor, one.sent) = (newest.cursor, newest.sent);
        let mut numerics = BTreeMap::new();
        let (mut beds, mut scores) = (BTreeMap::new(), BTreeMap::new());
        let mut reports = BTreeMap::new();
        for delta in &self.deltas {
            one.alarms.extend(delta.alarms.iter().cloned());
            numerics.extend(
                delta.numerics.iter().map(|it| ((it.patient, it.numeric.vital), it.clone())),
            );
            beds.extend(delta.beds.iter().map(|it| (it.bed, it.clone())));
            scores.extend(delta.news2.iter().map(|it| (it.patient, it.clone())));
            reports.extend(delta.reports.iter().map(|it| (it.device, it.clone())));
            one.charge = delta.charge.or(one.charge);
        }
        one.numerics = numerics.into_values().collect();
        one.beds = beds.into_values().collect();
        one.news2 = scores.into_values().collect();
        one.reports = reports.into_values().collect();
        self.deltas = VecDeque::from([Arc::new(one)]);
    }

    fn draw(&mut self, wave: &Arc<Wave>) {
        let wanted = match self.wanted {
            WavesWanted::Board => wave.on_board,
            WavesWanted::Patient(patient) => wave.patient == patient,
            WavesWanted::None => false,
        };
        if !wanted {
            return;
        }
        self.waves.push_back(Arc::clone(wave));
        if self.waves.len() > READER_WAVES_MAX
            && let Some(dropped) = self.waves.pop_front()
        {
            let gap = (dropped.patient, dropped.device, dropped.channel.clone());
            if !self.gaps.contains(&gap) {
                self.gaps.push_back(gap);
            }
        }
    }
}

/// The loop's end: keeps what a returning page may have missed and tells all that listen.
#[derive(Debug, Default)]
pub(crate) struct Publisher {
    readers: Vec<(CareUnitId, SiteId, Weak<Queue>)>,
    kept: BTreeMap<CareUnitId, Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    deltas: VecDeque<Arc<Delta>>,
    /// The cursor of the newest delta that is no longer kept.
    forgotten: Option<Cursor>,
}

impl Publisher {
    /// A new reader. `now` is the cursor of the newest delta of all, `began` the one that the program began at.
    pub(crate) fn subscribe(
        &mut self,
        care_unit: CareUnitId,
        site: SiteId,
        start: FeedStart,
        (began, now): (Cursor, Cursor),
    ) -> FeedReader {
        let queue = Arc::new(Queue::default());
        let kept = self.kept.get(&care_unit);
        let mut resumed_at = now;
        if let FeedStart::After(cursor) = start {
            let oldest = kept.and_then(|kept| kept.forgotten).unwrap_or(began);
            let mut inner = queue.lock();
            if cursor < oldest || cursor > now {
                inner.gone = true;
            } else {
                resumed_at = cursor;
                let missed = kept.map(|kept| kept.deltas.iter()).into_iter().flatten();
                missed.filter(|delta| delta.cursor > cursor).for_each(|delta| inner.push(delta));
            }
        }
        self.readers.push((care_unit, site, Arc::downgrade(&queue)));
        FeedReader { queue, resumed_at }
    }

    /// Tells a delta to all pages of its care unit, and keeps it for those that return.
    pub(crate) fn publish(&mut self, delta: Delta) {
        let delta = Arc::new(delta);
        self.tell(|unit, _| unit == delta.care_unit, |inner| inner.push(&delta));
        let kept = self.kept.entry(delta.care_unit).or_default();
        kept.deltas.push_back(delta);
        if kept.deltas.len() > DELTAS_KEPT_MAX {
            kept.forgotten = kept.deltas.pop_front().map(|delta| delta.cursor);
        }
    }

    /// Sends a block to the pages that draw it.
    pub(crate) fn draw(&mut self, wave: Wave) {
        let wave = Arc::new(wave);
        self.tell(|unit, _| unit == wave.care_unit, |inner| inner.draw(&wave));
    }

    /// Passes the watchdog's beat to every page of its site.
    pub(crate) fn beat(&mut self, beat: Beat) {
        self.tell(|_, site| site == beat.site, |inner| inner.beat = Some(beat));
    }

    /// Ends every feed.
    pub(crate) fn end(&mut self) {
        self.tell(|_, _| true, |inner| inner.is_over = true);
    }

    /// Whether anybody looks at a care unit; traces are not built for nobody.
    pub(crate) fn is_watched(&self, care_unit: CareUnitId) -> bool {
        self.readers.iter().any(|(unit, _, _)| *unit == care_unit)
    }

    /// How many pages listen.
    pub(crate) fn readers(&self) -> usize {
        self.readers.len()
    }

    fn tell(&mut self, concerns: impl Fn(CareUnitId, SiteId) -> bool, change: impl Fn(&mut Inner)) {
        self.readers.retain(|(unit, site, queue)| {
            let Some(queue) = queue.upgrade() else { return false };
            if concerns(*unit, *site) {
                change(&mut queue.lock());
                queue.told.notify_one();
            }
            true
        });
    }
}
