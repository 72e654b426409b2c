//! Syncs that fail and disks that are full: no ack, no silence.

use super::*;

async fn told(follower: &mut Follower) -> (&'static str, Vec<u64>) {
    match follower.next().await {
        Some(Followed::Durable(records)) => ("durable", numbers(&records)),
        Some(Followed::Provisional(records)) => ("provisional", numbers(&records)),
        Some(Followed::Confirmed(records)) => ("confirmed", numbers(&records)),
        Some(Followed::Lost(records)) => ("lost", numbers(&records)),
        other => panic!("{other:?}"),
    }
}

fn why(journal: &Journal) -> Option<WhyNot> {
    match journal.status().condition {
        Condition::Recording => None,
        Condition::NotRecording { why, .. } => Some(why),
    }
}

#[tokio::test]
async fn after_a_failed_sync_nothing_is_acknowledged_and_everything_is_handed_on() {
    let disk = FaultyDisk::new();
    let (journal, _) = open(&disk);
    let mut follower = journal.follow(LogOffset::default());
    let mut condition = journal.condition();
    journal.append(vec![entry(0, 0, 8)]).await.unwrap();
    disk.fail_sync_in(0);
    let error = journal.append(vec![entry(1, 0, 8)]).await.unwrap_err();
    assert!(matches!(error, AppendError::Fault(_)), "{error}");
    // The disk works again; the journal does not believe it.
    for number in 2..4 {
        let error = journal.append(vec![entry(number, 0, 8)]).await.unwrap_err();
        assert!(matches!(error, AppendError::Poisoned), "{error}");
    }
    condition.changed().await.unwrap();
    assert_eq!(why(&journal), Some(WhyNot::Poisoned));
    assert_eq!(journal.status().lost, 3);
    assert_eq!(told(&mut follower).await, ("durable", vec![0]));
    for number in 1..4 {
        assert_eq!(told(&mut follower).await, ("provisional", vec![number]));
        assert_eq!(told(&mut follower).await, ("lost", vec![number]));
    }
    assert_eq!(follower.offset(), journal.end());
    drop(journal);

    // A restart shows what survived, and what it shows stays, although pages looked clean.
    let (journal, _) = open(&disk);
    let shown = numbers(&all_of(&journal));
    assert_eq!(shown, [0, 1]);
    let (journal, _) = open(&disk.after_worst_crash());
    assert_eq!(numbers(&all_of(&journal)), shown);
}

#[tokio::test]
async fn a_failed_write_poisons_like_a_failed_sync() {
    let disk = FaultyDisk::new();
    let (journal, _) = open(&disk);
    journal.append(vec![entry(0, 0, 8)]).await.unwrap();
    disk.fail_write_in(0);
    assert!(matches!(journal.append(vec![entry(1, 0, 8)]).await, Err(AppendError::Fault(_))));
    assert!(matches!(journal.append(vec![entry(2, 0, 8)]).await, Err(AppendError::Poisoned)));
    drop(journal);
    let (journal, _) = open(&disk);
    assert_eq!(numbers(&all_of(&journal)), [0]);
}

#[tokio::test]
async fn a_full_disk_stops_the_log_and_heals_by_itself() {
    let disk = FaultyDisk::new();
    disk.set_room(Some(small().segment_len));
    let limits = JournalLimits { full_retry: Duration::from_millis(1), ..small() };
    let (journal, _) = Journal::open(disk.clone(), clock(), limits).unwrap();
    let mut follower = journal.follow(LogOffset::default());
    let mut kept = Vec::new();
    let mut number = 0;
    let error = loop {
        match journal.append(vec![entry(number, 0, 1_000)]).await {
            Ok(_) => kept.push(number),
            Err(error) => break error,
        }
        number += 1;
    };
    assert!(matches!(error, AppendError::Full), "{error}");
    assert_eq!(why(&journal), Some(WhyNot::Full));
    for expected in &kept {
        assert_eq!(told(&mut follower).await, ("durable", vec![*expected]));
    }
    assert_eq!(told(&mut follower).await, ("provisional", vec![number]));
    assert_eq!(told(&mut follower).await, ("lost", vec![number]));

    // Somebody makes room; nobody appends.
    let mut condition = journal.condition();
    condition.borrow_and_update();
    disk.set_room(None);
    condition.changed().await.unwrap();
    assert_eq!(why(&journal), None);

    // The device sends again, and the lost number is not used twice.
    let durable = journal.append(vec![entry(number, 0, 1_000)]).await.unwrap();
    assert_eq!(durable.positions()[0].seq, number + 2);
    assert_eq!(told(&mut follower).await, ("durable", vec![number]));
    kept.push(number);
    assert_eq!(numbers(&all_of(&journal)), kept);
    drop(journal);
    assert_eq!(numbers(&all_of(&open(&disk).0)), kept);
}

#[tokio::test]
async fn a_full_disk_heals_on_the_next_append_too() {
    let disk = FaultyDisk::new();
    disk.set_room(Some(0));
    let limits = JournalLimits { full_retry: Duration::from_secs(3_600), ..small() };
    let (journal, _) = Journal::open(disk.clone(), clock(), limits).unwrap();
    assert!(matches!(journal.append(vec![entry(0, 0, 8)]).await, Err(AppendError::Full)));
    assert!(matches!(journal.append(vec![entry(1, 0, 8)]).await, Err(AppendError::Full)));
    disk.set_room(None);
    journal.append(vec![entry(2, 0, 8)]).await.unwrap();
    assert_eq!(why(&journal), None);
    assert_eq!(numbers(&all_of(&journal)), [2]);
}

#[tokio::test]
async fn whoever_is_far_too_slow_is_told_how_much_went_by() {
    let disk = FaultyDisk::new();
    let limits = JournalLimits { ring_events_max: 4, ..small() };
    let (journal, _) = Journal::open(disk.clone(), clock(), limits).unwrap();
    journal.append(vec![entry(0, 0, 8)]).await.unwrap();
    let mut follower = journal.follow(LogOffset::default());
    assert_eq!(told(&mut follower).await, ("durable", vec![0]));
    disk.fail_sync_in(0);
    for number in 1..=10 {
        journal.append(vec![entry(number, 0, 8)]).await.unwrap_err();
    }
    assert!(matches!(follower.next().await, Some(Followed::Missed(8))));
    for number in 9..=10 {
        assert_eq!(told(&mut follower).await, ("provisional", vec![number]));
        assert_eq!(told(&mut follower).await, ("lost", vec![number]));
    }
}

#[test]
fn a_clock_that_was_set_back_shows_no_less_than_the_log() {
    let (disk, later) = (FaultyDisk::new(), Timestamp::from_unix_millis(1_700_000_900_000));
    let (journal, _) = open(&disk);
    journal.append(vec![entry(0, 0, 8)]).wait().unwrap();
    journal.append(vec![Entry { received_at: later, ..entry(1, 0, 8) }]).wait().unwrap();
    journal.append(vec![entry(2, 0, 8)]).wait().unwrap();
    journal.close();
    let clock = clock();
    assert!(clock.now() < later);
    let (journal, recovery) = Journal::open(disk.clone(), clock.clone(), small()).unwrap();
    assert_eq!((recovery.last_at, clock.now()), (Some(later), later));
    // Nor after a segment that is new and has nothing yet.
    journal.close();
    let end = disk.segments().unwrap().last().unwrap().start;
    let (_, recovery) = recover::recover(&disk).unwrap();
    disk.create(recovery.end, 16 << 10).unwrap();
    assert!(recovery.end > end);
    let clock = self::clock();
    let (_, recovery) = Journal::open(disk, clock.clone(), small()).unwrap();
    assert_eq!((recovery.last_at, clock.now()), (Some(later), later));
}

fn unrecorded_since(journal: &Journal) -> Option<Timestamp> {
    *journal.unrecorded_since().borrow()
}

#[tokio::test]
async fn trouble_is_marked_beside_the_log_until_it_was_told() {
    for fault in ["a sync fails", "the disk is full"] {
        let disk = FaultyDisk::new();
        let (journal, recovery) = open(&disk);
        assert_eq!((recovery.unrecorded_since, unrecorded_since(&journal)), (None, None));
        journal.append(vec![entry(0, 0, 8)]).await.unwrap();
        match fault {
            "a sync fails" => disk.fail_sync_in(0),
            _ => disk.set_room(Some(0)),
        }
        for number in 1..40 {
            drop(journal.append(vec![entry(number, 0, 1_000)]).await);
        }
        let since = unrecorded_since(&journal);
        assert!(since.is_some(), "{fault}");
        // Nobody can say that it was told while it goes on.
        journal.told_unrecorded(since.unwrap());
        assert_eq!(unrecorded_since(&journal), since, "{fault}");
        // The power goes: the next start knows, and so does the one after it, until it is told.
        for _ in 0..2 {
            let (journal, recovery) = open(&disk.after_worst_crash());
            assert_eq!(recovery.unrecorded_since, since, "{fault}");
            journal.close();
        }
        let disk = disk.after_worst_crash();
        let (journal, _) = open(&disk);
        journal.told_unrecorded(Timestamp::from_unix_millis(1));
        assert_eq!(unrecorded_since(&journal), since, "{fault}");
        journal.told_unrecorded(since.unwrap());
        assert_eq!(unrecorded_since(&journal), None);
        journal.close();
        assert_eq!(open(&disk.after_worst_crash()).1.unrecorded_since, None, "{fault}");
    }
}

#[tokio::test]
async fn whoever_asks_what_is_unrecorded_never_waits_for_a_mark_whose_sync_hangs() {
    let patience = std::time::Duration::from_secs(30);
    let disk = FaultyDisk::new();
    let (journal, _) = open(&disk);
    disk.hold_marks();
    disk.fail_sync_in(0);
    let lost = journal.append(vec![entry(0, 0, 8)]);
    assert!(disk.wait_for_a_held_mark(patience));
    let (tell, told) = std::sync::mpsc::channel();
    let asked = journal.unrecorded_since();
    std::thread::spawn(move || tell.send(*asked.borrow()));
    // It is known once the mark is there, so that nobody can take back what was never put down.
    assert_eq!(told.recv_timeout(patience), Ok(None));
    disk.release_marks();
    assert!(lost.await.is_err());
    assert!(unrecorded_since(&journal).is_some());
}

#[tokio::test]
async fn a_disk_that_hangs_does_not_record_in_time_and_one_that_fails_not_at_all() {
    let (disk, clock) = (FaultyDisk::new(), clock());
    let (journal, _) = Journal::open(disk.clone(), clock.clone(), small()).unwrap();
    let patience = Duration::from_secs(1);
    let later = |seconds: i64| {
        let at = Timestamp::from_unix_millis(1_700_000_000_000 + 1_000 * seconds);
        clock.advance_to(at);
    };
    journal.append(vec![entry(0, 0, 8)]).await.unwrap();
    later(10);
    assert!(journal.records_within(patience), "nobody writes anything");
    disk.hold_syncs();
    let held = journal.append(vec![entry(1, 0, 8)]);
    assert_eq!(disk.wait_for_a_held_sync(Duration::from_secs(60)), Some(true));
    later(11);
    assert!(journal.records_within(patience));
    later(12);
    assert!(!journal.records_within(patience), "it hangs");
    disk.release_syncs();
    held.await.unwrap();
    assert!(journal.records_within(patience), "it came back");
    disk.fail_sync_in(0);
    assert!(journal.append(vec![entry(2, 0, 8)]).await.is_err());
    assert!(!journal.records_within(patience), "it is poisoned");
}

#[test]
fn a_mark_is_a_file_that_needs_no_room_later() {
    let folder = tempfile::tempdir().unwrap();
    let dir = crate::DataDir::open(folder.path()).unwrap();
    let storage = FileStorage::open(&dir).unwrap();
    assert_eq!(storage.mark().unwrap(), [0; 16]);
    storage.put_mark(&[7; 16]).unwrap();
    assert_eq!(storage.mark().unwrap(), [7; 16]);
    storage.put_mark(&[0; 16]).unwrap();
    assert_eq!(storage.mark().unwrap(), [0; 16]);
    assert_eq!(storage.segments().unwrap(), []);
    std::fs::write(dir.journal().join("mark"), [7; 9]).unwrap();
    assert_eq!(storage.mark().unwrap(), [0; 16], "half a mark");
}
