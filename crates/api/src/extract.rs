//! How a handler gets its body, query and path: whatever is wrong becomes a problem by name.

use std::time::Duration;

use axum::{
    body::Bytes,
    extract::{FromRequest, FromRequestParts, Path, Query, Request},
    http::{StatusCode, request::Parts},
    response::IntoResponse as _,
};
use serde::de::DeserializeOwned;

use tokio::time::timeout;

use crate::{
    limits::{BODY_LEN_MAX, BODY_WITHIN},
    problem::Problem,
};

/// A JSON body.
pub(crate) struct Given<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Given<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let bytes = bytes_of(request, state, BODY_WITHIN).await?;
        let body = serde_json::from_slice(&bytes);
        body.map(Self).map_err(|error| {
            Problem::bad_request(format!("the body is not the JSON expected here: {error}"))
        })
    }
}

/// The body, if it comes in time.
async fn bytes_of<S: Send + Sync>(
    request: Request,
    state: &S,
    within: Duration,
) -> Result<Bytes, Problem> {
    let read = timeout(within, Bytes::from_request(request, state)).await;
    let read = read.map_err(|_| {
        Problem::body_too_slow(format!("the body did not come within {} s", within.as_secs()))
    })?;
    read.map_err(|rejection| {
        if rejection.into_response().status() == StatusCode::PAYLOAD_TOO_LARGE {
            Problem::too_large(format!("a body has at most {BODY_LEN_MAX} bytes"))
        } else {
            Problem::bad_request("the body broke off")
        }
    })
}

#[tokio::test]
async fn a_body_that_stalls_is_the_senders_matter_and_not_ours() {
    use axum::body::Body;
    let stalled = futures_util::stream::pending::<Result<Bytes, std::io::Error>>();
    let request = Request::new(Body::from_stream(stalled));
    let problem = bytes_of(request, &(), Duration::from_millis(20)).await.unwrap_err();
    assert_eq!(problem.status, StatusCode::REQUEST_TIMEOUT);
    let whole = Request::new(Body::from("{}"));
    assert_eq!(bytes_of(whole, &(), Duration::from_secs(5)).await, Ok(Bytes::from("{}")));
}

/// The parameters of the query.
pub(crate) struct Asked<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Asked<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let query = Query::from_request_parts(parts, state).await;
        query
            .map(|Query(query)| Self(query))
            .map_err(|error| Problem::bad_request(error.body_text()))
    }
}

/// The parameters of the path.
pub(crate) struct Named<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Named<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let path = Path::from_request_parts(parts, state).await;
        path.map(|Path(path)| Self(path)).map_err(|error| Problem::bad_request(error.body_text()))
    }
}
