//! What a device is answered: 204 from what is durable, or a problem that says what to do.

use axum::{
    Json,
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use ingest::{Durably, Refusal, UnknownDevice};
use serde_json::{Value, json};

use super::{
    body::BodyError,
    places::{Busy, OF_ONE_MAX},
};
use crate::problem::Problem;

/// Says whether a message was stored or recognised as a repeat.
const RESULT: HeaderName = HeaderName::from_static("wardline-result");

/// Why a request of a device is not done.
#[derive(Debug)]
pub(super) enum Refused {
    /// The connection has no client certificate.
    NoCertificate,
    /// It was revoked since the connection began.
    Revoked,
    /// The certificate's device may not speak.
    Unknown(UnknownDevice),
    /// There is no room for one more request.
    Busy(Busy),
    /// There is no body to read.
    Body(BodyError),
    /// A parameter of the query is wrong.
    Query(String),
    /// The door did not take it.
    Door(Refusal),
    /// The task that took it broke off, or it took too long: nobody knows what became of it.
    Unsure,
}

impl Refused {
    pub(super) fn status(&self) -> StatusCode {
        match self {
            Self::NoCertificate => StatusCode::UNAUTHORIZED,
            Self::Revoked
            | Self::Unknown(_)
            | Self::Door(Refusal::Dead { not_yours: true, .. }) => StatusCode::FORBIDDEN,
            Self::Busy(Busy::Device) => StatusCode::TOO_MANY_REQUESTS,
            Self::Busy(Busy::Server) | Self::Door(Refusal::NotDurable(_)) | Self::Unsure => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            Self::Body(error) => error.status(),
            Self::Query(_) => StatusCode::BAD_REQUEST,
            Self::Door(Refusal::Dead { .. }) => StatusCode::UNPROCESSABLE_ENTITY,
        }
    }

    /// What was found and what would have been accepted.
    pub(super) fn words(&self) -> String {
        match self {
            Self::NoCertificate => {
                "no client certificate came with the connection; a device speaks with its own"
                    .to_owned()
            }
            Self::Revoked => "the certificate is revoked; ask for a new one".to_owned(),
            Self::Unknown(unknown) => unknown.to_string(),
            Self::Busy(Busy::Device) => {
                format!("{OF_ONE_MAX} requests of this device are open; wait for their answers")
            }
            Self::Busy(Busy::Server) => "as many requests are open as the server takes".to_owned(),
            Self::Body(error) => error.to_string(),
            Self::Query(words) => words.clone(),
            Self::Door(refusal) => refusal.to_string(),
            Self::Unsure => {
                "it is not known whether the message was kept; send it again".to_owned()
            }
        }
    }

    /// The dead letter that holds the message, with the word for the reason.
    pub(super) fn letter(&self) -> Option<(String, &str)> {
        match self {
            Self::Door(Refusal::Dead { letter, reason, .. }) => Some((letter.to_string(), reason)),
            Self::NoCertificate
            | Self::Revoked
            | Self::Unknown(_)
            | Self::Busy(_)
            | Self::Body(_)
            | Self::Query(_)
            | Self::Door(Refusal::NotDurable(_))
            | Self::Unsure => None,
        }
    }

    fn problem(&self) -> Problem {
        let words = self.words();
        match self.status() {
            StatusCode::UNAUTHORIZED => Problem::no_certificate(words),
            StatusCode::FORBIDDEN => Problem::forbidden(words),
            StatusCode::TOO_MANY_REQUESTS => Problem::slow_down(words),
            StatusCode::SERVICE_UNAVAILABLE => Problem::not_recording(words),
            StatusCode::PAYLOAD_TOO_LARGE => Problem::too_large(words),
            StatusCode::REQUEST_TIMEOUT => Problem::body_too_slow(words),
            StatusCode::UNSUPPORTED_MEDIA_TYPE => Problem::unsupported(words),
            StatusCode::UNPROCESSABLE_ENTITY => Problem::dead_letter(words),
            _ => Problem::bad_request(words),
        }
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let problem = self.problem();
        let mut answer = match self.letter() {
            Some((letter, reason)) => problem.with_letter(letter, reason).into_response(),
            None => problem.into_response(),
        };
        wait(&self, &mut answer);
        answer
    }
}

/// How long to wait before the next try, where that helps.
pub(super) fn wait(refused: &Refused, answer: &mut Response) {
    let seconds = match refused {
        Refused::Busy(Busy::Device) => "1",
        Refused::Busy(Busy::Server) | Refused::Door(Refusal::NotDurable(_)) | Refused::Unsure => {
            "2"
        }
        Refused::NoCertificate
        | Refused::Revoked
        | Refused::Unknown(_)
        | Refused::Body(_)
        | Refused::Query(_)
        | Refused::Door(Refusal::Dead { .. }) => return,
    };
    answer.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static(seconds));
}

/// The answer to one message; positive only with the proof that it is durable.
pub(super) fn answer(taken: Result<Durably, Refused>) -> Response {
    let result = match taken {
        Ok(Durably::Stored(_)) => "stored",
        Ok(Durably::Repeated(_)) => "repeated",
        Err(refused) => return refused.into_response(),
    };
    (StatusCode::NO_CONTENT, [(RESULT, result)]).into_response()
}

/// How clients of InfluxDB expect an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// `{"error": "…"}`.
    One,
    /// `{"code": "…", "message": "…"}`.
    Two,
}

/// An error of line protocol.
pub(super) fn line_error(
    shape: Shape,
    status: StatusCode,
    words: &str,
    letter: Option<String>,
) -> Response {
    let mut body = match shape {
        Shape::One => json!({ "error": words }),
        Shape::Two => json!({ "code": code(status), "message": words }),
    };
    if let (Some(letter), Some(body)) = (letter, body.as_object_mut()) {
        body.insert("dead_letter".to_owned(), Value::String(letter));
    }
    let mut answer = (status, Json(body)).into_response();
    if let Ok(words) = HeaderValue::from_str(words) {
        answer.headers_mut().insert("x-influxdb-error", words);
    }
    answer
}

/// The words of InfluxDB's second interface.
fn code(status: StatusCode) -> &'static str {
    match status {
        StatusCode::UNAUTHORIZED => "unauthorized",
        StatusCode::FORBIDDEN => "forbidden",
        StatusCode::PAYLOAD_TOO_LARGE => "request too large",
        StatusCode::TOO_MANY_REQUESTS => "too many requests",
        StatusCode::SERVICE_UNAVAILABLE => "unavailable",
        StatusCode::UNSUPPORTED_MEDIA_TYPE => "unsupported media type",
        _ => "invalid",
    }
}

#[cfg(test)]
mod tests {
    use store::AppendError;

    use super::*;

    #[test]
    fn each_refusal_has_its_status_and_says_when_to_come_again() {
        let check = |refused: Refused, status: u16, wait: Option<&str>| {
            let shown = format!("{refused:?}");
            let answer = refused.into_response();
            let told = answer.headers().get(header::RETRY_AFTER);
            let told = told.map(|value| value.to_str().unwrap().to_owned());
            assert_eq!((answer.status().as_u16(), told.as_deref()), (status, wait), "{shown}");
            let kind = answer.headers().get(header::CONTENT_TYPE).unwrap();
            assert_eq!(kind, "application/problem+json", "{shown}");
        };
        // Nothing is durable: the message may come again, and must be answered with no «good».
        for error in [AppendError::Full, AppendError::Poisoned, AppendError::Busy] {
            check(Refused::Door(Refusal::NotDurable(error)), 503, Some("2"));
        }
        check(Refused::Unsure, 503, Some("2"));
        check(Refused::Busy(Busy::Server), 503, Some("2"));
        check(Refused::Busy(Busy::Device), 429, Some("1"));
        check(Refused::NoCertificate, 401, None);
        check(Refused::Revoked, 403, None);
        check(Refused::Body(BodyError::TooSlow), 408, None);
        check(Refused::Body(BodyError::TooLong { max: 7 }), 413, None);
        check(Refused::Body(BodyError::Encoding), 415, None);
        check(Refused::Body(BodyError::BrokeOff), 400, None);
        check(Refused::Query("precision is none of ns".to_owned()), 400, None);
    }
}
