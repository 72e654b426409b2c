//! End-to-end tests: the real program as a child process against clients that we did not write.
//!
//! None of our crates is used here: what is asked and what is expected is written
//! down a second time, from the documents. A test that lacks a tool prints
//! `NOT RUN: …` and returns; the gate lists it.

#![cfg_attr(test, expect(clippy::panic, reason = "a test fails by panicking, with its words"))]

#[cfg(test)]
mod backups;
#[cfg(test)]
mod bad_input;
#[cfg(test)]
mod clients;
#[cfg(test)]
mod clocks;
#[cfg(test)]
mod companion;
#[cfg(test)]
mod conformance;
#[cfg(test)]
mod control;
#[cfg(test)]
mod damage;
#[cfg(test)]
mod demo_check;
#[cfg(test)]
mod device_https;
#[cfg(test)]
mod devices;
#[cfg(test)]
mod durability;
#[cfg(test)]
mod eval;
#[cfg(test)]
mod exports;
#[cfg(test)]
mod full_disk;
#[cfg(test)]
mod gateways;
#[cfg(test)]
mod imports;
#[cfg(test)]
mod package;
#[cfg(test)]
mod payload;
#[cfg(test)]
mod people;
#[cfg(test)]
mod postgres;
#[cfg(test)]
mod rest;
#[cfg(test)]
mod s3_backups;
#[cfg(test)]
mod server;
#[cfg(test)]
mod simulator;
#[cfg(test)]
mod small_disk;
#[cfg(test)]
mod standby;
#[cfg(test)]
mod strangers;
#[cfg(test)]
mod syncs;
#[cfg(test)]
mod tools;
#[cfg(test)]
mod waiting;
#[cfg(test)]
mod ward;
#[cfg(test)]
mod wire;
