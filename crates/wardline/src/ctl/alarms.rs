//! `wardline ctl alarms`: what stands, since when and who has it; and answers to it.

use clap::{Subcommand, ValueEnum};
use serde_json::json;

use super::{
    answer::{Answer, items},
    table::Column,
};
use crate::rest::Rest;

const COLUMNS: [Column; 7] = [
    ("priority", "priority"),
    ("alarm", "title"),
    ("bed", "bed_name"),
    ("since", "since"),
    ("state", "state"),
    ("who has it", "acknowledged_by.name"),
    ("id", "id"),
];

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Alarms: standing ones by urgency, then ended ones, the latest first.
    List {
        /// Only those of this care unit.
        #[arg(long, value_name = "ID")]
        care_unit: Option<String>,
        /// Standing ones, or ended ones.
        #[arg(long)]
        state: Option<State>,
        /// At most so many.
        #[arg(long)]
        limit: Option<usize>,
    },
    /// One alarm with its whole life.
    Show {
        /// The alarm's id.
        id: String,
    },
    /// «I have it»: quiet for some minutes, and loud again if it still stands.
    Acknowledge {
        /// The alarm's id.
        id: String,
        /// For how long.
        #[arg(long, default_value_t = 2)]
        minutes: u32,
    },
    /// Ends an alarm that is not true; your name and the reason are kept.
    End {
        /// The alarm's id.
        id: String,
        /// The kind of reason, as the screens offer it.
        #[arg(long)]
        reason: String,
        /// The reason in words.
        #[arg(long, default_value = "")]
        words: String,
    },
}

/// Which alarms.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum State {
    Standing,
    Ended,
}

/// Does it.
pub(super) async fn ask(server: &Rest, verb: Verb) -> anyhow::Result<Answer> {
    match verb {
        Verb::List { care_unit, state, limit } => {
            let mut path = "/api/v1/alarms?scope=all".to_owned();
            if let Some(unit) = care_unit {
                path += &format!("&care_unit={unit}");
            }
            path += match state {
                None => "",
                Some(State::Standing) => "&state=active",
                Some(State::Ended) => "&state=ended",
            };
            Ok(Answer::list(items(server, &path, limit).await?, &COLUMNS))
        }
        Verb::Show { id } => {
            let found = server.get(&format!("/api/v1/alarms/{id}")).await?;
            let life = [("at", "at"), ("what", "what"), ("detail", "detail"), ("by", "by")];
            let events = found.get("life").and_then(|life| life.as_array().cloned());
            let words = super::table::table(&events.unwrap_or_default(), &life);
            let alarm = found.get("alarm").unwrap_or(&found);
            let facts = super::table::facts(alarm, &COLUMNS);
            Ok(Answer::one(found, &[]).with(&format!("{facts}\n{words}")))
        }
        Verb::Acknowledge { id, minutes } => {
            let body = json!({ "quiet_for_s": u64::from(minutes).saturating_mul(60) });
            server.post(&format!("/api/v1/alarms/{id}/acknowledge"), &body).await?;
            Ok(Answer::said(format!("acknowledged for {minutes} min\n")))
        }
        Verb::End { id, reason, words } => {
            let body = json!({ "reason": reason, "words": words });
            server.post(&format!("/api/v1/alarms/{id}/end"), &body).await?;
            Ok(Answer::said("ended\n".to_owned()))
        }
    }
}
