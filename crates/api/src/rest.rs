//! The handlers of the table, by noun; each file lists its own rows.

pub(crate) mod alarms;
pub(crate) mod audit;
pub(crate) mod demo;
pub(crate) mod devices;
pub(crate) mod doses;
pub(crate) mod emergency;
pub(crate) mod hand_over;
pub(crate) mod history;
pub(crate) mod holds;
pub(crate) mod letters;
pub(crate) mod own;
pub(crate) mod past;
pub(crate) mod patients;
pub(crate) mod people;
pub(crate) mod places;
pub(crate) mod places_now;
pub(crate) mod posts;
pub(crate) mod refusals;
pub(crate) mod session;
pub(crate) mod settings;
pub(crate) mod share;
pub(crate) mod system;
pub(crate) mod timeline;
pub(crate) mod trail;
