//! `wardline ctl users`, `staff` and `audit`: who may sign in, who works here, and who looked at what.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::{
    answer::{Answer, items},
    table::Column,
};
use crate::rest::Rest;

const USERS: [Column; 6] = [
    ("login", "login"),
    ("name", "name"),
    ("role", "role"),
    ("password", "has_password"),
    ("disabled", "disabled"),
    ("id", "id"),
];
const STAFF: [Column; 3] = [("name", "name"), ("role", "role"), ("id", "id")];
const AUDIT: [Column; 7] = [
    ("at", "at"),
    ("who", "actor.name"),
    ("did", "action"),
    ("allowed", "allowed"),
    ("rule", "rule"),
    ("from", "remote"),
    ("what", "resource"),
];

#[derive(Debug, Subcommand)]
pub(super) enum UserVerb {
    /// All logins.
    List,
    /// Adds a login and prints its one-time link.
    Add {
        /// What they type to sign in.
        #[arg(long)]
        login: String,
        /// Their name.
        #[arg(long)]
        name: String,
        /// nurse, charge_nurse, physician or it.
        #[arg(long)]
        role: String,
        /// The member of staff who they are; without it a new one is made.
        #[arg(long, value_name = "ID")]
        staff: Option<String>,
        /// The site where a new member of staff works.
        #[arg(long, value_name = "ID")]
        site: Option<String>,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum StaffVerb {
    /// Everybody who works here.
    List,
    /// Adds somebody.
    Add {
        /// The site's id.
        #[arg(long, value_name = "ID")]
        site: String,
        /// Their name.
        name: String,
    },
}

/// Which entries.
#[derive(Debug, Args)]
pub(super) struct Audit {
    /// Only looks at this patient.
    #[arg(long, value_name = "ID")]
    patient: Option<String>,
    /// At most so many.
    #[arg(long, default_value_t = 200)]
    limit: usize,
}

/// Does it for logins.
pub(super) async fn ask_users(server: &Rest, verb: UserVerb) -> anyhow::Result<Answer> {
    match verb {
        UserVerb::List => Ok(Answer::list(items(server, "/api/v1/users", None).await?, &USERS)),
        UserVerb::Add { login, name, role, staff, site } => {
            let body = json!({
                "login": login, "name": name, "role": role, "staff_id": staff, "site_id": site,
            });
            let added = server.post("/api/v1/users", &body).await?;
            let link = added
                .get("invitation")
                .and_then(Value::as_str)
                .map(|path| format!("\nThe link works once: {}{path}\n", server.base()));
            Ok(Answer::one(added, &USERS).with(&link.unwrap_or_default()))
        }
    }
}

/// Does it for staff.
pub(super) async fn ask_staff(server: &Rest, verb: StaffVerb) -> anyhow::Result<Answer> {
    match verb {
        StaffVerb::List => Ok(Answer::list(items(server, "/api/v1/staff", None).await?, &STAFF)),
        StaffVerb::Add { site, name } => {
            let body = json!({ "site_id": site, "name": name });
            Ok(Answer::one(server.post("/api/v1/staff", &body).await?, &STAFF))
        }
    }
}

/// Reads the audit; reading it leaves a trace there.
pub(super) async fn ask_audit(server: &Rest, asked: &Audit) -> anyhow::Result<Answer> {
    let of = asked.patient.as_ref().map(|id| format!("?patient={id}")).unwrap_or_default();
    let entries = items(server, &format!("/api/v1/audit{of}"), Some(asked.limit)).await?;
    Ok(Answer::list(entries, &AUDIT))
}
