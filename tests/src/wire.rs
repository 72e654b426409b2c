//! MQTT byte by byte over mutual TLS, so that what no library would send can be sent.

use std::{
    io::{self, ErrorKind, Read as _, Write as _},
    net::TcpStream,
    sync::Arc,
    time::Duration,
};

use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject as _},
};

use crate::{rest::install_provider, server::Server, ward::Device};

/// How long an answer may take on a busy machine.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// The protocol level of CONNECT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Version {
    V311,
    V5,
}

/// A packet as it came: its first byte and its body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Packet {
    pub(crate) head: u8,
    pub(crate) body: Vec<u8>,
}

/// What ends a conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The server closed the connection.
    Closed,
    /// The server put us out, with a reason code of MQTT 5.
    PutOut(u8),
    /// TLS ended it; the alert in words.
    Tls(String),
    /// Nothing came in time.
    Silence,
}

/// The answer to a PUBLISH.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Puback {
    pub(crate) id: u16,
    pub(crate) code: u8,
    pub(crate) words: Option<String>,
}

/// A connection that speaks whatever it is told.
pub(crate) struct Wire {
    stream: StreamOwned<ClientConnection, TcpStream>,
    version: Version,
    last_id: u16,
}

/// TLS for these papers; without papers no certificate is presented.
pub(crate) fn tls(ca_pem: &str, own: Option<(&str, &str)>) -> Arc<ClientConfig> {
    install_provider();
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(ca_pem.as_bytes()) {
        roots.add(certificate.unwrap()).unwrap();
    }
    let builder = ClientConfig::builder().with_root_certificates(roots);
    let config = match own {
        None => builder.with_no_client_auth(),
        Some((certificate, key)) => {
            let chain = CertificateDer::pem_slice_iter(certificate.as_bytes());
            let chain = chain.collect::<Result<Vec<_>, _>>().unwrap();
            let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
            builder.with_client_auth_cert(chain, key).unwrap()
        }
    };
    Arc::new(config)
}

/// A text as MQTT spells it.
pub(crate) fn text(text: &str) -> Vec<u8> {
    let len = u16::try_from(text.len()).unwrap();
    [&len.to_be_bytes()[..], text.as_bytes()].concat()
}

/// A whole packet around a body.
pub(crate) fn packet(head: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![head];
    let mut rest = body.len();
    loop {
        let low = u8::try_from(rest % 128).unwrap();
        rest /= 128;
        if rest == 0 {
            bytes.push(low);
            break;
        }
        bytes.push(low | 0x80);
    }
    bytes.extend(body);
    bytes
}

/// A CONNECT with a clean session and a keep alive of a minute.
pub(crate) fn connect(version: Version, client_id: &str) -> Vec<u8> {
    let level = if version == Version::V5 { 5 } else { 4 };
    let properties: &[u8] = if version == Version::V5 { &[0] } else { &[] };
    let body =
        [&text("MQTT")[..], &[level, 0x02, 0, 60], properties, &text(client_id)[..]].concat();
    packet(0x10, &body)
}

impl Wire {
    /// TCP and TLS; a refusal of our certificate comes with the first read.
    pub(crate) fn dial(server: &Server, tls: Arc<ClientConfig>, version: Version) -> Self {
        let tcp = TcpStream::connect(&server.ready.mqtt).unwrap();
        tcp.set_nodelay(true).unwrap();
        tcp.set_read_timeout(Some(ANSWER_WITHIN)).unwrap();
        tcp.set_write_timeout(Some(ANSWER_WITHIN)).unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let connection = ClientConnection::new(tls, name).unwrap();
        Self { stream: StreamOwned::new(connection, tcp), version, last_id: 0 }
    }

    /// A device's connection, with CONNECT accepted.
    pub(crate) fn connect(server: &Server, device: &Device, version: Version) -> Self {
        let own = (device.certificate_pem.as_str(), device.key_pem.as_str());
        let mut wire = Self::dial(server, tls(&device.ca_pem, Some(own)), version);
        let code = wire.greet(&device.id).unwrap_or_else(|end| panic!("no CONNACK: {end:?}"));
        assert_eq!(code, 0, "the CONNECT of {} is refused", device.id);
        wire
    }

    /// Sends CONNECT and gives the code of the CONNACK.
    pub(crate) fn greet(&mut self, client_id: &str) -> Result<u8, End> {
        let connect = connect(self.version, client_id);
        self.send(&connect);
        let answer = self.receive()?;
        assert_eq!(answer.head, 0x20, "{answer:?} is no CONNACK");
        Ok(answer.body[1])
    }

    /// Sends bytes; a peer that is gone shows itself at the next read.
    pub(crate) fn send(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes).and_then(|()| self.stream.flush());
    }

    /// Sends a message with QoS 1 and gives its packet id.
    pub(crate) fn publish(&mut self, topic: &str, kind: Option<&str>, payload: &[u8]) -> u16 {
        self.last_id += 1;
        let mut body = text(topic);
        body.extend(self.last_id.to_be_bytes());
        if self.version == Version::V5 {
            let properties = kind.map_or_else(Vec::new, |kind| [vec![0x03], text(kind)].concat());
            body.push(u8::try_from(properties.len()).unwrap());
            body.extend(properties);
        }
        body.extend(payload);
        self.send(&packet(0x32, &body));
        self.last_id
    }

    /// The same, and the answer to it.
    pub(crate) fn told(
        &mut self,
        topic: &str,
        kind: Option<&str>,
        payload: &[u8],
    ) -> Result<Puback, End> {
        let id = self.publish(topic, kind, payload);
        let answer = self.puback()?;
        assert_eq!(answer.id, id);
        Ok(answer)
    }

    /// The next PUBACK.
    pub(crate) fn puback(&mut self) -> Result<Puback, End> {
        let answer = self.receive()?;
        assert_eq!(answer.head, 0x40, "{answer:?} is no PUBACK");
        let body = &answer.body;
        let code = body.get(2).copied().unwrap_or(0);
        let words = match body.get(4) {
            Some(0x1f) => Some(String::from_utf8_lossy(&body[7..]).into_owned()),
            _ => None,
        };
        Ok(Puback { id: u16::from_be_bytes([body[0], body[1]]), code, words })
    }

    /// The next packet that is not a DISCONNECT, or how it ended.
    pub(crate) fn receive(&mut self) -> Result<Packet, End> {
        let packet = self.packet()?;
        match packet.head {
            0xe0 => Err(End::PutOut(packet.body.first().copied().unwrap_or(0))),
            _ => Ok(packet),
        }
    }

    /// The next packet, whatever it is.
    pub(crate) fn packet(&mut self) -> Result<Packet, End> {
        let mut head = [0];
        self.read(&mut head)?;
        let (mut len, mut place) = (0_usize, 0);
        loop {
            let mut byte = [0];
            self.read(&mut byte)?;
            len |= usize::from(byte[0] & 0x7f) << (7 * place);
            place += 1;
            if byte[0] & 0x80 == 0 {
                assert!(place == 1 || byte[0] != 0, "a length of {len} in {place} bytes");
                break;
            }
        }
        let mut body = vec![0; len];
        self.read(&mut body)?;
        Ok(Packet { head: head[0], body })
    }

    /// How the conversation ends, whatever is said before.
    pub(crate) fn end(&mut self) -> End {
        loop {
            if let Err(end) = self.receive() {
                return end;
            }
        }
    }

    fn read(&mut self, buffer: &mut [u8]) -> Result<(), End> {
        self.stream.read_exact(buffer).map_err(|error| how(&error))
    }

    /// Our own port, by which the server's calls can be told apart.
    pub(crate) fn port(&self) -> u16 {
        self.stream.sock.local_addr().unwrap().port()
    }

    /// How long the next reads wait at most.
    pub(crate) fn wait_at_most(&mut self, within: Duration) {
        self.stream.sock.set_read_timeout(Some(within)).unwrap();
    }

    /// Nothing comes for so long, not even the end.
    pub(crate) fn is_silent_for(&mut self, span: Duration) {
        self.wait_at_most(span);
        assert_eq!(self.packet(), Err(End::Silence));
        self.wait_at_most(ANSWER_WITHIN);
    }

    /// Cuts the line without a goodbye.
    pub(crate) fn cut(self) {
        let _ = self.stream.sock.shutdown(std::net::Shutdown::Both);
    }
}

fn how(error: &io::Error) -> End {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match (inner, error.kind()) {
        (Some(inner), _) => End::Tls(inner.to_string()),
        (None, ErrorKind::WouldBlock | ErrorKind::TimedOut) => End::Silence,
        (None, _) => End::Closed,
    }
}

#[test]
fn packets_are_cut_as_the_standard_says() {
    assert_eq!(packet(0xc0, &[]), [0xc0, 0]);
    assert_eq!(packet(0x30, &[7; 127])[..2], [0x30, 127]);
    assert_eq!(packet(0x30, &[7; 128])[..3], [0x30, 0x80, 1]);
    assert_eq!(text("MQTT"), [0, 4, b'M', b'Q', b'T', b'T']);
}
