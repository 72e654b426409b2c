//! A database becomes a newer version wholly or not at all.

use super::*;

const OLD: &str = "CREATE TABLE bed (id INTEGER PRIMARY KEY, name TEXT NOT NULL) STRICT;";
const SUMS: &str = "ALTER TABLE bed ADD COLUMN row_sum INTEGER;";

/// An older database with many rows, on a disk that has room for none of their checksums.
fn old_and_full(path: &Path) -> Connection {
    let db = Connection::open(path).unwrap();
    prepare(&db).unwrap();
    db.execute_batch(OLD).unwrap();
    let put = "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 2000)
               INSERT INTO bed SELECT n, 'bed ' || n FROM n";
    db.execute(put, []).unwrap();
    db.pragma_update(None, "user_version", 1).unwrap();
    db.execute_batch("VACUUM").unwrap();
    let used: u32 = db.pragma_query_value(None, "page_count", |row| row.get(0)).unwrap();
    db.pragma_update_and_check(None, "max_page_count", used, |_| Ok(())).unwrap();
    db
}

#[test]
fn without_room_a_database_stays_as_it_was_and_the_need_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("series.sqlite");
    let mut db = old_and_full(&path);
    let error = bring_up(&mut db, &path, &[SUMS], 2).unwrap_err();
    let DatabaseError::NoRoomToUpgrade { need_mib: 1, .. } = error else { unreachable!("{error}") };
    drop(db);
    // The program before opens it, and finds the columns that it knows.
    let database = Database::open(&path, &[OLD]).unwrap();
    let columns = |db: &Connection| db.prepare("SELECT * FROM bed").map(|it| it.column_count());
    assert_eq!(database.read(columns).unwrap(), 2);
    drop(database);
    let database = Database::open(&path, &[OLD, SUMS]).unwrap();
    let damaged = database.read(|db| row_sum::check_rows(db, "")).unwrap();
    assert_eq!(damaged, Vec::<String>::new(), "with room");
}

#[test]
fn a_name_that_is_no_text_is_damage_and_not_a_panic() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("series.sqlite");
    let database = Database::open(&path, &[OLD, SUMS]).unwrap();
    drop(database);
    let mut bytes = fs::read(&path).unwrap();
    let name = bytes.windows(9).position(|it| it == b"name TEXT").unwrap();
    bytes[name] |= 0x80;
    fs::write(&path, bytes).unwrap();
    let error = Database::open(&path, &[OLD, SUMS]).unwrap_err();
    assert!(error.to_string().contains("a name of a table or a column"), "{error}");
}
