//! Chapter 3.3.2.3.4: numbers for topics, in both directions.

use super::*;
use crate::wire::packet;

fn alias(number: u16) -> Vec<u8> {
    property::two(property::TOPIC_ALIAS, number)
}

fn granted(field: &Field) -> (Client, u16) {
    let (client, said) = Client::connect(field, &field.greeting(Version::V5, "alias"));
    let Said::Connack { properties, .. } = said else { panic!("{said:?}") };
    let max = properties.number(property::TOPIC_ALIAS_MAXIMUM).unwrap_or(0);
    (client, u16::try_from(max).unwrap())
}

#[test]
fn every_alias_up_to_the_maximum_is_learned_and_relearned() {
    let field = Field::new();
    let mut witness = field.witness(1);
    let (mut client, max) = granted(&field);
    assert!(max >= 1);
    for number in 1..=max {
        client
            .put(&Publish::new(1, 1, &field.topic(&format!("t{number}")), "x").with(alias(number)));
        assert_eq!(witness.take().topic, field.topic(&format!("t{number}")));
    }
    for number in (1..=max).rev() {
        client.put(&Publish::new(1, 1, "", "by its alias").with(alias(number)));
        assert_eq!(witness.take().topic, field.topic(&format!("t{number}")));
    }
    client.put(&Publish::new(2, 1, &field.topic("new"), "x").with(alias(1)));
    client.put(&Publish::new(0, 0, "", "x").with(alias(1)));
    for _ in 0..2 {
        assert_eq!(witness.take().topic, field.topic("new"));
    }
}

#[test]
fn an_alias_of_0_beyond_the_maximum_or_unknown_ends_the_connection() {
    let field = Field::new();
    let (_client, max) = granted(&field);
    let topic = field.topic("x");
    for (number, topic, codes) in
        [(0, topic.as_str(), &[0x94][..]), (max + 1, &topic, &[0x94]), (max, "", &[0x82, 0x94])]
    {
        let mut client = field.client(Version::V5, "alias");
        let publish = Publish::new(1, 1, topic, "x").with(alias(number));
        client.send(&publish.bytes(Version::V5));
        let Ok(Said::Disconnect { code, .. }) = client.next() else { panic!("alias {number}") };
        assert!(codes.contains(&code), "alias {number}: {code:#04x}");
        assert_eq!(client.next(), Err(End::Closed));
    }
}

#[test]
fn the_aliases_of_a_connection_end_with_it() {
    let field = Field::new();
    let (mut client, _) = field.kept(Version::V5, "ends");
    client.put(&Publish::new(1, 1, &field.topic("x"), "x").with(alias(1)));
    client.cut();
    let (mut client, present) = field.kept(Version::V5, "ends");
    assert!(present);
    client.send(&Publish::new(1, 1, "", "x").with(alias(1)).bytes(Version::V5));
    let Ok(Said::Disconnect { code, .. }) = client.next() else { panic!("it was carried over") };
    assert!(matches!(code, 0x82 | 0x94), "{code:#04x}");
}

#[test]
fn the_server_uses_no_alias_beyond_the_clients_maximum_and_none_without() {
    let field = Field::new();
    for max in [None, Some(0_u16), Some(1), Some(2)] {
        let mut connect = field.greeting(Version::V5, "maximum");
        if let Some(max) = max {
            connect = connect.with(property::two(property::TOPIC_ALIAS_MAXIMUM, max));
        }
        let (mut client, _) = Client::connect(&field, &connect);
        assert_eq!(client.subscribe(&[(&field.topic("#"), 1)]), [1]);
        let mut publisher = field.client(Version::V5, "publisher");
        let mut known: Vec<(u32, String)> = Vec::new();
        for leaf in ["a", "b", "c", "a", "b", "c"] {
            publisher.publish(1, &field.topic(leaf), "x");
            let delivery = client.take();
            let number = delivery.properties.number(property::TOPIC_ALIAS);
            assert!(number.is_none_or(|number| (1..=max.unwrap_or(0).into()).contains(&number)));
            let topic = match (delivery.topic.as_str(), number) {
                ("", Some(number)) => {
                    known.iter().rfind(|(it, _)| *it == number).unwrap().1.clone()
                }
                ("", None) => panic!("neither a topic nor an alias"),
                (topic, Some(number)) => {
                    known.push((number, topic.to_owned()));
                    topic.to_owned()
                }
                (topic, None) => topic.to_owned(),
            };
            assert_eq!(topic, field.topic(leaf));
        }
        let used = if max.unwrap_or(0) == 0 { 0 } else { usize::from(max.unwrap_or(0)) };
        assert_eq!(known.len(), used, "each alias is introduced once");
    }
}

#[test]
fn the_servers_aliases_end_with_the_connection() {
    let field = Field::new();
    let topic = field.topic("again");
    let connect = field
        .greeting(Version::V5, "again")
        .kept()
        .with(property::two(property::TOPIC_ALIAS_MAXIMUM, 4));
    let (mut client, _) = Client::connect(&field, &connect);
    assert_eq!(client.subscribe(&[(&topic, 1)]), [1]);
    let mut publisher = field.client(Version::V5, "publisher");
    for expected in [&topic, ""] {
        publisher.publish(1, &topic, "x");
        assert_eq!(client.take().topic, *expected);
    }
    client.cut();
    let (mut client, _) = Client::connect(&field, &connect);
    publisher.publish(1, &topic, "x");
    assert_eq!(client.take().topic, topic, "the new connection knows no alias");
    // An alias is an alias only as a whole property.
    let mut broken = field.client(Version::V5, "broken");
    broken.send(&packet(0x30, &[0, 0, 2, 0x23, 0]));
    broken.is_put_out(0x81);
}
