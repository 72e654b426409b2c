//! Room for requests of devices: so many at once, and so few of each; and each device's
//! turn, as one message is settled before the next of the same device is judged.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use model::DeviceId;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::limits::DEVICE_REQUESTS_MAX;
pub(super) use crate::limits::DEVICE_REQUESTS_OF_ONE_MAX as OF_ONE_MAX;

/// Why there is no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Busy {
    /// The device has as many requests open as it may.
    Device,
    /// All together have.
    Server,
}

/// The room that there is.
#[derive(Debug)]
pub(crate) struct Places {
    all: Arc<Semaphore>,
    of: Arc<Mutex<BTreeMap<DeviceId, Of>>>,
}

#[derive(Debug, Default)]
struct Of {
    open: usize,
    turn: Arc<tokio::sync::Mutex<()>>,
}

/// Room for one request; dropped, it is free again.
#[derive(Debug)]
pub(super) struct Place {
    of: Arc<Mutex<BTreeMap<DeviceId, Of>>>,
    device: DeviceId,
    turn: Arc<tokio::sync::Mutex<()>>,
    _one_of_all: OwnedSemaphorePermit,
}

impl Default for Places {
    fn default() -> Self {
        Self { all: Arc::new(Semaphore::new(DEVICE_REQUESTS_MAX)), of: Arc::default() }
    }
}

fn lock(of: &Mutex<BTreeMap<DeviceId, Of>>) -> MutexGuard<'_, BTreeMap<DeviceId, Of>> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Places {
    /// Room for one request of this device.
    pub(super) fn take(&self, device: DeviceId) -> Result<Place, Busy> {
        let one_of_all = Arc::clone(&self.all).try_acquire_owned().map_err(|_| Busy::Server)?;
        let mut of = lock(&self.of);
        let own = of.entry(device).or_default();
        if own.open >= OF_ONE_MAX {
            return Err(Busy::Device);
        }
        own.open += 1;
        let turn = Arc::clone(&own.turn);
        Ok(Place { of: Arc::clone(&self.of), device, turn, _one_of_all: one_of_all })
    }

    /// How many are taken.
    pub(crate) fn taken(&self) -> usize {
        DEVICE_REQUESTS_MAX.saturating_sub(self.all.available_permits())
    }
}

impl Place {
    /// The device's turn, for as long as the guard lives.
    pub(super) async fn turn(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.turn.lock().await
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut of = lock(&self.of);
        if let Some(own) = of.get_mut(&self.device) {
            own.open = own.open.saturating_sub(1);
            if own.open == 0 {
                of.remove(&self.device);
            }
        }
    }
}

#[test]
fn a_device_has_so_many_places_and_all_together_so_many() {
    let places = Places::default();
    let device = |tail: usize| {
        DeviceId::from_uuid(0x7000_8000_0000_0000_0000 | u128::try_from(tail).unwrap()).unwrap()
    };
    let mut taken: Vec<Place> = (0..OF_ONE_MAX).map(|_| places.take(device(0)).unwrap()).collect();
    assert_eq!(places.take(device(0)).err(), Some(Busy::Device));
    let rest = (OF_ONE_MAX..DEVICE_REQUESTS_MAX).map(|n| places.take(device(n)).unwrap());
    taken.extend(rest);
    assert_eq!(places.taken(), DEVICE_REQUESTS_MAX);
    assert_eq!(places.take(device(9_999)).err(), Some(Busy::Server));
    drop(taken);
    assert_eq!((places.taken(), lock(&places.of).len()), (0, 0));
    assert!(places.take(device(0)).is_ok());
}
