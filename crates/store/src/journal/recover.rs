//! What a restart reads of a log, and how it tells a torn tail from damage.
//!
//! Only the newest segment can have been in the middle of a write. Its last whole
//! commit is where the log ends. What follows is the remains of one unsynced commit,
//! of which the disk may have kept any sectors; it is reported and zeroed. Unless a
//! whole commit that began later stands behind it: that one was synced only after
//! everything before it, so something durable has been lost, and that is damage.
//!
//! The last whole commit may have been written by a program that died before its sync,
//! or whose sync failed and left pages that look clean. It is written and synced again
//! before anybody is told of it.

use std::io;

use model::Timestamp;

use super::{
    LogOffset,
    segment::{COMMIT_LEN_MAX, Next, Walked, has_commit_after, len, walk},
    status::unrecorded_since,
};
use crate::{
    Form, Segment, Storage,
    storage::{read_full, write_full},
};

/// What the writer goes on with.
pub(super) struct Tail {
    /// The segment that is written, if there is one.
    pub(super) segment: Option<Segment>,
    /// Bytes of it that are in use.
    pub(super) used: u64,
    /// The next number of each partition.
    pub(super) next: Next,
}

/// What opening a log found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recovery {
    /// How many segments there are.
    pub segments: usize,
    /// Where the durable log ends.
    pub end: LogOffset,
    /// The remains of a last write that was never acknowledged, now zeroed.
    pub torn: Option<Torn>,
    /// The latest receipt in the newest segment; a clock that shows less has gone back.
    pub last_at: Option<Timestamp>,
    /// Since when nothing was recorded before the last end, if that was not told yet.
    pub unrecorded_since: Option<Timestamp>,
}

/// The remains of a write that a crash interrupted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Torn {
    /// Where they began.
    pub offset: LogOffset,
    /// How far they reached, in bytes.
    pub len: u64,
    /// Whole frames among them; nobody was told that these are durable.
    pub frames: u64,
}

/// Why a log cannot be opened.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages name every field")]
pub enum OpenError {
    #[error(
        "the segment that begins at {segment} is damaged at offset {offset}: {what}; nothing was changed, restore a backup or run `wardline store verify`"
    )]
    Damaged { segment: LogOffset, offset: LogOffset, what: String },
    #[error(
        "the segment that begins at {segment} was written by a newer program: envelope version {found}"
    )]
    UnknownVersion { segment: LogOffset, found: u8 },
    #[error("the journal cannot be read or prepared")]
    Io(#[source] io::Error),
}

/// Reads the newest segment, mends its tail, and says where to go on.
pub(super) fn recover(storage: &dyn Storage) -> Result<(Tail, Recovery), OpenError> {
    let found = read_newest(storage)?;
    let Some(newest) = found.newest else {
        let tail = Tail { segment: None, used: 0, next: Next::new() };
        return Ok((tail, found.recovery(LogOffset::default())));
    };
    if let Some(torn) = found.torn {
        let zeros = vec![0; usize::try_from(torn.len).unwrap_or(usize::MAX)];
        let at = torn.offset.minus(newest.start);
        write_full(storage, newest.start, at, &zeros).map_err(OpenError::Io)?;
    }
    write_full(storage, newest.start, found.walked.last_commit, &found.last_commit)
        .and_then(|()| storage.sync(newest.start))
        .map_err(OpenError::Io)?;
    let recovery = found.recovery(newest.start.plus(found.walked.committed));
    let Walked { committed, next, .. } = found.walked;
    Ok((Tail { segment: Some(newest), used: committed, next }, recovery))
}

/// Where the durable log ends and what is torn behind it, without changing anything.
pub(crate) fn find_tail(storage: &dyn Storage) -> Result<(LogOffset, Option<Torn>), OpenError> {
    let found = read_newest(storage)?;
    let end = |newest: Segment| newest.start.plus(found.walked.committed);
    Ok((found.newest.map_or_else(LogOffset::default, end), found.torn))
}

struct Found {
    segments: usize,
    newest: Option<Segment>,
    walked: Walked,
    last_commit: Vec<u8>,
    torn: Option<Torn>,
    last_at: Option<Timestamp>,
    unrecorded_since: Option<Timestamp>,
}

impl Found {
    const fn recovery(&self, end: LogOffset) -> Recovery {
        let Self { segments, torn, last_at, unrecorded_since, .. } = *self;
        Recovery { segments, end, torn, last_at, unrecorded_since }
    }
}

fn read_newest(storage: &dyn Storage) -> Result<Found, OpenError> {
    let segments = storage.segments().map_err(OpenError::Io)?;
    check_lengths(&segments)?;
    let unrecorded_since = unrecorded_since(&storage.mark().map_err(OpenError::Io)?);
    let Some(newest) = segments.last().copied() else {
        let (walked, last_commit) = (Walked::default(), Vec::new());
        return Ok(Found {
            segments: 0,
            newest: None,
            walked,
            last_commit,
            torn: None,
            last_at: None,
            unrecorded_since,
        });
    };
    if newest.form == Form::Thinned {
        let (segment, offset) = (newest.start, newest.start);
        let what = "it is thinned, and the segments that stood behind it are gone".to_owned();
        return Err(OpenError::Damaged { segment, offset, what });
    }
    let bytes = read_whole(storage, newest)?;
    let mut last_at = None;
    let mut walked = walk(&bytes, Form::Whole, newest.start, &Next::new(), |_, frame| {
        last_at = last_at.max(Some(frame.envelope.received_at));
    });
    let torn = judge(&bytes, newest.start, &walked)?;
    if walked.committed == 0 {
        // The crash came before its first commit: the one before knows the numbers.
        (walked.next, last_at) = match segments.get(segments.len().saturating_sub(2)..) {
            Some([before, _]) => numbers_after(storage, *before, newest.start)?,
            Some(_) | None => (Next::new(), None),
        };
    }
    let place = |at| usize::try_from(at).unwrap_or(usize::MAX);
    let last_commit = bytes.get(place(walked.last_commit)..place(walked.committed));
    let last_commit = last_commit.unwrap_or_default().to_vec();
    let (segments, newest) = (segments.len(), Some(newest));
    Ok(Found { segments, newest, walked, last_commit, torn, last_at, unrecorded_since })
}

/// All but the newest must at least be as long as the log says.
fn check_lengths(segments: &[Segment]) -> Result<(), OpenError> {
    for pair in segments.windows(2) {
        // A thinned one is read by its frames, which say where it ends.
        if let [older, newer] = pair
            && older.form == Form::Whole
            && older.start.plus(older.len) < newer.start
        {
            let (segment, offset) = (older.start, older.start.plus(older.len));
            let what = format!("the file ends before the next segment at {}", newer.start);
            return Err(OpenError::Damaged { segment, offset, what });
        }
    }
    Ok(())
}

// RC-029
/// The torn tail, if there is one; damage is an error.
fn judge(bytes: &[u8], start: LogOffset, walked: &Walked) -> Result<Option<Torn>, OpenError> {
    let bad_at = start.plus(walked.ended);
    if let Some(found) = walked.unknown_version {
        return Err(OpenError::UnknownVersion { segment: start, found });
    }
    let committed = usize::try_from(walked.committed).unwrap_or(usize::MAX);
    let after = bytes.get(committed..).unwrap_or_default();
    let Some(last) = after.iter().rposition(|byte| *byte != 0) else { return Ok(None) };
    let offset = start.plus(walked.committed);
    // A commit frame may itself end in zeros.
    let frame_max = usize::try_from(COMMIT_LEN_MAX).unwrap_or(usize::MAX);
    let reach = last.saturating_add(frame_max).min(after.len());
    let written = after.get(..reach).unwrap_or_default();
    if has_commit_after(written, offset, offset) {
        let what = walked.bad.clone().unwrap_or_else(|| "frames are missing".to_owned());
        return Err(OpenError::Damaged { segment: start, offset: bad_at, what });
    }
    let torn = Torn { offset, len: len(last).saturating_add(1), frames: walked.loose };
    Ok(Some(torn))
}

/// The next numbers after a segment that ends exactly at `end`, and its latest receipt.
fn numbers_after(
    storage: &dyn Storage,
    segment: Segment,
    end: LogOffset,
) -> Result<(Next, Option<Timestamp>), OpenError> {
    let mut bytes = read_whole(storage, segment)?;
    if segment.form == Form::Whole {
        bytes.truncate(usize::try_from(end.minus(segment.start)).unwrap_or(usize::MAX));
    }
    let mut last_at = None;
    let walked = walk(&bytes, segment.form, segment.start, &Next::new(), |_, frame| {
        last_at = last_at.max(Some(frame.envelope.received_at));
    });
    if walked.is_whole(segment.form, end.minus(segment.start)) {
        return Ok((walked.next, last_at));
    }
    let offset = segment.start.plus(walked.ended);
    let what = walked.bad.unwrap_or_else(|| "frames are missing".to_owned());
    Err(OpenError::Damaged { segment: segment.start, offset, what })
}

/// All bytes of a segment, in the form that it is in.
pub(crate) fn read_whole(storage: &dyn Storage, segment: Segment) -> Result<Vec<u8>, OpenError> {
    if segment.form == Form::Thinned {
        return storage.read_thinned(segment.start).map_err(OpenError::Io);
    }
    let mut bytes = vec![0; usize::try_from(segment.len).unwrap_or(usize::MAX)];
    let read = read_full(storage, segment.start, 0, &mut bytes).map_err(OpenError::Io)?;
    bytes.truncate(read);
    Ok(bytes)
}
