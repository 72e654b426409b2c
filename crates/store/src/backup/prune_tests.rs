//! Thinning out, against a list of days that is counted off by hand, with an end at any step.

use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use proptest::prelude::*;

use super::*;
use crate::{Clock, LogOffset};

const DAY_MS: i64 = 86_400_000;

/// A place in memory, which breaks off after so many changes.
#[derive(Clone, Debug)]
struct Memory {
    things: Arc<Mutex<BTreeMap<String, Vec<u8>>>>,
    changes_left: Arc<AtomicI64>,
}

impl Memory {
    fn new() -> Self {
        Self { things: Arc::default(), changes_left: Arc::new(AtomicI64::new(i64::MAX)) }
    }

    fn breaks_after(&self, changes: i64) {
        self.changes_left.store(changes, Ordering::Relaxed);
    }

    fn change(&self) -> io::Result<()> {
        match self.changes_left.fetch_sub(1, Ordering::Relaxed) {
            left if left > 0 => Ok(()),
            _ => Err(io::Error::other("broke off")),
        }
    }

    fn names(&self, part: &str) -> Vec<String> {
        let things = self.things.lock().unwrap();
        things.keys().filter(|name| name.starts_with(part)).cloned().collect()
    }
}

impl BackupPlace for Memory {
    fn address(&self) -> PathBuf {
        "memory".into()
    }

    fn is_unused(&self) -> io::Result<bool> {
        Ok(self.things.lock().unwrap().is_empty())
    }

    fn get(&self, name: &str, _: u64) -> io::Result<Vec<u8>> {
        let things = self.things.lock().unwrap();
        things.get(name).cloned().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn put(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        self.change()?;
        self.things.lock().unwrap().insert(name.to_owned(), bytes.to_vec());
        Ok(())
    }

    fn list(&self, part: &str) -> io::Result<Vec<Stored>> {
        let things = self.things.lock().unwrap();
        let below = things.iter().filter(|(name, _)| name.starts_with(part));
        Ok(below
            .map(|(name, bytes)| Stored { name: name.clone(), len: bytes.len() as u64 })
            .collect())
    }

    fn delete(&self, name: &str) -> io::Result<()> {
        self.change()?;
        self.things.lock().unwrap().remove(name);
        Ok(())
    }

    fn settle(&self, _: &str) -> io::Result<()> {
        Ok(())
    }
}

fn at(millis: i64) -> Timestamp {
    Timestamp::from_unix_millis(millis)
}

fn open(memory: &Memory) -> BackupFolder {
    let key = BackupKey::of(&[1; 32]).unwrap();
    BackupFolder::open_at(Box::new(memory.clone()), key).unwrap()
}

/// A backup of one file with these blocks.
fn backed_up(folder: &BackupFolder, when: Timestamp, blocks: &[u8]) {
    let mut there = folder.objects().unwrap();
    let names = blocks.iter().map(|block| folder.put(&[*block; 9], &mut there).unwrap().0.text());
    let file = Kept {
        path: "journal/0.seg".to_owned(),
        len: 9,
        used: 9,
        sha256: String::new(),
        blocks: names.collect(),
    };
    let journal = (LogOffset::default(), LogOffset::from_bytes(9));
    folder.put_manifest(&Manifest::new(when, journal, None, vec![file])).unwrap();
}

/// Every object that a listed backup names is there.
fn is_whole(folder: &BackupFolder) -> bool {
    folder.list().unwrap().iter().all(|listed| {
        let manifest = folder.manifest(listed).unwrap();
        manifest.files.iter().flat_map(Kept::names).flatten().all(|it| folder.get(it).is_ok())
    })
}

/// What stays, span by span from the newest on, with the calendar counted off in days.
fn reference(all: &BTreeSet<i64>, keep: Keep, rehearsed: Option<i64>) -> BTreeSet<i64> {
    let day = |millis: i64| millis.div_euclid(DAY_MS);
    // 1970 began on a Thursday.
    let week = |millis: i64| (day(millis) + 3).div_euclid(7);
    // Of the years 2023 and 2024 only; the tests have no others.
    let month = |millis: i64| {
        let mut left = day(millis) - 19_358;
        let lengths = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31, 31, 29, 31, 30, 31, 30];
        lengths.iter().position(|length| {
            left -= length;
            left < 0
        })
    };
    let month = |millis| month(millis).unwrap() as i64;
    let spans: [(u32, &dyn Fn(i64) -> i64); 3] =
        [(keep.daily, &day), (keep.weekly, &week), (keep.monthly, &month)];
    let mut stays: BTreeSet<i64> = all.last().copied().into_iter().collect();
    stays.extend(rehearsed.filter(|it| all.contains(it)));
    for (count, span) in spans {
        let mut newest: BTreeMap<i64, i64> = BTreeMap::new();
        for it in all {
            newest.insert(span(*it), *it);
        }
        stays.extend(newest.values().rev().take(count as usize));
    }
    stays
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn what_is_outside_of_the_rule_goes_and_every_backup_that_is_left_is_whole(
        hours in proptest::collection::btree_map(0_i64..540 * 24, proptest::collection::vec(0_u8..40, 0..6), 1..30),
        (daily, weekly, monthly) in (0_u32..6, 0_u32..6, 0_u32..6),
        rehearsed in any::<proptest::sample::Index>(),
        orphans in proptest::collection::vec(40_u8..60, 0..4),
        breaks_after in 0_i64..60,
    ) {
        let memory = Memory::new();
        let folder = open(&memory);
        let start = 19_358 * DAY_MS;
        let blocks: BTreeMap<i64, Vec<u8>> =
            hours.into_iter().map(|(hour, blocks)| (start + hour * 3_600_000, blocks)).collect();
        for (millis, blocks) in &blocks {
            backed_up(&folder, at(*millis), blocks);
        }
        let all: BTreeSet<i64> = blocks.keys().copied().collect();
        let rehearsed = *rehearsed.get(&all.iter().copied().collect::<Vec<_>>());
        folder.note_rehearsal(at(rehearsed + 1), at(rehearsed)).unwrap();
        // What a backup that was cut short left.
        let mut there = folder.objects().unwrap();
        for block in &orphans {
            folder.put(&[*block; 9], &mut there).unwrap();
        }

        let keep = Keep { daily, weekly, monthly };
        let clock = Clock::manual(at(all.last().unwrap() + 7));
        let expected = reference(&all, keep, Some(rehearsed));
        let would = folder.would_prune(keep).unwrap();
        prop_assert_eq!(folder.list().unwrap().len(), all.len());
        let millis = |all: &[Timestamp]| all.iter().map(|it| it.unix_millis()).collect::<BTreeSet<_>>();
        prop_assert_eq!(&millis(&would.stays), &expected);
        prop_assert_eq!(millis(&would.goes), &all - &expected);

        memory.breaks_after(breaks_after);
        let first = folder.prune(keep, &clock);
        memory.breaks_after(i64::MAX);
        prop_assert!(is_whole(&folder), "after {:?}", first);
        prop_assert!(first.is_err() || first.unwrap() == would);
        // A killed one is forgotten after its time.
        clock.advance_to(clock.now().after(Duration::from_secs(1_801)));
        match folder.prune(keep, &clock) {
            // Whoever forgets one goes back.
            Err(BackupError::Busy { work: Work::Thinning, .. }) => {
                folder.prune(keep, &clock).unwrap();
            }
            pruned => drop(pruned.unwrap()),
        }
        let left: BTreeSet<i64> = folder.list().unwrap().iter().map(|it| it.at.unix_millis()).collect();
        prop_assert_eq!(&left, &expected);
        let named: BTreeSet<u8> = expected.iter().flat_map(|it| blocks[it].iter().copied()).collect();
        prop_assert_eq!(memory.names("objects/").len(), named.len());
        prop_assert!(is_whole(&folder));
        prop_assert!(memory.names("work/").is_empty());
    }
}

#[test]
fn a_backup_and_thinning_out_wait_for_each_other_and_not_for_what_was_killed() {
    use work_note::WorkNote;
    let memory = Memory::new();
    let folder = open(&memory);
    let begin = |work, second: i64| WorkNote::begin(&folder, work, at((200_000 + second) * 1_000));
    let busy = |second, work| match begin(work, second) {
        Err(BackupError::Busy { work, .. }) => Some(work),
        begun => {
            begun.unwrap();
            None
        }
    };
    // Which work is under way since second 0; which begins when; whether the first one is
    // believed to be dead.
    for (first, second, after_s, is_dead) in [
        (Work::Taking, Work::Thinning, 5, false),
        (Work::Taking, Work::Thinning, 86_400, false),
        (Work::Taking, Work::Thinning, 86_401, true),
        (Work::Thinning, Work::Taking, 5, false),
        (Work::Thinning, Work::Thinning, 5, false),
        (Work::Thinning, Work::Taking, 1_800, false),
        (Work::Thinning, Work::Taking, 1_801, true),
        (Work::Thinning, Work::Thinning, 1_801, true),
        // A clock that was ahead.
        (Work::Thinning, Work::Taking, -1_800, false),
        (Work::Thinning, Work::Taking, -1_801, true),
        (Work::Taking, Work::Thinning, -86_401, true),
    ] {
        let case = format!("{first:?}, {second:?} after {after_s} s");
        let one = begin(first, 0).unwrap();
        assert_eq!(busy(after_s, second), Some(first), "{case}");
        // It may live, and then it learns it before its next step; only then does one begin.
        assert_eq!(one.is_there().is_err(), is_dead, "{case}");
        assert_eq!(busy(after_s, second), (!is_dead).then_some(first), "{case}");
        drop(one);
        assert_eq!(busy(after_s, second), None, "{case}");
        assert_eq!(memory.names("work/"), Vec::<String>::new(), "{case}");
    }
    // Two backups are in nobody's way, not even one that was killed.
    let one = begin(Work::Taking, 0).unwrap();
    assert_eq!((busy(5, Work::Taking), busy(99_999, Work::Taking)), (None, None));
    one.is_there().unwrap();
}

/// What somebody else does in a place, or how it fails.
type Does = Box<dyn FnOnce() -> io::Result<()> + Send>;

/// A place in which somebody else does something, once, beside the first change of this kind.
struct Meddled {
    memory: Memory,
    beside: &'static str,
    does: Mutex<Option<Does>>,
}

impl Meddled {
    fn open(
        memory: &Memory,
        beside: &'static str,
        does: impl FnOnce() -> io::Result<()> + Send + 'static,
    ) -> BackupFolder {
        let does = Mutex::new(Some(Box::new(does) as Does));
        let place = Self { memory: memory.clone(), beside, does };
        BackupFolder::open_at(Box::new(place), BackupKey::of(&[1; 32]).unwrap()).unwrap()
    }

    fn meddle(&self, change: &str) -> io::Result<()> {
        let is_it = change.starts_with(self.beside);
        let does = self.does.lock().unwrap().take_if(|_| is_it);
        does.map_or(Ok(()), |does| does())
    }
}

impl std::fmt::Debug for Meddled {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.memory.fmt(f)
    }
}

impl BackupPlace for Meddled {
    fn address(&self) -> PathBuf {
        self.memory.address()
    }

    fn is_unused(&self) -> io::Result<bool> {
        self.memory.is_unused()
    }

    fn get(&self, name: &str, most: u64) -> io::Result<Vec<u8>> {
        self.memory.get(name, most)
    }

    fn put(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        self.meddle(&format!("put {name}"))?;
        self.memory.put(name, bytes)
    }

    fn list(&self, part: &str) -> io::Result<Vec<Stored>> {
        self.memory.list(part)
    }

    fn delete(&self, name: &str) -> io::Result<()> {
        self.memory.delete(name)?;
        self.meddle(&format!("delete {name}"))
    }

    fn settle(&self, part: &str) -> io::Result<()> {
        self.memory.settle(part)
    }
}

/// A data directory of one key, which goes where this goes.
fn data_of_one_key() -> tempfile::TempDir {
    let data = tempfile::tempdir().unwrap();
    fs::create_dir(data.path().join("keys")).unwrap();
    fs::create_dir(data.path().join("journal")).unwrap();
    fs::write(data.path().join("FORMAT"), "1").unwrap();
    data
}

fn back_up(
    folder: &BackupFolder,
    data: &Path,
    key: &str,
    now: Timestamp,
) -> Result<(), BackupError> {
    fs::write(data.join("keys/ca.key"), key).unwrap();
    folder.take(&Source { root: data, journal: None }, now, &mut |_| {}).map(drop)
}

const NEWEST: Keep = Keep { daily: 1, weekly: 0, monthly: 0 };

#[test]
fn a_backup_beside_a_thinning_that_is_believed_to_be_dead_loses_nothing() {
    // Between the manifests, and between the objects.
    for beside in ["delete backups/", "delete objects/"] {
        let data = data_of_one_key();
        let memory = Memory::new();
        back_up(&open(&memory), data.path(), "the old one", at(DAY_MS)).unwrap();
        back_up(&open(&memory), data.path(), "another one", at(DAY_MS + 1_000)).unwrap();
        back_up(&open(&memory), data.path(), "the newest one", at(DAY_MS + 2_000)).unwrap();
        // Its clock is half an hour behind; meanwhile the data are what they were once.
        let (late, path, theirs) =
            (at(2 * DAY_MS + 1_801_000), data.path().to_owned(), memory.clone());
        let thins = Meddled::open(&memory, beside, move || {
            let first = back_up(&open(&theirs), &path, "the old one", late);
            assert!(matches!(first, Err(BackupError::Busy { work: Work::Thinning, .. })));
            back_up(&open(&theirs), &path, "the old one", late.after(Duration::from_secs(1)))
                .unwrap();
            Ok(())
        });
        let thinned = thins.prune(NEWEST, &Clock::manual(at(2 * DAY_MS)));
        assert!(matches!(thinned, Err(BackupError::Forgotten { .. })), "{beside}: {thinned:?}");
        let folder = open(&memory);
        assert!(is_whole(&folder), "{beside}");
        assert_eq!(
            folder.newest().unwrap().unwrap().taken_at(),
            late.after(Duration::from_secs(1))
        );
    }
}

#[test]
fn a_backup_that_was_believed_to_be_dead_before_its_manifest_is_none() {
    let data = data_of_one_key();
    let memory = Memory::new();
    back_up(&open(&memory), data.path(), "the old one", at(DAY_MS)).unwrap();
    back_up(&open(&memory), data.path(), "the newest one", at(DAY_MS + 1_000)).unwrap();
    let theirs = memory.clone();
    // Its note was there when it last looked.
    let takes = Meddled::open(&memory, "put backups/", move || {
        let clock = Clock::manual(at(3 * DAY_MS + 1_000));
        let busy = open(&theirs).prune(NEWEST, &clock);
        assert!(matches!(busy, Err(BackupError::Busy { work: Work::Taking, .. })));
        assert!(open(&theirs).prune(NEWEST, &clock).unwrap().objects > 0);
        Ok(())
    });
    let taken = back_up(&takes, data.path(), "the old one", at(2 * DAY_MS));
    assert!(matches!(taken, Err(BackupError::Forgotten { .. })), "{taken:?}");
    let folder = open(&memory);
    assert_eq!(folder.list().unwrap().len(), 1);
    assert!(is_whole(&folder));
}

#[test]
fn a_deletion_that_went_wrong_keeps_backups_out_until_it_is_surely_over() {
    let data = data_of_one_key();
    let memory = Memory::new();
    let folder = Meddled::open(&memory, "delete objects/", || {
        Err(io::Error::other("there was no answer in time"))
    });
    backed_up(&folder, at(0), &[1]);
    backed_up(&folder, at(DAY_MS), &[2]);
    let now = at(2 * DAY_MS);
    folder.prune(NEWEST, &Clock::manual(now)).unwrap_err();
    let taken = back_up(&folder, data.path(), "a key", now.after(Duration::from_secs(60)));
    assert!(matches!(taken, Err(BackupError::Busy { work: Work::Thinning, .. })));
}

#[test]
fn thinning_out_ends_when_time_has_leapt_and_leaves_the_rest() {
    let memory = Memory::new();
    // Its counter stands still while the machine sleeps.
    let clock = Clock::scaled(at(9 * DAY_MS), 1.0);
    let slept = clock.clone();
    let folder = Meddled::open(&memory, "delete backups/", move || {
        slept.never_before(at(9 * DAY_MS + 601_000));
        Ok(())
    });
    backed_up(&folder, at(0), &[1, 2]);
    backed_up(&folder, at(DAY_MS), &[3]);
    let pruned = folder.prune(NEWEST, &clock).unwrap();
    assert_eq!((pruned.objects, pruned.left, memory.names("objects/").len()), (2, 2, 3));
}

#[test]
fn what_a_killed_backup_left_half_written_goes_with_the_old_ones() {
    let place = tempfile::tempdir().unwrap();
    let folder = BackupFolder::open(place.path(), BackupKey::of(&[1; 32]).unwrap()).unwrap();
    backed_up(&folder, at(0), &[1]);
    let shelf = place.path().join("objects/0a");
    make_folder(&shelf).unwrap();
    fs::write(shelf.join("0a4f.7-0.unfinished"), "half").unwrap();
    folder.prune(NEWEST, &Clock::manual(at(DAY_MS))).unwrap();
    assert!(!shelf.join("0a4f.7-0.unfinished").exists());
    assert!(is_whole(&folder));
}

#[test]
fn a_staying_backup_that_cannot_be_read_stops_it_before_anything_goes() {
    let memory = Memory::new();
    let folder = open(&memory);
    for day in 0..3 {
        backed_up(&folder, at(day * DAY_MS), &[1, 2, u8::try_from(day).unwrap()]);
    }
    let listed = folder.list().unwrap();
    let (oldest, newest) = (listed[0].place(), listed[2].place());
    let whole = memory.things.lock().unwrap().clone();
    let clock = Clock::manual(at(9 * DAY_MS));
    let keep = Keep { daily: 2, ..Keep::default() };
    memory.things.lock().unwrap().insert(newest, vec![1, 2, 3]);
    assert!(matches!(folder.prune(keep, &clock), Err(BackupError::Manifest { .. })));
    assert_eq!(memory.names("").len(), whole.len());
    // One that goes need not be readable.
    *memory.things.lock().unwrap() = whole;
    memory.things.lock().unwrap().insert(oldest, vec![1, 2, 3]);
    assert_eq!(folder.prune(keep, &clock).unwrap().goes, [at(0)]);
}
