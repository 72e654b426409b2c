//! A chunk that is damaged on disk is made again from the journal, as long as that has it.

use std::{cell::Cell, path::Path};

use store::{Answer, DamageState, LogOffset, Point, WaveSpan};

use super::{thinning::PLETH, *};
use crate::{Reading, Remake};

const SATURATION: &str = "MDC_PULS_OXIM_SAT_O2";

/// Flips a bit in the middle of every chunk of a codec that lies before an instant; says of how many.
fn rot(folder: &Path, codec: u8, before: Timestamp) -> usize {
    let db = rusqlite::Connection::open(folder.join("series.sqlite")).unwrap();
    let ask = "SELECT rowid, bytes FROM chunk WHERE codec = ?1 AND max_at < ?2";
    let row = |row: &rusqlite::Row<'_>| Ok((row.get::<_, i64>(0)?, row.get::<_, Vec<u8>>(1)?));
    let mut statement = db.prepare(ask).unwrap();
    let found = statement.query_map((codec, before.unix_nanos()), row).unwrap();
    let found: Vec<_> = found.map(Result::unwrap).collect();
    for (place, mut bytes) in found.clone() {
        let middle = bytes.len() / 2;
        bytes[middle] ^= 0x10;
        let put = "UPDATE chunk SET bytes = ?2 WHERE rowid = ?1";
        db.execute(put, (place, bytes)).unwrap();
    }
    found.len()
}

impl Run {
    fn asked_of(&self, channel: &str) -> Ask {
        let (org, device, channel) = (id(1), id(MONITOR), channel.into());
        Ask { org, device, channel, from: at(0), to: at(10_000) }
    }

    fn values(&self) -> Answer<Point> {
        self.series.query(&self.asked_of(SATURATION)).unwrap()
    }

    fn curve_with_gaps(&self) -> Answer<WaveSpan> {
        self.series.query_wave(&self.asked_of(PLETH)).unwrap()
    }

    /// Tries every damaged chunk as a running server does; what became of each, and how much of
    /// the journal was read for it.
    fn mend(&self) -> Vec<(DamageState, u64)> {
        self.series.note_damage(at(9_000)).unwrap();
        let segments = self.journal.segments().unwrap();
        let starts: Vec<LogOffset> = segments.iter().map(|it| it.start).collect();
        let reads = Cell::new(0_u64);
        let read = |from: LogOffset, to: LogOffset| -> Result<Reading, ReadError> {
            reads.set(reads.get() + 1);
            Ok(Box::new(self.journal.replay_between(from, to)))
        };
        let (directory, setup) = (self.engine.directory(), setup());
        let remake = Remake { starts: &starts, read: &read, directory: &directory, setup: &setup };
        let mut came = Vec::new();
        for chunk in self.series.damage().unwrap() {
            reads.set(0);
            let one = remake.chunk(&self.series, &chunk, at(9_001), &mut || {}).unwrap();
            came.extend(one.map(|state| (state, reads.get())));
        }
        came
    }
}

fn states(came: &[(DamageState, u64)]) -> Vec<DamageState> {
    let mut states: Vec<DamageState> = came.iter().map(|it| it.0).collect();
    states.dedup();
    states
}

#[tokio::test]
async fn damaged_values_and_waveforms_are_made_again_from_the_segments_of_their_time() {
    let house = House::new();
    house.with_waves().await;
    let run = house.run().await;
    run.written().await;
    let (values, curve) = (run.values(), run.curve_with_gaps());
    assert!(!values.stretches.is_empty() && curve.damaged.is_empty());
    assert_eq!(rot(house.folder.path(), 1, at(10_000)), 1);
    let waves = rot(house.folder.path(), 2, at(400));
    assert!(waves > 3, "{waves}");
    let lost = run.curve_with_gaps();
    assert_eq!((run.values().stretches.len(), run.values().damaged.len()), (0, 1));
    assert!(lost.stretches[0].items.len() < curve.stretches[0].items.len());
    assert!(lost.stretches[0].items.iter().all(|it| curve.stretches[0].items.contains(it)));
    let came = run.mend();
    assert_eq!((came.len(), states(&came)), (waves + 1, vec![DamageState::Mended]));
    // A handful of looks finds the place among the segments; nothing is read twice.
    let segments = u64::try_from(run.journal.segments().unwrap().len()).unwrap();
    assert!(segments > 5 && came.iter().all(|it| it.1 < segments), "{segments}: {came:?}");
    assert_eq!((run.values(), run.curve_with_gaps()), (values, curve));
    assert_eq!(run.mend(), []);
}

#[tokio::test]
async fn samples_that_went_from_the_journal_stay_a_gap_and_what_stayed_whole_is_made_again() {
    let house = House::new();
    house.with_waves().await;
    let run = house.run().await;
    run.written().await;
    let (values, curve) = (run.values(), run.curve_with_gaps());
    let (run, found) = super::thinning::thin(run, at(1_000_000)).await;
    let thinned = super::thinning::done(&found);
    assert!(thinned.len() >= 3, "{found:?}");
    let last_thinned = thinned.last().unwrap().received.unwrap().1;
    assert!(rot(house.folder.path(), 2, at(10_000)) > 20);
    rot(house.folder.path(), 1, at(10_000));
    let lost = run.curve_with_gaps();
    assert!(lost.stretches.is_empty() && lost.damaged.len() == 1, "{lost:?}");
    run.values();
    let came = run.mend();
    assert!(came.iter().all(|it| it.0 != DamageState::Waits));
    // Readings and the newest blocks are in the journal.
    assert_eq!(run.values(), values);
    let after = run.curve_with_gaps();
    let is_of_whole = |it: &&WaveSpan| it.received_at > last_thinned.after(Duration::from_secs(70));
    let whole: Vec<&WaveSpan> = curve.stretches[0].items.iter().filter(is_of_whole).collect();
    assert!(whole.len() > 50, "{}", whole.len());
    assert!(whole.iter().all(|it| after.stretches[0].items.contains(it)));
    assert!(after.stretches[0].items.iter().all(|it| curve.stretches[0].items.contains(it)));
    // The rest is told, and stays told.
    let gone = run.series.damage().unwrap();
    let gone = gone.iter().filter(|it| it.state == DamageState::Gone).count();
    assert!(gone > 5 && !after.damaged.is_empty(), "{gone}");
    assert_eq!(run.curve_with_gaps(), after);
}

#[tokio::test]
async fn a_journal_that_cannot_be_read_for_one_chunk_keeps_no_other_from_being_made_again() {
    let house = House::new();
    house.with_waves().await;
    let run = house.run().await;
    run.written().await;
    let waves = rot(house.folder.path(), 2, at(400));
    run.curve_with_gaps();
    run.series.note_damage(at(9_000)).unwrap();
    let segments = run.journal.segments().unwrap();
    let starts: Vec<LogOffset> = segments.iter().map(|it| it.start).collect();
    let reads = Cell::new(0_u64);
    let read = |from: LogOffset, to: LogOffset| -> Result<Reading, ReadError> {
        reads.set(reads.get() + 1);
        if reads.get() == 1 {
            let source = std::io::Error::other("a sector is gone");
            return Err(ReadError::Io { segment: from, source });
        }
        Ok(Box::new(run.journal.replay_between(from, to)))
    };
    let (directory, setup) = (run.engine.directory(), setup());
    let remake = Remake { starts: &starts, read: &read, directory: &directory, setup: &setup };
    let chunks = run.series.damage().unwrap();
    let mut told = Vec::new();
    let now = || at(9_001);
    let waiting = remake.each(&run.series, &chunks, &now, &mut || {}, &mut |_, came| {
        told.push(came.as_ref().map(|state| *state).map_err(|error| error.to_string()));
    });
    assert_eq!((waiting, told.len()), (0, waves));
    assert_eq!(told[0], Err("the journal cannot be read".to_owned()));
    assert!(told[1..].iter().all(|it| *it == Ok(Some(DamageState::Mended))), "{told:?}");
    let left = run.series.damage().unwrap();
    let left: Vec<_> = left.iter().filter(|it| it.state != DamageState::Mended).collect();
    assert_eq!((left.len(), left[0].state), (1, DamageState::Differs));
    assert_eq!((left[0].span, left[0].settled_at), (chunks[0].span, Some(at(9_001))));
}

#[tokio::test]
async fn reading_begins_a_segment_early_as_clocks_of_gateways_are_fast() {
    let house = House::new();
    house.with_waves().await;
    let run = house.run().await;
    run.written().await;
    rot(house.folder.path(), 2, at(10_000));
    run.curve_with_gaps();
    run.series.note_damage(at(9_000)).unwrap();
    let segments = run.journal.segments().unwrap();
    let starts: Vec<LogOffset> = segments.iter().map(|it| it.start).collect();
    let first = |start: LogOffset| {
        let end = LogOffset::from_bytes(u64::MAX);
        run.journal.replay_between(start, end).next().unwrap().unwrap().frame.received_at
    };
    let last_read = Cell::new(LogOffset::default());
    let read = |from: LogOffset, to: LogOffset| -> Result<Reading, ReadError> {
        last_read.set(from);
        Ok(Box::new(run.journal.replay_between(from, to)))
    };
    let (directory, setup) = (run.engine.directory(), setup());
    let remake = Remake { starts: &starts, read: &read, directory: &directory, setup: &setup };
    let mut early = 0;
    for chunk in run.series.damage().unwrap() {
        remake.chunk(&run.series, &chunk, at(9_001), &mut || {}).unwrap();
        let of_its_time = starts.iter().rposition(|it| first(*it) <= chunk.span.from);
        let wanted = of_its_time.unwrap_or(0).saturating_sub(1);
        assert_eq!(last_read.get(), starts[wanted], "{:?}", chunk.span);
        early += usize::from(of_its_time > Some(0));
    }
    assert!(early > 3, "{early}");
}
