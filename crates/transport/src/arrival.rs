//! What comes in at a door, and the one way to answer it.
//!
//! A message is answered positively only with a [`Durable`] that names the very
//! positions it was written at; a negative answer of MQTT 5 counts as received
//! too, so it needs the proof of its dead letter.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use model::{SiteId, Timestamp};
use record::{Body, Position, PresenceChange};
use security::{CertificateFacts, DeviceIdentity};
use store::Durable;

use crate::{
    Note,
    desk::{Answer, Ticket},
    mqtt::{Addressed, Extra, House, Key, Outgoing, Qos, Route, Said, SharedOutbox, Version, lock},
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
    /// Something of the door's own that is to be kept.
    Note(Note),
    /// Somebody was not let in; for counters and the audit.
    Refused {
        /// Where it spoke from.
        remote: SocketAddr,
        /// Who, if a certificate said so.
        identity: Option<Arc<DeviceIdentity>>,
        /// The certificate that was shown and not taken, if that was the reason.
        presented: Option<Box<Presented>>,
        /// Why.
        why: RefusedWhy,
    },
}

/// A certificate that was not taken; what it says of its holder is a claim and no proof.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Presented {
    /// What can be read in it, if it is a certificate at all.
    pub facts: Option<CertificateFacts>,
    /// SHA-256 of its bytes, by which a person can compare it.
    pub fingerprint: [u8; 32],
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
    #[error("all places for handshakes were taken: it gave way to a newcomer, or waited too long")]
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
    #[error("the device does not trust the server's certificate")]
    RefusedUs,
    #[error("a subscription is for topics that are not the device's")]
    Filter,
    #[error("more waited for the device than may wait for one, so its session was ended")]
    QueueFull,
    #[error("more waited for all devices than may, and its session, which held most, was ended")]
    QueuesFull,
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
    /// It was taken and is not kept for later subscriptions, as the device has as many as it may.
    Quota,
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
    /// The session that it came from.
    pub(crate) client_id: Arc<str>,
    /// For how many seconds it means something.
    pub(crate) expiry_s: Option<u32>,
    pub(crate) extra: Option<Box<Extra>>,
}

impl Message {
    /// What subscribers get of it; it expires by its time of receipt, if that is known.
    pub(crate) fn said(&self, received_at: Option<Timestamp>) -> Said {
        let span = self.expiry_s.map(|expiry_s| Duration::from_secs(expiry_s.into()));
        Said {
            topic: self.topic.as_str().into(),
            content_type: self.content_type.clone(),
            // A copy, as a view would keep the whole buffer that it was read into.
            payload: Bytes::copy_from_slice(&self.payload),
            qos: self.qos,
            expires_at: received_at.zip(span).map(|(at, span)| at.after(span)),
            extra: self.extra.clone(),
        }
    }
}

/// A message whose sender still keeps its copy.
#[derive(Debug)]
#[must_use = "a device that is never answered sends for ever"]
pub struct Unacked {
    message: Box<Message>,
    /// `None` for a will, which nobody waits for.
    ticket: Option<Ticket>,
    house: House,
    /// Sessions whose state belongs to the message's own group.
    changed: Option<Key>,
    /// A packet id of QoS 2 that is remembered unless the message is lost.
    held: Option<Held>,
    route: Option<Box<Route>>,
}

/// Who gets a message, from when that is decided until it is durable.
#[derive(Debug)]
pub struct Company(Box<Route>);

/// A message of QoS 2 from a client until it is known to be safe.
#[derive(Debug)]
pub(crate) struct Held {
    pub outbox: SharedOutbox,
    pub id: u16,
    pub version: Version,
    /// Whether its session outlives the program.
    pub is_kept: bool,
}

impl Unacked {
    pub(crate) fn new(message: Message, ticket: Option<Ticket>, house: House) -> Self {
        let (changed, held, route) = (None, None, None);
        Self { message: Box::new(message), ticket, house, changed, held, route }
    }

    /// The session's state is written with the message.
    pub(crate) fn changing(mut self, key: Key) -> Self {
        self.changed = Some(key);
        self
    }

    /// The packet id is remembered unless the message is lost.
    pub(crate) fn holding(mut self, held: Held) -> Self {
        self.held = Some(held);
        self
    }

    /// What is to be written in the message's own group: who gets it, that it is retained, the
    /// packet id of QoS 2, the session that it is the will of.
    ///
    /// To be called once, in the order of the groups; `is_letter` is whether the message
    /// itself is written as a dead letter, which nobody else gets. The company is handed
    /// back by [`Self::accompany`].
    pub fn companions(&self, is_letter: bool) -> (Vec<Body>, Option<Company>) {
        let message = &*self.message;
        let (mut bodies, mut route) = (Vec::new(), Route::default());
        let mut sessions = self.house.sessions();
        if let Some(key) = &self.changed {
            bodies.extend(sessions.record(key, &mut route));
        }
        let device = message.identity.device;
        let key = || (device, message.client_id.as_ref().to_owned());
        let is_said = !is_letter && message.authorised;
        if is_said && (message.retain || sessions.is_heard(message.site, device, &message.topic)) {
            let key = key();
            let said = Arc::new(message.said(Some(message.received_at)));
            let to = Addressed { site: message.site, device, said, group: None };
            let outgoing = Outgoing { to: &to, from: Some(&key), retain: message.retain };
            bodies.extend(sessions.route(&outgoing, &mut route));
        }
        // The id of what is answered with «no» is free again under MQTT 5 [§4.3.3].
        let is_refused = is_letter || route.over_quota;
        let held = self.held.as_ref().filter(|held| held.is_kept);
        if let Some(held) = held.filter(|held| !is_refused || held.version == Version::V311) {
            bodies.push(Note::received(&key(), held.id));
        }
        (bodies, Some(route).filter(|route| !route.is_empty()).map(|route| Company(route.into())))
    }

    /// Who gets the message once it is acknowledged.
    pub fn accompany(&mut self, company: Option<Company>) {
        self.route = company.map(|company| company.0);
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

    /// Whether the sender asked to keep it for later subscribers.
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

    // RC-028
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
        self.take_back(why);
        if let Some(ticket) = self.ticket.take() {
            ticket.never(why);
        }
    }

    /// The message is not safe: nobody gets it, and it is new when it comes again.
    fn take_back(&mut self, why: Unanswered) {
        if let Some(route) = self.route.take() {
            self.house.sessions().take_back(*route);
        }
        if let Some(held) = self.held.take() {
            let repeats = lock(&held.outbox).forget(held.id);
            repeats.into_iter().for_each(|ticket| ticket.never(why));
        }
    }

    fn settle(mut self, answer: Answer, at: &[Position], proof: &Durable) -> Result<(), Self> {
        let proved = !at.is_empty() && at.iter().all(|position| proof.covers(*position));
        if !proved {
            return Err(self);
        }
        let mut answer = answer;
        let is_over_quota = self.route.as_ref().is_some_and(|route| route.over_quota);
        if is_over_quota && matches!(answer, Answer::Taken) {
            answer = Answer::Refused(NackReason::Quota);
        }
        let is_refused = matches!(answer, Answer::Refused(_));
        if let Some(held) = self.held.take() {
            let mut outbox = lock(&held.outbox);
            // The id of what is answered with «no» is free again under MQTT 5 [§4.3.3].
            let is_over = is_refused && held.version == Version::V5;
            let (repeats, same) = if is_over {
                (outbox.forget(held.id), answer.clone())
            } else {
                (outbox.store(held.id), Answer::Taken)
            };
            drop(outbox);
            repeats.into_iter().for_each(|ticket| ticket.answer(same.clone()));
        }
        if let Some(route) = self.route.take() {
            self.house.sessions().deliver(*route);
        }
        if let Some(ticket) = self.ticket.take() {
            ticket.answer(answer);
        }
        Ok(())
    }
}

impl Drop for Unacked {
    fn drop(&mut self) {
        self.take_back(Unanswered::Lost);
    }
}
