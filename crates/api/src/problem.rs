//! A refusal as RFC 9457 spells it: one text for the caller, another for the log.

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use security::random_u128;
use serde::Serialize;
use utoipa::ToSchema;

/// What a caller is told when something is refused or fails (`application/problem+json`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct ProblemBody {
    /// A stable word for the kind of problem, such as `/problems/not-found`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The kind of problem in words.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What was found and what would have been accepted.
    pub detail: String,
    /// Names this one occurrence; the log has the same.
    pub instance: String,
    /// What to do next, if there is something.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// The dead letter that holds the message, if it became one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dead_letter: Option<String>,
    /// The short stable word for why it became one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// A refusal on its way to a caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    pub(crate) status: StatusCode,
    pub(crate) kind: &'static str,
    pub(crate) title: &'static str,
    /// Without patients' data.
    pub(crate) for_caller: String,
    pub(crate) hint: Option<String>,
    /// The dead letter that holds the message, and the word for the reason.
    pub(crate) letter: Option<Box<(String, String)>>,
    /// Ids and positions, for whoever mends it; `None` for a plain refusal.
    pub(crate) for_log: Option<String>,
}

macro_rules! problems {
    ($($(#[$doc:meta])* $name:ident $status:ident $kind:literal $title:literal;)*) => { $(
        $(#[$doc])*
        pub(crate) fn $name(detail: impl ToString) -> Self {
            Self {
                status: StatusCode::$status,
                kind: concat!("/problems/", $kind),
                title: $title,
                for_caller: detail.to_string(),
                hint: None,
                letter: None,
                for_log: None,
            }
        }
    )* };
}

impl Problem {
    problems! {
        /// The request does not say what it should.
        bad_request BAD_REQUEST "bad-request" "The request is not understood";
        /// Nobody is signed in.
        signed_out UNAUTHORIZED "signed-out" "Nobody is signed in";
        /// The policy says no.
        forbidden FORBIDDEN "forbidden" "This is not allowed";
        /// A patient's page that opens in an emergency only.
        closed FORBIDDEN "closed" "This page is closed";
        /// What a patient shared is not shared any more.
        share_over FORBIDDEN "share-over" "Nothing is shared any more";
        /// There is no such thing, or not for this caller.
        not_found NOT_FOUND "not-found" "There is no such thing";
        /// The wish does not fit the present state.
        conflict CONFLICT "conflict" "The wish does not fit what is so now";
        /// The body is longer than the limit.
        too_large PAYLOAD_TOO_LARGE "too-large" "The body is too long";
        /// Too many attempts.
        slow_down TOO_MANY_REQUESTS "slow-down" "Too many attempts";
        /// The journal does not record, so nothing is accepted.
        not_recording SERVICE_UNAVAILABLE "not-recording" "The record cannot be written";
        /// A device came without a certificate.
        no_certificate UNAUTHORIZED "no-certificate" "There is no client certificate";
        /// A body came too slowly.
        body_too_slow REQUEST_TIMEOUT "body-too-slow" "The body came too slowly";
        /// A body in a form that is not read.
        unsupported UNSUPPORTED_MEDIA_TYPE "unsupported" "The body is in a form that is not read here";
        /// A message that is kept and not understood.
        dead_letter UNPROCESSABLE_ENTITY "dead-letter" "The message is kept and not understood";
        /// An answer took longer than it may.
        too_slow SERVICE_UNAVAILABLE "too-slow" "This took too long";
        /// A part of an import has to wait for others, or for what it left to be sealed.
        import_waits SERVICE_UNAVAILABLE "import-waits" "The import has to wait";
        /// The method is not one of this address.
        wrong_method METHOD_NOT_ALLOWED "wrong-method" "This address does not take that method";
    }

    /// A fault of ours: the caller learns that it is ours, the log learns what.
    pub(crate) fn fault(for_log: impl ToString) -> Self {
        Self {
            status: StatusCode::INTERNAL_SERVER_ERROR,
            kind: "/problems/fault",
            title: "Something failed here",
            for_caller: "the server could not do this; it is not your doing".to_owned(),
            hint: Some("try again; if it stays, tell hospital IT the time of day".to_owned()),
            letter: None,
            for_log: Some(for_log.to_string()),
        }
    }

    /// A fault of ours with everything that led to it.
    pub(crate) fn caused_by(error: &dyn std::error::Error) -> Self {
        let causes = std::iter::successors(Some(error), |error| error.source());
        Self::fault(causes.map(ToString::to_string).collect::<Vec<_>>().join(": "))
    }

    /// Adds what to do next.
    pub(crate) fn with_hint(mut self, hint: &str) -> Self {
        self.hint = Some(hint.to_owned());
        self
    }

    /// Names the dead letter that holds the message.
    pub(crate) fn with_letter(mut self, letter: String, reason: &str) -> Self {
        self.letter = Some(Box::new((letter, reason.to_owned())));
        self
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        // Without randomness all occurrences look alike, which is no reason to fail twice.
        let instance = format!("urn:wardline:problem:{:032x}", random_u128().unwrap_or(0));
        if let Some(for_log) = &self.for_log {
            tracing::error!(kind = self.kind, instance, what = %for_log, "request_failed");
        }
        let (dead_letter, reason) = self.letter.map(|letter| *letter).unzip();
        let body = ProblemBody {
            kind: self.kind.to_owned(),
            title: self.title.to_owned(),
            status: self.status.as_u16(),
            detail: self.for_caller,
            instance,
            hint: self.hint,
            dead_letter,
            reason,
        };
        let mut response = (self.status, Json(body)).into_response();
        let problem = HeaderValue::from_static("application/problem+json");
        response.headers_mut().insert(header::CONTENT_TYPE, problem);
        let retry_after_s = match self.status {
            StatusCode::SERVICE_UNAVAILABLE => Some("2"),
            StatusCode::TOO_MANY_REQUESTS => Some("60"),
            _ => None,
        };
        if let Some(seconds) = retry_after_s {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static(seconds));
        }
        response
    }
}
