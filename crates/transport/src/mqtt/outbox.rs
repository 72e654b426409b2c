//! Messages that wait for one client or for its answers, and the packet ids that stand
//! between the two sides.
//!
//! ```text
//!   to the client      waiting ─▶ written ─ PUBACK ─────────────────────────▶ over
//!                                    └ PUBREC ─▶ released ─ PUBCOMP ────────▶ over
//!   from the client    PUBLISH ─▶ pending ─ durable ─▶ received ─ PUBREL ───▶ over
//! ```
//! They outlive a connection with their session. A new connection first gets again
//! what the last one did not answer, in the same order. A packet id is given when a
//! message is queued, as it is stored with it: after a restart it means the same.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet, VecDeque},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use model::Timestamp;

use super::{Limits, mail::Mail, proto::Qos};
use crate::desk::Ticket;

/// What is to be written now.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Letter {
    /// A message, for the first time or again.
    Message { mail: Mail, again: bool },
    /// «Released», again.
    Release { id: u16 },
}

/// Whether a message found room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pushed {
    Taken,
    /// Not without dropping what was acknowledged: the session is to end.
    Full,
}

/// What is known of a message of QoS 2 that comes from the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Receipt {
    /// Nothing: it is to be taken in.
    New,
    /// A copy is on its way to the disk; the answer waits for that one.
    Pending,
    /// It is stored.
    Stored,
}

#[derive(Debug)]
struct Sent {
    id: u16,
    /// Absent once the client has it.
    mail: Option<Mail>,
    /// Whether this connection has written it.
    on_wire: bool,
    /// Whether it was withdrawn after this connection had written it: it keeps its room until
    /// the client answers, and does not go out again.
    withdrawn: bool,
}

/// How many bytes wait here, counted among those of all queues that share the sum.
#[derive(Debug, Default)]
struct Weight {
    own: usize,
    all: Arc<AtomicUsize>,
}

impl Weight {
    fn add(&mut self, len: usize) {
        self.own = self.own.saturating_add(len);
        self.all.fetch_add(len, Relaxed);
    }

    fn sub(&mut self, len: usize) {
        let len = len.min(self.own);
        self.own = self.own.saturating_sub(len);
        self.all.fetch_sub(len, Relaxed);
    }
}

impl Drop for Weight {
    fn drop(&mut self) {
        self.sub(self.own);
    }
}

/// The queue of one session.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    waiting: VecDeque<Mail>,
    sent: VecDeque<Sent>,
    /// How many of `sent` this connection has written; they come first.
    on_wire: usize,
    bytes: Weight,
    /// The ids that are given away.
    ids: HashSet<u16>,
    last_id: u16,
    dropped: u64,
    /// Messages of QoS 2 from the client that are not durable yet, each with the repeats of
    /// this connection that wait for the same answer.
    pending: BTreeMap<u16, Vec<Ticket>>,
    /// Messages of QoS 2 from the client that are durable and that it has not released.
    received: BTreeSet<u16>,
}

impl Outbox {
    /// An empty queue whose bytes count in a sum.
    pub(crate) fn counting(all: Arc<AtomicUsize>) -> Self {
        Self { bytes: Weight { own: 0, all }, ..Self::default() }
    }

    /// How many bytes wait here or for an answer.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes.own
    }

    /// A packet id for one more message; it is free again when its delivery is over.
    pub(crate) fn give_id(&mut self, qos: Qos) -> u16 {
        if qos == Qos::AtMostOnce || self.ids.len() >= usize::from(u16::MAX) {
            return 0;
        }
        loop {
            self.last_id = self.last_id.checked_add(1).unwrap_or(1);
            if self.ids.insert(self.last_id) {
                return self.last_id;
            }
        }
    }

    /// Takes back an id whose message was not queued after all.
    pub(crate) fn take_back(&mut self, id: u16) {
        self.ids.remove(&id);
    }

    /// Takes a message with its id; a full queue drops its oldest of QoS 0, and nothing else.
    pub(crate) fn push(&mut self, limits: &Limits, mail: Mail) -> Pushed {
        while self.is_full(limits, mail.len()) {
            let oldest = self.waiting.iter().position(|mail| mail.qos == Qos::AtMostOnce);
            let Some(dropped) = oldest.and_then(|at| self.waiting.remove(at)) else {
                self.dropped = self.dropped.saturating_add(1);
                self.take_back(mail.id);
                // A message of QoS 0 is dropped before a session is.
                return if mail.qos == Qos::AtMostOnce { Pushed::Taken } else { Pushed::Full };
            };
            self.bytes.sub(dropped.len());
            self.dropped = self.dropped.saturating_add(1);
        }
        self.bytes.add(mail.len());
        self.waiting.push_back(mail);
        Pushed::Taken
    }

    fn is_full(&self, limits: &Limits, len: usize) -> bool {
        self.len() >= limits.queue_len_max
            || self.bytes.own.saturating_add(len) > limits.queue_bytes_max
    }

    /// A new connection has begun: what was not answered goes out again.
    pub(crate) fn begin(&mut self) {
        self.on_wire = 0;
        self.sent.iter_mut().for_each(|sent| sent.on_wire = false);
        while let Some(at) = self.sent.iter().position(|sent| sent.withdrawn && is_mail(sent)) {
            self.remove(at);
        }
        // Nobody listens at the last connection's desk any more.
        self.pending.values_mut().for_each(Vec::clear);
    }

    /// What to write next, with at most `receive_max` of QoS 1 and 2 unfinished.
    pub(crate) fn next(&mut self, now: Timestamp, receive_max: u16) -> Option<Letter> {
        let has_room = self.on_wire < usize::from(receive_max);
        // What the client did not answer in time means nothing any more either; under QoS 2 what
        // was sent once goes on to its end [MQTT-4.3.3-7].
        let is_over = |mail: &Mail| mail.qos != Qos::ExactlyOnce && mail.said.is_expired(now);
        while let Some(again) = self.sent.get(self.on_wire)
            && again.mail.as_ref().is_some_and(is_over)
        {
            self.dropped = self.dropped.saturating_add(1);
            self.remove(self.on_wire);
        }
        if let Some(again) = self.sent.get_mut(self.on_wire) {
            // «Released» is no message, and needs no room.
            if !has_room && again.mail.is_some() {
                return None;
            }
            again.on_wire = true;
            self.on_wire = self.on_wire.saturating_add(1);
            return Some(match &again.mail {
                Some(mail) => Letter::Message { mail: mail.clone(), again: true },
                None => Letter::Release { id: again.id },
            });
        }
        loop {
            let mail = self.waiting.front()?;
            if mail.said.is_expired(now) {
                self.drop_first();
                continue;
            }
            if mail.qos != Qos::AtMostOnce && !has_room {
                return None;
            }
            let mail = self.waiting.pop_front()?;
            if mail.qos == Qos::AtMostOnce {
                self.bytes.sub(mail.len());
                return Some(Letter::Message { mail, again: false });
            }
            let (id, sent) = (mail.id, Some(mail.clone()));
            self.sent.push_back(Sent { id, mail: sent, on_wire: true, withdrawn: false });
            self.on_wire = self.on_wire.saturating_add(1);
            return Some(Letter::Message { mail, again: false });
        }
    }

    fn drop_first(&mut self) {
        if let Some(mail) = self.waiting.pop_front() {
            self.bytes.sub(mail.len());
            self.ids.remove(&mail.id);
            self.dropped = self.dropped.saturating_add(1);
        }
    }

    fn sent(&self, id: u16) -> Option<(usize, &Sent)> {
        self.sent.iter().enumerate().find(|(_, sent)| sent.id == id && sent.on_wire)
    }

    /// The client has a message of QoS 1; `false` if none with this id waits for that.
    pub(crate) fn acknowledged(&mut self, id: u16) -> bool {
        let at = self.sent(id).filter(|(_, sent)| is_qos(sent, Qos::AtLeastOnce));
        at.map(|(at, _)| at).is_some_and(|at| self.remove(at))
    }

    /// The client has a message of QoS 2, or refuses it; `false` if none with this id is there.
    pub(crate) fn taken(&mut self, id: u16, refused: bool) -> bool {
        let at = self.sent(id).filter(|(_, sent)| !is_qos(sent, Qos::AtLeastOnce));
        let Some(at) = at.map(|(at, _)| at) else { return false };
        if refused {
            return self.remove(at);
        }
        if let Some(mail) = self.sent.get_mut(at).and_then(|sent| sent.mail.take()) {
            self.bytes.sub(mail.len());
        }
        true
    }

    /// The client has forgotten the id of a message of QoS 2.
    pub(crate) fn completed(&mut self, id: u16) -> bool {
        let at = self.sent(id).filter(|(_, sent)| sent.mail.is_none());
        at.map(|(at, _)| at).is_some_and(|at| self.remove(at))
    }

    /// A message could not be sent to this client: it is counted, and its delivery over.
    pub(crate) fn give_up(&mut self, id: u16) {
        self.dropped = self.dropped.saturating_add(1);
        if let Some((at, _)) = self.sent(id) {
            self.remove(at);
        }
    }

    fn remove(&mut self, at: usize) -> bool {
        let Some(sent) = self.sent.remove(at) else { return false };
        self.on_wire = self.on_wire.saturating_sub(usize::from(sent.on_wire));
        self.bytes.sub(sent.mail.as_ref().map_or(0, Mail::len));
        self.ids.remove(&sent.id);
        true
    }

    /// Takes back what was said on exactly this topic; answers with the packet ids of QoS 1
    /// and 2 that are not to be recalled. An empty message stays: it takes back what the client
    /// has already.
    pub(crate) fn withdraw(&mut self, topic: &str) -> Vec<u16> {
        let mut gone = Vec::new();
        let is_on =
            |mail: &Mail| mail.said.topic.as_ref() == topic && !mail.said.payload.is_empty();
        let mut at = 0;
        while let Some(sent) = self.sent.get_mut(at) {
            let is_it = sent.mail.as_ref().is_some_and(is_on) && !sent.withdrawn;
            if is_it {
                gone.push(sent.id);
            }
            if is_it && !sent.on_wire {
                self.remove(at);
                continue;
            }
            // The client counts it until it answers, so it goes on taking room.
            sent.withdrawn |= is_it;
            at = at.saturating_add(1);
        }
        while let Some(at) = self.waiting.iter().position(is_on) {
            let Some(mail) = self.waiting.remove(at) else { break };
            self.bytes.sub(mail.len());
            self.ids.remove(&mail.id);
            gone.extend(Some(mail.id).filter(|id| *id != 0));
        }
        gone
    }

    /// Looks at a message of QoS 2 from the client; one that is new is remembered as pending.
    pub(crate) fn receive(&mut self, id: u16) -> Receipt {
        if self.received.contains(&id) {
            return Receipt::Stored;
        }
        if self.pending.contains_key(&id) {
            return Receipt::Pending;
        }
        self.pending.insert(id, Vec::new());
        Receipt::New
    }

    /// A repeat waits for the copy that is pending.
    pub(crate) fn wait(&mut self, id: u16, ticket: Ticket) {
        self.pending.entry(id).or_default().push(ticket);
    }

    /// A pending message is durable; answers with the repeats that waited for that.
    pub(crate) fn store(&mut self, id: u16) -> Vec<Ticket> {
        let waited = self.pending.remove(&id);
        if waited.is_some() {
            self.received.insert(id);
        }
        waited.unwrap_or_default()
    }

    /// A pending message is lost or refused, so its id is new when it comes again; answers
    /// with the repeats that waited for it.
    pub(crate) fn forget(&mut self, id: u16) -> Vec<Ticket> {
        self.pending.remove(&id).unwrap_or_default()
    }

    /// Forgets a message of QoS 2 from the client; `false` if it was not stored.
    pub(crate) fn release(&mut self, id: u16) -> bool {
        self.received.remove(&id)
    }

    /// Puts back what a restart found: a message of the client that it has not released.
    pub(crate) fn recall_received(&mut self, id: u16) {
        self.received.insert(id);
    }

    /// Puts back what a restart found: a message that waits, perhaps for an answer.
    pub(crate) fn recall(&mut self, mail: Mail, was_sent: bool) {
        self.ids.insert(mail.id);
        self.last_id = self.last_id.max(mail.id);
        self.bytes.add(mail.len());
        if was_sent {
            let (id, mail) = (mail.id, Some(mail));
            self.sent.push_back(Sent { id, mail, on_wire: false, withdrawn: false });
        } else {
            self.waiting.push_back(mail);
        }
    }

    /// Puts back what a restart found: a message that the client has and did not complete.
    pub(crate) fn recall_taken(&mut self, id: u16) {
        self.ids.insert(id);
        self.last_id = self.last_id.max(id);
        self.sent.push_back(Sent { id, mail: None, on_wire: false, withdrawn: false });
    }

    /// What a snapshot keeps: messages of QoS 1 and 2 in their order and whether each was
    /// sent, the ids that the client has, and the durable ones that it has not released.
    pub(crate) fn kept(&self) -> (Vec<(&Mail, bool)>, Vec<u16>, Vec<u16>) {
        let sent = self.sent.iter().filter(|sent| !sent.withdrawn);
        let sent = sent.filter_map(|sent| sent.mail.as_ref().zip(Some(true)));
        let waiting = self.waiting.iter().filter(|mail| mail.qos != Qos::AtMostOnce);
        let waiting = waiting.map(|mail| (mail, false));
        let taken = self.sent.iter().filter(|sent| sent.mail.is_none()).map(|sent| sent.id);
        (sent.chain(waiting).collect(), taken.collect(), self.received.iter().copied().collect())
    }

    /// Empties the queue of a session that ended; answers with what a shared subscription may
    /// give to another member: all that waits, and what was sent with QoS 1.
    pub(crate) fn clear(&mut self) -> Vec<Mail> {
        let sent = std::mem::take(&mut self.sent).into_iter().filter(|sent| !sent.withdrawn);
        let sent = sent.filter_map(|sent| sent.mail);
        let again = sent.filter(|mail| mail.qos == Qos::AtLeastOnce);
        let waiting = std::mem::take(&mut self.waiting);
        let left = again.chain(waiting).filter(|mail| mail.shared.is_some()).collect();
        *self = Self { dropped: self.dropped, ..Self::counting(self.bytes.all.clone()) };
        left
    }

    /// Messages that were dropped: expired, too long, or pushed out.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Messages that wait or are unanswered.
    pub(crate) fn len(&self) -> usize {
        self.waiting.len().saturating_add(self.sent.len())
    }
}

fn is_mail(sent: &Sent) -> bool {
    sent.mail.is_some()
}

fn is_qos(sent: &Sent, qos: Qos) -> bool {
    sent.mail.as_ref().is_some_and(|mail| mail.qos == qos)
}

#[cfg(test)]
mod tests;
