//! `wardline ctl devices` and `dead-letters`: what measures, by which certificate, and what was not understood.

use std::{
    fs,
    io::Write as _,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::{
    answer::{Answer, items},
    table::{Column, table},
};
use crate::rest::{Rest, text};

const COLUMNS: [Column; 9] = [
    ("label", "label"),
    ("profile", "profile"),
    ("serial", "serial"),
    ("lifecycle", "lifecycle"),
    ("connected", "connected"),
    ("last heard", "last_heard_at"),
    ("patient", "patient.id"),
    ("bed", "bed.name"),
    ("id", "id"),
];
const CERTIFICATES: [Column; 5] = [
    ("certificate", "serial"),
    ("from", "not_before"),
    ("until", "not_after"),
    ("revoked", "revoked_at"),
    ("id", "id"),
];
const LETTERS: [Column; 7] = [
    ("at", "at"),
    ("device", "device_label"),
    ("door", "door"),
    ("reason", "reason"),
    ("detail", "detail"),
    ("topic", "topic"),
    ("id", "id"),
];

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Devices, by what people call them.
    List {
        /// Only those of this care unit.
        #[arg(long, value_name = "ID")]
        care_unit: Option<String>,
    },
    /// One device with its certificates.
    Show {
        /// The device's id.
        id: String,
    },
    /// Adds a device.
    Add {
        /// Its kind, as `wardline ctl get /api/v1/profiles` names it.
        #[arg(long)]
        profile: String,
        /// The serial number on it.
        #[arg(long)]
        serial: String,
        /// What people call it.
        #[arg(long)]
        label: String,
        /// The care unit that it belongs to.
        #[arg(long, value_name = "ID")]
        care_unit: Option<String>,
    },
    /// Issues a certificate and writes it, its key and the authority to a folder.
    Certificate {
        /// The device's id.
        id: String,
        /// The folder, which is made.
        #[arg(long, value_name = "FOLDER")]
        out: PathBuf,
    },
    /// Revokes a certificate; connections that use it are closed.
    Revoke {
        /// The device's id.
        id: String,
        /// The certificate's id.
        certificate: String,
    },
    /// Moves a device along its life, such as to in_service or quarantined.
    Lifecycle {
        /// The device's id.
        id: String,
        /// Where to.
        state: String,
    },
}

/// Which dead letters.
#[derive(Debug, Args)]
pub(super) struct DeadLetters {
    /// At most so many.
    #[arg(long, default_value_t = 200)]
    limit: usize,
}

/// Does it.
pub(super) async fn ask(server: &Rest, verb: Verb) -> anyhow::Result<Answer> {
    match verb {
        Verb::List { care_unit } => {
            let of = care_unit.map(|unit| format!("?care_unit={unit}")).unwrap_or_default();
            let found = items(server, &format!("/api/v1/devices{of}"), None).await?;
            Ok(Answer::list(found, &COLUMNS))
        }
        Verb::Show { id } => {
            let device = server.get(&format!("/api/v1/devices/{id}")).await?;
            let certificates = device.get("certificates").and_then(|it| it.as_array().cloned());
            let certificates = table(&certificates.unwrap_or_default(), &CERTIFICATES);
            Ok(Answer::one(device, &COLUMNS).with(&format!("\n{certificates}")))
        }
        Verb::Add { profile, serial, label, care_unit } => {
            let body = json!({
                "profile": profile, "serial": serial, "label": label, "care_unit": care_unit,
            });
            Ok(Answer::one(server.post("/api/v1/devices", &body).await?, &COLUMNS))
        }
        Verb::Certificate { id, out } => certificate(server, &id, &out).await,
        Verb::Revoke { id, certificate } => {
            server.delete(&format!("/api/v1/devices/{id}/certificates/{certificate}")).await?;
            Ok(Answer::said("revoked\n".to_owned()))
        }
        Verb::Lifecycle { id, state } => {
            let path = format!("/api/v1/devices/{id}/lifecycle");
            let device = server.put(&path, &json!({ "state": state })).await?;
            Ok(Answer::one(device, &COLUMNS))
        }
    }
}

/// The newest first; listing them is a look that leaves a trace.
pub(super) async fn ask_dead_letters(server: &Rest, asked: &DeadLetters) -> anyhow::Result<Answer> {
    let letters = items(server, "/api/v1/dead-letters", Some(asked.limit)).await?;
    Ok(Answer::list(letters, &LETTERS))
}

async fn certificate(server: &Rest, id: &str, out: &Path) -> anyhow::Result<Answer> {
    // Before it is asked for, as the key is given once and must have a place.
    fs::create_dir_all(out).with_context(|| format!("cannot make {}", out.display()))?;
    let issued = server.post(&format!("/api/v1/devices/{id}/certificate"), &Value::Null).await?;
    for (name, key, mode) in [
        ("device.key", "key_pem", 0o600),
        ("device.pem", "certificate_pem", 0o644),
        ("ca.pem", "ca_pem", 0o644),
    ] {
        let path = out.join(name);
        let content = text(&issued, &[key])?;
        let mut options = fs::File::options();
        options.write(true).create(true).truncate(true).mode(mode);
        let write = options.open(&path).and_then(|mut file| file.write_all(content.as_bytes()));
        write.with_context(|| format!("cannot write {}", path.display()))?;
    }
    let words = format!(
        "wrote device.pem, device.key and ca.pem to {}\nnothing else has the key: keep it there, or on the device only\n",
        out.display()
    );
    let facts = [
        ("host", "mqtt.host"),
        ("port", "mqtt.port"),
        ("client id", "mqtt.client_id"),
        ("topics", "mqtt.topic_prefix"),
        ("until", "not_after"),
    ];
    let mut told = issued;
    if let Some(fields) = told.as_object_mut() {
        fields.remove("key_pem");
    }
    Ok(Answer::one(told, &facts).with(&words))
}
