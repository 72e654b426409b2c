//! One device of the benchmark: a connection, its stamped messages, and what waits for an answer.

use std::{collections::VecDeque, net::SocketAddr, sync::Arc, time::Duration};

use anyhow::{Context as _, bail, ensure};
use model::Timestamp;
use rustls::ClientConfig;
use store::Clock;
use tokio::net::lookup_host;
use transport::{
    client_config,
    mqtt::{Client, ClientOptions, Incoming, Qos, Version},
};

use super::{
    hospital::Device,
    parallel::in_parallel,
    template::{CONTENT_TYPE, Template},
};

/// Handshakes under way at once.
const AT_ONCE: usize = 32;
/// No answer for this long is the end of a run.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);

/// Who connects, and where it publishes.
#[derive(Clone, Debug)]
pub(super) struct Seat {
    /// Its certificate and whom it trusts.
    pub(super) tls: Arc<ClientConfig>,
    /// The name that the server's certificate must carry.
    pub(super) server_name: String,
    /// The client's name.
    pub(super) client_id: String,
    /// The topic of its numerics.
    pub(super) topic: String,
}

impl Seat {
    /// The seat of a device that the server knows.
    pub(super) fn of(device: &Device, site: &str, clock: &Clock) -> anyhow::Result<Self> {
        let own = (device.certificate_pem.as_str(), device.key_pem.as_str());
        let tls = client_config(&device.ca_pem, Some(own), clock)?;
        let topic = format!("wl/1/{site}/{}/up/num", device.id);
        Ok(Self { tls, server_name: "localhost".to_owned(), client_id: device.id.clone(), topic })
    }
}

/// The address behind `host:port`.
pub(super) async fn address_of(server: &str) -> anyhow::Result<SocketAddr> {
    let mut found = lookup_host(server).await.with_context(|| format!("cannot find {server}"))?;
    found.next().with_context(|| format!("there is no address for {server}"))
}

/// Connects every seat over mutual TLS, as MQTT 5 clients with a clean session.
pub(super) async fn connect_all(
    seats: Vec<Seat>,
    addr: SocketAddr,
    clock: &Clock,
) -> anyhow::Result<Vec<Publisher>> {
    let (seats, clock) = (Arc::new(seats), clock.clone());
    in_parallel(seats.len(), AT_ONCE, move |number| {
        let (seat, clock) = (seats.get(number).cloned(), clock.clone());
        async move {
            let seat = seat.context("a seat was taken away")?;
            Publisher::connect(seat, number, addr, &clock).await
        }
    })
    .await
}

/// A message that was answered.
#[derive(Clone, Copy, Debug)]
pub(super) struct Acked {
    /// When it was handed to the socket.
    pub(super) sent_at: Timestamp,
    /// When its acknowledgement was read.
    pub(super) acked_at: Timestamp,
}

/// A connected device.
#[derive(Debug)]
pub(super) struct Publisher {
    /// Its place among all.
    pub(super) number: usize,
    client: Client,
    clock: Clock,
    topic: String,
    template: Template,
    /// Messages so far.
    pub(super) seq: u64,
    /// The time that each of them was stamped with.
    pub(super) stamps: Vec<Timestamp>,
    /// On its way, oldest first; without a time until it was flushed.
    waiting: VecDeque<(u16, Option<Timestamp>)>,
}

impl Publisher {
    /// Connects one seat.
    pub(super) async fn connect(
        seat: Seat,
        number: usize,
        addr: SocketAddr,
        clock: &Clock,
    ) -> anyhow::Result<Self> {
        let options = ClientOptions {
            addr,
            server_name: seat.server_name,
            tls: seat.tls,
            version: Version::V5,
            client_id: seat.client_id,
            clean: true,
            expiry_s: 0,
            keep_alive_s: 60,
            will: None,
            clock: clock.clone(),
        };
        let connecting = tokio::time::timeout(ANSWER_WITHIN, Client::connect(options));
        let client = connecting
            .await
            .with_context(|| {
                format!("device {number} was not let in within {} s", ANSWER_WITHIN.as_secs())
            })?
            .with_context(|| format!("device {number} could not connect"))?;
        // A boot of its own, so that a second run on the same server is not a repeat.
        let boot = clock.now().unix_nanos().unsigned_abs();
        Ok(Self {
            number,
            client,
            clock: clock.clone(),
            topic: seat.topic,
            template: Template::new(boot),
            seq: 0,
            stamps: Vec::new(),
            waiting: VecDeque::new(),
        })
    }

    /// Length of a message, in bytes.
    pub(super) fn payload_len(&self) -> usize {
        self.template.len()
    }

    /// How many messages wait for their answer.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Puts the next message on its way; it leaves with [`Self::flush`].
    pub(super) fn publish(&mut self, rate_thousandths: u64) -> anyhow::Result<()> {
        // Each message has a millisecond of its own, so that no sample stands for two.
        let last_at = self.stamps.last().copied().unwrap_or_default();
        let at = self.clock.now().max(last_at.after(Duration::from_millis(1)));
        self.stamps.push(at);
        let payload = self.template.stamped(self.seq, at, rate_thousandths);
        let id = self.client.publish(&self.topic, Some(CONTENT_TYPE), payload, Qos::AtLeastOnce)?;
        self.seq += 1;
        self.waiting.push_back((id, None));
        Ok(())
    }

    /// Writes what was put on its way; answers when its last byte was with the socket.
    pub(super) async fn flush(&mut self) -> anyhow::Result<Timestamp> {
        self.client.flush().await?;
        let now = self.clock.now();
        for (_, at) in self.waiting.iter_mut().rev().take_while(|(_, at)| at.is_none()) {
            *at = Some(now);
        }
        Ok(now)
    }

    /// Waits for one answer and takes all that came with it; flush first.
    pub(super) async fn take_answers(&mut self, acked: &mut Vec<Acked>) -> anyhow::Result<()> {
        let first = tokio::time::timeout(ANSWER_WITHIN, self.client.next())
            .await
            .with_context(|| format!("no answer within {} s", ANSWER_WITHIN.as_secs()))??;
        let now = self.clock.now();
        self.take(first, now, acked)?;
        loop {
            let more = tokio::select! {
                biased;
                more = self.client.next() => more?,
                () = std::future::ready(()) => return Ok(()),
            };
            self.take(more, now, acked)?;
        }
    }

    /// Keeps the connection alive until it is dropped.
    pub(super) async fn rest(mut self) -> anyhow::Result<()> {
        loop {
            self.client.next().await?;
        }
    }

    fn take(
        &mut self,
        incoming: Incoming,
        now: Timestamp,
        acked: &mut Vec<Acked>,
    ) -> anyhow::Result<()> {
        match incoming {
            Incoming::Acknowledged { id, code, words } => {
                // 0x10 is a broker's success without a subscriber.
                ensure!(code < 0x80, "a good message was refused with {code:#04x}: {words:?}");
                let (expected, sent_at) =
                    self.waiting.pop_front().context("an answer to nothing")?;
                ensure!(id == expected, "message {expected} waits, and {id} was answered");
                acked.push(Acked { sent_at: sent_at.unwrap_or(now), acked_at: now });
                Ok(())
            }
            Incoming::PutOut { code, words } => bail!("put out with {code:#04x}: {words:?}"),
            Incoming::Message { .. }
            | Incoming::Subscribed { .. }
            | Incoming::Unsubscribed { .. }
            | Incoming::Pong => Ok(()),
        }
    }
}
