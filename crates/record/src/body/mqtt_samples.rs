//! Samples of what the MQTT door keeps.

use proptest::{collection::vec, option, prelude::*};

use super::samples::{any_at, any_id, id};
use crate::{
    Body, MqttMessage, MqttNote, MqttProgress, MqttQueued, MqttRetained, MqttSession, MqttTarget,
    MqttWill,
};

fn message() -> MqttMessage {
    MqttMessage {
        topic: "zigbee2mqtt/lamp".into(),
        payload: b"{}".to_vec(),
        qos: 2,
        content_type: Some("application/json".into()),
        expires_at: Some(model::Timestamp::from_unix_millis(1_767_258_000_000)),
        payload_format: Some(1),
        response_topic: Some("zigbee2mqtt/answers".into()),
        correlation: Some(vec![1, 2]),
        user: Some(vec![("a".into(), "b".into())]),
    }
}

fn plain() -> MqttMessage {
    MqttMessage {
        content_type: None,
        expires_at: None,
        payload_format: None,
        response_topic: None,
        correlation: None,
        user: None,
        ..message()
    }
}

/// Bodies whose bytes never change.
pub(super) fn golden() -> Vec<(&'static str, Body)> {
    let will =
        MqttWill { message: message(), retain: true, delay_s: 30, due_at: None, expiry_s: Some(9) };
    let session = MqttSession {
        device: id(7),
        client_id: "patch-7".into(),
        expiry_s: 60,
        subscriptions: vec![("$share/g/zigbee2mqtt/#".into(), 2)],
        ended: false,
        site: Some(id(1)),
        subscription_ids: Some(vec![300]),
        ends_at: Some(model::Timestamp::from_unix_millis(1_767_258_000_000)),
        will: Some(will),
    };
    let retained = |message| {
        Body::MqttRetained(MqttRetained {
            site: id(1),
            device: id(7),
            topic: "zigbee2mqtt/lamp".into(),
            message,
            own: None,
        })
    };
    let own = MqttRetained {
        site: id(1),
        device: id(7),
        topic: "zigbee2mqtt/lamp".into(),
        message: Some(plain()),
        own: Some(true),
    };
    let target = MqttTarget {
        device: id(7),
        client_id: "patch-7".into(),
        id: 500,
        qos: 2,
        retain: false,
        subscription_ids: vec![300],
        shared: Some("g/zigbee2mqtt/#".into()),
        may_be_sent: true,
    };
    let progress = MqttProgress {
        device: id(7),
        client_id: "patch-7".into(),
        received: vec![1],
        released: vec![2],
        taken: vec![3],
        done: vec![4, 5],
    };
    vec![
        ("mqtt-session-all", Body::MqttSession(session)),
        ("mqtt-retained", retained(Some(plain()))),
        ("mqtt-retained-none", retained(None)),
        ("mqtt-retained-own", Body::MqttRetained(own)),
        ("mqtt-queued", Body::MqttQueued(MqttQueued { message: message(), to: vec![target] })),
        ("mqtt-progress", Body::MqttNote(MqttNote::Progress(progress))),
        ("mqtt-snapshot-began", Body::MqttNote(MqttNote::SnapshotBegan)),
        ("mqtt-snapshot-ended", Body::MqttNote(MqttNote::SnapshotEnded)),
    ]
}

fn any_message() -> impl Strategy<Value = MqttMessage> {
    let texts = any::<(String, Vec<u8>, u8, Option<String>)>();
    let rest = any::<(Option<u8>, Option<String>, Option<Vec<u8>>)>();
    let user = option::of(vec(any::<(String, String)>(), 0..3));
    (texts, option::of(any_at()), rest, user).prop_map(
        |((topic, payload, qos, content_type), expires_at, rest, user)| {
            let (payload_format, response_topic, correlation) = rest;
            MqttMessage {
                topic,
                payload,
                qos,
                content_type,
                expires_at,
                payload_format,
                response_topic,
                correlation,
                user,
            }
        },
    )
}

/// Any body of the MQTT door.
pub(super) fn any_mqtt() -> impl Strategy<Value = Body> {
    let will = option::of(
        (any_message(), any::<(bool, u32, Option<u32>)>(), option::of(any_at())).prop_map(
            |(message, (retain, delay_s, expiry_s), due_at)| MqttWill {
                message,
                retain,
                delay_s,
                due_at,
                expiry_s,
            },
        ),
    );
    let session = any::<(String, u32, Vec<(String, u8)>, bool)>();
    let later = (option::of(any_id()), any::<Option<Vec<u32>>>(), option::of(any_at()), will);
    prop_oneof![
        (any_id(), session, later).prop_map(
            |(device, (client_id, expiry_s, subscriptions, ended), later)| {
                let (site, subscription_ids, ends_at, will) = later;
                Body::MqttSession(MqttSession {
                    device,
                    client_id,
                    expiry_s,
                    subscriptions,
                    ended,
                    site,
                    subscription_ids,
                    ends_at,
                    will,
                })
            }
        ),
        (any_id(), any_id(), any::<(String, Option<bool>)>(), option::of(any_message())).prop_map(
            |(site, device, (topic, own), message)| {
                Body::MqttRetained(MqttRetained { site, device, topic, message, own })
            }
        ),
        (any_message(), any_id(), any::<(String, u16, u8, bool, Vec<u32>, Option<String>, bool)>())
            .prop_map(|(message, device, rest)| {
                let (client_id, id, qos, retain, subscription_ids, shared, may_be_sent) = rest;
                let target = MqttTarget {
                    device,
                    client_id,
                    id,
                    qos,
                    retain,
                    subscription_ids,
                    shared,
                    may_be_sent,
                };
                Body::MqttQueued(MqttQueued { message, to: vec![target] })
            }),
        (any_id(), any::<(String, [Vec<u16>; 4])>()).prop_map(|(device, (client_id, ids))| {
            let [received, released, taken, done] = ids;
            let progress = MqttProgress { device, client_id, received, released, taken, done };
            Body::MqttNote(MqttNote::Progress(progress))
        }),
    ]
}
