//! Deciders about devices: how they move along their life, and what follows from it.
//!
//! **Absent on purpose:** clocks, sockets, the directory, and any device on a patient
//! that is touched by surprise.

#![deny(clippy::wildcard_enum_match_arm)] // A new variant is thought about at every match.

pub mod command;
pub mod coverage;
pub mod lifecycle;
