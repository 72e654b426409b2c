//! A broker of fifty lines that is obviously right, and the real one beside it: clients do
//! at random whatever clients do, and each hears from the real one what the small one says.

use std::collections::{BTreeMap, VecDeque};

use super::*;

const CLIENTS: [Version; 3] = [Version::V5, Version::V311, Version::V5];
const TOPICS: [&str; 6] = ["a", "a/b", "a/b/c", "b", "b/", "/b"];
const FILTERS: [&str; 9] = ["a", "a/#", "+/b", "a/+/c", "#", "+", "b/", "/+", "b/#"];
const STEPS: usize = 160;

/// A delivery in short: payload, topic, QoS and RETAIN.
type Heard = (String, &'static str, u8, bool);

/// One client's session as the small broker has it.
#[derive(Default)]
struct Session {
    is_connected: bool,
    subscriptions: BTreeMap<&'static str, u8>,
    waiting: VecDeque<Heard>,
}

/// The small broker: it has no packets, no acknowledgements and no connections.
#[derive(Default)]
struct Broker {
    sessions: [Session; CLIENTS.len()],
    retained: BTreeMap<&'static str, (String, u8)>,
}

fn hears(filter: &[&str], topic: &[&str]) -> bool {
    match (filter, topic) {
        (["#"], _) | ([], []) => true,
        (["+", filter @ ..], [_, topic @ ..]) => hears(filter, topic),
        ([wanted, filter @ ..], [found, topic @ ..]) => wanted == found && hears(filter, topic),
        _ => false,
    }
}

/// Filters and topics stand below the field's own levels, so that «#» hears their parent too.
fn matches(filter: &str, topic: &str) -> bool {
    let levels = |text: &'static str| text.split('/').collect::<Vec<_>>();
    let find = |all: &[&'static str], text: &str| *all.iter().find(|it| **it == text).unwrap();
    hears(&levels(find(&FILTERS, filter)), &levels(find(&TOPICS, topic)))
}

impl Broker {
    fn publish(
        &mut self,
        from: usize,
        topic: &'static str,
        (payload, qos, retain): (&str, u8, bool),
    ) {
        for (at, session) in self.sessions.iter_mut().enumerate() {
            let options = session.subscriptions.iter().filter(|(filter, options)| {
                let is_own = at == from && **options & Subscribe::NO_LOCAL != 0;
                matches(filter, topic) && !is_own
            });
            let options: Vec<u8> = options.map(|(_, options)| *options).collect();
            let Some(granted) = options.iter().map(|options| options & 3).max() else { continue };
            let as_published = options.iter().any(|it| it & Subscribe::AS_PUBLISHED != 0);
            let qos = qos.min(granted);
            if session.is_connected || qos > 0 {
                session.waiting.push_back((payload.to_owned(), topic, qos, retain && as_published));
            }
        }
        if retain && payload.is_empty() {
            self.retained.remove(topic);
        } else if retain {
            self.retained.insert(topic, (payload.to_owned(), qos));
        }
    }

    fn subscribe(&mut self, at: usize, filter: &'static str, options: u8) {
        let session = &mut self.sessions[at];
        let is_new = session.subscriptions.insert(filter, options).is_none();
        let wants = match options & 0x30 {
            Subscribe::RETAINED_NEVER => false,
            Subscribe::RETAINED_IF_NEW => is_new,
            _ => true,
        };
        for (topic, (payload, qos)) in self.retained.iter().filter(|_| wants) {
            if matches(filter, topic) {
                session.waiting.push_back((payload.clone(), topic, *qos.min(&(options & 3)), true));
            }
        }
    }
}

/// A small generator (xorshift), so that a seed repeats a run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % sides as u64).unwrap()
    }

    fn one<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }
}

/// Both brokers and the clients of the real one.
struct Play {
    field: Field,
    broker: Broker,
    clients: [Option<Client>; CLIENTS.len()],
    dice: Dice,
    /// What was done, for whoever reads a failure.
    story: Vec<String>,
}

impl Play {
    fn greeting(&self, at: usize) -> Connect {
        let connect = self.field.greeting(CLIENTS[at], &format!("random{at}"));
        // One of them takes its messages two by two.
        let small = property::two(property::RECEIVE_MAXIMUM, 2);
        if at == 2 { connect.with(small) } else { connect }
    }

    fn step(&mut self, number: usize) {
        let at = self.dice.below(CLIENTS.len());
        let is_connected = self.clients[at].is_some();
        match self.dice.below(12) {
            _ if !is_connected => self.connect(at),
            0 => {
                self.story.push(format!("{at} goes"));
                self.broker.sessions[at].is_connected = false;
                let client = self.clients[at].take().unwrap();
                if self.dice.below(2) == 0 { client.goodbye() } else { client.cut() }
            }
            1 => self.connect(at),
            2..=4 => self.subscribe(at),
            5 => {
                let filter = self.dice.one(&FILTERS);
                self.story.push(format!("{at} unsubscribes {filter}"));
                let full = self.field.topic(filter);
                self.clients[at].as_mut().unwrap().unsubscribe(&[&full]);
                self.broker.sessions[at].subscriptions.remove(filter);
            }
            _ => self.publish(at, number),
        }
        self.compare();
    }

    fn connect(&mut self, at: usize) {
        let is_clean = self.dice.below(5) == 0;
        self.story.push(format!("{at} connects, clean: {is_clean}"));
        let greeting = self.greeting(at).kept();
        let greeting = Connect { clean: is_clean, ..greeting };
        let (client, _) = Client::connect(&self.field, &greeting);
        // In 3.1.1 a clean session ends with its connection, so that it begins anew as a kept one.
        self.clients[at] = Some(match (is_clean, CLIENTS[at]) {
            (true, Version::V311) => Client::connect(&self.field, &self.greeting(at).kept()).0,
            _ => client,
        });
        let session = &mut self.broker.sessions[at];
        if is_clean {
            *session = Session::default();
        }
        session.is_connected = true;
    }

    fn subscribe(&mut self, at: usize) {
        let filter = self.dice.one(&FILTERS);
        let mut options = self.dice.one(&[0, 1, 2]);
        if CLIENTS[at] == Version::V5 {
            options |= self.dice.one(&[0, 0, Subscribe::NO_LOCAL]);
            options |= self.dice.one(&[0, Subscribe::AS_PUBLISHED]);
            options |= self.dice.one(&[0, Subscribe::RETAINED_IF_NEW, Subscribe::RETAINED_NEVER]);
        }
        self.story.push(format!("{at} subscribes {filter} with {options:#04x}"));
        let full = self.field.topic(filter);
        let codes = self.clients[at].as_mut().unwrap().subscribe(&[(&full, options)]);
        assert_eq!(codes, [options & 3]);
        self.broker.subscribe(at, filter, options);
    }

    fn publish(&mut self, at: usize, number: usize) {
        let topic = self.dice.one(&TOPICS);
        let (qos, retain) = (self.dice.one(&[1, 2]), self.dice.below(3) == 0);
        let payload = if self.dice.below(6) == 0 { String::new() } else { format!("n{number}") };
        self.story.push(format!("{at} says `{payload}` on {topic}, QoS {qos}, {retain}"));
        let client = self.clients[at].as_mut().unwrap();
        let id = client.next_id();
        let publish = Publish::new(qos, id, &self.field.topic(topic), &payload);
        client.put(&Publish { retain, ..publish });
        self.broker.publish(at, topic, (&payload, qos, retain));
    }

    /// Whoever is connected hears what waits for it, and nothing else.
    fn compare(&mut self) {
        let root = format!("{}/", self.field.root());
        for (client, session) in self.clients.iter_mut().zip(&mut self.broker.sessions) {
            let Some(client) = client else { continue };
            let mut expected: Vec<Heard> = session.waiting.drain(..).collect();
            let mut heard: Vec<Heard> = Vec::new();
            for _ in &expected {
                let found = client.take();
                let leaf = found.topic.strip_prefix(&root).unwrap();
                let topic = *TOPICS.iter().find(|topic| **topic == leaf).unwrap();
                heard.push((found.payload, topic, found.qos, found.retain));
            }
            expected.sort();
            heard.sort();
            assert_eq!(heard, expected, "{:#?}", self.story);
            client.is_quiet();
        }
    }
}

#[test]
fn clients_at_random_hear_what_a_simple_broker_says() {
    for seed in [1_u64, 2, 3, 5, 8, 13] {
        let mut play = Play {
            field: Field::new(),
            broker: Broker::default(),
            clients: [const { None }; CLIENTS.len()],
            dice: Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15)),
            story: vec![format!("seed {seed}")],
        };
        for number in 0..STEPS {
            play.step(number);
        }
    }
}
