//! Packets become bytes, by the library's builders.
//!
//! A builder refuses only what cannot be sent, such as a text of over 65,535
//! bytes; all that reaches it here was bounded before, so a refusal is handed up
//! as [`Unwritable`] and costs the one packet.

use mqtt_protocol_core::mqtt::{
    packet::{
        self as packet, GenericPacketTrait, MqttString, Properties, Property, Qos as AnyQos,
        SubEntry, SubOpts, v3_1_1, v5_0,
    },
    result_code::{
        ConnectReasonCode, ConnectReturnCode, DisconnectReasonCode, MqttError, PubackReasonCode,
        PubrecReasonCode, SubackReasonCode, SubackReturnCode, UnsubackReasonCode,
    },
};

use super::{Connect, Publish, Qos, Reason, Version};

/// A packet that cannot be put into bytes; nothing of it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the packet cannot be written")]
pub(crate) struct Unwritable;

impl From<MqttError> for Unwritable {
    fn from(_: MqttError) -> Self {
        Self
    }
}

type Written = Result<(), Unwritable>;

fn put<P: GenericPacketTrait>(out: &mut Vec<u8>, packet: Result<P, MqttError>) -> Written {
    out.extend(packet?.to_continuous_buffer());
    Ok(())
}

/// What the server grants with its CONNACK.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Granted {
    pub session_present: bool,
    pub receive_max: u16,
    pub packet_len_max: usize,
    pub topic_aliases_max: u16,
    /// Only what differs from the wish is said.
    pub expiry_s: Option<u32>,
    pub keep_alive_s: Option<u16>,
    pub client_id: Option<String>,
}

pub(crate) fn connack(out: &mut Vec<u8>, version: Version, granted: &Granted) -> Written {
    match version {
        Version::V311 => put(
            out,
            v3_1_1::Connack::builder()
                .session_present(granted.session_present)
                .return_code(ConnectReturnCode::Accepted)
                .build(),
        ),
        Version::V5 => {
            let packet_len_max = u32::try_from(granted.packet_len_max).unwrap_or(u32::MAX);
            let mut properties: Properties = vec![
                packet::ReceiveMaximum::new(granted.receive_max)?.into(),
                packet::MaximumPacketSize::new(packet_len_max)?.into(),
                packet::TopicAliasMaximum::new(granted.topic_aliases_max)?.into(),
            ];
            if let Some(expiry_s) = granted.expiry_s {
                properties.push(packet::SessionExpiryInterval::new(expiry_s)?.into());
            }
            if let Some(keep_alive_s) = granted.keep_alive_s {
                properties.push(packet::ServerKeepAlive::new(keep_alive_s)?.into());
            }
            if let Some(client_id) = &granted.client_id {
                properties.push(packet::AssignedClientIdentifier::new(client_id.as_str())?.into());
            }
            put(
                out,
                v5_0::Connack::builder()
                    .session_present(granted.session_present)
                    .reason_code(ConnectReasonCode::Success)
                    .props(properties)
                    .build(),
            )
        }
    }
}

/// A CONNACK that refuses, with words where the version has room for them.
pub(crate) fn refusal(
    out: &mut Vec<u8>,
    version: Version,
    reason: Reason,
    words: Option<&str>,
) -> Written {
    match version {
        Version::V311 => {
            let code = match reason {
                Reason::UnsupportedVersion => ConnectReturnCode::UnacceptableProtocolVersion,
                Reason::ClientIdNotValid => ConnectReturnCode::IdentifierRejected,
                Reason::Unavailable
                | Reason::Busy
                | Reason::QuotaExceeded
                | Reason::ShuttingDown => ConnectReturnCode::ServerUnavailable,
                Reason::NotAuthorized | Reason::Banned => ConnectReturnCode::NotAuthorized,
                // 3.1.1 has no word for the others: the connection is closed [3.1.1 §4.8].
                _ => return Ok(()),
            };
            put(out, v3_1_1::Connack::builder().session_present(false).return_code(code).build())
        }
        Version::V5 => {
            let code = ConnectReasonCode::try_from(reason.code())
                .unwrap_or(ConnectReasonCode::UnspecifiedError);
            let connack = v5_0::Connack::builder().session_present(false).reason_code(code);
            put(out, connack.props(explained(words)?).build())
        }
    }
}

fn explained(words: Option<&str>) -> Result<Properties, MqttError> {
    words.map(|words| packet::ReasonString::new(words).map(Property::from)).into_iter().collect()
}

/// The answer after which a client deletes its copy of a message.
pub(crate) fn puback(
    out: &mut Vec<u8>,
    version: Version,
    id: u16,
    reason: Reason,
    words: Option<&str>,
) -> Written {
    if reason == Reason::Success || version == Version::V311 {
        let [high, low] = id.to_be_bytes();
        out.extend([0x40, 2, high, low]);
        return Ok(());
    }
    let code =
        PubackReasonCode::try_from(reason.code()).unwrap_or(PubackReasonCode::UnspecifiedError);
    let puback = v5_0::Puback::builder().packet_id(id).reason_code(code);
    put(out, puback.props(explained(words)?).build())
}

/// «Received»: the message of QoS 2 is safe, or refused.
pub(crate) fn pubrec(
    out: &mut Vec<u8>,
    version: Version,
    id: u16,
    reason: Reason,
    words: Option<&str>,
) -> Written {
    if reason == Reason::Success || version == Version::V311 {
        let [high, low] = id.to_be_bytes();
        out.extend([0x50, 2, high, low]);
        return Ok(());
    }
    let code =
        PubrecReasonCode::try_from(reason.code()).unwrap_or(PubrecReasonCode::UnspecifiedError);
    let pubrec = v5_0::Pubrec::builder().packet_id(id).reason_code(code);
    put(out, pubrec.props(explained(words)?).build())
}

/// «Released»: the receiver may forget the id; `known` is whether there is such an id.
pub(crate) fn pubrel(out: &mut Vec<u8>, version: Version, id: u16, known: bool) {
    id_with(out, 0x62, version, id, known);
}

/// «Complete»: the sender may use the id again; `known` is whether there was such an id.
pub(crate) fn pubcomp(out: &mut Vec<u8>, version: Version, id: u16, known: bool) {
    id_with(out, 0x70, version, id, known);
}

fn id_with(out: &mut Vec<u8>, head: u8, version: Version, id: u16, known: bool) {
    let [high, low] = id.to_be_bytes();
    if known || version == Version::V311 {
        out.extend([head, 2, high, low]);
    } else {
        out.extend([head, 3, high, low, Reason::PacketIdNotFound.code()]);
    }
}

/// One code per filter; 3.1.1 knows only the granted QoS and «no».
pub(crate) fn suback(out: &mut Vec<u8>, version: Version, id: u16, codes: &[Reason]) -> Written {
    match version {
        Version::V311 => {
            let codes = codes.iter().map(|code| match code {
                Reason::Success => SubackReturnCode::SuccessMaximumQos0,
                Reason::GrantedQos1 => SubackReturnCode::SuccessMaximumQos1,
                Reason::GrantedQos2 => SubackReturnCode::SuccessMaximumQos2,
                _ => SubackReturnCode::Failure,
            });
            let codes: Vec<_> = codes.collect();
            put(out, v3_1_1::Suback::builder().packet_id(id).return_codes(codes).build())
        }
        Version::V5 => {
            let codes = codes.iter().map(|code| {
                SubackReasonCode::try_from(code.code())
                    .unwrap_or(SubackReasonCode::UnspecifiedError)
            });
            let codes: Vec<_> = codes.collect();
            put(out, v5_0::Suback::builder().packet_id(id).reason_codes(codes).build())
        }
    }
}

pub(crate) fn unsuback(out: &mut Vec<u8>, version: Version, id: u16, codes: &[Reason]) -> Written {
    match version {
        Version::V311 => put(out, v3_1_1::Unsuback::builder().packet_id(id).build()),
        Version::V5 => {
            let codes = codes.iter().map(|code| {
                UnsubackReasonCode::try_from(code.code())
                    .unwrap_or(UnsubackReasonCode::UnspecifiedError)
            });
            let codes: Vec<_> = codes.collect();
            put(out, v5_0::Unsuback::builder().packet_id(id).reason_codes(codes).build())
        }
    }
}

pub(crate) fn pong(out: &mut Vec<u8>) {
    out.extend([0xd0, 0]);
}

/// A DISCONNECT with its reason; a server of 3.1.1 has none and closes.
pub(crate) fn disconnect(
    out: &mut Vec<u8>,
    version: Version,
    reason: Reason,
    words: Option<&str>,
) -> Written {
    if version == Version::V311 {
        return Ok(());
    }
    // «Banned» is a word of CONNACK alone [§2.4].
    let reason = if reason == Reason::Banned { Reason::AdministrativeAction } else { reason };
    let code = DisconnectReasonCode::try_from(reason.code())
        .unwrap_or(DisconnectReasonCode::UnspecifiedError);
    let disconnect = v5_0::Disconnect::builder().reason_code(code);
    put(out, disconnect.props(explained(words)?).build())
}

fn any(qos: Qos) -> AnyQos {
    match qos {
        Qos::AtMostOnce => AnyQos::AtMostOnce,
        Qos::AtLeastOnce => AnyQos::AtLeastOnce,
        Qos::ExactlyOnce => AnyQos::ExactlyOnce,
    }
}

/// A message, in either direction.
///
/// It is written by hand, as it is the packet that is written most.
pub(crate) fn publish(out: &mut Vec<u8>, version: Version, message: &Publish) -> Written {
    let start = out.len();
    let flags = u8::from(message.dup) << 3 | message.qos.number() << 1 | u8::from(message.retain);
    out.extend([0x30 | flags, 0, 0, 0, 0]);
    let written = fields(out, version, message);
    let body_at = start.saturating_add(5);
    let len = out.len().saturating_sub(body_at);
    let mut head = [0; 4];
    let used = varint(&mut head, len);
    let (Ok(()), Some(used)) = (written, used) else {
        out.truncate(start);
        return Err(Unwritable);
    };
    // The head takes one byte and what its length needs; the rest of the five is taken out.
    let head = head.get(..used).unwrap_or_default();
    let head_at = start.saturating_add(1);
    out.splice(head_at..body_at, head.iter().copied());
    Ok(())
}

fn fields(out: &mut Vec<u8>, version: Version, message: &Publish) -> Written {
    binary(out, message.topic.as_bytes())?;
    if message.qos != Qos::AtMostOnce {
        out.extend(message.id.to_be_bytes());
    }
    if version == Version::V5 {
        let plain = message.alias.is_none()
            && message.expiry_s.is_none()
            && message.content_type.is_none()
            && message.extra.is_none()
            && message.subscription_ids.is_empty();
        if plain {
            out.push(0);
        } else {
            let mut properties = Vec::new();
            publish_properties(&mut properties, message)?;
            let mut head = [0; 4];
            let used = varint(&mut head, properties.len()).ok_or(Unwritable)?;
            out.extend(head.iter().take(used));
            out.extend(properties);
        }
    }
    out.extend_from_slice(&message.payload);
    Ok(())
}

/// The properties of a PUBLISH in the order of their numbers [§3.3.2.3].
fn publish_properties(out: &mut Vec<u8>, message: &Publish) -> Written {
    let extra = message.extra.as_deref();
    if let Some(format) = extra.and_then(|extra| extra.payload_format) {
        out.extend([0x01, format]);
    }
    if let Some(expiry_s) = message.expiry_s {
        out.push(0x02);
        out.extend(expiry_s.to_be_bytes());
    }
    if let Some(content_type) = &message.content_type {
        out.push(0x03);
        binary(out, content_type.as_bytes())?;
    }
    if let Some(topic) = extra.and_then(|extra| extra.response_topic.as_ref()) {
        out.push(0x08);
        binary(out, topic.as_bytes())?;
    }
    if let Some(correlation) = extra.and_then(|extra| extra.correlation.as_ref()) {
        out.push(0x09);
        binary(out, correlation)?;
    }
    for id in &message.subscription_ids {
        out.push(0x0b);
        let mut bytes = [0; 4];
        let id = usize::try_from(*id).map_err(|_| Unwritable)?;
        let used = varint(&mut bytes, id).ok_or(Unwritable)?;
        out.extend(bytes.iter().take(used));
    }
    if let Some(alias) = message.alias {
        out.push(0x23);
        out.extend(alias.to_be_bytes());
    }
    for (key, value) in extra.iter().flat_map(|extra| &extra.user) {
        out.push(0x26);
        binary(out, key.as_bytes())?;
        binary(out, value.as_bytes())?;
    }
    Ok(())
}

/// Bytes with their length in two bytes before them.
fn binary(out: &mut Vec<u8>, bytes: &[u8]) -> Written {
    let len = u16::try_from(bytes.len()).map_err(|_| Unwritable)?;
    out.extend(len.to_be_bytes());
    out.extend_from_slice(bytes);
    Ok(())
}

/// Writes a variable byte integer; answers with how many bytes it takes [§1.5.5].
fn varint(into: &mut [u8; 4], mut value: usize) -> Option<usize> {
    for (at, byte) in into.iter_mut().enumerate() {
        let low = u8::try_from(value & 0x7f).ok()?;
        value >>= 7;
        *byte = if value == 0 { low } else { low | 0x80 };
        if value == 0 {
            return at.checked_add(1);
        }
    }
    None
}

/// A client's CONNECT.
pub(crate) fn connect(out: &mut Vec<u8>, connect: &Connect) -> Written {
    match connect.version {
        Version::V311 => {
            let mut packet = v3_1_1::Connect::builder()
                .client_id(connect.client_id.as_str())?
                .clean_session(connect.clean)
                .keep_alive(connect.keep_alive_s);
            if let Some(will) = &connect.will {
                let payload = will.payload.to_vec();
                packet = packet.will_message(
                    will.topic.as_str(),
                    payload,
                    any(will.qos),
                    will.retain,
                )?;
            }
            put(out, packet.build())
        }
        Version::V5 => {
            let mut packet = v5_0::Connect::builder()
                .client_id(connect.client_id.as_str())?
                .clean_start(connect.clean)
                .keep_alive(connect.keep_alive_s)
                .props(vec![
                    packet::SessionExpiryInterval::new(connect.expiry_s)?.into(),
                    packet::ReceiveMaximum::new(connect.receive_max)?.into(),
                    packet::TopicAliasMaximum::new(connect.topic_aliases_max)?.into(),
                ]);
            if let Some(will) = &connect.will {
                let payload = will.payload.to_vec();
                let mut properties: Properties =
                    vec![packet::WillDelayInterval::new(will.delay_s)?.into()];
                if let Some(expiry_s) = will.expiry_s {
                    properties.push(packet::MessageExpiryInterval::new(expiry_s)?.into());
                }
                packet = packet
                    .will_message(will.topic.as_str(), payload, any(will.qos), will.retain)?
                    .will_props(properties);
            }
            put(out, packet.build())
        }
    }
}

/// A client's SUBSCRIBE.
pub(crate) fn subscribe(
    out: &mut Vec<u8>,
    version: Version,
    id: u16,
    filters: &[(&str, Qos)],
) -> Written {
    let entries: Vec<SubEntry> = filters
        .iter()
        .map(|(filter, qos)| SubEntry::new(*filter, SubOpts::new().set_qos(any(*qos))))
        .collect::<Result<_, _>>()?;
    match version {
        Version::V311 => {
            put(out, v3_1_1::Subscribe::builder().packet_id(id).entries(entries).build())
        }
        Version::V5 => put(out, v5_0::Subscribe::builder().packet_id(id).entries(entries).build()),
    }
}

/// A client's UNSUBSCRIBE.
pub(crate) fn unsubscribe(
    out: &mut Vec<u8>,
    version: Version,
    id: u16,
    filters: &[&str],
) -> Written {
    let entries: Vec<MqttString> = filters.iter().map(MqttString::new).collect::<Result<_, _>>()?;
    match version {
        Version::V311 => {
            put(out, v3_1_1::Unsubscribe::builder().packet_id(id).entries(entries)?.build())
        }
        Version::V5 => {
            put(out, v5_0::Unsubscribe::builder().packet_id(id).entries(entries)?.build())
        }
    }
}

pub(crate) fn ping(out: &mut Vec<u8>) {
    out.extend([0xc0, 0]);
}

/// A client's goodbye; with `will`, the server publishes its will all the same.
pub(crate) fn goodbye(out: &mut Vec<u8>, version: Version, will: bool) -> Written {
    match version {
        Version::V311 => put(out, v3_1_1::Disconnect::builder().build()),
        Version::V5 if will => disconnect(out, version, Reason::DisconnectWithWill, None),
        Version::V5 => disconnect(out, version, Reason::Success, None),
    }
}
