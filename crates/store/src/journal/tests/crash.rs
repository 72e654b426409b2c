//! Power cuts at random calls, with whatever the disk happened to keep, against a model
//! that only remembers what was said.

use std::{
    collections::{BTreeMap, BTreeSet},
    panic,
};

use super::*;

/// What was appended and what was promised, in plain lists.
#[derive(Default)]
struct Model {
    /// Every group ever appended, in order.
    groups: Vec<Vec<u64>>,
    /// What may never be missed: acknowledged, or shown by an earlier restart.
    promised: BTreeMap<u64, Position>,
}

impl Model {
    /// Compares what a restart shows with what was said before.
    fn check(&self, found: &[Record]) {
        let numbers = numbers(found);
        let order: Vec<u64> = self.groups.iter().flatten().copied().collect();
        let mut rest = order.iter();
        for number in &numbers {
            assert!(rest.any(|each| each == number), "{number} is a phantom or out of order");
        }
        let there: BTreeSet<_> = numbers.iter().copied().collect();
        for group in &self.groups {
            let count = group.iter().filter(|number| there.contains(number)).count();
            assert!(count == 0 || count == group.len(), "a group is half there: {group:?}");
        }
        let places: BTreeMap<_, _> =
            found.iter().map(|each| (number_of(each), each.frame.position)).collect();
        for (number, position) in &self.promised {
            assert_eq!(places.get(number), Some(position), "{number} was promised and is gone");
        }
        let mut last = BTreeMap::new();
        for Position { partition, seq } in found.iter().map(|record| record.frame.position) {
            let before = last.insert(partition, seq).unwrap_or(0);
            assert!(seq > before, "number {seq} comes after {before}");
        }
    }

    fn promise(&mut self, found: &[Record]) {
        let places = found.iter().map(|each| (number_of(each), each.frame.position));
        self.promised.extend(places);
    }
}

/// Appends groups until the power goes, and says what the disk keeps.
fn live(disk: &FaultyDisk, model: &mut Model, draw: &mut Draw) -> FaultyDisk {
    disk.write_short(draw.below(u64::MAX));
    let (journal, _) = match Journal::open(disk.clone(), clock(), small()) {
        Ok(opened) => opened,
        Err(OpenError::Io(_)) if disk.is_dark() => return disk.after_crash(draw.below(1 << 30)),
        Err(error) => panic!("{error}"),
    };
    let found = all_of(&journal);
    model.check(&found);
    model.promise(&found);
    disk.cut_power_in(draw.below(60));
    let mut waiting = Vec::new();
    for _ in 0..40 {
        let first = model.groups.iter().flatten().max().map_or(0, |last| last + 1);
        let group: Vec<u64> = (first..=first + draw.below(4)).collect();
        let entries = group.iter().map(|number| {
            let len = usize::try_from(draw.below(1_500)).unwrap();
            entry(*number, draw.below(3), len)
        });
        waiting.push((group.clone(), journal.append(entries.collect())));
        model.groups.push(group);
        if draw.below(3) == 0 {
            answer(&mut waiting, model);
        }
    }
    answer(&mut waiting, model);
    drop(journal);
    disk.after_crash(draw.below(1 << 30))
}

fn answer(waiting: &mut Vec<(Vec<u64>, Ticket)>, model: &mut Model) {
    for (group, ticket) in waiting.drain(..) {
        if let Ok(durable) = ticket.wait() {
            model.promised.extend(group.into_iter().zip(durable.positions().iter().copied()));
        }
    }
}

fn three_lives(seed: u64, disturb: impl Fn(&FaultyDisk)) {
    let (mut draw, mut model) = (Draw(seed), Model::default());
    let mut disk = FaultyDisk::new();
    for _ in 0..3 {
        disturb(&disk);
        disk = live(&disk, &mut model, &mut draw);
    }
    let (journal, _) = open(&disk);
    model.check(&all_of(&journal));
}

#[test]
fn every_promised_frame_survives_a_thousand_power_cuts() {
    for seed in 0..1_000 {
        three_lives(seed, |_| {});
    }
}

#[test]
fn the_same_power_cuts_show_a_journal_whose_syncs_do_nothing() {
    let quiet = panic::take_hook();
    panic::set_hook(Box::new(|_| {}));
    let caught = (0..50)
        .filter(|seed| {
            panic::catch_unwind(|| three_lives(*seed, FaultyDisk::lie_about_syncs)).is_err()
        })
        .count();
    panic::set_hook(quiet);
    assert!(caught > 25, "only {caught} of 50 runs noticed that nothing was synced");
}

#[test]
fn a_torn_tail_is_reported_and_zeroed_wherever_it_is_cut() {
    let disk = FaultyDisk::new();
    let (journal, _) = open(&disk);
    journal.append(vec![entry(0, 0, 100)]).wait().unwrap();
    let end = journal.end();
    disk.hold_syncs();
    let ticket = journal.append(vec![entry(1, 0, 700), entry(2, 0, 700)]);
    let written = |disk: &FaultyDisk| {
        disk.happened().iter().filter(|what| matches!(what, Happened::Wrote { .. })).count()
    };
    while written(&disk) < 2 {
        thread::yield_now();
    }
    let mut seen = BTreeSet::new();
    for seed in 0..400 {
        let survivor = disk.after_crash(seed);
        let (journal, recovery) = open(&survivor);
        match recovery.torn {
            None => assert!(matches!(numbers(&all_of(&journal))[..], [0] | [0, 1, 2])),
            Some(torn) => {
                assert_eq!(torn.offset, end);
                assert_eq!(numbers(&all_of(&journal)), [0]);
                seen.insert((torn.len, torn.frames));
            }
        }
        // What was zeroed never comes back.
        journal.append(vec![entry(3, 0, 8)]).wait().unwrap();
        drop(journal);
        assert_eq!(open(&survivor).1.torn, None);
    }
    assert!(seen.len() > 50, "{} different tails", seen.len());
    disk.release_syncs();
    ticket.wait().unwrap();
}

#[test]
fn damage_is_never_taken_for_a_torn_tail() {
    let disk = FaultyDisk::new();
    let (journal, _) = open(&disk);
    let mut ends = vec![journal.end()];
    for number in 0..5 {
        journal.append(vec![entry(number, 0, 200)]).wait().unwrap();
        ends.push(journal.end());
    }
    journal.close();
    // The head and its first commit, then one commit after the other.
    for (commit, range) in ends.windows(2).enumerate() {
        let (from, to) = (range[0].bytes(), range[1].bytes());
        for at in (from..to).step_by(7) {
            let copy = disk.after_worst_crash();
            copy.rot(LogOffset::default(), usize::try_from(at).unwrap());
            match Journal::open(copy.clone(), clock(), small()) {
                Err(OpenError::Damaged { segment, offset, .. }) => {
                    assert!(commit < 4, "the last commit has nothing behind it");
                    assert_eq!(segment, LogOffset::default());
                    assert!(offset.bytes() <= at, "{offset} for {at}");
                    // Nothing was changed.
                    assert!(copy.happened().is_empty());
                }
                Ok((_, recovery)) => {
                    assert_eq!(commit, 4, "a flipped bit at {at} passed as a torn tail");
                    assert_eq!(recovery.torn.map(|torn| torn.offset), Some(ends[4]));
                }
                Err(error) => panic!("{error}"),
            }
        }
    }
}

#[test]
fn a_last_commit_that_ends_in_zeros_still_shows_the_damage_before_it() {
    let mut in_zeros = 0;
    for filler in 0..256 {
        let disk = FaultyDisk::new();
        let (journal, _) = open(&disk);
        journal.append(vec![entry(0, 0, 200 + filler)]).wait().unwrap();
        let before = journal.end();
        journal.append(vec![entry(1, 0, 200)]).wait().unwrap();
        let end = journal.end();
        journal.close();
        let mut last = [0];
        let at = end.bytes() - 1;
        disk.read(LogOffset::default(), at, &mut last).unwrap();
        in_zeros += u32::from(last == [0]);
        disk.rot(LogOffset::default(), usize::try_from(before.bytes()).unwrap() - 100);
        let opened = Journal::open(disk, clock(), small()).err();
        assert!(matches!(opened, Some(OpenError::Damaged { .. })), "{filler}: {opened:?}");
    }
    assert!(in_zeros > 0, "no length made a commit end in zeros");
}

#[test]
fn damage_in_an_older_segment_is_named_when_it_is_read() {
    let disk = FaultyDisk::new();
    let (journal, _) = open(&disk);
    for number in 0..100 {
        journal.append(vec![entry(number, 0, 300)]).wait().unwrap();
    }
    journal.close();
    disk.rot(LogOffset::default(), 5_000);
    let (journal, _) = open(&disk);
    let read: Vec<_> = journal.replay(LogOffset::default()).collect();
    let (last, before) = read.split_last().unwrap();
    assert!(before.iter().all(Result::is_ok));
    let Err(ReadError::Damaged { segment, offset, .. }) = last else { panic!("{last:?}") };
    assert_eq!(*segment, LogOffset::default());
    assert!((4_000..=5_000).contains(&offset.bytes()), "{offset}");
}

#[test]
fn a_segment_that_a_crash_left_empty_is_used() {
    let disk = FaultyDisk::new();
    let (journal, _) = open(&disk);
    for number in 0..30 {
        journal.append(vec![entry(number, number % 3, 300)]).wait().unwrap();
    }
    let end = journal.end();
    journal.close();
    disk.create(end, small().segment_len).unwrap();
    let (journal, recovery) = open(&disk);
    assert_eq!((recovery.end, recovery.torn), (end, None));
    let durable = journal.append(vec![entry(30, 0, 300)]).wait().unwrap();
    assert_eq!(durable.positions()[0].seq, 11);
    assert_eq!(numbers(&all_of(&journal)), Vec::from_iter(0..=30));
}

#[test]
fn an_envelope_of_a_newer_program_is_refused_by_name() {
    let disk = FaultyDisk::new();
    let (journal, _) = open(&disk);
    journal.append(vec![entry(0, 0, 8)]).wait().unwrap();
    let end = journal.end();
    journal.close();
    let (mut bytes, fields) = (vec![0, 0, 0, 64, 0, 0, 0, 0], [2_u8; 64]);
    let crc = crc32c::crc32c_append(crc32c::crc32c(&bytes[..4]), &fields);
    bytes[4..].copy_from_slice(&crc.to_be_bytes());
    bytes.extend(fields);
    disk.write(LogOffset::default(), end.bytes(), &bytes).unwrap();
    let error = Journal::open(disk, clock(), small()).unwrap_err().to_string();
    let want = "the segment that begins at 0 was written by a newer program: envelope version 2";
    assert_eq!(error, want);
}
