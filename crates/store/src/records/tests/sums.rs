//! Rows that are not what was written are named and never served.

use std::path::Path;

use rusqlite::{Connection, types::Value};

use super::*;
use crate::row_sum::check_rows;

/// One row in most tables, with every question that reads it.
fn filled(home: &Home) -> Records {
    let records = home.open();
    let line =
        Line { key: named(9), value: Subject::Patient(named(100)), from: at(1), known_at: at(1) };
    let life = LifeRow {
        alarm: named(50),
        at: at(9),
        what: "raised".into(),
        detail: "high".into(),
        by: None,
    };
    let score = ScoreRow {
        patient: named(100),
        at: at(5),
        total: Some(3),
        single_red: false,
        missing: Vec::new(),
    };
    let rows = [
        occupied(10, Some(100), 1, 1),
        row(20, 1, Noun::Association(line)),
        alarm(30, "active", None),
        row(40, 9, Noun::AlarmLife(life)),
        row(50, 9, Noun::Score(score)),
        look(60, 1, Some(100), 60, true),
    ];
    records.apply(&rows).unwrap();
    records
}

type Ask = fn(&Records) -> Result<usize, RecordsError>;

/// Each table with a question that reads its row.
const ASKS: [(&str, Ask); 10] = [
    ("applied", |it| it.applied().map(|_| 1)),
    ("encounter", |it| Ok(it.who_was_in_bed(named(1), named(7), at(2), at(2))?.iter().count())),
    ("encounter", |it| Ok(it.bed_history(named(1), named(7))?.len())),
    ("association", |it| Ok(it.patients_of_device(named(1), named(9))?.len())),
    ("alarm", |it| Ok(it.alarms(named(1), &AlarmFilter::default(), 9)?.len())),
    ("alarm", |it| Ok(it.alarm(named(1), named(50))?.iter().count())),
    ("alarm_life", |it| Ok(it.alarm_life(named(1), named(50))?.len())),
    ("score", |it| Ok(it.scores(named(1), named(100), (at(0), at(9)), 9)?.len())),
    ("audit", |it| Ok(it.audit(named(1), &AuditFilter::default(), 9)?.len())),
    ("audit", |it| Ok(it.looks_at(named(1), named(100), 9)?.len())),
];

#[test]
fn every_read_names_a_row_that_is_not_what_was_written() {
    for home in Home::each() {
        let records = filled(&home);
        for (table, ask) in ASKS {
            assert_eq!(ask(&records).unwrap(), 1, "{table}");
            home.change(&format!("UPDATE {table} SET row_sum = row_sum + 1"));
            let error = ask(&records).unwrap_err().to_string();
            assert!(error.starts_with(&format!("a row of `{table}`")), "{error}");
            let damaged = records.damaged().unwrap();
            assert!(damaged.len() == 1 && error.starts_with(&damaged[0]), "{damaged:?}");
            home.change(&format!("UPDATE {table} SET row_sum = row_sum - 1"));
            assert_eq!(ask(&records).unwrap(), 1, "{table}");
        }
        assert_eq!(records.damaged().unwrap(), Vec::<String>::new());
        home.change("UPDATE encounter SET patient = org");
        let error = records.bed_history(named(1), named(7)).unwrap_err().to_string();
        let want = "a row of `encounter` from offset 10 of the log is damaged; \
                restore a backup or rebuild the records from the journal";
        assert_eq!(error, want);
        for (table, ask) in ASKS {
            home.change(&format!("UPDATE {table} SET row_sum = NULL"));
            assert!(ask(&records).is_err(), "a row of {table} without a checksum");
        }
    }
}

#[test]
fn a_change_of_any_column_is_seen() {
    let home = Home::file();
    let _records = filled(&home);
    let db = Connection::open(home.path()).unwrap();
    for table in ["alarm", "audit", "score", "encounter", "association", "alarm_life", "applied"] {
        let columns: Vec<String> = db
            .prepare("SELECT name FROM pragma_table_info(?1)")
            .unwrap()
            .query_map([table], |row| row.get(0))
            .unwrap()
            .map(Result::unwrap)
            .collect();
        for column in columns {
            let old: Value = db
                .query_row(&format!("SELECT {column} FROM {table}"), [], |row| row.get(0))
                .unwrap();
            let other = match &old {
                Value::Integer(number) => Value::Integer(number ^ 1),
                Value::Text(text) => Value::Text(format!("{text}x")),
                Value::Blob(bytes) => Value::Blob(bytes.iter().map(|byte| byte ^ 1).collect()),
                Value::Null | Value::Real(_) => Value::Integer(7),
            };
            db.execute(&format!("UPDATE {table} SET {column} = ?"), [&other]).unwrap();
            assert_eq!(check_rows(&db, "").unwrap().len(), 1, "{table}.{column}");
            db.execute(&format!("UPDATE {table} SET {column} = ?"), [&old]).unwrap();
        }
    }
    assert_eq!(check_rows(&db, "").unwrap(), Vec::<String>::new());
}

/// The records as the program before the checksums left them.
fn older(path: &Path) -> Connection {
    let db = Connection::open(path).unwrap();
    let (_, older) = schema::MIGRATIONS.split_last().unwrap();
    for migration in older {
        db.execute_batch(migration).unwrap();
    }
    db.pragma_update(None, "user_version", u32::try_from(older.len()).unwrap()).unwrap();
    db
}

#[test]
fn without_room_for_the_checksums_the_records_stay_as_they_were_and_the_need_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("records.sqlite");
    let mut db = older(&path);
    let shape = |db: &Connection| {
        let version: u32 = db.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
        let columns = db.prepare("SELECT * FROM encounter").unwrap().column_count();
        (version, columns)
    };
    let before = shape(&db);
    let put = "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 2000)
               INSERT INTO encounter SELECT ?1, n, 0, n, ?2, NULL, n FROM n";
    let (org, bed): (model::OrgId, model::BedId) = (named(1), named(7));
    db.execute(put, [org.uuid().to_be_bytes(), bed.uuid().to_be_bytes()]).unwrap();
    // No page has room for a row that grows.
    db.execute_batch("VACUUM").unwrap();
    let used: u32 = db.pragma_query_value(None, "page_count", |row| row.get(0)).unwrap();
    db.pragma_update_and_check(None, "max_page_count", used, |_| Ok(())).unwrap();
    let error = schema::migrate(&mut db).unwrap_err();
    let RecordsError::NoRoomToUpgrade { need_mib: 1.., .. } = error else {
        unreachable!("{error}")
    };
    assert_eq!(shape(&db), before, "what the program before reads");
    drop(db);
    let records = Records::open(&path).unwrap();
    assert_eq!(records.bed_history(named(1), named(7)).unwrap().len(), 2_000, "with room");
}

#[test]
fn an_older_database_gets_its_checksums_at_the_first_start() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("records.sqlite");
    let db = older(&path);
    let put = "INSERT INTO encounter VALUES (?1, 10, 0, 1, ?2, NULL, 1)";
    let (org, bed): (model::OrgId, model::BedId) = (named(1), named(7));
    db.execute(put, [org.uuid().to_be_bytes(), bed.uuid().to_be_bytes()]).unwrap();
    db.execute("UPDATE applied SET log_offset = 10", []).unwrap();
    drop(db);
    let records = Records::open(&path).unwrap();
    assert_eq!(records.applied().unwrap(), LogOffset::from_bytes(10));
    assert_eq!(records.bed_history(named(1), named(7)).unwrap().len(), 1);
    records.apply(&[occupied(20, Some(100), 5, 5)]).unwrap();
    assert_eq!(records.bed_history(named(1), named(7)).unwrap().len(), 2);
    drop(records);
    // A later version adds a column behind the checksum.
    let db = Connection::open(&path).unwrap();
    db.execute_batch("ALTER TABLE encounter ADD COLUMN why TEXT").unwrap();
    let records = Records::open(&path).unwrap();
    assert_eq!(records.bed_history(named(1), named(7)).unwrap().len(), 2);
    assert_eq!(check_rows(&db, "").unwrap(), Vec::<String>::new());
}
