//! Where the records of a directory are, and all of them moved there and back.

use std::path::Path;

use super::*;
use crate::{
    DataDir, HomeError, PostgresPlace, look_elsewhere, move_to_file, move_to_postgres,
    records::tests::home::Server, records_elsewhere,
};

/// A PostgreSQL, and a directory whose file has rows in a few tables, more than go at once.
fn scene(test: &str) -> Option<(Server, tempfile::TempDir, DataDir)> {
    let started = Server::start();
    let server = started.map_err(|why| eprintln!("NOT RUN: records::tests::moving::{test}: {why}"));
    let place = tempfile::tempdir().unwrap();
    let dir = DataDir::open(place.path()).unwrap();
    let org = model::Org { id: named(1), name: "North \0".into() };
    let mut rows: Vec<Row> = (1..2_500).map(|it| look(it, 1, Some(100), 60, true)).collect();
    rows.extend([row(2_500, 1, Noun::Org(org)), alarm(2_501, "active", None)]);
    Records::open(&dir.records()).unwrap().apply(&rows).unwrap();
    Some((server.ok()?, place, dir))
}

fn at(offset: u64) -> LogOffset {
    LogOffset::from_bytes(offset)
}

fn checks(records: &Records) {
    assert_eq!(records.applied().unwrap(), at(2_501));
    assert_eq!(records.looks_at(named(1), named(100), 9).unwrap().len(), 1);
    assert_eq!(records.row_counts().unwrap()["audit"], 2_499);
    assert_eq!(records.damaged().unwrap(), Vec::<String>::new());
    records
        .refuse_others(Some(named(1)), &PostgresPlace::parse("postgres://x@localhost").unwrap())
        .unwrap();
}

#[test]
fn records_go_there_and_back_and_every_row_with_them() {
    let Some((server, _folder, dir)) = scene("records_go_there_and_back") else { return };
    let place = &server.place;
    let mut told = Vec::new();
    let there = move_to_postgres(&dir, place, (Some(named(1)), at(2_400)), &mut |table, rows| {
        told.push((table.to_owned(), rows));
    });
    let there = there.unwrap();
    assert!(told.contains(&("audit".into(), 999)) && told.contains(&("audit".into(), 2_499)));
    assert!(!dir.records().exists());
    let records = Records::of(&dir, Some(place), Some(named(1))).unwrap();
    checks(&records);
    assert!(records.reach(at(2_400)).unwrap() && !records.reach(at(2_401)).unwrap());
    drop(records);
    // Nobody opens a new file by leaving the address out, and nobody goes there twice.
    assert!(matches!(Records::of(&dir, None, Some(named(1))), Err(HomeError::Elsewhere { .. })));
    let again = move_to_postgres(&dir, place, (Some(named(1)), at(0)), &mut |_, _| {});
    assert!(matches!(again, Err(HomeError::Elsewhere { .. })));
    let lacking = move_to_file(&dir, place, (Some(named(1)), at(2_401)), &mut |_, _| {});
    assert!(matches!(lacking, Err(HomeError::Lacking { .. })));
    let back = move_to_file(&dir, place, (Some(named(1)), at(2_400)), &mut |_, _| {}).unwrap();
    assert_eq!(there, back);
    assert_eq!(records_elsewhere(&dir).unwrap(), None);
    checks(&Records::of(&dir, None, Some(named(1))).unwrap());
    let taken = move_to_postgres(&dir, place, (Some(named(1)), at(0)), &mut |_, _| {});
    assert!(matches!(taken, Err(HomeError::Taken { .. })));
    checks(&Records::of(&dir, None, Some(named(1))).unwrap());
}

#[test]
fn a_move_that_fails_leaves_everything_where_it_was() {
    let Some((server, folder, dir)) = scene("a_move_that_fails") else { return };
    let place = &server.place;
    let db = Connection::open(dir.records()).unwrap();
    let flip = |db: &Connection| {
        db.execute("UPDATE audit SET rule = rule || 'x' WHERE log_offset = 2000", []).unwrap();
    };
    flip(&db);
    let failed = move_to_postgres(&dir, place, (Some(named(1)), at(0)), &mut |_, _| {})
        .unwrap_err()
        .to_string();
    assert!(
        failed.starts_with("a row of `audit` from offset 2000 of the log is damaged"),
        "{failed}"
    );
    assert!(dir.records().exists() && records_elsewhere(&dir).unwrap().is_none());
    assert_eq!(Records::connect(place).unwrap().applied().unwrap(), at(0), "nothing came");
    db.execute("UPDATE audit SET rule = 'role' WHERE log_offset = 2000", []).unwrap();
    drop(db);
    move_to_postgres(&dir, place, (Some(named(1)), at(0)), &mut |_, _| {}).unwrap();
    let mut home = Home::on(place);
    home.schema = "wardline".to_owned();
    home.change("UPDATE audit SET rule = 'x' WHERE log_offset = 2000");
    assert!(move_to_file(&dir, place, (Some(named(1)), at(0)), &mut |_, _| {}).is_err());
    assert!(!dir.records().exists() && records_elsewhere(&dir).unwrap().is_some());
    let names = |path: &Path| {
        let names = std::fs::read_dir(path).unwrap();
        names.map(|it| it.unwrap().file_name().into_string().unwrap()).collect::<Vec<_>>()
    };
    let left = names(folder.path()).into_iter().filter(|it| it.contains("moving"));
    assert_eq!(left.collect::<Vec<_>>(), Vec::<String>::new());
}

#[test]
fn nobody_comes_to_another_place_or_to_anothers_by_mistake() {
    let Some((server, _folder, dir)) = scene("nobody_comes_to_another_place") else { return };
    let place = &server.place;
    let Err(HomeError::InTheFile { .. }) = Records::of(&dir, Some(place), Some(named(1))) else {
        unreachable!()
    };
    assert!(records_elsewhere(&dir).unwrap().is_none());
    let fresh = tempfile::tempdir().unwrap();
    let fresh = DataDir::open(fresh.path()).unwrap();
    // A file without rows, as a start that was cut short leaves it, is nobody's place.
    drop(Records::open(&fresh.records()).unwrap());
    let records = Records::of(&fresh, Some(place), None).unwrap();
    assert!(!fresh.records().exists());
    records.refuse_others(None, place).unwrap();
    let org = model::Org { id: named(1), name: "North".into() };
    records.apply(&[row(10, 1, Noun::Org(org))]).unwrap();
    records.refuse_others(Some(named(1)), place).unwrap();
    for other in [None, Some(named(2))] {
        let refused = records.refuse_others(other, place);
        assert!(matches!(refused, Err(HomeError::Others { .. })), "{other:?}");
    }
}

/// All that is in a directory beside its lock.
fn left(dir: &DataDir) -> Vec<String> {
    let names = std::fs::read_dir(dir.path()).unwrap();
    let mut names: Vec<String> =
        names.map(|it| it.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn rows_of_another_hospital_are_refused_before_anything_is_noted_removed_or_moved() {
    let Some((server, _folder, dir)) = scene("rows_of_another_hospital") else { return };
    let place = &server.place;
    move_to_postgres(&dir, place, (Some(named(1)), at(0)), &mut |_, _| {}).unwrap();
    let other = tempfile::tempdir().unwrap();
    let other = DataDir::open(other.path()).unwrap();
    drop(Records::open(&other.records()).unwrap());
    let before = left(&other);
    for org in [None, Some(named(2))] {
        let refused = Records::of(&other, Some(place), org);
        assert!(matches!(refused, Err(HomeError::Others { .. })), "{org:?}");
        assert!(records_elsewhere(&other).unwrap().is_none(), "{org:?}");
        assert_eq!(left(&other), before, "{org:?}");
    }
    // As a note from elsewhere would have it.
    std::fs::write(other.path().join("records.at"), format!("{place}\n")).unwrap();
    let refused = move_to_file(&other, place, (Some(named(2)), at(0)), &mut |_, _| {});
    assert!(matches!(refused, Err(HomeError::Others { .. })));
    let found = look_elsewhere(place, Some(named(2)), at(0), at(9_999));
    assert!(found.len() == 1 && found[0].contains("another hospital's"), "{found:?}");
    // Nor does a file of one hospital go out as another's.
    let elsewhere = move_to_file(&dir, place, (Some(named(1)), at(0)), &mut |_, _| {});
    elsewhere.unwrap();
    let refused = move_to_postgres(&dir, place, (Some(named(2)), at(0)), &mut |_, _| {});
    assert!(matches!(refused, Err(HomeError::Others { .. })));
}

#[test]
fn what_a_move_that_was_cut_short_left_behind_is_removed_and_never_looked_at() {
    let Some((server, _folder, dir)) = scene("what_a_move_left_behind") else { return };
    let place = &server.place;
    let stale = std::fs::read(dir.records()).unwrap();
    move_to_postgres(&dir, place, (Some(named(1)), at(0)), &mut |_, _| {}).unwrap();
    std::fs::write(dir.records(), &stale[..stale.len() / 2]).unwrap();
    std::fs::write(dir.path().join("records.sqlite.moving"), "half").unwrap();
    std::fs::write(dir.path().join("records.sqlite.moving-wal"), "half").unwrap();
    let mut home = Home::on(place);
    home.schema = "public".to_owned();
    home.change("CREATE SCHEMA wardline_moving; CREATE TABLE wardline_moving.audit (one BIGINT)");
    assert_eq!(crate::verify(&dir).unwrap().damage, [], "a stale file was looked at");
    let backups = tempfile::tempdir().unwrap();
    let key = security::BackupKey::of(&[7; 32]).unwrap();
    let folder = crate::BackupFolder::open(backups.path(), key).unwrap();
    let source = crate::Source { root: dir.path(), journal: None };
    let taken = folder.take(&source, Timestamp::from_unix_millis(1), &mut |_| {}).unwrap();
    let names: Vec<&str> = taken.manifest.files.iter().map(|it| it.path.as_str()).collect();
    assert_eq!(names, ["FORMAT"], "a stale file was backed up");
    drop(Records::of(&dir, Some(place), Some(named(1))).unwrap());
    let names = left(&dir).into_iter().filter(|it| it.starts_with("records"));
    assert_eq!(names.collect::<Vec<_>>(), ["records.at"]);
    home.change("CREATE SCHEMA wardline_moving; DROP SCHEMA wardline_moving");
}

#[test]
fn a_look_makes_nothing_holds_nobody_up_and_names_what_is_missing() {
    let Some((server, _folder, dir)) = scene("a_look_makes_nothing") else { return };
    let place = &server.place;
    let look = |checkpoint, ends| look_elsewhere(place, Some(named(1)), at(checkpoint), at(ends));
    let nothing = look(0, 9_999);
    assert!(nothing.len() == 1 && nothing[0].starts_with("there are no records"), "{nothing:?}");
    let mut home = Home::on(place);
    home.schema = "public".to_owned();
    home.change("CREATE SCHEMA wardline; DROP SCHEMA wardline");
    move_to_postgres(&dir, place, (Some(named(1)), at(2_400)), &mut |_, _| {}).unwrap();
    let writing = Records::of(&dir, Some(place), Some(named(1))).unwrap();
    assert_eq!(look(2_400, 2_501), Vec::<String>::new(), "beside a program that writes");
    let lacking = look(2_401, 2_501);
    assert!(lacking.len() == 1 && lacking[0].contains("lack rows"), "{lacking:?}");
    let ahead = look(2_400, 2_500);
    assert!(ahead.len() == 1 && ahead[0].contains("2501"), "{ahead:?}");
    home.schema = "wardline".to_owned();
    // What others made of the tables is no table.
    home.change("CREATE VIEW read_by_others AS SELECT rule FROM audit");
    assert!(!writing.row_counts().unwrap().contains_key("read_by_others"));
    assert_eq!(look(2_400, 2_501), Vec::<String>::new());
    home.change("UPDATE audit SET rule = 'x' WHERE log_offset = 2000");
    assert!(look(2_400, 2_501)[0].contains("offset 2000"));
    // Before all is made again nothing of what was there is left.
    writing.begin_anew().unwrap();
    assert_eq!((writing.applied().unwrap(), writing.row_counts().unwrap()["audit"]), (at(0), 0));
    assert!(!writing.reach(at(1)).unwrap());
    writing.apply(&[look_row(7)]).unwrap();
    assert_eq!(writing.applied().unwrap(), at(7));
}

fn look_row(offset: u64) -> Row {
    look(offset, 1, Some(100), 60, true)
}
