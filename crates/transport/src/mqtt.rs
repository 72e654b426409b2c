//! The MQTT door: 3.1.1 and 5.0 over TLS 1.3 with client certificates.
//!
//! ```text
//!   socket ⇄ connection ⇄ peer (sans IO) ⇄ proto (packets)
//!              │ ▲ desk (answers)      sessions (what outlives a connection)
//!              ▼ │
//!            Listener::next ─▶ whoever takes messages in
//! ```
//! What a client may use is announced truthfully: QoS 1, no shared subscriptions,
//! no subscription identifiers. A RETAIN flag of a device is taken and kept for
//! nobody, as nobody subscribes to `up/`; retained messages to a device live in
//! memory and are published again by the engine when it starts.

mod client;
mod connection;
mod listener;
mod outbox;
mod peer;
mod proto;
mod sessions;
mod topic;

pub use client::{Client, ClientError, ClientOptions, ClientWill, Incoming};
pub use listener::{
    ConnectionInfo, Counters, Listener, MayConnect, MqttConfig, MqttHandle, PublishError,
    Published, listen,
};
pub use peer::{Connecting, Event, Peer, Publication, Subscribing};
pub use proto::{Fault, Qos, Reason, Version};

pub(crate) use crate::limits::Limits;

#[cfg(test)]
mod tests;
