//! The newest message of each topic, for subscriptions that come later.
//!
//! A topic counts for whoever published it last, and each device has a bounded number
//! and a bounded sum of bytes.

use std::{
    collections::{BTreeMap, HashMap},
    ops::Bound,
    sync::Arc,
};

use model::{DeviceId, SiteId, Timestamp};
use record::{Body, MqttRetained};

use super::{Limits, mail::Said, topic};

/// All retained messages; sites do not see each other's.
#[derive(Debug, Default)]
pub(crate) struct RetainedMessages {
    by_topic: BTreeMap<(SiteId, Arc<str>), Retained>,
    of_device: HashMap<DeviceId, Quota>,
    /// Each change has a number, so that taking one back does not take back a later one.
    changes: u64,
}

#[derive(Clone, Debug)]
struct Retained {
    device: DeviceId,
    said: Arc<Said>,
    change: u64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Quota {
    messages: usize,
    bytes: usize,
}

/// A change that is not durable yet.
#[derive(Debug)]
pub(crate) struct Undo {
    site: SiteId,
    topic: Arc<str>,
    change: u64,
    before: Option<Retained>,
}

impl RetainedMessages {
    /// Takes the newest message of its topic; an empty one ends that. `Err` if the device has
    /// as many as it may.
    pub(crate) fn put(
        &mut self,
        limits: &Limits,
        site: SiteId,
        device: DeviceId,
        said: &Arc<Said>,
    ) -> Result<Undo, ()> {
        let key = (site, said.topic.clone());
        if !said.payload.is_empty() {
            let before = self.by_topic.get(&key).filter(|before| before.device == device);
            let Quota { messages, bytes } =
                self.of_device.get(&device).copied().unwrap_or_default();
            let messages = messages.saturating_sub(usize::from(before.is_some()));
            let bytes = bytes.saturating_sub(before.map_or(0, |before| before.said.len()));
            if messages >= limits.retained_per_device_max
                || bytes.saturating_add(said.len()) > limits.retained_bytes_per_device_max
            {
                return Err(());
            }
        }
        self.changes = self.changes.saturating_add(1);
        let change = self.changes;
        let now = Retained { device, said: said.clone(), change };
        let before = self.replace(&key, (!said.payload.is_empty()).then_some(now));
        Ok(Undo { site, topic: key.1, change, before })
    }

    /// Takes a change back that did not become durable, unless there was a later one.
    pub(crate) fn undo(&mut self, undo: Undo) {
        let key = (undo.site, undo.topic);
        let now = self.by_topic.get(&key).map_or(0, |retained| retained.change);
        if now == undo.change || (now == 0 && undo.before.is_some()) {
            self.replace(&key, undo.before);
        }
    }

    fn replace(&mut self, key: &(SiteId, Arc<str>), now: Option<Retained>) -> Option<Retained> {
        if let Some(now) = &now {
            let quota = self.of_device.entry(now.device).or_default();
            quota.messages = quota.messages.saturating_add(1);
            quota.bytes = quota.bytes.saturating_add(now.said.len());
        }
        let before = match now {
            Some(now) => self.by_topic.insert(key.clone(), now),
            None => self.by_topic.remove(key),
        };
        if let Some(before) = &before
            && let Some(quota) = self.of_device.get_mut(&before.device)
        {
            quota.messages = quota.messages.saturating_sub(1);
            quota.bytes = quota.bytes.saturating_sub(before.said.len());
            if quota.messages == 0 {
                self.of_device.remove(&before.device);
            }
        }
        before
    }

    /// The messages whose topics a filter hears, in the order of their topics.
    pub(crate) fn heard(&self, site: SiteId, filter: &str, now: Timestamp) -> Vec<Arc<Said>> {
        // All topics that it hears begin as it does, up to its first wildcard; `a/#` hears `a`.
        let literal = filter.split(['+', '#']).next().unwrap_or(filter);
        let literal = if literal.len() < filter.len() {
            literal.strip_suffix('/').unwrap_or(literal)
        } else {
            literal
        };
        let from = Bound::Included((site, Arc::<str>::from(literal)));
        self.by_topic
            .range((from, Bound::Unbounded))
            .take_while(|((at, topic), _)| *at == site && topic.starts_with(literal))
            .filter(|((_, topic), retained)| {
                topic::hears(filter, topic) && !retained.said.is_expired(now)
            })
            .map(|(_, retained)| retained.said.clone())
            .collect()
    }

    /// Forgets what has expired.
    pub(crate) fn expire(&mut self, now: Timestamp) {
        let expired = self.by_topic.iter().filter(|(_, retained)| retained.said.is_expired(now));
        let expired: Vec<_> = expired.map(|(key, _)| key.clone()).collect();
        for key in expired {
            self.replace(&key, None);
        }
    }

    /// Puts back what a restart found.
    pub(crate) fn recall(&mut self, limits: &Limits, retained: &MqttRetained) {
        let message = retained.message.as_ref().map(Said::recalled);
        match message {
            // Quotas were kept when it came; a lower limit of today holds all the same.
            Some(said) => {
                let _ = self.put(limits, retained.site, retained.device, &Arc::new(said));
            }
            None => {
                let key = (retained.site, Arc::<str>::from(retained.topic.as_str()));
                self.replace(&key, None);
            }
        }
    }

    /// The stored form of a change to a topic.
    pub(crate) fn record(site: SiteId, device: DeviceId, said: &Said) -> Body {
        let message = (!said.payload.is_empty()).then(|| said.record());
        let topic = said.topic.as_ref().to_owned();
        Body::MqttRetained(MqttRetained { site, device, topic, message })
    }

    /// All of it in its stored form, with the device that each counts for.
    pub(crate) fn snapshot(&self) -> impl Iterator<Item = (DeviceId, Body)> {
        self.by_topic.iter().map(|((site, _), retained)| {
            (retained.device, Self::record(*site, retained.device, &retained.said))
        })
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.by_topic.len()
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use proptest::prelude::*;

    use super::*;
    use crate::mqtt::Qos;

    const START: Timestamp = Timestamp::from_unix_millis(1_763_000_000_000);

    fn site(number: u128) -> SiteId {
        SiteId::v7(START, number)
    }

    fn device(number: u128) -> DeviceId {
        DeviceId::v7(START, number)
    }

    fn said(topic: &str, payload: &str) -> Arc<Said> {
        Arc::new(Said {
            topic: topic.into(),
            content_type: None,
            payload: Bytes::copy_from_slice(payload.as_bytes()),
            qos: Qos::AtLeastOnce,
            expires_at: None,
            extra: None,
        })
    }

    fn heard(all: &RetainedMessages, at: u128, filter: &str) -> String {
        let words = all.heard(site(at), filter, START);
        let word = |said: Arc<Said>| String::from_utf8(said.payload.to_vec()).unwrap();
        words.into_iter().map(word).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn the_newest_message_of_a_topic_is_kept_until_an_empty_one() {
        let (limits, mut all) = (Limits::default(), RetainedMessages::default());
        for (topic, payload) in [("a", "1"), ("a/b", "2"), ("a", "3"), ("ab", "4"), ("$s", "5")] {
            all.put(&limits, site(1), device(1), &said(topic, payload)).unwrap();
        }
        for (filter, expected) in
            [("a", "3"), ("a/#", "3 2"), ("+", "3 4"), ("#", "3 2 4"), ("$s/#", "5"), ("b", "")]
        {
            assert_eq!(heard(&all, 1, filter), expected, "{filter}");
        }
        assert_eq!(heard(&all, 2, "#"), "", "another site hears nothing");
        all.put(&limits, site(1), device(2), &said("a", "")).unwrap();
        assert_eq!(heard(&all, 1, "a/#"), "2");
    }

    #[test]
    fn a_device_keeps_a_bounded_number_and_a_bounded_sum_of_bytes() {
        let limits = Limits {
            retained_per_device_max: 2,
            retained_bytes_per_device_max: 6,
            ..Limits::default()
        };
        let mut all = RetainedMessages::default();
        let mut put = |device_number, topic: &str, payload: &str| {
            all.put(&limits, site(1), device(device_number), &said(topic, payload)).is_ok()
        };
        assert!(put(1, "a", "12"));
        assert!(put(1, "b", "12"));
        assert!(!put(1, "c", "1"), "a third");
        assert!(put(1, "a", "1"), "in place of its own");
        assert!(!put(1, "a", "1234"), "seven bytes");
        assert!(put(2, "a", "12"), "another device takes the topic over");
        assert!(put(1, "c", "1"));
        assert!(put(1, "c", ""), "ending one is always possible");
        assert_eq!(all.len(), 2);
    }

    #[test]
    fn a_change_that_is_not_durable_is_taken_back_unless_a_later_one_stands() {
        let (limits, mut all) = (Limits::default(), RetainedMessages::default());
        all.put(&limits, site(1), device(1), &said("a", "1")).unwrap();
        let second = all.put(&limits, site(1), device(1), &said("a", "2")).unwrap();
        all.undo(second);
        assert_eq!(heard(&all, 1, "a"), "1");
        let third = all.put(&limits, site(1), device(1), &said("a", "3")).unwrap();
        all.put(&limits, site(1), device(1), &said("a", "4")).unwrap();
        all.undo(third);
        assert_eq!(heard(&all, 1, "a"), "4");
        let end = all.put(&limits, site(1), device(1), &said("a", "")).unwrap();
        all.undo(end);
        assert_eq!(heard(&all, 1, "a"), "4");
    }

    proptest! {
        /// The reference asks the filter about every topic.
        #[test]
        fn a_filter_hears_the_same_as_topic_by_topic(
            topics in prop::collection::btree_set("[ab/]{1,5}", 0..10),
            filter in prop::collection::vec(prop::sample::select(vec!["a", "b", "", "+", "ab"]), 1..4),
            hash: bool,
        ) {
            let (limits, mut all) = (Limits::default(), RetainedMessages::default());
            for topic in &topics {
                all.put(&limits, site(1), device(1), &said(topic, topic)).unwrap();
            }
            let filter = filter.into_iter().chain(hash.then_some("#")).collect::<Vec<_>>().join("/");
            let expected: Vec<_> = topics.iter().filter(|t| topic::hears(&filter, t)).cloned().collect();
            prop_assert_eq!(heard(&all, 1, &filter), expected.join(" "));
        }
    }
}
