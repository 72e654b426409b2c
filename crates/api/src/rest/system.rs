//! The state of the server, and the description of this interface.

use std::{sync::Arc, time::Duration};

use axum::{
    Json,
    extract::State,
    http::{Method, header},
    response::{IntoResponse, Response},
};
use security::Action;
use store::{Condition, WhyNot};

use crate::{
    Api,
    dto::{
        system::{Counters, Journal, Latencies, Rates, System},
        words::time,
    },
    guard::Caller,
    openapi,
    problem::Problem,
    routes::{Access, Route, Scope},
};

pub(crate) fn routes() -> Vec<Route> {
    let read = Access::Permitted(Action::ReadSystem, Scope::Org);
    let public = Access::Public("the interface's description names no patient");
    vec![
        Route::new(Method::GET, "/system", read, "How the server is doing", system)
            .answers::<System>(),
        Route::new(Method::GET, "/openapi.json", public, "This description", description),
    ]
}

fn ms(span: Duration) -> f64 {
    (span.as_secs_f64() * 1e6).round() / 1e3
}

async fn system(State(api): State<Arc<Api>>, _caller: Caller) -> Json<System> {
    let (journal, engine, door) = (api.journal.status(), api.engine.status(), api.door.counts());
    let (status, why, since) = match journal.condition {
        Condition::Recording => ("recording", None, None),
        Condition::NotRecording { since, why } => {
            let why = match why {
                WhyNot::Poisoned => "poisoned",
                WhyNot::Full => "full",
            };
            ("not_recording", Some(why), Some(time(since)))
        }
    };
    let (durable, decided) = (engine.receive_to_engine, engine.receive_to_decided);
    Json(System {
        journal: Journal {
            status,
            why,
            since,
            bytes: journal.end.bytes(),
            fsync_us_p50: journal.fsync_p50_us,
            fsync_us_p99: journal.fsync_p99_us,
        },
        rates: Rates {
            messages_per_s: engine.messages_per_s,
            readings_per_s: engine.readings_per_s,
        },
        counters: Counters {
            stored: door.stored,
            duplicates: door.duplicates,
            refused: door.refused,
            dead_letters: door.dead_letters,
            waveform_samples_stored: engine.waveform_samples_stored,
        },
        connections: api.mqtt.as_ref().map_or(0, |mqtt| mqtt.counters().connections),
        latencies: Latencies {
            receive_to_durable_ms_p50: ms(durable.p50),
            receive_to_durable_ms_p99: ms(durable.p99),
            receive_to_decided_ms_p50: ms(decided.p50),
            receive_to_decided_ms_p99: ms(decided.p99),
        },
        version: api.config.version,
        uptime_s: api.clock.elapsed().as_secs(),
    })
}

async fn description() -> Result<Response, Problem> {
    let text = openapi::document().map_err(Problem::fault)?;
    Ok(([(header::CONTENT_TYPE, "application/json")], text).into_response())
}
