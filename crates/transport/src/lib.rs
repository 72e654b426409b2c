//! Sessions with devices: bytes in, acknowledgements out.
//!
//! **Absent on purpose:** decoding of payloads, calls of `ingest`, and any
//! acknowledgement without a `Durable`.

mod arrival;
mod desk;
mod limits;
pub mod mqtt;
mod tls;

pub use arrival::{Arrival, Message, NackReason, RefusedWhy, Unacked, Unanswered};
pub use limits::Limits;
pub use tls::{
    ClientAuth, Revocations, TlsError, client_config, device_of, install_provider, server_config,
};
