//! The listener over real sockets, with small bounds.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::*;

/// A listener at work.
struct Open {
    address: SocketAddr,
    stopper: watch::Sender<bool>,
    served: tokio::task::JoinHandle<()>,
}

impl Open {
    async fn with(router: Router, bounds: Bounds) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stopper, stop) = watch::channel(false);
        let served = tokio::spawn(run(listener, Way { tls: None, router, bounds }, stop));
        Self { address, stopper, served }
    }

    async fn guest(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    async fn end(self) {
        self.stopper.send(true).unwrap();
        self.served.await.unwrap();
    }
}

fn bounds(places: usize, of_address: usize) -> Bounds {
    Bounds { places, of_address, write_within: Duration::from_millis(300) }
}

fn here() -> Router {
    Router::new().route("/here", axum::routing::get(async || "here"))
}

/// Whether an answer comes to a question.
async fn ask(stream: &mut TcpStream) -> bool {
    let request = b"GET /here HTTP/1.1\r\nhost: localhost\r\n\r\n";
    if stream.write_all(request).await.is_err() {
        return false;
    }
    let mut answer = Vec::new();
    while !answer.ends_with(b"here") {
        let read = timeout(Duration::from_secs(10), stream.read_buf(&mut answer)).await;
        if !read.is_ok_and(|read| read.is_ok_and(|read| read > 0)) {
            return false;
        }
    }
    answer.starts_with(b"HTTP/1.1 200")
}

/// Connections are counted, whatever they say: a further one is served when one ends.
#[tokio::test(flavor = "multi_thread")]
async fn so_many_connections_are_served_and_a_further_one_waits_its_turn() {
    let places = 3;
    let open = Open::with(here(), bounds(places, places + 1)).await;
    let mut guests = Vec::new();
    for number in 0..places {
        let mut guest = open.guest().await;
        assert!(ask(&mut guest).await, "guest {number} of {places}");
        guests.push(guest);
    }
    // One more is let in by the kernel and hears nothing, until somebody leaves.
    let mut further = open.guest().await;
    let waits = tokio::spawn(async move { ask(&mut further).await });
    for guest in &mut guests {
        assert!(ask(guest).await, "those who are there are served");
    }
    assert!(!waits.is_finished(), "more connections than there are places");
    guests.pop();
    assert!(waits.await.unwrap());
    drop(guests);
    open.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_address_takes_its_part_of_the_places_and_another_is_served_beside_it() {
    let open = Open::with(here(), bounds(4, 2)).await;
    let mut guests = [open.guest().await, open.guest().await];
    for guest in &mut guests {
        assert!(ask(guest).await);
    }
    for _ in 0..8 {
        assert!(!ask(&mut open.guest().await).await, "more than one address may have");
    }
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.2:0".parse().unwrap()).unwrap();
    let mut other = socket.connect(open.address).await.unwrap();
    assert!(ask(&mut other).await, "another address is kept out");
    drop((guests, other));
    open.end().await;
}

/// A stranger who asks much and reads nothing, with as small a window as may be.
async fn deaf(open: &Open, request: &[u8]) -> TcpStream {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(1_024).unwrap();
    let mut stream = socket.connect(open.address).await.unwrap();
    stream.write_all(request).await.unwrap();
    stream
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_never_reads_loses_its_place() {
    let much = || axum::routing::get(async || vec![7; 32 << 20]);
    let open = Open::with(here().route("/much", much()), bounds(2, 2)).await;
    let request = b"GET /much HTTP/1.1\r\nhost: localhost\r\n\r\n".repeat(8);
    let _deaf = [deaf(&open, &request).await, deaf(&open, &request).await];
    // The two have all places and say nothing more; whoever comes after waits for their end.
    let mut guest = open.guest().await;
    let mut served = false;
    let tries = async {
        while !served {
            served = ask(&mut guest).await;
            if !served {
                guest = open.guest().await;
            }
        }
    };
    let ended = timeout(Duration::from_secs(20), tries).await;
    assert!(ended.is_ok(), "the places are never free again");
    drop(guest);
    open.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_feed_that_is_never_read_ends() {
    use axum::extract::ws::{Message, WebSocketUpgrade};
    let (told, mut ended) = tokio::sync::mpsc::unbounded_channel();
    let feed = async move |upgrade: WebSocketUpgrade| {
        let told = told.clone();
        upgrade.on_upgrade(async move |mut socket| {
            while socket.send(Message::Binary(vec![7; 1 << 20].into())).await.is_ok() {}
            told.send(()).unwrap();
        })
    };
    let open = Open::with(Router::new().route("/feed", axum::routing::get(feed)), bounds(2, 2));
    let open = open.await;
    let request = b"GET /feed HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade\r\n\
        upgrade: websocket\r\nsec-websocket-version: 13\r\n\
        sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    let _deaf = deaf(&open, request).await;
    let ended = timeout(Duration::from_secs(20), ended.recv()).await;
    assert_eq!(ended.unwrap(), Some(()), "a feed waits for ever for a page that does not read");
    open.end().await;
}
