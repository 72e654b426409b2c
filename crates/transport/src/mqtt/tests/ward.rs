//! A ward for tests: an authority, devices with certificates, a listener, a journal.

use std::{
    future::Future,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use model::{DeviceId, OrgId, PartitionId, SiteId, Timestamp};
use record::{MqttSession, Position};
use rustls::{ClientConfig, pki_types::ServerName};
use security::{Authority, Issued, Keys};
use store::{Clock, Durable, Entry, FaultyDisk, Journal, JournalLimits};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::*;
use crate::{
    Arrival, ClientAuth, Message, RefusedWhy, Revocations, Unacked, client_config, server_config,
};

pub(super) const START: Timestamp = Timestamp::from_unix_millis(1_763_000_000_000);
const DAY: Duration = Duration::from_secs(86_400);

/// Fails instead of hanging for ever; nothing is measured by it.
pub(super) async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(30), future)
        .await
        .unwrap_or_else(|_| unreachable!("the test hangs"))
}

/// Lets the others run until something is so.
pub(super) async fn until(is_so: impl Fn() -> bool) {
    within(async {
        while !is_so() {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

pub(super) struct Ward {
    pub clock: Clock,
    pub authority: Authority,
    pub ca_pem: String,
    pub org: OrgId,
    pub site: SiteId,
    pub revocations: Revocations,
    pub banned: Arc<Mutex<Vec<(DeviceId, RefusedWhy)>>>,
    pub listener: Listener,
    pub handle: MqttHandle,
    pub disk: FaultyDisk,
    pub journal: Journal,
}

/// A device with a certificate.
pub(super) struct Bearer {
    pub device: DeviceId,
    pub issued: Issued,
    pub tls: Arc<ClientConfig>,
    pub up: String,
    pub down: String,
}

impl Ward {
    pub(super) async fn open(limits: Limits) -> Self {
        Self::open_with(limits, Vec::new()).await
    }

    pub(super) async fn open_with(limits: Limits, restored: Vec<MqttSession>) -> Self {
        let clock = Clock::manual(START);
        let (org, site) = (OrgId::v7(START, 1), SiteId::v7(START, 2));
        let (authority, pem) = Authority::create(Keys::system(), org, START).unwrap();
        let ca_pem = pem.certificate_pem;
        let server = authority.issue_server(&["localhost".to_owned()], START, DAY * 400).unwrap();
        let revocations = Revocations::default();
        let clients =
            ClientAuth::Required { ca_pem: ca_pem.clone(), revocations: revocations.clone() };
        let tls =
            server_config(&server.certificate_pem, &server.key_pem.0, &clients, &clock).unwrap();
        let banned = Arc::new(Mutex::new(Vec::<(DeviceId, RefusedWhy)>::new()));
        let known = banned.clone();
        let may_connect: MayConnect = Arc::new(move |identity| {
            let banned = known.lock().unwrap();
            let found = banned.iter().find(|(device, _)| *device == identity.device);
            found.map_or(Ok(site), |(_, why)| Err(*why))
        });
        let addr = SocketAddr::from(([127, 0, 0, 1], 0));
        let config = MqttConfig { addr, tls, limits, clock: clock.clone(), restored, may_connect };
        let (listener, handle) = listen(config).await.unwrap();
        let disk = FaultyDisk::new();
        let small = JournalLimits { segment_len: 1 << 20, ..JournalLimits::default() };
        let (journal, _) = Journal::open(disk.clone(), clock.clone(), small).unwrap();
        Self {
            clock,
            authority,
            ca_pem,
            org,
            site,
            revocations,
            banned,
            listener,
            handle,
            disk,
            journal,
        }
    }

    pub(super) fn bearer(&self, number: u128) -> Bearer {
        let device = DeviceId::v7(START, number);
        let issued = self.authority.issue_device(self.org, device, START, DAY).unwrap();
        self.bearer_with(device, issued)
    }

    pub(super) fn bearer_with(&self, device: DeviceId, issued: Issued) -> Bearer {
        let own = (issued.certificate_pem.as_str(), issued.key_pem.0.as_str());
        let tls = client_config(&self.ca_pem, Some(own), &self.clock).unwrap();
        let root = format!("wl/1/{}/{device}", self.site);
        Bearer { device, issued, tls, up: format!("{root}/up"), down: format!("{root}/down") }
    }

    pub(super) fn options(&self, bearer: &Bearer, version: Version) -> ClientOptions {
        ClientOptions {
            addr: self.listener.address(),
            server_name: "localhost".to_owned(),
            tls: bearer.tls.clone(),
            version,
            client_id: bearer.device.to_string(),
            clean: true,
            expiry_s: 0,
            keep_alive_s: 0,
            will: None,
            clock: self.clock.clone(),
        }
    }

    /// Connects and draws the arrival that says so.
    pub(super) async fn come(&mut self, options: ClientOptions) -> Client {
        let client = within(Client::connect(options)).await.unwrap();
        let Arrival::Opened { .. } = self.draw().await else { unreachable!("nobody came") };
        client
    }

    pub(super) async fn draw(&mut self) -> Arrival {
        within(self.listener.next()).await.unwrap()
    }

    pub(super) async fn draw_message(&mut self) -> Unacked {
        match self.draw().await {
            Arrival::Message(message) => message,
            other => unreachable!("{}", tell(&other)),
        }
    }

    /// Draws so many arrivals and tells them in short words.
    pub(super) async fn tell(&mut self, count: usize) -> Vec<String> {
        let mut told = Vec::new();
        for _ in 0..count {
            told.push(tell(&self.draw().await));
        }
        told
    }

    /// Makes a message durable as `ingest` does.
    pub(super) async fn append(&self, payload: &[u8]) -> (Vec<Position>, Durable) {
        let durable = self.journal.append(vec![self.entry(payload)]).await.unwrap();
        (durable.positions().to_vec(), durable)
    }

    pub(super) fn entry(&self, payload: &[u8]) -> Entry {
        Entry {
            kind: 0x1234,
            body_version: 1,
            org: self.org,
            partition: PartitionId::from(self.site),
            received_at: START,
            key_id: 0,
            body: payload.to_vec(),
        }
    }

    /// Takes a message in: durable first, then the answer.
    pub(super) async fn take(&self, message: Unacked) {
        let (positions, durable) = self.append(message.payload()).await;
        message.acknowledge(&positions, &durable).unwrap();
    }

    pub(super) fn advance(&self, by: Duration) {
        self.clock.advance_to(self.clock.now().after(by));
    }

    /// TLS without MQTT, for bytes of the test's own.
    pub(super) async fn raw(&self, bearer: &Bearer) -> Raw {
        let tcp = within(TcpStream::connect(self.listener.address())).await.unwrap();
        let connector = TlsConnector::from(bearer.tls.clone());
        let name = ServerName::try_from("localhost").unwrap();
        Raw(within(connector.connect(name, tcp)).await.unwrap())
    }
}

/// A connection that sends what the test says.
pub(super) struct Raw(TlsStream<TcpStream>);

impl Raw {
    pub(super) async fn write(&mut self, bytes: &[u8]) {
        within(self.0.write_all(bytes)).await.unwrap();
        within(self.0.flush()).await.unwrap();
    }

    /// Everything until the server closes.
    pub(super) async fn read_to_end(&mut self) -> Vec<u8> {
        let mut all = Vec::new();
        let mut buffer = [0; 512];
        // An abrupt end is an end too.
        while let Ok(len) = within(self.0.read(&mut buffer)).await
            && len > 0
        {
            all.extend(&buffer[..len]);
        }
        all
    }

    pub(super) async fn read_exactly(&mut self, len: usize) -> Vec<u8> {
        let mut bytes = vec![0; len];
        within(self.0.read_exact(&mut bytes)).await.unwrap();
        bytes
    }

    /// CONNECT of MQTT 3.1.1 with this keep alive, and its answer.
    pub(super) async fn greet(&mut self, bearer: &Bearer, keep_alive_s: u8) {
        self.write(&connect_bytes(4, &bearer.device.to_string(), keep_alive_s)).await;
        assert_eq!(self.read_exactly(4).await, [0x20, 2, 0, 0]);
    }
}

/// CONNECT with a clean session.
pub(super) fn connect_bytes(level: u8, client_id: &str, keep_alive_s: u8) -> Vec<u8> {
    let mut body = vec![0, 4, b'M', b'Q', b'T', b'T', level, 2, 0, keep_alive_s];
    if level == 5 {
        body.push(0);
    }
    body.extend([0, client_id.len() as u8]);
    body.extend(client_id.bytes());
    [vec![0x10, body.len() as u8], body].concat()
}

pub(super) fn tell(arrival: &Arrival) -> String {
    let text = |payload: &Bytes| String::from_utf8_lossy(payload).into_owned();
    match arrival {
        Arrival::Message(message) if message.is_will() => {
            format!("will {}", text(message.payload()))
        }
        Arrival::Message(message) => format!("message {}", text(message.payload())),
        Arrival::Opened { .. } => "opened".to_owned(),
        Arrival::Closed { how, .. } => format!("closed {how:?}"),
        Arrival::Session(session) if session.ended => "session ended".to_owned(),
        Arrival::Session(session) => format!("session {}", session.subscriptions.len()),
        Arrival::Refused { why, .. } => format!("refused: {why}"),
    }
}

/// `Message` is what an `Unacked` holds; named so that a change of it is noticed here.
const _: fn(&Message) = |_| {};
