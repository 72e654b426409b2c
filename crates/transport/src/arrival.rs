//! What comes in at a door, and the one way to answer it.
//!
//! A message is answered positively only with a [`Durable`] that names the very
//! positions it was written at; a negative answer of MQTT 5 counts as received
//! too, so it needs the proof of its dead letter.

use std::{net::SocketAddr, sync::Arc};

use bytes::Bytes;
use model::{SiteId, Timestamp};
use record::{MqttSession, Position, PresenceChange};
use security::DeviceIdentity;
use store::Durable;

use crate::{
    desk::{Answer, Ticket},
    mqtt::Qos,
};

/// Something that came in, in the order of its connection.
#[derive(Debug)]
pub enum Arrival {
    /// A message that waits for its answer.
    Message(Unacked),
    /// A device came.
    Opened {
        /// Who.
        identity: Arc<DeviceIdentity>,
        /// Where it speaks from.
        remote: SocketAddr,
        /// Its name for its session.
        client_id: String,
    },
    /// A device went.
    Closed {
        /// Who.
        identity: Arc<DeviceIdentity>,
        /// Where it spoke from.
        remote: SocketAddr,
        /// In which way.
        how: PresenceChange,
    },
    /// A session changed, and is to be kept as it is now.
    Session(MqttSession),
    /// Somebody was not let in; for counters and the audit.
    Refused {
        /// Where it spoke from.
        remote: SocketAddr,
        /// Who, if a certificate said so.
        identity: Option<Arc<DeviceIdentity>>,
        /// Why.
        why: RefusedWhy,
    },
}

/// Why somebody was not let in, or put out; the words are short and stable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it all")]
pub enum RefusedWhy {
    #[error("no certificate was presented")]
    NoCertificate,
    #[error("the certificate is expired or not valid yet")]
    Expired,
    #[error("the certificate is from a foreign authority")]
    ForeignAuthority,
    #[error("the certificate is revoked")]
    Revoked,
    #[error("the certificate names no device or is not sound")]
    BadCertificate,
    #[error("the bytes are not TLS 1.3")]
    NotTls,
    #[error("the handshake took too long")]
    HandshakeTooSlow,
    #[error("the handshake gave way to a newcomer, as all places were taken")]
    Crowded,
    #[error("there are as many connections as the listener takes")]
    TooMany,
    #[error("no CONNECT came in time")]
    ConnectTooSlow,
    #[error("the device is not known here")]
    UnknownDevice,
    #[error("the device is quarantined")]
    Quarantined,
    #[error("the device is retired")]
    Retired,
    #[error("the server does not take devices now")]
    NotReady,
    #[error("the client id is not the device's")]
    ClientId,
    #[error("the will is for a topic that is not the device's")]
    Will,
    #[error("the device has as many sessions as it may")]
    TooManySessions,
    #[error("the device was put out while it connected")]
    PutOut,
    #[error("the packets break the protocol: {0}")]
    Protocol(&'static str),
}

/// Why a message is answered with «no», after it became a dead letter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NackReason {
    /// It cannot be decoded; the text is short and stable, such as `wave:n`.
    PayloadFormat(String),
    /// The device may not speak there; MQTT 3.1.1 has no word for it and is closed.
    NotAuthorized,
    /// Its topic means nothing here.
    Topic(String),
    /// It was understood and cannot be taken, for the reason given.
    Refused(String),
}

/// Why a message is never answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Unanswered {
    /// The journal takes nothing until a restart.
    Poisoned,
    /// The disk is full.
    Full,
    /// Whoever had it gave it up.
    Lost,
}

/// A message with all that its transport knows.
#[derive(Debug)]
pub struct Message {
    pub(crate) identity: Arc<DeviceIdentity>,
    pub(crate) site: SiteId,
    pub(crate) remote: SocketAddr,
    pub(crate) topic: String,
    pub(crate) content_type: Option<String>,
    pub(crate) payload: Bytes,
    pub(crate) received_at: Timestamp,
    pub(crate) qos: Qos,
    pub(crate) retain: bool,
    pub(crate) dup: bool,
    pub(crate) is_will: bool,
    pub(crate) authorised: bool,
}

/// A message whose sender still keeps its copy.
#[derive(Debug)]
#[must_use = "a device that is never answered sends for ever"]
pub struct Unacked {
    message: Box<Message>,
    /// `None` for a will, which nobody waits for.
    ticket: Option<Ticket>,
}

impl Unacked {
    pub(crate) fn new(message: Message, ticket: Option<Ticket>) -> Self {
        Self { message: Box::new(message), ticket }
    }

    /// Who sent it, by its certificate.
    pub fn identity(&self) -> &Arc<DeviceIdentity> {
        &self.message.identity
    }

    /// The site at which the device is known.
    pub fn site(&self) -> SiteId {
        self.message.site
    }

    /// Where it speaks from.
    pub fn remote(&self) -> SocketAddr {
        self.message.remote
    }

    /// The topic, at most [`crate::Limits::topic_len_max`] bytes and without wildcards.
    pub fn topic(&self) -> &str {
        &self.message.topic
    }

    /// What the sender says that it is.
    pub fn content_type(&self) -> Option<&str> {
        self.message.content_type.as_deref()
    }

    /// The message, as it came.
    pub fn payload(&self) -> &Bytes {
        &self.message.payload
    }

    /// When its last byte reached us.
    pub fn received_at(&self) -> Timestamp {
        self.message.received_at
    }

    /// The QoS that it was sent with.
    pub fn qos(&self) -> Qos {
        self.message.qos
    }

    /// Whether the sender asked to keep it for later subscribers; nobody subscribes to `up/`.
    pub fn is_retained(&self) -> bool {
        self.message.retain
    }

    /// Whether the sender says that it sent it before.
    pub fn is_dup(&self) -> bool {
        self.message.dup
    }

    /// Whether it is what a lost connection left behind.
    pub fn is_will(&self) -> bool {
        self.message.is_will
    }

    /// Whether the device may publish to the topic; if not, it is a matter for the audit
    /// and a dead letter, and then [`NackReason::NotAuthorized`].
    pub fn is_authorised(&self) -> bool {
        self.message.authorised
    }

    /// Answers the device: the message stands at `positions`, and all of them are durable.
    ///
    /// The proof of other frames is no proof, and gives the message back unanswered.
    ///
    /// ```compile_fail,E0061
    /// # fn hasty(message: transport::Unacked) {
    /// let answer = message.acknowledge(); // There is nothing durable to point at.
    /// # }
    /// ```
    pub fn acknowledge(self, positions: &[Position], proof: &Durable) -> Result<(), Self> {
        self.settle(Answer::Taken, positions, proof)
    }

    /// Answers the device with «no»: its message is kept as a dead letter at `positions`.
    pub fn refuse(
        self,
        reason: NackReason,
        positions: &[Position],
        proof: &Durable,
    ) -> Result<(), Self> {
        self.settle(Answer::Refused(reason), positions, proof)
    }

    /// Never answers, because storage cannot take it: the device keeps its copy.
    pub fn drop_unanswered(mut self, why: Unanswered) {
        if let Some(ticket) = self.ticket.take() {
            ticket.never(why);
        }
    }

    fn settle(mut self, answer: Answer, at: &[Position], proof: &Durable) -> Result<(), Self> {
        let proved = !at.is_empty() && at.iter().all(|position| proof.covers(*position));
        if !proved {
            return Err(self);
        }
        if let Some(ticket) = self.ticket.take() {
            ticket.answer(answer);
        }
        Ok(())
    }
}
