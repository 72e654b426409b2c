//! Messages that wait for one client, or for its acknowledgement.
//!
//! They outlive a connection with their session. A new connection first gets again
//! what the last one did not acknowledge, in the same order and with DUP.

use std::{collections::VecDeque, sync::Arc};

use bytes::Bytes;
use model::Timestamp;

use super::{Limits, proto::Qos};

/// A message to a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mail {
    pub topic: Arc<str>,
    pub content_type: Option<Arc<str>>,
    pub payload: Bytes,
    pub qos: Qos,
    pub retain: bool,
    pub expires_at: Option<Timestamp>,
}

impl Mail {
    fn len(&self) -> usize {
        self.payload.len().saturating_add(self.topic.len())
    }

    pub(crate) fn is_expired(&self, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|at| now >= at)
    }
}

/// A message that is to be written now.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Letter {
    /// 0 with QoS 0.
    pub id: u16,
    pub dup: bool,
    pub mail: Mail,
}

#[derive(Debug)]
struct Sent {
    id: u16,
    mail: Mail,
    /// Whether this connection has written it.
    on_wire: bool,
}

/// The queue of one session.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    waiting: VecDeque<Mail>,
    sent: VecDeque<Sent>,
    bytes: usize,
    last_id: u16,
    dropped: u64,
}

impl Outbox {
    /// Takes a message; a full queue drops its oldest of QoS 0, and refuses QoS 1 after that.
    pub(crate) fn push(&mut self, limits: &Limits, mail: Mail) -> Result<(), Mail> {
        while self.is_full(limits, mail.len()) {
            let oldest = self.waiting.iter().position(|mail| mail.qos == Qos::AtMostOnce);
            let Some(dropped) = oldest.and_then(|at| self.waiting.remove(at)) else {
                return Err(mail);
            };
            self.bytes = self.bytes.saturating_sub(dropped.len());
            self.dropped = self.dropped.saturating_add(1);
        }
        self.bytes = self.bytes.saturating_add(mail.len());
        self.waiting.push_back(mail);
        Ok(())
    }

    fn is_full(&self, limits: &Limits, len: usize) -> bool {
        let count = self.waiting.len().saturating_add(self.sent.len());
        count >= limits.queue_len_max || self.bytes.saturating_add(len) > limits.queue_bytes_max
    }

    /// A new connection has begun: what was not acknowledged goes out again.
    pub(crate) fn begin(&mut self) {
        self.sent.iter_mut().for_each(|sent| sent.on_wire = false);
    }

    /// The next message to write, with at most `receive_max` of QoS 1 unacknowledged.
    pub(crate) fn next(&mut self, now: Timestamp, receive_max: u16) -> Option<Letter> {
        let on_wire = self.sent.iter().filter(|sent| sent.on_wire).count();
        let has_room = on_wire < usize::from(receive_max);
        if let Some(again) = self.sent.iter_mut().find(|sent| !sent.on_wire) {
            if !has_room {
                return None;
            }
            again.on_wire = true;
            return Some(Letter { id: again.id, dup: true, mail: again.mail.clone() });
        }
        loop {
            let mail = self.waiting.front()?;
            if mail.is_expired(now) {
                self.bytes = self.bytes.saturating_sub(mail.len());
                self.dropped = self.dropped.saturating_add(1);
                self.waiting.pop_front();
                continue;
            }
            if mail.qos == Qos::AtLeastOnce && !has_room {
                return None;
            }
            let mail = self.waiting.pop_front()?;
            if mail.qos == Qos::AtMostOnce {
                self.bytes = self.bytes.saturating_sub(mail.len());
                return Some(Letter { id: 0, dup: false, mail });
            }
            let id = self.free_id();
            self.sent.push_back(Sent { id, mail: mail.clone(), on_wire: true });
            return Some(Letter { id, dup: false, mail });
        }
    }

    /// The client has the message, or can never have it; `false` if none has this id.
    pub(crate) fn delivered(&mut self, id: u16) -> bool {
        let Some(at) = self.sent.iter().position(|sent| sent.id == id && sent.on_wire) else {
            return false;
        };
        if let Some(sent) = self.sent.remove(at) {
            self.bytes = self.bytes.saturating_sub(sent.mail.len());
        }
        true
    }

    /// Counts a message that could not be sent to this client.
    pub(crate) fn give_up(&mut self, id: u16) {
        self.dropped = self.dropped.saturating_add(1);
        self.delivered(id);
    }

    /// Messages that were dropped: expired, too long, or pushed out.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Messages that wait or are unacknowledged.
    pub(crate) fn len(&self) -> usize {
        self.waiting.len().saturating_add(self.sent.len())
    }

    fn free_id(&mut self) -> u16 {
        loop {
            // There are more ids than a queue is long, so one is free.
            self.last_id = self.last_id.checked_add(1).unwrap_or(1);
            let id = self.last_id;
            if id != 0 && self.sent.iter().all(|sent| sent.id != id) {
                return id;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mail(text: &str, qos: Qos, expires_at: Option<i64>) -> Mail {
        Mail {
            topic: "t".into(),
            content_type: None,
            payload: Bytes::copy_from_slice(text.as_bytes()),
            qos,
            retain: false,
            expires_at: expires_at.map(Timestamp::from_unix_millis),
        }
    }

    fn outbox(limits: &Limits, texts: &[(&str, Qos)]) -> Outbox {
        let mut outbox = Outbox::default();
        for (text, qos) in texts {
            outbox.push(limits, mail(text, *qos, None)).unwrap();
        }
        outbox
    }

    /// What goes out now: `+` before what was sent before, the id after QoS 1.
    fn drain(outbox: &mut Outbox, receive_max: u16) -> String {
        let mut out = Vec::new();
        while let Some(letter) = outbox.next(Timestamp::from_unix_millis(100), receive_max) {
            let text = String::from_utf8(letter.mail.payload.to_vec()).unwrap();
            let again = if letter.dup { "+" } else { "" };
            out.push(format!("{again}{text}{}", letter.id));
        }
        out.join(" ")
    }

    use Qos::{AtLeastOnce as One, AtMostOnce as Zero};

    #[test]
    fn the_clients_receive_maximum_holds_and_order_is_kept() {
        let limits = Limits::default();
        let mut outbox = outbox(&limits, &[("a", One), ("b", One), ("c", Zero), ("d", One)]);
        assert_eq!(drain(&mut outbox, 1), "a1");
        assert!(outbox.delivered(1));
        assert_eq!(drain(&mut outbox, 1), "b2 c0");
        assert!(!outbox.delivered(1));
        assert!(outbox.delivered(2));
        assert_eq!(drain(&mut outbox, 1), "d3");
    }

    #[test]
    fn a_new_connection_gets_again_what_was_not_acknowledged() {
        let limits = Limits::default();
        let mut outbox = outbox(&limits, &[("a", One), ("b", One), ("c", One)]);
        assert_eq!(drain(&mut outbox, 2), "a1 b2");
        outbox.begin();
        // An id of the last connection that this one did not write is nobody's.
        assert!(!outbox.delivered(1));
        assert_eq!(drain(&mut outbox, 8), "+a1 +b2 c3");
    }

    #[test]
    fn a_message_is_not_sent_after_its_time() {
        let limits = Limits::default();
        let mut outbox = Outbox::default();
        for (text, at) in [("late", 100), ("early", 101)] {
            outbox.push(&limits, mail(text, One, Some(at))).unwrap();
        }
        assert_eq!((drain(&mut outbox, 8), outbox.dropped()), ("early1".to_owned(), 1));
    }

    #[test]
    fn a_full_queue_drops_its_oldest_of_qos_0_and_then_refuses() {
        let limits = Limits { queue_len_max: 3, ..Limits::default() };
        let mut outbox = outbox(&limits, &[("a", One), ("b", Zero), ("c", Zero)]);
        outbox.push(&limits, mail("d", One, None)).unwrap();
        outbox.push(&limits, mail("e", One, None)).unwrap();
        let refused = outbox.push(&limits, mail("f", One, None));
        assert!(refused.is_err());
        assert_eq!((outbox.len(), outbox.dropped()), (3, 2));
        assert_eq!(drain(&mut outbox, 8), "a1 d2 e3");
    }

    #[test]
    fn a_queue_is_bounded_in_bytes_too() {
        // A topic of one byte and a payload of one.
        let limits = Limits { queue_bytes_max: 4, ..Limits::default() };
        let mut outbox = outbox(&limits, &[("a", One), ("b", One)]);
        assert!(outbox.push(&limits, mail("c", One, None)).is_err());
        assert_eq!(drain(&mut outbox, 8), "a1 b2");
        assert!(outbox.delivered(1));
        assert!(outbox.push(&limits, mail("c", One, None)).is_ok());
    }
}
