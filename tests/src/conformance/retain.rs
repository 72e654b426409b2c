//! Chapter 3.3.1: what is kept for those who subscribe later.

use super::*;

fn keep(field: &Field, version: Version, qos: u8, topic: &str, payload: &str) {
    let publish = Publish::new(qos, 1, topic, payload).retained();
    let mut client = field.client(version, "keeper");
    client.put(&publish);
    client.is_quiet();
}

/// What a new subscriber is sent at once, as payload, QoS and RETAIN flag.
fn found(field: &Field, version: Version, filter: &str, options: u8) -> Vec<(String, u8, bool)> {
    let mut client = field.client(version, "finder");
    let end = field.topic("the/end");
    assert_eq!(client.subscribe(&[(&end, 0)]), [0]);
    assert_eq!(client.subscribe(&[(filter, options)]), [options & 3]);
    client.publish(0, &end, "the end");
    let mut found = Vec::new();
    loop {
        let delivery = client.take();
        if delivery.topic == end {
            return found;
        }
        found.push((delivery.payload, delivery.qos, delivery.retain));
    }
}

fn one(payload: &str, qos: u8) -> Vec<(String, u8, bool)> {
    vec![(payload.to_owned(), qos, true)]
}

#[test]
fn the_last_retained_message_of_a_topic_is_sent_to_a_new_subscriber() {
    let field = Field::new();
    for version in BOTH {
        for qos in [0, 1, 2] {
            let topic = field.topic(&format!("kept/{qos}"));
            keep(&field, version, 1, &topic, "earlier");
            keep(&field, version, qos, &topic, "later");
            assert_eq!(found(&field, version, &topic, 2), one("later", qos));
            assert_eq!(found(&field, version, &topic, 0), one("later", 0));
            assert_eq!(
                found(&field, version, &field.topic("kept/+"), 1).len(),
                usize::from(qos) + 1
            );
        }
        for qos in [0, 1, 2] {
            keep(&field, version, 1, &field.topic(&format!("kept/{qos}")), "");
        }
    }
}

#[test]
fn a_message_without_the_flag_neither_is_kept_nor_replaces_what_is() {
    let field = Field::new();
    let topic = field.topic("plain");
    for version in BOTH {
        let mut client = field.client(version, "plain");
        client.publish(1, &topic, "plain");
        assert_eq!(found(&field, version, &topic, 1), []);
        keep(&field, version, 1, &topic, "kept");
        client.publish(1, &topic, "plain");
        client.publish(1, &topic, "");
        assert_eq!(found(&field, version, &topic, 1), one("kept", 1));
        keep(&field, version, 1, &topic, "");
    }
}

#[test]
fn an_empty_message_ends_what_is_kept_and_goes_to_those_who_hear() {
    let field = Field::new();
    let topic = field.topic("empty");
    for version in BOTH {
        keep(&field, version, 1, &topic, "kept");
        let mut witness = field.client(version, "hears");
        assert_eq!(witness.subscribe(&[(&topic, 1)]), [1]);
        let kept = witness.take();
        assert_eq!((kept.payload.as_str(), kept.retain), ("kept", true));
        keep(&field, version, 1, &topic, "");
        let empty = witness.take();
        assert_eq!((empty.payload.as_str(), empty.retain), ("", false));
        assert_eq!(found(&field, version, &topic, 1), []);
    }
}

#[test]
fn a_retained_message_of_qos_0_replaces_one_of_qos_1() {
    let field = Field::new();
    let topic = field.topic("weaker");
    for version in BOTH {
        keep(&field, version, 1, &topic, "strong");
        keep(&field, version, 0, &topic, "weak");
        assert_eq!(found(&field, version, &topic, 2), one("weak", 0));
        keep(&field, version, 0, &topic, "");
    }
}

#[test]
fn the_flag_is_down_for_those_who_are_subscribed_already() {
    let field = Field::new();
    let topic = field.topic("flag");
    for version in BOTH {
        let mut client = field.client(version, "subscribed");
        assert_eq!(client.subscribe(&[(&topic, 1)]), [1]);
        keep(&field, version, 1, &topic, "new");
        let delivery = client.take();
        assert_eq!((delivery.payload.as_str(), delivery.retain), ("new", false));
        keep(&field, version, 1, &topic, "");
    }
}

#[test]
fn the_flag_is_as_published_for_those_who_asked() {
    let field = Field::new();
    let topic = field.topic("published");
    let mut client = field.client(Version::V5, "subscribed");
    assert_eq!(client.subscribe(&[(&topic, 1 | Subscribe::AS_PUBLISHED)]), [1]);
    keep(&field, Version::V5, 1, &topic, "kept");
    assert!(client.take().retain);
    field.client(Version::V5, "publisher").publish(1, &topic, "plain");
    assert!(!client.take().retain);
    // What is sent at a subscription has it in any case.
    assert_eq!(found(&field, Version::V5, &topic, 1), one("kept", 1));
    keep(&field, Version::V5, 1, &topic, "");
}

#[test]
fn a_subscription_may_decline_what_is_kept() {
    let field = Field::new();
    let topic = field.topic("declined");
    keep(&field, Version::V5, 1, &topic, "kept");
    assert_eq!(found(&field, Version::V5, &topic, 1 | Subscribe::RETAINED_NEVER), []);
    assert_eq!(found(&field, Version::V5, &topic, 1 | Subscribe::RETAINED_IF_NEW), one("kept", 1));
    let mut client = field.client(Version::V5, "declines");
    let end = field.topic("the/end");
    assert_eq!(client.subscribe(&[(&end, 0)]), [0]);
    assert_eq!(client.subscribe(&[(&topic, 1)]), [1]);
    client.takes("kept");
    // It exists, so that the second one brings nothing.
    assert_eq!(client.subscribe(&[(&topic, 1 | Subscribe::RETAINED_IF_NEW)]), [1]);
    client.publish(0, &end, "the end");
    client.takes("the end");
    keep(&field, Version::V5, 1, &topic, "");
}

#[test]
fn what_is_kept_outlives_the_session_of_its_sender() {
    let field = Field::new();
    let topic = field.topic("outlives");
    for version in BOTH {
        let mut client = field.client(version, "sender");
        client.put(&Publish::new(1, 1, &topic, "kept").retained());
        client.goodbye();
        field.client(version, "sender").goodbye();
        assert_eq!(found(&field, version, &topic, 1), one("kept", 1));
        keep(&field, version, 1, &topic, "");
    }
}

#[test]
fn a_retained_message_keeps_its_properties_and_its_expiry() {
    let field = Field::new();
    let topic = field.topic("expires");
    let mut publisher = field.client(Version::V5, "publisher");
    let publish = Publish::new(1, 1, &topic, "kept")
        .with(property::string(property::CONTENT_TYPE, "text/plain"))
        .with(property::pair("ward", "2A"))
        .with(property::four(property::MESSAGE_EXPIRY, 4));
    publisher.put(&publish.retained());
    let mut client = field.client(Version::V5, "subscriber");
    assert_eq!(client.subscribe(&[(&topic, 1)]), [1]);
    let delivery = client.take();
    assert_eq!(delivery.properties.text(property::CONTENT_TYPE).unwrap(), "text/plain");
    assert_eq!(delivery.properties.all(property::USER_PROPERTY), [b"ward=2A"]);
    assert!(delivery.properties.number(property::MESSAGE_EXPIRY).is_some_and(|left| left <= 4));
    crate::waiting::until("it expires", std::time::Duration::from_secs(10), || {
        found(&field, Version::V5, &topic, 1).is_empty()
    });
}
