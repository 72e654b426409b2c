//! The loop on a real journal, whose disk can be full, slow, or gone.

mod elsewhere;
mod mending;
mod past;
mod thinning;
mod unrecorded;

use std::time::Duration;

use ::record::{Actor, Body, Command, Readings, SampleAt, Wish};
use model::{
    AlarmId, Association, Bed, CareUnit, CareUnitId, Channel, Code, Device, Encounter, Id, Kind,
    Lifecycle, Measure, Org, Patient, Post, Redacted, Role, Room, Sample, Sex, Site, SpO2Scale,
    Staff, Subject, User,
};
use protocols::profile::Profile;
use store::{Entry, FaultyDisk, JournalLimits, Question as Ask};
use tempfile::TempDir;

use super::*;
use crate::{
    feed::{FeedItem, FeedReader, FeedStart},
    handle::Outcome,
    record::{Reason, Refusal},
    view::{AlarmPhase, AlarmScope},
};

fn id<K: Kind>(tail: u128) -> Id<K> {
    Id::from_uuid(0x7000_8000_0000_0000_0000 | tail).unwrap()
}

fn at(second: u64) -> Timestamp {
    Timestamp::from_unix_millis(1_795_262_400_000).after(Duration::from_secs(second))
}

const SEGMENT_LEN: u64 = 1 << 20;
const UNIT: u128 = 3;
const MONITOR: u128 = 0x100;
const ILSE: u128 = 0x200;
const BED: u128 = 0x300;
const PRIYA: u128 = 31;

fn partition() -> model::PartitionId {
    CareUnitId::into(id(UNIT))
}

/// A server's disks and its clock, which outlive its runs.
fn entry(body: &Body, clock: &Clock) -> Entry {
    let (kind, body_version, body) = body.encode();
    let (org, partition, received_at, key_id) = (id(1), partition(), clock.now(), 0);
    Entry { kind, body_version, org, partition, received_at, key_id, body }
}

fn saturation(percent: i64, clock: &Clock) -> Body {
    let sample = Sample::Measured(Measure {
        kind: Code::Mdc(150_456),
        mantissa: percent,
        exp10: 0,
        ucum: "%".into(),
    });
    let channel = Channel::from("MDC_PULS_OXIM_SAT_O2");
    Body::Readings(Readings {
        device: id(MONITOR),
        counted: None,
        device_at: clock.now(),
        device_now: None,
        gateway_at: None,
        clock: model::Clock::Synchronised { offset_ns: 0 },
        may_be_buffered: false,
        samples: vec![SampleAt { channel, device_at_delta_ns: 0, sample, refused: None }],
    })
}

struct House {
    disk: FaultyDisk,
    folder: TempDir,
    clock: Clock,
    limits: store::SeriesLimits,
}

/// One run of the server.
struct Run {
    journal: Journal,
    series: Series,
    records: Records,
    engine: EngineHandle,
    task: JoinHandle<EngineEnd>,
    clock: Clock,
}

fn setup() -> Setup {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../profiles/bedside-monitor/profile.toml");
    let profile = Profile::parse(&std::fs::read_to_string(path).unwrap()).unwrap();
    Setup { profiles: [("bedside-monitor".to_owned(), profile)].into(), cut: None }
}

impl House {
    fn new() -> Self {
        let (disk, folder) = (FaultyDisk::new(), tempfile::tempdir().unwrap());
        let limits = store::SeriesLimits::default();
        Self { disk, folder, clock: Clock::manual(at(0)), limits }
    }

    async fn run(&self) -> Run {
        self.run_with(setup()).await
    }

    async fn run_with(&self, setup: Setup) -> Run {
        let limits = JournalLimits { segment_len: SEGMENT_LEN, ..JournalLimits::default() };
        let (journal, _) = Journal::open(self.disk.clone(), self.clock.clone(), limits).unwrap();
        let series = self.folder.path().join("series.sqlite");
        let opened = Series::open_with(&series, self.limits);
        let series = opened.or_else(|_| Series::open_for_start(series)).unwrap();
        let records = Records::open(&self.folder.path().join("records.sqlite")).unwrap();
        let (engine, task) = Engine::start(EngineParts {
            clock: self.clock.clone(),
            journal: journal.clone(),
            series: series.clone(),
            records: records.clone(),
            setup,
        })
        .await
        .unwrap();
        Run { journal, series, records, engine, task, clock: self.clock.clone() }
    }
}

impl Run {
    async fn append(&self, body: &Body) -> Result<store::Durable, store::AppendError> {
        self.journal.append(vec![entry(body, &self.clock)]).await
    }

    async fn asks(&self, actor: Actor, wish: Wish) -> Result<Outcome, Refusal> {
        let durable = self.append(&Body::Command(Command { actor, wish })).await.unwrap();
        self.engine.outcome(&durable).await
    }

    async fn grant(&self, wish: Wish) {
        self.asks(Actor::System, wish).await.unwrap();
    }

    async fn furnish(&self) {
        let (org, site, now) = (id(1), id(2), self.clock.now());
        self.grant(Wish::PutOrg(Org { id: org, name: "St. Brigid's".into() })).await;
        self.grant(Wish::PutSite(Site { id: site, org, name: "Main".into() })).await;
        self.grant(Wish::PutCareUnit(CareUnit { id: id(UNIT), site, name: "4B".into() })).await;
        self.grant(Wish::PutRoom(Room { id: id(4), care_unit: id(UNIT), name: "2".into() })).await;
        self.grant(Wish::PutBed(Bed { id: id(BED), room: id(4), name: "04".into() })).await;
        let name = Redacted("Priya".to_owned());
        self.grant(Wish::PutStaff(Staff { id: id(PRIYA), org, site, name })).await;
        self.grant(Wish::PutUser(User {
            id: id(PRIYA),
            org,
            login: "priya".into(),
            role: Role::Nurse,
            staff: Some(id(PRIYA)),
            password_hash: None,
            patient: None,
            disabled: false,
        }))
        .await;
        self.grant(Wish::PutPatient(Patient {
            id: id(ILSE),
            org,
            record_number: Redacted("BR 1".into()),
            given_name: Redacted("Ilse".into()),
            family_name: Redacted("Brandt".into()),
            birth_date: None,
            sex: Sex::Female,
            here_for: Redacted(String::new()),
            spo2_scale: SpO2Scale::One,
        }))
        .await;
        self.grant(Wish::PutDevice(Device {
            id: id(MONITOR),
            org,
            site,
            care_unit: Some(id(UNIT)),
            profile: "bedside-monitor".into(),
            serial: "S1".into(),
            label: "Monitor 1".into(),
            lifecycle: Lifecycle::InService,
        }))
        .await;
        let (from, known_at) = (now, now);
        let value = Some(id(ILSE));
        self.grant(Wish::Occupy(Encounter { key: id(BED), value, from, known_at })).await;
        let value = Subject::Patient(id(ILSE));
        let line = Association { key: id(MONITOR), value, from, known_at };
        self.grant(Wish::Associate(line)).await;
        let value = Some(id(PRIYA));
        let key = Post::Bed(id(BED));
        let line = model::Assignment { key, value, from, known_at };
        self.grant(Wish::Assign(line)).await;
    }

    fn saturation(&self, percent: i64) -> Body {
        saturation(percent, &self.clock)
    }

    /// One reading in each second up to `to`; returns when screens have been told of the last.
    async fn reads_until(&self, feed: &mut FeedReader, from: u64, to: u64, percent: i64) {
        for second in from..=to {
            self.clock.advance_to(at(second));
            let _ = self.append(&self.saturation(percent)).await;
            told(feed, at(second)).await;
        }
    }

    async fn feed(&self) -> FeedReader {
        self.engine.feed(id(UNIT), FeedStart::Now).await.unwrap()
    }

    async fn standing(&self) -> Vec<crate::view::Alarm> {
        self.engine.alarms(AlarmScope::CareUnit(id(UNIT))).await.unwrap()
    }
}

/// Waits for a number of this instant.
async fn told(feed: &mut FeedReader, taken_at: Timestamp) {
    loop {
        let item = feed.next().await.unwrap();
        if let FeedItem::Delta(delta) = item
            && delta.numerics.iter().any(|it| it.numeric.taken_at == taken_at)
        {
            return;
        }
    }
}

/// Waits for a change of an alarm and says which.
async fn alarmed(feed: &mut FeedReader, phase: AlarmPhase) -> AlarmId {
    loop {
        let item = feed.next().await.unwrap();
        if let FeedItem::Delta(delta) = item
            && let Some(alarm) = delta.alarms.iter().find(|alarm| alarm.phase == phase)
        {
            return alarm.id;
        }
    }
}

#[tokio::test]
async fn a_command_is_answered_when_it_can_be_read_everywhere() {
    let house = House::new();
    let run = house.run().await;
    run.furnish().await;
    assert_eq!(run.engine.directory().bed_of(id(ILSE)), Some(id(BED)));
    let twin = Bed { id: id(BED + 1), room: id(4), name: "04".into() };
    let refusal = run.asks(Actor::System, Wish::PutBed(twin)).await.unwrap_err();
    assert_eq!(refusal.reason, Reason::NotUnique);
    let now = run.clock.now();
    let in_bed = run.records.who_was_in_bed(id(1), id(BED), now, now).unwrap();
    assert_eq!(in_bed, Some(id(ILSE)));
    let unit: CareUnitId = id(UNIT);
    let board = run.engine.board(unit).await.unwrap();
    assert_eq!((board.beds.len(), board.name.as_str()), (1, "4B"));
    assert_eq!(run.engine.board(id(99)).await, None);
    assert!(run.engine.patient_page(id(ILSE)).await.is_some());
}

#[tokio::test]
async fn a_low_saturation_reaches_the_screen_and_is_acknowledged() {
    let house = House::new();
    let run = house.run().await;
    run.furnish().await;
    let mut feed = run.feed().await;
    run.reads_until(&mut feed, 1, 11, 86).await;
    let mut second =
        run.engine.feed(id(UNIT), FeedStart::After(feed.starts_after())).await.unwrap();
    let alarm = alarmed(&mut second, AlarmPhase::Active).await;
    let quiet_for = Duration::from_secs(60);
    let wish = Wish::Acknowledge { alarm, quiet_for };
    let outcome = run.asks(Actor::User(id(PRIYA)), wish).await.unwrap();
    let held = outcome.alarm.unwrap();
    assert_eq!((held.id, held.phase), (alarm, AlarmPhase::Acknowledged));
    assert_eq!(alarmed(&mut feed, AlarmPhase::Acknowledged).await, alarm);
    // Every reading can be asked for.
    let found = run.series.query(&Ask {
        org: id(1),
        device: id(MONITOR),
        channel: "MDC_PULS_OXIM_SAT_O2".into(),
        from: at(0),
        to: at(100),
    });
    assert_eq!(
        found.unwrap().stretches.iter().map(|stretch| stretch.items.len()).sum::<usize>(),
        11
    );
}

#[tokio::test]
async fn time_alone_raises_and_escalates() {
    let house = House::new();
    let run = house.run().await;
    run.furnish().await;
    let mut feed = run.feed().await;
    run.reads_until(&mut feed, 1, 5, 86).await;
    run.clock.advance_to(at(11));
    let alarm = alarmed(&mut feed, AlarmPhase::Active).await;
    run.clock.advance_to(at(400));
    loop {
        let shown = run.engine.alarm(alarm).await.unwrap();
        if shown.step == 2 {
            assert!(shown.unanswered);
            break;
        }
        let _ = feed.next().await;
    }
}

#[tokio::test]
async fn a_stopped_engine_goes_on_where_it_stopped() {
    let house = House::new();
    let run = house.run().await;
    run.furnish().await;
    let mut feed = run.feed().await;
    run.reads_until(&mut feed, 1, 12, 86).await;
    let before = run.standing().await;
    assert_eq!(before.len(), 1);
    run.engine.stop().await;
    assert!(matches!(run.task.await.unwrap(), EngineEnd::Stopped));
    assert!(run.series.load_checkpoint().unwrap().is_some());
    run.journal.close();
    let run = house.run().await;
    assert_eq!(run.standing().await, before);
    let mut feed = run.feed().await;
    run.reads_until(&mut feed, 13, 14, 95).await;
    assert_eq!(run.standing().await, []);
}

#[tokio::test]
async fn a_killed_engine_rebuilds_itself_from_the_journal() {
    let house = House::new();
    let run = house.run().await;
    run.furnish().await;
    let mut feed = run.feed().await;
    run.reads_until(&mut feed, 1, 12, 86).await;
    let before = run.standing().await;
    run.task.abort();
    let _ = run.task.await;
    run.journal.close();
    drop((run.series, run.records));
    let run = house.run().await;
    let after = run.standing().await;
    assert_eq!(after, before);
    let found = run.series.query(&Ask {
        org: id(1),
        device: id(MONITOR),
        channel: "MDC_PULS_OXIM_SAT_O2".into(),
        from: at(0),
        to: at(100),
    });
    assert_eq!(
        found.unwrap().stretches.iter().map(|stretch| stretch.items.len()).sum::<usize>(),
        12
    );
}

#[tokio::test]
async fn alarms_sound_while_a_sync_does_not_come_back() {
    let house = House::new();
    let run = house.run().await;
    run.furnish().await;
    let mut feed = run.feed().await;
    run.reads_until(&mut feed, 1, 3, 86).await;
    // A sync that never comes back: nothing is durable, everything is told.
    house.disk.hold_syncs();
    let mut waiting = Vec::new();
    for second in 4..=12 {
        run.clock.advance_to(at(second));
        waiting.push(run.journal.append(vec![entry(&run.saturation(86), &run.clock)]));
        // Time goes on by the journal's patience, so that it hands the record on.
        run.clock.advance_to(at(second).after(Duration::from_millis(200)));
    }
    let alarm = alarmed(&mut feed, AlarmPhase::Active).await;
    assert!(run.standing().await.iter().any(|it| it.id == alarm));
    house.disk.release_syncs();
    for ticket in waiting {
        ticket.await.unwrap();
    }
    // Confirmed, they are not decided again.
    run.clock.advance_to(at(13));
    let _ = run.append(&run.saturation(86)).await.unwrap();
    told(&mut feed, at(13)).await;
    let standing = run.standing().await;
    assert_eq!(standing.iter().filter(|it| it.title.starts_with("SpO₂")).count(), 1);
}

#[tokio::test]
async fn a_failed_sync_is_told_on_every_screen_and_alarms_go_on() {
    let house = House::new();
    let run = house.run().await;
    run.furnish().await;
    let mut feed = run.feed().await;
    run.reads_until(&mut feed, 1, 3, 86).await;
    house.disk.fail_sync_in(0);
    for second in 4..=12 {
        run.clock.advance_to(at(second));
        assert!(run.append(&run.saturation(86)).await.is_err(), "acknowledged without a sync");
    }
    let mut saw = (false, false);
    while saw != (true, true) {
        let item = feed.next().await.unwrap();
        if let FeedItem::Delta(delta) = item {
            for alarm in &delta.alarms {
                saw.0 |= alarm.title == "Not recording";
                saw.1 |= alarm.title.starts_with("SpO₂ low");
            }
        }
    }
    let board = run.engine.board(id(UNIT)).await.unwrap();
    assert_eq!(board.recording, Recording::DiskFault);
}

#[tokio::test]
async fn a_cut_stage_does_nothing_and_the_rest_goes_on() {
    let house = House::new();
    let run = house.run_with(Setup { cut: Some(Cut::Series), ..setup() }).await;
    run.furnish().await;
    let mut feed = run.feed().await;
    run.reads_until(&mut feed, 1, 12, 86).await;
    assert_eq!(run.standing().await.len(), 1);
    assert_eq!(run.series.unsealed(), (0, 0));
    for (name, cut) in [
        ("series", Cut::Series),
        ("deciders", Cut::Deciders),
        ("alarms", Cut::Alarms),
        ("escalation", Cut::Escalation),
        ("live_feed", Cut::LiveFeed),
    ] {
        assert_eq!(Cut::find(name), Some(cut));
    }
    assert_eq!(Cut::find("ingest"), None);
}

#[tokio::test]
async fn the_status_counts_what_was_taken() {
    let house = House::new();
    let run = house.run().await;
    run.furnish().await;
    let mut feed = run.feed().await;
    run.reads_until(&mut feed, 1, 12, 86).await;
    run.engine.stop().await;
    let status = run.engine.status();
    assert_eq!((status.stored, status.readings, status.alarms_raised), (12, 12, 1));
    assert_eq!((status.commands_accepted, status.commands_refused), (12, 0));
    assert!(!status.derived_behind);
}

#[tokio::test]
async fn a_disk_that_was_full_records_again_and_forgets_no_decision() {
    let mut house = House::new();
    let run = house.run().await;
    run.furnish().await;
    let mut feed = run.feed().await;
    run.reads_until(&mut feed, 1, 3, 86).await;
    house.disk.set_room(Some(0));
    // Fill what is left of the segment, until the disk says no.
    let big = || {
        let payload = vec![0; 200_000];
        let (device, leaf, content_type) = (id(MONITOR), "log".to_owned(), None);
        Body::Upward(::record::Upward { device, leaf, content_type, payload, gateway_at: None })
    };
    let mut refused = false;
    for _ in 0..100 {
        refused = run.append(&big()).await.is_err();
        if refused {
            break;
        }
    }
    assert!(refused, "the disk was never full");
    for second in 4..=12 {
        run.clock.advance_to(at(second));
        assert!(run.append(&run.saturation(86)).await.is_err());
    }
    let alarm = loop {
        let standing = run.standing().await;
        if let Some(alarm) = standing.iter().find(|it| it.title.starts_with("SpO₂")) {
            break alarm.id;
        }
        let _ = feed.next().await;
    };
    house.disk.set_room(None);
    // The journal tries again by itself, a second later by its clock.
    let mut second = 12;
    while !run.engine.board(id(UNIT)).await.unwrap().recording.is_on() {
        second += 1;
        assert!(second < 200, "it never recorded again");
        run.clock.advance_to(at(second));
        let _ = run.append(&run.saturation(86)).await;
    }
    let before = run.engine.alarm(alarm).await.unwrap();
    assert_eq!(before.phase, AlarmPhase::Active);
    run.engine.stop().await;
    // Every decision names a record that is there, those about lost records too.
    let log: Vec<_> = run.journal.replay(LogOffset::default()).map(Result::unwrap).collect();
    let places: std::collections::BTreeSet<_> =
        log.iter().map(|record| (record.frame.position, record.offset)).collect();
    for frame in log.iter().map(|record| &record.frame).filter(|frame| frame.kind >= 0x1000) {
        let (version, body) = (frame.body_version, &frame.body);
        let decisions = crate::record::Decisions::decode(frame.kind, version, body).unwrap();
        assert!(places.contains(&(decisions.cause, decisions.after)), "{decisions:?}");
    }
    run.journal.close();
    drop((run.series, run.records));
    // Without its checkpoint, by the journal alone, the alarm that sounded is still there.
    house.folder = tempfile::tempdir().unwrap();
    let run = house.run().await;
    let after = run.engine.alarm(alarm).await.unwrap();
    assert_eq!(
        (after.title, after.raised_at, after.told),
        (before.title, before.raised_at, before.told)
    );
    let standing = run.standing().await;
    assert_eq!(standing.iter().filter(|it| it.title.starts_with("SpO₂")).count(), 1);
}

#[tokio::test]
async fn a_stopped_engine_does_not_say_that_all_is_quiet() {
    let house = House::new();
    let run = house.run().await;
    run.furnish().await;
    assert!(run.engine.is_running());
    run.engine.stop().await;
    let _ = run.task.await;
    assert!(!run.engine.is_running());
    assert_eq!(run.engine.alarms(AlarmScope::CareUnit(id(UNIT))).await, None);
}

impl House {
    /// An engine whose loop does not run, on what a run before it left.
    async fn prepared(&self) -> (Engine, Series) {
        let run = self.run().await;
        run.furnish().await;
        run.engine.stop().await;
        let (clock, journal) = (self.clock.clone(), run.journal.clone());
        let (series, records) = (run.series.clone(), run.records.clone());
        let parts = EngineParts { clock, journal, series: series.clone(), records, setup: setup() };
        (Engine::prepare(parts).await.unwrap().1, series)
    }
}

#[tokio::test]
async fn a_stop_ends_though_the_writer_takes_nothing() {
    let (mut engine, _) = House::new().prepared().await;
    engine.writer.end();
    let stopped = tokio::time::timeout(Duration::from_secs(20), engine.stop()).await;
    assert!(stopped.is_ok(), "it waits for a checkpoint that nobody makes");
}

#[tokio::test]
async fn a_stop_takes_in_what_the_journal_has_and_seals_all_of_it() {
    let house = House::new();
    let (mut engine, series) = house.prepared().await;
    for second in 1..=12 {
        house.clock.advance_to(at(second));
        let reading = entry(&saturation(86, &house.clock), &house.clock);
        engine.journal.append(vec![reading]).await.unwrap();
    }
    let end = engine.journal.end();
    engine.stop().await;
    let (sealed, _) = series.load_checkpoint().unwrap().unwrap();
    assert!(sealed >= end, "{sealed} lies before {end}");
}

#[tokio::test]
async fn a_decision_that_is_lost_is_counted_and_told() {
    let (mut engine, _) = House::new().prepared().await;
    let at = engine.clock.now().after(Duration::from_secs(9));
    engine.core.notice(Notice::Listening { at }, &mut engine.out);
    engine.tell(at);
    assert!(engine.core.recording().is_on());
    engine.wake(Woken::Appended(Err(store::AppendError::Closed))).await;
    engine.show_status(at);
    assert_eq!(engine.core.recording(), Recording::DiskFault);
    assert_eq!(engine.shown.status.lock().unwrap().decisions_dropped, 1);
}

#[tokio::test]
async fn a_start_believes_the_journal_of_now_and_not_what_was_told_before_a_crash() {
    let house = House::new();
    let (mut engine, _) = house.prepared().await;
    let at = engine.clock.now();
    let recording = Recording::DiskFull;
    engine.core.notice(Notice::Recording { recording, at }, &mut engine.out);
    engine.tell(at);
    engine.appends.next().await.unwrap();
    engine.journal.clone().close();
    drop(engine);
    let run = house.run().await;
    assert_eq!(run.engine.board(id(UNIT)).await.unwrap().recording, Recording::Yes);
}
