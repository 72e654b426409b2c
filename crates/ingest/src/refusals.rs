//! Who was turned away, why, and what a person does about it: one entry for each sender
//! and reason, however often it came.
//!
//! Strangers have places of their own, so that a flood of them never pushes out what is
//! known of a device. The first of a kind is journalled at once; more of the same are
//! counted and journalled together.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use model::{DeviceId, Timestamp};
use record::TurnedAway;
use transport::{Presented, RefusedWhy};

use crate::limits::{
    REFUSALS_OF_DEVICES_MAX, REFUSALS_OF_STRANGERS_MAX, REFUSALS_WRITTEN_EVERY,
    STRANGERS_WRITTEN_PER_MINUTE_MAX,
};

mod remedy;
pub use remedy::remedy;
pub(crate) use remedy::{of_connection, span};

/// One refusal as it happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Incident {
    /// The door, such as `mqtt`.
    pub door: &'static str,
    /// Where the sender spoke from, if the door knows.
    pub remote: Option<SocketAddr>,
    /// The device that proved itself, or that a certificate that was not taken names.
    pub device: Option<DeviceId>,
    /// The certificate's serial number.
    pub serial: Option<Vec<u8>>,
    /// SHA-256 of the certificate that was not taken.
    pub fingerprint: Option<[u8; 32]>,
    /// Whom that certificate says that it was issued to.
    pub subject: Option<String>,
    /// A short stable word, such as `tls:expired`.
    pub reason: String,
    /// What was found, for people.
    pub words: String,
}

/// All refusals of one sender for one reason.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are those of the record, counted together")]
pub struct Refused {
    pub door: String,
    pub remote: String,
    pub device: Option<DeviceId>,
    pub serial: Option<Vec<u8>>,
    pub fingerprint: Option<[u8; 32]>,
    pub subject: Option<String>,
    pub reason: String,
    pub words: String,
    pub count: u64,
    pub first_at: Timestamp,
    pub last_at: Timestamp,
}

/// Who a refusal is counted under.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Sender {
    Device(DeviceId),
    Certificate([u8; 32]),
    /// The address without its port, which changes with each attempt.
    Address(String),
}

#[derive(Clone, Debug)]
struct Entry {
    refused: Refused,
    /// What is not journalled yet.
    unwritten: u32,
    unwritten_since: Timestamp,
    written_at: Option<Timestamp>,
}

type Kind = (Sender, String);

#[derive(Debug, Default)]
struct State {
    devices: BTreeMap<Kind, Entry>,
    strangers: BTreeMap<Kind, Entry>,
    /// The minute in which strangers were journalled last, and how many.
    strangers_written: (i64, u32),
}

/// The refusals of late.
#[derive(Debug, Default)]
pub struct Refusals(Mutex<State>);

impl Refusals {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes note of a refusal; answers what is to be journalled now, if anything.
    pub(crate) fn note(&self, at: Timestamp, seen: Incident) -> Option<TurnedAway> {
        let mut state = self.state();
        let sender = sender_of(&seen);
        let is_device = matches!(sender, Sender::Device(_));
        let key = (sender, seen.reason.clone());
        let known = if is_device { &mut state.devices } else { &mut state.strangers };
        let entry = known.entry(key.clone()).or_insert_with(|| Entry::new(at, &seen));
        entry.add(at, seen);
        let may_write = entry.is_due(at);
        make_room(
            known,
            if is_device { REFUSALS_OF_DEVICES_MAX } else { REFUSALS_OF_STRANGERS_MAX },
        );
        if !may_write || !(is_device || state.stranger_may_be_written(at)) {
            return None;
        }
        let known = if is_device { &mut state.devices } else { &mut state.strangers };
        known.get_mut(&key).map(|entry| entry.write(at))
    }

    /// Takes up what was journalled before a restart.
    pub(crate) fn recall(&self, record: &TurnedAway) {
        let mut state = self.state();
        let seen = Incident {
            door: "",
            remote: record.remote.parse().ok(),
            device: record.device,
            serial: record.serial.clone(),
            fingerprint: record.fingerprint,
            subject: record.subject.clone(),
            reason: record.reason.clone(),
            words: record.words.clone(),
        };
        let sender = sender_of(&seen);
        let is_device = matches!(sender, Sender::Device(_));
        let known = if is_device { &mut state.devices } else { &mut state.strangers };
        let entry = known
            .entry((sender, record.reason.clone()))
            .or_insert_with(|| Entry::new(record.first_at, &seen));
        entry.refused.door.clone_from(&record.door);
        entry.add(record.last_at, seen);
        entry.refused.count += u64::from(record.count.saturating_sub(1));
        (entry.unwritten, entry.written_at) = (0, Some(record.last_at));
        make_room(
            known,
            if is_device { REFUSALS_OF_DEVICES_MAX } else { REFUSALS_OF_STRANGERS_MAX },
        );
    }

    /// All of them, the latest first.
    pub fn all(&self) -> Vec<Refused> {
        let state = self.state();
        let entries = state.devices.values().chain(state.strangers.values());
        let mut all: Vec<Refused> = entries.map(|entry| entry.refused.clone()).collect();
        drop(state);
        all.sort_by_key(|refused| std::cmp::Reverse(refused.last_at));
        all
    }
}

impl State {
    /// Whether one more record of a stranger may be written in this minute.
    fn stranger_may_be_written(&mut self, at: Timestamp) -> bool {
        let minute = at.unix_millis() / 60_000;
        if self.strangers_written.0 != minute {
            self.strangers_written = (minute, 0);
        }
        self.strangers_written.1 += 1;
        self.strangers_written.1 <= STRANGERS_WRITTEN_PER_MINUTE_MAX
    }
}

impl Entry {
    fn new(at: Timestamp, seen: &Incident) -> Self {
        let refused = Refused {
            door: seen.door.to_owned(),
            remote: String::new(),
            device: seen.device,
            serial: None,
            fingerprint: None,
            subject: None,
            reason: seen.reason.clone(),
            words: String::new(),
            count: 0,
            first_at: at,
            last_at: at,
        };
        Self { refused, unwritten: 0, unwritten_since: at, written_at: None }
    }

    /// Counts one more; what was found last is what is shown.
    fn add(&mut self, at: Timestamp, seen: Incident) {
        let refused = &mut self.refused;
        refused.count += 1;
        refused.last_at = refused.last_at.max(at);
        refused.words = seen.words;
        if let Some(remote) = seen.remote {
            refused.remote = remote.to_string();
        }
        refused.serial = seen.serial.or(refused.serial.take());
        refused.fingerprint = seen.fingerprint.or(refused.fingerprint);
        refused.subject = seen.subject.or(refused.subject.take());
        if self.unwritten == 0 {
            self.unwritten_since = at;
        }
        self.unwritten = self.unwritten.saturating_add(1);
    }

    fn is_due(&self, at: Timestamp) -> bool {
        self.written_at.is_none_or(|written| at.since(written) >= REFUSALS_WRITTEN_EVERY)
    }

    fn write(&mut self, at: Timestamp) -> TurnedAway {
        let refused = self.refused.clone();
        let count = std::mem::take(&mut self.unwritten);
        self.written_at = Some(at);
        TurnedAway {
            door: refused.door,
            remote: refused.remote,
            device: refused.device,
            serial: refused.serial,
            fingerprint: refused.fingerprint,
            reason: refused.reason,
            words: refused.words,
            count,
            first_at: self.unwritten_since,
            last_at: refused.last_at,
            subject: refused.subject,
        }
    }
}

fn sender_of(seen: &Incident) -> Sender {
    // A certificate that was not taken proves nothing: whoever shows one may name any device.
    let proved = seen.device.filter(|_| seen.fingerprint.is_none());
    match (proved, seen.fingerprint) {
        (Some(device), _) => Sender::Device(device),
        (None, Some(fingerprint)) => Sender::Certificate(fingerprint),
        (None, None) => {
            Sender::Address(seen.remote.map_or_else(String::new, |remote| remote.ip().to_string()))
        }
    }
}

/// Lets the one go that was not heard of for the longest.
fn make_room(known: &mut BTreeMap<Kind, Entry>, max: usize) {
    if known.len() <= max {
        return;
    }
    let oldest = known.iter().min_by_key(|(_, entry)| entry.refused.last_at);
    if let Some(key) = oldest.map(|(key, _)| key.clone()) {
        known.remove(&key);
    }
}

/// A clock this far off is worth a person's look, though its messages are kept.
pub(crate) const CLOCK_OFF: Duration = Duration::from_secs(2);

/// What is said of a device whose clock is off; its messages are kept with our time.
pub(crate) fn clock_off(device: DeviceId, offset_ns: i64) -> Incident {
    let off = Duration::from_nanos(offset_ns.unsigned_abs());
    let way = if offset_ns < 0 { "behind" } else { "ahead of" };
    Incident {
        door: "",
        remote: None,
        device: Some(device),
        serial: None,
        fingerprint: None,
        subject: None,
        reason: "clock:off".to_owned(),
        words: format!("its clock is {} {way} ours, so its own times are not used", span(off)),
    }
}

/// A connection that was not let in, or put out.
pub(crate) fn connection(
    at: Timestamp,
    remote: SocketAddr,
    identity: Option<&security::DeviceIdentity>,
    presented: Option<&Presented>,
    why: RefusedWhy,
) -> Incident {
    let facts = presented.and_then(|presented| presented.facts.as_ref());
    let (reason, words) = of_connection(at, why, facts);
    Incident {
        door: "mqtt",
        remote: Some(remote),
        device: identity.map(|it| it.device).or_else(|| facts.and_then(|facts| facts.claims)),
        serial: identity
            .map(|it| it.serial.clone())
            .or_else(|| facts.map(|facts| facts.serial.clone())),
        fingerprint: presented.map(|presented| presented.fingerprint),
        subject: facts.map(|facts| facts.subject.clone()).filter(|subject| !subject.is_empty()),
        reason: reason.to_owned(),
        words,
    }
}

#[cfg(test)]
mod tests;
