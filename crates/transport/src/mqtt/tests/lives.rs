//! Connections and sessions from their beginning to their end, and what is sent down.

use std::time::Duration;

use model::Timestamp;
use record::{Body, MqttSession};

use super::{
    ward::{Bearer, START},
    *,
};

fn with_will(ward: &Ward, bearer: &Bearer, delay_s: u32) -> ClientOptions {
    let will = Some(ClientWill {
        topic: format!("{}/state", bearer.up),
        payload: "gone".into(),
        retain: true,
        delay_s,
    });
    ClientOptions { will, ..ward.options(bearer, Version::V5) }
}

fn command(bearer: &Bearer, text: &'static str, qos: Qos) -> Published {
    Published {
        topic: format!("{}/cmd/1", bearer.down),
        content_type: None,
        payload: text.into(),
        qos,
        expires_at: None,
        retain: false,
    }
}

/// Subscribes to all that goes down; tells what was written for it.
async fn listen_down(ward: &mut Ward, client: &mut Client, bearer: &Bearer) -> String {
    client.subscribe(&[(&format!("{}/cmd/#", bearer.down), Qos::AtLeastOnce)]).unwrap();
    within(client.flush()).await.unwrap();
    let told = ward.take_in(1).await.remove(0);
    let answer = within(client.next()).await.unwrap();
    assert!(matches!(answer, Incoming::Subscribed { .. }));
    told
}

/// The text of the next message and whether it came before.
async fn hear(client: &mut Client) -> (String, bool) {
    match within(client.next()).await.unwrap() {
        Incoming::Message { payload, dup, .. } => {
            (String::from_utf8(payload.to_vec()).unwrap(), dup)
        }
        other => unreachable!("{other:?}"),
    }
}

#[tokio::test]
async fn a_will_follows_a_lost_connection_and_no_goodbye() {
    let mut ward = Ward::open(Limits::default()).await;
    let bearer = ward.bearer(1);
    drop(ward.come(with_will(&ward, &bearer, 0)).await);
    // The will is written with its session, so that a crash publishes it once.
    let ended = "will gone, session ended, retained state";
    assert_eq!(ward.take_in(3).await, ["note, session 0 will", ended, "closed Lost"]);
    let client = ward.come(with_will(&ward, &bearer, 0)).await;
    within(client.goodbye(false)).await.unwrap();
    let told = ward.take_in(3).await;
    assert_eq!(told, ["note, session 0 will", "closed Disconnected", "note, session ended"]);
    // DISCONNECT 0x04 asks for it.
    let client = ward.come(with_will(&ward, &bearer, 0)).await;
    within(client.goodbye(true)).await.unwrap();
    assert_eq!(ward.take_in(3).await, ["note, session 0 will", ended, "closed Disconnected"]);
}

#[tokio::test]
async fn a_delayed_will_comes_when_it_is_due() {
    let mut ward = Ward::open(Limits::default()).await;
    let bearer = ward.bearer(1);
    let options = ClientOptions { expiry_s: 60, ..with_will(&ward, &bearer, 10) };
    drop(ward.come(options).await);
    let told = ward.take_in(3).await;
    assert_eq!(told, ["note, session 0 will", "closed Lost", "note, session 0 will"]);
    ward.advance(Duration::from_secs(11));
    assert_eq!(ward.take_in(1).await, ["will gone, session 0, retained state"]);
    ward.advance(Duration::from_secs(60));
    assert_eq!(ward.take_in(1).await, ["note, session ended"]);
}

#[tokio::test]
async fn a_second_connection_takes_over_and_the_first_hears_it() {
    let mut ward = Ward::open(Limits::default()).await;
    let bearer = ward.bearer(1);
    let mut first = ward.come(with_will(&ward, &bearer, 0)).await;
    assert_eq!(ward.take_in(1).await, ["note, session 0 will"]);
    let mut second = within(Client::connect(with_will(&ward, &bearer, 0))).await.unwrap();
    // What the first left behind is said before the second begins.
    let told = ward.take_in(4).await;
    let anew = "note, session ended, session 0 will";
    assert_eq!(told, ["will gone, retained state", "closed TakenOver", "opened", anew]);
    let expected = Incoming::PutOut { code: 0x8e, words: None };
    assert_eq!(within(first.next()).await.unwrap(), expected);
    assert!(within(first.next()).await.is_err());
    second.ping();
    assert_eq!(within(second.next()).await.unwrap(), Incoming::Pong);
    assert_eq!(ward.handle.connections().len(), 1);
    within(second.goodbye(false)).await.unwrap();
    assert_eq!(ward.take_in(2).await, ["closed Disconnected", "note, session ended"]);
}

#[tokio::test]
async fn a_message_to_a_device_reaches_whoever_listens() {
    for version in [Version::V311, Version::V5] {
        let mut ward = Ward::open(Limits::default()).await;
        let (bearer, other) = (ward.bearer(1), ward.bearer(2));
        let mut client = ward.come(ward.options(&bearer, version)).await;
        let nobody = ward.handle.publish_to(bearer.device, command(&bearer, "a", Qos::AtLeastOnce));
        assert_eq!(nobody, Err(PublishError::NobodyListens));
        assert_eq!(listen_down(&mut ward, &mut client, &bearer).await, "note");
        for (text, qos) in [("a", Qos::AtMostOnce), ("b", Qos::AtLeastOnce)] {
            assert_eq!(ward.handle.publish_to(bearer.device, command(&bearer, text, qos)), Ok(1));
            assert_eq!(ward.take_in(1).await, ["note"]);
            assert_eq!(hear(&mut client).await, (text.to_owned(), false));
        }
        let wrong = ward.handle.publish_to(other.device, command(&other, "c", Qos::AtMostOnce));
        assert_eq!(wrong, Err(PublishError::NobodyListens));
        let id = client.unsubscribe(&[&format!("{}/cmd/#", bearer.down)]).unwrap();
        within(client.flush()).await.unwrap();
        ward.take_in(1).await;
        assert_eq!(within(client.next()).await.unwrap(), Incoming::Unsubscribed { id });
        let nobody = ward.handle.publish_to(bearer.device, command(&bearer, "d", Qos::AtMostOnce));
        assert_eq!(nobody, Err(PublishError::NobodyListens));
    }
}

#[tokio::test]
async fn what_was_sent_while_nobody_was_there_waits_and_comes_again_if_not_answered() {
    let mut ward = Ward::open(Limits::default()).await;
    let bearer = ward.bearer(1);
    let kept = ClientOptions { clean: false, expiry_s: 600, ..ward.options(&bearer, Version::V5) };
    let mut client = ward.come(kept.clone()).await;
    assert_eq!(ward.take_in(1).await, ["note, session 0"]);
    assert_eq!(listen_down(&mut ward, &mut client, &bearer).await, "note, session 1");
    drop(client);
    assert_eq!(ward.take_in(2).await, ["closed Lost", "note, session 1"]);
    let end = ward.clock.now().after(Duration::from_secs(5));
    let late = Published { expires_at: Some(end), ..command(&bearer, "late", Qos::AtLeastOnce) };
    assert_eq!(ward.handle.publish_to(bearer.device, late), Ok(1));
    let waits = command(&bearer, "waits", Qos::AtLeastOnce);
    assert_eq!(ward.handle.publish_to(bearer.device, waits), Ok(1));
    assert_eq!(ward.take_in(2).await, ["note, queued 1@1", "note, queued 2@1"]);
    assert_eq!(ward.handle.counters().waiting, 2);
    ward.advance(Duration::from_secs(5));
    // The first time the client is gone before it could answer.
    let mut raw_like = within(Client::connect(kept.clone())).await.unwrap();
    assert!(raw_like.session_present());
    let heard = within(raw_like.next()).await.unwrap();
    assert!(matches!(heard, Incoming::Message { dup: false, .. }));
    drop(raw_like);
    let told = ward.take_in(4).await;
    assert_eq!(told, ["opened", "note, session 1", "closed Lost", "note, session 1"]);
    let mut client = within(Client::connect(kept)).await.unwrap();
    assert_eq!(hear(&mut client).await, ("waits".to_owned(), true));
    client.ping();
    assert_eq!(within(client.next()).await.unwrap(), Incoming::Pong);
    until(|| ward.handle.counters().waiting == 0).await;
    assert_eq!(ward.handle.counters().dropped, 1);
    assert_eq!(ward.take_in(3).await, ["opened", "note, session 1", "note, done 2"]);
}

#[tokio::test]
async fn a_retained_message_waits_for_its_subscriber() {
    let mut ward = Ward::open(Limits::default()).await;
    let bearer = ward.bearer(1);
    let config = Published {
        topic: format!("{}/cmd/cfg", bearer.down),
        retain: true,
        ..command(&bearer, "config", Qos::AtLeastOnce)
    };
    assert_eq!(ward.handle.publish_to(bearer.device, config), Ok(0));
    assert_eq!(ward.take_in(1).await, ["note, retained cfg"]);
    let mut client = ward.come(ward.options(&bearer, Version::V5)).await;
    listen_down(&mut ward, &mut client, &bearer).await;
    let heard = within(client.next()).await.unwrap();
    assert!(matches!(heard, Incoming::Message { retained: true, .. }));
}

#[tokio::test]
async fn a_client_too_slow_for_its_queue_loses_its_session_and_that_is_counted() {
    let mut ward = Ward::open(Limits { queue_len_max: 2, ..Limits::default() }).await;
    let bearer = ward.bearer(1);
    let kept = ClientOptions { clean: false, expiry_s: 600, ..ward.options(&bearer, Version::V5) };
    let mut client = ward.come(kept.clone()).await;
    assert_eq!(ward.take_in(1).await, ["note, session 0"]);
    listen_down(&mut ward, &mut client, &bearer).await;
    drop(client);
    assert_eq!(ward.take_in(2).await, ["closed Lost", "note, session 1"]);
    for id in 1..=3 {
        let sent = ward.handle.publish_to(bearer.device, command(&bearer, "x", Qos::AtLeastOnce));
        assert_eq!(sent, Ok(1));
        assert_eq!(ward.take_in(1).await, [format!("note, queued {id}@1")]);
    }
    let counters = ward.handle.counters();
    assert_eq!((counters.sessions_lost, counters.dropped, counters.sessions), (1, 3, 0));
    ward.advance(Duration::from_secs(1));
    let refused =
        "refused: more waited for the device than may wait for one, so its session was ended";
    assert_eq!(ward.take_in(2).await, ["note, session ended", refused]);
    assert!(!ward.come(kept).await.session_present());
}

#[tokio::test]
async fn a_connected_client_too_slow_for_its_queue_hears_that_its_session_is_lost() {
    let mut ward = Ward::open(Limits { queue_len_max: 2, ..Limits::default() }).await;
    let bearer = ward.bearer(1);
    let kept = ClientOptions { clean: false, expiry_s: 600, ..ward.options(&bearer, Version::V5) };
    let mut client = ward.come(kept).await;
    assert_eq!(ward.take_in(1).await, ["note, session 0"]);
    listen_down(&mut ward, &mut client, &bearer).await;
    for _ in 0..3 {
        // It reads nothing, so it answers nothing.
        let command = command(&bearer, "x", Qos::AtLeastOnce);
        ward.handle.publish_to(bearer.device, command).unwrap();
        ward.take_in(1).await;
    }
    let mut last = within(client.next()).await.unwrap();
    while let Incoming::Message { .. } = last {
        last = within(client.next()).await.unwrap();
    }
    assert_eq!(last, Incoming::PutOut { code: 0x97, words: None });
    assert_eq!(ward.take_in(1).await, ["closed Refused"]);
    ward.advance(Duration::from_secs(1));
    let told = ward.take_in(1).await;
    assert_eq!(told, ["note, session ended"]);
}

#[tokio::test]
async fn a_session_that_an_earlier_release_kept_is_there_after_a_restart() {
    let first = Ward::open(Limits::default()).await;
    let bearer = first.bearer(1);
    let site = model::SiteId::v7(START, 2);
    let kept = MqttSession {
        device: bearer.device,
        client_id: bearer.device.to_string(),
        expiry_s: 60,
        subscriptions: vec![(format!("wl/1/{site}/{}/down/#", bearer.device), 1)],
        ended: false,
        site: None,
        subscription_ids: None,
        ends_at: None,
        will: None,
    };
    let mut recalled = Recalled::from_the_beginning();
    recalled.take(first.org, &Body::MqttSession(kept));
    let mut ward = Ward::open_with(Limits::default(), recalled).await;
    let bearer = ward.bearer(1);
    let sent = ward.handle.publish_to(bearer.device, command(&bearer, "waits", Qos::AtLeastOnce));
    assert_eq!(sent, Ok(1));
    assert_eq!(ward.take_in(1).await, ["note, queued 1@1"]);
    let options =
        ClientOptions { clean: false, expiry_s: 60, ..ward.options(&bearer, Version::V5) };
    let mut client = ward.come(options).await;
    assert!(client.session_present());
    assert_eq!(hear(&mut client).await, ("waits".to_owned(), false));
}

#[tokio::test]
async fn a_stop_is_said_to_everybody_and_ends_the_arrivals() {
    let mut ward = Ward::open(Limits::default()).await;
    let bearer = ward.bearer(1);
    let mut client = ward.come(ward.options(&bearer, Version::V5)).await;
    ward.handle.stop();
    let expected = Incoming::PutOut { code: 0x8b, words: None };
    assert_eq!(within(client.next()).await.unwrap(), expected);
    assert_eq!(ward.tell(1).await, ["closed Refused"]);
    assert!(within(ward.listener.next()).await.is_none());
}

#[tokio::test]
async fn connections_are_listed_with_who_and_since_when() {
    let mut ward = Ward::open(Limits::default()).await;
    let bearer = ward.bearer(1);
    let _client = ward.come(ward.options(&bearer, Version::V311)).await;
    let [found] = &ward.handle.connections()[..] else { unreachable!("not one connection") };
    assert_eq!((found.device, found.version), (bearer.device, Version::V311));
    assert_eq!((found.since, found.client_id.clone()), (START, bearer.device.to_string()));
    let _: Timestamp = found.since;
}

#[tokio::test]
async fn a_client_keeps_its_connection_alive_while_it_listens() {
    let mut ward = Ward::open(Limits::default()).await;
    let bearer = ward.bearer(1);
    let options = ClientOptions { keep_alive_s: 20, ..ward.options(&bearer, Version::V5) };
    let mut client = ward.come(options).await;
    for _ in 0..5 {
        ward.advance(Duration::from_secs(10));
        assert_eq!(within(client.next()).await.unwrap(), Incoming::Pong);
    }
}
