//! Hand-over: who goes offers their posts with a note each, who comes accepts, and only
//! then do the posts change hands.

use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    http::{Method, StatusCode},
};
use engine::{AlarmScope, Directory, HandOverState, view};
use model::{BedId, CareUnitId, HandOver, HandOverId, Post, PostNote, Redacted, StaffId};
use record::Wish;
use security::Action;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    Api,
    command::new_id,
    dto::{
        alarm::{Alarm, Person},
        bed::Named,
        words::time,
    },
    extract::{self, Given},
    guard::{Caller, parse},
    problem::Problem,
    routes::{Access, Route, Scope},
};

/// Who looks after a care unit: its posts, who holds them, and what is being handed over.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Shifts {
    care_unit: Named,
    charge: Option<Person>,
    beds: Vec<BedPost>,
    /// Open ones first, then those that were over within a day, the latest first.
    hand_overs: Vec<HandOverShown>,
    now: String,
}

/// A bed as a post.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct BedPost {
    bed: Named,
    room: String,
    /// Null if nobody lies there.
    patient: Option<Named>,
    nurse: Option<Person>,
    /// Somebody lies there and nobody looks after them.
    is_unassigned: bool,
    /// Standing alarms of the patient, most urgent first.
    alarms: Vec<Alarm>,
}

/// A hand-over with its notes.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct HandOverShown {
    id: String,
    from: Person,
    to: Person,
    offered_at: String,
    /// `open`, `accepted` or `ended`.
    state: &'static str,
    /// When it was accepted or ended.
    ended_at: Option<String>,
    posts: Vec<PostShown>,
    /// The caller is to accept it.
    is_for_me: bool,
    /// The caller offered it.
    is_mine: bool,
}

/// One post of a hand-over.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PostShown {
    /// Null for the charge post.
    bed: Option<Named>,
    patient: Option<Named>,
    note: String,
    /// Whoever goes still holds it.
    is_held: bool,
}

/// A hand-over to be offered.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewHandOver {
    /// Who comes.
    to: String,
    posts: Vec<NewPost>,
}

/// A post to be handed over.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPost {
    /// Null hands the charge post over.
    bed: Option<String>,
    #[serde(default)]
    note: String,
}

pub(crate) fn routes() -> Vec<Route> {
    let at = |action| Access::Permitted(action, Scope::CareUnit);
    let take = Access::Permitted(Action::TakeHandOver, Scope::HandOver);
    vec![
        Route::new(
            Method::GET,
            "/care-units/{id}/shift",
            at(Action::ReadHandOvers),
            "Who looks after whom, and what is being handed over",
            shifts,
        )
        .answers::<Shifts>(),
        Route::new(
            Method::POST,
            "/care-units/{id}/hand-overs",
            at(Action::OfferHandOver),
            "Offers the own posts to the next shift",
            offer,
        )
        .takes::<NewHandOver>()
        .answers::<Shifts>()
        .status(201),
        Route::new(
            Method::POST,
            "/hand-overs/{id}/acceptance",
            take,
            "Accepts a hand-over: the posts change hands now",
            accept,
        )
        .answers::<Shifts>(),
        Route::new(
            Method::DELETE,
            "/hand-overs/{id}",
            take,
            "Takes an offer back, or does not take it up",
            end,
        )
        .answers::<Shifts>(),
    ]
}

fn unit_of(caller: &Caller) -> Result<CareUnitId, Problem> {
    caller.resource.care_unit.ok_or_else(|| Problem::not_found("there is no such care unit"))
}

async fn shifts(State(api): State<Arc<Api>>, caller: Caller) -> Result<Json<Shifts>, Problem> {
    shown(&api, &caller).await.map(Json)
}

async fn shown(api: &Api, caller: &Caller) -> Result<Shifts, Problem> {
    let id = unit_of(caller)?;
    let alarms = api.engine.alarms(AlarmScope::CareUnit(id)).await.unwrap_or_default();
    let directory = api.engine.directory();
    let unit = directory.care_units.get(&id);
    let unit = unit.ok_or_else(|| Problem::not_found("there is no such care unit"))?;
    let me = caller.who.staff;
    let beds = directory.beds_of(id).into_iter().map(|bed| bed_post(&directory, bed, &alarms, me));
    let mut hand_overs: Vec<&HandOverState> =
        directory.hand_overs.values().filter(|it| it.hand_over.care_unit == id).collect();
    let newest_first = |it: &&HandOverState| {
        let at = it.ended.map_or(it.offered_at, |(_, at)| at);
        (it.ended.is_some(), std::cmp::Reverse(at))
    };
    hand_overs.sort_by_key(newest_first);
    Ok(Shifts {
        care_unit: Named { id: id.to_string(), name: unit.name.clone() },
        charge: directory.charge_of(id).map(|staff| Person::of(&directory, staff)),
        beds: beds.collect(),
        hand_overs: hand_overs.into_iter().map(|it| hand_over(&directory, it, me)).collect(),
        now: time(caller.at),
    })
}

fn bed_post(
    directory: &Directory,
    bed: &model::Bed,
    alarms: &[view::Alarm],
    me: Option<StaffId>,
) -> BedPost {
    let patient = directory.patient_in(bed.id);
    let nurse = directory.nurse_of(bed.id);
    let of_patient = alarms.iter().filter(|alarm| patient.is_some() && alarm.patient == patient);
    BedPost {
        bed: Named { id: bed.id.to_string(), name: bed.name.clone() },
        room: directory.rooms.get(&bed.room).map_or_else(String::new, |room| room.name.clone()),
        patient: patient_in(directory, bed.id),
        nurse: nurse.map(|staff| Person::of(directory, staff)),
        is_unassigned: patient.is_some() && nurse.is_none(),
        alarms: of_patient.map(|alarm| Alarm::of(alarm, directory, me)).collect(),
    }
}

fn patient_in(directory: &Directory, bed: BedId) -> Option<Named> {
    let patient = directory.patients.get(&directory.patient_in(bed)?)?;
    let name = format!("{} {}", patient.given_name.0, patient.family_name.0);
    Some(Named { id: patient.id.to_string(), name: name.trim().to_owned() })
}

fn hand_over(directory: &Directory, it: &HandOverState, me: Option<StaffId>) -> HandOverShown {
    let HandOver { id, from, to, ref posts, .. } = it.hand_over;
    let state = match it.ended {
        None => "open",
        Some((true, _)) => "accepted",
        Some((false, _)) => "ended",
    };
    HandOverShown {
        id: id.to_string(),
        from: Person::of(directory, from),
        to: Person::of(directory, to),
        offered_at: time(it.offered_at),
        state,
        ended_at: it.ended.map(|(_, at)| time(at)),
        posts: posts.iter().map(|post| post_shown(directory, post, from)).collect(),
        is_for_me: me == Some(to),
        is_mine: me == Some(from),
    }
}

fn post_shown(directory: &Directory, it: &PostNote, from: StaffId) -> PostShown {
    let bed = match it.post {
        Post::Bed(bed) => directory.beds.get(&bed),
        Post::Charge(_) => None,
    };
    PostShown {
        bed: bed.map(|bed| Named { id: bed.id.to_string(), name: bed.name.clone() }),
        patient: bed.and_then(|bed| patient_in(directory, bed.id)),
        note: it.note.0.clone(),
        is_held: directory.holder_of(it.post) == Some(from),
    }
}

async fn offer(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Given(given): Given<NewHandOver>,
) -> Result<(StatusCode, Json<Shifts>), Problem> {
    let care_unit = unit_of(&caller)?;
    let nameless = || Problem::forbidden("only a member of staff hands over");
    let from = caller.who.staff.ok_or_else(nameless)?;
    let post = |it: NewPost| {
        let post = match it.bed.as_deref() {
            Some(bed) => Post::Bed(parse(bed)?),
            None => Post::Charge(care_unit),
        };
        Ok(PostNote { post, note: Redacted(it.note.trim().to_owned()) })
    };
    let posts = given.posts.into_iter().map(post).collect::<Result<_, Problem>>()?;
    let id: HandOverId = new_id(caller.at)?;
    let wish = Wish::OfferHandOver(HandOver { id, care_unit, from, to: parse(&given.to)?, posts });
    api.ask(&caller, wish).await?;
    Ok((StatusCode::CREATED, Json(shown(&api, &caller).await?)))
}

async fn accept(
    State(api): State<Arc<Api>>,
    caller: Caller,
    extract::Named(id): extract::Named<String>,
) -> Result<Json<Shifts>, Problem> {
    api.ask(&caller, Wish::AcceptHandOver(parse(&id)?)).await?;
    shown(&api, &caller).await.map(Json)
}

async fn end(
    State(api): State<Arc<Api>>,
    caller: Caller,
    extract::Named(id): extract::Named<String>,
) -> Result<Json<Shifts>, Problem> {
    api.ask(&caller, Wish::EndHandOver(parse(&id)?)).await?;
    shown(&api, &caller).await.map(Json)
}
