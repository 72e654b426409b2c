//! InfluxDB line protocol in both of its versions, and what its clients ask first.

use std::sync::Arc;

use axum::{
    Json,
    body::Body,
    extract::State,
    http::{HeaderMap, HeaderName, StatusCode, Uri, header},
    response::{IntoResponse as _, Response},
};
use ingest::{Lines, LinesTaken, Message};
use model::Timestamp;
use protocols::line::Precision;
use serde_json::{Value, json};

use super::{
    answer::{Refused, Shape, line_error, wait},
    body::read,
    reports::{date, text, to_its_end},
    speaker::{Guest, Speaker},
};
use crate::{Api, limits::DEVICE_LINES_LEN_MAX};

/// By which clients of InfluxDB learn what they speak to.
const VERSION: HeaderName = HeaderName::from_static("x-influxdb-version");

pub(super) async fn write(
    State(api): State<Arc<Api>>,
    guest: axum::Extension<Guest>,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Response {
    answer(Shape::One, take(api, &guest, &uri, headers, body, &["n", "u", "m", "h"]).await)
}

pub(super) async fn write_v2(
    State(api): State<Arc<Api>>,
    guest: axum::Extension<Guest>,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Response {
    answer(Shape::Two, take(api, &guest, &uri, headers, body, &[]).await)
}

/// What both versions spell alike.
const PRECISIONS: [&str; 4] = ["ns", "us", "ms", "s"];

async fn take(
    api: Arc<Api>,
    guest: &Guest,
    uri: &Uri,
    headers: HeaderMap,
    body: Body,
    more: &[&str],
) -> Result<LinesTaken, Refused> {
    let Speaker { device, .. } = guest.speaks(&api)?;
    let precision = match parameter(uri, "precision") {
        None | Some("") => Precision::Nanoseconds,
        Some(word) => PRECISIONS
            .iter()
            .chain(more)
            .find(|known| **known == word)
            .and_then(|known| Precision::parse(known))
            .ok_or_else(|| {
                let known = PRECISIONS.iter().chain(more).copied().collect::<Vec<_>>().join(", ");
                Refused::Query(format!("precision is none of {known}"))
            })?,
    };
    let said = parameter(uri, "now").map(|now| {
        let at = now.parse().ok().and_then(|now| precision.instant(now));
        at.ok_or_else(|| Refused::Query("now is not a time in the precision asked for".to_owned()))
    });
    let device_now: Option<Timestamp> = said.transpose()?.or_else(|| date(&headers));
    let place = api.hear(device.id, guest.remote)?;
    let payload = read(&headers, body, DEVICE_LINES_LEN_MAX).await.map_err(Refused::Body)?;
    let received_at = api.clock.now();
    let content_type = text(&headers, header::CONTENT_TYPE);
    let topic = uri.path().to_owned();
    to_its_end(place, async move {
        let content_type = content_type.as_deref();
        let message = Message { topic: &topic, content_type, payload: &payload, received_at };
        let lines = Lines { message, precision, device_now };
        let taken = api.door.take_lines(device.org, device.id, "https", &lines).await;
        taken.map_err(Refused::Door)
    })
    .await
}

fn answer(shape: Shape, taken: Result<LinesTaken, Refused>) -> Response {
    match taken {
        Ok(LinesTaken { bad: None, durable: Some(_), .. }) => {
            StatusCode::NO_CONTENT.into_response()
        }
        Ok(LinesTaken { bad: Some(bad), good, .. }) => {
            let (first, why, count) = (bad.first, bad.why, bad.count);
            let all = good.saturating_add(count);
            let words = if good == 0 {
                format!("unable to parse: line {first}: {why} ({count} of {all} lines)")
            } else {
                format!(
                    "partial write: line {first}: {why} ({count} of {all} lines; the others are stored)"
                )
            };
            line_error(shape, StatusCode::BAD_REQUEST, &words, Some(bad.letter.to_string()))
        }
        Ok(LinesTaken { bad: None, durable: None, .. }) => {
            line_error(shape, StatusCode::BAD_REQUEST, "the body has no line", None)
        }
        Err(refused) => {
            let letter = refused.letter().map(|(letter, _)| letter);
            // A client of InfluxDB gives up a message on 400 and on nothing else of its kind.
            let status = match refused.status() {
                StatusCode::UNPROCESSABLE_ENTITY => StatusCode::BAD_REQUEST,
                other => other,
            };
            let mut answer = line_error(shape, status, &refused.words(), letter);
            wait(&refused, &mut answer);
            answer
        }
    }
}

/// A parameter of the query, as it stands there; those that matter need no escapes.
fn parameter<'a>(uri: &'a Uri, name: &str) -> Option<&'a str> {
    let pairs = uri.query()?.split('&').filter_map(|pair| pair.split_once('='));
    pairs.filter(|(key, _)| *key == name).map(|(_, value)| value).next()
}

/// Somebody is there; answered to anybody.
pub(super) async fn ping(State(api): State<Arc<Api>>) -> Response {
    (StatusCode::NO_CONTENT, [(VERSION, version(&api))]).into_response()
}

/// Whether what comes in can be kept; answered to anybody.
pub(super) async fn health(State(api): State<Arc<Api>>) -> (StatusCode, Json<Value>) {
    let records = api.journal.status().condition == store::Condition::Recording;
    let (status, words, message) = if records {
        (StatusCode::OK, "pass", "ready for writes")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "fail", "what comes in cannot be kept now")
    };
    let body = json!({
        "name": "wardline", "status": words, "message": message, "checks": [],
        "version": version(&api),
    });
    (status, Json(body))
}

fn version(api: &Api) -> String {
    format!("wardline-{}", api.config.version)
}
