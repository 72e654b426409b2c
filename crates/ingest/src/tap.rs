//! A look at the messages of one device as they come, for as long as somebody looks.
//!
//! Nothing is kept of a device that nobody watches, and a look that is not renewed ends.
//! A look is one viewer's, at a device that is on one patient or on nobody: another viewer
//! or another patient begins another look, which shows nothing from before it.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use model::{DeviceId, PatientId, SessionId, Timestamp};
use protocols::passed_on::gateway_at;

use crate::{
    accept::Parcel,
    limits::{
        WATCHED_BYTES_MAX, WATCHED_FOR, WATCHED_MAX, WATCHED_MESSAGES_MAX, WATCHERS_OF_ONE_MAX,
    },
};

/// One message as it came, with what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watched {
    /// Counts the messages of the device for as long as somebody watches it, from 1.
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
    /// The gateway that passed it on, if one did.
    pub gateway: Option<DeviceId>,
    /// When that gateway had it, by its own clock and if it said so.
    pub gateway_at: Option<Timestamp>,
}

/// What a look finds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Look {
    /// Whether it began with this question.
    pub begins: bool,
    /// The messages after the number that was asked for, oldest first.
    pub messages: Vec<Watched>,
}

/// Who looks at a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Viewer {
    /// The sign-in that looks.
    pub session: SessionId,
    /// Whom the device is on now.
    pub patient: Option<PatientId>,
}

/// Why nothing can be watched now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TooManyWatched {
    /// No further device has room.
    #[error("{WATCHED_MAX} devices are being watched already; close another page first")]
    Devices,
    /// No further viewer of this device has room.
    #[error("{WATCHERS_OF_ONE_MAX} sign-ins watch this device already; close another page first")]
    Viewers,
}

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
    viewers: BTreeMap<SessionId, Seat>,
}

/// One viewer's look.
#[derive(Debug)]
struct Seat {
    until: Timestamp,
    patient: Option<PatientId>,
    /// The newest message at its beginning; only later ones are shown.
    from: u64,
}

impl Ring {
    fn new(until: Timestamp) -> Self {
        Self { until, last: 0, messages: VecDeque::new(), viewers: BTreeMap::new() }
    }

    /// The viewer's look goes on or begins: whether it begins, and from which message.
    fn seat(&mut self, viewer: Viewer, now: Timestamp) -> Result<(bool, u64), TooManyWatched> {
        self.viewers.retain(|_, seat| now < seat.until);
        let Viewer { session, patient } = viewer;
        let until = now.after(WATCHED_FOR);
        let known = self.viewers.get(&session).filter(|seat| seat.patient == patient);
        let goes_on_from = known.map(|seat| seat.from);
        if !self.viewers.contains_key(&session) && self.viewers.len() >= WATCHERS_OF_ONE_MAX {
            return Err(TooManyWatched::Viewers);
        }
        let from = goes_on_from.unwrap_or(self.last);
        self.viewers.insert(session, Seat { until, patient, from });
        self.until = until;
        Ok((goes_on_from.is_none(), from))
    }
}

impl Tap {
    fn rings(&self) -> MutexGuard<'_, BTreeMap<DeviceId, Ring>> {
        self.rings.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks at a device, and keeps its next messages for the viewer's next look.
    pub fn look(
        &self,
        viewer: Viewer,
        device: DeviceId,
        after: u64,
        now: Timestamp,
    ) -> Result<Look, TooManyWatched> {
        let mut rings = self.rings();
        rings.retain(|_, ring| now < ring.until);
        if !rings.contains_key(&device) && rings.len() >= WATCHED_MAX {
            return Err(TooManyWatched::Devices);
        }
        let ring = rings.entry(device).or_insert_with(|| Ring::new(now));
        let (begins, from) = ring.seat(viewer, now)?;
        let newer = ring.messages.iter().filter(|message| message.number > after.max(from));
        let messages = newer.cloned().collect();
        self.count.store(rings.len(), Relaxed);
        Ok(Look { begins, messages })
    }

    /// Ends a viewer's look, so that its next question begins another one.
    pub fn leave(&self, session: SessionId, device: DeviceId) {
        let mut rings = self.rings();
        let Some(ring) = rings.get_mut(&device) else { return };
        ring.viewers.remove(&session);
        if ring.viewers.is_empty() {
            rings.remove(&device);
        }
        self.count.store(rings.len(), Relaxed);
    }

    /// Keeps a message for whoever watches its device.
    pub(crate) fn see(
        &self,
        device: DeviceId,
        gateway: Option<DeviceId>,
        parcel: &Parcel<'_>,
        outcome: &str,
    ) {
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
            gateway,
            // A device behind no gateway may say what it likes of one.
            gateway_at: gateway.and_then(|_| gateway_at(parcel.payload)),
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

    fn viewer(tail: u128) -> Viewer {
        let session = Id::from_uuid(0x7000_8000_0000_0000_0000 | tail).unwrap();
        Viewer { session, patient: None }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_unix_nanos((1_700_000_000 + second) * 1_000_000_000)
    }

    fn says(tap: &Tap, from: u128, second: i64, payload: &[u8]) {
        let (topic, received_at) = ("wl/1/s/d/up/num", at(second));
        let parcel = Parcel { topic, content_type: None, payload, received_at };
        tap.see(device(from), None, &parcel, "stored");
    }

    #[test]
    fn nothing_is_kept_before_somebody_looks_or_after_they_went() {
        let tap = Tap::default();
        says(&tap, 1, 0, b"before");
        let first = tap.look(viewer(1), device(1), 0, at(1)).unwrap();
        assert_eq!((first.begins, first.messages.len()), (true, 0));
        says(&tap, 1, 2, b"seen");
        says(&tap, 2, 2, b"another's");
        let next = tap.look(viewer(1), device(1), 0, at(3)).unwrap();
        assert_eq!((next.begins, next.messages.len()), (false, 1));
        assert_eq!(next.messages[0].payload, b"seen");
        assert!(
            tap.look(viewer(1), device(1), 1, at(4)).unwrap().messages.is_empty(),
            "told already"
        );
        let gone = 4 + i64::try_from(WATCHED_FOR.as_secs()).unwrap();
        says(&tap, 1, gone, b"after");
        assert_eq!(tap.count.load(Relaxed), 0);
        assert!(tap.look(viewer(1), device(1), 0, at(gone)).unwrap().begins);
    }

    #[test]
    fn a_look_keeps_the_newest_messages_and_their_beginnings() {
        let tap = Tap::default();
        tap.look(viewer(1), device(1), 0, at(0)).unwrap();
        for _ in 0..=WATCHED_MESSAGES_MAX {
            says(&tap, 1, 1, &[7; WATCHED_BYTES_MAX + 1]);
        }
        let seen = tap.look(viewer(1), device(1), 0, at(2)).unwrap().messages;
        assert_eq!((seen.len(), seen[0].number), (WATCHED_MESSAGES_MAX, 2));
        assert_eq!(seen[0].len, WATCHED_BYTES_MAX + 1);
        assert_eq!(seen[0].payload.len(), WATCHED_BYTES_MAX);
    }

    #[test]
    fn a_message_that_a_gateway_passed_on_says_which_and_when_it_had_it() {
        let tap = Tap::default();
        tap.look(viewer(1), device(1), 0, at(0)).unwrap();
        let payload = br#"{"device":"x","gateway_at":1699999990.5,"online":true}"#;
        let (topic, received_at) = ("wl/1/s/$gw/g/up/state", at(1));
        let parcel = Parcel { topic, content_type: None, payload, received_at };
        tap.see(device(1), Some(device(7)), &parcel, "stored");
        // Who speaks for itself passes nothing on, whatever it says.
        tap.see(device(1), None, &parcel, "stored");
        let silent = Parcel { payload: b"{}", ..parcel };
        tap.see(device(1), Some(device(7)), &silent, "stored");
        let seen = tap.look(viewer(1), device(1), 0, at(2)).unwrap().messages;
        let ways: Vec<_> = seen.iter().map(|it| (it.gateway, it.gateway_at)).collect();
        let had = Timestamp::from_unix_millis(1_699_999_990_500);
        assert_eq!(ways, [(Some(device(7)), Some(had)), (None, None), (Some(device(7)), None)]);
    }

    #[test]
    fn only_so_many_devices_are_watched_at_once() {
        let tap = Tap::default();
        for number in 0..WATCHED_MAX {
            tap.look(viewer(1), device(number as u128), 0, at(0)).unwrap();
        }
        assert_eq!(tap.look(viewer(1), device(99), 0, at(1)), Err(TooManyWatched::Devices));
        assert!(tap.look(viewer(1), device(0), 0, at(1)).is_ok(), "one that is watched already");
        let later = at(1).after(WATCHED_FOR);
        assert!(tap.look(viewer(1), device(99), 0, later).is_ok(), "the others have gone");
    }

    #[test]
    fn each_viewer_begins_a_look_of_its_own_and_sees_nothing_from_before_it() {
        let tap = Tap::default();
        let look = |who, after, second| {
            let look = tap.look(viewer(who), device(1), after, at(second)).unwrap();
            let numbers: Vec<_> = look.messages.iter().map(|message| message.number).collect();
            (look.begins, numbers)
        };
        assert_eq!(look(1, 0, 0), (true, vec![]));
        says(&tap, 1, 1, b"one");
        assert_eq!(look(2, 0, 2), (true, vec![]), "what another was shown");
        says(&tap, 1, 3, b"two");
        assert_eq!(look(2, 0, 4), (false, vec![2]));
        assert_eq!(look(1, 0, 4), (false, vec![1, 2]));
        // One who was away too long begins anew, though others kept the messages coming.
        let gone = 4 + i64::try_from(WATCHED_FOR.as_secs()).unwrap();
        assert_eq!(look(1, 2, gone - 1), (false, vec![]));
        assert_eq!(look(2, 0, gone), (true, vec![]));
        tap.leave(viewer(2).session, device(1));
        says(&tap, 1, gone, b"three");
        assert_eq!(look(2, 0, gone), (true, vec![]), "a look that was ended begins anew");
    }

    #[test]
    fn a_device_that_goes_to_another_patient_begins_another_look() {
        let tap = Tap::default();
        let look = |patient: Option<u128>, second| {
            let patient = patient.map(|tail| Id::from_uuid(0x7000_8000_0000_0000_0000 | tail));
            let viewer = Viewer { patient: patient.map(Result::unwrap), ..viewer(1) };
            let look = tap.look(viewer, device(1), 0, at(second)).unwrap();
            (look.begins, look.messages.len())
        };
        assert_eq!(look(Some(1), 0), (true, 0));
        says(&tap, 1, 1, b"the first's");
        assert_eq!(look(Some(1), 2), (false, 1));
        assert_eq!(look(Some(2), 3), (true, 0));
        says(&tap, 1, 4, b"the second's");
        assert_eq!(look(Some(2), 5), (false, 1));
        assert_eq!(look(None, 6), (true, 0));
    }

    #[test]
    fn only_so_many_watch_one_device_at_once() {
        let tap = Tap::default();
        let look = |who: usize| tap.look(viewer(who as u128), device(1), 0, at(0)).map(drop);
        for who in 0..WATCHERS_OF_ONE_MAX {
            look(who).unwrap();
        }
        assert_eq!(look(WATCHERS_OF_ONE_MAX), Err(TooManyWatched::Viewers));
        assert_eq!(look(0), Ok(()), "one who watches already");
    }
}
