//! An alarm from the first breach to whoever answers it.

use super::*;

#[test]
fn low_saturation_becomes_an_alarm_and_reaches_the_nurse_of_the_bed() {
    let mut ward = Ward::new();
    ward.monitor(1, 5, 97.0, 80.0);
    assert_eq!(ward.titles(), Vec::<String>::new());
    ward.monitor(6, 15, 86.0, 80.0);
    // The default delay of a low saturation is ten seconds.
    assert_eq!(ward.titles(), Vec::<String>::new());
    ward.monitor(16, 16, 86.0, 80.0);
    let alarm = ward.alarm();
    assert_eq!((alarm.title.as_str(), alarm.detail.as_str()), ("SpO₂ low 86 %", "below 90"));
    assert_eq!((alarm.since, alarm.raised_at), (at(6.0), at(16.0)));
    assert_eq!((alarm.priority, alarm.phase), (Priority::Medium, AlarmPhase::Active));
    assert_eq!(alarm.told.iter().map(|told| told.staff).collect::<Vec<_>>(), [id(PRIYA)]);
    assert_eq!((alarm.patient, alarm.bed), (Some(id(ILSE)), Some(id(BED))));
    assert_eq!(alarm.next_step_at, Some(at(136.0)));
}

#[test]
fn a_pending_alarm_is_raised_by_time_alone_while_its_evidence_is_young() {
    let mut ward = Ward::new();
    ward.monitor(1, 8, 86.0, 80.0);
    ward.wait_until(at(10.9));
    assert_eq!(ward.titles().len(), 0);
    ward.wait_until(at(11.0));
    assert_eq!(ward.alarm().raised_at, at(11.0));
}

#[test]
fn an_unanswered_alarm_climbs_to_the_charge_nurse_and_then_to_the_care_unit() {
    let mut ward = Ward::new();
    ward.move_in(1);
    for second in 1..=500 {
        ward.monitor(second, second, 86.0, 80.0);
        let Some(alarm) = ward.titled("SpO₂ low 86 %") else { continue };
        let told: Vec<_> = alarm.told.iter().map(|told| told.staff).collect();
        match second {
            11..131 => assert_eq!(told, [id(PRIYA)], "{second}"),
            131..311 => assert_eq!(told, [id(PRIYA), id(TOM)], "{second}"),
            _ => assert_eq!(told, [id(PRIYA), id(TOM), id(JONAS)], "{second}"),
        }
        assert_eq!(alarm.unanswered, second >= 311);
    }
    assert_eq!(ward.alarm().step, 2);
}

#[test]
fn an_acknowledgement_keeps_it_quiet_and_expires() {
    let mut ward = Ward::new();
    ward.monitor(1, 20, 86.0, 80.0);
    let alarm = ward.alarm();
    assert_eq!(ward.answers(PRIYA, alarm.id, 60), Ok(()));
    let held = ward.alarm();
    assert_eq!((held.id, held.phase), (alarm.id, AlarmPhase::Acknowledged));
    assert_eq!((held.acknowledged_by, held.quiet_until), (Some(id(PRIYA)), Some(at(80.0))));
    ward.monitor(21, 79, 86.0, 80.0);
    assert_eq!(ward.alarm().phase, AlarmPhase::Acknowledged);
    ward.monitor(80, 80, 86.0, 80.0);
    let again = ward.alarm();
    assert_eq!((again.id, again.phase, again.step), (alarm.id, AlarmPhase::Active, 0));
}

#[test]
fn an_alarm_ends_when_the_value_is_back_beyond_its_hysteresis() {
    let mut ward = Ward::new();
    ward.monitor(1, 20, 86.0, 80.0);
    let alarm = ward.alarm();
    ward.monitor(21, 25, 91.0, 80.0); // Above the limit, not yet above where it clears.
    assert_eq!(ward.alarm().id, alarm.id);
    ward.deltas.clear();
    ward.monitor(26, 26, 92.0, 80.0);
    assert_eq!(ward.titles(), Vec::<String>::new());
    // Screens are told of the end, and the alarm can still be asked for.
    let told: Vec<_> = ward.deltas.iter().flat_map(|delta| &delta.alarms).collect();
    assert_eq!(told.len(), 1);
    assert_eq!((told[0].id, told[0].phase), (alarm.id, AlarmPhase::Ended));
    assert_eq!(told[0].end, Some(view::AlarmEnd::ConditionOver));
    assert_eq!((told[0].raised_at, told[0].ended_at), (alarm.raised_at, Some(at(26.0))));
    assert_eq!(ward.core.alarm(alarm.id).as_ref(), Some(told[0]));
    assert_eq!(ward.answers(PRIYA, alarm.id, 60), Err(Reason::NothingRaised));
}

#[test]
fn a_detached_probe_ends_nothing_and_tells_of_itself() {
    let mut ward = Ward::new();
    ward.monitor(1, 20, 86.0, 80.0);
    let alarm = ward.alarm();
    for second in 21..=40 {
        let samples = [(Vital::Saturation, None), (Vital::HeartRate, Some(80.0))];
        ward.reads(f64::from(second), MONITOR, &samples);
    }
    let standing = ward.standing();
    let low = standing.iter().find(|it| it.id == alarm.id).unwrap();
    assert!(low.no_signal);
    let others: Vec<_> = standing.iter().filter(|it| it.id != alarm.id).collect();
    // One technical alarm, not two: the probe that is off explains the missing signal.
    assert_eq!(others.len(), 1, "{:?}", ward.titles());
    assert_eq!(others[0].title, "SpO₂ probe not on the patient");
    ward.monitor(41, 60, 97.0, 80.0);
    assert_eq!(ward.titles(), Vec::<String>::new());
}

#[test]
fn a_desaturation_takes_the_place_of_the_low_limit_and_latches() {
    let mut ward = Ward::new();
    ward.monitor(1, 20, 86.0, 80.0);
    let low = ward.alarm();
    ward.monitor(21, 30, 76.0, 80.0);
    let deep = ward.alarm();
    assert_eq!((deep.title.as_str(), deep.priority), ("SpO₂ very low 76 %", Priority::High));
    let ended = ward.core.alarm(low.id).unwrap();
    assert_eq!(ended.end, Some(view::AlarmEnd::Superseded(deep.id)));
    // It is over, and stays until somebody has acknowledged it.
    ward.monitor(31, 60, 97.0, 80.0);
    assert!(ward.alarm().latched);
    assert_eq!(ward.answers(JONAS, deep.id, 60), Ok(()));
    assert_eq!(ward.titles(), Vec::<String>::new());
}

#[test]
fn late_readings_fill_the_chart_and_alarm_nobody() {
    let mut ward = Ward::new();
    ward.monitor(1, 5, 97.0, 80.0);
    let points = ward.points;
    for second in 6..60 {
        ward.monitor(second, second, 97.0, 80.0);
        ward.reads_late(MONITOR, 120.0, &[(Vital::Saturation, Some(70.0))]);
    }
    assert_eq!(ward.points, points + 3 * 54);
    let late: Vec<_> = ward.titles();
    assert_eq!(late, Vec::<String>::new());
}

#[test]
fn a_taken_off_device_ends_its_alarms_with_the_reason() {
    let mut ward = Ward::new();
    ward.monitor(1, 20, 86.0, 80.0);
    let alarm = ward.alarm();
    ward.put_on(MONITOR, None);
    assert_eq!(ward.titles(), Vec::<String>::new());
    let ended = ward.core.alarm(alarm.id).unwrap();
    let reason = EndReason::DeviceTakenOff;
    let words = Redacted(String::new());
    assert_eq!(ended.end, Some(view::AlarmEnd::ByPerson { by: None, reason, words }));
    let page = ward.core.patient_page(id(ILSE), Cursor(0), ward.now).unwrap();
    assert_eq!(page.numerics, []);
    // What it still sends belongs to nobody, and its silence alarms nobody.
    ward.monitor(30, 60, 70.0, 80.0);
    ward.wait_until(at(900.0));
    assert_eq!(ward.titles(), Vec::<String>::new());
}

#[test]
fn a_discharge_ends_the_patients_alarms_and_a_move_does_not() {
    let mut ward = Ward::new();
    ward.monitor(1, 20, 86.0, 80.0);
    let alarm = ward.alarm();
    ward.grant(Wish::PutBed(Bed { id: id(BED + 9), room: id(4), name: "09".into() }));
    ward.occupy(BED + 9, Some(ILSE));
    assert_eq!((ward.alarm().id, ward.alarm().bed), (alarm.id, Some(id(BED + 9))));
    ward.occupy(BED + 9, None);
    let ended = ward.core.alarm(alarm.id).unwrap();
    let reason = EndReason::PatientLeft;
    let words = Redacted(String::new());
    assert_eq!(ended.end, Some(view::AlarmEnd::ByPerson { by: None, reason, words }));
}

#[test]
fn a_person_ends_an_alarm_with_a_reason_and_new_evidence_begins_it_anew() {
    let mut ward = Ward::new();
    ward.monitor(1, 20, 86.0, 80.0);
    let alarm = ward.alarm();
    let words = Redacted("cold finger".to_owned());
    let wish = Wish::EndAlarm { alarm: alarm.id, reason: EndReason::Artefact, words };
    assert_eq!(ward.asks(Actor::User(id(PRIYA)), wish), Ok(Some(alarm.id)));
    assert_eq!(ward.titles(), Vec::<String>::new());
    ward.monitor(21, 40, 86.0, 80.0);
    assert_ne!(ward.alarm().id, alarm.id);
}

#[test]
fn only_a_member_of_staff_answers_an_alarm() {
    let mut ward = Ward::new();
    ward.monitor(1, 20, 86.0, 80.0);
    let alarm = ward.alarm().id;
    let quiet_for = std::time::Duration::from_secs(60);
    let wish = Wish::Acknowledge { alarm, quiet_for };
    let refusal = ward.asks(Actor::System, wish).unwrap_err();
    assert_eq!(refusal.0, Reason::NotAllowed);
}

#[test]
fn new_limits_hold_at_once_and_a_side_switched_off_ends_its_alarm() {
    let mut ward = Ward::new();
    ward.monitor(1, 20, 86.0, 80.0);
    let low = ward.alarm();
    let mut limits = care::limit::defaults().find(|it| it.vital == Vital::Saturation).unwrap();
    let side = limits.low.as_mut().unwrap();
    (side.limit_thousandths, side.clears_at_thousandths) = (85_000, 86_000);
    ward.grant(Wish::SetLimits { patient: id(ILSE), limits });
    assert_eq!(ward.titles(), Vec::<String>::new(), "86 is not below 85");
    assert!(ward.core.alarm(low.id).unwrap().ended_at.is_some());
    ward.monitor(21, 40, 84.0, 80.0);
    assert_eq!(ward.alarm().detail, "below 85");
    limits.low = None;
    ward.grant(Wish::SetLimits { patient: id(ILSE), limits });
    assert_eq!(ward.titles(), Vec::<String>::new());
    ward.monitor(41, 60, 84.0, 80.0);
    assert_eq!(ward.titles(), Vec::<String>::new());
}

#[test]
fn whose_device_it_was_decides_whose_alarm_it_is() {
    let mut ward = Ward::new();
    ward.move_in(1);
    ward.put_on(MONITOR, Some(ILSE + 1));
    ward.monitor(1, 20, 86.0, 80.0);
    assert_eq!(ward.alarm().patient, Some(id(ILSE + 1)));
    assert_eq!(ward.alarm().told[0].staff, id(JONAS));
}
