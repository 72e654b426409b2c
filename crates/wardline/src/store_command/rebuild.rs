//! `wardline store rebuild`: rows, series, scores and open alarms made anew from the journal.

use std::{path::PathBuf, sync::Arc};

use anyhow::{Context as _, ensure};
use clap::Args;
use engine::{Rebuilt, Setup};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};
use store::{
    Compared, DataDir, FileStorage, LogOffset, Records, Scratch, Series, Storage, compare,
};

use super::open;
use crate::profiles::profiles;

#[derive(Debug, Args)]
pub(super) struct Rebuild {
    /// The data directory.
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// Compares with what is there, and changes nothing.
    #[arg(long)]
    check: bool,
    /// Say it as one JSON object.
    #[arg(long)]
    json: bool,
}

/// Makes derived state anew, and puts it in the place of what is there, or compares the two.
pub(super) fn run(asked: &Rebuild) -> anyhow::Result<()> {
    let dir = open(&asked.dir)?;
    let storage: Arc<dyn Storage> =
        Arc::new(FileStorage::open(&dir).context("the journal cannot be opened")?);
    let segments = storage.segments().context("the journal's segments cannot be listed")?;
    let begins = segments.first().map_or(LogOffset::default(), |oldest| oldest.start);
    let scratch = if begins > LogOffset::default() {
        eprintln!("the journal's beginning is gone; rebuilding from the newest checkpoint on");
        Scratch::begin_with_copy(&dir)?
    } else {
        Scratch::begin(&dir).context("there is no place for the rebuild")?
    };
    let until = if asked.check { newest_checkpoint(&dir)? } else { None };
    let end = segments.last().map_or(0, |last| last.start.bytes().saturating_add(last.len));
    let rebuilt = remake(storage, &scratch, until, end)?;
    if !asked.check {
        scratch.install()?;
        say(asked.json, &json_of(&rebuilt, None), &text_of(&rebuilt, None));
        return Ok(());
    }
    ensure!(
        rebuilt.undecided == 0,
        "{} records at the end were not decided on when the server went; start and stop it, then compare",
        rebuilt.undecided
    );
    let (records, series) = (dir.records(), dir.series());
    let found = compare([&records, &series], [&scratch.records(), &scratch.series()])?;
    say(asked.json, &json_of(&rebuilt, Some(&found)), &text_of(&rebuilt, Some(&found)));
    let differing = found.iter().filter(|it| it.difference.is_some()).count();
    ensure!(
        differing == 0,
        "{differing} tables differ from what the journal says; run it without --check to replace them"
    );
    Ok(())
}

fn say(as_json: bool, json: &Value, text: &str) {
    if as_json {
        println!("{json}");
    } else {
        print!("{text}");
    }
}

fn newest_checkpoint(dir: &DataDir) -> anyhow::Result<Option<LogOffset>> {
    Ok(Series::open(dir.series())?.load_checkpoint()?.map(|(offset, _)| offset))
}

fn remake(
    storage: Arc<dyn Storage>,
    scratch: &Scratch,
    until: Option<LogOffset>,
    end: u64,
) -> anyhow::Result<Rebuilt> {
    let setup = Setup { profiles: profiles()?, cut: None };
    let series = Series::open(scratch.series())?;
    let records = Records::open(&scratch.records())?;
    let bar = ProgressBar::new(end.saturating_mul(2));
    bar.set_style(ProgressStyle::with_template(
        "{msg} {bar:30} {bytes}/{total_bytes}, {binary_bytes_per_sec}, {eta} left",
    )?);
    let rebuild = engine::Rebuild { storage, series, records, setup, until };
    let rebuilt = rebuild.run(&mut |pass, at| {
        bar.set_message(if pass == 1 { "reading decisions" } else { "making anew" });
        bar.set_position(at.bytes().saturating_add(if pass == 1 { 0 } else { end }));
    })?;
    bar.finish_and_clear();
    Ok(rebuilt)
}

fn json_of(rebuilt: &Rebuilt, found: Option<&[Compared]>) -> Value {
    let tables = found.map(|found| {
        let table = |it: &Compared| {
            json!({ "table": it.table, "live": it.live, "rebuilt": it.rebuilt, "difference": it.difference })
        };
        found.iter().map(table).collect::<Vec<_>>()
    });
    json!({
        "records": rebuilt.records,
        "undecided": rebuilt.undecided,
        "from": rebuilt.from.bytes(),
        "to": rebuilt.to.bytes(),
        "alarms_standing": rebuilt.alarms_standing,
        "installed": found.is_none(),
        "tables": tables,
    })
}

fn text_of(rebuilt: &Rebuilt, found: Option<&[Compared]>) -> String {
    let Rebuilt { records, undecided, from, to, alarms_standing } = rebuilt;
    let mut text = format!(
        "{records} records of the journal, from offset {from} to {to}; {alarms_standing} alarms stand\n"
    );
    if *undecided > 0 {
        text.push_str(&format!(
            "{undecided} records at its end are left for the next start to decide on\n"
        ));
    }
    match found {
        None => text.push_str("records, series and checkpoint were made anew and are in place\n"),
        Some(found) => {
            for it in found {
                let what = it.difference.as_deref().unwrap_or("the same");
                text.push_str(&format!("{:<20} {:>10}  {what}\n", it.table, it.live));
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comparison_names_what_differs_and_a_rebuild_says_where_it_began() {
        let rebuilt = Rebuilt {
            records: 7,
            undecided: 2,
            from: LogOffset::from_bytes(10),
            to: LogOffset::from_bytes(90),
            alarms_standing: 3,
        };
        let difference = Some("row 0 differs in state".to_owned());
        let found = [Compared { table: "alarm".to_owned(), live: 4, rebuilt: 5, difference }];
        let text = text_of(&rebuilt, Some(&found));
        assert!(text.contains("7 records of the journal, from offset 10 to 90; 3 alarms stand"));
        assert!(text.contains("2 records at its end") && text.contains("row 0 differs in state"));
        let json = json_of(&rebuilt, Some(&found));
        assert_eq!((&json["installed"], &json["tables"][0]["rebuilt"]), (&json!(false), &json!(5)));
        assert_eq!(json_of(&rebuilt, None)["installed"], json!(true));
    }
}
