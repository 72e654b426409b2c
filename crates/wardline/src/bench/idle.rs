//! What a server costs to which nobody speaks.

use std::{path::Path, time::Duration};

use super::{Idle, figure::Sheet, fresh_server::FreshServer, progress};

/// Waits and reads.
pub(super) async fn measure(
    asked: &Idle,
    scratch: Option<&Path>,
    sheet: &mut Sheet,
) -> anyhow::Result<()> {
    let server = FreshServer::start(scratch).await?;
    progress(&format!("leaving the server alone for {} s", asked.seconds));
    let before = server.usage()?;
    tokio::time::sleep(Duration::from_secs(asked.seconds)).await;
    let after = server.usage()?;
    sheet.condition("seconds", asked.seconds);
    sheet.add("idle.server_rss", after.rss_kib as f64 / 1_024.0, "MiB");
    let spent_s = after.cpu_us.saturating_sub(before.cpu_us) as f64 / 1e6;
    sheet.add("idle.server_cores", spent_s / asked.seconds as f64, "1");
    server.stop().await
}
