//! Who looked at what, and the messages that could not be taken in.

use std::sync::Arc;

use axum::{Json, extract::State, http::Method};
use model::DeadLetterId;
use security::Action;
use serde::Deserialize;
use store::{AuditFilter, LogOffset};

use crate::{
    Api,
    dto::{audit::AuditRecord, device::DeadLetter},
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
            "/audit",
            Access::Permitted(Action::ReadAudit, Scope::Org),
            "Who looked at what, the latest first",
            audit,
        )
        .query("patient", "Only about this patient")
        .query("actor", "Only by this user")
        .lists::<AuditRecord>(),
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

#[derive(Debug, Deserialize)]
struct Which {
    patient: Option<String>,
    actor: Option<String>,
    cursor: Option<String>,
    limit: Option<usize>,
}

/// Takes the one more that was read off a page again, and says where the next one begins.
fn paged<T>(rows: &mut Vec<T>, len: usize, place: impl Fn(&T) -> LogOffset) -> Option<String> {
    let more = rows.len() > len;
    rows.truncate(len);
    rows.last().filter(|_| more).map(|row| cursor(place(row).bytes()))
}

async fn audit(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Asked(which): Asked<Which>,
) -> Result<Json<Page<AuditRecord>>, Problem> {
    let page = PageQuery { cursor: which.cursor, limit: which.limit };
    let len = page.len()?;
    let filter = AuditFilter {
        patient: which.patient.as_deref().map(parse).transpose()?,
        user: which.actor.as_deref().map(parse).transpose()?,
        before: page.after()?.map(LogOffset::from_bytes),
    };
    let org = caller.who.org;
    let mut rows =
        api.look_up(move |records| records.audit(org, &filter, len.saturating_add(1))).await?;
    let next = paged(&mut rows, len, |row| row.offset);
    let directory = api.engine.directory();
    Ok(Json(Page {
        items: rows.iter().map(|row| AuditRecord::of(row, &directory)).collect(),
        next,
    }))
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
    Ok(Json(Page { items: rows.iter().map(|row| DeadLetter::of(row, &directory)).collect(), next }))
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
    Ok(Json(DeadLetter::of(&row, &api.engine.directory()).with_payload(&row.letter.payload)))
}
