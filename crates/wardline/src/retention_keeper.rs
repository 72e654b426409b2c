//! Thins the journal of a running server behind everything else: one segment after the other,
//! with long pauses, if a setting says so.

use std::{collections::BTreeMap, io, sync::Arc, time::Duration};

use api::{RetentionDesk, RetentionState};
use engine::{Directory, EngineHandle, Retention, Thinning, ThinningError, thin_segment};
use model::{OrgId, Timestamp};
use record::Body;
use store::{Clock, Entry, Journal, LogOffset, Series, ThinError, Thinned};
use tokio::{runtime, task::JoinHandle};

use crate::config;

/// How often it looks whether a segment has grown old.
const LOOK_EVERY: Duration = Duration::from_secs(60);
/// It rests so many times as long as a segment took.
const RESTS: u32 = 4;
/// A segment of which too little could go is looked at again after so long, and one that is
/// young after so long at most.
const AGAIN_AFTER: Duration = Duration::from_secs(86_400);
/// One that failed is tried again after so long, and one that is young after no less.
const SOON_AFTER: Duration = Duration::from_secs(3_600);
/// Behind so many young segments in a row the others are most likely young as well; they are
/// looked at the next time.
const YOUNG_AT_ONCE: usize = 8;
/// The engine comes to what is durable within this, or nothing is thinned.
const DECIDED_WITHIN: Duration = Duration::from_secs(60);
const GIB: u64 = 1 << 30;

/// What the keeper works with.
#[derive(Clone)]
pub(crate) struct RetentionKeeper {
    pub(crate) clock: Clock,
    pub(crate) journal: Journal,
    pub(crate) series: Series,
    pub(crate) engine: EngineHandle,
    /// Whose the notes are.
    pub(crate) org: OrgId,
}

/// One look at the segments that may be due.
struct Look {
    /// Bytes that the journal has beyond the setting.
    over_bytes: u64,
    /// What was asked of the segments' age.
    age: Duration,
    came: Vec<(LogOffset, Result<Thinning, ThinningError>)>,
}

/// When a segment is looked at again, and what was asked of its age; if less is asked, it is
/// looked at before.
type Again = (Timestamp, Duration);

/// What is remembered of segments that stayed as they are.
#[derive(Clone, Debug, Default)]
struct Known {
    again: BTreeMap<LogOffset, Again>,
    /// Blocks that are sealed otherwise than they were received.
    faults: BTreeMap<LogOffset, u64>,
    /// Why the last attempt failed; without a segment, that of finding any.
    problems: BTreeMap<Option<LogOffset>, String>,
}

impl Known {
    fn show(&self, state: &mut RetentionState) {
        state.faults = self.faults.values().copied().fold(0, u64::saturating_add);
        state.problem = self.problems.values().next().cloned();
    }
}

impl RetentionKeeper {
    /// Goes on in the background; without a setting it only says what was thinned before.
    pub(crate) fn start(self, config: config::Retention, desk: RetentionDesk) -> JoinHandle<()> {
        let setting = Retention {
            keep_days: config.keep_waves_days,
            keep_bytes: config.keep_waves_gib.map(|gib| gib.saturating_mul(GIB)),
        };
        tokio::spawn(self.keep(setting, desk))
    }

    async fn keep(self, setting: Retention, desk: RetentionDesk) {
        let Some(mut state) = self.before(setting).await else { return };
        let is_on = setting != Retention::default();
        if is_on || state.segments > 0 {
            desk.show(state.clone());
        }
        if !is_on {
            return;
        }
        let mut looks = tokio::time::interval(LOOK_EVERY);
        looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut known = Known::default();
        loop {
            looks.tick().await;
            let mut goes_on = true;
            while goes_on {
                let begun = self.clock.elapsed();
                let (work, before) = (self.clone(), known.clone());
                let look = tokio::task::spawn_blocking(move || work.look(setting, &before)).await;
                goes_on = match look {
                    Ok(Ok(look)) => take_in(look, self.clock.now(), &mut state, &mut known),
                    Ok(Err(error)) => failed(None, &error, &mut known),
                    Err(error) => failed(None, &error, &mut known),
                };
                known.show(&mut state);
                desk.show(state.clone());
                let took = self.clock.elapsed().saturating_sub(begun);
                tokio::time::sleep(took.saturating_mul(RESTS)).await;
            }
        }
    }

    /// What earlier runs thinned.
    async fn before(&self, setting: Retention) -> Option<RetentionState> {
        let journal = self.journal.clone();
        let found = tokio::task::spawn_blocking(move || journal.shortened()).await.ok()?;
        let Retention { keep_days, keep_bytes } = setting;
        let state = RetentionState { keep_days, keep_bytes, ..RetentionState::default() };
        Some(match found {
            Ok((segments, it)) => RetentionState {
                segments,
                blocks: it.frames,
                saved_bytes: it.bytes_before.saturating_sub(it.bytes),
                received: it.received,
                ..state
            },
            Err(error) => RetentionState { problem: Some(error.to_string()), ..state },
        })
    }

    /// Looks at the oldest segments that may be due, until one is no more too young; blocks while
    /// it reads and writes.
    fn look(&self, setting: Retention, known: &Known) -> Result<Look, ThinningError> {
        let io = |source| {
            let from = LogOffset::default();
            ThinningError::Thin(ThinError::Io { from, source })
        };
        let now = self.clock.now();
        let segments = self.journal.segments().map_err(io)?;
        let bytes = segments.iter().map(|it| it.len).fold(0, u64::saturating_add);
        let over_bytes = setting.over_bytes(bytes);
        let mut look = Look { over_bytes, age: Duration::ZERO, came: Vec::new() };
        let Some(before) = setting.received_before(now, bytes) else { return Ok(look) };
        look.age = now.since(before);
        let is_due = |from: &LogOffset| {
            known.again.get(from).is_none_or(|(again, age)| now >= *again || look.age < *age)
        };
        let spans = self.journal.thinnable().map_err(io)?;
        for span in spans.into_iter().filter(|(from, _)| is_due(from)).take(YOUNG_AT_ONCE) {
            let directory = self.engine.directory();
            let parts = (&self.journal, &self.series);
            let note = |body: Body| self.note(&body);
            let thinning = thin_segment(parts, &directory, span, (setting, before), note);
            let is_young = matches!(thinning, Ok(Thinning::Young(_)));
            look.came.push((span.0, thinning));
            if !is_young {
                break;
            }
        }
        Ok(look)
    }

    /// Makes a note durable; what is held by whatever stands before it, and is known once the
    /// engine has come past it.
    fn note(&self, body: &Body) -> Option<Arc<Directory>> {
        let (kind, body_version, body) = body.encode();
        let (org, partition) = (self.org, self.org.into());
        let received_at = self.clock.now();
        let entry = Entry { kind, body_version, org, partition, received_at, key_id: 0, body };
        self.journal.append(vec![entry]).wait().ok()?;
        let decided = async {
            let decided = tokio::time::timeout(DECIDED_WITHIN, self.journal.decided());
            decided.await.unwrap_or(false)
        };
        runtime::Handle::current().block_on(decided).then(|| self.engine.directory())
    }
}

/// Notes what became of segments, and whether to look at others at once.
fn take_in(look: Look, now: Timestamp, state: &mut RetentionState, known: &mut Known) -> bool {
    let Look { over_bytes, age, came } = look;
    known.problems.remove(&None);
    let (mut goes_on, mut waits) = (false, false);
    for (from, thinning) in came {
        known.problems.remove(&Some(from));
        let again = match thinning {
            Ok(Thinning::Done(it)) => {
                tracing::info!(offset = from.bytes(), blocks = it.entries, "segment_thinned");
                count(&it, state);
                known.faults.remove(&from);
                known.again.remove(&from);
                goes_on = true;
                continue;
            }
            Ok(Thinning::Later) => {
                waits = true;
                continue;
            }
            // It is old enough once as much time has passed as it is too young by.
            Ok(Thinning::Young(at)) => at.since(now.before(age)).clamp(SOON_AFTER, AGAIN_AFTER),
            Ok(Thinning::Little(staying)) => {
                goes_on = true;
                known.faults.remove(&from);
                let faults = staying.iter().filter(|(why, _)| why.is_fault());
                let faults: u64 = faults.map(|(_, count)| *count).sum();
                if faults > 0 {
                    let offset = from.bytes();
                    tracing::error!(offset, faults, "sealed_otherwise_than_received");
                    known.faults.insert(from, faults);
                }
                AGAIN_AFTER
            }
            Err(error) => {
                failed(Some(from), &error, known);
                if is_of_all(&error) {
                    continue;
                }
                SOON_AFTER
            }
        };
        known.again.insert(from, (now.after(again), age));
    }
    // It cannot be met once there is nothing more to look at.
    state.over_bytes = if goes_on || waits { state.over_bytes } else { over_bytes };
    goes_on
}

fn count(it: &Thinned, state: &mut RetentionState) {
    state.segments = state.segments.saturating_add(1);
    state.blocks = state.blocks.saturating_add(it.entries);
    let saved = it.bytes_before.saturating_sub(it.bytes);
    state.saved_bytes = state.saved_bytes.saturating_add(saved);
    state.received = match (state.received, it.received) {
        (Some(one), Some(two)) => Some((one.0.min(two.0), one.1.max(two.1))),
        (one, two) => one.or(two),
    };
}

/// Whether it says nothing of this segment, so that another would fare no better.
fn is_of_all(error: &ThinningError) -> bool {
    match error {
        ThinningError::Thin(ThinError::NotRecorded) => true,
        ThinningError::Thin(ThinError::Io { source, .. }) => {
            source.kind() == io::ErrorKind::StorageFull
        }
        _ => false,
    }
}

/// Remembers why nothing was thinned; others are tried at the next look.
fn failed(
    from: Option<LogOffset>,
    error: &(dyn std::error::Error + 'static),
    known: &mut Known,
) -> bool {
    let mut problem = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        problem.push_str(&format!(": {error}"));
        cause = error.source();
    }
    tracing::error!(%problem, "segment_not_thinned");
    known.problems.insert(from, problem);
    false
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use engine::{Engine, EngineEnd, EngineParts, Setup, retention::Stays};
    use model::{Id, Kind};
    use protocols::wave::{Block, Encoding, Epoch, encode, pack};
    use record::{Counted, WaveBlock};
    use store::{DataDir, FileStorage, JournalLimits, Records, verify};

    use super::*;

    fn id<K: Kind>(tail: u128) -> Id<K> {
        Id::from_uuid(0x7000_8000_0000_0000_0000 | tail).unwrap()
    }

    /// Four seconds of a curve, ending now.
    fn block(seq: u64, now: Timestamp) -> Body {
        let device_at = now.before(Duration::from_secs(4));
        let samples: Vec<i32> = (0..4_000).map(|it| (it * 37) % 997 - 500).collect();
        let payload = encode(&Block {
            device: id(7),
            channel: "MDC_PULS_OXIM_PLETH",
            lead: None,
            seq,
            boot: 1,
            t0: device_at,
            epoch: Epoch::Utc,
            rate_hz: (1_000, 1),
            count: 4_000,
            gain: (1, -3),
            offset: 0,
            unit: "1",
            bits: 16,
            encoding: Encoding::Int16Le,
            samples: &pack(&samples, Encoding::Int16Le),
            validity: vec![],
            filters: None,
            time_quality: None,
            now: None,
        });
        Body::Wave(WaveBlock {
            device: id(7),
            channel: "MDC_PULS_OXIM_PLETH".into(),
            counted: Counted { boot: 1, seq },
            device_at,
            device_now: None,
            gateway_at: None,
            clock: model::Clock::Synchronised { offset_ns: 0 },
            may_be_buffered: false,
            payload,
        })
    }

    /// A server's journal, series and engine, with segments of a megabyte.
    async fn start(
        place: &Path,
        clock: &Clock,
    ) -> (RetentionKeeper, JoinHandle<EngineEnd>, DataDir) {
        let dir = DataDir::open(place).unwrap();
        let limits = JournalLimits { segment_len: 1 << 20, ..JournalLimits::default() };
        let storage = FileStorage::open(&dir).unwrap();
        let (journal, _) = Journal::open(storage, clock.clone(), limits).unwrap();
        let series = Series::open(dir.series()).unwrap();
        let (engine, task) = Engine::start(EngineParts {
            clock: clock.clone(),
            journal: journal.clone(),
            series: series.clone(),
            records: Records::open(&dir.records()).unwrap(),
            setup: Setup::default(),
        })
        .await
        .unwrap();
        let clock = clock.clone();
        (RetentionKeeper { clock, journal, series, engine, org: id(1) }, task, dir)
    }

    /// What is shown after a look that came to one segment, and whether others follow at once.
    fn after(
        known: &mut Known,
        at: u64,
        came: Result<Thinning, ThinningError>,
    ) -> (u64, Option<String>, bool) {
        let now = Timestamp::from_unix_millis(1_795_262_400_000);
        let age = Duration::from_secs(30 * 86_400);
        let came = vec![(LogOffset::from_bytes(at), came)];
        let mut state = RetentionState::default();
        let goes_on = take_in(Look { over_bytes: 0, age, came }, now, &mut state, known);
        known.show(&mut state);
        (state.faults, state.problem, goes_on)
    }

    fn done(at: u64) -> Result<Thinning, ThinningError> {
        let (from, to) = (LogOffset::from_bytes(at), LogOffset::from_bytes(at + 1));
        let (entries, bytes_before, bytes, received) = (1, 100, 20, None);
        Ok(Thinning::Done(Thinned { from, to, entries, bytes_before, bytes, received }))
    }

    #[test]
    fn faults_are_those_of_the_last_look_at_each_segment() {
        let mut known = Known::default();
        let little = |count| {
            let staying = [(Stays::Differs, count), (Stays::Held, 9)];
            Ok(Thinning::Little(staying.into()))
        };
        assert_eq!(after(&mut known, 0, little(3)).0, 3);
        assert_eq!(after(&mut known, 0, little(3)).0, 3);
        assert_eq!(after(&mut known, 70, little(2)).0, 5);
        assert_eq!(after(&mut known, 0, little(1)).0, 3);
        assert_eq!(after(&mut known, 70, done(70)).0, 1);
        assert_eq!(known.again.len(), 1);
    }

    #[test]
    fn a_segment_that_fails_or_is_young_holds_no_other_up() {
        let mut known = Known::default();
        let from = LogOffset::from_bytes(0);
        let failed = Err(ThinningError::Thin(ThinError::NotThinned { from }));
        let (_, problem, goes_on) = after(&mut known, 0, failed);
        assert!(problem.is_some() && !goes_on && known.again.contains_key(&from));
        // What another segment came to says nothing of it; what it comes to itself does.
        assert!(after(&mut known, 70, done(70)).1.is_some());
        assert_eq!(after(&mut known, 0, done(0)).1, None);
        let now = Timestamp::from_unix_millis(1_795_262_400_000);
        let old = now.before(Duration::from_secs(30 * 86_400));
        for (too_young_by, again) in [(60, 3_600), (7_200, 7_200), (10_000_000, 86_400)] {
            let at = old.after(Duration::from_secs(too_young_by));
            let (_, problem, _) = after(&mut known, 0, Ok(Thinning::Young(at)));
            assert_eq!((problem, known.again[&from].0.since(now).as_secs()), (None, again));
        }
        // A full disk says nothing of a segment.
        known.again.clear();
        let source = io::ErrorKind::StorageFull.into();
        let full = Err(ThinningError::Thin(ThinError::Io { from, source }));
        let (_, problem, goes_on) = after(&mut known, 0, full);
        assert!(problem.is_some() && !goes_on && known.again.is_empty());
    }

    async fn shows(desk: &RetentionDesk, what: impl Fn(&RetentionState) -> bool) -> RetentionState {
        let wait = async {
            loop {
                if let Some(state) = desk.state().filter(&what) {
                    return state;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let waited = tokio::time::timeout(Duration::from_secs(60), wait).await;
        assert!(waited.is_ok(), "the desk shows {:?}", desk.state());
        waited.unwrap()
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_running_server_thins_what_is_old_and_says_so_also_after_a_restart() {
        let place = tempfile::tempdir().unwrap();
        let clock = Clock::manual(Timestamp::from_unix_millis(1_795_262_400_000));
        let (keeper, task, dir) = start(place.path(), &clock).await;
        for seq in 0..900 {
            clock.advance_to(clock.now().after(Duration::from_secs(4)));
            let (kind, body_version, body) = block(seq, clock.now()).encode();
            let (org, partition, received_at, key_id) = (id(1), id(1), clock.now(), 0);
            let entry = Entry { kind, body_version, org, partition, received_at, key_id, body };
            keeper.journal.append(vec![entry]).await.unwrap();
        }
        keeper.engine.stop().await;
        task.await.unwrap();
        keeper.journal.clone().close();
        drop((keeper, dir));
        let (keeper, task, dir) = start(place.path(), &clock).await;
        let desk = RetentionDesk::default();
        let whole: u64 = keeper.journal.segments().unwrap().iter().map(|it| it.len).sum();
        // Without a setting nothing happens, and nothing is shown.
        keeper.clone().start(config::Retention::default(), desk.clone()).await.unwrap();
        assert_eq!(desk.state(), None);
        // Nothing is a day old.
        let young = config::Retention { keep_waves_days: Some(1), keep_waves_gib: None };
        let keeping = keeper.clone().start(young, desk.clone());
        let state = shows(&desk, |_| true).await;
        assert_eq!((state.segments, state.keep_days), (0, Some(1)));
        keeping.abort();
        // However little room there may be, what is a day old stays, and it says so.
        let tight = Retention { keep_days: None, keep_bytes: Some(whole - (2 << 20)) };
        let keeping = tokio::spawn(keeper.clone().keep(tight, desk.clone()));
        let state = shows(&desk, |it| it.over_bytes > 0).await;
        assert_eq!((state.segments, state.over_bytes), (0, 2 << 20));
        keeping.abort();
        clock.advance_to(clock.now().after(engine::limits::WAVES_WHOLE_MIN));
        let keeping = tokio::spawn(keeper.clone().keep(tight, desk.clone()));
        let state = shows(&desk, |it| it.saved_bytes > 2 << 20).await;
        assert!(state.segments >= 2 && state.blocks > 100 && state.problem.is_none(), "{state:?}");
        keeping.abort();
        keeper.engine.stop().await;
        task.await.unwrap();
        keeper.journal.clone().close();
        drop((keeper, dir));
        let report = verify(&DataDir::open(place.path()).unwrap()).unwrap();
        assert!(report.is_sound(), "{report:?}");
        // The next start says what went, although nothing is set any more.
        let (keeper, _, _) = start(place.path(), &clock).await;
        let desk = RetentionDesk::default();
        keeper.clone().start(config::Retention::default(), desk.clone()).await.unwrap();
        let shown = desk.state().unwrap();
        assert!(
            (shown.blocks, shown.received) == (report.shortened.frames, report.shortened.received)
        );
        assert!(shown.blocks >= state.blocks && shown.saved_bytes >= state.saved_bytes);
    }
}
