//! The people's listener: HTTP or HTTPS, connections bounded in number, and an end that
//! finishes what was begun.

use std::{convert::Infallible, net::SocketAddr, pin::pin, sync::Arc, time::Duration};

use axum::{
    Router,
    body::Body,
    extract::{ConnectInfo, Request},
    response::Response,
};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls::ServerConfig;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::{Semaphore, watch},
    task::JoinSet,
    time::timeout,
};
use tokio_rustls::TlsAcceptor;
use tower::Service as _;

use crate::{
    Api,
    limits::{
        CONNECTIONS_MAX, END_WITHIN, HANDSHAKE_WITHIN, HEADERS_LEN_MAX, HEADERS_MAX, HEADERS_WITHIN,
    },
    metrics, pages,
};

/// Serves screens and the API until [`Api::stop`]; with `tls` over HTTPS.
pub async fn serve(api: Arc<Api>, listener: TcpListener, tls: Option<Arc<ServerConfig>>) {
    let router = pages::router(&api);
    let way = Way { tls: tls.map(TlsAcceptor::from), router, places: CONNECTIONS_MAX };
    run(listener, way, api.stopping()).await;
}

/// Serves `/metrics` and nothing else, without a sign-in: for a listener on loopback.
pub async fn serve_metrics(api: Arc<Api>, listener: TcpListener) {
    let (router, stop) = (metrics::router(&api), api.stopping());
    run(listener, Way { tls: None, router, places: CONNECTIONS_MAX }, stop).await;
}

/// Where connections of a listener lead, and how many there may be at once.
struct Way {
    tls: Option<TlsAcceptor>,
    router: Router,
    places: usize,
}

async fn run(listener: TcpListener, way: Way, stop: watch::Receiver<bool>) {
    let Way { tls, router, places } = way;
    let told = stop.clone();
    let greeted =
        move |stream, address| greet(stream, address, tls.clone(), router.clone(), told.clone());
    let_in(listener, places, stop, greeted).await;
}

/// Lets connections in, so many at once, until `stop` says so or the program's state is gone;
/// then gives those that are there a moment to finish.
pub(crate) async fn let_in<F>(
    listener: TcpListener,
    places: usize,
    mut stop: watch::Receiver<bool>,
    greet: impl Fn(TcpStream, SocketAddr) -> F,
) where
    F: Future<Output = ()> + Send + 'static,
{
    let places = Arc::new(Semaphore::new(places));
    let mut connections = JoinSet::new();
    loop {
        // A full house lets newcomers wait in the kernel's queue.
        let accepted = async {
            let place = Arc::clone(&places).acquire_owned().await;
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
        // Small frames must not wait for each other.
        let _ = stream.set_nodelay(true);
        let greeted = greet(stream, address);
        connections.spawn(async move {
            let _place = place;
            greeted.await;
        });
    }
    drop(listener);
    let all_gone = async { while connections.join_next().await.is_some() {} };
    if timeout(END_WITHIN, all_gone).await.is_err() {
        tracing::warn!(left = connections.len(), "connections_cut");
    }
}

async fn greet(
    stream: TcpStream,
    address: SocketAddr,
    tls: Option<TlsAcceptor>,
    router: Router,
    stop: watch::Receiver<bool>,
) {
    match tls {
        None => talk(stream, address, router, stop).await,
        Some(tls) => {
            if let Ok(Ok(stream)) = timeout(HANDSHAKE_WITHIN, tls.accept(stream)).await {
                talk(stream, address, router, stop).await;
            }
        }
    }
}

async fn talk(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    address: SocketAddr,
    router: Router,
    mut stop: watch::Receiver<bool>,
) {
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(ConnectInfo(address));
        let answer = router.clone().call(request.map(Body::new));
        async move {
            let answer: Result<Response, Infallible> = answer.await;
            answer
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADERS_WITHIN)
        .max_buf_size(HEADERS_LEN_MAX)
        .max_headers(HEADERS_MAX)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    let mut connection = pin!(connection);
    tokio::select! {
        // A connection that breaks is the other end's matter.
        _ = connection.as_mut() => return,
        _ = stop.wait_for(|stop| *stop) => {}
    }
    connection.as_mut().graceful_shutdown();
    let _ = connection.await;
}

/// Connections are counted, whatever they say: a further one is served when one ends.
#[tokio::test(flavor = "multi_thread")]
async fn so_many_connections_are_served_and_a_further_one_waits_its_turn() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    async fn ask(stream: &mut TcpStream) -> bool {
        let request = b"GET /here HTTP/1.1\r\nhost: localhost\r\n\r\n";
        stream.write_all(request).await.unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"here") {
            let read = timeout(Duration::from_secs(10), stream.read_buf(&mut answer)).await;
            if !read.is_ok_and(|read| read.is_ok_and(|read| read > 0)) {
                return false;
            }
        }
        answer.starts_with(b"HTTP/1.1 200")
    }
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = Router::new().route("/here", axum::routing::get(async || "here"));
    let (stopper, stop) = watch::channel(false);
    let places = 3;
    let served = tokio::spawn(run(listener, Way { tls: None, router, places }, stop));
    let mut guests = Vec::new();
    for number in 0..places {
        let mut guest = TcpStream::connect(address).await.unwrap();
        assert!(ask(&mut guest).await, "guest {number} of {places}");
        guests.push(guest);
    }
    // One more is let in by the kernel and hears nothing, until somebody leaves.
    let mut further = TcpStream::connect(address).await.unwrap();
    let waits = tokio::spawn(async move { ask(&mut further).await });
    for guest in &mut guests {
        assert!(ask(guest).await, "those who are there are served");
    }
    assert!(!waits.is_finished(), "more connections than there are places");
    guests.pop();
    assert!(waits.await.unwrap());
    stopper.send(true).unwrap();
    drop(guests);
    served.await.unwrap();
}
