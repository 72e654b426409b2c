//! A small client of the public REST interface: what `ctl`, `demo` and `bench` stand on.

use std::sync::Arc;

use anyhow::{Context as _, bail};
use reqwest::{Method, StatusCode, header};
use serde_json::Value;

/// A connection that lay idle for longer is not used again: the server closes it after ten
/// seconds, and a request that meets that is lost.
const IDLE_FOR: std::time::Duration = std::time::Duration::from_secs(4);

/// How often a busy server is asked again, and how many times.
const AGAIN_EVERY: std::time::Duration = std::time::Duration::from_secs(2);
const TRIES: u32 = 90;

/// Somebody who is signed in.
#[derive(Clone, Debug)]
pub(crate) struct Rest {
    http: reqwest::Client,
    base: Arc<str>,
    cookie: Option<Arc<str>>,
}

impl Rest {
    /// A client of the server at `base`, such as `http://localhost:8080`, not signed in yet.
    pub(crate) fn new(base: &str) -> anyhow::Result<Self> {
        Self::trusting(base, None)
    }

    /// The same, trusting this authority alone; without one those of the machine.
    pub(crate) fn trusting(base: &str, ca_pem: Option<&str>) -> anyhow::Result<Self> {
        let mut builder = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .pool_idle_timeout(IDLE_FOR)
            .timeout(std::time::Duration::from_secs(30));
        if let Some(pem) = ca_pem {
            let authorities = reqwest::Certificate::from_pem_bundle(pem.as_bytes())
                .context("the authority's certificate is not PEM")?;
            builder = builder.tls_certs_only(authorities);
        }
        let http = builder.build()?;
        Ok(Self { http, base: base.trim_end_matches('/').into(), cookie: None })
    }

    /// Signs in with a password.
    pub(crate) async fn sign_in(&self, login: &str, password: &str) -> anyhow::Result<Self> {
        let given = serde_json::json!({ "login": login, "password": password });
        self.with_session("/api/v1/session", &given).await
    }

    /// Goes on with the session of this `Cookie` header.
    pub(crate) fn resumed(&self, cookie: &str) -> Self {
        Self { cookie: Some(cookie.into()), ..self.clone() }
    }

    /// Signs in by the demo's one click.
    pub(crate) async fn sign_in_by_click(&self, login: &str) -> anyhow::Result<Self> {
        let path = format!("/api/v1/demo-sign-in/{login}");
        self.with_session(&path, &Value::Null).await
    }

    async fn with_session(&self, path: &str, body: &Value) -> anyhow::Result<Self> {
        let answer = self.send(Method::POST, path, Some(body)).await?;
        let cookie = answer
            .headers()
            .get(header::SET_COOKIE)
            .and_then(|value| value.to_str().ok()?.split(';').next().map(str::to_owned))
            .with_context(|| format!("{path} answered {} without a session", answer.status()))?;
        Ok(Self { cookie: Some(cookie.into()), ..self.clone() })
    }

    /// The `Cookie` header of the session, for the WebSocket.
    pub(crate) fn cookie(&self) -> Option<&str> {
        self.cookie.as_deref()
    }

    /// Where the server is.
    pub(crate) fn base(&self) -> &str {
        &self.base
    }

    /// Reads a resource.
    pub(crate) async fn get(&self, path: &str) -> anyhow::Result<Value> {
        json(self.send(Method::GET, path, None).await?, path).await
    }

    /// Reads a resource to its last byte and does not look into it.
    pub(crate) async fn bytes(&self, path: &str) -> anyhow::Result<usize> {
        let answer = self.send(Method::GET, path, None).await?;
        Ok(answer.bytes().await.with_context(|| format!("{path} broke off"))?.len())
    }

    /// Adds a resource or asks for a deed.
    pub(crate) async fn post(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        json(self.send(Method::POST, path, Some(body)).await?, path).await
    }

    /// The same of what the server asks to send again, as imports have to wait: it is, for some
    /// minutes. What merely took too long would take as long again.
    pub(crate) async fn post_when_free(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        let mut tries = tokio::time::interval(AGAIN_EVERY);
        for _ in 1..TRIES {
            tries.tick().await;
            let answer = self.answer(Method::POST, path, Some(body)).await?;
            if answer.status() != StatusCode::SERVICE_UNAVAILABLE {
                return json(good(answer, path).await?, path).await;
            }
            let text = answer.text().await.unwrap_or_default();
            if !has_to_wait(&text) {
                bail!("{path} answered {}: {}", StatusCode::SERVICE_UNAVAILABLE, problem(&text));
            }
        }
        self.post(path, body).await
    }

    /// Puts a resource in place.
    pub(crate) async fn put(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        json(self.send(Method::PUT, path, Some(body)).await?, path).await
    }

    /// Removes a resource.
    pub(crate) async fn delete(&self, path: &str) -> anyhow::Result<()> {
        self.send(Method::DELETE, path, None).await.map(drop)
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> anyhow::Result<reqwest::Response> {
        good(self.answer(method, path, body).await?, path).await
    }

    async fn answer(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> anyhow::Result<reqwest::Response> {
        let mut request = self.http.request(method, format!("{}{path}", self.base));
        request = request.header("x-wardline", "1");
        if let Some(cookie) = &self.cookie {
            request = request.header(header::COOKIE, &**cookie);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        request.send().await.with_context(|| format!("cannot reach {}{path}", self.base))
    }
}

/// An answer that is none of an error.
async fn good(answer: reqwest::Response, path: &str) -> anyhow::Result<reqwest::Response> {
    let status = answer.status();
    if status.is_client_error() || status.is_server_error() {
        let text = answer.text().await.unwrap_or_default();
        bail!("{path} answered {status}: {}", problem(&text));
    }
    Ok(answer)
}

/// What a problem (RFC 9457) says, with its next step; another text as it is.
fn problem(text: &str) -> String {
    let problem: Value = serde_json::from_str(text).unwrap_or_default();
    let part = |key: &str| problem.get(key).and_then(Value::as_str);
    match (part("detail").or(part("title")), part("hint")) {
        (Some(detail), Some(hint)) => format!("{detail}\n\nhint: {hint}"),
        (Some(detail), None) => detail.to_owned(),
        (None, _) => text.to_owned(),
    }
}

/// Whether a problem asks to send the same again.
fn has_to_wait(text: &str) -> bool {
    let problem: Value = serde_json::from_str(text).unwrap_or_default();
    problem.get("type").and_then(Value::as_str) == Some("/problems/import-waits")
}

#[test]
fn only_an_import_that_has_to_wait_is_sent_again() {
    let of = |kind: &str| serde_json::json!({ "type": kind, "status": 503 }).to_string();
    assert!(has_to_wait(&of("/problems/import-waits")));
    for other in [of("/problems/too-slow"), of("/problems/not-recording"), String::new()] {
        assert!(!has_to_wait(&other), "{other}");
    }
}

async fn json(answer: reqwest::Response, path: &str) -> anyhow::Result<Value> {
    if answer.status() == StatusCode::NO_CONTENT {
        return Ok(Value::Null);
    }
    let bytes = answer.bytes().await?;
    if bytes.is_empty() {
        return Ok(Value::Null);
    }
    serde_json::from_slice(&bytes).with_context(|| format!("{path} did not answer JSON"))
}

/// The text at a path of keys, such as `["user", "id"]`.
pub(crate) fn text<'a>(value: &'a Value, path: &[&str]) -> anyhow::Result<&'a str> {
    let found = path.iter().try_fold(value, |value, key| value.get(key));
    found
        .and_then(Value::as_str)
        .with_context(|| format!("the answer lacks {}: {value}", path.join(".")))
}
