//! Chapter 3.3.2.3: what a message carries besides its payload reaches everybody unaltered.

use std::time::Duration;

use super::{
    packets::{ack, disconnect, unsubscribe},
    *,
};
use crate::{
    waiting::{let_pass, now},
    wire::packet,
};

#[test]
fn the_properties_of_a_message_reach_its_subscribers_unaltered() {
    let field = Field::new();
    let mut hears = [field.client(Version::V5, "one"), field.client(Version::V5, "two")];
    for client in &mut hears {
        assert_eq!(client.subscribe(&[(&field.topic("#"), 2)]), [2]);
    }
    let mut publisher = field.client(Version::V5, "publisher");
    for qos in [0, 1, 2] {
        let publish = Publish::new(qos, 1, &field.topic("x"), "{}")
            .with(property::pair("b", "1"))
            .with(property::byte(property::PAYLOAD_FORMAT, 1))
            .with(property::string(property::CONTENT_TYPE, "application/json; é"))
            .with(property::pair("a", ""))
            .with(property::string(property::RESPONSE_TOPIC, &field.topic("answer")))
            .with(property::bytes(property::CORRELATION_DATA, &[0, 255, 1, 0]))
            .with(property::pair("b", "1"))
            .with(property::pair("\u{feff}c", "ü"));
        publisher.put(&publish);
        for client in &mut hears {
            let found = client.take().properties;
            assert_eq!(found.number(property::PAYLOAD_FORMAT), Some(1));
            assert_eq!(found.text(property::CONTENT_TYPE).unwrap(), "application/json; é");
            assert_eq!(found.text(property::RESPONSE_TOPIC).unwrap(), field.topic("answer"));
            assert_eq!(found.get(property::CORRELATION_DATA), Some(&[0, 255, 1, 0][..]));
            let pairs = ["b=1", "a=", "b=1", "\u{feff}c=ü"].map(str::as_bytes);
            assert_eq!(found.all(property::USER_PROPERTY), pairs);
            assert_eq!(found.get(property::MESSAGE_EXPIRY), None);
        }
    }
}

#[test]
fn a_message_without_properties_gets_none() {
    let field = Field::new();
    let mut witness = field.witness(2);
    for version in BOTH {
        let mut publisher = field.client(version, "publisher");
        for qos in [0, 1, 2] {
            publisher.publish(qos, &field.topic("x"), "plain");
            assert_eq!(witness.take().properties.0, []);
        }
    }
}

#[test]
fn a_payload_format_of_0_is_passed_on_or_left_out() {
    let field = Field::new();
    let mut witness = field.witness(1);
    let publish = Publish::new(1, 1, &field.topic("x"), "bytes");
    field
        .client(Version::V5, "publisher")
        .put(&publish.with(property::byte(property::PAYLOAD_FORMAT, 0)));
    assert_eq!(witness.take().properties.number(property::PAYLOAD_FORMAT).unwrap_or(0), 0);
}

#[test]
fn a_response_topic_has_no_wildcards() {
    let field = Field::new();
    for topic in ["a/#", "a/+/b", "+"] {
        let mut client = field.client(Version::V5, "response");
        let publish = Publish::new(1, 1, &field.topic("x"), "x");
        let publish = publish.with(property::string(property::RESPONSE_TOPIC, topic));
        client.send(&publish.bytes(Version::V5));
        let said = client.next();
        assert!(
            matches!(said, Ok(Said::Disconnect { code: 0x81 | 0x82 | 0x90, .. })),
            "{topic}: {said:?}"
        );
        assert_eq!(client.next(), Err(End::Closed), "{topic}");
    }
}

#[test]
fn a_message_expires_while_it_waits_and_says_how_long_it_has_left() {
    let field = Field::new();
    let topic = field.topic("expiry");
    let (mut client, _) = field.kept(Version::V5, "sleeper");
    assert_eq!(client.subscribe(&[(&topic, 2)]), [2]);
    client.goodbye();
    let mut publisher = field.client(Version::V5, "publisher");
    let expiring = |qos, expiry_s, payload: &str| {
        Publish::new(qos, 1, &topic, payload)
            .with(property::four(property::MESSAGE_EXPIRY, expiry_s))
    };
    publisher.put(&expiring(1, 1, "too late"));
    publisher.put(&expiring(2, 1, "too late"));
    publisher.put(&expiring(1, 60, "in time"));
    publisher.put(&Publish::new(1, 1, &topic, "for ever"));
    let_pass(now(), Duration::from_millis(2_100));
    let (mut client, _) = field.kept(Version::V5, "sleeper");
    let delivery = client.take();
    assert_eq!(delivery.payload, "in time");
    let left = delivery.properties.number(property::MESSAGE_EXPIRY);
    assert!(left.is_some_and(|left| (40..=58).contains(&left)), "{left:?} s are left of 60");
    let delivery = client.take();
    assert_eq!(delivery.payload, "for ever");
    assert_eq!(delivery.properties.get(property::MESSAGE_EXPIRY), None);
    client.is_quiet();
    field.client(Version::V5, "sleeper").goodbye();
}

#[test]
fn a_message_that_was_sent_once_does_not_expire_any_more() {
    let field = Field::new();
    let topic = field.topic("begun");
    let (mut client, _) = field.kept(Version::V5, "slow");
    assert_eq!(client.subscribe(&[(&topic, 2)]), [2]);
    let mut publisher = field.client(Version::V5, "publisher");
    let publish = Publish::new(2, 1, &topic, "begun");
    publisher.put(&publish.with(property::four(property::MESSAGE_EXPIRY, 2)));
    let first = client.message();
    client.cut();
    let_pass(now(), Duration::from_millis(2_600));
    let (mut client, _) = field.kept(Version::V5, "slow");
    let again = client.message();
    assert_eq!((again.id, again.dup, again.payload), (first.id, true, first.payload));
    client.send(&ack(0x50, first.id));
    assert_eq!(client.ack(), Ack::plain(0x62, first.id));
    client.send(&ack(0x70, first.id));
    client.is_quiet();
    field.client(Version::V5, "slow").goodbye();
}

#[test]
fn a_message_of_qos_2_that_expired_on_its_way_in_is_acknowledged_to_its_end() {
    let field = Field::new();
    let mut client = field.client(Version::V5, "sender");
    let publish = Publish::new(2, 1, &field.topic("expired"), "x");
    client.send(&publish.with(property::four(property::MESSAGE_EXPIRY, 0)).bytes(Version::V5));
    assert!(matches!(client.ack(), Ack { head: 0x50, id: 1, code: 0 | 0x10, .. }));
    client.send(&ack(0x62, 1));
    assert_eq!(client.ack(), Ack::plain(0x70, 1));
}

#[test]
fn packets_without_properties_say_so_with_a_length_of_zero() {
    let field = Field::new();
    let mut client = field.client(Version::V5, "zero");
    client.send(&Subscribe::new(3, &[(&field.topic("x"), 0)]).bytes(Version::V5));
    let suback = client.packet().unwrap();
    assert_eq!((suback.head, &suback.body[..]), (0x90, &[0, 3, 0, 0][..]));
    client.send(&Publish::new(0, 0, &field.topic("x"), "p").bytes(Version::V5));
    let publish = client.packet().unwrap();
    let topic = packet(0, field.topic("x").as_bytes());
    assert_eq!(publish.body[2..], [&topic[2..], &[0, b'p']].concat());
    client.send(&unsubscribe(Version::V5, 4, &[&field.topic("x")]));
    let unsuback = client.packet().unwrap();
    assert_eq!((unsuback.head, &unsuback.body[..]), (0xb0, &[0, 4, 0, 0][..]));
}

#[test]
fn user_properties_are_taken_on_every_packet_of_a_client() {
    let field = Field::new();
    let topic = field.topic("pairs");
    let pairs = [property::pair("a", "1"), property::pair("a", "2")].concat();
    let behind_len = [vec![u8::try_from(pairs.len()).unwrap()], pairs.clone()].concat();
    let with = |head: u8, id: u16, code: Option<u8>| {
        let code: Vec<u8> = code.into_iter().collect();
        packet(head, &[&id.to_be_bytes()[..], &code, &behind_len].concat())
    };
    let will = Will::new(&topic, "gone").with(pairs.clone());
    let connect = field.greeting(Version::V5, "pairs").with(pairs.clone()).will(will);
    let (mut client, _) = Client::connect(&field, &connect);
    assert_eq!(client.subscribe_with(&[(&topic, 2)], &pairs), [2]);
    client.put(&Publish::new(1, 90, &topic, "one").with(pairs.clone()));
    let one = client.message();
    client.send(&with(0x40, one.id, Some(0)));
    client.send(&Publish::new(2, 91, &field.topic("other"), "two").bytes(Version::V5));
    assert_eq!(client.ack(), Ack::plain(0x50, 91));
    client.send(&with(0x62, 91, Some(0)));
    assert_eq!(client.ack(), Ack::plain(0x70, 91));
    field.client(Version::V5, "publisher").publish(2, &topic, "three");
    let three = client.message();
    client.send(&with(0x50, three.id, Some(0)));
    assert_eq!(client.ack(), Ack::plain(0x62, three.id));
    client.send(&with(0x70, three.id, Some(0)));
    let filter = crate::wire::text(&topic);
    client.send(&packet(0xa2, &[&[0, 99][..], &behind_len, &filter].concat()));
    assert_eq!(client.hear(), Said::Unsuback { id: 99, codes: vec![0] });
    client.send(&disconnect(0, &pairs));
    assert_eq!(client.next(), Err(End::Closed));
}
