//! One server without sockets: door, journal, engine, records and series on one folder.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use engine::{
    Core, Engine, EngineEnd, EngineHandle, EngineParts, FeedItem, FeedReader, FeedStart, Retention,
    Setup, Thinning, beat, thin_segment,
};
use ingest::{DeviceRef, Door, Message, Registry};
use protocols::profile::Profile;
use record::{Actor, Body, Command, Presence, PresenceChange, Wish};
use sim::{Act, Deed, Intent};
use store::{
    AppendError, Clock, DataDir, DataDirError, Entry, FileStorage, Journal, JournalLimits, Records,
    Series, Ticket,
};
use tokio::task::JoinHandle;

use crate::stage::{self, CARE_UNIT, ORG, WATCHDOG, device, id, second};

/// How a server goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Restart {
    /// With a checkpoint.
    Orderly,
    /// Without one, and with records that nobody has decided on.
    Crash,
}

/// What a stopped server leaves on its disk.
pub(crate) struct Kept {
    pub(crate) records: Records,
    pub(crate) series: Series,
}

impl Kept {
    /// The state in the newest checkpoint.
    pub(crate) fn core(&self) -> Core {
        let (_, bytes) = self.series.load_checkpoint().unwrap().unwrap();
        Core::restore(setup(), &bytes).unwrap()
    }
}

/// A running server.
pub(crate) struct Node {
    folder: PathBuf,
    clock: Clock,
    journal: Journal,
    series: Series,
    records: Records,
    pub(crate) engine: EngineHandle,
    task: JoinHandle<EngineEnd>,
    door: Arc<Door>,
    feed: Option<FeedReader>,
}

pub(crate) fn setup() -> Setup {
    Setup { profiles: stage::profiles(), cut: None }
}

impl Node {
    /// Starts on a folder, whatever is in it.
    pub(crate) async fn open(folder: &Path, clock: &Clock) -> Self {
        Self::open_with(folder, clock, JournalLimits::default()).await
    }

    /// The same with other bounds.
    pub(crate) async fn open_with(folder: &Path, clock: &Clock, limits: JournalLimits) -> Self {
        let dir = own(folder).await;
        let storage = FileStorage::open(&dir).unwrap();
        let (journal, _) = Journal::open(storage, clock.clone(), limits).unwrap();
        let series = Series::open(dir.series()).unwrap();
        let records = Records::open(&dir.records()).unwrap();
        let parts = EngineParts {
            clock: clock.clone(),
            journal: journal.clone(),
            series: series.clone(),
            records: records.clone(),
            setup: setup(),
        };
        let (engine, task) = Engine::start(parts).await.unwrap();
        let door = Arc::new(door(&journal, &engine));
        for record in journal.replay(journal.begins_at().unwrap()) {
            let frame = record.unwrap().frame;
            if let Ok(body) = Body::decode(frame.kind, frame.body_version, &frame.body) {
                door.recall(&body);
            }
        }
        let feed = engine.feed(id(CARE_UNIT), FeedStart::Now).await;
        let (folder, clock) = (folder.to_owned(), clock.clone());
        Self { folder, clock, journal, series, records, engine, task, door, feed }
    }

    /// Asks for something, and waits until it is granted.
    pub(crate) async fn ask(&self, actor: Actor, wish: Wish) {
        let entry = entry(&Body::Command(Command { actor, wish }), &self.clock);
        let durable = self.journal.append(vec![entry]).await.unwrap();
        self.engine.outcome(&durable).await.unwrap();
    }

    /// Lets the samples go of every segment that may be thinned; says how many that were.
    pub(crate) async fn thin(&self) -> usize {
        let (journal, series) = (self.journal.clone(), self.series.clone());
        let (engine, clock) = (self.engine.clone(), self.clock.clone());
        let setting = Retention { keep_days: Some(1), keep_bytes: None };
        let work = move || {
            let before = clock.now().after(Duration::from_secs(1));
            let spans = journal.thinnable().unwrap().into_iter();
            let thinned = spans.filter(|span| {
                let note = |body: Body| {
                    journal.append(vec![entry(&body, &clock)]).wait().ok()?;
                    Some(engine.directory())
                };
                let parts = (&journal, &series);
                let found =
                    thin_segment(parts, &engine.directory(), *span, (setting, before), note);
                matches!(found.unwrap(), Thinning::Done(_))
            });
            thinned.count()
        };
        tokio::task::spawn_blocking(work).await.unwrap()
    }

    /// Opens the live feed, once there is a care unit.
    pub(crate) async fn watch(&mut self) {
        self.feed = self.engine.feed(id(CARE_UNIT), FeedStart::Now).await;
    }

    /// Takes in what happened between two seconds of the day, and decides on it.
    pub(crate) async fn live(&mut self, deeds: &[Deed], from: u64, until: u64) {
        self.take_in(deeds, from, until).await.unwrap();
        self.catch_up(until).await;
    }

    /// Makes durable what happened between two seconds of the day.
    pub(crate) async fn take_in(
        &self,
        deeds: &[Deed],
        from: u64,
        until: u64,
    ) -> Result<(), AppendError> {
        let (mut deeds, mut last) = (deeds.iter().peekable(), None);
        for number in from + 1..=until {
            while let Some(deed) = deeds.next_if(|deed| deed.at <= second(number)) {
                drop(self.take(deed));
            }
            last = Some(self.beat(number));
        }
        // Tickets are answered in the order of the journal, so the last one speaks for all.
        match last {
            Some(last) => last.await.map(drop),
            None => Ok(()),
        }
    }

    fn take(&self, deed: &Deed) -> Ticket {
        let device = device(deed.device_index);
        let presence = |change| {
            let body = Body::Presence(Presence { device, change, remote: String::new() });
            self.door.note(device, deed.at, &body)
        };
        match &deed.act {
            Act::Cut | Act::Expire => presence(PresenceChange::Lost),
            Act::Restore => presence(PresenceChange::Connected),
            Act::Send(sent) => {
                let message = Message {
                    topic: &stage::topic(device, &sent.leaf),
                    content_type: Some(sent.content_type),
                    payload: &sent.payload,
                    received_at: deed.at,
                };
                self.door.admit(id(ORG), device, "mqtt", &message).ticket
            }
        }
    }

    fn beat(&self, number: u64) -> Ticket {
        let at = second(number);
        let message = Message {
            topic: &stage::topic(id(WATCHDOG), beat::LEAF),
            content_type: Some("text/plain"),
            payload: &beat::payload(number, at),
            received_at: at,
        };
        self.door.admit(id(ORG), id(WATCHDOG), "mqtt", &message).ticket
    }

    /// Sends one more beat of this second, and waits for it.
    pub(crate) async fn beat_again(&mut self, number: u64) {
        self.beat(number).await.unwrap();
        self.catch_up(number).await;
    }

    /// Waits until the beat of this number reached the screen, and with it all before it.
    pub(crate) async fn catch_up(&mut self, number: u64) {
        let feed = self.feed.as_mut().unwrap();
        loop {
            let item = feed.next().await.unwrap();
            assert_ne!(item, FeedItem::Gone, "the test's own screen is too slow");
            if let FeedItem::Beat(beat) = item
                && beat.seq >= number
            {
                return;
            }
        }
    }

    /// A device that was not answered sends its last numbers again.
    pub(crate) fn repeat(&self, deeds: &[Deed], until: u64) {
        let is_numerics = |deed: &&Deed| match &deed.act {
            Act::Send(sent) => sent.leaf == "num" && sent.intent == Intent::New,
            Act::Cut | Act::Expire | Act::Restore => false,
        };
        // Not of this very instant: at the same instant it would be the same point.
        let earlier = |deed: &&Deed| is_numerics(deed) && deed.at < second(until);
        let last = deeds.iter().rfind(earlier).unwrap();
        drop(self.take(&Deed { at: second(until), ..last.clone() }));
    }

    /// Goes, and starts again on the same folder.
    pub(crate) async fn restart(self, how: Restart) -> Self {
        let (folder, clock) = (self.folder.clone(), self.clock.clone());
        match how {
            Restart::Orderly => drop(self.stop().await),
            Restart::Crash => self.crash().await,
        }
        Self::open(&folder, &clock).await
    }

    /// Goes without a checkpoint.
    pub(crate) async fn crash(self) {
        let Self { journal, task, engine, door, feed, .. } = self;
        task.abort();
        assert!(task.await.is_err_and(|end| end.is_cancelled()));
        drop((engine, door, feed));
        tokio::task::spawn_blocking(move || journal.close()).await.unwrap();
    }

    /// Stops with a checkpoint.
    pub(crate) async fn stop(self) -> Kept {
        let Self { journal, task, engine, door, feed, records, series, .. } = self;
        assert!(!engine.status().derived_behind, "rows or points were given up");
        engine.stop().await;
        task.await.unwrap();
        drop((engine, door, feed));
        tokio::task::spawn_blocking(move || journal.close()).await.unwrap();
        Kept { records, series }
    }
}

fn entry(body: &Body, clock: &Clock) -> Entry {
    let (kind, body_version, body) = body.encode();
    let (org, partition, received_at) = (id(ORG), id(ORG), clock.now());
    Entry { kind, body_version, org, partition, received_at, key_id: 0, body }
}

/// Takes the folder's lock, which falls when the last thread of the server before has ended.
async fn own(folder: &Path) -> DataDir {
    for _ in 0..10_000_000 {
        match DataDir::open(folder) {
            Ok(dir) => return dir,
            Err(error) => assert!(matches!(error, DataDirError::Held { .. }), "{error}"),
        }
        tokio::task::yield_now().await;
    }
    DataDir::open(folder).unwrap()
}

fn door(journal: &Journal, engine: &EngineHandle) -> Door {
    let profiles: BTreeMap<String, Arc<Profile>> =
        stage::profiles().into_iter().map(|(name, it)| (name, Arc::new(it))).collect();
    let engine = engine.clone();
    let lookup = move |device| {
        let directory = engine.directory();
        let found = directory.devices.get(&device)?;
        Some(DeviceRef {
            id: device,
            org: found.org,
            site: found.site,
            partition: directory.partition_of(device)?,
            profile: Arc::clone(profiles.get(&found.profile)?),
            lifecycle: found.lifecycle,
            gateway: directory.gateway_of(device),
        })
    };
    // Strangers lie with the organization, as in the program.
    Door::new(journal.clone(), Registry::new(lookup), (id(ORG), id(ORG)))
}
