//! The next dose of a patient: planned in words and a time by somebody who looks after them.

use std::sync::Arc;

use axum::{Json, extract::State, http::Method};
use engine::Directory;
use model::{NextDose, PatientId, Redacted};
use record::{Actor, Wish};
use security::Action;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::session::name_of;
use crate::{
    Api,
    dto::words::{read_time, time},
    extract::Given,
    guard::Caller,
    problem::Problem,
    routes::{Access, Route, Scope},
};

/// What a patient takes next.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Dose {
    words: String,
    due_at: String,
    /// Who wrote it down.
    by: Option<String>,
    /// When it was written down.
    at: String,
}

/// A dose to be planned.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PlanDose {
    /// What, in words that the patient reads too.
    words: String,
    /// RFC 3339 or unix milliseconds, at most seven days ahead.
    due_at: String,
}

/// The next dose, or that none is planned.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct DoseNow {
    next_dose: Option<Dose>,
}

pub(crate) fn routes() -> Vec<Route> {
    let chart = Access::Permitted(Action::ChartPatient, Scope::Patient);
    vec![
        Route::new(
            Method::PUT,
            "/patients/{id}/next-dose",
            chart,
            "Plans what the patient takes next",
            plan,
        )
        .takes::<PlanDose>()
        .answers::<DoseNow>(),
        Route::new(
            Method::DELETE,
            "/patients/{id}/next-dose",
            chart,
            "The dose was given, or is not planned any more",
            clear,
        )
        .answers::<DoseNow>(),
    ]
}

impl Dose {
    /// The dose that is planned for a patient, if one is.
    pub(crate) fn next(directory: &Directory, patient: PatientId) -> Option<Self> {
        let it = directory.doses.get(&patient)?;
        let user = match it.by {
            Actor::User(user) => directory.users.get(&user),
            Actor::Device(_) | Actor::System => None,
        };
        Some(Self {
            words: it.next.words.0.clone(),
            due_at: time(it.next.due_at),
            by: user.map(|user| name_of(directory, user)),
            at: time(it.at),
        })
    }
}

async fn plan(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Given(given): Given<PlanDose>,
) -> Result<Json<DoseNow>, Problem> {
    let patient = caller.patient()?;
    let due_at = read_time("due_at", &given.due_at)?;
    let words = Redacted(given.words.trim().to_owned());
    api.ask(&caller, Wish::PlanDose(NextDose { patient, due_at, words })).await?;
    Ok(Json(DoseNow { next_dose: Dose::next(&api.engine.directory(), patient) }))
}

async fn clear(State(api): State<Arc<Api>>, caller: Caller) -> Result<Json<DoseNow>, Problem> {
    let patient = caller.patient()?;
    api.ask(&caller, Wish::ClearDose(patient)).await?;
    Ok(Json(DoseNow { next_dose: Dose::next(&api.engine.directory(), patient) }))
}
