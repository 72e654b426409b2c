//! A dead letter goes through the door again, once its cause is mended.

use std::sync::Arc;

use axum::{Json, extract::State, http::Method};
use ingest::{ReplayAsked, ReplayError};
use model::DeadLetterId;
use security::Action;

use crate::{
    Api,
    dto::device::DeadLetter,
    extract::Named,
    guard::{Caller, parse},
    problem::Problem,
    routes::{Access, Route, Scope},
};

pub(crate) fn routes() -> Vec<Route> {
    vec![
        Route::new(
            Method::POST,
            "/dead-letters/{id}/replay",
            Access::Permitted(Action::ReplayDeadLetter, Scope::Org),
            "Takes a dead letter again, through the same door; it is taken in once",
            replay,
        )
        .answers::<DeadLetter>(),
    ]
}

async fn replay(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Named(id): Named<String>,
) -> Result<Json<DeadLetter>, Problem> {
    let id: DeadLetterId = parse(&id)?;
    let org = caller.who.org;
    let row = api.look_up(move |records| records.dead_letter(org, id)).await?;
    let row = row.ok_or_else(|| Problem::not_found("there is no such dead letter"))?;
    let before = api.look_up(move |records| records.replays(org, id)).await?;
    if before.iter().any(|replay| replay.replayed.mended) {
        return Err(Problem::conflict(ReplayError::Already));
    }
    let asked = ReplayAsked { org, by: caller.who.user, at: caller.at };
    // Taken to its end even if the page goes away meanwhile.
    let (door, letter, came_at) = (Arc::clone(&api.door), row.letter.clone(), row.at);
    let done = tokio::spawn(async move { door.replay(&letter, came_at, asked).await });
    let replayed = done.await.map_err(Problem::fault)?.map_err(|error| match error {
        ReplayError::Already => Problem::conflict(error),
        ReplayError::NotDurable(_) => Problem::not_recording(error),
    })?;
    let shown = DeadLetter::of(&row, &api.engine.directory());
    let login = api.engine.directory().users.get(&caller.who.user).map(|user| user.login.clone());
    let tried = crate::dto::device::Replay::new(caller.at, login, replayed);
    Ok(Json(shown.with_payload(&row.letter.payload).with_replays(vec![tried])))
}
