//! How long a crash keeps a ward waiting when the journal is long.

use std::{path::Path, time::Duration};

use anyhow::{Context as _, ensure};
use serde_json::Value;
use store::Clock;
use tokio::sync::watch;

use super::{
    Restart,
    figure::Sheet,
    flood::{Push, Until, flood},
    fresh_server::FreshServer,
    ingest::{connect, stage},
    progress,
    template::READINGS,
};
use crate::rest::Rest;

/// Messages of each device on their way while the journal is filled.
const IN_FLIGHT: u32 = 64;
/// How often the journal's length is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// By then the server must be ready again.
const READY_WITHIN: Duration = Duration::from_secs(60);

/// Fills the journal through the devices' door, crashes, and waits for readiness.
pub(super) async fn measure(
    asked: &Restart,
    scratch: Option<&Path>,
    sheet: &mut Sheet,
) -> anyhow::Result<()> {
    let clock = Clock::system();
    let server = FreshServer::start(scratch).await?;
    let admin = server.admin().await?;
    let (hospital, _, devices) = stage(&admin, asked.devices as usize).await?;
    let publishers = connect(&devices, &hospital, &server, &clock).await?;
    progress(&format!("filling the journal with {} MB", asked.megabytes));
    let push = Push::new(IN_FLIGHT, Some(asked.rate), asked.devices);
    let (enough, told) = watch::channel(false);
    let full = asked.megabytes.saturating_mul(1_000_000);
    let watching = tokio::spawn(async move { wait_for(&admin, full, &enough).await });
    let flooded = flood(publishers, push, &Until::Told(told), &clock).await?;
    let bytes = watching.await.context("nobody watched the journal")??;
    let acked = flooded.acked();
    progress("crash");
    let crashed_at = clock.now();
    let server = server.crash_and_start_again().await?;
    let admin = server.admin().await?;
    wait_until_ready(&admin, &clock).await?;
    let ready_after = clock.now().since(crashed_at);
    sheet.condition("journal_bytes", bytes);
    sheet.condition("devices", asked.devices);
    sheet.condition("rate_limit_per_s", asked.rate.get());
    sheet.condition("readings_per_message", READINGS);
    sheet.add("restart.ready_after", ready_after.as_secs_f64(), "s");
    sheet.add("restart.messages_in_journal", acked as f64, "1");
    sheet.add("restart.fill_rate", flooded.per_second(), "1/s");
    sheet.add("restart.server_rss", server.usage()?.rss_kib as f64 / 1_024.0, "MiB");
    server.stop().await
}

async fn wait_for(admin: &Rest, full: u64, enough: &watch::Sender<bool>) -> anyhow::Result<u64> {
    loop {
        let system = admin.get("/api/v1/system").await;
        let bytes = system
            .map(|system| system.pointer("/journal/bytes").and_then(Value::as_u64).unwrap_or(0));
        // Without an answer nobody would ever stop the flood.
        if bytes.as_ref().map_or(true, |bytes| *bytes >= full) {
            enough.send_replace(true);
            return bytes;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

async fn wait_until_ready(who: &Rest, clock: &Clock) -> anyhow::Result<()> {
    let give_up_at = clock.now().after(READY_WITHIN);
    while let Err(error) = who.get("/readyz").await {
        ensure!(clock.now() < give_up_at, "not ready within {} s: {error}", READY_WITHIN.as_secs());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Ok(())
}
