//! Who is on the way in: connections that have not proved who they are, and which of them
//! shake hands now.
//!
//! ```text
//! silent ──first byte──▶ waiting ──a place──▶ shaking ──proved──▶ gone from here
//! ```
//!
//! A peer that says nothing costs a socket and little more. Whoever has begun waits for one
//! of so many places, which go to addresses in turn, so that a crowd behind one address
//! keeps nobody else waiting. While somebody waits, the handshake that lasts longest gives
//! way once it has had its time, so that peers which never finish cannot keep out those
//! which do.
//!
//! **Absent on purpose:** a bound of one address alone. A house in which the power comes
//! back may stand behind a single one.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, Ipv6Addr},
    ops::Bound,
};

use model::Timestamp;
use tokio::{
    sync::{Notify, oneshot},
    task::AbortHandle,
};

use super::*;

/// What counts as one address: a house has 2^64 of version 6 to choose from.
pub fn counted_as(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => {
            let network = u128::from(address) & !u128::from(u64::MAX);
            Ipv6Addr::from(network).into()
        }
    }
}

/// All that are on the way in.
pub(super) struct Handshakes {
    lobby: Mutex<Lobby>,
    /// Somebody began to wait, or a place came free while somebody waited.
    changed: Notify,
}

struct Lobby {
    places: usize,
    guests: BTreeMap<u64, Guest>,
    /// The guests of each address.
    crowds: BTreeMap<IpAddr, BTreeSet<u64>>,
    /// Those of them that wait.
    waiting: BTreeMap<IpAddr, BTreeSet<u64>>,
    /// Those that have a place, the longest there first.
    shaking: BTreeSet<(Timestamp, u64)>,
    /// Who was given a place last.
    served: Option<IpAddr>,
}

struct Guest {
    remote: SocketAddr,
    /// Missing for the moment between coming in and the start of the task.
    task: Option<AbortHandle>,
    stage: Stage,
}

enum Stage {
    Silent,
    Waiting(oneshot::Sender<()>),
    Shaking(Timestamp),
}

/// Whether a guest has a place.
enum Asked {
    Granted,
    Waits(oneshot::Receiver<()>),
    /// It was put out meanwhile.
    Gone,
}

impl Handshakes {
    /// With so many places.
    pub(super) fn new(places: usize) -> Self {
        let lobby = Lobby {
            places,
            guests: BTreeMap::new(),
            crowds: BTreeMap::new(),
            waiting: BTreeMap::new(),
            shaking: BTreeSet::new(),
            served: None,
        };
        Self { lobby: Mutex::new(lobby), changed: Notify::new() }
    }

    fn lobby(&self) -> MutexGuard<'_, Lobby> {
        self.lobby.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets a connection wait for what it says.
    pub(super) fn enter(self: &Arc<Self>, shared: &Arc<Shared>, remote: SocketAddr) -> Unproved {
        let number = shared.newest.fetch_add(1, Ordering::SeqCst).saturating_add(1);
        self.lobby().enter(number, remote);
        Unproved { handshakes: Arc::clone(self), shared: Arc::clone(shared), number, remote }
    }

    /// The task of a connection, by which it can be put out; it may be over by now.
    pub(super) fn runs_in(&self, number: u64, task: AbortHandle) {
        if let Some(guest) = self.lobby().guests.get_mut(&number) {
            guest.task = Some(task);
        }
    }

    /// Puts somebody out for a newcomer of this address when the house is full; answers who
    /// it was, or nobody if the newcomer has no better right than anybody here.
    pub(super) fn make_room(&self, newcomer: SocketAddr) -> Option<SocketAddr> {
        self.lobby().make_room(newcomer.ip()).map(Guest::put_out)
    }
}

/// Lets handshakes give way as long as somebody waits for their places.
pub(super) async fn usher(
    handshakes: Arc<Handshakes>,
    shared: Arc<Shared>,
    arrivals: mpsc::Sender<Arrival>,
) {
    loop {
        let since = handshakes.lobby().longest_awaited();
        let due = async {
            match since {
                Some(since) => {
                    let span = shared.limits.handshake_gives_way_after;
                    shared.clock.sleep_until(since.after(span)).await;
                    since
                }
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = shared.stopped() => return,
            () = handshakes.changed.notified() => {}
            since = due => {
                let gave_way = handshakes.lobby().give_way(since, shared.clock.now());
                if let Some(remote) = gave_way.map(Guest::put_out) {
                    shared.refused(&arrivals, remote, None, RefusedWhy::Crowded);
                }
            }
        }
    }
}

impl Guest {
    fn put_out(self) -> SocketAddr {
        if let Some(task) = self.task {
            task.abort();
        }
        self.remote
    }
}

/// A connection that has not proved who it is; dropped, its place is free.
pub(super) struct Unproved {
    handshakes: Arc<Handshakes>,
    shared: Arc<Shared>,
    number: u64,
    pub(super) remote: SocketAddr,
}

impl Unproved {
    /// By which whoever is put out later is known.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// Waits for a place; `false` if it was put out.
    pub(super) async fn place(&self) -> bool {
        let asked = self.handshakes.lobby().ask(self.number, self.shared.clock.now());
        match asked {
            Asked::Granted => true,
            Asked::Gone => false,
            Asked::Waits(granted) => {
                self.handshakes.changed.notify_one();
                granted.await.is_ok()
            }
        }
    }

    /// Ends its claim; `false` if it was put out.
    pub(super) fn leave(&self) -> bool {
        let mut lobby = self.handshakes.lobby();
        let was_there = lobby.leave(self.number, self.shared.clock.now());
        let is_awaited = !lobby.waiting.is_empty();
        drop(lobby);
        if is_awaited {
            self.handshakes.changed.notify_one();
        }
        was_there
    }
}

impl Drop for Unproved {
    fn drop(&mut self) {
        self.leave();
    }
}

impl Lobby {
    fn enter(&mut self, number: u64, remote: SocketAddr) {
        self.guests.insert(number, Guest { remote, task: None, stage: Stage::Silent });
        self.crowds.entry(counted_as(remote.ip())).or_default().insert(number);
    }

    /// A guest has begun, and asks for a place.
    fn ask(&mut self, number: u64, now: Timestamp) -> Asked {
        let Some(guest) = self.guests.get_mut(&number) else { return Asked::Gone };
        let (grant, granted) = oneshot::channel();
        guest.stage = Stage::Waiting(grant);
        let address = counted_as(guest.remote.ip());
        self.waiting.entry(address).or_default().insert(number);
        self.fill(now);
        match self.guests.get(&number).map(|guest| &guest.stage) {
            Some(Stage::Shaking(_)) => Asked::Granted,
            _ => Asked::Waits(granted),
        }
    }

    /// Gives free places away, to one address after the other.
    fn fill(&mut self, now: Timestamp) {
        while self.shaking.len() < self.places {
            let after = self.served.map_or(Bound::Unbounded, Bound::Excluded);
            let next = self.waiting.range_mut((after, Bound::Unbounded)).next();
            let Some((address, numbers)) = next else {
                // Once around; then there is nobody.
                if self.served.take().is_some() {
                    continue;
                }
                return;
            };
            let (address, number) = (*address, numbers.pop_first());
            if numbers.is_empty() {
                self.waiting.remove(&address);
            }
            self.served = Some(address);
            let guest = number.and_then(|number| Some((number, self.guests.get_mut(&number)?)));
            if let Some((number, guest)) = guest {
                let stage = std::mem::replace(&mut guest.stage, Stage::Shaking(now));
                self.shaking.insert((now, number));
                if let Stage::Waiting(grant) = stage {
                    // Whoever does not hear it any more is about to leave.
                    let _ = grant.send(());
                }
            }
        }
    }

    fn leave(&mut self, number: u64, now: Timestamp) -> bool {
        let was_there = self.remove(number).is_some();
        if was_there {
            self.fill(now);
        }
        was_there
    }

    fn remove(&mut self, number: u64) -> Option<Guest> {
        let guest = self.guests.remove(&number)?;
        let address = counted_as(guest.remote.ip());
        take_from(&mut self.crowds, address, number);
        match guest.stage {
            Stage::Silent => {}
            Stage::Waiting(_) => take_from(&mut self.waiting, address, number),
            Stage::Shaking(since) => {
                self.shaking.remove(&(since, number));
            }
        }
        Some(guest)
    }

    /// Since when the longest handshake lasts, if somebody waits for its place.
    fn longest_awaited(&self) -> Option<Timestamp> {
        self.shaking.first().filter(|_| !self.waiting.is_empty()).map(|(since, _)| *since)
    }

    /// Takes the place of the longest handshake, if it began then or before.
    fn give_way(&mut self, since: Timestamp, now: Timestamp) -> Option<Guest> {
        let (began, number) = *self.shaking.first()?;
        let guest = (began <= since).then(|| self.remove(number)).flatten();
        self.fill(now);
        guest
    }

    /// The longest there without a place, of the address with most of them; of the
    /// newcomer's own address only if it has said nothing yet.
    fn make_room(&mut self, newcomer: IpAddr) -> Option<Guest> {
        let (address, crowd) = self.crowds.iter().max_by_key(|(_, crowd)| crowd.len())?;
        let is_own = *address == counted_as(newcomer);
        let gives_way = |number: &&u64| match self.guests.get(number).map(|guest| &guest.stage) {
            Some(Stage::Silent) => true,
            Some(Stage::Waiting(_)) => !is_own,
            Some(Stage::Shaking(_)) | None => false,
        };
        let number = *crowd.iter().find(gives_way)?;
        self.remove(number)
    }
}

fn take_from(crowds: &mut BTreeMap<IpAddr, BTreeSet<u64>>, address: IpAddr, number: u64) {
    if let Some(crowd) = crowds.get_mut(&address) {
        crowd.remove(&number);
        if crowd.is_empty() {
            crowds.remove(&address);
        }
    }
}

#[cfg(test)]
mod tests;
