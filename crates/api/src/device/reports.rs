//! One message in one request: numerics, a waveform block, or what a device says of itself.

use std::{sync::Arc, time::Duration};

use axum::{
    body::Body,
    extract::{Path, State},
    http::{HeaderMap, Uri, header},
    response::{IntoResponse as _, Response},
};
use ingest::{Durably, Message};
use model::Timestamp;
use protocols::topic::Topic;
use tokio::time::timeout;

use super::{
    answer::{Refused, answer},
    body::read,
    places::Place,
    speaker::Speaker,
};
use crate::{
    Api,
    limits::{ANSWER_WITHIN, DEVICE_BODY_LEN_MAX},
};

/// How long a message may wait for its sync.
const SYNC_WITHIN: Duration = ANSWER_WITHIN;

pub(super) async fn num(
    State(api): State<Arc<Api>>,
    speaker: Speaker,
    headers: HeaderMap,
    body: Body,
) -> Response {
    answer(take(api, speaker, "num".to_owned(), headers, body).await)
}

pub(super) async fn wave(
    State(api): State<Arc<Api>>,
    speaker: Speaker,
    Path(channel): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    answer(take(api, speaker, format!("wave/{channel}"), headers, body).await)
}

pub(super) async fn event(
    State(api): State<Arc<Api>>,
    speaker: Speaker,
    headers: HeaderMap,
    body: Body,
) -> Response {
    answer(take(api, speaker, "event".to_owned(), headers, body).await)
}

pub(super) async fn state(
    State(api): State<Arc<Api>>,
    speaker: Speaker,
    headers: HeaderMap,
    body: Body,
) -> Response {
    answer(take(api, speaker, "state".to_owned(), headers, body).await)
}

pub(super) async fn log(
    State(api): State<Arc<Api>>,
    speaker: Speaker,
    headers: HeaderMap,
    body: Body,
) -> Response {
    answer(take(api, speaker, "log".to_owned(), headers, body).await)
}

pub(super) async fn cfg(
    State(api): State<Arc<Api>>,
    speaker: Speaker,
    headers: HeaderMap,
    body: Body,
) -> Response {
    answer(take(api, speaker, "cfg".to_owned(), headers, body).await)
}

pub(super) async fn cmd(
    State(api): State<Arc<Api>>,
    speaker: Speaker,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    answer(take(api, speaker, format!("cmd/{id}"), headers, body).await)
}

/// What a gateway says for a device behind it, which the message names.
pub(super) async fn behind(
    State(api): State<Arc<Api>>,
    speaker: Speaker,
    Path(leaf): Path<String>,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let topic = format!("wl/1/{}/$gw/{}/up/{leaf}", speaker.device.site, speaker.device.id);
    if topic.parse::<Topic>().is_err() {
        return super::nowhere(uri).await.into_response();
    }
    answer(take_on(api, speaker, topic, headers, body).await)
}

async fn take(
    api: Arc<Api>,
    speaker: Speaker,
    leaf: String,
    headers: HeaderMap,
    body: Body,
) -> Result<Durably, Refused> {
    let topic = format!("wl/1/{}/{}/up/{leaf}", speaker.device.site, speaker.device.id);
    take_on(api, speaker, topic, headers, body).await
}

async fn take_on(
    api: Arc<Api>,
    speaker: Speaker,
    topic: String,
    headers: HeaderMap,
    body: Body,
) -> Result<Durably, Refused> {
    let place = api.hear(speaker.device.id, speaker.remote)?;
    let payload = read(&headers, body, DEVICE_BODY_LEN_MAX).await.map_err(Refused::Body)?;
    let received_at = api.clock.now();
    let content_type = text(&headers, header::CONTENT_TYPE);
    to_its_end(place, async move {
        let content_type = content_type.as_deref();
        let message = Message { topic: &topic, content_type, payload: &payload, received_at };
        let (org, device) = (speaker.device.org, speaker.device.id);
        api.door.take(org, device, "https", &message).await.map_err(Refused::Door)
    })
    .await
}

// RC-052
/// Takes a message to its end, whether or not its sender waits for it: what was admitted
/// has to be settled, or a repeat of it would be recognised without being there.
pub(super) async fn to_its_end<T: Send + 'static>(
    place: Place,
    take: impl Future<Output = Result<T, Refused>> + Send + 'static,
) -> Result<T, Refused> {
    let task = tokio::spawn(async move {
        let _turn = place.turn().await;
        take.await
    });
    match timeout(SYNC_WITHIN, task).await {
        Ok(Ok(taken)) => taken,
        Ok(Err(broke)) => {
            tracing::error!(error = %broke, "device_message_broke_off");
            Err(Refused::Unsure)
        }
        Err(_) => Err(Refused::Unsure),
    }
}

/// A header as text.
pub(super) fn text(headers: &HeaderMap, name: header::HeaderName) -> Option<String> {
    headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
}

/// The device's own time at sending, as the head of its request says it, in whole seconds.
pub(super) fn date(headers: &HeaderMap) -> Option<Timestamp> {
    let said = text(headers, header::DATE)?;
    let at = jiff::fmt::rfc2822::parse(&said).ok()?.timestamp();
    i64::try_from(at.as_nanosecond()).ok().map(Timestamp::from_unix_nanos)
}

#[test]
fn the_date_of_a_request_is_the_devices_own_time() {
    let mut headers = HeaderMap::new();
    assert_eq!(date(&headers), None);
    headers.insert(header::DATE, "Thu, 01 Jan 2026 09:00:00 GMT".parse().unwrap());
    assert_eq!(date(&headers), Some(Timestamp::from_unix_millis(1_767_258_000_000)));
    // A leap second is the last one that a clock without leap seconds has.
    headers.insert(header::DATE, "Sat, 31 Dec 2016 23:59:60 GMT".parse().unwrap());
    assert_eq!(date(&headers), Some(Timestamp::from_unix_millis(1_483_228_799_000)));
    headers.insert(header::DATE, "yesterday".parse().unwrap());
    assert_eq!(date(&headers), None);
}
