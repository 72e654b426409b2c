//! Backups of a real directory, beside a writing journal and without one, damaged everywhere.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use model::{Channel, ClockUsed, DeviceId, Org, OrgId, PartitionId};
use proptest::prelude::*;

use super::*;
use crate::{
    Clock, DataDir, Entry, FileStorage, Journal, JournalLimits, LogOffset, Marks, Noun, Point,
    Question, Record, Records, Row, Series, SeriesKey, Stub, replay,
};

const SEGMENT_LEN: u64 = 16 << 10;

pub(super) fn second(second: u64) -> Timestamp {
    Timestamp::from_unix_millis(1_700_000_000_000).after(Duration::from_secs(second))
}

pub(super) fn key(secret: u8) -> BackupKey {
    BackupKey::of(&[secret; 32]).unwrap()
}

fn org() -> OrgId {
    OrgId::v7(second(0), 1)
}

fn entry(at: Timestamp, number: u64) -> Entry {
    Entry {
        kind: 3_000,
        body_version: 1,
        org: org(),
        partition: PartitionId::v7(second(0), 2),
        received_at: at,
        key_id: 0,
        body: (0..300).map(|byte| (number * 7 + byte) as u8).collect(),
    }
}

/// A data directory with its journal open, a series and records.
pub(super) struct Ward {
    pub(super) place: tempfile::TempDir,
    pub(super) clock: Clock,
    pub(super) journal: Option<Journal>,
    series: Series,
    records: Records,
    lived: u64,
}

impl Ward {
    pub(super) fn new() -> Self {
        let place = tempfile::tempdir().unwrap();
        let dir = DataDir::open(place.path().join("data")).unwrap();
        fs::create_dir(dir.path().join("keys")).unwrap();
        fs::write(dir.path().join("keys/ca.key"), "secret").unwrap();
        let clock = Clock::manual(second(0));
        let limits = JournalLimits { segment_len: SEGMENT_LEN, ..JournalLimits::default() };
        let storage = FileStorage::open(&dir).unwrap();
        let (journal, _) = Journal::open(storage, clock.clone(), limits).unwrap();
        let series = Series::open(dir.series()).unwrap();
        let records = Records::open(&dir.records()).unwrap();
        Self { place, clock, journal: Some(journal), series, records, lived: 0 }
    }

    pub(super) fn data(&self) -> PathBuf {
        self.place.path().join("data")
    }

    /// One second: a record, a point, a row, and now and then a checkpoint.
    pub(super) fn live(&mut self, seconds: u64) {
        let journal = self.journal.clone().unwrap();
        for _ in 0..seconds {
            self.lived += 1;
            let (now, number) = (second(self.lived), self.lived);
            self.clock.advance_to(now);
            journal.append(vec![entry(now, number)]).wait().unwrap();
            let key = SeriesKey {
                org: org(),
                device: DeviceId::v7(second(0), 3),
                channel: Channel::from("HR"),
                kind: None,
                ucum: "/min".into(),
            };
            let marks = Marks { clock: ClockUsed::Device, age_known: true, late: false };
            let value = Ok((i64::try_from(number).unwrap(), 0));
            let point = Point { at: now, received_at: now, value, marks };
            let _ = self.series.push(self.series.series(&key), point);
            let noun = Noun::Org(Org { id: org(), name: format!("ward {number}") });
            let row = Row { org: org(), offset: journal.end(), index: 0, known_at: now, noun };
            self.records.apply(&[row]).unwrap();
            if number % 10 == 0 {
                self.series.seal(journal.end(), b"state").unwrap();
            }
        }
    }

    pub(super) fn folder(&self) -> BackupFolder {
        BackupFolder::open(&self.place.path().join("backups"), key(1)).unwrap()
    }

    pub(super) fn back_up(&self) -> Taken {
        let data = self.data();
        let source = Source { root: &data, journal: self.journal.as_ref() };
        self.folder().take(&source, self.clock.now(), &mut |_| {}).unwrap()
    }

    /// The directory as it was at a moment goes on by itself, and is backed up to the same place.
    pub(super) fn goes_another_way(&self, from: Timestamp, at: Timestamp) -> PathBuf {
        let (root, _) = self.restore("another-way", Some(from)).unwrap();
        let dir = DataDir::open(&root).unwrap();
        let limits = JournalLimits { segment_len: SEGMENT_LEN, ..JournalLimits::default() };
        let storage = FileStorage::open(&dir).unwrap();
        let (journal, _) = Journal::open(storage, Clock::manual(from), limits).unwrap();
        for number in 0..60 {
            let now = from.after(Duration::from_secs(number));
            journal.append(vec![entry(now, 1_000 + number)]).wait().unwrap();
        }
        let source = Source { root: &root, journal: Some(&journal) };
        self.folder().take(&source, at, &mut |_| {}).unwrap();
        journal.close();
        root
    }

    fn rehearse(&self) -> Result<Rehearsed, BackupError> {
        let folder = self.folder();
        let newest = folder.list().unwrap().pop().unwrap();
        folder.rehearse(&newest, &self.place.path().join("rehearsal"), second(9_999), &mut |_| {})
    }

    fn rehearse_below(&self) -> Result<Rehearsed, BackupError> {
        let folder = self.folder();
        let newest = folder.list().unwrap().pop().unwrap();
        folder.rehearse_below(&newest, &self.data(), second(9_999), &mut |_| {})
    }

    pub(super) fn restore(
        &self,
        name: &str,
        at: Option<Timestamp>,
    ) -> Result<(PathBuf, Restored), BackupError> {
        let target = self.place.path().join(name);
        let restored = self.folder().restore(&target, at, &mut |_| {})?;
        Ok((target, restored))
    }

    fn objects(&self) -> BTreeSet<PathBuf> {
        let shelves = fs::read_dir(self.place.path().join("backups/objects")).unwrap();
        let files = shelves.flat_map(|shelf| fs::read_dir(shelf.unwrap().path()).unwrap());
        files.map(|file| file.unwrap().path()).collect()
    }
}

pub(super) fn records_of(root: &Path) -> Vec<Record> {
    let storage = FileStorage::folder(root.join("journal")).unwrap();
    replay(Arc::new(storage), LogOffset::default()).unwrap().map(Result::unwrap).collect()
}

fn points_of(root: &Path) -> usize {
    let series = Series::open(root.join("series/series.sqlite")).unwrap();
    let question = Question {
        org: org(),
        device: DeviceId::v7(second(0), 3),
        channel: Channel::from("HR"),
        from: second(0),
        to: second(1_000_000),
    };
    series.query(&question).unwrap().stretches.iter().map(|it| it.items.len()).sum()
}

#[test]
fn a_backup_beside_a_running_server_is_restored_as_it_was() {
    let mut ward = Ward::new();
    ward.live(105);
    let taken = ward.back_up();
    let live = records_of(&ward.data());
    ward.live(5);
    let rehearsed = ward.rehearse().unwrap();
    assert_eq!((rehearsed.frames, rehearsed.files), (105, taken.manifest.files.len()));
    assert_eq!(ward.folder().last_rehearsal(), Some((second(9_999), second(105))));
    assert!(!ward.place.path().join("rehearsal").exists());
    let (root, restored) = ward.restore("again", None).unwrap();
    assert_eq!((restored.taken_at, restored.has_derived), (second(105), true));
    assert_eq!(records_of(&root), live);
    assert_eq!(points_of(&root), 100);
    assert_eq!(fs::read_to_string(root.join("keys/ca.key")).unwrap(), "secret");
    let dir = DataDir::open(&root).unwrap();
    assert!(crate::verify(&dir).unwrap().is_sound());
    // It takes up where it was: every number goes on, and the segments are as long as before.
    let limits = JournalLimits { segment_len: SEGMENT_LEN, ..JournalLimits::default() };
    let storage = FileStorage::open(&dir).unwrap();
    let (journal, recovery) = Journal::open(storage, Clock::manual(second(200)), limits).unwrap();
    assert_eq!((recovery.torn, recovery.end), (None, restored.end));
    for number in 0..100 {
        journal.append(vec![entry(second(200), number)]).wait().unwrap();
    }
    journal.close();
    assert_eq!(records_of(&root).len(), 205);
}

#[test]
fn only_what_is_new_is_written_again_and_without_a_server_nothing() {
    let mut ward = Ward::new();
    ward.live(400);
    let first = ward.back_up();
    assert!(first.new_blocks > 10 && first.new_bytes <= first.manifest.bytes());
    ward.live(1);
    let second_one = ward.back_up();
    assert!(second_one.new_blocks < first.new_blocks / 2, "{second_one:?}");
    ward.journal.take().unwrap().close();
    ward.clock.advance_to(second(500));
    let third = ward.back_up();
    assert_eq!((third.new_blocks, third.new_bytes), (0, 0), "{third:?}");
    assert_eq!(ward.folder().list().unwrap().len(), 3);
}

#[test]
fn a_whole_segment_is_taken_from_the_backup_before_and_another_one_of_its_place_is_read() {
    let place = tempfile::tempdir().unwrap();
    let dir = DataDir::open(place.path().join("data")).unwrap();
    let limits = JournalLimits { segment_len: 4 << 20, ..JournalLimits::default() };
    let storage = FileStorage::open(&dir).unwrap();
    let (journal, _) = Journal::open(storage, Clock::manual(second(0)), limits).unwrap();
    for number in 0..120 {
        let body = vec![number as u8; 64 << 10];
        journal.append(vec![Entry { body, ..entry(second(number), number) }]).wait().unwrap();
    }
    let folder = BackupFolder::open(&place.path().join("backups"), key(1)).unwrap();
    let source = Source { root: dir.path(), journal: Some(&journal) };
    let take = |at| folder.take(&source, at, &mut |_| {}).unwrap();
    let first = take(second(200));
    let segment = first.manifest.files[0].clone();
    assert!(segment.path.starts_with("journal/") && segment.blocks.len() >= 3, "{segment:?}");
    assert!(segment.used < journal.end().bytes(), "it is whole");
    let path = dir.path().join(&segment.path);
    let whole = fs::read(&path).unwrap();
    let spoilt = |at: usize| {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        fs::write(&path, bytes).unwrap();
    };
    // In the middle nobody looks; each end is compared, and then all of it is read.
    let last = usize::try_from(segment.used).unwrap() - 1;
    for (number, (at, is_read)) in
        [(3 << 19, false), (0, true), (last, true), (last + 1, false)].into_iter().enumerate()
    {
        spoilt(at);
        let next = take(second(201 + number as u64));
        assert_eq!(next.manifest.files[0] != segment, is_read, "byte {at}");
        fs::write(&path, &whole).unwrap();
        assert_eq!(take(second(300 + number as u64)).manifest.files[0], segment);
    }
    // An object that is gone is written again.
    let name = segment.names().nth(1).flatten().unwrap();
    fs::remove_file(place.path().join("backups").join(object(name))).unwrap();
    let next = take(second(400));
    assert_eq!((next.new_blocks, &next.manifest.files[0]), (1, &segment));
    journal.close();
}

#[test]
fn a_thinned_segment_is_kept_as_it_is_and_no_journal_ends_inside_of_it() {
    let mut ward = Ward::new();
    ward.live(400);
    let before = ward.back_up();
    let whole = records_of(&ward.data());
    let journal = ward.journal.clone().unwrap();
    let (from, to) = journal.thinnable().unwrap()[0];
    let inside: Vec<_> = whole.iter().filter(|it| it.offset > from && it.offset <= to).collect();
    let stub = || Stub { kind: 3_001, body_version: 1, body: b"short".to_vec() };
    let stubs = inside.iter().map(|it| (it.offset, stub())).collect();
    journal.thin(from, &stubs, |_| true).unwrap();
    let thinned = records_of(&ward.data());
    assert!(thinned != whole && thinned.len() == whole.len());
    ward.live(1);
    let taken = ward.back_up();
    assert!(taken.manifest.files.iter().any(|file| file.path.ends_with(".thin")));
    assert!(before.manifest.files.iter().all(|file| !file.path.ends_with(".thin")));
    ward.rehearse().unwrap();
    let (root, _) = ward.restore("again", None).unwrap();
    assert_eq!(records_of(&root), records_of(&ward.data()));
    // Behind it a journal can end; for a moment in it only the backup from before will do.
    let later = second(399);
    let (root, _) = ward.restore("later", Some(later)).unwrap();
    assert!(records_of(&root).iter().all(|it| it.frame.received_at <= later));
    let within = inside[inside.len() / 2].frame.received_at;
    let (root, _) = ward.restore("within", Some(within)).unwrap();
    assert_eq!(records_of(&root).last().unwrap().frame.received_at, within);
    let folder = ward.folder();
    let first = folder.list().unwrap().remove(0);
    fs::remove_file(ward.place.path().join("backups").join(first.place())).unwrap();
    let refused = ward.restore("refused", Some(within)).unwrap_err();
    assert!(refused.to_string().contains("was thinned"), "{refused}");
}

/// Thins all that is long over, and says what came of it.
fn thin_all(journal: &Journal, spans: &[(LogOffset, LogOffset)]) -> Vec<bool> {
    let stub = || Stub { kind: 3_001, body_version: 1, body: b"short".to_vec() };
    let thin = |(from, to): &(LogOffset, LogOffset)| {
        let records = journal.replay_between(*from, *to).map(Result::unwrap);
        let stubs = records.map(|it| (it.offset, stub())).collect();
        journal.thin(*from, &stubs, |_| true).is_ok()
    };
    spans.iter().map(thin).collect()
}

#[test]
fn nothing_is_thinned_between_the_copy_of_the_series_and_that_of_the_journal() {
    let mut ward = Ward::new();
    ward.live(155);
    let (folder, data, journal) = (ward.folder(), ward.data(), ward.journal.clone().unwrap());
    let source = Source { root: &data, journal: Some(&journal) };
    // The series are copied by then; a server seals on, and would thin what they do not have.
    let (mut calls, mut thinned, mut spans) = (0, Vec::new(), Vec::new());
    let mut tell = |_: u64| {
        calls += 1;
        if calls == 1 {
            ward.live(300);
            assert_eq!(journal.thinnable().unwrap(), []);
            let segments = journal.segments().unwrap();
            let starts = segments.windows(2).map(|two| (two[0].start, two[1].start));
            spans = starts.take(segments.len() - crate::limits::SEGMENTS_WHOLE_MIN).collect();
            thinned = thin_all(&journal, &spans);
        }
    };
    let taken = folder.take(&source, second(500), &mut tell).unwrap();
    assert!(thinned.len() >= 3 && thinned.iter().all(|it| !it), "{thinned:?}");
    assert!(taken.manifest.files.iter().all(|file| !file.path.ends_with(".thin")));
    assert!(taken.manifest.checkpoint() < Some(spans[spans.len() - 1].1), "{taken:?}");
    ward.rehearse().unwrap();
    // Afterwards it goes on.
    assert_eq!(journal.thinnable().unwrap(), spans);
    assert!(thin_all(&journal, &spans).iter().all(|it| *it));
}

#[test]
fn series_that_end_before_what_was_thinned_are_refused_wherever_they_come_from() {
    let mut ward = Ward::new();
    ward.live(100);
    let old = ward.back_up().manifest;
    let mut standby = Standby::open(&ward.place.path().join("standby"), &key(1)).unwrap();
    ward.live(300);
    let journal = ward.journal.clone().unwrap();
    let spans = journal.thinnable().unwrap();
    assert!(thin_all(&journal, &spans).iter().all(|it| *it));
    let whole = ward.back_up().manifest;
    assert_eq!(whole.whole_from(), spans[spans.len() - 1].1);
    let (root, _) = ward.restore("whole", None).unwrap();
    let thinned = spans[spans.len() - 1].1;
    // Put back alone from an older backup.
    let (older, _) = ward.restore("older", Some(old.taken_at())).unwrap();
    fs::copy(older.join("series/series.sqlite"), root.join("series/series.sqlite")).unwrap();
    let dir = DataDir::open(&root).unwrap();
    let lack = Lack::Samples { checkpoint: old.checkpoint().unwrap(), thinned };
    assert_eq!(crate::verify(&dir).unwrap().lacks, [lack]);
    assert_eq!(crate::lacks(&dir).unwrap(), [lack]);
    let source = Source { root: &root, journal: None };
    let folder = ward.folder();
    let is_refused = |refused: BackupError| {
        assert!(matches!(refused, BackupError::NotWhole { lack: it, .. } if it == lack));
    };
    is_refused(folder.take(&source, second(600), &mut |_| {}).unwrap_err());
    // One that was taken all the same.
    let series = |it: &Manifest| it.files.iter().find(|it| it.path.starts_with("series/")).cloned();
    let files = whole.files.iter().filter(|it| !it.path.starts_with("series/")).cloned();
    let files = files.chain(series(&old)).collect();
    let journal = (whole.journal_begins(), whole.journal_ends());
    let lacking = Manifest::new(second(600), journal, old.checkpoint(), files);
    folder.put_manifest(&lacking).unwrap();
    is_refused(ward.rehearse().unwrap_err());
    is_refused(ward.restore("lacking", None).unwrap_err());
    is_refused(standby.follow(&folder, &mut |_| {}).unwrap_err());
    assert_eq!(standby.taken_at(), None);
    // And without any series at all.
    fs::remove_file(root.join("series/series.sqlite")).unwrap();
    assert_eq!(crate::verify(&dir).unwrap().lacks, [Lack::Series { thinned }]);
}

#[test]
fn a_state_from_before_what_was_thinned_is_not_gone_on_from() {
    let mut ward = Ward::new();
    ward.live(100);
    ward.back_up();
    ward.live(290);
    let journal = ward.journal.clone().unwrap();
    let stub = || Stub { kind: 3_001, body_version: 1, body: b"short".to_vec() };
    for (from, to) in journal.thinnable().unwrap() {
        let records = journal.replay_between(from, to).map(Result::unwrap);
        let stubs = records.map(|it| (it.offset, stub())).collect();
        journal.thin(from, &stubs, |_| true).unwrap();
    }
    ward.live(10);
    // Its rows and series would lack what was thinned since.
    ward.back_up();
    let refused = ward.restore("lacking", Some(second(395))).unwrap_err();
    assert!(refused.to_string().contains("was thinned"), "{refused}");
    ward.live(10);
    ward.back_up();
    let (root, restored) = ward.restore("whole", Some(second(405))).unwrap();
    assert!(restored.has_derived);
    assert_eq!(points_of(&root), 400);
}

#[test]
fn a_backup_that_was_cut_short_is_none_and_its_blocks_are_used() {
    let mut ward = Ward::new();
    ward.live(50);
    ward.back_up();
    let manifests = ward.place.path().join("backups/backups");
    for entry in fs::read_dir(&manifests).unwrap() {
        fs::remove_file(entry.unwrap().path()).unwrap();
    }
    let half = ward.objects().pop_first().unwrap();
    fs::write(half.with_extension("unfinished"), "half").unwrap();
    fs::write(&half, "half").unwrap();
    assert_eq!(ward.folder().newest().unwrap(), None);
    assert!(matches!(ward.restore("again", None), Err(BackupError::None { .. })));
    assert_eq!(ward.back_up().new_blocks, 1);
    ward.rehearse().unwrap();
}

/// What a restore names as missing or damaged; nothing if it did not refuse for that.
fn problems_of<T: std::fmt::Debug>(restored: Result<T, BackupError>) -> Vec<String> {
    match restored.unwrap_err() {
        BackupError::Damaged { problems } => problems,
        _ => Vec::new(),
    }
}

#[test]
fn every_object_that_is_missing_or_damaged_is_named_before_anything_is_changed() {
    let mut ward = Ward::new();
    ward.live(60);
    let taken = ward.back_up();
    let objects = ward.objects();
    assert_eq!(objects.len() as u64, taken.new_blocks);
    for (number, object) in objects.iter().enumerate() {
        let whole = fs::read(object).unwrap();
        let mut damaged = whole.clone();
        damaged[number * 31 % whole.len()] ^= 0x10;
        fs::write(object, damaged).unwrap();
        let problems = problems_of(ward.restore("again", None));
        assert!(problems[0].contains("changed or cut short"), "{problems:?}");
        fs::remove_file(object).unwrap();
        let problems = problems_of(ward.restore("again", None));
        assert!(problems[0].ends_with("the object is missing"), "{problems:?}");
        assert!(!ward.place.path().join("again").exists());
        assert!(!ward.place.path().join("again.restoring").exists());
        fs::write(object, whole).unwrap();
    }
    ward.restore("again", None).unwrap();
}

#[test]
fn what_a_rehearsal_finds_damaged_the_next_backup_writes_again() {
    let mut ward = Ward::new();
    ward.live(30);
    ward.back_up();
    let object = ward.objects().pop_last().unwrap();
    let mut bytes = fs::read(&object).unwrap();
    bytes[9] ^= 1;
    fs::write(&object, bytes).unwrap();
    assert!(matches!(ward.rehearse(), Err(BackupError::Damaged { .. })));
    assert_eq!(ward.folder().last_rehearsal(), None);
    ward.clock.advance_to(second(31));
    assert_eq!(ward.back_up().new_blocks, 1);
    ward.rehearse().unwrap();
}

#[test]
fn what_cannot_be_read_now_stays_where_it_is_and_only_what_is_damaged_is_put_aside() {
    let mut ward = Ward::new();
    ward.live(30);
    ward.back_up();
    let mut objects = ward.objects();
    let (unread, damaged) = (objects.pop_first().unwrap(), objects.pop_last().unwrap());
    let kept = unread.with_extension("kept");
    // Reading a folder fails as reading a disk does: with an error, and without a byte.
    fs::rename(&unread, &kept).unwrap();
    fs::create_dir(&unread).unwrap();
    let mut bytes = fs::read(&damaged).unwrap();
    bytes[9] ^= 1;
    fs::write(&damaged, bytes).unwrap();
    let problems = problems_of(ward.rehearse());
    assert!(problems.iter().any(|it| it.contains("cannot be read now: ")), "{problems:?}");
    assert!(unread.exists() && !unread.with_extension("damaged").exists());
    assert!(!damaged.exists() && damaged.with_extension("damaged").exists());
    fs::remove_dir(&unread).unwrap();
    fs::rename(&kept, &unread).unwrap();
    ward.clock.advance_to(second(31));
    assert_eq!(ward.back_up().new_blocks, 1);
    ward.rehearse().unwrap();
}

#[test]
fn a_backup_whose_file_has_another_time_than_it_says_is_none() {
    let mut ward = Ward::new();
    ward.live(3);
    ward.back_up();
    let folder = ward.folder();
    let listed = folder.list().unwrap().pop().unwrap();
    let later = Listed { at: second(9), ..listed.clone() };
    let manifests = ward.place.path().join("backups/backups");
    fs::rename(manifests.join(listed.file()), manifests.join(later.file())).unwrap();
    let refused = folder.manifest(&later).unwrap_err();
    assert!(refused.to_string().contains("its file was renamed"), "{refused}");
    for at in [None, Some(second(2))] {
        let refused = ward.restore("again", at).unwrap_err();
        assert!(matches!(refused, BackupError::Manifest { .. }), "{refused}");
    }
}

#[test]
fn a_key_whose_name_no_manifest_can_hold_is_refused_and_not_left_out() {
    use std::os::unix::ffi::OsStrExt as _;
    let mut ward = Ward::new();
    ward.live(3);
    let keys = ward.data().join("keys");
    fs::create_dir_all(&keys).unwrap();
    let odd = keys.join(std::ffi::OsStr::from_bytes(b"ca\xff.key"));
    fs::write(&odd, "secret").unwrap();
    let (folder, data) = (ward.folder(), ward.data());
    let source = Source { root: &data, journal: ward.journal.as_ref() };
    let refused = folder.take(&source, second(31), &mut |_| {}).unwrap_err();
    assert!(matches!(&refused, BackupError::Io { path, .. } if *path == odd), "{refused}");
    fs::rename(&odd, keys.join("ca.key")).unwrap();
    let taken = folder.take(&source, second(31), &mut |_| {}).unwrap();
    assert!(taken.manifest.files.iter().any(|file| file.path == "keys/ca.key"));
}

#[test]
fn nothing_is_backed_up_rehearsed_or_thinned_out_where_the_disk_of_backups_was_unmounted() {
    let mut ward = Ward::new();
    ward.live(3);
    ward.back_up();
    let (folder, data) = (ward.folder(), ward.data());
    let listed = folder.list().unwrap().pop().unwrap();
    let backups = ward.place.path().join("backups");
    // What is left is the empty folder in which the disk was.
    fs::rename(&backups, ward.place.path().join("unmounted")).unwrap();
    fs::create_dir(&backups).unwrap();
    let is_gone = |error| matches!(error, BackupError::Gone { .. });
    let source = Source { root: &data, journal: ward.journal.as_ref() };
    assert!(is_gone(folder.take(&source, second(9), &mut |_| {}).unwrap_err()));
    assert!(is_gone(folder.prune(Keep { daily: 1, ..Keep::default() }, &ward.clock).unwrap_err()));
    assert!(is_gone(folder.rehearse_below(&listed, &data, second(9), &mut |_| {}).unwrap_err()));
    assert_eq!(fs::read_dir(&backups).unwrap().count(), 0);
    // Or a disk with other backups.
    fs::write(backups.join("KEY"), key(2).id()).unwrap();
    assert!(is_gone(folder.take(&source, second(9), &mut |_| {}).unwrap_err()));
    fs::remove_dir_all(&backups).unwrap();
    fs::rename(ward.place.path().join("unmounted"), &backups).unwrap();
    folder.take(&source, second(9), &mut |_| {}).unwrap();
}

#[test]
fn a_manifest_is_read_up_to_its_longest_and_none_beyond_it() {
    let mut ward = Ward::new();
    ward.live(3);
    ward.back_up();
    let folder = ward.folder();
    let listed = folder.list().unwrap().pop().unwrap();
    let path = ward.place.path().join("backups/backups").join(listed.file());
    let refused = |len: u64| {
        fs::File::options().write(true).open(&path).unwrap().set_len(len).unwrap();
        folder.manifest(&listed).unwrap_err().to_string()
    };
    for (len, is_read) in
        [(MANIFEST_LEN_MAX - 1, true), (MANIFEST_LEN_MAX, true), (MANIFEST_LEN_MAX + 1, false)]
    {
        // Zeros at its end break the seal of whatever is read.
        let why = refused(len);
        assert_eq!(!why.ends_with(&format!("it has {len} bytes")), is_read, "{len}: {why}");
    }
}

#[test]
fn neither_a_backup_nor_a_rehearsal_fills_the_disk() {
    let mut ward = Ward::new();
    ward.live(30);
    ward.back_up();
    let mut folder = ward.folder();
    folder.reserve = u64::MAX / 2;
    let data = ward.data();
    let source = Source { root: &data, journal: ward.journal.as_ref() };
    let refused = folder.take(&source, second(31), &mut |_| {}).unwrap_err();
    assert!(matches!(refused, BackupError::NoRoom { .. }), "{refused}");
    assert!(refused.to_string().contains("make room on that disk"), "{refused}");
    let newest = folder.list().unwrap().pop().unwrap();
    let refused = folder.rehearse_below(&newest, &data, second(31), &mut |_| {}).unwrap_err();
    assert!(matches!(refused, BackupError::NoRoom { .. }), "{refused}");
    for left in ["backing-up", "rehearsal", "rehearsal.restoring"] {
        assert!(!data.join(left).exists(), "{left}");
    }
    folder.reserve = BACKUP_RESERVE_LEN;
    folder.rehearse_below(&newest, &data, second(31), &mut |_| {}).unwrap();
}

#[test]
fn what_was_cut_short_by_the_end_of_the_program_is_cleared_away() {
    let place = tempfile::tempdir().unwrap();
    let dir = DataDir::open(place.path()).unwrap();
    clear_leftovers(&dir).unwrap();
    let left = ["backing-up", "rehearsal", "rehearsal.restoring"].map(|it| dir.path().join(it));
    for folder in &left {
        fs::create_dir(folder).unwrap();
        fs::write(folder.join("copy"), "half").unwrap();
    }
    clear_leftovers(&dir).unwrap();
    assert!(left.iter().all(|it| !it.exists()) && dir.journal().exists());
}

#[test]
fn places_that_are_not_for_it_are_refused() {
    let mut ward = Ward::new();
    ward.live(3);
    ward.back_up();
    let folder = ward.place.path().join("backups");
    let refused = BackupFolder::open(&folder, key(2)).unwrap_err();
    assert!(matches!(refused, BackupError::OtherKey { .. }), "{refused}");
    let refused = BackupFolder::open(&ward.data(), key(1)).unwrap_err();
    assert!(matches!(refused, BackupError::Foreign { .. }), "{refused}");
    let target = ward.place.path().join("mine");
    fs::create_dir(&target).unwrap();
    ward.restore("mine", None).unwrap();
    assert!(matches!(ward.restore("mine", None), Err(BackupError::NotEmpty { .. })));
    // What an interrupted restore left is no obstacle.
    let left = ward.place.path().join("new.restoring");
    fs::create_dir(&left).unwrap();
    fs::write(left.join("half"), "half").unwrap();
    let (root, _) = ward.restore("new", None).unwrap();
    assert!(!root.join("half").exists() && !left.exists());
}

#[test]
fn what_an_interrupted_rehearsal_or_first_opening_left_is_in_nobodys_way() {
    let mut ward = Ward::new();
    ward.live(3);
    let backups = ward.place.path().join("backups");
    fs::create_dir(&backups).unwrap();
    fs::write(backups.join("KEY.unfinished"), "ha").unwrap();
    ward.back_up();
    for left in ["rehearsal", "rehearsal.restoring"] {
        fs::create_dir(ward.data().join(left)).unwrap();
        fs::write(ward.data().join(left).join("half"), "half").unwrap();
    }
    ward.rehearse_below().unwrap();
    assert!(!ward.data().join("rehearsal").exists());
    // A place that somebody chose is not cleared for them.
    fs::create_dir(ward.place.path().join("rehearsal")).unwrap();
    fs::write(ward.place.path().join("rehearsal/thesis"), "years of work").unwrap();
    assert!(matches!(ward.rehearse(), Err(BackupError::NotEmpty { .. })));
}

#[test]
fn a_moment_before_the_first_record_is_not_kept() {
    let mut ward = Ward::new();
    ward.live(3);
    ward.back_up();
    let refused = ward.restore("early", Some(second(0))).unwrap_err();
    assert!(matches!(refused, BackupError::NotKept { .. }), "{refused}");
    assert!(!ward.place.path().join("early.restoring").exists());
}

#[test]
fn a_restore_to_the_moment_of_a_backup_has_nothing_that_arrived_while_it_was_taken() {
    let mut ward = Ward::new();
    ward.live(25);
    ward.back_up();
    let (folder, data, journal) = (ward.folder(), ward.data(), ward.journal.clone());
    ward.live(5);
    let at = ward.clock.now();
    let expected = records_of(&data);
    let source = Source { root: &data, journal: journal.as_ref() };
    // The series are copied by then, and the records are not.
    folder.take(&source, at, &mut |_| ward.live(1)).unwrap();
    let (root, restored) = ward.restore("then", Some(at)).unwrap();
    assert_eq!(records_of(&root), expected);
    assert!(!restored.has_derived, "{restored:?}");
    assert!(!root.join("records.sqlite").exists() && points_of(&root) == 0);
    // Once the journal reaches past the copy, its rows and series are of no later time.
    ward.live(1);
    ward.back_up();
    let (root, restored) = ward.restore("now", Some(ward.clock.now())).unwrap();
    assert!(restored.has_derived && points_of(&root) > 0, "{restored:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]
    #[test]
    fn a_restore_to_a_moment_holds_what_was_received_until_then(
        spans in proptest::collection::vec(1_u64..70, 1..4),
        moments in proptest::collection::vec((0_u64..200, 0_u64..2), 1..4),
    ) {
        let mut ward = Ward::new();
        let mut first = None;
        for span in spans {
            ward.live(span);
            first.get_or_insert(ward.back_up().manifest);
        }
        let all = records_of(&ward.data());
        for (number, (at, half)) in moments.into_iter().enumerate() {
            let at = second(1 + at % ward.lived).after(Duration::from_millis(500 * half));
            let (root, restored) = ward.restore(&format!("at-{number}"), Some(at)).unwrap();
            let expected: Vec<_> =
                all.iter().filter(|it| it.frame.received_at <= at).cloned().collect();
            prop_assert_eq!(&records_of(&root), &expected);
            // Derived state is of the same moment or before, and used if there is any.
            if let Some(first) = first.as_ref().filter(|it| it.checkpoint().is_some()) {
                prop_assert_eq!(restored.has_derived, at >= first.taken_at());
            }
            if restored.has_derived {
                prop_assert!(points_of(&root) <= expected.len());
                let applied = Records::open(&root.join("records.sqlite")).unwrap().applied().unwrap();
                prop_assert!(applied <= restored.end);
            }
            let dir = DataDir::open(&root).unwrap();
            prop_assert!(crate::verify(&dir).unwrap().is_sound());
        }
    }
}

#[test]
fn rows_and_series_of_a_journal_that_went_another_way_are_not_taken() {
    let mut ward = Ward::new();
    ward.live(30);
    ward.back_up();
    ward.live(10);
    ward.back_up();
    let root = ward.goes_another_way(second(20), second(100));
    let (mixed, restored) = ward.restore("mixed", Some(second(90))).unwrap();
    assert_eq!(records_of(&mixed), records_of(&root));
    assert!(!restored.has_derived && points_of(&mixed) == 0, "{restored:?}");
    assert!(!mixed.join("records.sqlite").exists());
    // The way that was left is whole as well.
    let (first, restored) = ward.restore("first", Some(second(35))).unwrap();
    assert!(restored.has_derived);
    assert_eq!(records_of(&first).len(), 35);
}

#[test]
fn a_backup_that_is_taken_later_is_the_newest_whatever_a_clock_said_before() {
    let mut ward = Ward::new();
    ward.live(10);
    let (folder, data) = (ward.folder(), ward.data());
    let source = Source { root: &data, journal: ward.journal.as_ref() };
    let ahead = folder.take(&source, second(90_000), &mut |_| {}).unwrap();
    assert_eq!(ahead.listed.at, second(90_000));
    ward.live(10);
    let right = ward.back_up();
    assert_eq!(right.listed.at, second(90_000).after(Duration::from_millis(1)));
    assert_eq!(folder.list().unwrap().last(), Some(&right.listed));
    assert_eq!(folder.newest().unwrap(), Some(right.manifest));
    let (root, _) = ward.restore("again", None).unwrap();
    assert_eq!(records_of(&root).len(), 20);

    // Nothing is deleted by dates that are wrong; once they have come they are right.
    let keep = Keep { daily: 1, ..Keep::default() };
    for (now, is_ahead) in [(second(20), true), (second(89_940), true), (second(89_941), false)] {
        assert_eq!(BackupFolder::is_ahead(right.listed.at, now), is_ahead);
        let refused = matches!(
            folder.prune(keep, &Clock::manual(now)),
            Err(BackupError::Ahead { at, .. }) if at == right.listed.at
        );
        assert_eq!(
            (refused, folder.list().unwrap().len()),
            (is_ahead, if is_ahead { 2 } else { 1 })
        );
    }
}
