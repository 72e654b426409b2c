//! One seed: lives of a program that takes in entries while its disk breaks, each ended by
//! a stop, a kill or a power cut, and compared with the model at every start.
//!
//! One thread decides everything. The journal's writer runs only while this thread waits
//! for it, so that the same seed makes the same run.

mod attacks;
mod thin;

use std::{
    collections::BTreeMap,
    mem,
    path::Path,
    pin::Pin,
    task::{Context, Poll, Waker},
    time::Duration,
};

use model::Timestamp;
use store::{
    AppendError, Clock, Condition, Draw, Durable, Entry, Fault, FaultyDisk, Followed, Follower,
    Happened, Journal, JournalLimits, LogOffset, OpenError, ReadError, Record, Ticket,
};
use tokio::runtime::Runtime;

use crate::{
    files::{Asked, Files, Shot, Survivor, Which, check_records, check_series, push},
    model::{Broken, Model, State, begin, ensure, measured, number_of, rows},
    rolls::{afterwards, check_all_rolls, rule},
};

/// Operations of a run, with the one at which it ends.
const OPERATIONS: u64 = 1_001;
const SEGMENT_LEN: u64 = 16 << 10;
/// A follower that has nothing to say for so long has lost something.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long a sync is waited for before a look at whether the answer came without it.
const GLANCE: Duration = Duration::from_millis(200);

/// What one seed came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    pub operations: u64,
    /// Depends on everything that was done and answered.
    pub trace: u64,
    /// How often each fault fired, by name.
    pub fired: BTreeMap<&'static str, u64>,
    /// How often each thing was checked, by name.
    pub checked: BTreeMap<&'static str, u64>,
}

/// How a life ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    /// Stopped in peace.
    Stop,
    /// Killed; what was written is in the kernel's memory.
    Kill,
    /// The power goes.
    PowerCut,
}

/// What exists between a start and its end.
struct Live {
    journal: Journal,
    clock: Clock,
    follower: Follower,
    /// Up to where the engine has seen records, how many, and what it made of them.
    seen: LogOffset,
    state: State,
    /// Where the log ended after each operation of this life that made it longer.
    ends: Vec<LogOffset>,
    poisoned: bool,
    /// Whether the trouble of this life was marked.
    troubled: bool,
}

pub struct Run {
    draw: Draw,
    model: Model,
    disk: FaultyDisk,
    files: Option<Files>,
    /// Whether anything was written to the databases since they were opened.
    is_written: bool,
    /// Whether the databases are as the last start found and compared them.
    is_compared: bool,
    asked: Asked,
    /// What the clock showed when the last life ended.
    last_now: Timestamp,
    /// Whether trouble was marked and not told.
    marked: bool,
    runtime: Runtime,
    pub told: Told,
}

impl Run {
    pub fn new(seed: u64, root: &Path, template: &Path) -> Result<Self, Broken> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
        Ok(Self {
            draw: Draw::from_seed(seed),
            model: Model::default(),
            disk: FaultyDisk::new(),
            files: Some(Files::new(root, template)?),
            is_written: false,
            is_compared: false,
            asked: Asked::default(),
            last_now: begin(),
            marked: false,
            runtime: runtime.map_err(|error| Broken(format!("no runtime: {error}")))?,
            told: Told::default(),
        })
    }

    /// Lives on until enough was done.
    pub fn run(&mut self) -> Result<(), Broken> {
        while self.told.operations < OPERATIONS {
            let mut live = self.start()?;
            let ending = self.live(&mut live);
            let ending = ending.inspect_err(|_| self.disk.release_syncs())?;
            self.end(live, ending)?;
        }
        let live = self.start()?;
        self.end(live, Ending::Stop)?;
        for (fault, count) in self.disk.fired() {
            self.told.fired.insert(fault.name(), count);
        }
        Ok(())
    }

    fn note(&mut self, what: u64) {
        let mixed = Draw::from_seed(self.told.trace ^ what).number();
        self.told.trace = self.told.trace.rotate_left(9) ^ mixed;
    }

    fn check(&mut self, what: &'static str) {
        let count = self.told.checked.entry(what).or_insert(0);
        *count = count.saturating_add(1);
    }

    fn fire(&mut self, what: &'static str) {
        let count = self.told.fired.entry(what).or_insert(0);
        *count = count.saturating_add(1);
    }

    fn files(&self) -> Result<&Files, Broken> {
        self.files.as_ref().ok_or_else(|| Broken("the databases are closed".to_owned()))
    }

    /// Starts, on a disk that may fail while it starts.
    fn start(&mut self) -> Result<Live, Broken> {
        match self.draw.below(12) {
            0 => self.disk.fail_in(Fault::ReadError, u64::from(self.draw.once_in(2))),
            1 => self.disk.fail_in(Fault::WriteError, 0),
            2 => self.disk.fail_in(Fault::SyncError, 0),
            3 => self.disk.cut_power_in(1 + u64::from(self.draw.once_in(2))),
            _ => {}
        }
        let (clock, (journal, recovery)) = self.open()?;
        self.disk.disarm();
        self.disk.set_room(None);
        let found = all_of(&journal)?;
        self.model.check_restart(&found)?;
        self.check("restarts");
        ensure!(recovery.end == journal.end(), "the log ends elsewhere than the start said");
        let latest = found.iter().map(|record| record.frame.received_at).max();
        ensure!(
            latest <= Some(clock.now()) || latest.is_none(),
            "the clock shows less than the log"
        );
        ensure!(
            !self.marked || recovery.unrecorded_since.is_some(),
            "trouble was marked, and the start does not know of it"
        );
        if let Some(since) = recovery.unrecorded_since
            && self.draw.once_in(2)
        {
            journal.told_unrecorded(since);
            self.marked = false;
        }
        self.note(recovery.end.bytes());
        self.note(recovery.torn.map_or(0, |torn| torn.len));
        let (seen, state) = self.start_engine(recovery.end)?;
        let follower = journal.follow(seen);
        let (ends, poisoned, troubled) = (Vec::new(), false, false);
        Ok(Live { journal, clock, follower, seen, state, ends, poisoned, troubled })
    }

    fn open(&mut self) -> Result<(Clock, (Journal, store::Recovery)), Broken> {
        // The machine's clock may have been set back, or on by a day.
        let now = match self.draw.below(6) {
            0 => {
                self.fire("clock set back");
                self.last_now.before(Duration::from_secs(3_600))
            }
            1 => self.last_now.after(Duration::from_secs(86_400)),
            _ => self.last_now.after(Duration::from_secs(5)),
        };
        let limits = JournalLimits {
            segment_len: SEGMENT_LEN,
            // Only an append tries a full disk again, as no time passes here.
            full_retry: Duration::from_secs(86_400),
            ..JournalLimits::default()
        };
        for _ in 0..4 {
            let clock = Clock::manual(now);
            match Journal::open(self.disk.clone(), clock.clone(), limits) {
                Ok(opened) => return Ok((clock, opened)),
                Err(OpenError::Io(_)) => {
                    self.check("starts that a fault ended");
                    if self.disk.is_dark() {
                        self.disk = self.disk.after_crash(self.draw.number());
                    }
                    self.disk.disarm();
                }
                Err(error) => return Err(Broken(format!("the journal does not open: {error}"))),
            }
        }
        Err(Broken("the journal does not open on a disk without a fault".to_owned()))
    }

    /// What the engine reads of the databases, compared with what they were told.
    fn start_engine(&mut self, end: LogOffset) -> Result<(LogOffset, State), Broken> {
        let is_compared = mem::take(&mut self.is_compared);
        let asks_for_rolls = self.draw.once_in(3);
        let files = self.files()?;
        let checkpoint = files.series.load_checkpoint();
        let checkpoint =
            checkpoint.map_err(|error| Broken(format!("no checkpoint can be read: {error}")))?;
        ensure!(
            checkpoint.as_ref() == self.asked.sealed.last(),
            "the checkpoint is another than the last that was made"
        );
        let seen = checkpoint.as_ref().map_or(LogOffset::default(), |(offset, _)| *offset);
        ensure!(seen <= end, "the checkpoint is of {seen}, and the log ends at {end}");
        let state = self.model.state(seen);
        let bytes = checkpoint.map_or(State::default().bytes(), |(_, bytes)| bytes);
        ensure!(bytes == state.bytes(), "the checkpoint does not agree with the journal");
        if is_compared {
            // Nothing was written since.
            return Ok((seen, state));
        }
        check_series(&files.series, &self.model, seen)?;
        if asks_for_rolls {
            check_all_rolls(&files.series, &self.model, seen)?;
        }
        let applied = self.asked.applied.last().copied().unwrap_or_default();
        ensure!(applied <= end, "rows are of {applied}, and the log ends at {end}");
        check_records(&files.records, &self.model, applied)?;
        Ok((seen, state))
    }

    fn end(&mut self, live: Live, ending: Ending) -> Result<(), Broken> {
        let Live { journal, clock, follower, troubled, .. } = live;
        self.last_now = clock.now();
        drop(follower);
        let old = self.disk.clone();
        let ending = if old.is_dark() { Ending::PowerCut } else { ending };
        if ending == Ending::PowerCut {
            self.disk = self.disk.after_crash(self.draw.number());
        }
        old.release_syncs();
        journal.close();
        let mark_failed = old.fired().get(&Fault::MarkError).is_some_and(|count| *count > 0);
        self.marked |= troubled && !mark_failed && !old.is_dark();
        if mark_failed {
            // From then on nothing is known of marks.
            self.marked = false;
        }
        if ending != Ending::PowerCut {
            self.disk.disarm();
        }
        for what in old.happened() {
            self.note(match what {
                Happened::Created { start } => start.bytes(),
                Happened::Wrote { start, at, len } => {
                    start.bytes()
                        ^ at.rotate_left(20)
                        ^ u64::try_from(len).unwrap_or(0).rotate_left(40)
                }
                Happened::Synced { start } => start.bytes().rotate_left(32),
                Happened::Thinned { start, len } => {
                    start.bytes() ^ u64::try_from(len).unwrap_or(0).rotate_left(24)
                }
                Happened::Dropped { start } => start.bytes().rotate_left(48),
                Happened::Failed => u64::MAX,
            });
        }
        let files = self.files.take().ok_or_else(|| Broken("no databases".to_owned()))?;
        self.files = Some(match ending {
            Ending::Stop => {
                let cut = [None, Some(Which::Records), Some(Which::Series)]
                    .get(self.draw.below(3))
                    .copied()
                    .flatten();
                let mut draw = Draw::from_seed(self.draw.number());
                let mut fault = None;
                let files = files.restarted(cut, &mut draw, |survivor| {
                    fault = Some(survivor.fault);
                    self.judge_emptied(survivor).map_err(|error| survivor.told(&error))
                })?;
                fault.into_iter().for_each(|fault| self.fire(fault));
                files
            }
            // A kill leaves what the last start found.
            Ending::Kill | Ending::PowerCut if !self.is_written => {
                self.is_compared = true;
                files
            }
            Ending::Kill | Ending::PowerCut => {
                self.fire("databases killed");
                files.killed()?
            }
        });
        self.is_written = false;
        Ok(())
    }

    /// What was answered is there, wherever the power went while a log was emptied.
    fn judge_emptied(&self, survivor: &Survivor) -> Result<(), Broken> {
        if survivor.which == Which::Records {
            let applied = self.asked.applied.last().copied().unwrap_or_default();
            return check_records(&survivor.records()?, &self.model, applied);
        }
        let series = survivor.series()?;
        let found = series.load_checkpoint().map_err(|it| Broken(format!("cut off: {it}")))?;
        ensure!(found.as_ref() == self.asked.sealed.last(), "a checkpoint was lost");
        check_series(&series, &self.model, found.map_or(LogOffset::default(), |(at, _)| at))
    }

    /// One operation after the other, until the life ends.
    fn live(&mut self, live: &mut Live) -> Result<Ending, Broken> {
        loop {
            self.told.operations = self.told.operations.saturating_add(1);
            if self.told.operations >= OPERATIONS {
                return Ok(Ending::Stop);
            }
            let choice = self.draw.below(1_000);
            self.note(u64::try_from(choice).unwrap_or(0));
            match choice {
                0..480 => {
                    let count = 1 + self.draw.below(3);
                    let group = self.model.group(count, live.clock.now(), &mut self.draw);
                    self.append(live, group)?;
                }
                480..620 => {
                    if let Some(ending) = self.burst(live)? {
                        return Ok(ending);
                    }
                }
                620..720 => self.catch_up(live)?,
                720..735 => self.ask(live)?,
                735..750 => self.seal(live)?,
                750..790 => self.read(live)?,
                790..830 => self.pass_time(live),
                830..870 => self.order_a_fault(),
                870..930 => self.heal(live)?,
                930..955 => self.rot(live)?,
                955..958 => self.flip_a_file()?,
                958..963 => {
                    self.files()?.refuses_a_second()?;
                    self.check("second openers refused");
                }
                963..970 => self.look_at_all()?,
                970..974 => return Ok(Ending::Stop),
                974..979 => return Ok(Ending::Kill),
                979..985 => return Ok(Ending::PowerCut),
                985..990 => self.lose_a_segment(live)?,
                990..994 => self.thin(live)?,
                994..997 => self.tend_rolls()?,
                _ => self.pass_time(live),
            }
            // Nobody writes now, so this is where the log ends in every run of this seed.
            let end = live.journal.end();
            if live.ends.last() != Some(&end) {
                live.ends.push(end);
            }
            if (live.poisoned || self.disk.is_dark()) && self.draw.once_in(4) {
                let kill = !self.disk.is_dark() && self.draw.once_in(2);
                return Ok(if kill { Ending::Kill } else { Ending::PowerCut });
            }
        }
    }

    fn append(&mut self, live: &mut Live, group: Vec<Entry>) -> Result<(), Broken> {
        let answer = live.journal.append(group.clone()).wait();
        self.answered(live, group, answer)
    }

    fn answered(
        &mut self,
        live: &mut Live,
        group: Vec<Entry>,
        answer: Result<Durable, AppendError>,
    ) -> Result<(), Broken> {
        let error = match answer {
            Ok(durable) => {
                ensure!(!live.poisoned, "a group was acknowledged after a failed sync");
                for position in durable.positions() {
                    self.note(position.seq);
                }
                return self.model.acknowledged(group, &durable);
            }
            Err(error) => error,
        };
        let fired = self.disk.fired();
        let any = |faults: &[Fault]| faults.iter().any(|fault| fired.contains_key(fault));
        match &error {
            AppendError::Fault(_) => {
                let faults = [Fault::WriteError, Fault::SyncError, Fault::CreateError];
                ensure!(any(&faults) || self.disk.is_dark(), "refused without a fault: {error}");
                live.poisoned = true;
            }
            AppendError::Poisoned => ensure!(live.poisoned, "poisoned without a fault"),
            AppendError::Full => {
                let faults = [Fault::FullOnCreate, Fault::FullOnWrite];
                ensure!(any(&faults), "full without a fault");
            }
            other => return Err(Broken(format!("an append was refused: {other}"))),
        }
        live.troubled = true;
        self.note(u64::from(live.poisoned));
        self.model.doubtful.push(group);
        Ok(())
    }

    /// Several groups at once: the first stands in its sync while the others gather.
    fn burst(&mut self, live: &mut Live) -> Result<Option<Ending>, Broken> {
        let mut groups = Vec::new();
        for _ in 0..2 + self.draw.below(6) {
            let count = 1 + self.draw.below(3);
            groups.push(self.model.group(count, live.clock.now(), &mut self.draw));
        }
        let count = u64::try_from(groups.len()).unwrap_or(0);
        self.told.operations = self.told.operations.saturating_add(count);
        if live.journal.status().condition != Condition::Recording {
            for group in groups {
                self.append(live, group)?;
            }
            return Ok(None);
        }
        self.disk.hold_syncs();
        let mut groups = groups.into_iter();
        let Some(first) = groups.next() else { return Ok(None) };
        let mut tickets = vec![(first.clone(), live.journal.append(first))];
        let held = loop {
            if let Some(held) = self.disk.wait_for_a_held_sync(GLANCE) {
                break held;
            }
            for (_, ticket) in &mut tickets {
                ensure!(is_pending(ticket), "a group was answered without a sync");
            }
        };
        if !held {
            // It failed before; the others come one after the other.
            self.disk.release_syncs();
            for (group, ticket) in tickets {
                self.answered(live, group, ticket.wait())?;
            }
            for group in groups {
                self.append(live, group)?;
            }
            return Ok(None);
        }
        tickets.extend(groups.map(|group| (group.clone(), live.journal.append(group))));
        for (_, ticket) in &mut tickets {
            ensure!(is_pending(ticket), "a group was acknowledged before its sync");
        }
        self.check("bursts");
        match self.draw.below(8) {
            0 => {
                // The power goes while the first is being synced.
                self.model.doubtful.extend(tickets.into_iter().map(|(group, _)| group));
                self.check("power cuts within a sync");
                return Ok(Some(Ending::PowerCut));
            }
            1 => self.disk.fail_in(Fault::SyncError, u64::from(self.draw.once_in(2))),
            2 => self.disk.fail_in(Fault::WriteError, 0),
            _ => {}
        }
        self.disk.release_syncs();
        for (group, ticket) in tickets {
            self.answered(live, group, ticket.wait())?;
        }
        Ok(None)
    }

    /// The engine takes what is new: points into the series, rows into the records.
    fn catch_up(&mut self, live: &mut Live) -> Result<(), Broken> {
        let skip = usize::try_from(live.state.count).unwrap_or(usize::MAX);
        let want = self.model.log.len().saturating_sub(skip);
        let mut found: Vec<Record> = Vec::new();
        while found.len() < want {
            // Only a failure waits so long.
            let next = async { tokio::time::timeout(PATIENCE, live.follower.next()).await };
            match self.runtime.block_on(next) {
                Ok(Some(Followed::Durable(records) | Followed::Confirmed(records))) => {
                    found.extend(records.iter().cloned());
                }
                Ok(Some(Followed::Provisional(_) | Followed::Lost(_) | Followed::Missed(_))) => {}
                Ok(Some(Followed::Unreadable(error))) => {
                    return Err(Broken(format!("the follower cannot read on: {error}")));
                }
                Ok(None) => return Err(Broken("the follower ended".to_owned())),
                Err(_) => {
                    let found = found.len();
                    return Err(Broken(format!("the follower gives {found} of {want} records")));
                }
            }
        }
        self.model.check_live(&found, skip)?;
        self.is_written |= want > 0;
        let is_cut = want > 0 && self.draw.once_in(8);
        let files = self.files()?;
        let mut applied = Vec::new();
        for known in self.model.log.iter().skip(skip) {
            live.state = live.state.after(number_of(&known.entry.body), known.offset);
            live.seen = known.offset;
            applied.extend(rows(known));
            if let Some((device, measured)) = measured(&known.entry) {
                push(&files.series, device, measured);
            }
        }
        let shot = is_cut.then(|| files.shot(Which::Records)).transpose()?;
        files.records.apply(&applied).map_err(|error| Broken(format!("rows: {error:?}")))?;
        let before = self.asked.applied.last().copied().unwrap_or_default();
        if live.seen > before {
            self.asked.applied.push(live.seen);
        }
        let seen = live.seen;
        let Some(shot) = shot else { return Ok(()) };
        self.cut_the_power_at(&shot, |survivor, model| {
            let records = survivor.records()?;
            let found = records.applied().map_err(|it| Broken(format!("cut off: {it}")))?;
            let is_before = found == before && !survivor.must_be_new;
            ensure!(is_before || found == seen, "half a transaction of rows was found");
            check_records(&records, model, found)
        })
        .map(drop)
    }

    /// Makes the roll-ups that are out of date, as a server does behind everything else.
    fn tend_rolls(&mut self) -> Result<(), Broken> {
        self.is_written = true;
        let files = self.files()?;
        let shot = files.shot(Which::Series)?;
        let most = usize::MAX;
        let made = files.series.tend(afterwards(), &rule, most);
        let made = made.map_err(|error| Broken(format!("roll-ups are not made: {error}")))?;
        self.note(u64::try_from(made).unwrap_or(0));
        self.check("roll-ups made");
        let sealed = self.asked.sealed.last().cloned();
        let up_to = sealed.as_ref().map_or(LogOffset::default(), |(offset, _)| *offset);
        self.cut_the_power_at(&shot, |survivor, model| {
            let series = survivor.series()?;
            let found = series.load_checkpoint().map_err(|it| Broken(format!("cut off: {it}")))?;
            ensure!(found == sealed, "a checkpoint was lost with roll-ups");
            check_series(&series, model, up_to)?;
            check_all_rolls(&series, model, up_to)
        })
        .map(drop)
    }

    fn ask(&mut self, live: &mut Live) -> Result<(), Broken> {
        self.check("questions to series and records");
        let files = self.files()?;
        check_series(&files.series, &self.model, live.seen)?;
        check_all_rolls(&files.series, &self.model, live.seen)?;
        let applied = self.asked.applied.last().copied().unwrap_or_default();
        check_records(&files.records, &self.model, applied)
    }

    /// Seals; the program may be killed at any byte of it.
    fn seal(&mut self, live: &mut Live) -> Result<(), Broken> {
        self.catch_up(live)?;
        if live.seen == LogOffset::default() {
            return Ok(());
        }
        self.is_written = true;
        let files = self.files()?;
        let shot = files.shot(Which::Series)?;
        let sealing = files.series.begin_seal(live.seen, live.state.bytes());
        let sealing = sealing.map_err(|error| Broken(format!("no sealing: {error}")))?;
        if self.draw.once_in(6) {
            drop(sealing);
            self.check("sealings given up");
            return Ok(());
        }
        sealing.finish().map_err(|error| Broken(format!("not sealed: {error:?}")))?;
        let old = self.asked.sealed.last().cloned();
        let new = (live.seen, live.state.bytes());
        if old.as_ref() != Some(&new) {
            self.asked.sealed.push(new.clone());
        }
        self.check("sealings");
        self.cut_the_power_at(&shot, |survivor, model| {
            let series = survivor.series()?;
            let found = series.load_checkpoint().map_err(|it| Broken(format!("cut off: {it}")))?;
            let is_before = found == old && !survivor.must_be_new;
            ensure!(is_before || found.as_ref() == Some(&new), "half a sealing was found");
            check_series(&series, model, found.map_or(LogOffset::default(), |(at, _)| at))
        })?
        .then(|| self.fire("sealing cut short"));
        Ok(())
    }

    /// Looks at what a power cut would leave of a database during what was written since the shot;
    /// false if nothing was.
    fn cut_the_power_at(
        &mut self,
        shot: &Shot,
        judge: impl FnOnce(&Survivor, &Model) -> Result<(), Broken>,
    ) -> Result<bool, Broken> {
        let mut draw = Draw::from_seed(self.draw.number());
        let Some(survivor) = self.files()?.survivor(shot, &mut draw)? else { return Ok(false) };
        judge(&survivor, &self.model).map_err(|error| survivor.told(&error))?;
        self.fire(survivor.fault);
        Ok(true)
    }
}

fn all_of(journal: &Journal) -> Result<Vec<Record>, Broken> {
    let found: Result<_, ReadError> = journal.replay(LogOffset::default()).collect();
    found.map_err(|error| Broken(format!("the log cannot be read: {error}")))
}

fn is_pending(ticket: &mut Ticket) -> bool {
    let mut context = Context::from_waker(Waker::noop());
    matches!(Pin::new(ticket).poll(&mut context), Poll::Pending)
}
