//! The door with real sockets, real certificates and the real journal on a disk that
//! obeys the test; the clock stands until a test moves it.

mod acks;
mod broker;
mod hostile;
mod identity;
mod lives;
mod restarts;
mod ward;

use ward::{Ward, until, within};

use super::*;
