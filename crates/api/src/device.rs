//! The devices' HTTPS: the same door as MQTT, for those who speak HTTP.
//!
//! ```text
//!   connection ── certificate ──▶ Speaker ── a place ──▶ body ──▶ ingest::take ──▶ answer
//! ```
//! A good answer is made from what `ingest` proved durable. A message that was begun is
//! taken to its end even if its sender has gone by then.
//!
//! **Absent on purpose:** any other way to a handler than by a device's certificate (but
//! for the two addresses by which clients see whether somebody is there), and any
//! decoding: bytes go to `ingest` as they came.

use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
};

use axum::{
    Router,
    http::Uri,
    routing::{any, get, post},
};

use model::{DeviceId, Timestamp};
use store::Condition;

use self::answer::Refused;
use crate::{
    Api,
    limits::{MOVE_NOTED_EVERY, NOTED_EVERY},
    problem::Problem,
};

mod answer;
mod body;
mod connections;
mod counts;
mod lines;
mod mqtt;
mod places;
mod reports;
mod speaker;
mod time;

pub use connections::serve_devices;
#[cfg(test)]
pub(crate) use connections::{DoorBounds, serve_within};
pub(crate) use counts::DoorCounts;
pub(crate) use places::Places;

/// What the devices' listener shares.
#[derive(Debug, Default)]
pub(crate) struct Doors {
    pub(crate) counts: DoorCounts,
    pub(crate) places: Places,
    /// Each device's last words here; only those that are registered get so far.
    heard: Mutex<BTreeMap<DeviceId, Heard>>,
}

/// When and from where a device spoke last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Heard {
    pub(crate) at: Timestamp,
    pub(crate) remote: SocketAddr,
    /// When and from where the journal knows it; `None` if it took no note yet.
    pub(crate) noted: Option<(Timestamp, IpAddr)>,
}

impl Heard {
    /// The last words of a device after those `before`, and whether the journal is to know.
    fn after(before: Option<&Self>, remote: SocketAddr, at: Timestamp) -> (Self, bool) {
        let before = before.and_then(|before| before.noted);
        let is_due = before.is_none_or(|(noted_at, ip)| {
            let every = if ip == remote.ip() { NOTED_EVERY } else { MOVE_NOTED_EVERY };
            at.since(noted_at) >= every
        });
        let noted = before.filter(|_| !is_due).or(Some((at, remote.ip())));
        (Self { at, remote, noted }, is_due)
    }
}

impl Doors {
    /// The devices that spoke since the start, and when they did last.
    pub(crate) fn heard(&self) -> BTreeMap<DeviceId, Heard> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Remembers a device's words; whether the journal is to know, which it `records` or not.
    fn spoke(
        &self,
        device: DeviceId,
        remote: SocketAddr,
        at: Timestamp,
        records: bool,
    ) -> Option<Heard> {
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        let before = heard.get(&device);
        let (mut found, is_due) = Heard::after(before, remote, at);
        if is_due && !records {
            found.noted = before.and_then(|before| before.noted);
        }
        heard.insert(device, found);
        (is_due && records).then_some(found)
    }

    /// The journal refused this note: the next message is noted in its place.
    fn unnoted(&self, device: DeviceId, tried: &Heard) {
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = heard.get_mut(&device).filter(|known| known.noted == tried.noted) {
            known.noted = None;
        }
    }
}

impl Api {
    /// Room for one message of this device, which speaks now.
    fn hear(
        self: &Arc<Self>,
        device: DeviceId,
        remote: SocketAddr,
    ) -> Result<places::Place, Refused> {
        let place = self.doors.places.take(device).map_err(Refused::Busy)?;
        let now = self.clock.now();
        let records = *self.journal.condition().borrow() == Condition::Recording;
        if let Some(tried) = self.doors.spoke(device, remote, now, records) {
            let (door, remote) = ("https".to_owned(), remote.to_string());
            let body = record::Body::Spoke(record::Spoke { device, door, remote });
            let (ticket, api) = (self.door.note(device, now, &body), Arc::clone(self));
            // No message waits for it: what is lost with a crash is noted again.
            tokio::spawn(async move {
                if ticket.await.is_err() {
                    api.doors.unnoted(device, &tried);
                }
            });
        }
        Ok(place)
    }
}

/// Everything that the devices' listener answers.
pub(crate) fn router(api: &Arc<Api>) -> Router {
    Router::new()
        .route("/v1/num", post(reports::num))
        .route("/v1/wave/{channel}", post(reports::wave))
        .route("/v1/event", post(reports::event))
        .route("/v1/state", post(reports::state))
        .route("/v1/log", post(reports::log))
        .route("/v1/cfg", post(reports::cfg))
        .route("/v1/cmd/{id}", post(reports::cmd))
        .route("/v1/gw/{*leaf}", post(reports::behind))
        .route("/v1/time", get(time::now))
        .route("/write", post(lines::write))
        .route("/api/v2/write", post(lines::write_v2))
        .route("/ping", any(lines::ping))
        .route("/health", get(lines::health))
        .route("/mqtt", get(mqtt::open))
        .method_not_allowed_fallback(wrong_method)
        .fallback(nowhere)
        .layer(axum::middleware::from_fn_with_state(Arc::clone(api), counts::count))
        .with_state(Arc::clone(api))
}

async fn wrong_method(uri: Uri) -> Problem {
    Problem::wrong_method(format!("`{}` does not take this method", uri.path()))
}

async fn nowhere(uri: Uri) -> Problem {
    Problem::not_found(format!("there is no `{}` for devices", uri.path()))
}

#[test]
fn the_journal_knows_a_device_at_first_each_hour_and_soon_after_it_moved() {
    use std::time::Duration;
    let at = |after: Duration| Timestamp::from_unix_millis(1_700_000_000_000).after(after);
    let from = |ip: u8, port: u16| SocketAddr::from(([10, 0, 0, ip], port));
    let (hour, minute, tick) = (NOTED_EVERY, MOVE_NOTED_EVERY, Duration::from_millis(1));
    let (first, is_due) = Heard::after(None, from(7, 1), at(Duration::ZERO));
    assert!(is_due);
    for (remote, after, want) in [
        (from(7, 2), hour - tick, false),
        (from(7, 2), hour, true),
        (from(8, 1), minute - tick, false),
        (from(8, 1), minute, true),
    ] {
        let (next, is_due) = Heard::after(Some(&first), remote, at(after));
        assert_eq!(is_due, want, "from {remote} after {after:?}");
        assert_eq!((next.at, next.remote), (at(after), remote));
        let noted = if want { Some((at(after), remote.ip())) } else { first.noted };
        assert_eq!(next.noted, noted);
    }
}

#[test]
fn what_the_journal_did_not_take_is_noted_with_the_next_message() {
    let at = |second: i64| Timestamp::from_unix_millis(1_700_000_000_000 + second * 1_000);
    let (doors, remote) = (Doors::default(), SocketAddr::from(([10, 0, 0, 7], 1)));
    let device = DeviceId::v7(at(0), 1);
    let heard_at = || doors.heard().get(&device).map(|it| it.at);
    // While nothing is recorded nothing is noted, and the device was heard all the same.
    assert_eq!(doors.spoke(device, remote, at(0), false), None);
    assert_eq!(heard_at(), Some(at(0)));
    let tried = doors.spoke(device, remote, at(1), true).unwrap();
    assert_eq!(doors.spoke(device, remote, at(2), true), None, "it is on its way");
    doors.unnoted(device, &tried);
    assert_eq!(heard_at(), Some(at(2)), "only the note is forgotten");
    let again = doors.spoke(device, remote, at(3), true).unwrap();
    // An answer that comes late says nothing of the newer note.
    doors.unnoted(device, &tried);
    assert_eq!(doors.spoke(device, remote, at(4), true), None);
    assert_eq!(again.noted, Some((at(3), remote.ip())));
    // What was noted before the journal failed stays so for its hour.
    let later = at(4).after(NOTED_EVERY);
    assert_eq!(doors.spoke(device, remote, later, false), None);
    assert_eq!(doors.heard()[&device].noted, again.noted);
    assert!(doors.spoke(device, remote, later, true).is_some());
}
