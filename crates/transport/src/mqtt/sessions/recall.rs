//! How sessions, queues, wills and retained messages survive a restart.
//!
//! ```text
//!   journal … │ snapshot began … snapshot ended │ changes … ─▶ Recalled ─▶ Sessions
//! ```
//! A record says how something is, so reading it twice does no harm, and whoever reads
//! from a whole snapshot on has everything.

use std::{
    collections::btree_map::Entry,
    net::{IpAddr, Ipv4Addr},
};

use model::OrgId;
use record::{MqttNote, MqttProgress, MqttQueued, MqttRetained, MqttWill};

use super::*;
use crate::mqtt::mail::{Mail, Said};

/// What a journal says about sessions, record by record.
#[derive(Debug, Default)]
pub struct Recalled {
    /// Whether nothing before what was read is needed.
    is_whole: bool,
    /// Whether a snapshot began and did not end yet.
    has_begun: bool,
    sessions: BTreeMap<Key, Found>,
    retained: BTreeMap<(SiteId, String), BTreeMap<DeviceId, MqttRetained>>,
    /// Gives each message its place.
    count: u64,
}

/// A message that waits for a client.
#[derive(Debug)]
struct Waiting {
    place: u64,
    mail: Mail,
    /// Whether there was a connection that it may have gone out on.
    may_be_sent: bool,
}

#[derive(Debug)]
struct Found {
    org: OrgId,
    session: MqttSession,
    queue: BTreeMap<u16, Waiting>,
    taken: BTreeSet<u16>,
    received: BTreeSet<u16>,
}

impl Recalled {
    /// For a journal that is read from its beginning.
    pub fn from_the_beginning() -> Self {
        Self { is_whole: true, ..Self::default() }
    }

    /// For a journal that is read from somewhere in the middle.
    pub fn from_the_middle() -> Self {
        Self::default()
    }

    /// Whether all that is kept was read; if not, an earlier part of the journal is needed.
    pub const fn is_whole(&self) -> bool {
        self.is_whole
    }

    /// How many sessions there are.
    pub fn sessions(&self) -> usize {
        self.sessions.len()
    }

    /// Takes the next record of the journal; those that are not of the MQTT door say nothing.
    pub fn take(&mut self, org: OrgId, body: &Body) {
        match body {
            Body::MqttSession(session) => self.take_session(org, session),
            Body::MqttRetained(retained) => self.take_retained(retained),
            Body::MqttQueued(queued) => self.take_queued(queued),
            Body::MqttNote(MqttNote::Progress(progress)) => self.take_progress(progress),
            Body::MqttNote(MqttNote::SnapshotBegan) => {
                self.has_begun = true;
                if !self.is_whole {
                    // What was read before is only a part, and comes again.
                    self.sessions.clear();
                    self.retained.clear();
                }
            }
            Body::MqttNote(MqttNote::SnapshotEnded) => self.is_whole |= self.has_begun,
            _ => {}
        }
    }

    fn take_retained(&mut self, retained: &MqttRetained) {
        let key = (retained.site, retained.topic.clone());
        let of_topic = self.retained.entry(key.clone()).or_default();
        if retained.own.is_none() {
            // The topic was the site's: this took the place of whatever another device had there.
            of_topic.clear();
        }
        if retained.message.is_some() {
            of_topic.insert(retained.device, retained.clone());
        } else {
            of_topic.remove(&retained.device);
        }
        if of_topic.is_empty() {
            self.retained.remove(&key);
        }
    }

    fn take_session(&mut self, org: OrgId, session: &MqttSession) {
        let key = (session.device, session.client_id.clone());
        if session.ended {
            self.sessions.remove(&key);
            return;
        }
        match self.sessions.entry(key) {
            Entry::Occupied(mut found) => {
                let found = found.get_mut();
                found.session = session.clone();
                if session.ends_at.is_none() {
                    found.queue.values_mut().for_each(|waiting| waiting.may_be_sent = true);
                }
            }
            Entry::Vacant(place) => {
                let (queue, taken, received) = Default::default();
                place.insert(Found { org, session: session.clone(), queue, taken, received });
            }
        }
    }

    fn take_queued(&mut self, queued: &MqttQueued) {
        let said = Arc::new(Said::recalled(&queued.message));
        for target in &queued.to {
            self.count = self.count.saturating_add(1);
            let key = (target.device, target.client_id.clone());
            let Some(found) = self.sessions.get_mut(&key) else { continue };
            let mail = Mail {
                said: said.clone(),
                id: target.id,
                qos: Qos::from_number(target.qos),
                retain: target.retain,
                subscription_ids: target.subscription_ids.clone(),
                shared: target.shared.as_deref().map(Into::into),
            };
            found.taken.remove(&target.id);
            let may_be_sent = target.may_be_sent || found.session.ends_at.is_none();
            found.queue.insert(target.id, Waiting { place: self.count, mail, may_be_sent });
        }
    }

    fn take_progress(&mut self, progress: &MqttProgress) {
        let key = (progress.device, progress.client_id.clone());
        let Some(found) = self.sessions.get_mut(&key) else { return };
        found.received.extend(&progress.received);
        progress.released.iter().for_each(|id| {
            found.received.remove(id);
        });
        for id in &progress.taken {
            found.queue.remove(id);
            found.taken.insert(*id);
        }
        for id in &progress.done {
            found.queue.remove(id);
            found.taken.remove(id);
        }
    }
}

/// What the journal knew of a session before a record of it; restored if that is lost.
#[derive(Debug)]
pub(super) struct Unsaid {
    key: Key,
    /// The session's number, unless there was none.
    session: Option<u64>,
    is_new: bool,
    is_queue_written: bool,
    is_known: bool,
    /// The record that it takes the place of, if a restart would not go on with the session.
    ends: Option<u64>,
}

impl Found {
    fn queue(self, outbox: &mut Outbox, limits: &Limits, now: Timestamp) {
        for id in self.received {
            outbox.recall_received(id);
        }
        for id in self.taken {
            outbox.recall_taken(id);
        }
        let mut queue: Vec<Waiting> = self.queue.into_values().collect();
        queue.sort_unstable_by_key(|waiting| waiting.place);
        // Only so many can have been on their way when it stopped.
        let sent_max = usize::from(limits.receive_max);
        for (at, Waiting { mail, may_be_sent, .. }) in queue.into_iter().enumerate() {
            if mail.said.is_expired(now) {
                continue;
            }
            outbox.recall(mail, may_be_sent && at < sent_max);
        }
    }
}

impl Sessions {
    /// The sessions that were kept; those that had a connection lost it `now`.
    pub(crate) fn restore(limits: Arc<Limits>, recalled: Recalled, now: Timestamp) -> Self {
        let mut all = Self::new(limits.clone());
        for retained in recalled.retained.values().flat_map(BTreeMap::values) {
            all.retained.recall(&limits, retained);
        }
        for (key, found) in recalled.sessions {
            all.known.insert(key.clone());
            let kept = &found.session;
            let expiry_s = kept.expiry_s.min(limits.session_expiry_max_s);
            let mut session = all.new_session(key.clone(), expiry_s);
            session.holder = Some((whoever(&key, found.org, now), NOWHERE));
            session.is_new = false;
            session.is_queue_written = session.expiry_s > 0;
            if session.expiry_s > 0 {
                all.recallable.insert(key.clone(), session.number);
            }
            let (site, ends_at) = (site_of(kept), kept.ends_at);
            let ids = kept.subscription_ids.clone().unwrap_or_default();
            let ids = ids.into_iter().chain(std::iter::repeat(0));
            session.subscriptions = kept
                .subscriptions
                .iter()
                .zip(ids)
                .map(|((filter, byte), id)| (filter.clone(), Options::from_byte(*byte, id)))
                .collect();
            let will = kept.will.clone();
            let org = found.org;
            found.queue(&mut lock(&session.outbox), &limits, now);
            all.sessions.insert(key.clone(), session);
            if let Some(site) = site {
                all.settle_at(&key, site);
                all.recall_will(&key, org, site, will, now);
            }
            match ends_at {
                Some(at) => all.plan_end_at(&key, at),
                None => all.plan_end(&key, now),
            }
        }
        // The bound of today may be lower than that of yesterday.
        all.relieve();
        all
    }

    fn recall_will(
        &mut self,
        key: &Key,
        org: OrgId,
        site: SiteId,
        will: Option<MqttWill>,
        now: Timestamp,
    ) {
        let Some(will) = will else { return };
        let message = left_behind(key, org, site, &will, now);
        let parting = Will { delay_s: will.delay_s, message };
        match (will.due_at, self.sessions.get_mut(key)) {
            (Some(at), Some(session)) => {
                session.will = Some((at, parting));
                self.due.insert((at, key.clone()));
            }
            (Some(_), None) => {}
            (None, _) => self.plan_will(key, parting, now),
        }
    }

    fn plan_end_at(&mut self, key: &Key, at: Timestamp) {
        let Some(session) = self.sessions.get_mut(key) else { return };
        session.ends_at = Some(at);
        self.due.insert((at, key.clone()));
    }

    /// Those of the sessions of which something is to be written.
    pub(crate) fn of_record(&self, mut keys: Vec<Key>) -> Vec<Key> {
        keys.retain(|key| {
            let session = self.sessions.get(key);
            self.known.contains(key) || session.is_some_and(Session::is_kept)
        });
        keys
    }

    /// A session in its stored form, as it is now; nothing if the journal needs nothing.
    ///
    /// If the record is lost with the route, it is said again soon.
    pub(crate) fn record(&mut self, key: &Key, route: &mut Route) -> Vec<Body> {
        self.unsaid.remove(key);
        let mut unsaid = self.known_of(key);
        let bodies = self.say(key);
        if !bodies.is_empty() {
            let goes_on = self.sessions.get(key).is_some_and(|session| session.expiry_s > 0);
            if goes_on {
                let number = self.number();
                self.recallable.insert(key.clone(), number);
            } else {
                unsaid.ends = self.recallable.get(key).copied();
            }
            route.unsay(unsaid);
        }
        bodies
    }

    /// A record is durable: a session that it ended is not found by a restart any more.
    pub(super) fn is_said(&mut self, said: &Unsaid) {
        if said.ends.is_some() && self.recallable.get(&said.key).copied() == said.ends {
            self.recallable.remove(&said.key);
        }
    }

    fn known_of(&self, key: &Key) -> Unsaid {
        let session = self.sessions.get(key);
        Unsaid {
            key: key.clone(),
            session: session.map(|session| session.number),
            is_new: session.is_some_and(|session| session.is_new),
            is_queue_written: session.is_some_and(|session| session.is_queue_written),
            is_known: self.known.contains(key),
            ends: None,
        }
    }

    /// A record is lost: what it said first is still to be said, and soon.
    pub(super) fn unsay(&mut self, unsaid: Unsaid) {
        if self.unsaid.len() < self.limits.said_again_max {
            self.unsaid.insert(unsaid.key.clone());
        }
        self.know_as_before(unsaid);
    }

    fn know_as_before(&mut self, unsaid: Unsaid) {
        let session = self.sessions.get_mut(&unsaid.key);
        if let Some(session) = session.filter(|found| unsaid.session == Some(found.number)) {
            // A later record may have been lost before and knows less.
            session.is_new |= unsaid.is_new;
            session.is_queue_written &= unsaid.is_queue_written;
        }
        if unsaid.is_known {
            self.known.insert(unsaid.key);
        }
    }

    fn say(&mut self, key: &Key) -> Vec<Body> {
        let mut bodies = Vec::new();
        let mut session = self.sessions.get_mut(key);
        if let Some(session) = &mut session {
            session.is_queue_written &= session.expiry_s > 0;
        }
        let is_kept = session.as_ref().is_some_and(|session| session.is_kept());
        let starts_anew = session.as_ref().is_none_or(|session| session.is_new);
        if (!is_kept || starts_anew) && self.known.remove(key) {
            bodies.push(Body::MqttSession(over(key)));
        }
        if let Some(session) = session.filter(|_| is_kept) {
            session.is_new = false;
            self.known.insert(key.clone());
            bodies.push(Body::MqttSession(session.stored()));
            let outlives = session.expiry_s > 0;
            if outlives && !session.is_queue_written {
                bodies.extend(session.stored_queue());
            }
            session.is_queue_written = outlives;
        }
        bodies
    }

    /// All that is kept, in its stored form, with the device that each is about.
    pub(crate) fn snapshot(&mut self) -> Vec<(DeviceId, Body)> {
        let mut bodies: Vec<_> = self.retained.snapshot().collect();
        let keys: Vec<Key> = self.sessions.keys().cloned().collect();
        for key in keys {
            // A snapshot may be lost: it says what there is and settles nothing.
            let known = self.known_of(&key);
            if let Some(session) = self.sessions.get_mut(&key) {
                session.is_queue_written = false;
            }
            bodies.extend(self.say(&key).into_iter().map(|body| (key.0, body)));
            self.know_as_before(known);
        }
        bodies
    }
}

/// A session's packet ids, none of which has moved.
pub(crate) fn progress(key: &Key) -> MqttProgress {
    let (received, released, taken, done) = Default::default();
    MqttProgress { device: key.0, client_id: key.1.clone(), received, released, taken, done }
}

fn over(key: &Key) -> MqttSession {
    MqttSession {
        device: key.0,
        client_id: key.1.clone(),
        expiry_s: 0,
        subscriptions: Vec::new(),
        ended: true,
        site: None,
        subscription_ids: None,
        ends_at: None,
        will: None,
    }
}

/// The site that a record names, or that the filters of an older one are about.
fn site_of(kept: &MqttSession) -> Option<SiteId> {
    let of_filter = |(filter, _): &(String, u8)| topic::site_of(filter);
    kept.site.or_else(|| kept.subscriptions.iter().find_map(of_filter))
}

impl Session {
    /// What waits for the client, and the packet ids that are not free.
    fn stored_queue(&self) -> Vec<Body> {
        let outbox = lock(&self.outbox);
        let (mails, taken, received) = outbox.kept();
        let queued = mails.into_iter().map(|(mail, is_sent)| {
            let to = vec![mail.target(&self.key, is_sent)];
            Body::MqttQueued(MqttQueued { message: mail.said.record(), to })
        });
        let mut bodies: Vec<Body> = queued.collect();
        if !taken.is_empty() || !received.is_empty() {
            let progress = MqttProgress { received, taken, ..progress(&self.key) };
            bodies.push(Body::MqttNote(MqttNote::Progress(progress)));
        }
        bodies
    }

    fn stored(&self) -> MqttSession {
        let subscriptions = self.subscriptions.iter();
        let ids: Vec<u32> = subscriptions.clone().map(|(_, options)| options.id).collect();
        let live_will = self.live.as_ref().and_then(|live| live.will.as_ref());
        let will = match (&self.will, live_will) {
            (Some((at, will)), _) => Some(will.stored(Some(*at))),
            (None, Some(will)) => Some(will.stored(None)),
            (None, None) => None,
        };
        MqttSession {
            device: self.key.0,
            client_id: self.key.1.clone(),
            expiry_s: self.expiry_s,
            subscriptions: subscriptions
                .map(|(filter, options)| (filter.clone(), options.byte()))
                .collect(),
            ended: false,
            site: self.site,
            subscription_ids: ids.iter().any(|id| *id != 0).then_some(ids),
            ends_at: self.ends_at,
            will,
        }
    }
}

impl Will {
    fn stored(&self, due_at: Option<Timestamp>) -> MqttWill {
        let message = &self.message;
        MqttWill {
            message: message.said(None).record(),
            retain: message.retain,
            delay_s: self.delay_s,
            due_at,
            expiry_s: message.expiry_s,
        }
    }
}

/// Where a client of before the restart spoke from is not known any more.
const NOWHERE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);

/// Who held a session before the restart; of its certificate only the device is known.
fn whoever(key: &Key, org: OrgId, now: Timestamp) -> Arc<DeviceIdentity> {
    Arc::new(DeviceIdentity { org, device: key.0, serial: Vec::new(), not_after: now })
}

/// The will of a client that was connected when the program stopped.
fn left_behind(key: &Key, org: OrgId, site: SiteId, will: &MqttWill, now: Timestamp) -> Message {
    let said = Said::recalled(&will.message);
    Message {
        identity: whoever(key, org, now),
        site,
        remote: NOWHERE,
        client_id: key.1.as_str().into(),
        topic: said.topic.as_ref().to_owned(),
        content_type: said.content_type,
        payload: said.payload,
        received_at: now,
        qos: said.qos,
        retain: will.retain,
        dup: false,
        is_will: true,
        authorised: true,
        expiry_s: will.expiry_s,
        extra: said.extra,
    }
}
