//! A patient lets somebody they name read their own page, until a day or until they take it
//! back.

use std::{ops::RangeInclusive, sync::Arc, time::Duration};

use axum::{
    Json,
    extract::State,
    http::{Method, StatusCode},
};
use engine::Directory;
use model::{PatientId, Redacted, Share, Timestamp, UserId};
use record::Wish;
use security::{Action, sha256};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::own::{Own, show};
use crate::{
    Api,
    auth::token,
    command::new_id,
    dto::words::time,
    extract::{Given, Named},
    guard::{Caller, parse},
    limits::INVITATION_LASTS,
    problem::Problem,
    routes::{Access, Route, Scope},
};

/// Somebody with whom a patient shares.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Shared {
    /// Names the share.
    id: String,
    /// What the patient calls them.
    name: String,
    /// What they type at sign-in.
    login: String,
    since: String,
    until: String,
    /// Whether they have used their link.
    has_entered: bool,
}

/// With whom, and for how long.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewShare {
    name: String,
    /// From 1 to 90.
    days: u32,
}

/// What is shared now, with the link for the one who was named.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Sharing {
    own: Own,
    name: String,
    login: String,
    /// Path of the link; shown once.
    invitation: String,
    expires_at: String,
}

/// For how many days a page is shared.
const DAYS: RangeInclusive<u32> = 1..=90;

pub(crate) fn routes() -> Vec<Route> {
    let share = || Access::Permitted(Action::ShareOwn, Scope::Own);
    vec![
        Route::new(
            Method::POST,
            "/own/shares",
            share(),
            "Lets somebody read the own page, by a one-time link",
            begin,
        )
        .takes::<NewShare>()
        .answers::<Sharing>()
        .status(201),
        Route::new(
            Method::DELETE,
            "/own/shares/{id}",
            share(),
            "Takes it back: whoever had it is signed out",
            end,
        )
        .answers::<Own>(),
    ]
}

impl Shared {
    /// Everybody with whom a patient shares now, by name.
    pub(crate) fn all(directory: &Directory, patient: PatientId, now: Timestamp) -> Vec<Self> {
        let mut all: Vec<Self> = directory
            .shares_of(patient, now)
            .map(|it| {
                let user = directory.users.get(&it.share.user);
                Self {
                    id: it.share.user.to_string(),
                    name: it.share.name.0.clone(),
                    login: it.share.login.clone(),
                    since: time(it.since),
                    until: time(it.share.until),
                    has_entered: user.is_some_and(|user| user.password_hash.is_some()),
                }
            })
            .collect();
        all.sort_by(|a, b| (&a.name, &a.id).cmp(&(&b.name, &b.id)));
        all
    }
}

/// A login that says whose it is: the letters of the name, and what tells it from others.
fn login(name: &str, user: UserId) -> String {
    let plain = name.chars().filter(char::is_ascii_alphanumeric).take(20);
    let plain: String = plain.map(|c| c.to_ascii_lowercase()).collect();
    let id = user.to_string();
    let tail = id.get(id.len().saturating_sub(6)..).unwrap_or_default();
    let name = if plain.is_empty() { "guest" } else { &plain };
    format!("{name}-{tail}")
}

async fn begin(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Given(given): Given<NewShare>,
) -> Result<(StatusCode, Json<Sharing>), Problem> {
    let user: UserId = new_id(caller.at)?;
    let name = given.name.trim().to_owned();
    if !DAYS.contains(&given.days) {
        let (first, last) = (DAYS.start(), DAYS.end());
        let words = format!("days is {}; a page is shared for {first} to {last} days", given.days);
        return Err(Problem::bad_request(words));
    }
    let lasts = Duration::from_secs(u64::from(given.days).saturating_mul(86_400));
    let (token, until) = (token()?, caller.at.after(lasts));
    let link_until = until.min(caller.at.after(INVITATION_LASTS));
    let login = login(&name, user);
    let share = Share {
        user,
        patient: caller.patient()?,
        login: login.clone(),
        name: Redacted(name.clone()),
        token_hash: sha256(token.as_bytes()),
        link_until,
        until,
    };
    api.ask(&caller, Wish::Share(share)).await?;
    let own = show(&api, &caller).await?;
    let (invitation, expires_at) = (format!("/invite/{token}"), time(link_until));
    Ok((StatusCode::CREATED, Json(Sharing { own, name, login, invitation, expires_at })))
}

async fn end(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Named(id): Named<String>,
) -> Result<Json<Own>, Problem> {
    api.ask(&caller, Wish::EndShare(parse(&id)?)).await?;
    show(&api, &caller).await.map(Json)
}

#[test]
fn a_login_is_made_of_the_name_and_of_what_no_other_has() {
    let user = UserId::v7(Timestamp::from_unix_millis(0), 0xab_cdef);
    for (name, want) in [
        ("Anna", "anna-abcdef"),
        ("José María", "josmara-abcdef"),
        ("Анна", "guest-abcdef"),
        ("", "guest-abcdef"),
    ] {
        assert_eq!(login(name, user), want);
    }
}
