//! Waveform blocks of a journal, compared with what is sealed of them: to say what could go,
//! and, segment by segment, to let it go.
//!
//! What stands in a block's place says everything of it but the samples, so whoever reads the
//! journal finds a record where one was. The record of a thinning is durable before it happens.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};

use ::record::{Body, FRAME_LEN_MIN, Kinds, ThinnedSegment, WaveBlock};
use model::{Channel, DeviceId, OrgId, Timestamp};
use store::{
    DatabaseError, Journal, LogOffset, Question, ReadError, Record, Records, Series, Storage, Stub,
    ThinError, Thinned, limits::SEGMENTS_WHOLE_MIN, replay,
};

use super::rebuild::{RebuildError, read_back};
use crate::{
    core::{SealedForm, Setup, left_of, start_of},
    directory::Directory,
    limits::WAVES_WHOLE_MIN,
    retention::{Judge, Placed, Sealed, Stays},
};

/// What is compared, and with what.
pub struct Blocks {
    /// The journal; nobody else has it open.
    pub storage: Arc<dyn Storage>,
    /// The series of the same directory.
    pub series: Series,
    /// The records of the same directory.
    pub records: Records,
    /// As the server is set up.
    pub setup: Setup,
    /// Blocks that were received before it would go.
    pub received_before: Timestamp,
}

impl std::fmt::Debug for Blocks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Blocks").field("before", &self.received_before).finish_non_exhaustive()
    }
}

/// So many blocks of a journal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it all")]
pub struct BlockCount {
    pub blocks: u64,
    /// With their envelopes.
    pub bytes: u64,
    /// Of these, the packed samples alone.
    pub sample_bytes: u64,
}

/// What a comparison found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ComparedBlocks {
    /// Blocks of which all is sealed, and which nobody wants kept.
    pub spare: BlockCount,
    /// When the oldest and the newest of these were received.
    pub spare_received: Option<(Timestamp, Timestamp)>,
    /// The others, by why they stay.
    pub staying: BTreeMap<Stays, BlockCount>,
    /// Blocks whose samples went before.
    pub thinned: u64,
    /// Of these, the ones that sealed samples do not make again, by what is found instead.
    pub not_again: BTreeMap<Stays, u64>,
    /// Where the first of these end.
    pub lost: Vec<(LogOffset, Stays)>,
    /// Where the first blocks end that are sealed otherwise than they were received.
    pub faults: Vec<(LogOffset, Stays)>,
}

/// Places that are named at most.
const FAULTS_NAMED_MAX: usize = 20;
/// What of a channel is read of the series at once.
const WINDOW: Duration = Duration::from_secs(60);
/// Channels of which such a window is remembered.
const WINDOWS_MAX: usize = 256;
/// Records after which whoever waits is told.
const RECORDS_AT_ONCE: u64 = 4_096;
/// A segment is thinned once, so it waits until no less than this part of it goes.
const SAVED_PART_MIN: u64 = 16;
/// No less than a stub is longer in its frame.
const STUB_AROUND_MAX: usize = 40;

impl BlockCount {
    fn add(&mut self, bytes: u64, sample_bytes: u64) {
        self.blocks += 1;
        self.bytes += bytes;
        self.sample_bytes += sample_bytes;
    }
}

impl ComparedBlocks {
    /// Blocks that are sealed otherwise than they were received.
    pub fn fault_count(&self) -> u64 {
        let faults = self.staying.iter().filter(|(why, _)| why.is_fault());
        faults.map(|(_, count)| count.blocks).sum()
    }

    /// Blocks whose samples went and are not sealed as they were.
    pub fn lost_count(&self) -> u64 {
        let lost = self.not_again.iter().filter(|(why, _)| **why != Stays::Crowded);
        lost.map(|(_, count)| *count).sum()
    }

    fn count_gone(&mut self, record: &Record, lacks: Option<Stays>) {
        self.thinned += 1;
        let Some(why) = lacks else { return };
        *self.not_again.entry(why).or_default() += 1;
        if why != Stays::Crowded && self.lost.len() < FAULTS_NAMED_MAX {
            self.lost.push((record.offset, why));
        }
    }

    fn count(&mut self, record: &Record, looked: &Looked) {
        let len = record.frame.body.len().saturating_add(FRAME_LEN_MIN);
        let bytes = u64::try_from(len).unwrap_or(u64::MAX);
        let Some(why) = looked.why else {
            let at = record.frame.received_at;
            let (oldest, newest) = self.spare_received.unwrap_or((at, at));
            self.spare_received = Some((oldest.min(at), newest.max(at)));
            return self.spare.add(bytes, looked.sample_bytes);
        };
        self.staying.entry(why).or_default().add(bytes, looked.sample_bytes);
        if why.is_fault() && self.faults.len() < FAULTS_NAMED_MAX {
            self.faults.push((record.offset, why));
        }
    }
}

impl Blocks {
    /// Reads the journal and every chunk that has a block of it; blocks for as long as that
    /// takes, and tells after each few thousand records how often it has begun and where it is.
    pub fn compare(
        self,
        tell: &mut dyn FnMut(u32, LogOffset),
    ) -> Result<ComparedBlocks, RebuildError> {
        let Self { storage, series, records, setup, received_before } = self;
        let checkpoint = series.load_checkpoint().map_err(RebuildError::Series)?;
        let checkpoint = checkpoint.map_or(LogOffset::default(), |(offset, _)| offset);
        let directory = read_back(&storage, &series, &records, &setup, tell)?;
        let segments = storage.segments().map_err(RebuildError::Segments)?;
        let begins = segments.first().map_or(LogOffset::default(), |it| it.start);
        let newest = segments.get(segments.len().saturating_sub(SEGMENTS_WHOLE_MIN));
        let newest = newest.map_or(begins, |it| it.start);
        let judge = Judge::new(received_before, &directory, checkpoint, newest);
        let mut eyes = Eyes { judge, series, windows: Windows::default() };
        let (mut found, mut read) = (ComparedBlocks::default(), 0_u64);
        for record in replay(storage, begins).map_err(RebuildError::Open)? {
            let record = record.map_err(RebuildError::Journal)?;
            read += 1;
            if read % RECORDS_AT_ONCE == 0 {
                tell(3, record.offset);
            }
            if record.frame.kind == Kinds::SEALED_WAVE {
                let lacks = eyes.look_again(&record).map_err(RebuildError::Series)?;
                found.count_gone(&record, lacks);
            }
            if let Some(looked) = eyes.look(&record).map_err(RebuildError::Series)? {
                found.count(&record, &looked);
            }
        }
        Ok(found)
    }
}

/// How long blocks stay whole in the journal of a running server; neither is for ever.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retention {
    /// So many days after they were received.
    pub keep_days: Option<u64>,
    /// As long as the journal has no more bytes on disk.
    pub keep_bytes: Option<u64>,
}

impl Retention {
    /// Before which receipts blocks may go at `now`, in a journal that has so many bytes on disk;
    /// `None` if none may.
    pub fn received_before(&self, now: Timestamp, journal_bytes: u64) -> Option<Timestamp> {
        let days = |days: u64| Duration::from_secs(days.saturating_mul(86_400));
        let by_age = self.keep_days.map(|it| now.before(days(it)));
        let is_over = self.over_bytes(journal_bytes) > 0;
        by_age.max(is_over.then(|| now.before(WAVES_WHOLE_MIN)))
    }

    /// How many bytes more the journal has than it should.
    pub fn over_bytes(&self, journal_bytes: u64) -> u64 {
        self.keep_bytes.map_or(0, |most| journal_bytes.saturating_sub(most))
    }
}

/// What became of one segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Thinning {
    /// Its blocks gave up their samples.
    Done(Thinned),
    /// Something in it was received then, which is later than the setting says.
    Young(Timestamp),
    /// Not all of it is sealed yet, or a backup began.
    Later,
    /// Too little of it may go, or something is sealed otherwise than it was received; and why
    /// its blocks stay.
    Little(BTreeMap<Stays, u64>),
}

/// Why a segment was not thinned; it is as it was.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it all")]
pub enum ThinningError {
    #[error("the series cannot be read")]
    Series(#[source] DatabaseError),
    #[error("the journal cannot be read")]
    Journal(#[source] ReadError),
    #[error("the segment was not thinned")]
    Thin(#[source] ThinError),
}

/// Lets the samples of one segment go that nobody needs in the journal any more, if all of the
/// segment was received before an instant. `record` makes the note of it durable, and says how
/// the directory is once the engine has come past the note: what was held before it stays. If it
/// says nothing, nothing happens. Blocks for as long as it takes.
pub fn thin_segment(
    (journal, series): (&Journal, &Series),
    directory: &Directory,
    (from, to): (LogOffset, LogOffset),
    (setting, received_before): (Retention, Timestamp),
    record: impl FnOnce(Body) -> Option<Arc<Directory>>,
) -> Result<Thinning, ThinningError> {
    let checkpoint = series.load_checkpoint().map_err(ThinningError::Series)?;
    let checkpoint = checkpoint.map_or(LogOffset::default(), |(offset, _)| offset);
    if to > checkpoint {
        return Ok(Thinning::Later);
    }
    let judge = Judge::new(received_before, directory, checkpoint, to);
    let mut eyes = Eyes { judge, series: series.clone(), windows: Windows::default() };
    let mut found = Found::default();
    for one in journal.replay_between(from, to) {
        let one = one.map_err(ThinningError::Journal)?;
        if one.frame.received_at >= received_before {
            return Ok(Thinning::Young(one.frame.received_at));
        }
        if let Some(looked) = eyes.look(&one).map_err(ThinningError::Series)? {
            found.take(&one, looked);
        }
    }
    if found.stays_whole(to.bytes().saturating_sub(from.bytes())) {
        return Ok(Thinning::Little(found.staying));
    }
    let Found { stubs, whose, .. } = found;
    let mut held = 0_u64;
    let note = |thinned: &Thinned| {
        let Some(now) = record(Body::Thinned(note_of(thinned, setting))) else { return false };
        let judge = Judge::new(received_before, &now, checkpoint, to);
        for _ in whose.iter().filter(|(device, at)| judge.is_held(*device, *at)) {
            held = held.saturating_add(1);
        }
        held == 0
    };
    match journal.thin(from, &stubs, note) {
        // Only what is looked at while a backup begins; it is looked at again.
        Err(ThinError::BackingUp) => Ok(Thinning::Later),
        Err(ThinError::NotRecorded) if held > 0 => {
            Ok(Thinning::Little([(Stays::Held, held)].into()))
        }
        thinned => thinned.map(Thinning::Done).map_err(ThinningError::Thin),
    }
}

/// What was found in a segment.
#[derive(Default)]
struct Found {
    stubs: BTreeMap<LogOffset, Stub>,
    /// Whose blocks these stand for, and when each was received.
    whose: Vec<(DeviceId, Timestamp)>,
    staying: BTreeMap<Stays, u64>,
    /// Bytes of frames that would go.
    saved: u64,
}

impl Found {
    /// Whether a segment of so many bytes stays as it is: too little would go, or something is
    /// wrong, and all that shows it stays.
    fn stays_whole(&self, len: u64) -> bool {
        self.saved.saturating_mul(SAVED_PART_MIN) < len
            || self.staying.keys().any(|why| why.is_fault())
    }

    fn take(&mut self, record: &Record, looked: Looked) {
        if let Some(why) = looked.why {
            let count = self.staying.entry(why).or_default();
            *count = count.saturating_add(1);
            return;
        }
        let Some((block, form)) = looked.block else { return };
        if let Some(stub) = stub_of(&block, &form)
            && let Some(less) = record.frame.body.len().checked_sub(stub.body.len())
            && less > STUB_AROUND_MAX
        {
            self.saved = self.saved.saturating_add(u64::try_from(less).unwrap_or(u64::MAX));
            self.whose.push((block.device, record.frame.received_at));
            self.stubs.insert(record.offset, stub);
        }
    }
}

fn note_of(thinned: &Thinned, setting: Retention) -> ThinnedSegment {
    let Thinned { from, to, entries, bytes_before, bytes, received } = *thinned;
    let (oldest, newest) = received.unwrap_or_default();
    let Retention { keep_days, keep_bytes } = setting;
    let (from, to, blocks) = (from.bytes(), to.bytes(), entries);
    ThinnedSegment { from, to, blocks, bytes_before, bytes, oldest, newest, keep_days, keep_bytes }
}

/// What stands in the place of a block, if that and what is sealed of it make it again.
fn stub_of(block: &WaveBlock, sealed: &SealedForm) -> Option<Stub> {
    let left = left_of(block, &sealed.span.samples)?;
    let (kind, body_version, body) = Body::SealedWave(left).encode();
    Some(Stub { kind, body_version, body })
}

/// What was found of one block.
struct Looked {
    /// Nothing if it cannot be read any more.
    block: Option<(WaveBlock, SealedForm)>,
    sample_bytes: u64,
    /// Why it stays.
    why: Option<Stays>,
}

/// Looks at one block after the other, in the order of the journal.
struct Eyes {
    judge: Judge,
    series: Series,
    windows: Windows,
}

impl Eyes {
    /// Nothing if the record is no waveform block.
    fn look(&mut self, record: &Record) -> Result<Option<Looked>, DatabaseError> {
        let frame = &record.frame;
        if frame.kind != Kinds::WAVE {
            return Ok(None);
        }
        let body = Body::decode(frame.kind, frame.body_version, &frame.body);
        let Ok(Body::Wave(block)) = body else {
            let why = Some(Stays::Unreadable);
            return Ok(Some(Looked { block: None, sample_bytes: 0, why }));
        };
        let form = SealedForm::of(&block, frame.received_at);
        let nothing = Sealed::default();
        let sealed = match form.as_ref().filter(|_| self.judge.is_sealed(record.offset)) {
            Some(form) => self.windows.of(&self.series, frame.org, &block, form.span.at)?,
            None => &nothing,
        };
        let placed = Placed {
            offset: record.offset,
            device: block.device,
            received_at: frame.received_at,
            form: form.as_ref(),
        };
        let why = self.judge.judge(&placed, sealed);
        let sample_bytes = form.as_ref().map_or(0, |it| it.sample_bytes);
        Ok(Some(Looked { block: form.map(|form| (block, form)), sample_bytes, why }))
    }

    /// What speaks against the samples of a block that gave them up being sealed as they were.
    fn look_again(&mut self, record: &Record) -> Result<Option<Stays>, DatabaseError> {
        let frame = &record.frame;
        let body = Body::decode(frame.kind, frame.body_version, &frame.body);
        let Ok(Body::SealedWave(left)) = body else { return Ok(Some(Stays::Unreadable)) };
        let at = start_of(&left.block, frame.received_at);
        let sealed = self.windows.of(&self.series, frame.org, &left.block, at)?;
        Ok(sealed.lacks_of(&left, (at, frame.received_at)))
    }
}

/// What was last read of each channel, as its blocks stand in the journal by their times.
#[derive(Default)]
struct Windows(HashMap<(OrgId, DeviceId, Channel), Window>);

#[derive(Default)]
struct Window {
    from: Timestamp,
    to: Timestamp,
    sealed: Sealed,
}

impl Windows {
    fn of(
        &mut self,
        series: &Series,
        org: OrgId,
        block: &WaveBlock,
        at: Timestamp,
    ) -> Result<&Sealed, DatabaseError> {
        let key = (org, block.device, block.channel.clone());
        if self.0.len() >= WINDOWS_MAX && !self.0.contains_key(&key) {
            self.0.clear();
        }
        let window = self.0.entry(key).or_default();
        if !(window.from..window.to).contains(&at) {
            let (device, channel) = (block.device, block.channel.clone());
            let (from, to) = (at, at.after(WINDOW));
            let asked = series.sealed_waves(&Question { org, device, channel, from, to });
            let sealed = match asked {
                Ok(stretches) => Sealed::Stretches(stretches),
                Err(DatabaseError::Damaged { .. }) => Sealed::Damaged,
                Err(DatabaseError::TooMuch { .. }) => Sealed::Crowded,
                Err(error) => return Err(error),
            };
            *window = Window { from, to, sealed };
        }
        Ok(&window.sealed)
    }
}

#[test]
fn a_segment_with_one_block_that_is_sealed_otherwise_stays_whole() {
    let found = |saved, why| Found { saved, staying: [(why, 1)].into(), ..Found::default() };
    for (saved, why, expected) in [
        (100, Stays::Held, false),
        (99, Stays::Held, true),
        (1_600, Stays::Finer, false),
        (1_600, Stays::Differs, true),
        (1_600, Stays::Missing, true),
        (1_600, Stays::Damaged, true),
    ] {
        assert_eq!(found(saved, why).stays_whole(1_600), expected, "{saved} {why:?}");
    }
}
