//! What outlives a connection, told in the words of the journal.

use bytes::Bytes;
use model::OrgId;
use proptest::prelude::*;
use record::{MqttNote, MqttProgress};

use super::*;
use crate::mqtt::{
    mail::Said,
    outbox::{Letter, Receipt},
};

const START: Timestamp = Timestamp::from_unix_millis(1_763_000_000_000);

fn device(number: u128) -> DeviceId {
    DeviceId::v7(START, number)
}

fn site() -> SiteId {
    SiteId::v7(START, 1)
}

fn org() -> OrgId {
    OrgId::v7(START, 1)
}

fn key(number: u128, client: &str) -> Key {
    (device(number), client.to_owned())
}

fn at(seconds: u64) -> Timestamp {
    START.after(Duration::from_secs(seconds))
}

fn message(text: &'static str) -> Message {
    let identity =
        DeviceIdentity { org: org(), device: device(1), serial: vec![1], not_after: START };
    Message {
        identity: Arc::new(identity),
        site: site(),
        remote: SocketAddr::from(([127, 0, 0, 1], 1)),
        topic: "up/state".to_owned(),
        content_type: None,
        payload: Bytes::from_static(text.as_bytes()),
        received_at: START,
        qos: Qos::AtLeastOnce,
        retain: false,
        dup: false,
        is_will: true,
        authorised: true,
        client_id: "c".into(),
        expiry_s: None,
        extra: None,
    }
}

fn live(connection: u64, will: Option<(u32, &'static str)>) -> Live {
    let will = will.map(|(delay_s, text)| Will { delay_s, message: message(text) });
    Live {
        connection,
        desk: Arc::default(),
        identity: message("").identity,
        remote: message("").remote,
        version: Version::V5,
        since: START,
        will,
    }
}

fn empty(limits: Limits) -> Sessions {
    Sessions::new(Arc::new(limits))
}

const LOST: Leave = Leave { with_will: true, expiry_s: None };
const GOODBYE: Leave = Leave { with_will: false, expiry_s: None };

fn words(message: Option<Message>) -> String {
    message.map_or("-".to_owned(), |will| String::from_utf8(will.payload.to_vec()).unwrap())
}

fn route(sessions: &mut Sessions, outgoing: &Outgoing<'_>) -> (Vec<Body>, Route) {
    let mut route = Route::default();
    (sessions.route(outgoing, &mut route), route)
}

/// A record that becomes durable.
fn record(sessions: &mut Sessions, key: &Key) -> Vec<Body> {
    sessions.record(key, &mut Route::default())
}

/// What would be written of a session now.
fn told(sessions: &mut Sessions, key: &Key) -> String {
    let bodies = record(sessions, key).into_iter().map(|body| match body {
        Body::MqttSession(session) if session.ended => "ended".to_owned(),
        Body::MqttSession(session) => {
            let filters: Vec<_> =
                session.subscriptions.iter().map(|(f, byte)| format!("{f}@{byte}")).collect();
            format!("kept {}s [{}]", session.expiry_s, filters.join(" "))
        }
        other => format!("{other:?}"),
    });
    bodies.collect::<Vec<_>>().join(", ")
}

fn filter(text: &str, qos: Qos) -> Filter {
    let (retain_handling, no_local, retain_as_published) = (0, false, false);
    Filter { text: text.to_owned(), qos, retain_handling, no_local, retain_as_published }
}

fn come(sessions: &mut Sessions, key: &Key, clean: bool, expiry_s: u32, number: u64) -> Attached {
    sessions.attach(key, site(), clean, expiry_s, live(number, None)).unwrap()
}

fn addressed(topic: &str, payload: &str, qos: Qos) -> Addressed {
    let said = Said {
        topic: topic.into(),
        content_type: None,
        payload: Bytes::copy_from_slice(payload.as_bytes()),
        qos,
        expires_at: None,
        extra: None,
    };
    Addressed { site: site(), device: device(1), said: Arc::new(said), group: None }
}

/// Says something and has it delivered.
fn say(sessions: &mut Sessions, to: &Addressed) {
    let (_, route) = route(sessions, &Outgoing { to, from: None, retain: false });
    sessions.deliver(route);
}

/// The payloads that wait for a client.
fn waiting(outbox: &SharedOutbox) -> String {
    let mut out = Vec::new();
    while let Some(letter) = lock(outbox).next(START, u16::MAX) {
        out.push(match letter {
            Letter::Message { mail, .. } => String::from_utf8(mail.said.payload.to_vec()).unwrap(),
            Letter::Release { id } => format!("r{id}"),
        });
    }
    out.join(" ")
}

#[test]
fn a_session_without_expiry_ends_with_its_connection_and_is_kept_only_for_its_will() {
    let mut sessions = empty(Limits::default());
    let c = key(1, "c");
    come(&mut sessions, &c, false, 0, 1);
    assert_eq!(told(&mut sessions, &c), "");
    sessions.attach(&c, site(), false, 0, live(2, Some((0, "w")))).unwrap();
    assert_eq!(told(&mut sessions, &c), "kept 0s []");
    let departed = sessions.detach(&c, 2, LOST, START);
    assert_eq!((departed.is_last, words(departed.will)), (true, "w".to_owned()));
    assert_eq!(told(&mut sessions, &c), "ended");
    assert_eq!(told(&mut sessions, &c), "", "once is enough");
    assert!(!come(&mut sessions, &c, false, 0, 3).present);
}

#[test]
fn a_kept_session_goes_on_and_is_told_whole() {
    let mut sessions = empty(Limits::default());
    let c = key(1, "c");
    come(&mut sessions, &c, false, 60, 1);
    let filters = vec![
        Ok(Filter { no_local: true, retain_handling: 2, ..filter("a/#", Qos::ExactlyOnce) }),
        Err(Reason::NotAuthorized),
    ];
    let subscribed = sessions.subscribe(&c, filters, 7);
    assert_eq!(subscribed.codes, [Reason::GrantedQos2, Reason::NotAuthorized]);
    // The byte of the options as the wire has it.
    assert_eq!(told(&mut sessions, &c), format!("kept 60s [a/#@{}]", 0b10_0110));
    sessions.detach(&c, 1, LOST, START);
    assert_eq!(sessions.listeners(&addressed("a/b", "x", Qos::AtLeastOnce)), 1);
    assert_eq!(sessions.listeners(&addressed("a/b", "x", Qos::AtMostOnce)), 0, "nobody is there");
    say(&mut sessions, &addressed("a/b", "x", Qos::AtLeastOnce));
    let attached = come(&mut sessions, &c, false, 60, 2);
    assert!(attached.present);
    assert_eq!(waiting(&attached.outbox), "x");
    let attached = come(&mut sessions, &c, true, 60, 3);
    assert!(!attached.present);
    assert_eq!(told(&mut sessions, &c), "ended, kept 60s []");
    assert_eq!(sessions.listeners(&addressed("a/b", "x", Qos::AtLeastOnce)), 0);
}

#[test]
fn a_session_ends_when_its_time_is_over_whoever_looks_first() {
    for look in [true, false] {
        let mut sessions = empty(Limits::default());
        let c = key(1, "c");
        come(&mut sessions, &c, false, 60, 1);
        sessions.detach(&c, 1, GOODBYE, at(0));
        assert!(sessions.due(at(59)).chores.is_empty());
        if look {
            assert_eq!(sessions.due(at(60)).chores.len(), 1);
        }
        let live = Live { since: at(60), ..live(2, None) };
        assert!(!sessions.attach(&c, site(), false, 60, live).unwrap().present, "{look}");
    }
}

#[test]
fn a_goodbye_may_change_how_long_the_session_stays() {
    let mut sessions = empty(Limits::default());
    let c = key(1, "c");
    come(&mut sessions, &c, false, 60, 1);
    told(&mut sessions, &c);
    sessions.detach(&c, 1, Leave { expiry_s: Some(0), ..GOODBYE }, START);
    assert_eq!(told(&mut sessions, &c), "ended");
    come(&mut sessions, &c, false, 60, 2);
    sessions.detach(&c, 2, Leave { expiry_s: Some(u32::MAX), ..GOODBYE }, START);
    assert_eq!(told(&mut sessions, &c), "kept 604800s []");
}

#[test]
fn a_delayed_will_is_taken_away_by_coming_back_in_time() {
    // Back after so many seconds, clean or not; what coming back brings, and what time brings.
    let rows = [(Some(false), "-", "-"), (Some(true), "w", "-"), (None, "-", "w")];
    for (back, by_coming, by_time) in rows {
        let mut sessions = empty(Limits::default());
        let c = key(1, "c");
        sessions.attach(&c, site(), false, 60, live(1, Some((10, "w")))).unwrap();
        assert_eq!(words(sessions.detach(&c, 1, LOST, at(0)).will), "-");
        assert!(sessions.due(at(9)).wills.is_empty());
        let came = back.map(|clean| come(&mut sessions, &c, clean, 60, 2));
        assert_eq!(words(came.and_then(|attached| attached.will)), by_coming);
        let due = sessions.due(at(10)).wills.pop();
        assert_eq!(words(due.map(|(_, will)| will)), by_time);
    }
}

#[test]
fn a_will_is_not_later_than_the_end_of_its_session() {
    let mut sessions = empty(Limits::default());
    let c = key(1, "c");
    sessions.attach(&c, site(), false, 5, live(1, Some((600, "w")))).unwrap();
    sessions.detach(&c, 1, LOST, at(0));
    assert!(sessions.due(at(4)).wills.is_empty());
    assert_eq!(words(sessions.due(at(5)).wills.pop().map(|(_, will)| will)), "w");
}

#[test]
fn a_takeover_speaks_for_the_connection_before() {
    // Delay of the old will, clean start of the new connection: whether the will is due.
    for (delay_s, clean, expected) in
        [(0, false, "w"), (0, true, "w"), (9, false, "-"), (9, true, "w")]
    {
        let mut sessions = empty(Limits::default());
        let c = key(1, "c");
        sessions.attach(&c, site(), false, 60, live(1, Some((delay_s, "w")))).unwrap();
        let attached = come(&mut sessions, &c, clean, 60, 2);
        let (old, will) = attached.displaced.unwrap();
        assert_eq!((old.connection, words(will)), (1, expected.to_owned()), "{delay_s} {clean}");
        assert_eq!(attached.present, !clean);
        let departed = sessions.detach(&c, 1, LOST, START);
        assert!(!departed.is_last && departed.will.is_none());
        assert_eq!(sessions.live(None).count(), 1);
    }
}

#[test]
fn sessions_of_one_device_are_bounded_and_the_longest_gone_gives_way() {
    let mut sessions = empty(Limits { sessions_per_device_max: 2, ..Limits::default() });
    come(&mut sessions, &key(1, "a"), false, 60, 1);
    come(&mut sessions, &key(1, "b"), false, 60, 2);
    let refused = sessions.attach(&key(1, "c"), site(), false, 60, live(3, None));
    assert_eq!(refused.map(|_| ()), Err(NoSession::TooMany));
    come(&mut sessions, &key(2, "c"), false, 60, 4);
    sessions.detach(&key(1, "a"), 1, GOODBYE, START);
    let attached = come(&mut sessions, &key(1, "c"), false, 60, 5);
    assert_eq!(attached.ended, Some(key(1, "a")));
    assert!(!sessions.sessions.contains_key(&key(1, "a")));
}

#[test]
fn whoever_is_put_out_does_not_slip_in_by_a_connection_that_had_begun() {
    let mut sessions = empty(Limits::default());
    come(&mut sessions, &key(1, "a"), false, 60, 1);
    assert_eq!(sessions.put_out(device(1), 3, Reason::NotAuthorized, at(0)), 1);
    let mut tries = |device: u128, connection| {
        let live = live(connection, None);
        sessions.attach(&key(device, "b"), site(), false, 0, live).map(|_| ()).err()
    };
    assert_eq!(tries(1, 2), Some(NoSession::PutOut));
    assert_eq!(tries(1, 3), Some(NoSession::PutOut));
    assert_eq!(tries(1, 4), None);
    assert_eq!(tries(2, 3), None);
    sessions.due(at(40));
    assert!(sessions.put_out.is_empty());
}

#[test]
fn filters_of_a_session_are_bounded_and_leave_nothing_behind() {
    let mut sessions = empty(Limits { filters_max: 2, ..Limits::default() });
    let c = key(1, "c");
    come(&mut sessions, &c, false, 0, 1);
    let filters = ["a", "b", "a", "c"].map(|text| Ok(filter(text, Qos::AtMostOnce))).into();
    use Reason::{QuotaExceeded, Success};
    let codes = sessions.subscribe(&c, filters, 0).codes;
    assert_eq!(codes, [Success, Success, Success, QuotaExceeded]);
    let codes = sessions.unsubscribe(&c, &["a".to_owned(), "c".to_owned()]);
    assert_eq!(codes, [Success, Reason::NoSubscriptionExisted]);
    sessions.detach(&c, 1, GOODBYE, START);
    assert!(sessions.trees.is_empty(), "no subscription outlives its session");
}

#[test]
fn subscriptions_that_are_not_permitted_any_more_end() {
    let mut sessions = empty(Limits::default());
    let c = key(1, "c");
    come(&mut sessions, &c, false, 60, 1);
    let filters = ["a/#", "b/#"].map(|text| Ok(filter(text, Qos::AtMostOnce))).into();
    sessions.subscribe(&c, filters, 0);
    sessions.revise(&c, |filter| filter == "b/#");
    assert_eq!(told(&mut sessions, &c), "kept 60s [b/#@0]");
    assert!(!sessions.is_heard(site(), device(1), "a/x"));
    assert!(sessions.is_heard(site(), device(1), "b/x"));
}

#[test]
fn a_device_that_moves_to_another_site_hears_only_that() {
    let mut sessions = empty(Limits::default());
    let (c, other) = (key(1, "c"), SiteId::v7(START, 2));
    come(&mut sessions, &c, false, 60, 1);
    sessions.subscribe(&c, vec![Ok(filter("a", Qos::AtMostOnce))], 0);
    sessions.attach(&c, other, false, 60, live(2, None)).unwrap();
    assert!(!sessions.is_heard(site(), device(1), "a"));
    assert!(sessions.is_heard(other, device(1), "a"));
}

#[test]
fn an_id_that_was_given_to_a_message_that_is_lost_is_free_again() {
    let mut sessions = empty(Limits::default());
    let c = key(1, "c");
    let attached = come(&mut sessions, &c, false, 60, 1);
    sessions.subscribe(&c, vec![Ok(filter("a", Qos::AtLeastOnce))], 0);
    let to = addressed("a", "x", Qos::AtLeastOnce);
    let (bodies, route) = route(&mut sessions, &Outgoing { to: &to, from: None, retain: true });
    // The session is written first, as its record was not on its way before the message.
    assert!(matches!(
        bodies[..],
        [Body::MqttSession(_), Body::MqttQueued(_), Body::MqttRetained(_)]
    ));
    sessions.take_back(route);
    assert_eq!((waiting(&attached.outbox), sessions.sizes()), (String::new(), (1, 0)));
}

#[test]
fn a_lost_record_of_a_clean_start_is_said_again_with_the_end_of_the_session_before() {
    let mut sessions = empty(Limits::default());
    let c = key(1, "c");
    come(&mut sessions, &c, false, 60, 1);
    assert_eq!(told(&mut sessions, &c), "kept 60s []");
    come(&mut sessions, &c, true, 60, 2);
    let mut lost = Route::default();
    assert_eq!(sessions.record(&c, &mut lost).len(), 2);
    // Another record on its way says no more than it must, and is lost as well.
    let mut later = Route::default();
    assert_eq!(sessions.record(&c, &mut later).len(), 1);
    sessions.take_back(lost);
    sessions.take_back(later);
    assert_eq!(told(&mut sessions, &c), "ended, kept 60s []");
    assert_eq!(told(&mut sessions, &c), "kept 60s []", "once it is kept, once is enough");
}

#[test]
fn a_lost_record_of_an_end_is_said_again() {
    let mut sessions = empty(Limits::default());
    let c = key(1, "c");
    come(&mut sessions, &c, false, 60, 1);
    record(&mut sessions, &c);
    sessions.detach(&c, 1, Leave { with_will: false, expiry_s: Some(0) }, START);
    let mut lost = Route::default();
    assert_eq!(sessions.record(&c, &mut lost).len(), 1);
    sessions.take_back(lost);
    assert_eq!(sessions.of_record(vec![c.clone()]), std::slice::from_ref(&c));
    assert_eq!(told(&mut sessions, &c), "ended");
}

#[test]
fn a_snapshot_that_may_be_lost_leaves_a_new_session_to_its_own_record() {
    let mut sessions = empty(Limits::default());
    let c = key(1, "c");
    come(&mut sessions, &c, false, 60, 1);
    record(&mut sessions, &c);
    come(&mut sessions, &c, true, 60, 2);
    assert_eq!(sessions.snapshot().len(), 2);
    assert_eq!(told(&mut sessions, &c), "ended, kept 60s []");
}

#[test]
fn a_snapshot_leaves_out_a_message_of_qos_2_that_is_not_durable() {
    let mut sessions = empty(Limits::default());
    let c = key(1, "c");
    let attached = come(&mut sessions, &c, false, 60, 1);
    for id in [7, 8] {
        assert_eq!(lock(&attached.outbox).receive(id), Receipt::New);
    }
    lock(&attached.outbox).store(8);
    let received = sessions.snapshot().into_iter().filter_map(|(_, body)| match body {
        Body::MqttNote(MqttNote::Progress(progress)) => Some(progress.received),
        _ => None,
    });
    assert_eq!(received.collect::<Vec<_>>(), [[8]]);
}

#[test]
fn expired_mail_is_not_restored() {
    let mut sessions = empty(Limits::default());
    let c = key(1, "c");
    come(&mut sessions, &c, false, 60, 1);
    sessions.subscribe(&c, vec![Ok(filter("a", Qos::AtLeastOnce))], 0);
    let mut recalled = Recalled::from_the_beginning();
    record(&mut sessions, &c).iter().for_each(|body| recalled.take(org(), body));
    let mut to = addressed("a", "x", Qos::AtLeastOnce);
    to.said = Arc::new(Said { expires_at: Some(at(5)), ..(*to.said).clone() });
    let (bodies, _) = route(&mut sessions, &Outgoing { to: &to, from: None, retain: false });
    bodies.iter().for_each(|body| recalled.take(org(), body));
    let restored = Sessions::restore(Arc::new(Limits::default()), recalled, at(5));
    assert_eq!(restored.waiting().0, 0);
}

#[test]
fn one_subscription_brings_a_bounded_number_of_retained_messages() {
    for (limit, sent, dropped) in [(1, "x", 1), (2, "x y", 0), (3, "x y", 0)] {
        let mut sessions = empty(Limits { retained_at_once_max: limit, ..Limits::default() });
        let c = key(1, "c");
        for (topic, payload) in [("a/1", "x"), ("a/2", "y")] {
            let to = addressed(topic, payload, Qos::AtLeastOnce);
            let (_, route) = route(&mut sessions, &Outgoing { to: &to, from: None, retain: true });
            sessions.deliver(route);
        }
        let attached = come(&mut sessions, &c, false, 0, 1);
        let wanted = sessions.subscribe(&c, vec![Ok(filter("a/#", Qos::AtLeastOnce))], 0).wanted;
        let mut route = Route::default();
        let bodies = sessions.greet(&c, &wanted, START, &mut route);
        assert!(bodies.is_empty(), "the session is not kept");
        sessions.deliver(route);
        assert_eq!((waiting(&attached.outbox), sessions.waiting().1), (sent.to_owned(), dropped));
    }
}

#[test]
fn a_thousand_sessions_with_all_their_filters_cost_a_message_to_one_of_them_nothing() {
    let mut sessions = empty(Limits::default());
    for number in 0..1_000 {
        let key = key(number, "c");
        come(&mut sessions, &key, false, 0, u64::try_from(number).unwrap());
        let filters = (0..20).map(|at| Ok(filter(&format!("{number}/+/{at}"), Qos::AtMostOnce)));
        sessions.subscribe(&key, filters.collect(), 0);
    }
    let to =
        |number| Addressed { device: device(number), ..addressed("7/x/3", "x", Qos::AtMostOnce) };
    assert_eq!(sessions.listeners(&to(7)), 1);
    assert_eq!(sessions.listeners(&to(8)), 0);
    assert!(!sessions.is_heard(site(), device(7), "1000/x/3"));
    for number in 0..1_000 {
        sessions.detach(&key(number, "c"), u64::try_from(number).unwrap(), GOODBYE, START);
    }
    assert!(sessions.trees.is_empty() && sessions.sessions.is_empty());
}

#[test]
fn two_gateways_that_use_the_same_words_hear_and_keep_their_own() {
    let mut sessions = empty(Limits::default());
    let mut outboxes = Vec::new();
    for number in [1, 2] {
        let key = key(number, "c");
        outboxes.push(come(&mut sessions, &key, false, 60, 1).outbox);
        let filters = ["z/#", "$share/g/z/#"].map(|text| Ok(filter(text, Qos::AtLeastOnce)));
        sessions.subscribe(&key, filters.into(), 0);
    }
    let of = |number, payload| Addressed {
        device: device(number),
        ..addressed("z/lamp", payload, Qos::AtLeastOnce)
    };
    let mut recalled = Recalled::from_the_beginning();
    for (number, payload) in [(1, "one's"), (2, "two's")] {
        let to = of(number, payload);
        let (bodies, route) = route(&mut sessions, &Outgoing { to: &to, from: None, retain: true });
        bodies.iter().for_each(|body| recalled.take(org(), body));
        sessions.deliver(route);
    }
    let heard: Vec<_> = outboxes.iter().map(waiting).collect();
    assert_eq!(heard, ["one's one's", "two's two's"], "by the filter, and by the shared one");
    let restored = Sessions::restore(Arc::new(Limits::default()), recalled, START);
    for mut all in [sessions, restored] {
        assert_eq!(all.sizes().1, 2);
        for (number, own) in [(1, "one's"), (2, "two's")] {
            let c = key(number, "new");
            let outbox = come(&mut all, &c, false, 0, 9).outbox;
            let wanted = all.subscribe(&c, vec![Ok(filter("z/#", Qos::AtLeastOnce))], 0).wanted;
            let mut route = Route::default();
            all.greet(&c, &wanted, START, &mut route);
            all.deliver(route);
            assert_eq!(waiting(&outbox), own);
        }
    }
}

#[test]
fn a_retained_message_of_a_time_when_topics_were_the_sites_belongs_to_its_last_sender() {
    let said = |number, payload: &str| record::MqttRetained {
        site: site(),
        device: device(number),
        topic: "z/lamp".to_owned(),
        message: (!payload.is_empty())
            .then(|| addressed("z/lamp", payload, Qos::AtLeastOnce))
            .map(|to| to.said.record()),
        own: None,
    };
    // What devices said under the old rule, and what each of the two has of it.
    for (old, one, two) in [
        (vec![(1, "a")], "a", ""),
        (vec![(1, "a"), (2, "b")], "", "b"),
        (vec![(1, "a"), (2, "")], "", ""),
    ] {
        let mut recalled = Recalled::from_the_beginning();
        for (number, payload) in &old {
            recalled.take(org(), &Body::MqttRetained(said(*number, payload)));
        }
        let all = Sessions::restore(Arc::new(Limits::default()), recalled, START);
        for (number, expected) in [(1, one), (2, two)] {
            let heard = all.retained.heard((site(), device(number)), "z/#", START);
            let heard = heard.iter().map(|said| String::from_utf8(said.payload.to_vec()).unwrap());
            assert_eq!(heard.collect::<String>(), expected, "{old:?}");
        }
    }
}

#[test]
fn lost_records_are_said_again_soon_and_only_so_many_at_once() {
    let mut sessions = empty(Limits { said_again_at_once_max: 2, ..Limits::default() });
    let mut lost = Route::default();
    for number in 1..=3 {
        let key = key(number, "c");
        come(&mut sessions, &key, false, 60, 1);
        assert_eq!(sessions.record(&key, &mut lost).len(), 1);
    }
    assert_eq!(sessions.due(at(1)).chores.len(), 0, "they are on their way");
    sessions.take_back(lost);
    let again = |sessions: &mut Sessions| {
        let mut route = Route::default();
        let keys = sessions.due(at(1)).chores.into_iter().map(|chore| match chore {
            Chore::Session(key) => key,
            other => unreachable!("{other:?}"),
        });
        let keys: Vec<_> = keys.collect();
        let bodies = keys.iter().map(|key| sessions.record(key, &mut route).len());
        (bodies.collect::<Vec<_>>(), route)
    };
    let (said, route) = again(&mut sessions);
    // Each with the end of the session that the journal may hold.
    assert_eq!(said, [2, 2]);
    // Storage still takes nothing; the third has not had its turn.
    sessions.take_back(route);
    let all: Vec<_> = (0..2).map(|_| again(&mut sessions).0).collect();
    assert_eq!(all, [vec![2, 2], vec![2]]);
    assert!(sessions.due(at(1)).chores.is_empty(), "each is said");
    // One that said itself meanwhile is not said once more.
    let mut lost = Route::default();
    sessions.record(&key(1, "c"), &mut lost);
    sessions.take_back(lost);
    record(&mut sessions, &key(1, "c"));
    assert!(sessions.due(at(1)).chores.is_empty());
}

#[test]
fn so_many_lost_records_are_remembered_and_further_ones_wait_for_the_next_of_their_session() {
    for (count, remembered) in [(1, 1), (2, 2), (3, 2)] {
        let mut sessions = empty(Limits { said_again_max: 2, ..Limits::default() });
        let mut lost = Route::default();
        for number in 1..=count {
            let key = key(number, "c");
            come(&mut sessions, &key, false, 60, 1);
            sessions.record(&key, &mut lost);
        }
        sessions.take_back(lost);
        let chores = sessions.due(at(1)).chores.len();
        assert_eq!(chores, remembered, "of {count}");
        // Remembered or not, its next record says what was lost.
        for number in 1..=count {
            assert_eq!(record(&mut sessions, &key(number, "c")).len(), 2, "{number} of {count}");
        }
    }
}

#[test]
fn when_all_queues_together_are_full_the_session_that_holds_most_is_lost() {
    // Bytes that may wait, each message has 8; sessions lost, and what each has at the end.
    let rows =
        [(7, 2, ["", ""]), (31, 1, ["", "b"]), (32, 0, ["a a a", "b"]), (33, 0, ["a a a", "b"])];
    for (queues_bytes_max, lost, expected) in rows {
        let mut sessions = empty(Limits { queues_bytes_max, ..Limits::default() });
        let mut outboxes = Vec::new();
        for number in [1, 2] {
            let key = key(number, "c");
            outboxes.push(come(&mut sessions, &key, false, 60, 1).outbox);
            sessions.subscribe(&key, vec![Ok(filter("#", Qos::AtLeastOnce))], 0);
        }
        for (number, payload) in [(1, "a"), (1, "a"), (1, "a"), (2, "b")] {
            let to = Addressed {
                device: device(number),
                ..addressed("1234567", payload, Qos::AtLeastOnce)
            };
            say(&mut sessions, &to);
        }
        let counts = sessions.counts();
        assert_eq!((counts.lost, counts.lost_to_all), (lost, lost), "{queues_bytes_max}");
        let told = sessions.due(START).chores.into_iter().filter_map(|chore| match chore {
            Chore::Lost { identity, why: RefusedWhy::QueuesFull, .. } => Some(identity.device),
            _ => None,
        });
        assert_eq!(told.count() as u64, lost);
        let found: Vec<_> = outboxes.iter().map(waiting).collect();
        assert_eq!(found, expected, "{queues_bytes_max}");
        let left = expected.join(" ").split_whitespace().count() * 8;
        // What was written waits for its answer still.
        assert_eq!(sessions.waiting_bytes(), left);
        drop(sessions);
    }
}

#[test]
fn a_lower_bound_over_all_queues_holds_after_a_restart_too() {
    let mut sessions = empty(Limits::default());
    let mut recalled = Recalled::from_the_beginning();
    for (number, count) in [(1, 1), (2, 2)] {
        let key = key(number, "c");
        come(&mut sessions, &key, false, 60, 1);
        sessions.subscribe(&key, vec![Ok(filter("#", Qos::AtLeastOnce))], 0);
        record(&mut sessions, &key).iter().for_each(|body| recalled.take(org(), body));
        for _ in 0..count {
            let to =
                Addressed { device: device(number), ..addressed("1234567", "x", Qos::AtLeastOnce) };
            let outgoing = Outgoing { to: &to, from: None, retain: false };
            let (bodies, route) = route(&mut sessions, &outgoing);
            bodies.iter().for_each(|body| recalled.take(org(), body));
            sessions.deliver(route);
        }
    }
    let limits = Limits { queues_bytes_max: 23, ..Limits::default() };
    let mut restored = Sessions::restore(Arc::new(limits), recalled, START);
    assert_eq!((restored.sizes().0, restored.waiting_bytes()), (1, 8));
    let told =
        restored.due(START).chores.into_iter().any(
            |chore| matches!(chore, Chore::Lost { identity, .. } if identity.device == device(2)),
        );
    assert!(told, "the device that lost its session is named");
}

/// What a restart finds must be what there was: sessions, filters, queues, ids.
fn shape(sessions: &Sessions, key: &Key) -> Option<String> {
    let session = sessions.sessions.get(key).filter(|session| session.expiry_s > 0)?;
    let outbox = lock(&session.outbox);
    let (mails, taken, received) = outbox.kept();
    let mails: Vec<_> =
        mails.iter().map(|(mail, _)| (mail.id, mail.said.payload.clone())).collect();
    let (expiry_s, filters) = (session.expiry_s, &session.subscriptions);
    Some(format!("{expiry_s} {filters:?} {mails:?} {taken:?} {received:?}"))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// What was written about sessions, read again, is the sessions; and so is a snapshot of
    /// any moment with what was written after it.
    #[test]
    fn a_restart_restores_what_was_written(
        steps in prop::collection::vec((0_u8..9, 0_usize..3, any::<bool>()), 0..60),
        snapshot_at in 0_usize..60,
    ) {
        let mut sessions = empty(Limits::default());
        let (key, mut connection) = (key(1, "c"), 0);
        let (mut whole, mut tail) = (Vec::new(), None::<Vec<Body>>);
        let filters = ["a", "b", "c"];
        for (at, (step, which, flag)) in steps.into_iter().enumerate() {
            if at == snapshot_at {
                let bodies = sessions.snapshot().into_iter().map(|(_, body)| body);
                let [began, ended] = [MqttNote::SnapshotBegan, MqttNote::SnapshotEnded].map(Body::MqttNote);
                tail = Some([began].into_iter().chain(bodies).chain([ended]).collect());
            }
            let mut bodies = Vec::new();
            let ids = |received: Vec<u16>, released: Vec<u16>, taken: Vec<u16>, done: Vec<u16>| {
                let progress = MqttProgress { received, released, taken, done, ..progress(&key) };
                Body::MqttNote(MqttNote::Progress(progress))
            };
            let outbox = sessions.sessions.get(&key).map(|session| session.outbox.clone());
            let kept = sessions.sessions.get(&key).is_some_and(|session| session.expiry_s > 0);
            match step {
                0 => {
                    connection += 1;
                    come(&mut sessions, &key, flag, [0, 60, 3600][which], connection);
                    bodies = record(&mut sessions, &key);
                }
                1 => {
                    let qos = if flag { Qos::AtLeastOnce } else { Qos::ExactlyOnce };
                    sessions.subscribe(&key, vec![Ok(filter(filters[which], qos))], which as u32);
                    bodies = record(&mut sessions, &key);
                }
                2 => {
                    sessions.unsubscribe(&key, &[filters[which].to_owned()]);
                    bodies = record(&mut sessions, &key);
                }
                3 => {
                    sessions.detach(&key, connection, LOST, START);
                    bodies = record(&mut sessions, &key);
                }
                4 | 5 => {
                    let to = addressed(filters[which], "x", Qos::ExactlyOnce);
                    let (written, route) = route(&mut sessions, &Outgoing { to: &to, from: None, retain: flag });
                    bodies = written;
                    sessions.deliver(route);
                }
                6 if kept => {
                    let mut outbox = lock(outbox.as_ref().unwrap());
                    if outbox.receive(which as u16 + 1) == Receipt::New {
                        outbox.store(which as u16 + 1);
                        bodies.push(ids(vec![which as u16 + 1], vec![], vec![], vec![]));
                    } else if outbox.release(which as u16 + 1) {
                        bodies.push(ids(vec![], vec![which as u16 + 1], vec![], vec![]));
                    }
                }
                7 if kept => {
                    let mut outbox = lock(outbox.as_ref().unwrap());
                    while outbox.next(START, u16::MAX).is_some() {}
                    let id = outbox.kept().0.first().map(|(mail, _)| mail.id);
                    if let Some(id) = id {
                        if outbox.acknowledged(id) {
                            bodies.push(ids(vec![], vec![], vec![], vec![id]));
                        } else if outbox.taken(id, false) {
                            bodies.push(ids(vec![], vec![], vec![id], vec![]));
                        }
                    }
                }
                8 if kept => {
                    let mut outbox = lock(outbox.as_ref().unwrap());
                    while outbox.next(START, u16::MAX).is_some() {}
                    let id = outbox.kept().1.first().copied();
                    if let Some(id) = id.filter(|id| outbox.completed(*id)) {
                        bodies.push(ids(vec![], vec![], vec![], vec![id]));
                    }
                }
                _ => {}
            }
            if let Some(tail) = &mut tail {
                tail.extend(bodies.clone());
            }
            whole.extend(bodies);
        }
        let limits = Arc::new(Limits::default());
        let mut recalled = Recalled::from_the_beginning();
        whole.iter().for_each(|body| recalled.take(org(), body));
        let restored = Sessions::restore(limits.clone(), recalled, START);
        prop_assert_eq!(shape(&restored, &key), shape(&sessions, &key));
        prop_assert_eq!(restored.sizes().1, sessions.sizes().1);
        if let Some(tail) = tail {
            let mut recalled = Recalled::from_the_middle();
            // A part of what came before may be read too.
            let before = whole.len() / 2;
            whole[before..].iter().take(0).chain(&tail).for_each(|body| recalled.take(org(), body));
            prop_assert!(recalled.is_whole());
            let restored = Sessions::restore(limits, recalled, START);
            prop_assert_eq!(shape(&restored, &key), shape(&sessions, &key));
            prop_assert_eq!(restored.sizes().1, sessions.sizes().1);
        }
    }
}
