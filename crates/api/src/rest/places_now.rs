//! The whole house in one look, and who lay where at any time, as known at any other.

use std::sync::Arc;

use axum::{Json, extract::State, http::Method};
use engine::Directory;
use model::{BedId, CareUnitId, PatientId, Role};
use security::{Action, Resource};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::places::units_of;
use crate::{
    Api,
    dto::{
        alarm::Person,
        bed::Named,
        words::{read_time, time},
    },
    extract::{self, Asked},
    guard::{Caller, parse, patient_resource},
    problem::Problem,
    routes::{Access, Route, Scope},
};

/// Everything that a building is made of.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct House {
    org: Named,
    sites: Vec<SiteOfHouse>,
    /// Whether the caller is told who lies where.
    shows_patients: bool,
}

/// A site with its care units.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SiteOfHouse {
    id: String,
    name: String,
    care_units: Vec<UnitOfHouse>,
}

/// A care unit with its rooms.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct UnitOfHouse {
    id: String,
    name: String,
    charge: Option<Person>,
    rooms: Vec<RoomOfHouse>,
}

/// A room with its beds.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct RoomOfHouse {
    id: String,
    name: String,
    beds: Vec<BedOfHouse>,
}

/// A bed with who lies there now.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct BedOfHouse {
    id: String,
    name: String,
    is_empty: bool,
    /// Null for those who are not told.
    patient: Option<Named>,
    nurse: Option<Person>,
}

/// Who lay in a bed.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct BedHistory {
    bed: Named,
    room: String,
    care_unit: Named,
    /// The instant that was asked about.
    at: String,
    /// By what was known then.
    known_at: String,
    /// Who lay there at that instant; null for nobody.
    patient: Option<Named>,
    /// Every line that was known then, the newest stay first.
    lines: Vec<Stay>,
}

/// From an instant on somebody lay there, or nobody.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Stay {
    patient: Option<Named>,
    from: String,
    /// When it was recorded.
    known_at: String,
    /// It was recorded after it had begun.
    is_late: bool,
}

pub(crate) fn routes() -> Vec<Route> {
    vec![
        Route::new(
            Method::GET,
            "/places",
            Access::Permitted(Action::ReadPlaces, Scope::Org),
            "Sites, care units, rooms and beds as a tree, with who lies where now",
            house,
        )
        .answers::<House>(),
        Route::new(
            Method::GET,
            "/beds/{id}/history",
            Access::Permitted(Action::ReadPatient, Scope::Bed),
            "Who lay in a bed at an instant, as known at another",
            history,
        )
        .query("at", "RFC 3339 or unix milliseconds; now if it is left out")
        .query("known", "RFC 3339 or unix milliseconds; now if it is left out")
        .answers::<BedHistory>(),
    ]
}

fn named(directory: &Directory, patient: PatientId) -> Named {
    let found = directory.patients.get(&patient);
    let name = found.map_or_else(String::new, |it| {
        format!("{} {}", it.given_name.0, it.family_name.0).trim().to_owned()
    });
    Named { id: patient.to_string(), name }
}

async fn house(State(api): State<Arc<Api>>, caller: Caller) -> Result<Json<House>, Problem> {
    let directory = api.engine.directory();
    // Those who look after machines do not learn who lies where.
    let shows_patients = caller.who.role != Role::It;
    if shows_patients {
        let path = "GET /api/v1/places".to_owned();
        api.permit_look(&caller, Action::ReadBoard, caller.resource, path)?;
    }
    let org = caller.who.org;
    let units = units_of(&directory, org);
    let mut sites: Vec<&model::Site> =
        directory.sites.values().filter(|site| site.org == org).collect();
    sites.sort_by(|a, b| (&a.name, a.id).cmp(&(&b.name, b.id)));
    let site = |site: &model::Site| SiteOfHouse {
        id: site.id.to_string(),
        name: site.name.clone(),
        care_units: units
            .iter()
            .filter(|unit| unit.site == site.id)
            .map(|it| unit(&directory, it, shows_patients))
            .collect(),
    };
    let name = directory.orgs.get(&org).map_or_else(String::new, |org| org.name.clone());
    Ok(Json(House {
        org: Named { id: org.to_string(), name },
        sites: sites.into_iter().map(site).collect(),
        shows_patients,
    }))
}

fn unit(directory: &Directory, it: &model::CareUnit, shows_patients: bool) -> UnitOfHouse {
    let beds = directory.beds_of(it.id);
    let room = |room: &model::Room| RoomOfHouse {
        id: room.id.to_string(),
        name: room.name.clone(),
        beds: beds
            .iter()
            .filter(|bed| bed.room == room.id)
            .map(|bed| bed_now(directory, bed, shows_patients))
            .collect(),
    };
    UnitOfHouse {
        id: it.id.to_string(),
        name: it.name.clone(),
        charge: directory.charge_of(it.id).map(|staff| Person::of(directory, staff)),
        rooms: directory.rooms_of(it.id).into_iter().map(room).collect(),
    }
}

fn bed_now(directory: &Directory, bed: &model::Bed, shows_patients: bool) -> BedOfHouse {
    let patient = directory.patient_in(bed.id);
    BedOfHouse {
        id: bed.id.to_string(),
        name: bed.name.clone(),
        is_empty: patient.is_none(),
        patient: patient.filter(|_| shows_patients).map(|it| named(directory, it)),
        nurse: directory.nurse_of(bed.id).map(|staff| Person::of(directory, staff)),
    }
}

#[derive(Debug, Deserialize)]
struct When {
    at: Option<String>,
    known: Option<String>,
}

async fn history(
    State(api): State<Arc<Api>>,
    caller: Caller,
    extract::Named(bed): extract::Named<String>,
    Asked(when): Asked<When>,
) -> Result<Json<BedHistory>, Problem> {
    let id: BedId = parse(&bed)?;
    let at = when.at.as_deref().map_or(Ok(caller.at), |text| read_time("at", text))?;
    let known = when.known.as_deref().map_or(Ok(caller.at), |text| read_time("known", text))?;
    let org = caller.who.org;
    let (patient, mut rows) = api
        .look_up(move |records| {
            Ok((records.who_was_in_bed(org, id, at, known)?, records.bed_history(org, id)?))
        })
        .await?;
    rows.retain(|row| row.known_at <= known);
    rows.sort_by_key(|row| std::cmp::Reverse((row.from, row.known_at)));
    let directory = api.engine.directory();
    trace_all(&api, &caller, &directory, rows.iter().filter_map(|row| row.patient))?;
    let gone = || Problem::not_found("there is no such bed");
    let found = directory.beds.get(&id).ok_or_else(gone)?;
    let unit: CareUnitId = directory.care_unit_of_bed(id).ok_or_else(gone)?;
    let unit_name =
        directory.care_units.get(&unit).map_or_else(String::new, |unit| unit.name.clone());
    let stay = |row: &store::HistoryRow| Stay {
        patient: row.patient.map(|it| named(&directory, it)),
        from: time(row.from),
        known_at: time(row.known_at),
        is_late: row.known_at.since(row.from) >= LATE,
    };
    Ok(Json(BedHistory {
        bed: Named { id: id.to_string(), name: found.name.clone() },
        room: directory.rooms.get(&found.room).map_or_else(String::new, |it| it.name.clone()),
        care_unit: Named { id: unit.to_string(), name: unit_name },
        at: time(at),
        known_at: time(known),
        patient: patient.map(|it| named(&directory, it)),
        lines: rows.iter().map(stay).collect(),
    }))
}

/// A stay that was recorded so much after it began was recorded late.
const LATE: std::time::Duration = std::time::Duration::from_secs(60);

/// A bed's history is a look at everybody who ever lay there.
fn trace_all(
    api: &Api,
    caller: &Caller,
    directory: &Directory,
    patients: impl Iterator<Item = PatientId>,
) -> Result<(), Problem> {
    let seen: std::collections::BTreeSet<PatientId> = patients.collect();
    for patient in seen {
        // Whoever lies there now is traced by the route.
        if caller.resource.patient != Some(patient) {
            // That they lay here is this care unit's to know, wherever they are now.
            let of = patient_resource(directory, patient)?;
            let resource = Resource { care_unit: caller.resource.care_unit, ..of };
            let path = "GET /api/v1/beds/history".to_owned();
            api.permit_look(caller, Action::ReadPatient, resource, path)?;
        }
    }
    Ok(())
}
