//! Bad input at the devices' door: each kind gets its protocol's clear answer, a
//! counter, a dead letter where there was a message, and costs nobody else anything.

mod bombs;
mod crowds;
mod floods;
mod noise;

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    sync::Arc,
    time::Duration,
};

use rustls::{ClientConfig, ClientConnection, StreamOwned, pki_types::ServerName};
use serde_json::{Value, json};

use crate::{
    companion::{Companion, Racing},
    conformance::packets::Publish,
    payload::{Cbor, ECG, SENML_CBOR, SENML_JSON, WAVE, Wave, heart_rate, pack, senml_now},
    server::{Home, Server},
    waiting::{eventually, now},
    ward::{Device, Ward},
    wire::{End, Version, Wire, connect, packet, text, tls},
};

const SOON: Duration = Duration::from_secs(10);
/// Messages that a client may have on their way, with room to spare.
const IN_FLIGHT: usize = 60;
/// Packet ids that a flood goes through.
const IDS: usize = 60_000;

/// A server with a ward, a device to misbehave with, and one that behaves well.
struct Scene {
    home: Home,
    server: Server,
    ward: Ward,
    device: Device,
    companion: Companion,
}

impl Scene {
    fn set() -> Self {
        let home = Home::new();
        let server = Server::start(&home);
        let ward = Ward::build(&server);
        let device = ward.enrol_on("bedside-monitor", "BAD-1", 0);
        let companion = Companion::start(&server, &ward);
        Self { home, server, ward, device, companion }
    }

    fn wire(&self, version: Version) -> Wire {
        Wire::connect(&self.server, &self.device, version)
    }

    /// TLS with the device's own papers, and nothing said yet.
    fn dial(&self, version: Version) -> Wire {
        let own = (self.device.certificate_pem.as_str(), self.device.key_pem.as_str());
        Wire::dial(&self.server, tls(&self.device.ca_pem, Some(own)), version)
    }

    /// Does something for which connections are refused, and waits until it is counted.
    fn refused(&self, how_many: u64, deed: impl FnOnce()) {
        let before = self.ward.count("refused");
        deed();
        self.ward.counts("refused", before + how_many);
    }

    /// Does something, in spite of which the program's memory grows by no more than this.
    fn grows_at_most(&self, mib: u64, deed: impl FnOnce()) {
        let before = self.server.memory_kib();
        deed();
        let Some((before, after)) = before.zip(self.server.memory_kib()) else {
            return crate::tools::not_run("memory", "the system does not tell a program's");
        };
        let grown = after.saturating_sub(before) / 1_024;
        assert!(grown <= mib, "the program's memory grew by {grown} MiB from {before} KiB");
    }

    /// Publishes with QoS 1 as fast as is allowed, topic, payload and whether it is retained;
    /// the code of each.
    fn publish_all<'a>(
        &self,
        wire: &mut Wire,
        messages: impl IntoIterator<Item = (String, &'a str, bool)>,
    ) -> Vec<u8> {
        let (mut codes, mut sent) = (Vec::new(), 0_usize);
        let hear = |wire: &mut Wire, codes: &mut Vec<u8>| {
            let answer = wire.puback().unwrap_or_else(|end| panic!("{end:?} after {codes:02x?}"));
            assert_eq!(usize::from(answer.id), codes.len() % IDS + 1, "out of order");
            codes.push(answer.code);
        };
        for (topic, payload, is_retained) in messages {
            let id = u16::try_from(sent % IDS + 1).unwrap();
            let publish = Publish::new(1, id, &topic, payload);
            let publish = if is_retained { publish.retained() } else { publish };
            wire.send(&publish.bytes(Version::V5));
            sent += 1;
            if sent - codes.len() >= IN_FLIGHT {
                hear(wire, &mut codes);
            }
        }
        while codes.len() < sent {
            hear(wire, &mut codes);
        }
        codes
    }

    /// A device of the ward still gets in, and is answered.
    fn lets_honest_devices_in(&self, within: Duration) {
        let began = now();
        let mut wire = self.wire(Version::V5);
        let answer = wire.told(&self.device.up("event"), None, b"still here");
        assert_eq!(answer.map(|it| it.code), Ok(0));
        let took = began.elapsed();
        assert!(took < within, "an honest device waited {took:?} at the door");
    }

    /// The good device did not feel anything, and the program lives.
    fn ends_well(mut self) {
        self.companion.ends_unharmed();
        assert!(self.server.is_alive());
        drop(self.home);
    }
}

/// TLS to the devices' door of HTTPS.
fn https(server: &Server, tls: Arc<ClientConfig>) -> StreamOwned<ClientConnection, TcpStream> {
    let tcp = TcpStream::connect(&server.ready.https).unwrap();
    tcp.set_read_timeout(Some(SOON)).unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    StreamOwned::new(ClientConnection::new(tls, name).unwrap(), tcp)
}

#[test]
fn bytes_that_are_no_tls_are_cut_off_and_counted() {
    let scene = Scene::set();
    let noise: Vec<u8> =
        (0..4_096_u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let mqtt_in_clear = connect(Version::V311, &scene.device.id);
    let http = b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n".to_vec();
    scene.refused(3, || {
        for bytes in [&noise, &mqtt_in_clear, &http] {
            let mut stream = TcpStream::connect(&scene.server.ready.mqtt).unwrap();
            stream.set_read_timeout(Some(SOON)).unwrap();
            stream.write_all(bytes).unwrap();
            let mut heard = Vec::new();
            // An alert of TLS and the end, or the end alone.
            let _ = stream.read_to_end(&mut heard);
            assert!(heard.len() < 64, "{} bytes instead of an alert", heard.len());
        }
    });
    scene.ends_well();
}

#[test]
fn garbage_inside_of_tls_is_put_out_by_name() {
    let scene = Scene::set();
    // After CONNECT: the packet, and the reason that MQTT 5 gives for it.
    let long_topic = packet(0x30, &[&text(&"a/".repeat(300))[..], &[0], b"x"].concat());
    let cases: [(&str, Vec<u8>, &[u8]); 9] = [
        ("a type that is none", packet(0x00, &[]), &[0x81, 0x82]),
        ("a packet of the server", packet(0x20, &[0, 0, 0]), &[0x81, 0x82]),
        ("a second CONNECT", connect(Version::V5, &scene.device.id), &[0x82]),
        ("a length of five bytes", vec![0x30, 0xff, 0xff, 0xff, 0xff, 0x01], &[0x81]),
        ("flags that are not free", packet(0x80, &[0, 1, 0, 0, 1, b'a', 1]), &[0x81]),
        ("both bits of QoS", packet(0x36, &[0, 1, b'a', 0, 1, 0]), &[0x81]),
        ("a topic that is no UTF-8", packet(0x30, &[0, 2, 0xc3, 0x28, 0]), &[0x81, 0x90]),
        ("a topic beyond its length", packet(0x30, &[0, 99, b'a', 0]), &[0x81]),
        ("a topic of 600 bytes", long_topic, &[0x90, 0x81, 0x95, 0x97]),
    ];
    for (what, bytes, reasons) in cases {
        let mut wire = scene.wire(Version::V5);
        wire.send(&bytes);
        match wire.end() {
            End::PutOut(reason) if reasons.contains(&reason) => {}
            end => panic!("{what}: {end:?} instead of one of {reasons:02x?}"),
        }
        let mut wire = scene.wire(Version::V311);
        wire.send(&bytes);
        assert_eq!(wire.end(), End::Closed, "{what}");
    }
    let mut wire = scene.dial(Version::V5);
    wire.send(b"GET / HTTP/1.1\r\n\r\n");
    assert!(matches!(wire.end(), End::Closed | End::PutOut(_)), "HTTP instead of CONNECT");
    scene.ends_well();
}

#[test]
fn a_connect_that_cannot_be_is_refused_with_its_code() {
    let scene = Scene::set();
    let mut unknown_level = connect(Version::V311, &scene.device.id);
    unknown_level[8] = 7;
    let mut wire = scene.dial(Version::V311);
    wire.send(&unknown_level);
    let answer = wire.receive().unwrap();
    assert!(answer.head == 0x20 && [0x01, 0x84].contains(&answer.body[1]), "{answer:?}");
    for (version, code) in [(Version::V311, 0x02), (Version::V5, 0x85)] {
        assert_eq!(scene.dial(version).greet("somebody-else"), Ok(code), "{version:?}");
    }
    scene.ends_well();
}

#[test]
fn half_a_packet_and_a_cut_line_harm_nobody() {
    let scene = Scene::set();
    let whole = packet(0x32, &[&text(&scene.device.up("num"))[..], &[0, 1, 0], b"[]"].concat());
    for len in 1..whole.len() {
        // Every length is a place to stop; a few are enough over a real wire.
        if len % 17 == 1 {
            let mut wire = scene.wire(Version::V5);
            wire.send(&whole[..len]);
            wire.cut();
        }
    }
    let mut wire = scene.wire(Version::V5);
    for byte in &whole {
        wire.send(&[*byte]);
    }
    assert_eq!(wire.puback().unwrap().code, 0x99, "byte by byte it is an empty pack all the same");
    scene.ends_well();
}

#[test]
fn a_packet_over_the_limit_is_refused_before_it_is_here() {
    let scene = Scene::set();
    // 256 KiB and a byte, of which only the header is ever sent.
    let header = [0x32, 0x81, 0x80, 0x10];
    let mut wire = scene.wire(Version::V5);
    wire.send(&header);
    assert_eq!(wire.end(), End::PutOut(0x95));
    let mut wire = scene.wire(Version::V311);
    wire.send(&header);
    assert_eq!(wire.end(), End::Closed);
    // Under the limit of packets and over that of payloads: a message, kept and refused.
    let mut wire = scene.wire(Version::V5);
    let long = format!("[{{\"n\":\"{}\",\"v\":1}}]", "x".repeat(100_000));
    let answer = wire.told(&scene.device.up("num"), Some(SENML_JSON), long.as_bytes()).unwrap();
    assert_eq!(answer.code, 0x99, "{answer:?}");
    scene.ward.letter(long.as_bytes());
    scene.ends_well();
}

#[test]
fn nobody_comes_in_without_a_good_certificate() {
    let scene = Scene::set();
    let device = &scene.device;
    let foreign = papers::foreign(&scene.ward, device);
    let other = scene.ward.enrol("bedside-monitor", "BAD-2");
    let revoke = format!("/api/v1/devices/{}/certificates/{}", other.id, other.certificate);
    let revoked = scene.ward.admin.ask(reqwest::Method::DELETE, &revoke, None);
    assert!(revoked.is_good(), "{revoked}");
    let own = |device: &Device| (device.certificate_pem.clone(), device.key_pem.clone());
    let mut cases = vec![
        ("no certificate", None),
        ("one of a foreign authority", Some(foreign)),
        ("a revoked one", Some(own(&other))),
    ];
    match papers::expired(&scene.home.data(), &scene.ward, device) {
        Ok(expired) => cases.push(("an expired one", Some(expired))),
        Err(why) => crate::tools::not_run("nobody_comes_in_without_a_good_certificate", &why),
    }
    let all = cases.len() as u64;
    scene.refused(all, || {
        for (what, papers) in &cases {
            let own =
                papers.as_ref().map(|(certificate, key)| (certificate.as_str(), key.as_str()));
            let mut wire = Wire::dial(&scene.server, tls(&device.ca_pem, own), Version::V5);
            match wire.greet(&device.id) {
                Err(End::Tls(_) | End::Closed) => {}
                answer => panic!("{what}: {answer:?}"),
            }
        }
    });
    scene.ends_well();
}

#[test]
fn a_revoked_device_is_put_out_at_once() {
    let scene = Scene::set();
    let mut wire = scene.wire(Version::V5);
    let Device { id, certificate, .. } = &scene.device;
    let path = format!("/api/v1/devices/{id}/certificates/{certificate}");
    let revoked = scene.ward.admin.ask(reqwest::Method::DELETE, &path, None);
    assert!(revoked.is_good(), "{revoked}");
    match wire.end() {
        End::PutOut(0x87 | 0x98 | 0x8a) | End::Closed => {}
        end => panic!("{end:?}"),
    }
    scene.ends_well();
}

#[test]
fn a_device_speaks_for_no_other() {
    let scene = Scene::set();
    let other = scene.ward.enrol_on("bedside-monitor", "BAD-2", 0);
    let message = heart_rate(1, 1, "33.125");
    let own_block_elsewhere = Wave::of(&other.id, 1, 1).encode();
    let own_wave = scene.device.up(&format!("wave/{ECG}"));
    let mut wire = scene.wire(Version::V5);
    for (topic, kind, payload) in [
        (other.up("num"), SENML_JSON, &message),
        (scene.device.down("cfg"), SENML_JSON, &message),
        (own_wave, WAVE, &own_block_elsewhere),
    ] {
        let before = scene.ward.count("dead_letters");
        let answer = wire.told(&topic, Some(kind), payload).unwrap();
        assert_eq!(answer.code, 0x87, "{topic}: {answer:?}");
        let letter = scene.ward.letter(payload);
        assert_eq!(letter["device"], scene.device.id, "{letter}");
        scene.ward.counts("dead_letters", before + 1);
    }
    let mut wire = scene.wire(Version::V311);
    wire.publish(&other.up("num"), None, &message);
    assert_eq!(wire.end(), End::Closed, "3.1.1 has no word for it");
    assert!(scene.ward.vital(0, "heart_rate").is_none(), "it is charted to somebody");
    scene.ends_well();
}

#[test]
fn messages_that_cannot_be_decoded_are_kept_and_named() {
    let scene = Scene::set();
    let device = &scene.device;
    let num = device.up("num");
    let block = Wave::of(&device.id, 2, 0);
    let wave = device.up(&format!("wave/{ECG}"));
    let odd = Wave { count: 124, ..block.clone() }.encode();
    let mut flipped = block.encode();
    let near_the_samples = flipped.len() - 60;
    flipped[near_the_samples] ^= 1;
    let deep = format!("{}1{}", "[".repeat(40), "]".repeat(40)).into_bytes();
    let many = format!("[{}]", vec!["{\"n\":\"a\",\"v\":1}"; 1_001].join(",")).into_bytes();
    let cases: [(&str, &String, &str, Vec<u8>, &str); 12] = [
        ("no JSON", &num, SENML_JSON, b"[{\"n\":".to_vec(), "senml:json"),
        (
            "NaN in JSON",
            &num,
            SENML_JSON,
            b"[{\"n\":\"MDC_TEMP\",\"v\":NaN}]".to_vec(),
            "senml:json",
        ),
        ("no list", &num, SENML_JSON, b"{\"n\":\"MDC_TEMP\",\"v\":1}".to_vec(), "senml:"),
        ("an empty list", &num, SENML_JSON, b"[]".to_vec(), "senml:empty"),
        (
            "a label to be understood",
            &num,
            SENML_JSON,
            b"[{\"n\":\"a\",\"v\":1,\"x_\":1}]".to_vec(),
            "senml:label",
        ),
        ("40 lists deep", &num, SENML_JSON, deep, "senml:"),
        ("1,001 records", &num, SENML_JSON, many, "senml:records"),
        ("JSON said to be CBOR", &num, SENML_CBOR, b"[{\"n\":\"a\",\"v\":1}]".to_vec(), "senml:"),
        ("another media type", &num, "text/plain", b"72".to_vec(), "senml:content_type"),
        ("a waveform of the wrong length", &wave, WAVE, odd, "wave:n"),
        ("a waveform with a flipped bit", &wave, WAVE, flipped, "wave:crc32c"),
        ("a waveform that is none", &wave, WAVE, vec![0xff; 200], "wave:cbor"),
    ];
    let mut wire = scene.wire(Version::V5);
    let before = scene.ward.count("dead_letters");
    for (what, topic, kind, payload, reason) in &cases {
        let answer = wire.told(topic, Some(kind), payload).unwrap();
        assert_eq!(answer.code, 0x99, "{what}: {answer:?}");
        let words = answer.words.unwrap_or_default();
        assert!(words.starts_with(reason), "{what}: `{words}` instead of `{reason}`");
        let letter = scene.ward.letter(payload);
        assert!(letter["reason"].as_str().unwrap().starts_with(reason), "{what}: {letter}");
        assert_eq!(letter["topic"], **topic, "{what}");
        assert!(!letter["detail"].as_str().unwrap().is_empty(), "{what}");
    }
    scene.ward.counts("dead_letters", before + cases.len() as u64);
    assert!(scene.server.metric("wardline_messages_dead_total") >= cases.len() as f64);
    // 3.1.1 has no negative answer: the message is kept, and that is what is acknowledged.
    let mut wire = scene.wire(Version::V311);
    let answer = wire.told(&num, None, b"[{\"n\":\"MDC_TEMP\"").unwrap();
    assert_eq!(answer.code, 0);
    scene.ward.letter(b"[{\"n\":\"MDC_TEMP\"");
    scene.ends_well();
}

#[test]
fn a_topic_that_means_nothing_is_kept_and_named() {
    let scene = Scene::set();
    let mut wire = scene.wire(Version::V5);
    for leaf in ["nothing", "wave/", "wave/a/b", "wave/MDC_NO_SUCH_WAVE"] {
        let payload = format!("for {leaf}").into_bytes();
        let answer = wire.told(&scene.device.up(leaf), None, &payload).unwrap();
        assert!([0x90, 0x99, 0x83].contains(&answer.code), "{leaf}: {answer:?}");
        scene.ward.letter(&payload);
    }
    scene.ends_well();
}

#[test]
fn values_that_cannot_be_are_missing_and_never_numbers() {
    let scene = Scene::set();
    let num = scene.device.up("num");
    let mut wire = scene.wire(Version::V5);
    let mut send = |kind: &str, payload: &[u8]| {
        let answer = wire.told(&num, Some(kind), payload).unwrap();
        assert_eq!(answer.code, 0, "one bad value costs itself and not the message");
    };
    let records = [
        ("MDC_ECG_HEART_RATE", "beat/min", "999"),
        ("MDC_PULS_OXIM_SAT_O2", "%", "-1"),
        ("MDC_RESP_RATE", "1/min", "14"),
    ];
    send(SENML_JSON, &pack(1, 1, &senml_now(), &records));
    send(SENML_CBOR, &nan());
    scene.ward.sees(0, "respiratory_rate", 14.0);
    for vital in ["heart_rate", "saturation", "temperature"] {
        let what = format!("{vital} is missing with a reason");
        let numeric = eventually(&what, SOON, || {
            scene.ward.vital(0, vital).ok_or_else(|| "it is not there".to_owned())
        });
        assert_eq!(numeric["value"], Value::Null, "{numeric}");
        assert!(numeric["missing"].is_string(), "{numeric}");
    }
    scene.ends_well();
}

/// A temperature of NaN as SenML in CBOR.
fn nan() -> Vec<u8> {
    let now = jiff::Timestamp::now().as_millisecond() as f64 / 1_000.0;
    let cbor = Cbor::default().array(1).map(4).int(-3).double(now);
    cbor.int(0).text("MDC_TEMP").int(1).text("Cel").int(2).double(f64::NAN).0
}

#[test]
fn a_unit_that_nobody_knows_is_kept_and_decides_nothing() {
    let scene = Scene::set();
    let num = scene.device.up("num");
    let mut wire = scene.wire(Version::V5);
    let mut send = |seq, records: &[(&str, &str, &str)]| {
        let payload = pack(1, seq, &senml_now(), records);
        assert_eq!(wire.told(&num, Some(SENML_JSON), &payload).unwrap().code, 0);
    };
    // 310 K is no fever of 310 °C, and 16 kPa is a pressure of 120 mmHg.
    send(1, &[("MDC_TEMP", "K", "310"), ("MDC_NO_SUCH_CHANNEL", "%", "1")]);
    send(2, &[("MDC_PRESS_BLD_NONINV_SYS", "kPa", "16"), ("MDC_RESP_RATE", "1/min", "15")]);
    scene.ward.sees(0, "respiratory_rate", 15.0);
    let temperature = scene.ward.vital(0, "temperature");
    assert!(temperature.is_none_or(|it| it["value"].is_null()), "kelvins are shown as Celsius");
    let pressure = scene.ward.vital(0, "systolic_pressure").unwrap();
    assert!((pressure["value"].as_f64().unwrap() - 120.0).abs() < 0.2, "{pressure}");
    scene.ends_well();
}

#[test]
fn a_clock_of_long_ago_or_of_the_future_is_not_believed() {
    let scene = Scene::set();
    let num = scene.device.up("num");
    let mut wire = scene.wire(Version::V5);
    let began = jiff::Timestamp::now();
    // 1978 is the oldest time that SenML can spell as one; the other is 2100.
    for (seq, (at, value)) in
        [("268435457", "61.5"), ("4102444800", "62.5")].into_iter().enumerate()
    {
        let records = [("MDC_ECG_HEART_RATE", "beat/min", value)];
        let payload = pack(1, seq as u64, at, &records);
        assert_eq!(wire.told(&num, Some(SENML_JSON), &payload).unwrap().code, 0);
        let numeric = scene.ward.sees(0, "heart_rate", value.parse().unwrap());
        assert_eq!(numeric["clock"], "receiver", "{numeric}");
        let taken: jiff::Timestamp = numeric["taken_at"].as_str().unwrap().parse().unwrap();
        let since = taken.duration_since(began).as_secs();
        assert!((-1..30).contains(&since), "{numeric}");
    }
    let mut seq = 0;
    // Somebody is told once it stays so for half a minute.
    eventually("somebody is told that the clock is wrong", Duration::from_secs(60), || {
        for t0_ns in [0, 4_102_444_800_000_000_000] {
            let block =
                Wave { t0_ns, now_ns: t0_ns, ..Wave::of(&scene.device.id, 3, seq) }.encode();
            let wave = scene.device.up(&format!("wave/{ECG}"));
            assert_eq!(wire.told(&wave, Some(WAVE), &block).unwrap().code, 0);
            seq += 1;
        }
        let alarms = scene.ward.nurse.all("/api/v1/alarms?scope=all&state=standing");
        let fits = |it: &Value| {
            let title = it["title"].as_str().unwrap_or_default().to_lowercase();
            it["device"] == *scene.device.id
                && it["class"] == "technical"
                && title.contains("clock")
        };
        if alarms.iter().any(fits) { Ok(()) } else { Err(json!(alarms).to_string()) }
    });
    scene.ends_well();
}

#[test]
fn two_hundred_half_open_connections_harm_nobody() {
    let scene = Scene::set();
    let client_hello = [0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00];
    let open: Vec<TcpStream> = (0..200)
        .map(|number| {
            let mut stream = TcpStream::connect(&scene.server.ready.mqtt).unwrap();
            // Some say nothing, the others begin a handshake and stop.
            if number % 2 == 0 {
                stream.write_all(&client_hello).unwrap();
            }
            stream
        })
        .collect();
    // Others still come in and are served while they are open.
    for _ in 0..5 {
        let mut wire = scene.wire(Version::V5);
        let answer = wire.told(&scene.device.up("event"), None, b"still here");
        assert_eq!(answer.unwrap().code, 0);
    }
    scene.refused(200, || drop(open));
    scene.ends_well();
}

#[test]
fn a_quarantined_or_unknown_device_is_not_let_in() {
    let scene = Scene::set();
    let path = format!("/api/v1/devices/{}/lifecycle", scene.device.id);
    let mut before = scene.wire(Version::V5);
    scene.ward.admin.put(&path, &json!({ "state": "quarantined", "why": "a test" }));
    match before.end() {
        End::PutOut(0x87 | 0x8a | 0x98) | End::Closed => {}
        end => panic!("{end:?}"),
    }
    for (version, codes) in [(Version::V5, &[0x87, 0x8a]), (Version::V311, &[0x05, 0x04])] {
        let code = scene.dial(version).greet(&scene.device.id).unwrap();
        assert!(codes.contains(&code), "{version:?}: {code:#04x}");
    }
    match papers::stranger(&scene.home.data(), &scene.ward, &scene.device) {
        Ok((device, (certificate, key))) => {
            let own = Some((certificate.as_str(), key.as_str()));
            let tls = tls(&scene.device.ca_pem, own);
            let code = Wire::dial(&scene.server, tls, Version::V5).greet(&device);
            assert_eq!(code, Ok(0x87), "a device that was never registered");
        }
        Err(why) => crate::tools::not_run("a_quarantined_or_unknown_device_is_not_let_in", &why),
    }
    scene.ends_well();
}

#[test]
fn a_device_that_sends_faster_than_it_may_is_put_out() {
    let scene = Scene::set();
    // 64 messages may wait for their answer; all of these are there before the first sync.
    let message = |id: u16| {
        let body = [&text(&scene.device.up("event"))[..], &id.to_be_bytes(), &[0], b"x"].concat();
        packet(0x32, &body)
    };
    let flood: Vec<u8> = (1..=200).flat_map(message).collect();
    let mut wire = scene.wire(Version::V5);
    wire.send(&flood);
    assert_eq!(wire.end(), End::PutOut(0x93));
    scene.ends_well();
}

/// Certificates that the server must not trust.
mod papers {
    use std::{fs, path::Path};

    use rcgen::{
        BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
        KeyPair, SanType,
    };

    use super::{Device, Ward};

    /// Certificate and key, PEM.
    type Papers = (String, String);

    fn params(org: &str, device: &str) -> CertificateParams {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, device);
        let urn = format!("urn:wardline:{org}:device:{device}");
        params.subject_alt_names.push(SanType::URI(urn.try_into().unwrap()));
        params.extended_key_usages.push(ExtendedKeyUsagePurpose::ClientAuth);
        params
    }

    fn org(ward: &Ward) -> String {
        ward.admin.get("/api/v1/session")["org"]["id"].as_str().unwrap().to_owned()
    }

    fn signed(params: CertificateParams, issuer: &Issuer<'_, KeyPair>) -> Papers {
        let key = KeyPair::generate().unwrap();
        (params.signed_by(&key, issuer).unwrap().pem(), key.serialize_pem())
    }

    /// The right names, signed by somebody who calls itself an authority.
    pub(super) fn foreign(ward: &Ward, device: &Device) -> Papers {
        let mut authority = CertificateParams::new(Vec::new()).unwrap();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        authority.distinguished_name.push(DnType::CommonName, "Wardline");
        let issuer = Issuer::new(authority, KeyPair::generate().unwrap());
        signed(params(&org(ward), &device.id), &issuer)
    }

    /// Signed by the server's own authority, whose key lies in its data, and over since 2020.
    pub(super) fn expired(data: &Path, ward: &Ward, device: &Device) -> Result<Papers, String> {
        let mut params = params(&org(ward), &device.id);
        params.not_before = rcgen::date_time_ymd(2019, 1, 1);
        params.not_after = rcgen::date_time_ymd(2020, 1, 1);
        Ok(signed(params, &authority(data, device)?))
    }

    /// Signed by the server's own authority, for a device that nobody registered.
    pub(super) fn stranger(
        data: &Path,
        ward: &Ward,
        device: &Device,
    ) -> Result<(String, Papers), String> {
        let (known, _) = device.id.rsplit_once('-').unwrap();
        let id = format!("{known}-00000000beef");
        let papers = signed(params(&org(ward), &id), &authority(data, device)?);
        Ok((id, papers))
    }

    /// The server's own authority, by its key among the files of its data.
    fn authority(data: &Path, device: &Device) -> Result<Issuer<'static, KeyPair>, String> {
        let key = key_below(data).ok_or("the authority's key is in no PEM file of the data")?;
        Issuer::from_ca_cert_pem(&device.ca_pem, key).map_err(|error| error.to_string())
    }

    fn key_below(folder: &Path) -> Option<KeyPair> {
        let files = fs::read_dir(folder).ok()?.flatten().map(|entry| entry.path());
        files.into_iter().find_map(|path| {
            if path.is_dir() {
                return key_below(&path);
            }
            // Databases and segments are no text, and long.
            let is_short = fs::metadata(&path).is_ok_and(|it| it.len() < 64 * 1_024);
            let text = is_short.then(|| fs::read_to_string(&path).ok()).flatten()?;
            KeyPair::from_pem(&text).ok()
        })
    }
}
