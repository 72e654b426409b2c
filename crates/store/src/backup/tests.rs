//! Backups of a real directory, beside a writing journal and without one, damaged everywhere.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use model::{Channel, ClockUsed, DeviceId, Org, OrgId, PartitionId};
use proptest::prelude::*;

use super::*;
use crate::{
    Clock, DataDir, Entry, FileStorage, Journal, JournalLimits, LogOffset, Marks, Noun, Point,
    Question, Record, Records, Row, Series, SeriesKey, replay,
};

const SEGMENT_LEN: u64 = 16 << 10;

fn second(second: u64) -> Timestamp {
    Timestamp::from_unix_millis(1_700_000_000_000).after(Duration::from_secs(second))
}

fn key(secret: u8) -> BackupKey {
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
struct Ward {
    place: tempfile::TempDir,
    clock: Clock,
    journal: Option<Journal>,
    series: Series,
    records: Records,
    lived: u64,
}

impl Ward {
    fn new() -> Self {
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

    fn data(&self) -> PathBuf {
        self.place.path().join("data")
    }

    /// One second: a record, a point, a row, and now and then a checkpoint.
    fn live(&mut self, seconds: u64) {
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

    fn folder(&self) -> BackupFolder {
        BackupFolder::open(&self.place.path().join("backups"), key(1)).unwrap()
    }

    fn back_up(&self) -> Taken {
        let data = self.data();
        let source = Source { root: &data, journal: self.journal.as_ref() };
        self.folder().take(&source, self.clock.now(), &mut |_| {}).unwrap()
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

    fn restore(
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

fn records_of(root: &Path) -> Vec<Record> {
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
    series.query(&question).unwrap().iter().map(|it| it.items.len()).sum()
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
