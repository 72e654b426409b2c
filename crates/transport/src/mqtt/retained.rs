//! The newest message of each topic, for subscriptions that come later.
//!
//! Topics are a device's own: two gateways that use the same words have a message each, and
//! hear their own. Each device has a bounded number and a bounded sum of bytes.

use std::{
    collections::{BTreeMap, HashMap},
    ops::Bound,
    sync::Arc,
};

use model::{DeviceId, SiteId, Timestamp};
use record::{Body, MqttRetained};

use super::{Limits, mail::Said, topic};

/// Whose topic at which site, and the topic.
type At = (SiteId, DeviceId, Arc<str>);

/// All retained messages; devices do not see each other's, and neither do sites.
#[derive(Debug, Default)]
pub(crate) struct RetainedMessages {
    by_topic: BTreeMap<At, Retained>,
    of_device: HashMap<DeviceId, Quota>,
    /// Each change has a number, so that taking one back does not take back a later one.
    changes: u64,
}

#[derive(Clone, Debug)]
struct Retained {
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
    at: At,
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
        let at = (site, device, said.topic.clone());
        if !said.payload.is_empty() {
            let before = self.by_topic.get(&at);
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
        let now = Retained { said: said.clone(), change };
        let before = self.replace(&at, (!said.payload.is_empty()).then_some(now));
        Ok(Undo { at, change, before })
    }

    /// Takes a change back that did not become durable, unless there was a later one.
    pub(crate) fn undo(&mut self, undo: Undo) {
        let now = self.by_topic.get(&undo.at).map_or(0, |retained| retained.change);
        if now == undo.change || (now == 0 && undo.before.is_some()) {
            self.replace(&undo.at, undo.before);
        }
    }

    fn replace(&mut self, at: &At, now: Option<Retained>) -> Option<Retained> {
        let device = at.1;
        if let Some(now) = &now {
            let quota = self.of_device.entry(device).or_default();
            quota.messages = quota.messages.saturating_add(1);
            quota.bytes = quota.bytes.saturating_add(now.said.len());
        }
        let before = match now {
            Some(now) => self.by_topic.insert(at.clone(), now),
            None => self.by_topic.remove(at),
        };
        if let Some(before) = &before
            && let Some(quota) = self.of_device.get_mut(&device)
        {
            quota.messages = quota.messages.saturating_sub(1);
            quota.bytes = quota.bytes.saturating_sub(before.said.len());
            if quota.messages == 0 {
                self.of_device.remove(&device);
            }
        }
        before
    }

    /// The messages of a device at a site whose topics a filter hears, in the order of their
    /// topics.
    pub(crate) fn heard(
        &self,
        of: (SiteId, DeviceId),
        filter: &str,
        now: Timestamp,
    ) -> Vec<Arc<Said>> {
        // All topics that it hears begin as it does, up to its first wildcard; `a/#` hears `a`.
        let literal = filter.split(['+', '#']).next().unwrap_or(filter);
        let literal = if literal.len() < filter.len() {
            literal.strip_suffix('/').unwrap_or(literal)
        } else {
            literal
        };
        let from = Bound::Included((of.0, of.1, Arc::<str>::from(literal)));
        self.by_topic
            .range((from, Bound::Unbounded))
            .take_while(|((site, device, topic), _)| {
                (*site, *device) == of && topic.starts_with(literal)
            })
            .filter(|((_, _, topic), retained)| {
                topic::hears(filter, topic) && !retained.said.is_expired(now)
            })
            .map(|(_, retained)| retained.said.clone())
            .collect()
    }

    /// The topics of a device on which there is a message, at any site.
    pub(crate) fn topics_of(&self, device: DeviceId) -> Vec<String> {
        if !self.of_device.contains_key(&device) {
            return Vec::new();
        }
        let of = self.by_topic.keys().filter(|(_, owner, _)| *owner == device);
        of.map(|(_, _, topic)| topic.as_ref().to_owned()).collect()
    }

    /// Forgets what has expired.
    pub(crate) fn expire(&mut self, now: Timestamp) {
        let expired = self.by_topic.iter().filter(|(_, retained)| retained.said.is_expired(now));
        let expired: Vec<_> = expired.map(|(at, _)| at.clone()).collect();
        for at in expired {
            self.replace(&at, None);
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
                let topic = Arc::<str>::from(retained.topic.as_str());
                self.replace(&(retained.site, retained.device, topic), None);
            }
        }
    }

    /// The stored form of a change to a topic.
    pub(crate) fn record(site: SiteId, device: DeviceId, said: &Said) -> Body {
        let message = (!said.payload.is_empty()).then(|| said.record());
        let topic = said.topic.as_ref().to_owned();
        Body::MqttRetained(MqttRetained { site, device, topic, message, own: Some(true) })
    }

    /// All of it in its stored form, with the device that each counts for.
    pub(crate) fn snapshot(&self) -> impl Iterator<Item = (DeviceId, Body)> {
        self.by_topic.iter().map(|((site, device, _), retained)| {
            (*device, Self::record(*site, *device, &retained.said))
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
        let words = all.heard((site(at), device(1)), filter, START);
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
        all.put(&limits, site(1), device(1), &said("a", "")).unwrap();
        assert_eq!(heard(&all, 1, "a/#"), "2");
    }

    #[test]
    fn two_devices_keep_a_message_each_under_the_same_words() {
        let (limits, mut all) = (Limits::default(), RetainedMessages::default());
        for (number, payload) in [(1, "one's"), (2, "two's")] {
            all.put(&limits, site(1), device(number), &said("z/lamp", payload)).unwrap();
        }
        all.put(&limits, site(1), device(2), &said("z/lamp", "")).unwrap();
        assert_eq!(heard(&all, 1, "#"), "one's");
        assert_eq!(all.heard((site(1), device(2)), "#", START), []);
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
        assert!(put(2, "c", "12"), "another device has its own");
        assert!(!put(1, "c", "1"), "a third still");
        assert!(put(1, "b", ""), "ending one is always possible");
        assert!(put(1, "c", "1"));
        assert_eq!(all.len(), 3);
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
