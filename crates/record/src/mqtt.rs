//! What the MQTT door keeps in the journal: sessions with their wills, retained
//! messages, queues, and the packet ids that stand between a message and its end.
//!
//! ```text
//!   MqttSession   a session as it is now, its will included, or that it ended
//!   MqttRetained  the newest message of a topic, or that there is none
//!   MqttQueued    a message in the queues of sessions, each with its packet id
//!   MqttNote      how far packet ids have come; where a snapshot begins and ends
//! ```
//! Each says a state and not a change of one, so reading one twice does no harm.

use model::{DeviceId, SiteId, Timestamp};

use crate::coded;

/// What an MQTT session keeps beyond its connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MqttSession {
    /// Whose it is.
    pub device: DeviceId,
    /// The client's own name for it.
    pub client_id: String,
    /// How long it outlives its connection, in seconds; 0 ends it, `u32::MAX` keeps it.
    pub expiry_s: u32,
    /// Filters with the byte of their options as MQTT 5 has it: the granted QoS, no local,
    /// retain as published, retain handling; the whole list, not a change.
    pub subscriptions: Vec<(String, u8)>,
    /// Whether the session is over.
    pub ended: bool,
    /// The site at which the device was known when it came.
    pub site: Option<SiteId>,
    /// The number that each filter's subscription has for its client, 0 for none; absent if all
    /// have none.
    pub subscription_ids: Option<Vec<u32>>,
    /// When it ends, if it has no connection.
    pub ends_at: Option<Timestamp>,
    /// What is published when its connection is lost, or soon.
    pub will: Option<MqttWill>,
}

/// What a lost connection leaves behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MqttWill {
    /// The message.
    pub message: MqttMessage,
    /// Whether it is kept for later subscriptions.
    pub retain: bool,
    /// How long after the loss it is published, in seconds.
    pub delay_s: u32,
    /// When it is due, if the connection is lost already.
    pub due_at: Option<Timestamp>,
    /// How long after that it means something, in seconds.
    pub expiry_s: Option<u32>,
}

/// A message with all that a subscriber gets of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MqttMessage {
    /// Where it was published.
    pub topic: String,
    /// What was published.
    pub payload: Vec<u8>,
    /// The QoS that it was published with.
    pub qos: u8,
    /// What its sender says that it is.
    pub content_type: Option<String>,
    /// When it means nothing any more.
    pub expires_at: Option<Timestamp>,
    /// The payload format indicator: a number that passes through.
    pub payload_format: Option<u8>,
    /// Where its sender waits for an answer.
    pub response_topic: Option<String>,
    /// By what its sender recognises the answer.
    pub correlation: Option<Vec<u8>>,
    /// The user properties, in their order.
    pub user: Option<Vec<(String, String)>>,
}

/// The newest message of a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MqttRetained {
    /// Where the topic lives.
    pub site: SiteId,
    /// Who published it, or to whom it goes; its quota counts it.
    pub device: DeviceId,
    /// The topic.
    pub topic: String,
    /// The message; absent if there is none any more.
    pub message: Option<MqttMessage>,
    /// Whether the topic is of this device alone, as all are now; in records without it the
    /// topic was of all devices of the site, and the last one to publish had it.
    pub own: Option<bool>,
}

/// A message in the queues of sessions that outlive their connections.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MqttQueued {
    /// The message.
    pub message: MqttMessage,
    /// The sessions, with what is particular to each.
    pub to: Vec<MqttTarget>,
}

/// One session that gets a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MqttTarget {
    /// Whose session.
    pub device: DeviceId,
    /// Which of its own.
    pub client_id: String,
    /// The packet id, which stays until the end of the delivery.
    pub id: u16,
    /// The QoS of this delivery, 1 or 2.
    pub qos: u8,
    /// The RETAIN flag of this delivery.
    pub retain: bool,
    /// The number that each subscription which heard it has for its client.
    pub subscription_ids: Vec<u32>,
    /// The shared subscription that chose this session, as `name/filter`.
    pub shared: Option<String>,
    /// Whether the client may have it already.
    pub may_be_sent: bool,
}

/// How far packet ids of a session have come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MqttProgress {
    /// Whose session.
    pub device: DeviceId,
    /// Which of its own.
    pub client_id: String,
    /// Messages of QoS 2 from the client that are stored and not released.
    pub received: Vec<u16>,
    /// Messages that the client released: their ids are free.
    pub released: Vec<u16>,
    /// Messages of QoS 2 to the client that it has, and that wait for its PUBCOMP.
    pub taken: Vec<u16>,
    /// Messages to the client whose delivery is over: their ids are free.
    pub done: Vec<u16>,
}

/// A short remark of the MQTT door.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MqttNote {
    /// Packet ids have come further.
    Progress(MqttProgress),
    /// From here on, everything that is kept is written once more.
    SnapshotBegan,
    /// Everything was written once more: nothing before the beginning is needed.
    SnapshotEnded,
}

coded! {
    struct MqttSession {
        0 device, 1 client_id, 2 expiry_s, 3 subscriptions, 4 ended, 5 site, 6 subscription_ids,
        7 ends_at, 8 will
    }
    struct MqttWill { 0 message, 1 retain, 2 delay_s, 3 due_at, 4 expiry_s }
    struct MqttMessage {
        0 topic, 1 payload, 2 qos, 3 content_type, 4 expires_at, 5 payload_format,
        6 response_topic, 7 correlation, 8 user
    }
    struct MqttRetained { 0 site, 1 device, 2 topic, 3 message, 4 own }
    struct MqttQueued { 0 message, 1 to }
    struct MqttTarget {
        0 device, 1 client_id, 2 id, 3 qos, 4 retain, 5 subscription_ids, 6 shared, 7 may_be_sent
    }
    struct MqttProgress {
        0 device, 1 client_id, 2 received, 3 released, 4 taken, 5 done
    }
    enum MqttNote { 0 Progress(progress), 1 SnapshotBegan, 2 SnapshotEnded }
}
