//! Derived state made anew from what is stored, without a server: rows, series, and the
//! checkpoint with its open alarms.
//!
//! Nothing is decided here and nothing is journalled. Records at the journal's end that a
//! crash left undecided are left to the next start, and so is everything behind them.

use std::{io, sync::Arc};

use store::{
    DatabaseError, Ends, Lack, LogOffset, OpenError, Pushed, ReadError, Record, Records,
    RecordsError, SealError, Series, Storage, begins_at, ends_at, replay, thinned_to,
};

use super::writer;
use crate::{
    core::{Core, Out, RestoreError, Setup},
    directory::Directory,
    replay::Ahead,
};

/// Why derived state could not be made anew.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it all")]
pub enum RebuildError {
    #[error("the journal cannot be opened")]
    Open(#[source] OpenError),
    #[error("the journal cannot be read")]
    Journal(#[source] ReadError),
    #[error("the journal's segments cannot be listed")]
    Segments(#[source] io::Error),
    #[error("the checkpoint cannot be read")]
    Series(#[source] DatabaseError),
    #[error("the checkpoint cannot be taken up")]
    Checkpoint(#[source] RestoreError),
    #[error("the records cannot be written")]
    Records(#[source] RecordsError),
    #[error("the series cannot be sealed")]
    Seal(#[source] SealError),
    #[error("{frames} frames of decisions cannot be read by this program; use a newer program")]
    Decisions { frames: u64 },
    #[error("{lack}; nothing was changed: restore a backup")]
    Gone { lack: Lack },
    #[error(
        "the record that ends at offset {at} was not decided on, and the checkpoint is behind it; nothing was changed: restore a backup"
    )]
    Undecided { at: LogOffset },
    #[error("samples found no room in memory; nothing was changed")]
    Lacking,
}

/// What a rebuild reads and where it writes.
pub struct Rebuild {
    /// The journal; nobody else has it open.
    pub storage: Arc<dyn Storage>,
    /// New and empty, or a copy with its checkpoint, from which it goes on.
    pub series: Series,
    /// New and empty, or the copy that belongs to the series.
    pub records: Records,
    /// The series are a copy whose samples are right up to its checkpoint, and the records are
    /// new: all else is made from the journal's beginning, as only the copy has the samples that
    /// went. Corrections are made anew too, as such a journal has all of them.
    pub keeps_series: bool,
    /// As the server is set up.
    pub setup: Setup,
    /// Decisions that stand behind this place are known there; a state to compare with ends here.
    pub until: Option<LogOffset>,
}

impl std::fmt::Debug for Rebuild {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rebuild").field("until", &self.until).finish_non_exhaustive()
    }
}

/// What a rebuild did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rebuilt {
    /// Records that were taken, without decisions.
    pub records: u64,
    /// Records at the end that nobody has decided on.
    pub undecided: u64,
    /// Where it began: the journal's beginning, or the place of a checkpoint.
    pub from: LogOffset,
    /// Where the new checkpoint stands.
    pub to: LogOffset,
    /// Alarms that stand there.
    pub alarms_standing: usize,
}

/// Records after which rows and points are handed on.
const RECORDS_AT_ONCE: u64 = 4_096;

impl Rebuild {
    /// Reads the journal twice and writes all that follows from it; blocks for as long as that
    /// takes, and tells after each few thousand records how often it has begun and where it is.
    pub fn run(self, tell: &mut dyn FnMut(u32, LogOffset)) -> Result<Rebuilt, RebuildError> {
        let Self { storage, series, records, keeps_series, setup, until } = self;
        let sealed = make_sure_of_copy(&*storage, &series)?;
        let (mut core, from) = match keeps_series {
            true => (Core::new(setup.clone()), LogOffset::default()),
            false => begin(&series, &setup)?,
        };
        let mut ahead = look_ahead(&storage, from, &core, tell)?;
        let mut writer = writer::Replayed::new(&series, &records, false);
        let (mut out, mut to) = (Out::default(), from);
        let (mut taken, mut undecided, mut stop_at) = (0_u64, 0_u64, None);
        for record in replay(Arc::clone(&storage), from).map_err(RebuildError::Open)? {
            let record = record.map_err(RebuildError::Journal)?;
            let is_decision = is_decision(&record);
            if is_decision && until.is_some_and(|until| record.offset > until) {
                continue;
            }
            if !is_decision && stop_at.is_none() && !ahead.has_decided(record.offset) {
                ahead.finish(&mut core, &mut out);
                stop_at = Some(first_undecided(&storage, &core, &setup, to)?);
            }
            if let Some(at) = stop_at.flatten().filter(|stop| record.offset >= *stop) {
                if at <= sealed {
                    return Err(RebuildError::Undecided { at });
                }
                undecided += u64::from(!is_decision);
                continue;
            }
            ahead.take(&mut core, &record, &mut out);
            to = record.offset;
            if to <= sealed {
                // The series hold these samples already, and what was said of them is added
                // to what they hold of it: of a thinned journal that is nothing.
                out.points.clear();
                out.waves.clear();
                if !keeps_series {
                    out.corrections.clear();
                }
            }
            taken += u64::from(!is_decision);
            if taken % RECORDS_AT_ONCE == 0 && !is_decision {
                tell(2, to);
                if writer.write(&mut out).map_err(RebuildError::Records)? != Pushed::Kept {
                    seal(&mut writer, to, &core)?;
                }
            }
        }
        ahead.finish(&mut core, &mut out);
        let _ = writer.write(&mut out).map_err(RebuildError::Records)?;
        if undecided == 0 {
            // Behind the last record stands nothing else up to there.
            to = until.map_or(to, |until| until.max(to));
        }
        // All that stands up to the checkpoint of a copy was taken.
        to = to.max(sealed);
        seal(&mut writer, to, &core)?;
        tell(2, to);
        Ok(Rebuilt { records: taken, undecided, from, to, alarms_standing: core.standing() })
    }
}

/// What is stored, to be asked without a server: series that hold all of the journal, the
/// newest of it in memory, and the directory as the journal's end left it. Nothing is written.
///
/// Blocks for as long as reading what lies behind the newest checkpoint takes.
pub fn read_back(
    storage: &Arc<dyn Storage>,
    series: &Series,
    records: &Records,
    setup: &Setup,
    tell: &mut dyn FnMut(u32, LogOffset),
) -> Result<Arc<Directory>, RebuildError> {
    let (mut core, from) = begin(series, setup)?;
    let mut ahead = look_ahead(storage, from, &core, tell)?;
    let mut kept = writer::Replayed::new(series, records, false);
    let (mut out, mut taken) = (Out::default(), 0_u64);
    for record in replay(Arc::clone(storage), from).map_err(RebuildError::Open)? {
        let record = record.map_err(RebuildError::Journal)?;
        ahead.take(&mut core, &record, &mut out);
        taken += 1;
        if taken % RECORDS_AT_ONCE == 0 {
            tell(2, record.offset);
            let _ = kept.keep_only(&mut out);
        }
    }
    ahead.finish(&mut core, &mut out);
    let _ = kept.keep_only(&mut out);
    if kept.is_lacking() {
        return Err(RebuildError::Lacking);
    }
    Ok(core.directory())
}

fn is_decision(record: &Record) -> bool {
    record.frame.kind >= ::record::DECISIONS_FROM
}

/// Where the series' checkpoint stands; refuses one that the journal does not reach, or that
/// stands before samples that went: what is made from there would not be whole.
fn make_sure_of_copy(storage: &dyn Storage, series: &Series) -> Result<LogOffset, RebuildError> {
    let checkpoint = series.load_checkpoint().map_err(RebuildError::Series)?;
    let checkpoint = checkpoint.map(|(offset, _)| offset);
    let (begins, thinned) = begins_at(storage)
        .and_then(|begins| Ok((begins, thinned_to(storage)?)))
        .map_err(RebuildError::Segments)?;
    let ends = ends_at(storage).map_err(RebuildError::Open)?;
    let ends = Ends { begins, ends, thinned, checkpoint, applied: LogOffset::default() };
    match ends.lacks().into_iter().find(Lack::is_fatal) {
        Some(lack) => Err(RebuildError::Gone { lack }),
        None => Ok(checkpoint.unwrap_or_default()),
    }
}

/// The state to go on from, and its place.
fn begin(series: &Series, setup: &Setup) -> Result<(Core, LogOffset), RebuildError> {
    match series.load_checkpoint().map_err(RebuildError::Series)? {
        None => Ok((Core::new(setup.clone()), LogOffset::default())),
        Some((offset, bytes)) => {
            let core = Core::restore(setup.clone(), &bytes).map_err(RebuildError::Checkpoint)?;
            Ok((core, offset))
        }
    }
}

fn look_ahead(
    storage: &Arc<dyn Storage>,
    from: LogOffset,
    core: &Core,
    tell: &mut dyn FnMut(u32, LogOffset),
) -> Result<Ahead, RebuildError> {
    let (mut ahead, mut looked) = (Ahead::default(), 0_u64);
    for record in replay(Arc::clone(storage), from).map_err(RebuildError::Open)? {
        let record = record.map_err(RebuildError::Journal)?;
        ahead.look(&record);
        looked += 1;
        if looked % RECORDS_AT_ONCE == 0 {
            tell(1, record.offset);
        }
    }
    if ahead.unreadable() > 0 {
        return Err(RebuildError::Decisions { frames: ahead.unreadable() });
    }
    ahead.forget_known(core);
    Ok(ahead)
}

/// The first record behind `after` from which a decision would follow that nobody has made.
fn first_undecided(
    storage: &Arc<dyn Storage>,
    core: &Core,
    setup: &Setup,
    after: LogOffset,
) -> Result<Option<LogOffset>, RebuildError> {
    let copy = Core::restore(setup.clone(), &core.checkpoint());
    let (mut core, mut out) = (copy.map_err(RebuildError::Checkpoint)?, Out::default());
    let mut nothing_ahead = Ahead::default();
    for record in replay(Arc::clone(storage), after).map_err(RebuildError::Open)? {
        let record = record.map_err(RebuildError::Journal)?;
        nothing_ahead.take(&mut core, &record, &mut out);
        if !out.decided.is_empty() {
            return Ok(Some(record.offset));
        }
        out.clear();
    }
    Ok(None)
}

fn seal(writer: &mut writer::Replayed, to: LogOffset, core: &Core) -> Result<(), RebuildError> {
    if writer.is_lacking() {
        return Err(RebuildError::Lacking);
    }
    writer.seal(to, &core.checkpoint()).map_err(RebuildError::Seal)
}
