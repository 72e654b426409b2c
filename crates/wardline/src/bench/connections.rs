//! What an idle connection holds in the server's memory.

use std::{path::Path, time::Duration};

use store::Clock;
use tokio::task::JoinSet;

use super::{
    Connections, figure::Sheet, fresh_server::FreshServer, hospital::Hospital, ingest::connect,
    progress,
};

/// So that nothing of the start is still under way when memory is first read.
const SETTLES: Duration = Duration::from_secs(3);

/// Connects and leaves alone.
pub(super) async fn measure(
    asked: &Connections,
    scratch: Option<&Path>,
    sheet: &mut Sheet,
) -> anyhow::Result<()> {
    let clock = Clock::system();
    let server = FreshServer::start(scratch).await?;
    let hospital = Hospital::build(server.admin().await?).await?;
    progress(&format!("enrolling {} devices", asked.count));
    let devices = hospital.enrol(asked.count as usize, &[]).await?;
    // What the enrolment left free in the server's heap would hide what a connection takes.
    let server = server.crash_and_start_again().await?;
    progress("letting the restarted server settle");
    tokio::time::sleep(SETTLES).await;
    let before = server.usage()?;
    let began_at = clock.now();
    let publishers = connect(&devices, &hospital, &server, &clock).await?;
    let connected = clock.now().since(began_at);
    let mut resting = JoinSet::new();
    for publisher in publishers {
        resting.spawn(publisher.rest());
    }
    progress(&format!("leaving them alone for {} s", asked.seconds));
    let lost = tokio::time::timeout(Duration::from_secs(asked.seconds), resting.join_next()).await;
    anyhow::ensure!(lost.is_err(), "an idle connection was lost");
    let after = server.usage()?;
    sheet.condition("connections", asked.count);
    sheet.condition("transport", "MQTT 5, TLS 1.3 with client certificates, keep alive 60 s");
    let grown_kib = after.rss_kib.saturating_sub(before.rss_kib) as f64;
    sheet.add("connections.rss_each", grown_kib / f64::from(asked.count), "KiB");
    sheet.add("connections.connect_all", connected.as_secs_f64(), "s");
    sheet.add("connections.server_rss_before", before.rss_kib as f64 / 1_024.0, "MiB");
    sheet.add("connections.server_rss", after.rss_kib as f64 / 1_024.0, "MiB");
    server.stop().await
}
