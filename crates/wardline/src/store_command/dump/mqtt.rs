//! What the MQTT door keeps, as JSON: places, ids and lengths; payloads stay base64.

use record::{MqttMessage, MqttNote, MqttQueued, MqttRetained, MqttSession};
use serde_json::{Value, json};

use super::{super::base64::base64, time};

pub(super) fn of_session(session: &MqttSession) -> Value {
    json!({
        "device": session.device.to_string(), "client_id": session.client_id,
        "expiry_s": session.expiry_s, "subscriptions": session.subscriptions,
        "subscription_ids": session.subscription_ids, "ended": session.ended,
        "ends_at": session.ends_at.map(time),
        "will": session.will.as_ref().map(|will| json!({
            "message": of_message(&will.message), "retain": will.retain,
            "delay_s": will.delay_s, "due_at": will.due_at.map(time),
        })),
    })
}

fn of_message(message: &MqttMessage) -> Value {
    json!({
        "topic": message.topic, "qos": message.qos, "content_type": message.content_type,
        "expires_at": message.expires_at.map(time), "payload": base64(&message.payload),
    })
}

pub(super) fn of_retained(retained: &MqttRetained) -> Value {
    json!({
        "device": retained.device.to_string(), "topic": retained.topic,
        "message": retained.message.as_ref().map(of_message),
    })
}

pub(super) fn of_queued(queued: &MqttQueued) -> Value {
    let to = queued.to.iter().map(|target| {
        json!({
            "device": target.device.to_string(), "client_id": target.client_id,
            "id": target.id, "qos": target.qos, "shared": target.shared,
        })
    });
    json!({ "message": of_message(&queued.message), "to": to.collect::<Vec<_>>() })
}

pub(super) fn of_note(note: &MqttNote) -> Value {
    match note {
        MqttNote::Progress(progress) => json!({
            "device": progress.device.to_string(), "client_id": progress.client_id,
            "received": progress.received, "released": progress.released,
            "taken": progress.taken, "done": progress.done,
        }),
        MqttNote::SnapshotBegan => json!("snapshot began"),
        MqttNote::SnapshotEnded => json!("snapshot ended"),
    }
}
