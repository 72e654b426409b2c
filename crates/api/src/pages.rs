//! The screens: one shell for all page addresses, its modules as plain files, and the
//! headers that every answer carries.

use std::{sync::Arc, sync::atomic::Ordering};

use axum::{
    Json, Router,
    body::Body,
    extract::{DefaultBodyLimit, Path, Query, Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, header},
    middleware::{self, Next},
    response::{IntoResponse as _, Redirect, Response},
    routing::get,
};
use rust_embed::Embed;
use serde::{Deserialize, Serialize};
use tower_http::compression::CompressionLayer;

use crate::{
    Api,
    guard::signed_in,
    limits::{ANSWER_WITHIN, BODY_LEN_MAX},
    problem::Problem,
    routes,
};

/// Everything below `web/`; a debug build reads it from the disk at each request.
#[derive(Embed)]
#[folder = "../../web"]
struct Web;

/// The page that every screen begins with.
const SHELL: &str = "index.html";

/// What nothing on a page may do: run a script that is not ours, talk to another
/// server, be put into a frame.
const HEADERS: [(HeaderName, &str); 6] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
         font-src 'self'; manifest-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'none'; \
         frame-ancestors 'none'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (
        HeaderName::from_static("permissions-policy"),
        "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    ),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];

/// Everything that the people's listener answers.
pub fn router(api: &Arc<Api>) -> Router {
    let shell = || get(shell);
    let pages = [
        "/sign-in",
        "/invite/{token}",
        "/ward",
        "/ward/",
        "/ward/{id}",
        "/patients/{id}",
        "/patients/{id}/strip",
        "/screen",
        "/mine",
        "/alarms",
        "/devices",
        "/claim",
        "/system",
        "/places",
        "/staff",
        "/audit",
        "/settings",
        "/own",
    ];
    let screens = pages.into_iter().fold(Router::new(), |router, page| router.route(page, shell()));
    screens
        .merge(routes::router(api))
        .route("/", get(home))
        .route("/assets/{*path}", get(asset))
        .route("/service-worker.js", get(service_worker))
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .method_not_allowed_fallback(wrong_method)
        .fallback(nowhere)
        .layer(DefaultBodyLimit::max(BODY_LEN_MAX))
        .layer(middleware::from_fn_with_state(Arc::clone(api), watch))
        .layer(CompressionLayer::new())
        .layer(middleware::from_fn_with_state(Arc::clone(api), with_headers))
        .with_state(Arc::clone(api))
}

async fn wrong_method(uri: Uri) -> Problem {
    Problem::wrong_method(format!("`{}` does not take this method", uri.path()))
}

/// An address that is none: the shell says so to people, a problem to programs.
async fn nowhere(uri: Uri) -> Response {
    if uri.path().starts_with("/api/") || uri.path().starts_with("/assets/") {
        return Problem::not_found("there is no such address").into_response();
    }
    (StatusCode::NOT_FOUND, shell(HeaderMap::new()).await).into_response()
}

/// Counts answers and gives up on those that take too long.
async fn watch(State(api): State<Arc<Api>>, request: Request, next: Next) -> Response {
    api.counts.requests.fetch_add(1, Ordering::Relaxed);
    let answer = tokio::time::timeout(ANSWER_WITHIN, next.run(request)).await;
    let answer = answer.unwrap_or_else(|_| {
        Problem::too_slow("this took too long and was given up").into_response()
    });
    if answer.status().is_client_error() {
        api.counts.refused.fetch_add(1, Ordering::Relaxed);
    }
    if answer.status().is_server_error() {
        api.counts.faults.fetch_add(1, Ordering::Relaxed);
    }
    answer
}

async fn with_headers(State(api): State<Arc<Api>>, request: Request, next: Next) -> Response {
    let is_data = request.uri().path().starts_with("/api/");
    let mut answer = if api.config.demo && !is_for_us(request.headers()) {
        let words = "the demo answers at localhost only; open it by that name";
        Problem::forbidden(words).into_response()
    } else {
        next.run(request).await
    };
    let headers = answer.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if is_data {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    if api.config.secure_cookies {
        let a_year = HeaderValue::from_static("max-age=31536000");
        headers.insert(header::STRICT_TRANSPORT_SECURITY, a_year);
    }
    answer
}

/// Whether a request names this machine by its own name. Anybody may sign in to a demo, so
/// a page from elsewhere must not reach it by a name of its own that leads here.
fn is_for_us(headers: &HeaderMap) -> bool {
    let Some(host) = headers.get(header::HOST).and_then(|host| host.to_str().ok()) else {
        return true;
    };
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    name.eq_ignore_ascii_case("localhost")
        || name.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[test]
fn a_demo_knows_its_own_names_and_no_other() {
    let check = |host: &str, want: bool| {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, host.parse().unwrap());
        assert_eq!(is_for_us(&headers), want, "{host}");
    };
    for own in ["localhost", "localhost:8080", "LOCALHOST:1", "127.0.0.1:8080", "[::1]:8080"] {
        check(own, true);
    }
    for other in [
        "rebound.example",
        "rebound.example:8080",
        "192.0.2.1",
        "[2001:db8::1]",
        "",
        "localhost.example",
    ] {
        check(other, false);
    }
    assert!(is_for_us(&HeaderMap::new()), "a request of HTTP/1.0 names nobody");
}

/// Sends everybody to their first screen.
async fn home(State(api): State<Arc<Api>>, headers: HeaderMap) -> Redirect {
    let directory = api.engine.directory();
    let Ok((who, _)) = signed_in(&directory, &headers, api.clock.now()) else {
        return Redirect::to("/sign-in");
    };
    match who.role {
        model::Role::It => return Redirect::to("/devices"),
        model::Role::Patient | model::Role::Family => return Redirect::to("/own"),
        model::Role::Nurse | model::Role::ChargeNurse | model::Role::Physician => {}
    }
    let own = |unit: &model::CareUnitId| directory.org_of_care_unit(*unit) == Some(who.org);
    let unit =
        who.care_units.first().copied().or_else(|| directory.care_units.keys().copied().find(own));
    unit.map_or_else(|| Redirect::to("/ward/"), |unit| Redirect::to(&format!("/ward/{unit}")))
}

async fn shell(headers: HeaderMap) -> Response {
    serve(SHELL, None, &headers)
}

/// From the root, as a worker may only look after what lies below it; asked for anew each time.
async fn service_worker(headers: HeaderMap) -> Response {
    serve("service-worker.js", None, &headers)
}

#[derive(Debug, Deserialize)]
struct Version {
    v: Option<String>,
}

async fn asset(
    Path(path): Path<String>,
    Query(Version { v }): Query<Version>,
    headers: HeaderMap,
) -> Response {
    serve(&path, v.as_deref(), &headers)
}

/// A file with the hash of its content as its tag; asked for by that hash it never changes.
fn serve(path: &str, version: Option<&str>, headers: &HeaderMap) -> Response {
    let Some((kind, file)) = kind_of(path).zip(Web::get(path)) else {
        return Problem::not_found("there is no such file").into_response();
    };
    let hash = file.metadata.sha256_hash();
    let tag: String = hash.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    let cache = if version.is_some_and(|version| version.len() >= 8 && tag.starts_with(version)) {
        "public, max-age=31536000, immutable"
    } else {
        "no-cache"
    };
    let etag = format!("\"{tag}\"");
    // A proxy or our own compression may have made the tag a weak one.
    let known = headers.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    let is_known = known
        .is_some_and(|known| known.split(',').any(|it| it.trim().trim_start_matches("W/") == etag));
    let head = [(header::ETAG, etag), (header::CACHE_CONTROL, cache.to_owned())];
    if is_known {
        return (StatusCode::NOT_MODIFIED, head).into_response();
    }
    let body = match file.data {
        std::borrow::Cow::Borrowed(bytes) => Body::from(bytes),
        std::borrow::Cow::Owned(bytes) => Body::from(bytes),
    };
    (head, [(header::CONTENT_TYPE, kind)], body).into_response()
}

/// The type of a file that is meant for browsers; others are not served.
fn kind_of(path: &str) -> Option<&'static str> {
    match path.rsplit_once('.')?.1 {
        "css" => Some("text/css; charset=utf-8"),
        "html" => Some("text/html; charset=utf-8"),
        "js" => Some("text/javascript; charset=utf-8"),
        "json" => Some("application/json"),
        "png" => Some("image/png"),
        "svg" => Some("image/svg+xml"),
        "webmanifest" => Some("application/manifest+json"),
        "woff2" => Some("font/woff2"),
        _ => None,
    }
}

async fn healthz() -> &'static str {
    "ok\n"
}

/// Whether this server takes part: it records, and its engine keeps up.
#[derive(Clone, Debug, Serialize)]
struct Readiness {
    ready: bool,
    recording: bool,
    /// Journal bytes that are durable and not yet decided on.
    behind_bytes: u64,
    /// Turns of decisions that sounded and are in no journal.
    decisions_dropped: u64,
    /// Lists or charts lack what the journal has, until a restart.
    derived_lacking: bool,
    /// What a person has to look after, by its stable words; `/api/v1/system` says what to do.
    troubles: Vec<&'static str>,
}

/// Further behind than this, what a screen shows is too old to be called ready.
const BEHIND_BYTES_MAX: u64 = 8 << 20;

async fn readyz(State(api): State<Arc<Api>>) -> Response {
    let recording = api.journal.status().condition == store::Condition::Recording;
    let engine = api.engine.status();
    let behind_bytes = engine.behind_bytes;
    let ready = recording && api.engine.is_running() && behind_bytes <= BEHIND_BYTES_MAX;
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let readiness = Readiness {
        ready,
        recording,
        behind_bytes,
        decisions_dropped: engine.decisions_dropped,
        derived_lacking: engine.derived_lacking,
        troubles: engine.troubles().iter().map(|trouble| trouble.code).collect(),
    };
    (status, Json(readiness)).into_response()
}
