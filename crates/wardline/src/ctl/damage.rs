//! `wardline ctl damage`: what is stored and damaged, and what became of it.

use serde_json::Value;

use super::{answer::Answer, table::Column};
use crate::rest::Rest;

const COLUMNS: [Column; 8] = [
    ("device", "device.name"),
    ("channel", "channel"),
    ("from, ms", "from_ms"),
    ("to, ms", "to_ms"),
    ("items", "items"),
    ("state", "state"),
    ("found", "found_at"),
    ("settled", "settled_at"),
];

/// Lists it, and says what is to be done.
pub(super) async fn ask(server: &Rest) -> anyhow::Result<Answer> {
    let system = server.get("/api/v1/system").await?;
    let troubles = system.get("troubles").and_then(Value::as_array);
    let is_it = |it: &&Value| it.get("code").and_then(Value::as_str) == Some("stored_damaged");
    if let Some(words) = troubles.into_iter().flatten().find(is_it).and_then(|it| it.get("words")) {
        eprintln!("{}", words.as_str().unwrap_or_default());
    }
    let chunks = system.pointer("/damage/chunks").and_then(Value::as_array);
    Ok(Answer::list(chunks.cloned().unwrap_or_default(), &COLUMNS))
}
