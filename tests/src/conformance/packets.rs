//! MQTT packets byte by byte: what a client sends, right or wrong.

use crate::wire::{Version, packet, text};

/// Properties of MQTT 5 as bytes: an identifier and its value.
pub(crate) mod property {
    use super::{blob, text, varint};

    pub(crate) const PAYLOAD_FORMAT: u8 = 0x01;
    pub(crate) const MESSAGE_EXPIRY: u8 = 0x02;
    pub(crate) const CONTENT_TYPE: u8 = 0x03;
    pub(crate) const RESPONSE_TOPIC: u8 = 0x08;
    pub(crate) const CORRELATION_DATA: u8 = 0x09;
    pub(crate) const SUBSCRIPTION_ID: u8 = 0x0b;
    pub(crate) const SESSION_EXPIRY: u8 = 0x11;
    pub(crate) const ASSIGNED_CLIENT_ID: u8 = 0x12;
    pub(crate) const SERVER_KEEP_ALIVE: u8 = 0x13;
    pub(crate) const AUTHENTICATION_METHOD: u8 = 0x15;
    pub(crate) const AUTHENTICATION_DATA: u8 = 0x16;
    pub(crate) const REQUEST_PROBLEM_INFORMATION: u8 = 0x17;
    pub(crate) const WILL_DELAY: u8 = 0x18;
    pub(crate) const REQUEST_RESPONSE_INFORMATION: u8 = 0x19;
    pub(crate) const RESPONSE_INFORMATION: u8 = 0x1a;
    pub(crate) const SERVER_REFERENCE: u8 = 0x1c;
    pub(crate) const RECEIVE_MAXIMUM: u8 = 0x21;
    pub(crate) const TOPIC_ALIAS_MAXIMUM: u8 = 0x22;
    pub(crate) const TOPIC_ALIAS: u8 = 0x23;
    pub(crate) const MAXIMUM_QOS: u8 = 0x24;
    pub(crate) const RETAIN_AVAILABLE: u8 = 0x25;
    pub(crate) const USER_PROPERTY: u8 = 0x26;
    pub(crate) const MAXIMUM_PACKET_SIZE: u8 = 0x27;
    pub(crate) const WILDCARDS_AVAILABLE: u8 = 0x28;
    pub(crate) const SUBSCRIPTION_IDS_AVAILABLE: u8 = 0x29;
    pub(crate) const SHARED_AVAILABLE: u8 = 0x2a;

    pub(crate) fn byte(id: u8, value: u8) -> Vec<u8> {
        vec![id, value]
    }

    pub(crate) fn two(id: u8, value: u16) -> Vec<u8> {
        [&[id][..], &value.to_be_bytes()].concat()
    }

    pub(crate) fn four(id: u8, value: u32) -> Vec<u8> {
        [&[id][..], &value.to_be_bytes()].concat()
    }

    pub(crate) fn var(id: u8, value: usize) -> Vec<u8> {
        [vec![id], varint(value)].concat()
    }

    pub(crate) fn string(id: u8, value: &str) -> Vec<u8> {
        [vec![id], text(value)].concat()
    }

    pub(crate) fn bytes(id: u8, value: &[u8]) -> Vec<u8> {
        [vec![id], blob(value)].concat()
    }

    pub(crate) fn pair(name: &str, value: &str) -> Vec<u8> {
        [vec![USER_PROPERTY], text(name), text(value)].concat()
    }
}

/// Bytes behind their length in two bytes.
pub(crate) fn blob(bytes: &[u8]) -> Vec<u8> {
    let len = u16::try_from(bytes.len()).unwrap();
    [&len.to_be_bytes()[..], bytes].concat()
}

/// A number in as few bytes as it takes, seven bits each.
pub(crate) fn varint(mut value: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = u8::try_from(value % 128).unwrap();
        value /= 128;
        if value == 0 {
            bytes.push(low);
            return bytes;
        }
        bytes.push(low | 0x80);
    }
}

/// Properties behind their length; nothing at all in 3.1.1.
fn behind_len(version: Version, properties: &[u8]) -> Vec<u8> {
    match version {
        Version::V311 => Vec::new(),
        Version::V5 => [varint(properties.len()), properties.to_vec()].concat(),
    }
}

/// The message that a lost connection leaves behind.
#[derive(Clone, Debug)]
pub(crate) struct Will {
    pub(crate) topic: Vec<u8>,
    pub(crate) payload: Vec<u8>,
    pub(crate) qos: u8,
    pub(crate) retain: bool,
    pub(crate) properties: Vec<u8>,
}

impl Will {
    pub(crate) fn new(topic: &str, payload: &str) -> Self {
        Self {
            topic: topic.into(),
            payload: payload.into(),
            qos: 1,
            retain: false,
            properties: Vec::new(),
        }
    }

    pub(crate) fn qos(self, qos: u8) -> Self {
        Self { qos, ..self }
    }

    pub(crate) fn retained(self) -> Self {
        Self { retain: true, ..self }
    }

    pub(crate) fn with(mut self, property: Vec<u8>) -> Self {
        self.properties.extend(property);
        self
    }
}

/// A CONNECT; a clean session and a keep alive of a minute if nothing else is said.
#[derive(Clone, Debug)]
pub(crate) struct Connect {
    pub(crate) version: Version,
    pub(crate) client_id: Vec<u8>,
    pub(crate) clean: bool,
    pub(crate) keep_alive_s: u16,
    pub(crate) properties: Vec<u8>,
    pub(crate) will: Option<Will>,
    pub(crate) user: Option<Vec<u8>>,
    pub(crate) password: Option<Vec<u8>>,
}

impl Connect {
    pub(crate) fn new(version: Version, client_id: &str) -> Self {
        Self {
            version,
            client_id: client_id.into(),
            clean: true,
            keep_alive_s: 60,
            properties: Vec::new(),
            will: None,
            user: None,
            password: None,
        }
    }

    /// Goes on with a session that is kept for an hour; for ever in 3.1.1.
    pub(crate) fn kept(self) -> Self {
        let kept = Self { clean: false, ..self };
        if kept.version == Version::V5 {
            kept.with(property::four(property::SESSION_EXPIRY, 3_600))
        } else {
            kept
        }
    }

    pub(crate) fn with(mut self, property: Vec<u8>) -> Self {
        self.properties.extend(property);
        self
    }

    pub(crate) fn will(self, will: Will) -> Self {
        Self { will: Some(will), ..self }
    }

    pub(crate) fn keep_alive(self, keep_alive_s: u16) -> Self {
        Self { keep_alive_s, ..self }
    }

    /// The connect flags that belong to what is there.
    pub(crate) fn flags(&self) -> u8 {
        let will = self
            .will
            .as_ref()
            .map_or(0, |will| 0x04 | will.qos << 3 | if will.retain { 0x20 } else { 0 });
        let user = if self.user.is_some() { 0x80 } else { 0 };
        let password = if self.password.is_some() { 0x40 } else { 0 };
        will | user | password | if self.clean { 0x02 } else { 0 }
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.bytes_with(self.flags())
    }

    /// The same with flags that may not belong to what is there.
    pub(crate) fn bytes_with(&self, flags: u8) -> Vec<u8> {
        let level = if self.version == Version::V5 { 5 } else { 4 };
        let mut body = [text("MQTT"), vec![level, flags]].concat();
        body.extend(self.keep_alive_s.to_be_bytes());
        body.extend(behind_len(self.version, &self.properties));
        body.extend(blob(&self.client_id));
        if let Some(will) = &self.will {
            body.extend(behind_len(self.version, &will.properties));
            body.extend(blob(&will.topic));
            body.extend(blob(&will.payload));
        }
        for field in [&self.user, &self.password].into_iter().flatten() {
            body.extend(blob(field));
        }
        packet(0x10, &body)
    }
}

/// A PUBLISH of a client.
#[derive(Clone, Debug)]
pub(crate) struct Publish {
    pub(crate) topic: Vec<u8>,
    pub(crate) payload: Vec<u8>,
    pub(crate) qos: u8,
    pub(crate) id: u16,
    pub(crate) dup: bool,
    pub(crate) retain: bool,
    pub(crate) properties: Vec<u8>,
}

impl Publish {
    /// A message of this QoS; the packet id counts with QoS 1 and 2 only.
    pub(crate) fn new(qos: u8, id: u16, topic: &str, payload: &str) -> Self {
        Self {
            topic: topic.into(),
            payload: payload.into(),
            qos,
            id,
            dup: false,
            retain: false,
            properties: Vec::new(),
        }
    }

    pub(crate) fn retained(self) -> Self {
        Self { retain: true, ..self }
    }

    pub(crate) fn again(self) -> Self {
        Self { dup: true, ..self }
    }

    pub(crate) fn with(mut self, property: Vec<u8>) -> Self {
        self.properties.extend(property);
        self
    }

    pub(crate) fn bytes(&self, version: Version) -> Vec<u8> {
        let mut head = 0x30 | self.qos << 1;
        head |= if self.dup { 0x08 } else { 0 } | if self.retain { 0x01 } else { 0 };
        let mut body = blob(&self.topic);
        if self.qos > 0 {
            body.extend(self.id.to_be_bytes());
        }
        body.extend(behind_len(version, &self.properties));
        body.extend(&self.payload);
        packet(head, &body)
    }
}

/// A SUBSCRIBE with its options as one byte per filter.
#[derive(Clone, Debug)]
pub(crate) struct Subscribe {
    pub(crate) id: u16,
    pub(crate) filters: Vec<(Vec<u8>, u8)>,
    pub(crate) properties: Vec<u8>,
}

impl Subscribe {
    /// Bit of the options: own messages are not sent back.
    pub(crate) const NO_LOCAL: u8 = 0x04;
    /// Bit of the options: the RETAIN flag is sent as it was published.
    pub(crate) const AS_PUBLISHED: u8 = 0x08;
    /// Retained messages come only if the subscription is new.
    pub(crate) const RETAINED_IF_NEW: u8 = 0x10;
    /// Retained messages do not come.
    pub(crate) const RETAINED_NEVER: u8 = 0x20;

    pub(crate) fn new(id: u16, filters: &[(&str, u8)]) -> Self {
        let filters = filters.iter().map(|(filter, options)| ((*filter).into(), *options));
        Self { id, filters: filters.collect(), properties: Vec::new() }
    }

    pub(crate) fn with(mut self, property: Vec<u8>) -> Self {
        self.properties.extend(property);
        self
    }

    pub(crate) fn bytes(&self, version: Version) -> Vec<u8> {
        let mut body = self.id.to_be_bytes().to_vec();
        body.extend(behind_len(version, &self.properties));
        for (filter, options) in &self.filters {
            body.extend(blob(filter));
            body.push(*options);
        }
        packet(0x82, &body)
    }
}

/// An UNSUBSCRIBE.
pub(crate) fn unsubscribe(version: Version, id: u16, filters: &[&str]) -> Vec<u8> {
    let mut body = id.to_be_bytes().to_vec();
    body.extend(behind_len(version, &[]));
    for filter in filters {
        body.extend(text(filter));
    }
    packet(0xa2, &body)
}

/// PUBACK, PUBREC, PUBREL or PUBCOMP, by its first byte, with success.
pub(crate) fn ack(head: u8, id: u16) -> Vec<u8> {
    packet(head, &id.to_be_bytes())
}

/// The same with a reason code of MQTT 5.
pub(crate) fn ack_with(head: u8, id: u16, code: u8) -> Vec<u8> {
    packet(head, &[&id.to_be_bytes()[..], &[code]].concat())
}

/// A DISCONNECT of MQTT 5 with a code and properties.
pub(crate) fn disconnect(code: u8, properties: &[u8]) -> Vec<u8> {
    packet(0xe0, &[vec![code], behind_len(Version::V5, properties)].concat())
}

#[test]
fn the_packets_of_the_tests_are_those_of_the_standards() {
    assert_eq!(
        Connect::new(Version::V311, "ab").bytes(),
        [0x10, 14, 0, 4, b'M', b'Q', b'T', b'T', 4, 0x02, 0, 60, 0, 2, b'a', b'b']
    );
    let will = Will::new("w", "x").qos(2).retained();
    let connect = Connect::new(Version::V5, "a").kept().will(will);
    assert_eq!(connect.flags(), 0b0011_0100);
    assert_eq!(connect.bytes()[12..18], [5, 0x11, 0, 0, 0x0e, 0x10]);
    let publish = Publish::new(2, 7, "t", "p").again().retained();
    assert_eq!(publish.bytes(Version::V311), [0x3d, 6, 0, 1, b't', 0, 7, b'p']);
    assert_eq!(publish.bytes(Version::V5), [0x3d, 7, 0, 1, b't', 0, 7, 0, b'p']);
    assert_eq!(Subscribe::new(1, &[("f", 2)]).bytes(Version::V311), [0x82, 6, 0, 1, 0, 1, b'f', 2]);
    assert_eq!(varint(321), [0xc1, 0x02]);
}
