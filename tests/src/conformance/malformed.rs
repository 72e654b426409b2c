//! Chapters 1.5 and 2: what is not well-formed ends the connection, whatever packet it is in.

use super::packets::{ack, blob, unsubscribe};
use super::*;
use crate::wire::{packet, text};

/// Sends bytes on an open connection, which must end; MQTT 5 says why.
fn ends(field: &Field, version: Version, bytes: &[u8], what: &str) {
    let mut client = field.client(version, "malformed");
    client.send(bytes);
    match (version, client.next()) {
        (Version::V311, Err(End::Closed)) => return,
        (Version::V5, Ok(Said::Disconnect { code, .. })) => {
            let known = matches!(code, 0x81 | 0x82 | 0x8f | 0x90 | 0x94 | 0x99);
            assert!(known, "{what}: code {code:#04x}");
        }
        (_, other) => panic!("{what} in {version:?}: {other:?}"),
    }
    assert_eq!(client.next(), Err(End::Closed), "{what}");
}

/// Texts that no receiver may take.
const BAD_TEXTS: [(&[u8], &str); 5] = [
    (&[b'a', 0xff, b'b'], "a byte that is not UTF-8"),
    (&[b'a', 0xc3], "a character that is cut off"),
    (&[0xed, 0xa0, 0x80], "a surrogate"),
    (&[0xc0, 0x80], "an overlong U+0000"),
    (&[b'a', 0, b'b'], "U+0000"),
];

#[test]
fn texts_are_utf_8_without_u_0000_in_every_packet() {
    let field = Field::new();
    for (bad, what) in BAD_TEXTS {
        for version in BOTH {
            let mut topic = field.topic("").into_bytes();
            topic.extend(bad);
            let publish = Publish { topic: topic.clone(), ..Publish::new(1, 1, "", "x") };
            ends(&field, version, &publish.bytes(version), &format!("{what} in a topic"));
            let subscribe =
                Subscribe { filters: vec![(topic.clone(), 0)], ..Subscribe::new(1, &[]) };
            ends(&field, version, &subscribe.bytes(version), &format!("{what} in a filter"));
            let none: &[u8] = if version == Version::V5 { &[0] } else { &[] };
            let bytes = packet(0xa2, &[&[0, 1][..], none, &blob(&topic)].concat());
            ends(&field, version, &bytes, &format!("{what} in a filter to end"));
        }
    }
}

#[test]
fn texts_of_a_connect_are_utf_8_without_u_0000() {
    let field = Field::new();
    for (bad, what) in BAD_TEXTS {
        for version in BOTH {
            let plain = field.greeting(version, "texts");
            let will = Will { topic: bad.to_vec(), ..Will::new("", "x") };
            let user = Connect { user: Some(bad.to_vec()), ..plain.clone() };
            for connect in [plain.will(will), user] {
                let (_client, said) = Client::try_connect(&field, &connect);
                let is_let_in = matches!(said, Ok(Said::Connack { code: 0, .. }));
                assert!(!is_let_in, "{what} in {version:?}");
            }
        }
    }
}

#[test]
fn texts_of_properties_are_utf_8_without_u_0000() {
    let field = Field::new();
    for (bad, what) in BAD_TEXTS {
        for id in [property::CONTENT_TYPE, property::RESPONSE_TOPIC] {
            let publish = Publish::new(1, 1, &field.topic("texts"), "x");
            let publish = publish.with(property::bytes(id, bad));
            ends(&field, Version::V5, &publish.bytes(Version::V5), &format!("{what} in {id:#04x}"));
        }
        for pair in [[blob(bad), text("value")], [text("name"), blob(bad)]] {
            let pair = [vec![property::USER_PROPERTY], pair.concat()].concat();
            let publish = Publish::new(1, 1, &field.topic("texts"), "x").with(pair);
            ends(&field, Version::V5, &publish.bytes(Version::V5), &format!("{what} in a pair"));
        }
    }
}

#[test]
fn a_byte_order_mark_is_a_character_like_any_other() {
    let field = Field::new();
    for version in BOTH {
        let mut client = field.client(version, "mark");
        let topic = field.topic("\u{feff}mark\u{feff}");
        assert_eq!(client.subscribe(&[(&topic, 0)]), [0]);
        client.publish(0, &field.topic("mark"), "without it");
        client.publish(0, &topic, "with it");
        let delivery = client.take();
        assert_eq!((delivery.topic, delivery.payload.as_str()), (topic, "with it"));
    }
}

#[test]
fn lengths_take_as_few_bytes_as_they_can() {
    let field = Field::new();
    let topic = field.topic("lengths");
    for version in BOTH {
        let mut client = field.client(version, "lengths");
        assert_eq!(client.subscribe(&[(&topic, 0)]), [0]);
        // Around the places where one more byte begins; the reader counts them.
        let overhead = topic.len() + 2 + usize::from(version == Version::V5);
        for len in [126, 127, 128, 129, 16_382, 16_383, 16_384, 16_385, 100_000] {
            let payload = "x".repeat(len - overhead);
            client.publish(0, &topic, &payload);
            assert_eq!(client.take().payload.len(), payload.len());
        }
    }
}

#[test]
fn a_length_of_more_than_four_bytes_ends_the_connection() {
    let field = Field::new();
    for version in BOTH {
        ends(&field, version, &[0x30, 0x80, 0x80, 0x80, 0x80, 0x01], "five bytes of length");
    }
}

#[test]
fn reserved_flags_have_the_values_of_the_table() {
    let field = Field::new();
    for version in BOTH {
        for flags in [0_u8, 1, 3, 4, 8, 15] {
            for (head, bytes) in [
                (0x60, ack(0x60 | flags, 1)),
                (0x80, with_head(0x80 | flags, &Subscribe::new(1, &[("a", 0)]).bytes(version))),
                (0xa0, with_head(0xa0 | flags, &unsubscribe(version, 1, &["a"]))),
            ] {
                ends(&field, version, &bytes, &format!("flags {flags} of {head:#04x}"));
            }
        }
        for flags in [1_u8, 2, 4, 8, 15] {
            for head in [0x40, 0x50, 0x70] {
                let bytes = ack(head | flags, 1);
                ends(&field, version, &bytes, &format!("flags {flags} of {head:#04x}"));
            }
            for head in [0xc0, 0xe0] {
                ends(&field, version, &[head | flags, 0], &format!("{flags} of {head:#04x}"));
            }
        }
    }
}

fn with_head(head: u8, bytes: &[u8]) -> Vec<u8> {
    [&[head], &bytes[1..]].concat()
}

#[test]
fn types_that_a_client_does_not_send_end_the_connection() {
    let field = Field::new();
    for version in BOTH {
        for head in [0x00_u8, 0x20, 0x90, 0xb0, 0xd0] {
            ends(&field, version, &[head, 2, 0, 1], &format!("{head:#04x}"));
        }
    }
    ends(&field, Version::V311, &[0xf0, 0], "AUTH");
    for flags in [1_u8, 8, 15] {
        ends(&field, Version::V5, &[0xf0 | flags, 0], "AUTH with flags");
    }
}

#[test]
fn a_packet_id_is_not_zero() {
    let field = Field::new();
    for version in BOTH {
        for qos in [1, 2] {
            let publish = Publish::new(qos, 0, &field.topic("zero"), "x");
            ends(&field, version, &publish.bytes(version), "a PUBLISH of id 0");
        }
        let subscribe = Subscribe::new(0, &[(&field.topic("zero"), 0)]);
        ends(&field, version, &subscribe.bytes(version), "a SUBSCRIBE of id 0");
        let bytes = unsubscribe(version, 0, &[&field.topic("zero")]);
        ends(&field, version, &bytes, "an UNSUBSCRIBE of id 0");
    }
}

#[test]
fn a_message_of_qos_3_ends_the_connection() {
    let field = Field::new();
    for version in BOTH {
        let publish = Publish::new(3, 1, &field.topic("three"), "x");
        ends(&field, version, &publish.bytes(version), "QoS 3");
    }
}

#[test]
fn a_message_of_qos_0_is_never_a_repetition() {
    let field = Field::new();
    for version in BOTH {
        let publish = Publish::new(0, 0, &field.topic("again"), "x").again();
        ends(&field, version, &publish.bytes(version), "DUP with QoS 0");
    }
}

#[test]
fn a_topic_has_at_least_one_character_and_no_wildcards() {
    let field = Field::new();
    for version in BOTH {
        for topic in ["", "#", "+", &field.topic("a/+/b"), &field.topic("a/#"), &field.topic("a+")]
        {
            let publish = Publish::new(1, 1, topic, "x");
            ends(&field, version, &publish.bytes(version), &format!("the topic `{topic}`"));
        }
    }
}

#[test]
fn a_subscribe_has_filters_and_their_options_no_reserved_bits() {
    let field = Field::new();
    let filter = field.topic("options");
    for version in BOTH {
        let none: &[u8] = if version == Version::V5 { &[0] } else { &[] };
        let empty = [&[0, 1], none].concat();
        ends(&field, version, &packet(0x82, &empty), "a SUBSCRIBE of nothing");
        ends(&field, version, &packet(0xa2, &empty), "an UNSUBSCRIBE of nothing");
        let reserved: &[u8] = if version == Version::V5 {
            &[0x40, 0x80, 0xc1, 0x30]
        } else {
            &[0x04, 0x08, 0x80, 0xfc]
        };
        for options in reserved.iter().chain(&[3]) {
            let subscribe = Subscribe::new(1, &[(&filter, *options)]);
            ends(&field, version, &subscribe.bytes(version), &format!("options {options:#04x}"));
        }
        // One filter that is sound does not save the one that is not.
        let subscribe = Subscribe::new(1, &[(&filter, 0), (&filter, 3)]);
        ends(&field, version, &subscribe.bytes(version), "QoS 3 in the second filter");
    }
}

#[test]
fn a_packet_that_ends_too_early_or_too_late_ends_the_connection() {
    let field = Field::new();
    for version in BOTH {
        let topic = field.topic("cut");
        let publish = Publish::new(1, 1, &topic, "").bytes(version);
        let subscribe = Subscribe::new(1, &[(&topic, 1)]).bytes(version);
        for (bytes, what) in [(&publish, "PUBLISH"), (&subscribe, "SUBSCRIBE")] {
            let body = &bytes[2..];
            for len in [0, 1, 2, 5, body.len() - 1] {
                let cut = packet(bytes[0], &body[..len]);
                ends(&field, version, &cut, &format!("{what} of {len} bytes"));
            }
        }
        ends(&field, version, &packet(0x40, &[0]), "half a packet id");
        ends(&field, version, &packet(0xc0, &[0]), "a PINGREQ with a body");
        let mut long = subscribe.clone();
        long[1] += 1;
        long.push(0);
        ends(&field, version, &long, "a byte behind the last filter");
    }
}

#[test]
fn properties_fit_their_length_and_their_packet_and_come_once() {
    let field = Field::new();
    let topic = text(&field.topic("properties"));
    let publish = |properties: &[u8]| packet(0x30, &[&topic[..], properties].concat());
    for (properties, what) in [
        (&[9, 1, 0][..], "a length beyond the packet"),
        (&[1, 0x01], "a property without its value"),
        (&[2, 0x01, 2], "a payload format of 2"),
        (&[4, 0x01, 0, 0x01, 0], "a property twice"),
        (&[5, 0x11, 0, 0, 0, 1], "a property of another packet"),
        (&[2, 0x04, 0], "a property that there is not"),
        (&[0x80, 0x80, 0x80, 0x80, 0], "a length in five bytes"),
        (&[2, 0x0b, 0], "a subscription id of 0"),
    ] {
        ends(&field, Version::V5, &publish(properties), what);
    }
    let bytes = packet(0x82, &[&[0, 1, 2, 0x0b, 0][..], &topic, &[0]].concat());
    ends(&field, Version::V5, &bytes, "a SUBSCRIBE with id 0");
    let bytes = packet(0x82, &[&[0, 1, 4, 0x0b, 1, 0x0b, 2][..], &topic, &[0]].concat());
    ends(&field, Version::V5, &bytes, "a SUBSCRIBE with two ids");
    let bytes = Publish::new(1, 1, &field.topic("id"), "x").with(vec![0x0b, 1]);
    ends(&field, Version::V5, &bytes.bytes(Version::V5), "a message with a subscription id");
    let bytes = packet(0x40, &[0, 1, 0x87, 2, 0x01, 0]);
    ends(&field, Version::V5, &bytes, "a PUBACK with a property of PUBLISH");
}

#[test]
fn bytes_may_come_one_by_one_or_all_at_once() {
    let field = Field::new();
    for version in BOTH {
        let mut client = field.client(version, "pieces");
        let topic = field.topic("pieces");
        assert_eq!(client.subscribe(&[(&topic, 0)]), [0]);
        let publish = Publish::new(0, 0, &topic, "one").bytes(version);
        for byte in &publish {
            client.send(&[*byte]);
        }
        client.takes("one");
        client.send(&publish.repeat(20));
        for _ in 0..20 {
            client.takes("one");
        }
    }
}
