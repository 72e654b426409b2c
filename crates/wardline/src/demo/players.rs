//! The virtual devices as real clients: a task, a socket and a certificate each.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::Context as _;
use model::Timestamp;
use rustls::{
    ClientConfig,
    pki_types::{CertificateDer, pem::PemObject as _},
};
use security::Authority;
use sim::{Act, Deed, Enrolled, Hospital, Kind, Sent};
use store::Clock;
use tokio::{net::lookup_host, sync::mpsc, task::JoinHandle};
use transport::{
    client_config,
    mqtt::{Client, ClientOptions, Version},
};

use super::{
    https_player::{HttpsPlayer, client},
    line::{Answer, Heard, Line},
    stage::{Stage, StagedDevice},
};

/// Acts that wait for one device; the ward waits when they are too many.
const ACTS_MAX: usize = 4_096;
/// How long a device waits before it tries to connect again.
const TRY_AGAIN: Duration = Duration::from_millis(500);
/// How long the last acknowledgements may take.
const LAST_ANSWERS: Duration = Duration::from_secs(10);

/// What became of a message, with when it left by the client's clock.
#[derive(Clone, Debug)]
pub(crate) struct Answered {
    /// The device's place in the ward's list.
    pub(crate) device_index: usize,
    /// The message.
    pub(crate) sent: Sent,
    /// When its last byte was handed to the socket.
    pub(crate) sent_at: Timestamp,
    /// The reason code: below 0x80 it was taken.
    pub(crate) code: u8,
}

/// All devices of a ward, connected.
pub(crate) struct Players {
    acts: Vec<mpsc::Sender<Act>>,
    tasks: Vec<JoinHandle<anyhow::Result<()>>>,
    /// How many came in.
    pub(crate) connected: usize,
}

impl Players {
    /// Connects every staged device to MQTT or HTTPS; answers go to `answers` if somebody counts
    /// them.
    pub(crate) async fn connect(
        stage: &Stage,
        (mqtt, https): (&str, &str),
        clock: &Clock,
        answers: Option<mpsc::Sender<Answered>>,
        expired: &[Paper],
    ) -> anyhow::Result<Self> {
        let address =
            lookup_host(mqtt).await?.next().with_context(|| format!("no address for {mqtt}"))?;
        let mut players = Self { acts: Vec::new(), tasks: Vec::new(), connected: 0 };
        for (device_index, device) in stage.devices.iter().enumerate() {
            let options = options(device, address, clock)?;
            let expired = match expired.get(device_index) {
                Some(paper) => {
                    let own = (paper.certificate_pem.as_str(), paper.key_pem.as_str());
                    Some(client_config(&device.ca_pem, Some(own), clock)?)
                }
                None => None,
            };
            let (sender, acts) = mpsc::channel(ACTS_MAX);
            let could_not = || format!("{} could not connect", device.serial);
            players.connected += 1;
            players.acts.push(sender);
            if speaks_https(device.kind) {
                let player = HttpsPlayer {
                    device_index,
                    base: format!("https://{https}"),
                    http: client(&options.tls)?,
                    expired: expired.as_ref().map(client).transpose()?,
                    clock: clock.clone(),
                    answers: answers.clone(),
                };
                player.greet().await.with_context(could_not)?;
                players.tasks.push(tokio::spawn(player.run(acts)));
                continue;
            }
            let topic_prefix = format!("wl/1/{}/{}/up", device.site, device.id);
            let mut line = Line::new(options, topic_prefix);
            line.connect().await.with_context(could_not)?;
            let answers = answers.clone();
            let player = Player { device_index, line, expired, is_cut: false, answers };
            players.tasks.push(tokio::spawn(player.run(acts)));
        }
        Ok(players)
    }

    /// Lets the ward live until `until`, by the one clock.
    pub(crate) async fn play(
        &self,
        ward: &mut Hospital,
        clock: &Clock,
        until: Timestamp,
    ) -> anyhow::Result<()> {
        while ward.next_at() <= until {
            clock.sleep_until(ward.next_at()).await;
            for deed in ward.step() {
                self.act(deed).await?;
            }
        }
        Ok(())
    }

    /// Lets one device do something.
    pub(crate) async fn act(&self, deed: Deed) -> anyhow::Result<()> {
        let acts = self.acts.get(deed.device_index).context("a deed of an unknown device")?;
        acts.send(deed.act).await.context("a device ended")
    }

    /// Waits for the last answers and says goodbye.
    pub(crate) async fn finish(self) -> anyhow::Result<()> {
        drop(self.acts);
        for task in self.tasks {
            task.await.context("a device broke off")??;
        }
        Ok(())
    }
}

/// A cuff measures now and then, and keeps no connection in between.
const fn speaks_https(kind: Kind) -> bool {
    matches!(kind, Kind::Cuff)
}

/// A certificate with its key.
#[derive(Clone, Debug)]
pub(crate) struct Paper {
    certificate_pem: String,
    key_pem: String,
}

/// What a device would show whose certificate ran out a day after `issued_at`.
pub(crate) fn expired_paper(
    authority: &Authority,
    device: &StagedDevice,
    issued_at: Timestamp,
) -> anyhow::Result<Paper> {
    let der = CertificateDer::from_pem_slice(device.certificate_pem.as_bytes())?;
    let identity = security::from_certificate(&der)?;
    let day = Duration::from_secs(86_400);
    let issued = authority.issue_device(identity.org, identity.device, issued_at, day)?;
    Ok(Paper { certificate_pem: issued.certificate_pem, key_pem: issued.key_pem.0 })
}

/// The virtual devices as the ward knows them.
pub(crate) fn enrolled(stage: &Stage) -> anyhow::Result<Vec<Enrolled>> {
    let enrol = |device: &StagedDevice| {
        Ok(Enrolled {
            id: device.id.parse()?,
            site: device.site.parse()?,
            kind: device.kind,
            bed_index: device.bed,
            serial: device.serial.clone(),
        })
    };
    stage.devices.iter().map(enrol).collect()
}

fn options(
    device: &StagedDevice,
    addr: SocketAddr,
    clock: &Clock,
) -> anyhow::Result<ClientOptions> {
    let own = (device.certificate_pem.as_str(), device.key_pem.as_str());
    Ok(ClientOptions {
        addr,
        server_name: "localhost".to_owned(),
        tls: client_config(&device.ca_pem, Some(own), clock)?,
        version: Version::V5,
        client_id: device.id.clone(),
        clean: true,
        expiry_s: 0,
        keep_alive_s: 30,
        will: None,
        clock: clock.clone(),
    })
}

struct Player {
    device_index: usize,
    line: Line,
    /// Who it is with a certificate that has expired.
    expired: Option<Arc<ClientConfig>>,
    is_cut: bool,
    answers: Option<mpsc::Sender<Answered>>,
}

/// What a player waits for.
enum Next {
    Act(Option<Act>),
    Server(Heard),
    TryAgain,
}

impl Player {
    async fn run(mut self, mut acts: mpsc::Receiver<Act>) -> anyhow::Result<()> {
        loop {
            let may_act = self.line.has_room() || self.is_cut;
            let next = if self.line.is_up() {
                tokio::select! {
                    biased;
                    heard = self.line.next() => Next::Server(heard),
                    act = acts.recv(), if may_act => Next::Act(act),
                }
            } else if self.is_cut {
                Next::Act(acts.recv().await)
            } else {
                tokio::time::sleep(TRY_AGAIN).await;
                Next::TryAgain
            };
            match next {
                Next::Act(Some(act)) => self.act(act).await,
                Next::Act(None) => break,
                Next::Server(heard) => self.take(heard).await,
                Next::TryAgain => self.connect().await,
            }
        }
        tokio::time::timeout(LAST_ANSWERS, self.await_answers()).await.map_err(|_| {
            anyhow::anyhow!(
                "{} messages of {} were never answered",
                self.line.waiting(),
                self.line.topic_prefix()
            )
        })
    }

    async fn await_answers(&mut self) {
        while self.line.waiting() > 0 {
            if self.line.is_up() {
                let heard = self.line.next().await;
                self.take(heard).await;
            } else {
                self.connect().await;
                if !self.line.is_up() {
                    tokio::time::sleep(TRY_AGAIN).await;
                }
            }
        }
    }

    async fn act(&mut self, act: Act) {
        match act {
            Act::Cut => self.cut(),
            Act::Expire => {
                self.cut();
                if let Some(tls) = self.expired.clone() {
                    // It is refused, which is the point.
                    let options = ClientOptions { tls, ..self.line.options().clone() };
                    let _ = Client::connect(options).await;
                }
            }
            Act::Restore => {
                self.is_cut = false;
                self.connect().await;
            }
            Act::Send(sent) => self.line.send(Arc::new(sent)).await,
        }
    }

    fn cut(&mut self) {
        self.line.cut();
        self.is_cut = true;
    }

    async fn take(&mut self, heard: Heard) {
        let Heard::Answer(Answer { sent, sent_at, code, .. }) = heard else { return };
        if let Some(answers) = &self.answers {
            let (device_index, sent) = (self.device_index, Sent::clone(&sent));
            // Nobody counts any more once the receiver is gone.
            let _ = answers.send(Answered { device_index, sent, sent_at, code }).await;
        }
    }

    /// One attempt; what is still down is tried again.
    async fn connect(&mut self) {
        let _ = self.line.connect().await;
    }
}
