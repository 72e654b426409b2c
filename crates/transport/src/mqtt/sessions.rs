//! What outlives a connection: subscriptions, waiting messages, delayed wills.
//!
//! A session belongs to a device and one of its client ids. A second connection of
//! the same client takes the session over: it also speaks for the end of the first,
//! so that the old will and the old goodbye never come after the new beginning.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};

use model::{DeviceId, Timestamp};
use record::MqttSession;
use security::DeviceIdentity;

use super::{
    Limits,
    outbox::{Mail, Outbox},
    proto::{Filter, Qos, Reason, Version},
    topic,
};
use crate::{
    Message,
    desk::{Desk, Order},
};

/// Names a session: whose, and which of its own.
pub(crate) type Key = (DeviceId, String);

/// A session's queue, shared by its connection and whoever sends to the device.
pub(crate) type SharedOutbox = Arc<Mutex<Outbox>>;

/// All sessions of a listener.
#[derive(Debug)]
pub(crate) struct Sessions {
    limits: Arc<Limits>,
    sessions: BTreeMap<Key, Session>,
    retained: BTreeMap<(DeviceId, Arc<str>), Mail>,
    /// When a session without a connection ends, or its will is due.
    due: BTreeSet<(Timestamp, Key)>,
    /// Devices that were put out: the newest connection that this holds for, and when.
    put_out: BTreeMap<DeviceId, (u64, Timestamp)>,
}

#[derive(Debug)]
struct Session {
    expiry_s: u32,
    subscriptions: Vec<(String, Qos)>,
    outbox: SharedOutbox,
    /// Whether it was said to be kept.
    kept: bool,
    live: Option<Live>,
    ends_at: Option<Timestamp>,
    will: Option<(Timestamp, Message)>,
}

/// A session's connection.
#[derive(Debug)]
pub(crate) struct Live {
    pub connection: u64,
    pub desk: Arc<Desk>,
    pub identity: Arc<DeviceIdentity>,
    pub remote: SocketAddr,
    pub version: Version,
    pub since: Timestamp,
    /// What is published if it is lost, and after how many seconds.
    pub will: Option<(u32, Message)>,
}

/// What a connection found when it came.
#[derive(Debug)]
pub(crate) struct Attached {
    /// Whether there was a session to go on with.
    pub present: bool,
    pub outbox: SharedOutbox,
    /// The connection that was taken over, with its will if that is due.
    pub displaced: Option<(Live, Option<Message>)>,
    /// The will of an earlier connection that the new beginning makes due.
    pub will: Option<Message>,
    pub change: Option<MqttSession>,
    /// Another session of the device, which ended to make room.
    pub ended: Option<MqttSession>,
}

/// Why a client gets no session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoSession {
    TooMany,
    PutOut,
}

/// How a connection goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Leave {
    pub with_will: bool,
    pub expiry_s: Option<u32>,
}

/// What is left to say after a connection went.
#[derive(Debug, Default)]
pub(crate) struct Departed {
    /// Whether another connection has not already spoken for its end.
    pub is_last: bool,
    pub will: Option<Message>,
    pub change: Option<MqttSession>,
}

/// What the passing of time brought.
#[derive(Debug, Default)]
pub(crate) struct Due {
    pub wills: Vec<Message>,
    pub changes: Vec<MqttSession>,
}

impl Session {
    fn new(expiry_s: u32) -> Self {
        Self {
            expiry_s,
            subscriptions: Vec::new(),
            outbox: SharedOutbox::default(),
            kept: false,
            live: None,
            ends_at: None,
            will: None,
        }
    }

    fn is_over(&self, now: Timestamp) -> bool {
        self.live.is_none() && self.ends_at.is_none_or(|at| now >= at)
    }

    /// The stored form, if this session is kept at all.
    fn record(&mut self, key: &Key, ended: bool) -> Option<MqttSession> {
        let was_kept = std::mem::replace(&mut self.kept, self.expiry_s > 0 && !ended);
        let subscriptions = self.subscriptions.iter();
        let subscriptions = subscriptions.map(|(filter, qos)| (filter.clone(), qos.number()));
        (was_kept || self.kept).then(|| MqttSession {
            device: key.0,
            client_id: key.1.clone(),
            expiry_s: self.expiry_s,
            subscriptions: if self.kept { subscriptions.collect() } else { Vec::new() },
            ended: !self.kept,
        })
    }
}

impl Sessions {
    /// The sessions that were kept; those without a connection end as if it ended `now`.
    pub(crate) fn restore(limits: Arc<Limits>, restored: Vec<MqttSession>, now: Timestamp) -> Self {
        let mut all = Self {
            limits,
            sessions: BTreeMap::new(),
            retained: BTreeMap::new(),
            due: BTreeSet::new(),
            put_out: BTreeMap::new(),
        };
        for kept in restored {
            let key = (kept.device, kept.client_id);
            if kept.ended {
                all.sessions.remove(&key);
                continue;
            }
            let mut session = Session::new(kept.expiry_s.min(all.limits.session_expiry_max_s));
            session.kept = true;
            let qos = |qos| if qos == 0 { Qos::AtMostOnce } else { Qos::AtLeastOnce };
            session.subscriptions = kept
                .subscriptions
                .into_iter()
                .map(|(filter, found)| (filter, qos(found)))
                .collect();
            all.sessions.insert(key.clone(), session);
            all.plan_end(&key, now);
        }
        all
    }

    /// A client comes, if its device was not put out since its connection began.
    pub(crate) fn attach(
        &mut self,
        key: &Key,
        clean: bool,
        expiry_s: u32,
        live: Live,
    ) -> Result<Attached, NoSession> {
        let put_out = self.put_out.get(&key.0);
        if put_out.is_some_and(|(newest, _)| live.connection <= *newest) {
            return Err(NoSession::PutOut);
        }
        let ended = self.make_room(key)?;
        let (mut displaced, mut will, mut was_kept) = (None, None, false);
        let mut found = self.sessions.remove(key);
        if let Some(session) = &mut found {
            was_kept = session.kept;
            if let Some(at) = session.ends_at.take() {
                self.due.remove(&(at, key.clone()));
            }
            let over = clean || (session.live.is_none() && session.expiry_s == 0);
            if let Some((at, message)) = session.will.take() {
                self.due.remove(&(at, key.clone()));
                // Coming back in time takes a delayed will away; starting anew does not.
                will = over.then_some(message);
            }
            if let Some(mut old) = session.live.take() {
                old.desk.order(Order::TakenOver);
                let old_will = old.will.take();
                let due = old_will.filter(|(delay_s, _)| *delay_s == 0 || over);
                displaced = Some((old, due.map(|(_, message)| message)));
            }
            if over {
                found = None;
            }
        }
        let present = found.is_some();
        let mut session = found.unwrap_or_else(|| Session::new(expiry_s));
        session.expiry_s = expiry_s;
        session.kept = was_kept;
        session.live = Some(live);
        // What was written to the last connection and not acknowledged goes out again.
        lock(&session.outbox).begin();
        let outbox = session.outbox.clone();
        let change = session.record(key, false);
        self.sessions.insert(key.clone(), session);
        Ok(Attached { present, outbox, displaced, will, change, ended })
    }

    /// Ends the device's session that is longest without a connection, if it has too many.
    fn make_room(&mut self, key: &Key) -> Result<Option<MqttSession>, NoSession> {
        let own = self.of_device(key.0);
        let is_new = !self.sessions.contains_key(key);
        if !is_new || own.count() < self.limits.sessions_per_device_max {
            return Ok(None);
        }
        let oldest = self
            .of_device(key.0)
            .filter_map(|(key, session)| session.ends_at.map(|at| (at, key.clone())))
            .min()
            .ok_or(NoSession::TooMany)?;
        let gone = self.sessions.remove(&oldest.1);
        self.due.remove(&oldest);
        Ok(gone.and_then(|mut session| session.record(&oldest.1, true)))
    }

    /// Puts a device out: its connections leave, and those up to `newest` that are still
    /// coming get no session. Answers with how many left.
    pub(crate) fn put_out(
        &mut self,
        device: DeviceId,
        newest: u64,
        why: Reason,
        now: Timestamp,
    ) -> usize {
        self.put_out.insert(device, (newest, now));
        self.live(Some(device)).map(|(_, live)| live.desk.order(Order::Leave(why))).count()
    }

    fn of_device(&self, device: DeviceId) -> impl Iterator<Item = (&Key, &Session)> {
        self.sessions
            .range((device, String::new())..)
            .take_while(move |((owner, _), _)| *owner == device)
    }

    /// A connection goes; one that was taken over finds that all is said.
    pub(crate) fn detach(
        &mut self,
        key: &Key,
        connection: u64,
        leave: Leave,
        now: Timestamp,
    ) -> Departed {
        let Some(session) = self.sessions.get_mut(key) else { return Departed::default() };
        if session.live.as_ref().is_none_or(|live| live.connection != connection) {
            return Departed::default();
        }
        let will = session.live.take().and_then(|live| live.will).filter(|_| leave.with_will);
        if let Some(expiry_s) = leave.expiry_s {
            session.expiry_s = expiry_s.min(self.limits.session_expiry_max_s);
        }
        let mut departed = Departed { is_last: true, ..Departed::default() };
        if session.expiry_s == 0 {
            departed.will = will.map(|(_, message)| message);
            departed.change = session.record(key, true);
            self.sessions.remove(key);
            return departed;
        }
        match will {
            Some((0, message)) => departed.will = Some(message),
            Some((delay_s, message)) => {
                let delay_s = delay_s.min(session.expiry_s);
                let at = now.after(std::time::Duration::from_secs(delay_s.into()));
                session.will = Some((at, message));
                self.due.insert((at, key.clone()));
            }
            None => {}
        }
        departed.change = leave.expiry_s.and_then(|_| session.record(key, false));
        self.plan_end(key, now);
        departed
    }

    fn plan_end(&mut self, key: &Key, now: Timestamp) {
        let Some(session) = self.sessions.get_mut(key) else { return };
        let at = now.after(std::time::Duration::from_secs(session.expiry_s.into()));
        session.ends_at = Some(at);
        self.due.insert((at, key.clone()));
    }

    /// Takes what is due by `now`.
    pub(crate) fn due(&mut self, now: Timestamp) -> Due {
        let mut due = Due::default();
        // By then, whoever was coming has come or was closed.
        let coming_max = self.limits.handshake_max.saturating_add(self.limits.connect_max);
        self.put_out.retain(|_, (_, at)| now < at.after(coming_max).after(coming_max));
        while let Some((at, _)) = self.due.first()
            && *at <= now
        {
            let Some((_, key)) = self.due.pop_first() else { break };
            let Some(session) = self.sessions.get_mut(&key) else { continue };
            let is_over = session.is_over(now);
            if session.will.as_ref().is_some_and(|(at, _)| *at <= now || is_over) {
                due.wills.extend(session.will.take().map(|(_, message)| message));
            }
            if is_over {
                due.changes.extend(session.record(&key, true));
                self.sessions.remove(&key);
            }
        }
        due
    }

    /// Subscribes; answers with one code per filter and the retained messages to send.
    pub(crate) fn subscribe(
        &mut self,
        key: &Key,
        filters: Vec<Result<Filter, Reason>>,
        now: Timestamp,
    ) -> (Vec<Reason>, Vec<Mail>, Option<MqttSession>) {
        let Some(session) = self.sessions.get_mut(key) else {
            return (vec![Reason::Unspecified; filters.len()], Vec::new(), None);
        };
        let (mut codes, mut retained) = (Vec::new(), Vec::new());
        for filter in filters {
            let filter = match filter {
                Ok(filter) => filter,
                Err(reason) => {
                    codes.push(reason);
                    continue;
                }
            };
            let before = session.subscriptions.len();
            session.subscriptions.retain(|(text, _)| *text != filter.text);
            let is_new = session.subscriptions.len() == before;
            if session.subscriptions.len() >= self.limits.filters_max {
                codes.push(Reason::QuotaExceeded);
                continue;
            }
            session.subscriptions.push((filter.text.clone(), filter.qos));
            codes.push(match filter.qos {
                Qos::AtMostOnce => Reason::Success,
                Qos::AtLeastOnce => Reason::GrantedQos1,
            });
            if filter.retain_handling == 0 || (filter.retain_handling == 1 && is_new) {
                let of_device = self.retained.iter().filter(|((device, topic), mail)| {
                    *device == key.0 && topic::hears(&filter.text, topic) && !mail.is_expired(now)
                });
                retained.extend(
                    of_device
                        .map(|(_, mail)| Mail { qos: mail.qos.min(filter.qos), ..mail.clone() }),
                );
            }
        }
        let change = if session.expiry_s > 0 { session.record(key, false) } else { None };
        (codes, retained, change)
    }

    /// Unsubscribes; answers with one code per filter.
    pub(crate) fn unsubscribe(
        &mut self,
        key: &Key,
        filters: &[String],
    ) -> (Vec<Reason>, Option<MqttSession>) {
        let Some(session) = self.sessions.get_mut(key) else {
            return (vec![Reason::NoSubscriptionExisted; filters.len()], None);
        };
        let codes = filters.iter().map(|filter| {
            let before = session.subscriptions.len();
            session.subscriptions.retain(|(text, _)| text != filter);
            if session.subscriptions.len() < before {
                Reason::Success
            } else {
                Reason::NoSubscriptionExisted
            }
        });
        let codes = codes.collect();
        let change = if session.expiry_s > 0 { session.record(key, false) } else { None };
        (codes, change)
    }

    /// Puts a message into every session of the device that hears its topic; answers with
    /// how many have it and how many had no room.
    pub(crate) fn publish(&mut self, device: DeviceId, mail: &Mail) -> (usize, usize) {
        let (mut taken, mut full) = (0_usize, 0_usize);
        for (_, session) in self.of_device(device) {
            let heard = session.subscriptions.iter().filter(|(f, _)| topic::hears(f, &mail.topic));
            let Some(granted) = heard.map(|(_, qos)| *qos).max() else { continue };
            let qos = mail.qos.min(granted);
            if session.live.is_none() && qos == Qos::AtMostOnce {
                continue;
            }
            // Once per client, with the highest QoS that was granted.
            let mail = Mail { qos, retain: false, ..mail.clone() };
            match lock(&session.outbox).push(&self.limits, mail) {
                Ok(()) => taken = taken.saturating_add(1),
                Err(_) => full = full.saturating_add(1),
            }
            if let Some(live) = &session.live {
                live.desk.mail();
            }
        }
        (taken, full)
    }

    /// Keeps the newest message of a topic for later subscriptions; an empty one ends that.
    /// `false` if the device has as many as it may.
    pub(crate) fn retain(&mut self, device: DeviceId, mail: &Mail) -> bool {
        let key = (device, mail.topic.clone());
        if mail.payload.is_empty() {
            self.retained.remove(&key);
            return true;
        }
        let own = self.retained.keys().filter(|(owner, _)| *owner == device).count();
        let has_room = own < self.limits.retained_per_device_max;
        if !has_room && !self.retained.contains_key(&key) {
            return false;
        }
        self.retained.insert(key, Mail { retain: true, ..mail.clone() });
        true
    }

    /// The connections that there are, or those of one device.
    pub(crate) fn live(&self, device: Option<DeviceId>) -> impl Iterator<Item = (&Key, &Live)> {
        self.sessions
            .iter()
            .filter(move |((owner, _), _)| device.is_none_or(|device| device == *owner))
            .filter_map(|(key, session)| session.live.as_ref().map(|live| (key, live)))
    }

    /// Messages that wait for clients, and those that were dropped so far, of all sessions.
    pub(crate) fn waiting(&self) -> (usize, u64) {
        self.sessions.values().fold((0, 0), |(waiting, dropped), session| {
            let outbox = lock(&session.outbox);
            (waiting.saturating_add(outbox.len()), dropped.saturating_add(outbox.dropped()))
        })
    }
}

/// Looks into a session's queue; a panic elsewhere leaves it whole, as each change is one call.
pub(crate) fn lock(outbox: &SharedOutbox) -> std::sync::MutexGuard<'_, Outbox> {
    outbox.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
