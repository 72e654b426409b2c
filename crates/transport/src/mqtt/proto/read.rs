//! Frames become packets, or a reason why not.
//!
//! The library decodes strings, properties and the smaller packets; here stand
//! the rules that it does not check: flags, U+0000, packet id 0, a will without
//! its flag, and a PUBLISH whose payload stays where it is.

use bytes::Bytes;
use mqtt_protocol_core::mqtt::{
    packet::{MqttString, Properties, PropertiesParse, Property, Qos as AnyQos, v3_1_1, v5_0},
    result_code::MqttError,
};

use super::{
    Connack, Connect, Extra, Fault, Filter, Frame, Packet, Publish, Qos, Reason, Subscribe,
    Version, Will,
};

/// Reads a packet that a client may send after its CONNECT.
pub(crate) fn from_client(version: Version, frame: Frame) -> Result<Packet, Fault> {
    let Frame { head, body } = frame;
    match (head >> 4, head & 0x0f) {
        (3, flags) => publish(version, flags, &body).map(Packet::Publish),
        (4, 0) => puback(version, &body),
        (5, 0) => pubrec(version, &body),
        (6, 2) => pubrel(version, &body),
        (7, 0) => pubcomp(version, &body),
        (8, 2) => subscribe(version, &body).map(Packet::Subscribe),
        (10, 2) => unsubscribe(version, &body),
        (12, 0) if body.is_empty() => Ok(Packet::Ping),
        (14, 0) => disconnect(version, &body),
        (1, _) => Err(protocol("a second CONNECT on one connection")),
        (2 | 9 | 11 | 13, 0) => Err(protocol("a packet that only a server sends")),
        (15, 0) => Err(protocol("AUTH without an authentication method")),
        _ => Err(Fault::malformed("the fixed header is not one of this packet type")),
    }
}

/// Reads a packet that a server may send.
pub(crate) fn from_server(version: Version, frame: Frame) -> Result<Packet, Fault> {
    let Frame { head, body } = frame;
    match (head >> 4, head & 0x0f) {
        (2, 0) => connack(version, &body).map(Packet::Connack),
        (3, flags) => publish(version, flags, &body).map(Packet::Publish),
        (4, 0) => puback(version, &body),
        (5, 0) => pubrec(version, &body),
        (6, 2) => pubrel(version, &body),
        (7, 0) => pubcomp(version, &body),
        (9, 0) => suback(version, &body),
        (11, 0) => unsuback(version, &body),
        (13, 0) if body.is_empty() => Ok(Packet::Pong),
        (14, 0) if version == Version::V5 => disconnect(version, &body),
        _ => Err(protocol("a packet that a server does not send")),
    }
}

/// What the first packet of a connection was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum First {
    Connect(Box<Connect>),
    /// A CONNECT that is refused in the words of its version; `None` is closed in silence.
    Refused(Option<Version>, Fault),
}

/// Judges the first byte of a connection, before anything is kept of it.
pub(crate) fn first_head(head: u8) -> Result<(), Fault> {
    if head == 0x10 { Ok(()) } else { Err(protocol("the first packet is not CONNECT")) }
}

/// Reads the first packet of a connection.
pub(crate) fn first(frame: &Frame) -> First {
    if let Err(fault) = first_head(frame.head) {
        return First::Refused(None, fault);
    }
    let version = match frame.body.as_ref() {
        [0, 4, b'M', b'Q', b'T', b'T', 4, ..] => Version::V311,
        [0, 4, b'M', b'Q', b'T', b'T', 5, ..] => Version::V5,
        // An older level hears it in the old words, a newer one in the newest [§3.1.2.2].
        [0, 4, b'M', b'Q', b'T', b'T', level, ..] => {
            let version = if *level < 4 { Version::V311 } else { Version::V5 };
            return First::Refused(Some(version), unsupported());
        }
        [0, 6, b'M', b'Q', b'I', b's', b'd', b'p', ..] => {
            return First::Refused(Some(Version::V311), unsupported());
        }
        _ => return First::Refused(None, Fault::malformed("the protocol name is not MQTT")),
    };
    match connect(version, &frame.body) {
        Ok(connect) => First::Connect(Box::new(connect)),
        Err(fault) => First::Refused(Some(version), fault),
    }
}

fn unsupported() -> Fault {
    Fault::new(Reason::UnsupportedVersion, "neither MQTT 3.1.1 nor 5.0")
}

const fn protocol(words: &'static str) -> Fault {
    Fault::new(Reason::ProtocolError, words)
}

/// The library's refusal in ours.
fn refusal(error: MqttError) -> Fault {
    if error == MqttError::ProtocolError {
        protocol("the packet breaks a rule of the protocol")
    } else {
        Fault::malformed("the packet's fields do not fit its length or their types")
    }
}

/// Runs a parser of the library, which has to use up the body.
fn whole<T>(parsed: Result<(T, usize), MqttError>, body: &[u8]) -> Result<T, Fault> {
    let (packet, used) = parsed.map_err(refusal)?;
    if used == body.len() {
        Ok(packet)
    } else {
        Err(Fault::malformed("the packet is longer than its fields"))
    }
}

/// U+0000 is malformed [§1.5.4]; other control characters are let through.
fn text(text: &str) -> Result<String, Fault> {
    if text.contains('\0') {
        return Err(Fault::malformed("a text holds U+0000"));
    }
    Ok(text.to_owned())
}

/// The same for all texts among properties.
fn sound(properties: &Properties) -> Result<(), Fault> {
    for property in properties {
        match property {
            Property::UserProperty(found) => {
                text(found.key())?;
                text(found.val())?;
            }
            Property::ReasonString(found) => drop(text(found.val())?),
            _ => {}
        }
    }
    Ok(())
}

fn packet_id(id: u16) -> Result<u16, Fault> {
    if id == 0 { Err(protocol("packet id 0")) } else { Ok(id) }
}

fn connect(version: Version, body: &Bytes) -> Result<Connect, Fault> {
    // The library parses the flags without judging them [§3.1.2.3–§3.1.2.9].
    let flags = body.get(7).copied().unwrap_or(1);
    let will_fields = flags & 0b0011_1000;
    if flags & 1 != 0 || will_fields == 0b0001_1000 || will_fields & 0b0001_1000 == 0b0001_1000 {
        return Err(Fault::malformed("the connect flags are not valid"));
    }
    if flags & 0b0100 == 0 && will_fields != 0 {
        return Err(Fault::malformed("the connect flags describe a will that is not there"));
    }
    match version {
        Version::V311 => connect_v311(body),
        Version::V5 => connect_v5(body),
    }
}

fn connect_v311(body: &Bytes) -> Result<Connect, Fault> {
    let packet = whole(v3_1_1::Connect::parse(body), body)?;
    packet.user_name().map(text).transpose()?;
    let will = match (packet.will_topic(), packet.will_payload()) {
        (Some(topic), Some(payload)) => Some(Will {
            topic: text(topic)?,
            content_type: None,
            payload: Bytes::copy_from_slice(payload),
            qos: ours(packet.will_qos()),
            retain: packet.will_retain(),
            delay_s: 0,
            expiry_s: None,
            extra: None,
        }),
        _ => None,
    };
    Ok(Connect {
        version: Version::V311,
        client_id: text(packet.client_id())?,
        clean: packet.clean_session(),
        keep_alive_s: packet.keep_alive(),
        expiry_s: if packet.clean_session() { 0 } else { u32::MAX },
        receive_max: u16::MAX,
        packet_len_max: usize::MAX,
        topic_aliases_max: 0,
        wants_words: false,
        will,
    })
}

fn connect_v5(body: &Bytes) -> Result<Connect, Fault> {
    let packet = whole(v5_0::Connect::parse(body), body)?;
    let mut connect = Connect {
        version: Version::V5,
        client_id: text(packet.client_id())?,
        clean: packet.clean_start(),
        keep_alive_s: packet.keep_alive(),
        expiry_s: 0,
        receive_max: u16::MAX,
        packet_len_max: usize::MAX,
        topic_aliases_max: 0,
        wants_words: true,
        will: None,
    };
    let mut has_data = false;
    sound(packet.props())?;
    packet.user_name().map(text).transpose()?;
    for property in packet.props() {
        match property {
            Property::SessionExpiryInterval(found) => connect.expiry_s = found.val(),
            Property::ReceiveMaximum(found) if found.val() == 0 => {
                return Err(protocol("a receive maximum of 0"));
            }
            Property::ReceiveMaximum(found) => connect.receive_max = found.val(),
            Property::MaximumPacketSize(found) if found.val() == 0 => {
                return Err(protocol("a maximum packet size of 0"));
            }
            Property::MaximumPacketSize(found) => {
                connect.packet_len_max = usize::try_from(found.val()).unwrap_or(usize::MAX);
            }
            Property::TopicAliasMaximum(found) => connect.topic_aliases_max = found.val(),
            Property::RequestProblemInformation(found) => connect.wants_words = found.val() != 0,
            Property::AuthenticationData(_) => has_data = true,
            Property::AuthenticationMethod(_) => {
                let words = "an authentication method; the certificate is the only one";
                return Err(Fault::new(Reason::BadAuthenticationMethod, words));
            }
            // User properties and response information change nothing here.
            _ => {}
        }
    }
    if has_data {
        return Err(protocol("authentication data without an authentication method"));
    }
    if let (Some(topic), Some(payload)) = (packet.will_topic(), packet.will_payload()) {
        let mut will = Will {
            topic: text(topic)?,
            content_type: None,
            payload: Bytes::copy_from_slice(payload),
            qos: ours(packet.will_qos()),
            retain: packet.will_retain(),
            delay_s: 0,
            expiry_s: None,
            extra: None,
        };
        let mut extra = Extra::default();
        for property in packet.will_props() {
            match property {
                Property::WillDelayInterval(found) => will.delay_s = found.val(),
                Property::ContentType(found) => will.content_type = Some(text(found.val())?),
                Property::MessageExpiryInterval(found) => will.expiry_s = Some(found.val()),
                other => take_extra(&mut extra, other)?,
            }
        }
        will.extra = (extra != Extra::default()).then(|| Box::new(extra));
        connect.will = Some(will);
    }
    Ok(connect)
}

fn ours(qos: AnyQos) -> Qos {
    match qos {
        AnyQos::AtMostOnce => Qos::AtMostOnce,
        AnyQos::AtLeastOnce => Qos::AtLeastOnce,
        AnyQos::ExactlyOnce => Qos::ExactlyOnce,
    }
}

/// Takes a property that is passed on as it came, if it is one.
fn take_extra(extra: &mut Extra, property: &Property) -> Result<(), Fault> {
    match property {
        Property::PayloadFormatIndicator(found) => extra.payload_format = Some(found.val()),
        Property::ResponseTopic(found) => {
            let topic = text(found.val())?;
            if topic.contains(['+', '#']) {
                return Err(protocol("a response topic with a wildcard"));
            }
            extra.response_topic = Some(topic);
        }
        Property::CorrelationData(found) => {
            extra.correlation = Some(Bytes::copy_from_slice(found.val()));
        }
        Property::UserProperty(found) => {
            extra.user.push((text(found.key())?, text(found.val())?));
        }
        _ => {}
    }
    Ok(())
}

/// Reads a PUBLISH; the payload is a view of the frame, not a copy [§3.3].
fn publish(version: Version, flags: u8, body: &Bytes) -> Result<Publish, Fault> {
    let qos = match flags >> 1 & 0b11 {
        0 if flags & 0b1000 != 0 => return Err(Fault::malformed("DUP with QoS 0")),
        0 => Qos::AtMostOnce,
        1 => Qos::AtLeastOnce,
        2 => Qos::ExactlyOnce,
        _ => return Err(Fault::malformed("QoS 3")),
    };
    let (topic, mut used) = MqttString::decode(body).map_err(refusal)?;
    let mut publish = Publish {
        topic: text(topic.as_str())?,
        alias: None,
        content_type: None,
        payload: Bytes::new(),
        qos,
        id: 0,
        retain: flags & 1 != 0,
        dup: flags & 0b1000 != 0,
        expiry_s: None,
        extra: None,
        subscription_ids: Vec::new(),
    };
    if qos != Qos::AtMostOnce {
        let id = body.get(used..).and_then(|rest| rest.first_chunk::<2>());
        let id = id.ok_or(Fault::malformed("a PUBLISH without its packet id"))?;
        publish.id = packet_id(u16::from_be_bytes(*id))?;
        used = used.saturating_add(2);
    }
    if version == Version::V5 {
        let rest = body.get(used..).unwrap_or_default();
        let (properties, len) = Properties::parse(rest).map_err(|error| {
            // The library refuses alias 0 as any other wrong value; the code differs [§3.3.2.3.4].
            let zero_alias = rest.windows(3).any(|bytes| *bytes == [0x23, 0, 0]);
            if error == MqttError::ProtocolError && zero_alias {
                Fault::new(Reason::TopicAliasInvalid, "topic alias 0")
            } else {
                refusal(error)
            }
        })?;
        used = used.saturating_add(len);
        take_properties(&mut publish, &properties)?;
    }
    if used > body.len() {
        return Err(Fault::malformed("a PUBLISH that ends inside its properties"));
    }
    publish.payload = body.slice(used..);
    Ok(publish)
}

/// Each at most once, save user properties and, from a server, subscription ids [§3.3.2.3].
fn take_properties(publish: &mut Publish, properties: &Properties) -> Result<(), Fault> {
    let mut seen = 0_u64;
    let mut extra = Extra::default();
    for property in properties {
        let id = property.id() as u8;
        let repeats =
            matches!(property, Property::UserProperty(_) | Property::SubscriptionIdentifier(_));
        let bit = 1_u64 << (id & 63);
        if seen & bit != 0 && !repeats {
            return Err(protocol("a property twice"));
        }
        seen |= bit;
        match property {
            Property::TopicAlias(found) => publish.alias = Some(found.val()),
            Property::ContentType(found) => publish.content_type = Some(text(found.val())?),
            Property::MessageExpiryInterval(found) => publish.expiry_s = Some(found.val()),
            Property::SubscriptionIdentifier(found) => publish.subscription_ids.push(found.val()),
            Property::PayloadFormatIndicator(_)
            | Property::ResponseTopic(_)
            | Property::CorrelationData(_)
            | Property::UserProperty(_) => take_extra(&mut extra, property)?,
            _ => return Err(protocol("a property that a PUBLISH does not have")),
        }
    }
    publish.extra = (extra != Extra::default()).then(|| Box::new(extra));
    Ok(())
}

/// The two bytes that are the whole of an answer without a reason; with MQTT 3.1.1 it has none.
fn bare_id(version: Version, body: &Bytes) -> Result<Option<u16>, Fault> {
    match (body.as_ref(), version) {
        ([high, low], _) => packet_id(u16::from_be_bytes([*high, *low])).map(Some),
        (_, Version::V5) => Ok(None),
        (_, Version::V311) => Err(Fault::malformed("an answer that is not two bytes long")),
    }
}

fn pubrec(version: Version, body: &Bytes) -> Result<Packet, Fault> {
    if let Some(id) = bare_id(version, body)? {
        return Ok(Packet::Pubrec { id, code: 0, words: None });
    }
    let packet = whole(v5_0::Pubrec::parse(body), body)?;
    packet.props().as_ref().map(sound).transpose()?;
    let code = packet.reason_code().map_or(0, |code| code as u8);
    let words = packet.props().as_ref().and_then(reason_string);
    Ok(Packet::Pubrec { id: packet_id(packet.packet_id())?, code, words })
}

fn pubrel(version: Version, body: &Bytes) -> Result<Packet, Fault> {
    if let Some(id) = bare_id(version, body)? {
        return Ok(Packet::Pubrel { id });
    }
    let packet = whole(v5_0::Pubrel::parse(body), body)?;
    packet.props().as_ref().map(sound).transpose()?;
    Ok(Packet::Pubrel { id: packet_id(packet.packet_id())? })
}

fn pubcomp(version: Version, body: &Bytes) -> Result<Packet, Fault> {
    if let Some(id) = bare_id(version, body)? {
        return Ok(Packet::Pubcomp { id });
    }
    let packet = whole(v5_0::Pubcomp::parse(body), body)?;
    packet.props().as_ref().map(sound).transpose()?;
    Ok(Packet::Pubcomp { id: packet_id(packet.packet_id())? })
}

fn puback(version: Version, body: &Bytes) -> Result<Packet, Fault> {
    if let Some(id) = bare_id(version, body)? {
        return Ok(Packet::Puback { id, code: 0, words: None });
    }
    let packet = whole(v5_0::Puback::parse(body), body)?;
    packet.props().as_ref().map(sound).transpose()?;
    let code = packet.reason_code().map_or(0, |code| code as u8);
    let words = packet.props().as_ref().and_then(reason_string);
    Ok(Packet::Puback { id: packet_id(packet.packet_id())?, code, words })
}

fn reason_string(properties: &Properties) -> Option<String> {
    properties.iter().find_map(|property| match property {
        Property::ReasonString(found) => Some(found.val().to_owned()),
        _ => None,
    })
}

fn subscribe(version: Version, body: &Bytes) -> Result<Subscribe, Fault> {
    let mut subscription_id = 0;
    let (id, entries) = match version {
        Version::V311 => {
            let packet = whole(v3_1_1::Subscribe::parse(body), body)?;
            (packet.packet_id(), packet.entries().clone())
        }
        Version::V5 => {
            let packet = whole(v5_0::Subscribe::parse(body), body)?;
            sound(packet.props())?;
            for property in packet.props() {
                if let Property::SubscriptionIdentifier(found) = property {
                    if found.val() == 0 || subscription_id != 0 {
                        return Err(protocol("a subscription identifier of 0, or two of them"));
                    }
                    subscription_id = found.val();
                }
            }
            (packet.packet_id(), packet.entries().clone())
        }
    };
    let filters = entries.iter().map(|entry| {
        let options = entry.sub_opts();
        let [byte] = *options.to_buffer();
        if version == Version::V311 && byte > 2 {
            return Err(Fault::malformed("the reserved bits of a requested QoS are not 0"));
        }
        let (text, no_local) = (text(entry.topic_filter())?, options.nl());
        if no_local && text.starts_with("$share/") {
            return Err(protocol("no local on a shared subscription"));
        }
        Ok(Filter {
            text,
            qos: ours(options.qos()),
            retain_handling: byte >> 4 & 0b11,
            no_local,
            retain_as_published: byte & 0b1000 != 0,
        })
    });
    let filters = filters.collect::<Result<_, _>>()?;
    Ok(Subscribe { id: packet_id(id)?, filters, subscription_id })
}

fn unsubscribe(version: Version, body: &Bytes) -> Result<Packet, Fault> {
    let (id, entries) = match version {
        Version::V311 => {
            let packet = whole(v3_1_1::Unsubscribe::parse(body), body)?;
            (packet.packet_id(), packet.entries().clone())
        }
        Version::V5 => {
            let packet = whole(v5_0::Unsubscribe::parse(body), body)?;
            sound(packet.props())?;
            (packet.packet_id(), packet.entries().clone())
        }
    };
    let filters = entries.iter().map(|entry| text(entry.as_str())).collect::<Result<_, _>>()?;
    Ok(Packet::Unsubscribe { id: packet_id(id)?, filters })
}

fn disconnect(version: Version, body: &Bytes) -> Result<Packet, Fault> {
    let (mut code, mut expiry_s, mut words) = (0, None, None);
    match version {
        Version::V311 if body.is_empty() => {}
        Version::V311 => return Err(Fault::malformed("a DISCONNECT with a body")),
        Version::V5 => {
            let packet = whole(v5_0::Disconnect::parse(body), body)?;
            code = packet.reason_code().map_or(0, |code| code as u8);
            packet.props().as_ref().map(sound).transpose()?;
            for property in packet.props().iter().flatten() {
                match property {
                    Property::SessionExpiryInterval(found) => expiry_s = Some(found.val()),
                    Property::ReasonString(found) => words = Some(text(found.val())?),
                    _ => {}
                }
            }
        }
    }
    Ok(Packet::Disconnect { code, expiry_s, words })
}

fn connack(version: Version, body: &Bytes) -> Result<Connack, Fault> {
    let mut connack = Connack::default();
    match version {
        Version::V311 => {
            let packet = whole(v3_1_1::Connack::parse(body), body)?;
            connack.session_present = packet.session_present();
            connack.code = packet.return_code() as u8;
        }
        Version::V5 => {
            let packet = whole(v5_0::Connack::parse(body), body)?;
            connack.session_present = packet.session_present();
            connack.code = packet.reason_code() as u8;
            for property in packet.props() {
                match property {
                    Property::ReceiveMaximum(found) => connack.receive_max = Some(found.val()),
                    Property::MaximumPacketSize(found) => {
                        connack.packet_len_max = usize::try_from(found.val()).ok();
                    }
                    Property::ServerKeepAlive(found) => connack.keep_alive_s = Some(found.val()),
                    Property::AssignedClientIdentifier(found) => {
                        connack.client_id = Some(text(found.val())?);
                    }
                    Property::ReasonString(found) => connack.words = Some(text(found.val())?),
                    _ => {}
                }
            }
        }
    }
    Ok(connack)
}

fn suback(version: Version, body: &Bytes) -> Result<Packet, Fault> {
    let (id, codes) = match version {
        Version::V311 => {
            let packet = whole(v3_1_1::Suback::parse(body), body)?;
            (packet.packet_id(), packet.return_codes().iter().map(|code| *code as u8).collect())
        }
        Version::V5 => {
            let packet = whole(v5_0::Suback::parse(body), body)?;
            (packet.packet_id(), packet.reason_codes().iter().map(|code| *code as u8).collect())
        }
    };
    Ok(Packet::Suback { id, codes })
}

fn unsuback(version: Version, body: &Bytes) -> Result<Packet, Fault> {
    let id = match version {
        Version::V311 => whole(v3_1_1::Unsuback::parse(body), body)?.packet_id(),
        Version::V5 => whole(v5_0::Unsuback::parse(body), body)?.packet_id(),
    };
    Ok(Packet::Unsuback { id })
}
