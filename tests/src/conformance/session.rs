//! Chapters 3.1.2.4, 3.1.2.11.2 and 4.1: sessions, what they keep, and when they end.

use std::time::Duration;

use super::*;
use crate::waiting::{let_pass, now};

#[test]
fn a_session_is_present_if_it_was_kept_and_not_if_it_is_to_be_clean() {
    let field = Field::new();
    for version in BOTH {
        assert!(!field.kept(version, "a").1, "a session before the first connection");
        assert!(field.kept(version, "a").1, "the session was not kept");
        let (_, said) = Client::connect(&field, &field.greeting(version, "a"));
        assert!(matches!(said, Said::Connack { present: false, code: 0, .. }));
        // Clean also means that nothing of before is there later.
        assert!(!field.kept(version, "a").1, "the old session came back");
        field.client(version, "a").goodbye();
    }
}

#[test]
fn a_clean_session_ends_with_its_connection() {
    let field = Field::new();
    for version in BOTH {
        field.client(version, "clean").goodbye();
        assert!(!field.kept(version, "clean").1);
        field.client(version, "clean").cut();
        assert!(!field.kept(version, "clean").1);
        field.client(version, "clean").goodbye();
    }
}

#[test]
fn a_kept_session_keeps_its_subscriptions_and_the_messages_meanwhile() {
    let field = Field::new();
    let topic = field.topic("meanwhile");
    for version in BOTH {
        let (mut client, _) = field.kept(version, "sleeper");
        assert_eq!(client.subscribe(&[(&topic, 2)]), [2]);
        client.goodbye();
        let mut publisher = field.client(version, "publisher");
        publisher.publish(1, &topic, "one");
        publisher.publish(2, &topic, "two");
        let (mut client, present) = field.kept(version, "sleeper");
        assert!(present);
        for (payload, qos) in [("one", 1), ("two", 2)] {
            let delivery = client.take();
            assert_eq!(
                (delivery.payload.as_str(), delivery.qos, delivery.dup),
                (payload, qos, false)
            );
        }
        publisher.publish(1, &topic, "now");
        client.takes("now");
        field.client(version, "sleeper").goodbye();
    }
}

#[test]
fn a_kept_session_keeps_the_options_of_its_subscriptions() {
    let field = Field::new();
    let topic = field.topic("options");
    let (mut client, _) = field.kept(Version::V5, "options");
    let options = 1 | Subscribe::NO_LOCAL | Subscribe::AS_PUBLISHED;
    let id = property::var(property::SUBSCRIPTION_ID, 300);
    assert_eq!(client.subscribe_with(&[(&topic, options)], &id), [1]);
    client.goodbye();
    let (mut client, present) = field.kept(Version::V5, "options");
    assert!(present);
    client.publish(1, &topic, "its own");
    let retained = Publish::new(2, 1, &topic, "somebody else's").retained();
    field.client(Version::V5, "publisher").put(&retained);
    let found = client.take();
    assert_eq!((found.payload.as_str(), found.qos), ("somebody else's", 1));
    assert!(found.retain, "as published is forgotten");
    assert_eq!(found.properties.number(property::SUBSCRIPTION_ID), Some(300));
    field.client(Version::V5, "options").goodbye();
    let empty = Publish::new(1, 1, &topic, "").retained();
    field.client(Version::V5, "publisher").put(&empty);
}

#[test]
fn a_clean_start_throws_away_subscriptions_and_messages() {
    let field = Field::new();
    let topic = field.topic("away");
    for version in BOTH {
        let (mut client, _) = field.kept(version, "away");
        assert_eq!(client.subscribe(&[(&topic, 1)]), [1]);
        client.goodbye();
        let mut publisher = field.client(version, "publisher");
        publisher.publish(1, &topic, "waiting");
        let mut client = field.client(version, "away");
        publisher.publish(1, &topic, "too late");
        client.is_quiet();
        client.goodbye();
        let (mut client, present) = field.kept(version, "away");
        assert!(!present);
        client.is_quiet();
        field.client(version, "away").goodbye();
    }
}

#[test]
fn a_session_of_5_0_ends_when_its_time_is_over() {
    let field = Field::new();
    let connect = |expiry_s: u32| Connect {
        clean: false,
        ..field
            .greeting(Version::V5, "expires")
            .with(property::four(property::SESSION_EXPIRY, expiry_s))
    };
    let is_present = |expiry_s| {
        let (client, said) = Client::connect(&field, &connect(expiry_s));
        client.cut();
        matches!(said, Said::Connack { present: true, .. })
    };
    assert!(!is_present(2));
    assert!(is_present(2), "it is kept for two seconds");
    // A look begins the time anew, so that there is none before the time is over.
    let_pass(now(), Duration::from_millis(2_600));
    assert!(!is_present(0), "it outlived its two seconds");
    assert!(!is_present(0), "0 is kept");
}

#[test]
fn a_session_does_not_end_while_its_connection_is_open() {
    let field = Field::new();
    let topic = field.topic("open");
    let connect =
        field.greeting(Version::V5, "open").with(property::four(property::SESSION_EXPIRY, 1));
    let (mut client, _) = Client::connect(&field, &connect);
    assert_eq!(client.subscribe(&[(&topic, 1)]), [1]);
    let_pass(now(), Duration::from_millis(1_600));
    client.is_quiet();
    field.client(Version::V5, "publisher").publish(1, &topic, "still here");
    client.takes("still here");
}

#[test]
fn a_session_that_never_ends_is_cut_to_what_the_server_grants() {
    let field = Field::new();
    let connect = field
        .greeting(Version::V5, "for ever")
        .with(property::four(property::SESSION_EXPIRY, u32::MAX));
    let connect = Connect { client_id: field.id("ever").into_bytes(), ..connect };
    let (_client, said) = Client::connect(&field, &connect);
    let Said::Connack { properties, .. } = said else { panic!("{said:?}") };
    assert_eq!(properties.number(property::SESSION_EXPIRY), Some(7 * 24 * 3_600));
}

#[test]
fn a_session_lives_on_when_another_connection_takes_it_over() {
    let field = Field::new();
    let topic = field.topic("over");
    for version in BOTH {
        let (mut first, _) = field.kept(version, "over");
        assert_eq!(first.subscribe(&[(&topic, 1)]), [1]);
        field.client(version, "publisher").publish(1, &topic, "unanswered");
        let delivery = first.message();
        let (mut second, present) = field.kept(version, "over");
        assert!(present);
        first.is_put_out(0x8e);
        assert_eq!(second.message(), Delivery { dup: true, ..delivery });
        field.client(version, "over").goodbye();
    }
}

#[test]
fn a_session_that_is_not_kept_ends_when_it_is_taken_over() {
    let field = Field::new();
    let topic = field.topic("not kept");
    for version in BOTH {
        let mut first = field.client(version, "taken");
        assert_eq!(first.subscribe(&[(&topic, 1)]), [1]);
        let (mut second, present) = field.kept(version, "taken");
        first.is_put_out(0x8e);
        assert!(!present, "it was taken up in {version:?}");
        field.client(version, "publisher").publish(1, &topic, "for the first one");
        second.is_quiet();
        field.client(version, "taken").goodbye();
    }
}
