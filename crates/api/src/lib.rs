//! What people's browsers and programs talk to: REST, the live feed, the screens.
//!
//! Reads come from the engine's views and the stored past; a change is one command
//! that is appended to the journal and answered when the engine has decided it.
//! Every route stands in one table behind one guard (see `routes`).
//!
//! **Absent on purpose:** any write to the store but an append of a command or an audit
//! record, any medicine, and any way to a handler that does not pass the guard.

mod allowance;
mod auth;
mod backup_desk;
mod command;
mod demo_desk;
mod device;
mod disk_watch;
mod dto;
pub mod export;
mod extract;
mod first_start;
mod guard;
mod heard;
mod history;
pub mod import;
pub mod limits;
mod listener;
mod long_answer;
mod metrics;
mod openapi;
mod pages;
mod paging;
mod past;
mod problem;
mod pulse;
mod rest;
mod retention_desk;
mod rolls;
mod routes;
mod session;
mod state;
#[cfg(test)]
mod tests;
mod warden;
mod ws;

pub use backup_desk::{BackupAsked, BackupDesk, BackupMade, BackupState};
pub use demo_desk::{DemoDesk, DemoOrder};
pub use device::serve_devices;
pub use disk_watch::keep_disk_watch;
pub use first_start::{FirstStart, FirstStartError, first_start};
pub use listener::{serve, serve_metrics};
pub use openapi::document;
pub use pages::router;
pub use problem::{Problem, ProblemBody};
pub use pulse::keep_pulse;
pub use retention_desk::{RetentionDesk, RetentionState};
pub use rolls::keep_rolls;
pub use state::{Api, ApiParts, Config};
