//! Against what is known: any cut of the same recording is there already, anything else is not.

use model::ClockUsed;
use proptest::prelude::*;
use store::{Invalid, Marks};

use super::*;

const RATE: (u32, u32) = (250, 1);
const BEGINS: Timestamp = Timestamp::from_unix_millis(1_790_000_000_000);

fn span(at: Timestamp, samples: &[i32], invalid: &[Invalid]) -> WaveSpan {
    WaveSpan {
        at,
        received_at: at,
        rate_hz: RATE,
        gain: (5, -3),
        offset: 0,
        samples: samples.into(),
        invalid: invalid.into(),
        marks: Marks { clock: ClockUsed::Device, age_known: true, late: false },
    }
}

/// What is lacking, where there is room for every comparison.
fn lacking(new: &WaveSpan, old: &[WaveSpan]) -> Vec<std::ops::Range<usize>> {
    super::lacking(new, old, &mut u64::MAX.clone()).unwrap()
}

/// Blocks of these lengths, one after the other, each off by so many nanoseconds.
fn blocks(samples: &[i32], lens: &[usize], off_ns: &[i64]) -> Vec<WaveSpan> {
    let mut from = 0;
    let mut all = Vec::new();
    for (len, off) in lens.iter().cycle().zip(off_ns.iter().cycle()) {
        let to = (from + len).min(samples.len());
        if from == to {
            return all;
        }
        let at = at_sample(BEGINS, from, RATE).unix_nanos() + off;
        all.push(span(Timestamp::from_unix_nanos(at), &samples[from..to], &[]));
        from = to;
    }
    all
}

proptest! {
    /// Devices cut a recording otherwise than files do, and their clocks are off by up to 10 ms.
    #[test]
    fn the_same_recording_is_there_however_it_is_cut_and_whatever_its_clock(
        samples in prop_oneof![
            prop::collection::vec(-2_000_i32..2_000, 300..1_500),
            prop::collection::vec(0_i32..2, 300..1_500),
            (300_usize..1_500).prop_map(|len| vec![7; len]),
        ],
        lens in prop::collection::vec(40_usize..300, 1..4),
        off_ns in prop::collection::vec(-9_900_000_i64..9_900_000, 1..8),
        piece in (0_usize..200, 60_usize..1_000),
    ) {
        let old = blocks(&samples, &lens, &off_ns);
        let from = piece.0;
        let to = (from + piece.1).min(samples.len());
        let new = span(at_sample(BEGINS, from, RATE), &samples[from..to], &[]);
        prop_assert_eq!(lacking(&new, &old), Vec::<std::ops::Range<usize>>::new());
    }

    /// What is cut out of the stored recording is found, to the sample where counts tell places.
    #[test]
    fn what_is_not_there_is_lacking(
        seed in 1_i64..1_000_000,
        hole in (100_usize..600, 20_usize..300),
    ) {
        let next = |last: &i64| Some((last * 48_271) % 2_147_483_647);
        let walk = std::iter::successors(Some(seed), next).map(|it| (it % 4_001) as i32);
        let samples: Vec<i32> = walk.take(1_000).collect();
        let (from, to) = (hole.0, hole.0 + hole.1);
        let rest = at_sample(BEGINS, to, RATE);
        let old = [span(BEGINS, &samples[..from], &[]), span(rest, &samples[to..], &[])];
        let new = span(BEGINS, &samples, &[]);
        prop_assert_eq!(lacking(&new, &old), vec![from..to]);
    }
}

#[test]
fn other_counts_at_the_same_time_are_new_but_not_where_the_file_measured_nothing() {
    let samples: Vec<i32> = (0..500).map(|it| (it * 7_919) % 1_000).collect();
    let mut other = samples.clone();
    other[250] += 1;
    let new = span(BEGINS, &other, &[]);
    assert_eq!(lacking(&new, &[span(BEGINS, &samples, &[])]), vec![0..500]);
    let gap = Invalid { start: 250, len: 1, reason: MissingReason::NotMeasured };
    // What is stored as not measured takes the place of nothing that somebody has.
    assert_eq!(lacking(&new, &[span(BEGINS, &samples, &[gap])]), vec![0..500]);
    let new = span(BEGINS, &other, &[gap]);
    assert!(lacking(&new, &[span(BEGINS, &samples, &[])]).is_empty());
    // An electrode that was off says nothing of its counts: they differ.
    let off = Invalid { reason: MissingReason::SensorDetached, ..gap };
    let new = span(BEGINS, &other, &[off]);
    assert_eq!(lacking(&new, &[span(BEGINS, &samples, &[])]), vec![0..500]);
}

#[test]
fn flat_stretches_at_one_time_end_at_a_bound_instead_of_blocking_all_others() {
    let flat = WaveSpan { rate_hz: (100_000, 1), ..span(BEGINS, &[7; 5_000], &[]) };
    let old = vec![flat.clone(); 1_000];
    assert_eq!(super::lacking(&flat, &old, &mut 1_000_000), None);
    // One of them, twice there, is quick: the second place ends the search.
    let mut left = 100_000;
    assert_eq!(super::lacking(&flat, &old[..2], &mut left), Some(Vec::new()));
    assert!(left > 70_000, "{left}");
}

#[test]
fn of_what_a_part_brought_only_stretches_near_in_time_are_looked_at() {
    let mut fresh = Fresh::default();
    let second = |it: i64| Timestamp::from_unix_nanos(BEGINS.unix_nanos() + it * 1_000_000_000);
    fresh.put(span(BEGINS, &[1; 2_500], &[]));
    for at in 20..12_020 {
        fresh.put(span(second(at), &[1; 4], &[]));
    }
    fresh.put(WaveSpan { offset: 9, ..span(second(500), &[1; 4], &[]) });
    for (at, len, want) in [(500, 4, 1), (9, 4, 1), (15, 4, 0), (5, 6_000, 11), (20, 250, 2)] {
        let new = span(second(at), &vec![1; len], &[]);
        assert_eq!(fresh.near(&new).count(), want, "{at} {len}");
    }
}

#[test]
fn equal_numbers_are_equal_however_they_are_spelled() {
    for (one, other, same) in [
        ((720, -1), (72, 0), true),
        ((72, 0), (7_200, -2), true),
        ((5, 3), (5_000, 0), true),
        ((0, -3), (0, 4), true),
        ((72, 0), (73, 0), false),
        ((-72, 0), (72, 0), false),
        ((i64::MIN, i8::MAX), (i64::MIN, i8::MAX), true),
    ] {
        assert_eq!(bare(Ok(one)) == bare(Ok(other)), same, "{one:?} {other:?}");
    }
}
