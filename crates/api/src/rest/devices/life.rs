//! The life of a device: its states, certificates, commands, and whom and where it was.

use std::sync::Arc;

use axum::{Json, extract::State, http::Method};
use engine::Directory;
use model::{DeviceId, Role, Subject, Timestamp};
use record::Actor;
use security::Action;

use crate::{
    Api,
    dto::{audit::AuditActor, bed::Named as NamedThing, fleet::DeviceEventLine, words::time},
    extract::{Asked, Named},
    guard::{Caller, parse},
    limits::LIFE_LEN_MAX,
    paging::{Page, PageQuery},
    problem::Problem,
    routes::{Access, Route, Scope},
};

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::new(
            Method::GET,
            "/devices/{id}/life",
            Access::Permitted(Action::ReadDevices, Scope::Device),
            "What happened to a device by people's hands, the latest first",
            life,
        )
        .lists::<DeviceEventLine>(),
    ]
}

async fn life(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Named(id): Named<String>,
    Asked(page): Asked<PageQuery>,
) -> Result<Json<Page<DeviceEventLine>>, Problem> {
    let id: DeviceId = parse(&id)?;
    let org = caller.who.org;
    let rows = api.look_up(move |records| records.device_life(org, id, LIFE_LEN_MAX)).await?;
    let directory = api.engine.directory();
    let (sees_patients, now) = (caller.who.role != Role::It, caller.at);
    page.cut(rows.into_iter().map(|row| {
        let is_about_whom = matches!(row.what.as_str(), "put_on_patient" | "claimed");
        let on = (is_about_whom && sees_patients)
            .then(|| on_whom(&directory, id, row.at, now))
            .flatten();
        let place = matches!(row.what.as_str(), "put_in_place" | "claimed")
            .then(|| in_place(&directory, id, row.at, now))
            .flatten();
        DeviceEventLine {
            at: time(row.at),
            what: row.what,
            detail: Some(row.detail).filter(|detail| !detail.is_empty()),
            patient: on,
            place,
            by: AuditActor::of(row.by, &directory),
            by_person: matches!(row.by, Actor::User(_)),
        }
    }))
    .map(Json)
}

/// Whom the line of this instant put the device on.
fn on_whom(
    directory: &Directory,
    device: DeviceId,
    at: Timestamp,
    now: Timestamp,
) -> Option<NamedThing> {
    let lines = directory.associations.get(&device)?;
    let line = lines.iter().find(|line| line.known_at == at && line.known_at <= now)?;
    let Subject::Patient(patient) = line.value else { return None };
    let patient = directory.patients.get(&patient)?;
    let name = format!("{} {}", patient.given_name.0, patient.family_name.0);
    Some(NamedThing { id: patient.id.to_string(), name })
}

fn in_place(
    directory: &Directory,
    device: DeviceId,
    at: Timestamp,
    now: Timestamp,
) -> Option<NamedThing> {
    let lines = directory.associations.get(&device)?;
    let line = lines.iter().find(|line| line.known_at == at && line.known_at <= now)?;
    super::place_of(directory, line.value)
}
