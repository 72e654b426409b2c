//! Chunks that are not what was sealed: named, never served, and made again.

use super::*;
use crate::{DamageState, DamagedChunk, DamagedSpan};

const MINUTE_MS: i64 = 60_000;

fn sql(series: &Series, change: &str) -> usize {
    series.0.database.write(|tx| Ok(tx.execute(change, [])?)).unwrap()
}

/// Flips bits of one byte of the blob of a chunk, wherever in it.
fn rot(series: &Series, first: i64, part: f64, bits: u8) {
    series
        .0
        .database
        .write(|tx| {
            let of = "WHERE codec = 1 AND first = ?1";
            let ask = format!("SELECT bytes FROM chunk {of}");
            let mut bytes: Vec<u8> = tx.query_row(&ask, [first], |row| row.get(0))?;
            let at = ((bytes.len() - 1) as f64 * part) as usize;
            bytes[at] ^= bits;
            let put = format!("UPDATE chunk SET bytes = ?2 {of}");
            Ok(tx.execute(&put, rusqlite::params![first, bytes])?)
        })
        .unwrap();
}

/// Four chunks of 50 minutes each, a value a minute, and what the journal would say of them.
fn ward() -> (Place, Series, Vec<Point>) {
    let place = Place::new();
    let series = place.open();
    let id = series.series(&key("HR", "/min"));
    let mut all = Vec::new();
    for chunk in 0..4 {
        for minute in 0..50 {
            let it = point((chunk * 100 + minute) * MINUTE_MS, 700 + minute);
            assert_eq!(series.push(id, it), Pushed::Kept);
            all.push(it);
        }
        series.seal(offset(10), b"state").unwrap();
    }
    assert_eq!(chunks(&series), 4);
    (place, series, all)
}

const LAST_MS: i64 = 400 * MINUTE_MS;

fn of_chunk(all: &[Point], chunk: usize) -> &[Point] {
    &all[chunk * 50..(chunk + 1) * 50]
}

fn span_of(points: &[Point]) -> DamagedSpan {
    let end = points.last().unwrap().at.unix_nanos() + 1;
    DamagedSpan { from: points[0].at, to: Timestamp::from_unix_nanos(end) }
}

fn without(all: &[Point], chunk: usize) -> Vec<Point> {
    let lost = of_chunk(all, chunk);
    all.iter().filter(|it| !lost.contains(it)).copied().collect()
}

fn asked(series: &Series) -> (Vec<Point>, Vec<DamagedSpan>) {
    let mut answer = series.query(&question(-1, LAST_MS)).unwrap();
    assert!(answer.stretches.len() <= 1);
    (answer.stretches.pop().map(|it| it.items).unwrap_or_default(), answer.damaged)
}

fn noted(series: &Series) -> Vec<DamagedChunk> {
    series.note_damage(at(1)).unwrap();
    series.damage().unwrap()
}

fn mend(series: &Series, chunk: &DamagedChunk, offered: &[Point], is_gone: bool) -> DamageState {
    let mut mend = series.begin_mend(chunk).unwrap().unwrap();
    assert_eq!((mend.key(), mend.up_to()), (&key("HR", "/min"), offset(10)));
    for point in offered {
        if mend.has_all() {
            break;
        }
        mend.offer(*point);
    }
    mend.finish(is_gone, at(2)).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn whichever_byte_of_a_chunk_is_flipped_the_rest_is_answered_and_the_chunk_is_made_again(
        chunk in 0_usize..4,
        part in 0.0_f64..1.0,
        bits in 1_u8..=255,
        twice in any::<bool>(),
    ) {
        let (place, series, all) = ward();
        rot(&series, i64::try_from(chunk * 50).unwrap(), part, bits);
        let mut met = series.damage_met();
        let wanted = (without(&all, chunk), vec![span_of(of_chunk(&all, chunk))]);
        prop_assert_eq!(asked(&series), wanted.clone());
        prop_assert!(met.has_changed().unwrap());
        met.borrow_and_update();
        // Met again it is no news, and it is noted once, also after a restart.
        prop_assert_eq!(asked(&series), wanted.clone());
        prop_assert!(!met.has_changed().unwrap());
        let found = noted(&series);
        prop_assert_eq!((found.len(), found[0].state, found[0].items), (1, DamageState::Waits, 50));
        drop(series);
        let series = place.open();
        prop_assert_eq!(asked(&series), wanted.clone());
        prop_assert_eq!(noted(&series), found.clone());
        // A question about another time does not meet it.
        let elsewhere = i64::try_from((chunk + 1) % 4).unwrap() * 100;
        let other = question(elsewhere * MINUTE_MS, (elsewhere + 60) * MINUTE_MS);
        let answer = series.query(&other).unwrap();
        prop_assert_eq!((answer.stretches[0].items.len(), answer.damaged.len()), (50, 0));
        // The journal may have a message twice; the series have it once.
        let mut journal: Vec<Point> = all.clone();
        if twice {
            journal.splice(0..0, all.iter().step_by(7).copied());
        }
        prop_assert_eq!(mend(&series, &found[0], &journal, false), DamageState::Mended);
        prop_assert_eq!(asked(&series), (all, vec![]));
        prop_assert_eq!(series.check_chunks().unwrap(), (4, vec![]));
        let after = series.damage().unwrap();
        prop_assert_eq!((after.len(), after[0].state), (1, DamageState::Mended));
        // What stood there is put aside.
        let aside = "SELECT length(bytes) > 20 FROM damage";
        let aside = series.0.database.read(|db| db.query_row(aside, [], |row| row.get::<_, bool>(0)));
        prop_assert!(aside.unwrap());
        prop_assert!(series.begin_mend(&found[0]).unwrap().is_none());
    }
}

#[test]
fn a_flipped_column_beside_the_blob_is_met_like_one_in_it() {
    for (column, is_mended) in [
        ("crc = crc + 1", true),
        ("row_sum = row_sum + 1", true),
        ("row_sum = NULL", true),
        ("count = count - 1", true),
        ("count = 0", true),
        ("bytes = zeroblob(0)", true),
        ("bytes = zeroblob(100000)", true),
    ] {
        let (_place, series, all) = ward();
        sql(&series, &format!("UPDATE chunk SET {column} WHERE first = 150"));
        assert_eq!(
            asked(&series),
            (without(&all, 3), vec![span_of(of_chunk(&all, 3))]),
            "{column}"
        );
        let chunk = noted(&series).remove(0);
        // What comes next is beside it, whatever its row says of its length.
        let id = series.series(&key("HR", "/min"));
        let next = point(390 * MINUTE_MS, 1);
        let _ = series.push(id, next);
        series.seal(offset(10), b"state").unwrap();
        assert_eq!(asked(&series).0.last(), Some(&next));
        let journal: Vec<Point> = all.iter().copied().chain([next]).collect();
        let came = mend(&series, &chunk, &journal, false);
        assert_eq!(came == DamageState::Mended, is_mended, "{column}: {came:?}");
        assert_eq!(asked(&series), (journal, vec![]), "{column}");
        assert_eq!(series.check_chunks().unwrap(), (5, vec![]), "{column}");
    }
}

#[test]
fn what_the_journal_has_no_longer_or_otherwise_stays_a_gap() {
    let (place, series, all) = ward();
    rot(&series, 50, 0.5, 1);
    let chunk = {
        asked(&series);
        noted(&series).remove(0)
    };
    let wanted = (without(&all, 1), vec![span_of(of_chunk(&all, 1))]);
    let mut short = all.clone();
    short.remove(70);
    let mut other = all.clone();
    other[50].at = at(100 * MINUTE_MS + 1);
    for (offered, is_gone, state) in [
        (&[][..], true, DamageState::Gone),
        (&short, true, DamageState::Gone),
        (&short, false, DamageState::Differs),
        (&other, false, DamageState::Differs),
    ] {
        assert_eq!(mend(&series, &chunk, offered, is_gone), state);
        assert_eq!(asked(&series), wanted);
        assert_eq!(series.damage().unwrap()[0].state, state);
        assert_eq!(noted(&series).len(), 1);
    }
    drop(series);
    let series = place.open();
    assert_eq!(asked(&series), wanted);
    // A later program that knows better may try again.
    let chunk = noted(&series).remove(0);
    assert_eq!(mend(&series, &chunk, &all, false), DamageState::Mended);
    assert_eq!(asked(&series), (all, vec![]));
}

#[test]
fn chunks_that_are_gone_row_and_all_are_missed_and_made_again() {
    for (chunk, lost) in [(0, 0), (2, 100), (3, 150)] {
        let (_place, series, all) = ward();
        sql(&series, &format!("DELETE FROM chunk WHERE first = {lost}"));
        let (count, damaged) = series.check_chunks().unwrap();
        let words = format!("series 0, codec 1, items {lost} to {}, which no chunk has", lost + 49);
        assert_eq!((count, damaged), (3, vec![words]));
        // No question can know; a look does.
        assert_eq!(asked(&series), (without(&all, chunk), vec![]));
        let mut rests = 0;
        assert_eq!(series.look_for_damage(at(1), &mut || rests += 1).unwrap(), 1);
        // One for the values, one for the waveforms that there are none of.
        assert_eq!((series.look_for_damage(at(2), &mut || {}).unwrap(), rests), (0, 2));
        let (found, damaged) = asked(&series);
        assert_eq!((found, damaged.len()), (without(&all, chunk), 1));
        let known = series.damage().unwrap().remove(0);
        assert_eq!((known.items, known.state), (50, DamageState::Waits));
        // What is sealed meanwhile does not take its place.
        let id = series.series(&key("HR", "/min"));
        let next = point(399 * MINUTE_MS, 1);
        let _ = series.push(id, next);
        series.seal(offset(10), b"state").unwrap();
        let journal: Vec<Point> = all.iter().copied().chain([next]).collect();
        assert_eq!(mend(&series, &known, &journal, false), DamageState::Mended, "{lost}");
        assert_eq!(asked(&series), (journal, vec![]), "{lost}");
        assert_eq!(series.check_chunks().unwrap(), (5, vec![]), "{lost}");
    }
}

/// Seals two chunks over one span, and what they hold, in the order of receipt.
fn one_over_the_other(series: &Series, id: SeriesId) -> Vec<Point> {
    let mut all = Vec::new();
    // The second sealing brings what lay between the values of the first, hours later.
    for (late, begin) in [(0, 0), (100, 30_000)] {
        for minute in 0..55 {
            let it = Point {
                received_at: at((minute + late) * MINUTE_MS),
                ..point(minute * MINUTE_MS + begin, minute)
            };
            let _ = series.push(id, it);
            all.push(it);
        }
        // Another chunk, as the one before is an hour long already.
        let far = point((1_000 + late * 10) * MINUTE_MS, 1);
        let _ = series.push(id, far);
        all.push(far);
        series.seal(offset(10), b"state").unwrap();
    }
    all
}

#[test]
fn chunks_that_lie_over_each_other_are_made_again_together() {
    let place = Place::new();
    let series = place.open();
    let id = series.series(&key("HR", "/min"));
    let mut all = one_over_the_other(&series, id);
    assert_eq!(chunks(&series), 4);
    rot(&series, 0, 0.3, 4);
    rot(&series, 56, 0.7, 8);
    let wide = question(-1, 10_000 * MINUTE_MS);
    let answer = series.query(&wide).unwrap();
    assert_eq!((answer.stretches[0].items.len(), answer.damaged.len()), (2, 1));
    let found = noted(&series);
    assert_eq!(found.len(), 2);
    assert_eq!(mend(&series, &found[0], &all, false), DamageState::Mended);
    assert!(series.begin_mend(&found[1]).unwrap().is_none(), "both are");
    let answer = series.query(&wide).unwrap();
    all.sort_by_key(|it| (it.at, it.received_at));
    assert_eq!((&answer.stretches[0].items, answer.damaged), (&all, vec![]));
}

#[test]
fn a_waveform_is_made_again_to_the_last_sample() {
    let place = Place::new();
    let series = place.open();
    let id = series.series(&key("HR", "uV"));
    let all: Vec<WaveSpan> = (0..150).map(|n| span(n * 1_000, 250)).collect();
    for each in &all {
        let _ = series.push_wave(id, each.clone());
    }
    series.seal(offset(10), b"state").unwrap();
    let count = chunks(&series);
    assert!(count >= 2);
    sql(&series, "UPDATE chunk SET bytes = zeroblob(1000) WHERE first = 0");
    let answer = series.query_wave(&question(0, 150_000)).unwrap();
    let lost = answer.damaged[0];
    let left = answer.stretches[0].items.len();
    assert!(left < 150 && answer.damaged.len() == 1);
    let chunk = noted(&series).remove(0);
    assert_eq!((chunk.is_wave, chunk.items), (true, 150 - left as u64));
    // Both looks at what is there say the same.
    for detail in [WaveDetail::Blocks, WaveDetail::Chunks] {
        let (there, damaged) =
            series.wave_there(&question(0, 150_000), detail, Duration::ZERO).unwrap();
        let before_end = Timestamp::from_unix_nanos(lost.to.unix_nanos() - 1);
        assert!(there.iter().all(|it| it.from >= before_end), "{detail:?}");
        assert_eq!((there[0].from, damaged), (before_end, vec![lost]), "{detail:?}");
    }
    let mut mend = series.begin_mend(&chunk).unwrap().unwrap();
    all.iter().for_each(|each| mend.offer_wave(each.clone()));
    assert_eq!(mend.finish(false, at(2)).unwrap(), DamageState::Mended);
    let answer = series.query_wave(&question(0, 150_000)).unwrap();
    assert_eq!((&answer.stretches[0].items, answer.damaged), (&all, vec![]));
}

#[test]
fn a_newer_version_of_the_tables_does_not_call_a_damaged_row_sound() {
    let (place, series, all) = ward();
    rot(&series, 100, 0.1, 32);
    drop(series);
    let db = rusqlite::Connection::open(place.0.path().join("series.sqlite")).unwrap();
    let before = "DROP TABLE tally; DROP TABLE damage; DROP TABLE IF EXISTS correction;
                  ALTER TABLE roll_stale DROP COLUMN row_sum; PRAGMA user_version = 4;";
    db.execute_batch(before).unwrap();
    drop(db);
    let series = place.open();
    assert_eq!(asked(&series), (without(&all, 2), vec![span_of(of_chunk(&all, 2))]));
    let chunk = noted(&series).remove(0);
    assert_eq!(mend(&series, &chunk, &all, false), DamageState::Mended);
    assert_eq!(series.check_chunks().unwrap(), (4, vec![]));
}

#[test]
fn a_look_in_pieces_finds_what_one_look_at_all_finds() {
    for page in 1..6 {
        for lost in [0, 50, 100, 150] {
            let (_place, series, _) = ward();
            sql(&series, &format!("DELETE FROM chunk WHERE first = {lost}"));
            let damaged = (lost + 50) % 200;
            rot(&series, damaged, 0.5, 1);
            let mut rests = 0;
            assert_eq!(series.look_in_pages(at(1), page, &mut || rests += 1).unwrap(), 2);
            // Three chunks that are there, the first beside the pieces, and a look at waveforms.
            assert_eq!(rests, 2 / page + 2, "{page}");
            let mut found: Vec<_> = noted(&series).iter().map(|it| (it.first, it.items)).collect();
            found.sort_unstable();
            let mut wanted = vec![(lost, 50), (damaged, 50)];
            wanted.sort_unstable();
            assert_eq!(found, wanted, "{page}");
            assert_eq!(series.look_in_pages(at(1), page, &mut || {}).unwrap(), 0);
        }
    }
}

/// The sound chunk of another series, and where its row is.
fn neighbour(series: &Series) -> i64 {
    let other = series.series(&key("SpO2", "%"));
    let _ = series.push(other, point(0, 97));
    series.seal(offset(10), b"state").unwrap();
    let ask = "SELECT rowid FROM chunk WHERE series = 1";
    series.0.database.read(|db| db.query_row(ask, [], |row| row.get(0))).unwrap()
}

#[test]
fn a_note_that_a_flipped_bit_points_at_a_sound_chunk_is_not_believed() {
    let (place, series, all) = ward();
    let other = neighbour(&series);
    rot(&series, 50, 0.5, 1);
    asked(&series);
    let was = noted(&series).remove(0);
    sql(&series, &format!("UPDATE damage SET place = {other}"));
    drop(series);
    let series = place.open();
    assert_eq!(series.damage().unwrap(), vec![]);
    assert_eq!(series.drop_damaged_notes().unwrap(), 1);
    assert_eq!(series.drop_damaged_notes().unwrap(), 0);
    // It is found anew, and made again.
    assert_eq!(asked(&series).1, vec![span_of(of_chunk(&all, 1))]);
    let found = noted(&series);
    assert_eq!((found.len(), found[0].place), (1, was.place));
    assert_eq!(mend(&series, &found[0], &all, false), DamageState::Mended);
    assert_eq!(series.check_chunks().unwrap(), (5, vec![]));
}

#[test]
fn a_note_of_a_row_that_is_gone_is_not_believed_once_a_bit_of_it_was_flipped() {
    let (_place, series, all) = ward();
    sql(&series, "DELETE FROM chunk WHERE first = 50");
    assert_eq!(series.look_for_damage(at(1), &mut || {}).unwrap(), 1);
    assert_eq!(asked(&series).1.len(), 1);
    sql(&series, "UPDATE damage SET min_at = min_at - 1000000000");
    assert_eq!(asked(&series), (without(&all, 1), vec![]));
    assert_eq!(series.look_for_damage(at(2), &mut || {}).unwrap(), 1);
    assert_eq!(series.damage().unwrap()[0].found_at, at(2));
}

#[test]
fn only_the_chunk_that_is_meant_is_taken_out_and_only_if_it_is_damaged() {
    let (_place, series, all) = ward();
    let other = neighbour(&series);
    rot(&series, 50, 0.5, 1);
    asked(&series);
    let good = noted(&series).remove(0);
    let ask = "SELECT rowid FROM chunk WHERE first = 100";
    let next = series.0.database.read(|db| db.query_row(ask, [], |row| row.get(0))).unwrap();
    for place in [Some(other), Some(next), Some(9_999), None] {
        let wrong = DamagedChunk { place, ..good.clone() };
        series.settle_damage(&wrong, DamageState::Waits, at(2)).unwrap();
        let came = mend(&series, &wrong, &all, false);
        assert!(came != DamageState::Mended, "{place:?}: {came:?}");
        let (count, damaged) = series.check_chunks().unwrap();
        assert_eq!((count, damaged.len()), (5, 1), "{place:?}");
    }
    series.settle_damage(&good, DamageState::Waits, at(2)).unwrap();
    assert_eq!(mend(&series, &good, &all, false), DamageState::Mended);
    assert_eq!(series.check_chunks().unwrap(), (5, vec![]));
}

#[test]
fn a_chunk_of_which_nobody_knows_how_many_items_it_had_is_not_made_again_of_none() {
    let (_place, series, all) = ward();
    sql(&series, "DELETE FROM chunk WHERE first = 100");
    rot(&series, 150, 0.5, 1);
    sql(&series, "UPDATE tally SET items = items + 1");
    assert_eq!(series.look_for_damage(at(1), &mut || {}).unwrap(), 2);
    let found = noted(&series);
    let last = found.iter().find(|it| it.first == 150).unwrap();
    assert_eq!(last.items, 0);
    assert_eq!(mend(&series, last, &all[..150], false), DamageState::Differs);
    let (count, damaged) = series.check_chunks().unwrap();
    assert_eq!((count, damaged.len()), (3, 2), "{damaged:?}");
}

#[test]
fn a_chunk_waits_for_one_over_it_that_was_not_met_yet() {
    let place = Place::new();
    let series = place.open();
    let id = series.series(&key("HR", "/min"));
    let all = one_over_the_other(&series, id);
    rot(&series, 0, 0.3, 4);
    series.query(&question(-1, 10_000 * MINUTE_MS)).unwrap();
    let first = noted(&series).remove(0);
    rot(&series, 56, 0.7, 8);
    assert_eq!(mend(&series, &first, &all, false), DamageState::Waits);
    assert_eq!(series.damage().unwrap()[0].state, DamageState::Waits);
    assert_eq!(noted(&series).len(), 2);
    assert_eq!(mend(&series, &first, &all, false), DamageState::Mended);
    assert_eq!(series.check_chunks().unwrap(), (4, vec![]));
}

#[test]
fn of_a_row_that_is_gone_everything_is_offered_before_anything_is_believed() {
    let (_place, series, all) = ward();
    sql(&series, "DELETE FROM chunk WHERE first = 100");
    assert_eq!(series.look_for_damage(at(1), &mut || {}).unwrap(), 1);
    let lost = noted(&series).remove(0);
    // One value more than was sealed, ahead of them: which of them these were nobody can say.
    let mut journal = all.clone();
    journal.insert(100, point(199 * MINUTE_MS, 7));
    assert_eq!(mend(&series, &lost, &journal, false), DamageState::Differs);
    assert_eq!(mend(&series, &lost, &all, false), DamageState::Mended);
    assert_eq!(asked(&series), (all, vec![]));
}

#[test]
fn what_stood_there_first_is_kept_whatever_becomes_of_the_chunk_later() {
    let (_place, series, all) = ward();
    let aside = || {
        let ask = "SELECT bytes FROM damage";
        series.0.database.read(|db| db.query_row(ask, [], |row| row.get::<_, Option<Vec<u8>>>(0)))
    };
    rot(&series, 50, 0.5, 1);
    asked(&series);
    let chunk = noted(&series).remove(0);
    assert_eq!(mend(&series, &chunk, &all, false), DamageState::Mended);
    let kept = aside().unwrap();
    assert!(kept.is_some());
    rot(&series, 50, 0.5, 2);
    asked(&series);
    let chunk = noted(&series).remove(0);
    assert_eq!((chunk.state, aside().unwrap()), (DamageState::Waits, kept.clone()));
    assert_eq!(mend(&series, &chunk, &[], true), DamageState::Gone);
    assert_eq!(aside().unwrap(), kept);
}

#[test]
fn roll_ups_that_are_thrown_away_call_no_row_of_another_table_sound() {
    let (_place, series, all) = ward();
    sql(&series, "UPDATE chunk SET row_sum = NULL WHERE first = 50");
    series.forget_rolls().unwrap();
    assert_eq!(asked(&series), (without(&all, 1), vec![span_of(of_chunk(&all, 1))]));
}
