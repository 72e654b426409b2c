//! What every handler holds: the handles on the rest of the program.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError, atomic::AtomicU64},
};

use engine::EngineHandle;
use ingest::Door;
use model::SessionId;
use protocols::profile::Profile;
use security::Authority;
use store::{Clock, Journal, Records, Series};
use tokio::sync::{Semaphore, watch};
use transport::{Revocations, mqtt::MqttHandle};

use crate::{
    auth::Auth,
    backup_desk::BackupDesk,
    demo_desk::DemoDesk,
    device::Doors,
    disk_watch::LastLook,
    limits::{FEEDS_MAX, FEEDS_OF_A_SESSION_MAX},
    retention_desk::RetentionDesk,
    warden::Warden,
};

/// What differs between a demo, a test and a hospital.
#[derive(Clone, Debug)]
pub struct Config {
    /// Anybody may sign in as anybody with one click, for a ward of made-up people.
    pub demo: bool,
    /// Whether the session cookie may travel over TLS only.
    pub secure_cookies: bool,
    /// The name that devices are told to connect to.
    pub mqtt_host: String,
    /// The port of MQTT that devices are told to connect to.
    pub mqtt_port: u16,
    /// The port of HTTPS that devices are told to connect to.
    pub https_port: u16,
    /// The program's version, as screens show it.
    pub version: &'static str,
}

/// What the shell gives.
#[expect(missing_docs, reason = "the types say it all")]
pub struct ApiParts {
    pub clock: Clock,
    pub journal: Journal,
    pub engine: EngineHandle,
    pub records: Records,
    pub series: Series,
    pub authority: Arc<Authority>,
    pub door: Arc<Door>,
    /// `None` where no device connects by MQTT.
    pub mqtt: Option<MqttHandle>,
    /// The list that the devices' listeners look at.
    pub revocations: Revocations,
    /// The device profiles by name.
    pub profiles: Arc<BTreeMap<String, Profile>>,
    /// The data directory, whose size the system page shows.
    pub data: PathBuf,
    pub config: Config,
}

/// The people's side of the program.
pub struct Api {
    pub(crate) clock: Clock,
    pub(crate) journal: Journal,
    pub(crate) engine: EngineHandle,
    pub(crate) records: Records,
    pub(crate) series: Series,
    pub(crate) authority: Arc<Authority>,
    pub(crate) door: Arc<Door>,
    pub(crate) mqtt: Option<MqttHandle>,
    pub(crate) revocations: Revocations,
    pub(crate) profiles: Arc<BTreeMap<String, Profile>>,
    pub(crate) data: PathBuf,
    /// The room on its disk.
    pub(crate) disk: LastLook,
    pub(crate) config: Config,
    pub(crate) auth: Auth,
    /// What the devices' listener shares.
    pub(crate) doors: Doors,
    /// What was carried out of what is decided about devices.
    pub(crate) warden: Warden,
    /// A place for each open feed.
    pub(crate) feeds: Arc<Semaphore>,
    /// How many feeds each session has open.
    pub(crate) feeds_of: FeedsOf,
    pub(crate) counts: Counts,
    /// Parts of imports take turns: what one brings in is in the series before the next is
    /// compared with them.
    pub(crate) imports: tokio::sync::Mutex<()>,
    pub(crate) begun_imports: crate::import::BegunImports,
    demo_desk: DemoDesk,
    backup_desk: BackupDesk,
    retention_desk: RetentionDesk,
    stop: watch::Sender<bool>,
}

/// What the people's listener counted since the start.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) requests: AtomicU64,
    pub(crate) refused: AtomicU64,
    pub(crate) faults: AtomicU64,
    pub(crate) sign_ins: AtomicU64,
    pub(crate) sign_ins_refused: AtomicU64,
    pub(crate) alarms_painted: AtomicU64,
}

/// How many feeds each session has open; one of them may not take everybody's places.
#[derive(Clone, Debug, Default)]
pub(crate) struct FeedsOf(Arc<Mutex<BTreeMap<SessionId, usize>>>);

/// One of a session's places; dropped, it is free again.
#[derive(Debug)]
pub(crate) struct FeedOf {
    of: FeedsOf,
    session: SessionId,
}

impl FeedsOf {
    /// A place for one more feed of this session, if it has not too many.
    pub(crate) fn take(&self, session: SessionId) -> Option<FeedOf> {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = open.entry(session).or_insert(0);
        if *count >= FEEDS_OF_A_SESSION_MAX {
            return None;
        }
        *count += 1;
        Some(FeedOf { of: self.clone(), session })
    }
}

impl Drop for FeedOf {
    fn drop(&mut self) {
        let mut open = self.of.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = open.get_mut(&self.session) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                open.remove(&self.session);
            }
        }
    }
}

#[test]
fn a_session_has_so_many_feeds_and_gives_them_back() {
    let feeds = FeedsOf::default();
    let session = |tail: u128| SessionId::from_uuid(0x7000_8000_0000_0000_0000 | tail).unwrap();
    let taken: Vec<_> =
        (0..FEEDS_OF_A_SESSION_MAX).map(|_| feeds.take(session(1)).unwrap()).collect();
    assert!(feeds.take(session(1)).is_none());
    assert!(feeds.take(session(2)).is_some());
    drop(taken);
    assert!(feeds.take(session(1)).is_some());
}

impl Api {
    /// Takes what the shell made.
    pub fn new(parts: ApiParts) -> Arc<Self> {
        let ApiParts { clock, journal, engine, records, series, authority, door, .. } = parts;
        let (auth, feeds) = (Auth::default(), Arc::new(Semaphore::new(FEEDS_MAX)));
        Arc::new(Self {
            clock,
            journal,
            engine,
            records,
            series,
            authority,
            door,
            mqtt: parts.mqtt,
            revocations: parts.revocations,
            profiles: parts.profiles,
            disk: LastLook::at(&parts.data),
            data: parts.data,
            config: parts.config,
            auth,
            doors: Doors::default(),
            feeds,
            warden: Warden::default(),
            feeds_of: FeedsOf::default(),
            counts: Counts::default(),
            imports: tokio::sync::Mutex::default(),
            begun_imports: crate::import::BegunImports::default(),
            demo_desk: DemoDesk::default(),
            backup_desk: BackupDesk::default(),
            retention_desk: RetentionDesk::default(),
            stop: watch::Sender::new(false),
        })
    }

    /// Where screens of a demo ask for something to happen.
    pub fn demo_desk(&self) -> DemoDesk {
        self.demo_desk.clone()
    }

    /// Where backups are asked for.
    pub fn backup_desk(&self) -> BackupDesk {
        self.backup_desk.clone()
    }

    /// Where it is shown what of the journal was thinned.
    pub fn retention_desk(&self) -> RetentionDesk {
        self.retention_desk.clone()
    }

    /// Ends the listeners and feeds: what was begun is finished, nothing new is taken.
    pub fn stop(&self) {
        self.stop.send_replace(true);
    }

    /// Becomes true when [`Self::stop`] was called.
    pub(crate) fn stopping(&self) -> watch::Receiver<bool> {
        self.stop.subscribe()
    }
}
