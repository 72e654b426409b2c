//! What PostgreSQL alone can do to the records: end, come back, and come back older.

use super::*;
use crate::records::tests::home::Server;

fn site(offset: u64) -> Row {
    let site = Site { id: named(offset.into()), org: named(1), name: "North".into() };
    row(offset, 1, Noun::Site(site))
}

fn server(test: &str) -> Option<Server> {
    let started = Server::start();
    started.map_err(|why| eprintln!("NOT RUN: records::tests::postgres::{test}: {why}")).ok()
}

#[test]
fn a_crash_in_mid_load_is_an_error_or_none_and_loses_and_doubles_nothing() {
    let Some(mut server) = server("a_crash_in_mid_load") else { return };
    let home = Home::on(&server.place);
    let records = home.open();
    let writer = records.clone();
    let written = std::sync::Arc::new(std::sync::atomic::AtomicU64::new(0));
    let count = std::sync::Arc::clone(&written);
    let thread = std::thread::spawn(move || {
        let mut failed = 0;
        for offset in 1..=3_000 {
            while let Err(error) = writer.apply(&[site(offset), look(offset, 1, None, 1, true)]) {
                assert!(!matches!(error, RecordsError::Older { .. }), "{error}");
                failed += 1;
            }
            count.store(offset, std::sync::atomic::Ordering::Relaxed);
        }
        failed
    });
    let mut reads = 0;
    for at in [300, 1_200, 2_000] {
        while written.load(std::sync::atomic::Ordering::Relaxed) < at {
            let _ = records.applied();
            reads += 1;
        }
        server.order("crash");
        // A question that finds its resting connection cut off asks on another one.
        assert!(records.applied().unwrap() >= LogOffset::from_bytes(at));
    }
    let failed = thread.join().unwrap();
    let found = records.audit(named(1), &AuditFilter::default(), 9_999).unwrap();
    let offsets: Vec<u64> = found.iter().rev().map(|row| row.offset.bytes()).collect();
    assert_eq!(offsets, (1..=3_000).collect::<Vec<_>>(), "{failed} failed, {reads} reads");
    assert_eq!(records.applied().unwrap(), LogOffset::from_bytes(3_000));
}

#[test]
fn while_it_is_stopped_every_question_is_an_error_and_then_an_answer() {
    let Some(mut server) = server("while_it_is_stopped") else { return };
    let home = Home::on(&server.place);
    let records = home.open();
    records.apply(&[site(10)]).unwrap();
    server.order("stop");
    assert!(records.applied().is_err() && records.apply(&[site(20)]).is_err());
    assert!(matches!(home.try_open(), Err(RecordsError::Postgres(_))));
    server.order("start");
    assert_eq!(records.applied().unwrap(), LogOffset::from_bytes(10));
    records.apply(&[site(20)]).unwrap();
    assert_eq!(records.applied().unwrap(), LogOffset::from_bytes(20));
}

#[test]
fn a_write_that_others_wait_behind_is_an_error_within_seconds_and_then_goes_in() {
    let Some(mut server) = server("a_write_that_others_wait_behind") else { return };
    let home = Home::on(&server.place);
    let records = home.open();
    records.apply_soon(&[site(10)]).unwrap();
    server.order("freeze");
    let failed = records.apply_soon(&[site(20)]).unwrap_err();
    let after = crate::limits::POSTGRES_SOON;
    assert!(matches!(failed, RecordsError::NoAnswer { after: it } if it == after), "{failed}");
    server.order("thaw");
    while records.apply_soon(&[site(20)]).is_err() {}
    assert_eq!(records.applied().unwrap(), LogOffset::from_bytes(20));
}

#[test]
fn a_database_that_lacks_characters_is_refused_before_anything_is_written() {
    let Some(server) = server("a_database_that_lacks_characters") else { return };
    Home::on(&server.place)
        .change_alone("CREATE DATABASE old ENCODING 'LATIN1' TEMPLATE template0");
    let old = server.place.to_string().replace("/postgres", "/old");
    let place = PostgresPlace::parse(&old).unwrap();
    assert_ne!(place, server.place);
    let refused = Home::on(&place).try_open().unwrap_err();
    assert!(matches!(refused, RecordsError::Encoding { .. }), "{refused}");
    assert!(refused.to_string().contains("LATIN1"), "{refused}");
}

#[test]
fn tables_of_others_are_neither_taken_over_nor_emptied() {
    let Some(home) = Home::shared() else { return };
    home.change_alone(&format!("CREATE SCHEMA {0}; CREATE TABLE {0}.orders (id INT)", home.schema));
    let refused = home.try_open().unwrap_err();
    assert!(matches!(refused, RecordsError::Foreign { .. }), "{refused}");
    home.change("DROP TABLE orders");
    let records = home.open();
    records.apply(&[site(10)]).unwrap();
    let ours = records.row_counts().unwrap();
    // Made again of the same migrations it has the same tables, and only those.
    home.change("CREATE TABLE orders (id INT); INSERT INTO orders VALUES (1)");
    assert_eq!(records.row_counts().unwrap(), ours);
    records.begin_anew().unwrap();
    home.change("DO $$ BEGIN ASSERT (SELECT count(*) FROM orders) = 1; END $$");
    // Theirs, the version and the place that was reached are no records; all others are known.
    let others = 3 + ours.len();
    let count =
        "SELECT count(*) FROM information_schema.tables WHERE table_schema = current_schema()";
    home.change(&format!("DO $$ BEGIN ASSERT ({count}) = {others}; END $$"));
}

#[test]
fn no_more_questions_are_under_way_than_the_limit() {
    let Some(home) = Home::shared() else { return };
    let records = home.open();
    let before = crate::limits::POSTGRES_READERS_MAX;
    let ask = "SELECT count(*), max(pg_sleep(0.3)::text) FROM pg_stat_activity \
               WHERE query LIKE '%of the limit%' AND state = 'active'";
    let asked = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..before * 3)
            .map(|_| {
                scope.spawn(|| {
                    let mut found = 0;
                    let done =
                        records.0.db.query(&format!("{ask} /* of the limit */"), &[], &mut |row| {
                            found = row.get::<i64>(0)?;
                            Ok(())
                        });
                    done.unwrap();
                    found
                })
            })
            .collect();
        threads.into_iter().map(|it| it.join().unwrap()).max().unwrap()
    });
    assert!((1..=i64::try_from(before).unwrap()).contains(&asked), "{asked}");
}

#[test]
fn what_is_told_of_a_failure_quotes_no_row() {
    let Some(home) = Home::shared() else { return };
    let records = home.open();
    home.change("ALTER TABLE site ADD CONSTRAINT none CHECK (name <> 'North')");
    let failed = records.apply(&[site(10)]).unwrap_err();
    let source = std::error::Error::source(&failed).unwrap().to_string();
    assert!(source.starts_with("23514: "), "{source}");
    for told in [source, format!("{failed:?}"), failed.to_string()] {
        assert!(!told.contains("North") && !told.contains("Failing row"), "{told}");
    }
}

#[test]
fn one_program_writes_at_a_time() {
    let Some(home) = Home::shared() else { return };
    let records = home.open();
    let refused = home.try_open().unwrap_err().to_string();
    assert!(refused.starts_with("another program writes the records at postgres://"), "{refused}");
    drop(records);
    home.open().apply(&[site(10)]).unwrap();
}

#[test]
fn an_older_copy_is_noticed_when_it_is_connected_to_and_at_a_start() {
    let Some(home) = Home::shared() else { return };
    let records = home.open();
    records.apply(&[site(10)]).unwrap();
    records.note_reached(LogOffset::from_bytes(10)).unwrap();
    records.apply(&[site(20)]).unwrap();
    assert!(records.reach(LogOffset::from_bytes(10)).unwrap());
    assert!(!records.reach(LogOffset::from_bytes(11)).unwrap());
    let sum = row_sum::of("applied", [row_sum::Cell::Int(10)]);
    let lock = crc32c::crc32c(home.schema.as_bytes());
    // As after a failover to a copy that lags: it is older, and the connection is cut.
    home.change(&format!(
        "DELETE FROM site WHERE log_offset = 20; UPDATE applied SET log_offset = 10, row_sum = {sum}; \
         SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND objid = {lock}"
    ));
    let older = records.apply(&[site(30)]).unwrap_err();
    assert!(matches!(older, RecordsError::Older { .. }), "{older}");
    drop(records);
    let again = home.open();
    assert!(again.reach(LogOffset::from_bytes(10)).unwrap(), "what is missing comes after it");
    home.change("UPDATE reached SET log_offset = 9");
    assert!(!again.reach(LogOffset::from_bytes(10)).unwrap());
}
