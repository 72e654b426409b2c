//! Thinned segments are read as the log that they were, each replaced entry in its place; and
//! whatever interrupts a thinning, one sound form is left.

use std::collections::{BTreeMap, BTreeSet};

use super::{super::thin::thin, *};
use crate::{Form, Storage as _, verify_journal};

const STUB: u16 = 0x0777;

fn stub(record: &Record) -> Stub {
    Stub { kind: STUB, body_version: 3, body: record.frame.body[..8].to_vec() }
}

/// A journal of several segments, and all of its records.
fn filled(seed: u64, groups: u64) -> (FaultyDisk, Vec<Record>) {
    let disk = FaultyDisk::new();
    let (journal, _) = open(&disk);
    let (mut draw, mut number) = (Draw(seed), 0);
    for _ in 0..groups {
        let count = 1 + draw.below(4);
        let group = (0..count).map(|_| {
            number += 1;
            entry(number, draw.below(3), 100 + usize::try_from(draw.below(900)).unwrap())
        });
        journal.append(group.collect()).wait().unwrap();
    }
    journal.close();
    let all = all(&disk);
    (disk, all)
}

fn all(disk: &FaultyDisk) -> Vec<Record> {
    replay(Arc::new(disk.clone()), LogOffset::default()).unwrap().map(Result::unwrap).collect()
}

/// Some entries of a stretch, to be replaced.
fn some(
    all: &[Record],
    from: LogOffset,
    to: LogOffset,
    draw: &mut Draw,
) -> BTreeMap<LogOffset, Stub> {
    let within = all.iter().filter(|it| it.offset > from && it.offset <= to);
    within.filter(|_| draw.below(4) > 0).map(|it| (it.offset, stub(it))).collect()
}

/// What is to be read once these are replaced.
fn replaced(all: &[Record], stubs: &BTreeMap<LogOffset, Stub>) -> Vec<Record> {
    let one = |record: &Record| {
        let mut record = record.clone();
        if let Some(stub) = stubs.get(&record.offset) {
            let frame = &mut record.frame;
            (frame.kind, frame.body_version, frame.body) =
                (stub.kind, stub.body_version, stub.body.clone());
        }
        record
    };
    all.iter().map(one).collect()
}

fn old(disk: &FaultyDisk) -> Vec<(LogOffset, LogOffset)> {
    let segments = disk.segments().unwrap();
    let pairs = segments.windows(2).map(|pair| (pair[0].start, pair[1].start));
    pairs.take(segments.len() - crate::limits::SEGMENTS_WHOLE_MIN).collect()
}

#[test]
fn every_reader_gives_the_log_as_it_was_with_what_stands_in_the_places_of_some() {
    for seed in 0..40 {
        let (disk, before) = filled(seed, 200);
        let (mut draw, mut stubs) = (Draw(seed), BTreeMap::new());
        let whole = verify_journal(&disk).unwrap();
        for (from, to) in old(&disk) {
            let these = some(&before, from, to, &mut draw);
            if draw.below(5) == 0 {
                continue;
            }
            let mut noted = None;
            let done = thin(&disk, from, &these, |it| noted.replace(*it).is_none()).unwrap();
            assert_eq!((noted, done.from, done.to), (Some(done), from, to));
            assert_eq!(done.entries, u64::try_from(these.len()).unwrap());
            assert_eq!(done.bytes_before, to.minus(from));
            let segments = disk.segments().unwrap();
            let now = segments.iter().find(|it| it.start == from).unwrap();
            assert_eq!((now.form, now.len), (Form::Thinned, done.bytes));
            stubs.extend(these);
        }
        let wanted = replaced(&before, &stubs);
        assert_eq!(all(&disk), wanted, "{seed}");
        for _ in 0..8 {
            let skip = usize::try_from(draw.below(before.len() as u64)).unwrap();
            let found = replay(Arc::new(disk.clone()), wanted[skip].offset).unwrap();
            let found: Vec<Record> = found.map(Result::unwrap).collect();
            assert_eq!(found, wanted[skip + 1..], "{seed}");
        }
        let report = verify_journal(&disk).unwrap();
        assert!(report.is_sound(), "{seed}: {report:?}");
        assert_eq!((report.end, report.commits), (whole.end, whole.commits));
        assert_eq!(report.shortened.frames, stubs.len() as u64);
        assert_eq!(report.frames.values().sum::<u64>(), before.len() as u64);
        // It is opened, followed and written on as if nothing had happened.
        let (journal, recovery) = open(&disk);
        assert_eq!((recovery.end, recovery.torn), (whole.end, None));
        journal.append(vec![entry(1_000_000, 1, 300)]).wait().unwrap();
        assert_eq!(journal.replay(LogOffset::default()).count(), before.len() + 1);
        journal.close();
        assert!(verify_journal(&disk).unwrap().is_sound());
    }
}

/// A journal whose first segment is thinned by every second entry, and what it says.
fn thinned() -> (FaultyDisk, Vec<Record>, LogOffset) {
    let (disk, before) = filled(7, 200);
    let (from, to) = old(&disk)[0];
    let within = before.iter().filter(|it| it.offset <= to);
    let stubs: BTreeMap<_, _> = within.step_by(2).map(|it| (it.offset, stub(it))).collect();
    thin(&disk, from, &stubs, |_| true).unwrap();
    (disk, replaced(&before, &stubs), to)
}

#[test]
fn a_flipped_bit_anywhere_in_a_thinned_segment_is_named_and_nothing_garbled_is_served() {
    let (disk, wanted, to) = thinned();
    let len = disk.read_thinned(LogOffset::default()).unwrap().len();
    for at in (0..len).step_by(3).chain(len - 8..len) {
        let copy = disk.copy();
        copy.rot(LogOffset::default(), at);
        let report = verify_journal(&copy).unwrap();
        assert_eq!(report.damage.len(), 1, "{at}: {report:?}");
        assert!(report.damage[0].place.starts_with("journal segment 0, offset "), "{report:?}");
        let found: Vec<_> = replay(Arc::new(copy), LogOffset::default()).unwrap().collect();
        let error = found.last().unwrap().as_ref().unwrap_err();
        let is_named = matches!(error, ReadError::Damaged { segment, offset, .. }
            if *segment == LogOffset::default() && *offset < to);
        assert!(is_named, "{at}: {error}");
        let sound: Vec<Record> = found.into_iter().filter_map(Result::ok).collect();
        assert_eq!(sound, wanted[..sound.len()], "{at}");
    }
}

#[test]
fn a_thinned_segment_that_is_cut_short_or_goes_on_behind_its_end_is_damaged() {
    let (disk, wanted, _) = thinned();
    let bytes = disk.read_thinned(LogOffset::default()).unwrap();
    let bad = [
        bytes[..bytes.len() - 1].to_vec(),
        bytes[..bytes.len() / 2].to_vec(),
        Vec::new(),
        [&bytes[..], &[7; 90]].concat(),
        [&bytes[..], &bytes[..200]].concat(),
    ];
    for bad in bad {
        let copy = disk.copy();
        copy.put_thinned(LogOffset::default(), &bad).unwrap();
        let report = verify_journal(&copy).unwrap();
        assert_eq!(report.damage.len(), 1, "{}: {report:?}", bad.len());
        let found: Vec<_> = replay(Arc::new(copy), LogOffset::default()).unwrap().collect();
        assert!(found.last().unwrap().is_err(), "{}", bad.len());
        let sound: Vec<Record> = found.into_iter().filter_map(Result::ok).collect();
        assert_eq!(sound, wanted[..sound.len()]);
    }
}

#[test]
fn while_both_forms_are_there_the_whole_one_counts() {
    let (disk, before) = filled(3, 200);
    disk.put_thinned(LogOffset::default(), b"not a segment at all").unwrap();
    assert_eq!(disk.segments().unwrap()[0].form, Form::Whole);
    assert_eq!(all(&disk), before);
    assert!(verify_journal(&disk).unwrap().is_sound());
    // What an interrupted thinning left is written over.
    let (from, to) = old(&disk)[0];
    let stubs = some(&before, from, to, &mut Draw(1));
    thin(&disk, from, &stubs, |_| true).unwrap();
    assert_eq!(all(&disk), replaced(&before, &stubs));
}

#[test]
fn whenever_the_power_goes_one_sound_form_is_left() {
    let (disk, before) = filled(5, 200);
    let (from, to) = old(&disk)[1];
    let stubs = some(&before, from, to, &mut Draw(2));
    let wanted = replaced(&before, &stubs);
    let mut left = BTreeSet::new();
    for calls in 0..8 {
        for seed in 0..6 {
            let copy = disk.copy();
            copy.cut_power_in(calls);
            let mut noted = false;
            let done = thin(&copy, from, &stubs, |_| {
                noted = true;
                true
            });
            let after = copy.after_crash(seed);
            let form = after.segments().unwrap()[1].form;
            let found = all(&after);
            assert!(verify_journal(&after).unwrap().is_sound());
            match form {
                Form::Whole => assert_eq!(found, before),
                Form::Thinned => assert_eq!(found, wanted),
            }
            assert!(noted || form == Form::Whole, "nobody noted what is thinned");
            assert!(done.is_err() || form == Form::Thinned, "what was done is undone");
            // Whatever was left, the next attempt ends well.
            if form == Form::Whole {
                thin(&after, from, &stubs, |_| true).unwrap();
            }
            assert_eq!(all(&after), wanted);
            left.insert((calls, form == Form::Thinned));
        }
    }
    // The power went before, between and after every step.
    assert!(left.contains(&(0, false)) && left.contains(&(7, true)), "{left:?}");
    let both = (0..8).filter(|at| left.contains(&(*at, true)) && left.contains(&(*at, false)));
    assert_eq!(both.count(), 1, "{left:?}");
}

#[test]
fn a_disk_that_fails_leaves_the_whole_form() {
    use crate::storage::Fault;
    let (disk, before) = filled(5, 200);
    let (from, to) = old(&disk)[0];
    let stubs = some(&before, from, to, &mut Draw(2));
    for (fault, calls) in [
        (Fault::ReadError, 0),
        (Fault::ReadError, 1),
        (Fault::ReadError, 2),
        (Fault::WriteError, 0),
        (Fault::SyncError, 0),
    ] {
        let copy = disk.copy();
        copy.fail_in(fault, calls);
        let failed = thin(&copy, from, &stubs, |_| panic!("recorded before it was read back"));
        assert!(matches!(failed, Err(ThinError::Io { .. })), "{fault:?} {calls}: {failed:?}");
        assert_eq!((copy.segments().unwrap()[0].form, all(&copy)), (Form::Whole, before.clone()));
        copy.read_thinned(from).unwrap_err();
    }
    let refused = thin(&disk, from, &stubs, |_| false);
    assert!(matches!(refused, Err(ThinError::NotRecorded)), "{refused:?}");
    // What does not count takes no room.
    disk.read_thinned(from).unwrap_err();
    assert_eq!((disk.segments().unwrap()[0].form, all(&disk)), (Form::Whole, before.clone()));
    // Damage is a person's to mend, and is not carried over.
    disk.rot(from, usize::try_from(before[3].offset.bytes()).unwrap() - 20);
    let damaged = thin(&disk, from, &stubs, |_| true);
    assert!(matches!(damaged, Err(ThinError::Damaged { .. })), "{damaged:?}");
}

#[test]
fn the_newest_segments_and_frames_of_the_log_itself_are_never_replaced() {
    let (disk, before) = filled(9, 200);
    let segments = disk.segments().unwrap();
    let first_new = segments.len() - crate::limits::SEGMENTS_WHOLE_MIN;
    for segment in &segments[first_new..] {
        let refused = thin(&disk, segment.start, &BTreeMap::new(), |_| true);
        assert!(matches!(refused, Err(ThinError::NotThinned { .. })), "{refused:?}");
    }
    thin(&disk, segments[first_new - 1].start, &BTreeMap::new(), |_| true).unwrap();
    let (from, to) = old(&disk)[0];
    let short = stub(&before[0]);
    let long = Stub { body: vec![0; 2_000], ..short.clone() };
    let within = before[0].offset;
    // A head, a commit, half an entry, one of another segment, and one that would grow.
    let head = disk.segments().unwrap()[0].start.plus(1);
    for (at, stub) in [
        (head, &short),
        (to, &short),
        (LogOffset(within.bytes() - 1), &short),
        (before.last().unwrap().offset, &short),
        (within, &long),
    ] {
        let refused = thin(&disk, from, &[(at, stub.clone())].into(), |_| true);
        assert!(matches!(refused, Err(ThinError::NoEntry { .. })), "{at}: {refused:?}");
    }
    for kind in [COMMIT, Kinds::SEGMENT_HEAD] {
        let stub = Stub { kind, ..short.clone() };
        let refused = thin(&disk, from, &[(within, stub)].into(), |_| true);
        assert!(matches!(refused, Err(ThinError::NotReadBack { .. })), "{refused:?}");
    }
    assert_eq!(all(&disk), before);
    // Twice is once.
    thin(&disk, from, &[(within, short)].into(), |_| true).unwrap();
    let again = thin(&disk, from, &BTreeMap::new(), |_| true);
    assert!(matches!(again, Err(ThinError::NotThinned { .. })), "{again:?}");
}

#[test]
fn a_log_that_ends_with_a_thinned_segment_is_not_written_on() {
    let (disk, _, to) = thinned();
    for segment in disk.segments().unwrap().iter().filter(|it| it.start >= to) {
        disk.lose(segment.start);
    }
    let refused = Journal::open(disk, clock(), small()).unwrap_err();
    assert!(
        refused.to_string().contains("the segments that stood behind it are gone"),
        "{refused}"
    );
}

#[test]
fn bodies_in_parts_are_carried_over() {
    let disk = FaultyDisk::new();
    let limits = JournalLimits { segment_len: 2 << 20, ..small() };
    let (journal, _) = Journal::open(disk.clone(), clock(), limits).unwrap();
    journal.append(vec![entry(1, 1, BODY_LEN_MAX + 9)]).wait().unwrap();
    for number in 2..18 {
        journal.append(vec![entry(number, 1, 600_000)]).wait().unwrap();
    }
    journal.close();
    let before = all(&disk);
    let (from, to) = old(&disk)[0];
    let within: Vec<_> = before.iter().filter(|it| it.offset <= to).collect();
    let refused = thin(&disk, from, &[(within[0].offset, stub(within[0]))].into(), |_| true);
    assert!(matches!(refused, Err(ThinError::NoEntry { .. })), "{refused:?}");
    let stubs: BTreeMap<_, _> = within[1..].iter().map(|it| (it.offset, stub(it))).collect();
    thin(&disk, from, &stubs, |_| true).unwrap();
    assert_eq!(all(&disk), replaced(&before, &stubs));
}

#[tokio::test]
async fn whoever_is_reading_files_reads_on_while_they_are_thinned() {
    let place = tempfile::tempdir().unwrap();
    let dir = crate::DataDir::open(place.path()).unwrap();
    let storage = FileStorage::open(&dir).unwrap();
    // What is newest is handed on from memory, so there is little of that.
    let limits = JournalLimits { ring_len_max: 4_096, ring_events_max: 4, ..small() };
    let (journal, _) = Journal::open(storage, clock(), limits).unwrap();
    for number in 0..300 {
        journal.append(vec![entry(number, 1, 600)]).await.unwrap();
    }
    let before: Vec<_> = journal.replay(LogOffset::default()).map(Result::unwrap).collect();
    let mut reading = journal.replay(LogOffset::default());
    let mut follower = journal.follow(LogOffset::default());
    let mut found = vec![reading.next().unwrap().unwrap()];
    let Some(Followed::Durable(first)) = follower.next().await else { panic!() };
    let mut followed = first.len();
    assert_eq!(std::fs::read_to_string(dir.path().join("FORMAT")).unwrap(), "wardline 1\n");
    let mut stubs = BTreeMap::new();
    for (from, to) in journal.thinnable().unwrap() {
        let these: BTreeMap<_, _> = journal
            .replay_between(from, to)
            .map(|it| it.map(|it| (it.offset, stub(&it))).unwrap())
            .collect();
        journal.thin(from, &these, |_| true).unwrap();
        stubs.extend(these);
    }
    assert_eq!(std::fs::read_to_string(dir.path().join("FORMAT")).unwrap(), "wardline 2\n");
    assert!(journal.thinnable().unwrap().is_empty());
    found.extend(reading.map(Result::unwrap));
    assert_eq!(found.len(), before.len());
    let wanted = replaced(&before, &stubs);
    // The piece that was read before is as it was.
    let whole = found.iter().zip(&before).take_while(|(found, before)| found == before).count();
    assert!(whole >= first.len() && found[whole..] == wanted[whole..]);
    while followed < before.len() {
        let Some(Followed::Durable(more)) = follower.next().await else { panic!() };
        assert_eq!(more[..], wanted[followed..followed + more.len()]);
        followed += more.len();
    }
    let kept: Vec<Record> = journal.replay(LogOffset::default()).map(Result::unwrap).collect();
    assert_eq!(kept, wanted);
    drop(follower);
    journal.close();
    // Without series the directory is not whole; its journal is.
    assert!(!crate::verify(&dir).unwrap().is_sound());
    assert!(verify_journal(&FileStorage::open(&dir).unwrap()).unwrap().is_sound());
}
