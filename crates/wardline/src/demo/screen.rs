//! A nurse's screen, as the check sees it: everything that the live feed showed, and when.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use anyhow::Context as _;
use futures_util::StreamExt as _;
use model::Timestamp;
use serde_json::Value;
use store::Clock;
use tokio::{sync::watch, task::JoinHandle};
use tokio_tungstenite::{
    connect_async,
    tungstenite::{Message, client::IntoClientRequest as _, http::HeaderValue},
};

use crate::rest::Rest;

/// A number that was shown.
#[derive(Clone, Debug)]
pub(crate) struct ShownNumeric {
    pub(crate) read_at: Timestamp,
    pub(crate) patient: String,
    pub(crate) vital: String,
    pub(crate) taken_at: Timestamp,
}

/// An alarm that was shown, over its life.
#[derive(Clone, Debug)]
pub(crate) struct ShownAlarm {
    /// When it was first shown as active.
    pub(crate) read_at: Timestamp,
    /// When the server says that it was raised.
    pub(crate) raised_at: Timestamp,
    pub(crate) patient: Option<String>,
    pub(crate) priority: String,
    pub(crate) state: String,
    /// The highest step of escalation that was shown.
    pub(crate) step: u64,
    /// Whether it was ever shown as acknowledged.
    pub(crate) acknowledged: bool,
}

/// Everything that was shown so far.
#[derive(Debug, Default)]
pub(crate) struct Shown {
    pub(crate) numerics: Vec<ShownNumeric>,
    pub(crate) alarms: BTreeMap<String, ShownAlarm>,
    pub(crate) waves: u64,
    pub(crate) beats: u64,
    pub(crate) gone: u64,
}

/// An open feed.
pub(crate) struct Screen {
    shown: Arc<Mutex<Shown>>,
    changed: watch::Receiver<u64>,
    task: JoinHandle<()>,
}

impl Screen {
    /// Opens the feed of a care unit as this person.
    pub(crate) async fn open(who: &Rest, care_unit: &str, clock: &Clock) -> anyhow::Result<Self> {
        let base = who.base().replacen("http", "ws", 1);
        let address = format!("{base}/api/v1/feed?care_unit={care_unit}&waves=board");
        let mut request = address.as_str().into_client_request()?;
        let cookie = who.cookie().context("a screen needs somebody who is signed in")?;
        request.headers_mut().insert("cookie", HeaderValue::from_str(cookie)?);
        request.headers_mut().insert("origin", HeaderValue::from_str(who.base())?);
        let (mut socket, _) =
            connect_async(request).await.with_context(|| format!("no live feed at {address}"))?;
        let shown = Arc::new(Mutex::new(Shown::default()));
        let (counter, changed) = watch::channel(0);
        let (clock, kept) = (clock.clone(), Arc::clone(&shown));
        let task = tokio::spawn(async move {
            while let Some(Ok(message)) = socket.next().await {
                let read_at = clock.now();
                match message {
                    Message::Text(text) => {
                        if let Ok(value) = serde_json::from_str(&text) {
                            lock(&kept).take(&value, read_at);
                        }
                    }
                    Message::Binary(_) => lock(&kept).waves += 1,
                    Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => continue,
                    Message::Close(_) => break,
                }
                counter.send_modify(|count| *count += 1);
            }
        });
        Ok(Self { shown, changed, task })
    }

    /// What was shown so far.
    pub(crate) fn shown(&self) -> MutexGuard<'_, Shown> {
        lock(&self.shown)
    }

    /// Waits until something shown fits, or the feed ends.
    pub(crate) async fn until<T>(
        &mut self,
        mut fits: impl FnMut(&Shown) -> Option<T>,
    ) -> Option<T> {
        loop {
            if let Some(found) = fits(&self.shown()) {
                return Some(found);
            }
            self.changed.changed().await.ok()?;
        }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn lock(shown: &Mutex<Shown>) -> MutexGuard<'_, Shown> {
    shown.lock().unwrap_or_else(PoisonError::into_inner)
}

fn word(value: &Value, key: &str) -> Option<String> {
    value.get(key)?.as_str().map(str::to_owned)
}

fn instant(value: &Value, key: &str) -> Option<Timestamp> {
    let at: jiff::Timestamp = value.get(key)?.as_str()?.parse().ok()?;
    Some(Timestamp::from_unix_millis(at.as_millisecond()))
}

impl Shown {
    fn take(&mut self, frame: &Value, read_at: Timestamp) {
        match frame.get("t").and_then(Value::as_str) {
            Some("delta") => {
                let list =
                    |key: &str| frame.get(key).and_then(Value::as_array).into_iter().flatten();
                for item in list("numerics") {
                    self.numerics.extend(numeric(item, read_at));
                }
                for alarm in list("alarms") {
                    self.take_alarm(alarm, read_at);
                }
            }
            Some("beat") => self.beats += 1,
            Some("gone") => self.gone += 1,
            _ => {}
        }
    }

    fn take_alarm(&mut self, alarm: &Value, read_at: Timestamp) {
        let Some((id, state)) = word(alarm, "id").zip(word(alarm, "state")) else { return };
        let Some(raised_at) = instant(alarm, "raised_at") else { return };
        let shown = self.alarms.entry(id).or_insert_with(|| ShownAlarm {
            read_at,
            raised_at,
            patient: word(alarm, "patient"),
            priority: word(alarm, "priority").unwrap_or_default(),
            state: String::new(),
            step: 0,
            acknowledged: false,
        });
        shown.acknowledged |= state == "acknowledged";
        shown.step = shown.step.max(alarm.get("step").and_then(Value::as_u64).unwrap_or(0));
        shown.state = state;
    }
}

fn numeric(item: &Value, read_at: Timestamp) -> Option<ShownNumeric> {
    let numeric = item.get("numeric")?;
    Some(ShownNumeric {
        read_at,
        patient: word(item, "patient")?,
        vital: word(numeric, "vital")?,
        taken_at: instant(numeric, "taken_at")?,
    })
}
