//! Taking a lock whose last holder may have panicked: the guarded states here are
//! changed in single steps, so they are whole, and a monitor goes on.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Takes the lock.
pub(crate) fn hold<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}
