//! Who lies where and who looks after whom: beds, posts.

use std::sync::Arc;

use axum::{Json, extract::State, http::Method};
use engine::Directory;
use model::{Assignment, BedId, CareUnitId, Encounter, Post, Timestamp};
use record::Wish;
use security::{Action, Resource};

use crate::{
    Api,
    dto::{
        alarm::Person,
        bed::Named,
        patient::{Patient, PutPatient, PutStaff},
        words::read_time,
    },
    extract::{self, Given},
    guard::{Caller, parse},
    problem::Problem,
    routes::{Access, Route, Scope},
};

/// Who lies in a bed, and who looks after it.
#[derive(Clone, Debug, serde::Serialize, utoipa::ToSchema)]
pub struct BedNow {
    bed: Named,
    patient: Option<Patient>,
    nurse: Option<Person>,
}

/// Who runs a care unit.
#[derive(Clone, Debug, serde::Serialize, utoipa::ToSchema)]
pub struct ChargeNow {
    care_unit: Named,
    charge: Option<Person>,
}

pub(crate) fn routes() -> Vec<Route> {
    let moves = Access::Permitted(Action::MovePatient, Scope::Bed);
    let assign = Access::Permitted(Action::Assign, Scope::Bed);
    let charge = Access::Permitted(Action::AssignCharge, Scope::ChargePost);
    vec![
        Route::new(
            Method::POST,
            "/beds/{id}/patient",
            moves,
            "Puts a patient into a bed, or empties it",
            occupy,
        )
        .takes::<PutPatient>()
        .answers::<BedNow>(),
        Route::new(
            Method::POST,
            "/posts/bed/{id}",
            assign,
            "Says who is the nurse of a bed",
            assign_bed,
        )
        .takes::<PutStaff>()
        .answers::<BedNow>(),
        Route::new(
            Method::POST,
            "/posts/charge/{id}",
            charge,
            "Says who runs a care unit",
            assign_charge,
        )
        .takes::<PutStaff>()
        .answers::<ChargeNow>(),
    ]
}

/// From when something holds: the time that was given, else now.
pub(crate) fn since(given: Option<&String>, now: Timestamp) -> Result<Timestamp, Problem> {
    given.map_or(Ok(now), |text| read_time("from", text))
}

fn bed_now(directory: &Directory, bed: BedId, now: Timestamp) -> Result<Json<BedNow>, Problem> {
    let found =
        directory.beds.get(&bed).ok_or_else(|| Problem::not_found("there is no such bed"))?;
    let patient = directory.patient_in(bed).and_then(|id| directory.patients.get(&id));
    Ok(Json(BedNow {
        bed: Named { id: bed.to_string(), name: found.name.clone() },
        patient: patient.map(|it| Patient::of(it, directory, now)),
        nurse: directory.nurse_of(bed).map(|staff| Person::of(directory, staff)),
    }))
}

async fn occupy(
    State(api): State<Arc<Api>>,
    caller: Caller,
    extract::Named(bed): extract::Named<String>,
    Given(given): Given<PutPatient>,
) -> Result<Json<BedNow>, Problem> {
    let bed: BedId = parse(&bed)?;
    let value = given.patient.as_deref().map(parse).transpose()?;
    if value.is_some() {
        // The one who is put there is named by the body, which the route does not see;
        // where the patient came from does not matter to whoever takes them in.
        let resource = Resource { patient: value, ..caller.resource };
        let path = format!("POST /api/v1/beds/{bed}/patient");
        api.permit_also(&caller, Action::MovePatient, resource, path).await?;
    }
    let from = since(given.from.as_ref(), caller.at)?;
    api.ask(&caller, Wish::Occupy(Encounter { key: bed, value, from, known_at: caller.at }))
        .await?;
    bed_now(&api.engine.directory(), bed, caller.at)
}

async fn assign_bed(
    State(api): State<Arc<Api>>,
    caller: Caller,
    extract::Named(bed): extract::Named<String>,
    Given(given): Given<PutStaff>,
) -> Result<Json<BedNow>, Problem> {
    let bed: BedId = parse(&bed)?;
    assign(&api, &caller, Post::Bed(bed), &given).await?;
    bed_now(&api.engine.directory(), bed, caller.at)
}

async fn assign_charge(
    State(api): State<Arc<Api>>,
    caller: Caller,
    extract::Named(unit): extract::Named<String>,
    Given(given): Given<PutStaff>,
) -> Result<Json<ChargeNow>, Problem> {
    let unit: CareUnitId = parse(&unit)?;
    assign(&api, &caller, Post::Charge(unit), &given).await?;
    let directory = api.engine.directory();
    let name = directory.care_units.get(&unit).map_or_else(String::new, |unit| unit.name.clone());
    let charge = directory.charge_of(unit).map(|staff| Person::of(&directory, staff));
    Ok(Json(ChargeNow { care_unit: Named { id: unit.to_string(), name }, charge }))
}

async fn assign(api: &Api, caller: &Caller, post: Post, given: &PutStaff) -> Result<(), Problem> {
    let value = given.staff.as_deref().map(parse).transpose()?;
    let line = Assignment { key: post, value, from: caller.at, known_at: caller.at };
    api.ask(caller, Wish::Assign(line)).await.map(drop)
}
