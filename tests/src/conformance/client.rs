//! A client that keeps no rule by itself and holds the server to all of them: each packet
//! that comes is read strictly, so that every test also shows that the server's packets
//! are well-formed.

use std::{collections::VecDeque, time::Duration};

use super::{
    field::Field,
    packets::{Connect, Publish, Subscribe, ack, property, unsubscribe},
};
use crate::wire::{End, Packet, Version, Wire};

/// Properties of a packet in their order: the identifier and the value's bytes, without
/// the length that texts and data have before them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Properties(pub(crate) Vec<(u8, Vec<u8>)>);

impl Properties {
    /// The values of one identifier.
    pub(crate) fn all(&self, id: u8) -> Vec<&[u8]> {
        self.0.iter().filter(|(found, _)| *found == id).map(|(_, value)| &value[..]).collect()
    }

    pub(crate) fn get(&self, id: u8) -> Option<&[u8]> {
        self.all(id).first().copied()
    }

    pub(crate) fn text(&self, id: u8) -> Option<String> {
        self.get(id).map(|value| String::from_utf8(value.to_vec()).unwrap())
    }

    /// A number of any width.
    pub(crate) fn number(&self, id: u8) -> Option<u32> {
        self.get(id).map(number)
    }
}

fn number(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0, |number, byte| number << 8 | u32::from(*byte))
}

/// A message that came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Delivery {
    pub(crate) topic: String,
    pub(crate) payload: String,
    pub(crate) qos: u8,
    /// 0 with QoS 0.
    pub(crate) id: u16,
    pub(crate) dup: bool,
    pub(crate) retain: bool,
    pub(crate) properties: Properties,
}

/// PUBACK, PUBREC, PUBREL or PUBCOMP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ack {
    pub(crate) head: u8,
    pub(crate) id: u16,
    pub(crate) code: u8,
    pub(crate) properties: Properties,
}

impl Ack {
    /// One that says nothing but yes.
    pub(crate) fn plain(head: u8, id: u16) -> Self {
        Self { head, id, code: 0, properties: Properties::default() }
    }
}

/// What a server may say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Said {
    Connack { present: bool, code: u8, properties: Properties },
    Publish(Delivery),
    Ack(Ack),
    Suback { id: u16, codes: Vec<u8> },
    Unsuback { id: u16, codes: Vec<u8> },
    Pong,
    Disconnect { code: u8, properties: Properties },
}

/// The identifiers of a packet's properties, from the table of the standard [§2.2.2.2].
fn belongs(head: u8, id: u8) -> bool {
    match head >> 4 {
        2 => {
            matches!(id, 0x11..=0x13 | 0x15 | 0x16 | 0x1a | 0x1c | 0x1f | 0x21 | 0x22 | 0x24..=0x2a)
        }
        3 => matches!(id, 0x01..=0x03 | 0x08 | 0x09 | 0x0b | 0x23 | 0x26),
        4..=7 | 9 | 11 => matches!(id, 0x1f | 0x26),
        // The session expiry is a client's alone.
        14 => matches!(id, 0x1c | 0x1f | 0x26),
        _ => false,
    }
}

/// Reads a packet from its front.
struct Reader<'a> {
    head: u8,
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn take(&mut self, len: usize) -> &'a [u8] {
        assert!(len <= self.rest.len(), "{:#04x} ends {len} bytes too early", self.head);
        let (taken, rest) = self.rest.split_at(len);
        self.rest = rest;
        taken
    }

    fn byte(&mut self) -> u8 {
        self.take(1)[0]
    }

    fn two(&mut self) -> u16 {
        let bytes = self.take(2);
        u16::from_be_bytes([bytes[0], bytes[1]])
    }

    fn varint(&mut self) -> usize {
        let (mut value, mut place) = (0, 0);
        loop {
            let byte = self.byte();
            value |= usize::from(byte & 0x7f) << (7 * place);
            place += 1;
            if byte & 0x80 == 0 {
                assert!(place == 1 || byte != 0, "{value} takes fewer than {place} bytes");
                return value;
            }
            assert!(place < 4, "a number in more than four bytes");
        }
    }

    fn text(&mut self) -> String {
        let len = self.two();
        let text = String::from_utf8(self.take(len.into()).to_vec()).unwrap();
        assert!(!text.contains('\0'), "a text holds U+0000");
        text
    }

    fn properties(&mut self, version: Version) -> Properties {
        if version == Version::V311 {
            return Properties::default();
        }
        let len = self.varint();
        let mut inner = Reader { head: self.head, rest: self.take(len) };
        let mut found = Properties::default();
        while !inner.rest.is_empty() {
            let id = u8::try_from(inner.varint()).unwrap();
            assert!(belongs(self.head, id), "{:#04x} has no property {id:#04x}", self.head);
            let repeats = id == property::USER_PROPERTY || id == property::SUBSCRIPTION_ID;
            assert!(repeats || found.get(id).is_none(), "property {id:#04x} twice");
            let value = inner.value(id);
            found.0.push((id, value));
        }
        found
    }

    fn value(&mut self, id: u8) -> Vec<u8> {
        match id {
            0x01 | 0x17 | 0x19 | 0x24 | 0x25 | 0x28..=0x2a => self.take(1).to_vec(),
            0x13 | 0x21..=0x23 => self.take(2).to_vec(),
            0x02 | 0x11 | 0x18 | 0x27 => self.take(4).to_vec(),
            0x0b => u32::try_from(self.varint()).unwrap().to_be_bytes().to_vec(),
            0x09 | 0x16 => {
                let len = self.two();
                self.take(len.into()).to_vec()
            }
            property::USER_PROPERTY => format!("{}={}", self.text(), self.text()).into_bytes(),
            _ => self.text().into_bytes(),
        }
    }
}

/// Reads what the server said, and fails the test if it is not well-formed.
pub(crate) fn read(version: Version, packet: &Packet) -> Said {
    let head = packet.head;
    let mut reader = Reader { head, rest: &packet.body };
    let said = match head {
        0x20 => {
            let flags = reader.byte();
            assert!(flags <= 1, "reserved bits of the acknowledge flags: {flags:#04x}");
            let code = reader.byte();
            let properties = reader.properties(version);
            assert!(code == 0 || flags == 0, "a refusal with a session present");
            Said::Connack { present: flags == 1, code, properties }
        }
        0x30..=0x3f => Said::Publish(delivery(version, &mut reader)),
        0x40 | 0x50 | 0x62 | 0x70 => Said::Ack(acknowledgement(version, &mut reader)),
        0x90 | 0xb0 => {
            let id = reader.two();
            let _ = reader.properties(version);
            let codes = reader.take(reader.rest.len()).to_vec();
            assert!(version == Version::V5 || head == 0x90 || codes.is_empty());
            codes.iter().for_each(|code| check_code(version, head, *code));
            if head == 0x90 { Said::Suback { id, codes } } else { Said::Unsuback { id, codes } }
        }
        0xd0 => Said::Pong,
        0xe0 => {
            assert_eq!(version, Version::V5, "a server of 3.1.1 says no DISCONNECT");
            let code = if reader.rest.is_empty() { 0 } else { reader.byte() };
            check_code(version, head, code);
            let empty = reader.rest.is_empty();
            let properties = if empty { Properties::default() } else { reader.properties(version) };
            Said::Disconnect { code, properties }
        }
        head => panic!("a server does not say {head:#04x}: {packet:?}"),
    };
    assert!(reader.rest.is_empty(), "{packet:?} is longer than its fields");
    said
}

fn delivery(version: Version, reader: &mut Reader<'_>) -> Delivery {
    let flags = reader.head;
    let qos = flags >> 1 & 3;
    let dup = flags & 8 != 0;
    assert!(qos < 3, "QoS 3");
    assert!(qos > 0 || !dup, "DUP with QoS 0");
    let topic = reader.text();
    assert!(!topic.contains(['+', '#']), "a topic with wildcards: {topic}");
    let id = if qos > 0 { reader.two() } else { 0 };
    assert!(qos == 0 || id > 0, "packet id 0");
    let properties = reader.properties(version);
    let payload = String::from_utf8(reader.take(reader.rest.len()).to_vec()).unwrap();
    Delivery { topic, payload, qos, id, dup, retain: flags & 1 != 0, properties }
}

fn acknowledgement(version: Version, reader: &mut Reader<'_>) -> Ack {
    let head = reader.head;
    let id = reader.two();
    assert!(version == Version::V5 || reader.rest.is_empty(), "a code in 3.1.1");
    let code = if reader.rest.is_empty() { 0 } else { reader.byte() };
    check_code(version, head, code);
    let empty = reader.rest.is_empty();
    let properties = if empty { Properties::default() } else { reader.properties(version) };
    Ack { head, id, code, properties }
}

/// Whether the standard has this code for this packet [5.0 §2.4].
fn check_code(version: Version, head: u8, code: u8) {
    let known = match (version, head) {
        (Version::V311, _) => matches!(code, 0..=2 | 0x80),
        (Version::V5, 0x40 | 0x50) => {
            matches!(code, 0 | 0x10 | 0x80 | 0x83 | 0x87 | 0x90 | 0x91 | 0x97 | 0x99)
        }
        (Version::V5, 0x62 | 0x70) => matches!(code, 0 | 0x92),
        (Version::V5, 0x90) => {
            matches!(code, 0..=2 | 0x80 | 0x83 | 0x87 | 0x8f | 0x91 | 0x97 | 0x9e | 0xa1 | 0xa2)
        }
        (Version::V5, 0xb0) => matches!(code, 0 | 0x11 | 0x80 | 0x83 | 0x87 | 0x8f | 0x91),
        (Version::V5, _) => {
            matches!(code, 0 | 0x80..=0x83 | 0x87 | 0x89 | 0x8b | 0x8d..=0x90 | 0x93..=0x9f | 0xa0..=0xa2)
        }
    };
    assert!(known, "{head:#04x} has no code {code:#04x}");
}

/// A connection of a device.
pub(crate) struct Client {
    wire: Wire,
    pub(crate) version: Version,
    last_id: u16,
    /// Messages that came while an answer was awaited.
    kept: VecDeque<Delivery>,
}

impl Client {
    /// TLS alone; nothing is said yet.
    pub(crate) fn dial(field: &Field, version: Version) -> Self {
        Self { wire: field.dial(version), version, last_id: 0, kept: VecDeque::new() }
    }

    /// Says CONNECT and gives the answer, whatever it is.
    pub(crate) fn try_connect(field: &Field, connect: &Connect) -> (Self, Result<Said, End>) {
        let mut client = Self::dial(field, connect.version);
        client.send(&connect.bytes());
        let said = client.next();
        (client, said)
    }

    /// Says CONNECT, is let in, and gives the answer.
    pub(crate) fn connect(field: &Field, connect: &Connect) -> (Self, Said) {
        let (client, said) = Self::try_connect(field, connect);
        let said = said.unwrap_or_else(|end| panic!("no CONNACK but {end:?}"));
        let Said::Connack { code: 0, .. } = said else { panic!("{said:?} lets nobody in") };
        (client, said)
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) {
        self.wire.send(bytes);
    }

    /// The next packet as it came.
    pub(crate) fn packet(&mut self) -> Result<Packet, End> {
        self.wire.packet()
    }

    /// What comes next; how it ended, if it did.
    pub(crate) fn next(&mut self) -> Result<Said, End> {
        if let Some(delivery) = self.kept.pop_front() {
            return Ok(Said::Publish(delivery));
        }
        let packet = self.wire.packet()?;
        Ok(read(self.version, &packet))
    }

    /// The next thing that is no message; messages, which may come at any time, are kept.
    fn answer(&mut self) -> Said {
        loop {
            let packet = self.wire.packet();
            let packet = packet.unwrap_or_else(|end| panic!("no answer comes: {end:?}"));
            match read(self.version, &packet) {
                Said::Publish(delivery) => self.kept.push_back(delivery),
                other => return other,
            }
        }
    }

    /// What comes next.
    pub(crate) fn hear(&mut self) -> Said {
        self.next().unwrap_or_else(|end| panic!("nothing comes: {end:?}"))
    }

    /// The next acknowledgement; nothing but messages may come before it.
    pub(crate) fn ack(&mut self) -> Ack {
        match self.answer() {
            Said::Ack(ack) => ack,
            other => panic!("{other:?} is no acknowledgement"),
        }
    }

    /// The next message; it must come next.
    pub(crate) fn message(&mut self) -> Delivery {
        match self.hear() {
            Said::Publish(delivery) => delivery,
            other => panic!("{other:?} is no message"),
        }
    }

    /// The next message, acknowledged to its end.
    pub(crate) fn take(&mut self) -> Delivery {
        let delivery = self.message();
        match delivery.qos {
            1 => self.send(&ack(0x40, delivery.id)),
            2 => {
                self.send(&ack(0x50, delivery.id));
                assert_eq!(self.ack(), Ack::plain(0x62, delivery.id));
                self.send(&ack(0x70, delivery.id));
            }
            _ => {}
        }
        delivery
    }

    /// The next message is this one.
    pub(crate) fn takes(&mut self, payload: &str) {
        assert_eq!(self.take().payload, payload);
    }

    /// Subscribes and gives one code per filter.
    pub(crate) fn subscribe(&mut self, filters: &[(&str, u8)]) -> Vec<u8> {
        self.subscribe_with(filters, &[])
    }

    /// The same with properties.
    pub(crate) fn subscribe_with(&mut self, filters: &[(&str, u8)], properties: &[u8]) -> Vec<u8> {
        let id = self.next_id();
        let subscribe = Subscribe::new(id, filters).with(properties.to_vec());
        self.send(&subscribe.bytes(self.version));
        match self.answer() {
            Said::Suback { id: answered, codes } if answered == id => codes,
            other => panic!("{other:?} does not answer SUBSCRIBE {id}"),
        }
    }

    /// Unsubscribes and gives one code per filter, none in 3.1.1.
    pub(crate) fn unsubscribe(&mut self, filters: &[&str]) -> Vec<u8> {
        let id = self.next_id();
        self.send(&unsubscribe(self.version, id, filters));
        match self.answer() {
            Said::Unsuback { id: answered, codes } if answered == id => codes,
            other => panic!("{other:?} does not answer UNSUBSCRIBE {id}"),
        }
    }

    /// Publishes to the end of its QoS; it is taken.
    pub(crate) fn publish(&mut self, qos: u8, topic: &str, payload: &str) {
        let id = self.next_id();
        self.put(&Publish::new(qos, id, topic, payload));
    }

    /// The same with a message of the test's own; its packet id is the test's as well.
    pub(crate) fn put(&mut self, publish: &Publish) {
        self.send(&publish.bytes(self.version));
        let id = publish.id;
        match publish.qos {
            1 => assert!(self.is_taken(0x40, id)),
            2 => {
                assert!(self.is_taken(0x50, id));
                self.send(&ack(0x62, id));
                assert_eq!(self.ack(), Ack::plain(0x70, id));
            }
            _ => {}
        }
    }

    /// Whether the next packet is this acknowledgement and positive; «no matching
    /// subscribers» is as well.
    fn is_taken(&mut self, head: u8, id: u16) -> bool {
        let ack = self.ack();
        (ack.head, ack.id) == (head, id) && matches!(ack.code, 0 | 0x10)
    }

    /// Nothing is waiting to be said: the answer to a ping comes next.
    pub(crate) fn is_quiet(&mut self) {
        self.send(&[0xc0, 0]);
        assert_eq!(self.hear(), Said::Pong);
    }

    /// Nothing is said for so long, and the connection stays open.
    pub(crate) fn is_silent_for(&mut self, span: Duration) {
        assert_eq!(self.kept, []);
        self.wire.is_silent_for(span);
    }

    /// How it ends, which it must; what is said before does not count.
    pub(crate) fn end(&mut self) -> End {
        self.wire.end()
    }

    /// The next thing is the end: closed, after a DISCONNECT in MQTT 5 with this code.
    pub(crate) fn is_put_out(&mut self, code: u8) {
        if self.version == Version::V5 {
            match self.next() {
                Ok(Said::Disconnect { code: said, .. }) => {
                    assert_eq!(said, code, "code {said:#04x} instead of {code:#04x}");
                }
                other => panic!("{other:?} is no DISCONNECT with {code:#04x}"),
            }
        }
        assert_eq!(self.next(), Err(End::Closed));
    }

    /// Cuts the line without a goodbye.
    pub(crate) fn cut(self) {
        self.wire.cut();
    }

    /// Says goodbye, and waits until the server has closed.
    pub(crate) fn goodbye(mut self) {
        self.send(&[0xe0, 0]);
        assert_eq!(self.end(), End::Closed);
    }

    /// A packet id that was not used on this connection.
    pub(crate) fn next_id(&mut self) -> u16 {
        self.last_id += 1;
        self.last_id
    }
}

#[test]
fn the_reader_of_the_tests_refuses_what_is_not_well_formed() {
    use std::panic::catch_unwind;
    let bad: [(u8, &[u8]); 9] = [
        (0x20, &[2, 0, 0]),
        (0x20, &[1, 0x87, 0]),
        (0x30, &[0, 1, b'a', 2, 0x1f, 0]),
        (0x38, &[0, 1, b'a', 0]),
        (0x32, &[0, 1, b'a', 0, 0, 0]),
        (0x36, &[0, 1, b'a', 0, 1, 0]),
        (0x40, &[0, 1, 0x92]),
        (0x90, &[0, 1, 0, 3]),
        (0xe0, &[0x8e, 5, 0x11, 0, 0, 0, 1]),
    ];
    for (head, body) in bad {
        let packet = Packet { head, body: body.to_vec() };
        assert!(catch_unwind(|| read(Version::V5, &packet)).is_err(), "{packet:?} is let through");
    }
    let good = Packet { head: 0x40, body: vec![0, 1] };
    assert_eq!(read(Version::V5, &good), Said::Ack(Ack::plain(0x40, 1)));
}
