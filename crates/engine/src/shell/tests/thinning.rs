//! A journal whose waveforms gave up their samples: nothing that anybody asks for is another.

#![expect(clippy::panic, reason = "a test ends by it")]

use ::record::{Counted, Kinds, WaveBlock};
use model::{Hold, HoldOf};
use protocols::wave::{Block, Encoding, Epoch, encode, pack};
use store::{LogOffset, Record, Storage as _, Thinned, verify_journal};

use super::*;
use crate::{
    Ahead, Blocks, ComparedBlocks, Core, Retention, Thinning, retention::Stays, thin_segment,
};

const BLOCKS: u64 = 900;
pub(super) const PLETH: &str = "MDC_PULS_OXIM_PLETH";

/// Four seconds of a curve, ending now; every seventh as floats, which are never thinned.
fn block(seq: u64, clock: &Clock) -> Body {
    let device_at = clock.now().before(Duration::from_secs(4));
    let wiggle = |place: u64| i32::try_from((place * 37 + seq * 11) % 4_001).unwrap() - 2_000;
    let samples: Vec<i32> = (0..4_000).map(wiggle).collect();
    let is_float = seq.is_multiple_of(7);
    let encoding = if is_float { Encoding::Float32Le } else { Encoding::Int16Le };
    let payload = encode(&Block {
        device: id(MONITOR),
        channel: PLETH,
        lead: None,
        seq,
        boot: 7,
        t0: device_at,
        epoch: Epoch::Utc,
        rate_hz: (1_000, 1),
        count: 4_000,
        gain: (1, -3),
        offset: 0,
        unit: "1",
        bits: if is_float { 32 } else { 16 },
        encoding,
        samples: &pack(&samples, encoding),
        validity: vec![],
        filters: Some("0.5-40 Hz"),
        time_quality: None,
        now: None,
    });
    Body::Wave(WaveBlock {
        device: id(MONITOR),
        channel: PLETH.into(),
        counted: Counted { boot: 7, seq },
        device_at,
        device_now: None,
        gateway_at: None,
        clock: model::Clock::Synchronised { offset_ns: 0 },
        may_be_buffered: false,
        payload,
    })
}

fn all(journal: &Journal) -> Vec<Record> {
    journal.replay(LogOffset::default()).map(Result::unwrap).collect()
}

/// What follows from a whole journal, read from its beginning.
fn folded(records: &[Record]) -> Core {
    let mut core = Core::new(setup());
    let mut ahead = Ahead::of(&core, records.iter());
    let mut out = Out::default();
    for record in records {
        ahead.take(&mut core, record, &mut out);
    }
    ahead.finish(&mut core, &mut out);
    core
}

impl House {
    /// A ward with an alarm and an hour of a curve, stopped with a checkpoint.
    pub(super) async fn with_waves(&self) {
        let run = self.run().await;
        run.furnish().await;
        let mut feed = run.feed().await;
        run.reads_until(&mut feed, 1, 12, 86).await;
        for seq in 0..BLOCKS {
            run.clock.advance_to(at(20 + 4 * seq));
            let ticket = run.journal.append(vec![entry(&block(seq, &run.clock), &run.clock)]);
            if seq % 50 == 49 {
                ticket.await.unwrap();
                run.written().await;
            }
        }
        run.stopped().await;
    }

    /// Every block held against these series.
    fn compared(&self, series: Series) -> ComparedBlocks {
        let records = Records::open(&self.folder.path().join("records.sqlite")).unwrap();
        let storage = Arc::new(self.disk.clone());
        let received_before = at(1_000_000);
        let looks = Blocks { storage, series, records, setup: setup(), received_before };
        looks.compare(&mut |_, _| {}).unwrap()
    }

    /// Against series that are as far and have no chunk, each stub says what it misses.
    fn misses_samples_in_other_series(&self, (end, state): (LogOffset, Vec<u8>), stubs: u64) {
        let others = tempfile::tempdir().unwrap();
        let series = Series::open(others.path().join("series.sqlite")).unwrap();
        series.seal(end, &state).unwrap();
        let compared = self.compared(series);
        assert_eq!((compared.thinned, compared.lost_count()), (stubs, stubs));
        assert_eq!(compared.not_again, [(Stays::Missing, stubs)].into());
        assert!(!compared.lost.is_empty());
    }
}

impl Run {
    async fn stopped(self) {
        self.engine.stop().await;
        let _ = self.task.await;
        self.journal.close();
    }

    /// Somebody says that a saturation does not count.
    async fn corrects(&self) {
        let correction = model::Correction {
            id: id(0x900),
            org: id(1),
            device: id(MONITOR),
            channel: "MDC_PULS_OXIM_SAT_O2".into(),
            from: at(0),
            to: at(3),
            amendment: model::Amendment::Withdraw,
            why: model::CorrectionReason::SensorOff,
            words: Redacted(String::new()),
        };
        self.asks(Actor::User(id(PRIYA)), Wish::Correct(correction)).await.unwrap();
        self.written().await;
    }

    fn curve(&self) -> Vec<store::Stretch<store::WaveSpan>> {
        let (from, to) = (at(0), at(10_000));
        let (org, device, channel) = (id(1), id(MONITOR), PLETH.into());
        self.series.query_wave(&Ask { org, device, channel, from, to }).unwrap().stretches
    }

    fn thin(&self, span: (LogOffset, LogOffset), before: Timestamp) -> Thinning {
        let setting = Retention { keep_days: Some(1), keep_bytes: None };
        let (journal, clock) = (self.journal.clone(), self.clock.clone());
        let engine = self.engine.clone();
        let note = move |body: Body| {
            journal.append(vec![entry(&body, &clock)]).wait().ok()?;
            Some(engine.directory())
        };
        let parts = (&self.journal, &self.series);
        thin_segment(parts, &self.engine.directory(), span, (setting, before), note).unwrap()
    }
}

/// Beside the runtime, as it waits for the journal.
pub(super) async fn thin(run: Run, before: Timestamp) -> (Run, Vec<Thinning>) {
    let work = move || {
        let spans = run.journal.thinnable().unwrap();
        let found = spans.into_iter().map(|span| run.thin(span, before)).collect();
        (run, found)
    };
    tokio::task::spawn_blocking(work).await.unwrap()
}

pub(super) fn done(found: &[Thinning]) -> Vec<Thinned> {
    let done = |it: &Thinning| if let Thinning::Done(it) = it { Some(*it) } else { None };
    found.iter().filter_map(done).collect()
}

#[tokio::test]
async fn thinned_waveforms_are_asked_for_and_read_again_as_before() {
    let house = House::new();
    house.with_waves().await;
    let run = house.run().await;
    run.written().await;
    let (before, curve, standing) = (all(&run.journal), run.curve(), run.standing().await);
    assert!(curve[0].items.len() as u64 == BLOCKS && !standing.is_empty());
    let spans = run.journal.thinnable().unwrap();
    let (run, found) = thin(run, at(1_000_000)).await;
    let thinned = done(&found);
    assert!(thinned.len() == spans.len() && thinned.len() >= 3, "{found:?}");
    assert!(thinned.iter().all(|it| it.bytes * 3 < it.bytes_before), "{thinned:?}");
    let after = all(&run.journal);
    let replaced = thinned.iter().map(|it| it.entries).sum::<u64>();
    let stubs = after.iter().filter(|it| it.frame.kind == Kinds::SEALED_WAVE);
    assert_eq!(stubs.count() as u64, replaced);
    for (old, new) in before.iter().zip(&after) {
        assert_eq!((old.offset, old.frame.position), (new.offset, new.frame.position));
        let (kind, version) = (new.frame.kind, new.frame.body_version);
        if kind != Kinds::SEALED_WAVE {
            assert_eq!(old, new);
            continue;
        }
        // What is left and the sealed samples make the payload again, byte by byte.
        let (_, _, Ok(Body::Wave(was))) =
            (kind, version, Body::decode(old.frame.kind, 1, &old.frame.body))
        else {
            panic!("something else than a block was replaced")
        };
        let Ok(Body::SealedWave(left)) = Body::decode(kind, version, &new.frame.body) else {
            panic!("a stub is not one")
        };
        assert_eq!(left.payload_len_bytes, was.payload.len() as u64);
        assert_eq!(left.payload_sha256, security::sha256(&was.payload));
        assert_eq!(WaveBlock { payload: was.payload.clone(), ..left.block.clone() }, was);
        let span = curve[0].items.iter().find(|it| it.at == was.device_at).unwrap();
        let whole = protocols::wave::decode(&was.payload).unwrap();
        let samples = pack(&span.samples, whole.encoding);
        assert_eq!(encode(&Block { samples: &samples, ..whole.clone() }), was.payload);
        assert_eq!(encode(&Block { samples: &[], ..whole }), left.block.payload);
    }
    let notes = after[before.len()..].iter().filter(|it| it.frame.kind == Kinds::THINNED);
    assert_eq!(notes.count(), thinned.len());
    assert_eq!((run.curve(), run.standing().await), (curve.clone(), standing.clone()));
    // From its beginning it leads to the same people, places and alarms.
    let (was, is) = (folded(&before), folded(&after));
    assert_eq!((was.directory(), was.standing()), (is.directory(), is.standing()));
    run.stopped().await;
    let run = house.run().await;
    assert_eq!((run.curve(), run.standing().await), (curve, standing));
    run.stopped().await;
    let report = verify_journal(&house.disk).unwrap();
    assert!(report.is_sound() && report.shortened.frames == replaced, "{report:?}");
    // A look from outside agrees with all of it.
    let series = Series::open(house.folder.path().join("series.sqlite")).unwrap();
    let sealed = series.load_checkpoint().unwrap().unwrap();
    let compared = house.compared(series);
    assert_eq!((compared.fault_count(), compared.thinned), (0, replaced));
    assert!(compared.not_again.is_empty(), "{compared:?}");
    let counts = [Stays::Finer, Stays::Newest].map(|why| compared.staying[&why].blocks);
    assert_eq!(counts.iter().sum::<u64>() + replaced, BLOCKS);
    assert_eq!(compared.spare.blocks, 0);
    house.misses_samples_in_other_series(sealed, replaced);
    // Without its series nobody makes it anew from what is left.
    house.remove("series.sqlite");
    let refused = house.is_refused().await;
    assert!(matches!(refused, StartError::Thinned { .. }), "{refused}");
}

#[tokio::test]
async fn rows_and_state_are_made_anew_of_a_thinned_journal_and_its_samples_are_kept() {
    let house = House::new();
    house.with_waves().await;
    let run = house.run().await;
    let standing = run.standing().await.len();
    run.corrects().await;
    let (run, found) = thin(run, at(1_000_000)).await;
    let thinned = done(&found).last().unwrap().to;
    run.stopped().await;
    let place = tempfile::tempdir().unwrap();
    let [live, anew] = [house.folder.path(), place.path()]
        .map(|it| [it.join("records.sqlite"), it.join("series.sqlite")]);
    for end in ["", "-wal"] {
        let [from, to] = [&live[1], &anew[1]].map(|it| format!("{}{end}", it.display()));
        if std::path::Path::new(&from).exists() {
            std::fs::copy(from, to).unwrap();
        }
    }
    let (sealed, _) = Series::open(&anew[1]).unwrap().load_checkpoint().unwrap().unwrap();
    // As a rebuild begins with its copy.
    let forget = rusqlite::Connection::open(&anew[1]).unwrap();
    assert_eq!(forget.execute("DELETE FROM correction", []).unwrap(), 1);
    drop(forget);
    let rebuild = |series: Series| {
        let storage = Arc::new(house.disk.clone());
        let records = Records::open(&anew[0]).unwrap();
        let (keeps_series, until) = (true, Some(sealed));
        let rebuild = Rebuild { storage, series, records, keeps_series, setup: setup(), until };
        rebuild.run(&mut |_, _| {})
    };
    let rebuilt = rebuild(Series::open(&anew[1]).unwrap()).unwrap();
    assert_eq!((rebuilt.from, rebuilt.to, rebuilt.undecided), (LogOffset::default(), sealed, 0));
    assert_eq!(rebuilt.alarms_standing, standing);
    // What channels did before is not in a thinned journal, so the state is not the very same.
    let compare = |[one, two]: [&std::path::Path; 2]| {
        let compared = store::compare([&live[0], &live[1]], [one, two]).unwrap();
        let of_state = |it: &&store::Compared| it.table != "checkpoint";
        let differing = compared.iter().filter(of_state).filter(|it| it.difference.is_some());
        (differing.map(|it| it.table.clone()).collect::<Vec<_>>(), compared)
    };
    let (differing, all) = compare([&anew[0], &anew[1]]);
    assert_eq!(differing, Vec::<String>::new(), "{all:?}");
    let said = all.iter().find(|it| it.table == "corrections").unwrap();
    assert_eq!((said.live, said.rebuilt), (1, 1));
    let waves = all.iter().find(|it| it.table == "waveforms").unwrap();
    assert!(waves.live == waves.rebuilt && waves.live >= BLOCKS, "{waves:?}");
    // The rows are others than those that were there: what they lack is found.
    let empty = place.path().join("empty.sqlite");
    drop(Records::open(&empty).unwrap());
    assert!(compare([&empty, &anew[1]]).0.len() > 3);
    // Series that end before what was thinned have not all of its samples.
    let older = Series::open(place.path().join("older.sqlite")).unwrap();
    for checkpoint in [None, Some(LogOffset::from_bytes(1))] {
        if let Some(at) = checkpoint {
            older.seal(at, b"state").unwrap();
        }
        let refused = rebuild(older.clone()).unwrap_err();
        let RebuildError::Gone { lack } = refused else { panic!("{refused}") };
        match checkpoint {
            None => assert_eq!(lack, store::Lack::Series { thinned }),
            Some(checkpoint) => assert_eq!(lack, store::Lack::Samples { checkpoint, thinned }),
        }
    }
}

#[tokio::test]
async fn a_start_reads_damaged_corrections_again_of_a_thinned_journal() {
    let house = House::new();
    house.with_waves().await;
    let run = house.run().await;
    run.corrects().await;
    let (run, found) = thin(run, at(1_000_000)).await;
    assert!(!done(&found).is_empty());
    let (said, curve) = (run.series.all_corrections(), run.curve());
    assert_eq!(said.len(), 1);
    run.stopped().await;
    let path = house.folder.path().join("series.sqlite");
    let rot = rusqlite::Connection::open(&path).unwrap();
    assert_eq!(rot.execute("UPDATE correction SET to_at = to_at + 1", []).unwrap(), 1);
    drop(rot);
    assert!(Series::open(&path).is_err(), "nobody else takes it for none");
    let run = house.run().await;
    assert_eq!((run.series.all_corrections(), run.curve()), (said.clone(), curve));
    run.stopped().await;
    assert_eq!(Series::open(&path).unwrap().all_corrections(), said);
}

#[tokio::test]
async fn a_server_does_not_start_on_series_that_end_before_what_was_thinned() {
    let house = House::new();
    house.with_waves().await;
    let run = house.run().await;
    let (run, found) = thin(run, at(1_000_000)).await;
    assert!(!done(&found).is_empty());
    run.stopped().await;
    house.remove("series.sqlite");
    let older = Series::open(house.folder.path().join("series.sqlite")).unwrap();
    older.seal(LogOffset::from_bytes(1), b"state").unwrap();
    drop(older);
    let refused = house.is_refused().await;
    assert!(matches!(refused, StartError::Thinned { .. }), "{refused}");
    assert!(refused.to_string().contains("samples that went between are in neither"), "{refused}");
    assert!(!refused.to_string().contains("store rebuild"), "{refused}");
}

#[tokio::test]
async fn what_is_young_held_or_not_sealed_stays_whole() {
    let house = House::new();
    house.with_waves().await;
    let run = house.run().await;
    let hold = Hold {
        id: id(0x700),
        org: id(1),
        of: HoldOf::Patient(id(ILSE)),
        why: Redacted("case 4711".to_owned()),
    };
    let asker = Actor::User(id(PRIYA));
    run.asks(asker, Wish::PutHold(hold.clone())).await.unwrap();
    let twice = run.asks(asker, Wish::PutHold(hold)).await.unwrap_err();
    assert_eq!(twice.reason, Reason::NotUnique);
    let whole = all(&run.journal);
    let (run, found) = thin(run, at(1_000_000)).await;
    let is_held =
        |it: &Thinning| matches!(it, Thinning::Little(why) if why.contains_key(&Stays::Held));
    assert!(found.len() >= 3 && found.iter().all(is_held), "{found:?}");
    // Decisions of its start may still have come in.
    assert_eq!(all(&run.journal)[..whole.len()], whole);
    // The hold is part of the state, and outlives a restart.
    run.stopped().await;
    let run = house.run().await;
    assert_eq!(run.engine.directory().holding().count(), 1);
    let why = Redacted("the case is closed".to_owned());
    let end = Wish::EndHold { hold: id(0x700), why };
    run.asks(asker, end.clone()).await.unwrap();
    assert_eq!(run.asks(asker, end).await.unwrap_err().reason, Reason::IllegalMove);
    // The first block of a segment is the oldest; only what is all older goes.
    let (run, found) = thin(run, at(20)).await;
    assert!(found.iter().all(|it| matches!(it, Thinning::Young(_))), "{found:?}");
    let (run, found) = thin(run, at(1_500)).await;
    let count = done(&found).len();
    assert!(count > 0 && count < found.len(), "{found:?}");
    // What nobody noted does not happen.
    let (from, to) = run.journal.thinnable().unwrap()[0];
    let setting = (Retention::default(), at(1_000_000));
    let parts = (&run.journal, &run.series);
    let unnoted = thin_segment(parts, &run.engine.directory(), (from, to), setting, |_| None);
    assert!(matches!(unnoted, Err(crate::ThinningError::Thin(store::ThinError::NotRecorded))));
    assert_eq!(run.journal.thinnable().unwrap()[0], (from, to));
    run.stopped().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hold_that_is_acknowledged_while_a_segment_is_thinned_keeps_it() {
    let house = House::new();
    house.with_waves().await;
    let run = house.run().await;
    run.written().await;
    let hold = Hold {
        id: id(0x700),
        org: id(1),
        of: HoldOf::Received { from: at(0), to: at(10_000) },
        why: Redacted("case 4711".to_owned()),
    };
    let work = move || {
        let (from, to) = run.journal.thinnable().unwrap()[0];
        let whole: Vec<_> = run.journal.replay_between(from, to).map(Result::unwrap).collect();
        let note = |body: Body| {
            // Everything was read and compared by now.
            let asked = run.asks(Actor::User(id(PRIYA)), Wish::PutHold(hold));
            tokio::runtime::Handle::current().block_on(asked).unwrap();
            run.journal.append(vec![entry(&body, &run.clock)]).wait().ok()?;
            Some(run.engine.directory())
        };
        let setting = (Retention::default(), at(1_000_000));
        let parts = (&run.journal, &run.series);
        let found = thin_segment(parts, &run.engine.directory(), (from, to), setting, note);
        let Thinning::Little(staying) = found.unwrap() else { panic!("it was thinned") };
        assert!(staying[&Stays::Held] > 50, "{staying:?}");
        assert_eq!(run.journal.thinnable().unwrap()[0], (from, to));
        let now: Vec<_> = run.journal.replay_between(from, to).map(Result::unwrap).collect();
        assert!(now == whole);
        run
    };
    tokio::task::spawn_blocking(work).await.unwrap().stopped().await;
    let thinned = store::Storage::read_thinned(&house.disk, LogOffset::default());
    assert!(thinned.is_err(), "the thinned form was left");
}

#[tokio::test]
async fn nothing_goes_that_the_series_do_not_have() {
    let house = House::new();
    house.with_waves().await;
    // Another file of series, whose checkpoint is as far and which has not one chunk.
    let kept = Series::open(house.folder.path().join("series.sqlite")).unwrap();
    let (offset, bytes) = kept.load_checkpoint().unwrap().unwrap();
    drop(kept);
    house.remove("series.sqlite");
    let empty = Series::open(house.folder.path().join("series.sqlite")).unwrap();
    empty.seal(offset, &bytes).unwrap();
    drop(empty);
    let run = house.run().await;
    let whole = all(&run.journal);
    let (run, found) = thin(run, at(1_000_000)).await;
    let is_missed =
        |it: &Thinning| matches!(it, Thinning::Little(why) if why.contains_key(&Stays::Missing));
    assert!(found.len() >= 3 && found.iter().all(is_missed), "{found:?}");
    // Decisions of its start may still have come in.
    assert_eq!(all(&run.journal)[..whole.len()], whole);
    assert!(house.disk.segments().unwrap().iter().all(|it| it.form == store::Form::Whole));
    run.stopped().await;
}

#[test]
fn a_setting_says_what_is_old_enough() {
    let now = at(10 * 86_400);
    let of = |keep_days, keep_bytes, bytes| {
        Retention { keep_days, keep_bytes }.received_before(now, bytes)
    };
    assert_eq!(of(None, None, 1_000), None);
    assert_eq!(of(Some(3), None, 1_000), Some(at(7 * 86_400)));
    assert_eq!(of(None, Some(1_000), 1_000), None);
    // However much there is, what was received within a day stays.
    assert_eq!(of(None, Some(1_000), 1_001), Some(at(9 * 86_400)));
    assert_eq!(of(Some(3), Some(1_000), 1_000), Some(at(7 * 86_400)));
    assert_eq!(of(Some(3), Some(1_000), 1_001), Some(at(9 * 86_400)));
    assert_eq!(of(Some(0), Some(1_000), 1_001), Some(now));
}

#[tokio::test]
async fn a_block_that_comes_after_newer_ones_of_another_unit_keeps_its_own() {
    let house = House::new();
    let run = house.run().await;
    run.furnish().await;
    run.clock.advance_to(at(20));
    run.append(&block(5, &run.clock)).await.unwrap();
    let Body::Wave(mut late) = block(3, &run.clock) else { panic!("not a block") };
    let payload = late.payload.clone();
    let whole = protocols::wave::decode(&payload).unwrap();
    late.payload = encode(&Block { unit: "mV", ..whole });
    run.append(&Body::Wave(late)).await.unwrap();
    run.written().await;
    let mut units: Vec<_> =
        run.curve().into_iter().map(|it| (it.ucum.as_str().to_owned(), it.items.len())).collect();
    units.sort();
    assert_eq!(units, [("1".to_owned(), 1), ("mV".to_owned(), 1)]);
    run.stopped().await;
}
