//! The messages of one device as they come, for those who mend devices.
//!
//! A message names no patient; whom the device is on is not shown here. Each look leaves
//! a trace when it begins, and it is one sign-in's, for as long as the device stays on the
//! same patient.

use std::sync::Arc;

use axum::{Json, extract::State, http::Method};
use ingest::Viewer;
use model::{DeviceId, Subject};
use security::{Action, Resource};
use serde::Deserialize;

use crate::{
    Api,
    dto::fleet::{RawMessage, RawMessages},
    extract::{Asked, Named},
    guard::{Caller, parse},
    problem::Problem,
    routes::{Access, Route, Scope},
};

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::new(
            Method::GET,
            "/devices/{id}/messages",
            Access::Permitted(Action::WatchDevice, Scope::Device),
            "The messages of a device since the last look, as they came; asked again each second",
            look,
        )
        .query("after", "The number of the last message that was shown; 0 at first")
        .answers::<RawMessages>(),
    ]
}

#[derive(Debug, Deserialize)]
struct Since {
    after: Option<u64>,
}

async fn look(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Named(id): Named<String>,
    Asked(since): Asked<Since>,
) -> Result<Json<RawMessages>, Problem> {
    let id: DeviceId = parse(&id)?;
    let directory = api.engine.directory();
    let patient = match directory.subject_of(id) {
        Subject::Patient(patient) => Some(patient),
        Subject::Place(_) | Subject::Nobody => None,
    };
    let (tap, viewer) = (api.door.tap(), Viewer { session: caller.session, patient });
    let found = tap.look(viewer, id, since.after.unwrap_or(0), caller.at);
    let found = found.map_err(Problem::slow_down)?;
    if found.begins {
        let resource = Resource { patient, ..caller.resource };
        let path = format!("GET /api/v1/devices/{id}/messages");
        let permitted = api.permit_look(&caller, Action::WatchDevice, resource, path);
        // Whoever was refused must not be taken for one whose look goes on.
        permitted.inspect_err(|_| tap.leave(caller.session, id))?;
    }
    Ok(Json(RawMessages {
        begins: found.begins,
        messages: found.messages.iter().map(|it| RawMessage::of(it, &directory)).collect(),
    }))
}
