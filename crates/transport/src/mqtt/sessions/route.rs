//! Who gets a message, in two steps: [`Sessions::route`] in the order of the journal's
//! groups, before it is written; [`Sessions::deliver`] once it is durable.
//!
//! The first gives packet ids and says what has to be written in the message's own group;
//! the second is what a client can see. What does not become durable is taken back.

use super::{recall::Unsaid, *};
use crate::mqtt::{
    mail::{Mail, Said},
    outbox::Pushed,
    retained::Undo,
};
use record::MqttQueued;

/// A message that is to reach whoever hears its topic.
#[derive(Debug)]
pub(crate) struct Outgoing<'a> {
    pub to: &'a Addressed,
    /// Whose it is; «no local» asks.
    pub from: Option<&'a Key>,
    /// Whether it is kept for later subscriptions.
    pub retain: bool,
}

/// A message and where it goes.
#[derive(Clone, Debug)]
pub(crate) struct Addressed {
    pub site: SiteId,
    /// Who published it, or to whom the server does; a retained message counts for it.
    pub device: DeviceId,
    pub said: Arc<Said>,
    /// Only members of this shared subscription, `name/filter`.
    pub group: Option<Arc<str>>,
}

/// Who is to get a message, and what changes with it.
#[derive(Debug, Default)]
#[must_use = "packet ids were given away"]
pub(crate) struct Route {
    targets: Vec<Target>,
    retained: Option<Undo>,
    /// What the journal knew of sessions before their records went with it.
    unsaid: Vec<Unsaid>,
    /// Whether it was not kept, as its device has as many as it may.
    pub over_quota: bool,
}

impl Route {
    /// Whether nothing is left to be done, whatever becomes of what was written.
    pub(crate) fn is_empty(&self) -> bool {
        let nobody = self.targets.is_empty() && self.unsaid.is_empty();
        nobody && self.retained.is_none() && !self.over_quota
    }

    pub(super) fn unsay(&mut self, unsaid: Unsaid) {
        self.unsaid.push(unsaid);
    }
}

#[derive(Debug)]
struct Target {
    key: Arc<Key>,
    session: u64,
    mail: Mail,
}

/// One session that hears a topic, by all of its subscriptions together.
struct Heard {
    key: Arc<Key>,
    session: u64,
    qos: Qos,
    retain_as_published: bool,
    ids: Vec<u32>,
    group: Option<Arc<str>>,
}

impl Heard {
    fn new(hearer: &Hearer) -> Self {
        let mut heard = Self {
            key: hearer.key.clone(),
            session: hearer.session,
            qos: Qos::AtMostOnce,
            retain_as_published: false,
            ids: Vec::new(),
            group: hearer.group.clone(),
        };
        heard.add(hearer.options);
        heard
    }

    fn add(&mut self, options: Options) {
        self.qos = self.qos.max(options.qos);
        self.retain_as_published |= options.retain_as_published;
        if options.id != 0 && !self.ids.contains(&options.id) {
            self.ids.push(options.id);
        }
    }
}

impl Sessions {
    /// The sessions that hear a message, each once for all of its own subscriptions.
    fn hearers(&self, outgoing: &Outgoing<'_>) -> Vec<Heard> {
        let Addressed { site, device, said, group: only } = outgoing.to;
        let Some(tree) = self.trees.get(&(*site, *device)) else { return Vec::new() };
        let (mut heard, mut groups) = (Vec::<Heard>::new(), Vec::<Vec<&Hearer>>::new());
        tree.each(&said.topic, |hearer| match &hearer.group {
            None if only.is_some() => {}
            None if hearer.options.no_local && outgoing.from == Some(&*hearer.key) => {}
            None => match heard.iter_mut().find(|heard| heard.session == hearer.session) {
                Some(heard) => heard.add(hearer.options),
                None => heard.push(Heard::new(hearer)),
            },
            Some(group) if only.as_ref().is_some_and(|only| only != group) => {}
            Some(group) => {
                let same = |members: &&mut Vec<&Hearer>| {
                    members.first().is_some_and(|first| first.group.as_ref() == Some(group))
                };
                match groups.iter_mut().find(same) {
                    Some(members) => members.push(hearer),
                    None => groups.push(vec![hearer]),
                }
            }
        });
        let chosen = groups.iter().filter_map(|members| self.choose(members, said.qos));
        heard.extend(chosen.map(Heard::new));
        heard
    }

    /// The member of a shared subscription whose turn it is: one that is connected, else one
    /// whose session will be taken up again.
    fn choose<'a>(&self, members: &[&'a Hearer], qos: Qos) -> Option<&'a Hearer> {
        let is = |hearer: &Hearer, wanted: fn(&Session) -> bool| {
            self.sessions.get(&*hearer.key).is_some_and(wanted)
        };
        let live = members.iter().filter(|hearer| is(hearer, |session| session.live.is_some()));
        let mut found: Vec<&&Hearer> = live.collect();
        if found.is_empty() {
            let kept = |hearer: &&&Hearer| {
                qos.min(hearer.options.qos) > Qos::AtMostOnce
                    && is(hearer, |session| session.expiry_s > 0)
            };
            found = members.iter().filter(kept).collect();
        }
        let at = self.turn.checked_rem(found.len())?;
        found.get(at).map(|hearer| **hearer)
    }

    /// Whether anybody hears a topic, by a look that costs nothing where nobody does.
    pub(crate) fn is_heard(&self, site: SiteId, device: DeviceId, topic: &str) -> bool {
        let mut is_heard = false;
        if let Some(tree) = self.trees.get(&(site, device)) {
            tree.each(topic, |_| is_heard = true);
        }
        is_heard
    }

    /// How many sessions would get a message.
    pub(crate) fn listeners(&self, to: &Addressed) -> usize {
        let outgoing = Outgoing { to, from: None, retain: false };
        let heard = self.hearers(&outgoing);
        heard.iter().filter(|heard| self.reaches(heard, to.said.qos.min(heard.qos))).count()
    }

    fn reaches(&self, heard: &Heard, qos: Qos) -> bool {
        let session = self.sessions.get(&*heard.key);
        // QoS 0 is for whoever is there.
        session.is_some_and(|session| session.live.is_some() || qos > Qos::AtMostOnce)
    }

    /// Decides who gets a message; the bodies are to be written in its group.
    pub(crate) fn route(&mut self, outgoing: &Outgoing<'_>, route: &mut Route) -> Vec<Body> {
        let Addressed { site, device, said, .. } = outgoing.to;
        let mut bodies = Vec::new();
        let heard = self.hearers(outgoing);
        self.turn = self.turn.wrapping_add(1);
        let mut to = Vec::new();
        for heard in heard {
            let qos = said.qos.min(heard.qos);
            if !self.reaches(&heard, qos) {
                continue;
            }
            let retain = outgoing.retain && heard.retain_as_published;
            let addressed = self.address(said, &heard, (qos, retain), &mut bodies, route);
            let Some((mail, is_kept)) = addressed else { continue };
            if is_kept {
                to.push(mail.target(&heard.key, false));
            }
            route.targets.push(Target { key: heard.key, session: heard.session, mail });
        }
        if !to.is_empty() {
            bodies.push(Body::MqttQueued(MqttQueued { message: said.record(), to }));
        }
        if outgoing.retain {
            match self.retained.put(&self.limits, *site, *device, said) {
                Ok(undo) => {
                    bodies.push(RetainedMessages::record(*site, *device, said));
                    route.retained = Some(undo);
                }
                Err(()) => {
                    self.counts.not_retained = self.counts.not_retained.saturating_add(1);
                    route.over_quota = true;
                }
            }
        }
        bodies
    }

    /// One client's mail, and whether its session is kept so that it has to be written.
    fn address(
        &mut self,
        said: &Arc<Said>,
        heard: &Heard,
        (qos, retain): (Qos, bool),
        bodies: &mut Vec<Body>,
        route: &mut Route,
    ) -> Option<(Mail, bool)> {
        let session = self.sessions.get(&*heard.key)?;
        let id = lock(&session.outbox).give_id(qos);
        let is_kept = session.expiry_s > 0 && qos > Qos::AtMostOnce;
        if is_kept && (session.is_new || !self.known.contains(&*heard.key)) {
            // Its own record is on its way; a queue is recalled only for a session that is known.
            bodies.extend(self.record(&heard.key, route));
        }
        let (subscription_ids, shared) = (heard.ids.clone(), heard.group.clone());
        let said = said.clone();
        Some((Mail { said, id, qos, retain, subscription_ids, shared }, is_kept))
    }

    /// Decides which retained messages a new subscription gets.
    pub(crate) fn greet(
        &mut self,
        key: &Key,
        wanted: &[(String, Options)],
        now: Timestamp,
        route: &mut Route,
    ) -> Vec<Body> {
        let mut bodies = Vec::new();
        let Some(session) = self.sessions.get(key) else { return bodies };
        let Some(site) = session.site else { return bodies };
        let (key, number) = (session.key.clone(), session.number);
        let mut left = self.limits.retained_at_once_max;
        for (filter, options) in wanted {
            for said in self.retained.heard((site, key.0), filter, now) {
                if left == 0 {
                    self.counts.dropped = self.counts.dropped.saturating_add(1);
                    continue;
                }
                left = left.saturating_sub(1);
                let heard = Heard {
                    key: key.clone(),
                    session: number,
                    qos: options.qos,
                    retain_as_published: true,
                    ids: if options.id == 0 { Vec::new() } else { vec![options.id] },
                    group: None,
                };
                let qos = said.qos.min(options.qos);
                let addressed = self.address(&said, &heard, (qos, true), &mut bodies, route);
                let Some((mail, is_kept)) = addressed else { continue };
                if is_kept {
                    let to = vec![mail.target(&key, false)];
                    bodies.push(Body::MqttQueued(MqttQueued { message: said.record(), to }));
                }
                route.targets.push(Target { key: key.clone(), session: number, mail });
            }
        }
        bodies
    }

    /// The message is durable: whoever is to get it gets it.
    pub(crate) fn deliver(&mut self, route: Route) {
        route.unsaid.iter().for_each(|said| self.is_said(said));
        for Target { key, session: number, mail } in route.targets {
            let found = self.sessions.get(&*key).filter(|session| session.number == number);
            let Some(session) = found else {
                self.counts.dropped = self.counts.dropped.saturating_add(1);
                continue;
            };
            let pushed = lock(&session.outbox).push(&self.limits, mail);
            match (pushed, &session.live) {
                (Pushed::Taken, Some(live)) => live.desk.mail(),
                (Pushed::Taken, None) => {}
                (Pushed::Full, _) => {
                    // The one that found no room counts as well.
                    self.counts.dropped = self.counts.dropped.saturating_add(1);
                    self.lose(&key, RefusedWhy::QueueFull);
                }
            }
        }
        self.relieve();
    }

    /// While all queues together hold more than they may, the session that holds most is lost.
    pub(super) fn relieve(&mut self) {
        while self.queued.load(Ordering::Relaxed) > self.limits.queues_bytes_max {
            let bytes = |session: &Session| lock(&session.outbox).bytes();
            let most = self.sessions.values().max_by_key(|session| bytes(session));
            let Some(key) = most.filter(|session| bytes(session) > 0).map(|it| it.key.clone())
            else {
                break;
            };
            self.counts.lost_to_all = self.counts.lost_to_all.saturating_add(1);
            self.lose(&key, RefusedWhy::QueuesFull);
        }
    }

    /// The message is not durable: nobody gets it, and it changes nothing.
    pub(crate) fn take_back(&mut self, route: Route) {
        for Target { key, session: number, mail } in route.targets {
            if let Some(session) = self.sessions.get(&*key)
                && session.number == number
            {
                lock(&session.outbox).take_back(mail.id);
            }
        }
        if let Some(undo) = route.retained {
            self.retained.undo(undo);
        }
        route.unsaid.into_iter().for_each(|unsaid| self.unsay(unsaid));
    }

    /// Ends the session of a subscriber that is too slow for its queue; it hears so, and so
    /// does whoever looks at the counters and the refusals.
    fn lose(&mut self, key: &Key, why: RefusedWhy) {
        let Some(session) = self.sessions.get_mut(key) else { return };
        let dropped = lock(&session.outbox).len();
        self.counts.lost = self.counts.lost.saturating_add(1);
        self.counts.dropped = self.counts.dropped.saturating_add(dropped as u64);
        tracing::warn!(device = %key.0, dropped, "mqtt_session_lost_to_a_full_queue");
        let live = session.live.take();
        let will = session.will.take();
        let holder = session.holder.take();
        self.take_away(key);
        if let Some(live) = live {
            live.desk.order(Order::Leave(Reason::QuotaExceeded));
            // Its connection still has to say how it ended, in a session that nobody keeps.
            let mut rest = self.new_session(key.clone(), 0);
            rest.live = Some(live);
            self.sessions.insert(key.clone(), rest);
        } else if let Some((_, will)) = will {
            let mut rest = self.new_session(key.clone(), 0);
            rest.will = Some((Timestamp::default(), will));
            self.due.insert((Timestamp::default(), key.clone()));
            self.sessions.insert(key.clone(), rest);
        }
        self.chores.push(Chore::Session(key.clone()));
        let told = holder.map(|(identity, remote)| Chore::Lost { identity, remote, why });
        self.chores.extend(told);
    }
}
