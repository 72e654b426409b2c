//! What outlives a connection: subscriptions, waiting messages, wills, packet ids.
//!
//! A session belongs to a device and one of its client ids, so that no client takes over
//! the session of another identity. A second connection of the same client takes the
//! session over: it also speaks for the end of the first, so that the old will and the
//! old goodbye never come after the new beginning.
//!
//! What is to survive a restart is written by [`Sessions::record`] as it is at the moment
//! of writing; a snapshot of all of it bounds how far back a restart has to read.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use model::{DeviceId, SiteId, Timestamp};
use record::{Body, MqttProgress, MqttSession};
use security::DeviceIdentity;

use super::{
    Limits,
    outbox::Outbox,
    proto::{Filter, Qos, Reason, Version},
    retained::RetainedMessages,
    topic,
    tree::Tree,
};
use crate::{
    Message, RefusedWhy,
    desk::{Desk, Order},
};

mod recall;
mod route;

pub use recall::Recalled;
pub(crate) use recall::progress;
pub(crate) use route::{Addressed, Outgoing, Route};

/// Names a session: whose, and which of its own.
pub(crate) type Key = (DeviceId, String);

/// Whose topics: those of a device at its site, which no other device hears.
type Scope = (SiteId, DeviceId);

/// A session's queue, shared by its connection and whoever sends to the device.
pub(crate) type SharedOutbox = Arc<Mutex<Outbox>>;

/// All sessions of a listener.
#[derive(Debug)]
pub(crate) struct Sessions {
    limits: Arc<Limits>,
    sessions: BTreeMap<Key, Session>,
    /// Who hears what of each device's topics.
    trees: HashMap<Scope, Tree<Hearer>>,
    retained: RetainedMessages,
    /// When a session without a connection ends, or its will is due.
    due: BTreeSet<(Timestamp, Key)>,
    /// Devices that were put out: the newest connection that this holds for, and when.
    put_out: BTreeMap<DeviceId, (u64, Timestamp)>,
    /// The number of the newest session.
    newest: u64,
    /// Whose turn it is among the members of a shared subscription.
    turn: usize,
    /// The sessions that the journal knows.
    known: BTreeSet<Key>,
    /// The sessions that a restart would go on with, by what the journal may hold: each with
    /// the number of the record that said so last.
    recallable: BTreeMap<Key, u64>,
    /// What has to be said soon, and was not caused by anybody who could say it.
    chores: Vec<Chore>,
    /// Sessions whose last record was lost, to be said again.
    unsaid: BTreeSet<Key>,
    /// How many bytes wait in all queues together.
    queued: Arc<AtomicUsize>,
    counts: Counts,
}

/// What happened to messages and sessions since the listener began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Sessions that were lost to a full queue.
    pub lost: u64,
    /// Sessions that were lost as they held most when all queues together were full.
    pub lost_to_all: u64,
    /// Messages that were lost with their session.
    pub dropped: u64,
    /// Retained messages that were not kept, as their device has as many as it may.
    pub not_retained: u64,
}

/// Something that is to be said soon.
#[derive(Debug)]
pub(crate) enum Chore {
    /// A session changed or ended.
    Session(Key),
    /// A message of a shared subscription whose member is gone.
    Again(Addressed),
    /// Packet ids of messages that were withdrawn.
    Withdrawn(MqttProgress),
    /// A session ended because too much waited for it.
    Lost {
        /// Who held it.
        identity: Arc<DeviceIdentity>,
        /// Where it spoke from.
        remote: SocketAddr,
        /// Which bound it was.
        why: RefusedWhy,
    },
}

/// A subscription in the tree.
#[derive(Clone, Debug)]
struct Hearer {
    key: Arc<Key>,
    session: u64,
    /// `name/filter` of a shared subscription.
    group: Option<Arc<str>>,
    options: Options,
}

/// How a filter was subscribed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Options {
    pub qos: Qos,
    pub no_local: bool,
    pub retain_as_published: bool,
    pub retain_handling: u8,
    /// 0 is none.
    pub id: u32,
}

impl Options {
    fn of(filter: &Filter, id: u32) -> Self {
        Self {
            qos: filter.qos,
            no_local: filter.no_local,
            retain_as_published: filter.retain_as_published,
            retain_handling: filter.retain_handling,
            id,
        }
    }

    /// The byte of MQTT 5 [§3.8.3.1].
    fn byte(self) -> u8 {
        let flag = |flag, bit: u8| u8::from(flag) << bit;
        let handling = (self.retain_handling & 0b11) << 4;
        self.qos.number() | flag(self.no_local, 2) | flag(self.retain_as_published, 3) | handling
    }

    fn from_byte(byte: u8, id: u32) -> Self {
        Self {
            qos: Qos::from_number(byte & 0b11),
            no_local: byte & 0b100 != 0,
            retain_as_published: byte & 0b1000 != 0,
            retain_handling: byte >> 4 & 0b11,
            id,
        }
    }
}

#[derive(Debug)]
struct Session {
    key: Arc<Key>,
    /// Tells it from earlier sessions of the same client.
    number: u64,
    site: Option<SiteId>,
    expiry_s: u32,
    /// Filters as they were spelled, a shared one with its `$share/…`.
    subscriptions: Vec<(String, Options)>,
    outbox: SharedOutbox,
    live: Option<Live>,
    /// Who held it last, and where it spoke from.
    holder: Option<(Arc<DeviceIdentity>, SocketAddr)>,
    ends_at: Option<Timestamp>,
    will: Option<(Timestamp, Will)>,
    /// Whether the journal may hold an earlier session of this client.
    is_new: bool,
    /// Whether the journal has its queue; it has none while the session ends with its connection.
    is_queue_written: bool,
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
    /// What is published if it is lost.
    pub will: Option<Will>,
}

/// A message that a lost connection leaves behind.
#[derive(Debug)]
pub(crate) struct Will {
    pub delay_s: u32,
    pub message: Message,
}

/// What a connection found when it came.
#[derive(Debug)]
pub(crate) struct Attached {
    /// Whether there was a session to go on with.
    pub present: bool,
    /// Whether there was none, and a restart might find one all the same.
    pub overturns: bool,
    pub outbox: SharedOutbox,
    /// The connection that was taken over, with its will if that is due.
    pub displaced: Option<(Live, Option<Message>)>,
    /// The will of an earlier connection that the new beginning makes due.
    pub will: Option<Message>,
    /// Another session of the device, which ended to make room.
    pub ended: Option<Key>,
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
}

/// What the passing of time brought.
#[derive(Debug, Default)]
pub(crate) struct Due {
    pub wills: Vec<(Key, Message)>,
    pub chores: Vec<Chore>,
}

/// How a SUBSCRIBE went.
#[derive(Debug, Default)]
pub(crate) struct Subscribed {
    pub codes: Vec<Reason>,
    /// Filters that want the retained messages.
    pub wanted: Vec<(String, Options)>,
}

impl Session {
    fn new(key: Key, number: u64, expiry_s: u32, outbox: Outbox) -> Self {
        Self {
            key: Arc::new(key),
            number,
            site: None,
            expiry_s,
            subscriptions: Vec::new(),
            outbox: Arc::new(Mutex::new(outbox)),
            live: None,
            holder: None,
            ends_at: None,
            will: None,
            is_new: true,
            is_queue_written: false,
        }
    }

    fn is_over(&self, now: Timestamp) -> bool {
        self.live.is_none() && self.ends_at.is_none_or(|at| now >= at)
    }

    /// Whether a restart is to find it, be it only for its will.
    fn is_kept(&self) -> bool {
        let live = self.live.as_ref();
        self.expiry_s > 0 || self.will.is_some() || live.is_some_and(|live| live.will.is_some())
    }

    fn hearer(&self, filter: &str, options: Options) -> (String, Hearer) {
        let (group, filter) = match topic::shared(filter) {
            Some((name, filter)) => (Some(format!("{name}/{filter}").into()), filter),
            None => (None, filter),
        };
        let hearer = Hearer { key: self.key.clone(), session: self.number, group, options };
        (filter.to_owned(), hearer)
    }
}

impl Sessions {
    /// No sessions.
    pub(crate) fn new(limits: Arc<Limits>) -> Self {
        Self {
            limits,
            sessions: BTreeMap::new(),
            trees: HashMap::new(),
            retained: RetainedMessages::default(),
            due: BTreeSet::new(),
            put_out: BTreeMap::new(),
            newest: 0,
            turn: 0,
            known: BTreeSet::new(),
            recallable: BTreeMap::new(),
            chores: Vec::new(),
            unsaid: BTreeSet::new(),
            queued: Arc::default(),
            counts: Counts::default(),
        }
    }

    fn number(&mut self) -> u64 {
        self.newest = self.newest.saturating_add(1);
        self.newest
    }

    /// A session that nobody holds yet, beside all others.
    fn new_session(&mut self, key: Key, expiry_s: u32) -> Session {
        let outbox = Outbox::counting(self.queued.clone());
        Session::new(key, self.number(), expiry_s, outbox)
    }

    /// A client comes, if its device was not put out since its connection began.
    pub(crate) fn attach(
        &mut self,
        key: &Key,
        site: SiteId,
        clean: bool,
        expiry_s: u32,
        live: Live,
    ) -> Result<Attached, NoSession> {
        let put_out = self.put_out.get(&key.0);
        if put_out.is_some_and(|(newest, _)| live.connection <= *newest) {
            return Err(NoSession::PutOut);
        }
        let ended = self.make_room(key)?;
        let (mut displaced, mut will, mut present) = (None, None, false);
        if let Some(session) = self.sessions.get_mut(key) {
            // Its time may be over before anybody has looked.
            let over = clean || session.is_over(live.since);
            if let Some(at) = session.ends_at.take() {
                self.due.remove(&(at, key.clone()));
            }
            // One that is not kept ends with its connection, also where another takes it over.
            let over = over || session.expiry_s == 0;
            if let Some((at, parting)) = session.will.take() {
                self.due.remove(&(at, key.clone()));
                // Coming back in time takes a delayed will away; starting anew does not.
                will = over.then_some(parting.message);
            }
            if let Some(mut old) = session.live.take() {
                old.desk.order(Order::TakenOver);
                let due = old.will.take().filter(|parting| parting.delay_s == 0 || over);
                displaced = Some((old, due.map(|parting| parting.message)));
            }
            present = !over;
        }
        if !present {
            self.take_away(key);
            let session = self.new_session(key.clone(), expiry_s);
            self.sessions.insert(key.clone(), session);
        }
        self.settle_at(key, site);
        let Some(session) = self.sessions.get_mut(key) else { return Err(NoSession::TooMany) };
        session.expiry_s = expiry_s;
        session.holder = Some((live.identity.clone(), live.remote));
        session.live = Some(live);
        // What was written to the last connection and not answered goes out again.
        lock(&session.outbox).begin();
        let outbox = session.outbox.clone();
        let overturns = !present && self.recallable.contains_key(key);
        Ok(Attached { present, overturns, outbox, displaced, will, ended })
    }

    /// Moves a session's subscriptions to the site at which its device is now.
    fn settle_at(&mut self, key: &Key, site: SiteId) {
        let Some(session) = self.sessions.get_mut(key) else { return };
        if session.site == Some(site) {
            return;
        }
        let before = session.site.replace(site);
        let hearers: Vec<_> = session
            .subscriptions
            .iter()
            .map(|(filter, options)| session.hearer(filter, *options))
            .collect();
        let number = session.number;
        for (filter, hearer) in hearers {
            if let Some(tree) = before.and_then(|before| self.trees.get_mut(&(before, key.0))) {
                tree.remove(&filter, |found| found.session == number);
            }
            self.trees.entry((site, key.0)).or_default().insert(&filter, hearer);
        }
    }

    /// Ends a session; what a shared subscription gave it goes to other members.
    fn take_away(&mut self, key: &Key) {
        let Some(session) = self.sessions.remove(key) else { return };
        if let Some(at) = session.ends_at {
            self.due.remove(&(at, key.clone()));
        }
        if let Some((at, _)) = session.will {
            self.due.remove(&(at, key.clone()));
        }
        let left = lock(&session.outbox).clear();
        let Some(site) = session.site else { return };
        for (filter, options) in &session.subscriptions {
            let (filter, hearer) = session.hearer(filter, *options);
            self.unhear(site, &filter, &hearer);
        }
        for mail in left {
            let Some(group) = mail.shared else { continue };
            let again = Addressed { site, device: key.0, said: mail.said, group: Some(group) };
            self.chores.push(Chore::Again(again));
        }
    }

    fn unhear(&mut self, site: SiteId, filter: &str, hearer: &Hearer) {
        let scope = (site, hearer.key.0);
        if let Some(tree) = self.trees.get_mut(&scope) {
            tree.remove(filter, |found| {
                found.session == hearer.session && found.group == hearer.group
            });
            if tree.is_empty() {
                self.trees.remove(&scope);
            }
        }
    }

    /// Ends the device's session that is longest without a connection, if it has too many.
    fn make_room(&mut self, key: &Key) -> Result<Option<Key>, NoSession> {
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
        let waiting = self.sessions.get(&oldest.1).map_or(0, |gone| lock(&gone.outbox).len());
        self.counts.dropped = self.counts.dropped.saturating_add(waiting as u64);
        self.take_away(&oldest.1);
        Ok(Some(oldest.1))
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
            departed.will = will.map(|parting| parting.message);
            self.take_away(key);
            return departed;
        }
        match will {
            Some(parting) if parting.delay_s == 0 => departed.will = Some(parting.message),
            Some(parting) => self.plan_will(key, parting, now),
            None => {}
        }
        self.plan_end(key, now);
        departed
    }

    fn plan_will(&mut self, key: &Key, will: Will, lost_at: Timestamp) {
        let Some(session) = self.sessions.get_mut(key) else { return };
        let delay_s = will.delay_s.min(session.expiry_s);
        let at = lost_at.after(Duration::from_secs(delay_s.into()));
        session.will = Some((at, will));
        self.due.insert((at, key.clone()));
    }

    fn plan_end(&mut self, key: &Key, now: Timestamp) {
        let Some(session) = self.sessions.get_mut(key) else { return };
        let at = now.after(Duration::from_secs(session.expiry_s.into()));
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
                let will = session.will.take().map(|(_, parting)| parting.message);
                due.wills.extend(will.map(|will| (key.clone(), will)));
            }
            if is_over {
                self.take_away(&key);
                due.chores.push(Chore::Session(key));
            }
        }
        due.chores.append(&mut self.chores);
        // Only so many at once: while storage takes nothing, each of them comes back.
        for _ in 0..self.limits.said_again_at_once_max {
            let Some(key) = self.unsaid.pop_first() else { break };
            due.chores.push(Chore::Session(key));
        }
        due
    }

    /// Forgets retained messages that have expired.
    pub(crate) fn expire_retained(&mut self, now: Timestamp) {
        self.retained.expire(now);
    }

    /// Subscribes; a filter that was judged «no» before keeps its reason.
    pub(crate) fn subscribe(
        &mut self,
        key: &Key,
        filters: Vec<Result<Filter, Reason>>,
        id: u32,
    ) -> Subscribed {
        let mut subscribed = Subscribed::default();
        for filter in filters {
            let code = match filter {
                Ok(filter) => self.subscribe_one(key, filter, id, &mut subscribed.wanted),
                Err(reason) => reason,
            };
            subscribed.codes.push(code);
        }
        subscribed
    }

    fn subscribe_one(
        &mut self,
        key: &Key,
        filter: Filter,
        id: u32,
        wanted: &mut Vec<(String, Options)>,
    ) -> Reason {
        let Some(session) = self.sessions.get_mut(key) else { return Reason::Unspecified };
        let options = Options::of(&filter, id);
        let known = session.subscriptions.iter().position(|(text, _)| *text == filter.text);
        if known.is_none() && session.subscriptions.len() >= self.limits.filters_max {
            return Reason::QuotaExceeded;
        }
        let (bare, hearer) = session.hearer(&filter.text, options);
        match known.and_then(|at| session.subscriptions.get_mut(at)) {
            Some(known) => known.1 = options,
            None => session.subscriptions.push((filter.text.clone(), options)),
        }
        if let Some(site) = session.site {
            if known.is_some() {
                self.unhear(site, &bare, &hearer);
            }
            let is_shared = hearer.group.is_some();
            self.trees.entry((site, key.0)).or_default().insert(&bare, hearer);
            let asks =
                options.retain_handling == 0 || (options.retain_handling == 1 && known.is_none());
            if asks && !is_shared {
                wanted.push((filter.text, options));
            }
        }
        match filter.qos {
            Qos::AtMostOnce => Reason::Success,
            Qos::AtLeastOnce => Reason::GrantedQos1,
            Qos::ExactlyOnce => Reason::GrantedQos2,
        }
    }

    /// Unsubscribes; answers with one code per filter.
    pub(crate) fn unsubscribe(&mut self, key: &Key, filters: &[String]) -> Vec<Reason> {
        let mut codes = Vec::with_capacity(filters.len());
        for filter in filters {
            let found = self.drop_subscription(key, filter);
            codes.push(if found { Reason::Success } else { Reason::NoSubscriptionExisted });
        }
        codes
    }

    fn drop_subscription(&mut self, key: &Key, filter: &str) -> bool {
        let Some(session) = self.sessions.get_mut(key) else { return false };
        let known = session.subscriptions.iter().position(|(text, _)| text == filter);
        let Some(at) = known else { return false };
        let (_, options) = session.subscriptions.remove(at);
        let (bare, hearer) = session.hearer(filter, options);
        if let Some(site) = session.site {
            self.unhear(site, &bare, &hearer);
        }
        true
    }

    /// Ends the subscriptions of a session that are not permitted any more.
    pub(crate) fn revise(&mut self, key: &Key, is_permitted: impl Fn(&str) -> bool) {
        let Some(session) = self.sessions.get(key) else { return };
        let filters = session.subscriptions.iter().map(|(filter, _)| filter);
        let gone: Vec<String> = filters.filter(|filter| !is_permitted(filter)).cloned().collect();
        for filter in gone {
            self.drop_subscription(key, &filter);
        }
    }

    /// The connections that there are, or those of one device.
    pub(crate) fn live(&self, device: Option<DeviceId>) -> impl Iterator<Item = (&Key, &Live)> {
        self.sessions
            .iter()
            .filter(move |((owner, _), _)| device.is_none_or(|device| device == *owner))
            .filter_map(|(key, session)| session.live.as_ref().map(|live| (key, live)))
    }

    /// Takes back what the device's sessions have of exactly this topic; answers with the packet
    /// ids that the journal still holds.
    pub(crate) fn withdraw(&mut self, device: DeviceId, topic: &str) -> Vec<MqttProgress> {
        let mut withdrawn = Vec::new();
        for (key, session) in self.of_device(device) {
            let done = lock(&session.outbox).withdraw(topic);
            if session.expiry_s > 0 && !done.is_empty() {
                withdrawn.push(MqttProgress { done, ..progress(key) });
            }
        }
        withdrawn
    }

    /// Withdrawn packet ids are still to be said.
    pub(crate) fn withdrawn(&mut self, withdrawn: impl IntoIterator<Item = MqttProgress>) {
        self.chores.extend(withdrawn.into_iter().map(Chore::Withdrawn));
    }

    /// Messages that wait for clients, and those that were dropped so far, of all sessions.
    pub(crate) fn waiting(&self) -> (usize, u64) {
        self.sessions.values().fold((0, self.counts.dropped), |(waiting, dropped), session| {
            let outbox = lock(&session.outbox);
            (waiting.saturating_add(outbox.len()), dropped.saturating_add(outbox.dropped()))
        })
    }

    /// The topics of a device on which something is retained.
    pub(crate) fn retained_of(&self, device: DeviceId) -> Vec<String> {
        self.retained.topics_of(device)
    }

    /// How many bytes wait for clients.
    pub(crate) fn waiting_bytes(&self) -> usize {
        self.queued.load(Ordering::Relaxed)
    }

    /// What happened so far.
    pub(crate) fn counts(&self) -> Counts {
        self.counts
    }

    /// Sessions, those without a connection included, and retained messages.
    pub(crate) fn sizes(&self) -> (usize, usize) {
        (self.sessions.len(), self.retained.len())
    }
}

/// Looks into a session's queue; a panic elsewhere leaves it whole, as each change is one call.
pub(crate) fn lock(outbox: &SharedOutbox) -> std::sync::MutexGuard<'_, Outbox> {
    outbox.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
