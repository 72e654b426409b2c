//! What sessions keep, they keep through a `kill -9`: the standard asks for it as long as
//! the session lasts, and a server that forgets is one whose clients lose messages.

use std::{sync::Arc, time::Duration};

use super::*;
use super::{field::Stage, packets::ack};
use crate::waiting::{let_pass, now};

/// Kills and restarts the server; the field's device plays on.
fn restart(field: Field) -> Field {
    let Field { stage, device, .. } = field;
    let stage = Arc::into_inner(stage).unwrap_or_else(|| panic!("somebody else is on the stage"));
    Field::again(Arc::new(stage.restart()), device)
}

/// The client id of a version, so that both have their session.
const fn suffix(version: Version) -> &'static str {
    match version {
        Version::V311 => "three",
        Version::V5 => "five",
    }
}

#[test]
fn sessions_and_what_they_keep_survive_a_kill() {
    let field = Field::on(&Arc::new(Stage::new()));
    let (topic, begun, kept) = (field.topic("topic"), field.topic("begun"), field.topic("kept"));
    let (mut witness, _) = field.kept(Version::V5, "witness");
    assert_eq!(witness.subscribe(&[(&begun, 2)]), [2]);
    witness.goodbye();
    for version in BOTH {
        let (mut client, _) = field.kept(version, suffix(version));
        assert_eq!(client.subscribe(&[(&topic, 2)]), [2]);
        // Received and not released: it goes on once, before the restart or after it.
        client.send(&Publish::new(2, 5, &begun, suffix(version)).bytes(version));
        assert_eq!(client.ack(), Ack::plain(0x50, 5));
        client.cut();
    }
    let mut publisher = field.client(Version::V5, "publisher");
    for (qos, payload) in [(1, "one"), (2, "two")] {
        publisher.publish(qos, &topic, payload);
    }
    let publish = Publish::new(1, 9, &kept, "kept").with(property::pair("ward", "2A"));
    publisher.put(&publish.retained());
    drop(publisher);
    let field = restart(field);
    for version in BOTH {
        let (mut client, present) = field.kept(version, suffix(version));
        assert!(present, "the session of {version:?} is gone");
        for (qos, payload) in [(1, "one"), (2, "two")] {
            let delivery = client.take();
            assert_eq!((delivery.qos, delivery.payload.as_str()), (qos, payload));
        }
        client.send(&Publish::new(2, 5, &begun, suffix(version)).again().bytes(version));
        assert_eq!(client.ack(), Ack::plain(0x50, 5));
        client.send(&ack(0x62, 5));
        assert_eq!(client.ack(), Ack::plain(0x70, 5));
        client.publish(1, &topic, "the subscription as well");
        client.takes("the subscription as well");
        client.goodbye();
    }
    field.client(Version::V5, "sentinel").publish(2, &begun, "the end");
    let (mut witness, present) = field.kept(Version::V5, "witness");
    assert!(present);
    for payload in ["three", "five", "the end"] {
        witness.takes(payload);
    }
    assert_eq!(witness.subscribe(&[(&kept, 1)]), [1]);
    let found = witness.take();
    assert_eq!((found.payload.as_str(), found.retain), ("kept", true));
    assert_eq!(found.properties.all(property::USER_PROPERTY), [b"ward=2A"]);
}

#[test]
fn what_was_sent_and_not_acknowledged_is_sent_again_after_a_kill() {
    let field = Field::on(&Arc::new(Stage::new()));
    let topic = field.topic("again");
    let (mut client, _) = field.kept(Version::V5, "slow");
    assert_eq!(client.subscribe(&[(&topic, 2)]), [2]);
    let mut publisher = field.client(Version::V5, "publisher");
    for (qos, payload) in [(1, "one"), (2, "two"), (2, "three")] {
        publisher.publish(qos, &topic, payload);
    }
    let sent = [client.message(), client.message(), client.message()];
    client.send(&ack(0x50, sent[2].id));
    assert_eq!(client.ack(), Ack::plain(0x62, sent[2].id));
    drop((client, publisher));
    let field = restart(field);
    let (mut client, present) = field.kept(Version::V5, "slow");
    assert!(present);
    let mut payloads = Vec::new();
    let mut released = false;
    while payloads.len() < 2 || !released {
        match client.hear() {
            Said::Publish(delivery) => payloads.push((delivery.id, delivery.payload)),
            Said::Ack(Ack { head: 0x62, id, .. }) => {
                assert_eq!(id, sent[2].id);
                released = true;
            }
            other => panic!("{other:?}"),
        }
    }
    let expected = [&sent[0], &sent[1]].map(|it| (it.id, it.payload.clone()));
    assert_eq!(payloads, expected);
}

#[test]
fn the_will_of_a_connection_that_a_kill_ended_is_published_after_it() {
    let field = Field::on(&Arc::new(Stage::new()));
    let topic = field.topic("will");
    let (mut witness, _) = field.kept(Version::V5, "witness");
    assert_eq!(witness.subscribe(&[(&topic, 1)]), [1]);
    let will = Will::new(&topic, "the server fell over");
    let connect = field.greeting(Version::V5, "mortal").kept().will(will);
    let (mut client, _) = Client::connect(&field, &connect);
    // The journal keeps the order of a connection: with this message, its will is on the disk.
    client.put(&Publish::new(1, 1, &field.topic("alive"), "here I am"));
    let field = restart(field);
    drop((client, witness));
    let (mut witness, present) = field.kept(Version::V5, "witness");
    assert!(present);
    witness.takes("the server fell over");
}

#[test]
fn time_goes_on_while_the_server_is_down() {
    let field = Field::on(&Arc::new(Stage::new()));
    let topic = field.topic("time");
    let short = Connect { clean: false, ..field.greeting(Version::V5, "short") }
        .with(property::four(property::SESSION_EXPIRY, 2));
    let (mut sleeper, _) = field.kept(Version::V5, "sleeper");
    assert_eq!(sleeper.subscribe(&[(&topic, 1)]), [1]);
    sleeper.goodbye();
    let expiring = |expiry_s, payload| {
        Publish::new(1, 1, &topic, payload).with(property::four(property::MESSAGE_EXPIRY, expiry_s))
    };
    let mut publisher = field.client(Version::V5, "publisher");
    publisher.put(&expiring(2, "too late"));
    publisher.put(&expiring(60, "in time"));
    publisher.goodbye();
    Client::connect(&field, &short).0.goodbye();
    let began = now();
    let field = restart(field);
    let_pass(began, Duration::from_millis(3_200));
    let (_, said) = Client::connect(&field, &short);
    assert!(matches!(said, Said::Connack { present: false, .. }), "the session is still there");
    let (mut sleeper, present) = field.kept(Version::V5, "sleeper");
    assert!(present);
    let delivery = sleeper.take();
    assert_eq!(delivery.payload, "in time");
    let left = delivery.properties.number(property::MESSAGE_EXPIRY);
    assert!(left.is_some_and(|left| (30..=57).contains(&left)), "{left:?} s are left of 60");
    sleeper.is_quiet();
}
