//! Followers: no gap, no repetition, and alarms that do not wait for a disk.

use super::*;

/// Takes news until `count` durable or confirmed records have come.
async fn take(follower: &mut Follower, count: usize) -> Vec<Record> {
    let mut records: Vec<Record> = Vec::new();
    while records.len() < count {
        match follower.next().await {
            Some(Followed::Durable(more) | Followed::Confirmed(more)) => {
                records.extend(more.iter().cloned());
            }
            Some(Followed::Provisional(_)) => {}
            other => panic!("{other:?}"),
        }
    }
    records
}

#[tokio::test]
async fn a_follower_reads_the_files_and_then_what_comes_without_a_gap() {
    let disk = FaultyDisk::new();
    // A ring so small that most of the past is in files only.
    let limits = JournalLimits { ring_len_max: 4_000, ring_events_max: 8, ..small() };
    let (journal, _) = Journal::open(disk, clock(), limits).unwrap();
    let mut early = journal.follow(LogOffset::default());
    for number in 0..100 {
        let group = vec![entry(2 * number, 0, 200), entry(2 * number + 1, 1, 200)];
        journal.append(group).await.unwrap();
    }
    let mut late = journal.follow(LogOffset::default());
    let read = take(&mut late, 200).await;
    assert_eq!(numbers(&read), Vec::from_iter(0..200));
    for number in 200..220 {
        journal.append(vec![entry(number, 0, 200)]).await.unwrap();
    }
    assert_eq!(numbers(&take(&mut late, 20).await), Vec::from_iter(200..220));
    assert_eq!(numbers(&take(&mut early, 220).await), Vec::from_iter(0..220));
    // Any record is a place to begin, also inside a group.
    for record in all_of(&journal).iter().step_by(7) {
        let from = number_of(record) + 1;
        let mut follower = journal.follow(record.offset);
        let rest = take(&mut follower, usize::try_from(220 - from).unwrap()).await;
        assert_eq!(numbers(&rest), Vec::from_iter(from..220));
        assert_eq!(follower.offset(), journal.end());
    }
}

#[tokio::test]
async fn followers_keep_up_with_many_writers() {
    let dir = tempfile::tempdir().unwrap();
    let storage = FileStorage::folder(dir.path()).unwrap();
    let limits = JournalLimits { segment_len: 256 << 10, ring_len_max: 50_000, ..small() };
    let (journal, _) = Journal::open(storage, Clock::system(), limits).unwrap();
    let mut follower = journal.follow(LogOffset::default());
    let writers: Vec<_> = (0..8)
        .map(|writer| {
            let journal = journal.clone();
            tokio::spawn(async move {
                for number in 0..200 {
                    let entry = entry(writer * 1_000 + number, writer, 300);
                    journal.append(vec![entry]).await.unwrap();
                }
            })
        })
        .collect();
    let followed = take(&mut follower, 1_600).await;
    for writer in writers {
        writer.await.unwrap();
    }
    assert_eq!(followed, all_of(&journal));
    for writer in 0..8 {
        let own = numbers(&followed).into_iter().filter(|number| number / 1_000 == writer);
        assert!(own.eq(writer * 1_000..writer * 1_000 + 200));
    }
}

#[tokio::test]
async fn a_record_whose_sync_is_late_is_handed_on_and_confirmed_later() {
    let (disk, clock) = (FaultyDisk::new(), clock());
    let (journal, _) = Journal::open(disk.clone(), clock.clone(), small()).unwrap();
    let mut follower = journal.follow(LogOffset::default());
    disk.hold_syncs();
    let ticket = journal.append(vec![entry(1, 0, 8)]);
    let written = |what: &Happened| matches!(what, Happened::Wrote { .. });
    while !disk.happened().iter().any(written) {
        tokio::task::yield_now().await;
    }
    // The clock moves 100 ms: the writer is in the sync, and the follower hears of it.
    clock.advance_to(clock.now().after(Duration::from_millis(100)));
    let Some(Followed::Provisional(records)) = follower.next().await else { panic!() };
    assert_eq!(numbers(&records), [1]);
    assert_eq!(journal.end(), LogOffset::default());
    // One that comes now sees it as provisional too.
    let mut second = journal.follow(LogOffset::default());
    assert!(matches!(second.next().await, Some(Followed::Provisional(_))));
    disk.release_syncs();
    ticket.await.unwrap();
    for follower in [&mut follower, &mut second] {
        let Some(Followed::Confirmed(records)) = follower.next().await else { panic!() };
        assert_eq!(numbers(&records), [1]);
        assert_eq!(follower.offset(), journal.end());
    }
    // One that comes later never knew that it was late.
    let mut late = journal.follow(LogOffset::default());
    assert!(matches!(late.next().await, Some(Followed::Durable(_))));
}

#[tokio::test]
async fn a_record_that_was_decided_is_confirmed_even_from_the_files() {
    let (disk, clock) = (FaultyDisk::new(), clock());
    let limits = JournalLimits { ring_events_max: 2, ..small() };
    let (journal, _) = Journal::open(disk.clone(), clock.clone(), limits).unwrap();
    let mut follower = journal.follow(LogOffset::default());
    disk.hold_syncs();
    let ticket = journal.append(vec![entry(1, 0, 8)]);
    while !disk.happened().iter().any(|what| matches!(what, Happened::Wrote { .. })) {
        tokio::task::yield_now().await;
    }
    clock.advance_to(clock.now().after(Duration::from_millis(100)));
    assert!(matches!(follower.next().await, Some(Followed::Provisional(_))));
    disk.release_syncs();
    ticket.await.unwrap();
    for number in 2..10 {
        journal.append(vec![entry(number, 0, 8)]).await.unwrap();
    }
    // Its confirmation has left the ring long ago.
    let Some(Followed::Confirmed(records)) = follower.next().await else { panic!() };
    assert_eq!(numbers(&records), [1]);
    assert_eq!(numbers(&take(&mut follower, 8).await), Vec::from_iter(2..10));
}

#[tokio::test]
async fn a_place_beyond_the_end_is_refused_and_a_closed_log_ends() {
    let disk = FaultyDisk::new();
    let (journal, _) = open(&disk);
    journal.append(vec![entry(0, 0, 8)]).await.unwrap();
    let end = journal.end();
    let mut beyond = journal.follow(end.plus(1));
    let Some(Followed::Unreadable(error)) = beyond.next().await else { panic!() };
    let want = format!("offset {} lies beyond the end of the log at {end}", end.bytes() + 1);
    assert_eq!(error.to_string(), want);
    assert!(beyond.next().await.is_none());

    let mut follower = journal.follow(LogOffset::default());
    drop(journal);
    assert!(matches!(follower.next().await, Some(Followed::Durable(_))));
    assert!(follower.next().await.is_none());
}

#[tokio::test]
async fn a_place_counts_as_handed_on_only_with_what_stands_before_it() {
    let (disk, clock) = (FaultyDisk::new(), clock());
    let (journal, _) = Journal::open(disk, clock, small()).unwrap();
    let mut follower = journal.follow(LogOffset::default());
    for number in 0..2 {
        journal.append(vec![entry(number, 0, 8)]).await.unwrap();
    }
    let log = all_of(&journal);
    assert_eq!(follower.offset(), LogOffset::default());
    let Some(Followed::Durable(records)) = follower.next().await else { panic!() };
    assert_eq!(numbers(&records), [0]);
    let (first, second) = (log[0].offset, log[1].offset);
    let offset = follower.offset();
    assert!(first <= offset && offset < second, "the second was not handed on yet");
    // Whoever goes on from there misses nothing.
    let mut other = journal.follow(follower.offset());
    assert_eq!(numbers(&take(&mut other, 1).await), [1]);
    assert_eq!(numbers(&take(&mut follower, 1).await), [1]);
    assert_eq!(follower.offset(), journal.end());
}
