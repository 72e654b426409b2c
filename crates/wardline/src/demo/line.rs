//! A virtual device's connection with what waits on it for an answer: when it breaks, that is
//! sent again once the device is back, so that only an answer makes it forget.

use std::{collections::VecDeque, sync::Arc};

use model::Timestamp;
use sim::Sent;
use transport::mqtt::{Client, ClientError, ClientOptions, Incoming, Qos};

/// What the server did.
#[derive(Debug)]
pub(crate) enum Heard {
    /// It answered a message.
    Answer(Answer),
    /// Nothing that a device waits for.
    Other,
    /// The connection is gone, for this reason.
    Broke(String),
}

/// The answer to a message.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) sent: Arc<Sent>,
    /// When its last byte was handed to a socket for the first time.
    pub(crate) sent_at: Timestamp,
    /// The reason code: below 0x80 it was taken.
    pub(crate) code: u8,
    pub(crate) words: Option<String>,
}

#[derive(Debug)]
struct Unanswered {
    /// Its packet on this connection, once it is on it.
    id: Option<u16>,
    sent: Arc<Sent>,
    sent_at: Option<Timestamp>,
}

/// A connection that may be down.
#[derive(Debug)]
pub(crate) struct Line {
    options: ClientOptions,
    /// What stands in topics before a message's leaf.
    topic_prefix: String,
    client: Option<Client>,
    /// Oldest first.
    unanswered: VecDeque<Unanswered>,
}

impl Line {
    /// A line that is down.
    pub(crate) const fn new(options: ClientOptions, topic_prefix: String) -> Self {
        Self { options, topic_prefix, client: None, unanswered: VecDeque::new() }
    }

    /// As whom it connects, and where.
    pub(crate) const fn options(&self) -> &ClientOptions {
        &self.options
    }

    /// What stands in topics before a message's leaf.
    pub(crate) fn topic_prefix(&self) -> &str {
        &self.topic_prefix
    }

    /// Whether it is up, as far as is known.
    pub(crate) const fn is_up(&self) -> bool {
        self.client.is_some()
    }

    /// How many messages wait for their answer.
    pub(crate) fn waiting(&self) -> usize {
        self.unanswered.len()
    }

    /// Whether the server takes one more message before it answers.
    pub(crate) fn has_room(&self) -> bool {
        self.client.as_ref().is_some_and(|it| self.waiting() < it.receive_max().into())
    }

    /// Connects, and sends again what was not answered.
    pub(crate) async fn connect(&mut self) -> Result<(), ClientError> {
        self.client = None;
        self.client = Some(Client::connect(self.options.clone()).await?);
        for message in &mut self.unanswered {
            message.id = None;
        }
        self.write().await;
        Ok(())
    }

    /// Breaks off without a goodbye.
    pub(crate) fn cut(&mut self) {
        self.client = None;
    }

    /// Sends a message if the line is up.
    pub(crate) async fn send(&mut self, sent: Arc<Sent>) {
        if self.is_up() {
            self.unanswered.push_back(Unanswered { id: None, sent, sent_at: None });
            self.write().await;
        }
    }

    /// Writes what is not on this connection yet, as far as the server takes it.
    async fn write(&mut self) {
        let Some(client) = &mut self.client else { return };
        let takes: usize = client.receive_max().into();
        for message in self.unanswered.iter_mut().take(takes).filter(|it| it.id.is_none()) {
            let topic = format!("{}/{}", self.topic_prefix, message.sent.leaf);
            let (kind, payload) = (message.sent.content_type, message.sent.payload.to_vec());
            message.id = client.publish(&topic, Some(kind), payload, Qos::AtLeastOnce).ok();
        }
        let flushed = client.flush().await;
        let now = self.options.clock.now();
        for message in self.unanswered.iter_mut().filter(|it| it.id.is_some()) {
            message.sent_at.get_or_insert(now);
        }
        if flushed.is_err() {
            self.client = None;
        }
    }

    /// Waits for the server; may be dropped and asked again.
    pub(crate) async fn next(&mut self) -> Heard {
        let Some(client) = &mut self.client else { return Heard::Broke("it is down".to_owned()) };
        match client.next().await {
            Ok(Incoming::Acknowledged { id, code, words }) => {
                let place = self.unanswered.iter().position(|it| it.id == Some(id));
                let Some(message) = place.and_then(|place| self.unanswered.remove(place)) else {
                    return Heard::Other;
                };
                let sent_at = message.sent_at.unwrap_or_default();
                Heard::Answer(Answer { sent: message.sent, sent_at, code, words })
            }
            Ok(Incoming::PutOut { code, words }) => {
                self.client = None;
                Heard::Broke(format!("put out with {code:#04x}: {}", words.unwrap_or_default()))
            }
            Err(error) => {
                self.client = None;
                Heard::Broke(error.to_string())
            }
            Ok(
                Incoming::Message { .. }
                | Incoming::Subscribed { .. }
                | Incoming::Unsubscribed { .. }
                | Incoming::Pong,
            ) => Heard::Other,
        }
    }
}
