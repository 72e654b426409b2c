//! `wardline ctl backup`: asks the running server for a backup, or for a rehearsal, and waits.

use std::time::Duration;

use anyhow::bail;
use clap::Args;
use serde_json::{Value, json};

use super::{answer::Answer, table::Column};
use crate::rest::Rest;

#[derive(Debug, Args)]
pub(super) struct Asked {
    /// Only restores the newest backup into a scratch place and compares it.
    #[arg(long)]
    rehearse: bool,
    /// Only says how the backups do.
    #[arg(long, conflicts_with = "rehearse")]
    status: bool,
}

const COLUMNS: [Column; 7] = [
    ("folder", "folder"),
    ("backups", "count"),
    ("newest", "last_at"),
    ("  bytes", "last_bytes"),
    ("rehearsed", "rehearsed_at"),
    ("  backup of", "rehearsed_of"),
    ("problem", "problem"),
];

/// How often it looks whether the work is done.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Asks, and waits for the end.
pub(super) async fn ask(server: &Rest, asked: &Asked) -> anyhow::Result<Answer> {
    if !asked.status {
        let path =
            if asked.rehearse { "/api/v1/system/rehearsal" } else { "/api/v1/system/backup" };
        server.post(path, &json!({})).await?;
    }
    let mut looks = tokio::time::interval(LOOK_EVERY);
    loop {
        looks.tick().await;
        let system = server.get("/api/v1/system").await?;
        let backup = system.get("backup").cloned().unwrap_or_default();
        if backup.is_null() {
            bail!("no folder for backups is configured on the server");
        }
        if !asked.status && backup.get("under_way").is_some_and(|it| !it.is_null()) {
            continue;
        }
        if let Some(problem) =
            backup.get("problem").and_then(Value::as_str).filter(|_| !asked.status)
        {
            bail!("the server could not do it: {problem}");
        }
        return Ok(Answer::one(backup, &COLUMNS));
    }
}
