//! The one door: identify, decode, accept, journal, and only then answer.
//! Every message ends as a durable record, a durable dead letter, or unanswered.
//!
//! **Absent on purpose:** anything clinical, and any way to lose a message without a record.

mod accept;
mod clock_offset;
mod door;
mod duplicate;
mod gateway;
mod identify;
pub mod limits;
mod pump;
mod refusals;
mod reports;
mod tap;

pub use door::{
    Admitted, BadLines, Door, DoorCounts, Durably, Lines, LinesTaken, Message, Refusal,
    ReplayAsked, ReplayError,
};
pub use identify::{DeviceRef, Registry, UnknownDevice};
pub use pump::{Pump, PumpEnd};
pub use refusals::{Incident, Refusals, Refused, remedy};
pub use tap::{Look, Tap, TooManyWatched, Viewer, Watched};
