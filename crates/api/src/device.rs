//! The devices' HTTPS: the same door as MQTT, for those who speak HTTP.
//!
//! ```text
//!   connection ── certificate ──▶ Speaker ── a place ──▶ body ──▶ ingest::take ──▶ answer
//! ```
//! A good answer is made from what `ingest` proved durable. A message that was begun is
//! taken to its end even if its sender has gone by then.
//!
//! **Absent on purpose:** any other way to a handler than by a device's certificate (but
//! for the two addresses by which clients see whether somebody is there), and any
//! decoding: bytes go to `ingest` as they came.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use axum::{
    Router,
    http::Uri,
    routing::{any, get, post},
};

use model::{DeviceId, Timestamp};

use self::answer::Refused;
use crate::{Api, problem::Problem};

mod answer;
mod body;
mod connections;
mod counts;
mod lines;
mod mqtt;
mod places;
mod reports;
mod speaker;
mod time;

pub use connections::serve_devices;
#[cfg(test)]
pub(crate) use connections::{DoorBounds, serve_within};
pub(crate) use counts::DoorCounts;
pub(crate) use places::Places;

/// What the devices' listener shares.
#[derive(Debug, Default)]
pub(crate) struct Doors {
    pub(crate) counts: DoorCounts,
    pub(crate) places: Places,
    /// When each device spoke last; only those that are registered get so far.
    heard: Mutex<BTreeMap<DeviceId, Timestamp>>,
}

impl Doors {
    /// Room for one message of this device, which speaks now.
    fn hear(&self, device: DeviceId, now: Timestamp) -> Result<places::Place, Refused> {
        let place = self.places.take(device).map_err(Refused::Busy)?;
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).insert(device, now);
        Ok(place)
    }

    /// The devices that spoke since the start, and when they did last.
    pub(crate) fn heard(&self) -> BTreeMap<DeviceId, Timestamp> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Everything that the devices' listener answers.
pub(crate) fn router(api: &Arc<Api>) -> Router {
    Router::new()
        .route("/v1/num", post(reports::num))
        .route("/v1/wave/{channel}", post(reports::wave))
        .route("/v1/event", post(reports::event))
        .route("/v1/state", post(reports::state))
        .route("/v1/log", post(reports::log))
        .route("/v1/cfg", post(reports::cfg))
        .route("/v1/cmd/{id}", post(reports::cmd))
        .route("/v1/gw/{*leaf}", post(reports::behind))
        .route("/v1/time", get(time::now))
        .route("/write", post(lines::write))
        .route("/api/v2/write", post(lines::write_v2))
        .route("/ping", any(lines::ping))
        .route("/health", get(lines::health))
        .route("/mqtt", get(mqtt::open))
        .method_not_allowed_fallback(wrong_method)
        .fallback(nowhere)
        .layer(axum::middleware::from_fn_with_state(Arc::clone(api), counts::count))
        .with_state(Arc::clone(api))
}

async fn wrong_method(uri: Uri) -> Problem {
    Problem::wrong_method(format!("`{}` does not take this method", uri.path()))
}

async fn nowhere(uri: Uri) -> Problem {
    Problem::not_found(format!("there is no `{}` for devices", uri.path()))
}
