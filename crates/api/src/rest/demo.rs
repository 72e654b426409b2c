//! Making things happen in the virtual hospital of a demo; elsewhere there is no such address.

use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    http::{Method, StatusCode},
};

use crate::{
    Api,
    dto::demo::{DemoCatalogue, DemoEvent},
    extract::Given,
    problem::Problem,
    routes::{Access, Route},
};

pub(crate) fn routes() -> Vec<Route> {
    vec![
        Route::new(
            Method::GET,
            "/demo/events",
            Access::SignedIn,
            "What may be made to happen in the demo's virtual hospital",
            catalogue,
        )
        .answers::<DemoCatalogue>(),
        Route::new(
            Method::POST,
            "/demo/events",
            Access::SignedIn,
            "Makes something happen in the demo's virtual hospital",
            order,
        )
        .takes::<DemoEvent>()
        .status(204),
    ]
}

fn nowhere() -> Problem {
    Problem::not_found("there is no virtual hospital here; `wardline demo` has one")
}

async fn catalogue(State(api): State<Arc<Api>>) -> Result<Json<DemoCatalogue>, Problem> {
    let found = api.config.demo.then(|| api.demo_desk().catalogue()).flatten();
    let catalogue = serde_json::from_value(found.ok_or_else(nowhere)?);
    catalogue.map(Json).map_err(Problem::fault)
}

async fn order(
    State(api): State<Arc<Api>>,
    Given(event): Given<DemoEvent>,
) -> Result<StatusCode, Problem> {
    if !api.config.demo {
        return Err(nowhere());
    }
    let desk = api.demo_desk();
    let order = serde_json::to_value(&event).map_err(Problem::fault)?;
    let answer = desk.ask(order).await.ok_or_else(nowhere)?;
    answer.map_err(Problem::bad_request)?;
    Ok(StatusCode::NO_CONTENT)
}
