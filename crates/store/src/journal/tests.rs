//! What the journal promises, shown on a disk that forgets, breaks, and fills up.

#![expect(clippy::panic, reason = "a test ends by it")]

mod crash;
mod follow;
mod thin;
mod trouble;

use std::{sync::Arc, thread};

use record::{BODY_LEN_MAX, Body, ClockStep, Kinds};

use super::*;
use crate::{FaultyDisk, FileStorage, Happened};

/// A small generator of numbers: the same seed gives the same run.
pub(super) struct Draw(pub(super) u64);

impl Draw {
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

pub(super) fn partition(number: u64) -> PartitionId {
    PartitionId::v7(Timestamp::from_unix_millis(1_700_000_000_000), u128::from(number))
}

/// An entry that is known by its number.
pub(super) fn entry(number: u64, partition_number: u64, len: usize) -> Entry {
    let mut body = number.to_be_bytes().to_vec();
    body.resize(len.max(8), 0xa5);
    let at = Timestamp::from_unix_millis(1_700_000_000_000);
    Entry {
        kind: 0x1234,
        body_version: 1,
        org: OrgId::v7(at, 1),
        partition: partition(partition_number),
        received_at: at,
        key_id: 0,
        body,
    }
}

pub(super) fn number_of(record: &Record) -> u64 {
    u64::from_be_bytes(record.frame.body[..8].try_into().unwrap())
}

pub(super) fn small() -> JournalLimits {
    JournalLimits { segment_len: 16 << 10, ..JournalLimits::default() }
}

pub(super) fn clock() -> Clock {
    Clock::manual(Timestamp::from_unix_millis(1_700_000_000_000))
}

pub(super) fn open(disk: &FaultyDisk) -> (Journal, Recovery) {
    Journal::open(disk.clone(), clock(), small()).unwrap()
}

pub(super) fn all_of(journal: &Journal) -> Vec<Record> {
    journal.replay(LogOffset::default()).map(Result::unwrap).collect()
}

pub(super) fn numbers(records: &[Record]) -> Vec<u64> {
    records.iter().map(number_of).collect()
}

#[test]
fn what_was_appended_is_read_back_in_order_with_numbers_of_its_own() {
    let disk = FaultyDisk::new();
    let (journal, recovery) = open(&disk);
    let (end, torn, last_at, unrecorded_since) = (LogOffset::default(), None, None, None);
    assert_eq!(recovery, Recovery { segments: 0, end, torn, last_at, unrecorded_since });
    for number in 0..200 {
        let durable = journal.append(vec![entry(number, number % 2, 300)]).wait().unwrap();
        let want = Position { partition: partition(number % 2), seq: number / 2 + 1 };
        assert_eq!(durable.positions(), [want]);
        assert!(durable.covers(want));
        assert!(!durable.covers(Position { seq: want.seq + 1, ..want }));
    }
    assert_eq!(numbers(&all_of(&journal)), Vec::from_iter(0..200));
    let end = journal.end();
    journal.close();

    // 200 frames of 364 bytes need several segments of 16 KiB; only the newest is read.
    let (journal, recovery) = open(&disk);
    assert_eq!((recovery.end, recovery.torn), (end, None));
    assert!(recovery.segments > 4, "{recovery:?}");
    let durable = journal.append(vec![entry(200, 0, 8)]).wait().unwrap();
    assert_eq!(durable.positions(), [Position { partition: partition(0), seq: 101 }]);
    assert_eq!(numbers(&all_of(&journal)), Vec::from_iter(0..=200));
    // Every record says where to resume.
    for record in all_of(&journal) {
        let rest: Vec<_> = journal.replay(record.offset).map(Result::unwrap).collect();
        assert_eq!(numbers(&rest), Vec::from_iter(number_of(&record) + 1..=200));
    }
}

#[test]
fn many_groups_share_one_sync() {
    let disk = FaultyDisk::new();
    let (journal, _) = open(&disk);
    journal.append(vec![entry(0, 0, 8)]).wait().unwrap();
    disk.hold_syncs();
    let first = journal.append(vec![entry(1, 0, 8)]);
    // The writer stands in the sync of the first; all others gather meanwhile.
    while journal.status().queue_groups > 0 {
        thread::yield_now();
    }
    let tickets: Vec<_> = (2..100).map(|n| journal.append(vec![entry(n, 0, 8)])).collect();
    disk.release_syncs();
    first.wait().unwrap();
    for ticket in tickets {
        ticket.wait().unwrap();
    }
    let status = journal.status();
    assert_eq!((status.groups, status.commits), (100, 3));
    let synced = |what: &&Happened| matches!(what, Happened::Synced { .. });
    assert_eq!(disk.happened().iter().filter(synced).count(), 3);
}

#[test]
fn no_ack_comes_before_its_bytes_are_synced() {
    let disk = FaultyDisk::new();
    let (journal, _) = open(&disk);
    thread::scope(|scope| {
        for sender in 0..4 {
            let (journal, disk) = (journal.clone(), disk.clone());
            scope.spawn(move || {
                for number in 0..40 {
                    let number = sender * 1_000 + number;
                    let durable = journal.append(vec![entry(number, sender, 50)]).wait().unwrap();
                    // At the very moment of the ack the power goes and takes all it can.
                    let survivor: Arc<dyn Storage> = Arc::new(disk.after_worst_crash());
                    let found = replay(survivor, LogOffset::default()).unwrap();
                    let mut found = found.map(Result::unwrap);
                    assert!(
                        found.any(|record| {
                            durable.covers(record.frame.position) && number_of(&record) == number
                        }),
                        "number {number} was acknowledged and is not there"
                    );
                }
            });
        }
    });
}

#[test]
fn a_long_body_is_written_in_parts_and_read_back_whole() {
    let dir = tempfile::tempdir().unwrap();
    let storage = FileStorage::folder(dir.path()).unwrap();
    let (journal, _) = Journal::open(storage, clock(), JournalLimits::default()).unwrap();
    let lengths = [8, BODY_LEN_MAX, BODY_LEN_MAX + 1, 3 * BODY_LEN_MAX, 20];
    let group = (0..).zip(lengths).map(|(number, len)| entry(number, 0, len)).collect();
    let durable = journal.append(group).wait().unwrap();
    let read = all_of(&journal);
    assert_eq!(read.iter().map(|r| r.frame.body.len()).collect::<Vec<_>>(), lengths);
    assert_eq!(numbers(&read), [0, 1, 2, 3, 4]);
    assert!(read.iter().all(|record| record.frame.kind == 0x1234));
    // A body in parts stands where its last part stands: 2 parts, then 4.
    let positions: Vec<_> = read.iter().map(|record| record.frame.position).collect();
    assert_eq!(positions, durable.positions());
    assert_eq!(positions.iter().map(|position| position.seq).collect::<Vec<_>>(), [1, 2, 4, 8, 9]);
}

#[test]
fn a_group_is_bounded_and_so_is_the_queue() {
    let disk = FaultyDisk::new();
    let limits = JournalLimits { queue_groups_max: 4, queue_len_max: 10_000, ..small() };
    let (journal, _) = Journal::open(disk.clone(), clock(), limits).unwrap();
    let room = usize::try_from(limits.segment_len).unwrap() / 4 * 3;
    let body = room - record::FRAME_LEN_MIN;
    assert!(matches!(
        journal.append(vec![entry(0, 0, body + 1)]).wait(),
        Err(AppendError::TooLong { len }) if len == room + 1
    ));
    disk.hold_syncs();
    let first = journal.append(vec![entry(1, 0, 8)]);
    while journal.status().queue_groups > 0 {
        thread::yield_now();
    }
    let tickets: Vec<_> = (2..6).map(|n| journal.append(vec![entry(n, 0, 8)])).collect();
    assert!(matches!(journal.append(vec![entry(6, 0, 8)]).wait(), Err(AppendError::Busy)));
    disk.release_syncs();
    first.wait().unwrap();
    tickets.into_iter().for_each(|ticket| drop(ticket.wait().unwrap()));
    assert_eq!(numbers(&all_of(&journal)), [1, 2, 3, 4, 5]);

    disk.hold_syncs();
    let first = journal.append(vec![entry(7, 0, 8)]);
    while journal.status().queue_groups > 0 {
        thread::yield_now();
    }
    let second = journal.append(vec![entry(8, 0, 9_000)]);
    assert!(matches!(journal.append(vec![entry(9, 0, 1_000)]).wait(), Err(AppendError::Busy)));
    disk.release_syncs();
    drop((first.wait().unwrap(), second.wait().unwrap()));
}

#[tokio::test]
async fn whoever_asks_for_room_waits_until_the_queue_is_half_empty() {
    let disk = FaultyDisk::new();
    let limits = JournalLimits { queue_groups_max: 4, ..small() };
    let (journal, _) = Journal::open(disk.clone(), clock(), limits).unwrap();
    journal.room().await;
    disk.hold_syncs();
    let first = journal.append(vec![entry(0, 0, 8)]);
    while journal.status().queue_groups > 0 {
        tokio::task::yield_now().await;
    }
    let second = journal.append(vec![entry(1, 0, 8)]);
    journal.room().await;
    let third = journal.append(vec![entry(2, 0, 8)]);
    let asking = journal.clone();
    let room = tokio::spawn(async move { asking.room().await });
    tokio::task::yield_now().await;
    assert!(!room.is_finished());
    disk.release_syncs();
    room.await.unwrap();
    for ticket in [first, second, third] {
        ticket.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_asks_for_room_waits_for_the_reader_that_decides() {
    let (journal, _) = open(&FaultyDisk::new());
    let len = 4_000;
    let mut number = 0;
    let mut fill = |journal: &Journal, until: u64| {
        while journal.end().bytes() < until {
            journal.append(vec![entry(number, 0, len)]).wait().unwrap();
            number += 1;
        }
        journal.end().bytes()
    };
    // Nobody sets a pace: there is room however long the log is.
    let end = tokio::task::block_in_place(|| fill(&journal, limits::BEHIND_LEN_MAX + 1));
    journal.room().await;
    let pacer = journal.pace(LogOffset::from_bytes(end - limits::BEHIND_LEN_MAX));
    journal.room().await;
    pacer.came_to(LogOffset::from_bytes(end - limits::BEHIND_LEN_MAX - 1));
    let waits = |journal: &Journal| {
        let room = std::pin::pin!(journal.room());
        let mut context = Context::from_waker(std::task::Waker::noop());
        room.poll(&mut context).is_pending()
    };
    let asks = |journal: &Journal| {
        let asking = journal.clone();
        tokio::spawn(async move { asking.room().await })
    };
    assert!(waits(&journal), "one byte beyond");
    let room = asks(&journal);
    // Decisions never wait.
    drop(journal.append(vec![entry(9_999, 0, 8)]).await.unwrap());
    assert!(waits(&journal) && !room.is_finished());
    pacer.came_to(journal.end());
    room.await.unwrap();
    // A reader that is gone holds nobody up, nor does a journal that is closed.
    pacer.came_to(LogOffset::default());
    let room = asks(&journal);
    drop(pacer);
    room.await.unwrap();
    let _pacer = journal.pace(LogOffset::default());
    let room = asks(&journal);
    tokio::task::yield_now().await;
    tokio::task::spawn_blocking(move || journal.close()).await.unwrap();
    room.await.unwrap();
}

#[test]
fn a_closed_journal_writes_what_is_queued_and_takes_nothing_more() {
    let disk = FaultyDisk::new();
    let (journal, _) = open(&disk);
    let tickets: Vec<_> = (0..50).map(|n| journal.append(vec![entry(n, 0, 8)])).collect();
    let late = journal.clone();
    journal.close();
    tickets.into_iter().for_each(|ticket| drop(ticket.wait().unwrap()));
    assert!(matches!(late.append(vec![entry(50, 0, 8)]).wait(), Err(AppendError::Closed)));
    drop(late);
    assert_eq!(numbers(&all_of(&open(&disk).0)), Vec::from_iter(0..50));
}

#[test]
fn a_body_of_record_comes_back_as_it_went() {
    let disk = FaultyDisk::new();
    let (journal, _) = open(&disk);
    let body = Body::ClockStep(ClockStep { jumped_ns: -5 });
    let (kind, body_version, bytes) = body.encode();
    let step = Entry { kind, body_version, body: bytes, ..entry(0, 0, 8) };
    journal.append(vec![step]).wait().unwrap();
    let read = all_of(&journal);
    let frame = &read[0].frame;
    assert_eq!(frame.kind, Kinds::CLOCK_STEP);
    assert_eq!(Body::decode(frame.kind, frame.body_version, &frame.body), Ok(body));
}

#[test]
fn partitions_are_bounded_so_that_a_head_always_names_them_all() {
    let disk = FaultyDisk::new();
    let limits = JournalLimits { partitions_max: 40, ..small() };
    let open = || Journal::open(disk.clone(), clock(), limits).unwrap();
    let (journal, _) = open();
    for number in 0..40 {
        journal.append(vec![entry(number, number, 8)]).wait().unwrap();
    }
    // The whole group is refused, and its neighbours in the commit are not.
    let refused = journal.append(vec![entry(40, 1, 8), entry(41, 40, 8)]);
    let kept = journal.append(vec![entry(42, 39, 8)]);
    let error = refused.wait().unwrap_err().to_string();
    let want = "the log has 40 partitions and takes no further one; use those that are there";
    assert_eq!(error, want);
    kept.wait().unwrap();
    journal.close();
    let (journal, _) = open();
    assert!(journal.append(vec![entry(43, 40, 8)]).wait().is_err());
    assert_eq!(numbers(&all_of(&journal)), Vec::from_iter((0..40).chain([42])));
}

#[test]
fn the_head_of_a_log_with_all_its_partitions_is_one_frame_and_is_read_back() {
    let disk = FaultyDisk::new();
    let limits = JournalLimits { segment_len: 4 << 20, ..JournalLimits::default() };
    let open = || Journal::open(disk.clone(), clock(), limits).unwrap();
    let (journal, _) = open();
    let count = u64::try_from(crate::limits::PARTITIONS_MAX).unwrap();
    journal.append((0..count).map(|number| entry(number, number, 8)).collect()).wait().unwrap();
    // Into the next segments, whose heads name them all.
    for number in count..count + 4 {
        journal.append(vec![entry(number, number - count, 900_000)]).wait().unwrap();
    }
    journal.close();
    let (journal, recovery) = open();
    assert!(recovery.segments > 1, "{recovery:?}");
    let durable = journal.append(vec![entry(count + 4, count - 1, 8)]).wait().unwrap();
    assert_eq!(durable.positions()[0].seq, 2);
    assert_eq!(numbers(&all_of(&journal)), Vec::from_iter(0..count + 5));
}

#[test]
fn a_segment_without_its_head_is_never_acknowledged() {
    let disk = FaultyDisk::new();
    // A bound that is wrong: the head of so many partitions is longer than a frame.
    let limits =
        JournalLimits { segment_len: 8 << 20, partitions_max: 80_000, ..JournalLimits::default() };
    let open = || Journal::open(disk.clone(), clock(), limits).unwrap();
    let (journal, _) = open();
    for first in [0, 40_000] {
        let group = (first..first + 40_000).map(|number| entry(number, number, 8)).collect();
        journal.append(group).wait().unwrap();
    }
    let mut acknowledged = Vec::from_iter(0..80_000);
    // Twenty of these need three segments.
    let mut refused = None;
    for number in 80_000..80_020 {
        match journal.append(vec![entry(number, 0, 900_000)]).wait() {
            Ok(_) => acknowledged.push(number),
            Err(error) => {
                refused = Some(error);
                break;
            }
        }
    }
    let Some(error) = refused else { panic!("a segment without a head was acknowledged") };
    assert!(matches!(error, AppendError::Fault(_)), "{error}");
    journal.close();
    assert_eq!(numbers(&all_of(&open().0)), acknowledged);
}

#[tokio::test]
async fn whoever_asks_hears_when_all_that_is_durable_was_decided_and_when_nobody_decides() {
    let (journal, _) = open(&FaultyDisk::new());
    journal.append(vec![entry(1, 0, 100)]).await.unwrap();
    assert!(!journal.decided().await);
    let asks = || {
        let asking = journal.clone();
        tokio::spawn(async move { asking.decided().await })
    };
    let pacer = journal.pace(LogOffset::default());
    let decided = asks();
    pacer.came_to(LogOffset::from_bytes(journal.end().bytes() - 1));
    tokio::task::yield_now().await;
    assert!(!decided.is_finished());
    pacer.came_to(journal.end());
    assert!(decided.await.unwrap() && journal.decided().await);
    pacer.came_to(LogOffset::default());
    let decided = asks();
    tokio::task::yield_now().await;
    drop(pacer);
    assert!(!decided.await.unwrap());
}
