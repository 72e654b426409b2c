//! What is granted and what is refused, each with its reason.

use super::*;
use std::time::Duration;

/// Asks for one thing on a furnished ward with one bed; the reason if it is refused.
#[track_caller]
fn check(wish: impl FnOnce(&Ward) -> Wish, want: Result<(), Reason>) {
    let mut ward = Ward::new();
    ward.wait_until(at(10.0));
    let wish = wish(&ward);
    let shown = format!("{wish:?}");
    let before = ward.core.directory();
    let got = ward.asks(Actor::User(id(PRIYA)), wish).map(drop).map_err(|refusal| refusal.0);
    assert_eq!(got, want, "{shown}");
    if want.is_err() {
        assert_eq!(before, ward.core.directory(), "a refused wish changed something: {shown}");
    }
}

fn user(number: u128, login: &str) -> User {
    User {
        id: id(number),
        org: id(1),
        login: login.to_owned(),
        role: Role::It,
        staff: None,
        password_hash: None,
        patient: None,
        disabled: false,
    }
}

#[test]
fn names_are_taken_once() {
    check(|_| Wish::PutUser(user(40, "vance")), Ok(()));
    check(|_| Wish::PutUser(user(40, "priya")), Err(Reason::NotUnique));
    check(|_| Wish::PutUser(user(40, "Vance")), Err(Reason::Unusable));
    check(|_| Wish::PutUser(user(40, " ")), Err(Reason::Unusable));
    let bed = |number, name: &str| Bed { id: id(number), room: id(4), name: name.to_owned() };
    check(|_| Wish::PutBed(bed(0x400, "00")), Err(Reason::NotUnique));
    check(|_| Wish::PutBed(bed(0x400, "01")), Ok(()));
    check(|_| Wish::PutBed(bed(BED, "00")), Ok(())); // The bed itself.
    let twin = || Device { id: id(0x500), ..device(0, "bedside-monitor") };
    check(|_| Wish::PutDevice(twin()), Err(Reason::NotUnique));
    check(|_| Wish::PutDevice(Device { serial: "S9".into(), ..twin() }), Ok(()));
    let twin = || Patient { id: id(0x600), ..patient(0) };
    check(|_| Wish::PutPatient(twin()), Err(Reason::NotUnique));
}

#[test]
fn a_name_and_a_note_have_a_longest_length() {
    use crate::limits::{TEXT_LEN_MAX, WORDS_LEN_MAX};
    let unit = |len| CareUnit { id: id(0x700), site: id(2), name: "x".repeat(len) };
    check(|_| Wish::PutCareUnit(unit(TEXT_LEN_MAX)), Ok(()));
    check(|_| Wish::PutCareUnit(unit(TEXT_LEN_MAX + 1)), Err(Reason::Unusable));
    check(|_| Wish::PutCareUnit(unit(0)), Err(Reason::Unusable));
    let here_for = |len| Patient { here_for: Redacted("x".repeat(len)), ..patient(9) };
    check(|_| Wish::PutPatient(here_for(WORDS_LEN_MAX)), Ok(()));
    check(|_| Wish::PutPatient(here_for(WORDS_LEN_MAX + 1)), Err(Reason::Unusable));
}

#[test]
fn references_exist_and_belong_to_the_same_organization() {
    let unit = |site| CareUnit { id: id(0x700), site: id(site), name: "5A".into() };
    check(|_| Wish::PutCareUnit(unit(2)), Ok(()));
    check(|_| Wish::PutCareUnit(unit(99)), Err(Reason::NotFound));
    let foreign = || Org { id: id(77), name: "Other".into() };
    check(|_| Wish::PutOrg(foreign()), Err(Reason::OtherOrg));
    let bed = || Bed { id: id(0x400), room: id(99), name: "01".into() };
    check(|_| Wish::PutBed(bed()), Err(Reason::NotFound));
    let unknown = || Device { profile: "toaster".into(), ..device(7, "x") };
    check(|_| Wish::PutDevice(unknown()), Err(Reason::NotFound));
    let elsewhere = || Patient { org: id(77), ..patient(7) };
    check(|_| Wish::PutPatient(elsewhere()), Err(Reason::OtherOrg));
    let nobody = || User { staff: Some(id(999)), ..user(40, "vance") };
    check(|_| Wish::PutUser(nobody()), Err(Reason::NotFound));
}

#[test]
fn a_device_goes_through_its_life_in_order_and_only_one_in_service_is_put_on_a_patient() {
    let to = |lifecycle| Wish::SetLifecycle {
        device: id(MONITOR),
        lifecycle,
        why: Some("a test".to_owned()),
    };
    check(|_| to(Lifecycle::Quarantined), Ok(()));
    check(|_| to(Lifecycle::Ordered), Err(Reason::IllegalMove));
    check(|_| to(Lifecycle::Retired), Err(Reason::IllegalMove)); // It is on Ilse.
    let mut ward = Ward::new();
    ward.put_on(MONITOR, None);
    ward.grant(to(Lifecycle::Quarantined));
    let on = |ward: &Ward, at: Timestamp| {
        let (from, known_at) = (at, ward.now);
        let value = Subject::Patient(id(ILSE));
        Wish::Associate(Association { key: id(MONITOR), value, from, known_at })
    };
    let wish = on(&ward, ward.now);
    assert_eq!(ward.asks(Actor::System, wish).unwrap_err().0, Reason::NotInService);
    ward.grant(to(Lifecycle::InService));
    let wish = on(&ward, ward.now.after(Duration::from_secs(120)));
    assert_eq!(ward.asks(Actor::System, wish).unwrap_err().0, Reason::WrongTime);
    ward.grant(on(&ward, ward.now));
}

#[test]
fn one_patient_lies_in_one_bed_and_one_bed_holds_one_patient() {
    let mut ward = Ward::new();
    ward.move_in(1);
    let lie = |ward: &Ward, bed, patient| {
        let (from, known_at) = (ward.now, ward.now);
        Wish::Occupy(Encounter { key: id(bed), value: Some(id(patient)), from, known_at })
    };
    let wish = lie(&ward, BED, ILSE + 1);
    assert_eq!(ward.asks(Actor::System, wish).unwrap_err().0, Reason::Occupied);
    ward.grant(Wish::PutBed(Bed { id: id(BED + 5), room: id(4), name: "05".into() }));
    ward.wait_until(at(5.0));
    ward.grant(lie(&ward, BED + 5, ILSE));
    let directory = ward.core.directory();
    assert_eq!(directory.bed_of(id(ILSE)), Some(id(BED + 5)));
    assert_eq!(directory.patient_in(id(BED)), None);
    // What held then is still known.
    let then = directory.encounter_at(id(BED), at(4.0), ward.now);
    assert_eq!(then, Some(id(ILSE)));
    // A move that would have begun before the one that is recorded leaves two truths.
    let (from, known_at) = (at(3.0), ward.now);
    let wish = Wish::Occupy(Encounter { key: id(BED), value: Some(id(ILSE)), from, known_at });
    assert_eq!(ward.asks(Actor::System, wish).unwrap_err().0, Reason::WrongTime);
}

#[test]
fn a_bed_is_emptied_only_of_whom_the_asker_saw_there() {
    let mut ward = Ward::new();
    ward.move_in(1);
    let seen = ward.core.directory().encounters_known_at(id(BED));
    let empty = |from| Wish::Occupy(Encounter { key: id(BED), value: None, from, known_at: seen });
    ward.wait_until(at(5.0));
    ward.occupy(BED, None);
    ward.wait_until(at(6.0));
    ward.grant(empty(ward.now));
    ward.occupy(BED, Some(ILSE + 1));
    ward.wait_until(at(7.0));
    let refused = ward.asks(Actor::System, empty(ward.now)).unwrap_err();
    assert_eq!(refused.0, Reason::Occupied, "{refused:?}");
    assert_eq!(ward.core.directory().patient_in(id(BED)), Some(id(ILSE + 1)));
    ward.occupy(BED, None);
    assert_eq!(ward.core.directory().patient_in(id(BED)), None);
}

#[test]
fn limits_are_sane_and_charting_says_something() {
    let limits = |low, high| {
        let side = |limit: i64| model::LimitSide {
            limit_thousandths: limit * 1_000,
            clears_at_thousandths: limit * 1_000,
            delay: Duration::from_secs(5),
            priority: Priority::Medium,
        };
        let (low, high) = (Some(side(low)), Some(side(high)));
        let limits = model::LimitSet { vital: Vital::HeartRate, low, high };
        Wish::SetLimits { patient: id(ILSE), limits }
    };
    check(|_| limits(50, 120), Ok(()));
    check(|_| limits(120, 50), Err(Reason::LimitsNotSane));
    check(|_| limits(50, 999), Err(Reason::LimitsNotSane));
    let charting = |observed_at, breaths_per_min| {
        Wish::Chart(Charting {
            patient: id(ILSE),
            observed_at,
            consciousness: None,
            oxygen: None,
            breaths_per_min,
            note: Redacted("restless".into()),
            feeling: None,
        })
    };
    check(|_| charting(at(9.0), Some(16)), Ok(()));
    check(|_| charting(at(9.0), None), Err(Reason::Unusable));
    check(|_| charting(at(9.0), Some(151)), Err(Reason::Unusable));
    check(|_| charting(at(71.0), Some(16)), Err(Reason::WrongTime));
    check(|_| charting(at(70.0), Some(16)), Ok(()));
    check(|_| charting(at(10.0 - 86_401.0), Some(16)), Err(Reason::WrongTime));
    check(|_| charting(at(10.0 - 86_400.0), Some(16)), Ok(()));
}

#[test]
fn an_alarm_that_is_not_raised_cannot_be_answered() {
    let acknowledge = |seconds| {
        let quiet_for = Duration::from_secs(seconds);
        move |_: &Ward| Wish::Acknowledge { alarm: id(0x800), quiet_for }
    };
    check(acknowledge(60), Err(Reason::NothingRaised));
    check(acknowledge(0), Err(Reason::Unusable));
    check(acknowledge(3_601), Err(Reason::Unusable));
}

#[test]
fn a_link_is_used_once_and_a_session_ends() {
    let mut ward = Ward::empty();
    ward.furnish();
    let link = [7; 32];
    let (user, expires_at) = (id(PRIYA), at(100.0));
    ward.grant(Wish::Invite { user, token_hash: link, expires_at });
    let directory = ward.core.directory();
    assert_eq!(directory.invitation(&link, at(99.0)).map(|it| it.id), Some(user));
    assert_eq!(directory.invitation(&link, at(100.0)), None);
    ward.grant(Wish::SetPassword { user, password_hash: Redacted("$argon2id$x".into()) });
    assert_eq!(ward.core.directory().invitation(&link, at(1.0)), None);
    let session = |number, token: u8, until| ::record::Session {
        id: id(number),
        user,
        token_hash: [token; 32],
        opened_at: at(0.0),
        expires_at: at(until),
    };
    ward.grant(Wish::OpenSession(session(0x900, 1, 50.0)));
    let found = |ward: &Ward, token: u8, now| {
        ward.core.directory().session(&[token; 32], at(now)).map(|(_, user)| user.login.clone())
    };
    assert_eq!(found(&ward, 1, 49.0).as_deref(), Some("priya"));
    assert_eq!(found(&ward, 1, 50.0), None);
    // An expired one is forgotten when its user signs in again.
    ward.wait_until(at(60.0));
    ward.grant(Wish::OpenSession(session(0x901, 2, 90.0)));
    assert_eq!(ward.core.directory().sessions.len(), 1);
    ward.grant(Wish::CloseSession(id(0x901)));
    assert_eq!(found(&ward, 2, 61.0), None);
    // Whoever is disabled is signed out.
    ward.grant(Wish::OpenSession(session(0x902, 3, 90.0)));
    let priya = ward.core.directory().users[&user].clone();
    ward.grant(Wish::PutUser(User { disabled: true, ..priya }));
    assert_eq!(found(&ward, 3, 61.0), None);
}

#[test]
fn the_last_user_who_manages_users_stays() {
    let mut ward = Ward::new();
    ward.grant(Wish::PutUser(user(40, "it")));
    let disabled = || Wish::PutUser(User { disabled: true, ..user(40, "it") });
    assert_eq!(ward.asks(Actor::System, disabled()).unwrap_err().0, Reason::IllegalMove);
    ward.grant(Wish::PutUser(user(41, "it2")));
    ward.grant(disabled());
}

#[test]
fn the_board_shows_every_bed_in_the_order_of_its_names() {
    let mut ward = Ward::new();
    ward.move_in(2);
    ward.move_in(1);
    ward.monitor(1, 2, 97.0, 80.0);
    let board = ward.core.board(id(UNIT), Cursor(9), ward.now).unwrap();
    let names: Vec<_> = board.beds.iter().map(|bed| bed.name.as_str()).collect();
    assert_eq!(names, ["00", "01", "02"]);
    assert_eq!((board.cursor, board.charge), (Cursor(9), Some(id(TOM))));
    let texts: Vec<_> = board.beds[0].numerics.iter().map(|it| it.text.as_str()).collect();
    assert_eq!(texts, ["80", "97"]);
    assert_eq!(board.beds[0].nurse, Some(id(PRIYA)));
    assert_eq!(ward.core.board(id(0x999), Cursor(9), ward.now), None);
}

#[test]
fn what_begins_a_little_ahead_of_our_clock_begins_now() {
    let mut ward = Ward::new();
    ward.furnish_second();
    let (from, known_at) = (at(30.0), ward.now);
    let (bed, nurse, subject) = (Some(id(ILSE + 1)), Some(id(TOM)), id(ILSE + 1));
    ward.grant(Wish::Occupy(Encounter { key: id(BED + 1), value: bed, from, known_at }));
    let value = Subject::Patient(subject);
    ward.grant(Wish::Associate(Association { key: id(MONITOR + 1), value, from, known_at }));
    let key = Post::Bed(id(BED + 1));
    ward.grant(Wish::Assign(Assignment { key, value: nurse, from, known_at }));
    let known = ward.core.directory();
    assert_eq!(known.bed_of(subject), Some(id(BED + 1)));
    assert_eq!(known.subject_of(id(MONITOR + 1)), value);
    assert_eq!(known.nurse_of(id(BED + 1)), Some(id(TOM)));
    assert_eq!(known.encounter_at(id(BED + 1), ward.now, ward.now), Some(subject));
    // The monitor that says nothing is missed.
    ward.wait_until(at(20.0));
    let silent = ward.standing().into_iter().filter(|it| it.patient == Some(subject)).count();
    assert_eq!(silent, 1, "{:?}", ward.titles());
}

#[test]
fn the_records_say_the_same_of_what_begins_ahead_of_our_clock() {
    let mut ward = Ward::new();
    let (from, known_at) = (at(30.0), ward.now);
    let (key, value) = (Post::Charge(id(UNIT)), Some(id(JONAS)));
    let wish = Wish::Assign(Assignment { key, value, from, known_at });
    let (kind, version, bytes) = Body::Command(Command { actor: Actor::System, wish }).encode();
    let record = ward.append(kind, version, bytes, ward.now);
    ward.core.step(&record, &mut ward.out);
    let lines = ward.out.rows.iter().filter_map(|row| match &row.noun {
        store::Noun::Assignment(line) => Some(line.from),
        _ => None,
    });
    assert!(lines.eq([ward.now]));
}

impl Ward {
    /// A second bed, a second patient and a monitor that is on nobody.
    fn furnish_second(&mut self) {
        self.grant(Wish::PutBed(Bed { id: id(BED + 1), room: id(4), name: "01".into() }));
        self.grant(Wish::PutPatient(patient(1)));
        self.grant(Wish::PutDevice(device(1, "bedside-monitor")));
    }
}

#[test]
fn a_line_that_is_dated_back_takes_readings_from_nobody_whom_its_asker_did_not_see() {
    let mut ward = Ward::new();
    ward.furnish_second();
    let seen = ward.core.directory().associations_known_at(id(MONITOR));
    ward.wait_until(at(5.0));
    ward.put_on(MONITOR, Some(ILSE + 1));
    ward.wait_until(at(9.0));
    ward.put_on(MONITOR, Some(ILSE));
    let directory = ward.core.directory();
    let worn = |from| directory.worn_since(id(MONITOR), from).into_iter().collect::<Vec<_>>();
    assert_eq!(worn(at(4.0)), [id(ILSE), id(ILSE + 1)]);
    assert_eq!(worn(at(6.0)), [id(ILSE), id(ILSE + 1)]);
    assert_eq!(worn(ward.now), [id(ILSE)]);
    let on = |value, known_at| {
        Wish::Associate(Association { key: id(MONITOR), value, from: at(4.0), known_at })
    };
    for value in [Subject::Nobody, Subject::Patient(id(ILSE))] {
        assert_eq!(ward.asks(Actor::System, on(value, seen)).unwrap_err().0, Reason::IllegalMove);
    }
    // Whoever is named loses nothing, and whoever looked again has seen her.
    ward.grant(on(Subject::Patient(id(ILSE + 1)), seen));
    let seen = ward.core.directory().associations_known_at(id(MONITOR));
    ward.grant(on(Subject::Nobody, seen));
}
