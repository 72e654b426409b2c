//! Chapters 3.8 to 3.11 and 4.7: subscriptions, their options, their end, and which
//! topics a filter matches.

use super::packets::ack;
use super::*;

#[test]
fn a_subscribe_is_answered_filter_by_filter_in_one_packet() {
    let (field, other) = (Field::new(), Field::new());
    for version in BOTH {
        let refused = if version == Version::V5 { 0x87 } else { 0x80 };
        let invalid = if version == Version::V5 { 0x8f } else { 0x80 };
        let mut client = field.client(version, "filters");
        let [a, b, c] = ["a", "b", "c"].map(|leaf| field.topic(leaf));
        let (foreign, wrong) = (other.device.down("#"), field.topic("a/#/b"));
        let subscribe =
            Subscribe::new(0xbeef, &[(&a, 0), (&foreign, 2), (&b, 1), (&wrong, 1), (&c, 2)]);
        client.send(&subscribe.bytes(version));
        let Said::Suback { id, codes } = client.hear() else { panic!("no SUBACK") };
        assert_eq!((id, &codes[..]), (0xbeef, &[0, refused, 1, invalid, 2][..]));
        // The good ones hold although others were refused.
        for (topic, qos) in [(&a, 0), (&b, 1), (&c, 2)] {
            field.client(version, "publisher").publish(2, topic, "x");
            let delivery = client.take();
            assert_eq!((&delivery.topic, delivery.qos), (topic, qos));
        }
    }
}

#[test]
fn the_same_filter_again_replaces_the_subscription() {
    let field = Field::new();
    let topic = field.topic("replaced");
    for version in BOTH {
        let mut client = field.client(version, "replaced");
        let mut publisher = field.client(version, "publisher");
        for qos in [2, 0, 1] {
            assert_eq!(client.subscribe(&[(&topic, qos)]), [qos]);
            publisher.publish(2, &topic, "once");
            assert_eq!(client.take().qos, qos);
        }
        publisher.publish(0, &topic, "the end");
        client.takes("the end");
    }
}

#[test]
fn replacing_a_subscription_sends_the_retained_again_and_loses_nothing() {
    let field = Field::new();
    let topic = field.topic("kept");
    for version in BOTH {
        let mut publisher = field.client(version, "publisher");
        publisher.put(&Publish::new(1, 1, &topic, "kept").retained());
        let mut client = field.client(version, "replaces");
        for id in 1..=3_u16 {
            publisher.publish(1, &topic, &format!("before {id}"));
            client.send(&Subscribe::new(id, &[(&topic, 1)]).bytes(version));
            publisher.publish(1, &topic, &format!("after {id}"));
        }
        // Nothing says in which order the answer, the retained message and new ones come.
        let (mut heard, mut answers) = (Vec::<String>::new(), 0);
        let count =
            |heard: &[String], wanted: &str| heard.iter().filter(|it| *it == wanted).count();
        while answers < 3 || count(&heard, "kept") < 3 || count(&heard, "after 3") < 1 {
            match client.hear() {
                Said::Suback { codes, .. } => {
                    assert_eq!(codes, [1]);
                    answers += 1;
                }
                Said::Publish(delivery) => {
                    client.send(&ack(0x40, delivery.id));
                    heard.push(delivery.payload);
                }
                other => panic!("{other:?}"),
            }
        }
        client.is_quiet();
        assert_eq!(count(&heard, "kept"), 3, "{heard:?}");
        assert_eq!(count(&heard, "before 1"), 0, "{heard:?}");
        for payload in ["before 2", "before 3", "after 3"] {
            assert_eq!(count(&heard, payload), 1, "{payload} in {heard:?}");
        }
        publisher.put(&Publish::new(1, 1, &topic, "").retained());
    }
}

#[test]
fn overlapping_subscriptions_deliver_with_the_highest_qos() {
    let field = Field::new();
    for version in BOTH {
        let mut client = field.client(version, "overlap");
        let (narrow, wide) = (field.topic("over/lap"), field.topic("over/#"));
        let middle = field.topic("over/+");
        let codes = client.subscribe(&[(&narrow, 0), (&wide, 2), (&middle, 1)]);
        assert_eq!(codes, [0, 2, 1]);
        field.client(version, "publisher").publish(2, &narrow, "x");
        assert_eq!(client.take().qos, 2);
        field.client(version, "publisher").publish(1, &field.topic("over/lap/x"), "the end");
        client.takes("the end");
    }
}

#[test]
fn a_delivery_names_every_subscription_that_it_matches() {
    let field = Field::new();
    let mut client = field.client(Version::V5, "ids");
    let (narrow, wide, plain) = (field.topic("id/x"), field.topic("id/#"), field.topic("+/x"));
    let id = |number| property::var(property::SUBSCRIPTION_ID, number);
    assert_eq!(client.subscribe_with(&[(&narrow, 1)], &id(7)), [1]);
    assert_eq!(client.subscribe_with(&[(&wide, 0)], &id(268_435_455)), [0]);
    assert_eq!(client.subscribe_with(&[(&plain, 1)], &[]), [1]);
    let mut publisher = field.client(Version::V5, "publisher");
    publisher.publish(1, &narrow, "x");
    let ids = |delivery: &Delivery| {
        let ids = delivery.properties.all(property::SUBSCRIPTION_ID);
        let ids = ids.iter().map(|id| u32::from_be_bytes((*id).try_into().unwrap()));
        let mut ids: Vec<u32> = ids.collect();
        ids.sort_unstable();
        ids
    };
    assert_eq!(ids(&client.take()), [7, 268_435_455]);
    // A new subscription without an id takes the old id away.
    assert_eq!(client.subscribe_with(&[(&narrow, 1)], &[]), [1]);
    publisher.publish(1, &narrow, "x");
    assert_eq!(ids(&client.take()), [268_435_455]);
    publisher.publish(1, &field.topic("other/x"), "x");
    assert_eq!(ids(&client.take()), [0; 0]);
}

#[test]
fn no_local_keeps_a_clients_own_messages_from_it() {
    let field = Field::new();
    let topic = field.topic("local");
    let mut client = field.client(Version::V5, "local");
    assert_eq!(client.subscribe(&[(&topic, 1 | Subscribe::NO_LOCAL)]), [1]);
    client.publish(1, &topic, "my own");
    field.client(Version::V5, "publisher").publish(1, &topic, "somebody else's");
    client.takes("somebody else's");
    // Without the option they come back.
    assert_eq!(client.subscribe(&[(&topic, 0)]), [0]);
    client.publish(0, &topic, "my own again");
    client.takes("my own again");
    // 3.1.1 has no such option.
    let mut client = field.client(Version::V311, "local");
    assert_eq!(client.subscribe(&[(&topic, 0)]), [0]);
    client.publish(0, &topic, "of 3.1.1");
    client.takes("of 3.1.1");
}

#[test]
fn an_unsubscribe_is_answered_whether_or_not_there_was_something_to_end() {
    let field = Field::new();
    for version in BOTH {
        let mut client = field.client(version, "ends");
        let [a, b, c] = ["a", "b", "c"].map(|leaf| field.topic(leaf));
        assert_eq!(client.subscribe(&[(&a, 1), (&b, 1), (&c, 1)]), [1, 1, 1]);
        let codes = client.unsubscribe(&[&c, &field.topic("never"), &a]);
        assert_eq!(codes, if version == Version::V5 { vec![0, 0x11, 0] } else { Vec::new() });
        let mut publisher = field.client(version, "publisher");
        for topic in [&a, &c, &b] {
            publisher.publish(1, topic, topic);
        }
        client.takes(&b);
        assert_eq!(client.unsubscribe(&[&a]).first().copied().unwrap_or(0x11), 0x11);
    }
}

#[test]
fn a_filter_is_ended_by_the_same_characters_alone() {
    let field = Field::new();
    for version in BOTH {
        let mut client = field.client(version, "same");
        let wide = field.topic("same/#");
        assert_eq!(client.subscribe(&[(&wide, 1)]), [1]);
        // What it matches, what is equal but for case, and what means the same do not end it.
        for other in ["same/a", "same/+", "Same/#", "same//#", "same"] {
            let codes = client.unsubscribe(&[&field.topic(other)]);
            assert!(codes.iter().all(|code| *code == 0x11), "{other} ended it");
        }
        let mut publisher = field.client(version, "publisher");
        publisher.publish(1, &field.topic("same/a"), "still here");
        client.takes("still here");
        client.unsubscribe(&[&wide]);
        publisher.publish(1, &field.topic("same/a"), "gone");
        client.is_quiet();
    }
}

#[test]
fn an_end_of_a_subscription_lets_what_was_begun_come_to_its_end() {
    let field = Field::new();
    let topic = field.topic("begun");
    for version in BOTH {
        let (mut client, _) = field.kept(version, "begun");
        assert_eq!(client.subscribe(&[(&topic, 2)]), [2]);
        let mut publisher = field.client(version, "publisher");
        publisher.publish(1, &topic, "one");
        publisher.publish(2, &topic, "two");
        let [one, two] = [client.message(), client.message()];
        client.unsubscribe(&[&topic]);
        publisher.publish(1, &topic, "three");
        client.send(&ack(0x50, two.id));
        assert_eq!(client.ack(), Ack::plain(0x62, two.id));
        client.is_quiet();
        client.cut();
        let (mut client, _) = field.kept(version, "begun");
        let again = client.message();
        assert_eq!(again, Delivery { dup: true, ..one });
        client.send(&ack(0x40, again.id));
        assert_eq!(client.ack(), Ack::plain(0x62, two.id));
        client.send(&ack(0x70, two.id));
        client.is_quiet();
        field.client(version, "begun").goodbye();
    }
}

#[test]
fn filters_match_the_topics_that_the_standard_says() {
    let field = Field::new();
    let rows: [(&str, &[&str], &[&str]); 8] = [
        (
            "sport/tennis/#",
            &["sport/tennis", "sport/tennis/a", "sport/tennis/a/b"],
            &["sport", "sport/tennisx"],
        ),
        ("sport/+", &["sport/", "sport/a"], &["sport", "sport/a/b"]),
        ("+/a", &["sport/a", "/a"], &["a", "sport/a/b"]),
        ("+/+", &["/a", "a/", "/"], &["a", "a/b/c"]),
        ("a/+/c", &["a/b/c", "a//c"], &["a/c", "a/b/d/c"]),
        ("+", &["a"], &["a/b", "/a"]),
        ("Case/ Space", &["Case/ Space"], &["case/ space", "Case/Space", "Case/ Space/"]),
        ("a/é", &["a/\u{e9}"], &["a/e\u{301}", "a/e"]),
    ];
    for version in BOTH {
        let mut publisher = field.client(version, "publisher");
        for (filter, matching, others) in rows {
            let mut client = field.client(version, "matches");
            assert_eq!(client.subscribe(&[(&field.topic(filter), 0)]), [0]);
            assert_eq!(client.subscribe(&[(&field.topic("the/end"), 0)]), [0]);
            for topic in others.iter().chain(matching) {
                publisher.publish(0, &field.topic(topic), "x");
            }
            publisher.publish(0, &field.topic("the/end"), "x");
            for topic in matching.iter().chain(&["the/end"]) {
                assert_eq!(client.take().topic, field.topic(topic), "of {filter}");
            }
        }
    }
}

#[test]
fn filters_that_are_not_well_formed_are_refused() {
    let field = Field::new();
    for version in BOTH {
        let mut client = field.client(version, "invalid");
        for filter in ["a#", "a/#/b", "#/a", "a+", "a/+b", "+a/b", "##", "a/++"] {
            let codes = client.subscribe(&[(&field.topic(filter), 1)]);
            assert!(matches!(codes[..], [0x80 | 0x8f]), "{filter}: {codes:?}");
        }
        let codes = client.subscribe(&[("", 1)]);
        assert!(matches!(codes[..], [0x80 | 0x8f]), "an empty filter: {codes:?}");
    }
}

/// No device may subscribe to everything here, so that a filter which begins with a
/// wildcard is refused and matches no topic at all, those that begin with `$` included.
#[test]
fn a_filter_that_begins_with_a_wildcard_matches_no_topic_with_a_dollar() {
    let field = Field::new();
    for version in BOTH {
        let mut client = field.client(version, "dollar");
        for filter in ["#", "+/#", "+/+"] {
            let codes = client.subscribe(&[(filter, 1)]);
            assert!(matches!(codes[..], [0x80 | 0x87]), "{filter}: {codes:?}");
        }
    }
}

#[test]
fn a_plain_device_hears_its_own_topics_and_nobody_elses() {
    let field = Field::new();
    let (device, other) = (field.plain(), field.plain());
    for version in BOTH {
        let refused = if version == Version::V5 { 0x87 } else { 0x80 };
        let mut client = device.client(version, "hears");
        let own = device.device.up("raw/#");
        let shared = format!("$share/name/{own}");
        let foreign = other.device.up("raw/#");
        let all = [
            (&*own, 1),
            (&shared, 1),
            (&foreign, 1),
            (&format!("$share/name/{foreign}"), 1),
            ("wl/1/+/+/up/#", 1),
            (&field.topic("#"), 1),
        ];
        assert_eq!(client.subscribe(&all), [1, 1, refused, refused, refused, refused]);
        assert!(client.unsubscribe(&[&shared]).iter().all(|code| *code == 0));
        other.client(version, "says").publish(1, &other.device.up("raw/xbee"), "not for it");
        device.client(version, "says").publish(1, &device.device.up("raw/xbee"), "for it");
        client.takes("for it");
    }
}
