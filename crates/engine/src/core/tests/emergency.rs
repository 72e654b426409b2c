//! Pages opened in an emergency, and the next dose.

use std::time::Duration;

use model::{EmergencyAccess, EmergencyId, EmergencyReason, NextDose};

use super::*;
use crate::limits::{
    DOSE_AGE_MAX, DOSE_AHEAD_MAX, EMERGENCIES_KEPT_MAX, EMERGENCIES_OF_A_USER_MAX, EMERGENCY_LASTS,
    OPEN_AFTER_LEAVING,
};

fn access(number: u128, patient: u128, reason: EmergencyReason, words: &str) -> EmergencyAccess {
    EmergencyAccess { id: id(number), patient: id(patient), reason, words: Redacted(words.into()) }
}

impl Ward {
    fn opens(&mut self, user: u128, it: EmergencyAccess) -> Result<(), Reason> {
        self.tries(user, Wish::OpenInEmergency(it))
    }

    fn open_to(&self, user: u128, at: Timestamp) -> Vec<PatientId> {
        self.core.directory().open_to(id(user), at).collect()
    }

    fn plans(&mut self, words: &str, due_at: Timestamp) -> Result<(), Reason> {
        let dose = NextDose { patient: id(ILSE), due_at, words: Redacted(words.into()) };
        self.tries(PRIYA, Wish::PlanDose(dose))
    }
}

#[test]
fn a_page_is_open_for_an_hour_to_the_one_who_gave_a_reason() {
    let mut ward = Ward::new();
    ward.wait_until(at(5.0));
    let risk = access(0x900, ILSE, EmergencyReason::LifeAtRisk, "");
    assert_eq!(ward.opens(JONAS, risk.clone()), Ok(()));
    let until = at(5.0).after(EMERGENCY_LASTS);
    let just_before = until.before(Duration::from_nanos(1));
    assert_eq!(ward.open_to(JONAS, at(5.0)), [id(ILSE)]);
    assert_eq!(ward.open_to(JONAS, just_before), [id(ILSE)]);
    assert_eq!(ward.open_to(JONAS, until), []);
    assert_eq!(ward.open_to(PRIYA, at(5.0)), []);
    // Once more while it is open changes nothing; afterwards it is opened anew.
    let again = access(0x901, ILSE, EmergencyReason::Transfer, "");
    assert_eq!(ward.opens(JONAS, again.clone()), Err(Reason::IllegalMove));
    assert_eq!(ward.opens(TOM, risk), Err(Reason::NotUnique));
    ward.wait_until(until);
    assert_eq!(ward.opens(JONAS, again), Ok(()));
    ward.rebuilds();
}

#[test]
fn an_opening_is_refused_with_its_reason() {
    let mut ward = Ward::new();
    use EmergencyReason::{CalledToHelp, Other};
    for (it, want) in [
        (access(0x900, 0x2ff, CalledToHelp, ""), Err(Reason::NotFound)),
        (access(0x900, ILSE, Other, " "), Err(Reason::Unusable)),
        (access(0x900, ILSE, CalledToHelp, "\u{202e}"), Err(Reason::Unusable)),
        (access(0x900, ILSE, Other, "lost her wristband"), Ok(())),
    ] {
        let shown = format!("{it:?}");
        assert_eq!(ward.opens(JONAS, it), want, "{shown}");
    }
    let it = access(0x901, ILSE, CalledToHelp, "");
    let by_itself = ward.asks(Actor::System, Wish::OpenInEmergency(it)).unwrap_err();
    assert_eq!(by_itself.0, Reason::NotAllowed);
}

#[test]
fn so_many_pages_and_no_more_are_open_to_one_person() {
    let mut ward = Ward::new();
    let count = u128::try_from(EMERGENCIES_OF_A_USER_MAX).unwrap();
    for n in 0..=count {
        ward.grant(Wish::PutPatient(patient(n)));
        let opened = ward.opens(JONAS, access(0x900 + n, ILSE + n, EmergencyReason::Transfer, ""));
        assert_eq!(opened, if n < count { Ok(()) } else { Err(Reason::NotAllowed) }, "{n}");
    }
    assert_eq!(ward.opens(TOM, access(0x990, ILSE, EmergencyReason::Transfer, "")), Ok(()));
}

#[test]
fn whoever_looks_at_the_reason_is_somebody_else_and_looks_once() {
    let mut ward = Ward::new();
    let number: EmergencyId = id(0x900);
    ward.opens(JONAS, access(0x900, ILSE, EmergencyReason::CalledToHelp, "by Priya")).unwrap();
    ward.deltas.clear();
    let review = |id| Wish::ReviewEmergency(id);
    assert_eq!(ward.tries(JONAS, review(number)), Err(Reason::NotAllowed));
    assert_eq!(ward.tries(TOM, review(id(0x999))), Err(Reason::NotFound));
    assert_eq!(ward.tries(TOM, review(number)), Ok(()));
    assert_eq!(ward.tries(PRIYA, review(number)), Err(Reason::IllegalMove));
    let state = &ward.core.directory().emergencies[&number];
    assert_eq!((state.reviewed.map(|it| it.0), state.care_unit), (Some(id(TOM)), Some(id(UNIT))));
    // The board is told, so that the notice on it goes.
    assert!(ward.deltas.iter().any(|it| it.beds.iter().any(|bed| bed.bed == id(BED))));
    // A look at the reason does not close the page.
    assert_eq!(ward.open_to(JONAS, ward.now), [id(ILSE)]);
    ward.rebuilds();
}

#[test]
fn what_somebody_has_looked_at_is_forgotten_before_what_waits() {
    let mut ward = Ward::new();
    ward.opens(JONAS, access(1, ILSE, EmergencyReason::Transfer, "")).unwrap();
    ward.opens(TOM, access(2, ILSE, EmergencyReason::Transfer, "")).unwrap();
    ward.tries(TOM, Wish::ReviewEmergency(id(1))).unwrap();
    let mut directory = Directory::clone(&ward.core.directory());
    let one = directory.emergencies[&id(2)].clone();
    let mut n = 0x1_0000;
    while directory.emergencies.len() < EMERGENCIES_KEPT_MAX {
        n += 1;
        let mut more = one.clone();
        more.access.id = id(n);
        directory.emergencies.insert(id(n), more);
    }
    let later = Wish::OpenInEmergency(access(3, ILSE, EmergencyReason::Transfer, ""));
    directory.apply(&later, Actor::User(id(PRIYA)), at(60.0));
    let has = |number| directory.emergencies.contains_key(&id(number));
    assert_eq!(directory.emergencies.len(), EMERGENCIES_KEPT_MAX);
    assert_eq!((has(1), has(2), has(3)), (false, true, true));
}

#[test]
fn a_dose_is_planned_replaced_and_ended_and_goes_with_the_patient() {
    let mut ward = Ward::new();
    ward.wait_until(at(5.0));
    let dose = |ward: &Ward| {
        let doses = &ward.core.directory().doses;
        doses.get(&id(ILSE)).map(|it| (it.next.words.0.clone(), it.by))
    };
    let soon = at(5.0).after(Duration::from_secs(3_600));
    let nano = Duration::from_nanos(1);
    for (words, due_at, want) in [
        ("", soon, Err(Reason::Unusable)),
        ("1 g paracetamol", at(5.0).after(DOSE_AHEAD_MAX), Ok(())),
        ("1 g paracetamol", at(5.0).after(DOSE_AHEAD_MAX).after(nano), Err(Reason::WrongTime)),
        ("1 g paracetamol", at(5.0).before(DOSE_AGE_MAX), Ok(())),
        ("1 g paracetamol", at(5.0).before(DOSE_AGE_MAX).before(nano), Err(Reason::WrongTime)),
        ("40 mg furosemide", soon, Ok(())),
    ] {
        assert_eq!(ward.plans(words, due_at), want, "{words} {due_at:?}");
    }
    assert_eq!(dose(&ward), Some(("40 mg furosemide".to_owned(), Actor::User(id(PRIYA)))));
    ward.rebuilds();
    assert_eq!(ward.tries(PRIYA, Wish::ClearDose(id(ILSE))), Ok(()));
    assert_eq!(ward.tries(PRIYA, Wish::ClearDose(id(ILSE))), Err(Reason::NotFound));
    ward.plans("40 mg furosemide", soon).unwrap();
    ward.occupy(BED, None);
    assert_eq!(dose(&ward), None, "nobody gives a dose to somebody who has left");
    ward.rebuilds();
}

/// A second care unit with one bed.
const NEXT_UNIT: u128 = 0x13;
const NEXT_BED: u128 = 0x333;

impl Ward {
    fn lies(&mut self, bed: u128, patient: Option<u128>, from: Timestamp) {
        let value = patient.map(id);
        self.grant(Wish::Occupy(Encounter { key: id(bed), value, from, known_at: self.now }));
    }

    fn next_unit(&mut self) {
        let unit = CareUnit { id: id(NEXT_UNIT), site: id(2), name: "5A".into() };
        self.grant(Wish::PutCareUnit(unit));
        self.grant(Wish::PutRoom(Room { id: id(14), care_unit: id(NEXT_UNIT), name: "1".into() }));
        self.grant(Wish::PutBed(Bed { id: id(NEXT_BED), room: id(14), name: "01".into() }));
    }

    /// Who left each of the two care units lately, and who answers for Ilse.
    fn left(&self, now: Timestamp) -> (bool, bool, Option<model::CareUnitId>) {
        let directory = self.core.directory();
        let lately = |unit| directory.left_lately(id(unit), now).contains(&id(ILSE));
        (lately(UNIT), lately(NEXT_UNIT), directory.unit_answering_for(id(ILSE), now))
    }
}

#[test]
fn a_page_stays_open_for_a_day_to_the_units_that_were_left() {
    let (unit, next) = (Some(id(UNIT)), Some(id(NEXT_UNIT)));
    let (moved, gone) = (at(100.0), at(200.0));
    let tick = Duration::from_nanos(1);
    let (shut, shut_next) = (moved.after(OPEN_AFTER_LEAVING), gone.after(OPEN_AFTER_LEAVING));
    let mut ward = Ward::new();
    ward.next_unit();
    ward.put_on(MONITOR, None);
    ward.wait_until(moved);
    assert!(!ward.core.directory().has_left(id(ILSE)));
    assert!(!ward.core.directory().has_left(id(0x7777)), "never in a bed");
    assert_eq!(ward.left(moved), (false, false, unit));
    ward.lies(NEXT_BED, Some(ILSE), moved);
    // Whoever lies in another care unit is that one's alone.
    assert_eq!(ward.left(moved), (false, false, next));
    ward.wait_until(gone);
    ward.lies(NEXT_BED, None, gone);
    assert!(ward.core.directory().has_left(id(ILSE)));
    for (now, want) in [
        (gone, (true, true, next)),
        (shut.before(tick), (true, true, next)),
        (shut, (false, true, next)),
        (shut.after(tick), (false, true, next)),
        (shut_next.before(tick), (false, true, next)),
        (shut_next, (false, false, next)),
        (shut_next.after(tick), (false, false, next)),
    ] {
        assert_eq!(ward.left(now), want, "{now:?}");
    }
    ward.rebuilds();
    // Who comes back is in a bed, and the day begins anew when they leave it.
    ward.lies(BED, Some(ILSE), ward.now);
    assert_eq!(ward.left(ward.now), (false, false, unit));
    assert!(!ward.core.directory().has_left(id(ILSE)));
    ward.rebuilds();
}

#[test]
fn a_departure_counts_from_when_it_was_and_not_from_when_it_was_written_down() {
    let mut ward = Ward::new();
    ward.wait_until(at(5.0).after(OPEN_AFTER_LEAVING));
    ward.lies(BED, None, at(5.0));
    assert_eq!(ward.left(ward.now), (false, false, Some(id(UNIT))));
    ward.lies(BED, Some(ILSE), at(6.0));
    ward.lies(BED, None, at(7.0));
    assert_eq!(ward.left(ward.now), (true, false, Some(id(UNIT))));
}

#[test]
fn an_opening_concerns_the_unit_where_it_was_and_the_one_where_the_patient_is() {
    let mut ward = Ward::new();
    ward.next_unit();
    ward.put_on(MONITOR, None);
    ward.wait_until(at(100.0));
    let opens = access(0x900, ILSE, EmergencyReason::Transfer, "");
    assert_eq!(ward.opens(JONAS, opens), Ok(()));
    let waiting = |ward: &Ward| {
        let directory = ward.core.directory();
        (directory.to_review(id(UNIT)), directory.to_review(id(NEXT_UNIT)))
    };
    assert_eq!(waiting(&ward), (1, 0));
    ward.lies(NEXT_BED, Some(ILSE), at(100.0));
    assert_eq!(waiting(&ward), (1, 1));
    ward.wait_until(at(200.0));
    ward.lies(NEXT_BED, None, at(200.0));
    assert_eq!(waiting(&ward), (1, 0));
    // Of somebody who left, the care unit that they left last is told.
    let opens = access(0x901, ILSE, EmergencyReason::CalledToHelp, "");
    assert_eq!(ward.opens(TOM, opens), Ok(()));
    assert_eq!(waiting(&ward), (1, 1));
    assert_eq!(ward.tries(PRIYA, Wish::ReviewEmergency(id(0x900))), Ok(()));
    assert_eq!(waiting(&ward), (0, 1));
}

/// The care units on whose boards a low saturation stands.
fn boards(ward: &Ward) -> Vec<u128> {
    let is_low = |unit: u128| {
        let alarms = ward.core.alarms_of(AlarmScope::CareUnit(id(unit)));
        alarms.iter().any(|alarm| alarm.title.starts_with("SpO₂ low"))
    };
    [UNIT, NEXT_UNIT].into_iter().filter(|unit| is_low(*unit)).collect()
}

#[test]
fn who_left_with_a_device_on_is_the_devices_care_units_and_else_on_the_board_left_last() {
    for (owner, caring, board) in
        [(Some(NEXT_UNIT), Some(id(NEXT_UNIT)), NEXT_UNIT), (None, None, UNIT)]
    {
        let mut ward = Ward::new();
        ward.next_unit();
        ward.wait_until(at(5.0));
        let worn = Device { care_unit: owner.map(id), ..device(0, "bedside-monitor") };
        ward.grant(Wish::PutDevice(worn));
        ward.occupy(BED, None);
        ward.monitor(90_000, 90_016, 86.0, 80.0);
        let directory = ward.core.directory();
        assert!(directory.has_left(id(ILSE)));
        assert_eq!(directory.care_unit_caring_for(id(ILSE)), caring);
        assert_eq!(directory.unit_answering_for(id(ILSE), ward.now), Some(id(board)));
        assert_eq!(boards(&ward), [board]);
        // Whoever cares for them is told of an emergency.
        assert_eq!(ward.opens(JONAS, access(0x900, ILSE, EmergencyReason::LifeAtRisk, "")), Ok(()));
        assert_eq!(ward.core.directory().to_review(id(board)), 1);
        ward.rebuilds();
    }
}

#[test]
fn whoever_was_put_into_a_bed_by_mistake_was_never_taken_in() {
    let mut ward = Ward::new();
    ward.wait_until(at(100.0));
    ward.grant(Wish::PutPatient(patient(7)));
    ward.occupy(BED, None);
    ward.wait_until(at(200.0));
    ward.lies(BED, Some(ILSE + 7), at(150.0));
    ward.wait_until(at(300.0));
    ward.lies(BED, None, at(150.0));
    let directory = ward.core.directory();
    assert!(!directory.has_left(id(ILSE + 7)));
    assert_eq!(directory.unit_answering_for(id(ILSE + 7), ward.now), None);
    assert!(directory.has_left(id(ILSE)));
    ward.rebuilds();
}
