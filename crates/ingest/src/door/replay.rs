//! A dead letter goes through the same door again, once its cause is mended.
//!
//! What it becomes and the note that it was taken stand in one group of the journal, so
//! that a letter is taken in once or not at all. It is late by as long as it lay: it fills
//! the chart and decides nothing.

use model::{DeadLetterId, OrgId, PartitionId, Timestamp, UserId};
use record::{Body, DeadLetter, Replayed};
use store::{AppendError, Entry};

use super::{Door, Fate, Message, forget, recognise};
use crate::{
    accept::accept, clock_offset::ClockOffset, gateway::child_of, identify::UnknownDevice,
};

/// Who asks for a letter to be replayed, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it all")]
pub struct ReplayAsked {
    pub org: OrgId,
    pub by: UserId,
    pub at: Timestamp,
}

/// Why a letter is not replayed.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// It was taken in before, or is being taken in now.
    #[error("this letter was taken in already; each is taken in once")]
    Already,
    /// Nothing is durable; it can be tried again.
    #[error("the letter could not be made durable; try again later")]
    NotDurable(#[source] AppendError),
}

impl Door {
    /// Takes a dead letter again; `came_at` is when it reached us first.
    ///
    /// A letter that still cannot be taken stays what it is, and the answer says why.
    pub async fn replay(
        &self,
        letter: &DeadLetter,
        came_at: Timestamp,
        asked: ReplayAsked,
    ) -> Result<Replayed, ReplayError> {
        let Some(_turn) = Turn::take(self, letter.id) else { return Err(ReplayError::Already) };
        let found = match letter.device {
            Some(device) => self.registry.identify(asked.org, device),
            None => Err(UnknownDevice::Nobody),
        };
        let found = match found {
            Ok(found) => found,
            Err(unknown) => {
                let why = (unknown.reason().to_owned(), unknown.to_string());
                return self.stays(letter.id, asked, why).await;
            }
        };
        let message = Message {
            topic: &letter.topic,
            content_type: letter.content_type.as_deref(),
            payload: &letter.payload,
            received_at: came_at,
        };
        let (found, topic) = match child_of(&self.registry, asked.org, &found, &message) {
            Ok(None) => (found, letter.topic.clone()),
            Ok(Some(child)) => child,
            Err(why) => return self.stays(letter.id, asked, (why.reason, why.explanation)).await,
        };
        let message = Message { topic: &topic, ..message };
        // Judged by the time at which it came; what is known of the clock now is not touched.
        let body = match accept(&found, &message, &mut ClockOffset::default()) {
            Ok(body) => was_here_since(body, came_at),
            Err(why) => return self.stays(letter.id, asked, (why.reason, why.explanation)).await,
        };
        let (body, fate) = {
            let mut devices = self.devices();
            recognise(body, &mut devices.entry(found.id).or_default().seen)
        };
        let (outcome, words) = match &fate {
            Fate::Stored { .. } => ("stored", "taken in; it is late and fills the chart"),
            Fate::Repeated { .. } | Fate::Dead { .. } => {
                ("duplicate", "the device had sent it again since, and that copy was taken in")
            }
        };
        let replayed = Replayed {
            letter: letter.id,
            by: asked.by,
            mended: true,
            outcome: outcome.to_owned(),
            words: words.to_owned(),
        };
        let entry = |body: &Body| entry_of(found.org, found.partition, asked.at, body);
        let group = vec![entry(&body), entry(&Body::Replayed(replayed.clone()))];
        let done = self.journal.append(group).await;
        match done {
            Ok(_) => {
                self.settle(found.id, &fate, true);
                self.mended().insert(letter.id);
                Ok(replayed)
            }
            Err(error) => {
                if let Fate::Stored { keys, .. } = &fate
                    && let Some(memory) = self.devices().get_mut(&found.id)
                {
                    forget(&mut memory.seen, keys);
                }
                Err(ReplayError::NotDurable(error))
            }
        }
    }

    async fn stays(
        &self,
        letter: DeadLetterId,
        asked: ReplayAsked,
        (outcome, words): (String, String),
    ) -> Result<Replayed, ReplayError> {
        let replayed = Replayed { letter, by: asked.by, mended: false, outcome, words };
        let partition = PartitionId::from(asked.org);
        let entry = entry_of(asked.org, partition, asked.at, &Body::Replayed(replayed.clone()));
        let done = self.journal.append(vec![entry]).await;
        done.map(|_| replayed).map_err(ReplayError::NotDurable)
    }
}

/// One letter's turn at the door; nobody else has one for the same letter meanwhile.
struct Turn<'a> {
    door: &'a Door,
    letter: DeadLetterId,
}

impl<'a> Turn<'a> {
    fn take(door: &'a Door, letter: DeadLetterId) -> Option<Self> {
        let is_mended = door.mended().contains(&letter);
        (!is_mended && door.replaying().insert(letter)).then_some(Self { door, letter })
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.door.replaying().remove(&self.letter);
    }
}

/// The same with the time at which it reached us first, as if a gateway had kept it since.
fn was_here_since(mut body: Body, came_at: Timestamp) -> Body {
    match &mut body {
        Body::Readings(readings) => drop(readings.gateway_at.get_or_insert(came_at)),
        Body::Wave(block) => drop(block.gateway_at.get_or_insert(came_at)),
        _ => {}
    }
    body
}

fn entry_of(org: OrgId, partition: PartitionId, received_at: Timestamp, body: &Body) -> Entry {
    let (kind, body_version, body) = body.encode();
    Entry { kind, body_version, org, partition, received_at, key_id: 0, body }
}
