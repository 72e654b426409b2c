//! Sites, care units, rooms and beds.

use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    http::{Method, StatusCode},
};
use engine::Directory;
use model::{Bed, BedId, CareUnit, CareUnitId, OrgId, Role, Room, RoomId, Site, SiteId};
use record::Wish;
use security::Action;

use crate::{
    Api,
    command::new_id,
    dto::{
        bed::Board,
        place::{NewBed, NewCareUnit, NewRoom, NewSite, Place, Rename},
    },
    extract::{Asked, Given, Named},
    guard::{Caller, parse},
    paging::{Page, PageQuery},
    problem::Problem,
    routes::{Access, Route, Scope},
};

pub(crate) fn routes() -> Vec<Route> {
    let read = Access::Permitted(Action::ReadPlaces, Scope::Org);
    let read_unit = Access::Permitted(Action::ReadPlaces, Scope::CareUnitOfQuery);
    let write = Access::Permitted(Action::WritePlaces, Scope::Org);
    let board = Access::Permitted(Action::ReadBoard, Scope::CareUnit);
    let list = |route: Route| route.lists::<Place>();
    let of_unit = |route: Route| route.query("care_unit", "Only those of this care unit");
    let post = |route: Route| route.answers::<Place>().status(201);
    let put = |route: Route| route.takes::<Rename>().answers::<Place>();
    vec![
        put(Route::new(Method::PUT, "/sites/{id}", write, "Renames a site", rename_site)),
        put(Route::new(
            Method::PUT,
            "/care-units/{id}",
            write,
            "Renames a care unit",
            rename_care_unit,
        )),
        put(Route::new(Method::PUT, "/rooms/{id}", write, "Renames a room", rename_room)),
        put(Route::new(Method::PUT, "/beds/{id}", write, "Renames a bed", rename_bed)),
        list(Route::new(Method::GET, "/sites", read, "Sites", sites)),
        post(Route::new(Method::POST, "/sites", write, "Adds a site", add_site).takes::<NewSite>()),
        list(Route::new(Method::GET, "/care-units", read, "Care units", care_units)),
        post(
            Route::new(Method::POST, "/care-units", write, "Adds a care unit", add_care_unit)
                .takes::<NewCareUnit>(),
        ),
        of_unit(list(Route::new(Method::GET, "/rooms", read_unit, "Rooms", rooms))),
        post(Route::new(Method::POST, "/rooms", write, "Adds a room", add_room).takes::<NewRoom>()),
        of_unit(list(Route::new(Method::GET, "/beds", read_unit, "Beds", beds))),
        post(Route::new(Method::POST, "/beds", write, "Adds a bed", add_bed).takes::<NewBed>()),
        Route::new(
            Method::GET,
            "/care-units/{id}/board",
            board,
            "The ward board, with the cursor to follow it from",
            show_board,
        )
        .answers::<Board>(),
    ]
}

type Listed = Result<Json<Page<Place>>, Problem>;
type Added = Result<(StatusCode, Json<Place>), Problem>;

const fn added(place: Place) -> (StatusCode, Json<Place>) {
    (StatusCode::CREATED, Json(place))
}

async fn sites(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Asked(page): Asked<PageQuery>,
) -> Listed {
    let directory = api.engine.directory();
    let mut own: Vec<&Site> =
        directory.sites.values().filter(|site| site.org == caller.who.org).collect();
    own.sort_by(|a, b| (&a.name, a.id).cmp(&(&b.name, b.id)));
    page.cut(own.into_iter().map(|site| Place::new(site.id, &site.name))).map(Json)
}

async fn care_units(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Asked(page): Asked<PageQuery>,
) -> Listed {
    let directory = api.engine.directory();
    page.cut(units_of(&directory, caller.who.org).into_iter().map(care_unit)).map(Json)
}

pub(crate) fn units_of(directory: &Directory, org: OrgId) -> Vec<&CareUnit> {
    let all = directory.care_units.values();
    let mut units: Vec<&CareUnit> =
        all.filter(|unit| directory.org_of_site(unit.site) == Some(org)).collect();
    units.sort_by(|a, b| (&a.name, a.id).cmp(&(&b.name, b.id)));
    units
}

/// The care unit that was asked about, else all of the organization.
fn asked_units(directory: &Directory, caller: &Caller) -> Vec<CareUnitId> {
    match caller.resource.care_unit {
        Some(unit) => vec![unit],
        None => units_of(directory, caller.who.org).into_iter().map(|unit| unit.id).collect(),
    }
}

fn care_unit(unit: &CareUnit) -> Place {
    Place { site_id: Some(unit.site.to_string()), ..Place::new(unit.id, &unit.name) }
}

fn room(room: &Room) -> Place {
    Place { care_unit_id: Some(room.care_unit.to_string()), ..Place::new(room.id, &room.name) }
}

async fn rooms(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Asked(page): Asked<PageQuery>,
) -> Listed {
    let directory = api.engine.directory();
    let units = asked_units(&directory, &caller);
    page.cut(units.into_iter().flat_map(|unit| directory.rooms_of(unit)).map(room)).map(Json)
}

async fn beds(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Asked(page): Asked<PageQuery>,
) -> Listed {
    let directory = api.engine.directory();
    let units = asked_units(&directory, &caller);
    // Those who look after machines do not learn who lies where.
    let may_know = caller.who.role != Role::It;
    let bed = |bed: &Bed| Place {
        room_id: Some(bed.room.to_string()),
        care_unit_id: directory.care_unit_of_bed(bed.id).map(|unit| unit.to_string()),
        patient: directory
            .patient_in(bed.id)
            .filter(|_| may_know)
            .map(|patient| patient.to_string()),
        ..Place::new(bed.id, &bed.name)
    };
    page.cut(units.into_iter().flat_map(|unit| directory.beds_of(unit)).map(bed)).map(Json)
}

async fn add_site(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Given(given): Given<NewSite>,
) -> Added {
    let site = Site { id: new_id(caller.at)?, org: caller.who.org, name: given.name };
    let place = Place::new(site.id, &site.name);
    api.ask(&caller, Wish::PutSite(site)).await?;
    Ok(added(place))
}

async fn add_care_unit(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Given(given): Given<NewCareUnit>,
) -> Added {
    let site: SiteId = parse(&given.site_id)?;
    let unit = CareUnit { id: new_id(caller.at)?, site, name: given.name };
    let place = care_unit(&unit);
    api.ask(&caller, Wish::PutCareUnit(unit)).await?;
    Ok(added(place))
}

async fn add_room(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Given(given): Given<NewRoom>,
) -> Added {
    let new =
        Room { id: new_id(caller.at)?, care_unit: parse(&given.care_unit_id)?, name: given.name };
    let place = room(&new);
    api.ask(&caller, Wish::PutRoom(new)).await?;
    Ok(added(place))
}

async fn add_bed(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Given(given): Given<NewBed>,
) -> Added {
    let bed = Bed { id: new_id(caller.at)?, room: parse(&given.room_id)?, name: given.name };
    let place = Place { room_id: Some(bed.room.to_string()), ..Place::new(bed.id, &bed.name) };
    api.ask(&caller, Wish::PutBed(bed)).await?;
    Ok(added(place))
}

type Renamed = Result<Json<Place>, Problem>;

async fn rename_site(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Named(id): Named<String>,
    Given(given): Given<Rename>,
) -> Renamed {
    let id: SiteId = parse(&id)?;
    let site = api.engine.directory().sites.get(&id).cloned();
    let site = Site { name: given.name, ..site.ok_or_else(|| nothing("site"))? };
    let place = Place::new(site.id, &site.name);
    api.ask(&caller, Wish::PutSite(site)).await?;
    Ok(Json(place))
}

async fn rename_care_unit(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Named(id): Named<String>,
    Given(given): Given<Rename>,
) -> Renamed {
    let id: CareUnitId = parse(&id)?;
    let unit = api.engine.directory().care_units.get(&id).cloned();
    let unit = CareUnit { name: given.name, ..unit.ok_or_else(|| nothing("care unit"))? };
    let place = care_unit(&unit);
    api.ask(&caller, Wish::PutCareUnit(unit)).await?;
    Ok(Json(place))
}

async fn rename_room(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Named(id): Named<String>,
    Given(given): Given<Rename>,
) -> Renamed {
    let id: RoomId = parse(&id)?;
    let found = api.engine.directory().rooms.get(&id).cloned();
    let new = Room { name: given.name, ..found.ok_or_else(|| nothing("room"))? };
    let place = room(&new);
    api.ask(&caller, Wish::PutRoom(new)).await?;
    Ok(Json(place))
}

async fn rename_bed(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Named(id): Named<String>,
    Given(given): Given<Rename>,
) -> Renamed {
    let id: BedId = parse(&id)?;
    let bed = api.engine.directory().beds.get(&id).cloned();
    let bed = Bed { name: given.name, ..bed.ok_or_else(|| nothing("bed"))? };
    let place = Place { room_id: Some(bed.room.to_string()), ..Place::new(bed.id, &bed.name) };
    api.ask(&caller, Wish::PutBed(bed)).await?;
    Ok(Json(place))
}

fn nothing(what: &str) -> Problem {
    Problem::not_found(format!("there is no such {what}"))
}

async fn show_board(State(api): State<Arc<Api>>, caller: Caller) -> Result<Json<Board>, Problem> {
    let nothing = || Problem::not_found("there is no such care unit");
    let unit = caller.resource.care_unit.ok_or_else(nothing)?;
    let board = api.engine.board(unit).await.ok_or_else(nothing)?;
    Ok(Json(Board::of(&board, &api.engine.directory(), caller.who.staff)))
}
