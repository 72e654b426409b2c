//! Connections and sessions from their beginning to their end, and what is sent down.

use std::time::Duration;

use model::Timestamp;
use record::MqttSession;

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

async fn listen_down(client: &mut Client, bearer: &Bearer) {
    client.subscribe(&[(&format!("{}/#", bearer.down), Qos::AtLeastOnce)]).unwrap();
    let answer = within(client.next()).await.unwrap();
    assert!(matches!(answer, Incoming::Subscribed { .. }));
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
    assert_eq!(ward.tell(2).await, ["will gone", "closed Lost"]);
    let client = ward.come(with_will(&ward, &bearer, 0)).await;
    within(client.goodbye(false)).await.unwrap();
    assert_eq!(ward.tell(1).await, ["closed Disconnected"]);
    // DISCONNECT 0x04 asks for it.
    let client = ward.come(with_will(&ward, &bearer, 0)).await;
    within(client.goodbye(true)).await.unwrap();
    assert_eq!(ward.tell(2).await, ["will gone", "closed Disconnected"]);
}

#[tokio::test]
async fn a_delayed_will_comes_when_it_is_due() {
    let mut ward = Ward::open(Limits::default()).await;
    let bearer = ward.bearer(1);
    let options = ClientOptions { expiry_s: 60, ..with_will(&ward, &bearer, 10) };
    drop(ward.come(options).await);
    assert_eq!(ward.tell(2).await, ["session 0", "closed Lost"]);
    ward.advance(Duration::from_secs(11));
    assert_eq!(ward.tell(1).await, ["will gone"]);
    ward.advance(Duration::from_secs(60));
    assert_eq!(ward.tell(1).await, ["session ended"]);
}

#[tokio::test]
async fn a_second_connection_takes_over_and_the_first_hears_it() {
    let mut ward = Ward::open(Limits::default()).await;
    let bearer = ward.bearer(1);
    let mut first = ward.come(with_will(&ward, &bearer, 0)).await;
    let mut second = within(Client::connect(with_will(&ward, &bearer, 0))).await.unwrap();
    // What the first left behind is said before the second begins.
    assert_eq!(ward.tell(3).await, ["will gone", "closed TakenOver", "opened"]);
    let expected = Incoming::PutOut { code: 0x8e, words: None };
    assert_eq!(within(first.next()).await.unwrap(), expected);
    assert!(within(first.next()).await.is_err());
    second.ping();
    assert_eq!(within(second.next()).await.unwrap(), Incoming::Pong);
    assert_eq!(ward.handle.connections().len(), 1);
    within(second.goodbye(false)).await.unwrap();
    assert_eq!(ward.tell(1).await, ["closed Disconnected"]);
}

#[tokio::test]
async fn a_message_to_a_device_reaches_whoever_listens() {
    for version in [Version::V311, Version::V5] {
        let mut ward = Ward::open(Limits::default()).await;
        let (bearer, other) = (ward.bearer(1), ward.bearer(2));
        let mut client = ward.come(ward.options(&bearer, version)).await;
        let nobody = ward.handle.publish_to(bearer.device, command(&bearer, "a", Qos::AtLeastOnce));
        assert_eq!(nobody, Err(PublishError::NobodyListens));
        listen_down(&mut client, &bearer).await;
        for (text, qos) in [("a", Qos::AtMostOnce), ("b", Qos::AtLeastOnce)] {
            assert_eq!(ward.handle.publish_to(bearer.device, command(&bearer, text, qos)), Ok(1));
            assert_eq!(hear(&mut client).await, (text.to_owned(), false));
        }
        let wrong = ward.handle.publish_to(other.device, command(&other, "c", Qos::AtMostOnce));
        assert_eq!(wrong, Err(PublishError::NobodyListens));
        let id = client.unsubscribe(&[&format!("{}/#", bearer.down)]).unwrap();
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
    listen_down(&mut client, &bearer).await;
    drop(client);
    assert_eq!(ward.tell(3).await, ["session 0", "session 1", "closed Lost"]);
    let end = ward.clock.now().after(Duration::from_secs(5));
    let late = Published { expires_at: Some(end), ..command(&bearer, "late", Qos::AtLeastOnce) };
    assert_eq!(ward.handle.publish_to(bearer.device, late), Ok(1));
    let waits = command(&bearer, "waits", Qos::AtLeastOnce);
    assert_eq!(ward.handle.publish_to(bearer.device, waits), Ok(1));
    assert_eq!(ward.handle.counters().waiting, 2);
    ward.advance(Duration::from_secs(5));
    // The first time the client is gone before it could answer.
    let mut raw_like = within(Client::connect(kept.clone())).await.unwrap();
    assert!(raw_like.session_present());
    let heard = within(raw_like.next()).await.unwrap();
    assert!(matches!(heard, Incoming::Message { dup: false, .. }));
    drop(raw_like);
    assert_eq!(ward.tell(3).await, ["opened", "session 1", "closed Lost"]);
    let mut client = within(Client::connect(kept)).await.unwrap();
    assert_eq!(hear(&mut client).await, ("waits".to_owned(), true));
    client.ping();
    assert_eq!(within(client.next()).await.unwrap(), Incoming::Pong);
    until(|| ward.handle.counters().waiting == 0).await;
    assert_eq!(ward.handle.counters().dropped, 1);
}

#[tokio::test]
async fn a_retained_message_waits_for_its_subscriber() {
    let mut ward = Ward::open(Limits::default()).await;
    let bearer = ward.bearer(1);
    let config = Published {
        topic: format!("{}/cfg", bearer.down),
        retain: true,
        ..command(&bearer, "config", Qos::AtLeastOnce)
    };
    assert_eq!(ward.handle.publish_to(bearer.device, config), Ok(0));
    let mut client = ward.come(ward.options(&bearer, Version::V5)).await;
    listen_down(&mut client, &bearer).await;
    let heard = within(client.next()).await.unwrap();
    assert!(matches!(heard, Incoming::Message { retained: true, .. }));
}

#[tokio::test]
async fn a_queue_that_is_full_refuses() {
    let mut ward = Ward::open(Limits { queue_len_max: 2, ..Limits::default() }).await;
    let bearer = ward.bearer(1);
    let kept = ClientOptions { clean: false, expiry_s: 600, ..ward.options(&bearer, Version::V5) };
    let mut client = ward.come(kept).await;
    listen_down(&mut client, &bearer).await;
    drop(client);
    assert_eq!(ward.tell(3).await, ["session 0", "session 1", "closed Lost"]);
    for expected in [Ok(1), Ok(1), Err(PublishError::Full)] {
        let sent = ward.handle.publish_to(bearer.device, command(&bearer, "x", Qos::AtLeastOnce));
        assert_eq!(sent, expected);
    }
}

#[tokio::test]
async fn a_session_that_was_kept_is_there_after_a_restart() {
    let bearer = Ward::open(Limits::default()).await.bearer(1);
    let site = model::SiteId::v7(START, 2);
    let kept = MqttSession {
        device: bearer.device,
        client_id: bearer.device.to_string(),
        expiry_s: 60,
        subscriptions: vec![(format!("wl/1/{site}/{}/down/#", bearer.device), 1)],
        ended: false,
    };
    let mut ward = Ward::open_with(Limits::default(), vec![kept]).await;
    let bearer = ward.bearer(1);
    let sent = ward.handle.publish_to(bearer.device, command(&bearer, "waits", Qos::AtLeastOnce));
    assert_eq!(sent, Ok(1));
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
