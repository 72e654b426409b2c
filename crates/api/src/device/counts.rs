//! What the devices' listener counted, by address and answer.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use axum::{
    extract::{MatchedPath, Request, State},
    middleware::Next,
    response::Response,
};
use prometheus_client::{
    metrics::{counter::Counter, family::Family, gauge::ConstGauge},
    registry::Registry,
};

use crate::Api;

/// Answers so far; the addresses are those of the router, so there are few.
#[derive(Debug, Default)]
pub(crate) struct DoorCounts(Mutex<BTreeMap<(String, u16), u64>>);

impl DoorCounts {
    fn add(&self, path: &str, status: u16) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry((path.to_owned(), status)).or_default();
        *count = count.saturating_add(1);
    }
}

/// Counts an answer under the address that it was given at.
pub(super) async fn count(State(api): State<Arc<Api>>, request: Request, next: Next) -> Response {
    let path = request.extensions().get::<MatchedPath>().cloned();
    let answer = next.run(request).await;
    let path = path.as_ref().map_or("other", MatchedPath::as_str);
    api.doors.counts.add(path, answer.status().as_u16());
    answer
}

impl Api {
    /// What a monitoring system reads of the devices' listener.
    pub(crate) fn device_metrics(&self, to: &mut Registry) {
        let answers = Family::<Vec<(String, String)>, Counter>::default();
        for ((path, status), count) in
            &*self.doors.counts.0.lock().unwrap_or_else(PoisonError::into_inner)
        {
            let labels =
                vec![("path".to_owned(), path.clone()), ("status".to_owned(), status.to_string())];
            answers.get_or_create(&labels).inc_by(*count);
        }
        to.register("device_https_answers", "Answers to devices by HTTPS", answers);
        let open = i64::try_from(self.doors.places.taken()).unwrap_or(i64::MAX);
        to.register(
            "device_https_requests_open",
            "Requests of devices that are not answered yet",
            ConstGauge::new(open),
        );
    }
}
