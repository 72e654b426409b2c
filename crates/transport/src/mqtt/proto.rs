//! MQTT packets as values: the only module that names the packet library.
//!
//! ```text
//!   bytes ─▶ Framer ─▶ Frame ─▶ read::packet ─▶ Packet
//!   bytes ◀─────────────────── write::*  ◀───── our answers
//! ```
//! The framer bounds a packet before its body is there; the reader refuses what
//! the standards call malformed, the checks that the library leaves out included.
//! Sections in brackets are those of OASIS MQTT 5.0; 3.1.1 says the same unless noted.

use bytes::{Buf, Bytes, BytesMut};

pub(crate) mod read;
pub(crate) mod write;

/// The protocol level that a client asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Version {
    /// MQTT 3.1.1, level 4.
    V311,
    /// MQTT 5.0, level 5.
    V5,
}

/// How hard a message is to lose or to double.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Qos {
    /// At most once.
    AtMostOnce,
    /// At least once.
    AtLeastOnce,
    /// Exactly once.
    ExactlyOnce,
}

impl Qos {
    /// 0, 1 or 2, as the wire and stored forms spell it.
    pub const fn number(self) -> u8 {
        match self {
            Self::AtMostOnce => 0,
            Self::AtLeastOnce => 1,
            Self::ExactlyOnce => 2,
        }
    }

    /// The QoS of this number; what is above 2 is no QoS and means the highest.
    pub(crate) const fn from_number(number: u8) -> Self {
        match number {
            0 => Self::AtMostOnce,
            1 => Self::AtLeastOnce,
            _ => Self::ExactlyOnce,
        }
    }
}

/// The reason codes of MQTT 5 that we send or act on [§2.4].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
#[expect(missing_docs, reason = "the standard's own words")]
pub enum Reason {
    Success = 0x00,
    GrantedQos1 = 0x01,
    GrantedQos2 = 0x02,
    DisconnectWithWill = 0x04,
    NoMatchingSubscribers = 0x10,
    NoSubscriptionExisted = 0x11,
    Unspecified = 0x80,
    Malformed = 0x81,
    ProtocolError = 0x82,
    ImplementationSpecific = 0x83,
    UnsupportedVersion = 0x84,
    ClientIdNotValid = 0x85,
    NotAuthorized = 0x87,
    Unavailable = 0x88,
    Busy = 0x89,
    Banned = 0x8a,
    ShuttingDown = 0x8b,
    BadAuthenticationMethod = 0x8c,
    KeepAliveTimeout = 0x8d,
    SessionTakenOver = 0x8e,
    TopicFilterInvalid = 0x8f,
    TopicNameInvalid = 0x90,
    PacketIdNotFound = 0x92,
    ReceiveMaximumExceeded = 0x93,
    TopicAliasInvalid = 0x94,
    PacketTooLarge = 0x95,
    QuotaExceeded = 0x97,
    AdministrativeAction = 0x98,
    PayloadFormatInvalid = 0x99,
}

impl Reason {
    /// The byte on the wire.
    pub const fn code(self) -> u8 {
        self as u8
    }
}

/// Why a peer cannot go on: the code that it hears and words for the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{words}")]
pub struct Fault {
    /// What MQTT calls it.
    pub reason: Reason,
    /// What was found and what would have been accepted.
    pub words: &'static str,
}

impl Fault {
    pub(crate) const fn new(reason: Reason, words: &'static str) -> Self {
        Self { reason, words }
    }

    pub(crate) const fn malformed(words: &'static str) -> Self {
        Self::new(Reason::Malformed, words)
    }
}

/// A whole packet whose body was not looked at yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    /// The packet type in the high half, its flags in the low one.
    pub head: u8,
    pub body: Bytes,
}

/// Cuts a stream of bytes into packets and never holds more than one over the limit.
#[derive(Debug)]
pub(crate) struct Framer {
    stash: BytesMut,
    packet_len_max: usize,
}

impl Framer {
    pub(crate) fn new(packet_len_max: usize) -> Self {
        Self { stash: BytesMut::new(), packet_len_max }
    }

    /// Takes bytes as they came, however they were cut.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.stash.extend_from_slice(bytes);
    }

    /// Bytes that are not yet a packet that was taken.
    pub(crate) fn len(&self) -> usize {
        self.stash.len()
    }

    /// Type and flags of the packet that has begun.
    pub(crate) fn head(&self) -> Option<u8> {
        self.stash.first().copied()
    }

    /// The next whole packet, if its last byte is here.
    pub(crate) fn next(&mut self) -> Result<Option<Frame>, Fault> {
        let Some((head, header_len, body_len)) = header(&self.stash)? else { return Ok(None) };
        let len = header_len.saturating_add(body_len);
        if len > self.packet_len_max {
            return Err(Fault::new(Reason::PacketTooLarge, "the packet is longer than announced"));
        }
        if self.stash.len() < len {
            return Ok(None);
        }
        self.stash.advance(header_len);
        let body = self.stash.split_to(body_len).freeze();
        if self.stash.is_empty() {
            // An idle connection keeps no buffer.
            self.stash = BytesMut::new();
        }
        Ok(Some(Frame { head, body }))
    }
}

/// Type and flags, the header's length, and the body's; `None` until all of it is here.
fn header(bytes: &[u8]) -> Result<Option<(u8, usize, usize)>, Fault> {
    let Some((head, rest)) = bytes.split_first() else { return Ok(None) };
    let mut body_len = 0_usize;
    for (place, byte) in rest.iter().take(4).enumerate() {
        body_len |= usize::from(byte & 0x7f) << (7 * place);
        if byte & 0x80 == 0 {
            return Ok(Some((*head, place + 2, body_len)));
        }
    }
    if rest.len() < 4 {
        return Ok(None);
    }
    Err(Fault::malformed("the remaining length takes more than four bytes"))
}

/// A packet that either side may send, as far as this server or its client reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Packet {
    Connack(Connack),
    Publish(Publish),
    Puback { id: u16, code: u8, words: Option<String> },
    Pubrec { id: u16, code: u8, words: Option<String> },
    Pubrel { id: u16 },
    Pubcomp { id: u16 },
    Subscribe(Subscribe),
    Suback { id: u16, codes: Vec<u8> },
    Unsubscribe { id: u16, filters: Vec<String> },
    Unsuback { id: u16 },
    Ping,
    Pong,
    Disconnect { code: u8, expiry_s: Option<u32>, words: Option<String> },
}

/// What a client says first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Connect {
    pub version: Version,
    pub client_id: String,
    pub clean: bool,
    pub keep_alive_s: u16,
    /// 3.1.1 has none: a kept session there has `u32::MAX`.
    pub expiry_s: u32,
    pub receive_max: u16,
    pub packet_len_max: usize,
    pub topic_aliases_max: u16,
    /// Whether reasons may be explained in words [§3.1.2.11.7].
    pub wants_words: bool,
    pub will: Option<Will>,
}

/// The message that a connection leaves behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Will {
    pub topic: String,
    pub content_type: Option<String>,
    pub payload: Bytes,
    pub qos: Qos,
    pub retain: bool,
    pub delay_s: u32,
    pub expiry_s: Option<u32>,
    pub extra: Option<Box<Extra>>,
}

/// The properties of a message that few messages have; they are passed on as they came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Extra {
    pub payload_format: Option<u8>,
    pub response_topic: Option<String>,
    pub correlation: Option<Bytes>,
    pub user: Vec<(String, String)>,
}

/// The server's answer to CONNECT, as a client reads it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Connack {
    pub session_present: bool,
    pub code: u8,
    pub receive_max: Option<u16>,
    pub packet_len_max: Option<usize>,
    pub keep_alive_s: Option<u16>,
    pub client_id: Option<String>,
    pub words: Option<String>,
}

/// A message in either direction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Publish {
    pub topic: String,
    pub alias: Option<u16>,
    pub content_type: Option<String>,
    pub payload: Bytes,
    pub qos: Qos,
    /// 0 with QoS 0.
    pub id: u16,
    pub retain: bool,
    pub dup: bool,
    pub expiry_s: Option<u32>,
    pub extra: Option<Box<Extra>>,
    /// Those of the subscriptions that heard it; only a server sends them.
    pub subscription_ids: Vec<u32>,
}

/// A wish to hear.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Subscribe {
    pub id: u16,
    pub filters: Vec<Filter>,
    /// Comes with each message that one of the filters hears; 0 is none.
    pub subscription_id: u32,
}

/// One filter of a SUBSCRIBE.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Filter {
    pub text: String,
    pub qos: Qos,
    /// 0 sends retained messages, 1 only for a new subscription, 2 never.
    pub retain_handling: u8,
    pub no_local: bool,
    pub retain_as_published: bool,
}

#[cfg(test)]
mod tests;
