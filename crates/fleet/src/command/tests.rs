//! Who is asked before a device is touched, and what proves that a command is done.

use protocols::profile::ArgSpec;

use super::*;

fn spec(on_patient: OnPatient) -> CommandSpec {
    let arg = |name: &str, min, max| ArgSpec {
        name: name.to_owned(),
        words: name.to_owned(),
        unit: String::new(),
        min,
        max,
    };
    CommandSpec {
        name: "set-interval".to_owned(),
        words: "Measure every".to_owned(),
        on_patient,
        args: vec![arg("interval_s", 10, 3_600)],
        reports: vec!["interval_s".to_owned(), "cycle".to_owned()],
        lasts: Duration::from_secs(60),
    }
}

fn args(list: &[(&str, i64)]) -> Vec<(String, i64)> {
    list.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect()
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_unix_nanos(second * 1_000_000_000)
}

#[test]
fn what_touches_a_patient_needs_a_second_look_or_waits_until_the_device_is_off() {
    let check = |on_patient, is_on, want: Result<bool, NoPlan>| {
        let got =
            plan(&spec(on_patient), &args(&[("interval_s", 60)]), Lifecycle::InService, is_on);
        assert_eq!(got.map(|plan| plan.needs_second), want, "{on_patient:?}, on: {is_on}");
    };
    for on_patient in [OnPatient::Free, OnPatient::SecondLook, OnPatient::Never] {
        check(on_patient, false, Ok(false));
    }
    check(OnPatient::Free, true, Ok(false));
    check(OnPatient::SecondLook, true, Ok(true));
    check(OnPatient::Never, true, Err(NoPlan::OnAPatient));
}

#[test]
fn only_a_device_in_service_takes_commands() {
    use Lifecycle::{InService, Ordered, Provisioned, Quarantined, Retired};
    for state in [Ordered, Provisioned, InService, Quarantined, Retired] {
        let got = plan(&spec(OnPatient::Free), &args(&[("interval_s", 60)]), state, false);
        assert_eq!(got.is_ok(), state == InService, "{state:?}");
    }
}

#[test]
fn every_argument_is_there_once_and_in_its_range() {
    let check = |list: &[(&str, i64)], want: bool| {
        let got = plan(&spec(OnPatient::Free), &args(list), Lifecycle::InService, false);
        assert_eq!(got.is_ok(), want, "{list:?}: {got:?}");
    };
    check(&[("interval_s", 9)], false);
    check(&[("interval_s", 10)], true);
    check(&[("interval_s", 3_600)], true);
    check(&[("interval_s", 3_601)], false);
    check(&[], false);
    check(&[("interval_s", 60), ("interval_s", 60)], false);
    check(&[("interval_s", 60), ("more", 1)], false);
}

#[test]
fn done_is_what_the_device_reports_and_not_what_it_says() {
    let check = |said, reported: &[(&str, i64)], want| {
        let spec = spec(OnPatient::Free);
        let got = judge(said, &spec.reports, &args(&[("interval_s", 60)]), &args(reported));
        assert_eq!(got, want, "{said:?} {reported:?}");
    };
    check(Said::Done, &[("interval_s", 60), ("cycle", 7)], Verdict::Done);
    check(Said::Done, &[("interval_s", 61), ("cycle", 7)], Verdict::NotConfirmed);
    check(Said::Done, &[("interval_s", 60)], Verdict::NotConfirmed);
    check(Said::Done, &[], Verdict::NotConfirmed);
    check(Said::Received, &[], Verdict::Running);
    check(Said::Running, &[("interval_s", 60), ("cycle", 7)], Verdict::Running);
    check(Said::Failed, &[("interval_s", 60), ("cycle", 7)], Verdict::Failed);
    check(Said::Refused, &[], Verdict::Refused);
}

fn life(needs_second: bool) -> Life {
    let (is_seconded, is_withdrawn, answer) = (false, false, None);
    Life { expires_at: at(60), needs_second, is_seconded, is_withdrawn, answer }
}

#[test]
fn a_command_goes_its_way_and_an_answer_after_its_end_counts_for_nothing() {
    let answered = |second, verdict| Life { answer: Some((at(second), verdict)), ..life(false) };
    let check =
        |life: &Life, now, want| assert_eq!(phase(life, at(now)), want, "{life:?} at {now}");
    check(&life(false), 0, Phase::Sent);
    check(&life(false), 59, Phase::Sent);
    check(&life(false), 60, Phase::Expired);
    check(&answered(5, Verdict::Running), 59, Phase::Running);
    check(&answered(5, Verdict::Running), 60, Phase::Expired);
    check(&answered(59, Verdict::Done), 1_000, Phase::Done);
    check(&answered(60, Verdict::Done), 1_000, Phase::Expired);
    check(&answered(5, Verdict::NotConfirmed), 6, Phase::NotConfirmed);
    check(&answered(5, Verdict::Failed), 99, Phase::Failed);
    check(&answered(5, Verdict::Refused), 99, Phase::Refused);
    check(&life(true), 59, Phase::WaitsForSecond);
    check(&life(true), 60, Phase::Expired);
    check(&Life { is_seconded: true, ..life(true) }, 59, Phase::Sent);
    check(&Life { is_withdrawn: true, ..answered(5, Verdict::Done) }, 6, Phase::Withdrawn);
}

#[test]
fn the_second_look_is_another_persons_and_only_while_it_is_waited_for() {
    assert_eq!(may_second(&life(true), false, at(59)), Ok(()));
    assert_eq!(may_second(&life(true), true, at(59)), Err(NoChange::SamePerson));
    assert_eq!(may_second(&life(true), false, at(60)), Err(NoChange::DoesNotWait));
    assert_eq!(may_second(&life(false), false, at(0)), Err(NoChange::DoesNotWait));
    assert_eq!(may_withdraw(&life(true), at(0)), Ok(()));
    assert_eq!(
        may_withdraw(&life(false), at(0)),
        Err(NoChange::TooLate),
        "it may be there already"
    );
}

#[test]
fn what_is_over_stays_over_whatever_the_time() {
    for verdict in [Verdict::Done, Verdict::Failed, Verdict::Refused, Verdict::NotConfirmed] {
        let life = Life { answer: Some((at(5), verdict)), ..life(false) };
        let phases = [5, 59, 60, 61, 9_999].map(|now| phase(&life, at(now)));
        assert!(phases.iter().all(|it| it.is_over() && *it == phases[0]), "{phases:?}");
    }
}
