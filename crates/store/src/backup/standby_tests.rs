//! A standby follows a living directory, loses its network and its program, and is promoted.

use std::{collections::BTreeSet, time::Duration};

use proptest::prelude::*;

use super::{
    tests::{Ward, key, records_of, second},
    *,
};
use crate::{Clock, DataDir, DataDirError, FileStorage, Journal, JournalLimits};

fn root(ward: &Ward) -> PathBuf {
    ward.place.path().join("standby")
}

fn open(ward: &Ward) -> Standby {
    Standby::open(&root(ward), &key(1)).unwrap()
}

fn follow(ward: &Ward, standby: &mut Standby) -> Shipped {
    standby.follow(&ward.folder(), &mut |_| {}).unwrap()
}

/// Every file below a folder, but for the lock.
fn files_of(root: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let (mut found, mut folders) = (BTreeMap::new(), vec![root.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.file_name().unwrap() != "LOCK" {
                found.insert(path.clone(), fs::read(&path).unwrap());
            }
        }
    }
    found
}

fn damaged<T: std::fmt::Debug>(done: Result<T, BackupError>) -> Vec<String> {
    match done.unwrap_err() {
        BackupError::Damaged { problems } => problems,
        _ => Vec::new(),
    }
}

#[test]
fn a_standby_fetches_only_what_is_new_and_becomes_what_was_shipped_last() {
    let mut ward = Ward::new();
    let mut standby = open(&ward);
    let none = standby.follow(&ward.folder(), &mut |_| {});
    assert!(matches!(none, Err(BackupError::None { .. })), "{none:?}");
    ward.live(400);
    let first = ward.back_up();
    let shipped = follow(&ward, &mut standby);
    assert_eq!((shipped.taken_at, shipped.new_blocks), (second(400), first.new_blocks));
    assert_eq!(follow(&ward, &mut standby).new_blocks, 0);
    ward.live(3);
    let next = ward.back_up();
    let shipped = follow(&ward, &mut standby);
    assert_eq!((shipped.taken_at, shipped.new_blocks), (second(403), next.new_blocks));
    assert!(!shipped.is_other);
    assert!(next.new_blocks < first.new_blocks / 2);
    let live = records_of(&ward.data());
    ward.live(1);

    // No server starts on it, and no second standby.
    drop(standby);
    let refused = DataDir::open(root(&ward)).unwrap_err();
    assert!(refused.to_string().contains("wardline standby --promote"), "{refused}");
    let standby = open(&ward);
    let held = Standby::open(&root(&ward), &key(1)).unwrap_err();
    assert!(matches!(held, BackupError::Restored(DataDirError::Held { .. })), "{held}");

    let (again, _) = ward.restore("again", Some(second(403))).unwrap();
    let promoted = standby.promote().unwrap();
    assert_eq!(
        (promoted.taken_at, promoted.journal_ends),
        (second(403), next.manifest.journal_ends())
    );
    assert_eq!(promoted.damage, Vec::<String>::new());
    assert_eq!(records_of(&root(&ward)), live);
    for path in ["keys/ca.key", "FORMAT"] {
        assert_eq!(fs::read(root(&ward).join(path)).unwrap(), fs::read(again.join(path)).unwrap());
    }
    assert!(!root(&ward).join("STANDBY").exists() && !root(&ward).join("incoming").exists());
    let dir = DataDir::open(root(&ward)).unwrap();
    let limits = JournalLimits::default();
    let storage = FileStorage::open(&dir).unwrap();
    let (journal, recovery) = Journal::open(storage, Clock::manual(second(500)), limits).unwrap();
    assert_eq!((recovery.torn, recovery.end), (None, promoted.journal_ends));
    journal.close();
    drop(dir);
    let refused = Standby::open(&root(&ward), &key(1)).unwrap_err();
    assert!(matches!(refused, BackupError::NotEmpty { .. }), "{refused}");
}

#[test]
fn what_cannot_be_fetched_changes_nothing_and_what_was_fetched_is_not_fetched_again() {
    let mut ward = Ward::new();
    let mut standby = open(&ward);
    ward.live(40);
    ward.back_up();
    follow(&ward, &mut standby);
    let before = files_of(&root(&ward));
    ward.live(90);
    ward.back_up();
    // The newest object but one is gone.
    let object = fs::read_dir(ward.place.path().join("backups/objects")).unwrap();
    let objects = object.flat_map(|it| fs::read_dir(it.unwrap().path()).unwrap());
    let object = objects
        .map(|it| it.unwrap().path())
        .max_by_key(|it| it.metadata().unwrap().modified().unwrap());
    let object = object.unwrap();
    let kept = object.with_extension("kept");
    fs::rename(&object, &kept).unwrap();
    let problems = damaged(standby.follow(&ward.folder(), &mut |_| {}));
    assert!(problems.len() == 1 && problems[0].ends_with("the object is missing"), "{problems:?}");
    let mut after = files_of(&root(&ward));
    after.retain(|path, _| !path.starts_with(root(&ward).join("incoming")));
    assert_eq!(after, before);
    // What is there beside the directory needs no network: all other objects may be away now.
    let objects = ward.place.path().join("backups/objects");
    fs::rename(&objects, ward.place.path().join("away")).unwrap();
    let shelf = object.parent().unwrap();
    fs::create_dir_all(shelf).unwrap();
    let kept = ward.place.path().join("away").join(kept.strip_prefix(&objects).unwrap());
    fs::rename(kept, &object).unwrap();
    assert_eq!(follow(&ward, &mut standby).taken_at, second(130));
    assert_eq!(records_of(&ward.data()).len(), 130);
    standby.promote().unwrap();
    assert_eq!(records_of(&root(&ward)).len(), 130);
}

#[test]
fn a_block_that_the_disk_spoils_is_named_at_promotion_and_fetched_again_by_following() {
    let mut ward = Ward::new();
    let mut standby = open(&ward);
    ward.live(30);
    ward.back_up();
    follow(&ward, &mut standby);
    let series = root(&ward).join("series/series.sqlite");
    let mut bytes = fs::read(&series).unwrap();
    bytes[100] ^= 1;
    fs::write(&series, bytes).unwrap();
    assert_eq!(damaged(standby.promote()), ["series/series.sqlite is not what was backed up"]);
    let mut standby = open(&ward);
    assert_eq!(standby.spoilt_blocks(), 1);
    assert_eq!(follow(&ward, &mut standby).new_blocks, 1);
    standby.promote().unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]
    #[test]
    fn a_standby_that_is_killed_while_it_puts_blocks_in_is_whole_after_its_next_start(
        spans in (1_u64..90, 1_u64..90),
        done in proptest::collection::vec(any::<bool>(), 40),
    ) {
        let mut ward = Ward::new();
        ward.live(spans.0);
        ward.back_up();
        let mut standby = open(&ward);
        follow(&ward, &mut standby);
        let old = files_of(&root(&ward));
        ward.live(spans.1);
        let next = ward.back_up().manifest;
        let folder = ward.folder();
        let lacks: BTreeSet<ObjectName> = standby.lacks(&next).into_values().collect();
        standby.follow(&folder, &mut |_| {}).unwrap();
        drop(standby);
        let new = files_of(&root(&ward));

        // Some files are new, some are not yet; the notes are as they are until the end.
        let incoming = root(&ward).join("incoming");
        fs::create_dir_all(&incoming).unwrap();
        for name in lacks {
            fs::write(incoming.join(name.text()), folder.get(name).unwrap()).unwrap();
        }
        fs::write(incoming.join("MANIFEST"), next.write()).unwrap();
        for (path, done) in new.keys().zip(done.iter().chain(std::iter::repeat(&false))) {
            match old.get(path) {
                Some(bytes) if path.ends_with("STANDBY") || !done => fs::write(path, bytes).unwrap(),
                None if !done => fs::remove_file(path).unwrap(),
                _ => {}
            }
        }
        // A network is not needed for that.
        fs::remove_dir_all(ward.place.path().join("backups")).unwrap();
        let standby = open(&ward);
        prop_assert_eq!(standby.taken_at(), Some(second(spans.0 + spans.1)));
        prop_assert_eq!(standby.spoilt_blocks(), 0);
        prop_assert_eq!(files_of(&root(&ward)), new);
        standby.promote().unwrap();
        prop_assert_eq!(records_of(&root(&ward)), records_of(&ward.data()));
    }
}

#[test]
fn a_standby_never_goes_back() {
    let mut ward = Ward::new();
    ward.live(5);
    ward.back_up();
    let first = ward.folder().list().unwrap();
    ward.live(5);
    ward.back_up();
    let mut standby = open(&ward);
    assert_eq!(follow(&ward, &mut standby).taken_at, second(10));
    let newest = ward.folder().list().unwrap().pop().unwrap();
    assert_ne!(Some(&newest), first.last());
    fs::remove_file(ward.place.path().join("backups").join(newest.place())).unwrap();
    ward.clock.advance_to(second(10).after(Duration::from_secs(1)));
    assert_eq!(follow(&ward, &mut standby).taken_at, second(10));
}

#[test]
fn a_first_site_that_was_restored_to_a_moment_is_followed_and_nothing_later_is_left() {
    let mut ward = Ward::new();
    ward.live(30);
    ward.back_up();
    let mut standby = open(&ward);
    follow(&ward, &mut standby);
    let (first, _) = ward.restore("restored", Some(second(20))).unwrap();
    let source = Source { root: &first, journal: None };
    ward.folder().take(&source, second(40), &mut |_| {}).unwrap();
    let shipped = follow(&ward, &mut standby);
    assert_eq!((shipped.taken_at, shipped.is_other), (second(40), true));
    standby.promote().unwrap();
    assert_eq!(records_of(&root(&ward)).len(), 20);
    assert_eq!(records_of(&root(&ward)), records_of(&first));
}

#[test]
fn a_journal_that_went_another_way_is_told_even_if_it_is_longer_by_then() {
    let mut ward = Ward::new();
    ward.live(30);
    ward.back_up();
    let mut standby = open(&ward);
    follow(&ward, &mut standby);
    ward.live(1);
    ward.back_up();
    assert!(!follow(&ward, &mut standby).is_other);
    ward.goes_another_way(second(20), second(80));
    let shipped = follow(&ward, &mut standby);
    assert_eq!((shipped.taken_at, shipped.is_other), (second(80), true));
}

#[test]
fn blocks_that_mend_what_the_disk_spoilt_are_not_lost_if_the_program_is_killed() {
    let mut ward = Ward::new();
    let mut standby = open(&ward);
    ward.live(30);
    let held = ward.back_up().manifest;
    follow(&ward, &mut standby);
    drop(standby);
    let whole = files_of(&root(&ward));
    let series = root(&ward).join("series/series.sqlite");
    let mut bytes = fs::read(&series).unwrap();
    bytes[100] ^= 1;
    fs::write(&series, bytes).unwrap();
    let standby = open(&ward);
    // It was fetched with all that says where it belongs, and then the program ended.
    let incoming = root(&ward).join("incoming");
    fs::create_dir_all(&incoming).unwrap();
    for name in standby.lacks(&held).into_values() {
        fs::write(incoming.join(name.text()), ward.folder().get(name).unwrap()).unwrap();
    }
    // What an earlier try left half is not put in.
    let half = held.files.iter().find(|it| it.path == "records.sqlite").unwrap().blocks[0].clone();
    fs::write(incoming.join(half), "half").unwrap();
    fs::write(incoming.join("MANIFEST"), held.write()).unwrap();
    drop(standby);
    fs::rename(ward.place.path().join("backups"), ward.place.path().join("away")).unwrap();
    let standby = open(&ward);
    assert_eq!((standby.spoilt_blocks(), files_of(&root(&ward)) == whole), (0, true));
    standby.promote().unwrap();
}

#[test]
fn what_no_server_would_start_on_is_promoted_and_named() {
    let mut ward = Ward::new();
    ward.live(400);
    ward.journal.take().unwrap().close();
    let mut segments: Vec<_> = files_of(&ward.data().join("journal")).into_keys().collect();
    segments.sort();
    for path in segments.iter().skip(1) {
        fs::remove_file(path).unwrap();
    }
    ward.back_up();
    let mut standby = open(&ward);
    follow(&ward, &mut standby);
    let promoted = standby.promote().unwrap();
    assert!(matches!(promoted.lacks[..], [Lack::EndOfCheckpoint { .. }, ..]), "{promoted:?}");
    assert!(!root(&ward).join("STANDBY").exists());
}

#[test]
fn what_cannot_be_read_after_it_was_promoted_is_no_failed_promotion() {
    let mut ward = Ward::new();
    ward.live(5);
    fs::write(ward.data().join("FORMAT"), "of another time").unwrap();
    ward.back_up();
    let mut standby = open(&ward);
    follow(&ward, &mut standby);
    let promoted = standby.promote().unwrap();
    assert_eq!(promoted.damage.len(), 1, "{promoted:?}");
}

#[test]
fn whoever_takes_a_backup_is_seen_until_it_would_be_forgotten() {
    use super::work_note::{Work, WorkNote};
    let ward = Ward::new();
    let folder = ward.folder();
    let day = second(0).after(Duration::from_secs(86_400));
    let seen = || {
        [second(0), day, day.after(Duration::from_secs(1))]
            .map(|at| folder.is_taken_now(at).unwrap())
    };
    assert_eq!(seen(), [false; 3]);
    let thins = WorkNote::begin(&folder, Work::Thinning, second(0)).unwrap();
    assert_eq!(seen(), [false; 3]);
    drop(thins);
    let takes = WorkNote::begin(&folder, Work::Taking, second(0)).unwrap();
    assert_eq!(seen(), [true, true, false]);
    drop(takes);
    assert_eq!(seen(), [false; 3]);
}
