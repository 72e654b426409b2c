//! A small MQTT client for simulated devices, benchmarks and the watchdog.
//!
//! It speaks 3.1.1 and 5.0 over mutual TLS, and does nothing behind its
//! user's back but answer deliveries and keep the connection alive while
//! [`Client::next`] is awaited. Many messages may be on their way at once: send
//! them, then await the acknowledgements.

use std::{
    collections::{BTreeSet, VecDeque},
    io,
    net::SocketAddr,
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use model::Timestamp;
use rustls::{ClientConfig, pki_types::ServerName};
use store::Clock;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::proto::{
    Connack, Connect, Fault, Framer, Packet, Publish, Qos, Version, Will, read, write,
};

/// The longest packet that a server may send us.
const PACKET_LEN_MAX: usize = 1 << 20;
/// What one read takes at most.
const READ_LEN: usize = 4_096;

/// How a client comes in.
#[derive(Clone, Debug)]
pub struct ClientOptions {
    /// Where the server listens.
    pub addr: SocketAddr,
    /// The name that its certificate must carry.
    pub server_name: String,
    /// Whom we trust and who we are, from [`crate::client_config`].
    pub tls: Arc<ClientConfig>,
    /// Protocol level.
    pub version: Version,
    /// The session's name: the device's uuid, or one that begins with it.
    pub client_id: String,
    /// Whether an earlier session is thrown away.
    pub clean: bool,
    /// How long the session outlives the connection, in seconds; MQTT 5 only.
    pub expiry_s: u32,
    /// Keep alive, in seconds; 0 is none.
    pub keep_alive_s: u16,
    /// What is published if the connection is lost.
    pub will: Option<ClientWill>,
    /// The one clock.
    pub clock: Clock,
}

/// What a lost connection leaves behind.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it all")]
pub struct ClientWill {
    pub topic: String,
    pub payload: Bytes,
    pub retain: bool,
    /// After how many seconds; MQTT 5 only.
    pub delay_s: u32,
}

/// What came from the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Incoming {
    /// Our message was answered; a code from 0x80 on is a refusal.
    Acknowledged {
        /// The id that [`Client::publish`] gave.
        id: u16,
        /// The reason code, 0 is success.
        code: u8,
        /// The server's words, if it had some.
        words: Option<String>,
    },
    /// A message for us; QoS 1 is acknowledged already.
    Message {
        /// Where it was published.
        topic: String,
        /// What it is.
        payload: Bytes,
        /// Whether it was sent before.
        dup: bool,
        /// Whether it was kept for us.
        retained: bool,
    },
    /// Our subscription was answered with one code per filter.
    Subscribed {
        /// The id that [`Client::subscribe`] gave.
        id: u16,
        /// One reason code per filter.
        codes: Vec<u8>,
    },
    /// Our filters ended.
    Unsubscribed {
        /// The id that [`Client::unsubscribe`] gave.
        id: u16,
    },
    /// The server is there.
    Pong,
    /// The server puts us out, and says why.
    PutOut {
        /// The reason code.
        code: u8,
        /// The server's words, if it had some.
        words: Option<String>,
    },
}

/// Why a client cannot go on.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it all")]
pub enum ClientError {
    #[error("`{0}` is not a server name")]
    ServerName(String),
    #[error("the connection failed")]
    Io(#[source] io::Error),
    #[error("the server closed the connection")]
    Closed,
    #[error("the server refused the connection with code {code:#04x}{}", words.as_ref().map(|words| format!(": {words}")).unwrap_or_default())]
    Refused { code: u8, words: Option<String> },
    #[error("the server broke the protocol: {0}")]
    Protocol(Fault),
    #[error("the packet cannot be written")]
    Unwritable,
}

/// A client whose CONNECT was accepted.
#[derive(Debug)]
pub struct Client {
    stream: TlsStream<TcpStream>,
    version: Version,
    clock: Clock,
    framer: Framer,
    out: Vec<u8>,
    ready: VecDeque<Incoming>,
    /// Messages of QoS 2 that the server has not released.
    received: BTreeSet<u16>,
    last_id: u16,
    keep_alive: Option<Duration>,
    wrote_at: Timestamp,
    session_present: bool,
    receive_max: u16,
    client_id: String,
}

impl Client {
    /// Connects, with TLS and MQTT.
    pub async fn connect(options: ClientOptions) -> Result<Self, ClientError> {
        let name = ServerName::try_from(options.server_name.clone())
            .map_err(|_| ClientError::ServerName(options.server_name.clone()))?;
        let tcp = TcpStream::connect(options.addr).await.map_err(ClientError::Io)?;
        tcp.set_nodelay(true).map_err(ClientError::Io)?;
        let connector = TlsConnector::from(options.tls.clone());
        let stream = connector.connect(name, tcp).await.map_err(ClientError::Io)?;
        Self::greet(stream, options).await
    }

    async fn greet(
        stream: TlsStream<TcpStream>,
        options: ClientOptions,
    ) -> Result<Self, ClientError> {
        let will = options.will.map(|will| Will {
            topic: will.topic,
            content_type: None,
            payload: will.payload,
            qos: Qos::AtLeastOnce,
            retain: will.retain,
            delay_s: will.delay_s,
            expiry_s: None,
            extra: None,
        });
        let connect = Connect {
            version: options.version,
            client_id: options.client_id,
            clean: options.clean,
            keep_alive_s: options.keep_alive_s,
            expiry_s: options.expiry_s,
            receive_max: 64,
            packet_len_max: PACKET_LEN_MAX,
            topic_aliases_max: 0,
            wants_words: true,
            will,
        };
        let mut client = Self {
            stream,
            version: options.version,
            wrote_at: options.clock.now(),
            clock: options.clock,
            framer: Framer::new(PACKET_LEN_MAX),
            out: Vec::new(),
            ready: VecDeque::new(),
            received: BTreeSet::new(),
            last_id: 0,
            keep_alive: None,
            session_present: false,
            receive_max: u16::MAX,
            client_id: connect.client_id.clone(),
        };
        write::connect(&mut client.out, &connect).map_err(|_| ClientError::Unwritable)?;
        client.flush().await?;
        let connack = client.connack().await?;
        if connack.code != 0 {
            return Err(ClientError::Refused { code: connack.code, words: connack.words });
        }
        client.session_present = connack.session_present;
        client.receive_max = connack.receive_max.unwrap_or(u16::MAX);
        client.client_id = connack.client_id.unwrap_or(client.client_id);
        let keep_alive_s = connack.keep_alive_s.unwrap_or(connect.keep_alive_s);
        // Half of it, so that one late ping does no harm.
        let half = Duration::from_millis(u64::from(keep_alive_s).saturating_mul(500));
        client.keep_alive = (keep_alive_s > 0).then_some(half);
        Ok(client)
    }

    async fn connack(&mut self) -> Result<Connack, ClientError> {
        loop {
            if let Some(frame) = self.framer.next().map_err(ClientError::Protocol)? {
                return match read::from_server(self.version, frame) {
                    Ok(Packet::Connack(connack)) => Ok(connack),
                    Ok(_) => Err(ClientError::Closed),
                    Err(fault) => Err(ClientError::Protocol(fault)),
                };
            }
            self.read().await?;
        }
    }

    /// Whether the server had a session to go on with.
    pub fn session_present(&self) -> bool {
        self.session_present
    }

    /// How many messages of QoS 1 may be on their way at once.
    pub fn receive_max(&self) -> u16 {
        self.receive_max
    }

    /// The session's name, which the server may have given.
    pub fn client_id(&self) -> &str {
        &self.client_id
    }

    /// Puts a message on its way; the id is that of its acknowledgement, 0 with QoS 0.
    ///
    /// It leaves with the next [`Client::flush`] or [`Client::next`].
    pub fn publish(
        &mut self,
        topic: &str,
        content_type: Option<&str>,
        payload: impl Into<Bytes>,
        qos: Qos,
    ) -> Result<u16, ClientError> {
        let id = if qos == Qos::AtMostOnce { 0 } else { self.next_id() };
        self.publish_as(id, false, topic, content_type, payload, qos)?;
        Ok(id)
    }

    /// Puts a message on its way again, under the id that it had.
    pub fn publish_again(
        &mut self,
        id: u16,
        topic: &str,
        content_type: Option<&str>,
        payload: impl Into<Bytes>,
    ) -> Result<(), ClientError> {
        self.publish_as(id, true, topic, content_type, payload, Qos::AtLeastOnce)
    }

    fn publish_as(
        &mut self,
        id: u16,
        dup: bool,
        topic: &str,
        content_type: Option<&str>,
        payload: impl Into<Bytes>,
        qos: Qos,
    ) -> Result<(), ClientError> {
        let publish = Publish {
            topic: topic.to_owned(),
            alias: None,
            content_type: content_type.map(str::to_owned),
            payload: payload.into(),
            qos,
            id,
            retain: false,
            dup,
            expiry_s: None,
            extra: None,
            subscription_ids: Vec::new(),
        };
        write::publish(&mut self.out, self.version, &publish).map_err(|_| ClientError::Unwritable)
    }

    /// Sends one message of QoS 1 and awaits its answer, the reason code; what else comes in
    /// meanwhile is kept for [`Client::next`].
    pub async fn publish_and_wait(
        &mut self,
        topic: &str,
        content_type: Option<&str>,
        payload: impl Into<Bytes>,
    ) -> Result<u8, ClientError> {
        let wanted = self.publish(topic, content_type, payload, Qos::AtLeastOnce)?;
        let mut kept = VecDeque::new();
        let code = loop {
            match self.next().await? {
                Incoming::Acknowledged { id, code, .. } if id == wanted => break code,
                Incoming::PutOut { code, words } => {
                    return Err(ClientError::Refused { code, words });
                }
                other => kept.push_back(other),
            }
        };
        kept.append(&mut self.ready);
        self.ready = kept;
        Ok(code)
    }

    /// Asks to hear what filters match; the id is that of the answer.
    pub fn subscribe(&mut self, filters: &[(&str, Qos)]) -> Result<u16, ClientError> {
        let id = self.next_id();
        write::subscribe(&mut self.out, self.version, id, filters)
            .map_err(|_| ClientError::Unwritable)?;
        Ok(id)
    }

    /// Asks to hear no longer what filters match; the id is that of the answer.
    pub fn unsubscribe(&mut self, filters: &[&str]) -> Result<u16, ClientError> {
        let id = self.next_id();
        write::unsubscribe(&mut self.out, self.version, id, filters)
            .map_err(|_| ClientError::Unwritable)?;
        Ok(id)
    }

    /// Asks whether the server is there.
    pub fn ping(&mut self) {
        write::ping(&mut self.out);
    }

    /// Writes what was put on its way.
    pub async fn flush(&mut self) -> Result<(), ClientError> {
        if self.out.is_empty() {
            return Ok(());
        }
        while !self.out.is_empty() {
            // What is written leaves the buffer at once, so being dropped here repeats nothing.
            let len = self.stream.write(&self.out).await.map_err(ClientError::Io)?;
            if len == 0 {
                return Err(ClientError::Closed);
            }
            self.out.drain(..len);
        }
        self.wrote_at = self.clock.now();
        self.stream.flush().await.map_err(ClientError::Io)
    }

    /// The next thing from the server; pings while it waits. Dropping it while it waits for
    /// the server loses nothing, but flush first if messages are on their way.
    pub async fn next(&mut self) -> Result<Incoming, ClientError> {
        loop {
            if let Some(incoming) = self.ready.pop_front() {
                return Ok(incoming);
            }
            while let Some(frame) = self.framer.next().map_err(ClientError::Protocol)? {
                let packet =
                    read::from_server(self.version, frame).map_err(ClientError::Protocol)?;
                self.take(packet)?;
            }
            if !self.ready.is_empty() {
                continue;
            }
            self.flush().await?;
            let Some(keep_alive) = self.keep_alive else {
                self.read().await?;
                continue;
            };
            let (clock, ping_at) = (self.clock.clone(), self.wrote_at.after(keep_alive));
            tokio::select! {
                read = self.read() => read?,
                () = clock.sleep_until(ping_at) => self.ping(),
            }
        }
    }

    fn take(&mut self, packet: Packet) -> Result<(), ClientError> {
        let incoming = match packet {
            Packet::Puback { id, code, words } => Incoming::Acknowledged { id, code, words },
            Packet::Pubrec { id, code, words } if code >= 0x80 => {
                Incoming::Acknowledged { id, code, words }
            }
            Packet::Pubrec { id, .. } => {
                write::pubrel(&mut self.out, self.version, id, true);
                return Ok(());
            }
            Packet::Pubrel { id } => {
                let known = self.received.remove(&id);
                write::pubcomp(&mut self.out, self.version, id, known);
                return Ok(());
            }
            Packet::Pubcomp { id } => Incoming::Acknowledged { id, code: 0, words: None },
            Packet::Suback { id, codes } => Incoming::Subscribed { id, codes },
            Packet::Unsuback { id } => Incoming::Unsubscribed { id },
            Packet::Pong => Incoming::Pong,
            Packet::Disconnect { code, words, .. } => Incoming::PutOut { code, words },
            Packet::Publish(publish) => {
                let success = super::Reason::Success;
                let (out, version, id) = (&mut self.out, self.version, publish.id);
                match publish.qos {
                    Qos::AtMostOnce => Ok(()),
                    Qos::AtLeastOnce => write::puback(out, version, id, success, None),
                    Qos::ExactlyOnce => write::pubrec(out, version, id, success, None),
                }
                .map_err(|_| ClientError::Unwritable)?;
                if publish.qos == Qos::ExactlyOnce && !self.received.insert(id) {
                    return Ok(());
                }
                Incoming::Message {
                    topic: publish.topic,
                    payload: publish.payload,
                    dup: publish.dup,
                    retained: publish.retain,
                }
            }
            Packet::Connack(_)
            | Packet::Subscribe(_)
            | Packet::Unsubscribe { .. }
            | Packet::Ping => return Err(ClientError::Closed),
        };
        self.ready.push_back(incoming);
        Ok(())
    }

    /// Reads once; what is read is kept before anything else is awaited.
    async fn read(&mut self) -> Result<(), ClientError> {
        let mut buffer = [0; READ_LEN];
        let len = self.stream.read(&mut buffer).await.map_err(ClientError::Io)?;
        match buffer.get(..len) {
            None | Some([]) => Err(ClientError::Closed),
            Some(bytes) => {
                self.framer.push(bytes);
                Ok(())
            }
        }
    }

    /// Says goodbye; with `will` the server publishes the will all the same (MQTT 5).
    pub async fn goodbye(mut self, will: bool) -> Result<(), ClientError> {
        write::goodbye(&mut self.out, self.version, will).map_err(|_| ClientError::Unwritable)?;
        self.flush().await?;
        self.stream.shutdown().await.map_err(ClientError::Io)
    }

    fn next_id(&mut self) -> u16 {
        self.last_id = self.last_id.checked_add(1).unwrap_or(1);
        self.last_id
    }
}
