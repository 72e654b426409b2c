//! What the rest of the program may do at the door: send, put out, look.

use bytes::Bytes;
use model::{DeviceId, Timestamp};
use tokio::io::{AsyncRead, AsyncWrite};

use super::{accept::Counted, *};
use crate::{
    Note, Revocations,
    mqtt::{Addressed, Qos, Reason, Said, Version, connection::Connection, topic},
    note::What,
};

/// A message to a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// Where, below the device's `down/`.
    pub topic: String,
    /// What the payload is, for clients of MQTT 5.
    pub content_type: Option<String>,
    /// The message.
    pub payload: Bytes,
    /// How hard it is to lose.
    pub qos: Qos,
    /// When it means nothing any more.
    pub expires_at: Option<Timestamp>,
    /// Whether later subscriptions get it too, until the next one or an empty one.
    pub retain: bool,
}

/// Why a message is not on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it all")]
pub enum PublishError {
    #[error("no session of the device listens to the topic")]
    NobodyListens,
    #[error("as many messages wait to be taken in as may")]
    Full,
    #[error("the topic is not one that can be published to")]
    Topic,
    #[error("the message is longer than a packet")]
    TooLong,
}

/// A connection, for screens and the health page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionInfo {
    /// Who.
    pub device: DeviceId,
    /// The client's name for its session.
    pub client_id: String,
    /// Where it speaks from.
    pub remote: SocketAddr,
    /// What it speaks.
    pub version: Version,
    /// Since when.
    pub since: Timestamp,
}

/// The rest of the program's hand on the door; clones are cheap.
#[derive(Clone)]
pub struct MqttHandle {
    shared: Arc<Shared>,
}

impl MqttHandle {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// Sends a message to all of a device's sessions that listen; answers with how many listen
    /// now.
    ///
    /// It is on its way through the journal then, and leaves once it is durable. A retained
    /// message counts as sent, listened to or not.
    pub fn publish_to(
        &self,
        device: DeviceId,
        published: Published,
    ) -> Result<usize, PublishError> {
        let limits = &self.shared.limits;
        topic::check_name(limits, &published.topic).map_err(|_| PublishError::Topic)?;
        if published.payload.len() > limits.packet_len_max.saturating_sub(1024) {
            return Err(PublishError::TooLong);
        }
        let site = topic::site_of(&published.topic).ok_or(PublishError::Topic)?;
        let said = Arc::new(Said {
            topic: published.topic.into(),
            content_type: published.content_type,
            payload: published.payload,
            qos: published.qos,
            expires_at: published.expires_at,
            extra: None,
        });
        let to = Addressed { site, device, said, group: None };
        let listeners = self.shared.sessions().listeners(&to);
        if listeners == 0 && !published.retain {
            return Err(PublishError::NobodyListens);
        }
        let what = What::Say { to, retain: published.retain };
        let note = Note::new(what, House::new(&self.shared));
        let arrivals = self.shared.arrivals.upgrade().ok_or(PublishError::NobodyListens)?;
        if arrivals.try_send(Arrival::Note(note)).is_err() {
            self.shared.tally.unsent.fetch_add(1, Ordering::Relaxed);
            return Err(PublishError::Full);
        }
        Ok(listeners)
    }

    /// Serves one MQTT connection over a stream that has shaken hands elsewhere, such as a
    /// WebSocket; returns when the connection is over.
    ///
    /// `identity` is that of the verified client certificate. The revocations are asked after
    /// the connection has its number, so that whoever is revoked and put out meanwhile does
    /// not slip in. The caller bounds handshakes and takes `mqtt` as the subprotocol.
    pub async fn serve<S>(
        &self,
        stream: S,
        identity: DeviceIdentity,
        remote: SocketAddr,
        revocations: &Revocations,
    ) where
        S: AsyncRead + AsyncWrite + Unpin + Send,
    {
        let shared = &self.shared;
        let Some(arrivals) = shared.arrivals.upgrade() else { return };
        let number = shared.newest.fetch_add(1, Ordering::SeqCst).saturating_add(1);
        shared.tally.accepted.fetch_add(1, Ordering::Relaxed);
        let crowded =
            shared.tally.connections.load(Ordering::Relaxed) >= shared.limits.connections_max;
        let refused = if revocations.is_revoked(&identity.serial) {
            Some(RefusedWhy::Revoked)
        } else {
            crowded.then_some(RefusedWhy::TooMany)
        };
        if let Some(why) = refused {
            shared.refused(&arrivals, remote, Some(Arc::new(identity)), why);
            return;
        }
        let _counted = Counted::new(shared.clone());
        Connection::new(shared.clone(), arrivals, stream, identity, remote, number).serve().await;
    }

    /// Closes all connections of a device, saying why; answers with how many.
    ///
    /// Connections of the device that are still in their handshake get no session, so after
    /// [`crate::Revocations::revoke`] no connection with the certificate is left or begins.
    pub fn disconnect(&self, device: DeviceId, why: Reason) -> usize {
        let newest = self.shared.newest.load(Ordering::SeqCst);
        let now = self.shared.clock.now();
        self.shared.sessions().put_out(device, newest, why, now)
    }

    /// Takes back what was sent to a device on exactly this topic before and its sessions have
    /// not answered: it does not go out, not again, and not after a restart.
    ///
    /// A retained message stays as it is, and so does what is sent on the topic from now on.
    pub fn withdraw(&self, device: DeviceId, topic: &str) {
        let Some(arrivals) = self.shared.arrivals.upgrade() else { return };
        let done = self.shared.sessions().withdraw(device, topic);
        // What is still on its way to the sessions stands before the note in the journal's order.
        let what = What::Withdraw { device, topic: Some(topic.to_owned()), done };
        // A note that finds no room leaves its packet ids to be said soon.
        let _ = arrivals.try_send(Arrival::Note(Note::new(what, House::new(&self.shared))));
    }

    /// The topics on which something is retained for a device, or by it.
    pub fn retained(&self, device: DeviceId) -> Vec<String> {
        self.shared.sessions().retained_of(device)
    }

    /// The connections whose CONNECT was accepted.
    pub fn connections(&self) -> Vec<ConnectionInfo> {
        let sessions = self.shared.sessions();
        let live = sessions.live(None).map(|((device, client_id), live)| ConnectionInfo {
            device: *device,
            client_id: client_id.clone(),
            remote: live.remote,
            version: live.version,
            since: live.since,
        });
        live.collect()
    }

    /// What was counted since the listener began.
    pub fn counters(&self) -> Counters {
        let tally = &self.shared.tally;
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let sessions = self.shared.sessions();
        let (waiting, dropped) = sessions.waiting();
        let (kept, (present, retained)) = (sessions.counts(), sessions.sizes());
        let waiting_bytes = sessions.waiting_bytes();
        drop(sessions);
        Counters {
            accepted: read(&tally.accepted),
            refused: read(&tally.refused),
            refusals_unseen: read(&tally.refusals_unseen),
            messages: read(&tally.messages),
            bytes_in: read(&tally.bytes_in),
            acknowledged: read(&tally.acknowledged),
            refused_messages: read(&tally.refused_messages),
            sent: read(&tally.sent),
            unsent: read(&tally.unsent),
            panics: read(&tally.panics),
            connections: tally.connections.load(Ordering::Relaxed),
            waiting,
            dropped,
            sessions: present,
            retained,
            not_retained: kept.not_retained,
            sessions_lost: kept.lost,
            sessions_lost_to_all: kept.lost_to_all,
            waiting_bytes,
        }
    }

    /// Closes the door: nobody new comes in, and all connections hear that the server stops.
    ///
    /// The listener's `next` ends with `None` when the last of them has gone.
    pub fn stop(&self) {
        self.shared.stop.send_replace(true);
    }
}
