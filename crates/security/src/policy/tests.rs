//! The table, read aloud.

use model::Timestamp;
use proptest::prelude::*;

use super::*;

const NOW: Timestamp = Timestamp::from_unix_millis(1_763_000_000_000);
const ROLES: [Role; 6] =
    [Role::Nurse, Role::ChargeNurse, Role::Physician, Role::It, Role::Patient, Role::Family];

fn who(role: Role, unit: u128) -> Who {
    Who {
        user: UserId::v7(NOW, 1),
        org: OrgId::v7(NOW, 1),
        role,
        staff: None,
        patient: (role == Role::Patient).then(|| PatientId::v7(NOW, 7)),
        care_units: vec![CareUnitId::v7(NOW, unit)],
        coming_to: Vec::new(),
        opened: Vec::new(),
        left_lately: Vec::new(),
        is_recorded: true,
    }
}

fn patient(unit: u128) -> Resource {
    let patient = Some(PatientId::v7(NOW, 7));
    Resource {
        org: OrgId::v7(NOW, 1),
        care_unit: Some(CareUnitId::v7(NOW, unit)),
        patient,
        has_left: false,
    }
}

/// The rule that answers a member of unit 1, with `+` for yes.
fn check(role: Role, action: Action, unit: u128, expected: &str) {
    let decision = permit(&who(role, 1), action, &patient(unit));
    let sign = if decision.is_allowed() { '+' } else { '-' };
    assert_eq!(format!("{sign}{}", decision.rule()), expected, "{role:?} {action:?} {unit}");
}

#[test]
fn each_role_has_what_its_work_needs() {
    use Action::*;
    // Own unit first, then another unit of the house.
    check(Role::Nurse, ReadPatient, 1, "+own unit");
    check(Role::Nurse, ReadPatient, 2, "-emergency");
    check(Role::ChargeNurse, ReadPatient, 2, "-emergency");
    check(Role::Physician, ReadPatient, 2, "+site staff");
    check(Role::Nurse, OpenInEmergency, 2, "+site staff");
    check(Role::It, OpenInEmergency, 2, "-role");
    check(Role::ChargeNurse, ReviewEmergency, 1, "+own unit");
    check(Role::ChargeNurse, ReviewEmergency, 2, "-own unit");
    check(Role::Nurse, ReviewEmergency, 1, "-role");
    check(Role::Nurse, ChartPatient, 1, "+own unit");
    check(Role::Nurse, ChartPatient, 2, "-own unit");
    check(Role::Nurse, SetLimits, 1, "+own unit");
    check(Role::Nurse, SetSpO2Scale, 1, "-role");
    check(Role::Nurse, Assign, 1, "-role");
    // Whoever stands nearest answers.
    check(Role::Nurse, AcknowledgeAlarm, 2, "+site staff");
    check(Role::Nurse, EndAlarm, 2, "-own unit");
    check(Role::ChargeNurse, Assign, 1, "+own unit");
    check(Role::ChargeNurse, Assign, 2, "-own unit");
    check(Role::ChargeNurse, AssignCharge, 1, "+own unit");
    check(Role::ChargeNurse, AssignCharge, 2, "-own unit");
    check(Role::It, AssignCharge, 1, "+role");
    check(Role::Physician, AssignCharge, 1, "-role");
    check(Role::Physician, SetSpO2Scale, 2, "+site staff");
    check(Role::Physician, SetLimits, 1, "+own unit");
    check(Role::Physician, WriteUsers, 1, "-role");
    check(Role::It, WriteDevices, 1, "+role");
    check(Role::It, ReadAudit, 1, "+role");
    check(Role::It, ImportData, 2, "+role");
    check(Role::ChargeNurse, ImportData, 1, "+own unit");
    check(Role::ChargeNurse, ImportData, 2, "-own unit");
    check(Role::Nurse, ImportData, 1, "-role");
    check(Role::It, ReadPatient, 1, "-role");
    check(Role::It, ReadBoard, 1, "-role");
}

#[test]
fn a_page_opens_in_an_emergency_and_no_other_page_does() {
    use Action::*;
    let (mine, other) = (PatientId::v7(NOW, 7), PatientId::v7(NOW, 8));
    let stranger = who(Role::Nurse, 1);
    let opened = Who { opened: vec![mine], ..stranger.clone() };
    let coming_to = |unit| Who { coming_to: vec![CareUnitId::v7(NOW, unit)], ..stranger.clone() };
    let (coming, elsewhere) = (coming_to(2), coming_to(3));
    let of = |whose| Resource { patient: Some(whose), ..patient(2) };
    let nowhere = Resource { care_unit: None, ..patient(2) };
    let gone = Resource { has_left: true, ..nowhere };
    let lately = Who { left_lately: vec![mine], ..stranger.clone() };
    // They left, and wear a device of another care unit, or of the own one.
    let worn = |unit| Resource { has_left: true, ..patient(unit) };
    let gone_other = Resource { patient: Some(other), ..gone };
    let physician = who(Role::Physician, 1);
    let list = Resource { patient: None, ..patient(2) };
    let everybody = Resource { patient: None, ..nowhere };
    for (who, action, resource, expected) in [
        (&stranger, ReadPatient, of(mine), "-emergency"),
        (&opened, ReadPatient, of(mine), "+emergency"),
        (&opened, ReadPatient, of(other), "-emergency"),
        (&opened, ReadPatient, list, "-emergency"),
        // To read is not to act.
        (&opened, ChartPatient, of(mine), "-own unit"),
        (&opened, SetLimits, of(mine), "-own unit"),
        (&opened, ReadPatientAudit, of(mine), "-role"),
        // Whoever is to accept posts reads before.
        (&coming, ReadPatient, of(mine), "+hand-over"),
        (&elsewhere, ReadPatient, of(mine), "-emergency"),
        (&coming, ChartPatient, of(mine), "-own unit"),
        // Somebody who lies in no care unit has nobody who could be asked.
        (&stranger, ReadPatient, nowhere, "+site staff"),
        // Somebody who left is known to those who cared for them, and for a while.
        (&lately, ReadPatient, gone, "+left lately"),
        (&lately, ReadPatient, gone_other, "-emergency"),
        (&stranger, ReadPatient, gone, "-emergency"),
        (&coming, ReadPatient, gone, "-emergency"),
        (&opened, ReadPatient, gone, "+emergency"),
        (&stranger, OpenInEmergency, gone, "+site staff"),
        (&physician, ReadPatient, gone, "+site staff"),
        // A device of a care unit on them makes them that one's as well.
        (&stranger, ReadPatient, worn(1), "+own unit"),
        (&stranger, ChartPatient, worn(1), "+own unit"),
        (&stranger, ReadPatient, worn(2), "-emergency"),
        (&opened, ReadPatient, worn(2), "+emergency"),
        (&coming, ReadPatient, worn(2), "+hand-over"),
        (&lately, ReadPatient, worn(2), "+left lately"),
        (&lately, ChartPatient, worn(2), "-own unit"),
        // Whoever lies in a bed again is that care unit's.
        (&lately, ReadPatient, of(mine), "-emergency"),
        (&lately, ChartPatient, gone, "-own unit"),
        // Everybody in the house is not a patient without a care unit.
        (&stranger, ReadPatient, everybody, "-emergency"),
        (&coming, ReadPatient, everybody, "-emergency"),
        (&stranger, ListPatients, everybody, "+site staff"),
    ] {
        let decision = permit(who, action, &resource);
        let sign = if decision.is_allowed() { '+' } else { '-' };
        assert_eq!(format!("{sign}{}", decision.rule()), expected, "{action:?} {resource:?}");
    }
    let foreign = Who { org: OrgId::v7(NOW, 2), ..opened };
    assert!(!permit(&foreign, ReadPatient, &of(mine)).is_allowed());
}

#[test]
fn a_page_is_open_while_no_reason_can_be_recorded() {
    use Action::*;
    let unrecorded = |role| Who { is_recorded: false, ..who(role, 1) };
    let opened = Who { opened: vec![PatientId::v7(NOW, 7)], ..unrecorded(Role::Nurse) };
    let list = Resource { patient: None, ..patient(2) };
    for (who, action, resource, expected) in [
        (&unrecorded(Role::Nurse), ReadPatient, patient(2), "+emergency, not recording"),
        (&unrecorded(Role::ChargeNurse), ReadPatient, patient(2), "+emergency, not recording"),
        (&unrecorded(Role::Nurse), ReadPatient, list, "-emergency"),
        // Whoever has a better right goes by that.
        (&unrecorded(Role::Nurse), ReadPatient, patient(1), "+own unit"),
        (&unrecorded(Role::Physician), ReadPatient, patient(2), "+site staff"),
        (&opened, ReadPatient, patient(2), "+emergency"),
        // To read is not to act, and nobody else reads more.
        (&unrecorded(Role::Nurse), ChartPatient, patient(2), "-own unit"),
        (&unrecorded(Role::ChargeNurse), ReviewEmergency, patient(2), "-own unit"),
        (&unrecorded(Role::It), ReadPatient, patient(2), "-role"),
        (&unrecorded(Role::Patient), ReadPatient, patient(2), "-role"),
    ] {
        let decision = permit(who, action, &resource);
        let sign = if decision.is_allowed() { '+' } else { '-' };
        assert_eq!(format!("{sign}{}", decision.rule()), expected, "{action:?} {:?}", who.role);
    }
    let foreign = Who { org: OrgId::v7(NOW, 2), ..unrecorded(Role::Nurse) };
    assert!(!permit(&foreign, ReadPatient, &patient(2)).is_allowed());
}

#[test]
fn it_sees_no_patient_and_cares_for_none() {
    use Action::*;
    let clinical = [
        ReadBoard,
        ListPatients,
        ReadPatient,
        RegisterPatient,
        ChartPatient,
        SetLimits,
        SetSpO2Scale,
        MovePatient,
        Assign,
        ReadAlarms,
        AcknowledgeAlarm,
        EndAlarm,
        AssociateDevice,
    ];
    for action in clinical {
        check(Role::It, action, 1, "-role");
    }
}

#[test]
fn a_patient_reaches_what_is_their_own_and_nothing_else() {
    use Action::*;
    let other = Resource { patient: Some(PatientId::v7(NOW, 8)), ..patient(1) };
    let nobody = Resource { patient: None, ..patient(1) };
    let me = who(Role::Patient, 1);
    let nameless = Who { patient: None, ..me.clone() };
    for action in Action::ALL {
        let is_own = [ReadOwn, ShareOwn, ReportFeeling].contains(action);
        assert_eq!(permit(&me, *action, &patient(1)).is_allowed(), is_own, "{action:?}");
        for refused in [
            permit(&me, *action, &other),
            permit(&me, *action, &nobody),
            permit(&nameless, *action, &patient(1)),
            permit(&nameless, *action, &nobody),
        ] {
            assert!(!refused.is_allowed(), "{action:?}");
        }
    }
    check(Role::Patient, ReadOwn, 1, "+own data");
    check(Role::Patient, ReadPatient, 1, "-role");
    check(Role::Patient, ReadBoard, 1, "-role");
    // The rest of the house does not look through a patient's eyes.
    for role in [Role::Nurse, Role::ChargeNurse, Role::Physician, Role::It] {
        check(role, ReadOwn, 1, "-role");
    }
}

#[test]
fn words_are_unique_and_every_action_is_for_somebody() {
    let words: std::collections::BTreeSet<_> = Action::ALL.iter().map(|a| a.word()).collect();
    assert_eq!(words.len(), Action::ALL.len());
    for action in Action::ALL {
        let somebody =
            ROLES.iter().any(|role| permit(&who(*role, 1), *action, &patient(1)).is_allowed());
        assert!(somebody, "{action:?}");
    }
}

#[test]
fn a_refusal_says_who_could() {
    let refused = permit(&who(Role::Nurse, 1), Action::ChartPatient, &patient(2));
    let Decision::Denied { explanation, .. } = refused else { unreachable!("allowed") };
    let text =
        "`patient.chart` is for nurses of the care unit; ask there, or be posted to it first";
    assert_eq!(explanation, text);
}

#[test]
fn nobody_reaches_another_organization() {
    for role in ROLES {
        for action in Action::ALL {
            let resource = Resource { org: OrgId::v7(NOW, 2), ..patient(1) };
            let decision = permit(&who(role, 1), *action, &resource);
            assert_eq!((decision.is_allowed(), decision.rule()), (false, "organization"));
        }
    }
}

#[test]
fn a_device_speaks_below_its_own_up_and_hears_all_that_is_its_own() {
    let (site, device) = (SiteId::v7(NOW, 3), DeviceId::v7(NOW, 4));
    let (serial, not_after) = (vec![1], NOW);
    let identity = DeviceIdentity { org: OrgId::v7(NOW, 1), device, serial, not_after };
    let topics = DeviceTopics::new(&identity, site);
    let (other_site, other) = (SiteId::v7(NOW, 5), DeviceId::v7(NOW, 6));
    let publish = [
        (format!("wl/1/{site}/{device}/up/num"), true),
        (format!("wl/1/{site}/{device}/up/wave/MDC_ECG_ELEC_POTL_II"), true),
        (format!("wl/1/{site}/$gw/{device}/up/num"), true),
        (format!("wl/1/{site}/{device}/up/"), false),
        (format!("wl/1/{site}/{device}/down/cmd/1"), false),
        (format!("wl/1/{site}/{other}/up/num"), false),
        (format!("wl/1/{other_site}/{device}/up/num"), false),
        (format!("wl/1/{site}/$gw/{other}/up/num"), false),
        (format!("wl/1/{site}/$gw/{device}/down/cmd/1"), false),
        (format!("x/wl/1/{site}/{device}/up/num"), false),
    ];
    let subscribe = [
        (format!("wl/1/{site}/{device}/down/#"), true),
        (format!("wl/1/{site}/{device}/down/cmd/+"), true),
        (format!("wl/1/{site}/{device}/up/#"), true),
        (format!("wl/1/{site}/{device}/#"), true),
        (format!("wl/1/{site}/{device}/"), false),
        (format!("wl/1/{site}/{device}"), false),
        (format!("wl/1/{other_site}/{device}/#"), false),
        (format!("wl/1/{site}/+/down/#"), false),
        (format!("wl/1/{site}/{other}/down/#"), false),
        ("#".to_owned(), false),
        (format!("wl/1/{site}/$gw/{device}/down/#"), true),
        (format!("wl/1/{site}/$gw/{device}/down/cfg/+"), true),
        (format!("wl/1/{site}/$gw/{device}/"), false),
        (format!("wl/1/{site}/$gw/{other}/down/#"), false),
        (format!("wl/1/{site}/$gw/+/down/#"), false),
        (format!("wl/1/{site}/$gw/#"), false),
        (format!("$share/a/wl/1/{site}/$gw/{device}/down/#"), true),
        (format!("$share/a/wl/1/{site}/{device}/down/#"), true),
        (format!("$share/a/wl/1/{site}/{other}/down/#"), false),
        ("$share/a/#".to_owned(), false),
    ];
    for (act, rows) in [(DeviceAct::Publish, &publish[..]), (DeviceAct::Subscribe, &subscribe[..])]
    {
        for (topic, expected) in rows {
            assert_eq!(permit_device(&topics, act, topic).is_allowed(), *expected, "{topic}");
        }
    }
    assert!(topics.is_state(&format!("wl/1/{site}/{device}/up/state")));
    assert!(!topics.is_state(&format!("wl/1/{site}/{device}/up/state/x")));
    assert!(topics.down().ends_with("/down/"));
}

#[test]
fn a_gateway_uses_the_foreign_topics_that_its_profile_grants_and_no_others() {
    let (site, device) = (SiteId::v7(NOW, 3), DeviceId::v7(NOW, 4));
    let (serial, not_after) = (vec![1], NOW);
    let identity = DeviceIdentity { org: OrgId::v7(NOW, 1), device, serial, not_after };
    let grant = |filter: &str, publish, subscribe| TopicGrant {
        filter: filter.to_owned(),
        publish,
        subscribe,
    };
    let topics = DeviceTopics::new(&identity, site).granted(vec![
        grant("z2m/#", true, true),
        grant("vendor/+/state", true, false),
        grant("vendor/+/set", false, true),
        // None of ours can be granted, however it is spelled.
        grant("wl/#", true, true),
        grant("#", true, true),
        grant("+/x", true, true),
    ]);
    let rows = [
        (DeviceAct::Publish, "z2m/lamp", true),
        (DeviceAct::Publish, "z2m", true),
        (DeviceAct::Publish, "z2n/lamp", false),
        (DeviceAct::Publish, "vendor/7/state", true),
        (DeviceAct::Publish, "vendor/7/8/state", false),
        (DeviceAct::Publish, "vendor/7/set", false),
        (DeviceAct::Publish, "wl/1/x", false),
        (DeviceAct::Publish, "y/x", false),
        (DeviceAct::Publish, "$SYS/x", false),
        (DeviceAct::Subscribe, "z2m/#", true),
        (DeviceAct::Subscribe, "z2m/+/set", true),
        (DeviceAct::Subscribe, "$share/g/z2m/#", true),
        (DeviceAct::Subscribe, "$share/g/z2n/#", false),
        (DeviceAct::Subscribe, "vendor/+/set", true),
        (DeviceAct::Subscribe, "vendor/7/set", true),
        (DeviceAct::Subscribe, "vendor/#", false),
        (DeviceAct::Subscribe, "vendor/+/#", false),
        (DeviceAct::Subscribe, "vendor/7/state", false),
        (DeviceAct::Subscribe, "+/lamp", false),
        (DeviceAct::Subscribe, "#", false),
        (DeviceAct::Subscribe, "wl/#", false),
    ];
    for (act, topic, expected) in rows {
        assert_eq!(permit_device(&topics, act, topic).is_allowed(), expected, "{act:?} {topic}");
    }
}

proptest! {
    #[test]
    fn being_posted_to_more_units_never_takes_anything_away(
        role in prop::sample::select(&ROLES[..]),
        action in prop::sample::select(Action::ALL),
        unit in 0_u128..3,
    ) {
        let mut more = who(role, 1);
        more.care_units.push(CareUnitId::v7(NOW, 2));
        let (few, many) = (permit(&who(role, 1), action, &patient(unit)), permit(&more, action, &patient(unit)));
        prop_assert!(many.is_allowed() || !few.is_allowed());
    }
}

#[test]
fn family_reads_what_is_shared_with_them_and_nothing_else() {
    let mine = PatientId::v7(NOW, 7);
    let shared = Who { patient: Some(mine), ..who(Role::Family, 1) };
    let over = Who { patient: None, ..shared.clone() };
    let other = Resource { patient: Some(PatientId::v7(NOW, 8)), ..patient(1) };
    let nobody = Resource::org(shared.org);
    for action in Action::ALL {
        let may = permit(&shared, *action, &patient(1)).is_allowed();
        assert_eq!(may, *action == Action::ReadOwn, "{action:?}");
        for resource in [patient(1), other, nobody] {
            assert!(!permit(&over, *action, &resource).is_allowed(), "{action:?}");
        }
        assert!(!permit(&shared, *action, &other).is_allowed(), "{action:?}");
    }
    assert_eq!(permit(&shared, Action::ReadOwn, &patient(1)).rule(), SHARED);
    assert_eq!(permit(&over, Action::ReadOwn, &nobody).rule(), SHARED);
}

#[test]
fn family_reads_nothing_while_their_look_leaves_no_trace() {
    let mine = Some(PatientId::v7(NOW, 7));
    for (role, patient_of, is_recorded, expected) in [
        (Role::Family, mine, true, "+shared"),
        (Role::Family, mine, false, "-shared, not recording"),
        // What is over is over, recorded or not.
        (Role::Family, None, false, "-shared"),
        // A look at oneself needs no trace.
        (Role::Patient, mine, false, "+own data"),
    ] {
        let who = Who { patient: patient_of, is_recorded, ..who(role, 1) };
        let decision = permit(&who, Action::ReadOwn, &patient(1));
        let sign = if decision.is_allowed() { '+' } else { '-' };
        assert_eq!(format!("{sign}{}", decision.rule()), expected, "{role:?} {is_recorded}");
    }
}
