//! Random bytes on every port: nobody breaks, nobody's memory grows, nobody else notices.

use super::*;
use crate::tools::is_long;

/// A small generator of numbers (SplitMix64): the same seed makes the same noise.
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn bytes(&mut self, len_max: u64) -> Vec<u8> {
        let len = 1 + self.next() % len_max;
        (0..len).map(|_| self.next() as u8).collect()
    }
}

/// Says something to whoever listens, and hears the rest out; nothing that is heard is wrong.
fn say(mut stream: impl std::io::Read + std::io::Write, bytes: &[u8]) {
    let _ = stream.write_all(bytes).and_then(|()| stream.flush());
    let mut heard = [0; 4_096];
    // A peer that waits for more is left where it is.
    let _ = stream.read(&mut heard);
}

/// Not longer than this for an answer that may never come.
const HEARS_FOR: Duration = Duration::from_millis(50);

fn tcp(address: &str) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(HEARS_FOR)).unwrap();
    stream.set_write_timeout(Some(SOON)).unwrap();
    stream
}

#[test]
fn random_bytes_on_every_port_harm_nobody() {
    let rounds = if is_long() { 2_000 } else { 40 };
    let scene = Scene::set();
    let mut racing = Racing::start(&scene.server, &scene.ward);
    let ready = &scene.server.ready;
    let people = ready.people.trim_start_matches("http://");
    let metrics = ready.metrics.trim_start_matches("http://").trim_end_matches("/metrics");
    let own = (scene.device.certificate_pem.as_str(), scene.device.key_pem.as_str());
    let papers = tls(&scene.device.ca_pem, Some(own));
    let upgrade = b"GET /mqtt HTTP/1.1\r\nhost: localhost\r\nupgrade: websocket\r\n\
        connection: upgrade\r\nsec-websocket-version: 13\r\n\
        sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-protocol: mqtt\r\n\r\n";
    let mut noise = Noise(4);
    scene.grows_at_most(64, || {
        for round in 0..rounds {
            let bytes = noise.bytes(20_000);
            for door in [people, metrics, &ready.mqtt, &ready.https] {
                say(tcp(door), &bytes);
            }
            // Behind the first lines of HTTP, inside of TLS, after CONNECT, and in a WebSocket.
            let heads = [&b"POST /api/v1/session HTTP/1.1\r\nhost: localhost\r\n"[..], b"GET /"];
            say(tcp(people), &[heads[round % 2], &bytes].concat());
            let starts =
                [&b""[..], b"POST /v1/num HTTP/1.1\r\ncontent-length: 99\r\n\r\n", upgrade];
            let stream = https(&scene.server, papers.clone());
            stream.sock.set_read_timeout(Some(HEARS_FOR)).unwrap();
            say(stream, &[starts[round % 3], &bytes].concat());
            let mut wire =
                if round % 2 == 0 { scene.wire(Version::V5) } else { scene.dial(Version::V5) };
            wire.send(&bytes);
            wire.wait_at_most(HEARS_FOR);
            let _ = wire.end();
        }
    });
    racing.is_alarmed(&scene.ward);
    assert!(scene.ward.nurse.get("/api/v1/session")["user"].is_object());
    assert_eq!(scene.server.metric("wardline_mqtt_panics_total"), 0.0);
    scene.ends_well();
}
