//! Bytes of the wire to raw samples and back: topics, SenML, waveform blocks, and the
//! device profiles that say what a channel means. Good samples survive bad neighbours.
//!
//! **Absent on purpose:** sockets, patients, clocks; `received_at` is an argument.

#![cfg_attr(not(test), deny(clippy::arithmetic_side_effects))] // Numbers come from strangers.

mod cbor;
mod decimal;
pub mod limits;
pub mod profile;
pub mod senml;
pub mod topic;
pub mod wave;

pub use decimal::Decimal;
