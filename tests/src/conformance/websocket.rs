//! Chapter 6: MQTT inside WebSocket frames, on the devices' HTTPS listener.

use std::net::TcpStream;

use rustls::{ClientConnection, StreamOwned, pki_types::ServerName};
use tokio_tungstenite::tungstenite::{
    self, Message, WebSocket, client::IntoClientRequest as _, handshake::client::Response,
};

use super::client::read;
use super::*;
use crate::wire::Packet;

type Socket = WebSocket<StreamOwned<ClientConnection, TcpStream>>;

/// Opens a WebSocket that offers these subprotocols.
fn open(field: &Field, offered: Option<&str>) -> Result<(Socket, Response), String> {
    let address = &field.stage.server.ready.https;
    let tcp = TcpStream::connect(address).map_err(|error| error.to_string())?;
    tcp.set_read_timeout(Some(std::time::Duration::from_secs(10))).unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let tls = ClientConnection::new(field.tls(), name).unwrap();
    let mut request = format!("wss://{address}/mqtt").into_client_request().unwrap();
    if let Some(offered) = offered {
        let value = offered.parse().unwrap();
        request.headers_mut().insert("sec-websocket-protocol", value);
    }
    let stream = StreamOwned::new(tls, tcp);
    tungstenite::client(request, stream).map_err(|error| error.to_string())
}

fn socket(field: &Field) -> Socket {
    open(field, Some("mqtt")).unwrap_or_else(|error| panic!("{error}")).0
}

/// The next whole packet, however it is cut into frames.
fn next(socket: &mut Socket, rest: &mut Vec<u8>) -> Option<Packet> {
    loop {
        if let Some(packet) = cut(rest) {
            return Some(packet);
        }
        match socket.read() {
            Ok(Message::Binary(bytes)) => rest.extend(&bytes[..]),
            Ok(Message::Ping(_) | Message::Pong(_)) => {}
            Ok(Message::Close(_)) | Err(_) => return None,
            Ok(other) => panic!("{other:?} is not binary"),
        }
    }
}

fn cut(bytes: &mut Vec<u8>) -> Option<Packet> {
    let (mut len, mut place) = (0, 0);
    loop {
        let byte = usize::from(*bytes.get(1 + place)?);
        len |= (byte & 0x7f) << (7 * place);
        place += 1;
        if byte & 0x80 == 0 {
            break;
        }
    }
    let whole = 1 + place + len;
    (bytes.len() >= whole).then(|| {
        let packet = bytes.drain(..whole).collect::<Vec<u8>>();
        Packet { head: packet[0], body: packet[1 + place..].to_vec() }
    })
}

fn hear(socket: &mut Socket, rest: &mut Vec<u8>, version: Version) -> Said {
    let packet = next(socket, rest).unwrap_or_else(|| panic!("the connection ended"));
    read(version, &packet)
}

#[test]
fn the_subprotocol_is_mqtt() {
    let field = Field::new();
    for offered in ["mqtt", "mqttv3.1, mqtt", "chat, mqtt"] {
        let (_socket, response) = open(&field, Some(offered)).unwrap();
        let chosen = response.headers().get("sec-websocket-protocol");
        assert_eq!(chosen.and_then(|it| it.to_str().ok()), Some("mqtt"), "{offered}");
    }
    for offered in [None, Some("mqttv3.1"), Some("chat")] {
        assert!(open(&field, offered).is_err(), "{offered:?} is served");
    }
}

#[test]
fn packets_and_frames_are_cut_independently() {
    let field = Field::new();
    for version in BOTH {
        let mut socket = socket(&field);
        let mut rest = Vec::new();
        let topic = field.topic("frames");
        let connect = field.greeting(version, "socket").bytes();
        let subscribe = Subscribe::new(1, &[(&topic, 1)]).bytes(version);
        // Two packets in one frame, and the last byte of the second in another.
        let both = [connect, subscribe].concat();
        let (most, last) = both.split_at(both.len() - 1);
        socket.send(Message::binary(most.to_vec())).unwrap();
        assert!(matches!(hear(&mut socket, &mut rest, version), Said::Connack { code: 0, .. }));
        socket.send(Message::binary(last.to_vec())).unwrap();
        let said = hear(&mut socket, &mut rest, version);
        assert_eq!(said, Said::Suback { id: 1, codes: vec![1] });
        // One packet, one byte a frame.
        for byte in Publish::new(1, 7, &topic, "bytes").bytes(version) {
            socket.send(Message::binary(vec![byte])).unwrap();
        }
        let mut said = [0, 1].map(|_| hear(&mut socket, &mut rest, version));
        said.sort_by_key(|said| matches!(said, Said::Publish(_)));
        assert_eq!(said[0], Said::Ack(Ack::plain(0x40, 7)));
        let Said::Publish(delivery) = &said[1] else { panic!("{said:?}") };
        assert_eq!(delivery.payload, "bytes");
    }
}

#[test]
fn a_frame_of_text_ends_the_connection() {
    let field = Field::new();
    for version in BOTH {
        let mut socket = socket(&field);
        let mut rest = Vec::new();
        socket.send(Message::binary(field.greeting(version, "text").bytes())).unwrap();
        assert!(matches!(hear(&mut socket, &mut rest, version), Said::Connack { code: 0, .. }));
        socket.send(Message::text("\u{c0}\0")).unwrap();
        if let Some(packet) = next(&mut socket, &mut rest) {
            assert!(matches!(read(version, &packet), Said::Disconnect { .. }), "{packet:?}");
            assert_eq!(next(&mut socket, &mut rest), None);
        }
    }
}

#[test]
fn a_session_goes_on_over_another_transport() {
    let field = Field::new();
    let topic = field.topic("transports");
    let (mut client, _) = field.kept(Version::V5, "moves");
    assert_eq!(client.subscribe(&[(&topic, 1)]), [1]);
    client.goodbye();
    field.client(Version::V5, "publisher").publish(1, &topic, "meanwhile");
    let (mut socket, mut rest) = (socket(&field), Vec::new());
    let connect = field.greeting(Version::V5, "moves").kept();
    socket.send(Message::binary(connect.bytes())).unwrap();
    let said = hear(&mut socket, &mut rest, Version::V5);
    assert!(matches!(said, Said::Connack { present: true, code: 0, .. }));
    let Said::Publish(delivery) = hear(&mut socket, &mut rest, Version::V5) else {
        panic!("the message did not wait")
    };
    assert_eq!(delivery.payload, "meanwhile");
}
