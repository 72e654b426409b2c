//! What the records keep, what they find again, and what they refuse.

mod home;
mod moving;
mod postgres;
mod sums;

use model::{AlarmClass, Id, Kind, Line, PatientId, Priority, Site, Subject, Timestamp, Vital};
use record::{Actor, AuditEntry, DeadLetter};
use rusqlite::Connection;

use self::home::Home;
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

fn occupied(offset: u64, patient: Option<u128>, from: i64, known_at: i64) -> Row {
    let value = patient.map(|tail| -> PatientId { named(tail) });
    let line = Line { key: named(7), value, from: at(from), known_at: at(known_at) };
    row(offset, known_at, Noun::Encounter(line))
}

#[test]
fn a_bed_answers_for_tuesday_as_known_on_wednesday() {
    for home in Home::each() {
        let records = home.open();
        let rows = [
            occupied(10, Some(100), 1, 1),
            occupied(20, Some(200), 4, 8),
            occupied(30, None, 9, 9),
        ];
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
        kind: "asystole".to_owned(),
        vital: Some(Vital::HeartRate),
    };
    row(offset, 9, Noun::Alarm(alarm))
}

#[test]
fn an_alarm_stands_in_its_latest_form_whatever_the_order_of_applying() {
    for home in Home::each() {
        let records = home.open();
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
        let of = |vital| AlarmFilter { vital: Some(vital), ..AlarmFilter::default() };
        assert_eq!(found(of(Vital::HeartRate)).len(), 1);
        assert_eq!(found(of(Vital::PulseRate)), []);
        assert_eq!(found(AlarmFilter { ended: Some(false), ..AlarmFilter::default() }), []);
        assert_eq!(found(AlarmFilter { before: Some(at(9)), ..AlarmFilter::default() }), []);
        assert_eq!(found(AlarmFilter { care_unit: Some(named(4)), ..AlarmFilter::default() }), []);
    }
}

#[test]
fn applying_the_log_again_adds_nothing() {
    for home in Home::each() {
        let records = home.open();
        let life = LifeRow {
            alarm: named(50),
            at: at(9),
            what: "raised".into(),
            detail: "high".into(),
            by: None,
        };
        let line = Line {
            key: named(9),
            value: Subject::Patient(named(100)),
            from: at(1),
            known_at: at(1),
        };
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
}

#[test]
fn what_was_applied_survives_closing_and_a_newer_database_is_refused() {
    for home in Home::each() {
        let site = Site { id: named(2), org: named(1), name: "North".into() };
        home.open().apply(&[row(10, 1, Noun::Site(site))]).unwrap();
        assert_eq!(home.open().applied().unwrap(), LogOffset::from_bytes(10));
        home.change(match home.place {
            None => "PRAGMA user_version = 99",
            Some(_) => "UPDATE schema_version SET version = 99",
        });
        let refused = home.try_open().unwrap_err().to_string();
        let head = "the records are of version 99, and this program knows up to ";
        assert!(
            refused.starts_with(head) && refused.ends_with("; use a newer program"),
            "{refused}"
        );
    }
}

#[test]
fn the_scores_of_a_span_come_with_the_one_that_held_at_its_beginning() {
    for home in Home::each() {
        let records = home.open();
        let at = |second: i64| Timestamp::from_unix_millis(1_700_000_000_000 + second * 1_000);
        let (patient, other) = (named(100), named(101));
        let score = |second, total: Option<u8>| ScoreRow {
            patient,
            at: at(second),
            total,
            single_red: total == Some(3),
            missing: if total.is_none() { vec!["oxygen".into(), "pulse".into()] } else { vec![] },
        };
        let all = [(10, None), (20, Some(3)), (30, Some(7)), (40, Some(5))];
        let all = all.map(|(second, total)| score(second, total));
        let rows: Vec<_> =
            (1..).zip(&all).map(|(place, it)| row(place, 0, Noun::Score(it.clone()))).collect();
        records.apply(&rows).unwrap();
        // Read again from the journal, they are not doubled.
        records.apply(&rows).unwrap();
        let theirs = ScoreRow { patient: other, ..score(25, Some(9)) };
        records.apply(&[row(9, 0, Noun::Score(theirs.clone()))]).unwrap();
        let ask = |patient, from, to, limit| {
            records.scores(named(1), patient, (at(from), at(to)), limit).unwrap()
        };
        assert_eq!(ask(patient, 0, 100, 9), all);
        assert_eq!(ask(patient, 25, 40, 9), all[1..3], "from the one that held, before the end");
        assert_eq!(ask(patient, 20, 41, 9), all[1..4]);
        assert_eq!(ask(patient, 0, 100, 2), all[2..4], "the newest, if there are too many");
        assert_eq!(ask(patient, 50, 60, 9), all[3..4]);
        assert_eq!(ask(patient, 0, 10, 9), []);
        assert_eq!(ask(other, 0, 100, 9), [theirs]);
        assert_eq!(records.scores(named(2), patient, (at(0), at(100)), 9).unwrap(), []);
    }
}

#[test]
fn rows_that_find_no_room_are_refused_together_and_come_later() {
    let home = Home::file();
    let records = home.open();
    let sites = |names: std::ops::Range<u64>| -> Vec<Row> {
        let site =
            |name: u64| Site { id: named(name.into()), org: named(1), name: "x".repeat(500) };
        names.map(|name| row(name, 0, Noun::Site(site(name)))).collect()
    };
    records.apply(&sites(10..20)).unwrap();
    records.set_room(Some(2)).unwrap();
    let more = sites(20..400);
    assert!(records.apply(&more).is_err());
    assert_eq!(records.applied().unwrap(), LogOffset::from_bytes(19));
    records.set_room(None).unwrap();
    records.apply(&more).unwrap();
    assert_eq!(records.applied().unwrap(), LogOffset::from_bytes(399));
}

#[test]
fn the_life_of_a_device_is_told_from_its_newest_day() {
    for home in Home::each() {
        let records = home.open();
        let happened = |offset, what: &str, by| {
            let (what, detail) = (what.to_owned(), "a reason".to_owned());
            let life = DeviceLifeRow { device: named(60), at: at(5), what, detail, by };
            row(offset, 5, Noun::DeviceLife(life))
        };
        let rows = [
            happened(10, "added", Actor::System),
            happened(20, "in_service", Actor::User(named(9))),
            happened(30, "quarantined", Actor::Device(named(60))),
        ];
        records.apply(&rows).unwrap();
        records.apply(&rows).unwrap();
        let life = records.device_life(named(1), named(60), 10).unwrap();
        let told: Vec<_> = life.iter().map(|it| (it.what.as_str(), it.by)).collect();
        assert_eq!(
            told,
            [
                ("quarantined", Actor::Device(named(60))),
                ("in_service", Actor::User(named(9))),
                ("added", Actor::System),
            ]
        );
        assert_eq!(records.device_life(named(1), named(60), 2).unwrap().len(), 2);
        assert!(
            records.device_life(named(2), named(60), 9).unwrap().is_empty(),
            "another's device"
        );
    }
}

#[test]
fn a_replay_is_found_by_its_letter() {
    for home in Home::each() {
        let records = home.open();
        let replayed = |mended| record::Replayed {
            letter: named(70),
            by: named(9),
            mended,
            outcome: "stored".to_owned(),
            words: "taken in".to_owned(),
        };
        let rows = [
            row(10, 3, Noun::Replayed(replayed(false))),
            row(20, 4, Noun::Replayed(replayed(true))),
        ];
        records.apply(&rows).unwrap();
        let found = records.replays(named(1), named(70)).unwrap();
        let told: Vec<_> = found.iter().map(|it| (it.at, it.replayed.mended)).collect();
        assert_eq!(told, [(at(4), true), (at(3), false)]);
        assert!(records.replays(named(1), named(71)).unwrap().is_empty());
    }
}

#[test]
fn the_records_are_for_their_owner_only_old_files_too() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("records.sqlite");
    let mode =
        |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    for before in [None, Some(0o644)] {
        if let Some(before) = before {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(before)).unwrap();
        }
        let _records = Records::open(&path).unwrap();
        for file in std::fs::read_dir(dir.path()).unwrap() {
            let file = file.unwrap().path();
            assert_eq!(mode(&file), 0o600, "{}", file.display());
        }
    }
}

fn look(offset: u64, user: u128, patient: Option<u128>, second: i64, allowed: bool) -> Row {
    let entry = AuditEntry {
        actor: Actor::User(named(user)),
        action: if patient.is_some() { "patient.read" } else { "audit.read" }.to_owned(),
        patient: patient.map(named),
        resource: "GET /api/v1/x".to_owned(),
        allowed,
        rule: "role".to_owned(),
        remote: "here".to_owned(),
    };
    row(offset, second, Noun::Audit(entry))
}

#[test]
fn the_trail_answers_by_person_patient_deed_outcome_and_time() {
    for home in Home::each() {
        let records = home.open();
        let rows = [
            look(10, 1, Some(100), 10, true),
            look(20, 2, Some(100), 20, false),
            look(30, 1, Some(200), 30, true),
            look(40, 1, None, 40, true),
        ];
        records.apply(&rows).unwrap();
        let check = |filter: AuditFilter, want: &[u64]| {
            let found = records.audit(named(1), &filter, 9).unwrap();
            let offsets: Vec<_> = found.iter().map(|row| row.offset.bytes()).collect();
            assert_eq!(offsets, want, "{filter:?}");
        };
        let all = AuditFilter::default;
        check(all(), &[40, 30, 20, 10]);
        check(AuditFilter { patient: Some(named(100)), ..all() }, &[20, 10]);
        check(AuditFilter { user: Some(named(1)), ..all() }, &[40, 30, 10]);
        check(AuditFilter { action: Some("audit.read".to_owned()), ..all() }, &[40]);
        check(AuditFilter { allowed: Some(false), ..all() }, &[20]);
        // From an instant on, and before another.
        check(AuditFilter { from: Some(at(20)), to: Some(at(40)), ..all() }, &[30, 20]);
        check(AuditFilter { before: Some(LogOffset::from_bytes(30)), ..all() }, &[20, 10]);
    }
}

#[test]
fn looks_of_one_minute_are_one_and_a_refused_one_is_none() {
    for home in Home::each() {
        let records = home.open();
        let rows = [
            look(10, 1, Some(100), 60, true),
            look(20, 1, Some(100), 119, true),
            look(30, 1, Some(100), 120, true),
            look(40, 2, Some(100), 90, true),
            look(50, 3, Some(100), 90, false),
            look(60, 3, Some(200), 90, true),
        ];
        records.apply(&rows).unwrap();
        let looks = records.looks_at(named(1), named(100), 9).unwrap();
        let found: Vec<_> =
            looks.iter().map(|it| (it.user, it.count, it.first_at, it.last_at)).collect();
        assert_eq!(found, [(named(1), 2, at(60), at(120)), (named(2), 1, at(90), at(90))]);
        assert_eq!(records.looks_at(named(9), named(100), 9).unwrap(), []);
    }
}

#[test]
fn a_bed_tells_every_line_in_the_order_in_which_it_was_learned() {
    for home in Home::each() {
        let records = home.open();
        let rows = [occupied(10, Some(100), 5, 5), occupied(20, Some(200), 1, 8)];
        records.apply(&rows).unwrap();
        let lines = records.bed_history(named(1), named(7)).unwrap();
        let found: Vec<_> = lines.iter().map(|it| (it.patient, it.from, it.known_at)).collect();
        assert_eq!(found, [(Some(named(100)), at(5), at(5)), (Some(named(200)), at(1), at(8))]);
        assert_eq!(records.bed_history(named(1), named(8)).unwrap(), []);
    }
}

#[test]
fn pulses_come_back_in_order_from_an_instant_on() {
    for home in Home::each() {
        let records = home.open();
        let pulse = |second| record::Pulse {
            messages_per_ks: 1_000,
            readings_per_ks: 2_000,
            durable_p99_us: 3,
            decided_p99_us: 4,
            journal_bytes: 5,
            connections: 6,
            started_at: at(second),
        };
        let rows = [1, 61, 121].map(|second: i64| {
            row(u64::try_from(second).unwrap(), second, Noun::Pulse(pulse(second)))
        });
        records.apply(&rows).unwrap();
        let ask = |from, to, limit| {
            let found = records.pulses(named(1), at(from), at(to), limit).unwrap();
            found.iter().map(|it| (it.at, it.pulse)).collect::<Vec<_>>()
        };
        assert_eq!(ask(1, 121, 9), [(at(1), pulse(1)), (at(61), pulse(61))]);
        assert_eq!(ask(2, 122, 1), [(at(61), pulse(61))]);
    }
}

#[test]
fn a_stop_and_a_long_silence_of_the_program_are_outages_and_a_late_pulse_is_none() {
    for home in Home::each() {
        let records = home.open();
        // Each: when it was noted, and the start that it belongs to.
        let noted = [(10, 10), (70, 10), (190, 10), (311, 10), (320, 320), (380, 320)];
        let rows = noted.map(|(second, start)| {
            let pulse = record::Pulse {
                messages_per_ks: 1,
                readings_per_ks: 2,
                durable_p99_us: 3,
                decided_p99_us: 4,
                journal_bytes: 5,
                connections: 6,
                started_at: at(start),
            };
            row(u64::try_from(second).unwrap(), second, Noun::Pulse(pulse))
        });
        records.apply(&rows).unwrap();
        let ask = |from, to, limit| {
            let longest = std::time::Duration::from_secs(120);
            records.outages(named(1), (at(from), at(to)), longest, limit).unwrap()
        };
        let (silence, stop) = ((at(190), at(311)), (at(311), at(320)));
        assert_eq!(ask(0, 999, 9), [silence, stop]);
        assert_eq!(ask(0, 999, 1), [stop], "of more the latest");
        assert_eq!(ask(200, 300, 9), [silence], "its pulses lie around the range");
        assert_eq!(ask(320, 380, 9), []);
        assert_eq!(ask(10, 190, 9), []);
        let longest = std::time::Duration::ZERO;
        assert_eq!(
            records.outages(named(2), (at(0), at(999)), longest, 9).unwrap(),
            [],
            "another's"
        );
    }
}

#[test]
fn a_text_comes_back_whatever_is_in_it() {
    for home in Home::each() {
        let records = home.open();
        let text = "\0 ' \" \\ $1 \u{1a}0 \u{1f3e5} \n";
        let letter = DeadLetter {
            id: named(60),
            device: None,
            door: "mqtt".into(),
            topic: text.into(),
            content_type: Some(text.into()),
            reason: "topic".into(),
            explanation: text.into(),
            payload: (0..=255).collect(),
        };
        records.apply(&[row(10, 1, Noun::DeadLetter(letter.clone()))]).unwrap();
        assert_eq!(records.dead_letter(named(1), named(60)).unwrap().unwrap().letter, letter);
    }
}

#[test]
fn the_tables_and_their_columns_are_those_of_the_other_database() {
    for home in Home::each() {
        let file = Home::file();
        assert_eq!(home.open().0.db.tables().unwrap(), file.open().0.db.tables().unwrap());
    }
}
