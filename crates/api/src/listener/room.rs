//! Room for connections: so many at once, and not all of them for one address.

use std::{
    collections::BTreeMap,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use transport::mqtt::counted_as;

/// The room that there is.
#[derive(Clone, Debug)]
pub(crate) struct Room {
    all: Arc<Semaphore>,
    of_address_max: usize,
    of: Arc<Mutex<BTreeMap<IpAddr, Of>>>,
}

#[derive(Debug, Default)]
struct Of {
    open: usize,
    /// Whether the log says that it has no room left.
    is_told: bool,
}

/// Room for one connection; dropped, it is free again.
#[derive(Debug)]
pub(crate) struct Place {
    of: Arc<Mutex<BTreeMap<IpAddr, Of>>>,
    address: IpAddr,
    _one_of_all: OwnedSemaphorePermit,
}

fn lock(of: &Mutex<BTreeMap<IpAddr, Of>>) -> MutexGuard<'_, BTreeMap<IpAddr, Of>> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Room {
    pub(crate) fn new(all: usize, of_address_max: usize) -> Self {
        Self { all: Arc::new(Semaphore::new(all)), of_address_max, of: Arc::default() }
    }

    /// Waits for room for whoever comes next.
    pub(super) async fn any(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.all).acquire_owned().await.ok()
    }

    /// Room for this address right now, if there is any.
    pub(crate) fn take(&self, address: IpAddr) -> Option<Place> {
        let one_of_all = Arc::clone(&self.all).try_acquire_owned().ok()?;
        self.give(one_of_all, address)
    }

    /// Gives room to this address, unless it has as much as one may have.
    pub(super) fn give(&self, one_of_all: OwnedSemaphorePermit, address: IpAddr) -> Option<Place> {
        let address = counted_as(address);
        let mut of = lock(&self.of);
        let own = of.entry(address).or_default();
        if own.open >= self.of_address_max {
            if !std::mem::replace(&mut own.is_told, true) {
                tracing::warn!(%address, open = own.open, "address_has_no_room");
            }
            return None;
        }
        own.open += 1;
        Some(Place { of: Arc::clone(&self.of), address, _one_of_all: one_of_all })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut of = lock(&self.of);
        if let Some(own) = of.get_mut(&self.address) {
            own.open = own.open.saturating_sub(1);
            if own.open == 0 {
                of.remove(&self.address);
            }
        }
    }
}

#[test]
fn one_address_never_takes_all_the_room_and_what_it_leaves_is_free() {
    let address = |text: &str| text.parse::<IpAddr>().unwrap();
    let room = Room::new(4, 2);
    let one = address("192.0.2.1");
    let taken = [room.take(one).unwrap(), room.take(address("::ffff:192.0.2.1")).unwrap()];
    assert!(room.take(one).is_none());
    let near = room.take(address("2001:db8::1")).unwrap();
    let far = room.take(address("2001:db8::ffff:2")).unwrap();
    assert!(room.take(address("192.0.2.2")).is_none(), "all the room is taken");
    drop(taken);
    assert!(room.take(address("2001:db8::3")).is_none(), "the same network has two");
    assert!(room.take(address("2001:db8:0:1::1")).is_some());
    drop((near, far));
    assert!(lock(&room.of).is_empty());
}
