//! Takes connections off the socket, through their handshake, and into service.

use std::time::Duration;

use model::Timestamp;
use tokio::{net::TcpStream, task::JoinSet};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use super::{
    handshakes::{Handshakes, Unproved},
    *,
};
use crate::{
    Note, Unacked,
    desk::Order,
    mqtt::{Reason, connection::Connection, sessions::Chore},
    note::What,
    tls::{Shown, device_of, why_failed},
};

/// How long the loop rests when the system has no more sockets to give.
const SOCKET_PAUSE: Duration = Duration::from_millis(100);
/// How often sessions that end and wills that are due are looked for.
const HOUSE_EVERY: Duration = Duration::from_secs(1);
/// How often retained messages that have expired are taken away; nobody hears them before.
const EXPIRE_EVERY: Duration = Duration::from_secs(60);

/// The loop over the listening socket.
pub(super) struct Doorkeeper {
    shared: Arc<Shared>,
    acceptor: TlsAcceptor,
    arrivals: mpsc::Sender<Arrival>,
    handshakes: Arc<Handshakes>,
    tasks: JoinSet<()>,
}

/// Counts a connection for as long as it is there, however its task ends.
pub(super) struct Counted(Arc<Shared>);

impl Counted {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        shared.tally.connections.fetch_add(1, Ordering::Relaxed);
        Self(shared)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.tally.connections.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Doorkeeper {
    pub(super) fn new(
        shared: Arc<Shared>,
        tls: Arc<ServerConfig>,
        arrivals: mpsc::Sender<Arrival>,
        handshakes: Arc<Handshakes>,
    ) -> Self {
        let acceptor = TlsAcceptor::from(tls);
        Self { shared, acceptor, arrivals, handshakes, tasks: JoinSet::new() }
    }

    // RC-050
    pub(super) async fn run(mut self, socket: TcpListener) {
        let shared = self.shared.clone();
        loop {
            tokio::select! {
                () = shared.stopped() => break,
                Some(ended) = self.tasks.join_next() => {
                    if ended.is_err_and(|error| error.is_panic()) {
                        shared.tally.panics.fetch_add(1, Ordering::Relaxed);
                        tracing::error!("mqtt_connection_panicked");
                    }
                }
                accepted = socket.accept() => {
                    match accepted {
                        Ok((stream, remote)) => self.take(stream, remote),
                        // Out of file descriptors, mostly: others must end first.
                        Err(error) => {
                            tracing::warn!(%error, "mqtt_accept_failed");
                            rest(&shared, SOCKET_PAUSE).await;
                        }
                    }
                }
            }
        }
        drop(socket);
        for (_, live) in shared.sessions().live(None) {
            live.desk.order(Order::Leave(Reason::ShuttingDown));
        }
        let all = async { while self.tasks.join_next().await.is_some() {} };
        // A farewell is bounded by itself; this bounds what never came that far.
        let bound = shared.limits.farewell_max.saturating_mul(2);
        let _ = tokio::time::timeout(bound, all).await;
    }

    fn take(&mut self, stream: TcpStream, remote: SocketAddr) {
        self.shared.tally.accepted.fetch_add(1, Ordering::Relaxed);
        let is_full = self.shared.tally.connections.load(Ordering::Relaxed)
            >= self.shared.limits.connections_max;
        if is_full {
            let why = RefusedWhy::TooMany;
            let put_out = self.handshakes.make_room(remote);
            self.shared.refused(&self.arrivals, put_out.unwrap_or(remote), None, why);
            if put_out.is_none() {
                return;
            }
        }
        // Before its certificate is judged, so that whoever is put out later is known by it.
        let unproved = self.handshakes.enter(&self.shared, remote);
        let number = unproved.number();
        let guest = Guest {
            shared: self.shared.clone(),
            acceptor: self.acceptor.clone(),
            arrivals: self.arrivals.clone(),
            unproved,
        };
        let counted = Counted::new(self.shared.clone());
        let task = self.tasks.spawn(async move {
            let _counted = counted;
            guest.serve(stream).await;
        });
        self.handshakes.runs_in(number, task);
    }
}

/// One connection from its first byte.
struct Guest {
    shared: Arc<Shared>,
    acceptor: TlsAcceptor,
    arrivals: mpsc::Sender<Arrival>,
    unproved: Unproved,
}

impl Guest {
    async fn serve(self, stream: TcpStream) {
        // Boxed, as its space is given back when it is over, and a task's is not.
        if let Some(connection) = Box::pin(self.shake_hands(stream)).await {
            connection.serve().await;
        }
    }

    async fn shake_hands(self, stream: TcpStream) -> Option<Box<Connection<TlsStream<TcpStream>>>> {
        // Without it an acknowledgement may wait for the next one.
        let _ = stream.set_nodelay(true);
        let shown = Shown::default();
        let handshake = match self.begin(&stream).await {
            Ok(slow) => tokio::select! {
                handshake = shown.watch(self.acceptor.accept(stream)) => {
                    handshake.map_err(|error| why_failed(&error))
                }
                () = self.shared.clock.sleep_until(slow) => Err(RefusedWhy::HandshakeTooSlow),
            },
            Err(why) => Err(why),
        };
        // Whoever was put out was told of then.
        if !self.unproved.leave() {
            return None;
        }
        let proved = handshake.and_then(|stream| {
            let identity = device_of(stream.get_ref().1.peer_certificates());
            Ok((identity.ok_or(RefusedWhy::BadCertificate)?, stream))
        });
        let (remote, number) = (self.unproved.remote, self.unproved.number());
        match proved {
            Ok((identity, stream)) => {
                let (shared, arrivals) = (self.shared, self.arrivals);
                Some(Connection::new(shared, arrivals, stream, identity, remote, number))
            }
            Err(why) => {
                let presented = shown.take();
                self.shared.refused_handshake(&self.arrivals, remote, presented, why);
                None
            }
        }
    }

    /// Waits for the first byte, then for a place; answers until when the handshake may last.
    async fn begin(&self, stream: &TcpStream) -> Result<Timestamp, RefusedWhy> {
        let (clock, limits) = (&self.shared.clock, &self.shared.limits);
        let slow = clock.now().after(limits.handshake_max);
        let mut first = [0];
        tokio::select! {
            // What went wrong shows itself in the handshake.
            _ = stream.peek(&mut first) => {}
            () = clock.sleep_until(slow) => return Err(RefusedWhy::HandshakeTooSlow),
        }
        let asked_at = clock.now();
        tokio::select! {
            is_placed = self.unproved.place() => {
                let waited = clock.now().since(asked_at);
                is_placed.then(|| slow.after(waited)).ok_or(RefusedWhy::Crowded)
            }
            () = clock.sleep_until(asked_at.after(limits.handshake_waits_max)) => {
                Err(RefusedWhy::Crowded)
            }
        }
    }
}

async fn rest(shared: &Shared, span: Duration) {
    shared.clock.sleep_until(shared.clock.now().after(span)).await;
}

/// Ends sessions whose time is over and publishes wills that are due.
pub(super) async fn keep_house(shared: Arc<Shared>, arrivals: mpsc::Sender<Arrival>) {
    let mut expire_at = shared.clock.now();
    loop {
        tokio::select! {
            () = shared.stopped() => return,
            () = rest(&shared, HOUSE_EVERY) => {}
        }
        let now = shared.clock.now();
        let due = {
            let mut sessions = shared.sessions();
            if now >= expire_at {
                sessions.expire_retained(now);
                expire_at = now.after(EXPIRE_EVERY);
            }
            sessions.due(now)
        };
        let house = || House::new(&shared);
        let wills = due.wills.into_iter().map(|(key, will)| {
            let will = crate::Message { received_at: now, ..will };
            Arrival::Message(Unacked::new(will, None, house()).changing(key))
        });
        let chores = due.chores.into_iter().map(|chore| {
            let what = match chore {
                Chore::Session(key) => What::Session(key),
                Chore::Again(to) => What::Say { to, retain: false },
                Chore::Withdrawn(done) => {
                    What::Withdraw { device: done.device, topic: None, done: vec![done] }
                }
                Chore::Lost { identity, remote, why } => {
                    let (identity, presented) = (Some(identity), None);
                    return Arrival::Refused { remote, identity, presented, why };
                }
            };
            Arrival::Note(Note::new(what, house()))
        });
        for arrival in wills.chain(chores) {
            if arrivals.send(arrival).await.is_err() {
                return;
            }
        }
    }
}

#[test]
fn a_connection_is_small_in_memory() {
    fn len_of<F: Future>(_: fn(Guest, TcpStream) -> F) -> usize {
        size_of::<F>()
    }
    // The two allocations of an idle connection, beside what TLS keeps.
    let (task, state) = (len_of(Guest::serve), size_of::<Connection<TlsStream<TcpStream>>>());
    assert!(task <= 2_048 && state <= 2_048, "a task has {task} bytes, its state {state}");
}
