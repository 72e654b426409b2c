//! One client without a socket: what it may do, and what it hears when it may not.

use proptest::prelude::*;

use super::*;

fn limits() -> Arc<Limits> {
    Arc::new(Limits { receive_max: 3, packet_len_max: 200, ..Limits::default() })
}

/// A CONNECT without a client id; properties are those of MQTT 5.
fn connect(version: Version, properties: &[u8]) -> Vec<u8> {
    let mut body = vec![0, 4, b'M', b'Q', b'T', b'T'];
    body.extend([if version == Version::V5 { 5 } else { 4 }, 2, 0, 30]);
    if version == Version::V5 {
        body.push(properties.len() as u8);
        body.extend(properties);
    }
    body.extend([0, 0]);
    [vec![0x10, body.len() as u8], body].concat()
}

/// A client that is in.
fn open(version: Version, properties: &[u8]) -> Peer {
    let mut peer = Peer::new(limits());
    let mut out = Vec::new();
    peer.push(&connect(version, properties));
    assert!(matches!(peer.next(&mut out), Ok(Some(Event::Connect(_)))));
    peer.accept_plainly(&mut out);
    assert_eq!(out[..1], [0x20]);
    peer
}

/// Feeds bytes and tells what happened: topics and packet ids of messages, then the fault.
fn feed(peer: &mut Peer, bytes: &[u8]) -> String {
    let (mut out, mut told) = (Vec::new(), Vec::new());
    peer.push(bytes);
    loop {
        match peer.next(&mut out) {
            Ok(Some(Event::Publish(publication))) => {
                let id = publication.packet_id().unwrap_or(0);
                told.push(format!("{}:{id}", publication.0.topic));
            }
            Ok(Some(event)) => told.push(format!("{event:?}")),
            Ok(None) => break,
            Err(fault) => {
                let said = farewell(&out);
                told.push(format!("{:?} {said}", fault.reason));
                break;
            }
        }
    }
    told.join(" ")
}

/// The code of the DISCONNECT at the end of `out`, if there is one.
fn farewell(out: &[u8]) -> String {
    let mut framer = Framer::new(1 << 16);
    framer.push(out);
    let last = std::iter::from_fn(|| framer.next().unwrap()).last();
    let disconnect = last.filter(|frame| frame.head == 0xe0);
    disconnect.map_or("-".to_owned(), |frame| format!("{:#04x}", frame.body[0]))
}

fn publish(id: u16, topic: &str) -> Vec<u8> {
    let [high, low] = id.to_be_bytes();
    let mut body = vec![0, topic.len() as u8];
    body.extend(topic.bytes());
    body.extend([high, low, 0]);
    [vec![0x32, body.len() as u8], body].concat()
}

#[test]
fn a_client_of_mqtt_5_beyond_the_receive_maximum_is_put_out_at_once() {
    let mut peer = open(Version::V5, &[]);
    let bytes: Vec<u8> = (1..=4).flat_map(|id| publish(id, "a")).collect();
    assert_eq!(feed(&mut peer, &bytes), "a:1 a:2 a:3 ReceiveMaximumExceeded 0x93");
    assert_eq!(feed(&mut peer, &bytes), "");
}

#[test]
fn an_answer_makes_room_in_the_window() {
    let mut peer = open(Version::V5, &[]);
    let bytes: Vec<u8> = (1..=3).flat_map(|id| publish(id, "a")).collect();
    assert_eq!(feed(&mut peer, &bytes), "a:1 a:2 a:3");
    let mut out = Vec::new();
    peer.answer(&Reply::Puback(1), &Answer::Taken, &mut out).unwrap();
    assert_eq!(out, [0x40, 2, 0, 1]);
    assert_eq!(feed(&mut peer, &publish(4, "a")), "a:4");
}

#[test]
fn the_same_packet_id_again_takes_a_place_of_its_own() {
    let mut peer = open(Version::V5, &[]);
    let bytes = publish(1, "a").repeat(4);
    assert_eq!(feed(&mut peer, &bytes), "a:1 a:1 a:1 ReceiveMaximumExceeded 0x93");
}

#[test]
fn an_id_of_qos_2_that_is_not_finished_takes_further_places_under_qos_1() {
    let mut peer = open(Version::V5, &[]);
    let mut exactly_once = publish(1, "a");
    exactly_once[0] = 0x34;
    let bytes = [exactly_once.repeat(2), publish(1, "a").repeat(3)].concat();
    assert_eq!(feed(&mut peer, &bytes), "a:1 a:1 a:1 a:1 ReceiveMaximumExceeded 0x93");
}

#[test]
fn a_client_of_mqtt_3_was_never_told_and_only_waits() {
    let mut peer = open(Version::V311, &[]);
    let packet = [0x32, 5, 0, 1, b'a', 0, 1];
    assert_eq!(feed(&mut peer, &packet.repeat(3)), "a:1 a:1 a:1");
    assert!(peer.is_full());
    peer.answer(&Reply::Puback(1), &Answer::Taken, &mut Vec::new()).unwrap();
    assert!(!peer.is_full());
}

#[test]
fn topic_aliases_are_learnt_bounded_and_never_guessed() {
    let with = |topic: &str, alias: u8| {
        let mut body = vec![0, topic.len() as u8];
        body.extend(topic.bytes());
        body.extend([3, 0x23, 0, alias]);
        [vec![0x30, body.len() as u8], body].concat()
    };
    let rows = [
        (vec![with("a", 1), with("", 1)], "a:0 a:0"),
        (vec![with("a", 1), with("b", 1), with("", 1)], "a:0 b:0 b:0"),
        (vec![with("a", 16), with("", 16)], "a:0 a:0"),
        (vec![with("a", 17)], "TopicAliasInvalid 0x94"),
        (vec![with("a", 0)], "TopicAliasInvalid 0x94"),
        (vec![with("a", 1), with("", 2)], "a:0 TopicAliasInvalid 0x94"),
    ];
    for (packets, expected) in rows {
        assert_eq!(feed(&mut open(Version::V5, &[]), &packets.concat()), expected);
    }
}

#[test]
fn each_fault_has_its_reason_and_mqtt_3_is_closed_in_silence() {
    let long = vec![0x30, 0xff, 1];
    let rows: [(&[u8], &str); 8] = [
        (&publish(1, "a/+"), "TopicNameInvalid 0x90"),
        (&publish(1, ""), "TopicNameInvalid 0x90"),
        (&publish(1, &"a/".repeat(16)), "TopicNameInvalid 0x90"),
        (&long, "PacketTooLarge 0x95"),
        (&connect(Version::V5, &[]), "ProtocolError 0x82"),
        // Subscription identifiers are the server's.
        (&[0x30, 6, 0, 1, b'a', 2, 0x0b, 7], "ProtocolError 0x82"),
        (&[0xf0, 0], "ProtocolError 0x82"),
        // The session was to end with the connection, and shall now be kept [§3.14.2.2.2].
        (&[0xe0, 7, 0, 5, 0x11, 0, 0, 0, 9], "ProtocolError 0x82"),
    ];
    for (bytes, expected) in rows {
        assert_eq!(feed(&mut open(Version::V5, &[]), bytes), expected, "{bytes:x?}");
    }
    let second = connect(Version::V311, &[]);
    assert_eq!(feed(&mut open(Version::V311, &[]), &second), "ProtocolError -");
}

#[test]
fn a_refusal_has_words_only_where_they_are_wanted_and_fit() {
    let refused = |properties: &[u8], answer: NackReason| {
        let mut peer = open(Version::V5, properties);
        feed(&mut peer, &publish(7, "a"));
        let mut out = Vec::new();
        let result = peer.answer(&Reply::Puback(7), &Answer::Refused(answer), &mut out);
        (out, result.map_err(|fault| fault.reason))
    };
    let format = || NackReason::PayloadFormat("wave:n".to_owned());
    let plain = (vec![0x40, 4, 0, 7, 0x99, 0], Ok(()));
    let (with_words, _) = refused(&[], format());
    assert_eq!(with_words, *b"\x40\x0d\0\x07\x99\x09\x1f\0\x06wave:n");
    // Request Problem Information 0, then Maximum Packet Size 8.
    assert_eq!(refused(&[0x17, 0], format()), plain);
    assert_eq!(refused(&[0x27, 0, 0, 0, 8], format()), plain);
    assert_eq!(refused(&[], NackReason::NotAuthorized).0, [0x40, 4, 0, 7, 0x87, 0]);

    // MQTT 3.1.1 has one answer, or none.
    let old = |answer| {
        let mut peer = open(Version::V311, &[]);
        feed(&mut peer, &[0x32, 5, 0, 1, b'a', 0, 7]);
        let mut out = Vec::new();
        let result = peer.answer(&Reply::Puback(7), &Answer::Refused(answer), &mut out);
        (out, result.map_err(|fault| fault.reason))
    };
    assert_eq!(old(format()), (vec![0x40, 2, 0, 7], Ok(())));
    assert_eq!(old(NackReason::NotAuthorized), (vec![], Err(Reason::NotAuthorized)));
}

fn to_client(topic: &str, payload: &'static [u8]) -> Publish {
    Publish {
        topic: topic.to_owned(),
        alias: None,
        content_type: None,
        payload: payload.into(),
        qos: Qos::AtMostOnce,
        id: 0,
        retain: false,
        dup: false,
        expiry_s: None,
        extra: None,
        subscription_ids: Vec::new(),
    }
}

/// Topic and alias of each message in `out`.
fn delivered(out: &[u8]) -> Vec<(String, Option<u16>)> {
    let mut framer = Framer::new(1 << 16);
    framer.push(out);
    let mut found = Vec::new();
    while let Some(frame) = framer.next().unwrap() {
        if let Ok(Packet::Publish(publish)) = read::from_server(Version::V5, frame) {
            found.push((publish.topic, publish.alias));
        }
    }
    found
}

#[test]
fn a_topic_is_sent_once_when_the_client_takes_aliases() {
    // Topic Alias Maximum 1.
    let mut peer = open(Version::V5, &[0x22, 0, 1]);
    let mut out = Vec::new();
    for topic in ["a", "a", "b", "a"] {
        assert!(peer.deliver(to_client(topic, b"x"), &mut out));
    }
    let (a, b) = ("a".to_owned(), "b".to_owned());
    let expected = [(a, Some(1)), (String::new(), Some(1)), (b, None), (String::new(), Some(1))];
    assert_eq!(delivered(&out), expected);
}

#[test]
fn nothing_longer_than_the_client_takes_is_sent() {
    // Maximum Packet Size 10, Topic Alias Maximum 2.
    let mut peer = open(Version::V5, &[0x27, 0, 0, 0, 10, 0x22, 0, 2]);
    let mut out = Vec::new();
    assert!(!peer.deliver(to_client("a", b"four"), &mut out));
    assert!(out.is_empty());
    // The alias of what was not sent is not known to the client.
    assert!(peer.deliver(to_client("b", b"x"), &mut out));
    assert_eq!(delivered(&out), [("b".to_owned(), Some(1))]);
}

#[test]
fn nothing_happens_between_connect_and_its_answer_or_after_the_end() {
    let mut peer = Peer::new(limits());
    let mut out = Vec::new();
    peer.push(&[connect(Version::V5, &[]), publish(1, "a")].concat());
    assert!(matches!(peer.next(&mut out), Ok(Some(Event::Connect(_)))));
    assert_eq!(peer.next(&mut out), Ok(None));
    peer.refuse(Reason::NotAuthorized, "no", &mut out);
    assert_eq!(out, b"\x20\x08\0\x87\x05\x1f\0\x02no");
    assert_eq!(peer.next(&mut out), Ok(None));
}

proptest! {
    #[test]
    fn no_stream_makes_a_peer_panic_or_hold_more_than_a_packet(
        chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..80), 0..12),
        is_open: bool,
        v5: bool,
    ) {
        let version = if v5 { Version::V5 } else { Version::V311 };
        let mut peer = if is_open { open(version, &[]) } else { Peer::new(limits()) };
        let mut out = Vec::new();
        for chunk in chunks {
            peer.push(&chunk);
            loop {
                match peer.next(&mut out) {
                    Ok(Some(Event::Connect(_))) => peer.accept_plainly(&mut out),
                    Ok(Some(Event::Publish(publication))) => {
                        if let Some(id) = publication.packet_id() {
                            peer.answer(&Reply::Puback(id), &Answer::Taken, &mut out).unwrap();
                        }
                    }
                    Ok(Some(_)) => {}
                    Ok(None) | Err(_) => break,
                }
            }
            prop_assert!(peer.held() <= 200 + 80);
        }
    }
}
