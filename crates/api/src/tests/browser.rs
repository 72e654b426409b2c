//! Somebody with a browser: a cookie, and requests one at a time.

use std::net::SocketAddr;

use axum::{
    body::Body,
    http::{HeaderMap, Method, Request, StatusCode, header},
};
use http_body_util::BodyExt as _;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, tungstenite::client::IntoClientRequest as _,
};

/// What came back.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) bytes: Vec<u8>,
}

impl Answer {
    /// The body as JSON; null if it is none.
    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap_or(Value::Null)
    }

    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The JSON of a good answer.
    pub(super) fn good(self) -> Value {
        assert!(
            self.status.is_success(),
            "{} {}",
            self.status,
            String::from_utf8_lossy(&self.bytes)
        );
        self.json()
    }

    /// Status, kind and detail of a problem, which must be one.
    pub(super) fn problem(self) -> (u16, String, String) {
        assert_eq!(self.header("content-type"), "application/problem+json", "{self:?}");
        let body = self.json();
        assert_eq!(body["status"], self.status.as_u16());
        let text = |key: &str| body[key].as_str().unwrap().to_owned();
        (self.status.as_u16(), text("type").replace("/problems/", ""), text("detail"))
    }
}

/// A person's browser.
#[derive(Clone, Debug)]
pub(super) struct Browser {
    pub(super) address: SocketAddr,
    pub(super) cookie: Option<String>,
}

impl Browser {
    pub(super) const fn new(address: SocketAddr) -> Self {
        Self { address, cookie: None }
    }

    pub(super) async fn send(&self, request: Request<Body>) -> Answer {
        let stream = TcpStream::connect(self.address).await.unwrap();
        Self::send_over(stream, request).await
    }

    /// Sends a request over a stream of its own.
    pub(super) async fn send_over(
        stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
        request: Request<Body>,
    ) -> Answer {
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
        let connection = tokio::spawn(connection);
        let response = sender.send_request(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes().to_vec();
        connection.abort();
        Answer { status: parts.status, headers: parts.headers, bytes }
    }

    /// A request with the cookie, and the header of our own pages where it changes something.
    pub(super) fn request(&self, method: Method, path: &str, body: Body) -> Request<Body> {
        let mut request = Request::builder()
            .method(&method)
            .uri(path)
            .header(header::HOST, self.address.to_string());
        if method != Method::GET {
            request = request.header("x-wardline", "1");
        }
        if let Some(cookie) = &self.cookie {
            request = request.header(header::COOKIE, cookie);
        }
        request.body(body).unwrap()
    }

    pub(super) async fn ask(&self, method: Method, path: &str, body: Value) -> Answer {
        let body = if body.is_null() { Body::empty() } else { Body::from(body.to_string()) };
        self.send(self.request(method, &format!("/api/v1{path}"), body)).await
    }

    pub(super) async fn get(&self, path: &str) -> Answer {
        self.ask(Method::GET, path, Value::Null).await
    }

    pub(super) async fn post(&self, path: &str, body: Value) -> Answer {
        self.ask(Method::POST, path, body).await
    }

    pub(super) async fn put(&self, path: &str, body: Value) -> Answer {
        self.ask(Method::PUT, path, body).await
    }

    pub(super) async fn delete(&self, path: &str) -> Answer {
        self.ask(Method::DELETE, path, Value::Null).await
    }

    /// Takes the session of an answer.
    pub(super) fn signed_in_by(&self, answer: &Answer) -> Self {
        assert_eq!(
            answer.status,
            StatusCode::NO_CONTENT,
            "{}",
            String::from_utf8_lossy(&answer.bytes)
        );
        let cookie = answer.header("set-cookie").split(';').next().unwrap().to_owned();
        Self { cookie: Some(cookie), ..self.clone() }
    }

    /// Adds a noun and gives its id.
    pub(super) async fn add(&self, path: &str, body: Value) -> String {
        let answer = self.post(path, body).await;
        assert_eq!(
            answer.status,
            StatusCode::CREATED,
            "{path} {}",
            String::from_utf8_lossy(&answer.bytes)
        );
        answer.json()["id"].as_str().unwrap().to_owned()
    }

    /// Opens the feed; the status if it is refused.
    pub(super) async fn feed(&self, query: &str, origin: Option<&str>) -> Result<Feed, u16> {
        let address = format!("ws://{}/api/v1/feed?{query}", self.address);
        let mut request = address.into_client_request().unwrap();
        if let Some(cookie) = &self.cookie {
            request.headers_mut().insert(header::COOKIE, cookie.parse().unwrap());
        }
        if let Some(origin) = origin {
            request.headers_mut().insert(header::ORIGIN, origin.parse().unwrap());
        }
        match tokio_tungstenite::connect_async(request).await {
            Ok((socket, _)) => Ok(Feed { socket }),
            Err(tokio_tungstenite::tungstenite::Error::Http(answer)) => {
                Err(answer.status().as_u16())
            }
            Err(error) => unreachable!("{error}"),
        }
    }
}

/// A page's end of the feed.
pub(super) struct Feed {
    pub(super) socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
}

impl Feed {
    /// The next text frame; null when the feed was closed.
    pub(super) async fn next(&mut self) -> Value {
        use futures_util::StreamExt as _;
        use tokio_tungstenite::tungstenite::Message;
        loop {
            match self.socket.next().await {
                Some(Ok(Message::Text(text))) => return serde_json::from_str(&text).unwrap(),
                Some(Ok(Message::Close(frame))) => {
                    return json!({ "t": "closed", "code": frame.map(|frame| u16::from(frame.code)) });
                }
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Value::Null,
            }
        }
    }

    /// The first text frame for which `is_it` holds.
    pub(super) async fn until(&mut self, is_it: impl Fn(&Value) -> bool) -> Value {
        loop {
            let next = self.next().await;
            assert!(!next.is_null(), "the feed was closed");
            if is_it(&next) {
                return next;
            }
        }
    }

    /// Waits until the server has ended the feed.
    pub(super) async fn until_over(&mut self) {
        loop {
            let next = self.next().await;
            if next.is_null() || next["t"] == "closed" {
                return;
            }
        }
    }

    /// The next binary frame.
    pub(super) async fn next_binary(&mut self) -> Vec<u8> {
        use futures_util::StreamExt as _;
        use tokio_tungstenite::tungstenite::Message;
        loop {
            if let Message::Binary(bytes) = self.socket.next().await.unwrap().unwrap() {
                return bytes.to_vec();
            }
        }
    }

    /// The first text frame for which `is_it` holds, while no binary one may come.
    pub(super) async fn until_without_binary(&mut self, is_it: impl Fn(&Value) -> bool) -> Value {
        use futures_util::StreamExt as _;
        use tokio_tungstenite::tungstenite::Message;
        loop {
            match self.socket.next().await.unwrap().unwrap() {
                Message::Text(text) => {
                    let frame: Value = serde_json::from_str(&text).unwrap();
                    if is_it(&frame) {
                        return frame;
                    }
                }
                other => assert!(!other.is_binary(), "a trace that nobody wants"),
            }
        }
    }

    pub(super) async fn say(&mut self, value: Value) {
        use futures_util::SinkExt as _;
        let text = tokio_tungstenite::tungstenite::Message::text(value.to_string());
        self.socket.send(text).await.unwrap();
    }
}
