//! Chapters 3.1.2.11, 3.3.4 and 4.9: how much may be on its way, in both directions.

use super::packets::ack;
use super::*;

#[test]
fn a_client_is_put_out_if_it_sends_more_than_the_receive_maximum() {
    let field = Field::new();
    let topic = field.topic("many");
    let mut client = field.client(Version::V5, "many");
    let send = |client: &mut Client, ids: std::ops::RangeInclusive<u16>| {
        let all = ids.flat_map(|id| Publish::new(2, id, &topic, "x").bytes(Version::V5));
        client.send(&all.collect::<Vec<u8>>());
    };
    // Unfinished at the limit, each one with its PUBREC: all is well.
    send(&mut client, 1..=64);
    for id in 1..=64 {
        let ack = client.ack();
        assert_eq!((ack.head, ack.id), (0x50, id));
    }
    client.is_quiet();
    // A finished one makes room for another one.
    client.send(&ack(0x62, 1));
    assert_eq!(client.ack(), Ack::plain(0x70, 1));
    send(&mut client, 65..=65);
    assert_eq!((client.ack().head, 65), (0x50, 65));
    send(&mut client, 66..=66);
    client.is_put_out(0x93);
}

#[test]
fn a_client_of_3_1_1_has_no_receive_maximum() {
    let field = Field::new();
    let topic = field.topic("many");
    let mut client = field.client(Version::V311, "many");
    let ids = 1..=200_u16;
    let send = |client: &mut Client, packets: Vec<Vec<u8>>| client.send(&packets.concat());
    let publish = |qos| ids.clone().map(move |id| Publish::new(qos, id, "", "x"));
    let named = |publish: Publish| Publish { topic: topic.clone().into(), ..publish };
    send(&mut client, publish(1).map(|it| named(it).bytes(Version::V311)).collect());
    for id in ids.clone() {
        assert_eq!(client.ack(), Ack::plain(0x40, id));
    }
    // All are received before the first one is released.
    send(&mut client, publish(2).map(|it| named(it).bytes(Version::V311)).collect());
    for id in ids.clone() {
        assert_eq!(client.ack(), Ack::plain(0x50, id));
    }
    send(&mut client, ids.clone().map(|id| ack(0x62, id)).collect());
    for id in ids {
        assert_eq!(client.ack(), Ack::plain(0x70, id));
    }
}

#[test]
fn the_server_sends_no_more_than_the_clients_receive_maximum() {
    let field = Field::new();
    let topic = field.topic("few");
    for (qos, max) in [(1, 1_u16), (1, 3), (2, 1), (2, 3)] {
        let connect =
            field.greeting(Version::V5, "few").with(property::two(property::RECEIVE_MAXIMUM, max));
        let (mut client, _) = Client::connect(&field, &connect);
        assert_eq!(client.subscribe(&[(&topic, qos)]), [qos]);
        let mut publisher = field.client(Version::V5, "publisher");
        for number in 0..8 {
            publisher.publish(qos, &topic, &format!("{number}"));
        }
        publisher.publish(0, &topic, "without a quota");
        let mut open: Vec<u16> = Vec::new();
        let mut heard = 0;
        while heard < 8 {
            while open.len() < max.into() && heard < 8 {
                match client.hear() {
                    Said::Publish(Delivery { qos: 0, .. }) => continue,
                    Said::Publish(delivery) => open.push(delivery.id),
                    other => panic!("{other:?}"),
                }
                heard += 1;
            }
            // The quota is used up: other packets are answered, no message comes but of QoS 0.
            client.send(&[0xc0, 0]);
            loop {
                match client.hear() {
                    Said::Pong => break,
                    Said::Publish(Delivery { qos: 0, .. }) => {}
                    other => panic!("{other:?} with {} open", open.len()),
                }
            }
            finish(&mut client, qos, open.remove(0));
        }
    }
}

/// Acknowledges a message to its end.
fn finish(client: &mut Client, qos: u8, id: u16) {
    if qos == 1 {
        client.send(&ack(0x40, id));
        return;
    }
    client.send(&ack(0x50, id));
    // Of messages nothing may come here: a PUBREC does not make room.
    assert_eq!(client.hear(), Said::Ack(Ack::plain(0x62, id)));
    client.send(&ack(0x70, id));
}

#[test]
fn subscriptions_and_pings_are_answered_while_the_quota_is_used_up() {
    let field = Field::new();
    let topic = field.topic("full");
    let connect =
        field.greeting(Version::V5, "full").with(property::two(property::RECEIVE_MAXIMUM, 1));
    let (mut client, _) = Client::connect(&field, &connect);
    assert_eq!(client.subscribe(&[(&topic, 1)]), [1]);
    let mut publisher = field.client(Version::V5, "publisher");
    publisher.publish(1, &topic, "first");
    publisher.publish(1, &topic, "second");
    let first = client.message();
    client.is_quiet();
    assert_eq!(client.subscribe(&[(&field.topic("other"), 0)]), [0]);
    assert_eq!(client.unsubscribe(&[&field.topic("other")]), [0]);
    client.publish(1, &field.topic("mine"), "mine");
    client.publish(2, &field.topic("mine"), "mine");
    client.send(&ack(0x40, first.id));
    client.takes("second");
}

#[test]
fn a_packet_beyond_the_announced_size_ends_the_connection() {
    let field = Field::new();
    let topic = field.topic("large");
    let size = 256 * 1024;
    // A fixed header of four bytes, the topic, a property length.
    let room = size - 4 - 2 - topic.len() - 1;
    let mut client = field.client(Version::V5, "large");
    client.send(&Publish::new(0, 0, &topic, &"x".repeat(room)).bytes(Version::V5));
    client.is_quiet();
    client.send(&Publish::new(0, 0, &topic, &"x".repeat(room + 1)).bytes(Version::V5));
    client.is_put_out(0x95);
}

#[test]
fn a_packet_that_is_too_large_for_its_client_is_left_out() {
    let field = Field::new();
    let topic = field.topic("small");
    for qos in [0, 1, 2] {
        let connect = field
            .greeting(Version::V5, "small")
            .with(property::two(property::RECEIVE_MAXIMUM, 1))
            .with(property::four(property::MAXIMUM_PACKET_SIZE, 400));
        let (mut client, _) = Client::connect(&field, &connect);
        let mut other = field.client(Version::V5, "large");
        for client in [&mut client, &mut other] {
            assert_eq!(client.subscribe(&[(&topic, qos)]), [qos]);
        }
        let mut publisher = field.client(Version::V5, "publisher");
        publisher.publish(qos, &topic, &"x".repeat(400));
        publisher.publish(qos, &topic, "it fits");
        // Left out as if it had been sent and answered: it holds no place of the quota.
        client.takes("it fits");
        assert_eq!(other.take().payload.len(), 400, "the others have it all the same");
    }
}
