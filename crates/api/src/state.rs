//! What every handler holds: the handles on the rest of the program.

use std::{
    collections::BTreeMap,
    sync::{Arc, atomic::AtomicU64},
};

use engine::EngineHandle;
use ingest::Door;
use protocols::profile::Profile;
use security::Authority;
use store::{Clock, Journal, Records, Series};
use tokio::sync::{Semaphore, watch};
use transport::{Revocations, mqtt::MqttHandle};

use crate::{auth::Auth, limits::FEEDS_MAX};

/// What differs between a demo, a test and a hospital.
#[derive(Clone, Debug)]
pub struct Config {
    /// Anybody may sign in as anybody with one click, for a ward of made-up people.
    pub demo: bool,
    /// Whether the session cookie may travel over TLS only.
    pub secure_cookies: bool,
    /// The name that devices are told to connect to.
    pub mqtt_host: String,
    /// The port that devices are told to connect to.
    pub mqtt_port: u16,
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
    pub(crate) config: Config,
    pub(crate) auth: Auth,
    /// A place for each open feed.
    pub(crate) feeds: Arc<Semaphore>,
    pub(crate) counts: Counts,
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
            config: parts.config,
            auth,
            feeds,
            counts: Counts::default(),
            stop: watch::Sender::new(false),
        })
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
