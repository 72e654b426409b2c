//! A dead letter is taken in once, as late as it is, and stays what it is until it is mended.

use model::{Clock as DeviceClock, Timestamp, UserId};
use record::{DeadLetter, Readings};

use super::*;

const CAME: i64 = 1_767_258_000_000;

/// A ward whose disk makes nothing durable yet, a message, and the letter that it was once.
fn held() -> (Ward, String, DeadLetter) {
    let (ward, payload) = (Ward::new(), counted(7, "72"));
    let kept = letter(DEVICE, &payload);
    ward.disk.hold_syncs();
    (ward, payload, kept)
}

fn letter(device: &str, payload: &str) -> DeadLetter {
    DeadLetter {
        id: DeadLetterId::v7(Timestamp::from_unix_millis(CAME), 7),
        device: Some(device.parse().unwrap()),
        door: "mqtt".to_owned(),
        topic: format!("wl/1/{SITE}/{device}/up/num"),
        content_type: None,
        reason: "senml:u".to_owned(),
        explanation: "the profile knew no such unit".to_owned(),
        payload: payload.as_bytes().to_vec(),
    }
}

fn asked(at_millis: i64) -> ReplayAsked {
    let by: UserId = OTHER.parse().unwrap();
    ReplayAsked { org: ORG.parse().unwrap(), by, at: Timestamp::from_unix_millis(at_millis) }
}

impl Ward {
    async fn replays(&self, letter: &DeadLetter, hours_later: i64) -> Result<String, String> {
        let came = Timestamp::from_unix_millis(CAME);
        let asked = asked(CAME + hours_later * 3_600_000);
        let done = self.door.replay(letter, came, asked).await;
        done.map(|it| format!("{}{}", if it.mended { "" } else { "stays: " }, it.outcome))
            .map_err(|error| error.to_string())
    }

    pub(super) fn readings(&self) -> Vec<(Timestamp, Readings)> {
        let records = self.journal.replay(LogOffset::default());
        let of =
            |frame: &record::Frame| match Body::decode(frame.kind, frame.body_version, &frame.body)
                .unwrap()
            {
                Body::Readings(readings) => Some((frame.received_at, readings)),
                _ => None,
            };
        records.filter_map(|record| of(&record.unwrap().frame)).collect()
    }
}

#[tokio::test]
async fn a_mended_letter_is_taken_in_once_and_is_as_old_as_it_is() {
    let ward = Ward::new();
    let letter = letter(DEVICE, &counted(7, "72"));
    assert_eq!(ward.replays(&letter, 5).await, Ok("stored".to_owned()));
    assert!(ward.replays(&letter, 6).await.unwrap_err().contains("already"));
    let taken = ward.readings();
    assert_eq!(taken.len(), 1);
    let (received_at, readings) = &taken[0];
    assert_eq!(received_at.unix_millis(), CAME + 5 * 3_600_000, "it came in again now");
    // Its clock was judged by the hour at which it came, so that it looks five hours old.
    assert_eq!(readings.clock, DeviceClock::Synchronised { offset_ns: 0 });
    assert_eq!(readings.gateway_at, Some(Timestamp::from_unix_millis(CAME)));
}

#[tokio::test]
async fn a_letter_that_the_device_sent_again_since_is_not_taken_twice() {
    let ward = Ward::new();
    assert_eq!(ward.numerics(&counted(7, "72")).await, "stored");
    let letter = letter(DEVICE, &counted(7, "72"));
    assert_eq!(ward.replays(&letter, 1).await, Ok("duplicate".to_owned()));
    assert_eq!(ward.readings().len(), 1);
}

#[tokio::test]
async fn a_letter_whose_cause_is_not_mended_stays_and_may_be_tried_again() {
    let ward = Ward::new();
    for _ in 0..2 {
        let unread = letter(DEVICE, "not JSON");
        assert!(ward.replays(&unread, 1).await.unwrap().starts_with("stays: senml:"));
        let unknown = letter(OTHER, &counted(7, "72"));
        assert_eq!(ward.replays(&unknown, 1).await, Ok("stays: device:unknown".to_owned()));
    }
    let nobodys = DeadLetter { device: None, ..letter(DEVICE, &counted(7, "72")) };
    assert_eq!(ward.replays(&nobodys, 1).await, Ok("stays: device:unknown".to_owned()));
    assert!(ward.readings().is_empty());
}

#[tokio::test]
async fn two_who_ask_at_once_take_it_once() {
    let ward = Ward::new();
    let letter = letter(DEVICE, &counted(7, "72"));
    let (one, two) = tokio::join!(ward.replays(&letter, 1), ward.replays(&letter, 1));
    assert!(one.is_ok() ^ two.is_ok(), "{one:?} {two:?}");
    assert_eq!(ward.readings().len(), 1);
}

#[tokio::test]
async fn a_letter_that_was_taken_in_is_known_after_a_restart_and_one_that_was_lost_is_new() {
    let ward = Ward::new();
    let kept = letter(DEVICE, &counted(7, "72"));
    ward.disk.set_room(Some(0));
    assert!(ward.replays(&kept, 1).await.unwrap_err().contains("durable"));
    ward.disk.set_room(None);
    let mut answer = Err("not yet".to_owned());
    // The journal heals by itself.
    for _ in 0..1_000_000 {
        answer = ward.replays(&kept, 1).await;
        if answer.is_ok() {
            break;
        }
        tokio::task::yield_now().await;
    }
    assert_eq!(answer, Ok("stored".to_owned()), "what was not durable was never taken");
    let again = Ward::new();
    for record in ward.journal.replay(LogOffset::default()) {
        let frame = record.unwrap().frame;
        again.door.recall(&Body::decode(frame.kind, frame.body_version, &frame.body).unwrap());
    }
    assert!(again.replays(&kept, 2).await.unwrap_err().contains("already"));
}

#[tokio::test]
async fn a_live_repeat_of_a_replayed_letter_is_safe_only_when_the_letter_is() {
    let (ward, payload, kept) = held();
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    let mut replayed = Box::pin(ward.replays(&kept, 1));
    assert!(replayed.as_mut().poll(&mut context).is_pending());
    let mut live = Box::pin(ward.numerics(&payload));
    assert!(live.as_mut().poll(&mut context).is_pending());
    ward.disk.release_syncs();
    // Its repeat is asked before anybody has heard what became of the letter.
    assert_eq!(live.await, "no answer");
    assert_eq!(replayed.await, Ok("stored".to_owned()));
    assert_eq!(ward.numerics(&payload).await, "repeated");
    assert_eq!(ward.readings().len(), 1);
}

#[tokio::test]
async fn a_letter_waits_for_the_copy_that_the_device_is_sending_again() {
    let (ward, payload, kept) = held();
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    let mut live = Box::pin(ward.numerics(&payload));
    assert!(live.as_mut().poll(&mut context).is_pending());
    let mut replayed = Box::pin(ward.replays(&kept, 1));
    // It is refused at once, and nothing is appended.
    let answer = replayed.as_mut().poll(&mut context);
    let is_refused = |answer: &Result<String, String>| {
        answer.as_ref().is_err_and(|words| words.contains("try again"))
    };
    assert!(matches!(&answer, std::task::Poll::Ready(it) if is_refused(it)), "{answer:?}");
    ward.disk.release_syncs();
    assert_eq!(live.await, "stored");
    assert_eq!(ward.replays(&kept, 1).await, Ok("duplicate".to_owned()));
    assert_eq!(ward.readings().len(), 1);
}

#[tokio::test]
async fn whoever_asked_for_a_replay_and_left_leaves_nothing_pending() {
    let (ward, payload, kept) = held();
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    let mut replayed = Box::pin(ward.replays(&kept, 1));
    assert!(replayed.as_mut().poll(&mut context).is_pending());
    drop(replayed);
    ward.disk.release_syncs();
    let mut answer = String::new();
    for _ in 0..1_000_000 {
        answer = ward.numerics(&payload).await;
        if answer == "repeated" {
            break;
        }
        tokio::task::yield_now().await;
    }
    assert_eq!(answer, "repeated");
}

#[tokio::test]
async fn what_a_letter_becomes_says_since_when_it_lay_here_and_a_repeat_says_nothing_of_now() {
    let ward = Ward::new();
    for (leaf, said) in [
        ("num", counted(7, "72")),
        ("event", r#"{"event":"fall"}"#.to_owned()),
        ("state", r#"{"online":true}"#.to_owned()),
        ("cfg", r#"{"version":"12"}"#.to_owned()),
        ("cmd/0192f0c1-2b3a-7c4d-8e5f-00000000000c", r#"{"status":"done"}"#.to_owned()),
        ("log", "a line of any kind".to_owned()),
    ] {
        let topic = format!("wl/1/{SITE}/{DEVICE}/up/{leaf}");
        let id = letter_id(&Message {
            topic: &topic,
            content_type: None,
            payload: said.as_bytes(),
            received_at: Timestamp::from_unix_millis(CAME),
        });
        let kept = DeadLetter { id, topic, ..letter(DEVICE, &said) };
        assert_eq!(ward.replays(&kept, 1).await, Ok("stored".to_owned()), "{leaf}");
    }
    let again = DeadLetter {
        id: DeadLetterId::v7(Timestamp::default(), 9),
        ..letter(DEVICE, &counted(7, "72"))
    };
    assert_eq!(ward.replays(&again, 1).await, Ok("duplicate".to_owned()));
    let came = Some(Timestamp::from_unix_millis(CAME));
    let mut bodies = 0;
    for record in ward.journal.replay(LogOffset::default()) {
        let frame = record.unwrap().frame;
        let gateway_at = match Body::decode(frame.kind, frame.body_version, &frame.body).unwrap() {
            Body::Readings(it) => it.gateway_at,
            Body::Event(it) => it.gateway_at,
            Body::State(it) => it.gateway_at,
            Body::Config(it) => it.gateway_at,
            Body::CommandResult(it) => it.gateway_at,
            Body::Upward(it) => it.gateway_at,
            Body::Replayed(_) => continue,
            _ => None,
        };
        assert_eq!(gateway_at, came);
        bodies += 1;
    }
    assert_eq!(bodies, 6);
}
