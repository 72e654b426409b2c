//! What is not durable yet, what never will be, and a clock that jumps.

use ::record::AuditEntry;
use model::AlarmClass;
use store::{AuditFilter, LifeRow, SeriesLimits};

use super::*;

const GAP: &str = "Record incomplete";

impl Run {
    fn saturations(&self) -> usize {
        usize::try_from(self.saturations_until(10_000)).unwrap()
    }

    fn saturations_until(&self, second: u64) -> u64 {
        let ask = Ask {
            org: id(1),
            device: id(MONITOR),
            channel: "MDC_PULS_OXIM_SAT_O2".into(),
            from: at(0),
            to: at(second),
        };
        let found = self.series.query(&ask).unwrap().stretches;
        found.iter().map(|stretch| stretch.items.len() as u64).sum()
    }

    fn audits(&self) -> usize {
        self.records.audit(id(1), &AuditFilter::default(), 100).unwrap().len()
    }

    fn charted(&self) -> usize {
        self.records.charting(id(1), id(ILSE), 100).unwrap().len()
    }

    fn chart(observed_at: Timestamp) -> Body {
        let wish = Wish::Chart(model::Charting {
            patient: id(ILSE),
            observed_at,
            consciousness: None,
            oxygen: None,
            breaths_per_min: Some(16),
            note: Redacted(String::new()),
            feeling: None,
        });
        Body::Command(Command { actor: Actor::User(id(PRIYA)), wish })
    }

    pub(super) fn audit() -> Body {
        Body::Audit(AuditEntry {
            actor: Actor::User(id(PRIYA)),
            action: "read_patient".into(),
            patient: Some(id(ILSE)),
            resource: "page".into(),
            allowed: true,
            rule: "on_the_ward".into(),
            remote: "::1".into(),
        })
    }

    pub(super) fn hands_in(&self, body: &Body) -> store::Ticket {
        self.journal.append(vec![entry(body, &self.clock)])
    }

    /// Returns once everything that was decided so far is written.
    pub(super) async fn written(&self) {
        let name = Redacted("Priya".to_owned());
        let (org, site) = (id(1), id(2));
        self.grant(Wish::PutStaff(Staff { id: id(PRIYA), org, site, name })).await;
    }

    async fn titled(&self, title: &str) -> Vec<crate::view::Alarm> {
        let mut standing = self.standing().await;
        standing.retain(|alarm| alarm.title.starts_with(title));
        standing
    }

    /// Kills this run as a power cut would.
    pub(super) async fn killed(self) {
        self.task.abort();
        let _ = self.task.await;
        // Its threads are gone before another opens the same disk.
        self.journal.close();
    }

    /// Fills what is left of the segment, until the disk says no.
    async fn fill(&self) {
        for _ in 0..100 {
            let payload = vec![0; 200_000];
            let (device, leaf, content_type) = (id(MONITOR), "log".to_owned(), None);
            let body = Body::Upward(::record::Upward {
                device,
                leaf,
                content_type,
                payload,
                gateway_at: None,
            });
            if self.append(&body).await.is_err() {
                return;
            }
        }
        let since = *self.journal.unrecorded_since().borrow();
        assert_eq!(since, Some(at(0)), "the disk was never full");
    }
}

#[tokio::test]
async fn what_is_provisional_is_shown_at_once_and_written_when_it_is_durable() {
    let house = House::new();
    let run = house.run().await;
    run.furnish().await;
    let mut feed = run.feed().await;
    run.reads_until(&mut feed, 1, 3, 95).await;
    run.written().await;
    assert_eq!((run.saturations(), run.audits()), (3, 0));
    house.disk.hold_syncs();
    run.clock.advance_to(at(4));
    let tickets = [run.hands_in(&run.saturation(95)), run.hands_in(&Run::audit())];
    // The journal's patience counts from when its writer began, which may be late.
    for tenth in 1.. {
        run.clock.advance_to(at(4).after(Duration::from_millis(100 * tenth)));
        let told = tokio::time::timeout(Duration::from_millis(20), told(&mut feed, at(4)));
        if told.await.is_ok() {
            break;
        }
        assert!(tenth < 1_000, "nobody was told");
    }
    assert!(run.engine.board(id(UNIT)).await.is_some());
    assert_eq!((run.saturations(), run.audits()), (3, 0), "written before it was durable");
    house.disk.release_syncs();
    for ticket in tickets {
        ticket.await.unwrap();
    }
    run.written().await;
    assert_eq!((run.saturations(), run.audits()), (4, 1));
}

#[tokio::test]
async fn what_is_lost_leaves_no_row_and_its_alarm_stands_where_a_rebuild_puts_it() {
    let mut house = House::new();
    let run = house.run().await;
    run.furnish().await;
    let mut feed = run.feed().await;
    run.reads_until(&mut feed, 1, 3, 86).await;
    house.disk.set_room(Some(0));
    run.fill().await;
    for second in 4..=12 {
        run.clock.advance_to(at(second));
        assert!(run.append(&run.saturation(86)).await.is_err());
        assert!(run.append(&Run::audit()).await.is_err());
    }
    assert!(run.append(&Run::chart(at(12))).await.is_err());
    let alarm = loop {
        if let Some(alarm) = run.titled("SpO₂").await.first() {
            break alarm.id;
        }
        let _ = feed.next().await;
    };
    run.clock.advance_to(at(200));
    while run.engine.alarm(alarm).await.unwrap().step < 1 {
        let _ = feed.next().await;
    }
    assert!(run.engine.status().decisions_dropped == 0);
    house.disk.set_room(None);
    let mut second = 200;
    while !run.engine.board(id(UNIT)).await.unwrap().recording.is_on() {
        second += 1;
        assert!(second < 400, "it never recorded again");
        run.clock.advance_to(at(second));
        let _ = run.append(&run.saturation(86)).await;
    }
    run.written().await;
    let stored = run.saturations();
    assert!(stored < 3 + 9, "a lost reading was written");
    assert_eq!(run.audits(), 0, "a lost look was written");
    assert_eq!(run.charted(), 0, "a lost observation was written");
    let lives = |run: &Run| -> Vec<LifeRow> { run.records.alarm_life(id(1), alarm).unwrap() };
    run.engine.stop().await;
    let (live, scores) = (lives(&run), run.scores());
    assert!(live.iter().any(|life| life.what == "escalated"), "{live:?}");
    // The mark is gone, as everything was told.
    assert_eq!(*run.journal.unrecorded_since().borrow(), None);
    run.journal.close();
    drop((run.series, run.records));
    house.folder = tempfile::tempdir().unwrap();
    let run = house.run().await;
    assert_eq!((lives(&run), run.scores()), (live, scores));
    assert_eq!((run.saturations(), run.audits(), run.charted()), (stored, 0, 0));
    assert_eq!(run.titled(GAP).await, []);
}

impl Run {
    fn scores(&self) -> Vec<store::ScoreRow> {
        self.records.scores(id(1), id(ILSE), (at(0), at(10_000)), 100).unwrap()
    }
}

#[tokio::test]
async fn the_history_of_a_score_is_kept_and_made_again_from_the_journal() {
    let mut house = House::new();
    let run = house.run().await;
    run.furnish().await;
    let mut feed = run.feed().await;
    run.reads_until(&mut feed, 1, 3, 95).await;
    run.reads_until(&mut feed, 4, 6, 90).await;
    run.written().await;
    let scores = run.scores();
    let told: Vec<_> = scores.iter().map(|it| (it.at, it.total, it.single_red)).collect();
    assert_eq!(told, [(at(1), None, false), (at(4), None, true)]);
    assert!(scores.iter().all(|it| it.missing.contains(&"temperature".to_owned())));
    assert!(scores.iter().all(|it| !it.missing.contains(&"saturation".to_owned())));
    run.engine.stop().await;
    run.journal.close();
    drop((run.series, run.records));
    house.folder = tempfile::tempdir().unwrap();
    assert_eq!(house.run().await.scores(), scores);
}

#[tokio::test]
async fn a_crash_before_a_full_or_broken_disk_recorded_again_is_told_by_an_alarm_that_stays() {
    for fault in ["full", "broken"] {
        let mut house = House::new();
        let run = house.run().await;
        run.furnish().await;
        let mut feed = run.feed().await;
        run.reads_until(&mut feed, 1, 3, 86).await;
        match fault {
            "full" => {
                house.disk.set_room(Some(0));
                run.fill().await;
            }
            _ => house.disk.fail_sync_in(0),
        }
        for second in 4..=12 {
            run.clock.advance_to(at(second));
            assert!(run.append(&run.saturation(86)).await.is_err());
        }
        while run.titled("SpO₂").await.is_empty() {
            let _ = feed.next().await;
        }
        // The power goes. The alarm that sounded is in no journal.
        run.killed().await;
        house.disk = house.disk.after_worst_crash();
        house.clock.advance_to(at(60));
        let run = house.run().await;
        let told = run.titled(GAP).await;
        assert_eq!(told.len(), 1, "{fault}: {told:?}");
        let gap = &told[0];
        assert_eq!((gap.class, gap.phase), (AlarmClass::Technical, AlarmPhase::Active));
        let words = "nothing was recorded for ";
        assert!(gap.detail.starts_with(words), "{}", gap.detail);
        // Its notice is durable, so the next start does not tell it again; it stays until seen.
        let mut since = run.journal.unrecorded_since();
        let is_told = since.wait_for(Option::is_none);
        tokio::pin!(is_told);
        for second in 61.. {
            run.clock.advance_to(at(second));
            let told = tokio::time::timeout(Duration::from_millis(20), &mut is_told);
            if told.await.is_ok() {
                break;
            }
            assert!(second < 1_000, "{fault}: it was never said that it was told");
        }
        run.killed().await;
        house.disk = house.disk.after_worst_crash();
        let run = house.run().await;
        let again = run.titled(GAP).await;
        assert_eq!(again.iter().map(|it| it.id).collect::<Vec<_>>(), [gap.id], "{fault}");
        let quiet_for = Duration::from_secs(60);
        let wish = Wish::Acknowledge { alarm: gap.id, quiet_for };
        run.asks(Actor::User(id(PRIYA)), wish).await.unwrap();
        assert_eq!(run.titled(GAP).await, [], "{fault}");
    }
}

#[tokio::test]
async fn a_sleep_of_the_machine_silences_nobody_and_a_real_silence_is_told() {
    for (sleeps, silent) in [(true, false), (false, true)] {
        let house = House::new();
        let run = house.run().await;
        run.furnish().await;
        let mut feed = run.feed().await;
        run.reads_until(&mut feed, 1, 3, 95).await;
        let later = at(3_600);
        if sleeps {
            run.clock.step_to(later)
        } else {
            run.clock.advance_to(later)
        }
        run.append(&run.saturation(95)).await.unwrap();
        told(&mut feed, later).await;
        run.engine.stop().await;
        let alarms = run.records.alarms(id(1), &store::AlarmFilter::default(), 100).unwrap();
        let told = alarms.iter().any(|alarm| alarm.title.ends_with("silent"));
        assert_eq!(told, silent, "asleep: {sleeps}");
    }
}

#[tokio::test]
async fn deadlines_go_on_though_the_machines_clock_was_set_back_before_a_restart() {
    let mut house = House::new();
    house.clock.advance_to(at(5_000));
    let run = house.run().await;
    run.furnish().await;
    let mut feed = run.feed().await;
    run.reads_until(&mut feed, 5_001, 5_005, 86).await;
    run.engine.stop().await;
    run.journal.close();
    drop((run.series, run.records));
    house.clock = Clock::manual(at(0));
    let run = house.run().await;
    assert!(run.clock.now() >= at(5_005));
    let mut feed = run.feed().await;
    run.reads_until(&mut feed, 5_006, 5_011, 86).await;
    while run.titled("SpO₂").await.is_empty() {
        let _ = feed.next().await;
    }
}

#[tokio::test]
async fn records_that_were_thrown_away_are_made_again_in_spite_of_a_checkpoint() {
    let house = House::new();
    let run = house.run().await;
    run.furnish().await;
    let mut feed = run.feed().await;
    run.reads_until(&mut feed, 1, 12, 86).await;
    let before = run.standing().await;
    run.engine.stop().await;
    let all = |run: &Run| run.records.alarms(id(1), &store::AlarmFilter::default(), 100).unwrap();
    let alarms = all(&run);
    assert!(run.series.load_checkpoint().unwrap().is_some() && alarms.len() == 1);
    run.journal.close();
    drop((run.series, run.records));
    for file in ["records.sqlite", "records.sqlite-wal", "records.sqlite-shm"] {
        let _ = std::fs::remove_file(house.folder.path().join(file));
    }
    let run = house.run().await;
    assert_eq!((all(&run), run.standing().await), (alarms, before));
    assert_eq!(run.saturations(), 12);
}

#[tokio::test]
async fn a_long_past_is_sealed_while_it_is_read_and_nothing_of_it_is_left_out() {
    let mut house = House::new();
    let run = house.run().await;
    run.furnish().await;
    let readings = 9_000;
    let mut last = None;
    for number in 1..=readings {
        run.clock.advance_to(at(number));
        last = Some(run.hands_in(&run.saturation(95)));
    }
    last.unwrap().await.unwrap();
    run.killed().await;
    house.folder = tempfile::tempdir().unwrap();
    // Room for a fraction of it.
    let limits = SeriesLimits { points_soon: 3_000, points_max: 8_000, ..SeriesLimits::default() };
    house.limits = limits;
    let run = house.run().await;
    let ask = Ask {
        org: id(1),
        device: id(MONITOR),
        channel: "MDC_PULS_OXIM_SAT_O2".into(),
        from: at(0),
        to: at(readings + 1),
    };
    let found = run.series.query(&ask).unwrap().stretches;
    let found: usize = found.iter().map(|stretch| stretch.items.len()).sum();
    assert_eq!(u64::try_from(found).unwrap(), readings);
    assert!(run.series.load_checkpoint().unwrap().is_some());
    let standing = run.standing().await;
    run.killed().await;
    // The next start goes on from there, and stands where this one stood.
    let run = house.run().await;
    assert_eq!(run.standing().await, standing);
    assert_eq!(
        run.series.query(&ask).unwrap().stretches.iter().map(|it| it.items.len()).sum::<usize>(),
        found
    );
}

#[tokio::test]
async fn so_many_questions_wait_for_the_loop_and_one_more_waits_at_its_asker() {
    let house = House::new();
    let run = house.run().await;
    run.furnish().await;
    run.engine.stop().await;
    let (clock, journal) = (house.clock.clone(), run.journal.clone());
    let (series, records) = (run.series.clone(), run.records.clone());
    let parts = EngineParts { clock, journal, series, records, setup: setup() };
    let (handle, mut engine) = Engine::prepare(parts).await.unwrap();
    let question =
        || Question::Alarms(AlarmScope::CareUnit(id(UNIT)), tokio::sync::oneshot::channel().0);
    for _ in 0..QUESTIONS_MAX {
        handle.questions.try_send(question()).unwrap();
    }
    assert!(handle.questions.try_send(question()).is_err());
    let waiting = tokio::spawn(async move { handle.alarms(AlarmScope::CareUnit(id(UNIT))).await });
    while let Some(question) = engine.questions.recv().await {
        engine.answer(question);
        if waiting.is_finished() {
            break;
        }
        tokio::task::yield_now().await;
    }
    assert_eq!(waiting.await.unwrap(), Some(Vec::new()));
}

#[tokio::test]
async fn a_checkpoint_is_made_after_a_time_and_after_a_failure_not_at_once() {
    let (mut engine, _) = House::new().prepared().await;
    let begun = engine.clock.now();
    let body = Run::audit();
    let (kind, body_version, body) = body.encode();
    let (org, partition, key_id, received_at) = (id(1), partition(), 0, begun);
    let entry = Entry { kind, body_version, org, partition, received_at, key_id, body };
    engine.journal.append(vec![entry]).await.unwrap();
    let followed = engine.follower.next().await.unwrap();
    engine.follow(followed);
    let moment = Duration::from_nanos(1);
    let due = engine.checkpoint.made_at.after(CHECKPOINT_EVERY);
    engine.checkpoint_if_due(due.before(moment));
    assert!(!engine.checkpoint.under_way, "one moment before");
    engine.checkpoint_if_due(due);
    assert!(engine.checkpoint.under_way, "at its time");
    engine.wrote(Wrote::NotSealed);
    engine.checkpoint.wanted = true;
    let again = engine.clock.now().after(CHECKPOINT_AGAIN);
    engine.checkpoint_if_due(again.before(moment));
    assert!(!engine.checkpoint.under_way, "too soon after a failure");
    engine.checkpoint_if_due(again);
    assert!(engine.checkpoint.under_way);
}

#[tokio::test]
async fn a_long_end_that_nobody_decided_on_is_decided_at_the_start_and_all_of_it_recorded() {
    let mut house = House::new();
    let run = house.run().await;
    run.furnish().await;
    run.engine.stop().await;
    // Now only the journal listens: a crash of the engine, or a flood.
    let readings = 6_000;
    let mut last = None;
    for number in 1..=readings {
        run.clock.advance_to(at(number));
        let percent = if number / 20 % 2 == 0 { 95 } else { 80 };
        last = Some(run.hands_in(&run.saturation(percent)));
    }
    last.unwrap().await.unwrap();
    run.journal.close();
    drop((run.series, run.records));
    house.limits =
        SeriesLimits { points_soon: 1_000, points_max: 5_000, ..SeriesLimits::default() };
    let run = house.run().await;
    let found = || run.saturations_until(readings + 1);
    assert_eq!(found(), readings);
    let sealed = run.series.load_checkpoint().unwrap().map(|(offset, _)| offset).unwrap();
    assert!(sealed > LogOffset::default());
    run.engine.stop().await;
    let status = run.engine.status();
    assert_eq!((status.decisions_dropped, status.decisions_waiting), (0, 0));
    assert!(!status.derived_lacking && status.alarms_raised > 100, "{status:?}");
    let alarms = |run: &Run| {
        let filter = store::AlarmFilter::default();
        run.records.alarms(id(1), &filter, 10_000).unwrap()
    };
    let decided = alarms(&run);
    run.journal.close();
    drop((run.series, run.records));
    // The journal alone makes the same of it.
    house.folder = tempfile::tempdir().unwrap();
    let run = house.run().await;
    assert_eq!(alarms(&run), decided);
    assert_eq!(run.saturations_until(readings + 1), readings);
}
