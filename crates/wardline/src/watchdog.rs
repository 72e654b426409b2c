//! The built-in watchdog: for each site a device that sends a beat a second the whole
//! way of a reading. A screen that misses it says that it is blind.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    sync::Arc,
    time::Duration,
};

use anyhow::Context as _;
use engine::{EngineHandle, beat};
use model::{Certificate, CertificateId, Device, DeviceId, Lifecycle, OrgId, SiteId};
use record::{Actor, Body, ClockStep, Command, Wish};
use security::{Authority, random_u128};
use store::{Clock, Entry, Journal};
use tokio::task::JoinHandle;
use transport::{
    client_config,
    mqtt::{Client, ClientOptions, Version},
};

/// Between two beats.
const EVERY: Duration = Duration::from_secs(1);
/// A certificate outlives any run; the next start issues its own.
const VALID_FOR: Duration = Duration::from_secs(400 * 86_400);

/// What the watchdog needs.
pub(crate) struct Watchdog {
    pub(crate) clock: Clock,
    pub(crate) journal: Journal,
    pub(crate) engine: EngineHandle,
    pub(crate) authority: Arc<Authority>,
    /// Where MQTT listens, and the name in its certificate.
    pub(crate) mqtt: (SocketAddr, String),
}

impl Watchdog {
    /// Sends beats for every site there is, now and later.
    pub(crate) fn start(self) -> JoinHandle<()> {
        tokio::spawn(async move {
            let mut watched: BTreeMap<SiteId, JoinHandle<()>> = BTreeMap::new();
            // One certificate for each site and run: a reconnect uses it again.
            let mut papers: BTreeMap<SiteId, ClientOptions> = BTreeMap::new();
            loop {
                let directory = self.engine.directory();
                self.tell_clock_step(directory.orgs.keys().next().copied()).await;
                let sites: BTreeSet<(SiteId, OrgId)> =
                    directory.sites.values().map(|site| (site.id, site.org)).collect();
                for (site, org) in sites {
                    let is_watched = watched.get(&site).is_some_and(|task| !task.is_finished());
                    if !is_watched {
                        match self.begin(site, org, &mut papers).await {
                            Ok(task) => drop(watched.insert(site, task)),
                            Err(error) => {
                                tracing::warn!(%site, error = format!("{error:#}"), "watchdog_not_started")
                            }
                        }
                    }
                }
                self.clock.sleep_until(self.clock.now().after(EVERY)).await;
            }
        })
    }

    /// Journals that the machine's clock was moved, which ours was not.
    async fn tell_clock_step(&self, org: Option<OrgId>) {
        let Some((org, jumped_ns)) = org.zip(self.clock.take_step()) else { return };
        let step = Body::ClockStep(ClockStep { jumped_ns });
        if let Err(error) = self.journal.append(vec![self.entry(org, &step)]).await {
            tracing::warn!(jumped_ns, %error, "clock_step_not_recorded");
        }
    }

    async fn begin(
        &self,
        site: SiteId,
        org: OrgId,
        papers: &mut BTreeMap<SiteId, ClientOptions>,
    ) -> anyhow::Result<JoinHandle<()>> {
        let device = self.enrol(site, org).await?;
        let options = match papers.get(&site) {
            Some(options) => options.clone(),
            None => self.certify(device, org).await?,
        };
        papers.insert(site, options.clone());
        let mut client =
            Client::connect(options).await.context("the watchdog could not connect")?;
        let topic = format!("wl/1/{site}/{device}/up/{}", beat::LEAF);
        let clock = self.clock.clone();
        Ok(tokio::spawn(async move {
            let mut next = clock.now();
            for seq in 0_u64.. {
                let payload = beat::payload(seq, clock.now());
                let sent = client.publish_and_wait(&topic, Some("text/plain"), payload);
                // A beat that is not answered in time is missed by the engine, which says so.
                if let Ok(Err(error)) = tokio::time::timeout(EVERY * 10, sent).await {
                    tracing::warn!(%error, "watchdog_interrupted");
                    return;
                }
                next = next.after(EVERY).max(clock.now());
                clock.sleep_until(next).await;
            }
        }))
    }

    /// A certificate for the site's watchdog, and how it connects with it.
    async fn certify(&self, device: DeviceId, org: OrgId) -> anyhow::Result<ClientOptions> {
        let issued = self.authority.issue_device(org, device, self.clock.now(), VALID_FOR)?;
        let certificate = Certificate {
            id: CertificateId::v7(self.clock.now(), random_u128()?),
            device,
            serial: issued.serial.clone(),
            not_before: issued.not_before,
            not_after: issued.not_after,
            revoked_at: None,
            fingerprint: Some(issued.fingerprint),
        };
        self.ask(org, Wish::PutCertificate(certificate)).await?;
        let own = (issued.certificate_pem.as_str(), issued.key_pem.0.as_str());
        Ok(ClientOptions {
            addr: self.mqtt.0,
            server_name: self.mqtt.1.clone(),
            tls: client_config(self.authority.certificate_pem(), Some(own), &self.clock)?,
            version: Version::V5,
            client_id: device.to_string(),
            clean: true,
            expiry_s: 0,
            keep_alive_s: 30,
            will: None,
            clock: self.clock.clone(),
        })
    }

    /// The site's watchdog device; made at first, found again at each later start.
    async fn enrol(&self, site: SiteId, org: OrgId) -> anyhow::Result<DeviceId> {
        let directory = self.engine.directory();
        let found =
            directory.devices.values().find(|it| it.site == site && it.profile == beat::PROFILE);
        if let Some(found) = found {
            return Ok(found.id);
        }
        let id = DeviceId::v7(self.clock.now(), random_u128()?);
        let device = Device {
            id,
            org,
            site,
            care_unit: None,
            profile: beat::PROFILE.to_owned(),
            serial: format!("watchdog-{site}"),
            label: "Watchdog".to_owned(),
            lifecycle: Lifecycle::InService,
        };
        self.ask(org, Wish::PutDevice(device)).await?;
        Ok(id)
    }

    async fn ask(&self, org: OrgId, wish: Wish) -> anyhow::Result<()> {
        let body = Body::Command(Command { actor: Actor::System, wish });
        let durable = self.journal.append(vec![self.entry(org, &body)]).await?;
        self.engine.outcome(&durable).await?;
        Ok(())
    }

    fn entry(&self, org: OrgId, body: &Body) -> Entry {
        let (kind, body_version, body) = body.encode();
        let received_at = self.clock.now();
        Entry { kind, body_version, org, partition: org.into(), received_at, key_id: 0, body }
    }
}
