//! The devices' listening socket: TLS 1.3, a certificate that is judged if it is there,
//! connections bounded in number and by address, those without a certificate apart, and
//! closed as soon as their device may not speak.

use std::{net::SocketAddr, pin::pin, sync::Arc, time::Duration};

use axum::Router;
use rustls::ServerConfig;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    time::{MissedTickBehavior, interval, timeout},
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use transport::{RefusedWhy, Shown, device_of, why_failed};

use super::{router, speaker::Guest};
use crate::{
    Api,
    limits::{
        DEVICE_CONNECTIONS_MAX, DEVICE_CONNECTIONS_OF_ADDRESS_MAX, DEVICE_HEADERS_WITHIN,
        HANDSHAKE_WITHIN, STRANGERS_HEADERS_WITHIN, STRANGERS_MAX, STRANGERS_OF_ADDRESS_MAX,
        WRITE_WITHIN,
    },
    listener::{Bounds, Moving, Newcomer, Place, Room, conversation, let_in},
};

/// How often a connection asks whether its device may still speak.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// What bounds the connections of devices, and of those who are none.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DoorBounds {
    pub(crate) all: Bounds,
    /// Of those without a certificate, when they have shaken hands.
    pub(crate) strangers: usize,
    pub(crate) strangers_of_address: usize,
    pub(crate) strangers_headers_within: Duration,
}

impl DoorBounds {
    pub(crate) const USUAL: Self = Self {
        all: Bounds {
            places: DEVICE_CONNECTIONS_MAX,
            of_address: DEVICE_CONNECTIONS_OF_ADDRESS_MAX,
            write_within: WRITE_WITHIN,
        },
        strangers: STRANGERS_MAX,
        strangers_of_address: STRANGERS_OF_ADDRESS_MAX,
        strangers_headers_within: STRANGERS_HEADERS_WITHIN,
    };
}

/// Serves devices by HTTPS until [`Api::stop`]; `tls` asks for client certificates.
pub async fn serve_devices(api: Arc<Api>, listener: TcpListener, tls: Arc<ServerConfig>) {
    serve_within(DoorBounds::USUAL, api, listener, tls).await;
}

pub(crate) async fn serve_within(
    bounds: DoorBounds,
    api: Arc<Api>,
    listener: TcpListener,
    tls: Arc<ServerConfig>,
) {
    let (acceptor, router) = (TlsAcceptor::from(tls), router(&api));
    let (stop, told) = (api.stopping(), api.stopping());
    let strangers = Room::new(bounds.strangers, bounds.strangers_of_address);
    let greet = move |newcomer: Newcomer| {
        let Newcomer { stream, address: remote, place } = newcomer;
        let (api, router, strangers) = (Arc::clone(&api), router.clone(), strangers.clone());
        let stranger_within = bounds.strangers_headers_within;
        let arrived = Arrived { api, router, remote, place, strangers, stranger_within };
        let (acceptor, stop) = (acceptor.clone(), told.clone());
        async move {
            if let Some(stream) = arrived.shake_hands(stream, acceptor).await {
                arrived.talk(stream, stop).await;
            }
        }
    };
    let_in(listener, bounds.all, stop, greet).await;
}

/// One connection from its first byte.
struct Arrived {
    api: Arc<Api>,
    router: Router,
    remote: SocketAddr,
    place: Place,
    strangers: Room,
    stranger_within: Duration,
}

impl Arrived {
    async fn shake_hands(
        &self,
        stream: Moving<TcpStream>,
        acceptor: TlsAcceptor,
    ) -> Option<TlsStream<Moving<TcpStream>>> {
        let shown = Shown::default();
        let shake = timeout(HANDSHAKE_WITHIN, shown.watch(acceptor.accept(stream))).await;
        let why = match shake {
            Ok(Ok(stream)) => return Some(stream),
            Ok(Err(error)) => why_failed(&error),
            Err(_) => RefusedWhy::HandshakeTooSlow,
        };
        let (at, presented) = (self.api.clock.now(), shown.take());
        self.api.door.refuse_connection("https", at, self.remote, presented.as_deref(), why);
        None
    }

    async fn talk(self, stream: TlsStream<Moving<TcpStream>>, mut stop: watch::Receiver<bool>) {
        let identity = device_of(stream.get_ref().1.peer_certificates()).map(Arc::new);
        let (place, headers_within) = match &identity {
            Some(_) => (self.place, DEVICE_HEADERS_WITHIN),
            // Those whom nobody vouches for share a little room, and leave that of devices.
            None => match self.strangers.take(self.remote.ip()) {
                Some(place) => (place, self.stranger_within),
                None => return,
            },
        };
        let guest = Guest { remote: self.remote, identity, place: Arc::new(place) };
        let (router, api) = (self.router, self.api);
        let mut connection = pin!(conversation(stream, router, guest.clone(), headers_within));
        let mut look = interval(LOOK_AGAIN);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                // A connection that breaks is the other end's matter.
                _ = connection.as_mut() => return,
                _ = stop.wait_for(|stop| *stop) => break,
                _ = look.tick() => {
                    if is_put_out(&guest, &api) {
                        return;
                    }
                }
            }
        }
        connection.as_mut().graceful_shutdown();
        let _ = connection.await;
    }
}

/// Whether the connection's certificate was revoked. A device that may not speak for
/// another reason is told so at each request, which it could not hear on a closed line.
fn is_put_out(guest: &Guest, api: &Api) -> bool {
    let identity = guest.identity.as_deref();
    identity.is_some_and(|identity| api.revocations.is_revoked(&identity.serial))
}
