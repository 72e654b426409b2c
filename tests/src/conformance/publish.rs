//! Chapters 3.3 to 3.7 and 4.3 to 4.6: a message in both directions with QoS 0, 1 and 2,
//! what is sent again, and in which order.

use std::time::Duration;

use super::packets::{ack, ack_with};
use super::*;

#[test]
fn a_message_is_answered_by_its_qos() {
    let field = Field::new();
    let topic = field.topic("answers");
    for version in BOTH {
        let mut witness = field.witness(2);
        let mut client = field.client(version, "answers");
        client.send(&Publish::new(0, 0, &topic, "zero").bytes(version));
        client.is_quiet();
        client.send(&Publish::new(1, 11, &topic, "one").bytes(version));
        assert_eq!(client.ack(), Ack::plain(0x40, 11));
        client.send(&Publish::new(2, 12, &topic, "two").bytes(version));
        assert_eq!(client.ack(), Ack::plain(0x50, 12));
        client.send(&ack(0x62, 12));
        assert_eq!(client.ack(), Ack::plain(0x70, 12));
        let heard = [witness.take(), witness.take(), witness.take()];
        let heard = heard.map(|delivery| (delivery.payload, delivery.qos, delivery.dup));
        assert_eq!(heard, [("zero", 0), ("one", 1), ("two", 2)].map(|(p, q)| (p.into(), q, false)));
    }
}

#[test]
fn a_message_without_subscribers_is_acknowledged_as_well() {
    let field = Field::new();
    for version in BOTH {
        let mut client = field.client(version, "nobody");
        client.publish(1, &field.topic("nobody"), "x");
        client.publish(2, &field.topic("nobody"), "x");
    }
}

#[test]
fn an_id_of_qos_1_is_new_once_it_was_acknowledged() {
    let field = Field::new();
    let topic = field.topic("again");
    for version in BOTH {
        let mut witness = field.witness(0);
        let mut client = field.client(version, "again");
        client.put(&Publish::new(1, 5, &topic, "first"));
        client.put(&Publish::new(1, 5, &topic, "second"));
        // Even with DUP: whether it is the same message, only the sender knows.
        client.put(&Publish::new(1, 5, &topic, "third").again());
        for payload in ["first", "second", "third"] {
            witness.takes(payload);
        }
    }
}

#[test]
fn a_message_of_qos_2_goes_on_once_however_often_it_comes() {
    let field = Field::new();
    let topic = field.topic("once");
    for version in BOTH {
        let mut witness = field.witness(2);
        let mut client = field.client(version, "once");
        let publish = Publish::new(2, 5, &topic, "once");
        client.send(&publish.bytes(version));
        assert_eq!(client.ack(), Ack::plain(0x50, 5));
        for _ in 0..3 {
            client.send(&publish.clone().again().bytes(version));
            assert_eq!(client.ack(), Ack::plain(0x50, 5));
        }
        client.send(&ack(0x62, 5));
        assert_eq!(client.ack(), Ack::plain(0x70, 5));
        // From here on the id is that of another message.
        client.put(&Publish::new(2, 5, &topic, "another"));
        witness.takes("once");
        witness.takes("another");
        client.publish(0, &topic, "the end");
        witness.takes("the end");
    }
}

#[test]
fn a_message_of_qos_2_goes_on_once_across_a_lost_connection() {
    let field = Field::new();
    let topic = field.topic("lost");
    for version in BOTH {
        let mut witness = field.witness(2);
        let (mut client, _) = field.kept(version, "lost");
        let publish = Publish::new(2, 5, &topic, "once");
        client.send(&publish.bytes(version));
        assert_eq!(client.ack(), Ack::plain(0x50, 5));
        client.cut();
        let (mut client, present) = field.kept(version, "lost");
        assert!(present);
        client.send(&publish.again().bytes(version));
        assert_eq!(client.ack(), Ack::plain(0x50, 5));
        client.send(&ack(0x62, 5));
        assert_eq!(client.ack(), Ack::plain(0x70, 5));
        client.cut();
        let (mut client, _) = field.kept(version, "lost");
        // The answer to a PUBREL may have been lost as well.
        client.send(&ack(0x62, 5));
        let answer = client.ack();
        assert_eq!((answer.head, answer.id), (0x70, 5));
        client.publish(0, &topic, "the end");
        witness.takes("once");
        witness.takes("the end");
        field.client(version, "lost").goodbye();
    }
}

#[test]
fn a_pubrel_of_an_unknown_id_is_answered() {
    let field = Field::new();
    for version in BOTH {
        let mut client = field.client(version, "unknown");
        client.send(&ack(0x62, 77));
        let answer = client.ack();
        assert_eq!((answer.head, answer.id), (0x70, 77));
        assert_eq!(answer.code, if version == Version::V5 { 0x92 } else { 0 });
    }
}

/// A kept subscriber with this QoS, and somebody who publishes to it.
fn subscriber(field: &Field, version: Version, topic: &str, qos: u8) -> (Client, Client) {
    field.client(version, "subscriber").goodbye();
    let (mut subscriber, _) = field.kept(version, "subscriber");
    assert_eq!(subscriber.subscribe(&[(topic, qos)]), [qos]);
    (subscriber, field.client(version, "publisher"))
}

#[test]
fn a_message_to_a_client_is_unacknowledged_until_its_puback() {
    let field = Field::new();
    for version in BOTH {
        let topic = field.topic("puback");
        let (mut client, mut publisher) = subscriber(&field, version, &topic, 1);
        publisher.publish(1, &topic, "first");
        publisher.publish(1, &topic, "second");
        let [first, second] = [client.message(), client.message()];
        assert!(first.id > 0 && second.id > 0 && first.id != second.id);
        assert!(!first.dup && !second.dup);
        client.send(&ack(0x40, first.id));
        client.is_quiet();
        client.cut();
        let (mut client, present) = field.kept(version, "subscriber");
        assert!(present);
        let again = client.message();
        assert_eq!(again, Delivery { dup: true, ..second });
        client.send(&ack(0x40, again.id));
        client.is_quiet();
        client.cut();
        let (mut client, _) = field.kept(version, "subscriber");
        client.is_quiet();
    }
}

#[test]
fn a_message_of_qos_2_to_a_client_takes_its_four_packets() {
    let field = Field::new();
    for version in BOTH {
        let topic = field.topic("pubrec");
        let (mut client, mut publisher) = subscriber(&field, version, &topic, 2);
        publisher.publish(2, &topic, "exactly");
        let first = client.message();
        assert_eq!((first.qos, first.dup), (2, false));
        assert!(first.id > 0);
        client.cut();
        // Not received yet: it comes again.
        let (mut client, _) = field.kept(version, "subscriber");
        let again = client.message();
        assert_eq!(again, Delivery { dup: true, ..first.clone() });
        client.send(&ack(0x50, first.id));
        assert_eq!(client.ack(), Ack::plain(0x62, first.id));
        client.cut();
        // Received: the PUBREL comes again, the message never more.
        let (mut client, _) = field.kept(version, "subscriber");
        assert_eq!(client.ack(), Ack::plain(0x62, first.id));
        client.send(&ack(0x70, first.id));
        client.is_quiet();
        client.cut();
        let (mut client, _) = field.kept(version, "subscriber");
        client.is_quiet();
    }
}

#[test]
fn what_was_not_acknowledged_comes_again_in_its_order() {
    let field = Field::new();
    for version in BOTH {
        let topic = field.topic("order");
        let (mut client, mut publisher) = subscriber(&field, version, &topic, 2);
        for number in 0..12 {
            publisher.publish(if number % 3 == 0 { 2 } else { 1 }, &topic, &format!("{number}"));
        }
        let first: Vec<Delivery> = (0..12).map(|_| client.message()).collect();
        client.cut();
        let (mut client, _) = field.kept(version, "subscriber");
        for delivery in first {
            assert_eq!(client.message(), Delivery { dup: true, ..delivery });
        }
        client.is_quiet();
    }
}

#[test]
fn nothing_is_sent_again_on_a_living_connection() {
    let field = Field::new();
    for version in BOTH {
        let topic = field.topic("patience");
        let (mut client, mut publisher) = subscriber(&field, version, &topic, 2);
        publisher.publish(1, &topic, "one");
        publisher.publish(2, &topic, "two");
        let [_, _] = [client.message(), client.message()];
        client.is_silent_for(Duration::from_millis(1_500));
        client.is_quiet();
    }
}

#[test]
fn a_refusal_of_the_client_counts_as_received() {
    let field = Field::new();
    let topic = field.topic("refused");
    for (qos, head) in [(1, 0x40), (2, 0x50)] {
        let (mut client, mut publisher) = subscriber(&field, Version::V5, &topic, qos);
        publisher.publish(qos, &topic, "unwanted");
        let delivery = client.message();
        client.send(&ack_with(head, delivery.id, 0x83));
        client.is_quiet();
        client.cut();
        let (mut client, present) = field.kept(Version::V5, "subscriber");
        assert!(present);
        client.is_quiet();
        publisher.publish(qos, &topic, "wanted");
        client.takes("wanted");
    }
}

#[test]
fn the_dup_flag_of_the_sender_is_not_passed_on() {
    let field = Field::new();
    for version in BOTH {
        let mut witness = field.witness(2);
        let mut client = field.client(version, "dup");
        for qos in [1, 2] {
            client.put(&Publish::new(qos, 9, &field.topic("dup"), "x").again());
            assert!(!witness.take().dup);
        }
    }
}

#[test]
fn a_topic_keeps_the_order_of_its_messages() {
    let field = Field::new();
    let topic = field.topic("ordered");
    for version in BOTH {
        for qos in [0, 1, 2] {
            let mut client = field.client(version, "ordered");
            assert_eq!(client.subscribe(&[(&topic, qos)]), [qos]);
            let mut publisher = field.client(version, "publisher");
            for number in 0..40 {
                publisher.publish(qos, &topic, &format!("{number}"));
            }
            for number in 0..40 {
                client.takes(&format!("{number}"));
            }
        }
    }
}

#[test]
fn acknowledgements_come_in_the_order_of_their_messages() {
    let field = Field::new();
    let topic = field.topic("acks");
    for version in BOTH {
        let mut client = field.client(version, "acks");
        for (qos, head) in [(1, 0x40), (2, 0x50)] {
            let ids = 100..140_u16;
            let all: Vec<u8> = ids
                .clone()
                .flat_map(|id| Publish::new(qos, id, &topic, "x").bytes(version))
                .collect();
            client.send(&all);
            for id in ids.clone() {
                let ack = client.ack();
                assert_eq!((ack.head, ack.id), (head, id));
            }
            if qos == 2 {
                let all: Vec<u8> = ids.clone().flat_map(|id| ack(0x62, id)).collect();
                client.send(&all);
                for id in ids {
                    assert_eq!(client.ack(), Ack::plain(0x70, id));
                }
            }
        }
    }
}

#[test]
fn releases_come_in_the_order_of_their_pubrecs() {
    let field = Field::new();
    let topic = field.topic("releases");
    for version in BOTH {
        let mut client = field.client(version, "releases");
        assert_eq!(client.subscribe(&[(&topic, 2)]), [2]);
        let mut publisher = field.client(version, "publisher");
        for number in 0..20 {
            publisher.publish(2, &topic, &format!("{number}"));
        }
        let ids: Vec<u16> = (0..20).map(|_| client.message().id).collect();
        client.send(&ids.iter().flat_map(|id| ack(0x50, *id)).collect::<Vec<u8>>());
        for id in &ids {
            assert_eq!(client.ack(), Ack::plain(0x62, *id));
        }
        client.send(&ids.iter().flat_map(|id| ack(0x70, *id)).collect::<Vec<u8>>());
        client.is_quiet();
    }
}

#[test]
fn the_qos_of_a_delivery_is_the_smaller_of_both() {
    let field = Field::new();
    for version in BOTH {
        for granted in [0, 1, 2] {
            let topic = field.topic(&format!("granted/{granted}"));
            let mut client = field.client(version, "granted");
            assert_eq!(client.subscribe(&[(&topic, granted)]), [granted]);
            let mut publisher = field.client(version, "publisher");
            for sent in [0, 1, 2] {
                publisher.publish(sent, &topic, "x");
                let delivery = client.take();
                assert_eq!(delivery.qos, sent.min(granted), "{sent} to {granted}");
            }
        }
    }
}

#[test]
fn the_packet_ids_of_both_directions_are_independent() {
    let field = Field::new();
    for version in BOTH {
        let topic = field.topic("directions");
        let mut client = field.client(version, "directions");
        assert_eq!(client.subscribe(&[(&topic, 2)]), [2]);
        field.client(version, "publisher").publish(2, &topic, "theirs");
        // One exchange in each direction under the same id, step by step.
        let id = client.message().id;
        client.send(&Publish::new(2, id, &field.topic("mine"), "mine").bytes(version));
        assert_eq!(client.ack(), Ack::plain(0x50, id));
        client.send(&ack(0x50, id));
        assert_eq!(client.ack(), Ack::plain(0x62, id));
        client.send(&ack(0x62, id));
        assert_eq!(client.ack(), Ack::plain(0x70, id));
        client.send(&ack(0x70, id));
        client.is_quiet();
        client.cut();
    }
}

#[test]
fn a_message_where_the_device_may_not_speak_is_refused() {
    let (field, other) = (Field::new(), Field::new());
    let topic = other.device.up("event");
    for (qos, head) in [(1, 0x40), (2, 0x50)] {
        let mut client = field.client(Version::V5, "foreign");
        for _ in 0..2 {
            // The id is free at once: the refusal ended the exchange.
            client.send(&Publish::new(qos, 3, &topic, "x").bytes(Version::V5));
            let answer = client.ack();
            assert_eq!((answer.head, answer.id, answer.code), (head, 3, 0x87));
        }
        client.is_quiet();
        let mut client = field.client(Version::V311, "foreign");
        client.send(&Publish::new(qos, 3, &topic, "x").bytes(Version::V311));
        assert_eq!(client.next(), Err(End::Closed));
    }
    let mut client = field.client(Version::V5, "foreign");
    client.send(&Publish::new(0, 0, &topic, "x").bytes(Version::V5));
    client.is_quiet();
}

#[test]
fn acknowledgements_say_no_words_where_none_are_wanted() {
    let (field, other) = (Field::new(), Field::new());
    let topic = other.device.up("event");
    let unwanted = property::byte(property::REQUEST_PROBLEM_INFORMATION, 0);
    let no_room = property::four(property::MAXIMUM_PACKET_SIZE, 120);
    for (limit, what) in [(unwanted, "unwanted"), (no_room, "no room")] {
        let (mut client, _) =
            Client::connect(&field, &field.greeting(Version::V5, "words").with(limit));
        for (qos, topic) in [(1, &topic), (2, &topic), (1, &field.device.up("wave/x"))] {
            client.send(&Publish::new(qos, 3, topic, "no wave").bytes(Version::V5));
            let packet = client.packet().unwrap();
            assert!(packet.body.len() + 2 <= 120, "{what}: {packet:?}");
            let Said::Ack(ack) = super::client::read(Version::V5, &packet) else {
                panic!("{packet:?}")
            };
            assert!(ack.code >= 0x80);
            assert!(what == "no room" || ack.properties.0.is_empty(), "{what}: {ack:?}");
        }
        client.send(&Subscribe::new(4, &[(&topic, 1)]).bytes(Version::V5));
        let packet = client.packet().unwrap();
        // A packet id, no properties, one code.
        assert_eq!(packet.body, [0, 4, 0, 0x87]);
    }
}
