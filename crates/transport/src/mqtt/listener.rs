//! The listening socket: who may try, how many at once, and the handle for the rest
//! of the program.
//!
//! A handshake is bounded in time and number. When all places are taken and somebody waits,
//! the oldest that has had its two seconds gives way, so that peers which never finish cannot
//! keep out those which do; places go to addresses in turn.

mod accept;
mod handle;
mod handshakes;

use std::{
    fmt, io,
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
};

use model::{DeviceId, SiteId, Timestamp};
use record::Body;
use rustls::ServerConfig;
use security::{DeviceIdentity, TopicGrant};
use store::Clock;
use tokio::{
    net::TcpListener,
    sync::{mpsc, watch},
    task::JoinHandle,
};

use super::{Limits, Recalled, sessions::Sessions};
use crate::{Arrival, Presented, RefusedWhy};

use handshakes::{Handshakes, usher};

pub use handle::{ConnectionInfo, MqttHandle, PublishError, Published};
pub use handshakes::counted_as;

/// What a device that proved itself may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admitted {
    /// The site at which its topics live.
    pub site: SiteId,
    /// Topics beside its own, by its profile.
    pub grants: Vec<TopicGrant>,
}

/// Says what a device that proved itself may do, or why it may not connect.
///
/// It is asked at each CONNECT and must answer from memory.
pub type MayConnect = Arc<dyn Fn(&DeviceIdentity) -> Result<Admitted, RefusedWhy> + Send + Sync>;

/// What a listener needs.
pub struct MqttConfig {
    /// Where it listens; port 0 takes a free one.
    pub addr: SocketAddr,
    /// The server's certificate and whom it trusts, from [`crate::server_config`].
    pub tls: Arc<ServerConfig>,
    /// All bounds.
    pub limits: Limits,
    /// The one clock.
    pub clock: Clock,
    /// The sessions that were kept.
    pub restored: Recalled,
    /// Who may come in.
    pub may_connect: MayConnect,
}

/// What was counted since the listener began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Connections that were accepted by the socket.
    pub accepted: u64,
    /// Handshakes and clients that were refused, closed for a fault included.
    pub refused: u64,
    /// Refusals that could not be handed on, because the arrivals were full.
    pub refusals_unseen: u64,
    /// Messages that came in.
    pub messages: u64,
    /// Bytes that came in, without TLS.
    pub bytes_in: u64,
    /// Messages that were acknowledged.
    pub acknowledged: u64,
    /// Messages that were answered with «no».
    pub refused_messages: u64,
    /// Messages that were sent to devices.
    pub sent: u64,
    /// Messages to devices that had no room.
    pub unsent: u64,
    /// Connections that ended by a panic of ours.
    pub panics: u64,
    /// Connections that there are now, those in their handshake included.
    pub connections: usize,
    /// Messages that wait for devices now.
    pub waiting: usize,
    /// Messages to devices of present sessions that expired, were too long or were pushed out.
    pub dropped: u64,
    /// Sessions that there are now, those without a connection included.
    pub sessions: usize,
    /// Retained messages that there are now.
    pub retained: usize,
    /// Retained messages that were not kept, as their device has as many as it may.
    pub not_retained: u64,
    /// Sessions that were lost, as their client was too slow for its queue.
    pub sessions_lost: u64,
    /// Those of them that were lost because all queues together were full.
    pub sessions_lost_to_all: u64,
    /// Bytes that wait for all devices together.
    pub waiting_bytes: usize,
}

/// The running counts.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub accepted: AtomicU64,
    pub refused: AtomicU64,
    pub refusals_unseen: AtomicU64,
    pub messages: AtomicU64,
    pub bytes_in: AtomicU64,
    pub acknowledged: AtomicU64,
    pub refused_messages: AtomicU64,
    pub sent: AtomicU64,
    pub unsent: AtomicU64,
    pub panics: AtomicU64,
    pub connections: AtomicUsize,
}

/// What all connections of a listener share.
pub(crate) struct Shared {
    pub limits: Arc<Limits>,
    pub clock: Clock,
    pub may_connect: MayConnect,
    pub tally: Tally,
    /// The newest connection's number.
    pub newest: AtomicU64,
    /// Where arrivals go; weak, as the door is closed once the last connection has gone.
    pub arrivals: mpsc::WeakSender<Arrival>,
    sessions: Mutex<Sessions>,
    stop: watch::Sender<bool>,
}

impl Shared {
    pub(crate) fn sessions(&self) -> MutexGuard<'_, Sessions> {
        // Each change is one call that leaves the sessions whole.
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a refusal and hands it on, if there is room; a flood of them must not keep
    /// messages waiting.
    pub(crate) fn refused(
        &self,
        arrivals: &mpsc::Sender<Arrival>,
        remote: SocketAddr,
        identity: Option<Arc<DeviceIdentity>>,
        why: RefusedWhy,
    ) {
        self.tally.refused.fetch_add(1, Ordering::Relaxed);
        self.tell(arrivals, Arrival::Refused { remote, identity, presented: None, why });
    }

    /// The same for a handshake that failed, with the certificate that was shown.
    pub(crate) fn refused_handshake(
        &self,
        arrivals: &mpsc::Sender<Arrival>,
        remote: SocketAddr,
        presented: Option<Box<Presented>>,
        why: RefusedWhy,
    ) {
        self.tally.refused.fetch_add(1, Ordering::Relaxed);
        self.tell(arrivals, Arrival::Refused { remote, identity: None, presented, why });
    }

    /// Hands a refusal on that did not end the connection.
    pub(crate) fn tell(&self, arrivals: &mpsc::Sender<Arrival>, refusal: Arrival) {
        if arrivals.try_send(refusal).is_err() {
            self.tally.refusals_unseen.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(crate) async fn stopped(&self) {
        // The sender lives in `self`, so this ends by the value.
        let _ = self.stop.subscribe().wait_for(|stop| *stop).await;
    }
}

/// What all connections share, for a message that is on its way.
#[derive(Clone)]
pub(crate) struct House(Arc<Shared>);

impl House {
    pub(crate) fn new(shared: &Arc<Shared>) -> Self {
        Self(shared.clone())
    }

    pub(crate) fn sessions(&self) -> MutexGuard<'_, Sessions> {
        self.0.sessions()
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.0.clock.now()
    }
}

impl fmt::Debug for House {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("House")
    }
}

/// Where arrivals are drawn from; dropped, it closes the door.
pub struct Listener {
    arrivals: mpsc::Receiver<Arrival>,
    shared: Arc<Shared>,
    address: SocketAddr,
    tasks: Vec<JoinHandle<()>>,
}

/// Opens the door.
pub async fn listen(config: MqttConfig) -> io::Result<(Listener, MqttHandle)> {
    let socket = TcpListener::bind(config.addr).await?;
    let address = socket.local_addr()?;
    let limits = Arc::new(config.limits);
    let (sender, arrivals) = mpsc::channel(limits.arrivals_max);
    let sessions = Sessions::restore(limits.clone(), config.restored, config.clock.now());
    let shared = Arc::new(Shared {
        limits,
        clock: config.clock,
        may_connect: config.may_connect,
        tally: Tally::default(),
        newest: AtomicU64::new(0),
        arrivals: sender.downgrade(),
        sessions: Mutex::new(sessions),
        stop: watch::Sender::new(false),
    });
    let handshakes = Arc::new(Handshakes::new(shared.limits.handshakes_max));
    let doorkeeper =
        accept::Doorkeeper::new(shared.clone(), config.tls, sender.clone(), handshakes.clone());
    let tasks = vec![
        tokio::spawn(doorkeeper.run(socket)),
        tokio::spawn(usher(handshakes, shared.clone(), sender.clone())),
        tokio::spawn(accept::keep_house(shared.clone(), sender)),
    ];
    let handle = MqttHandle::new(shared.clone());
    Ok((Listener { arrivals, shared, address, tasks }, handle))
}

impl Listener {
    /// The next arrival; `None` once the door is closed and all was drawn.
    pub async fn next(&mut self) -> Option<Arrival> {
        self.arrivals.recv().await
    }

    /// Draws up to `limit` arrivals at once into `into`, waiting for the first; 0 once the
    /// door is closed and all was drawn.
    pub async fn next_many(&mut self, into: &mut Vec<Arrival>, limit: usize) -> usize {
        self.arrivals.recv_many(into, limit).await
    }

    /// All that is to outlive the program, to be written once more so that a restart need
    /// not read what came before; each with the device that it is about.
    ///
    /// To be called when everything that was drawn before is settled.
    pub fn snapshot(&self) -> Vec<(DeviceId, Body)> {
        self.shared.sessions().snapshot()
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Arrivals that wait to be drawn, for a depth gauge.
    pub fn depth(&self) -> usize {
        self.arrivals.len()
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.shared.stop.send_replace(true);
        self.arrivals.close();
        for task in &self.tasks {
            task.abort();
        }
    }
}
