//! The handlers of the table, by noun; each file lists its own rows.

pub(crate) mod alarms;
pub(crate) mod audit;
pub(crate) mod devices;
pub(crate) mod past;
pub(crate) mod patients;
pub(crate) mod people;
pub(crate) mod places;
pub(crate) mod posts;
pub(crate) mod session;
pub(crate) mod system;
