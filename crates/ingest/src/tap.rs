//! A look at the messages of one device as they come, for as long as somebody looks.
//!
//! Nothing is kept of a device that nobody watches, and a look that is not renewed ends.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use model::{DeviceId, Timestamp};

use crate::{
    accept::Parcel,
    limits::{WATCHED_BYTES_MAX, WATCHED_FOR, WATCHED_MAX, WATCHED_MESSAGES_MAX},
};

/// One message as it came, with what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watched {
    /// Counts the messages of this look, from 1.
    pub number: u64,
    /// When it reached us.
    pub at: Timestamp,
    /// Its topic or path.
    pub topic: String,
    /// What its sender said that it is.
    pub content_type: Option<String>,
    /// Its length, in bytes.
    pub len: usize,
    /// Its beginning.
    pub payload: Vec<u8>,
    /// `stored`, `duplicate`, or the reason for which it became a dead letter.
    pub outcome: String,
}

/// What a look finds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Look {
    /// Whether it began with this question.
    pub begins: bool,
    /// The messages after the number that was asked for, oldest first.
    pub messages: Vec<Watched>,
}

/// Why nothing can be watched now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{WATCHED_MAX} devices are being watched already; close another page first")]
pub struct TooManyWatched;

/// Who is watched.
#[derive(Debug, Default)]
pub struct Tap {
    /// So that the door asks nothing more while nobody looks.
    count: AtomicUsize,
    rings: Mutex<BTreeMap<DeviceId, Ring>>,
}

#[derive(Debug)]
struct Ring {
    until: Timestamp,
    last: u64,
    messages: VecDeque<Watched>,
}

impl Tap {
    fn rings(&self) -> MutexGuard<'_, BTreeMap<DeviceId, Ring>> {
        self.rings.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks at a device, and keeps its next messages for the next look.
    pub fn look(
        &self,
        device: DeviceId,
        after: u64,
        now: Timestamp,
    ) -> Result<Look, TooManyWatched> {
        let mut rings = self.rings();
        rings.retain(|_, ring| now < ring.until);
        let begins = !rings.contains_key(&device);
        if begins && rings.len() >= WATCHED_MAX {
            return Err(TooManyWatched);
        }
        let ring = rings.entry(device).or_insert_with(|| Ring {
            until: now,
            last: 0,
            messages: VecDeque::new(),
        });
        ring.until = now.after(WATCHED_FOR);
        let newer = ring.messages.iter().filter(|message| message.number > after);
        let messages = newer.cloned().collect();
        self.count.store(rings.len(), Relaxed);
        Ok(Look { begins, messages })
    }

    /// Keeps a message for whoever watches its device.
    pub(crate) fn see(&self, device: DeviceId, parcel: &Parcel<'_>, outcome: &str) {
        if self.count.load(Relaxed) == 0 {
            return;
        }
        let mut rings = self.rings();
        let Some(ring) = rings.get_mut(&device) else { return };
        if ring.until <= parcel.received_at {
            rings.remove(&device);
            self.count.store(rings.len(), Relaxed);
            return;
        }
        if ring.messages.len() >= WATCHED_MESSAGES_MAX {
            ring.messages.pop_front();
        }
        ring.last += 1;
        let beginning = parcel.payload.iter().take(WATCHED_BYTES_MAX);
        ring.messages.push_back(Watched {
            number: ring.last,
            at: parcel.received_at,
            topic: parcel.topic.to_owned(),
            content_type: parcel.content_type.map(str::to_owned),
            len: parcel.payload.len(),
            payload: beginning.copied().collect(),
            outcome: outcome.to_owned(),
        });
    }
}

#[cfg(test)]
mod tests {
    use model::Id;

    use super::*;

    fn device(tail: u128) -> DeviceId {
        Id::from_uuid(0x0192_f0c1_2b3a_7c4d_8e5f_0000_0000_0000 | tail).unwrap()
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_unix_nanos((1_700_000_000 + second) * 1_000_000_000)
    }

    fn says(tap: &Tap, from: u128, second: i64, payload: &[u8]) {
        let (topic, received_at) = ("wl/1/s/d/up/num", at(second));
        let parcel = Parcel { topic, content_type: None, payload, received_at };
        tap.see(device(from), &parcel, "stored");
    }

    #[test]
    fn nothing_is_kept_before_somebody_looks_or_after_they_went() {
        let tap = Tap::default();
        says(&tap, 1, 0, b"before");
        let first = tap.look(device(1), 0, at(1)).unwrap();
        assert_eq!((first.begins, first.messages.len()), (true, 0));
        says(&tap, 1, 2, b"seen");
        says(&tap, 2, 2, b"another's");
        let next = tap.look(device(1), 0, at(3)).unwrap();
        assert_eq!((next.begins, next.messages.len()), (false, 1));
        assert_eq!(next.messages[0].payload, b"seen");
        assert!(tap.look(device(1), 1, at(4)).unwrap().messages.is_empty(), "told already");
        let gone = 4 + i64::try_from(WATCHED_FOR.as_secs()).unwrap();
        says(&tap, 1, gone, b"after");
        assert_eq!(tap.count.load(Relaxed), 0);
        assert!(tap.look(device(1), 0, at(gone)).unwrap().begins);
    }

    #[test]
    fn a_look_keeps_the_newest_messages_and_their_beginnings() {
        let tap = Tap::default();
        tap.look(device(1), 0, at(0)).unwrap();
        for _ in 0..=WATCHED_MESSAGES_MAX {
            says(&tap, 1, 1, &[7; WATCHED_BYTES_MAX + 1]);
        }
        let seen = tap.look(device(1), 0, at(2)).unwrap().messages;
        assert_eq!((seen.len(), seen[0].number), (WATCHED_MESSAGES_MAX, 2));
        assert_eq!(seen[0].len, WATCHED_BYTES_MAX + 1);
        assert_eq!(seen[0].payload.len(), WATCHED_BYTES_MAX);
    }

    #[test]
    fn only_so_many_devices_are_watched_at_once() {
        let tap = Tap::default();
        for number in 0..WATCHED_MAX {
            tap.look(device(number as u128), 0, at(0)).unwrap();
        }
        assert_eq!(tap.look(device(99), 0, at(1)), Err(TooManyWatched));
        assert!(tap.look(device(0), 0, at(1)).is_ok(), "one that is watched already");
        let later = at(1).after(WATCHED_FOR);
        assert!(tap.look(device(99), 0, later).is_ok(), "the others have gone");
    }
}
