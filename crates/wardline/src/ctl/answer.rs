//! What a command has to say: the server's JSON, and how a person reads it.

use std::io::{self, Write as _};

use anyhow::Context as _;
use serde_json::Value;

use super::table::{Column, facts, table};
use crate::rest::Rest;

/// The most items that are read of a list without `--limit`; the table says when there are more.
const ITEMS_MAX: usize = 10_000;
/// Items on one page, the most that the server gives.
const PAGE: usize = 200;

/// What the server said, with its form for people.
#[derive(Debug)]
pub(super) struct Answer {
    json: Value,
    text: String,
}

impl Answer {
    /// A list as a table with these columns.
    pub(super) fn list(items: Vec<Value>, columns: &[Column]) -> Self {
        let text = table(&items, columns);
        Self { json: Value::Array(items), text }
    }

    /// One thing, a line for each of these columns.
    pub(super) fn one(thing: Value, columns: &[Column]) -> Self {
        let text = facts(&thing, columns);
        Self { json: thing, text }
    }

    /// Its form for people.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// One thing and further words about it.
    pub(super) fn with(mut self, words: &str) -> Self {
        self.text += words;
        self
    }

    /// A deed without data.
    pub(super) fn said(text: String) -> Self {
        Self { json: Value::Null, text }
    }

    /// What the server said and nothing else.
    pub(super) fn raw(json: Value) -> Self {
        let text = format!("{json:#}\n");
        Self { json, text }
    }

    /// Prints it; a reader that has seen enough is no fault.
    pub(super) fn print(&self, as_json: bool) -> anyhow::Result<()> {
        let text = if as_json { format!("{}\n", self.json) } else { self.text.clone() };
        match io::stdout().lock().write_all(text.as_bytes()) {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                Err(error).context("the answer cannot be written")
            }
            Ok(()) | Err(_) => Ok(()),
        }
    }
}

/// All items of a list, page after page, up to `limit`.
pub(super) async fn items(
    server: &Rest,
    path: &str,
    limit: Option<usize>,
) -> anyhow::Result<Vec<Value>> {
    let limit = limit.unwrap_or(ITEMS_MAX);
    let (mut found, mut cursor) = (Vec::new(), None::<String>);
    while found.len() < limit {
        let wanted = PAGE.min(limit.saturating_sub(found.len()));
        let joint = if path.contains('?') { '&' } else { '?' };
        let mut page = format!("{path}{joint}limit={wanted}");
        if let Some(cursor) = &cursor {
            page = format!("{page}&cursor={cursor}");
        }
        let mut answer = server.get(&page).await?;
        let items = answer.get_mut("items").and_then(Value::as_array_mut);
        found.append(items.with_context(|| format!("{path} did not answer with a list"))?);
        cursor = answer.get("next").and_then(Value::as_str).map(str::to_owned);
        if cursor.is_none() {
            return Ok(found);
        }
    }
    if limit == ITEMS_MAX {
        eprintln!("only the first {ITEMS_MAX} are shown; narrow it down");
    }
    Ok(found)
}
