//! Starts on records in PostgreSQL that are of another history than the journal.

use std::{
    io::{BufRead as _, BufReader},
    process::{Command as Process, Stdio},
};

use store::{Lack, Noun, PostgresPlace, Row};

use super::*;

fn site_at(offset: u64) -> Row {
    let site = model::Site { id: id(4_711), org: id(1), name: "of another history".to_owned() };
    let offset = LogOffset::from_bytes(offset);
    Row { org: id(1), offset, index: 0, known_at: at(0), noun: Noun::Site(site) }
}

#[tokio::test]
async fn rows_of_another_history_are_refused_or_go_before_all_are_made_again() {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/postgres.sh");
    let mut server = Process::new("sh")
        .arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(server.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let Some(folder) = line.trim_end().strip_prefix("ready ") else {
        eprintln!("NOT RUN: rows_of_another_history: {line}");
        server.wait().unwrap();
        return;
    };
    let folder = folder.replace('/', "%2F");
    let place = PostgresPlace::parse(&format!("postgres://ward@{folder}/postgres")).unwrap();
    let house = House::new();
    let run = house.run().await;
    run.furnish().await;
    run.engine.stop().await;
    run.journal.close();
    let own = run.records.row_counts().unwrap();
    drop((run.engine, run.series, run.records));
    // Of the state nothing is left but the journal.
    house.remove("series.sqlite");

    for (offset, is_refused) in [(1 << 40, true), (10, false)] {
        let limits = JournalLimits { segment_len: SEGMENT_LEN, ..JournalLimits::default() };
        let (journal, _) = Journal::open(house.disk.clone(), house.clock.clone(), limits).unwrap();
        let records = Records::connect(&place).unwrap();
        records.begin_anew().unwrap();
        records.apply(&[site_at(offset)]).unwrap();
        let series = house.folder.path().join("series.sqlite");
        let parts = EngineParts {
            clock: house.clock.clone(),
            journal: journal.clone(),
            series: Series::open_with(series, house.limits).unwrap(),
            records: records.clone(),
            setup: setup(),
        };
        match Engine::start(parts).await {
            Err(StartError::OtherRows { lack: Lack::EndOfRows { .. } }) => assert!(is_refused),
            Ok((engine, _)) => {
                assert!(!is_refused);
                assert_eq!(records.row_counts().unwrap(), own);
                engine.stop().await;
            }
            Err(other) => unreachable!("{other}"),
        }
        journal.close();
    }
    drop(server.stdin.take());
    server.wait().unwrap();
}
