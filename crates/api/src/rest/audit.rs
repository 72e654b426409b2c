//! The messages that could not be taken in.

use std::sync::Arc;

use axum::{Json, extract::State, http::Method};
use model::DeadLetterId;
use security::Action;
use store::LogOffset;

use crate::{
    Api,
    dto::device::{DeadLetter, Replay},
    extract::{Asked, Named},
    guard::{Caller, parse},
    paging::{Page, PageQuery, cursor},
    problem::Problem,
    routes::{Access, Route, Scope},
};

pub(crate) fn routes() -> Vec<Route> {
    let letters = Access::Permitted(Action::ReadDeadLetters, Scope::Org);
    vec![
        Route::new(
            Method::GET,
            "/dead-letters",
            letters,
            "Messages that could not be taken in, the latest first",
            list,
        )
        .lists::<DeadLetter>(),
        Route::new(Method::GET, "/dead-letters/{id}", letters, "One such message, whole", show)
            .answers::<DeadLetter>(),
    ]
}

/// Takes the one more that was read off a page again, and says where the next one begins.
pub(crate) fn paged<T>(
    rows: &mut Vec<T>,
    len: usize,
    place: impl Fn(&T) -> LogOffset,
) -> Option<String> {
    let more = rows.len() > len;
    rows.truncate(len);
    rows.last().filter(|_| more).map(|row| cursor(place(row).bytes()))
}

async fn list(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Asked(page): Asked<PageQuery>,
) -> Result<Json<Page<DeadLetter>>, Problem> {
    let (len, before) = (page.len()?, page.after()?.map(LogOffset::from_bytes));
    let org = caller.who.org;
    let mut rows = api
        .look_up(move |records| records.dead_letters(org, before, len.saturating_add(1)))
        .await?;
    let next = paged(&mut rows, len, |row| row.offset);
    let directory = api.engine.directory();
    let ids: Vec<DeadLetterId> = rows.iter().map(|row| row.letter.id).collect();
    let replays = api
        .look_up(move |records| ids.iter().map(|id| records.replays(org, *id)).collect())
        .await?;
    let replays: Vec<Vec<store::ReplayRow>> = replays;
    let show = |(row, tried): (&store::LetterRow, Vec<store::ReplayRow>)| {
        let tried = tried.into_iter().map(|it| Replay::of(it, &directory)).collect();
        DeadLetter::of(row, &directory).with_replays(tried)
    };
    Ok(Json(Page { items: rows.iter().zip(replays).map(show).collect(), next }))
}

async fn show(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Named(id): Named<String>,
) -> Result<Json<DeadLetter>, Problem> {
    let id: DeadLetterId = parse(&id)?;
    let org = caller.who.org;
    let row = api.look_up(move |records| records.dead_letter(org, id)).await?;
    let row = row.ok_or_else(|| Problem::not_found("there is no such dead letter"))?;
    let tried = api.look_up(move |records| records.replays(org, id)).await?;
    let directory = api.engine.directory();
    let tried = tried.into_iter().map(|it| Replay::of(it, &directory)).collect();
    let shown = DeadLetter::of(&row, &directory).with_payload(&row.letter.payload);
    Ok(Json(shown.with_replays(tried)))
}
