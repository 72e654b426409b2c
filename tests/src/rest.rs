//! A person's client of the REST interface, with every status visible.

use std::{fmt, sync::LazyLock, time::Duration};

use reqwest::{
    Method,
    header::{HeaderMap, SET_COOKIE},
};
use serde_json::{Value, json};

use crate::waiting::block_on;

static PROVIDER: LazyLock<()> = LazyLock::new(|| {
    // Whoever was first installed the same one.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
});

/// Makes the crypto provider known to whoever asks for a default.
pub(crate) fn install_provider() {
    LazyLock::force(&PROVIDER);
}

/// Somebody at a server: nobody, or whoever the cookie says.
#[derive(Clone, Debug)]
pub(crate) struct Rest {
    http: reqwest::Client,
    pub(crate) base: String,
    pub(crate) cookie: Option<String>,
}

/// What the server answered.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// A header's text; empty if it is not there.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    pub(crate) fn is_good(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// A refusal as RFC 9457 spells it, with this status.
    pub(crate) fn is_problem(&self, status: u16) -> bool {
        let is_typed = self.header("content-type").starts_with("application/problem+json");
        self.status == status && is_typed && self.json()["status"] == status
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.status, self.text())
    }
}

impl Rest {
    /// Nobody, at the server of this address.
    pub(crate) fn new(base: &str) -> Self {
        install_provider();
        let client = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(Duration::from_secs(30));
        Self { http: client.build().unwrap(), base: base.to_owned(), cookie: None }
    }

    /// The same session at another address, such as after a restart.
    pub(crate) fn at(&self, base: &str) -> Self {
        Self { base: base.to_owned(), ..self.clone() }
    }

    /// The demo's one-click sign-in.
    pub(crate) fn click(&self, login: &str) -> Self {
        let answer = self.ask(Method::POST, &format!("/api/v1/demo-sign-in/{login}"), None);
        self.with_cookie_of(&answer)
    }

    /// Sign-in by password; the answer, whatever it is.
    pub(crate) fn sign_in(&self, login: &str, password: &str) -> Answer {
        let body = json!({ "login": login, "password": password });
        self.ask(Method::POST, "/api/v1/session", Some(&body))
    }

    /// Whoever this answer signed in.
    pub(crate) fn with_cookie_of(&self, answer: &Answer) -> Self {
        let cookie =
            answer.headers.get(SET_COOKIE).unwrap_or_else(|| panic!("no session: {answer}"));
        self.with_cookie(cookie.to_str().unwrap().split(';').next().unwrap())
    }

    /// Whoever this cookie says.
    pub(crate) fn with_cookie(&self, cookie: &str) -> Self {
        Self { cookie: Some(cookie.to_owned()), ..self.clone() }
    }

    /// One request; only a server that cannot be reached fails the test.
    pub(crate) fn ask(&self, method: Method, path: &str, body: Option<&Value>) -> Answer {
        let body = body.map(|body| ("application/json", body.to_string().into_bytes()));
        self.try_ask(method, path, body).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    /// One request with any body, or why there is no answer.
    pub(crate) fn try_ask(
        &self,
        method: Method,
        path: &str,
        body: Option<(&str, Vec<u8>)>,
    ) -> Result<Answer, String> {
        let mut request = self.http.request(method, format!("{}{path}", self.base));
        request = request.header("x-wardline", "1");
        if let Some(cookie) = &self.cookie {
            request = request.header("cookie", cookie);
        }
        if let Some((kind, bytes)) = body {
            request = request.header("content-type", kind).body(bytes);
        }
        let answered = block_on(async {
            let answer = request.send().await?;
            let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
            let body = answer.bytes().await?.to_vec();
            Ok::<_, reqwest::Error>(Answer { status, headers, body })
        });
        answered.map_err(|error| format!("{error:?}"))
    }

    pub(crate) fn get(&self, path: &str) -> Value {
        self.good(Method::GET, path, None)
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> Value {
        self.good(Method::POST, path, Some(body))
    }

    pub(crate) fn put(&self, path: &str, body: &Value) -> Value {
        self.good(Method::PUT, path, Some(body))
    }

    /// Adds a thing and gives its id.
    pub(crate) fn add(&self, path: &str, body: &Value) -> String {
        let answer = self.post(path, body);
        answer["id"].as_str().unwrap_or_else(|| panic!("{path}: no id: {answer}")).to_owned()
    }

    /// All items of a list, page by page.
    pub(crate) fn all(&self, path: &str) -> Vec<Value> {
        let (mut items, mut cursor) = (Vec::new(), String::new());
        loop {
            let sign = if path.contains('?') { '&' } else { '?' };
            let page = self.get(&format!("{path}{sign}limit=200{cursor}"));
            items.extend(page["items"].as_array().unwrap().iter().cloned());
            match page["next"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return items,
            }
        }
    }

    fn good(&self, method: Method, path: &str, body: Option<&Value>) -> Value {
        let answer = self.ask(method, path, body);
        assert!(answer.is_good(), "{path} answered {answer}");
        answer.json()
    }
}
