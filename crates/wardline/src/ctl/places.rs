//! `wardline ctl places`: the tree of sites, care units, rooms and beds.

use clap::Subcommand;
use serde_json::{Value, json};

use super::{
    answer::{Answer, items},
    table::Column,
};
use crate::rest::Rest;

const COLUMNS: [Column; 3] = [("kind", "kind"), ("name", "indented"), ("id", "id")];

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// All places, as a tree.
    List,
    /// Adds a site.
    AddSite {
        /// What people call it.
        name: String,
    },
    /// Adds a care unit to a site.
    AddCareUnit {
        /// The site's id.
        #[arg(long)]
        site: String,
        /// What people call it.
        name: String,
    },
    /// Adds a room to a care unit.
    AddRoom {
        /// The care unit's id.
        #[arg(long)]
        care_unit: String,
        /// What people call it.
        name: String,
    },
    /// Adds a bed to a room.
    AddBed {
        /// The room's id.
        #[arg(long)]
        room: String,
        /// What people call it.
        name: String,
    },
}

/// A kind of place: its word, its list, and the key that names what it lies in.
const LEVELS: [(&str, &str, &str); 4] = [
    ("site", "/api/v1/sites", ""),
    ("care unit", "/api/v1/care-units", "site_id"),
    ("room", "/api/v1/rooms", "care_unit_id"),
    ("bed", "/api/v1/beds", "room_id"),
];

/// Does it.
pub(super) async fn ask(server: &Rest, verb: Verb) -> anyhow::Result<Answer> {
    let (path, body) = match verb {
        Verb::List => return list(server).await,
        Verb::AddSite { name } => ("/api/v1/sites", json!({ "name": name })),
        Verb::AddCareUnit { site, name } => {
            ("/api/v1/care-units", json!({ "site_id": site, "name": name }))
        }
        Verb::AddRoom { care_unit, name } => {
            ("/api/v1/rooms", json!({ "care_unit_id": care_unit, "name": name }))
        }
        Verb::AddBed { room, name } => ("/api/v1/beds", json!({ "room_id": room, "name": name })),
    };
    Ok(Answer::one(server.post(path, &body).await?, &[("name", "name"), ("id", "id")]))
}

async fn list(server: &Rest) -> anyhow::Result<Answer> {
    let mut levels = Vec::new();
    for (_, path, _) in LEVELS {
        levels.push(items(server, path, None).await?);
    }
    let mut tree = Vec::new();
    grow(&levels, 0, None, &mut tree);
    Ok(Answer::list(tree, &COLUMNS))
}

/// Each place before what lies in it.
fn grow(levels: &[Vec<Value>], depth: usize, within: Option<&Value>, tree: &mut Vec<Value>) {
    let (Some(places), Some((kind, _, key))) = (levels.get(depth), LEVELS.get(depth)) else {
        return;
    };
    for place in places.iter().filter(|place| within.is_none() || place.get(*key) == within) {
        let name = place.get("name").and_then(Value::as_str).unwrap_or_default();
        let mut row = place.clone();
        if let Some(fields) = row.as_object_mut() {
            fields.insert("kind".to_owned(), json!(kind));
            fields.insert("indented".to_owned(), json!(format!("{}{name}", "  ".repeat(depth))));
        }
        tree.push(row);
        grow(levels, depth.saturating_add(1), place.get("id"), tree);
    }
}

#[test]
fn places_stand_before_what_lies_in_them() {
    let levels = [
        vec![json!({ "id": "s", "name": "North" })],
        vec![
            json!({ "id": "a", "name": "4A", "site_id": "s" }),
            json!({ "id": "b", "name": "4B", "site_id": "s" }),
        ],
        vec![json!({ "id": "r", "name": "12", "care_unit_id": "a" })],
        vec![json!({ "id": "1", "name": "12-1", "room_id": "r" })],
    ];
    let mut tree = Vec::new();
    grow(&levels, 0, None, &mut tree);
    let names: Vec<_> = tree.iter().map(|row| row["indented"].as_str().unwrap()).collect();
    assert_eq!(names, ["North", "  4A", "    12", "      12-1", "  4B"]);
}
