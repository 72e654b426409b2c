//! Limits by care unit and age, hand-overs, and what a patient may say.

use care::limit::{Layer, Side, defaults, side_of};
use model::{Date, Feeling, HandOver, HandOverId, LimitSet, PostNote};
use store::{HandOverStep, Noun};

use super::*;

/// The built-in limits of the saturation with another low one, in percent.
pub(super) fn low_saturation(percent: i64) -> LimitSet {
    let mut limits = defaults().find(|it| it.vital == Vital::Saturation).unwrap();
    if let Some(side) = &mut limits.low {
        (side.limit_thousandths, side.clears_at_thousandths) = (percent * 1_000, percent * 1_000);
    }
    limits
}

/// Bed 0 and its note, from one to another.
pub(super) fn hand_over(number: u128, from: u128, to: u128) -> HandOver {
    let note = PostNote { post: Post::Bed(id(BED)), note: Redacted("sleeps at last".into()) };
    HandOver { id: id(number), care_unit: id(UNIT), from: id(from), to: id(to), posts: vec![note] }
}

const OTHER_UNIT: u128 = 0x13;
const OTHER_BED: u128 = 0x333;

impl Ward {
    /// The low limit of Ilse's saturation in percent, and the layer that it comes from.
    fn low(&self) -> (i64, Layer) {
        let directory = self.core.directory();
        let (limits, layer, _) = directory.limits_in_force(id(ILSE), Vital::Saturation).unwrap();
        (side_of(&limits, Side::Low).unwrap().limit_thousandths / 1_000, layer)
    }

    fn unit_limit(&mut self, unit: u128, band: Option<AgeBand>, percent: i64) {
        let limits = low_saturation(percent);
        self.grant(Wish::SetUnitLimits { care_unit: id(unit), band, limits });
    }

    fn other_unit(&mut self) {
        self.grant(Wish::PutCareUnit(CareUnit {
            id: id(OTHER_UNIT),
            site: id(2),
            name: "5A".into(),
        }));
        self.grant(Wish::PutRoom(Room { id: id(14), care_unit: id(OTHER_UNIT), name: "1".into() }));
        self.grant(Wish::PutBed(Bed { id: id(OTHER_BED), room: id(14), name: "01".into() }));
    }

    pub(super) fn rebuilds(&mut self) {
        self.settle();
        let (rebuilt, out) = self.restarted(None, &self.log);
        assert_eq!(out.decisions().count(), 0);
        assert!(self.core == rebuilt);
        assert!(
            Core::restore(setup(), &self.core.checkpoint()).is_ok_and(|core| core == self.core)
        );
    }

    pub(super) fn tries(&mut self, user: u128, wish: Wish) -> Result<(), Reason> {
        self.asks(Actor::User(id(user)), wish).map(drop).map_err(|(reason, _)| reason)
    }
}

#[test]
fn the_limit_nearest_to_the_patient_holds() {
    let mut ward = Ward::new();
    let (vital, care_unit, patient) = (Vital::Saturation, id(UNIT), id(ILSE));
    assert_eq!(ward.low(), (90, Layer::BuiltIn));
    ward.unit_limit(UNIT, None, 88);
    assert_eq!(ward.low(), (88, Layer::CareUnit));
    // Ilse is 75 from tomorrow on; those who are older are not meant.
    ward.unit_limit(UNIT, Some(AgeBand::Older), 80);
    assert_eq!(ward.low(), (88, Layer::CareUnit));
    ward.unit_limit(UNIT, Some(AgeBand::Adult), 86);
    assert_eq!(ward.low(), (86, Layer::AgeBand));
    ward.grant(Wish::SetLimits { patient, limits: low_saturation(84) });
    assert_eq!(ward.low(), (84, Layer::Patient));
    ward.grant(Wish::ClearLimits { patient, vital });
    assert_eq!(ward.low(), (86, Layer::AgeBand));
    ward.grant(Wish::ClearUnitLimits { care_unit, band: Some(AgeBand::Adult), vital });
    assert_eq!(ward.low(), (88, Layer::CareUnit));
    ward.grant(Wish::ClearUnitLimits { care_unit, band: None, vital });
    assert_eq!(ward.low(), (90, Layer::BuiltIn));
    ward.rebuilds();
}

#[test]
fn limits_of_a_care_unit_hold_at_once_and_stay_behind_with_it() {
    let mut ward = Ward::new();
    ward.other_unit();
    ward.monitor(1, 20, 86.0, 80.0);
    let low = ward.alarm();
    assert_eq!(low.detail, "below 90");
    ward.unit_limit(UNIT, None, 85);
    assert!(ward.core.alarm(low.id).unwrap().ended_at.is_some(), "86 is not below 85");
    ward.monitor(21, 40, 86.0, 80.0);
    assert_eq!(ward.titles(), Vec::<String>::new());
    // In the other care unit the built-in limit holds, and 86 is below it.
    ward.occupy(OTHER_BED, Some(ILSE));
    assert_eq!(ward.low(), (90, Layer::BuiltIn));
    ward.monitor(41, 60, 86.0, 80.0);
    let there = ward.core.alarms_of(AlarmScope::CareUnit(id(OTHER_UNIT)));
    assert_eq!(there.iter().map(|it| it.detail.as_str()).collect::<Vec<_>>(), ["below 90"]);
    ward.rebuilds();
}

#[test]
fn a_side_that_a_care_unit_silences_raises_nothing() {
    let mut ward = Ward::new();
    let limits = LimitSet { low: None, ..low_saturation(90) };
    ward.grant(Wish::SetUnitLimits { care_unit: id(UNIT), band: None, limits });
    ward.monitor(1, 20, 86.0, 80.0);
    assert_eq!(ward.titles(), Vec::<String>::new());
    ward.rebuilds();
}

#[test]
fn a_birthday_in_bed_changes_no_limit_and_the_next_stay_does() {
    let mut ward = Ward::new();
    ward.unit_limit(UNIT, Some(AgeBand::Older), 80);
    ward.wait_until(at(86_400.0));
    assert_eq!(ward.low(), (90, Layer::BuiltIn), "75 since midnight, and nobody moved her");
    ward.occupy(BED, None);
    ward.occupy(BED, Some(ILSE));
    assert_eq!(ward.low(), (80, Layer::AgeBand));
    // A corrected date of birth is another age at once; an unknown one is none.
    let born = Some(Redacted(Date { year: 1990, month: 1, day: 1 }));
    ward.grant(Wish::PutPatient(Patient { birth_date: born, ..patient(0) }));
    assert_eq!(ward.low(), (90, Layer::BuiltIn));
    ward.grant(Wish::PutPatient(Patient { birth_date: None, ..patient(0) }));
    ward.unit_limit(UNIT, Some(AgeBand::Adult), 81);
    assert_eq!(ward.low(), (90, Layer::BuiltIn));
    ward.rebuilds();
}

#[test]
fn a_page_says_who_set_its_limits_and_when() {
    let mut ward = Ward::new();
    ward.wait_until(at(5.0));
    let limits = low_saturation(88);
    let wish = Wish::SetUnitLimits { care_unit: id(UNIT), band: None, limits };
    assert_eq!(ward.tries(TOM, wish), Ok(()));
    let page = ward.core.patient_page(id(ILSE), Cursor::default(), ward.now).unwrap();
    let of = |vital| page.limits.iter().find(|it| it.limits.vital == vital).unwrap();
    let set = of(Vital::Saturation);
    assert_eq!((set.layer, set.care_unit), (Layer::CareUnit, Some(id(UNIT))));
    assert_eq!(set.set, Some((Actor::User(id(TOM)), at(5.0))));
    assert_eq!((of(Vital::HeartRate).layer, of(Vital::HeartRate).set), (Layer::BuiltIn, None));
    let nonsense = LimitSet { high: low_saturation(80).low, ..low_saturation(88) };
    let wish = Wish::SetUnitLimits { care_unit: id(UNIT), band: None, limits: nonsense };
    assert_eq!(ward.tries(TOM, wish), Err(Reason::LimitsNotSane));
    let wish = Wish::SetUnitLimits { care_unit: id(99), band: None, limits };
    assert_eq!(ward.tries(TOM, wish), Err(Reason::NotFound));
}

#[test]
fn posts_change_hands_when_the_one_who_comes_accepts() {
    let mut ward = Ward::new();
    let number: HandOverId = id(0x900);
    let nurse = |ward: &Ward| ward.core.directory().nurse_of(id(BED));
    assert_eq!(ward.tries(PRIYA, Wish::OfferHandOver(hand_over(0x900, PRIYA, JONAS))), Ok(()));
    assert_eq!(nurse(&ward), Some(id(PRIYA)), "an offer changes nothing");
    for other in [PRIYA, TOM] {
        assert_eq!(ward.tries(other, Wish::AcceptHandOver(number)), Err(Reason::NotAllowed));
    }
    ward.deltas.clear();
    assert_eq!(ward.tries(JONAS, Wish::AcceptHandOver(number)), Ok(()));
    assert_eq!(nurse(&ward), Some(id(JONAS)));
    let told = ward.deltas.iter().flat_map(|it| &it.beds).find(|it| it.bed == id(BED));
    assert_eq!(told.unwrap().nurse, Some(id(JONAS)));
    assert_eq!(ward.tries(JONAS, Wish::AcceptHandOver(number)), Err(Reason::IllegalMove));
    ward.monitor(1, 20, 86.0, 80.0);
    assert_eq!(ward.alarm().told[0].staff, id(JONAS));
    ward.rebuilds();
}

#[test]
fn a_hand_over_is_refused_with_its_reason() {
    let mut ward = Ward::new();
    ward.move_in(1);
    let good = || hand_over(0x900, PRIYA, JONAS);
    let check = |ward: &mut Ward, user, it: HandOver, want| {
        let shown = format!("{it:?}");
        assert_eq!(ward.tries(user, Wish::OfferHandOver(it)), want, "{shown}");
    };
    let post = |post, note: &str| PostNote { post, note: Redacted(note.into()) };
    let with = |posts| HandOver { posts, ..good() };
    let bed = |number: u128| Post::Bed(id(BED + number));
    check(&mut ward, JONAS, good(), Err(Reason::NotAllowed));
    check(&mut ward, PRIYA, hand_over(0x900, PRIYA, PRIYA), Err(Reason::Unusable));
    check(&mut ward, PRIYA, hand_over(0x900, PRIYA, 0x77), Err(Reason::NotFound));
    check(&mut ward, PRIYA, with(vec![]), Err(Reason::Unusable));
    check(&mut ward, PRIYA, with(vec![post(bed(1), "")]), Err(Reason::IllegalMove));
    check(&mut ward, PRIYA, with(vec![post(bed(9), "")]), Err(Reason::NotFound));
    check(&mut ward, PRIYA, with(vec![post(bed(0), ""), post(bed(0), "")]), Err(Reason::NotUnique));
    check(&mut ward, PRIYA, with(vec![post(bed(0), "\u{202e}")]), Err(Reason::Unusable));
    check(&mut ward, PRIYA, with(vec![post(bed(0), "two\nlines")]), Ok(()));
    check(&mut ward, PRIYA, good(), Err(Reason::NotUnique));
    let many = vec![post(bed(0), ""); crate::limits::HAND_OVER_POSTS_MAX + 1];
    check(&mut ward, PRIYA, with(many), Err(Reason::Unusable));
}

#[test]
fn only_what_is_still_held_changes_hands_and_an_offer_can_be_taken_back() {
    let mut ward = Ward::new();
    let (first, second): (HandOverId, HandOverId) = (id(0x900), id(0x901));
    let mut both = hand_over(0x900, TOM, JONAS);
    both.posts = vec![PostNote { post: Post::Charge(id(UNIT)), note: Redacted(String::new()) }];
    assert_eq!(ward.tries(TOM, Wish::OfferHandOver(both)), Ok(()));
    assert_eq!(ward.tries(PRIYA, Wish::OfferHandOver(hand_over(0x901, PRIYA, JONAS))), Ok(()));
    // Meanwhile the charge post went to somebody else.
    ward.assign(Post::Charge(id(UNIT)), Some(PRIYA));
    assert_eq!(ward.tries(JONAS, Wish::AcceptHandOver(first)), Ok(()));
    assert_eq!(ward.core.directory().charge_of(id(UNIT)), Some(id(PRIYA)));
    assert_eq!(ward.tries(PRIYA, Wish::EndHandOver(second)), Ok(()));
    assert_eq!(ward.tries(JONAS, Wish::AcceptHandOver(second)), Err(Reason::IllegalMove));
    // A newer offer of the same person ends the older one.
    for number in [0x902, 0x903] {
        let offer = Wish::OfferHandOver(hand_over(number, PRIYA, JONAS));
        assert_eq!(ward.tries(PRIYA, offer), Ok(()));
    }
    assert_eq!(ward.tries(JONAS, Wish::AcceptHandOver(id(0x902))), Err(Reason::IllegalMove));
    assert_eq!(ward.tries(TOM, Wish::EndHandOver(id(0x903))), Err(Reason::NotAllowed));
    assert_eq!(ward.tries(JONAS, Wish::EndHandOver(id(0x903))), Ok(()));
    ward.rebuilds();
}

#[test]
fn the_records_keep_a_hand_over_with_its_notes_and_the_new_posts() {
    let mut ward = Ward::new();
    ward.tries(PRIYA, Wish::OfferHandOver(hand_over(0x900, PRIYA, JONAS))).unwrap();
    ward.tries(JONAS, Wish::AcceptHandOver(id(0x900))).unwrap();
    ward.settle();
    let (_, out) = ward.restarted(None, &ward.log);
    let steps: Vec<_> = out
        .rows
        .iter()
        .filter_map(|row| match &row.noun {
            Noun::HandOver { what, .. } => Some(*what),
            _ => None,
        })
        .collect();
    assert_eq!(steps, [HandOverStep::Offered, HandOverStep::Accepted]);
    let has = |is_it: &dyn Fn(&Noun) -> bool| out.rows.iter().any(|row| is_it(&row.noun));
    assert!(has(
        &|it| matches!(it, Noun::HandOverNote { note, .. } if note.note.0 == "sleeps at last")
    ));
    assert!(has(
        &|it| matches!(it, Noun::Assignment(line) if line.value == Some(id(JONAS)) && line.key == Post::Bed(id(BED)))
    ));
    // In each table every row has a place of its own.
    let table = |row: &store::Row| format!("{:?}", std::mem::discriminant(&row.noun));
    let places: std::collections::BTreeSet<_> =
        out.rows.iter().map(|row| (table(row), row.offset, row.index)).collect();
    assert_eq!(places.len(), out.rows.len(), "two rows have one place");
}

#[test]
fn a_patient_says_how_they_feel_and_nobody_says_it_for_them() {
    const OWN: u128 = 0x800;
    let mut ward = Ward::new();
    ward.move_in(1);
    let login = |patient| User {
        id: id(OWN),
        org: id(1),
        login: "ilse".into(),
        role: Role::Patient,
        staff: None,
        patient,
        password_hash: None,
        disabled: false,
    };
    // A patient's login is one patient's, and no other login is a patient's.
    for wrong in [
        login(None),
        User { staff: Some(id(PRIYA)), ..login(Some(id(ILSE))) },
        User { role: Role::Nurse, ..login(Some(id(ILSE))) },
    ] {
        assert_eq!(ward.tries(TOM, Wish::PutUser(wrong)), Err(Reason::Unusable));
    }
    let nobody = login(Some(id(0x2ff)));
    assert_eq!(ward.tries(TOM, Wish::PutUser(nobody)), Err(Reason::NotFound));
    ward.grant(Wish::PutUser(login(Some(id(ILSE)))));
    let felt = |number: u128| Charting {
        patient: id(ILSE + number),
        observed_at: at(0.0),
        consciousness: None,
        oxygen: None,
        breaths_per_min: None,
        note: Redacted("dizzy".into()),
        feeling: Some(Feeling::BitWorse),
    };
    assert_eq!(ward.tries(OWN, Wish::Chart(felt(0))), Ok(()));
    assert_eq!(ward.tries(OWN, Wish::Chart(felt(1))), Err(Reason::NotFound));
    let breaths = Charting { breaths_per_min: Some(18), ..felt(0) };
    assert_eq!(ward.tries(OWN, Wish::Chart(breaths)), Err(Reason::NotAllowed));
    let silent = Charting { feeling: None, ..felt(0) };
    assert_eq!(ward.tries(OWN, Wish::Chart(silent)), Err(Reason::Unusable));
    assert_eq!(ward.tries(PRIYA, Wish::Chart(felt(0))), Err(Reason::NotAllowed));
    let page = ward.core.patient_page(id(ILSE), Cursor::default(), ward.now).unwrap();
    assert_eq!(page.charting.len(), 1);
    assert_eq!(
        (page.charting[0].charting.feeling, page.charting[0].by),
        (Some(Feeling::BitWorse), None)
    );
    // A patient answers no alarm.
    ward.monitor(1, 20, 86.0, 80.0);
    let alarm = ward.alarm().id;
    assert_eq!(ward.answers(OWN, alarm, 60), Err(Reason::NotAllowed));
    ward.rebuilds();
}

#[test]
fn only_the_program_notes_how_it_did() {
    let mut ward = Ward::new();
    let pulse = ::record::Pulse {
        messages_per_ks: 1,
        readings_per_ks: 2,
        durable_p99_us: 3,
        decided_p99_us: 4,
        journal_bytes: 5,
        connections: 6,
        started_at: at(0.0),
    };
    assert_eq!(ward.tries(TOM, Wish::NotePulse(pulse)), Err(Reason::NotAllowed));
    ward.grant(Wish::NotePulse(pulse));
    ward.settle();
    let (_, out) = ward.restarted(None, &ward.log);
    assert!(out.rows.iter().any(|row| row.noun == Noun::Pulse(pulse)));
}
