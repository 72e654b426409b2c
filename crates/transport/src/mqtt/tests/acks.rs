//! Acknowledgements: after the disk, in order, and never by mistake.

use std::time::Duration;

use super::{
    ward::{Bearer, tell},
    *,
};
use crate::{NackReason, Unanswered};

const BOTH: [Version; 2] = [Version::V311, Version::V5];

fn acknowledged(id: u16) -> Incoming {
    Incoming::Acknowledged { id, code: 0, words: None }
}

async fn publish(client: &mut Client, bearer: &Bearer, payload: &'static str) -> u16 {
    let topic = format!("{}/num", bearer.up);
    let id = client.publish(&topic, None, payload, Qos::AtLeastOnce).unwrap();
    within(client.flush()).await.unwrap();
    id
}

#[tokio::test]
async fn a_message_arrives_with_all_that_its_transport_knows() {
    let mut ward = Ward::open(Limits::default()).await;
    let bearer = ward.bearer(1);
    let mut client = ward.come(ward.options(&bearer, Version::V5)).await;
    let topic = format!("{}/num", bearer.up);
    let kind = Some("application/senml+json");
    client.publish(&topic, kind, "[]", Qos::AtLeastOnce).unwrap();
    within(client.flush()).await.unwrap();
    let message = ward.draw_message().await;
    assert_eq!(message.identity().device, bearer.device);
    assert_eq!(message.identity().serial, bearer.issued.serial);
    assert_eq!((message.topic(), message.content_type()), (topic.as_str(), kind));
    assert_eq!((message.payload().as_ref(), message.qos()), (&b"[]"[..], Qos::AtLeastOnce));
    assert_eq!((message.site(), message.received_at()), (ward.site, ward.clock.now()));
    assert!(message.is_authorised() && !message.is_will() && !message.is_dup());
}

#[tokio::test]
async fn no_acknowledgement_comes_before_the_sync() {
    for version in BOTH {
        let mut ward = Ward::open(Limits::default()).await;
        let bearer = ward.bearer(1);
        let mut client = ward.come(ward.options(&bearer, version)).await;
        ward.disk.hold_syncs();
        let id = publish(&mut client, &bearer, "hr 72").await;
        let message = ward.draw_message().await;
        let ticket = ward.journal.append(vec![ward.entry(message.payload())]);
        // The server answers what needs no disk, and nothing else.
        client.ping();
        assert_eq!(within(client.next()).await.unwrap(), Incoming::Pong);
        ward.disk.release_syncs();
        let durable = within(ticket).await.unwrap();
        message.acknowledge(durable.positions(), &durable).unwrap();
        assert_eq!(within(client.next()).await.unwrap(), acknowledged(id));
    }
}

#[tokio::test]
async fn the_proof_of_another_message_is_no_proof() {
    let mut ward = Ward::open(Limits::default()).await;
    let bearer = ward.bearer(1);
    let mut client = ward.come(ward.options(&bearer, Version::V5)).await;
    let id = publish(&mut client, &bearer, "hr 72").await;
    let message = ward.draw_message().await;
    let (other, proof_of_other) = ward.append(b"other").await;
    let (own, proof) = ward.append(b"hr 72").await;
    let message = message.acknowledge(&own, &proof_of_other).unwrap_err();
    let message = message.acknowledge(&[], &proof).unwrap_err();
    let message = message.acknowledge(&[own[0], other[0]], &proof).unwrap_err();
    let message = message.refuse(NackReason::NotAuthorized, &own, &proof_of_other).unwrap_err();
    message.acknowledge(&own, &proof).unwrap();
    assert_eq!(within(client.next()).await.unwrap(), acknowledged(id));
}

#[tokio::test]
async fn acknowledgements_leave_in_the_order_of_the_messages() {
    for version in BOTH {
        let mut ward = Ward::open(Limits::default()).await;
        let bearer = ward.bearer(1);
        let mut client = ward.come(ward.options(&bearer, version)).await;
        let mut messages = Vec::new();
        for payload in ["a", "b", "c", "d"] {
            publish(&mut client, &bearer, payload).await;
            messages.push(ward.draw_message().await);
        }
        for message in messages.into_iter().rev() {
            ward.take(message).await;
        }
        for id in 1..=4 {
            assert_eq!(within(client.next()).await.unwrap(), acknowledged(id));
        }
    }
}

#[tokio::test]
async fn a_message_that_cannot_be_decoded_is_refused_after_its_dead_letter() {
    // MQTT 3.1.1 has only one answer.
    for (version, code, words) in [(Version::V5, 0x99, Some("wave:n")), (Version::V311, 0, None)] {
        let mut ward = Ward::open(Limits::default()).await;
        let bearer = ward.bearer(1);
        let mut client = ward.come(ward.options(&bearer, version)).await;
        let id = publish(&mut client, &bearer, "?").await;
        let message = ward.draw_message().await;
        let (positions, durable) = ward.append(b"dead letter").await;
        let reason = NackReason::PayloadFormat("wave:n".to_owned());
        message.refuse(reason, &positions, &durable).unwrap();
        let expected = Incoming::Acknowledged { id, code, words: words.map(str::to_owned) };
        assert_eq!(within(client.next()).await.unwrap(), expected);
    }
}

#[tokio::test]
async fn a_device_that_speaks_for_another_is_handed_on_as_not_authorised() {
    for version in BOTH {
        let mut ward = Ward::open(Limits::default()).await;
        let (bearer, other) = (ward.bearer(1), ward.bearer(2));
        let mut client = ward.come(ward.options(&bearer, version)).await;
        let id = publish(&mut client, &other, "hr 72").await;
        let message = ward.draw_message().await;
        assert!(!message.is_authorised());
        assert_eq!(message.identity().device, bearer.device);
        let (positions, durable) = ward.append(b"dead letter").await;
        message.refuse(NackReason::NotAuthorized, &positions, &durable).unwrap();
        let answer = within(client.next()).await;
        match version {
            Version::V5 => {
                let expected = Incoming::Acknowledged { id, code: 0x87, words: None };
                assert_eq!(answer.unwrap(), expected);
            }
            Version::V311 => assert!(answer.is_err()),
        }
    }
}

#[tokio::test]
async fn a_client_of_mqtt_5_beyond_the_receive_maximum_hears_it() {
    let mut ward = Ward::open(Limits::default()).await;
    let bearer = ward.bearer(1);
    let mut client = ward.come(ward.options(&bearer, Version::V5)).await;
    assert_eq!(client.receive_max(), 64);
    let mut messages = Vec::new();
    for _ in 0..65 {
        publish(&mut client, &bearer, "x").await;
    }
    for _ in 0..64 {
        messages.push(ward.draw_message().await);
    }
    let Incoming::PutOut { code, .. } = within(client.next()).await.unwrap() else {
        unreachable!("it was not put out")
    };
    assert_eq!(code, 0x93);
    let words = "refused: the packets break the protocol: more unfinished messages than the receive maximum";
    assert_eq!(ward.tell(2).await, [words, "closed Refused"]);
}

#[tokio::test]
async fn a_client_of_mqtt_3_beyond_it_waits_and_is_served() {
    let mut ward = Ward::open(Limits { receive_max: 2, ..Limits::default() }).await;
    let bearer = ward.bearer(1);
    let mut client = ward.come(ward.options(&bearer, Version::V311)).await;
    for payload in ["a", "b", "c"] {
        publish(&mut client, &bearer, payload).await;
    }
    let (first, second) = (ward.draw_message().await, ward.draw_message().await);
    assert_eq!(ward.listener.depth(), 0);
    ward.take(first).await;
    assert_eq!(within(client.next()).await.unwrap(), acknowledged(1));
    let third = ward.draw_message().await;
    assert_eq!(third.payload().as_ref(), b"c");
    ward.take(second).await;
    ward.take(third).await;
    for id in [2, 3] {
        assert_eq!(within(client.next()).await.unwrap(), acknowledged(id));
    }
}

#[tokio::test]
async fn messages_of_qos_0_are_bounded_too() {
    let mut ward = Ward::open(Limits { unanswered_max: 2, ..Limits::default() }).await;
    let bearer = ward.bearer(1);
    let mut client = ward.come(ward.options(&bearer, Version::V5)).await;
    for payload in ["a", "b", "c"] {
        let topic = format!("{}/num", bearer.up);
        client.publish(&topic, None, payload, Qos::AtMostOnce).unwrap();
    }
    within(client.flush()).await.unwrap();
    let (first, _second) = (ward.draw_message().await, ward.draw_message().await);
    assert_eq!(ward.listener.depth(), 0);
    ward.take(first).await;
    assert_eq!(ward.draw_message().await.payload().as_ref(), b"c");
}

#[tokio::test]
async fn what_storage_cannot_take_is_never_answered_and_the_client_is_sent_away() {
    // A later answer would pass over the message, so the client must send both again.
    for (why, code) in [(Unanswered::Full, 0x97), (Unanswered::Poisoned, 0x89)] {
        let mut ward = Ward::open(Limits::default()).await;
        let bearer = ward.bearer(1);
        let mut client = ward.come(ward.options(&bearer, Version::V5)).await;
        publish(&mut client, &bearer, "a").await;
        publish(&mut client, &bearer, "b").await;
        let (first, second) = (ward.draw_message().await, ward.draw_message().await);
        first.drop_unanswered(why);
        client.ping();
        assert_eq!(within(client.next()).await.unwrap(), Incoming::Pong);
        ward.take(second).await;
        let expected = Incoming::PutOut { code, words: None };
        assert_eq!(within(client.next()).await.unwrap(), expected);
        assert_eq!(tell(&ward.draw().await), "closed Refused");
    }
}

#[tokio::test]
async fn a_client_with_a_message_that_storage_could_not_take_does_not_wait_for_ever() {
    for version in BOTH {
        let mut ward = Ward::open(Limits::default()).await;
        let bearer = ward.bearer(1);
        let mut client = ward.come(ward.options(&bearer, version)).await;
        publish(&mut client, &bearer, "a").await;
        ward.draw_message().await.drop_unanswered(Unanswered::Full);
        client.ping();
        assert_eq!(within(client.next()).await.unwrap(), Incoming::Pong);
        ward.advance(Limits::default().never_answered_max - Duration::from_millis(1));
        client.ping();
        assert_eq!(within(client.next()).await.unwrap(), Incoming::Pong);
        ward.advance(Duration::from_millis(1));
        match version {
            Version::V5 => {
                let expected = Incoming::PutOut { code: 0x97, words: None };
                assert_eq!(within(client.next()).await.unwrap(), expected);
            }
            Version::V311 => assert!(within(client.next()).await.is_err()),
        }
    }
}

#[tokio::test]
async fn a_message_that_somebody_lost_is_never_answered() {
    let mut ward = Ward::open(Limits::default()).await;
    let bearer = ward.bearer(1);
    let mut client = ward.come(ward.options(&bearer, Version::V5)).await;
    publish(&mut client, &bearer, "a").await;
    publish(&mut client, &bearer, "b").await;
    drop(ward.draw_message().await);
    let second = ward.draw_message().await;
    ward.take(second).await;
    let expected = Incoming::PutOut { code: 0x89, words: None };
    assert_eq!(within(client.next()).await.unwrap(), expected);
}

#[tokio::test]
async fn what_was_not_acknowledged_comes_again_and_is_known_by_its_flag() {
    let mut ward = Ward::open(Limits::default()).await;
    let bearer = ward.bearer(1);
    let kept = ClientOptions { clean: false, expiry_s: 60, ..ward.options(&bearer, Version::V5) };
    let mut client = ward.come(kept.clone()).await;
    let id = publish(&mut client, &bearer, "a").await;
    let lost = ward.draw().await;
    assert_eq!(tell(&lost), "note");
    let lost = ward.draw_message().await;
    drop(client);
    assert_eq!(ward.tell(2).await, ["closed Lost", "note"]);
    // The answer of a connection that is gone goes nowhere.
    ward.take(lost).await;
    let mut client = ward.come(kept).await;
    assert!(client.session_present());
    client.publish_again(id, &format!("{}/num", bearer.up), None, "a").unwrap();
    within(client.flush()).await.unwrap();
    assert_eq!(tell(&ward.draw().await), "note");
    let again = ward.draw_message().await;
    assert!(again.is_dup());
    ward.take(again).await;
    assert_eq!(within(client.next()).await.unwrap(), acknowledged(id));
}

#[tokio::test]
async fn many_messages_share_few_writes_and_all_are_answered() {
    let mut ward = Ward::open(Limits::default()).await;
    let bearer = ward.bearer(1);
    let mut client = ward.come(ward.options(&bearer, Version::V5)).await;
    let mut last = 0;
    for _ in 0..8 {
        let mut group = Vec::new();
        for _ in 0..64 {
            let topic = format!("{}/num", bearer.up);
            client.publish(&topic, None, "hr 72", Qos::AtLeastOnce).unwrap();
        }
        within(client.flush()).await.unwrap();
        for _ in 0..64 {
            group.push(ward.draw_message().await);
        }
        let entries = group.iter().map(|message| ward.entry(message.payload())).collect();
        let durable = within(ward.journal.append(entries)).await.unwrap();
        for (message, position) in group.into_iter().zip(durable.positions()) {
            message.acknowledge(&[*position], &durable).unwrap();
        }
        for _ in 0..64 {
            last += 1;
            assert_eq!(within(client.next()).await.unwrap(), acknowledged(last));
        }
    }
    assert_eq!(ward.handle.counters().acknowledged, 512);
}

#[tokio::test]
async fn a_repeat_of_qos_2_over_a_new_connection_waits_for_the_sync_of_the_first_copy() {
    for version in BOTH {
        let mut ward = Ward::open(Limits::default()).await;
        let bearer = ward.bearer(1);
        let kept = ClientOptions { clean: false, expiry_s: 60, ..ward.options(&bearer, version) };
        let mut client = ward.come(kept.clone()).await;
        ward.take_in(1).await;
        let topic = format!("{}/raw/x", bearer.up);
        let id = client.publish(&topic, None, "x", Qos::ExactlyOnce).unwrap();
        within(client.flush()).await.unwrap();
        let first = ward.draw_message().await;
        drop(client);
        ward.take_in(2).await;
        let mut client = ward.come(kept).await;
        ward.take_in(1).await;
        assert_eq!(client.publish(&topic, None, "x", Qos::ExactlyOnce).unwrap(), id);
        // PUBREC would be the client's cue for its PUBREL, before the second ping.
        for _ in 0..2 {
            client.ping();
            assert_eq!(within(client.next()).await.unwrap(), Incoming::Pong);
        }
        assert_eq!(ward.listener.depth(), 0, "nothing is durable");
        ward.take(first).await;
        let released = within(async {
            tokio::select! {
                answer = client.next() => unreachable!("{answer:?} before its release is kept"),
                released = ward.take_in(1) => released,
            }
        });
        assert_eq!(released.await, ["note, released 1"]);
        assert_eq!(within(client.next()).await.unwrap(), acknowledged(id));
    }
}

#[tokio::test]
async fn a_repeat_of_qos_2_whose_first_copy_is_lost_is_never_answered_and_then_new() {
    let mut ward = Ward::open(Limits::default()).await;
    let bearer = ward.bearer(1);
    let kept = ClientOptions { clean: false, expiry_s: 60, ..ward.options(&bearer, Version::V5) };
    let mut client = ward.come(kept.clone()).await;
    ward.take_in(1).await;
    let topic = format!("{}/raw/x", bearer.up);
    client.publish(&topic, None, "x", Qos::ExactlyOnce).unwrap();
    within(client.flush()).await.unwrap();
    let first = ward.draw_message().await;
    drop(client);
    ward.take_in(2).await;
    let mut client = ward.come(kept.clone()).await;
    ward.take_in(1).await;
    client.publish(&topic, None, "x", Qos::ExactlyOnce).unwrap();
    client.ping();
    assert_eq!(within(client.next()).await.unwrap(), Incoming::Pong);
    first.drop_unanswered(Unanswered::Full);
    client.ping();
    assert_eq!(within(client.next()).await.unwrap(), Incoming::Pong);
    ward.advance(Limits::default().never_answered_max);
    let expected = Incoming::PutOut { code: 0x97, words: None };
    assert_eq!(within(client.next()).await.unwrap(), expected);
    ward.take_in(2).await;
    let mut client = ward.come(kept).await;
    ward.take_in(1).await;
    client.publish(&topic, None, "x", Qos::ExactlyOnce).unwrap();
    within(client.flush()).await.unwrap();
    assert_eq!(ward.take_in(1).await, ["message x, received 1"]);
}
