//! MQTT 3.1.1 and 5.0 by the letter: every normative statement of both standards against
//! the running program, by clients that send and read bytes.
//!
//! `statements-3.1.1.txt` and `statements-5.0.txt` name for each statement the test that
//! shows it, or why none does; [`table`] keeps them, the tests and
//! `docs/reference/mqtt-conformance.md` in step.

mod aliases;
mod authentication;
mod client;
mod connect;
mod farewell;
mod field;
mod flow;
mod groups;
mod malformed;
pub(crate) mod packets;
mod properties;
mod publish;
mod reference;
mod restart;
mod retain;
mod session;
mod strangers;
mod subscribe;
mod table;
mod websocket;
mod will;

use client::{Ack, Client, Delivery, Said};
use field::{BOTH, Field};
use packets::{Connect, Publish, Subscribe, Will, property};

use crate::wire::{End, Version};
