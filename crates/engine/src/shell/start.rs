//! Reading the past at start: the newest checkpoint, and the journal from there on.

use std::{io, time::Duration};

use store::{
    DatabaseError, Ends, Journal, Lack, LogOffset, Pushed, ReadError, Records, RecordsError,
    SealError, Series,
};

use super::{appends::entry, writer};
use crate::{
    core::{Core, Out, Setup},
    limits::TURNS_OF_A_GROUP_MAX,
    replay::Ahead,
};

/// Why the engine does not start.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it all")]
pub enum StartError {
    #[error("the checkpoint could not be read")]
    Series(#[source] DatabaseError),
    #[error("the records could not be written")]
    Records(#[source] RecordsError),
    #[error("the journal could not be read")]
    Journal(#[source] ReadError),
    #[error("what was read of the past could not be sealed")]
    Seal(#[source] SealError),
    #[error("{frames} frames of decisions cannot be read by this program; use a newer program")]
    Decisions { frames: u64 },
    #[error("a thread could not be started")]
    Thread(#[source] io::Error),
    #[error("the start was interrupted")]
    Interrupted,
    #[error("the journal's segments could not be listed")]
    Segments(#[source] io::Error),
    #[error(
        "{lack}; nothing was changed: restore a backup, or run `wardline store rebuild` to make anew what follows from the journal that is left"
    )]
    Gone { lack: Lack },
    #[error(
        "{lack}, or the rows in PostgreSQL are of another history, such as that before a restore; nothing was changed: restore a newer backup, or drop the schema `wardline` there, and the rows are made anew from the journal that is left"
    )]
    OtherRows { lack: Lack },
    #[error("{lack}; nothing was changed: restore a backup, no rebuild of a thinned journal helps")]
    Thinned { lack: Lack },
    #[error(
        "{lack}, and no state can be taken up in its place, as {why}; nothing was changed: restore a backup, or start the program that made the checkpoint"
    )]
    NoState { lack: Lack, why: String },
}

/// A pause in listening that is longer than this sets the watch for silence anew.
pub(super) const PAUSE_MIN: Duration = Duration::from_secs(2);
/// Records after which rows and points are handed on while the past is read.
const RECORDS_AT_ONCE: u64 = 4_096;

const NO_CORRECTIONS: &str = "the list of corrections is damaged";
const NO_ROWS: &str = "there is no checkpoint with its rows";

/// The state as the journal left it.
#[derive(Debug)]
pub(super) struct Past {
    pub(super) core: Core,
    /// What the undecided end of the journal led to.
    pub(super) out: Out,
    pub(super) came_to: LogOffset,
    pub(super) checkpoint: LogOffset,
    /// Samples found no room, and are only in the journal.
    pub(super) is_lacking: bool,
}

/// Reads everything; blocks for as long as that takes.
pub(super) fn read_past(
    journal: &Journal,
    series: &Series,
    records: &Records,
    setup: Setup,
) -> Result<Past, StartError> {
    let no_series = setup.cut == Some(crate::core::Cut::Series);
    let found = series.load_checkpoint().map_err(StartError::Series)?;
    let mut checkpoint = found.as_ref().map_or(LogOffset::default(), |(offset, _)| *offset);
    let applied = records.applied().map_err(StartError::Records)?;
    let gone = gone(journal, found.as_ref().map(|(offset, _)| *offset), applied);
    let gone = gone.map_err(|error| match error {
        StartError::Gone { lack: lack @ Lack::EndOfRows { .. } } if records.are_elsewhere() => {
            StartError::OtherRows { lack }
        }
        other => other,
    })?;
    // Without its rows a checkpoint is half of the truth: the journal has them all.
    let has_rows = records.reach(checkpoint).map_err(StartError::Records)?;
    // What people said of readings is in the journal as well, and only as a whole.
    let lacks_corrections = series.lacks_corrections();
    let (mut core, from) = match found.filter(|_| has_rows && !lacks_corrections) {
        None => {
            let why = if lacks_corrections { NO_CORRECTIONS } else { NO_ROWS };
            (begin(&setup, gone, why)?, LogOffset::default())
        }
        Some((offset, bytes)) => match Core::restore(setup.clone(), &bytes) {
            Ok(core) => (core, offset),
            Err(error) => {
                tracing::warn!(%error, "checkpoint_not_taken_up");
                (begin(&setup, gone, &error.to_string())?, LogOffset::default())
            }
        },
    };
    let mut ahead = Ahead::default();
    for record in journal.replay(from) {
        ahead.look(&record.map_err(StartError::Journal)?);
    }
    if ahead.unreadable() > 0 {
        return Err(StartError::Decisions { frames: ahead.unreadable() });
    }
    ahead.forget_known(&core);
    if from == LogOffset::default() {
        // Every row is made again, and none of another history may stay among them.
        records.begin_anew().map_err(StartError::Records)?;
    }
    let mut writer = writer::Replayed::new(series, records, no_series);
    let (mut out, mut came_to, mut taken) = (Out::default(), from, 0_u64);
    for record in journal.replay(from) {
        let record = record.map_err(StartError::Journal)?;
        ahead.take(&mut core, &record, &mut out);
        came_to = record.offset;
        if came_to <= checkpoint {
            // The chunks hold these points already.
            out.points.clear();
            out.waves.clear();
            if !lacks_corrections {
                out.corrections.clear();
            }
        }
        taken += 1;
        if taken % RECORDS_AT_ONCE == 0 {
            let pushed = writer.write(&mut out).map_err(StartError::Records)?;
            tracing::info!(records = taken, offset = came_to.bytes(), "reading_the_past");
            let recorded = record_decisions(journal, &mut out);
            // A checkpoint may know no decision that the journal does not.
            let is_known = ahead.has_decided(came_to) || recorded.is_ok();
            if pushed != Pushed::Kept && is_known && !writer.is_lacking() {
                records.note_reached(came_to).map_err(StartError::Records)?;
                writer.seal(came_to, &core.checkpoint()).map_err(StartError::Seal)?;
                checkpoint = came_to;
            }
        }
    }
    ahead.finish(&mut core, &mut out);
    let _ = writer.write(&mut out).map_err(StartError::Records)?;
    tracing::info!(records = taken, from = from.bytes(), to = came_to.bytes(), "past_read");
    let is_lacking = writer.is_lacking();
    Ok(Past { core, out, came_to, checkpoint, is_lacking })
}

/// What a journal did not take.
#[derive(Debug)]
struct NotRecorded;

// RC-029
/// What of the journal is gone, if it is only its beginning; more is an error. New entries would
/// take the places of those that are gone, and be taken for what rows and series know already;
/// and series made anew from a thinned journal would lack what went, and nobody would be told.
fn gone(
    journal: &Journal,
    checkpoint: Option<LogOffset>,
    applied: LogOffset,
) -> Result<Option<Lack>, StartError> {
    let begins = journal.begins_at().map_err(StartError::Segments)?;
    let thinned = journal.thinned_to().map_err(StartError::Segments)?;
    let found = Ends { begins, ends: journal.end(), thinned, checkpoint, applied };
    let lacks = found.lacks();
    if let Some(lack) = lacks.iter().copied().find(Lack::is_fatal) {
        // Rows can be made anew of such a journal, and its series cannot.
        let is_of_rows = matches!(lack, Lack::EndOfRows { .. });
        let is_mended = thinned == LogOffset::default() || is_of_rows;
        return Err(if is_mended {
            StartError::Gone { lack }
        } else {
            StartError::Thinned { lack }
        });
    }
    let gone = lacks.first().copied();
    if let Some(lack) = gone {
        tracing::error!(%lack, "journal_begins_later");
    }
    Ok(gone)
}

/// A state that knows nothing, for a journal that has everything: without its beginning patients
/// and alarms would be missing, and nobody would be told.
fn begin(setup: &Setup, gone: Option<Lack>, why: &str) -> Result<Core, StartError> {
    match gone {
        None => Ok(Core::new(setup.clone())),
        Some(lack) => Err(StartError::NoState { lack, why: why.to_owned() }),
    }
}

/// Journals what was decided about the undecided end, so that the state may be sealed. What
/// the journal does not take now the loop hands in again.
fn record_decisions(journal: &Journal, out: &mut Out) -> Result<(), NotRecorded> {
    while !out.decided.is_empty() {
        let count = out.decided.len().min(TURNS_OF_A_GROUP_MAX);
        let group = out.decided.iter().take(count).cloned().map(entry).collect();
        if let Err(error) = journal.append(group).wait() {
            tracing::warn!(%error, "decisions_not_recorded");
            return Err(NotRecorded);
        }
        out.decided.drain(..count);
    }
    Ok(())
}
