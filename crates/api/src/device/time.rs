//! The server's time, for devices without a clock.

use std::sync::Arc;

use axum::{
    extract::State,
    http::header,
    response::{IntoResponse as _, Response},
};
use transport::mqtt::time_payload;

use super::speaker::Speaker;
use crate::Api;

pub(super) async fn now(State(api): State<Arc<Api>>, _speaker: Speaker) -> Response {
    let head = [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-store")];
    (head, time_payload(api.clock.now())).into_response()
}
