//! Which gateway speaks for a device.

use std::sync::Arc;

use axum::{Json, extract::State, http::Method};
use model::{Binding, DeviceId};
use record::Wish;
use security::Action;

use crate::{
    Api,
    dto::{device, fleet::SetGateway},
    extract::{Given, Named},
    guard::{Caller, parse},
    problem::Problem,
    routes::{Access, Route, Scope},
};

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::new(
            Method::PUT,
            "/devices/{id}/gateway",
            Access::Permitted(Action::BindDevice, Scope::Device),
            "Says which gateway speaks for a device from now on, or that it speaks for itself",
            bind,
        )
        .takes::<SetGateway>()
        .answers::<device::Device>(),
    ]
}

async fn bind(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Named(id): Named<String>,
    Given(given): Given<SetGateway>,
) -> Result<Json<device::Device>, Problem> {
    let id: DeviceId = parse(&id)?;
    let value = given.gateway.as_deref().map(parse).transpose()?;
    let line = Binding { key: id, value, from: caller.at, known_at: caller.at };
    api.ask(&caller, Wish::Bind(line)).await?;
    api.show_device(&caller, id).await.map(Json)
}
