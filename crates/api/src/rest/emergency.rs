//! A closed page that opens in an emergency: for a reason, for an hour, under the eyes of
//! whoever runs the care unit, of the patient and of the audit.

use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    http::{Method, StatusCode},
};
use engine::{Directory, EmergencyState};
use model::{CareUnitId, EmergencyAccess, EmergencyId, EmergencyReason, Redacted, UserId};
use record::{AuditEntry, Wish};
use security::{Action, EMERGENCY_UNRECORDED, permit};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    Api,
    command::{in_an_emergency, new_id},
    dto::{
        bed::Named,
        words::{Spelt as _, time},
    },
    extract::{self, Given},
    guard::{Caller, parse},
    limits::EMERGENCIES_SHOWN_MAX,
    problem::Problem,
    rest::session::name_of,
    routes::{Access, Route, Scope},
};

/// A page that was opened in an emergency.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Emergency {
    id: String,
    patient: Named,
    /// Null where the patient lies in no bed now.
    bed: Option<Named>,
    by: Opener,
    /// `life_at_risk`, `called_to_help`, `transfer` or `other`.
    reason: &'static str,
    words: String,
    opened_at: String,
    /// From here on the page is closed again.
    until: String,
    is_open: bool,
    reviewed_at: Option<String>,
    /// Who looked at the reason.
    reviewed_by: Option<String>,
    /// Whether the caller opened it, and so cannot review it.
    is_mine: bool,
}

/// Who opened a page.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Opener {
    name: String,
    role: &'static str,
}

/// The pages of a care unit that were opened in an emergency.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Emergencies {
    care_unit: Named,
    /// Those that wait for somebody to look first, then the latest first.
    items: Vec<Emergency>,
    now: String,
}

/// Why a page is opened.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewEmergency {
    /// `life_at_risk`, `called_to_help`, `transfer` or `other`.
    reason: String,
    /// Needed with `other`.
    #[serde(default)]
    words: String,
}

pub(crate) fn routes() -> Vec<Route> {
    let open = Access::Permitted(Action::OpenInEmergency, Scope::Patient);
    let review = |scope| Access::Permitted(Action::ReviewEmergency, scope);
    vec![
        Route::new(
            Method::POST,
            "/patients/{id}/emergency",
            open,
            "Opens a closed page for an hour, with a reason",
            open_page,
        )
        .takes::<NewEmergency>()
        .answers::<Emergency>()
        .status(201),
        Route::new(
            Method::GET,
            "/care-units/{id}/emergencies",
            review(Scope::CareUnit),
            "Pages that were opened in an emergency, and why",
            list,
        )
        .answers::<Emergencies>(),
        Route::new(
            Method::POST,
            "/emergencies/{id}/review",
            review(Scope::Emergency),
            "The reason was looked at",
            reviewed,
        )
        .answers::<Emergencies>(),
    ]
}

impl Emergency {
    fn of(it: &EmergencyState, directory: &Directory, caller: &Caller) -> Self {
        let patient = directory.patients.get(&it.access.patient);
        let name = patient.map_or_else(String::new, |patient| {
            format!("{} {}", patient.given_name.0, patient.family_name.0).trim().to_owned()
        });
        let bed = directory.bed_of(it.access.patient).and_then(|bed| directory.beds.get(&bed));
        let named = |user: UserId| {
            let user = directory.users.get(&user);
            user.map_or_else(String::new, |user| name_of(directory, user))
        };
        let role = directory.users.get(&it.by).map_or("", |user| user.role.word());
        Self {
            id: it.access.id.to_string(),
            patient: Named { id: it.access.patient.to_string(), name },
            bed: bed.map(|bed| Named { id: bed.id.to_string(), name: bed.name.clone() }),
            by: Opener { name: named(it.by), role },
            reason: it.access.reason.word(),
            words: it.access.words.0.clone(),
            opened_at: time(it.opened_at),
            until: time(it.until),
            is_open: caller.at < it.until,
            reviewed_at: it.reviewed.map(|(_, at)| time(at)),
            reviewed_by: it.reviewed.map(|(by, _)| named(by)),
            is_mine: it.by == caller.who.user,
        }
    }
}

async fn open_page(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Given(given): Given<NewEmergency>,
) -> Result<(StatusCode, Json<Emergency>), Problem> {
    let (id, patient): (EmergencyId, _) = (new_id(caller.at)?, caller.patient()?);
    let reason = EmergencyReason::read(&given.reason)?;
    let open = permit(&caller.who, Action::ReadPatient, &caller.resource);
    // Where a reason is recorded after all, it is better than none.
    if open.is_allowed() && open.rule() != EMERGENCY_UNRECORDED {
        return Err(Problem::conflict("this page is open to you"));
    }
    let words = Redacted(given.words.trim().to_owned());
    let access = EmergencyAccess { id, patient, reason, words };
    // Goes on if nobody waits any more: what is granted late is traced as well.
    let granted = tokio::spawn(grant(Arc::clone(&api), caller.clone(), access));
    in_an_emergency(async { granted.await.map_err(Problem::fault)? }).await?;
    let directory = api.engine.directory();
    let found = directory.emergencies.get(&id);
    let found = found.ok_or_else(|| Problem::fault("an access was granted and is not there"))?;
    Ok((StatusCode::CREATED, Json(Emergency::of(found, &directory, &caller))))
}

/// Asks for the page to open, and leaves the trace of it.
///
/// The route's own trace says that somebody asked; this one says that it was granted and
/// why. It cannot be of one group with the wish, which may be refused; and as the page is
/// open by then, a trace that is lost is for the log, and not for whoever is in a hurry.
async fn grant(api: Arc<Api>, caller: Caller, access: EmergencyAccess) -> Result<(), Problem> {
    let (id, patient, reason) = (access.id, access.patient, access.reason);
    api.ask(&caller, Wish::OpenInEmergency(access)).await?;
    let entry = AuditEntry {
        actor: caller.actor(),
        action: Action::OpenInEmergency.word().to_owned(),
        patient: Some(patient),
        resource: format!("GRANTED /api/v1/emergencies/{id}"),
        allowed: true,
        rule: format!("{} {}", security::EMERGENCY, reason.word()),
        remote: caller.remote.clone(),
    };
    let trace = api.audit(caller.who.org, caller.at, entry);
    tokio::spawn(async move {
        if let Err(error) = trace.await {
            tracing::error!(emergency = %id, %error, "emergency_grant_not_traced");
        }
    });
    Ok(())
}

async fn list(State(api): State<Arc<Api>>, caller: Caller) -> Result<Json<Emergencies>, Problem> {
    shown(&api, &caller).map(Json)
}

async fn reviewed(
    State(api): State<Arc<Api>>,
    caller: Caller,
    extract::Named(id): extract::Named<String>,
) -> Result<Json<Emergencies>, Problem> {
    api.ask(&caller, Wish::ReviewEmergency(parse(&id)?)).await?;
    shown(&api, &caller).map(Json)
}

fn shown(api: &Api, caller: &Caller) -> Result<Emergencies, Problem> {
    let nothing = || Problem::not_found("there is no such care unit");
    let id: CareUnitId = caller.resource.care_unit.ok_or_else(nothing)?;
    let directory = api.engine.directory();
    let unit = directory.care_units.get(&id).ok_or_else(nothing)?;
    let all = directory.emergencies.values().filter(|it| it.concerns(id, &directory));
    let mut all: Vec<&EmergencyState> = all.collect();
    all.sort_by_key(|it| (it.reviewed.is_some(), std::cmp::Reverse(it.opened_at)));
    let items = all.into_iter().take(EMERGENCIES_SHOWN_MAX);
    Ok(Emergencies {
        care_unit: Named { id: id.to_string(), name: unit.name.clone() },
        items: items.map(|it| Emergency::of(it, &directory, caller)).collect(),
        now: time(caller.at),
    })
}
