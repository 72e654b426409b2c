//! Thinning: in a segment that is long over, some entries are replaced by shorter ones, each in
//! its place of the log. Everything else is carried over byte by byte.
//!
//! ```text
//! whole ─▶ read, every frame checked ─▶ thinned form: written, synced, named
//!                                         └▶ read back, compared frame by frame ─▶ whole goes
//! ```
//!
//! Until the last step the whole form counts, and nothing before it changes what anybody reads.
//!
//! **Absent on purpose:** which entries, and what stands in their places; whoever asks knows
//! what they mean. And any way to take an entry's place away.

use std::{collections::BTreeMap, io, sync::MutexGuard};

use model::Timestamp;
use record::{Envelope, FrameRef, Kinds};

use super::{
    COMMIT, Journal, LogOffset, Replay, Shortened, read_whole,
    segment::{Next, encode_thinned, len, walk},
    thinned_to,
};
use crate::{
    Form, OpenError, Segment, Storage,
    hold::{hold, try_hold},
    limits::SEGMENTS_WHOLE_MIN,
};

/// What stands in the place of an entry.
#[derive(Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are those of a frame")]
pub struct Stub {
    pub kind: u16,
    pub body_version: u8,
    pub body: Vec<u8>,
}

impl std::fmt::Debug for Stub {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (kind, body_len) = (&self.kind, self.body.len());
        f.debug_struct("Stub").field("kind", kind).field("body_len", &body_len).finish()
    }
}

/// A segment that is thinned, or about to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Thinned {
    /// Where it begins in the log.
    pub from: LogOffset,
    /// Where it ends.
    pub to: LogOffset,
    /// Entries that are replaced.
    pub entries: u64,
    /// Bytes of its frames before.
    pub bytes_before: u64,
    /// Bytes of its frames afterwards.
    pub bytes: u64,
    /// When the oldest and the newest of the replaced were received.
    pub received: Option<(Timestamp, Timestamp)>,
}

/// Why a segment was not thinned; it is as it was.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages name every field")]
pub enum ThinError {
    #[error("no segment that is whole and long over begins at {from}")]
    NotThinned { from: LogOffset },
    #[error("the segment that begins at {from} is damaged at offset {offset}: {what}")]
    Damaged { from: LogOffset, offset: LogOffset, what: String },
    #[error("no entry ends at {offset} that could be replaced by a shorter one")]
    NoEntry { offset: LogOffset },
    #[error("the thinned segment that begins at {from} is not what was to be written: {what}")]
    NotReadBack { from: LogOffset, what: String },
    #[error("a backup is being taken, and nothing is thinned until it has the journal")]
    BackingUp,
    #[error("what is about to be thinned could not be recorded")]
    NotRecorded,
    #[error("the segment that begins at {from} cannot be read or written")]
    Io { from: LogOffset, source: io::Error },
}

impl Journal {
    /// Every segment, in the order of the log.
    pub fn segments(&self) -> io::Result<Vec<Segment>> {
        self.0.shared.storage.segments()
    }

    /// Where the newest thinned segment ends; 0 if none was.
    pub fn thinned_to(&self) -> io::Result<LogOffset> {
        thinned_to(&*self.0.shared.storage)
    }

    /// How many segments were thinned, and what went of them; reads all of these.
    pub fn shortened(&self) -> Result<(usize, Shortened), OpenError> {
        let storage = &*self.0.shared.storage;
        let (mut count, mut all) = (0_usize, Shortened::default());
        let segments = storage.segments().map_err(OpenError::Io)?;
        for segment in segments.into_iter().filter(|it| it.form == Form::Thinned) {
            let bytes = read_whole(storage, segment)?;
            let walked = walk(&bytes, segment.form, segment.start, &Next::new(), |_, _| {});
            count = count.saturating_add(1);
            all = all.with(walked.shortened);
        }
        Ok((count, all))
    }

    /// Segments that are whole and long over, each with where it ends, the oldest first. The
    /// newest are not among them: starts read them again. While a backup is taken there are none.
    pub fn thinnable(&self) -> io::Result<Vec<(LogOffset, LogOffset)>> {
        match try_hold(&self.0.shared.thinning) {
            Some(_free) => Ok(thinnable(&self.segments()?)),
            None => Ok(Vec::new()),
        }
    }

    /// Keeps every segment as it is until what is given is dropped; waits for one that is being
    /// thinned. A copy of the series and a later one of the journal would have neither form of
    /// samples that were sealed and went between the two.
    pub(crate) fn keep_whole(&self) -> MutexGuard<'_, ()> {
        hold(&self.0.shared.thinning)
    }

    /// The records of a stretch of the log, such as one segment; blocks while it reads.
    pub fn replay_between(&self, from: LogOffset, to: LogOffset) -> Replay {
        let storage = std::sync::Arc::clone(&self.0.shared.storage);
        Replay::until(storage, from, to.min(self.end()))
    }

    /// Replaces the entries that end at these places. Before the whole segment goes `record` is
    /// asked to note it durably; if it says no, nothing changes. Blocks for as long as it takes.
    pub fn thin(
        &self,
        from: LogOffset,
        stubs: &BTreeMap<LogOffset, Stub>,
        record: impl FnOnce(&Thinned) -> bool,
    ) -> Result<Thinned, ThinError> {
        let _one = try_hold(&self.0.shared.thinning).ok_or(ThinError::BackingUp)?;
        thin(&*self.0.shared.storage, from, stubs, record)
    }
}

fn thinnable(segments: &[Segment]) -> Vec<(LogOffset, LogOffset)> {
    let old = segments.len().saturating_sub(SEGMENTS_WHOLE_MIN);
    let pairs = segments.iter().zip(segments.iter().skip(1)).take(old);
    let whole = pairs.filter(|(segment, _)| segment.form == Form::Whole);
    whole.map(|(segment, next)| (segment.start, next.start)).collect()
}

pub(super) fn thin(
    storage: &dyn Storage,
    from: LogOffset,
    stubs: &BTreeMap<LogOffset, Stub>,
    record: impl FnOnce(&Thinned) -> bool,
) -> Result<Thinned, ThinError> {
    let io = |source| ThinError::Io { from, source };
    let segments = storage.segments().map_err(io)?;
    let to = thinnable(&segments).into_iter().find(|(start, _)| *start == from);
    let (_, to) = to.ok_or(ThinError::NotThinned { from })?;
    let whole = read(storage, &segments, from, to)?;
    let bytes = shortened(&whole, from, to, stubs)?;
    let thinned = compare(&whole, &bytes, from, to, stubs)?;
    let put = || {
        storage.put_thinned(from, &bytes).map_err(io)?;
        // Both are read again, so that what goes is what the disk has the other form of.
        let back = storage.read_thinned(from).map_err(io)?;
        let whole = read(storage, &segments, from, to)?;
        if compare(&whole, &back, from, to, stubs)? != thinned {
            let what = "it has another length".to_owned();
            return Err(ThinError::NotReadBack { from, what });
        }
        if record(&thinned) { Ok(()) } else { Err(ThinError::NotRecorded) }
    };
    if let Err(error) = put() {
        // It counts for nothing, and the recording needs the room; where that fails as well,
        // the next thinning writes over it.
        let _ = storage.drop_thinned(from);
        return Err(error);
    }
    storage.drop_whole(from).map_err(io)?;
    Ok(thinned)
}

/// The frames of a segment that is whole, from its first byte to where the next begins.
fn read(
    storage: &dyn Storage,
    segments: &[Segment],
    from: LogOffset,
    to: LogOffset,
) -> Result<Vec<u8>, ThinError> {
    let segment = segments.iter().find(|it| it.start == from && it.form == Form::Whole);
    let segment = segment.ok_or(ThinError::NotThinned { from })?;
    let mut bytes = read_whole(storage, *segment).map_err(|error| {
        let source = match error {
            OpenError::Io(source) => source,
            error => io::Error::other(error),
        };
        ThinError::Io { from, source }
    })?;
    bytes.truncate(usize::try_from(to.minus(from)).unwrap_or(usize::MAX));
    Ok(bytes)
}

/// The thinned form.
fn shortened(
    whole: &[u8],
    from: LogOffset,
    to: LogOffset,
    stubs: &BTreeMap<LogOffset, Stub>,
) -> Result<Vec<u8>, ThinError> {
    let (mut out, mut rest, mut replaced) = (Vec::with_capacity(whole.len()), whole, 0_usize);
    let mut offset = from;
    while offset < to {
        let before = rest;
        let frame = FrameRef::decode(&mut rest).map_err(|error| {
            let what = error.to_string();
            ThinError::Damaged { from, offset, what }
        })?;
        let frame_len = len(frame.len());
        offset = offset.plus(frame_len);
        let Some(stub) = stubs.get(&offset) else {
            out.extend_from_slice(before.get(..frame.len()).unwrap_or_default());
            continue;
        };
        let begin = out.len();
        let no_entry = ThinError::NoEntry { offset };
        let is_own = [COMMIT, Kinds::SEGMENT_HEAD, Kinds::PART].contains(&frame.envelope.kind);
        let encoded = encode_thinned(frame.envelope, frame_len, stub, &mut out);
        let is_shorter = out.len().saturating_sub(begin) < frame.len();
        if is_own || encoded.is_err() || !is_shorter {
            return Err(no_entry);
        }
        replaced = replaced.saturating_add(1);
    }
    if replaced == stubs.len() {
        return Ok(out);
    }
    let outside = |at: &&LogOffset| **at <= from || **at > to;
    let first = stubs.keys().find(outside).or_else(|| stubs.keys().next());
    Err(ThinError::NoEntry { offset: first.copied().unwrap_or(from) })
}

/// A frame as a reader of its segment is given it.
type Read = (LogOffset, Envelope, Vec<u8>);

fn frames_of(
    bytes: &[u8],
    form: Form,
    from: LogOffset,
    to: LogOffset,
) -> Result<Vec<Read>, String> {
    let mut frames = Vec::new();
    let walked = walk(bytes, form, from, &Next::new(), |offset, frame| {
        frames.push((offset, frame.envelope, frame.body().to_vec()));
    });
    if walked.is_whole(form, to.minus(from)) {
        return Ok(frames);
    }
    let what = walked.bad.unwrap_or_else(|| "frames are missing".to_owned());
    Err(format!("at offset {}: {what}", from.plus(walked.ended)))
}

/// Compares the two forms frame by frame: the thinned one says at each place what the whole one
/// says, or what stands there instead.
fn compare(
    whole: &[u8],
    thinned: &[u8],
    from: LogOffset,
    to: LogOffset,
    stubs: &BTreeMap<LogOffset, Stub>,
) -> Result<Thinned, ThinError> {
    let before = frames_of(whole, Form::Whole, from, to).map_err(|what| ThinError::Damaged {
        from,
        offset: from,
        what,
    })?;
    let not_back = |what| ThinError::NotReadBack { from, what };
    let after = frames_of(thinned, Form::Thinned, from, to).map_err(not_back)?;
    if before.len() != after.len() {
        return Err(not_back(format!("{} frames instead of {}", after.len(), before.len())));
    }
    let (mut entries, mut received) = (0_u64, None);
    for ((offset, envelope, body), found) in before.into_iter().zip(after) {
        let wanted = match stubs.get(&offset) {
            None => (offset, envelope, body),
            Some(Stub { kind, body_version, body }) => {
                entries = entries.saturating_add(1);
                let at = envelope.received_at;
                let (oldest, newest): (Timestamp, Timestamp) = received.unwrap_or((at, at));
                received = Some((oldest.min(at), newest.max(at)));
                let (kind, body_version) = (*kind, *body_version);
                (offset, Envelope { kind, body_version, ..envelope }, body.clone())
            }
        };
        if wanted != found {
            return Err(not_back(format!("the frame that ends at {offset} is another")));
        }
    }
    let (bytes_before, bytes) = (len(whole.len()), len(thinned.len()));
    Ok(Thinned { from, to, entries, bytes_before, bytes, received })
}
