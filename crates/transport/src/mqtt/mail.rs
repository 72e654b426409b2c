//! A message on its way to clients: what all of them get, and what is particular to one.

use std::sync::Arc;

use bytes::Bytes;
use model::Timestamp;
use record::{MqttMessage, MqttTarget};

use super::proto::{Extra, Qos};

/// What was said, once for all who hear it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Said {
    pub topic: Arc<str>,
    pub content_type: Option<String>,
    pub payload: Bytes,
    /// The QoS that it was published with.
    pub qos: Qos,
    pub expires_at: Option<Timestamp>,
    pub extra: Option<Box<Extra>>,
}

/// A message to one client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mail {
    pub said: Arc<Said>,
    /// The packet id, which stays until the end of the delivery; 0 with QoS 0.
    pub id: u16,
    pub qos: Qos,
    pub retain: bool,
    pub subscription_ids: Vec<u32>,
    /// The shared subscription that chose this client, as `name/filter`.
    pub shared: Option<Arc<str>>,
}

impl Said {
    pub(crate) fn len(&self) -> usize {
        let extra = self.extra.as_ref().map_or(0, |extra| {
            let user = extra.user.iter().map(|(key, value)| key.len().saturating_add(value.len()));
            let correlation = extra.correlation.as_ref().map_or(0, Bytes::len);
            let response = extra.response_topic.as_ref().map_or(0, String::len);
            user.sum::<usize>().saturating_add(correlation).saturating_add(response)
        });
        self.payload.len().saturating_add(self.topic.len()).saturating_add(extra)
    }

    pub(crate) fn is_expired(&self, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|at| now >= at)
    }

    /// The stored form.
    pub(crate) fn record(&self) -> MqttMessage {
        let extra = self.extra.as_deref();
        let user = extra.map(|extra| extra.user.clone()).filter(|user| !user.is_empty());
        MqttMessage {
            topic: self.topic.as_ref().to_owned(),
            payload: self.payload.to_vec(),
            qos: self.qos.number(),
            content_type: self.content_type.clone(),
            expires_at: self.expires_at,
            payload_format: extra.and_then(|extra| extra.payload_format),
            response_topic: extra.and_then(|extra| extra.response_topic.clone()),
            correlation: extra
                .and_then(|extra| extra.correlation.as_ref())
                .map(|bytes| bytes.to_vec()),
            user,
        }
    }

    /// What a stored form says.
    pub(crate) fn recalled(message: &MqttMessage) -> Self {
        let extra = Extra {
            payload_format: message.payload_format,
            response_topic: message.response_topic.clone(),
            correlation: message.correlation.as_deref().map(Bytes::copy_from_slice),
            user: message.user.clone().unwrap_or_default(),
        };
        Self {
            topic: message.topic.as_str().into(),
            content_type: message.content_type.clone(),
            payload: Bytes::copy_from_slice(&message.payload),
            qos: Qos::from_number(message.qos),
            expires_at: message.expires_at,
            extra: (extra != Extra::default()).then(|| Box::new(extra)),
        }
    }
}

impl Mail {
    pub(crate) fn len(&self) -> usize {
        self.said.len()
    }

    /// The stored form of what is particular to this client.
    pub(crate) fn target(&self, key: &super::sessions::Key, may_be_sent: bool) -> MqttTarget {
        MqttTarget {
            device: key.0,
            client_id: key.1.clone(),
            id: self.id,
            qos: self.qos.number(),
            retain: self.retain,
            subscription_ids: self.subscription_ids.clone(),
            shared: self.shared.as_deref().map(str::to_owned),
            may_be_sent,
        }
    }
}
