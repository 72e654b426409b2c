//! Answers that may be long: made, and written as JSON, on a thread that may take its time.
//!
//! An hour of a waveform is four megabytes of numbers. The few threads that serve everybody
//! else, devices among them, do not write them.

use axum::{
    http::header,
    response::{IntoResponse, Response},
};
use serde::Serialize;

use crate::problem::Problem;

/// JSON that is written already.
#[derive(Debug)]
pub(crate) struct Written(Vec<u8>);

impl IntoResponse for Written {
    fn into_response(self) -> Response {
        ([(header::CONTENT_TYPE, "application/json")], self.0).into_response()
    }
}

/// Has an answer made and written.
pub(crate) async fn written<T: Serialize>(
    make: impl FnOnce() -> Result<T, Problem> + Send + 'static,
) -> Result<Written, Problem> {
    let write = move || serde_json::to_vec(&make()?).map(Written).map_err(Problem::fault);
    tokio::task::spawn_blocking(write).await.map_err(Problem::fault)?
}
