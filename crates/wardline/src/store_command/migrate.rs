//! `wardline store migrate`: all records into PostgreSQL, or back into the directory's file.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};
use store::{LogOffset, Moved, Series, move_to_file, move_to_postgres};

use super::open;
use crate::records_place::{Address, noted, org_of};

/// What stands for the directory's own file.
const FILE: &str = "sqlite";

#[derive(Debug, Args)]
pub(super) struct Migrate {
    /// The data directory.
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// Where the records go: `sqlite`, or an address such as `postgres://ward@localhost/ward`;
    /// without it WARDLINE_RECORDS says so.
    #[arg(long, value_name = "PLACE")]
    to: Option<String>,
    /// Say it as one JSON object.
    #[arg(long)]
    json: bool,
}

/// Moves every row, reads it back and compares; what fails leaves the records where they were.
pub(super) fn run(asked: &Migrate) -> anyhow::Result<()> {
    let dir = open(&asked.dir)?;
    store::check_upgrade(&dir)?;
    let checkpoint = Series::open(dir.series())?.load_checkpoint()?;
    let checkpoint = checkpoint.map_or(LogOffset::default(), |(offset, _)| offset);
    let whose = (org_of(&dir)?, checkpoint);
    let bar = ProgressBar::new_spinner();
    bar.set_style(ProgressStyle::with_template("{msg} {human_pos} rows {spinner}")?);
    let tell = &mut |table: &str, rows| {
        bar.set_message(table.to_owned());
        bar.set_position(rows);
    };
    let (moved, to) = if asked.to.as_deref() == Some(FILE) {
        let from = noted(&dir)?.context("the records of this directory are in its file already")?;
        (move_to_file(&dir, &from, whose, tell)?, dir.records().display().to_string())
    } else {
        let address = Address::asked(asked.to.as_deref())?;
        let place = address.context("say where to, with --to or WARDLINE_RECORDS")?.place()?;
        (move_to_postgres(&dir, &place, whose, tell)?, place.to_string())
    };
    bar.finish_and_clear();
    if asked.json {
        println!("{}", json_of(&moved, &to));
    } else {
        print!("{}", text_of(&moved, &to));
    }
    Ok(())
}

fn json_of(moved: &[Moved], to: &str) -> Value {
    let tables = moved.iter().map(|it| json!({ "table": it.table, "rows": it.rows }));
    json!({ "to": to, "tables": tables.collect::<Vec<_>>() })
}

fn text_of(moved: &[Moved], to: &str) -> String {
    let mut text = String::new();
    for Moved { table, rows } in moved {
        text.push_str(&format!("{table:<20} {rows:>10}  the same in both places\n"));
    }
    text.push_str(&format!("the records are at {to} from now on\n"));
    text
}

#[test]
fn each_table_is_told_with_its_rows() {
    let moved = [Moved { table: "audit".to_owned(), rows: 7 }];
    let text = text_of(&moved, "postgres://ward@localhost:5432/ward");
    assert!(text.contains("audit") && text.contains(" 7 ") && text.contains("ward@localhost"));
    assert_eq!(json_of(&moved, "x")["tables"][0]["rows"], 7);
}
