//! Chapter 4.8.2: subscriptions that share their messages.

use super::packets::{ack, ack_with};
use super::*;

fn shared(field: &Field, group: &str, leaf: &str) -> String {
    format!("$share/{group}/{}", field.topic(leaf))
}

#[test]
fn each_message_goes_to_one_member_of_a_group() {
    let field = Field::new();
    let filter = shared(&field, "ward", "work/#");
    let mut members: Vec<Client> =
        ["a", "b", "c"].iter().map(|suffix| field.client(Version::V5, suffix)).collect();
    for member in &mut members {
        assert_eq!(member.subscribe(&[(&filter, 1)]), [1]);
        assert_eq!(member.subscribe(&[(&field.topic("end"), 1)]), [1]);
    }
    let mut other = field.client(Version::V311, "other");
    assert_eq!(other.subscribe(&[(&shared(&field, "other", "work/+"), 1)]), [1]);
    assert_eq!(other.subscribe(&[(&field.topic("end"), 1)]), [1]);
    let mut publisher = field.client(Version::V5, "publisher");
    for number in 0..30 {
        publisher.publish(1, &field.topic("work/x"), &format!("{number}"));
    }
    publisher.publish(1, &field.topic("end"), "the end");
    let mut heard = Vec::new();
    for member in &mut members {
        loop {
            let delivery = member.take();
            if delivery.payload == "the end" {
                break;
            }
            assert_eq!(delivery.topic, field.topic("work/x"));
            heard.push(delivery.payload.parse::<u32>().unwrap());
        }
    }
    heard.sort_unstable();
    assert_eq!(heard, (0..30).collect::<Vec<u32>>(), "each of them once");
    // A group of its own has all of them.
    for number in 0..30 {
        other.takes(&format!("{number}"));
    }
    other.takes("the end");
}

#[test]
fn a_shared_filter_has_a_name_and_a_filter() {
    let field = Field::new();
    let topic = field.topic("x");
    for version in BOTH {
        for filter in [
            format!("$share//{topic}"),
            format!("$share/a+b/{topic}"),
            format!("$share/a#/{topic}"),
            "$share/name".to_owned(),
            "$share/name/".to_owned(),
            "$share/".to_owned(),
            "$share".to_owned(),
        ] {
            let mut client = field.client(version, "names");
            client.send(&Subscribe::new(1, &[(&filter, 1)]).bytes(version));
            // A client must not ask for it: a refusal and the end are both an answer.
            match client.next() {
                Ok(Said::Suback { codes, .. }) => {
                    assert!(matches!(codes[..], [0x80 | 0x87 | 0x8f]), "{filter}: {codes:?}");
                }
                Ok(Said::Disconnect { code: 0x81 | 0x82 | 0x8f, .. }) | Err(End::Closed) => {}
                other => panic!("{filter}: {other:?}"),
            }
        }
        let mut client = field.client(version, "names");
        assert_eq!(client.subscribe(&[(&shared(&field, "name", "x"), 1)]), [1]);
        client.publish(1, &topic, "heard");
        client.takes("heard");
        assert!(client.unsubscribe(&[&shared(&field, "name", "x")]).iter().all(|code| *code == 0));
        client.publish(1, &topic, "no more");
        client.is_quiet();
    }
}

#[test]
fn no_local_on_a_shared_subscription_is_a_protocol_error() {
    let field = Field::new();
    let mut client = field.client(Version::V5, "local");
    let subscribe = Subscribe::new(1, &[(&shared(&field, "name", "x"), 1 | Subscribe::NO_LOCAL)]);
    client.send(&subscribe.bytes(Version::V5));
    client.is_put_out(0x82);
}

#[test]
fn a_shared_subscription_grants_its_own_qos() {
    let field = Field::new();
    for granted in [0, 1, 2] {
        let mut client = field.client(Version::V5, "granted");
        let filter = shared(&field, &format!("g{granted}"), "x");
        assert_eq!(client.subscribe(&[(&filter, granted)]), [granted]);
        let mut publisher = field.client(Version::V5, "publisher");
        for sent in [0, 1, 2] {
            publisher.publish(sent, &field.topic("x"), "x");
            assert_eq!(client.take().qos, sent.min(granted));
        }
    }
}

#[test]
fn a_shared_subscription_is_sent_nothing_that_is_retained() {
    let field = Field::new();
    let topic = field.topic("kept");
    let mut publisher = field.client(Version::V5, "publisher");
    publisher.put(&Publish::new(1, 1, &topic, "kept").retained());
    let mut client = field.client(Version::V5, "shares");
    assert_eq!(client.subscribe(&[(&shared(&field, "name", "kept"), 1)]), [1]);
    publisher.publish(1, &topic, "new");
    client.takes("new");
    publisher.put(&Publish::new(1, 1, &topic, "").retained());
}

#[test]
fn a_message_of_qos_2_stays_with_its_member_until_it_comes_back() {
    let field = Field::new();
    let topic = field.topic("x");
    let filter = shared(&field, "name", "x");
    let (mut first, _) = field.kept(Version::V5, "first");
    assert_eq!(first.subscribe(&[(&filter, 2)]), [2]);
    let mut publisher = field.client(Version::V5, "publisher");
    publisher.publish(2, &topic, "begun");
    let begun = first.message();
    first.send(&ack(0x50, begun.id));
    assert_eq!(first.ack(), Ack::plain(0x62, begun.id));
    let mut second = field.client(Version::V5, "second");
    assert_eq!(second.subscribe(&[(&filter, 2)]), [2]);
    first.cut();
    second.is_quiet();
    let (mut first, _) = field.kept(Version::V5, "first");
    assert_eq!(first.ack(), Ack::plain(0x62, begun.id));
    first.send(&ack(0x70, begun.id));
    first.is_quiet();
    second.is_quiet();
    field.client(Version::V5, "first").goodbye();
}

#[test]
fn a_message_of_qos_2_ends_with_the_session_of_its_member() {
    let field = Field::new();
    let topic = field.topic("x");
    let filter = shared(&field, "name", "x");
    let (mut first, _) = field.kept(Version::V5, "first");
    assert_eq!(first.subscribe(&[(&filter, 2)]), [2]);
    let mut publisher = field.client(Version::V5, "publisher");
    publisher.publish(2, &topic, "begun");
    let begun = first.message();
    first.send(&ack(0x50, begun.id));
    assert_eq!(first.ack(), Ack::plain(0x62, begun.id));
    first.cut();
    let mut second = field.client(Version::V5, "second");
    assert_eq!(second.subscribe(&[(&filter, 2)]), [2]);
    field.client(Version::V5, "first").goodbye();
    publisher.publish(2, &topic, "the next");
    second.takes("the next");
}

#[test]
fn a_message_that_a_member_refuses_goes_to_nobody_else() {
    let field = Field::new();
    let filter = shared(&field, "name", "x");
    let mut members = [field.client(Version::V5, "a"), field.client(Version::V5, "b")];
    for (qos, head) in [(1, 0x40), (2, 0x50)] {
        for member in &mut members {
            assert_eq!(member.subscribe(&[(&filter, qos)]), [qos]);
            assert_eq!(member.subscribe(&[(&field.topic("end"), 1)]), [1]);
        }
        let mut publisher = field.client(Version::V5, "publisher");
        publisher.publish(qos, &field.topic("x"), "refused");
        publisher.publish(1, &field.topic("end"), "the end");
        let mut seen = 0;
        for member in &mut members {
            loop {
                let delivery = member.message();
                if delivery.payload == "the end" {
                    member.send(&ack(0x40, delivery.id));
                    break;
                }
                seen += 1;
                member.send(&ack_with(head, delivery.id, 0x83));
            }
        }
        assert_eq!(seen, 1);
        for member in &mut members {
            member.is_quiet();
        }
    }
}
