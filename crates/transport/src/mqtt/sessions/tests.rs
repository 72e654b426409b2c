//! What outlives a connection, told as the arrivals that follow from it.

use std::time::Duration;

use bytes::Bytes;
use model::{OrgId, SiteId};
use proptest::prelude::*;

use super::*;

const START: Timestamp = Timestamp::from_unix_millis(1_763_000_000_000);

fn device(number: u128) -> DeviceId {
    DeviceId::v7(START, number)
}

fn key(number: u128, client: &str) -> Key {
    (device(number), client.to_owned())
}

fn at(seconds: u64) -> Timestamp {
    START.after(Duration::from_secs(seconds))
}

fn message(text: &'static str) -> Message {
    let identity = DeviceIdentity {
        org: OrgId::v7(START, 1),
        device: device(1),
        serial: vec![1],
        not_after: START,
    };
    Message {
        identity: Arc::new(identity),
        site: SiteId::v7(START, 1),
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
    }
}

fn live(connection: u64, will: Option<(u32, &'static str)>) -> Live {
    let will = will.map(|(delay_s, text)| (delay_s, message(text)));
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
    Sessions::restore(Arc::new(limits), Vec::new(), START)
}

const LOST: Leave = Leave { with_will: true, expiry_s: None };
const GOODBYE: Leave = Leave { with_will: false, expiry_s: None };

fn words(message: Option<Message>) -> String {
    message.map_or("-".to_owned(), |will| String::from_utf8(will.payload.to_vec()).unwrap())
}

fn told(change: &Option<MqttSession>) -> String {
    change.as_ref().map_or("-".to_owned(), |change| {
        let filters: Vec<_> =
            change.subscriptions.iter().map(|(f, q)| format!("{f}@{q}")).collect();
        let ended = if change.ended { "ended" } else { "kept" };
        format!("{ended} {}s [{}]", change.expiry_s, filters.join(" "))
    })
}

fn filter(text: &str, qos: Qos) -> Result<Filter, Reason> {
    Ok(Filter { text: text.to_owned(), qos, retain_handling: 0, no_local: false })
}

fn mail(topic: &str, qos: Qos) -> Mail {
    let payload = Bytes::from_static(b"x");
    Mail { topic: topic.into(), content_type: None, payload, qos, retain: false, expires_at: None }
}

#[test]
fn a_session_without_expiry_ends_with_its_connection() {
    let mut sessions = empty(Limits::default());
    let attached = sessions.attach(&key(1, "c"), false, 0, live(1, Some((0, "w")))).unwrap();
    assert_eq!((attached.present, told(&attached.change)), (false, "-".to_owned()));
    let departed = sessions.detach(&key(1, "c"), 1, LOST, START);
    assert_eq!((departed.is_last, words(departed.will)), (true, "w".to_owned()));
    assert!(!sessions.attach(&key(1, "c"), false, 0, live(2, None)).unwrap().present);
}

#[test]
fn a_kept_session_goes_on_and_is_told_whole() {
    let mut sessions = empty(Limits::default());
    let attached = sessions.attach(&key(1, "c"), false, 60, live(1, None)).unwrap();
    assert_eq!(told(&attached.change), "kept 60s []");
    let filters = vec![filter("down/#", Qos::AtLeastOnce), Err(Reason::NotAuthorized)];
    let (codes, _, change) = sessions.subscribe(&key(1, "c"), filters, START);
    assert_eq!(codes, [Reason::GrantedQos1, Reason::NotAuthorized]);
    assert_eq!(told(&change), "kept 60s [down/#@1]");
    sessions.detach(&key(1, "c"), 1, LOST, START);
    assert_eq!(sessions.publish(device(1), &mail("down/cfg", Qos::AtLeastOnce)), (1, 0));
    // QoS 0 is for whoever is there.
    assert_eq!(sessions.publish(device(1), &mail("down/cfg", Qos::AtMostOnce)), (0, 0));
    let attached = sessions.attach(&key(1, "c"), false, 60, live(2, None)).unwrap();
    assert!(attached.present);
    assert_eq!(lock(&attached.outbox).len(), 1);
    let attached = sessions.attach(&key(1, "c"), true, 60, live(3, None)).unwrap();
    assert_eq!((attached.present, told(&attached.change)), (false, "kept 60s []".to_owned()));
    assert_eq!(lock(&attached.outbox).len(), 0);
}

#[test]
fn a_session_ends_when_its_time_is_over() {
    let mut sessions = empty(Limits::default());
    sessions.attach(&key(1, "c"), false, 60, live(1, None)).unwrap();
    sessions.detach(&key(1, "c"), 1, GOODBYE, at(0));
    assert_eq!(sessions.due(at(59)).changes, []);
    let changes = sessions.due(at(60)).changes;
    assert_eq!(
        changes.into_iter().map(Some).map(|c| told(&c)).collect::<Vec<_>>(),
        ["ended 60s []"]
    );
    assert!(!sessions.attach(&key(1, "c"), false, 60, live(2, None)).unwrap().present);
}

#[test]
fn a_goodbye_may_change_how_long_the_session_stays() {
    let mut sessions = empty(Limits::default());
    sessions.attach(&key(1, "c"), false, 60, live(1, None)).unwrap();
    let leave = Leave { expiry_s: Some(0), ..GOODBYE };
    assert_eq!(told(&sessions.detach(&key(1, "c"), 1, leave, START).change), "ended 0s []");
    sessions.attach(&key(1, "c"), false, 60, live(2, None)).unwrap();
    let leave = Leave { expiry_s: Some(u32::MAX), ..GOODBYE };
    let departed = sessions.detach(&key(1, "c"), 2, leave, START);
    assert_eq!(told(&departed.change), "kept 604800s []");
}

#[test]
fn a_delayed_will_is_taken_away_by_coming_back_in_time() {
    // Back after so many seconds, clean or not; what coming back brings, and what time brings.
    let rows = [(Some((5, false)), "-", "-"), (Some((5, true)), "w", "-"), (None, "-", "w")];
    for (back, by_coming, by_time) in rows {
        let mut sessions = empty(Limits::default());
        sessions.attach(&key(1, "c"), false, 60, live(1, Some((10, "w")))).unwrap();
        let departed = sessions.detach(&key(1, "c"), 1, LOST, at(0));
        assert_eq!(words(departed.will), "-");
        assert!(sessions.due(at(9)).wills.is_empty());
        let came =
            back.map(|(_, clean)| sessions.attach(&key(1, "c"), clean, 60, live(2, None)).unwrap());
        assert_eq!(words(came.and_then(|attached| attached.will)), by_coming);
        assert_eq!(words(sessions.due(at(10)).wills.pop()), by_time);
    }
}

#[test]
fn a_will_is_not_later_than_the_end_of_its_session() {
    let mut sessions = empty(Limits::default());
    sessions.attach(&key(1, "c"), false, 5, live(1, Some((600, "w")))).unwrap();
    sessions.detach(&key(1, "c"), 1, LOST, at(0));
    assert!(sessions.due(at(4)).wills.is_empty());
    assert_eq!(words(sessions.due(at(5)).wills.pop()), "w");
}

#[test]
fn a_takeover_speaks_for_the_connection_before() {
    // Delay of the old will, clean start of the new connection: whether the will is due.
    for (delay_s, clean, expected) in
        [(0, false, "w"), (0, true, "w"), (9, false, "-"), (9, true, "w")]
    {
        let mut sessions = empty(Limits::default());
        sessions.attach(&key(1, "c"), false, 60, live(1, Some((delay_s, "w")))).unwrap();
        let attached = sessions.attach(&key(1, "c"), clean, 60, live(2, None)).unwrap();
        let (old, will) = attached.displaced.unwrap();
        assert_eq!((old.connection, words(will)), (1, expected.to_owned()), "{delay_s} {clean}");
        assert_eq!(attached.present, !clean);
        let departed = sessions.detach(&key(1, "c"), 1, LOST, START);
        assert!(!departed.is_last && departed.will.is_none());
        assert_eq!(sessions.live(None).count(), 1);
    }
}

#[test]
fn sessions_of_one_device_are_bounded_and_the_longest_gone_gives_way() {
    let mut sessions = empty(Limits { sessions_per_device_max: 2, ..Limits::default() });
    sessions.attach(&key(1, "a"), false, 60, live(1, None)).unwrap();
    sessions.attach(&key(1, "b"), false, 60, live(2, None)).unwrap();
    let refused = sessions.attach(&key(1, "c"), false, 60, live(3, None));
    assert_eq!(refused.map(|_| ()), Err(NoSession::TooMany));
    sessions.attach(&key(2, "c"), false, 60, live(4, None)).unwrap();
    sessions.detach(&key(1, "a"), 1, GOODBYE, START);
    let attached = sessions.attach(&key(1, "c"), false, 60, live(5, None)).unwrap();
    assert_eq!(told(&attached.ended), "ended 60s []");
    assert!(!sessions.sessions.contains_key(&key(1, "a")));
}

#[test]
fn whoever_is_put_out_does_not_slip_in_by_a_connection_that_had_begun() {
    let mut sessions = empty(Limits::default());
    sessions.attach(&key(1, "a"), false, 60, live(1, None)).unwrap();
    assert_eq!(sessions.put_out(device(1), 3, Reason::NotAuthorized, at(0)), 1);
    let mut come = |device: u128, connection| {
        sessions.attach(&key(device, "b"), false, 0, live(connection, None)).map(|_| ()).err()
    };
    assert_eq!(come(1, 2), Some(NoSession::PutOut));
    assert_eq!(come(1, 3), Some(NoSession::PutOut));
    assert_eq!(come(1, 4), None);
    assert_eq!(come(2, 3), None);
    sessions.due(at(40));
    assert!(sessions.put_out.is_empty());
}

#[test]
fn filters_of_a_session_are_bounded() {
    let mut sessions = empty(Limits { filters_max: 2, ..Limits::default() });
    sessions.attach(&key(1, "c"), false, 0, live(1, None)).unwrap();
    let filters = ["a", "b", "a", "c"].map(|text| filter(text, Qos::AtMostOnce)).into();
    let (codes, _, _) = sessions.subscribe(&key(1, "c"), filters, START);
    use Reason::{QuotaExceeded, Success};
    assert_eq!(codes, [Success, Success, Success, QuotaExceeded]);
    let (codes, _) = sessions.unsubscribe(&key(1, "c"), &["a".to_owned(), "c".to_owned()]);
    assert_eq!(codes, [Success, Reason::NoSubscriptionExisted]);
}

#[test]
fn a_message_comes_once_with_the_highest_qos_and_only_to_its_device() {
    let mut sessions = empty(Limits::default());
    let attached = sessions.attach(&key(1, "c"), false, 0, live(1, None)).unwrap();
    let filters = vec![filter("down/#", Qos::AtMostOnce), filter("down/+", Qos::AtLeastOnce)];
    sessions.subscribe(&key(1, "c"), filters, START);
    assert_eq!(sessions.publish(device(2), &mail("down/cfg", Qos::AtLeastOnce)), (0, 0));
    assert_eq!(sessions.publish(device(1), &mail("down/cfg", Qos::AtLeastOnce)), (1, 0));
    let letter = lock(&attached.outbox).next(START, 8).unwrap();
    assert_eq!(letter.mail.qos, Qos::AtLeastOnce);
    assert!(lock(&attached.outbox).next(START, 8).is_none());
}

#[test]
fn a_retained_message_waits_for_subscriptions_that_want_it() {
    let mut sessions = empty(Limits { retained_per_device_max: 1, ..Limits::default() });
    sessions.attach(&key(1, "c"), false, 0, live(1, None)).unwrap();
    assert!(sessions.retain(device(1), &mail("down/cfg", Qos::AtLeastOnce)));
    assert!(!sessions.retain(device(1), &mail("down/time", Qos::AtLeastOnce)));
    let mut ask = |handling, text: &str| {
        let asked = filter(text, Qos::AtMostOnce)
            .map(|filter| Filter { retain_handling: handling, ..filter });
        let (_, retained, _) = sessions.subscribe(&key(1, "c"), vec![asked], START);
        retained.into_iter().map(|mail| (mail.retain, mail.qos)).collect::<Vec<_>>()
    };
    let sent = vec![(true, Qos::AtMostOnce)];
    assert_eq!(ask(2, "down/#"), []);
    assert_eq!(ask(1, "down/#"), []);
    assert_eq!(ask(0, "down/#"), sent);
    assert_eq!(ask(1, "down/+"), sent);
    assert_eq!(ask(0, "up/#"), []);
    let nothing = Mail { payload: Bytes::new(), ..mail("down/cfg", Qos::AtMostOnce) };
    assert!(sessions.retain(device(1), &nothing));
    assert!(sessions.retain(device(1), &mail("down/time", Qos::AtLeastOnce)));
}

proptest! {
    /// What was told about a session, replayed into new sessions, is the session.
    #[test]
    fn a_restart_restores_what_was_told(
        steps in prop::collection::vec((0_u8..6, 0_usize..3, any::<bool>()), 0..40)
    ) {
        let mut sessions = empty(Limits::default());
        let (key, mut connection, mut kept) = (key(1, "c"), 0, None);
        let filters = ["a", "b", "c"];
        for (step, which, flag) in steps {
            let change = match step {
                0 => {
                    connection += 1;
                    let expiry_s = [0, 60, 3600][which];
                    sessions.attach(&key, flag, expiry_s, live(connection, None)).unwrap().change
                }
                1 | 2 => sessions.subscribe(&key, vec![filter(filters[which], Qos::AtLeastOnce)], START).2,
                3 => sessions.unsubscribe(&key, &[filters[which].to_owned()]).1,
                4 => sessions.detach(&key, connection, LOST, START).change,
                _ => {
                    let leave = Leave { with_will: false, expiry_s: Some([0, 60, 3600][which]) };
                    sessions.detach(&key, connection, leave, START).change
                }
            };
            if change.is_some() { kept = change; }
        }
        let limits = Arc::new(Limits::default());
        let restored = Sessions::restore(limits, kept.into_iter().collect(), START);
        let shape = |all: &Sessions| all.sessions.get(&key).filter(|session| session.expiry_s > 0)
            .map(|session| (session.expiry_s, session.subscriptions.clone()));
        prop_assert_eq!(shape(&restored), shape(&sessions));
    }
}
