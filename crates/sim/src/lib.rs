//! The virtual hospital: bodies, courses of illness, devices and their faults, from a seed.
//!
//! **Absent on purpose:** sockets, clocks, and every clinical rule; the simulator must
//! not know the answers.

mod course;
mod device;
mod ecg;
mod encode;
mod fault;
mod physiology;
mod rng;
mod ward;

pub use course::{Course, demo_courses};
pub use device::{Enrolled, Kind, demo_devices};
pub use ecg::Recording;
pub use fault::{Fault, Planned, Script, demo_script};
pub use physiology::Body;
pub use rng::Rng;
pub use ward::{Act, Deed, Intent, Sent, Ward};
