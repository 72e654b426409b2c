//! Import: what was measured before or elsewhere comes in from files, as history of a device.
//!
//! Whoever brings it reads the files ([`files`]) and sends them in parts over the public
//! interface ([`part`]); here each part is compared with what the series have (`known`), and
//! the rest is journalled as what it is. It goes to the series and decides nothing: no alarm, no
//! presence, no live feed comes of it. Whose it is, the associations answer for its own times.
//!
//! **Absent on purpose:** a patient, and a way to overwrite. What a file says otherwise than the
//! series stands beside it.

pub mod batch;
mod begun;
pub mod files;
mod known;
pub mod part;
mod take;

pub(crate) use begun::BegunImports;
pub(crate) use take::{Compared, TakeError, Taken, take};
