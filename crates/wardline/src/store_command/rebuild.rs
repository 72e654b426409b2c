//! `wardline store rebuild`: rows, series, scores and open alarms made anew from the journal.

use std::{io, path::PathBuf, sync::Arc, time::Duration};

use anyhow::{Context as _, ensure};
use clap::Args;
use engine::{Reading, Rebuilt, Remake, Setup, read_back};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};
use store::{
    Clock, Compared, DamageState, DamagedChunk, DataDir, FileStorage, Form, LogOffset, ReadError,
    Records, Scratch, Series, Storage, compare, replay,
};

use super::{open, refuse_elsewhere, stat::time};
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
    let instead =
        "to make them anew there, drop the schema `wardline` and start the server, which does it";
    refuse_elsewhere(&dir, instead)?;
    let storage: Arc<dyn Storage> =
        Arc::new(FileStorage::open(&dir).context("the journal cannot be opened")?);
    let segments = storage.segments().context("the journal's segments cannot be listed")?;
    let begins = segments.first().map_or(LogOffset::default(), |oldest| oldest.start);
    let is_thinned = segments.iter().any(|it| it.form == Form::Thinned);
    let keeps = match (begins > LogOffset::default(), is_thinned) {
        (true, _) => Keeps::ToCheckpoint,
        (false, true) => Keeps::Series,
        (false, false) => Keeps::Nothing,
    };
    ensure!(
        !is_thinned || dir.series().exists(),
        "the journal was thinned, and there is no file of series: only that has the samples that went; restore a backup"
    );
    if let Some(note) = keeps.note() {
        eprintln!("{note}");
    }
    let scratch = match keeps {
        Keeps::Nothing => Scratch::begin(&dir).context("there is no place for the rebuild")?,
        Keeps::Series => Scratch::begin_with_series(&dir)?,
        Keeps::ToCheckpoint => Scratch::begin_with_copy(&dir)?,
    };
    let until = if asked.check { newest_checkpoint(&dir)? } else { None };
    let end = segments.last().map_or(0, |last| last.start.bytes().saturating_add(last.len));
    let rebuilt = remake(Arc::clone(&storage), &scratch, (until, keeps), end)?;
    if keeps != Keeps::Nothing && !asked.check {
        mend_copy(&storage, &scratch)?;
    }
    let damaged = damaged_in_copy(&scratch, keeps)?;
    if !asked.check {
        scratch.install()?;
        say(asked.json, &json_of(&rebuilt, keeps, None), &text_of(&rebuilt, keeps, None));
        return refuse_damaged(&damaged);
    }
    refuse_damaged(&damaged)?;
    ensure!(
        rebuilt.undecided == 0,
        "{} records at the end were not decided on when the server went; start and stop it, then compare",
        rebuilt.undecided
    );
    let (records, series) = (dir.records(), dir.series());
    let comparing = Progress::comparing();
    let mut found = compare([&records, &series], [&scratch.records(), &scratch.series()])?;
    comparing.done();
    found.retain(|it| keeps.is_compared(&it.table));
    let found = Some(&found[..]);
    say(asked.json, &json_of(&rebuilt, keeps, found), &text_of(&rebuilt, keeps, found));
    let differing = found.iter().copied().flatten().filter(|it| it.difference.is_some()).count();
    ensure!(
        differing == 0,
        "{differing} tables differ from what the journal says; run it without --check to replace them"
    );
    Ok(())
}

/// What a rebuild takes over as it is, because the journal cannot say it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Keeps {
    Nothing,
    /// The series up to their checkpoint: the journal was thinned.
    Series,
    /// Everything up to the checkpoint: the journal's beginning is gone.
    ToCheckpoint,
}

impl Keeps {
    const fn note(self) -> Option<&'static str> {
        match self {
            Self::Nothing => None,
            Self::Series => Some(
                "the journal was thinned, and only the series have the samples that went: they are kept as they are up to their checkpoint, and neither they nor the checkpoint are compared; what people said of readings is",
            ),
            Self::ToCheckpoint => Some(
                "the journal's beginning is gone: all that stands up to the newest checkpoint is kept as it is, and neither compared nor made anew",
            ),
        }
    }

    /// Whether the journal can say what a table has. How channels ran on from block to block is
    /// part of the state, and blocks that are thinned do not tell it.
    fn is_compared(self, table: &str) -> bool {
        self != Self::Series || !["checkpoint", "points", "waveforms"].contains(&table)
    }

    const fn word(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Series => "series_to_checkpoint",
            Self::ToCheckpoint => "everything_to_checkpoint",
        }
    }

    const fn made(self) -> &'static str {
        match self {
            Self::Nothing => "records, series and checkpoint were made anew and are in place",
            Self::Series => {
                "records and checkpoint were made anew and are in place; the samples were kept up to the checkpoint that was there"
            }
            Self::ToCheckpoint => {
                "what stands up to the checkpoint was kept; what follows was made anew and is in place"
            }
        }
    }
}

/// Makes damaged chunks of the copy again from what the journal still has.
fn mend_copy(storage: &Arc<dyn Storage>, scratch: &Scratch) -> anyhow::Result<()> {
    let series = Series::open(scratch.series())?;
    let clock = Clock::system();
    series.look_for_damage(clock.now(), &mut || {})?;
    let mut chunks = series.damage()?;
    chunks.retain(|chunk| chunk.state != DamageState::Mended);
    if chunks.is_empty() {
        return Ok(());
    }
    let setup = Setup { profiles: profiles()?, cut: None };
    let records = Records::open(&scratch.records())?;
    let directory = read_back(storage, &series, &records, &setup, &mut |_, _| {})?;
    let segments = storage.segments().context("the journal's segments cannot be listed")?;
    let starts: Vec<LogOffset> = segments.iter().map(|it| it.start).collect();
    let read = |from: LogOffset, to: LogOffset| -> Result<Reading, ReadError> {
        let found = replay(Arc::clone(storage), from)
            .map_err(|error| ReadError::Io { segment: from, source: io::Error::other(error) })?;
        Ok(Box::new(found.take_while(move |it| it.as_ref().map_or(true, |it| it.offset <= to))))
    };
    let remake = Remake { starts: &starts, read: &read, directory: &directory, setup: &setup };
    for chunk in &chunks {
        let came = remake.chunk(&series, chunk, clock.now(), &mut || {})?;
        if let Some(state @ (DamageState::Gone | DamageState::Differs)) = came {
            eprintln!("NOT MENDED: {}", words_of(chunk, state));
        }
    }
    // Some were made again together with another one.
    let left = series.damage()?.iter().filter(|it| it.state != DamageState::Mended).count();
    let mended = chunks.len().saturating_sub(left);
    eprintln!("{mended} of {} damaged chunks were made again from the journal", chunks.len());
    Ok(())
}

fn words_of(chunk: &DamagedChunk, state: DamageState) -> String {
    let (from, to) = (time(chunk.span.from), time(chunk.span.to));
    let why = match state {
        DamageState::Gone => "the journal has it no longer",
        DamageState::Differs | DamageState::Waits | DamageState::Mended => {
            "the journal does not come to what was sealed"
        }
    };
    format!("{} of {}, {from} to {to}: {why}", chunk.key.channel, chunk.key.device)
}

/// Chunks that were copied and are not what they were when they were sealed.
fn damaged_in_copy(scratch: &Scratch, keeps: Keeps) -> anyhow::Result<Vec<String>> {
    if keeps == Keeps::Nothing {
        return Ok(Vec::new());
    }
    Ok(Series::open(scratch.series())?.check_chunks()?.1)
}

fn refuse_damaged(damaged: &[String]) -> anyhow::Result<()> {
    for place in damaged {
        eprintln!("DAMAGED: series.sqlite, {place}");
    }
    ensure!(
        damaged.is_empty(),
        "{} chunks are damaged, and the journal cannot make them anew: restore a backup that has them",
        damaged.len()
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
    (until, keeps): (Option<LogOffset>, Keeps),
    end: u64,
) -> anyhow::Result<Rebuilt> {
    let setup = Setup { profiles: profiles()?, cut: None };
    let series = Series::open(scratch.series())?;
    let records = Records::open(&scratch.records())?;
    let mut progress = Progress::of(end)?;
    let keeps_series = keeps == Keeps::Series;
    let rebuild = engine::Rebuild { storage, series, records, keeps_series, setup, until };
    let rebuilt = rebuild.run(&mut |pass, at| progress.reached(pass, at.bytes()))?;
    progress.done();
    Ok(rebuilt)
}

/// How far it is: a bar on a terminal, elsewhere a line at each tenth.
struct Progress {
    bar: ProgressBar,
    /// Where the journal ends, in bytes since it began.
    end: u64,
    /// The tenth of the two passes that was said last.
    tenth: Option<u64>,
}

impl Progress {
    fn of(end: u64) -> anyhow::Result<Self> {
        let bar = ProgressBar::new(end.saturating_mul(2));
        bar.set_style(ProgressStyle::with_template(
            "{msg} {bar:30} {bytes}/{total_bytes}, {binary_bytes_per_sec}, {eta} left",
        )?);
        Ok(Self { bar, end, tenth: None })
    }

    /// A comparison goes through all tables; how long it takes nobody can say.
    fn comparing() -> Self {
        let bar = ProgressBar::new_spinner().with_message("comparing every row and point");
        bar.enable_steady_tick(Duration::from_millis(200));
        if bar.is_hidden() {
            eprintln!("comparing every row and point");
        }
        Self { bar, end: 0, tenth: None }
    }

    fn reached(&mut self, pass: u32, at: u64) {
        let done = at.saturating_add(if pass == 1 { 0 } else { self.end });
        self.bar.set_message(doing(pass));
        self.bar.set_position(done);
        if self.bar.is_hidden()
            && let Some(line) = next_line(&mut self.tenth, doing(pass), (done, self.end))
        {
            eprintln!("{line}");
        }
    }

    fn done(self) {
        self.bar.finish_and_clear();
    }
}

const fn doing(pass: u32) -> &'static str {
    if pass == 1 { "reading decisions" } else { "making anew" }
}

/// What is said where no bar can be drawn, once for each tenth of two passes over `end` bytes.
fn next_line(said: &mut Option<u64>, doing: &str, (done, end): (u64, u64)) -> Option<String> {
    let tenth = done.saturating_mul(10).checked_div(end.saturating_mul(2)).unwrap_or(10).min(10);
    if said.is_some_and(|said| tenth <= said) {
        return None;
    }
    *said = Some(tenth);
    Some(format!("{doing}, {} %", tenth * 10))
}

fn json_of(rebuilt: &Rebuilt, keeps: Keeps, found: Option<&[Compared]>) -> Value {
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
        "kept": keeps.word(),
        "installed": found.is_none(),
        "tables": tables,
    })
}

fn text_of(rebuilt: &Rebuilt, keeps: Keeps, found: Option<&[Compared]>) -> String {
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
        None => text.push_str(&format!("{}\n", keeps.made())),
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
    fn where_no_bar_can_be_drawn_each_tenth_is_said_once() {
        let mut said = None;
        let steps = [(1, 0), (1, 9), (1, 20), (1, 55), (2, 1), (2, 60), (2, 100), (2, 100)];
        let lines = steps.iter().filter_map(|(pass, at)| {
            let done = at + if *pass == 1 { 0 } else { 100 };
            next_line(&mut said, doing(*pass), (done, 100))
        });
        assert_eq!(
            lines.collect::<Vec<_>>(),
            [
                "reading decisions, 0 %",
                "reading decisions, 10 %",
                "reading decisions, 20 %",
                "making anew, 50 %",
                "making anew, 80 %",
                "making anew, 100 %"
            ]
        );
        // A journal without anything in it is read at once.
        assert_eq!(next_line(&mut None, "making anew", (0, 0)).unwrap(), "making anew, 100 %");
    }

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
        let text = text_of(&rebuilt, Keeps::Nothing, Some(&found));
        assert!(text.contains("7 records of the journal, from offset 10 to 90; 3 alarms stand"));
        assert!(text.contains("2 records at its end") && text.contains("row 0 differs in state"));
        let json = json_of(&rebuilt, Keeps::Nothing, Some(&found));
        assert_eq!((&json["installed"], &json["tables"][0]["rebuilt"]), (&json!(false), &json!(5)));
        assert_eq!(json_of(&rebuilt, Keeps::Nothing, None)["installed"], json!(true));
        // What was kept is not called anew.
        for (keeps, word) in [(Keeps::Series, "series"), (Keeps::ToCheckpoint, "everything")] {
            let text = text_of(&rebuilt, keeps, None);
            assert!(text.contains("kept") && !text.contains("series and"), "{text}");
            let json = json_of(&rebuilt, keeps, None);
            assert_eq!(json["kept"], json!(format!("{word}_to_checkpoint")));
        }
        let compared =
            |keeps: Keeps| ["alarm", "corrections", "waveforms"].map(|it| keeps.is_compared(it));
        assert_eq!(compared(Keeps::Nothing), [true, true, true]);
        assert_eq!(compared(Keeps::Series), [true, true, false]);
        let refused = refuse_damaged(&["series 0".to_owned()]).unwrap_err().to_string();
        assert!(refused.contains("1 chunks are damaged") && refuse_damaged(&[]).is_ok());
    }
}
