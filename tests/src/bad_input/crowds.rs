//! Crowds at the doors: connections by the thousand that say nothing or stop half-way.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use futures_util::{StreamExt as _, stream};
use tokio::{
    io::AsyncWriteExt as _,
    net::{TcpSocket, TcpStream as AsyncStream},
};

use super::*;
use crate::{
    tools::{allow_many_files, is_long, not_run},
    waiting::block_on,
};

/// The address that the crowds come from; all others of the tests come from 127.0.0.1.
const ELSEWHERE: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));
const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
/// Connections that a crowd is opening at once.
const AT_ONCE: usize = 256;
/// Files that the test and the program need for themselves.
const FILES_BESIDE: u32 = 1_000;
/// An honest device is served within this though thousands are before it.
const SERVED_WITHIN: Duration = Duration::from_secs(5);

/// So many connections that stay open, each of which has said this much.
fn crowd(from: IpAddr, port: u16, count: u32, said: &[u8]) -> Vec<AsyncStream> {
    let to = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let open = async |_| {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind((from, 0).into()).unwrap();
        let mut stream = socket.connect(to).await.unwrap();
        // One that was hung up on already shows it here.
        let _ = stream.write_all(said).await;
        stream
    };
    block_on(stream::iter(0..count).map(open).buffer_unordered(AT_ONCE).collect())
}

/// What a client says first, by a library that means it.
fn client_hello() -> Vec<u8> {
    let name = rustls::pki_types::ServerName::try_from("localhost").unwrap();
    let config = tls(&rcgen_authority(), None);
    let mut hello = Vec::new();
    rustls::ClientConnection::new(config, name).unwrap().write_tls(&mut hello).unwrap();
    hello
}

/// Any authority; a client that stops half-way never judges the server.
fn rcgen_authority() -> String {
    let key = rcgen::KeyPair::generate().unwrap();
    rcgen::CertificateParams::new(Vec::new()).unwrap().self_signed(&key).unwrap().pem()
}

/// Whether a crowd of this size fits into what may be open here.
fn fits(count: u32, test: &str) -> bool {
    let files = allow_many_files();
    let fits = files >= u64::from(count + FILES_BESIDE);
    if !fits {
        not_run(test, &format!("only {files} files may be open; try `ulimit -n 20000`"));
    }
    fits
}

#[test]
fn ten_thousand_that_say_nothing_keep_nobody_waiting() {
    let (test, count) = ("ten_thousand_that_say_nothing_keep_nobody_waiting", 10_000);
    if !fits(count, test) {
        return;
    }
    let scene = Scene::set();
    let mut racing = Racing::start(&scene.server, &scene.ward);
    let metric = |name: &str| scene.server.metric(&format!("wardline_device_connections{name}"));
    scene.grows_at_most(100, || {
        for from in [ELSEWHERE, HERE] {
            let before = metric("_accepted_total");
            let open = crowd(from, scene.server.mqtt_port(), count / 2, b"");
            scene.lets_honest_devices_in(SERVED_WITHIN);
            racing.is_alarmed(&scene.ward);
            eventually("nearly all of the crowd is in", SOON, || {
                let more = metric("_accepted_total") - before;
                if more > f64::from(count) * 0.45 { Ok(()) } else { Err(format!("{more} are in")) }
            });
            scene.lets_honest_devices_in(SERVED_WITHIN);
            drop(open);
        }
    });
    eventually("the crowd is gone", SOON, || {
        let there = metric("");
        if there < 10.0 { Ok(()) } else { Err(format!("{there} connections")) }
    });
    scene.ends_well();
}

#[test]
fn handshakes_by_the_thousand_that_stop_half_way_keep_nobody_waiting() {
    let test = "handshakes_by_the_thousand_that_stop_half_way_keep_nobody_waiting";
    let count = if is_long() { 10_000 } else { 2_000 };
    if !fits(count, test) {
        return;
    }
    let scene = Scene::set();
    let mut racing = Racing::start(&scene.server, &scene.ward);
    scene.grows_at_most(200, || {
        let open = crowd(ELSEWHERE, scene.server.mqtt_port(), count, &client_hello());
        for _ in 0..3 {
            scene.lets_honest_devices_in(SERVED_WITHIN);
        }
        racing.is_alarmed(&scene.ward);
        drop(open);
    });
    scene.ends_well();
}

#[test]
fn crowds_at_the_doors_of_https_keep_no_other_address_waiting() {
    let test = "crowds_at_the_doors_of_https_keep_no_other_address_waiting";
    let each = if is_long() { 5_000 } else { 1_500 };
    if !fits(2 * each, test) {
        return;
    }
    let scene = Scene::set();
    let mut racing = Racing::start(&scene.server, &scene.ward);
    let people = scene.server.ready.people.rsplit_once(':').unwrap().1.parse().unwrap();
    scene.grows_at_most(100, || {
        let said = [&b""[..], &client_hello()[..], b"GET / HTTP/1.1\r\nhost: loc"];
        for said in said {
            let open =
                [people, scene.server.https_port()].map(|port| crowd(ELSEWHERE, port, each, said));
            let began = now();
            // A browser and a device that were not connected before.
            let nurse = scene.server.rest().click("nora");
            assert!(nurse.get("/api/v1/session")["user"].is_object());
            assert!(https_answers(&scene), "a device is not answered by HTTPS");
            let took = began.elapsed();
            assert!(took < SERVED_WITHIN, "they waited {took:?}");
            racing.is_alarmed(&scene.ward);
            drop(open);
        }
    });
    scene.ends_well();
}

/// Whether a device with good papers is told the time.
fn https_answers(scene: &Scene) -> bool {
    let own = (scene.device.certificate_pem.as_str(), scene.device.key_pem.as_str());
    let mut stream = https(&scene.server, tls(&scene.device.ca_pem, Some(own)));
    stream.write_all(b"GET /v1/time HTTP/1.1\r\nhost: localhost\r\n\r\n").unwrap();
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).is_ok() && answer == *b"HTTP/1.1 200"
}
