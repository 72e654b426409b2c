//! Chapters 3.12 to 3.14: pings, and how either side says goodbye.

use std::{sync::Arc, thread};

use super::*;
use super::{field::Stage, packets::disconnect};
use crate::wire::packet;

#[test]
fn a_ping_is_answered() {
    let field = Field::new();
    for version in BOTH {
        let mut client = field.client(version, "ping");
        client.send(&[0xc0, 0, 0xc0, 0, 0xc0, 0]);
        assert_eq!(
            [client.hear(), client.hear(), client.hear()],
            [Said::Pong, Said::Pong, Said::Pong]
        );
        client.is_quiet();
    }
}

#[test]
fn after_a_goodbye_the_server_closes_and_says_nothing_more() {
    let field = Field::new();
    for version in BOTH {
        let mut client = field.client(version, "goodbye");
        client.send(&[0xe0, 0, 0xc0, 0]);
        assert_eq!(client.next(), Err(End::Closed), "the ping after it is answered");
    }
}

#[test]
fn a_goodbye_deletes_the_will() {
    let field = Field::new();
    let mut witness = field.witness(1);
    for version in BOTH {
        let will = Will::new(&field.topic("will"), "it did not say goodbye");
        let (client, _) = Client::connect(&field, &field.greeting(version, "polite").will(will));
        client.goodbye();
        field.client(version, "sentinel").publish(1, &field.topic("after"), "after");
        witness.takes("after");
    }
}

#[test]
fn a_goodbye_with_the_will_publishes_it() {
    let field = Field::new();
    let mut witness = field.witness(1);
    for code in [0x04, 0x80, 0x82] {
        let will = Will::new(&field.topic("will"), "all the same");
        let connect = field.greeting(Version::V5, "angry").will(will);
        let (mut client, _) = Client::connect(&field, &connect);
        client.send(&disconnect(code, &[]));
        assert_eq!(client.end(), End::Closed);
        witness.takes("all the same");
    }
}

#[test]
fn the_flags_of_a_goodbye_are_zero() {
    let field = Field::new();
    let mut witness = field.witness(1);
    for version in BOTH {
        let will = Will::new(&field.topic("will"), "it was no goodbye");
        let (mut client, _) = Client::connect(&field, &field.greeting(version, "flags").will(will));
        client.send(&[0xe1, 0]);
        client.is_put_out(0x81);
        witness.takes("it was no goodbye");
    }
}

#[test]
fn a_goodbye_may_shorten_a_session_but_not_begin_one() {
    let field = Field::new();
    let (mut client, _) = field.kept(Version::V5, "short");
    client.send(&disconnect(0, &property::four(property::SESSION_EXPIRY, 0)));
    assert_eq!(client.end(), End::Closed);
    assert!(!field.kept(Version::V5, "short").1, "the session outlived its goodbye");
    field.client(Version::V5, "short").goodbye();
    let mut client = field.client(Version::V5, "begin");
    client.send(&disconnect(0, &property::four(property::SESSION_EXPIRY, 60)));
    client.is_put_out(0x82);
    assert!(!field.kept(Version::V5, "begin").1, "the session began with a goodbye");
}

#[test]
fn a_goodbye_is_well_formed() {
    let field = Field::new();
    let server_reference = property::string(property::SERVER_REFERENCE, "elsewhere");
    for (bytes, what) in [
        (packet(0xe0, &[0x01]), "a code that DISCONNECT does not have"),
        (packet(0xe0, &[0x8e]), "a code that only a server says"),
        (disconnect(0, &server_reference), "a property that only a server sends"),
        (packet(0xe0, &[0, 5, 0x11]), "properties that are cut off"),
        (packet(0xe0, &[0, 0, 0]), "a byte too many"),
    ] {
        let mut client = field.client(Version::V5, "form");
        client.send(&bytes);
        // The client said goodbye in its way; the server may say why it was a bad one.
        if let Ok(said) = client.next() {
            assert!(matches!(said, Said::Disconnect { code: 0x81 | 0x82, .. }), "{what}: {said:?}");
        }
        assert_eq!(client.next(), Err(End::Closed), "{what}");
    }
}

#[test]
fn the_servers_goodbye_has_a_reason_in_5_0_and_none_in_3_1_1() {
    let field = Field::new();
    for version in BOTH {
        let mut client = field.client(version, "server");
        client.send(&[0xd0, 0]);
        client.is_put_out(0x82);
    }
}

#[test]
fn the_words_of_the_servers_goodbye_fit_the_client() {
    let field = Field::new();
    for packet_len_max in [8_u32, 30, 40, 60, 1_000] {
        let connect = field
            .greeting(Version::V5, "words")
            .with(property::four(property::MAXIMUM_PACKET_SIZE, packet_len_max));
        let mut client = Client::dial(&field, Version::V5);
        client.send(&connect.bytes());
        client.send(&[0xd0, 0]);
        // Where the CONNACK does not fit, there may be none; nothing that comes is longer.
        let mut heads = Vec::new();
        while let Ok(packet) = client.packet() {
            let len = packet.body.len() + 2;
            assert!(len <= packet_len_max as usize, "{len} bytes instead of {packet_len_max}");
            heads.push(packet.head);
        }
        assert!(packet_len_max < 40 || heads == [0x20, 0xe0], "{packet_len_max}: {heads:02x?}");
    }
}

#[test]
fn a_server_that_is_stopped_says_goodbye_first() {
    let field = Field::on(&Arc::new(Stage::new()));
    let mut clients = BOTH.map(|version| field.kept(version, &format!("{version:?}")).0);
    let Field { stage, .. } = field;
    let stage = Arc::into_inner(stage).unwrap_or_else(|| panic!("somebody else is on the stage"));
    let stopping = thread::spawn(|| stage.stop());
    for client in &mut clients {
        client.is_put_out(0x8b);
    }
    stopping.join().unwrap();
}
