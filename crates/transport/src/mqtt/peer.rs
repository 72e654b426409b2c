//! One client's connection without its socket: bytes in, events and bytes out.
//!
//! ```text
//!   First ── CONNECT ──▶ Deciding ── accept ──▶ Open ── fault, goodbye ──▶ Over
//!                           └────── refuse ──────────────────────────────▶ Over
//! ```
//! It keeps the rules of a connection: the order of packets, the receive maximum,
//! topic aliases, the longest packet. Whoever drives it decides who may come in and
//! what is done with a message. It never waits, and no bytes make it panic.

use std::{collections::BTreeSet, sync::Arc};

use super::{
    Limits,
    proto::{
        Connect, Fault, Filter, Framer, Packet, Publish, Qos, Reason, Version,
        read::{self, First},
        write::{self, Granted, Unwritable},
    },
    topic,
};
use crate::{
    NackReason,
    desk::{Answer, Reply},
};

/// What a client did.
#[derive(Debug, PartialEq, Eq)]
pub enum Event {
    /// It wants to come in; [`Peer::accept_plainly`] or [`Peer::refuse`] answers.
    Connect(Box<Connecting>),
    /// It sent a message; with QoS 1 and 2 it waits for an answer.
    Publish(Publication),
    /// It wants to hear, and waits for an answer.
    Subscribe(Subscribing),
    /// It no longer wants to hear, and waits for an answer.
    Unsubscribe {
        /// The packet id of the answer.
        id: u16,
        /// The filters that end.
        filters: Vec<String>,
    },
    /// It has a message that we sent with QoS 1.
    Delivered {
        /// The packet id that it was sent with.
        id: u16,
    },
    /// It has a message that we sent with QoS 2, or refuses it.
    Received {
        /// The packet id that it was sent with.
        id: u16,
        /// Whether it refuses it.
        refused: bool,
    },
    /// It has forgotten the packet id of a message that we sent with QoS 2.
    Completed {
        /// The packet id.
        id: u16,
    },
    /// It releases the packet id of a message that it sent with QoS 2.
    Released {
        /// The packet id.
        id: u16,
    },
    /// It goes.
    Goodbye {
        /// Whether its will is published all the same.
        will: bool,
        /// How long its session stays, if it changed its mind, in seconds.
        expiry_s: Option<u32>,
    },
}

/// The fields of a CONNECT that whoever decides looks at.
#[derive(Debug, PartialEq, Eq)]
pub struct Connecting(pub(crate) Connect);

/// A message that came in, as the wire had it.
#[derive(Debug, PartialEq, Eq)]
pub struct Publication(pub(crate) Publish);

impl Publication {
    /// The packet id, if the message is of QoS 1 or 2.
    pub fn packet_id(&self) -> Option<u16> {
        (self.0.qos != Qos::AtMostOnce).then_some(self.0.id)
    }
}

/// A SUBSCRIBE with the filters that are not well-formed already judged.
#[derive(Debug, PartialEq, Eq)]
pub struct Subscribing {
    pub(crate) id: u16,
    pub(crate) filters: Vec<Result<Filter, Reason>>,
    pub(crate) subscription_id: u32,
}

/// Where a connection stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    First,
    Deciding(Version),
    Open(Version),
    Over,
}

/// The state of one connection.
#[derive(Debug)]
pub struct Peer {
    limits: Arc<Limits>,
    framer: Framer,
    phase: Phase,
    /// Whole packets so far; silence is measured by them, not by bytes.
    packets: u64,
    /// Messages of QoS 1 that were not answered.
    window: usize,
    /// Messages of QoS 2 that were not answered.
    unanswered: usize,
    /// Messages of QoS 2 that are not complete, by their packet ids.
    unfinished: BTreeSet<u16>,
    /// Topics by alias, from the client.
    aliases_in: Vec<(u16, String)>,
    /// Topics that the client knows by their place in the list, counted from 1.
    aliases_out: Vec<String>,
    their: Theirs,
}

/// What the client bounded for us.
#[derive(Debug)]
struct Theirs {
    aliases_max: u16,
    packet_len_max: usize,
    receive_max: u16,
    wants_words: bool,
    expires: bool,
}

impl Peer {
    /// A client that has not said anything.
    pub fn new(limits: Arc<Limits>) -> Self {
        let framer = Framer::new(limits.packet_len_max);
        let their = Theirs {
            aliases_max: 0,
            packet_len_max: usize::MAX,
            receive_max: u16::MAX,
            wants_words: false,
            expires: false,
        };
        let (aliases_in, aliases_out) = (Vec::new(), Vec::new());
        Self {
            limits,
            framer,
            phase: Phase::First,
            packets: 0,
            window: 0,
            unanswered: 0,
            unfinished: BTreeSet::new(),
            aliases_in,
            aliases_out,
            their,
        }
    }

    /// Takes bytes as they came from the socket.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.phase != Phase::Over {
            self.framer.push(bytes);
        }
    }

    /// The next thing that the client did; what has to be answered at once goes to `out`.
    ///
    /// A fault ends the connection: the farewell is in `out` already, and nothing follows.
    pub fn next(&mut self, out: &mut Vec<u8>) -> Result<Option<Event>, Fault> {
        let event = self.step(out);
        if let Err(fault) = event {
            self.leave(fault.reason, Some(fault.words), out);
        }
        event
    }

    fn step(&mut self, out: &mut Vec<u8>) -> Result<Option<Event>, Fault> {
        loop {
            let version = match self.phase {
                Phase::First => return self.first(out),
                Phase::Deciding(_) | Phase::Over => return Ok(None),
                Phase::Open(version) => version,
            };
            let Some(frame) = self.framer.next()? else { return Ok(None) };
            self.packets = self.packets.wrapping_add(1);
            match self.packet(version, read::from_client(version, frame)?, out)? {
                Some(event) => return Ok(Some(event)),
                None => continue,
            }
        }
    }

    fn first(&mut self, out: &mut Vec<u8>) -> Result<Option<Event>, Fault> {
        self.framer.head().map_or(Ok(()), read::first_head)?;
        let Some(frame) = self.framer.next()? else { return Ok(None) };
        self.packets = 1;
        match read::first(&frame) {
            First::Connect(connect) => {
                self.phase = Phase::Deciding(connect.version);
                self.their = Theirs {
                    aliases_max: connect.topic_aliases_max.min(self.limits.topic_aliases_max),
                    packet_len_max: connect.packet_len_max,
                    receive_max: connect.receive_max,
                    wants_words: connect.wants_words,
                    expires: connect.expiry_s > 0,
                };
                Ok(Some(Event::Connect(Box::new(Connecting(*connect)))))
            }
            First::Refused(version, fault) => {
                if let Some(version) = version {
                    self.phase = Phase::Deciding(version);
                    self.refuse(fault.reason, fault.words, out);
                }
                Err(fault)
            }
        }
    }

    fn packet(
        &mut self,
        version: Version,
        packet: Packet,
        out: &mut Vec<u8>,
    ) -> Result<Option<Event>, Fault> {
        match packet {
            Packet::Publish(publish) => self.publication(version, publish).map(Some),
            Packet::Puback { id, .. } => Ok(Some(Event::Delivered { id })),
            Packet::Pubrec { id, code, .. } => {
                Ok(Some(Event::Received { id, refused: code >= 0x80 }))
            }
            Packet::Pubrel { id } => Ok(Some(Event::Released { id })),
            Packet::Pubcomp { id } => Ok(Some(Event::Completed { id })),
            Packet::Subscribe(subscribe) => {
                let limits = self.limits.clone();
                let judge = |filter: Filter| match topic::check_filter(&limits, &filter.text) {
                    Ok(()) => Ok(filter),
                    Err(reason) => Err(reason),
                };
                let filters = subscribe.filters.into_iter().map(judge).collect();
                let (id, subscription_id) = (subscribe.id, subscribe.subscription_id);
                Ok(Some(Event::Subscribe(Subscribing { id, filters, subscription_id })))
            }
            Packet::Unsubscribe { id, filters } => Ok(Some(Event::Unsubscribe { id, filters })),
            Packet::Ping => {
                write::pong(out);
                Ok(None)
            }
            Packet::Disconnect { code, expiry_s, .. } => {
                if !self.their.expires && expiry_s.is_some_and(|expiry_s| expiry_s > 0) {
                    let words = "a session that was to end with its connection cannot be kept";
                    return Err(Fault::new(Reason::ProtocolError, words));
                }
                self.phase = Phase::Over;
                Ok(Some(Event::Goodbye { will: code != 0, expiry_s }))
            }
            Packet::Connack(_) | Packet::Suback { .. } | Packet::Unsuback { .. } | Packet::Pong => {
                Err(Fault::new(Reason::ProtocolError, "a packet that a client does not send"))
            }
        }
    }

    fn publication(&mut self, version: Version, mut publish: Publish) -> Result<Event, Fault> {
        if !publish.subscription_ids.is_empty() {
            let words = "a subscription identifier, which only a server sends";
            return Err(Fault::new(Reason::ProtocolError, words));
        }
        // Only QoS 2 repeats an id that is not finished; under QoS 1 it is one message more.
        let again = publish.qos == Qos::ExactlyOnce && self.unfinished.contains(&publish.id);
        let is_full = self.window() >= usize::from(self.limits.receive_max);
        let counts = publish.qos != Qos::AtMostOnce && !again;
        if counts && is_full && version == Version::V5 {
            let words = "more unfinished messages than the receive maximum";
            return Err(Fault::new(Reason::ReceiveMaximumExceeded, words));
        }
        match publish.qos {
            Qos::AtMostOnce => {}
            Qos::AtLeastOnce => self.window = self.window.saturating_add(1),
            Qos::ExactlyOnce => {
                self.unanswered = self.unanswered.saturating_add(1);
                self.unfinished.insert(publish.id);
            }
        }
        if let Some(alias) = publish.alias {
            self.alias(alias, &mut publish.topic)?;
        }
        topic::check_name(&self.limits, &publish.topic)?;
        Ok(Event::Publish(Publication(publish)))
    }

    /// Learns a topic by its alias, or looks it up.
    fn alias(&mut self, alias: u16, topic: &mut String) -> Result<(), Fault> {
        let fault = |words| Err(Fault::new(Reason::TopicAliasInvalid, words));
        if alias == 0 || alias > self.limits.topic_aliases_max {
            return fault("a topic alias beyond the topic alias maximum");
        }
        let known = self.aliases_in.iter_mut().find(|(known, _)| *known == alias);
        match (known, topic.is_empty()) {
            (Some((_, known)), true) => topic.clone_from(known),
            (None, true) => return fault("a topic alias that was not introduced"),
            (_, false) if topic.len() > self.limits.topic_len_max => {}
            (Some((_, known)), false) => known.clone_from(topic),
            (None, false) => self.aliases_in.push((alias, topic.clone())),
        }
        Ok(())
    }

    /// Whether the client takes a packet as long as the answer that lets it in.
    pub(crate) fn takes(&self, granted: &Granted) -> bool {
        let Phase::Deciding(version) = self.phase else { return false };
        let mut out = Vec::new();
        write::connack(&mut out, version, granted).is_ok() && out.len() <= self.their.packet_len_max
    }

    /// Lets the client in.
    pub(crate) fn accept(&mut self, granted: &Granted, out: &mut Vec<u8>) {
        let Phase::Deciding(version) = self.phase else { return };
        self.phase = Phase::Open(version);
        // A grant is made of our own bounded values, so it can always be written.
        let _ = write::connack(out, version, granted);
    }

    /// Lets the client in with nothing special granted; for tests and fuzzing.
    pub fn accept_plainly(&mut self, out: &mut Vec<u8>) {
        let granted = Granted {
            session_present: false,
            receive_max: self.limits.receive_max,
            packet_len_max: self.limits.packet_len_max,
            topic_aliases_max: self.limits.topic_aliases_max,
            expiry_s: None,
            keep_alive_s: None,
            client_id: None,
        };
        self.accept(&granted, out);
    }

    /// Does not let the client in.
    pub fn refuse(&mut self, reason: Reason, words: &str, out: &mut Vec<u8>) {
        if let Phase::Deciding(version) = self.phase {
            self.phase = Phase::Over;
            let start = out.len();
            let words = Some(words).filter(|_| self.their.wants_words);
            let written = write::refusal(out, version, reason, words);
            if written.is_err() || out.len().saturating_sub(start) > self.their.packet_len_max {
                out.truncate(start);
                let _ = write::refusal(out, version, reason, None);
            }
        }
    }

    /// Writes an answer; MQTT 3.1.1 has no word for some refusals and is closed.
    pub(crate) fn answer(
        &mut self,
        reply: &Reply,
        answer: &Answer,
        out: &mut Vec<u8>,
    ) -> Result<(), Fault> {
        if let Reply::Connack(granted) = reply {
            self.accept(granted, out);
            return Ok(());
        }
        let Phase::Open(version) = self.phase else { return Ok(()) };
        match reply {
            Reply::Connack(_) => Ok(()),
            Reply::Puback(id) => {
                self.window = self.window.saturating_sub(1);
                self.judge(version, *id, answer, write::puback, out)
            }
            Reply::Pubrec(id) => {
                self.unanswered = self.unanswered.saturating_sub(1);
                if matches!(answer, Answer::Refused(_)) && version == Version::V5 {
                    self.unfinished.remove(id);
                }
                self.judge(version, *id, answer, write::pubrec, out)
            }
            Reply::Pubrel(id) => {
                self.release(*id, true, out);
                Ok(())
            }
            Reply::Pubcomp(id) => {
                self.complete(*id, true, out);
                Ok(())
            }
            Reply::Suback(id, codes) => {
                let _ = write::suback(out, version, *id, codes);
                Ok(())
            }
            Reply::Unsuback(id, codes) => {
                let _ = write::unsuback(out, version, *id, codes);
                Ok(())
            }
        }
    }

    /// Says «released»; `known` is whether we have the packet id.
    pub(crate) fn release(&mut self, id: u16, known: bool, out: &mut Vec<u8>) {
        if let Phase::Open(version) = self.phase {
            write::pubrel(out, version, id, known);
        }
    }

    /// Says «complete»; `known` is whether we had the packet id.
    pub(crate) fn complete(&mut self, id: u16, known: bool, out: &mut Vec<u8>) {
        if let Phase::Open(version) = self.phase {
            self.unfinished.remove(&id);
            write::pubcomp(out, version, id, known);
        }
    }

    /// Answers a message of QoS 1 or 2 with the packet that `write` writes.
    fn judge(
        &mut self,
        version: Version,
        id: u16,
        answer: &Answer,
        write: impl Fn(&mut Vec<u8>, Version, u16, Reason, Option<&str>) -> Result<(), Unwritable>,
        out: &mut Vec<u8>,
    ) -> Result<(), Fault> {
        let (reason, words) = match answer {
            Answer::Taken => (Reason::Success, None),
            Answer::Refused(NackReason::PayloadFormat(words)) => {
                (Reason::PayloadFormatInvalid, Some(words))
            }
            Answer::Refused(NackReason::Topic(words)) => (Reason::TopicNameInvalid, Some(words)),
            Answer::Refused(NackReason::Quota) => (Reason::QuotaExceeded, None),
            Answer::Refused(NackReason::Refused(words)) => {
                (Reason::ImplementationSpecific, Some(words))
            }
            Answer::Refused(NackReason::NotAuthorized) if version == Version::V311 => {
                let fault = Fault::new(Reason::NotAuthorized, "a topic that is not the device's");
                self.phase = Phase::Over;
                return Err(fault);
            }
            Answer::Refused(NackReason::NotAuthorized) => (Reason::NotAuthorized, None),
        };
        let words = words.filter(|_| self.their.wants_words).map(String::as_str);
        let start = out.len();
        let written = write(out, version, id, reason, words);
        if written.is_err() || out.len().saturating_sub(start) > self.their.packet_len_max {
            // The words are what can be left out.
            out.truncate(start);
            let _ = write(out, version, id, reason, None);
        }
        Ok(())
    }

    /// Acknowledges a message of QoS 1 without any proof; for fuzzing the state machine,
    /// as no message leaves a [`Peer`] that is driven by a connection in this way.
    pub fn acknowledge_for_fuzzing(&mut self, id: u16, out: &mut Vec<u8>) {
        let _ = self.answer(&Reply::Puback(id), &Answer::Taken, out);
    }

    /// Sends a message; `false` if it is longer than the client takes, and was not sent.
    pub(crate) fn deliver(&mut self, mut publish: Publish, out: &mut Vec<u8>) -> bool {
        let Phase::Open(version) = self.phase else { return false };
        let known = self.aliases_out.iter().position(|topic| *topic == publish.topic);
        let mut introduced = false;
        if let Some(place) = known {
            publish.topic.clear();
            publish.alias = u16::try_from(place.saturating_add(1)).ok();
        } else if self.aliases_out.len() < usize::from(self.their.aliases_max) {
            self.aliases_out.push(publish.topic.clone());
            publish.alias = u16::try_from(self.aliases_out.len()).ok();
            introduced = true;
        }
        let start = out.len();
        let written = write::publish(out, version, &publish);
        let len = out.len().saturating_sub(start);
        let sent = written.is_ok() && len <= self.their.packet_len_max;
        if !sent {
            out.truncate(start);
            if introduced {
                self.aliases_out.pop();
            }
        }
        sent
    }

    /// Says goodbye in the words of the client's version and hears nothing more.
    pub fn leave(&mut self, reason: Reason, words: Option<&str>, out: &mut Vec<u8>) {
        if let Phase::Open(version) = self.phase {
            let words = words.filter(|_| self.their.wants_words);
            let start = out.len();
            let written = write::disconnect(out, version, reason, words);
            if written.is_err() || out.len().saturating_sub(start) > self.their.packet_len_max {
                out.truncate(start);
                let _ = write::disconnect(out, version, reason, None);
            }
        }
        self.phase = Phase::Over;
    }

    /// The protocol level, once the client is in.
    pub fn version(&self) -> Option<Version> {
        match self.phase {
            Phase::Open(version) => Some(version),
            Phase::First | Phase::Deciding(_) | Phase::Over => None,
        }
    }

    /// Whether a client waits for the answer to its CONNECT.
    pub(crate) fn is_deciding(&self) -> bool {
        matches!(self.phase, Phase::Deciding(_))
    }

    /// Messages of QoS 1 and 2 that are not finished.
    pub fn window(&self) -> usize {
        self.window.saturating_add(self.unfinished.len())
    }

    /// Whether nothing more is read for now: a client of 3.1.1 was never told the receive
    /// maximum, so it waits instead of being closed.
    pub(crate) fn is_full(&self) -> bool {
        // What waits for the client's PUBREL must not keep that from being read.
        let unanswered = self.window.saturating_add(self.unanswered);
        self.version() == Some(Version::V311) && unanswered >= usize::from(self.limits.receive_max)
    }

    /// Whole packets that came so far.
    pub(crate) fn packets(&self) -> u64 {
        self.packets
    }

    /// Bytes that came and were not taken.
    pub fn held(&self) -> usize {
        self.framer.len()
    }

    /// How many messages of QoS 1 the client takes before it acknowledges one.
    pub(crate) fn their_receive_max(&self) -> u16 {
        self.their.receive_max
    }
}

#[cfg(test)]
mod tests;
