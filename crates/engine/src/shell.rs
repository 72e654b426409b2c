//! The thin loop around the core: one task owns the state, takes records as the
//! journal hands them on, appends what was decided, tells screens, answers questions.
//!
//! Disks that are not the journal never hold it up: rows and points go to a writer
//! thread, and if that falls hopelessly behind they are given up until a restart,
//! which makes them again from the journal.

use std::{future::pending, sync::Arc, time::Duration};

use model::Timestamp;
use store::{
    Clock, Condition, Followed, Follower, Journal, LogOffset, Pacer, ReadError, Records, Series,
    WhyNot,
};
use tokio::{
    sync::{mpsc, watch},
    task::JoinHandle,
};

use crate::{
    core::{Core, Cut, Out, Setup},
    feed::Publisher,
    handle::{EngineHandle, Question, Shown},
    limits::{
        CHECKPOINT_AGAIN, CHECKPOINT_BYTES, CHECKPOINT_EVERY, QUESTIONS_MAX, STOP_READS_WITHIN,
    },
    record::Notice,
    view::{Cursor, Recording},
};

mod answers;
mod appends;
mod blocks;
mod gauges;
mod held;
mod mend;
mod rebuild;
mod start;
#[cfg(test)]
mod tests;
mod writer;

#[cfg(test)]
pub(crate) use appends::entry;
pub use blocks::{
    BlockCount, Blocks, ComparedBlocks, Retention, Thinning, ThinningError, thin_segment,
};
pub use mend::{MendError, Reading, Remake};
pub use rebuild::{Rebuild, RebuildError, Rebuilt, read_back};
pub use start::StartError;

use answers::Answers;
use appends::Appends;
use gauges::Gauges;
use held::Held;
use writer::{Job, WriterHandle, Wrote};

/// What the engine works with.
#[derive(Debug)]
#[expect(missing_docs, reason = "the names say it all")]
pub struct EngineParts {
    pub clock: Clock,
    pub journal: Journal,
    pub series: Series,
    pub records: Records,
    pub setup: Setup,
}

/// Why the engine's loop ended.
#[derive(Debug)]
pub enum EngineEnd {
    /// It was asked to, or nobody holds a handle any more.
    Stopped,
    /// The journal was closed.
    JournalClosed,
    /// The journal cannot be read on.
    Unreadable(ReadError),
}

/// The loop with everything that it owns.
#[derive(Debug)]
pub struct Engine {
    clock: Clock,
    journal: Journal,
    follower: Follower,
    condition: watch::Receiver<Condition>,
    unrecorded_since: watch::Receiver<Option<Timestamp>>,
    core: Core,
    cut: Option<Cut>,
    out: Out,
    publisher: Publisher,
    began: Cursor,
    cursor: Cursor,
    shown: Arc<Shown>,
    questions: mpsc::Receiver<Question>,
    answers: Answers,
    appends: Appends,
    held: Held,
    pacer: Pacer,
    writer: WriterHandle,
    gauges: Gauges,
    /// The clock's steps forward that were taken account of.
    caught_up: Duration,
    /// Says in the background that everything unrecorded was told.
    telling: Option<JoinHandle<()>>,
    /// When the last tick was, so that a deadline in the past cannot spin.
    ticked_at: Timestamp,
    checkpoint: Checkpoint,
}

/// How far the newest checkpoint is.
#[derive(Clone, Copy, Debug)]
struct Checkpoint {
    at: LogOffset,
    made_at: Timestamp,
    under_way: bool,
    wanted: bool,
    /// The last one failed; the next is tried no sooner.
    not_before: Timestamp,
}

/// What woke the loop.
enum Woken {
    Question(Option<Question>),
    Followed(Option<Followed>),
    Appended(Result<store::Durable, store::AppendError>),
    Wrote(Wrote),
    Condition,
    Deadline,
    Second,
}

/// The writer gets so many points at a time.
const POINTS_AT_ONCE: usize = 1_024;
/// A tick follows the one before by at least this much.
const TICK_MIN: Duration = Duration::from_millis(1);

impl Engine {
    /// Reads the past and starts the loop. Returns once everything that is in the journal is in the state.
    pub async fn start(
        parts: EngineParts,
    ) -> Result<(EngineHandle, JoinHandle<EngineEnd>), StartError> {
        let (handle, engine) = Self::prepare(parts).await?;
        Ok((handle, tokio::spawn(engine.run())))
    }

    /// Everything but the loop.
    async fn prepare(parts: EngineParts) -> Result<(EngineHandle, Self), StartError> {
        let EngineParts { clock, journal, series, records, setup } = parts;
        let cut = setup.cut;
        let reading = (journal.clone(), series.clone(), records.clone());
        let past = tokio::task::spawn_blocking(move || {
            let (journal, series, records) = reading;
            start::read_past(&journal, &series, &records, setup)
        });
        let past = past.await.map_err(|_| StartError::Interrupted)??;
        let (now, caught_up) = (clock.now(), clock.caught_up());
        let began = Cursor(u64::try_from(now.unix_nanos()).unwrap_or(0));
        let (ask, questions) = mpsc::channel(QUESTIONS_MAX);
        let shown = Arc::new(Shown::default());
        let follower = journal.follow(past.came_to);
        let (condition, unrecorded_since) = (journal.condition(), journal.unrecorded_since());
        let writer = WriterHandle::start(
            clock.clone(),
            series,
            records,
            cut == Some(Cut::Series),
            past.is_lacking,
        )
        .map_err(StartError::Thread)?;
        let mut engine = Self {
            follower,
            condition,
            unrecorded_since,
            core: past.core,
            cut,
            out: past.out,
            publisher: Publisher::default(),
            began,
            cursor: began,
            shown: Arc::clone(&shown),
            questions,
            answers: Answers::default(),
            appends: Appends::new(journal.clone()),
            held: Held::default(),
            pacer: journal.pace(past.came_to),
            writer,
            gauges: Gauges::new(now),
            caught_up,
            telling: None,
            ticked_at: now,
            checkpoint: Checkpoint {
                at: past.checkpoint,
                made_at: now,
                under_way: false,
                wanted: false,
                not_before: now,
            },
            journal,
            clock,
        };
        if now.since(engine.core.now()) > start::PAUSE_MIN {
            // While nobody listened nobody was silent.
            engine.core.notice(Notice::Listening { at: now }, &mut engine.out);
        }
        let unrecorded_since = *engine.unrecorded_since.borrow();
        if let Some(since) = unrecorded_since {
            let notice = Notice::Unrecorded { since: since.min(now), until: now };
            engine.core.notice(notice, &mut engine.out);
        }
        // A crash between two notices left the state with what was so then.
        engine.condition_changed();
        engine.tell(now);
        engine.show_directory();
        engine.show_status(now);
        Ok((EngineHandle { questions: ask, shown }, engine))
    }

    async fn run(mut self) -> EngineEnd {
        let second = self.clock.wall_duration(Duration::from_secs(1));
        let mut seconds = tokio::time::interval(second.max(Duration::from_millis(100)));
        seconds.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
        loop {
            let wake = self.core.next_deadline().map(|due| due.max(self.ticked_at.after(TICK_MIN)));
            let deadline = async {
                match wake {
                    Some(at) => self.clock.sleep_until(at).await,
                    None => pending().await,
                }
            };
            let woken = tokio::select! {
                biased;
                question = self.questions.recv() => Woken::Question(question),
                wrote = self.writer.next() => Woken::Wrote(wrote),
                appended = self.appends.next() => Woken::Appended(appended),
                changed = self.condition.changed(), if self.condition.has_changed().is_ok() => {
                    let _ = changed;
                    Woken::Condition
                }
                () = deadline => Woken::Deadline,
                followed = self.follower.next() => Woken::Followed(followed),
                _ = seconds.tick() => Woken::Second,
            };
            if let Some(end) = self.wake(woken).await {
                self.publisher.end();
                return end;
            }
        }
    }

    async fn wake(&mut self, woken: Woken) -> Option<EngineEnd> {
        match woken {
            Woken::Question(None) => {
                self.stop().await;
                return Some(EngineEnd::Stopped);
            }
            Woken::Question(Some(Question::Stop(done))) => {
                self.stop().await;
                let _ = done.send(());
                return Some(EngineEnd::Stopped);
            }
            Woken::Question(Some(question)) => self.answer(question),
            Woken::Followed(None) => return Some(EngineEnd::JournalClosed),
            Woken::Followed(Some(Followed::Unreadable(error))) => {
                tracing::error!(%error, "journal_unreadable");
                return Some(EngineEnd::Unreadable(error));
            }
            Woken::Followed(Some(followed)) => self.follow(followed),
            Woken::Appended(appended) => {
                let dropped = self.appends.dropped();
                self.appends.settle(appended);
                self.release_checkpoint();
                if self.appends.dropped() > dropped {
                    self.condition_changed();
                }
            }
            Woken::Wrote(wrote) => self.wrote(wrote),
            Woken::Condition => self.condition_changed(),
            Woken::Deadline => self.tick(),
            Woken::Second => {
                let now = self.now();
                if *self.condition.borrow() == Condition::Recording {
                    self.appends.retry();
                }
                if self.appends.dropped() > 0 && self.core.recording().is_on() {
                    self.condition_changed();
                }
                self.tell(now);
                self.told_unrecorded();
                self.show_status(now);
                self.checkpoint_if_due(now);
            }
        }
        None
    }

    // RC-035
    /// What time it is. While the clock stood still, in a sleep of the machine, nobody was
    /// silent, as nobody listened.
    fn now(&mut self) -> Timestamp {
        let now = self.clock.now();
        let caught_up = self.clock.caught_up();
        let step = caught_up.saturating_sub(self.caught_up);
        self.caught_up = caught_up;
        if step > start::PAUSE_MIN {
            tracing::warn!(step_s = step.as_secs(), "clock_stepped_forward");
            self.core.notice(Notice::Listening { at: now }, &mut self.out);
        }
        now
    }

    /// Lets the journal forget a trouble once all that followed from it is durable.
    fn told_unrecorded(&mut self) {
        let is_recording = *self.condition.borrow() == Condition::Recording;
        let is_over = is_recording && self.appends.is_settled() && !self.appends.is_waiting();
        let is_idle = self.telling.as_ref().is_none_or(JoinHandle::is_finished);
        let since = *self.unrecorded_since.borrow();
        if let Some(since) = since.filter(|_| is_over && is_idle) {
            let journal = self.journal.clone();
            let tell = move || journal.told_unrecorded(since);
            self.telling = Some(tokio::task::spawn_blocking(tell));
        }
    }

    fn follow(&mut self, followed: Followed) {
        let now = self.now();
        match followed {
            Followed::Durable(records) => {
                for record in records.iter() {
                    self.gauges.came(record, now);
                    self.core.step(record, &mut self.out);
                    // A long batch is handed on in pieces, so that none needs much room.
                    if self.out.points.len() >= POINTS_AT_ONCE {
                        let _ = self.writer.send(Job::points(&mut self.out));
                    }
                }
            }
            // RC-030
            Followed::Provisional(records) => {
                for record in records.iter() {
                    let position = record.frame.position;
                    self.appends.unsettled(position, self.core.cause());
                    self.core.step(record, &mut self.out);
                    self.held.keep(position, &mut self.out);
                }
            }
            Followed::Confirmed(records) => {
                for record in records.iter() {
                    self.appends.confirmed(record);
                    for job in self.held.confirmed(record.frame.position) {
                        self.writer.send(job);
                    }
                }
            }
            Followed::Lost(records) => {
                tracing::warn!(records = records.len(), "records_lost");
                for record in records.iter() {
                    let position = record.frame.position;
                    let (instead, moved) = self.appends.lost(position);
                    self.core.lost(position, instead);
                    for job in self.held.lost(position, moved.as_ref()) {
                        self.writer.send(job);
                    }
                }
            }
            Followed::Missed(records) => tracing::warn!(records, "provisional_records_missed"),
            Followed::Unreadable(_) => {}
        }
        self.tell(now);
        self.pacer.came_to(self.follower.offset());
        self.checkpoint_if_due(now);
    }

    fn tick(&mut self) {
        let now = self.now();
        self.ticked_at = now;
        self.core.tick(now, &mut self.out);
        self.tell(now);
    }

    fn condition_changed(&mut self) {
        let condition = *self.condition.borrow_and_update();
        let recording = match condition {
            // What sounded and is in no journal is for people to know until a restart.
            Condition::Recording if self.appends.dropped() > 0 => Recording::DiskFault,
            Condition::Recording => Recording::Yes,
            Condition::NotRecording { why: WhyNot::Full, .. } => Recording::DiskFull,
            Condition::NotRecording { why: WhyNot::Poisoned, .. } => Recording::DiskFault,
        };
        let now = self.now();
        self.core.notice(Notice::Recording { recording, at: now }, &mut self.out);
        if condition == Condition::Recording {
            self.appends.retry();
        }
        self.tell(now);
    }

    /// Carries out everything that the core has handed out since the last time.
    fn tell(&mut self, now: Timestamp) {
        let beats = std::mem::take(&mut self.out.beats);
        for beat in &beats {
            let (site, took) = (beat.site, now.since(beat.device_at));
            self.core.notice(Notice::Pace { site, took, at: now }, &mut self.out);
        }
        self.core.flush(now, &mut self.out);
        self.appends.append(std::mem::take(&mut self.out.decided));
        // Whoever hears of a change and looks into the directory finds it there.
        if self.out.directory_changed {
            self.show_directory();
        }
        if self.cut != Some(Cut::LiveFeed) {
            for mut delta in self.out.deltas.drain(..) {
                self.cursor.0 += 1;
                delta.cursor = self.cursor;
                self.publisher.publish(delta);
            }
            for trace in self.out.traces.drain(..) {
                if self.publisher.is_watched(trace.care_unit) {
                    self.publisher.draw(trace);
                }
            }
            beats.into_iter().for_each(|beat| self.publisher.beat(beat));
        }
        self.gauges.told(self.clock.now());
        // What follows from a record that may yet be lost waits with it.
        if let Some(cause) = self.core.cause().filter(|it| self.appends.is_unsettled(it.position)) {
            self.held.keep(cause.position, &mut self.out);
        }
        let _ = self.writer.send(Job::batch(&mut self.out));
        self.out.clear();
    }

    fn show_directory(&self) {
        let directory = self.core.directory();
        let mut shown =
            self.shown.directory.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        *shown = directory;
    }

    fn show_status(&mut self, now: Timestamp) {
        let counters = self.core.counters();
        let mut status = self.gauges.status(&counters, now);
        status.recording = self.core.recording();
        status.behind_bytes =
            self.journal.end().bytes().saturating_sub(self.core.came_to().bytes());
        status.alarms_standing = u64::try_from(self.core.standing()).unwrap_or(u64::MAX);
        status.feed_readers = u64::try_from(self.publisher.readers()).unwrap_or(u64::MAX);
        status.checkpoint_bytes = self.checkpoint.at.bytes();
        status.decisions_dropped = self.appends.dropped();
        status.machine_ahead_ns = self.clock.machine_ahead_ns();
        status.decisions_waiting = self.appends.waiting();
        status.derived_behind = self.writer.has_given_up();
        (status.rows_waiting, status.derived_lacking) = self.writer.trouble();
        let mut shown = self.shown.status.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        *shown = status;
    }

    fn checkpoint_if_due(&mut self, now: Timestamp) {
        let grown = self.follower.offset().bytes().saturating_sub(self.checkpoint.at.bytes());
        let is_due = self.checkpoint.wanted
            || grown >= CHECKPOINT_BYTES
            || (grown > 0 && now.since(self.checkpoint.made_at) >= CHECKPOINT_EVERY);
        if is_due {
            self.make_checkpoint(now);
        }
    }

    /// Hands the state to the writer; it is sealed once every decision in it is durable.
    fn make_checkpoint(&mut self, now: Timestamp) {
        let may_be_sealed = self.appends.is_settled() && self.core.recording().is_on();
        let waits = self.checkpoint.under_way || now < self.checkpoint.not_before;
        if waits || !may_be_sealed || self.writer.has_given_up() {
            return;
        }
        (self.checkpoint.under_way, self.checkpoint.wanted) = (true, false);
        self.checkpoint.made_at = now;
        let (up_to, bytes) = (self.follower.offset(), self.core.checkpoint());
        let go = self.appends.when_durable();
        // A writer that did not take it will never tell what became of it.
        self.checkpoint.under_way = self.writer.send(Job::Seal { up_to, bytes, go });
        self.release_checkpoint();
    }

    fn release_checkpoint(&mut self) {
        self.appends.release();
    }

    fn wrote(&mut self, wrote: Wrote) {
        match wrote {
            Wrote::Rows(outcomes) => {
                for outcome in outcomes {
                    self.answers.decided(outcome, &self.core);
                }
            }
            Wrote::SealSoon => self.checkpoint.wanted = true,
            Wrote::Sealed(up_to) => {
                self.checkpoint.at = up_to;
                self.checkpoint.under_way = false;
                tracing::info!(offset = up_to.bytes(), "checkpoint_made");
            }
            Wrote::NotSealed => {
                self.checkpoint.under_way = false;
                self.checkpoint.not_before = self.clock.now().after(CHECKPOINT_AGAIN);
            }
        }
    }

    /// Takes in what the journal has already: a checkpoint before its end would leave the rest
    /// to the next start.
    async fn take_in_the_rest(&mut self) {
        let end = self.journal.end();
        while self.follower.offset() < end {
            match tokio::time::timeout(STOP_READS_WITHIN, self.follower.next()).await {
                Ok(Some(Followed::Unreadable(_)) | None) | Err(_) => return,
                Ok(Some(followed)) => self.follow(followed),
            }
        }
    }

    /// Waits for what is on its way to disks, and makes a last checkpoint.
    async fn stop(&mut self) {
        self.take_in_the_rest().await;
        while self.checkpoint.under_way || self.appends.is_waiting() {
            let woken = tokio::select! {
                wrote = self.writer.next() => Woken::Wrote(wrote),
                appended = self.appends.next() => Woken::Appended(appended),
            };
            match woken {
                Woken::Wrote(wrote) => self.wrote(wrote),
                Woken::Appended(appended) => {
                    self.appends.settle(appended);
                    self.release_checkpoint();
                }
                _ => {}
            }
        }
        self.told_unrecorded();
        if let Some(telling) = self.telling.take() {
            // If it broke off, the next start tells again.
            let _ = telling.await;
        }
        let now = self.clock.now();
        self.checkpoint.not_before = now;
        self.make_checkpoint(now);
        while self.checkpoint.under_way {
            let wrote = self.writer.next().await;
            self.wrote(wrote);
        }
        self.writer.end();
        self.show_status(self.clock.now());
    }
}
