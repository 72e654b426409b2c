//! Clinical deciders: pure functions from what is known to what must be done.
//! `decide` answers an input with effects; `observe` takes in evidence and
//! `apply` what was decided, so replaying the journal rebuilds what was live.
//!
//! A condition ([`limit`], [`news2`], [`rhythm`], [`technical`]) says a
//! [`alarm::Verdict`]; the one machine in [`alarm`] makes an alarm of it;
//! [`kind`] knows what each alarm is called and [`rules`] how it behaves.
//!
//! **Absent on purpose:** clocks, sockets, files, threads, async, and randomness.

#![deny(clippy::wildcard_enum_match_arm)] // A new variant is thought about at every match.

pub mod alarm;
pub mod edition;
pub mod escalation;
pub mod kind;
pub mod limit;
pub mod news2;
pub mod rhythm;
pub mod rules;
pub mod source;
pub mod technical;

/// The version of every `observe` here; recorded with a checkpoint, because state that
/// other code had observed may not be carried on by this code.
pub const OBSERVE_VERSION: u16 = 2;
