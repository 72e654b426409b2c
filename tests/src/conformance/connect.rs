//! Chapters 3.1 and 3.2: who is let in, how the answer looks, and who is not.

use std::time::Duration;

use super::*;
use crate::{
    waiting::now,
    wire::{packet, text},
};

/// What the packet library of a client would never send first.
const NOT_CONNECT: [&[u8]; 8] = [
    &[0x20, 2, 0, 0],
    &[0x30, 4, 0, 1, b'a', 0],
    &[0x40, 2, 0, 1],
    &[0x82, 6, 0, 1, 0, 1, b'a', 0],
    &[0xa2, 5, 0, 1, 0, 1, b'a'],
    &[0xc0, 0],
    &[0xe0, 0],
    &[0xf0, 0],
];

pub(super) fn code(said: &Result<Said, End>) -> Option<u8> {
    match said {
        Ok(Said::Connack { code, .. }) => Some(*code),
        _ => None,
    }
}

#[test]
fn the_first_packet_is_connect_or_the_connection_ends_without_a_word() {
    let field = Field::new();
    for bytes in NOT_CONNECT {
        let mut client = Client::dial(&field, Version::V5);
        client.send(bytes);
        // No DISCONNECT: that may only come after a CONNACK.
        assert_eq!(client.next(), Err(End::Closed), "{bytes:?}");
    }
}

#[test]
fn a_second_connect_ends_the_connection() {
    let field = Field::new();
    for version in BOTH {
        let mut client = field.client(version, "twice");
        client.send(&field.greeting(version, "twice").bytes());
        client.is_put_out(0x82);
    }
}

#[test]
fn a_foreign_protocol_name_is_not_served() {
    let field = Field::new();
    for name in ["MQTTX", "mqtt", "MQIsdp", "", "HTTP"] {
        let mut client = Client::dial(&field, Version::V311);
        let id = field.id("name");
        let body = [text(name), vec![4, 2, 0, 60], text(&id)].concat();
        client.send(&packet(0x10, &body));
        match client.next() {
            Ok(Said::Connack { present, code, .. }) => {
                assert_eq!((present, code), (false, 1), "{name}");
                assert_eq!(client.next(), Err(End::Closed));
            }
            other => assert_eq!(other, Err(End::Closed), "{name}"),
        }
    }
}

#[test]
fn an_unknown_level_is_refused_in_the_words_of_its_side_and_closed() {
    let field = Field::new();
    for (level, version, expected) in [
        (3, Version::V311, 0x01),
        (0, Version::V311, 0x01),
        (6, Version::V5, 0x84),
        (255, Version::V5, 0x84),
    ] {
        let mut client = Client::dial(&field, version);
        let id = field.id("level");
        let body = [text("MQTT"), vec![level, 2, 0, 60, 0], text(&id)].concat();
        client.send(&packet(0x10, &body));
        let Ok(Said::Connack { present, code, .. }) = client.next() else {
            panic!("level {level} is not answered")
        };
        assert_eq!((present, code), (false, expected), "level {level}");
        assert_eq!(client.next(), Err(End::Closed));
    }
}

/// Sends a CONNECT that breaks a rule: 3.1.1 closes without a word, 5.0 may say why.
pub(super) fn is_not_let_in(field: &Field, version: Version, bytes: &[u8], what: &str) {
    let mut client = Client::dial(field, version);
    client.send(bytes);
    let said = client.next();
    match version {
        Version::V311 => assert_eq!(said, Err(End::Closed), "{what}"),
        Version::V5 => {
            if said != Err(End::Closed) {
                assert!(code(&said).is_some_and(|code| code >= 0x80), "{what}: {said:?}");
                assert_eq!(client.next(), Err(End::Closed), "{what}");
            }
        }
    }
}

#[test]
fn the_reserved_connect_flag_is_zero() {
    let field = Field::new();
    for version in BOTH {
        let connect = field.greeting(version, "flag");
        let bytes = connect.bytes_with(connect.flags() | 1);
        is_not_let_in(&field, version, &bytes, "the reserved flag");
    }
}

#[test]
fn the_flags_of_a_will_agree_with_each_other_and_with_what_is_there() {
    let field = Field::new();
    for version in BOTH {
        let plain = field.greeting(version, "flags");
        for (flags, what) in [
            (0b0000_1010, "a will's QoS without a will"),
            (0b0010_0010, "a will's RETAIN without a will"),
            (0b0001_1110, "a will of QoS 3"),
            (0b0000_0110, "a will that is not there"),
        ] {
            is_not_let_in(&field, version, &plain.bytes_with(flags), what);
        }
        let with_will = plain.will(Will::new(&field.topic("will"), "gone"));
        is_not_let_in(&field, version, &with_will.bytes_with(0x02), "a will without its flag");
        is_not_let_in(&field, version, &with_will.bytes_with(0b0001_1110), "a will of QoS 3");
    }
}

#[test]
fn user_name_and_password_are_there_if_their_flags_say_so() {
    let field = Field::new();
    for version in BOTH {
        let plain = field.greeting(version, "user");
        let user = Connect { user: Some(b"ward".to_vec()), ..plain.clone() };
        let both = Connect { password: Some(b"secret".to_vec()), ..user.clone() };
        is_not_let_in(&field, version, &plain.bytes_with(0x82), "a user name that is not there");
        is_not_let_in(&field, version, &user.bytes_with(0x02), "a user name without its flag");
        is_not_let_in(&field, version, &user.bytes_with(0xc2), "a password that is not there");
        is_not_let_in(&field, version, &both.bytes_with(0x82), "a password without its flag");
        // Nothing here asks for them, and nobody is turned away for having them.
        Client::connect(&field, &user).0.goodbye();
        Client::connect(&field, &both).0.goodbye();
    }
    let plain = field.greeting(Version::V311, "user");
    let alone = Connect { password: Some(b"secret".to_vec()), ..plain };
    is_not_let_in(&field, Version::V311, &alone.bytes(), "a password without a user name");
}

#[test]
fn the_fields_of_a_connect_come_in_their_order() {
    let field = Field::new();
    for version in BOTH {
        let topic = field.topic("order");
        let mut witness = field.witness(1);
        let connect = Connect {
            user: Some(b"ward".to_vec()),
            password: Some(b"secret".to_vec()),
            ..field.greeting(version, "order").will(Will::new(&topic, "in its place"))
        };
        Client::connect(&field, &connect).0.cut();
        let will = witness.take();
        assert_eq!((will.topic, will.payload.as_str()), (topic, "in its place"));
    }
}

#[test]
fn a_client_id_is_there_and_well_formed() {
    let field = Field::new();
    for version in BOTH {
        let level = if version == Version::V5 { 5 } else { 4 };
        let properties: &[u8] = if version == Version::V5 { &[0] } else { &[] };
        let body = [&text("MQTT")[..], &[level, 2, 0, 60], properties].concat();
        is_not_let_in(&field, version, &packet(0x10, &body), "no client id");
        for (bytes, what) in [
            (&[0xff][..], "a byte that is not UTF-8"),
            (&[0xed, 0xa0, 0x80], "a surrogate"),
            (&[0], "U+0000"),
        ] {
            let mut connect = field.greeting(version, "");
            connect.client_id.extend(bytes);
            is_not_let_in(&field, version, &connect.bytes(), what);
        }
    }
}

#[test]
fn a_session_belongs_to_its_client_id() {
    let field = Field::new();
    for version in BOTH {
        field.kept(version, "one").0.goodbye();
        assert!(!field.kept(version, "two").1, "the session of another client");
        assert!(field.kept(version, "one").1, "no session of its own");
        for suffix in ["one", "two"] {
            field.client(version, suffix).goodbye();
        }
    }
}

#[test]
fn short_client_ids_are_taken() {
    let gateway = Field::new();
    for field in [&gateway, &gateway.plain()] {
        for version in BOTH {
            for id in ["a", "Z", "0123456789abcdefABCDEFG"] {
                let (mut client, _) = Client::connect(field, &Connect::new(version, id));
                client.is_quiet();
                client.goodbye();
            }
        }
    }
}

/// What stands in a log is the device: a client id that looks like another's is refused.
#[test]
fn a_client_id_that_is_anothers_is_refused_and_closed() {
    let (field, other) = (Field::new().plain(), Field::new());
    for (version, refused) in [(Version::V311, 0x02), (Version::V5, 0x85)] {
        for id in [other.device.id.clone(), other.id("a")] {
            let (mut client, said) = Client::try_connect(&field, &Connect::new(version, &id));
            assert_eq!(code(&said), Some(refused), "{id}");
            assert_eq!(client.next(), Err(End::Closed));
        }
        field.client(version, "own").goodbye();
    }
}

#[test]
fn the_same_client_id_of_another_device_is_another_client() {
    let (field, other) = (Field::new(), Field::new());
    for version in BOTH {
        let connect = Connect::new(version, "same");
        let (mut first, _) = Client::connect(&field, &connect);
        let (mut second, _) = Client::connect(&other, &connect);
        first.is_quiet();
        second.is_quiet();
    }
}

#[test]
fn a_client_without_an_id_gets_one_of_its_own() {
    let field = Field::new();
    let (mut taken_over, said) = Client::connect(&field, &Connect::new(Version::V5, ""));
    let Said::Connack { properties: first, .. } = said else { panic!("{said:?}") };
    let (_second, said) = Client::connect(&field, &Connect::new(Version::V5, ""));
    let Said::Connack { properties: second, .. } = said else { panic!("{said:?}") };
    let [first, second] =
        [first, second].map(|given| given.text(property::ASSIGNED_CLIENT_ID).unwrap());
    assert_ne!(first, second);
    // The name is as good as one of the client's own: it is the one that is taken over.
    let (mut again, _) = Client::connect(&field, &Connect::new(Version::V5, &first));
    taken_over.is_put_out(0x8e);
    again.is_quiet();
    let named = field.client(Version::V5, "named");
    let (_anonymous, _) = Client::connect(&field, &Connect::new(Version::V311, ""));
    named.goodbye();
}

#[test]
fn a_client_of_3_1_1_without_an_id_has_a_clean_session() {
    let field = Field::new();
    let connect = Connect { clean: false, ..Connect::new(Version::V311, "") };
    let (mut client, said) = Client::try_connect(&field, &connect);
    assert_eq!(code(&said), Some(0x02));
    assert_eq!(client.next(), Err(End::Closed));
    let (mut client, _) = Client::connect(&field, &Connect::new(Version::V311, ""));
    client.is_quiet();
}

#[test]
fn a_second_connection_of_a_client_takes_the_first_one_over() {
    let field = Field::new();
    for version in BOTH {
        let mut first = field.client(version, "same");
        let mut second = field.client(version, "same");
        first.is_put_out(0x8e);
        second.is_quiet();
    }
}

#[test]
fn what_follows_a_refused_connect_is_not_looked_at() {
    let (field, other) = (Field::new(), Field::new());
    for version in BOTH {
        let mut witness = field.witness(1);
        let mut client = Client::dial(&field, version);
        let will = Will::new(&other.device.up("event"), "not mine");
        let connect = field.greeting(version, "refused").will(will).bytes();
        let publish = Publish::new(1, 1, &field.topic("smuggled"), "no").bytes(version);
        client.send(&[connect, publish].concat());
        assert!(code(&client.next()).is_some_and(|code| code > 0));
        assert_eq!(client.next(), Err(End::Closed));
        field.client(Version::V5, "sentinel").publish(1, &field.topic("after"), "after");
        witness.takes("after");
    }
}

#[test]
fn the_connack_comes_first_and_once_even_if_the_client_does_not_wait() {
    let field = Field::new();
    for version in BOTH {
        let connect = field.greeting(version, "hasty").bytes();
        let subscribe = Subscribe::new(9, &[(&field.topic("x"), 0)]).bytes(version);
        let publish = Publish::new(1, 7, &field.topic("y"), "soon").bytes(version);
        let mut client = Client::dial(&field, version);
        client.send(&[connect, subscribe, publish, vec![0xc0, 0]].concat());
        let Said::Connack { present, code, .. } = client.hear() else { panic!("no CONNACK") };
        assert_eq!((present, code), (false, 0));
        let mut rest = [client.hear(), client.hear(), client.hear()];
        rest.sort_by_key(|said| format!("{said:?}"));
        let [Said::Ack(ack), Said::Pong, Said::Suback { id: 9, .. }] = rest else {
            panic!("{rest:?}")
        };
        assert_eq!((ack.head, ack.id), (0x40, 7));
        client.is_quiet();
    }
}

#[test]
fn the_connack_announces_everything_as_available() {
    let field = Field::new();
    let (_client, said) = Client::connect(&field, &field.greeting(Version::V5, "granted"));
    let Said::Connack { properties: granted, .. } = said else { panic!("{said:?}") };
    for id in [
        property::RETAIN_AVAILABLE,
        property::WILDCARDS_AVAILABLE,
        property::SUBSCRIPTION_IDS_AVAILABLE,
        property::SHARED_AVAILABLE,
    ] {
        assert!(granted.number(id).is_none_or(|value| value == 1), "{id:#04x} is not available");
    }
    // QoS 2 is said by saying nothing: the property has only the values 0 and 1.
    assert_eq!(granted.number(property::MAXIMUM_QOS), None);
    assert_eq!(granted.number(property::RECEIVE_MAXIMUM), Some(64));
    assert_eq!(granted.number(property::MAXIMUM_PACKET_SIZE), Some(256 * 1024));
    assert!(granted.number(property::TOPIC_ALIAS_MAXIMUM).is_some_and(|max| max > 0));
    assert_eq!(granted.get(property::AUTHENTICATION_METHOD), None);
    assert_eq!(granted.get(property::SERVER_KEEP_ALIVE), None);
    assert_eq!(granted.get(property::ASSIGNED_CLIENT_ID), None);
}

#[test]
fn a_keep_alive_that_is_too_long_is_answered_with_the_servers() {
    let field = Field::new();
    for (asked, expected) in [(0, Some(60)), (1, None), (60, None), (61, Some(60))] {
        let connect = field.greeting(Version::V5, "alive").keep_alive(asked);
        let (_client, said) = Client::connect(&field, &connect);
        let Said::Connack { properties, .. } = said else { panic!("{said:?}") };
        assert_eq!(properties.number(property::SERVER_KEEP_ALIVE), expected, "{asked} s");
    }
}

#[test]
fn silence_for_one_and_a_half_keep_alives_ends_the_connection() {
    let field = Field::new();
    let mut witness = field.witness(1);
    let mut clients = BOTH.map(|version| {
        let name = format!("{version:?}");
        let connect = field.greeting(version, &name).keep_alive(2);
        Client::connect(&field, &connect.will(Will::new(&field.topic("silent"), &name))).0
    });
    let began = now();
    // Alive for longer than one and a half keep alives, then silent.
    while began.elapsed() < Duration::from_millis(3_500) {
        for client in &mut clients {
            client.is_quiet();
            client.is_silent_for(Duration::from_millis(150));
        }
    }
    clients.iter_mut().for_each(Client::is_quiet);
    let silent_since = now();
    for client in &mut clients {
        client.is_put_out(0x8d);
    }
    assert!(silent_since.elapsed() > Duration::from_millis(2_500), "too early");
    // As if the network had failed.
    let mut wills = [witness.take().payload, witness.take().payload];
    wills.sort();
    assert_eq!(wills, BOTH.map(|version| format!("{version:?}")));
}

#[test]
fn a_will_where_the_device_may_not_speak_keeps_it_out() {
    let (field, other) = (Field::new(), Field::new());
    for (version, refused) in [(Version::V311, 0x05), (Version::V5, 0x87)] {
        let will = Will::new(&other.device.up("event"), "not mine");
        let connect = field.greeting(version, "will").will(will);
        let (mut client, said) = Client::try_connect(&field, &connect);
        assert_eq!(code(&said), Some(refused));
        assert_eq!(client.next(), Err(End::Closed));
    }
}

#[test]
fn the_numbers_of_a_connect_are_within_their_bounds() {
    let field = Field::new();
    let twice = |property: Vec<u8>| [property.clone(), property].concat();
    for (properties, what) in [
        (property::two(property::RECEIVE_MAXIMUM, 0), "a receive maximum of 0"),
        (property::four(property::MAXIMUM_PACKET_SIZE, 0), "a maximum packet size of 0"),
        (property::byte(property::REQUEST_PROBLEM_INFORMATION, 2), "a flag of 2"),
        (property::byte(property::REQUEST_RESPONSE_INFORMATION, 2), "a flag of 2"),
        (twice(property::four(property::SESSION_EXPIRY, 1)), "a property twice"),
        (property::two(property::TOPIC_ALIAS, 1), "a property of another packet"),
        (vec![0x7f, 0], "a property that there is not"),
    ] {
        let connect = field.greeting(Version::V5, "bounds").with(properties);
        is_not_let_in(&field, Version::V5, &connect.bytes(), what);
    }
}

#[test]
fn response_information_is_not_returned_to_whoever_did_not_ask() {
    let field = Field::new();
    let unasked = field.greeting(Version::V5, "response");
    let declined = unasked.clone().with(property::byte(property::REQUEST_RESPONSE_INFORMATION, 0));
    for connect in [unasked, declined] {
        let (_client, said) = Client::connect(&field, &connect);
        let Said::Connack { properties, .. } = said else { panic!("{said:?}") };
        assert_eq!(properties.get(property::RESPONSE_INFORMATION), None);
    }
}

#[test]
fn words_are_left_out_where_they_do_not_fit() {
    let field = Field::new().plain();
    for packet_len_max in [5_u32, 6, 7, 8, 16, 64, 1_000] {
        let connect = Connect::new(Version::V5, "somebody else")
            .with(property::four(property::MAXIMUM_PACKET_SIZE, packet_len_max));
        let mut client = Client::dial(&field, Version::V5);
        client.send(&connect.bytes());
        let Ok(packet) = client.packet() else {
            panic!("no CONNACK within {packet_len_max} bytes")
        };
        let len = packet.body.len() + 2;
        assert!(len <= packet_len_max as usize, "{len} bytes instead of {packet_len_max}");
    }
}
