//! `take`: what every protocol calls, and the only place where a message becomes a record.

#[cfg(test)]
mod tests;

use std::{
    collections::HashMap,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use model::{Channel, DeadLetterId, DeviceId, OrgId, PartitionId, SiteId, Timestamp};
use record::{Body, Counted, DeadLetter, Duplicate, Readings};
use store::{AppendError, Durable, Entry, Journal, Ticket};

pub use crate::accept::Parcel as Message;
use crate::{
    accept::{Undecodable, accept},
    clock_offset::ClockOffset,
    duplicate::{Seen, fingerprint},
    identify::{DeviceRef, Registry},
};

/// The one door into the journal; all protocols share it.
#[derive(Debug)]
pub struct Door {
    journal: Journal,
    registry: Registry,
    /// Where the messages of strangers go: their certificate names an org, and no more.
    fallback: (OrgId, SiteId),
    devices: Mutex<HashMap<DeviceId, Memory>>,
    counts: Counts,
}

#[derive(Debug, Default)]
struct Memory {
    clock: ClockOffset,
    seen: Seen,
}

#[derive(Debug, Default)]
struct Counts {
    stored: AtomicU64,
    duplicates: AtomicU64,
    dead_letters: AtomicU64,
    unanswered: AtomicU64,
    refused: AtomicU64,
    samples: AtomicU64,
}

/// What came through the door since the start, in messages and samples.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it all")]
pub struct DoorCounts {
    pub stored: u64,
    pub duplicates: u64,
    pub dead_letters: u64,
    /// Taken in and not made durable, so never answered.
    pub unanswered: u64,
    /// Connections that were not let in, or put out.
    pub refused: u64,
    pub samples: u64,
}

/// A message that was handed to the journal and waits for its sync.
#[derive(Debug)]
pub struct Admitted {
    /// Resolves when the group that holds it is on disk, or will not be.
    pub ticket: Ticket,
    pub(crate) fate: Fate,
    pub(crate) device: DeviceId,
}

/// What a message becomes once it is durable.
#[derive(Debug)]
pub(crate) enum Fate {
    Stored { keys: Keys, samples: u64 },
    Repeated { keys: Keys },
    Dead { letter: DeadLetterId, why: Undecodable },
}

/// What a message is recognised by if it comes again.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Keys {
    Counted(Option<Channel>, Counted),
    Samples(Vec<u64>),
    /// Messages that carry no key are stored each time.
    None,
}

/// What is durable now, and so may be acknowledged.
#[derive(Debug)]
pub enum Durably {
    /// Stored for the first time.
    Stored(Durable),
    /// It was stored before, and the repeat is on record.
    Repeated(Durable),
}

/// Why a message is not acknowledged as good.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// Kept whole as a dead letter, which is durable.
    #[error("{explanation} (kept as dead letter {letter})")]
    Dead {
        /// Names it on screens.
        letter: DeadLetterId,
        /// A stable word.
        reason: String,
        /// What was found and what would have been accepted.
        explanation: String,
        /// Whether the sender spoke for another.
        not_yours: bool,
        /// The proof.
        durable: Durable,
    },
    /// Nothing is durable: there must be no answer, or a retryable one.
    #[error("the message could not be made durable; send it again later")]
    NotDurable(#[source] AppendError),
}

impl Door {
    /// A door into this journal for the devices of this registry.
    pub fn new(journal: Journal, registry: Registry, fallback: (OrgId, SiteId)) -> Self {
        let (devices, counts) = (Mutex::default(), Counts::default());
        Self { journal, registry, fallback, devices, counts }
    }

    /// Takes one message all the way: identify, decode, accept, journal, wait for the sync.
    pub async fn take(
        &self,
        org: OrgId,
        device: DeviceId,
        door: &str,
        message: &Message<'_>,
    ) -> Result<Durably, Refusal> {
        let Admitted { ticket, fate, device } = self.admit(org, device, door, message);
        let outcome = ticket.await;
        self.settle(device, &fate, outcome.is_ok());
        match (outcome, fate) {
            (Err(error), _) => Err(Refusal::NotDurable(error)),
            (Ok(durable), Fate::Stored { .. }) => Ok(Durably::Stored(durable)),
            (Ok(durable), Fate::Repeated { .. }) => Ok(Durably::Repeated(durable)),
            (Ok(durable), Fate::Dead { letter, why }) => {
                let Undecodable { reason, explanation, not_yours } = why;
                Err(Refusal::Dead { letter, reason, explanation, not_yours, durable })
            }
        }
    }

    /// The first half of [`Self::take`]: the message is on its way to the disk.
    ///
    /// Callers that keep an order settle what they admit in the order of the journal.
    pub fn admit(
        &self,
        org: OrgId,
        device: DeviceId,
        door: &str,
        message: &Message<'_>,
    ) -> Admitted {
        let found = match self.registry.identify(org, device) {
            Ok(found) => found,
            Err(unknown) => {
                let partition = PartitionId::from(self.fallback.1);
                let why = Undecodable {
                    reason: "device:unknown".to_owned(),
                    explanation: unknown.to_string(),
                    not_yours: true,
                };
                return self.bury(self.fallback.0, partition, device, door, message, why);
            }
        };
        let mut devices = self.devices();
        let memory = devices.entry(device).or_default();
        match accept(&found, message, &mut memory.clock) {
            Ok(body) => {
                let (body, fate) = recognise(body, &mut memory.seen);
                // Still locked: a repeat on another door must not overtake its original.
                let ticket = self.append(&found, message.received_at, &body);
                drop(devices);
                Admitted { ticket, fate, device }
            }
            Err(why) => {
                drop(devices);
                self.bury(found.org, found.partition, device, door, message, why)
            }
        }
    }

    /// Counts what became of an admitted message; what is not durable was never seen.
    pub(crate) fn settle(&self, device: DeviceId, fate: &Fate, durable: bool) {
        if !durable {
            self.counts.unanswered.fetch_add(1, Relaxed);
            if let Fate::Stored { keys, .. } = fate
                && let Some(memory) = self.devices().get_mut(&device)
            {
                forget(&mut memory.seen, keys);
            }
            return;
        }
        let count = match fate {
            Fate::Stored { samples, .. } => {
                self.counts.samples.fetch_add(*samples, Relaxed);
                &self.counts.stored
            }
            Fate::Repeated { .. } => &self.counts.duplicates,
            Fate::Dead { .. } => &self.counts.dead_letters,
        };
        count.fetch_add(1, Relaxed);
    }

    /// Remembers what a restarted program finds in its journal, so that repeats stay repeats.
    pub fn recall(&self, body: &Body) {
        let mut devices = self.devices();
        match body {
            Body::Readings(readings) => {
                let seen = &mut devices.entry(readings.device).or_default().seen;
                match readings.counted {
                    Some(counted) => {
                        seen.repeats(None, counted);
                    }
                    None => {
                        for sample in &readings.samples {
                            seen.repeats_sample(fingerprint(readings.device_at, sample));
                        }
                    }
                }
            }
            Body::Wave(block) => {
                let seen = &mut devices.entry(block.device).or_default().seen;
                seen.repeats(Some(&block.channel), block.counted);
            }
            Body::DeadLetter(_)
            | Body::Duplicate(_)
            | Body::Presence(_)
            | Body::Upward(_)
            | Body::Command(_)
            | Body::Audit(_)
            | Body::ClockStep(_)
            | Body::MqttSession(_)
            | Body::SegmentHead(_)
            | Body::Part(_) => {}
        }
    }

    /// Appends something that happened at the door itself: a device came or went, a session changed.
    pub fn note(&self, device: DeviceId, received_at: Timestamp, body: &Body) -> Ticket {
        match self.registry.find(device) {
            Some(found) => self.append(&found, received_at, body),
            None => {
                let (org, site) = self.fallback;
                self.append_to(org, PartitionId::from(site), received_at, body)
            }
        }
    }

    /// What came through since the start.
    pub fn counts(&self) -> DoorCounts {
        let Counts { stored, duplicates, dead_letters, unanswered, refused, samples } =
            &self.counts;
        let [stored, duplicates, dead_letters, unanswered, refused, samples] =
            [stored, duplicates, dead_letters, unanswered, refused, samples]
                .map(|count| count.load(Relaxed));
        DoorCounts { stored, duplicates, dead_letters, unanswered, refused, samples }
    }

    /// Returns when the journal takes more.
    pub(crate) async fn room(&self) {
        self.journal.room().await;
    }

    /// Counts a connection that was not let in.
    pub(crate) fn count_refused(&self) {
        self.counts.refused.fetch_add(1, Relaxed);
    }

    /// The devices that may speak.
    pub const fn registry(&self) -> &Registry {
        &self.registry
    }

    fn bury(
        &self,
        org: OrgId,
        partition: PartitionId,
        device: DeviceId,
        door: &str,
        message: &Message<'_>,
        why: Undecodable,
    ) -> Admitted {
        let letter = letter_id(message);
        let body = Body::DeadLetter(DeadLetter {
            id: letter,
            device: Some(device),
            door: door.to_owned(),
            topic: message.topic.to_owned(),
            content_type: message.content_type.map(str::to_owned),
            reason: why.reason.clone(),
            explanation: why.explanation.clone(),
            payload: message.payload.to_vec(),
        });
        let ticket = self.append_to(org, partition, message.received_at, &body);
        Admitted { ticket, fate: Fate::Dead { letter, why }, device }
    }

    fn append(&self, device: &DeviceRef, received_at: Timestamp, body: &Body) -> Ticket {
        self.append_to(device.org, device.partition, received_at, body)
    }

    fn append_to(
        &self,
        org: OrgId,
        partition: PartitionId,
        received_at: Timestamp,
        body: &Body,
    ) -> Ticket {
        let (kind, body_version, body) = body.encode();
        let entry = Entry { kind, body_version, org, partition, received_at, key_id: 0, body };
        self.journal.append(vec![entry])
    }

    fn devices(&self) -> MutexGuard<'_, HashMap<DeviceId, Memory>> {
        self.devices.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The id of a dead letter: its time, and what it says; the same message at the same
/// instant is the same letter, and no randomness is needed at the door.
fn letter_id(message: &Message<'_>) -> DeadLetterId {
    let hash = security::sha256(&[message.topic.as_bytes(), &[0], message.payload].concat());
    let half = hash.first_chunk::<16>().map_or(0, |half| u128::from_be_bytes(*half));
    DeadLetterId::v7(message.received_at, half)
}

/// Tells a first copy from a repeat; a repeat becomes a short record of its own.
fn recognise(body: Body, seen: &mut Seen) -> (Body, Fate) {
    match body {
        Body::Readings(readings) => recognise_readings(readings, seen),
        Body::Wave(block) => {
            let keys = Keys::Counted(Some(block.channel.clone()), block.counted);
            if seen.repeats(Some(&block.channel), block.counted) {
                let (device, counted) = (block.device, Some(block.counted));
                let repeat =
                    Duplicate { device, counted, channel: Some(block.channel), samples: 1 };
                (Body::Duplicate(repeat), Fate::Repeated { keys })
            } else {
                (Body::Wave(block), Fate::Stored { keys, samples: 0 })
            }
        }
        body @ (Body::DeadLetter(_)
        | Body::Duplicate(_)
        | Body::Presence(_)
        | Body::Upward(_)
        | Body::Command(_)
        | Body::Audit(_)
        | Body::ClockStep(_)
        | Body::MqttSession(_)
        | Body::SegmentHead(_)
        | Body::Part(_)) => (body, Fate::Stored { keys: Keys::None, samples: 0 }),
    }
}

fn recognise_readings(mut readings: Readings, seen: &mut Seen) -> (Body, Fate) {
    let (device, counted) = (readings.device, readings.counted);
    let all = readings.samples.len();
    let (keys, is_new) = match counted {
        Some(counted) => (Keys::Counted(None, counted), !seen.repeats(None, counted)),
        None => {
            let base = readings.device_at;
            let prints: Vec<u64> =
                readings.samples.iter().map(|sample| fingerprint(base, sample)).collect();
            let new: Vec<bool> = prints.iter().map(|print| !seen.repeats_sample(*print)).collect();
            let is_new = new.contains(&true);
            if is_new {
                // A message that repeats in part is stored without that part.
                let mut kept = new.iter();
                readings.samples.retain(|_| kept.next().copied().unwrap_or(true));
            }
            (Keys::Samples(prints), is_new)
        }
    };
    if is_new {
        let samples = u64::try_from(readings.samples.len()).unwrap_or(u64::MAX);
        return (Body::Readings(readings), Fate::Stored { keys, samples });
    }
    let samples = u32::try_from(all).unwrap_or(u32::MAX);
    (
        Body::Duplicate(Duplicate { device, counted, channel: None, samples }),
        Fate::Repeated { keys },
    )
}

fn forget(seen: &mut Seen, keys: &Keys) {
    match keys {
        Keys::Counted(stream, counted) => seen.forget(stream.as_ref(), *counted),
        Keys::Samples(prints) => prints.iter().for_each(|print| seen.forget_sample(*print)),
        Keys::None => {}
    }
}
