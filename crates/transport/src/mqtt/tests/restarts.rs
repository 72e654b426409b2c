//! What is there after the program was killed: read back from the journal that it left.

use std::time::Duration;

use super::*;
use crate::Arrival;

/// The door after a restart over what the first one's journal holds.
async fn again(first: &Ward) -> Ward {
    Ward::open_with(Limits::default(), first.recalled()).await
}

const KEPT: u32 = 600;

fn kept(ward: &Ward, number: u128) -> ClientOptions {
    ClientOptions {
        clean: false,
        expiry_s: KEPT,
        ..ward.options(&ward.bearer(number), Version::V5)
    }
}

async fn subscribe(ward: &mut Ward, client: &mut Client, filter: &str, qos: Qos) -> Vec<String> {
    client.subscribe(&[(filter, qos)]).unwrap();
    within(client.flush()).await.unwrap();
    let told = ward.take_in(1).await;
    assert!(matches!(within(client.next()).await.unwrap(), Incoming::Subscribed { .. }));
    told
}

async fn say(ward: &mut Ward, topic: &str, payload: &'static str, qos: Qos, retain: bool) {
    let device = ward.bearer(1).device;
    let topic = topic.to_owned();
    let (payload, content_type, expires_at) = (payload.into(), None, None);
    let published = Published { topic, content_type, payload, qos, expires_at, retain };
    ward.handle.publish_to(device, published).unwrap();
    ward.take_in(1).await;
}

/// All that a client hears until the server answers a ping.
async fn all(client: &mut Client) -> Vec<String> {
    client.ping();
    let mut heard = Vec::new();
    loop {
        match within(client.next()).await.unwrap() {
            Incoming::Message { payload, dup, retained, .. } => {
                let (again, kept) = (if dup { "+" } else { "" }, if retained { "r" } else { "" });
                heard.push(format!("{kept}{again}{}", String::from_utf8_lossy(&payload)));
            }
            Incoming::Pong => return heard,
            other => unreachable!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_queue_and_its_order_survive() {
    let mut ward = Ward::open(Limits::default()).await;
    let down = ward.bearer(1).down;
    let mut client = ward.come(kept(&ward, 1)).await;
    ward.take_in(1).await;
    subscribe(&mut ward, &mut client, &format!("{down}/cmd/#"), Qos::ExactlyOnce).await;
    drop(client);
    ward.take_in(2).await;
    for (text, qos) in [("a", Qos::AtLeastOnce), ("b", Qos::ExactlyOnce), ("d", Qos::AtLeastOnce)] {
        say(&mut ward, &format!("{down}/cmd/1"), text, qos, false).await;
    }
    let mut ward = again(&ward).await;
    let mut client = ward.come(kept(&ward, 1)).await;
    assert!(client.session_present());
    assert_eq!(ward.take_in(1).await, ["note, session 1"]);
    // Nobody was there when they came, so none has gone out before.
    assert_eq!(all(&mut client).await, ["a", "b", "d"]);
}

#[tokio::test]
async fn what_may_have_gone_out_before_comes_as_a_repeat() {
    let mut ward = Ward::open(Limits::default()).await;
    let down = ward.bearer(1).down;
    let mut client = ward.come(kept(&ward, 1)).await;
    ward.take_in(1).await;
    subscribe(&mut ward, &mut client, &format!("{down}/cmd/#"), Qos::AtLeastOnce).await;
    say(&mut ward, &format!("{down}/cmd/1"), "a", Qos::AtLeastOnce, false).await;
    let mut ward = again(&ward).await;
    let mut client = ward.come(kept(&ward, 1)).await;
    assert_eq!(all(&mut client).await, ["+a"]);
}

#[tokio::test]
async fn what_was_answered_before_does_not_come_again() {
    let mut ward = Ward::open(Limits::default()).await;
    let down = ward.bearer(1).down;
    let mut client = ward.come(kept(&ward, 1)).await;
    ward.take_in(1).await;
    subscribe(&mut ward, &mut client, &format!("{down}/cmd/#"), Qos::ExactlyOnce).await;
    for (text, qos) in [("a", Qos::AtLeastOnce), ("b", Qos::ExactlyOnce)] {
        say(&mut ward, &format!("{down}/cmd/1"), text, qos, false).await;
    }
    assert_eq!(all(&mut client).await, ["a", "b"]);
    within(client.flush()).await.unwrap();
    // PUBACK and PUBREC are taken in; the client has no PUBREL yet.
    let mut told = ward.take_in(2).await;
    told.sort();
    assert_eq!(told, ["note, done 1", "note, taken 2"]);
    let mut ward = again(&ward).await;
    let mut client = ward.come(kept(&ward, 1)).await;
    ward.take_in(1).await;
    // «Released» comes again, and the answer to it ends the delivery.
    assert!(all(&mut client).await.is_empty());
    within(client.flush()).await.unwrap();
    assert_eq!(ward.take_in(1).await, ["note, done 2"]);
    let ward = again(&ward).await;
    assert_eq!(ward.handle.counters().waiting, 0);
}

#[tokio::test]
async fn a_packet_id_of_qos_2_survives_until_it_is_released() {
    let mut ward = Ward::open(Limits::default()).await;
    let up = ward.bearer(1).up;
    let topic = format!("{up}/raw/x");
    let mut client = ward.come(kept(&ward, 1)).await;
    ward.take_in(1).await;
    let id = client.publish(&topic, None, "x", Qos::ExactlyOnce).unwrap();
    within(client.flush()).await.unwrap();
    assert_eq!(ward.take_in(1).await, ["message x, received 1"]);
    let mut ward = again(&ward).await;
    let mut client = ward.come(kept(&ward, 1)).await;
    ward.take_in(1).await;
    // The same message under the same id is not taken in again.
    let same = client.publish(&topic, None, "x", Qos::ExactlyOnce).unwrap();
    assert_eq!(same, id);
    within(client.flush()).await.unwrap();
    within(async {
        loop {
            tokio::select! {
                answer = client.next() => {
                    assert_eq!(answer.unwrap(), Incoming::Acknowledged { id, code: 0, words: None });
                    break;
                }
                arrival = ward.listener.next() => {
                    let told = ward.take_one(arrival.unwrap()).await;
                    assert_eq!(told, "note, released 1");
                }
            }
        }
    })
    .await;
}

#[tokio::test]
async fn retained_messages_survive_and_so_does_their_end() {
    let mut ward = Ward::open(Limits::default()).await;
    let down = ward.bearer(1).down;
    for (leaf, text) in [("cfg", "old"), ("cfg", "new"), ("log", "t"), ("log", "")] {
        say(&mut ward, &format!("{down}/{leaf}"), text, Qos::AtLeastOnce, true).await;
    }
    let mut ward = again(&ward).await;
    assert_eq!(ward.handle.counters().retained, 1);
    let mut client = ward.come(ward.options(&ward.bearer(1), Version::V5)).await;
    client.subscribe(&[(&format!("{down}/cfg"), Qos::AtLeastOnce)]).unwrap();
    within(client.flush()).await.unwrap();
    ward.take_in(1).await;
    assert!(matches!(within(client.next()).await.unwrap(), Incoming::Subscribed { .. }));
    assert_eq!(all(&mut client).await, ["rnew"]);
}

#[tokio::test]
async fn a_will_of_whoever_was_connected_is_published_after_its_delay() {
    // Delay, session expiry, and after how many seconds the will is due.
    for (delay_s, expiry_s, due_s) in [(0, 0, 1), (10, KEPT, 10), (10, 5, 5), (10, 0, 1)] {
        let mut ward = Ward::open(Limits::default()).await;
        let bearer = ward.bearer(1);
        let will = Some(ClientWill {
            topic: format!("{}/state", bearer.up),
            payload: "gone".into(),
            retain: true,
            delay_s,
        });
        let _client = ward.come(ClientOptions { will, expiry_s, ..kept(&ward, 1) }).await;
        assert_eq!(ward.take_in(1).await, ["note, session 0 will"]);
        let mut ward = again(&ward).await;
        if due_s > 1 {
            ward.advance(Duration::from_secs(due_s - 1));
            assert_eq!(ward.listener.depth(), 0);
        }
        ward.advance(Duration::from_secs(1));
        let told = ward.take_in(1).await.remove(0);
        assert!(told.starts_with("will gone, session"), "{told}");
        assert!(told.ends_with(", retained state"), "{told}");
        // Once: the group that holds the will ends it in its session.
        let mut ward = again(&ward).await;
        ward.advance(Duration::from_secs(u64::from(KEPT) + 11));
        let rest = if expiry_s == KEPT { vec!["note, session ended"] } else { Vec::new() };
        for expected in rest {
            assert_eq!(ward.take_in(1).await, [expected]);
        }
        assert_eq!(ward.listener.depth(), 0);
    }
}

#[tokio::test]
async fn a_session_ends_when_it_would_have_without_the_restart() {
    let mut ward = Ward::open(Limits::default()).await;
    let client = ward.come(kept(&ward, 1)).await;
    ward.take_in(1).await;
    within(client.goodbye(false)).await.unwrap();
    assert_eq!(ward.take_in(2).await, ["closed Disconnected", "note, session 0"]);
    // The second one starts later than its clock says, but the end stands in the journal.
    let recalled = ward.recalled();
    let mut ward = Ward::open_with(Limits::default(), recalled).await;
    ward.advance(Duration::from_secs(u64::from(KEPT)));
    assert_eq!(ward.take_in(1).await, ["note, session ended"]);
    assert_eq!(again(&ward).await.handle.counters().sessions, 0);
}

#[tokio::test]
async fn a_clean_start_leaves_nothing_of_the_session_before() {
    let mut ward = Ward::open(Limits::default()).await;
    let down = ward.bearer(1).down;
    let mut client = ward.come(kept(&ward, 1)).await;
    ward.take_in(1).await;
    subscribe(&mut ward, &mut client, &format!("{down}/cmd/#"), Qos::AtLeastOnce).await;
    drop(client);
    ward.take_in(2).await;
    say(&mut ward, &format!("{down}/cmd/1"), "old", Qos::AtLeastOnce, false).await;
    let (_client, told) = ward.come_anew(kept(&ward, 1)).await;
    assert_eq!(told, ["note, session ended, session 0"]);
    let mut ward = again(&ward).await;
    let mut client = ward.come(kept(&ward, 1)).await;
    assert!(client.session_present());
    ward.take_in(1).await;
    assert!(all(&mut client).await.is_empty());
}

#[tokio::test]
async fn a_clean_start_is_answered_when_no_restart_can_bring_the_session_before_back() {
    let mut ward = Ward::open(Limits::default()).await;
    let bearer = ward.bearer(1);
    let topic = format!("{}/raw/x", bearer.up);
    let mut client = ward.come(kept(&ward, 1)).await;
    ward.take_in(1).await;
    client.publish(&topic, None, "old", Qos::ExactlyOnce).unwrap();
    within(client.flush()).await.unwrap();
    assert_eq!(ward.take_in(1).await, ["message old, received 1"]);
    drop(client);
    ward.take_in(2).await;
    // Clean, of a session that is kept and of one that is not; its first message follows at once.
    for expiry in [&[5, 0x11, 0, 0, 0, 60][..], &[0]] {
        let id = bearer.device.to_string();
        let body = [b"\0\x04MQTT\x05\x02\0\0", expiry, &[0, 36], id.as_bytes()].concat();
        let mut raw = ward.raw(&bearer).await;
        raw.write(&[&[0x10, body.len() as u8], &body[..]].concat()).await;
        raw.write(&[0xc0, 0]).await;
        assert_eq!(ward.tell(1).await, ["opened"]);
        let asked = ward.draw().await;
        // Killed now, the old session is there again, and nobody was told that it is over.
        let mut killed = again(&ward).await;
        assert!(killed.come(kept(&killed, 1)).await.session_present());
        assert!(raw.has_heard_nothing().await, "it was let in before that was kept");
        let told = ward.take_one(asked).await;
        assert!(told.starts_with("note, session ended"), "{told}");
        let connack = raw.read_exactly(4).await;
        assert_eq!((connack[0], &connack[2..]), (0x20, &[0, 0][..]), "no session, and welcome");
        let rest = raw.read_exactly(usize::from(connack[1])).await;
        assert_eq!(rest[rest.len() - 2..], [0xd0, 0], "what followed the CONNECT is answered");
        let mut killed = again(&ward).await;
        let is_kept = expiry.len() > 1;
        let mut client = killed.come(kept(&killed, 1)).await;
        assert_eq!(client.session_present(), is_kept);
        killed.take_in(1).await;
        // The old packet id means a new message.
        client.publish(&topic, None, "new", Qos::ExactlyOnce).unwrap();
        within(client.flush()).await.unwrap();
        assert_eq!(killed.take_in(1).await, ["message new, received 1"]);
        drop(raw);
        ward.take_in(if is_kept { 2 } else { 1 }).await;
    }
    // Nothing is to be overturned any more, so nobody waits.
    let client = ward.come(ward.options(&bearer, Version::V5)).await;
    assert!(!client.session_present());
}

#[tokio::test]
async fn a_clean_start_is_let_in_while_storage_takes_nothing() {
    let mut ward = Ward::open(Limits::default()).await;
    let options = kept(&ward, 1);
    drop(ward.come(options.clone()).await);
    ward.take_in(3).await;
    let coming = tokio::spawn(Client::connect(ClientOptions { clean: true, ..options }));
    assert_eq!(ward.tell(1).await, ["opened"]);
    let Arrival::Note(mut note) = ward.draw().await else { unreachable!("no note") };
    assert_eq!(note.bodies().len(), 2);
    note.lost(crate::Unanswered::Poisoned);
    assert!(!within(coming).await.unwrap().unwrap().session_present());
    ward.advance(Duration::from_secs(1));
    assert_eq!(ward.take_in(1).await, ["note, session ended, session 0"], "said again");
}

#[tokio::test]
async fn a_clean_start_is_let_in_while_a_sync_hangs_and_what_it_measures_comes_in() {
    let mut ward = Ward::open(Limits::default()).await;
    let bearer = ward.bearer(1);
    let options = kept(&ward, 1);
    drop(ward.come(options.clone()).await);
    ward.take_in(3).await;
    ward.disk.hold_syncs();
    let coming = tokio::spawn(Client::connect(ClientOptions { clean: true, ..options }));
    assert_eq!(ward.tell(1).await, ["opened"]);
    let Arrival::Note(mut note) = ward.draw().await else { unreachable!("no note") };
    let bodies = note.bodies();
    let group = bodies.iter().map(|body| ward.body(body)).collect();
    let hanging = ward.journal.append(group);
    ward.advance(Limits::default().admission_waits_max - Duration::from_millis(1));
    for _ in 0..256 {
        tokio::task::yield_now().await;
    }
    assert!(!coming.is_finished(), "let in before it has waited long enough");
    ward.advance(Duration::from_millis(1));
    let mut client = within(coming).await.unwrap().unwrap();
    assert!(!client.session_present());
    // An alarm comes in at once; its answer waits as that of every message does.
    let id = client.publish(&format!("{}/raw/x", bearer.up), None, "x", Qos::AtLeastOnce).unwrap();
    client.ping();
    assert_eq!(within(client.next()).await.unwrap(), Incoming::Pong);
    let message = ward.draw_message().await;
    assert_eq!(message.payload().as_ref(), b"x");
    ward.disk.release_syncs();
    let durable = within(hanging).await.unwrap();
    note.kept(durable.positions(), &durable).unwrap();
    ward.take(message).await;
    let taken = Incoming::Acknowledged { id, code: 0, words: None };
    assert_eq!(within(client.next()).await.unwrap(), taken, "and no second welcome");
}

#[tokio::test]
async fn the_record_of_a_clean_start_that_did_not_wait_for_it_is_said_again_if_it_is_lost() {
    let mut ward = Ward::open(Limits::default()).await;
    let options = kept(&ward, 1);
    drop(ward.come(options.clone()).await);
    ward.take_in(3).await;
    let coming = tokio::spawn(Client::connect(ClientOptions { clean: true, ..options }));
    assert_eq!(ward.tell(1).await, ["opened"]);
    let Arrival::Note(mut note) = ward.draw().await else { unreachable!("no note") };
    assert_eq!(note.bodies().len(), 2);
    ward.advance(Limits::default().admission_waits_max);
    let mut client = within(coming).await.unwrap().unwrap();
    note.lost(crate::Unanswered::Poisoned);
    ward.advance(Duration::from_secs(1));
    assert_eq!(ward.take_in(1).await, ["note, session ended, session 0"], "said again");
    client.ping();
    assert_eq!(within(client.next()).await.unwrap(), Incoming::Pong);
}

#[tokio::test]
async fn a_snapshot_says_all_and_nothing_before_it_is_needed() {
    let mut ward = Ward::open(Limits::default()).await;
    let (down, up) = (ward.bearer(1).down, ward.bearer(1).up);
    let mut client = ward.come(kept(&ward, 1)).await;
    ward.take_in(1).await;
    subscribe(&mut ward, &mut client, &format!("{down}/cmd/#"), Qos::AtLeastOnce).await;
    client.publish(&format!("{up}/raw/x"), None, "x", Qos::ExactlyOnce).unwrap();
    within(client.flush()).await.unwrap();
    ward.take_in(1).await;
    drop(client);
    ward.take_in(2).await;
    say(&mut ward, &format!("{down}/cmd/1"), "kept", Qos::AtLeastOnce, true).await;
    let snapshot = ward.listener.snapshot();
    let marks = [record::MqttNote::SnapshotBegan, record::MqttNote::SnapshotEnded];
    let [began, ended] = marks.map(record::Body::MqttNote);
    let bodies: Vec<_> = snapshot.into_iter().map(|(_, body)| body).collect();
    // Half a snapshot is none, and neither is the end of one.
    for (rows, is_whole) in [
        (vec![began.clone()], false),
        (vec![ended.clone()], false),
        ([vec![began.clone()], bodies.clone()].concat(), false),
        ([vec![began], bodies, vec![ended]].concat(), true),
    ] {
        let mut recalled = Recalled::from_the_middle();
        rows.iter().for_each(|body| recalled.take(ward.org, body));
        assert_eq!(recalled.is_whole(), is_whole);
        if is_whole {
            let mut second = Ward::open_with(Limits::default(), recalled).await;
            let counters = second.handle.counters();
            assert_eq!((counters.sessions, counters.retained, counters.waiting), (1, 1, 1));
            let mut client = second.come(kept(&second, 1)).await;
            assert!(client.session_present());
            second.take_in(1).await;
            assert_eq!(all(&mut client).await, ["kept"]);
        }
    }
}

#[tokio::test]
async fn a_suback_waits_until_the_subscription_is_kept() {
    let mut ward = Ward::open(Limits::default()).await;
    let bearer = ward.bearer(1);
    let mut client = ward.come(kept(&ward, 1)).await;
    ward.take_in(1).await;
    client.subscribe(&[(&format!("{}/cmd/#", bearer.down), Qos::AtLeastOnce)]).unwrap();
    within(client.flush()).await.unwrap();
    let asked = ward.draw().await;
    assert!(matches!(asked, Arrival::Note(_)));
    client.ping();
    assert_eq!(within(client.next()).await.unwrap(), Incoming::Pong);
    ward.take_one(asked).await;
    assert!(matches!(within(client.next()).await.unwrap(), Incoming::Subscribed { .. }));
}

/// A device that subscribed to commands and its configuration, and is away now; the
/// topics that go down to it begin with the text.
async fn away_from_what_is_sent_down() -> (Ward, model::DeviceId, String) {
    let mut ward = Ward::open(Limits::default()).await;
    let (device, down) = (ward.bearer(1).device, ward.bearer(1).down);
    let mut client = ward.come(kept(&ward, 1)).await;
    ward.take_in(1).await;
    for filter in ["cmd/#", "cfg"] {
        subscribe(&mut ward, &mut client, &format!("{down}/{filter}"), Qos::AtLeastOnce).await;
    }
    drop(client);
    ward.take_in(2).await;
    (ward, device, down)
}

#[tokio::test]
async fn what_was_withdrawn_does_not_come_after_a_restart() {
    let (mut ward, device, down) = away_from_what_is_sent_down().await;
    for (topic, text) in [("cmd/1", "a"), ("cmd/2", "b"), ("cfg", "old")] {
        say(&mut ward, &format!("{down}/{topic}"), text, Qos::AtLeastOnce, false).await;
    }
    ward.handle.withdraw(device, &format!("{down}/cmd/1"));
    assert_eq!(ward.take_in(1).await, ["note, done 1"]);
    // One that nobody has drawn yet is withdrawn with it, and what comes after it is not.
    let topic = format!("{down}/cfg");
    for text in ["older", "new"] {
        let payload = text.into();
        let (content_type, expires_at, qos) = (None, None, Qos::AtLeastOnce);
        let topic = topic.clone();
        let said = Published { topic, content_type, payload, qos, expires_at, retain: false };
        if text == "new" {
            ward.handle.withdraw(device, &said.topic);
        }
        ward.handle.publish_to(device, said).unwrap();
    }
    assert_eq!(
        ward.take_in(3).await,
        ["note, queued 4@1", "note, done 3, done 4", "note, queued 5@1"]
    );
    let mut second = again(&ward).await;
    let mut client = second.come(kept(&second, 1)).await;
    second.take_in(1).await;
    assert_eq!(all(&mut client).await, ["b", "new"]);
    drop(client);
    // The first one goes on without them too.
    let mut client = ward.come(kept(&ward, 1)).await;
    ward.take_in(1).await;
    assert_eq!(all(&mut client).await, ["b", "new"]);
}

#[tokio::test]
async fn a_withdrawal_that_storage_could_not_take_is_said_again() {
    let (mut ward, device, down) = away_from_what_is_sent_down().await;
    say(&mut ward, &format!("{down}/cmd/1"), "a", Qos::AtLeastOnce, false).await;
    ward.handle.withdraw(device, &format!("{down}/cmd/1"));
    let Arrival::Note(mut note) = ward.draw().await else { unreachable!("no note") };
    assert_eq!(note.bodies().len(), 1);
    note.lost(crate::Unanswered::Full);
    ward.advance(Duration::from_secs(2));
    assert_eq!(ward.take_in(1).await, ["note, done 1"]);
}
