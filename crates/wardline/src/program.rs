//! The wiring of one server process: what depends on what, started in that order and
//! stopped in the reverse.

use std::{collections::BTreeMap, net::SocketAddr, path::Path, sync::Arc, time::Duration};

use anyhow::Context as _;
use api::{Api, ApiParts};
use engine::{Cut, Engine, EngineHandle, EngineParts, Setup};
use ingest::{DeviceRef, Door, Pump, Registry};
use model::{DeviceId, Id, Lifecycle, OrgId, PartitionId};
use protocols::profile::{Grant, Profile};
use record::Body;
use security::{Authority, Keys, TopicGrant};
use store::{Clock, DataDir, FileStorage, Journal, JournalLimits, LogOffset, Records, Series};
use tokio::{net::TcpListener, task::JoinHandle};
use transport::{
    ClientAuth, RefusedWhy, Revocations,
    mqtt::{Admitted, MayConnect, MqttConfig, MqttHandle, Recalled, listen},
    server_config,
};

use crate::{
    backup_keeper::{BackupKeeper, clear_leftovers},
    config::Config,
    mend_keeper::MendKeeper,
    open_files,
    profiles::profiles,
    records_place::{Address, noted},
    retention_keeper::RetentionKeeper,
    watchdog::Watchdog,
};

/// How much of the journal's end is read again for repeats and sessions.
const RECALLED_BYTES: u64 = 64 << 20;
/// How long the server's own certificate is valid; a new one is made at each start.
const SERVER_VALID_FOR: Duration = Duration::from_secs(397 * 86_400);

const NO_SEGMENTS: &str = "the journal's segments cannot be listed";

/// Names the stage that a test of the demo's check cuts out; a hospital's server refuses it.
const TEST_CUT: &str = "WARDLINE_TEST_CUT";

/// For whom the server is started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Anybody signs in with one click; the people are made up.
    Demo,
    /// Real people with passwords.
    Hospital,
}

/// A running server.
pub(crate) struct Program {
    api: Arc<Api>,
    engine: EngineHandle,
    engine_task: JoinHandle<engine::EngineEnd>,
    journal: Journal,
    mqtt: MqttHandle,
    pump: Pump,
    listeners: Vec<JoinHandle<()>>,
    watchdog: JoinHandle<()>,
    backups: Option<JoinHandle<()>>,
    retention: JoinHandle<()>,
    mending: JoinHandle<()>,
    people_tls: bool,
    mqtt_address: SocketAddr,
    addresses: Addresses,
    invitation: Option<String>,
}

/// Where it listens for HTTP, as the system gave it.
struct Addresses {
    people: SocketAddr,
    metrics: SocketAddr,
    devices: SocketAddr,
}

/// The sockets of [`Addresses`].
struct Sockets {
    people: TcpListener,
    metrics: TcpListener,
    devices: TcpListener,
}

impl Sockets {
    async fn bind(config: &Config) -> anyhow::Result<(Addresses, Self)> {
        let (people, people_at) = bind(config.people.listen, "people.listen").await?;
        let (metrics, metrics_at) = bind(config.metrics, "metrics").await?;
        let (devices, devices_at) = bind(config.devices.https, "devices.https").await?;
        let addresses = Addresses { people: people_at, metrics: metrics_at, devices: devices_at };
        Ok((addresses, Self { people, metrics, devices }))
    }

    /// Serves on each of them, and starts what runs beside.
    fn serve(
        self,
        api: &Arc<Api>,
        people_tls: Option<Arc<rustls::ServerConfig>>,
        devices_tls: Arc<rustls::ServerConfig>,
        org: OrgId,
    ) -> Vec<JoinHandle<()>> {
        vec![
            tokio::spawn(api::serve(Arc::clone(api), self.people, people_tls)),
            tokio::spawn(api::serve_metrics(Arc::clone(api), self.metrics)),
            tokio::spawn(Arc::clone(api).keep_watch()),
            tokio::spawn(api::serve_devices(Arc::clone(api), self.devices, devices_tls)),
            tokio::spawn(api::keep_pulse(Arc::clone(api), org)),
            tokio::spawn(api::keep_disk_watch(Arc::clone(api), org)),
            tokio::spawn(api::keep_rolls(Arc::clone(api))),
        ]
    }
}

impl Program {
    /// Starts everything; when it returns, people and devices are served.
    pub(crate) async fn start(config: Config, clock: Clock, mode: Mode) -> anyhow::Result<Self> {
        let config = config.checked()?;
        refuse_cut(mode)?;
        let dir = DataDir::open(&config.data)?;
        let kept = Kept::open(&dir, &clock, config.records.as_ref())?;
        let profiles = Arc::new(profiles()?);
        let (engine, engine_task) = start_engine(&kept, &clock, &profiles).await?;
        let first = api::first_start(&clock, &kept.journal, &engine, &config.organization).await?;
        let authority = Arc::new(authority(dir.path(), first.org, &clock)?);
        let revocations =
            Revocations::new(engine.directory().revoked_serials().map(<[u8]>::to_vec));
        let door = Arc::new(door(&kept.journal, &engine, &profiles, first.org)?);
        let sessions = recall(&kept.journal, &door)?;
        let tls = OwnCertificate::issue(&authority, &config, &clock)?;
        let ca_pem = authority.certificate_pem().to_owned();
        let clients =
            ClientAuth::Required { ca_pem: ca_pem.clone(), revocations: revocations.clone() };
        let (listener, mqtt) = listen(MqttConfig {
            addr: config.devices.mqtt,
            tls: tls.config(&clients)?,
            limits: transport::Limits::default().within_files(files()),
            clock: clock.clone(),
            restored: sessions,
            may_connect: may_connect(engine.clone(), Arc::clone(&profiles)),
        })
        .await
        .with_context(|| format!("MQTT cannot listen on {}", config.devices.mqtt))?;
        let mqtt_address = listener.address();
        let pump = Pump::start(listener, Arc::clone(&door), clock.clone());
        let (addresses, sockets) = Sockets::bind(&config).await?;
        let waves = kept.waves(&clock, &engine, first.org);
        let mending = kept.mending(&clock, &engine, &profiles);
        let api = Api::new(ApiParts {
            clock: clock.clone(),
            journal: kept.journal.clone(),
            engine: engine.clone(),
            records: kept.records,
            series: kept.series,
            authority: Arc::clone(&authority),
            door,
            mqtt: Some(mqtt.clone()),
            revocations: revocations.clone(),
            profiles,
            data: dir.path().to_owned(),
            config: api_config(&config, mode, (mqtt_address.port(), addresses.devices.port())),
        });
        let offered = ClientAuth::Offered { ca_pem, revocations };
        let people_tls = config.people.tls.then(|| tls.config(&ClientAuth::None)).transpose()?;
        let listeners = sockets.serve(&api, people_tls, tls.config(&offered)?, first.org);
        let keeper = BackupKeeper::new(&clock, &kept.journal, &dir, api.backup_desk());
        let journal = kept.journal.clone();
        let watchdog = watchdog((clock, journal), &engine, authority, mqtt_address.port());
        Ok(Self {
            backups: keeper.start(&config.backup),
            mending: mending.start(),
            retention: waves.start(config.retention, api.retention_desk()),
            api,
            engine,
            engine_task,
            journal: kept.journal,
            mqtt,
            pump,
            listeners,
            watchdog: watchdog.start(),
            people_tls: config.people.tls,
            mqtt_address,
            addresses,
            invitation: first.invitation,
        })
    }

    /// Where people go, such as `http://localhost:8080`.
    pub(crate) fn people_address(&self) -> String {
        let scheme = if self.people_tls { "https" } else { "http" };
        format!("{scheme}://localhost:{}", self.addresses.people.port())
    }

    /// Host and port of MQTT.
    pub(crate) fn mqtt_address(&self) -> String {
        format!("localhost:{}", self.mqtt_address.port())
    }

    /// Host and port of HTTPS for devices.
    pub(crate) fn https_address(&self) -> String {
        format!("localhost:{}", self.addresses.devices.port())
    }

    /// Where the metrics are.
    pub(crate) fn metrics_address(&self) -> String {
        format!("http://{}/metrics", self.addresses.metrics)
    }

    /// Where screens of a demo ask for something to happen.
    pub(crate) fn demo_desk(&self) -> api::DemoDesk {
        self.api.demo_desk()
    }

    /// Path of the administrator's one-time link, until it was used.
    pub(crate) fn invitation(&self) -> Option<&str> {
        self.invitation.as_deref()
    }

    /// Returns, and says why, once a part has ended by itself without which nobody would
    /// be alarmed. There is nothing left to stop then: the process ends and is started again.
    pub(crate) async fn broke(&mut self) -> anyhow::Error {
        let what = tokio::select! {
            ended = &mut self.engine_task => match ended {
                Ok(end) => format!("the engine ended by itself: {end:?}"),
                Err(error) => format!("the engine broke off: {error}"),
            },
            () = self.pump.broke() => "the loop that takes messages in broke off".to_owned(),
        };
        anyhow::anyhow!("{what}; nothing would raise an alarm any more, start the program again")
    }

    /// Stops in the reverse order: no new people, no new messages, a checkpoint, the log.
    pub(crate) async fn stop(self) {
        self.watchdog.abort();
        // A segment is whole until its thinned form was read back, whenever that is cut short.
        self.retention.abort();
        // A chunk stands in its place as a whole, or what was there before.
        self.mending.abort();
        if let Some(backups) = &self.backups {
            // A backup that is cut short is none; the next one goes on with its blocks.
            backups.abort();
        }
        self.api.stop();
        for listener in self.listeners {
            // A listener that broke off has nothing left to stop.
            let _ = listener.await;
        }
        self.mqtt.stop();
        let _ = self.pump.ended().await;
        self.engine.stop().await;
        let _ = self.engine_task.await;
        drop(self.api);
        let journal = self.journal;
        let _ = tokio::task::spawn_blocking(move || journal.close()).await;
    }
}

/// What is on disk, open.
struct Kept {
    journal: Journal,
    series: Series,
    records: Records,
}

impl Kept {
    fn open(dir: &DataDir, clock: &Clock, records: Option<&Address>) -> anyhow::Result<Self> {
        // Before anything is opened: what they take may be the room that the journal needs.
        clear_leftovers(dir);
        let storage = FileStorage::open(dir).context("the journal's folder cannot be opened")?;
        let (journal, recovery) = Journal::open(storage, clock.clone(), JournalLimits::default())?;
        tell_of_a_lost_beginning(&journal)?;
        if let Some(torn) = recovery.torn {
            tracing::warn!(offset = %torn.offset, len = torn.len, frames = torn.frames, "journal_tail_torn");
            eprintln!(
                "the last write before the stop was cut short at {} and was never acknowledged; {} bytes of it were erased",
                torn.offset, torn.len
            );
        }
        store::check_upgrade(dir)?;
        let series = Series::open_for_start(dir.series())?;
        let place = match records {
            Some(address) => Some(address.place()?),
            None => noted(dir)?,
        };
        let org = place.as_ref().map(|_| first_org(&journal)).transpose()?.flatten();
        let records = Records::of(dir, place.as_ref(), org)?;
        Ok(Self { journal, series, records })
    }

    /// What thins the journal behind everything else.
    fn waves(&self, clock: &Clock, engine: &EngineHandle, org: OrgId) -> RetentionKeeper {
        let (clock, engine) = (clock.clone(), engine.clone());
        let (journal, series) = (self.journal.clone(), self.series.clone());
        RetentionKeeper { clock, journal, series, engine, org }
    }
}

impl Kept {
    /// What makes damaged chunks again behind everything else.
    fn mending(
        &self,
        clock: &Clock,
        engine: &EngineHandle,
        profiles: &BTreeMap<String, Profile>,
    ) -> MendKeeper {
        let (clock, engine, profiles) = (clock.clone(), engine.clone(), profiles.clone());
        let (journal, series) = (self.journal.clone(), self.series.clone());
        MendKeeper { clock, journal, series, engine, profiles }
    }
}

/// What watches the server from beside it, also by its own door for devices.
fn watchdog(
    (clock, journal): (Clock, Journal),
    engine: &EngineHandle,
    authority: Arc<Authority>,
    port: u16,
) -> Watchdog {
    let loopback = SocketAddr::from((std::net::Ipv4Addr::LOCALHOST, port));
    let mqtt = (loopback, "localhost".to_owned());
    Watchdog { clock, journal, engine: engine.clone(), authority, mqtt }
}

/// Whose journal it is, as its oldest record says.
fn first_org(journal: &Journal) -> anyhow::Result<Option<OrgId>> {
    let begins = journal.begins_at().context(NO_SEGMENTS)?;
    let oldest = journal.replay(begins).next().transpose();
    Ok(oldest.context("the journal's oldest record cannot be read")?.map(|it| it.frame.org))
}

/// What is left of such a journal is served, and somebody has to know.
fn tell_of_a_lost_beginning(journal: &Journal) -> anyhow::Result<()> {
    let begins = journal.begins_at().context(NO_SEGMENTS)?;
    if begins > LogOffset::default() {
        eprintln!(
            "the journal begins at offset {begins}: older segments are gone, and only rows, series and backups still have what was in them"
        );
    }
    Ok(())
}

async fn start_engine(
    kept: &Kept,
    clock: &Clock,
    profiles: &BTreeMap<String, Profile>,
) -> anyhow::Result<(EngineHandle, JoinHandle<engine::EngineEnd>)> {
    let parts = EngineParts {
        clock: clock.clone(),
        journal: kept.journal.clone(),
        series: kept.series.clone(),
        records: kept.records.clone(),
        setup: Setup { profiles: profiles.clone(), cut: cut()? },
    };
    Engine::start(parts).await.context("the engine could not take up its state")
}

/// How many files may be open. What there is serves fewer devices, and that is better than none.
fn files() -> u64 {
    open_files::allow_many().unwrap_or_else(|error| {
        tracing::warn!(error = format!("{error:#}"), "open_files_not_raised");
        open_files::allowed()
    })
}

/// A hospital's server has all of its stages, whatever the environment says.
fn refuse_cut(mode: Mode) -> anyhow::Result<()> {
    anyhow::ensure!(
        mode == Mode::Demo || std::env::var_os(TEST_CUT).is_none(),
        "{TEST_CUT} is set, which cuts a stage out for the demo's check; unset it to serve"
    );
    Ok(())
}

fn cut() -> anyhow::Result<Option<Cut>> {
    let Ok(stage) = std::env::var(TEST_CUT) else { return Ok(None) };
    Ok(match stage.as_str() {
        "series" => Some(Cut::Series),
        "deciders" => Some(Cut::Deciders),
        "alarms" => Some(Cut::Alarms),
        "escalation" => Some(Cut::Escalation),
        "live_feed" => Some(Cut::LiveFeed),
        "ingest" => None,
        other => anyhow::bail!("{TEST_CUT} is `{other}`, which is no stage"),
    })
}

/// The authority of this installation: made at the first start, read at the others.
fn authority(root: &Path, org: OrgId, clock: &Clock) -> anyhow::Result<Authority> {
    let folder = root.join("keys");
    let (certificate, key) = (folder.join("ca.pem"), folder.join("ca.key"));
    if certificate.exists() {
        let read = |path: &Path| {
            std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
        };
        return Ok(Authority::load(&read(&certificate)?, &read(&key)?)?);
    }
    std::fs::create_dir_all(&folder)
        .with_context(|| format!("cannot make {}", folder.display()))?;
    let (authority, pem) = Authority::create(Keys::system(), org, clock.now())?;
    write_secret(&key, &pem.key_pem.0)?;
    write_secret(&certificate, &pem.certificate_pem)?;
    Ok(authority)
}

/// Writes a file that only its owner reads, durably, and whole or not at all: a first
/// start that is cut short leaves nothing that the next one stumbles over.
fn write_secret(path: &Path, text: &str) -> anyhow::Result<()> {
    use std::{fs::File, io::Write as _, os::unix::fs::OpenOptionsExt as _};
    let unfinished = path.with_extension("unfinished");
    let write = || -> std::io::Result<()> {
        let mut options = File::options();
        options.write(true).create(true).truncate(true).mode(0o600);
        let mut file = options.open(&unfinished)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&unfinished, path)?;
        match path.parent() {
            Some(folder) => File::open(folder)?.sync_all(),
            None => Ok(()),
        }
    };
    write().with_context(|| format!("cannot write {}", path.display()))
}

/// The door, which looks devices up in the engine's directory.
fn door(
    journal: &Journal,
    engine: &EngineHandle,
    profiles: &BTreeMap<String, Profile>,
    org: OrgId,
) -> anyhow::Result<Door> {
    let profiles: BTreeMap<String, Arc<Profile>> =
        profiles.iter().map(|(name, profile)| (name.clone(), Arc::new(profile.clone()))).collect();
    let engine = engine.clone();
    let is_cut = std::env::var(TEST_CUT).is_ok_and(|stage| stage == "ingest");
    let lookup = move |device: DeviceId| {
        let directory = engine.directory();
        let found = directory.devices.get(&device).filter(|_| !is_cut)?;
        Some(DeviceRef {
            id: device,
            org: found.org,
            site: found.site,
            partition: directory
                .partition_of(device)
                .unwrap_or_else(|| PartitionId::from(found.site)),
            profile: Arc::clone(profiles.get(&found.profile)?),
            lifecycle: found.lifecycle,
            gateway: directory.gateway_of(device),
        })
    };
    // Letters of strangers lie with the organization: there may be no site yet.
    let fallback = Id::from_uuid(org.uuid())?;
    Ok(Door::new(journal.clone(), Registry::new(lookup), (org, fallback)))
}

/// Reads the journal's end again: repeats of what is there stay repeats, sessions go on.
///
/// What the MQTT door keeps may lie further back; then more is read, up to the beginning.
fn recall(journal: &Journal, door: &Door) -> anyhow::Result<Recalled> {
    let mut span = RECALLED_BYTES;
    let mut recalled = read_end(journal, span, |body| door.recall(body))?;
    while !recalled.is_whole() {
        span = span.saturating_mul(2);
        recalled = read_end(journal, span, |_| {})?;
    }
    Ok(recalled)
}

/// Reads the last `span` bytes of the journal, and the rest of their first segment.
fn read_end(journal: &Journal, span: u64, mut also: impl FnMut(&Body)) -> anyhow::Result<Recalled> {
    let about = LogOffset::from_bytes(journal.end().bytes().saturating_sub(span));
    let from = journal.segment_before(about).context(NO_SEGMENTS)?;
    // Before the oldest segment there is nothing that could be read in addition.
    let is_all = about <= journal.begins_at().context(NO_SEGMENTS)?;
    let mut recalled =
        if is_all { Recalled::from_the_beginning() } else { Recalled::from_the_middle() };
    for record in journal.replay(from) {
        let frame = record.context("the journal's end cannot be read again")?.frame;
        let Ok(body) = Body::decode(frame.kind, frame.body_version, &frame.body) else { continue };
        also(&body);
        recalled.take(frame.org, &body);
    }
    Ok(recalled)
}

/// Asks the directory at each connection.
fn may_connect(engine: EngineHandle, profiles: Arc<BTreeMap<String, Profile>>) -> MayConnect {
    Arc::new(move |identity| {
        let directory = engine.directory();
        let device = directory.devices.get(&identity.device).filter(|it| it.org == identity.org);
        let device = device.ok_or(RefusedWhy::UnknownDevice)?;
        match device.lifecycle {
            Lifecycle::Provisioned | Lifecycle::InService => {
                let grants = profiles.get(&device.profile).map_or(&[][..], |found| &found.grants);
                let grant = |grant: &Grant| TopicGrant {
                    filter: grant.filter.clone(),
                    publish: grant.publish,
                    subscribe: grant.subscribe,
                };
                Ok(Admitted { site: device.site, grants: grants.iter().map(grant).collect() })
            }
            Lifecycle::Ordered => Err(RefusedWhy::UnknownDevice),
            Lifecycle::Quarantined => Err(RefusedWhy::Quarantined),
            Lifecycle::Retired => Err(RefusedWhy::Retired),
        }
    })
}

fn api_config(config: &Config, mode: Mode, (mqtt_port, https_port): (u16, u16)) -> api::Config {
    api::Config {
        demo: mode == Mode::Demo,
        secure_cookies: config.people.tls,
        mqtt_host: config.devices.host.clone(),
        mqtt_port,
        https_port,
        version: env!("CARGO_PKG_VERSION"),
    }
}

/// The server's own certificate, one for every listener of this start.
struct OwnCertificate {
    issued: security::Issued,
    clock: Clock,
}

impl OwnCertificate {
    fn issue(authority: &Authority, config: &Config, clock: &Clock) -> anyhow::Result<Self> {
        let issued =
            authority.issue_server(&server_names(config), clock.now(), SERVER_VALID_FOR)?;
        Ok(Self { issued, clock: clock.clone() })
    }

    fn config(&self, clients: &ClientAuth) -> anyhow::Result<Arc<rustls::ServerConfig>> {
        let (certificate, key) = (&self.issued.certificate_pem, &self.issued.key_pem.0);
        Ok(server_config(certificate, key, clients, &self.clock)?)
    }
}

fn server_names(config: &Config) -> Vec<String> {
    let mut names = config.people.names.clone();
    names.extend(["localhost".to_owned(), "127.0.0.1".to_owned(), config.devices.host.clone()]);
    names.sort();
    names.dedup();
    names
}

async fn bind(address: SocketAddr, what: &str) -> anyhow::Result<(TcpListener, SocketAddr)> {
    let listener = TcpListener::bind(address).await.with_context(|| {
        format!("{what} cannot listen on {address}; is another program there? choose another port")
    })?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}
