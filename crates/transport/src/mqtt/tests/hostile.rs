//! Peers that mean no good, or cannot do better: they lose, and nobody else does.

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::{ward::connect_bytes, *};

#[tokio::test]
async fn bytes_that_are_not_tls_are_refused() {
    let mut ward = Ward::open(Limits::default()).await;
    let mut tcp = TcpStream::connect(ward.listener.address()).await.unwrap();
    within(tcp.write_all(b"GET / HTTP/1.1\r\n\r\n")).await.unwrap();
    assert_eq!(ward.tell(1).await, ["refused: the bytes are not TLS 1.3"]);
    let mut rest = Vec::new();
    let _ = within(tcp.read_to_end(&mut rest)).await;
}

#[tokio::test]
async fn what_is_not_mqtt_is_closed() {
    // What is sent inside TLS, what comes back, and the word for it.
    let rows: [(&[u8], &[u8], &str); 5] = [
        (b"GET / HTTP/1.1\r\n\r\n", b"", "the first packet is not CONNECT"),
        (&[0xc0, 0], b"", "the first packet is not CONNECT"),
        (&[0x10, 6, 0, 4, b'H', b'T', b'T', b'P'], b"", "the protocol name is not MQTT"),
        (&connect_bytes(3, "", 0), &[0x20, 2, 0, 1], "neither MQTT 3.1.1 nor 5.0"),
        (&[0x10, 0xff, 0xff, 0xff, 0x7f], b"", "the packet is longer than announced"),
    ];
    let mut ward = Ward::open(Limits::default()).await;
    for (bytes, answer, words) in rows {
        let bearer = ward.bearer(1);
        let mut raw = ward.raw(&bearer).await;
        raw.write(bytes).await;
        assert_eq!(raw.read_to_end().await, answer);
        let expected = format!("refused: the packets break the protocol: {words}");
        assert_eq!(ward.tell(1).await, [expected]);
    }
}

#[tokio::test]
async fn a_packet_over_the_limit_puts_its_client_out() {
    for (level, answer) in [(4, vec![]), (5, vec![0x95])] {
        let mut ward = Ward::open(Limits { packet_len_max: 1_000, ..Limits::default() }).await;
        let bearer = ward.bearer(1);
        let mut raw = ward.raw(&bearer).await;
        raw.write(&connect_bytes(level, &bearer.device.to_string(), 30)).await;
        assert_eq!(ward.tell(1).await, ["opened"]);
        // 998 bytes with a header of 3 are one too many.
        raw.write(&[0x30, 0xe6, 0x07]).await;
        let all = raw.read_to_end().await;
        let farewell = all.windows(2).position(|pair| pair[0] == 0xe0).map(|at| all[at + 2]);
        assert_eq!(farewell.into_iter().collect::<Vec<u8>>(), answer);
        let told = ward.tell(2).await;
        assert_eq!(told[1], "closed Refused");
    }
}

#[tokio::test]
async fn a_fault_is_told_to_whoever_still_speaks_and_nobody_speaks_for_ever() {
    for (heard_out_max, sent) in [(1 << 20, 512 << 10), (4_096, 4_096)] {
        let limits = Limits { packet_len_max: 1_000, heard_out_max, ..Limits::default() };
        let mut ward = Ward::open(limits).await;
        let bearer = ward.bearer(1);
        let mut raw = ward.raw(&bearer).await;
        raw.write(&connect_bytes(5, &bearer.device.to_string(), 30)).await;
        assert_eq!(ward.tell(1).await, ["opened"]);
        raw.write(&[0x30, 0xe6, 0x07]).await;
        raw.write(&vec![b'x'; sent]).await;
        if sent == heard_out_max {
            // It was heard out for so long; the peer, which never ends, is left.
            until(|| ward.handle.counters().connections == 0).await;
        }
        let all = raw.read_to_end().await;
        let farewell = all.windows(3).position(|it| it[0] == 0xe0 && it[2] == 0x95);
        assert!(farewell.is_some(), "{all:?}");
    }
}

#[tokio::test]
async fn bytes_that_come_one_by_one_are_as_good_as_any() {
    let mut ward = Ward::open(Limits::default()).await;
    let bearer = ward.bearer(1);
    let mut raw = ward.raw(&bearer).await;
    let mut bytes = connect_bytes(4, &bearer.device.to_string(), 30);
    let topic = format!("{}/num", bearer.up);
    let len = u8::try_from(topic.len() + 2 + 2 + 1).unwrap();
    bytes.extend([0x32, len, 0, topic.len() as u8]);
    bytes.extend(topic.bytes());
    bytes.extend([0, 9, b'x']);
    for byte in bytes {
        raw.write(&[byte]).await;
    }
    assert_eq!(ward.tell(1).await, ["opened"]);
    let message = ward.draw_message().await;
    ward.take(message).await;
    assert_eq!(raw.read_exactly(8).await, [0x20, 2, 0, 0, 0x40, 2, 0, 9]);
}

#[tokio::test]
async fn a_client_that_never_says_connect_is_closed_in_time() {
    for bytes in [&[0x10][..], &connect_bytes(4, "half", 0)[..7]] {
        let mut ward = Ward::open(Limits::default()).await;
        let bearer = ward.bearer(1);
        let mut raw = ward.raw(&bearer).await;
        raw.write(bytes).await;
        until(|| ward.handle.counters().bytes_in >= bytes.len() as u64).await;
        ward.advance(Limits::default().connect_max + Duration::from_secs(1));
        assert_eq!(raw.read_to_end().await, b"");
        assert_eq!(ward.tell(1).await, ["refused: no CONNECT came in time"]);
    }
}

#[tokio::test]
async fn a_handshake_that_never_ends_is_closed_in_time() {
    let mut ward = Ward::open(Limits::default()).await;
    let mut tcp = TcpStream::connect(ward.listener.address()).await.unwrap();
    within(tcp.write_all(&[0x16, 3, 1])).await.unwrap();
    accepted(&ward, 1).await;
    ward.advance(Limits::default().handshake_max);
    assert_eq!(ward.tell(1).await, ["refused: the handshake took too long"]);
}

async fn accepted(ward: &Ward, count: u64) {
    until(|| ward.handle.counters().accepted >= count).await;
}

#[tokio::test]
async fn handshakes_that_never_end_do_not_keep_others_out() {
    let mut ward = Ward::open(Limits { handshakes_max: 2, ..Limits::default() }).await;
    let address = ward.listener.address();
    let mut halfway = Vec::new();
    for _ in 0..2 {
        let mut tcp = TcpStream::connect(address).await.unwrap();
        within(tcp.write_all(&[0x16, 3, 1])).await.unwrap();
        halfway.push(tcp);
    }
    accepted(&ward, 2).await;
    let bearer = ward.bearer(1);
    let connecting = tokio::spawn(Client::connect(ward.options(&bearer, Version::V5)));
    // The oldest has had its two seconds.
    ward.advance(Limits::default().handshake_gives_way_after);
    let told = ward.tell(2).await;
    let words = "refused: all places for handshakes were taken: it gave way to a newcomer, or waited too long";
    assert_eq!(told, [words, "opened"]);
    assert!(within(connecting).await.unwrap().is_ok());
}

/// A door with one place, which somebody has who never finishes and never gives way.
async fn with_its_only_place_taken() -> (Ward, TcpStream) {
    let hour = Duration::from_secs(3_600);
    let limits = Limits {
        handshakes_max: 1,
        handshake_max: hour,
        handshake_gives_way_after: hour,
        ..Limits::default()
    };
    let ward = Ward::open(limits).await;
    let mut first = TcpStream::connect(ward.listener.address()).await.unwrap();
    within(first.write_all(&[0x16, 3, 1])).await.unwrap();
    accepted(&ward, 1).await;
    (ward, first)
}

#[tokio::test]
async fn a_place_that_comes_free_just_before_the_wait_is_over_is_given() {
    let (mut ward, first) = with_its_only_place_taken().await;
    let bearer = ward.bearer(1);
    let connecting = tokio::spawn(Client::connect(ward.options(&bearer, Version::V5)));
    accepted(&ward, 2).await;
    ward.advance(Limits::default().handshake_waits_max - Duration::from_nanos(1));
    drop(first);
    let told = ward.tell(2).await;
    assert!(told.contains(&"opened".to_owned()), "{told:?}");
    assert!(within(connecting).await.unwrap().is_ok());
}

#[tokio::test]
async fn whoever_waits_for_a_place_for_too_long_is_told_that_the_door_is_crowded() {
    let (mut ward, _first) = with_its_only_place_taken().await;
    let began = ward.clock.now();
    let bearer = ward.bearer(1);
    let connecting = tokio::spawn(Client::connect(ward.options(&bearer, Version::V5)));
    accepted(&ward, 2).await;
    // The wait begins with the first byte; until then the time that passes is not of it.
    let step = Limits::default().handshake_waits_max;
    let told = loop {
        ward.advance(step);
        let soon = tokio::time::timeout(Duration::from_millis(50), ward.tell(1)).await;
        if let Ok(told) = soon {
            break told;
        }
    };
    let words = "refused: all places for handshakes were taken: it gave way to a newcomer, or waited too long";
    assert_eq!(told, [words]);
    assert!(ward.clock.now().since(began) >= step);
    assert!(within(connecting).await.unwrap().is_err());
}

#[tokio::test]
async fn those_that_say_nothing_take_no_place_and_make_room_in_a_full_house() {
    let limits = Limits { handshakes_max: 1, connections_max: 3, ..Limits::default() };
    let mut ward = Ward::open(limits).await;
    let address = ward.listener.address();
    let mut silent = Vec::new();
    for count in 1..=3 {
        silent.push(TcpStream::connect(address).await.unwrap());
        accepted(&ward, count).await;
    }
    let bearer = ward.bearer(1);
    let _in = within(Client::connect(ward.options(&bearer, Version::V5))).await.unwrap();
    let words = "refused: there are as many connections as the listener takes";
    assert_eq!(ward.tell(2).await, [words, "opened"]);
    let mut rest = Vec::new();
    // The oldest of them was hung up on.
    let _ = within(silent[0].read_to_end(&mut rest)).await;
}

#[tokio::test]
async fn connections_are_bounded() {
    let mut ward = Ward::open(Limits { connections_max: 1, ..Limits::default() }).await;
    let bearer = ward.bearer(1);
    let _first = ward.come(ward.options(&bearer, Version::V5)).await;
    let other = ward.bearer(2);
    assert!(within(Client::connect(ward.options(&other, Version::V5))).await.is_err());
    assert_eq!(
        ward.tell(1).await,
        ["refused: there are as many connections as the listener takes"]
    );
}

#[tokio::test]
async fn a_client_that_does_not_read_costs_a_bounded_buffer() {
    let mut ward = Ward::open(Limits { out_bytes_max: 1_000, ..Limits::default() }).await;
    let bearer = ward.bearer(1);
    let mut raw = ward.raw(&bearer).await;
    raw.greet(&bearer, 30).await;
    assert_eq!(ward.tell(1).await, ["opened"]);
    let pings = [0xc0, 0].repeat(8_192);
    let flood = async {
        loop {
            raw.write(&pings).await;
        }
    };
    // The flood stalls, because the server stops reading what it cannot answer.
    let counters = || ward.handle.counters().bytes_in;
    let stalled = async {
        let (mut read, mut quiet) = (0, 0);
        while quiet < 5_000 {
            tokio::task::yield_now().await;
            quiet = if counters() == read { quiet + 1 } else { 0 };
            read = counters();
        }
    };
    within(async {
        tokio::select! {
            () = flood => {}
            () = stalled => {}
        }
    })
    .await;
    // Everybody else is served.
    let other = ward.bearer(2);
    ward.come(ward.options(&other, Version::V5)).await;
}

#[tokio::test]
async fn silence_of_one_and_a_half_keep_alives_ends_a_connection() {
    // Keep alive asked for in seconds, version, and the silence that ends it.
    let rows = [
        (20, Version::V311, Duration::from_secs(30)),
        (0, Version::V311, Limits::default().idle_max),
        (20, Version::V5, Duration::from_secs(30)),
        (0, Version::V5, Duration::from_secs(90)),
        (61, Version::V5, Duration::from_secs(90)),
    ];
    for (keep_alive_s, version, silence) in rows {
        let mut ward = Ward::open(Limits::default()).await;
        let bearer = ward.bearer(1);
        let level = if version == Version::V5 { 5 } else { 4 };
        let mut raw = ward.raw(&bearer).await;
        let connect = connect_bytes(level, &bearer.device.to_string(), keep_alive_s);
        raw.write(&connect).await;
        assert_eq!(ward.tell(1).await, ["opened"]);
        ward.advance(silence - Duration::from_millis(1));
        raw.write(&[0xc0, 0]).await;
        let len = connect.len() as u64 + 2;
        until(|| ward.handle.counters().bytes_in >= len).await;
        ward.advance(silence - Duration::from_millis(1));
        assert_eq!(ward.handle.connections().len(), 1);
        ward.advance(Duration::from_millis(1));
        assert_eq!(ward.tell(1).await, ["closed Lost"]);
        let all = raw.read_to_end().await;
        let said = all.ends_with(&[0xe0, 2, 0x8d, 0]);
        assert_eq!(said, version == Version::V5, "{all:x?}");
    }
}
