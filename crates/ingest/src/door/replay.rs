//! A dead letter goes through the same door again, once its cause is mended.
//!
//! What it becomes and the note that it was taken stand in one group of the journal, so
//! that a letter is taken in once or not at all. It is late by as long as it lay: it fills
//! the chart and decides nothing.

use model::{DeadLetterId, OrgId, PartitionId, Timestamp, UserId};
use record::{Body, DeadLetter, Replayed};
use store::{AppendError, Entry};

use super::{Admitted, Door, Fate, Message, recognise, settling::Settling};
use crate::{
    accept::accept,
    clock_offset::ClockOffset,
    gateway::child_of,
    identify::{DeviceRef, UnknownDevice},
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
            Ok(Some(behind)) => (behind.child, behind.topic),
            Err(why) => return self.stays(letter.id, asked, (why.reason, why.explanation)).await,
        };
        let message = Message { topic: &topic, ..message };
        // Judged by the time at which it came; what is known of the clock now is not touched.
        let body = match accept(&found, &message, &mut ClockOffset::default()) {
            Ok(body) => was_here_since(body, came_at),
            Err(why) => return self.stays(letter.id, asked, (why.reason, why.explanation)).await,
        };
        let mut replayed = Replayed {
            letter: letter.id,
            by: asked.by,
            mended: true,
            outcome: String::new(),
            words: String::new(),
        };
        let admitted = self.readmit(&found, body, &mut replayed, asked.at)?;
        let settled = Settling::new(&self.ledger, admitted).done().await;
        let Ok((outcome, ..)) = settled else {
            return Err(ReplayError::NotDurable(AppendError::Closed));
        };
        outcome.map_err(ReplayError::NotDurable)?;
        self.mended().insert(letter.id);
        Ok(replayed)
    }

    /// Hands the body and the note to the journal as live intake does: what is recognised
    /// and what is appended are of one order, so that nobody's repeat of it counts as safe
    /// before it is.
    fn readmit(
        &self,
        found: &DeviceRef,
        body: Body,
        replayed: &mut Replayed,
        at: Timestamp,
    ) -> Result<Admitted, ReplayError> {
        let mut devices = self.devices();
        let memory = devices.entry(found.id).or_default();
        let (body, fate) = recognise(body, &mut memory.seen);
        if let Fate::Repeated { keys } = &fate
            && memory.pending.holds(keys)
        {
            // The copy that came since may yet be lost, and the letter would be lost with it.
            return Err(ReplayError::NotDurable(AppendError::Busy));
        }
        memory.pending.add(&fate);
        let (outcome, words) = match &fate {
            Fate::Stored { .. } => ("stored", "taken in; it is late and fills the chart"),
            Fate::Repeated { .. } | Fate::Dead { .. } => {
                ("duplicate", "the device had sent it again since, and that copy was taken in")
            }
        };
        (replayed.outcome, replayed.words) = (outcome.to_owned(), words.to_owned());
        let note = Body::Replayed(replayed.clone());
        let entry = |body: &Body| entry_of(found.org, found.partition, at, body);
        // A repeat is told by the note alone: that the device was heard now would be untrue.
        let group = match &fate {
            Fate::Stored { .. } => vec![entry(&body), entry(&note)],
            Fate::Repeated { .. } | Fate::Dead { .. } => vec![entry(&note)],
        };
        let ticket = self.journal.append(group);
        drop(devices);
        Ok(Admitted { ticket, fate, device: found.id })
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
    let gateway_at = match &mut body {
        Body::Readings(readings) => &mut readings.gateway_at,
        Body::Wave(block) => &mut block.gateway_at,
        Body::Upward(upward) => &mut upward.gateway_at,
        Body::Event(event) => &mut event.gateway_at,
        Body::State(state) => &mut state.gateway_at,
        Body::Config(config) => &mut config.gateway_at,
        Body::CommandResult(result) => &mut result.gateway_at,
        _ => return body,
    };
    gateway_at.get_or_insert(came_at);
    body
}

fn entry_of(org: OrgId, partition: PartitionId, received_at: Timestamp, body: &Body) -> Entry {
    let (kind, body_version, body) = body.encode();
    Entry { kind, body_version, org, partition, received_at, key_id: 0, body }
}
