//! The door with real sockets, real certificates and the real journal on a disk that
//! obeys the test; the clock stands until a test moves it.

mod acks;
mod hostile;
mod identity;
mod lives;
mod ward;

use ward::{Ward, until, within};

use super::*;
