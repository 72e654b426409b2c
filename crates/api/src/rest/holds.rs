//! Legal holds: what has to stay in the journal as it was received, by whom and why.

use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    http::{Method, StatusCode},
};
use engine::{Directory, HoldState};
use model::{Hold, HoldId, HoldOf, Redacted};
use record::{Actor, Wish};
use security::Action;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::session::name_of;
use crate::{
    Api,
    command::new_id,
    dto::words::{read_time, time},
    extract::{Given, Named},
    guard::{Caller, parse},
    problem::Problem,
    routes::{Access, Route, Scope},
};

/// Something that has to stay as it was received.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct HoldShown {
    id: String,
    /// Whose devices are held, if it is of a patient.
    patient: Option<String>,
    /// From which receipt on, if it is of a span.
    from: Option<String>,
    /// Before which receipt, if it is of a span.
    to: Option<String>,
    why: String,
    by: Option<String>,
    since: String,
    ended_by: Option<String>,
    ended_at: Option<String>,
}

/// Legal holds.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Holds {
    /// Those that hold first, then the latest first.
    items: Vec<HoldShown>,
}

/// What is to be held: a patient, or a span of receipts.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewHold {
    /// Every device that was ever said to be on this patient.
    patient: Option<String>,
    /// RFC 3339 or unix milliseconds; with `to`, in place of a patient.
    from: Option<String>,
    to: Option<String>,
    /// Such as the number of a case.
    why: String,
}

/// Why a hold is ended.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EndHold {
    why: String,
}

pub(crate) fn routes() -> Vec<Route> {
    let hold = || Access::Permitted(Action::HoldData, Scope::Org);
    vec![
        Route::new(Method::GET, "/holds", hold(), "What has to stay as it was received", list)
            .answers::<Holds>(),
        Route::new(
            Method::POST,
            "/holds",
            hold(),
            "Holds everything of a patient, or of a span, against thinning",
            put,
        )
        .takes::<NewHold>()
        .answers::<Holds>()
        .status(201),
        Route::new(Method::POST, "/holds/{hold}/end", hold(), "The hold holds no longer", end)
            .takes::<EndHold>()
            .answers::<Holds>(),
    ]
}

impl HoldShown {
    fn of(it: &HoldState, directory: &Directory) -> Self {
        let named = |actor: Actor| match actor {
            Actor::User(user) => directory.users.get(&user).map(|user| name_of(directory, user)),
            Actor::Device(_) | Actor::System => None,
        };
        let (patient, span) = match it.hold.of {
            HoldOf::Patient(patient) => (Some(patient.to_string()), None),
            HoldOf::Received { from, to } => (None, Some((time(from), time(to)))),
        };
        let (from, to) = span.unzip();
        Self {
            id: it.hold.id.to_string(),
            patient,
            from,
            to,
            why: it.hold.why.0.clone(),
            by: named(it.by),
            since: time(it.since),
            ended_by: it.ended.and_then(|(by, _)| named(by)),
            ended_at: it.ended.map(|(_, at)| time(at)),
        }
    }
}

fn shown(api: &Api, caller: &Caller) -> Json<Holds> {
    let directory = api.engine.directory();
    let own = directory.holds.values().filter(|it| it.hold.org == caller.who.org);
    let mut own: Vec<_> = own.collect();
    own.sort_by_key(|it| (it.ended.is_some(), std::cmp::Reverse((it.since, it.hold.id))));
    Json(Holds { items: own.into_iter().map(|it| HoldShown::of(it, &directory)).collect() })
}

async fn list(State(api): State<Arc<Api>>, caller: Caller) -> Json<Holds> {
    shown(&api, &caller)
}

async fn put(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Given(given): Given<NewHold>,
) -> Result<(StatusCode, Json<Holds>), Problem> {
    let of = match (&given.patient, &given.from, &given.to) {
        (Some(patient), None, None) => HoldOf::Patient(parse(patient)?),
        (None, Some(from), Some(to)) => {
            HoldOf::Received { from: read_time("from", from)?, to: read_time("to", to)? }
        }
        _ => return Err(Problem::bad_request("say `patient`, or `from` and `to`")),
    };
    let id: HoldId = new_id(caller.at)?;
    let why = Redacted(given.why.trim().to_owned());
    api.ask(&caller, Wish::PutHold(Hold { id, org: caller.who.org, of, why })).await?;
    Ok((StatusCode::CREATED, shown(&api, &caller)))
}

async fn end(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Named(id): Named<String>,
    Given(given): Given<EndHold>,
) -> Result<Json<Holds>, Problem> {
    let why = Redacted(given.why.trim().to_owned());
    api.ask(&caller, Wish::EndHold { hold: parse(&id)?, why }).await?;
    Ok(shown(&api, &caller))
}
