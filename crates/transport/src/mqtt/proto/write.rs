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
        SubackReasonCode, SubackReturnCode, UnsubackReasonCode,
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
                packet::MaximumQos::new(1)?.into(),
                packet::MaximumPacketSize::new(packet_len_max)?.into(),
                packet::TopicAliasMaximum::new(granted.topic_aliases_max)?.into(),
                packet::SubscriptionIdentifierAvailable::new(0)?.into(),
                packet::SharedSubscriptionAvailable::new(0)?.into(),
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

/// One code per filter; 3.1.1 knows only the granted QoS and «no».
pub(crate) fn suback(out: &mut Vec<u8>, version: Version, id: u16, codes: &[Reason]) -> Written {
    match version {
        Version::V311 => {
            let codes = codes.iter().map(|code| match code {
                Reason::Success => SubackReturnCode::SuccessMaximumQos0,
                Reason::GrantedQos1 => SubackReturnCode::SuccessMaximumQos1,
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
    }
}

/// A message, in either direction.
pub(crate) fn publish(out: &mut Vec<u8>, version: Version, message: &Publish) -> Written {
    let id = (message.qos == Qos::AtLeastOnce).then_some(message.id);
    match version {
        Version::V311 => put(
            out,
            v3_1_1::Publish::builder()
                .topic_name(message.topic.as_str())?
                .qos(any(message.qos))
                .dup(message.dup)
                .retain(message.retain)
                .packet_id(id)
                .payload(message.payload.as_ref())
                .build(),
        ),
        Version::V5 => {
            let mut properties = Properties::new();
            if let Some(alias) = message.alias {
                properties.push(packet::TopicAlias::new(alias)?.into());
            }
            if let Some(expiry_s) = message.expiry_s {
                properties.push(packet::MessageExpiryInterval::new(expiry_s)?.into());
            }
            if let Some(content_type) = &message.content_type {
                properties.push(packet::ContentType::new(content_type.as_str())?.into());
            }
            put(
                out,
                v5_0::Publish::builder()
                    .topic_name(message.topic.as_str())?
                    .qos(any(message.qos))
                    .dup(message.dup)
                    .retain(message.retain)
                    .packet_id(id)
                    .props(properties)
                    .payload(message.payload.as_ref())
                    .build(),
            )
        }
    }
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
                let delay = packet::WillDelayInterval::new(will.delay_s)?;
                packet = packet
                    .will_message(will.topic.as_str(), payload, any(will.qos), will.retain)?
                    .will_props(vec![delay.into()]);
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
