//! A virtual device that speaks HTTPS: one message in one request, repeated until it is answered.

use std::{sync::Arc, time::Duration};

use anyhow::Context as _;
use reqwest::{StatusCode, header};
use rustls::ClientConfig;
use sim::{Act, Sent};
use store::Clock;
use tokio::sync::mpsc;

use super::players::Answered;

/// How long a device waits before it tries again.
const TRY_AGAIN: Duration = Duration::from_millis(500);
/// How long it waits for an answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// How often it tries to get rid of one message.
const TRIES_MAX: u32 = 20;

/// Reason codes of MQTT by which the check counts answers.
const TAKEN: u8 = 0;
const NOT_UNDERSTOOD: u8 = 0x99;
const NOT_AUTHORIZED: u8 = 0x87;

/// One device.
pub(super) struct HttpsPlayer {
    pub(super) device_index: usize,
    /// What its addresses begin with.
    pub(super) base: String,
    pub(super) http: reqwest::Client,
    /// Who it is with a certificate that has expired.
    pub(super) expired: Option<reqwest::Client>,
    pub(super) clock: Clock,
    pub(super) answers: Option<mpsc::Sender<Answered>>,
}

/// A client with this certificate.
pub(super) fn client(tls: &Arc<ClientConfig>) -> anyhow::Result<reqwest::Client> {
    let builder = reqwest::Client::builder().no_proxy().timeout(ANSWER_WITHIN);
    let builder = builder.tls_backend_preconfigured(ClientConfig::clone(tls));
    builder.build().context("no client of HTTPS could be made")
}

impl HttpsPlayer {
    /// Asks for the time, as a device does that was just switched on.
    pub(super) async fn greet(&self) -> anyhow::Result<()> {
        let answer = self.http.get(format!("{}/v1/time", self.base)).send().await?;
        anyhow::ensure!(answer.status() == StatusCode::OK, "it was answered {}", answer.status());
        Ok(())
    }

    /// Does one thing after the other until nobody wants anything any more.
    pub(super) async fn run(self, mut acts: mpsc::Receiver<Act>) -> anyhow::Result<()> {
        let mut is_cut = false;
        while let Some(act) = acts.recv().await {
            match act {
                Act::Cut => is_cut = true,
                Act::Expire => {
                    is_cut = true;
                    if let Some(expired) = &self.expired {
                        // It is refused, which is the point.
                        let _ = expired.get(format!("{}/v1/time", self.base)).send().await;
                    }
                }
                Act::Restore => is_cut = false,
                Act::Send(sent) if !is_cut => self.send(sent).await?,
                Act::Send(_) => {}
            }
        }
        Ok(())
    }

    async fn send(&self, sent: Sent) -> anyhow::Result<()> {
        let url = format!("{}/v1/{}", self.base, sent.leaf);
        let sent_at = self.clock.now();
        for _ in 0..TRIES_MAX {
            let request = self.http.post(&url).header(header::CONTENT_TYPE, sent.content_type);
            let answer = request.body(sent.payload.to_vec()).send().await;
            if let Some(code) = answer.ok().and_then(|answer| code_of(answer.status())) {
                if let Some(answers) = &self.answers {
                    let device_index = self.device_index;
                    // Nobody counts any more once the receiver is gone.
                    let _ = answers.send(Answered { device_index, sent, sent_at, code }).await;
                }
                return Ok(());
            }
            tokio::time::sleep(TRY_AGAIN).await;
        }
        anyhow::bail!("a message to {url} was never answered")
    }
}

/// What an answer means to the sender; `None` asks for another try.
fn code_of(status: StatusCode) -> Option<u8> {
    match status {
        StatusCode::UNPROCESSABLE_ENTITY => Some(NOT_UNDERSTOOD),
        status if status.is_success() => Some(TAKEN),
        status if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS => None,
        _ => Some(NOT_AUTHORIZED),
    }
}

#[test]
fn an_answer_is_counted_as_the_same_answer_by_mqtt() {
    let rows = [
        (204, Some(TAKEN)),
        (422, Some(NOT_UNDERSTOOD)),
        (401, Some(NOT_AUTHORIZED)),
        (403, Some(NOT_AUTHORIZED)),
        (429, None),
        (503, None),
    ];
    for (status, want) in rows {
        assert_eq!(code_of(StatusCode::from_u16(status).unwrap()), want, "{status}");
    }
}
