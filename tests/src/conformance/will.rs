//! Chapter 3.1.2.5: what a lost connection leaves behind.

use std::time::Duration;

use super::*;
use crate::waiting::{let_pass, now};

fn with_will(field: &Field, version: Version, will: Will) -> Client {
    Client::connect(field, &field.greeting(version, "mortal").will(will)).0
}

#[test]
fn a_lost_connection_leaves_its_will_with_its_qos() {
    let field = Field::new();
    let mut witness = field.witness(2);
    let topic = field.topic("will");
    for version in BOTH {
        for qos in [0, 1, 2] {
            with_will(&field, version, Will::new(&topic, "gone").qos(qos)).cut();
            let will = witness.take();
            assert_eq!((will.payload.as_str(), will.qos, will.retain), ("gone", qos, false));
        }
    }
}

#[test]
fn a_connection_without_a_will_leaves_nothing() {
    let field = Field::new();
    let mut witness = field.witness(1);
    for version in BOTH {
        field.client(version, "mortal").cut();
        with_will(&field, version, Will::new(&field.topic("will"), "the second one's")).cut();
        witness.takes("the second one's");
    }
}

#[test]
fn a_will_is_published_once() {
    let field = Field::new();
    let mut witness = field.witness(1);
    for version in BOTH {
        let connect = field.greeting(version, "mortal").kept();
        let will = Will::new(&field.topic("will"), "once");
        Client::connect(&field, &connect.clone().will(will)).0.cut();
        witness.takes("once");
        Client::connect(&field, &connect).0.cut();
        with_will(&field, version, Will::new(&field.topic("end"), "the end")).cut();
        witness.takes("the end");
    }
}

#[test]
fn a_protocol_error_leaves_the_will() {
    let field = Field::new();
    let mut witness = field.witness(1);
    for version in BOTH {
        let mut client = with_will(&field, version, Will::new(&field.topic("will"), "broken"));
        client.send(&[0xd0, 0]);
        client.is_put_out(0x82);
        witness.takes("broken");
    }
}

#[test]
fn a_takeover_leaves_the_will() {
    let field = Field::new();
    let mut witness = field.witness(1);
    for version in BOTH {
        let mut client = with_will(&field, version, Will::new(&field.topic("will"), "replaced"));
        let _other = field.client(version, "mortal");
        client.is_put_out(0x8e);
        witness.takes("replaced");
    }
}

#[test]
fn a_will_is_retained_if_it_is_to_be() {
    let field = Field::new();
    for version in BOTH {
        let topic = field.topic("retained");
        let mut witness = field.witness(1);
        with_will(&field, version, Will::new(&topic, "kept").retained()).cut();
        assert!(!witness.take().retain, "it was subscribed already");
        let mut late = field.client(version, "late");
        assert_eq!(late.subscribe(&[(&topic, 1)]), [1]);
        let will = late.take();
        assert_eq!((will.payload.as_str(), will.retain), ("kept", true));
        // One that is not to be retained does not replace it.
        with_will(&field, version, Will::new(&topic, "plain")).cut();
        late.takes("plain");
        let mut later = field.client(version, "later");
        assert_eq!(later.subscribe(&[(&topic, 1)]), [1]);
        later.takes("kept");
        field.client(version, "late").put(&Publish::new(1, 1, &topic, "").retained());
    }
}

#[test]
fn a_will_keeps_its_properties_and_their_order() {
    let field = Field::new();
    let mut witness = field.witness(1);
    let will = Will::new(&field.topic("will"), "gone")
        .with(property::byte(property::PAYLOAD_FORMAT, 1))
        .with(property::string(property::CONTENT_TYPE, "text/plain"))
        .with(property::string(property::RESPONSE_TOPIC, "answers/here"))
        .with(property::bytes(property::CORRELATION_DATA, &[0, 1, 255]))
        .with(property::four(property::MESSAGE_EXPIRY, 600))
        .with(property::pair("b", "1"))
        .with(property::pair("a", "2"))
        .with(property::pair("b", "3"));
    with_will(&field, Version::V5, will).cut();
    let found = witness.take().properties;
    assert_eq!(found.number(property::PAYLOAD_FORMAT), Some(1));
    assert_eq!(found.text(property::CONTENT_TYPE).unwrap(), "text/plain");
    assert_eq!(found.text(property::RESPONSE_TOPIC).unwrap(), "answers/here");
    assert_eq!(found.get(property::CORRELATION_DATA), Some(&[0, 1, 255][..]));
    assert!(found.number(property::MESSAGE_EXPIRY).is_some_and(|left| left <= 600 && left > 500));
    assert_eq!(found.all(property::USER_PROPERTY), [b"b=1", b"a=2", b"b=3"]);
}

fn delayed(field: &Field, delay_s: u32, expiry_s: u32, payload: &str) -> Connect {
    let delay = property::four(property::WILL_DELAY, delay_s);
    let will = Will::new(&field.topic("delayed"), payload).with(delay);
    Connect { clean: false, ..field.greeting(Version::V5, "patient") }
        .with(property::four(property::SESSION_EXPIRY, expiry_s))
        .will(will)
}

#[test]
fn a_delayed_will_waits_for_its_delay_or_the_end_of_the_session() {
    let field = Field::new();
    let mut witness = field.witness(1);
    for (delay_s, expiry_s, expected_ms) in [(1, 60, 900), (60, 1, 900), (60, 0, 0)] {
        let (client, _) = Client::connect(&field, &delayed(&field, delay_s, expiry_s, "late"));
        let began = now();
        client.cut();
        witness.takes("late");
        let waited = began.elapsed().as_millis();
        assert!(waited >= expected_ms, "{delay_s} s of {expiry_s} s: after {waited} ms");
        assert!(waited < 10_000, "{delay_s} s of {expiry_s} s: after {waited} ms");
        field.client(Version::V5, "patient").goodbye();
    }
}

#[test]
fn a_delayed_will_is_not_sent_if_the_client_comes_back_in_time() {
    let field = Field::new();
    let mut witness = field.witness(1);
    let (client, _) = Client::connect(&field, &delayed(&field, 3, 60, "too early"));
    client.cut();
    let back = Connect { will: None, ..delayed(&field, 0, 60, "") };
    let (mut client, said) = Client::connect(&field, &back);
    assert!(matches!(said, Said::Connack { present: true, .. }));
    let_pass(now(), Duration::from_millis(3_500));
    client.is_quiet();
    client.publish(1, &field.topic("after"), "after");
    witness.takes("after");
    client.goodbye();
}

#[test]
fn a_session_that_is_thrown_away_sends_its_delayed_will() {
    let field = Field::new();
    let mut witness = field.witness(1);
    let (client, _) = Client::connect(&field, &delayed(&field, 60, 60, "at its end"));
    client.cut();
    // A clean start ends the session, and with it the wait.
    field.client(Version::V5, "patient").goodbye();
    witness.takes("at its end");
}
