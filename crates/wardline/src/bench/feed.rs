//! A screen of the ward that writes down when each heart rate and each alarm was read.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, ensure};
use futures_util::StreamExt as _;
use model::Timestamp;
use serde::Deserialize;
use store::Clock;
use tokio::{sync::watch, task::JoinHandle};
use tokio_tungstenite::{
    connect_async,
    tungstenite::{Message, client::IntoClientRequest as _, http::HeaderValue},
};

use crate::rest::Rest;

/// The vital by which messages are told apart on the screen.
const WITNESS: &str = "heart_rate";

/// The part of a frame that is looked at; the rest is skipped without being kept.
#[derive(Debug, Deserialize)]
struct Frame {
    t: String,
    #[serde(default)]
    numerics: Vec<Numerics>,
    #[serde(default)]
    alarms: Vec<AlarmShown>,
}

#[derive(Debug, Deserialize)]
struct Numerics {
    patient: String,
    numeric: Numeric,
}

#[derive(Debug, Deserialize)]
struct Numeric {
    vital: String,
    value: Option<f64>,
}

#[derive(Debug, Deserialize)]
struct AlarmShown {
    id: String,
    state: String,
    vital: Option<String>,
    patient: Option<String>,
}

/// A heart rate that was shown.
#[derive(Clone, Copy, Debug)]
pub(super) struct ShownRate {
    /// The patient's place among all.
    pub(super) patient: usize,
    /// What was shown, in thousandths.
    pub(super) rate_thousandths: u64,
    /// When the frame was read.
    pub(super) read_at: Timestamp,
}

/// An alarm about a heart rate, when it was first shown as active.
#[derive(Clone, Copy, Debug)]
pub(super) struct ShownAlarm {
    /// The patient's place among all.
    pub(super) patient: usize,
    /// When the frame was read.
    pub(super) read_at: Timestamp,
}

/// Everything that the screen showed.
#[derive(Debug, Default)]
pub(super) struct Shown {
    pub(super) rates: Vec<ShownRate>,
    pub(super) alarms: Vec<ShownAlarm>,
    pub(super) frames: u64,
    pub(super) numerics: u64,
    pub(super) bytes: u64,
    /// How often the server sent the screen away to fetch the board anew.
    pub(super) gone: u64,
}

/// An open feed.
#[derive(Debug)]
pub(super) struct Feed {
    task: JoinHandle<Shown>,
    enough: watch::Sender<bool>,
}

impl Feed {
    /// Opens the feed of a ward; returns once the server has said hello.
    pub(super) async fn open(
        who: &Rest,
        care_unit: &str,
        patients: &[String],
        clock: &Clock,
    ) -> anyhow::Result<Self> {
        let base = who.base().replacen("http", "ws", 1);
        let address = format!("{base}/api/v1/feed?care_unit={care_unit}&waves=none");
        let mut request = address.as_str().into_client_request()?;
        let cookie = who.cookie().context("a screen needs somebody who is signed in")?;
        request.headers_mut().insert("cookie", HeaderValue::from_str(cookie)?);
        request.headers_mut().insert("origin", HeaderValue::from_str(who.base())?);
        let (mut socket, _) =
            connect_async(request).await.with_context(|| format!("no live feed at {address}"))?;
        let hello = socket.next().await.context("the feed ended before it began")??;
        let hello: Frame = serde_json::from_str(hello.to_text()?)?;
        ensure!(hello.t == "hello", "the feed began with `{}`", hello.t);
        let places = patients.iter().cloned().zip(0..).collect();
        let mut seen = Seen { places, alarms: BTreeSet::new(), shown: Shown::default() };
        let (enough, mut told) = watch::channel(false);
        let clock = clock.clone();
        let task = tokio::spawn(async move {
            loop {
                let message = tokio::select! {
                    message = socket.next() => message,
                    _ = told.changed() => break,
                };
                let Some(Ok(message)) = message else { break };
                if let Message::Text(text) = message {
                    seen.take(&text, clock.now());
                }
            }
            seen.shown
        });
        Ok(Self { task, enough })
    }

    /// Closes the feed; answers what it showed.
    pub(super) async fn close(self) -> anyhow::Result<Shown> {
        self.enough.send_replace(true);
        self.task.await.context("the feed broke off")
    }
}

struct Seen {
    places: BTreeMap<String, usize>,
    alarms: BTreeSet<String>,
    shown: Shown,
}

impl Seen {
    fn take(&mut self, text: &str, read_at: Timestamp) {
        self.shown.frames += 1;
        self.shown.bytes += text.len() as u64;
        // A frame of a kind that we do not know tells us nothing.
        let Ok(frame) = serde_json::from_str::<Frame>(text) else { return };
        self.shown.gone += u64::from(frame.t == "gone");
        for Numerics { patient, numeric } in frame.numerics {
            self.shown.numerics += 1;
            let place = self.places.get(&patient).copied();
            let rate = numeric.value.filter(|_| numeric.vital == WITNESS);
            if let Some((patient, rate)) = place.zip(rate) {
                // Rates are small and not negative.
                let rate_thousandths = (rate * 1_000.0).round() as u64;
                self.shown.rates.push(ShownRate { patient, rate_thousandths, read_at });
            }
        }
        for alarm in frame.alarms {
            let is_ours = alarm.state == "active" && alarm.vital.as_deref() == Some(WITNESS);
            let place = alarm.patient.and_then(|patient| self.places.get(&patient).copied());
            if let Some(patient) = place.filter(|_| is_ours)
                && self.alarms.insert(alarm.id)
            {
                self.shown.alarms.push(ShownAlarm { patient, read_at });
            }
        }
    }
}

#[test]
fn a_screen_writes_down_rates_and_each_alarm_once() {
    let places = BTreeMap::from([("p1".to_owned(), 0), ("p2".to_owned(), 1)]);
    let mut seen = Seen { places, alarms: BTreeSet::new(), shown: Shown::default() };
    let at = Timestamp::from_unix_millis;
    let numeric = |patient: &str, vital: &str, value: &str| {
        format!(
            r#"{{"patient":"{patient}","bed":null,"numeric":{{"vital":"{vital}","value":{value},"age_s":0}}}}"#
        )
    };
    let numerics = [
        numeric("p1", "heart_rate", "70.003"),
        numeric("p2", "heart_rate", "null"),
        numeric("p2", "saturation", "97"),
    ];
    let alarm = r#"{"id":"a","state":"active","vital":"heart_rate","patient":"p2","told":[]}"#;
    let delta =
        format!(r#"{{"t":"delta","numerics":[{}],"alarms":[{alarm}]}}"#, numerics.join(","));
    seen.take(&delta, at(5));
    seen.take(&delta, at(6));
    seen.take(r#"{"t":"gone","reason":"slow"}"#, at(7));
    let shown = seen.shown;
    let rates: Vec<_> =
        shown.rates.iter().map(|it| (it.patient, it.rate_thousandths, it.read_at)).collect();
    assert_eq!(rates, [(0, 70_003, at(5)), (0, 70_003, at(6))]);
    let alarms: Vec<_> = shown.alarms.iter().map(|it| (it.patient, it.read_at)).collect();
    assert_eq!(alarms, [(1, at(5))]);
    assert_eq!((shown.frames, shown.numerics, shown.gone), (3, 6, 1));
}
