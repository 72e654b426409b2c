//! `take`: what every protocol calls, and the only place where a message becomes a record.

mod lines;
mod replay;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeSet, HashMap},
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use model::{Channel, Clock, DeadLetterId, DeviceId, OrgId, PartitionId, SiteId, Timestamp};
use record::{Body, Counted, DeadLetter, Duplicate, Readings, SealedWave};
use store::{AppendError, Durable, Entry, Journal, Ticket};
use transport::{Presented, RefusedWhy};

pub use crate::accept::Parcel as Message;
use crate::{
    accept::{Undecodable, accept},
    clock_offset::ClockOffset,
    duplicate::{Seen, fingerprint},
    gateway::child_of,
    identify::{DeviceRef, Registry},
    limits::ROOM_WITHIN,
    refusals::{self, CLOCK_OFF, Incident, Refusals, clock_off},
    reports,
    tap::Tap,
};
pub use lines::{BadLines, Lines, LinesTaken};
pub use replay::{ReplayAsked, ReplayError};

/// The one door into the journal; all protocols share it.
#[derive(Debug)]
pub struct Door {
    journal: Journal,
    registry: Registry,
    /// Where the messages of strangers go: their certificate names an org, and no more.
    fallback: (OrgId, SiteId),
    ledger: Arc<Ledger>,
    refusals: Refusals,
    tap: Tap,
    /// Dead letters that were taken in after all.
    mended: Mutex<BTreeSet<DeadLetterId>>,
    replaying: Mutex<BTreeSet<DeadLetterId>>,
}

/// What is known of devices, and what became of messages; it outlives whoever waits for one.
#[derive(Debug, Default)]
struct Ledger {
    devices: Mutex<HashMap<DeviceId, Memory>>,
    counts: Counts,
}

#[derive(Debug, Default)]
struct Memory {
    clock: ClockOffset,
    seen: Seen,
    /// Messages that are stored for the first time and not yet known to be durable.
    pending: Pending,
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

mod settling;

use settling::{Pending, Settling};

impl Door {
    /// A door into this journal for the devices of this registry.
    pub fn new(journal: Journal, registry: Registry, fallback: (OrgId, SiteId)) -> Self {
        let (refusals, tap) = (Refusals::default(), Tap::default());
        let (mended, replaying) = (Mutex::default(), Mutex::default());
        let ledger = Arc::default();
        Self { journal, registry, fallback, ledger, refusals, tap, mended, replaying }
    }

    /// Takes one message all the way: wait for room, identify, decode, accept, journal, wait
    /// for the sync. Until there is room nothing is admitted, and whoever waits may give up.
    pub async fn take(
        &self,
        org: OrgId,
        device: DeviceId,
        door: &str,
        message: &Message<'_>,
    ) -> Result<Durably, Refusal> {
        self.room_in_time().await?;
        let admitted = self.admit(org, device, door, message);
        let (outcome, fate, is_safe) = Settling::new(&self.ledger, admitted).done().await?;
        match (outcome, fate) {
            (Err(error), _) => Err(Refusal::NotDurable(error)),
            // Whether its first copy is safe is not known yet: it may be sent again.
            (Ok(_), Fate::Repeated { .. }) if !is_safe => {
                Err(Refusal::NotDurable(AppendError::Busy))
            }
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
        self.admit_with(org, device, door, message, |_| Vec::new())
    }

    /// The same, with bodies of the door's own in the message's group; they are told whether
    /// the message itself is written as a dead letter.
    pub fn admit_with(
        &self,
        org: OrgId,
        device: DeviceId,
        door: &str,
        message: &Message<'_>,
        companions: impl FnOnce(bool) -> Vec<Body>,
    ) -> Admitted {
        let found = match self.registry.identify(org, device) {
            Ok(found) => found,
            Err(unknown) => {
                let partition = PartitionId::from(self.fallback.1);
                let why = Undecodable {
                    reason: unknown.reason().to_owned(),
                    explanation: unknown.to_string(),
                    not_yours: true,
                };
                let home = (self.fallback.0, partition);
                return self.bury(home, device, door, message, why, companions(true));
            }
        };
        let behind = match child_of(&self.registry, org, &found, message) {
            Ok(behind) => behind,
            Err(why) => {
                let home = (found.org, found.partition);
                return self.bury(home, device, door, message, why, companions(true));
            }
        };
        // From here on a bound device speaks as if it had sent the message itself.
        let (found, topic) = match &behind {
            Some(behind) => (&behind.child, behind.topic.as_str()),
            None => (&found, message.topic),
        };
        let spoken = Message { topic, ..*message };
        let mut devices = self.devices();
        let memory = devices.entry(found.id).or_default();
        match accept(found, &spoken, &mut memory.clock) {
            Ok(body) => {
                let (body, fate) = recognise(body, &mut memory.seen);
                memory.pending.add(&fate);
                // Still locked: a repeat on another door must not overtake its original.
                let at = message.received_at;
                let own = companions(false);
                let bodies = std::iter::once(&body).chain(&own);
                let entries = bodies.map(|body| entry(found.org, found.partition, at, body));
                let ticket = self.journal.append(entries.collect());
                drop(devices);
                let gateway = behind.as_ref().map(|behind| behind.gateway);
                self.watch(found, gateway, message, &body, &fate);
                Admitted { ticket, fate, device: found.id }
            }
            Err(why) => {
                drop(devices);
                if let Some(behind) = behind.as_ref().filter(|behind| behind.child.id != device) {
                    // Whoever watches the device behind the gateway sees it there as well.
                    self.tap.see(found.id, Some(behind.gateway), message, &why.reason);
                }
                let home = (found.org, found.partition);
                self.bury(home, device, door, message, why, companions(true))
            }
        }
    }

    /// Counts what became of an admitted message; what is not durable was never seen.
    ///
    /// Answers whether the message is safe: of a repeat, whether its first copy is.
    pub(crate) fn settle(&self, device: DeviceId, fate: &Fate, durable: bool) -> bool {
        self.ledger.settle(device, fate, durable)
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
                        seen.widen(readings.samples.len());
                        for sample in &readings.samples {
                            seen.repeats_sample(fingerprint(readings.device_at, sample));
                        }
                    }
                }
            }
            Body::Wave(block) | Body::SealedWave(SealedWave { block, .. }) => {
                let seen = &mut devices.entry(block.device).or_default().seen;
                seen.repeats(Some(&block.channel), block.counted);
            }
            Body::Event(_) | Body::State(_) | Body::Config(_) | Body::CommandResult(_) => {
                if let Some(device) = reports::device_of(body) {
                    reports::recall(body, &mut devices.entry(device).or_default().seen);
                }
            }
            Body::TurnedAway(record) => self.refusals.recall(record),
            Body::Replayed(replayed) if replayed.mended => {
                self.mended().insert(replayed.letter);
            }
            Body::Replayed(_)
            | Body::DeadLetter(_)
            | Body::Duplicate(_)
            | Body::Presence(_)
            | Body::Spoke(_)
            | Body::Thinned(_)
            // What was brought in from a file has no count, and repeats nothing of a device.
            | Body::Imported(_)
            | Body::Upward(_)
            | Body::Command(_)
            | Body::Audit(_)
            | Body::ClockStep(_)
            | Body::MqttSession(_)
            | Body::MqttRetained(_)
            | Body::MqttQueued(_)
            | Body::MqttNote(_)
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

    /// Takes note of somebody who was turned away, at any door.
    pub fn turned_away(&self, at: Timestamp, seen: Incident) {
        let device = seen.device.filter(|_| seen.fingerprint.is_none());
        let Some(record) = self.refusals.note(at, seen) else { return };
        let found = device.and_then(|device| self.registry.find(device));
        let (org, partition) = found.map_or_else(
            || (self.fallback.0, PartitionId::from(self.fallback.1)),
            |found| (found.org, found.partition),
        );
        // Nobody waits for it: what is lost with a crash comes again.
        drop(self.append_to(org, partition, at, &Body::TurnedAway(record)));
    }

    /// Counts a connection that was not let in at a door, and takes note of it.
    pub fn refuse_connection(
        &self,
        door: &'static str,
        at: Timestamp,
        remote: SocketAddr,
        presented: Option<&Presented>,
        why: RefusedWhy,
    ) {
        self.count_refused();
        let seen = refusals::connection(at, remote, None, presented, why);
        self.turned_away(at, refusals::Incident { door, ..seen });
    }

    /// Who was turned away of late.
    pub const fn refusals(&self) -> &Refusals {
        &self.refusals
    }

    /// A look at the messages of one device.
    pub const fn tap(&self) -> &Tap {
        &self.tap
    }

    fn watch(
        &self,
        found: &DeviceRef,
        gateway: Option<DeviceId>,
        message: &Message<'_>,
        body: &Body,
        fate: &Fate,
    ) {
        let outcome = if matches!(fate, Fate::Repeated { .. }) { "duplicate" } else { "stored" };
        self.tap.see(found.id, gateway, message, outcome);
        let clock = match body {
            Body::Readings(readings) => readings.clock,
            Body::Wave(block) => block.clock,
            _ => return,
        };
        if let Clock::Synchronised { offset_ns } = clock
            && Duration::from_nanos(offset_ns.unsigned_abs()) > CLOCK_OFF
        {
            self.turned_away(message.received_at, clock_off(found.id, offset_ns));
        }
    }

    fn mended(&self) -> MutexGuard<'_, BTreeSet<DeadLetterId>> {
        self.mended.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn replaying(&self) -> MutexGuard<'_, BTreeSet<DeadLetterId>> {
        self.replaying.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Appends what belongs together about one device in one group.
    pub(crate) fn note_all(&self, device: DeviceId, at: Timestamp, bodies: &[Body]) -> Ticket {
        let (org, partition) = self.registry.find(device).map_or_else(
            || (self.fallback.0, PartitionId::from(self.fallback.1)),
            |found| (found.org, found.partition),
        );
        self.journal.append(bodies.iter().map(|body| entry(org, partition, at, body)).collect())
    }

    /// Appends something about no device.
    pub(crate) fn remark(&self, at: Timestamp, body: &Body) -> Ticket {
        self.append_to(self.fallback.0, PartitionId::from(self.fallback.1), at, body)
    }

    /// How long the journal is, in bytes.
    pub(crate) fn journal_len(&self) -> u64 {
        self.journal.end().bytes()
    }

    /// What came through since the start.
    pub fn counts(&self) -> DoorCounts {
        let Counts { stored, duplicates, dead_letters, unanswered, refused, samples } =
            &self.ledger.counts;
        let [stored, duplicates, dead_letters, unanswered, refused, samples] =
            [stored, duplicates, dead_letters, unanswered, refused, samples]
                .map(|count| count.load(Relaxed));
        DoorCounts { stored, duplicates, dead_letters, unanswered, refused, samples }
    }

    /// Returns when the journal takes more.
    pub(crate) async fn room(&self) {
        self.journal.room().await;
    }

    /// The same for whoever waits for an answer: a flood waits where it comes from, and is
    /// sent away if that takes too long.
    async fn room_in_time(&self) -> Result<(), Refusal> {
        let room = tokio::time::timeout(ROOM_WITHIN, self.room()).await;
        room.map_err(|_| Refusal::NotDurable(AppendError::Busy))
    }

    /// Counts a connection that was not let in.
    pub(crate) fn count_refused(&self) {
        self.ledger.counts.refused.fetch_add(1, Relaxed);
    }

    /// The devices that may speak.
    pub const fn registry(&self) -> &Registry {
        &self.registry
    }

    fn bury(
        &self,
        home: (OrgId, PartitionId),
        device: DeviceId,
        door: &str,
        message: &Message<'_>,
        why: Undecodable,
        companions: Vec<Body>,
    ) -> Admitted {
        let letter = letter_id(message);
        // RC-037
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
        let bodies = std::iter::once(&body).chain(&companions);
        let group = bodies.map(|body| entry(home.0, home.1, message.received_at, body));
        let ticket = self.journal.append(group.collect());
        self.tell_of_letter(device, message, &why);
        Admitted { ticket, fate: Fate::Dead { letter, why }, device }
    }

    /// Takes note that a message became a dead letter.
    fn tell_of_letter(&self, device: DeviceId, message: &Message<'_>, why: &Undecodable) {
        self.tap.see(device, None, message, &why.reason);
        let seen = Incident {
            door: "message",
            remote: None,
            device: Some(device),
            serial: None,
            fingerprint: None,
            subject: None,
            reason: why.reason.clone(),
            words: why.explanation.clone(),
        };
        self.turned_away(message.received_at, seen);
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
        self.journal.append(vec![entry(org, partition, received_at, body)])
    }

    fn devices(&self) -> MutexGuard<'_, HashMap<DeviceId, Memory>> {
        self.ledger.devices()
    }
}

fn entry(org: OrgId, partition: PartitionId, received_at: Timestamp, body: &Body) -> Entry {
    let (kind, body_version, body) = body.encode();
    Entry { kind, body_version, org, partition, received_at, key_id: 0, body }
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
        body @ (Body::Event(_) | Body::State(_) | Body::Config(_) | Body::CommandResult(_)) => {
            reports::recognise(body, seen)
        }
        body @ (Body::DeadLetter(_)
        | Body::Duplicate(_)
        | Body::Presence(_)
        | Body::Spoke(_)
        | Body::SealedWave(_)
        | Body::Thinned(_)
        | Body::Imported(_)
        | Body::Upward(_)
        | Body::Command(_)
        | Body::Audit(_)
        | Body::ClockStep(_)
        | Body::MqttSession(_)
        | Body::MqttRetained(_)
        | Body::MqttQueued(_)
        | Body::MqttNote(_)
        | Body::SegmentHead(_)
        | Body::TurnedAway(_)
        | Body::Replayed(_)
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
            seen.widen(all);
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
