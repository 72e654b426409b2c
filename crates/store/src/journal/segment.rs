//! Segments from inside: the frames that belong to the log itself, and the reading of
//! the others in order.
//!
//! A segment begins where the one before it ended, so the log has no holes, and all
//! but the newest are known to the byte. The first frame is a head with the next
//! number of each partition; each commit ends with a commit frame.

use std::{collections::BTreeMap, io, sync::Arc, vec};

use model::{OrgId, PartitionId, Timestamp};
use record::{
    BODY_LEN_MAX, Body, Decoder, Encoder, Envelope, FRAME_LEN_MIN, Frame, FrameError, FrameRef,
    Kinds, Part, Position, SegmentHead, join_parts,
};

use super::{LogOffset, Record, find_tail, thin::Stub};
use crate::{Form, Segment, Storage, limits::READ_LEN, storage::read_full};

/// The kind of a commit frame, which no reader outside ever sees. Its body is a map of
/// 0: where the commit began, 1: where this frame stands, in bytes since the log began.
pub(crate) const COMMIT: u16 = 0x0fff;
const COMMIT_VERSION: u8 = 1;
/// The kind of a frame in a thinned segment that stands for a longer one. Readers outside see
/// what it says in its place. Its body is a map of 0: how many bytes the frame had, 1: the kind,
/// 2: the version and 3: the bytes of the body that stands there instead.
pub(crate) const THINNED: u16 = 0x0ffe;
const THINNED_VERSION: u8 = 1;
/// No less than a commit frame takes.
pub(super) const COMMIT_LEN_MAX: u64 = 128;

/// The next number of each partition; a partition begins with 1.
pub(super) type Next = BTreeMap<PartitionId, u64>;

/// Why a log cannot be read on.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages name every field")]
pub enum ReadError {
    #[error("the segment that begins at {segment} is damaged at offset {offset}: {what}")]
    Damaged { segment: LogOffset, offset: LogOffset, what: String },
    #[error("the log has no segment for offset {offset}; the oldest is at {oldest}")]
    Trimmed { offset: LogOffset, oldest: LogOffset },
    #[error("offset {offset} lies beyond the end of the log at {end}")]
    Beyond { offset: LogOffset, end: LogOffset },
    #[error("the segment that begins at {segment} cannot be read")]
    Io { segment: LogOffset, source: io::Error },
}

fn own_envelope(kind: u16, body_version: u8, now: Timestamp) -> Envelope {
    // The log's own frames belong to nobody; the smallest id stands in both places.
    let start = Timestamp::from_unix_nanos(0);
    let partition = PartitionId::v7(start, 0);
    Envelope {
        kind,
        body_version,
        org: OrgId::v7(start, 0),
        position: Position { partition, seq: 0 },
        received_at: now,
        key_id: 0,
    }
}

/// Appends the head of a segment that begins at `offset`.
pub(super) fn encode_head(
    offset: LogOffset,
    next: &Next,
    now: Timestamp,
    out: &mut Vec<u8>,
) -> Result<(), FrameError> {
    let next = next.iter().map(|(partition, seq)| (*partition, *seq)).collect();
    let (kind, version, body) = Body::SegmentHead(SegmentHead { offset: offset.0, next }).encode();
    own_envelope(kind, version, now).encode(&body, out)
}

/// Appends the frame that completes the commit that began at `start`.
pub(super) fn encode_commit(
    start: LogOffset,
    at: LogOffset,
    now: Timestamp,
    out: &mut Vec<u8>,
) -> Result<(), FrameError> {
    let mut body = Vec::with_capacity(24);
    let mut e = Encoder::new(&mut body);
    e.map(2);
    e.uint(0);
    e.uint(start.0);
    e.uint(1);
    e.uint(at.0);
    own_envelope(COMMIT, COMMIT_VERSION, now).encode(&body, out)
}

/// Where a commit began and where its frame says that it stands.
fn decode_commit(frame: &FrameRef<'_>) -> Option<(LogOffset, LogOffset)> {
    let mut d = Decoder::new(frame.body());
    let version = frame.envelope.body_version;
    if frame.envelope.kind != COMMIT || version != COMMIT_VERSION || d.map().ok()? != Some(2) {
        return None;
    }
    let (mut start, mut at) = (None, None);
    for _ in 0..2 {
        match d.u64().ok()? {
            0 => start = Some(LogOffset(d.u64().ok()?)),
            1 => at = Some(LogOffset(d.u64().ok()?)),
            _ => return None,
        }
    }
    start.zip(at)
}

/// Appends a frame that stands for one of `len` bytes with this envelope, whose kind, version
/// and body are replaced.
pub(super) fn encode_thinned(
    envelope: Envelope,
    len: u64,
    stub: &Stub,
    out: &mut Vec<u8>,
) -> Result<(), FrameError> {
    let mut body = Vec::with_capacity(stub.body.len().saturating_add(24));
    let mut e = Encoder::new(&mut body);
    e.map(4);
    e.uint(0);
    e.uint(len);
    e.uint(1);
    e.uint(stub.kind.into());
    e.uint(2);
    e.uint(stub.body_version.into());
    e.uint(3);
    e.bytes(&stub.body);
    Envelope { kind: THINNED, body_version: THINNED_VERSION, ..envelope }.encode(&body, out)
}

/// How long the frame was that this one stands for, and what it says now.
fn decode_thinned<'a>(frame: &FrameRef<'a>) -> Option<(u64, FrameRef<'a>)> {
    let mut d = Decoder::new(frame.body());
    let version = frame.envelope.body_version;
    if version != THINNED_VERSION || d.map().ok()? != Some(4) {
        return None;
    }
    let (mut len, mut kind, mut body_version, mut body) = (None, None, None, None);
    for _ in 0..4 {
        match d.u64().ok()? {
            0 => len = Some(d.u64().ok()?),
            1 => kind = Some(d.u16().ok()?),
            2 => body_version = Some(d.u8().ok()?),
            3 => body = Some(d.bytes().ok()?),
            _ => return None,
        }
    }
    let frame_max = self::len(BODY_LEN_MAX.saturating_add(FRAME_LEN_MIN));
    let len = len.filter(|len| (self::len(FRAME_LEN_MIN)..=frame_max).contains(len))?;
    // Nothing of the log itself is ever replaced, nor put in a place.
    let kind = kind.filter(|kind| ![COMMIT, THINNED, Kinds::SEGMENT_HEAD].contains(kind))?;
    Some((len, frame.standing_for(kind, body_version?, body?)))
}

/// What of a segment was replaced by something shorter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Shortened {
    /// How many frames.
    pub frames: u64,
    /// How many bytes they had.
    pub bytes_before: u64,
    /// How many bytes stand in their places.
    pub bytes: u64,
    /// When the oldest and the newest of them were received.
    pub received: Option<(Timestamp, Timestamp)>,
}

impl Shortened {
    fn add(&mut self, before: u64, now: u64, at: Timestamp) {
        self.frames = self.frames.saturating_add(1);
        self.bytes_before = self.bytes_before.saturating_add(before);
        self.bytes = self.bytes.saturating_add(now);
        let (oldest, newest) = self.received.unwrap_or((at, at));
        self.received = Some((oldest.min(at), newest.max(at)));
    }

    /// Both together.
    pub(crate) fn with(self, other: Self) -> Self {
        let span = |one: (Timestamp, Timestamp), two: (Timestamp, Timestamp)| {
            (one.0.min(two.0), one.1.max(two.1))
        };
        let received = match (self.received, other.received) {
            (Some(one), Some(two)) => Some(span(one, two)),
            (one, two) => one.or(two),
        };
        Self {
            frames: self.frames.saturating_add(other.frames),
            bytes_before: self.bytes_before.saturating_add(other.bytes_before),
            bytes: self.bytes.saturating_add(other.bytes),
            received,
        }
    }
}

/// What a walk over the bytes of one segment found. All places are those of the log, also in a
/// thinned segment, whose file is shorter.
#[derive(Debug, Default)]
pub(crate) struct Walked {
    /// Bytes up to the end of the last whole commit.
    pub(crate) committed: u64,
    /// Bytes up to its beginning.
    pub(crate) last_commit: u64,
    /// The next numbers after that commit.
    pub(crate) next: Next,
    /// Commits seen.
    pub(crate) commits: u64,
    /// Whole frames after the last whole commit.
    pub(crate) loose: u64,
    /// Where the walk ended, in bytes from the start of the segment.
    pub(crate) ended: u64,
    /// Why it ended before the zeros or the end.
    pub(crate) bad: Option<String>,
    /// The version of an envelope that only a newer program reads.
    pub(crate) unknown_version: Option<u8>,
    /// What was replaced by something shorter.
    pub(crate) shortened: Shortened,
}

impl Walked {
    /// Whether the walk saw all that a segment has which ends at `end` bytes from its start, and
    /// nothing else.
    pub(crate) fn is_whole(&self, form: Form, end: u64) -> bool {
        let is_over = form == Form::Whole || (self.bad.is_none() && self.ended == end);
        self.committed == end && is_over
    }
}

/// Walks the frames of a segment from its start until zeros, the end, or a bad frame.
///
/// `next` is what is known from the segment before; an empty map trusts the head. Frames that
/// stand for longer ones are in thinned segments only, and are visited as what they say now.
pub(crate) fn walk(
    bytes: &[u8],
    form: Form,
    start: LogOffset,
    next: &Next,
    mut visit: impl FnMut(LogOffset, &FrameRef<'_>),
) -> Walked {
    let mut walked = Walked { next: next.clone(), ..Walked::default() };
    // What the frames since the last whole commit changed; a copy for each commit would
    // cost as much as there are partitions.
    let mut loose = Next::new();
    let mut rest = bytes;
    while rest.get(..4).is_some_and(|len| len != [0; 4]) {
        let at = start.plus(walked.ended);
        let frame = match FrameRef::decode(&mut rest) {
            Ok(frame) => frame,
            Err(error) => {
                if let FrameError::UnknownVersion { found } = error {
                    walked.unknown_version = Some(found);
                }
                walked.bad = Some(error.to_string());
                return walked;
            }
        };
        let stored_len = len(frame.len());
        let (frame_len, frame) = match thinned(&frame, form) {
            Ok(Some(found)) => found,
            Ok(None) => (stored_len, frame),
            Err(what) => {
                walked.bad = Some(what);
                return walked;
            }
        };
        let commit = decode_commit(&frame);
        let whole = if walked.ended == 0 {
            read_head(&frame, start, &walked.next, &mut loose)
        } else if frame.envelope.kind == COMMIT {
            match commit {
                Some(found) if found == (start.plus(walked.committed), at) => Ok(()),
                _ => Err("a commit frame is not where it says".to_owned()),
            }
        } else {
            number(&frame, &walked.next, &mut loose)
        };
        if let Err(what) = whole {
            walked.bad = Some(what);
            return walked;
        }
        if stored_len != frame_len {
            walked.shortened.add(frame_len, stored_len, frame.envelope.received_at);
        }
        walked.ended = walked.ended.saturating_add(frame_len);
        walked.loose = walked.loose.saturating_add(1);
        if commit.is_some() {
            walked.last_commit = walked.committed;
            walked.committed = walked.ended;
            walked.commits = walked.commits.saturating_add(1);
            walked.loose = 0;
            walked.next.append(&mut loose);
        }
        visit(start.plus(walked.ended), &frame);
    }
    walked
}

/// How long the frame was that this one stands for, and what it says now, if it stands for one.
fn thinned<'a>(frame: &FrameRef<'a>, form: Form) -> Result<Option<(u64, FrameRef<'a>)>, String> {
    match (frame.envelope.kind, form) {
        (THINNED, Form::Thinned) => match decode_thinned(frame) {
            Some(found) => Ok(Some(found)),
            None => Err("a frame does not say what it stands for".to_owned()),
        },
        (THINNED, Form::Whole) => Err("a segment that was never thinned lacks a frame".to_owned()),
        _ => Ok(None),
    }
}

fn read_head(
    frame: &FrameRef<'_>,
    start: LogOffset,
    next: &Next,
    loose: &mut Next,
) -> Result<(), String> {
    let Envelope { kind, body_version, .. } = frame.envelope;
    match Body::decode(kind, body_version, frame.body()) {
        Ok(Body::SegmentHead(head)) if head.offset == start.0 => {
            for (partition, seq) in head.next {
                if next.get(&partition).is_some_and(|known| seq < *known) {
                    return Err("the head counts less than the segment before".to_owned());
                }
                loose.insert(partition, seq);
            }
            Ok(())
        }
        Ok(Body::SegmentHead(head)) => {
            Err(format!("the head names offset {} as its own", head.offset))
        }
        Ok(_) | Err(_) => Err("the first frame is not a head".to_owned()),
    }
}

/// Numbers only grow; some may be passed over, as those of records that found no room.
fn number(frame: &FrameRef<'_>, next: &Next, loose: &mut Next) -> Result<(), String> {
    if frame.envelope.kind == Kinds::SEGMENT_HEAD {
        return Err("a head stands inside a segment".to_owned());
    }
    let Position { partition, seq } = frame.envelope.position;
    let known = loose.get(&partition).or_else(|| next.get(&partition)).copied().unwrap_or(1);
    if seq < known {
        return Err(format!("number {seq} of partition {partition} comes after {known}"));
    }
    loose.insert(partition, seq.saturating_add(1));
    Ok(())
}

/// Whether a whole commit that began after `after` stands anywhere in `bytes`, which
/// begin at `base`: then what is bad before it was once synced, and is damage.
pub(super) fn has_commit_after(bytes: &[u8], base: LogOffset, after: LogOffset) -> bool {
    let kind_at = 9;
    let mut from = 0_usize;
    let mut next_candidate = || -> Option<usize> {
        loop {
            let rest = bytes.get(from..)?;
            let found = rest.windows(2).position(|pair| pair == COMMIT.to_be_bytes())?;
            let place = from.saturating_add(found);
            from = place.saturating_add(1);
            if let Some(start) = place.checked_sub(kind_at) {
                return Some(start);
            }
        }
    };
    while let Some(place) = next_candidate() {
        let mut rest = bytes.get(place..).unwrap_or_default();
        let commit = FrameRef::decode(&mut rest).ok().and_then(|frame| decode_commit(&frame));
        if commit.is_some_and(|(start, at)| at == base.plus(len(place)) && start > after) {
            return true;
        }
    }
    false
}

/// Reads records in order from the files; never beyond `until`.
pub(super) struct Reader {
    storage: Arc<dyn Storage>,
    segments: Vec<Segment>,
    pub(super) at: LogOffset,
    pub(super) until: LogOffset,
    parts: Vec<Part>,
}

impl Reader {
    pub(super) const fn new(storage: Arc<dyn Storage>, at: LogOffset, until: LogOffset) -> Self {
        Self { storage, segments: Vec::new(), at, until, parts: Vec::new() }
    }

    /// The next records, none at the end; reads about [`READ_LEN`] bytes.
    pub(super) fn read(&mut self) -> Result<Vec<Record>, ReadError> {
        let mut records = Vec::new();
        let mut want = READ_LEN;
        while records.is_empty() && self.at < self.until {
            let before = self.at;
            self.read_some(want, &mut records)?;
            want = if self.at == before { want.saturating_mul(2) } else { READ_LEN };
        }
        Ok(records)
    }

    /// Reads up to `want` bytes; stays where it is if they hold no whole frame.
    fn read_some(&mut self, want: usize, records: &mut Vec<Record>) -> Result<(), ReadError> {
        let (segment, form, end) = self.segment()?;
        if form == Form::Thinned {
            return self.read_thinned(segment, end, records);
        }
        let left = usize::try_from(end.minus(self.at)).unwrap_or(usize::MAX);
        let mut bytes = vec![0; want.min(left)];
        let within = self.at.minus(segment);
        let read = match read_full(&*self.storage, segment, within, &mut bytes) {
            Ok(read) => read,
            Err(source) if self.was_thinned(segment, &source) => return Ok(()),
            Err(source) => return Err(ReadError::Io { segment, source }),
        };
        let mut rest = bytes.get(..read).unwrap_or_default();
        let all_there = read == left || want > BODY_LEN_MAX.saturating_mul(2);
        while !rest.is_empty() {
            match FrameRef::decode(&mut rest) {
                Ok(frame) => {
                    let offset = self.at.plus(len(frame.len()));
                    if frame.envelope.kind == THINNED {
                        let what = "a segment that was never thinned lacks a frame";
                        return Err(self.damaged(segment, what.to_owned()));
                    }
                    self.take(segment, offset, &frame, records)?;
                }
                // The next read begins here and says so if it is no accident.
                Err(FrameError::Torn) if !all_there => return Ok(()),
                Err(_) if !records.is_empty() => return Ok(()),
                Err(error) => return Err(self.damaged(segment, error.to_string())),
            }
        }
        if read < bytes.len() {
            return Err(self.damaged(segment, "the file is too short".to_owned()));
        }
        Ok(())
    }

    /// Reads a thinned segment from where the reader is to its end: it is short, and where a
    /// frame stands in it only the frames before it tell.
    fn read_thinned(
        &mut self,
        segment: LogOffset,
        end: LogOffset,
        records: &mut Vec<Record>,
    ) -> Result<(), ReadError> {
        let bytes = self.storage.read_thinned(segment);
        let bytes = bytes.map_err(|source| ReadError::Io { segment, source })?;
        let (from, mut failed) = (self.at, None);
        let walked = walk(&bytes, Form::Thinned, segment, &Next::new(), |offset, frame| {
            if offset > from && offset <= end && failed.is_none() {
                failed = self.take(segment, offset, frame, records).err();
            }
        });
        if let Some(error) = failed {
            return Err(error);
        }
        if walked.is_whole(Form::Thinned, end.minus(segment)) {
            return Ok(());
        }
        if !records.is_empty() && self.at < end {
            // The next read begins behind them and says so.
            return Ok(());
        }
        let offset = segment.plus(walked.ended);
        let what = walked.bad.unwrap_or_else(|| "frames are missing".to_owned());
        Err(ReadError::Damaged { segment, offset, what })
    }

    /// Whether a segment could not be read because it was thinned since the list was read, which
    /// is forgotten then.
    fn was_thinned(&mut self, segment: LogOffset, error: &io::Error) -> bool {
        let is_thinned = error.kind() == io::ErrorKind::NotFound
            && self.storage.segments().is_ok_and(|found| {
                found.iter().any(|it| it.start == segment && it.form == Form::Thinned)
            });
        if is_thinned {
            self.segments.clear();
        }
        is_thinned
    }

    fn take(
        &mut self,
        segment: LogOffset,
        offset: LogOffset,
        frame: &FrameRef<'_>,
        records: &mut Vec<Record>,
    ) -> Result<(), ReadError> {
        match frame.envelope.kind {
            COMMIT | Kinds::SEGMENT_HEAD => {}
            Kinds::PART => {
                if let Some(frame) = self.join(frame).map_err(|what| self.damaged(segment, what))? {
                    records.push(Record { offset, frame });
                }
            }
            _ => records.push(Record { offset, frame: frame.to_frame() }),
        }
        self.at = offset;
        Ok(())
    }

    /// Keeps a part, and gives the whole once it is the last.
    fn join(&mut self, frame: &FrameRef<'_>) -> Result<Option<Frame>, String> {
        let envelope = frame.envelope;
        let body = Body::decode(envelope.kind, envelope.body_version, frame.body());
        let Body::Part(part) = body.map_err(|error| error.to_string())? else {
            return Err("a part is not a part".to_owned());
        };
        let last = part.number.saturating_add(1) >= part.of;
        self.parts.push(part);
        if !last {
            return Ok(None);
        }
        let joined = join_parts(&std::mem::take(&mut self.parts));
        let (kind, body_version, body) = joined.map_err(|error| error.to_string())?;
        let mut frame = FrameRef::to_frame(frame);
        (frame.kind, frame.body_version, frame.body) = (kind, body_version, body);
        Ok(Some(frame))
    }

    fn damaged(&self, segment: LogOffset, what: String) -> ReadError {
        ReadError::Damaged { segment, offset: self.at, what }
    }

    /// The segment that holds the next frame, its form, and where its frames end.
    fn segment(&mut self) -> Result<(LogOffset, Form, LogOffset), ReadError> {
        let find = |segments: &[Segment], at| {
            let after = segments.partition_point(|segment| segment.start <= at);
            let Segment { start, form, .. } = *segments.get(after.checked_sub(1)?)?;
            Some((start, form, segments.get(after).map(|segment| segment.start)))
        };
        let found = find(&self.segments, self.at);
        let (start, form, end) = match found {
            Some((start, form, Some(end))) => (start, form, Some(end)),
            // A newer segment may have been made since the list was read.
            Some((_, _, None)) | None => {
                let io = |source| ReadError::Io { segment: self.at, source };
                self.segments = self.storage.segments().map_err(io)?;
                let oldest = self.segments.first().map_or(self.at, |segment| segment.start);
                let trimmed = ReadError::Trimmed { offset: self.at, oldest };
                find(&self.segments, self.at).ok_or(trimmed)?
            }
        };
        let end = match form {
            Form::Whole => end.map_or(self.until, |end| end.min(self.until)),
            // It is read as a whole, and its end is part of what it must say.
            Form::Thinned => end.unwrap_or(self.until),
        };
        Ok((start, form, end))
    }
}

/// The durable records of a log in order; ends with the first error.
pub struct Replay {
    reader: Option<Reader>,
    ready: vec::IntoIter<Record>,
    refused: Option<ReadError>,
}

impl std::fmt::Debug for Replay {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Replay").finish_non_exhaustive()
    }
}

impl Replay {
    pub(super) fn until(storage: Arc<dyn Storage>, from: LogOffset, until: LogOffset) -> Self {
        let refused = (from > until).then_some(ReadError::Beyond { offset: from, end: until });
        let reader = refused.is_none().then(|| Reader::new(storage, from, until));
        Self { reader, ready: Vec::new().into_iter(), refused }
    }
}

impl Iterator for Replay {
    type Item = Result<Record, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(record) = self.ready.next() {
            return Some(Ok(record));
        }
        if let Some(refused) = self.refused.take() {
            return Some(Err(refused));
        }
        match self.reader.as_mut()?.read() {
            Ok(records) => self.ready = records.into_iter(),
            Err(error) => {
                self.reader = None;
                return Some(Err(error));
            }
        }
        self.ready.next().map(Ok)
    }
}

/// The records after `from` of a log that nobody has open; a torn tail is left out.
pub fn replay(storage: Arc<dyn Storage>, from: LogOffset) -> Result<Replay, super::OpenError> {
    let (end, _) = find_tail(&*storage)?;
    Ok(Replay::until(storage, from, end))
}

pub(super) fn len(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}

#[test]
fn a_commit_frame_keeps_its_kind_out_of_everybody_elses_way() {
    const { assert!(COMMIT < record::DECISIONS_FROM) };
    assert!(
        Body::decode(COMMIT, COMMIT_VERSION, &[])
            .is_err_and(|error| { error == record::BodyError::UnknownKind { found: COMMIT } })
    );
    let (start, at) = (LogOffset(u64::MAX - 9), LogOffset(u64::MAX));
    let mut bytes = Vec::new();
    encode_commit(start, at, Timestamp::from_unix_nanos(7), &mut bytes).unwrap();
    assert!(len(bytes.len()) <= COMMIT_LEN_MAX);
    let frame = FrameRef::decode(&mut &bytes[..]).unwrap();
    assert_eq!(decode_commit(&frame), Some((start, at)));
    assert_eq!(bytes[9..11], COMMIT.to_be_bytes());
}
