//! Bytes of the wire to raw samples and back: topics, SenML, line protocol, waveform
//! blocks, reports of devices about themselves, and the profiles that say what a channel means. Good samples survive bad neighbours.
//!
//! **Absent on purpose:** sockets, patients, clocks; `received_at` is an argument.

#![cfg_attr(not(test), deny(clippy::arithmetic_side_effects))] // Numbers come from strangers.

mod cbor;
pub mod command;
mod decimal;
pub mod limits;
pub mod line;
pub mod passed_on;
pub mod profile;
pub mod report;
pub mod senml;
pub mod topic;
pub mod wave;

pub use decimal::Decimal;
