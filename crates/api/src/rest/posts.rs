//! Who lies where and who looks after whom: beds, posts.

use std::{collections::BTreeSet, sync::Arc};

use axum::{Json, extract::State, http::Method};
use engine::Directory;
use model::{
    Assignment, Association, BedId, CareUnitId, DeviceId, Encounter, PatientId, Post, Subject,
    Timestamp,
};
use record::Wish;
use security::{Action, Resource};

use crate::{
    Api,
    dto::{
        alarm::Person,
        bed::{Named, StillOn},
        patient::{Patient, PutPatient, PutStaff},
        words::read_time,
    },
    extract::{self, Given},
    guard::{Caller, parse},
    limits::TAKEN_OFF_MAX,
    problem::Problem,
    rest::devices::not_too_long_ago,
    routes::{Access, Route, Scope},
};

/// Who lies in a bed, and who looks after it.
#[derive(Clone, Debug, serde::Serialize, utoipa::ToSchema)]
pub struct BedNow {
    bed: Named,
    patient: Option<Patient>,
    nurse: Option<Person>,
    /// The devices that are on whoever was put into the bed, or left it, still.
    still_on: Vec<StillOn>,
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
            "Puts a patient into a bed, or empties it, and takes their devices off",
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
        still_on: Vec::new(),
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
    let path = format!("POST /api/v1/beds/{bed}/patient");
    let (there, known_at) = {
        let directory = api.engine.directory();
        (directory.patient_in(bed), directory.encounters_known_at(bed))
    };
    let whom = value.or(there);
    let meant = given.leaves.as_deref().map(parse).transpose()?;
    if value.is_none() && meant.is_some() && meant != whom {
        return Err(Problem::conflict("somebody else lies in this bed by now; look again"));
    }
    if value.is_some() {
        // The one who is put there is named by the body, which the route does not see;
        // where the patient came from does not matter to whoever takes them in.
        let resource = Resource { patient: value, ..caller.resource };
        api.permit_also(&caller, Action::MovePatient, resource, path.clone()).await?;
    }
    let from = since(given.from.as_ref(), caller.at)?;
    let off = taken_off(&api, &caller, (whom, from), &given.take_off, path).await?;
    // Whoever came into the bed since `there` was read is not emptied out of it.
    api.ask(&caller, Wish::Occupy(Encounter { key: bed, value, from, known_at })).await?;
    for line in off {
        // The patient is where they are; a device that would not come off is told below.
        if let Err(problem) = api.ask(&caller, Wish::Associate(line)).await {
            tracing::warn!(device = %line.key, why = %problem.for_caller, "device_stays_on");
        }
    }
    let directory = api.engine.directory();
    let worn = whom.map(|whom| directory.devices_on(whom).map(|device| (device, whom)).collect());
    let Json(now) = bed_now(&directory, bed, caller.at)?;
    Ok(Json(BedNow { still_on: StillOn::named(&directory, worn.unwrap_or_default()), ..now }))
}

/// The lines by which devices come off a patient at an instant, if the caller may say so.
/// What a device measured before is the patient's still, also where it was put on them only
/// after that instant.
async fn taken_off(
    api: &Api,
    caller: &Caller,
    (whom, from): (Option<PatientId>, Timestamp),
    devices: &[String],
    path: String,
) -> Result<Vec<Association>, Problem> {
    if devices.is_empty() {
        return Ok(Vec::new());
    }
    if devices.len() > TAKEN_OFF_MAX {
        let words = format!("at most {TAKEN_OFF_MAX} devices are taken off in one request");
        return Err(Problem::bad_request(words));
    }
    // Each comes off once, however often it is named.
    let devices = devices.iter().map(|it| parse(it)).collect::<Result<BTreeSet<DeviceId>, _>>()?;
    let whom = whom.ok_or_else(|| Problem::conflict("nobody lies in this bed"))?;
    not_too_long_ago(from, caller.at)?;
    let directory = api.engine.directory();
    let line = |key: DeviceId| {
        if directory.subject_of(key) != Subject::Patient(whom) {
            let words = "a device that is to come off is not on them any more; look again";
            return Err(Problem::conflict(words));
        }
        let put_on = directory.worn_since_when(key, caller.at);
        let is_before = put_on.is_some_and(|put_on| put_on > from);
        Ok(Association {
            key,
            value: Subject::Nobody,
            from: if is_before { caller.at } else { from },
            known_at: directory.associations_known_at(key),
        })
    };
    let lines = devices.into_iter().map(line).collect::<Result<Vec<_>, _>>()?;
    // Whoever may empty the bed, or take somebody in, decides about what is on them.
    let resource = Resource { patient: Some(whom), ..caller.resource };
    api.permit_also(caller, Action::AssociateDevice, resource, path).await?;
    Ok(lines)
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
