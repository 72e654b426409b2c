//! `wardline ctl holds`: what has to stay in the journal as it was received, by whom and why.

use clap::{Args, Subcommand};
use serde_json::json;

use super::{
    answer::{Answer, items},
    table::Column,
};
use crate::rest::Rest;

const COLUMNS: [Column; 8] = [
    ("patient", "patient"),
    ("from", "from"),
    ("to", "to"),
    ("why", "why"),
    ("by", "by"),
    ("since", "since"),
    ("ended", "ended_at"),
    ("id", "id"),
];

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Holds that hold, then those that were ended.
    List,
    /// Holds a patient, or a span of receipts, against thinning.
    Add {
        #[command(flatten)]
        of: Of,
        /// Before this receipt, such as 2026-11-21T09:30:00Z.
        #[arg(long, value_name = "TIME", requires = "from")]
        to: Option<String>,
        /// Why, such as the number of a case.
        #[arg(long)]
        why: String,
    },
    /// Ends a hold.
    End {
        /// The hold's id.
        id: String,
        /// Why.
        #[arg(long)]
        why: String,
    },
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(super) struct Of {
    /// Every device that was ever said to be on this patient.
    #[arg(long, value_name = "ID")]
    patient: Option<String>,
    /// From this receipt on; with --to.
    #[arg(long, value_name = "TIME", requires = "to")]
    from: Option<String>,
}

/// Does it.
pub(super) async fn ask(server: &Rest, verb: Verb) -> anyhow::Result<Answer> {
    match verb {
        Verb::List => {}
        Verb::Add { of, to, why } => {
            let body = json!({ "patient": of.patient, "from": of.from, "to": to, "why": why });
            server.post("/api/v1/holds", &body).await?;
        }
        Verb::End { id, why } => {
            server.post(&format!("/api/v1/holds/{id}/end"), &json!({ "why": why })).await?;
        }
    }
    Ok(Answer::list(items(server, "/api/v1/holds", None).await?, &COLUMNS))
}
