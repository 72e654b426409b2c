//! The one door: identify, decode, accept, journal, and only then answer.
//! Every message ends as a durable record, a durable dead letter, or unanswered.
//!
//! **Absent on purpose:** anything clinical, and any way to lose a message without a record.

mod accept;
mod clock_offset;
mod door;
mod duplicate;
mod identify;
pub mod limits;
mod pump;

pub use door::{Admitted, Door, DoorCounts, Durably, Message, Refusal};
pub use identify::{DeviceRef, Registry, UnknownDevice};
pub use pump::{Pump, PumpEnd};
