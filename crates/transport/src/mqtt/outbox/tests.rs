//! The queue of one session, told as what goes out.

use std::sync::Arc;

use bytes::Bytes;

use super::*;
use crate::mqtt::mail::Said;

fn mail(outbox: &mut Outbox, text: &str, qos: Qos, expires_at: Option<i64>) -> Mail {
    let said = Said {
        topic: "t".into(),
        content_type: None,
        payload: Bytes::copy_from_slice(text.as_bytes()),
        qos,
        expires_at: expires_at.map(Timestamp::from_unix_millis),
        extra: None,
    };
    let (id, subscription_ids) = (outbox.give_id(qos), Vec::new());
    Mail { said: Arc::new(said), id, qos, retain: false, subscription_ids, shared: None }
}

fn push(limits: &Limits, outbox: &mut Outbox, text: &str, qos: Qos) -> Pushed {
    let mail = mail(outbox, text, qos, None);
    outbox.push(limits, mail)
}

fn outbox(limits: &Limits, texts: &[(&str, Qos)]) -> Outbox {
    let mut outbox = Outbox::default();
    for (text, qos) in texts {
        assert_eq!(push(limits, &mut outbox, text, *qos), Pushed::Taken);
    }
    outbox
}

/// What goes out now: `+` before what was sent before, the id after QoS 1 and 2, `r` for
/// «released».
fn drain(outbox: &mut Outbox, receive_max: u16) -> String {
    let mut out = Vec::new();
    while let Some(letter) = outbox.next(Timestamp::from_unix_millis(100), receive_max) {
        out.push(match letter {
            Letter::Message { mail, again } => {
                let text = String::from_utf8(mail.said.payload.to_vec()).unwrap();
                format!("{}{text}{}", if again { "+" } else { "" }, mail.id)
            }
            Letter::Release { id } => format!("r{id}"),
        });
    }
    out.join(" ")
}

use Qos::{AtLeastOnce as One, AtMostOnce as Zero, ExactlyOnce as Two};

#[test]
fn the_clients_receive_maximum_holds_and_order_is_kept() {
    let limits = Limits::default();
    let mut outbox = outbox(&limits, &[("a", One), ("b", One), ("c", Zero), ("d", One)]);
    assert_eq!(drain(&mut outbox, 1), "a1");
    assert!(outbox.acknowledged(1));
    assert_eq!(drain(&mut outbox, 1), "b2 c0");
    assert!(!outbox.acknowledged(1));
    assert!(outbox.acknowledged(2));
    assert_eq!(drain(&mut outbox, 1), "d3");
}

#[test]
fn a_message_of_qos_2_takes_its_place_until_it_is_complete() {
    let mut outbox = outbox(&Limits::default(), &[("a", Two), ("b", One)]);
    assert_eq!(drain(&mut outbox, 1), "a1");
    assert!(!outbox.acknowledged(1), "a PUBACK is no answer to QoS 2");
    assert!(!outbox.completed(1), "it was not received yet");
    assert!(outbox.taken(1, false));
    assert!(outbox.taken(1, false), "received again is received");
    assert_eq!(drain(&mut outbox, 1), "");
    assert!(outbox.completed(1));
    assert!(!outbox.taken(1, false));
    assert_eq!(drain(&mut outbox, 1), "b2");
}

#[test]
fn a_refused_message_of_qos_2_is_over() {
    let mut outbox = outbox(&Limits::default(), &[("a", Two), ("b", Two)]);
    assert_eq!(drain(&mut outbox, 1), "a1");
    assert!(outbox.taken(1, true));
    assert_eq!(drain(&mut outbox, 1), "b2");
}

#[test]
fn a_new_connection_gets_again_what_was_not_answered() {
    let limits = Limits::default();
    let mut outbox = outbox(&limits, &[("a", One), ("b", Two), ("c", Two), ("d", One)]);
    assert_eq!(drain(&mut outbox, 3), "a1 b2 c3");
    assert!(outbox.taken(2, false));
    outbox.begin();
    // An id of the last connection that this one did not write is nobody's.
    assert!(!outbox.acknowledged(1));
    assert_eq!(drain(&mut outbox, 2), "+a1 r2");
    assert!(outbox.completed(2));
    assert_eq!(drain(&mut outbox, 2), "+c3");
    assert!(outbox.acknowledged(1));
    assert_eq!(drain(&mut outbox, 2), "d4");
}

#[test]
fn a_message_is_not_sent_after_its_time() {
    let (limits, mut outbox) = (Limits::default(), Outbox::default());
    for (text, at) in [("late", 100), ("early", 101)] {
        let mail = mail(&mut outbox, text, One, Some(at));
        assert_eq!(outbox.push(&limits, mail), Pushed::Taken);
    }
    assert_eq!((drain(&mut outbox, 8), outbox.dropped()), ("early2".to_owned(), 1));
}

#[test]
fn a_message_of_qos_1_is_not_sent_again_after_its_time() {
    let (limits, mut outbox) = (Limits::default(), Outbox::default());
    for (text, qos, at) in [("a", One, 101), ("b", Two, 101), ("c", Two, 101), ("d", One, 999)] {
        let mail = mail(&mut outbox, text, qos, Some(at));
        assert_eq!(outbox.push(&limits, mail), Pushed::Taken);
    }
    assert_eq!(drain(&mut outbox, 8), "a1 b2 c3 d4");
    assert!(outbox.taken(2, false));
    outbox.begin();
    let mut out = Vec::new();
    while let Some(letter) = outbox.next(Timestamp::from_unix_millis(101), 8) {
        out.push(match letter {
            Letter::Message { mail, .. } => mail.id.to_string(),
            Letter::Release { id } => format!("r{id}"),
        });
    }
    // Under QoS 2 what was begun goes on to its end.
    assert_eq!((out.join(" "), outbox.dropped(), outbox.len()), ("r2 3 4".to_owned(), 1, 3));
    outbox.last_id = 0;
    assert_eq!((outbox.give_id(One), outbox.give_id(One)), (1, 5), "the id is free");
}

#[test]
fn a_word_that_takes_something_back_is_not_withdrawn_with_it() {
    let (limits, mut outbox) = (Limits::default(), Outbox::default());
    for text in ["volume 3", ""] {
        let mail = mail(&mut outbox, text, One, None);
        assert_eq!(outbox.push(&limits, mail), Pushed::Taken);
    }
    let topic = mail(&mut outbox, "", One, None).said.topic.to_string();
    assert_eq!(outbox.withdraw(&topic), [1]);
    assert_eq!(drain(&mut outbox, 8), "2");
}

#[test]
fn what_is_withdrawn_goes_out_neither_for_the_first_time_nor_again() {
    let (limits, mut outbox) = (Limits::default(), Outbox::default());
    for (topic, text, qos) in
        [("t", "a", One), ("u", "b", One), ("t", "c", Two), ("t", "d", Zero), ("t", "e", One)]
    {
        let mut mail = mail(&mut outbox, text, qos, None);
        mail.said = Arc::new(Said { topic: topic.into(), ..(*mail.said).clone() });
        assert_eq!(outbox.push(&limits, mail), Pushed::Taken);
    }
    assert_eq!(drain(&mut outbox, 3), "a1 b2 c3 d0");
    outbox.begin();
    assert_eq!(drain(&mut outbox, 1), "+a1");
    assert_eq!(outbox.withdraw("t"), [1, 3, 4]);
    assert!(outbox.withdraw("t").is_empty(), "once is enough");
    assert_eq!(outbox.kept().0.len(), 1, "a restart finds the other topic only");
    assert_eq!(drain(&mut outbox, 1), "", "what is on the wire takes its room until its answer");
    assert!(outbox.acknowledged(1));
    assert_eq!(drain(&mut outbox, 1), "+b2");
    outbox.withdraw("u");
    outbox.begin();
    assert_eq!((drain(&mut outbox, 8), outbox.len()), (String::new(), 0));
}

#[test]
fn a_full_queue_drops_its_oldest_of_qos_0_and_then_the_session_is_to_end() {
    let limits = Limits { queue_len_max: 3, ..Limits::default() };
    let mut outbox = outbox(&limits, &[("a", One), ("b", Zero), ("c", Zero), ("d", One)]);
    assert_eq!(push(&limits, &mut outbox, "e", Two), Pushed::Taken);
    assert_eq!(push(&limits, &mut outbox, "f", Zero), Pushed::Taken, "it is dropped itself");
    assert_eq!(push(&limits, &mut outbox, "g", One), Pushed::Full);
    assert_eq!((outbox.len(), outbox.dropped()), (3, 4));
    assert_eq!(drain(&mut outbox, 8), "a1 d2 e3");
}

#[test]
fn a_queue_is_bounded_in_bytes_too() {
    // A topic of one byte and a payload of one.
    let limits = Limits { queue_bytes_max: 4, ..Limits::default() };
    let mut outbox = outbox(&limits, &[("a", One), ("b", One)]);
    assert_eq!(push(&limits, &mut outbox, "c", One), Pushed::Full);
    assert_eq!(drain(&mut outbox, 8), "a1 b2");
    assert!(outbox.acknowledged(1));
    assert_eq!(push(&limits, &mut outbox, "c", One), Pushed::Taken);
}

#[test]
fn an_id_is_not_given_twice_while_its_delivery_lasts() {
    let mut outbox = Outbox::default();
    assert_eq!(outbox.give_id(One), 1);
    outbox.last_id = u16::MAX - 1;
    assert_eq!((outbox.give_id(Two), outbox.give_id(One), outbox.give_id(Zero)), (u16::MAX, 2, 0));
    outbox.take_back(1);
    outbox.last_id = u16::MAX;
    assert_eq!(outbox.give_id(One), 1);
}

#[test]
fn a_message_of_qos_2_from_the_client_is_remembered_until_it_is_released() {
    let mut outbox = Outbox::default();
    assert_eq!(outbox.receive(7), Receipt::New);
    assert_eq!(outbox.receive(7), Receipt::Pending, "no proof stands behind it yet");
    assert!(!outbox.release(7), "what was not answered cannot be released");
    outbox.store(7);
    assert_eq!(outbox.receive(7), Receipt::Stored);
    assert!(outbox.release(7));
    assert!(!outbox.release(7));
    assert_eq!(outbox.receive(7), Receipt::New);
    outbox.forget(7);
    assert_eq!(outbox.receive(7), Receipt::New, "a lost one is new when it comes again");
}
