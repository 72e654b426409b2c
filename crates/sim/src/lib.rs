//! The virtual hospital: bodies and their illnesses, devices and their faults, staff and
//! what they try, ground truth and how well alarms tell of it; all from a script and a seed.
//!
//! **Absent on purpose:** sockets, clocks, and every clinical rule; the simulator must
//! not know the answers.

mod device;
mod ecg;
mod encode;
mod fault;
mod hospital;
mod illness;
mod instrument;
mod patient;
mod physiology;
mod rng;
mod score;
mod script;
mod solo;
mod staff;
mod treatment;
mod truth;

pub use device::{Enrolled, Kind};
pub use ecg::Recording;
pub use fault::{Fault, Planned};
pub use hospital::{Act, Deed, Fidelity, Hospital, Intent, Sent};
pub use illness::Illness;
pub use physiology::{AtRest, Body, Rhythm};
pub use rng::Rng;
pub use score::{Raised, Score, Told, score};
pub use script::{
    Bedded, HandOver, Member, Order, OrderError, OwnLimit, Script, ScriptError, Unit, UnitKind,
    span_s,
};
pub use solo::Solo;
pub use staff::{Coming, Remedy, Shift};
pub use treatment::Treatment;
pub use truth::Row;
