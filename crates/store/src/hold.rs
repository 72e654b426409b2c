//! Taking a lock whose last holder may have panicked: the guarded states here are
//! changed in single steps, so they are whole, and a monitor goes on.

use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};

/// Takes the lock.
pub(crate) fn hold<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Takes the lock if nobody else has it.
pub(crate) fn try_hold<T>(lock: &Mutex<T>) -> Option<MutexGuard<'_, T>> {
    match lock.try_lock() {
        Ok(held) => Some(held),
        Err(TryLockError::Poisoned(held)) => Some(held.into_inner()),
        Err(TryLockError::WouldBlock) => None,
    }
}
