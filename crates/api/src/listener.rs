//! The people's listener: HTTP or HTTPS, connections bounded in number and by address, an
//! end to those that do not read, and an end of all that finishes what was begun.

use std::{convert::Infallible, net::SocketAddr, pin::pin, sync::Arc, time::Duration};

use axum::{
    Router,
    body::Body,
    extract::{ConnectInfo, Request},
    response::Response,
};
use hyper::{
    body::Incoming,
    server::conn::http1::{self, UpgradeableConnection},
    service::{HttpService, service_fn},
};
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls::ServerConfig;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
    time::timeout,
};
use tokio_rustls::TlsAcceptor;
use tower::Service as _;

use crate::{
    Api,
    limits::{
        CONNECTIONS_MAX, CONNECTIONS_OF_ADDRESS_MAX, END_WITHIN, HANDSHAKE_WITHIN, HEADERS_LEN_MAX,
        HEADERS_MAX, HEADERS_WITHIN, WRITE_WITHIN,
    },
    metrics, pages,
};

mod moving;
mod room;

pub(crate) use moving::Moving;
pub(crate) use room::{Place, Room};

/// How many connections a listener has, and how long one may take nothing of what it is told.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    pub(crate) places: usize,
    pub(crate) of_address: usize,
    pub(crate) write_within: Duration,
}

const PEOPLE: Bounds = Bounds {
    places: CONNECTIONS_MAX,
    of_address: CONNECTIONS_OF_ADDRESS_MAX,
    write_within: WRITE_WITHIN,
};

/// A connection that was let in.
pub(crate) struct Newcomer {
    pub(crate) stream: Moving<TcpStream>,
    pub(crate) address: SocketAddr,
    /// Taken for as long as this lives.
    pub(crate) place: Place,
}

/// Serves screens and the API until [`Api::stop`]; with `tls` over HTTPS.
pub async fn serve(api: Arc<Api>, listener: TcpListener, tls: Option<Arc<ServerConfig>>) {
    let router = pages::router(&api);
    let way = Way { tls: tls.map(TlsAcceptor::from), router, bounds: PEOPLE };
    run(listener, way, api.stopping()).await;
}

/// Serves `/metrics` and nothing else, without a sign-in: for a listener on loopback.
pub async fn serve_metrics(api: Arc<Api>, listener: TcpListener) {
    let (router, stop) = (metrics::router(&api), api.stopping());
    run(listener, Way { tls: None, router, bounds: PEOPLE }, stop).await;
}

/// Where connections of a listener lead, and what bounds them.
struct Way {
    tls: Option<TlsAcceptor>,
    router: Router,
    bounds: Bounds,
}

async fn run(listener: TcpListener, way: Way, stop: watch::Receiver<bool>) {
    let Way { tls, router, bounds } = way;
    let told = stop.clone();
    let greeted = move |newcomer| greet(newcomer, tls.clone(), router.clone(), told.clone());
    let_in(listener, bounds, stop, greeted).await;
}

/// Lets connections in, so many at once, until `stop` says so or the program's state is gone;
/// then gives those that are there a moment to finish.
pub(crate) async fn let_in<F>(
    listener: TcpListener,
    bounds: Bounds,
    mut stop: watch::Receiver<bool>,
    greet: impl Fn(Newcomer) -> F,
) where
    F: Future<Output = ()> + Send + 'static,
{
    let room = Room::new(bounds.places, bounds.of_address);
    let mut connections = JoinSet::new();
    loop {
        // A full house lets newcomers wait in the kernel's queue.
        let accepted = async {
            let place = room.any().await;
            (place, listener.accept().await)
        };
        let (place, accepted) = tokio::select! {
            accepted = accepted => accepted,
            _ = stop.wait_for(|stop| *stop) => break,
            Some(_) = connections.join_next() => continue,
        };
        let (stream, address) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Too many open files, mostly: it passes when somebody leaves.
                tracing::warn!(%error, "accept_failed");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        // Whoever has as many as one may have is hung up on, as waiting would hold up others.
        let place = place.and_then(|place| room.give(place, address.ip()));
        let Some(place) = place else { continue };
        // Small frames must not wait for each other.
        let _ = stream.set_nodelay(true);
        let stream = Moving::new(stream, bounds.write_within);
        connections.spawn(greet(Newcomer { stream, address, place }));
    }
    drop(listener);
    let all_gone = async { while connections.join_next().await.is_some() {} };
    if timeout(END_WITHIN, all_gone).await.is_err() {
        tracing::warn!(left = connections.len(), "connections_cut");
    }
}

async fn greet(
    newcomer: Newcomer,
    tls: Option<TlsAcceptor>,
    router: Router,
    stop: watch::Receiver<bool>,
) {
    // Feeds go on without the place; they have places of their own.
    let Newcomer { stream, address, place: _place } = newcomer;
    match tls {
        None => talk(stream, address, router, stop).await,
        Some(tls) => {
            if let Ok(Ok(stream)) = timeout(HANDSHAKE_WITHIN, tls.accept(stream)).await {
                talk(stream, address, router, stop).await;
            }
        }
    }
}

/// HTTP/1 within our bounds; each request is told who is at the other end.
pub(crate) fn conversation<Stream, Peer>(
    stream: Stream,
    router: Router,
    peer: Peer,
    headers_within: Duration,
) -> UpgradeableConnection<
    TokioIo<Stream>,
    impl HttpService<Incoming, ResBody = Body, Error = Infallible, Future: Send>,
>
where
    Stream: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    Peer: Clone + Send + Sync + 'static,
{
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(peer.clone());
        let answer = router.clone().call(request.map(Body::new));
        async move {
            let answer: Result<Response, Infallible> = answer.await;
            answer
        }
    });
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(headers_within)
        .max_buf_size(HEADERS_LEN_MAX)
        .max_headers(HEADERS_MAX)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades()
}

async fn talk(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    address: SocketAddr,
    router: Router,
    mut stop: watch::Receiver<bool>,
) {
    let connection = conversation(stream, router, ConnectInfo(address), HEADERS_WITHIN);
    let mut connection = pin!(connection);
    tokio::select! {
        // A connection that breaks is the other end's matter.
        _ = connection.as_mut() => return,
        _ = stop.wait_for(|stop| *stop) => {}
    }
    connection.as_mut().graceful_shutdown();
    let _ = connection.await;
}

#[cfg(test)]
mod tests;
