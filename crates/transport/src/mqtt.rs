//! The MQTT door: 3.1.1 and 5.0 over TLS 1.3 with client certificates.
//!
//! ```text
//!   socket ⇄ connection ⇄ peer (sans IO) ⇄ proto (packets)
//!              │ ▲ desk (answers)      sessions (what outlives a connection)
//!              ▼ │
//!            Listener::next ─▶ whoever takes messages in
//! ```
//! What clients may use is all of both standards but AUTH: the certificate is the only
//! proof. A message is seen by other clients once it is durable; everything that has to
//! survive a restart is written in the group of the message that it belongs to.
//!
//! A client publishes below its device's own `up/` and hears all of the device's own
//! topics; a gateway's profile may grant it foreign ones, which are its own as
//! well. No device hears another.

mod client;
mod connection;
mod listener;
mod mail;
mod outbox;
mod peer;
mod proto;
mod retained;
mod sessions;
mod time;
mod topic;
mod tree;

pub use client::{Client, ClientError, ClientOptions, ClientWill, Incoming};
pub use listener::{
    Admitted, ConnectionInfo, Counters, Listener, MayConnect, MqttConfig, MqttHandle, PublishError,
    Published, counted_as, listen,
};
pub use peer::{Connecting, Event, Peer, Publication, Subscribing};
pub use proto::{Fault, Qos, Reason, Version};
pub use sessions::Recalled;
pub use time::time_payload;

pub(crate) use self::{
    listener::House,
    mail::Said,
    proto::{Extra, write::Granted},
    sessions::{Addressed, Key, Options, Outgoing, Route, SharedOutbox, lock, progress},
};

pub(crate) use crate::limits::Limits;

#[cfg(test)]
mod tests;
