//! Packets against themselves, against bytes of the standards, and against limits.

use bytes::Bytes;
use proptest::prelude::*;

use super::{
    read::{First, first, from_client, from_server},
    write::*,
    *,
};

const BOTH: [Version; 2] = [Version::V311, Version::V5];

fn frames(bytes: &[u8], cuts: &[usize]) -> Result<Vec<Frame>, Fault> {
    let mut framer = Framer::new(1 << 16);
    let (mut frames, mut at) = (Vec::new(), 0);
    for cut in cuts.iter().copied().chain([bytes.len()]) {
        let end = at.max(cut.min(bytes.len()));
        framer.push(&bytes[at..end]);
        at = end;
        while let Some(frame) = framer.next()? {
            frames.push(frame);
        }
    }
    assert_eq!(framer.len(), 0);
    Ok(frames)
}

fn one(bytes: &[u8]) -> Frame {
    frames(bytes, &[]).unwrap().remove(0)
}

fn publish_with(topic: &str, payload: &[u8], qos: Qos, id: u16) -> Publish {
    Publish {
        topic: topic.to_owned(),
        alias: None,
        content_type: None,
        payload: Bytes::copy_from_slice(payload),
        qos,
        id,
        retain: false,
        dup: false,
        expiry_s: None,
        extra: None,
        subscription_ids: Vec::new(),
    }
}

#[test]
fn a_publish_of_the_standard_has_the_standards_bytes() {
    let mut out = Vec::new();
    // MQTT 3.1.1, figure 3.11: topic a/b, packet id 10, QoS 1.
    publish(&mut out, Version::V311, &publish_with("a/b", b"x", Qos::AtLeastOnce, 10)).unwrap();
    assert_eq!(out, [0x32, 8, 0, 3, b'a', b'/', b'b', 0, 10, b'x']);
    out.clear();
    puback(&mut out, Version::V5, 10, Reason::Success, None).unwrap();
    puback(&mut out, Version::V5, 10, Reason::PayloadFormatInvalid, None).unwrap();
    assert_eq!(out, [0x40, 2, 0, 10, 0x40, 4, 0, 10, 0x99, 0]);
}

proptest! {
    #[test]
    fn a_message_comes_through_however_its_bytes_are_cut(
        topic in "[a-z/]{1,40}",
        payload in prop::collection::vec(any::<u8>(), 0..400),
        id in 1_u16..,
        qos in prop::sample::select(vec![Qos::AtMostOnce, Qos::AtLeastOnce, Qos::ExactlyOnce]),
        retain: bool,
        content_type in prop::option::of("[a-z/]{1,20}"),
        extra in (prop::option::of(0_u8..2), prop::option::of("[a-z]{1,5}"), prop::option::of(prop::collection::vec(any::<u8>(), 0..9)), prop::collection::vec(("[a-z]{0,5}", "[a-z]{0,5}"), 0..3)),
        subscription_ids in prop::collection::vec(1_u32..268_435_456, 0..3),
        alias in prop::option::of(1_u16..),
        expiry_s: Option<u32>,
        v5: bool,
        mut cuts in prop::collection::vec(0_usize..500, 0..6),
    ) {
        cuts.sort_unstable();
        let version = if v5 { Version::V5 } else { Version::V311 };
        let has_id = qos != Qos::AtMostOnce;
        let mut message = publish_with(&topic, &payload, qos, if has_id { id } else { 0 });
        message.retain = retain;
        message.dup = has_id && retain;
        if v5 {
            message.content_type = content_type;
            message.expiry_s = expiry_s;
            message.alias = alias;
            message.subscription_ids = subscription_ids;
            let (payload_format, response_topic, correlation, user) = extra;
            let extra = Extra { payload_format, response_topic, correlation: correlation.map(Bytes::from), user };
            message.extra = (extra != Extra::default()).then(|| Box::new(extra));
        }
        let mut out = Vec::new();
        publish(&mut out, version, &message).unwrap();
        ping(&mut out);
        let found = frames(&out, &cuts).unwrap();
        prop_assert_eq!(found.len(), 2);
        for read in [from_client, from_server] {
            let found = read(version, found[0].clone());
            prop_assert_eq!(found, Ok(Packet::Publish(message.clone())));
        }
        prop_assert_eq!(from_client(version, found[1].clone()), Ok(Packet::Ping));
    }

    #[test]
    fn no_bytes_make_a_reader_panic(head: u8, body in prop::collection::vec(any::<u8>(), 0..64), v5: bool) {
        let version = if v5 { Version::V5 } else { Version::V311 };
        let frame = Frame { head, body: body.into() };
        let _ = from_client(version, frame.clone());
        let _ = from_server(version, frame.clone());
        let _ = first(&frame);
    }

    #[test]
    fn a_connect_that_was_bent_is_read_or_refused(
        at in any::<prop::sample::Index>(),
        byte: u8,
        v5: bool,
    ) {
        let version = if v5 { Version::V5 } else { Version::V311 };
        let mut out = Vec::new();
        connect(&mut out, &connect_with(version)).unwrap();
        let at = at.index(out.len());
        out[at] = byte;
        let mut framer = Framer::new(1 << 16);
        framer.push(&out);
        if let Ok(Some(frame)) = framer.next() {
            let _ = first(&frame);
        }
    }
}

fn connect_with(version: Version) -> Connect {
    let v5 = version == Version::V5;
    Connect {
        version,
        client_id: "0192f0c1".to_owned(),
        clean: true,
        keep_alive_s: 30,
        expiry_s: if v5 { 60 } else { 0 },
        receive_max: if v5 { 7 } else { u16::MAX },
        packet_len_max: usize::MAX,
        topic_aliases_max: if v5 { 3 } else { 0 },
        wants_words: v5,
        will: Some(Will {
            topic: "up/state".to_owned(),
            content_type: None,
            payload: Bytes::from_static(b"gone"),
            qos: Qos::AtLeastOnce,
            retain: true,
            delay_s: if v5 { 5 } else { 0 },
            expiry_s: v5.then_some(9),
            extra: None,
        }),
    }
}

#[test]
fn a_connect_comes_through() {
    for version in BOTH {
        let mut out = Vec::new();
        connect(&mut out, &connect_with(version)).unwrap();
        assert_eq!(first(&one(&out)), First::Connect(Box::new(connect_with(version))));
    }
}

#[test]
fn answers_come_through() {
    let granted = Granted {
        session_present: true,
        receive_max: 64,
        packet_len_max: 4_096,
        topic_aliases_max: 16,
        expiry_s: Some(9),
        keep_alive_s: Some(60),
        client_id: Some("c".to_owned()),
    };
    let mut out = Vec::new();
    connack(&mut out, Version::V5, &granted).unwrap();
    let expected = Connack {
        session_present: true,
        code: 0,
        receive_max: Some(64),
        packet_len_max: Some(4_096),
        keep_alive_s: Some(60),
        client_id: Some("c".to_owned()),
        words: None,
    };
    assert_eq!(from_server(Version::V5, one(&out)), Ok(Packet::Connack(expected)));
    out.clear();
    suback(&mut out, Version::V311, 3, &[Reason::GrantedQos1, Reason::NotAuthorized]).unwrap();
    suback(&mut out, Version::V5, 3, &[Reason::GrantedQos1, Reason::NotAuthorized]).unwrap();
    let found = frames(&out, &[]).unwrap();
    let codes = [vec![1, 0x80], vec![1, 0x87]];
    for ((version, frame), codes) in BOTH.into_iter().zip(found).zip(codes) {
        assert_eq!(from_server(version, frame), Ok(Packet::Suback { id: 3, codes }));
    }
}

#[test]
fn a_refused_connect_hears_it_in_its_own_words() {
    // Reason, the code of 3.1.1 (`None` is closed in silence), the code of 5.0.
    let rows = [
        (Reason::UnsupportedVersion, Some(1), 0x84),
        (Reason::ClientIdNotValid, Some(2), 0x85),
        (Reason::Unavailable, Some(3), 0x88),
        (Reason::QuotaExceeded, Some(3), 0x97),
        (Reason::NotAuthorized, Some(5), 0x87),
        (Reason::Banned, Some(5), 0x8a),
        (Reason::Malformed, None, 0x81),
        (Reason::BadAuthenticationMethod, None, 0x8c),
    ];
    for (reason, old, new) in rows {
        let (mut v311, mut v5) = (Vec::new(), Vec::new());
        refusal(&mut v311, Version::V311, reason, Some("why")).unwrap();
        refusal(&mut v5, Version::V5, reason, Some("why")).unwrap();
        assert_eq!(v311.get(3).copied(), old, "{reason:?}");
        let Ok(Packet::Connack(found)) = from_server(Version::V5, one(&v5)) else {
            unreachable!("{reason:?} is no CONNACK")
        };
        assert_eq!((found.code, found.words.as_deref()), (new, Some("why")));
    }
}

#[test]
fn a_packet_is_bounded_at_its_limit_before_its_body_is_there() {
    let rows: [(&[u8], Option<Reason>); 5] = [
        (&[0x30, 98], None),
        (&[0x30, 99], Some(Reason::PacketTooLarge)),
        (&[0x30, 0xff, 0xff, 0xff, 0x7f], Some(Reason::PacketTooLarge)),
        (&[0x30, 0xff, 0xff, 0xff, 0xff], Some(Reason::Malformed)),
        (&[0x30, 0xff, 0xff, 0xff], None),
    ];
    for (bytes, expected) in rows {
        let mut framer = Framer::new(100);
        framer.push(bytes);
        let found = framer.next().err().map(|fault| fault.reason);
        assert_eq!(found, expected, "{bytes:x?}");
    }
}

#[test]
fn what_the_standards_call_malformed_is_refused() {
    use Reason::{Malformed, ProtocolError};
    use Version::{V5, V311};
    let rows: [(Version, &[u8], Reason, &str); 23] = [
        (V5, &[0x80, 6, 0, 1, 0, 0, 1, b'a'], Malformed, "SUBSCRIBE with flags 0"),
        (V5, &[0xa0, 6, 0, 1, 0, 0, 1, b'a'], Malformed, "UNSUBSCRIBE with flags 0"),
        (V5, &[0xc1, 0], Malformed, "PINGREQ with a flag"),
        (V5, &[0xc0, 1, 0], Malformed, "PINGREQ with a body"),
        (V5, &[0x30, 4, 0, 1, 0, 0], Malformed, "U+0000 in a topic"),
        (V5, &[0x30, 4, 0, 1, 0xff, 0], Malformed, "a topic that is not UTF-8"),
        (V5, &[0x36, 6, 0, 1, b'a', 0, 1, 0], Malformed, "QoS 3"),
        (V5, &[0x38, 4, 0, 1, b'a', 0], Malformed, "DUP with QoS 0"),
        (V5, &[0x34, 6, 0, 1, b'a', 0, 0, 0], ProtocolError, "packet id 0 with QoS 2"),
        (V5, &[0x32, 6, 0, 1, b'a', 0, 0, 0], ProtocolError, "packet id 0"),
        (V5, &[0x32, 3, 0, 1, b'a'], Malformed, "no packet id"),
        (V5, &[0x30, 3, 0, 1, b'a'], Malformed, "no property length"),
        (V5, &[0x30, 8, 0, 1, b'a', 4, 1, 0, 1, 0], ProtocolError, "a property twice"),
        (V5, &[0x30, 9, 0, 1, b'a', 5, 0x11, 0, 0, 0, 1], ProtocolError, "a foreign property"),
        (V311, &[0x82, 6, 0, 1, 0, 1, b'a', 4], Malformed, "reserved bits of 3.1.1"),
        (V5, &[0x82, 9, 0, 1, 2, 0x0b, 0, 0, 1, b'a', 0], ProtocolError, "subscription id 0"),
        (V5, &[0x60, 2, 0, 1], Malformed, "PUBREL with flags 0"),
        (V5, &[0x62, 2, 0, 0], ProtocolError, "PUBREL of packet id 0"),
        (V311, &[0x62, 3, 0, 1, 0], Malformed, "PUBREL of 3.1.1 with a reason"),
        (
            V5,
            &[0x30, 9, 0, 1, b'a', 5, 8, 0, 2, b'+', b'/'],
            ProtocolError,
            "a wild response topic",
        ),
        (V5, &[0x30, 8, 0, 1, b'a', 4, 8, 0, 1, 0], Malformed, "U+0000 in a response topic"),
        (V5, &[0x20, 2, 0, 0], ProtocolError, "CONNACK of a client"),
        (V311, &[0xe0, 1, 0], Malformed, "DISCONNECT of 3.1.1 with a body"),
    ];
    for (version, bytes, reason, what) in rows {
        let found = from_client(version, one(bytes)).map_err(|fault| fault.reason);
        assert_eq!(found, Err(reason), "{what}");
    }
    // A byte order mark is a character like any other [§1.5.4].
    let found = from_client(V311, one(&[0x30, 5, 0, 3, 0xef, 0xbb, 0xbf]));
    assert!(matches!(found, Ok(Packet::Publish(publish)) if publish.topic == "\u{feff}"));
}

#[test]
fn the_first_packet_is_connect_of_a_known_version() {
    let with = |name: &[u8], level: u8, flags: u8| {
        let name_len = name.len() as u8;
        let mut body = vec![0, name_len];
        body.extend(name);
        body.extend([level, flags, 0, 0]);
        if level == 5 {
            body.push(0);
        }
        body.extend([0, 0]);
        let mut bytes = vec![0x10, body.len() as u8];
        bytes.extend(body);
        match first(&one(&bytes)) {
            First::Connect(connect) => format!("{:?}", connect.version),
            First::Refused(version, fault) => format!("{version:?} {:?}", fault.reason),
        }
    };
    let rows = [
        (with(b"MQTT", 4, 2), "V311"),
        (with(b"MQTT", 5, 2), "V5"),
        (with(b"MQTT", 3, 2), "Some(V311) UnsupportedVersion"),
        (with(b"MQTT", 6, 2), "Some(V5) UnsupportedVersion"),
        (with(b"MQIsdp", 3, 2), "Some(V311) UnsupportedVersion"),
        (with(b"HTTP", 4, 2), "None Malformed"),
        (with(b"MQTT", 5, 3), "Some(V5) Malformed"),
        (with(b"MQTT", 4, 0b0010_0010), "Some(V311) Malformed"),
        (with(b"MQTT", 4, 0b0001_1110), "Some(V311) Malformed"),
        (with(b"MQTT", 5, 0b0000_1010), "Some(V5) Malformed"),
        (with(b"MQTT", 4, 0b0100_0010), "Some(V311) Malformed"),
    ];
    for (found, expected) in rows {
        assert_eq!(found, expected);
    }
    let ping = first(&one(&[0xc0, 0]));
    assert!(matches!(ping, First::Refused(None, fault) if fault.reason == Reason::ProtocolError));
}
