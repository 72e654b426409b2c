//! What the records keep, what they find again, and what they refuse.

use model::{AlarmClass, Id, Kind, Line, PatientId, Priority, Site, Subject, Timestamp};
use record::{Actor, AuditEntry, DeadLetter};

use super::*;

fn named<K: Kind>(tail: u128) -> Id<K> {
    Id::from_uuid(0x0192_f0c1_2b3a_7c4d_8e5f_0000_0000_0000 | tail).unwrap()
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_unix_nanos(second * 1_000_000_000)
}

fn row(offset: u64, known_at: i64, noun: Noun) -> Row {
    let offset = LogOffset::from_bytes(offset);
    Row { org: named(1), offset, index: 0, known_at: at(known_at), noun }
}

fn records() -> (tempfile::TempDir, Records) {
    let dir = tempfile::tempdir().unwrap();
    let records = Records::open(&dir.path().join("records.sqlite")).unwrap();
    (dir, records)
}

fn occupied(offset: u64, patient: Option<u128>, from: i64, known_at: i64) -> Row {
    let value = patient.map(|tail| -> PatientId { named(tail) });
    let line = Line { key: named(7), value, from: at(from), known_at: at(known_at) };
    row(offset, known_at, Noun::Encounter(line))
}

#[test]
fn a_bed_answers_for_tuesday_as_known_on_wednesday() {
    let (_dir, records) = records();
    let rows =
        [occupied(10, Some(100), 1, 1), occupied(20, Some(200), 4, 8), occupied(30, None, 9, 9)];
    records.apply(&rows).unwrap();
    let check = |valid, known, want: Option<u128>| {
        let found = records.who_was_in_bed(named(1), named(7), at(valid), at(known)).unwrap();
        assert_eq!(found, want.map(named), "at {valid} as known at {known}");
    };
    check(0, 99, None);
    check(5, 7, Some(100));
    check(5, 8, Some(200));
    check(9, 9, None);
    check(5, 99, Some(200));
}

fn alarm(offset: u64, state: &str, ended_at: Option<i64>) -> Row {
    let alarm = AlarmRow {
        id: named(50),
        care_unit: Some(named(3)),
        patient: Some(named(100)),
        device: None,
        bed: Some(named(7)),
        class: AlarmClass::Physiological,
        priority: Priority::High,
        code: "MDC_EVT_ECG_ASYSTOLE".to_owned(),
        title: "Asystole".to_owned(),
        detail: "no beat for 4 s".to_owned(),
        state: state.to_owned(),
        since: at(5),
        raised_at: at(9),
        ended_at: ended_at.map(at),
        ending: ended_at.map(|_| "over on its own".to_owned()),
    };
    row(offset, 9, Noun::Alarm(alarm))
}

#[test]
fn an_alarm_stands_in_its_latest_form_whatever_the_order_of_applying() {
    let (_dir, records) = records();
    let (raised, ended) = (alarm(10, "active", None), alarm(30, "ended", Some(40)));
    records.apply(std::slice::from_ref(&ended)).unwrap();
    records.apply(&[raised]).unwrap();
    let Noun::Alarm(want) = ended.noun else { unreachable!() };
    assert_eq!(records.alarm(named(1), named(50)).unwrap(), Some(want.clone()));
    assert_eq!(records.alarm(named(2), named(50)).unwrap(), None, "another organization's");
    let found = |filter: AlarmFilter| records.alarms(named(1), &filter, 9).unwrap();
    assert_eq!(found(AlarmFilter::default()), std::slice::from_ref(&want));
    assert_eq!(
        found(AlarmFilter {
            patient: Some(named(100)),
            ended: Some(true),
            ..AlarmFilter::default()
        }),
        [want]
    );
    assert_eq!(found(AlarmFilter { ended: Some(false), ..AlarmFilter::default() }), []);
    assert_eq!(found(AlarmFilter { before: Some(at(9)), ..AlarmFilter::default() }), []);
    assert_eq!(found(AlarmFilter { care_unit: Some(named(4)), ..AlarmFilter::default() }), []);
}

#[test]
fn applying_the_log_again_adds_nothing() {
    let (_dir, records) = records();
    let life = LifeRow {
        alarm: named(50),
        at: at(9),
        what: "raised".into(),
        detail: "high".into(),
        by: None,
    };
    let line =
        Line { key: named(9), value: Subject::Patient(named(100)), from: at(1), known_at: at(1) };
    let letter = DeadLetter {
        id: named(60),
        device: Some(named(9)),
        door: "mqtt".into(),
        topic: "wl/1/x".into(),
        content_type: None,
        reason: "topic".into(),
        explanation: "a topic begins with `wl/1/`".into(),
        payload: vec![0, 255],
    };
    let entry = AuditEntry {
        actor: Actor::User(named(70)),
        action: "patient.read".into(),
        patient: Some(named(100)),
        resource: "GET /api/v1/patients/x".into(),
        allowed: true,
        rule: "own unit".into(),
        remote: "127.0.0.1:9".into(),
    };
    let rows = [
        row(10, 1, Noun::AlarmLife(life.clone())),
        row(20, 1, Noun::Association(line)),
        row(30, 1, Noun::DeadLetter(letter.clone())),
        row(40, 1, Noun::Audit(entry.clone())),
    ];
    for _ in 0..2 {
        records.apply(&rows).unwrap();
    }
    assert_eq!(records.alarm_life(named(1), named(50)).unwrap(), [life]);
    assert_eq!(records.patients_of_device(named(1), named(9)).unwrap().len(), 1);
    let letters = records.dead_letters(named(1), None, 9).unwrap();
    assert_eq!(letters.iter().map(|row| &row.letter).collect::<Vec<_>>(), [&letter]);
    assert_eq!(records.dead_letters(named(1), Some(LogOffset::from_bytes(30)), 9).unwrap(), []);
    assert_eq!(records.dead_letter(named(1), named(60)).unwrap().unwrap().letter, letter);
    let trail = |filter| records.audit(named(1), &filter, 9).unwrap();
    assert_eq!(
        trail(AuditFilter { patient: Some(named(100)), ..AuditFilter::default() })[0].entry,
        entry
    );
    assert_eq!(trail(AuditFilter { user: Some(named(71)), ..AuditFilter::default() }), []);
    assert_eq!(records.applied().unwrap(), LogOffset::from_bytes(40));
}

#[test]
fn what_was_applied_survives_closing_and_a_newer_database_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("records.sqlite");
    let site = Site { id: named(2), org: named(1), name: "North".into() };
    Records::open(&path).unwrap().apply(&[row(10, 1, Noun::Site(site))]).unwrap();
    assert_eq!(Records::open(&path).unwrap().applied().unwrap(), LogOffset::from_bytes(10));
    let newer = Connection::open(&path).unwrap();
    newer.pragma_update(None, "user_version", 99).unwrap();
    let refused = Records::open(&path).unwrap_err().to_string();
    assert_eq!(
        refused,
        "the records are of version 99, and this program knows up to 1; use a newer program"
    );
}
