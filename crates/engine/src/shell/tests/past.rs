//! Starts on a journal that lost its beginning or its end.

use super::*;

impl House {
    /// A server that ran, made a checkpoint, and went; long enough for several segments.
    async fn stopped(&self) -> (Vec<crate::view::Alarm>, Vec<store::Segment>) {
        let run = self.run().await;
        run.furnish().await;
        self.lives_on(run).await
    }

    async fn lives_on(&self, run: Run) -> (Vec<crate::view::Alarm>, Vec<store::Segment>) {
        for second in 20..8_000 {
            run.clock.advance_to(at(second));
            let ticket = run.hands_in(&run.saturation(86));
            if second % 500 == 499 {
                ticket.await.unwrap();
                // A writer that is too far behind would be given up.
                run.written().await;
            }
        }
        // A row of the newest place.
        run.hands_in(&Run::audit()).await.unwrap();
        let standing = run.standing().await;
        run.engine.stop().await;
        run.journal.close();
        drop((run.series, run.records));
        let segments = store::Storage::segments(&self.disk).unwrap();
        assert!(segments.len() > 2, "{segments:?}");
        (standing, segments)
    }

    pub(super) async fn is_refused(&self) -> StartError {
        let limits = JournalLimits { segment_len: SEGMENT_LEN, ..JournalLimits::default() };
        let (journal, _) = Journal::open(self.disk.clone(), self.clock.clone(), limits).unwrap();
        let (series, records) = (self.folder.path().join("series.sqlite"), self.records());
        let parts = EngineParts {
            clock: self.clock.clone(),
            journal,
            series: Series::open_with(series, self.limits).unwrap(),
            records: Records::open(&records).unwrap(),
            setup: setup(),
        };
        Engine::start(parts).await.unwrap_err()
    }

    fn records(&self) -> std::path::PathBuf {
        self.folder.path().join("records.sqlite")
    }

    /// A database with what SQLite keeps beside it.
    pub(super) fn remove(&self, name: &str) {
        for end in ["", "-wal", "-shm"] {
            let _ = std::fs::remove_file(self.folder.path().join(format!("{name}{end}")));
        }
    }
}

#[tokio::test]
async fn a_journal_without_its_beginning_goes_on_from_its_checkpoint_and_from_nothing_else() {
    let house = House::new();
    let (standing, segments) = house.stopped().await;
    house.disk.lose(segments[0].start);
    let run = house.run().await;
    assert_eq!(
        (run.standing().await, run.journal.begins_at().unwrap()),
        (standing, segments[1].start)
    );
    run.killed().await;
    house.remove("records.sqlite");
    let refused = house.is_refused().await;
    assert!(matches!(refused, StartError::NoState { .. }), "{refused}");
    let words = refused.to_string();
    assert!(words.contains("begins at offset") && words.contains("restore a backup"), "{words}");
}

#[tokio::test]
async fn a_journal_that_lost_what_rows_and_state_rest_on_is_refused() {
    let house = House::new();
    let (_, segments) = house.stopped().await;
    house.disk.lose(segments.last().unwrap().start);
    let refused = house.is_refused().await;
    let is_end = |it: &StartError| {
        matches!(it, StartError::Gone { lack: store::Lack::EndOfCheckpoint { .. } })
    };
    assert!(is_end(&refused), "{refused}");
    // Without the series the rows still know of what came later.
    house.remove("series.sqlite");
    let refused = house.is_refused().await;
    let is_rows = matches!(refused, StartError::Gone { lack: store::Lack::EndOfRows { .. } });
    assert!(is_rows, "{refused}");
}

#[tokio::test]
async fn a_journal_without_what_its_checkpoint_goes_on_from_is_refused() {
    let house = House::new();
    let run = house.run().await;
    run.furnish().await;
    run.engine.stop().await;
    run.journal.close();
    let place = |end: &str| house.folder.path().join(format!("series.sqlite{end}"));
    // With what SQLite keeps beside it, as a thread may still hold the file.
    let kept = ["", "-wal"].map(|end| (end, std::fs::read(place(end)).unwrap_or_default()));
    drop((run.engine, run.series, run.records));
    let run = house.run().await;
    let (_, segments) = house.lives_on(run).await;
    // The checkpoint of the day before, put back beside today's journal.
    house.remove("series.sqlite");
    kept.iter().for_each(|(end, bytes)| std::fs::write(place(end), bytes).unwrap());
    house.disk.lose(segments[0].start);
    let refused = house.is_refused().await;
    assert!(matches!(refused, StartError::Gone { lack: store::Lack::Between { .. } }), "{refused}");
}
