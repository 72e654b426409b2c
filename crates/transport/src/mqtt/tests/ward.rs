//! A ward for tests: an authority, devices with certificates, a listener, a journal.

use std::{
    future::{Future, poll_fn},
    net::SocketAddr,
    pin::Pin,
    sync::{Arc, Mutex},
    task::Poll,
    time::Duration,
};

use bytes::Bytes;
use model::{DeviceId, OrgId, PartitionId, SiteId, Timestamp};
use record::{Body, MqttNote, Position};
use rustls::{ClientConfig, pki_types::ServerName};
use security::{Authority, Issued, Keys, TopicGrant};
use store::{Clock, Durable, Entry, FaultyDisk, Journal, JournalLimits};
use tokio::{
    io::{AsyncRead as _, AsyncReadExt, AsyncWriteExt, ReadBuf},
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
    /// Devices whose profile grants `z2m/#`.
    pub gateways: Arc<Mutex<Vec<DeviceId>>>,
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
        Self::open_with(limits, Recalled::from_the_beginning()).await
    }

    pub(super) async fn open_with(limits: Limits, restored: Recalled) -> Self {
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
        let gateways = Arc::new(Mutex::new(Vec::<DeviceId>::new()));
        let granted = gateways.clone();
        let may_connect: MayConnect = Arc::new(move |identity| {
            let banned = known.lock().unwrap();
            let found = banned.iter().find(|(device, _)| *device == identity.device);
            let grant = TopicGrant { filter: "z2m/#".to_owned(), publish: true, subscribe: true };
            let grants = if granted.lock().unwrap().contains(&identity.device) {
                vec![grant]
            } else {
                Vec::new()
            };
            found.map_or(Ok(Admitted { site, grants }), |(_, why)| Err(*why))
        });
        let addr = SocketAddr::from(([127, 0, 0, 1], 0));
        let config = MqttConfig { addr, tls, limits, clock: clock.clone(), restored, may_connect };
        let (listener, handle) = listen(config).await.unwrap();
        // Its tasks have to wait for their times before a test moves the clock.
        for _ in 0..8 {
            tokio::task::yield_now().await;
        }
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
            gateways,
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

    /// Connects anew over a session that was kept: the answer waits until that is kept.
    pub(super) async fn come_anew(&mut self, options: ClientOptions) -> (Client, Vec<String>) {
        let coming = tokio::spawn(Client::connect(ClientOptions { clean: true, ..options }));
        let Arrival::Opened { .. } = self.draw().await else { unreachable!("nobody came") };
        let told = self.take_in(1).await;
        (within(coming).await.unwrap().unwrap(), told)
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

    /// Takes arrivals in as `ingest` does, so many of them: written in order, then answered;
    /// tells what was written for each.
    pub(super) async fn take_in(&mut self, count: usize) -> Vec<String> {
        let mut told = Vec::new();
        for _ in 0..count {
            let arrival = self.draw().await;
            told.push(self.take_one(arrival).await);
        }
        told
    }

    /// Takes one arrival in; tells what it was and what was written with it.
    pub(super) async fn take_one(&mut self, arrival: Arrival) -> String {
        let mut words = vec![tell(&arrival)];
        match arrival {
            Arrival::Message(mut message) => {
                let (bodies, company) = message.companions(false);
                message.accompany(company);
                words.extend(bodies.iter().map(tell_body));
                let mut group = vec![self.entry(message.payload())];
                group.extend(bodies.iter().map(|body| self.body(body)));
                let durable = self.journal.append(group).await.unwrap();
                message.acknowledge(durable.positions(), &durable).unwrap();
            }
            Arrival::Note(mut note) => {
                let bodies = note.bodies();
                words.extend(bodies.iter().map(tell_body));
                if bodies.is_empty() {
                    note.needs_nothing().unwrap();
                } else {
                    let group = bodies.iter().map(|body| self.body(body)).collect();
                    let durable = self.journal.append(group).await.unwrap();
                    note.kept(durable.positions(), &durable).unwrap();
                }
            }
            Arrival::Opened { .. } | Arrival::Closed { .. } | Arrival::Refused { .. } => {}
        }
        words.join(", ")
    }

    pub(super) fn body(&self, body: &Body) -> Entry {
        let (kind, body_version, body) = body.encode();
        Entry { kind, body_version, body, ..self.entry(b"") }
    }

    /// What a restart finds in the journal.
    pub(super) fn recalled(&self) -> Recalled {
        let mut recalled = Recalled::from_the_beginning();
        for record in self.journal.replay(store::LogOffset::default()) {
            let frame = record.unwrap().frame;
            if let Ok(body) = Body::decode(frame.kind, frame.body_version, &frame.body) {
                recalled.take(frame.org, &body);
            }
        }
        recalled
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

    /// Whether nothing has come, after everybody had many turns.
    pub(super) async fn has_heard_nothing(&mut self) -> bool {
        for _ in 0..256 {
            tokio::task::yield_now().await;
        }
        let mut byte = [0];
        let mut buffer = ReadBuf::new(&mut byte);
        poll_fn(|cx| Poll::Ready(Pin::new(&mut self.0).poll_read(cx, &mut buffer).is_pending()))
            .await
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

/// What a body of the door says, in short words.
pub(super) fn tell_body(body: &Body) -> String {
    match body {
        Body::MqttSession(session) if session.ended => "session ended".to_owned(),
        Body::MqttSession(session) => {
            let will = if session.will.is_some() { " will" } else { "" };
            format!("session {}{will}", session.subscriptions.len())
        }
        Body::MqttRetained(retained) => match &retained.message {
            Some(_) => format!("retained {}", leaf(&retained.topic)),
            None => format!("no retained {}", leaf(&retained.topic)),
        },
        Body::MqttQueued(queued) => {
            let to = queued.to.iter().map(|to| format!("{}@{}", to.id, to.qos));
            format!("queued {}", to.collect::<Vec<_>>().join(" "))
        }
        Body::MqttNote(MqttNote::Progress(progress)) => {
            let of = |word: &str, ids: &[u16]| {
                ids.iter().map(|id| format!("{word} {id}")).collect::<Vec<_>>()
            };
            let all = [
                of("received", &progress.received),
                of("released", &progress.released),
                of("taken", &progress.taken),
                of("done", &progress.done),
            ];
            all.concat().join(" ")
        }
        other => format!("{other:?}"),
    }
}

fn leaf(topic: &str) -> &str {
    topic.rsplit('/').next().unwrap_or(topic)
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
        Arrival::Note(_) => "note".to_owned(),
        Arrival::Refused { why, .. } => format!("refused: {why}"),
    }
}

/// `Message` is what an `Unacked` holds; named so that a change of it is noticed here.
const _: fn(&Message) = |_| {};
