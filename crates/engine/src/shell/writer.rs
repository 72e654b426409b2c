//! The one thread that writes rows and points: what it writes can be made again from
//! the journal, so nothing waits for it but the askers of commands.

use std::{
    collections::HashMap,
    io,
    sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use model::{Channel, Code, DeviceId, OrgId, Ucum};
use store::{
    Clock, GivenCorrection, LogOffset, Point, Pushed, Records, Row, Series, SeriesId, SeriesKey,
    WaveSpan,
};
use tokio::sync::{mpsc, oneshot};

use crate::{
    core::{Out, OutcomeOf, PointOf, WaveOf},
    limits::{BATCHES_BEHIND_MAX, ROWS_AT_ONCE_MAX},
};

/// What the writer is given, in order.
#[derive(Debug)]
pub(super) enum Job {
    Batch {
        points: Vec<PointOf>,
        waves: Vec<WaveOf>,
        corrections: Vec<GivenCorrection>,
        rows: Vec<Row>,
        outcomes: Vec<OutcomeOf>,
    },
    Seal {
        up_to: LogOffset,
        bytes: Vec<u8>,
        go: oneshot::Receiver<bool>,
    },
}

impl Job {
    /// Everything in `out` that is to be written.
    pub(super) fn batch(out: &mut Out) -> Self {
        Self::Batch {
            points: std::mem::take(&mut out.points),
            waves: std::mem::take(&mut out.waves),
            corrections: std::mem::take(&mut out.corrections),
            rows: std::mem::take(&mut out.rows),
            outcomes: std::mem::take(&mut out.outcomes),
        }
    }

    /// The points in `out`, with room for as many more; they are of durable records.
    pub(super) fn points(out: &mut Out) -> Self {
        let room = Vec::with_capacity(out.points.len());
        let points = std::mem::replace(&mut out.points, room);
        let (waves, corrections) = (Vec::new(), Vec::new());
        Self::Batch { points, waves, corrections, rows: Vec::new(), outcomes: Vec::new() }
    }

    fn is_empty(&self) -> bool {
        match self {
            Self::Batch { points, waves, corrections, rows, outcomes } => {
                let nothing_measured = points.is_empty() && waves.is_empty();
                let nothing_told = rows.is_empty() && outcomes.is_empty();
                nothing_measured && corrections.is_empty() && nothing_told
            }
            Self::Seal { .. } => false,
        }
    }
}

/// What the writer tells.
#[derive(Debug)]
pub(super) enum Wrote {
    /// The rows of these commands can be read.
    Rows(Vec<OutcomeOf>),
    /// Memory is filling with points.
    SealSoon,
    /// The checkpoint at this place is durable.
    Sealed(LogOffset),
    /// It is not; the next one will be tried.
    NotSealed,
}

/// The loop's end of the writer.
#[derive(Debug)]
pub(super) struct WriterHandle {
    jobs: Option<SyncSender<Job>>,
    wrote: mpsc::UnboundedReceiver<Wrote>,
    /// Answers that the writer could not be asked to give.
    unwritten: Vec<OutcomeOf>,
    thread: Option<JoinHandle<()>>,
    trouble: Arc<Trouble>,
    given_up: bool,
    /// Nothing more will be told.
    has_ended: bool,
}

/// What the writer could not do, for the status.
#[derive(Debug, Default)]
struct Trouble {
    /// Rows that wait for a disk that did not take them.
    rows_waiting: AtomicU64,
    /// Rows or samples were left to the next start.
    is_lacking: AtomicBool,
}

/// Tells what became of a sealing, also if it ends by a panic.
struct Teller {
    tell: mpsc::UnboundedSender<Wrote>,
    outcome: Option<Wrote>,
}

impl Teller {
    fn tells(mut self, wrote: Wrote) {
        self.outcome = Some(wrote);
    }
}

impl Drop for Teller {
    fn drop(&mut self) {
        let _ = self.tell.send(self.outcome.take().unwrap_or(Wrote::NotSealed));
    }
}

impl WriterHandle {
    /// `is_lacking` if not everything of the past found its place.
    pub(super) fn start(
        clock: Clock,
        series: Series,
        records: Records,
        no_series: bool,
        is_lacking: bool,
    ) -> io::Result<Self> {
        let trouble = Arc::new(Trouble::default());
        trouble.is_lacking.store(is_lacking, Ordering::Relaxed);
        let (jobs, queue) = sync_channel(BATCHES_BEHIND_MAX);
        let (tell, wrote) = mpsc::unbounded_channel();
        let writer = Writer {
            series,
            records,
            no_series,
            tell,
            ids: HashMap::new(),
            is_filling: false,
            trouble: Arc::clone(&trouble),
            is_behind: false,
            pause: TRY_AGAIN,
        };
        let thread = std::thread::Builder::new()
            .name("engine-writer".to_owned())
            .spawn(move || writer.run(&queue, &clock))?;
        let (jobs, thread) = (Some(jobs), Some(thread));
        let (unwritten, given_up, has_ended) = (Vec::new(), false, false);
        Ok(Self { jobs, wrote, unwritten, thread, trouble, given_up, has_ended })
    }

    /// Gives the writer a job; if it is hopelessly behind, everything from here on is
    /// left to the next start, which makes it from the journal. Says whether it took the job.
    pub(super) fn send(&mut self, job: Job) -> bool {
        if job.is_empty() {
            return true;
        }
        let refused = match (&self.jobs, self.given_up) {
            (Some(jobs), false) => match jobs.try_send(job) {
                Ok(()) => return true,
                Err(TrySendError::Full(job) | TrySendError::Disconnected(job)) => job,
            },
            (_, _) => job,
        };
        if !self.given_up {
            self.given_up = true;
            tracing::error!("derived_writes_given_up_until_restart");
        }
        if let Job::Batch { outcomes, .. } = refused {
            // The commands were decided all the same.
            self.unwritten.extend(outcomes);
        }
        false
    }

    /// What the writer tells next. If it has ended by itself, it says once that nothing was
    /// sealed, and then waits for ever.
    pub(super) async fn next(&mut self) -> Wrote {
        if !self.unwritten.is_empty() {
            return Wrote::Rows(std::mem::take(&mut self.unwritten));
        }
        match self.wrote.recv().await {
            Some(wrote) => wrote,
            None if !self.has_ended => {
                self.has_ended = true;
                self.given_up = true;
                tracing::error!("derived_writes_given_up_until_restart");
                Wrote::NotSealed
            }
            None => std::future::pending().await,
        }
    }

    /// Whether rows and points are missing until the next start.
    pub(super) const fn has_given_up(&self) -> bool {
        self.given_up
    }

    /// How many rows wait for their disk, and whether rows or samples are lacking until the
    /// next start makes them from the journal.
    pub(super) fn trouble(&self) -> (u64, bool) {
        let Trouble { rows_waiting, is_lacking } = &*self.trouble;
        let is_lacking = self.given_up || is_lacking.load(Ordering::Relaxed);
        (rows_waiting.load(Ordering::Relaxed), is_lacking)
    }

    /// Lets the writer finish what it has, and waits for its end.
    pub(super) fn end(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            // A writer that panicked has written what it could.
            let _ = thread.join();
        }
    }
}

struct Writer {
    series: Series,
    records: Records,
    no_series: bool,
    tell: mpsc::UnboundedSender<Wrote>,
    /// The series of each device, one for each of its few channels.
    ids: HashMap<DeviceId, Vec<Known>>,
    is_filling: bool,
    trouble: Arc<Trouble>,
    /// Whether rows wait for a disk or a database that did not take them.
    is_behind: bool,
    /// How long until they are tried again; not at all once some of them went in.
    pause: Duration,
}

/// The series in which a channel was written last.
struct Known {
    channel: Channel,
    kind: Option<Code>,
    ucum: Ucum,
    id: SeriesId,
}

/// Rows of so many batches go into one transaction at most.
const BATCHES_AT_ONCE_MAX: usize = 256;
/// For so long rows that nobody waits for gather more: a transaction writes whole pages, and
/// two of them often the same ones.
const GATHERS_FOR: Duration = Duration::from_millis(50);
/// Rows that wait for a full disk, before they are left to the next start.
pub(super) const ROWS_WAITING_MAX: usize = 65_536;
/// How long after a failure rows are tried again, if nothing else comes.
const TRY_AGAIN: Duration = Duration::from_secs(1);

impl Writer {
    fn run(mut self, queue: &Receiver<Job>, clock: &Clock) {
        let (mut rows, mut outcomes) = (Vec::new(), Vec::new());
        loop {
            let mut seal = None;
            let mut next = match self.is_behind {
                false => match queue.recv() {
                    Ok(first) => Some(first),
                    Err(_) => break,
                },
                true => match queue.recv_timeout(self.pause) {
                    Ok(first) => Some(first),
                    Err(RecvTimeoutError::Timeout) => None,
                    Err(RecvTimeoutError::Disconnected) if self.pause.is_zero() => None,
                    Err(RecvTimeoutError::Disconnected) => break,
                },
            };
            // Behind one that hangs the queue fills; all of it comes out before the next try.
            let most = if self.is_behind { BATCHES_BEHIND_MAX } else { BATCHES_AT_ONCE_MAX };
            let (mut taken, begun) = (0, clock.elapsed());
            while let Some(job) = next.take() {
                match job {
                    Job::Batch { points, waves, corrections, rows: more, outcomes: answers } => {
                        let _ = self.push(points, waves);
                        self.correct(corrections);
                        rows.extend(more);
                        outcomes.extend(answers);
                    }
                    Job::Seal { up_to, bytes, go } => seal = Some((up_to, bytes, go)),
                }
                taken += 1;
                if seal.is_none() && taken < most {
                    let gathers = !self.is_behind && !rows.is_empty() && outcomes.is_empty();
                    let took = clock.elapsed().saturating_sub(begun);
                    let left = GATHERS_FOR.saturating_sub(took);
                    next = match gathers && !left.is_zero() {
                        true => queue.recv_timeout(left).ok(),
                        false => queue.try_recv().ok(),
                    };
                }
            }
            self.write(&mut rows, &mut outcomes);
            if let Some((up_to, bytes, go)) = seal {
                self.seal(up_to, bytes, go);
            }
        }
    }

    fn write(&mut self, rows: &mut Vec<Row>, outcomes: &mut Vec<OutcomeOf>) {
        let was_behind = self.is_behind;
        if was_behind {
            // The commands were decided, and nobody waits for what failed the time before.
            self.settle(rows, outcomes);
        }
        while !rows.is_empty() {
            let some = rows.get(..ROWS_AT_ONCE_MAX).unwrap_or(rows);
            let count = some.len();
            if let Err(error) = self.records.apply_soon(some) {
                if !was_behind {
                    tracing::error!(
                        error = &error as &dyn std::error::Error,
                        "rows_wait_for_the_disk"
                    );
                }
                (self.is_behind, self.pause) = (true, TRY_AGAIN);
                break;
            }
            rows.drain(..count);
            self.pause = Duration::ZERO;
            if was_behind {
                // What came meanwhile is taken in between.
                break;
            }
        }
        self.is_behind &= !rows.is_empty();
        self.settle(rows, outcomes);
    }

    /// Leaves rows to the next start if too many wait, and answers those who asked.
    fn settle(&mut self, rows: &mut Vec<Row>, outcomes: &mut Vec<OutcomeOf>) {
        if rows.len() > ROWS_WAITING_MAX {
            // The next start makes them from the journal; no checkpoint may pass them.
            tracing::error!("rows_left_to_the_next_start");
            self.lacks();
            self.is_behind = false;
            rows.clear();
        }
        let waiting = u64::try_from(rows.len()).unwrap_or(u64::MAX);
        self.trouble.rows_waiting.store(waiting, Ordering::Relaxed);
        if !outcomes.is_empty() {
            let _ = self.tell.send(Wrote::Rows(std::mem::take(outcomes)));
        }
    }

    // RC-043
    /// From here on no checkpoint may pass what is lacking.
    fn lacks(&self) {
        self.trouble.is_lacking.store(true, Ordering::Relaxed);
    }

    fn is_lacking(&self) -> bool {
        self.trouble.is_lacking.load(Ordering::Relaxed)
    }

    fn push(&mut self, points: Vec<PointOf>, waves: Vec<WaveOf>) -> Pushed {
        if self.no_series {
            return Pushed::Kept;
        }
        let mut found = Vec::with_capacity(points.len());
        found.extend(points.into_iter().filter_map(|point| self.point(point)));
        let mut worst = self.series.push_all(found);
        for wave in waves {
            if let Some((id, span)) = self.wave(wave) {
                worst = worst.max(self.series.push_wave(id, span));
            }
        }
        if worst != Pushed::Kept && !self.is_filling {
            self.is_filling = true;
            let _ = self.tell.send(Wrote::SealSoon);
        }
        if worst == Pushed::Refused && !self.is_lacking() {
            tracing::error!("points_not_kept");
            self.lacks();
        }
        worst
    }

    /// Whoever asked for it is answered behind this, and sees what counts then.
    fn correct(&self, corrections: Vec<GivenCorrection>) {
        if !self.no_series {
            corrections.into_iter().for_each(|it| self.series.correct(it));
        }
    }

    fn point(&mut self, of: PointOf) -> Option<(SeriesId, Point)> {
        let id = self.id(of.org?, of.device, &of.channel, of.kind, &of.ucum);
        Some((id, of.point()))
    }

    fn wave(&mut self, of: WaveOf) -> Option<(SeriesId, WaveSpan)> {
        let id = self.id(of.org?, of.device, &of.channel, of.kind, &Ucum::new(&of.unit));
        Some((id, of.into_span()))
    }

    fn id(
        &mut self,
        org: OrgId,
        device: DeviceId,
        channel: &Channel,
        kind: Option<Code>,
        ucum: &Ucum,
    ) -> SeriesId {
        let known = self.ids.entry(device).or_default();
        let at = known.iter().position(|it| it.channel == *channel);
        if let Some(it) = at.and_then(|at| known.get(at))
            && (it.kind, &it.ucum) == (kind, ucum)
        {
            return it.id;
        }
        let (channel, ucum) = (channel.clone(), ucum.clone());
        let key = SeriesKey { org, device, channel: channel.clone(), kind, ucum: ucum.clone() };
        let id = self.series.series(&key);
        let now = Known { channel, kind, ucum, id };
        match at.and_then(|at| known.get_mut(at)) {
            Some(before) => *before = now,
            None => known.push(now),
        }
        id
    }

    fn seal(&mut self, up_to: LogOffset, bytes: Vec<u8>, go: oneshot::Receiver<bool>) {
        self.is_filling = false;
        let tell = self.tell.clone();
        if self.is_lacking() || self.is_behind {
            let _ = tell.send(Wrote::NotSealed);
            return;
        }
        if let Err(error) = self.records.note_reached(up_to) {
            tracing::warn!(error = &error as &dyn std::error::Error, "checkpoint_not_begun");
            let _ = tell.send(Wrote::NotSealed);
            return;
        }
        let sealing = match self.series.begin_seal(up_to, bytes) {
            Ok(sealing) => sealing,
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "checkpoint_not_begun");
                let _ = tell.send(Wrote::NotSealed);
                return;
            }
        };
        // If no thread can be started, it is dropped with what it was to run, and tells so.
        let teller = Teller { tell, outcome: None };
        let finish = move || {
            // Every decision in the state must be in the journal first.
            if !go.blocking_recv().unwrap_or(false) {
                return;
            }
            let wrote = match sealing.finish() {
                Ok(_) => Wrote::Sealed(up_to),
                Err(error) => {
                    let error = &error as &dyn std::error::Error;
                    tracing::error!(error, "checkpoint_not_made");
                    Wrote::NotSealed
                }
            };
            teller.tells(wrote);
        };
        let thread = std::thread::Builder::new().name("engine-seal".to_owned()).spawn(finish);
        if let Err(error) = thread {
            tracing::error!(error = &error as &dyn std::error::Error, "checkpoint_not_made");
        }
    }
}

/// The same without a thread, for reading the past.
pub(super) struct Replayed(Writer);

impl Replayed {
    pub(super) fn new(series: &Series, records: &Records, no_series: bool) -> Self {
        let (tell, _) = mpsc::unbounded_channel();
        let (series, records, ids) = (series.clone(), records.clone(), HashMap::new());
        let (is_filling, is_behind, trouble) = (false, false, Arc::default());
        let pause = TRY_AGAIN;
        Self(Writer {
            series,
            records,
            no_series,
            tell,
            ids,
            is_filling,
            trouble,
            is_behind,
            pause,
        })
    }

    /// Writes what can be made again, and forgets what only the living ask for. Says whether
    /// memory is filling with samples.
    pub(super) fn write(&mut self, out: &mut Out) -> Result<Pushed, store::RecordsError> {
        let pushed = self.0.push(std::mem::take(&mut out.points), std::mem::take(&mut out.waves));
        self.0.correct(std::mem::take(&mut out.corrections));
        out.rows.chunks(ROWS_AT_ONCE_MAX).try_for_each(|some| self.0.records.apply(some))?;
        out.rows.clear();
        out.outcomes.clear();
        out.traces.clear();
        out.beats.clear();
        Ok(pushed)
    }

    /// Keeps the samples in memory and writes nothing.
    pub(super) fn keep_only(&mut self, out: &mut Out) -> Pushed {
        let pushed = self.0.push(std::mem::take(&mut out.points), std::mem::take(&mut out.waves));
        self.0.correct(std::mem::take(&mut out.corrections));
        out.clear();
        pushed
    }

    /// Seals what is in memory with the state as it is at this place of the journal.
    pub(super) fn seal(&mut self, up_to: LogOffset, state: &[u8]) -> Result<(), store::SealError> {
        self.0.series.seal(up_to, state).map(|_| ())
    }

    /// Whether samples found no room: no checkpoint may pass them.
    pub(super) fn is_lacking(&self) -> bool {
        self.0.is_lacking()
    }
}

#[cfg(test)]
mod tests;
