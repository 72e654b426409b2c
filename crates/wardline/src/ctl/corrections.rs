//! `wardline ctl corrections`: readings that do not count, or count as something else, by whom
//! and why. What was received stays as it is.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::{answer::Answer, table::Column};
use crate::rest::Rest;

const COLUMNS: [Column; 11] = [
    ("channel", "channel"),
    ("from", "from"),
    ("to", "to"),
    ("kind", "kind"),
    ("value", "value"),
    ("unit", "unit"),
    ("why", "why"),
    ("words", "words"),
    ("by", "by"),
    ("undone by", "undone_by"),
    ("id", "id"),
];
const RECEIVED: [Column; 7] = [
    ("channel", "channel"),
    ("at", "at"),
    ("value", "value"),
    ("unit", "unit"),
    ("missing", "missing"),
    ("received", "received_at"),
    ("counts", "counts"),
];

#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:
  wardline ctl corrections list --device 0197… --from 2026-11-21T00:00:00Z
  wardline ctl corrections withdraw --device 0197… --channel sys \\
      --from 2026-11-21T08:00:00Z --to 2026-11-21T09:30:00Z --why wrong_patient
  wardline ctl corrections replace --device 0197… --channel weight \\
      --at 2026-11-21T08:00:00Z --value 72.5 --unit kg --why mistyped
  wardline ctl corrections undo 0198… --device 0197… --words 'it was the right patient'
  wardline ctl corrections receipts --device 0197… --channel sys --from 2026-11-21T08:00:00Z")]
pub(super) enum Verb {
    /// Corrections of a device or of a patient, in the order in which they were recorded.
    List {
        #[command(flatten)]
        of: Of,
        #[command(flatten)]
        range: Range,
        /// Only what was recorded by then.
        #[arg(long, value_name = "TIME")]
        known_at: Option<String>,
    },
    /// One reading, or all of a span, does not count.
    Withdraw {
        #[command(flatten)]
        channel: OfChannel,
        #[command(flatten)]
        when: When,
        /// Before this instant.
        #[arg(long, value_name = "TIME", requires = "from")]
        to: Option<String>,
        #[command(flatten)]
        why: Why,
    },
    /// One reading was something else.
    Replace {
        #[command(flatten)]
        channel: OfChannel,
        /// The instant of the reading, such as 2026-11-21T08:30:00.250Z.
        #[arg(long, value_name = "TIME")]
        at: String,
        /// What it was.
        #[arg(long, allow_negative_numbers = true)]
        value: f64,
        /// Its unit, which is that in which the reading came.
        #[arg(long)]
        unit: Option<String>,
        #[command(flatten)]
        why: Why,
    },
    /// A correction holds no more; what counted before it counts again.
    Undo {
        /// The correction's id.
        id: String,
        /// The device that it is about.
        #[arg(long, value_name = "ID")]
        device: String,
        /// Why, in words.
        #[arg(long, default_value = "")]
        words: String,
    },
    /// Every reading as it was received, also those that do not count.
    Receipts {
        /// The device.
        #[arg(long, value_name = "ID")]
        device: String,
        /// Only this channel.
        #[arg(long)]
        channel: Option<String>,
        #[command(flatten)]
        range: Range,
    },
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(super) struct Of {
    /// What was measured by this device.
    #[arg(long, value_name = "ID")]
    device: Option<String>,
    /// What was measured of this patient.
    #[arg(long, value_name = "ID")]
    patient: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct Range {
    /// From this instant on; a day before --to if it is left out.
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// Before this instant; now if it is left out.
    #[arg(long, value_name = "TIME")]
    to: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct OfChannel {
    /// The device that measured.
    #[arg(long, value_name = "ID")]
    device: String,
    /// Its channel, as its profile calls it.
    #[arg(long)]
    channel: String,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(super) struct When {
    /// One instant, such as 2026-11-21T08:30:00.250Z.
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
    /// From this instant on; with --to.
    #[arg(long, value_name = "TIME", requires = "to")]
    from: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct Why {
    /// wrong_patient, sensor_off, artefact, mistyped or other.
    #[arg(long)]
    why: String,
    /// The reason in words; has to be said with «other».
    #[arg(long, default_value = "")]
    words: String,
}

/// Does it.
pub(super) async fn ask(server: &Rest, verb: Verb) -> anyhow::Result<Answer> {
    match verb {
        Verb::List { of, range, known_at } => {
            let (noun, id) = match (of.device, of.patient) {
                (Some(id), _) => ("devices", id),
                (None, id) => ("patients", id.unwrap_or_default()),
            };
            let query = query(&[("from", range.from), ("to", range.to), ("known_at", known_at)]);
            let joint = if query.is_empty() { '?' } else { '&' };
            let path = format!("/api/v1/{noun}/{id}/corrections{query}");
            let (mut items, mut page) = (Vec::new(), server.get(&path).await?);
            loop {
                let next = page.get("next").and_then(Value::as_str).map(str::to_owned);
                items.extend(items_of(page));
                let Some(next) = next else { return Ok(Answer::list(items, &COLUMNS)) };
                page = server.get(&format!("{path}{joint}cursor={next}")).await?;
            }
        }
        Verb::Withdraw { channel, when, to, why } => {
            let mut body = json!({
                "channel": channel.channel, "at": when.at, "from": when.from, "to": to,
                "why": why.why, "words": why.words,
            });
            drop_nulls(&mut body);
            put(server, &channel.device, &body).await
        }
        Verb::Replace { channel, at, value, unit, why } => {
            let mut body = json!({
                "channel": channel.channel, "at": at, "value": value, "unit": unit,
                "why": why.why, "words": why.words,
            });
            drop_nulls(&mut body);
            put(server, &channel.device, &body).await
        }
        Verb::Undo { id, device, words } => {
            let path = format!("/api/v1/devices/{device}/corrections/{id}/undo");
            let done = server.post(&path, &json!({ "words": words })).await?;
            Ok(Answer::one(done, &COLUMNS))
        }
        Verb::Receipts { device, channel, range } => {
            let query = query(&[("from", range.from), ("to", range.to), ("channel", channel)]);
            let found = server.get(&format!("/api/v1/devices/{device}/receipts{query}")).await?;
            Ok(Answer::list(items_of(found), &RECEIVED))
        }
    }
}

async fn put(server: &Rest, device: &str, body: &Value) -> anyhow::Result<Answer> {
    let done = server.post(&format!("/api/v1/devices/{device}/corrections"), body).await?;
    Ok(Answer::one(done, &COLUMNS))
}

fn items_of(mut found: Value) -> Vec<Value> {
    found.get_mut("items").and_then(Value::as_array_mut).map(std::mem::take).unwrap_or_default()
}

fn drop_nulls(body: &mut Value) {
    if let Some(fields) = body.as_object_mut() {
        fields.retain(|_, value| !value.is_null());
    }
}

/// What was given, behind a question mark.
fn query(given: &[(&str, Option<String>)]) -> String {
    let one = |(name, value): &(&str, Option<String>)| {
        let value = value.as_deref()?.replace('+', "%2B").replace(' ', "%20");
        Some(format!("{name}={value}"))
    };
    let all: Vec<String> = given.iter().filter_map(one).collect();
    if all.is_empty() { String::new() } else { format!("?{}", all.join("&")) }
}

#[test]
fn a_question_names_what_was_given_and_a_time_zone_keeps_its_plus() {
    assert_eq!(query(&[("from", None), ("to", None)]), "");
    let at = Some("2026-11-21T08:30:00+01:00".to_owned());
    let asked = query(&[("from", at), ("to", None), ("channel", Some("sys".to_owned()))]);
    assert_eq!(asked, "?from=2026-11-21T08:30:00%2B01:00&channel=sys");
}
