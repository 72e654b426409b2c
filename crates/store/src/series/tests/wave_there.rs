//! Where a waveform is there: told without its samples, as its samples would tell it.

use super::{corrected::correction, *};

const JOIN: Duration = Duration::from_millis(250);

/// What is there by the samples themselves: each sample's interval, and whether it means anything.
fn by_samples(series: &Series, asked: &Question) -> (Vec<i64>, Vec<i64>) {
    let (mut there, mut doubted) = (Vec::new(), Vec::new());
    for stretch in series.query_wave(asked).unwrap().stretches {
        for span in stretch.items {
            for n in 0..u32::try_from(span.samples.len()).unwrap() {
                // 250 Hz: four milliseconds a sample.
                let at = span.at.unix_nanos() / 1_000_000 + i64::from(n) * 4;
                let is_doubted = |it: &Invalid| (it.start..it.start + it.len).contains(&n);
                if span.invalid.iter().any(is_doubted) {
                    doubted.push(at);
                } else {
                    there.push(at);
                }
            }
        }
    }
    there.sort_unstable();
    doubted.sort_unstable();
    (there, doubted)
}

/// The same by what is told of the blocks.
fn by_blocks(series: &Series, asked: &Question) -> (Vec<i64>, Vec<i64>) {
    let ms = |at: Timestamp| at.unix_nanos() / 1_000_000;
    let (mut there, mut doubted) = (Vec::new(), Vec::new());
    let (told, damaged) = series.wave_there(asked, WaveDetail::Blocks, Duration::ZERO).unwrap();
    assert_eq!(damaged, []);
    for it in told {
        for at in (ms(it.from)..ms(it.to)).step_by(4) {
            let is_doubted = |(from, to, _): &(Timestamp, Timestamp, MissingReason)| {
                (ms(*from)..ms(*to)).contains(&at)
            };
            if it.doubts.iter().any(is_doubted) {
                doubted.push(at);
            } else {
                there.push(at);
            }
        }
    }
    there.sort_unstable();
    doubted.sort_unstable();
    (there, doubted)
}

#[test]
fn blocks_tell_what_their_samples_would_in_memory_and_sealed() {
    let place = Place::new();
    let series = place.open();
    let id = series.series(&key("HR", "mV"));
    // Two minutes of blocks of a second, a hole in them, and one that came last.
    let blocks = (0..120).filter(|n| !(40..47).contains(n) && *n != 90).chain([90]);
    for n in blocks {
        let block = span(n * 1_000, 250);
        let sound = WaveSpan { invalid: [].into(), ..block.clone() };
        let _ = series.push_wave(id, if n % 3 == 0 { block } else { sound });
    }
    for asked in [question(0, 120_000), question(10_500, 60_250), question(41_000, 46_000)] {
        assert!(by_blocks(&series, &asked) == by_samples(&series, &asked), "{asked:?}");
    }
    // What a person withdraws is there and means nothing, in the middle of blocks as well.
    series.correct(correction(1, (20_300, 22_002), model::Amendment::Withdraw));
    series.seal(offset(1), b"").unwrap();
    let _ = series.push_wave(id, span(120_000, 250));
    assert!(by_blocks(&series, &question(0, 130_000)).1.len() > 420);
    for asked in [question(0, 130_000), question(10_500, 60_250), question(41_000, 46_000)] {
        assert!(by_blocks(&series, &asked) == by_samples(&series, &asked), "{asked:?}");
    }
}

#[test]
fn what_follows_within_the_join_is_one_stretch_and_what_is_doubted_stands_alone() {
    let place = Place::new();
    let series = place.open();
    let id = series.series(&key("HR", "mV"));
    // At odd milliseconds nothing is doubted. A second each; 250 ms between the second and the
    // third, one more between the third and the fourth; the last is doubted.
    for at in [1, 1_001, 2_251, 3_502, 4_502] {
        let sound = WaveSpan { invalid: [].into(), ..span(at, 250) };
        let _ = series.push_wave(id, if at == 4_502 { span(at, 250) } else { sound });
    }
    let check = |series: &Series| {
        let (told, _) = series.wave_there(&question(0, 9_000), WaveDetail::Blocks, JOIN).unwrap();
        let ends: Vec<(Timestamp, Timestamp)> = told.iter().map(|it| (it.from, it.to)).collect();
        let want = [(1, 3_251), (3_502, 4_502), (4_502, 5_502)];
        assert_eq!(ends, want.map(|(from, to)| (at(from), at(to))));
        assert_eq!(told[2].doubts, [(at(4_514), at(4_522), MissingReason::SensorDetached)]);
    };
    check(&series);
    series.seal(offset(1), b"").unwrap();
    check(&series);
}

#[test]
fn the_times_of_chunks_are_told_without_reading_one() {
    let place = Place::new();
    let series = place.open();
    let id = series.series(&key("HR", "mV"));
    for n in (0..180).filter(|n| !(60..120).contains(n)) {
        let _ = series.push_wave(id, span(n * 1_000, 250));
    }
    series.seal(offset(1), b"").unwrap();
    let _ = series.push_wave(id, span(180_000, 250));
    let told = |from: i64, to: i64| -> Vec<(Timestamp, Timestamp)> {
        let asked = question(from, to);
        let (told, _) = series.wave_there(&asked, WaveDetail::Chunks, JOIN).unwrap();
        told.iter().map(|it| (it.from, it.to)).collect()
    };
    // The first and the last minute, and what memory has behind it, block by block.
    let all = told(0, 200_000);
    assert_eq!((all[0], all.len()), ((at(0), at(60_000)), 3), "{all:?}");
    assert_eq!((all[1].0, all[2]), (at(120_000), (at(180_000), at(181_000))), "{all:?}");
    assert_eq!(told(60_000, 120_000), []);
    // A damaged chunk is told as there until somebody reads it: the rows are not looked at.
    let rot = "UPDATE chunk SET bytes = zeroblob(length(bytes))";
    series.0.database.write(|tx| Ok(tx.execute(rot, [])?)).unwrap();
    assert_eq!(told(0, 60_000), [(at(0), at(60_000))]);
    let (blocks, damaged) =
        series.wave_there(&question(0, 60_000), WaveDetail::Blocks, JOIN).unwrap();
    assert_eq!((blocks.len(), damaged.len()), (0, 1));
}
