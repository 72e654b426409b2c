//! Sessions with devices: bytes in, acknowledgements out.
//!
//! A device comes in over TLS by [`mqtt::listen`], or over any other stream that has proved
//! its identity, such as a WebSocket, by [`mqtt::MqttHandle::serve`].
//!
//! **Absent on purpose:** decoding of payloads, calls of `ingest`, and any
//! acknowledgement without a `Durable`.

mod arrival;
mod desk;
mod limits;
pub mod mqtt;
mod note;
mod tls;

pub use arrival::{
    Arrival, Company, Message, NackReason, Presented, RefusedWhy, Unacked, Unanswered,
};
pub use limits::Limits;
pub use note::Note;
pub use tls::{
    ClientAuth, Revocations, Shown, TlsError, client_config, device_of, install_provider,
    server_config, why_failed,
};
